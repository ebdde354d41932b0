"""The words that stand above an answer, an edit or a recall: what passed here of the message that it names.

Rules of this file: columns only find. What is quoted went out, or may go out, by a permit whose seal fits,
and its words are opened where that seal says they stand: whoever changes rows puts nobody else's words there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, and_, select

from bridge.errors import Damaged
from bridge.ledger.entry import Entry
from bridge.store import schema as s
from bridge.store.codec import message_from, verdict_text
from bridge.store.permits import BESIDE, SPENT, objection, story
from bridge.store.rows import MESSAGE_CONTENT, VERDICT_CONTENT
from bridge.store.vault import vault_of

Place = tuple[str, str, str]
"""A network, the id of a message there, and the conversation that it is in."""

_m, _d, _r, _v = s.messages.c, s.deliveries.c, s.receipts.c, s.verdicts.c
_PASSED = (
    select(
        s.deliveries,
        _m.notice_for,
        *BESIDE,
        MESSAGE_CONTENT.c.body,
        VERDICT_CONTENT.c.body.label("verdict_body"),
    )
    .join(s.messages, _m.id == _d.message)
    .join(s.verdicts, _v.id == _d.verdict)
    .join(MESSAGE_CONTENT, and_(MESSAGE_CONTENT.c.lane == _m.lane, MESSAGE_CONTENT.c.seq == _m.entry))
    .join(VERDICT_CONTENT, and_(VERDICT_CONTENT.c.lane == _m.lane, VERDICT_CONTENT.c.seq == _v.entry))
    .order_by(_d.id.desc())
    .limit(1)
)
"""The last permit for a message, with what it lets out."""


def quoted_text(db: Connection, network: str, named: str, conversation: str) -> str:
    """What a reader knows of the message that `named` is the id of in a conversation of `network`: one that
    was written there, or that we delivered there. "" for none, and when nothing of it was allowed out.

    Raises Damaged when what the tables lead to is not what was permitted, or is another message.
    """
    if not named:
        return ""
    written = (_m.network == network, _m.source_id == named, _m.conversation == conversation)
    row = db.execute(_PASSED.where(*written)).first()
    if row is not None:
        return _text(db, row, _is_written, (network, named, conversation))
    ours = select(_r.permit).where(_r.network == network, _r.id == named)
    there = (_d.network == network, _d.conversation == conversation)
    row = db.execute(_PASSED.where(_d.permit.in_(ours), *there)).first()
    return "" if row is None else _text(db, row, _is_ours, (network, named, conversation))


def _text(db: Connection, row: Any, is_it: Callable[[Connection, Any, Place], bool], place: Place) -> str:
    try:
        sound = objection(db, vault_of(db), row) in ("", SPENT) and is_it(db, row, place)
    except (ValueError, LookupError, TypeError):
        sound = False
    if not sound:
        raise Damaged(f"what delivery {row.permit} is of is not what was permitted; run `audit verify`")
    return verdict_text(row.verdict_body, message_from(row.body, b"").text)


def _is_written(_: Connection, row: Any, place: Place) -> bool:
    """Whether what was archived has this id, and was said in this conversation."""
    message = message_from(row.body, b"")
    return (message.network, message.id, message.conversation) == place


def _is_ours(db: Connection, row: Any, place: Place) -> bool:
    """Whether the network gave a delivery this id. (The ledger takes no id that is not ASCII.)"""
    named = place[1]
    return not named.isascii() or any(named in _ids(entry) for entry in story(db, row))


def _ids(entry: Entry) -> list[str]:
    ids: list[str] = entry.facts.get("ids", [])  # type: ignore[assignment]
    return ids
