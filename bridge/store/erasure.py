"""Requests to be forgotten in the tables: asked, answered record by record, carried out as a disposal.

Rules of this file: nothing is erased here. What may go becomes a plan that two people approve as any other;
what has to stay is answered with until when and why. About whom a request is, is content. The request itself
stays, as the proof that it was answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, and_, insert, select, update

from bridge.errors import Missing
from bridge.records.disposal import State
from bridge.records.erasure import ERASED, KEPT, Answer, Carried, Request, due
from bridge.store import schema as s
from bridge.store.codec import dump
from bridge.store.destruction import erase_pair
from bridge.store.disposal import Ask, Found, Wanted, ask, disposal, present, survey
from bridge.store.disposal import plan as plan_disposal
from bridge.store.lives import presets_of
from bridge.store.proving import acts_about, testimony
from bridge.store.rows import next_number
from bridge.store.terms import Standing, claims
from bridge.store.writer import Tx


def request(tx: Tx, lane: int, wanted: Request) -> int:
    """Write down that somebody asked to be forgotten; gives the request's number. Of `wanted`, what was typed
    counts."""
    number, due_at = next_number(tx, s.erasures.c.id), due(tx.now)
    act = {name: getattr(wanted, name) for name in ("person", "reason", "about", "law", "query")}
    entry = tx.append(lane, "erasure:asked", _subject(number), {"erasure": number, "due": due_at}, dump(act))
    tx.db.execute(insert(s.erasures), {"id": number, "lane": lane, "entry": entry, "due_at": due_at})
    return number


def _subject(number: int) -> str:
    return f"erasure/{number}"


def answers(
    db: Connection, numbers: Sequence[int], now: int, *, asks: Ask = ask
) -> tuple[tuple[Answer, ...], Found]:
    """What becomes of each of these records at `now`, and what may go."""
    there = present(db, numbers, now + 1)
    told: list[Answer] = []

    def hear(standings: Sequence[Standing]) -> None:
        rules = _rules(db, standings)
        told.extend(_answer(one, rules.get(one.number, "")) for one in standings)

    found = survey(db, there, now, asks=asks, hear=hear)
    return tuple(told), found


def _answer(one: Standing, rule: str) -> Answer:
    _, until, because = one.last
    return Answer(one.number, KEPT if one.kept else ERASED, until, because, one.kept, rule)


def _rules(db: Connection, standings: Sequence[Standing]) -> dict[int, str]:
    """The provisions that ask for the terms of these records; those of whose term the firm alone decided, by
    its policy or by an order, are not among them."""
    from bridge.policy.presets import PRESETS

    last = {one.number: one.last for one in standings if one.last.because and one.kept}
    numbers = sorted({one.number for one in last.values()})
    presets, resting = presets_of(db, numbers), claims(db, numbers)
    found = {number: PRESETS.get(presets[one.number].get(one.because, "")) for number, one in last.items()}
    ordered = {
        number for number, one in last.items() if one.until and one.until == resting[one.number].extended
    }
    return {number: one.rule for number, one in found.items() if one and number not in ordered}


def answer(
    tx: Tx,
    lane: int,
    number: int,
    told: Sequence[Answer],
    found: Found,
    pairs: Sequence[int],
    *,
    sure: bool = False,
) -> int:
    """Write the answer down, with a plan for what may go; gives the plan's number, 0 for none. `pairs` are
    those of the person whose names may go when no record of theirs is left; `sure` as for any plan."""
    one = erasure(tx.db, number)
    planned = 0
    if found.doomed or pairs:
        wanted = Wanted(one.person, one.reason, one.query, tx.now, erasure=number)
        planned = plan_disposal(tx, lane, wanted, found, sure=sure)
    facts = {
        "erasure": number,
        "erased": sum(one.outcome == ERASED for one in told),
        "kept": sum(one.outcome == KEPT for one in told),
        "disposal": planned,
    }
    body = dump({"answers": [asdict(one) for one in told], "pairs": list(pairs)})
    entry = tx.append(lane, "erasure:answered", _subject(number), facts, body)
    tx.db.execute(update(s.erasures).where(s.erasures.c.id == number).values(answer=entry))
    return planned


def ended_pairs(db: Connection, pairs: Sequence[int]) -> list[int]:
    """Those of these pairs that have ended and are not erased."""
    p = s.pairs.c
    query = select(p.id).where(p.id.in_(pairs), p.state == "ended", p.contact != "").order_by(p.id)
    return list(db.scalars(query))


def erase_pairs(tx: Tx, number: int) -> list[int]:
    """Destroy the names of the people of a request whose last record is gone; gives the pairs.

    A pair with a record that has to stay keeps its names: without them nobody knows whose record it is.
    """
    one = erasure(tx.db, number)
    m = s.messages.c
    gone = []
    for pair in ended_pairs(tx.db, one.pairs):
        if tx.db.execute(select(m.id).where(m.pair == pair).limit(1)).first() is None:
            erase_pair(tx, pair, one.disposal)
            gone.append(pair)
    return gone


# --- reading --------------------------------------------------------------------------------------------


def erasures(db: Connection) -> list[Request]:
    """Every request, the newest first."""
    numbers = db.scalars(select(s.erasures.c.id).order_by(s.erasures.c.id.desc())).all()
    return [erasure(db, number) for number in numbers]


def erasure(db: Connection, number: int) -> Request:
    """A request by its number. Raises Missing when there is none."""
    steps = acts_about(db, _subject(number))
    if not steps:
        raise Missing(f"there is no erasure request {number}; see `weighbridge erasure list`")
    asked, act = steps[0]
    facts: Mapping[str, Any] = asked.facts
    found = Request(number=number, at=asked.at, due_at=facts["due"], **act)
    for entry, said in steps[1:]:
        facts = entry.facts
        told = tuple(Answer(**{**one, "reasons": tuple(one["reasons"])}) for one in said["answers"])
        found = Request(
            **{name: getattr(found, name) for name in ("number", "at", "due_at")},
            **act,
            answered_at=entry.at,
            disposal=facts["disposal"],
            pairs=tuple(said["pairs"]),
            answers=told,
        )
    return replace(found, carried=_carried(db, found)) if found.disposal else found


def _carried(db: Connection, request: Request) -> Carried:
    """How far the disposal of a request is, of the records that were to go."""
    found, g, le = disposal(db, request.disposal), s.disposed.c, s.ledger.c
    query = (
        select(g.message, le.lane, le.seq, le.entry)
        .join(s.ledger, and_(le.lane == g.lane, le.seq == g.entry))
        .where(g.disposal == request.disposal)
    )
    times = {row.message: testimony(row.lane, row.seq, row.entry).at for row in db.execute(query)}
    gone = [times[one.message] for one in request.answers if one.outcome == ERASED and one.message in times]
    good_until = 0 if found.state is State.WITHDRAWN else found.expires_at
    return Carried(len(gone), max(gone, default=0), good_until, found.state is State.DONE)
