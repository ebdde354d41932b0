"""ZIP files whose bytes depend on nothing but what is in them.

Rules of this file: no clock, no compression. Every entry has the first moment that ZIP knows (1980); entries
are stored, because two builds of zlib may compress the same bytes differently. Everything is written
forwards, so a file of any size needs no memory.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Protocol

FIRST_MOMENT = (1980, 1, 1, 0, 0, 0)


class Writable(Protocol):
    """What a ZIP file is written to."""

    def write(self, data: bytes, /) -> object:
        """Take all of `data`."""
        ...


class _Forwards:
    """A file that can only be written: so that `zipfile` takes the same way whatever lies underneath."""

    def __init__(self, file: Writable) -> None:
        self._file = file

    def write(self, data: bytes, /) -> int:
        self._file.write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing: whoever opened the file closes it."""


class Zip:
    """A ZIP file that is being written."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file

    @contextmanager
    def entry(self, name: str) -> Iterator[IO[bytes]]:
        """An entry that is written while this lasts; one at a time. "/" stands between folders."""
        entry = zipfile.ZipInfo(name, FIRST_MOMENT)
        entry.external_attr = 0o600 << 16
        entry.create_system = 3  # Unix, wherever this runs
        with self._file.open(entry, "w", force_zip64=True) as place:
            yield place

    def add(self, name: str, pieces: Iterable[bytes]) -> None:
        """An entry, in pieces."""
        with self.entry(name) as place:
            for piece in pieces:
                place.write(piece)


@contextmanager
def zipped(file: Writable) -> Iterator[Zip]:
    """A ZIP file written to `file`, which stays open."""
    with zipfile.ZipFile(_Forwards(file), "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        yield Zip(archive)
