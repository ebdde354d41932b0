"""Text inside PDF, by pypdf, with everything bounded that a file can make large.

Rules of this file: a document that opens without a password counts as open, whatever it forbids (ISO 32000-1,
7.6.3: those are requests to the reader's program). A page whose text cannot be read is said to be so; a
document of pages without any text is one too, because what it shows cannot be judged.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

from pypdf import PdfReader
from pypdf.errors import DependencyError, PyPdfError
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject

from bridge.inspection.bounds import Look, Unreadable

PAGES = 3_000
OBJECTS = 200_000

#: What pypdf raises on damaged files, beside its own.
_DAMAGE = (
    PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, ZeroDivisionError,
    NotImplementedError, RecursionError, AssertionError, OSError, zlib.error, OverflowError,
)  # fmt: skip

_ACTIVE = frozenset({"/JavaScript", "/Launch", "/ImportData", "/SubmitForm"})
"""Actions that do something by themselves (ISO 32000-1, table 198)."""


_MACHINES = frozenset({"/CreationDate", "/ModDate", "/Producer", "/Creator", "/Trapped"})
"""What programs write about a document, not people."""


def read(file: BinaryIO, look: Look) -> None:
    """Read a PDF into `look`."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)  # what it says quotes the document
    try:
        reader = PdfReader(file, strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            look.encrypted = True
            raise Unreadable("it asks for a password")
        _objects(reader, look)
        _pages(reader, look)
    except DependencyError as error:
        raise Unreadable("it is encrypted in a way that is not known") from error
    except _DAMAGE as error:
        raise Unreadable("it is damaged") from error


def _pages(reader: PdfReader, look: Look) -> None:
    before, count = look.text, len(reader.pages)
    said = [value for key, value in (reader.metadata or {}).items() if key not in _MACHINES]
    look.say("".join(f"{value}\n" for value in said if isinstance(value, str)))
    written = False
    for number in range(min(count, PAGES)):
        try:
            text = reader.pages[number].extract_text()
        except _DAMAGE:
            look.cannot(f"its page {number + 1} is damaged")
            continue
        written = written or bool(text.strip())
        look.say(f"{text}\n")
    if count > PAGES:
        look.cut = True
        look.cannot(f"it has more than {PAGES} pages")
    elif count and not written and before == "":
        look.cannot("its pages show no text, only what is drawn")


def _objects(reader: PdfReader, look: Look) -> None:
    """Actions, forms and attached files, wherever in the document they hang."""
    for seen, found in enumerate(_dictionaries(reader)):
        if seen > OBJECTS:
            raise Unreadable("it has more objects than are looked at")
        if "/JS" in found or found.get("/S") in _ACTIVE or "/XFA" in found:
            look.macros = True
        if found.get("/FT") == "/Tx" or found.get("/Subtype") in ("/FreeText", "/Text"):
            said = [found.get(key) for key in ("/V", "/Contents")]
            look.say("".join(f"{one}\n" for one in said if isinstance(one, str)))
        if found.get("/Type") == "/EmbeddedFile" and hasattr(found, "get_data"):
            look.enter(look.unpack(BytesIO(found.get_data())), "")


def _dictionaries(reader: PdfReader) -> Iterator[DictionaryObject]:
    numbers = {(n, g) for g, table in reader.xref.items() for n in table}
    numbers |= {(n, 0) for n in reader.xref_objStm}
    for number, generation in sorted(numbers):
        try:
            thing = reader.get_object(IndirectObject(number, generation, reader))
        except _DAMAGE:
            continue
        yield from _inside(thing, 0)


def _inside(thing: object, depth: int) -> Iterator[DictionaryObject]:
    """The dictionaries that stand in one object, not those it points at."""
    if depth > 50:
        raise Unreadable("it nests deeper than is read")
    if isinstance(thing, DictionaryObject):
        yield thing
        values: list[object] = [thing.raw_get(key) for key in thing]
    elif isinstance(thing, ArrayObject):
        values = [list.__getitem__(thing, at) for at in range(len(thing))]
    else:
        return
    for value in values:
        if not isinstance(value, IndirectObject):
            yield from _inside(value, depth + 1)
