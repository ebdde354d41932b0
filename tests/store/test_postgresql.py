"""PostgreSQL's part, against a real server: durable or refused, one writer, one owner, nothing guessed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import psycopg
import pytest
import rig
from postgres import Server
from rig import CONTACT, Clock, Hands, message, new_store, opened, url_of
from sqlalchemy import Connection, text
from sqlalchemy.exc import DataError

from bridge.errors import Conflict, StoreError
from bridge.message import SYMPHONY, WEIXIN
from bridge.store import postgresql, schema
from bridge.store.causes import cause
from bridge.store.database import Database, create, open_engine
from bridge.store.engines import address_of, doubts, place
from bridge.store.lease import LEASE_MS
from bridge.store.rows import _PLAN
from bridge.store.writer import Tx

DEADLINE = 60.0


@pytest.fixture
def folder(tmp_path: Path, postgres: Server) -> Iterator[Path]:
    """A folder whose new stores are made in the server."""
    with rig.on(postgres):
        yield tmp_path


@pytest.fixture
async def store(folder: Path) -> AsyncIterator[Database]:
    """A new store, owned by the test."""
    new_store(folder)
    database = opened(folder, Clock())
    await database.own("the test")
    yield database
    database.close()


def ended(folder: Path, where: str = "true") -> int:
    """End the store's connections from outside, as a server does that goes down; gives how many."""
    others = f"datname = current_database() AND pid <> pg_backend_pid() AND {where}"
    query = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
    with psycopg.connect(url_of(folder)) as db:
        return len(db.execute(query).fetchall())


OWNING = "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')"


# --- what is refused ------------------------------------------------------------------------------------


def test_a_server_that_is_too_old_is_refused() -> None:
    """By its version, with the one that is needed."""
    old: Any = SimpleNamespace(info=SimpleNamespace(server_version=140_011))
    assert postgresql._unfit(old) == "PostgreSQL 14 is too old: version 15 or later is needed"


@pytest.mark.parametrize(
    ("fsync", "encoding", "words"), [("off", "UTF8", "fsync = off"), ("on", "LATIN1", "ENCODING 'UTF8'")]
)
def test_a_server_that_loses_or_garbles_is_refused(fsync: str, encoding: str, words: str) -> None:
    """One that does not flush what it calls committed, and one that cannot keep all text."""
    answer = SimpleNamespace(fetchone=lambda: (fsync, encoding, "on"))
    server: Any = SimpleNamespace(info=SimpleNamespace(server_version=150_000), execute=lambda _: answer)
    assert words in postgresql._unfit(server)


def test_commits_are_flushed_whatever_the_role_says(folder: Path, postgres: Server) -> None:
    """`synchronous_commit` is on in every connection, even where the server's default is off."""
    new_store(folder)
    name = url_of(folder).partition("@/")[2].partition("?")[0]
    postgres.ask(f"ALTER DATABASE {name} SET synchronous_commit = off")
    engine = open_engine(url_of(folder))
    with engine.connect() as db:
        assert db.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        assert db.exec_driver_sql("SHOW fsync").scalar() == "on"
    engine.dispose()


@pytest.mark.parametrize("url", ["postgresql://w:hush@127.0.0.1:1/w", "postgresql://w:hush@/w?host=/nowhere"])
def test_a_server_that_is_not_there_is_named_without_its_password(url: str) -> None:
    """Database and host stand in the error, the password nowhere."""
    with pytest.raises(StoreError) as caught:
        create(url, 0)
    assert place(url) in str(caught.value)
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_error_shows_no_values(folder: Path) -> None:
    """The server's details name the row; what people are told does not."""
    new_store(folder)
    engine = open_engine(url_of(folder))
    with pytest.raises(Exception) as caught, engine.connect().execution_options(writes=True) as db:
        db.execute(text("INSERT INTO meta VALUES ('installation', 'hush')"))
    words = cause(caught.value)  # type: ignore[arg-type]
    assert words == 'duplicate key value violates unique constraint "pk_meta"'
    engine.dispose()


