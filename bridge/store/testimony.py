"""Rows against the entries that testify to them: pairs, messages and what hangs on them, deliveries.

Rules of this file: it reads through `reread` alone. A row is compared column by column with what its ledger
entries and its archived content say; a finding names the column and never shows what was written.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from bridge.flow import ENDED, TESTIFIED, MessageState, became
from bridge.ledger.entry import Entry
from bridge.message import SYMPHONY, WEIXIN
from bridge.sealing import PAIR
from bridge.store.absence import Absences, check_gone, disposed_by
from bridge.store.permits import listed
from bridge.store.reread import (
    AnyRow,
    Body,
    Comparison,
    Source,
    Values,
    Work,
    as_bytes,
    number,
    parsed,
    place_of,
)

# --- people ---------------------------------------------------------------------------------------------


def check_pairs(work: Work) -> None:
    """Pairs against their entries and acts. They stay in memory: as many as people, not as messages."""
    for rows in work.chunks("SELECT * FROM pairs WHERE id > :after ORDER BY id LIMIT :chunk"):
        entries = work.entries([f"pair/{row.id}" for row in rows])
        bodies = work.bodies((row.lane, row.entry) for row in rows)
        for row in rows:
            work.pairs[row.id] = row
            for source in _sources(row):
                work.paired[source].append(row)
            _pair(work, row, entries[f"pair/{row.id}"], bodies.get((row.lane, row.entry)))


def _pair(work: Work, row: AnyRow, entries: Sequence[Entry], act: Mapping[str, Any] | None) -> None:
    key = f"id {row.id}"
    made = next((e for e in entries if e.kind == "pair:made"), None)
    if made is None:
        work.report("pairs", key, "", "no entry testifies that these two were paired")
        return
    ended = next((e for e in entries if e.kind == "pair:ended"), None)
    facts: list[Comparison] = [
        ("lane", row.lane, made.lane),
        ("entry", row.entry, made.seq),
        ("made_at", row.made_at, made.at),
    ]
    facts.append(("state", row.state, "ended" if ended else "active"))
    facts.append(("ended_at", row.ended_at, ended.at if ended else 0))
    work.compare("pairs", key, facts, "its entry")
    if act is None:
        return
    names = {name: value for name, value in act.items() if name not in _NOT_NAMES}
    words: list[Comparison] = [
        (column, getattr(row, column), act.get(column)) for column in ("advisor", "stream", "contact")
    ]
    query = "SELECT wrapped FROM data_keys WHERE lane = :lane AND seq = :seq"
    wrapped = next(iter(work.column(query, lane=row.lane, seq=row.entry)), b"")
    sealed = work.part(row.lane, row.entry, wrapped, PAIR, row.body)
    work.compare("pairs", key, [*words, ("body", parsed(sealed), names)], "the act in the archive")


_NOT_NAMES = ("person", "reason")


def check_consents(work: Work) -> None:
    """What clients were asked and agreed to, against the last entry about each. As many as people."""
    if work.sealed:
        return  # whom an entry speaks of stands in the archive
    rows = {(str(row.contact), str(row.gate)): row for row in work.rows("SELECT * FROM consents")}
    for place, entry in work.consents.items():
        if place not in rows:
            meaning = f"is gone: {place_of(entry)} ({entry.kind}) testifies to it"
            work.report("consents", f"entry {entry.seq}", "", meaning)
    for place, row in rows.items():
        said = work.consents.get(place)
        if said is None:
            work.report("consents", f"entry {row.entry}", "contact, gate", "no entry testifies to it")
            continue
        given = said.kind == "consent:given"
        facts: list[Comparison] = [
            ("lane", row.lane, said.lane),
            ("entry", row.entry, said.seq),
            ("asked_at", row.asked_at, 0 if given else said.at),
            ("given_at", row.given_at, said.at if given else 0),
        ]
        work.compare("consents", f"entry {said.seq}", facts, "its entry")


_LEGAL = {
    "legal:placed": "standing",
    "legal:lift-proposed": "proposed",
    "legal:lift-refused": "standing",
    "legal:lifted": "lifted",
}


def check_legal(work: Work) -> None:
    """Legal holds against everything that was done with each: none is gone, none is lifted by itself."""
    rows = {str(row.name): row for row in work.rows("SELECT * FROM holds")}
    for name, acts in work.legal.items():
        if name not in rows:
            meaning = f"is gone: {place_of(acts[0])} ({acts[0].kind}) testifies to it"
            work.report("holds", name, "", meaning)
    for name, row in rows.items():
        acts = work.legal.get(name)
        if not acts:
            work.report("holds", name, "", "no entry testifies to it")
            continue
        state = _LEGAL.get(acts[-1].kind, "")
        facts: list[Comparison] = [
            ("lane", row.lane, acts[0].lane),
            ("entry", row.entry, acts[0].seq),
            ("state", row.state, state),
            ("placed_at", row.placed_at, acts[0].at),
            ("ended_at", row.ended_at, acts[-1].at if state == "lifted" else 0),
        ]
        work.compare("holds", name, facts, "the ledger")


def check_draws(work: Work) -> None:
    """Each draw's seed is the root of the tree of its size, and the choice follows from it: nobody chose."""
    for day, (entry, body) in work.draws.items():
        _choice(work, day, entry, body)
        statement = "SELECT root FROM heads WHERE lane = :lane AND size = :size"
        roots = work.column(statement, lane=entry.lane, size=number(entry.facts.get("size")))
        if [as_bytes(root).hex() for root in roots] != [entry.facts.get("seed")]:
            meaning = f"the seed of the draw of {day} is not the root of the tree that it names"
            work.report("ledger", f"lane {entry.lane} seq {entry.seq}", "facts", meaning)


