"""What a file is and what it says: the type decides who reads it.

Rules of this file: it runs in the limited child process only (`bridge.inspection.child`). A reader is
imported when a file needs it: most need one. Readers raise `Unreadable` for what they expect of hostile
files; anything else ends the child, which is an answer as well.
"""

from __future__ import annotations

import zipfile
from typing import BinaryIO

from bridge.inspection import kinds
from bridge.inspection.bounds import DAMAGE, Look, Unreadable

_PLAIN = frozenset({"txt", "csv", "html", "xml", "json", "eml", "rtf"})
_PACKAGES = frozenset({"docx", "xlsx", "pptx", "odt", "ods", "odp"})
_COMPOUND = frozenset({"doc", "xls", "ppt", "msg"})


def identify(file: BinaryIO, name: str) -> tuple[str, str]:
    """The type of `file` by its bytes, and what is wrong with them ("" if nothing)."""
    file.seek(0)
    head = file.read(kinds.HEAD)
    found = kinds.signatures(head)
    if len(found) > 1:
        return _suspect(found), f"it is built to be taken for {' and for '.join(found)}"
    if found != ("zip",) and _hides(file):
        return _suspect(found), "it hides an archive"
    return _told(file, found[0] if found else "", head, kinds.claimed(name)), ""


def _suspect(found: tuple[str, ...]) -> str:
    """Of what may be taken for two things, only that it runs is sure."""
    return next((kind for kind in found if kind in ("exe", "elf")), "unknown")


def _told(file: BinaryIO, kind: str, head: bytes, claims: str) -> str:
    if kind == "zip":
        return _package(file)
    if kind == "ole":
        from bridge.inspection import compound

        return compound.type_of(file, claims)
    if not kind:
        from bridge.inspection import plain

        return plain.type_of(head, claims)
    return kind


def _locked(file: BinaryIO) -> bool:
    """A package within a compound file is encrypted ([MS-OFFCRYPTO] 2.3.4.4)."""
    compound = file.read(2) != b"PK"
    file.seek(0)
    return compound


def _hides(file: BinaryIO) -> bool:
    size = file.seek(0, 2)
    file.seek(max(0, size - kinds.TAIL))
    return kinds.hides_archive(file.read())


def _package(file: BinaryIO) -> str:
    from bridge.inspection.office import type_of

    try:
        with zipfile.ZipFile(file) as package:
            return type_of(package) or "zip"
    except DAMAGE:
        return "zip"


def examine(file: BinaryIO, name: str, look: Look) -> str:
    """Read `file` into `look`; gives its type. Raises Full when there is more text than fits."""
    kind, wrong = identify(file, name)
    if wrong:
        look.cannot(wrong)
    read(file, kind, look)
    return kind


def read(file: BinaryIO, kind: str, look: Look) -> None:
    """Read what a file of a known type says into `look`."""
    file.seek(0)
    try:
        _read(file, kind, look)
    except Unreadable as reason:
        look.cannot(str(reason))


def _read(file: BinaryIO, kind: str, look: Look) -> None:
    if kind in _PLAIN:
        from bridge.inspection import plain

        plain.read(file, kind, look)
    elif kind in _PACKAGES and _locked(file):
        look.encrypted = True
        raise Unreadable("it asks for a password")
    elif kind in _PACKAGES:
        from bridge.inspection import office

        office.read(file, kind, look)
    elif kind in _COMPOUND:
        from bridge.inspection import compound

        compound.read(file, kind, look)
    elif kind == "pdf":
        from bridge.inspection import pdf

        pdf.read(file, look)
    elif kind in ("zip", "gz", "7z", "rar"):
        from bridge.inspection import archives

        archives.read(file, kind, look)
    elif kind == "unknown":
        raise Unreadable("it is of no known type")
