"""The gate and disclaimers: when a client is asked, what counts as yes, and how often something is said."""

from __future__ import annotations

import datetime

import pytest
from policy_rig import NOW, one_rule, policy_set, weigh, words_rule

from bridge.message import SYMPHONY, WEIXIN, Cause, Outcome
from bridge.policy import PolicySet

GROUPS = "groups: { clients: { weixin: 'tag:客户' }, others: { weixin: 'tag:贵宾' } }\n"
MOMENT = int(NOW.timestamp() * 1000)
DAY = 86_400_000


def gated(more: str = "", clients: str = "clients", **rule: str) -> PolicySet:
    """A policy with a gate in front of `clients`."""
    text = "text: { zh: 您同意吗？, en: 'Do you agree?' }"
    return policy_set(one_rule(top=f"{GROUPS}consent: {{ from: {clients}, {text}{more} }}\n", **rule))


def test_nothing_passes_to_a_client_before_consent() -> None:
    """Held, with the question to ask, and with nothing else in the way."""
    verdict = weigh(gated(), "hello")
    assert (verdict.outcome, verdict.cause, verdict.reason) == (
        Outcome.HOLD,
        Cause.RULE,
        "consent p: not given",
    )
    assert verdict.gated and verdict.ask == {"en": "Do you agree?", "zh": "您同意吗？"}
    assert [match.rule for match in verdict.matches] == ["consent/gate"]
    assert weigh(gated(", until_given: block"), "hello").outcome is Outcome.BLOCK


def test_a_gate_is_for_its_clients_and_one_way() -> None:
    """Other clients, the clients' own messages, and those who have agreed pass."""
    assert weigh(gated(clients="others"), "hello").outcome is Outcome.DELIVER
    assert weigh(gated(), "hello", to=SYMPHONY).outcome is Outcome.DELIVER
    given = weigh(gated(), "hello", consent={"p": MOMENT - 5000 * DAY})
    assert given.outcome is Outcome.DELIVER and not given.gated and given.ask == {}
    assert weigh(gated(), "hello", consent={"q": MOMENT}).gated


@pytest.mark.parametrize(("days", "open_"), [(0, True), (29, True), (30, False), (31, False)])
def test_consent_grows_old(days: int, open_: bool) -> None:
    """After its period it has to be given again, and the reason says why."""
    verdict = weigh(gated(", renew_every: 30d"), "hello", consent={"p": MOMENT - days * DAY})
    assert verdict.gated is not open_ and verdict.reason == ("" if open_ else "consent p: older than 30d")


def test_what_else_stops_a_message_is_not_for_the_client_to_open() -> None:
    """A message that is held as well still asks; one that is blocked asks nobody."""
    card = "4111 1111 1111 1111"
    held = weigh(gated(then="{ hold: true }"), card)
    assert (held.outcome, held.gated, bool(held.ask)) == (Outcome.HOLD, False, True)
    blocked = weigh(gated(then="{ block: true }"), card)
    assert (blocked.outcome, blocked.gated, blocked.ask) == (Outcome.BLOCK, False, {})
    masked = weigh(gated(then="{ redact: true }"), card)
    assert masked.gated and masked.text == "**** **** **** ****"


@pytest.mark.parametrize(
    ("answer", "agrees"),
    [
        ("同意", True),
        (" 我同意。", True),
        ("我 同意", False),
        ("I AGREE!", True),
        ("Ｙｅｓ", True),
        ("不同意", False),
        ("我同意你的看法", False),
        ("yes, but", False),
        ("", False),
    ],
)
def test_a_client_agrees_with_one_of_the_answers_and_nothing_else(answer: str, agrees: bool) -> None:
    """The whole message, whatever its case, width and final point; never a part of it."""
    assert weigh(gated(), answer, to=SYMPHONY).agreed == (("p",) if agrees else ())


def test_only_who_is_asked_can_agree() -> None:
    """Staff cannot agree for him, and who has agreed needs not."""
    assert weigh(gated(), "同意", to=WEIXIN).agreed == ()
    assert weigh(gated(clients="others"), "同意", to=SYMPHONY).agreed == ()
    assert weigh(gated(), "同意", to=SYMPHONY, consent={"p": MOMENT}).agreed == ()
    old = {"p": MOMENT - 40 * DAY}
    assert weigh(gated(", renew_every: 1m"), "同意", to=SYMPHONY, consent=old).agreed == ("p",)


def test_own_answers_replace_the_usual_ones() -> None:
    """Traditional and Simplified are one, as everywhere."""
    policies = gated(", agree: [我確認]")
    assert weigh(policies, "我确认", to=SYMPHONY).agreed == ("p",)
    assert weigh(policies, "同意", to=SYMPHONY).agreed == ()


def test_every_gate_must_be_open() -> None:
    """Two files ask two questions; one consent opens one of them."""
    text = "text: { zh: 二？ }"
    second = words_rule("秘密").replace("policy: p", "policy: q")
    second = second.replace("detectors:", f"{GROUPS}consent: {{ from: clients, {text} }}\ndetectors:", 1)
    first = one_rule(top=f"{GROUPS}consent: {{ from: clients, text: {{ zh: 一？ }} }}\n")
    policies = policy_set(first, second)
    assert weigh(policies, "hello").ask == {"zh": "一？ 二？"}
    assert weigh(policies, "hello", consent={"p": MOMENT}).ask == {"zh": "二？"}
    assert not weigh(policies, "hello", consent={"p": MOMENT, "q": MOMENT}).gated


# --- disclaimers ----------------------------------------------------------------------------------------


def says(options: str, **more: object) -> bool:
    """Whether a disclaimer with these options goes below a message."""
    text = "text: { en: Not advice. }"
    top = f"timezone: Asia/Hong_Kong\n{GROUPS}disclaimers: [{{ id: d, {options}, {text} }}]\n"
    verdict = weigh(policy_set(one_rule(top=top)), "hello", **more)
    assert verdict.outcome is Outcome.DELIVER
    return [annotation.key for annotation in verdict.annotations] == ["p/d"]


@pytest.mark.parametrize(
    ("options", "to", "said"),
    [
        ("direction: to_weixin", WEIXIN, True),
        ("direction: to_weixin", SYMPHONY, False),
        ("direction: both, for: clients", SYMPHONY, True),
        ("direction: both, for: others", WEIXIN, False),
        ("direction: both, for: all", WEIXIN, True),
    ],
)
def test_a_disclaimer_is_for_a_direction_and_for_people(options: str, to: str, said: bool) -> None:
    """It goes below the text and changes no outcome."""
    assert says(options, to=to) is said


def hong_kong(written: str) -> datetime.datetime:
    """A moment in Hong Kong."""
    hours = datetime.timezone(datetime.timedelta(hours=8))
    return datetime.datetime.fromisoformat(written).replace(tzinfo=hours)


@pytest.mark.parametrize(
    ("every", "before", "said"),
    [
        ("message", "2026-01-05T19:59", True),
        ("day", "2026-01-05T00:00", False),
        ("day", "2026-01-04T23:59", True),
        ("week", "2025-12-30T00:00", False),
        ("week", "2025-12-29T23:00", True),
        ("once", "2020-01-01T00:00", False),
    ],
)
def test_a_disclaimer_is_repeated_as_often_as_it_says(every: str, before: str, said: bool) -> None:
    """Days are those of the policy's time zone; a week is seven of them."""
    when = int(hong_kong(before).timestamp() * 1000)
    now = hong_kong("2026-01-05T20:00")
    options = f"direction: both, every: {every}"
    assert says(options, said={"p/d": when}, now=now) is said
    assert says(options, said={"p/other": when}, now=now)
