"""Folders outside the database in which checkpoints are kept: a file for each, written once.

Rules of this file: a file is there whole or not at all, is never changed, and is on the disk when `put`
returns. Two checkpoints of one size that differ are never reconciled here: that is for a person.

    key.pub                        public keys that the checkpoints are signed with
    0/00002/000000278312.note      lane, hundred thousands of entries, entries
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from bridge.ledger.checkpoint import Signer
from bridge.store.blobs import flush_folder
from bridge.store.signing import publish, write_whole

KEYS = "key.pub"
NOTE = ".note"
_BUCKET = 100_000


class AnchorFolder:
    """One folder of anchored checkpoints. Every method may raise OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def publish(self, signer: Signer, lanes: int) -> None:
        """Put the public key beside the checkpoints."""
        self.path.mkdir(mode=0o750, parents=True, exist_ok=True)
        publish(self.path / KEYS, signer, lanes)

    def begun(self) -> bool:
        """Whether checkpoints were ever to be left here: the public key is."""
        try:
            (self.path / KEYS).stat()
        except FileNotFoundError:
            return False
        return True

    def check(self) -> str:
        """Whether checkpoints can be written here: a file is, and taken away again, as is every folder
        that was made for it. Raises OSError."""
        made = [one for one in (self.path, *self.path.absolute().parents) if not one.exists()]
        try:
            self.path.mkdir(mode=0o750, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path) as file:
                file.write(b"weighbridge")
                file.flush()
                os.fsync(file.fileno())
        finally:
            for folder in made:
                with suppress(OSError):  # it was not made, or a daemon has begun to use it
                    folder.rmdir()
        return str(self.path)

    def has_any(self) -> bool:
        """Whether there is a checkpoint: of whichever store."""
        return next(self.path.glob(f"*/*/*{NOTE}"), None) is not None

    def newest(self, lane: int) -> tuple[int, str] | None:
        """Size and note of a lane's newest checkpoint here, None when there is none."""
        for folder in sorted(_folders(self.path / str(lane)), reverse=True):
            if names := sorted(path for path in folder.iterdir() if _size(path) is not None):
                return int(names[-1].stem), _text(names[-1])
        return None

    def put(self, lane: int, size: int, note: str) -> None:
        """Keep a checkpoint. Raises FileExistsError when another one of this size is here."""
        path = self.path / place_of(lane, size)
        if path.exists():
            if _text(path) == note:
                return
            raise FileExistsError(17, "another checkpoint of this size is here", str(path))
        if not path.parent.is_dir():
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            flush_folder(path.parent.parent)
            flush_folder(self.path)
        write_whole(path, note, 0o440)


def place_of(lane: int, size: int) -> str:
    """The name of a checkpoint below its place, the same everywhere."""
    return f"{lane}/{size // _BUCKET:05d}/{size:012d}{NOTE}"


def _folders(path: Path) -> list[Path]:
    return [one for one in path.iterdir() if one.name.isdigit()] if path.is_dir() else []


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")  # what is no text is no checkpoint of ours


def _size(path: Path) -> int | None:
    return int(path.stem) if path.suffix == NOTE and path.stem.isdigit() else None
