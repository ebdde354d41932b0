"""Periods: when one is over, and which of two is longer."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.periods import after, usual_days


@pytest.mark.parametrize(
    ("begin", "period", "end"),
    [
        ("2026-01-31T12:00", "30d", "2026-03-02T12:00"),
        ("2026-01-31T12:00", "1m", "2026-02-28T12:00"),
        ("2024-02-29T12:00", "1y", "2025-02-28T12:00"),
        ("2026-11-22T08:30", "14m", "2028-01-22T08:30"),
        ("2026-11-22T08:30", "9999y", "9999-12-31T23:59:59.999999"),
    ],
)
def test_a_period_ends_on_the_calendar(begin: str, period: str, end: str) -> None:
    """A day that a month does not have is its last one; nothing is later than the end of time."""
    assert after(datetime.datetime.fromisoformat(begin), period) == datetime.datetime.fromisoformat(end)


@given(st.datetimes(max_value=datetime.datetime(2100, 1, 1)), st.integers(1, 60), st.sampled_from("dmy"))
def test_the_usual_length_is_near_the_real_one(begin: datetime.datetime, count: int, unit: str) -> None:
    """Wherever it begins, a period is as long as it is taken for, within three days."""
    real = (after(begin, f"{count}{unit}") - begin).days
    assert abs(real - usual_days(f"{count}{unit}")) <= 3
