"""Patterns on RE2: none that occurs is missed, whatever the memory, and nothing else runs them."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy import patterns as d


@pytest.mark.parametrize("memory", [1 << 10, 1 << 20, 1 << 23])
def test_patterns_too_large_for_one_set_are_still_found(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the patterns do not fit together they run in parts, or each on its own."""
    monkeypatch.setattr(d, "MOST_MEMORY", memory)
    patterns = d.PatternSet([rf"a{n}.{{0,400}}b.{{0,400}}c" for n in range(50)])
    assert 7 in patterns.occurring("a7 xx b xx c")


def test_a_set_that_gives_up_hides_nothing() -> None:
    """RE2 answers nothing when its memory is used up while it runs; then every pattern is tried."""

    class Exhausted:
        def Match(self, text: str) -> list[int]:
            return []

    patterns = d.PatternSet(["a", "b"])
    assert patterns.occurring("b") == {1}
    patterns._sets = [(Exhausted(), numbers) for _, numbers in patterns._sets]
    assert patterns.occurring("b") == {0, 1}


def test_what_was_compiled_is_not_compiled_again() -> None:
    """The same patterns are the same set, also in the next policy."""
    assert d.pattern_set(("a", "b")) is d.pattern_set(("a", "b"))


def test_patterns_never_reach_pythons_engine() -> None:
    """What people write is compiled by RE2, which has no look-around and runs in linear time."""
    with pytest.raises(re2.error):
        d.compile_pattern("(?=a)")


@pytest.mark.parametrize(
    ("pattern", "text", "hits"),
    [
        ("［内部］", "下周部门聚餐", []),
        ("［内部］", "[内部]", [(0, 4)]),
        ("（a）", "a", []),
        ("真的？", "真", []),
        ("１＄", "x1", []),
        ("１＄", "1$", [(0, 2)]),
        ("[a－c]", "b", []),
        ("[［]x", "[x", [(0, 2)]),
        (r"\［x", "[x", [(0, 2)]),
        (r"\\［x", r"\[x", [(0, 3)]),
        (r"\Q［x\E［", "[x[", [(0, 3)]),
    ],
)
def test_a_character_stays_itself_when_it_is_folded(
    pattern: str, text: str, hits: list[tuple[int, int]]
) -> None:
    """Full-width brackets and signs are characters, in a class and behind a backslash, too."""
    assert d.pattern_hits(d.compile_pattern(pattern), text) == hits


@pytest.mark.parametrize(
    ("pattern", "text", "hits"),
    [
        ("账户.{8}", "账户账户12345678", [(0, 10), (2, 12)]),
        ("aa", "aaaa", [(0, 2), (1, 3), (2, 4)]),
        ("[0-9]+", "123 45", [(0, 3), (4, 6)]),
        (".*x.*", "axb\ncx", [(0, 3), (4, 6)]),
        (r"\bab|b", "xab ab", [(2, 3), (4, 6)]),
        ("^a", "aa\na", [(0, 1), (3, 4)]),
        ("x*", "abc", []),
        ("中", "\U00020000中x中", [(1, 2), (3, 4)]),
    ],
)
def test_a_hit_hides_no_other_one(pattern: str, text: str, hits: list[tuple[int, int]]) -> None:
    """Overlapping places are all found; what lies inside one that is found adds nothing."""
    assert d.pattern_hits(d.compile_pattern(pattern), text) == hits


def test_what_may_not_stand_there_hides_nothing() -> None:
    """A place that is refused is not gone past: the next one may begin inside it."""
    found = d.pattern_hits(
        d.compile_pattern("[0-9]{6} [0-9]{6}"), "1234567 123456 654321", lambda start, end: start > 6
    )
    assert found == [(8, 21)]


@given(st.text("ab中", max_size=40))
def test_every_place_of_a_word_is_found(text: str) -> None:
    """As many as a plain search from every character on."""
    places = [(n, n + 2) for n in range(len(text)) if text.startswith("a中", n)]
    assert d.pattern_hits(d.compile_pattern("a中"), text) == places
