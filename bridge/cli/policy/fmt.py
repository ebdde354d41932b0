"""`weighbridge policy fmt`: one way to write a policy file.

Rules of this file: no logic; `bridge.policy.formatting` knows the way. A file that does not load is left
alone, and so is one that would mean something else afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli.policy.files import chosen, files_argument
from bridge.cli.policy.writing import difference, show, store

if TYPE_CHECKING:
    from bridge.policy import Source
    from bridge.policy.language import PolicyFile


@click.command()
@files_argument
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if a file would change.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change. Exit code like --check.")
def fmt(files: Sequence[Path], check: bool, diff: bool) -> None:
    """Put FILES in the one way to write them: order of keys, spaces, quotes. Comments and meaning stay.

    To the bridge a changed file is another edition, even if only spaces changed: format before you propose.
    """
    from bridge.policy import read, render

    sources, unread = read(chosen(files))
    if unread:
        click.echo(render(unread), err=True)
    texts = [(source, text) for source in sources if (text := _formatted(source)) is not None]
    changed = [(source, text) for source, text in texts if text != _text(source)]
    for source, text in changed:
        _change(source, text, check=check, diff=diff)
    refused = len(unread) + len(sources) - len(texts)
    verb = "would change" if check or diff else "changed"
    same = len(texts) - len(changed)
    click.echo(f"{len(changed)} {verb}, {same} as they should be, {refused} refused", err=True)
    raise SystemExit(2 if refused else int(bool(changed) and (check or diff)))


def _change(source: Source, text: str, *, check: bool, diff: bool) -> None:
    """Write `text`, or say that it would be written."""
    if diff:
        show(difference(Path(source.name), _text(source), text))
    elif check:
        click.echo(f"would change: {source.name}")
    else:
        store(Path(source.name), text)
        click.echo(f"formatted: {source.name}")


def _text(source: Source) -> str:
    return source.data.decode("utf-8")


def _formatted(source: Source) -> str | None:
    """The file in the one way, None (with the reason printed) if it cannot be put in it."""
    from dataclasses import replace

    from bridge.policy import assemble, render
    from bridge.policy.formatting import formatted

    policies, problems = assemble([source])
    if policies is None:
        click.echo(render([problem for problem in problems if problem.severity == "error"]), err=True)
        return None
    text = formatted(source.data.decode("utf-8-sig"))
    if _model(replace(source, data=text.encode())) != policies.policies[0].model:
        click.echo(f"{source.name}: formatting would change what it means; it was left alone", err=True)
        return None
    return text


def _model(source: Source) -> PolicyFile | None:
    from bridge.policy import assemble

    policies, _ = assemble([source])
    return policies.policies[0].model if policies is not None else None
