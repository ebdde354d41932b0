"""The watch over completeness: lag, pause, canaries, certificates of days.

Rules of this file: the real store and a clock moved by hand; the networks are the rig's. One test runs
the whole daemon, on virtual time.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import structlog
from rig import (
    Clock,
    Counting,
    Fate,
    Hands,
    Line,
    Peer,
    VirtualLoop,
    message,
    new_store,
    opened,
    pause,
    run_virtually,
)

from bridge import telemetry, words
from bridge.assurance import Assurance, Plan, due
from bridge.daemon import Daemon
from bridge.errors import Missing
from bridge.in_force import Law
from bridge.ledger.checkpoint import Signer
from bridge.ledger.tree import leaf_hash
from bridge.message import SYMPHONY, WEIXIN, Batch, Echo, Message, Receipt, Sighting, Unasked, sighting
from bridge.pipeline import House, Pace
from bridge.policy import PolicySet, Source, assemble
from bridge.ports import Claim, Step
from bridge.records.certificate import Certificate, read
from bridge.store import certificates, heartbeats
from bridge.store.database import Database

SIGNER = Signer("weighbridge/5b1c4e1a0c77d2e9", b"k" * 32)
HOUR, DAY = 3_600_000, 86_400_000
POLICY = b"""\
policy: desk
language: 1
title: Desk
owner: compliance@bank.example
timezone: UTC
defaults: { mode: enforce, unmatched: deliver, unpaired: hold }
lists:
  words: { words: [guaranteed], owner: c@bank.example, languages: [en] }
detectors:
  promise: { type: words, list: words }
rules:
  - id: promises
    title: No promises
    severity: high
    when: { direction: both, finds: promise }
    then: { hold: { queue: review } }
    tests:
      - { given: guaranteed, expect: hold }
      - { given: good morning, expect: deliver }
