"""The schema and the loader say the same: whatever one refuses of the grammar, the other refuses too.

Rules of this file: the schema is asked by `jsonschema`, on what an editor makes of a file: YAML 1.2 by
ruamel.yaml, in which `0700` is a number. What only the loader can know (YAML's own traps, patterns, files)
is not asked of the schema.
"""

from __future__ import annotations

import copy
import functools
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from policy_rig import one_rule, words_rule
from pydantic import ValidationError
from ruamel.yaml import YAML, YAMLError

from bridge.policy import Source, assemble
from bridge.policy import language as lang
from bridge.policy.document import compose
from bridge.policy.schema import FILE_NAME, Names, _Walk, json_schema, reference

ROOT = Path(__file__).parents[2]
GRAMMAR = re.compile(r"P010|P011|P012|P013\.(?!key|timezone|root|hours\.order)|P014|P051")
NAMES = re.compile(r"P020|P021|P022")


def as_an_editor_reads(text: str) -> Any:
    """The values of a file as YAML 1.2 types them; days stay text, as in JSON."""
    yaml = YAML(typ="safe", pure=True)
    # YAML 1.2's core schema has no timestamps; ruamel adds YAML 1.1's.
    yaml.constructor.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: node.value)
    return json.loads(json.dumps(yaml.load(io.StringIO(text))))  # as JSON, in which every key is text


@functools.cache
def grammar() -> Draft202012Validator:
    """The schema without names."""
    return Draft202012Validator(json_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)


def with_names(text: str) -> Draft202012Validator:
    """The schema with the names of one file."""
    return Draft202012Validator(json_schema(Names.of(as_an_editor_reads(text))))


def complaints(validator: Draft202012Validator, text: str) -> list[str]:
    """What the schema says about a file."""
    return [error.message for error in validator.iter_errors(as_an_editor_reads(text))]


def keys(text: str, files: dict[str, bytes] | None = None) -> list[str]:
    """The keys of what the loader says about a file, tests left aside."""
    _, problems = assemble([Source("p.yaml", text.encode(), files or {})])
    return [p.key for p in problems if p.severity == "error" and p.code != "P060"]


def good_files() -> Iterator[tuple[str, str]]:
    """Every policy that is shipped, shown in a page, or written to be right in the tests."""
    for path in sorted((ROOT / "policies").glob("*.yaml")):
        yield path.name, path.read_text(encoding="utf-8")
    for page in sorted((ROOT / "docs").glob("*.md")):
        blocks = re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        for number, block in enumerate(blocks):
            if block.startswith("policy:"):
                yield f"{page.name} {number}", block
    yield "one rule", one_rule()
    yield "scalars", words_rule("0700, 7.00, true, 1e3, NO", "{ hold: true, tag: 2026 }")
    yield "everything", EVERYTHING


def cases() -> Iterator[tuple[str, str, str]]:
    """Name, file and answer of every mistake in the corpus."""
    corpus = (Path(__file__).parent / "mistakes.txt").read_text(encoding="utf-8")
    for name, body in re.findall(
        r"^##### (?!says|file )(.*?)\n(.*?)(?=^##### (?!says|file )|\Z)", corpus, re.M | re.S
    ):
        file, *rest = re.split(r"^##### .*\n", body, flags=re.M)
        yield name, file, rest[-1] if rest else ""


EVERYTHING = """\
policy: all
language: 1
title: 2026
owner: o@bank.example
timezone: Asia/Hong_Kong
applies_to: { groups: desk }
groups: { desk: { symphony: "*@bank.example" }, 客户: { weixin: ["tag:客户"] } }
lists:
  ws: { words: 0700, unless_words: { 0700: [07001] }, evasion: split, languages: zh, review_by: 2027-01-31 }
  csv: { file: a.csv, columns: [a, b], dates: { from: c }, stale_after: 24h }
detectors:
  w: { type: words, list: ws, context: { words: hk, within: 5, messages: 1 } }
  p: { type: pattern, pattern: 'x[0-9]+', boundary: word, confidence: { alone: medium } }
  card: { type: payment_card, brands: visa }
  mobile: { type: phone, regions: [CN] }
barriers:
  - { id: wall, between: [desk, 客户], finds: w, because: b }
  - { id: one-way, from: desk, to: [客户], then: hold }
rules:
  - id: r
    title: t
    because: b
    severity: high
    mode: monitor
    rollout: { percent: 12.5 }
    when:
      direction: both
      finds: w
      count: { at_least: 2, within: 1h }
      files: { larger_than: 20MB, name: "*.zip", types: zip }
      any: { outside: { hours: "09:00-18:30", days: trading, calendar: XHKG } }
    unless: { sender: alice.wong@bank.example, edited: false }
    then: { redact: { keep_last: 2 }, tell_sender: { zh-Hant: x }, show_match: true, notify: o@bank.example }
  - { id: s, title: t, severity: low, when: { direction: both }, then: { sample: { percent: 10 } } }
attachments: { allow: pdf, max_size: 20MB, read_text: false, virus_scan: clamav }
kinds: { voice: hold }
consent: { from: 客户, text: { zh: 同意吗 }, renew_every: 1y }
disclaimers: [{ id: d, direction: both, every: day, for: all, text: { en: x } }]
retention: [{ keep: 7y, for: desk, worm: true }, { preset: hk-sfc-im-order }]
archive: [{ id: a, to: "s3://b/c", object_lock: compliance }]
legal_holds: [{ id: h, people: alice.wong@bank.example, since: 2026-01-01, approved_by: gc@bank.example }]
exceptions:
  - { id: e, rule: r, for: bob.li@bank.example, only: 0700, expires: 2026-12-01,
      approved_by: gc@bank.example, because: b }
"""


