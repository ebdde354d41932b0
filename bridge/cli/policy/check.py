"""`weighbridge policy check`: everything that is wrong with policy files.

Rules of this file: no logic; what is wrong and how it is written come from `bridge.policy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from bridge.cli.policy.files import chosen, files_argument


@click.command()
@files_argument
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="for people or programs"
)
def check(files: Sequence[Path], form: str) -> None:
    """Say everything that is wrong with FILES, each with its place and a suggestion."""
    from bridge.policy import check as check_files
    from bridge.policy import render

    paths = chosen(files)
    diagnostics = check_files(paths)
    if form == "json" or diagnostics:
        click.echo(render(diagnostics, form))
    errors = sum(1 for diagnostic in diagnostics if diagnostic.severity == "error")
    if form == "text":
        click.echo(f"{len(paths)} file(s), {errors} error(s), {len(diagnostics) - errors} warning(s)")
    raise SystemExit(_exit_code(diagnostics, errors))


def _exit_code(diagnostics: Sequence[object], errors: int) -> int:
    unreadable = any(getattr(diagnostic, "code", "") == "P008" for diagnostic in diagnostics)
    return 2 if unreadable else int(errors > 0)
