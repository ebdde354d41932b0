"""Archived messages as `bridge.search` sees them: opened as late as may be, and many with one query.

Rules of this file: reads only. What is asked of one document of a page is read for the whole page, when it
is first asked for; a body is decrypted when something in it is asked for, and never the raw bytes. Rows and
their keys are selected side by side, and opened one by one (`Vault.open_apart`): a search opens thousands.

A record that does not open any more is a document all the same, without words: `broken` says which, and
`audit verify` what happened to it. One that was disposed of is none any more.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import ModuleType
from typing import Any, NamedTuple

import orjson
from sqlalchemy import BigInteger, Connection, and_, any_, bindparam, func, literal_column, or_, select
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import Select

from bridge.errors import StoreError
from bridge.flow import DeliveryState
from bridge.ledger.entry import Entry
from bridge.message import Cause, Content, Kind, Route
from bridge.ports import DIRECT
from bridge.record import from_record
from bridge.sealing import BODY
from bridge.search.document import Attached, Decided, Delivered, Held, Person
from bridge.store import schema as s
from bridge.store.codec import inspection_from, words_in
from bridge.store.directory import Directory
from bridge.store.permits import WENT
from bridge.store.prepared import Prepared
from bridge.store.proving import testimony
from bridge.store.quoting import quoted
from bridge.store.rows import WORDS_OF_OURS, final_words, find_message, is_gone
from bridge.store.vault import Vault, apart, vault_of
from bridge.words import visible

Value = dict[str, Any]

NOTHING: Value = {}
"""What a body says that is not there."""

PAGE = 5_000
"""Messages of a chat that are opened together to see which is a version of which."""


# --- queries --------------------------------------------------------------------------------------------

_NUMBERS = "b_numbers"


def _among(column: Any, module: ModuleType) -> ColumnElement[bool]:
    """`column` is one of the numbers that the statement is given: one statement for lists of any length."""
    if module.__name__.endswith("sqlite"):
        return column.in_(select(func.json_each(bindparam(_NUMBERS)).table_valued("value").c.value))
    return column == any_(bindparam(_NUMBERS, type_=module.ARRAY(BigInteger)))


def _of_page(make: Callable[[], Select[Any]], column: Any) -> Prepared:
    """The statement that `make` gives, for the numbers of a page in `column`."""
    return Prepared(lambda module: make().where(_among(column, module)))


def _rows(statement: Prepared, db: Connection, numbers: Iterable[int]) -> list[Any]:
    """What a statement gives for these numbers: the driver's own rows, which cost least."""
    chosen = list(numbers)
    look = {_NUMBERS: orjson.dumps(chosen).decode() if db.dialect.name == "sqlite" else chosen}
    return statement.rows(db, look)


def _with_content(query: Select[Any], lane: Any, seq: Any) -> Select[Any]:
    """The same, with wrapped key and sealed body of the record at (lane, seq); None where it has none."""
    c, k = s.content.c, s.data_keys.c
    return (
        query.add_columns(k.wrapped, apart(c.body))
        .outerjoin(s.content, and_(c.lane == lane, c.seq == seq))
        .outerjoin(s.data_keys, and_(k.lane == lane, k.seq == seq))
    )


_M = s.messages.c


def _messages() -> Select[Any]:
    query = _with_content(select(_M.id, _M.lane, _M.entry, _M.archived_at), _M.lane, _M.entry)
    # Left out is what is gone and is said to be: a row of `disposed` alone hides nothing.
    return query.where(or_(s.content.c.seq.is_not(None), ~is_gone(_M.id)))


class _Clear(NamedTuple):
    """What of a message stands in clear, beside its place."""

    number: int
    network: str
    source_id: str
    conversation: str
    sender: str
    kind: str
    state: str
    pair: int | None
    notice_for: int | None


def _clear() -> Select[Any]:
    return select(_M.id, *(_M[name] for name in _Clear._fields[1:]))


def _verdicts() -> Select[Any]:
    v = s.verdicts.c
    query = select(v.message, _M.lane, v.entry, v.id, v.at, v.cause).join(s.messages, _M.id == v.message)
    return _with_content(query, _M.lane, v.entry).order_by(v.id)


