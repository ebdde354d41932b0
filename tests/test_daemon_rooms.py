"""The daemon from inside, on virtual time: how often it tries, how long it waits, what it leaves behind.

Rules of this file: the real daemon, rooms and store; the networks are the rig's. Hours pass in no time.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rig import Counting, Fate, Line, Peer, VirtualLoop, new_store, opened, pause, run_virtually

from bridge.cli.init import policy_source
from bridge.daemon import DRAIN_SECONDS, SIGN_IN_AGAIN, Daemon
from bridge.errors import ConfigError, SignedOut, StoreError
from bridge.in_force import Law
from bridge.message import SYMPHONY, WEIXIN, Batch, Permit, Receipt, Traffic
from bridge.pipeline import House, Pace
from bridge.policy import PolicySet, load
from bridge.ports import Connector
from bridge.store.database import Database
from bridge.store.lease import LEASE_MS

REMEDY = "Sign in again."


@functools.cache
def policies() -> PolicySet:
    """The policies that are shipped."""
    return load(sorted(policy_source().glob("*.yaml")))


@dataclass
class Moods:
    """How a network treats us: `refuses` our credentials, or `hangs` when something is sent to it."""

    refuses: bool = False
    hangs: bool = False
    asked: list[float] = field(default_factory=list)


class Moody(Line):
    """A line whose network has moods."""

    def __init__(self, peer: Peer, moods: Moods, database: Database) -> None:
        super().__init__(peer, Fate(), database.blobs)
        self.moods = moods

    async def receive(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        """See `bridge.ports.Connector`."""
        self.moods.asked.append(asyncio.get_running_loop().time())
        at = 0
        while True:
            if self.moods.refuses:
                raise SignedOut("no", remedy=REMEDY)
            taken = tuple(self.peer.stream[at:])
            at += len(taken)
            if taken:
                yield Batch(self.network, taken, token=at)
            await pause(20)

    async def send(self, permit: Permit, traffic: Traffic) -> Receipt:
        """See `bridge.ports.Connector`."""
        if self.moods.hangs:
            await asyncio.get_running_loop().create_future()
        return await super().send(permit, traffic)


@dataclass
class World:
    """A daemon that runs between two networks with moods."""

    loop: VirtualLoop
    database: Database
    daemon: Daemon
    pod: Peer
    platform: Peer
    moods: dict[str, Moods]


def in_a_world(
    folder: Path,
    test: Callable[[World], Coroutine[Any, Any, None]],
    anew: Callable[[str], Connector] | None = None,
) -> None:
    """Run `test` on virtual time, with a daemon that has not begun."""
    new_store(folder)

    async def live(loop: VirtualLoop) -> None:
        database = opened(folder, loop)
        pod, platform = Peer(SYMPHONY, keys=False, ours=False), Peer(WEIXIN, keys=True, ours=True)
        moods = {SYMPHONY: Moods(), WEIXIN: Moods()}
        lines = [Moody(peer, moods[peer.network], database) for peer in (pod, platform)]
        house = House(database, loop, Counting(), pace=Pace(look=60.0))
        daemon = Daemon(house, database, lines, Law(policies), None, anew)
        world = World(loop, database, daemon, pod, platform, moods)
        try:
            await test(world)
        finally:
            world.database.close()

    run_virtually(live)


@contextlib.asynccontextmanager
async def running(world: World) -> AsyncIterator[asyncio.Task[None]]:
    """The daemon runs beside the block, and is asked to leave at its end."""
    task = asyncio.create_task(world.daemon.run(signals=False))
    try:
        yield task
        world.daemon.leave()
        await task
    finally:
        task.cancel()


def test_refused_credentials_are_tried_again_ever_more_rarely(tmp_path: Path) -> None:
    """After 1, 5, 15 and then every 60 minutes; meanwhile it is left alone, and the other goes on."""

    async def test(world: World) -> None:
        world.moods[WEIXIN].refuses = True
        async with running(world):
            await pause(3 * 3600)
            state = world.daemon.networks[WEIXIN]
            assert (state.open, state.remedy) == (False, REMEDY)
            assert world.daemon.networks[SYMPHONY].open
        tries = world.moods[WEIXIN].asked
        gaps = [round(after - before) for before, after in itertools.pairwise(tries)]
        assert gaps == [*SIGN_IN_AGAIN, SIGN_IN_AGAIN[-1]][: len(gaps)]
        assert len(gaps) >= 4
        assert len(world.moods[SYMPHONY].asked) == 1

    in_a_world(tmp_path, test)


def test_a_network_that_was_good_for_long_is_tried_again_soon(tmp_path: Path) -> None:
    """Refusals of last month do not make this one's pause longer."""

    async def test(world: World) -> None:
        moods = world.moods[WEIXIN]
        async with running(world):
            for _ in range(3):
                moods.refuses = True
                await pause(30)
                moods.refuses = False
                refused_at = moods.asked[-1]
                await pause(1.2 * 3600)
                assert world.daemon.networks[WEIXIN].open
                assert refused_at < moods.asked[-1] <= world.loop.time() - 1.2 * 3600 + SIGN_IN_AGAIN[0]

    in_a_world(tmp_path, test)


