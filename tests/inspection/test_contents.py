"""The type decides who reads; what may be taken for two things is neither."""

from __future__ import annotations

from io import BytesIO
from random import Random

import pytest
from inspection_rig import FILES, compound, looked, zipped

from bridge.inspection.contents import identify

PICTURE = (FILES / "dot.png").read_bytes()
PROGRAM = b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\0\0"


@pytest.mark.parametrize("path", sorted(FILES.iterdir()), ids=lambda path: path.name)
def test_types_of_other_peoples_files(path: object) -> None:
    """Every file of a library or program is what its name says, and an unnamed one is it too."""
    kind = path.suffix[1:]  # type: ignore[attr-defined]
    assert identify(BytesIO(path.read_bytes()), path.name) == (kind, "")  # type: ignore[attr-defined]
    assert identify(BytesIO(path.read_bytes()), "") == (kind, "")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PICTURE + zipped({"a.txt": "x"}), "unknown"),
        (b"GIF89a/*" + b" " * 50 + b"*/%PDF-1.4", "unknown"),
        (b"%PDF-1.4" + zipped({"a.txt": "x"}), "unknown"),
        (b"just text\n" + zipped({"a.txt": "x"}), "unknown"),
        (PROGRAM + zipped({"a.txt": "x"}), "exe"),
    ],
)
def test_double_faces_are_of_no_type(data: bytes, kind: str) -> None:
    """No list of allowed types lets such a file through; that a program runs stays sure."""
    found, look = looked(data, "picture.png")
    assert found == kind
    assert look.unreadable.startswith(("it is built to be taken for", "it hides an archive"))


def test_names_decide_nothing() -> None:
    """The same bytes are the same type under any name."""
    for name in ("a.pdf", "a.exe", "a", "", "a.docx"):
        assert looked(PICTURE, name)[0] == "png"
        assert looked(compound({"WordDocument": b"x"}), name)[0] == "doc"


def test_an_empty_file_is_an_empty_text() -> None:
    """Nothing can be hidden in it."""
    kind, look = looked(b"", "a.pdf")
    assert (kind, look.text, look.unreadable) == ("txt", "", "")


def test_noise_is_survived() -> None:
    """Chance, and chance behind every signature, ends in an answer."""
    dice = Random(11)
    starts = [path.read_bytes()[:40] for path in sorted(FILES.iterdir())] + [
        b"",
        b"<?xml ",
        b"{\\rtf1 ",
        b"Date: x\nTo: ",
    ]
    for start in starts:
        for _ in range(5):
            looked(start + dice.randbytes(dice.randrange(3000)), "a.bin")