# --- reading and writing --------------------------------------------------------------------------------


async def test_a_reader_sees_one_moment_and_writes_nothing(store: Database) -> None:
    """What is committed while somebody reads is for the next look; to write there is refused."""
    hands = Hands(store, Clock())
    loop = asyncio.get_running_loop()

    def look(db: Connection) -> tuple[int, int]:
        count = "SELECT count(*) FROM messages"
        before = db.exec_driver_sql(count).scalar()
        asyncio.run_coroutine_threadsafe(hands.archive(message(SYMPHONY, 1)), loop).result(DEADLINE)
        return before or 0, db.exec_driver_sql(count).scalar() or 0

    assert await store.read(look) == (0, 0)
    assert await hands.rows("SELECT count(*) FROM messages") == [(1,)]
    with pytest.raises(StoreError, match="read-only transaction"):
        await store.read(lambda db: db.exec_driver_sql("DELETE FROM messages"))


async def test_two_processes_write_one_after_the_other(store: Database, folder: Path) -> None:
    """A person's command waits until the daemon's transaction has ended, and then reads what it wrote: the
    ledger has no gap, and its time never goes back."""
    clock = Clock()
    other = opened(folder, clock)
    inside = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(tx: Tx) -> int:
        loop.call_soon_threadsafe(inside.set)
        with psycopg.connect(url_of(folder)) as db:
            waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            deadline = time.monotonic() + DEADLINE
            while not db.execute(waits).fetchone() and time.monotonic() < deadline:
                db.rollback()
        clock.forward(1000)
        return tx.append(0, "policy:activated", "first")

    first = asyncio.ensure_future(store.write(slow))
    await inside.wait()
    second = asyncio.ensure_future(
        other.write(lambda tx: (tx.append(0, "policy:activated", "second"), tx.now))
    )
    assert await second == (await first + 1, clock.at)
    other.close()


async def test_a_failed_statement_is_never_committed(store: Database) -> None:
    """The server answers COMMIT of a failed transaction with a rollback and no error: the caller gets one."""

    def job(tx: Tx) -> None:
        with contextlib.suppress(DataError):
            tx.db.exec_driver_sql("SELECT 1 / 0")

    with pytest.raises(StoreError, match="nothing of it was kept"):
        await store.write(job)


async def test_an_upsert_may_meet_the_same_row_twice(store: Database) -> None:
    """What one statement may not do there, several do: the last one stands, as on SQLite."""
    now = Clock().at
    rows = [{"network": WEIXIN, "conversation": CONTACT, "lane": 0, "due_at": now + n} for n in range(8)]
    await store.write(lambda tx: _PLAN.many(tx.db, rows))
    (due,) = await Hands(store, Clock()).rows(f"SELECT due_at FROM chats WHERE conversation = '{CONTACT}'")
    assert due == (now,)


# --- what is lost ---------------------------------------------------------------------------------------


async def test_a_lost_connection_is_an_error_and_then_made_again(store: Database, folder: Path) -> None:
    """Whoever writes or reads while the server goes away is told; nothing is tried again behind his back."""
    hands = Hands(store, Clock())
    await hands.archive(message(SYMPHONY, 1))
    assert await hands.rows("SELECT count(*) FROM messages") == [(1,)]
    assert ended(folder) >= 3
    with pytest.raises(StoreError, match="nothing was changed"):
        await hands.archive(message(SYMPHONY, 2))
    with pytest.raises(StoreError, match="could not be read"):
        await hands.rows("SELECT 1")
    assert await hands.archive(message(SYMPHONY, 2)) == 1
    assert await hands.rows("SELECT count(*) FROM messages") == [(2,)]


