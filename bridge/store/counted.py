"""What stands behind the counts of a certificate: lists that are too long for its page, read from the store.

Rules of this file: reads only, and gives names of items, never what anybody wrote. What a certificate has
listed itself is taken from there; the rest is as the store has it now.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from sqlalchemy import Connection, select

from bridge.ledger.entry import recall
from bridge.records.certificate import Account, Certificate
from bridge.store import reconciling
from bridge.store import schema as s

CHUNK = 1000
"""Rows that are read at once."""


def names(made: Certificate) -> list[str]:
    """The counts of a certificate, each as its list is called: "source weixin archived"."""
    counts = [
        f"{one.kind} {one.name} {count}" for one in made.accounts for count in one.counts if count != "own"
    ]
    return sorted({*counts, *made.lists})


def behind(db: Connection, made: Certificate, name: str, lane: int = 0) -> Iterator[str]:
    """What a certificate counts under a name of `names`, as many items as the count says.

    Of a source, `archived` are the messages that came in within the span, by the ledger: at its two ends the
    count, which goes by the network's clock, may differ by a few. Raises LookupError for what is no count.
    """
    if name in made.lists:
        return iter(made.lists[name])
    for one in made.accounts:
        for count in one.counts:
            if name == f"{one.kind} {one.name} {count}":
                return _behind(db, made, one, count, lane)
    raise LookupError(name)


def _behind(db: Connection, made: Certificate, one: Account, count: str, lane: int) -> Iterator[str]:
    chosen = reconciling.at_places(db, lane, made.since, made.until, made.entries)
    if one.kind == "source":
        return _of_source(db, chosen, made, one, count)
    if one.kind == "export":
        return _exports(db, chosen, count)
    if one.kind == "sink" and count in ("collected", "archived"):
        return chain(_sent(db, chosen, one.name, count), _copied(db, chosen, one.name, count))
    return iter(())


def _of_source(
    db: Connection, chosen: reconciling.Span, made: Certificate, one: Account, count: str
) -> Iterator[str]:
    wrong = [
        item
        for listed, items in made.lists.items()
        if listed == f"fault source {count}" or (count == "collected" and listed == "fault source missing")
        for item in items
        if item.startswith(f"{one.name}/")
    ]
    if count not in ("archived", "collected"):
        return iter(wrong)
    m = s.messages.c
    came = select(m.id, m.source_id).where(
        *(m.network == one.name, m.notice_for.is_(None)),
        *(m.id >= chosen.messages[0], m.id < chosen.messages[1]),
    )
    rows = db.execute(came.order_by(m.id).execution_options(yield_per=CHUNK))
    there = (f"message/{row.id} {one.name}/{row.source_id}" for row in rows)
    if count == "archived":
        return there
    others = (made.lists.get(f"source {one.name} {other}", ()) for other in ("duplicate", "excluded"))
    return chain(there, *others, wrong)


def _sent(db: Connection, chosen: reconciling.Span, network: str, count: str) -> Iterator[str]:
    d = s.deliveries.c
    within = (d.message >= chosen.messages[0], d.message < chosen.messages[1], d.network == network)
    query = select(d.permit, d.message).where(*within).order_by(d.id)
    query = query if count == "collected" else query.where(d.state == "sent")
    for row in db.execute(query.execution_options(yield_per=CHUNK)):
        yield f"delivery/{row.permit} of message/{row.message}"


def _copied(db: Connection, chosen: reconciling.Span, destination: str, count: str) -> Iterator[str]:
    c = s.copies.c
    within = (c.message >= chosen.messages[0], c.message < chosen.messages[1])
    query = select(c.message).where(*within, c.destination == destination, c.revision == 1)
    query = query if count == "collected" else query.where(c.state == "kept")
    for number in db.execute(query.order_by(c.message).execution_options(yield_per=CHUNK)).scalars():
        yield f"message/{number}"


def _exports(db: Connection, chosen: reconciling.Span, count: str) -> Iterator[str]:
    """The exports of a span, each with how many messages it has, or left out."""
    e = s.ledger.c
    of_exports = e.subject.like("export/%")
    places = (e.lane == chosen.lane, e.seq >= chosen.entries[0], e.seq < chosen.entries[1])
    for data in db.execute(select(e.entry).where(of_exports, *places).order_by(e.seq)).scalars():
        entry = recall(data)
        if entry.kind == "export:made":
            has, left = entry.facts.get("messages"), entry.facts.get("excluded")
            told = {"archived": f"{has} messages", "excluded": f"{left} messages"}
            yield f"{entry.subject}: {told.get(count, f'{has} messages, {left} excluded')}"
