"""What a search finds is what opening every message finds, whatever state the index is in."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from archive_maker import NOW, fill, numbers, paged, queries, truth
from rig import START, Clock, Hands, new_store, opened
from sqlalchemy import Engine

from bridge.errors import KeyMissing
from bridge.search.query import parse
from bridge.store import searching
from bridge.store.database import open_engine
from bridge.store.index import Index
from bridge.store.index import months as months_module
from bridge.store.index.following import Follower, catch_up
from bridge.store.searching import every, open_index, search, searched

QUERIES = queries(70, 5)


@functools.cache
def _archive(seed: int) -> Path:
    """A folder with an archive without an index."""
    folder = Path(tempfile.mkdtemp())

    async def make() -> None:
        new_store(folder)
        clock = Clock()
        store = opened(folder, clock)
        await store.own("the test")
        await fill(Hands(store, clock), 90, seed)
        store.close()

    asyncio.run(make())
    return folder


@functools.cache
def _truths(seed: int) -> list[list[int]]:
    """What each query is to find in that archive."""
    made = open_engine(f"sqlite:///{_archive(seed) / 'weighbridge.db'}")
    with made.connect() as db, db.begin():
        found = [truth(db, query) for query in QUERIES]
    made.dispose()
    return found


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A store of its own, with an archive in it."""
    shutil.copytree(_archive(1), tmp_path, dirs_exist_ok=True)
    made = open_engine(f"sqlite:///{tmp_path / 'weighbridge.db'}")
    yield made
    made.dispose()


def agree(engine: Engine, index: Index) -> None:
    """Every query finds what it should: in order, whole, page by page, and all at once."""
    with engine.connect() as db, db.begin():
        for query, expected in zip(QUERIES, _truths(1), strict=True):
            assert paged(db, index, query, 17) == expected, query.text
            assert numbers(list(every(db, index, query))) == expected, query.text


def behind(engine: Engine, index: Index) -> None:
    """An index that followed half of the ledger."""
    with engine.connect() as db:
        assert Follower(index).step(db, 150)


def missing(engine: Engine, index: Index) -> None:
    """No index at all."""


def complete(engine: Engine, index: Index) -> None:
    """An index that followed everything, in small steps, so that most messages were added more than once."""
    with engine.connect() as db:
        follower = Follower(index)
        while follower.step(db, 9):
            follower._looked.clear()


def after_a_crash(engine: Engine, index: Index) -> None:
    """The months were flushed, the table of contents was not."""
    complete(engine, index)
    contents = index._read_contents()  # type: ignore[attr-defined]
    contents.execute("UPDATE positions SET next = 40")
    contents.execute("UPDATE months SET generation = 1")


def damaged(engine: Engine, index: Index) -> None:
    """One month is overwritten with something else, another is gone."""
    complete(engine, index)
    first, second, *_ = sorted(index.folder.glob("20*.db"))  # type: ignore[attr-defined]
    index.close()
    first.write_bytes(first.read_bytes()[:4096] + b"\x55" * 20_000)
    second.unlink()


def without_contents(engine: Engine, index: Index) -> None:
    """The table of contents is no database any more."""
    complete(engine, index)
    index.close()
    (index.folder / "contents.db").write_bytes(b"not a database" * 99)  # type: ignore[attr-defined]


