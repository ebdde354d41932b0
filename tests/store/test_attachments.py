"""Attachments for whoever hands them over: the bytes that were archived, or an error that says which."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest
from rig import Hands
from story import pieces

from bridge.errors import Damaged, StoreError
from bridge.message import SYMPHONY, Blob, File, Kind
from bridge.store.attachments import Attachments
from bridge.store.vault import vault_of

DATA = b"0123456789" * 30_000


@pytest.fixture
def engine() -> str:
    """The files are the same on every engine."""
    return "sqlite"


async def kept(hands: Hands) -> str:
    """An attachment in the archive, by the digest of its sealed file."""
    from rig import message

    file = File("ref", "a.bin", Kind.FILE)
    await hands.archive(message(SYMPHONY, "s1", "a file", files=(file,)))
    (wanted,) = await hands.store.wanted_files(SYMPHONY, 9)
    digest, size = await hands.store.keep(pieces(DATA), 1 << 20)
    await hands.store.settle_file(wanted, Blob(digest, size, "a.bin"))
    return digest


async def attachments(hands: Hands, pauses: list[float]) -> Attachments:
    """Those of the store, with a clock that does not wait."""
    vault = await hands.store.read(vault_of)
    return Attachments(hands.store.blobs.root, vault, pauses.append)


async def test_the_bytes_that_were_archived_come_back(hands: Hands) -> None:
    """Under the digest of what is inside, whether a record says it or it is found out."""
    digest = await kept(hands)
    here = await attachments(hands, [])
    own = here.known(digest)
    assert own == hashlib.sha256(DATA).hexdigest()
    assert b"".join(here.read(own)) == DATA
    assert here.known(digest, own) == own
    assert here.is_here(digest)
    assert not here.is_here("00" * 32)


async def test_a_file_that_was_changed_is_never_handed_over(hands: Hands) -> None:
    """Neither one whose bytes are others, nor one that a record calls by another digest."""
    digest = await kept(hands)
    here = await attachments(hands, [])
    here.known(digest, "ab" * 32)
    with pytest.raises(Damaged, match="not what its record says"):
        b"".join(here.read("ab" * 32))
    path = here.path(digest)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(Damaged, match="not what was archived"):
        here.known(digest)


async def test_a_disk_that_stumbles_is_asked_again(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that fails twice goes on where it was: nothing is lost, nothing is there twice."""
    digest = await kept(hands)
    pauses: list[float] = []
    here = await attachments(hands, pauses)
    own, real, calls = here.known(digest), os.pread, iter(range(10_000))

    def stumbles(handle: int, size: int, at: int) -> bytes:
        if next(calls) in (2, 3):
            raise OSError(errno.EIO, "input/output error")
        return real(handle, size, at)

    monkeypatch.setattr(os, "pread", stumbles)
    assert b"".join(here.read(own)) == DATA
    assert len(pauses) == 2


async def test_a_disk_that_does_not_answer_is_an_error_and_not_an_absence(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not readable now is not gone: whoever exports stops, and goes on later."""
    digest = await kept(hands)
    here = await attachments(hands, [])
    own = here.known(digest)

    def fails(*_: object) -> bytes:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "pread", fails)
    with pytest.raises(StoreError, match="cannot be read") as found:
        b"".join(here.read(own))
    assert not isinstance(found.value, Damaged)
    monkeypatch.setattr(Path, "is_file", fails)
    with pytest.raises(StoreError, match="cannot be read"):
        here.is_here(digest)


async def test_what_no_record_spoke_of_is_not_read(hands: Hands) -> None:
    """Only what a message in the export has is opened."""
    with pytest.raises(StoreError, match="no record"):
        next((await attachments(hands, [])).read("cd" * 32))
