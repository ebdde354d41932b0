"""The folder of an export: files whole or not at all, and nothing that leads out of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bridge.errors import Conflict, Damaged
from bridge.records.exports.manifest import Account
from bridge.records.exports.numbers import Numbers
from bridge.store.volume import JOURNAL, PARTIAL, Part, Volume, told

STATE = {"found": "1", "excluded": {}, "next": None}


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """A volume that has begun."""
    made = Volume(tmp_path / "out")
    made.begin({"wanted": {}})
    return made


def part(volume: Volume, account: Account | None = None) -> Part:
    """A part of it; nobody asks for attachments."""
    return Part(volume, 1, account or Account(), None)  # type: ignore[arg-type]


def test_a_file_has_its_name_once_it_is_whole(volume: Volume) -> None:
    """Until then it is partial; then its digest and size are known."""
    one = part(volume)
    with one.file("a/b.txt") as file:
        file.write(b"12")
        assert not (volume.folder / "a/b.txt").exists()
        assert (volume.folder / f"a/b.txt{PARTIAL}").exists()
        file.write(b"3")
    assert (volume.folder / "a/b.txt").read_bytes() == b"123"
    assert one.files == {"a/b.txt": (hashlib.sha256(b"123").hexdigest(), 3)}


def test_a_file_whose_writer_failed_has_no_name(volume: Volume) -> None:
    """Half a file is never taken for a whole one."""
    with pytest.raises(ValueError, match="no more"), part(volume).file("a.txt") as file:
        file.write(b"1")
        raise ValueError("no more")
    assert volume.names() == []


@pytest.mark.parametrize("name", ["../a", "/etc/a", "a//b", "", ".", "a/..", JOURNAL, "a\0b"])
def test_no_name_leads_out_of_the_folder(volume: Volume, name: str) -> None:
    """Whatever a format makes of what people called their files."""
    with pytest.raises(Conflict, match="no name"):
        part(volume).file(name)


def test_two_files_never_share_a_name(volume: Volume) -> None:
    """Neither in one part nor across parts: the second would be the loss of the first."""
    one = part(volume)
    one.file("a").close()
    account = Account()
    account.files["b"] = "0" * 64, 1
    for again, name in ((one, "a"), (part(volume, account), "b")):
        with pytest.raises(Conflict, match="two files"):
            again.file(name)


def test_what_is_in_no_finished_part_goes(volume: Volume) -> None:
    """After a crash there is what the journal says, byte for byte, and nothing else."""
    one = part(volume)
    one.file("kept").close()
    volume.note(told(one, Numbers([1]), {"messages": 1}, STATE))
    (volume.folder / f"half{PARTIAL}").write_bytes(b"1")
    (volume.folder / "more").write_bytes(b"1")
    with (volume.folder / JOURNAL).open("ab") as file:
        file.write(b'{"files": {"ha')
    account = volume.restore(volume.lines()[1:])
    assert (volume.names(), account.parts, str(account.written)) == (["kept"], 1, "1")
    (volume.folder / "kept").write_bytes(b"other")
    with pytest.raises(Damaged, match="kept"):
        volume.restore(volume.lines()[1:])


def test_only_an_interrupted_export_goes_on(tmp_path: Path, volume: Volume) -> None:
    """A folder without a journal is none, and a place that is taken is not taken again."""
    with pytest.raises(Conflict, match="no export that was interrupted"):
        Volume(tmp_path).lines()
    with pytest.raises(Conflict, match="is there already"):
        volume.begin({})
    volume.end()
    with pytest.raises(Conflict, match="no journal"):
        volume.lines()
