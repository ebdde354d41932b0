"""Content is opened once and held against its digest; what cannot be opened is named by its place."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from story import copy_of_the_story

from bridge.keepers import KeyFile
from bridge.ledger.entry import Entry, decode
from bridge.store.database import open_engine
from bridge.store.opened import Contents, words
from bridge.store.reread import Finding, Work

SPOILED = {
    "salt": ("UPDATE content SET salt = x'00' WHERE seq = {}", "content", "salt, body, raw"),
    "body": ("UPDATE content SET body = x'01ff' WHERE seq = {}", "content", "body, raw"),
    "version": ("UPDATE content SET body = x'02ff' WHERE seq = {}", "content", "body, raw"),
    "none": ("DELETE FROM content WHERE seq = {}", "content", ""),
    "key": ("UPDATE data_keys SET wrapped = x'01' WHERE seq = {}", "data_keys", "wrapped"),
    "no key": ("DELETE FROM data_keys WHERE seq = {}", "data_keys", ""),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The story on the disk."""
    return copy_of_the_story(tmp_path)


def first_message(path: Path) -> Entry:
    """The entry of what was written first."""
    with sqlite3.connect(path) as db:
        query = "SELECT l.entry FROM ledger l JOIN messages m ON m.entry = l.seq WHERE m.id = 1"
        return decode(db.execute(query).fetchone()[0])


def looked_at(path: Path, entry: Entry, *, keys: bool = True) -> tuple[bytes | None, list[Finding], Work]:
    """The body beside an entry, and what is said about it."""
    found: list[Finding] = []
    engine = open_engine(f"sqlite:///{path}")
    keeper = KeyFile(path.parent / "secrets" / "store-key") if keys else None
    with engine.connect() as db:
        work = Work(db, path.parent / "blobs", found.append, lambda done, total: None, keeper)
        body = Contents(work, entry.lane, entry.seq, entry.seq).check(entry.seq, entry)
    engine.dispose()
    return body, found, work


def test_what_was_written_is_handed_on(path: Path) -> None:
    """The body comes back open, and is counted."""
    body, found, work = looked_at(path, first_message(path))
    assert (words(body) or {})["text"] == "Good morning 李雷"
    assert found == []
    assert work.summary.contents == 1
    assert work.summary.bytes > len(body or b"")


@pytest.mark.parametrize("what", SPOILED)
def test_what_was_spoiled_is_named(path: Path, what: str) -> None:
    """Table and column say what was changed or is gone."""
    statement, table, column = SPOILED[what]
    entry = first_message(path)
    with sqlite3.connect(path) as db:
        db.execute(statement.format(entry.seq))
    _, (finding,), _ = looked_at(path, entry)
    assert (finding.table, finding.key, finding.column) == (table, f"lane 0 seq {entry.seq}", column)


def test_without_the_key_nothing_is_opened_and_nothing_accused(path: Path) -> None:
    """That content is there is checked all the same."""
    assert looked_at(path, first_message(path), keys=False)[:2] == (None, [])


def test_an_entry_that_says_it_has_none_has_none(path: Path) -> None:
    """Content beside an entry without a digest is a finding."""
    entry = first_message(path)
    body, (finding,), _ = looked_at(path, entry._replace(digest=""))
    assert body is None
    assert "has none" in finding.meaning


@pytest.mark.parametrize("body", [None, b"", b"[1]", b"no JSON", b"\xff"])
def test_what_is_no_object_has_no_words(body: bytes | None) -> None:
    """Whatever was archived, nothing raises."""
    assert words(body) is None


def test_an_object_has_words() -> None:
    """A body is read as JSON."""
    assert words(b'{"a":1}') == {"a": 1}
