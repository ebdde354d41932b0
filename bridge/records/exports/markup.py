"""XML, written forwards: elements in elements, with nothing in memory but the names of those that are open.

Rules of this file: pure; UTF-8, two spaces of indentation. Whatever XML 1.0 cannot write is spelled out
(`legible.spelled`); breaks and tabs stand as references where a parser would change them (XML 1.0, sections
2.11 and 3.3.3), so that what is read is what was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from bridge.records.exports.legible import FORBIDDEN, spelled

_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;", "\x85": "&#133;"})
_IN_ATTRIBUTE = _IN_TEXT | {ord('"'): "&quot;", ord("\n"): "&#10;", ord("\t"): "&#9;"}


class Markup:
    """A document that is being written to `file`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._depth = 0
        self._put('<?xml version="1.0" encoding="UTF-8"?>')

    @contextmanager
    def within(self, name: str, attributes: Mapping[str, str] | None = None) -> Iterator[None]:
        """Everything written inside stands in an element `name`."""
        self._put(f"<{name}{_attributes(attributes)}>")
        self._depth += 1
        yield
        self._depth -= 1
        self._put(f"</{name}>")

    def leaf(self, name: str, text: str = "", attributes: Mapping[str, str] | None = None) -> None:
        """An element with text and nothing else. Text is never padded: its spaces are the sender's."""
        self._put(f"<{name}{_attributes(attributes)}>{_text(text)}</{name}>")

    def _put(self, markup: str) -> None:
        self._file.write(("  " * self._depth + markup + "\n").encode("utf-8"))


def _text(text: str) -> str:
    return spelled(text, FORBIDDEN).translate(_IN_TEXT)


def _attributes(attributes: Mapping[str, str] | None) -> str:
    return "".join(
        f' {name}="{spelled(value, FORBIDDEN).translate(_IN_ATTRIBUTE)}"'
        for name, value in (attributes or {}).items()
    )
