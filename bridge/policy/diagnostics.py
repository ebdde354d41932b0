"""What is wrong with a file: where, in one sentence, with one suggestion.

Rules of this file: a diagnostic carries a key and values; its words are looked up when it is shown, so
another language is another table in `catalogue` and nothing else. Columns count characters; carets count
terminal cells, in which a Chinese character takes two.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bridge.policy.catalogue import TEXTS, Text

MOST_SHOWN = 20
WARNINGS = frozenset({"P030", "P031", "P033", "P034", "P041"})


class Place(NamedTuple):
    """A position: line and column from 1, and how many characters it covers."""

    line: int
    column: int
    width: int = 1


@dataclass(frozen=True, slots=True)
class Phrase:
    """A value that is made of words: looked up when it is shown, like the text it stands in."""

    key: str
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def words(self, language: str) -> str:
        """The phrase in `language`."""
        return _text(self.key, language).sentence.format(**self.values)


def _text(key: str, language: str) -> Text:
    return TEXTS.get(language, {}).get(key) or TEXTS["en"][key]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem of one file. `key` names its text; `source` is the line it stands in."""

    key: str
    file: str
    place: Place
    source: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def code(self) -> str:
        """The code that people quote: P010."""
        return self.key.partition(".")[0]

    @property
    def severity(self) -> str:
        """ "error" or "warning"."""
        return "warning" if self.code in WARNINGS else "error"

    def words(self, language: str = "en") -> Text:
        """Sentence, label and help in `language`."""
        values = {
            name: value.words(language) if isinstance(value, Phrase) else value
            for name, value in self.values.items()
        }
        return Text(*(part.format(**values) for part in _text(self.key, language)))

    def __str__(self) -> str:
        return f"{self.file}:{self.place.line}:{self.place.column}: {self.code} {self.words().sentence}"


@dataclass(frozen=True, slots=True)
class Page:
    """A file as a reader sees it."""

    name: str
    text: str
    lines: Sequence[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # YAML 1.1 ends lines at NEL, LS and PS too; so must we, or every line below is misnumbered.
        text = self.text.replace("\r\n", "\n")
        for mark in "\r\x85\u2028\u2029":
            text = text.replace(mark, "\n")
        object.__setattr__(self, "lines", text.split("\n"))

    def report(self, key: str, place: Place, /, **values: Any) -> Diagnostic:
        """A diagnostic about `place` of this page."""
        line = self.lines[place.line - 1] if place.line <= len(self.lines) else ""
        return Diagnostic(key, self.name, place, line, values)

    def within(self, place: Place) -> Place:
        """`place`, or the end of the last written line if the page ends before it."""
        if place.line <= len(self.lines) and (place.line < len(self.lines) or self.lines[place.line - 1]):
            return place
        written = [number for number, line in enumerate(self.lines, start=1) if line.strip()]
        last = written[-1] if written else 1
        return Place(last, len(self.lines[last - 1]) + 1)


# --- showing --------------------------------------------------------------------------------------------


def cells(text: str) -> int:
    """How many terminal cells `text` takes."""
    return sum(_cell_width(char) for char in text)


def _cell_width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _printable(line: str) -> str:
    """`line` with nothing in it that a terminal would obey or a reader would not see."""
    seen = ("�" if unicodedata.category(c) in ("Cc", "Cf") else c for c in line.replace("\t", " "))
    return "".join(seen)


def _as_text(diagnostic: Diagnostic, language: str) -> str:
    words = diagnostic.words(language)
    place = diagnostic.place
    source = _printable(diagnostic.source)
    before = source[: place.column - 1]
    covered = source[place.column - 1 : place.column - 1 + place.width] or " "
    margin = " " * len(str(place.line))
    lines = [
        f"{diagnostic.severity}[{diagnostic.code}]: {words.sentence}",
        f"{margin}--> {diagnostic.file}:{place.line}:{place.column}",
    ]
    if source.strip():
        carets = " " * cells(before) + "^" * max(cells(covered), 1)
        lines += [f"{margin} |", f"{place.line} | {source}", f"{margin} | {carets} {words.label}".rstrip()]
    return "\n".join([*lines, f"{margin} = help: {words.help}"])


def _as_object(diagnostic: Diagnostic, language: str) -> dict[str, Any]:
    words = diagnostic.words(language)
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "file": diagnostic.file,
        "line": diagnostic.place.line,
        "column": diagnostic.place.column,
        "end_column": diagnostic.place.column + diagnostic.place.width,
        "message": words.sentence,
        "label": words.label,
        "help": words.help,
    }


def render(diagnostics: Sequence[Diagnostic], format: str = "text", language: str = "en") -> str:
    """`diagnostics` for people ("text") or programs ("json"): the first 20, errors first, and how many."""
    ordered = sorted(diagnostics, key=lambda d: d.severity)
    shown = ordered[:MOST_SHOWN]
    if format == "json":
        objects = [_as_object(diagnostic, language) for diagnostic in shown]
        return json.dumps({"count": len(ordered), "diagnostics": objects}, ensure_ascii=False, indent=2)
    blocks = [_as_text(diagnostic, language) for diagnostic in shown]
    if len(ordered) > len(shown):
        blocks.append(f"and {len(ordered) - len(shown)} more")
    return "\n\n".join(blocks)
