"""Legal holds: what must not go, whatever its term. Placed at once, lifted by two people.

Rules of this file: a hold is a query with a name, tried on the opened message when somebody asks; so it
covers what was archived before it, and what comes after. It covers both sides, notices with the message
they are about, and every message that cannot be opened: what fails, holds. Whom or what it is about is
content. A policy's `legal_holds` count while the policy is in force, for all records and not only its own,
and for its people under every id and address that the record knows of them; what it knows of them is written
down before a record goes that says so (`note_meant`). A hold that names a person or a conversation is on
their pairs as well: the names, and what a client agreed to, stay with it.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select, update

from bridge.errors import ConfigError, Conflict, Damaged, Missing, NotAllowed, QueryError, StoreError
from bridge.message import Party, Route
from bridge.policy.folding import fold
from bridge.policy.members import Roster
from bridge.ports import Placing
from bridge.proposals import is_same
from bridge.records.exports.numbers import Numbers, numbers_of
from bridge.search.document import Document, Person
from bridge.store import schema as s
from bridge.store.codec import dump
from bridge.store.documents import Reading, Stored
from bridge.store.identities import Same, chats, everybody, person_of, remember, same_people
from bridge.store.policies import moment, sources_of
from bridge.store.proposals import in_force
from bridge.store.proving import acts_about, testimony
from bridge.store.rows import is_gone
from bridge.store.writer import Tx

if TYPE_CHECKING:
    from bridge.policy import PolicySet
    from bridge.policy.language import LegalHold, PolicyFile

STANDING, PROPOSED, LIFTED = "standing", "proposed", "lifted"
"""Where a hold stands: it covers, also while somebody proposes to lift it, until it is lifted."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


# --- what is covered ------------------------------------------------------------------------------------


def _everything(_: object) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Cover:
    """One hold, ready to be tried on a message, and on those who are or were paired. `recorded`: it also
    covers what a verdict was recorded under its name."""

    name: str
    accepts: Callable[[Document], bool] = _everything
    concerns: Callable[[Sequence[Route]], bool] = _everything
    recorded: bool = False


class Holds:
    """All holds that stand, ready to be tried on messages. False when there are none."""

    def __init__(self, covers: Iterable[Cover]) -> None:
        self._covers = tuple(covers)

    def __bool__(self) -> bool:
        return bool(self._covers)

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [one.name for one in self._covers]

    def over(self, document: Stored) -> list[str]:
        """The names of those that cover a message; all of them, when it cannot be opened."""
        if not self._covers:
            return []
        if not document.opens():
            return self.names
        recorded: set[str] = set()
        if any(one.recorded for one in self._covers):
            recorded = {name for one in document.decisions for name in one.verdict.legal_holds}
        return [one.name for one in self._covers if one.name in recorded or one.accepts(document)]

    def on(self, routes: Sequence[Route]) -> list[str]:
        """The names of those that are on the people of a pair, or on their conversation, by its two ways."""
        return [one.name for one in self._covers if one.concerns(routes)]


def standing_holds(db: Connection, policies: PolicySet | None = None) -> Holds:
    """All holds that stand: those that people placed, and those of `policies` (None: of those that the store
    records to be in force). One that cannot be read covers everything, and so do such policies: who does
    not know what is held disposes of nothing. That a hold stands is said by its entries; where the rows say
    anything else, everything is held.
    """
    states = _states(db)
    placed = [_placed(db, name) for name in _unlifted(states)]
    rows = db.execute(select(s.holds.c.name, s.holds.c.state))
    if {row.name: row.state for row in rows} != states:
        placed.append(Cover(ALTERED))
    if policies is not None:
        return Holds([*placed, *_of_policies(db, (one.model for one in policies.policies))])
    files = _files_in_force(db)
    said = [Cover(UNREADABLE)] if files is None else _of_policies(db, files)
    return Holds([*placed, *said])


def standing(db: Connection) -> list[str]:
    """The names of the holds that people placed and nobody lifted, as the ledger says."""
    return _unlifted(_states(db))


def _unlifted(states: Mapping[str, str]) -> list[str]:
    return sorted(name for name, state in states.items() if state != LIFTED)


ALTERED = "(the table of holds is not what the ledger says)"
"""What holds everything, while somebody has changed that table."""