def _choice(work: Work, day: str, entry: Entry, body: Mapping[str, Any]) -> None:
    """Draw again: of each rule's messages of the day, those whose hash with the seed is smallest."""
    rules = body.get("rules")
    drawn: set[int] = set()
    for key, said in rules.items() if isinstance(rules, dict) else ():
        statement = "SELECT message, percent FROM samples WHERE day = :day AND key = :key"
        rows = work.rows(statement, day=day, key=key)
        again = _drawn_again(str(entry.facts.get("seed")), key, rows)
        if again is not None and said != {"drawn": again, "eligible": len(rows)}:
            meaning = f"the draw of {day} for {key} is not what its seed and that day's messages give"
            work.report("samples", f"day {day}", "", meaning)
        drawn.update(said.get("drawn", ()) if isinstance(said, dict) else ())
    if sorted(drawn) != entry.facts.get("drawn"):
        meaning = f"the draw of {day} names other messages than its rules drew"
        work.report("ledger", f"lane {entry.lane} seq {entry.seq}", "facts", meaning)


def _drawn_again(seed: str, key: str, rows: Sequence[AnyRow]) -> list[int] | None:
    """What the manual's words give; None where a value cannot be read, which is reported of its row."""
    try:
        percent = max((Fraction(str(row.percent)) for row in rows), default=Fraction(0))
        salt = bytes.fromhex(seed) + key.encode() + b"\x00"
    except (ValueError, ZeroDivisionError):
        return None
    ranked = sorted((hashlib.sha256(salt + str(row.message).encode()).digest(), row.message) for row in rows)
    return sorted(number for _, number in ranked[: math.ceil(len(ranked) * percent / 100)])


# --- messages -------------------------------------------------------------------------------------------


ARCHIVED = frozenset({"message:archived", "notice:archived"})
"""Kinds of entries beside which the words of a message stand."""

_FILED = frozenset({"file:archived", "file:missing"})

_PASSING = ("deliver", "annotate", "redact")

_COPIED = {"copy:kept": "kept", "copy:parked": "parked", "copy:retried": "wanted", "copy:lost": "wanted"}

_ENDS = {
    "hold:released": "released",
    "hold:rejected": "rejected",
    "hold:expired": "expired",
    "hold:lifted": "lifted",
    "message:recalled": "recalled",
}


def check_archived(work: Work, archived: Mapping[int, tuple[Entry, Body | None]]) -> None:
    """Rows of messages, by number, against the words in the archive, as long as those are at hand."""
    columns = "id, network, source_id, conversation, sender, kind"
    rows = work.rows(f"SELECT {columns} FROM messages WHERE id IN :ids", ids=list(archived))
    there = {row.id: row for row in rows}
    gone(work, "messages", "id", {n: entry for n, (entry, _) in archived.items()}, there)
    for n, (_, body) in archived.items():
        if body is not None and n in there:
            _words(work, there[n], body)
            if files := body.get("files"):
                work.attached[n] = len(files)


_SAID = ("network", "source_id", "conversation", "sender", "kind")


def _words(work: Work, row: AnyRow, body: Body) -> None:
    said = body.get
    chat = work.opener.hidden(str(said("conversation", "")))
    is_ = (row.network, row.source_id, row.conversation, row.sender, row.kind)
    words = (said("network", ""), said("id", ""), chat, said("sender", ""), said("kind", ""))
    work.alike(("messages", "id", row.id), _SAID, is_, words, "the archived message")


def gone(work: Work, table: str, column: str, named: Mapping[Any, Entry], there: Collection[Any]) -> None:
    """Report rows that entries speak of, by name, and that are not `there`."""
    for name, entry in named.items():
        if name not in there:
            meaning = f"is gone: {place_of(entry)} ({entry.kind}) testifies that it was there"
            work.report(table, f"{column} {name}", "", meaning)


