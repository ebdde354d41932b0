"""The folder of an export: files whole or not at all, and nothing that leads out of it."""

from __future__ import annotations

import hashlib
import resource
from pathlib import Path

import pytest

from bridge.errors import Conflict, Damaged, StoreError
from bridge.ledger.checkpoint import Signer
from bridge.records.exports.manifest import Account
from bridge.records.exports.numbers import Numbers
from bridge.store.volume import JOURNAL, PARTIAL, Part, Volume, told

SIGNER = Signer("w.example", bytes(32))
STATE = {"found": "1", "excluded": {}, "next": None}


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    """A volume that has begun."""
    made = Volume(tmp_path / "out", SIGNER)
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


@pytest.mark.parametrize("change", ["head", "part", "removed", "swapped", "junk", "unsigned"])
def test_a_journal_that_was_edited_is_refused(volume: Volume, change: str) -> None:
    """What it was to be, what was found, where to go on: nobody else tells an export that."""
    for number in (1, 2, 3):
        volume.note(told(part(volume), Numbers([number]), {"messages": 1}, STATE))
    lines = (volume.folder / JOURNAL).read_bytes().splitlines()
    assert len(volume.lines()) == 4
    if change == "head":
        lines[0] = lines[0].replace(b'"wanted":{}', b'"wanted":{"query":""}')
    elif change == "part":
        lines[2] = lines[2].replace(b'"written":"2"', b'"written":""')
    elif change == "removed":
        del lines[1]
    elif change == "swapped":
        lines[1:3] = lines[2], lines[1]
    else:
        lines[3] = b"[]" if change == "junk" else lines[3].partition(b',"note"')[0] + b"}"
    (volume.folder / JOURNAL).write_bytes(b"".join(line + b"\n" for line in lines))
    with pytest.raises(Damaged, match="not as it was written"):
        Volume(volume.folder, SIGNER).lines()


def test_two_processes_never_write_one_export(volume: Volume) -> None:
    """Whoever comes second is told so, and changes nothing."""
    with volume.held():
        with pytest.raises(Conflict, match="another process"), Volume(volume.folder).held():
            pass
        assert volume.lines() == [{"wanted": {}}]
    with Volume(volume.folder).held():
        pass


def test_a_disk_that_is_full_is_an_error_with_the_path(volume: Volume) -> None:
    """Not a trace of the program: whoever reads it knows that there is room to be made."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(StoreError, match="large cannot be written"), part(volume).file("large") as file:
            file.write(b"x" * 100_000)
        with pytest.raises(StoreError, match="tail cannot be written"), part(volume).file("tail") as file:
            file.write(b"x" * 4097)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert volume.names() == []
