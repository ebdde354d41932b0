"""Requests to be forgotten: every record is answered, what may go is disposed of, names go with the last."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from disposals import DAY, FIRST, PLANNER, SHORT, Firm, firm
from sqlalchemy import and_, func, select
from story import LI_LEI, passed, passed_text, ruled

from bridge.errors import Damaged, Missing
from bridge.message import Outcome, Retention
from bridge.policy import Source
from bridge.ports import Order, Placing, Ruling
from bridge.records.disposal import certificate
from bridge.records.erasure import ERASED, KEPT, LANGUAGES, Paired, Request, due, letter
from bridge.store import destruction, disposal, erasure, holds, views
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
        erasure.answer(tx, 0, number, told, found, [1])
        return number

    number = await old.store.write(job)
    return await old.store.read(lambda db: erasure.erasure(db, number))


async def carry_out(old: Firm, request: Request) -> tuple[int, int]:
    """Approve and run what the answer planned; gives of how many pairs the names are gone, and how many
    consents, as the certificate says."""
    number = request.disposal
    await old.approve(number)
    await old.steps(number)
    await old.store.write(lambda tx: erasure.conclude(tx, 0, number, PLANNER))
    await old.finish(number)
    done = (await read(old, request.number)).carried
    said = (await old.store.read(lambda db: disposal.disposal(db, number))).certified
    assert (said["pairs"], said["consents"]) == (done.pairs, done.consents)
    return done.pairs, done.consents


async def read(old: Firm, number: int) -> Request:
    """A request as it stands."""
    return await old.store.read(lambda db: erasure.erasure(db, number))


async def hold(old: Firm, query: str) -> None:
    """Somebody places a legal hold."""
    await old.store.write(lambda tx: holds.place(tx, 0, Placing("CASE-7", query, query, FIRST, "a letter")))


async def agree(old: Firm) -> None:
    """李雷 is asked, and agrees; what was said of it is due like all else."""
    story = old.story
    await old.store.own("daemon")
    for message, verdict in (
        (story.says("may I?"), replace(ruled(Outcome.HOLD, "may I?"), gated=True, ask={"en": "Agreed?"})),
        (story.answers("同意"), replace(passed_text("同意"), agreed=("cards",))),
        (story.answers("同意!"), replace(passed_text("同意!"), agreed=("cards",))),
    ):
        await story.archive(message)
        for one in await old.store.unjudged(9):
            await old.store.record_rulings([Ruling(one, replace(verdict, retention=(SHORT,)), "")])
        await story.deliver()
        for one in await old.store.unjudged(9):
            await old.store.record_rulings([Ruling(one, replace(passed(one), retention=(SHORT,)), "")])
        await story.deliver()


async def consents_in(old: Firm) -> list[tuple[bytes, bytes | None]]:
    """All that 李雷 was asked and agreed to, with what is left beside it."""
    le, c = s.ledger.c, s.content.c
    beside = s.ledger.outerjoin(s.content, and_(c.lane == le.lane, c.seq == le.seq))
    rows = await old.store.read(lambda db: db.execute(select(le.entry, c.body).select_from(beside)).all())
    return [(bytes(entry), body) for entry, body in rows if b'"kind":"consent:' in entry]


def letters(request: Request) -> list[str]:
    """What 李雷 is told, in every language."""
    return ["\n".join(letter(request, one, sender="Example Bank", at=request.at)) for one in LANGUAGES]


NOTHING = ("We have no record", "没有您的记录", "沒有您的紀錄")


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


HOLD = b"""\
legal_holds:
  - { id: matter-3, people: ["tag:probe"], approved_by: carol@bank.example }
