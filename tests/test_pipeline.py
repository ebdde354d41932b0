"""The rooms, run over the real store against networks that remember: order, patience, and leaving in order.

Rules of this file: time is virtual. A room is run as the daemon runs it, and stopped when what it had to do
has been done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rig import (
    CONTACT,
    LANGUAGES,
    PAIR,
    Counting,
    Fate,
    Hands,
    Line,
    Peer,
    VirtualLoop,
    judge,
    message,
    new_store,
    opened,
    pause,
    run_virtually,
)
from sqlalchemy import text
from structlog.testing import capture_logs

from bridge import pipeline, words
from bridge.errors import Damaged, Refused, SignedOut, StoreError, Unreachable
from bridge.flow import Patience
from bridge.message import SYMPHONY, WEIXIN, Batch, Echo, File, Kind, Permit, Receipt, Traffic
from bridge.pipeline import Bell, House, Pace, attempt_to_send, decide
from bridge.ports import Claim, Step
from bridge.store import views
from bridge.store.database import Database

LONGEST = 600.0  # virtual seconds


class World:
    """One process: a store, both networks, and their rooms."""

    def __init__(self, loop: VirtualLoop, store: Database, pace: Pace) -> None:
        self.loop, self.store = loop, store
        self.pod = Peer(SYMPHONY, keys=False, ours=False)
        self.platform = Peer(WEIXIN, keys=True, ours=True)
        self.tally = Counting()
        self.house = House(store, loop, self.tally, pace=pace)
        self.hands = Hands(store, loop)  # type: ignore[arg-type]
        self.stop = asyncio.Event()

    def line(self, network: str, kind: type[Line] = Line) -> Line:
        """A connector onto one of the networks."""
        return kind({SYMPHONY: self.pod, WEIXIN: self.platform}[network], Fate(), self.store.blobs)

    async def run(self, *rooms: Awaitable[None], until: Callable[[], bool]) -> None:
        """Run rooms until the condition holds, and stop them as the daemon does."""
        tasks = [asyncio.ensure_future(room) for room in rooms]
        try:
            while not until():
                for task in tasks:
                    if task.done():
                        task.result()
                assert self.loop.time() < LONGEST, "nothing more happens"
                await pause(0.05)
            self.stop.set()
            await pause(1.0)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def delivery(self, line: Line) -> Awaitable[None]:
        """The delivery room of one network."""
        return pipeline.delivery(line, self.house, self.stop)


QUICK = Pace(look=0.25, patience=Patience(first=500, tries=4), fetch_patience=Patience(first=500, tries=3))


pytestmark = pytest.mark.usefixtures("engine")


def in_world(test: Callable[[World], Awaitable[None]], folder: Path, pace: Pace = QUICK) -> None:
    """Run `test` in a world of its own."""

    async def main(loop: VirtualLoop) -> None:
        new_store(folder)
        store = opened(folder, loop)
        await store.own("the test")
        try:
            await test(World(loop, store, pace))
        finally:
            store.close()

    run_virtually(main)


# --- bells ----------------------------------------------------------------------------------------------


def test_a_bell_wakes_at_once_and_a_missed_one_costs_one_look() -> None:
    """Rung before or while somebody waits, it wakes; unrung, the wait ends by itself."""

    async def main(loop: VirtualLoop) -> list[float]:
        bell, times = Bell(), []
        bell.ring()
        bell.ring()
        await bell.wait(5)
        times.append(loop.time())
        loop.call_later(1, bell.ring)
        await bell.wait(5)
        times.append(loop.time())
        await bell.wait(5)
        times.append(loop.time())
        return times

    assert run_virtually(main) == pytest.approx([0, 1, 6])


# --- intake ---------------------------------------------------------------------------------------------


def test_a_network_is_told_after_the_archive(tmp_path: Path) -> None:
    """At the moment of each acknowledgement, everything of its batch can be read from the archive."""

    class Watching(Line):
        async def acknowledge(self, batch: Batch) -> None:
            rows = await world_of[0].hands.rows("SELECT source_id FROM messages")
            assert {one.id for one in batch.messages} <= {row[0] for row in rows}
            await super().acknowledge(batch)

    world_of: list[World] = []

    async def test(world: World) -> None:
        world_of.append(world)
        for number in range(10):
            world.pod.say(f"text {number}")
        world.pod.repeat(3)
        line = world.line(SYMPHONY, Watching)
        await world.run(pipeline.intake(line, world.house), until=lambda: world.pod.acknowledged == 11)
        assert world.tally.counts["archived symphony"] == 10

    in_world(test, tmp_path)


def test_a_batch_that_cannot_be_archived_is_not_acknowledged(tmp_path: Path) -> None:
    """When the store refuses, the network hears nothing, and the room ends."""

    async def test(world: World) -> None:
        world.pod.say("hello")
        world.store.epoch -= 1
        with pytest.raises(StoreError):
            await pipeline.intake(world.line(SYMPHONY), world.house)
        assert world.pod.acknowledged == 0

    in_world(test, tmp_path)


def test_intake_goes_on_behind_the_committed_cursor(tmp_path: Path) -> None:
    """A network whose cursor is ours to keep is asked for what comes after it."""

    async def test(world: World) -> None:
        for number in range(6):
            world.platform.say(f"text {number}")
        await world.store.archive(Batch(WEIXIN, cursors={"position": "4"}))
        until = lambda: world.tally.counts["archived weixin"] == 2  # noqa: E731
        await world.run(pipeline.intake(world.line(WEIXIN), world.house), until=until)
        rows = await world.hands.rows("SELECT source_id FROM messages")
        assert rows == [("weixin-5",), ("weixin-6",)]

    in_world(test, tmp_path)


def test_our_own_echo_is_acknowledged(tmp_path: Path) -> None:
    """What we sent comes back in the stream, and is only told to be received."""

    class Echoing(Line):
        async def receive(self, cursors: Any) -> AsyncIterator[Batch]:
            yield Batch(SYMPHONY, echoes=(Echo("0" * 20, "m1"),), token=1)
            await asyncio.get_running_loop().create_future()

    async def test(world: World) -> None:
        line = world.line(SYMPHONY, Echoing)
        await world.run(pipeline.intake(line, world.house), until=lambda: world.pod.acknowledged == 1)
        assert await world.hands.rows("SELECT * FROM messages") == []

    in_world(test, tmp_path)


# --- attachments ----------------------------------------------------------------------------------------


async def with_file(world: World) -> None:
    """A message with one attachment is in the archive; it is in the network's hands."""
    world.pod.files["ref"] = [b"abc" * 1000, b"def"]
    await world.hands.archive(message(SYMPHONY, 1, "see", kind=Kind.FILE, files=(File("ref", "a.txt"),)))


