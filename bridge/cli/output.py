"""What commands print: tables, JSON lines, errors with their remedy, and exit codes.

Rules of this file: data goes to standard output, everything else to standard error. Whatever came from a
network may hold anything: `cell` makes it harmless for a terminal. The map from errors to exit codes stands
here and nowhere else.
"""

from __future__ import annotations

import enum
import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from bridge.errors import (
    ConfigError,
    Conflict,
    Damaged,
    Missing,
    NoStore,
    NotAllowed,
    PolicyError,
    QueryError,
    Refused,
    SignedOut,
    StoreError,
    Unreachable,
    Unwitnessed,
    WeighbridgeError,
)


class Exit(enum.IntEnum):
    """What the process answers to whoever called it."""

    DONE = 0
    NO = 1  # the check ran, and the answer is no
    WRONG = 2  # usage, settings or policy have to be mended
    FORBIDDEN = 3  # not allowed, or not signed in
    UNREACHABLE = 4  # daemon or store cannot be reached
    INTEGRITY = 5  # a gap, a changed record, a bad signature
    PARTIAL = 6  # what was printed is usable, but not all of it
    LATER = 75  # try again later
    INTERRUPTED = 130


ERRORS: tuple[tuple[type[WeighbridgeError], Exit, str], ...] = (  # error, exit code, remedy
    (ConfigError, Exit.WRONG, ""),
    (PolicyError, Exit.WRONG, ""),
    (QueryError, Exit.WRONG, ""),
    (NoStore, Exit.UNREACHABLE, ""),
    (Damaged, Exit.INTEGRITY, ""),
    (StoreError, Exit.UNREACHABLE, "Nothing was changed. Look at the disk, the rights and the database."),
    (Missing, Exit.NO, ""),
    (Conflict, Exit.NO, "Nothing was changed. Look again."),
    (NotAllowed, Exit.FORBIDDEN, ""),
    (Unwitnessed, Exit.LATER, ""),
    (Unreachable, Exit.LATER, "Try again later."),
    (Refused, Exit.NO, ""),
    (SignedOut, Exit.FORBIDDEN, ""),
)

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")


# --- listings -------------------------------------------------------------------------------------------


def listing(
    rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str], *, as_json: bool, empty: str = ""
) -> None:
    """Print `rows`: as JSON lines with all they hold, or as a table of `columns` (key: title).

    `empty` is said on standard error when there are none, because an empty table answers nothing.
    """
    if as_json:
        for row in rows:
            json_line(row)
        return
    cells = [[cell(row.get(key, "")) for key in columns] for row in rows]
    if not cells:
        note(empty)
        return
    right = [all(isinstance(row.get(key), int | float) for row in rows) for key in columns]
    for line in table([list(columns.values()), *cells], right):
        click.echo(line)


def json_line(row: Mapping[str, Any]) -> None:
    """Print one object on one line, in the script it is written in."""
    click.echo(json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=str))


def data(line: str) -> None:
    """Write a line of data, with its own line end, as it is. Click takes escape sequences out of what does
    not go to a terminal: then an export would not say what the record says. On a terminal, whatever could
    steer it is written as its code.
    """
    if sys.stdout.isatty():
        line = "".join(sign if sign in "\r\n\t" else cell(sign) for sign in line)
    click.echo(line, nl=False, color=True)


def details(pairs: Iterable[tuple[str, Any]], *, as_json: bool) -> None:
    """Print one thing: its names and values below each other, or as one JSON object."""
    pairs = list(pairs)
    if as_json:
        json_line(dict(pairs))
        return
    for line in table([[name, cell(value)] for name, value in pairs], [False, False]):
        click.echo(line)


def table(rows: list[list[str]], right: list[bool]) -> list[str]:
    """Lines of aligned columns. `right` says which columns are aligned to the right."""
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            " " * (size - width(text)) + text if to_right else text + " " * (size - width(text))
            for text, size, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    ]


