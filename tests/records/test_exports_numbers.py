"""Sets of numbers: as small as they say, and the same read back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.records.exports.numbers import Numbers, numbers_of


@settings(max_examples=30, deadline=None)
@given(st.sets(st.integers(1, 900)))
def test_numbers_come_back(numbers: set[int]) -> None:
    """Whatever was taken in is there, nothing else, and the text of it reads back."""
    found = Numbers(numbers)
    assert len(found) == len(numbers)
    assert {number for number in range(902) if number in found} == numbers
    assert str(numbers_of(str(found))) == str(found)
    assert sum(last - first + 1 for first, last in found.runs()) == len(numbers)


def test_runs_are_written_as_people_write_them() -> None:
    """Rows without a gap by their ends."""
    found = Numbers([3, 1, 2, 7, 9])
    found.extend([8, 20])
    assert str(found) == "1-3,7-9,20"
    assert list(found) == [1, 2, 3, 7, 8, 9, 20]


def test_what_no_message_has_is_refused() -> None:
    """There is no message 0."""
    with pytest.raises(ValueError, match="no number"):
        Numbers([0])
