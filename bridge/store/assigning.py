"""A class for records that have none: one person proposes it, another one gives it.

Rules of this file: without a class a record has no end, because nobody said that it may go; two people say
so here, for what a query finds. Only records that no class fits get one, and only those that were archived
before it was agreed: a policy is for those that come. It counts from their creation and is as good as any:
it may be lengthened, never shortened. Whoever agrees has agreed to a list: to more records than were
proposed, only when their number is named. The list stands sealed beside the act, and what is given later,
because somebody was interrupted, is given to that list alone. A name stands for one proposal for ever, so
that nobody agrees to another than was seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select

from bridge.errors import ConfigError, Conflict, Missing, NotAllowed
from bridge.flow import MessageState
from bridge.message import Retention
from bridge.proposals import is_same
from bridge.records.exports.numbers import Numbers, numbers_of
from bridge.records.terms import term
from bridge.store import schema as s
from bridge.store.codec import dump
from bridge.store.kept import REPLACE_TERM, facts_of, row_of
from bridge.store.proving import acts_about
from bridge.store.rows import chunks, is_gone
from bridge.store.terms import CHUNK, claims
from bridge.store.writer import Tx

PROPOSED, GIVEN, REFUSED = "retention:proposed", "retention:assigned", "retention:refused"

ASSIGNED = "assigned/"
"""How the names of classes begin that people gave, where those of a policy's begin with the policy's."""

_UNJUDGED = (MessageState.NEW.value, MessageState.FETCHING.value)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A class as it was proposed: its name, the query that finds its records, their period from creation
    ("7y"), who proposed it and why, when (milliseconds), and how many `records` it found then. `state` is the
    kind of the last act: `ended_by` agreed or refused because of `why` ("": nobody yet). `place` is where it
    was agreed to ("" while it is not), `at` when, `numbers` to which records ("1-17,20")."""

    name: str
    query: str
    keep: str
    person: str
    reason: str
    records: int = 0
    proposed_at: int = 0
    state: str = PROPOSED
    ended_by: str = ""
    why: str = ""
    place: str = ""
    at: int = 0
    numbers: str = ""


@dataclass(frozen=True, slots=True)
class Entitled:
    """Who may agree, by the settings: `approvers`, anybody if none are named. Where any are named for
    `legal`, one of the two people has to be among them: a record that was kept without an end gets one."""

    approvers: Sequence[str] = ()
    legal: Sequence[str] = ()

    def check(self, proposer: str, person: str) -> None:
        """Raises NotAllowed for whoever may not agree to what `proposer` wants."""
        if is_same(person, proposer):
            raise NotAllowed("who proposed a class cannot agree to it: another person must")
        if (self.approvers or self.legal) and not _among(person, (*self.approvers, *self.legal)):
            raise NotAllowed(f"{person} is not in [policy] approvers")
        if self.legal and not (_among(person, self.legal) or _among(proposer, self.legal)):
            raise NotAllowed("one of the two people must be in [policy] legal_approvers")


EVERYBODY = Entitled()


def _among(person: str, people: Sequence[str]) -> bool:
    return any(is_same(person, one) for one in people)


def subject_of(name: str) -> str:
    """Whose the entries about a class are that people gave."""
    return f"assignment/{name}"


def classless(db: Connection, numbers: Sequence[int], before: int = 0) -> list[int]:
    """Those of these records that were judged and that no class fits; only those archived before a time, if
    one is said."""
    m, t = s.messages.c, s.terms.c
    query = (
        select(m.id)
        .outerjoin(s.terms, t.message == m.id)
        .where(t.message.is_(None), m.notice_for.is_(None), ~is_gone(m.id), m.state.not_in(_UNJUDGED))
        .order_by(m.id)
    )
    if before:
        query = query.where(m.archived_at < before)
    return [one for some in chunks(numbers, CHUNK) for one in db.scalars(query.where(m.id.in_(some)))]


