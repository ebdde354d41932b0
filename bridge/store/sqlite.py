"""SQLite, the embedded engine: its settings, the file's rights, and the lock that proves a daemon dead.

Rules of this file: only what `engines` asks of both kinds. No table is known here.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import time
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
        connection.text_factory = readable
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def readable(text: bytes) -> str:
    """The words of a column, also of one that is no UTF-8 (which SQLite takes from anybody): what cannot be
    read stands there as numbers of bytes. The bridge wrote nothing of the kind: who compares it finds it."""
    return text.decode("utf-8", "backslashreplace")


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


READ = "somebody reads in the database since before"
"""Why nothing can be written anew: what such a reader sees has to stay."""

WRITTEN = "somebody writes to the database, and does not end"
WORKED = "a daemon works the store, and would wait for it too long: stop the daemon meanwhile"
FULL = "there is no room to write all of it once more"
FAILED = "the database failed: {name} ({said})"
"""Why it could not be done, where it is nobody else's doing: the engine's name of it, and its words."""

_BRIEF = 3.0
"""Seconds that the first half of writing a file anew may take while a daemon waits: it waits ten in all."""


def rewrite(engine: Engine, patience: float, brief: float = 0.0) -> str:
    """Write the file anew, from what is in its tables alone, and cut its log off; gives why that could not be
    done, "" when it is done. Readers, and whoever else brings the log into the file, are
    waited for `patience` seconds; `brief` is how many its first half may take (0: any).

    It takes the room of the file twice more, in a folder for temporary files and in the log, and a second or
    so for 100 MB. Nobody writes meanwhile. While a daemon works the store, a file that is too large for the
    time that a daemon waits is left as it is.
    """
    try:
        held = hold(engine, 0)
    except Conflict:
        return _rewrite(engine, patience, min(brief or _BRIEF, _BRIEF))
    except OSError as error:
        return FAILED.format(name=errno.errorcode.get(error.errno or 0, "OSError"), said=error.strerror)
    try:
        return _rewrite(engine, patience, brief or float("inf"))
    finally:
        if held is not None:
            held.release()


def _rewrite(engine: Engine, patience: float, limit: float) -> str:
    try:
        connection = engine.raw_connection()
    except sqlite3.Error as error:
        return _why(error)
    driver: Any = connection.driver_connection
    until = time.monotonic() + limit
    try:
        driver.execute("PRAGMA temp_store=FILE")  # not in memory, as the small things
        driver.execute(f"PRAGMA busy_timeout={round(patience * 1000)}")
        driver.set_progress_handler(lambda: time.monotonic() > until, 10_000)
        driver.execute("VACUUM")
        driver.set_progress_handler(None, 0)
        return _cut(driver, patience)
    except sqlite3.Error as error:
        return _why(error)
    finally:
        connection.invalidate()  # its settings are not those of the others
        connection.close()


def _cut(driver: Any, patience: float) -> str:
    """Bring the log into the file and cut it off; gives who kept it from that, "" for nobody.

    Whoever commits much does the same at once, for as long as that takes, and SQLite waits for no such one by
    itself (its documentation, sqlite3_wal_checkpoint_v2): so it is tried until the patience is over.
    """
    until = time.monotonic() + patience
    while driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if time.monotonic() >= until:
            driver.execute("PRAGMA busy_timeout=0")
            driver.execute("BEGIN IMMEDIATE")  # SQLITE_BUSY where the other one writes
            driver.execute("ROLLBACK")
            return READ
        time.sleep(_PAUSE)
    return ""


_PAUSE = 0.05
"""Seconds between two tries."""

_REASONS = {
    sqlite3.SQLITE_INTERRUPT: WORKED,
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_BUSY: WRITTEN,
    sqlite3.SQLITE_LOCKED: WRITTEN,
}


def _why(error: sqlite3.Error) -> str:
    """What an error means for whoever waits for the file to be written anew."""
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without what an extended code adds
    return _REASONS.get(primary, FAILED.format(name=name, said=error))


def doubts(_: Connection) -> list[str]:
    """Nothing: a file has no roles."""
    return []


def place(address: URL) -> str:
    """The file."""
    return address.database or "memory"
