"""What is shipped is fit to begin with: no warning, everything reached by a test, everything looked after."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from bridge.policy import check, load
from bridge.policy.compiled import Policy
from bridge.policy.coverage import coverage
from bridge.policy.trial import run_tests

POLICIES = Path(__file__).parents[2] / "policies"
IN_FORCE = sorted(POLICIES.glob("*.yaml"))
EXAMPLES = sorted(POLICIES.glob("examples/*.yaml"))
SHIPPED = [policy for paths in (IN_FORCE, EXAMPLES) for policy in load(paths).policies]


def _named(policy: Policy) -> str:
    return policy.name


@pytest.mark.parametrize("path", [*IN_FORCE, *EXAMPLES], ids=lambda path: path.name)
def test_a_shipped_file_has_no_warning(path: Path) -> None:
    """Errors and warnings are the same to somebody who begins with this file."""
    assert check([path]) == []


@pytest.mark.parametrize("policy", SHIPPED, ids=_named)
def test_everything_in_a_shipped_file_is_reached_by_its_tests(policy: Policy) -> None:
    """Every rule, detector, list, outcome, barrier and kind has a test that shows it."""
    missed = {part.kind: part.missed for part in coverage(policy.model, run_tests(policy)) if part.missed}
    assert missed == {}


@pytest.mark.parametrize("policy", SHIPPED, ids=_named)
def test_every_rule_shows_what_it_meets_and_what_it_leaves_alone(policy: Policy) -> None:
    """A rule has a test that matches and one that does not; a lexicon's, at least two and two of each."""
    results = run_tests(policy)
    for rule in policy.model.rules:
        met = [rule.id in one.reached for one in results if one.rule == rule.id]
        fewest = 2 if any(_reads_words(policy, name) for name in rule.when.finds or ()) else 1
        assert met.count(True) >= fewest, rule.id
        assert met.count(False) >= fewest, rule.id


def _reads_words(policy: Policy, detector: str) -> bool:
    return policy.model.detectors[detector].type == "words"


@pytest.mark.parametrize("policy", SHIPPED, ids=_named)
def test_rules_and_lists_say_who_keeps_them_and_why(policy: Policy) -> None:
    """Every rule has its reason; a list has an owner, and a lexicon its languages and a day of review."""
    for rule in policy.model.rules:
        assert rule.because, rule.id
        assert rule.mode != "monitor" or rule.review_by, rule.id
    for name, words in policy.model.lists.items():
        assert words.owner, name
        assert name == "restricted" or (words.languages and words.review_by), name


def test_nothing_shipped_runs_out_soon() -> None:
    """Days of review lie within two years, so that they mean something; no exception ends one day."""
    for policy in SHIPPED:
        days = [one.review_by for one in (*policy.model.rules, *policy.model.lists.values()) if one.review_by]
        assert all(day <= datetime.date(2028, 1, 1) for day in days)
        assert not policy.model.exceptions
