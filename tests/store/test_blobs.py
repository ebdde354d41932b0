"""Attachments on the disk: whole, flushed, once, and nobody else's; or not there at all."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import stat
import tracemalloc
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import create_engine

from bridge.errors import Refused, StoreError, Unreachable
from bridge.keepers import KeyInMemory
from bridge.sealing import FILE_MARK, PIECE, Broken, sealed_size
from bridge.store import blobs
from bridge.store.blobs import BlobFolder, digest_of_file
from bridge.store.vault import Vault

BODY = b"quarterly figures\n" * 5000
LARGE = 10**9


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    """An attachment as a network hands it over."""
    for part in parts:
        yield part


async def whole(folder: BlobFolder, digest: str) -> bytes:
    """A blob read to its end."""
    return b"".join([piece async for piece in folder.read(digest)])


def files(folder: BlobFolder) -> list[Path]:
    """Every file below a folder but the marks of what no record speaks of yet."""
    return [path for path in folder.root.rglob("*") if path.is_file() and path.stat().st_size]


def mode(path: Path) -> int:
    """Who may do what with a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> BlobFolder:
    """An empty folder of blobs."""
    return BlobFolder(tmp_path / "blobs", vault())


def vault() -> Vault:
    """What keeps the keys of files that no record speaks of yet."""
    return Vault(create_engine("sqlite://"), KeyInMemory("k", bytes(32)))


# --- what is kept -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cuts", [(), (0, 1, 2), (17, 17, 60_000)])
async def test_what_is_written_is_read(folder: BlobFolder, cuts: tuple[int, ...]) -> None:
    """The bytes come back, however they were cut, under the SHA-256 of what stands on the disk."""
    edges = [0, *cuts, len(BODY)]
    parts = [BODY[start:end] for start, end in pairwise(edges)]
    digest, size = await folder.write(pieces(*parts), LARGE)
    assert size == len(BODY)
    assert await whole(folder, digest) == BODY
    assert files(folder) == [folder.root / digest[:2] / digest[2:4] / digest] == [folder.path(digest)]
    assert hashlib.sha256(folder.path(digest).read_bytes()).hexdigest() == digest


async def test_nothing_is_something_too(folder: BlobFolder) -> None:
    """An empty attachment is archived like any other."""
    digest, size = await folder.write(pieces(), 0)
    assert (size, folder.path(digest).stat().st_size) == (0, sealed_size(0))
    assert await whole(folder, digest) == b""


async def test_only_the_daemons_account_can_read(tmp_path: Path) -> None:
    """Folders are 0700 and blobs 0400, whatever the umask leaves open."""
    before = os.umask(0)
    try:
        folder = BlobFolder(tmp_path / "blobs", vault())
        digest, _ = await folder.write(pieces(BODY), LARGE)
    finally:
        os.umask(before)
    place = folder.path(digest)
    assert mode(place) == 0o400
    for inner in (folder.root, folder.root / "new", place.parent, place.parent.parent):
        assert mode(inner) == 0o700, inner


async def test_nothing_of_an_attachment_is_on_the_disk(folder: BlobFolder) -> None:
    """Neither its bytes nor a name that says which they are: the same bytes twice have two names."""
    digest, _ = await folder.write(pieces(BODY), LARGE)
    other, _ = await folder.write(pieces(BODY), LARGE)
    assert other != digest
    assert hashlib.sha256(BODY).hexdigest() not in {digest, other}
    for path in files(folder):
        assert b"quarterly" not in path.read_bytes()


