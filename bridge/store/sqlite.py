"""SQLite, the embedded engine: its settings, the file's rights, and the lock that proves a daemon dead.

Rules of this file: only what `engines` asks of both kinds. No table is known here.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event

from bridge.errors import Conflict, StoreError

_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "busy_timeout=10000",
    "temp_store=MEMORY",
    "secure_delete=ON",
    "cache_size=-32000",
    "wal_autocheckpoint=4000",
)


def make(address: URL) -> Engine:
    """An engine whose connections are durable at every commit.

    WAL lets readers read while the writer writes; `synchronous=FULL` flushes the log at each commit, so
    that a committed message survives the loss of power (SQLite documentation, PRAGMA synchronous).
    """
    engine = create_engine(address, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def configure(connection: object, _: object) -> None:
        connection.isolation_level = None  # "begin" below is the only one
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def prepare(address: URL) -> None:
    """Make a file that nobody else may read; its log files get the same rights from SQLite.

    A file that is there is never opened: closing it again would drop every lock that this process has on
    it (POSIX), SQLite's own among them, and another process might then take its log away.
    """
    path = address.database
    if not path or path == ":memory:":
        return
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise StoreError(f"the database {path} cannot be opened: {error.strerror}") from None


def alone(db: Connection) -> None:
    """Whoever writes to a file is alone."""


def partition(db: Connection, lane: int) -> None:
    """A file has room for all."""


def fill(db: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """One statement, prepared once."""
    if rows:
        marks = ", ".join("?" * len(columns))
        db.exec_driver_sql(f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks})", list(rows))


class _Lock:
    """A lock on a file beside the database, which the system drops when its process ends."""

    proves_death = True

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def check(self) -> None:
        """The system takes no lock away from a process that lives."""

    def release(self) -> None:
        """Drop it."""
        os.close(self._handle)


def hold(engine: Engine, lane: int) -> _Lock | None:
    """The lock on this store's file (one lane is all it has); None for a database in memory."""
    path = engine.url.database
    if not path or path == ":memory:":
        return None
    handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise Conflict("another daemon works this store; stop it first (`weighbridge status`)") from None
    return _Lock(handle)


def doubts(_: Connection) -> list[str]:
    """Nothing: a file has no roles."""
    return []


def place(address: URL) -> str:
    """The file."""
    return address.database or "memory"
