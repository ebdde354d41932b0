"""Names of files in an export: they say what is inside, and are harmless wherever they are unpacked.

Rules of this file: pure. Whatever people called a file may hold anything: separators, reserved names, signs
that turn text around. A name that is made here is unique through the numbers in it, never through the words.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256

from bridge.records.transcript import Enclosure, Line, Slice

MOST = 80
"""Characters of what people called a file that are kept: with the numbers, below 255 bytes in UTF-8."""

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
_PAIR = re.compile(r"pair/\d+", re.ASCII)
_FORBIDDEN = frozenset('<>:"/\\|?*')


def safe(name: str, most: int = MOST) -> str:
    """`name` without what a file system or a shell could take for something else; "file" if nothing is left.

    The end is kept rather than the beginning's length: a name is known by its extension.
    """
    shown = "".join("_" if _harmful(sign) else sign for sign in name).strip(" .")
    if _RESERVED.match(shown):
        shown = f"_{shown}"
    if len(shown.encode()) > most:
        stem, dot, kind = shown.rpartition(".")
        kind = f"{dot}{kind}" if stem and len(kind.encode()) <= 10 else ""
        shown = _cut(stem if kind else shown, most - len(kind.encode())) + kind
    return shown or "file"


def _harmful(sign: str) -> bool:
    return sign in _FORBIDDEN or (unicodedata.category(sign)[0] in "CZ" and sign != " ")


def _cut(text: str, most: int) -> str:
    return text.encode()[:most].decode("utf-8", "ignore")


def attachment(line: Line, place: int, file: Enclosure) -> str:
    """The file of the attachment at `place` (from 0) of a message: unique in an export."""
    return f"attachments/{line.number:09d}-{place + 1}-{safe(file.name)}"


PASSIVE = frozenset(
    (
        *("pdf", "txt", "csv", "json", "zip", "doc", "docx", "xls", "xlsx", "ppt", "pptx"),
        *("png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff", "heic", "bin"),
        *("mp4", "mov", "mp3", "m4a", "wav", "ogg", "amr"),
    )
)
"""Endings of whose files no browser runs anything: shown, played, or saved for the program of their kind."""


def passive(name: str) -> str:
    """`name` as a page may lead to it: what is not known to be harmless in a browser is a file of bytes, for
    a page of markup would run its scripts, and what has no ending is looked into and guessed."""
    stem, _, ending = name.rpartition(".")
    return name if stem and ending.lower() in PASSIVE else f"{name}.bin"


def of_slice(one: Slice, ending: str) -> str:
    """The file of one slice: day, conversation, piece."""
    piece = f"-{one.piece}" if one.piece > 1 else ""
    return f"{one.day.isoformat()}/{_of_key(one.key)}{piece}.{ending}"


def _of_key(key: str) -> str:
    """A conversation's key as part of a name. What a network calls a chat may be long, or differ from another
    in case alone: a digest tells such two apart."""
    shown = key.replace("/", "-")
    if _PAIR.fullmatch(key):
        return shown
    return f"{safe(shown, 51)}-{sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