"""


@functools.cache
def compiled(text: bytes) -> PolicySet:
    """A policy file, ready."""
    found, problems = assemble([Source("desk.yaml", text, {})])
    assert found is not None, problems
    return found


class Stalling(Line):
    """A line whose network can stall: it is asked, and does not answer. What is `hidden` it never shows."""

    def __init__(self, peer: Peer, clock: Clock | VirtualLoop, database: Database) -> None:
        super().__init__(peer, Fate(), database.blobs)
        self.clock, self.stalled = clock, False

    shows_ours = False

    async def recount(
        self, since: int, until: int, known: Iterable[str] = ()
    ) -> AsyncIterator[Sighting | Unasked]:
        """See `bridge.ports.Connector`."""
        async for one in super().recount(since, until):
            yield one

    async def receive(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        """See `bridge.ports.Connector`."""
        at = 0
        while True:
            await pause(1.0)
            if self.stalled:
                continue
            self.heard_at = self.clock.now()
            taken = tuple(self.peer.stream[at:])
            at += len(taken)
            if taken:
                yield Batch(self.network, taken, token=at)


class World:
    """A store with a pair of people who have talked, two networks, and an assurance."""

    def __init__(self, folder: Path, *, lose: bool = False) -> None:
        new_store(folder)
        self.folder, self.clock = folder, Clock()
        self.database = opened(folder, self.clock)
        self.hands = Hands(self.database, self.clock)
        peers = Peer(SYMPHONY, keys=False, ours=False), Peer(WEIXIN, keys=True, ours=True)
        self.lines = {peer.network: Stalling(peer, self.clock, self.database) for peer in peers}
        self.lose, self.count = lose, 0
        self.policies = compiled(POLICY)
        self.assurance = self.watching()

    def watching(self, plan: Plan | None = None) -> Assurance:
        """The watch of a daemon."""
        return Assurance(
            self.database,
            SIGNER,
            plan or Plan(folders=(self.folder / "certificates",), canary=0.05),
            lambda: self.lines,
            policies=lambda: self.policies,
            plant=self.plant,
            networks=(SYMPHONY, WEIXIN),
            ticks=self.clock.ticks,
        )

    async def plant(self, key: str, note: str) -> None:
        """The canary comes back, unless it is lost."""
        assert "weighbridge canary" in note
        if not self.lose:
            self.assurance.heed(Batch(SYMPHONY, (), (Echo(key, "x"),)), 0)

    async def begin(self) -> None:
        """As the daemon begins."""
        await self.database.own("a daemon")
        await self.talk()
        await self.assurance.begin()
        self.heard()

    async def talk(self, *, received: bool = True) -> Message:
        """Both say something, and it passes; without `received`, Alice's words never come in."""
        self.count += 1
        at = self.clock.now()
        theirs = message(WEIXIN, f"w{self.count}", sent_at=at)
        hers = message(SYMPHONY, f"s{self.count}", sent_at=at)
        self.lines[WEIXIN].peer.stream.append(theirs)
        self.lines[SYMPHONY].peer.stream.append(hers)
        await self.hands.say(theirs, *([hers] if received else []))
        return hers

    def heard(self, *networks: str) -> None:
        """These networks answer now; all, when none is named."""
        for network in networks or self.lines:
            self.lines[network].heard_at = self.clock.now()

    async def certificate(self) -> Certificate:
        """What may go out has gone, and a day passes; the certificate of the one that ended."""
        await self.pass_on()
        self.clock.forward(DAY)
        self.heard()
        await self.assurance.certify_due()
        (*_, last) = await self.database.read(certificates.certified)
        return await self.database.read(lambda db: certificates.certificate(db, last.day))

    async def pass_on(self) -> None:
        """All that may go out goes out."""
        for network in (SYMPHONY, WEIXIN):
            while await self.notices(network):
                pass

    async def again(self) -> None:
        """The daemon dies, and the next one begins."""
        self.database.close()
        self.database = opened(self.folder, self.clock)
        self.hands = Hands(self.database, self.clock)
        self.assurance = self.watching()
        await self.database.own("the next daemon")
        await self.assurance.begin()
        self.heard()

    def execute(self, statement: str) -> None:
        """Change the database behind everybody's back."""
        with contextlib.closing(sqlite3.connect(self.folder / "weighbridge.db", timeout=5)) as db, db:
            db.execute(statement)

    async def notices(self, network: str) -> list[str]:
        """What goes out to a network now; of people's words, nothing else."""
        claims = await self.database.claim(network, 9)
        for claim in claims:
            await self.hands.end(claim)
        return [claim.permit.content.text for claim in claims]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world in which nothing has happened yet."""
    one = World(tmp_path)
    yield one
    one.database.close()


async def test_a_network_that_goes_unread_pauses_both_directions(world: World) -> None:
    """At the first limit somebody is called; at the second nothing passes and both sides are told why. When
    it is read again everything goes on by itself, and they are told that too."""
    await world.begin()
    assert len(await world.notices(SYMPHONY)) == len(await world.notices(WEIXIN)) == 1
    world.clock.forward(HOUR + 1)
    world.heard(WEIXIN)
    await world.assurance.watch()
    assert "symphony has not been read for 3600 s" in world.assurance.trouble()
    assert not world.assurance.paused.is_set()
    world.clock.forward(3 * HOUR)
    world.heard(WEIXIN)
    await world.assurance.watch()
    assert world.assurance.paused.is_set()
    assert "nothing is passed on" in world.assurance.capture_troubles()[0]
    await world.talk()
    assert await world.notices(WEIXIN) == [words.say("paused", "zh-Hans")]
    assert await world.notices(SYMPHONY) == [words.say("paused", "en")]
    world.clock.forward(60_000)
    assert await world.notices(WEIXIN) == await world.notices(SYMPHONY) == []
    world.heard()
    await world.assurance.watch()
    assert not world.assurance.paused.is_set() and not world.assurance.capture_troubles()
    world.clock.forward(60_000)
    assert await world.notices(WEIXIN) == ["hello", words.say("resumed", "zh-Hans")]
    assert await world.notices(SYMPHONY) == ["hello", words.say("resumed", "en")]


async def test_a_pause_outlives_the_daemon(world: World) -> None:
    """Who dies in a pause does not begin to talk unrecorded: the next one is paused until every network was
    read by itself."""
    await world.begin()
    world.clock.forward(5 * HOUR)
    await world.assurance.watch()
    again = world.watching(Plan())
    await again.begin()
    await again.watch()
    assert again.paused.is_set() and await world.database.read(heartbeats.paused) == "symphony weixin"
    world.clock.forward(1000)
    world.heard(SYMPHONY)
    await again.watch()
    assert again.paused.is_set()
    world.heard()
    await again.watch()
    assert not again.paused.is_set() and await world.database.read(heartbeats.paused) == ""


async def test_a_feed_that_is_old_counts_as_unread(world: World) -> None:
    """Who is shown nothing but what was said five hours ago is five hours behind, however often he is
    answered; what the archive has already says nothing."""
    await world.begin()
    world.clock.forward(HOUR)
    late = message(SYMPHONY, "late", sent_at=world.clock.now() - 5 * HOUR)
    for fresh in (0, 1):
        assert not world.assurance.paused.is_set()
        for _ in range(4):
            world.heard()
            world.assurance.heed(Batch(SYMPHONY, (late,)), fresh)
            await world.assurance.watch()
            world.clock.forward(30_000)
    assert world.assurance.paused.is_set()


async def test_a_restart_after_a_quiet_night_troubles_nobody(world: World) -> None:
    """A daemon that was down for a night passes nothing on until both networks are read, and tells nobody."""
    await world.begin()
    await world.notices(SYMPHONY), await world.notices(WEIXIN)
    await world.assurance.watch()
    world.clock.forward(9 * HOUR)
    again = world.watching(Plan())
    await again.begin()
    await again.watch()
    assert again.paused.is_set() and not again._late
    world.clock.forward(10_000)
    world.heard()
    await again.watch()
    assert not again.paused.is_set()
    world.clock.forward(60_000)
    assert await world.notices(SYMPHONY) == await world.notices(WEIXIN) == []


async def test_a_daemon_that_keeps_dying_resets_no_lag(world: World) -> None:
    """A process that is started every minute and never reads Symphony stops like one that lives."""
    await world.begin()
    await world.assurance.watch()
    for _ in range(5):
        world.clock.forward(HOUR)
        world.heard(WEIXIN)
        again = world.watching(Plan())
        world.lines[SYMPHONY].heard_at = 0
        await again.begin()
        await again.watch()
    assert again.paused.is_set() and again.lags[SYMPHONY] >= 4 * 3600


async def test_a_clock_that_was_ahead_hides_no_lag(world: World) -> None:
    """The clock runs thirty hours ahead and is set back; then both feeds die. Four hours later nothing is
    passed on, and a process that is started meanwhile believes no time that has not come."""
    await world.begin()
    with structlog.testing.capture_logs() as lines:
        for hours in (30, -30):
            world.clock.set_by(hours * HOUR)
            world.clock.forward(10_000)
            world.heard()
            await world.assurance.watch()
    assert [one["seconds"] for one in lines if one["event"] == "clock:set"] == [30 * 3600, -30 * 3600]
    assert not world.assurance.paused.is_set() and max(world.assurance.lags.values()) == 0
    world.clock.forward(4 * HOUR)
    await world.assurance.watch()
    assert world.assurance.paused.is_set()
    assert set(world.assurance.lags.values()) == {4 * 3600}


async def test_a_process_believes_no_reading_of_the_future(world: World) -> None:
    """The clock was ahead when a network was read last, and is right when the next process begins: it passes
    nothing on before it has read both, and says that the clock was set."""
    await world.begin()
    world.clock.set_by(30 * HOUR)
    world.heard()
    await world.assurance.watch()
    world.clock.set_by(-30 * HOUR)
    again = world.watching(Plan())
    with structlog.testing.capture_logs() as lines:
        await again.begin()
        await again.watch()
    assert again.paused.is_set() and {one["event"] for one in lines} == {"clock:set", "capture:stopped"}
    world.clock.forward(10_000)
    world.heard()
    await again.watch()
    assert not again.paused.is_set()


async def test_a_clock_that_is_set_forward_stops_nobody(world: World) -> None:
    """Both feeds are read, and the clock jumps by five hours: nobody is told that things are paused."""
    await world.begin()
    await world.assurance.watch()
    world.clock.forward(300_000)
    world.heard()
    world.clock.set_by(5 * HOUR)
    await world.assurance.watch()
    assert not world.assurance.paused.is_set() and max(world.assurance.lags.values()) < 600
    world.clock.forward(10_000)
    world.heard()
    await world.assurance.watch()
    assert max(world.assurance.lags.values()) == 0


async def test_each_day_is_certified_by_itself(world: World) -> None:
    """After its hour the day before is reconciled, signed and left in the folder; whoever has the key can
    read it; the canary came back and every detector sang."""
    await world.begin()
    made = await world.certificate()
    assert made.day == "2026-01-05" and made.clean, made.words()
    well = ("detector desk/promise", "disposal", "source symphony")
    assert made.canaries == dict.fromkeys(well, "well")
    untried = [one.partition(": untried")[0] for one in made.unasked if ": untried" in one]
    assert untried == ["source weixin"], "nobody can write there in the name of a client"
    counts = {one.name: one.counts for one in made.accounts if one.kind == "source"}
    assert counts[SYMPHONY]["archived"] == counts[WEIXIN]["archived"] == 1
    note = (world.folder / "certificates/2026-01-05-1.txt").read_text()
    assert read(note, [SIGNER.verifier(0)]).canonical() == made.canonical()
    assert world.assurance.status()["trouble"] == ""
    assert await world.database.read(lambda db: world.assurance._lacking(db, world.clock.now())) == {}


async def test_days_that_nobody_certified_are_an_alarm_and_made_up_for(world: World) -> None:
    """Three days without a certificate: somebody is called, and each gets its own."""
    await world.begin()
    await world.certificate()
    world.clock.forward(3 * DAY)
    world.heard()
    await world.assurance._recall()
    assert "2026-01-06 is not certified" in world.assurance.trouble() and world.assurance.overdue
    await world.assurance.certify_due()
    days = [one.day for one in await world.database.read(certificates.certified)]
    assert days[-3:] == ["2026-01-06", "2026-01-07", "2026-01-08"]
    assert "not certified" not in world.assurance.trouble()


async def test_a_message_that_never_came_in_is_named(world: World) -> None:
    """The feed swallows one message: the next certificate names it, and the status says so."""
    await world.begin()
    swallowed = await world.talk(received=False)
    made = await world.certificate()
    assert [one.split(":")[0] for one in made.lists["fault source missing"]] == [f"symphony/{swallowed.id}"]
    (source,) = [one for one in made.accounts if (one.kind, one.name) == ("source", SYMPHONY)]
    assert (source.counts["collected"], source.counts["archived"], source.counts["missing"]) == (2, 1, 1)
    assert "1 differences" in world.assurance.trouble()


async def test_what_we_said_and_is_gone_is_named_even_if_all_is(world: World) -> None:
    """A network that shows what is ours, and shows nothing of it: every delivery is missing there."""
    await world.begin()
    await world.notices(SYMPHONY)
    world.lines[SYMPHONY].shows_ours = True
    made = await world.certificate()
    assert len(made.lists["fault outbox missing"]) == 1


async def test_a_canary_that_does_not_come_back_is_an_alarm(world: World) -> None:
    """The marked message went out and nobody saw it again: the certificate and the status say it."""
    world.lose = True
    await world.begin()
    made = await world.certificate()
    assert made.failed == ["source symphony"] and not made.clean
    assert "1 alerts" in world.assurance.trouble()


async def test_a_silenced_detector_is_an_alarm_within_a_day(world: World) -> None:
    """A detector that no longer finds its word, or is not there any more, is told the next morning."""
    await world.begin()
    assert (await world.certificate()).failed == []
    sound = world.policies
    world.policies = replace(sound, engine=replace(sound.engine, by_owner={}))
    assert (await world.certificate()).failed == ["detector desk/promise"]
    world.policies = compiled(POLICY.replace(b"promise", b"pledge"))
    gone = "detector desk/promise is no longer tried, and "
    assert f"{gone}the policies are the same" in (await world.certificate()).alerts
    world.policies = sound
    await world.certificate()
    world.policies = compiled(POLICY.replace(b"promise", b"pledge"))
    facts = {"policies": []}
    await world.database.write(lambda tx: tx.append(0, "policy:activated", "policy", facts, b"{}"))
    assert f"{gone}other policies are in force since" in (await world.certificate()).alerts[0]


async def test_somebody_who_falls_silent_is_told(world: World) -> None:
    """Who wrote every day for weeks and then does not is named, and so is a network that went quiet."""
    await world.begin()
    for _ in range(28):
        world.clock.forward(DAY)
        await world.talk()
    world.clock.forward(3 * DAY)
    world.heard()
    await world.assurance.certify_due()
    (*_, last) = await world.database.read(certificates.certified)
    made = await world.database.read(lambda db: certificates.certificate(db, last.day))
    assert made.quiet == (SYMPHONY, WEIXIN)
    assert not [one for one in made.alerts if one.startswith("too few")], "one a day: that can be chance"
    world.clock.forward(DAY)
    await world.assurance.certify_due()
    (*_, last) = await world.database.read(certificates.certified)
    made = await world.database.read(lambda db: certificates.certificate(db, last.day))
    gone = "silent: symphony/7001 has not written on 3 usual days"
    assert gone in made.alerts and "silent: nobody has written in symphony on 3 usual days" in made.alerts
    for _ in range(3):
        assert gone not in (await world.certificate()).alerts, "who left is told once"


async def test_nobody_is_expected_where_the_pair_has_ended(world: World) -> None:
    """A client whose pair has ended is no alarm when he writes no more."""
    await world.begin()
    for _ in range(28):
        world.clock.forward(DAY)
        await world.talk()
    await world.pass_on()
    world.execute("UPDATE pairs SET state = 'ended'")
    day = world.clock.now() // DAY
    for later in range(1, 7):
        told = partial(world.assurance._silent, day=day + later)
        assert await world.database.read(lambda db, told=told: list(told(db))) == []


async def test_a_dead_feed_never_becomes_usual(world: World) -> None:
    """For weeks people write every day, and then nobody does in Symphony, though it is read. Two months later
    it is told like in the first week. Somebody settles a day that names it: the silence
    begins again, and is told again."""
    await world.begin()
    for _ in range(21):
        world.clock.forward(DAY)
        await world.talk()

    async def a_week_later() -> Certificate:
        for _ in range(7):
            world.clock.forward(DAY)
            world.count += 1
            await world.hands.say(message(WEIXIN, f"w{world.count}", sent_at=world.clock.now()))
            await world.pass_on()
        ended = datetime.fromtimestamp(world.clock.now() / 1000, UTC).date() - timedelta(days=1)
        return await world.assurance.certify_day(ended)

    weeks = [await a_week_later() for _ in range(8)]
    for made in weeks:
        assert any("nobody has written in symphony" in one for one in made.alerts), made.day
    last = await a_week_later()
    assert any("nobody has written in symphony" in one for one in last.alerts)
    await settled(world, last.day)
    assert (await a_week_later()).alerts == ("silent: nobody has written in symphony on 7 usual days",)


@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE messages SET archived_at = {1 << 50} WHERE id = 1",
        "DELETE FROM messages",
        "UPDATE ledger SET subject = 'message/0' WHERE subject = 'message/1'",
        "UPDATE ledger SET entry = replace(CAST(entry AS TEXT), '\"at\":17', '\"at\":97') "
        "WHERE subject = 'message/1'",
    ],
)
async def test_no_row_ends_the_certificates(world: World, change: str) -> None:
    """Days are counted from the ledger: whoever changes what came first puts off no certificate."""
    await world.begin()
    await world.certificate()
    with sqlite3.connect(world.folder / "weighbridge.db") as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute(change)
    world.clock.forward(2 * DAY)
    world.heard()
    made = len(await world.database.read(certificates.certified))
    await world.assurance.certify_due()
    assert len(await world.database.read(certificates.certified)) >= made + 2


async def test_days_count_from_the_beginning_of_the_ledger(world: World) -> None:
    """The network has words from the first day on, the archive takes nothing in: each day is certified, and
    named. Nothing is usual before the first message."""
    await world.database.own("a daemon")
    await world.assurance.begin()
    assert await world.database.read(heartbeats.begun) == 0
    for _ in range(2):
        said = message(SYMPHONY, f"s{world.clock.now()}", sent_at=world.clock.now())
        world.lines[SYMPHONY].peer.stream.append(said)
        assert (await world.certificate()).faults == 1
    assert world.assurance.trouble().startswith("2026-01-05: 1 differences, 0 alerts (and 1 more days): ")


async def test_what_a_day_found_stands_until_somebody_settles_it(world: World) -> None:
    """A message was lost, and the days after it were clean: the status goes on to say so, until a person says
    why. What was unusual stands for a week; a difference for as long as it takes."""
    await world.begin()
    await world.talk(received=False)
    await world.certificate()
    for _ in range(9):
        await world.talk()
        assert (await world.certificate()).faults == 0
    assert world.assurance.trouble().startswith("2026-01-05: 1 differences, 0 alerts: ")
    Daemon._measure_assurance(None, world.assurance)  # type: ignore[arg-type]
    assert telemetry.metrics.differences._value.get() == 1
    await settled(world, "2026-01-05")
    assert world.assurance.trouble() == ""
    with pytest.raises(Missing, match="2026-01-05"):
        await settled(world, "2026-01-05")
    world.lose = True
    await world.certificate()
    world.lose = False
    for day in range(7):
        assert "0 differences, 1 alerts" in world.assurance.trouble(), day
        await world.talk()
        assert (await world.certificate()).clean
    assert world.assurance.trouble() == ""


async def test_a_morning_is_not_compared_with_whole_days(world: World) -> None:
    """Who certifies today at nine is not told that there are too few messages."""
    await world.begin()
    for _ in range(21):
        for _ in range(4):
            await world.talk()
        await world.pass_on()
        world.clock.forward(DAY)
        world.heard()
    await world.assurance.certify_due()
    made = await world.assurance.certify_day(datetime.fromtimestamp(world.clock.now() / 1000, UTC).date())
    assert made.partial and made.alerts == ()


async def test_silence_is_signed(world: World) -> None:
    """A network that has nothing to say is noted in the ledger as read, every hour; one that does not answer
    is not."""
    await world.begin()
    for _ in range(3):
        world.clock.forward(HOUR)
        world.heard(SYMPHONY)
        await world.assurance.watch()
    heard = await world.database.read(lambda db: heartbeats.last_heard(db, SYMPHONY))
    assert heard == world.clock.now()
    assert await world.database.read(lambda db: heartbeats.last_heard(db, WEIXIN)) == 0


async def test_a_network_that_is_closed_is_said_not_to_have_been_asked(world: World) -> None:
    """A certificate never passes over a source in silence."""
    await world.begin()
    del world.lines[SYMPHONY]
    made = await world.certificate()
    assert "source symphony could not be recounted" in made.alerts
    assert any(one.startswith("symphony: it could not be asked") for one in made.unasked)


async def test_what_is_counted_is_listed_and_what_came_late_is_looked_at(world: World) -> None:
    """A network that shows a message twice is counted and listed. A message of weeks ago, which no history is
    asked for any more, is named, and the day is not clean."""
    await world.begin()
    await world.notices(SYMPHONY), await world.notices(WEIXIN)
    stream = world.lines[WEIXIN].peer.stream
    stream.append(stream[0])
    await world.hands.say(message(WEIXIN, "backdated", sent_at=world.clock.now() - 20 * DAY))
    await world.notices(SYMPHONY)
    made = await world.certificate()
    assert made.lists["source weixin duplicate"] == ["message/1 weixin/w1"]
    assert made.totals["source weixin duplicate"] == 1 and not made.faults
    assert made.lists["archive late archived"] == ["message/3"]
    assert not made.clean and any("after they were sent" in one for one in made.alerts)


async def test_a_room_that_could_not_be_asked_is_not_clean(world: World) -> None:
    """A stream refuses its history: what the archive has of it and the pair that talks there are named, and
    the day is not clean. Where nobody talks and nothing was said, a gap troubles nobody."""
    await world.begin()
    await world.notices(SYMPHONY), await world.notices(WEIXIN)
    await world.talk(received=False)
    room, refusing = world.lines[SYMPHONY].peer.stream[0].conversation, set[str]()

    async def recount(since: int, until: int, known: Iterable[str] = ()) -> AsyncIterator[Unasked]:
        for one in {*refusing, *known}:
            yield Unasked(SYMPHONY, one, since, until, "history is refused: 403")

    world.lines[SYMPHONY].recount = recount  # type: ignore[method-assign]
    made = await world.certificate()
    assert not made.clean and "could not be compared" in made.words()
    assert made.lists["source symphony unasked"] == ["pair/1", "message/2"]
    (source,) = [one for one in made.accounts if (one.kind, one.name) == ("source", SYMPHONY)]
    assert source.counts["unasked"] == 2 and "alerts" in world.assurance.trouble()
    quiet = await world.certificate()
    assert quiet.lists["source symphony unasked"] == ["pair/1"], "a paired room that is closed to us"
    world.execute("UPDATE pairs SET state = 'ended'")
    refusing.add(room)
    assert (await world.certificate()).clean


def showing(world: World) -> list[Sighting]:
    """Symphony shows what it has of ours as well: what is put in here."""
    shown: list[Sighting] = []

    async def recount(since: int, until: int, known: Iterable[str] = ()) -> AsyncIterator[Sighting]:
        theirs = [sighting(one) for one in world.lines[SYMPHONY].peer.stream]
        for one in (*theirs, *shown):
            if since <= one.at < until:
                yield one

    world.lines[SYMPHONY].recount = recount  # type: ignore[method-assign, assignment]
    world.lines[SYMPHONY].shows_ours = True
    return shown


def as_shown(claim: Claim, at: int) -> Sighting:
    """What Symphony shows of a delivery that it took at a time of its clock."""
    one = claim.permit
    ids, text = (one.conversation, f"id-of-{one.id}"), f"Li Lei: {one.content.text}"
    return Sighting(SYMPHONY, *ids, at, permit=one.id, ours=True, text=text)


async def test_a_network_whose_clock_is_ahead_is_not_accused(world: World) -> None:
    """What Symphony took at a moment before midnight, and by its clock a moment after, is there; and is
    neither counted nor missed in the next day."""
    await world.begin()
    world.clock.forward(16 * HOUR - 300)
    claims = await world.database.claim(SYMPHONY, 9)
    shown = showing(world)
    for claim in claims:
        shown.append(as_shown(claim, world.clock.now() + 500))
        await world.hands.end(claim)
    await world.notices(WEIXIN)
    first, second = await world.certificate(), await world.certificate()
    assert (first.faults, second.faults) == (0, 0), first.words() + second.words()


async def test_what_is_coming_in_is_the_next_days(world: World) -> None:
    """A network is asked beyond the end of a span; what it has there that the archive has not yet is no
    difference of this one."""
    await world.begin()
    showing(world)
    await world.notices(SYMPHONY), await world.notices(WEIXIN)
    world.lines[SYMPHONY].shows_ours = False
    world.clock.forward(DAY)
    late = message(SYMPHONY, "just-said", sent_at=world.clock.now() - 7 * HOUR - 59 * 60_000)
    world.lines[SYMPHONY].peer.stream.append(late)
    assert (await world.assurance.certify_day(date(2026, 1, 5))).faults == 0
    world.clock.forward(DAY)
    assert (await world.assurance.certify_day(date(2026, 1, 6))).faults == 1


async def test_what_was_found_hours_after_it_was_sent_is_not_missed(world: World) -> None:
    """A power cut over midnight: Symphony took it at 22:30, at 00:30 it is found there. It is looked for at
    the time of its first try."""
    await world.begin()
    shown = showing(world)
    await world.notices(WEIXIN)
    world.clock.forward(14 * HOUR + 30 * 60_000)
    for claim in await world.database.claim(SYMPHONY, 9):
        shown.append(as_shown(claim, world.clock.now()))
    world.clock.forward(2 * HOUR)
    await world.again()
    (claim,) = await world.database.claim(SYMPHONY, 9)
    assert claim.permit.uncertain
    await world.hands.end(claim, receipt=Receipt((f"id-of-{claim.permit.id}",), found=True))
    for _ in range(2):
        made = await world.certificate()
        assert made.faults == 0, made.words()


async def test_a_day_of_which_a_network_was_not_asked_is_tried_again(world: World) -> None:
    """The night when Symphony was away does not count: some hours later it is asked, and the day is done."""
    await world.begin()
    symphony = world.lines.pop(SYMPHONY)
    await world.certificate()
    world.clock.forward(3 * HOUR)
    await world.assurance.watch()
    assert world.assurance.overdue
    await world.assurance.certify_due()
    assert len(await world.database.read(certificates.certified)) == 1
    world.lines[SYMPHONY] = symphony
    world.clock.forward(HOUR)
    await world.assurance.certify_due()
    runs = await world.database.read(certificates.certified)
    assert [(one.run, one.unasked) for one in runs] == [(1, (SYMPHONY,)), (2, ())]
    await world.assurance.watch()
    assert not world.assurance.overdue


async def test_a_part_of_a_day_is_no_day(world: World) -> None:
    """Who certifies today at noon gets a page that says so, and the night certifies all of it."""
    await world.begin()
    made = await world.assurance.certify_day(datetime.fromtimestamp(world.clock.now() / 1000, UTC).date())
    assert made.partial and not made.clean and "the day had not ended" in made.words()
    assert world.assurance.newest is None
    assert (await world.certificate()).clean
    with pytest.raises(ValueError, match="has not begun"):
        await world.assurance.certify_day(date(2100, 1, 1))


async def test_certificates_are_brought_to_where_they_lack(world: World) -> None:
    """A folder in the way stops nobody; once it is gone every certificate is there, also one that somebody
    deleted."""
    folder = world.folder / "certificates"
    folder.write_text("in the way")
    await world.begin()
    await world.certificate()
    assert "cannot be written" in world.assurance.trouble()
    folder.unlink()
    await world.certificate()
    assert len(list(folder.iterdir())) == 2 and world.assurance.trouble() == ""
    (folder / "2026-01-05-1.txt").unlink()
    with structlog.testing.capture_logs() as lines:
        await world.assurance.certify_due()
    assert len(list(folder.iterdir())) == 2
    assert [one["event"] for one in lines] == ["certificate:gone"]


WHO = ("alice.wong@bank.example", "a test of the feed")


async def settled(world: World, name: str) -> None:
    """A person looks at what stands of a day, and says why it is so."""
    last, lane = due(world.clock.now(), world.assurance.plan.hour), world.database.lane
    one = await world.database.read(lambda db: certificates.of(db, name, last))
    await world.database.write(lambda tx: certificates.settle(tx, lane, name, one.run, *WHO, last))
    await world.assurance._recall()


def forgetting(world: World, network: str, day_after: int) -> None:
    """From a moment on a network no longer has what is older than that."""

    async def recount(since: int, until: int, known: Iterable[str] = ()) -> AsyncIterator[Sighting | Unasked]:
        for chat in known if since < day_after else ():
            yield Unasked(network, chat, since, min(day_after, until), "kept for three days only")
        for one in world.lines[network].peer.stream:
            if max(since, day_after) <= one.sent_at < until:
                yield sighting(one)

    world.lines[network].recount = recount  # type: ignore[method-assign]


@pytest.mark.parametrize("says_so", [True, False])
async def test_no_later_run_washes_a_lost_message(world: World, says_so: bool) -> None:
    """A message was lost; when the day is certified again its network keeps it no longer, and says so, or
    does not even that: the difference stands."""
    await world.begin()
    await world.notices(SYMPHONY), await world.notices(WEIXIN)
    lost = await world.talk(received=False)
    await world.certificate()
    if says_so:
        forgetting(world, SYMPHONY, world.clock.now())
    else:
        world.lines[SYMPHONY].peer.stream.remove(lost)
    made = await world.assurance.certify_day(date(2026, 1, 5))
    assert made.run == 2 and any(lost.id in one for one in made.lists["fault source missing"])
    assert world.assurance.trouble().startswith("2026-01-05: 1 differences")


async def test_a_run_that_could_not_ask_washes_nothing(world: World) -> None:
    """A delivery was not shown; then the network could not be asked for that time: the first run stands."""
    await world.begin()
    await world.notices(SYMPHONY), await world.notices(WEIXIN)
    said = world.lines[WEIXIN].peer.stream.pop()
    assert (await world.certificate()).lists["fault source surplus"]
    forgetting(world, WEIXIN, world.clock.now())
    world.lines[SYMPHONY], away = world.lines[SYMPHONY], world.lines.pop(SYMPHONY)
    await world.assurance.certify_day(date(2026, 1, 5))
    world.lines[SYMPHONY] = away
    made = await world.assurance.certify_day(date(2026, 1, 5))
    assert not made.faults and made.gaps
    assert world.assurance.trouble().startswith("2026-01-05: 1 differences")
    world.lines[WEIXIN] = Stalling(world.lines[WEIXIN].peer, world.clock, world.database)
    world.lines[WEIXIN].peer.stream.append(said)
    assert (await world.assurance.certify_day(date(2026, 1, 5))).clean
    assert world.assurance.trouble() == "", "asked for, and well"


async def test_what_was_settled_is_not_opened_by_a_run_that_finds_the_same(world: World) -> None:
    """A settled day is certified again and finds what it found: no alarm. Another message is gone: that one
    alone stands."""
    await world.begin()
    await world.talk(received=False)
    await world.certificate()
    await settled(world, "2026-01-05")
    await world.assurance.certify_day(date(2026, 1, 5))
    assert world.assurance.trouble() == ""
    early = world.lines[SYMPHONY].peer.stream[0]
    world.lines[SYMPHONY].peer.stream.append(replace(early, id="another"))
    await world.assurance.certify_day(date(2026, 1, 5))
    assert world.assurance.trouble().startswith("2026-01-05: 1 differences")


async def test_what_a_span_found_stands(world: World) -> None:
    """Days reconciled together: what they lack stands until somebody settles the span."""
    await world.begin()
    await world.talk(received=False)
    world.clock.forward(2 * DAY)
    since = round(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1000)
    await world.assurance.certify("2026-01-05..2026-01-06", since, since + 2 * DAY)
    assert world.assurance.trouble().startswith("2026-01-05..2026-01-06: 1 differences")
    await settled(world, "2026-01-05..2026-01-06")
    assert world.assurance.trouble() == ""


async def test_days_that_nobody_could_make_up_for_stand(world: World) -> None:
    """The daemon was down for twelve days: a week is made up for, and the days before it stand until somebody
    certifies them, or says why nobody did."""
    await world.begin()
    await world.pass_on()
    world.clock.forward(12 * DAY)
    world.heard()
    await world.assurance.certify_due()
    said = "2026-01-05 is not certified, or not with every network asked (and 4 more days)"
    assert said in world.assurance.trouble()
    await world.assurance.certify_day(date(2026, 1, 5))
    await settled(world, "2026-01-06..2026-01-08")
    assert world.assurance.trouble().startswith("2026-01-09 is not certified")
    await settled(world, "2026-01-09")
    assert world.assurance.trouble() == "" and not world.assurance.overdue


async def test_a_day_that_was_never_asked_for_is_not_forgotten(world: World) -> None:
    """Symphony is away while a day is certified, and certified again: weeks later it still stands, because
    nobody knows what it would have shown; what was unusual of it does not."""
    await world.begin()
    await world.pass_on()
    world.lines.pop(SYMPHONY)
    for _ in range(2):
        world.clock.forward(DAY)
        world.heard()
        await world.assurance.certify_due()
    runs = await world.database.read(lambda db: certificates.certified(db, "2026-01-05"))
    assert [one.unasked for one in runs] == [(SYMPHONY,)] * 2
    world.clock.forward(20 * DAY)
    await world.assurance._recall()
    found = world.assurance.unsettled[0]
    assert (found.name, found.alerts, found.uncertified) == ("2026-01-05", 0, True)


async def test_rooms_that_refused_are_asked_again(world: World) -> None:
    """A stream refuses its history: the day is certified again, later each time, until it answers."""
    await world.begin()
    await world.pass_on()
    answering = world.lines[SYMPHONY].recount
    forgetting(world, SYMPHONY, world.clock.now() + DAY)
    assert (await world.certificate()).totals["source symphony unasked"]

    async def runs_after(hours: int) -> int:
        world.clock.forward(hours * HOUR)
        world.heard()
        await world.assurance.certify_due()
        return len(await world.database.read(lambda db: certificates.certified(db, "2026-01-05")))

    assert [await runs_after(hours) for hours in (3, 1, 5)] == [1, 2, 2]
    world.lines[SYMPHONY].recount = answering  # type: ignore[method-assign]
    assert [await runs_after(hours) for hours in (1, 13)] == [3, 3]
    assert world.assurance.trouble() == ""


async def test_no_trouble_hides_another(world: World) -> None:
    """A folder is in the way, an entry is none any more, a day is not certified: what differs is told first,
    and each of them is."""
    (world.folder / "certificates").write_text("in the way")
    await world.begin()
    await world.talk(received=False)
    await world.certificate()
    await world.database.write(lambda tx: tx.append(0, "day:settled", "settled/zzz", {"run": 1}, b"{}"))
    world.clock.forward(2 * DAY)
    await world.assurance._recall()
    told = world.assurance.trouble().split("; ")
    assert told[0].startswith("2026-01-05: 1 differences") and told[1].startswith("2026-01-06 is not cert")
    assert "no entry any more" in told[2] and "cannot be written" in told[3] and len(told) == 4
    (entry,) = world.assurance.spoiled
    await settled(world, entry)
    assert "no entry any more" not in world.assurance.trouble()


async def test_a_failure_is_over_when_its_day_is(world: World) -> None:
    """A day could not be certified for a week, and what kept it was mended: it is told as one that nobody
    certified, with a remedy that ends it."""
    await world.begin()
    await world.pass_on()
    world.assurance.failed = {"2026-01-05": world.clock.now() + 12 * DAY}
    world.clock.forward(5 * DAY)
    world.heard()
    await world.assurance.certify_due()
    assert "2026-01-05 cannot be certified" in world.assurance.trouble()
    world.clock.forward(6 * DAY)
    world.heard()
    await world.assurance.certify_due()
    assert world.assurance.trouble().startswith("2026-01-05 is not certified") and not world.assurance.failed
    await world.assurance.certify_day(date(2026, 1, 5))
    assert world.assurance.trouble() == ""


async def test_spoiling_a_certificate_washes_nothing(world: World) -> None:
    """A message was lost, its network shows it no longer, and the page that named it is overwritten: the next
    run has a difference, and the day stands."""
    await world.begin()
    await world.pass_on()
    lost = await world.talk(received=False)
    await world.certificate()
    world.lines[SYMPHONY].peer.stream.remove(lost)
    world.execute(
        "UPDATE content SET body = x'00' WHERE seq = (SELECT max(seq) FROM ledger WHERE subject LIKE 'day/%')"
    )
    made = await world.assurance.certify_day(date(2026, 1, 5))
    assert made.lists["fault archive altered"] == [f"certificate of 2026-01-05, run 1: {certificates.LOST}"]
    assert world.assurance.trouble().startswith("2026-01-05: 1 differences")


async def test_a_certificate_that_nobody_finds_is_named(world: World) -> None:
    """The page that named a lost message is put under another name, and the day is certified again when its
    network shows the message no longer: the ledger itself is looked at, and that stands."""
    await world.begin()
    await world.pass_on()
    lost = await world.talk(received=False)
    await world.certificate()
    world.lines[SYMPHONY].peer.stream.remove(lost)
    world.execute("UPDATE ledger SET subject = 'gone' WHERE subject = 'day/2026-01-05'")
    await world.assurance.certify_due()
    assert "2026-01-05: 1 differences" in world.assurance.trouble()
    (one,) = world.assurance.unsettled[0].findings
    assert one.name == "fault archive altered" and "lies under another name" in one.item


@pytest.mark.parametrize("day", ["2026-13-01", "9999-12-31", "2026-01-05..x"])
async def test_a_certificate_of_no_day_ends_no_daemon(world: World, day: str) -> None:
    """A well formed entry of a day that there is not: the daemon begins and certifies, and it is named; what
    was unusual goes on to stand."""
    await world.begin()
    world.lose = True
    await world.certificate()
    world.lose = False
    await world.certificate()
    change = f"subject = 'day/{day}', entry = replace(CAST(entry AS TEXT), 'day/2026-01-06', 'day/{day}')"
    world.execute(f"UPDATE ledger SET {change} WHERE subject = 'day/2026-01-06'")
    await world.again()
    world.clock.forward(DAY)
    await world.assurance.certify_due()
    told = world.assurance.trouble()
    assert told.startswith("2026-01-06: 1 differences") or "0 differences, 1 alerts" in told, told
    assert "no entry any more" in told and "2026-01-05" in {one.name for one in world.assurance.unsettled}


@pytest.mark.parametrize(
    ("subject", "value"),
    [
        ("day/%", "'x'"),
        ("day/%", "'{}'"),
        ("settled/%", "'x'"),
        ("capture", "'x'"),
        ("message/%", "x'00ff'"),
        ("%", "'[1]'"),
    ],
)
async def test_no_spoiled_entry_ends_the_watch(world: World, subject: str, value: str) -> None:
    """Whatever is written over an entry: the daemon begins, looks, and certifies; and it is told."""
    await world.begin()
    await world.talk(received=False)
    await world.certificate()
    await settled(world, "2026-01-05")
    world.clock.forward(5 * HOUR)
    await world.assurance.watch()
    await world.database.write(lambda tx: tx.append(0, "policy:activated", "policy", {"policies": []}, b"{}"))
    world.execute(f"UPDATE ledger SET entry = {value} WHERE subject LIKE '{subject}'")
    await world.again()
    await world.assurance.watch()
    world.clock.forward(DAY)
    await world.assurance.certify_due()
    await world.assurance.watch()
    assert world.assurance.trouble()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE meta SET value = 'x' WHERE key LIKE 'heard.%'",
        "UPDATE messages SET archived_at = 'x' WHERE id = 1",
        "UPDATE deliveries SET conversation = x'00ff'",
        "UPDATE messages SET conversation = x'00ff' WHERE id = 1",
        "UPDATE messages SET kind = 'what' WHERE id = 1",
    ],
)
async def test_no_spoiled_row_ends_the_watch(world: World, change: str) -> None:
    """Whatever stands in a column: the daemon begins, looks and certifies, or says that it cannot."""
    await world.begin()
    await world.notices(SYMPHONY), await world.notices(WEIXIN)
    await world.assurance.watch()
    world.execute(change)
    await world.again()
    await world.assurance.watch()
    world.clock.forward(DAY)
    await world.assurance.certify_due()
    assert "meta" in change or world.assurance.trouble()
    if "meta" in change:
        assert await world.database.read(lambda db: heartbeats.last_read(db, SYMPHONY))


async def test_a_certificate_that_fails_is_an_alarm(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a day can be read: the daemon lives, says so, and tries again after four hours."""
    await world.begin()
    with monkeypatch.context() as broken:
        broken.setattr("bridge.store.reconciling.reconcile", lambda *_: 1 + "x")  # type: ignore[operator]
        world.clock.forward(DAY)
        for _ in range(2):
            await world.assurance.certify_due()
    assert "2026-01-05 cannot be certified" in world.assurance.trouble()
    world.clock.forward(4 * HOUR)
    await world.assurance.certify_due()
    assert "cannot be certified" not in world.assurance.trouble()


