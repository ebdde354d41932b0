"""The life of records, told to people: why one is kept and until when, and what an order or a hold is about.

Rules of this file: reads only, and decides nothing: what keeps a record is said by `terms`, what holds it by
`holds`. Counts are made chunk by chunk, so that memory does not grow with what they are about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import orjson
from sqlalchemy import Connection, and_, func, not_, select

from bridge.errors import Missing, StoreError
from bridge.message import Retention
from bridge.ports import Order
from bridge.records.terms import end_of, is_write_once, readable_until
from bridge.search.document import Document
from bridge.store import schema as s
from bridge.store.documents import Stored, documents
from bridge.store.holds import families, standing_holds
from bridge.store.kept import key_of
from bridge.store.policies import sources_of
from bridge.store.proving import testimony
from bridge.store.rows import chunks, is_gone
from bridge.store.terms import CHUNK, Standing, claims, effect, standings

# --- one record -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """One class of a record: until when it keeps it (None: its event has not happened), and the preset that
    its period was taken from ("" if none, or not known any more)."""

    retention: Retention
    until: int | None
    preset: str = ""


@dataclass(frozen=True, slots=True)
class Extension:
    """Somebody's order that a record be kept until a time, given `at` (milliseconds)."""

    until: int
    person: str
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Life:
    """Everything about how long one record lives. `about` is the message that it is a notice about, 0 for
    none: all of this is then said of that one. `extension` is the order that makes it longest, if there was
    one. Times are milliseconds, 0 for never."""

    standing: Standing
    about: int
    archived_at: int
    classes: tuple[Claim, ...]
    happened: dict[str, int]
    extension: Extension | None
    readable_until: int
    write_once: bool

    @property
    def governing(self) -> Extension | None:
        """The order by which the record lives as long as it does, None where a class does that."""
        one = self.extension
        by_class = any(claim.until == self.standing.until for claim in self.classes)
        return one if one and one.until == self.standing.until and not by_class else None


def life(db: Connection, number: int, now: int) -> Life:
    """How long a message lives, and why. Raises Missing when there is none, StoreError when what it rests on
    does not open any more."""
    (standing,) = standings(db, [number], now, standing_holds(db)) or (None,)
    if standing is None:
        raise Missing(f"there is no message {number}")
    (root,) = families(db, [number])
    known = claims(db, [root])[root]
    presets = presets_of(db, [root])[root]
    return Life(
        standing,
        root if root != number else 0,
        known.created,
        tuple(
            Claim(one, end_of(one, known.created, known.happened), presets.get(one.key, ""))
            for one in known.classes
        ),
        known.happened,
        _extension(db, root, known.extended),
        readable_until(known.classes, known.created),
        is_write_once(known.classes),
    )


def _extension(db: Connection, number: int, until: int) -> Extension | None:
    """The order that keeps a message until this time, the first of several; None when there is none."""
    le, c = s.ledger.c, s.content.c
    own = select(le.lane, le.seq, le.entry).where(le.subject == f"message/{number}").order_by(le.lane, le.seq)
    entries = (testimony(*row) for row in db.execute(own))
    places = (
        str(one.facts["by"])
        for one in entries
        if one.kind == "record:kept" and one.facts.get("extended") == until
    )
    if not until or (place := next(places, "")) == "":
        return None
    lane, seq = map(int, place.split("/"))
    order = (
        select(le.entry, c.body)
        .outerjoin(s.content, and_(c.lane == le.lane, c.seq == le.seq))
        .where(le.lane == lane, le.seq == seq)
    )
    row = db.execute(order).one()
    said = orjson.loads(row.body) if row.body else {}
    at = testimony(lane, seq, row.entry).at
    return Extension(until, said.get("person", ""), said.get("reason", ""), at)


def presets_of(db: Connection, numbers: Sequence[int]) -> dict[int, dict[str, str]]:
    """The presets behind the classes of each of these messages, by class, as the policies said that judged
    it; nothing where these cannot be read any more."""
    known: dict[tuple[str, ...], dict[str, str]] = {}
    found: dict[int, dict[str, str]] = {number: {} for number in numbers}
    for document in documents(db, numbers):
        verdicts = (one.verdict for one in document.decisions)
        hashes = tuple(sorted({digest for verdict in verdicts for _, digest in verdict.policies}))
        if hashes not in known:
            known[hashes] = _presets(db, hashes)
        found[document.number] = known[hashes]
    return found


def _presets(db: Connection, hashes: Sequence[str]) -> dict[str, str]:
    from bridge.policy import assemble  # not for commands that only list things: it takes 0.3 s to load

    try:
        found, _ = assemble(sources_of(db, hashes)) if hashes else (None, ())
    except StoreError:
        return {}
    files = [one.model for one in found.policies] if found else []
    kept = ((file.policy, one) for file in files for one in file.retention if one.preset)
    return {f"{policy}/{one.id or one.preset}": one.preset or "" for policy, one in kept}


# --- many records ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class Reach:
    """What a query is about: messages, conversations and people, the first and last of them (milliseconds),
    and how many of the messages had come to the end of their term."""

    messages: int = 0
    conversations: set[tuple[str, str]] = field(default_factory=set)
    people: set[tuple[str, str]] = field(default_factory=set)
    first_at: int = 0
    last_at: int = 0
    due: int = 0

    def counts(self) -> dict[str, int]:
        """All of it as numbers."""
        return {
            "messages": self.messages,
            "conversations": len(self.conversations),
            "people": len(self.people),
            "first_at": self.first_at,
            "last_at": self.last_at,
            "due": self.due,
        }

    def take(self, document: Document) -> None:
        """One message more."""
        self.messages += 1
        self.conversations.add((document.network, document.conversation))
        for person in (document.sender, document.reader):
            if person is not None and document.notice_for is None:
                self.people.add((person.network, person.id))
        self.first_at = min(self.first_at or document.at, document.at)
        self.last_at = max(self.last_at, document.at)


def reach(db: Connection, found: Iterator[Stored], now: int) -> Reach:
    """What the messages are that a search found."""
    whole, t = Reach(), s.terms.c
    for chunk in chunks(found, CHUNK):
        for document in chunk:
            whole.take(document)
        numbers = [document.number for document in chunk]
        over = select(t.message).where(t.message.in_(numbers), t.until <= now)
        whole.due += len(db.scalars(over).all())
    return whole


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What an order would do: to how many records, how many it would keep longer, how many stay as they are
    because they are kept as long anyway, and how many have no class and so no end."""

    records: int
    longer: int
    enough: int
    endless: int


def foresee(db: Connection, order: Order, numbers: Iterable[int]) -> Foreseen:
    """What an order would do to these records, none of which is touched.

    Raises StoreError when the classes of one do not open any more.
    """
    counted = longer = endless = 0
    for part in chunks(numbers, CHUNK):
        for claim in claims(db, part).values():
            counted += 1
            longer += effect(order, claim) is not None
            endless += not claim.classes
    return Foreseen(counted, longer, counted - longer - endless, endless)


# --- a change of policy ---------------------------------------------------------------------------------


def governed(db: Connection, keys: Iterable[str]) -> dict[str, int]:
    """How many records each of these classes governs now, by class."""
    t = s.terms.c
    names = {key_of(name): name for name in keys}
    chosen = select(t.key, func.count()).where(t.key.in_(list(names)), not_(is_gone(t.message)))
    query = chosen.group_by(t.key)
    found = {names[key]: count for key, count in db.execute(query)}
    return {name: found.get(name, 0) for name in names.values()}
