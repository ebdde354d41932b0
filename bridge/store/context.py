"""What the store knows around a message when it is judged: what its sender said, agreed to and was told.

Rules of this file: reads only. Policies that look at one message alone cost nothing here (`reach` of
(0, 0), and no consent or annotation on record). What was read is written down with the verdict
(`codec.Known`), by reference where the archive has it already; `recorded_context` reads it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from sqlalchemy import and_, bindparam, literal_column, not_, select

from bridge.message import SYMPHONY, WEIXIN, Context, Earlier, Message, Route
from bridge.ports import NO_REACH
from bridge.store import schema as s
from bridge.store.codec import Known, message_from
from bridge.store.directory import Directory
from bridge.store.prepared import Prepared
from bridge.store.rows import blobs_of, inspections_of, states_in

MOST = 200
"""Earlier messages that are ever looked at: what a rule counts within a time stays bounded."""

CLOCKS_APART = 60_000
"""How much (milliseconds) a network's clock may be ahead of ours for its messages to be counted rightly."""

_SAID_BEFORE = Prepared(
    select(s.messages.c.id, s.messages.c.archived_at, s.content.c.body)
    .join(s.content, and_(s.content.c.lane == s.messages.c.lane, s.content.c.seq == s.messages.c.entry))
    .where(
        s.messages.c.conversation == bindparam("b_conversation"),
        s.messages.c.id < bindparam("b_id"),
        s.messages.c.network == bindparam("b_network"),
        s.messages.c.sender == bindparam("b_sender"),
        not_(states_in(s.messages.c.kind, "note", "failed", "recall")),
    )
    .order_by(s.messages.c.id.desc())
    .limit(bindparam("b_limit"))
)


def earlier(db: object, number: int, message: Message, reach: tuple[int, int]) -> tuple[Earlier, ...]:
    """What the sender of message `number` wrote before it in the same conversation, the newest last: the
    last `reach[0]` messages, and those sent in the `reach[1]` milliseconds before it."""
    count, span = reach
    if reach == NO_REACH or not message.sender:
        return ()
    since = message.sent_at - span
    look = {"b_conversation": message.conversation, "b_id": number, "b_network": message.network}
    rows = _SAID_BEFORE.one(db, look | {"b_sender": message.sender, "b_limit": MOST if span else count})
    found: list[Earlier] = []
    for row in rows:
        # What was sent since then cannot have been archived before then.
        if len(found) >= count and (not span or row.archived_at < since - CLOCKS_APART):
            break
        one = message_from(row.body, b"")
        if len(found) < count or one.sent_at >= since:
            found.append(Earlier(row.id, one.sent_at, one.text))
    rows.close()
    return tuple(reversed(found))


def client_of(message: Message, route: Route | None) -> str:
    """The contact whose consent the two people of `route` need; "" when there is no client."""
    if route is None:
        return ""
    return message.conversation if message.network == WEIXIN else route.conversation


class Memory:
    """What was agreed to and said so far, read once for a batch of messages."""

    def __init__(self, db: object) -> None:
        self._any_consent = _ANY_CONSENT.value(db, {}) is not None
        self._any_said = _ANY_SAID.value(db, {}) is not None
        self._consent = cache(lambda contact: _consent(db, contact))
        self._said = cache(lambda network, conversation: _said(db, network, conversation))

    def consent(self, message: Message, route: Route | None) -> Mapping[str, int]:
        """When the client of `route` agreed to which gate."""
        contact = client_of(message, route) if self._any_consent else ""
        return self._consent(contact) if contact else {}

    def said(self, route: Route | None) -> Mapping[str, int]:
        """When which annotation was last shown where `route` leads."""
        if route is None or not self._any_said:
            return {}
        return self._said(route.network, route.conversation)


_ANY_CONSENT = Prepared(select(s.consents.c.lane).limit(literal_column("1")))
_ANY_SAID = Prepared(select(s.said.c.at).limit(literal_column("1")))
_CONSENT = Prepared(
    select(s.consents.c.gate, s.consents.c.given_at).where(
        s.consents.c.contact == bindparam("b_contact"), s.consents.c.given_at > literal_column("0")
    )
)
_SAID = Prepared(
    select(s.said.c.key, s.said.c.at).where(
        s.said.c.network == bindparam("b_network"), s.said.c.conversation == bindparam("b_conversation")
    )
)

STAFF = "to "
"""How keys of `said` begin that name what staff were told, and no annotation."""


def _consent(db: object, contact: str) -> dict[str, int]:
    return {row.gate: row.given_at for row in _CONSENT.one(db, {"b_contact": contact})}


def _said(db: object, network: str, conversation: str) -> dict[str, int]:
    rows = _SAID.one(db, {"b_network": network, "b_conversation": conversation})
    return {row.key: row.at for row in rows if not row.key.startswith(STAFF)}


# --- read back ------------------------------------------------------------------------------------------


def recorded_context(
    db: object, directory: Directory, number: int, message: Message, known: Known
) -> Context:
    """The context that message `number` was judged in, from what its verdict recorded.

    Raises LookupError when what it names is not in the archive (any more).
    """
    route = directory.route(known.pair, message.network)
    if known.pair is not None and route is None:
        raise LookupError(f"pair {known.pair} is not in the store")
    _, missing = blobs_of(db, number, message) if message.files else ((), ())
    return Context(
        direction="to_weixin" if message.network == SYMPHONY else "to_symphony",
        route=route,
        missing=missing,
        inspections=inspections_of(db, number) if message.files else (),
        earlier=_recorded_earlier(db, known.earlier),
        consent=known.consent,
        said=known.said,
    )


def _recorded_earlier(db: object, numbers: tuple[int, ...]) -> tuple[Earlier, ...]:
    if not numbers:
        return ()
    m, c = s.messages.c, s.content.c
    query = select(m.id, c.body).join(s.content, and_(c.lane == m.lane, c.seq == m.entry))
    rows = {row.id: message_from(row.body, b"") for row in db.execute(query.where(m.id.in_(numbers)))}
    if gone := sorted(set(numbers) - set(rows)):
        raise LookupError(f"message {gone[0]} is not in the store")
    return tuple(Earlier(number, rows[number].sent_at, rows[number].text) for number in numbers)