def fetched(world: World) -> Callable[[], bool]:
    """Whether the message has been judged."""
    return lambda: world.tally.counts["judged deliver"] + world.tally.counts["judged hold"] == 1


def test_an_attachment_arrives_whole(tmp_path: Path) -> None:
    """It streams into the archive, is judged with its message, and goes out byte for byte."""

    async def test(world: World) -> None:
        await with_file(world)
        line, platform = world.line(SYMPHONY), world.line(WEIXIN)
        rooms = (
            pipeline.fetch(line, world.house),
            pipeline.judgement(judge, world.house),
            world.delivery(platform),
        )
        await world.run(*rooms, until=lambda: bool(world.platform.shown))
        assert world.platform.shown[0].files == (b"abc" * 1000 + b"def",)

    in_world(test, tmp_path)


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ([Refused("expired", "it is gone")], "expired"),
        ([Unreachable("away", certain=True)] * 9, "unreachable"),
        ([], "too-large"),
    ],
    ids=["refused", "away for good", "larger than we keep"],
)
def test_an_attachment_that_cannot_be_had_holds_its_message(
    tmp_path: Path, trouble: list[Any], reason: str
) -> None:
    """Refused, unreachable for too long, or too large: the message is held, and the ledger says why."""

    async def test(world: World) -> None:
        await with_file(world)
        world.pod.troubles["ref"] = trouble
        rooms = (
            pipeline.fetch(world.line(SYMPHONY), world.house),
            pipeline.judgement(judge, world.house),
        )
        await world.run(*rooms, until=fetched(world))
        assert world.tally.counts["judged hold"] == 1
        (entry,) = await world.hands.entries("file:missing")
        assert entry.facts["reason"] == reason
        assert not list((tmp_path / "blobs").glob("??/??/*"))

    in_world(test, tmp_path, Pace(look=0.25, fetch_patience=QUICK.fetch_patience, max_file_bytes=3002))


