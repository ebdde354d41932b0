"""Working time: hours, weekdays, and days on which an exchange trades."""

from __future__ import annotations

import datetime

import pytest

from bridge.policy import language as lang
from bridge.policy.calendars import published_until, trading_days, working_time


@pytest.mark.parametrize(
    ("exchange", "day", "trades"),
    [
        ("XHKG", "2026-02-16", True),  # Lunar New Year's Eve: the morning session
        ("XHKG", "2026-02-17", False),  # Lunar New Year
        ("XHKG", "2026-07-01", False),  # HKSAR Establishment Day
        ("XSHG", "2026-10-01", False),  # National Day
        ("XSHE", "2026-10-01", False),
        ("XNYS", "2026-11-26", False),  # Thanksgiving
        ("XNYS", "2026-11-27", True),  # the day after closes early
        ("XLON", "2026-12-25", False),
        ("XSES", "2026-08-10", False),  # National Day, observed on Monday
        ("XHKG", "2026-11-20", True),
        ("XHKG", "2026-11-21", False),  # a Saturday
    ],
)
def test_an_exchange_trades_on_its_own_days(exchange: str, day: str, trades: bool) -> None:
    """Known holidays of each exchange, as they publish them; a short day is a trading day."""
    assert trading_days(exchange)(datetime.date.fromisoformat(day)) is trades


def test_a_day_has_24_hours() -> None:
    """`24:00` is the end of the day, so that the last minute is inside."""
    time = working_time(lang.Outside.model_validate({"hours": "09:00-24:00"}))
    assert time.covers(datetime.datetime(2026, 11, 20, 23, 59))
    assert not time.covers(datetime.datetime(2026, 11, 20, 8, 59))


def test_only_calendars_by_notice_end() -> None:
    """The mainland moves its holidays each year; those of other exchanges follow from rules."""
    known = published_until("XSHG")
    assert known is not None and known >= 2026
    assert published_until("XSHE") == known and published_until("XHKG") is None
