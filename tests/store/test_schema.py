"""The tables: what the migrations make is what the schema says, and the hot statements use their indexes."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from rig import CONTACT, FILES_ONLY, START, Hands, message, new_store, statements_of

from bridge.errors import StoreError
from bridge.message import SYMPHONY, WEIXIN, Cause, File, Kind, Outcome, Verdict
from bridge.ports import Ruling, Step
from bridge.store import copies, database, schema, views
from bridge.store.database import open_engine


def _other_default(
    _c: object, _i: object, _m: object, there: str | None, _d: object, here: str | None
) -> bool:
    # Alembic's own comparison takes an empty text and no default for the same thing.
    return (there or "").strip("()'") != (here or "") or (there is None) != (here is None)


def test_the_migrations_make_the_schema(tmp_path: Path) -> None:
    """Alembic finds nothing to change between a migrated database and the tables in the source."""
    engine = open_engine(f"sqlite:///{new_store(tmp_path)}")
    with engine.connect() as db:
        context = MigrationContext.configure(
            db, opts={"compare_type": True, "compare_server_default": _other_default, "render_as_batch": True}
        )
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def test_partial_indexes_cover_the_rows_they_claim(tmp_path: Path) -> None:
    """The conditions of the partial indexes, which Alembic does not compare, are those of the source."""
    db = sqlite3.connect(new_store(tmp_path))
    made = dict(db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql LIKE '%WHERE%'"))
    said = {
        str(index.name): str(index.dialect_options["sqlite"]["where"])
        for table in schema.metadata.tables.values()
        for index in table.indexes
        if index.dialect_options["sqlite"]["where"] is not None
    }
    assert {name: sql.partition(" WHERE ")[2] for name, sql in made.items()} == said
    db.close()


def test_the_newest_migration_is_named(tmp_path: Path) -> None:
    """`SCHEMA` is the head of the scripts: a store at it is opened without loading Alembic."""
    script = ScriptDirectory(str(Path(database.__file__).parent / "migrations"))
    assert script.get_current_head() == database.SCHEMA


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    """Opening an existing store leaves every byte of its tables as it was."""
    path = new_store(tmp_path)
    before = "\n".join(sqlite3.connect(path).iterdump())
    database.create(f"sqlite:///{path}", START + 1)
    assert "\n".join(sqlite3.connect(path).iterdump()) == before


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    """A file that is something else is not touched; the error says what could not be done."""
    path = tmp_path / "notes.txt"
    path.write_text("these are notes, and by no means a database\n" * 100)
    with pytest.raises(StoreError, match="cannot be opened or migrated"):
        database.create(f"sqlite:///{path}", START)
    assert path.read_text().startswith("these are notes")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO verdicts VALUES (1, 99, 0, 'deliver', 'default', 0)",
        "INSERT INTO deliveries (id, permit, message, verdict, lane, network, conversation, state, next_at) "
        "VALUES (1, 'p', 99, 99, 0, 'weixin', 'c', 'ready', 0)",
        "INSERT INTO files (message, n, network, state) VALUES (99, 0, 'weixin', 'wanted')",
    ],
    ids=["a verdict on nothing", "a delivery without a verdict", "a file of nothing"],
)
async def test_nothing_stands_without_what_it_rests_on(hands: Hands, statement: str) -> None:
    """The database itself refuses a delivery that was not judged and a verdict on what is not archived."""
    with pytest.raises(StoreError, match=r"(?i)foreign key"):
        await hands.store.write(lambda tx: tx.db.exec_driver_sql(statement))


async def test_commits_survive_the_loss_of_power(tmp_path: Path) -> None:
    """Every connection writes ahead and flushes at each commit."""
    engine = open_engine(f"sqlite:///{new_store(tmp_path)}")
    with engine.connect() as db:
        pragmas = [
            db.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert pragmas == ["wal", 2, 1]
    engine.dispose()


# --- indexes --------------------------------------------------------------------------------------------

#: Tables that grow for ever: no statement of the daily work may read one from end to end.
GROWING = (
    "messages",
    "content",
    "ledger",
    "verdicts",
    "deliveries",
    "receipts",
    "files",
    "reviews",
    "heads",
    "samples",
    "copies",
)

#: The partial indexes: each has to serve some statement of the daily work.
PARTIAL = {
    str(index.name)
    for table in schema.metadata.tables.values()
    for index in table.indexes
    if index.dialect_options["sqlite"]["where"] is not None
}


async def a_day(hands: Hands) -> None:
    """Every kind of daily work, once."""
    files = (File("r", "a.txt"),)
    await hands.say(message(SYMPHONY, 1, "HOLD"), message(SYMPHONY, 2, "two"), message(WEIXIN, 3, "BLOCK"))
    await hands.archive(message(SYMPHONY, 4, "see", kind=Kind.FILE, files=files))
    (wanted,) = await hands.store.wanted_files(SYMPHONY, 9)
    await hands.store.postpone_file(wanted, 0)
    await hands.store.settle_file(wanted, None, "expired")
    await hands.say(message(WEIXIN, 5, "", kind=Kind.RECALL, refers_to="3"))
    first, *rest = await hands.claim(WEIXIN)
    await hands.end(first, Step.RETRY, at=1)
    for claim in rest:
        await hands.end(claim, Step.PARK, reason="too-large", notice="too-large")
    await hands.send(SYMPHONY)
    await hands.send(WEIXIN)
    await hands.say(message(WEIXIN, 6, "", kind=Kind.FAILED, refers_to="nothing"))
    await hands.say(message(WEIXIN, 7, "answer", refers_to="2"), message(SYMPHONY, 8, "edit", replaces="2"))
    await hands.send(SYMPHONY)
    await hands.store.decide_hold(1, "carol", "fine", passed=True)
    await hands.send(WEIXIN)
    await _looked_after(hands)
    await _copied(hands)


async def _copied(hands: Hands) -> None:
    """An archive outside is owed a message, gets it, and then what became of it."""
    await hands.archive(message(SYMPHONY, 10, "BLOCK"))
    (archived,) = await hands.store.unjudged(9)
    verdict = Verdict(Outcome.BLOCK, Cause.RULE, "", archives=("records/vault",))
    await hands.store.record_rulings([Ruling(archived, verdict)])
    read, write = hands.store.read, hands.store.write
    due = await read(lambda db: copies.due(db, "records/vault", hands.clock.now(), 9))
    kept = [copies.Kept(one, "ab", ("o",), "") for one in due]
    await write(lambda tx: copies.keep(tx, "records/vault", kept))
    await read(lambda db: (copies.waiting(db), copies.refused(db)))
    await read(lambda db: (copies.outstanding(db, [1]), copies.any_complete(db, 1 << 60)))
    await write(lambda tx: copies.close(tx, 1 << 60, 9))


async def _looked_after(hands: Hands) -> None:
    """What is done about holds that are late, and about what a judge has to know of before and of after."""
    await hands.archive(message(SYMPHONY, 9, "HOLD"))
    await hands.store.unjudged(9, (2, 60_000))
    (ruling,) = await hands.judge()
    await hands.store.read(views.sampled)
    due = "UPDATE reviews SET due_at = 1, if_late = 'escalate' WHERE message = ?"
    await hands.store.write(lambda tx: tx.db.exec_driver_sql(due, (ruling.archived.seq,)))
    assert len(await hands.store.settle_late()) == 1


@FILES_ONLY
async def test_daily_work_never_reads_a_growing_table_from_end_to_end(hands: Hands) -> None:
    """Every statement of a day, explained by SQLite: history is looked up by index, never scanned."""
    with statements_of(hands.store.engine) as ran:
        await a_day(hands)
    seen = {sql: with_ for sql, with_ in ran.items() if sql.startswith(("SELECT", "UPDATE", "DELETE"))}
    db = sqlite3.connect(str(hands.store.engine.url.database))
    used, scans = set(), []
    for text, parameters in seen.items():
        for *_, detail in db.execute(f"EXPLAIN QUERY PLAN {text}", parameters):  # type: ignore[call-overload]
            used.update(re.findall(r"INDEX (\w+)", detail))
            scanned = re.match(r"SCAN (\w+)(?! USING (COVERING )?INDEX)", detail)
            if scanned and scanned[1] in (*GROWING, "earlier", "message_content", "verdict_content"):
                scans.append(f"{detail}: {text}")
    db.close()
    assert scans == []
    assert len(seen) > 30
    daily = PARTIAL - {"ix_deliveries_stuck", "ix_messages_blocked", "ix_messages_notices"}  # for the desk
    assert daily - used == set()


@FILES_ONLY
async def test_a_long_history_does_not_slow_the_next_message(hands: Hands) -> None:
    """SQLite's own count of steps for judging and sending is the same after ten and after a thousand."""

    async def effort() -> int:
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        number = (await hands.rows("SELECT count(*) FROM messages"))[0][0] + 1
        await hands.archive(message(SYMPHONY, number, "hello"))
        await hands.store.write(
            lambda tx: tx.db.connection.dbapi_connection.set_progress_handler(count, 20)  # type: ignore[union-attr]
        )
        await hands.judge()
        await hands.send(WEIXIN)
        await hands.store.write(
            lambda tx: tx.db.connection.dbapi_connection.set_progress_handler(None, 20)  # type: ignore[union-attr]
        )
        return steps

    for number in range(1, 11):
        await hands.say(message(SYMPHONY, number))
    await hands.send(WEIXIN)
    await effort()
    before = await effort()
    await hands.archive(*(message(SYMPHONY, number) for number in range(100, 1100)))
    while await hands.judge():
        await hands.send(WEIXIN)
    assert (await hands.rows(f"SELECT count(*) FROM deliveries WHERE conversation = '{CONTACT}'"))[0][
        0
    ] > 1000
    assert await effort() < before * 1.5 + 10
