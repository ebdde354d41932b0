"""A store to work on: fresh, owned by the test, with Alice and 李雷 paired; or the story, to be spoiled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from rig import Clock, Hands, new_store, opened
from spoiled import Spoiled


@pytest.fixture
def clock() -> Clock:
    """The store's time; a test moves it."""
    return Clock()


@pytest.fixture
async def hands(tmp_path: Path, clock: Clock, engine: str) -> AsyncIterator[Hands]:
    """The rooms' work on a new store, once on each engine."""
    new_store(tmp_path)
    store = opened(tmp_path, clock)
    await store.own("the test")
    yield Hands(store, clock)
    store.close()


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spoiled]:
    """The story, in memory."""
    store = Spoiled(tmp_path_factory.mktemp("spoiled"))
    yield store
    store.engine.dispose()