_OF_MESSAGES = (
    "SELECT l.subject, l.entry FROM messages m JOIN ledger l ON l.subject = 'message/' || m.id "
    "WHERE m.id BETWEEN :first AND :last ORDER BY l.lane, l.seq"
)


_ARCHIVED_AS = ("lane", "entry", "archived_at", "network", "notice_for")
_JUDGED_AS = ("outcome", "cause", "at", "message")


class Messages:
    """A chunk of messages, with everything that hangs on them."""

    def __init__(self, work: Work, rows: Sequence[AnyRow]) -> None:
        self.work, self.rows = work, rows
        ids = {"first": rows[0].id, "last": rows[-1].id}
        self.entries = work.stories(_OF_MESSAGES, **ids)
        self.files = _grouped(work, "files", "n", ids)
        self.verdicts = _grouped(work, "verdicts", "id", ids)
        self.reviews = _grouped(work, "reviews", "message", ids)
        self.samples = _grouped(work, "samples", "key", ids)
        self.copies = _grouped(work, "copies", "destination, revision", ids)
        self.terms = _grouped(work, "terms", "message", ids)
        places = ((row.lane, v.entry) for row in rows for v in self.verdicts[row.id] if v.outcome == "hold")
        self.holds = work.bodies(places)
        places = ((e.lane, e.seq) for some in self.entries.values() for e in some if "samples" in e.facts)
        self.sampled = work.bodies(places)

    def check(self) -> None:
        """Compare each, and count it."""
        for row in self.rows:
            self._message(row)
        self.work.summary.messages += len(self.rows)
        self.work.tick(len(self.rows))

    def _number(self, row: AnyRow) -> None:
        """Messages are numbered from 1 without a gap, in the order of their entries within a lane."""
        due, last = self.work.last_message + 1, self.work.last_archived.get(row.lane, -1)
        if row.id != due or number(row.entry) <= last:
            meaning = f"is out of order: number {due} was due, after entry {last}"
            self.work.report("messages", f"id {row.id}", "id", meaning)
        self.work.last_message = row.id
        self.work.last_archived[row.lane] = number(row.entry)

    def _message(self, row: AnyRow) -> None:
        key, entries = f"id {row.id}", self.entries[f"message/{row.id}"]
        first = next((e for e in entries if e.kind in ARCHIVED), None)
        if first is None:
            self.work.report("messages", key, "", "no entry testifies that it was archived")
            return
        self._number(row)
        self._columns(row, first)
        state = _state(entries, self.files.get(row.id, ()))
        if row.state != state:
            self.work.report("messages", key, "state", "is not what the ledger says")
        said = [e for e in entries if e.kind in _FILED]
        self._order(key, first, entries, said)
        if said or row.id in self.files or row.id in self.work.attached:
            self._files(row, said)
        self._verdicts(row, entries)
        self._review(row, entries)
        self._copies(row, entries)
        self._term(row, entries)
        if (gone := disposed_by(entries)) is not None:
            check_gone(self.work, row, entries, gone)
            return
        self._samples(row, entries)
        if row.notice_for is None:
            self._pair(row, first, entries)
        elif row.pair is not None:
            self.work.report("messages", key, "pair", "is not what the kind of message says")

    def _columns(self, row: AnyRow, first: Entry) -> None:
        said = first.facts.get
        is_ = (row.lane, row.entry, row.archived_at, row.network, row.notice_for)
        facts = (first.lane, first.seq, first.at, said("network"), said("about"))
        self.work.alike(("messages", "id", row.id), _ARCHIVED_AS, is_, facts, "its entry")

    def _order(self, key: str, first: Entry, entries: Sequence[Entry], filed: Sequence[Entry]) -> None:
        """Archived before anything else; attachments settled before anything was decided."""
        if entries[0] is not first:
            for entry in entries:
                if entry.lane == first.lane and entry.seq < first.seq:
                    meaning = f"{place_of(entry)} ({entry.kind}) is older than it"
                    self.work.report("messages", key, "entry", meaning)
        judged = next((e.seq for e in entries if e.kind == "message:judged"), None)
        for entry in filed:
            if judged is not None and entry.seq > judged:
                meaning = f"{place_of(entry)}: the attachment was settled after the message was judged"
                self.work.report("messages", key, "entry", meaning)

    def _files(self, row: AnyRow, filed: Sequence[Entry]) -> None:
        said = {number(e.facts.get("file")): e for e in reversed(filed)}
        rows = {file.n: file for file in self.files.get(row.id, ())}
        wanted: Iterable[int] = range(self.work.attached.pop(row.id, 0))
        if self.work.sealed or (row.lane, row.entry) in self.work.unopened:
            wanted = rows
        for n in sorted({*wanted, *said, *rows}, key=str):
            key = f"message {row.id} n {n}"
            if n not in rows:
                self.work.report("files", key, "", "is gone: the archived message has this attachment")
            elif n not in wanted:
                self.work.report("files", key, "n", "the archived message has no such attachment")
            else:
                self._file(key, row, rows[n], said.get(n))

    def _file(self, key: str, row: AnyRow, file: AnyRow, said: Entry | None) -> None:
        state, digest, size, entry = "wanted", "", -1, -1
        if said is not None:
            state = said.kind.partition(":")[2]
            digest, size = str(said.facts.get("sha256", "")), number(said.facts.get("size"))
            entry = said.seq
        facts: list[Comparison] = [
            ("state", file.state, state),
            ("digest", file.digest, digest),
            ("size", file.size, size),
            ("entry", file.entry, entry),
            ("network", file.network, row.network),
        ]
        self.work.compare("files", key, facts, "the ledger")

    def _verdicts(self, row: AnyRow, entries: Sequence[Entry]) -> None:
        judged = {e.seq: e for e in entries if e.kind == "message:judged"}
        for verdict in self.verdicts.get(row.id, ()):
            said = judged.pop(verdict.entry, None)
            if said is None:
                meaning = "no entry testifies to this verdict"
                self.work.report("verdicts", f"id {verdict.id}", "entry", meaning)
                continue
            is_ = (verdict.outcome, verdict.cause, verdict.at, verdict.message)
            facts = (said.facts.get("outcome"), said.facts.get("cause"), said.at, number_of(said))
            self.work.alike(("verdicts", "id", verdict.id), _JUDGED_AS, is_, facts, "its entry")
        for entry in judged.values():
            meaning = f"a verdict is gone: {place_of(entry)} testifies to it"
            self.work.report("verdicts", f"message {row.id}", "", meaning)

    def _review(self, row: AnyRow, entries: Sequence[Entry]) -> None:
        """The review is of the last verdict that held the message: one that was lifted may be followed."""
        key = f"message {row.id}"
        hold = next((v for v in reversed(self.verdicts.get(row.id, ())) if v.outcome == "hold"), None)
        review = next(iter(self.reviews.get(row.id, ())), None)
        if review is None:
            if hold is not None:
                self.work.report("reviews", key, "", "is gone: the message was held")
            return
        if hold is None:
            self.work.report("reviews", key, "verdict", "no verdict held this message")
            return
        since = [e for e in entries if e.seq > number(hold.entry)]
        end = next((e for e in since if e.kind in _ENDS), None)
        late = next((e for e in since if e.kind == "hold:escalated"), None)
        facts: list[Comparison] = [
            ("verdict", review.verdict, hold.id),
            ("opened_at", review.opened_at, hold.at),
            ("state", review.state, _ENDS[end.kind] if end else "open"),
            ("network", review.network, row.network),
            ("conversation", review.conversation, row.conversation),
            ("decided_at", review.decided_at, end.at if end else 0),
            ("entry", review.entry, end.seq if end and end.kind.startswith("hold:") else -1),
            ("late_at", review.late_at, late.at if late else 0),
        ]
        body = self.holds.get((row.lane, hold.entry))
        if body is not None:
            facts += _held(review, number(hold.at), body)
        self.work.compare("reviews", key, facts, "the ledger")

    def _samples(self, row: AnyRow, entries: Sequence[Entry]) -> None:
        """What the verdict that let the message pass says it may be drawn for."""
        drawn_for = [e for e in entries if "samples" in e.facts]
        rows = {str(one.key): one for one in self.samples.get(row.id, ())}
        if self.work.sealed or not (drawn_for or rows):
            return
        closed = next((e for e in entries if e.kind == "sample:closed"), None)
        for entry in drawn_for:
            verdict = next((v.id for v in self.verdicts[row.id] if v.entry == entry.seq), -1)
            body = self.sampled.get((entry.lane, entry.seq), {})
            for said in body.get("samples", ()):
                key, one = f"message {row.id} {said['key']}", rows.pop(str(said["key"]), None)
                if one is None:
                    self.work.report("samples", key, "", f"is gone: {place_of(entry)} testifies to it")
                    continue
                facts = [("verdict", one.verdict, verdict), *_sample(self.work, one, said, entry, closed)]
                self.work.compare("samples", key, facts, "the ledger")
        for key in rows:
            self.work.report("samples", f"message {row.id} {key}", "key", "no verdict testifies to it")

    def _term(self, row: AnyRow, entries: Sequence[Entry]) -> None:
        """The term is the longest that any entry gave it, and no order brought its end nearer."""
        said: Entry | None = None
        for entry in entries:
            if "kept" not in entry.facts:
                continue
            if entry.kind == "record:kept" and said is not None and _ends(entry) < _least(said):
                meaning = f"{place_of(entry)} ends the term before the time that was promised"
                self.work.report("terms", f"message {row.id}", "until", meaning)
            elif said is None or entry.kind == "record:kept" or _ends(entry) > _ends(said):
                said = entry
        rows = self.terms.get(row.id, ())
        if said is None or not rows:
            if said is not None:
                meaning = f"is gone: {place_of(said)} testifies to it"
                self.work.report("terms", f"message {row.id}", "", meaning)
            for _ in rows:
                self.work.report("terms", f"message {row.id}", "", "no entry testifies to it")
            return
        told, one = said.facts.get, rows[0]
        facts: list[Comparison] = [
            ("entry", one.entry, said.seq),
            ("key", one.key, told("kept")),
            ("start", one.start, told("start", "creation")),
            ("until", one.until, told("until")),
        ]
        self.work.compare("terms", f"message {row.id}", facts, "the ledger")

    def _copies(self, row: AnyRow, entries: Sequence[Entry]) -> None:
        """A row for each archive that an entry names; each as the last entry about it says."""
        rows = {(str(one.destination), number(one.revision)): one for one in self.copies.get(row.id, ())}
        named = {(key, 1): e for e in entries for key in _texts(e.facts.get("copies"))}
        last = {_copy(e): e for e in entries if e.kind in _COPIED}
        for place in sorted({*named, *last} - rows.keys()):
            entry = last.get(place) or named[place]
            meaning = f"is gone: {place_of(entry)} ({entry.kind}) testifies to it"
            self.work.report("copies", _copy_key(row.id, place), "", meaning)
        for place, one in rows.items():
            if place not in named and (place[1] != 2 or (place[0], 1) not in rows):
                self.work.report("copies", _copy_key(row.id, place), "", "no entry testifies to it")
                continue
            said = last.get(place)
            facts: list[Comparison] = [
                ("lane", one.lane, row.lane),
                ("state", one.state, _COPIED[said.kind] if said else "wanted"),
                ("sha256", one.sha256, said.facts.get("sha256", "") if said else ""),
                ("entry", one.entry, said.seq if said else -1),
                ("closed", one.closed, int(place[1] == 1 and (place[0], 2) in rows)),
            ]
            self.work.compare("copies", _copy_key(row.id, place), facts, "the ledger")

    def _pair(self, row: AnyRow, first: Entry, entries: Sequence[Entry]) -> None:
        """The pair is one that held when the message came, was judged, or was released."""
        allowed: set[int | None] = {*_paired(self.work, row, first)}
        if row.pair in allowed:
            return
        if not allowed:  # paired only later, or never
            later = (e for e in entries if e.kind in ("message:judged", "hold:released"))
            pairs = (_paired(self.work, row, moment) for moment in later)
            allowed = {None, *next(filter(None, pairs), ())}
        if row.pair not in allowed:
            meaning = "is not the pair that these people and this chat had"
            self.work.report("messages", f"id {row.id}", "pair", meaning)


