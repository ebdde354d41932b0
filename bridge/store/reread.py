"""The auditor's own reader: statements and decoding that share nothing with what wrote.

Rules of this file: it only reads, in chunks, so that memory does not grow with the history. What cannot be
read becomes a finding, never an end: the place that reads a row first reports it, others leave it out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Row, bindparam, inspect, text
from sqlalchemy.exc import OperationalError

from bridge import sealing
from bridge.errors import ConfigError, KeyMissing
from bridge.ledger.entry import Entry, recall
from bridge.ports import DIRECT, KeyKeeper
from bridge.records.exports.numbers import Numbers
from bridge.store.schema import metadata

if TYPE_CHECKING:
    from bridge.ledger.checkpoint import Verifier
    from bridge.store.gathering import Anchored

CHUNK = 1000
"""Rows that are looked at together."""

AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"
"""A row of whatever columns a statement names."""

Comparison: TypeAlias = tuple[str, object, object]
"""A column, what it holds, and what it should."""

Values: TypeAlias = tuple[object, ...]
"""Values of columns, in their order."""

Place: TypeAlias = tuple[str, str, object]
"""Where a row stands: table, column that names it, and its name there."""

Body: TypeAlias = "Mapping[str, Any]"
"""The body of a piece of content, as JSON says it."""

Source: TypeAlias = tuple[str, str, str]
"""Whose words these are: network, conversation and sender."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was recorded: where it is, and what that means. `follow` says what follows
    from it, which grows with the ledger; the rest stays the same for as long as the thing is wrong."""

    table: str
    key: str
    column: str
    meaning: str
    follow: str = ""

    def __str__(self) -> str:
        place = f"{self.table} {self.key}".rstrip() + (f", {self.column}" if self.column else "")
        return f"{place}: {self.meaning}" + (f" ({self.follow})" if self.follow else "")


@dataclass(slots=True)
class Stamps:
    """What an authority's time stamps prove: so many entries of a lane existed at a time (milliseconds), by
    the earliest stamp and by the newest."""

    by: str
    lane: int
    count: int = 0
    first: tuple[int, int] = (0, 0)
    newest: tuple[int, int] = (0, 0)

    def add(self, size: int, at: int) -> None:
        """One more: `size` entries existed at `at`. They come in order of size."""
        self.count += 1
        self.first = self.first if self.count > 1 else (size, at)
        self.newest = (size, at)


@dataclass(slots=True)
class Summary:
    """What was read. `roots` has each lane's number of entries and root hash, `bytes` counts content,
    `anchored` checkpoints outside the database, `unstamped` time stamps for which no roots were given."""

    findings: int = 0
    entries: int = 0
    contents: int = 0
    absent: int = 0  # pieces of content that were destroyed, as entries testify
    messages: int = 0
    verdicts: int = 0
    deliveries: int = 0
    receipts: int = 0
    blobs: int = 0
    bytes: int = 0
    checkpoints: int = 0
    anchored: int = 0
    stamps: list[Stamps] = field(default_factory=list)
    unstamped: int = 0
    roots: dict[int, tuple[int, str]] = field(default_factory=dict)
    unread: str = ""  # why what is sealed was not opened: contents and attachments were not compared


class Opener:
    """The auditor's own way to open what is sealed: from the keeper alone, without the store's own code.

    Without the master key nothing is opened: `missing` says what is lacking, in the keeper's words. A store
    key that does not open is `wrong` where the same master key opens another; where it opens none, the key is
    not the one, or cannot be used, and the store is not accused of that.
    """

    def __init__(self, db: Connection, keeper: KeyKeeper | None, gone: Collection[str] = frozenset()) -> None:
        self.missing = "" if keeper else "no master key was given"
        self.wrong: dict[int, str] = {}  # store keys that the master key does not open
        self._store_keys: dict[int, AESGCM] = {}
        self._token_key = b""
        self._installation = b""
        if {"meta", "store_keys"}.intersection(gone):
            self.missing = "the tables that say how to open it are gone"
            return
        said = db.execute(text("SELECT value FROM meta WHERE key = 'installation'")).scalar()
        self._installation = as_bytes(said or "")
        rows = list(db.execute(text("SELECT * FROM store_keys ORDER BY id"))) if keeper else []
        refused = {row.id: words for row in rows if keeper and (words := self._take(row, keeper))}
        usable = {row.master for row in rows if row.id in self._store_keys}
        self.wrong |= {row.id: refused[row.id] for row in rows if row.id in refused and row.master in usable}

    def _take(self, row: AnyRow, keeper: KeyKeeper) -> str:
        """Open a store key; gives the keeper's words when it refuses to with a key of that name."""
        try:
            key = keeper.unwrap(str(row.master), as_bytes(row.wrapped))
        except KeyMissing as error:
            self.missing = str(error)
        except ConfigError as error:
            self.missing = str(error)
            return self.missing
        except ValueError as error:  # of a form that no key can open
            self.wrong[row.id] = self.missing = str(error)
        else:
            self._store_keys[row.id] = AESGCM(key)
            self._token_key = key if row.purpose == "tokens" else self._token_key
        return ""

    def hidden(self, conversation: str) -> str:
        """The name that a conversation has in the tables."""
        address = conversation.removeprefix(DIRECT)
        direct = conversation != address
        return DIRECT + sealing.token(self._token_key, address) if direct else conversation

    def bound(self, *parts: Any) -> str:
        """The seal over what a permit stands for."""
        return sealing.bound(self._token_key, *parts)

    def enclosed(self, permit: str, files: str) -> str:
        """The seal over the attachments that go out with it."""
        return sealing.enclosed(self._token_key, permit, files)

    def place(self, lane: int, seq: int) -> bytes:
        """Where a record belongs."""
        return sealing.place(self._installation, lane, seq)

    def of_file(self, digest: str, wrapped: object) -> AESGCM:
        """The data key of an attachment. Raises sealing.Broken."""
        return self.unwrapped(sealing.place_of_file(self._installation, digest), as_bytes(wrapped))

    def unwrapped(self, belongs: bytes, wrapped: bytes) -> AESGCM:
        """The data key of what is of this place. Raises sealing.Broken."""
        store_key = self._store_keys.get(sealing.wrapped_by(wrapped))
        if store_key is None:
            raise sealing.Broken("its key is wrapped by a store key that is not in the store")
        return AESGCM(sealing.unwrap(store_key, belongs, wrapped))

    def part(self, lane: int, seq: int, wrapped: object, part: int, sealed: object) -> bytes:
        """A part of a record, open. Raises sealing.Broken."""
        belongs = self.place(lane, seq)
        key = self.unwrapped(belongs, as_bytes(wrapped))
        return sealing.unseal(key, belongs, part, as_bytes(sealed))


