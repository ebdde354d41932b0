"""The report as PDF, with the words of `page` and nothing else.

Rules of this file: pure: the same account gives the same bytes. Chinese is set in STSong-Light, one of the
fonts that the PDF standard lets a reader supply (Adobe-GB1, Simplified and Traditional): nothing of 10 MB is
shipped or embedded, the text can be searched and copied, and every reader on a machine with any Chinese font
shows it. What that font does not have (emoji) is written as its code."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Any

from bridge.evidence.account import Account, Step, Told
from bridge.evidence.page import BAR, clean, delivered, done, missing, particulars, place_of, summary, times
from bridge.evidence.phrases import phrase

if TYPE_CHECKING:
    from reportlab.platypus import Flowable

_PLAIN = re.compile(r"[ -~]*")
_WIDE = 0.66
"""How wide a letter of LATIN is at most in what is not all capitals, in parts of its size."""

CHINESE, LATIN = "STSong-Light", "Helvetica"


def paper(account: Account) -> bytes:
    """The whole document."""
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.platypus import SimpleDocTemplate

    pdfmetrics.registerFont(UnicodeCIDFont(CHINESE))
    language = account.making.language
    out, edge = io.BytesIO(), 48
    document = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=edge,
        rightMargin=edge,
        topMargin=edge,
        bottomMargin=edge,
        title=phrase("title", language),
        author="weighbridge",
        invariant=1,
    )

    def number(canvas: Any, _: object) -> None:
        canvas.setFont(CHINESE, 8)
        canvas.drawRightString(A4[0] - edge, 28, f"{phrase('page', language)} {canvas.getPageNumber()}")

    document.build(list(_flow(account, language)), onFirstPage=number, onLaterPages=number)
    return out.getvalue()


# --- parts ----------------------------------------------------------------------------------------------


def _flow(account: Account, language: str) -> Iterator[Flowable]:
    yield _paragraph(phrase("title", language), 17)
    yield _paragraph(phrase("intro", language))
    if account.partial:
        yield _paragraph(phrase("bars", language))
    yield _table(summary(account), language)
    yield _paragraph(phrase("causes", language), 8)
    for told in account.messages:
        yield from _message(told, language, account.making.zone)
    if account.exclusions:
        yield _paragraph(phrase("excluded", language), 12)
    for one in account.exclusions:
        yield _paragraph(missing(one, language))


def _message(told: Told, language: str, zone: tzinfo) -> Iterator[Flowable]:
    from reportlab.platypus import HRFlowable

    yield HRFlowable(width="100%", color="black", spaceBefore=12, spaceAfter=4)
    yield _paragraph(f"{phrase('message', language)} {told.number}", 13)
    yield _paragraph(place_of(told, language), 8)
    rows: list[tuple[str, str | None]] = [("quote", told.quote)] if told.quote != "" else []
    rows += [("written", told.written), ("delivered", delivered(told, language))]
    rows += [("files", " ".join(filter(None, (one.name or BAR, one.file, one.sha256)))) for one in told.files]
    yield _table(iter([*rows, *particulars(told, zone, language)]), language)
    yield _steps(told, language, zone)


def _table(rows: Iterator[tuple[str, str | None]], language: str) -> Flowable:
    cells = [(phrase(key, language), value) for key, value in rows if value != ""]
    return _grid(cells, (84, 415), 9)


def _steps(told: Told, language: str, zone: tzinfo) -> Flowable:
    def line(step: Step) -> Sequence[str | None]:
        gone = f"{phrase('withheld', language)}: {', '.join(step.withheld)}" if step.withheld else ""
        said = "; ".join(filter(None, (done(step), gone)))
        return times(step.at, zone), step.kind, step.place, said, step.leaf[:16]

    return _grid([line(step) for step in told.steps], (140, 100, 34, 140, 85), 7, ruled=True)


def _grid(
    cells: Sequence[Sequence[str | None]], widths: tuple[int, ...], size: int, *, ruled: bool = False
) -> Flowable:
    from reportlab.platypus import Table

    style: list[tuple[Any, ...]] = [("VALIGN", (0, 0), (-1, -1), "TOP")]
    style += [("FONT", (0, 0), (-1, -1), LATIN, size, size * 1.4)]
    style += [(f"{side}PADDING", (0, 0), (-1, -1), 2) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")]
    style += [("LINEABOVE", (0, 0), (-1, -1), 0.3, "#999999")] if ruled else []
    rows = [[_cell(text, width, size) for text, width in zip(row, widths, strict=True)] for row in cells]
    return Table(rows or [[""] * len(widths)], colWidths=widths, style=style, hAlign="LEFT", splitInRow=1)


def _cell(text: str | None, width: int, size: int) -> Flowable | str:
    """Text for a cell. What surely fits on its line in Latin letters is set as it is: paragraphs are dear,
    and a report has thousands of times and places."""
    fits = text is not None and len(text) * size * _WIDE < width and _PLAIN.fullmatch(text)
    return text if fits else _paragraph(text, size)


def _paragraph(text: str | None, size: int = 9) -> Flowable:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

    style = ParagraphStyle("p", fontName=CHINESE, fontSize=size, leading=size * 1.4, wordWrap="CJK")
    return Paragraph(_markup(BAR if text is None else text), style)


def _markup(text: str) -> str:
    """Text for a paragraph: each run in the font that has it, what no font has as its code."""
    lines = []
    for line in clean(text).split("\n"):
        runs = groupby(line, _font)
        lines.append("".join(_run(font, "".join(signs)) for font, signs in runs))
    return "<br/>".join(lines)


def _run(font: str, text: str) -> str:
    if not font:
        return escape("".join(f"[U+{ord(sign):04X}]" for sign in text))
    return f'<font name="{font}">{escape(text)}</font>'


def _font(sign: str) -> str:
    """The font that has a sign: "" if none does."""
    if ord(sign) < 0x100:
        return LATIN
    try:
        sign.encode("gb18030")
    except UnicodeEncodeError:
        return ""
    try:
        sign.encode("gbk")
    except UnicodeEncodeError:
        return CHINESE if sign == BAR[0] else ""
    return CHINESE
