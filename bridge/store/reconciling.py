"""The house against itself: every entry of a span has its row, every row its entry, and nothing twice.

Rules of this file: reads only, in chunks; the ledger is the measure, because it is signed. What was disposed
of is not missing. What is sealed is opened where an entry has its digest, and nowhere else. `audit verify`
asks more, of everything and by another door; this asks of one day what a certificate has to say.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, LargeBinary, and_, cast, exists, func, or_, select

from bridge.errors import StoreError
from bridge.flow import ENDED, TESTIFIED, became
from bridge.ledger.content import digest_of
from bridge.ledger.entry import Entry, recall
from bridge.message import SYMPHONY, Kind, Sighting, said_digest
from bridge.ports import DIRECT, WENT
from bridge.records.reconcile import (
    WAITING,
    Fault,
    Known,
    Numbers,
    Ours,
    Recount,
    Row,
    Stage,
    What,
    against,
    letters,
    rising,
)
from bridge.sealing import BODY, RAW
from bridge.store import checkpoints
from bridge.store import schema as s
from bridge.store.codec import message_from, words_in
from bridge.store.copies import WAIVED, about_waivers
from bridge.store.documents import last_number
from bridge.store.permits import BESIDE, PERMITTED, STOPPED, letter_of, seal_of
from bridge.store.permits import WENT as SENT
from bridge.store.rows import chunks, is_open, states_in
from bridge.store.vault import Vault, apart, vault_of
from bridge.words import visible

CHUNK = 1000

ARCHIVED = ("message:archived", "notice:archived")
NOBODY = frozenset({"unknown-user", "gone-user"})
"""Reasons of deliveries whose address is nobody's."""

DAY = 86_400_000
"""Milliseconds after which a message comes late: by then a recount no longer asks for when it was sent."""

BEYOND = 253_402_300_800_000
"""A time (milliseconds) after every date that can be written down."""

LEFT = "left over"
"""How accounts of archives outside are called that lack what they were to have by then."""

SET = 60_000
"""Milliseconds by which an entry may lie outside of its span before somebody is told that a clock was set."""

#: Kinds that a network's history need not have: nobody wrote them.
_TOLD = frozenset({Kind.NOTE, Kind.RECALL, Kind.FAILED, Kind.APP, Kind.UNKNOWN})


class Span(NamedTuple):
    """A span of time in one lane, with what lies in it: `since` <= time < `until` in milliseconds; the places
    of ledger entries, and the numbers of messages and of deliveries, each from the first up to but without
    the last."""

    lane: int
    since: int
    until: int
    entries: tuple[int, int]
    messages: tuple[int, int]
    deliveries: tuple[int, int]


def span(db: Connection, lane: int, since: int, until: int, begun: int = sys.maxsize) -> Span:
    """What lies between two times, also where somebody set the clock.

    A time ends behind the last entry that was written before it. So one span begins where another ends, and
    what a clock that was ahead has written lies in the span in which it was set right. Where the span before
    was certified, `begun` is the place at which that ended: what has come since with an earlier time, from a
    clock that was set back, lies in this one. Reads the ledger from its end down to `since`.
    """
    last = _end(db, lane, until)
    first = _end(db, lane, since, last)
    return at_places(db, lane, since, until, (max(min(first, begun), 0), last))


def roughly(db: Connection, lane: int, since: int, until: int) -> Span:
    """What lies about there, however long ago, found by halving: right as long as nobody set the clock. It
    serves to count what is usual, and nothing else."""
    places = _first_from(db, lane, since), _first_from(db, lane, until)
    return at_places(db, lane, since, until, places)


def at_places(db: Connection, lane: int, since: int, until: int, places: tuple[int, int]) -> Span:
    """A span whose first and last place, itself left out, are known."""
    first, last = (_first_number(db, lane, place) for place in places)
    highest = (db.execute(select(func.max(s.deliveries.c.id))).scalar() or 0) + 1
    return Span(lane, since, until, places, (first, last), (1, highest))


def until_message(db: Connection, chosen: Span, number: int) -> Span:
    """The part of a span that ends before message `number` is archived."""
    m = s.messages.c
    place = db.execute(select(m.entry).where(m.id == number)).scalar_one()
    ends, messages = (chosen.entries[0], place), (chosen.messages[0], number)
    return chosen._replace(entries=ends, messages=messages)


def _end(db: Connection, lane: int, at: int, below: int = sys.maxsize) -> int:
    """The place behind the last entry, of those `below` a place, that was written before a time; 0 where none
    was. Of each entry only the time is read: a day of a million messages has six million."""
    c = s.ledger.c
    head = cast(func.substr(c.entry, 1, _HEAD), LargeBinary)  # somebody may have made a text of it
    query = select(c.seq, head).where(c.lane == lane).order_by(c.seq.desc()).limit(10 * CHUNK)
    while at > 0 and (rows := db.execute(query.where(c.seq < below)).all()):
        for place, data in rows:
            if (time := _AT.match(data or b"")) and int(time[1]) < at:
                return int(place) + 1
        below = rows[-1].seq
    return 0


def first_from(db: Connection, lane: int, at: int, place: int = 0) -> int:
    """The place of the first entry, from a place on, that was written at a time or later; beyond every place
    where none was."""
    for entry in _entries(db, lane, place, sys.maxsize):
        if entry.at >= at:
            return entry.seq
    return sys.maxsize


_AT = re.compile(rb'\{"at":(\d+),')
"""How an entry begins, in its canonical form."""

_HEAD = 32
"""Bytes of an entry that have its time."""


def _first_from(db: Connection, lane: int, at: int) -> int:
    """The place of the first entry of `at` or later, if times never ran back."""
    size = db.execute(select(func.max(s.ledger.c.seq)).where(s.ledger.c.lane == lane)).scalar()
    low, high = 0, 0 if size is None else size + 1
    while low < high:
        middle = (low + high) // 2
        if _time_from(db, lane, middle) < at:
            low = middle + 1
        else:
            high = middle
    return low


def _time_from(db: Connection, lane: int, place: int) -> int:
    """The time of the entry at a place, or of the first after it that can be read."""
    after = next(_entries(db, lane, place, sys.maxsize, 1), None)
    return sys.maxsize if after is None else after.at


