"""What commands that search have in common: the query, the archive that is asked, what was searched.

Rules of this file: no logic of searching; that is `bridge.search` (what a query means) and the index
(where to look). Here is what commands need to ask, and the sentence that says where they looked.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.audit.looking import Recorder, names_recorded
from bridge.cli.audit.zone import desk_zone, moment, name_of
from bridge.cli.progress import Tell, progress
from bridge.cli.root import legible, reading

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bridge.config import Settings
    from bridge.search.makers import Near
    from bridge.search.query import Query
    from bridge.store.documents import Stored
    from bridge.store.index import Index
    from bridge.store.searching import Page, Searched

PAGE = 500
"""Messages that are opened together."""

LITTLE_BEHIND = 2_000
"""Ledger entries that an index may lack: what they are about is soon opened."""

PATIENCE = 2.0
"""Seconds that a search waits for the index to come nearer."""

no_index_option = click.option(
    "--no-index",
    "indexed",
    flag_value=False,
    default=True,
    help="Open every message of the span: trust no index.",
)

query_argument = click.argument("words", metavar="[QUERY]...", nargs=-1)

QUERYING = {"ignore_unknown_options": True, "help_option_names": ["--help"]}
"""Settings of a command with a query: `-rule:card` belongs to the query, and so no option is one letter."""


def written(words: Sequence[str]) -> str:
    """The query as it was typed. Raises UsageError for what was to be an option and is none; `-h` alone asks
    for help, because nobody searches for whatever has no "h"."""
    if tuple(words) == ("-h",):
        context = click.get_current_context()
        click.echo(context.get_help())
        context.exit()
    for word in words:
        if word.startswith("--"):
            raise click.NoSuchOption(word, ctx=click.get_current_context())
    return legible(" ".join(words).strip(), "the query")


def in_utc(text: str) -> Query:
    """The query, read with times of UTC: what decides about records is the same at every desk. Raises
    QueryError."""
    from bridge.search.query import parse

    return parse(text, datetime.now(UTC), UTC)


def composed(text: str) -> Query:
    """The same of a query that was put together here: as long as it comes to."""
    from bridge.search.grammar import COMPOSED
    from bridge.search.query import parse

    return parse(text, datetime.now(UTC), UTC, limits=COMPOSED)


def matching(db: Connection, text: str) -> Iterator[Stored]:
    """What such a query accepts. No index is asked: an index may hide, and what it hides would stay for
    ever."""
    from bridge.store.searching import every

    return every(db, None, in_utc(text))


@dataclass(frozen=True, slots=True)
class Archive:
    """The archive at one moment, and its index; None where every message is to be opened.

    `strangers` are the conditions of a query whose people nobody in the archive is, nor is named almost like.
    """

    db: Connection
    index: Index | None
    zone: tzinfo
    strangers: list[str] = field(default_factory=list)

    def query(self, text: str, command: str, asking: Callable[[], Recorder]) -> Query:
        """What `text` asks of `command`. Raises QueryError with every problem; when names out of the archive
        explain one, `asking` gives who is told them, and that is recorded before."""
        from bridge.store.looks import Search

        with names_recorded(asking, Search(command, text, 0, indexed=self.index is not None)):
            return self._parsed(text, self._near)

    def _parsed(self, text: str, near: Near) -> Query:
        from bridge.search.query import parse

        return parse(text, datetime.now(self.zone), self.zone, near)

    def _near(self, qualifier: str, value: str) -> Sequence[str]:
        """Known names almost like `value`, when nothing in the archive has that one."""
        from bridge.search.diagnostics import nearest
        from bridge.search.query import nobody
        from bridge.search.writing import quoted

        if not (known := self._known(qualifier)):
            return ()
        if self.page(self._parsed(f"{qualifier}:{quoted(value)}", nobody), 1).documents:
            return ()
        if not (close := nearest(value, known)):
            self.strangers.append(f"{qualifier}:{value}")
        return close

    def _known(self, qualifier: str) -> Sequence[str]:
        """What a value of this qualifier may be: people, labels of people, or tags; else nobody knows."""
        from bridge.search.qualifiers import PEOPLE
        from bridge.store import views

        if qualifier in PEOPLE:
            names = views.names(self.db)
            parts = (part for name in names for part in (name, *re.split(r"[\s.@]+", name)))
            return sorted(set(filter(None, parts)))
        if qualifier == "group":
            return views.labels(self.db)
        return _tags(self.db) if qualifier == "tag" else ()

    def page(self, query: Query, limit: int, seen: int = 0) -> Page:
        """The next `limit` messages behind the one numbered `seen`."""
        from bridge.store.searching import search

        if self.index is not None and not query.needs_scan:
            return search(self.db, self.index, query, limit, seen)
        with progress("searching") as tell:
            return search(self.db, self.index, query, limit, seen, tell)

    def every(self, query: Query, tell: Tell | None = None) -> Iterator[Stored]:
        """All messages that fulfil the query."""
        from bridge.store.searching import every

        return every(self.db, self.index, query, tell)

    def searched(self, query: Query) -> Searched:
        """Where a query looks."""
        from bridge.store.searching import searched

        return searched(self.db, self.index, query)

    def root_of(self, lane: int, size: int) -> str:
        """The root of a lane's tree when it had `size` entries; "" if that is not known."""
        from sqlalchemy import select

        from bridge.store.schema import heads

        chosen = select(heads.c.root).where(heads.c.lane == lane, heads.c.size == size)
        root = self.db.execute(chosen).scalar()
        return root.hex() if root else ""


