"""What every command starts from: which settings file, what it says, which store, and who is asking.

Rules of this file: nothing is read before a command asks for it, so that `--help` needs no file. A command
that only reads opens no writer; only `opened(new=True)` makes a store.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from bridge.errors import NoStore, StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bridge.config import Settings, Survey
    from bridge.store.database import Database

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Root:
    """The context object of the command line."""

    config: Path

    def settings(self) -> Settings:
        """The settings, well formed; raises ConfigError with all problems. Secrets are not read."""
        from bridge import config

        return config.load(self.config, os.environ)

    def unlocked(self) -> Settings:
        """The settings, complete enough to run, secrets read; raises ConfigError with all problems."""
        from bridge import config

        return config.unlock(self.settings())

    def examined(self) -> Survey:
        """The settings as far as they can be read, and all that is wrong with them; raises ConfigError when
        there are none."""
        from bridge import config

        return config.examine(self.config, os.environ)

    def read(self, query: Callable[[Connection], Result]) -> Result:
        """Ask the store; raises StoreError when there is none, or it cannot be read."""
        with reading(self.settings()) as db:
            return query(db)

    def act(self, job: Callable[[Database], Awaitable[Result]]) -> Result:
        """Do something to the store, beside the daemon or without one."""
        return act_on(self.settings(), job)


pass_root = click.make_pass_decorator(Root)


# --- the store ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def reading(settings: Settings, *, damaged: bool = False) -> Iterator[Connection]:
    """A connection to the store in one transaction that only reads: all its answers are of one moment.

    Raises StoreError when there is none, or it cannot be read. For whoever looks for damage (`damaged`), not
    even the version of its tables is read first.
    """
    import sqlite3

    from sqlalchemy.exc import SQLAlchemyError

    from bridge.cli.compose import keeper
    from bridge.store.causes import cause
    from bridge.store.engines import open_engine, place

    _require(settings.store.url)
    engine = open_engine(settings.store.url, keeper(settings))
    try:
        with engine.connect() as db, db.begin():
            if not damaged:
                _require_version(db, settings.store.url)
            elif db.dialect.name != "sqlite":  # where a store that is not there is no missing file
                _require_tables(db, settings.store.url)
            yield db
    except sqlite3.Error as error:
        raise StoreError(f"the database cannot be read: {error}.") from None
    except SQLAlchemyError as error:
        raise StoreError(f"{place(settings.store.url)} cannot be read: {cause(error)}.") from None
    finally:
        engine.dispose()


@contextlib.asynccontextmanager
async def opened(settings: Settings, *, new: bool = False) -> AsyncIterator[Database]:
    """The store, open for a person's acts; with `new`, made if there is none yet.

    Raises StoreError when there is none, or it cannot be read.
    """
    from bridge.cli import compose
    from bridge.store.database import create
    from bridge.store.writer import require_open

    if new:
        now = compose.WallClock().now()
        create(settings.store.url, now, settings.store.lanes, compose.keeper(settings))
    with reading(settings) as db:  # a store that cannot be used says so before the writer starts
        require_open(db)
    store = compose.store(settings)
    try:
        yield store
    finally:
        store.close()


def act_on(settings: Settings, job: Callable[[Database], Awaitable[Result]]) -> Result:
    """Do something to the store, in a loop of its own."""

    async def work() -> Result:
        async with opened(settings) as store:
            return await job(store)

    return asyncio.run(work())


def _require(url: str) -> None:
    from sqlalchemy import make_url

    address = make_url(url)
    path = address.database or ""
    if address.get_backend_name() == "sqlite" and not Path(path).exists():
        raise NoStore(f"there is no store at {path} yet: `weighbridge run` makes it when it first starts.")


def _require_tables(db: Connection, url: str) -> None:
    from sqlalchemy import inspect

    from bridge.store.engines import place

    if not inspect(db).has_table("alembic_version"):
        raise NoStore(
            f"there is no store in {place(url)} yet: `weighbridge run` makes it when it first starts."
        )


def _require_version(db: Connection, url: str) -> None:
    from bridge.store.database import CLOSED_SCHEMA, SCHEMA

    _require_tables(db, url)
    found = db.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() or "none"
    if found not in (SCHEMA, CLOSED_SCHEMA):
        raise NoStore(
            f"the store's tables are of version {found} and this program needs {SCHEMA}: start the daemon of "
            "this program once, or use the program that made the store."
        )


# --- what was typed: who acts, why, on what -------------------------------------------------------------


def legible(text: str, what: str) -> str:
    """`text` as it was typed. Raises UsageError for bytes that are no UTF-8: they say nothing, and cannot be
    written down."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        sentence = f"{what} has bytes that are not UTF-8, after {error.start} characters: write it in UTF-8."
        raise click.UsageError(sentence) from None
    return text


Typed = TypeVar("Typed", str, tuple[str, ...], None)


def words(ctx: click.Context, parameter: click.Parameter, value: Typed) -> Typed:
    """The callback of whatever takes what people write, once or several times: see `legible`."""
    typed: tuple[str, ...] = (value,) if isinstance(value, str) else value or ()
    for one in typed:
        legible(one, parameter.get_error_hint(ctx))
    return value


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        return ""


def _said(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("say who, and why: it is written down for whoever reads it later.")
    return words(ctx, parameter, value.strip())


person_option = click.option(
    "--as",
    "person",
    metavar="PERSON",
    envvar="WEIGHBRIDGE_PERSON",
    show_envvar=True,
    default=_login_name,
    show_default="your login name",
    callback=_said,
    help="Who does this; goes into the record.",
)

reason_option = click.option(
    "--reason", required=True, metavar="TEXT", callback=_said, help="Why; goes into the record."
)
