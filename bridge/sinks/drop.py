"""Copies as files in a folder, for whoever collects them there: be it this disk, or mounted by SFTP or SMB.

Rules of this file: a file is written under a name that nobody reads (`.part`), flushed, renamed and read
back; what lies under a name is never written over. It uses no hard links and no locks, because mounts may
have none. A manifest for each batch says what was put, with digests: it comes last, so whoever finds a
manifest finds all that it names. Collected files are no loss: the record has the receipt.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from bridge.errors import Refused, Unreachable
from bridge.ports import Acknowledged, Blobs, Lock, Parcel
from bridge.sinks.naming import digest_in, name_of_file

PIECE = 1 << 18
MANIFESTS = "manifests"


class DropSink:
    """`bridge.ports.Sink` on a folder, which has to be there: one that is not mounted is not made."""

    recalls, locks, collected, host = True, False, True, ""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder

    async def put(self, parcel: Parcel, blobs: Blobs) -> Acknowledged:
        """See `bridge.ports.Sink`. The record comes after its attachments, the manifest last."""
        rows = []
        for n, file in enumerate(parcel.record.files):
            if file.there:
                rows.append(await self._put_file(parcel, n, blobs))
        rows.insert(0, await asyncio.to_thread(self._whole, parcel.name, parcel.data))
        manifest = await asyncio.to_thread(self._list, parcel, rows)
        names = tuple(str(row["name"]) for row in rows)
        return Acknowledged(names, f"dropped with {manifest}")

    async def _put_file(self, parcel: Parcel, n: int, blobs: Blobs) -> dict[str, object]:
        """Write an attachment piece by piece; its digest, and so its name, is known at the end. Until then it
        has one of its own: another revision of the record, which shares the file, may be on its way too."""
        coming = f"coming-{parcel.record.revision}"
        part = self.folder / f"{name_of_file(parcel.record.number, n, coming)}.part"
        digest, size = hashlib.sha256(), 0
        file = await asyncio.to_thread(self._begin, part)
        try:
            async for piece in blobs.read(parcel.record.files[n].sealed):
                digest.update(piece)
                size += len(piece)
                await asyncio.to_thread(self._write, file, piece)
            name = name_of_file(parcel.record.number, n, digest.hexdigest())
            await asyncio.to_thread(self._settle, file, part, name)
        finally:
            await asyncio.to_thread(_shut, file)  # a mount that hangs may keep it waiting
        return {"name": name, "sha256": digest.hexdigest(), "bytes": size}

    def _whole(self, name: str, data: bytes) -> dict[str, object]:
        """Write a file whose bytes are at hand."""
        part = self.folder / f"{name}.part"
        file = self._begin(part)
        try:
            self._write(file, data)
            self._settle(file, part, name)
        finally:
            _shut(file)
        return {"name": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}

    def _begin(self, part: Path) -> BinaryIO:
        with self._trouble():
            if not self.folder.is_dir():
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            part.parent.mkdir(parents=True, exist_ok=True)
            return part.open("wb")

    def _write(self, file: BinaryIO, data: bytes) -> None:
        with self._trouble():
            file.write(data)

    def _settle(self, file: BinaryIO, part: Path, name: str) -> None:
        """Flush, rename, read back; what is there already stays as it is."""
        with self._trouble():
            file.flush()
            os.fsync(file.fileno())
            target = self.folder / name
            if target.exists():
                part.unlink(missing_ok=True)
            else:
                os.rename(part, target)
                _flush_folder(target.parent)
            with target.open("rb") as there:
                if hashlib.file_digest(there, "sha256").hexdigest() != digest_in(name):
                    raise Refused("differs", f"{self.folder} has other bytes under {name}")

    def _list(self, parcel: Parcel, rows: Sequence[dict[str, object]]) -> str:
        """The manifest of one record: count, and each file's size and digest."""
        told = {"message": parcel.record.number, "revision": parcel.record.revision}
        told |= {
            "count": len(rows),
            "bytes": sum(int(str(row["bytes"])) for row in rows),
            "files": list(rows),
        }
        data = (json.dumps(told, sort_keys=True, indent=1) + "\n").encode()
        digest = hashlib.sha256(data).hexdigest()
        name = f"{MANIFESTS}/{parcel.record.number:012d}-{parcel.record.revision}-{digest}.json"
        self._whole(name, data)
        return name

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """See `bridge.ports.Sink`."""
        with self._trouble():
            try:
                file = await asyncio.to_thread((self.folder / name).open, "rb")
            except FileNotFoundError:
                raise Refused("gone", f"{self.folder} has no {name}: was it collected?") from None
            with file:
                while piece := await asyncio.to_thread(file.read, PIECE):
                    yield piece

    async def locks_on(self, names: Sequence[str]) -> Sequence[Lock]:
        """See `bridge.ports.Sink`: a folder locks nothing."""
        return ()

    async def hold(self, names: Sequence[str], held: bool) -> None:
        """See `bridge.ports.Sink`: a folder locks nothing."""

    async def keep_until(self, names: Sequence[str], until: int) -> None:
        """See `bridge.ports.Sink`: a folder locks nothing."""

    async def try_delete(self) -> str:
        """See `bridge.ports.Sink`."""
        raise Refused("not-locked", f"{self.folder} is a folder: nothing locks there")

    async def check(self) -> str:
        """See `bridge.ports.Sink`."""
        return await asyncio.to_thread(self._look)

    def _look(self) -> str:
        with self._trouble():
            trial = self.folder / f".trial-{os.getpid()}"
            trial.write_bytes(b"")
            trial.unlink()
        return "can be written to"

    async def close(self) -> None:
        """See `bridge.ports.Sink`."""

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        """What the system says, with what a person does about it."""
        try:
            yield
        except OSError as error:
            why = error.strerror or type(error).__name__
            told = f"{self.folder} cannot be used ({why}): is it mounted, writable, and not full?"
            raise Unreachable(told, certain=False) from None


def _shut(file: BinaryIO) -> None:
    """Close it. What counts was flushed and read back; what failed before this is told already, and a full
    disk refuses once more what the buffer still has."""
    with suppress(OSError):
        file.close()


def _flush_folder(folder: Path) -> None:
    """Make a name survive the loss of power, where the file system knows how."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF):
            raise
    finally:
        os.close(handle)
