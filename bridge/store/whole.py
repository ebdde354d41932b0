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
from bridge.records.copies import Enclosed, End, Fact, Record
from bridge.search.document import Person
from bridge.store import schema as s
from bridge.store.documents import Reading, Stored
from bridge.store.proving import testimony

NOT_OF_IT = ("copy:",)
"""Kinds of entries about a message that say nothing about it, but about its copies."""


def whole(db: Connection, number: int, revision: int, upto: int) -> Record:
    """The record of message `number`, of the entries before `upto`. Raises Damaged when any of it is gone, or
    does not open."""
    found = Reading(db).documents([number])
    if not found or not found[0].opens():
        raise Damaged(f"message {number} does not open; run `audit verify`")
    document = found[0]
    installation = db.execute(select(s.meta.c.value).where(s.meta.c.key == "installation")).scalar_one()
    facts = _facts(db, document, revision, upto)
    return Record(
        installation,
        number,
        revision,
        document.value,
        _raw(db, document),
        _end(document.sender),
        _end(document.reader) if document.reader else None,
        facts,
        tuple(_files(document)),
    )


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


def _end(person: Person) -> End:
    return End(person.network, person.id, person.name, person.address)


def _files(document: Stored) -> Iterator[Enclosed]:
    for one, offered in zip(document.files, document.value.get("files", ()), strict=True):
        media = offered.get("media_type") or "application/octet-stream"
        yield Enclosed(one.name, media, one.size, one.own, one.digest)