def _copy(entry: Entry) -> tuple[str, int]:
    return str(entry.facts.get("destination")), number(entry.facts.get("revision"))


def _copy_key(message: int, place: tuple[str, int]) -> str:
    return f"message {message} {place[0]} revision {place[1]}"


def _texts(value: object) -> Sequence[str]:
    return [str(one) for one in value] if isinstance(value, list) else ()


def _ends(entry: Entry) -> float:
    """When the term that an entry gives is over: never, while what it runs from has not happened."""
    until = entry.facts.get("until")
    return math.inf if until is None else number(until)


def _least(entry: Entry) -> float:
    """Before when no order may end a term: one without an end may get any."""
    return _ends(entry) if "until" in entry.facts else -math.inf


def _held(review: AnyRow, at: int, body: Mapping[str, Any]) -> list[Comparison]:
    """What the verdict that holds a message says of its review."""
    within = number(body.get("decide_within", 0))
    return [
        ("waits", review.waits, int(body.get("waits") is True)),
        ("queue", review.queue, body.get("queue", "")),
        ("due_at", review.due_at, at + within if within else 0),
        ("if_late", review.if_late, body.get("if_late", "")),
        ("gated", review.gated, int(body.get("gated") is True)),
    ]


def _sample(
    work: Work, row: AnyRow, said: Mapping[str, Any], judged: Entry, closed: Entry | None
) -> list[Comparison]:
    """What a sample should be: eligible on the day of its verdict, then drawn or spared, then closed."""
    day = datetime.fromtimestamp(judged.at / 1000, UTC).strftime("%Y-%m-%d")
    state, last = "eligible", -1
    if day in work.draws:
        entry, body = work.draws[day]
        drawn = body.get("rules", {}).get(said["key"], {}).get("drawn", ())
        state, last = ("drawn" if row.message in drawn else "spared"), entry.seq
        if closed is not None and state == "drawn":
            state, last = "closed", closed.seq
    return [
        ("day", row.day, day),
        ("queue", row.queue, said.get("queue")),
        ("percent", row.percent, f"{said.get('percent'):g}"),
        ("state", row.state, state),
        ("entry", row.entry, last),
    ]


