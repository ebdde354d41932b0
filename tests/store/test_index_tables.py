"""The index on PostgreSQL: the same answers as opening every message, and nothing in clear."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from archive_maker import fill, numbers, paged, queries, truth
from rig import Clock, Hands, message, new_store, opened
from sqlalchemy import text

from bridge.message import SYMPHONY
from bridge.store.index import Index, Step
from bridge.store.index.following import Follower, catch_up, known_in
from bridge.store.index.tables import Tables
from bridge.store.searching import every, open_index

pytestmark = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)


@pytest.fixture
async def hands(tmp_path: Path, engine: str) -> AsyncIterator[Hands]:
    """A store in the server."""
    new_store(tmp_path)
    clock = Clock()
    store = opened(tmp_path, clock)
    await store.own("the test")
    yield Hands(store, clock)
    store.close()


async def test_it_finds_what_opening_every_message_finds(hands: Hands) -> None:
    """Without tables, half way, with everything, after one month was made again, and under other marks."""
    await fill(hands, 60, 1)
    database = hands.store.engine
    index, asked = open_index(database), queries(40, 5)
    assert isinstance(index, Tables)
    with database.connect() as db, db.begin():
        truths = [truth(db, query) for query in asked]
    assert sum(map(len, truths)) > 200

    def agree(index: Index) -> None:
        with database.connect() as db, db.begin():
            for query, expected in zip(asked, truths, strict=True):
                assert paged(db, index, query, 7) == expected, query.text
                assert numbers(list(every(db, index, query))) == expected, query.text

    agree(index)
    with database.connect() as db:
        assert Follower(index).step(db, 120)
    agree(index)
    assert catch_up(database, index, 60)
    agree(index)
    with database.connect() as db, db.begin():
        parts = index.state(db).parts
        assert [part.name for part in parts] == ["2026-01", "2026-02", "2026-03"]
        index.replace(db, parts[1], known_in(db, index, parts[1]))
    agree(index)
    with database.execution_options(writes=True).begin() as tx:
        tx.execute(text("UPDATE search_marks SET value = '0' WHERE name = 'format'"))
    index = open_index(database)
    agree(index)
    with database.connect() as db, db.begin():
        assert index.state(db).positions == {}
    assert catch_up(database, index, 60)
    agree(index)


async def test_no_word_is_in_any_table(hands: Hands) -> None:
    """Ten hexadecimal digits for each word, and nothing else."""
    await hands.say(message(SYMPHONY, 1, "announcement 内幕消息"))
    index = open_index(hands.store.engine)
    assert catch_up(hands.store.engine, index, 60)
    rows = await hands.rows("SELECT unnest(tsvector_to_array(tokens)) FROM search_words")
    assert len(rows) > 10
    assert all(len(word) == 10 and set(word) <= set("0123456789abcdef") for (word,) in rows)


async def test_who_was_slower_keeps_nothing(hands: Hands) -> None:
    """A step from positions that are not those of now is refused whole; what is cleared is gone."""
    await hands.say(message(SYMPHONY, 1, "hello"))
    index = open_index(hands.store.engine)
    with hands.store.engine.connect() as db:
        assert index.add(db, Step({}, {0: 1}, (), ()))
        assert not index.add(db, Step({}, {0: 9}, (), ()))
        with db.begin():
            assert index.state(db).positions == {0: 1}
        index.clear(db)
        with db.begin():
            assert index.state(db).positions == {}
            assert index.state(db).blocks.end == 0
