"""Changes to a policy file in its own words: a rule promoted, a test added, an expectation rewritten.

Rules of this file: text in, text out, for text that the loader has taken. Only what has to change changes: a
new piece is put into the text beside what is there, in its style, and everything else keeps every space and
comment. Whether the result is right is for the loader and the tests to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import yaml

from bridge.errors import Conflict
from bridge.policy.decoding import guess
from bridge.policy.formatting import written

Value = str | float | Sequence[str]


class Place(NamedTuple):
    """Which test of a file: the position of its rule, and its own in the rule, both from 0."""

    rule: int
    test: int


class _Edit(NamedTuple):
    """`text` instead of what stands from `start` to `end`."""

    start: int
    end: int
    text: str


# --- what can be changed --------------------------------------------------------------------------------


def rule_names(text: str) -> list[str]:
    """The ids of the rules in a file."""
    return [_value(rule, "id") for rule in _rules(_root(text))]


def promoted(text: str, rule: str, rollout: Mapping[str, Value] | None = None) -> str:
    """`text` with `rule` enforced, for a part of the conversations if `rollout` says so.

    `rollout` is `{"percent": 10}` or `{"groups": [...]}`. Tests are as they were. Raises Conflict when there
    is no such rule, or when it is enforced for everybody already or switched off.
    """
    root = _root(text)
    node = _rule(root, rule)
    mode = _value(node, "mode") or _value(_pair(root, "defaults"), "mode") or "enforce"
    if mode == "off":
        raise Conflict(f"rule `{rule}` is off: give it `mode: monitor` and look at what it would do first")
    if mode == "enforce" and _pair(node, "rollout") is None:
        raise Conflict(f"rule `{rule}` is enforced for everybody already")
    if mode == "monitor":
        text = _with_mode(text, node)
        node = _rule(_root(text), rule)
    if rollout is not None:
        return _applied(text, [_set(text, node, "rollout", _braces(rollout), ("mode", "severity"))])
    if _pair(node, "rollout") is not None:
        return _applied(text, [_remove(text, node, "rollout")])
    return text


def with_outcomes(text: str, outcomes: Mapping[Place, str]) -> str:
    """`text` with other expectations: the outcome instead of what was expected, and no `would`."""
    root = _root(text)
    edits = []
    for place, outcome in outcomes.items():
        test = _test(root, place)
        edits.append(_set(text, test, "expect", outcome, ()))
        if _pair(test, "would") is not None:
            edits.append(_remove(text, test, "would"))
    return _applied(text, edits)


def with_masks(text: str, masks: Mapping[Place, str]) -> str:
    """`text` with other texts after masking (`becomes`)."""
    root = _root(text)
    tests = {place: _test(root, place) for place in masks}
    return _applied(
        text,
        [_set(text, test, "becomes", written(masks[place]), ("expect",)) for place, test in tests.items()],
    )


def with_test(text: str, rule: str, test: Mapping[str, Value]) -> str:
    """`text` with one more test at the end of `rule`, in the style of the one before it.

    Raises Conflict when there is no such rule.
    """
    node = _rule(_root(text), rule)
    tests = _pair(node, "tests")
    if not isinstance(tests, yaml.SequenceNode) or not tests.value:
        return _applied(text, [_first_test(text, node, test)])
    last = tests.value[-1]
    if tests.flow_style:
        same_line = (
            last.start_mark.line == node.start_mark.line or last.end_mark.line == tests.start_mark.line
        )
        gap = " " if same_line else "\n" + " " * last.start_mark.column
        return _applied(text, [_insertion(_end(last), f",{gap}{_braces(test)}")])
    margin = " " * _dash(text, last)
    if isinstance(last, yaml.MappingNode) and not last.flow_style:
        lines = [f"{key}: {_written(value)}" for key, value in test.items()]
        new = f"\n{margin}- " + f"\n{' ' * last.start_mark.column}".join(lines)
    else:
        new = f"\n{margin}- {_braces(test)}"
    return _applied(text, [_insertion(_comments_end(text, _line_end(text, _end(last)), len(margin)), new)])


def _comments_end(text: str, at: int, column: int) -> int:
    """The end of the comments that directly follow the line ending at `at`, indented by `column` or more."""
    while found := re.compile(rf"\r?\n {{{column},}}#[^\r\n]*").match(text, at):
        at = found.end()
    return at


def _first_test(text: str, rule: yaml.MappingNode, test: Mapping[str, Value]) -> _Edit:
    """The first test of a rule, which may have an empty list of them."""
    if rule.flow_style:
        return _set(text, rule, "tests", f"[{_braces(test)}]", ())
    margin = " " * (rule.start_mark.column + 2)
    return _set(text, rule, "tests", f"\n{margin}- {_braces(test)}", ())


def _with_mode(text: str, rule: yaml.MappingNode) -> str:
    """`text` with the rule enforced. A comment beside the old mode stays: people judge if it is true."""
    return _applied(text, [_set(text, rule, "mode", "enforce", ("severity", "because", "title"))])


# --- finding one's way ----------------------------------------------------------------------------------


def _root(text: str) -> yaml.MappingNode:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    return root


def _pairs(node: yaml.Node | None) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    yield from node.value if isinstance(node, yaml.MappingNode) else ()


def _pair(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """What stands under `key`, None if nothing does."""
    return next((value for name, value in _pairs(node) if name.value == key), None)


def _value(node: yaml.Node | None, key: str) -> str:
    """The text under `key`, "" if there is none."""
    value = _pair(node, key)
    return str(value.value) if isinstance(value, yaml.ScalarNode) else ""


def _rules(root: yaml.MappingNode) -> list[yaml.MappingNode]:
    rules = _pair(root, "rules")
    return [rule for rule in rules.value if _value(rule, "id")] if rules is not None else []


def _rule(root: yaml.MappingNode, name: str) -> yaml.MappingNode:
    rules = {_value(rule, "id"): rule for rule in _rules(root)}
    if name not in rules:
        near = guess(name, rules)
        raise Conflict(f"there is no rule `{name}`" + (f"; did you mean `{near}`?" if near else ""))
    return rules[name]


def _test(root: yaml.MappingNode, place: Place) -> yaml.MappingNode:
    tests = _pair(_rules(root)[place.rule], "tests")
    assert tests is not None
    test: yaml.MappingNode = tests.value[place.test]
    return test


def _end(node: yaml.Node) -> int:
    """Where the last character of `node` ends: for a block, where the last thing in it does."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _line_end(text: str, index: int) -> int:
    """The end of the line that `index` is on or behind."""
    if text[index - 1 : index] == "\n":  # behind a text of several lines
        return _line_end(text, index - 1)
    found = text.find("\n", index)
    end = len(text) if found < 0 else found
    return end - 1 if text[end - 1 : end] == "\r" else end


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _dash(text: str, entry: yaml.Node) -> int:
    """The column of the dash before an entry of a list."""
    start = _line_start(text, entry.start_mark.index)
    return text.rfind("-", start, entry.start_mark.index) - start