def _paired(work: Work, row: AnyRow, moment: Entry) -> set[int]:
    """The pairs that a message's sender and chat had when `moment` was written."""
    found = set()
    for pair in work.paired.get((row.network, row.conversation, row.sender), ()):
        ended = work.pair_ended.get(pair.id)
        made_before = pair.lane != moment.lane or number(pair.entry) < moment.seq
        if made_before and (ended is None or ended.lane != moment.lane or ended.seq > moment.seq):
            found.add(pair.id)
    return found


def _sources(pair: AnyRow) -> tuple[Source, Source]:
    """Whose words go through a pair: the advisor's in the stream, the contact's in the chat."""
    contact = str(pair.contact)
    return (SYMPHONY, pair.stream, pair.advisor), (WEIXIN, pair.contact, contact.partition("/")[2])


def _grouped(work: Work, table: str, order: str, ids: Mapping[str, int]) -> dict[int, list[AnyRow]]:
    found: dict[int, list[AnyRow]] = defaultdict(list)
    statement = f"SELECT * FROM {table} WHERE message BETWEEN :first AND :last ORDER BY message, {order}"
    for row in work.rows(statement, **ids):
        found[row.message].append(row)
    return found


def _state(entries: Sequence[Entry], files: Sequence[AnyRow]) -> str:
    """What the ledger says became of a message, "" when it says what nobody knows."""
    fetching = any(file.state == "wanted" for file in files)
    steps = ((entry.kind, entry.facts) for entry in entries)
    return became(steps, MessageState.FETCHING if fetching else MessageState.NEW) or ""


