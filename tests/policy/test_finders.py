"""Detectors of all files in one engine: what a written detector becomes, and when its words count."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest
from policy_rig import found, looking_for, one_rule, policy_set, weigh, words_rule

from bridge.message import Outcome
from bridge.policy import PolicySet
from bridge.policy.compiled import build


def dated(*spans: tuple[datetime.date | None, datetime.date | None]) -> PolicySet:
    """A policy that blocks 腾讯 on the days of `spans`, by the clock of Hong Kong."""
    policies = policy_set(words_rule("腾讯, 阿里").replace("lists:", "timezone: Asia/Hong_Kong\nlists:", 1))
    draft = policies.policies[0].draft
    return build([replace(draft, dates={"ws": {"腾讯": spans}})])


@pytest.mark.parametrize(
    ("moment", "counts"),
    [
        ("2026-01-09T15:59", False),  # the 9th in Hong Kong, to its last minute
        ("2026-01-09T16:00", True),
        ("2026-01-12T15:59", True),
        ("2026-01-12T16:00", False),
        ("2026-02-01T00:00", True),
    ],
)
def test_a_word_counts_on_its_days(moment: str, counts: bool) -> None:
    """From the first to the last one, by the policy's clock; other words count always."""
    policies = dated(
        (datetime.date(2026, 1, 10), datetime.date(2026, 1, 12)), (datetime.date(2026, 2, 1), None)
    )
    now = datetime.datetime.fromisoformat(moment).replace(tzinfo=datetime.UTC)
    assert (weigh(policies, "騰訊", now=now).outcome is Outcome.BLOCK) is counts
    assert weigh(policies, "阿里", now=now).outcome is Outcome.BLOCK


def test_a_word_without_days_left_never_counts() -> None:
    """No span is no day."""
    assert weigh(dated(), "腾讯").outcome is Outcome.DELIVER


def test_a_detector_with_context_of_its_own_is_unsure_without_it() -> None:
    """Words that somebody wrote replace the usual ones, and raise what they are near to."""
    policies = looking_for("type: hkid, context: { words: 证件 }")
    assert found(policies, "证件 A123456(3)") == ["A123456(3)"]
    assert found(policies, "号码 A123456(3)") == []


def test_two_lists_of_one_detector_are_one() -> None:
    """Words of either are found, and what shelters a word in one list does not in the other."""
    top = "lists:\n  a: { words: [并购], unless_words: { 并购: [合并购买] } }\n  b: { words: [内幕] }\n"
    policies = policy_set(
        one_rule("w: { type: words, list: [a, b] }", "{ direction: both, finds: w }", top=top)
    )
    assert found(policies, "合并购买，内幕，并购") == ["内幕", "并购"]
