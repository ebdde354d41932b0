"""Statements compiled once and run by the driver: for the few that every message passes through.

Rules of this file: nothing here knows a table. SQLAlchemy Core writes the SQL; for a statement that runs
thousands of times a second, with values that need no conversion (integers, text, bytes), its own handling
of parameters would cost more than the database's work, so the compiled text goes to the driver as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from types import ModuleType

from sqlalchemy import Connection, CursorResult
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ClauseElement

Make = Callable[[ModuleType], ClauseElement]


class Prepared:
    """A statement and the names of its parameters, compiled at first use for each kind of database.

    `statement` is a Core statement, or a function that makes one from the dialect's module (`insert` with
    ON CONFLICT has no common form). `names` are the columns that an INSERT is given.
    """

    def __init__(self, statement: ClauseElement | Make, names: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._names = names
        self._compiled: dict[str, tuple[str, Callable[[Mapping], object]]] = {}

    def one(self, db: Connection, parameters: Mapping) -> CursorResult:
        """Run it with one set of parameters."""
        sql, arrange = self._of(db)
        return db.exec_driver_sql(sql, arrange(parameters))

    def many(self, db: Connection, rows: Sequence[Mapping]) -> CursorResult:
        """Run it with each of `rows`; the answer's `rowcount` counts all of them."""
        sql, arrange = self._of(db)
        return db.exec_driver_sql(sql, [arrange(row) for row in rows])

    def _of(self, db: Connection) -> tuple[str, Callable[[Mapping], object]]:
        name = db.dialect.name
        if name not in self._compiled:
            self._compiled[name] = self._compile(db, sqlite if name == "sqlite" else postgresql)
        return self._compiled[name]

    def _compile(self, db: Connection, module: ModuleType) -> tuple[str, Callable[[Mapping], object]]:
        statement = self._statement if isinstance(self._statement, ClauseElement) else self._statement(module)
        compiled = statement.compile(dialect=db.dialect, column_keys=self._names)
        fixed = {name: bind.value for name, bind in compiled.binds.items() if bind.value is not None}
        if not compiled.positional:
            return str(compiled), lambda parameters: {**fixed, **parameters}
        order = compiled.positiontup or []
        if fixed:
            return str(compiled), lambda parameters: tuple(
                parameters[name] if name in parameters else fixed[name] for name in order
            )
        if len(order) < 2:  # where itemgetter would give no tuple
            return str(compiled), lambda parameters: tuple(parameters[name] for name in order)
        return str(compiled), itemgetter(*order)
