"""Compound files, in which Office kept its documents until 2007 and still keeps what is encrypted.

Rules of this file: only as much of [MS-CFB] as finds a stream by its name. Every chain of sectors is
followed at most as far as the file is long. The text of doc, xls and ppt is not read, and this is said;
that of an Outlook message (msg) is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from bridge.inspection.bounds import Look, Unreadable

_LAST = 0xFFFFFFFA
"""Sector numbers from here on are no sectors ([MS-CFB] 2.1)."""
_NONE = 0xFFFFFFFF
_LARGEST = 64 * 1024 * 1024
_INSTALLER = bytes.fromhex("84100c0000000000c000000000000046")


@dataclass(frozen=True, slots=True)
class Entry:
    """A storage or stream: `path` ends with its name. `first` is its first sector."""

    path: str
    storage: bool
    first: int
    size: int
    clsid: bytes


class Compound:
    """A compound file, opened. Raises Unreadable when it is damaged."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        file.seek(0)
        header = file.read(512)
        shift, mini = (int.from_bytes(header[at : at + 2], "little") for at in (30, 32))
        if len(header) < 512 or shift not in (9, 12) or mini != 6:
            raise Unreadable("it is damaged")
        self.sector = 1 << shift
        self.end = file.seek(0, 2) // self.sector + 1
        self.fat = self._fat(header)
        first = _u32(header, 48)
        self.cutoff = _u32(header, 56)
        self._directory = self._chain(first, _LARGEST)
        root = self._raw(0)
        self._mini = self._chain(root.first, root.size) if root.size else b""
        self._minifat = _numbers(self._chain(_u32(header, 60), _LARGEST))
        self.clsid = root.clsid
        self.entries = {entry.path.lower(): entry for entry in self._walk()}

    def _fat(self, header: bytes) -> list[int]:
        numbers = _numbers(header[76:512])
        following, seen = _u32(header, 68), 0
        while following < _LAST and seen < self.end:
            block = _numbers(self._read(following))
            numbers += block[:-1]
            following, seen = block[-1] if block else _NONE, seen + 1
        fat: list[int] = []
        for number in numbers[: self.end]:
            if number < _LAST:
                fat += _numbers(self._read(number))
        return fat

    def _read(self, number: int) -> bytes:
        self.file.seek((number + 1) * self.sector)
        return self.file.read(self.sector)

    def _chain(self, first: int, size: int) -> bytes:
        pieces: list[bytes] = []
        number, wanted = first, min(size, _LARGEST)
        while number < _LAST and len(pieces) * self.sector < wanted:
            if number >= len(self.fat) or len(pieces) > self.end:
                raise Unreadable("it is damaged")
            pieces.append(self._read(number))
            number = self.fat[number]
        return b"".join(pieces)[:wanted]

    def _raw(self, number: int) -> Entry:
        record = self._directory[number * 128 : number * 128 + 128]
        if len(record) < 128:
            raise Unreadable("it is damaged")
        length = int.from_bytes(record[64:66], "little")
        name = record[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
        return Entry(name, record[66] in (1, 5), _u32(record, 116), _u32(record, 120), record[80:96])

    def _walk(self) -> Iterator[Entry]:
        seen: set[int] = set()
        waiting = [(_u32(self._directory, 76), "")]
        while waiting:
            number, folder = waiting.pop()
            if number >= _LAST or number in seen:
                continue
            seen.add(number)
            entry = self._raw(number)
            path = f"{folder}{entry.path}"
            at = number * 128
            siblings = (_u32(self._directory, at + 68), _u32(self._directory, at + 72))
            waiting += [(sibling, folder) for sibling in siblings]
            waiting.append((_u32(self._directory, at + 76), f"{path}/"))
            yield Entry(path, entry.storage, entry.first, entry.size, entry.clsid)

    def stream(self, path: str) -> bytes:
        """The bytes of a stream; b"" when there is none of that name."""
        entry = self.entries.get(path.lower())
        if entry is None or entry.storage:
            return b""
        if entry.size >= self.cutoff:
            return self._chain(entry.first, entry.size)
        pieces: list[bytes] = []
        number = entry.first
        while number < len(self._minifat) and len(pieces) * 64 < entry.size:
            pieces.append(self._mini[number * 64 : number * 64 + 64])
            number = self._minifat[number]
        return b"".join(pieces)[: entry.size]

    def has(self, *names: str) -> bool:
        """Whether a storage or stream of one of these names stands anywhere."""
        lowered = {name.lower() for name in names}
        return any(path.rpartition("/")[2] in lowered for path in self.entries)


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _numbers(data: bytes) -> list[int]:
    return [_u32(data, at) for at in range(0, len(data) - 3, 4)]


_STREAMS = (
    ("worddocument", "doc"),
    ("workbook", "xls"),
    ("book", "xls"),
    ("powerpoint document", "ppt"),
    ("__properties_version1.0", "msg"),
)


def type_of(file: BinaryIO, claims: str) -> str:
    """The type of a compound file by its streams. An encrypted package is what its name claims of them."""
    try:
        compound = Compound(file)
    except Unreadable:
        return "unknown"
    if compound.clsid == _INSTALLER:
        return "exe"
    for stream, kind in _STREAMS:
        if stream in compound.entries:
            return kind
    if "encryptedpackage" in compound.entries:
        return claims if claims in ("docx", "xlsx", "pptx") else "docx"
    return "unknown"


def read(file: BinaryIO, kind: str, look: Look) -> None:
    """Read a compound file of type `kind` into `look`."""
    compound = Compound(file)
    look.macros |= compound.has("Macros", "_VBA_PROJECT_CUR", "_VBA_PROJECT", "VBA")
    look.encrypted |= {"doc": _doc_locked, "xls": _xls_locked, "ppt": _ppt_locked}.get(kind, _never)(compound)
    if look.encrypted:
        raise Unreadable("it asks for a password")
    if kind != "msg":
        raise Unreadable(f"the text inside files of type {kind} cannot be read")
    _read_message(compound, look)


def _never(_: Compound) -> bool:
    return False


def _doc_locked(compound: Compound) -> bool:
    """Bit fEncrypted of the file information block ([MS-DOC] 2.5.2)."""
    flags = compound.stream("WordDocument")[10:12]
    return bool(int.from_bytes(flags, "little") & 0x0100)


def _xls_locked(compound: Compound) -> bool:
    """A FILEPASS record among the first of the workbook ([MS-XLS] 2.4.117)."""
    stream = BytesIO(compound.stream("Workbook") or compound.stream("Book"))
    for _ in range(64):
        head = stream.read(4)
        if len(head) < 4:
            return False
        kind, size = int.from_bytes(head[:2], "little"), int.from_bytes(head[2:], "little")
        if kind == 0x2F:
            return True
        stream.seek(size, 1)
    return False


def _ppt_locked(compound: Compound) -> bool:
    """The token in the stream of the current user ([MS-PPT] 2.3.2)."""
    return compound.stream("Current User")[12:16] == bytes.fromhex("dfc4d1f3")


_TEXTS = ("0037", "0c1a", "0e04", "0e03", "1000")
"""Properties of a message that people read: subject, sender, to, cc, body ([MS-OXPROPS])."""


def _read_message(compound: Compound, look: Look) -> None:
    for path, entry in sorted(compound.entries.items()):
        name = path.rpartition("/")[2]
        if entry.storage or not name.startswith("__substg1.0_"):
            continue
        code, form = name[12:16], name[16:20]
        if code in (*_TEXTS, "3707") and form == "001f":
            look.say(compound.stream(path).decode("utf-16-le", "replace") + "\n")
        elif code in (*_TEXTS, "3707") and form == "001e":
            look.say(compound.stream(path).decode("cp1252", "replace") + "\n")
        elif code == "3701" and form == "0102":
            look.enter(BytesIO(compound.stream(path)), "")
        elif code == "1013" and form == "0102" and "__substg1.0_1000001f" not in compound.entries:
            look.enter(BytesIO(compound.stream(path)), "body.html")
        elif code == "1009" and "__substg1.0_1000001f" not in compound.entries:
            look.cannot("it has a message whose text is packed as RTF")
