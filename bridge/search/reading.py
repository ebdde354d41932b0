"""One document while a query looks at it: what was opened and folded once is not opened and folded again.

Rules of this file: lazy. A field is asked of the document when a condition needs it, because to open is to
decrypt. Fields have the names that highlights use: "text", "sent", "quote", "file:0", "inside:0", "reason:0".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from bridge.policy.folding import fold
from bridge.search.document import Document


def _files(document: Document) -> Iterator[tuple[str, str]]:
    for place, file in enumerate(document.files):
        yield f"file:{place}", file.name


def _inside(document: Document) -> Iterator[tuple[str, str]]:
    for place, file in enumerate(document.files):
        if file.found is not None and file.found.text:
            yield f"inside:{place}", file.found.text


def _reasons(document: Document) -> Iterator[tuple[str, str]]:
    for place, decided in enumerate(document.decisions):
        yield f"reason:{place}", decided.verdict.reason
        yield f"why:{place}", decided.why


#: How each kind of field is taken out of a document: (name, text) pairs.
FIELDS: Mapping[str, Callable[[Document], Iterator[tuple[str, str]]]] = {
    "text": lambda document: iter((("text", document.text),)),
    "sent": lambda document: iter((("sent", document.permitted),)),
    "quote": lambda document: iter((("quote", document.quote),)),
    "file": _files,
    "inside": _inside,
    "reason": _reasons,
}


class Reading:
    """One document, and what was read of it so far."""

    __slots__ = ("_folded", "_text", "_texts", "document")

    def __init__(self, document: Document) -> None:
        self.document = document
        self._texts: dict[str, list[tuple[str, str]]] = {}
        self._folded: dict[str, str] = {}
        self._text: str | None = None

    @property
    def text(self) -> str:
        """The text as it was written."""
        text = self._text
        if text is None:
            text = self._text = self.document.text
        return text

    def texts(self, field: str) -> list[tuple[str, str]]:
        """The texts of one kind of field, by name; empty ones are left out."""
        found = self._texts.get(field)
        if found is None:
            found = self._texts[field] = [pair for pair in FIELDS[field](self.document) if pair[1]]
        return found

    def folded(self, text: str) -> str:
        """The folded form of a text of this document; equal texts are folded once."""
        found = self._folded.get(text)
        if found is None:
            found = self._folded[text] = fold(text)
        return found