@pytest.mark.parametrize("what", ["delivery/", "message/3"])
async def test_what_is_never_sent_or_judged_is_told(world: World, what: str) -> None:
    """A delivery that nobody sends, a message that nobody judges: on the day after, and every day, an alert
    that names it."""
    await world.begin()
    theirs = message(WEIXIN, "undone", sent_at=world.clock.now())
    world.lines[WEIXIN].peer.stream.append(theirs)
    if what == "delivery/":
        await world.pass_on()
        await world.hands.say(theirs)
        world.pass_on = partial(asyncio.sleep, 0)  # type: ignore[method-assign]
    else:
        await world.hands.archive(theirs)
    await world.certificate()
    for _ in range(2):
        made = await world.certificate()
        assert any("of earlier days" in one and what in one for one in made.alerts), made.words()
    assert "alerts" in world.assurance.trouble()


@pytest.mark.parametrize("before", [10, 30 * 60_000])
async def test_what_straddles_midnight_is_compared(world: World, before: int) -> None:
    """A message that no network has, sent before midnight by its own words, came in after it: it is named.
    One that its network has is not."""
    await world.begin()
    await world.notices(SYMPHONY), await world.notices(WEIXIN)
    world.clock.forward(DAY - world.clock.now() % DAY + 500)
    midnight = world.clock.now() - 500
    real = message(WEIXIN, "real", sent_at=midnight - before)
    world.lines[WEIXIN].peer.stream.append(real)
    await world.hands.say(real, message(WEIXIN, "forged", sent_at=midnight - before))
    await world.notices(SYMPHONY)
    made = [await world.certificate() for _ in range(2)]
    named = [item.split(":")[0] for one in made for item in one.lists.get("fault source surplus", ())]
    assert named == ["weixin/forged"]


