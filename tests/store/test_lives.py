"""What people are told of the life of records: one by one, and how many an order or a hold is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from rig import LANGUAGES, START, Hands, judge, message

from bridge import pipeline
from bridge.errors import Missing
from bridge.message import SYMPHONY, WEIXIN, Archived, Message, Retention, Verdict
from bridge.ports import Order
from bridge.records.terms import end
from bridge.store import documents, lives

SEVEN = Retention("hk-equities/records", "7y", worm=True, first="2y")
SWAP = Retention("otc/swaps", "5y", "deal-termination")
WHO = {"person": "carol", "reason": "CASE-7", "query": "swap"}


async def say(hands: Hands, *messages: Message, keep: tuple[Retention, ...]) -> None:
    """Archive, and judge with these classes."""

    def judging(archived: Archived, now: datetime) -> Verdict:
        return replace(judge(archived, now), retention=keep)

    await hands.archive(*messages)
    rulings = pipeline.decide(await hands.store.unjudged(100), judging, hands.clock.now(), LANGUAGES)
    await hands.store.record_rulings(rulings)


async def test_a_life_says_everything(hands: Hands) -> None:
    """Classes with their ends, what happened, what was ordered, where it must be readable."""
    await say(hands, message(SYMPHONY, 1), keep=(SWAP, SEVEN))
    await hands.store.lengthen(Order(**WHO, event="deal-termination", at=START), [1])
    await hands.store.lengthen(Order(**WHO, keep="9y"), [1])
    one = await hands.store.read(lambda db: lives.life(db, 1, START))
    assert [(claim.retention, claim.until) for claim in one.classes] == [
        (SWAP, end(START, "5y")),
        (SEVEN, end(START, "7y")),
    ]
    assert one.happened == {"deal-termination": START}
    assert one.extension == one.governing
    assert one.extension is not None
    assert (one.extension.until, one.extension.person) == (end(START, "9y"), WHO["person"])
    assert (one.standing.until, one.standing.because) == (end(START, "9y"), SEVEN.key)
    assert (one.readable_until, one.write_once, one.about) == (end(START, "2y"), True, 0)
    with pytest.raises(Missing):
        await hands.store.read(lambda db: lives.life(db, 99, START))


async def test_an_event_of_long_ago_counts_from_the_record(hands: Hands) -> None:
    """What is said of a class is what its record is kept by."""
    await say(hands, message(SYMPHONY, 1), keep=(SWAP,))
    await hands.store.lengthen(Order(**WHO, event="deal-termination", at=START - 400 * 86_400_000), [1])
    one = await hands.store.read(lambda db: lives.life(db, 1, START))
    assert [claim.until for claim in one.classes] == [one.standing.until] == [end(START, "5y")]


async def test_what_an_order_would_do_is_foreseen(hands: Hands) -> None:
    """How many live longer by it, how many long enough anyway, how many have no end; nothing changes."""
    await say(hands, message(SYMPHONY, 1), keep=(SEVEN,))
    await say(hands, message(SYMPHONY, 2), keep=(replace(SEVEN, keep="5y"),))
    await say(hands, message(SYMPHONY, 3), keep=())
    order = Order(**WHO, keep="6y")
    for _ in range(2):
        seen = await hands.store.read(lambda db: lives.foresee(db, order, [1, 2, 3]))
        assert seen == lives.Foreseen(records=3, longer=1, enough=1, endless=1)


async def test_what_a_search_found_is_counted(hands: Hands) -> None:
    """Messages, conversations, people, the first and the last, and those past their term."""
    await say(hands, message(SYMPHONY, 1), message(WEIXIN, 2, "BLOCK"), keep=(replace(SEVEN, keep="1y"),))
    hands.clock.forward(1000)
    await say(hands, message(WEIXIN, 3), keep=(SEVEN,))
    later = START + 2 * 366 * 86_400_000
    counts = await hands.store.read(
        lambda db: lives.reach(db, iter(documents.documents(db, [1, 2, 3, 4])), later).counts()
    )
    assert counts == {
        "messages": 4,
        "conversations": 2,
        "people": 2,
        "first_at": START,
        "last_at": START + 1000,
        "due": 2,
    }


async def test_the_records_of_a_class_are_counted(hands: Hands) -> None:
    """Those that it governs, whatever a policy says today; none where it governs none."""
    await say(hands, message(SYMPHONY, 1), message(SYMPHONY, 2), keep=(SEVEN,))
    found = await hands.store.read(lambda db: lives.governed(db, [SEVEN.key, SWAP.key]))
    assert found == {SEVEN.key: 2, SWAP.key: 0}
