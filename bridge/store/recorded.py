"""Verdicts as they were recorded, each with what it rested on: for whoever decides again.

Rules of this file: it reads in chunks, so that memory does not grow with the history. What cannot be read or
decided again is given all the same, with the reason: nothing is left out in silence. Only `record_look`
writes: who was shown people's words, and why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select

from bridge.errors import StoreError
from bridge.message import Cause
from bridge.replay import Judgement, Unreadable
from bridge.store import schema as s
from bridge.store.codec import dump, known_from, message_from, verdict_from
from bridge.store.context import recorded_context
from bridge.store.directory import Directory
from bridge.store.rows import MESSAGE_CONTENT, VERDICT_CONTENT
from bridge.store.vault import if_whole
from bridge.store.writer import Tx

CHUNK = 500
"""Verdicts that are in memory together."""

BY_PERSON = "a person decided"
OURS = "the bridge's own words"
NO_POLICY = "no policy was asked"
DISPOSED = "disposed of when its term was over"
NOT_RECORDED = "what it rested on was not recorded"

DAMAGE = (StoreError, ValueError, TypeError, AttributeError, KeyError, IndexError)
"""What reading raises when stored bytes are no longer what this program wrote."""


def count(db: Connection, *, since: int = 0, number: int = 0) -> int:
    """How many verdicts `judgements` will give."""
    return db.execute(_chosen(select(func.count()), since, number)).scalar_one()


def judgements(db: Connection, *, since: int = 0, number: int = 0) -> Iterator[Judgement | Unreadable]:
    """Every verdict recorded at `since` (milliseconds) or later, in order; those on message `number` alone
    if one is named."""
    directory = Directory()
    directory.refresh(db)
    v, m = s.verdicts.c, s.messages.c
    columns = select(
        *(v.id, v.message, v.cause, m.notice_for),
        s.disposed.c.disposal,
        if_whole(MESSAGE_CONTENT.c.body).label("body"),
        if_whole(VERDICT_CONTENT.c.body).label("verdict_body"),
    )
    query = _chosen(columns, since, number).order_by(v.id).limit(CHUNK)
    after = 0
    while rows := db.execute(query.where(v.id > after)).all():
        yield from (_judgement(db, directory, row) for row in rows)
        after = rows[-1].id


def _chosen(query: Select[Any], since: int, number: int) -> Select[Any]:
    v, m = s.verdicts.c, s.messages.c
    chosen = (
        query.select_from(s.verdicts)
        .join(s.messages, m.id == v.message)
        .outerjoin(s.disposed, s.disposed.c.message == m.id)
        .outerjoin(MESSAGE_CONTENT, and_(MESSAGE_CONTENT.c.lane == m.lane, MESSAGE_CONTENT.c.seq == m.entry))
        .outerjoin(VERDICT_CONTENT, and_(VERDICT_CONTENT.c.lane == m.lane, VERDICT_CONTENT.c.seq == v.entry))
    )
    return chosen.where(*([v.at >= since] if since else []), *([v.message == number] if number else []))


def _judgement(db: Connection, directory: Directory, row: Any) -> Judgement | Unreadable:
    if row.disposal is not None and row.body is None:
        return Unreadable(row.id, row.message, DISPOSED)
    try:
        return _read(db, directory, row)
    except DAMAGE:
        return Unreadable(row.id, row.message)


def _read(db: Connection, directory: Directory, row: Any) -> Judgement:
    message = message_from(row.body, b"")
    verdict = verdict_from(row.verdict_body, message.text)
    known = known_from(row.verdict_body)
    if known is not None and not isinstance(known.now, int):
        raise TypeError("the judge's clock is no number")
    frozen = row.cause == Cause.PERSON and known is not None
    if skip := "" if frozen else _skip(row, verdict.policies):
        return Judgement(row.id, row.message, message, verdict, skip=skip)
    if known is None:
        return Judgement(row.id, row.message, message, verdict, gone=NOT_RECORDED)
    try:
        context = recorded_context(db, directory, row.message, message, known)
    except (KeyError, IndexError):
        raise
    except LookupError as error:
        return Judgement(row.id, row.message, message, verdict, known.now, gone=str(error.args[0]))
    return Judgement(row.id, row.message, message, verdict, known.now, context, frozen=frozen)


def _skip(row: Any, policies: tuple[tuple[str, str], ...]) -> str:
    """Why this is no policy's verdict; "" if it is one."""
    if row.cause == Cause.PERSON:
        return BY_PERSON
    if row.notice_for is not None:
        return OURS
    return "" if policies else NO_POLICY


def record_look(tx: Tx, lane: int, person: str, reason: str, wanted: Mapping[str, int]) -> None:
    """Write down who is about to be shown the words of which verdicts (as in `judgements`), and why."""
    body = dump({"person": person, "reason": reason})
    tx.append(lane, "audit:replayed", "audit", dict(wanted), body)
