"""The PDF report: Chinese can be read, searched and copied, without a font of ten megabytes."""

from __future__ import annotations

import io
from dataclasses import replace

import pypdf
from evidence_rig import files_of, make
from story import Terminal
from test_page import TOLD, account

from bridge.evidence.paper import paper


def text_of(data: bytes) -> str:
    """What a reader copies out of a PDF."""
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages)


def test_both_scripts_can_be_copied_out() -> None:
    """Simplified, Traditional, Latin and accents; what no font has stands as its code."""
    text = "腾讯 騰訊 國際證券 naïve “引文” 😀"
    found = text_of(paper(account(replace(TOLD, written=text))))
    for part in ("腾讯", "騰訊", "國際證券", "naïve", "引文", "[U+1F600]"):
        assert part in found
    assert "asked for" in found


def test_it_is_small_and_the_same_each_time() -> None:
    """No font is in it; the same account gives the same bytes."""
    one, other = paper(account(TOLD)), paper(account(TOLD))
    assert one == other
    assert len(one) < 20_000
    assert b"/FontFile" not in one


def test_long_messages_flow_over_pages() -> None:
    """A text longer than a page is all there, and so is what comes after it."""
    long = replace(TOLD, written="长" * 6000)
    found = text_of(paper(account(long, replace(TOLD, number=2, written="the last one"))))
    assert found.count("长") == 6000
    assert "the last one" in found


def test_a_bar_is_in_a_font_that_has_it(terminal: Terminal) -> None:
    """What is withheld shows as a bar on paper as well."""
    found = text_of(files_of(make(terminal, "--black-out", "text"))["report.pdf"])
    assert "█████" in found
    assert "Black bars stand for" in found
