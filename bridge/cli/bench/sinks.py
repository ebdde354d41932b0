"""How fast copies are brought to a folder, beside copying the same bytes.

Rules of this file: the whole way is measured: what is wanted is read, opened, made into bytes, put, read back
and recorded, by one archivist with the settings' own pace.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.archivist import Destination
    from bridge.config import Settings
    from bridge.store.database import Database

Row = dict[str, Any]
Report = Callable[[Row], None]
NAME = "bench/drop"
BATCH = 256


def run(messages: int, report: Report, folder: Path | None = None) -> None:
    """Bring `messages` records to a folder, in each form."""
    from bridge import telemetry

    telemetry.configure(level="critical")
    for form in ("native", "jsonl", "eml"):
        with TemporaryDirectory(prefix="weighbridge-bench-", dir=folder) as made:
            report(asyncio.run(_measured(messages, form, Path(made))))


async def _measured(messages: int, form: str, folder: Path) -> Row:
    from bridge.archivist import Destination
    from bridge.cli import compose
    from bridge.cli.bench.exports import settings_in

    settings = settings_in(folder)
    place = folder / "drop"
    place.mkdir()
    there = Destination(NAME, f"file://{place}", form, region="CN")
    store = compose.store(settings)
    try:
        await _owed(store, messages)
        return await _brought(settings, store, there, messages)
    finally:
        store.close()


async def _owed(store: Database, messages: int) -> None:
    """So many blocked messages, each owed to the folder."""
    from bridge.message import WEIXIN, Batch, Cause, Message, Outcome, Verdict
    from bridge.ports import Ruling

    await store.own("bench")
    verdict = Verdict(Outcome.BLOCK, Cause.RULE, "", "bench", archives=(NAME,))
    for start in range(0, messages, BATCH):
        numbers = range(start, min(start + BATCH, messages))
        said = tuple(
            Message(
                WEIXIN, f"m{n}", "wk/wm", "wm", n, text=f"记录 {n}: the desk will call you", raw=b"{}" * 200
            )
            for n in numbers
        )
        await store.archive(Batch(WEIXIN, said))
        waiting = await store.unjudged(BATCH)
        await store.record_rulings([Ruling(one, replace(verdict, text=one.message.text)) for one in waiting])


async def _brought(settings: Settings, store: Database, named: Destination, messages: int) -> Row:
    from bridge.cli import compose
    from bridge.store.kept import key_of

    work = compose.archivist(settings, store, lambda: [named])
    await work.renew()
    began, busy = time.perf_counter(), time.process_time()
    done = 0
    while took := await work.bring(key_of(NAME)):
        done += took
    seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    size, copied = _copied(Path(named.to.removeprefix("file://")))
    assert done == messages
    return {
        "kind": "sink", "to": "folder", "form": named.form, "messages": done, "bytes": size,
        "seconds": seconds, "cpu": cpu, "rate": done / seconds, "copying": copied,
        "times_copying": seconds / copied,
    }  # fmt: skip


def _copied(folder: Path) -> tuple[int, float]:
    """How many bytes the folder has, and how long copying it takes with each file flushed, as ours are."""
    other = folder.with_name("copy")
    files = [path for path in folder.rglob("*") if path.is_file()]
    began = time.perf_counter()
    for path in files:
        target = other / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as source, target.open("wb") as there:
            shutil.copyfileobj(source, there)
            there.flush()
            os.fsync(there.fileno())
    return sum(path.stat().st_size for path in files), time.perf_counter() - began
