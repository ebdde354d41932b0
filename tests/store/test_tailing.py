"""Messages as they come: none left out, none twice, each when it was judged and is accepted."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from story import Story, held

from bridge.store import tailing
from bridge.store.database import open_engine
from bridge.store.tailing import Tail

MESSAGES = 40


async def _begun(folder: Path) -> Story:
    story = Story(folder)
    await story.begin()
    return story


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a store in which two people are paired."""

    async def begin() -> None:
        (await _begun(tmp_path)).store.close()

    asyncio.run(begin())
    return tmp_path


def anything(_: Any) -> bool:
    """Accepts every message."""
    return True


def looks(folder: Path, accepts: Callable[[Any], bool] = anything) -> Callable[[], tuple[list[Any], bool]]:
    """Looks again, each time in a transaction of its own."""
    engine = open_engine(f"sqlite:///{folder / 'weighbridge.db'}")
    with engine.begin() as db:
        tail = Tail(db)

    def look() -> tuple[list[Any], bool]:
        with engine.begin() as db:
            found, more = tail.look(db, accepts)
            return [(one.number, one.text, one.state) for one in found], more

    return look


def told(folder: Path, tell: Callable[[Story], Any]) -> None:
    """Something happens in the store, in another process's place."""

    async def do() -> None:
        story = Story(folder)
        await story.store.own("daemon")
        await tell(story)
        story.store.close()

    asyncio.run(do())


def test_a_writer_in_another_thread_is_followed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While messages are archived, judged and delivered, every one of them comes once, in order."""
    monkeypatch.setattr(tailing, "ENTRIES", 7)  # looks that end in the midst of things
    look = looks(folder)

    async def write(story: Story) -> None:
        for number in range(MESSAGES):
            await story.archive(story.says(f"message {number}"))
            await story.judge()
            await story.deliver()

    writer = threading.Thread(target=told, args=(folder, write))
    writer.start()
    seen: list[str] = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ended = not writer.is_alive()  # before the look: whatever was written is in it
        found, more = look()
        seen += [text for _, text, _ in found]
        if ended and not more:
            break
    writer.join()
    assert seen == [f"message {number}" for number in range(MESSAGES)]


def test_a_message_comes_when_it_is_judged(folder: Path) -> None:
    """Not when it is archived: an auditor is to see what was decided."""
    look = looks(folder)
    told(folder, lambda story: story.archive(story.says("wait for it")))
    assert look() == ([], False)
    told(folder, lambda story: story.judge(held("wait ****", (0, 4))))
    assert look() == ([(1, "wait for it", "held")], False)
    assert look() == ([], False)


def test_a_message_comes_when_it_is_first_accepted(folder: Path) -> None:
    """One that is judged now and delivered later comes with the delivery, if that is what is watched."""
    look = looks(folder, lambda one: any(delivery.state == "sent" for delivery in one.deliveries))

    async def judged(story: Story) -> None:
        await story.archive(story.says("on its way"))
        await story.judge()

    told(folder, judged)
    assert look() == ([], False)
    told(folder, lambda story: story.deliver())
    assert [text for _, text, _ in look()[0]] == ["on its way"]