def test_an_attachment_is_tried_again_after_its_pause(tmp_path: Path) -> None:
    """Two failures cost two pauses, the second twice as long; then it is there."""

    async def test(world: World) -> None:
        await with_file(world)
        world.pod.troubles["ref"] = [Unreachable("away", certain=True)] * 2
        rooms = (
            pipeline.fetch(world.line(SYMPHONY), world.house),
            pipeline.judgement(judge, world.house),
        )
        await world.run(*rooms, until=fetched(world))
        assert world.tally.counts["judged deliver"] == 1
        assert world.loop.time() > 0.5 + 1.0

    in_world(test, tmp_path)


# --- judgement ------------------------------------------------------------------------------------------


async def test_behind_a_waiting_hold_nothing_is_decided(tmp_path: Path) -> None:
    """In its conversation alone, and in the very batch; the judge is not even asked."""
    new_store(tmp_path)
    asked: list[str] = []

    def asking(one: Any, moment: Any) -> Any:
        asked.append(one.message.text)
        return judge(one, moment)

    def main(loop: VirtualLoop) -> Any:
        async def inner() -> list[str]:
            store = opened(tmp_path, loop)
            await store.own("the test")
            await Hands(store, loop).archive(  # type: ignore[arg-type]
                message(WEIXIN, 1, "one"), message(WEIXIN, 2, "WAIT"), message(WEIXIN, 3, "three")
            )
            await Hands(store, loop).archive(message(SYMPHONY, 4, "four"))  # type: ignore[arg-type]
            rulings = decide(await store.unjudged(9), asking, loop.now(), LANGUAGES)
            store.close()
            return [ruling.archived.message.text for ruling in rulings]

        return inner()

    decided = await asyncio.to_thread(run_virtually, main)
    assert decided == asked == ["one", "WAIT", "four"]


@pytest.mark.parametrize("kind", [Kind.NOTE, Kind.FAILED, Kind.RECALL])
def test_nobody_is_told_about_what_nobody_wrote(tmp_path: Path, kind: Kind) -> None:
    """A network's remark from somebody unpaired is answered with nothing."""

    async def test(world: World) -> None:
        stranger = {"conversation": "wkDesk/wmHan", "sender": "wmHan"}
        await world.hands.archive(
            message(WEIXIN, 1, "", kind=kind, **stranger), message(WEIXIN, 2, **stranger)
        )
        first, second = decide(await world.store.unjudged(9), judge, world.loop.now(), LANGUAGES)
        assert (first.notice, second.notice) == ("", words.say("unpaired", "zh-Hans"))

    in_world(test, tmp_path)


def test_what_does_not_open_is_said_once_and_ends_nothing(tmp_path: Path) -> None:
    """A room meets it at every look; the house is called once, and everybody else is judged."""

    async def test(world: World) -> None:
        await world.hands.archive(message(SYMPHONY, 1))
        change = text("UPDATE content SET body = salt WHERE seq = (SELECT entry FROM messages WHERE id = 1)")
        await world.store.write(lambda tx: tx.db.execute(change) and None)
        rooms = pipeline.judgement(judge, world.house), world.delivery(world.line(SYMPHONY))
        with capture_logs() as lines:
            await world.hands.archive(message(WEIXIN, 2, "one"))
            await world.run(*rooms, until=lambda: bool(world.pod.shown))
        assert world.pod.texts() == ["one"]
        errors = [line for line in lines if line["log_level"] == "error"]
        assert [(line["event"], line["seq"]) for line in errors] == [("message:unreadable", 1)]

    in_world(test, tmp_path)


