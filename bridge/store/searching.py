"""Searching: what the index offers, opened and tried; what it does not know yet as well.

Rules of this file: reads only. A message is shown because it was opened and accepted, never because an index
says so. Messages that the index has not reached are tried directly, so an answer is complete at once: with an
index that is behind or not there it only takes longer. An index that was doctored may hide messages: a search
without one (None) takes nothing from derived data, and opens all of its span.

    offered    numbers by token (index), by state (tables of what is open), or all there are
    waiting    numbers that the ledger speaks of behind the index's position
    tried      in the order asked for, in chunks that grow, until the page is full
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Select, bindparam, func, literal_column, select, union_all

from bridge.flow import DeliveryState, MessageState
from bridge.search.document import Document, Live, Need, Span
from bridge.store import schema as s
from bridge.store.documents import Reading, Stored
from bridge.store.index import Index
from bridge.store.index.blocks import OPEN_END, SIZE, Blocks, Count
from bridge.store.index.following import Advance, waiting
from bridge.store.index.months import FOLDER, Months
from bridge.store.index.plans import plan
from bridge.store.index.tables import Tables
from bridge.store.prepared import Prepared
from bridge.store.rows import is_open, states_in
from bridge.store.vault import vault_of

MOST_WAITING = 20_000
"""Entries behind the index's position from which on everything is tried, instead of what they speak of."""

_LARGEST_CHUNK = 512
_A_FEW = 3
"""Messages beyond a page that are read with it: a token may stand for two words."""


class Query(Protocol):
    """What a search asks for; see `bridge.search.query`."""

    @property
    def need(self) -> Need:
        """What a message must have to be accepted."""

    @property
    def span(self) -> Span:
        """When it must have been archived, and under which number."""

    @property
    def newest_first(self) -> bool:
        """In which order."""

    def accepts(self, document: Document) -> bool:
        """Whether this message is meant."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What an answer is about: how many messages were searched, when the first and last of them were archived
    (milliseconds, 0: none), how many entries each lane had. `opened` messages were opened for it, `broken` of
    them could not be; `behind` were not known to the index yet (-1: very many). Not `indexed`: none was
    asked."""

    messages: int
    first_at: int
    last_at: int
    sizes: Mapping[int, int]
    opened: int
    behind: int
    broken: int = 0
    indexed: bool = True


@dataclass(frozen=True)
class Page:
    """The documents found, in order; whether there are `more`; what was searched for them.

    All are lazy: look at them inside the transaction in which they were found."""

    documents: Sequence[Stored]
    more: bool
    _scan: _Scan

    @cached_property
    def searched(self) -> Searched:
        """What was searched, counted when it is asked for."""
        return self._scan.searched()


def open_index(engine: Engine, folder: Path | None = None) -> Index:
    """The index of the store behind `engine`; on SQLite in `folder`, or beside the database."""
    if engine.dialect.name != "sqlite":
        return Tables(vault_of(engine))
    beside = Path(str(engine.url.database)).parent / FOLDER
    return Months(folder or beside, vault_of(engine))


def search(
    db: Connection,
    index: Index | None,
    query: Query,
    limit: int,
    after: int = 0,
    advance: Advance | None = None,
) -> Page:
    """The first `limit` messages that `query` accepts, behind the message `after` (0: from the beginning).

    Without an index, every message of the query's span is opened.

    Raises ConfigError without the master key, and whatever `advance` raises.
    """
    scan = _Scan(db, index, query, after, advance)
    found = list(islice(scan.accepted(limit + 1), limit + 1))
    return Page(found[:limit], len(found) > limit, scan)


def every(
    db: Connection, index: Index | None, query: Query, advance: Advance | None = None, after: int = 0
) -> Iterator[Stored]:
    """All messages that `query` accepts, in its order, with memory for one chunk of them."""
    return _Scan(db, index, query, after, advance).accepted(_LARGEST_CHUNK)


def searched(db: Connection, index: Index | None, query: Query) -> Searched:
    """What a search would be about, without searching."""
    return _Scan(db, index, query, 0, None).searched()


