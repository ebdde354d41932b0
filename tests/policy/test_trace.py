"""Why a message gets its verdict: the first key that does not hold, what was found, what took it away."""

from __future__ import annotations

from typing import Any

import pytest
from policy_rig import ALICE, CLIENT, HEAD, NOW, message, policy_set

from bridge.message import SYMPHONY, WEIXIN, Context, Inspection, Kind, Message, Outcome, Route
from bridge.policy import PolicySet
from bridge.policy.judge import judge
from bridge.policy.trace import Finding, RuleTrace, Trace, trace

TEXT = "账户 8812345678"


def of_rule(
    when: str, *, more: str = "", top: str = "", then: str = "{ block: true }", tail: str = ""
) -> PolicySet:
    """A policy with a group, three detectors and one rule."""
    return policy_set(
        f"policy: p\n{HEAD}timezone: Asia/Hong_Kong\n{top}"
        'groups: { desk: { symphony: "*@bank.example" }, vip: { weixin: "tag:贵宾" } }\n'
        "lists: { deals: { words: [并购, 内幕消息], evasion: [separators, pinyin] } }\n"
        "detectors:\n"
        "  deals: { type: words, list: deals }\n"
        "  account: { type: pattern, pattern: '88[0-9]{8}', boundary: digits,"
        " context: { words: [账户, a/c], within: 10 } }\n"
        "  card: { type: payment_card }\n"
        f"rules:\n  - id: rule\n    title: t\n    because: b\n    severity: high\n{more}"
        f"    when: {{ {when} }}\n    then: {then}\n{tail}"
    )


def traced(policies: PolicySet, text: str | Message, **context: Any) -> Trace:
    """The trace of what Alice writes to the client."""
    written = message(text) if isinstance(text, str) else text
    known: dict[str, Any] = {"direction": "to_weixin", "route": Route(ALICE, CLIENT, WEIXIN, "c2")}
    return trace(policies, written, Context(**(known | context)), NOW)


def only(told: Trace) -> RuleTrace:
    """The one rule of a trace."""
    (rule,) = told.rules
    return rule


@pytest.mark.parametrize(
    ("when", "failed"),
    [
        ("direction: to_symphony", "direction"),
        ("direction: both, kind: voice", "kind"),
        ("direction: both, sender: bob.li@bank.example", "sender"),
        ("direction: both, recipient: wm-other", "recipient"),
        ("direction: both, groups: vip", "groups"),
        ("direction: both, conversation: c9", "conversation"),
        ('direction: both, outside: { hours: "08:00-23:00" }', "outside"),
        ("direction: both, edited: true", "edited"),
        ("direction: both, recalled: true", "recalled"),
        ("direction: both, files: { types: pdf }", "files"),
        ("direction: both, finds: card", "finds"),
        ("direction: both, any: [{ sender: bob.li@bank.example }, { kind: voice }]", "any"),
        ("direction: both, finds: account, count: { at_least: 2 }", "count"),
        ("direction: both, finds: account, count: { at_least: 2, within: 10m }", "count"),
        ("direction: to_symphony, finds: card, sender: bob.li@bank.example", "direction"),
        ("direction: both, finds: card, sender: bob.li@bank.example", "sender"),
        ("direction: to_weixin, finds: account, groups: desk", ""),
    ],
)
def test_the_first_key_that_does_not_hold_is_named(when: str, failed: str) -> None:
    """Of several the one that is cheapest to check; none for a rule that matches."""
    rule = only(traced(of_rule(when), TEXT))
    assert rule.failed == failed
    assert (rule.match is not None) == (failed == "")


def test_the_verdict_is_that_of_the_judge() -> None:
    """The trace adds to it and changes nothing."""
    policies = of_rule("direction: both, finds: [deals, account]", then="{ redact: true }")
    told = traced(policies, TEXT + " 併購")
    context = Context("to_weixin", Route(ALICE, CLIENT, WEIXIN, "c2"))
    assert told.verdict == judge(policies, message(TEXT + " 併購"), context, NOW)
    assert only(told).match == told.verdict.matches[0]


def test_a_finding_names_the_word_that_it_is() -> None:
    """Traditional characters, signs in between and pinyin are shown beside the entry of the list."""
    rule = only(traced(of_rule("direction: both, finds: deals"), "併購, 并-购, nei mu xiao xi"))
    assert [(f.passage, f.word, f.of) for f in rule.findings] == [
        ("併購", "并购", "deals"), ("并-购", "并购", "deals"), ("nei mu xiao xi", "内幕消息", "deals"),
    ]  # fmt: skip


