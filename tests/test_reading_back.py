"""Copies read back: what is there as it was taken, what is gone, what is another one, what cannot be seen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from archives import Shelf
from rig import LANGUAGES, Clock, Hands, judge, message, new_store, opened

from bridge import pipeline
from bridge.archivist import Archivist, Destination
from bridge.message import SYMPHONY, Archived, Verdict
from bridge.reading_back import UNSEEN, ReadBack, read_back
from bridge.store import copies

NAME = "records/vault"


@dataclass
class World:
    """A store, an archive that has three copies, and who brings more."""

    hands: Hands
    shelf: Shelf
    work: Archivist


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Three messages, brought."""
    new_store(tmp_path)
    hands, shelf = Hands(store := opened(tmp_path, clock := Clock()), clock), Shelf()
    await store.own("the test")
    await hands.archive(*(message(SYMPHONY, n) for n in (1, 2, 3)))

    def verdict(one: Archived, now: object) -> Verdict:
        return replace(judge(one, now), archives=(NAME,))  # type: ignore[arg-type]

    await store.record_rulings(pipeline.decide(await store.unjudged(9), verdict, clock.now(), LANGUAGES))
    work = Archivist(store, lambda: (Destination(NAME, "s3://vault", "native"),), lambda _: shelf)
    await work.renew()
    assert await work.bring(NAME) == 3
    yield World(hands, shelf, work)
    store.close()


async def checked(world: World, sample: int = 9) -> ReadBack:
    """Read so many back."""
    return await read_back(world.hands.store, world.shelf, sample, "bob.li@bank.example", "quarterly")


async def test_all_is_there(world: World) -> None:
    """As many as were asked for are read; the record says who did it."""
    assert await checked(world, 2) == ReadBack(2, 0, "")
    (entry,) = await world.hands.entries("copies:checked")
    assert b"quarterly" in await world.hands.body(entry.seq)


async def test_said_yes_and_forgot(world: World) -> None:
    """A copy that is gone, or another one, is found, and brought again."""
    first, second, _ = world.shelf.there
    del world.shelf.there[first]
    world.shelf.there[second] = replace(world.shelf.there[second], data=b"other")
    assert await checked(world) == ReadBack(3, 2, "")
    reasons = {str(entry.facts["reason"]) for entry in await world.hands.entries("copy:lost")}
    assert reasons == {"gone", "changed"}
    assert len(await world.hands.store.read(lambda db: copies.outstanding(db, [1, 2, 3]))) == 2
    del world.shelf.there[second]
    assert await world.work.bring(NAME) == 2
    assert len(world.shelf.there) == 3


async def test_collected(world: World) -> None:
    """Where others fetch what lies there, what is gone is no loss."""
    world.shelf.collected, world.shelf.locks = True, False
    world.shelf.there.clear()
    assert await checked(world) == ReadBack(0, 0, "3 collected already")


async def test_a_mailbox(world: World) -> None:
    """What cannot be read back is said to be so, and nothing is recorded as checked."""
    world.shelf.recalls = False
    assert await checked(world) == ReadBack(0, 0, UNSEEN)
    assert await world.hands.entries("copies:checked") == []
