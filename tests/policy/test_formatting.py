"""One way to write a file: no meaning changes, no comment is lost, twice is as good as once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_rig import one_rule
from test_schema_parity import EVERYTHING, good_files

from bridge.policy.document import compose
from bridge.policy.formatting import formatted, quoted, written

ROOT = Path(__file__).parents[2]

UNTIDY = """\
# yaml-language-server: $schema=policy.schema.json

# What this file is for.
title:   "A file"     # the title
policy: p


language: 1
owner: 'o@bank.example'
rules:
- title: 'One: a rule'
  id: one
  # why
  because: b   # so
  then: {block: true}
  when: {finds: [card,other],   direction: both}
  severity: high
  tests:
  - {expect: block, given: "4111111111111111"}
  # the second
  - {expect: deliver,
     given: "it's \\"quoted\\""}
  # the end of the tests
- { id: two, title: 't', severity: low, when: { direction: both, finds: other }, then: { tag: x } }
# the detectors
detectors:
  card: { brands: visa, type: payment_card }
  # an account
  other:
     confidence: { with_context: high, alone: low }
     pattern: "88[0-9]{8}"
     type: pattern
# the end
"""

TIDY = """\
# yaml-language-server: $schema=policy.schema.json

# What this file is for.
policy: p

language: 1
title: A file         # the title
owner: o@bank.example

# the detectors
detectors:
  card: { type: payment_card, brands: visa }
  # an account
  other:
    type: pattern
    pattern: '88[0-9]{8}'
    confidence: { alone: low, with_context: high }

rules:
  - id: one
    title: "One: a rule"
    # why
    because: b  # so
    severity: high
    when: { direction: both, finds: [card, other] }
    then: { block: true }
    tests:
      - { given: "4111111111111111", expect: block }
      # the second
      - given: 'it''s "quoted"'
        expect: deliver
      # the end of the tests

  - { id: two, title: t, severity: low, when: { direction: both, finds: other }, then: { tag: x } }
