"""Requests to be forgotten in the tables: asked, answered record by record, carried out as a disposal.

Rules of this file: nothing is erased here. What may go becomes a plan that two people approve as any other;
what has to stay is answered with until when and why. About whom a request is, is content. The request itself
stays, as the proof that it was answered.

The names of a pair, and what its client agreed to, are answered and counted as records are. They go when the
pair has ended, no record of the two is left, and no hold is on either: asked for the answer, and again in the
transaction that erases.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from bridge.errors import Missing
from bridge.message import SYMPHONY, WEIXIN
from bridge.records.disposal import State
from bridge.records.erasure import ERASED, KEPT, Answer, Carried, Paired, Request, due
from bridge.store import schema as s
from bridge.store.codec import dump
from bridge.store.destruction import asked_before, erase_pair
from bridge.store.directory import Directory
from bridge.store.disposal import Ask, Found, Wanted, ask, certify, disposal, present, survey
from bridge.store.disposal import plan as plan_disposal
from bridge.store.holds import Holds, standing_holds
from bridge.store.identities import contact_id
from bridge.store.lives import presets_of
from bridge.store.proving import acts_about, testimony
from bridge.store.rows import is_gone, next_number
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
    those of the person; `sure` as for any plan."""
    one = erasure(tx.db, number)
    names = answer_pairs(tx.db, pairs, told, standing_holds(tx.db))
    planned = 0
    if found.doomed or names.count(ERASED):
        counts = replace(found.counts, names=names.count(ERASED), consents=names.consents[ERASED])
        wanted = Wanted(one.person, one.reason, one.query, tx.now, erasure=number)
        planned = plan_disposal(tx, lane, wanted, replace(found, counts=counts), sure=sure)
    facts = {
        "erasure": number,
        "erased": sum(one.outcome == ERASED for one in told),
        "kept": sum(one.outcome == KEPT for one in told),
        "disposal": planned,
        "pairs": names.count(ERASED),
    }
    said = {"pairs": [asdict(one) for one in names.pairs], "consents": names.consents}
    body = dump({"answers": [asdict(one) for one in told], **said})
    entry = tx.append(lane, "erasure:answered", _subject(number), facts, body)
    tx.db.execute(update(s.erasures).where(s.erasures.c.id == number).values(answer=entry))
    return planned


# --- names ----------------------------------------------------------------------------------------------


MAY_TALK, HAS_RECORDS = "the two may talk", "records of them are left"
"""Why the names of a pair stay, beside holds."""


class Names(NamedTuple):
    """What becomes of pairs, and how many consents go or stay with them, by outcome."""

    pairs: tuple[Paired, ...]
    consents: Mapping[str, int]

    def count(self, outcome: str) -> int:
        """How many pairs have this outcome."""
        return sum(one.outcome == outcome for one in self.pairs)


def answer_pairs(db: Connection, pairs: Sequence[int], told: Sequence[Answer], held: Holds) -> Names:
    """What becomes of the names in these pairs, when of these records those go that may; of those that are
    erased already nothing."""
    rows, directory = _pairs(db, pairs), Directory()
    directory.refresh(db)
    doomed = {one.message for one in told if one.outcome == ERASED}
    left = any(one.outcome == KEPT for one in told)
    found = []
    for row in rows:
        reasons = tuple(_keeping(db, row, directory, held, doomed, left=left))
        found.append(Paired(row.id, KEPT if reasons else ERASED, reasons))
    return Names(tuple(found), _agreed(db, {row.contact for row in rows}, found))


def _pairs(db: Connection, pairs: Sequence[int]) -> Sequence[Any]:
    """Those of these pairs whose names are there."""
    p = s.pairs.c
    query = select(p.id, p.state, p.stream, p.contact).where(p.id.in_(pairs), p.contact != "")
    return db.execute(query.order_by(p.id)).all()


