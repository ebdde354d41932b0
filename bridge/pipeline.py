"""Three rooms, one door between each. In every room: take, decide, record.

    INTAKE      connector.receive ─► store.archive ─► connector.acknowledge     (and: fetch attachments)
    JUDGEMENT   store.unjudged    ─► policy.judge  ─► store.record_rulings      (and: holds that are late)
    DELIVERY    store.claim       ─► connector.send ─► store.record_attempts

Rules of this file: rooms share nothing but the store. A room takes its work from the store, never from
another room; a `Bell` only saves waiting for the next look. What a room was doing when the process died is
simply the next thing it takes: there is no recovery code. A room never looks at another room's state, and
`except` names the errors it decides about; everything else ends the process.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import structlog

from bridge import flow, words
from bridge.errors import Damaged, Refused, Unreachable
from bridge.flow import Patience
from bridge.message import (
    SYMPHONY,
    WEIXIN,
    Archived,
    Batch,
    Blob,
    Cause,
    Inspection,
    Kind,
    Outcome,
    Permit,
    Receipt,
    Verdict,
)
from bridge.ports import (
    Attempt,
    Claim,
    Clock,
    Connector,
    Inspect,
    Judge,
    Ruling,
    Step,
    Store,
    Tally,
    Unreadable,
    Wanted,
)

log = structlog.get_logger()

MANY = 4
"""Conversations being sent at once from which on the delivery room gathers results before it records them."""


class Bell:
    """A doorbell: somebody may have put work into the store. Missing a ring costs one look's delay."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake whoever waits, or the next one to wait."""
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """Wait until it rings, `seconds` at most: work may come in by a door without a bell."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            pass
        self._rung.clear()


@dataclass(slots=True)
class Bells:
    """The doorbells of one daemon: one for each room that waits."""

    fetch: dict[str, Bell] = field(default_factory=lambda: {SYMPHONY: Bell(), WEIXIN: Bell()})
    judge: Bell = field(default_factory=Bell)
    deliver: dict[str, Bell] = field(default_factory=lambda: {SYMPHONY: Bell(), WEIXIN: Bell()})


@dataclass(frozen=True, slots=True)
class Pace:
    """How much a room takes at once, and how long it waits (seconds).

    `look`: before it looks again unrung. `gather`: under load, for more results to share a transaction.
    `late`: between two looks for holds whose time is over.
    """

    batch: int = 256
    concurrency: int = 32
    look: float = 0.25
    gather: float = 0.02
    late: float = 1.0
    max_file_bytes: int = 30 * 1024 * 1024
    patience: Patience = field(default_factory=Patience)
    fetch_patience: Patience = field(default_factory=lambda: Patience(first=500, longest=60_000, tries=8))


async def uninspected(blob: Blob) -> Inspection:
    """What is known of an attachment where nobody looks into any: nothing, and it says so."""
    return Inspection(blob.name, "unknown", blob.size, unreadable="nobody looked into it")


def unheeded(_: Batch, __: int) -> None:
    """Where nobody measures how late a network is read."""


@dataclass(frozen=True, slots=True)
class House:
    """What every room is given: the store they share, the time, the bells, the pace, and who counts.

    `languages` says in which language people of a network are addressed whose own is not known. `inspect`
    looks into an archived attachment. While
    `halt` is set, nothing more is sent: what is in hand goes back to the outbox; while `paused` is, only the
    bridge's own words are. `heed` is shown every batch, and how much of it was new.
    """

    store: Store
    clock: Clock
    tally: Tally
    bells: Bells = field(default_factory=Bells)
    pace: Pace = field(default_factory=Pace)
    languages: Mapping[str, str] = field(default_factory=lambda: {SYMPHONY: "en", WEIXIN: "zh-Hans"})
    halt: asyncio.Event = field(default_factory=asyncio.Event)
    inspect: Inspect = uninspected
    paused: asyncio.Event = field(default_factory=asyncio.Event)
    heed: Callable[[Batch, int], None] = unheeded


# --- intake ---------------------------------------------------------------------------------------------


async def intake(connector: Connector, house: House) -> None:
    """Archive whatever a network has for us, and only then tell the network that we have it.

    Ends only by `SignedOut` or cancellation.
    """
    network, bells = connector.network, house.bells
    async for batch in connector.receive(await house.store.cursors(network)):
        # Our own deliveries coming back are in the archive since before they went out.
        only_echoes = batch.echoes and not batch.messages
        fresh = 0 if only_echoes else await house.store.archive(batch)
        house.heed(batch, fresh)
        await connector.acknowledge(batch)
        if fresh:
            house.tally.archived(network, fresh)
            log.info("message:archived", network=network, count=fresh)
            bells.judge.ring()
            if any(message.files for message in batch.messages):
                bells.fetch[network].ring()
            bells.deliver[network].ring()  # a reply window may have opened


async def fetch(connector: Connector, house: House) -> None:
    """Bring attachments into the archive, and look into them; their messages are judged when all are there,
    or given up. Each comes in its own time: a slow one holds up its own conversation alone.
    """
    network, bell = connector.network, house.bells.fetch[connector.network]
    busy: set[tuple[int, int]] = set()
    tell = _told_once()

    async def one(wanted: Wanted) -> None:
        await _fetch_one(connector, house, wanted)
        busy.discard((wanted.message_seq, wanted.n))
        house.bells.judge.ring()
        bell.ring()

    async with asyncio.TaskGroup() as tasks:
        while True:
            for wanted in await house.store.wanted_files(network, house.pace.concurrency, tell):
                key = wanted.message_seq, wanted.n
                if key not in busy:
                    busy.add(key)
                    tasks.create_task(one(wanted))
            await bell.wait(house.pace.look)


async def _fetch_one(connector: Connector, house: House, wanted: Wanted) -> None:
    file, store, pace = wanted.file, house.store, house.pace
    try:
        digest, size = await store.keep(connector.fetch(file), pace.max_file_bytes)
    except Refused as error:
        await store.settle_file(wanted, None, error.code)
        log.warning("file:missing", network=connector.network, seq=wanted.message_seq, code=error.code)
    except Unreachable as error:
        at = flow.retry_at(house.clock.now(), wanted.attempt, pace.fetch_patience, error.retry_after)
        if at is None:
            await store.settle_file(wanted, None, "unreachable")
            log.warning("file:missing", network=connector.network, seq=wanted.message_seq, code="unreachable")
        else:
            await store.postpone_file(wanted, at)
    else:
        await _inspect(house, wanted, Blob(digest, size, file.name, file.kind, file.media_type))


async def _inspect(house: House, wanted: Wanted, blob: Blob) -> None:
    """Look into what has been archived, and record both in one step."""
    inspection = await house.inspect(blob)
    await house.store.settle_file(wanted, blob, inspection=inspection)
    house.tally.inspected(inspection)
    log.info("file:inspected", seq=wanted.message_seq, digest=blob.digest, code=inspection.type)


def _told_once() -> Unreadable:
    """Whom a room tells of messages that cannot be opened: each is logged once, however often it is met."""
    known: set[int] = set()

    def tell(number: int) -> None:
        if number not in known:
            known.add(number)
            log.error("message:unreadable", seq=number)

    return tell


# --- judgement ------------------------------------------------------------------------------------------


async def judgement(judge: Judge, house: House) -> None:
    """Weigh every archived message, in order, and write down the answer and what follows from it."""
    tell = _told_once()
    while True:
        archived = await house.store.unjudged(house.pace.batch, judge.reach, tell)
        if not archived:
            await house.bells.judge.wait(house.pace.look)
            continue
        rulings = decide(archived, judge, house.clock.now(), house.languages)
        await house.store.record_rulings(rulings)
        for ruling in rulings:
            house.tally.judged(ruling.verdict)
        _log_rulings(rulings)
        for bell in house.bells.deliver.values():
            bell.ring()


#: What there is to say about a network's own remark: it is archived and goes to nobody.
_REMARK = Verdict(Outcome.DELIVER, Cause.DEFAULT, "", "a network's own remark")


def _remark(verdict: Verdict) -> Verdict:
    """Of what a policy says to a remark, what counts: how long its record lives, and where else it lies."""
    return replace(
        _REMARK, retention=verdict.retention, archives=verdict.archives, legal_holds=verdict.legal_holds
    )


def decide(
    archived: Sequence[Archived], judge: Judge, now: int, languages: Mapping[str, str]
) -> list[Ruling]:
    """Rulings on messages, in order, each knowing what those before it let its reader see.

    Behind a hold that makes its conversation wait, and behind a client's consent, nothing more is decided in
    that conversation: it is the store's to offer again, with what was held before in its place.
    """
    moment = datetime.fromtimestamp(now / 1000, UTC)
    waiting: set[tuple[str, str]] = set()
    said: dict[tuple[str, str], dict[str, int]] = {}
    rulings = []
    for one in archived:
        conversation = one.message.network, one.message.conversation
        if conversation in waiting:
            continue
        target = (one.route.network, one.route.conversation) if one.route else ("", "")
        if target in said:
            one = replace(one, said={**one.said, **said[target]})
        verdict = judge(one, moment)
        if one.message.kind in (Kind.NOTE, Kind.FAILED):
            verdict = _remark(verdict)
        if verdict.waits:
            waiting.add(conversation)
        if verdict.agreed:
            waiting |= {conversation, target}
        if verdict.annotations and verdict.outcome not in (Outcome.HOLD, Outcome.BLOCK):
            said.setdefault(target, {}).update((below.key, now) for below in verdict.annotations)
        language = one.route.sender.language if one.route else languages[one.message.network]
        rulings.append(Ruling(one, verdict, _notice(one, verdict, language), now))
    return rulings


def _notice(archived: Archived, verdict: Verdict, language: str) -> str:
    silent = archived.message.kind in (Kind.NOTE, Kind.FAILED, Kind.RECALL)
    if silent or not archived.message.answerable:
        return ""
    return words.notice(archived.message, verdict, archived.route is not None, language)


def _log_rulings(rulings: Sequence[Ruling]) -> None:
    log.info("message:judged", count=len(rulings))
    for ruling in rulings:
        verdict = ruling.verdict
        if verdict.outcome in (Outcome.HOLD, Outcome.BLOCK):
            outcome, cause = verdict.outcome.value, verdict.cause.value
            log.info("message:stopped", seq=ruling.archived.seq, outcome=outcome, cause=cause)


async def deadlines(house: House) -> None:
    """See that a hold which nobody decides in time is escalated, or blocked, as its verdict said."""
    tell = _told_once()
    while True:
        late = await house.store.settle_late(tell)
        for hold in late:
            house.tally.late(hold)
            if hold.expired:
                log.warning("hold:expired", seq=hold.message_seq)
            else:
                log.warning("hold:escalated", seq=hold.message_seq)
        if late:
            for bell in house.bells.deliver.values():
                bell.ring()
        else:
            await asyncio.sleep(house.pace.late)


# --- delivery -------------------------------------------------------------------------------------------


async def delivery(connector: Connector, house: House, stop: asyncio.Event) -> None:
    """Send what permits allow: conversations side by side, each in its order.

    A slow conversation holds up nobody else. Results are recorded as they gather, many to a transaction.
    Once `stop` is set, what is under way is finished and recorded, the rest goes back to the outbox.
    """
    async with asyncio.TaskGroup() as tasks:
        await _Delivery(connector, house, stop, tasks).run()


class _Delivery:
    """The delivery room at work: `busy` conversations are being sent, `results` wait to be recorded."""

    def __init__(
        self, connector: Connector, house: House, stop: asyncio.Event, tasks: asyncio.TaskGroup
    ) -> None:
        self.connector, self.house, self.stop, self.tasks = connector, house, stop, tasks
        self.bell = house.bells.deliver[connector.network]
        self.unreadable = _told_once()
        self.busy = 0
        self.results: list[Attempt] = []

    async def run(self) -> None:
        """Turn after turn, until it is time to stop and everything that was begun is recorded."""
        while not self.stop.is_set() or self.busy or self.results:
            await self._turn()
            if not self.results:
                await self.bell.wait(self.house.pace.look)
            if self.busy > MANY:
                # Under load, what ends within the next moments shares one transaction.
                await asyncio.sleep(self.house.pace.gather)

    async def _turn(self) -> None:
        """Record what has ended and claim what is due: two jobs, handed over together, one commit."""
        results, self.results = self.results, []
        free = 0 if self.stop.is_set() else self.house.pace.concurrency - self.busy
        store, network = self.house.store, self.connector.network
        _, claims = await asyncio.gather(
            store.record_attempts(results, self.unreadable) if results else _nothing(),
            store.claim(network, free, look=not results, stopped=self._stopped) if free else _nothing(),
        )
        for conversation in _by_conversation(claims):
            self.busy += 1
            self.tasks.create_task(self._converse(conversation))
        if results:
            self._tell(results)

    def _stopped(self, permit: str, why: str) -> None:
        log.error("delivery:altered", network=self.connector.network, permit=permit, code=why)

    def _tell(self, results: Sequence[Attempt]) -> None:
        now = self.house.clock.now()
        for attempt in results:
            self.house.tally.attempted(attempt, now)
        _log_attempts(self.connector.network, results)
        for bell in self.house.bells.deliver.values():
            bell.ring()  # later ones may go now, and senders on the other side may have to be told

    async def _converse(self, claims: Sequence[Claim]) -> None:
        """Send one conversation's deliveries, one after another."""
        traffic = claims[0].traffic
        rest = deque(claims)
        while rest and self._may_go(rest[0].permit):
            permit = rest.popleft().permit
            attempt = await attempt_to_send(self.connector, Claim(permit, traffic), self.house)
            self._ended(attempt)
            if attempt.receipt is not None:
                traffic = traffic.spend(attempt.receipt.spent)
            if attempt.step in (Step.RETRY, Step.WAIT):
                break
        for claim in rest:
            # What comes after must not overtake: it goes back to the outbox, untouched.
            permit = claim.permit
            self._ended(Attempt(permit, Step.GIVE_BACK, claim.traffic, uncertain=permit.uncertain))
        self.busy -= 1
        self.bell.ring()

    def _may_go(self, permit: Permit) -> bool:
        if self.stop.is_set() or self.house.halt.is_set():
            return False
        return permit.content.notice or not self.house.paused.is_set()

    def _ended(self, attempt: Attempt) -> None:
        self.results.append(attempt)
        self.bell.ring()


