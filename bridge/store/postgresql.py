"""PostgreSQL, the engine on a server: its connections, and the lock that proves a daemon dead.

Rules of this file: only what `engines` asks of both kinds. Passwords come by libpq's own ways (PGPASSWORD, a
password file, a service, certificates) or in the address, and never leave it: errors name host and database.

    writing    READ COMMITTED, behind a lock on the rows of `lanes` (see `writer`): one writer at a time
    reading    REPEATABLE READ, read only: all answers of one transaction are of one moment
    owning     an advisory lock of a connection of its own: the server drops it when that connection ends
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    String,
    Table,
    create_engine,
    event,
    text,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

from bridge.errors import Conflict, StoreError

DRIVER = "postgresql+psycopg"

OLDEST = 15
"""The oldest major version of the server that will do."""

_PARTITIONED = ("ledger", "content", "data_keys")
"""Tables of which each lane has a part of its own."""

_MAKING = 0x7767_6272_6964_6765
"""The advisory lock of whoever makes or migrates a store."""

# A host that vanished says no goodbye. Both sides notice within about the time of a lease: ours below, the
# server's in _SETTINGS, so that it drops locks of the dead (PostgreSQL documentation, 19.3.2 and 34.1.2).
_CONNECT = {
    "application_name": "weighbridge",
    "connect_timeout": "10",
    "keepalives_idle": "5",
    "keepalives_interval": "3",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
}
_SETTINGS = {
    "synchronous_commit": "on",
    "lock_timeout": "10s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "15000",
}

_WRITING = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


def make(address: URL) -> Engine:
    """An engine whose connections are durable at every commit.

    Raises StoreError, when it connects, for a server that is too old, does not flush, or has no UTF-8.
    """
    ours = {name: value for name, value in _CONNECT.items() if name not in address.query}
    engine = create_engine(address, hide_parameters=True, paramstyle="format", connect_args=ours)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        from psycopg.types.numeric import Int8Dumper

        connection.autocommit = True  # "begin" below is the only one
        # One type for all numbers: the server knows a statement again whatever their size.
        connection.adapters.register_dumper(int, Int8Dumper)
        if problem := _unfit(connection):
            connection.close()
            raise StoreError(f"{place(address)}: {problem}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql(_WRITING if writes else _READING)

    @event.listens_for(engine, "commit")
    def commit(connection: Connection) -> None:
        # The server answers COMMIT of a transaction that failed with a rollback, and no error.
        driver: Any = connection.connection.dbapi_connection
        if driver.info.transaction_status.name == "INERROR":
            raise StoreError("a statement of this transaction failed: nothing of it was kept")

    return engine


def _unfit(connection: Any) -> str:
    """Why this server will not do, with the remedy; "" when it does. Sets the connection up."""
    version = connection.info.server_version // 10_000
    if version < OLDEST:
        return f"PostgreSQL {version} is too old: version {OLDEST} or later is needed"
    settings = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in _SETTINGS.items())
    query = f"SELECT current_setting('fsync'), current_setting('server_encoding'), {settings}"
    fsync, encoding, *_ = connection.execute(query).fetchone()
    if fsync != "on":
        return "the server runs with fsync = off, so what it says is committed may be lost: switch it on"
    if encoding != "UTF8":
        return f"the database's encoding is {encoding}: make one with ENCODING 'UTF8'"
    return ""


def prepare(address: URL) -> None:
    """The database is made by whoever runs the server."""


def alone(db: Connection) -> None:
    """Wait until nobody else makes or migrates a store in this database."""
    db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MAKING})


def partition(db: Connection, lane: int) -> None:
    """A part of each big table for the entries of `lane`."""
    for table in _PARTITIONED:
        statement = f"CREATE TABLE {table}_{lane} PARTITION OF {table} FOR VALUES IN ({lane})"
        db.exec_driver_sql(statement)


def fill(db: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """COPY, in binary: nothing is quoted, and sealed bytes are sent as they are. Raises StoreError."""
    from psycopg import Error

    driver: Any = db.connection.dbapi_connection
    statement = f"COPY {table.name} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as into:
            into.set_types([_type(table.c[name].type) for name in columns])
            for row in rows:
                into.write_row(row)
    except Error as error:
        primary = error.diag.message_primary or type(error).__name__
        raise StoreError(f"{place(db.engine.url)}, table {table.name}: {primary}") from None


def _type(of: TypeEngine[Any]) -> str:
    """The server's name for a column's type."""
    plain = of.impl if isinstance(of, TypeDecorator) else of
    names = {LargeBinary: "bytea", BigInteger: "int8", Integer: "int4", String: "text"}
    return next(name for kind, name in names.items() if isinstance(plain, kind))


class _Lock:
    """An advisory lock, held by a connection that does nothing else: whoever lost it may live."""

    proves_death = False

    def __init__(self, connection: Any, where: str) -> None:
        self._connection, self._where = connection, where

    def check(self) -> None:
        """Raises StoreError when the connection was lost, and the lock with it."""
        from psycopg import Error

        try:
            self._connection.execute("SELECT 1")
        except Error:
            raise StoreError(
                f"{self._where}: the connection that shows that this daemon lives was lost"
            ) from None

    def release(self) -> None:
        """End the connection."""
        self._connection.close()


_PATIENCE_MS = 1_000
"""How long a lock is waited for that a dead process may still seem to have."""


def hold(engine: Engine, lane: int) -> _Lock:
    """The lock on `lane` of the store behind `engine`. Raises Conflict while another process has it.

    A moment is waited for it: a server takes that long to see that whoever had it is dead.
    """
    from psycopg.errors import LockNotAvailable

    connection: Any = _apart(engine)
    said = connection.execute("SELECT value FROM meta WHERE key = 'installation'").fetchone()
    connection.execute(f"SET lock_timeout = {_PATIENCE_MS}")
    try:
        connection.execute("SELECT pg_advisory_lock(%s)", (_key(said[0], lane),))
    except LockNotAvailable:
        connection.close()
        raise Conflict("another daemon works this store; stop it first (`weighbridge status`)") from None
    return _Lock(connection, place(engine.url))


def _apart(engine: Engine) -> object:
    """A connection that belongs to no pool, and is never made again by itself."""
    pooled = engine.raw_connection()
    connection = pooled.dbapi_connection
    pooled.detach()
    return connection


def _key(installation: str, lane: int) -> int:
    """The number of an advisory lock: 64 bits of a hash, as the signed number that the server takes."""
    name = f"weighbridge/{installation}/lane/{lane}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


def doubts(db: Connection) -> list[str]:
    """A role that may do everything, or the server's own database: whoever has our password, or restores
    another's backup, reaches further than this store. And one that does not own the database: it cannot take
    what was destroyed out of the planner's samples."""
    superuser, database, owns = db.exec_driver_sql(
        "SELECT current_setting('is_superuser'), current_database(), pg_has_role(datdba, 'USAGE') "
        "FROM pg_database WHERE datname = current_database()"
    ).one()
    found = []
    if not owns:
        found.append(
            f"the role does not own the database: after a disposal, ids of networks stay readable in its "
            f"statistics, and the disposal is never settled (ALTER DATABASE {database} OWNER TO the role)"
        )
    if superuser == "on":
        found.append("the role is a superuser: give the store one that owns its database and nothing else")
    if database == "postgres":
        found.append("the database is the server's own: make one for the store (CREATE DATABASE)")
    return found


def place(address: URL) -> str:
    """Database and host, or the service that names them."""
    query = address.query
    if "service" in query:
        return f"PostgreSQL service {query['service']}"
    host = address.host or query.get("host") or "this machine"
    port = f":{address.port}" if address.port else ""
    return f"PostgreSQL database {address.database or query.get('dbname') or 'by default'} at {host}{port}"
