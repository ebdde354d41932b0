"""Destruction: what went is in no file any more, what stays is whole, and the record verifies."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import psycopg
import pytest
from disposals import DAY, SHORT, TALK, Firm, firm
from postgres import Server
from sqlalchemy import Connection, select, text
from story import CHAT, STREAM, passed

from bridge import sealing
from bridge.errors import Damaged, KeyMissing
from bridge.keepers import KeyFile
from bridge.ports import Ruling
from bridge.records.disposal import certificate
from bridge.search.tokens import tokens_of
from bridge.store import destruction, disposal, rotation, sqlite, views
from bridge.store import schema as s
from bridge.store.copying import Order, Tell, copy, roots, source_of
from bridge.store.database import Database
from bridge.store.documents import documents
from bridge.store.engines import doubts
from bridge.store.heartbeats import beat
from bridge.store.index import month_of
from bridge.store.index.checking import hidden
from bridge.store.index.following import Follower
from bridge.store.verify import Summary


@pytest.fixture
async def old(tmp_path: Path) -> AsyncIterator[Firm]:
    """A firm a half of whose records is due."""
    one = firm(tmp_path)
    yield one
    one.store.close()


def sealed_parts(path: Path, numbers: list[int]) -> list[bytes]:
    """Wrapped keys, sealed bodies and raw bytes of these messages, as they lie in the tables."""
    query = (
        "SELECT k.wrapped, c.body, c.raw FROM ledger l JOIN content c ON c.lane = l.lane AND c.seq = l.seq "
        "JOIN data_keys k ON k.lane = l.lane AND k.seq = l.seq WHERE l.subject = 'message/' || ?"
    )
    with closing(sqlite3.connect(path)) as db:
        return [part for one in numbers for row in db.execute(query, (one,)) for part in row if part]


async def listed(old: Firm, number: int) -> list[int]:
    """The messages of a plan."""
    return [one["message"] for one in await old.store.read(lambda db: disposal.listed(db, number))]


async def test_nothing_of_it_is_left_in_any_file(old: Firm) -> None:
    """Keys, ciphertext, the networks' ids and the attachment of what went are in no byte of any file: not in
    the database, its log or its free pages, not in the index; what stays reads as before."""
    old.follow()
    number = await old.plan()
    numbers = await listed(old, number)
    parts = sealed_parts(old.folder / "weighbridge.db", numbers)
    parts += [b"named-there-%d-" % (one - 1) for one in numbers if one <= TALK]
    assert len(parts) > 3 * len(numbers)
    blobs = [path for path, _ in old.files() if path.is_relative_to(old.folder / "blobs")]
    assert len(blobs) == 1
    before = {line["message"]: line["text"] for line in await old.store.read(archive)}
    await old.approve(number)
    assert await old.steps(number) == len(numbers) == 22
    await old.finish(number)
    for path, data in old.files():
        left = [part for part in parts if part in data or part[-24:] in data]
        assert left == [], path
    assert not blobs[0].exists()
    after = {line["message"]: line["text"] for line in await old.store.read(archive)}
    assert after == {one: text for one, text in before.items() if one in after}
    assert len(after) == len(before) - len(numbers) - 2  # and the notices on one of them
    found, summary = await old.verified()
    assert found == []
    assert summary.absent > 2 * len(numbers)


def archive(db: object) -> list[dict]:
    """Every message that there is."""
    return views.archive(db, views.Filter(), 500)


async def test_what_sqlite_left_behind_goes_as_well(old: Firm) -> None:
    """Copies that `secure_delete` did not reach: a connection without it leaves them here."""
    with closing(sqlite3.connect(old.folder / "weighbridge.db")) as db:
        db.execute("PRAGMA secure_delete=OFF")
        db.execute("UPDATE messages SET conversation = 'left-behind-' || id")
        db.rollback()
        db.execute("INSERT INTO receipts SELECT network, 'left-behind-' || id, permit FROM receipts")
        db.execute("DELETE FROM receipts WHERE id LIKE 'left-behind-%'")
        db.commit()
    await old.dispose()
    assert [path for path, data in old.files() if b"left-behind-" in data] == []


async def test_until_the_files_are_written_anew_a_run_is_not_settled(old: Firm) -> None:
    """Somebody reads since before: the keys of what went are still there, and the plan says so, until the
    file could be written anew."""
    parts = sealed_parts(old.folder / "weighbridge.db", list(range(1, TALK)))
    number = await old.plan()
    await old.approve(number)
    with closing(sqlite3.connect(old.folder / "weighbridge.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM data_keys").fetchone()
        await old.steps(number)
        (said,) = await disposal.settle_again(old.store)
        assert said.startswith("disposal 1 was begun and is not finished")
        await old.store.write(lambda tx: disposal.certify(tx, 0, number, "bob.li@bank.example"))
        (said,) = await disposal.settle_again(old.store)
        assert "may still lie in the database's own files" in said
        assert said.endswith(f"({sqlite.READ})")
        plan = await old.store.read(lambda db: disposal.disposal(db, number))
        assert (plan.standing(0), "Not settled" in "\n".join(certificate(plan))) == (
            "done, not settled",
            True,
        )
    assert await disposal.settle_again(old.store) == []
    plan = await old.store.read(lambda db: disposal.disposal(db, number))
    assert (plan.standing(0), "Not settled" in "\n".join(certificate(plan))) == ("done", False)
    left = sealed_parts(old.folder / "weighbridge.db", list(range(1, TALK)))
    gone = set(parts).difference(left)
    assert len(gone) > 40
    assert not any(part in data for _, data in old.files() for part in gone)
    assert [one.meaning for one in await old.findings() if one.table != "blobs"] == []


async def test_a_notice_that_nobody_can_send_keeps_no_record(old: Firm) -> None:
    """It waits for a client who writes no more, whose pair has ended: it is dropped with its message."""
    await old.store.own("daemon")
    await old.story.archive(old.story.answers("never delivered"))
    for one in await old.store.unjudged(9):
        verdict = replace(passed(one), retention=(SHORT,))
        await old.store.record_rulings([Ruling(one, verdict, "")])
    await old.store.end_pair(1, "bob.li@bank.example", "left the firm")
    said = "SELECT state, reason FROM deliveries ORDER BY id DESC LIMIT 1"
    with closing(sqlite3.connect(old.folder / "weighbridge.db")) as db:
        assert db.execute(said).fetchone() == ("ready", "")
    old.story.clock.at += 40 * DAY
    await old.store.write(lambda tx: beat(tx, 0, "weixin", tx.now, 0))
    await old.dispose()
    with closing(sqlite3.connect(old.folder / "weighbridge.db")) as db:
        assert db.execute(said).fetchone() == ("dropped", "disposed")
        assert db.execute("SELECT count(*) FROM messages WHERE conversation = ?", (CHAT,)).fetchone() == (10,)
    assert await old.findings() == []


async def test_rows_of_what_went_name_nobody(old: Firm) -> None:
    """No chat, no person, no id of a network, no receipt stands in the rows of a record that is gone."""
    number = await old.dispose()
    numbers = await listed(old, number)
    where = f"message IN ({', '.join(map(str, numbers))})"
    with closing(sqlite3.connect(old.folder / "weighbridge.db")) as db:
        query = f"SELECT source_id, conversation, sender, pair FROM messages WHERE {where}"
        rows = db.execute(query.replace("message IN", "id IN"))
        assert {(row[0].partition("/")[0], *row[1:]) for row in rows} == {("disposed", "", "", None)}
        assert {row[0] for row in db.execute(f"SELECT conversation FROM deliveries WHERE {where}")} == {""}
        assert {row[0] for row in db.execute(f"SELECT conversation FROM reviews WHERE {where}")} == {""}
        receipts = f"SELECT 1 FROM receipts r JOIN deliveries d ON d.permit = r.permit WHERE d.{where}"
        assert db.execute(receipts).fetchone() is None
        others = db.execute("SELECT DISTINCT conversation FROM messages WHERE conversation <> ''")
        assert {row[0] for row in others} == {STREAM, CHAT}


async def test_what_went_is_found_by_no_search_and_what_stays_is(old: Firm) -> None:
    """The index hides no message that is there, and has no token of one that is not."""
    old.follow()
    month = month_of(old.story.clock.at - 40 * DAY)
    number = await old.plan()
    gone = (await listed(old, number))[0]
    words = await old.store.read(lambda db: tokens_of(documents(db, [gone])[0]))
    await old.approve(number)
    await old.steps(number)
    await old.finish(number)
    with closing(old.index()) as index:
        assert await old.store.read(lambda db: hidden(db, index)) == {}
        tokens = [index.tokens.of(month)[word] for word in words]
    found: set[int] = set()
    with closing(sqlite3.connect(old.folder / "search" / f"{month}.db")) as db:
        for token in tokens:
            found |= {
                row[0] for row in db.execute("SELECT rowid FROM words WHERE words MATCH ?", (f'"{token}"',))
            }
    assert found
    assert found.isdisjoint(await listed(old, number))


async def test_an_attachment_that_another_record_has_stays(old: Firm) -> None:
    """Of a file that two records have, neither bytes nor key go with the first of them."""
    with closing(sqlite3.connect(old.folder / "weighbridge.db", isolation_level=None)) as db:
        kept = db.execute("SELECT max(message) FROM terms WHERE key = 'cards/long'").fetchone()[0]
        db.execute(
            "INSERT INTO files SELECT ?, n, network, state, 0, 0, digest, size, entry FROM files", (kept,)
        )
        digest = db.execute("SELECT digest FROM files").fetchone()[0]
    await old.dispose()
    assert old.store.blobs.path(digest).exists()
    assert await old.store.read(lambda db: destruction.leftovers(db, 1)) == []
    assert b"".join([piece async for piece in old.store.blobs.read(digest)]) == b"%PDF-1.7 a report"


async def test_the_key_of_an_attachment_goes_with_the_transaction(old: Firm) -> None:
    """Whoever dies before the file is removed leaves bytes that nobody can open, and the next run finds
    them; verification says so meanwhile."""
    number = await old.plan()
    await old.approve(number)
    await old.steps(number)
    (digest,) = await old.store.read(lambda db: destruction.leftovers(db, number))
    with pytest.raises(Damaged, match="not in the store"):
        async for _ in old.store.blobs.read(digest):
            pass
    assert [one.table for one in await old.findings()] == ["blobs"]
    await old.finish(number)
    assert await old.findings() == []


@pytest.fixture
async def on_server(tmp_path: Path, postgres: Server) -> AsyncIterator[Firm]:
    """The same firm, moved to a PostgreSQL server."""
    one = firm(tmp_path)
    one.store.close()
    url, keeper = postgres.fresh(), KeyFile(tmp_path / "secrets/store-key")
    folders = (one.story.blobs, one.story.blobs)
    order = Order(url, folders, "bob.li@bank.example", "moved", unread, one.story.clock.now, silent)
    with source_of(one.story.url, keeper) as db:
        copy(db, order)
    one.story.store = Database(url, one.story.blobs, one.story.clock, keeper)
    yield one
    one.store.close()


def unread(db: Connection, *_: object) -> Summary:
    """No verification: the move is not what is tested here."""
    summary = Summary()
    summary.roots = {int(lane): (one["size"], one["root"]) for lane, one in roots(db).items()}
    return summary


@contextlib.contextmanager
def silent(_: str) -> Iterator[Tell]:
    """Nobody is told how far it is."""
    yield lambda done, total: None


async def test_on_a_server_nothing_can_be_unwrapped_after_a_rotation(on_server: Firm) -> None:
    """Rows and words are gone there as well, and the record verifies; what its log and backups may still
    have of the keys opens with no key that is left."""
    firm_there, store = on_server, on_server.store
    firm_there.follow()
    query = text("SELECT wrapped FROM data_keys WHERE lane = 0 AND seq IN (SELECT entry FROM messages)")
    before = {bytes(one) for one in await store.read(lambda db: db.execute(query).scalars().all())}
    kept = {row.id: row for row in await store.read(lambda db: db.execute(select(s.store_keys)).all())}
    number = await firm_there.dispose()
    numbers = await listed(firm_there, number)
    words = text("SELECT count(*) FROM search_words WHERE message = ANY(:numbers)")
    assert await store.read(lambda db: db.execute(words, {"numbers": numbers}).scalar()) == 0
    after = {bytes(one) for one in await store.read(lambda db: db.execute(query).scalars().all())}
    assert len(before - after) == len(numbers) + 2
    assert await firm_there.findings() == []
    await rotated(firm_there)
    left = {row.id for row in await store.read(lambda db: db.execute(select(s.store_keys)).all())}
    assert {sealing.wrapped_by(one) for one in before - after}.isdisjoint(left)
    keeper = KeyFile(firm_there.folder / "secrets/store-key")
    for row in kept.values():
        with pytest.raises(KeyMissing):
            keeper.unwrap(row.master, bytes(row.wrapped))
    assert {line["message"] for line in await store.read(archive)}.isdisjoint(numbers)


def parts_of(db: psycopg.Connection) -> dict[tuple[int, int], list[bytes]]:
    """Wrapped key and sealed content at each place of the ledger."""
    query = "SELECT lane, seq, wrapped, body, raw FROM data_keys JOIN content USING (lane, seq)"
    return {row[:2]: [bytes(part) for part in row[2:] if part] for row in db.execute(query)}


def table_files(db: psycopg.Connection, server: Server) -> bytes:
    """Every byte of every file of a database, tables, indexes and catalogues."""
    db.execute("CHECKPOINT")
    (oid,) = db.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
    return b"".join(path.read_bytes() for path in (server.folder / f"data/base/{oid}").iterdir())


@pytest.fixture
def superuser(on_server: Firm, postgres: Server) -> Iterator[psycopg.Connection]:
    """Somebody at the same database who may see everything."""
    name = on_server.store.engine.url.database
    with psycopg.connect(f"host={postgres.folder} user=postgres dbname={name}", autocommit=True) as db:
        yield db


async def test_on_a_server_no_table_file_has_what_was_destroyed(
    on_server: Firm, superuser: psycopg.Connection, postgres: Server
) -> None:
    """Neither wrapped keys nor sealed content nor the networks' ids, not in dead rows, not in what the
    planner sampled of them."""
    before = parts_of(superuser)
    superuser.execute("ANALYZE")
    number = await on_server.dispose()
    left = parts_of(superuser)
    gone = [part for place, parts in before.items() if place not in left for part in parts]
    gone += [b"named-there-%d-" % (one - 1) for one in await listed(on_server, number) if one <= TALK]
    assert len(gone) > 60
    data = table_files(superuser, postgres)
    assert [part for part in gone if part in data] == []
    assert sum(part in data for parts in left.values() for part in parts) > 60
    assert await on_server.findings() == []


async def test_on_a_server_somebody_with_an_older_snapshot_is_said(
    on_server: Firm, superuser: psycopg.Connection, postgres: Server
) -> None:
    """Whoever reads since before a run keeps what it destroyed in the files: the run says that it is not
    final, and is, once it is repeated afterwards."""
    before = parts_of(superuser)
    number = await on_server.plan()
    await on_server.approve(number)
    superuser.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    superuser.execute("SELECT count(*) FROM data_keys")
    await on_server.steps(number)
    assert destruction.settle(on_server.store.engine, patience=0.0) == sqlite.READ
    superuser.execute("COMMIT")
    await on_server.finish(number)
    gone = [parts[0] for place, parts in before.items() if place not in parts_of(superuser)]
    data = table_files(superuser, postgres)
    assert len(gone) > 20
    assert not any(key in data for key in gone)


async def test_on_a_server_an_error_is_a_reason(on_server: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    """No room, a failing disk, a connection that was lost: said, never raised, and the next try is clean."""
    engine = on_server.store.engine
    for error, why in (
        (psycopg.errors.DiskFull(), sqlite.FULL),
        (psycopg.errors.LockNotAvailable(), destruction.USED),
        (psycopg.errors.IoError(), "the database failed: IoError"),
    ):
        with monkeypatch.context() as failing:
            failing.setattr(destruction, "_unseen", Mock(side_effect=error))
            assert destruction.settle(engine).startswith(why)
    with monkeypatch.context() as failing:
        failing.setattr(destruction, "_unseen", lambda connection, _: connection.close())
        assert destruction.settle(engine).startswith("the database failed: OperationalError")
    assert destruction.settle(engine) == ""


async def test_on_a_server_a_role_that_does_not_own_the_database_is_said(
    on_server: Firm, superuser: psycopg.Connection
) -> None:
    """The server only warns that the planner's samples stay: the run is not settled, `doctor` says why."""
    engine = on_server.store.engine
    superuser.execute(f"ALTER DATABASE {engine.url.database} OWNER TO postgres")
    assert destruction.settle(engine) == destruction.NOT_OWNED
    superuser.execute("GRANT ALL ON SCHEMA public TO PUBLIC")
    assert destruction.settle(engine) == destruction.NOT_OWNED
    with engine.connect() as db:
        (doubt,) = doubts(db)
    assert "does not own the database" in doubt
    superuser.execute(f"ALTER DATABASE {engine.url.database} OWNER TO {engine.url.username}")
    assert destruction.settle(engine) == ""
    with engine.connect() as db:
        assert doubts(db) == []


