"""Classes that people give to records which have none: by two people, for what was there, and no shorter."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import datetime

import pytest
from rig import LANGUAGES, START, Hands, judge, message
from store.test_terms_and_standings import sound

from bridge import pipeline
from bridge.errors import ConfigError, Conflict, Missing, NotAllowed
from bridge.message import SYMPHONY, WEIXIN, Archived, Message, Retention, Verdict
from bridge.ports import Order
from bridge.records.terms import end
from bridge.store import assigning, lives, terms
from bridge.store.holds import Holds

YEAR = 366 * 86_400_000
LONG = Retention("hk-equities/records", "9y")
OLD = assigning.Assignment("old", "", "2y", "alice.wong@bank.example", "from before there was a rule")


async def say(hands: Hands, *messages: Message, keep: tuple[Retention, ...] = ()) -> None:
    """Archive, judge with these classes, deliver."""

    def judging(archived: Archived, now: datetime) -> Verdict:
        return replace(judge(archived, now), retention=keep)

    await hands.archive(*messages)
    rulings = pipeline.decide(await hands.store.unjudged(100), judging, hands.clock.now(), LANGUAGES)
    await hands.store.record_rulings(rulings)
    await hands.send(WEIXIN)
    await hands.send(SYMPHONY)


async def propose(hands: Hands, wanted: assigning.Assignment = OLD, records: int = 1) -> None:
    """Somebody proposes it."""
    await hands.store.write(lambda tx: assigning.propose(tx, 0, wanted, records))


async def agree(
    hands: Hands,
    person: str = "bob.li@bank.example",
    entitled: assigning.Entitled = assigning.EVERYBODY,
    numbers: tuple[int, ...] = (1,),
) -> None:
    """Another one agrees."""
    await hands.store.write(lambda tx: assigning.agree(tx, 0, "old", person, "seen", numbers, entitled))


async def give(hands: Hands, *numbers: int) -> int:
    """It is given to these records."""
    return await hands.store.write(lambda tx: assigning.carry_out(tx, "old", numbers))


async def kept(hands: Hands, *numbers: int, later: int) -> list[tuple[str, ...]]:
    """What keeps these messages, so many milliseconds from now."""
    now = hands.clock.now() + later
    found = await hands.store.read(lambda db: terms.standings(db, numbers, now, Holds(())))
    return [one.kept for one in found]


async def test_two_people_give_an_end_to_what_has_none(hands: Hands) -> None:
    """From its creation, once, to records without a class that were there when it was agreed; an auditor has
    nothing to say, and what it rests on is told."""
    await say(hands, message(SYMPHONY, 1), message(WEIXIN, 2, "BLOCK"))
    await say(hands, message(SYMPHONY, 3), keep=(LONG,))
    await propose(hands, records=2)
    with pytest.raises(Conflict):
        await give(hands, 1, 2, 3)
    hands.clock.forward(1)
    await agree(hands, numbers=(1, 2))
    hands.clock.forward(1)
    await say(hands, message(SYMPHONY, 4, "later"))
    (later,) = await hands.rows("SELECT max(id) FROM messages")
    numbers = [1, 2, 4, later[0]]  # 3 is a notice
    assert [await give(hands, *numbers), await give(hands, *numbers)] == [2, 0]
    rows = await hands.rows("SELECT message, key, until FROM terms ORDER BY message")
    given = [(one, "assigned/old", end(START, "2y")) for one in (1, 2)]
    assert rows == [*given, (4, LONG.key, end(START, LONG.keep))]
    assert await kept(hands, *numbers, later=3 * YEAR) == [
        (),
        (),
        ("retention until 2035-01-06",),
        ("no class of retention",),
    ]
    one = await hands.store.read(lambda db: lives.life(db, 1, START))
    assert [(claim.retention.key, claim.until) for claim in one.classes] == [given[0][1:]]
    assert await sound(hands) == []


async def test_a_class_that_was_given_can_be_lengthened(hands: Hands) -> None:
    """It is as good as any other."""
    await say(hands, message(SYMPHONY, 1))
    await propose(hands)
    hands.clock.forward(1)
    await agree(hands)
    await give(hands, 1)
    order = Order("carol", "CASE-7", "hello", keep="5y")
    assert await hands.store.lengthen(order, [1]) == 1
    assert await hands.rows("SELECT until FROM terms") == [(end(START, "5y"),)]
    assert await sound(hands) == []


async def test_one_person_alone_gives_nothing(hands: Hands) -> None:
    """Nor does somebody who may not, where the settings name who may; a name is used once."""
    with pytest.raises(Missing):
        await agree(hands)
    for wanted, records, wrong in (
        (replace(OLD, name="a/b"), 1, ConfigError),
        (OLD, 0, Missing),
    ):
        with pytest.raises(wrong):
            await propose(hands, wanted, records)
    await propose(hands)
    with pytest.raises(Conflict):
        await propose(hands)
    with pytest.raises(NotAllowed):
        await agree(hands, "Alice.Wong@bank.example ")
    with pytest.raises(NotAllowed):
        await agree(hands, entitled=assigning.Entitled(("carol",)))
    await agree(hands)
    await agree(hands, "carol", numbers=(1, 2))
    found = await hands.store.read(lambda db: assigning.assignment(db, "old"))
    assert (found.person, found.keep, bool(found.place)) == (OLD.person, "2y", True)
    assert (found.records, found.state, found.ended_by) == (1, assigning.GIVEN, "bob.li@bank.example")
    assert [entry.kind for entry in await hands.entries("retention:assigned")] == ["retention:assigned"]


async def test_more_than_was_proposed_takes_its_number(hands: Hands) -> None:
    """What came in between is not swept in unseen; fewer are, because what has a class by now keeps it."""
    await propose(hands, records=2)
    agreed = lambda now, named: hands.store.write(  # noqa: E731
        lambda tx: assigning.agree(
            tx, 0, "old", "bob.li@bank.example", "seen", range(1, now + 1), named=named
        )
    )
    for now, named in ((3, 0), (3, 2), (1, 2)):
        with pytest.raises(Conflict, match=f"--records {now}"):
            await agreed(now, named)
    await agreed(3, 3)
    (entry,) = await hands.entries("retention:assigned")
    assert entry.facts == {"keep": "2y", "records": 3}
    await hands.store.write(lambda tx: assigning.propose(tx, 0, replace(OLD, name="fewer"), 9))
    await hands.store.write(lambda tx: assigning.agree(tx, 0, "fewer", "carol", "seen", range(1, 9)))
    found = await hands.store.read(assigning.assignments)
    assert [(one.name, one.state) for one in found] == [("fewer", assigning.GIVEN), ("old", assigning.GIVEN)]


async def test_a_class_that_was_refused(hands: Hands) -> None:
    """No record gets it, and its name stands for nothing else: whoever was shown it cannot agree to another.
    What was agreed to is not taken back."""
    await say(hands, message(SYMPHONY, 1))
    refuse = lambda: hands.store.write(  # noqa: E731
        lambda tx: assigning.refuse(tx, 0, "old", OLD.person, "too wide")
    )
    with pytest.raises(Missing):
        await refuse()
    await propose(hands, replace(OLD, keep="9y"))
    await refuse()
    for act in (refuse, lambda: agree(hands), lambda: give(hands, 1)):
        with pytest.raises(Conflict):
            await act()
    found = await hands.store.read(lambda db: assigning.assignment(db, "old"))
    assert (found.state, found.ended_by, found.why) == (assigning.REFUSED, OLD.person, "too wide")
    with pytest.raises(Conflict, match="another name"):
        await propose(hands, replace(OLD, person="carol"))
    other = replace(OLD, name="other", person="carol")
    await propose(hands, other)
    await hands.store.write(lambda tx: assigning.agree(tx, 0, "other", OLD.person, "seen", [1]))
    with pytest.raises(Conflict):
        await hands.store.write(lambda tx: assigning.refuse(tx, 0, "other", OLD.person, "after all"))
    assert await sound(hands) == []


async def test_what_was_agreed_to_grows_no_more(hands: Hands) -> None:
    """Whoever repeats the act, the proposer himself too, gives the class to what was on the list alone."""
    await say(hands, message(SYMPHONY, 1), message(SYMPHONY, 2, "more"))
    await propose(hands)
    hands.clock.forward(1)
    await agree(hands)
    assert [await give(hands, 1, 2), await give(hands, 1, 2)] == [1, 0]
    assert await hands.rows("SELECT message FROM terms") == [(1,)]


@pytest.mark.parametrize(
    ("legal", "person", "may"),
    [
        (("lena",), "bob.li@bank.example", False),
        (("lena",), "lena", True),
        ((OLD.person,), "bob.li@bank.example", True),
        ((OLD.person,), "dave", False),
    ],
)
def test_legal_has_to_be_among_the_two(legal: tuple[str, ...], person: str, may: bool) -> None:
    """What was kept without an end gets one: where people are named for legal, one of them says so."""
    entitled = assigning.Entitled(("bob.li@bank.example",), legal)
    with contextlib.nullcontext() if may else pytest.raises(NotAllowed):
        entitled.check(OLD.person, person)


async def test_what_nobody_has_judged_has_no_class_yet(hands: Hands) -> None:
    """A policy may still give it one; of records that have one, none is without."""
    await say(hands, message(SYMPHONY, 1))
    await say(hands, message(SYMPHONY, 2), keep=(LONG,))
    await hands.archive(message(SYMPHONY, 3))
    assert await hands.store.read(lambda db: assigning.classless(db, [1, 2, 3, 4])) == [1]
