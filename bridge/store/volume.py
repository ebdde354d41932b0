"""The folder of an export: files that are there whole or not at all, and what was finished before a crash.

Rules of this file: a file is written under `*.partial` and renamed once it is closed. A part is finished when
its line stands in the journal; whatever lies in the folder and in no line is removed before anything goes on.
What the journal says is not believed: every file of it is hashed again, and every line is signed together
with those before it, so that nobody can tell an export to go on as something else. The journal is the last
thing to go.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO

import orjson

from bridge.errors import Conflict, Damaged, StoreError
from bridge.ledger.checkpoint import Signer, opened_note
from bridge.records.exports.manifest import Account
from bridge.records.exports.numbers import Numbers, numbers_of
from bridge.store.attachments import Attachments
from bridge.store.blobs import digest_of_file

PARTIAL = ".partial"
JOURNAL = "journal.jsonl"
SIGNED = "weighbridge-journal/1"
"""The first line of what is signed of a journal: no checkpoint can be mistaken for it."""


class _Writing:
    """A file that is being written: hashed on the way, in its place once it is closed."""

    def __init__(self, file: BinaryIO, path: Path, done: dict[str, tuple[str, int]], name: str) -> None:
        self._file, self._path, self._done, self._name = file, path, done, name
        self._hasher, self._size = hashlib.sha256(), 0
        self.closed = False

    def write(self, data: bytes) -> int:
        """Take what comes next."""
        self._hasher.update(data)
        self._size += len(data)
        with on_disk(self._path):
            return self._file.write(data)

    def writable(self) -> bool:
        """Yes; it cannot be read or moved about in."""
        return True

    def readable(self) -> bool:
        """No."""
        return False

    def seekable(self) -> bool:
        """No: what was written was hashed."""
        return False

    def tell(self) -> int:
        """How much was written."""
        return self._size

    def flush(self) -> None:
        """Hand on what is waiting."""
        with on_disk(self._path):
            self._file.flush()

    def close(self) -> None:
        """The file has all its bytes: it takes its name."""
        if self.closed:
            return
        self.closed = True
        with on_disk(self._path):
            self._file.close()
            os.replace(f"{self._path}{PARTIAL}", self._path)
        self._done[self._name] = self._hasher.hexdigest(), self._size

    def __enter__(self) -> _Writing:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            with contextlib.suppress(OSError):  # what could not be written cannot be written now
                self._file.close()


class Part:
    """One part of an export while it is written: an `Output` for its format."""

    def __init__(self, volume: Volume, number: int, account: Account, attachments: Attachments) -> None:
        self.part = number
        self.files: dict[str, tuple[str, int]] = {}
        self.warned: list[tuple[str, int, str]] = []
        self._volume, self._account, self._attachments = volume, account, attachments

    def file(self, name: str) -> IO[bytes]:
        """See `Output`. Raises Conflict for a name that is there, or leads out of the folder."""
        if name in self.files or name in self._account.files:
            raise Conflict(f"two files of this export would be called {name}")
        return self._volume.open(name, self.files)

    def enclosure(self, digest: str) -> Iterator[bytes]:
        """See `Output`."""
        return self._attachments.read(digest)

    def warn(self, code: str, number: int, detail: str) -> None:
        """See `Output`."""
        self.warned.append((code, number, detail))


class Volume:
    """The folder of one export. `signer` signs its journal, and has to be known to whoever goes on."""

    def __init__(self, folder: Path, signer: Signer | None = None) -> None:
        self.folder, self._signer = folder, signer
        self._digest = ""  # of every line so far

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else works on it meanwhile. Raises Conflict when somebody does, or without a journal."""
        with self._journal() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(f"{self.folder} is being written by another process: wait for it.") from None
            yield

    def _journal(self) -> BinaryIO:
        try:
            return (self.folder / JOURNAL).open("rb")
        except OSError:
            raise Conflict(f"{self.folder} is no export that was interrupted: it has no journal.") from None

    # files

    def open(self, name: str, done: dict[str, tuple[str, int]]) -> IO[bytes]:
        """A new file; its digest and size are in `done` once it is closed. Raises Conflict and StoreError."""
        parts = name.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts) or parts[0] == JOURNAL:
            raise Conflict(f"{name!r} is no name for a file of an export")
        path = self.folder.joinpath(*parts)
        with on_disk(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(f"{path}{PARTIAL}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        return _Writing(os.fdopen(handle, "wb"), path, done, name)  # type: ignore[return-value]

    # the journal

    def begin(self, head: Mapping[str, Any]) -> None:
        """Make the folder, and say in its journal what it is to be. Raises Conflict where one is."""
        with on_disk(self.folder):
            try:
                self.folder.mkdir(mode=0o700)
            except FileExistsError:
                raise Conflict(
                    f"{self.folder} is there already: name another place with --out, or go on with --resume."
                ) from None
            self._write(head)

    def note(self, line: Mapping[str, Any]) -> None:
        """Write a line into the journal, and bring it to the disk."""
        with on_disk(self.folder):
            self._write(line)

    def _write(self, line: Mapping[str, Any]) -> None:
        self._digest, text = self._next(line)
        note = self._signer.note(0, text) if self._signer else ""
        with (self.folder / JOURNAL).open("ab") as file:
            file.write(orjson.dumps({"line": line, "note": note}) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _next(self, line: Mapping[str, Any]) -> tuple[str, str]:
        """The digest of every line up to this one, and what is signed of it."""
        said = self._digest.encode() + orjson.dumps(line, option=orjson.OPT_SORT_KEYS)
        digest = hashlib.sha256(said).hexdigest()
        return digest, f"{SIGNED}\n{digest}\n"

    def lines(self) -> list[dict[str, Any]]:
        """What the journal says; a line that a crash cut off is none. Raises Conflict without one, Damaged
        when it is not as it was written."""
        with self._journal() as file:
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1].splitlines()
        if not whole:
            raise Conflict(f"{self.folder} was interrupted before it began: remove it, and export anew.")
        if len(data) > data.rfind(b"\n") + 1:
            os.truncate(self.folder / JOURNAL, data.rfind(b"\n") + 1)
        self._digest = ""
        return [self._signed(line) for line in whole]

    def _signed(self, data: bytes) -> dict[str, Any]:
        verifiers = [self._signer.verifier(0)] if self._signer else []
        try:
            said = orjson.loads(data)
            line: dict[str, Any] = said["line"]
            self._digest, text = self._next(line)
            if opened_note(said["note"], verifiers) != text:
                raise ValueError("signs another journal")
        except (ValueError, TypeError, KeyError) as error:
            raise Damaged(
                f"{self.folder / JOURNAL} is not as it was written ({error}): remove it all, export anew."
            ) from None
        return line

    def restore(self, parts: list[dict[str, Any]]) -> Account:
        """What the finished parts had, after removing whatever else lies there. Raises Damaged when a file of
        a finished part is not as it was written."""
        account = Account()
        for part in parts:
            add(account, part)
        for name, (sha, _) in account.files.items():
            if digest_of_file(self.folder / name) != sha:
                raise Damaged(f"{self.folder / name} is not as it was written: remove it all, export anew.")
        kept = {self.folder / name for name in account.files} | {self.folder / JOURNAL}
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_file() and path not in kept:
                path.unlink()
        return account

    def names(self) -> list[str]:
        """Every file that is handed over, sorted: all but the journal and what is not whole."""
        found = (
            path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()
        )
        return sorted(name for name in found if name != JOURNAL and not name.endswith(PARTIAL))

    def end(self) -> None:
        """Everything is in its place: the journal goes."""
        (self.folder / JOURNAL).unlink(missing_ok=True)

    def discard(self) -> None:
        """Nothing is handed over: the folder goes."""
        shutil.rmtree(self.folder, ignore_errors=True)


def told(part: Part, written: Numbers, counts: Mapping[str, int], state: Mapping[str, Any]) -> dict[str, Any]:
    """A finished part as a line of the journal; `state` is where to go on."""
    return {
        "files": part.files,
        "warned": part.warned,
        "written": str(written),
        "counts": dict(counts),
        **state,
    }


def add(account: Account, part: Mapping[str, Any]) -> None:
    """Take a finished part into the account."""
    account.parts += bool(part["written"])
    account.files |= {name: (sha, size) for name, (sha, size) in part["files"].items()}
    for code, number, detail in part["warned"]:
        account.warn(code, number, detail)
    account.counts.update(part["counts"])
    account.written.update(part["written"])
    for reason, numbers in part["excluded"].items():
        account.excluded.setdefault(reason, numbers_of("")).update(numbers)
    account.found.update(part["found"])


@contextlib.contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Whatever a disk refuses here is a StoreError that names the path."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.") from None
