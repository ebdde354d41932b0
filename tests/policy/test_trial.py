"""Tests inside rules: each key of a test can fail, and says how."""

from __future__ import annotations

import pytest
from policy_rig import one_rule

from bridge.policy import Source, TrialResult, assemble, run_tests

RULE = one_rule(
    "card: { type: payment_card }",
    "{ direction: to_weixin, finds: card }",
    "{ redact: { keep_last: 4 }, tag: pii }",
    top="barriers: [{ id: wall, between: [one, two] }]\ngroups: { one: {}, two: {} }\n",
)
CARD = "4111 1111 1111 1111"


def results(test: str, policy: str = RULE) -> list[TrialResult]:
    """The results of a policy with one test."""
    policies, _ = assemble([Source("p.yaml", f"{policy}    tests:\n      - {{ {test} }}\n".encode())])
    assert policies is not None
    return run_tests(policies.policies[0])


@pytest.mark.parametrize(
    ("test", "problem"),
    [
        (f"given: {CARD}, expect: redact", ""),
        (f"given: {CARD}, expect: block", "expected block, got redact"),
        (f"given: {CARD}, expect: redact, becomes: '**** **** **** 1111'", ""),
        (f"given: {CARD}, expect: redact, becomes: x", "text '**** **** **** 1111' ≠ 'x'"),
        (f"given: {CARD}, expect: redact, tags: pii, rule: rule", ""),
        (f"given: {CARD}, expect: redact, tags: []", "expected tags [], got ['pii']"),
        (f"given: {CARD}, expect: redact, rule: wall", "expected rule wall to decide, got rule"),
        (f"given: {CARD}, expect: redact, would: block", "expected would be block, got nothing"),
        (f"given: {CARD}, from: weixin, expect: deliver", ""),
        ('given: "", kind: voice, expect: deliver', ""),
        (f'given: ["", {CARD}], expect: redact', ""),
        (f"given: {CARD}, expect: deliver, rule: rule", "expected deliver, got redact"),
    ],
)
def test_a_test_passes_or_says_what_differs(test: str, problem: str) -> None:
    """Outcome, text, tags, deciding rule, monitored outcome and direction are compared."""
    (result,) = results(test)
    assert result.problem == problem
    assert result.passed is not bool(problem)


def test_a_monitored_rule_is_seen_by_would() -> None:
    """`would` is what the rule would have done; it does not count as acting."""
    (result,) = results(
        f"given: {CARD}, would: redact, expect: deliver",
        RULE.replace("    when", "    mode: monitor\n    when"),
    )
    assert result.passed and not result.acted


@pytest.mark.parametrize(
    ("sender", "expected"),
    [("alice.wong@bank.example", "block"), ("bob.li@bank.example", "deliver"), ("'tag:客户'", "deliver")],
)
def test_the_sender_of_a_test_is_a_person(sender: str, expected: str) -> None:
    """An address, an id or a tag: the rule asks who writes."""
    rule = one_rule(when="{ direction: both, finds: card, sender: alice.wong@bank.example }")
    (result,) = results(f"given: {CARD}, sender: {sender}, expect: {expected}", rule)
    assert result.passed, result.problem


def test_a_tagged_client_writes_from_weixin() -> None:
    """A rule for one direction only is tested from that side."""
    rule = one_rule(when="{ direction: to_symphony, finds: card, sender: 'tag:客户' }")
    (result,) = results(f"given: {CARD}, sender: 'tag:客户', expect: block", rule)
    assert result.passed and result.acted


def test_each_file_is_tested_alone() -> None:
    """A stricter neighbour does not make the tests of a file fail."""
    mild = RULE + f"    tests: [{{ given: {CARD}, expect: redact }}]\n"
    strict = one_rule(name="q") + f"    tests: [{{ given: {CARD}, expect: block }}]\n"
    policies, problems = assemble([Source("a.yaml", mild.encode()), Source("b.yaml", strict.encode())])
    assert policies is not None and [p for p in problems if p.severity == "error"] == []
    assert [result.passed for policy in policies.policies for result in run_tests(policy)] == [True, True]


def test_several_messages_are_one_persons_and_the_last_is_judged() -> None:
    """The word in one message, the number in the next: only with the first one the number is sure."""
    rule = one_rule(
        "acc: { type: pattern, pattern: '88[0-9]{8}', context: { words: 账户, within: 5, messages: 2 } }",
        "{ direction: both, finds: acc }",
    )
    assert results("given: [我的账户是, 你好, 8812345678], expect: block", rule)[0].passed
    assert results("given: [我的账户是, 你好, 早, 8812345678], expect: deliver", rule)[0].passed
    assert results("given: [8812345678], expect: deliver", rule)[0].passed


def test_the_recipient_and_the_kind_are_as_written() -> None:
    """Who receives it and what it is decide like who sends it."""
    rule = one_rule(when="{ direction: both, recipient: 'tag:贵宾', kind: voice }")
    assert results("given: hello, recipient: 'tag:贵宾', kind: voice, expect: block", rule)[0].passed
    assert results("given: hello, recipient: 'tag:贵宾', expect: deliver", rule)[0].passed
    assert results("given: hello, recipient: wm-lilei, kind: voice, expect: deliver", rule)[0].passed


def test_clients_of_a_test_have_agreed_unless_it_says_otherwise() -> None:
    """A gate is no matter for the tests of rules; `consent: false` tests the gate."""
    top = "groups: { clients: { weixin: 'tag:客户' } }\n"
    top += "consent: { from: clients, text: { zh: 同意？ }, until_given: hold }\n"
    rule = one_rule(top=top)
    assert results("given: hello, recipient: 'tag:客户', expect: deliver", rule)[0].passed
    (held,) = results("given: hello, recipient: 'tag:客户', consent: false, expect: hold", rule)
    assert held.passed and held.verdict.gated


def test_every_test_is_within_its_file_and_the_part_that_it_is_rolled_out_to() -> None:
    """Neither `applies_to` nor a percentage makes a test an accident."""
    top = "groups: { desk: { symphony: alice.wong@bank.example } }\napplies_to: { groups: desk }\n"
    rule = one_rule(top=top, more="    rollout: { percent: 1 }\n")
    assert results(f"given: {CARD}, expect: block", rule)[0].passed


def test_a_result_says_what_was_reached() -> None:
    """Rules, detectors and the text as it came out: what coverage counts and an update writes."""
    (result,) = results(f"given: {CARD}, expect: deliver")
    assert result.reached == result.enforced == {"rule"} and result.detectors == {"card"}
    assert result.text == "**** **** **** 1111" and result.test.expect == "deliver"
    monitored = RULE.replace("    when", "    mode: monitor\n    when")
    (result,) = results(f"given: {CARD}, expect: deliver", monitored)
    assert (result.reached, result.enforced, result.would) == ({"rule"}, frozenset(), "redact")
