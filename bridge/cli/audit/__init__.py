"""`weighbridge audit`: the archive and its ledger, for whoever has to know what happened; a module a command.

Rules of this package: no logic, and no heavy import outside of a function: the command must start at once.
Nothing is changed; only who was shown what people wrote is written down. Text that people wrote is made
harmless for the terminal before it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping

import click

from bridge.cli.lazy import LazyGroup

COMMANDS: Mapping[str, tuple[str, str]] = {  # name: (module:attribute, help)
    "list": ("bridge.cli.audit.list_:list_", "Messages in the archive, the newest first."),
    "show": ("bridge.cli.audit.show:show", "One message's whole life, with what proves it."),
    "verify": ("bridge.cli.audit.verify:verify", "Read everything again: was any byte changed?"),
    "checkpoint": ("bridge.cli.audit.proof:checkpoint", "The newest signed checkpoint of each lane."),
    "proof": ("bridge.cli.audit.proof:proof", "That something is in the ledger, for somebody outside."),
    "replay": ("bridge.cli.audit.replay:replay", "Decide again from what was recorded."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def audit() -> None:
    """The archive: list messages, show a message's whole life, verify that nothing was changed, and decide
    again from what was recorded.

    \b
    weighbridge audit list --since 24h --person alice.wong
    weighbridge audit show 17
    weighbridge audit verify
    weighbridge audit checkpoint
    weighbridge audit proof 17
    weighbridge audit replay --since 7d
    """
