"""A draw that nobody can choose, that anybody can repeat, and what a reviewer finds."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rig import LANGUAGES, Hands, judge, message

from bridge import desk, pipeline
from bridge.errors import ConfigError, Conflict
from bridge.ledger.tree import Frontier, leaf_hash
from bridge.message import SYMPHONY, Sample
from bridge.store import views
from bridge.store.samples import chosen

DAY = date(2026, 1, 5)  # that of the rig's clock
A_DAY = 86_400_000


async def deliver(hands: Hands, *samples: Sample, count: int = 8, first: int = 1) -> None:
    """So many messages of Alice's, eligible for `samples`."""
    await hands.archive(*(message(SYMPHONY, n) for n in range(first, first + count)))
    rulings = pipeline.decide(await hands.store.unjudged(99), judge, hands.clock.now(), LANGUAGES)
    await hands.store.record_rulings(
        [replace(one, verdict=replace(one.verdict, samples=samples)) for one in rulings]
    )


async def test_a_draw_can_be_repeated_from_the_record(hands: Hands) -> None:
    """Seed, choice and numbers follow from the ledger as the day left it, by the words of the manual."""
    await deliver(hands, Sample("desk/daily", "supervision", 30.0))
    hands.clock.forward(A_DAY)
    await deliver(hands, Sample("desk/daily", "supervision", 30.0), first=20)
    drawn = await desk.draw(hands.store, DAY, "carol", "daily supervision")
    (entry,) = await hands.entries("sample:drawn")
    assert (entry.facts["day"], entry.facts["drawn"], entry.facts["eligible"]) == (DAY.isoformat(), drawn, 8)
    frontier = Frontier()
    for (leaf,) in await hands.rows(
        f"SELECT entry FROM ledger WHERE seq < {entry.facts['size']} ORDER BY seq"
    ):
        frontier.append(leaf_hash(leaf))
    seed = frontier.root()
    assert entry.facts["seed"] == seed.hex()
    by_hash = sorted(range(1, 9), key=lambda n: hashlib.sha256(seed + b"desk/daily\x00%d" % n).digest())
    assert drawn == sorted(by_hash[:3])  # 30 percent of 8, rounded up


async def test_the_seed_is_of_the_days_end(hands: Hands) -> None:
    """What was recorded after midnight does not move the choice."""
    await deliver(hands, Sample("desk/daily", "supervision", 50.0))
    size = (await hands.rows("SELECT size FROM lanes"))[0][0]
    hands.clock.forward(A_DAY)
    await deliver(hands, first=20, count=3)
    await desk.draw(hands.store, DAY, "carol", "daily")
    (entry,) = await hands.entries("sample:drawn")
    assert entry.facts["size"] == size


async def test_a_day_is_drawn_when_it_is_over_and_once(hands: Hands) -> None:
    """Before midnight (UTC) nothing is drawn, and nobody draws until he likes the result."""
    await deliver(hands, Sample("desk/daily", "supervision", 50.0))
    with pytest.raises(Conflict, match="not over yet"):
        await desk.draw(hands.store, DAY, "carol", "daily")
    hands.clock.forward(A_DAY)
    await desk.draw(hands.store, DAY, "carol", "daily")
    with pytest.raises(Conflict, match="drawn already"):
        await desk.draw(hands.store, DAY, "carol", "again")
    assert len(await hands.entries("sample:drawn")) == 1


async def test_a_day_without_eligible_messages_is_drawn_too(hands: Hands) -> None:
    """That there was nothing is a fact as well."""
    hands.clock.forward(A_DAY)
    assert await desk.draw(hands.store, DAY, "carol", "daily") == []
    assert [one.facts["eligible"] for one in await hands.entries("sample:drawn")] == [0]


async def test_each_rule_draws_for_itself(hands: Hands) -> None:
    """All of one rule's, a part of another's; a message drawn twice is reviewed once."""
    whole, part = Sample("desk/all", "a", 100.0), Sample("desk/part", "b", 0.5)
    await deliver(hands, whole, part)
    hands.clock.forward(A_DAY)
    assert await desk.draw(hands.store, DAY, "carol", "daily") == list(range(1, 9))
    states = await hands.rows("SELECT key, state, count(*) FROM samples GROUP BY 1, 2 ORDER BY 1, 2")
    assert states == [("desk/all", "drawn", 8), ("desk/part", "drawn", 1), ("desk/part", "spared", 7)]


async def test_a_rule_that_was_changed_during_the_day_draws_by_the_higher_percentage(hands: Hands) -> None:
    """Whatever it was changed to in between, no message of the day falls out of the draw."""
    await deliver(hands, Sample("desk/daily", "supervision", 50.0), count=4)
    await deliver(hands, Sample("desk/daily", "supervision", 5.0), count=4, first=20)
    hands.clock.forward(A_DAY)
    assert len(await desk.draw(hands.store, DAY, "carol", "daily")) == 4
    states = await hands.rows("SELECT state, count(*) FROM samples GROUP BY 1 ORDER BY 1")
    assert states == [("drawn", 4), ("spared", 4)]


async def test_a_drawn_message_is_listed_until_it_is_closed(hands: Hands) -> None:
    """With rule and queue; closed with a finding, once, by a person."""
    await deliver(hands, Sample("desk/all", "supervision", 100.0), count=2)
    hands.clock.forward(A_DAY)
    await desk.draw(hands.store, DAY, "carol", "daily")
    listed = await hands.store.read(views.sampled)
    assert [(one["message"], one["rule"], one["queue"]) for one in listed] == [
        (1, "desk/all", "supervision"),
        (2, "desk/all", "supervision"),
    ]
    await desk.close(hands.store, 1, "carol", "nothing to object to")
    assert [one["message"] for one in await hands.store.read(views.sampled)] == [2]
    assert [one.subject for one in await hands.entries("sample:closed")] == ["message/1"]
    for number in (1, 99):
        with pytest.raises(Conflict, match="not drawn for review"):
            await desk.close(hands.store, number, "carol", "again")
    with pytest.raises(ConfigError):
        await desk.close(hands.store, 2, "carol", "  ")


@given(
    st.binary(min_size=32, max_size=32),
    st.sets(st.integers(1, 10**9), max_size=60),
    st.integers(1, 100_000).map(lambda thousandths: f"{thousandths / 1000:g}"),
)
def test_a_choice_has_its_size_and_no_order(seed: bytes, numbers: set[int], percent: str) -> None:
    """The percentage, rounded up; the same whatever order the numbers come in."""
    drawn = chosen(seed, "desk/daily", percent, numbers)
    assert len(drawn) == ceil(len(numbers) * Fraction(percent) / 100)
    assert set(drawn) <= numbers
    assert drawn == chosen(seed, "desk/daily", percent, sorted(numbers, reverse=True))
