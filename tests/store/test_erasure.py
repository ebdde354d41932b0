"""Requests to be forgotten: every record is answered, what may go is disposed of, names go with the last."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from disposals import DAY, FIRST, PLANNER, Firm, firm
from sqlalchemy import func, select
from story import passed

from bridge.errors import Damaged, Missing
from bridge.message import Retention
from bridge.policy import Source
from bridge.ports import Order, Placing, Ruling
from bridge.records.erasure import ERASED, KEPT, Request, due
from bridge.store import disposal, erasure, holds, views
from bridge.store import schema as s
from bridge.store.directory import Directory
from bridge.store.heartbeats import beat
from bridge.store.writer import Tx


@pytest.fixture
async def old(tmp_path: Path) -> AsyncIterator[Firm]:
    """A firm a half of whose records is due."""
    one = firm(tmp_path)
    yield one
    one.store.close()


async def ask(old: Firm, numbers: Sequence[int] = ()) -> Request:
    """李雷 asks, and is answered for these records, or for all that are there."""
    wanted = Request(0, "李雷", "gdpr", PLANNER, "a letter", 0, 0, "with:李雷")

    def job(tx: Tx) -> int:
        number = erasure.request(tx, 0, wanted)
        tx.flush()
        told, found = erasure.answers(tx.db, numbers or disposal.candidates(tx.db, tx.now), tx.now)
        erasure.answer(tx, 0, number, told, found, erasure.ended_pairs(tx.db, [1]))
        return number

    number = await old.store.write(job)
    return await old.store.read(lambda db: erasure.erasure(db, number))


async def carry_out(old: Firm, request: Request) -> list[int]:
    """Approve and run what the answer planned; gives the pairs that were erased."""
    await old.approve(request.disposal)
    await old.steps(request.disposal)
    pairs = await old.store.write(lambda tx: erasure.erase_pairs(tx, request.number))
    await old.finish(request.disposal)
    return pairs


async def test_every_record_is_answered(old: Firm) -> None:
    """Erased, or kept until when because of which rule or hold; what may go is planned, nothing is gone."""
    placing = Placing("CASE-7", "id:1", "id:1", FIRST, "a letter")
    await old.store.write(lambda tx: holds.place(tx, 0, placing))
    one = await ask(old)
    assert (one.count(ERASED), one.count(KEPT), len(one.answers)) == (21, 21, 42)
    kept = {told.message: told for told in one.answers if told.outcome == KEPT}
    assert kept[1].reasons == ("hold CASE-7",)
    assert kept[3].because == "cards/long"
    assert kept[3].reasons[0].startswith("retention until 2033")
    assert one.due_at == due(one.at)
    assert one.about == "李雷"
    assert (await old.store.read(lambda db: disposal.disposal(db, one.disposal))).erasure == one.number
    assert await old.store.read(lambda db: db.exec_driver_sql("SELECT * FROM disposed").all()) == []
    assert await old.findings() == []


MIFID = Retention("hk-equities/eu-mifid2-16-7", "5y")
SOURCE = Source(
    "hk-equities.yaml",
    b"""\
policy: hk-equities
language: 1
title: t
owner: compliance-hk@bank.example
retention:
  - { preset: eu-mifid2-16-7 }
""",
)


async def test_a_law_is_named_where_a_preset_gave_the_period(old: Firm) -> None:
    """And nowhere else: not for the firm's own class, and not for what an order made longer."""
    await old.store.own("daemon")
    await old.store.activate_policy([("hk-equities", SOURCE.hash)], FIRST, "first", [SOURCE])
    await old.story.archive(old.story.says("by law"), old.story.says("by law and order"))
    for one in await old.store.unjudged(9):
        verdict = replace(passed(one), retention=(MIFID,), policies=(("hk-equities", SOURCE.hash),))
        await old.store.record_rulings([Ruling(one, verdict, "")])
    numbers = await old.store.read(lambda db: list(db.scalars(select(func.max(s.terms.c.message)))))
    longer = Order(FIRST, "asked by the authority", "id", keep="9y")
    await old.store.lengthen(longer, numbers)
    told = {answer.message: answer for answer in (await ask(old, [*range(1, numbers[0] + 1)])).answers}
    law, order = numbers[0] - 1, numbers[0]
    assert told[law].rule == "MiFID II article 16(7)"
    assert (told[order].because, told[order].rule) == (MIFID.key, "")
    assert (told[3].because, told[3].rule) == ("cards/long", "")


