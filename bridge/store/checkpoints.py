"""Signed checkpoints in the database: what was signed, in order.

Rules of this file: it knows rows, not keys. A checkpoint is never changed or deleted; one is written only
for a head that has been committed, by whoever owns the lane.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from bridge.store import schema as s
from bridge.store.writer import Tx

Kept = tuple[int, str]
"""Size and signed note of a checkpoint."""


def head(db: Connection, lane: int) -> tuple[int, bytes] | None:
    """Size and root of a lane's tree as it was committed last."""
    h = s.heads.c
    row = db.execute(select(h.size, h.root).where(h.lane == lane).order_by(h.size.desc()).limit(1)).first()
    return (row.size, row.root) if row else None


def newest(db: Connection, lane: int) -> Kept | None:
    """A lane's last checkpoint."""
    c = s.checkpoints.c
    query = select(c.size, c.note).where(c.lane == lane).order_by(c.size.desc()).limit(1)
    row = db.execute(query).first()
    return (row.size, row.note.decode()) if row else None


def note_of(db: Connection, lane: int, size: int) -> str | None:
    """The checkpoint of exactly this size."""
    c = s.checkpoints.c
    found = db.execute(select(c.note).where(c.lane == lane, c.size == size)).scalar()
    return found.decode() if found is not None else None


def after(db: Connection, lane: int, size: int, limit: int) -> Sequence[Kept]:
    """Checkpoints of more than `size` entries, the smallest first."""
    c = s.checkpoints.c
    query = select(c.size, c.note).where(c.lane == lane, c.size > size).order_by(c.size).limit(limit)
    return [(row.size, row.note.decode()) for row in db.execute(query)]


def keep(tx: Tx, lane: int, size: int, note: str, epoch: int) -> None:
    """Write a checkpoint down. Raises StoreError when somebody else owns the lane by now."""
    tx.fence(lane, epoch)
    tx.db.execute(insert(s.checkpoints).values(lane=lane, size=size, note=note.encode()))


def leaves(db: Connection, lane: int, first: int, last: int) -> Sequence[bytes]:
    """The leaf hashes of a range of entries, in order."""
    c = s.ledger.c
    query = select(c.leaf).where(c.lane == lane, c.seq >= first, c.seq < last).order_by(c.seq)
    return [leaf for (leaf,) in db.execute(query)]
