"""What was found, counted: every number can be opened, times and days are right."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bridge.message import Cause, Match, Outcome, Verdict
from bridge.search.counts import Count, Spread, Tally, narrowed
from bridge.search.document import Decided, Delivered, Held, Person

ALICE = Person("symphony", "7001", "Alice Wong", "alice.wong@bank.example")
LI_LEI = Person("weixin", "wmLiLei", "李雷")
HONG_KONG = ZoneInfo("Asia/Hong_Kong")
EVENING = 1_795_363_200_000  # 2026-11-22 16:00 UTC, which is the 23rd in Hong Kong


def document(**fields: Any) -> Any:
    """A message of Alice's that was delivered after a second."""
    sent = Delivered("p", "weixin", "sent", EVENING + 1000)
    plain = {
        "at": EVENING, "network": "symphony", "kind": "text", "state": "passed", "text": "hi", "pair": 1,
        "notice_for": None, "sender": ALICE, "reader": LI_LEI, "held": None, "deliveries": (sent,),
        "decisions": (), "edits": (), "recalls": (),
    }  # fmt: skip
    return SimpleNamespace(**plain | fields)


def tally(*documents: Any) -> Tally:
    """These, counted for a desk in Hong Kong."""
    counted = Tally(HONG_KONG)
    for one in documents:
        counted.add(one)
    return counted


def test_days_and_hours_are_the_desks() -> None:
    """Four in the afternoon in London is midnight in Hong Kong, and another day."""
    counted = tally(document())
    assert counted.hours == {0: 1}
    assert counted.group("during", "") == [Count("2026-11-23", 1, "during:2026-11-23")]


def test_people_are_counted_by_what_names_them_alone() -> None:
    """The address where there is one, else the id; names are kept beside them."""
    counted = tally(document(), document(sender=LI_LEI, reader=ALICE, network="weixin"))
    assert {one.value for one in counted.group("from", "")} == {"alice.wong@bank.example", "wmLiLei"}
    assert counted.names["wmLiLei"] == "李雷"


def test_a_message_counts_once_for_each_value() -> None:
    """Two verdicts that name one rule, and one that holds and one that lets pass: one message each."""
    match = Match("firm-wide", "card", "Cards", Outcome.HOLD)
    verdicts = [
        Decided(EVENING, Verdict(Outcome.HOLD, Cause.RULE, "", matches=(match,))),
        Decided(EVENING, Verdict(Outcome.DELIVER, Cause.PERSON, "hi", matches=(match,))),
    ]
    counted = tally(document(decisions=verdicts), document())
    assert counted.group("rule", "hi") == [Count("firm-wide/card", 1, "hi rule:firm-wide/card")]
    assert {one.value: one.count for one in counted.group("action", "")} == {"deliver": 1, "hold": 1}


def test_the_most_frequent_come_first_and_days_in_order() -> None:
    """What is cut off is rare; of days, the oldest."""
    counted = tally(
        *[document(kind="image")] * 2, document(at=EVENING + 86_400_000), document(at=EVENING - 86_400_000)
    )
    assert [one.value for one in counted.group("kind", "")] == ["image", "text"]
    assert [one.value for one in counted.group("during", "", 2)] == ["2026-11-23", "2026-11-24"]


def test_how_long_it_took() -> None:
    """From archive to delivery, from hold to decision; what is open or late is counted apart."""
    decided = Held("released", "desk", EVENING, EVENING + 60_000, EVENING + 30_000)
    waiting = Held("open", "desk", EVENING)
    counted = tally(document(held=decided), document(held=waiting, deliveries=()))
    assert counted.delivery.quantiles(0.5, 0.95) == (1000, 1000)
    assert counted.decision.quantiles(0.5) == (60_000,)
    assert (counted.open_holds, counted.late_holds) == (1, 1)


@pytest.mark.parametrize(("values", "expected"), [([], (0, 0)), ([5], (5, 5)), (range(1, 101), (50, 95))])
def test_quantiles_are_values_that_occurred(values: Any, expected: tuple[int, int]) -> None:
    """The nearest rank: no value is made up between two others."""
    spread = Spread()
    for one in values:
        spread.add(one)
    assert spread.quantiles(0.5, 0.95) == expected


@pytest.mark.parametrize(
    ("query", "value", "expected"),
    [
        ("", "a@b.example", "from:a@b.example"),
        ("a OR b", "x", "(a OR b) from:x"),
        ("内幕", "Alice Wong", '内幕 from:"Alice Wong"'),
    ],
)
def test_a_narrower_query_asks_for_both(query: str, value: str, expected: str) -> None:
    """What was asked before stays together, and values with spaces are quoted."""
    assert narrowed(query, "from", value) == expected
