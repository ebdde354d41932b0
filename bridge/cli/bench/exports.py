"""How fast exports are written, beside copying the same bytes: every format over one archive.

Rules of this file: one run a format, of which the ratio counts more than the rate. The archive comes from
`corpus`; each export goes the whole way of the command, recorded and proven. Memory is that of this
process at its highest, so formats are run in the order of what they were seen to need.
"""

from __future__ import annotations

import os
import resource
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from bridge.cli.bench import corpus

if TYPE_CHECKING:
    from bridge.config import Settings

FORMATS = (
    *("jsonl", "csv", "parquet", "html", "eml", "globalrelay", "actiance", "rsmf", "edrm", "dat", "pdf"),
)

Row = dict[str, Any]
Report = Callable[[Row], None]


def run(messages: int, report: Report, folder: Path | None = None, formats: Sequence[str] = FORMATS) -> None:
    """Make an archive of `messages`, and export all of it in each format."""
    from bridge.cli import compose

    with TemporaryDirectory(prefix="weighbridge-bench-", dir=folder) as made:
        place = Path(made)
        settings = settings_in(place)
        keeper = compose.keeper(settings)
        corpus.fill(settings.store.url, settings.store.blobs, messages, keeper=keeper)
        for form in formats:
            report(measured(settings, place / form, form))
            shutil.rmtree(place / form)


def measured(settings: Settings, out: Path, form: str) -> Row:
    """Export everything to `out` in a format: messages and bytes a second, and how many times as long as
    copying what came out takes."""
    from bridge.cli import compose, exporting
    from bridge.cli.root import act_on, reading
    from bridge.records.exports.manifest import Terms
    from bridge.store.looks import Looker

    act, signer = partial(act_on, settings), compose.signing_key(settings)
    who = Looker("bench", "bench")
    wanted = exporting.Wanted(who, "", compose.WallClock().now(), "UTC", Terms(form, region="CN"))
    began, busy = time.perf_counter(), time.process_time()
    exporting.begin(act, wanted, out, signer)
    with reading(settings) as db:
        made = exporting.finish(act, db, settings, out, signer, who, corpus.silent)
    seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    size, copied = _copied(out)
    count = len(made.account.written)
    return {
        "kind": "export",
        "format": form,
        "messages": count,
        "bytes": size,
        "seconds": seconds,
        "cpu": cpu,
        "rate": count / seconds,
        "copying": copied,
        "times_copying": seconds / copied,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _copied(folder: Path) -> tuple[int, float]:
    """How many bytes a folder has, and how long copying it to the disk takes."""
    other = folder.with_name(f"{folder.name}.copy")
    began = time.perf_counter()
    shutil.copytree(folder, other)
    os.sync()
    seconds = time.perf_counter() - began
    shutil.rmtree(other)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()), seconds


def settings_in(folder: Path) -> Settings:
    """Settings of a store in `folder`, which stand in no file."""
    from bridge import config

    store = f'[store]\nurl = "sqlite:///{folder}/weighbridge.db"\nblobs = "{folder}/blobs"\n'
    return config.parse(store, {}, folder=folder)
