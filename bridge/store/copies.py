"""Copies outside in the tables: which archive must have which record, what it answered, what it lacks.

Rules of this file: rows are made in the transaction that records the verdict, so a crash leaves nothing out.
An archive's own answer is content of the entry `copy:kept`; only the digest of what it has stands in clear.
Nothing here speaks to an archive.

A delivery that waits for its copies is one whose time never comes (`rows.FAR`): the last copy gives it one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import Connection, and_, bindparam, exists, func, literal_column, not_, select, update

from bridge.errors import Conflict
from bridge.flow import DeliveryState, MessageState
from bridge.ledger.entry import Entry, recall
from bridge.store import schema as s
from bridge.store.codec import dump
from bridge.store.kept import key_of, name_of
from bridge.store.prepared import Prepared
from bridge.store.rows import FAR, chunks, is_open, plan_chats, states_in
from bridge.store.writer import Tx

if TYPE_CHECKING:
    from bridge.store.judging import Rulings

WANTED, KEPT, PARKED = "wanted", "kept", "parked"
WAIVED = "waiver:granted"
AS_JUDGED, WHOLE_LIFE = 1, 2
"""Revisions: the record as it was judged, and with all that became of it."""

C = s.copies.c


# --- wanted: in the transaction of the verdict ----------------------------------------------------------


def want(work: Rulings, number: int, archives: Sequence[str]) -> dict[str, object]:
    """These archives must have message `number`; gives what the next entry has to say of that."""
    if not archives:
        return {}
    keys = [key_of(name) for name in archives]
    upto = work.tx.next(work.lane) + 1  # with the entry that says so, which comes next
    work.copies += [_wanted(work.tx, work.lane, number, key, AS_JUDGED, upto) for key in keys]
    return {"copies": keys}


def want_beside(work: Rulings, number: int, about: int) -> dict[str, object]:
    """What the bridge itself says lies wherever the message lies that it is about."""
    keys = [row["destination"] for row in work.copies if row["message"] == about]
    keys = keys or list(_BESIDE.one(work.tx.db, {"b_message": about}).scalars())
    return want(work, number, [name_of(key) for key in keys])


def insert(work: Rulings) -> None:
    """Write the rows that were gathered; their messages are there by now."""
    if work.copies:
        _INSERT.many(work.tx.db, work.copies)
        work.copies.clear()


def _wanted(tx: Tx, lane: int, number: int, key: str, revision: int, upto: int) -> dict[str, object]:
    row = {"message": number, "destination": key, "revision": revision, "lane": lane}
    return row | {"state": WANTED, "since": tx.now, "upto": upto}


def _insert(dialect: ModuleType) -> Any:
    # A message that is judged again has its rows already.
    keys = ["message", "destination", "revision"]
    return dialect.insert(s.copies).on_conflict_do_nothing(index_elements=keys)


_INSERT = Prepared(_insert, ("message", "destination", "revision", "lane", "state", "since", "upto"))
_BESIDE = Prepared(
    select(C.destination)
    .where(C.message == bindparam("b_message"), C.revision == literal_column("1"))
    .order_by(C.destination)
)


# --- what is to be done ---------------------------------------------------------------------------------


class Due(NamedTuple):
    """A copy that an archive is to get: `attempt` counts those before; `since` is when it was asked for. It
    has the entries about its message before number `upto`: whenever it is made, it is the same bytes."""

    message: int
    revision: int
    lane: int
    attempt: int
    since: int
    upto: int


_DUE = Prepared(
    select(C.message, C.revision, C.lane, C.attempt, C.since, C.upto)
    .where(
        states_in(C.state, WANTED),
        C.destination == bindparam("b_destination"),
        C.message > bindparam("b_after"),
        C.next_at <= bindparam("b_now"),
    )
    .order_by(C.message, C.revision)
    .limit(bindparam("b_limit"))
)
_TRIAL = Prepared(
    select(C.message, C.revision, C.lane, C.attempt, C.since, C.upto)
    .where(
        states_in(C.state, WANTED),
        C.destination == bindparam("b_destination"),
        C.next_at <= bindparam("b_now"),
    )
    .order_by(C.attempt, C.message, C.revision)
    .limit(literal_column("1"))
)


def trial(db: Connection, key: str, now: int) -> list[Due]:
    """The copy to try an archive with that has failed: one that failed least, so that a record which makes it
    fail stands in nobody's way. None when none is due."""
    return [Due(*row) for row in _TRIAL.one(db, {"b_destination": key, "b_now": now})]