def test_it_is_a_schema() -> None:
    """By the dialect's own schema, with and without names."""
    Draft202012Validator.check_schema(json_schema())
    Draft202012Validator.check_schema(json_schema(Names()))


@pytest.mark.parametrize(("name", "text"), list(good_files()), ids=lambda value: value[:20])
def test_what_loads_is_valid(name: str, text: str) -> None:
    """An editor marks nothing in a file that the loader takes, also with the file's own names."""
    assert complaints(grammar(), text) == []
    assert complaints(with_names(text), text) == []


@pytest.mark.parametrize(("name", "file", "answer"), list(cases()), ids=lambda value: value[:30])
def test_what_is_refused_is_marked(name: str, file: str, answer: str) -> None:
    """A mistake in the grammar is one for the schema; a wrong name for the schema with names."""
    said = keys(file)
    if not any(GRAMMAR.match(key) or NAMES.match(key) for key in said):
        return
    try:
        as_an_editor_reads(file)
    except YAMLError:
        return  # an editor says so before it looks at any schema
    if any(GRAMMAR.match(key) for key in said):
        assert complaints(grammar(), file), said
    else:
        assert complaints(with_names(file), file), said


OTHERS: list[Any] = [
    *("zzz", "", "7", "true", "0", "24h", "2h", "2027-01-31", [], ["zzz"], ["a", "b", "c"], {}, {"zzz": "1"})
]
GONE = object()


def places(value: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a tree."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield (*above, step)
        yield from places(inner, (*above, step))


def changed(tree: Any, place: tuple[str | int, ...], other: Any) -> Any:
    """A tree with something else at one place, or without what was there."""
    tree = copy.deepcopy(tree)
    parent = functools.reduce(lambda node, step: node[step], place[:-1], tree)
    if other is GONE:
        del parent[place[-1]]
    else:
        parent[place[-1]] = other
    return tree


def as_numbers(value: Any) -> Any:
    """A tree in which an editor has read digits as numbers."""
    if isinstance(value, dict):
        return {key: as_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_numbers(inner) for inner in value]
    return int(value) if value in ("0", "7") else value


def loads(tree: Any) -> bool:
    """Whether the models take a tree of texts."""
    try:
        lang.PolicyFile.model_validate(tree)
    except ValidationError:
        return False
    return True


def test_both_agree_on_every_change_of_a_file() -> None:
    """At every place of a file that uses the whole language, another value or none is right for both."""
    root = compose("p.yaml", EVERYTHING).root
    assert root is not None
    tree = root.plain()
    # Every seventh of all changes, each value at places of every kind. Zones are known to the loader alone.
    changes = [(place, other) for place in places(tree) for other in (GONE, *OTHERS)][::7]
    differ = [
        (place, other)
        for place, other in changes
        if place != ("timezone",)
        and loads(after := changed(tree, place, other)) != grammar().is_valid(as_numbers(after))
    ]
    assert len(changes) > 250 and differ == []


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("finds: w, count", "finds: ws, count"),
        ("list: ws", "list: w"),
        ("between: [desk, 客户]", "between: [desk, clients]"),
        ("from: desk", "from: desks"),
        ("for: desk", "for: desks"),
        ("rule: r", "rule: walls"),
        ("groups: desk", "groups: card"),
    ],
)
def test_names_of_the_file_are_known(was: str, becomes: str) -> None:
    """Wherever one part of the file names another, only what is there is offered."""
    flow = EVERYTHING.replace("finds: w\n", "finds: w, count: x\n")
    text = EVERYTHING.replace(was.removesuffix(", count"), becomes.removesuffix(", count"), 1)
    assert flow and text != EVERYTHING
    assert not complaints(grammar(), text)
    assert complaints(with_names(EVERYTHING), text)


def sections(top: type[lang.Section] = lang.Section) -> Iterator[type[lang.Section]]:
    """Every section of the grammar."""
    for section in top.__subclasses__():
        yield section
        yield from sections(section)


def test_every_key_says_what_it_means() -> None:
    """Hover text and the reference come from the models: none may be silent."""
    silent = [
        f"{section.__name__}.{name}"
        for section in sections()
        for name, info in section.model_fields.items()
        if not info.description
    ]
    assert silent == []


def test_demands_across_keys_are_in_the_schema() -> None:
    """A section that its model checks as a whole is checked by the schema as a whole."""
    defined = json_schema()["$defs"]
    checked = {s.__name__ for s in sections() if s.__pydantic_decorators__.model_validators}
    assert {name for name in checked if "allOf" not in defined.get(name, {})} == set()


def test_an_unknown_scalar_is_noticed() -> None:
    """A kind of text that nobody described stops the schema from being made."""
    with pytest.raises(LookupError, match="_WRITTEN"):
        _Walk().form(lang.Annotated[str, lang.BeforeValidator(str.strip)])


def test_the_shipped_policies_name_the_shipped_schema() -> None:
    """An editor that opens one of them knows the language: the file that is named is there and up to date.

    `weighbridge policy schema --out policies/policy.schema.json` would write what is there.
    """
    shipped = sorted((ROOT / "policies").glob("*.yaml"))
    first = {path.read_text(encoding="utf-8").partition("\n")[0] for path in shipped}
    assert first == {f"# yaml-language-server: $schema={FILE_NAME}"}
    assert json.loads((ROOT / "policies" / FILE_NAME).read_text(encoding="utf-8")) == json_schema()


def test_the_reference_is_up_to_date() -> None:
    """`weighbridge policy schema --reference` would write what is there."""
    assert (ROOT / "docs" / "policy-reference.md").read_text(encoding="utf-8") == reference()
