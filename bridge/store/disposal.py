"""Disposal in the tables: planned, approved, carried out record by record, certified; and tried every day.

Rules of this file: whether a record may go is asked in the transaction that destroys it, by `Ask`, for the
real thing and for the daily trial alike; there is no other way to `destruction.destroy`. A run can be killed
between any two steps, and goes on where it stopped: what is done is in the tables.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, Select, and_, func, insert, select, update

from bridge.errors import Damaged, Missing
from bridge.ledger.entry import Entry
from bridge.message import SYMPHONY, WEIXIN
from bridge.ports import Placing
from bridge.records.disposal import (
    GOOD_FOR,
    Agreed,
    Counts,
    Plan,
    State,
    Tally,
    ahead,
    allow_approval,
    allow_run,
    allow_withdrawal,
    digest_of,
    remaining,
    require_time,
    sort_of,
)
from bridge.store import schema as s
from bridge.store.codec import dump
from bridge.store.destruction import Doomed, destroy, settle
from bridge.store.heartbeats import last_heard
from bridge.store.holds import place, prepare, standing_holds
from bridge.store.kept import key_of, name_of
from bridge.store.proving import acts_about, testimony
from bridge.store.rows import chunks, is_gone, next_number
from bridge.store.terms import Standing, standings
from bridge.store.writer import Tx

if TYPE_CHECKING:
    from bridge.store.database import Database

Ask = Callable[[Connection, Sequence[int], int], Sequence[Standing]]
"""What keeps these messages at a time (milliseconds)."""

Tell = Callable[[int, int], None]
"""Called with how much is done, and of how much."""

CHUNK = 500
"""Records that are looked at together."""

BATCH = 100
"""Records that one transaction destroys at most: the rooms wait for it."""

PATIENCE, BRIEF = 1.0, 3.0
"""Seconds that a daemon waits for readers, and that one table may take, when it settles by itself."""


def ask(db: Connection, numbers: Sequence[int], now: int) -> Sequence[Standing]:
    """What keeps these messages: their terms, all holds that stand, what is not done with them yet."""
    return standings(db, numbers, now, standing_holds(db))


# --- planning -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at the archive gave: records that may go, in the order of their numbers, and counts."""

    doomed: tuple[Doomed, ...]
    counts: Counts


def candidates(db: Connection, before: int) -> list[int]:
    """Every record that is there and was archived before a time (milliseconds), by its message."""
    return list(db.scalars(_there(before)))


def present(db: Connection, numbers: Sequence[int], before: int) -> list[int]:
    """Those of these messages that stand for a record that is there and was archived before a time."""
    found: list[int] = []
    for some in chunks(sorted(set(numbers)), CHUNK):
        found += db.scalars(_there(before).where(s.messages.c.id.in_(some)))
    return found


def _there(before: int) -> Select[Any]:
    m = s.messages.c
    query = select(m.id).where(m.notice_for.is_(None), m.archived_at < before, ~is_gone(m.id))
    return query.order_by(m.id)


def survey(
    db: Connection,
    numbers: Sequence[int],
    now: int,
    tell: Tell = lambda done, total: None,
    *,
    asks: Ask = ask,
    hear: Callable[[Sequence[Standing]], None] = lambda standings: None,
) -> Found:
    """Which of these records may go at `now`, and why the others may not. `hear` is told all that was said of
    them, a chunk at a time."""
    doomed: list[Doomed] = []
    tally, done = Tally(), 0
    for some in chunks(numbers, CHUNK):
        rows = {row.id: row for row in db.execute(_PAIRED.where(s.messages.c.id.in_(some)))}
        said = asks(db, some, now)
        hear(said)
        for one in said:
            if one.kept:
                tally.stays(one.kept)
            else:
                doomed.append(_doomed(one))
                tally.goes(one.because, rows[one.number].pair, rows[one.number].archived_at)
        done += len(some)
        tell(done, len(numbers))
    return Found(tuple(doomed), tally.counts)


_PAIRED = select(s.messages.c.id, s.messages.c.pair, s.messages.c.archived_at)


def _doomed(one: Standing) -> Doomed:
    return Doomed(one.number, key_of(one.because), one.until or 0)