def others_failed(db: Connection, key: str, copy: Due) -> bool:
    """Whether archive `key` has failed with copies of other messages that it is still to get."""
    others = (C.destination == key, C.message != copy.message, C.attempt > 0)
    return (
        db.execute(select(C.message).where(states_in(C.state, WANTED), *others).limit(1)).first() is not None
    )


def due(db: Connection, key: str, now: int, limit: int, after: int = 0) -> list[Due]:
    """Copies that archive `key` is to get now, in the order of their messages, from message `after` on."""
    look = {"b_destination": key, "b_now": now, "b_limit": limit, "b_after": after}
    return [Due(*row) for row in _DUE.one(db, look)]


class Backlog(NamedTuple):
    """What an archive lacks: how many copies, since when the oldest is asked for (milliseconds, 0: none), how
    many are `parked` by reason, and what the archive said last of one that it is still to get."""

    wanted: int
    since: int
    parked: Mapping[str, int]
    kept: int = 0
    reason: str = ""


_OLDEST = Prepared(
    select(C.since)
    .where(states_in(C.state, WANTED), C.destination == bindparam("b_destination"))
    .order_by(C.message)
    .limit(literal_column("1"))
)
_WAITING = Prepared(
    select(C.destination, func.count())
    .where(states_in(C.state, WANTED))
    .group_by(C.destination)
    .order_by(C.destination)
)


def waiting(db: Connection) -> dict[str, tuple[int, int]]:
    """By archive: how many copies are wanted, and since when the oldest is. Archives that lack none are left
    out."""
    found = _WAITING.one(db, {}).all()
    return {
        key: (count, _OLDEST.one(db, {"b_destination": key}).scalar() or 0) for key, count in found if count
    }


_REFUSED = Prepared(
    select(C.destination, C.reason, func.count())
    .where(states_in(C.state, PARKED))
    .group_by(C.destination, C.reason)
    .order_by(C.destination, C.reason)
)


def refused(db: Connection) -> dict[str, dict[str, int]]:
    """By archive: how many copies are parked for which reason. Archives that refused none are left out."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for key, reason, count in _REFUSED.one(db, {}).all():
        found[key][reason] = count
    return dict(found)


def backlogs(db: Connection) -> dict[str, Backlog]:
    """How every archive stands that was ever named; reads the whole table."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for key, state, count in db.execute(
        select(C.destination, C.state, func.count()).group_by(C.destination, C.state)
    ):
        found[key][state] = count
    since, parked = {key: oldest for key, (_, oldest) in waiting(db).items()}, refused(db)
    return {
        key: Backlog(
            counts.get(WANTED, 0),
            since.get(key, 0),
            parked.get(key, {}),
            counts.get(KEPT, 0),
            _reason(db, key) if WANTED in counts else "",
        )
        for key, counts in sorted(found.items())
    }


def _reason(db: Connection, key: str) -> str:
    lacking = (states_in(C.state, WANTED), C.destination == key, C.reason != "")
    newest = select(C.reason).where(*lacking).order_by(C.next_at.desc(), C.message.desc()).limit(1)
    return str(db.execute(newest).scalar() or "")


def outstanding(db: Connection, numbers: Iterable[int]) -> dict[int, list[str]]:
    """Of these messages, the archives by name that have not acknowledged all of it yet."""
    found: defaultdict[int, set[str]] = defaultdict(set)
    for part in chunks(numbers, 500):
        query = select(C.message, C.destination).where(C.message.in_(part), C.state != KEPT)
        for number, key in db.execute(query):
            found[number].add(name_of(key))
    return {number: sorted(names) for number, names in found.items()}