class _Scan:
    """One search: from numbers to documents."""

    def __init__(
        self, db: Connection, index: Index | None, query: Query, after: int, advance: Advance | None
    ) -> None:
        self.db, self.index, self.query = db, index, query
        self.reading = Reading(db, index.directory if index else None)
        rows = _ARCHIVE.rows(db, {})  # the transaction's view of the archive begins here, the index's later
        self.sizes, self.last = {row[0]: row[1] for row in rows}, rows[0][2] if rows else 0
        self.waiting, self.blocks = _followed(db, index, self.sizes)
        self.first, self.end = self._range(query.span)
        self.low, self.high = self._edge(self.first, self.end)
        if after and query.newest_first:
            self.high = min(self.high, after - 1)
        elif after:
            self.low = max(self.low, after + 1)
        self._advance = advance
        self.opened = self.broken = 0

    def _range(self, span: Span) -> tuple[int, int]:
        """The numbers that the query's span allows; too many rather than too few."""
        low, high = self.blocks.between(span.since, span.until)
        return max(1, low, span.first), min(self.last, high, span.last or self.last)

    def _edge(self, first: int, last: int) -> tuple[int, int]:
        """The same, without the part of a block at which the search begins and which lies beyond the span."""
        span, down = self.query.span, self.query.newest_first
        if down and span.until:
            look = {"b_first": max(first, last - SIZE + 1), "b_last": last, "b_until": span.until}
            rows = _LAST_BEFORE.rows(self.db, look)
            return first, rows[0][0] if rows else look["b_first"] - 1
        if not down and span.since:
            look = {"b_first": first, "b_last": min(last, first + SIZE - 1), "b_since": span.since}
            rows = _FIRST_SINCE.rows(self.db, look)
            return rows[0][0] if rows else look["b_last"] + 1, last
        return first, last

    @cached_property
    def _extent(self) -> Count:
        """How many messages the query's span has, and when the first and last were archived: of whole blocks
        it is known, and asked of the archive at both ends."""
        first, last, span = self.first, self.end, self.query.span
        inner = self.blocks.count(first, last, span.since, span.until)
        both = (self._counted(first, inner.first - 1), self._counted(inner.last + 1, last))
        parts = [one for one in (inner, *both) if one.messages]
        if not parts:
            return Count(0, 1, 0)
        return Count(
            sum(one.messages for one in parts),
            min(one.first for one in parts),
            max(one.last for one in parts),
            min(one.since for one in parts),
            max(one.until for one in parts),
        )

    def _counted(self, first: int, last: int) -> Count:
        """The same of a few numbers, from the archive itself."""
        if first > last:
            return Count(0, first, last)
        span = self.query.span
        look = {"b_first": first, "b_last": last, "b_since": span.since, "b_until": span.until or OPEN_END}
        return Count(*_COUNT.rows(self.db, look)[0])

    # numbers

    def _numbers(self) -> Iterator[int]:
        """The numbers to try, each once, in order."""
        down = self.query.newest_first
        whole = range(self.high, self.low - 1, -1) if down else range(self.low, self.high + 1)
        if self.index is None or self.waiting is None:
            return iter(whole)
        chosen = plan(self.query.need, self._alive)
        if chosen.everything:
            return iter(whole)
        listed = [number for number in chosen.numbers.union(self.waiting) if number in whole]
        if chosen.need is None:
            return iter(sorted(listed, reverse=down))
        offered = self.index.offer(self.db, chosen.need, self.low, self.high, newest_first=down)
        if not listed:
            return offered
        return _once(heapq.merge(sorted(listed, reverse=down), offered, reverse=down))

    def _alive(self, live: Live) -> Sequence[int] | None:
        statement = _LIVE.get((live.name, live.value))
        if statement is None:
            return None
        numbers = [row[0] for row in statement.rows(self.db, {})]
        return None if len(numbers) > _MOST_LIVE else numbers

    # documents

    def accepted(self, most: int) -> Iterator[Stored]:
        """The documents that the query accepts. Chunks begin at what the page lacks, and grow."""
        numbers, accepts = self._numbers(), self.query.accepts
        size = min(most + _A_FEW, _LARGEST_CHUNK)
        while chunk := list(islice(numbers, size)):
            documents = self.reading.documents(chunk)
            self.opened += len(documents)
            for document in documents:
                if accepts(document):
                    yield document
                self.broken += document.broken
            if self._advance is not None:
                self._advance(self._passed(chunk[-1]), self.high - self.low + 1)
            size = min(size * 2, _LARGEST_CHUNK)

    def _passed(self, number: int) -> int:
        return self.high - number + 1 if self.query.newest_first else number - self.low + 1

    # what it was about

    def searched(self) -> Searched:
        """What was searched, whichever page of it this is."""
        behind = len(self.waiting) if self.waiting is not None else -1 if self.index else 0
        extent = (self._extent.messages, self._extent.since, self._extent.until)
        return Searched(*extent, self.sizes, self.opened, behind, self.broken, self.index is not None)


