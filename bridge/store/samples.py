"""Review after delivery: a day's messages are drawn so that nobody can choose, and closed by a person.

Rules of this file: the seed is the ledger's root as it stood when the day ended, so that whoever wrote that
day could not know it. What was drawn stands in the ledger with the seed: anybody can draw again.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from sqlalchemy import Connection, func, select, update

from bridge.errors import Conflict
from bridge.store import schema as s
from bridge.store.codec import dump
from bridge.store.proving import testimony
from bridge.store.rows import states_in
from bridge.store.writer import Tx


@dataclass(frozen=True, slots=True)
class Draw:
    """What was drawn for a day: `rules` has, by "policy/rule", how many were eligible and which are drawn."""

    day: str
    seed: str
    size: int
    rules: Mapping[str, tuple[int, tuple[int, ...]]]

    @property
    def drawn(self) -> list[int]:
        """The messages that are to be reviewed, each once."""
        return sorted({number for _, drawn in self.rules.values() for number in drawn})


def draw(tx: Tx, lane: int, day: date, person: str, reason: str) -> Draw:
    """Draw the messages of a day that is over. Raises Conflict when it is not, or was drawn before."""
    end = int((datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)).timestamp() * 1000)
    name = day.isoformat()
    if end > tx.now:
        raise Conflict(f"{name} is not over yet (days end at midnight UTC)")
    subject = f"sample/{name}"
    if tx.db.execute(select(s.ledger.c.seq).where(s.ledger.c.subject == subject)).first():
        raise Conflict(f"the messages of {name} were drawn already; see `weighbridge review list --sampled`")
    size, root = _root_at(tx.db, lane, end)
    rules = {}
    for key, eligible in _eligible(tx.db, lane, name).items():
        # A rule that was changed during the day draws by its higher percentage.
        percent = max(eligible.values(), key=Fraction)
        rules[key] = len(eligible), chosen(root, key, percent, eligible)
    done = Draw(name, root.hex(), size, rules)
    _record(tx, lane, subject, done, {"person": person, "reason": reason})
    return done


def _record(tx: Tx, lane: int, subject: str, done: Draw, act: Mapping[str, str]) -> None:
    eligible = sum(count for count, _ in done.rules.values())
    facts = {"day": done.day, "seed": done.seed, "size": done.size, "eligible": eligible, "drawn": done.drawn}
    rules = {key: {"eligible": count, "drawn": drawn} for key, (count, drawn) in done.rules.items()}
    entry = tx.append(lane, "sample:drawn", subject, facts, dump({**act, "rules": rules}))
    c = s.samples.c
    of_day = update(s.samples).where(c.day == done.day, c.state == "eligible")
    for key, (_, drawn) in done.rules.items():
        for number in drawn:
            tx.db.execute(of_day.where(c.key == key, c.message == number).values(state="drawn", entry=entry))
    tx.db.execute(of_day.values(state="spared", entry=entry))


def chosen(seed: bytes, key: str, percent: str, numbers: Iterable[int]) -> tuple[int, ...]:
    """`percent` of `numbers`, rounded up: those whose SHA-256 with the seed is smallest; in order."""
    ranked = sorted(numbers, key=lambda number: _rank(seed, key, number))
    return tuple(sorted(ranked[: math.ceil(len(ranked) * Fraction(percent) / 100)]))


def _rank(seed: bytes, key: str, number: int) -> bytes:
    return hashlib.sha256(b"".join((seed, key.encode(), b"\x00", str(number).encode()))).digest()


def _eligible(db: Connection, lane: int, day: str) -> dict[str, dict[int, str]]:
    """The eligible messages of a day by rule, each with its percentage."""
    c = s.samples.c
    query = (
        select(c.key, c.percent, c.message)
        .join(s.messages, s.messages.c.id == c.message)
        .where(c.day == day, c.state == "eligible", s.messages.c.lane == lane)
        .order_by(c.key, c.message)
    )
    groups: dict[str, dict[int, str]] = {}
    for key, percent, number in db.execute(query):
        groups.setdefault(key, {})[number] = percent
    return groups


def _root_at(db: Connection, lane: int, end: int) -> tuple[int, bytes]:
    """Size and root of the lane's tree as it stood at `end` (milliseconds)."""
    h = s.heads.c
    low, high = 0, db.execute(select(func.max(h.size)).where(h.lane == lane)).scalar() or 0
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if _at(db, lane, middle) < end else (low, middle)
    query = select(h.size, h.root).where(h.lane == lane, h.size <= low).order_by(h.size.desc()).limit(1)
    row = db.execute(query).first()
    if row is None:
        raise Conflict("nothing was recorded before that day was over")
    return row.size, row.root


def _at(db: Connection, lane: int, seq: int) -> int:
    le = s.ledger.c
    entry = db.execute(select(le.entry).where(le.lane == lane, le.seq == seq)).scalar_one()
    return testimony(lane, seq, entry).at


def close(tx: Tx, number: int, person: str, finding: str) -> None:
    """A reviewer has looked at a drawn message. Raises Conflict when it is not one that waits for that."""
    c = s.samples.c
    drawn = (c.message == number, states_in(c.state, "drawn"))
    if tx.db.execute(select(c.key).where(*drawn)).first() is None:
        raise Conflict(f"message {number} is not drawn for review; see `weighbridge review list --sampled`")
    lane = tx.db.execute(select(s.messages.c.lane).where(s.messages.c.id == number)).scalar_one()
    act = dump({"person": person, "reason": finding})
    entry = tx.append(lane, "sample:closed", f"message/{number}", {"message": number}, act)
    tx.db.execute(update(s.samples).where(*drawn).values(state="closed", entry=entry))


def waiting(db: Connection) -> Sequence[tuple[int, str, str, str]]:
    """Drawn messages that wait for a reviewer: number, rule, queue and day, in order."""
    c = s.samples.c
    query = (
        select(c.message, c.key, c.queue, c.day).where(states_in(c.state, "drawn")).order_by(c.message, c.key)
    )
    return [(row.message, row.key, row.queue, row.day) for row in db.execute(query)]
