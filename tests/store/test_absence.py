"""What is gone is accepted where it was disposed of by the rules, and found wherever it was not."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from disposals import DAY, FIRST, LONG, PLANNER, SHORT, Firm, firm
from sqlalchemy import insert, update
from story import passed

from bridge.message import Retention
from bridge.ports import Placing, Ruling
from bridge.store import assigning, destruction, disposal, holds, terms
from bridge.store import schema as s
from bridge.store.destruction import Doomed, destroy, erase_pair
from bridge.store.documents import last_number
from bridge.store.heartbeats import beat
from bridge.store.writer import Tx


@pytest.fixture
async def old(tmp_path: Path) -> AsyncIterator[Firm]:
    """A firm a half of whose records is due."""
    one = firm(tmp_path)
    yield one
    one.store.close()


def hack(old: Firm, *statements: str) -> None:
    """Change the database behind the store's back."""
    with closing(sqlite3.connect(old.folder / "weighbridge.db", isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


async def words(old: Firm, *, sealed: bool = False) -> str:
    """What verification says."""
    return "\n".join(map(str, await old.findings(sealed=sealed)))


GONE = "lane = 0 AND seq = (SELECT entry FROM messages WHERE id = 3)"


@pytest.mark.parametrize(
    "statement", [f"DELETE FROM content WHERE {GONE}", f"DELETE FROM data_keys WHERE {GONE}"]
)
async def test_content_deleted_by_hand_is_found(old: Firm, statement: str) -> None:
    """Where no entry says that a record was disposed of, what is not there is missing."""
    await old.dispose()
    hack(old, statement)
    assert "is gone" in await words(old)


async def test_what_was_to_go_and_is_there_is_found(old: Firm) -> None:
    """Content beside the entries of a record that is gone is a finding: it was kept, or put back."""
    await old.dispose()
    copied = "SELECT 0, (SELECT entry FROM messages WHERE id = 1), salt, body, raw FROM content LIMIT 1"
    hack(old, f"INSERT INTO content {copied}")
    assert "was to be destroyed, and is still there" in await words(old)


async def test_rows_that_name_somebody_again_are_found(old: Firm) -> None:
    """The columns of what is gone stay blank."""
    await old.dispose()
    hack(
        old,
        "UPDATE messages SET sender = '7001' WHERE id = 1",
        "UPDATE deliveries SET conversation = 'x' WHERE message = 2",
    )
    assert {(one.table, one.column) for one in await old.findings()} == {
        ("messages", "sender"),
        ("deliveries", "conversation"),
    }


async def forged(old: Firm, number: int, until: int, *, planned: bool) -> None:
    """Somebody with the master key and the database destroys a record past the rules."""

    def job(tx: Tx) -> None:
        if planned:
            found = disposal.Found((Doomed(number, "cards/long", until),), disposal.Counts())
            disposal.plan(tx, 0, disposal.Wanted(PLANNER, "away with it"), found)
        else:
            row = {"id": 1, "lane": 0, "entry": 1, "state": "done", "digest": "", "expires_at": 0}
            tx.db.execute(insert(s.disposals), row)
        tx.flush()
        destroy(tx, 1, [Doomed(number, "cards/long", until)])
        tx.db.execute(update(s.disposals).values(state="running"))

    await old.store.write(job)


async def test_a_forged_disposal_is_found(old: Firm) -> None:
    """An entry that a record is gone, without a plan behind it, convinces nobody."""
    await forged(old, 3, old.story.clock.at, planned=False)
    assert "no entry testifies to this plan" in await words(old)


async def test_a_disposal_without_approvals_is_found(old: Firm) -> None:
    """A plan that nobody approved, or one person, is no reason to be gone; without the master key too."""
    await forged(old, 1, old.story.clock.at, planned=True)
    assert "without the approval of 2 people" in await words(old)
    assert "without the approval of 2 people" in await words(old, sealed=True)


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that was tampered with: it runs any plan, whatever became of it."""
    monkeypatch.setattr(disposal, "allow_run", lambda *_: None)


@pytest.mark.usefixtures("careless")
async def test_one_person_who_approves_twice_is_found(old: Firm) -> None:
    """Two entries of one person are one approval."""
    number = await old.plan()
    for _ in range(2):
        await old.store.write(
            lambda tx: disposal._act(tx, 0, number, "disposal:approved", FIRST, "seen")  # as no command does
        )
    await old.steps(number)
    assert "without the approval of 2 people" in await words(old)


async def test_a_record_that_went_too_early_is_found(old: Firm) -> None:
    """Whatever the row says that somebody changed: the entries of the record say until when it was kept."""
    hack(old, f"UPDATE terms SET until = {old.story.clock.at - DAY} WHERE message = 3")
    number = await old.plan(asks=trusting)
    await old.approve(number)
    await old.steps(number, asks=trusting)
    await old.finish(number, asks=trusting)
    found = await words(old)
    assert "message/3 was disposed of: it was still to be kept when it was destroyed" in found
    assert "message/5" not in found


def trusting(db: object, numbers: object, now: int) -> list[disposal.Standing]:
    """Terms as the rows have them, and nothing else asked: an engine that was tampered with."""
    c = s.terms.c
    rows = db.execute(c.message.table.select().where(c.message.in_(list(numbers))))  # type: ignore[attr-defined]
    ends = (terms.Last(row.message, row.until, row.key) for row in rows)
    return [disposal.Standing(*one, one, () if one.until <= now else ("retention until",)) for one in ends]


@pytest.mark.usefixtures("careless")
async def test_a_plan_that_was_withdrawn_or_had_run_out_is_found(old: Firm) -> None:
    """Whatever its row says by now: its entries say when it was good."""
    number = await old.plan()
    await old.approve(number)
    await old.store.write(lambda tx: disposal.withdraw(tx, 0, number, FIRST, "the wrong list"))
    old.story.clock.at += 31 * DAY
    await old.steps(number)
    await old.finish(number)
    found = await words(old)
    assert "had withdrawn it" in found
    assert "when it was good no more" in found


async def test_a_hold_that_was_not_asked_is_found(old: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part of a run says which holds it asked; those that stood by their entries are known."""
    placing = Placing("CASE-7", "matter", "matter", FIRST, "a letter")
    await old.store.write(lambda tx: holds.place(tx, 0, placing))
    await old.store.write(lambda tx: holds.propose_lift(tx, "CASE-7", FIRST, "settled"))
    hack(old, "UPDATE holds SET state = 'lifted'")
    with monkeypatch.context() as tampered:
        tampered.setattr(holds, "_states", lambda _: {"CASE-7": "lifted"})
        await old.dispose()
    hack(old, "UPDATE holds SET state = 'proposed'")
    assert "were destroyed without asking the legal holds that stood then" in await words(old)


async def test_policies_that_were_not_asked_are_found(old: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those in force have holds of their own: they are named by hash."""
    with monkeypatch.context() as tampered:
        tampered.setattr(holds, "asked", lambda _: {"holds": [], "policies": ["ab" * 32]})
        tampered.setattr(destruction, "asked", holds.asked)
        await old.dispose()
    assert "were destroyed without asking the policies that stood then" in await words(old)


@pytest.mark.parametrize("second", ["carol@bank.example", FIRST])
async def test_a_class_that_one_person_gave_is_found(
    old: Firm, monkeypatch: pytest.MonkeyPatch, second: str
) -> None:
    """What had no class went by one that two people gave; the same person twice is not two."""
    await old.store.own("daemon")
    await old.story.archive(old.story.says("without a rule"))
    for one in await old.store.unjudged(9):
        await old.store.record_rulings([Ruling(one, passed(one), "")])
    await old.story.deliver()
    number = await old.store.read(last_number)
    wanted = assigning.Assignment("old", "", "30d", FIRST, "from before there was a rule")
    await old.store.write(lambda tx: assigning.propose(tx, 0, wanted, 1))
    with monkeypatch.context() as tampered:
        tampered.setattr(assigning, "is_same", lambda *_: False)
        await old.store.write(lambda tx: assigning.agree(tx, 0, "old", second, "seen", [number]))
    assert await old.store.write(lambda tx: assigning.carry_out(tx, "old", [number])) == 1
    old.story.clock.at += 40 * DAY
    await old.store.write(lambda tx: beat(tx, 0, "weixin", tx.now, 0))
    await old.dispose()
    assert await old.store.read(lambda db: disposal.fate(db, number))
    found = await words(old)
    assert ("two people did not give it the class" in found) == (second == FIRST)
    assert (found == "") == (second != FIRST)


async def test_a_clock_that_was_put_right_accuses_nobody(old: Firm) -> None:
    """What stood when a run asked is what its lane had before it, whatever the clock said meanwhile."""
    await old.store.activate_policy([("cards", "ab" * 32)], FIRST, "tried")
    placing = Placing("CASE-7", "somethingelse", "somethingelse", FIRST, "a letter")
    await old.store.write(lambda tx: holds.place(tx, 0, placing))
    old.story.clock.at -= 600_000
    await old.store.activate_policy([], FIRST, "put back")
    await old.dispose()
    assert await old.store.read(lambda db: db.execute(s.disposed.select()).all())
    assert await words(old) == ""


async def test_a_clock_that_went_forward_and_back_is_found(old: Firm) -> None:
    """What went in a time that was none went too early: the entries after it are older."""
    old.story.clock.at += 8 * 366 * DAY
    await old.store.write(lambda tx: beat(tx, 0, "weixin", tx.now, 0))
    await old.dispose()
    assert await words(old) == ""
    old.story.clock.at -= 8 * 366 * DAY
    await old.store.write(lambda tx: beat(tx, 0, "weixin", tx.now, 0))
    assert "the clock was set back after records had been destroyed by it" in await words(old)


async def test_a_record_that_an_archive_lacked_is_found(old: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own entries say which archives were to have it, and whether they had acknowledged it."""
    await old.store.own("daemon")
    await old.story.archive(old.story.says("for the vault"))
    for one in await old.store.unjudged(100):
        verdict = replace(passed(one), retention=(SHORT,), archives=("records/vault",))
        await old.store.record_rulings([Ruling(one, verdict, "")])
    await old.story.deliver()
    old.story.clock.at += 40 * DAY
    await old.store.write(lambda tx: beat(tx, 0, "weixin", tx.now, 0))
    hack(old, "UPDATE copies SET state = 'kept'")
    monkeypatch.setattr(terms, "unacknowledged", lambda _: [])
    await old.dispose()
    hack(old, "UPDATE copies SET state = 'wanted'")
    assert "the archive records/vault had not acknowledged its copy" in await words(old)


@pytest.mark.parametrize("later", [(LONG,), ()])
async def test_an_original_that_went_before_its_edit_is_found(
    old: Firm, monkeypatch: pytest.MonkeyPatch, later: tuple[Retention, ...]
) -> None:
    """What joins the two stands in the entries of each."""
    await old.store.own("daemon")
    first = old.story.says("the first words")
    for message, keep in ((first, (SHORT,)), (old.story.says("harmless", replaces=first.id), later)):
        await old.story.archive(message)
        for one in await old.store.unjudged(100):
            await old.store.record_rulings([Ruling(one, replace(passed(one), retention=keep), "")])
        await old.story.deliver()
    old.story.clock.at += 40 * DAY
    await old.store.write(lambda tx: beat(tx, 0, "weixin", tx.now, 0))
    monkeypatch.setattr(terms, "_others", lambda _: iter(()))
    await old.dispose()
    assert "an edit of it, or what it edits, was still to be kept" in await words(old)


LIES = {
    "DELETE FROM disposed WHERE message = 1": "is gone",
    "UPDATE disposed SET entry = entry + 1 WHERE message = 1": "no entry testifies that it is gone",
    "UPDATE disposal_list SET until = until + 1 WHERE message = 1": "the list was changed",
    "DELETE FROM disposal_list WHERE message = 1": "was not on the list of its plan",
    "UPDATE disposals SET state = 'planned'": "state",
    "UPDATE disposals SET digest = 'ab'": "digest",
    "UPDATE disposals SET expires_at = 7": "expires_at",
    "DELETE FROM disposals": "names a plan that is not there",
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firm]:
    """A firm that has disposed of what was due; tests put back what they change."""
    old = firm(tmp_path_factory.mktemp("disposed"))
    with ThreadPoolExecutor(1) as apart:
        apart.submit(asyncio.run, old.dispose()).result()
    yield old
    old.store.close()


@pytest.mark.parametrize("statement", LIES)
async def test_rows_about_what_is_gone_are_held_against_the_ledger(done: Firm, statement: str) -> None:
    """Any row of a plan, its list or of what went that was changed is found."""
    path = done.folder / "weighbridge.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        before = {one: db.execute(f"SELECT * FROM {one}").fetchall() for one in TABLES}
    hack(done, statement)
    try:
        assert LIES[statement] in await words(done)
    finally:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            for table, rows in before.items():
                db.execute(f"DELETE FROM {table}")
                db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)


TABLES = ("disposals", "disposal_list", "disposed")


async def test_names_that_went_without_approval_are_found(old: Firm) -> None:
    """Those of a pair that talks, and those that nobody agreed to let go."""
    await old.store.write(lambda tx: erase_pair(tx, 1, 7))
    found = await words(old)
    assert "pair/1 was disposed of: without the approval of 2 people" in found
    assert "pair/1 was disposed of: the two may still talk" in found
