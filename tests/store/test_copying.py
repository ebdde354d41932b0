"""An installation moved: every row, both engines, interrupted anywhere; and the old store closed for good."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from postgres import Server
from rig import Clock
from sqlalchemy import text
from story import ENTRIES, copy_of_the_story

from bridge.errors import Conflict, Damaged, StoreError
from bridge.keepers import KeyFile
from bridge.ledger.checkpoint import Verifier
from bridge.ledger.entry import decode
from bridge.store import copying
from bridge.store import database as database_module
from bridge.store.copying import Copied, Order, copy, source_of
from bridge.store.database import Database, create, open_engine
from bridge.store.signing import verifiers
from bridge.store.verify import verify

START = 1_795_000_000_000
EMPTY = {"copies", "holds", "terms", "disposals", "disposal_list", "disposed", "erasures"}
"""Tables that the story has no rows for."""


def address(engine: str, folder: Path, server: Server) -> str:
    """An empty database."""
    return server.fresh() if engine == "postgresql" else f"sqlite:///{folder}/other.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path, postgres: Server) -> str:
    """The address of an empty database, of each engine."""
    return address(request.param, tmp_path, postgres)


@pytest.fixture
def source(tmp_path: Path) -> str:
    """The address of a store with a bit of everything."""
    return f"sqlite:///{copy_of_the_story(tmp_path)}"


def keeper(folder: Path) -> KeyFile:
    """The master key of the story."""
    return KeyFile(folder / "secrets/store-key")


@contextlib.contextmanager
def silence(_: str) -> Iterator[copying.Tell]:
    """Nobody is told how far it is."""
    yield lambda done, total: None


def known(folder: Path) -> list[Verifier]:
    """The keys that sign the story's checkpoints."""
    return verifiers([folder / "secrets/checkpoint-key.pub"])


def move(folder: Path, source: str, target: str, **more: Any) -> Copied:
    """Copy `source` to `target`."""
    blobs = (folder / "blobs", more.pop("blobs", folder / "blobs"))
    reread = partial(verify, keys=known(folder))
    person, reason = "bob.li@bank.example", "to the server"
    order = Order(target, blobs, person, reason, reread, lambda: START, silence, **more)
    with source_of(source, keeper(folder)) as db:
        return copy(db, order)


def rows(folder: Path, url: str, *queries: str) -> list[tuple]:
    """What SQL says of a store."""
    engine = open_engine(url, keeper(folder))
    with engine.connect() as db, db.begin():
        found = [tuple(row) for query in queries for row in db.execute(text(query))]
    engine.dispose()
    return found


def change(folder: Path, url: str, statement: str) -> None:
    """Change a store by SQL."""
    engine = open_engine(url, keeper(folder))
    with engine.execution_options(writes=True).begin() as db:
        db.execute(text(statement))
    engine.dispose()


async def own(folder: Path, url: str) -> None:
    """Begin as a daemon does, and leave."""
    database = Database(url, folder / "blobs", Clock(START), keeper(folder))
    try:
        await database.own("the test")
        await database.leave()
    finally:
        database.close()


OWNERS = "SELECT owner FROM lanes"


def test_everything_goes_there_and_back(tmp_path: Path, source: str, postgres: Server) -> None:
    """To a server and back to a file: each table has the same rows, and the ledger two entries more."""
    server, back = postgres.fresh(), f"sqlite:///{tmp_path}/back.db"
    there = move(tmp_path, source, server)
    again = move(tmp_path, server, back, blobs=tmp_path / "elsewhere")
    assert there.rows["ledger"] == ENTRIES and again.rows["ledger"] == ENTRIES + 1
    grown = {"ledger", "content", "data_keys", "heads", "lanes"}
    same = {name for name in there.rows if there.digests[name] == again.digests[name]}
    assert same == set(there.rows) - grown
    assert all(there.rows[name] for name in set(there.rows) - EMPTY)
    assert again.blobs == 1 and again.findings == []
    engine = open_engine(back, keeper(tmp_path))
    with engine.connect() as db, db.begin():
        blobs = tmp_path / "elsewhere"
        summary = verify(db, blobs, lambda one: pytest.fail(str(one)), keys=known(tmp_path))
    engine.dispose()
    assert summary.entries == ENTRIES + 2 and summary.contents > 100