# --- deliveries -----------------------------------------------------------------------------------------


_TRIED = ("delivery:sent", "delivery:found", "delivery:waiting", "delivery:parked")


DELIVERIES = (
    "SELECT d.id, d.permit, d.message, d.verdict, d.lane, d.network, d.conversation, d.marks, d.state, "
    "d.attempt, d.done_at, d.reason, m.lane AS message_lane, m.entry AS archived, m.network AS written_on, "
    "m.conversation AS written_in, m.sender, m.pair, m.notice_for, "
    "v.message AS judged, v.entry AS decided, v.outcome, v.cause FROM deliveries d "
    "LEFT JOIN messages m ON m.id = d.message LEFT JOIN verdicts v ON v.id = d.verdict "
    "WHERE d.id > :after ORDER BY d.id LIMIT :chunk"
)
"""Deliveries, each with its message and its verdict."""

_OF_DELIVERIES = (
    "SELECT l.subject, l.entry FROM deliveries d JOIN ledger l ON l.subject = 'delivery/' || d.permit "
    "WHERE d.id BETWEEN :first AND :last ORDER BY l.lane, l.seq"
)
_RECEIPTS = (
    "SELECT r.network, r.id, r.permit FROM deliveries d JOIN receipts r ON r.permit = d.permit "
    "WHERE d.id BETWEEN :first AND :last"
)


_ENCLOSED = (
    "SELECT DISTINCT f.message, f.n, f.state, f.digest, f.size FROM deliveries d "
    "JOIN files f ON f.message = d.message WHERE d.id BETWEEN :first AND :last ORDER BY f.message, f.n"
)


_PERMITTED_AS = ("lane", "message", "network", "marks")
_DONE_AS = ("done_at", "reason", "attempt")


