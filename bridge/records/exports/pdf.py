"""Paper: one PDF for each conversation and day, attachments beside it under the names that it prints.

Rules of this file: pure: the same slices give the same bytes. Chinese is set in a font that the PDF standard
lets a reader supply, as in reports of evidence; a sign that no font has is printed as its code, and that is a
warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import IO, TYPE_CHECKING, Any

from bridge.records.exports.attaching import attach
from bridge.records.exports.choices import word
from bridge.records.exports.labels import LANGUAGES, label
from bridge.records.exports.legible import altered, spelled
from bridge.records.exports.naming import attachment, of_slice
from bridge.records.exports.reading import Pair, change, facts, heading, other_side
from bridge.records.transcript import Came, Line, Output, Request, Slice

if TYPE_CHECKING:
    from reportlab.platypus import Flowable

CHINESE, LATIN = "STSong-Light", "Helvetica"
"""Fonts that the PDF standard lets a reader supply: none is shipped, and the text can be searched."""

_EDGE = 48
_RUN = 1500
"""Characters of one paragraph at most: a paragraph is set whole, and one of any length would be slow."""


class Pdf:
    """See `Format`."""

    name = "pdf"

    def write(
        self, request: Request, slices: Sequence[Slice], options: Mapping[str, object], out: Output
    ) -> None:
        """See `Format`."""
        language = word(options, "language", LANGUAGES)
        for one in slices:
            with out.file(of_slice(one, "pdf")) as file:
                _paper(file, one.title, _flow(request, one, language))
            for line in one.lines:
                _warn(out, line)
        attach(out, slices)


def _warn(out: Output, line: Line) -> None:
    texts = (line.text, line.sent, line.quote)
    if any(map(altered, texts)):
        out.warn("spelled", line.number, "signs that paper cannot show are printed as codes")
    if any(not _font(sign) for text in texts for sign in text):
        out.warn("signs", line.number, "signs that no font has are printed as codes")


def _paper(file: IO[bytes], title: str, flow: Iterator[Flowable]) -> None:
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.platypus import SimpleDocTemplate

    pdfmetrics.registerFont(UnicodeCIDFont(CHINESE))
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        title=spelled(title),
        author="weighbridge",
        invariant=1,
        **dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), _EDGE),
    )

    def number(canvas: Any, _: object) -> None:
        canvas.setFont(LATIN, 8)
        canvas.drawRightString(A4[0] - _EDGE, 28, str(canvas.getPageNumber()))

    document.build(list(flow), onFirstPage=number, onLaterPages=number)


def _flow(request: Request, one: Slice, language: str) -> Iterator[Flowable]:
    yield from _paragraphs(one.title, 15)
    yield from _pairs(heading(request, one, language))
    for item in one.items:
        if isinstance(item, Came):
            yield from _paragraphs(change(item, language), 8)
        else:
            yield from _message(item, language)


def _message(line: Line, language: str) -> Iterator[Flowable]:
    from reportlab.platypus import HRFlowable

    yield HRFlowable(width="100%", color="black", spaceBefore=8, spaceAfter=4)
    yield from _paragraphs(f"{label('message', language)} {line.number}", 12)
    sides = [("quote", line.quote)] if line.quote else []
    sides += [("written", line.text), ("delivered", other_side(line, language))]
    for key, value in sides:
        yield from _paragraphs(label(key, language), 7)
        yield from _paragraphs(value, 10)
    for place, file in enumerate(line.files):
        name = attachment(line, place, file) if file.digest else file.missing
        said = f"{file.name} ({file.media}, {file.size:,}) {name} {file.digest}"
        yield from _paragraphs(f"{label('attachment', language)}: {said}", 8)
    yield from _pairs(facts(line, language))


def _pairs(pairs: Iterator[Pair]) -> Iterator[Flowable]:
    for name, value in pairs:
        if value:
            yield from _paragraphs(f"{name}: {value}", 8)


def _paragraphs(text: str, size: int) -> Iterator[Flowable]:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

    style = ParagraphStyle("p", fontName=CHINESE, fontSize=size, leading=size * 1.4, wordWrap="CJK")
    shown = spelled(text).replace("\r\n", "\n").replace("\r", "\n")
    for start in range(0, len(shown), _RUN):
        yield Paragraph(_markup(shown[start : start + _RUN]), style)


def _markup(text: str) -> str:
    """Text for a paragraph: each run in the font that has it, what no font has as its code."""
    lines = (
        "".join(_run(font, "".join(run)) for font, run in groupby(one, _font)) for one in text.split("\n")
    )
    return "<br/>".join(lines)


def _run(font: str, text: str) -> str:
    if not font:
        return escape("".join(f"[U+{ord(sign):04X}]" for sign in text))
    return f'<font name="{font}">{escape(text)}</font>'


def _font(sign: str) -> str:
    """The font that has a sign: "" if none does. The Chinese one has the signs of GBK."""
    if ord(sign) < 0x100:
        return LATIN
    try:
        sign.encode("gbk")
    except UnicodeEncodeError:
        return ""
    return CHINESE


PDF = Pdf()
