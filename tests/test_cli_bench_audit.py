"""The audit bench: what it measures is really kept and verified, and one that does not hold has no figure.

Rules of this file: no figure is compared with another. The others are not installed for the tests; a stand-in
process of our own answers as they would.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rival import stand_in

from bridge.cli.bench import appends, audit, bench
from bridge.cli.bench.audit import OURS, RAW, TREES, Plan
from bridge.cli.bench.traffic import BenchFailed

FEW = ["audit", "--messages", "20", "--producers", "2", "--rounds", "1", "--entries", "400"]


@pytest.fixture
def rival(tmp_path: Path) -> Callable[[str], Path]:
    """Makes an environment whose interpreter answers with these lines whatever it is asked."""

    return functools.partial(stand_in, tmp_path)


def test_a_small_run_keeps_and_verifies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our store with its index and the bare database take turns; entries are verified; nothing is left."""
    monkeypatch.setattr(audit, "strace", lambda: "")
    arguments = [*FEW, "--rivals", str(tmp_path / "none"), "--folder", str(tmp_path), "--json"]
    result = CliRunner().invoke(bench, arguments, catch_exceptions=False)
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    appended = {row["system"]: row for row in rows if row["kind"] == "appended"}
    assert set(appended) == {OURS, "later", RAW}
    assert all(row["messages"] == 20 and row["per_second"] > 0 for row in appended.values())
    assert appended["later"]["behind"] == 22  # twenty messages, and what a new ledger begins with
    verified = {row["system"] for row in rows if row["kind"] == "verified"}
    assert verified == set(audit.WORKS)
    (proven,) = [row for row in rows if row["kind"] == "proven"]
    assert proven["entries"] >= 400
    assert "make rivals" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_was_changed_has_no_figure(tmp_path: Path) -> None:
    """The bench verifies for good: one finding ends it."""
    with pytest.raises(BenchFailed, match="does not verify: ledger"):
        audit._clean(["ledger: lane 0 seq 4"])


def test_another_root_ends_the_bench(tmp_path: Path, rival: Callable[[str], Path]) -> None:
    """Whoever verifies the same entries has to come to the same root, or somebody is wrong."""
    folder = rival("print(json.dumps({'system': 'pymerkle', 'root': '00', 'cpu_s': 1.0}))")
    with pytest.raises(BenchFailed, match="pymerkle comes to another root"):
        audit._verification(Plan(entries=40, rounds=1, rivals=folder), tmp_path, lambda row: None)


def test_rivals_that_fail_end_the_bench(rival: Callable[[str], Path]) -> None:
    """The last words of the others' process are repeated."""
    folder = rival("sys.exit('no such tree')")
    with pytest.raises(BenchFailed, match="no such tree"):
        list(audit.rival(folder, {"work": "verify"}))


async def test_every_producer_waits_for_its_own_thing() -> None:
    """Each thing is appended once, and as many at a time as there are producers."""
    import asyncio

    under_way, most, seen = 0, 0, []

    async def append(number: int) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        seen.append(number)
        under_way -= 1

    row = await appends.produce(append, 50, 4)
    assert sorted(seen) == list(range(50))
    assert most == 4
    assert row["messages"] == 50 and row["p50_ms"] <= row["p99_ms"]


async def test_the_bare_database_has_every_row(tmp_path: Path) -> None:
    """What is compared with us is durable, too, and commits as many rows at once as we do."""
    import sqlite3

    await appends.raw(tmp_path, 8, [b"x" * 100] * 200)
    with sqlite3.connect(tmp_path / appends.STORE) as db:
        assert db.execute("SELECT count(*), min(length(data)) FROM rows").fetchone() == (200, 100)


async def test_messages_are_archived_and_searchable_when_they_are_counted(tmp_path: Path) -> None:
    """A run of ours ends with every message in the ledger and in the index."""
    url = f"sqlite:///{tmp_path}/{appends.STORE}"
    row = await appends.store(url, tmp_path, 4, appends.said(30), beside=True)
    assert row["bytes"] > 500
    again = appends.STORE
    assert (tmp_path / again).exists() and list((tmp_path / "search").glob("*.db"))


def test_flushes_are_counted_between_two_moments(tmp_path: Path) -> None:
    """Only calls that began while messages came count, each once, however strace tells of it."""
    log = tmp_path / "strace.txt"
    log.write_text(
        "7 1.0 fsync(3) = 0\n7 2.0 fdatasync(4 <unfinished ...>\n8 2.1 <... fdatasync resumed>) = 0\n"
        "8 2.5 fsync(4) = 0\n7 9.0 fsync(3) = 0\n"
    )
    assert audit._between(log, 1.5, 3.0) == 2


def rates(kind: str, system: str, *values: float, producers: int = 0) -> list[dict[str, Any]]:
    """Rows of some rounds."""
    more = {"producers": producers} if producers else {}
    return [{"kind": kind, "system": system, "per_second": value, **more} for value in values]


def test_the_summary_compares_medians() -> None:
    """One lucky round changes nothing; ours is told as a part of each other's."""
    rows = [
        *rates("appended", OURS, 40, 50, 900, producers=16),
        *rates("appended", RAW, 100, 80, 120, producers=16),
        *rates("verified", TREES, 30),
        *rates("verified", "pymerkle", 10),
    ]
    answer = audit.summary(rows)
    assert answer["appends"][1] == {"system": RAW, "per_second": 100, "ours": 0.5, "producers": 16}
    assert answer["checks"][1] == {"system": "pymerkle", "per_second": 10, "ours": 3.0}
