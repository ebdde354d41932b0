"""A package as a file: whole or not at all, never over another, the same bytes for the same content."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.errors import Conflict, StoreError
from bridge.store.parcel import parcel


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    """A file that comes in pieces."""
    for one in data:
        yield one


async def test_it_is_there_when_it_is_settled_and_not_before(tmp_path: Path) -> None:
    """Until then nothing has its name; afterwards there is nothing beside it."""
    out = tmp_path / "case.zip"
    with parcel(out) as box:
        box.add("a.txt", b"one")
        digest = await box.stream("b.bin", pieces(b"two", b"three"))
        whole, size = box.end()
        assert not out.exists()
        box.settle()
    assert os.listdir(tmp_path) == ["case.zip"]
    assert (hashlib.sha256(out.read_bytes()).hexdigest(), out.stat().st_size) == (whole, size)
    assert digest == hashlib.sha256(b"twothree").hexdigest()
    assert box.files == {"a.txt": (hashlib.sha256(b"one").hexdigest(), 3), "b.bin": (digest, 8)}
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
        assert [(one.filename, one.date_time[0]) for one in archive.infolist()] == [
            ("a.txt", 1980),
            ("b.bin", 1980),
        ]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    """An error on the way: neither the file nor a part of it."""
    with pytest.raises(RuntimeError), parcel(tmp_path / "case.zip") as box:
        box.add("a.txt", b"one")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """Not what is there at the start, and not what came meanwhile."""
    out = tmp_path / "case.zip"
    with parcel(out) as box:
        box.add("a.txt", b"one")
        box.end()
        out.write_bytes(b"somebody else's")
        with pytest.raises(Conflict, match="there already"):
            box.settle()
    with pytest.raises(Conflict, match="there already"), parcel(out):
        pass
    assert out.read_bytes() == b"somebody else's"


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    """A folder that is not there is named."""
    with pytest.raises(StoreError, match=r"case\.zip cannot be written"), parcel(tmp_path / "no/case.zip"):
        pass
