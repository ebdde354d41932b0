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
from bridge.errors import Unreachable
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


async def test_locks_are_read_back(world: World) -> None:
    """A copy whose bytes are there and whose hold is not is found, counted in the record, and held again; one
    that is held although nobody told so is left alone."""
    first, second, _ = world.shelf.there
    world.shelf.held[first] = False
    done = await checked(world)
    assert (done.lost, done.unlocked) == (0, 1)
    assert world.shelf.held[first]
    (entry,) = await world.hands.entries("copies:checked")
    assert entry.facts["unlocked"] == 1
    await world.hands.store.write(lambda tx: tx.db.exec_driver_sql("UPDATE copies SET held = 0, until = 1"))
    assert (await checked(world)).unlocked == 0
    assert world.shelf.held[second]


async def test_an_archive_that_cannot_be_used(world: World) -> None:
    """It is not one of which no copy is lost."""
    world.shelf.away = "the vault is away"
    world.shelf.there.clear()
    with pytest.raises(Unreachable, match="the vault is away"):
        await checked(world)
    assert await world.hands.entries("copies:checked") == []


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
