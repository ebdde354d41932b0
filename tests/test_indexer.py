"""The indexer keeps near the end of the ledger, and never stands in anybody's way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from rig import Clock, Hands, message, new_store, opened

from bridge import telemetry
from bridge.indexer import Indexer
from bridge.message import SYMPHONY
from bridge.store.index.months import Months
from bridge.store.vault import vault_of


@pytest.fixture
async def hands(tmp_path: Path) -> AsyncIterator[Hands]:
    """A store with something in it."""
    new_store(tmp_path)
    clock = Clock()
    store = opened(tmp_path, clock)
    await store.own("the test")
    hands = Hands(store, clock)
    await hands.say(message(SYMPHONY, 1, "hello"))
    yield hands
    store.close()


@contextlib.asynccontextmanager
async def running(hands: Hands, folder: Path) -> AsyncIterator[Indexer]:
    """An indexer at work, which looks often."""
    index = Months(folder, vault_of(hands.store.engine))
    indexer = Indexer(hands.store, index, look=0.01, patience=0.01)
    task = asyncio.create_task(indexer.run())
    try:
        yield indexer
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - a thread rings no bell
            await asyncio.sleep(0.01)


def names(folder: Path) -> set[str]:
    """The files of an index."""
    return {path.name for path in folder.glob("*.db")}


async def test_it_follows_what_is_written(hands: Hands, tmp_path: Path) -> None:
    """What was there, and what comes; the metric says how much is missing."""
    folder = tmp_path / "search"
    async with running(hands, folder) as indexer:
        await until(lambda: names(folder) == {"contents.db", "2026-01.db"} and indexer.behind == 0)
        hands.clock.forward(40 * 86_400_000)
        await hands.say(message(SYMPHONY, 2, "hello"))
        await until(lambda: "2026-02.db" in names(folder))
        await until(lambda: telemetry.metrics.search_behind._value.get() == 0)


async def test_a_folder_that_cannot_be_written_stops_nothing(hands: Hands, tmp_path: Path) -> None:
    """It is tried again, and goes on when it can."""
    folder = tmp_path / "search"
    folder.write_text("in its place")
    async with running(hands, folder) as indexer:
        await until(lambda: indexer._follower is not None)
        await hands.say(message(SYMPHONY, 2, "this is archived all the same"))
        folder.unlink()
        await until(lambda: names(folder) == {"contents.db", "2026-01.db"})


async def test_a_month_that_is_wrong_is_made_again(hands: Hands, tmp_path: Path) -> None:
    """Whoever noticed it marked it; the indexer does the rest."""
    folder = tmp_path / "search"
    async with running(hands, folder):
        await until(lambda: "2026-01.db" in names(folder))
    beside = Months(folder, vault_of(hands.store.engine))
    beside._mark_stale("2026-01")
    with hands.store.engine.connect() as db:
        assert beside.state(db).parts[0].stale
        async with running(hands, folder):
            await until(lambda: not beside.state(db).parts[0].stale)
    beside.close()
