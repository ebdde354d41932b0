"""And, or, not: over what is accepted, and over what an index is asked."""

from __future__ import annotations

from specimens import ask, wrote

from bridge.search.document import EVERYTHING, All, Any, Span, Token
from bridge.search.tree import every, is_indexed, some, span_of

A, B = Token("t:a"), Token("t:b")


def test_needs_are_flat_and_say_things_once() -> None:
    """No part twice, no join around one part, and everything in an alternative is everything."""
    assert every([A, All((A, B))]) == All((A, B))
    assert every([A]) == A
    assert every([]) == EVERYTHING
    assert some([A, Any((A, B))]) == Any((A, B))
    assert some([A, EVERYTHING]) == EVERYTHING


def test_an_index_helps_if_every_alternative_has_a_word() -> None:
    """A span is no word."""
    assert is_indexed(every([A, Span(since=1)]))
    assert not is_indexed(some([A, Span(since=1)]))
    assert not is_indexed(EVERYTHING)


def test_spans_meet_and_join() -> None:
    """Zero is open on either side."""
    assert span_of(All((Span(since=5), Span(since=3, until=9)))) == Span(since=5, until=9)
    assert span_of(Any((Span(since=5, until=7), Span(since=3)))) == Span(since=3)
    assert span_of(Any((A, Span(since=3)))) == Span()


def test_cheap_conditions_are_asked_first() -> None:
    """A message of the wrong side is never opened for its text."""

    class Sealed:
        network = "weixin"

        def __getattr__(self, name: str) -> str:
            raise AssertionError(f"{name} was opened")

    assert not ask("内幕 has:note rule:mnpi side:symphony").accepts(Sealed())  # type: ignore[arg-type]


def test_negation_goes_inside() -> None:
    """Not (a or b) is neither; not (a and b) is one of them missing."""
    only_a = wrote("a")
    assert not ask("-(a OR b)").accepts(only_a)
    assert ask("-(a b)").accepts(only_a)
    assert ask("-(b OR -a)").need == A
