"""Watches the watching: how long a network goes unread, and a certificate a day that nothing is missing.

Rules of this file: it works beside the rooms. What it compares it reads on a connection of its own, so that a
day of a million messages keeps nobody waiting. A difference never stops the house; a network that goes unread
for too long does, because the alternative is to talk unrecorded:

    lag_alarm     somebody is called
    lag_stop      nothing is passed on in either direction; both sides are told, by the bridge's own words
    read again    it goes on by itself, and both sides are told

A day that nobody certified is itself an alarm, and is certified as soon as possible.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from bridge import telemetry
from bridge.errors import Damaged, Missing, NetworkError
from bridge.ledger.checkpoint import Signer, Verifier
from bridge.message import SYMPHONY, WEIXIN, Batch, Sighting, Unasked
from bridge.policy import PolicySet
from bridge.ports import Connector
from bridge.records import canaries, expectations
from bridge.records.capture import Capture, Instant, was_set
from bridge.records.certificate import MOST, Account, Certificate, moment, signed
from bridge.records.reconcile import NOT_HAD, Fault, Ours, Recount, Stage, What, letters
from bridge.store import certificates, checkpoints, disposal, heartbeats, reconciling
from bridge.store.database import Database
from bridge.store.lease import elapsed
from bridge.store.signing import write_whole
from bridge.store.verify import Finding, verify_tree

log = telemetry.log()

LOOK = 10.0
"""Seconds between two looks at how long networks have gone unread."""

ROUND = 60.0
"""Seconds between two looks at whether a day is to be certified."""

BEAT = 3_600_000
"""Milliseconds between two entries that say that a network was read."""

DAY = 86_400_000

SETTLE = 60_000
"""Milliseconds after which a message must have come into the archive."""

SET = 60_000
"""Milliseconds by which somebody set the clock of the machine from which on that is an alarm."""

START = 120_000
"""Milliseconds that a new process has to read a network before anybody is told that it is not read."""

OVERLAP = 3_600_000
"""Milliseconds around a span of which a network is asked as well: what came late in the day before, and what
a network whose clock is ahead has in the next."""

WINDOW = 500
"""Sightings that are looked up at once."""

MARGIN = 100_000
"""Messages around a span that a network may show as well."""

OVERDUE = 3 * 3_600_000
"""Milliseconds after its hour from which on a missing certificate is an alarm."""

OLDEST = 7
"""Days back that are certified when nobody did in time; those before wait for a person."""

AGAIN = 4 * 3_600_000
"""Milliseconds after which a day is certified again of which not all was asked, or that failed. Later it is
half of the time since the day ended: what does not answer for days is not asked all the time."""

SPOILED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""What reading a value raises that is of no form that was ever written."""


class NotBegun(ValueError):
    """A span of which no moment has passed yet."""


Plant = Callable[[str, str], Awaitable[object]]
"""Posts a signed note under a key where it must come back from."""

Trial = Callable[[PolicySet | None], Awaitable[Mapping[str, str]]]
"""Tries something on purpose under the policies in force (None: there are none); gives what came of it, by
name: `canaries.WELL`, or what is wrong."""


def ticks() -> int:
    """Milliseconds of a clock that only counts: nobody sets it."""
    return round(elapsed() * 1000)


@dataclass(frozen=True, slots=True)
class Plan:
    """The settings: an hour (UTC), folders, seconds, days."""

    hour: int = 1
    folders: tuple[Path, ...] = ()
    lag_alarm: float = 3600.0
    lag_stop: float = 14_400.0
    canary: float = 300.0
    silent_days: int = 3
    weeks: int = 4


@dataclass(slots=True)
class _Run:
    """A certificate in the making."""

    day: str
    since: int
    until: int
    faults: list[Fault] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    passed_over: dict[str, list[str]] = field(default_factory=dict)
    totals: Counter[str] = field(default_factory=Counter)
    alerts: list[str] = field(default_factory=list)
    canaries: dict[str, str] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    partial: bool = False
    gaps: int = 0
    entries: tuple[int, int] = (0, 0)
    messages: tuple[int, int] = (0, 0)