# --- delivery -------------------------------------------------------------------------------------------


def test_a_slow_conversation_holds_up_nobody_else(tmp_path: Path) -> None:
    """While one chat's send hangs, another's goes; each keeps its own order."""

    class Slow(Line):
        async def send(self, permit: Permit, traffic: Traffic) -> Receipt:
            if permit.conversation == CONTACT:
                await pause(30)
            return await super().send(permit, traffic)

    async def test(world: World) -> None:
        second = PAIR | {"stream": "stream-2", "contact": "wkDesk/wmHan"}
        await world.store.make_pair(second, "carol", "second")
        await world.hands.say(
            message(SYMPHONY, 1, "slow 1"),
            message(SYMPHONY, 2, "slow 2"),
            message(SYMPHONY, 3, "quick 1", conversation="stream-2"),
            message(SYMPHONY, 4, "quick 2", conversation="stream-2"),
        )
        room = world.delivery(world.line(WEIXIN, Slow))
        await world.run(room, until=lambda: len(world.platform.shown) == 4)
        assert world.platform.texts() == ["quick 1", "quick 2", "slow 1", "slow 2"]

    in_world(test, tmp_path)


def test_an_outage_keeps_the_order_and_doubles_its_pauses(tmp_path: Path) -> None:
    """The first message is retried until the network is back; the second never overtakes."""

    async def test(world: World) -> None:
        await world.hands.say(message(SYMPHONY, 1, "first"), message(SYMPHONY, 2, "second"))
        world.platform.troubles["first"] = [Unreachable("away", certain=True)] * 3
        room = world.delivery(world.line(WEIXIN))
        await world.run(room, until=lambda: len(world.platform.shown) == 2)
        assert world.platform.texts() == ["first", "second"]
        assert world.loop.time() > 0.5 + 1.0 + 2.0
        assert world.tally.counts["attempted retry"] == 3

    in_world(test, tmp_path)


def test_what_was_changed_on_its_way_is_not_sent_and_somebody_is_called(tmp_path: Path) -> None:
    """A row that names another chat than its permit stays here: its sender is told, and so is the house."""

    async def test(world: World) -> None:
        await world.hands.say(message(SYMPHONY, 1))
        change = text("UPDATE deliveries SET marks = 'late' WHERE message = 1")
        await world.store.write(lambda tx: tx.db.execute(change) and None)
        rooms = world.delivery(world.line(WEIXIN)), world.delivery(world.line(SYMPHONY))
        with capture_logs() as lines:
            await world.run(*rooms, until=lambda: bool(world.pod.shown))
        assert world.pod.texts(notices=True) == [words.say("undelivered", "en")]
        assert not world.platform.shown
        (line,) = [line for line in lines if line["log_level"] == "error"]
        assert (line["event"], line["code"]) == ("delivery:altered", "altered")

    in_world(test, tmp_path)


def test_patience_ends(tmp_path: Path) -> None:
    """After so many tries the delivery is parked, its sender is told, and the next one goes."""

    async def test(world: World) -> None:
        await world.hands.say(message(SYMPHONY, 1, "first"), message(SYMPHONY, 2, "second"))
        world.platform.troubles["first"] = [Unreachable("away", certain=True)] * 9
        rooms = world.delivery(world.line(WEIXIN)), world.delivery(world.line(SYMPHONY))
        await world.run(*rooms, until=lambda: bool(world.pod.shown))
        assert world.platform.texts() == ["second"]
        assert world.pod.texts(notices=True) == [words.say("undelivered", "en")]
        assert world.platform.posts.total() == 4 + 1

    in_world(test, tmp_path)


def test_the_networks_own_pause_is_honoured(tmp_path: Path) -> None:
    """A network that asks for thirty seconds gets at least thirty seconds."""

    async def test(world: World) -> None:
        await world.hands.say(message(SYMPHONY, 1, "first"))
        world.platform.troubles["first"] = [Unreachable("busy", certain=True, retry_after=30)]
        room = world.delivery(world.line(WEIXIN))
        await world.run(room, until=lambda: bool(world.platform.shown))
        assert 30 <= world.loop.time() < 33

    in_world(test, tmp_path)


