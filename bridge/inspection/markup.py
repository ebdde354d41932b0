"""XML as a stream of words: no tree is built, nothing outside the file is opened.

Rules of this file: a document that defines entities or a DTD is not read (defusedxml refuses it), nor one
that nests deeper than any real one. Memory does not grow with the document.
"""

from __future__ import annotations

import xml.sax.handler
from typing import BinaryIO
from xml.sax import SAXException

import defusedxml.sax
from defusedxml.common import DefusedXmlException

from bridge.inspection.bounds import Unreadable

DEEPEST = 500
"""Elements within elements."""


class Handler(xml.sax.handler.ContentHandler):
    """Elements by their local name. Subclasses take `begin`, `end` and `words`."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins; attributes go by their local names."""

    def end(self, name: str) -> None:
        """An element ends."""

    def words(self, text: str) -> None:
        """Characters between tags, in pieces of any size."""

    def startElement(self, name: str, attrs: object) -> None:
        """See `xml.sax.handler.ContentHandler`."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise Unreadable("it nests deeper than is read")
        self.begin(local(name), {local(key): value for key, value in attrs.items()})  # type: ignore[attr-defined]

    def endElement(self, name: str) -> None:
        """See `xml.sax.handler.ContentHandler`."""
        self._depth -= 1
        self.end(local(name))

    def characters(self, content: str) -> None:
        """See `xml.sax.handler.ContentHandler`."""
        self.words(content)


def local(name: str) -> str:
    """A name without its prefix."""
    return name.rpartition(":")[2]


def parse(file: BinaryIO, handler: Handler) -> None:
    """Read XML from `file`. Raises Unreadable when it is none, or is made to harm its reader."""
    parser = defusedxml.sax.make_parser()
    parser.forbid_dtd = True
    parser.setContentHandler(handler)
    try:
        parser.parse(file)
    except DefusedXmlException:
        raise Unreadable("it has XML with definitions of its own") from None
    except (SAXException, ValueError, LookupError) as error:
        raise Unreadable("it is damaged") from error