def held_up(db: Connection, numbers: Iterable[int]) -> dict[int, list[str]]:
    """Of these messages, whose deliveries wait for their copies, those that no time lets out: each with the
    archives by name that refused its copy, and that nobody waived."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for part in chunks(numbers, 500):
        query = select(C.message, C.destination, C.upto).where(
            C.message.in_(part), C.revision == AS_JUDGED, C.state == PARKED
        )
        for number, key, upto in db.execute(query.order_by(C.message, C.destination)):
            if upto > _waived(db, key):
                found[number].append(name_of(key))
    return dict(found)


def unacknowledged(said: Iterable[Entry]) -> list[str]:
    """The archives that these entries about one message ask for, or name, and that do not have their copy by
    the last entry of each."""
    states: dict[tuple[str, int], bool] = {}
    for entry in said:
        facts: Mapping[str, Any] = entry.facts
        for key in facts.get("copies", ()):
            states.setdefault((key, AS_JUDGED), False)
        if entry.kind in _ANSWERS:
            states[facts["destination"], facts["revision"]] = entry.kind == "copy:kept"
    return sorted({name_of(key) for (key, _), is_kept in states.items() if not is_kept})


_ANSWERS = frozenset({"copy:kept", "copy:parked", "copy:retried", "copy:lost"})


class Drawn(NamedTuple):
    """A copy that an archive has: the SHA-256 of its bytes, until when it was told to lock it (milliseconds,
    0: not), and whether it was told to hold it."""

    copy: Due
    sha256: str
    until: int
    held: bool


def draw(db: Connection, key: str, count: int) -> list[Drawn]:
    """So many copies that archive `key` has, drawn by chance."""
    query = (
        select(*(C[name] for name in Due._fields), C.sha256, C.until, C.held)
        .where(C.destination == key, C.state == KEPT)
        .order_by(func.random())
        .limit(count)
    )
    return [Drawn(Due(*row[:-3]), row[-3], row[-2], bool(row[-1])) for row in db.execute(query)]


def address(db: Connection, key: str) -> tuple[str, str] | None:
    """Where the newest copy lies that archive `key` has and that still stands here: its address, and the host
    where that leads to by the settings. None when it has none."""
    c = s.content.c
    query = (
        select(c.body)
        .join(s.copies, (C.lane == c.lane) & (C.entry == c.seq))
        .where(C.destination == key, C.state == KEPT)
        .order_by(C.message.desc(), C.revision.desc())
        .limit(1)
    )
    body = db.execute(query).scalar()
    if not body:
        return None
    told = orjson.loads(body)
    return told["to"], told.get("host", "")


def unchecked(db: Connection, key: str, before: int) -> bool:
    """Whether archive `key` has copies, and none was read back since `before` (milliseconds)."""
    if db.execute(select(C.message).where(C.destination == key, C.state == KEPT).limit(1)).first() is None:
        return False
    le = s.ledger.c
    entries = db.scalars(select(le.entry).where(le.subject == f"archive/{key}").order_by(le.seq.desc()))
    told = (recall(bytes(data)) for data in entries)
    return next((one.at < before for one in told if one.kind == "copies:checked"), True)


# --- what became of it ----------------------------------------------------------------------------------


class Kept(NamedTuple):
    """An archive has a copy: `sha256` of its bytes, and what was answered.

    `objects` are the names of all that lies there of it, its attachments among them; `to` is the archive's
    address, `host` where that leads to by the settings; `approval` the id of what let the record leave its
    region ("" where it did not). `until` is when their lock ends (milliseconds, 0: none), `held` whether they
    are under a legal hold.
    """

    copy: Due
    sha256: str
    objects: tuple[str, ...]
    answer: str
    until: int = 0
    held: bool = False
    to: str = ""
    approval: str = ""
    host: str = ""


def keep(tx: Tx, key: str, kept: Sequence[Kept]) -> None:
    """Archive `key` has these copies. What waited for the last one may go out. A copy that was recorded
    already, or is gone with its record, changes nothing."""
    for one in kept:
        if _state(tx.db, key, one.copy) != WANTED:
            continue
        facts = _facts(key, one.copy) | {"sha256": one.sha256}
        body = {"objects": list(one.objects), "answer": one.answer, "to": one.to}
        body |= {"approval": one.approval} if one.approval else {}
        body |= {"host": one.host} if one.host else {}
        entry = tx.append(one.copy.lane, "copy:kept", f"message/{one.copy.message}", facts, dump(body))
        told = {"b_sha256": one.sha256, "b_entry": entry, "b_until": one.until, "b_held": int(one.held)}
        _KEEP.many(tx.db, [_place(key, one.copy) | told])
        if one.copy.revision == AS_JUDGED:
            release(tx, one.copy.message, one.copy.lane)


def park(tx: Tx, key: str, copy: Due, reason: str) -> None:
    """Archive `key` will not take this copy as it is, or was asked too often: a person decides."""
    if _state(tx.db, key, copy) == WANTED:
        facts = _facts(key, copy) | {"reason": reason}
        entry = tx.append(copy.lane, "copy:parked", f"message/{copy.message}", facts)
        _change(tx, key, copy, {"state": PARKED, "entry": entry, "reason": reason})


def postpone(tx: Tx, key: str, copy: Due, at: int, reason: str) -> None:
    """Try again at `at` (milliseconds)."""
    _change(tx, key, copy, {"attempt": copy.attempt + 1, "next_at": at, "reason": reason})


def retry(tx: Tx, lane: int, key: str, person: str, reason: str, number: int | None = None) -> int:
    """Put parked copies for an archive back, all or those of one message; gives how many. Raises Conflict
    when there is none."""
    which = [C.destination == key, C.state == PARKED] + ([C.message == number] if number else [])
    rows = tx.db.execute(select(*(C[name] for name in Due._fields)).where(*which)).all()
    if not rows:
        raise Conflict(f"no copy for {name_of(key)} is parked; see `weighbridge sinks status`")
    body = dump({"person": person, "reason": reason})
    for row in rows:
        copy = Due(*row)
        entry = tx.append(copy.lane, "copy:retried", f"message/{copy.message}", _facts(key, copy), body)
        values = {"state": WANTED, "attempt": 0, "next_at": tx.now, "since": tx.now, "reason": ""}
        _change(tx, key, copy, values | {"entry": entry})
    return len(rows)


def check(
    tx: Tx,
    key: str,
    checked: int,
    lost: Sequence[tuple[Due, str]],
    person: str,
    reason: str,
    unlocked: int = 0,
) -> None:
    """So many copies were read back from an archive, and these are not there as it had taken them (with
    why): they are wanted again. So many more were locked less than it had been told."""
    for copy, why in lost:
        lose(tx, key, copy, why)
    facts = {"destination": key, "checked": checked, "lost": len(lost)}
    facts |= {"unlocked": unlocked} if unlocked else {}
    tx.append(0, "copies:checked", f"archive/{key}", facts, dump({"person": person, "reason": reason}))


def lose(tx: Tx, key: str, copy: Due, why: str) -> None:
    """A copy is not there (any more) as archive `key` had taken it: it is wanted again."""
    if _state(tx.db, key, copy) != KEPT:
        return
    facts = _facts(key, copy) | {"reason": why}
    entry = tx.append(copy.lane, "copy:lost", f"message/{copy.message}", facts)
    values = {"state": WANTED, "attempt": 0, "next_at": tx.now, "since": tx.now, "reason": why}
    _change(tx, key, copy, values | {"entry": entry, "sha256": ""})


def _facts(key: str, copy: Due) -> dict[str, object]:
    return {"message": copy.message, "destination": key, "revision": copy.revision}


_HERE = and_(
    C.message == bindparam("b_message"),
    C.destination == bindparam("b_destination"),
    C.revision == bindparam("b_revision"),
)
_STATE = Prepared(select(C.state).where(_HERE))
_KEEP = Prepared(
    update(s.copies)
    .where(_HERE)
    .values(
        state=literal_column(f"'{KEPT}'"),
        reason=literal_column("''"),
        sha256=bindparam("b_sha256"),
        entry=bindparam("b_entry"),
        until=bindparam("b_until"),
        held=bindparam("b_held"),
    )
)


def _place(key: str, copy: Due) -> dict[str, object]:
    return {"b_message": copy.message, "b_destination": key, "b_revision": copy.revision}


def _state(db: Connection, key: str, copy: Due) -> str | None:
    state: str | None = _STATE.value(db, _place(key, copy))
    return state


def _change(tx: Tx, key: str, copy: Due, values: Mapping[str, object]) -> None:
    tx.db.execute(update(s.copies).where(_HERE).values(**values), _place(key, copy))


def release(tx: Tx, message: int, lane: int) -> int:
    """Let out the deliveries of a message that waited for its copies, once all are there that nobody waived;
    1 if any did, else 0."""
    about = {"b_message": message}
    chats = _WAITING_CHATS.look(tx.db, about)
    if not chats or any(upto > _waived(tx.db, key) for key, upto in _LACKING.look(tx.db, about)):
        return 0
    _LET_OUT.many(tx.db, [about | {"b_now": tx.now}])
    plan_chats(tx, lane, chats, tx.now)
    return 1


_WAITS = and_(
    s.deliveries.c.message == bindparam("b_message"),
    is_open(s.deliveries),
    states_in(s.deliveries.c.state, DeliveryState.READY.value),
    s.deliveries.c.next_at == literal_column(str(FAR)),
)
_WAITING_CHATS = Prepared(select(s.deliveries.c.network, s.deliveries.c.conversation).where(_WAITS))
_LET_OUT = Prepared(update(s.deliveries).where(_WAITS).values(next_at=bindparam("b_now")))
_LACKING = Prepared(
    select(C.destination, C.upto).where(
        C.message == bindparam("b_message"),
        C.revision == literal_column(str(AS_JUDGED)),
        not_(states_in(C.state, KEPT)),
    )
)


def about_waivers(key: str) -> str:
    """The subject of entries about waivers of archive `key`."""
    return f"waiver/{key}"


def _waived(db: Connection, key: str) -> int:
    """The entry up to which nothing waits for archive `key`; -1 when that was never waived."""
    le = s.ledger.c
    entries = db.scalars(select(le.entry).where(le.subject == about_waivers(key)).order_by(le.seq.desc()))
    told = (recall(bytes(data)) for data in entries)
    return next((one.seq for one in told if one.kind == WAIVED), -1)


# --- the second revision --------------------------------------------------------------------------------

_ENDED = tuple(
    one.value
    for one in MessageState
    if one not in (MessageState.FETCHING, MessageState.NEW, MessageState.HELD)
)

_COMPLETE = (
    select(C.message, C.lane)
    .join(s.messages, s.messages.c.id == C.message)
    .where(
        literal_column("copies.revision") == literal_column("1"),
        literal_column("copies.closed") == literal_column("0"),
        s.messages.c.state.in_(_ENDED),
        not_(exists().where(s.deliveries.c.message == C.message, is_open(s.deliveries))),
    )
    .distinct()
    .order_by(C.message)
)


def any_complete(db: Connection, before: int) -> bool:
    """Whether there is a record, of a message archived before `before`, for `close`."""
    query = _COMPLETE.where(s.messages.c.archived_at < before).limit(1)
    return db.execute(query).first() is not None


def close(tx: Tx, before: int, limit: int) -> int:
    """Ask for the second revision of records whose life is complete, of messages archived before `before`
    (milliseconds); gives how many. What a message's archives are was settled by its verdict."""
    query = _COMPLETE.where(s.messages.c.archived_at < before).limit(limit)
    rows = tx.db.execute(query).all()
    for number, lane in rows:
        keys = _BESIDE.one(tx.db, {"b_message": number}).scalars().all()
        _INSERT.many(tx.db, [_wanted(tx, lane, number, key, WHOLE_LIFE, tx.next(lane)) for key in keys])
        tx.db.execute(update(s.copies).where(C.message == number, C.revision == AS_JUDGED).values(closed=1))
    return len(rows)
