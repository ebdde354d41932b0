"""How commands change policy files: the whole file or nothing, and never unseen.

Rules of this file: a file is written beside the old one and takes its place in one step, with its rights.
What would change is shown before anybody is asked. Nobody is asked without a terminal.
"""

from __future__ import annotations

import difflib
import os
import sys
import tempfile
from pathlib import Path

import click


def put(path: Path, text: str) -> None:
    """Write `text` to `path` in one step; a file that was there keeps its rights. Raises OSError."""
    real = path.resolve()
    handle, name = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(real.stat().st_mode & 0o7777 if real.exists() else 0o644)
        Path(name).replace(real)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def store(path: Path, text: str) -> None:
    """Write `text` to `path` like `put`, and end the command with a sentence when that is not possible."""
    try:
        put(path, text)
    except OSError as error:
        click.echo(f"{path} cannot be written: {error.strerror}. Nothing was changed.", err=True)
        raise SystemExit(2) from None


def difference(path: Path, before: str, after: str) -> str:
    """What would change in the file at `path`, as a unified diff; "" for nothing."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    lines = difflib.unified_diff(old, new, str(path), f"{path} (new)")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ no end of line\n" for line in lines)


def show(changes: str) -> None:
    """Print a diff, coloured on a terminal."""
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for line in changes.splitlines():
        click.echo(click.style(line, fg=colours.get(line[:1])))


def agreed(question: str, *, yes: bool) -> bool:
    """Whether the person agrees: with `--yes`, or when asked. Without a terminal nobody is asked."""
    if yes:
        return True
    if not sys.stdin.isatty():
        click.echo("Nobody can be asked here: add --yes to write it.", err=True)
        return False
    return click.confirm(question, default=False)
