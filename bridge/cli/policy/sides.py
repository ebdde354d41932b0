"""The two sides of a comparison: policy files, a folder of them, or what is in force.

Rules of this file: it finds and reads; what is compared how stands in `bridge.policy`. `live` is what the
store says decides, by hash: a file on disk may have been edited since.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli import output
from bridge.cli.policy.files import inside
from bridge.errors import Conflict, PolicyError

if TYPE_CHECKING:
    from bridge.cli.root import Root
    from bridge.policy import Diagnostic, PolicySet, Source

LIVE = "live"


def side(root: Root, names: Sequence[str]) -> PolicySet:
    """The policies of `names`, ready to judge: files, folders, or `live` alone.

    A draft whose own tests fail can be looked into all the same; that they do is said. Raises PolicyError
    with every other error, and Conflict when nothing is in force yet.
    """
    if list(names) == [LIVE]:
        return _assembled(in_force(root))
    from bridge.policy import read

    sources, unread = read([path for name in names for path in inside(Path(name))])
    return _assembled(sources, unread)


def in_force(root: Root) -> Sequence[Source]:
    """The policies that decide now, as they were stored. Raises Conflict when none does."""
    from bridge.store.policies import sources_of
    from bridge.store.proposals import in_force as stored

    sources = root.read(lambda db: sources_of(db, [digest for _, digest in stored(db)]))
    if not sources:
        raise Conflict("no policy is in force yet: `weighbridge run` puts the first ones in force.")
    return sources


def usable(paths: Sequence[Path], language: str) -> PolicySet:
    """The policies at `paths`, to be looked into: their own tests may fail, and it is said when they do.

    Any other error ends the command, after it was shown at its place, in `language`.
    """
    from bridge.policy import assemble, read, render

    sources, unread = read(paths)
    policies, problems = assemble(sources)
    failing = [problem for problem in problems if problem.code == "P060"]
    errors = [p for p in problems if p.severity == "error" and p.code != "P060"]
    if unread or policies is None:
        click.echo(render([*unread, *errors], language=language), err=True)
        raise SystemExit(2)
    if failing:
        click.echo(render(failing, language=language) + "\n", err=True)
    return policies


def _assembled(sources: Sequence[Source], unread: Sequence[Diagnostic] = ()) -> PolicySet:
    from bridge.policy import assemble

    policies, problems = assemble(sources)
    errors = [problem for problem in problems if problem.severity == "error"]
    if unread or policies is None:
        raise PolicyError([*unread, *errors])
    if errors:
        output.note(f"{len(errors)} test(s) inside the rules fail: `weighbridge policy test` shows them.")
    return policies
