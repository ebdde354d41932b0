"""Messages as they come, and as things become of them: what `audit tail` shows.

Rules of this file: reads only. The ledger is followed entry by entry in each lane, so that nothing is left
out between two looks; what was given once is not given again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from sqlalchemy import Connection, select

from bridge.flow import MessageState
from bridge.search.document import Document
from bridge.store import schema as s
from bridge.store.documents import Stored, documents
from bridge.store.index.following import about, lane_sizes

ENTRIES = 2000
"""Entries of a lane that one look reads at most."""

_UNDECIDED = (MessageState.NEW, MessageState.FETCHING)

_PERMIT = "delivery/"


class Tail:
    """A place in every lane, and what was given so far. It begins at the ledger's end as `db` shows it."""

    def __init__(self, db: Connection, given: Iterable[int] = ()) -> None:
        self.positions = dict(lane_sizes(db))
        self._given = set(given)

    def look(self, db: Connection, accepts: Callable[[Document], bool]) -> tuple[list[Stored], bool]:
        """The messages that something was written about since the last look, that were judged and that are
        accepted, each once ever; and whether there is more to look at. `db` is in a transaction."""
        numbers, more = self._next(db)
        found = documents(db, sorted(numbers - self._given))
        shown = [one for one in found if one.state not in _UNDECIDED and accepts(one)]
        self._given.update(one.number for one in shown)
        return shown, more

    def _next(self, db: Connection) -> tuple[set[int], bool]:
        numbers: set[int] = set()
        permits: set[str] = set()
        sizes = lane_sizes(db)
        for lane, size in sizes.items():
            le, start = s.ledger.c, self.positions.get(lane, 0)
            if start >= size:
                continue
            end = min(size, start + ENTRIES)
            query = select(le.subject).where(le.lane == lane, le.seq >= start, le.seq < end)
            for subject in db.execute(query).scalars():
                if subject.startswith(_PERMIT):
                    permits.add(subject.removeprefix(_PERMIT))
                elif number := about(subject):
                    numbers.add(number)
            self.positions[lane] = end
        return numbers | _of_permits(db, permits), self._behind(sizes)

    def _behind(self, sizes: Mapping[int, int]) -> bool:
        return any(self.positions.get(lane, 0) < size for lane, size in sizes.items())


def _of_permits(db: Connection, permits: set[str]) -> set[int]:
    """The messages that these permits let out."""
    d = s.deliveries.c
    return set(db.execute(select(d.message).where(d.permit.in_(permits))).scalars()) if permits else set()
