"""Copies as files: whole or not there, never written over, each batch with its manifest."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from io import BufferedWriter
from pathlib import Path

import pytest
from archives import PDF, Held, parcel, record, whole

from bridge.errors import Refused, Unreachable
from bridge.records.copies import Enclosed
from bridge.sinks.drop import DropSink

FILE = Enclosed("报告.pdf", "application/pdf", len(PDF), "", "sealed")


@dataclass
class Turns:
    """`bridge.ports.Blobs` that stops after so many bytes until it may `go_on`."""

    data: bytes
    stop: int
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, digest: str) -> AsyncIterator[bytes]:
        """The bytes, in two pieces."""
        yield self.data[: self.stop]
        self.stopped.set()
        await self.go_on.wait()
        yield self.data[self.stop :]


def below(folder: Path) -> set[str]:
    """Every file there."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def test_files_and_manifest(tmp_path: Path) -> None:
    """Record and attachment lie there whole, and the manifest says what they are; a repetition adds
    nothing."""
    sink, one, blobs = DropSink("records/drop", tmp_path), parcel(record(1, FILE)), Held({"sealed": PDF})
    first = await sink.put(one, blobs)
    there = below(tmp_path)
    assert await sink.put(one, blobs) == first
    assert below(tmp_path) == there
    (manifest,) = (tmp_path / "manifests").iterdir()
    told = json.loads(manifest.read_bytes())
    assert told["count"] == len(told["files"]) == 2
    for row in told["files"]:
        data = (tmp_path / row["name"]).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (row["sha256"], row["bytes"])
    assert await whole(sink.read(first.objects[1])) == PDF


async def test_nothing_is_written_over(tmp_path: Path) -> None:
    """Other bytes under the same name stay, and the record is refused."""
    one = parcel(record(1))
    (tmp_path / one.name).parent.mkdir(parents=True)
    (tmp_path / one.name).write_bytes(b"something else")
    with pytest.raises(Refused) as refused:
        await DropSink("records/drop", tmp_path).put(one, Held())
    assert refused.value.code == "differs"
    assert (tmp_path / one.name).read_bytes() == b"something else"


async def test_a_folder_that_is_not_mounted(tmp_path: Path) -> None:
    """A folder that is not there is not made: what would lie there is nobody's archive."""
    with pytest.raises(Unreachable, match="is it mounted"):
        await DropSink("records/drop", tmp_path / "absent").put(parcel(record(1)), Held())
    with pytest.raises(Unreachable):
        await DropSink("records/drop", tmp_path / "absent").check()


async def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk without room, which closing the file meets once more, is worth another try; and what had come of
    the file is not in its way."""
    sink = DropSink("records/drop", tmp_path)

    def full(part: Path) -> BufferedWriter:
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(b"half")
        return open("/dev/full", "wb")

    with monkeypatch.context() as patch:
        patch.setattr(sink, "_begin", full)
        for one in (parcel(record(1)), parcel(record(1, FILE))):
            with pytest.raises(Unreachable, match="not full"):
                await sink.put(one, Held({"sealed": PDF}))
    await sink.put(parcel(record(1, FILE)), Held({"sealed": PDF}))


async def test_a_mount_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither hard links nor locks are asked for."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "lockf", refuse)
    await DropSink("records/drop", tmp_path).put(parcel(record(1)), Held())
    assert not [name for name in below(tmp_path) if name.endswith(".part")]


async def test_what_was_collected(tmp_path: Path) -> None:
    """A file that is not there any more is told from a folder that cannot be used; a folder locks nothing."""
    sink = DropSink("records/drop", tmp_path)
    with pytest.raises(Refused) as refused:
        await whole(sink.read(parcel(record(1)).name))
    assert refused.value.code == "gone"
    with pytest.raises(Refused):
        await sink.try_delete()
    assert await sink.check() == "can be written to"


async def test_both_revisions_at_once(tmp_path: Path) -> None:
    """Two revisions of a record that are brought beside one another do not write into one another's half
    of their attachment: both are kept."""
    sink, data = DropSink("records/drop", tmp_path), b"a page\n" * 100_000
    both = [parcel(replace(record(1, FILE), revision=n)) for n in (1, 2)]
    first, second = Turns(data, len(data) // 2), Turns(data, 0)
    early = asyncio.create_task(sink.put(both[0], first))
    await first.stopped.wait()
    late = asyncio.create_task(sink.put(both[1], second))
    await second.stopped.wait()
    first.go_on.set()
    kept = await early
    second.go_on.set()
    assert (await late).objects[1] == kept.objects[1]
    assert (tmp_path / kept.objects[1]).read_bytes() == data
    assert not [name for name in below(tmp_path) if name.endswith(".part")]
