"""What a search finds, as conversations by day: what every export is made of.

Rules of this file: it reads, and holds one day at a time. Documents come in the order of their numbers, which
is that of time; a day with more messages than fit is given out in several runs. Attachments are looked at
here, because one that is gone has to be known before anything is written; their bytes are read later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, tzinfo
from itertools import islice
from typing import Any

from sqlalchemy import Connection, select

from bridge.errors import StoreError
from bridge.flow import DeliveryState
from bridge.ledger.entry import Entry
from bridge.message import Cause, Kind
from bridge.ports import DIRECT
from bridge.records.transcript import (
    CLIENT,
    DROPPED,
    RETRIED,
    REVIEWED,
    Came,
    Enclosure,
    Judged,
    Later,
    Line,
    Party,
    Passed,
    Slice,
)
from bridge.search.document import Attached, Decided, Delivered, Person
from bridge.store import schema as s
from bridge.store.attachments import Attachments
from bridge.store.documents import Arrival, Stored
from bridge.store.proving import entries_about, testimony
from bridge.store.rows import find_message
from bridge.store.talks import Naming, Talk, Talks

MOST = 20_000
"""Messages of one day that are held together."""

_LET_OUT = ("delivery:sent", "delivery:found")
"""That a network took all of it."""

_ACTS = {"delivery:dropped": DROPPED, "delivery:retried": RETRIED}
"""What people do with deliveries, by kind of entry."""

_REMARKS = (Kind.NOTE, Kind.FAILED)
"""What a network tells the bridge, and nobody else."""

NEVER_HAD = "the network did not give it"
PENDING = "it was still being fetched from the network"
GONE = "its file is no longer in the archive"
CHANGED = "its file is not what was archived: run `weighbridge audit verify`"

_MEDIA = {
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "bmp": "image/bmp",
    "mp4": "video/mp4",
    "amr": "audio/amr",
    "mp3": "audio/mpeg",
    "txt": "text/plain",
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "xml": "application/xml",
    "zip": "application/zip",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "rtf": "application/rtf",
}
_ANYTHING = "application/octet-stream"
_PLAIN_MEDIA = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,60}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Run:
    """Conversations of one day, or of a part of a large one. `after` is the number of the last message before
    its day began to be read; `place` says which of the day's slices the first one here is, from 0.

    `latest` is the last day that was read before, as an ordinal. A day that is not behind it comes a second
    time, because a clock was set back: its pieces are counted from `base`, which no piece of it had before.
    """

    after: int
    place: int
    slices: tuple[Slice, ...]
    latest: int = 0
    base: int = 0


@dataclass
class _Day:
    """A day that is being read."""

    day: date
    since: int
    until: int
    after: int
    latest: int
    lines: dict[str, list[Line]] = field(default_factory=dict)
    talks: dict[str, Talk] = field(default_factory=dict)
    pieces: dict[str, int] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)  # until when joins and leaves were given out
    count: int = 0
    place: int = 0

    @property
    def base(self) -> int:
        """What its pieces are counted from: a day has fewer than there were messages before it came again."""
        return self.after if self.day.toordinal() <= self.latest else 0


Keep = Callable[[Line, Talk], Line | None]
"""Called with each message and its conversation: the message as it is to be handed over, or None."""


def _as_it_is(line: Line, _: Talk) -> Line | None:
    return line


Has = Callable[[Stored], bool | None]
"""Whether an export has a message as well; None where the record that is exported does not have it yet."""


def _has_all(_: Stored) -> bool:
    return True


class Transcripts:
    """Documents as conversations. `attachments` opens what is archived, `has` says what else is exported.
    For a client (`copy`) there are no versions but those that he wrote or was shown."""

    def __init__(
        self,
        db: Connection,
        naming: Naming,
        attachments: Attachments,
        zone: tzinfo,
        has: Has = _has_all,
        *,
        copy: bool = False,
    ) -> None:
        self.db, self.naming, self.attachments, self.zone, self.has = db, naming, attachments, zone, has
        self.copy = copy
        self.talks = Talks(db, naming)
        self._versions: dict[int, Later | None] = {}

    def runs(
        self,
        documents: Iterable[Stored],
        keep: Keep = _as_it_is,
        after: int = 0,
        most: int = MOST,
        latest: int = 0,
    ) -> Iterator[Run]:
        """The conversations of these documents, which come in the order of their numbers behind `after`.
        `latest` is the last day that was read before them, as an ordinal."""
        day: _Day | None = None
        last = after
        for one in documents:
            if day is None or not day.since <= one.at < day.until:
                if day is not None:
                    yield from self._given(day)
                    latest = max(latest, day.day.toordinal())
                day = self._day(one.at, last, latest)
            talk = self.talk(one)
            last = one.number
            if (line := keep(self.line(one, talk), talk)) is None:
                continue
            day.lines.setdefault(talk.key, []).append(line)
            day.talks[talk.key] = talk
            day.count += 1
            if day.count >= most:
                yield from self._given(day, one.at)
        if day is not None:
            yield from self._given(day)

    def _day(self, at: int, after: int, latest: int) -> _Day:
        """The day of a moment, in the desk's time zone."""
        day = datetime.fromtimestamp(at / 1000, self.zone).date()
        edges = (datetime(d.year, d.month, d.day, tzinfo=self.zone) for d in (day, day + timedelta(1)))
        since, until = (int(edge.timestamp() * 1000) for edge in edges)
        return _Day(day, since, until, after, latest)

    def _given(self, day: _Day, upto: int = 0) -> Iterator[Run]:
        """What was read of a day, in the order of its conversations' keys; then that is forgotten."""
        slices = tuple(self._slice(day, key, upto or day.until) for key in sorted(day.lines))
        if slices:
            yield Run(day.after, day.place, slices, day.latest, day.base)
        day.place += len(slices)
        day.lines, day.count = {}, 0

    def _slice(self, day: _Day, key: str, upto: int) -> Slice:
        talk, lines = day.talks[key], day.lines[key]
        since = day.told.get(key, lines[0].at if day.base else day.since)
        day.told[key] = upto
        piece = day.pieces[key] = day.pieces.get(key, day.base) + 1
        items: list[Line | Came] = [*talk.came(since, upto), *lines]
        items.sort(key=lambda item: (item.at, isinstance(item, Line)))
        present = talk.present(since - 1)
        people = dict.fromkeys(present)
        for item in items:
            people |= dict.fromkeys((item.party,) if isinstance(item, Came) else (item.sender, *item.readers))
        return Slice(key, talk.title, day.day, present, tuple(items), tuple(people), piece)

    # one message

    def talk(self, one: Stored) -> Talk:
        """The conversation of a message; a notice's is that of the message it is about."""
        if one.notice_for is None:
            return self.talks.find(one.pair, one.network, one.conversation)
        m = s.messages.c
        row = self.db.execute(select(m.pair, m.network, m.conversation).where(m.id == one.notice_for)).first()
        return self.talks.find(*row) if row else self.talks.find(None, one.network, one.conversation)

    def line(self, one: Stored, talk: Talk) -> Line:
        """A document as a line of an export."""
        value, sender, deliveries = one.value, self._sender(one, talk), self._passed(one)
        edits, recalls = self._earlier(one, talk)
        line = Line(
            number=one.number,
            at=one.at,
            sent_at=one.sent_at,
            network=one.network,
            source_id=one.source_id,
            kind=one.kind,
            state=one.state,
            sender=sender,
            readers=self._readers(one, talk, sender, deliveries),
            text=one.text,
            sent=one.sent,
            offered=_offered(one, deliveries),
            sent_quote=one.sent_quote,
            quote=one.quote,
            defect=one.defect,
            files=tuple(
                self._enclosure(file, offered.get("media_type", ""))
                for file, offered in zip(one.files, value.get("files", ()), strict=True)
            ),
            decisions=_decided(one),
            deliveries=deliveries,
            edits=edits,
            recalls=recalls,
            taken=self._taken(one, recalls),
            later=self._later(one, talk),
            versions=sum(1 for _ in self._named(one, one.edits, talk)),
            replaces=value.get("replaces", ""),
            refers_to=value.get("refers_to", ""),
            notice_for=one.notice_for,
            origin=talk.origin,
            lane=one.lane,
            entry=one.entry,
            leaf=one.leaf,
        )
        return replace(line, gone=self._gone(one.number)) if one.broken or not value else line

    def _sender(self, one: Stored, talk: Talk) -> Party:
        if one.notice_for is not None:
            return self.naming.ours(one.network)
        person = one.sender
        return talk.by_id.get((person.network, person.id)) or self.naming.party(person)

    def _passed(self, one: Stored) -> tuple[Passed, ...]:
        """Its permits, each with what its network is known to have."""
        told: dict[str, list[Entry]] = {}
        for passage in one.passages:
            told.setdefault(passage.permit, []).append(passage.entry)
        return tuple(
            _permit(delivery, one.arrivals[delivery.permit], told.get(delivery.permit, ()))
            for delivery in one.deliveries
        )

    def _readers(
        self, one: Stored, talk: Talk, sender: Party, deliveries: Sequence[Passed]
    ) -> tuple[Party, ...]:
        """Who could read it: whoever was there on its own network, and on another when it, or a part of it,
        arrived."""
        if one.notice_for is not None and one.conversation.startswith(DIRECT):
            address = one.conversation.removeprefix(DIRECT)
            staff = self.naming.party(Person(one.network, address, address=address))
            return (staff,) if any(d.state == DeliveryState.SENT for d in one.deliveries) else ()
        found: list[Party] = []
        if one.notice_for is None and one.kind not in _REMARKS:
            found += (party for party in talk.present(one.at) if party.network == one.network)
        for delivery, passed in zip(one.deliveries, deliveries, strict=True):
            if passed.state == DeliveryState.SENT or passed.partly:
                for at in passed.arrived or (passed.at,):
                    there = talk.present(max(one.at, at))
                    found += (party for party in there if party.network == delivery.network)
        return tuple(dict.fromkeys(party for party in found if party != sender))

    def _earlier(self, one: Stored, talk: Talk) -> tuple[int | None, int | None]:
        """The earlier messages that this one replaces and takes back; for a client, of their versions the
        last one that he wrote or was shown."""
        value = one.value
        if self.copy:
            follows = next((version.number for version in self._named(one, one.before, talk)), None)
            return (follows, None) if value.get("replaces") else (None, follows)
        if replaces := value.get("replaces"):
            return find_message(self.db, one.network, replaces), None
        if one.kind == "recall" and (named := value.get("refers_to")):
            return None, find_message(self.db, one.network, named)
        return None, None

    def _taken(self, one: Stored, recalls: int | None) -> str:
        """The words that a recall takes back."""
        earlier = one.other(recalls) if recalls is not None else None
        return earlier.text if earlier is not None and self.has(earlier) else ""

    def _later(self, one: Stored, talk: Talk) -> tuple[Later, ...]:
        """The next and the last message that replace it, and likewise those that take it back."""
        found: dict[int, Later] = {}
        for numbers in (one.edits, one.recalls):
            for way in (numbers, reversed(numbers)):
                found |= {later.number: later for later in islice(self._named(one, way, talk), 1)}
        return tuple(found[number] for number in sorted(found))

    def _named(self, one: Stored, numbers: Iterable[int], talk: Talk) -> Iterator[Later]:
        """Versions and recalls of a message, of these numbers, that may be named."""
        for number in numbers:
            if number not in self._versions:
                if len(self._versions) >= MOST:
                    self._versions.clear()
                self._versions[number] = self._version(one.other(number), talk)
            version = self._versions[number]
            if version and not (self.copy and version.sender.role != CLIENT and not version.shown):
                yield version

    def _version(self, one: Stored | None, talk: Talk) -> Later | None:
        """A version or recall; None where there is nothing left of it, or it came later than what is
        exported."""
        if one is None or (here := self.has(one)) is None:
            return None
        return Later(
            one.number,
            one.at,
            one.sent_at,
            one.source_id,
            one.kind == Kind.RECALL,
            self._sender(one, talk),
            here,
            one.text if here else "",
            any(passed.state == DeliveryState.SENT or passed.partly for passed in self._passed(one)),
        )

    def _gone(self, number: int) -> str:
        """Why there is nothing to read of a message that does not open."""
        for lane, seq, data, _ in entries_about(self.db, number):
            entry = testimony(lane, seq, data)
            if entry.kind == "record:disposed":
                day = datetime.fromtimestamp(entry.at / 1000, self.zone).date()
                facts = entry.facts
                return f"disposed {day.isoformat()} under {facts['class']}, disposal {facts['disposal']}"
        return "it cannot be opened: run `weighbridge audit verify`"

    def _enclosure(self, file: Attached, offered: str) -> Enclosure:
        media = _MEDIA.get(file.found.type, "") if file.found else ""
        media = media or (offered if _plain_media(offered) else _ANYTHING)
        if not file.digest:
            return Enclosure(file.name, media, file.size, missing=PENDING if file.wanted else NEVER_HAD)
        if not self.attachments.is_here(file.digest):
            return Enclosure(file.name, media, file.size, missing=GONE)
        try:
            own = self.attachments.known(file.digest, file.own)
        except StoreError:
            return Enclosure(file.name, media, file.size, missing=CHANGED)
        return Enclosure(file.name, media, file.size, own)


