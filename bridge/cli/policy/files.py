"""Which policy files a command is about.

Rules of this file: only names of files; no policy is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from bridge.cli.root import Root

files_argument = click.argument("files", nargs=-1, type=click.Path(path_type=Path))


def chosen(files: Sequence[Path]) -> list[Path]:
    """The files named, those of folders named, or all of `policies/`; raises UsageError for none."""
    found = [file for path in files for file in inside(path)] or sorted(Path("policies").glob("*.yaml"))
    if not found:
        raise click.UsageError("no policy files: name them, or keep them in policies/")
    return found


def inside(path: Path) -> list[Path]:
    """`path`, or the policy files of the folder that it is. Raises UsageError for a folder without any."""
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("*.yaml"))
    if not found:
        raise click.UsageError(f"no policy files in {path}")
    return found


def in_use(root: Root, files: Sequence[Path]) -> list[Path]:
    """The files named, those of the settings if there are any, or every policy in `policies/`.

    Raises ConfigError for settings that are wrong, UsageError when there are no files.
    """
    if files or not root.config.exists():
        return chosen(files)
    from bridge.cli.compose import policy_files

    return list(policy_files(root.settings()))
