"""A store to work on: fresh, owned by the test, with Alice and 李雷 paired in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rig import Clock, Hands, new_store, opened


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