async def test_a_request_says_how_far_its_erasure_is(old: Firm) -> None:
    """Planned until a day; given up; carried out, with what stayed because of a hold since."""
    one = await ask(old)
    assert one.carried.will_go_on(old.story.clock.at)
    await old.store.write(lambda tx: disposal.withdraw(tx, 0, one.disposal, PLANNER, "wrong"))
    given_up = await old.store.read(lambda db: erasure.erasure(db, one.number))
    assert not given_up.carried.will_go_on(old.story.clock.at)
    two = await ask(old)
    placing = Placing("CASE-7", "id:1", "id:1", FIRST, "a letter")
    await old.store.write(lambda tx: holds.place(tx, 0, placing))
    before = old.story.clock.at
    await carry_out(old, two)
    done = (await old.store.read(lambda db: erasure.erasure(db, two.number))).carried
    assert (done.gone, done.over) == (two.count(ERASED) - 1, True)
    assert before < done.at <= old.story.clock.at


async def test_names_stay_while_a_record_needs_them(old: Firm) -> None:
    """A pair that talks, or of which a record is kept, keeps its names."""
    one = await ask(old)
    assert one.pairs == ()
    assert await carry_out(old, one) == []
    await old.store.end_pair(1, FIRST, "left the bank")
    two = await ask(old)
    assert (two.pairs, two.count(ERASED)) == ((1,), 0)
    assert await carry_out(old, two) == []
    assert len(await old.store.read(lambda db: views.pairs(db, ended=True))) == 1


async def test_names_go_with_the_last_record(old: Firm) -> None:
    """Once no record of a pair is left that has ended, nobody finds the names in any file; the record
    verifies, with the master key and without."""
    old.story.clock.at += 8 * 366 * DAY
    await old.store.write(lambda tx: beat(tx, 0, "weixin", tx.now, 0))
    await old.store.end_pair(1, FIRST, "left the bank")
    with closing(sqlite3.connect(old.folder / "weighbridge.db")) as db:
        body = db.execute("SELECT body FROM pairs").fetchone()[0]
    one = await ask(old)
    assert await carry_out(old, one) == [1]
    assert await old.store.read(lambda db: views.pairs(db, ended=True)) == []
    for path, data in old.files():
        for part in (body, b"wkWealth", b"room-li-lei", "李雷".encode()):
            assert part not in data, path
    assert await old.findings() == []
    assert await old.findings(sealed=True) == []
    directory = Directory()
    await old.store.read(directory.refresh)
    assert directory.route(1, "weixin") is None


async def test_an_altered_entry_is_named(old: Firm) -> None:
    """Whoever reads a request learns which entry was changed, and what to run."""
    one = await ask(old)
    with closing(sqlite3.connect(old.folder / "weighbridge.db", isolation_level=None)) as db:
        db.execute("UPDATE ledger SET entry = substr(entry, 2)")
    with pytest.raises(Damaged, match=r"entry \d+ of lane 0 is not what was recorded: run"):
        await old.store.read(lambda db: erasure.erasure(db, one.number))


async def test_requests_are_listed(old: Firm) -> None:
    """The newest first; one that is not there is missing."""
    await ask(old)
    await ask(old)
    assert [one.number for one in await old.store.read(erasure.erasures)] == [2, 1]
    with pytest.raises(Missing):
        await old.store.read(lambda db: erasure.erasure(db, 9))