def _by_message(db: Connection, query: Select[Any], message: Any) -> Iterator[Any]:
    """The rows of a query that has `message` for its first column, in its order, with memory for a chunk."""
    after = 0
    while rows := db.execute(query.where(message > after).order_by(message).limit(CHUNK)).all():
        yield from rows
        after = rows[-1][0]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who wants something gone, and why: what a query finds ("": everything) that was archived before a
    time (milliseconds); the request to be forgotten that it answers, 0 for none."""

    person: str
    reason: str
    query: str = ""
    before: int = 0
    erasure: int = 0


def plan(tx: Tx, lane: int, wanted: Wanted, found: Found, *, sure: bool = False) -> int:
    """Write a plan down; gives its number. Raises Conflict when the clock was set back, and NotAllowed when
    it is far ahead of all that came from outside and nobody is `sure` that it is right."""
    _require_time(tx)
    leap = ahead(tx.now, _heard(tx.db), sure=sure)
    number = next_number(tx, s.disposals.c.id)
    digest, expires = digest_of(found.doomed), tx.now + GOOD_FOR
    facts: dict[str, object] = {"disposal": number, "records": len(found.doomed), "sha256": digest}
    facts |= {"expires": expires} | ({"erasure": wanted.erasure} if wanted.erasure else {})
    facts |= {"ahead": leap} if leap else {}
    body = dump(asdict(wanted) | {"counts": _plain(found.counts)})
    entry = tx.append(lane, "disposal:planned", _subject(number), facts, body)
    row = {"id": number, "lane": lane, "entry": entry, "state": State.PLANNED.value, "digest": digest}
    tx.db.execute(insert(s.disposals), row | {"expires_at": expires, "erasure": wanted.erasure})
    names = ("disposal", "message", "class", "until")
    for some in chunks(found.doomed, CHUNK):
        rows = [dict(zip(names, (number, *one), strict=True)) for one in some]
        tx.db.execute(insert(s.disposal_list), rows)
    return number


def _plain(counts: Counts) -> Mapping[str, Any]:
    return asdict(counts) | {"pairs": {str(pair): count for pair, count in counts.pairs.items()}}


def _require_time(tx: Tx) -> None:
    """Raises Conflict when the clock is behind the newest entry."""
    tx.flush()
    le, lanes = s.ledger.c, s.lanes.c
    query = select(le.lane, le.seq, le.entry).join(
        s.lanes, and_(le.lane == lanes.lane, le.seq == lanes.size - 1)
    )
    newest = max((testimony(*row).at for row in tx.db.execute(query)), default=0)
    require_time(tx.now, newest)


def _heard(db: Connection) -> int:
    """When anything came from outside last, a message or the word that a network was read. What people type
    here proves no time: a search under a clock that was set ahead would be the newest entry. A network
    does: it lets nobody sign in whose clock is far from its own."""
    le, m = s.ledger.c, s.messages.c
    of_message = and_(m.lane == le.lane, m.entry == le.seq)
    query = select(le.lane, le.seq, le.entry).join(s.messages, of_message).where(m.notice_for.is_(None))
    came = [testimony(*row).at for row in db.execute(query.order_by(m.id.desc()).limit(1))]
    return max([*came, last_heard(db, SYMPHONY), last_heard(db, WEIXIN)])


def _subject(number: int) -> str:
    return f"disposal/{number}"


def approve(tx: Tx, lane: int, number: int, person: str, reason: str, approvers: Sequence[str] = ()) -> int:
    """Somebody agrees to a plan, one of `approvers` if any are named; gives how many people it still takes.
    Raises NotAllowed for whoever may not, and Conflict when the plan is over."""
    _require_time(tx)
    found = disposal(tx.db, number)
    allow_approval(found, person, tx.now, approvers)
    _act(tx, lane, number, "disposal:approved", person, reason)
    return found.lacking - 1 if found.lacking else 0


def withdraw(tx: Tx, lane: int, number: int, person: str, reason: str) -> None:
    """Give a plan up. Raises Conflict when it was begun, or is over."""
    allow_withdrawal(disposal(tx.db, number))
    _act(tx, lane, number, "disposal:withdrawn", person, reason)
    _set_state(tx, number, State.WITHDRAWN)


def _act(tx: Tx, lane: int, number: int, kind: str, person: str, reason: str) -> None:
    act = dump({"person": person, "reason": reason})
    tx.append(lane, kind, _subject(number), {"disposal": number}, act)


def _set_state(tx: Tx, number: int, state: State) -> None:
    tx.db.execute(update(s.disposals).where(s.disposals.c.id == number).values(state=state.value))


# --- carrying out ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of a run did: how many records it destroyed and how many stay; where the next one starts,
    None at the end of the list."""

    after: int | None
    gone: int = 0
    stay: int = 0


