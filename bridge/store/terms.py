"""How long records live, in the tables: lengthened by acts, and asked before anything is disposed of.

Rules of this file: a row says what its ledger entries say, and is written in their transaction. A term is
never shortened: a later verdict, an event and an extension each leave the longer one. Whoever asks what keeps
a record gets every reason; whatever cannot be found out is a reason as well.

    message:judged, message:noted, message:recalled   the classes (content) and the term they give (facts)
    retention:started, retention:extended             who ordered what, for which query
    retention:proposed, retention:assigned            two people gave a class to records that had none
    retention:refused                                 or they did not
    record:kept                                       what that order made of one record's term
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, case, func, not_, or_, select

from bridge.errors import Damaged
from bridge.flow import DeliveryState, MessageState
from bridge.ledger.entry import Entry, recall
from bridge.message import Retention
from bridge.ports import Order
from bridge.records.terms import Term, end, longer, term
from bridge.store import schema as s
from bridge.store.codec import dump
from bridge.store.copies import outstanding, unacknowledged
from bridge.store.holds import Holds, covered, families
from bridge.store.kept import REPLACE_TERM, facts_of, key_of, name_of, row_of, term_from
from bridge.store.proving import testimony
from bridge.store.rows import chunks, is_gone, is_open, states_in
from bridge.store.writer import Tx

SUBJECT = "retention"
"""Whose the entries of those orders are that concern many records."""

CHUNK = 500
"""Records that are looked at, or lengthened, together."""


# --- what a record's term rests on ----------------------------------------------------------------------


@dataclass(slots=True)
class Claims:
    """Everything that the term of one record rests on: its classes, when events happened for it, and until
    when it was ordered to be kept longer. `created` is when it was archived; times are milliseconds."""

    created: int = 0
    lane: int = 0
    classes: list[Retention] = field(default_factory=list)
    happened: dict[str, int] = field(default_factory=dict)
    extended: int = 0

    @property
    def term(self) -> Term | None:
        """What follows from all that."""
        return term(self.classes, self.created, self.happened, self.extended)

    def heard(self, facts: Mapping[str, Any]) -> None:
        """Take what an order said: an event, a day, or a class for a record that had none. Of two times of
        one event, the later counts."""
        if "given" in facts:
            self.classes.append(Retention(name_of(facts["kept"]), facts["given"]))
        if "event" in facts:
            event = name_of(facts["event"])
            self.happened[event] = max(self.happened.get(event, 0), facts["at"])
        self.extended = max(self.extended, facts.get("extended", 0))


def claims(db: Connection, numbers: Sequence[int]) -> dict[int, Claims]:
    """What the terms of these messages rest on, read from the ledger and the archive.

    Raises StoreError when a record that says so does not open any more.
    """
    m = s.messages.c
    rows = db.execute(select(m.id, m.lane, m.archived_at).where(m.id.in_(list(numbers))))
    found = {row.id: Claims(row.archived_at, row.lane) for row in rows}
    saying: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for entry in _entries(db, found):
        number = int(entry.subject.partition("/")[2])
        if entry.kind == "record:kept":
            found[number].heard(entry.facts)
        elif "kept" in entry.facts:
            saying[entry.lane][entry.seq] = number
    c = s.content.c
    for lane, places in saying.items():
        bodies = db.execute(select(c.seq, c.body).where(c.lane == lane, c.seq.in_(list(places))))
        for seq, body in bodies:
            if body is None:
                raise Damaged(f"the verdict on message {places[seq]} cannot be opened; run `audit verify`")
            known = found[places[seq]].classes
            said = (Retention(**one) for one in orjson.loads(body).get("retention", ()))
            known.extend(one for one in said if one not in known)
    return found


def _entries(db: Connection, numbers: Iterable[int]) -> Iterator[Entry]:
    le = s.ledger.c
    subjects = [f"message/{number}" for number in numbers]
    query = select(le.entry).where(le.subject.in_(subjects)).order_by(le.lane, le.seq)
    return (recall(bytes(data)) for data in db.scalars(query))


# --- orders about many records --------------------------------------------------------------------------


def said_by(order: Order, created: int) -> dict[str, object]:
    """What an order says of a record that was archived at `created`."""
    if order.event:
        return {"event": key_of(order.event), "at": order.at}
    return {"extended": max(order.until, end(created, order.keep) if order.keep else 0)}


def effect(order: Order, claim: Claims) -> Term | None:
    """The term that a record has after an order; None when that changes nothing that will ever count."""
    before, heard = claim.term, replace(claim, happened=dict(claim.happened))
    heard.heard(said_by(order, claim.created))
    then = heard.term
    if before is None or then is None or heard == claim:
        return None
    if before.until is None:
        concerns = not order.event or any(one.start == order.event for one in claim.classes)
        return then if concerns else None
    return then if then.until is None or then.until > before.until else None


def write_order(tx: Tx, lane: int, order: Order, records: int) -> str:
    """Write down who orders what; gives the place that the entries of single records name."""
    kind = "retention:started" if order.event else "retention:extended"
    facts: dict[str, object] = {"records": records}
    facts |= {name: getattr(order, name) for name in ("at", "until", "keep") if getattr(order, name)}
    facts |= {"event": key_of(order.event)} if order.event else {}
    body = dump({"person": order.person, "reason": order.reason, "query": order.query})
    return f"{lane}/{tx.append(lane, kind, SUBJECT, facts, body)}"


def carry_out(tx: Tx, *, order: Order, place: str, numbers: Sequence[int]) -> int:
    """Do to these records what the order at `place` says; gives how many it changed. To do it again changes
    nothing more."""
    tx.flush()
    changed = 0
    for number, claim in claims(tx.db, numbers).items():
        then = effect(order, claim)
        if then is None:
            continue
        facts = {"message": number, "by": place, **said_by(order, claim.created), **facts_of(then)}
        entry = tx.append(claim.lane, "record:kept", f"message/{number}", facts)
        REPLACE_TERM.one(tx.db, row_of(number, entry, facts))
        changed += 1
    return changed


# --- what keeps a record --------------------------------------------------------------------------------


class Last(NamedTuple):
    """Of a record, its edits, its recall and what it edits itself the one that stays longest: until when
    (milliseconds; None: not known, or never), and because of which class ("" if none)."""

    number: int
    until: int | None
    because: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a record may go. `until` is when its own term is over (milliseconds; None: not known, or
    never), `because` the class that governs ("" if none), `last` the same of the one among those that are
    joined with it which keeps all of them longest. `kept` are all reasons why it may not go now; without any
    it may."""

    number: int
    until: int | None
    because: str
    last: Last
    kept: tuple[str, ...]


