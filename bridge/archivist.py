"""Brings copies of records to the archives outside, beside the rooms and never in their way.

Rules of this file: what is wanted stands in the store; what an archive was told, and what it answered, stands
there once it has answered. So a crash leaves nothing out, and what is brought twice lies there once. Each
archive has a loop of its own: a slow or dead one holds nobody else up. It reads on a connection and in a
thread of its own, and has no more records in hand than `Pace.at_once` for each archive.

An archive that fails is tried with the copy that failed least, and a record that it declines again and again
is a person's matter, unless it declines others as well and takes none: no record stands in the way of the
rest. An archive's name is one
place for ever: what lies at one address is not looked for at another.

A record of a walled region is taken to no archive outside of that region without an approval: it is refused
here, before anybody is asked, and that is a person's matter too.

Locks follow: what is under a legal hold, or is to live longer than an archive was told, is found by a look
through all copies that lock, whenever holds or terms change and once an hour; a copy that was on its way by
then is looked at as soon as it is recorded. One object that cannot be locked keeps no other from it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection

from bridge import telemetry
from bridge.errors import ConfigError, Damaged, NetworkError, Refused, Unreachable
from bridge.flow import Patience, retry_at
from bridge.ports import DECLINED, Acknowledged, Parcel, Sink
from bridge.reading_back import read_back
from bridge.records.addresses import may_lie
from bridge.records.copies import FORMS, MEDIA
from bridge.sinks.naming import digest_in, name_of
from bridge.store import copies, locks, whole
from bridge.store.causes import asking
from bridge.store.copies import Due, Kept
from bridge.store.database import Database
from bridge.store.kept import key_of
from bridge.store.talks import Naming
from bridge.store.whole import UNNAMED

log = telemetry.log()

Result = TypeVar("Result")
REASON = 200
"""Signs that a table keeps of what an archive said."""
FOREVER = 1 << 30
DAY = 86_400_000

UNCLEARED = (
    "compliance mode locks what nobody can unlock, so it waits for a rehearsal: `weighbridge sinks rehearse "
    "{name} --i-understand`"
)
MOVED = (
    "has copies at {there}, and policy and settings now say {to}. What lies in one place is not looked for "
    "in another: give the new place an id of its own"
)
WALLED = "{name} is not in {origin}, and its policy names no approval by which records may leave that region"
UNLOCKED = "{name}: {count} copies are not locked or held yet as they have to be by now ({why})"
REFUSES = "{name} refuses {count} copies ({why}); after that: `weighbridge sinks retry {name}`"
REMEDIES = {
    "region": "region: its policy has to say that it is in theirs, or the `approval` by which they leave it",
    "too-large": "too-large: raise `[archives] mail_max_mb`, and what the server takes",
    "declined": "declined: the log of the server says why",
    "unwritable": "unwritable: its `format` cannot say what they hold",
    "differs": "differs: other bytes lie under their names; find out who wrote there",
    "damaged": "damaged: they do not open any more; `weighbridge audit verify`",
}
"""What a person does about copies that are parked, by reason."""
LATE = "{name} has lacked copies for {seconds} s: see `weighbridge sinks status`"


class Destination(NamedTuple):
    """An archive as policies name it: full name, address, form of the copies, mode of the lock, region, and
    the approval by which records of another region may go there; whether it is for everybody's."""

    name: str
    to: str
    form: str
    lock: str = ""
    region: str = ""
    approval: str = ""
    everybodys: bool = True


@dataclass(frozen=True, slots=True)
class Pace:
    """How much at once, and how long to wait (seconds). `late`: from when on somebody is called; `tries`: how
    often an archive may decline a record before a person has to look."""

    at_once: int = 4
    batch: int = 64
    look: float = 0.5
    measure: float = 5.0
    follow: float = 60.0
    sweep: float = 3600.0
    settle: float = 60.0
    late: float = 3600.0
    sample: int = 25
    tries: int = 5
    patience: Patience = field(default_factory=lambda: Patience(first=1000, longest=300_000, tries=FOREVER))


