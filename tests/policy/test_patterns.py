"""Patterns on RE2: none that occurs is missed, whatever the memory, and nothing else runs them."""

from __future__ import annotations

import pytest
import re2

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
