"""Every key of `when` and `unless`: what makes it hold, and what does not."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from policy_rig import HEAD, message, one_rule, policy_set, weigh

from bridge.message import SYMPHONY, WEIXIN, Earlier, File, Inspection, Kind, Message, Outcome
from bridge.policy import detectors
from bridge.policy.folding import Folded

CARD = "4111 1111 1111 1111"
OTHER = "5555 5555 5555 4444"
PDF = Inspection("Report 2026.PDF", "pdf", 3 << 20)
PNG = Inspection("chart.png", "png", 200)


def acts(when: str, text: str | Message = CARD, **more: Any) -> bool:
    """Whether a rule with these keys, besides a direction, acts."""
    policies = policy_set(one_rule(when=f"{{ direction: both, {when} }}", top="timezone: Asia/Hong_Kong\n"))
    return weigh(policies, text, **more).outcome is Outcome.BLOCK


def hong_kong(written: str) -> datetime.datetime:
    """A moment in Hong Kong, told in UTC."""
    return (datetime.datetime.fromisoformat(written) - datetime.timedelta(hours=8)).replace(
        tzinfo=datetime.UTC
    )


def said(*texts: str, minutes: int = 1) -> tuple[Earlier, ...]:
    """What Alice wrote before, so many minutes apart; the message itself is sent at 0."""
    first = -60_000 * minutes * len(texts)
    return tuple(Earlier(n, first + 60_000 * minutes * n, text) for n, text in enumerate(texts))


@pytest.mark.parametrize(
    ("recipient", "to", "expected"),
    [
        ("'tag:客户'", WEIXIN, True),
        ("'tag:客户'", SYMPHONY, False),
        ("'*@bank.example'", SYMPHONY, True),
        ("[bob.li@bank.example, wm-lilei]", WEIXIN, True),
    ],
)
def test_the_recipient_is_who_gets_it(recipient: str, to: str, expected: bool) -> None:
    """Not who wrote it: the same person may be the one or the other."""
    assert acts(f"recipient: {recipient}", to=to) is expected


def test_strangers_have_no_recipient() -> None:
    """Where nobody is paired nobody receives anything; the default decides."""
    assert not acts("recipient: '*'", route=None)


@pytest.mark.parametrize(
    ("chat", "expected"), [("c1", True), ("c2", True), ("[c3, c2]", True), ("c3", False)]
)
def test_a_conversation_is_known_by_either_id(chat: str, expected: bool) -> None:
    """Where it comes from or where it goes: both are ids of the same chat."""
    assert acts(f"conversation: {chat}") is expected


@pytest.mark.parametrize(
    ("written", "moment", "outside"),
    [
        ("hours: '09:00-18:30'", "2026-11-20T09:00", False),
        ("hours: '09:00-18:30'", "2026-11-20T18:29", False),
        ("hours: '09:00-18:30'", "2026-11-20T18:30", True),
        ("hours: '09:00-18:30'", "2026-11-20T08:59", True),
        ("days: weekdays", "2026-11-20T23:59", False),
        ("days: weekdays", "2026-11-21T00:00", True),
        ("days: [sat, sun]", "2026-11-21T00:00", False),
        ("days: trading, calendar: XHKG", "2026-02-17T10:00", True),
        ("days: trading, calendar: XNYS", "2026-02-17T10:00", False),
        ("days: trading, calendar: XNYS, hours: '09:00-18:00'", "2026-02-17T20:00", True),
    ],
)
def test_outside_is_by_the_clock_of_the_policy(written: str, moment: str, outside: bool) -> None:
    """Other hours or another kind of day, in the policy's time zone, at the moment of judgement."""
    assert acts(f"outside: {{ {written} }}", now=hong_kong(moment)) is outside


@pytest.mark.parametrize(
    ("text", "expected"),
    [(CARD, False), (f"{CARD} and {OTHER}", True), (f"{CARD} / {CARD}", True), ("hello", False)],
)
def test_count_is_of_places_in_the_message(text: str, expected: bool) -> None:
    """Two places, be they equal or not."""
    assert acts("finds: card, count: { at_least: 2 }", text) is expected


def test_two_detectors_at_one_place_count_once() -> None:
    """A number that is a card to one detector and a pattern to another is one number."""
    detectors = "card: { type: payment_card }\n  num: { type: pattern, pattern: '[0-9 ]{10,}' }"
    policies = policy_set(
        one_rule(detectors, "{ direction: both, finds: [card, num], count: { at_least: 2 } }")
    )
    assert weigh(policies, CARD).matches == ()
    assert weigh(policies, f"{CARD}, {OTHER}").matches != ()


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [
        ((), False),
        (said(CARD), False),
        (said(CARD, OTHER), True),
        (said(CARD, "hello", OTHER), True),
        (said(CARD, OTHER, minutes=10), False),
        (said("hello", "hello", "hello"), False),
    ],
)
def test_count_within_a_time_is_of_the_senders_messages(earlier: tuple[Earlier, ...], expected: bool) -> None:
    """Messages that match, this one included, of the last ten minutes."""
    assert acts("finds: card, count: { at_least: 3, within: 10m }", earlier=earlier) is expected


