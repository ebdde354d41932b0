"""The index on SQLite: files that say nothing, may be thrown away, and are not believed when wrong."""

from __future__ import annotations

import os
import random
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from rig import START, new_store
from sqlalchemy import Connection, Engine

from bridge.errors import StoreError
from bridge.search.document import All, Any, Need, Token
from bridge.store.database import open_engine
from bridge.store.index import Known, Step, month_of
from bridge.store.index.blocks import Block
from bridge.store.index.months import Months
from bridge.store.vault import vault_of

DAY = 86_400_000


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A store with nothing in it."""
    made = open_engine(f"sqlite:///{new_store(tmp_path)}")
    yield made
    made.dispose()


@pytest.fixture
def db(engine: Engine) -> Iterator[Connection]:
    """A connection that files do not need."""
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def months(engine: Engine, tmp_path: Path) -> Iterator[Months]:
    """An index of its own."""
    made = Months(tmp_path / "search", vault_of(engine))
    yield made
    made.close()


def known(*words: str, number: int = 1, day: int = 0) -> Known:
    """A message with these words, archived so many days after the start of all clocks."""
    return Known(number, START + day * DAY, set(words))


def add(months: Months, db: Connection, *messages: Known) -> None:
    """One step that brings these messages."""
    before = months.state(db).positions
    assert months.add(db, Step(before, {0: before.get(0, 0) + 1}, messages, ()))


def found(months: Months, db: Connection, need: Need, *, newest_first: bool = False) -> list[int]:
    """Every number that is offered."""
    return list(months.offer(db, need, 1, 10**9, newest_first=newest_first))


def test_words_are_found_again(months: Months, db: Connection) -> None:
    """Alone, together and either of them, over months, up and down, and within a range of numbers."""
    for number in range(1, 200):
        add(months, db, known(*[f"t:{n}" for n in (2, 3, 5) if number % n == 0], number=number, day=number))
    need = All((Any((Token("t:2"), Token("t:3"))), Token("t:5")))
    expected = [
        number for number in range(1, 200) if number % 5 == 0 and (number % 2 == 0 or number % 3 == 0)
    ]
    assert found(months, db, need) == expected
    assert found(months, db, need, newest_first=True) == expected[::-1]
    inside = list(months.offer(db, need, 50, 90, newest_first=False))
    assert inside == [number for number in expected if 50 <= number <= 90]
    assert found(months, db, Token("t:7")) == []
    assert len(months.state(db).parts) == 7


def test_what_becomes_known_later_is_added(months: Months, db: Connection) -> None:
    """FTS5 without contents takes a number again: its words are those of every time, and it is found once,
    whatever is merged meanwhile."""
    chance, truth = random.Random(4), {}
    for round_ in range(40):
        batch = []
        for number in sorted(chance.sample(range(1, 60), 12)):
            words = {f"t:{chance.randrange(9)}", f"r:{round_ % 3}"}
            truth.setdefault(number, set()).update(words)
            batch.append(known(*words, number=number))
        add(months, db, *batch)
        if round_ == 25:
            months._month("2026-01").execute("INSERT INTO words (words) VALUES ('optimize')")
    for one in range(9):
        for other in ("r:0", "r:2"):
            expected = [n for n in sorted(truth) if {f"t:{one}", other} <= truth[n]]
            need = All((Token(f"t:{one}"), Token(other)))
            assert found(months, db, need) == expected
            assert found(months, db, need, newest_first=True) == expected[::-1]
    months._month("2026-01").execute("INSERT INTO words (words) VALUES ('integrity-check')")


def test_a_clock_that_was_put_back(months: Months, db: Connection) -> None:
    """Months that overlap in their numbers are read together: the order is that of the numbers."""
    for number, day in enumerate((25, 40, 24, 41, 3, 70, 42, 99), 1):
        add(months, db, known("t:a", number=number, day=day))
    assert found(months, db, Token("t:a")) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert found(months, db, Token("t:a"), newest_first=True) == [8, 7, 6, 5, 4, 3, 2, 1]


def test_no_word_is_in_any_file(months: Months, db: Connection, tmp_path: Path) -> None:
    """Neither in the files nor in their logs, while they are open; and nobody else may read them."""
    words = ("t:announcement", "t:内幕", "from:alice.wong@bank.example", "from:李雷")
    add(months, db, known(*words), known(*words, number=2, day=40))
    files = sorted((tmp_path / "search").iterdir())
    assert [path.name for path in files if path.suffix == ".db"] == [
        "2026-01.db",
        "2026-02.db",
        "contents.db",
    ]
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        data = path.read_bytes()
        for word in words:
            plain = word.partition(":")[2]
            assert not any(plain.encode(code) in data for code in ("utf-8", "utf-16-le", "gbk"))
    assert stat.S_IMODE((tmp_path / "search").stat().st_mode) == 0o700


def test_equal_words_of_two_months_do_not_look_alike(months: Months) -> None:
    """Nor do they in two installations: counting in one month says nothing about another."""
    one, other = months.tokens.of("2026-01")["t:腾讯"], months.tokens.of("2026-02")["t:腾讯"]
    assert one != other
    assert len(one) == 10
    assert one == months.tokens.text("2026-01", {"t:腾讯"})


def test_an_index_of_another_installation_is_not_believed(
    months: Months, db: Connection, tmp_path: Path
) -> None:
    """Whatever it says, it is as if there were none; the first step begins anew."""
    add(months, db, known("t:a"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    theirs = open_engine(f"sqlite:///{new_store(elsewhere)}")
    with theirs.begin() as other:
        other.exec_driver_sql("UPDATE meta SET value = 'abcdef0123456789' WHERE key = 'installation'")
    theirs.dispose()
    stranger = Months(tmp_path / "search", vault_of(open_engine(str(theirs.url))))
    assert stranger.state(db).positions == {}
    assert stranger.state(db).parts == ()
    add(stranger, db, known("t:b"))
    assert found(stranger, db, Token("t:a")) == []
    stranger.close()


def test_a_month_that_is_wrong_offers_everything_until_it_is_made_again(
    months: Months, db: Connection, tmp_path: Path
) -> None:
    """Other months are not touched by it."""
    for number in range(1, 9):
        add(months, db, known(f"t:{number % 2}", number=number, day=number * 7))
    months.close()
    (tmp_path / "search" / "2026-01.db").write_bytes(os.urandom(9000))
    part = months.state(db).parts[0]
    assert (part.name, part.first, part.last, part.stale) == ("2026-01", 1, 3, False)
    assert found(months, db, Token("t:0")) == [1, 2, 3, 4, 6, 8]
    assert months.state(db).parts[0].stale
    add(months, db, known("t:0", number=9, day=10))  # what comes meanwhile is found all the same
    assert found(months, db, Token("t:0"), newest_first=True) == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    fresh = (known(f"t:{n % 2}", number=n, day=n * 7) for n in (1, 2, 3))
    months.replace(db, months.state(db).parts[0], fresh)
    assert found(months, db, Token("t:0")) == [2, 4, 6, 8]
    assert not months.state(db).parts[0].stale


def test_another_process_may_make_it_anew(months: Months, engine: Engine, db: Connection) -> None:
    """Whoever has the old files open notices, and goes on with the new ones."""
    add(months, db, known("t:a", number=5))
    beside = Months(months.folder, vault_of(engine))
    beside.clear(db)
    add(beside, db, known("t:b", number=6))
    assert found(months, db, Token("t:a")) == []
    assert found(months, db, Token("t:b")) == [6]
    stale = Step({0: 0}, {0: 5}, [known("t:c")], ())
    assert not months.add(db, stale)  # from positions that are not those of now: nothing is kept
    assert found(months, db, Token("t:c")) == []
    beside.close()


def test_months_that_are_over_are_put_in_order(months: Months, db: Connection) -> None:
    """Once each; the present month is left alone."""
    for number in range(1, 40):
        add(months, db, known("t:a", number=number, day=number))
    assert months.tidy(db)
    assert not months.tidy(db)
    with sqlite3.connect(months.folder / "2026-01.db") as month:
        assert dict(month.execute("SELECT name, value FROM marks"))["tidy"] == 1
    assert len(found(months, db, Token("t:a"))) == 39


def test_blocks_are_remembered(months: Months, db: Connection) -> None:
    """And read again when they change."""
    blocks = [Block(0, 511, 5, 9), Block(1, 512, 10, 20), Block(2, 3, 21, 22)]
    assert months.add(db, Step({}, {0: 1}, (), blocks[:2]))
    assert months.state(db).blocks.blocks == blocks[:1]
    assert months.add(db, Step({0: 1}, {0: 2}, (), blocks[1:]))
    assert months.state(db).blocks.blocks == blocks[:2]


def test_a_folder_that_cannot_be_written_says_what_to_do(months: Months, db: Connection) -> None:
    """The error names the folder and the remedy."""
    months.folder.write_text("a file in its place")
    with pytest.raises(StoreError, match=r"search.*cannot be written.*audit reindex"):
        add(months, db, known("t:a"))


def test_months_are_those_of_utc() -> None:
    """The name of a month, from milliseconds."""
    assert month_of(START) == "2026-01"
    assert month_of(1_769_903_999_999) == "2026-01"
    assert month_of(1_769_904_000_000) == "2026-02"
