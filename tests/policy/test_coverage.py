"""What tests never reach is named, and only that."""

from __future__ import annotations

from policy_rig import policy_set

from bridge.policy import run_tests
from bridge.policy.coverage import Part, coverage

HEAD = """\
policy: p
language: 1
title: t
owner: o@bank.example
groups: { staff: { symphony: "*@bank.example" }, clients: { weixin: "tag:客户" } }
lists: { one: { words: [alpha] }, two: { words: [beta] } }
detectors:
  a: { type: words, list: one }
  b: { type: words, list: two }
  innocent: { type: pattern, pattern: 'gamma' }
kinds: { voice: hold, location: block }
barriers: [{ id: wall, between: [staff, clients], because: b, finds: b }]
rules:
"""
RULE = (
    "  - {{ id: {0}, title: t, because: b, severity: low, mode: {1}, when: {{ direction: both, finds: {2} }}"
)
RULES = (
    RULE.format("acts", "enforce", "a")
    + ", unless: { finds: innocent }, then: { hold: true }, tests: [%s] }\n"
    + RULE.format("watched", "monitor", "b")
    + ", then: { block: true }, tests: [%s] }\n"
    + RULE.format("asleep", "off", "innocent")
    + ", then: { annotate: { en: x } } }\n"
)


def missed(acts: str, watched: str) -> dict[str, tuple[str, ...]]:
    """What the tests of both rules miss, by sort."""
    (policy,) = policy_set(HEAD + RULES % (acts, watched)).policies
    return {part.kind: part.missed for part in coverage(policy.model, run_tests(policy))}


def test_without_tests_nothing_is_reached() -> None:
    """A rule that is off, and a detector that only takes matches away, are not counted."""
    assert missed("", "") == {
        "rules": ("acts", "watched"),
        "detectors": ("a", "b"),
        "lists": ("one", "two"),
        "outcomes": ("deliver", "hold", "block"),
        "barriers": ("wall",),
        "kinds": ("voice", "location"),
    }


def test_what_is_reached_is_not_named() -> None:
    """A monitored rule is reached by matching; its outcome by what would have happened."""
    rest = missed(
        "{ given: alpha, expect: hold }, { given: x, expect: deliver }, "
        "{ given: x, kind: voice, expect: hold }",
        "{ given: beta, expect: deliver, would: block }",
    )
    assert rest == {
        "rules": (),
        "detectors": (),
        "lists": (),
        "outcomes": (),
        "barriers": ("wall",),
        "kinds": ("location",),
    }


def test_percentages_never_flatter() -> None:
    """Rounded down: only everything is 100."""
    names = tuple(map(str, range(300)))
    assert Part("rules", names, ()).percent == 100
    assert Part("rules", names, ("7",)).percent == 99
    assert Part("rules", names, names).percent == 0
