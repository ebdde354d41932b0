"""Policies made ready: whose detector a rule sees, and what a set keeps and needs."""

from __future__ import annotations

import pytest
from policy_rig import one_rule, policy_set, weigh

from bridge.message import Outcome


def test_names_belong_to_their_file() -> None:
    """Two files may call different things by one name; each rule sees its own."""
    visa = one_rule("card: { type: payment_card, brands: visa }", name="visa", then="{ tag: visa }")
    amex = one_rule("card: { type: payment_card, brands: amex }", name="amex", then="{ tag: amex }")
    policies = policy_set(visa, amex)
    assert weigh(policies, "4111111111111111").tags == ("visa",)
    assert weigh(policies, "378282246310005").tags == ("amex",)


def test_a_rule_that_is_off_is_not_there() -> None:
    """`mode: off` leaves no trace in the verdict."""
    verdict = weigh(policy_set(one_rule(more="    mode: off\n")), "4111111111111111")
    assert verdict.outcome is Outcome.DELIVER and verdict.matches == ()


def test_a_set_can_be_made_again_from_what_it_keeps() -> None:
    """The sources of a set are enough to make an equal one."""
    policies = policy_set(one_rule())
    assert policy_set(*(source.data.decode() for source in policies.sources)).hashes == policies.hashes


@pytest.mark.parametrize(
    ("detectors", "when", "reach"),
    [
        ("w: { type: payment_card }", "{ direction: both, finds: w }", (0, 0)),
        ("w: { type: hkid, context: { words: x, messages: 2 } }", "{ direction: both, finds: w }", (2, 0)),
        (
            "w: { type: payment_card }",
            "{ direction: both, finds: w, count: { at_least: 3, within: 10m } }",
            (0, 600_000),
        ),
        (
            "w: { type: payment_card }",
            "{ direction: both, any: [{ finds: w, count: { at_least: 3, within: 1h } }, { kind: voice }] }",
            (0, 3_600_000),
        ),
    ],
)
def test_a_set_says_how_far_back_it_looks(detectors: str, when: str, reach: tuple[int, int]) -> None:
    """The most that any rule or detector asks for; rules that are off ask for nothing."""
    assert policy_set(one_rule(detectors, when)).reach == reach
    quiet = policy_set(one_rule(detectors, when, more="    mode: off\n"))
    assert quiet.reach[1] == 0
