"""`weighbridge policy activate`, `rollback`: an approved set comes into force, or the one before again.

Rules of this file: the daemon puts sets into force; these commands write down that it is to, and wait a
moment to see it done.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bridge.cli import output
from bridge.cli.output import Exit
from bridge.cli.policy.approve import all_looser_option, looser_option
from bridge.cli.root import Root, pass_root, person_option, reason_option
from bridge.errors import ConfigError

if TYPE_CHECKING:
    from bridge.config import Settings
    from bridge.proposals import Proposal
    from bridge.store.database import Database

PATIENCE = 10.0
"""Seconds that a running daemon may take to put a set into force before we say that we stop waiting."""


@click.command()
@click.argument("number", type=int)
@click.option(
    "--at", default="now", show_default=True, metavar="TIME", help='When: "2026-11-23 09:00+08:00", or now.'
)
@reason_option
@person_option
@pass_root
def activate(root: Root, number: int, at: str, reason: str, person: str) -> int:
    """Let approved change NUMBER come into force, by the daemon's clock.

    \b
    weighbridge policy activate 3 --reason "as agreed"
    weighbridge policy activate 3 --at "2026-11-23 09:00+08:00" --reason "agreed"
    """
    from bridge import desk
    from bridge.cli import compose

    settings = root.settings()
    _require_approved(settings)
    due, bar = _moment(at), compose.bar(settings)

    async def work(store: Database) -> str:
        if 0 < due <= store.clock.now():
            raise ConfigError(f"--at: {at} is past: write a time to come, or now")
        await desk.activate(store, number, person, reason, due, bar)
        return f"It comes into force at {output.when(due)}." if due else await _seen(store, number)

    seen = root.act(work)
    click.echo(f"Change {number} is to come into force; said by {output.cell(person)}.")
    click.echo(seen)
    return Exit.DONE


@click.command()
@looser_option
@all_looser_option
@reason_option
@person_option
@pass_root
def rollback(root: Root, looser: Sequence[str], all_looser: bool, reason: str, person: str) -> int:
    """Put the approved set before this one back into force, at once.

    One person may, and it is recorded so; what it loosens is shown, and has to be ticked.
    """
    from bridge import desk
    from bridge.cli.policy.shown import difference_lines
    from bridge.proposals import ticks

    _require_approved(root.settings())

    async def work(store: Database) -> tuple[int, str]:
        way = await _way_back(store, person, reason)
        if way.looser:
            click.echo("\n".join(difference_lines(way)))
        ticked = tuple(way.looser) if all_looser else ticks(way, looser)
        number = await desk.roll_back(store, way, ticked)
        return number, await _seen(store, number)

    number, seen = root.act(work)
    click.echo(f"Back to change {number}; said by {output.cell(person)}.")
    click.echo(seen)
    return Exit.DONE


async def _way_back(store: Database, person: str, reason: str) -> Proposal:
    """From what is in force to the approved set before it, with everything that it changes."""
    from bridge.cli.policy.propose import differences
    from bridge.policy import assemble
    from bridge.proposals import Proposal
    from bridge.store import proposals
    from bridge.store.policies import sources_of

    number = await store.read(proposals.way_back)
    target = (await store.read(lambda db: proposals.change(db, number))).proposal.policies
    base = await store.read(proposals.in_force)
    draft, _ = assemble(await store.read(lambda db: sources_of(db, [digest for _, digest in target])))
    if draft is None:
        raise ConfigError(f"change {number} cannot be read by this program any more: propose its files anew")
    return Proposal(person, reason, target, base, await differences(store, base, draft))


def _require_approved(settings: Settings) -> None:
    if settings.policy.activation != "approved":
        raise ConfigError(
            '[policy] activation is "watch": the files themselves decide, as soon as they are saved. To have '
            'changes approved, write activation = "approved" and start the daemon again'
        )


def _moment(text: str) -> int:
    """A time in milliseconds, 0 for now. Raises BadParameter when it is none, or has no time zone."""
    if text.strip() == "now":
        return 0
    try:
        found = datetime.datetime.fromisoformat(text.strip())
    except ValueError:
        raise click.BadParameter(f'{text!r} is no time: write it like "2026-11-23 09:00+08:00".') from None
    if found.tzinfo is None:
        raise click.BadParameter(f'{text!r} has no time zone: write it like "2026-11-23 09:00+08:00".')
    return int(found.timestamp() * 1000)


async def _seen(store: Database, number: int) -> str:
    """What became of it within a moment, in words."""
    from bridge.store import views
    from bridge.store.proposals import change

    for _ in range(int(PATIENCE / 0.1)):
        found = await store.read(lambda db: change(db, number))
        if found.state.value == "active":
            return f"Change {number} is in force."
        if not found.due_at:
            raise ConfigError(f"change {number} was refused: `weighbridge policy history` says why")
        lanes = await store.read(views.lanes)
        if not any(lane["lease_until"] > store.clock.now() for lane in lanes):
            return "No daemon runs: it comes into force when one starts."
        await asyncio.sleep(0.1)
    return f"The daemon has not done it within {PATIENCE:.0f} s: look at `weighbridge status`."
