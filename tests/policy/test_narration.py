"""A trace as people read it: nothing is left out, in any language."""

from __future__ import annotations

import json
import string

import pytest
from policy_rig import ALICE, CLIENT, HEAD, NOW, message, one_rule, policy_set

from bridge.message import WEIXIN, Context, Route
from bridge.policy import PolicySet, as_record
from bridge.policy.catalogue.trace_texts import TRACE_TEXTS
from bridge.policy.narration import as_object, narrate
from bridge.policy.rendering import cells
from bridge.policy.trace import Trace, trace

POLICY = f"""policy: desk
{HEAD}groups: {{ clients: {{ weixin: "tag:客户" }}, staff: {{ symphony: "*@bank.example" }} }}
lists: {{ deals: {{ words: [并购] }} }}
detectors:
  deals: {{ type: words, list: deals }}
  card: {{ type: payment_card }}
  account: {{ type: pattern, pattern: '88[0-9]{{8}}', boundary: digits, context: {{ words: [账户] }} }}
barriers: [{{ id: wall, from: clients, to: staff }}]
rules:
  - id: deals
    title: Deals are read first
    severity: high
    when: {{ direction: both, finds: deals }}
    then:
      hold: {{ queue: control-room, conversation: wait, decide_within: 15m, if_late: escalate }}
      redact: {{ keep_last: 0 }}
      tag: deal
      notify: bob.li@bank.example
      sample: {{ percent: 5, queue: quality }}
      annotate: {{ en: Confidential. }}
      tell_sender: {{ en: It waits., zh: 正在等待。 }}
  - {{ id: inbound, title: t, severity: low, when: {{ direction: to_symphony }}, then: {{ block: true }} }}
  - {{ id: idle, title: t, severity: low, mode: off, when: {{ direction: both }}, then: {{ block: true }} }}
  - {{ id: 观察, title: t, severity: low, mode: monitor, when: {{ direction: both }},
      then: {{ block: true }} }}
  - {{ id: mine, title: t, severity: low, when: {{ direction: both }}, unless: {{ groups: staff }},
      then: {{ block: true }} }}
  - {{ id: unsure, title: t, severity: low, when: {{ direction: both, finds: account, confidence: high }},
      then: {{ block: true }} }}
consent: {{ from: clients, text: {{ en: May we }} }}
retention: [{{ id: seven, keep: 7y }}]
legal_holds: [{{ id: case, people: alice.wong@bank.example, since: 2020-01-31, approved_by: b }}]
archive: [{{ id: vault, to: s3://vault }}]
"""


@pytest.fixture(scope="module")
def policies() -> PolicySet:
    """A policy in which nearly everything happens."""
    return policy_set(POLICY)


@pytest.fixture(scope="module")
def told(policies: PolicySet) -> Trace:
    """A message about a deal, and a number that could be an account."""
    context = Context("to_weixin", Route(ALICE, CLIENT, WEIXIN, "c2"))
    return trace(policies, message("併購的事, 8812345678"), context, NOW)


def test_the_whole_story_in_english(policies: PolicySet, told: Trace) -> None:
    """Outcome and queue, text, what people are told, every rule with its reason, records, hashes."""
    lines = narrate(policies, told)
    assert lines[0] == (
        "HOLD (queue control-room; to be decided within 15 min; then escalated; later messages wait)"
    )
    assert "  Delivered, if released, as: **的事, 8812345678" in lines
    assert "  The sender is told (zh): 正在等待。" in lines
    assert "  The client is asked (en): May we" in lines
    assert {"  Tags: deal", "  Notified: bob.li@bank.example"} <= set(lines)
    assert "  Reviewed after delivery: 5 % by quality" in lines
    assert "  Below the message (desk/deals, en): Confidential." in lines
    rules = [line.split(None, 3) for line in lines if line.startswith("  ") and " enforce " in line]
    assert rules == [
        ["wall", "enforce", "–", "not between these people"],
        ["deals", "enforce", "hold", "併購 = 并购 (list deals); confidence high"],
        ["inbound", "enforce", "–", "not: the message goes to Symphony"],
        ["mine", "enforce", "–", "taken away by `unless`: somebody of staff takes part"],
        ["unsure", "enforce", "–", "found, but not surely enough"],
    ]
    assert any(line.split() == ["观察", "monitor", "(block)", "all", "conditions", "hold"] for line in lines)
    assert any(line.split() == ["idle", "off", "–", "not", "asked"] for line in lines)
    assert "  desk/consent/gate  hold  not given" in lines
    assert any(line.strip() == "8812345678 = account; confidence low" for line in lines)
    assert "Kept for 7y from creation (desk/seven)" in lines
    assert "Legal hold: desk/case" in lines and "Copies to: desk/vault" in lines
    digest = policies.hashes[0][1]
    assert lines[-2:] == [f"Policies: desk sha256:{digest[:12]}", f"Engine: {policies.engine_version}"]


