"""Looks from the daemon's side: whatever becomes of the child, there is an inspection."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from inspection_rig import CONFINES, FILES, zipped
from test_clamav import EICAR, Clamd, running

from bridge.inspection import inspect, inspector
from bridge.inspection.bounds import Limits
from bridge.inspection.inspector import CRASHED, TOO_LARGE, TOO_LONG, Inspector
from bridge.message import Inspection

LIMITS = Limits(20.0, 512 << 20, 100_000)


def file(folder: Path, data: bytes) -> Path:
    """A file as the archive has it: without its name, and not to be changed."""
    path = folder / "0a1b2c"
    path.write_bytes(data)
    path.chmod(0o400)
    return path


async def test_a_document_is_read_by_a_child() -> None:
    """Everything that the policy asks about comes from the bytes, beside what the name claims."""
    found = await Inspector(LIMITS).look(FILES / "note.docx", "report.pdf")
    assert (found.name, found.type, found.claims) == ("report.pdf", "docx", "pdf")
    assert found.size == (FILES / "note.docx").stat().st_size
    assert "这是内幕消息" in found.text
    assert (found.encrypted, found.macros, found.cut, found.unreadable) == (False, False, False, "")
    assert (found.scanned, found.virus) == (False, "")


async def test_pictures_cost_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first bytes are enough, and nothing in a picture is parsed; but what hides behind one is."""
    monkeypatch.setattr(inspector, "command", lambda *_: pytest.fail("a process was started"))
    assert await Inspector(LIMITS).look(FILES / "dot.png", "a.png") == Inspection("a.png", "png", 75, "png")


async def test_what_hides_behind_a_picture_is_seen(tmp_path: Path) -> None:
    """An archive behind a picture makes it no picture."""
    path = file(tmp_path, (FILES / "dot.png").read_bytes() + zipped({"a.txt": "x"}))
    found = await Inspector(LIMITS).look(path, "a.png")
    assert (found.type, found.unreadable) == ("unknown", "it hides an archive")


def pretending(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Put other code in the child's place, under the same limits and over the same pipes."""
    plain = inspector.command
    monkeypatch.setattr(
        inspector,
        "command",
        lambda claims, limits: [
            *plain(claims, limits)[:2],
            "-c",
            CONFINES + code,
            *plain(claims, limits)[4:],
        ],
    )


SAID = """print('{"type": "pdf"}', flush=True)\n"""
ENDS = {
    "sleeps": (SAID + "import time; time.sleep(60)", "pdf", TOO_LONG),
    "computes": (SAID + "while True: pass", "pdf", TOO_LONG),
    "grows": (
        SAID + "import os\ntry:\n    x = bytearray(2 << 30)\nexcept MemoryError:\n    os._exit(3)",
        "pdf",
        TOO_LARGE,
    ),
    "raises": (SAID + "raise KeyError('secret')", "pdf", CRASHED),
    "is killed by a fault": (SAID + "import ctypes; ctypes.string_at(0)", "pdf", CRASHED),
    "says nothing": ("", "unknown", CRASHED),
    "leaves early": (SAID + "raise SystemExit(0)", "pdf", CRASHED),
    "talks without end": (SAID + "while True: print('x' * 10000)", "pdf", TOO_LONG),
}


@pytest.mark.parametrize("manner", ENDS)
async def test_however_a_child_ends_there_is_an_answer(
    manner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had said by then stands, why no more came is told, and nothing is left running."""
    code, kind, why = ENDS[manner]
    pretending(monkeypatch, code)
    path = file(tmp_path, b"%PDF-1.7")
    # A busy machine may need longer than a second before a child has said anything at all.
    for seconds in (1.0, 8.0, 60.0) if why == TOO_LONG else (60.0,):
        found = await Inspector(Limits(seconds, 512 << 20, 1000)).look(path, "a.pdf")
        if found.type == kind:
            break
    assert (found.type, found.unreadable, found.text) == (kind, why, "")


async def test_children_are_few_and_end_with_their_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more run at once than are allowed; cancelled looks leave no process behind."""
    pretending(monkeypatch, "import os\nos.write(1, str(os.getpid()).encode())\nimport time; time.sleep(60)")
    pids: list[int] = []
    two = asyncio.Event()
    real = inspector._gather

    async def gather(child: asyncio.subprocess.Process, answer: bytearray, most: int) -> None:
        pids.append(child.pid)
        if len(pids) == 2:
            two.set()
        await real(child, answer, most)

    monkeypatch.setattr(inspector, "_gather", gather)
    one = Inspector(LIMITS, at_once=asyncio.Semaphore(2))
    path = file(tmp_path, b"%PDF-1.7")
    looks = [asyncio.create_task(one.look(path, "a.pdf")) for _ in range(4)]
    async with asyncio.timeout(60):
        await two.wait()
    assert len(pids) == 2
    for look in looks:
        look.cancel()
    await asyncio.gather(*looks, return_exceptions=True)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_files_are_scanned_where_a_scanner_is(tmp_path: Path) -> None:
    """A virus is named, in pictures as well; a scanner that is away leaves files unscanned."""
    async with running(Clamd()) as address:
        one = Inspector(LIMITS, address)
        sick = await one.look(file(tmp_path, b"\x89PNG\r\n\x1a\n" + EICAR), "a.png")
        well = await one.look(FILES / "dot.jpg", "a.jpg")
    away = await Inspector(LIMITS, "unix:/nowhere/clamd.ctl").look(FILES / "dot.jpg", "a.jpg")
    assert (sick.scanned, sick.virus) == (True, "Eicar-Test-Signature")
    assert (well.scanned, well.virus) == (True, "")
    assert (away.scanned, away.virus) == (False, "")


def test_commands_look_into_files_too(tmp_path: Path) -> None:
    """`inspect` needs a path alone; a file that is not there is the caller's to tell."""
    assert "并购 in a hidden sheet" in inspect(FILES / "book.xlsx").text
    with pytest.raises(FileNotFoundError):
        inspect(tmp_path / "none.pdf")
