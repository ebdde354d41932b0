"""`weighbridge policy`: what compliance staff do with policy files.

Rules of this file: no logic, and no heavy import outside of a function: the command must start at once.
Exit codes: 0 all is well, 1 something is wrong in a file or a test, 2 a file cannot be used or found.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bridge.policy import TrialResult

_FILES = click.argument("files", nargs=-1, type=click.Path(path_type=Path))


@click.group()
def policy() -> None:
    """Check and test policy files."""


def _chosen(files: Sequence[Path]) -> list[Path]:
    """The files named, or every policy in `policies/`."""
    chosen = list(files) or sorted(Path("policies").glob("*.yaml"))
    if not chosen:
        raise click.UsageError("no policy files: name them, or keep them in policies/")
    return chosen


@policy.command()
@_FILES
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="for people or programs"
)
def check(files: Sequence[Path], form: str) -> None:
    """Say everything that is wrong with FILES, each with its place and a suggestion."""
    from bridge.policy import check as check_files
    from bridge.policy import render

    chosen = _chosen(files)
    diagnostics = check_files(chosen)
    if form == "json" or diagnostics:
        click.echo(render(diagnostics, form))
    errors = sum(1 for diagnostic in diagnostics if diagnostic.severity == "error")
    if form == "text":
        click.echo(f"{len(chosen)} file(s), {errors} error(s), {len(diagnostics) - errors} warning(s)")
    raise SystemExit(_exit_code(diagnostics, errors))


def _exit_code(diagnostics: Sequence[object], errors: int) -> int:
    unreadable = any(getattr(diagnostic, "code", "") == "P008" for diagnostic in diagnostics)
    return 2 if unreadable else int(errors > 0)


@policy.command()
@_FILES
def test(files: Sequence[Path]) -> None:
    """Run the tests inside the rules of FILES, each file alone."""
    from bridge.policy import assemble, read, render, run_tests

    sources, unread = read(_chosen(files))
    policies, diagnostics = assemble(sources)
    broken = [problem for problem in diagnostics if problem.severity == "error" and problem.code != "P060"]
    if unread or policies is None:
        click.echo(render([*unread, *broken]), err=True)
        raise SystemExit(2)
    results = [result for one in policies.policies for result in run_tests(one)]
    _report(results)


def _report(results: Sequence[TrialResult]) -> None:
    failed = [result for result in results if not result.passed]
    for result in failed:
        click.echo(f"✗ {result.rule} · {result.given} · {result.problem}")
    click.echo(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    raise SystemExit(int(bool(failed)))