_AFTER = {
    "legal:placed": STANDING,
    "legal:lift-proposed": PROPOSED,
    "legal:lift-refused": STANDING,
    "legal:lifted": LIFTED,
}
"""Where each act leaves a hold."""


def _states(db: Connection) -> dict[str, str]:
    """Where every hold stands that was ever placed, by the last entry about it."""
    le = s.ledger.c
    query = select(le.lane, le.seq, le.entry).where(le.subject >= "legal/", le.subject < "legal/\x7f")
    said = [testimony(*row) for row in db.execute(query.order_by(le.lane, le.seq))]
    return {entry.subject.removeprefix("legal/"): _AFTER[entry.kind] for entry in said}


def asked(db: Connection) -> dict[str, object]:
    """What an entry says of the holds that were asked: the names of those that people placed and that stand,
    and the hashes of the policies in force, which have holds of their own."""
    return {"holds": standing(db), "policies": [digest for _, digest in in_force(db)]}


def _placed(db: Connection, name: str) -> Cover:
    try:
        return _cover(db, hold(db, name))
    except (Missing, StoreError, QueryError):
        return Cover(name)


def families(db: Connection, numbers: Sequence[int]) -> dict[int, list[int]]:
    """Messages that share one fate, by the one that the others are notices about, itself first."""
    m = s.messages.c
    rows = db.execute(select(m.id, m.notice_for).where(m.id.in_(list(numbers))))
    found: dict[int, list[int]] = {}
    for row in rows:
        root = row.id if row.notice_for is None else row.notice_for
        found[root] = [root]
    notices = select(m.id, m.notice_for).where(m.notice_for.in_(list(found))).order_by(m.id)
    for row in db.execute(notices):
        found[row.notice_for].append(row.id)
    return found


def covered(db: Connection, family: Mapping[int, Sequence[int]], held: Holds) -> dict[int, list[str]]:
    """The names of the holds over each family of `families`, where there are any."""
    found: dict[int, list[str]] = {}
    if not held:
        return found
    members = [one for root in family for one in family[root]]
    names: defaultdict[int, list[str]] = defaultdict(list)
    for document in Reading(db).documents(members):
        names[document.number] = held.over(document)
    for root, them in family.items():
        if over := sorted({name for one in them for name in names[one]}):
            found[root] = over
    return found


# --- those of policies ----------------------------------------------------------------------------------


UNREADABLE = "(the policies in force cannot be read)"
"""What holds everything, while nobody can say what those policies hold."""


_READ: dict[tuple[str, ...], list[PolicyFile]] = {}
"""What was read, by the hashes that it has: a run of disposal asks anew in each of its transactions."""


def _files_in_force(db: Connection) -> list[PolicyFile] | None:
    """The policies that the store records to be in force; None when they cannot be read."""
    from bridge.policy import assemble  # not for commands that only list things: it takes 0.3 s to load

    hashes = tuple(digest for _, digest in in_force(db))
    if hashes != _activated(db):
        return None
    if not hashes:
        return []
    if (known := _READ.get(hashes)) is not None:
        return known
    try:
        found, _ = assemble(sources_of(db, hashes))
    except StoreError:
        return None
    if found is None:
        return None
    return _READ.setdefault(hashes, [one.model for one in found.policies])


def _activated(db: Connection) -> tuple[str, ...]:
    """The hashes of the policies that came into force last, as the ledger says."""
    le = s.ledger.c
    query = select(le.lane, le.seq, le.entry).where(le.subject == "policy").order_by(le.lane, le.seq)
    said = [testimony(*row) for row in db.execute(query)]
    # Of one lane its last entry, whatever the clock said; of several lanes the one that the clock says.
    last = {entry.lane: entry for entry in said if entry.kind == "policy:activated"}
    newest: Any = max(last.values(), key=lambda entry: (entry.at, entry.lane), default=None)
    return () if newest is None else tuple(newest.facts["policies"])


def _of_policies(db: Connection, files: Iterable[PolicyFile]) -> Iterator[Cover]:
    for file in files:
        for one in file.legal_holds:
            meant = _Meant(db, one)
            yield Cover(f"{file.policy}/{one.id}", _about_people(one, meant), meant.concerns, recorded=True)


_FIRST_ZONE = timezone(timedelta(hours=14))
"""Where a day begins first. A hold's first day does so there, whatever zone its policy names: so no other
zone narrows it."""


