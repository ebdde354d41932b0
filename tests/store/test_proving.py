"""Proofs from the database are those of its leaves, however large the tree is."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from story import copy_of_the_story

from bridge.ledger.proofs import consistent, includes, prove_consistency, prove_inclusion
from bridge.ledger.tree import leaf_hash, root_of
from bridge.store.database import open_engine
from bridge.store.proving import Subtrees, entries_about, entry_at

SIZE = 1000
LEAVES = [leaf_hash(number.to_bytes(4, "big")) for number in range(SIZE)]


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """The story, and a lane 9 with a thousand leaves."""
    folder = tmp_path_factory.mktemp("proving")
    path = copy_of_the_story(folder)
    with contextlib.closing(sqlite3.connect(path)) as raw, raw:
        rows = [(9, seq, "", b"", leaf) for seq, leaf in enumerate(LEAVES)]
        raw.executemany("INSERT INTO ledger (lane, seq, subject, entry, leaf) VALUES (?, ?, ?, ?, ?)", rows)
    engine = open_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(1, SIZE), data=st.data())
def test_proofs_from_the_database_hold(db: Connection, size: int, data: st.DataObject) -> None:
    """Inclusion and consistency at any size: below, at and across the blocks that are read together."""
    subtree, index = Subtrees(db, 9), data.draw(st.integers(0, size - 1))
    root, old = root_of(LEAVES[:size]), index + 1
    assert subtree(0, size) == root
    assert includes(root, size, index, LEAVES[index], prove_inclusion(index, size, subtree))
    path = prove_consistency(old, size, subtree)
    assert consistent(old, root_of(LEAVES[:old]), size, root, path)


def test_a_subtree_is_hashed_once(db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proof beside an earlier one reads its own block and the ragged end, whatever the size of the tree."""
    read: list[int] = []
    subtree = Subtrees(db, 9)
    once = subtree._read
    monkeypatch.setattr(
        subtree, "_read", lambda first, last: (read.append(last - first), once(first, last))[1]
    )
    prove_inclusion(3, SIZE, subtree)
    assert sum(read) == SIZE - 1
    prove_inclusion(700, SIZE, subtree)
    read.clear()
    prove_inclusion(701, SIZE, subtree)
    assert sum(read) <= 2 * 256


def test_entries_about_a_message_are_its_whole_life(db: Connection) -> None:
    """What testifies to the message and to its deliveries, in the order of the ledger."""
    found = entries_about(db, 1)
    kinds = ["message:archived", "message:judged", "delivery:permitted", "delivery:sent"]
    assert [kind for kind in kinds for one in found if f'"{kind}"'.encode() in one[2]] == kinds
    assert [one[1] for one in found] == sorted(one[1] for one in found)
    assert entries_about(db, 9999) == []


def test_an_entry_is_found_by_its_place(db: Connection) -> None:
    """Lane and number; None where there is nothing."""
    found = entry_at(db, 0, 40)
    assert found is not None
    assert found[:2] == (0, 40)
    assert leaf_hash(found[2]) == found[3]
    assert entry_at(db, 0, 99_999) is None