def test_the_act_is_in_the_ledger_of_the_target(tmp_path: Path, source: str, target: str) -> None:
    """One entry: which engines, how many rows, the roots as they were; who and why is its content."""
    copied = move(tmp_path, source, target)
    (last,) = rows(tmp_path, target, "SELECT entry FROM ledger ORDER BY seq DESC LIMIT 1")
    entry = decode(last[0])
    assert (entry.kind, entry.seq, entry.facts["from"]) == ("store:copied", ENTRIES, "sqlite")
    assert entry.facts["roots"] == copied.roots and entry.facts["rows"] == sum(copied.rows.values())
    assert entry.digest and b"bob.li" not in last[0]
    assert rows(tmp_path, source, "SELECT count(*) FROM ledger") == [(ENTRIES,)]


async def test_nothing_starts_on_the_old_store_any_more(tmp_path: Path, source: str, target: str) -> None:
    """Neither a daemon nor a person's act; both are told where it is now. The new one starts."""
    url = target if "sqlite" in target else f"{target}&password=hush"
    move(tmp_path, source, url)
    with pytest.raises(Conflict, match=r"was moved to (/.*other\.db|PostgreSQL database)") as told:
        await own(tmp_path, source)
    assert "hush" not in str(told.value)
    database = Database(source, tmp_path / "blobs", Clock(START), keeper(tmp_path))
    with pytest.raises(Conflict, match="was moved"):
        await database.end_pair(1, "bob.li@bank.example", "too late")
    database.close()
    await own(tmp_path, target)


async def test_a_copy_for_trials_leaves_the_source_open(tmp_path: Path, source: str, target: str) -> None:
    """With `keep` both can be worked, and the copy's ledger says that it was one."""
    move(tmp_path, source, target, keep=True)
    await own(tmp_path, source)
    await own(tmp_path, target)


async def test_while_a_daemon_works_the_source_nothing_is_copied(tmp_path: Path, source: str) -> None:
    """The lock that a daemon holds is what the copy needs."""
    database = Database(source, tmp_path / "blobs", Clock(START), keeper(tmp_path))
    await database.own("a daemon")
    with pytest.raises(Conflict, match="another daemon works this store"):
        await asyncio.to_thread(move, tmp_path, source, f"sqlite:///{tmp_path}/other.db")
    database.close()
    assert not (tmp_path / "other.db").exists()


class Death(BaseException):
    """The process ends here."""


def dying_at(number: int) -> Callable[..., None]:
    """`fill`, in a process that dies before its nth call."""
    calls = itertools.count(1)

    def fill(*arguments: Any) -> None:
        if next(calls) == number:
            raise Death
        copying_fill(*arguments)

    return fill


copying_fill = copying.fill


async def test_an_interrupted_copy_goes_on_where_it_stopped(tmp_path: Path, source: str, target: str) -> None:
    """Nothing starts on the half of it, the source is as it was, and what was good is not copied again."""
    before = rows(tmp_path, source, OWNERS)
    with mock.patch.object(copying, "MANY", 40):
        with mock.patch.object(copying, "fill", dying_at(12)), pytest.raises(Death):
            move(tmp_path, source, target)
        assert rows(tmp_path, source, OWNERS) == before
        with pytest.raises(Conflict, match="not at its end"):
            await own(tmp_path, target)
        copied = move(tmp_path, source, target)
    assert 100 < copied.resumed < sum(copied.rows.values())
    assert copied.findings == []


async def test_what_changed_between_two_tries_is_copied_anew(
    tmp_path: Path, source: str, target: str
) -> None:
    """A daemon worked the source after the first try: the second has all of it."""
    with mock.patch.object(copying._Copying, "_compare", side_effect=Death), pytest.raises(Death):
        move(tmp_path, source, target)
    await own(tmp_path, source)
    change(tmp_path, source, "UPDATE chats SET sent = sent + 1")
    copied = move(tmp_path, source, target)
    assert copied.rows["ledger"] == ENTRIES + 1 and copied.resumed < sum(copied.rows.values())
    sent = "SELECT network, conversation, sent FROM chats ORDER BY 1, 2"
    assert rows(tmp_path, target, sent) == rows(tmp_path, source, sent)