def test_an_uncertain_send_is_looked_up(tmp_path: Path) -> None:
    """Where no key is taken, a lost answer is followed by a look, never by a second post."""

    async def test(world: World) -> None:
        await world.hands.say(message(WEIXIN, 1, "first"))
        world.pod.troubles["first"] = [Unreachable("lost", certain=False)]
        room = world.delivery(world.line(SYMPHONY))
        await world.run(room, until=lambda: world.tally.counts["attempted send"] == 1)
        assert (world.pod.posts.total(), world.pod.looks.total()) == (1, 1)
        assert [entry.kind for entry in await world.hands.entries("delivery:sent", "delivery:found")] == [
            "delivery:found"
        ]

    in_world(test, tmp_path)


def test_leaving_finishes_what_is_on_the_wire_and_gives_the_rest_back(tmp_path: Path) -> None:
    """When it is time to stop, the send under way is recorded; what comes after is as if never claimed."""

    class Slow(Line):
        async def send(self, permit: Permit, traffic: Traffic) -> Receipt:
            await pause(5)
            return await super().send(permit, traffic)

    async def test(world: World) -> None:
        await world.hands.say(*(message(SYMPHONY, number, f"text {number}") for number in (1, 2, 3)))
        task = asyncio.ensure_future(world.delivery(world.line(WEIXIN, Slow)))
        await pause(1)
        world.stop.set()
        world.house.bells.deliver[WEIXIN].ring()
        await task
        assert world.platform.texts() == ["text 1"]
        assert await world.hands.states("deliveries") == {1: "sent", 2: "ready", 3: "ready"}
        rows = await world.hands.rows("SELECT attempt, uncertain FROM deliveries WHERE message > 1")
        assert rows == [(0, 0), (0, 0)]

    in_world(test, tmp_path)


def test_refused_credentials_end_the_room(tmp_path: Path) -> None:
    """What cannot be mended here is not retried here: the room ends, and gives back what it had in hand."""

    class Out(Line):
        async def send(self, permit: Permit, traffic: Traffic) -> Receipt:
            raise SignedOut("refused", remedy="sign in")

    async def test(world: World) -> None:
        await world.hands.say(message(SYMPHONY, 1, "first"))
        with pytest.raises(ExceptionGroup) as caught:
            await world.delivery(world.line(WEIXIN, Out))
        assert caught.group_contains(SignedOut)
        await world.store.give_back(WEIXIN)
        await world.run(world.delivery(world.line(WEIXIN)), until=lambda: bool(world.platform.shown))
        assert world.platform.texts() == ["first"]

    in_world(test, tmp_path)


def test_a_network_that_is_away_does_not_keep_the_other_waiting(tmp_path: Path) -> None:
    """Both directions go on by themselves."""

    async def test(world: World) -> None:
        await world.hands.say(message(SYMPHONY, 1, "out"), message(WEIXIN, 2, "in"))
        world.platform.troubles["out"] = [Unreachable("away", certain=True)] * 3
        rooms = world.delivery(world.line(WEIXIN)), world.delivery(world.line(SYMPHONY))
        await world.run(*rooms, until=lambda: bool(world.pod.shown))
        assert world.platform.shown == []

    in_world(test, tmp_path)


def test_a_closed_window_is_told_once(tmp_path: Path) -> None:
    """Several messages wait for the client to write: their sender is told of the first, and then no more."""

    async def test(world: World) -> None:
        world.platform.window = 0
        await world.hands.say(*(message(SYMPHONY, number, f"no. {number}") for number in (1, 2, 3)))
        rooms = world.delivery(world.line(WEIXIN)), world.delivery(world.line(SYMPHONY))
        await world.run(*rooms, until=lambda: bool(world.pod.shown))
        assert world.pod.texts(notices=True) == [words.say("window", "en")]
        assert world.platform.posts.total() == 1
        (waiting,) = await world.store.read(lambda db: views.outbox(db, ["waiting"]))
        assert waiting["behind"] == 2

    in_world(test, tmp_path)