# --- making edits ---------------------------------------------------------------------------------------


def _applied(text: str, edits: Sequence[_Edit]) -> str:
    end = "\r\n" if "\r\n" in text else "\n"  # as the file has it
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.text.replace("\n", end) + text[edit.end :]
    return text


def _insertion(at: int, text: str) -> _Edit:
    return _Edit(at, at, text)


def _set(text: str, node: yaml.MappingNode, key: str, value: str, after: Sequence[str]) -> _Edit:
    """`key: value` in a mapping: instead of what it was, or behind the first of `after` that is there."""
    behind = "" if value.startswith("\n") else " "
    for name, old in node.value:
        if name.value == key:
            return _Edit(name.end_mark.index, _end(old), f":{behind}{value}")
    pairs = {name.value: old for name, old in node.value}
    anchor = next((pairs[name] for name in after if name in pairs), node.value[-1][1])
    if node.flow_style:
        return _insertion(_end(anchor), f", {key}:{behind}{value}")
    margin = " " * node.value[0][0].start_mark.column
    return _insertion(_line_end(text, _end(anchor)), f"\n{margin}{key}:{behind}{value}")


def _remove(text: str, node: yaml.MappingNode, key: str) -> _Edit:
    """A mapping without `key`, which is not the only one in it."""
    names = [name.value for name, _ in node.value]
    at = names.index(key)
    start, end = node.value[at][0].start_mark.index, _end(node.value[at][1])
    following = node.value[at + 1][0].start_mark.index if at + 1 < len(names) else None
    if node.flow_style:
        return _Edit(start, following, "") if following else _Edit(_end(node.value[at - 1][1]), end, "")
    line = _line_start(text, start)
    if text[line:start].strip() and following:  # behind the dash of a list
        return _Edit(start, following, "")
    return _Edit(line, text.find("\n", end) + 1 or len(text), "")


def _braces(pairs: Mapping[str, Value]) -> str:
    return "{ " + ", ".join(f"{key}: {_written(value)}" for key, value in pairs.items()) + " }"


def _written(value: Value) -> str:
    if isinstance(value, str):
        return written(value)
    if isinstance(value, int | float):
        return f"{value:g}"
    return "[" + ", ".join(map(written, value)) + "]"