def width(text: str) -> int:
    """How many terminal cells `text` takes: Han and full-width characters two, combining marks none."""
    return sum(
        0
        if unicodedata.category(char) in ("Mn", "Me", "Cf")
        else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def cell(value: Any) -> str:
    """A value on one line, with whatever could steer a terminal or turn text around written as its code."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "".join(
        char if char in "\u200d\ufe0f" or unicodedata.category(char)[0] != "C" else f"\\u{ord(char):04x}"
        for char in str(value)
    )


def cut(text: str, cells: int) -> str:
    """`text`, shortened with "…" so that it takes at most `cells` terminal cells.

    A sign that takes no cell (a combining mark) counts against four times as many signs, so that no text,
    however it is made, fills a terminal.
    """
    taken = 0
    for at, sign in enumerate(text[: 4 * cells + 1]):
        taken += width(sign)
        if taken > cells or at == 4 * cells:
            return _within(text[:at], cells - 1) + "…"
    return text


def _within(text: str, cells: int) -> str:
    while width(text) > cells:
        text = text[:-1]
    return text


NARROW = 100
"""Cells below which a terminal is too narrow for what is laid out in columns."""


def narrow() -> int:
    """How many cells a narrow terminal has; 0 where it is none, or where nobody looks at a terminal."""
    cells = shutil.get_terminal_size((0, 24)).columns
    return cells if cells < NARROW else 0


def folded(line: str, cells: int) -> Iterator[str]:
    """`line` in parts of at most `cells` terminal cells (32 at least), cut at spaces where it has any. What
    follows stands further in than the line began; what is quoted stays quoted."""
    cells = max(cells, 32)
    lead = line[: len(line) - len(line.lstrip(" │"))]
    hang = (lead if "│" in lead else f"{lead}  ")[: cells // 2]
    while width(line) > cells:
        part = _within(line[:cells], cells)
        at = part.rfind(" ")
        end = at if at > len(hang) else len(part)
        yield line[:end].rstrip()
        line = hang + line[end:].lstrip()
    yield line


def counted(**numbers: int) -> str:
    """Numbers, each with what it counts: `counted(message=1, entry=2000)` is "1 message, 2,000 entries"."""
    return ", ".join(f"{number:,} {noun if number == 1 else _many(noun)}" for noun, number in numbers.items())


def _many(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def when(milliseconds: int) -> str:
    """A time of ours (ms since the epoch) for people, in UTC to the second; "" for 0, which means never."""
    if not milliseconds:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def span(milliseconds: int) -> str:
    """How long something took or has waited, in the largest unit that tells: "3 min", "2 h", "5 d"."""
    for size, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")):
        if milliseconds >= size:
            return f"{milliseconds // size} {unit}"
    return f"{max(milliseconds, 0)} ms"


def note(text: str) -> None:
    """Tell the person something that is not data."""
    if text:
        click.echo(text, err=True)


# --- errors ---------------------------------------------------------------------------------------------


def explain(error: WeighbridgeError) -> tuple[list[str], Exit]:
    """What is printed for `error`, one line per problem, and the exit code that goes with it."""
    for kind, code, remedy in ERRORS:
        if isinstance(error, kind):
            problems = getattr(error, "problems", (error,))
            return [_followed_by(_said(problem), remedy) for problem in problems], code
    return [str(error)], Exit.NO


def _said(problem: Any) -> str:
    """A problem in words; one with a place in a query, with carets below that."""
    return "\n".join(problem.lines()) if hasattr(problem, "lines") else str(problem)


def _followed_by(problem: str, remedy: str) -> str:
    if not remedy:
        return problem
    stop = "" if problem.endswith((".", "!", "?")) else "."
    return f"{problem}{stop} {remedy}"


def guarded(command: Callable[[], Any]) -> int:
    """Run a command and return its exit code: an `Exit` it returns, else what its errors stand for.

    Expected errors are explained on standard error. Anything else is a bug and passes through, with its
    traceback.
    """
    try:
        answer = command()
        sys.stdout.flush()
    except WeighbridgeError as error:
        lines, code = explain(error)
        for line in lines:
            click.echo(f"weighbridge: {line}", err=True)
        return code
    except click.ClickException as error:
        return _usage(error)
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except BrokenPipeError:  # whoever read our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    return answer if isinstance(answer, int) and not isinstance(answer, bool) else Exit.DONE


def _usage(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return Exit.WRONG
    click.echo(f"weighbridge: {error.format_message()}", err=True)
    ctx = getattr(error, "ctx", None)
    if ctx is not None:
        click.echo(f"  {ctx.get_usage()}", err=True)
    return Exit.WRONG
