"""Recorded verdicts, ready to be decided again: all of them, in order, or with the reason why not."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest
from rig import Hands, message, reword

from bridge import desk
from bridge.message import SYMPHONY, WEIXIN, Kind
from bridge.replay import Judgement
from bridge.store import recorded
from bridge.store.recorded import BY_PERSON, NO_POLICY, NOT_RECORDED, OURS, count, judgements


async def read(hands: Hands, **wanted: int) -> list[Judgement]:
    """What is given, and that it is as many as were announced."""
    found = await hands.store.read(lambda db: list(judgements(db, **wanted)))
    assert await hands.store.read(lambda db: count(db, **wanted)) == len(found)
    return found


async def test_every_verdict_is_given_with_what_it_is(hands: Hands) -> None:
    """People's decisions, our own words and remarks are named as what they are; nothing is left out."""
    await hands.say(message(SYMPHONY, 1, "HOLD"), message(SYMPHONY, 2, "entered", kind=Kind.NOTE))
    await desk.release(hands.store, 1, "carol", "fine")
    found = await read(hands)
    assert [(one.seq, one.skip) for one in found] == [
        (1, NO_POLICY),  # the rig's judge has no policies
        (3, OURS),
        (1, BY_PERSON),
        (4, OURS),
    ]


async def test_a_policys_verdict_has_its_context(hands: Hands) -> None:
    """Message, verdict, clock and context are those that were judged."""
    await hands.archive(message(WEIXIN, 1, "你好"), message(WEIXIN, 2, "在吗"))
    await _judged(hands)
    first, second = await read(hands)
    assert (first.skip, first.gone, second.now) == ("", "", hands.clock.now())
    assert second.message.text == second.verdict.text == "在吗"
    assert second.context is not None and second.context.route is not None
    assert [one.text for one in second.context.earlier] == ["你好"]


async def _judged(hands: Hands) -> None:
    from dataclasses import replace

    from rig import LANGUAGES, judge

    from bridge import pipeline

    waiting = await hands.store.unjudged(9, (1, 0))
    rulings = pipeline.decide(waiting, judge, hands.clock.now(), LANGUAGES)
    await hands.store.record_rulings(
        [replace(one, verdict=replace(one.verdict, policies=(("desk", "5f" * 32),))) for one in rulings]
    )


async def test_a_part_is_given_when_asked_for(hands: Hands) -> None:
    """Those since a time, or on one message."""
    await hands.say(message(SYMPHONY, 1))
    later = hands.clock.now() + 60_000
    hands.clock.forward(60_000)
    await hands.say(message(SYMPHONY, 2))
    assert [one.seq for one in await read(hands, since=later)] == [2]
    assert [one.seq for one in await read(hands, number=1)] == [1]
    assert await read(hands, number=1, since=later) == []


async def test_what_is_not_recorded_is_said(hands: Hands) -> None:
    """A body from before this was kept, and one whose pair is gone."""
    await hands.archive(message(WEIXIN, 1), message(WEIXIN, 2))
    await _judged(hands)

    def spoil(tx: object) -> None:
        first, second = tx.db.exec_driver_sql("SELECT entry FROM verdicts ORDER BY id").scalars()
        reword(tx.db, first, lambda body: changed(body, lambda said: said.pop("known")))
        reword(tx.db, second, lambda body: changed(body, lambda said: said["known"].update(pair=77)))

    def changed(data: bytes, change: Callable[[dict], object]) -> bytes:
        body = orjson.loads(data)
        change(body)
        return orjson.dumps(body)

    await hands.store.write(spoil)
    assert [one.gone for one in await read(hands)] == [NOT_RECORDED, "pair 77 is not in the store"]


async def test_chunks_meet_without_a_gap(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in chunks of any size, each verdict is given once."""
    await hands.say(*(message(SYMPHONY, n) for n in range(1, 8)))
    whole = [one.id for one in await read(hands)]
    monkeypatch.setattr(recorded, "CHUNK", 3)
    assert [one.id for one in await read(hands)] == whole == list(range(1, 8))
