"""ClamAV's protocol, against a scanner of our own that speaks it to the letter of clamd(8)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.inspection import clamav
from bridge.inspection.clamav import Scan

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + rb"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class Clamd:
    """A scanner that knows one virus. `manner` is how it misbehaves: "", silent, cut-off, odd, endless."""

    def __init__(self, manner: str = "", largest: int = 1 << 30) -> None:
        self.manner, self.largest = manner, largest
        self.scanned: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one command."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            command = await reader.readuntil(b"\0")
            answer = b"PONG" if command == b"zPING\0" else await self._instream(reader)
            if self.manner == "silent":
                await reader.read()  # until whoever asked hangs up
            if self.manner != "cut-off":
                writer.write(
                    {"odd": b"UNKNOWN COMMAND", "endless": b"x" * 200_000}.get(self.manner, answer) + b"\0"
                )
                await writer.drain()
        writer.close()

    async def _instream(self, reader: asyncio.StreamReader) -> bytes:
        data = b""
        while size := int.from_bytes(await reader.readexactly(4)):
            if len(data) + size > self.largest:
                return b"INSTREAM size limit exceeded. ERROR"
            data += await reader.readexactly(size)
        self.scanned.append(data)
        return b"stream: Eicar-Test-Signature FOUND" if EICAR in data else b"stream: OK"


@contextlib.asynccontextmanager
async def running(clamd: Clamd, path: Path | None = None) -> AsyncIterator[str]:
    """Its address, while it runs: a socket at `path`, or a port of this machine."""
    if path is not None:
        server = await asyncio.start_unix_server(clamd.serve, path)
        address = f"unix:{path}"
    else:
        server = await asyncio.start_server(clamd.serve, "127.0.0.1", 0)
        address = f"tcp:127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield address
    finally:
        server.close()


def file(folder: Path, data: bytes) -> Path:
    """A file to be scanned."""
    path = folder / "scanned"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("unix", [True, False])
async def test_files_are_scanned_whole(tmp_path: Path, unix: bool) -> None:
    """All bytes arrive, over either kind of socket, and the answer comes back."""
    clamd, data = Clamd(), bytes(range(256)) * 700
    async with running(clamd, tmp_path / "clamd.ctl" if unix else None) as address:
        assert await clamav.ping(address, 5)
        assert await clamav.scan(address, file(tmp_path, data), 5) == Scan(True)
        assert await clamav.scan(address, file(tmp_path, b""), 5) == Scan(True)
    assert clamd.scanned == [data, b""]


async def test_a_virus_is_named(tmp_path: Path) -> None:
    """What EICAR publishes for tests of scanners is found, wherever it stands."""
    async with running(Clamd()) as address:
        found = await clamav.scan(address, file(tmp_path, bytes(70_000) + EICAR), 5)
    assert found == Scan(True, virus="Eicar-Test-Signature")


async def test_what_is_too_large_for_the_scanner_is_not_scanned(tmp_path: Path) -> None:
    """It hangs up in the middle, and what it said is still heard: that is no clean bill."""
    async with running(Clamd(largest=100_000)) as address:
        found = await clamav.scan(address, file(tmp_path, bytes(8_000_000)), 5)
    assert not found.answered
    assert found.trouble in ("too-large", "unreachable")  # the system may drop an answer behind a reset


@pytest.mark.parametrize(
    ("manner", "trouble"),
    [("silent", "slow"), ("cut-off", "unreachable"), ("odd", "odd-answer"), ("endless", "unreachable")],
)
async def test_no_answer_is_never_a_clean_one(tmp_path: Path, manner: str, trouble: str) -> None:
    """However a scanner fails, the file counts as not scanned, and no time but the allowed one is lost."""
    async with running(Clamd(manner)) as address:
        assert await clamav.scan(address, file(tmp_path, b"x"), 0.3) == Scan(False, trouble=trouble)
        assert not await clamav.ping(address, 0.3)


@pytest.mark.parametrize("address", ["unix:/nowhere/clamd.ctl", "tcp:127.0.0.1:1"])
async def test_no_scanner_is_unreachable(tmp_path: Path, address: str) -> None:
    """Nobody there: said, not raised."""
    assert await clamav.scan(address, file(tmp_path, b"x"), 5) == Scan(False, trouble="unreachable")
    assert not await clamav.ping(address, 5)
