"""The audit bench: how fast messages are kept, and how fast it is proven that they were, side by side.

Rules of this file: every system gets rows of the same size, and every run of appends a process and a folder
of its own; they take turns (A B A B). The same entries are verified by everybody, and all have to come to
the same root. A row is a mapping of plain values and is told as soon as it is known; `summary` is made of
rows alone.

    appended   messages or rows that are durable when their producer is told so, by producers
    fsyncs     how often the disk was asked to flush meanwhile, as the kernel or the server counts
    verified   entries read again and found in order
    proven     one inclusion proof, the first and any later one
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bridge.cli.bench import appends, corpus
from bridge.cli.bench.postgres import Server, server
from bridge.cli.bench.traffic import BenchFailed

if TYPE_CHECKING:
    from sqlalchemy import Connection

Row = Mapping[str, Any]
Report = Callable[[Row], None]

OURS, RAW, TREES = "weighbridge", "raw", "weighbridge, trees"
ON_SQLITE = (OURS, RAW, "later")
ON_POSTGRESQL = (f"{OURS} on PostgreSQL", "inserts")
SYSTEMS: Mapping[str, str] = {
    OURS: "sealed, ledger, tree, search index beside",
    "later": "the same, search index afterwards",
    RAW: "SQLite, equal bytes, nothing else",
    ON_POSTGRESQL[0]: "sealed, ledger, tree, search index beside",
    "inserts": "plain PostgreSQL, equal bytes, a row to a transaction: no log, no seal, no index",
    "pymerkle append_entry": "tree in SQLite: nothing sealed, no index",
    "pymerkle append_entries, 64": "the same, 64 entries to a transaction",
}
"""What each system does, and does not."""

RIVALS = Path(__file__).with_name("rival_stores.py")
PER_MESSAGE = 4
"""Entries that the bench's archive has of a message: archived, judged, permitted, sent."""
PROOFS = 1_000
FEW = 20
"""Proofs asked of whoever needs tens of milliseconds for one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: messages to a run of appends (one producer: a fifth), entries to verify."""

    messages: int = 5_000
    producers: tuple[int, ...] = (1, 16, 64)
    rounds: int = 3
    entries: int = 200_000
    rivals: Path = Path(".cache/rivals")
    folder: Path = Path("/var/tmp")

    def count(self, producers: int) -> int:
        """Messages for so many producers."""
        return self.messages if producers > 1 else max(1, self.messages // 5)


def run(plan: Plan, report: Report) -> None:
    """Measure everything, row by row. Raises BenchFailed when somebody's record does not hold."""
    rows: list[Row] = []

    def tell(row: Row) -> None:
        rows.append(row)
        report({key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()})

    with tempfile.TemporaryDirectory(prefix="weighbridge-bench-", dir=plan.folder) as folder:
        with server(plan.rivals, Path(folder)) as postgres:
            _appends(_Appending(plan, Path(folder), postgres), tell)
        _verification(plan, Path(folder), tell)
    tell(summary(rows))


# --- appends --------------------------------------------------------------------------------------------


def _appends(work: _Appending, tell: Report) -> None:
    # The first run also tells the size of a message, which everybody's rows then have.
    work.bytes = work.run(OURS, 16, min(500, work.plan.messages))["bytes"]
    for producers, number in product(work.plan.producers, range(1, work.plan.rounds + 1)):
        for system in work.systems:
            tell(_appended(number, work.run(system, producers, work.plan.count(producers))))
        for other in work.pymerkle() if producers == 1 else ():
            tell(_appended(number, other))
    for producers in work.plan.producers:
        for row in work.flushes(producers):
            tell(row)


def _appended(number: int, row: Row) -> Row:
    return {"kind": "appended", "round": number, "does": SYSTEMS[row["system"]], **row}


class _Appending:
    """Runs of appends: each in a process of its own, with a new store."""

    def __init__(self, plan: Plan, folder: Path, postgres: Server | None) -> None:
        self.plan, self.folder, self.postgres = plan, folder, postgres
        self.systems = ON_SQLITE + (ON_POSTGRESQL if postgres else ())
        self.bytes = 0
        self._number = 0

    def run(self, system: str, producers: int, count: int, traced: Sequence[str] = ()) -> dict[str, Any]:
        """One run; `traced` is what the process is started under."""
        self._number += 1
        home = self.folder / f"run{self._number}"
        home.mkdir()
        kind = system.partition(" ")[0]
        command = [*traced, sys.executable, "-m", appends.__name__, kind, str(home), str(producers)]
        command += [str(count), str(self.bytes)]
        row = self._on_server(command) if system in ON_POSTGRESQL else _child(command)
        shutil.rmtree(home)
        return {"system": system, **row}

    def _on_server(self, command: list[str]) -> dict[str, Any]:
        """The same with a database of its own; the server's processor time counts as well."""
        postgres = self.postgres
        assert postgres is not None
        url, busy, flushed = postgres.url(f"run{self._number}"), postgres.cpu_seconds(), _flushed(postgres)
        row = _child([*command, url])
        row["cpu_us"] += (postgres.cpu_seconds() - busy) / row["messages"] * 1e6
        row["fsyncs"] = _flushed(postgres) - flushed
        return row

    def pymerkle(self) -> Iterator[dict[str, Any]]:
        """Its tree in SQLite, with the same number of entries of the same size."""
        with tempfile.TemporaryDirectory(dir=self.folder) as home:
            work = {"work": "appends", "messages": self.plan.count(1), "bytes": self.bytes, "folder": home}
            yield from rival(self.plan.rivals, work)

    def flushes(self, producers: int) -> Iterator[Row]:
        """How often the disk was asked to flush, for each message; nothing where nobody can count."""
        count = max(1, self.plan.count(producers) // 5)
        for system in self.systems:
            if system in ON_POSTGRESQL:
                flushed = self.run(system, producers, count)["fsyncs"]
            elif strace():
                log = self.folder / "strace.txt"
                row = self.run(system, producers, count, _traced(log))
                flushed = _between(log, row["since"], row["until"])
            else:
                continue
            yield {"kind": "fsyncs", "system": system, "producers": producers, "messages": count,
                   "fsyncs": flushed, "per_message": flushed / count}  # fmt: skip


def _child(command: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchFailed(f"the measured process failed: {done.stderr.strip().splitlines()[-1:]}")
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def strace() -> str:
    """The program that counts what a process asks of the kernel; "" where there is none."""
    return shutil.which("strace") or ""


def _traced(log: Path) -> list[str]:
    return ["strace", "-f", "-qq", "-ttt", "-e", "trace=fsync,fdatasync", "-e", "signal=none", "-o", str(log)]


def _between(log: Path, since: float, until: float) -> int:
    """Flushes that began within this time, by strace's log: process, time, call."""
    calls = [line.split(maxsplit=2) for line in log.read_text(encoding="utf-8").splitlines()]
    begun = [float(at) for _, at, call in calls if call.startswith(("fsync(", "fdatasync("))]
    return sum(since <= at <= until for at in begun)


def _flushed(postgres: Server) -> int:
    """Flushes of the server's log so far."""
    with postgres.connect("postgres") as db:
        (count,) = db.execute("SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'").fetchone()
    return int(count or 0)


def rival(folder: Path, work: Row) -> Iterator[dict[str, Any]]:
    """What the script of the rivals says to this work; nothing without their environment in `folder`."""
    python = folder / "bin/python"
    if not python.exists():
        return
    done = subprocess.run(
        [str(python), str(RIVALS)], input=json.dumps(work), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BenchFailed(f"the others failed: {done.stderr.strip().splitlines()[-1:]}")
    yield from map(json.loads, done.stdout.splitlines())


# --- verification ---------------------------------------------------------------------------------------


def _verification(plan: Plan, folder: Path, tell: Report) -> None:
    from bridge.store.engines import open_engine

    path = folder / "archive" / appends.STORE
    path.parent.mkdir()
    corpus.fill(f"sqlite:///{path}", path.parent / "blobs", plan.entries // PER_MESSAGE)
    engine = open_engine(f"sqlite:///{path}")
    with engine.connect() as db, db.begin():
        size, root = _size_and_root(db)
        for number in range(1, plan.rounds + 1):
            for system, work in WORKS.items():
                seconds, cpu = _timed(work, db, path.parent / "blobs")
                row = {"kind": "verified", "round": number, "system": system, "entries": size}
                tell({**row, "seconds": seconds, "cpu_s": cpu, "per_second": size / cpu})
        tell({"kind": "proven", "system": OURS, "entries": size, **_proofs(db, size, root)})
    engine.dispose()
    for row in _others(plan, path, size):
        if row.get("root", root.hex()) != root.hex():
            raise BenchFailed(f"{row['system']} comes to another root: {row['root']}")
        kind = "proven" if "proofs" in row else "verified"
        rate = {} if kind == "proven" else {"per_second": size / row["cpu_s"], "round": 1}
        tell({"kind": kind, "entries": size, **row, **rate})


def _timed(work: Callable[[Connection, Path], None], db: Connection, blobs: Path) -> tuple[float, float]:
    began, busy = time.perf_counter(), time.process_time()
    work(db, blobs)
    return time.perf_counter() - began, time.process_time() - busy


def _size_and_root(db: Connection) -> tuple[int, bytes]:
    row = db.exec_driver_sql("SELECT size, root FROM heads WHERE lane = 0 ORDER BY size DESC").first()
    assert row is not None
    return row[0], row[1]


_ENTRIES = "SELECT entry FROM ledger WHERE lane = 0 ORDER BY seq"
_CONTENT = "SELECT body, raw FROM content ORDER BY lane, seq"


def _hash_entries(db: Connection, blobs: Path) -> None:
    for (entry,) in db.exec_driver_sql(_ENTRIES):
        sha256(entry).digest()


def _hash_everything(db: Connection, blobs: Path) -> None:
    _hash_entries(db, blobs)
    for body, raw in db.exec_driver_sql(_CONTENT):
        sha256(body).digest()
        sha256(raw or b"").digest()


def _verify_tree(db: Connection, blobs: Path) -> None:
    from bridge.store.verify import verify_tree

    found: list[object] = []
    verify_tree(db, found.append)
    _clean(found)


def _verify_everything(db: Connection, blobs: Path) -> None:
    from bridge.store.verify import verify

    found: list[object] = []
    verify(db, blobs, found.append)
    _clean(found)


def _clean(found: Sequence[object]) -> None:
    if found:
        raise BenchFailed(f"the bench's own archive does not verify: {found[0]}")


WORKS: Mapping[str, Callable[[Connection, Path], None]] = {
    TREES: _verify_tree,
    "SHA-256 of the entries": _hash_entries,
    "weighbridge, everything": _verify_everything,
    "SHA-256 of entries and content": _hash_everything,
}
"""Ways to look at everything again; the plain hashes compare nothing with anything."""


def _proofs(db: Connection, size: int, root: bytes) -> dict[str, Any]:
    """Proofs for places by chance, each verified. The first one knows nothing of the tree yet."""
    from bridge.ledger.proofs import includes, prove_inclusion
    from bridge.store.proving import Subtrees, entry_at

    subtrees, waits = Subtrees(db, 0), []
    for place in _places(size):
        began = time.perf_counter()
        path = prove_inclusion(place, size, subtrees)
        waits.append(time.perf_counter() - began)
        placed = entry_at(db, 0, place)
        if placed is None or not includes(root, size, place, placed[3], path):
            raise BenchFailed(f"the proof for entry {place} does not hold")
    return {"first_ms": waits[0] * 1e3, "p50_ms": median(waits) * 1e3, "proofs": len(waits)}


def _places(size: int) -> list[int]:
    chance = random.Random(1)
    return [chance.randrange(size) for _ in range(min(size, PROOFS))]


def _others(plan: Plan, path: Path, size: int) -> Iterator[dict[str, Any]]:
    work = {"work": "verify", "ledger": str(path), "places": _places(size), "few": FEW}
    yield from rival(plan.rivals, {**work, "folder": str(path.parent)})


# --- what follows ---------------------------------------------------------------------------------------


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Medians of the rounds, and ours as a part of each other's."""
    rates: dict[tuple[str, int], list[float]] = {}
    for row in rows:
        if row["kind"] == "appended":
            rates.setdefault((row["system"], row["producers"]), []).append(row["per_second"])
        elif row["kind"] == "verified":
            rates.setdefault((row["system"], 0), []).append(row["per_second"])
    medians = {key: median(values) for key, values in rates.items()}
    compared: dict[str, list[dict[str, Any]]] = {"appends": [], "checks": []}
    for (system, producers), rate in medians.items():
        ours = medians[(OURS, producers) if producers else (TREES, 0)]
        row = {"system": system, "per_second": round(rate, 1), "ours": round(ours / rate, 3)}
        compared["appends" if producers else "checks"].append(
            row | ({"producers": producers} if producers else {})
        )
    return {"kind": "audit summary", **compared}
