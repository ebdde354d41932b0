"""What is wrong with a file: where, in one sentence, with one suggestion.

Rules of this file: a diagnostic carries a key and values; its words are looked up when it is shown, so
another language is another table in `catalogue` and nothing else. Columns count characters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bridge.policy.catalogue import TEXTS, Text

# fmt: off
WARNINGS = frozenset({
    "P030", "P031", "P032", "P033", "P034", "P035", "P036", "P037", "P038", "P039", "P041", "P043", "P044",
    "P045", "P046", "P047", "P048", "P049",
})
# fmt: on


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
        return _text(self.key, language).sentence.format(**_spoken(self.values, language))


def _spoken(values: Mapping[str, Any], language: str) -> dict[str, Any]:
    """`values` with every phrase, and every row of phrases, in `language`."""
    return {name: _said(value, language) for name, value in values.items()}


def _said(value: Any, language: str) -> Any:
    if isinstance(value, tuple):
        return "; ".join(str(_said(one, language)) for one in value)
    return value.words(language) if isinstance(value, Phrase) else value


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
        values = _spoken(self.values, language)
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
