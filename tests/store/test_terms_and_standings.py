"""How long records live, in the tables and in the ledger; what keeps them, and what lengthens their terms."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from rig import LANGUAGES, START, Hands, judge, message

from bridge import desk, pipeline
from bridge.errors import ConfigError
from bridge.message import SYMPHONY, WEIXIN, Archived, Kind, Message, Retention, Verdict
from bridge.ports import Order, Step
from bridge.records.terms import Term, end
from bridge.store import kept as kept_rows
from bridge.store import terms
from bridge.store.holds import Holds, standing_holds
from bridge.store.verify import verify

SEVEN = Retention("hk-equities/records", "7y", worm=True, first="2y")
SWAP = Retention("otc/swaps", "5y", "deal-termination")
YEAR = 366 * 86_400_000
WHO = {"person": "carol", "reason": "CASE-7", "query": "swap"}


async def say(hands: Hands, *messages: Message, keep: tuple[Retention, ...] = (SEVEN,)) -> None:
    """Archive, and judge with these classes."""

    def judging(archived: Archived, now: datetime) -> Verdict:
        return replace(judge(archived, now), retention=keep)

    await hands.archive(*messages)
    rulings = pipeline.decide(await hands.store.unjudged(100), judging, hands.clock.now(), LANGUAGES)
    await hands.store.record_rulings(rulings)


async def kept(hands: Hands, *numbers: int, later: int = 0) -> list[tuple[str, ...]]:
    """What keeps these messages, so many milliseconds from now."""
    now = hands.clock.now() + later
    found = await hands.store.read(lambda db: terms.standings(db, numbers, now, Holds(())))
    return [one.kept for one in found]


async def sound(hands: Hands) -> list[str]:
    """What verification finds."""
    found: list[str] = []
    await hands.store.read(lambda db: verify(db, Path("blobs"), lambda one: found.append(str(one))))
    return found


async def test_a_term_is_written_with_its_verdict(hands: Hands) -> None:
    """Row and entry say the class and the end; a notice has no term of its own."""
    await say(hands, message(SYMPHONY, 1), message(WEIXIN, 2, "BLOCK"))
    until = end(START, "7y")
    assert await hands.rows("SELECT message, key, start, until FROM terms ORDER BY message") == [
        (1, "hk-equities/records", "creation", until),
        (2, "hk-equities/records", "creation", until),
    ]
    (first, *_) = await hands.entries("message:judged")
    assert (first.facts["kept"], first.facts["until"]) == ("hk-equities/records", until)
    assert await sound(hands) == []


async def test_remarks_and_what_was_taken_back_have_terms_too(hands: Hands) -> None:
    """A join, a recall, and the message that nobody had judged yet: all are records."""
    await hands.archive(message(WEIXIN, 1, "WAIT"))
    await say(hands, message(SYMPHONY, 2, "", kind=Kind.NOTE))
    await say(hands, message(WEIXIN, 3, "behind"), message(WEIXIN, 4, "", kind=Kind.RECALL, refers_to="3"))
    rows = await hands.rows("SELECT message FROM terms ORDER BY message")
    own = await hands.rows("SELECT id FROM messages WHERE notice_for IS NULL ORDER BY id")
    assert rows == own
    assert await sound(hands) == []


async def test_what_keeps_a_record(hands: Hands) -> None:
    """Its term, an open delivery, a decision to come; after all that, nothing. Its notice goes with it, sent
    or not, and is left alone while it is being sent."""
    await say(hands, message(SYMPHONY, 1), message(SYMPHONY, 2, "HOLD"), message(SYMPHONY, 3, "BLOCK"))
    until = "retention until 2033-01-06"
    assert await kept(hands, 1, 2, 3) == [
        (until, "delivery open"),
        ("undecided", until),
        (until,),
    ]
    notices = await hands.claim(SYMPHONY)
    assert await kept(hands, 2, 3) == [("undecided", until, "delivery open"), (until, "delivery open")]
    for claim in notices:
        await hands.end(claim, Step.GIVE_BACK)
    await hands.send(WEIXIN)
    await hands.send(SYMPHONY)
    assert await kept(hands, 1, 2, 3, later=8 * YEAR) == [(), ("undecided",), ()]
    ((notice,),) = await hands.rows("SELECT id FROM messages WHERE notice_for = 3")
    (one,) = await hands.store.read(lambda db: terms.standings(db, [notice], START, Holds(())))
    assert (one.number, one.because, one.kept) == (notice, "hk-equities/records", (until,))


async def test_without_a_class_a_record_stays(hands: Hands) -> None:
    """No policy said how long: nobody knows that it may go."""
    await say(hands, message(SYMPHONY, 1), keep=())
    await hands.send(WEIXIN)
    assert await kept(hands, 1, later=99 * YEAR) == [("no class of retention",)]


@pytest.mark.parametrize(("first", "second"), [((SEVEN,), ()), ((), (SEVEN,))])
async def test_what_is_joined_stays_with_what_has_no_class(
    hands: Hands, first: tuple[Retention, ...], second: tuple[Retention, ...]
) -> None:
    """An original whose edit has no end has none either, and the other way round; so with a recall."""
    await say(hands, message(SYMPHONY, 1), message(SYMPHONY, 3), keep=first)
    await say(hands, message(SYMPHONY, 2, "edited", replaces="1"), keep=second)
    await say(hands, message(SYMPHONY, 4, "", kind=Kind.RECALL, refers_to="3"), keep=second)
    await hands.send(WEIXIN)
    standings = await hands.store.read(
        lambda db: terms.standings(db, [1, 2, 3, 4], START + 99 * YEAR, Holds(()))
    )
    assert ["no class of retention" in one.kept for one in standings] == [True] * 4
    assert [one.last.until for one in standings] == [None] * 4


async def test_the_longest_of_what_is_joined_is_known(hands: Hands) -> None:
    """Each has an end of its own, and the one that keeps all of them is named with it."""
    short = Retention("cards/short", "30d")
    await say(hands, message(SYMPHONY, 1), keep=(short,))
    await say(hands, message(SYMPHONY, 2, "edited", replaces="1"), keep=(SEVEN,))
    first, second = await hands.store.read(lambda db: terms.standings(db, [1, 2], START, Holds(())))
    assert (first.until, first.because) == (end(START, "30d"), short.key)
    assert first.last == second.last == (2, end(START, "7y"), SEVEN.key)


async def test_a_row_that_was_shortened_keeps_its_record(hands: Hands) -> None:
    """The term is believed only as far as the ledger says the same."""
    await say(hands, message(SYMPHONY, 1))
    await hands.send(WEIXIN)
    await hands.store.write(lambda tx: tx.db.exec_driver_sql("UPDATE terms SET until = 1"))
    assert await kept(hands, 1) == [("its term is not what the ledger says",)]
    assert any("terms" in one for one in await sound(hands))


async def test_a_later_verdict_only_lengthens(hands: Hands) -> None:
    """A release says nothing of terms and changes none; judged again by a shorter class, the longer stays."""
    await say(hands, message(SYMPHONY, 1, "HOLD"))
    await desk.release(hands.store, 1, "bob", "fine")
    assert await hands.rows("SELECT until FROM terms") == [(end(START, "7y"),)]
    for keep, until in (("1y", end(START, "7y")), ("9y", end(START, "9y"))):
        found = Term("a/b", "creation", end(START, keep))
        row = kept_rows.row_of(1, 3, kept_rows.facts_of(found))
        await hands.store.write(lambda tx, row=row: kept_rows.WRITE_TERM.one(tx.db, row))
        assert await hands.rows("SELECT until FROM terms") == [(until,)]


async def test_an_event_starts_the_period(hands: Hands) -> None:
    """Before it nothing ends; then so long after it; said again with a later day later, never sooner."""
    await say(hands, message(SYMPHONY, 1), message(SYMPHONY, 2), keep=(SWAP, SEVEN))
    await hands.send(WEIXIN)
    assert await kept(hands, 1, later=99 * YEAR) == [("retention: deal-termination has not happened",)]
    sold = START + 3 * YEAR
    order = Order(**WHO, event="deal-termination", at=sold)
    assert await desk.lengthen(hands.store, order, [1]) == 1
    assert await desk.lengthen(hands.store, order, [1]) == 0
    assert await desk.lengthen(hands.store, replace(order, at=START), [1]) == 0
    assert await desk.lengthen(hands.store, replace(order, at=sold + YEAR), [1]) == 1
    assert await hands.rows("SELECT message, until FROM terms ORDER BY message") == [
        (1, end(sold + YEAR, "5y")),
        (2, None),
    ]
    assert await sound(hands) == []


async def test_an_extension_holds_for_a_set_of_records(hands: Hands) -> None:
    """Five years become seven; what waits for an event keeps that floor; what has no class gets no end."""
    five = replace(SEVEN, keep="5y")
    await say(hands, message(SYMPHONY, 1), keep=(five,))
    await say(hands, message(SYMPHONY, 2), keep=(SWAP,))
    await say(hands, message(SYMPHONY, 3), keep=())
    assert await desk.lengthen(hands.store, Order(**WHO, keep="7y"), [1, 2, 3]) == 2
    assert await desk.lengthen(hands.store, Order(**WHO, keep="6y"), [1, 2, 3]) == 0
    await desk.lengthen(hands.store, Order(**WHO, event="deal-termination", at=START), [2])
    rows = await hands.rows("SELECT message, until FROM terms ORDER BY message")
    assert rows == [(1, end(START, "7y")), (2, end(START, "7y"))]
    assert await sound(hands) == []


async def test_an_order_says_one_thing(hands: Hands) -> None:
    """Neither nothing nor two things at once."""
    for order in (Order(**WHO), Order(**WHO, keep="7y", until=1)):
        with pytest.raises(ConfigError):
            await desk.lengthen(hands.store, order, [1])


async def test_classes_are_counted(hands: Hands) -> None:
    """By class: records, those that wait for an event, those whose term is over; and those without any."""
    await say(hands, message(SYMPHONY, 1), message(SYMPHONY, 2))
    await say(hands, message(SYMPHONY, 3), keep=(SWAP,))
    await say(hands, message(SYMPHONY, 4), keep=())
    found = await hands.store.read(lambda db: terms.counts(db, START + 8 * YEAR))
    assert [(one.key, one.records, one.waiting, one.due) for one in found] == [
        ("hk-equities/records", 2, 0, 2),
        ("otc/swaps", 1, 1, 0),
        ("", 1, 0, 0),
    ]


async def test_names_of_any_script(hands: Hands) -> None:
    """The ledger takes ASCII; a policy may be named in Chinese."""
    await say(hands, message(SYMPHONY, 1), keep=(replace(SEVEN, key="港股/记录"),))
    (one,) = await hands.store.read(lambda db: terms.standings(db, [1], START, standing_holds(db)))
    assert one.because == "港股/记录"
    assert await sound(hands) == []
