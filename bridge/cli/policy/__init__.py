"""`weighbridge policy`: what compliance staff do with policy files, one module for each command.

Rules of this package: no logic, and no heavy import outside of a function: the command must start at once.
Exit codes: 0 all is well, 1 something is wrong in a file or a test, 2 a file cannot be used or found.
"""

from __future__ import annotations

from collections.abc import Mapping

import click

from bridge.cli.lazy import LazyGroup

COMMANDS: Mapping[str, tuple[str, str]] = {  # name: (module:attribute, help)
    "check": ("bridge.cli.policy.check:check", "Say everything that is wrong, with place and suggestion."),
    "try": ("bridge.cli.policy.try_:try_", "What would become of a message, and why."),
    "explain": ("bridge.cli.policy.explain:explain", "What a code means, what a rule does."),
    "fmt": ("bridge.cli.policy.fmt:fmt", "Put files in the one way to write them."),
    "promote": ("bridge.cli.policy.promote:promote", "Enforce a rule that was only monitored."),
    "add-test": ("bridge.cli.policy.add_test:add_test", "Turn a message into a test of a rule."),
    "schema": ("bridge.cli.policy.schema:schema", "The grammar for editors, and the reference manual."),
    "test": ("bridge.cli.policy.test:test", "Run the tests inside the rules."),
    "diff": ("bridge.cli.policy.diff:diff", "What a draft changes; what gets looser comes first."),
    "backtest": ("bridge.cli.policy.backtest:backtest", "What a draft would have done to the archive."),
    "backtests": ("bridge.cli.policy.backtest:backtests", "The last back-tests, and the report of each."),
    "propose": ("bridge.cli.policy.propose:propose", "Put a set of files before somebody else."),
    "withdraw": ("bridge.cli.policy.propose:withdraw", "Take your own proposal back."),
    "approve": ("bridge.cli.policy.approve:approve", "Agree to what another person proposed."),
    "reject": ("bridge.cli.policy.approve:reject", "Refuse what another person proposed."),
    "activate": ("bridge.cli.policy.activate:activate", "Let an approved set come into force, now or later."),
    "rollback": ("bridge.cli.policy.activate:rollback", "Put the approved set before back into force."),
    "history": ("bridge.cli.policy.history:history", "Who changed what, when and why."),
    "show": ("bridge.cli.policy.history:show", "One change: files, differences, who agreed."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def policy() -> None:
    """Policy files: write them, test them, see what they do."""
