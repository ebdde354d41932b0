"""Paper: one PDF for each conversation and day, attachments beside it under the names that it prints.

Rules of this file: pure: the same slices give the same bytes. It is set as reports of evidence are; a sign
that no font has is printed as its code, and that is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.records.exports.attaching import attach
from bridge.records.exports.chatlog import exact
from bridge.records.exports.choices import word
from bridge.records.exports.labels import LANGUAGES, label
from bridge.records.exports.legible import DECEIVING, one_break, spelled
from bridge.records.exports.naming import attachment, of_slice
from bridge.records.exports.reading import Pair, became, change, facts, heading, sides
from bridge.records.transcript import BOTH_WAYS, Came, Line, Output, Request, Slice
from bridge.typesetting import LATIN, build, code, font_of, paragraph, room

if TYPE_CHECKING:
    from reportlab.platypus import Flowable

_RUN = 8000
"""Characters of one paragraph at most: a paragraph is set whole, and to set one of any length is slow."""


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
                build(file, spelled(_title(one)), _flow(request, one, language), str, LATIN)
            for line in one.lines:
                _warn(out, line)
        attach(out, slices)


def _warn(out: Output, line: Line) -> None:
    if not exact(line):
        out.warn("spelled", line.number, "signs that paper cannot show are printed as codes")
    if any(not font_of(sign) for text in (line.text, line.sent, line.quote) for sign in text):
        out.warn("signs", line.number, "signs that no font has are printed as codes")


def _title(one: Slice) -> str:
    """A conversation's title with signs that fonts have: the arrow in it is ours."""
    return one.title.replace(BOTH_WAYS, " – ")


def _flow(request: Request, one: Slice, language: str) -> Iterator[Flowable]:
    yield from _paragraphs(_title(one), 15)
    yield from _pairs(heading(request, replace(one, title=_title(one)), language))
    for item in one.items:
        if isinstance(item, Came):
            yield from _paragraphs(change(item, language), 8)
        else:
            yield from _message(item, language)


def _message(line: Line, language: str) -> Iterator[Flowable]:
    from reportlab.platypus import HRFlowable

    yield room(72)
    yield HRFlowable(width="100%", color="black", spaceBefore=8, spaceAfter=4)
    yield from _paragraphs(f"{label('message', language)} {line.number}", 12)
    yield from _pairs(became(line, language))
    for key, value in sides(line, language):
        yield room(26)
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
    for run in _runs(one_break(text)):
        # White brackets are in no font: what is spelled out elsewhere is a code among the others here.
        yield paragraph(DECEIVING.sub(lambda found: code(found[0]), run), size)


def _runs(text: str) -> Iterator[str]:
    """A text in paragraphs: each but the last ends where a line of the text ends. Only a line that is longer
    than a paragraph may be is broken where it had no end, after a space if it has any."""
    while len(text) > _RUN:
        if (end := text.rfind("\n", 0, _RUN)) > 0:
            yield text[:end]
            text = text[end + 1 :]
            continue
        end = text.rfind(" ", 0, _RUN) + 1 or _RUN
        yield text[:end]
        text = text[end:]
    yield text


PDF = Pdf()