def test_reloading_tries_a_closed_network_at_once_and_leaves_an_open_one_alone(tmp_path: Path) -> None:
    """SIGHUP asks a closed network again now, with a connector made anew; an open one keeps its own."""
    made: list[str] = []
    here: list[World] = []

    def anew(network: str) -> Connector:
        made.append(network)
        if len(made) == 1:
            raise ConfigError("the secret file is empty")
        peer = {SYMPHONY: here[0].pod, WEIXIN: here[0].platform}[network]
        return Moody(peer, Moods(), here[0].database)

    async def test(world: World) -> None:
        here.append(world)
        world.moods[WEIXIN].refuses = True
        async with running(world):
            for times in (1, 2):
                await pause(10)
                world.daemon.reload()
                await pause(10)
                assert made == [WEIXIN] * times
            assert world.daemon.networks[WEIXIN].open
            assert len(world.moods[SYMPHONY].asked) == 1

    in_a_world(tmp_path, test, anew)


def test_what_waits_for_a_closed_network_is_sent_when_it_opens(tmp_path: Path) -> None:
    """A send that was under way when the network closed counts as uncertain, and is made once."""

    async def test(world: World) -> None:
        moods = world.moods[WEIXIN]
        moods.hangs = True
        world.pod.say("hello")
        async with running(world):
            await pause(10)
            moods.refuses, moods.hangs = True, False
            await pause(30)
            assert world.platform.texts() == []
            moods.refuses = False
            await pause(SIGN_IN_AGAIN[0])
            assert world.platform.texts() == ["hello"]
        assert list(world.platform.posts.values()) == [1]

    in_a_world(tmp_path, test)


def test_a_send_that_never_ends_does_not_keep_the_daemon(tmp_path: Path) -> None:
    """It is given up after the time to drain, and the next daemon takes it as one that may have arrived."""

    async def test(world: World) -> None:
        world.moods[WEIXIN].hangs = True
        world.pod.say("hello")
        async with running(world):
            await pause(10)
            asked = world.loop.time()
        assert world.loop.time() - asked == pytest.approx(DRAIN_SECONDS, abs=1.0)
        world.database.close()
        world.database = opened(tmp_path, world.loop)
        await world.database.own("the next daemon")
        (claim,) = await world.database.claim(WEIXIN, 10)
        assert claim.permit.uncertain

    in_a_world(tmp_path, test)


def test_a_daemon_whose_lane_is_taken_ends(tmp_path: Path) -> None:
    """Whoever is fenced out stops at the next sign of life: it must not write, and says why it ended."""

    async def test(world: World) -> None:
        task = asyncio.create_task(world.daemon.run(signals=False))
        await pause(1)
        world.database.epoch -= 1
        with pytest.raises(ExceptionGroup) as ended:
            await task
        assert ended.value.subgroup(StoreError) is not None
        assert world.loop.time() < LEASE_MS / 1000

    in_a_world(tmp_path, test)


def test_health_is_the_age_of_the_lease(tmp_path: Path) -> None:
    """Healthy while the lease is renewed; once that has stopped for as long as it lasts, no longer."""

    async def test(world: World) -> None:
        async with running(world):
            await pause(LEASE_MS / 500)
            assert (await world.daemon._healthz(None)).status == 200
        await pause(LEASE_MS / 1000)
        answer = await world.daemon._healthz(None)
        assert answer.status == 503
        assert "the store does not answer" in answer.text

    in_a_world(tmp_path, test)


def test_a_refusal_that_may_be_an_outage_is_told_at_once(tmp_path: Path) -> None:
    """While a connector still hopes that refused credentials are the network's outage, its rooms stay open,
    and whoever asks is told; when it is over, nobody is told any more."""

    async def test(world: World) -> None:
        async with running(world):
            await pause(1)
            state = world.daemon.networks[SYMPHONY]
            assert state.trouble() == ""
            assert state.connector is not None
            state.connector.refused_since = 1_000
            assert "refuses our credentials" in state.trouble()
            assert state.open
            state.connector.refused_since = 0
            assert state.trouble() == ""

    in_a_world(tmp_path, test)
