"""Proofs for somebody outside: hashes of subtrees from the ledger's leaves, and what a proof is about.

Rules of this file: it only reads. A subtree is hashed once, however many proofs need it: the first proof
hashes the whole tree, each one after it a block of leaves, read where its path goes through. Whoever hands a
proof on verifies it first, against a signed root.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from bridge.ledger.tree import node_hash, root_of
from bridge.store import schema as s
from bridge.store.checkpoints import leaves

BLOCK = 256
"""Leaves that are read together. Subtrees that begin with a block are remembered."""


class Subtrees:
    """Roots over ranges of a lane's leaves: `bridge.ledger.proofs.Subtree` onto the database."""

    def __init__(self, db: Connection, lane: int) -> None:
        self.db, self.lane = db, lane
        self._known: dict[tuple[int, int], bytes] = {}
        self._block, self._leaves = -1, leaves(db, lane, 0, 0)

    def __call__(self, first: int, last: int) -> bytes:
        """The root over the leaves from `first` up to, and without, `last`."""
        if first % BLOCK:
            return self._read(first, last)
        if (first, last) not in self._known:
            self._known[first, last] = self._joined(first, last)
        return self._known[first, last]

    def _joined(self, first: int, last: int) -> bytes:
        if last - first <= BLOCK:
            return self._read(first, last)
        middle = first + (1 << ((last - first - 1).bit_length() - 1))
        return node_hash(self(first, middle), self(middle, last))

    def _read(self, first: int, last: int) -> bytes:
        block = first - first % BLOCK
        if block != self._block:
            self._block, self._leaves = block, leaves(self.db, self.lane, block, block + BLOCK)
        return root_of(self._leaves[first - block : last - block])


Placed = tuple[int, int, bytes, bytes]
"""An entry with its place: lane, number in the lane, canonical bytes, leaf hash."""


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
