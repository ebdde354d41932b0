"""Barriers, exceptions, rollout and effects: what a rule does, for whom, and what lifts it."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

import pytest
from policy_rig import ALICE, CLIENT, HEAD, message, one_rule, policy_set, weigh

from bridge.message import SYMPHONY, WEIXIN, Annotation, Cause, File, Outcome, Route, Sample, Verdict
from bridge.policy import PolicySet

CARD = "4111 1111 1111 1111"
GROUPS = (
    "groups:\n  desk: { symphony: '*@bank.example' }\n  clients: { weixin: 'tag:客户' }\n"
    "  nobody: { symphony: nobody@bank.example }\n"
)


def walled(barrier: str, more: str = "") -> PolicySet:
    """A policy with one barrier, a rule that delivers, and whatever else is written."""
    top = f"{GROUPS}barriers: [{{ id: wall, {barrier} }}]\n{more}"
    return policy_set(one_rule(then="{ deliver: true }", top=top))


def excepting(exception: str, then: str = "{ block: true }") -> PolicySet:
    """A policy that stops two words, with an exception from that."""
    approved = "approved_by: c@bank.example, because: b"
    top = "lists: { ws: { words: [9988.HK, 0700.HK] } }\n"
    top += f"exceptions: [{{ id: ipo, rule: rule, {exception}, {approved} }}]\n"
    return policy_set(
        one_rule("w: { type: words, list: ws }", "{ direction: both, finds: w }", then, top=top)
    )


# --- barriers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("barrier", "to_weixin", "to_symphony"),
    [
        ("between: [desk, clients]", True, True),
        ("between: [clients, desk]", True, True),
        ("between: [nobody, clients]", False, False),
        ("between: [desk, desk]", False, False),
        ("from: desk, to: clients", True, False),
        ("from: clients, to: desk", False, True),
        ("from: [nobody, clients], to: [nobody, desk]", False, True),
        ("between: [desk, clients], finds: card", False, False),
    ],
)
def test_a_barrier_stands_between_groups(barrier: str, to_weixin: bool, to_symphony: bool) -> None:
    """Both ways or one, whatever is written, unless it names what must be found."""
    policies = walled(barrier)
    for to, stands in ((WEIXIN, to_weixin), (SYMPHONY, to_symphony)):
        verdict = weigh(policies, "hello", to=to)
        assert (verdict.outcome is Outcome.BLOCK) is stands
        assert [match.rule for match in verdict.matches] == ["wall"] * stands


def test_no_rule_opens_a_barrier() -> None:
    """It wins over a rule that delivers, says that it is one, and is written down like a match."""
    verdict = weigh(walled("between: [desk, clients], finds: card, then: hold"), CARD)
    assert (verdict.outcome, verdict.cause, verdict.queue) == (Outcome.HOLD, Cause.RULE, "review")
    assert verdict.reason == "barrier p/wall"
    assert [(m.rule, m.detectors, m.spans) for m in verdict.matches] == [
        ("rule", ("card",), ((0, 19),)),
        ("wall", ("card",), ((0, 19),)),
    ]


def test_monitoring_a_file_leaves_its_barriers_up() -> None:
    """`defaults.mode` is for rules: a barrier is not tried out."""
    policies = walled("between: [desk, clients]", "defaults: { mode: monitor }\n")
    assert weigh(policies, "hello").outcome is Outcome.BLOCK


def test_only_an_exception_that_names_it_opens_a_barrier() -> None:
    """For its people, until it expires."""
    exception = "exceptions: [{ id: e, rule: wall, for: alice.wong@bank.example, expires: 2026-02-01, "
    exception += "approved_by: c@bank.example, because: b }]\n"
    policies = walled("between: [desk, clients]", exception)
    verdict = weigh(policies, "hello")
    assert verdict.outcome is Outcome.DELIVER and verdict.matches[0].exception == "e"
    late = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
    assert weigh(policies, "hello", now=late).outcome is Outcome.BLOCK


# --- exceptions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exception", "text", "lifted"),
    [
        ("for: alice.wong@bank.example, expires: 2026-01-05", "9988.HK", True),
        ("for: 'tag:客户', expires: 2026-01-05", "9988.HK", True),
        ("for: bob.li@bank.example, expires: 2026-01-05", "9988.HK", False),
        ("for: alice.wong@bank.example, expires: 2026-01-04", "9988.HK", False),
        ("for: '*', only: 9988.HK, expires: 2026-02-01", "buy 9988.hk", True),
        ("for: '*', only: 9988.HK, expires: 2026-02-01", "buy 0700.HK", False),
        ("for: '*', only: 9988.HK, expires: 2026-02-01", "buy 9988.HK and 0700.HK", False),
        ("for: '*', only: [9988.HK, 0700.HK], expires: 2026-02-01", "9988.HK and 0700.HK", True),
    ],
)
def test_an_exception_lifts_a_match(exception: str, text: str, lifted: bool) -> None:
    """For its people, for its words and nothing else, to the end of its last day; always written down."""
    verdict = weigh(excepting(exception), text)
    (match,) = verdict.matches
    assert (match.exception, match.enforced) == (("ipo", False) if lifted else ("", True))
    assert verdict.outcome is (Outcome.DELIVER if lifted else Outcome.BLOCK)


def test_a_lifted_match_has_no_effect_at_all() -> None:
    """It neither masks nor tags nor tells nor reviews."""
    then = "{ redact: true, tag: t, tell_sender: { en: x }, notify: c@bank.example, review: all }"
    verdict = weigh(excepting("for: '*', expires: 2026-02-01", then), "9988.HK")
    assert (verdict.text, verdict.tags, verdict.tell, verdict.notify) == ("9988.HK", (), {}, ())
    assert verdict.samples == () and "exception ipo" in verdict.matches[0].why


def test_the_day_of_expiry_is_that_of_the_policys_clock() -> None:
    """In Hong Kong the day ends eight hours before it does in UTC."""
    text = "for: '*', expires: 2026-01-05"
    late = datetime.datetime(2026, 1, 5, 17, 0, tzinfo=datetime.UTC)
    assert weigh(excepting(text), "9988.HK", now=late).outcome is Outcome.DELIVER
    top = "timezone: Asia/Hong_Kong\nlists: { ws: { words: [9988.HK] } }\n"
    top += f"exceptions: [{{ id: e, rule: rule, {text}, approved_by: c, because: b }}]\n"
    hong_kong = policy_set(one_rule("w: { type: words, list: ws }", "{ direction: both, finds: w }", top=top))
    assert weigh(hong_kong, "9988.HK", now=late).outcome is Outcome.BLOCK


@pytest.mark.parametrize(("who", "lifted"), [("desk", True), ("[nobody, desk]", True), ("nobody", False)])
def test_an_exception_may_be_for_a_group(who: str, lifted: bool) -> None:
    """Named like a person; whoever is in the group is meant."""
    text = f"exceptions: [{{ id: e, rule: rule, for: {who}, expires: 2026-02-01, "
    text += "approved_by: c, because: b }]\n"
    verdict = weigh(policy_set(one_rule(top=GROUPS + text)), CARD)
    assert verdict.matches[0].exception == ("e" if lifted else "")


def test_an_exception_reaches_its_own_file_alone() -> None:
    """A desk cannot loosen a rule of the same name in another file."""
    exception = (
        "exceptions: [{ id: e, rule: rule, for: '*', expires: 2026-02-01, approved_by: c, because: b }]\n"
    )
    policies = policy_set(one_rule(name="desk", top=exception), one_rule(name="firm"))
    verdict = weigh(policies, CARD)
    assert verdict.outcome is Outcome.BLOCK and verdict.reason == "rule firm/rule"
    assert [(m.policy, m.enforced) for m in verdict.matches] == [("desk", False), ("firm", True)]


# --- rollout and files ----------------------------------------------------------------------------------


def test_rollout_by_group_enforces_for_its_conversations() -> None:
    """For everybody else the rule is monitored."""
    for group, outcome in (("clients", Outcome.BLOCK), ("nobody", Outcome.DELIVER)):
        verdict = weigh(policy_set(one_rule(top=GROUPS, more=f"    rollout: {{ groups: {group} }}\n")), CARD)
        assert verdict.outcome is outcome and verdict.matches[0].enforced is (outcome is Outcome.BLOCK)


def test_rollout_by_percent_sticks_to_the_conversation() -> None:
    """About so many conversations, the same ones every time, and both directions of each."""
    policies = policy_set(one_rule(more="    rollout: { percent: 30 }\n"))
    enforced = 0
    for number in range(400):
        there = Route(ALICE, CLIENT, WEIXIN, f"wx{number}")
        back = Route(CLIENT, ALICE, SYMPHONY, f"c{number}")
        sent = replace(message(CARD), conversation=f"c{number}")
        answer = replace(message(CARD), network=WEIXIN, conversation=f"wx{number}")
        out = weigh(policies, sent, route=there).matches[0].enforced
        assert weigh(policies, answer, to=SYMPHONY, route=back).matches[0].enforced is out
        enforced += out
    assert 80 <= enforced <= 160


def test_a_file_is_in_force_where_its_groups_are() -> None:
    """Elsewhere it decides nothing and is not named; among strangers every file is in force."""
    desk = one_rule(name="desk", top=f"{GROUPS}applies_to: {{ groups: [nobody, clients] }}\n")
    other = one_rule(name="other", top=f"{GROUPS}applies_to: {{ groups: nobody }}\n")
    policies = policy_set(desk, other)
    verdict = weigh(policies, CARD)
    assert verdict.reason == "rule desk/rule" and [name for name, _ in verdict.policies] == ["desk"]
    assert [name for name, _ in weigh(policies, CARD, route=None).policies] == ["desk", "other"]


def test_where_no_file_is_in_force_everything_is_held() -> None:
    """What nobody has a policy for is a failure, not a permission."""
    policies = policy_set(one_rule(top=f"{GROUPS}applies_to: {{ groups: nobody }}\n"))
    verdict = weigh(policies, "hello")
    assert (verdict.outcome, verdict.cause) == (Outcome.HOLD, Cause.FAILURE)
    assert verdict.reason == "no policy is for this conversation"


# --- effects --------------------------------------------------------------------------------------------


def after(then: str, text: Any = CARD, *, mode: str = "enforce") -> Verdict:
    """The verdict of one rule that says so."""
    return weigh(policy_set(one_rule(then=f"{{ {then} }}", more=f"    mode: {mode}\n")), text)


def test_annotate_delivers_with_a_text_below() -> None:
    """An outcome of its own between delivering and masking."""
    verdict = after("annotate: { en: Not advice. }")
    assert (verdict.outcome, verdict.text) == (Outcome.ANNOTATE, CARD)
    assert verdict.annotations == (Annotation("p/rule", {"en": "Not advice."}),)
    assert after("annotate: { en: x }, redact: true").outcome is Outcome.REDACT


def test_effects_are_handed_on() -> None:
    """Whom to notify, what to review after delivery, and how much of it."""
    verdict = after(
        "notify: [b@bank.example, a@bank.example], sample: { percent: 10, queue: daily, reason: m }"
    )
    assert verdict.outcome is Outcome.DELIVER and verdict.cause is Cause.DEFAULT
    assert verdict.notify == ("a@bank.example", "b@bank.example")
    assert verdict.samples == (Sample("p/rule", "daily", 10.0, "m"),)
    assert after("review: all").samples == (Sample("p/rule", "review", 100.0),)
    both = after("review: all, sample: { percent: 1, queue: daily }")
    assert both.samples == (Sample("p/rule", "daily", 100.0),)


def test_a_monitored_rule_has_no_effects() -> None:
    """Nobody is told, nothing is masked, annotated, reviewed or queued."""
    then = "hold: { queue: q, decide_within: 5m }, redact: true, annotate: { en: x }, tag: t, review: all, "
    verdict = after(then + "notify: a@bank.example, tell_sender: { en: x }", mode="monitor")
    assert (verdict.outcome, verdict.text, verdict.tags, verdict.tell) == (Outcome.DELIVER, CARD, (), {})
    assert (verdict.notify, verdict.samples, verdict.annotations, verdict.queue) == ((), (), (), "")
    assert verdict.matches[0].outcome is Outcome.HOLD


def test_a_hold_says_where_how_long_and_what_then() -> None:
    """Queue, deadline in milliseconds, and `escalate` where nothing else is written; in words, too."""
    verdict = after("hold: { queue: control-room, decide_within: 15m, if_late: block, conversation: wait }")
    assert (verdict.queue, verdict.decide_within, verdict.if_late) == ("control-room", 900_000, "block")
    assert verdict.waits and verdict.matches[0].why.endswith("queue control-room within 15m, then block")
    assert after("hold: { decide_within: 1h }").if_late == "escalate"
    plain = after("hold: true")
    assert (plain.queue, plain.decide_within, plain.if_late) == ("review", 0, "")


def test_several_holds_are_in_all_their_queues_until_the_soonest_deadline() -> None:
    """No queue loses it to another; `block` beats `escalate` whoever says it."""
    text = f"policy: p\n{HEAD}detectors: {{ card: {{ type: payment_card }} }}\nrules:\n"
    for name, hold in (
        ("a", "{ queue: slow, decide_within: 2h, if_late: block }"),
        ("b", "{ queue: fast, decide_within: 5m }"),
        ("c", "{ queue: never }"),
    ):
        text += f"  - {{ id: {name}, title: t, because: b, severity: low, then: {{ hold: {hold} }},"
        text += " when: { direction: both, finds: card } }\n"
    verdict = weigh(policy_set(text), CARD)
    assert (verdict.queue, verdict.decide_within, verdict.if_late) == ("fast, never, slow", 300_000, "block")
    assert len(verdict.matches) == 3 and all("queue" in match.why for match in verdict.matches)


def test_a_message_held_by_a_failure_goes_to_the_usual_queue() -> None:
    """Whatever fails has to be read by somebody."""
    assert after("block: true", message("x", defect="d")).queue == "review"
    assert after("block: true", CARD).queue == ""


def test_masks_of_several_files_are_united() -> None:
    """The stronger mask holds wherever two files mask the same characters."""
    mild = one_rule(name="mild", then="{ redact: { keep_last: 4 } }")
    strong = one_rule(
        "n: { type: pattern, pattern: '1111 1111$' }",
        "{ direction: both, finds: n }",
        "{ redact: { style: fixed } }",
        name="strong",
    )
    assert weigh(policy_set(mild), CARD).text == "**** **** **** 1111"
    assert weigh(policy_set(mild, strong), CARD).text == "****"
    assert weigh(policy_set(strong, mild), CARD).text == "****"


def test_a_mask_that_cannot_reach_a_file_holds_instead() -> None:
    """Also where the rule only annotates besides."""
    sent = message("see", files=(File("ref", f"{CARD}.pdf"),))
    verdict = after("redact: true, annotate: { en: x }", sent)
    assert verdict.outcome is Outcome.HOLD
