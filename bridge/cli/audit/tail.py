"""`weighbridge audit tail`: messages that fulfil a query, as they are decided.

Rules of this file: no logic; the ledger is followed by `bridge.store.tailing`. Every look is a transaction of
its own, so that a long watch holds nothing up; what it brings is recorded before it is shown.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import tzinfo
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING

import click

from bridge.cli import output
from bridge.cli.audit import columns as shown
from bridge.cli.audit.finding import QUERYING, Archive, archive, query_argument, written
from bridge.cli.audit.given import TIME
from bridge.cli.audit.looking import Recorder, looking, recorder_of
from bridge.cli.audit.search import marks, terminal_width
from bridge.cli.audit.zone import zone_option
from bridge.cli.root import Root, pass_root, reading

if TYPE_CHECKING:
    from bridge.search.query import Query
    from bridge.store.documents import Stored
    from bridge.store.tailing import Tail

PAUSE = 0.5
"""Seconds between two looks at a ledger in which nothing is new."""

_PEOPLE, _STATE = 28, 17
"""Cells for who, and for what became of it."""

_LEAD, _APART = 78, 6
"""Cells before the text: on the same line, and on a line of its own where the terminal is narrow."""


@click.command(context_settings=QUERYING)
@query_argument
@click.option("--since", type=TIME, help="Begin with those archived since then, UTC: a time, or 10m, 24h.")
@click.option("--jsonl", "as_lines", is_flag=True, help="One JSON object per line.")
@zone_option
@looking
@pass_root
def tail(
    root: Root,
    words: tuple[str, ...],
    *,
    since: int | None,
    as_lines: bool,
    zone: tzinfo | None,
    person: str,
    reason: str,
    case: str,
) -> None:
    """Show messages that fulfil QUERY as they are decided, until Ctrl-C: each once, when it first does.

    \b
    weighbridge audit tail
    weighbridge audit tail action:held
    weighbridge audit tail is:failed --since 24h

    Who watches, and what was shown, is written into the ledger first.
    """
    from bridge.store.tailing import Tail

    text, settings = written(words), root.settings()
    with archive(settings, zone) as asked:
        asking = partial(recorder_of, root, settings, person, reason, case)
        query = replace(asked.query(text, "tail", asking), newest_first=True)
        screen = _Screen(asking(), text, query, asked, as_lines)
        earlier = _since(asked, query, since)
        following = Tail(asked.db, [one.number for one in earlier])
        screen.show(earlier)
    output.note("Following; Ctrl-C ends it.")
    while True:
        if not _look(root, following, screen):
            time.sleep(PAUSE)


def _since(asked: Archive, query: Query, since: int | None) -> list[Stored]:
    """What was archived since then, the oldest first."""
    if since is None:
        return []
    return list(takewhile(lambda one: one.at >= since, asked.every(query)))[::-1]


def _look(root: Root, following: Tail, screen: _Screen) -> bool:
    """Show what is new; whether there is more to look at."""
    with reading(root.settings()) as db:
        found, more = following.look(db, screen.query.accepts)
        if found:
            screen.show(found)
    return more


class _Screen:
    """Where messages are shown, after it was recorded that they are."""

    def __init__(self, recorder: Recorder, text: str, query: Query, asked: Archive, as_lines: bool) -> None:
        self.recorder, self.text, self.query, self.zone = recorder, text, query, asked.zone
        self.as_lines = as_lines
        self.narrow = terminal_width() < shown.NARROW
        self.room = max(terminal_width() - (_APART if self.narrow else _LEAD), shown.LEAST)
        self.marks = marks()

    def show(self, found: Sequence[Stored]) -> None:
        """Show these, after it was recorded that they are. Raises StoreError if it cannot be."""
        from bridge.store.looks import Search

        numbers = tuple(one.number for one in found)
        self.recorder.searched(Search("tail", self.text, len(numbers), numbers))
        for one in found:
            self._line(one)

    def _line(self, one: Stored) -> None:
        hits = self.query.highlights(one)
        if self.as_lines:
            output.json_line(shown.record(one, hits, self.zone))
            return
        who = _padded(shown.COLUMNS["who"].value(one, self.zone), _PEOPLE)
        state = _padded(shown.standing(one), _STATE)
        text = shown.passage(one, hits, self.room, self.marks).text
        head = f"{shown.time_of(one.at, self.zone)}  {one.number:>6}  {who}  {state}"
        click.echo(
            f"{head.rstrip()}\n      {text}" if self.narrow else f"{head}  {text}".rstrip(), color=True
        )


def _padded(text: str, cells: int) -> str:
    harmless = output.cut(output.cell(text), cells)
    return harmless + " " * (cells - output.width(harmless))
