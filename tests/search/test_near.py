"""Terms near each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bridge.search.near import close
from bridge.search.terms import Term


def near(one: str, other: str, distance: int, text: str) -> list[str]:
    """What is shown of a folded text."""
    return [text[start:end] for start, end in close(Term(one), Term(other), distance, text, text)]


def test_neighbours_are_one_apart() -> None:
    """Words are counted, signs are not; a Chinese character is one word."""
    assert near("a", "b", 1, "a , b") == ["a", "b"]
    assert near("a", "b", 1, "a x b") == []
    assert near("a", "b", 2, "a x b") == ["a", "b"]
    assert near("内幕", "消息", 2, "内幕的消息") == ["内幕", "消息"]
    assert near("内幕", "消息", 1, "内幕的消息") == []


def test_either_order_and_no_overlap() -> None:
    """Both orders count; a term is not near itself unless it is there twice."""
    assert near("b", "a", 1, "a b") == ["a", "b"]
    assert near("a", "a", 3, "a x y") == []
    assert near("a", "a", 3, "a x a") == ["a", "a"]
    assert near("内幕", "幕消", 3, "内幕消息") == []


@given(st.lists(st.sampled_from("abx"), max_size=12), st.integers(1, 5))
def test_agrees_with_counting(words: list[str], distance: int) -> None:
    """The same as comparing every place of one with every place of the other."""
    ones = [place for place, word in enumerate(words) if word == "a"]
    others = [place for place, word in enumerate(words) if word == "b"]
    expected = any(abs(one - other) <= distance for one in ones for other in others)
    assert bool(near("a", "b", distance, " ".join(words))) == expected
