"""A check of the index finds what no engine notices, and nothing in an index that is in order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from archive_maker import fill
from rig import Clock, Hands, message, new_store, opened

from bridge.errors import StoreError
from bridge.message import SYMPHONY
from bridge.store.index import checking
from bridge.store.index.checking import hidden
from bridge.store.index.following import Follower, catch_up
from bridge.store.index.months import Months
from bridge.store.searching import open_index


@pytest.fixture
async def hands(tmp_path: Path) -> AsyncIterator[Hands]:
    """A store in a file: its index is made of files."""
    new_store(tmp_path)
    store = opened(tmp_path, clock := Clock())
    await store.own("the test")
    yield Hands(store, clock)
    store.close()


@pytest.fixture
async def index(hands: Hands, tmp_path: Path) -> Months:
    """The index of an archive, made in small steps."""
    await fill(hands, 40, 3)
    made = open_index(hands.store.engine, tmp_path / "search")
    with hands.store.engine.connect() as db:
        while Follower(made).step(db, 40):
            pass
    assert isinstance(made, Months)
    return made


def checked(hands: Hands, index: Months) -> dict[str, list[int]]:
    """What is hidden."""
    with hands.store.engine.connect() as db, db.begin():
        return {month: list(numbers) for month, numbers in hidden(db, index).items()}


async def test_an_index_in_order_hides_nothing(hands: Hands, index: Months) -> None:
    """Nor does one that is a little behind, nor one whose month is missing: that month offers everything."""
    assert checked(hands, index) == {}
    await hands.say(message(SYMPHONY, "late", "announcement"))
    assert checked(hands, index) == {}
    index.close()
    (index.folder / "2026-02.db").unlink()
    assert checked(hands, index) == {}


async def test_a_word_that_is_gone_is_noticed(hands: Hands, index: Months) -> None:
    """The engine holds such a file for whole: one message is not found by one of its words any more."""
    month = index._month("2026-02")
    word = index.tokens.of("2026-02")["dir:to_weixin"]
    found = [row[0] for row in month.execute("SELECT rowid FROM words WHERE words MATCH ?", (f'"{word}"',))]
    victim = found[len(found) // 2]
    month.execute("INSERT INTO words (words, rowid, tokens) VALUES ('delete', ?, ?)", (victim, word))
    month.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    assert checked(hands, index) == {"2026-02": [victim]}


async def test_a_month_that_the_contents_forget_is_noticed(hands: Hands, index: Months) -> None:
    """Every message of it is named."""
    contents = index._read_contents()
    assert contents is not None
    first, last = contents.execute("SELECT first, last FROM months WHERE name = '2026-03'").fetchone()
    contents.execute("DELETE FROM months WHERE name = '2026-03'")
    index.close()
    assert checked(hands, index) == {"2026-03": list(range(first, last + 1))}


async def test_an_index_that_is_far_behind_is_not_checked(
    hands: Hands, index: Months, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to do; looking on the way is told."""
    monkeypatch.setattr(checking, "CHUNK", 16)
    told: list[tuple[int, int]] = []
    with hands.store.engine.connect() as db, db.begin():
        hidden(db, index, lambda done, of: told.append((done, of)))
    assert [done for done, _ in told] == [*range(16, told[-1][1], 16), told[-1][1]]
    monkeypatch.setattr(checking, "MOST_WAITING", 2)
    index.clear(None)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="audit reindex"):
        checked(hands, index)
    assert catch_up(hands.store.engine, index, 60)
    assert checked(hands, index) == {}
