"""Known positives: is every detector of the policies in force still able to find what it is there for?

Rules of this file: pure. For each detector something is taken that it must find: a word of its lists, an
example of its kind, or a message of the policy's own tests. It is looked for with the very engine that
decides, and judged by a copy of the policy with a rule that asks for this one detector. Nothing is archived
and nothing delivered. FCA Market Watch 79 asks firms to test their alerts with seeded messages.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from zoneinfo import ZoneInfo

from bridge.message import SYMPHONY, WEIXIN, Context, Message, Party, Route
from bridge.policy import language as lang
from bridge.policy.compiled import Policy, PolicySet, build
from bridge.policy.detectors import Days, Scan
from bridge.policy.folding import Folded, fold
from bridge.policy.judge import judge

WELL = "well"
SILENT = "silent: it does not find what it has to find"
EMPTY = "silent: its lists have no word"
UNTRIED = "untried: no message is known that it must find; write a test that it finds"

#: What detectors must find, by type; every number is an example and nobody's.
EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "payment_card": (
        "card 4111 1111 1111 1111",
        "card 5555 5555 5555 4444",
        "card 378282246310005",
        "银行卡 6200 0000 0000 0005",
    ),
    "china_resident_id": ("身份证 11010519491231002X",),
    "hkid": ("HKID A123456(3)",),
    "taiwan_id": ("身分證 A123456789",),
    "iban": ("IBAN GB82 WEST 1234 5698 7654 32",),
    "bic": ("SWIFT DEUTDEFF500",),
    "lei": ("LEI 5493001KJTIIGC8Y1R12",),
    "isin": ("ISIN US0378331005",),
    "uscc": ("统一社会信用代码 91350100M000100Y43",),
    "email": ("mail carol@bank.example",),
    "url": ("see https://bank.example/a",),
    "secret": ("password: Tr0ub4dor&3xYz",),
    "passport": ("护照 E12345678", "passport K12345678"),
    "home_return_permit": ("回乡证 H12345678",),
    "taiwan_permit": ("台胞证 12345678",),
    "macau_bir": ("澳门身份证 1234567(8)", "BIR 5215299(8)"),
    "phone": ("call +86 138 0013 8000", "电话 13800138000", "call +852 2123 4567"),
    "crypto_wallet": (
        "BTC wallet 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "wallet 0x52908400098527886E0F7030069857D2E4169EE7",
    ),
}

MOST = 5
"""Words of a list that are tried."""

_STAFF = Party(SYMPHONY, "canary", address="canary@bank.example")
_CLIENT = Party(WEIXIN, "canary", language="zh")
_PROBE = "canary"


def sing(policies: PolicySet, now: datetime.datetime) -> dict[str, str]:
    """By "policy/detector": `WELL`, or what is wrong. `now` has a time zone."""
    return {
        f"{policy.name}/{name}": _detector(policies, policy, name, now)
        for policy in policies.policies
        for name in sorted(policy.model.detectors)
    }


def _detector(policies: PolicySet, policy: Policy, name: str, now: datetime.datetime) -> str:
    model = policy.model.detectors[name]
    texts = list(_positives(policy, name, now))
    if not texts:
        return EMPTY if isinstance(model, lang.WordsDetector) else UNTRIED
    probing = _probing(policy, name)
    found = any(_met(policies, text, now) and _hits(probing, text, now) for text in texts)
    if found:
        return WELL
    if isinstance(model, lang.PatternDetector) and not any(True for _ in _tested(policy, name)):
        return UNTRIED
    return SILENT


def _positives(policy: Policy, name: str, now: datetime.datetime) -> Iterator[str]:
    """Messages of which the detector must find one at least."""
    model = policy.model.detectors[name]
    beside = f" {model.context.words[0]}" if model.context else ""
    if isinstance(model, lang.WordsDetector):
        for one in model.list:
            counts = (word for word in policy.draft.words[one] if _counts(policy, one, word, now))
            yield from (f"{word}{beside}" for word in islice(counts, MOST))
    yield from (f"{text}{beside}" for text in EXAMPLES.get(model.type, ()))
    yield from _tested(policy, name)


def _counts(policy: Policy, one: str, word: str, now: datetime.datetime) -> bool:
    """Whether a word counts today, by the calendar of its policy."""
    spans = policy.draft.dates.get(one, {}).get(fold(word).strip())
    return spans is None or Days(spans, ZoneInfo(policy.model.timezone)).include(now)


def _asked(rule: lang.Rule) -> frozenset[str]:
    """The detectors that a rule asks for."""
    ways = (rule.when, *(rule.when.any or ()))
    return frozenset(name for way in ways for name in way.finds or ())


def _tested(policy: Policy, name: str) -> Iterator[str]:
    """Messages that the policy's own tests expect a rule with this detector to stop."""
    for rule in policy.model.rules:
        if name in _asked(rule):
            yield from (test.given[-1] for test in rule.tests if test.expect != "deliver")


def _met(policies: PolicySet, text: str, now: datetime.datetime) -> bool:
    """Whether the engine that decides sees anything at all in a text."""
    return bool(Scan([Folded(text)], policies.engine, now).candidates())


def _probing(policy: Policy, name: str) -> PolicySet:
    """The policy with its detectors and lists as they are, and one rule that holds what `name` finds."""
    rule = lang.Rule.model_validate(
        {
            "id": _PROBE,
            "title": _PROBE,
            "severity": "low",
            "mode": "enforce",
            "when": {"direction": "both", "finds": name},
            "then": {"hold": {}},
        }
    )
    bare = {"rules": (rule,), "applies_to": None}
    return build([replace(policy.draft, model=policy.model.model_copy(update=bare), expires={})])


def _hits(probing: PolicySet, text: str, now: datetime.datetime) -> bool:
    moment = round(now.timestamp() * 1000)
    message = Message(SYMPHONY, _PROBE, _PROBE, _STAFF.id, moment, text=text, address=_STAFF.address)
    policy = probing.policies[0].name
    context = Context("to_weixin", Route(_STAFF, _CLIENT, WEIXIN, _PROBE), consent={policy: moment})
    verdict = judge(probing, message, context, now)
    return any(match.rule == _PROBE for match in verdict.matches)