def standings(db: Connection, numbers: Sequence[int], now: int, holds: Holds) -> list[Standing]:
    """What keeps each of these messages at `now`, in this order; one that is not there is left out.

    Notices share the fate of the message they are about, and it shares theirs: what keeps one keeps all.
    """
    found: dict[int, Standing] = {}
    for some in chunks(numbers, CHUNK):
        found |= _standings(db, some, now, holds)
    return [found[number] for number in numbers if number in found]


def _standings(db: Connection, numbers: Sequence[int], now: int, holds: Holds) -> dict[int, Standing]:
    family, said = _joined(db, numbers)
    members = [one for root in family for one in family[root]]
    kept: defaultdict[int, list[str]] = defaultdict(list)
    rows = {row.id: row for row in db.execute(_TERMS.where(s.messages.c.id.in_(members)))}
    root_of = {one: root for root in family for one in family[root]}
    for one, root in root_of.items():
        if one in rows:
            kept[root].extend(_of_member(rows[one], root, said[one], now))
    for reason, query in _UNFINISHED:
        column = next(iter(query.selected_columns))
        for number in db.scalars(query.where(column.in_(members)).distinct()):
            if reason not in kept[root_of[number]]:
                kept[root_of[number]].append(reason)
    lacking = outstanding(db, members)
    for number, root in root_of.items():
        archives = {*lacking.get(number, ()), *unacknowledged(said[number])}
        kept[root].extend(f"not yet in {name}" for name in sorted(archives))
    for root, names in covered(db, family, holds).items():
        kept[root].extend(f"hold {name}" for name in names)
    asked = set(numbers)
    chains = _chains(family, said)
    ends = {
        root: Last(root, rows[root].until, name_of(rows[root].key or "")) for root in family if root in rows
    }
    return {
        one: Standing(
            one, ends[root].until, ends[root].because, _last(root, chains, ends), _reasons(root, chains, kept)
        )
        for one, root in root_of.items()
        if one in asked and root in ends
    }


