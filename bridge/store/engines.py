"""The two engines behind one store: which of them an address names, and what the rest asks of either.

Rules of this file: what differs between the two stands in `sqlite` and `postgresql`, which answer the same
questions under the same names. Whoever needs a difference asks here; nobody else compares names of dialects
in order to write.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

from sqlalchemy import URL, Connection, Engine, Table, make_url

from bridge.keepers import KeyFile
from bridge.ports import KeyKeeper
from bridge.store import postgresql, sqlite
from bridge.store.vault import Vault

Row: TypeAlias = tuple[Any, ...]
"""Plain values, as the driver gives and takes them."""


class Held(Protocol):
    """The proof that a lane is worked by this process alone: it ends with the process, however that ends.

    `proves_death`: it ends in no other way, so whoever has it now knows that all who had it are dead.
    """

    proves_death: bool

    def check(self) -> None:
        """Raise StoreError when the proof is no more: somebody else may have it by now."""

    def release(self) -> None:
        """Give it up."""


class _Kind(Protocol):
    """What each engine's module answers."""

    def make(self, address: URL) -> Engine:
        """An engine whose every commit is on the disk when it returns, and whose transactions begin with a
        snapshot; those of `execution_options(writes=True)` write."""

    def prepare(self, address: URL) -> None:
        """What has to be there before the first connection."""

    def alone(self, db: Connection) -> None:
        """Let nobody else make or migrate the store while this transaction lasts."""

    def partition(self, db: Connection, lane: int) -> None:
        """Make room for the entries of a lane."""

    def fill(self, db: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Insert many rows, as fast as this engine can."""

    def hold(self, engine: Engine, lane: int) -> Held | None:
        """The proof for `lane`; None where this engine has none. Raises Conflict while another process that
        lives has it."""

    def doubts(self, db: Connection) -> list[str]:
        """What is not as it should be about who we are in the database, and which one it is."""

    def place(self, address: URL) -> str:
        """Where the store is, for people: without a password."""


def _kind(name: str) -> _Kind:
    return cast(_Kind, sqlite if name == "sqlite" else postgresql)


def address_of(url: str) -> URL:
    """An address as SQLAlchemy takes it: `postgresql://` means the one driver that we use."""
    address = make_url(url)
    return address.set(drivername=postgresql.DRIVER) if address.drivername == "postgresql" else address


def open_engine(url: str, keeper: KeyKeeper | None = None) -> Engine:
    """An engine whose connections are durable at every commit, and whose queries open what is sealed.

    `keeper` has the master key; without one it is the file `secrets/store-key` beside the database, or in
    the working folder when the database is on a server. Statements' parameters never appear in error texts:
    they hold what people wrote.
    """
    address = address_of(url)
    engine = _kind(address.get_backend_name()).make(address)
    engine.dialect.vault = Vault(engine, keeper or _beside(address))  # type: ignore[attr-defined]
    return engine


def _beside(address: URL) -> KeyKeeper:
    folder = Path(address.database or "").parent if address.get_backend_name() == "sqlite" else Path()
    return KeyFile(folder / "secrets" / "store-key")


def prepare(url: str) -> None:
    """What has to be there before the first connection. Raises StoreError when it cannot be made."""
    address = address_of(url)
    _kind(address.get_backend_name()).prepare(address)


def alone(db: Connection) -> None:
    """Let nobody else make or migrate the store while this transaction lasts."""
    _kind(db.dialect.name).alone(db)


def partition(db: Connection, lane: int) -> None:
    """Make room for the entries of a lane."""
    _kind(db.dialect.name).partition(db, lane)


def fill(db: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows of `columns` as they are given, nothing sealed or converted."""
    _kind(db.dialect.name).fill(db, table, columns, rows)


def hold(engine: Engine, lane: int) -> Held | None:
    """The proof that this process alone works `lane`; None where there can be none. Raises Conflict while
    another process has it."""
    return _kind(engine.dialect.name).hold(engine, lane)


def doubts(db: Connection) -> list[str]:
    """What works and is still unwise about the connection to a store, each with its remedy."""
    return _kind(db.dialect.name).doubts(db)


def place(url: str) -> str:
    """Where a store is, for people: the file, or database and host; never a password."""
    address = address_of(url)
    return _kind(address.get_backend_name()).place(address)
