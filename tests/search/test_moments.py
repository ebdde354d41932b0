"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from specimens import HONG_KONG, NOW

from bridge.search.moments import period

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3_600_000


def at(text: str, zone: ZoneInfo = HONG_KONG) -> tuple[str, str]:
    """Both ends of a span, on the clocks of the zone."""
    found = period(text, NOW, zone)
    assert found is not None
    return tuple(
        datetime.fromtimestamp(end / 1000, zone).strftime("%Y-%m-%d %H:%M") if end else "" for end in found
    )


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2026", "2026-01-01 00:00", "2027-01-01 00:00"),
        ("2026-12", "2026-12-01 00:00", "2027-01-01 00:00"),
        ("2026/2/28", "2026-02-28 00:00", "2026-03-01 00:00"),
        ("2026-11-22T14", "2026-11-22 14:00", "2026-11-22 15:00"),
        ("2026-11-22t14:30", "2026-11-22 14:30", "2026-11-22 14:31"),
        ("2026-11-22T14:30Z", "2026-11-22 22:30", "2026-11-22 22:31"),
        ("2026-11-22T14:30+09:00", "2026-11-22 13:30", "2026-11-22 13:31"),
        ("2026-Q4", "2026-10-01 00:00", "2027-01-01 00:00"),
        ("2026-W01", "2025-12-29 00:00", "2026-01-05 00:00"),
        ("today", "2026-11-22 00:00", "2026-11-23 00:00"),
        ("Yesterday", "2026-11-21 00:00", "2026-11-22 00:00"),
        ("this-week", "2026-11-16 00:00", "2026-11-23 00:00"),
        ("last-week", "2026-11-09 00:00", "2026-11-16 00:00"),
        ("last-month", "2026-10-01 00:00", "2026-11-01 00:00"),
        ("this-year", "2026-01-01 00:00", "2027-01-01 00:00"),
        ("last-year", "2025-01-01 00:00", "2026-01-01 00:00"),
        ("last-12h", "2026-11-22 05:30", ""),
        ("last-30d", "2026-10-23 17:30", ""),
    ],
)
def test_spans(text: str, since: str, until: str) -> None:
    """On a Sunday, half past five in Hong Kong."""
    assert at(text) == (since, until)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorow",
        "2026-13",
        "2026-02-30",
        "0000",
        "2026-W60",
        "2026-11-22T25",
        "26-11-22",
        "last-d",
        "9999",
    ],
)
def test_what_is_no_time(text: str) -> None:
    """No such day, or no form that is read: no span, and no other error."""
    assert period(text, NOW, HONG_KONG) is None


def test_days_are_as_long_as_the_clock_makes_them() -> None:
    """Where clocks change, a day has 25 hours, and an hour that comes twice is one hour."""
    since, until = period("2026-10-25", NOW, BERLIN) or (0, 0)
    assert until - since == 25 * HOUR
    since, until = period("2026-10-25T02", NOW, BERLIN) or (0, 0)
    assert until - since == HOUR
    assert since == int(datetime(2026, 10, 25, 0, tzinfo=UTC).timestamp() * 1000)
