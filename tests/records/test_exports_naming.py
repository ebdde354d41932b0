"""Names of files in exports: harmless wherever they are unpacked."""

from __future__ import annotations

from dataclasses import replace

import corpus
import pytest

from bridge.records.exports import naming
from bridge.records.exports.naming import safe


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("条款.pdf", "条款.pdf"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a\u202egnp.exe", "a_gnp.exe"),
        ("con.txt", "_con.txt"),
        ("...", "file"),
        ("", "file"),
        ("a\x00b", "a_b"),
    ],
)
def test_names_keep_their_words_and_lose_their_power(name: str, kept: str) -> None:
    """Separators, reserved names and signs that steer are replaced; everything else stays."""
    assert safe(name) == kept


def test_a_long_name_keeps_its_extension() -> None:
    """A name is cut in the middle, to a length in bytes, never inside a character."""
    name = safe("長" * 100 + ".pdf")
    assert name.endswith(".pdf")
    assert len(name.encode()) <= naming.MOST


def test_two_attachments_never_share_a_name() -> None:
    """Names that people gave may be equal: the number of message and place makes them two."""
    (told, *_) = corpus.slices()
    names = [naming.attachment(line, n, file) for line in told.lines for n, file in enumerate(line.files)]
    assert len(names) == len(set(names)) == 4
    assert naming.of_slice(told, "eml") == "2026-09-21/pair-1.eml"


@pytest.mark.parametrize("name", ["voice.amr", "a.HEIC", "a.mov", "a.ogg", "a.pdf"])
def test_what_no_browser_runs_keeps_its_name(name: str) -> None:
    """Voice and pictures of phones open with a click."""
    assert naming.passive(name) == name


@pytest.mark.parametrize(("one", "other"), [(f"w/{'x' * 80}1", f"w/{'x' * 80}2"), ("w/aB", "w/ab")])
def test_two_conversations_never_share_a_name(one: str, other: str) -> None:
    """Ids may be long and alike, or differ in case alone: not every disk tells such two apart."""
    (told, *_) = corpus.slices()
    names = {naming.of_slice(replace(told, key=key), "html").casefold() for key in (one, other)}
    assert len(names) == 2
    assert all(len(name.encode()) < 90 for name in names)
