"""What is inside an archive: every member is looked into as if it had come alone.

Rules of this file: sizes that an archive states about itself are not believed; what comes out is counted.
Nothing is written to a disk, so names of members cannot lead anywhere. 7z and RAR are not opened: it is told
whether they ask for a password, where their headers show it, and that they could not be read.
Sources: PKWARE APPNOTE.TXT 4.3 and 4.4.4, the RAR 5.0 technical note, 7zFormat.txt of the LZMA SDK.
"""

from __future__ import annotations

import gzip
import lzma
import zipfile
from typing import BinaryIO

from bridge.inspection.bounds import DAMAGE, PIECE, Look, Unreadable

LOCKED = 0x1
"""Bit of a ZIP member's flags: it is encrypted."""


def read(file: BinaryIO, kind: str, look: Look) -> None:
    """Read an archive into `look`: names of members, and what they say."""
    if kind == "zip":
        _zip(file, look)
    elif kind == "gz":
        _gz(file, look)
    else:
        look.encrypted |= _rar_locked(file) if kind == "rar" else _seven_locked(file)
        raise Unreadable(f"it is an archive of type {kind}, which is not opened")


def _zip(file: BinaryIO, look: Look) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                _member(archive, member, look)
    except DAMAGE as error:
        raise Unreadable("it is damaged") from error


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, look: Look) -> None:
    look.say(member.filename + "\n")
    if member.is_dir():
        return
    if member.flag_bits & LOCKED:
        look.encrypted = True
        look.cannot("it has a member with a password")
        return
    look.enter(look.unpack(opened(archive, member)), member.filename)


def opened(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> BinaryIO:
    """A member, to be read. Raises Unreadable when it cannot be: damaged, or packed in a way not known."""
    try:
        return archive.open(member)  # type: ignore[return-value]
    except DAMAGE as error:
        raise Unreadable("it is damaged") from error


def _gz(file: BinaryIO, look: Look) -> None:
    with gzip.GzipFile(fileobj=file) as inner:
        look.enter(look.unpack(inner), "")


def _rar_locked(file: BinaryIO) -> bool:
    head = file.read(PIECE)
    if head.startswith(b"Rar!\x1a\x07\x01\x00"):
        return _rar5_locked(head)
    # RAR 4: the main header's flag 0x80 locks the headers, a file header's flag 0x04 its file.
    at = 7
    while at + 7 <= len(head):
        kind, flags = head[at + 2], int.from_bytes(head[at + 3 : at + 5], "little")
        size = int.from_bytes(head[at + 5 : at + 7], "little")
        if (kind == 0x73 and flags & 0x80) or (kind == 0x74 and flags & 0x04):
            return True
        if kind == 0x74 or size < 7:
            return False
        at += size
    return False


def _rar5_locked(head: bytes) -> bool:
    """A header of type 4 locks all headers; a file header's extra record of type 1 locks its file."""
    at = 8
    while at + 6 < len(head):
        size, begin = _vint(head, at + 4)
        kind, after = _vint(head, begin)
        if kind == 4:
            return True
        if kind == 2:
            return _rar5_file_locked(head, begin, after, size)
        flags, after = _vint(head, after)
        if size == 0 or kind not in (1, 3) or flags & 2:
            return False
        at = begin + size
    return False


def _rar5_file_locked(head: bytes, begin: int, at: int, size: int) -> bool:
    flags, at = _vint(head, at)
    if not flags & 1:
        return False
    extra, _ = _vint(head, at)
    at, end = begin + size - extra, begin + size
    while at < min(end, len(head)):
        length, start = _vint(head, at)
        kind, _ = _vint(head, start)
        if kind == 1:
            return True
        at = start + max(length, 1)
    return False


def _vint(data: bytes, at: int) -> tuple[int, int]:
    """A number of 7 bits a byte, lowest first, and where it ends."""
    value = shift = 0
    while at < len(data) and shift < 64:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            break
    return value, at


_HEADER = 1 << 20
_DICTIONARY = 1 << 24
_AES = b"\x06\xf1\x07\x01"
"""The 7z codec 7zAES, as headers name it."""


def _seven_locked(file: BinaryIO) -> bool:
    start = file.read(32)
    offset, size = int.from_bytes(start[12:20], "little"), int.from_bytes(start[20:28], "little")
    if size > _HEADER or offset > 1 << 40:
        return False
    file.seek(32 + offset)
    header = file.read(size)
    return _AES in header or _AES in _seven_header(file, header)


def _seven_header(file: BinaryIO, header: bytes) -> bytes:
    """The packed header of a 7z archive, unpacked: one stream of LZMA or LZMA2; b"" if it is not."""
    unpacks = _unpacking(header) if header[:2] == b"\x17\x06" else None
    if unpacks is None:
        return b""
    offset, at = _number(header, 2)
    _, at = _number(header, at)
    size, _ = _number(header, at + 1)
    file.seek(32 + offset)
    try:
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[unpacks])
        return unpacker.decompress(file.read(min(size, _HEADER)), _HEADER)
    except (lzma.LZMAError, EOFError):
        return b""


def _unpacking(header: bytes) -> dict[str, int] | None:
    """How the header is packed: the coder's id, then its properties (LZMA SDK, Methods.txt)."""
    if (at := header.find(b"\x23\x03\x01\x01\x05")) >= 0 and len(header) >= at + 10:
        first, size = header[at + 5], int.from_bytes(header[at + 6 : at + 10], "little")
        lc, lp, pb = first % 9, first // 9 % 5, first // 45
        dictionary = max(min(size, _DICTIONARY), 4096)
        return {"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": dictionary}
    if b"\x21\x21\x01" in header:
        return {"id": lzma.FILTER_LZMA2, "dict_size": _DICTIONARY}
    return None


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A 7z NUMBER: the leading ones of the first byte say how many bytes follow."""
    first = data[at] if at < len(data) else 0
    extra = 0
    while extra < 8 and first & (0x80 >> extra):
        extra += 1
    low = int.from_bytes(data[at + 1 : at + 1 + extra], "little")
    high = first & ((0x80 >> extra) - 1) if extra < 8 else 0
    return low | high << (8 * extra), at + 1 + extra
