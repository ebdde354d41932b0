"""Looking into archived attachments, from the daemon: who reads a file, and what becomes of its answer.

Rules of this file: no parser of other people's bytes runs in this process. Pictures, sound and programs are
known by their first bytes; everything else is read by a child process that is limited and thrown away.
However a look ends, there is an inspection: what could not be read says so, and the policy decides.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import structlog

from bridge.inspection import clamav, kinds
from bridge.inspection.bounds import OUT_OF_MEMORY, Limits
from bridge.message import Inspection

log = structlog.get_logger()

TOO_LONG = "it takes too long to read"
TOO_LARGE = "it takes too much memory to read"
CRASHED = "its reader crashed on it"

#: How a child ends that has used up its time: by the clock, or by the processor's.
_OUT_OF_TIME = (-signal.SIGALRM, -signal.SIGXCPU, -signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Inspector:
    """Looks into files, a few at once. `scanner` is ClamAV's address, "" when there is none."""

    limits: Limits = field(default_factory=lambda: Limits(20.0, 512 << 20, 500_000))
    scanner: str = ""
    at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    async def look(self, path: Path, name: str, digest: str = "") -> Inspection:
        """What the file at `path`, called `name`, is. Raises OSError when it cannot be opened.

        `digest` is how the log calls it; without one, it is the last part of its path.
        """
        size, head, tail = await asyncio.to_thread(_ends, path)
        async with self.at_once:
            found = _at_a_glance(head, tail) or await self._read(path, kinds.claimed(name))
            scan = await self._scan(path, digest or path.name)
        return Inspection(
            name=name,
            size=size,
            claims=kinds.claimed(name),
            scanned=scan.answered,
            virus=scan.virus,
            **found,
        )

    async def _scan(self, path: Path, digest: str) -> clamav.Scan:
        if not self.scanner:
            return clamav.Scan(False)
        scan = await clamav.scan(self.scanner, path, self.limits.seconds)
        if not scan.answered:
            log.warning("file:unscanned", digest=digest, code=scan.trouble)
        return scan

    async def _read(self, path: Path, claims: str) -> dict[str, Any]:
        """What a child process finds; whatever it found before it was ended, if it was."""
        answer = bytearray()
        code = await self._run(path, claims, answer)
        lines = answer.splitlines()
        if code == 0 and len(lines) == 2:
            return json.loads(lines[1])  # type: ignore[no-any-return]
        known = json.loads(lines[0]) if answer.count(b"\n") else {"type": "unknown"}
        return {**known, "unreadable": _why(code)}

    async def _run(self, path: Path, claims: str, answer: bytearray) -> int:
        """Run a child on `path`, gathering its `answer`; gives its exit code, negative for a signal."""
        with path.open("rb") as file:
            child = await asyncio.create_subprocess_exec(
                *command(claims, self.limits),
                stdin=file,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={},
                cwd="/",
            )
        try:
            async with asyncio.timeout(self.limits.seconds):
                await _gather(child, answer, most=self.limits.text * 6 + 4096)
                return await child.wait()
        except TimeoutError:
            return -signal.SIGKILL
        finally:
            if child.returncode is None:
                child.kill()
                # asyncio tells the end of a process only when all that it wrote has been taken.
                await child.communicate()


def command(claims: str, limits: Limits) -> list[str]:
    """The command that starts a child, for a file whose name claims this type ("" if none).

    Names stay out of it: everybody on the machine can read a command.
    """
    return [sys.executable, "-I", "-m", "bridge.inspection.child", claims, json.dumps(asdict(limits))]


async def _gather(child: asyncio.subprocess.Process, answer: bytearray, most: int) -> None:
    """Read what `child` writes, `most` bytes of it: one that writes without end is ended by its time."""
    while len(answer) < most and (piece := await child.stdout.read(64 * 1024)):  # type: ignore[union-attr]
        answer += piece


def _why(code: int) -> str:
    if code in _OUT_OF_TIME:
        return TOO_LONG
    return TOO_LARGE if code == OUT_OF_MEMORY else CRASHED


def _ends(path: Path) -> tuple[int, bytes, bytes]:
    with path.open("rb") as file:
        head = file.read(kinds.HEAD)
        size = file.seek(0, 2)
        file.seek(max(0, size - kinds.TAIL))
        return size, head, file.read()


def _at_a_glance(head: bytes, tail: bytes) -> dict[str, Any] | None:
    """What the first bytes alone tell, of files without text inside."""
    found = kinds.signatures(head)
    if len(found) != 1 or found[0] not in kinds.WORDLESS or kinds.hides_archive(tail):
        return None
    return {"type": found[0]}