def _permit(one: Delivered, known: Arrival, told: Sequence[Entry]) -> Passed:
    """One permit; of one that did not just arrive, the ledger says since when, and whether it failed."""
    sent = one.state == DeliveryState.SENT
    at = one.done_at or max((entry.at for entry in told), default=0)
    failed = not sent and any(entry.kind == "delivery:failed" for entry in told)
    arrived = _arrived(told) if known.ids or sent else ()
    return Passed(one.permit, one.state, at, one.reason, known.ids, known.doubtful, failed, arrived)


def _arrived(told: Sequence[Entry]) -> tuple[int, ...]:
    """When a network took something that it had not taken before. An attempt that is repeated at once has no
    entry: what it left behind arrived since the permit was made, and is told by that."""
    had: set[str] = set()
    found: list[int] = []
    for entry in told:
        listed = entry.facts.get("ids")
        ids = {str(one) for one in listed} if isinstance(listed, list) else set()
        if ids - had or (not found and entry.kind in _LET_OUT):
            found.append(entry.at)
        had |= ids
    return tuple(found) or tuple(entry.at for entry in told[:1])


def _offered(one: Stored, deliveries: Sequence[Passed]) -> str:
    """The words of the last permit of which a part arrived, or all may have."""
    if any(passed.state == DeliveryState.SENT for passed in deliveries):
        return ""
    open_ = [passed.permit for passed in deliveries if passed.partly or passed.unknown]
    return one.offered(open_[-1]) if open_ else ""


