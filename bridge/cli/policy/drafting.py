"""What the commands that edit a rule share: finding its file, trying the result, writing it.

Rules of this file: nothing is written that the loader refuses, and nothing that was not shown first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from bridge.cli.policy.files import chosen
from bridge.cli.policy.writing import difference, show, store

if TYPE_CHECKING:
    from bridge.policy import Diagnostic, PolicySet, Source, TrialResult


@dataclass(frozen=True, slots=True)
class Draft:
    """A policy file that loads, as text that may be changed."""

    source: Source
    policies: PolicySet

    @property
    def text(self) -> str:
        """What stands in the file."""
        return self.source.data.decode("utf-8-sig")

    @property
    def path(self) -> Path:
        """Where it stands."""
        return Path(self.source.name)

    def results(self) -> list[TrialResult]:
        """The results of its tests."""
        from bridge.policy import run_tests

        return [result for one in self.policies.policies for result in run_tests(one)]

    def changed(self, edit: Callable[[str], str]) -> Draft:
        """The draft after `edit`; ends the command when the loader refuses what came of it."""
        return _loaded(replace(self.source, data=edit(self.text).encode()))


def find(rule: str, file: Path | None) -> Draft:
    """The file with `rule`: `file`, or the one of `policies/`. Ends the command if there is none, or two."""
    from bridge.policy import read, render
    from bridge.policy.editing import rule_names

    sources, unread = read([file] if file is not None else chosen([]))
    if unread:
        _refuse(render(unread))
    drafts = [_loaded(source) for source in sources]
    having = [draft for draft in drafts if rule in rule_names(draft.text)]
    if len(having) > 1:
        names = ", ".join(draft.source.name for draft in having)
        raise click.UsageError(f"several files have a rule `{rule}`: say which with --file ({names})")
    return having[0] if having else _without(rule, drafts)


def _without(rule: str, drafts: Sequence[Draft]) -> NoReturn:
    from bridge.policy.decoding import guess
    from bridge.policy.editing import rule_names

    near = guess(rule, [name for draft in drafts for name in rule_names(draft.text)])
    hint = f"; did you mean `{near}`?" if near else ""
    where = ", ".join(draft.source.name for draft in drafts)
    _refuse(f"there is no rule `{rule}` in {where}{hint}")


def _loaded(source: Source) -> Draft:
    from bridge.policy import assemble, render

    policies, problems = assemble([source])
    if policies is None:
        _refuse(render(_errors(problems)))
    return Draft(source, policies)


def _errors(problems: Sequence[Diagnostic]) -> list[Diagnostic]:
    return [problem for problem in problems if problem.severity == "error" and problem.code != "P060"]


def _refuse(text: str) -> NoReturn:
    click.echo(text, err=True)
    click.echo("Nothing was changed.", err=True)
    raise SystemExit(2)


def no(lines: Sequence[str]) -> NoReturn:
    """End the command with exit code 1 and the reasons why nothing was written."""
    for line in [*lines, "Nothing was changed."]:
        click.echo(line, err=True)
    raise SystemExit(1)


def failures(results: Sequence[TrialResult]) -> list[str]:
    """A line for every test that fails."""
    return [f"✗ {one.rule} · {one.given} · {one.problem}" for one in results if not one.passed]


def finish(before: Draft, after: Draft, *, dry_run: bool) -> None:
    """Show what changes, and write it unless this is a trial run."""
    show(difference(before.path, before.text, after.text))
    if dry_run:
        click.echo("Nothing was written (--dry-run).", err=True)
    else:
        store(before.path, after.text)
        click.echo(f"written: {before.path}", err=True)
