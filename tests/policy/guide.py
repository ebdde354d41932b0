"""The guide for compliance staff, read as a reader would who types everything in order.

Rules of this file: a `yaml` block is a whole policy file. It is saved under `policies/` by the name of its
policy, or where its first line says so. The `csv` block is the list that the policies name. Of a `console`
block, a line after `$ ` is typed, and what stands below is its answer: a line `…` stands for any lines, `…`
in a line for any text. What a reader's bridge does meanwhile stands in a comment, `<!-- … -->`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

GUIDE = Path(__file__).parents[2] / "docs" / "policy.md"
LIST = "policies/lists/restricted.csv"

_PARTS = re.compile(r"^```(\w+)\n(.*?)^```$|^<!-- (.*?) -->$", re.MULTILINE | re.DOTALL)


class Saved(NamedTuple):
    """A file that the reader saves."""

    path: str
    text: str


class Typed(NamedTuple):
    """A command that the reader types, and the answer that the guide shows ("" if none)."""

    command: str
    answer: str


class Meanwhile(NamedTuple):
    """Something that happens without the reader."""

    what: str


Step = Saved | Typed | Meanwhile


def steps(text: str) -> Iterator[Step]:
    """What a reader of the guide does, in order."""
    for kind, body, meanwhile in _PARTS.findall(text):
        if kind == "yaml":
            yield Saved(_path(body), body)
        elif kind == "csv":
            yield Saved(LIST, body)
        elif kind == "console":
            yield from _typed(body)
        elif meanwhile:
            yield Meanwhile(meanwhile)


def _path(body: str) -> str:
    first, _, _ = body.partition("\n")
    if first.startswith("# ") and first.endswith(".yaml"):
        return first[2:]
    return f"policies/{re.findall(r'^policy: (.*)$', body, re.MULTILINE)[0]}.yaml"


def _typed(body: str) -> Iterator[Typed]:
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, answer = part.partition("\n")
        yield Typed(command, answer.strip("\n"))


def words(command: str, folder: Path) -> list[str]:
    """The words of a command as a shell gives them, without the first: `*` is replaced by files."""
    given = []
    for word in shlex.split(command)[1:]:
        files = sorted(path.relative_to(folder) for path in folder.glob(word)) if "*" in word else []
        given += map(str, files) if files else [word]
    return given


def agrees(shown: str, said: str) -> bool:
    """Whether what the guide shows is what was said."""
    lines = ["(?:.*\n)*?" if line == "…" else f"{_line(line)}\n" for line in shown.split("\n")]
    return re.fullmatch("".join(lines), said.strip("\n") + "\n") is not None


def _line(shown: str) -> str:
    return ".*".join(map(re.escape, shown.split("…")))