def proceed(tx: Tx, number: int, after: int = 0, *, asks: Ask = ask) -> Step:
    """Destroy the next records of a plan, those that nothing keeps at this moment.

    Raises NotAllowed without approvals, Conflict when the plan is over, and Damaged when its list is not
    the one that people approved.
    """
    _require_time(tx)
    found = disposal(tx.db, number)
    allow_run(found, tx.now)
    if not after:
        _require_list(tx.db, found)
    query = _left(number).where(s.disposal_list.c.message > after).limit(BATCH)
    numbers = list(tx.db.scalars(query))
    if not numbers:
        return Step(None)
    doomed = _dispose(tx, number, numbers, asks)
    if doomed and found.state is State.PLANNED:
        _set_state(tx, number, State.RUNNING)
    return Step(numbers[-1], len(doomed), len(numbers) - len(doomed))


def _require_list(db: Connection, found: Plan) -> None:
    """Raises Damaged when a list is not what its plan has the digest of: asked as a run begins, or begins
    again, and of each record that went by the auditor."""
    x = s.disposal_list.c
    query = select(x.message, x["class"], x.until).where(x.disposal == found.number)
    if digest_of((row[0], row[1], row[2]) for row in _by_message(db, query, x.message)) != found.digest:
        raise Damaged(f"the list of disposal {found.number} is not what was planned; run `audit verify`")


def _dispose(tx: Tx, number: int, numbers: Sequence[int], asks: Ask) -> list[Doomed]:
    """Destroy those of these records that nothing keeps now: the one door to destruction."""
    doomed = [_doomed(one) for one in asks(tx.db, numbers, tx.now) if not one.kept]
    if doomed:
        destroy(tx, number, doomed)
    return doomed


def certify(
    tx: Tx, lane: int, number: int, person: str, *, names: Mapping[str, int] | None = None, asks: Ask = ask
) -> Plan:
    """Write down what a run destroyed and what stays, and end the plan. `names`: of how many `pairs` the
    names went as well, with how many `consents`, where somebody asked to be forgotten."""
    tx.flush()
    found = disposal(tx.db, number)
    if found.state is not State.DONE:
        allow_run(found, tx.now)
        went, stay, reasons = _Went(), list(tx.db.scalars(_left(number))), Tally()
        digest = digest_of(went.lines(destroyed(tx.db, number)))
        for some in chunks(stay, CHUNK):
            for one in asks(tx.db, some, tx.now):
                reasons.stays(one.kept)
        facts: dict[str, object] = {
            "disposal": number,
            "records": went.classes.total(),
            "messages": went.messages,
            "kept": len(stay),
            "sha256": digest,
            "size": _size(tx, lane),
            "classes": dict(sorted(went.classes.items())),
            **(names or {}),
        }
        approvers = [asdict(one) for one in found.agreed]
        body = {
            "person": person,
            "planned_by": found.person,
            "approved_by": approvers,
            "reasons": dict(reasons.kept),
        }
        tx.append(lane, "disposal:certified", _subject(number), facts, dump(body))
        _set_state(tx, number, State.DONE)
        tx.flush()
    return disposal(tx.db, number)


def unsettled(db: Connection) -> frozenset[int]:
    """The certified plans of which nobody has said that nothing of what they destroyed lies in the database's
    own files any more."""
    return frozenset(one.number for one in unfinished(db) if one.state is State.DONE)


def note_settled(tx: Tx, lane: int, person: str, settled: Collection[int]) -> list[int]:
    """Write that down of plans that were `unsettled` before the files were written anew; gives the numbers of
    those of which it was not said yet. One that was certified meanwhile is not among them: what it destroyed
    may have been written back."""
    tx.flush()
    numbers = sorted(unsettled(tx.db).intersection(settled))
    for number in numbers:
        act = dump({"person": person})
        tx.append(lane, "disposal:settled", _subject(number), {"disposal": number}, act)
    return numbers


