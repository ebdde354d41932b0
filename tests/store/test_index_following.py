"""Following the ledger: every message is known by what became of it, in any steps, after any crash."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from archive_maker import fill
from rig import Clock, Hands, message, new_store, opened

from bridge.message import SYMPHONY
from bridge.search.document import Token
from bridge.search.tokens import tokens_of
from bridge.store.documents import documents, last_number
from bridge.store.index import Step
from bridge.store.index.blocks import SIZE
from bridge.store.index.following import (
    Follower,
    about,
    approach,
    behind,
    blocks_between,
    catch_up,
    lane_sizes,
    waiting,
)
from bridge.store.index.months import Months
from bridge.store.searching import open_index


@pytest.fixture
async def hands(tmp_path: Path) -> AsyncIterator[Hands]:
    """A store to write into."""
    new_store(tmp_path)
    clock = Clock()
    store = opened(tmp_path, clock)
    await store.own("the test")
    yield Hands(store, clock)
    store.close()


@pytest.fixture
def index(hands: Hands) -> Iterator[Months]:
    """Its index."""
    made = open_index(hands.store.engine)
    assert isinstance(made, Months)
    yield made
    made.close()


def offered(hands: Hands, index: Months, word: str) -> list[int]:
    """What the index offers for a word."""
    with hands.store.engine.connect() as db:
        return list(index.offer(db, Token(word), 1, 10**9, newest_first=False))


async def test_every_word_of_every_message_is_known(hands: Hands, index: Months) -> None:
    """In steps of any size; nothing is missing, and what is offered beyond it was true once."""
    await fill(hands, 40, 3)
    with hands.store.engine.connect() as db:
        follower = Follower(index)
        for entries in (1, 7, 30, 500, 500):
            follower.step(db, entries)
        assert not follower.step(db)
        with db.begin():
            found = documents(db, range(1, last_number(db) + 1))
            words = {one.number: tokens_of(one) for one in found}
            assert index.state(db).positions == lane_sizes(db)
    for word in set().union(*words.values()):
        having = {number for number, known in words.items() if word in known}
        assert having <= set(offered(hands, index, word)), word


async def test_a_later_verdict_is_known_as_well(hands: Hands, index: Months) -> None:
    """A message that was known before somebody decided about it is known by the reviewer afterwards."""
    await hands.say(message(SYMPHONY, 1, "HOLD"))
    assert catch_up(hands.store.engine, index, 60)
    assert offered(hands, index, "reviewer:bob.li@bank.example") == []
    await hands.store.decide_hold(1, "bob.li@bank.example", "fine", passed=True)
    assert catch_up(hands.store.engine, index, 60)
    assert offered(hands, index, "reviewer:bob.li@bank.example") == [1]
    assert offered(hands, index, "action:hold") == [1]


async def test_what_was_looked_at_is_not_looked_at_again(hands: Hands, index: Months) -> None:
    """A message is opened once for all entries that were written before that."""
    for number in range(6):
        await hands.say(message(SYMPHONY, number))
    follower, opened_numbers = Follower(index), []
    with hands.store.engine.connect() as db:
        while True:
            with db.begin():
                step = follower.look(db, 5)
            if step is None:
                break
            opened_numbers += [known.number for known in step.known]
            assert index.add(db, step)
    assert opened_numbers == [1, 2, 3, 4, 5, 6]


async def test_who_was_slower_looks_again(hands: Hands, index: Months) -> None:
    """Two processes follow: what one of them could not keep is not taken as kept."""
    await hands.say(message(SYMPHONY, 1, "hello"))
    with hands.store.engine.connect() as db:
        follower = Follower(index)
        with db.begin():
            late = follower.look(db)
        assert late is not None
        assert index.add(db, Step(late.before, {0: 1}, (), ()))
        assert not index.add(db, late)
        assert Follower(index).step(db)
    assert offered(hands, index, "t:hello") == [1]


async def test_an_index_comes_nearer_for_a_moment(hands: Hands, index: Months) -> None:
    """Whoever waits says for how long; what is left is told, and nothing is left when there was time."""
    await hands.say(message(SYMPHONY, 1, "hello"))
    engine, told = hands.store.engine, []
    with engine.connect() as db, db.begin():
        entries = behind(db, index)
    assert entries == approach(engine, index, 0.0) > 3
    assert approach(engine, index, 60.0, lambda done, of: told.append((done, of))) == 0
    assert told == [(entries, entries)]
    assert offered(hands, index, "t:hello") == [1]
    assert approach(engine, index, 60.0) == 0


async def test_what_waits_is_told(hands: Hands, index: Months) -> None:
    """The messages behind a position; nobody counts when there are too many."""
    with hands.store.engine.connect() as db:
        start = dict(lane_sizes(db))
        await hands.say(message(SYMPHONY, 1), message(SYMPHONY, 2))
        with db.begin():
            sizes = lane_sizes(db)
            assert waiting(db, sizes, start, 100) == [1, 2]
            assert waiting(db, sizes, sizes, 100) == []
            assert waiting(db, sizes, {}, 3) is None


async def test_blocks_count_what_there_is(hands: Hands) -> None:
    """A block has its messages and their times."""
    for number in range(3):
        hands.clock.forward(1000)
        await hands.archive(message(SYMPHONY, number))
    with hands.store.engine.connect() as db:
        (block,) = blocks_between(db, 1, 3 * SIZE)
    assert (block.place, block.messages, block.until - block.since) == (0, 3, 2000)


def test_what_an_entry_is_about() -> None:
    """Messages alone count."""
    assert about("message/42") == 42
    assert about("delivery/0abc") == 0
    assert about("lane/0") == 0
