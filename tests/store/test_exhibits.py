"""The store's half of evidence: whole lives with proofs that hold, what they rest on, and the record of
it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from evidence_rig import POLICY, case_store, key_of, signer_of
from rig import Clock
from sqlalchemy import Connection
from story import CHAT, CONTACT

from bridge.errors import Conflict, Missing, StoreError
from bridge.evidence.exhibits import Making
from bridge.ledger.checkpoint import read
from bridge.ledger.entry import decode
from bridge.ledger.proofs import consistent, includes
from bridge.ledger.tree import leaf_hash
from bridge.store import exhibits
from bridge.store.database import Database, open_engine
from bridge.store.signing import verifiers


def quiet(*_: int) -> None:
    """Nobody watches."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the case's store."""
    case_store(tmp_path)
    return tmp_path


@pytest.fixture
def db(folder: Path) -> Iterator[Connection]:
    """A connection to it."""
    engine = open_engine(f"sqlite:///{folder / 'weighbridge.db'}")
    with engine.connect() as connection, connection.begin():
        yield connection
    engine.dispose()


def test_every_proof_holds(db: Connection, folder: Path) -> None:
    """Inclusion of each entry in the newest checkpoint, and that it goes on from each earlier one."""
    seen: list[int] = []
    case = exhibits.gather(db, [1, 8], verifiers([key_of(folder)]), lambda done, _: seen.append(done))
    (lane,) = case.lanes
    root = read(lane.note).root
    for (_, seq), one in case.exhibits.items():
        assert includes(root, lane.size, seq, leaf_hash(one.data), one.path)
    assert len(lane.earlier) == 2
    for size, note, path in lane.earlier:
        assert consistent(size, read(note).root, lane.size, root, path)
    assert seen == list(range(1, len(case.exhibits) + 1))


def test_a_life_is_with_all_that_belongs_to_it(db: Connection) -> None:
    """Edits and notices, each with the message on whose account it is there; one asked for twice is there
    once."""
    found = {life.number: (life.root, life.why, life.pair) for life in exhibits.lives(db, [1, 8])}
    notice, edit = (1, exhibits.NOTICE, 1), (1, exhibits.EDIT, 1)
    assert found == {1: (1, "asked for", 1), 2: notice, 3: notice, 5: edit, 8: (8, "asked for", 1)}
    both = {life.number: (life.root, life.why) for life in exhibits.lives(db, [5, 1, 5])}
    assert both[5] == (1, "asked for")


def test_what_decided_is_there(db: Connection, folder: Path) -> None:
    """The pair, the policy as it was stored, and the act that brought it into force."""
    case = exhibits.gather(db, [1], verifiers([key_of(folder)]), quiet)
    entries = [case.exhibits[place].entry for place in case.context]
    assert {entry.kind for entry in entries} == {"pair:made", "policy:stored", "policy:activated"}
    assert next(one for one in entries if one.kind == "policy:stored").facts["sha256"] == POLICY[0][1]
    assert next(one for one in entries if one.kind == "pair:made").facts["pair"] == 1


def test_a_contact_is_known_by_name_and_by_id(db: Connection) -> None:
    """As it is called, as the network calls it, with or without the account."""
    assert (
        exhibits.pairs_of(db, "李雷") == exhibits.pairs_of(db, CHAT) == exhibits.pairs_of(db, CONTACT) == {1}
    )
    assert exhibits.pairs_of(db, "韩梅梅") == {2}
    assert exhibits.pairs_of(db, "") == frozenset()


def test_what_is_not_there_is_refused(db: Connection, folder: Path) -> None:
    """No such message; a key that did not sign."""
    with pytest.raises(Missing, match="no message 99"):
        exhibits.gather(db, [99], verifiers([key_of(folder)]), quiet)
    with pytest.raises(Conflict, match="not signed by a key"):
        exhibits.gather(db, [1], [], quiet)