async def settle_again(store: Database) -> list[str]:
    """Try once more, where the files could not be written anew after a run; gives what is still to be done
    about plans that were begun, as sentences."""
    begun, left = await store.read_apart(unfinished), ""
    if numbers := {one.number for one in begun if one.state is State.DONE}:
        left = await asyncio.to_thread(settle, store.engine, PATIENCE, BRIEF)
        if not left:
            await store.write(lambda tx: note_settled(tx, store.lane, "weighbridge", numbers))
            begun = await store.read_apart(unfinished)
    because = {State.DONE: f" ({left})"} if left else {}
    return [f"{one}{because.get(one.state, '')}" for one in begun]


def _size(tx: Tx, lane: int) -> int:
    """How many entries the tree had when this transaction began."""
    size: int = tx.db.execute(select(s.lanes.c.size).where(s.lanes.c.lane == lane)).scalar_one()
    return size


def _left(number: int) -> Select[Any]:
    """The records of a list that are there, in the order of their numbers."""
    x = s.disposal_list.c
    return select(x.message).where(x.disposal == number, ~is_gone(x.message)).order_by(x.message)


@dataclass(frozen=True, slots=True)
class Gone:
    """A message that a plan destroyed, as its entry says. A `notice` went with the message it was about."""

    number: int
    key: str
    until: int
    notice: bool


@dataclass(slots=True)
class _Went:
    """Counts of what a plan destroyed: messages, and records by class."""

    messages: int = 0
    classes: Counter[str] = field(default_factory=Counter)

    def lines(self, gone: Iterable[Gone]) -> Iterator[tuple[int, str, int]]:
        """Each of them as a line of a list, counted on the way."""
        for one in gone:
            self.messages += 1
            self.classes.update(() if one.notice else (one.key,))
            yield one.number, one.key, one.until


def destroyed(db: Connection, number: int) -> Iterator[Gone]:
    """What a plan destroyed, in the order of the messages' numbers, with memory for a chunk."""
    g, m, le = s.disposed.c, s.messages.c, s.ledger.c
    query = (
        select(g.message, m.notice_for, le.lane, le.seq, le.entry)
        .join(s.messages, m.id == g.message)
        .join(s.ledger, and_(le.lane == g.lane, le.seq == g.entry))
        .where(g.disposal == number)
    )
    for row in _by_message(db, query, g.message):
        facts: Mapping[str, Any] = testimony(row.lane, row.seq, row.entry).facts
        yield Gone(row.message, facts["class"], facts["until"], row.notice_for is not None)


# --- reading --------------------------------------------------------------------------------------------


def disposals(db: Connection) -> list[Plan]:
    """Every plan, the newest first."""
    numbers = db.scalars(select(s.disposals.c.id).order_by(s.disposals.c.id.desc()))
    return [disposal(db, number) for number in numbers.all()]


@dataclass(frozen=True, slots=True)
class Begun:
    """A plan that was begun and is not at its end, by its entries alone, and what is to be done about it."""

    number: int
    state: State

    def __str__(self) -> str:
        return remaining(self.number, self.state, settled=False)


def unfinished(db: Connection) -> list[Begun]:
    """The plans that were begun and are not at their end, the oldest first. Takes no key."""
    numbers = db.scalars(select(s.disposals.c.id).order_by(s.disposals.c.id)).all()
    stories = {number: _kinds(db, number) for number in numbers}
    left = {number: kinds for number, kinds in stories.items() if "disposal:settled" not in kinds}
    found = (Begun(number, _state(db, number, kinds)) for number, kinds in left.items())
    return [one for one in found if str(one)]


def _kinds(db: Connection, number: int) -> set[str]:
    le = s.ledger.c
    query = select(le.lane, le.seq, le.entry).where(le.subject == _subject(number))
    return {testimony(*row).kind for row in db.execute(query)}


