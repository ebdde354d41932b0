"""Everything recorded about one message, opened: what a copy outside is made of.

Rules of this file: reads only. A record has the entries before a given number, so that it says the same
whenever it is read; entries about copies themselves are left out. What does not open is no record: Damaged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from sqlalchemy import Connection, and_, select

from bridge.errors import Damaged
from bridge.message import Kind
from bridge.ports import DIRECT
from bridge.records.copies import NOWHERE, RECALLS, REPLACES, SPEAKS_OF, Enclosed, Fact, Record
from bridge.records.transcript import Party
from bridge.search.document import Person
from bridge.store import schema as s
from bridge.store.documents import Reading, Stored
from bridge.store.proving import testimony
from bridge.store.rows import find_message
from bridge.store.talks import Naming, Talk, talk_of

NOT_OF_IT = ("copy:",)
"""Kinds of entries about a message that say nothing about it, but about its copies."""

UNNAMED = Naming(NOWHERE)
"""Where nobody says under which domain people without an address get one."""


def whole(db: Connection, number: int, revision: int, upto: int, naming: Naming = UNNAMED) -> Record:
    """The record of message `number`, of the entries before `upto`, with people and region as `naming` has
    them. Raises Damaged when any of it is gone, or does not open."""
    found = Reading(db).documents([number])
    if not found or not found[0].opens():
        raise Damaged(f"message {number} does not open; run `audit verify`")
    document = found[0]
    installation = db.execute(select(s.meta.c.value).where(s.meta.c.key == "installation")).scalar_one()
    talk = _talk(db, document, naming)
    sender = _sender(document, talk, naming)
    readers = tuple(one for one in _readers(document, talk, naming) if one != sender)
    return Record(
        installation,
        number,
        revision,
        document.value,
        _raw(db, document),
        sender,
        readers,
        _facts(db, document, revision, upto),
        tuple(_files(document)),
        talk.key,
        talk.title,
        talk.origin,
        _earlier(db, document),
    )


def _talk(db: Connection, document: Stored, naming: Naming) -> Talk:
    """The conversation of a message; a notice's is that of the message it is about."""
    m = s.messages.c
    named = document.notice_for
    row = (
        db.execute(select(m.pair, m.network, m.conversation).where(m.id == named)).first() if named else None
    )
    return talk_of(db, naming, *(row or (document.pair, document.network, document.conversation)))


def _sender(document: Stored, talk: Talk, naming: Naming) -> Party:
    if document.notice_for is not None:
        return naming.ours(document.network)
    person = document.sender
    return talk.by_id.get((person.network, person.id)) or naming.party(person)


def _readers(document: Stored, talk: Talk, naming: Naming) -> tuple[Party, ...]:
    """Whom it is for: whoever was in the conversation by then. A notice is for those of its own network, or
    for the one person to whom it is said; what a network tells the bridge is for nobody."""
    if document.kind in (Kind.NOTE, Kind.FAILED):
        return ()
    there, network, far = talk.present(document.at), document.network, document.reader
    if document.notice_for is None:
        return there or ((naming.party(far),) if far else ())
    if document.conversation.startswith(DIRECT):
        address = document.conversation.removeprefix(DIRECT)
        known = (one for one in there if one.network == network and one.address == address)
        return (next(known, naming.party(Person(network, address, address=address))),)
    return tuple(one for one in there if one.network == network)


def _earlier(db: Connection, document: Stored) -> tuple[str, int]:
    """The earlier message that this one replaces, takes back or speaks of, by number; 0 when it has none that
    came before it."""
    if document.notice_for is not None:
        return SPEAKS_OF, document.notice_for
    value = document.value
    relation = REPLACES if value.get("replaces") else RECALLS if document.kind == Kind.RECALL else ""
    named = value.get("replaces") or (value.get("refers_to") if relation else None)
    number = find_message(db, document.network, named) if named else None
    return (relation, number) if number is not None and number < document.number else ("", 0)


def _facts(db: Connection, document: Stored, revision: int, upto: int) -> list[Fact]:
    le, c, d = s.ledger.c, s.content.c, s.deliveries.c
    permits = select(d.permit).where(d.message == document.number).order_by(d.id)
    subjects = [f"message/{document.number}"]
    subjects += [f"delivery/{permit}" for permit in db.scalars(permits)] if revision > 1 else []
    query = (
        select(le.lane, le.seq, le.entry, le.leaf, c.body)
        .outerjoin(s.content, and_(c.lane == le.lane, c.seq == le.seq))
        .where(le.lane == document.lane, le.subject.in_(subjects), le.seq < upto)
        .order_by(le.seq)
    )
    return [one for row in db.execute(query) if (one := _fact(row)) is not None]


def _fact(row: Any) -> Fact | None:
    entry = testimony(row.lane, row.seq, row.entry)
    if entry.kind.startswith(NOT_OF_IT):
        return None
    # The words of the message itself stand apart, once.
    own = entry.kind in ("message:archived", "notice:archived")
    body = None if row.body is None or own else orjson.loads(row.body)
    leaf = bytes(row.leaf).hex()
    return Fact(entry.lane, entry.seq, entry.at, entry.kind, entry.subject, entry.facts, leaf, body)


def _raw(db: Connection, document: Stored) -> bytes:
    c = s.content.c
    raw = db.execute(select(c.raw).where(c.lane == document.lane, c.seq == document.entry)).scalar()
    return bytes(raw or b"")


def _files(document: Stored) -> Iterator[Enclosed]:
    for one, offered in zip(document.files, document.value.get("files", ()), strict=True):
        media = offered.get("media_type") or "application/octet-stream"
        yield Enclosed(one.name, media, one.size, one.own, one.digest)
