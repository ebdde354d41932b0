"""What a draft would have done: sums that do not depend on order, a sample that is bounded, and limits."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.message import Cause, Match, Outcome, Verdict
from bridge.policy.tally import Case, Limits, Span, Tally, report

SPAN = Span((("p", "a" * 64),), (("p", "b" * 64),), 0, 1_000)
HOUR = 3_600_000


def verdict(outcome: Outcome, text: str = "x", *rules: str, enforced: bool = True) -> Verdict:
    matches = tuple(Match("p", rule, rule, outcome, enforced) for rule in rules)
    return Verdict(outcome, Cause.RULE, text, matches=matches)


def case(seq: int, live: Verdict, draft: Verdict, *, at: int = 0, who: str = "alice") -> Case:
    return Case(seq, at, f"chat-{who}", who, live, draft)


DELIVER, HOLD, BLOCK = (verdict(outcome) for outcome in (Outcome.DELIVER, Outcome.HOLD, Outcome.BLOCK))


def counted(*cases: Case, size: int = 20) -> dict[str, Any]:
    tally = Tally(size)
    for one in cases:
        tally.add(one)
    return report(SPAN, tally)


def test_changes_count_messages_conversations_and_people() -> None:
    """Two of one person and one of another: three messages, two chats, two people; the rest is unchanged."""
    held = verdict(Outcome.HOLD, "x", "mnpi")
    found = counted(
        case(1, DELIVER, held),
        case(2, DELIVER, held),
        case(3, DELIVER, held, who="bob"),
        case(4, BLOCK, BLOCK),
    )
    assert found["changes"] == [{"change": "deliver → hold", "messages": 3, "conversations": 2, "people": 2}]
    assert found["unchanged"] == [{"outcome": "block", "messages": 1}]
    assert found["rules"] == [{"rule": "p/mnpi", "more": 3, "fewer": 0}]
    assert found["people"] == [{"person": "alice", "changed": 2}, {"person": "bob", "changed": 1}]
    assert (found["new_holds"], found["new_blocks"], found["looser"]) == (3, 0, 0)


def test_another_text_of_the_same_outcome_is_a_change() -> None:
    """A mask that covers less is no other outcome, and yet the reader sees something else."""
    before, after = verdict(Outcome.REDACT, "****"), verdict(Outcome.REDACT, "***1")
    found = counted(case(1, before, after), case(2, before, before))
    assert found["changes"] == [{"change": "redact → redact", "messages": 1, "conversations": 1, "people": 1}]
    assert found["unchanged"] == [{"outcome": "redact", "messages": 1}]


def test_a_held_text_that_nobody_reads_is_no_change() -> None:
    """What a reviewer would let out is asked when it is let out, not here."""
    assert counted(case(1, HOLD, verdict(Outcome.HOLD, "****")))["changes"] == []


def test_monitored_rules_do_not_act() -> None:
    """Only rules with an effect are named."""
    found = counted(case(1, HOLD, verdict(Outcome.DELIVER, "x", "seen", enforced=False)))
    assert found["rules"] == [] and found["looser"] == 1


def test_review_load_is_counted_by_the_hour() -> None:
    """Holds before and after, the time they take, and the hour in which most would come."""
    found = counted(
        case(1, DELIVER, HOLD, at=HOUR), case(2, HOLD, HOLD, at=HOUR + 1), case(3, DELIVER, HOLD, at=5 * HOUR)
    )
    assert found["load"] == {
        "live": 1, "draft": 3, "seconds_per_hold": 40, "more_seconds": 80,
        "busiest_hour": HOUR, "busiest_live": 1, "busiest_draft": 2,
    }  # fmt: skip


def test_days_are_those_of_the_messages() -> None:
    """Each day with its messages, and how many of them change."""
    found = counted(
        case(1, DELIVER, HOLD, at=0), case(2, HOLD, HOLD, at=HOUR), case(3, HOLD, HOLD, at=25 * HOUR)
    )
    assert found["days"] == [
        {"day": "1970-01-01", "messages": 2, "changed": 1}, {"day": "1970-01-02", "messages": 1}
    ]  # fmt: skip


def test_the_sample_is_bounded_and_the_same_for_everybody() -> None:
    """Ten thousand changes: as many examples as were asked for, the same whatever the order."""
    cases = [case(number, DELIVER, HOLD) for number in range(10_000)]
    tally = Tally(5)
    for one in cases:
        tally.add(one)
        assert len(tally.examples) <= 20
    random.Random(1).shuffle(cases)
    sample = report(SPAN, tally)["sample"]
    assert len(sample) == 5 and counted(*cases, size=5)["sample"] == sample


CASES = st.builds(
    case,
    st.integers(1, 10_000),
    *[
        st.sampled_from(
            [DELIVER, HOLD, BLOCK, verdict(Outcome.REDACT, "*", "a"), verdict(Outcome.REDACT, "**")]
        )
    ]
    * 2,
    at=st.integers(0, 100 * HOUR),
    who=st.sampled_from(["alice", "bob", "李雷"]),
)


@given(st.lists(st.lists(CASES, max_size=8), max_size=4))
def test_parts_add_up_to_the_whole(parts: list[list[Case]]) -> None:
    """Slices counted apart and merged give the report of all together, so that processes may share it."""
    whole, merged = Tally(3), Tally(3)
    for part in parts:
        tally = Tally(3)
        for one in part:
            tally.add(one)
            whole.add(one)
        merged.merge(tally)
    assert report(SPAN, merged) == report(SPAN, whole)


def test_a_report_is_plain_json() -> None:
    """It is printed, kept and read again as it is."""
    tally = Tally()
    tally.add(case(1, DELIVER, HOLD))
    tally.miss("its content is no longer stored")
    found = report(SPAN, tally)
    assert json.loads(json.dumps(found)) == found
    assert found["not_replayed"] == {"its content is no longer stored": 1}


@pytest.mark.parametrize(
    ("limits", "over"),
    [
        (Limits(holds=2), []),
        (Limits(holds=1), ["new holds: 2, allowed are 1"]),
        (Limits(blocks=0, looser=0), ["looser: 1, allowed are 0"]),
        (Limits(), []),
    ],
)
def test_limits_say_what_lies_over_them(limits: Limits, over: list[str]) -> None:
    """Exactly at a limit is allowed."""
    assert limits.exceeded(counted(case(1, DELIVER, HOLD), case(2, BLOCK, HOLD))) == over
