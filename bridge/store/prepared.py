"""Statements compiled once and run by the driver: for the few that every message passes through.

Rules of this file: nothing here knows a table. SQLAlchemy Core writes the SQL; for a statement that runs
thousands of times a second, with values that need no conversion (integers, text, bytes), its own handling
of parameters would cost more than the database's work, so the compiled text goes to the driver as it is.
(A query of sealed columns goes the long way: its results have to be opened.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import chain
from operator import itemgetter
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, CursorResult
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement

from bridge.errors import StoreError
from bridge.store.causes import cause
from bridge.store.vault import Sealed

Make = Callable[[ModuleType], ClauseElement]

_CHUNKS = (64, 16, 4)
"""How many rows an INSERT takes at once: few sizes, so that the driver knows the statements again."""


_ROW = re.compile(r"VALUES (\([^()]*\))")
_PLACE = re.compile(r"\?|%s")


@cache
def _of_rows(sql: str, width: int, size: int) -> str:
    """The INSERT `sql` of one row of `width` values, for `size` rows; "" when it is none.

    An upsert of many rows is none on PostgreSQL: there, one statement may not change the same row twice.
    """
    found = _ROW.search(sql)
    if not found or len(_PLACE.findall(found[1])) != width or ("%s" in sql and "ON CONFLICT" in sql):
        return ""
    return f"{sql[: found.start(1)]}{', '.join([found[1]] * size)}{sql[found.end(1) :]}"


def _failure(db: Connection, sql: str, error: Exception) -> Exception:
    """What SQLAlchemy makes of an error of the driver, without the values."""
    wrapped: Exception = DBAPIError.instance(
        sql, None, error, db.dialect.loaded_dbapi.Error, hide_parameters=True, dialect=db.dialect
    )
    return wrapped


def plainly(db: Connection, sql: str) -> None:
    """Run a statement that has no values and no answer, such as SAVEPOINT. Raises DBAPIError."""
    cursor = db.connection.cursor()
    try:
        cursor.execute(sql)
    except db.dialect.loaded_dbapi.Error as error:
        raise _failure(db, sql, error) from error
    finally:
        cursor.close()


class Prepared:
    """A statement and the names of its parameters, compiled at first use for each kind of database.

    `statement` is a Core statement, or a function that makes one from the dialect's module (`insert` with
    ON CONFLICT has no common form). `names` are the columns that an INSERT is given.
    """

    def __init__(self, statement: ClauseElement | Make, names: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._names = names
        columns = getattr(statement, "selected_columns", ())
        self._opens = any(isinstance(column.type, Sealed) for column in columns)
        self._compiled: dict[str, tuple[str, Callable[[Mapping], object]]] = {}

    def one(self, db: Connection, parameters: Mapping) -> CursorResult:
        """Run it with one set of parameters."""
        if self._opens:
            return db.execute(self._statement, parameters)
        sql, arrange = self._of(db)
        return db.exec_driver_sql(sql, arrange(parameters))

    def rows(self, db: Connection, parameters: Mapping) -> list[Any]:
        """All rows, as `look` gives them. Raises StoreError when it fails."""
        try:
            return self.look(db, parameters)
        except DBAPIError as error:
            raise StoreError(f"the database could not be read: {cause(error)}") from None

    def look(self, db: Connection, parameters: Mapping) -> list[Any]:
        """All rows, as the driver gives them and as it costs least. Raises DBAPIError when it fails."""
        sql, arrange = self._of(db)
        cursor = db.connection.cursor()
        try:
            cursor.execute(sql, arrange(parameters))
            found: list[Any] = cursor.fetchall()
        except db.dialect.loaded_dbapi.Error as error:
            raise _failure(db, sql, error) from error
        finally:
            cursor.close()
        return found

    def value(self, db: Connection, parameters: Mapping) -> Any:
        """The first column of the first row; None when there is none. Raises DBAPIError."""
        found = self.look(db, parameters)
        return found[0][0] if found else None

    def many(self, db: Connection, rows: Sequence[Mapping]) -> int:
        """Run it with each of `rows`; gives how many rows it changed, but for an INSERT. Raises DBAPIError.

        Rows of an INSERT go in as few statements as may be: the interpreter's lock changes hands at every
        step of a statement, and beside a busy loop that costs more than the row.
        """
        sql, arrange = self._of(db)
        values = [arrange(row) for row in rows]
        width = len(self._names or ())
        cursor, changed = db.connection.cursor(), 0
        try:
            for size in _CHUNKS if len(values[0]) == width else ():
                together = _of_rows(sql, width, size) if len(values) >= size else ""
                while together and len(values) >= size:
                    chunk, values = values[:size], values[size:]
                    cursor.execute(together, tuple(chain.from_iterable(chunk)))
            if values:
                cursor.execute(sql, values[0]) if len(values) == 1 else cursor.executemany(sql, values)
                changed = cursor.rowcount
        except db.dialect.loaded_dbapi.Error as error:
            raise _failure(db, sql, error) from error
        finally:
            cursor.close()
        return changed

    def text(self, db: Connection) -> str:
        """The SQL as this kind of database gets it."""
        return self._of(db)[0]

    def _of(self, db: Connection) -> tuple[str, Callable[[Mapping], object]]:
        name = db.dialect.name
        if name not in self._compiled:
            self._compiled[name] = self._compile(db, sqlite if name == "sqlite" else postgresql)
        return self._compiled[name]

    def _compile(self, db: Connection, module: ModuleType) -> tuple[str, Callable[[Mapping], object]]:
        statement = self._statement if isinstance(self._statement, ClauseElement) else self._statement(module)
        compiled = statement.compile(dialect=db.dialect, column_keys=self._names)
        fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        order = compiled.positiontup or []
        if fixed:
            return str(compiled), lambda parameters: tuple(
                parameters[name] if name in parameters else fixed[name] for name in order
            )
        if len(order) < 2:  # where itemgetter would give no tuple
            return str(compiled), lambda parameters: tuple(parameters[name] for name in order)
        return str(compiled), itemgetter(*order)