class _Meant:
    """Whether somebody is one of those whom a policy's hold names, by whatever id or address they have or
    had. While what was written down of them cannot be read, everybody is."""

    def __init__(self, db: Connection, one: LegalHold) -> None:
        self._db, self._names = db, frozenset(one.people)
        roster = Roster()
        people = roster.number(one.people)

        @functools.cache
        def is_named(person: Person) -> bool:
            party = Party(person.network, person.id, person.name, person.address, tags=person.tags)
            return people in roster.of(party)

        self._is_named = is_named

    @functools.cached_property
    def same(self) -> Same:
        """All their ids and addresses. Raises StoreError when that cannot be found out."""
        return same_people(self._db, self._names, self._is_named)

    def __call__(self, person: Person) -> bool:
        if self._is_named(person):
            return True
        try:
            ids, addresses = self.same
        except StoreError:
            return True
        return (person.network, person.id) in ids or fold(person.address) in addresses

    def concerns(self, routes: Sequence[Route]) -> bool:
        """Whether one of a pair is."""
        return any(self(one) for one in _people(routes))


def _people(routes: Sequence[Route]) -> list[Person]:
    """The two of a pair."""
    return [person_of(one.sender) for one in routes]


def _about_people(one: LegalHold, is_meant: Callable[[Person], bool]) -> Callable[[Document], bool]:
    """Whether somebody of a policy's hold is at one end of a message, from its first day on."""

    def accepts(document: Document) -> bool:
        if one.since is not None and moment(document.at).astimezone(_FIRST_ZONE).date() < one.since:
            return False
        ends = (document.sender, *([document.reader] if document.reader else []))
        return any(map(is_meant, ends))

    return accepts


def note_meant(tx: Tx, lane: int) -> None:
    """Write down whom the holds of the policies in force mean, as far as the record knows that by now. Has to
    be done before anything goes that the record knows it from."""
    files = _files_in_force(tx.db) or ()
    if held := [_Meant(tx.db, one).same for file in files for one in file.legal_holds]:
        remember(tx, lane, held)


def prepare(db: Connection) -> None:
    """Find out now who the people of the policies' holds are: for that every message is opened once, which no
    transaction that writes should wait for. And who is paired with whom."""
    chats(db)
    if any(file.legal_holds for file in _files_in_force(db) or ()):
        everybody(db)