def disposal(db: Connection, number: int) -> Plan:
    """A plan by its number. Raises Missing when there is none."""
    steps = acts_about(db, _subject(number))
    if not steps:
        raise Missing(f"there is no disposal {number}; see `weighbridge disposal list`")
    planned, act = steps[0]
    facts: Mapping[str, Any] = planned.facts
    counts = act["counts"]
    pairs = {int(pair): count for pair, count in counts["pairs"].items()}
    return Plan(
        number=number,
        state=_state(db, number, {entry.kind for entry, _ in steps}),
        person=act["person"],
        reason=act["reason"],
        at=planned.at,
        expires_at=facts["expires"],
        records=facts["records"],
        digest=facts["sha256"],
        query=act["query"],
        before=act["before"],
        erasure=facts.get("erasure", 0),
        counts=Counts(**{**counts, "pairs": pairs}),
        agreed=tuple(
            Agreed(said["person"], said["reason"], entry.at)
            for entry, said in steps
            if entry.kind == "disposal:approved"
        ),
        certified=next(
            (_certified(entry, said) for entry, said in steps if entry.kind == "disposal:certified"), None
        ),
        settled_at=next((entry.at for entry, _ in steps if entry.kind == "disposal:settled"), 0),
    )


def _state(db: Connection, number: int, kinds: Collection[str]) -> State:
    """Where a plan stands, by the kinds of entries about it; the table is not asked."""
    if "disposal:withdrawn" in kinds:
        return State.WITHDRAWN
    if "disposal:certified" in kinds:
        return State.DONE
    begun = select(s.ledger.c.seq).where(s.ledger.c.subject == f"{_subject(number)}/run").limit(1)
    return State.PLANNED if db.execute(begun).first() is None else State.RUNNING


def _certified(entry: Entry, said: Mapping[str, Any]) -> Mapping[str, Any]:
    facts: Mapping[str, Any] = entry.facts
    classes = {name_of(key): count for key, count in facts["classes"].items()}
    return {**facts, **said, "classes": classes, "at": entry.at, "place": f"{entry.lane}/{entry.seq}"}


def listed(db: Connection, number: int) -> list[dict[str, Any]]:
    """The list of a plan: message, class, until (milliseconds), and whether it is gone."""
    x, g = s.disposal_list.c, s.disposed.c
    query = (
        select(x.message, x["class"].label("key"), x.until, g.entry)
        .outerjoin(s.disposed, and_(g.message == x.message, g.disposal == number))
        .where(x.disposal == number)
        .order_by(x.message)
    )
    return [
        {"message": row.message, "class": name_of(row.key), "until": row.until, "gone": row.entry is not None}
        for row in db.execute(query)
    ]


def kept(
    db: Connection, numbers: Sequence[int], now: int, sort: str, *, asks: Ask = ask
) -> Iterator[dict[str, Any]]:
    """Which of these records stay at `now` for a reason of this sort: message, and all of its reasons."""
    for some in chunks(numbers, CHUNK):
        for one in asks(db, some, now):
            if sort in {sort_of(reason) for reason in one.kept}:
                yield {
                    "message": one.number,
                    "until": one.until,
                    "class": one.because,
                    "kept": list(one.kept),
                }


def fate(db: Connection, number: int) -> dict[str, Any] | None:
    """How message `number` was disposed of: when, under which class, until when it was kept, by which plan
    and on whose word; None when it was not."""
    g, le, m = s.disposed.c, s.ledger.c, s.messages.c
    query = (
        select(g.disposal, g.lane, g.entry.label("seq"), le.entry, le.leaf, m.archived_at, m.network, m.kind)
        .join(s.ledger, and_(le.lane == g.lane, le.seq == g.entry))
        .join(s.messages, m.id == g.message)
        .where(g.message == number)
    )
    row = db.execute(query).first()
    if row is None:
        return None
    entry, by = testimony(row.lane, row.seq, row.entry), disposal(db, row.disposal)
    facts: Mapping[str, Any] = entry.facts
    return {
        "message": number,
        "disposed_at": entry.at,
        "class": name_of(facts["class"]),
        "until": facts["until"],
        "disposal": by.number,
        "planned_by": by.person,
        "approved_by": [one.person for one in by.agreed],
        "reason": by.reason,
        "archived_at": row.archived_at,
        "network": row.network,
        "kind": row.kind,
        "lane": row.lane,
        "seq": row.seq,
        "leaf": bytes(row.leaf).hex(),
    }