def of_another_form(engine: Engine, index: Index) -> None:
    """The index was written by a program that knew messages by other words."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(months_module, "FORMAT", "0")
        patch.setattr("bridge.store.index.following.tokens_of", lambda _: {"t:nothing"})
        complete(engine, index)
    index.close()


def put_back(engine: Engine, index: Index) -> None:
    """One month is an older copy of itself."""
    behind(engine, index)
    index.close()
    month = min(index.folder.glob("20*.db"))  # type: ignore[attr-defined]
    kept = month.read_bytes()
    complete(engine, index)
    index.close()
    month.write_bytes(kept)


@pytest.mark.parametrize(
    "state",
    [
        complete, behind, missing, after_a_crash, damaged, without_contents, of_another_form, put_back,
    ],
)  # fmt: skip
def test_the_state_of_the_index_changes_no_answer(
    engine: Engine, state: Callable[[Engine, Index], None]
) -> None:
    """Before it is mended, and after."""
    index = open_index(engine)
    state(engine, index)
    agree(engine, index)
    assert catch_up(engine, index, 60)
    agree(engine, index)
    index.close()


def test_without_an_index_nothing_can_be_hidden(engine: Engine) -> None:
    """Every message of the span is opened, whatever somebody wrote into the index; the answer says so."""
    index = open_index(engine)
    complete(engine, index)
    index.close()
    for month in index.folder.glob("20*.db"):  # type: ignore[attr-defined]
        with contextlib.closing(sqlite3.connect(month)) as db:
            db.execute("INSERT INTO words(words) VALUES ('delete-all')")
            db.commit()
    with engine.connect() as db, db.begin():
        for query, expected in zip(QUERIES, _truths(1), strict=True):
            assert numbers(list(every(db, None, query))) == expected, query.text
        told = search(db, None, QUERIES[0], 7).searched
    assert not told.indexed and told.behind == 0


def test_the_queries_ask_for_something() -> None:
    """Most find some messages and not all, so that a search which finds none or all would be noticed."""
    sizes = [len(found) for found in _truths(1)]
    assert sum(0 < size < 60 for size in sizes) > len(QUERIES) // 2


def test_pages_stay_while_messages_come(engine: Engine, tmp_path: Path) -> None:
    """Whoever turns pages sees each message once, whatever is written meanwhile."""
    index, query = open_index(engine), parse("is:passed", NOW, NOW.tzinfo)  # type: ignore[arg-type]
    with engine.connect() as db, db.begin():
        expected = truth(db, query)
        first = search(db, index, query, 5)
    seen = numbers(first.documents)

    async def write() -> None:
        clock = Clock(START + 200 * 86_400_000)
        store = opened(tmp_path, clock)
        await store.own("the test")
        await fill(Hands(store, clock), 5, 9)
        store.close()

    asyncio.run(write())
    with engine.connect() as db, db.begin():
        while (page := search(db, index, query, 5, seen[-1])).documents:
            seen += numbers(page.documents)
    assert [number for number in seen if number in expected] == expected[: len(seen)]
    assert len(set(seen)) == len(seen)


def test_it_says_what_was_searched(engine: Engine) -> None:
    """Counts and times of the span, with any index; how much was opened, how much the index lacked."""
    index = open_index(engine)
    with engine.connect() as db:
        for followed in (False, True):
            if followed:
                assert catch_up(engine, index, 60)
            for text in ("", "during:2026-02", "id:20..40", "股", "during:2030"):
                query = parse(text, NOW, NOW.tzinfo)  # type: ignore[arg-type]
                with db.begin():
                    told, span = searched(db, index, query), query.span
                    rows = db.exec_driver_sql("SELECT id, archived_at FROM messages").all()
                last, until = span.last or 10**9, span.until or 10**15
                times = [at for number, at in rows if span.first <= number <= last]
                inside = [at for at in times if span.since <= at < until]
                assert told.messages == len(inside), text
                assert (told.first_at, told.last_at) == (min(inside, default=0), max(inside, default=0))
                assert (told.behind == 0) == followed
                assert told.sizes[0] > 200
        with db.begin():
            page = search(db, index, parse("腾讯", NOW, NOW.tzinfo), 3)  # type: ignore[arg-type]
            assert len(page.documents) == 3
            assert page.searched.opened <= 20


def test_rare_states_are_looked_up(engine: Engine) -> None:
    """Blocked messages have an index of their own: none but they are opened, no table is walked through."""
    index = open_index(engine)
    assert catch_up(engine, index, 60)
    query = parse("is:blocked", NOW, NOW.tzinfo)  # type: ignore[arg-type]
    with engine.connect() as db, db.begin():
        expected = truth(db, query)
        found = search(db, index, query, 500)
        assert numbers(found.documents) == expected != []
        assert found.searched.opened == len(expected)
        sql, arrange = searching._LIVE["is", "blocked"]._of(db)
        plan = [row[3] for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", arrange({}))]
    assert all("USING COVERING INDEX ix_messages_blocked" in step for step in plan)


def test_a_search_can_be_stopped(engine: Engine) -> None:
    """Whoever is told how far it is may raise."""
    told: list[tuple[int, int]] = []

    def enough(done: int, of: int) -> None:
        told.append((done, of))
        if len(told) == 2:
            raise KeyboardInterrupt

    query = parse("nowhere-at-all", NOW, NOW.tzinfo)  # type: ignore[arg-type]
    with engine.connect() as db, db.begin(), pytest.raises(KeyboardInterrupt):
        search(db, open_index(engine), query, 5, advance=enough)
    (one, of), (two, same) = told
    assert 0 < one < two <= of == same


def test_without_the_master_key_nothing_is_found(engine: Engine, tmp_path: Path) -> None:
    """It says which key is missing; the index alone answers nobody."""
    index = open_index(engine)
    assert catch_up(engine, index, 60)
    index.close()
    (tmp_path / "secrets" / "store-key").unlink()
    shut = open_engine(str(engine.url))
    with shut.connect() as db, db.begin(), pytest.raises(KeyMissing):
        search(db, open_index(shut), parse("腾讯", NOW, NOW.tzinfo), 3)  # type: ignore[arg-type]
    shut.dispose()