def test_the_daemon_stops_and_goes_on_by_itself(tmp_path: Path) -> None:
    """In the running daemon: a stalled network is told by readyz and the metrics, what is in the outbox
    stays there, and goes out when the network answers again."""
    new_store(tmp_path)

    async def live(loop: VirtualLoop) -> None:
        database = opened(tmp_path, loop)
        peers = Peer(SYMPHONY, keys=False, ours=False), Peer(WEIXIN, keys=True, ours=True)
        lines = {peer.network: Stalling(peer, loop, database) for peer in peers}
        plan = Plan(lag_alarm=30.0, lag_stop=60.0, folders=(tmp_path / "certificates",))
        assurance = Assurance(database, SIGNER, plan, dict, networks=(SYMPHONY, WEIXIN), ticks=loop.now)
        house = House(database, loop, Counting(), pace=Pace(look=5.0))
        law = Law(lambda: compiled(POLICY))
        daemon = Daemon(house, database, list(lines.values()), law, None, assurance=assurance)
        task = asyncio.create_task(daemon.run(signals=False))
        try:
            await pause(5)
            lines[WEIXIN].peer.say("first words", sent_at=loop.now())
            await pause(20)
            lines[SYMPHONY].stalled = True
            await pause(120)
            assert assurance.paused.is_set()
            lines[WEIXIN].peer.say("second words", sent_at=loop.now())
            await pause(60)
            assert not [one for one in peers[0].texts() if "second words" in one]
            await daemon._measure()
            assert telemetry.metrics.capture_paused._value.get() == 1
            lines[SYMPHONY].stalled = False
            await pause(60)
            assert [one for one in peers[0].texts() if "second words" in one]
            daemon.leave()
            await task
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            database.close()

    run_virtually(live)