def propose(tx: Tx, lane: int, wanted: Assignment, records: int) -> None:
    """Propose a class for `records` records. Raises ConfigError for a name that is none, Conflict for one
    that was used, Missing when there are no such records."""
    if not _NAME.fullmatch(wanted.name):
        raise ConfigError([f"{wanted.name!r} names no class: letters, digits, '.', '_' and '-', 64 at most"])
    if acts_about(tx.db, subject_of(wanted.name)):
        raise Conflict(f"a class {wanted.name} was proposed before: choose another name")
    if not records:
        raise Missing("that finds no record without a class: nothing is proposed")
    said = {name: getattr(wanted, name) for name in ("query", "keep", "person", "reason")}
    tx.append(lane, PROPOSED, subject_of(wanted.name), {"keep": wanted.keep, "records": records}, dump(said))


def assignment(db: Connection, name: str) -> Assignment:
    """A class as it was proposed last. Raises Missing when it never was."""
    acts = acts_about(db, subject_of(name))
    if not acts:
        raise Missing(f"nobody proposed a class {name}: `weighbridge retention assign {name} --query …` does")
    proposed, said = next(act for act in reversed(acts) if act[0].kind == PROPOSED)
    last, words = acts[-1]
    records: Any = proposed.facts["records"]
    found = Assignment(name, records=records, proposed_at=proposed.at, state=last.kind, **said)
    if last.kind == PROPOSED:
        return found
    found = replace(found, ended_by=words["person"], why=words["reason"])
    if last.kind != GIVEN:
        return found
    return replace(found, place=f"{last.lane}/{last.seq}", at=last.at, numbers=words["numbers"])


def assignments(db: Connection) -> list[Assignment]:
    """Every class that was ever proposed, by name."""
    le, start = s.ledger.c, subject_of("")
    # Between two words of letters only: every collation puts the subjects there.
    query = select(le.subject).where(le.subject >= "assignment", le.subject < "assignmenu").distinct()
    return [assignment(db, one.removeprefix(start)) for one in sorted(db.scalars(query))]


def agree(
    tx: Tx,
    lane: int,
    name: str,
    person: str,
    reason: str,
    numbers: Sequence[int],
    entitled: Entitled = EVERYBODY,
    named: int = 0,
) -> None:
    """Another person, one of the `entitled`, agrees that these records get it.

    Raises NotAllowed for whoever may not, Conflict when it was refused, or when they are more than were
    proposed and not the number that this person `named`; nothing happens when somebody has agreed already.
    """
    tx.flush()
    found = assignment(tx.db, name)
    if found.place:
        return
    _check_open(found)
    entitled.check(found.person, person)
    records = len(numbers)
    if named != records and (named or records > found.records):
        raise Conflict(
            f"{found.records:,} records were proposed, and {records:,} have no class now: agree with "
            f"--records {records} if these are meant"
        )
    said = {"person": person, "reason": reason, "numbers": str(Numbers(numbers))}
    tx.append(lane, GIVEN, subject_of(name), {"keep": found.keep, "records": records}, dump(said))


def refuse(tx: Tx, lane: int, name: str, person: str, reason: str) -> None:
    """Give no record that class: said by anybody, whoever proposed it among them.

    Raises Conflict when somebody has agreed, or it was refused."""
    tx.flush()
    found = assignment(tx.db, name)
    if found.place:
        raise Conflict(f"{found.ended_by} has agreed to class {name}: no class that was given is taken back")
    _check_open(found)
    facts = {"keep": found.keep}
    tx.append(lane, REFUSED, subject_of(name), facts, dump({"person": person, "reason": reason}))


def _check_open(found: Assignment) -> None:
    if found.state == REFUSED:
        raise Conflict(f"class {found.name} was refused by {found.ended_by}: propose it by another name")


def carry_out(tx: Tx, name: str, numbers: Sequence[int]) -> int:
    """Give the class to those of these records that were agreed to and have none; gives to how many. Raises
    Conflict before two people have agreed."""
    tx.flush()
    found = assignment(tx.db, name)
    if not found.place:
        raise Conflict(f"nobody has agreed to class {name} yet")
    one, agreed = Retention(f"{ASSIGNED}{name}", found.keep), numbers_of(found.numbers)
    chosen = classless(tx.db, [number for number in numbers if number in agreed], found.at)
    for number, claim in claims(tx.db, chosen).items():
        facts: dict[str, object] = {"message": number, "by": found.place, "given": found.keep}
        facts |= facts_of(term([one], claim.created, {}, claim.extended))
        entry = tx.append(claim.lane, "record:kept", f"message/{number}", facts)
        REPLACE_TERM.one(tx.db, row_of(number, entry, facts))
    return len(chosen)
