"""Paper: another program reads the words back."""

from __future__ import annotations

import io
import re

import corpus
import pypdf
import pytest

from bridge.records.exports import pdf
from bridge.records.exports.pdf import PDF


@pytest.fixture(scope="module")
def out() -> corpus.Memory:
    """The corpus, exported."""
    memory = corpus.Memory()
    PDF.write(corpus.request(), corpus.slices(), {}, memory)
    return memory


def words(out: corpus.Memory, name: str) -> str:
    """The text of a paper without its spaces: lines break where paper ends."""
    pages = pypdf.PdfReader(io.BytesIO(out.files[name])).pages
    return re.sub(r"\s", "", "".join(page.extract_text() for page in pages))


def test_messages_are_on_paper(out: corpus.Memory) -> None:
    """Numbers, Chinese and Latin texts, what went out instead, who decided."""
    read = words(out, "2026-09-21/pair-1.pdf")
    for text in ("卡号4111111111111111", "************1111", "adeal,saidanew", "bob.li@bank.example", "李雷"):
        assert text in read
    for number in range(1, 9):
        assert f"Message/消息{number}" in read
    assert "term[U+202E]sheet.pdf" in read


def test_no_sign_of_ours_is_printed_as_a_code(out: corpus.Memory) -> None:
    """The arrow of a title is in no font of paper."""
    read = words(out, "2026-09-21/pair-1.pdf")
    assert "[U+2194]" not in read
    assert "AliceWong–李雷" in read


def test_every_plain_text_is_on_paper(out: corpus.Memory) -> None:
    """Whatever needs no code is there as it was written, apart from where lines break."""
    read = words(out, "2026-09-22/pair-1.pdf")
    warned = {number for _, number, _ in out.warnings}
    for line in corpus.slices()[2].lines:
        if line.number not in warned and line.text.strip():
            footer = re.sub(r"\s", "", line.text)[:80]
            assert footer in read, line.number


def test_what_no_font_has_is_a_warning(out: corpus.Memory) -> None:
    """Emoji and rare characters are printed as codes, and the export says so of each message."""
    assert ("signs", 103) in {(code, number) for code, number, _ in out.warnings}
    assert "[U+1F600]" in words(out, "2026-09-22/pair-1.pdf")


def test_attachments_lie_beside(out: corpus.Memory) -> None:
    """Paper names them, and they are there."""
    files = [name for name in out.files if name.startswith("attachments/")]
    assert len(files) == 3
    assert corpus.SMALL in out.files.values()


def test_a_long_text_is_not_broken_where_it_was_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paragraphs end where the lines of a text end; only a line longer than any paragraph is cut, after a
    space, and a sign's code is never cut."""
    monkeypatch.setattr(pdf, "_RUN", 40)
    text = "\n".join(f"line {number} of a hundred" for number in range(100))
    assert "\n".join(pdf._runs(text)) == text
    assert all(len(run) <= 40 for run in pdf._runs(text))
    first, second = pdf._runs("price 1234567890 " * 4)
    assert first.endswith("price ") and first + second == "price 1234567890 " * 4
    assert "".join(pdf._runs("\x1b" * 100)) == "\x1b" * 100
    assert "\n".join(pdf._runs("\n" * 100)) == "\n" * 100
