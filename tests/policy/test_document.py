"""YAML with positions and without types: nothing surprising gets through, nothing crashes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.document import compose, entries, items, scalars


@pytest.mark.parametrize(
    "scalar",
    [
        "0700",
        "000001",
        "ON",
        "NO",
        "yes",
        "18:30",
        "1_000",
        "0x1F",
        "1.10",
        "2026-11-20",
        "~",
        "null",
        "=",
        ".5",
    ],
)
def test_a_scalar_is_the_text_that_was_written(scalar: str) -> None:
    """YAML's own types never touch a value."""
    document = compose("p", f"words: [{scalar}]\n{scalar}: x\n")
    assert not document.problems and document.root is not None
    assert document.root.plain() == {"words": [scalar], scalar: "x"}


def test_positions_are_those_a_reader_counts() -> None:
    """Lines and columns count characters from 1; a value's width is what is underlined."""
    root = compose("p", "# 注释\n标题: 港股\nrules:\n  - id: r\n").root
    assert root is not None
    assert root.child("标题").place == (2, 5, 2)
    assert root.key("rules") == (3, 1, 5)
    assert root.child("rules").child(0).child("id").place == (4, 9, 1)


def test_the_first_of_two_equal_keys_stays_and_both_lines_are_named() -> None:
    """A duplicate is reported; what it would have overwritten is still checked."""
    document = compose("p", "a: 1\nb: 2\na: 3\n")
    assert [(p.code, p.place.line, p.values["first"]) for p in document.problems] == [("P002", 3, 1)]
    assert document.root is not None and document.root.plain() == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    "text", ["title: 会议：腾讯，阿里", "title: '“x”'", "title: 他说“好”", "title: 'a，b'"]
)
def test_chinese_punctuation_inside_text_is_text(text: str) -> None:
    """Only marks that stand where YAML's own were meant are refused."""
    assert compose("p", text).problems == []


@pytest.mark.parametrize("entry", ["'甲，乙'", '"甲、乙"'])
def test_a_quoted_list_entry_may_hold_chinese_commas(entry: str) -> None:
    """Quotes say that the mark belongs to the text."""
    assert compose("p", f"words: [{entry}]").problems == []


@pytest.mark.parametrize("space", ["\u3000", "\u00a0", "\u2003"])
def test_spaces_of_other_kinds_do_not_indent(space: str) -> None:
    """They look like spaces and are text to YAML: pointed at, and what they stand before is still read."""
    document = compose("p", f"a: 1\n{space}b: 2\n")
    assert [(p.key, p.place) for p in document.problems] == [("P006.space", (2, 1, 1))]
    assert document.root is None or document.root.plain() == {"a": "1", "b": "2"}
    assert compose("p", f"a: {space}text\n").problems == []


def test_shapes_that_are_not_there_are_empty() -> None:
    """Whoever walks a tree may ask for what a broken file does not have."""
    root = compose("p", "a: { b: [x, [y]] }\nc: d\n").root
    assert root is not None
    assert list(entries(root.child("a"))) == ["b"] and entries(root.child("c")) == {} == entries(None)
    (listed,) = entries(root.child("a")).values()
    assert [one.value for one in scalars(listed)] == ["x"] and len(items(listed)) == 2
    assert [one.value for one in scalars(root.child("c"))] == ["d"] and items(root.child("c")) == []
    assert root.at("a", "b", 1, 0) == (1, 14, 1) and root.at("a", "z") == root.at("a")


def test_line_ends_of_other_systems_do_not_shift_lines() -> None:
    """A file from Windows has its errors on the same lines."""
    document = compose("p", "a: 1\r\nb: 2\r\na: 3\r\n")
    assert document.problems[0].place.line == 3
    assert document.problems[0].source == "a: 3"


def test_a_key_must_be_text() -> None:
    """A list or mapping as a key is refused, and so is an empty key."""
    assert [p.key for p in compose("p", "? [a]\n: b\n").problems] == ["P013.key"]
    assert [p.key for p in compose("p", '"": b\n').problems] == ["P013.key"]


@given(st.text())
def test_no_text_crashes_the_reader(text: str) -> None:
    """Any Unicode text is a tree or a list of problems."""
    document = compose("p", text)
    assert document.problems or document.root is not None


@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%@`,?\\ \n\t：，“0"))
def test_no_punctuation_crashes_the_reader(text: str) -> None:
    """Any heap of YAML's own characters is a tree or a list of problems."""
    document = compose("p", text)
    assert document.problems or document.root is not None
    for problem in document.problems:
        assert problem.words().sentence and problem.place.line >= 1 and problem.place.column >= 1
