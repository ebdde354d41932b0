"""`weighbridge policy test`: the tests inside rules.

Rules of this file: no logic; tests are judged by `bridge.policy`, like any message.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli.policy.files import chosen, files_argument

if TYPE_CHECKING:
    from bridge.policy import TrialResult


@click.command()
@files_argument
def test(files: Sequence[Path]) -> None:
    """Run the tests inside the rules of FILES, each file alone."""
    from bridge.policy import assemble, read, render, run_tests

    sources, unread = read(chosen(files))
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
