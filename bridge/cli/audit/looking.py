"""Who looks, why, and for which case: asked before anything is shown, and written down first.

Rules of this file: fail closed. What cannot be written down is not shown.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from bridge.cli.root import Root, legible, person_option
from bridge.errors import QueryError, StoreError

if TYPE_CHECKING:
    from bridge.config import Settings
    from bridge.store.looks import Looker, Search
    from bridge.store.writer import Tx

REQUIRED = "required"


def looking(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of whoever looks at what people wrote: --as, --reason, --case."""
    why = "Why; goes into the record. A terminal asks for it."
    reason = click.option(
        "--reason", default="", metavar="TEXT", envvar="WEIGHBRIDGE_REASON", show_envvar=True, help=why
    )
    case = click.option(
        "--case",
        default="",
        metavar="NUMBER",
        envvar="WEIGHBRIDGE_CASE",
        show_envvar=True,
        help="The case it is for.",
    )
    return person_option(reason(case(command)))


def looker(settings: Settings, person: str, reason: str, case: str) -> Looker:
    """Who is about to look. Raises UsageError when a reason is required and nobody can be asked for it."""
    from bridge.store.looks import Looker

    required = settings.audit.reason == REQUIRED
    reason = reason.strip()
    while not reason and _somebody_is_there():
        hint = "" if required else " (Enter: none)"
        reason = click.prompt(f"Why do you look{hint}", default="", show_default=False, err=True).strip()
        if not required:
            break
    if required and not reason:
        raise click.UsageError("say why with --reason: the settings require it, and it is written down")
    return Looker(
        legible(person, "the name"), legible(reason, "the reason"), legible(case.strip(), "the case")
    )


def _somebody_is_there() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


class Recorder:
    """Writes down who looks, before anything is shown. Opens the store for writing once it has to."""

    def __init__(self, root: Root, who: Looker) -> None:
        self.root = root
        self.who = who

    def searched(self, search: Search) -> None:
        """Somebody is about to be shown an answer. Raises StoreError if that cannot be recorded."""
        from bridge.store.looks import record_search

        self._write(lambda tx, lane: record_search(tx, lane, self.who, search))

    def shown(self, command: str, numbers: Sequence[int]) -> None:
        """Somebody is about to be shown these messages. Raises StoreError if it cannot be recorded."""
        from bridge.store.looks import record_shown

        self._write(lambda tx, lane: record_shown(tx, lane, self.who, command, numbers))

    def _write(self, job: Callable[[Tx, int], None]) -> None:
        try:
            self.root.act(lambda store: store.write(lambda tx: job(tx, store.lane)))
        except StoreError as error:
            sentence = f"nothing is shown, because it could not be written down that it was: {error}"
            raise StoreError(sentence) from None


def recorder_of(root: Root, settings: Settings, person: str, reason: str, case: str) -> Recorder:
    """What writes down that this person looks. Raises UsageError as `looker` does."""
    return Recorder(root, looker(settings, person, reason, case))


@contextlib.contextmanager
def names_recorded(asking: Callable[[], Recorder], search: Search) -> Iterator[None]:
    """Record a search that is refused with the names of people and things nearest to its own.

    They are content as well: who is shown them, and which question was answered so, is written down first.
    `asking` is called only then. Raises StoreError if it cannot be written.
    """
    from bridge.search.diagnostics import NEAREST

    try:
        yield
    except QueryError as error:
        if any(problem.code == NEAREST for problem in error.problems):
            asking().searched(search)
        raise
