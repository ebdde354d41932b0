"""`weighbridge policy explain`: what a code means, and what a rule does, in plain words.

Rules of this file: no logic; pages and sentences come from `bridge.policy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridge.cli.policy.files import chosen
from bridge.cli.policy.sides import usable
from bridge.cli.policy.speech import language_option

if TYPE_CHECKING:
    from bridge.policy.language import PolicyFile


@click.command()
@click.argument("name")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="The policy that NAME is in; may be repeated. [default: policies/*.yaml]",
)
@language_option
def explain(name: str, files: Sequence[Path], language: str) -> None:
    """Explain NAME: a code, or whatever has a name in a policy file, or a section of one.

    \b
    weighbridge policy explain P020
    weighbridge policy explain mask-identity --lang zh-Hant
    weighbridge policy explain attachments --file policies/firm-wide.yaml
    """
    from bridge.policy.catalogue.pages import PAGES, page
    from bridge.policy.rendering import printable
    from bridge.policy.sentences import explain as sentences
    from bridge.policy.sentences import named, unwritten

    if name.upper() in PAGES[language]:
        click.echo(page(name.upper(), language))
        return
    models = _models(files, language) if files or not _looks_like_a_code(name) else []
    blocks = [block for model in models if (block := sentences(model, name, language))]
    blocks = blocks or [block for model in models if (block := unwritten(model, name, language))]
    if not blocks:
        known = [name for model in models for name in named(model)]
        raise click.UsageError(_unknown(name, sorted(PAGES[language]), known))
    text = "\n\n".join("\n".join(printable(line) for line in block) for block in blocks)
    click.echo(text)


def _looks_like_a_code(name: str) -> bool:
    return len(name) == 4 and name[0] in "Pp" and name[1:].isdigit()


def _models(files: Sequence[Path], language: str) -> list[PolicyFile]:
    """What is written in the files; prints what is wrong and ends the command if one cannot be used."""
    return [policy.model for policy in usable(chosen(files), language).policies]


def _unknown(name: str, codes: Sequence[str], known: Sequence[str]) -> str:
    from bridge.policy.decoding import guess

    if _looks_like_a_code(name):
        return f"there is no code {name.upper()}; the codes are {', '.join(codes)}"
    near = guess(name, known)
    hint = f"did you mean {near}?" if near else "name a rule, a list, a detector, a section, or a code"
    return f"there is nothing called {name}; {hint}"
