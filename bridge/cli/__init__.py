"""The commands, and the composition root: the only door to `connectors` and to the concrete store.

Rules of this file: it imports click and nothing heavy, so that `weighbridge --help` answers at once. A
command's module is imported when the command is called; its line of help stands here, in the table.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from bridge import __version__
from bridge.cli import output
from bridge.cli.lazy import LazyGroup
from bridge.cli.root import Root

COMMANDS: Mapping[str, tuple[str, str]] = {  # name: (module:attribute, help)
    "init": ("bridge.cli.init:init", "Write a configuration, keys and policies into a new folder."),
    "run": ("bridge.cli.run:run", "Run the bridge: both networks, archive, policy, delivery."),
    "demo": ("bridge.cli.demo:demo", "Both networks and the bridge on this machine, with a conversation."),
    "status": ("bridge.cli.status:status", "What the bridge is doing and what waits."),
    "freeze": ("bridge.cli.policy.freeze:freeze", "Stop everything, in both directions, at once."),
    "unfreeze": ("bridge.cli.policy.freeze:unfreeze", "Let things go on after a freeze."),
    "doctor": ("bridge.cli.doctor:doctor", "Check settings, secrets, store, policies and both networks."),
    "mock": ("bridge.cli.mock:mock", "A Symphony pod or a Weixin platform to try things on."),
    "people": ("bridge.cli.people:people", "Who may talk to whom: pair, unpair, list."),
    "policy": ("bridge.cli.policy:policy", "Policy files: write them, test them, see what they do."),
    "review": ("bridge.cli.review:review", "Held messages: list, show, release, reject."),
    "hold": ("bridge.cli.hold:hold", "Legal holds: place, list, lift by two people."),
    "disposal": ("bridge.cli.disposal:disposal", "Records whose time is over: plan, approve, run."),
    "erasure": ("bridge.cli.erasure:erasure", "People who ask to be forgotten: answer them."),
    "retention": ("bridge.cli.retention:retention", "How long records live, and why."),
    "audit": ("bridge.cli.audit:audit", "The archive and its ledger: list, show, verify."),
    "certify": ("bridge.cli.certify:certify", "Whether anything is missing: certify a day, show, verify."),
    "keys": ("bridge.cli.keys:keys", "The master key of what is at rest: status, rotate, escrow, drill."),
    "store": ("bridge.cli.store:store", "Where everything is kept: status; moved to another database."),
    "outbox": ("bridge.cli.outbox:outbox", "Deliveries under way or parked: list, retry, drop."),
    "sinks": ("bridge.cli.sinks:sinks", "Archives outside: list, status, check, retry, rehearse."),
    "bench": ("bridge.cli.bench:bench", "Measure the relay on this machine."),
}


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="WEIGHBRIDGE_CONFIG",
    default=Path("weighbridge.toml"),
    show_default=True,
    show_envvar=True,
    help="The settings file.",
)
@click.version_option(__version__, prog_name="weighbridge")
@click.pass_context
def weighbridge(ctx: click.Context, config: Path) -> None:
    """A compliant chat bridge between Symphony and Weixin.

    \b
    weighbridge demo               both networks on this machine, ready to try
    weighbridge init bank          a folder with settings, keys and policies
    weighbridge review list        what waits for a person
    """
    ctx.obj = Root(config)


def main() -> None:
    """The `weighbridge` command: every expected error becomes a sentence and an exit code."""
    sys.exit(output.guarded(lambda: weighbridge.main(standalone_mode=False)))
