"""`weighbridge policy schema`: the grammar for editors, and the reference manual.

Rules of this file: no logic; both are made by `bridge.policy.schema` from the models.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli.policy.writing import store

if TYPE_CHECKING:
    from bridge.policy.schema import Names


@click.command()
@click.option(
    "--for", "file", type=click.Path(path_type=Path), help="Know the names of this file: what finds may name."
)
@click.option("--reference", is_flag=True, help="The reference manual (Markdown) instead.")
@click.option("--out", type=click.Path(path_type=Path), help="Write it here instead of printing it.")
def schema(file: Path | None, reference: bool, out: Path | None) -> None:
    """Print the grammar as JSON Schema (2020-12), for editors that complete and check while you type.

    \b
    weighbridge policy schema --out policies/policy.schema.json
    weighbridge policy schema --for policies/desk.yaml --out desk.schema.json

    \b
    A policy names it in its first line:
    # yaml-language-server: $schema=policy.schema.json
    """
    from bridge.policy import schema as grammar

    if reference:
        text = grammar.reference()
    else:
        names = _names(file) if file is not None else None
        text = json.dumps(grammar.json_schema(names), ensure_ascii=False, indent=2) + "\n"
    if out is None:
        click.echo(text, nl=False)
    else:
        store(out, text)


def _names(path: Path) -> Names:
    """The names in a file, which has to be YAML and need not be right otherwise."""
    from bridge.policy import read, render
    from bridge.policy.document import compose
    from bridge.policy.schema import Names

    sources, problems = read([path])
    text = sources[0].data.decode("utf-8-sig", "replace") if sources else ""
    document = compose(str(path), text) if sources else None
    if document is None or document.root is None:
        click.echo(render([*problems, *(document.problems if document else [])]), err=True)
        raise SystemExit(2)
    return Names.of(document.root.plain())