async def rotated(one: Firm) -> None:
    """Another master key, as `keys rotate` makes it."""
    KeyFile(one.folder / "secrets/store-key").renew()
    await one.store.write(lambda tx: rotation.rotate(tx, 0, "bob.li@bank.example", "disposal"))
    after: rotation.Position | None = rotation.Position()
    while after is not None:
        after = await one.store.write(lambda tx: rotation.rewrap(tx, after))  # noqa: B023
    await one.store.write(lambda tx: rotation.rewrap_files(tx, ""))
    _, needed = await one.store.write(lambda tx: rotation.retire(tx, 0, "bob.li@bank.example", "disposal"))
    KeyFile(one.folder / "secrets/store-key").forget(needed)


async def test_whoever_looked_at_a_message_before_it_went_adds_no_word_of_it(old: Firm) -> None:
    """A daemon that had opened a message when it was destroyed, and adds it to the index afterwards, is told
    that it was too slow; what it looks at then is without words."""
    old.follow()
    number = await old.plan()
    await old.approve(number)
    await old.store.end_pair(1, "bob.li@bank.example", "something to follow")
    with closing(old.index()) as index, old.store.engine.connect() as db:
        with db.begin():
            step = Follower(index).look(db)
        assert step is not None
        await old.steps(number)
        await old.finish(number)
        assert not index.add(db, step)
        assert await old.store.read(lambda db: hidden(db, index)) == {}