class Work:
    """What every check is given: the reader, the way out, and what the ledger said about the whole."""

    def __init__(
        self,
        db: Connection,
        blobs: Path,
        found: Callable[[Finding], None],
        progress: Callable[[int, int], None],
        keeper: KeyKeeper | None = None,
        keys: Sequence[Verifier] = (),
        anchors: Sequence[Anchored] = (),
    ) -> None:
        self.db, self.blobs, self._found, self._progress = db, blobs, found, progress
        self.gone = frozenset(metadata.tables) - {*inspect(db).get_table_names()}
        self.opener = Opener(db, keeper, self.gone)
        self.sealed = bool(self.opener.missing)  # what stands in the archive cannot be read
        self.keys, self.anchors = keys, anchors
        self.summary = Summary()
        self.done = self.total = 0
        self.lanes = 0
        self.installation = ""
        self.store_keys: dict[int, tuple[str, str, int]] = {}  # purpose, master key and when it was made
        self.policy: bytes | None = None
        self.frozen: str | None = None
        self.pair_acts = 0
        self.pairs: dict[int, AnyRow] = {}
        self.paired: dict[Source, list[AnyRow]] = defaultdict(list)  # by whose words go through a pair
        self.pair_ended: dict[int, Entry] = {}
        self.legal: defaultdict[str, list[Entry]] = defaultdict(list)  # what was done with each legal hold
        self.runs: dict[tuple[int, int], Entry] = {}  # what was asked before records went: by plan and place
        self.assigned: dict[tuple[int, int], Numbers] = {}  # by place: the records of an agreed class
        self.consents: dict[tuple[str, str], Entry] = {}  # by contact and gate: the last that was said
        self.draws: dict[str, tuple[Entry, dict[str, Any]]] = {}  # by day
        self.attached: dict[int, int] = {}  # by message: how many attachments it came with, if any
        self.unreadable: set[object] = set()  # columns that hold no entry, as they are
        self.unopened: set[tuple[int, int]] = set()  # messages' words that could not be read
        self.last_message = 0
        self.last_archived: dict[int, int] = {}  # by lane: place of the entry of the last message
        self.last_delivery: dict[int, tuple[int, int]] = {}  # by lane: number, place of its permit's entry

    def report(self, table: str, key: str, column: str, meaning: str, follow: str = "") -> None:
        """Hand a finding over."""
        self.summary.findings += 1
        self._found(Finding(table, key, column, meaning, follow))

    def compare(self, table: str, key: str, pairs: Iterable[Comparison], source: str) -> None:
        """Report every (column, is, should be) whose values differ, without showing either."""
        for column, is_, should_be in pairs:
            if is_ != should_be:
                self.report(table, key, column, f"is not what {source} says")

    def alike(
        self, place: Place, columns: Sequence[str], is_: Values, should_be: Values, source: str
    ) -> None:
        """The same for the columns of a row, compared as a whole: nearly always nothing differs."""
        if is_ != should_be:
            table, key, name = place
            self.compare(table, f"{key} {name}", zip(columns, is_, should_be, strict=True), source)

    def tick(self, rows: int) -> None:
        """So many rows more are done."""
        self.done += rows
        self._progress(self.done, self.total)

    def rows(self, statement: str, **values: object) -> list[AnyRow]:
        """The rows of a statement; a list among `values` is for an IN, and nothing is in an empty one, nor in
        a table that is gone."""
        if [] in values.values() or self._asks_what_is_gone(statement):
            return []
        lists: list[Any] = [
            bindparam(name, expanding=True) for name, value in values.items() if isinstance(value, list)
        ]
        question = text(statement).bindparams(*lists)
        try:
            return list(self.db.execute(question, values).all())
        except OperationalError:
            with any_text(self.db):  # slower, so it is asked only where something cannot be read
                return list(self.db.execute(question, values).all())

    def _asks_what_is_gone(self, statement: str) -> bool:
        return bool(self.gone) and not self.gone.isdisjoint(_NAMES.findall(statement))

    def column(self, statement: str, **values: object) -> list[Any]:
        """The first column of a statement's rows."""
        return [row[0] for row in self.rows(statement, **values)]

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return sum(self.column(f"SELECT count(*) FROM {table}"))

    def chunks(self, statement: str, **values: object) -> Iterator[list[AnyRow]]:
        """Rows in order of `id`, a chunk at a time; those whose `id` is no number count as missing."""
        after = -(1 << 62)
        while rows := self.rows(statement, after=after, chunk=CHUNK, **values):
            if sound := [row for row in rows if isinstance(row.id, int)]:
                yield sound
            after = rows[-1].id

    def entries(self, subjects: Sequence[str]) -> dict[str, list[Entry]]:
        """What the ledger says about each of `subjects`, in order. What cannot be read is left out: it has
        been reported where the ledger itself was read."""
        statement = "SELECT subject, entry FROM ledger WHERE subject IN :subjects ORDER BY lane, seq"
        return self.stories(statement, subjects=list(subjects))

    def stories(self, statement: str, **values: object) -> dict[str, list[Entry]]:
        """The same, of a statement that selects `subject` and `entry` in order."""
        found: dict[str, list[Entry]] = defaultdict(list)
        for subject, data in self.rows(statement, **values):
            entry = None if data in self.unreadable else readable(data)
            if entry is not None:
                found[subject].append(entry)
        return found

    def bodies(self, places: Iterable[tuple[int, int]]) -> dict[tuple[int, int], dict[str, Any]]:
        """The JSON bodies at these places (lane, seq); unreadable ones are left out, for the same reason."""
        by_lane: dict[int, list[int]] = defaultdict(list)
        for lane, seq in places:
            by_lane[lane].append(seq)
        found = {}
        for lane, seqs in by_lane.items():
            statement = (
                "SELECT c.seq, c.body, k.wrapped FROM content c JOIN data_keys k ON k.lane = c.lane "
                "AND k.seq = c.seq WHERE c.lane = :lane AND c.seq IN :seqs"
            )
            for row in [] if self.sealed else self.rows(statement, lane=lane, seqs=seqs):
                body = parsed(self.part(lane, row.seq, row.wrapped, sealing.BODY, row.body))
                if isinstance(body, dict):
                    found[lane, row.seq] = body
        return found

    def part(self, lane: object, seq: object, wrapped: object, part: int, sealed: object) -> bytes:
        """A part of a record, open; b"" when it cannot be opened, which is reported where content is read."""
        try:
            return self.opener.part(number(lane), number(seq), wrapped, part, sealed)
        except sealing.Broken:
            return b""


_NAMES = re.compile("[a-z_]+")


@contextmanager
def any_text(db: Connection) -> Iterator[None]:
    """Let SQLite hand over text that is no longer UTF-8, so that it becomes a finding and not an end."""
    if db.dialect.name != "sqlite":
        yield
        return
    connection: Any = db.connection.dbapi_connection
    before = connection.text_factory
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        connection.text_factory = before


def readable(data: Any) -> Entry | None:
    """The entry that a column holds, which has been decoded once; None when it holds none."""
    try:
        return recall(data)
    except ValueError:
        return None


def parsed(data: object) -> object:
    """The JSON value that a column holds; None when it holds none."""
    try:
        return orjson.loads(as_bytes(data))
    except ValueError:
        return None


def as_bytes(data: object) -> bytes:
    """A column that should hold bytes, as bytes: SQLite lets any column hold anything."""
    if isinstance(data, bytes):
        return data
    return str(data).encode("utf-8", "surrogateescape")


def number(value: object) -> int:
    """A column or fact that should hold a whole number, as one; -1 when it holds something else."""
    return value if isinstance(value, int) else -1


def place_of(entry: Entry) -> str:
    """Where an entry stands, for people."""
    return f"entry {entry.seq} of lane {entry.lane}"
