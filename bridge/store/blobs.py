"""Attachments: write-once files, sealed, named by the SHA-256 of their sealed bytes.

Rules of this file: bytes stream through, never whole in memory, and none of them reaches the disk in clear;
a name appears in the folder only when all its bytes are on the disk (written aside, flushed, renamed, and
the folder flushed); nothing is ever written twice or changed. The name says nothing of what is inside:
whoever has a copy of an attachment cannot find out whether it is here. Anybody can check a file against its
name.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bridge import sealing
from bridge.errors import Damaged, Refused, StoreError
from bridge.store.vault import Fresh, Vault

_DIGEST = re.compile("[0-9a-f]{64}")


class BlobFolder:
    """The folder of blobs, two levels deep: `ab/cd/abcd...`. Readable by the daemon's account alone.

    Each file has a key of its own, which waits in `vault` until a record that speaks of the file is written.
    """

    def __init__(self, root: Path, vault: Vault) -> None:
        self.root = root
        self._vault = vault
        for folder in (root, root / "new"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def has_any(self) -> bool:
        """Whether there is a blob: of whichever store."""
        return next(self.root.glob("??/??/*"), None) is not None

    def path(self, digest: str) -> Path:
        """Where the blob of this digest is, whether or not it exists."""
        return self.root / digest[:2] / digest[2:4] / digest

    def sweep(self, known: Callable[[str], bool]) -> None:
        """Remove what a process that died had half written, or had written and not recorded: its key is gone.

        `known` says whether there is a record. For the owner of the lane: nobody else writes.
        """
        for path in (self.root / "new").iterdir():
            if _DIGEST.fullmatch(path.name) and not known(path.name):
                self.path(path.name).unlink(missing_ok=True)
            path.unlink()

    def recorded(self, digest: str) -> None:
        """A record speaks of this blob now: it is no longer waited for."""
        self._vault.fresh.pop(digest, None)
        self._waiting(digest).unlink(missing_ok=True)

    def take(self, source: Path, digest: str) -> bool:
        """Keep a sealed file of another folder under its name; whether it was not here already.

        Raises Damaged when it is not what its name says, and StoreError when it cannot be kept.
        """
        if digest_of_file(self.path(digest)) == digest:
            return False
        handle, name = tempfile.mkstemp(dir=self.root / "new")
        try:
            with os.fdopen(handle, "wb") as file, source.open("rb") as from_there:
                shutil.copyfileobj(from_there, file, sealing.SEALED_PIECE)
                _flush(file)
            if digest_of_file(Path(name)) != digest:
                raise Damaged(f"blob {source} is no longer what was archived; run `audit verify`")
            _settle(Path(name), self.path(digest))
        except FileNotFoundError:
            raise Damaged(f"blob {source} is missing; run `audit verify`") from None
        except OSError as error:
            raise StoreError(f"blob {digest} cannot be kept in {self.root}: {error.strerror}") from None
        finally:
            Path(name).unlink(missing_ok=True)
        return True

    def _waiting(self, digest: str) -> Path:
        """An empty file, there from before a blob has its name until a record speaks of it."""
        return self.root / "new" / digest

    async def write(self, pieces: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        """Keep what `pieces` yields; gives the digest of the sealed file and the size of what is in it.

        Raises Refused("too-large") past `limit` bytes, and whatever `pieces` raises; nothing is kept then.
        """
        secret, size = os.urandom(sealing.KEY_BYTES), 0
        # Made at once: whoever is cancelled while a thread makes it would never learn its name.
        handle, name = tempfile.mkstemp(dir=self.root / "new")
        try:
            with os.fdopen(handle, "wb") as file:
                sealed = _Sealing(file, secret)
                async for piece in pieces:
                    size += len(piece)
                    if size > limit:
                        raise Refused("too-large", f"the attachment is larger than {limit} bytes")
                    await asyncio.to_thread(sealed.write, piece)
                digest = await asyncio.to_thread(sealed.end)
            await asyncio.to_thread(self._waiting(digest).touch, 0o600)
            await asyncio.to_thread(_settle, Path(name), self.path(digest))
        finally:
            await asyncio.to_thread(Path(name).unlink, missing_ok=True)
        self._vault.fresh[digest] = Fresh(secret, sealed.sum.hexdigest())
        return digest, size

    async def read(self, digest: str) -> AsyncIterator[bytes]:
        """The bytes of a blob in pieces, after checking that they still are what was archived.

        Raises Damaged when they are not, or are gone, and StoreError when the database fails.
        """
        path = self.path(digest)
        if await asyncio.to_thread(digest_of_file, path) != digest:
            raise Damaged(f"blob {digest} is missing or no longer what was archived; run `audit verify`")
        key = AESGCM(await asyncio.to_thread(self._vault.file_key, digest))
        with path.open("rb") as file:
            pieces = opened(file, key)
            try:
                while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                    yield piece
            except sealing.Broken as error:
                raise Damaged(f"blob {digest} cannot be opened: {error}; run `audit verify`") from None

    @contextlib.asynccontextmanager
    async def in_memory(self, digest: str) -> AsyncIterator[Path]:
        """A path under which this process and its children find a blob open: it names memory, not a disk.

        Raises as `read` does.
        """
        handle = os.memfd_create(digest, os.MFD_CLOEXEC)
        with os.fdopen(handle, "wb") as file:
            async for piece in self.read(digest):
                await asyncio.to_thread(file.write, piece)
            file.flush()
            yield Path(f"/proc/{os.getpid()}/fd/{handle}")


class _Sealing:
    """A file that is being sealed: whole pieces go out at once, the last one when everything has come."""

    def __init__(self, file: BinaryIO, secret: bytes) -> None:
        self._file, self._key = file, AESGCM(secret)
        self._hasher, self.sum = hashlib.sha256(), hashlib.sha256()
        self._kept = bytearray()
        self._number = 0
        self._put(sealing.FILE_MARK)

    def write(self, plain: bytes) -> None:
        """Take what comes next."""
        self.sum.update(plain)
        self._kept += plain
        while len(self._kept) > sealing.PIECE:  # what may yet be the last piece stays
            self._seal(self._kept[: sealing.PIECE], last=False)
            del self._kept[: sealing.PIECE]

    def end(self) -> str:
        """Seal the last piece, flush, and give the digest of all that was written."""
        self._seal(self._kept, last=True)
        _flush(self._file)
        return self._hasher.hexdigest()

    def _seal(self, plain: bytearray, *, last: bool) -> None:
        self._put(sealing.seal_piece(self._key, self._number, last=last, plain=bytes(plain)))
        self._number += 1

    def _put(self, data: bytes) -> None:
        self._hasher.update(data)
        self._file.write(data)


def opened(file: BinaryIO, key: AESGCM) -> Iterator[bytes]:
    """What is in a sealed file, in pieces; each is checked before it is given. Raises sealing.Broken."""
    if file.read(len(sealing.FILE_MARK)) != sealing.FILE_MARK:
        raise sealing.Broken("not a sealed file of a version known here")
    number, sealed = 0, file.read(sealing.SEALED_PIECE)
    while sealed:
        ahead = file.read(sealing.SEALED_PIECE)
        yield sealing.unseal_piece(key, number, last=not ahead, sealed=sealed)
        number, sealed = number + 1, ahead
    if not number:
        raise sealing.Broken("the file was cut off")


def digest_of_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, lower-case hex; "" when there is no such file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def _flush(file: object) -> None:
    file.flush()
    os.fsync(file.fileno())


def _settle(source: Path, target: Path) -> None:
    folders = (target.parent, target.parent.parent, target.parent.parent.parent)
    for folder in reversed(folders[:2]):
        folder.mkdir(mode=0o700, exist_ok=True)
    os.chmod(source, 0o400)
    os.replace(source, target)
    for folder in folders:
        flush_folder(folder)


def flush_folder(folder: Path) -> None:
    """Make the names in a folder survive the loss of power. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
