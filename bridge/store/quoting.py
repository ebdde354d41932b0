"""The words that stand above an answer, an edit or a recall: what arrived of the message that it names.

Rules of this file: columns only find. What is quoted arrived, as the ledger has it, by a permit whose seal
fits, and its words are opened where that seal says they stand: whoever changes rows puts nobody else's words
there, and what a person kept from a reader no edit of it brings him. What is quoted is chosen once, at the
first try, from what has arrived by then: each later try has the same above it, and the entry of what came of
it says by its permit which that was. No clock is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, select

from bridge.errors import Damaged
from bridge.ledger.entry import Entry
from bridge.message import SYMPHONY
from bridge.store import schema as s
from bridge.store.codec import message_from, verdict_text
from bridge.store.permits import BESIDE, SPENT, WENT, objection, story
from bridge.store.rows import MESSAGE_CONTENT, VERDICT_CONTENT, is_open
from bridge.store.vault import vault_of
from bridge.words import shortened

Place = tuple[str, str, str]
"""A network, the id of a message there, and the conversation that it is in."""


class Quoted(NamedTuple):
    """What stands above a message: the permit by which it arrived, and its words; "" for nothing."""

    permit: str = ""
    text: str = ""


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
)
"""The permits for a message, the last one first, with what each lets out."""

_OPEN = select(_d.id).join(s.messages, _m.id == _d.message)
_OPEN = _OPEN.where(is_open(s.deliveries))  # type: ignore[arg-type]


def quoted(db: Connection, network: str, named: str, conversation: str, chosen: str | None = None) -> Quoted:
    """What a reader knows of the message that `named` is the id of in a conversation of `network`: one that
    was written there, or that we delivered there; as it stands above what is about it on the other network.

    Of several permits the last one that arrived; with `chosen` that one and no other, also if its network
    said since that it was lost: the first try stood below it. Nothing where it is not of that message.

    Raises Damaged when what the tables lead to is not what was permitted, or is another message.
    """
    if not named or chosen == "":
        return Quoted()
    place = network, named, conversation
    written = db.execute(_PASSED.where(*_written(*place))).all()
    rows = written or db.execute(_PASSED.where(*_ours(*place))).all()
    is_it = _is_written if written else _is_ours
    for row in rows:
        if chosen in (None, row.permit) and _has_arrived(db, row, is_it, place, lost=chosen is not None):
            text = verdict_text(row.verdict_body, message_from(row.body, b"").text)
            return Quoted(row.permit, shortened(text) if network == SYMPHONY else text)
    return Quoted()


def under_way(db: Connection, network: str, named: str, conversation: str) -> list[int]:
    """The deliveries that are not finished of the message that was written there under the id `named`: until
    they are, nobody knows whether it can be quoted."""
    return list(db.execute(_OPEN.where(*_written(network, named, conversation))).scalars()) if named else []


def _written(network: str, named: str, conversation: str) -> tuple[Any, ...]:
    return _m.network == network, _m.source_id == named, _m.conversation == conversation


def _ours(network: str, named: str, conversation: str) -> tuple[Any, ...]:
    permits = select(_r.permit).where(_r.network == network, _r.id == named)
    return _d.permit.in_(permits), _d.network == network, _d.conversation == conversation


def _has_arrived(
    db: Connection, row: Any, is_it: Callable[[Connection, Any, Place], bool], place: Place, *, lost: bool
) -> bool:
    """Whether a network has taken this permit, or a part of it; with `lost`, also if it said since that the
    reader never got it. Of what it never took, nothing is quoted, and nothing else is asked."""
    try:
        told = story(db, row)
        if not any(entry.kind in WENT or _ids(entry) for entry in told):
            return False
        sound = objection(db, vault_of(db), row) in ("", SPENT) and is_it(db, row, place)
    except (ValueError, LookupError, TypeError):
        sound = False
    if not sound:
        raise Damaged(f"what delivery {row.permit} is of is not what was permitted; run `audit verify`")
    return lost or not any(entry.kind == "delivery:failed" for entry in told)


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