"""


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
    """A pair that talks, or of which a record is kept, keeps its names; the answer says why."""
    one = await ask(old)
    assert one.pairs == (Paired(1, KEPT, ("the two may talk", "records of them are left")),)
    assert await carry_out(old, one) == (0, 0)
    await old.store.end_pair(1, FIRST, "left the bank")
    two = await ask(old)
    assert (two.pairs, two.disposal) == ((Paired(1, KEPT, ("records of them are left",)),), 0)
    assert len(await old.store.read(lambda db: views.pairs(db, ended=True))) == 1


async def test_names_go_with_the_last_record(old: Firm) -> None:
    """Once no record of an ended pair is left, nobody finds the names in any file, nor what was agreed
    to; both are counted in plan, answer and certificate. The record verifies, with the master key and
    without."""
    await agree(old)
    old.story.clock.at += 8 * 366 * DAY
    await old.store.write(lambda tx: beat(tx, 0, "weixin", tx.now, 0))
    await old.store.end_pair(1, FIRST, "left the bank")
    with closing(sqlite3.connect(old.folder / "weighbridge.db")) as db:
        body = db.execute("SELECT body FROM pairs").fetchone()[0]
    one = await ask(old)
    assert (one.pairs, one.consents) == ((Paired(1, ERASED),), {ERASED: 1, KEPT: 0})
    counts = (await old.store.read(lambda db: disposal.disposal(db, one.disposal))).counts
    assert (counts.names, counts.consents) == (1, 1)
    assert await carry_out(old, one) == (1, 1)
    left = [entry for entry, body in await consents_in(old) if body is not None]
    assert left == [], "also what a later answer took the place of"
    done = await read(old, one.number)
    assert "ids of 1 conversation, with 1 consent (disposal 1)" in letters(done)[0]
    assert await old.store.read(lambda db: views.pairs(db, ended=True)) == []
    for path, data in old.files():
        for part in (body, b"wkWealth", b"room-li-lei", "李雷".encode()):
            assert part not in data, path
    assert await old.findings() == []
    assert await old.findings(sealed=True) == []
    directory = Directory()
    await old.store.read(directory.refresh)
    assert directory.route(1, "weixin") is None


async def everything_is_gone_but_the_names(old: Firm) -> None:
    """All records went when their time was over; the pair has ended since."""
    await agree(old)
    old.story.clock.at += 8 * 366 * DAY
    await old.store.write(lambda tx: beat(tx, 0, "weixin", tx.now, 0))
    await old.dispose()
    await old.store.end_pair(1, FIRST, "left the bank")


@pytest.mark.parametrize(
    "query", ["with:李雷", "with:=wmLiLei price", "in:room-li-lei", "to:alice.wong@bank.example"]
)
async def test_a_hold_on_either_keeps_the_names_of_a_pair(old: Firm, query: str) -> None:
    """And what the client agreed to, though no record of them is left: asked when it is answered, and again
    when it is carried out. The letter says that there is something, and not why it stays."""
    await everything_is_gone_but_the_names(old)
    free = await ask(old)
    assert free.pairs == (Paired(1, ERASED),)
    await hold(old, query)
    kept = await ask(old)
    assert (kept.pairs, kept.disposal) == ((Paired(1, KEPT, ("hold CASE-7",)),), 0)
    assert kept.consents == {ERASED: 0, KEPT: 1}
    assert await carry_out(old, free) == (0, 0)
    assert len(await old.store.read(lambda db: views.pairs(db, ended=True))) == 1
    plain = "\n".join(certificate(await old.store.read(lambda db: disposal.disposal(db, free.disposal))))
    assert "Nothing was destroyed" in plain
    talking = replace(kept, pairs=(Paired(1, KEPT, ("the two may talk",)),))
    assert letters(kept) == letters(talking)
    for told, nothing in zip(letters(kept), NOTHING, strict=True):
        assert nothing not in told
    assert await old.findings() == []


async def test_a_hold_on_words_keeps_no_names(old: Firm) -> None:
    """One that names neither of the two, nor their chat, is about records; of which none is left."""
    await everything_is_gone_but_the_names(old)
    await hold(old, "price -from:alice")
    one = await ask(old)
    assert one.pairs == (Paired(1, ERASED),)
    assert await carry_out(old, one) == (1, 1)
    said = await old.store.read(lambda db: disposal.disposal(db, one.disposal))
    text = "\n".join(certificate(said))
    assert "Names destroyed     of ended pairs: 1 (consents with them: 1)" in text
    assert "Nothing was destroyed" not in text
    for told, nothing in zip(letters(await read(old, one.number)), NOTHING, strict=True):
        assert nothing not in told
    assert await old.findings() == []


async def test_the_auditor_sees_names_that_went_unasked_or_uncounted(
    old: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold stood that the entry does not name as asked; a certificate says nothing of the names."""
    await everything_is_gone_but_the_names(old)
    await hold(old, "price")
    one = await ask(old)
    await old.approve(one.disposal)
    await old.steps(one.disposal)
    monkeypatch.setattr(destruction, "asked", lambda db: {"holds": [], "policies": []})
    await old.store.write(lambda tx: erasure.erase_pairs(tx, one.number))
    monkeypatch.undo()
    await old.finish(one.disposal)
    said = [finding.meaning for finding in await old.findings()]
    assert any("without asking the legal holds" in one for one in said)
    assert any("counts other names than those that are gone" in one for one in said)
    assert len(said) == 2


async def test_a_policy_holds_by_the_names_of_a_pair(old: Firm) -> None:
    """What was written while nobody had paired him stays held by a label that the pair alone says, and the
    pair stays with it: nothing of it is planned."""
    await old.store.own("daemon")
    await old.store.end_pair(1, FIRST, "left the bank")
    tagged = replace(LI_LEI, tags=frozenset({"probe"}))
    two = await old.story.pair("another room", tagged)
    await old.store.end_pair(two, FIRST, "left as well")
    source = Source("hk-equities.yaml", SOURCE.data.replace(b"retention:", HOLD + b"retention:"))
    await old.store.activate_policy([("hk-equities", source.hash)], FIRST, "a complaint", [source])
    await old.story.archive(old.story.answers("the tip was from him"))
    for one in await old.store.unjudged(9):
        await old.store.record_rulings([Ruling(one, replace(passed(one), retention=(SHORT,)), "")])
    names = await old.store.read(lambda db: erasure.answer_pairs(db, [1, two], (), holds.standing_holds(db)))
    assert {one.outcome for one in names.pairs} == {KEPT}
    assert all("hold hk-equities/matter-3" in one.reasons for one in names.pairs)


async def test_what_a_client_wrote_unpaired_keeps_the_names(old: Firm) -> None:
    """Also when it came after the answer: nobody would know any more who that was."""
    await everything_is_gone_but_the_names(old)
    one = await ask(old)
    await old.story.archive(old.story.answers("are you there?"))
    assert await carry_out(old, one) == (0, 0)
    assert len(await old.store.read(lambda db: views.pairs(db, ended=True))) == 1


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
