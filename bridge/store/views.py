"""What the commands and the live feed show: questions to the store, answered with plain values.

Rules of this file: nothing is written. Every function takes a connection (`Database.read` gives one, in a
transaction that only reads) and gives dicts that can be printed as JSON as they are: times in milliseconds
since the epoch, digests in lower-case hex, text as it was written or allowed. Whoever prints decides how.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import orjson
from sqlalchemy import Connection, Row, Select, and_, func, or_, select

from bridge import words
from bridge.flow import OPEN, DeliveryState
from bridge.ledger.entry import Entry
from bridge.message import QUEUES_APART, SYMPHONY, WEIXIN, Cause, Match, Message, Outcome, Route, Verdict
from bridge.ports import DIRECT
from bridge.record import whole_record
from bridge.sealing import PART_OVERHEAD
from bridge.store import samples
from bridge.store import schema as s
from bridge.store.codec import Known, known_from, message_from, verdict_from
from bridge.store.directory import Directory
from bridge.store.documents import documents
from bridge.store.looks import looks_at
from bridge.store.proving import testimony
from bridge.store.rows import (
    MESSAGE_CONTENT,
    VERDICT_CONTENT,
    WORDS_OF_OURS,
    find_message,
    is_open,
    states_in,
)

Record: TypeAlias = dict[str, Any]
AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"
AnySelect: TypeAlias = "Select[*tuple[Any, ...]]"

STUCK = (DeliveryState.PARKED, DeliveryState.FAILED)
"""Deliveries that wait for a person."""

UNDER_WAY = tuple(state.value for state in (*OPEN, *STUCK))

_CHUNK = 500

_ANSWERS = s.verdicts.alias("answers")

_LAST_OUTCOME = (
    select(_ANSWERS.c.outcome)
    .where(_ANSWERS.c.message == s.messages.c.id)
    .order_by(_ANSWERS.c.id.desc())
    .limit(1)
    .correlate(s.messages)
    .scalar_subquery()
    .label("outcome")
)

_MESSAGES = select(s.messages, _LAST_OUTCOME, MESSAGE_CONTENT.c.body).join(
    MESSAGE_CONTENT,
    and_(MESSAGE_CONTENT.c.lane == s.messages.c.lane, MESSAGE_CONTENT.c.seq == s.messages.c.entry),
)

_VERDICTS = (
    select(s.verdicts, VERDICT_CONTENT.c.body)
    .join(s.messages, s.messages.c.id == s.verdicts.c.message)
    .join(
        VERDICT_CONTENT,
        and_(VERDICT_CONTENT.c.lane == s.messages.c.lane, VERDICT_CONTENT.c.seq == s.verdicts.c.entry),
    )
)


# --- how much waits -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outbox:
    """Deliveries into one network, by state; `oldest_at` is when the message of the oldest one that is to be
    sent, or is being sent, was archived (0: none is)."""

    ready: int = 0
    claimed: int = 0
    waiting: int = 0
    parked: int = 0
    failed: int = 0
    oldest_at: int = 0

    @property
    def open(self) -> int:
        """Deliveries that are not finished and need no person."""
        return self.ready + self.claimed + self.waiting


@dataclass(frozen=True, slots=True)
class Depths:
    """How much waits in each room, and since when the first of it does (milliseconds, 0: nothing waits). What
    is `late` waits since it was due."""

    unjudged: int
    unjudged_since: int
    fetching: int
    fetching_since: int
    held: int
    held_since: int
    late: int
    late_since: int
    networks: dict[str, Outbox]


def depths(db: Connection) -> Depths:
    """How much waits in each room.

    Reads only the indexes of what is open, so that it costs the same however long the history is.
    """
    m, r = s.messages.c, s.reviews.c
    unjudged = _waiting(db, m.archived_at, states_in(m.state, "new"))
    fetching = _waiting(db, m.archived_at, states_in(m.state, "fetching"))
    reviews = _waiting(db, r.opened_at, states_in(r.state, "open"))
    networks = {network: _outbox_depths(db, network) for network in (SYMPHONY, WEIXIN)}
    late = _waiting(db, r.due_at, and_(states_in(r.state, "open"), r.late_at > 0))
    return Depths(*unjudged, *fetching, *reviews, *late, networks)


def _waiting(db: Connection, at: Any, where: Any) -> tuple[int, int]:
    row = db.execute(select(func.count(), func.coalesce(func.min(at), 0)).where(where)).one()
    return row[0], row[1]


def _outbox_depths(db: Connection, network: str) -> Outbox:
    d = s.deliveries.c
    found: dict[str, int] = {}
    oldest: list[int] = []
    for where in (is_open(s.deliveries), states_in(d.state, *(state.value for state in STUCK))):
        query = (
            select(d.state, func.count(), func.min(s.messages.c.archived_at))
            .join(s.messages, s.messages.c.id == d.message)
            .where(where, d.network == network)
            .group_by(d.state)
        )
        for state, count, since in db.execute(query):
            found[state] = count
            if state in (DeliveryState.READY, DeliveryState.CLAIMED):
                oldest.append(since)
    return Outbox(**found, oldest_at=min(oldest, default=0))


def is_untouched(db: Connection) -> bool:
    """Whether no message was ever archived here, and no checkpoint signed: no daemon has worked it."""
    return all(db.execute(select(table).limit(1)).first() is None for table in (s.messages, s.checkpoints))


def lanes(db: Connection) -> list[Record]:
    """Each lane: who works it (a lease in the past is nobody's), under which epoch, how many entries."""
    c = s.lanes.c
    query = select(c.lane, c.owner, c.epoch, c.lease_until, c.size).order_by(c.lane)
    return [_plain(row) for row in db.execute(query)]


def _plain(row: AnyRow) -> Record:
    """A row as a dict with keys that JSON takes: SQLAlchemy's are of a kind of their own."""
    return {str(key): value for key, value in row._mapping.items()}


def policies(db: Connection) -> list[tuple[str, str]]:
    """Name and hash of the policy files that decide now; none before a daemon has ever run."""
    value = db.execute(select(s.meta.c.value).where(s.meta.c.key == "policy")).scalar()
    return [(name, digest) for name, digest in orjson.loads(value)] if value else []


# --- people ---------------------------------------------------------------------------------------------


def pairs(db: Connection, *, ended: bool = False) -> list[Record]:
    """Who may talk to whom, with the person who said so and why; `ended` pairs only when asked for."""
    p, c = s.pairs.c, s.content.c
    query = (
        select(s.pairs, c.body.label("act"))
        .join(s.content, and_(c.lane == p.lane, c.seq == p.entry))
        .order_by(p.id)
    )
    return [_pair(row) for row in db.execute(query if ended else query.where(p.state == "active"))]


def _pair(row: AnyRow) -> Record:
    act = orjson.loads(row.act)
    return {
        "id": row.id,
        "state": row.state,
        "advisor": row.advisor,
        "stream": row.stream,
        "contact": row.contact,
        **orjson.loads(row.body),
        "made_at": row.made_at,
        "ended_at": row.ended_at,
        "person": act["person"],
        "reason": act["reason"],
    }


def names(db: Connection) -> list[str]:
    """Names and addresses of everybody who is or was in a pair, for suggestions."""
    found = (
        pair.get(key, "")
        for pair in pairs(db, ended=True)
        for key in ("advisor_name", "advisor_address", "contact_name")
    )
    return sorted(set(filter(None, found)))


def labels(db: Connection) -> list[str]:
    """The directory's labels of everybody who is or was in a pair, for suggestions."""
    both = ("advisor_tags", "contact_tags")
    return sorted({tag for pair in pairs(db, ended=True) for key in both for tag in pair[key]})


def _directory(db: Connection) -> Directory:
    directory = Directory()
    directory.refresh(db)
    return directory


@dataclass(frozen=True, slots=True)
class _Ends:
    """Who says something to whom, in names for people; `route` is None outside of pairs."""

    sender: str
    recipient: str
    route: Route | None


def _ends(db: Connection, directory: Directory, row: AnyRow | _Source, message: Message) -> _Ends:
    if row.notice_for is not None:
        about = db.execute(_MESSAGES.where(s.messages.c.id == row.notice_for)).one()
        ends = _ends(db, directory, about, message_from(about.body, b""))
        return _Ends(WORDS_OF_OURS, _reader(message.conversation, about.conversation, ends), None)
    route = directory.route(row.pair, row.network) or directory.find(message)[1]
    if route is None:
        return _Ends(message.sender_name or message.sender, "", None)
    return _Ends(message.sender_name or route.sender.name or message.sender, route.recipient.name, route)


def _reader(conversation: str, about: str, ends: _Ends) -> str:
    """Whom a notice is for: staff, whoever wrote the message it is about, or whoever was to read it."""
    if conversation.startswith(DIRECT):
        return conversation.removeprefix(DIRECT)
    return ends.sender if conversation == about else ends.recipient


# --- the archive ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filter:
    """Which messages to list. Whatever is left empty does not restrict.

    `since` and `until` are milliseconds, `until` exclusive. `person` is a part of anybody's name, address
    or id, on either side. `before` is the number of the oldest message already seen.
    """

    since: int = 0
    until: int = 0
    person: str = ""
    network: str = ""
    outcome: str = ""
    state: str = ""
    pair: int = 0
    before: int = 0


def archive(db: Connection, wanted: Filter, limit: int = 50) -> list[Record]:
    """The newest `limit` messages that `wanted` describes, newest first; notices of the bridge as well."""
    directory = _directory(db)
    found: list[Record] = []
    for row in _backwards(db, _described(wanted), wanted.before):
        message = message_from(row.body, b"")
        record = _line(db, directory, row, message)
        if _about(wanted.person, record, message, directory.route(row.pair, row.network)):
            found.append(record)
            if len(found) == limit:
                break
    return found


def _backwards(db: Connection, query: AnySelect, before: int) -> Iterator[AnyRow]:
    """Rows of messages from the newest back, a chunk at a time."""
    number = s.messages.c.id
    while True:
        page = query.where(number < before) if before else query
        rows = db.execute(page.order_by(number.desc()).limit(_CHUNK)).all()
        yield from rows
        if len(rows) < _CHUNK:
            return
        before = rows[-1].id


def _described(wanted: Filter) -> AnySelect:
    m = s.messages.c
    wishes = (
        (wanted.since, m.archived_at >= wanted.since),
        (wanted.until, m.archived_at < wanted.until),
        (wanted.network, m.network == wanted.network),
        (wanted.state, m.state == wanted.state),
        (wanted.outcome, _LAST_OUTCOME.in_([wanted.outcome])),
        (wanted.pair, m.pair == wanted.pair),
    )
    return _MESSAGES.where(*(clause for value, clause in wishes if value))


def _about(person: str, record: Record, message: Message, route: Route | None) -> bool:
    if not person:
        return True
    ends = (route.sender, route.recipient) if route else ()
    texts = [record["sender"], record["recipient"], message.sender, message.address, message.conversation]
    texts += [text for end in ends for text in (end.id, end.name, end.address)]
    return person.casefold() in "\n".join(texts).casefold()


def _line(db: Connection, directory: Directory, row: AnyRow, message: Message) -> Record:
    ends = _ends(db, directory, row, message)
    return {
        "message": row.id,
        "at": row.archived_at,
        "network": row.network,
        "sender": ends.sender,
        "recipient": ends.recipient,
        "kind": row.kind,
        "state": row.state,
        "outcome": row.outcome or "",
        "text": message.text,
        "files": [file.name for file in message.files],
        "pair": row.pair,
        "sender_id": row.sender,
        "conversation": message.conversation,
        "source_id": row.source_id,
        "notice_for": row.notice_for,
    }


def message(db: Connection, number: int) -> Record | None:
    """One message's whole life: as it came, what was decided and by whom, where it went, and the ledger
    entries that testify to each step; None when there is no such message."""
    row = db.execute(_MESSAGES.where(s.messages.c.id == number)).first()
    if row is None:
        return None
    written = message_from(row.body, b"")
    directory = _directory(db)
    ends = _ends(db, directory, row, written)
    deliveries = [
        {**_delivery(db, one), "text": _as_delivered(db, one.permit, row, written, ends, "")[0]}
        for one in db.execute(_deliveries_of(number))
    ]
    subjects = [f"message/{number}", *(f"delivery/{one['permit']}" for one in deliveries)]
    notices = select(s.messages.c.id).where(s.messages.c.notice_for == number, s.messages.c.id > number)
    (document,) = documents(db, [number])
    return {
        **_line(db, directory, row, written),
        "sent_at": written.sent_at,
        "address": written.address,
        "quote": written.quote,
        "replaces": find_message(db, row.network, written.replaces),
        "refers_to": find_message(db, row.network, written.refers_to),
        "defect": written.defect,
        "raw_bytes": _raw_bytes(db, row),
        "files": _files(db, number, written),
        "verdicts": _verdicts(db, number, written.text),
        "review": _review(db, number),
        "deliveries": deliveries,
        "notices": _places(db, db.execute(notices).scalars()),
        "edits": _places(db, document.edits),
        "recalls": _places(db, document.recalls),
        "entries": _entries(db, subjects),
        "looks": looks_at(db, number),
    }


def _places(db: Connection, numbers: Iterable[int]) -> list[Record]:
    """Messages with time, place in the ledger and hash, in order."""
    m, le = s.messages.c, s.ledger.c
    query = (
        select(m.id.label("message"), m.archived_at.label("at"), m.lane, m.entry.label("seq"), le.leaf)
        .join(s.ledger, and_(le.lane == m.lane, le.seq == m.entry))
        .where(m.id.in_(list(numbers)))
        .order_by(m.id)
    )
    return [{**_plain(row), "leaf": row.leaf.hex()} for row in db.execute(query)]


def raw(db: Connection, number: int) -> bytes | None:
    """The very bytes in which the network showed message `number`; None when there is no such message."""
    m, c = s.messages.c, s.content.c
    query = select(c.raw).join(s.messages, and_(c.lane == m.lane, c.seq == m.entry)).where(m.id == number)
    return db.execute(query).scalar()


def _raw_bytes(db: Connection, row: AnyRow) -> int:
    c = s.content.c
    sealed: int = db.execute(
        select(func.length(c.raw)).where(c.lane == row.lane, c.seq == row.entry)
    ).scalar_one()
    return max(0, sealed - PART_OVERHEAD)


def _files(db: Connection, number: int, written: Message) -> list[Record]:
    rows = db.execute(select(s.files).where(s.files.c.message == number).order_by(s.files.c.n))
    return [
        {
            "n": row.n,
            "name": written.files[row.n].name,
            "kind": written.files[row.n].kind.value,
            "media_type": written.files[row.n].media_type,
            "state": row.state,
            "digest": row.digest,
            "size": row.size,
        }
        for row in rows
    ]


def _verdicts(db: Connection, number: int, text: str) -> list[Record]:
    rows = db.execute(_VERDICTS.where(s.verdicts.c.message == number).order_by(s.verdicts.c.id))
    return [
        {
            "id": row.id,
            "at": row.at,
            "entry": row.entry,
            **whole_record(verdict_from(row.body, text)),
            "known": _known(known_from(row.body)),
        }
        for row in rows
    ]


def _known(known: Known | None) -> Record | None:
    """What a verdict rested on, as far as the archive has it nowhere else."""
    return None if known is None else {**asdict(known), "earlier": list(known.earlier)}


def _review(db: Connection, number: int) -> Record | None:
    r = s.reviews.c
    columns = (r.state, r.waits, r.opened_at, r.decided_at, r.queue, r.due_at, r.if_late, r.late_at)
    query = select(*columns).where(r.message == number)
    row = db.execute(query).first()
    return {**_plain(row), "waits": bool(row.waits)} if row else None


def _deliveries_of(number: int) -> AnySelect:
    return select(s.deliveries).where(s.deliveries.c.message == number).order_by(s.deliveries.c.id)


def _delivery(db: Connection, row: AnyRow) -> Record:
    receipts = select(s.receipts.c.id).where(s.receipts.c.permit == row.permit).order_by(s.receipts.c.id)
    return {
        "id": row.id,
        "permit": row.permit,
        "verdict": row.verdict,
        "network": row.network,
        "conversation": row.conversation,
        "state": row.state,
        "marks": row.marks.split(),
        "attempt": row.attempt,
        "uncertain": bool(row.uncertain),
        "reason": row.reason,
        "first_try_at": row.first_try_at,
        "done_at": row.done_at,
        "receipts": list(db.execute(receipts).scalars()),
    }


def _entries(db: Connection, subjects: Sequence[str]) -> list[Record]:
    """The ledger's entries about `subjects`, in order; an act's with the person and reason."""
    le, c = s.ledger.c, s.content.c
    query = (
        select(le.lane, le.seq, le.entry, le.leaf, c.body)
        .outerjoin(s.content, and_(c.lane == le.lane, c.seq == le.seq))
        .where(le.subject.in_(subjects))
        .order_by(le.lane, le.seq)
    )
    rows = db.execute(query)
    return [_entry(testimony(row.lane, row.seq, row.entry), row.leaf, row.body) for row in rows]


_ACTS = ("hold:", "sample:", "pair:", "delivery:retried", "delivery:dropped", "policy:", "audit:")


def _entry(entry: Entry, leaf: bytes, body: bytes | None) -> Record:
    act = orjson.loads(body) if body and entry.kind.startswith(_ACTS) else {}
    return {
        "lane": entry.lane,
        "seq": entry.seq,
        "at": entry.at,
        "kind": entry.kind,
        "subject": entry.subject,
        "facts": dict(entry.facts),
        "leaf": leaf.hex(),
        "person": act.get("person", ""),
        "reason": act.get("reason", ""),
    }


# --- what waits for a person ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """One message that waits for a reviewer: what it says, and the titles of the rules that hold it."""

    message: int
    at: int
    held_at: int
    network: str
    sender: str
    recipient: str
    kind: str
    text: str
    files: tuple[str, ...]
    pair: int | None
    waits: bool
    cause: str
    reason: str
    rules: tuple[str, ...]
    queue: str = ""
    due_at: int = 0
    late: bool = False


def held(db: Connection, queue: str = "") -> list[Held]:
    """The messages that wait for a reviewer, the longest waiting first; in one `queue`, if one is named."""
    r, v = s.reviews.c, s.verdicts.c
    columns = (r.opened_at, r.waits, r.queue, r.due_at, r.late_at)
    query = (
        _MESSAGES.add_columns(*columns, VERDICT_CONTENT.c.body.label("verdict_body"))
        .join(s.reviews, r.message == s.messages.c.id)
        .join(s.verdicts, v.id == r.verdict)
        .join(
            VERDICT_CONTENT,
            and_(VERDICT_CONTENT.c.lane == s.messages.c.lane, VERDICT_CONTENT.c.seq == v.entry),
        )
        .where(states_in(r.state, "open"))
        .order_by(s.messages.c.id)
    )
    if queue:
        named = QUEUES_APART + r.queue + QUEUES_APART
        query = query.where(named.contains(f"{QUEUES_APART}{queue}{QUEUES_APART}", autoescape=True))
    directory = _directory(db)
    return [_held(db, directory, row) for row in db.execute(query).all()]


def sampled(db: Connection) -> list[Record]:
    """Delivered messages that were drawn and wait for a reviewer, in order, with the rule and its queue."""
    found = []
    for number, key, queue, day in samples.waiting(db):
        row = db.execute(_MESSAGES.where(s.messages.c.id == number)).first()
        if row is None:
            continue  # disposed of
        line = _line(db, _directory(db), row, message_from(row.body, b""))
        found.append(line | {"rule": key, "queue": queue, "day": day})
    return found


def _held(db: Connection, directory: Directory, row: AnyRow) -> Held:
    written = message_from(row.body, b"")
    verdict = verdict_from(row.verdict_body, written.text)
    ends = _ends(db, directory, row, written)
    titles = (match.title or match.rule for match in verdict.matches if _holds(verdict, match))
    return Held(
        message=row.id,
        at=row.archived_at,
        held_at=row.opened_at,
        network=row.network,
        sender=ends.sender,
        recipient=ends.recipient,
        kind=row.kind,
        text=written.text,
        files=tuple(file.name for file in written.files),
        pair=row.pair,
        waits=bool(row.waits),
        cause=verdict.cause.value,
        reason=verdict.reason,
        rules=tuple(dict.fromkeys(titles)),
        queue=row.queue,
        due_at=row.due_at,
        late=bool(row.late_at),
    )


def _holds(verdict: Verdict, match: Match) -> bool:
    """Whether this rule is why the message waits: not one that would let it pass, and not any when a freeze,
    a failure or the policy's own default holds it."""
    return verdict.cause is Cause.RULE and match.enforced and match.outcome is verdict.outcome


def outbox(db: Connection, states: Iterable[str] = UNDER_WAY, limit: int = 100) -> list[Record]:
    """Deliveries in any of `states`, in the order of the outbox: the first `limit`."""
    d = s.deliveries.c
    query = (
        _MESSAGES.join(s.deliveries, d.message == s.messages.c.id)
        .with_only_columns(
            *(s.messages.c[name] for name in ("pair", "notice_for", "archived_at")),
            s.messages.c.network.label("source"),
            MESSAGE_CONTENT.c.body,
            *(d[name] for name in ("id", "permit", "message", "network", "conversation", "state")),
            *(d[name] for name in ("attempt", "next_at", "uncertain", "done_at", "reason")),
        )
        .where(_in_states(states))
        .order_by(d.id)
        .limit(limit)
    )
    directory = _directory(db)
    return [_outbox_line(db, directory, row) for row in db.execute(query).all()]


def _behind(db: Connection, row: AnyRow) -> int:
    """How many deliveries of its conversation wait behind one that waits for its reply window."""
    if row.state != DeliveryState.WAITING:
        return 0
    d = s.deliveries.c
    same = (d.network == row.network, d.conversation == row.conversation, d.id > row.id)
    return db.execute(select(func.count()).where(is_open(s.deliveries), *same)).scalar_one()


def _in_states(states: Iterable[str]) -> Any:
    """Any of `states`, in the words of the indexes of what is open and what is stuck."""
    d, chosen = s.deliveries.c, set(states)
    groups = (tuple(state.value for state in OPEN), tuple(state.value for state in STUCK))
    clauses = [
        and_(states_in(d.state, *group), d.state.in_(sorted(chosen & set(group))))
        for group in groups
        if chosen & set(group)
    ]
    if rest := chosen - set(UNDER_WAY):
        clauses.append(d.state.in_(sorted(rest)))
    return or_(*clauses)


def _outbox_line(db: Connection, directory: Directory, row: AnyRow) -> Record:
    written = message_from(row.body, b"")
    source = _Source(row.source, row.pair, row.notice_for, row.conversation)
    ends = _ends(db, directory, source, written)
    return {
        "id": row.id,
        "permit": row.permit,
        "message": row.message,
        "network": row.network,
        "conversation": row.conversation,
        "sender": ends.sender,
        "recipient": ends.recipient,
        "state": row.state,
        "attempt": row.attempt,
        "next_at": row.next_at if row.state == DeliveryState.READY else 0,
        "uncertain": bool(row.uncertain),
        "behind": _behind(db, row),
        "archived_at": row.archived_at,
        "done_at": row.done_at,
        "reason": row.reason,
    }


@dataclass(frozen=True, slots=True)
class _Source:
    """What `_ends` asks of a row, where the row's own `network` is that of the delivery."""

    network: str
    pair: int | None
    notice_for: int | None
    conversation: str


# --- the live feed --------------------------------------------------------------------------------------

#: Entries that people watch for, and the word for what happened. What a verdict says follows its outcome.
_SHOWN = {
    "message:judged": "",
    "message:recalled": "recalled",
    "hold:rejected": "rejected",
    "hold:released": "released",
    "hold:expired": "expired",
    "hold:escalated": "late",
    "delivery:sent": "delivered",
    "delivery:found": "delivered",
    "delivery:waiting": "waiting",
    "delivery:parked": "parked",
    "delivery:failed": "failed",
    "delivery:retried": "retried",
    "delivery:dropped": "dropped",
}

_STOPPED = {Outcome.HOLD.value: "held", Outcome.BLOCK.value: "blocked"}


FEED_START = 0
"""The position from which `feed` shows everything."""


def feed_end(db: Connection, lane: int = 0) -> int:
    """The position from which `feed` shows only what happens from now on."""
    end: int = db.execute(select(s.lanes.c.size).where(s.lanes.c.lane == lane)).scalar_one()
    return end


def feed(
    db: Connection, after: int = FEED_START, lane: int = 0, limit: int = 200
) -> tuple[int, list[Record]]:
    """The next position, and what was decided or delivered from position `after` of a lane on, in order.

    A position is a place in the ledger, so that whoever asks again with the answer's position sees each
    thing once: something that stops (held, blocked, rejected, waiting, ...) when it is decided, something
    that passes when the other network has taken it. `ms` is the time since the message was archived.
    `limit` bounds the entries that are read, not the items given: ask until the position stands still.
    """
    le = s.ledger.c
    query = select(le.lane, le.seq, le.entry).where(le.lane == lane, le.seq >= after)
    entries = [testimony(*row) for row in db.execute(query.order_by(le.seq).limit(limit))]
    if not entries:
        return after, []
    directory = _directory(db)
    shown = (_shown(db, directory, entry) for entry in entries if entry.kind in _SHOWN)
    return entries[-1].seq + 1, [item for item in shown if item]


def _shown(db: Connection, directory: Directory, entry: Entry) -> Record | None:
    outcome = _SHOWN[entry.kind]
    if entry.kind == "message:judged":
        outcome = _STOPPED.get(str(entry.facts["outcome"]), "")
        if not outcome or entry.facts["cause"] == "person":
            return None  # what passes is shown when it has arrived; a person's act has its own entry
    permit = entry.subject.partition("/")[2] if entry.subject.startswith("delivery/") else ""
    number = entry.facts.get("message") or _message_of(db, permit)
    row = db.execute(_MESSAGES.where(s.messages.c.id == number)).first()
    if row is None:
        return None  # disposed of
    written = message_from(row.body, b"")
    ends = _ends(db, directory, row, written)
    text = written.text
    if permit:
        text, outcome = _as_delivered(db, permit, row, written, ends, outcome)
    return {
        "seq": entry.seq,
        "at": entry.at,
        "time": datetime.fromtimestamp(entry.at / 1000, UTC).strftime("%H:%M:%S"),
        "message": row.id,
        "permit": permit,
        "network": row.network,
        "sender": ends.sender,
        "recipient": ends.recipient,
        "kind": row.kind,
        "files": [file.name for file in written.files],
        "text": text,
        "outcome": outcome,
        "reason": str(entry.facts.get("reason", "")),
        "notice": row.notice_for is not None,
        "ms": entry.at - row.archived_at,
    }


def _message_of(db: Connection, permit: str) -> int:
    query = select(s.deliveries.c.message).where(s.deliveries.c.permit == permit)
    number: int = db.execute(query).scalar_one()
    return number


def _as_delivered(
    db: Connection, permit: str, row: AnyRow, written: Message, ends: _Ends, outcome: str
) -> tuple[str, str]:
    """The words that a permit lets out, as the reader gets them, and the outcome's word for the feed."""
    query = _VERDICTS.add_columns(s.deliveries.c.marks).join(
        s.deliveries, s.deliveries.c.verdict == s.verdicts.c.id
    )
    found = db.execute(query.where(s.deliveries.c.permit == permit)).one()
    if outcome == "delivered" and found.outcome == Outcome.REDACT:
        outcome = "redacted"
    if row.notice_for is not None:
        return written.text, outcome
    verdict = verdict_from(found.body, written.text)
    language = ends.route.recipient.language if ends.route else "en"
    marks = tuple(found.marks.split())
    content = words.compose(
        written.kind, verdict.text, marks, language, ends.sender, annotations=verdict.annotations
    )
    return content.text, outcome