# --- those that people place ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold as it stands. It covers what `query` finds, and messages by their `numbers` ("1-17,20"),
    whatever becomes of them; with numbers and no query, these alone. `written` is how that was typed. Times
    are milliseconds, 0 for never. `proposed_by` wants it lifted because of `why`, `lifted_by` agreed ("" for
    nobody)."""

    name: str
    state: str
    query: str
    written: str
    person: str
    reason: str
    placed_at: int
    ended_at: int = 0
    proposed_by: str = ""
    lifted_by: str = ""
    why: str = ""
    numbers: str = ""


def _cover(db: Connection, one: Hold) -> Cover:
    """A hold as it was placed. A conversation that it names is held by all the keys that it has by now."""
    from bridge.search.grammar import COMPOSED
    from bridge.search.query import parse
    from bridge.search.subjects import names, widened

    numbered = _numbered(one.numbers)
    if one.numbers and not one.query:
        return Cover(one.name, lambda document: document.number in numbered, lambda _: False)
    asked = parse(one.query, moment(one.placed_at), UTC, limits=COMPOSED)
    if "in:" in one.query:
        asked = widened(asked, chats(db))

    def concerns(routes: Sequence[Route]) -> bool:
        keys = tuple(route.conversation for route in routes)
        return names(asked, _people(routes), keys)

    return Cover(one.name, lambda message: message.number in numbered or asked.accepts(message), concerns)


@functools.lru_cache(maxsize=64)
def _numbered(text: str) -> Numbers:
    return numbers_of(text)


def holds(db: Connection) -> list[Hold]:
    """Every hold that people ever placed, in the order of placing."""
    return [
        _hold(db, row) for row in db.execute(select(s.holds).order_by(s.holds.c.placed_at, s.holds.c.name))
    ]


def hold(db: Connection, name: str) -> Hold:
    """One of them. Raises Missing when there is none."""
    row = db.execute(select(s.holds).where(s.holds.c.name == name)).first()
    if row is None:
        raise Missing(f"there is no legal hold {name}; see `weighbridge hold list`")
    return _hold(db, row)


def _hold(db: Connection, row: Any) -> Hold:
    acts = acts_about(db, f"legal/{row.name}")
    if not acts:
        raise Damaged(f"no entry testifies to hold {row.name}; run `audit verify`")
    said = {entry.kind: body for entry, body in acts}  # of each kind the last
    (first, _), (last, _) = acts[0], acts[-1]
    state = _AFTER[last.kind]
    proposed = said.get("legal:lift-proposed", {}) if state != STANDING else {}
    return Hold(
        name=row.name,
        state=state,
        placed_at=first.at,
        ended_at=last.at if state == LIFTED else 0,
        proposed_by=proposed.get("person", ""),
        lifted_by=said.get("legal:lifted", {}).get("person", ""),
        why=proposed.get("reason", ""),
        **said["legal:placed"],
    )


def archived(db: Connection, since: int = 0, until: int = 0) -> Iterator[int]:
    """The messages that were archived at these times (milliseconds, both included; 0: without an end) and
    are still there."""
    m = s.messages.c
    query = select(m.id).where(m.archived_at >= since, ~is_gone(m.id)).order_by(m.id)
    yield from db.scalars(query.where(m.archived_at <= until) if until else query)


def place(tx: Tx, lane: int, placing: Placing) -> None:
    """Place a hold: it covers from this transaction on.

    Raises ConfigError for a name that is none, Conflict when the name was used before.
    """
    if not _NAME.fullmatch(placing.name):
        raise ConfigError(
            [f"{placing.name!r} names no hold: letters, digits, '.', '_' and '-', 64 at most (CASE-7)"]
        )
    if tx.db.execute(select(s.holds.c.name).where(s.holds.c.name == placing.name)).first():
        raise Conflict(f"a hold was placed as {placing.name} before: choose another name")
    said = {name: getattr(placing, name) for name in ("query", "numbers", "written", "person", "reason")}
    entry = tx.append(lane, "legal:placed", f"legal/{placing.name}", {"hold": placing.name}, dump(said))
    row = {"name": placing.name, "lane": lane, "entry": entry, "state": STANDING, "placed_at": tx.now}
    tx.db.execute(insert(s.holds).values(**row))


def propose_lift(tx: Tx, name: str, person: str, reason: str) -> None:
    """Propose to lift a hold: it stands until another person agrees. Raises Conflict when that is proposed
    already, or it was lifted."""
    _step(tx, name, STANDING, PROPOSED, "legal:lift-proposed", person, reason)


def refuse_lift(tx: Tx, name: str, person: str, reason: str) -> None:
    """Let a hold stand that somebody proposed to lift. Raises Conflict when nobody did."""
    _step(tx, name, PROPOSED, STANDING, "legal:lift-refused", person, reason)


def lift(tx: Tx, name: str, person: str, reason: str, legal: Sequence[str]) -> None:
    """Agree to lift a hold: it covers nothing any more, and nothing is disposed of by that.

    Raises NotAllowed when `person` proposed it, or is not one of `legal` (those who may, if any are named);
    Conflict when nobody proposed it.
    """
    tx.flush()
    found = hold(tx.db, name)
    if found.state == PROPOSED and is_same(person, found.proposed_by):
        raise NotAllowed("who proposed to lift a hold cannot agree to it: another person must")
    if legal and not any(is_same(person, one) for one in legal):
        raise NotAllowed(f"{person} is not in [policy] legal_approvers")
    _step(tx, name, PROPOSED, LIFTED, "legal:lifted", person, reason)


def _step(tx: Tx, name: str, start: str, target: str, kind: str, person: str, reason: str) -> None:
    tx.flush()
    found = hold(tx.db, name)
    if found.state != start:
        raise Conflict(_refusal(found))
    h = s.holds.c
    lane = tx.db.execute(select(h.lane).where(h.name == name)).scalar_one()
    act = dump({"person": person, "reason": reason})
    tx.append(lane, kind, f"legal/{name}", {"hold": name}, act)
    ended = tx.now if target == LIFTED else 0
    tx.db.execute(update(s.holds).where(h.name == name).values(state=target, ended_at=ended))


def _refusal(found: Hold) -> str:
    return {
        LIFTED: f"hold {found.name} was lifted",
        PROPOSED: f"somebody has proposed to lift {found.name}: a second person agrees with --approve",
        STANDING: f"nobody has proposed to lift {found.name}: `weighbridge hold lift {found.name}` does",
    }[found.state]
