"""Proofs from the database are those of its leaves, however large the tree is."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from story import copy_of_the_story

from bridge.errors import Damaged, StoreError
from bridge.keepers import KeyInMemory
from bridge.ledger.proofs import consistent, includes, prove_consistency, prove_inclusion
from bridge.ledger.tree import leaf_hash, root_of
from bridge.store import backtest, policies, proposals, rotation, samples, sizes
from bridge.store.database import open_engine
from bridge.store.proving import Subtrees, entries_about, entry_at
from bridge.store.whole import whole

SIZE = 1000
LEAVES = [leaf_hash(number.to_bytes(4, "big")) for number in range(SIZE)]


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """The story; a lane 9 with a thousand leaves and their nodes, a lane 8 with the leaves alone."""
    folder = tmp_path_factory.mktemp("proving")
    path = copy_of_the_story(folder)
    with contextlib.closing(sqlite3.connect(path)) as raw, raw:
        rows = [(lane, seq, "", b"", leaf) for lane in (8, 9) for seq, leaf in enumerate(LEAVES)]
        raw.executemany("INSERT INTO ledger (lane, seq, subject, entry, leaf) VALUES (?, ?, ?, ?, ?)", rows)
        raw.executemany("INSERT INTO nodes VALUES (9, ?, ?, ?)", nodes_of(LEAVES))
    engine = open_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def nodes_of(leaves: list[bytes]) -> list[tuple[int, int, bytes]]:
    """Level, number and root of the complete subtrees at every fourth level."""
    return [
        (level, n, root_of(leaves[n << level : (n + 1) << level]))
        for level in (4, 8)
        for n in range(len(leaves) >> level)
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(1, SIZE), lane=st.sampled_from([8, 9]), data=st.data())
def test_proofs_from_the_database_hold(db: Connection, size: int, lane: int, data: st.DataObject) -> None:
    """Inclusion and consistency at any size, whether nodes are kept or have to be made from the leaves."""
    subtree, index = Subtrees(db, lane), data.draw(st.integers(0, size - 1))
    root, old = root_of(LEAVES[:size]), index + 1
    assert subtree(0, size) == root
    assert includes(root, size, index, LEAVES[index], prove_inclusion(index, size, subtree))
    path = prove_consistency(old, size, subtree)
    assert consistent(old, root_of(LEAVES[:old]), size, root, path)


def test_a_proof_reads_a_few_rows(db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one as well: a family of sixteen for each step, and none of them twice."""
    read: list[int] = []
    once = Subtrees._read

    def counted(self: Subtrees, level: int, first: int) -> Mapping[int, bytes]:
        found = once(self, level, first)
        read.append(len(found))
        return found

    monkeypatch.setattr(Subtrees, "_read", counted)
    subtree = Subtrees(db, 9)
    prove_inclusion(3, 512, subtree)
    assert sum(read) <= 3 * 16
    read.clear()
    prove_inclusion(5, 512, subtree)
    assert read == []


def test_a_leaf_that_is_gone_is_said(db: Connection) -> None:
    """Nothing is made up."""
    with pytest.raises(StoreError, match=r"entry 1\d* of lane 9 is gone"):
        Subtrees(db, 9)(0, 1 << 10)


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


READERS: dict[str, Callable[[Connection], Any]] = {
    "back-tests": lambda db: backtest.reports(db, 9),
    "a policy's place": lambda db: policies.sources_of(db, ["0" * 64]),
    "changes": proposals.history,
    "keys": rotation.history,
    "a canary": lambda db: rotation.canary(db, KeyInMemory("other", bytes(32))),
    "samples": lambda db: samples._root_at(db, 0, 1 << 50),
    "sizes": sizes.sizes,
    "a whole record": lambda db: whole(db, 1, 1, 1 << 40),
}


@pytest.fixture(scope="module")
def altered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """The story, with every entry cut short, and some of each reader's subjects among them."""
    path = copy_of_the_story(tmp_path_factory.mktemp("altered"))
    with contextlib.closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE ledger SET entry = substr(entry, 2)")
        for subject in ("keys", "backtest/1"):
            raw.execute(
                "UPDATE ledger SET subject = ? WHERE seq IN (SELECT l.seq FROM ledger l JOIN content c "
                "ON c.lane = l.lane AND c.seq = l.seq WHERE l.subject LIKE 'message/%' LIMIT 1)",
                (subject,),
            )
    engine = open_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.mark.parametrize("name", READERS)
def test_an_altered_entry_is_named_by_whoever_reads_it(altered: Connection, name: str) -> None:
    """Not a traceback, but which entry of which lane, and what to run."""
    with pytest.raises(Damaged, match=r"entry \d+ of lane 0 is not what was recorded: run `weighbridge"):
        READERS[name](altered)