async def altered(world: World, since: int) -> set[str]:
    """Change what came in after a message; gives what a certificate calls that."""
    world.execute(f"UPDATE messages SET kind = 'image' WHERE id > {since}")
    rows = await world.hands.rows(f"SELECT id FROM messages WHERE id > {since}")
    return {f"message/{number}: kind: not as the ledger testifies" for (number,) in rows}


async def test_whatever_a_clock_did_each_message_is_in_a_certificate(world: World) -> None:
    """On a new machine whose clock was 400 days ahead at first, the next certificate has what came in then,
    and those after it what comes later."""
    await world.begin()
    ((last,),) = await world.hands.rows("SELECT max(id) FROM messages")
    world.clock.set_by(400 * DAY)
    await world.talk()
    world.clock.set_by(-400 * DAY)
    for _ in range(3):
        await world.talk()
        wrong = await altered(world, last)
        ((last,),) = await world.hands.rows("SELECT max(id) FROM messages")
        made = await world.certificate()
        assert wrong <= set(made.lists["fault archive altered"])
        assert [one.last for one in made.accounts if one.kind == "source"] == [last, last]


async def test_what_was_changed_in_the_ledger_is_explained_once(world: World) -> None:
    """Whoever changed an entry with its hash changed every root after it: each day's certificate names it,
    in the same words however long the ledger gets, and nobody has to say twice why."""
    await world.begin()
    (old,) = [row[0] for row in await world.hands.rows("SELECT entry FROM ledger WHERE seq = 3")]
    new = bytes(old).replace(b'"at":1', b'"at":2')
    world.execute(f"UPDATE ledger SET entry = x'{new.hex()}', leaf = x'{leaf_hash(new).hex()}' WHERE seq = 3")
    for day in range(3):
        await world.talk()
        made = await world.certificate()
        assert any(one.startswith("heads lane 0") for one in made.lists["fault archive altered"])
        assert bool(world.assurance.troubles()) == (day == 0)
        if day == 0:
            await settled(world, made.day)