def _reviews() -> Select[Any]:
    r = s.reviews.c
    times = (r.opened_at, r.decided_at, r.due_at, r.late_at)
    query = select(r.message, _M.lane, r.entry, r.state, r.queue, *times)
    return _with_content(query.join(s.messages, _M.id == r.message), _M.lane, r.entry)


def _files() -> Select[Any]:
    f = s.files.c
    query = select(f.message, _M.lane, f.entry, f.n, f.size, f.digest, f.state).join(
        s.messages, _M.id == f.message
    )
    return _with_content(query, _M.lane, f.entry).order_by(f.n)


def _deliveries() -> Select[Any]:
    d = s.deliveries.c
    columns = (d.message, d.permit, d.network, d.state, d.done_at, d.reason)
    return select(*columns, d.verdict, d.marks).order_by(d.id)


def _arrivals() -> Select[Any]:
    d, r = s.deliveries.c, s.receipts.c
    query = select(d.message, d.permit, d.uncertain, r.id).outerjoin(s.receipts, r.permit == d.permit)
    return query.order_by(d.id, r.id)


def _passages() -> Select[Any]:
    d, le = s.deliveries.c, s.ledger.c
    query = select(d.message, le.lane, le.seq, d.permit, le.entry)
    query = query.select_from(
        s.deliveries.join(s.ledger, le.subject == literal_column("'delivery/'") + d.permit)
    )
    return _with_content(query, le.lane, le.seq).order_by(le.lane, le.seq)


def _findings() -> Select[Any]:
    a, le = s.samples.c, s.ledger.c
    query = select(a.message, le.lane, le.seq, le.entry).join(s.messages, _M.id == a.message)
    query = query.join(s.ledger, and_(le.lane == _M.lane, le.seq == a.entry))
    query = query.where(a.state == literal_column("'closed'"))
    return _with_content(query, le.lane, le.seq).order_by(le.lane, le.seq).distinct()


def _leaves() -> Select[Any]:
    le = s.ledger.c
    join = and_(le.lane == _M.lane, le.seq == _M.entry)
    return select(_M.id, le.leaf).select_from(s.messages.join(s.ledger, join))


def _later() -> Select[Any]:
    """What came in the conversations of a page: who says there which version of what."""
    query = select(_M.id, _M.lane, _M.entry, _M.network, _M.conversation, _M.source_id, _M.kind)
    return _with_content(query, _M.lane, _M.entry).where(_M.notice_for.is_(None)).order_by(_M.id)


_MESSAGES = _of_page(_messages, _M.id)
_CLEAR = _of_page(_clear, _M.id)
_VERDICTS = _of_page(_verdicts, s.verdicts.c.message)
_REVIEWS = _of_page(_reviews, s.reviews.c.message)
_FILES = _of_page(_files, s.files.c.message)
_DELIVERIES = _of_page(_deliveries, s.deliveries.c.message)
_ARRIVALS = _of_page(_arrivals, s.deliveries.c.message)
_PASSAGES = _of_page(_passages, s.deliveries.c.message)
_FINDINGS = _of_page(_findings, s.samples.c.message)
_LEAVES = _of_page(_leaves, _M.id)
_CHAT = Prepared(
    _later()
    .where(_M.network == bindparam("b_network"), _M.conversation == bindparam("b_conversation"))
    .where(_M.id > bindparam("b_after"))
    .limit(literal_column(str(PAGE)))
)
_LAST = Prepared(select(func.coalesce(func.max(_M.id), literal_column("0"))))


# --- pages ----------------------------------------------------------------------------------------------