# --- what becomes of one attempt ------------------------------------------------------------------------


_TEXT_ALONE = Refused("media", "no", sent=["m1"], text_sent=True)


@pytest.mark.parametrize(
    ("error", "step", "reason", "notice", "uncertain"),
    [
        (None, Step.SEND, "", "", False),
        (Unreachable("away", certain=True), Step.RETRY, "unreachable", "", False),
        (Unreachable("lost", certain=False), Step.RETRY, "unreachable", "", True),
        (Refused("compliance", "no"), Step.PARK, "compliance", "compliance", False),
        (Refused("not-member", "no"), Step.PARK, "not-member", "undelivered", False),
        (Refused("quota", "later", until_inbound=True), Step.WAIT, "quota", "quota", False),
        (Refused("asleep", "later", until_inbound=True), Step.WAIT, "asleep", "window", False),
        (Refused("quota", "later", until_inbound=True, sent=["m1"]), Step.WAIT, "quota", "quota", True),
        (Refused("compliance", "no", sent=["m1"]), Step.PARK, "compliance", "rest-missing", True),
        (_TEXT_ALONE, Step.PARK, "media", "attachment-missing", True),
        (Damaged("a blob is damaged"), Step.PARK, "archive-damaged", "undelivered", True),
    ],
    ids=[
        "sent",
        "away",
        "lost",
        "compliance",
        "no member",
        "quota",
        "asleep",
        "half",
        "beginning",
        "text alone",
        "damaged",
    ],
)
def test_every_answer_of_a_network_has_its_consequence(
    tmp_path: Path, error: Exception | None, step: Step, reason: str, notice: str, uncertain: bool
) -> None:
    """What is retried, what waits, what is parked, who is told, and what may have arrived."""

    class Answering(Line):
        async def send(self, permit: Permit, traffic: Traffic) -> Receipt:
            if error:
                raise error
            return Receipt(("m1",))

    async def test(world: World) -> None:
        await world.hands.say(message(SYMPHONY, 1, "first"))
        (claim,) = await world.hands.claim(WEIXIN)
        attempt = await attempt_to_send(world.line(WEIXIN, Answering), claim, world.house)
        assert (attempt.step, attempt.reason, attempt.notice) == (step, reason, notice)
        assert attempt.uncertain is uncertain
        assert bool(attempt.at) is (step is Step.RETRY)

    in_world(test, tmp_path)


def test_what_may_have_arrived_stays_uncertain(tmp_path: Path) -> None:
    """A later certain failure does not make an earlier uncertain attempt certain."""

    class Away(Line):
        async def send(self, permit: Permit, traffic: Traffic) -> Receipt:
            raise Unreachable("away", certain=True)

    async def test(world: World) -> None:
        await world.hands.say(message(SYMPHONY, 1, "first"))
        (claim,) = await world.hands.claim(WEIXIN)
        await world.hands.end(claim, Step.RETRY, uncertain=True, at=world.loop.now())
        (claim,) = await world.hands.claim(WEIXIN)
        attempt = await attempt_to_send(world.line(WEIXIN, Away), Claim(*claim), world.house)
        assert (attempt.step, attempt.uncertain) == (Step.RETRY, True)

    in_world(test, tmp_path)


# --- deadlines ------------------------------------------------------------------------------------------


def test_a_hold_that_nobody_decides_in_time_is_late(tmp_path: Path) -> None:
    """The room finds it within a second of its time, counts it, and the people it tells are told."""

    async def test(world: World) -> None:
        await world.hands.archive(message(SYMPHONY, 1, "HOLD"))
        (ruling,) = decide(await world.store.unjudged(9), judge, world.loop.now(), LANGUAGES)
        verdict = replace(ruling.verdict, decide_within=60_000, if_late="block")
        await world.store.record_rulings([replace(ruling, verdict=verdict)])
        start = world.loop.now()
        await world.run(pipeline.deadlines(world.house), until=lambda: world.tally.counts["late"] == 1)
        assert 60_000 <= world.loop.now() - start <= 62_000
        assert await world.hands.states("reviews") == {1: "expired"}

    in_world(test, tmp_path)