async def test_the_first_certificate_has_all_of_its_day(world: World) -> None:
    """Nor does a clock that was set back before there was any certificate leave anything out."""
    await world.begin()
    world.clock.set_by(-9 * DAY)
    await world.talk()
    world.clock.set_by(9 * DAY)
    made = await world.certificate()
    runs = await world.database.read(certificates.certified)
    assert {place for one in runs for place in range(*one.entries)} == set(range(made.entries[1]))
    assert made.entries[1] > made.entries[0]


async def test_what_came_after_its_day_was_certified_is_in_the_next_one(world: World) -> None:
    """A clock that is set back leaves no hole: what comes then is compared with the day after, and the day
    itself is certified once more, because its networks were asked too early."""
    await world.begin()
    first = await world.certificate()
    world.clock.set_by(-DAY // 2)
    ((last,),) = await world.hands.rows("SELECT max(id) FROM messages")
    lost = await world.talk(received=False)
    wrong = await altered(world, last)
    world.clock.forward(DAY)
    made = await world.certificate()
    assert (made.entries[0], set(made.lists["fault archive altered"])) == (first.entries[1], wrong)
    assert any("the clock was set" in one for one in made.alerts)
    await world.assurance.certify_due()
    again = await world.database.read(lambda db: certificates.certificate(db, first.day))
    assert (again.run, again.entries[0]) == (2, first.entries[0])
    assert [one.partition(":")[0] for one in again.lists["fault source missing"]] == [f"symphony/{lost.id}"]
    await world.assurance.certify_due()
    runs = [one.day for one in await world.database.read(certificates.certified)]
    assert runs == [first.day, made.day, first.day]


async def test_days_that_were_certified_before_they_came_are_certified_again(world: World) -> None:
    """Two days that a clock which was ahead had certified are certified when they have ended."""
    await world.begin()
    world.clock.set_by(2 * DAY)
    world.heard()
    await world.assurance.certify_due()
    early = await world.database.read(certificates.certified)
    world.clock.set_by(-2 * DAY)
    for one in early:
        lost = await world.talk(received=False)
        made = await world.certificate()
        assert (made.day, made.run) == (one.day, 2)
        missing = made.lists["fault source missing"]
        assert [item.partition(":")[0] for item in missing] == [f"symphony/{lost.id}"]


async def test_what_waits_behind_what_waits_is_not_left_over(world: World) -> None:
    """A client's window is closed, for weeks: nobody is called about the second message into it either."""
    await world.begin()
    await world.pass_on()
    for text in ("first", "second", "third"):
        said = message(SYMPHONY, text, sent_at=world.clock.now())
        world.lines[SYMPHONY].peer.stream.append(said)
        await world.hands.say(said)
        for claim in await world.database.claim(WEIXIN, 9):
            await world.hands.end(claim, Step.WAIT, reason="asleep")
    for _ in range(3):
        made = await world.certificate()
        await world.pass_on()
        assert not [one for one in made.alerts if "not sent yet" in one], made.alerts


async def test_a_morning_that_was_settled_hides_no_day(world: World) -> None:
    """Somebody explains what a run of the unfinished day found; then nobody certifies for a fortnight: that
    day is among those that stand."""
    await world.begin()
    await world.pass_on()
    world.clock.forward(3 * HOUR)
    start = world.clock.now() // DAY * DAY
    day = datetime.fromtimestamp(start / 1000, UTC).date()
    await world.assurance.certify(str(day), start, start + DAY, ask=False)
    await settled(world, str(day))
    world.clock.forward(14 * DAY)
    last = due(world.clock.now(), world.assurance.plan.hour)
    standing = await world.database.read(lambda db: certificates.stand(db, last))
    assert str(day) in [one.name for one in standing]


async def test_a_clock_put_back_while_a_day_is_certified_accuses_nobody(world: World) -> None:
    """Two minutes, during the canary: the day is certified again, and its entry is one still."""
    await world.begin()
    await world.pass_on()
    world.clock.forward(DAY - world.clock.now() % DAY + 90_000)
    plant = world.assurance.plant
    assert plant is not None

    async def put_back(key: str, note: str) -> None:
        world.clock.set_by(-120_000)
        await plant(key, note)

    world.assurance.plant = put_back
    await world.assurance.certify_day(date(2026, 1, 5))
    world.assurance.plant = plant
    found = await world.database.read(certificates.book)
    assert not found.spoiled and len(found.runs) == 1
    world.clock.forward(DAY)
    world.heard()
    await world.assurance.certify_due()
    runs = await world.database.read(certificates.certified)
    assert [one.run for one in runs if one.day == "2026-01-05"] == [1, 2]


async def test_a_clock_put_back_puts_no_delivery_out_of_order(world: World) -> None:
    """Five minutes between two deliveries into one chat: the network shows them as they went."""
    await world.begin()
    shown = showing(world)
    await world.notices(WEIXIN)
    true = world.clock.now()
    for number, back in enumerate((0, -300_000)):
        true += 600_000
        world.clock.forward(600_000)
        world.clock.set_by(back)
        said = message(WEIXIN, f"said {number}", sent_at=true)
        world.lines[WEIXIN].peer.stream.append(said)
        await world.hands.say(said)
        for claim in await world.database.claim(SYMPHONY, 9):
            shown.append(as_shown(claim, true))
            await world.hands.end(claim)
    made = await world.certificate()
    assert not [name for name in made.lists if "reordered" in name], made.lists