async def _nothing() -> Sequence[Claim]:
    return ()


def _by_conversation(claims: Sequence[Claim]) -> list[list[Claim]]:
    groups: dict[str, list[Claim]] = {}
    for claim in claims:
        groups.setdefault(claim.permit.conversation, []).append(claim)
    return list(groups.values())


async def attempt_to_send(connector: Connector, claim: Claim, house: House) -> Attempt:
    """Use a permit once, and say what became of it. Raises only `SignedOut` and bugs."""
    permit, traffic = claim
    try:
        receipt = await connector.send(permit, traffic)
    except Unreachable as error:
        uncertain = permit.uncertain or not error.certain
        at = flow.retry_at(house.clock.now(), permit.attempt, house.pace.patience, error.retry_after)
        if at is None:
            return Attempt(
                permit, Step.PARK, traffic, uncertain=uncertain, reason="unreachable", notice="undelivered"
            )
        return Attempt(permit, Step.RETRY, traffic, at=at, uncertain=uncertain, reason="unreachable")
    except Refused as error:
        return _refused(claim, error)
    except Damaged:
        # An attachment is no longer what was archived: a person must look, everything else goes on. The
        # parts before it may have gone out.
        reason, notice = "archive-damaged", "undelivered"
        return Attempt(permit, Step.PARK, traffic, uncertain=True, reason=reason, notice=notice)
    return Attempt(permit, Step.SEND, traffic, receipt)


