"""The tree is grown again as it was written, whatever the runs are; what does not fit is named."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest
from spoiled import Spoiled

from bridge.ledger.checkpoint import Verifier
from bridge.store.growth import runs
from bridge.store.verify import Finding, verify_tree


def told(spoiled: Spoiled, *statements: str) -> list[Finding]:
    """What the tree alone says after these statements; the store is as before afterwards."""
    found: list[Finding] = []
    spoiled.db.execute("BEGIN")
    try:
        for statement in statements:
            spoiled.db.execute(statement)
        with spoiled.engine.connect() as db:
            verify_tree(db, found.append, keys=spoiled.keys, anchors=spoiled.anchors)
    finally:
        if spoiled.db.in_transaction:
            spoiled.db.execute("ROLLBACK")
    return found


def test_the_tree_alone_gives_the_roots_of_the_whole(spoiled: Spoiled) -> None:
    """Without a key, without content: the same roots, every checkpoint met, progress up to its total."""
    _, whole = spoiled.findings()
    ticks: list[tuple[int, int]] = []
    with spoiled.engine.connect() as db:
        alone = verify_tree(
            db,
            lambda finding: None,
            lambda *tick: ticks.append(tick),
            keys=spoiled.keys,
            anchors=spoiled.anchors,
        )
    assert (alone.findings, alone.roots, alone.entries) == (0, whole.roots, whole.entries)
    assert (alone.checkpoints, alone.anchored) == (whole.checkpoints, whole.anchored)
    assert ticks[-1] == (whole.entries, whole.entries)


@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_runs_of_any_length_grow_the_same_tree(
    spoiled: Spoiled, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Heads and checkpoints are met wherever a run ends."""
    monkeypatch.setattr("bridge.store.reread.CHUNK", size)
    assert told(spoiled) == []


@pytest.mark.parametrize("column", ["entry", "leaf"])
def test_an_entry_that_is_not_its_leaf_is_named(spoiled: Spoiled, column: str) -> None:
    """Bytes, or nothing of the kind."""
    for other in ("x'00'", "'odd'", "7"):
        first = told(spoiled, f"UPDATE ledger SET {column} = {other} WHERE seq = 40")[0]
        assert (first.table, first.key, first.column) == ("ledger", "lane 0 seq 40", "leaf")


@pytest.mark.parametrize("subject", ["'gone'", "x'ff41'", "CAST(x'ff41' AS TEXT)", "subject || '\"'", "7"])
def test_an_entry_under_another_name_is_named(spoiled: Spoiled, subject: str) -> None:
    """What is looked for by a subject must lie under it; the tree itself is as it was."""
    (found,) = told(spoiled, f"UPDATE ledger SET subject = {subject} WHERE seq = 40")
    assert (found.table, found.key, found.column) == ("ledger", "lane 0 seq 40", "subject")


def test_after_a_gap_no_root_is_held_against_the_tree(spoiled: Spoiled) -> None:
    """What is missing is told once, from first to last; heads and checkpoints behind it are not accused."""
    (gap,) = told(spoiled, "DELETE FROM ledger WHERE seq IN (40, 41)")
    assert (gap.table, gap.key) == ("ledger", "lane 0 seq 40")
    assert "entries 40 to 41" in gap.meaning


def test_a_forged_signature_is_named(spoiled: Spoiled) -> None:
    """With another public key no checkpoint is believed."""
    other = [Verifier(key.name, bytes(32)) for key in spoiled.keys]
    found: list[Finding] = []
    with spoiled.engine.connect() as db:
        verify_tree(db, found.append, keys=other, anchors=spoiled.anchors)
    assert {one.table for one in found} == {"checkpoints"}


def test_a_copy_without_keys_is_enough(spoiled: Spoiled, tmp_path: Path) -> None:
    """Neither the master key nor the blobs are asked for."""
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        spoiled.db.backup(copy)
        tables = ("content", "data_keys", "store_keys", "file_keys")
        for table in tables:
            copy.execute(f"DELETE FROM {table}")
    assert told(spoiled, *(f"DELETE FROM {table}" for table in tables)) == []


@pytest.mark.parametrize(
    ("ids", "parts"),
    [([0, 1, 2], [[0, 1, 2]]), ([1, 3, 4, 9], [[1], [3, 4], [9]]), ([5], [[5]])],
)
def test_rows_are_parted_at_gaps(ids: list[int], parts: list[list[int]]) -> None:
    """Each run is without a gap, and together they are all."""
    rows = [SimpleNamespace(id=number) for number in ids]
    assert [[row.id for row in run] for run in runs(rows)] == parts  # type: ignore[arg-type]
