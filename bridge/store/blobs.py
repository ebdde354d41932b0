"""Attachments: write-once files named by the SHA-256 of their bytes.

Rules of this file: bytes stream through, never whole in memory; a name appears in the folder only when
all its bytes are on the disk (written aside, flushed, renamed, and the folder flushed); nothing is ever
written twice or changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from bridge.errors import Refused, StoreError

PIECE = 256 * 1024


class BlobFolder:
    """The folder of blobs, two levels deep: `ab/cd/abcd...`. Readable by the daemon's account alone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in (root, root / "new"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Where the blob of this digest is, whether or not it exists."""
        return self.root / digest[:2] / digest[2:4] / digest

    def sweep(self) -> None:
        """Remove what a process that died had half written. For the owner of the lane: nobody else writes."""
        for path in (self.root / "new").iterdir():
            path.unlink()

    async def write(self, pieces: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        """Keep what `pieces` yields; gives digest and size in bytes.

        Raises Refused("too-large") past `limit` bytes, and whatever `pieces` raises; nothing is kept then.
        Writing the same bytes twice is the same as once.
        """
        hasher, size = hashlib.sha256(), 0
        # Made at once: whoever is cancelled while a thread makes it would never learn its name.
        handle, name = tempfile.mkstemp(dir=self.root / "new")
        try:
            with os.fdopen(handle, "wb") as file:
                async for piece in pieces:
                    size += len(piece)
                    if size > limit:
                        raise Refused("too-large", f"the attachment is larger than {limit} bytes")
                    hasher.update(piece)
                    await asyncio.to_thread(file.write, piece)
                await asyncio.to_thread(_flush, file)
            await asyncio.to_thread(_settle, Path(name), self.path(hasher.hexdigest()))
        finally:
            await asyncio.to_thread(Path(name).unlink, missing_ok=True)
        return hasher.hexdigest(), size

    async def read(self, digest: str) -> AsyncIterator[bytes]:
        """The bytes of a blob in pieces, after checking that they still are what was archived.

        Raises StoreError when they are not, or are gone.
        """
        path = self.path(digest)
        if await asyncio.to_thread(digest_of_file, path) != digest:
            raise StoreError(f"blob {digest} is missing or no longer what was archived; run `audit verify`")
        with path.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, PIECE):
                yield piece


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
    if not target.exists():
        os.chmod(source, 0o400)
        os.replace(source, target)
    # Also when the file was there before: whoever renamed it may not have come to this, or died before it.
    for folder in folders:
        flush_folder(folder)


def flush_folder(folder: Path) -> None:
    """Make the names in a folder survive the loss of power. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
