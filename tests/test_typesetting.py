"""Paper: every sign is in a font that has it or stands as its code, and the same flow is the same bytes."""

from __future__ import annotations

import io

import pypdf
import pytest

from bridge.typesetting import CHINESE, JAPANESE, KOREAN, LATIN, build, code, font_of, markup, paragraph, room


@pytest.mark.parametrize(
    ("sign", "font"),
    [
        ("a", LATIN),
        ("ï", LATIN),
        ("騰", CHINESE),
        ("█", CHINESE),
        ("−", JAPANESE),
        ("김", KOREAN),
        ("م", ""),
        ("😀", ""),
        ("\ud800", ""),
    ],
)
def test_each_sign_has_the_font_that_has_it(sign: str, font: str) -> None:
    """Latin letters with accents, both Chinese scripts, the bar of what is withheld, the minus of prices,
    Korean names; no font has Arabic or emoji."""
    assert font_of(sign) == font


def test_markup_is_text() -> None:
    """What people wrote opens no element; lines break where theirs did; codes stand between the runs."""
    assert markup("<b>\n长😀") == (
        f'<font name="{LATIN}">&lt;b&gt;</font><br/><font name="{CHINESE}">长</font>[U+1F600]'
    )
    assert code("\u202e\x07") == "[U+202E][U+0007]"


def test_the_same_flow_is_the_same_bytes() -> None:
    """Every page has its foot, and no font is inside."""

    def made() -> bytes:
        file = io.BytesIO()
        build(file, "t", (paragraph("长" * 3000, 9) for _ in range(2)), lambda page: f"page {page}", LATIN)
        return file.getvalue()

    data = made()
    assert data == made()
    assert b"/FontFile" not in data
    pages = pypdf.PdfReader(io.BytesIO(data)).pages
    assert len(pages) > 1
    assert all(f"page {number}" in page.extract_text() for number, page in enumerate(pages, 1))


def test_no_heading_ends_a_page() -> None:
    """However far down a page it comes, what stands under a heading begins on the same page."""
    for lines in range(40, 60):
        file = io.BytesIO()
        flow = [*(paragraph("x", 9) for _ in range(lines)), room(40), paragraph("Heading", 12)]
        build(file, "t", [*flow, paragraph("words", 9)], str, LATIN)
        pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(file.getvalue())).pages]
        assert [page for page in pages if "Heading" in page] == [page for page in pages if "words" in page]
