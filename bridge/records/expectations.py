"""What is usual on a day of the week, and what is not: too few as well as too many, and who fell silent.

Rules of this file: pure. A range comes from the same day of the week in the weeks before; where there are
too few of those, nothing is expected and nobody is accused. FCA Market Watch 79 is about a feed that was dead
for three years while totals looked normal: so ranges are kept for each network, person and rule, and of a
network what was missed does not become usual by being missed for long.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil, floor, sqrt

FEWEST = 10
"""A mean below which too few on one day says nothing: chance alone has such days. Silence of days does."""

LEAST = 2
"""Earlier days of the same weekday without which nothing is expected."""


def usual(earlier: Sequence[int]) -> tuple[int, int] | None:
    """The lowest and highest count that is no surprise, by those of the same weekday before.

    Three deviations of a Poisson count around the mean, and never narrower than half of the lowest to twice
    the highest of those days. None where there are too few of them.
    """
    if len(earlier) < LEAST:
        return None
    mean = sum(earlier) / len(earlier)
    low = min(floor(mean - 3 * sqrt(mean)), min(earlier) // 2)
    return max(low, 0), max(ceil(mean + 3 * sqrt(mean)), 2 * max(earlier)) + 1


def unusual(name: str, count: int, earlier: Sequence[int]) -> str:
    """What there is to say about a count, "" when nothing is."""
    span = usual(earlier)
    if span is None:
        return ""
    low, high = span
    silent = count == 0 and min(earlier) > 0
    if (count < low or silent) and sum(earlier) >= FEWEST * len(earlier):
        return f"too few: {name} {count}, usual are {max(low, 1)} to {high}"
    return f"too many: {name} {count}, usual are {low} to {high}" if count > high else ""


def turnout(network: str, count: int, earlier: Sequence[int], quiet: int) -> Iterator[str]:
    """What there is to say of a network's day: how much was written, and for how many usual days nothing."""
    if said := unusual(_messages(network), count, earlier):
        yield said
    if quiet:
        yield f"{_nobody(network)} on {quiet} usual days"


def is_missed(alerts: Iterable[str], network: str) -> bool:
    """Whether a day was told to have too little of a network: it is no measure for others then."""
    ways = f"too few: {_messages(network)} ", f"{_nobody(network)} "
    return any(one.startswith(ways) for one in alerts)


def _messages(network: str) -> str:
    return f"messages from {network}"


def _nobody(network: str) -> str:
    return f"silent: nobody has written in {network}"


def silent(days: Iterable[int], day: int, most: int, weeks: int, since: int = -1) -> int:
    """For how many of his usual days in a row, up to `day`, somebody has not written; 0 when fewer than
    `most`, or when no days are usual. `days` are those on which he wrote; of his silence, what is later than
    the day `since` counts.

    A day is usual for him when he wrote on that weekday in more than half of the weeks before his silence.
    """
    wrote = set(days)
    last = max((one for one in wrote if one <= day), default=None)
    if last is None or last == day:
        return 0
    by_weekday: defaultdict[int, int] = defaultdict(int)
    for one in wrote:
        if last - 7 * weeks < one <= last:
            by_weekday[one % 7] += 1
    first = max(last, since) + 1
    usual_days = [one for one in range(first, day + 1) if by_weekday[one % 7] * 2 > weeks]
    return len(usual_days) if len(usual_days) >= most else 0


def falls_silent(days: Iterable[int], day: int, most: int, weeks: int) -> bool:
    """Whether `day` is the one on which somebody's silence has lasted for `most` of his usual days: who left
    is told once."""
    wrote = set(days)
    return silent(wrote, day, most, weeks) == most and silent(wrote, day - 1, most, weeks) < most


def surprises(
    kind: str, today: Mapping[str, int], before: Sequence[Mapping[str, int] | None]
) -> Iterator[str]:
    """What is unusual about counts by name, against those of the same weekday before (None: not known)."""
    known = [counts for counts in before if counts is not None]
    for name in sorted({*today, *(name for counts in known for name in counts)}):
        said = unusual(f"{kind} {name}", today.get(name, 0), [counts.get(name, 0) for counts in known])
        if said:
            yield said
