"""Archived attachments for whoever hands them over: by the digest of their own bytes, in pieces, unchanged.

Rules of this file: it only reads, and waits for nobody. A file that is not what was archived is Damaged and
never handed over; a disk that does not answer is asked again, and then it is an error, because "gone" and
"not readable just now" are not the same.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, TypeVar

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bridge import sealing
from bridge.errors import Damaged, StoreError
from bridge.store.blobs import digest_of_file, opened
from bridge.store.vault import Vault

Found = TypeVar("Found")

TRIES = 3
PAUSE = 0.2
"""Seconds between two tries, growing."""


class Attachments:
    """The attachments in `folder`. Sealed files are named by digests of their own; exports name attachments
    by what is inside: which is which is remembered here once a record said it."""

    def __init__(self, folder: Path, vault: Vault, pause: Callable[[float], None] = time.sleep) -> None:
        self.folder, self._vault, self._pause = folder, vault, pause
        self._sealed: dict[str, str] = {}

    def path(self, digest: str) -> Path:
        """Where the sealed file of this digest is."""
        return self.folder / digest[:2] / digest[2:4] / digest

    def is_here(self, digest: str) -> bool:
        """Whether there is a file and a key; what is in it is seen when it is opened."""
        try:
            self._vault.file_key(digest)
        except Damaged:
            return False
        return self._patiently(self.path(digest).is_file)

    def known(self, digest: str, own: str = "") -> str:
        """The digest of an attachment's own bytes: as its record says, or else found out.

        Raises Damaged when the file is not what was archived.
        """
        if self._patiently(lambda: digest_of_file(self.path(digest))) != digest:
            raise Damaged(f"attachment {digest} is not what was archived; run `audit verify`")
        own = own or self._found_out(digest)
        self._sealed[own] = digest
        return own

    def _found_out(self, digest: str) -> str:
        hasher = sha256()
        for piece in self._pieces(digest):
            hasher.update(piece)
        return hasher.hexdigest()

    def read(self, own: str) -> Iterator[bytes]:
        """The bytes of an attachment by the digest of them. Raises Damaged and StoreError."""
        if own not in self._sealed:
            raise StoreError(f"no record spoke of attachment {own}")
        hasher = sha256()
        for piece in self._pieces(self._sealed[own]):
            hasher.update(piece)
            yield piece
        if hasher.hexdigest() != own:
            raise Damaged(f"attachment {own} is not what its record says; run `audit verify`")

    def _pieces(self, digest: str) -> Iterator[bytes]:
        key = AESGCM(self._vault.file_key(digest))
        with self._patiently(lambda: self.path(digest).open("rb")) as file:
            try:
                yield from opened(_Patient(file, self._patiently), key)  # type: ignore[arg-type]
            except sealing.Broken as error:
                raise Damaged(f"attachment {digest} cannot be opened: {error}") from None

    def _patiently(self, ask: Callable[[], Found]) -> Found:
        """Ask the disk, again if it fails. Raises StoreError when it goes on failing."""
        trouble = ""
        for attempt in range(1, TRIES + 1):
            try:
                return ask()
            except OSError as error:
                trouble = error.strerror or str(error)
            self._pause(PAUSE * attempt)
        raise StoreError(f"attachments in {self.folder} cannot be read: {trouble}")


class _Patient:
    """A file that is read on from where it was when its disk did not answer."""

    def __init__(self, file: BinaryIO, ask: Callable[[Callable[[], bytes]], bytes]) -> None:
        self._file, self._ask, self._at = file, ask, 0

    def read(self, size: int) -> bytes:
        """The next `size` bytes."""
        data = self._ask(lambda: os.pread(self._file.fileno(), size, self._at))
        self._at += len(data)
        return data
