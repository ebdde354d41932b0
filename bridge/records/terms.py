"""When the period of a record is over: from the classes that a policy gave it and what has happened since.

Rules of this file: pure. A record keeps every class that any of its verdicts named, and the one that ends
last governs. Whoever computes errs on the long side: a period ends with a whole day in UTC, and never before
the same moment of its last day; a day that its last month does not have is the first of the month after.

    created ──────────── 7y ─────────────► end          a class that starts with the record
    created ──── deal-termination ── 5y ─► end          one that starts with an event: before it, no end
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bridge.message import Retention
from bridge.policy.periods import after, usual_days

CREATION = "creation"
"""The start of a class whose period runs from the moment at which its record was archived."""

LONGEST = "100y"
"""The longest period that a person may order by hand: none is ever shortened, and a slip of the pen is soon
written. No regulation knows a longer one."""

_DAY = 86_400_000
_LAST = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z, where the calendar ends


def is_too_long(keep: str) -> bool:
    """Whether a period is longer than any that a person may order."""
    return usual_days(keep) > usual_days(LONGEST)


@dataclass(frozen=True, slots=True)
class Term:
    """How long a record lives. `key` is the class that governs ("policy/id"), `start` what its period runs
    from. From `until` on (milliseconds, UTC) it may go; None while `start` has not happened."""

    key: str
    start: str
    until: int | None


def end(begin: int, keep: str) -> int:
    """When a period ("7y", "18m", "90d") that began at `begin` is over: both in milliseconds, UTC."""
    return _end(begin // _DAY, keep)


@functools.lru_cache(maxsize=4096)
def _end(day: int, keep: str) -> int:
    begin = datetime.fromtimestamp(day * _DAY / 1000, UTC)
    try:
        last = after(begin, keep)
        if keep[-1] != "d" and last.day != begin.day:
            last += timedelta(days=1)
        return round((last + timedelta(days=1)).timestamp() * 1000)
    except OverflowError:
        return _LAST


def end_of(one: Retention, created: int, happened: Mapping[str, int]) -> int | None:
    """When the period of one class is over for a record that was archived at `created`; None while its event
    has not happened. For what happened before there was a record, its period is the record's own."""
    begin = created if one.start == CREATION else happened.get(one.start)
    return None if begin is None else end(max(begin, created), one.keep)


def term(
    classes: Iterable[Retention], created: int, happened: Mapping[str, int], extended: int = 0
) -> Term | None:
    """What governs a record that was archived at `created`; None when it has no class, and so no end.

    `happened` says when events happened for it: one from before it counts from the record's own day.
    `extended` says until when it was ordered to be kept longer (0: not ordered). Of classes that still wait
    for their event, the one with the longest period is named.
    """
    found: Term | None = None
    for one in sorted(classes, key=lambda one: (-usual_days(one.keep), one.key)):
        found = longer(found, Term(one.key, one.start, end_of(one, created, happened)))
    if found is not None and found.until is not None and found.until < extended:
        return replace(found, until=extended)
    return found


def longer(one: Term | None, other: Term | None) -> Term | None:
    """The one of two that ends later; `one` when neither does. No end ends last, no term is no claim."""
    if one is None or other is None:
        return one or other
    if one.until is None:
        return one
    return other if other.until is None or other.until > one.until else one


def readable_until(classes: Iterable[Retention], created: int) -> int:
    """Until when a record must be readable at once, by the longest `first` period of its classes; 0 if no
    class asks for that."""
    return max((end(created, one.first) for one in classes if one.first), default=0)


def is_write_once(classes: Iterable[Retention]) -> bool:
    """Whether any of its classes asks for media that are written once: the strictest wins."""
    return any(one.worm for one in classes)
