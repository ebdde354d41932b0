"""A package as a file: a ZIP that is there whole or not at all, and whose bytes follow from what is in it.

Rules of this file: members have fixed times and rights and come in a fixed order. What is written lies beside
its place under another name, readable by its owner alone, until `settle` links it there; nothing is ever
overwritten."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO

from bridge.errors import Conflict, StoreError
from bridge.store.blobs import digest_of_file, flush_folder

_BEGAN = (1980, 1, 1, 0, 0, 0)  # the first time that ZIP knows
_RIGHTS = 0o644 << 16
_LEVEL = 6


class Parcel:
    """A package that is being written. `files` has SHA-256 and size of what is in it, by name."""

    def __init__(self, file: BinaryIO, aside: Path, path: Path) -> None:
        self.path, self._aside = path, aside
        self.files: dict[str, tuple[str, int]] = {}
        self._archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)
        self._file = file

    def add(self, name: str, data: bytes) -> None:
        """Put a file in."""
        self._archive.writestr(_member(name), data, compresslevel=_LEVEL)
        self.files[name] = hashlib.sha256(data).hexdigest(), len(data)

    async def stream(self, name: str, pieces: AsyncIterator[bytes]) -> str:
        """Put a file in that comes in pieces, however large; gives its SHA-256."""
        hasher, size = hashlib.sha256(), 0
        with self._archive.open(_member(name), "w", force_zip64=True) as member:
            async for piece in pieces:
                member.write(piece)
                hasher.update(piece)
                size += len(piece)
        self.files[name] = hasher.hexdigest(), size
        return self.files[name][0]

    def close(self) -> None:
        """Nothing more is put in."""
        self._archive.close()

    def end(self) -> tuple[str, int]:
        """Write the directory, bring everything to the disk; gives SHA-256 and size of the whole."""
        self.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        return digest_of_file(self._aside), self._aside.stat().st_size

    def settle(self) -> None:
        """Put the file in its place. Raises Conflict when something is there by now."""
        try:
            os.link(self._aside, self.path)
        except FileExistsError:
            raise Conflict(f"{self.path} is there already: name another file with --out.") from None
        except OSError as error:
            raise StoreError(f"{self.path} cannot be written: {error.strerror}.") from None
        flush_folder(self.path.parent)


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _BEGAN)
    member.compress_type, member.external_attr, member.create_system = zipfile.ZIP_DEFLATED, _RIGHTS, 3
    return member


@contextlib.contextmanager
def parcel(path: Path) -> Iterator[Parcel]:
    """A package to be at `path`. Raises Conflict when something is there, StoreError when nothing can be."""
    if path.exists():
        raise Conflict(f"{path} is there already: name another file with --out.")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.") from None
    try:
        with os.fdopen(handle, "w+b") as file:
            box = Parcel(file, Path(name), path)
            try:
                yield box
            finally:
                box.close()
    finally:
        Path(name).unlink(missing_ok=True)
