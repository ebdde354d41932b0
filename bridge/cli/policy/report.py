"""The report of a back-test as people read it.

Rules of this file: it takes the plain values that `bridge.policy.tally.report` makes and the archive
keeps, so that a report from last year is printed like one of today. Numbers come before examples; no text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bridge.cli import output

SHOWN = 10
"""People that are named, those with most changes first; the JSON has more."""


def report_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The report as lines for a person: counts first, then examples by number."""
    part = " (interrupted: only a part)" if found["partial"] else ""
    period = f"{output.when(found['since'])} to {output.when(found['until'])}"
    yield f"Replayed {found['replayed']:,} messages, {period}{part}"
    for title in ("live", "draft"):
        yield f"  {title:<6}{', '.join(f'{name} {digest[:12]}' for name, digest in found[title])}"
    yield from _changes(found)
    yield from _counted(
        "By rule", found["rules"], {"rule": "RULE", "more": "ACTS ON MORE", "fewer": "ACTS ON FEWER"}
    )
    yield from _counted("By person", found["people"][:SHOWN], {"person": "PERSON", "changed": "CHANGED"})
    yield from _counted("By day", found["days"], {"day": "DAY", "messages": "MESSAGES", "changed": "CHANGED"})
    yield from _load(found["load"])
    gaps = " · ".join(f"{count:,} {output.cell(why)}" for why, count in found["not_replayed"].items())
    yield f"Not replayed: {gaps or 'none'}"
    if found["sample"]:
        yield f"Sample of {len(found['sample'])} changed decisions (`weighbridge audit show ID`)"
        rows = [
            [str(one["message"]), one["change"], output.cell(", ".join(one["rules"]))]
            for one in found["sample"]
        ]
        yield from _table(rows, [True, False, False])


def _changes(found: Mapping[str, Any]) -> Iterator[str]:
    columns = {
        "change": "LIVE → DRAFT",
        "messages": "MESSAGES",
        "conversations": "CONVERSATIONS",
        "people": "PEOPLE",
    }
    yield from _counted("Changed", found["changes"], columns)
    same = " · ".join(f"{one['outcome']} {one['messages']:,}" for one in found["unchanged"])
    yield f"Unchanged: {same or 'none'}"


def _counted(title: str, rows: list[dict[str, Any]], columns: Mapping[str, str]) -> Iterator[str]:
    """A table of numbers with its title; nothing when there are none."""
    if rows:
        yield title
        cells = [[output.cell(row.get(key, 0)) for key in columns] for row in rows]
        yield from _table([list(columns.values()), *cells], [False, *[True] * (len(columns) - 1)])


def _table(rows: list[list[str]], right: list[bool]) -> Iterator[str]:
    return (f"  {line}" for line in output.table(rows, right))


def _load(load: Mapping[str, Any]) -> Iterator[str]:
    more = load["more_seconds"]
    hours = f"{'−' if more < 0 else '+'}{abs(more) / 3600:.1f} h"
    holds = f"{load['live']:,} → {load['draft']:,} holds"
    yield f"Review load: {holds}; at {load['seconds_per_hold']} s each {hours}"
    if "busiest_hour" in load:
        hour = output.when(load["busiest_hour"])
        yield f"  busiest hour {hour}: {load['busiest_live']:,} → {load['busiest_draft']:,}"