class Deliveries:
    """A chunk of deliveries, with their verdicts, messages and receipts."""

    def __init__(self, work: Work, rows: Sequence[AnyRow], absences: Absences) -> None:
        self.work, self.rows = work, rows
        self.gone = absences.of({row.message for row in rows})
        ids = {"first": rows[0].id, "last": rows[-1].id}
        self.entries = work.stories(_OF_DELIVERIES, **ids)
        self.receipts: dict[str, list[AnyRow]] = defaultdict(list)
        for receipt in work.rows(_RECEIPTS, **ids):
            self.receipts[receipt.permit].append(receipt)
        self.files: dict[object, list[AnyRow]] = defaultdict(list)
        for file in work.rows(_ENCLOSED, **ids):
            self.files[file.message].append(file)
        self.kept = self._copied()
        self.waived = self._waivers()
        self.bodies = work.bodies(
            (row.message_lane, row.archived)
            for row in rows
            if "edited" in str(row.marks) and row.archived is not None
        )

    def check(self) -> None:
        """Compare each, and count it."""
        for row in self.rows:
            self._delivery(row)
        self.work.summary.deliveries += len(self.rows)
        self.work.tick(len(self.rows))

    def _delivery(self, row: AnyRow) -> None:
        entries = self.entries[f"delivery/{row.permit}"]
        permitted = next((e for e in entries if e.kind == "delivery:permitted"), None)
        if permitted is None:
            self.work.report(
                "deliveries", f"permit {row.permit}", "permit", "no entry testifies to this permit"
            )
            return
        self._number(row, permitted)
        self._permit(row, permitted)
        self._state(row, entries)
        self._receipts(row, entries)
        self._after_copies(row, entries, permitted)
        went = [entry for entry in entries if entry.kind in ("delivery:sent", "delivery:found")]
        for entry in went:
            if entry.seq < permitted.seq:
                meaning = f"{place_of(entry)}: it was sent before it was permitted"
                self.work.report("deliveries", f"permit {row.permit}", "", meaning)
        for entry in went[1:]:
            meaning = f"{place_of(entry)}: it was sent a second time by one permit"
            self.work.report("deliveries", f"permit {row.permit}", "", meaning)

    def _copied(self) -> dict[int, list[Entry]]:
        """The entries of messages whose deliveries wait for their copies."""
        waits = {number_of(e) for some in self.entries.values() for e in some if "after" in e.facts}
        found = self.work.entries([f"message/{one}" for one in sorted(waits)]) if waits else {}
        return {one: list(found[f"message/{one}"]) for one in waits}

    def _waivers(self) -> dict[str, list[int]]:
        """By archive, the entries that let out what waited for it."""
        keys = {key for some in self.kept.values() for e in some for key in _texts(e.facts.get("copies"))}
        found = self.work.entries([f"waiver/{key}" for key in sorted(keys)]) if keys else {}
        said = {key: found[f"waiver/{key}"] for key in keys}
        return {key: [e.seq for e in some if e.kind == "waiver:granted"] for key, some in said.items()}

    def _after_copies(self, row: AnyRow, entries: Sequence[Entry], permitted: Entry) -> None:
        """What waits for all its copies is tried only when every archive has acknowledged, or was
        waived."""
        if "after" not in permitted.facts:
            return
        tried = [e for e in entries if e.kind in _TRIED]
        about = self.kept.get(number_of(permitted), [])
        due = {key: e.seq for e in about for key in _texts(e.facts.get("copies")) if e.seq < permitted.seq}
        for one in tried[:1]:
            there = {_copy(e) for e in about if e.kind == "copy:kept" and e.seq < one.seq}
            let = {key for key, seq in due.items() if any(seq < w < one.seq for w in self.waived[key])}
            if due.keys() - let - {key for key, revision in there if revision == 1}:
                meaning = f"{place_of(one)}: it was sent before all its archives had a copy"
                self.work.report("deliveries", f"permit {row.permit}", "", meaning)

    def _number(self, row: AnyRow, permitted: Entry) -> None:
        """Deliveries are numbered in the order of their permits, without a gap."""
        last_id, last_seq = self.work.last_delivery.get(row.lane, (0, -1))
        if row.id != last_id + 1 or permitted.seq < last_seq:
            meaning = "is out of order: deliveries are numbered as they were permitted"
            self.work.report("deliveries", f"permit {row.permit}", "id", meaning)
        self.work.last_delivery[row.lane] = row.id, permitted.seq

    def _permit(self, row: AnyRow, permitted: Entry) -> None:
        key = f"permit {row.permit}"
        said = permitted.facts.get
        is_ = (row.lane, row.message, row.network, row.marks)
        facts = (permitted.lane, number_of(permitted), said("network"), said("marks", ""))
        self.work.alike(("deliveries", "permit", row.permit), _PERMITTED_AS, is_, facts, "its entry")
        if row.archived is None or row.decided is None:
            missing = "message" if row.archived is None else "verdict"
            self.work.report("deliveries", key, missing, f"names a {missing} that is not there")
            return
        self._order(key, row, permitted)
        if row.message in self.gone:
            self.work.compare("deliveries", key, [("conversation", row.conversation, "")], "its disposal")
            return
        self._target(key, row)
        self._bound(key, row, permitted)
        self._marks(key, row)

    def _order(self, key: str, row: AnyRow, permitted: Entry) -> None:
        """Archived, then judged so that it may pass, then permitted: invariant 1."""
        if row.judged != row.message:
            self.work.report("deliveries", key, "verdict", "is a verdict on another message")
        elif row.outcome not in _PASSING:
            self.work.report("deliveries", key, "verdict", "is a verdict that lets nothing pass")
        if not number(row.archived) < number(row.decided) < permitted.seq:
            meaning = "was permitted before its message was archived and judged"
            self.work.report("deliveries", key, "verdict", meaning)

    def _target(self, key: str, row: AnyRow) -> None:
        if row.notice_for is not None:
            chats = {(row.written_on, row.written_in)}
        else:
            source = (row.written_on, row.written_in, row.sender)
            chats = {
                (WEIXIN, pair.contact) if row.written_on == SYMPHONY else (SYMPHONY, pair.stream)
                for pair in self.work.paired.get(source, ())
                if row.pair in (None, pair.id)
            }
        if (row.network, row.conversation) not in chats:
            meaning = "is not the chat that its people were paired in"
            self.work.report("deliveries", key, "conversation", meaning)

    def _bound(self, key: str, row: AnyRow, permitted: Entry) -> None:
        """Message, verdict and chat are those that the permit was made for."""
        if self.work.sealed:
            return
        places = row.message, number(row.archived), number(row.decided)
        seal = self.work.opener.bound(row.permit, *places, row.marks, row.network, row.conversation)
        if seal != permitted.facts.get("bound"):
            meaning = "is not what the permit was made for: that message, that verdict, that chat"
            if "bound" not in permitted.facts:
                meaning = "cannot be compared: the permit was made by a version before permits were sealed"
            self.work.report("deliveries", key, "message, verdict, conversation", meaning)
        files = self.files.get(row.message, ())
        if files or "files" in permitted.facts:
            there = [(file.n, file.digest, file.size) for file in files if file.state == "archived"]
            if self.work.opener.enclosed(row.permit, listed(there)) != permitted.facts.get("files"):
                meaning = "are not those that the permit was made for"
                self.work.report("files", f"message {row.message}", "n, digest, size", meaning)

    def _marks(self, key: str, row: AnyRow) -> None:
        """The entry has the marks; that a message came late, or is an edit, follows from what was archived
        and judged as well. (An edit of what nobody had read is none to its reader.)"""
        by_person = row.cause == "person"
        if not row.marks and not by_person:
            return
        marks = str(row.marks).split()
        may_be = {"gap", "late"} if by_person else {"gap"}
        if row.notice_for is None and self._edits(row):
            may_be |= {"edited"}
        late = ("late" in marks) == by_person
        if not late or set(marks) - may_be or len(set(marks)) != len(marks):
            self.work.report("deliveries", key, "marks", "are not what the archived message and verdict say")

    def _edits(self, row: AnyRow) -> bool:
        """Whether the archived message says another anew; nobody can tell while it is sealed."""
        body = self.bodies.get((row.message_lane, row.archived), {})
        return self.work.sealed or bool(body.get("replaces"))

    def _state(self, row: AnyRow, entries: Sequence[Entry]) -> None:
        last = entries[-1]
        if row.state not in TESTIFIED.get(last.kind, ()):
            meaning = f"is not what its last entry says ({last.kind}, {place_of(last)})"
            self.work.report("deliveries", f"permit {row.permit}", "state", meaning)
            return
        is_: Values = (row.done_at,)
        facts: Values = (last.at if row.state in ENDED else 0,)
        if row.state not in ("ready", "claimed"):
            is_, facts = (*is_, row.reason), (*facts, _reason(row.state, last))
            if row.state != "dropped":
                tries = [e.facts["attempt"] for e in entries if "attempt" in e.facts]
                is_, facts = (*is_, row.attempt), (*facts, tries[-1] if tries else 0)
        place, source = ("deliveries", "permit", row.permit), f"its last entry ({last.kind})"
        self.work.alike(place, _DONE_AS[: len(is_)], is_, facts, source)

    def _receipts(self, row: AnyRow, entries: Sequence[Entry]) -> None:
        named = {str(one): e for e in entries for one in _ids(e) if row.message not in self.gone}
        rows = {receipt.id: receipt for receipt in self.receipts.get(row.permit, ())}
        self.work.summary.receipts += len(rows)
        if named.keys() != rows.keys():
            self._others(row, named, rows)
        for one, receipt in rows.items():
            if receipt.network != row.network:
                meaning = "is not what its delivery says"
                self.work.report("receipts", f"{receipt.network} {one}", "network", meaning)

    def _others(self, row: AnyRow, named: Mapping[str, Entry], rows: Mapping[Any, AnyRow]) -> None:
        """Receipts that no entry named, or that are gone."""
        for one in sorted(named.keys() - rows.keys(), key=str):
            meaning = f"is gone, or names another permit: {place_of(named[one])} testifies to it"
            self.work.report("receipts", f"{row.network} {one}", "", meaning)
        for one in rows.keys() - named.keys():
            if str(one).isascii():  # the ledger takes no others
                meaning = f"no entry says that {row.permit} arrived as this"
                self.work.report("receipts", f"{rows[one].network} {one}", "id, permit", meaning)


def _reason(state: str, last: Entry) -> object:
    if state == "failed":
        return "undelivered"
    if last.kind == "delivery:retried":
        return "sent anew"
    return last.facts.get("reason", "")


def _ids(entry: Entry) -> Sequence[object]:
    ids = entry.facts.get("ids", ())
    return ids if isinstance(ids, list) else ()


def number_of(entry: Entry) -> int:
    """The message that an entry is about; 0 when it names none."""
    return number(entry.facts.get("message"))