@pytest.mark.parametrize("language", TRACE_TEXTS)
def test_columns_stand_below_each_other(language: str, policies: PolicySet, told: Trace) -> None:
    """A Chinese name takes two cells for each character, and the columns know it."""
    lines = [line for line in narrate(policies, told, language) if line.startswith(("  wall", "  观察"))]
    (wall, watched) = lines
    mode = TRACE_TEXTS[language]
    assert cells(wall[: wall.index(mode["mode.enforce"])]) == cells(
        watched[: watched.index(mode["mode.monitor"])]
    )


def test_every_language_says_the_same() -> None:
    """The tables have the same rows, with the same values."""

    def values(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    english = TRACE_TEXTS["en"]
    for texts in TRACE_TEXTS.values():
        assert set(texts) == set(english)
        assert all(values(text) == values(english[key]) for key, text in texts.items())


@pytest.mark.parametrize("language", ["zh-Hans", "zh-Hant"])
def test_the_story_in_chinese(language: str, policies: PolicySet, told: Trace) -> None:
    """No English is left but names and what was written."""
    text = "\n".join(narrate(policies, told, language))
    assert not [word for word in ("enforce", "confidence", "hold", "not:", "queue ") if word in text.lower()]


REASONS = {
    f"{one_rule(name='desk')}defaults: {{ unmatched: hold }}\n": ("没有规则符合", "沒有規則符合"),
    one_rule(when="{ direction: both }", name="desk"): ("规则 desk/rule", "規則 desk/rule"),
    f"policy: desk\n{HEAD}kinds: {{ text: block }}\n": ("kinds desk：文字", "kinds desk：文字"),
    POLICY: ("consent desk：尚未取得", "consent desk：尚未取得"),
}


@pytest.mark.parametrize("policy", REASONS)
def test_reasons_are_said_in_chinese_too(policy: str) -> None:
    """The judge's own words are known again: they are one row of the table in each language."""
    one = policy_set(policy)
    told = trace(one, message("你好"), Context("to_weixin", Route(ALICE, CLIENT, WEIXIN, "c2")), NOW)
    for language, reason in zip(("zh-Hans", "zh-Hant"), REASONS[policy], strict=True):
        assert f"  原因：{reason}" in narrate(one, told, language)
    assert f"  Because: {told.verdict.reason}" in narrate(one, told)


def test_nothing_is_added_to_what_is_not_delivered() -> None:
    """A disclaimer stands below a message that arrives; a blocked one does not arrive."""
    notice = "disclaimers: [{ id: notice, direction: both, every: message, text: { en: Notice. } }]\n"
    blocking = policy_set(one_rule(when="{ direction: both }") + notice)
    passing = policy_set(one_rule(when="{ direction: both }", then="{ tag: t }") + notice)
    context = Context("to_weixin", Route(ALICE, CLIENT, WEIXIN, "c2"))
    for policies, shown in ((blocking, False), (passing, True)):
        lines = narrate(policies, trace(policies, message("x"), context, NOW))
        assert any("Notice." in line for line in lines) is shown


def test_programs_get_the_same_object(told: Trace) -> None:
    """Verdict and rules as plain values."""
    plain = json.loads(json.dumps(as_object(told, as_record(told.verdict)), default=str))
    assert plain["verdict"]["outcome"] == "hold"
    assert [rule["failed"] for rule in plain["rules"] if rule["id"] == "inbound"] == ["direction"]
    (deal,) = [rule for rule in plain["rules"] if rule["id"] == "deals"]
    assert deal["findings"][0]["word"] == "并购" and deal["match"]["enforced"] is True
