"""Following the ledger: whatever an entry says about a message, the index knows that message anew.

Rules of this file: what is known comes from the archive as it is now, not from the entry, so the order in
which messages are looked at does not matter, and a message that was looked at after an entry was written need
not be looked at for that entry. A position is moved with the words that were found up to it, or not at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, bindparam, func, select

from bridge.search.tokens import tokens_of
from bridge.store import schema as s
from bridge.store.documents import Reading
from bridge.store.index import Index, Known, Part, Step, month_of
from bridge.store.index.blocks import SIZE, Block
from bridge.store.prepared import Prepared

PAGE = 256
"""Messages that are opened together."""

_MANY = 8192
"""Entries of one step when nothing else is to be done."""

_SOME = 1024
"""Entries of one step when somebody waits: a tenth of a second."""

_REMEMBERED = 100_000
"""Messages of which it is remembered when they were looked at."""

_ABOUT = "message/"

Advance = Callable[[int, int], None]
"""Told how much was done, and of how much. It may raise, to stop."""

_LANES = Prepared(select(s.lanes.c.lane, s.lanes.c.size))
_ENTRIES = Prepared(
    select(s.ledger.c.seq, s.ledger.c.subject)
    .where(s.ledger.c.lane == bindparam("b_lane"), s.ledger.c.seq >= bindparam("b_seq"))
    .order_by(s.ledger.c.seq)
    .limit(bindparam("b_limit"))
)


@dataclass(slots=True)
class Follower:
    """Follows the ledger for one index."""

    index: Index
    _looked: dict[int, Mapping[int, int]] = field(default_factory=dict)

    def look(self, db: Connection, entries: int = 2048) -> Step | None:
        """What the next `entries` of each lane bring; None when there are none. `db` is in a transaction."""
        before = self.index.state(db).positions
        sizes = lane_sizes(db)
        after, numbers = dict(before), set()
        for lane, size in sizes.items():
            if before.get(lane, 0) < size:
                after[lane] = self._entries(db, lane, before.get(lane, 0), entries, numbers)
        if after == before:
            return None
        known = list(known_of(Reading(db, self.index.directory), sorted(numbers)))
        self._remember(numbers, sizes)
        return Step(before, after, known, self._blocks(db, known))

    def _entries(self, db: Connection, lane: int, seq: int, limit: int, numbers: set[int]) -> int:
        """The position behind the next entries of a lane; `numbers` gets the messages they are about."""
        rows = _ENTRIES.rows(db, {"b_lane": lane, "b_seq": seq, "b_limit": limit})
        for place, subject in rows:
            number = about(subject)
            if number and place >= self._looked.get(number, NEVER).get(lane, 0):
                numbers.add(number)
        return rows[-1][0] + 1 if rows else seq

    def _remember(self, numbers: Iterable[int], sizes: Mapping[int, int]) -> None:
        if len(self._looked) > _REMEMBERED:
            self._looked.clear()
        self._looked.update(dict.fromkeys(numbers, sizes))

    def _blocks(self, db: Connection, known: Sequence[Known]) -> Sequence[Block]:
        """The blocks that these messages are in, from the last one on that may have been growing."""
        first = self.index.state(db).blocks.end
        last = max((one.number for one in known), default=-1)
        return blocks_between(db, first, last) if last >= first else ()

    def step(self, db: Connection, entries: int = 2048) -> bool:
        """One step, as a transaction of its own; False when there was nothing to follow."""
        with db.begin():
            step = self.look(db, entries)
        if step is None:
            return False
        if not self.index.add(db, step):
            self._looked.clear()  # another process was faster: what we looked at was not kept
        return True

    def repair(self, db: Connection) -> Part | None:
        """Make the first month again that has to be; None when there is none."""
        with db.begin():
            part = next((part for part in self.index.state(db).parts if part.stale), None)
            if part is not None:
                self.index.replace(db, part, known_in(db, self.index, part))
        return part


NEVER: Mapping[int, int] = {}


def about(subject: str) -> int:
    """The number of the message that an entry is about, 0 if it is about something else."""
    return int(subject[len(_ABOUT) :]) if subject.startswith(_ABOUT) else 0


def lane_sizes(db: Connection) -> Mapping[int, int]:
    """How many entries each lane has."""
    return dict(_LANES.rows(db, {}))


def known_of(reading: Reading, numbers: Sequence[int]) -> Iterator[Known]:
    """These messages with their words, a page at a time."""
    for start in range(0, len(numbers), PAGE):
        for document in reading.documents(numbers[start : start + PAGE]):
            yield Known(document.number, document.at, tokens_of(document))


def known_in(db: Connection, index: Index, part: Part) -> Iterator[Known]:
    """Every message of a month with its words, in the order of their numbers."""
    reading = Reading(db, index.directory)
    for start in range(part.first, part.last + 1, PAGE):
        numbers = range(start, min(start + PAGE, part.last + 1))
        yield from (one for one in known_of(reading, numbers) if month_of(one.at) == part.name)


def waiting(
    db: Connection, sizes: Mapping[int, int], positions: Mapping[int, int], limit: int
) -> list[int] | None:
    """Messages that the ledger speaks of behind these positions, in order; None when more than `limit`
    entries are waiting. `sizes` are those of the lanes."""
    numbers: set[int] = set()
    for lane, size in sizes.items():
        seq = positions.get(lane, 0)
        if size - seq > limit:
            return None
        if seq < size:
            rows = _ENTRIES.rows(db, {"b_lane": lane, "b_seq": seq, "b_limit": limit})
            numbers.update(about(subject) for _, subject in rows)
    return sorted(numbers - {0})


def blocks_between(db: Connection, first: int, last: int) -> Sequence[Block]:
    """The blocks from the one that has `first` to the one that has `last`, as they are now."""
    low, high = first // SIZE * SIZE, (last // SIZE + 1) * SIZE
    found = []
    for start in range(low, high, SIZE):
        look = {"b_low": start, "b_high": start + SIZE}
        messages, since, until = _BLOCK.rows(db, look)[0]
        if messages:
            found.append(Block(start // SIZE, messages, since, until))
    return found


_BLOCK = Prepared(
    select(func.count(), func.min(s.messages.c.archived_at), func.max(s.messages.c.archived_at)).where(
        s.messages.c.id >= bindparam("b_low"), s.messages.c.id < bindparam("b_high")
    )
)


def catch_up(engine: Engine, index: Index, seconds: float, advance: Advance | None = None) -> bool:
    """Follow for so long at most; whether everything was followed. `advance` is told after each step how many
    entries were, and of how many."""
    follower, end = Follower(index), time.monotonic() + seconds
    with engine.connect() as db:
        while follower.repair(db) is not None:
            pass
        while time.monotonic() < end:
            if not follower.step(db, _MANY):
                return True
            if advance is not None:
                advance(*progress(db, index))
    return False


def approach(engine: Engine, index: Index, seconds: float, advance: Advance | None = None) -> int:
    """Follow a little at a time, for so long at most, and make no month again; how many entries are left."""
    follower, end = Follower(index), time.monotonic() + seconds
    with engine.connect() as db:
        done, size = progress(db, index)
        while done < size and time.monotonic() < end and follower.step(db, _SOME):
            done, size = progress(db, index)
            if advance is not None:
                advance(done, size)
    return max(0, size - done)


def behind(db: Connection, index: Index) -> int:
    """How many entries the index has not followed. `db` is in a transaction."""
    positions = index.state(db).positions
    return sum(max(0, size - positions.get(lane, 0)) for lane, size in lane_sizes(db).items())


def progress(db: Connection, index: Index) -> tuple[int, int]:
    """How many entries were followed, and of how many. `db` is in no transaction."""
    with db.begin():
        return sum(index.state(db).positions.values()), sum(lane_sizes(db).values())