class Lag(NamedTuple):
    """How an archive stands: copies wanted, seconds since the oldest is, whether that is too long, what is
    wrong, and how many copies wait for a person."""

    name: str
    wanted: int
    seconds: float
    late: bool
    trouble: str
    parked: int = 0


@dataclass(slots=True)
class _Place:
    """An archive under way. `failures`: in a row, without one that was kept; `next_try`: when it is tried
    again; `took_at`: when it took a copy last, as far as is known here; `behind`: whether locks may lag, so
    that all are looked through again soon; `unlocked`: what is to be said of locks that could not be changed;
    `next_check`: when copies may be read back again."""

    destination: Destination
    sink: Sink | None
    task: asyncio.Task[None] | None = None
    failures: int = 0
    next_try: int = 0
    took_at: int = 0
    trouble: str = ""
    behind: bool = False
    unlocked: str = ""
    next_check: int = 0
    late: bool = False

    @property
    def key(self) -> str:
        return key_of(self.destination.name)


class Archivist:
    """Brings what `database` says is wanted to the archives that `named` gives (by the policies in force),
    through the sinks that `make` makes of them, with people and regions as `naming` has them. Records of the
    regions in `walls` leave those only by an approval."""

    def __init__(
        self,
        database: Database,
        named: Callable[[], Sequence[Destination]],
        make: Callable[[Destination], Sink],
        pace: Pace | None = None,
        naming: Naming = UNNAMED,
        walls: Sequence[str] = (),
    ) -> None:
        self.database, self.named, self.make = database, named, make
        self.pace, self.naming, self.walls = pace or Pace(), naming, walls
        self.places: dict[str, _Place] = {}
        self.waiting: Mapping[str, tuple[int, int]] = {}
        self.refused: Mapping[str, Mapping[str, int]] = {}
        self._thread = ThreadPoolExecutor(1, "archivist")
        self._db: Connection | None = None

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow())
                loop, due = asyncio.get_running_loop(), 0.0
                while True:
                    await self._renew(tasks)
                    if loop.time() >= due:  # it counts all that is wanted
                        await self._measure()
                        due = loop.time() + self.pace.measure
                    await asyncio.sleep(self.pace.look)
        finally:
            for place in self.places.values():
                await self._end(place)
            self._thread.submit(self._close)
            self._thread.shutdown(wait=False)

    async def bring(self, key: str) -> int:
        """Bring an archive what is due there now; gives how many it took."""
        place = self.places.get(key)
        return await self._round(place) if place else 0

    async def renew(self) -> None:
        """Take the archives as the policies name them now, without loops of their own."""
        await self._renew(None)

    def lags(self) -> list[Lag]:
        """How each archive stands, with those that nobody names any more and that still lack copies."""
        now = self.database.clock.now()
        return [self._lag(key, now) for key in self._known()]

    def _known(self) -> list[str]:
        return sorted({*self.places, *self.waiting, *self.refused})

    def trouble(self) -> str:
        """What a person has to know; "" when all is as it should be."""
        return "; ".join(lag.trouble for lag in self.lags() if lag.trouble)

    def _lag(self, key: str, now: int) -> Lag:
        count, since = self.waiting.get(key, (0, 0))
        seconds = (now - since) / 1000 if since else 0.0
        late = seconds > self.pace.late
        place = self.places.get(key)
        name = copies.name_of(key)
        trouble = (
            place.trouble or place.unlocked
            if place
            else f"{name} lacks copies, and no policy in force names it"
        )
        told = LATE.format(name=name, seconds=round(seconds)) if late else ""
        parked = self.refused.get(key, {})
        trouble = "; ".join(filter(None, (trouble or told, refusal(name, parked))))
        return Lag(name, count, seconds, late, trouble, sum(parked.values()))

    # --- which archives

    async def _renew(self, tasks: asyncio.TaskGroup | None) -> None:
        named = {key_of(one.name): one for one in self.named()}
        for key in [key for key, place in self.places.items() if named.get(key) != place.destination]:
            await self._end(self.places.pop(key))
        for key, destination in named.items():
            place = self.places.get(key) or _Place(destination, None)
            self.places[key] = place
            if place.sink is None:
                await self._open(place)
            if tasks is not None and place.sink is not None and place.task is None:
                place.task = tasks.create_task(self._serve(place))

    async def _open(self, place: _Place) -> None:
        name, lock = place.destination.name, place.destination.lock
        if lock == "compliance" and not await self._read(partial(locks.cleared, key=place.key)):
            place.trouble = UNCLEARED.format(name=name)
            return
        try:
            sink = self.make(place.destination)
            await self._read(partial(is_there, destination=place.destination, host=sink.host))
            place.sink, place.trouble = sink, ""
        except ConfigError as error:
            place.trouble = f"{name}: {error}"

    async def _end(self, place: _Place) -> None:
        if place.task is not None:
            place.task.cancel()
            await asyncio.gather(place.task, return_exceptions=True)
        if place.sink is not None:
            await place.sink.close()

    # --- one archive

    async def _serve(self, place: _Place) -> None:
        while True:
            now = self.database.clock.now()
            took = await self._round(place) if now >= place.next_try else 0
            if not took:
                await asyncio.sleep(self.pace.look)

    async def _round(self, place: _Place) -> int:
        """Bring what is due; gives how many were taken. One that failed last time gets one for a trial."""
        now = self.database.clock.now()
        trial = partial(copies.trial, key=place.key, now=now)
        batch = partial(copies.due, key=place.key, now=now, limit=self.pace.batch)
        due = await self._read(trial if place.failures else batch)
        if not due:
            return 0
        turn = asyncio.Semaphore(self.pace.at_once)
        done = await asyncio.gather(*(self._one(place, copy, turn) for copy in due))
        kept = [one for one in done if one is not None]
        if kept:
            await self.database.write(lambda tx: copies.keep(tx, place.key, kept))
            place.failures, place.next_try, place.trouble = 0, 0, ""
            place.took_at = self.database.clock.now()
            log.info("copy:kept", destination=_said(place.key), count=len(kept))
            await self._catch_up(place, kept)
        return len(kept)

    async def _catch_up(self, place: _Place, kept: Sequence[Kept]) -> None:
        """Lock what was just recorded as it has to be by now: a hold may have come or gone since it was put,
        and the look through all copies passed it by while it was on its way."""
        if place.sink is None or not place.sink.locks:
            return
        numbers = [one.copy.message for one in kept]
        for change in await self._read(partial(locks.changes_about, key=place.key, numbers=numbers)):
            if await self._change(place, place.sink, change):
                place.behind = True

    async def _one(self, place: _Place, copy: Due, turn: asyncio.Semaphore) -> Kept | None:
        async with turn:
            if place.next_try > self.database.clock.now():
                return None  # it failed meanwhile: the others wait with it
            try:
                return await self._put(place, copy)
            except Refused as error:
                if error.code == DECLINED and not await self._is_its_own(place, copy):
                    await self._fail(place, copy, error)
                else:
                    await self._park(place, copy, error.code)
            except Damaged:
                await self._park(place, copy, "damaged")
            except Unreachable as error:
                await self._fail(place, copy, error)
        return None

    async def _is_its_own(self, place: _Place, copy: Due) -> bool:
        """Whether a record is declined for its own sake, and often enough: the archive took another since
        then, or there is no other that it did not take."""
        if copy.attempt + 1 < self.pace.tries:
            return False
        others = partial(copies.others_failed, key=place.key, copy=copy)
        return place.took_at >= copy.since or not await self._read(others)

    async def _put(self, place: _Place, copy: Due) -> Kept:
        assert place.sink is not None
        to = place.destination
        parcel = await self._read(partial(_parcel, copy=copy, destination=to, naming=self.naming))
        origin = parcel.record.origin
        if not may_lie(origin, self.walls, to.region, to.approval):
            raise Refused("region", WALLED.format(name=to.name, origin=origin))
        approval = "" if may_lie(origin, self.walls, to.region, "") else to.approval
        answer: Acknowledged = await place.sink.put(parcel, self.database.blobs)
        digest = digest_in(parcel.name)
        told = (digest, answer.objects, answer.answer, answer.until, answer.held)
        return Kept(copy, *told, to.to, approval, place.sink.host)

    async def _park(self, place: _Place, copy: Due, reason: str) -> None:
        await self.database.write(lambda tx: copies.park(tx, place.key, copy, reason))
        place.failures, place.next_try = 0, 0
        log.error("copy:parked", destination=_said(place.key), seq=copy.message, code=reason)

    async def _fail(self, place: _Place, copy: Due, error: NetworkError) -> None:
        """The archive is away, or this record makes it fail: the record waits, and so does the archive."""
        now = self.database.clock.now()
        if place.next_try <= now:  # another of this round may have said so already
            place.failures += 1
            place.next_try = retry_at(now, place.failures, self.pace.patience) or now
        place.trouble = str(error)
        at = retry_at(now, copy.attempt + 1, self.pace.patience) or now
        await self.database.write(lambda tx: copies.postpone(tx, place.key, copy, at, str(error)[:REASON]))
        seconds = round((place.next_try - now) / 1000)
        log.warning("archive:away", destination=_said(place.key), attempt=place.failures, seconds=seconds)

    # --- lateness, second revisions, locks

    async def _measure(self) -> None:
        self.waiting, self.refused = await self._read(lambda db: (copies.waiting(db), copies.refused(db)))
        gauges = telemetry.metrics
        for key, lag in zip(self._known(), self.lags(), strict=True):
            gauges.copies_wanted.labels(_said(key)).set(lag.wanted)
            gauges.copies_parked.labels(_said(key)).set(lag.parked)
            gauges.copies_lag.labels(_said(key)).set(lag.seconds)
            place = self.places.get(key)
            if place is not None:
                if lag.late and not place.late:
                    log.error("archive:late", destination=_said(key), seconds=round(lag.seconds))
                place.late = lag.late

    async def _follow(self) -> None:
        seen, swept = "", -FOREVER
        while True:
            await self.close_lives()
            await self.check()
            now = self.database.clock.now()
            mark = await self._read(locks.mark)
            due = mark != seen or now - swept > self.pace.sweep * 1000
            due |= any(place.behind for place in self.places.values())
            if due and await self.follow_locks():
                seen, swept = mark, now
            await asyncio.sleep(self.pace.follow)

    async def check(self) -> None:
        """Read a sample of copies back from every archive for which nobody did in a day, and say what is not
        as it was taken. The record knows when that was, so a restart changes nothing."""
        for key, place in list(self.places.items()):
            if place.sink is None or not place.sink.recalls or not await self._unchecked(place):
                continue
            try:
                found = await read_back(self.database, place.sink, self.pace.sample, "weighbridge", "daily")
            except NetworkError as error:
                log.warning("copies:unread", destination=_said(key), code=type(error).__name__)
                continue
            if found.lost:
                log.error("copy:lost", destination=_said(key), count=found.lost)
            if found.unlocked:
                log.error("copy:unlocked", destination=_said(key), count=found.unlocked)

    async def _unchecked(self, place: _Place) -> bool:
        now = self.database.clock.now()
        if not self.pace.sample or now < place.next_check:
            return False
        place.next_check = now + round(self.pace.sweep * 1000)
        return await self._read(partial(copies.unchecked, key=place.key, before=now - DAY))

    async def close_lives(self) -> int:
        """Ask for the second revision of whatever is complete by now; gives of how many."""
        before = self.database.clock.now() - round(self.pace.settle * 1000)
        closed = 0
        while await self._read(partial(copies.any_complete, before=before)):
            closed += await self.database.write(lambda tx: copies.close(tx, before, self.pace.batch))
        return closed

    async def follow_locks(self) -> bool:
        """Tell every archive that locks what holds and terms ask for by now; False when one was away."""
        whole_way = True
        for place in list(self.places.values()):
            if place.sink is not None and place.sink.locks:
                whole_way &= await self._follow_place(place, place.sink)
        return whole_way

    async def _follow_place(self, place: _Place, sink: Sink) -> bool:
        after, more, undone, why = 0, True, 0, ""
        place.behind = False
        while more:
            page = await self._read(partial(locks.changes, key=place.key, after=after))
            for change in page.changes:
                place.behind = True  # and more may be: an order about many is carried out in parts
                if trouble := await self._change(place, sink, change):
                    undone, why = undone + 1, trouble
                    if not await _answers(sink):
                        page = page._replace(more=False)
                        break
            after, more = page.last, page.more
        place.unlocked = UNLOCKED.format(name=place.destination.name, count=undone, why=why) if undone else ""
        return not undone

    async def _change(self, place: _Place, sink: Sink, change: locks.Change) -> str:
        """Tell an archive of one copy; gives what kept it from being done. One that is gone is brought again,
        and then locked as it has to be."""
        try:
            await _tell(sink, change)
        except NetworkError as error:
            log.warning("lock:unchanged", destination=_said(place.key), seq=change.copy.message)
            if isinstance(error, Refused) and error.code == "gone":
                await self.database.write(lambda tx: copies.lose(tx, place.key, change.copy, "gone"))
                log.error("copy:lost", destination=_said(place.key), count=1)
                return ""
            return str(error)
        await self.database.write(partial(locks.told, key=place.key, change=change))
        log.info("lock:changed", destination=_said(place.key), seq=change.copy.message)
        return ""

    # --- reading

    async def _read(self, query: Callable[[Connection], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._ask, query)

    def _ask(self, query: Callable[[Connection], Result]) -> Result:
        with asking():
            if self._db is None:
                self._db = self.database.engine.connect()
            with self._db.begin():
                return query(self._db)

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()


def refusal(name: str, parked: Mapping[str, int]) -> str:
    """What a person has to know of copies that an archive will not take as they are (how many, by reason); ""
    for none."""
    if not parked:
        return ""
    why = "; ".join(REMEDIES.get(reason, reason) for reason in sorted(parked))
    return REFUSES.format(name=name, count=sum(parked.values()), why=why)


def is_there(db: Connection, destination: Destination, host: str | None = None) -> None:
    """Whether what an archive has lies where its policy says, and on `host`, where somebody knows which.
    Raises ConfigError when it lies elsewhere; a mailbox, of which there are only receipts, may move."""
    there = copies.address(db, key_of(destination.name))
    if there is None or destination.to.startswith(("smtp:", "smtps:")):
        return
    now = destination.to, there[1] if host is None else host
    if (there[0].rstrip("/"), there[1]) != (now[0].rstrip("/"), now[1]):
        raise ConfigError(MOVED.format(there=_at(*there), to=_at(*now)))


def _at(to: str, host: str) -> str:
    return f"{to} on {host}" if host else to


async def _answers(sink: Sink) -> bool:
    """Whether an archive can be used at all."""
    try:
        await sink.check()
    except NetworkError:
        return False
    return True


def _parcel(db: Connection, copy: Due, destination: Destination, naming: Naming) -> Parcel:
    """What an archive gets of a record: bytes in its form, and how it is to lock them."""
    record = whole.whole(db, copy.message, copy.revision, copy.upto, naming)
    data = FORMS[destination.form](record)
    name = name_of(record, data, destination.form)
    if not destination.lock:
        return Parcel(record, name, data, MEDIA[destination.form])
    (wanted,) = locks.wanted(db, [copy.message])
    return Parcel(record, name, data, MEDIA[destination.form], wanted.until, wanted.held)


async def _tell(sink: Sink, change: locks.Change) -> None:
    """A longer life first, and only then that a hold is over: nothing is free in between."""
    if change.until:
        await sink.keep_until(change.objects, change.until)
    if change.held is not None:
        await sink.hold(change.objects, change.held)


def _said(key: str) -> str:
    """An archive's name for a log line."""
    return key.replace("%", "=")
