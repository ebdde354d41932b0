"""Holds that nobody decided in time: once escalated or blocked, never released, and both recorded."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rig import LANGUAGES, Hands, judge, message
from sqlalchemy import text

from bridge import desk, pipeline, words
from bridge.errors import Conflict, StoreError
from bridge.message import SYMPHONY, WEIXIN
from bridge.ports import Late
from bridge.store import deadlines, views

QUARTER = 900_000
BOB = "bob.li@bank.example"


async def hold(hands: Hands, number: int, if_late: str, within: int = QUARTER) -> None:
    """Alice writes something that is held, to be decided `within` milliseconds."""
    await hands.archive(message(SYMPHONY, number, f"HOLD {number}"))
    (ruling,) = pipeline.decide(await hands.store.unjudged(9), judge, hands.clock.now(), LANGUAGES)
    limits = {"queue": "control-room", "decide_within": within, "if_late": if_late, "notify": (BOB,)}
    verdict = replace(ruling.verdict, **limits)  # type: ignore[arg-type]
    await hands.store.record_rulings([replace(ruling, verdict=verdict, notice="")])


async def test_nothing_happens_before_its_time(hands: Hands) -> None:
    """To the millisecond; and never to a hold without a limit."""
    await hold(hands, 1, "escalate")
    await hold(hands, 2, "", within=0)
    hands.clock.forward(QUARTER - 1)
    assert await hands.store.settle_late() == ()
    hands.clock.forward(1)
    assert [one.message_seq for one in await hands.store.settle_late()] == [1]


async def test_a_late_hold_is_escalated_once_and_stays_held(hands: Hands) -> None:
    """An entry, whoever the rules name is told without a word of the text, and it can still be decided."""
    await hold(hands, 1, "escalate")
    hands.clock.forward(QUARTER)
    due = hands.clock.now()
    hands.clock.forward(QUARTER)
    assert await hands.store.settle_late() == [Late(1, "control-room", expired=False)]
    assert await hands.store.settle_late() == ()
    hands.clock.forward(10 * QUARTER)
    assert await hands.store.settle_late() == ()
    assert await hands.states("reviews") == {1: "open"}
    depths = await hands.store.read(views.depths)
    assert (depths.held, depths.late, depths.late_since) == (1, 1, due)
    assert [one.facts for one in await hands.entries("hold:escalated")] == [{"message": 1}]
    told = await hands.send(SYMPHONY)
    assert told[-1] == words.staff("late", "en", 1, queue="control-room")
    await desk.release(hands.store, 1, "carol", "late, but fine")
    assert len(await hands.send(WEIXIN)) == 1


async def test_a_late_hold_is_blocked_where_the_policy_says_so(hands: Hands) -> None:
    """It goes nowhere, for good; its sender is told; nobody can release it any more."""
    await hold(hands, 1, "block")
    hands.clock.forward(QUARTER)
    assert await hands.store.settle_late() == [Late(1, "control-room", expired=True)]
    assert await hands.states("reviews") == {1: "expired"}
    assert (await hands.states("messages"))[1] == "blocked"
    assert await hands.send(WEIXIN) == []
    assert words.say("expired", "en") in await hands.send(SYMPHONY)
    assert [one.kind for one in await hands.entries("hold:expired")] == ["hold:expired"]
    with pytest.raises(Conflict):
        await desk.release(hands.store, 1, "carol", "too late")


async def test_what_was_decided_in_time_is_not_late(hands: Hands) -> None:
    """A released hold has no deadline any more."""
    await hold(hands, 1, "block")
    await desk.release(hands.store, 1, "carol", "fine")
    hands.clock.forward(2 * QUARTER)
    assert await hands.store.settle_late() == ()


async def test_who_lost_the_lane_settles_nothing(hands: Hands) -> None:
    """A daemon whose lane was taken over blocks nothing."""
    await hold(hands, 1, "block")
    hands.clock.forward(QUARTER)
    hands.store.epoch -= 1
    with pytest.raises(StoreError, match="taken by another daemon"):
        await hands.store.settle_late()
    assert await hands.states("reviews") == {1: "open"}


async def spoil(hands: Hands, table: str, number: int) -> bytes:
    """Write over what is sealed of a message, or of its verdict; gives what was there."""
    key = "id" if table == "messages" else "message"
    where = f"WHERE seq = (SELECT entry FROM {table} WHERE {key} = {number})"
    ((whole,),) = await hands.rows(f"SELECT body FROM content {where}")
    await hands.store.write(
        lambda tx: tx.db.exec_driver_sql(f"UPDATE content SET body = salt {where}") and None
    )
    return bytes(whole)


@pytest.mark.parametrize("if_late", ["block", "escalate"])
async def test_a_late_hold_needs_no_words(hands: Hands, if_late: str) -> None:
    """What its sender wrote does not open any more: what its verdict said happens all the same."""
    await hold(hands, 1, if_late)
    await spoil(hands, "messages", 1)
    hands.clock.forward(QUARTER)
    late = await hands.store.settle_late()
    assert late == [Late(1, "control-room", expired=if_late == "block")]


async def test_whom_to_call_has_to_be_read(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    """An escalation whose verdict does not open is named, stops no other and no block, and is made up for
    when the verdict is put right."""
    monkeypatch.setattr(deadlines, "MANY", 1)
    for number, if_late in ((1, "escalate"), (2, "block"), (3, "escalate")):
        await hold(hands, number, if_late)
    first, second, third = (
        number for (number,) in await hands.rows("SELECT message FROM reviews ORDER BY 1")
    )
    whole = await spoil(hands, "verdicts", first)
    await spoil(hands, "verdicts", second)
    hands.clock.forward(QUARTER)
    told: list[int] = []
    late: list[int] = []
    while done := await hands.store.settle_late(told.append):
        late += [one.message_seq for one in done]
    assert (late, set(told)) == ([second, third], {first})
    heal = "UPDATE content SET body = :whole WHERE seq = (SELECT entry FROM verdicts WHERE message = 1)"
    await hands.store.write(lambda tx: tx.db.execute(text(heal), {"whole": whole}) and None)
    assert [one.message_seq for one in await hands.store.settle_late(told.append)] == [first]
    assert words.staff("late", "en", first, queue="control-room") in await hands.send(SYMPHONY)