@pytest.mark.parametrize("kept", [False, True])
async def test_a_commit_without_an_answer_is_told_as_such(store: Database, folder: Path, kept: bool) -> None:
    """It may have been kept or not: its caller is told just that, it is made once at most, and what is in the
    store is what the next look finds."""
    hands = Hands(store, Clock())
    dialect = store.engine.dialect
    commit = dialect.do_commit

    def losing(connection: Any) -> None:
        if kept:
            commit(connection)
        ended(folder)
        connection.execute("COMMIT")

    with (
        mock.patch.object(dialect, "do_commit", losing),
        pytest.raises(StoreError, match="whether this was kept is in the store"),
    ):
        await hands.archive(message(SYMPHONY, 1))
    assert await hands.archive(message(SYMPHONY, 1)) == (0 if kept else 1)
    assert await hands.rows("SELECT count(*) FROM messages") == [(1,)]


# --- owning ---------------------------------------------------------------------------------------------


async def test_a_living_owner_keeps_the_lane_and_a_dead_ones_is_taken_at_once(
    store: Database, folder: Path
) -> None:
    """However long its lease has run out: only the end of its connection gives the lane away."""
    other = opened(folder, Clock(store.clock.now() + 3_600_000))
    with pytest.raises(Conflict, match="another daemon"):
        await other.own("the other")
    assert ended(folder, OWNING) == 1
    await other.own("the other")
    assert other.epoch == store.epoch + 1
    other.close()


@pytest.mark.parametrize("dead", [True, False])
async def test_only_the_dead_are_not_waited_for(folder: Path, dead: bool) -> None:
    """The server cannot tell a process that was killed from one whose connections were cut; the lock on a
    file can, on the same machine. The second sends into Symphony what the first may have sent: at once, or
    when the first may send no longer."""
    new_store(folder)
    clock = Clock()
    first = Hands(opened(folder, clock), clock)
    await first.store.own("the first")
    await first.say(message(WEIXIN, 1))
    assert len(await first.claim(SYMPHONY)) == 1
    if dead:
        first.store.close()
    else:
        assert ended(folder) > 1
    second = Hands(opened(folder, clock), clock)
    await second.store.own("the second")
    assert len(await second.claim(SYMPHONY)) == dead
    clock.forward(LEASE_MS)
    assert len(await second.claim(SYMPHONY)) == (not dead)
    for hands in (second,) if dead else (first, second):
        hands.store.close()


async def test_whoever_lost_the_proof_stops(store: Database, folder: Path) -> None:
    """A daemon that lost that connection ends at its next sign of life, even if it could still write."""
    await store.renew()
    ended(folder, OWNING)
    with pytest.raises(StoreError, match="shows that this daemon lives was lost"):
        await store.renew()


# --- the tables -----------------------------------------------------------------------------------------


def test_every_text_is_compared_by_its_bytes() -> None:
    """No order of words depends on a server's locale, and no index on its libraries."""
    dialect = address_of("postgresql://w@h/w").get_dialect()()
    columns = [one for table in schema.metadata.tables.values() for one in table.columns]
    texts = [one for one in columns if one.type.python_type is str]
    assert [str(one) for one in texts if one.type.dialect_impl(dialect).collation != "C"] == []  # type: ignore[attr-defined]
    assert len(texts) > 40


async def test_each_lane_has_its_part_of_the_big_tables(store: Database) -> None:
    """Entries, contents and keys of a lane stand in tables of their own."""
    query = "SELECT inhparent::regclass::text, inhrelid::regclass::text FROM pg_inherits JOIN pg_class c "
    query += "ON c.oid = inhrelid WHERE c.relkind = 'r' ORDER BY 1"
    parts = await Hands(store, Clock()).rows(query)
    assert parts == [(name, f"{name}_0") for name in ("content", "data_keys", "ledger")]


def test_a_superuser_and_the_servers_own_database_are_doubtful(postgres: Server) -> None:
    """Both work, and are said; a role that owns its own database is not spoken of."""
    ours = postgres.fresh()
    theirs = f"postgresql://postgres@/postgres?host={postgres.folder}"
    for url, words in ((ours, []), (theirs, ["superuser", "server's own"])):
        engine = open_engine(url)
        with engine.connect() as db:
            found = doubts(db)
        engine.dispose()
        assert len(found) == len(words)
        assert all(word in one for word, one in zip(words, found, strict=True))
    postgres.drop(ours)
