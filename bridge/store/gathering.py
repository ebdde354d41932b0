"""Checkpoints that others have, found: in our own folders, in files, inside any text somebody exported.

Rules of this file: it finds and does not judge; whether a checkpoint holds is for `attestation`. A file that
is named as a checkpoint is one, however damaged. In other text a checkpoint is looked for behind the marks
that mail, web pages and JSON put around it; the signature says whether it was found whole.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import ConfigError
from bridge.ledger.checkpoint import Checkpoint, read

TEXTS = frozenset({".txt", ".html", ".htm", ".json", ".jsonl", ".csv", ".eml", ".md", ".xml"})
"""Endings of files that are searched for checkpoints when a folder is."""

_FILE = re.compile(r"(\d+)/\d+/(\d+)\.note")
_BASE64 = r"[A-Za-z0-9+/]"
_NOTE = re.compile(
    rf"(?<![^\s\"'])(?P<origin>[^\s+\"'>]+/\d{{1,9}})\s+(?P<size>\d{{1,19}})\s+(?P<root>{_BASE64}{{43}}=)\s+"
    rf"(?P<signatures>(?:—\s+[^\s+]+\s+{_BASE64}{{80,}}={{0,2}}\s*)+)"
)
_SIGNATURE = re.compile(rf"—\s+([^\s+]+)\s+({_BASE64}+={{0,2}})")
_JSON_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|[nrt/\"\\])")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_MARKUP = re.compile(r"<[^<>]*>|^[ \t]*>+", re.MULTILINE)


@dataclass(frozen=True, slots=True, order=True)
class Anchored:
    """A checkpoint outside the database. `size` and `lane` are what its name says, or else what is in it.

    `where` is the file it is in, or the place that `data` was read from.
    """

    lane: int
    size: int
    where: str
    data: bytes | None = None
    folder: Path | None = None  # one of our own, in which none may be missing

    def read(self) -> bytes:
        """The checkpoint itself. Raises OSError."""
        return Path(self.where).read_bytes() if self.data is None else self.data


def gathered(paths: Iterable[Path], *, strict: bool = False) -> list[Anchored]:
    """The checkpoints in files and folders, sorted. `strict`: these are our own folders, complete ones.

    Raises ConfigError for a path that cannot be read.
    """
    found: list[Anchored] = []
    for path in paths:
        try:
            found += _in_file(path) if path.is_file() else _in_folder(path, strict=strict)
        except OSError as error:
            raise ConfigError(f"{path}: checkpoints cannot be read there: {error.strerror}") from None
    return sorted(found, key=lambda one: (one.lane, one.size, one.where))


def _in_folder(path: Path, *, strict: bool) -> Iterator[Anchored]:
    for file in path.rglob("*.note"):
        yield _placed(file, path, strict=strict)
    if not strict:
        for file in path.rglob("*"):
            if file.suffix.lower() in TEXTS and file.is_file():
                yield from _inside(file)


def _in_file(path: Path) -> Iterable[Anchored]:
    """A checkpoint, or those inside a text; a file that has none is taken for a damaged one."""
    inside = [] if path.suffix == ".note" else list(_inside(path))
    return inside or [_placed(path, path, strict=False)]


def _inside(path: Path) -> Iterator[Anchored]:
    for note in notes_in(path.read_bytes().decode("utf-8", "replace")):
        said = read(note)
        yield Anchored(lane_of(said), said.size, str(path), note.encode("utf-8", "replace"))


def notes_in(text: str) -> Iterator[str]:
    """The signed notes in a text of any kind (an export, a mail, a web page), each in its own form again."""
    for found in _NOTE.finditer(_plain(text)):
        lines = "".join(f"— {name} {data}\n" for name, data in _SIGNATURE.findall(found["signatures"]))
        note = f"{found['origin']}\n{found['size']}\n{found['root']}\n\n{lines}"
        try:
            read(note)
        except ValueError:
            continue  # it only looked like one
        yield note


def _plain(text: str) -> str:
    """Text without what JSON, HTML and replies to mail put between its words; each may hold the other."""
    for _ in range(2):
        text = html.unescape(_JSON_ESCAPE.sub(_unescaped, text))
    return _MARKUP.sub(" ", text)


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    return chr(int(code[1:], 16)) if code[0] == "u" else _ESCAPED.get(code, code)


def placed(name_there: str) -> tuple[int, int] | None:
    """Lane and size by the name of a checkpoint in a place of ours, None when it is named otherwise."""
    name = _FILE.fullmatch("/".join(name_there.split("/")[-3:]))
    return (int(name[1]), int(name[2])) if name and len(name[2]) < 19 else None


def _placed(file: Path, path: Path, *, strict: bool) -> Anchored:
    if name := placed(str(file)):
        return Anchored(*name, str(file), folder=path if strict else None)
    said = _said(file)
    return Anchored(lane_of(said), said.size, str(file)) if said else Anchored(0, 0, str(file))


def _said(file: Path) -> Checkpoint | None:
    try:
        return read(file.read_bytes().decode())
    except ValueError:
        return None  # told where the lane's checkpoints are checked


def lane_of(said: Checkpoint) -> int:
    """The lane that a checkpoint is about; 0 when its log's name ends in no number."""
    lane = said.origin.rpartition("/")[2]
    return int(lane) if re.fullmatch("[0-9]{1,9}", lane) else 0
