"""Who looked at what people wrote: recorded with person, reason, case and query, and found again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, select
from story import REVIEWER, Ticking, copy_of_the_story

from bridge.ledger.entry import decode
from bridge.store import looks
from bridge.store import schema as s
from bridge.store.codec import dump
from bridge.store.database import Database
from bridge.store.looks import Looker, Search
from bridge.store.verify import Finding, verify

WHO = Looker(REVIEWER, "quarterly review", "2026/17")
ASKED = Search("search", "from:alice.wong 内幕", 2, (3, 1))


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """A folder with a varied store."""
    copy_of_the_story(tmp_path)
    return tmp_path


@pytest.fixture
async def looked(told: Path) -> AsyncIterator[Database]:
    """A store in which somebody searched, and then opened message 3."""
    store = Database(f"sqlite:///{told / 'weighbridge.db'}", told / "blobs", Ticking())
    await store.write(lambda tx: looks.record_search(tx, 0, WHO, ASKED))
    await store.write(lambda tx: looks.record_shown(tx, 0, WHO, "show", [3]))
    yield store
    store.close()


async def test_looks_are_read_newest_first(looked: Database) -> None:
    """Each with its person, reason, case, query, how many were found and which were shown."""
    shown, searched = await looked.read(lambda db: list(looks.looks(db)))
    assert (shown["kind"], shown["command"], shown["shown"], shown["found"]) == (
        "message:shown",
        "show",
        [3],
        1,
    )
    assert (searched["query"], searched["found"], searched["shown"]) == (ASKED.query, 2, [3, 1])
    for one in (shown, searched):
        assert (one["person"], one["reason"], one["case"]) == (REVIEWER, "quarterly review", "2026/17")


@pytest.mark.parametrize(("number", "commands"), [(3, ["search", "show"]), (1, ["search"]), (2, [])])
async def test_looks_at_one_message(looked: Database, number: int, commands: list[str]) -> None:
    """Whoever was shown it, alone or among what a search found, in order."""
    found = await looked.read(lambda db: looks.looks_at(db, number))
    assert [one["command"] for one in found] == commands


async def test_the_ledger_has_no_word_of_it(looked: Database) -> None:
    """Names, reasons and queries are content: the entries themselves have the number of a message at most."""

    def entries(db: Connection) -> list[bytes]:
        query = select(s.ledger.c.entry).where(s.ledger.c.subject.like("audit%"))
        return [data for data in db.execute(query).scalars() if decode(data).kind in looks.KINDS]

    for data in await looked.read(entries):
        assert decode(data).facts in ({}, {"message": 3})


async def test_a_store_that_was_looked_at_verifies(looked: Database, told: Path) -> None:
    """Looks are entries like any other: nothing about them is an accusation."""
    findings: list[Finding] = []
    await looked.read(lambda db: verify(db, told / "blobs", findings.append))
    assert {one.table for one in findings} == {"checkpoints"}, "whose key it was not given"


async def test_packages_that_were_taken_away_are_listed(looked: Database) -> None:
    """Who made one, why, with how many messages."""
    body = dump({"person": REVIEWER, "reason": "the regulator asked", "case": "9", "query": "id:1..4"})
    facts = {"messages": 4, "sha256": "a" * 64}
    await looked.write(lambda tx: tx.append(0, "evidence:made", "evidence", facts, body))
    made = await looked.read(lambda db: next(looks.looks(db)))
    assert (made["command"], made["found"], made["query"], made["case"]) == ("evidence", 4, "id:1..4", "9")


async def test_what_was_looked_at_for_a_case(looked: Database) -> None:
    """The messages that were shown or handed over, and what was asked: an export that no entry ends may have
    handed over all of it."""
    body = dump(
        {"person": REVIEWER, "case": "2026/17", "query": "x messages 7", "asks": "x", "numbers": "7-9"}
    )
    await looked.write(lambda tx: tx.append(0, "evidence:made", "evidence", {"messages": 3}, body))
    begun = dump({"command": "export", "person": REVIEWER, "case": "2026/17", "query": ""})
    made = dump({"person": REVIEWER, "case": "2026/17", "query": "", "numbers": "20,22"})
    for kind, subject, said in (
        ("export:begun", looks.SUBJECT, begun),
        ("export:made", "export/1", made),
        ("export:begun", looks.SUBJECT, begun),
    ):
        await looked.write(lambda tx, k=kind, s=subject, b=said: tx.append(0, k, s, {}, b))
    numbers, asked = await looked.read(lambda db: looks.looks_for(db, " 2026/17"))
    assert str(numbers) == "1,3,7-9,20,22"
    assert [(one.query, one.whole) for one in asked] == [
        (ASKED.query, False),
        ("x", False),
        ("", False),
        ("", True),
    ]