def _tags(db: Connection) -> Sequence[str]:
    """The tags that the policies in force give."""
    from bridge.errors import StoreError
    from bridge.policy import assemble
    from bridge.store.policies import sources_of
    from bridge.store.views import policies

    with contextlib.suppress(StoreError):
        found, _ = assemble(sources_of(db, [digest for _, digest in policies(db)]))
        rules = (rule for one in found.policies for rule in one.model.rules) if found else ()
        return sorted({tag for rule in rules for tag in rule.then.tag})
    return ()


@contextlib.contextmanager
def archive(settings: Settings, zone: tzinfo | None, *, indexed: bool = True) -> Iterator[Archive]:
    """The archive, open to be searched, with its index or without. Raises StoreError when there is none."""
    asked_in = desk_zone(zone, settings.audit.timezone)
    with reading(settings) as db, _index(db, settings) if indexed else contextlib.nullcontext() as index:
        yield Archive(db, index, asked_in)


@contextlib.contextmanager
def _index(db: Connection, settings: Settings) -> Iterator[Index]:
    from bridge.cli.compose import index_folder
    from bridge.store.searching import open_index

    with contextlib.closing(open_index(db.engine, index_folder(settings))) as index:
        _follow(db, index)
        yield index


def _follow(db: Connection, index: Index) -> None:
    """Let an index that no daemon keeps come nearer, for a moment. A search is complete without it."""
    from bridge.errors import StoreError
    from bridge.store.index.following import approach, behind

    if behind(db, index) <= LITTLE_BEHIND:
        return
    try:
        with progress("Following with the search index") as tell:
            left = approach(db.engine, index, PATIENCE, tell)
    except StoreError as error:
        output.note(str(error))
        return
    if left:
        output.note(
            f"The search index is {left:,} ledger entries behind: what it does not know is opened, message "
            "by message. A daemon that runs completes it, and so does `weighbridge audit reindex`."
        )


# --- what was searched ----------------------------------------------------------------------------------


def covered(asked: Archive, searched: Searched) -> dict[str, Any]:
    """What was searched, as JSON: how much, from when to when, and the ledger that it stands in."""
    return {
        "messages": searched.messages,
        "first_at": searched.first_at,
        "last_at": searched.last_at,
        "opened": searched.opened,
        "behind": searched.behind,
        "indexed": searched.indexed,
        "broken": searched.broken,
        "ledger": [
            {"lane": lane, "size": size, "root": asked.root_of(lane, size)}
            for lane, size in searched.sizes.items()
        ],
        "timezone": name_of(asked.zone),
    }


def sentence(asked: Archive, searched: Searched) -> str:
    """What was searched, in words."""
    first, last = (moment(at, asked.zone) for at in (searched.first_at, searched.last_at))
    when = f", {first:%-d %b %Y} – {last:%-d %b %Y}" if searched.messages else ""
    ledger = "; ".join(
        f"{f'lane {lane} ' * (len(searched.sizes) > 1)}to #{size:,} (root {asked.root_of(lane, size)[:8]}…)"
        for lane, size in searched.sizes.items()
    )
    counted = output.counted(message=searched.messages)
    looked, zone = _looked(searched), name_of(asked.zone)
    return f"Searched: {counted}{when}, sealed; ledger {ledger}.{looked} Times: {zone}."


def _looked(searched: Searched) -> str:
    """How it was looked: through the index and how far that is, or message by message."""
    if not searched.indexed:
        return " The index was not asked: each message was opened."
    opened = f"{searched.opened:,} opened" if searched.opened else "Index"
    return f" {opened}{_lag(searched.behind)}." if searched.opened or searched.behind else ""


def _lag(behind: int) -> str:
    """How far the index is behind; what it has not reached is searched all the same."""
    if behind < 0:
        return " (the index is far behind: all were looked at)"
    return f" ({behind:,} not in the index yet: looked at one by one)" if behind else ""