NO_CLASS = "no class of retention"
"""Why a record stays for which nobody named a period."""


def _reasons(
    root: int, chains: Mapping[int, Sequence[int]], kept: Mapping[int, Sequence[str]]
) -> tuple[str, ...]:
    """What keeps a record, and what keeps an edit of it, a recall, or what it edits itself."""
    others = (why for one in chains.get(root, ()) if one != root for why in kept.get(one, ()))
    return tuple(dict.fromkeys([*kept.get(root, ()), *others]))


def _last(root: int, chains: Mapping[int, Sequence[int]], ends: Mapping[int, Last]) -> Last:
    """The one of a chain that ends last: one without an end before all, and the record itself before its
    likes."""
    chain = [ends[root], *(ends[one] for one in chains.get(root, ()) if one != root and one in ends)]
    return max(chain, key=lambda one: float("inf") if one.until is None else one.until)


def joined(db: Connection, numbers: Sequence[int]) -> dict[int, dict[int, list[int]]]:
    """By each of these messages all that share its fate: itself, or what it is a notice about, and what that
    is joined with by edits and recalls; each with the notices about it, itself first."""
    family, said = _joined(db, numbers)
    root_of = {one: root for root in family for one in family[root]}
    chains = _chains(family, said)
    roots = {one: chains.get(root_of[one], [root_of[one]]) for one in numbers if one in root_of}
    return {one: {root: family[root] for root in among if root in family} for one, among in roots.items()}


def _joined(db: Connection, numbers: Sequence[int]) -> tuple[dict[int, list[int]], dict[int, list[Entry]]]:
    """The families of these messages and of all that they are joined with, and what the ledger says of each
    of their members."""
    family: dict[int, list[int]] = {}
    said: dict[int, list[Entry]] = {}
    missing = list(numbers)
    while missing:
        found = families(db, missing)
        new = {root: found[root] for root in found if root not in family}
        told = _said_of(db, [one for root in new for one in new[root]])
        family |= new
        said |= told
        wanted = {other for entries in told.values() for other in _others(entries)}
        missing = sorted(wanted - said.keys())
    return family, said


def _others(said: Iterable[Entry]) -> Iterator[int]:
    """The messages with which these entries join the one that they are about."""
    for entry in said:
        facts: Mapping[str, Any] = entry.facts
        if "of" in facts:
            yield facts["of"]
        if entry.kind == "record:joined":
            yield facts["with"]


def _chains(family: Iterable[int], said: Mapping[int, Sequence[Entry]]) -> dict[int, list[int]]:
    """By each record that is joined with others: all of them, itself among them."""
    chain: dict[int, list[int]] = {}
    for root in family:
        for other in _others(said[root]):
            one, two = chain.setdefault(root, [root]), chain.setdefault(other, [other])
            if one is not two:
                one += two
                chain |= dict.fromkeys(two, one)
    return chain


def _said_of(db: Connection, numbers: Sequence[int]) -> dict[int, list[Entry]]:
    """All that the ledger says about each of these messages, in order."""
    le = s.ledger.c
    found: dict[int, list[Entry]] = {number: [] for number in numbers}
    subjects = {f"message/{number}": number for number in numbers}
    query = select(le.lane, le.seq, le.subject, le.entry).where(le.subject.in_(list(subjects)))
    for lane, seq, subject, data in db.execute(query.order_by(le.lane, le.seq)):
        entry = testimony(lane, seq, data)
        if entry.subject != subject:
            raise Damaged(f"entry {seq} of lane {lane} is of another subject: run `weighbridge audit verify`")
        found[subjects[subject]].append(entry)
    return found


def _of_member(row: Any, root: int, said: Sequence[Entry], now: int) -> Iterator[str]:
    """What speaks against the going of one message of a record; a notice has no term of its own."""
    if row.state in _UNDECIDED or _waits(said):
        yield "undecided"
    about = next((entry.facts.get("about") for entry in said if entry.kind in _ARCHIVED), row.id)
    if about != (None if row.id == root else root):
        yield "its notices are not what the ledger says"
    governing = _governing(said)
    if row.key is not None or governing is not None:
        yield from _by_term(row, governing, now)
    elif row.id == root:
        yield NO_CLASS


