"""`weighbridge audit stats`: how many messages when, of whom, with what outcome, and how long they took.

Rules of this file: no logic; the counting is in `bridge.search.counts`. Nobody's words are shown; that
somebody asked is recorded all the same, because a query has words as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from bridge.cli import output
from bridge.cli.audit.columns import csv_row
from bridge.cli.audit.counting import (
    MOST,
    bar,
    facet_csv,
    facet_record,
    labelled,
)
from bridge.cli.audit.finding import (
    QUERYING,
    archive,
    covered,
    no_index_option,
    query_argument,
    sentence,
    written,
)
from bridge.cli.audit.looking import looking, recorder_of
from bridge.cli.audit.zone import zone_option
from bridge.cli.progress import progress
from bridge.cli.root import Root, pass_root

if TYPE_CHECKING:
    from bridge.search.counts import Spread, Tally

DAYS = 31
"""Days that people see at once."""


@click.command(context_settings=QUERYING)
@query_argument
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--csv", "as_csv", is_flag=True, help="For spreadsheets.")
@no_index_option
@zone_option
@looking
@pass_root
def stats(
    root: Root,
    words: tuple[str, ...],
    *,
    as_json: bool,
    as_csv: bool,
    indexed: bool,
    zone: tzinfo | None,
    person: str,
    reason: str,
    case: str,
) -> None:
    """Count messages that fulfil QUERY by day, hour, outcome, rule, people and side; say how long delivery
    and decisions took.

    \b
    weighbridge audit stats during:last-30d
    weighbridge audit stats from:alice.wong during:2026-11 --csv
    """
    from bridge.search.counts import Tally
    from bridge.store.looks import Search

    text, settings = written(words), root.settings()
    with archive(settings, zone, indexed=indexed) as asked:
        asking = partial(recorder_of, root, settings, person, reason, case)
        query = asked.query(text, "stats", asking)
        recorder = asking()
        tally = Tally(asked.zone)
        with progress("counting") as tell:
            for document in asked.every(query, tell):
                tally.add(document)
        recorder.searched(Search("stats", text, tally.total, indexed=indexed))
        searched = asked.searched(query)
        if as_json:
            output.json_line({"query": text, **_record(tally, text), "searched": covered(asked, searched)})
            return
        for line in _csv(tally, text) if as_csv else _lines(tally):
            output.data(line) if as_csv else click.echo(line)
        output.note(sentence(asked, searched))


def _record(tally: Tally, query: str) -> dict[str, Any]:
    return {
        "count": tally.total,
        "facets": facet_record(tally, query),
        "hours": [tally.hours[hour] for hour in range(24)],
        "delivery_ms": _spread(tally.delivery),
        "decision_ms": _spread(tally.decision),
        "holds": {"open": tally.open_holds, "late": tally.late_holds},
    }


def _spread(spread: Spread) -> dict[str, int]:
    half, most, all_ = spread.quantiles(0.5, 0.95, 1.0)
    return {"count": len(spread.values), "p50": half, "p95": most, "max": all_}


def _csv(tally: Tally, query: str) -> Iterator[str]:
    yield from facet_csv(tally, query)
    for hour in range(24):
        yield csv_row(["hour", f"{hour:02}", "", str(tally.hours[hour]), ""])
    for name, spread in (("delivery_ms", tally.delivery), ("decision_ms", tally.decision)):
        for key, value in _spread(spread).items():
            yield csv_row([name, key, "", str(value), ""])
    for key, count in (("open", tally.open_holds), ("late", tally.late_holds)):
        yield csv_row(["holds", key, "", str(count), ""])


# --- for people -----------------------------------------------------------------------------------------


def _lines(tally: Tally) -> Iterator[str]:
    from bridge.search.counts import GROUPS

    yield output.counted(message=tally.total)
    if not tally.total:
        return
    for name in ("during", *(name for name in GROUPS if name != "during")):
        counts = tally.group(name, "", DAYS if name == "during" else MOST)
        if counts:
            yield ""
            yield GROUPS[name].title
            yield from _bars([(labelled(tally, one.value), one.count) for one in counts])
            if left := len(tally.counts[name]) - len(counts):
                yield f"  … and {left:,} more (--json has all)"
    yield ""
    yield "hour of the day"
    yield from _bars([(f"{hour:02}", tally.hours[hour]) for hour in range(24) if tally.hours[hour]])
    yield ""
    yield from _times(tally)


def _bars(rows: list[tuple[str, int]]) -> Iterator[str]:
    most = max(count for _, count in rows)
    cells = [[label, f"{count:,}", bar(count, most)] for label, count in rows]
    yield from (f"  {line}" for line in output.table(cells, [False, True, False]))


def _times(tally: Tally) -> Iterator[str]:
    """How long things took: half of them at most this, 95 % at most that."""
    rows = [
        [name, f"{len(spread.values):,}", *(output.span(ms) for ms in spread.quantiles(0.5, 0.95, 1.0))]
        for name, spread in (("archive to delivery", tally.delivery), ("hold to decision", tally.decision))
        if spread.values
    ]
    if rows:
        head = ["how long it took", "of", "half within", "95% within", "longest"]
        yield from output.table([head, *rows], [False, True, True, True, True])
    if tally.open_holds or tally.late_holds:
        yield f"{tally.open_holds:,} wait for a reviewer now; {tally.late_holds:,} were or are late."
