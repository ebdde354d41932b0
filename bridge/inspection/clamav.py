"""ClamAV's daemon, asked over its socket: PING, and INSTREAM for a file (clamd(8), "COMMANDS").

Rules of this file: an answer is a value. Whatever keeps the scanner from answering is "not scanned", with a
short word for the log; what follows from that is the policy's to say. The file streams through.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

PIECE = 64 * 1024
LONGEST_ANSWER = 4096


@dataclass(frozen=True, slots=True)
class Scan:
    """What the scanner said: `answered`, and the name of the `virus` it found ("" if none).

    `trouble` is a short stable word for why it did not answer: unreachable, slow, too-large, odd-answer.
    """

    answered: bool
    virus: str = ""
    trouble: str = ""


async def ping(address: str, seconds: float) -> bool:
    """Whether a scanner answers at `address` within `seconds`."""
    try:
        async with asyncio.timeout(seconds), _connected(address) as (reader, writer):
            writer.write(b"zPING\0")
            return await _answer(reader) == "PONG"
    except (OSError, TimeoutError, EOFError):
        return False


async def scan(address: str, path: Path, seconds: float) -> Scan:
    """What the scanner at `address` ("unix:PATH" or "tcp:HOST:PORT") says of a file, within `seconds`."""
    try:
        async with asyncio.timeout(seconds), _connected(address) as (reader, writer):
            # It answers, and hangs up, in the middle of what is too large for it.
            with contextlib.suppress(ConnectionError):
                await _send(writer, path)
            return _read(await _answer(reader))
    except TimeoutError:
        return Scan(False, trouble="slow")
    except (OSError, EOFError):
        return Scan(False, trouble="unreachable")


@contextlib.asynccontextmanager
async def _connected(address: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    kind, _, rest = address.partition(":")
    if kind == "unix":
        reader, writer = await asyncio.open_unix_connection(rest)
    else:
        host, _, port = rest.rpartition(":")
        reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


async def _send(writer: asyncio.StreamWriter, path: Path) -> None:
    """Pieces behind their length, four bytes in network order; one of length zero ends it."""
    writer.write(b"zINSTREAM\0")
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            writer.write(len(piece).to_bytes(4) + piece)
            await writer.drain()
    writer.write(bytes(4))
    await writer.drain()


async def _answer(reader: asyncio.StreamReader) -> str:
    """One answer, up to its zero byte. Raises EOFError when the scanner hangs up without one."""
    try:
        answer = await reader.readuntil(b"\0")
    except asyncio.LimitOverrunError as error:
        raise EOFError from error
    return answer[: LONGEST_ANSWER - 1].rstrip(b"\0").decode("utf-8", "replace").strip()


def _read(answer: str) -> Scan:
    said = answer.removeprefix("stream: ")
    if said == "OK":
        return Scan(True)
    if said.endswith(" FOUND"):
        return Scan(True, virus=said.removesuffix(" FOUND"))
    return Scan(False, trouble="too-large" if "size limit exceeded" in said else "odd-answer")
