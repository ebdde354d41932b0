"""The index on PostgreSQL: tables of its own in the same database, a partition for each month.

    search_words       the tokens of a message as a tsvector, with a GIN index for each month
    search_months      which numbers each month has
    search_positions   how far the ledger was followed
    search_blocks      which numbers were archived when
    search_marks       format and key of all that

Rules of this file: what it keeps is committed together with the position, in a transaction of its own, which
locks none of the rooms' rows. The tables are made when something is first followed, and are no part of the
schema: they may be dropped at any time. Nothing in them is in clear; a tsvector is given tokens alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bridge.errors import StoreError
from bridge.search.document import Need
from bridge.store.directory import Directory
from bridge.store.index import FORMAT, NOTHING_KNOWN, Known, Part, State, Step, Tokens, expression, month_of
from bridge.store.index.blocks import SIZE, Block
from bridge.store.vault import Vault

_FIRST_PAGE, _LARGEST_PAGE = 64, 4096
"""Numbers that are asked for at once: first a screen full, then more and more."""

_TABLES = ("search_words", "search_months", "search_positions", "search_blocks", "search_marks")

_MAKE = (
    "CREATE TABLE search_words (month text, message bigint, tokens tsvector NOT NULL, "
    "PRIMARY KEY (month, message)) PARTITION BY LIST (month)",
    # Without a list of what is to be sorted in later: every search would read it from end to end.
    "CREATE INDEX search_words_tokens ON search_words USING gin (tokens) WITH (fastupdate = off)",
    "CREATE TABLE search_months (month text PRIMARY KEY, first bigint NOT NULL, last bigint NOT NULL)",
    "CREATE TABLE search_positions (lane integer PRIMARY KEY, next bigint NOT NULL)",
    "CREATE TABLE search_blocks (place bigint PRIMARY KEY, messages bigint NOT NULL, "
    "since bigint NOT NULL, until bigint NOT NULL)",
    "CREATE TABLE search_marks (name text PRIMARY KEY, value text NOT NULL)",
)
_THERE = "SELECT to_regclass('search_positions')::oid::bigint"
_MARKS = "SELECT name, value FROM search_marks"
_POSITIONS = "SELECT lane, next FROM search_positions"
_BLOCKS = "SELECT place, messages, since, until FROM search_blocks WHERE place >= %s ORDER BY place"
_MONTHS = "SELECT month, first, last FROM search_months ORDER BY month"
_KEEP_MONTH = (
    "INSERT INTO search_months VALUES (%s, %s, %s) ON CONFLICT (month) DO UPDATE SET "
    "first = least(search_months.first, excluded.first), last = greatest(search_months.last, excluded.last)"
)
_KEEP_WORDS = (
    "INSERT INTO search_words VALUES (%s, %s, array_to_tsvector(string_to_array(%s, ' '))) "
    "ON CONFLICT (month, message) DO UPDATE SET tokens = search_words.tokens || excluded.tokens"
)
_KEEP_POSITION = (
    "INSERT INTO search_positions VALUES (%s, %s) ON CONFLICT (lane) DO UPDATE SET next = excluded.next"
)
_KEEP_BLOCK = (
    "INSERT INTO search_blocks VALUES (%s, %s, %s, %s) ON CONFLICT (place) DO UPDATE "
    "SET messages = excluded.messages, since = excluded.since, until = excluded.until"
)
_FIND = (
    "SELECT message FROM {} WHERE tokens @@ %s::tsquery AND message BETWEEN %s AND %s "
    "ORDER BY message {} LIMIT %s"
)


class Tables:
    """`bridge.store.index.Index` in the store's own database."""

    def __init__(self, vault: Vault) -> None:
        self.directory = Directory()
        self.tokens = Tokens(vault)
        self._table: int | None = None  # the identity of the table of positions that was last read
        self._state = NOTHING_KNOWN

    # what there is

    def state(self, db: Connection) -> State:
        """See `Index`. Nothing but `add`, `replace` and `clear` writes these tables: positions that are the
        same, in the same table, are those of a step that was read already."""
        table = _rows(db, _THERE)[0][0]
        if table is None:
            return NOTHING_KNOWN
        if table != self._table:
            if {row[0]: row[1] for row in _rows(db, _MARKS)} != self._marks():
                return NOTHING_KNOWN
            self._table, self._state = table, NOTHING_KNOWN
        positions = {row[0]: row[1] for row in _rows(db, _POSITIONS)}
        if positions != self._state.positions:
            known = self._state.blocks
            later = [Block(*row) for row in _rows(db, _BLOCKS, (known.end // SIZE,))]
            parts = [Part(*row) for row in _rows(db, _MONTHS)]
            self._state = State(positions, known.followed_by(later), parts)
        return self._state

    def _marks(self) -> dict[str, str]:
        return {"format": FORMAT, "check": self.tokens.check}

    # looking things up

    def offer(
        self, db: Connection, need: Need, first: int, last: int, *, newest_first: bool
    ) -> Iterator[int]:
        """See `Index`."""
        parts = [part for part in self.state(db).parts if part.first <= last and part.last >= first]
        size = _FIRST_PAGE
        while first <= last:
            found = self._page(db, parts, need, (first, last, size), newest_first)
            yield from found
            if len(found) < size:
                return
            size = min(4 * size, _LARGEST_PAGE)
            first, last = (first, found[-1] - 1) if newest_first else (found[-1] + 1, last)

    def _page(
        self,
        db: Connection,
        parts: Sequence[Part],
        need: Need,
        among: tuple[int, int, int],
        newest_first: bool,
    ) -> list[int]:
        """The next numbers from first to last, as many as `among` says, from as many months as it takes;
        months that overlap are read together."""
        found: list[int] = []
        order = sorted(parts, key=attrgetter("last" if newest_first else "first"), reverse=newest_first)
        for part in order:
            if len(found) >= among[2] and _behind(part, found, newest_first):
                break
            statement = _FIND.format(_partition(part.name), "DESC" if newest_first else "ASC")
            query = expression(need, self.tokens.of(part.name), "'", "&", "|")
            found += _planned(db, statement, (query, *among))
            found = sorted(set(found), reverse=newest_first)[: among[2]]
        return found

    # keeping things

    def add(self, db: Connection, step: Step) -> bool:
        """See `Index`."""
        with _writing(db) as tx:
            if self.state(tx) is NOTHING_KNOWN:
                self._make(tx)
            _run(tx, "LOCK TABLE search_positions IN EXCLUSIVE MODE")
            if self.state(tx).positions != dict(step.before):
                return False
            self._fill(tx, step.known)
            _each(tx, _KEEP_BLOCK, [(b.place, b.messages, b.since, b.until) for b in step.blocks])
            _each(tx, _KEEP_POSITION, list(step.after.items()))
        return True

    def _fill(self, tx: Connection, known: Sequence[Known]) -> None:
        ordered = sorted(known, key=lambda one: (month_of(one.at), one.number))
        for month, group in groupby(ordered, key=lambda one: month_of(one.at)):
            name = _partition(month)
            _run(tx, f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF search_words FOR VALUES IN ('{month}')")
            rows = [(month, one.number, self.tokens.text(month, one.words)) for one in group]
            _each(tx, _KEEP_WORDS, rows)
            _run(tx, _KEEP_MONTH, (month, rows[0][1], rows[-1][1]))

    def _make(self, tx: Connection) -> None:
        self._drop(tx)
        for statement in _MAKE:
            _run(tx, statement)
        _each(tx, "INSERT INTO search_marks VALUES (%s, %s)", list(self._marks().items()))

    def replace(self, db: Connection, part: Part, known: Iterator[Known]) -> None:
        """See `Index`."""
        with _writing(db) as tx:
            _run(tx, "DELETE FROM search_words WHERE month = %s", (part.name,))
            self._fill(tx, list(known))

    def forget(self, db: Connection, months: Mapping[str, Sequence[int]]) -> None:
        """See `Index`. The rows are deleted here; what was in them goes when the server vacuums the table."""
        if self.state(db) is NOTHING_KNOWN:
            return
        with _writing(db) as tx:
            _run(tx, "LOCK TABLE search_positions IN EXCLUSIVE MODE")
            for month, numbers in months.items():
                words = "DELETE FROM search_words WHERE month = %s AND message = ANY(%s)"
                _run(tx, words, (month, list(numbers)))
            _run(tx, "UPDATE search_positions SET next = greatest(0, next - 1)")
        self._table = None

    def tidy(self, db: Connection) -> bool:
        """See `Index`. The server does that by itself."""
        return False

    def clear(self, db: Connection) -> None:
        """See `Index`."""
        with _writing(db) as tx:
            self._drop(tx)

    def _drop(self, tx: Connection) -> None:
        for table in _TABLES:
            _run(tx, f"DROP TABLE IF EXISTS {table}")

    def close(self) -> None:
        """See `Index`. There are no files."""


class _writing:
    """A transaction of its own that writes, on another connection to the database of `db`.

    Raises StoreError when it fails.
    """

    def __init__(self, db: Connection) -> None:
        self._engine = db.engine

    def __enter__(self) -> Connection:
        self._begun = self._engine.execution_options(writes=True).begin()
        return self._begun.__enter__()

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._begun.__exit__(kind, error, trace)
        if isinstance(error, SQLAlchemyError):
            cause = error.__cause__ or type(error).__name__
            raise StoreError(f"the search index cannot be written: {cause}") from None


def _rows(db: Connection, statement: str, values: tuple = ()) -> Sequence[Any]:
    return db.exec_driver_sql(statement, values).all()


def _planned(db: Connection, statement: str, values: tuple) -> list[int]:
    """The numbers that a statement gives, planned for these very values: whether a word is rare decides
    whether its list is read, or messages one after the other. (A prepared statement has one plan for all.)"""
    cursor = db.connection.cursor()
    try:
        cursor.execute(statement, values, prepare=False)  # type: ignore[call-arg]
        return [row[0] for row in cursor.fetchall()]
    except db.dialect.loaded_dbapi.Error as error:
        raise StoreError(f"the search index could not be read: {error}") from None
    finally:
        cursor.close()


def _partition(month: str) -> str:
    """The table of a month."""
    return "search_words_" + month.replace("-", "_")


def _run(tx: Connection, statement: str, values: tuple = ()) -> None:
    tx.exec_driver_sql(statement, values)


def _each(tx: Connection, statement: str, rows: Sequence[tuple]) -> None:
    if rows:
        tx.exec_driver_sql(statement, list(rows))


def _behind(part: Part, found: Sequence[int], newest_first: bool) -> bool:
    """Whether every number of `part` comes behind those that were found."""
    return part.last < found[-1] if newest_first else part.first > found[-1]
