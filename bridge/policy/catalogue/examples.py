"""For each code a piece of a policy that is wrong, and the same piece put right.

Rules of this file: a piece is made of blocks that begin with a key at the margin: sections of the file, or
keys of one rule. `whole` puts them into a small policy that is right otherwise, `shown` under the rule they
belong to. Codes that no text can show (a missing file) have no example.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Example(NamedTuple):
    """A wrong piece and a right one; `right` is "" where deleting the wrong one is right."""

    wrong: str
    right: str


_FILE = {
    "policy": "policy: example",
    "language": "language: 1",
    "title": "title: An example",
    "owner": "owner: compliance@bank.example",
    "detectors": "detectors:\n  card: { type: payment_card }",
}
_RULE = {
    "because": "because: Card-data standard 3",
    "severity": "severity: high",
    "when": "when: { direction: to_weixin, finds: card }",
    "then": "then: { block: true }",
    "tests": "tests: [{ given: 4111 1111 1111 1111, expect: block }]",
}
_ALSO_IN_RULES = {"mode", "unless", "review_by", "rollout"}


def whole(piece: str) -> str:
    """A policy file with `piece` in it; the rest of it is right."""
    own = list(_blocks(piece))
    keys = {key for key, _ in own}
    file = [text for key, text in _FILE.items() if key not in keys]
    file += [text for key, text in own if not _in_rule(key)]
    if "rules" not in keys:
        rule = ["id: cards", "title: Card numbers stay here"]
        rule += [text for key, text in _RULE.items() if key not in keys]
        rule += [text for key, text in own if _in_rule(key)]
        rules = "rules:\n" + _as_rule(rule)
        file.insert(len(_FILE.keys() - keys), rules)
    return "\n".join(file) + "\n"


def shown(piece: str) -> str:
    """`piece` as its reader would write it: keys of a rule under `rules:`."""
    file = [text for key, text in _blocks(piece) if not _in_rule(key)]
    rule = [text for key, text in _blocks(piece) if _in_rule(key)]
    if rule:
        file.append("rules:\n" + _as_rule(["id: cards", *rule]))
    return "\n".join(file)


def _blocks(piece: str) -> Iterator[tuple[str, str]]:
    """The blocks of `piece` with their keys."""
    for text in re.split(r"\n(?=[a-z-])", piece.strip("\n")):
        key = re.match(r"[a-z_]*", text)
        yield key[0] if key else "", text


def _in_rule(key: str) -> bool:
    return key in _RULE or key in _ALSO_IN_RULES


def _as_rule(blocks: list[str]) -> str:
    lines = "\n".join(blocks).split("\n")
    return "\n".join(("  - " if number == 0 else "    ") + line for number, line in enumerate(lines))


def _inside(words: str, *more: str) -> str:
    """A piece that blocks the words of a list which is written with `words`."""
    return "\n".join([
        f"lists:\n  inside: {{ {words} }}",
        "detectors:\n  inside: { type: words, list: inside }",
        "when: { direction: both, finds: inside }",
        *more,
    ])  # fmt: skip


def _pattern(options: str) -> str:
    """A piece that blocks what a pattern finds."""
    return "\n".join([
        f"detectors:\n  account: {{ type: pattern, {options} }}",
        "when: { direction: both, finds: account }",
        'tests: [{ given: "账户8812345678", expect: block }]',
    ])  # fmt: skip


def _rules(*rules: str) -> str:
    """A piece with whole rules."""
    return "rules:\n" + "\n".join(rules)


def _rule(
    name: str, direction: str, then: str = "block: true", because: str = "    because: memo 7\n"
) -> str:
    """A rule about card numbers, from its id to its test."""
    expected = then.partition(":")[0]
    return (
        f"  - id: {name}\n    title: Card numbers\n{because}    severity: high\n"
        f"    when: {{ direction: {direction}, finds: card }}\n    then: {{ {then} }}\n"
        f"    tests: [{{ given: 4111 1111 1111 1111, expect: {expected} }}]"
    )


_TEST = "tests: [{ given: 这是内幕消息, expect: block }]"
_EXCEPTION = (
    "exceptions:\n  - { id: alice, rule: RULE, for: alice.wong@bank.example, expires: DAY,\n"
    "      approved_by: bob.li@bank.example, because: memo 7 }"
)


def _exception(rule: str, day: str) -> str:
    return _EXCEPTION.replace("RULE", rule).replace("DAY", day)


_MASKED = _rule("mask-cards", "to_weixin", "redact: true").replace("expect: redact", "expect: block")

EXAMPLES: Mapping[str, Example] = {
    "P001": Example('owner: "compliance@bank.example', 'owner: "compliance@bank.example"'),
    "P002": Example("severity: high\nseverity: low", "severity: high"),
    "P003": Example(
        "when: &usual { direction: to_weixin, finds: card }", "when: { direction: to_weixin, finds: card }"
    ),
    "P004": Example("severity: !urgent high", "severity: high"),
    "P005": Example("then: { <<: { tag: pii }, block: true }", "then: { tag: pii, block: true }"),
    "P006": Example("severity：high", "severity: high"),
    "P007": Example("---\nowner: compliance@bank.example", "owner: compliance@bank.example"),
    "P010": Example(
        "when: { direction: to_weixin, find: card }", "when: { direction: to_weixin, finds: card }"
    ),
    "P011": Example("severity: urgent", "severity: critical"),
    "P012": Example("when: { finds: card }", "when: { finds: card, direction: to_weixin }"),
    "P013": Example("review_by: next year", "review_by: 2099-12-31"),
    "P014": Example("then: { deliver: true, block: true }", "then: { block: true }"),
    "P020": Example(
        "when: { direction: to_weixin, finds: crad }", "when: { direction: to_weixin, finds: card }"
    ),
    "P021": Example(
        _inside("words: [内幕消息]", _TEST).replace("list: inside", "list: insider"),
        _inside("words: [内幕消息]", _TEST),
    ),
    "P022": Example(
        'groups:\n  clients: { weixin: "tag:客户" }\n'
        "when: { direction: both, finds: card, groups: client }\n"
        'tests: [{ given: "4111111111111111", from: weixin, sender: "tag:客户", expect: block }]',
        'groups:\n  clients: { weixin: "tag:客户" }\n'
        "when: { direction: both, finds: card, groups: clients }\n"
        'tests: [{ given: "4111111111111111", from: weixin, sender: "tag:客户", expect: block }]',
    ),
    "P023": Example(
        _rules(_rule("cards", "to_weixin"), _rule("cards", "to_symphony")),
        _rules(_rule("cards-out", "to_weixin"), _rule("cards-in", "to_symphony")),
    ),
    "P024": Example(
        _inside("file: lists/inside.csv, columns: word", _TEST), _inside("words: [内幕消息]", _TEST)
    ),
    "P025": Example(
        _inside(
            "words: [并购], unless_words: { 合购: 合并购买 }",
            "tests: [{ given: 并购, expect: block }]",
        ),
        _inside(
            "words: [并购], unless_words: { 并购: 合并购买 }",
            "tests: [{ given: 并购, expect: block }]",
        ),
    ),
    "P026": Example(_exception("cards", "2026-01-31"), _exception("cards", "2099-12-31")),
    "P027": Example(_exception("card", "2099-12-31"), _exception("cards", "2099-12-31")),
    "P028": Example("retention:\n  - { preset: seven-years }", "retention:\n  - { keep: 7y }"),
    "P030": Example(
        "tests: [{ given: good morning, expect: deliver }]",
        "tests: [{ given: 4111 1111 1111 1111, expect: block }]",
    ),
    "P031": Example(
        "detectors:\n  card: { type: payment_card }\n  hk_id: { type: hkid }",
        "detectors:\n  card: { type: payment_card }\n  hk_id: { type: hkid }\n"
        "when: { direction: to_weixin, finds: [card, hk_id] }",
    ),
    "P032": Example(
        _rules(_rule("cards", "both"), _MASKED),
        _rules(_rule("cards", "to_symphony"), _rule("mask-cards", "to_weixin", "redact: true")),
    ),
    "P033": Example(_rules(_rule("cards", "both", because="")), _rules(_rule("cards", "both"))),
    "P034": Example(
        _inside("words: [庄]", "tests: [{ given: 坐庄, expect: block }]"),
        _inside("words: [坐庄]", "tests: [{ given: 坐庄, expect: block }]"),
    ),
    "P035": Example(
        "then: { hold: { queue: review } }\ntests: [{ given: 4111 1111 1111 1111, expect: hold }]",
        "then: { hold: { queue: review, decide_within: 30m, if_late: escalate } }\n"
        "tests: [{ given: 4111 1111 1111 1111, expect: hold }]",
    ),
    "P036": Example("review_by: 2026-01-31", "review_by: 2099-12-31"),
    "P037": Example(_exception("cards", "2026-02-10"), _exception("cards", "2099-12-31")),
    "P038": Example("attachments: { infected: hold }", "attachments: { virus_scan: clamav, infected: hold }"),
    "P040": Example(
        _pattern(r"pattern: '(?<!\d)88\d{8}'"), _pattern(r"pattern: '88\d{8}', boundary: digits")
    ),
    "P041": Example(_pattern(r"pattern: '(88\d{8})?'"), _pattern(r"pattern: '88\d{8}'")),
    "P042": Example(_pattern(r"pattern: '\b88\d{8}'"), _pattern(r"pattern: '88\d{8}', boundary: digits")),
    "P043": Example(_inside("words: [内幕, 内幕消息]", _TEST), _inside("words: [内幕消息]", _TEST)),
    "P044": Example(
        "when: { direction: both, finds: card }\nthen: { block: true, tell_sender: { en: Not delivered. } }",
        "then: { block: true, tell_sender: { en: Not delivered., zh: 消息未送达。 } }",
    ),
    "P045": Example("unless: { finds: card }", "unless: { sender: research@bank.example }"),
    "P046": Example("retention:\n  - { preset: sg-mas-order-comms }", "retention:\n  - { keep: 7y }"),
    "P047": Example(
        "legal_holds:\n  - { id: case-7, people: alice.wong@bank.example, approved_by: bob.li@bank.example }",
        "legal_holds:\n  - { id: case-7, people: alice.wong@bank.example, approved_by: bob.li@bank.example,\n"
        "      since: 2026-01-31, because: court order }",
    ),
    "P048": Example(
        "retention:\n  - { id: house, keep: 7y, worm: true }",
        "retention:\n  - { id: house, keep: 7y, worm: true }\n"
        "archive:\n  - { id: records, to: s3://records, object_lock: governance }",
    ),
    "P049": Example(
        "retention:\n  - { id: notes, keep: 7y, kind: text }",
        "retention:\n  - { id: notes, keep: 7y, kind: text }\n  - { id: rest, keep: 5y }",
    ),
    "P051": Example("language: 2", "language: 1"),
    "P060": Example(
        "tests: [{ given: 4111 1111 1111 1111, expect: hold }]",
        "tests: [{ given: 4111 1111 1111 1111, expect: block }]",
    ),
}
