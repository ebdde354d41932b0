"""Names: whatever is named must be there, in every section, also in a file that is wrong elsewhere.

The sentences themselves are in `mistakes.txt`.
"""

from __future__ import annotations

import pytest

from bridge.policy import language as lang
from bridge.policy.decoding import decode
from bridge.policy.document import compose
from bridge.policy.naming import check_names

FILE = """\
policy: p
language: 1
title: t
owner: o@bank.example
applies_to: { groups: desk }
groups: { desk: { symphony: a@bank.example }, clients: { weixin: "tag:x" } }
lists: { ws: { words: [w] } }
detectors: { w: { type: words, list: ws } }
barriers:
  - { id: wall, between: [desk, clients], finds: w }
  - { id: way, from: desk, to: clients }
rules:
  - id: r
    title: t
    severity: low
    rollout: { groups: desk }
    when: { direction: both, finds: w, groups: desk, any: [{ finds: w, groups: desk }, { kind: file }] }
    unless: { finds: w, groups: clients, any: { groups: desk } }
    then: { tag: x }
    tests: [{ given: w, expect: deliver, rule: wall }]
consent: { from: clients, text: { en: x } }
disclaimers: [{ id: d, direction: both, for: desk, text: { en: x } }]
retention: [{ id: house, keep: 7y, for: desk }, { preset: hk-sfc-im-order, for: all }]
archive: [{ id: a, to: "s3://x", for: desk }]
legal_holds: [{ id: house, people: x, approved_by: x }]
exceptions: [{ id: a, rule: wall, for: [desk, wm-lilei], expires: 2027-01-01, approved_by: x, because: x }]
"""


def said(text: str) -> list[str]:
    """The keys of everything that is wrong with the names of `text`."""
    document = compose("p.yaml", text)
    assert document.root is not None
    return [problem.key for problem in check_names(document.page, document.root)]


def test_names_that_are_there_are_no_remark() -> None:
    """Every place in which a name can stand, with a good name; and the file is one by the grammar."""
    document = compose("p.yaml", FILE)
    assert document.root is not None
    assert isinstance(decode(document.page, document.root)[0], lang.PolicyFile)
    assert said(FILE) == []


@pytest.mark.parametrize("name", ["desk", "clients", "w", "ws", "wall", "r"])
def test_every_use_of_a_name_is_checked(name: str) -> None:
    """Where a name is no longer defined, each of its uses is reported; no use is overlooked."""
    uses = {"desk": 10, "clients": 4, "w": 4, "ws": 1, "wall": 2, "r": 0}
    defined = {"desk": "desk: {", "clients": "clients: {", "w": " w: {", "ws": "ws: {", "wall": "id: wall"}
    start = defined.get(name, "id: r\n")
    problems = said(FILE.replace(start, start.replace(name, "other-name")))
    assert len([key for key in problems if key[:4] in ("P020", "P021", "P022", "P027")]) == uses[name]


@pytest.mark.parametrize(
    ("was", "becomes", "keys"),
    [
        ("id: way", "id: wall", ["P023.id"]),
        ("id: way", "id: r", ["P023.id"]),
        ("id: d,", "id: r,", ["P023.id"]),
        ('{ id: a, to: "s3://x", for: desk }', "{ id: a }, { id: a }", ["P023.id"]),
        ("preset: hk-sfc-im-order", "preset: hk-sfc-im-ordr", ["P028.near"]),
        ("preset: hk-sfc-im-order", "preset: nothing", ["P028"]),
        ("[desk, wm-lilei]", "[dessk, wm-lilei]", ["P038.for"]),
        ("[desk, wm-lilei]", "[desk@bank.example, tag:desk]", []),
    ],
)
def test_ids_presets_and_people(was: str, becomes: str, keys: list[str]) -> None:
    """Rules, barriers and disclaimers share ids, other sections have their own; ids of people are free."""
    assert FILE.count(was) == 1
    assert said(FILE.replace(was, becomes)) == keys


def test_two_rules_with_one_id_name_the_first_line() -> None:
    """A rule is told from everything else that has its id."""
    text = "rules:\n  - id: r\n  - id: r\n"
    document = compose("p.yaml", text)
    assert document.root is not None
    (problem,) = check_names(document.page, document.root)
    assert (problem.key, problem.place.line, problem.values["line"]) == ("P023.rule", 3, 2)


@pytest.mark.parametrize("section", ["rules", "barriers", "exceptions", "retention", "groups", "detectors"])
@pytest.mark.parametrize("value", ["x", "[x]", "{ x: y }", "[[x]]", "[{ id: [x], for: {}, rule: {} }]", ""])
def test_any_shape_is_survived(section: str, value: str) -> None:
    """What has another shape than the grammar's has no names, and is no crash."""
    assert said(f"{section}: {value}\n") == []
