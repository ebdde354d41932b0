"""The tables: what the migrations make is what the schema says, and the database itself refuses the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, insert
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex

from bridge.flow import OPEN, DeliveryState, MessageState
from bridge.message import Kind
from bridge.store import database
from bridge.store import schema as s

STATES = {*map(str, MessageState), *map(str, DeliveryState), *map(str, Kind), "open", "wanted"}

# Name of a partial index, and the words that a query has to repeat to use it.
PARTIAL = {
    "ix_messages_new": "state = 'new'",
    "ix_messages_fetching": "state = 'fetching'",
    "ix_messages_failed": "kind = 'failed'",
    "ix_files_wanted": "state = 'wanted'",
    "ix_deliveries_open": "state IN ('ready', 'claimed', 'waiting')",
    "ix_deliveries_stuck": "state IN ('parked', 'failed')",
    "ix_reviews_open": "state = 'open'",
}

MESSAGE = {
    "id": 1,
    "lane": 0,
    "entry": 1,
    "network": "weixin",
    "source_id": "m1",
    "conversation": "chat",
    "sender": "wmLiLei",
    "kind": "text",
    "archived_at": 1,
    "state": "new",
}
VERDICT = {"id": 1, "message": 1, "entry": 2, "outcome": "deliver", "cause": "rule", "at": 1}
DELIVERY = {
    "id": 1,
    "permit": "0" * 20,
    "message": 1,
    "verdict": 1,
    "lane": 0,
    "network": "symphony",
    "conversation": "stream",
    "state": "ready",
    "next_at": 1,
}
REVIEW = {
    "message": 1,
    "verdict": 1,
    "network": "weixin",
    "conversation": "chat",
    "state": "open",
    "opened_at": 1,
}
FILE = {"message": 1, "n": 0, "network": "weixin", "state": "wanted"}


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of an empty database that was brought up by the migrations alone."""
    url = f"sqlite:///{tmp_path_factory.mktemp('schema') / 'new.db'}"
    database.migrate(url)
    return url


@pytest.fixture
def db(migrated: str) -> Iterator[Connection]:
    """A connection to it as the store opens it; nothing that a test writes stays."""
    engine = database.open_engine(migrated)
    with engine.connect() as connection:
        yield connection
        connection.rollback()
    engine.dispose()


def made_by(db: Connection) -> dict[str, list[str]]:
    """Every table and index of a database, with the lines of its definition in any order."""
    query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'"
    return {
        name: sorted(" ".join(line.split()).strip(",") for line in sql.splitlines() if line.strip())
        for name, sql in db.exec_driver_sql(query)
    }


# --- migrations -------------------------------------------------------------------------------------------


def test_alembic_finds_no_difference(db: Connection) -> None:
    """After all migrations, an automatic one would be empty."""
    assert compare_metadata(MigrationContext.configure(db, opts={"compare_type": True}), s.metadata) == []


def test_migrations_make_what_the_schema_says(db: Connection) -> None:
    """Also what Alembic does not compare is the same: defaults, and the WHERE of every partial index."""
    engine = create_engine("sqlite://")
    with engine.connect() as fresh:
        s.metadata.create_all(fresh)
        assert made_by(db) == made_by(fresh)
    engine.dispose()


def test_the_newest_migration_is_the_one_we_wait_for(db: Connection) -> None:
    """`database.SCHEMA` is the head of one line of migrations, and what a new store says it is."""
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [database.SCHEMA]
    assert db.exec_driver_sql("SELECT version_num FROM alembic_version").scalars().all() == [database.SCHEMA]


def test_migrating_again_changes_nothing(migrated: str, db: Connection) -> None:
    """Every start of the daemon may ask for it."""
    before = made_by(db)
    db.rollback()
    database.migrate(migrated)
    assert made_by(db) == before


# --- partial indexes --------------------------------------------------------------------------------------


def where_of(sql: str) -> str:
    """The condition of an index, "" if it has none."""
    return re.sub(r"\s+", " ", sql).partition(" WHERE ")[2].strip()


def test_partial_indexes_have_their_exact_words(db: Connection) -> None:
    """A query uses one only when it repeats its condition to the letter: these are the letters."""
    rows = db.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    assert {name: where_of(sql) for name, sql in rows if where_of(sql)} == PARTIAL


def test_both_databases_have_the_same_partial_indexes() -> None:
    """What SQLite leaves out of an index, PostgreSQL leaves out."""
    dialect = postgresql.dialect()
    indexes = [index for table in s.metadata.tables.values() for index in table.indexes]
    sql = {str(index.name): str(CreateIndex(index).compile(dialect=dialect)) for index in indexes}
    assert {name: where_of(one) for name, one in sql.items() if where_of(one)} == PARTIAL


def test_indexes_name_states_that_exist() -> None:
    """A state that is renamed in `flow` and not in its index would make the index silently empty."""
    for where in PARTIAL.values():
        assert set(re.findall(r"'(\w+)'", where)) <= STATES, where
    assert re.findall(r"'(\w+)'", PARTIAL["ix_deliveries_open"]) == [state.value for state in OPEN]