class Assurance:
    """Certificates on `database`, signed with `signer`; in the daemon, `run` makes them and minds the lag.

    `connectors` gives the networks that are signed in now; `policies` those in force, None where there are
    none; `plant` puts the source's canary, None for none; `trials` are made once a day. `keys` are those that
    checkpoints may be signed with, that of `signer` alone when none are given. `ticks` counts milliseconds,
    whatever becomes of the time of day.
    """

    def __init__(
        self,
        database: Database,
        signer: Signer,
        plan: Plan,
        connectors: Callable[[], Mapping[str, Connector]],
        *,
        policies: Callable[[], PolicySet | None] = lambda: None,
        plant: Plant | None = None,
        trials: Sequence[Trial] = (),
        networks: Sequence[str] = (),
        keys: Sequence[Verifier] = (),
        ticks: Callable[[], int] = ticks,
    ) -> None:
        self.database, self.signer, self.plan = database, signer, plan
        self.connectors, self.policies, self.plant, self.trials = connectors, policies, plant, trials
        self.keys = keys or [signer.verifier(database.lane)]
        self.paused = asyncio.Event()
        self._ticks = ticks
        now = self._instant()
        self.captures = {network: Capture(network, now) for network in networks}
        self.lags: dict[str, float] = dict.fromkeys(networks, 0.0)
        self.newest: certificates.Kept | None = None
        self.unsettled: list[certificates.Standing] = []
        self._began = self._looked = now
        self._heard: dict[str, int] = {}
        self._late: set[str] = set()
        self._beaten: dict[str, tuple[int, int]] = {}
        self._canary = ("", asyncio.Event())
        self.failed: dict[str, int] = {}
        self.unwritten: dict[Path, str] = {}
        self._left: set[Path] = set()

    def _instant(self) -> Instant:
        return Instant(self.database.clock.now(), self._ticks())

    # --- the daemon's part

    async def run(self) -> None:
        """Look at the lag all the time, and certify each day once it has ended."""
        await self.begin()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_for_ever())
            tasks.create_task(self._certify_for_ever())

    async def begin(self) -> None:
        """Go on where the ledger says that it was left: what was read last, whether nothing is passed on."""
        now = self.database.clock.now()
        last = await self.database.read(reconciling.last_number)
        for network, capture in self.captures.items():
            heard = await self.database.read(lambda db, name=network: heartbeats.last_read(db, name))
            if heard and not capture.go_on(heard, round(self.plan.lag_stop * 1000)):
                log.error("clock:set", seconds=(now - heard) // 1000)
            self._beaten[network] = (now, last)
        if await self.database.read(heartbeats.paused):
            self.paused.set()
        await self._recall()

    async def _recall(self) -> None:
        """What certificates say by now, and what of them nobody has settled."""
        overdue, spoiled = self.overdue, len(self.spoiled)
        self.newest, self.unsettled = await self.database.read_apart(self._certified)
        if len(self.spoiled) > spoiled:
            log.error("certificate:spoiled", count=len(self.spoiled))
        if self.overdue and not overdue:
            log.error("day:uncertified", count=sum(one.uncertified for one in self.unsettled))

    def _certified(self, db: Connection) -> tuple[certificates.Kept | None, list[certificates.Standing]]:
        now = self.database.clock.now()
        entries = certificates.book(db)
        return entries.newest(now), certificates.stand(db, due(now, self.plan.hour), entries)

    @property
    def overdue(self) -> bool:
        """Whether a day that ought to be certified by now is not, or not with every network asked."""
        return any(one.uncertified for one in self.unsettled)

    @property
    def spoiled(self) -> list[str]:
        """The entries of the ledger about certificates that are none any more."""
        return [one.name for one in self.unsettled if one.spoiled]

    def heed(self, batch: Batch, fresh: int) -> None:
        """Every batch that comes in, `fresh` of it new: how old it is, whether the canary is in it."""
        if fresh and (capture := self.captures.get(batch.network)):
            capture.heed(batch, self._instant())
        if any(echo.permit == self._canary[0] for echo in batch.echoes):
            self._canary[1].set()

    async def _watch_for_ever(self) -> None:
        while True:
            await self.watch()
            await asyncio.sleep(LOOK)

    async def watch(self) -> None:
        """One look: say what is late, stop or go on, and note what was read."""
        before, self._looked = self._looked, self._instant()
        now = self._looked.at
        if abs(moved := was_set(before, self._looked)) >= SET:
            log.error("clock:set", seconds=moved // 1000)
        connectors = self.connectors()
        for network, capture in self.captures.items():
            heard = connectors[network].heard_at if network in connectors else 0
            self.lags[network] = capture.look(heard, self._looked)
        for capture in self.captures.values():
            await self._beat(capture, now)
        await self._keep_heard()
        self._call()
        lost = [network for network, lag in self.lags.items() if lag >= self.plan.lag_stop]
        if lost and not self.paused.is_set():
            await self._stop(lost)
        elif self.paused.is_set() and self._all_read():
            await self._go_on()
        if self.paused.is_set() and self._settled():
            lane, epoch = self.database.lane, self.database.epoch
            await self.database.write(lambda tx: heartbeats.tell(tx, lane, epoch))

    def _settled(self) -> bool:
        """Whether this process has had its time to read what was said while nobody did: before that nobody is
        troubled."""
        return self._ticks() - self._began.ticks >= START

    async def _keep_heard(self) -> None:
        """Write down when each network was read last, so that a process that dies takes no lag with it."""
        heard = {name: capture.heard_at for name, capture in self.captures.items() if capture.heard_at}
        if heard != self._heard:
            await self.database.write(lambda tx: heartbeats.keep_read(tx, heard))
            self._heard = heard

    def _all_read(self) -> bool:
        """Whether every network was read since this process began, and is."""
        fresh = all(
            capture.read_at >= self._began.ticks and capture.heard_at for capture in self.captures.values()
        )
        return fresh and all(lag < self.plan.lag_alarm for lag in self.lags.values())

    async def _stop(self, lost: Sequence[str]) -> None:
        self.paused.set()
        seconds = round(max(self.lags[network] for network in lost))
        db, epoch = self.database, self.database.epoch
        await db.write(lambda tx: heartbeats.pause(tx, db.lane, epoch, lost, seconds))
        for network in lost:
            lag = round(self.lags[network])
            if self._settled():
                log.error("capture:stopped", network=network, seconds=lag)
            else:
                log.warning("capture:stopped", network=network, seconds=lag)

    async def _go_on(self) -> None:
        db, epoch = self.database, self.database.epoch
        await db.write(lambda tx: heartbeats.resume(tx, db.lane, epoch))
        self.paused.clear()
        log.info("capture:resumed")

    def _call(self) -> None:
        """Say once that a network has gone unread for too long."""
        if not self._settled():
            return
        for network, lag in self.lags.items():
            late = lag >= self.plan.lag_alarm
            if late and network not in self._late:
                log.error("capture:late", network=network, seconds=round(lag))
            (self._late.add if late else self._late.discard)(network)

    async def _beat(self, capture: Capture, now: int) -> None:
        """Note in the ledger, now and then, that a network was read, and how much it had."""
        network, (at, last) = capture.network, self._beaten.get(capture.network, (now, 0))
        if now - at < BEAT or capture.heard_at <= at:
            return
        newest = await self.database.read(reconciling.last_number)
        count = await self.database.read_apart(lambda db: heartbeats.came(db, network, last))
        lane, heard = self.database.lane, capture.heard_at
        await self.database.write(lambda tx: heartbeats.beat(tx, lane, network, heard, count))
        self._beaten[network] = (now, newest)

    async def _certify_for_ever(self) -> None:
        while True:
            await asyncio.sleep(ROUND)
            await self.certify_due()

    async def certify_due(self) -> None:
        """Certify every day that has ended and was not certified yet. One that cannot be is an alarm, and is
        tried again later."""
        await self._recall()
        now = self.database.clock.now()
        lacking = await self.database.read_apart(lambda db: self._lacking(db, now))
        self.failed = {day: at for day, at in self.failed.items() if date.fromisoformat(day) in lacking}
        for day, from_ in lacking.items():
            if max(from_, self.failed.get(str(day), -AGAIN) + AGAIN) > now:
                continue
            try:
                await self.certify_day(day)
            except Damaged:
                self.failed[str(day)] = now
                log.error("certificate:failed", count=len(self.failed))
        await self.leave()

    def _lacking(self, db: Connection, now: int) -> dict[date, int]:
        """The days that have ended by `now` and have no certificate for which all was asked, the oldest
        first, each with when it is to be tried (0: at once); as far back as networks can be asked."""
        last = _ended(now, self.plan.hour)
        first = max(certificates.began(db, last), last - timedelta(days=OLDEST - 1))
        made = certificates.certified(db, first=first.isoformat())
        runs = certificates.in_time([one for one in made if one.whole], now)
        again = {one.day: one.at + max(AGAIN, (one.at - one.until) // 2) for one in runs}
        return {day: again.get(str(day), 0) for day in certificates.lacking(runs, first, last)}

    # --- what a person has to know

    def trouble(self) -> str:
        """What a person has to know of completeness; "" when all is as it should be."""
        return "; ".join(self.troubles())

    def troubles(self) -> list[str]:
        """The same, one by one: what keeps people from talking, what differs, and the rest."""
        return [*self.capture_troubles(), *self._certificate_troubles()]

    def capture_troubles(self) -> list[str]:
        """What keeps people from talking, or soon will."""
        unread = [f"{name} has not been read for {lag:.0f} s" for name, lag in self._lagging()]
        if self.paused.is_set():
            unread.insert(0, "nothing is passed on until every network is read again")
        return unread

    def _lagging(self) -> list[tuple[str, float]]:
        return [(name, lag) for name, lag in self.lags.items() if lag >= self.plan.lag_alarm]

    def _certificate_troubles(self) -> Iterator[str]:
        """What differs first; each kind of trouble in one clause, however much there is of it."""
        found = [one for one in self.unsettled if one.differences or one.alerts]
        if found := sorted(found, key=lambda one: (not one.differences, one.name)):
            said = f"{found[0].name}: {found[0].differences} differences, {found[0].alerts} alerts"
            yield f"{said}{_others(found, 'more days')}: `weighbridge certify alerts`"
        if days := [one.name for one in self.unsettled if one.uncertified and one.name not in self.failed]:
            said = f"{days[0]} is not certified, or not with every network asked"
            yield f"{said}{_others(days, 'more days')}: `weighbridge certify alerts`"
        if failed := sorted(self.failed):
            said = f"{failed[0]} cannot be certified{_others(failed, 'more days')}"
            mended = f"once that is mended, {certificates.remedy(failed[0])}"
            yield f"{said}: `weighbridge audit verify` says what was changed; {mended}"
        if spoiled := self.spoiled:
            said = f"what the ledger said of a certificate ({spoiled[0]}) is no entry any more"
            yield f"{said}{_others(spoiled, 'more entries')}: `weighbridge certify alerts`"
        for folder, why in list(self.unwritten.items())[:1]:
            said = f"certificates cannot be written to {folder}{_others(self.unwritten, 'more folders')}"
            yield f"{said}: {why}"

    def status(self) -> dict[str, object]:
        """The same for the status page."""
        return {
            "certified": self.newest._asdict() if self.newest else None,
            "lags": {network: round(lag, 1) for network, lag in self.lags.items()},
            "paused": self.paused.is_set(),
            "trouble": self.trouble(),
            "troubles": self.troubles(),
        }

    # --- a certificate

    async def certify_day(self, day: date) -> Certificate:
        """The certificate of a whole day, UTC."""
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
        since = round(begin.timestamp() * 1000)
        return await self.certify(day.isoformat(), since, since + DAY)

    async def certify(self, day: str, since: int, until: int, *, ask: bool = True) -> Certificate:
        """Reconcile a span (milliseconds), sign what was found, write it down, and leave it outside.

        `ask`: ask the networks as well. A span that has not ended is reconciled up to now, and the
        certificate says so. Folders that cannot be written to are in `unwritten`. Raises StoreError, Damaged
        among it where something in the store has no form that was ever written, and NotBegun.
        """
        whole, until = until, min(until, self.database.clock.now() - SETTLE)
        if until <= since:
            raise NotBegun(f"{day} has not begun")
        try:
            made = await self._certify(_Run(day, since, until, partial=until < whole), ask)
        except SPOILED as error:
            why = f"something in the store is not as it was ever written ({type(error).__name__})"
            raise Damaged(f"{day} cannot be certified: {why}; `weighbridge audit verify`") from error
        self.failed.pop(day, None)
        return made

    async def _certify(self, run: _Run, ask: bool) -> Certificate:
        since, until = run.since, run.until
        lane = self.database.lane
        head = await self.database.read(lambda db: checkpoints.head(db, lane))
        chosen = await self.database.read_apart(
            lambda db: reconciling.span(db, lane, since, until, certificates.begun(db, lane, since))
        )
        run.entries, run.messages = chosen.entries, chosen.messages
        blobs = self.database.blobs.root
        found = await self.database.read_apart(lambda db: reconciling.reconcile(db, chosen, blobs))
        run.faults += found.faults
        run.alerts += found.alerts
        run.faults += await self.database.read_apart(self._tree)
        if ask:
            await self._sources(run, chosen)
        else:
            run.closed += [SYMPHONY, WEIXIN]
            run.alerts.append("no network was asked")
        await self._still_missing(run)
        await self._try(run)
        await self._unusual(run, found.hits)
        certificate = await self._drawn_up(run, found, head or (0, b""))
        await self.database.write(lambda tx: certificates.certify(tx, lane, certificate))
        await self.leave()
        self._say(certificate)
        await self._recall()
        return certificate

    async def _still_missing(self, run: _Run) -> None:
        """What earlier runs of the day missed, and is not there: a network need not show it for ever. And the
        earlier runs of which nobody can say any more what they found."""
        before, lost = await self.database.read_apart(lambda db: certificates.unfound(db, run.day))
        named = {one.name for one in run.faults if (one.stage, one.what) == (Stage.SOURCE, What.MISSING)}
        left = [one for one in before if one not in named]
        run.faults += [Fault(Stage.SOURCE, What.MISSING, one, NOT_HAD) for one in left]
        run.faults += [Fault(Stage.ARCHIVE, What.ALTERED, one, certificates.LOST) for one in lost]

    def _tree(self, db: Connection) -> list[Fault]:
        """The ledger itself: no entry is missing or another, and its roots are those that were signed."""
        found: list[Finding] = []
        verify_tree(db, found.append, keys=self.keys)
        return [
            Fault(Stage.ARCHIVE, What.ALTERED, f"{one.table} {one.key}".rstrip(), one.meaning)
            for one in found
        ]

    async def _sources(self, run: _Run, chosen: reconciling.Span) -> None:
        connectors = self.connectors()
        for network in sorted({*connectors, *self.captures}):
            asked = reconciling.recount(chosen, network, MARGIN, OVERLAP)
            unasked: list[Unasked] = []
            try:
                if network not in connectors:
                    raise _Closed
                known = await self.database.read_apart(
                    partial(reconciling.conversations, chosen=chosen, network=network)
                )
                await self._ask(run, chosen, asked, connectors[network], known, unasked)
            except (NetworkError, _Closed) as error:
                run.closed.append(network)
                run.unasked.append(f"{network}: it could not be asked ({type(error).__name__.lstrip('_')})")
                run.alerts.append(f"source {network} could not be recounted")
                run.accounts.append(Account("source", network, dict(asked.counts), *_ends(chosen)))
                continue
            await self._account(run, chosen, asked, unasked, connectors[network].shows_ours)

    async def _ask(
        self,
        run: _Run,
        chosen: reconciling.Span,
        asked: Recount,
        connector: Connector,
        known: Sequence[str],
        unasked: list[Unasked],
    ) -> None:
        """One network's recount, window by window."""
        since = run.since
        if connector.shows_ours:
            first = partial(reconciling.first_tried, chosen=chosen, network=asked.network)
            since = min(since, max(await self.database.read_apart(first), since - OLDEST * DAY))
        seen = connector.recount(max(since - OVERLAP, 0), run.until + OVERLAP, known)
        async for window in _windows(seen, unasked):
            ids, permits = await self.database.read_apart(
                lambda db, some=window: reconciling.look_up(db, asked.network, some)
            )
            permits |= {one.permit: self._canary_note(one.permit) for one in window if _is_canary(one.permit)}
            run.faults += asked.compare(window, ids, permits)
        run.faults += asked.rest()

    async def _account(
        self,
        run: _Run,
        chosen: reconciling.Span,
        asked: Recount,
        unasked: Sequence[Unasked],
        shows_ours: bool,
    ) -> None:
        network = asked.network
        gaps = [(one.conversation, one.since, one.until) for one in unasked]
        run.gaps += len(gaps)
        run.unasked += [
            f"{network} {one.conversation}, {moment(one.since)} to {moment(one.until)}: {one.reason}"
            for one in unasked
        ]
        run.faults += await self.database.read_apart(lambda db: reconciling.surplus(db, chosen, asked, gaps))
        if shows_ours:
            run.faults += await self.database.read_apart(
                lambda db: reconciling.unseen_deliveries(db, chosen, asked, gaps)
            )
        if passed := asked.passed_over:
            run.passed_over[f"source {network} unasked"] = passed
            run.totals[f"source {network} unasked"] = len(passed)
            run.alerts.append(
                f"{len(passed)} of {network} could not be compared: it could not be asked for them"
            )
        counts = {**asked.counts, "unasked": len(passed)}
        for count, items in asked.lists.items():
            if items:
                run.passed_over[f"source {network} {count}"] = items
                run.totals[f"source {network} {count}"] = asked.counts[count]
        run.accounts.append(Account("source", network, counts, *_ends(chosen)))

    # --- canaries, and what is unusual

    async def _try(self, run: _Run) -> None:
        now = datetime.fromtimestamp(self.database.clock.now() / 1000, UTC)
        policies = self.policies()
        if policies is not None:
            sung = await asyncio.to_thread(canaries.sing, policies, now)
            run.canaries |= {f"detector {name}": said for name, said in sung.items()}
        run.canaries |= {f"source {name}": why for name, why in _NO_CANARY.items()}
        await self._plant(run)
        run.canaries |= await disposal.trial(self.database)
        run.alerts += await disposal.settle_again(self.database)
        for trial in self.trials:
            run.canaries |= await trial(policies)
        for one in filter(None, await self._before(run.day, 1)):
            run.alerts += await self._no_longer_tried(one, run.canaries)
        run.unasked += [f"{name}: {said}" for name, said in run.canaries.items() if _untried(said)]
        run.canaries = {name: said for name, said in run.canaries.items() if not _untried(said)}

    async def _no_longer_tried(self, before: Certificate, tried: Collection[str]) -> list[str]:
        """The detectors of the day before that are gone, and whether other policies are in force since."""
        gone = [name for name in before.canaries if name.startswith("detector ") and name not in tried]
        changed = await self.database.read_apart(lambda db: heartbeats.policies_since(db, before.made_at))
        why = (
            f"other policies are in force since {moment(changed)}" if changed else "the policies are the same"
        )
        return [f"{name} is no longer tried, and {why}" for name in gone]

    async def _plant(self, run: _Run) -> None:
        """A marked message of ours has to come back."""
        if self.plant is None:
            return
        key = f"canary/{run.day}/{self.database.clock.now()}"
        self._canary = (key, asyncio.Event())
        note = self._canary_text(key)
        name = f"source {SYMPHONY}"
        try:
            await self.plant(key, note)
            async with asyncio.timeout(self.plan.canary):
                await self._canary[1].wait()
            run.canaries[name] = canaries.WELL
        except NetworkError as error:
            run.canaries[name] = f"could not be posted: {type(error).__name__}"
        except TimeoutError:
            run.canaries[name] = f"did not come back within {self.plan.canary:.0f} s"
            log.error("canary:lost", network=SYMPHONY, seconds=round(self.plan.canary))

    def _canary_text(self, key: str) -> str:
        """The signed note of a canary: nobody else can write one, and it is the same each time."""
        origin = self.signer.origin(self.database.lane)
        return self.signer.note(self.database.lane, f"{origin}\nweighbridge canary {key}\n")

    def _canary_note(self, key: str) -> Ours:
        return Ours(0, letters(self._canary_text(key)))

    async def _unusual(self, run: _Run, hits: Mapping[str, int]) -> None:
        """Too few, too many, and who fell silent: of whole days, because there is no other measure."""
        if run.partial or run.until - run.since != DAY:
            return
        day = run.since // DAY
        for network in (SYMPHONY, WEIXIN):
            look = partial(self._turnout, network=network, day=day, messages=run.messages)
            run.alerts += await self.database.read_apart(look)
        run.alerts += await self.database.read_apart(lambda db: list(self._silent(db, day)))
        weeks = self.plan.weeks
        before = [one.hits if one else None for one in await self._before(run.day, weeks, step=7)]
        run.alerts += expectations.surprises("hits of", hits, before)

    def _turnout(self, db: Connection, network: str, day: int, messages: tuple[int, int]) -> list[str]:
        lane, weeks = self.database.lane, self.plan.weeks
        earlier = heartbeats.usual_days(db, lane, network, day, weeks)
        quiet = heartbeats.silence(db, lane, network, day, self.plan.silent_days, weeks)
        count = heartbeats.by_people(db, network, messages)
        return list(expectations.turnout(network, count, earlier, quiet))

    def _silent(self, db: Connection, day: int) -> Iterator[str]:
        """Who has now not written on so many of his usual days."""
        weeks, most = self.plan.weeks, self.plan.silent_days
        by_person: defaultdict[str, set[int]] = defaultdict(set)
        for one in heartbeats.volumes(db, day - 7 * weeks - most * 7, day):
            by_person[f"{one.network}/{one.sender}"].add(one.day)
        for person, days in sorted(by_person.items()):
            if expectations.falls_silent(days, day, most, weeks):
                yield f"silent: {person} has not written on {most} usual days"

    async def _before(self, day: str, count: int, step: int = 1) -> list[Certificate | None]:
        """The certificates of earlier days, None where there is none."""
        try:
            last = date.fromisoformat(day)
        except ValueError:  # a span that is no day
            return []

        def look(db: Connection) -> list[Certificate | None]:
            return [_certificate(db, last - timedelta(days=step * n)) for n in range(1, count + 1)]

        return await self.database.read_apart(look)

    # --- drawn up, left, said

    async def _drawn_up(self, run: _Run, found: reconciling.Findings, head: tuple[int, bytes]) -> Certificate:
        passed = {name: items[:MOST] for name, items in run.passed_over.items()}
        lists: dict[str, list[str]] = {**found.lists, **passed}
        totals = found.totals + run.totals
        for fault in run.faults:
            name = f"fault {fault.stage} {fault.what}"
            totals[name] += 1
            some = lists.setdefault(name, [])
            if len(some) < MOST:
                some.append(f"{fault.name}: {fault.detail}" if fault.detail else fault.name)
        accounts = [_with_faults(one, run.faults) for one in run.accounts]
        accounts += [Account(*name, dict(counts)) for name, counts in sorted(found.counts.items())]
        runs = await self.database.read(lambda db: certificates.certified(db, run.day))
        number = await self.database.read(lambda db: certificates.next_run(db, run.day))
        counts = await self.database.read_apart(
            lambda db: heartbeats.sent_on(db, sorted(self.captures), run.since, run.until)
        )
        return Certificate(
            day=run.day,
            run=number,
            since=run.since,
            until=run.until,
            made_at=self.database.clock.now(),
            head=(head[0], head[1].hex()),
            accounts=tuple(accounts),
            lists=lists,
            totals=dict(totals),
            unasked=tuple(run.unasked),
            alerts=tuple(run.alerts),
            canaries=run.canaries,
            capture={network: capture.told() for network, capture in self.captures.items()},
            quiet=tuple(sorted(network for network, count in counts.items() if not count)),
            hits=dict(found.hits),
            closed=tuple(run.closed),
            partial=run.partial,
            earlier=tuple(one.told() for one in runs),
            gaps=run.gaps,
            entries=run.entries,
            written=found.written,
        )

    async def leave(self) -> None:
        """Bring every certificate to every folder that lacks it. What cannot be written is told, and tried
        again; what was there and is gone is told, and put back."""
        entries = await self.database.read_apart(certificates.book)
        before, self.unwritten = self.unwritten, {}
        for folder in self.plan.folders:
            try:
                await self._bring(folder, entries, folder in before)
            except OSError as error:
                self.unwritten[folder] = error.strerror or type(error).__name__
        if self.unwritten and not before:
            log.error("certificate:unwritten", count=len(self.unwritten))

    async def _bring(self, folder: Path, entries: certificates.Book, late: bool) -> None:
        made, there = entries.runs, await asyncio.to_thread(_names_in, folder)
        lacking = {folder / _name(one): one for one in made if _name(one) not in there}
        new = {folder / _name(one) for one in made[-1:]} if there and not late else set(lacking)
        if gone := [path for path in lacking if path in self._left or path not in new]:
            log.error("certificate:gone", count=len(gone))
        for path, one in lacking.items():
            try:
                found = await self.database.read(lambda db, o=one: certificates.opened(db, o))
            except Damaged as damaged:
                if not entries.is_settled(one):
                    self.unwritten[folder] = f"{damaged}: `weighbridge certify alerts {one.day}`"
                continue
            note = signed(found, self.signer, self.database.lane)
            await asyncio.to_thread(write_whole, path, note, 0o440)
        self._left |= {folder / _name(one) for one in made}

    def _say(self, certificate: Certificate) -> None:
        alerts = len(certificate.alerts) + len(certificate.failed)
        log.info("day:certified", count=certificate.faults, digest=certificate.digest())
        if certificate.faults or alerts:
            log.error("day:differs", count=certificate.faults + alerts)


class _Closed(Exception):
    """A network that is not signed in."""


def _day(at: int) -> date:
    """The day of a time in milliseconds, UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).date()


def due(now: int, hour: int) -> date:
    """The last day of which it is an alarm by `now` (milliseconds) when nobody has certified it, where days
    are certified from `hour` (UTC) on."""
    return _ended(now - OVERDUE, hour)


def _ended(now: int, hour: int) -> date:
    """The last day that is to be certified by `now`."""
    return _day(now - SETTLE - hour * 3_600_000) - timedelta(days=1)


def _others(found: Collection[object], of: str) -> str:
    """How many there are beside the first."""
    return f" (and {len(found) - 1} {of})" if len(found) > 1 else ""


def _name(one: certificates.Kept) -> str:
    """The file of a certificate."""
    return f"{one.day}-{one.run}.txt"


def _names_in(folder: Path) -> set[str]:
    """The files of a folder, which is made where it is not there. Raises OSError."""
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    return {path.name for path in folder.glob("*.txt")}


#: Why no canary came through a network, where none was planted.
_NO_CANARY = {
    SYMPHONY: "untried: only a daemon with [assurance] canary_room posts a marked message",
    WEIXIN: "untried: nobody can write there in the name of a client",
}


def _is_canary(permit: str) -> bool:
    return permit.startswith("canary/")


def _untried(said: str) -> bool:
    return said.startswith("untried")


def _certificate(db: Connection, day: date) -> Certificate | None:
    try:
        return certificates.certificate(db, day.isoformat())
    except (Missing, Damaged):
        return None


def _ends(chosen: reconciling.Span) -> tuple[int, int]:
    """The first and last message of a span, 0 and 0 where it has none."""
    first, last = chosen.messages
    return (first, last - 1) if last > first else (0, 0)


def _with_faults(account: Account, faults: Iterable[Fault]) -> Account:
    """A source with what is wrong there among its counts."""
    counts = Counter(account.counts)
    for what in What:
        counts.setdefault(what.value, 0)
    for fault in faults:
        if fault.stage is Stage.SOURCE and fault.name.startswith(f"{account.name}/"):
            counts[fault.what.value] += 1
    return Account(account.kind, account.name, dict(counts), account.first, account.last)


async def _windows(
    seen: AsyncIterator[Sighting | Unasked], unasked: list[Unasked]
) -> AsyncIterator[list[Sighting]]:
    """Sightings, so many at a time; what could not be asked for is put aside."""
    window: list[Sighting] = []
    async for one in seen:
        if isinstance(one, Unasked):
            unasked.append(one)
            continue
        window.append(one)
        if len(window) == WINDOW:
            yield window
            window = []
    if window:
        yield window