_ARCHIVED = ("message:archived", "notice:archived")


def _waits(said: Sequence[Entry]) -> bool:
    """Whether somebody has yet to decide what becomes of a message."""
    acts = [entry for entry in said if entry.kind in _DECIDING]
    if not acts:
        return True
    last = acts[-1]
    held = last.kind == "message:judged" and last.facts.get("outcome") == "hold"
    return held or last.kind in ("message:archived", "hold:lifted")


_DECIDING = frozenset(
    {*_ARCHIVED, "message:judged", "message:noted", "message:recalled"}
    | {"hold:released", "hold:rejected", "hold:lifted", "hold:expired"}
)
"""Kinds of entries about a message after which it waits for a decision, or no longer."""


def _governing(said: Sequence[Entry]) -> Entry | None:
    """Of all entries about a message the one that says its term: the longest, unless an order came later."""
    found: Entry | None = None
    for entry in said:
        told = term_from(entry.facts)
        if told is None:
            continue
        before = None if found is None else term_from(found.facts)
        if entry.kind == "record:kept" or longer(before, told) is not before:
            found = entry
    return found


def _by_term(row: Any, said: Entry | None, now: int) -> Iterator[str]:
    """What a term says: the ledger's entry, which the row has to repeat."""
    told = None if said is None else term_from(said.facts)
    term_of_row = None if row.key is None else Term(name_of(row.key), name_of(row.start), row.until)
    if said is None or told != term_of_row or row.entry != said.seq:
        yield "its term is not what the ledger says"
        return
    if row.until is None:
        yield f"retention: {name_of(row.start)} has not happened"
    elif row.until > now:
        yield f"retention until {datetime.fromtimestamp(row.until / 1000, UTC):%Y-%m-%d}"


_UNDECIDED = (MessageState.NEW.value, MessageState.FETCHING.value, MessageState.HELD.value)

_M, _T = s.messages.c, s.terms.c
_TERMS = select(_M.id, _M.state, _T.key, _T.start, _T.until, _T.entry).outerjoin(s.terms, _T.message == _M.id)
_STUCK = states_in(s.deliveries.c.state, DeliveryState.PARKED.value, DeliveryState.FAILED.value)
_SENDING = states_in(s.deliveries.c.state, DeliveryState.CLAIMED.value)
_OPEN = (
    select(s.deliveries.c.message)
    .join(s.messages, _M.id == s.deliveries.c.message)
    .where(or_(is_open(s.deliveries), _STUCK))
    # A notice that nobody may ever be able to send (its window is closed) keeps nobody's record.
    .where(or_(_M.notice_for.is_(None), _SENDING))
)
_UNFINISHED: tuple[tuple[str, Any], ...] = (
    ("delivery open", _OPEN),
    ("drawn for review", select(s.samples.c.message).where(states_in(s.samples.c.state, "drawn"))),
)
"""What is still to be done with a record, and the messages of which that is so."""


# --- listings -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClassCount:
    """The records that one class governs: how many, those that wait for its event, those whose term is over,
    and the earliest end of one (milliseconds, 0: none)."""

    key: str
    records: int
    waiting: int
    due: int
    earliest: int


def counts(db: Connection, now: int) -> list[ClassCount]:
    """All classes that govern a record, by name; last, under "", the records that have no class."""
    waiting = func.sum(_case(_T.until.is_(None)))
    query = select(_T.key, func.count(), waiting, func.sum(_case(_T.until <= now)), func.min(_T.until))
    found = [
        ClassCount(name_of(key), records, int(wait), int(over or 0), earliest or 0)
        for key, records, wait, over, earliest in db.execute(
            query.where(not_(is_gone(_T.message))).group_by(_T.key).order_by(_T.key)
        )
    ]
    without = select(func.count()).select_from(s.messages.outerjoin(s.terms, _T.message == _M.id))
    lacking = db.execute(without.where(_T.message.is_(None), _M.notice_for.is_(None))).scalar_one()
    return [*found, ClassCount("", lacking, 0, 0, 0)] if lacking else found


def _case(condition: Any) -> Any:
    return case((condition, 1), else_=0)