@pytest.mark.parametrize(
    "change",
    ["UPDATE ledger SET leaf = zeroblob(32) WHERE seq = 20", "DELETE FROM ledger WHERE seq = 20"],
)
def test_a_store_that_was_changed_proves_nothing(folder: Path, change: str) -> None:
    """Nothing leaves that does not hold."""
    with sqlite3.connect(folder / "weighbridge.db") as raw:
        raw.execute(change)
    engine = open_engine(f"sqlite:///{folder / 'weighbridge.db'}")
    with engine.connect() as db, db.begin(), pytest.raises(StoreError, match="audit verify"):
        exhibits.gather(db, [1, 4], verifiers([key_of(folder)]), quiet)
    engine.dispose()


def test_a_message_whose_key_was_destroyed_is_proven_without_its_words(folder: Path) -> None:
    """Disposal leaves the entries: they hold, and their content is said to be gone."""
    with sqlite3.connect(folder / "weighbridge.db") as raw:
        places = "SELECT m.entry, v.entry FROM messages m JOIN verdicts v ON v.message = m.id WHERE m.id = 8"
        written, judged = raw.execute(places).fetchone()
        raw.execute("DELETE FROM data_keys WHERE seq = ?", (written,))
    engine = open_engine(f"sqlite:///{folder / 'weighbridge.db'}")
    with engine.connect() as db, db.begin():
        case = exhibits.gather(db, [8], verifiers([key_of(folder)]), quiet)
    engine.dispose()
    assert case.exhibits[0, written].body is None
    assert case.exhibits[0, judged].body is not None


def test_checkpoints_are_thinned_with_the_ends_and_the_stamped_ones_kept() -> None:
    """Few are all kept; of many the first, the last in doubling steps, and those that somebody stamped."""
    assert exhibits.thinned([3, 5]) == [3, 5]
    kept = exhibits.thinned(range(1, 500_001), stamped=[77, 400_000])
    assert len(kept) <= exhibits.EARLIER
    assert {1, 77, 400_000, 499_999, 500_000} <= set(kept)
    assert kept == sorted(kept)


async def test_what_no_checkpoint_covers_is_signed_first(folder: Path) -> None:
    """Something newer than the newest checkpoint: the tree is signed, once, and then it can be proven."""
    store = Database(f"sqlite:///{folder / 'weighbridge.db'}", folder / "blobs", Clock(1_790_000_900_000))
    signer = signer_of(folder)
    with sqlite3.connect(folder / "weighbridge.db") as raw:
        raw.execute("DELETE FROM checkpoints WHERE size = (SELECT max(size) FROM checkpoints)")
    keys = [signer.verifier(0)]
    with pytest.raises(Conflict, match="no checkpoint covers"):
        await store.read(lambda db: exhibits.gather(db, [8], keys, quiet))
    for _ in range(2):
        await store.write(lambda tx: exhibits.sign_uncovered(tx, signer, [8]))
    case = await store.read(lambda db: exhibits.gather(db, [8], keys, quiet))
    assert case.lanes[0].size > 35
    store.close()


async def test_the_making_is_in_the_record(folder: Path) -> None:
    """The digest in the entry for all to see; who, why and for what in its content alone."""
    store = Database(f"sqlite:///{folder / 'weighbridge.db'}", folder / "blobs", Clock(1_790_000_900_000))
    making = Making(1, "auditor@bank.example", "the regulator asked", "2026/17", "from:李雷")
    counts = {"messages": 3}
    await store.write(
        lambda tx: exhibits.record_made(tx, 0, making, counts, "ab" * 32, ["text"], [1, 2, 3, 7])
    )
    query = "SELECT entry FROM ledger ORDER BY seq DESC LIMIT 1"
    entry = decode(await store.read(lambda db: db.exec_driver_sql(query).scalar_one()))
    assert (entry.kind, entry.facts) == ("evidence:made", {"messages": 3, "sha256": "ab" * 32})
    content = exhibits.s.content.c
    body = await store.read(
        lambda db: db.execute(exhibits.select(content.body).where(content.seq == entry.seq)).scalar_one()
    )
    said = orjson.loads(body)
    assert (said["person"], said["reason"], said["query"]) == (making.person, making.reason, making.query)
    assert (said["case"], said["black_out"]) == ("2026/17", ["text"])
    store.close()