# the end
"""


def values(text: str) -> object:
    """What a file says, as the loader reads it, without the order of keys."""
    root = compose("p.yaml", text).root
    assert root is not None, text
    return root.plain()


def comments(text: str) -> list[str]:
    """Every comment of a file that has `#` nowhere else."""
    return sorted(re.findall(r"# [a-z ]*[a-z0-9]+", text))


def test_an_empty_line_does_not_travel_with_a_key() -> None:
    """It parts two keys; when another comes between them there is nothing left to part."""
    text = "policy: p\nrules:\n- then: { block: true }\n\n  # named\n  title: t\n\n  id: r\n"
    assert formatted(text) == (
        "policy: p\n\nrules:\n  - id: r\n    # named\n    title: t\n    then: { block: true }\n"
    )


def test_a_file_is_put_in_order() -> None:
    """Keys as the grammar names them, quotes where they are needed, comments with what they speak of."""
    assert formatted(UNTIDY) == TIDY
    assert formatted(TIDY) == TIDY
    assert comments(TIDY) == comments(UNTIDY)


@pytest.mark.parametrize(("name", "text"), list(good_files()), ids=lambda value: value[:20])
def test_what_loads_means_the_same(name: str, text: str) -> None:
    """Every policy of the repository, formatted, says the same, and stays as it is."""
    once = formatted(text)
    assert values(once) == values(text)
    assert formatted(once) == once
    assert comments(once) == comments(text)


@pytest.mark.parametrize("path", sorted((ROOT / "policies").glob("*.yaml")), ids=lambda path: path.name)
def test_the_shipped_policies_are_formatted(path: Path) -> None:
    """They show the one way; `weighbridge policy fmt policies/*.yaml` would change nothing."""
    text = path.read_text(encoding="utf-8")
    assert formatted(text) == text


@pytest.mark.parametrize(
    ("text", "scalar"),
    [
        ("腾讯", "腾讯"),
        ("0700", '"0700"'),
        ("7.00", '"7.00"'),
        ("true", '"true"'),
        ("NO", '"NO"'),
        ("2026-11-20", '"2026-11-20"'),
        ("18:30", '"18:30"'),
        ("a  b", '"a  b"'),
        ("*@bank.example", '"*@bank.example"'),
        ("a\\b", "'a\\b'"),
        ('it\'s "x"', "'it''s \"x\"'"),
        ("加\u200b我", '"加\\u200b我"'),
        ("a\nb", '"a\\nb"'),
        ("", '""'),
        ("@x", '"@x"'),
    ],
)
def test_a_text_is_written_so_that_everybody_reads_it(text: str, scalar: str) -> None:
    """Plain where nobody reads anything else in it, in quotes otherwise, the hidden made visible."""
    assert written(text) == scalar
    assert yaml.safe_load(f"[{scalar}, x]") == [text, "x"]


@given(st.text())
def test_any_text_survives(text: str) -> None:
    """Whatever Unicode holds comes back as it was, in braces and out of them."""
    for scalar in (written(text), quoted(text)):
        assert yaml.safe_load(f"{{ a: {scalar}, b: [{scalar}] }}") == {"a": text, "b": [text]}
        assert yaml.safe_load(f"a: {scalar}") == {"a": text}


WORD = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.sampled_from(
    [
        "0700",
        "true",
        "a: b",
        "a #b",
        "- x",
        "*x",
        "line\nline\n",
        "  two\nlines",
        "x\n\ny",
        "it's",
        '"',
        "\\",
        "end\n\n",
    ]
)
TESTS = st.lists(st.fixed_dictionaries({"expect": st.just("deliver"), "given": WORD}), max_size=3)


@settings(max_examples=60)
@given(
    st.lists(WORD, min_size=1), TESTS, WORD, st.none() | st.booleans(), st.integers(20, 200), st.booleans()
)
def test_any_file_means_the_same(
    words: list[str], tests: list[dict[str, str]], title: str, flow: bool | None, width: int, plain: bool
) -> None:
    """However a file is laid out, formatted it says the same, and formatted again it stays the same."""
    rule = {"tests": tests, "title": title, "id": "r", "then": {"block": "true"}, "when": {"finds": ["w"]}}
    tree = {"title": title, "rules": [rule], "lists": {"ws": {"words": words}}, "policy": "p"}
    text = yaml.safe_dump(tree, default_flow_style=flow, width=width, allow_unicode=plain, sort_keys=False)
    once = formatted(text)
    assert yaml.safe_load(once) == yaml.safe_load(text)
    assert formatted(once) == once


@pytest.mark.parametrize("deeper", [0, 1, 4])
def test_no_comment_is_lost(deeper: int) -> None:
    """A comment at the end of every line, and one above every line, at its indentation or deeper."""
    lines = []
    for number, line in enumerate(EVERYTHING.splitlines()):
        margin = " " * (len(line) - len(line.lstrip()) + deeper)
        lines += [f"{margin}# above {number}", f"{line} # beside {number}"]
    text = "\n".join([*lines, "# end", ""])
    once = formatted(text)
    assert comments(once) == comments(text)
    assert values(once) == values(EVERYTHING)
    assert formatted(once) == once


@pytest.mark.parametrize(
    "odd",
    [
        "groups: { desk: { symphony: x,\n  # between\n weixin:\n# a key and its value\n  [y] } }# touching\n",
        "lists:\n  a:\n    words:\n      -\n       # after it\n       x\n      -   y\n   # less deep\n",
        "title: one\n\n  text\n  of lines # the end\nlists: {}\n",
        "title: |  # a text\n  # no comment\n\n  of lines\n# a comment\nlists: {}\n",
        "rules:\n- id: a\n  # of a\n\n # of a too\n# of b\n- id: b\n    # at the end\n",
        "? title\n# odd\n: t\nowner: 'it is #no comment' # one\n",
    ],
)
def test_odd_layouts_lose_nothing(odd: str) -> None:
    """Comments and texts in places where few people write them."""
    once = formatted(f"policy: p\n{odd}")
    assert values(once) == values(f"policy: p\n{odd}")
    assert comments(once) == comments(odd)
    assert formatted(once) == once


def test_line_ends_and_marks_of_other_systems() -> None:
    """Windows line ends, and the marker of a document's start, are not kept."""
    text = "---\n" + one_rule()
    assert formatted(text.replace("\n", "\r\n")) == formatted(one_rule())
    assert "\r" not in formatted(EVERYTHING.replace("\n", "\r\n"))
