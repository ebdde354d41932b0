"""Proofs for somebody outside: hashes of subtrees as they were kept, and what a proof is about.

Rules of this file: it only reads. The roots of complete subtrees stand in `nodes` at every fourth level, so a
proof reads a family of at most sixteen rows for each of its steps; one that is not kept is made from what is
below it, from the leaves if need be. None of this is trusted: whoever hands a proof on verifies it first,
against a signed root.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, and_, bindparam, select

from bridge.errors import Damaged, StoreError
from bridge.ledger.content import digest_of
from bridge.ledger.entry import Entry, decode
from bridge.ledger.tree import NODE_STEP, node_hash, root_of
from bridge.store import schema as s
from bridge.store.prepared import Prepared

FAMILY = 1 << NODE_STEP
"""Nodes, or leaves, that are read together: all below one node that is kept."""

_first, _last = bindparam("first"), bindparam("last")
_LEAVES = Prepared(
    select(s.ledger.c.seq, s.ledger.c.leaf)
    .where(s.ledger.c.lane == bindparam("b_lane"), s.ledger.c.seq.between(_first, _last))
    .order_by(s.ledger.c.seq)
)
_NODES = Prepared(
    select(s.nodes.c.n, s.nodes.c.hash)
    .where(s.nodes.c.lane == bindparam("b_lane"), s.nodes.c.level == bindparam("b_level"))
    .where(s.nodes.c.n.between(_first, _last))
)


class Subtrees:
    """Roots over ranges of a lane's leaves: `bridge.ledger.proofs.Subtree` onto the database."""

    def __init__(self, db: Connection, lane: int) -> None:
        self.db, self.lane = db, lane
        self._families: dict[tuple[int, int], Mapping[int, bytes]] = {}
        self._leaves = (0, 0)

    def __call__(self, first: int, last: int) -> bytes:
        """The root over the leaves from `first` up to, and without, `last`: a subtree of some tree."""
        size = last - first
        if size < 1:
            return root_of(())
        level = size.bit_length() - 1
        if size == 1 << level:
            return self._complete(level, first >> level)
        middle = first + (1 << level)
        return node_hash(self(first, middle), self(middle, last))

    def _complete(self, level: int, n: int) -> bytes:
        """The root of subtree number `n` of those of 2**level leaves."""
        up = level % NODE_STEP
        below, first = level - up, n << up
        return root_of([self._node(below, one) for one in range(first, first + (1 << up))])

    def _node(self, level: int, n: int) -> bytes:
        """A leaf, or the root of a subtree of a level that is kept."""
        found = self._family(level, n // FAMILY).get(n)
        if found is None:
            found = self._from_below(level, n)
        return found

    def _family(self, level: int, parent: int) -> Mapping[int, bytes]:
        """Those below one parent. Of leaves only the family read last is remembered: there are too many."""
        place = level, parent
        if place not in self._families:
            if level == 0:
                self._families.pop(self._leaves, None)
                self._leaves = place
            self._families[place] = self._read(level, parent * FAMILY)
        return self._families[place]

    def _read(self, level: int, first: int) -> Mapping[int, bytes]:
        names = {"b_lane": self.lane, "b_level": level, "first": first, "last": first + FAMILY - 1}
        return dict((_NODES if level else _LEAVES).rows(self.db, names))

    def _from_below(self, level: int, n: int) -> bytes:
        """A node that is not kept. Raises StoreError when a leaf is not there either."""
        if level == 0:
            raise StoreError(f"entry {n} of lane {self.lane} is gone: run `weighbridge audit verify`")
        below, first = level - NODE_STEP, n * FAMILY
        return root_of([self._node(below, one) for one in range(first, first + FAMILY)])


Placed = tuple[int, int, bytes, bytes]
"""An entry with its place: lane, number in the lane, canonical bytes, leaf hash."""


def testimony(lane: int, seq: int, data: bytes) -> Entry:
    """What the bytes of an entry say. Raises Damaged where these are no entry any more."""
    try:
        return decode(data)
    except (ValueError, TypeError):
        raise Damaged(
            f"entry {seq} of lane {lane} is not what was recorded: run `weighbridge audit verify`"
        ) from None


def sworn(entry: Entry, salt: bytes, body: bytes | None) -> dict[str, Any]:
    """What people said beside an entry, as JSON has it. Raises Damaged where that does not open, or is not
    what the entry has the digest of."""
    if body is None or digest_of(salt, body, b"") != entry.digest:
        where = f"beside entry {entry.seq} of lane {entry.lane}"
        raise Damaged(f"what stands {where} is not what was recorded: run `weighbridge audit verify`")
    said: dict[str, Any] = orjson.loads(body)
    return said


def acts_about(db: Connection, subject: str) -> list[tuple[Entry, dict[str, Any]]]:
    """What people did about a subject, in order: each entry, and what was said beside it.

    Raises Damaged where anything of that is gone, or is not what it was: an act that is left out would leave
    the one before it as the last word.
    """
    le, c = s.ledger.c, s.content.c
    query = (
        select(le.lane, le.seq, le.entry, c.salt, c.body)
        .outerjoin(s.content, and_(c.lane == le.lane, c.seq == le.seq))
        .where(le.subject == subject)
        .order_by(le.lane, le.seq)
    )
    said = [(testimony(row.lane, row.seq, row.entry), row) for row in db.execute(query)]
    return [(entry, sworn(entry, row.salt, row.body)) for entry, row in said]


def entry_at(db: Connection, lane: int, seq: int) -> Placed | None:
    """One entry by its place."""
    c = s.ledger.c
    row = db.execute(select(c.lane, c.seq, c.entry, c.leaf).where(c.lane == lane, c.seq == seq)).one_or_none()
    return tuple(row) if row else None


def entries_about(db: Connection, message: int) -> Sequence[Placed]:
    """The entries that testify to a message's life, deliveries included, in order."""
    permits = db.execute(select(s.deliveries.c.permit).where(s.deliveries.c.message == message)).scalars()
    subjects = [f"message/{message}", *(f"delivery/{permit}" for permit in permits)]
    c = s.ledger.c
    query = select(c.lane, c.seq, c.entry, c.leaf).where(c.subject.in_(subjects)).order_by(c.lane, c.seq)
    return [tuple(row) for row in db.execute(query)]
