"""Slices into parts: whole, in order, within the limits."""

from __future__ import annotations

import corpus

from bridge.records.exports.packing import Limits, cut, packed, weight
from bridge.records.transcript import Came, Slice


def _long() -> Slice:
    return corpus.slices()[0]


def test_a_slice_that_keeps_to_the_limits_stays_whole() -> None:
    """Nothing is cut without need."""
    assert list(cut(_long(), Limits(slice_items=99, slice_bytes=10**9))) == [_long()]


def test_a_day_that_is_too_long_is_cut_and_says_who_was_there_then() -> None:
    """Pieces have all items in order, and each knows who was present when it began."""
    pieces = list(cut(_long(), Limits(slice_items=4)))
    assert [len(one.items) for one in pieces] == [4, 4, 2]
    assert [one.piece for one in pieces] == [1, 2, 3]
    assert tuple(item for one in pieces for item in one.items) == _long().items
    assert corpus.BOB in pieces[1].present
    assert corpus.BOB not in pieces[0].present


def test_what_is_too_large_alone_goes_alone() -> None:
    """A message whose attachments are beyond the limit is a piece of its own, and is not lost."""
    pieces = list(cut(_long(), Limits(slice_bytes=1000)))
    large = [one for one in pieces if any(weight(item) > 1000 for item in one.items)]
    assert [len(one.items) for one in large] == [1]
    assert sum(len(one.items) for one in pieces) == len(_long().items)


def test_small_slices_are_written_together() -> None:
    """Parts hold as many slices as the limit allows, and every slice once."""
    parts = list(packed(corpus.slices(), Limits(part_items=12)))
    assert [len(part) for part in parts] == [2, 1]
    assert [one for part in parts for one in part] == list(corpus.slices())


def test_a_join_weighs_nothing() -> None:
    """Only messages carry attachments."""
    assert weight(next(item for item in _long().items if isinstance(item, Came))) == 0
