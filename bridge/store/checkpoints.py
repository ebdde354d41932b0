"""Signed checkpoints in the database: what was signed, in order, and what places outside answered.

Rules of this file: it knows rows, not keys. A checkpoint is never changed or deleted; one is written only
for a head that has been committed, by whoever owns the lane.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from bridge.store import schema as s
from bridge.store.writer import Tx

AUTHORITY = "rfc3161+"
"""How the names of time-stamping authorities begin among places outside."""

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
    """Write a checkpoint down, once. Raises StoreError when somebody else owns the lane by now.

    A round that is cancelled may have been written all the same, and the last one signs what it signed.
    """
    tx.fence(lane, epoch)
    if note_of(tx.db, lane, size) is not None:
        return
    tx.db.execute(insert(s.checkpoints).values(lane=lane, size=size, note=note.encode()))


class Answer(NamedTuple):
    """What a place outside answered to a checkpoint of `size` entries, at `at` (milliseconds)."""

    lane: int
    size: int
    witness: str
    at: int
    answer: bytes


def last_answer(db: Connection, lane: int, witness: str) -> Answer | None:
    """What this place answered last."""
    w = s.witnessed.c
    query = select(s.witnessed).where(w.lane == lane, w.witness == witness).order_by(w.size.desc()).limit(1)
    row = db.execute(query).first()
    return Answer(row.lane, row.size, row.witness, row.at, row.answer) if row else None


def has_left(db: Connection, witness: str) -> bool:
    """Whether a checkpoint of any lane was ever left in this place: its first one is remembered."""
    return db.execute(select(s.witnessed.c.at).where(s.witnessed.c.witness == witness)).first() is not None


def answers(db: Connection, lane: int, first: int, last: int) -> Sequence[Answer]:
    """What all places answered to checkpoints of `first` to `last` entries, both included, in order."""
    w = s.witnessed.c
    query = select(s.witnessed).where(w.lane == lane, w.size.between(first, last))
    rows = db.execute(query.order_by(w.size, w.witness))
    return [Answer(row.lane, row.size, row.witness, row.at, row.answer) for row in rows]


def stamped(db: Connection, lane: int) -> Iterator[tuple[int, str, Sequence[bytes]]]:
    """Each checkpoint that was time-stamped, in order: size, note, the responses of authorities."""
    w, c = s.witnessed.c, s.checkpoints.c
    both = s.witnessed.join(s.checkpoints, (c.lane == w.lane) & (c.size == w.size))
    query = select(w.size, c.note, w.answer).select_from(both).where(w.lane == lane)
    rows = db.execute(query.where(w.witness.startswith(AUTHORITY)).order_by(w.size, w.witness))
    for (size, note), found in groupby(rows, lambda row: (row.size, row.note)):
        yield size, note.decode(), [row.answer for row in found]


def keep_answer(tx: Tx, answer: Answer, epoch: int) -> None:
    """Write down what a place answered; the first answer stays. Raises StoreError like `keep`."""
    tx.fence(answer.lane, epoch)
    w = s.witnessed.c
    same = (w.lane == answer.lane, w.size == answer.size, w.witness == answer.witness)
    if tx.db.execute(select(w.at).where(*same)).first() is None:
        tx.db.execute(insert(s.witnessed).values(answer._asdict()))


def leaves(db: Connection, lane: int, first: int, last: int) -> Sequence[bytes]:
    """The leaf hashes of a range of entries, in order."""
    c = s.ledger.c
    query = select(c.leaf).where(c.lane == lane, c.seq >= first, c.seq < last).order_by(c.seq)
    return [leaf for (leaf,) in db.execute(query)]
