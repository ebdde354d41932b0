"""The table of signatures: what is told apart, and what must not be taken for something else."""

from __future__ import annotations

import typing

import puremagic
import pytest
from inspection_rig import FILES, zipped

from bridge.inspection import kinds
from bridge.policy.language import FileType

BOX = b"\0\0\0\x18ftyp"
PE = b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\0\0"

KNOWN = [
    (b"%PDF-1.7\n", "pdf"),
    (b"\xef\xbb\xbf \n" * 90 + b"%PDF-1.4", "pdf"),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "png"),
    (b"\xff\xd8\xff\xe1\0\0Exif", "jpg"),
    (b"GIF89a\1\0\1\0", "gif"),
    (b"RIFF\x24\0\0\0WEBPVP8 ", "webp"),
    (b"RIFF\x24\0\0\0WAVEfmt ", "wav"),
    (BOX + b"heic\0\0\0\0mif1", "heic"),
    (BOX + b"mif1\0\0\0\0", "heic"),
    (BOX + b"isom\0\0\2\0", "mp4"),
    (BOX + b"3gp5\0\0\0\0", "mp4"),
    (BOX + b"M4A \0\0\0\0", "m4a"),
    (BOX + b"qt  \0\0\0\0", "mov"),
    (b"\0\0\0\x08wide\0\0\1\0mdat", "mov"),
    (b"BM" + bytes(12) + (40).to_bytes(4, "little"), "bmp"),
    (b"II*\0\x08\0\0\0", "tiff"),
    (b"MM\0*\0\0\0\x08", "tiff"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (zipped({"a.txt": "x"}), "zip"),
    (zipped({}), "zip"),
    (b"7z\xbc\xaf\x27\x1c\0\4", "7z"),
    (b"Rar!\x1a\x07\0", "rar"),
    (b"Rar!\x1a\x07\1\0", "rar"),
    (b"\x1f\x8b\x08\0", "gz"),
    (b"#!AMR\n\x3c", "amr"),
    (b"\x02#!SILK_V3\x0e\0", "silk"),
    (b"ID3\4\0\0", "mp3"),
    (b"\xff\xfb\x90\x64\0", "mp3"),
    (b"{\\rtf1\\ansi", "rtf"),
    (PE, "exe"),
    (b"\x7fELF\2\1\1", "elf"),
    (b"L\0\0\0\x01\x14\x02\0\0\0", "exe"),
]

NEAR = [
    b"",
    b"MZ is not a program",
    b"BM stands for Bank of Montreal, and this is text",
    b"PDF-1.7 without its sign",
    b"x" * 1024 + b"%PDF-1.7",
    b"RIFF\x24\0\0\0AVI LIST",
    b"\xff\xd8\x00 no picture",
    b"\xff\xfe" + "hi".encode("utf-16-le"),  # a mark of UTF-16, no frame of sound
    b"PK is a town",
    b"Rar! it said",
    b"ID number 7001",
    b"GIF is a format",
    "身份证".encode(),
    "内幕消息".encode("gb18030"),
    b"#!/bin/sh\n",
    b"II is two",
    b"\0\0\0\x08free of charge"[4:],
]


@pytest.mark.parametrize(("head", "kind"), KNOWN, ids=[f"{kind}-{n}" for n, (_, kind) in enumerate(KNOWN)])
def test_signatures_are_known(head: bytes, kind: str) -> None:
    """Each type is told by its first bytes, and by nothing else."""
    assert kinds.signatures(head) == (kind,)


@pytest.mark.parametrize("head", NEAR)
def test_near_misses_are_not_taken(head: bytes) -> None:
    """What merely begins alike has no signature."""
    assert kinds.signatures(head) == ()


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "bmp", "tiff", "webp"])
def test_pictures_of_another_library(ending: str) -> None:
    """What Pillow wrote is what puremagic, too, takes it for."""
    data = (FILES / f"dot.{ending}").read_bytes()
    assert kinds.signatures(data) == (ending,)
    said = {one.extension.strip(".") for one in puremagic.magic_string(data)}
    assert said & {ending, {"tiff": "tif"}.get(ending, ending), {"jpg": "jpeg"}.get(ending, ending)}


def test_two_signatures_are_both_told() -> None:
    """A file that is built to be taken for either of two types is seen to be so."""
    assert kinds.signatures(b"GIF89a/*" + b" " * 100 + b"*/%PDF-1.4") == ("gif", "pdf")


def test_an_archive_behind_something_else_is_seen() -> None:
    """Programs open as ZIP whatever ends as one; a comment may follow, anything else may not."""
    archive = zipped({"a.txt": "x"})
    assert kinds.hides_archive(b"GIF89a" + archive)
    assert not kinds.hides_archive(b"GIF89a" + archive + b"tail")
    assert not kinds.hides_archive(b"PK\5\6 is how it ends")


CLAIMS = {
    "a.pdf": "pdf",
    "A.PDF": "pdf",
    "图表.jpeg": "jpg",
    "report.pdf.exe": "exe",
    "report.pdf .scr ": "exe",
    "run.ps1": "exe",
    "book.xlsm": "xlsx",
    "notes": "",
    "a.": "",
    "": "",
    "archive.unknown": "",
    "a.xyz": "",
    "x.tar.gz": "gz",
}


@pytest.mark.parametrize("name", CLAIMS)
def test_names_claim(name: str) -> None:
    """The last ending claims, in any case, and stands for the type it belongs to."""
    assert kinds.claimed(name) == CLAIMS[name]


@pytest.mark.parametrize(
    ("start", "claims", "kind"),
    [
        ("hello", "", "txt"),
        ("", "pdf", "txt"),
        ("a,b\n1,2\n", "csv", "csv"),
        ("a,b\n1,2\n", "txt", "txt"),
        ("a,b\n1,2\n", "pdf", "txt"),
        ("  <!DOCTYPE html><html>", "", "html"),
        ("<p>hi", "html", "html"),
        ("hello", "html", "txt"),
        ("<html><script>", "csv", "html"),
        ("<html>", "txt", "html"),
        ("\ufeff\n<!-- x --> <!DOCTYPE html><p>hi", "txt", "html"),
        ("<?xml version='1.0'?><html xmlns='x'>", "txt", "html"),
        ("<script>x</script>", "txt", "html"),
        ("<p>hi", "txt", "txt"),
        ("<headline> of the day", "txt", "txt"),
        ("see <html> below", "txt", "txt"),
        ("<!-- " * 800, "txt", "txt"),
        ("<?xml version='1.0'?><a/>", "", "xml"),
        ("<feed>x</feed>", "", "xml"),
        ("<3 you", "", "txt"),
        ('{"a": 1}', "", "json"),
        ("[1, 2]", "", "json"),
        ("[Note] see below", "", "txt"),
        ("{not json}", "", "txt"),
        ("From: a@bank.example\nSubject: x\n\nhi", "", "eml"),
        ("From: here to there", "", "txt"),
        ("\ufeff{}", "json", "json"),
    ],
)
def test_texts_are_told_apart(start: str, claims: str, kind: str) -> None:
    """Text is what it looks like; any text but a page may be called txt, and a table of commas csv."""
    assert kinds.of_text(start, claims) == kind


def test_the_words_are_those_of_the_policy() -> None:
    """A policy can name every type that an inspection gives, and no other."""
    assert set(typing.get_args(FileType)) == kinds.TYPES
    assert set(kinds.CLAIMS.values()) | kinds.WORDLESS <= kinds.TYPES
