"""What a format cannot write is written out: visibly, completely, and told."""

from __future__ import annotations

import corpus
import pytest

from bridge.records.exports.legible import DECEIVING, FORBIDDEN, altered, one_break, one_line, spelled


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x00", "⟦U+0000⟧"),
        ("a\x1b[31m", "a⟦U+001B⟧[31m"),
        ("\ud800x", "⟦U+D800⟧x"),
        ("\ufffe\uffff", "⟦U+FFFE⟧⟦U+FFFF⟧"),
        ("tab\tline\nend\r", "tab\tline\nend\r"),
        ("𠮷 😀 é", "𠮷 😀 é"),
    ],
)
def test_signs_that_xml_forbids_are_spelled_out(text: str, expected: str) -> None:
    """Their code point stands for them; whatever XML can write stays."""
    assert spelled(text, FORBIDDEN) == expected


def test_signs_that_turn_text_around_are_spelled_out_for_people_only() -> None:
    """XML can write an override, so it stays there; a reader must not be deceived by it."""
    assert spelled("\u202egnp.exe") == "⟦U+202E⟧gnp.exe"
    assert not altered("\u202egnp.exe", FORBIDDEN)


@pytest.mark.parametrize("text", corpus.TEXTS)
def test_whatever_was_spelled_out_is_told(text: str) -> None:
    """`altered` says exactly when `spelled` changes something, and nothing is ever left out."""
    for pattern in (FORBIDDEN, DECEIVING):
        assert altered(text, pattern) == (spelled(text, pattern) != text)
        assert len(spelled(text, pattern)) >= len(text)


def test_breaks_become_of_one_kind() -> None:
    """Each stays one, whichever of the three it was."""
    assert one_break("a\r\nb\rc\n\rd") == "a\nb\nc\n\nd"


def test_one_line_stays_one_line() -> None:
    """No break of any kind is left that could begin a header."""
    line = one_line("a\r\nBcc: x\nb\rc\x85d\u2028e\x0bf")
    assert line.splitlines() == [line]
    assert line == "a Bcc: x b c⟦U+0085⟧d⟦U+2028⟧e f"
