"""`weighbridge policy test`: the tests inside rules.

Rules of this file: no logic; tests are judged by `bridge.policy`, like any message.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli import output
from bridge.cli.policy.files import files_argument, looked_at
from bridge.cli.policy.writing import agreed, difference, show, store
from bridge.cli.root import Root, pass_root

if TYPE_CHECKING:
    from bridge.policy.editing import Place
    from bridge.policy.results import FileResults


@click.command()
@files_argument
@click.option("--coverage", is_flag=True, help="Also say what no test reaches.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write the results here, as JUnit XML.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of lines.")
@click.option("--update", is_flag=True, help="Rewrite `becomes` where only the masked text is another.")
@click.option("--yes", is_flag=True, help="With --update: write without asking.")
@pass_root
def test(
    root: Root,
    files: Sequence[Path],
    coverage: bool,
    junit: Path | None,
    as_json: bool,
    update: bool,
    yes: bool,
) -> None:
    """Run the tests inside the rules of FILES, each file alone. Without FILES: of the settings' policies, if
    there are any, else of those in `policies/`.

    \b
    weighbridge policy test
    weighbridge policy test --coverage policies/desk.yaml
    weighbridge policy test --junit results.xml
    """
    from bridge.policy.results import as_junit, as_object

    paths = looked_at(root, files, tell=not as_json)
    results = _run(paths)
    if update and _updated(results, yes=yes):
        results = _run(paths)
    if junit is not None:
        store(junit, as_junit(results))
    if as_json:
        click.echo(json.dumps(as_object(results), ensure_ascii=False, indent=2))
    else:
        _report(results, coverage=coverage)
    raise SystemExit(int(any(one.failed for one in results)))


def _run(paths: Sequence[Path]) -> list[FileResults]:
    """The results of the files at `paths`; ends the command when one of them cannot be used."""
    from bridge.policy import assemble, read, render, run_tests
    from bridge.policy.results import FileResults

    sources, unread = read(paths)
    policies, diagnostics = assemble(sources)
    broken = [problem for problem in diagnostics if problem.severity == "error" and problem.code != "P060"]
    if unread or policies is None:
        click.echo(render([*unread, *broken]), err=True)
        raise SystemExit(2)
    return [
        FileResults(source.name, source.data.decode("utf-8-sig"), one.model, tuple(run_tests(one)))
        for source, one in zip(sources, policies.policies, strict=True)
    ]


def _report(files: Sequence[FileResults], *, coverage: bool) -> None:
    for one in files:
        for result in one.results:
            if not result.passed:
                line = f"✗ {result.rule} · {result.given} · {result.problem}"
                click.echo(click.style(output.cell(line), fg="red"))
    if coverage:
        for one in files:
            _cover(one)
    failed = sum(one.failed for one in files)
    click.echo(f"{sum(len(one.results) for one in files) - failed} passed, {failed} failed")


def _cover(one: FileResults) -> None:
    """A line for every sort of thing in the file."""
    click.echo(one.name)
    rows = [
        [
            f"  {part.kind}",
            f"{len(part.names) - len(part.missed)} of {len(part.names)}",
            f"{part.percent}%",
            f"never reached: {', '.join(part.missed)}" if part.missed else "",
        ]
        for part in one.coverage
    ]
    for line in output.table(rows, [False, True, True, False]) if rows else []:
        click.echo(line)


# --- update ---------------------------------------------------------------------------------------------


def _updated(files: Sequence[FileResults], *, yes: bool) -> bool:
    """Whether a file was rewritten. What would change is shown first."""
    from bridge.policy.editing import with_masks

    changes = [(one, with_masks(one.text, masks)) for one in files if (masks := _masks(one))]
    if not changes:
        output.note("nothing to update: no test fails by its masked text alone")
        return False
    for one, text in changes:
        show(difference(Path(one.name), one.text, text))
    if not agreed("Is this what should be delivered?", yes=yes):
        output.note("Nothing was changed.")
        return False
    for one, text in changes:
        store(Path(one.name), text)
    return True


def _masks(one: FileResults) -> dict[Place, str]:
    """The text of every test that came to the expected outcome with another text."""
    from bridge.policy.editing import Place

    return {
        Place(result.rule_index, result.test_index): result.text
        for result in one.results
        if not result.passed
        and result.verdict.outcome == result.test.expect
        and result.test.becomes not in (None, result.text)
    }