async def test_a_program_that_knows_nothing_of_closing_refuses_too(
    tmp_path: Path, source: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables of the closed store are of a version that it has not; those of the copy are as they were."""
    move(tmp_path, source, target)
    monkeypatch.setattr(database_module, "CLOSED_SCHEMA", "unheard of")
    with pytest.raises(StoreError, match=r"another version of this program: .*closed-0002"):
        create(source, START, 1, keeper(tmp_path))
    await own(tmp_path, target)


def test_a_finished_copy_only_has_its_source_closed(tmp_path: Path, source: str, target: str) -> None:
    """Whoever died between the two runs it again: nothing is copied twice."""
    with mock.patch.object(copying, "_close", side_effect=Death), pytest.raises(Death):
        move(tmp_path, source, target)
    assert move(tmp_path, source, target).before
    ((owner,),) = rows(tmp_path, source, OWNERS)
    assert "was moved to" in owner
    assert rows(tmp_path, target, "SELECT count(*) FROM ledger") == [(ENTRIES + 1,)]


def test_a_row_that_did_not_arrive_as_it_was_is_found(tmp_path: Path, source: str, target: str) -> None:
    """Reading back compares every column, those that `audit verify` calls operational as well."""
    real = copying._Copying._compare

    def spoiled(self: Any, tell: Any) -> None:
        change(tmp_path, target, "UPDATE cursors SET value = value || '1'")
        real(self, tell)

    before = rows(tmp_path, source, OWNERS)
    with mock.patch.object(copying._Copying, "_compare", spoiled), pytest.raises(StoreError, match="cursors"):
        move(tmp_path, source, target)
    assert rows(tmp_path, source, OWNERS) == before
    assert move(tmp_path, source, target).findings == []


def test_damage_is_moved_as_it_is_and_named(tmp_path: Path, source: str, target: str) -> None:
    """A copy launders nothing: what `audit verify` found in the source, it finds in the target."""
    change(tmp_path, source, "UPDATE verdicts SET outcome = 'deliver' WHERE outcome = 'block'")
    found = move(tmp_path, source, target).findings
    assert found and all("verdicts" in str(one) for one in found)


def test_other_findings_in_the_copy_are_no_copy(tmp_path: Path, source: str, target: str) -> None:
    """What verification finds in the target alone ends the copy, and the source stays open."""
    before = rows(tmp_path, source, OWNERS)
    for path in (tmp_path / "blobs").glob("??/??/*"):
        path.chmod(0o600)
        path.write_bytes(b"other bytes")
    with pytest.raises(Damaged, match="no longer what was archived"):
        move(tmp_path, source, target, blobs=tmp_path / "elsewhere")
    assert rows(tmp_path, source, OWNERS) == before
    assert move(tmp_path, source, target).findings


async def test_only_an_empty_database_will_do(tmp_path: Path, source: str, target: str) -> None:
    """A copy that was worked since is a store of its own: nothing of it is overwritten."""
    move(tmp_path, source, target, keep=True)
    await own(tmp_path, target)
    with pytest.raises(Conflict, match="not empty"):
        move(tmp_path, source, target)
    assert rows(tmp_path, target, "SELECT count(*) FROM ledger") == [(ENTRIES + 2,)]


def test_tables_of_others_are_left_alone(tmp_path: Path, source: str, postgres: Server) -> None:
    """A database that is used for something else is refused by the names of its tables."""
    target = postgres.fresh()
    change(tmp_path, target, "CREATE TABLE payroll (id integer)")
    with pytest.raises(Conflict, match="payroll"):
        move(tmp_path, source, target)


def test_a_portion_is_bounded_by_rows_and_by_bytes() -> None:
    """Memory does not grow with the history, however large single rows are."""
    digest = copying._Digest()
    with mock.patch.multiple(copying, MANY=3, LARGE=1000):
        small = [len(one) for one in copying._batches(iter([(n,) for n in range(7)]), digest)]
        large = [len(one) for one in copying._batches(iter([(bytes(600),)] * 5), digest)]
    assert (small, large) == ([3, 3, 1], [2, 2, 1])
    assert digest.count == 12


def test_equal_rows_have_equal_digests_and_no_others() -> None:
    """The digest knows values, types and borders, not objects."""

    def of(*given: tuple) -> str:
        digest = copying._Digest()
        for one in given:
            digest.add(one)
        return digest.hex()

    word = "".join(["a", "b"])
    assert of((word, word, 1)) == of(("ab", "a" + "b"[:], 1))
    others = [
        of(("ab", 1)),
        of(("a", "b", 1)),
        of((b"ab", 1)),
        of(("ab", "1")),
        of(("ab",), (1,)),
        of(("ab", None)),
    ]
    assert len(set(others)) == len(others)
