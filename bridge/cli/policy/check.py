"""`weighbridge policy check`: everything that is wrong with policy files.

Rules of this file: no logic; what is wrong and how it is written come from `bridge.policy`.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli import output
from bridge.cli.policy.files import files_argument, looked_at
from bridge.cli.policy.speech import language_option
from bridge.cli.root import Root, pass_root

if TYPE_CHECKING:
    from bridge.archivist import Destination
    from bridge.policy import Diagnostic

OUTSIDE = (
    "archive {name} says no `region`, so it counts as outside: without an `approval`, it gets no records "
    "of a walled region (`[exports] walls` of the settings, which are not here)"
)
_COUNT = {
    "en": "{files} file(s), {errors} error(s), {warnings} warning(s)",
    "zh-Hans": "{files} 个文件，{errors} 个错误，{warnings} 个警告",
    "zh-Hant": "{files} 個檔案，{errors} 個錯誤，{warnings} 個警告",
}


@click.command()
@files_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github", "sarif"]),
    default="text",
    show_default=True,
    help="For people, for programs, for a pull request (workflow commands), for code scanning (SARIF 2.1.0).",
)
@click.option(
    "--on",
    "day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="As if it were this day: which reviews are due, which exceptions have ended.  [default: today]",
)
@click.option("--strict", is_flag=True, help="Warnings make the answer no, too.")
@language_option
@pass_root
def check(
    root: Root, files: Sequence[Path], form: str, day: datetime.datetime | None, strict: bool, language: str
) -> None:
    """Say everything that is wrong with FILES, each with its place and a suggestion. Without FILES: with the
    policies of the settings, if there are any, else with those in `policies/`.

    \b
    weighbridge policy check
    weighbridge policy check --on 2027-03-31
    weighbridge policy check --strict --lang zh-Hant policies/hk-equities.yaml
    """
    from bridge.policy import check as check_files
    from bridge.policy import render

    paths = looked_at(root, files, tell=form == "text")
    now = datetime.datetime.now(datetime.UTC)
    diagnostics = check_files(paths, now if day is None else day.replace(hour=12, tzinfo=datetime.UTC))
    if shown := render(diagnostics, form, language):
        click.echo(shown)
    errors = sum(1 for diagnostic in diagnostics if diagnostic.severity == "error")
    doubts = [] if errors or form != "text" else _doubts(root, paths)
    warnings = len(diagnostics) - errors + len(doubts)
    if form == "text":
        for note in [] if errors else _notes(root, paths):
            output.note(note)
        for doubt in doubts:
            click.echo(f"warning: {output.cell(doubt)}")
        click.echo(_COUNT[language].format(files=len(paths), errors=errors, warnings=warnings))
    raise SystemExit(_exit_code(diagnostics, errors + warnings if strict else errors))


def _doubts(root: Root, paths: Sequence[Path]) -> list[str]:
    """What these files say of archives and the settings do not agree with; nothing where there are none."""
    from bridge.cli import compose

    if not root.config.exists():
        return []
    named = _archives(paths)
    return [f"archive {one.name}: {told}" for one, told in compose.doubts(root.examined().settings, named)]


def _notes(root: Root, paths: Sequence[Path]) -> list[str]:
    """What settings would decide of these files, where there are none."""
    if root.config.exists():
        return []
    return [OUTSIDE.format(name=one.name) for one in _archives(paths) if not (one.region or one.approval)]


def _archives(paths: Sequence[Path]) -> list[Destination]:
    from bridge.cli import compose
    from bridge.policy import assemble, read

    return compose.destinations(assemble(read(paths)[0])[0])


def _exit_code(diagnostics: Sequence[Diagnostic], counted: int) -> int:
    unreadable = any(diagnostic.code == "P008" for diagnostic in diagnostics)
    return 2 if unreadable else int(counted > 0)
