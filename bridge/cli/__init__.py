"""The commands, and the composition root: the only door to `connectors` and to the concrete store.

Rules of this file: it imports click and nothing heavy, so that `weighbridge --help` answers at once. A
command's module is imported when the command is called; its line of help stands here, in the table.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Mapping
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from bridge import __version__
from bridge.cli import output
from bridge.cli.root import Root

COMMANDS: Mapping[str, tuple[str, str]] = {  # name: (module:attribute, help)
    "init": ("bridge.cli.init:init", "Write a configuration, keys and policies into a new folder."),
    "run": ("bridge.cli.run:run", "Run the bridge: both networks, archive, policy, delivery."),
    "demo": ("bridge.cli.demo:demo", "Both networks and the bridge on this machine, with a conversation."),
    "status": ("bridge.cli.status:status", "What the bridge is doing and what waits."),
    "doctor": ("bridge.cli.doctor:doctor", "Check settings, secrets, store, policies and both networks."),
    "mock": ("bridge.cli.mock:mock", "A Symphony pod or a Weixin platform to try things on."),
    "people": ("bridge.cli.people:people", "Who may talk to whom: pair, unpair, list."),
    "policy": ("bridge.cli.policy:policy", "Policy files: check them, run their tests."),
    "review": ("bridge.cli.review:review", "Held messages: list, show, release, reject."),
    "audit": ("bridge.cli.audit:audit", "The archive and its ledger: list, show, verify."),
    "outbox": ("bridge.cli.outbox:outbox", "Deliveries under way or parked: list, retry, drop."),
    "bench": ("bridge.cli.bench:bench", "Measure the relay on this machine."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, not when they are listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one may have been meant."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; `weighbridge --help` lists them"
            raise click.UsageError(f"no such command: {args[0]}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands from the table, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names that begin with `incomplete`, from the table, without importing any."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=text)
            for name, (_, text) in COMMANDS.items()
            if name.startswith(incomplete)
        ]


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
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
