"""Holds that nobody decided in time: they escalate, once, or are blocked. Never a release.

Rules of this file: what the policy's verdict said (`if_late`) happens, in one transaction, with an entry.
Nobody's words are opened for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, bindparam, literal_column, select, update

from bridge import words
from bridge.flow import MessageState
from bridge.message import SYMPHONY
from bridge.ports import DIRECT, Late, Unreadable, ignore_unreadable
from bridge.store import schema as s
from bridge.store.codec import verdict_from
from bridge.store.judging import Rulings, tell_sender
from bridge.store.prepared import Prepared
from bridge.store.rows import UNREADABLE, VERDICT_CONTENT, close_review, set_message, states_in
from bridge.store.vault import if_whole
from bridge.store.writer import Tx

MANY = 100
"""Holds that one transaction looks after."""

_OVERDUE = (
    states_in(s.reviews.c.state, "open"),
    s.reviews.c.late_at == literal_column("0"),
    s.reviews.c.due_at > literal_column("0"),
    s.reviews.c.due_at <= bindparam("b_now"),
)
_ANY_OVERDUE = Prepared(select(s.reviews.c.message).where(*_OVERDUE).limit(literal_column("1")))


def anything_late(db: Connection, now: int) -> bool:
    """Whether a hold is overdue: a cheap look that writes nothing."""
    return _ANY_OVERDUE.value(db, {"b_now": now}) is not None


def settle_late(tx: Tx, lane: int, epoch: int, unreadable: Unreadable = ignore_unreadable) -> list[Late]:
    """Do what is to be done about holds whose time is over; gives what was done. Whom to call is in the
    verdict: an escalation waits until it opens, and `unreadable` is told the number of its message."""
    tx.fence(lane, epoch)
    work, many = Rulings(tx, lane), MANY
    while True:
        rows = _overdue(tx, lane, many)
        done = [late for row in rows if (late := _settle(work, row, unreadable))]
        if done or len(rows) < many:
            work.write()
            return done
        many *= 2  # so many that do not open stand before the next one that does


def _overdue(tx: Tx, lane: int, many: int) -> Sequence[object]:
    r, m, v = s.reviews.c, s.messages.c, s.verdicts.c
    query = (
        select(r.message, r.queue, r.if_late, if_whole(VERDICT_CONTENT.c.body).label("verdict"))
        .join(s.messages, m.id == r.message)
        .join(s.verdicts, v.id == r.verdict)
        .join(VERDICT_CONTENT, and_(VERDICT_CONTENT.c.lane == m.lane, VERDICT_CONTENT.c.seq == v.entry))
        .where(*_OVERDUE, m.lane == lane)
        .order_by(r.message)
        .limit(many)
    )
    return tx.db.execute(query, {"b_now": tx.now}).all()


def _settle(work: Rulings, row: object, unreadable: Unreadable) -> Late | None:
    blocks = row.if_late == "block"
    if blocks:
        _expire(work, row.message)
    else:
        try:
            addresses = verdict_from(row.verdict, "").notify
        except UNREADABLE:
            unreadable(row.message)
            return None
        _escalate(work, row, addresses)
    return Late(row.message, row.queue, expired=blocks)


def _expire(work: Rulings, number: int) -> None:
    entry = work.tx.append(work.lane, "hold:expired", f"message/{number}", {"message": number})
    close_review(work.tx, number, "expired", entry)
    set_message(work.tx, number, MessageState.HELD, "expire")
    tell_sender(work, number, "expired")


def _escalate(work: Rulings, row: object, addresses: Sequence[str]) -> None:
    """Say once that somebody has to look now: to whoever the rules that hold it name."""
    number = row.message
    work.tx.append(work.lane, "hold:escalated", f"message/{number}", {"message": number})
    late = update(s.reviews).where(s.reviews.c.message == number).values(late_at=work.tx.now)
    work.tx.db.execute(late)
    text = words.staff("late", work.language(SYMPHONY), number, queue=row.queue)
    for address in addresses:
        work.notice(number, SYMPHONY, DIRECT + address, text)
