"""Edits change what they are asked to change, in the style of the file, and not one character more."""

from __future__ import annotations

import difflib

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_rig import one_rule

from bridge.errors import Conflict
from bridge.policy.editing import Place, promoted, rule_names, with_masks, with_outcomes, with_test

BLOCK = """\
policy: p   # the name
rules:
- id: one
  severity: high   # as agreed
  mode: monitor    # nobody is affected
  then: { block: true }
  tests:
  - { would: block, given: x, expect: deliver }   # first
  - {given: y,expect: deliver,   would: block}
  # between
  - given: |
      z
      zz
    would: block
    expect: deliver
  # the end

- { id: two, severity: low, mode: monitor, then: { tag: a }, tests: [ {given: a, expect: deliver} ] }
- id: three
  severity: low
  rollout:
    groups: [sales]
  then: { tag: a }
- id: four
  severity: low
  mode: off
"""


def change(before: str, after: str) -> list[str]:
    """The lines that went and came."""
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


def test_a_rule_is_promoted_where_it_says_its_mode() -> None:
    """The mode changes, and nothing else: a comment is somebody's, and stays."""
    assert change(BLOCK, promoted(BLOCK, "one")) == [
        "-   mode: monitor    # nobody is affected",
        "+   mode: enforce    # nobody is affected",
    ]
    assert promoted(BLOCK, "two") == BLOCK.replace("low, mode: monitor", "low, mode: enforce")


def test_a_rule_is_promoted_that_says_no_mode() -> None:
    """Where the file's default is to monitor, the rule gets a mode of its own."""
    text = "defaults: { mode: monitor }\n" + BLOCK.replace("  mode: monitor    # nobody is affected\n", "")
    assert change(text, promoted(text, "one")) == ["+   mode: enforce"]
    flow = text.replace(" mode: monitor,", "")
    assert "severity: low, mode: enforce, then" in promoted(flow, "two")


def test_a_rule_is_promoted_for_a_part() -> None:
    """With a rollout, which a later promotion takes away or widens."""
    part = promoted(BLOCK, "one", {"percent": 10})
    assert change(BLOCK, part)[1:] == [
        "+   mode: enforce    # nobody is affected",
        "+   rollout: { percent: 10 }",
    ]
    wider = promoted(part, "one", {"groups": ["sales", "客户"]})
    assert "  rollout: { groups: [sales, 客户] }\n" in wider
    assert change(promoted(BLOCK, "one"), promoted(wider, "one")) == []
    assert change(BLOCK, promoted(BLOCK, "three")) == ["-   rollout:", "-     groups: [sales]"]
    assert "  rollout: { groups: [a] }\n  then" in promoted(BLOCK, "three", {"groups": ["a"]})


@pytest.mark.parametrize(
    ("rule", "why"),
    [("four", "is off"), ("onee", "did you mean `one`"), ("nothing-like-it", "there is no rule")],
)
def test_what_cannot_be_promoted(rule: str, why: str) -> None:
    """A rule that is off was never watched; a name that is not there is probably another."""
    with pytest.raises(Conflict, match=why):
        promoted(BLOCK, rule)
    with pytest.raises(Conflict, match="already"):
        promoted(promoted(BLOCK, "one"), "one", {"percent": 10})


def test_expectations_are_rewritten_in_any_style() -> None:
    """In braces and below each other, wherever `would` stands."""
    places = {Place(0, n): "block" for n in range(3)}
    after = with_outcomes(BLOCK, places)
    assert "  - { given: x, expect: block }   # first\n  - {given: y,expect: block}\n  # between\n" in after
    tests = yaml.safe_load(after)["rules"][0]["tests"]
    assert [test["expect"] for test in tests] == ["block"] * 3
    assert not any("would" in test for test in tests)
    assert tests[2]["given"] == "z\nzz\n"


def test_masked_texts_are_rewritten() -> None:
    """What was there is replaced, what was not is added behind the expectation."""
    once = with_masks(BLOCK, {Place(0, 0): "a *", Place(1, 0): "**** 1"})
    assert 'expect: deliver, becomes: "a *" }   # first' in once
    assert 'expect: deliver, becomes: "**** 1"} ]' in once
    assert "becomes: b }   # first" in with_masks(once, {Place(0, 0): "b"})


def test_a_test_is_added_in_the_files_style() -> None:
    """Below the last one in its form, in brackets behind it, or as the first of a rule."""
    new = {"given": "a: b", "expect": "deliver"}
    assert change(BLOCK, with_test(BLOCK, "one", new)) == ['+   - given: "a: b"', "+     expect: deliver"]
    assert '{given: a, expect: deliver}, { given: "a: b", expect: deliver } ]' in with_test(BLOCK, "two", new)
    assert change(BLOCK, with_test(BLOCK, "three", new)) == [
        "+   tests:",
        '+     - { given: "a: b", expect: deliver }',
    ]
    braces = one_rule() + "    tests:\n      - { given: x, expect: deliver }  # why\n"
    assert change(braces, with_test(braces, "rule", new)) == ['+       - { given: "a: b", expect: deliver }']
    empty = one_rule() + "    tests: []\n"
    assert yaml.safe_load(with_test(empty, "rule", new))["rules"][0]["tests"] == [new]
    assert rule_names(BLOCK) == ["one", "two", "three", "four"]


def test_a_comment_below_the_last_test_stays_with_it() -> None:
    """The new test comes behind what is said about the one before it, not between the two."""
    after = with_test(BLOCK, "one", {"given": "x", "expect": "deliver"})
    assert "    expect: deliver\n  # the end\n  - given: x\n    expect: deliver\n\n" in after


def test_line_ends_stay_those_of_the_file() -> None:
    """What is added to a file from Windows ends its lines as the rest does."""
    windows = BLOCK.replace("\n", "\r\n")
    new = {"given": "x", "expect": "deliver"}
    for rule in rule_names(BLOCK):
        assert with_test(windows, rule, new) == with_test(BLOCK, rule, new).replace("\n", "\r\n")
    for rule in ("one", "two", "three"):
        assert promoted(windows, rule) == promoted(BLOCK, rule).replace("\n", "\r\n")
    places = {Place(0, n): "block" for n in range(3)}
    assert with_outcomes(windows, places) == with_outcomes(BLOCK, places).replace("\n", "\r\n")


@settings(max_examples=40)
@given(st.text(min_size=1), st.sampled_from(["one", "two", "three", "four"]))
def test_any_text_can_be_tested(text: str, rule: str) -> None:
    """Whatever a message holds, the test that is added holds the same, and nothing else changed."""
    after = yaml.safe_load(with_test(BLOCK, rule, {"given": [text, text], "note": text}))
    test = next(one for one in after["rules"] if one["id"] == rule)["tests"].pop()
    assert test == {"given": [text, text], "note": text}
    before = yaml.safe_load(BLOCK)
    for one in [*before["rules"], *after["rules"]]:
        one.setdefault("tests", [])
    assert after == before
