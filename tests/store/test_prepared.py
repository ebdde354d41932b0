"""Statements compiled once: the same answers as SQLAlchemy's own way, and the driver's own parameters."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError

from bridge.store.prepared import Prepared

things = Table(
    "things",
    MetaData(),
    Column("n", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("body", LargeBinary),
)
ROWS = [{"n": n, "name": f"thing {n}", "body": bytes([n])} for n in range(1, 6)]

INSERT = Prepared(insert(things), ("n", "name", "body"))
RENAME = Prepared(
    update(things).where(things.c.n >= bindparam("b_from")).values(name=bindparam("b_name")),
)
BETWEEN = Prepared(
    select(things.c.n)
    .where(things.c.n > bindparam("b_above"), things.c.n < bindparam("b_below"), things.c.name != "thing 3")
    .order_by(things.c.n)
    .limit(bindparam("b_limit"))
)


@pytest.fixture
def db() -> Iterator[Connection]:
    """A database in memory with the five things in it."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        things.create(connection)
        INSERT.many(connection, ROWS)
        yield connection
    engine.dispose()


def names(db: Connection) -> list[str]:
    """The things' names, in order."""
    return list(db.execute(select(things.c.name).order_by(things.c.n)).scalars())


def test_many_rows_are_written(db: Connection) -> None:
    """Every row arrives, with every column in its place, whatever the order of its keys."""
    INSERT.many(db, [{"body": b"x", "name": "six", "n": 6}])
    assert [dict(row) for row in db.execute(select(things)).mappings()] == [
        *ROWS,
        {"n": 6, "name": "six", "body": b"x"},
    ]


def test_an_update_takes_its_parameters_by_name(db: Connection) -> None:
    """The order in which SQL wants them is not the order in which they are given."""
    RENAME.one(db, {"b_from": 4, "b_name": "late"})
    assert names(db) == ["thing 1", "thing 2", "thing 3", "late", "late"]


def test_rows_are_counted(db: Connection) -> None:
    """All rows of all sets of parameters count: how a lost race is noticed."""
    assert RENAME.one(db, {"b_from": 4, "b_name": "x"}).rowcount == 2
    assert RENAME.many(db, [{"b_from": n, "b_name": "y"} for n in (1, 5, 9)]) == 6


def test_what_fails_is_told_without_values(db: Connection) -> None:
    """A row that is there already is an error of SQLAlchemy's, as ever, and shows nobody what was in it."""
    with pytest.raises(IntegrityError) as caught:
        INSERT.many(db, [{"n": 2, "name": "内幕消息", "body": b""}] * 2)
    assert "内幕消息" not in str(caught.value)
    assert names(db)[1] == "thing 2"


def test_values_written_into_the_statement_stay(db: Connection) -> None:
    """What the statement says itself need not be given; what is given beside it is found by its name."""
    found = BETWEEN.one(db, {"b_above": 1, "b_below": 9, "b_limit": 2})
    assert found.scalars().all() == [2, 4]


def test_one_parameter_is_enough(db: Connection) -> None:
    """A single parameter is a tuple of one, also when it is a text of several characters."""
    by_name = Prepared(select(things.c.n).where(things.c.name == bindparam("b_name")))
    assert by_name.one(db, {"b_name": "thing 4"}).scalars().all() == [4]


def test_no_parameter_is_enough(db: Connection) -> None:
    """A statement without parameters runs, too."""
    assert Prepared(select(func.count()).select_from(things)).one(db, {}).scalar() == 5


def test_parameters_are_never_part_of_the_sql(db: Connection) -> None:
    """What looks like SQL is a value."""
    RENAME.one(db, {"b_from": 5, "b_name": "'; DROP TABLE things; --"})
    assert names(db)[-1] == "'; DROP TABLE things; --"


def test_a_missing_parameter_is_an_error(db: Connection) -> None:
    """A forgotten value is a bug that shows, not a NULL."""
    with pytest.raises(KeyError):
        RENAME.one(db, {"b_from": 1})


def upsert_for(dialect: Any) -> Any:
    """INSERT ... ON CONFLICT, which each dialect's module writes for itself."""
    statement = dialect.insert(things)
    return statement.on_conflict_do_update(index_elements=["n"], set_={"name": statement.excluded.name})


def test_a_statement_may_depend_on_the_database(db: Connection) -> None:
    """A function is given the module of the database that is there."""
    Prepared(upsert_for, ("n", "name", "body")).many(db, [{"n": 1, "name": "one", "body": None}])
    assert names(db)[0] == "one"


def test_a_statement_is_compiled_once(db: Connection) -> None:
    """That is what it is for."""
    asked = []

    def make(dialect: Any) -> Any:
        asked.append(dialect)
        return insert(things)

    prepared = Prepared(make, ("n", "name"))
    for n in (7, 8, 9):
        prepared.one(db, {"n": n, "name": "more"})
    assert len(asked) == 1
    assert names(db)[5:] == ["more"] * 3


class Recorded:
    """A connection to a PostgreSQL that is not there: it shows what its driver would be given."""

    rowcount = -1

    def __init__(self) -> None:
        self.dialect = postgresql.psycopg.dialect(paramstyle="format")
        self.given: list[tuple[str, Any]] = []
        self.connection = self

    def cursor(self) -> Recorded:
        """The driver's cursor."""
        return self

    def close(self) -> None:
        """Nothing is open."""

    def execute(self, sql: str, parameters: Any) -> Any:
        """What the driver would be given."""
        self.given.append((" ".join(sql.split()), parameters))
        return SimpleNamespace(rowcount=-1)

    exec_driver_sql = executemany = execute


def test_postgresql_gets_its_own_words() -> None:
    """The same statement goes to the other database with its placeholders and types."""
    db: Any = Recorded()
    BETWEEN.one(db, {"b_above": 1, "b_below": 9, "b_limit": 2})
    Prepared(upsert_for, ("n", "name")).many(db, [{"n": 1, "name": "one"}])
    (sql, parameters), (upsert, rows) = db.given
    assert "things.n > %s::INTEGER" in sql
    assert parameters == (1, 9, "thing 3", 2)
    assert "ON CONFLICT (n) DO UPDATE SET name = excluded.name" in upsert
    assert rows == (1, "one")


def test_upserts_of_many_rows_stay_apart_on_postgresql() -> None:
    """There one statement may not change the same row twice; plain rows still go together."""
    db: Any = Recorded()
    rows = [{"n": 1, "name": "one", "body": b""}] * 4
    Prepared(upsert_for, ("n", "name", "body")).many(db, rows)
    INSERT.many(db, rows)
    (_, apart), (together, values) = db.given
    assert apart == [(1, "one", b"")] * 4
    assert together.count("(%s::INTEGER, %s::VARCHAR, %s)") == 4
    assert values == (1, "one", b"") * 4


def test_both_databases_can_be_served_in_turn(db: Connection) -> None:
    """One process may look into two stores: neither gets the other's SQL."""
    other: Any = Recorded()
    count = Prepared(select(literal_column("1")).where(bindparam("b_x") == 1))
    assert count.one(db, {"b_x": 1}).scalar() == 1
    count.one(other, {"b_x": 1})
    assert count.one(db, {"b_x": 1}).scalar() == 1
    assert "%s" in other.given[0][0]