def _first_number(db: Connection, lane: int, place: int) -> int:
    """The number of the first message that is archived at a place of the ledger or later."""
    for entry in _entries(db, lane, place, place + 100 * CHUNK):
        if entry.kind in ARCHIVED:
            return int(str(entry.facts["message"]))
    c = s.messages.c
    return (db.execute(select(func.max(c.id)).where(c.lane == lane, c.entry < place)).scalar() or 0) + 1


def _entries(db: Connection, lane: int, first: int, last: int, chunk: int = CHUNK) -> Iterator[Entry]:
    """The entries of places `first` up to, but without, `last`."""
    c = s.ledger.c
    while first < last:
        query = select(c.seq, c.entry).where(c.lane == lane, c.seq >= first, c.seq < last)
        rows = db.execute(query.order_by(c.seq).limit(chunk)).all()
        if not rows:
            return
        yield from readable(row.entry for row in rows)
        first = rows[-1].seq + 1


def readable(entries: Iterable[bytes]) -> Iterator[Entry]:
    """Entries, but for those that are none any more: the look at the ledger itself names them, and here what
    they testified to is missing."""
    for data in entries:
        with suppress(ValueError, TypeError):
            entry = recall(data)
            if isinstance(entry.facts, dict) and isinstance(entry.at, int):
                yield entry


# --- what came of it ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Findings:
    """What the house's own steps come to in a span: faults, counts by account, lists behind them. `written`
    has the earliest and the latest time of its entries (milliseconds), 0 and 0 where it has none."""

    faults: list[Fault] = field(default_factory=list)
    counts: defaultdict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    lists: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    totals: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    written: tuple[int, int] = (0, 0)

    @property
    def alerts(self) -> list[str]:
        """What is no fault, and somebody has to look at."""
        ways = {
            "ledger of other times archived": "entries have the time of another day: the clock was set",
            "archive late archived": "messages came a day or more after they were sent",
            "archive left over unprocessed": "messages of earlier days are not judged yet",
            "outbox left over unprocessed": "deliveries of earlier days are not sent yet",
            "outbox left over failed": "deliveries did not arrive, and nobody has decided about them",
        }
        for kind, name in sorted(self.counts):
            if kind == LEFT:
                ways[f"{LEFT} {name} unprocessed"] = f"copies of earlier days are not in {name} yet"
                ways[f"{LEFT} {name} failed"] = f"copies were refused by {name}, and nobody has decided"
        return [
            f"{self.totals[name]} {said}: {self._some(name)}"
            for name, said in ways.items()
            if self.totals[name]
        ]

    def _some(self, name: str) -> str:
        """The first items of a list, and how to have all."""
        return f"{', '.join(self.lists[name][:3])}, `--list '{name}'`"

    def note(self, account: tuple[str, str], count: str, name: str, most: int = 10_000) -> None:
        """One item of a count that has its list."""
        self.counts[account][count] += 1
        key = f"{account[0]} {account[1]} {count}"
        self.totals[key] += 1
        if len(self.lists[key]) < most:
            self.lists[key].append(name)


def reconcile(db: Connection, chosen: Span, blobs: Path | None = None) -> Findings:
    """Compare everything of a span: ledger, archive, verdicts, outbox, copies outside, exports."""
    work = _Work(db, chosen, blobs)
    for page in chunks(_entries(db, chosen.lane, *chosen.entries), CHUNK):
        work.entries(page)
    work.numbers_missing()
    first, last = chosen.messages
    for start in range(first, last, CHUNK):
        work.rows(start, min(start + CHUNK, last))
    work.left_over()
    return work.found