class Reading:
    """What documents of one reading share: a connection in a transaction, who is who, what is a version.

    Kept for one search: what it has read once stays as it was.
    """

    def __init__(self, db: Connection, directory: Directory | None = None) -> None:
        self.db = db
        self.vault: Vault = vault_of(db)
        self._directory = directory
        self._fresh = False
        self._chats: dict[tuple[str, str], _Versions] = {}

    def documents(self, numbers: Sequence[int]) -> list[Stored]:
        """The documents of these numbers that there are, in this order."""
        page = _Page(self)
        rows = _rows(_MESSAGES, self.db, numbers) if numbers else ()
        page.found = {row[0]: Stored(page, row) for row in rows}
        return [page.found[number] for number in numbers if number in page.found]

    def open(self, lane: int, seq: int, wrapped: bytes | None, sealed: bytes | None) -> Value | None:
        """What a body says; None when it does not open (any more), nothing when there is none."""
        if sealed is None:
            return NOTHING
        if wrapped is None:
            return None
        try:
            value: Value = orjson.loads(self.vault.open_apart(lane, seq, wrapped, sealed, BODY))
        except (StoreError, ValueError):
            return None
        return value

    @property
    def directory(self) -> Directory:
        """Who is paired, as of this reading."""
        if not self._fresh:
            self._directory = self._directory or Directory()
            self._directory.refresh(self.db)
            self._fresh = True
        assert self._directory is not None
        return self._directory

    def route(self, pair: int | None, network: str) -> Route | None:
        """The route of a message in `pair`, ended ones too."""
        return None if pair is None else self.directory.route(pair, network)

    def versions(self, network: str, conversation: str) -> _Versions:
        """Which messages of a chat are versions of which, and what was taken back there."""
        chat = network, conversation
        if chat not in self._chats:
            self._chats[chat] = _Versions(self, self._chat(network, conversation))
        return self._chats[chat]

    def _chat(self, network: str, conversation: str) -> Iterator[Any]:
        """All messages of a chat, with memory for a page of them."""
        look: dict[str, Any] = {"b_network": network, "b_conversation": conversation, "b_after": 0}
        while rows := _CHAT.rows(self.db, look):
            yield from rows
            look |= {"b_after": rows[-1][0]}


def documents(db: Connection, numbers: Sequence[int], directory: Directory | None = None) -> list[Stored]:
    """The documents of these numbers that there are, in this order; see `Reading`."""
    return Reading(db, directory).documents(numbers)


def last_number(db: Connection) -> int:
    """The number of the newest message, 0 when there is none."""
    number: int = _LAST.rows(db, {})[0][0]
    return number


class _Versions:
    """The messages of a chat as chains of versions, each by its first one's id in the network."""

    def __init__(self, reading: Reading, rows: Iterable[Any]) -> None:
        self._first: dict[str, str] = {}
        self.edits: defaultdict[str, list[int]] = defaultdict(list)
        self.recalls: defaultdict[str, list[int]] = defaultdict(list)
        for number, lane, seq, _, _, source_id, kind, wrapped, sealed in rows:
            value = reading.open(lane, seq, wrapped, sealed) or NOTHING
            if replaces := value.get("replaces"):
                first = self._first[source_id] = self.first(replaces)
                self.edits[first].append(number)
            elif kind == "recall" and (named := value.get("refers_to")):
                self.recalls[self.first(named)].append(number)

    def first(self, source_id: str) -> str:
        """The id of the first version of a message."""
        return self._first.get(source_id, source_id)


