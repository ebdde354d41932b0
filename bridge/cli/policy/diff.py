"""`weighbridge policy diff`: what a draft changes, with what gets looser first.

Rules of this file: no logic; what is compared how stands in `bridge.policy.comparison`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bridge.cli import output
from bridge.cli.output import Exit
from bridge.cli.policy.sides import side
from bridge.cli.policy.speech import language_option
from bridge.cli.root import Root, pass_root

if TYPE_CHECKING:
    from bridge.policy.changes import Change

_COLOURS = {"LOOSER": "red", "CHECK": "yellow", "TIGHTER": "green", "NEUTRAL": "bright_black"}


@click.command()
@click.argument("live", metavar="LIVE")
@click.argument("draft", metavar="DRAFT")
@click.option(
    "--fail-on",
    type=click.Choice(["change", "check", "looser", "never"]),
    default="never",
    show_default=True,
    help="From which kind of change on the exit code is 1.",
)
@language_option
@output.json_option
@pass_root
def diff(root: Root, live: str, draft: str, fail_on: str, language: str, as_json: bool) -> int:
    """What DRAFT changes about LIVE: each a policy file, a folder of them, or `live` for what is in force.

    LOOSER: a message may get a weaker outcome, or a record may live shorter. CHECK: cannot be ordered, look
    at it. TIGHTER: only stricter. NEUTRAL: no effect. Without LOOSER and CHECK no message gets a weaker
    outcome than now.
    """
    from bridge.policy.comparison import compare

    changes = compare(side(root, [live]), side(root, [draft]))
    for change in changes:
        if as_json:
            output.json_line({**change.record(), "sentence": change.sentence(language)})
        else:
            kind = click.style(f"{change.direction:<8}", fg=_COLOURS[change.direction])
            click.echo(f"{kind} {output.cell(change.sentence(language))}")
    if not as_json:
        output.note(_summary(changes))
    return Exit.NO if _fails(changes, fail_on) else Exit.DONE


def _summary(changes: Sequence[Change]) -> str:
    counts = Counter(change.direction.value for change in changes)
    return ", ".join(f"{counts[kind]} {kind}" for kind in _COLOURS if counts[kind]) or "No difference."


def _fails(changes: Sequence[Change], fail_on: str) -> bool:
    minded = {"never": (), "looser": ("LOOSER",), "check": ("LOOSER", "CHECK"), "change": tuple(_COLOURS)}
    return any(change.direction in minded[fail_on] for change in changes)
