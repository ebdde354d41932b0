"""The certificate's bench: how long a day of so many messages takes to reconcile, and in how much memory.

    python -m bridge.cli.bench.certify ARCHIVE SHARE     the process that is measured: one JSON line

Rules of this file: the archive is that of the search bench, made through the store's own doors. Both networks
are stood in for by the archive itself: they show every message that came from them, page by page, as a
recount would; so nothing may be missing, and a fault ends the bench. A tenth of the days is certified first:
memory that is flat is the same for both.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.cli.bench.traffic import BenchFailed

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bridge.message import Sighting
    from bridge.store.reconciling import Span

Row = dict[str, Any]
Report = Callable[[Row], None]
STORE = "store.db"
WINDOW = 500


@dataclass(frozen=True, slots=True)
class Plan:
    """How many messages; `archive` is a folder in which the archive stays and is used again, None: it is made
    and taken away. `folder` is where temporary files go."""

    messages: int = 100_000
    archive: Path | None = None
    folder: Path = Path("/var/tmp")


def run(plan: Plan, report: Report) -> None:
    """Measure a tenth and the whole, row by row. Raises BenchFailed when anything is found."""
    from bridge.cli.bench import corpus

    with tempfile.TemporaryDirectory(prefix="weighbridge-bench-", dir=plan.folder) as made:
        archive = plan.archive or Path(made, "archive")
        if not (archive / STORE).exists():
            archive.mkdir(parents=True, exist_ok=True)
            url = f"sqlite:///{archive / STORE}"
            corpus.fill(url, archive / "blobs", plan.messages)
        for share in (10, 1):
            report(_measured(archive, share))


def _measured(archive: Path, share: int) -> Row:
    """What the process of its own says of the first of `share` equal parts."""
    command = [sys.executable, "-m", "bridge.cli.bench.certify", str(archive), str(share)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    row: Row = json.loads(answer.stdout)
    if row["faults"]:
        raise BenchFailed(f"{row['faults']} faults in a clean archive")
    return row


# --- the process that is measured -----------------------------------------------------------------------


def main() -> None:
    """Certify a part of an archive, and say what it took."""
    from bridge.store.database import open_engine

    folder, share = Path(sys.argv[1]), int(sys.argv[2])
    engine = open_engine(f"sqlite:///{folder / STORE}")
    began, busy = time.perf_counter(), time.process_time()
    with engine.connect() as db, db.begin():
        count, faults = _certified(db, folder, share)
    seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    row = {"kind": "certified", "messages": count, "faults": faults, "seconds": round(seconds, 2)}
    row |= {"per_second": round(count / seconds), "cpu_seconds": round(cpu, 2), "peak_mb": round(peak, 1)}
    print(json.dumps(row))


def _certified(db: Connection, folder: Path, share: int) -> tuple[int, int]:
    """How many messages were reconciled, and how many faults were found."""
    from bridge.message import SYMPHONY, WEIXIN
    from bridge.store import reconciling

    chosen = _part(db, share)
    faults = list(reconciling.reconcile(db, chosen, folder / "blobs").faults)
    for network in (SYMPHONY, WEIXIN):
        asked = reconciling.recount(chosen, network, WINDOW)
        for window in _shown(db, chosen, network):
            known, permits = reconciling.look_up(db, network, window)
            faults += asked.compare(window, known, permits)
        faults += [*asked.rest(), *reconciling.surplus(db, chosen, asked, ())]
    return chosen.messages[1] - chosen.messages[0], len(faults)


def _part(db: Connection, share: int) -> Span:
    from bridge.store import reconciling

    whole = reconciling.span(db, 0, 0, 1 << 61)
    if share == 1:
        return whole
    return reconciling.until_message(db, whole, (whole.messages[1] - 1) // share)


def _shown(db: Connection, chosen: Span, network: str) -> Iterator[list[Sighting]]:
    """What a network shows of a span, a window at a time."""
    from sqlalchemy import and_, select

    from bridge.message import sighting
    from bridge.store import schema as s
    from bridge.store.codec import message_from

    m, c = s.messages.c, s.content.c
    join = s.messages.join(s.content, and_(c.lane == m.lane, c.seq == m.entry))
    first, last = chosen.messages
    for start in range(first, last, WINDOW):
        query = select(c.body).select_from(join).where(m.id >= start, m.id < min(start + WINDOW, last))
        rows = db.execute(query.where(m.network == network, m.notice_for.is_(None)).order_by(m.id))
        yield [sighting(message_from(row.body, b"")) for row in rows]


if __name__ == "__main__":
    main()