def _keeping(
    db: Connection, row: Any, directory: Directory, held: Holds, doomed: Collection[int], *, left: bool
) -> Iterator[str]:
    """What speaks against the going of a pair's names, when the `doomed` records are gone. `left`: others
    that were answered are not."""
    if row.state != "ended":
        yield MAY_TALK
    if left or any(one not in doomed for one in _records(db, row)):
        yield HAS_RECORDS
    ways = (directory.route(row.id, network) for network in (WEIXIN, SYMPHONY))
    yield from (f"hold {name}" for name in held.on([one for one in ways if one is not None]))


def _records(db: Connection, row: Any) -> Iterator[int]:
    """The records of a pair, of its client under any pair or none, and of its room while nobody was paired
    in it: without these names nobody knows whose they are."""
    m, p = s.messages.c, s.pairs.c
    theirs = or_(
        m.pair.in_(select(p.id).where(p.contact == row.contact)),
        m.conversation == row.contact,
        and_(m.network == WEIXIN, m.sender == contact_id(row.contact)),
        and_(m.pair.is_(None), m.conversation == row.stream),
    )
    about = func.coalesce(m.notice_for, m.id)  # a notice goes with its message
    yield from db.scalars(select(about).where(theirs, ~is_gone(m.id)))


def _agreed(db: Connection, contacts: Collection[str], found: Sequence[Paired]) -> dict[str, int]:
    """How many consents go with these pairs, and how many stay: those of a client whom another pair names."""
    o, p = s.consents.c, s.pairs.c
    going = [one.pair for one in found if one.outcome == ERASED]
    counts = {ERASED: 0, KEPT: 0}
    for contact in contacts:
        many = db.execute(select(func.count()).where(o.contact == contact, o.given_at > 0)).scalar_one()
        named = db.execute(select(p.id).where(p.contact == contact, p.id.not_in(going)).limit(1)).first()
        counts[KEPT if named else ERASED] += many
    return counts


class Erased(NamedTuple):
    """Pairs whose names are gone, and how many consents went with them."""

    pairs: tuple[int, ...] = ()
    consents: int = 0


def erase_pairs(tx: Tx, number: int) -> Erased:
    """Destroy the names of the pairs that a request was answered they may go, if nothing keeps them now."""
    tx.flush()
    one, directory = erasure(tx.db, number), Directory()
    directory.refresh(tx.db)
    held, gone, consents = standing_holds(tx.db), [], 0
    left = bool(present(tx.db, [each.message for each in one.answers], tx.now + 1))
    pairs = _pairs(tx.db, [each.pair for each in one.pairs if each.outcome == ERASED])
    before = asked_before(tx.db) if pairs else {}  # once: it looks at all that is gone, while others wait
    for row in pairs:
        if not any(_keeping(tx.db, row, directory, held, (), left=left)):
            consents += erase_pair(tx, row.id, one.disposal, before)
            gone.append(row.id)
    return Erased(tuple(gone), consents)


def conclude(tx: Tx, lane: int, number: int, person: str) -> None:
    """What ends a run of disposal `number`: the names of whoever asked to be forgotten, and the
    certificate."""
    found, names = disposal(tx.db, number), {}
    if found.erasure and found.state is not State.DONE:
        erased = erase_pairs(tx, found.erasure)
        names = {"pairs": len(erased.pairs), "consents": erased.consents}
    certify(tx, lane, number, person, names=names)


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
            pairs=tuple(Paired(**{**one, "reasons": tuple(one["reasons"])}) for one in said["pairs"]),
            consents=said["consents"],
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
    names = _names_gone(db, request)
    over = found.state is State.DONE
    return Carried(len(gone), max(gone, default=0), good_until, over, len(names), sum(names))


def _names_gone(db: Connection, request: Request) -> list[int]:
    """For each pair of a request whose names are gone by its disposal, how many consents went with them."""
    le = s.ledger.c
    subjects = [f"pair/{one.pair}" for one in request.pairs if one.outcome == ERASED]
    rows = db.execute(select(le.lane, le.seq, le.entry).where(le.subject.in_(subjects)))
    entries = (testimony(*row) for row in rows)
    facts: list[Mapping[str, Any]] = [one.facts for one in entries if one.kind == "pair:erased"]
    return [one["consents"] for one in facts if one["disposal"] == request.disposal]
