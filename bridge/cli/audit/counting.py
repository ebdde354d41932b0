"""Counts for people: what was found by outcome, rule, person, day; bars, and the query that opens each count.

Rules of this file: pure; it makes lines of what `bridge.search.counts` counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bridge.cli import output
from bridge.cli.audit.columns import csv_row

if TYPE_CHECKING:
    from bridge.search.counts import Count, Tally

MOST = 10
"""Values of one group that people see; the rest is in --json and --csv."""

BAR = 24
"""Cells of the longest bar."""

_EIGHTHS = " ▏▎▍▌▋▊▉"


def bar(part: int, whole: int, cells: int = BAR) -> str:
    """A bar for `part` of `whole`, to an eighth of a cell; never empty for more than nothing."""
    eighths = max(round(8 * cells * part / whole), 1) if part and whole else 0
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def facet_lines(tally: Tally, query: str) -> Iterator[str]:
    """For each group its most frequent values, with their counts and queries."""
    from bridge.search.counts import GROUPS

    for name, group in GROUPS.items():
        if counts := tally.group(name, query, MOST):
            yield group.title
            yield from _rows(tally, counts)
            if left := len(tally.counts[name]) - len(counts):
                yield f"  … and {left:,} more (--json has all)"


def _rows(tally: Tally, counts: Sequence[Count]) -> Iterator[str]:
    rows = [[f"{one.count:,}", labelled(tally, one.value), output.cell(one.query)] for one in counts]
    yield from (f"  {line}" for line in output.table(rows, [True, False, False]))


def labelled(tally: Tally, value: str) -> str:
    """A value for people: an address with the name beside it."""
    name = tally.names.get(value, "")
    return output.cut(output.cell(f"{name} ({value})" if name and name != value else value), 48)


def facet_record(tally: Tally, query: str) -> dict[str, list[dict[str, Any]]]:
    """All counts as JSON, by the qualifier that opens them."""
    from bridge.search.counts import GROUPS

    return {
        name: [asdict(one) | {"name": tally.names.get(one.value, "")} for one in tally.group(name, query)]
        for name in GROUPS
    }


def facet_csv(tally: Tally, query: str) -> Iterator[str]:
    """All counts as lines of CSV."""
    from bridge.search.counts import GROUPS

    yield csv_row(["group", "value", "name", "count", "query"])
    for name, group in GROUPS.items():
        for one in tally.group(name, query):
            names = tally.names.get(one.value, "")
            yield csv_row([group.title, one.value, names, str(one.count), one.query])