class _Work:
    """One pass over a span."""

    def __init__(self, db: Connection, chosen: Span, blobs: Path | None) -> None:
        self.db, self.span, self.blobs = db, chosen, blobs
        self.vault: Vault = vault_of(db)
        self.found = Findings()
        self.numbers = Numbers(chosen.messages[0] - 1)

    # entries: each has its row

    def entries(self, page: Sequence[Entry]) -> None:
        """One page of the ledger against the tables."""
        by_kind: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in page:
            by_kind[entry.kind].append(entry)
        self._times(page)
        archived = [entry for entry in page if entry.kind in ARCHIVED]
        gone = self._gone(page)
        bodies = self._contents(page, gone)
        self._archived(archived, bodies, gone)
        self._judged(by_kind["message:judged"], bodies)
        self._permitted(by_kind["delivery:permitted"], gone)
        self._stepped([entry for entry in page if entry.kind in TESTIFIED], gone)
        self._sent([entry for kind in SENT for entry in by_kind[kind] if _number(entry) not in gone])
        self._files(by_kind["file:archived"], gone)
        self._copies(by_kind["copy:kept"], gone)
        self._lost(by_kind["copy:lost"])
        self._exported(by_kind["export:made"])

    def _times(self, page: Sequence[Entry]) -> None:
        """When the entries of a page were written, by the clock of then."""
        times = [one for one in self.found.written if one]
        times += [entry.at for entry in page if 0 < entry.at < BEYOND]
        self.found.written = min(times, default=0), max(times, default=0)
        since, until = self.span.since - SET, self.span.until + SET
        for entry in page:
            if not since <= entry.at < until:
                self.found.note(("ledger", "of other times"), "archived", f"entry {entry.seq}")

    def _gone(self, page: Sequence[Entry]) -> set[int]:
        """The messages of a page that were disposed of."""
        numbers = {number for entry in page if (number := _number(entry))}
        return self._disposed(s.disposed.c.message.in_(numbers))

    def _disposed(self, *which: Any) -> set[int]:
        """The messages that were disposed of, as the ledger says: a row alone takes nothing away."""
        c, e = s.disposed.c, s.ledger.c
        join = s.disposed.join(s.ledger, and_(e.lane == self.span.lane, e.seq == c.entry))
        rows = self.db.execute(select(c.message, e.entry).select_from(join).where(*which))
        return {
            message
            for message, data in rows
            for entry in readable([data])
            if (entry.kind, entry.subject) == ("record:disposed", f"message/{message}")
        }

    def _contents(self, page: Sequence[Entry], gone: set[int]) -> dict[int, dict[str, Any]]:
        """What stands beside the entries of a page, opened and compared with its digest."""
        c, k = s.content.c, s.data_keys.c
        join = s.content.outerjoin(s.data_keys, and_(k.lane == c.lane, k.seq == c.seq))
        places = [entry.seq for entry in page if entry.digest]
        if not places:
            return {}
        query = select(c.seq, c.salt, k.wrapped, apart(c.body), apart(c.raw)).select_from(join)
        span = and_(c.lane == self.span.lane, c.seq.between(places[0], places[-1]))
        rows = {row[0]: row[1:] for row in self.db.execute(query.where(span))}
        found = {}
        for entry in page:
            if entry.digest and (body := self._opened(entry, rows.get(entry.seq), gone)) is not None:
                found[entry.seq] = body
        return found

    def _opened(self, entry: Entry, row: Any, gone: set[int]) -> dict[str, Any] | None:
        stage, name = _stage(entry), _name(entry)
        if row is None or row[1] is None:
            if _number(entry) not in gone:
                self._fault(stage, What.MISSING, name, f"what entry {entry.seq} has the digest of is gone")
            return None
        salt, wrapped, *sealed = row
        try:
            body, raw = (
                self.vault.open_apart(entry.lane, entry.seq, wrapped, data, part)
                for data, part in zip(sealed, (BODY, RAW), strict=True)
            )
            if digest_of(salt, body, raw) != entry.digest:
                raise ValueError
            value: dict[str, Any] = orjson.loads(body)
        except (StoreError, ValueError):
            self._fault(stage, What.ALTERED, name, f"what stands beside entry {entry.seq} is not what it was")
            return None
        return value

    def _archived(self, entries: Sequence[Entry], bodies: Mapping[int, Any], gone: set[int]) -> None:
        numbers = [_number(entry) for entry in entries]
        rows = self._by(s.messages, s.messages.c.id, numbers)
        for entry, number in zip(entries, numbers, strict=True):
            if wrong := self.numbers.take(number):
                self._fault(Stage.ARCHIVE, wrong, f"message/{number}", "its number is not the next one")
            said: dict[str, object] = {"entry": entry.seq, "network": entry.facts["network"]}
            said |= {"archived_at": entry.at, "notice_for": entry.facts.get("about")}
            if "kind" in entry.facts:
                said["kind"] = entry.facts["kind"]
            if (body := bodies.get(entry.seq)) and number not in gone:
                said |= {"source_id": body.get("id", ""), "sender": body.get("sender", "")}
                said["conversation"] = self.vault.hidden(str(body.get("conversation", "")))
            self._against(Stage.ARCHIVE, f"message/{number}", said, rows.get(number))
            sent_at = _whole(body.get("sent_at")) if body else 0
            if sent_at and entry.at - sent_at >= DAY:
                self.found.note(("archive", "late"), "archived", f"message/{number}")

    def _judged(self, entries: Sequence[Entry], bodies: Mapping[int, Any]) -> None:
        numbers = {_number(entry) for entry in entries}
        v = s.verdicts.c
        rows = {row["entry"]: row for row in self._rows(select(s.verdicts).where(v.message.in_(numbers)))}
        wanted = self._copied(numbers)
        for entry in entries:
            number = _number(entry)
            said = {name: entry.facts[name] for name in ("message", "outcome", "cause")} | {"at": entry.at}
            self._against(Stage.VERDICT, f"verdict of message/{number}", said, rows.get(entry.seq))
            for match in bodies.get(entry.seq, {}).get("matches", ()):
                self.found.hits[f"{match['policy']}/{match['rule']}"] += 1
            for key in _texts(entry.facts.get("copies", ())):
                if (number, key) not in wanted:
                    self._fault(
                        Stage.SINK, What.MISSING, f"copy {key} of message/{number}", "never asked for"
                    )

    def _copied(self, numbers: Iterable[int]) -> set[tuple[int, str]]:
        c = s.copies.c
        query = select(c.message, c.destination).where(c.message.in_(list(numbers)), c.revision == 1)
        return {(row.message, row.destination) for row in self.db.execute(query)}

    def _permitted(self, entries: Sequence[Entry], gone: set[int]) -> None:
        rows = self._letters([_permit(entry) for entry in entries])
        for entry in entries:
            permit, (row, seal) = _permit(entry), rows.get(_permit(entry), (None, ""))
            said = {name: entry.facts[name] for name in ("message", "network")}
            said["marks"] = entry.facts.get("marks", "")
            self._against(Stage.OUTBOX, entry.subject, said, row)
            if seal and _number(entry) not in gone and seal != entry.facts.get("bound"):
                detail = "its message, verdict or conversation is not what was permitted"
                self._fault(Stage.OUTBOX, What.ALTERED, f"delivery/{permit}", detail)

    def _letters(self, permits: Sequence[str]) -> dict[str, tuple[Row, str]]:
        """Deliveries by their permits, each with the seal over what its row stands for."""
        d, m, v = s.deliveries.c, s.messages.c, s.verdicts.c
        join = s.deliveries.outerjoin(s.messages, m.id == d.message).outerjoin(s.verdicts, v.id == d.verdict)
        query = select(s.deliveries, *BESIDE[:2]).select_from(join).where(d.permit.in_(permits))
        rows = self.db.execute(query).all()
        return {row.permit: (row._mapping, seal_of(self.vault, row.permit, letter_of(row))) for row in rows}

    def _stepped(self, entries: Sequence[Entry], gone: set[int]) -> None:
        """Each delivery that an entry is about is there, was permitted before, went out once, and stands
        where its last entry says."""
        first = {_permit(entry): entry for entry in reversed(entries)}
        rows = self._by(s.deliveries, s.deliveries.c.permit, sorted(first))
        stories = _stories(self.db, sorted(first))
        for entry in entries:
            self._in_turn(entry, stories[_permit(entry)])
        for permit, entry in sorted(first.items()):
            if permit in rows and stories[permit]:
                self._stands(entry.subject, rows[permit], stories[permit][-1])
            elif self._is_first(entry, stories[permit]) and _number(entry) not in gone:
                self._against(Stage.OUTBOX, entry.subject, {}, None)

    def _is_first(self, entry: Entry, story: Sequence[Entry]) -> bool:
        """Whether nothing else of the span speaks of the delivery that an entry is about before it does, nor
        permits it there: then it is for this entry to say that the delivery is gone."""
        within = [one for one in story if one.seq >= self.span.entries[0]]
        return within[:1] == [entry] and entry.kind != PERMITTED

    def _in_turn(self, entry: Entry, story: Sequence[Entry]) -> None:
        """An entry against what the ledger says of the same permit before it."""
        before = [one for one in story if one.seq < entry.seq]
        if entry.kind != PERMITTED and not any(one.kind == PERMITTED for one in before):
            detail = f"{entry.kind}, and no entry permits it"
            self._fault(Stage.OUTBOX, What.SURPLUS, entry.subject, detail)
        if entry.kind in SENT and any(one.kind in SENT for one in before):
            self._fault(Stage.OUTBOX, What.DUPLICATE, entry.subject, "it was sent again by the same permit")
        if entry.kind == "delivery:parked" and (why := entry.facts.get("reason")) in STOPPED:
            detail = f"its row was not as permitted when it was to go out ({why}): it was stopped"
            self._fault(Stage.OUTBOX, What.ALTERED, entry.subject, detail)

    def _stands(self, name: str, row: Row, last: Entry) -> None:
        if row["state"] not in TESTIFIED[last.kind]:
            detail = f"it is {row['state']}, and the last that is testified to is {last.kind}"
            self._fault(Stage.OUTBOX, What.ALTERED, name, detail)
        elif row["done_at"] != (last.at if row["state"] in ENDED else 0):
            self._fault(Stage.OUTBOX, What.ALTERED, name, "done_at: not as the ledger testifies")

    def _sent(self, entries: Sequence[Entry]) -> None:
        r = s.receipts.c
        permits = [_permit(entry) for entry in entries]
        receipts: defaultdict[str, set[str]] = defaultdict(set)
        for row in self.db.execute(select(r.permit, r.id).where(r.permit.in_(permits))):
            receipts[row.permit].add(row.id)
        for entry in entries:
            if lost := set(_texts(entry.facts.get("ids", ()))) - receipts[_permit(entry)]:
                detail = f"{len(lost)} of the network's receipts are gone"
                self._fault(Stage.OUTBOX, What.ALTERED, entry.subject, detail)

    def _files(self, entries: Sequence[Entry], gone: set[int]) -> None:
        kept = [entry for entry in entries if _number(entry) not in gone]
        f = s.files.c
        query = select(s.files).where(f.message.in_({_number(entry) for entry in kept}))
        rows = {(row["message"], row["n"]): row for row in self._rows(query)}
        for entry in kept:
            number, n, digest = _number(entry), entry.facts["file"], str(entry.facts["sha256"])
            name = f"file {n} of message/{number}"
            said = {"digest": digest, "size": entry.facts["size"], "state": "archived"}
            self._against(Stage.ARCHIVE, name, said, rows.get((number, n)))
        digests = {str(entry.facts["sha256"]): entry for entry in kept}
        if self.blobs:
            self._blobs(self.blobs, digests)
        self._file_keys(digests)

    def _blobs(self, folder: Path, digests: Mapping[str, Entry]) -> None:
        """The bytes of a page's attachments are on the disk, and are those that were archived."""
        for digest, entry in digests.items():
            name = f"file {entry.facts['file']} of message/{_number(entry)}"
            try:
                with (folder / digest[:2] / digest[2:4] / digest).open("rb") as file:
                    is_ = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError:
                self._fault(Stage.ARCHIVE, What.MISSING, name, "its bytes are gone")
                continue
            if is_ != digest:
                self._fault(Stage.ARCHIVE, What.ALTERED, name, "its bytes are not what was archived")

    def _file_keys(self, digests: Mapping[str, Entry]) -> None:
        """Each attachment can be opened: without its key it is lost."""
        k = s.file_keys.c
        query = select(k.digest, k.wrapped).where(k.digest.in_(list(digests)))
        keys = {row.digest: bytes(row.wrapped) for row in self.db.execute(query)}
        for digest, entry in digests.items():
            name = f"file {entry.facts['file']} of message/{_number(entry)}"
            if digest not in keys:
                self._fault(Stage.ARCHIVE, What.MISSING, name, "its key is gone")
            elif not self.vault.opens_file(digest, keys[digest]):
                self._fault(Stage.ARCHIVE, What.ALTERED, name, "its key does not open it")

    def _copies(self, entries: Sequence[Entry], gone: set[int]) -> None:
        kept = [entry for entry in entries if _number(entry) not in gone]
        c = s.copies.c
        query = select(s.copies).where(c.message.in_({_number(entry) for entry in kept}))
        rows = {(row["message"], row["destination"], row["revision"]): row for row in self._rows(query)}
        for entry in kept:
            key = (_number(entry), str(entry.facts["destination"]), int(str(entry.facts["revision"])))
            row, name = rows.get(key), f"copy {key[1]} of message/{key[0]}"
            if row is not None and row["entry"] != entry.seq:
                continue  # it was brought again since: a later entry speaks of it
            said = {"state": "kept", "sha256": entry.facts["sha256"]}
            self._against(Stage.SINK, name, said, row)

    def _lost(self, entries: Sequence[Entry]) -> None:
        """Copies that were read back from an archive outside, and were not there as it had taken them."""
        for entry in entries:
            why = str(entry.facts["reason"])
            what = What.MISSING if why == "gone" else What.ALTERED
            name = f"copy {entry.facts['destination']} of {entry.subject}"
            self._fault(Stage.SINK, what, name, f"read back from the archive: {why}")

    def _exported(self, entries: Sequence[Entry]) -> None:
        """What exports say of themselves."""
        for entry in entries:
            counts = self.found.counts["export", "all"]
            counts["collected"] += _whole(entry.facts.get("messages")) + _whole(entry.facts.get("excluded"))
            counts["archived"] += _whole(entry.facts.get("messages"))
            counts["excluded"] += _whole(entry.facts.get("excluded"))

    def numbers_missing(self) -> None:
        """The numbers of messages that no entry speaks of."""
        for number in self.numbers.rest():
            self._fault(Stage.ARCHIVE, What.MISSING, f"message/{number}", "no entry speaks of its number")

    def left_over(self) -> None:
        """What came before the span and is not done, and what failed by its end: named every day, until
        somebody sees to it."""
        m, d, (first, last) = s.messages.c, s.deliveries.c, self.span.messages
        for state in sorted(WAITING):  # each has an index
            new = select(m.id).where(states_in(m.state, state), m.lane == self.span.lane, m.id < first)
            for number in self._each(new.order_by(m.id)):
                self.found.note(("archive", "left over"), "unprocessed", f"message/{number}")
        permits = select(d.permit).order_by(d.id)
        # What waits for its reader to write is neither, nor is what waits behind it.
        ahead = s.deliveries.alias()
        behind = exists().where(
            ahead.c.network == d.network,
            ahead.c.conversation == d.conversation,
            is_open(ahead),
            ahead.c.state == "waiting",
            ahead.c.id <= d.id,
        )
        for permit in self._each(permits.where(is_open(s.deliveries), ~behind, d.message < first)):
            self.found.note(("outbox", "left over"), "unprocessed", f"delivery/{permit}")
        for permit in self._each(permits.where(states_in(d.state, "parked", "failed"), d.message < last)):
            self.found.note(("outbox", "left over"), "failed", f"delivery/{permit}")
        self._lacking()

    def _lacking(self) -> None:
        """What archives outside have not got: copies of earlier days, and those that they refused by now."""
        c, (first, last) = s.copies.c, self.span.messages
        query = select(c.message, c.destination, c.upto).order_by(c.destination, c.message)
        earlier = c.message < first, or_(c.revision == 1, c.since < self.span.since)
        waived: dict[object, int] = {}
        for count, which in (
            ("unprocessed", (states_in(c.state, "wanted"), *earlier)),
            ("failed", (states_in(c.state, "parked"), c.message < last)),
        ):
            for row in self.db.execute(query.where(*which).execution_options(yield_per=CHUNK)):
                if row.destination not in waived:
                    waived[row.destination] = self._waived(str(row.destination))
                if row.upto > waived[row.destination]:
                    self.found.note((LEFT, str(row.destination)), count, f"message/{row.message}")

    def _waived(self, key: str) -> int:
        """The entry up to which two people let go what waited for an archive, -1 where they never did."""
        c = s.ledger.c
        query = select(c.entry).where(c.subject == about_waivers(key)).order_by(c.seq.desc())
        entries = readable(self.db.execute(query).scalars())
        return next((entry.seq for entry in entries if entry.kind == WAIVED), -1)

    def _each(self, query: Any) -> Iterator[Any]:
        """The one column of a query, a chunk at a time: what is left over may be much."""
        return iter(self.db.execute(query.execution_options(yield_per=CHUNK)).scalars())

    # rows: each has its entry

    def rows(self, first: int, last: int) -> None:
        """Messages `first` up to, but without, `last`, with what belongs to them, against the ledger."""
        m, v, d = s.messages.c, s.verdicts.c, s.deliveries.c
        within = (m.id >= first, m.id < last)
        messages = self._rows(select(s.messages).where(*within).order_by(m.id))
        verdicts = self._rows(select(s.verdicts).where(v.message >= first, v.message < last).order_by(v.id))
        outbox = self._rows(select(s.deliveries).where(d.message >= first, d.message < last).order_by(d.id))
        gone = self._disposed(s.disposed.c.message >= first, s.disposed.c.message < last)
        self._testified(messages, verdicts)
        stories = _stories(self.db, [row["permit"] for row in outbox])
        permitted = self._permits(outbox, stories)
        self._twice(outbox, stories)
        self._order(messages, verdicts, outbox, permitted)
        self._complete(messages, verdicts, outbox, gone)
        self._sinks(first, last)

    def _testified(self, messages: Sequence[Row], verdicts: Sequence[Row]) -> None:
        c = s.ledger.c
        for rows, stage, name, kinds in (
            (messages, Stage.ARCHIVE, "{id}", ARCHIVED),
            (verdicts, Stage.VERDICT, "{message}", ("message:judged", "hold:released")),
        ):
            places = [row["entry"] for row in rows]
            query = select(c.entry).where(c.lane == self.span.lane, c.seq.in_(places))
            entries = {entry.seq: entry for entry in readable(self.db.execute(query).scalars())}
            for row in rows:
                entry, subject = entries.get(_place(row["entry"])), f"message/{name.format(**row)}"
                if entry is None or entry.subject != subject or entry.kind not in kinds:
                    called = subject if stage is Stage.ARCHIVE else f"verdict {row['id']} of {subject}"
                    self._fault(stage, What.SURPLUS, called, "no entry of the ledger speaks of it")

    def _permits(self, outbox: Sequence[Row], stories: Mapping[str, Sequence[Entry]]) -> dict[str, int]:
        """Where each delivery was permitted; those that never were are faults."""
        found = {}
        for row in outbox:
            permit = str(row["permit"])
            places = [entry.seq for entry in stories.get(permit, ()) if entry.kind == PERMITTED]
            if places:
                found[permit] = places[0]
            else:
                detail = "no entry of the ledger permits it"
                self._fault(Stage.OUTBOX, What.SURPLUS, f"delivery/{permit}", detail)
        return found

    def _twice(self, outbox: Sequence[Row], stories: Mapping[str, Sequence[Entry]]) -> None:
        """One verdict permits one delivery, and another in the place of one that arrived nowhere."""
        by_verdict: defaultdict[object, list[Row]] = defaultdict(list)
        for row in outbox:
            kinds = [entry.kind for entry in stories.get(str(row["permit"]), ())]
            if kinds[-2:] != ["delivery:failed", "delivery:retried"]:
                by_verdict[row["verdict"]].append(row)
        for rows in by_verdict.values():
            for row in rows[1:]:
                detail = f"a second delivery of message/{row['message']} by the same verdict"
                self._fault(Stage.OUTBOX, What.DUPLICATE, f"delivery/{row['permit']}", detail)

    def _order(
        self,
        messages: Sequence[Row],
        verdicts: Sequence[Row],
        outbox: Sequence[Row],
        permitted: Mapping[str, int],
    ) -> None:
        pairs = [(row["id"], _place(row["entry"])) for row in messages]
        self.found_all(rising(Stage.ARCHIVE, "message", pairs))
        pairs = [(row["id"], _place(row["entry"])) for row in verdicts]
        self.found_all(rising(Stage.VERDICT, "verdict", pairs))
        pairs = [
            (row["permit"], permitted[str(row["permit"])]) for row in outbox if row["permit"] in permitted
        ]
        self.found_all(rising(Stage.OUTBOX, "delivery", pairs))

    def _complete(
        self, messages: Sequence[Row], verdicts: Sequence[Row], outbox: Sequence[Row], gone: set[int]
    ) -> None:
        """Every message was judged, by the ledger and not by its row, and what may pass has its delivery."""
        with_verdict = {row["message"] for row in verdicts}
        permitted = {row["message"] for row in outbox}
        became = self._became([str(row["id"]) for row in messages])
        for row in messages:
            number, state = row["id"], became[str(row["id"])]
            name = f"message/{number}"
            if row["state"] != state and not {str(row["state"]), state} <= WAITING:
                detail = f"it is {row['state']}, and {state} by the ledger"
                self._fault(Stage.VERDICT, What.ALTERED, name, detail)
            if state in WAITING:
                self.found.note(("archive", "judgement"), "unprocessed", name)
            elif state not in ("noted", "recalled") and number not in with_verdict and number not in gone:
                self._fault(Stage.VERDICT, What.MISSING, f"verdict of {name}", f"it is {state}")
            goes = state in ("passed", "released") and number not in gone
            if goes and (row["pair"] or row["notice_for"]) and number not in permitted:
                self._fault(Stage.OUTBOX, What.MISSING, f"delivery of {name}", "it may pass, and is not sent")
        for row in outbox:
            self._delivered(row)

    def _became(self, numbers: Sequence[str]) -> dict[str, str]:
        """What has become of messages, by the entries about them."""
        c = s.ledger.c
        query = select(c.lane, c.seq, c.entry).where(c.subject.in_([f"message/{one}" for one in numbers]))
        steps: defaultdict[str, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
        for entry in readable(data for *_, data in sorted(self.db.execute(query))):
            steps[entry.subject.partition("/")[2]].append((entry.kind, entry.facts))
        return {one: became(steps[one]) or "" for one in numbers}

    def _delivered(self, row: Row) -> None:
        account, state = ("sink", str(row["network"])), row["state"]
        self.found.counts[account]["collected"] += 1
        name = f"delivery/{row['permit']}"
        if state == "sent":
            self.found.counts[account]["archived"] += 1
        elif row["reason"] in NOBODY:
            self.found.note(account, "invalid", name)
        elif state in ("parked", "failed"):
            self.found.note(account, "failed", name)
        elif state == "dropped":
            self.found.note(account, "excluded", f"{name}: {row['reason']}")
        else:
            self.found.note(account, "unprocessed", name)

    def _sinks(self, first: int, last: int) -> None:
        c = s.copies.c
        query = select(s.copies).where(c.message >= first, c.message < last, c.revision == 1)
        rows = self._rows(query.order_by(c.message, c.destination))
        kept = self._kept([row["entry"] for row in rows if row["state"] == "kept"])
        for row in rows:
            account, name = ("sink", str(row["destination"])), f"message/{row['message']}"
            self.found.counts[account]["collected"] += 1
            if row["state"] == "kept":
                self.found.counts[account]["archived"] += 1
                if kept.get(_place(row["entry"])) != (name, row["destination"], 1, row["sha256"]):
                    called = f"copy {row['destination']} of {name}"
                    self._fault(Stage.SINK, What.SURPLUS, called, "no entry of the ledger speaks of it")
            else:
                count = "failed" if row["state"] == "parked" else "unprocessed"
                self.found.note(account, count, name)

    def _kept(self, places: Sequence[object]) -> dict[int, tuple[object, ...]]:
        """What entries at these places say of a copy that an archive outside has acknowledged."""
        c = s.ledger.c
        query = select(c.entry).where(c.lane == self.span.lane, c.seq.in_(places))
        entries = readable(self.db.execute(query).scalars())
        names = ("destination", "revision", "sha256")
        return {
            entry.seq: (entry.subject, *(entry.facts.get(name) for name in names))
            for entry in entries
            if entry.kind == "copy:kept"
        }

    # small things

    def _rows(self, query: Any) -> list[Row]:
        return [dict(row._mapping) for row in self.db.execute(query)]

    def _by(self, table: Any, column: Any, keys: Iterable[Any]) -> dict[Any, Row]:
        """Rows of a table by one of their columns."""
        query = select(table).where(column.in_(list(keys)))
        return {row[column.name]: row for row in self._rows(query)}

    def _against(self, stage: Stage, name: str, said: Row, row: Row | None) -> None:
        self.found_all(against(stage, name, said, row))

    def _fault(self, stage: Stage, what: What, name: str, detail: str) -> None:
        self.found.faults.append(Fault(stage, what, name, detail))

    def found_all(self, faults: Iterable[Fault]) -> None:
        """More faults."""
        self.found.faults += faults


def _stories(db: Connection, permits: Iterable[object]) -> defaultdict[str, list[Entry]]:
    """What the ledger says of deliveries, by permit, in its order."""
    c = s.ledger.c
    subjects = [f"delivery/{permit}" for permit in permits]
    query = select(c.lane, c.seq, c.entry).where(c.subject.in_(subjects))
    found: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in readable(data for *_, data in sorted(db.execute(query))):
        if entry.kind in TESTIFIED:
            found[_permit(entry)].append(entry)
    return found


def _number(entry: Entry) -> int:
    """The message that an entry is about, 0 when it is about none."""
    value = entry.facts.get("message", 0)
    return value if isinstance(value, int) else 0


def _permit(entry: Entry) -> str:
    return entry.subject.removeprefix("delivery/")


def _place(value: object) -> int:
    """A place in the ledger; SQLite keeps anything in a column."""
    return value if isinstance(value, int) else -1


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else []


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _stage(entry: Entry) -> Stage:
    """The stage that an entry with content is part of."""
    if entry.kind.startswith("copy:"):
        return Stage.SINK
    if entry.kind.startswith("delivery:"):
        return Stage.OUTBOX
    if entry.kind.startswith("export:"):
        return Stage.EXPORT
    judged = entry.kind == "message:judged" or entry.kind.startswith("hold:")
    return Stage.VERDICT if judged else Stage.ARCHIVE


def _name(entry: Entry) -> str:
    if entry.kind == "message:judged":
        return f"verdict of {entry.subject}"
    if entry.kind.startswith("copy:"):
        return f"copy {entry.facts['destination']} of {entry.subject}"
    return entry.subject


# --- a source -------------------------------------------------------------------------------------------


def recount(chosen: Span, network: str, margin: int, overlap: int = 0) -> Recount:
    """An empty comparison with what `network` has. `margin` is how many messages around the span may be met
    as well, `overlap` for how many milliseconds before it what comes is compared."""
    first, last = chosen.messages
    numbers = (max(first - margin, 1), last + margin)
    return Recount(network, numbers, chosen.deliveries, chosen.since, chosen.until, overlap)


def first_tried(db: Connection, chosen: Span, network: str) -> int:
    """When the deliveries that arrived in a span were first tried (milliseconds), the earliest of them; the
    end of the span where there are none. A try of which nobody knew for hours whether it arrived is shown by
    the network when it was made."""
    d = s.deliveries.c
    query = select(func.min(d.first_try_at)).where(
        *(d.network == network, d.state == "sent", d.first_try_at > 0),
        *(d.done_at >= chosen.since, d.done_at < chosen.until),
    )
    return db.execute(query).scalar() or chosen.until


def look_up(
    db: Connection, network: str, sightings: Sequence[Sighting]
) -> tuple[dict[str, Known], dict[str, Ours]]:
    """What the archive has of sightings: by the network's ids, and by permit what is ours."""
    m, c, k = s.messages.c, s.content.c, s.data_keys.c
    theirs = [one for one in sightings if not one.ours]
    query = (
        select(m.source_id, m.id, m.archived_at, m.conversation, m.lane, m.entry, k.wrapped, apart(c.body))
        .select_from(
            s.messages.outerjoin(s.content, and_(c.lane == m.lane, c.seq == m.entry)).outerjoin(
                s.data_keys, and_(k.lane == m.lane, k.seq == m.entry)
            )
        )
        .where(m.network == network, m.source_id.in_([one.id for one in theirs]))
    )
    vault = vault_of(db)
    known = {
        row[0]: Known(row[1], _said(vault, *row[4:]), _whole(row[2]), _where(row[3]))
        for row in db.execute(query)
    }
    strange = [one for one in theirs if one.id not in known]
    out = {chat: _outside(db, network, chat) for chat in {one.conversation for one in strange}}
    known |= {
        one.id: Known(0, "") for one in strange if any(a <= one.at < b for a, b in out[one.conversation])
    }
    return known, _ours(db, network, {one.permit for one in sightings if one.permit})


def _outside(db: Connection, network: str, conversation: str) -> list[tuple[int, int]]:
    """When the bridge was not in a conversation, by the network's time, as far as the archive knows: before
    the first that it has of it, if that is a note (somebody joined, a room was made), and from each note
    that the bridge's own account left to whatever came next."""
    m = s.messages.c
    ours = select(m.id, m.kind, m.lane, m.entry).where(
        m.network == network, m.conversation == conversation, m.notice_for.is_(None)
    )

    def sent_at(row: Any) -> int:
        return int((_message(db, row.lane, row.entry) or {}).get("sent_at", 0))

    first = db.execute(ours.order_by(m.id).limit(1)).first()
    found = [(0, sent_at(first))] if first is not None and first.kind == Kind.NOTE else []
    for went in db.execute(ours.where(m.source_id.startswith(WENT)).order_by(m.id)).all():
        after = db.execute(ours.where(m.id > went.id).order_by(m.id).limit(1)).first()
        if after is not None:
            found.append((sent_at(went), sent_at(after)))
    return found


def _ours(db: Connection, network: str, permits: Collection[str]) -> dict[str, Ours]:
    """What may be shown in our name by these permits: deliveries with what passed, and signed checkpoints."""
    d, m, v = s.deliveries.c, s.messages.c, s.verdicts.c
    query = (
        select(d.permit, d.id, d.attempt, d.state, d.conversation)
        .add_columns(m.lane, m.entry, v.entry.label("verdict"))
        .select_from(s.deliveries.join(s.messages, m.id == d.message).join(s.verdicts, v.id == d.verdict))
        .where(d.permit.in_(permits), d.network == network)
    )
    found, stories = {}, _stories(db, permits)
    for row in db.execute(query):
        went = [entry.seq + 1 for entry in stories[row.permit] if entry.kind in SENT]
        place = went[0] if went and row.state == "sent" and row.attempt <= 1 else 0
        found[row.permit] = Ours(row.id, letters(_passed(db, row)), place, _where(row.conversation))
    for permit in permits:
        name, _, place = permit.partition("/")
        lane, _, size = place.partition("/")
        named = name == "checkpoint" and lane.isdecimal() and size.isdecimal()
        if named and (note := checkpoints.note_of(db, int(lane), int(size))):
            found[permit] = Ours(0, letters(note))
    return found


def _where(conversation: str) -> str:
    """A conversation as a network names it; "" for one that is found by somebody's address."""
    return "" if str(conversation).startswith(DIRECT) else str(conversation)


def _passed(db: Connection, row: Any) -> str:
    """The words of a message that its verdict let pass; "" where they were destroyed, or do not open."""
    message, verdict = _message(db, row.lane, row.entry), _message(db, row.lane, row.verdict)
    if message is None or verdict is None or message.get("kind") == Kind.RECALL:
        return ""
    return visible(words_in(verdict, str(message.get("text", "")))[0])


def paired(db: Connection, chosen: Span, network: str) -> dict[str, str]:
    """The chats of a network in which people may talk, each with its pair: those that a span can have."""
    p = s.pairs.c
    chat = p.stream if network == SYMPHONY else p.contact
    query = select(p.id, chat.label("chat")).where(p.state == "active", p.made_at < chosen.until)
    return {row.chat: f"pair/{row.id}" for row in db.execute(query.order_by(p.id))}


def conversations(db: Connection, chosen: Span, network: str) -> list[str]:
    """The conversations of a network that a recount has to reach: those of pairs, and of which a span has a
    message, or a delivery that arrived."""
    m, d = s.messages.c, s.deliveries.c
    messages = select(m.conversation).where(
        m.network == network, m.notice_for.is_(None), m.id >= chosen.messages[0], m.id < chosen.messages[1]
    )
    sent = select(d.conversation).where(
        d.network == network, d.done_at >= chosen.since, d.done_at < chosen.until, d.state == "sent"
    )
    found = {*db.execute(messages.union(sent)).scalars(), *paired(db, chosen, network)}
    return sorted(one for one in found if isinstance(one, str) and one and not one.startswith(DIRECT))


def _said(vault: Vault, lane: int, seq: int, wrapped: bytes | None, sealed: bytes | None) -> str:
    """The digest of what an archived message says; "" when it was destroyed, or does not open."""
    if wrapped is None or sealed is None:
        return ""
    try:
        return said_digest(message_from(vault.open_apart(lane, seq, wrapped, sealed, BODY), b""))
    except (StoreError, ValueError, TypeError):
        return ""


def reach(overlap: int, chosen: Span) -> tuple[int, int]:
    """Between which times (milliseconds) a recount has to show what came into the archive in a span: it is
    asked for so much more at both ends, for what was sent on one side of midnight and came on the other."""
    return chosen.since - overlap, chosen.until + overlap


def surplus(
    db: Connection, chosen: Span, asked: Recount, unasked: Sequence[tuple[str, int, int]]
) -> list[Fault]:
    """Messages of the span that a recount did not show, though it would have to.

    Not those of kinds that history need not have, nor what its sender took back or wrote anew. What the
    network could not be asked for is no fault, and is noted as passed over, as are pairs of whose chat it
    could not be asked at all: `unasked` has (conversation or account, since, until).
    """
    asked.passed_over += [
        pair
        for chat, pair in paired(db, chosen, asked.network).items()
        if _is_within(chat, chosen.since, unasked) and _is_within(chat, chosen.until - 1, unasked)
    ]
    found = []
    first, last = chosen.messages
    m, named = s.messages.c, _Named(db)
    for start in range(first, last, CHUNK):
        query = select(m.id, m.lane, m.entry, m.kind, m.conversation, m.source_id).where(
            m.id >= start, m.id < min(start + CHUNK, last), m.network == asked.network, m.notice_for.is_(None)
        )
        for row in db.execute(query.order_by(m.id)):
            if row.id in asked.seen or not (at := _due_at(db, row, reach(asked.overlap, chosen), named)):
                continue
            if _is_within(row.conversation, at, unasked):
                asked.passed_over.append(f"message/{row.id}")
            else:
                detail = f"the archive has message/{row.id}, the network has not"
                found.append(Fault(Stage.SOURCE, What.SURPLUS, f"{asked.network}/{row.source_id}", detail))
    return found


def _is_within(chat: str, at: int, unasked: Sequence[tuple[str, int, int]]) -> bool:
    """Whether a network could not be asked for a moment of a conversation."""
    account = chat.split("/")[0]
    return any(account in (name, name.split("/")[0]) and a <= at < b for name, a, b in unasked)


def _due_at(db: Connection, row: Any, within: tuple[int, int], named: _Named) -> int:
    """When an archived message was sent, if a recount has to show it; 0 if it need not. It has to where that
    is `within` the times that a network is asked for."""
    if Kind(row.kind) in _TOLD:
        return 0
    message = _message(db, row.lane, row.entry)
    if message is None or message.get("defect") or named.later(row):
        return 0
    at = int(message["sent_at"])
    return at if within[0] <= at < within[1] else 0


class _Named:
    """Which messages a later one of their conversation recalls or replaces. Each conversation is opened once,
    from the first message on that is asked about: they are asked about in the order of their numbers."""

    def __init__(self, db: Connection) -> None:
        self.db = db
        self._chats: dict[str, dict[str, int]] = {}

    def later(self, row: Any) -> bool:
        """Whether a later message names this one."""
        if row.conversation not in self._chats:
            self._chats[row.conversation] = self._read(row)
        return self._chats[row.conversation].get(row.source_id, 0) > row.id

    def _read(self, row: Any) -> dict[str, int]:
        """By the ids of those that are named after this one, the number of the last that names it."""
        m = s.messages.c
        after = select(m.id, m.lane, m.entry).where(m.conversation == row.conversation, m.id > row.id)
        last: dict[str, int] = {}
        for number, lane, entry in self.db.execute(after.order_by(m.id)):
            message = _message(self.db, lane, entry) or {}
            recalled = message.get("refers_to") if message.get("kind") == Kind.RECALL else None
            last |= {one: number for one in (recalled, message.get("replaces")) if one}
        return last


def _message(db: Connection, lane: int, seq: int) -> dict[str, Any] | None:
    c, k = s.content.c, s.data_keys.c
    query = select(k.wrapped, apart(c.body)).select_from(
        s.content.join(s.data_keys, and_(k.lane == c.lane, k.seq == c.seq))
    )
    row = db.execute(query.where(c.lane == lane, c.seq == seq)).first()
    if row is None:
        return None
    try:
        value: dict[str, Any] = orjson.loads(vault_of(db).open_apart(lane, seq, row[0], row[1], BODY))
    except (StoreError, ValueError):
        return None
    return value


def unseen_deliveries(
    db: Connection, chosen: Span, asked: Recount, unasked: Sequence[tuple[str, int, int]] = ()
) -> list[Fault]:
    """Deliveries that the network took in the span, and does not show: for networks that show ours at all.

    Those of conversations that could not be asked are noted as passed over. What was sent by a clock that was
    set since, nobody can ask for: the span has its entry, and says so by the entry's time.
    """
    d = s.deliveries.c
    query = select(d.id, d.permit, d.conversation, d.done_at).where(
        *(d.network == asked.network, d.state == "sent"),
        *(d.done_at >= chosen.since - SET, d.done_at < chosen.until + SET),
    )
    rows = (row for row in db.execute(query.order_by(d.id)) if row.id not in asked.arrived)
    detail = "the network took it, and does not have it"
    found = []
    for some in chunks(rows, CHUNK):
        sent = _sent_of(db, chosen, some)
        for row in (row for row in some if row.permit in sent):
            if _is_within(row.conversation, row.done_at, unasked):
                asked.passed_over.append(f"delivery/{row.permit}")
            else:
                found.append(Fault(Stage.OUTBOX, What.MISSING, f"delivery/{row.permit}", detail))
    return found


def _sent_of(db: Connection, chosen: Span, rows: Sequence[Any]) -> set[str]:
    """Which of these deliveries were sent in a span, by the place of the entry that says so; by their own
    time where none does."""
    stories = _stories(db, [row.permit for row in rows])
    first, last = chosen.entries
    found = set()
    for row in rows:
        places = [entry.seq for entry in stories[row.permit] if entry.kind in SENT]
        if first <= places[-1] < last if places else chosen.since <= row.done_at < chosen.until:
            found.add(row.permit)
    return found


__all__ = [
    "Findings",
    "Span",
    "at_places",
    "conversations",
    "first_from",
    "first_tried",
    "last_number",
    "look_up",
    "readable",
    "reconcile",
    "recount",
    "roughly",
    "span",
    "surplus",
    "unseen_deliveries",
    "until_message",
]
