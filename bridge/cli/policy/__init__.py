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
    "fmt": ("bridge.cli.policy.fmt:fmt", "Put files in the one way to write them."),
    "schema": ("bridge.cli.policy.schema:schema", "The grammar for editors, and the reference manual."),
    "test": ("bridge.cli.policy.test:test", "Run the tests inside the rules."),
}


@click.group(cls=LazyGroup, table=COMMANDS)
def policy() -> None:
    """Policy files: write them, test them, see what they do."""
