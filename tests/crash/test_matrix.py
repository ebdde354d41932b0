"""The process dies at every step of four stories, and the invariants of the house hold each time.

Rules of this file: a step is a touch of the outside world (before it, and after it) or a statement of a
transaction that may write (before it; and both sides of its COMMIT). What follows a death can depend only on
what outlives the process: the files of the store and what the networks know. Steps between which none of it
changed are one death, which is run at the last of them (`moments`). Besides, no statement and no touch is
left out: one that is never the last is died at in the first story that has it (`deaths_of`). The negative
controls break one rule of the house each, and must be found out: a matrix that finds nothing proves nothing
otherwise.

To look at one death: `Life(STORIES[0], folder, 273).run().examine()`; `fate.steps[272]` says what it was.
"""

from __future__ import annotations

import contextlib
import functools
import io
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from life import Life
from rig import Line, VirtualLoop, opened
from stories import STORIES, Story

from bridge import telemetry
from bridge.message import SYMPHONY, WEIXIN, Batch, Permit, Receipt, Traffic
from bridge.pipeline import House
from bridge.ports import Attempt, Claim, Stopped, ignore
from bridge.store import sending
from bridge.store.database import Database
from bridge.store.writer import Tx

CHUNKS = 4
"""Tests that share the steps of one story, so that workers can share the matrix."""

FEWEST = 250
"""Steps that every story has at least: fewer would mean that the rig no longer sees them."""

FEWEST_DEATHS = 25
"""Steps at least at which each story dies."""

SEED = 20260105
PAIRS = 16
"""Runs with two deaths each, chosen by chance from a fixed seed."""

by_story = pytest.mark.parametrize("story", STORIES, ids=[story.name for story in STORIES])


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all lives of a worker: its engine keeps its compiled statements."""
    return tmp_path_factory.mktemp("lives")


@pytest.fixture(autouse=True)
def swift() -> None:
    """Thousands of short lives: without log lines."""
    telemetry.configure(level="critical", to=io.StringIO())


def lived(story: Story, place: Path, *deaths: int) -> Life:
    """The story, lived in an empty folder with these deaths."""
    return new_life(story, place, *deaths).run()


def new_life(story: Story, place: Path, *deaths: int) -> Life:
    """The story in an empty folder, not lived yet."""
    shutil.rmtree(place)
    place.mkdir()
    return Life(story, place, *deaths)


def moments(life: Life) -> list[int]:
    """Lives a new life without a death; gives the steps to die at, so that every different death is died: the
    last of each stretch of steps that leave the world as it is."""
    life.fate.look = life.world
    life.run()
    steps, sights = life.fate.steps, life.fate.sights
    return [n for n in range(1, len(steps) + 1) if n == len(steps) or sights[n - 1] != sights[n]]


def first_times(life: Life, known: set[str]) -> list[int]:
    """The first step of each name that is not `known`."""
    first = {name: n for n, name in reversed(list(enumerate(life.fate.steps, 1)))}
    return [n for name, n in first.items() if name not in known]


@functools.cache
def deaths_of(place: Path) -> dict[str, list[int]]:
    """The steps to die at, by story; found once for all chunks."""
    deaths: dict[str, list[int]] = {}
    known: set[str] = set()
    for story in STORIES:
        life = new_life(story, place)
        ends = moments(life)
        known |= {life.fate.steps[n - 1] for n in ends}
        deaths[story.name] = sorted([*ends, *first_times(life, known)])
        known |= set(life.fate.steps)
    return deaths


def findings(life: Life) -> list[str]:
    """What is wrong after a life, each with where it died."""
    steps = life.fate.steps
    where = ", ".join(f"{step}: {steps[step - 1]}" for step in life.fate.deaths if step <= len(steps))
    return [f"[{where}] {sentence}" for sentence in life.examine()]


@by_story
def test_nothing_is_wrong_when_nobody_dies(story: Story, place: Path) -> None:
    """The story itself keeps every invariant, in one life."""
    life = lived(story, place)
    assert life.examine() == []
    assert life.lives == 1


def test_every_different_death_is_died(place: Path) -> None:
    """Of each statement and touch there is at least one death, and in each story one for each state of the
    world."""
    died: set[str] = set()
    every: set[str] = set()
    for story in STORIES:
        deaths, life = deaths_of(place)[story.name], new_life(story, place)
        ends = moments(life)
        steps, sights = life.fate.steps, life.fate.sights
        died |= {steps[n - 1] for n in deaths}
        every |= set(steps)
        assert all(any(sights[n - 1] == sight for n in deaths) for sight in sights)
        assert set(ends) <= set(deaths)
        assert len(steps) > FEWEST
        assert len(ends) > FEWEST_DEATHS
    assert died == every


@pytest.mark.parametrize("chunk", range(CHUNKS))
@by_story
def test_death_at_every_step(story: Story, chunk: int, place: Path) -> None:
    """Wherever the process dies, it goes on after its restart and every invariant holds."""
    wrong: list[str] = []
    for step in deaths_of(place)[story.name][chunk::CHUNKS]:
        life = lived(story, place, step)
        assert life.lives == 2
        wrong += findings(life)
    assert wrong == []


@by_story
def test_two_deaths_in_one_story(story: Story, place: Path) -> None:
    """A second death, while what the first one left is being taken up, changes nothing."""
    chance = random.Random(f"{SEED} {story.name}")
    steps = len(lived(story, place).fate.steps)
    for _ in range(PAIRS // len(STORIES)):
        first = chance.randint(1, steps)
        life = lived(story, place, first, first + chance.randint(1, steps // 3))
        assert findings(life) == []
        assert life.lives >= 2


# --- negative controls ----------------------------------------------------------------------------------


def found_out(story: Story, place: Path, change: Callable[[Life], None]) -> list[str]:
    """The sentences of the first death that the changed house does not survive; [] when it survives all."""
    whole = new_life(story, place)
    change(whole)
    for step in moments(whole):
        life = new_life(story, place, step)
        change(life)
        life.run()
        if life.examine():
            return life.broken
    return []


async def _intake_that_acknowledges_first(connector: Line, house: House) -> None:
    async for batch in connector.receive(await house.store.cursors(connector.network)):
        await connector.acknowledge(batch)
        await house.store.archive(batch)


def test_control_acknowledging_before_archiving_is_found_out(place: Path) -> None:
    """A house that says "received" before its archive has committed loses a message."""

    def change(life: Life) -> None:
        life.intake = _intake_that_acknowledges_first

    assert any("acknowledged and is not archived" in one for one in found_out(STORIES[0], place, change))


class _Undo(LookupError):
    """Takes back what a job did."""


class _StoreThatClaimsLate(Database):
    """Hands permits out before their claim is committed: it is written with the result."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.out: dict[str, set[str]] = {SYMPHONY: set(), WEIXIN: set()}

    async def claim(  # type: ignore[override]
        self, network: str, chats: int, *, look: bool = True, stopped: Stopped = ignore
    ) -> list[Claim]:
        taken: list[Claim] = []

        def peek(tx: Tx) -> None:
            taken.extend(sending.claim(tx, self._directory, network, self.lane, self.epoch, chats, stopped))
            raise _Undo

        if self.out[network]:
            return []
        with contextlib.suppress(_Undo):
            await self.write(peek)
        self.out[network] = {claim.permit.id for claim in taken}
        return taken

    async def record_attempts(self, attempts: list[Attempt], *told: Any) -> None:  # type: ignore[override]
        permits = tuple((self.epoch, attempt.permit.id) for attempt in attempts)
        statement = (
            "UPDATE deliveries SET state = 'claimed', attempt = attempt + 1, epoch = ? WHERE permit = ?"
        )
        await self.write(lambda tx: tx.db.exec_driver_sql(statement, list(permits)))
        await super().record_attempts(attempts, *told)
        for attempt in attempts:
            self.out[attempt.permit.network].discard(attempt.permit.id)


