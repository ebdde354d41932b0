"""Paper: pages, fonts and text of the PDFs that exports and evidence are read on.

Rules of this file: pure: the same flow gives the same bytes. Chinese is set in STSong-Light, one of the fonts
that the PDF standard lets a reader supply (Adobe-GB1, Simplified and Traditional), what that has not (Hangul,
the minus sign) in those of Japan and Korea: nothing of 10 MB is shipped or embedded, the text can be searched
and copied, and every reader on a machine with any such font shows it. What no font has (emoji, Arabic) is
written as its code. The library is imported when something is set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from html import escape
from itertools import groupby
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reportlab.platypus import Flowable

CHINESE, LATIN = "STSong-Light", "Helvetica"
JAPANESE, KOREAN = "HeiseiMin-W3", "HYSMyeongJo-Medium"
"""Fonts that every reader of PDF supplies."""

_ENCODINGS = {CHINESE: "gbk", JAPANESE: "shift_jis", KOREAN: "euc_kr"}
"""What each font of the East has, in the order in which they are asked."""

_EDGE = 48
_MARGINS = dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), _EDGE)


def build(
    file: IO[bytes], title: str, flow: Iterable[Flowable], foot: Callable[[int], str], font: str
) -> None:
    """Write a document of A4 pages to `file`; `foot` says by its number what stands below each, in `font`."""
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.platypus import SimpleDocTemplate

    def number(canvas: Any, _: object) -> None:
        canvas.setFont(font, 8)
        canvas.drawRightString(A4[0] - _EDGE, 28, foot(canvas.getPageNumber()))

    for name in _ENCODINGS:
        pdfmetrics.registerFont(UnicodeCIDFont(name))
    document = SimpleDocTemplate(
        file, pagesize=A4, title=title, author="weighbridge", invariant=1, **_MARGINS
    )
    document.build(list(flow), onFirstPage=number, onLaterPages=number)


def paragraph(text: str, size: int) -> Flowable:
    """Text as it flows over lines and pages, in letters of `size` points."""
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

    style = ParagraphStyle("p", fontName=CHINESE, fontSize=size, leading=size * 1.4, wordWrap="CJK")
    return Paragraph(markup(text), style)


def room(points: float) -> Flowable:
    """A new page, unless so much is left of this one: a heading never stands alone at the foot of a page."""
    from reportlab.platypus import CondPageBreak

    return CondPageBreak(points)


def markup(text: str) -> str:
    """Text for a paragraph: each run in the font that has it, what no font has as its code."""
    lines = (
        "".join(_run(font, "".join(run)) for font, run in groupby(one, font_of)) for one in text.split("\n")
    )
    return "<br/>".join(lines)


def _run(font: str, text: str) -> str:
    return f'<font name="{font}">{escape(text)}</font>' if font else code(text)


def code(text: str) -> str:
    """Signs that cannot be shown, each by its number: "[U+1F600]"."""
    return "".join(f"[U+{ord(sign):04X}]" for sign in text)


def font_of(sign: str) -> str:
    """The font that has a sign: "" if none does."""
    if ord(sign) < 0x100:
        return LATIN
    return next((font for font, encoding in _ENCODINGS.items() if _has(encoding, sign)), "")


@cache
def _has(encoding: str, sign: str) -> bool:
    try:
        sign.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
