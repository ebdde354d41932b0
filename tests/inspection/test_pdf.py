"""PDF that other people's programs wrote: text, locks, actions, what is attached."""

from __future__ import annotations

from random import Random

import pytest
from inspection_rig import FILES, looked

from bridge.inspection import pdf


def test_text_of_all_pages_is_read() -> None:
    """Western and Chinese text, on every page, and the title that only programs show."""
    kind, look = looked(FILES / "note.pdf")
    assert (kind, look.encrypted, look.macros, look.unreadable) == ("pdf", False, False, "")
    for words in ("Account 8812345678", "这是内幕消息", "Second page", "A title that nobody sees"):
        assert words in look.text
    assert "20000101" not in look.text


@pytest.mark.parametrize("name", ["locked.pdf", "locked-aes.pdf"])
def test_a_password_is_asked_for(name: str) -> None:
    """Of a document that asks for a password nothing is read, with old and new ciphers."""
    _, look = looked(FILES / name)
    assert (look.encrypted, look.text, look.unreadable) == (True, "", "it asks for a password")


def test_a_document_that_opens_without_password_is_open() -> None:
    """Bank statements forbid printing by an owner's password: everybody can read them, and so can we."""
    _, look = looked(FILES / "owner-locked.pdf")
    assert (look.encrypted, look.unreadable) == (False, "")
    assert "Behind a lock" in look.text


def test_scripts_count_as_macros() -> None:
    """JavaScript that runs on opening is what a macro is elsewhere; the text is read all the same."""
    _, look = looked(FILES / "script.pdf")
    assert look.macros
    assert "8812345678" in look.text


def test_what_is_attached_is_looked_into() -> None:
    """A file inside the PDF is read like one that came alone."""
    assert "附件 inside the PDF" in looked(FILES / "carries.pdf")[1].text


def test_pages_of_pictures_are_unreadable() -> None:
    """A scan shows words that nobody here can read: that is said, or anything could pass as a scan."""
    assert looked(FILES / "picture.pdf")[1].unreadable == "its pages show no text, only what is drawn"


def test_too_many_pages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies behind the last page that is read is not passed over in silence."""
    monkeypatch.setattr(pdf, "PAGES", 1)
    _, look = looked(FILES / "note.pdf")
    assert (look.cut, look.unreadable) == (True, "it has more than 1 pages")


@pytest.mark.parametrize("data", [b"%PDF-1.7\n", b"%PDF-1.7\n%%EOF", b"%PDF-1.4\ntrailer<</Root 1 0 R>>"])
def test_stumps_are_damaged(data: bytes) -> None:
    """A header alone is no document."""
    assert looked(data)[1].unreadable == "it is damaged"


def test_damage_anywhere_is_survived() -> None:
    """Bytes changed at random end in some answer, never in an error nobody expects."""
    dice, whole = Random(7), (FILES / "note.pdf").read_bytes()
    for _ in range(30):
        broken = bytearray(whole)
        for _ in range(dice.randrange(1, 30)):
            broken[dice.randrange(9, len(broken))] = dice.randrange(256)
        assert looked(bytes(broken))[0] == "pdf"