def _plain_media(offered: str) -> bool:
    return bool(_PLAIN_MEDIA.fullmatch(offered))


def _decided(one: Stored) -> tuple[Judged, ...]:
    """Every decision about a message in the order of time: verdicts, what people did with its deliveries, and
    what they found when it was drawn."""
    found = [_judged(decision) for decision in one.decisions]
    found += (
        _acted(passage.entry.at, _ACTS[passage.entry.kind], passage.act, passage.permit)
        for passage in one.passages
        if passage.entry.kind in _ACTS and passage.act
    )
    found += (_acted(at, REVIEWED, act) for at, act in one.findings)
    return tuple(sorted(found, key=lambda decision: decision.at))


def _acted(at: int, outcome: str, act: Mapping[str, Any], permit: str = "") -> Judged:
    reason, person = str(act.get("reason", "")), str(act.get("person", ""))
    return Judged(at, outcome, Cause.PERSON.value, reason, person, permit=permit)


def _judged(one: Decided) -> Judged:
    verdict = one.verdict
    rules = (f"{match.policy}/{match.rule}" for match in verdict.matches)
    return Judged(
        one.at,
        verdict.outcome.value,
        verdict.cause.value,
        one.why or verdict.reason,
        one.person,
        verdict.policies,
        tuple(dict.fromkeys(rules)),
    )
