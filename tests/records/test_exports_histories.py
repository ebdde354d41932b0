"""Edits and recalls are found from the message that they are about."""

from __future__ import annotations

from dataclasses import replace

import corpus

from bridge.records.exports.histories import Histories


def _of(*links: tuple[int, int | None, int | None]) -> Histories:
    lines = tuple(corpus.line(number, "x", edits=edits, recalls=recalls) for number, edits, recalls in links)
    return Histories([replace(corpus.slices()[0], items=lines)])


def test_edits_of_edits_belong_to_the_first_version() -> None:
    """However an edit names what it replaces, the chain is one."""
    histories = _of((1, None, None), (2, 1, None), (3, 2, None), (4, 1, None), (5, None, 4))
    assert [line.number for line in histories.later(1)] == [2, 3, 4, 5]
    following = [histories.next(number) for number in (1, 2, 3, 4, 5)]
    assert [line and line.number for line in following] == [2, 3, 4, 5, None]


def test_order_of_reading_does_not_matter() -> None:
    """An edit may be read before the message, or before the edit, that it is about."""
    histories = _of((5, 4, None), (4, 2, None), (2, None, None))
    assert [line.number for line in histories.later(2)] == [4, 5]
    assert histories.first(5) == 2


def test_what_is_elsewhere_keeps_its_number() -> None:
    """A message of another part of the export is still named."""
    assert _of((9, 3, None)).first(9) == 3


def test_messages_that_name_each_other_end_somewhere() -> None:
    """A foreign network may say anything; nothing runs for ever."""
    assert _of((1, 2, None), (2, 1, None)).first(1) in (1, 2)