def _followed(
    db: Connection, index: Index | None, sizes: Mapping[int, int]
) -> tuple[Collection[int] | None, Blocks]:
    """The numbers that an index lacks (None: all, or nearly), and what it knows of times and numbers."""
    if index is None:
        return None, Blocks()
    state = index.state(db)
    late = waiting(db, sizes, state.positions, MOST_WAITING)
    return (None, Blocks()) if late is None else (late, state.blocks)


def _once(numbers: Iterator[int]) -> Iterator[int]:
    """Each number once, of numbers in order."""
    last = None
    for number in numbers:
        if number != last:
            yield number
        last = number


# --- what is known by its state -------------------------------------------------------------------------

_MOST_LIVE = 50_000
"""Messages in a state from which on the state helps no more."""

_M, _R, _D = s.messages.c, s.reviews.c, s.deliveries.c


def _limited(query: Select[Any]) -> Prepared:
    return Prepared(query.limit(literal_column(str(_MOST_LIVE + 1))))


def _messages(*states: MessageState) -> Prepared:
    one = [select(_M.id).where(states_in(_M.state, state.value)) for state in states]
    return _limited(union_all(*one)) if len(one) > 1 else _limited(one[0])


def _reviews(*conditions: Any) -> Prepared:
    return _limited(select(_R.message).where(*conditions))


def _stuck(state: DeliveryState) -> Prepared:
    stuck = states_in(_D.state, DeliveryState.PARKED.value, DeliveryState.FAILED.value)
    return _limited(select(_D.message).where(stuck, states_in(_D.state, state.value)))


_LIVE: Mapping[tuple[str, str], Prepared] = {
    ("is", "new"): _messages(MessageState.NEW, MessageState.FETCHING),
    ("is", "blocked"): _messages(MessageState.BLOCKED),
    ("is", "held"): _reviews(states_in(_R.state, "open")),
    ("is", "released"): _reviews(states_in(_R.state, "released")),
    ("is", "rejected"): _reviews(states_in(_R.state, "rejected")),
    ("is", "expired"): _reviews(states_in(_R.state, "expired")),
    ("is", "reviewed"): _reviews(states_in(_R.state, "released", "rejected")),
    ("is", "late"): _reviews(_R.due_at > literal_column("0")),
    ("is", "waiting"): _limited(
        select(_D.message).where(is_open(s.deliveries), states_in(_D.state, DeliveryState.WAITING.value))
    ),
    ("is", "parked"): _stuck(DeliveryState.PARKED),
    ("is", "failed"): _stuck(DeliveryState.FAILED),
}
"""States that the tables know by few rows, each with at least the messages that are in it."""

# --- what is asked of the archive -----------------------------------------------------------------------

_NEWEST = select(func.coalesce(func.max(_M.id), literal_column("0"))).scalar_subquery()
_ARCHIVE = Prepared(select(s.lanes.c.lane, s.lanes.c.size, _NEWEST))
"""How many entries each lane has, and the number of the newest message: one look, one moment."""

_AMONG = (_M.id >= bindparam("b_first"), _M.id <= bindparam("b_last"))
_LAST_BEFORE = Prepared(
    select(_M.id)
    .where(*_AMONG, _M.archived_at < bindparam("b_until"))
    .order_by(_M.id.desc())
    .limit(literal_column("1"))
)
_FIRST_SINCE = Prepared(
    select(_M.id)
    .where(*_AMONG, _M.archived_at >= bindparam("b_since"))
    .order_by(_M.id)
    .limit(literal_column("1"))
)
_COUNT = Prepared(
    select(
        *(func.count(), func.min(_M.id), func.max(_M.id)),
        *(func.min(_M.archived_at), func.max(_M.archived_at)),
    ).where(
        *_AMONG,
        _M.archived_at >= bindparam("b_since"),
        _M.archived_at < bindparam("b_until"),
    )
)
