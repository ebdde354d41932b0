"""Destruction: what went is in no file any more, what stays is whole, and the record verifies."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from disposals import DAY, TALK, Firm, firm
from story import CHAT, STREAM

from bridge.errors import Damaged
from bridge.search.tokens import tokens_of
from bridge.store import destruction, disposal, views
from bridge.store.documents import documents
from bridge.store.index import month_of
from bridge.store.index.checking import hidden


@pytest.fixture
async def old(tmp_path: Path) -> AsyncIterator[Firm]:
    """A firm a half of whose records is due."""
    one = firm(tmp_path)
    yield one
    one.store.close()


def sealed_parts(path: Path, numbers: list[int]) -> list[bytes]:
    """Wrapped keys, sealed bodies and raw bytes of these messages, as they lie in the tables."""
    query = (
        "SELECT k.wrapped, c.body, c.raw FROM ledger l JOIN content c ON c.lane = l.lane AND c.seq = l.seq "
        "JOIN data_keys k ON k.lane = l.lane AND k.seq = l.seq WHERE l.subject = 'message/' || ?"
    )
    with closing(sqlite3.connect(path)) as db:
        return [part for one in numbers for row in db.execute(query, (one,)) for part in row if part]


async def listed(old: Firm, number: int) -> list[int]:
    """The messages of a plan."""
    return [one["message"] for one in await old.store.read(lambda db: disposal.listed(db, number))]


async def test_nothing_of_it_is_left_in_any_file(old: Firm) -> None:
    """Keys, ciphertext, the networks' ids and the attachment of what went are in no byte of any file: not in
    the database, its log or its free pages, not in the index; what stays reads as before."""
    old.follow()
    number = await old.plan()
    numbers = await listed(old, number)
    parts = sealed_parts(old.folder / "weighbridge.db", numbers)
    parts += [b"named-there-%d-" % (one - 1) for one in numbers if one <= TALK]
    assert len(parts) > 3 * len(numbers)
    blobs = [path for path, _ in old.files() if path.is_relative_to(old.folder / "blobs")]
    assert len(blobs) == 1
    before = {line["message"]: line["text"] for line in await old.store.read(archive)}
    await old.approve(number)
    assert await old.steps(number) == len(numbers) == 22
    await old.finish(number)
    for path, data in old.files():
        left = [part for part in parts if part in data or part[-24:] in data]
        assert left == [], path
    assert not blobs[0].exists()
    after = {line["message"]: line["text"] for line in await old.store.read(archive)}
    assert after == {one: text for one, text in before.items() if one in after}
    assert len(after) == len(before) - len(numbers) - 2  # and the notices on one of them
    found, summary = await old.verified()
    assert found == []
    assert summary.absent > 2 * len(numbers)


def archive(db: object) -> list[dict]:
    """Every message that there is."""
    return views.archive(db, views.Filter(), 500)


async def test_rows_of_what_went_name_nobody(old: Firm) -> None:
    """No chat, no person, no id of a network, no receipt stands in the rows of a record that is gone."""
    number = await old.dispose()
    numbers = await listed(old, number)
    where = f"message IN ({', '.join(map(str, numbers))})"
    with closing(sqlite3.connect(old.folder / "weighbridge.db")) as db:
        query = f"SELECT source_id, conversation, sender, pair FROM messages WHERE {where}"
        rows = db.execute(query.replace("message IN", "id IN"))
        assert {(row[0].partition("/")[0], *row[1:]) for row in rows} == {("disposed", "", "", None)}
        assert {row[0] for row in db.execute(f"SELECT conversation FROM deliveries WHERE {where}")} == {""}
        assert {row[0] for row in db.execute(f"SELECT conversation FROM reviews WHERE {where}")} == {""}
        receipts = f"SELECT 1 FROM receipts r JOIN deliveries d ON d.permit = r.permit WHERE d.{where}"
        assert db.execute(receipts).fetchone() is None
        others = db.execute("SELECT DISTINCT conversation FROM messages WHERE conversation <> ''")
        assert {row[0] for row in others} == {STREAM, CHAT}


async def test_what_went_is_found_by_no_search_and_what_stays_is(old: Firm) -> None:
    """The index hides no message that is there, and has no token of one that is not."""
    old.follow()
    month = month_of(old.story.clock.at - 40 * DAY)
    number = await old.plan()
    gone = (await listed(old, number))[0]
    words = await old.store.read(lambda db: tokens_of(documents(db, [gone])[0]))
    await old.approve(number)
    await old.steps(number)
    await old.finish(number)
    with closing(old.index()) as index:
        assert await old.store.read(lambda db: hidden(db, index)) == {}
        tokens = [index.tokens.of(month)[word] for word in words]
    found: set[int] = set()
    with closing(sqlite3.connect(old.folder / "search" / f"{month}.db")) as db:
        for token in tokens:
            found |= {
                row[0] for row in db.execute("SELECT rowid FROM words WHERE words MATCH ?", (f'"{token}"',))
            }
    assert found
    assert found.isdisjoint(await listed(old, number))


async def test_an_attachment_that_another_record_has_stays(old: Firm) -> None:
    """Of a file that two records have, neither bytes nor key go with the first of them."""
    with closing(sqlite3.connect(old.folder / "weighbridge.db", isolation_level=None)) as db:
        kept = db.execute("SELECT max(message) FROM terms WHERE key = 'cards/long'").fetchone()[0]
        db.execute(
            "INSERT INTO files SELECT ?, n, network, state, 0, 0, digest, size, entry FROM files", (kept,)
        )
        digest = db.execute("SELECT digest FROM files").fetchone()[0]
    await old.dispose()
    assert old.store.blobs.path(digest).exists()
    assert await old.store.read(lambda db: destruction.leftovers(db, 1)) == []
    assert b"".join([piece async for piece in old.store.blobs.read(digest)]) == b"%PDF-1.7 a report"


async def test_the_key_of_an_attachment_goes_with_the_transaction(old: Firm) -> None:
    """Whoever dies before the file is removed leaves bytes that nobody can open, and the next run finds
    them; verification says so meanwhile."""
    number = await old.plan()
    await old.approve(number)
    await old.steps(number)
    (digest,) = await old.store.read(lambda db: destruction.leftovers(db, number))
    with pytest.raises(Damaged, match="not in the store"):
        async for _ in old.store.blobs.read(digest):
            pass
    assert [one.table for one in await old.findings()] == ["blobs"]
    await old.finish(number)
    assert await old.findings() == []