@pytest.mark.parametrize("size", [1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
async def test_a_file_has_the_length_that_its_size_says(folder: BlobFolder, size: int) -> None:
    """At and around the edge of a piece, everything comes back, and the file is as long as it is to be."""
    body = os.urandom(size)
    digest, _ = await folder.write(pieces(body[:7], body[7:]), LARGE)
    assert await whole(folder, digest) == body
    assert folder.path(digest).stat().st_size == sealed_size(size)


async def test_pieces_cannot_be_moved_or_left_out(folder: BlobFolder) -> None:
    """A file whose pieces were exchanged, or whose end was cut off, does not open, whatever its name is."""
    digest, _ = await folder.write(pieces(os.urandom(3 * PIECE)), LARGE)
    data = folder.path(digest).read_bytes()
    key = AESGCM(folder._vault.file_key(digest))
    mark, length = data[: len(FILE_MARK)], PIECE + 16
    first, second, last = (data[len(mark) + n * length :][:length] for n in range(3))
    for forged in (mark + second + first + last, mark + first + second, mark + first + last, mark, b""):
        with pytest.raises(Broken):
            list(blobs.opened(io.BytesIO(forged), key))


async def test_a_file_is_read_from_memory(folder: BlobFolder) -> None:
    """Whoever needs a path gets one that names memory; it is gone afterwards."""
    digest, _ = await folder.write(pieces(BODY), LARGE)
    async with folder.in_memory(digest) as path:
        assert path.read_bytes() == BODY
        assert str(path).startswith("/proc/")
    assert not path.exists()
    assert files(folder) == [folder.path(digest)]


async def test_many_at_once_do_not_disturb_each_other(folder: BlobFolder) -> None:
    """Writers of the same and of different bytes all get what they wrote."""
    bodies = [bytes([number % 3]) * 70_000 for number in range(12)]
    answers = await asyncio.gather(*(folder.write(pieces(one[:5], one[5:]), LARGE) for one in bodies))
    assert [await whole(folder, digest) for digest, _ in answers] == bodies
    assert {path.name for path in files(folder)} == {digest for digest, _ in answers}


async def test_bytes_stream_through(folder: BlobFolder) -> None:
    """An attachment of 64 MiB is written and read in a small part of its size in memory."""
    count = 64 * 1024 * 1024 // PIECE

    async def fresh() -> AsyncIterator[bytes]:
        for number in range(count):
            yield bytes([number % 251]) * PIECE

    tracemalloc.start()
    try:
        digest, size = await folder.write(fresh(), LARGE)
        async for piece in folder.read(digest):
            assert len(piece) <= PIECE
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == count * PIECE
    assert peak < 12 * PIECE


# --- what is durable --------------------------------------------------------------------------------------


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What was flushed (by inode) and renamed, in order."""
    seen: list[tuple[str, int]] = []
    fsync, replace = os.fsync, os.replace

    def flush(handle: int) -> None:
        seen.append(("flush", os.fstat(handle).st_ino))
        fsync(handle)

    def rename(source: Path, target: Path) -> None:
        seen.append(("rename", os.stat(source).st_ino))
        replace(source, target)

    monkeypatch.setattr(blobs.os, "fsync", flush)
    monkeypatch.setattr(blobs.os, "replace", rename)
    return seen


async def test_bytes_are_flushed_before_the_name_and_the_name_before_the_answer(
    folder: BlobFolder, disk: list[tuple[str, int]]
) -> None:
    """First the file, then its name, then every folder on the way to it: only then `write` returns."""
    digest, _ = await folder.write(pieces(BODY), LARGE)
    place = folder.path(digest)
    assert disk == [
        ("flush", place.stat().st_ino),
        ("rename", place.stat().st_ino),
        *(("flush", inner.stat().st_ino) for inner in (place.parent, place.parent.parent, folder.root)),
    ]


# --- what is not kept -------------------------------------------------------------------------------------


async def test_a_limit_is_kept(folder: BlobFolder) -> None:
    """Exactly the limit passes; one byte more is refused, and not a byte after that is asked for."""
    assert (await folder.write(pieces(b"a" * 100), 100))[1] == 100
    asked = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            asked.append(60)
            yield b"b" * 60

    with pytest.raises(Refused) as refusal:
        await folder.write(endless(), 100)
    assert refusal.value.code == "too-large"
    assert len(asked) == 2
    assert len(files(folder)) == 1


@pytest.mark.parametrize("error", [Unreachable("gone", certain=True), Refused("expired", "no"), OSError("?")])
async def test_a_broken_transfer_leaves_nothing(folder: BlobFolder, error: Exception) -> None:
    """Whatever the network's side raises comes through, and no half file stays."""

    async def broken() -> AsyncIterator[bytes]:
        yield BODY[:1000]
        raise error

    with pytest.raises(type(error)):
        await folder.write(broken(), LARGE)
    assert files(folder) == []


@pytest.mark.parametrize("broken", ["fsync", "replace", "chmod"])
async def test_a_full_disk_leaves_nothing(
    folder: BlobFolder, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """When the disk fails at the last moment, nobody is told that the bytes are kept, and none are."""

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(blobs.os, broken, fails)
    with pytest.raises(OSError, match="No space left"):
        await folder.write(pieces(BODY), LARGE)
    assert files(folder) == []


async def test_waiting_for_the_network_can_be_cancelled(folder: BlobFolder) -> None:
    """A room that closes in the middle of a transfer leaves nothing behind."""
    waits = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield BODY[:1000]
        waits.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(folder.write(stuck(), LARGE))
    await waits.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert files(folder) == []


@pytest.mark.parametrize("chosen", range(1, 6))
async def test_every_step_can_be_cancelled(
    folder: BlobFolder, monkeypatch: pytest.MonkeyPatch, chosen: int
) -> None:
    """Cancelled while a thread works, at whichever step: the whole blob is kept, or nothing is."""
    steps = 0

    async def to_thread(function: Callable, *arguments: Any, **named: Any) -> Any:
        nonlocal steps
        steps += 1
        answer = function(*arguments, **named)  # a thread finishes, whoever waits for it
        if steps == chosen:
            writing.cancel()
            await asyncio.sleep(0)
        return answer

    monkeypatch.setattr(blobs.asyncio, "to_thread", to_thread)
    writing = asyncio.create_task(folder.write(pieces(BODY[:9], BODY[9:]), LARGE))
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert all(digest_of_file(path) == path.name for path in files(folder))
    folder.sweep(lambda digest: False)
    assert [path for path in folder.root.rglob("*") if path.is_file()] == []


async def test_what_no_record_speaks_of_is_swept(folder: BlobFolder) -> None:
    """A process died with the key of a whole file: the file goes. One that has its record stays, for ever."""
    lost, kept, recorded = [(await folder.write(pieces(BODY), LARGE))[0] for _ in range(3)]
    folder.recorded(recorded)
    (folder.root / "new" / "half").write_bytes(b"half an attachment")
    folder.sweep(lambda digest: digest == kept)
    assert not folder.path(lost).exists()
    assert folder.path(kept).exists() and folder.path(recorded).exists()
    assert list((folder.root / "new").iterdir()) == []
    folder.sweep(lambda digest: False)
    assert folder.path(kept).exists() and folder.path(recorded).exists()


# --- what is damaged --------------------------------------------------------------------------------------


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [_flip, lambda path: path.write_bytes(b""), lambda path: os.truncate(path, 5), Path.unlink],
    ids=["one bit", "empty", "cut", "gone"],
)
async def test_damage_is_found_before_a_byte_is_given(folder: BlobFolder, damage: Callable) -> None:
    """What is no longer what was archived is not handed to anybody, not even in part."""
    digest, _ = await folder.write(pieces(BODY), LARGE)
    folder.path(digest).chmod(0o600)
    damage(folder.path(digest))
    given = []
    with pytest.raises(StoreError, match="no longer what was archived; run `audit verify`"):
        async for piece in folder.read(digest):
            given.append(piece)
    assert given == []


async def test_what_was_never_there_is_missing(folder: BlobFolder) -> None:
    """An unknown digest is a StoreError; asking for a missing file's digest is not an error."""
    with pytest.raises(StoreError, match="ab" * 32):
        await whole(folder, "ab" * 32)
    assert digest_of_file(folder.path("ab" * 32)) == ""


async def test_a_folder_is_opened_again(folder: BlobFolder) -> None:
    """A second daemon, or the same after a restart, finds what was kept."""
    digest, _ = await folder.write(pieces(BODY), LARGE)
    assert await whole(BlobFolder(folder.root, folder._vault), digest) == BODY
