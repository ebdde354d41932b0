"""Periods as policies write them (30d, 6m, 7y): when one that began at a moment is over.

Rules of this file: pure. Months and years are those of the calendar; a day that a month does not have is its
last one.
"""

from __future__ import annotations

import calendar
import datetime

_DAYS_OF_A_MONTH = 365.2425 / 12


def after(begin: datetime.datetime, period: str) -> datetime.datetime:
    """The moment one `period` after `begin`; the end of time where the calendar ends sooner."""
    count, unit = int(period[:-1]), period[-1]
    try:
        if unit == "d":
            return begin + datetime.timedelta(days=count)
        return _months_after(begin, count * (12 if unit == "y" else 1))
    except (OverflowError, ValueError):
        return datetime.datetime.max.replace(tzinfo=begin.tzinfo)


def _months_after(begin: datetime.datetime, months: int) -> datetime.datetime:
    years, month = divmod(begin.month - 1 + months, 12)
    year = begin.year + years
    last = calendar.monthrange(year, month + 1)[1]
    return begin.replace(year=year, month=month + 1, day=min(begin.day, last))


def usual_days(period: str) -> float:
    """How many days `period` usually has: for telling which of two is longer."""
    count = int(period[:-1])
    return {"d": 1.0, "m": _DAYS_OF_A_MONTH, "y": 12 * _DAYS_OF_A_MONTH}[period[-1]] * count
