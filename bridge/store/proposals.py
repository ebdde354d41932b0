"""What becomes of a change to the policy, in the tables: proposed, approved, in force, and out of it again.

Rules of this file: who, why and what stand in the archive under the digest of each step's entry; the rules
are those of `bridge.proposals`, asked inside the transaction. A row is found by its number, and its steps are
the ledger's entries about it: `history` reads nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Connection, and_, insert, or_, select, update

from bridge.errors import Conflict, Missing
from bridge.ledger.entry import Entry
from bridge.proposals import (
    Approval,
    Bar,
    ChangeState,
    Hashes,
    Proposal,
    allow,
    allow_back,
    allow_end,
    missing,
    step,
)
from bridge.store import schema as s
from bridge.store.acts import activate_policy
from bridge.store.codec import dump
from bridge.store.policies import keep_sources
from bridge.store.proving import testimony
from bridge.store.rows import is_frozen, next_number, upserting
from bridge.store.writer import Tx

if TYPE_CHECKING:
    from bridge.policy import Source

_SET_META = upserting(s.meta, ("key", "value"), ("key",), value=lambda new: new.value)


_OPEN = (ChangeState.PROPOSED, ChangeState.APPROVED)


@dataclass(frozen=True, slots=True)
class Change:
    """A change as it stands. `due_at` is when it comes into force (milliseconds), 0 for no time set;
    `planned_by` and `planned_why` are who said so and why, `back` that it is a rollback to it. It is
    `overtaken` while it is open and another set is in force than it was compared with: then it cannot come
    into force."""

    number: int
    state: ChangeState
    proposal: Proposal
    approvals: tuple[Approval, ...] = ()
    due_at: int = 0
    planned_by: str = ""
    planned_why: str = ""
    back: bool = False
    overtaken: bool = False


@dataclass(frozen=True, slots=True)
class Orders:
    """What the store tells a daemon about the policy: whether everything is frozen, which change is in
    force (0: none), and which is due now (0: none)."""

    frozen: bool
    active: int
    due: int


# --- reading --------------------------------------------------------------------------------------------


def in_force(db: Connection) -> Hashes:
    """Name and hash of the files that decide, as last recorded."""
    value = db.execute(select(s.meta.c.value).where(s.meta.c.key == "policy")).scalar()
    return tuple((name, digest) for name, digest in orjson.loads(value)) if value else ()


def deciding(db: Connection) -> int:
    """The change whose set is what decides; 0 when that came from files that nobody approved, or nothing
    decides yet."""
    number = _active(db)
    return number if number and change(db, number).proposal.policies == in_force(db) else 0


def last_approved(db: Connection) -> Hashes:
    """The set that came into force by approval last, whatever decides now; none if none ever did."""
    number = _active(db)
    return change(db, number).proposal.policies if number else ()


def _active(db: Connection) -> int:
    return db.execute(select(s.changes.c.id).where(s.changes.c.state == ChangeState.ACTIVE)).scalar() or 0


def frozen_at(db: Connection) -> int:
    """Since when everything is stopped, in milliseconds; 0 when it is not."""
    if not is_frozen(db):
        return 0
    said = [one["at"] for one in _steps(db, ["house"]) if one["kind"] == "house:frozen"]
    return said[-1]


def orders(db: Connection, now: int) -> Orders:
    """What there is to do for a daemon at `now` (milliseconds). Of several that are due, the one last due."""
    c = s.changes.c
    due = select(c.id).where(c.due_at > 0, c.due_at <= now).order_by(c.due_at.desc(), c.id.desc())
    return Orders(is_frozen(db), _active(db), db.execute(due.limit(1)).scalar() or 0)


def change(db: Connection, number: int) -> Change:
    """A change by its number. Raises Conflict when there is none."""
    row = db.execute(select(s.changes).where(s.changes.c.id == number)).first()
    if row is None:
        raise Missing(f"there is no change {number}; see `weighbridge policy history`")
    steps = _steps(db, [f"change/{number}"])
    plans = [one for one in steps if one["kind"] == "policy:scheduled"]
    plan = plans[-1] if plans and row.due_at else {}
    proposal = _proposal(steps[0]["act"])
    return Change(
        number,
        ChangeState(row.state),
        proposal,
        tuple(_approval(one["act"]) for one in steps if one["kind"] == "policy:approved"),
        row.due_at,
        plan.get("act", {}).get("person", ""),
        plan.get("act", {}).get("reason", ""),
        bool(plan.get("facts", {}).get("back")),
        row.state in _OPEN and in_force(db) != proposal.base,
    )


def changes(db: Connection) -> list[Change]:
    """Every change, the newest first."""
    return [
        change(db, number) for number in db.scalars(select(s.changes.c.id).order_by(s.changes.c.id.desc()))
    ]


def overtaken(db: Connection) -> list[int]:
    """Numbers of the open changes that can no longer come into force, the oldest first."""
    c = s.changes.c
    numbers = db.scalars(select(c.id).where(c.state.in_(_OPEN)).order_by(c.id)).all()
    return [number for number in numbers if change(db, number).overtaken]


def history(db: Connection) -> list[dict[str, Any]]:
    """Everything that ever happened to the policy and every freeze, the oldest first: `at` (milliseconds),
    `kind`, `change` (0: none), `person`, `reason`, `entry`, and the whole `facts` and `act`."""
    return _steps(db, ["policy", "house"], "change/")


def _steps(db: Connection, subjects: Sequence[str], beginning: str = "") -> list[dict[str, Any]]:
    entry, c = s.ledger.c, s.content.c
    wanted = [entry.subject.in_(list(subjects))]
    if beginning:
        wanted.append(and_(entry.subject >= beginning, entry.subject < beginning + "\x7f"))
    query = (
        select(entry.lane, entry.seq, entry.entry, c.body)
        .join(s.content, and_(c.lane == entry.lane, c.seq == entry.seq), isouter=True)
        .where(or_(*wanted))
        .order_by(entry.lane, entry.seq)
    )
    return [_step(testimony(row.lane, row.seq, row.entry), row.body) for row in db.execute(query)]


def _step(entry: Entry, body: bytes | None) -> dict[str, Any]:
    act = orjson.loads(body) if body else {}
    return {
        "at": entry.at,
        "kind": entry.kind,
        "change": entry.facts.get("change", 0),
        "person": act.get("person", ""),
        "reason": act.get("reason", ""),
        "entry": entry.seq,
        "facts": dict(entry.facts),
        "act": act,
    }


def _proposal(act: dict[str, Any]) -> Proposal:
    from bridge.policy.changes import from_record  # not for commands that only list things

    known = {
        "policies": _hashes(act["policies"]),
        "base": _hashes(act["base"]),
        "differences": tuple(from_record(one) for one in act["differences"]),
        "warnings": tuple(act["warnings"]),
    }
    return Proposal(**{**act, **known})


def record(proposal: Proposal) -> dict[str, Any]:
    """A proposal as plain values: what the archive keeps of it."""
    return asdict(proposal) | {"differences": [one.record() for one in proposal.differences]}


def _hashes(value: Iterable[Sequence[str]]) -> Hashes:
    return tuple((name, digest) for name, digest in value)


def _approval(act: dict[str, Any]) -> Approval:
    return Approval(**{**act, "ticked": tuple(act["ticked"])})


# --- steps ----------------------------------------------------------------------------------------------


def propose(tx: Tx, lane: int, proposal: Proposal, sources: Sequence[Source]) -> int:
    """Write a proposal down, with the bytes of its files; gives its number.

    Raises Conflict when another set came into force since it was compared.
    """
    if in_force(tx.db) != proposal.base:
        raise Conflict("another set of policies came into force meanwhile; propose again")
    keep_sources(tx, lane, sources)
    number = next_number(tx, s.changes.c.id)
    facts = {"change": number, "policies": [digest for _, digest in proposal.policies]}
    entry = tx.append(lane, "policy:proposed", f"change/{number}", facts, dump(record(proposal)))
    row = {"id": number, "lane": lane, "entry": entry, "state": ChangeState.PROPOSED.value}
    tx.db.execute(insert(s.changes).values(**row))
    return number


def approve(tx: Tx, lane: int, number: int, approval: Approval, bar: Bar) -> list[str]:
    """One person's yes; gives what still lacks (nothing, once the change is approved).

    Raises Conflict when the change is not open, or was compared with what is no longer in force; NotAllowed
    when this person may not, or something was not ticked.
    """
    tx.flush()
    found = change(tx.db, number)
    step(found.state, "approve")
    _require_base(tx.db, found)
    allow(found.proposal, found.approvals, approval, bar)
    lacks = missing(found.proposal, [*found.approvals, approval], bar)
    facts = {"change": number, "enough": not lacks}
    tx.append(lane, "policy:approved", f"change/{number}", facts, dump(asdict(approval)))
    if not lacks:
        _take(tx, found, "approve")
    return lacks


def _require_base(db: Connection, found: Change) -> None:
    if in_force(db) != found.proposal.base:
        raise Conflict(
            f"what is in force is no longer what change {found.number} was compared with: propose it again"
        )


def end(tx: Tx, lane: int, number: int, person: str, reason: str, name: str) -> None:
    """Refuse a change that is not in force yet ("reject"), or take one's own back ("withdraw").

    Raises Conflict when the change is past that, NotAllowed when it is not this person's to do.
    """
    tx.flush()
    found = change(tx.db, number)
    allow_end(found.proposal, person, name)
    _take(tx, found, name)
    kind = "policy:rejected" if name == "reject" else "policy:withdrawn"
    _say(tx, lane, kind, number, {}, {"person": person, "reason": reason})


def schedule(tx: Tx, lane: int, number: int, person: str, reason: str, at: int, bar: Bar) -> None:
    """An approved change is to come into force at `at` (milliseconds; 0: now): a running daemon does it then,
    one that does not run when it starts.

    Raises Conflict when it is not approved by the bar that is set now.
    """
    tx.flush()
    found = change(tx.db, number)
    if found.state is not ChangeState.APPROVED:
        raise Conflict(f"change {number} is {found.state.value}: only an approved change can be activated")
    require(tx.db, found, bar)
    _plan(tx, lane, number, at or tx.now, {"person": person, "reason": reason}, back=False)


def require(db: Connection, found: Change, bar: Bar) -> None:
    """Raises Conflict when an approved change may not come into force: too few approvals by the bar that is
    set now, or another set in force than it was compared with. A way back needs neither."""
    if found.back:
        return
    if lacks := missing(found.proposal, found.approvals, bar):
        raise Conflict(f"change {found.number} still lacks {' and '.join(lacks)}")
    _require_base(db, found)


def way_back(db: Connection) -> int:
    """The change that a rollback leads to. Raises Conflict when there is none."""
    if not _active(db):
        raise Conflict("no approved change is in force: there is nothing to roll back")
    c = s.changes.c
    number = before(db, set(db.scalars(select(c.id).where(c.state == ChangeState.SUPERSEDED))))
    if number == 0:
        raise Conflict("no approved change was in force before this one: there is nothing to go back to")
    return number


def roll_back(tx: Tx, lane: int, way: Proposal, ticked: Sequence[str] = ()) -> int:
    """Back to the change that was in force before, at once; gives its number. `way` says who and why, from
    which set (`base`) to which (`policies`), and what that changes; the record keeps what it loosens.

    Raises Conflict when there is none or it is another one by now, NotAllowed when what it loosens is not
    `ticked`.
    """
    tx.flush()
    number = way_back(tx.db)
    if (in_force(tx.db), change(tx.db, number).proposal.policies) != (way.base, way.policies):
        raise Conflict("another set of policies came into force meanwhile: look again at what this loosens")
    allow_back(way, ticked)
    act = {
        "person": way.person,
        "reason": way.reason,
        "looser": [one.record() for one in way.looser.values()],
        "ticked": list(ticked),
    }
    _plan(tx, lane, number, tx.now, act, back=True)
    return number


def before(db: Connection, superseded: set[int]) -> int:
    """Of these changes, the one that was in force last; 0 if none was."""
    activated = [one["change"] for one in history(db) if one["kind"] == "policy:activated"]
    return next((number for number in reversed(activated) if number in superseded), 0)


def _plan(tx: Tx, lane: int, number: int, at: int, act: dict[str, Any], *, back: bool) -> None:
    _say(tx, lane, "policy:scheduled", number, {"at": at, "back": back}, act)
    tx.db.execute(update(s.changes).where(s.changes.c.id == number).values(due_at=at))


def activate(tx: Tx, lane: int, number: int, bar: Bar) -> None:
    """A change that is due comes into force, and the one before goes out of it.

    Raises Conflict when it is not due, or may not (`require`).
    """
    tx.flush()
    found = change(tx.db, number)
    if not 0 < found.due_at <= tx.now:
        raise Conflict(f"change {number} is not due")
    require(tx.db, found, bar)
    _replace_active(tx, lane, number, back=found.back)
    _take(tx, found, "activate")
    policies, person, reason = found.proposal.policies, found.planned_by, found.planned_why
    activate_policy(tx, lane, policies, person, reason, change=number)


def _replace_active(tx: Tx, lane: int, number: int, *, back: bool) -> None:
    c = s.changes.c
    for old in tx.db.scalars(select(c.id).where(c.state == ChangeState.ACTIVE)).all():
        kind, name = ("policy:rolled-back", "roll back") if back else ("policy:superseded", "supersede")
        _say(tx, lane, kind, old, {"by": number})
        state = step(ChangeState.ACTIVE, name).value
        tx.db.execute(update(s.changes).where(c.id == old).values(state=state, due_at=0))


def refuse(tx: Tx, lane: int, number: int, code: str) -> None:
    """A change that is due does not come into force, because of `code`; it stays as it was. Nothing happens
    to one that is due no more: somebody withdrew it meanwhile."""
    if tx.db.execute(select(s.changes.c.due_at).where(s.changes.c.id == number)).scalar() == 0:
        return
    _say(tx, lane, "policy:refused", number, {"code": code})
    tx.db.execute(update(s.changes).where(s.changes.c.id == number).values(due_at=0))


def refuse_files(tx: Tx, lane: int, code: str, count: int) -> None:
    """Files that were saved do not come into force: `count` things are wrong with them, of these codes."""
    tx.append(lane, "policy:refused", "policy", {"code": code, "count": count})


def _take(tx: Tx, found: Change, name: str) -> None:
    state = step(found.state, name).value
    tx.db.execute(update(s.changes).where(s.changes.c.id == found.number).values(state=state, due_at=0))


def _say(
    tx: Tx, lane: int, kind: str, number: int, facts: dict[str, Any], act: dict[str, Any] | None = None
) -> None:
    body = dump(act) if act else None
    tx.append(lane, kind, f"change/{number}", {"change": number, **facts}, body)


# --- the red button -------------------------------------------------------------------------------------


def freeze(tx: Tx, lane: int, person: str, reason: str) -> None:
    """Stop everything: nothing is claimed any more, and whatever comes is held. Raises Conflict when it is
    stopped already."""
    if is_frozen(tx.db):
        raise Conflict("the bridge is frozen already; see `weighbridge status`")
    entry = tx.append(lane, "house:frozen", "house", {}, dump({"person": person, "reason": reason}))
    _SET_META.one(tx.db, {"key": "frozen", "value": f"{lane}/{entry}"})


def unfreeze(tx: Tx, lane: int, person: str, reason: str) -> None:
    """Let things go on: what was permitted goes out, what was held waits for its reviewer. Raises Conflict
    when nothing is stopped."""
    if not is_frozen(tx.db):
        raise Conflict("the bridge is not frozen")
    tx.append(lane, "house:unfrozen", "house", {}, dump({"person": person, "reason": reason}))
    _SET_META.one(tx.db, {"key": "frozen", "value": ""})
    tx.db.execute(update(s.chats).values(due_at=tx.now))
