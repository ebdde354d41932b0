"""Which policy files a command is about.

Rules of this file: only names of files; nothing is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

files_argument = click.argument("files", nargs=-1, type=click.Path(path_type=Path))


def chosen(files: Sequence[Path]) -> list[Path]:
    """The files named, or every policy in `policies/`; raises UsageError when there are none."""
    found = list(files) or sorted(Path("policies").glob("*.yaml"))
    if not found:
        raise click.UsageError("no policy files: name them, or keep them in policies/")
    return found
