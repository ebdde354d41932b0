"""Two terms near each other: distance counted in words, a Chinese character counting as one.

Rules of this file: pure, linear but for sorting: each occurrence is compared with its nearest neighbours.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from bridge.search.parts import parts
from bridge.search.terms import Span, Term

DISTANCE = 5  # words, when a query names no number
FARTHEST = 100


def close(one: Term, other: Term, distance: int, folded: str, text: str) -> list[Span]:
    """Places in `folded` of both terms wherever they are at most `distance` words apart.

    Neighbours are 1 apart. They may not overlap: `near(a,a)` asks for two of them.
    """
    if not (one.within(folded, text) and other.within(folded, text)):
        return []
    starts = _starts(folded)
    ones = [(span, _counted(span, starts)) for span in one.places(folded)]
    others = [(span, _counted(span, starts)) for span in other.places(folded)]
    found: set[Span] = set()
    found.update(_followed(ones, others, distance))
    found.update(_followed(others, ones, distance))
    return sorted(found)


_Counted = tuple[Span, Span]


def _starts(folded: str) -> list[int]:
    """Where each word begins."""
    found: list[int] = []
    for part in parts(folded):
        found.extend(range(part.start, part.end) if part.kind == "run" else (part.start,))
    return found


def _counted(span: Span, starts: Sequence[int]) -> Span:
    """A place in characters as (first, last) word."""
    return bisect_right(starts, span[0]) - 1, bisect_left(starts, span[1]) - 1


def _followed(ones: Sequence[_Counted], others: Sequence[_Counted], distance: int) -> set[Span]:
    """Every place of the first kind that one of the second follows closely, and the nearest such one."""
    begins = [first for _, (first, _) in others]
    found: set[Span] = set()
    for span, (_, last) in ones:
        following = bisect_right(begins, last)
        if following < len(others) and begins[following] - last <= distance:
            found.update((span, others[following][0]))
    return found
