"""Holds that nobody decided in time: they escalate, once, or are blocked. Never a release.

Rules of this file: what the policy's verdict said (`if_late`) happens, in one transaction, with an entry.
"""

from __future__ import annotations

from sqlalchemy import Connection, and_, bindparam, literal_column, select, update

from bridge import words
from bridge.flow import MessageState
from bridge.message import SYMPHONY
from bridge.ports import DIRECT, Late
from bridge.store import schema as s
from bridge.store.codec import message_from, verdict_from
from bridge.store.judging import Rulings, tell_sender
from bridge.store.prepared import Prepared
from bridge.store.rows import MESSAGE_CONTENT, VERDICT_CONTENT, close_review, set_message, states_in
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


def settle_late(tx: Tx, lane: int, epoch: int) -> list[Late]:
    """Do what is to be done about holds whose time is over; gives what was done."""
    tx.fence(lane, epoch)
    r, m, v = s.reviews.c, s.messages.c, s.verdicts.c
    query = (
        select(r.message, r.queue, r.if_late, MESSAGE_CONTENT.c.body, VERDICT_CONTENT.c.body.label("verdict"))
        .join(s.messages, m.id == r.message)
        .join(s.verdicts, v.id == r.verdict)
        .join(MESSAGE_CONTENT, and_(MESSAGE_CONTENT.c.lane == m.lane, MESSAGE_CONTENT.c.seq == m.entry))
        .join(VERDICT_CONTENT, and_(VERDICT_CONTENT.c.lane == m.lane, VERDICT_CONTENT.c.seq == v.entry))
        .where(*_OVERDUE, m.lane == lane)
        .order_by(r.message)
        .limit(MANY)
    )
    work = Rulings(tx, lane)
    done = [_settle(work, row) for row in tx.db.execute(query, {"b_now": tx.now}).all()]
    work.write()
    return done


def _settle(work: Rulings, row: object) -> Late:
    blocks = row.if_late == "block"
    if blocks:
        _expire(work, row.message)
    else:
        _escalate(work, row)
    return Late(row.message, row.queue, expired=blocks)


def _expire(work: Rulings, number: int) -> None:
    entry = work.tx.append(work.lane, "hold:expired", f"message/{number}", {"message": number})
    close_review(work.tx, number, "expired", entry)
    set_message(work.tx, number, MessageState.HELD, "expire")
    tell_sender(work, number, "expired")


def _escalate(work: Rulings, row: object) -> None:
    """Say once that somebody has to look now: to whoever the rules that hold it name."""
    number = row.message
    work.tx.append(work.lane, "hold:escalated", f"message/{number}", {"message": number})
    late = update(s.reviews).where(s.reviews.c.message == number).values(late_at=work.tx.now)
    work.tx.db.execute(late)
    verdict = verdict_from(row.verdict, message_from(row.body, b"").text)
    text = words.staff("late", work.language(SYMPHONY), number, queue=row.queue)
    for address in verdict.notify:
        work.notice(number, SYMPHONY, DIRECT + address, text)
