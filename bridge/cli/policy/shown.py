"""How a change to the policy is shown in a terminal: what it changes, LOOSER first, and where it stands.

Rules of this file: lines only; whatever people wrote goes through `output.cell`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from bridge.cli import output

if TYPE_CHECKING:
    from bridge.proposals import Proposal
    from bridge.store.proposals import Change

COLOURS = {"LOOSER": "red", "CHECK": "yellow", "TIGHTER": "green"}


def difference_lines(proposal: Proposal, language: str = "en") -> Iterator[str]:
    """What the change changes: each with its class, and those to be ticked with their marks."""
    if not proposal.base:
        yield "The first set: there is nothing to compare it with."
    elif not proposal.differences:
        yield "Nothing that decides is different: only comments, titles or order."
    marks = {id(one): mark for mark, one in proposal.looser.items()}
    for one in proposal.differences:
        direction = click.style(f"{one.direction.value:<8}", fg=COLOURS.get(one.direction.value))
        yield f"{marks.get(id(one), ''):<4}{direction} {output.cell(one.sentence(language))}"
    for name, count in proposal.records.items():
        kept = f"{count:,} stored records of {output.cell(name)} keep the terms they have"
        yield f"    {kept}: nothing shortens them, and"
        yield "    `weighbridge retention extend` makes them longer"


def change_lines(change: Change, language: str = "en") -> Iterator[str]:
    """Everything about a change."""
    proposal = change.proposal
    yield f"change     {change.number}: {change.state.value}{', overtaken' if change.overtaken else ''}"
    if change.overtaken:
        yield "           another set is in force than it was compared with: it cannot come into force."
        yield "           withdraw it (others: reject it), and propose again"
    yield f"proposed   by {output.cell(proposal.person)}: {output.cell(proposal.reason)}"
    for name, digest in proposal.policies:
        yield f"  policy   {name} {digest}"
    yield f"  tests    {proposal.tests} passed"
    for name, value in (("commit", proposal.commit), ("backtest", proposal.backtest)):
        if value:
            yield f"  {name:<8} {output.cell(value)}"
    for warning in proposal.warnings:
        yield f"  warning  {output.cell(warning)}"
    for approval in change.approvals:
        ticked = f" (ticked {', '.join(approval.ticked)})" if approval.ticked else ""
        said = f"by {output.cell(approval.person)} for {approval.role}: {output.cell(approval.reason)}"
        yield f"approved   {said}{ticked}"
    if change.due_at:
        yield f"due        {output.when(change.due_at)}, said by {output.cell(change.planned_by)}"
    yield ""
    yield from difference_lines(proposal, language)
