"""`weighbridge audit search`: messages that fulfil a query, and where it was looked for them.

Rules of this file: no logic of searching. Messages go to standard output; what was searched, and how to go
on, to standard error. Who searched is written down before the first of them is shown.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from bridge.cli import output
from bridge.cli.audit import columns as shown
from bridge.cli.audit.counting import facet_csv, facet_lines, facet_record
from bridge.cli.audit.excerpt import COLOUR, SIGNS, Marks
from bridge.cli.audit.finding import (
    PAGE,
    QUERYING,
    Archive,
    archive,
    covered,
    no_index_option,
    query_argument,
    sentence,
    written,
)
from bridge.cli.audit.looking import Recorder, looking, recorder_of
from bridge.cli.audit.zone import moment, name_of, zone_option
from bridge.cli.output import Exit
from bridge.cli.progress import progress
from bridge.cli.root import Root, pass_root

if TYPE_CHECKING:
    from bridge.search.counts import Tally
    from bridge.search.query import Query
    from bridge.store.documents import Stored
    from bridge.store.looks import Search
    from bridge.store.searching import Searched

LIMIT = 50

PATIENCE = 1.0
"""Seconds, for each condition, to count what would be found without it."""


class _Columns(click.ParamType):
    """An option that takes names of columns."""

    name = "columns"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names, in order."""
        names = tuple(name.strip() for name in str(value).split(",") if name.strip())
        unknown = [name for name in names if name not in shown.COLUMNS]
        if unknown or not names:
            there = ", ".join(shown.COLUMNS)
            self.fail(f"{', '.join(unknown) or value!r} is no column: there are {there}", param, ctx)
        return names


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for, and how it is to be shown."""

    words: tuple[str, ...]
    limit: int
    everything: bool
    before: int | None
    after: int | None
    oldest: bool
    count: bool
    facets: bool
    as_json: bool
    as_lines: bool
    as_csv: bool
    columns: tuple[str, ...]
    zone: tzinfo | None
    fail_empty: bool
    indexed: bool

    @property
    def text(self) -> str:
        """The query as it is asked and recorded."""
        return f"{written(self.words)} sort:oldest".strip() if self.oldest else written(self.words)


@click.command(context_settings=QUERYING)
@query_argument
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=LIMIT, show_default=True, help="Messages of a page."
)
@click.option("--all", "everything", is_flag=True, help="All of them, page by page.")
@click.option("--before", type=click.IntRange(1), metavar="ID", help="Only older than this one.")
@click.option("--after", type=click.IntRange(1), metavar="ID", help="Only newer than this one.")
@click.option("--oldest", is_flag=True, help="The oldest first.")
@click.option("--count", is_flag=True, help="Only how many there are.")
@click.option("--facets", is_flag=True, help="How many of which; each count with the query that lists it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document: messages, and what was searched.")
@click.option("--jsonl", "as_lines", is_flag=True, help="One JSON object per line, as they are found.")
@click.option("--csv", "as_csv", is_flag=True, help="For spreadsheets; nothing in it is a formula.")
@click.option(
    "--columns",
    type=_Columns(),
    default=",".join(shown.USUAL),
    metavar="NAME,...",
    help=f"For tables and CSV: {', '.join(shown.COLUMNS)}.",
)
@zone_option
@no_index_option
@click.option("--fail-empty", is_flag=True, help="Exit code 1 when nothing is found.")
@click.option("--qualifiers", is_flag=True, help="List everything that a query can ask, and end.")
@looking
@pass_root
def search(root: Root, /, person: str, reason: str, case: str, qualifiers: bool, **options: Any) -> int:
    """Messages in the archive that fulfil QUERY, the newest first; without one, all of them.

    \b
    weighbridge audit search 内幕消息 from:alice.wong
    weighbridge audit search '"guaranteed return"' during:2026-11 -is:notice
    weighbridge audit search action:held rule:mnpi --facets

    Words are searched in texts, Chinese of any length, Traditional = Simplified. Next to each other all must
    be fulfilled; OR, -not and (brackets) as usual.

    \b
    who    from: to: with: reviewer: group:
    where  in: side: dir:
    what   text: sent: kind: file: type: has: lang:
    rules  action: rule: would: tag: policy: queue:
    state  is:held is:released is:failed is:edited ...
    when   during: before: after: hour: day:

    All of them: --qualifiers. Who searched, what and why is written into the ledger.
    """
    if qualifiers:
        _list_qualifiers()
        return Exit.DONE
    wishes = Wishes(**options)
    settings = root.settings()
    with archive(settings, wishes.zone, indexed=wishes.indexed) as asked:
        asking = partial(recorder_of, root, settings, person, reason, case)
        query = asked.query(wishes.text, "search", asking)
        recorder = asking()
        if wishes.count or wishes.facets:
            return _counts(asked, query, wishes, recorder)
        return _messages(asked, query, wishes, recorder)


def _list_qualifiers() -> None:
    from bridge.search.qualifiers import ROWS, SHAPES

    told = [(one.name, one.example, one.meaning, one.values) for one in ROWS]
    told += [(name, example, meaning, ()) for name, (meaning, example) in SHAPES.items()]
    rows = [[f"{name}:", example, meaning] for name, example, meaning, _ in told]
    for line, (_, _, _, values) in zip(output.table(rows, [False] * 3), told, strict=True):
        click.echo(line)
        if values:
            click.echo(textwrap.indent(textwrap.fill(", ".join(values), 90), " " * 14))


# --- messages -------------------------------------------------------------------------------------------


def _messages(asked: Archive, query: Query, wishes: Wishes, recorder: Recorder) -> int:
    """Show what was found, a page at a time; each page is recorded before it is shown."""
    show = _Output(asked, query, wishes)
    total, last = 0, 0
    for part in _parts(asked, query, wishes):
        numbers = tuple(one.number for one in part.documents)
        recorder.searched(_search(wishes, "search", len(numbers), numbers))
        show.page(part.documents)
        total, last = total + len(numbers), numbers[-1] if numbers else last
    show.end(part.searched, more=part.more, last=last)
    for stranger in asked.strangers:
        output.note(f"{stranger}: nobody of that name is known.")
    if not total:
        _explain_nothing(asked, query)
    if broken := show.broken:
        output.note(f"{broken:,} of them cannot be opened (any more): see `weighbridge audit verify`.")
    if not wishes.as_json:
        output.note(sentence(asked, part.searched))
    return Exit.NO if wishes.fail_empty and not total else Exit.DONE


def _search(wishes: Wishes, command: str, found: int, numbers: tuple[int, ...]) -> Search:
    from bridge.store.looks import Search

    return Search(command, wishes.text, found, numbers, wishes.indexed)


class _Part(NamedTuple):
    """Messages that are opened, recorded and shown together; whether there are more; what was searched."""

    documents: Sequence[Stored]
    more: bool
    searched: Searched


def _parts(asked: Archive, query: Query, wishes: Wishes) -> Iterator[_Part]:
    """The messages asked for; at least one part, be it empty."""
    left = _limit(query, wishes)
    bounds = wishes.before or 0, wishes.after or 0
    start, end = bounds if query.newest_first else bounds[::-1]
    while True:
        page = asked.page(query, min(left, PAGE), start)
        documents = list(itertools.takewhile(lambda one: _wanted(one.number, end, query), page.documents))
        more = page.more and len(documents) == len(page.documents)
        left -= len(documents)
        yield _Part(documents, more, page.searched)
        if not more or not left:
            return
        start = documents[-1].number


def _limit(query: Query, wishes: Wishes) -> int:
    """How many at most: the option stands before the query, and the query before the default."""
    if wishes.everything:
        return sys.maxsize
    return query.limit if wishes.limit == LIMIT else wishes.limit


def _wanted(number: int, end: int, query: Query) -> bool:
    """Whether a message lies before the end that was asked for (0: none was)."""
    if not end:
        return True
    return number > end if query.newest_first else number < end


class _Output:
    """One answer while it is shown: as a table, CSV, lines of JSON, or one JSON document."""

    def __init__(self, asked: Archive, query: Query, wishes: Wishes) -> None:
        self.asked, self.query, self.wishes = asked, query, wishes
        self.broken = 0
        self._records: list[dict[str, Any]] = []
        self._look = shown.Look(wishes.columns, asked.zone, terminal_width(), marks())
        if wishes.as_csv:
            output.data(shown.csv_row(wishes.columns))

    def page(self, documents: Sequence[Stored]) -> None:
        """Show these."""
        found = [(one, self.query.highlights(one)) for one in documents]
        records = [shown.record(one, hits, self.asked.zone) for one, hits in found if self._as_records]
        self.broken += sum(one.broken for one in documents)
        if self.wishes.as_lines:
            for record in records:
                output.json_line(record)
        elif self.wishes.as_json:
            self._records += records
        elif self.wishes.as_csv:
            for one in documents:
                output.data(shown.csv_of(one, self.wishes.columns, self.asked.zone))
        elif found:
            for line in shown.table(found, self._look):
                click.echo(line, color=True)

    @property
    def _as_records(self) -> bool:
        return self.wishes.as_json or self.wishes.as_lines

    def end(self, searched: Searched, *, more: bool, last: int) -> None:
        """Say how to go on."""
        following = _following(self.query, self.wishes, last) if more else ""
        if self.wishes.as_json:
            answer = {"query": self.wishes.text, "messages": self._records, "more": more, "next": following}
            output.json_line(answer | {"searched": covered(self.asked, searched)})
        elif following:
            output.note(f"There are more: {following}")


def _following(query: Query, wishes: Wishes, last: int) -> str:
    """The command that shows the next page."""
    words = [
        *wishes.words,
        "--oldest" * wishes.oldest,
        "--no-index" * (not wishes.indexed),
        "--before" if query.newest_first else "--after",
        str(last),
    ]
    options = (
        ("--limit", str(wishes.limit), wishes.limit != LIMIT),
        ("--columns", ",".join(wishes.columns), wishes.columns != shown.USUAL),
        ("--tz", name_of(wishes.zone) if wishes.zone else "", wishes.zone is not None),
    )
    words += [word for name, value, given in options if given for word in (name, value)]
    flags = (("--json", wishes.as_json), ("--jsonl", wishes.as_lines), ("--csv", wishes.as_csv))
    words += [flag for flag, given in flags if given]
    return "weighbridge audit search " + shlex.join(filter(None, words))


def terminal_width() -> int:
    """How wide a table may be; where nobody looks at a terminal, as wide as one."""
    return shutil.get_terminal_size((120, 24)).columns


def marks() -> Marks:
    """What stands around a hit: colour on a terminal that is to have it, else signs."""
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return COLOUR if coloured else SIGNS


# --- nothing, and counts --------------------------------------------------------------------------------


def _explain_nothing(asked: Archive, query: Query) -> None:
    """Name the one condition that excludes most; of a message that is gone, how it went."""
    from bridge.store.disposal import fate

    output.note("Nothing found.")
    for text, _ in query.without():
        number = text.removeprefix("id:")
        if number.isascii() and number.isdigit() and (gone := fate(asked.db, int(number))):
            when = f"{moment(gone['disposed_at'], asked.zone):%Y-%m-%d}"
            said = f"Message {number} was disposed of on {when} by disposal {gone['disposal']}"
            output.note(f"{said}: `weighbridge audit show {number}` says how.")
            return
    counts = [(*_count_for(asked, rest, PATIENCE), text) for text, rest in query.without()]
    count, whole, text = max(counts, default=(0, True, ""))
    if count:
        many = output.counted(message=count) if whole else f"{count:,} messages or more"
        output.note(f"Without `{output.cell(text)}`: {many}.")


def _count_for(asked: Archive, query: Query, seconds: float) -> tuple[int, bool]:
    """How many messages fulfil a query, as far as so many seconds go; whether those are all."""
    end, count = time.monotonic() + seconds, 0

    def tell(_done: int, _total: int) -> None:
        if time.monotonic() > end:
            raise TimeoutError

    with contextlib.suppress(TimeoutError):
        for _ in asked.every(query, tell):
            count += 1
        return count, True
    return count, False


def _counts(asked: Archive, query: Query, wishes: Wishes, recorder: Recorder) -> int:
    """Show how many there are, and of which."""
    from bridge.search.counts import Tally

    tally = Tally(asked.zone)
    with progress("counting") as tell:
        for document in asked.every(query, tell):
            tally.add(document)
    command = "facets" if wishes.facets else "count"
    recorder.searched(_search(wishes, command, tally.total, ()))
    searched = asked.searched(query)
    if wishes.as_json or wishes.as_lines:
        facets = {"facets": facet_record(tally, wishes.text)} if wishes.facets else {}
        answer = {"query": wishes.text, "count": tally.total, **facets}
        output.json_line(answer | {"searched": covered(asked, searched)})
        return Exit.NO if wishes.fail_empty and not tally.total else Exit.DONE
    for line in _counted(tally, wishes):
        output.data(line) if wishes.as_csv else click.echo(line)
    output.note(sentence(asked, searched))
    return Exit.NO if wishes.fail_empty and not tally.total else Exit.DONE


def _counted(tally: Tally, wishes: Wishes) -> Iterator[str]:
    if wishes.facets and wishes.as_csv:
        yield from facet_csv(tally, wishes.text)
    elif wishes.facets:
        yield output.counted(message=tally.total)
        yield from facet_lines(tally, wishes.text)
    else:
        yield str(tally.total)