# --- what the database refuses ----------------------------------------------------------------------------


def put(db: Connection, *rows: tuple[Any, dict]) -> None:
    """Insert rows, each into its table."""
    for table, row in rows:
        db.execute(insert(table).values(**row))


def test_a_delivery_needs_a_verdict_and_a_verdict_a_message(db: Connection) -> None:
    """Invariant 1, by the schema: in this order it goes, and the rows are there."""
    rows = ((s.messages, MESSAGE), (s.verdicts, VERDICT), (s.deliveries, DELIVERY), (s.reviews, REVIEW))
    put(db, *rows, (s.files, FILE))
    assert db.exec_driver_sql("SELECT count(*) FROM deliveries").scalar() == 1


@pytest.mark.parametrize(
    ("before", "refused"),
    [
        ([], (s.deliveries, DELIVERY)),
        ([(s.messages, MESSAGE)], (s.deliveries, DELIVERY)),
        ([(s.messages, MESSAGE), (s.verdicts, VERDICT)], (s.deliveries, {**DELIVERY, "verdict": 2})),
        ([(s.messages, MESSAGE), (s.verdicts, VERDICT)], (s.deliveries, {**DELIVERY, "message": 2})),
        ([], (s.verdicts, VERDICT)),
        ([(s.messages, MESSAGE)], (s.reviews, REVIEW)),
        ([], (s.files, FILE)),
    ],
    ids=[
        *("delivery of nothing", "delivery without verdict", "delivery by another verdict"),
        *("delivery of another message", "verdict on nothing", "review without verdict", "file of nothing"),
    ],
)
def test_what_was_not_archived_and_judged_is_refused(
    db: Connection, before: list[tuple[Any, dict]], refused: tuple[Any, dict]
) -> None:
    """Invariant 1, by the schema: nothing stands in the outbox that was not archived and judged before."""
    put(db, *before)
    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        put(db, refused)


@pytest.mark.parametrize("column", ["verdict", "message", "permit"])
def test_a_delivery_names_what_it_rests_on(db: Connection, column: str) -> None:
    """No column that ties a delivery to its grounds may be left empty."""
    put(db, (s.messages, MESSAGE), (s.verdicts, VERDICT))
    with pytest.raises(IntegrityError, match=f"NOT NULL constraint failed: deliveries.{column}"):
        put(db, (s.deliveries, {**DELIVERY, column: None}))


@pytest.mark.parametrize("table", ["messages", "verdicts"])
def test_grounds_cannot_be_taken_away(db: Connection, table: str) -> None:
    """What a delivery rests on cannot be deleted from under it."""
    put(db, (s.messages, MESSAGE), (s.verdicts, VERDICT), (s.deliveries, DELIVERY))
    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        db.exec_driver_sql(f"DELETE FROM {table}")


@pytest.mark.parametrize(
    ("table", "row", "other"),
    [
        (s.messages, MESSAGE, {"id": 2}),
        (s.ledger, {"lane": 0, "seq": 1, "subject": "x", "entry": b"a", "leaf": b"b"}, {"entry": b"c"}),
        (s.content, {"lane": 0, "seq": 1, "salt": b"", "body": b"", "raw": b""}, {"body": b"other"}),
        (s.heads, {"lane": 0, "size": 1, "root": b"a"}, {"root": b"b"}),
        (s.receipts, {"network": "weixin", "id": "m9", "permit": "0" * 20}, {"permit": "1" * 20}),
        (s.cursors, {"network": "weixin", "name": "kf", "value": "1"}, {"value": "2"}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_is_once_is_once(db: Connection, table: Any, row: dict, other: dict) -> None:
    """A message's id, a place in the ledger, a root, a receipt, a cursor: the second row is refused."""
    put(db, (table, row))
    with pytest.raises(IntegrityError, match="UNIQUE"):
        put(db, (table, row | other))


def test_a_permit_is_unique(db: Connection) -> None:
    """Two deliveries never share their idempotency key."""
    put(db, (s.messages, MESSAGE), (s.verdicts, VERDICT), (s.deliveries, DELIVERY))
    with pytest.raises(IntegrityError, match=r"UNIQUE constraint failed: deliveries\.permit"):
        put(db, (s.deliveries, {**DELIVERY, "id": 2}))


def test_what_people_wrote_stands_in_one_table(db: Connection) -> None:
    """Invariant 6: bytes of any content are in `content`; elsewhere only hashes, entries and pairs."""
    binary = {
        f"{table.name}.{column.name}"
        for table in s.metadata.tables.values()
        for column in table.columns
        if column.type.python_type is bytes
    }
    assert binary == {
        *("content.salt", "content.body", "content.raw", "lanes.frontier", "heads.root"),
        *("ledger.entry", "ledger.leaf", "pairs.body"),
    }
    assert "text" not in {column.name for table in s.metadata.tables.values() for column in table.columns}
