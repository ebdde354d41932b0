"""How archives outside are to lock copies: until when a record lives, and whether it is under a legal hold.

Rules of this file: reads what `terms` and `holds` say, and compares it with what each archive was last told.
A record whose end is not known, or that nobody classed, is held: no lock may end before the record may go.
So is one of which the entries cannot be read. Notices share the fate of the message that they are about, and
edits, recalls and what they are about share one: what keeps one keeps all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, and_, func, or_, select, update

from bridge.errors import Damaged
from bridge.ledger.entry import recall
from bridge.store import schema as s
from bridge.store.codec import dump
from bridge.store.copies import KEPT, C, Due
from bridge.store.holds import covered, standing_holds
from bridge.store.terms import joined
from bridge.store.writer import Tx

PAGE = 200
"""Messages that are looked at together."""


class Wanted(NamedTuple):
    """How copies of a message are to be locked: until when (milliseconds; None: no end is known), and whether
    they are under a legal hold."""

    message: int
    until: int | None
    held: bool


class Change(NamedTuple):
    """What an archive is to be told about one copy: `until` (0: nothing), `held` (None: nothing)."""

    copy: Due
    objects: tuple[str, ...]
    until: int
    held: bool | None


class Page(NamedTuple):
    """Changes of a page of copies, the last message of it, and whether there is another."""

    changes: list[Change]
    last: int
    more: bool


def wanted(db: Connection, numbers: Sequence[int]) -> list[Wanted]:
    """How copies of these messages are to be locked, in this order."""
    try:
        return _wanted(db, numbers)
    except Damaged:
        if len(numbers) == 1:
            return [Wanted(numbers[0], None, True)]
        return [found for one in numbers for found in wanted(db, [one])]


def _wanted(db: Connection, numbers: Sequence[int]) -> list[Wanted]:
    bound, t = joined(db, numbers), s.terms.c
    family = {root: them for fate in bound.values() for root, them in fate.items()}
    terms = select(t.message, t.until).where(t.message.in_(list(family)))
    until: dict[int, int | None] = {row.message: row.until for row in db.execute(terms)}
    over = covered(db, family, standing_holds(db))
    return [
        Wanted(one, _last([until.get(root) for root in bound[one]]), not over.keys().isdisjoint(bound[one]))
        for one in numbers
    ]


def _last(ends: Sequence[int | None]) -> int | None:
    """The latest of these ends; None is later than all."""
    known = [one for one in ends if one is not None]
    return max(known) if len(known) == len(ends) else None


def changes(db: Connection, key: str, after: int) -> Page:
    """What archive `key` is to be told about copies of messages after `after`, a page of them."""
    which = (C.destination == key, C.state == KEPT, C.message > after)
    chosen = select(C.message).where(*which).distinct().order_by(C.message).limit(PAGE)
    numbers = list(db.scalars(chosen))
    if not numbers:
        return Page([], after, False)
    return Page(changes_of(db, key, numbers), numbers[-1], len(numbers) == PAGE)


def behind(db: Connection, key: str) -> int:
    """How many copies archive `key` has that are not locked or held as they have to be by now; looks through
    all of them."""
    page, count = changes(db, key, 0), 0
    while page.changes or page.more:
        count += len(page.changes)
        page = changes(db, key, page.last)
    return count


def changes_of(db: Connection, key: str, numbers: Sequence[int]) -> list[Change]:
    """What archive `key` is to be told about copies of these messages that it has."""
    due = {one.message: one for one in wanted(db, numbers)}
    columns = (*(C[name] for name in Due._fields), C.held, C.until, C.entry)
    rows = db.execute(select(*columns).where(C.destination == key, C.state == KEPT, C.message.in_(numbers)))
    return [
        Change(Due(*row[: len(Due._fields)]), _objects(db, row.lane, row.entry), until, held)
        for row in rows
        for until, held in [_differs(due[row.message], row.until, bool(row.held))]
        if until or held is not None
    ]


def changes_about(db: Connection, key: str, numbers: Sequence[int]) -> list[Change]:
    """The same for these and all that shares their fate: an edit makes its original live longer."""
    try:
        fates = joined(db, numbers).values()
    except Damaged:
        return changes_of(db, key, numbers)  # each for itself
    return changes_of(db, key, sorted({one for fate in fates for them in fate.values() for one in them}))


def _differs(due: Wanted, until: int, held: bool) -> tuple[int, bool | None]:
    longer = due.until if due.until is not None and due.until > until else 0
    hold = due.held or due.until is None
    return longer, None if hold == held else hold


def _objects(db: Connection, lane: int, entry: int) -> tuple[str, ...]:
    c = s.content.c
    body = db.execute(select(c.body).where(c.lane == lane, c.seq == entry)).scalar()
    return tuple(orjson.loads(body)["objects"]) if body else ()


def objects_of(db: Connection, key: str, message: int, revision: int) -> tuple[str, ...]:
    """The names of all that an archive has of a copy."""
    where = and_(C.destination == key, C.message == message, C.revision == revision)
    row = db.execute(select(C.lane, C.entry).where(where, C.state == KEPT)).first()
    return _objects(db, row.lane, row.entry) if row else ()


def told(tx: Tx, key: str, change: Change) -> None:
    """An archive was told, and did it."""
    values: dict[str, object] = {"until": change.until} if change.until else {}
    values |= {} if change.held is None else {"held": int(change.held)}
    copy = change.copy
    where = and_(C.destination == key, C.message == copy.message, C.revision == copy.revision)
    tx.db.execute(update(s.copies).where(where).values(**values))


def mark(db: Connection) -> str:
    """Something else whenever holds, orders about terms, classes that people gave, or the policies in force
    have changed."""
    h, le, meta = s.holds.c, s.ledger.c, s.meta.c
    holds = [tuple(row) for row in db.execute(select(h.name, h.entry, h.state).order_by(h.name))]
    given = and_(le.subject >= "assignment/", le.subject < "assignment0")
    orders = db.execute(select(func.count(), func.max(le.seq)).where(or_(le.subject == "retention", given)))
    policy = db.execute(select(meta.value).where(meta.key == "policy")).scalar()
    return hashlib.sha256(repr((holds, tuple(orders.one()), policy)).encode()).hexdigest()


# --- rehearsals -----------------------------------------------------------------------------------------


def cleared(db: Connection, key: str) -> bool:
    """Whether a person let archive `key` lock so that nobody can unlock."""
    return "archive:cleared" in _acts(db, key)


def rehearsed(db: Connection, key: str) -> bool:
    """Whether archive `key` was shown to refuse deletion."""
    return "archive:rehearsed" in _acts(db, key)


def rehearse(tx: Tx, key: str, mode: str, person: str, reason: str, *, cleared: bool) -> None:
    """Archive `key` was shown to refuse deletion; with `cleared`, it may lock for good from now on."""
    facts = {"destination": key, "mode": mode or "none"}
    body = dump({"person": person, "reason": reason})
    tx.append(0, "archive:rehearsed", f"archive/{key}", {**facts, "mode": "governance"}, body)
    if cleared:
        tx.append(0, "archive:cleared", f"archive/{key}", facts, body)


def _acts(db: Connection, key: str) -> set[str]:
    le = s.ledger.c
    rows = db.scalars(select(le.entry).where(le.subject == f"archive/{key}"))
    return {recall(bytes(data)).kind for data in rows}
