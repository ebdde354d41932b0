"""How far a long command is: a bar for people, lines of numbers for logs.

Rules of this file: standard error only; data never passes through here.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

PAUSE = 10.0
"""Seconds between two lines where nobody looks at a terminal."""

Tell = Callable[[int, int], None]
"""Called with how much is done, and of how much."""


@contextmanager
def progress(doing: str) -> Iterator[Tell]:
    """Says how far `doing` is: a bar with the time that is left on a terminal, else a line now and then."""
    if not sys.stderr.isatty():
        yield _lines(doing)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # What is printed meanwhile stands above the bar where both go to the terminal.
    console, both = Console(stderr=True), sys.stdout.isatty()
    with Progress(*columns, console=console, transient=True, redirect_stdout=both) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _lines(doing: str) -> Tell:
    """A line each `PAUSE`; nothing for what is done sooner."""
    last = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= PAUSE:
            last = time.monotonic()
            click.echo(f"{doing}: {done:,} of {total:,}", err=True)

    return tell