class _Page:
    """Documents that were found together. Each property is one query, made when the first of them asks."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.found: dict[int, Stored] = {}

    def _rows(self, statement: Prepared) -> dict[int, list[Any]]:
        rows: dict[int, list[Any]] = {}
        for row in _rows(statement, self.reading.db, self.found):
            rows.setdefault(row[0], []).append(row)
        return rows

    @cached_property
    def clear(self) -> dict[int, _Clear]:
        """What stands in clear, by message."""
        return {row[0]: _Clear(*row) for row in _rows(_CLEAR, self.reading.db, self.found)}

    @cached_property
    def verdicts(self) -> dict[int, list[_Recorded]]:
        """Verdicts by message, in order."""
        found = self._rows(_VERDICTS).items()
        return {number: [_Recorded(self.reading, row) for row in rows] for number, rows in found}

    @cached_property
    def reviews(self) -> dict[int, list[Any]]:
        """Holds by message."""
        return self._rows(_REVIEWS)

    @cached_property
    def files(self) -> dict[int, list[Any]]:
        """Attachments by message, in order."""
        return self._rows(_FILES)

    @cached_property
    def deliveries(self) -> dict[int, list[Any]]:
        """Permits by message, in order."""
        return self._rows(_DELIVERIES)

    @cached_property
    def arrivals(self) -> dict[int, list[Any]]:
        """What networks have of permits, by message, in order."""
        return self._rows(_ARRIVALS)

    @cached_property
    def passages(self) -> dict[int, list[Any]]:
        """What the ledger has of permits, by message, in order."""
        return self._rows(_PASSAGES)

    @cached_property
    def findings(self) -> dict[int, list[Any]]:
        """What reviewers found of what was drawn, by message, in order."""
        return self._rows(_FINDINGS)

    @cached_property
    def leaves(self) -> dict[int, list[Any]]:
        """Hashes of the entries that testify to messages."""
        return self._rows(_LEAVES)


class Arrival(NamedTuple):
    """What a network has of what was permitted: its own `ids` of the parts that it took. `doubtful`: an
    attempt ended without an answer, so that it may have more than is known."""

    ids: tuple[str, ...]
    doubtful: bool


class Passage(NamedTuple):
    """What the ledger has of one permit: an entry about it, and what the person said who made it ({}: nobody
    did)."""

    permit: str
    entry: Entry
    act: Value


class _Recorded:
    """One verdict, opened when it is asked for."""

    __slots__ = ("_reading", "_row", "_value", "at", "cause", "id")

    def __init__(self, reading: Reading, row: Any) -> None:
        self._reading, self._row = reading, row
        self.id, self.at, self.cause = row[3], row[4], row[5]
        self._value: Value | None = None

    @property
    def value(self) -> Value:
        """What its record says."""
        if self._value is None:
            _, lane, seq, *_, wrapped, sealed = self._row
            self._value = self._reading.open(lane, seq, wrapped, sealed) or NOTHING
        return self._value


class Stored:
    """One archived message; see `bridge.search.document.Document`.

    `broken` is known once a word of it was asked for.
    """

    __slots__ = (
        *("_decisions", "_files", "_known", "_page", "_passages", "_row", "_value"),
        *("at", "broken", "number"),
    )

    def __init__(self, page: _Page, row: Any) -> None:
        self._page, self._row = page, row
        self._decisions: list[Decided] | None = None
        self._files: list[Attached] | None = None
        self._passages: list[Passage] | None = None
        self.number: int = row[0]
        self.at: int = row[3]
        self.broken = False
        self._value: Value | None = None
        self._known: _Clear | None = None

    # what stands in clear

    @property
    def _clear(self) -> _Clear:
        if self._known is None:
            self._known = self._page.clear[self.number]
        return self._known

    @property
    def lane(self) -> int:
        """See `Document`."""
        lane: int = self._row[1]
        return lane

    @property
    def entry(self) -> int:
        """See `Document`."""
        entry: int = self._row[2]
        return entry

    @property
    def network(self) -> str:
        """See `Document`."""
        return self._clear.network

    @property
    def source_id(self) -> str:
        """See `Document`."""
        return self._clear.source_id

    @property
    def conversation(self) -> str:
        """See `Document`. One that is named by somebody's address is so named in the body alone."""
        hidden = self._clear.conversation
        if not hidden.startswith(DIRECT):
            return hidden
        conversation: str = self.value.get("conversation", hidden)
        return conversation

    @property
    def kind(self) -> str:
        """See `Document`."""
        return self._clear.kind

    @property
    def state(self) -> str:
        """See `Document`."""
        return self._clear.state

    @property
    def pair(self) -> int | None:
        """See `Document`."""
        return self._clear.pair

    @property
    def notice_for(self) -> int | None:
        """See `Document`."""
        return self._clear.notice_for

    # what is sealed

    @property
    def value(self) -> Value:
        """The message's body, opened."""
        value = self._value
        if value is None:
            row = self._row
            value = self._page.reading.open(row[1], row[2], row[-2], row[-1])
            if value is None:
                self.broken, value = True, NOTHING
            self._value = value
        return value

    @property
    def text(self) -> str:
        """See `Document`."""
        text: str = self.value.get("text", "")
        return text

    @property
    def quote(self) -> str:
        """See `Document`."""
        quote: str = self.value.get("quote", "")
        return quote

    @property
    def defect(self) -> str:
        """See `Document`."""
        defect: str = self.value.get("defect", "")
        return defect

    @property
    def sent_at(self) -> int:
        """See `Document`."""
        sent_at: int = self.value.get("sent_at", 0)
        return sent_at

    def opens(self) -> bool:
        """Whether everything opens that was written in it, found in its attachments, and decided about it."""
        reading, page = self._page.reading, self._page
        if not self.value or not all(one.value for one in page.verdicts.get(self.number, ())):
            return False
        files = (row for row in page.files.get(self.number, ()) if row[2] >= 0)
        return all(reading.open(row[1], row[2], row[-2], row[-1]) is not None for row in files)

    # who

    @property
    def sender(self) -> Person:
        """See `Document`."""
        clear, value = self._clear, self.value
        if clear.notice_for is not None:
            return Person(clear.network, WORDS_OF_OURS)
        name, address = value.get("sender_name", ""), value.get("address", "")
        route = self._page.reading.route(clear.pair, clear.network)
        if route is None:
            return Person(clear.network, clear.sender, name, address)
        known = route.sender
        return Person(clear.network, clear.sender, name or known.name, address or known.address, known.tags)

    @property
    def reader(self) -> Person | None:
        """See `Document`."""
        route = self._page.reading.route(self.pair, self.network)
        if route is None:
            return None
        known = route.recipient
        return Person(known.network, known.id, known.name, known.address, known.tags)

    # what became of it

    @property
    def leaf(self) -> bytes:
        """See `Document`; b"" when the ledger has no such entry."""
        rows = self._page.leaves.get(self.number)
        return bytes(rows[0][1]) if rows else b""

    @property
    def permitted(self) -> str:
        """See `Document`: the words of the last permit that was made for it, without marks."""
        content = self._content(self._page.deliveries.get(self.number, ()), marked=False)
        return content.text if content else ""

    @property
    def sent(self) -> str:
        """See `Document`: the words of the last permit that its network took."""
        content = self._content(self._delivered())
        return content.text if content else ""

    @property
    def sent_quote(self) -> str:
        """What stood above what was sent, as what that answers, edits or takes back; "" if nothing: as the
        entry says by which the network had it."""
        content = self._content(self._delivered())
        named = self.value.get("replaces") or self.value.get("refers_to")
        if content is None or content.notice or not named:
            return ""
        try:
            where = self.network, named, self._clear.conversation
            quote = quoted(self._page.reading.db, *where, self._above(self._delivered()[-1][1]))
        except StoreError:
            return ""  # what it is about does not open any more: that one says so itself
        return visible(quote.text)

    def _above(self, permit: str) -> str:
        """The permit whose words stood above what arrived by this one, "" for none."""
        took = [one.entry for one in self.passages if one.permit == permit and one.entry.kind in WENT]
        return str(took[-1].facts.get("above", "")) if took else ""

    def _delivered(self) -> list[Any]:
        rows = self._page.deliveries.get(self.number, ())
        return [row for row in rows if row[3] == DeliveryState.SENT]

    def _content(self, permits: Sequence[Any], *, marked: bool = True) -> Content | None:
        """The words of the last of these permits, put together as they are for sending; with its marks, or
        without the bridge's own words."""
        if not permits or not self.value:
            return None
        if self.notice_for is not None:
            return Content(self.text, notice=True)
        *_, verdict, marks = permits[-1]
        for recorded in self._page.verdicts.get(self.number, ()):
            if recorded.id == verdict and recorded.value:
                let_out = words_in(recorded.value, self.text)
                name = self.value.get("sender_name", "")
                kind = Kind(self.kind) if marked else Kind.TEXT
                return final_words(kind, let_out, marks if marked else "", self._route(), name)
        return None

    def _route(self) -> Route | None:
        """Between whom it went: those of its pair, else those who were paired after it was written."""
        clear, directory = self._clear, self._page.reading.directory
        late = directory.between(clear.network, self.conversation, clear.sender)[1]
        return directory.route(clear.pair, clear.network) or late

    @property
    def decisions(self) -> list[Decided]:
        """See `Document`. A record that does not open any more is left out."""
        if self._decisions is None:
            recorded = self._page.verdicts.get(self.number, ())
            self._decisions = [self._decided(verdict) for verdict in recorded if verdict.value]
        return self._decisions

    def _decided(self, verdict: _Recorded) -> Decided:
        value = from_record({"text": self.text, **verdict.value})
        # By a freeze a person decides as well, about everything and not about this.
        if verdict.cause != Cause.PERSON or "known" in verdict.value:
            return Decided(verdict.at, value)
        act = self._act()
        return Decided(verdict.at, value, act.get("person", ""), act.get("reason", ""))

    def _act(self) -> Value:
        """What a reviewer said when he ended the hold."""
        for _, lane, seq, *_, wrapped, sealed in self._page.reviews.get(self.number, ()):
            return self._page.reading.open(lane, seq, wrapped, sealed) or NOTHING
        return NOTHING

    @property
    def held(self) -> Held | None:
        """See `Document`."""
        for row in self._page.reviews.get(self.number, ()):
            return Held(*row[3:9])
        return None

    @property
    def deliveries(self) -> list[Delivered]:
        """See `Document`."""
        return [Delivered(*row[1:6]) for row in self._page.deliveries.get(self.number, ())]

    @property
    def arrivals(self) -> dict[str, Arrival]:
        """What the networks have of each permit, as far as is known."""
        found: dict[str, Arrival] = {}
        for _, permit, uncertain, one in self._page.arrivals.get(self.number, ()):
            ids = found[permit].ids if permit in found else ()
            found[permit] = Arrival((*ids, one) if one else ids, bool(uncertain))
        return found

    @property
    def passages(self) -> list[Passage]:
        """What the ledger has of its permits, in order. Raises Damaged where that is no entry."""
        if self._passages is None:
            found = self._page.passages.get(self.number, ())
            self._passages = [
                Passage(permit, testimony(lane, seq, bytes(data)), self._said(lane, seq, wrapped, sealed))
                for _, lane, seq, permit, data, wrapped, sealed in found
            ]
        return self._passages

    @property
    def findings(self) -> list[tuple[int, Value]]:
        """When a reviewer said what he found of it after it was drawn, and what."""
        found = self._page.findings.get(self.number, ())
        return [
            (testimony(lane, seq, bytes(data)).at, self._said(lane, seq, wrapped, sealed))
            for _, lane, seq, data, wrapped, sealed in found
        ]

    def _said(self, lane: int, seq: int, wrapped: bytes | None, sealed: bytes | None) -> Value:
        return self._page.reading.open(lane, seq, wrapped, sealed) or NOTHING

    def offered(self, permit: str) -> str:
        """The words of one permit, whatever became of it."""
        rows = self._page.deliveries.get(self.number, ())
        content = self._content([row for row in rows if row[1] == permit])
        return content.text if content else ""

    @property
    def files(self) -> list[Attached]:
        """See `Document`."""
        if self._files is None:
            offered = self.value.get("files", ())
            rows = {row[3]: row for row in self._page.files.get(self.number, ())} if offered else {}
            self._files = [self._attached(one, rows.get(n)) for n, one in enumerate(offered)]
        return self._files

    def _attached(self, offered: Value, row: Any) -> Attached:
        name, kind, size = offered["name"], offered["kind"], offered.get("size", -1)
        if row is None:
            return Attached(name, kind, size)
        _, lane, seq, _, stored, digest, state, wrapped, sealed = row
        value = self._page.reading.open(lane, seq, wrapped, sealed) if sealed else None
        found = inspection_from(orjson.dumps(value)) if value else None
        own = value.get("sha256", "") if value else ""
        return Attached(name, kind, stored if stored >= 0 else size, digest, found, own, state == "wanted")

    @property
    def edits(self) -> list[int]:
        """See `Document`."""
        return self._since(self._versions().edits)

    @property
    def recalls(self) -> list[int]:
        """See `Document`. What takes one version of a message back takes every version back."""
        return self._since(self._versions().recalls)

    @property
    def before(self) -> Iterator[int]:
        """The earlier versions of what it replaces or takes back, the newest first, the original last."""
        named = self.value.get("replaces") or (self.kind == Kind.RECALL and self.value.get("refers_to"))
        if not named or self.notice_for is not None or not self._clear.conversation:
            return
        versions = self._versions()
        first = versions.first(named)
        found = versions.edits.get(first, ())
        yield from reversed(found[: bisect_left(found, self.number)])
        if (original := find_message(self._page.reading.db, self.network, first)) is not None:
            yield original

    def other(self, number: int) -> Stored | None:
        """Another message, None where there is nothing left of it."""
        return next(iter(self._page.reading.documents([number])), None)

    def _versions(self) -> _Versions:
        return self._page.reading.versions(self.network, self._clear.conversation)

    def _since(self, chains: Mapping[str, list[int]]) -> list[int]:
        if self.notice_for is not None or not self._clear.conversation:
            return []
        found = chains.get(self._versions().first(self.source_id), [])
        return found[bisect_right(found, self.number) :]