# --- the daily trial ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of asking to destroy a record that has to be kept: which (0: there is none, and nothing was
    tried), whether that was `refused` for every reason that there was, and the reasons that were given."""

    message: int
    refused: bool
    reasons: tuple[str, ...] = ()
    at: int = 0


def try_canary(tx: Tx, lane: int, *, asks: Ask = ask) -> Trial:
    """Ask the engine to destroy a record that has to be kept, by the very door that a run takes, and write
    down what it said. Whatever it did is undone.

    Its term is tried alone; then, for the length of the trial, a hold is placed on it and an archive is owed
    it, and each has to be among the reasons. A store without a record whose term runs tries these two alone.
    """
    tx.flush()
    retained = _newest(tx.db, s.terms.c.message, s.terms.c.until > tx.now)
    number = retained or _newest(tx.db, s.messages.c.id, s.messages.c.notice_for.is_(None))
    if not number:
        return Trial(0, refused=False, at=tx.now)
    mark, savepoint = tx.mark(), tx.db.begin_nested()
    try:
        probe = _probe(tx, lane)
        gone = bool(retained and _dispose(tx, probe, [number], asks))
        guards = set[str]() if gone else _guard(tx, lane, number)
        reasons = _reasons(tx, number, asks)
        unheeded = guards.difference(reasons)
        gone = gone or bool(_dispose(tx, probe, [number], asks))
        tx.flush()
    finally:
        savepoint.rollback()
        tx.rewind(mark)
    refused = not gone and not unheeded
    kind = "canary:refused" if refused else "canary:failed"
    body = dump({"reasons": list(reasons), "unheeded": sorted(unheeded)})
    tx.append(lane, kind, CANARY, {"message": number}, body)
    return Trial(number, refused, reasons, tx.now)


def _reasons(tx: Tx, number: int, asks: Ask) -> tuple[str, ...]:
    return tuple(reason for one in asks(tx.db, [number], tx.now) for reason in one.kept)


def _guard(tx: Tx, lane: int, number: int) -> set[str]:
    """Place a hold on a record and owe it to an archive; gives the reasons that have to follow from that."""
    name = f"{CANARY}-{tx.now}"
    person = "weighbridge"
    place(tx, lane, Placing(name, f"id:{number}", f"id:{number}", person, "the daily trial"))
    row = {"message": number, "destination": key_of(name), "revision": 1, "lane": lane, "state": "wanted"}
    tx.db.execute(insert(s.copies), row | {"since": tx.now, "upto": 0})
    tx.flush()
    return {f"hold {name}", f"not yet in {name}"}


CANARY = "canary"


def _newest(db: Connection, message: Any, chosen: Any) -> int:
    """The newest record that is there and of which something is true, by its row alone; 0 for none."""
    return db.execute(select(func.max(message)).where(chosen, ~is_gone(message))).scalar() or 0


def _probe(tx: Tx, lane: int) -> int:
    """A plan for the trial, that is never kept."""
    number = next_number(tx, s.disposals.c.id)
    row = {
        "id": number,
        "lane": lane,
        "entry": -1,
        "state": State.PLANNED.value,
        "digest": "",
        "expires_at": 0,
    }
    tx.db.execute(insert(s.disposals), row)
    return number


def last_trial(db: Connection) -> Trial | None:
    """The last trial; None when there was none."""
    le, c = s.ledger.c, s.content.c
    query = (
        select(le.lane, le.seq, le.entry, c.body)
        .outerjoin(s.content, and_(c.lane == le.lane, c.seq == le.seq))
        .where(le.subject == CANARY)
        .order_by(le.lane.desc(), le.seq.desc())
        .limit(1)
    )
    row = db.execute(query).first()
    if row is None:
        return None
    entry = testimony(row.lane, row.seq, row.entry)
    reasons = tuple(orjson.loads(row.body)["reasons"]) if row.body else ()
    facts: Mapping[str, Any] = entry.facts
    return Trial(facts["message"], entry.kind == "canary:refused", reasons, entry.at)


async def trial(store: Database) -> dict[str, str]:
    """The same as one of the trials of the day (`bridge.assurance`)."""
    from bridge.records.canaries import WELL  # brings the policies' engine

    await store.read_apart(prepare)
    tried = await store.write(lambda tx: try_canary(tx, store.lane))
    if not tried.message:
        return {"disposal": "untried: there is no record"}
    said = WELL if tried.refused else f"message {tried.message} would have been destroyed: stop all disposal"
    return {"disposal": said}
