"""`weighbridge policy approve`, `reject`: somebody else agrees to a proposed change, or does not.

Rules of this file: no rule stands here; who may approve what is in `bridge.proposals`, how many must agree
in the settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bridge.cli import output
from bridge.cli.output import Exit
from bridge.cli.root import Root, pass_root, person_option, reason_option

if TYPE_CHECKING:
    from bridge.store.database import Database

_NUMBER = click.argument("number", type=int)

looser_option = click.option(
    "--looser", multiple=True, metavar="MARK", help="A loosening you agree to: L1, or a rule's id."
)
all_looser_option = click.option(
    "--all-looser", is_flag=True, help="You agree to everything that it loosens."
)


@click.command()
@_NUMBER
@looser_option
@all_looser_option
@click.option(
    "--role",
    type=click.Choice(["compliance", "legal"]),
    default="compliance",
    show_default=True,
    help="For whom you approve; legal where barriers, retention or legal holds are loosened.",
)
@click.option(
    "--records",
    type=click.IntRange(0),
    default=0,
    metavar="COUNT",
    help="How many stored records its retention concerns, as it was shown to you.",
)
@reason_option
@person_option
@pass_root
def approve(
    root: Root,
    number: int,
    looser: Sequence[str],
    all_looser: bool,
    role: str,
    records: int,
    reason: str,
    person: str,
) -> int:
    """Agree to change NUMBER, which another person proposed.

    \b
    weighbridge policy show 3
    weighbridge policy approve 3 --looser L1 --reason "agreed with the desk"
    """
    from bridge import desk
    from bridge.cli import compose
    from bridge.proposals import Approval, ticks
    from bridge.store.proposals import change

    bar = compose.bar(root.settings())

    async def work(store: Database) -> Sequence[str]:
        proposal = (await store.read(lambda db: change(db, number))).proposal
        said = tuple(proposal.looser) if all_looser else looser
        approval = Approval(person, reason, role, ticks(proposal, said), records)
        return await desk.approve(store, number, approval, bar)

    lacks = root.act(work)
    click.echo(f"Change {number}: {output.cell(person)} agrees for {role}.")
    if lacks:
        click.echo(f"It still lacks {' and '.join(lacks)}.")
    else:
        click.echo(f"It is approved:\n  weighbridge policy activate {number} --reason …")
    return Exit.DONE


@click.command()
@_NUMBER
@reason_option
@person_option
@pass_root
def reject(root: Root, number: int, reason: str, person: str) -> None:
    """Refuse change NUMBER before it is in force."""
    from bridge import desk

    root.act(lambda store: desk.refuse_change(store, number, person, reason))
    click.echo(f"Change {number} is rejected; said by {output.cell(person)}.")
