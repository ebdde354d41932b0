"""One look into an attachment: what has been found, and how much more may be read.

Rules of this file: no parser of hostile bytes decides for itself how much it reads; it asks here. Whatever
ends early says so: text that was cut is marked as cut, a part that could not be read is named.
"""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import BinaryIO, Protocol

PIECE = 64 * 1024
UNPACKED = 128 * 1024 * 1024
"""Bytes that everything packed in one attachment may grow to, all levels together."""
LEVELS = 3
"""Files within files that are opened."""
MEMBERS = 2_000
"""Files within one attachment that are opened, all levels together."""


OUT_OF_MEMORY = 3
"""Exit code of a child process that needed more memory than it was given."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one look may take: `seconds` of the clock, `memory` bytes of addresses, `text` characters."""

    seconds: float
    memory: int
    text: int


#: What the standard library raises on archives that are damaged, or packed in ways that it does not know.
DAMAGE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError, RuntimeError,
)  # fmt: skip


class Unreadable(Exception):
    """What could not be read, as a clause that begins with "it": "it is damaged"."""


class Full(Exception):
    """As much text as is kept has been read."""


class Source(Protocol):
    """Where bytes come from, in pieces."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes more; b"" at the end."""


@dataclass(slots=True)
class Look:
    """What was found so far. `examine` is called for every file within; `limit` counts characters."""

    examine: Callable[[BinaryIO, str, Look], str]
    limit: int
    encrypted: bool = False
    macros: bool = False
    unreadable: str = ""
    cut: bool = False
    level: int = 0
    _parts: list[str] = field(default_factory=list)
    _length: int = 0
    _unpacked: int = 0
    _members: int = 0

    @property
    def text(self) -> str:
        """What could be read."""
        return "".join(self._parts)

    def say(self, text: str) -> None:
        """Keep `text`. Raises Full once there is more than fits."""
        room = self.limit - self._length
        self._parts.append(text[:room])
        self._length += min(len(text), room)
        if len(text) > room:
            self.cut = True
            raise Full

    def cannot(self, reason: str) -> None:
        """Something in it could not be read: the first reason is kept."""
        self.unreadable = self.unreadable or reason

    def unpack(self, source: Source) -> BytesIO:
        """Everything that `source` gives. Raises Unreadable when it grows too large, or is damaged."""
        whole = BytesIO()
        try:
            while piece := source.read(PIECE):
                self._unpacked += len(piece)
                if self._unpacked > UNPACKED:
                    raise Unreadable("it grows too large when it is unpacked")
                whole.write(piece)
        except DAMAGE as error:
            raise Unreadable("it is damaged") from error
        whole.seek(0)
        return whole

    def enter(self, file: BinaryIO, name: str) -> str:
        """Look into a file within the file; gives its type. What cannot be read of it, the whole cannot."""
        self._members += 1
        if self.level >= LEVELS or self._members > MEMBERS:
            raise Unreadable("it has more files within files than are opened")
        with self._deeper():
            kind = self.examine(file, name, self)
        if kind in ("exe", "elf"):
            self.cannot("it has a program inside")
        return kind

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self.level += 1
        try:
            yield
        finally:
            self.level -= 1
