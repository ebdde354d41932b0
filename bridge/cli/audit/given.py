"""Options that several commands of an auditor share: times, and files of public keys.

Rules of this file: what a person types becomes a value here, or an error that says what can be typed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from bridge.config import Place

_SPANS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


def moment(text: str, now: int) -> int:
    """A time in milliseconds from what a person writes: a day, a day and time (UTC), or a span before `now`.

    Raises ValueError when it is none of these.
    """
    if found := re.fullmatch(r"(\d{1,6})\s*([mhd])", text.strip()):
        return now - int(found[1]) * _SPANS[found[2]]
    written = datetime.fromisoformat(text.strip())
    if written.tzinfo is None:
        written = written.replace(tzinfo=UTC)
    return int(written.timestamp() * 1000)


class _Moment(click.ParamType):
    """An option that takes a time."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Milliseconds since the epoch."""
        try:
            return moment(str(value), time.time_ns() // 1_000_000)
        except ValueError:
            self.fail(
                f"{value!r} is no time: write 2026-11-22, 2026-11-22T10:30, or 90m, 24h, 7d ago", param, ctx
            )


TIME = _Moment()
"""The type of an option that takes a time, in milliseconds since the epoch."""


FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
"""A file that is there."""


class _Outside(click.ParamType):
    """An option that takes a place of checkpoints: a file, a folder, a bucket."""

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        """A place that can be read."""
        from bridge.config import place

        try:
            found = place(str(value), Path())
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if found.kind not in ("folder", "s3"):
            self.fail(f"{value}: cannot be read; export it, and name the file", param, ctx)
        if found.kind == "folder" and not Path(found.name).exists():
            self.fail(f"{value}: there is no such file or folder", param, ctx)
        return found


OUTSIDE = _Outside()
"""The type of an option that takes a place of checkpoints."""

KEY = click.option(
    "--key",
    type=FILE,
    multiple=True,
    help="A file of public keys. Default: those beside our own key, or in our folders of checkpoints.",
)

INHERENT = (
    "A client's copy is proven as any other is: he sees the numbers of his messages among all, when each was "
    "archived, and how large the record is (docs/evidence.md)."
)
"""What is said to whoever makes a copy for a client."""


def one_alone(given: Mapping[str, Any], first: str, *others: str) -> None:
    """Refuse what contradicts an option: the names are those of parameters. Raises UsageError naming both.

    Nobody may be handed something else than what he typed, because one of two options won in silence.
    """
    typed = [name for name in others if given.get(name)]
    if given.get(first) and typed:
        both = f"{_option(first)} and {_option(typed[0])}"
        raise click.UsageError(f"{both} contradict each other: leave one out")


def _option(name: str) -> str:
    """A parameter as it is typed."""
    found: click.Context = click.get_current_context()
    typed = {one.name: one for one in found.command.params}[name]
    return typed.opts[-1] if isinstance(typed, click.Option) else typed.make_metavar(found).strip("[].")
