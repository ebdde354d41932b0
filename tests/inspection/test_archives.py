"""Archives: members are looked into, locks are seen, growth is bounded."""

from __future__ import annotations

import gzip
import io
import tarfile
from random import Random

import pytest
from inspection_rig import FILES, looked, zipped

from bridge.inspection import bounds


def test_members_are_read() -> None:
    """Names and contents, of archives within archives too, and of what gzip packed."""
    inner = zipped({"里面.txt": "内幕消息"})
    outer = zipped({"note.docx": (FILES / "note.docx").read_bytes(), "inner.zip": inner})
    kind, look = looked(gzip.compress(outer), "a.gz")
    assert kind == "gz"
    assert look.unreadable == ""
    for words in ("note.docx", "8812345678", "里面.txt", "内幕消息"):
        assert words in look.text


def test_what_members_hide_the_archive_hides() -> None:
    """A member's macros, its password and its being a program are told of the whole."""
    assert looked(zipped({"a.pdf": (FILES / "script.pdf").read_bytes()}))[1].macros
    assert looked(zipped({"a.pdf": (FILES / "locked.pdf").read_bytes()}))[1].encrypted
    assert looked(zipped({"a.txt": b"\x7fELF\2"}))[1].unreadable == "it has a program inside"
    assert looked(zipped({"a.bin": b"\0\1\2"}))[1].unreadable == "it is of no known type"


def test_a_locked_member_is_seen() -> None:
    """The flag of one member is enough; its name is read, for it is not locked."""
    data = bytearray(zipped({"secret.txt": "x"}))
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + offset] |= 1
    kind, look = looked(bytes(data), "a.zip")
    assert (kind, look.encrypted, look.text) == ("zip", True, "secret.txt\n")


@pytest.mark.parametrize(
    ("name", "locked"), [("open.7z", False), ("locked.7z", True), ("locked-names.7z", True)]
)
def test_locks_of_7z_are_seen(name: str, locked: bool) -> None:
    """With and without locked names; the archive itself is not opened, and this is said."""
    kind, look = looked(FILES / name)
    assert (kind, look.encrypted) == ("7z", locked)
    assert look.unreadable == "it is an archive of type 7z, which is not opened"


# Headers after the RAR 5.0 technical note and, for RAR 4, its predecessor: CRC, size, type, flags, fields.
RAR = {
    "5, open": (b"Rar!\x1a\x07\1\0" + bytes.fromhex("00000000 03 01 00 00 00000000 03 02 00 00"), False),
    "5, locked headers": (b"Rar!\x1a\x07\1\0" + bytes.fromhex("00000000 04 04 00 00 00"), True),
    "5, locked file": (
        b"Rar!\x1a\x07\1\0" + bytes.fromhex("00000000 03 01 00 00 00000000 06 02 01 03 02 01 00"),
        True,
    ),
    "4, open": (b"Rar!\x1a\x07\0" + bytes.fromhex("0000 73 0000 0d00 000000000000 0000 74 0000 2000"), False),
    "4, locked headers": (b"Rar!\x1a\x07\0" + bytes.fromhex("0000 73 8000 0d00 000000000000"), True),
    "4, locked file": (
        b"Rar!\x1a\x07\0" + bytes.fromhex("0000 73 0000 0d00 000000000000 0000 74 0400 2000"),
        True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", RAR)
def test_locks_of_rar_are_seen(case: str) -> None:
    """Both versions say in their headers whether names or files are locked."""
    data, locked = RAR[case]
    kind, look = looked(data, "a.rar")
    assert (kind, look.encrypted) == ("rar", locked)


def test_bombs_end_the_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is unpacked counts together, whatever the archive says of itself."""
    monkeypatch.setattr(bounds, "UNPACKED", 1_000_000)
    bomb = zipped({f"{n}.png": b"\x89PNG\r\n\x1a\n" + bytes(400_000) for n in range(9)})
    assert looked(bomb)[1].unreadable == "it grows too large when it is unpacked"
    assert looked(gzip.compress(bytes(2_000_000)))[1].unreadable == "it grows too large when it is unpacked"


def test_archives_within_archives_end_somewhere() -> None:
    """Four levels are one too many; so are thousands of members."""
    deep: bytes | str = "x"
    for _ in range(5):
        deep = zipped({"inner": deep})
    reason = "it has more files within files than are opened"
    assert looked(deep)[1].unreadable == reason  # type: ignore[arg-type]
    assert looked(zipped({str(n): "x" for n in range(2100)}, 0))[1].unreadable == reason


def test_other_archives_are_of_no_known_type() -> None:
    """A tar inside gzip is not opened, and nobody takes it for read."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        archive.add(FILES / "note.odt", "note.odt")
    assert looked(whole.getvalue(), "a.tgz")[1].unreadable


def test_damage_anywhere_is_survived() -> None:
    """Bytes changed at random end in some answer, never in an error nobody expects."""
    dice, whole = Random(7), zipped({"a.txt": "hello" * 50, "b.zip": zipped({"c": "d"})})
    for _ in range(200):
        broken = bytearray(whole)
        for _ in range(dice.randrange(1, 6)):
            broken[dice.randrange(4, len(broken))] = dice.randrange(256)
        looked(bytes(broken), "a.zip")
