"""Signs what the ledger has become, and leaves it outside the database.

Rules of this file: it works beside the rooms and never in their way: it reads committed heads, writes rows
of its own, and waits for no place outside longer than `PATIENCE`. A place that cannot be reached costs a log
line and shows in the metrics and in `trouble`; what it missed is brought later. A folder gets every
checkpoint, in order; a place that has an interval gets the newest, which covers all before it, and the last
one at the end.

Order of a round: sign, commit, leave outside. So whatever is outside is in the database, always; a crash in
between leaves a checkpoint that the next round brings. A place that has a checkpoint which the database
does not know is not behind: the database is another one, or an older one. Then nothing more is signed,
because two histories must never have one name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bridge import telemetry
from bridge.errors import Conflict, Unwitnessed
from bridge.ledger.checkpoint import Signer
from bridge.ports import Witness
from bridge.store import checkpoints
from bridge.store.checkpoints import Answer
from bridge.store.database import Database

log = telemetry.log()

PATIENCE = 10.0
"""Seconds that a place may take before it counts as away."""

AT_ONCE = 500
"""Checkpoints that are read for a place in one go."""

NOTHING = -1
"""The size of the newest checkpoint in a place that has none."""

FIRST_PAUSE, LONGEST_PAUSE = 60.0, 900.0
"""Seconds before a place with an interval is tried again after a failure: doubled, from first to longest."""

LATE = 180.0
"""Seconds, beyond twice its interval, for which a place may lack checkpoints before somebody is called."""

OTHER = (
    "the checkpoints in {name} are of another history than this database: was it restored, or changed? "
    "`weighbridge audit verify` says; nothing more is signed"
)
AWAY = "checkpoints cannot be left in {name}: {why}"
BEHIND = "{name} has got no checkpoint for too long"


class Lag(NamedTuple):
    """How a place stands: `number` in the order of the settings; `size` of the newest checkpoint there;
    `seconds` since there was one that it lacks; whether that is too long; what is wrong."""

    number: int
    name: str
    size: int
    seconds: float
    late: bool
    trouble: str


@dataclass(slots=True)
class _Place:
    """One place: the size of its newest checkpoint, None before the first look; whether the store remembers
    that one was left there; when (milliseconds) it got one, and since when it lacks one (0: it lacks none);
    how often it failed, when it is tried again."""

    number: int
    witness: Witness
    size: int | None = None
    begun: bool = False
    left_at: int = 0
    behind_since: int = 0
    failures: int = 0
    next_try: int = 0
    trouble: str = ""
    late: bool = False

    def due(self, now: int, *, last: bool) -> bool:
        """Whether it is time to ask this place."""
        waited = now >= self.next_try and now >= self.left_at + self.witness.every * 1000
        return waited or last

    def lag(self, now: int) -> float:
        """Seconds for which there has been a checkpoint that this place lacks."""
        return (now - self.behind_since) / 1000 if self.behind_since else 0.0


class Notary:
    """Signs the checkpoints of the lane that `database` owns, every so many seconds, and leaves them with
    `witnesses`."""

    def __init__(
        self, signer: Signer, database: Database, witnesses: Sequence[Witness], every: float
    ) -> None:
        self.signer, self.database, self.every = signer, database, every
        self.places = [_Place(number, witness) for number, witness in enumerate(witnesses, 1)]
        self.size = 0
        self.covered_at = database.clock.now()
        self.differs = False

    async def run(self) -> None:
        """A round now, and one each `every` seconds."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + self.every
            await self.round()
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def round(self, *, last: bool = False) -> None:
        """Look at new places, sign what was appended, and bring it wherever it is missing; in the `last`
        round to those as well whose interval is not over.

        Raises StoreError when the database fails.
        """
        began = self.database.clock.now()
        new = [place for place in self.places if place.size is None and place.due(began, last=last)]
        await asyncio.gather(*(self._look_at(place) for place in new))
        if self.differs:
            return
        await self._sign()
        for place in self.places:
            self._measure(place)
        ready = [place for place in self.places if place.size is not None and place.due(began, last=last)]
        await asyncio.gather(*(self._bring(place) for place in ready))
        self._alarm()
        if not any(place.trouble for place in self.places if not place.witness.every):
            self.covered_at = began

    def trouble(self) -> str:
        """What a person has to know about checkpoints; "" when all is as it should be."""
        told = (place.trouble or self._lateness(place) for place in self.places)
        return "; ".join(filter(None, told))

    def age(self) -> float:
        """Seconds since all that was in the ledger was also in a checkpoint, and that in every folder."""
        return (self.database.clock.now() - self.covered_at) / 1000

    def lags(self) -> list[Lag]:
        """How each place stands."""
        now = self.database.clock.now()
        return [
            Lag(
                one.number,
                one.witness.name,
                max(one.size or 0, 0),
                one.lag(now),
                self._is_late(one),
                one.trouble or self._lateness(one),
            )
            for one in self.places
        ]

    async def _sign(self) -> None:
        lane = self.database.lane
        head = await self.database.read(lambda db: checkpoints.head(db, lane))
        last = await self.database.read(lambda db: checkpoints.newest(db, lane))
        self.size = last[0] if last else 0
        if head is None or head[0] <= self.size:
            return
        size, root = head
        note = self.signer.sign(lane, size, root)
        epoch = self.database.epoch
        await self.database.write(lambda tx: checkpoints.keep(tx, lane, size, note, epoch))
        self.size = size
        log.info("checkpoint:signed", lane=lane, count=size, root=root.hex())

    # --- being late

    def _measure(self, place: _Place) -> None:
        behind = place.size is None or place.size < self.size
        if not behind:
            place.behind_since = 0
        elif not place.behind_since:
            place.behind_since = self.database.clock.now()

    def _is_late(self, place: _Place) -> bool:
        return place.lag(self.database.clock.now()) > 2 * place.witness.every + LATE

    def _lateness(self, place: _Place) -> str:
        return BEHIND.format(name=place.witness.name) if self._is_late(place) else ""

    def _alarm(self) -> None:
        """Say once that a place has lacked checkpoints for too long."""
        for place in self.places:
            late = self._is_late(place)
            if late and not place.late:
                seconds = round(place.lag(self.database.clock.now()))
                log.error("checkpoint:late", anchor=place.number, seconds=seconds)
            place.late = late

    # --- places outside

    async def _look_at(self, place: _Place) -> None:
        """Where a place stands; one of another history ends the signing."""
        lane = self.database.lane
        if not place.witness.recalls:
            await self._remember(place, lane)
            return
        name = place.witness.name
        place.begun = await self.database.read(lambda db: checkpoints.has_left(db, name))
        try:
            async with asyncio.timeout(PATIENCE):
                there = await place.witness.newest(lane, begun=place.begun)
        except (Unwitnessed, TimeoutError) as error:
            self._away(place, error)
            return
        if there is None:
            place.size = NOTHING
        elif there[1] == await self.database.read(lambda db: checkpoints.note_of(db, lane, there[0])):
            place.size = there[0]
        else:
            self._differs(place)

    async def _remember(self, place: _Place, lane: int) -> None:
        name = place.witness.name
        answer = await self.database.read(lambda db: checkpoints.last_answer(db, lane, name))
        place.size = answer.size if answer else NOTHING
        place.left_at = answer.at if answer else 0

    async def _bring(self, place: _Place) -> None:
        """What a place lacks; a new one begins with the newest."""
        try:
            while notes := await self._missing(place):
                for size, note in notes:
                    await self._leave(place, size, note)
        except Conflict:
            self._differs(place)
        except (Unwitnessed, TimeoutError) as error:
            self._away(place, error)
        else:
            place.trouble, place.failures, place.next_try = "", 0, 0
            self._measure(place)

    async def _leave(self, place: _Place, size: int, note: str) -> None:
        lane, epoch = self.database.lane, self.database.epoch
        async with asyncio.timeout(PATIENCE):
            said = await place.witness.leave(lane, size, note)
        place.size, place.left_at = size, self.database.clock.now()
        if said or not place.begun:
            answer = Answer(lane, size, place.witness.name, place.left_at, said)
            await self.database.write(lambda tx: checkpoints.keep_answer(tx, answer, epoch))
            place.begun = True
        if place.witness.every:
            log.info("checkpoint:witnessed", anchor=place.number, lane=lane, count=size)

    async def _missing(self, place: _Place) -> Sequence[checkpoints.Kept]:
        """The checkpoints to bring: all that a folder lacks, or the newest."""
        lane = self.database.lane
        newest_only = place.size == NOTHING or place.witness.every
        last = max(self.size - 1, place.size or 0) if newest_only else place.size
        return await self.database.read(lambda db: checkpoints.after(db, lane, last or 0, AT_ONCE))

    def _away(self, place: _Place, error: Unwitnessed | TimeoutError) -> None:
        why, code = ("slow", "slow") if isinstance(error, TimeoutError) else (str(error), error.code)
        place.trouble = AWAY.format(name=place.witness.name, why=why)
        place.failures += 1
        if place.witness.every:
            pause = min(FIRST_PAUSE * 2.0 ** min(place.failures - 1, 10), LONGEST_PAUSE)
            place.next_try = self.database.clock.now() + round(pause * 1000)
        log.error("checkpoint:unanchored", anchor=place.number, code=code)

    def _differs(self, place: _Place) -> None:
        self.differs = True
        place.trouble = OTHER.format(name=place.witness.name)
        log.error("checkpoint:differs", anchor=place.number)