def test_control_sending_before_the_claim_is_committed_is_found_out(place: Path) -> None:
    """A house that sends what it has not yet claimed on disk leaves a post without a trace."""

    def late(folder: Path, loop: VirtualLoop) -> Database:
        return opened(folder, loop, _StoreThatClaimsLate)

    def change(life: Life) -> None:
        life.make_store = late

    assert any("no claim tells of it" in one for one in found_out(STORIES[1], place, change))


class _LineThatForgets(Line):
    """Never looks an uncertain send up."""

    async def send(self, permit: Permit, traffic: Traffic) -> Receipt:
        self.looks_up = False
        return await super().send(permit, traffic)


def test_control_forgetting_to_look_up_is_found_out(place: Path) -> None:
    """A connector that repeats an uncertain send without looking shows a message twice."""

    def change(life: Life) -> None:
        life.make_line = _LineThatForgets

    broken = found_out(STORIES[1], place, change)
    assert any("posted again after it had arrived" in one for one in broken)
    assert any("was shown 2 times" in one for one in broken)


class _LineThatSkips(Line):
    """Moves its own cursor on before the batch is handed over: what is in hand at a death is lost."""

    async def receive(self, cursors: Any) -> Any:
        async for batch in super().receive(cursors):
            self.peer.acknowledged = max(self.peer.acknowledged, int(str(batch.token)))
            yield Batch(batch.network, batch.messages, cursors=batch.cursors, token=batch.token)


def test_control_losing_a_batch_in_hand_is_found_out(place: Path) -> None:
    """A connector that acknowledges by itself is seen as soon as the process dies at the wrong moment."""

    def change(life: Life) -> None:
        life.make_line = _LineThatSkips

    assert any("acknowledged and is not archived" in one for one in found_out(STORIES[0], place, change))
