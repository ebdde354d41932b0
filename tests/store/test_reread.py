"""The auditor's reader: it reads in pieces and believes nothing; what it cannot read becomes a finding."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from story import copy_of_the_story

from bridge.keepers import KeyFile
from bridge.ledger.entry import Entry, encode
from bridge.store import reread
from bridge.store.database import open_engine
from bridge.store.reread import Finding, Work, any_text, as_bytes, number, parsed, place_of, readable


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    """A reader on a copy of the story, with everything it reports in `found`."""
    engine = open_engine(f"sqlite:///{copy_of_the_story(tmp_path)}")
    with engine.connect() as db, db.begin():
        found: list[Finding] = []
        keeper = KeyFile(tmp_path / "secrets" / "store-key")
        one = Work(db, tmp_path / "blobs", found.append, lambda done, total: None, keeper)
        one.found = found
        yield one
    engine.dispose()


@given(st.binary(max_size=60) | st.text(max_size=20) | st.integers() | st.none())
def test_garbage_is_no_entry_and_no_value(data: object) -> None:
    """Whatever a column holds, reading it as an entry or as JSON answers None or a value: nothing raises."""
    assert readable(data) is None
    parsed(data)
    assert isinstance(as_bytes(data), bytes)
    assert isinstance(number(data), int)


def test_an_entry_is_read_back() -> None:
    """What the ledger writes, the reader reads."""
    entry = Entry(0, 7, 1000, "message:noted", "message/3", {"message": 3})
    assert readable(encode(entry)) == entry
    assert place_of(entry) == "entry 7 of lane 0"


def test_a_finding_reads_as_a_sentence() -> None:
    """Table, key, column and meaning on one line; without a column, the row is meant."""
    assert str(Finding("files", "message 3 n 0", "size", "is wrong")) == "files message 3 n 0, size: is wrong"
    assert str(Finding("files", "message 3 n 0", "", "is gone")) == "files message 3 n 0: is gone"


def test_differences_are_named_and_not_shown(work: Work) -> None:
    """Comparing reports each column that differs, and neither value."""
    work.compare("files", "n 0", [("size", 1, 2), ("state", "a", "a"), ("digest", "x", "y")], "its entry")
    assert [finding.column for finding in work.found] == ["size", "digest"]
    assert work.summary.findings == 2
    assert "x" not in work.found[1].meaning.split()


@pytest.mark.parametrize("size", [1, 3, 400])
def test_chunks_hold_every_row_once(work: Work, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Whatever the size of a chunk, the rows come once and in order."""
    monkeypatch.setattr(reread, "CHUNK", size)
    statement = "SELECT id FROM messages WHERE id > :after ORDER BY id LIMIT :chunk"
    chunks = [[row.id for row in rows] for rows in work.chunks(statement)]
    assert all(len(chunk) <= size for chunk in chunks)
    numbers = [number for chunk in chunks for number in chunk]
    assert numbers == list(range(1, len(numbers) + 1))


def test_entries_are_found_by_subject(work: Work) -> None:
    """All that the ledger says about several subjects, in order; nothing for one it does not know."""
    entries = work.entries(["message/1", "message/9999"])
    assert [entry.kind for entry in entries["message/1"]] == [
        *("message:archived", "message:judged", "record:joined"),
    ]
    assert entries["message/9999"] == []


def test_bodies_are_read_by_place(work: Work) -> None:
    """The archived bodies at places in the ledger; a place without content is left out."""
    place = work.rows("SELECT lane, entry FROM messages WHERE id = 1")[0]
    bodies = work.bodies([(place.lane, place.entry), (0, 0), (5, 5)])
    assert list(bodies) == [(place.lane, place.entry)]
    assert bodies[place.lane, place.entry]["text"] == "Good morning 李雷"


def test_text_that_is_no_longer_utf8_can_be_read(work: Work) -> None:
    """Inside `any_text` broken text comes back as something to compare; outside all is as before."""

    def broken(db: Connection) -> object:
        return db.execute(text("SELECT CAST(x'61ff' AS TEXT)")).scalar()

    with any_text(work.db):
        assert broken(work.db) == "a\udcff"
    assert work.db.execute(text("SELECT CAST(x'61' AS TEXT)")).scalar() == "a"
