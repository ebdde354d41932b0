"""What every command starts from: which settings file, and what it says.

Rules of this file: nothing is read before a command asks for it, so that `--help` needs no file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bridge.config import Settings


@dataclass(frozen=True, slots=True)
class Root:
    """The context object of the command line."""

    config: Path

    def settings(self) -> Settings:
        """The settings, well formed; raises ConfigError with all problems. Secrets are not read."""
        from bridge import config

        return config.load(self.config, os.environ)

    def unlocked(self) -> Settings:
        """The settings, complete enough to run, secrets read; raises ConfigError with all problems."""
        from bridge import config

        return config.unlock(self.settings())


pass_root = click.make_pass_decorator(Root)