def test_count_without_finds_is_of_all_messages() -> None:
    """How much somebody writes, whatever it is."""
    assert acts("kind: text, count: { at_least: 3, within: 10m }", "hi", earlier=said("a", "b"))
    assert not acts("kind: text, count: { at_least: 3, within: 10m }", "hi", earlier=said("a"))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ("types: pdf", True),
        ("types: [exe, zip]", False),
        ("larger_than: 2MB", True),
        ("larger_than: 3MB", False),
        ("name: '*report*'", True),
        ("name: report", False),
        ("types: png, larger_than: 2MB", False),
        ("types: pdf, larger_than: 2MB, name: ['x', '*.pdf']", True),
    ],
)
def test_one_attachment_must_be_all_that_is_written(files: str, expected: bool) -> None:
    """Type by content, size, and name without case: of one and the same file."""
    assert acts(f"files: {{ {files} }}", "see", inspections=(PDF, PNG)) is expected


def test_a_file_that_was_not_inspected_has_a_name_and_a_size() -> None:
    """What the network says of it; its type is not known."""
    sent = message("see", files=(File("ref", "big.bin", size=5 << 20),))
    assert acts("files: { larger_than: 1MB }", sent) and acts("files: { types: unknown }", sent)
    assert not acts("files: { types: pdf }", sent)


def test_edits_and_recalls_are_known() -> None:
    """`true` asks for them, `false` for everything else."""
    edited, recalled = message("x", replaces="m0"), message("x", kind=Kind.RECALL)
    assert acts("edited: true", edited) and not acts("edited: true", "x")
    assert acts("edited: false", "x") and not acts("edited: false", edited)
    assert acts("recalled: true", recalled) and not acts("recalled: true", edited)
    assert acts("recalled: false", "x") and not acts("recalled: false", recalled)


@pytest.mark.parametrize(
    ("text", "to", "expected"),
    [(CARD, WEIXIN, True), (CARD, SYMPHONY, False), ("hello", SYMPHONY, True), ("hello", WEIXIN, False)],
)
def test_one_of_the_ways_under_any_must_hold(text: str, to: str, expected: bool) -> None:
    """Each way has keys of its own, a direction too."""
    ways = "any: [{ finds: card, direction: to_weixin }, { finds: greeting, sender: 'tag:客户' }]"
    detectors = "card: { type: payment_card }\n  greeting: { type: pattern, pattern: hello }"
    policies = policy_set(one_rule(detectors, f"{{ direction: both, {ways} }}"))
    assert bool(weigh(policies, text, to=to).matches) is expected


def test_what_is_found_on_any_way_is_shown() -> None:
    """The places of all ways that hold, beside those of `finds`."""
    detectors = "card: { type: payment_card }\n  greeting: { type: pattern, pattern: hello }"
    when = "{ direction: both, finds: card, any: [{ finds: greeting }, { kind: voice }] }"
    verdict = weigh(policy_set(one_rule(detectors, when, "{ redact: true }")), f"hello {CARD}")
    assert (
        verdict.matches[0].detectors == ("card", "greeting") and verdict.text == "***** **** **** **** ****"
    )
    assert weigh(policy_set(one_rule(detectors, when)), CARD).matches == ()


def test_unless_has_the_same_keys() -> None:
    """A direction, a time, a way: all of it takes the match away, and only all of it."""
    policies = policy_set(
        f"policy: p\n{HEAD}detectors: {{ card: {{ type: payment_card }} }}\nrules:\n"
        "  - { id: rule, title: t, because: b, severity: low, when: { direction: both, finds: card },\n"
        "      unless: { direction: to_weixin, any: [{ sender: 7001 }, { edited: true }] },\n"
        "      then: { block: true } }\n"
    )
    assert weigh(policies, CARD).matches == () and weigh(policies, CARD, to=SYMPHONY).matches != ()


def test_context_may_stand_in_the_messages_before() -> None:
    """The word in one message, the number in the next one or the one after."""
    detector = (
        "acc: { type: pattern, pattern: '88[0-9]{8}', context: { words: 账户, within: 5, messages: 2 } }"
    )
    policies = policy_set(one_rule(detector, "{ direction: both, finds: acc }"))
    assert weigh(policies, "8812345678", earlier=said("我的账户", "好")).matches != ()
    assert weigh(policies, "8812345678", earlier=said("我的账户", "好", "请等")).matches == ()
    assert weigh(policies, "8812345678", earlier=said("8812345678")).matches == ()
    assert weigh(policies, "好", earlier=said("我的账户 8812345678")).matches == ()
    assert weigh(policies, "我的账户，请看：8812345678").matches != ()


def test_a_long_conversation_is_read_only_as_far_as_it_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five thousand earlier messages, those of the time that counts, and only until there are enough."""
    looked: list[str] = []
    monkeypatch.setattr(detectors, "Folded", lambda text: looked.append(text) or Folded(text))
    earlier = tuple(Earlier(n, (n - 5000) * 1000, CARD) for n in range(5000))
    assert acts("finds: card, count: { at_least: 4, within: 10m }", earlier=earlier)
    assert len(looked) == 3
    assert not acts("finds: card, count: { at_least: 4, within: 1m }", earlier=earlier[:-58])
    assert len(looked) == 4
