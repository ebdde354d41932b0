"""`weighbridge freeze`, `unfreeze`: the red button.

Rules of this file: it works beside the daemon or without one; what it says is true at once for sending, and
within a second for what comes in. Who did it and why stands sealed in the record, so it needs the master key;
where it fails, it says what stops everything without one.
"""

from __future__ import annotations

import click

from bridge.cli import output
from bridge.cli.root import Root, pass_root, person_option, reason_option
from bridge.errors import ConfigError, StoreError

NOT_FROZEN = "Nothing is frozen. To stop everything at once, stop the daemon: systemctl stop weighbridge"


@click.command()
@reason_option
@person_option
@pass_root
def freeze(root: Root, reason: str, person: str) -> None:
    """Stop everything: nothing is sent in either direction, and whatever comes is held for a person.

    It survives restarts. `weighbridge unfreeze` lets things go on. It needs the store and its master key,
    because the reason is sealed; without them, stop the daemon.
    """
    from bridge import desk

    try:
        root.act(lambda store: desk.freeze(store, person, reason))
    except (ConfigError, StoreError):
        output.note(NOT_FROZEN)
        raise
    click.echo(f"Frozen by {output.cell(person)}: nothing is sent any more, and whatever comes is held.")
    click.echo("To let things go on:\n  weighbridge unfreeze --reason …")


@click.command()
@reason_option
@person_option
@pass_root
def unfreeze(root: Root, reason: str, person: str) -> None:
    """Let things go on: what was permitted goes out, what was held waits for its reviewer."""
    from bridge import desk

    root.act(lambda store: desk.unfreeze(store, person, reason))
    click.echo(f"Let go by {output.cell(person)}: what was permitted goes out now.")
    click.echo("What came meanwhile is held; each message waits for a reviewer:\n  weighbridge review list")