def test_confidence_comes_with_the_word_that_gave_it() -> None:
    """A context word that is near is named; without one the finding is there, but not sure enough."""
    policies = of_rule("direction: both, finds: account, confidence: high")
    sure = only(traced(policies, TEXT))
    assert sure.findings == (Finding("account", "8812345678", "high", near=("账户",)),)
    unsure = only(traced(policies, "8812345678 …………………… 账户"))
    assert unsure.failed == "finds"
    assert [(f.confidence, f.near) for f in unsure.findings] == [("low", ())]


def test_what_takes_a_match_away_is_named() -> None:
    """`unless`, an exception, and a part of the firm that a rule is not rolled out to."""
    more = "    unless: { sender: alice.wong@bank.example }\n"
    assert only(traced(of_rule("direction: both, finds: account", more=more), TEXT)).failed == "unless"
    lifted = of_rule(
        "direction: both, finds: account",
        tail="exceptions: [{ id: alice, rule: rule, for: alice.wong@bank.example, expires: 2099-01-31,"
        " approved_by: bob.li@bank.example, because: b }]\n",
    )
    match = only(traced(lifted, TEXT)).match
    assert match is not None and match.exception == "alice" and not match.enforced
    part = only(traced(of_rule("direction: both", more="    rollout: { groups: vip }\n"), TEXT))
    assert part.waiting and part.match is not None and part.mode == "enforce"


def test_modes_are_told_apart() -> None:
    """A watched rule matches without effect; one that is off is not asked."""
    watched = only(traced(of_rule("direction: both", more="    mode: monitor\n"), "x"))
    assert watched.mode == "monitor" and watched.match is not None and not watched.match.enforced
    off = only(traced(of_rule("direction: both", more="    mode: off\n"), "x"))
    assert (off.mode, off.match, off.failed, off.outcome) == ("off", None, "", Outcome.BLOCK)


def test_a_file_for_others_says_so() -> None:
    """No rule of a file acts outside of the conversations that it is for."""
    told = traced(of_rule("direction: both", top="applies_to: { groups: vip }\n"), "x")
    assert only(told).failed == "applies_to"


@pytest.mark.parametrize(
    ("barrier", "text", "failed"),
    [
        ("between: [desk, vip]", "x", "between"),
        ("from: desk, to: clients, finds: card", "x", "finds"),
        ("from: desk, to: clients, finds: card", "4111 1111 1111 1111", ""),
    ],
)
def test_barriers_are_traced(barrier: str, text: str, failed: str) -> None:
    """Whether the people are on its sides, and whether it looks for something that is not there."""
    policies = policy_set(
        f"policy: p\n{HEAD}"
        'groups: { desk: { symphony: "*@bank.example" }, vip: { weixin: "tag:贵宾" },'
        ' clients: { weixin: "tag:客户" } }\n'
        f"detectors: {{ card: {{ type: payment_card }} }}\nbarriers: [{{ id: wall, {barrier} }}]\n"
    )
    rule = only(traced(policies, text))
    assert (rule.id, rule.failed) == ("wall", failed)
    assert (rule.match is not None) == (failed == "")


def test_other_sections_are_told_beside_the_rules() -> None:
    """Kinds, attachments and the consent gate are matches of no rule."""
    policies = of_rule(
        "direction: both, finds: card",
        tail="kinds: { voice: hold }\nattachments: { encrypted: block }\n"
        "consent: { from: vip, text: { en: x, zh: x } }\n",
    )
    voice = Message(SYMPHONY, "m", "c", ALICE.id, 0, Kind.VOICE, address=ALICE.address)
    locked = Inspection("a.zip", "zip", 10, encrypted=True)
    told = traced(policies, voice, inspections=(locked,))
    assert {match.rule for match in told.others} == {"kinds/voice", "attachments/encrypted"}
    assert only(told).failed == "finds"


def test_the_trace_does_not_depend_on_the_clock_of_the_machine() -> None:
    """Asked twice about the same moment, it answers the same."""
    policies = of_rule("direction: both, finds: deals")
    assert traced(policies, "jia 并.购") == traced(policies, "jia 并.购")