def _refused(claim: Claim, error: Refused) -> Attempt:
    permit, traffic = claim
    receipt = Receipt(error.sent) if error.sent else None
    uncertain = permit.uncertain or bool(error.sent)
    if error.until_inbound and not permit.content.notice:
        notice = error.code if error.code in words.REFUSALS else "window"
        return Attempt(permit, Step.WAIT, traffic, receipt, 0, uncertain, error.code, notice)
    # Words of our own are not waited for: behind them an advisor's message would wait, and nobody be told.
    return Attempt(permit, Step.PARK, traffic, receipt, 0, uncertain, error.code, _refusal(error))


def _refusal(error: Refused) -> str:
    """Which words tell the sender: what has arrived of his message comes before why the rest has not."""
    if error.sent:
        return "attachment-missing" if error.text_sent else "rest-missing"
    return error.code if error.code in words.REFUSALS else "undelivered"


_LOG_NAMES = {
    Step.RETRY: "delivery:delayed",
    Step.WAIT: "delivery:waiting",
    Step.PARK: "delivery:parked",
}


def _log_attempts(network: str, attempts: Sequence[Attempt]) -> None:
    sent = sum(attempt.step is Step.SEND for attempt in attempts)
    if sent:
        log.info("delivery:sent", network=network, count=sent)
    for attempt in attempts:
        if attempt.step in _LOG_NAMES:
            permit = attempt.permit
            log.warning(
                _LOG_NAMES[attempt.step],
                network=network,
                permit=permit.id,
                seq=permit.message_seq,
                attempt=permit.attempt,
                code=attempt.reason,
            )
