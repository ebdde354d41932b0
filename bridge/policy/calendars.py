"""Trading days and working time: whether an exchange is open on a day, and whether a moment is inside hours.

Rules of this file: pure look-ups in tables that others publish (the `holidays` package, by the exchange's
market identifier code, ISO 10383); loaded when a policy first names an exchange. A day on which trading ends
early is a trading day.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable
from dataclasses import dataclass

from bridge.policy import language as lang

_BY_NOTICE = frozenset({"XSHG", "XSHE"})
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@functools.cache
def trading_days(exchange: str) -> Callable[[datetime.date], bool]:
    """Whether `exchange` trades on a day."""
    from holidays import financial_holidays

    closed = financial_holidays(exchange)

    def trades(day: datetime.date) -> bool:
        return day.weekday() < 5 and day not in closed

    return trades


@functools.cache
def published_until(exchange: str) -> int | None:
    """The last year whose holidays are known, of an exchange that publishes each year's anew.

    The mainland moves its holidays every year by notice of the State Council. None: rules suffice.
    """
    if exchange not in _BY_NOTICE:
        return None
    from holidays import financial_holidays

    years: dict[int, object] = financial_holidays(exchange).special_public_holidays
    return max(years)


def _working_days(outside: lang.Outside) -> Callable[[datetime.date], bool]:
    if outside.calendar is not None:
        return trading_days(outside.calendar)
    if outside.days == "all":
        return lambda day: True
    days = _WEEKDAYS[:5] if outside.days == "weekdays" else outside.days
    numbers = frozenset(_WEEKDAYS.index(day) for day in days)
    return lambda day: day.weekday() in numbers


@dataclass(frozen=True, slots=True)
class WorkingTime:
    """Hours of certain days, in minutes after midnight: from `opens` on, until `closes`, which is later."""

    opens: int
    closes: int
    works_on: Callable[[datetime.date], bool]

    def covers(self, local: datetime.datetime) -> bool:
        """Whether `local`, by the clock of the policy's time zone, is working time."""
        minute = local.hour * 60 + local.minute
        return self.opens <= minute < self.closes and self.works_on(local.date())


def working_time(outside: lang.Outside) -> WorkingTime:
    """The working time that `outside` is written about."""
    opens, closes = (60 * int(hour[:2]) + int(hour[3:]) for hour in outside.hours.split("-"))
    return WorkingTime(opens, closes, _working_days(outside))
