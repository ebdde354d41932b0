"""Spans of time as people write them: a year, a month, a day, a minute; today, last-30d.

Rules of this file: pure: now and the zone are arguments. Whatever is written is a span, never an instant:
`2026-11` is the whole of November, on the clocks of the zone. Both ends are milliseconds since the epoch,
UTC; the end is not included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: 0 is no end, as in `bridge.search.document.Span`: what "last-30d" and "today" reach up to has not happened.
OPEN = 0

_DATE = re.compile(
    r"(?P<year>\d{4})(?:[-/](?P<month>\d{1,2})(?:[-/](?P<day>\d{1,2})"
    r"(?:T(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2}))?)?(?P<offset>Z|[+-]\d{2}:?\d{2})?)?)?)?",
    re.IGNORECASE,
)
_QUARTER = re.compile(r"(\d{4})-?Q([1-4])", re.IGNORECASE)
_WEEK = re.compile(r"(\d{4})-?W(\d{1,2})", re.IGNORECASE)
_LAST = re.compile(r"last-(\d{1,4})(min|h|d|w|m|y)", re.IGNORECASE)
_UNITS = {"min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "m": 30 * 86_400, "y": 365 * 86_400}


YEAR_10000 = 253_402_300_800_000
"""The first moment, in milliseconds, that no calendar here has; a foreign clock may say anything."""


def written_at(sent_at: int, at: int) -> int:
    """When a message was written: `sent_at` by its network's clock, or `at`, when it was archived, where that
    cannot be."""
    return sent_at if 0 < sent_at < YEAR_10000 else at


class Period(NamedTuple):
    """From `since` up to, and without, `until`."""

    since: int
    until: int


def period(text: str, now: datetime, zone: tzinfo) -> Period | None:
    """The span that `text` writes, None if it writes none."""
    lower = text.lower()
    if lower in NAMED:
        return _days(*NAMED[lower](_midnight(now.astimezone(zone))))
    try:
        return _relative(lower, now) or _quarter(lower, zone) or _week(lower, zone) or _date(text, zone)
    except (ValueError, OverflowError, OSError):
        return None  # no such day, or none that a clock can show


def _relative(text: str, now: datetime) -> Period | None:
    found = _LAST.fullmatch(text)
    if found is None:
        return None
    back = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    return Period(milliseconds(now - back), OPEN)


def _quarter(text: str, zone: tzinfo) -> Period | None:
    found = _QUARTER.fullmatch(text)
    if found is None:
        return None
    first = datetime(int(found[1]), int(found[2]) * 3 - 2, 1, tzinfo=zone)
    return _days(first, _months_on(first, 3))


def _week(text: str, zone: tzinfo) -> Period | None:
    found = _WEEK.fullmatch(text)
    if found is None:
        return None
    first = datetime.fromisocalendar(int(found[1]), int(found[2]), 1).replace(tzinfo=zone)
    return _days(first, first + timedelta(days=7))


def _date(text: str, zone: tzinfo) -> Period | None:
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    given = [int(one) for one in found.group("year", "month", "day", "hour", "minute", "second") if one]
    year, month, day, hour, minute, second = given + [1, 1, 1, 0, 0, 0][len(given) :]
    first = datetime(year, month, day, hour, minute, second, tzinfo=_offset(found["offset"], zone))
    return _days(first, _LENGTHS[len(given) - 1](first))


def _offset(text: str | None, zone: tzinfo) -> tzinfo:
    if not text:
        return zone
    if text.upper() == "Z":
        return UTC
    away = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-away if text[0] == "-" else away)


def _on_the_clock(**length: int) -> Callable[[datetime], datetime]:
    """So much later on the clock of the same zone: a day may have 23 or 25 hours."""
    return lambda first: first + timedelta(**length)


def _elapsed(**length: int) -> Callable[[datetime], datetime]:
    """So much later in truth: an hour that a clock shows twice is one hour."""
    return lambda first: (first.astimezone(UTC) + timedelta(**length)).astimezone(first.tzinfo)


def _months_on(first: datetime, count: int) -> datetime:
    months = first.year * 12 + first.month - 1 + count
    return first.replace(year=months // 12, month=months % 12 + 1)


#: How long a date is that names so many of year, month, day, hour, minute, second.
_LENGTHS: tuple[Callable[[datetime], datetime], ...] = (
    lambda first: _months_on(first, 12),
    lambda first: _months_on(first, 1),
    _on_the_clock(days=1),
    _elapsed(hours=1),
    _elapsed(minutes=1),
    _elapsed(seconds=1),
)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _monday(day: datetime) -> datetime:
    return day - timedelta(days=day.weekday())


def _from(first: datetime, days: int = 0, months: int = 0) -> tuple[datetime, datetime]:
    return first, _months_on(first, months) if months else first + timedelta(days=days)


#: Spans by name, from the midnight that today began with. Weeks begin on Monday (ISO 8601).
NAMED: Mapping[str, Callable[[datetime], tuple[datetime, datetime]]] = {
    "today": lambda day: _from(day, days=1),
    "yesterday": lambda day: _from(day - timedelta(days=1), days=1),
    "this-week": lambda day: _from(_monday(day), days=7),
    "last-week": lambda day: _from(_monday(day) - timedelta(days=7), days=7),
    "this-month": lambda day: _from(day.replace(day=1), months=1),
    "last-month": lambda day: _from(_months_on(day.replace(day=1), -1), months=1),
    "this-year": lambda day: _from(day.replace(month=1, day=1), months=12),
    "last-year": lambda day: _from(_months_on(day.replace(month=1, day=1), -12), months=12),
}


def _days(first: datetime, last: datetime) -> Period:
    return Period(milliseconds(first), milliseconds(last))


def milliseconds(moment: datetime) -> int:
    """A moment as the archive counts it."""
    return int(moment.timestamp() * 1000)
