"""The report as PDF, with the words of `page` and nothing else.

Rules of this file: pure: the same account gives the same bytes. How it is set is `typesetting`'s."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

from bridge.evidence.account import Account, Step, Told
from bridge.evidence.page import (
    BAR,
    below,
    clean,
    delivered,
    done,
    missing,
    particulars,
    place_of,
    summary,
    times,
)
from bridge.evidence.phrases import phrase
from bridge.typesetting import CHINESE, LATIN, build, paragraph, room

if TYPE_CHECKING:
    from reportlab.platypus import Flowable

_PLAIN = re.compile(r"[ -~]*")
_WIDE = 0.66
"""How wide a letter of LATIN is at most in what is not all capitals, in parts of its size."""


def paper(account: Account) -> bytes:
    """The whole document."""
    language, out = account.making.language, io.BytesIO()
    page = phrase("page", language)
    build(out, phrase("title", language), _flow(account, language), lambda n: f"{page} {n}", CHINESE)
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

    yield room(96)
    yield HRFlowable(width="100%", color="black", spaceBefore=12, spaceAfter=4)
    yield _paragraph(f"{phrase('message', language)} {told.number}", 13)
    yield _paragraph(place_of(told, language), 8)
    rows: list[tuple[str, str | None]] = [("quote", told.quote)] if told.quote != "" else []
    rows += [("written", told.written), ("below", below(told)), ("delivered", delivered(told, language))]
    rows += [("files", " ".join(filter(None, (one.name or BAR, one.file, one.sha256)))) for one in told.files]
    yield _table(iter([*rows, *particulars(told, zone, language)]), language)
    yield _steps(told, language, zone)


def _table(rows: Iterator[tuple[str, str | None]], language: str) -> Flowable:
    cells = [(phrase(key, language), value) for key, value in rows if value != ""]
    return _grid(cells, (84, 403), 9)


def _steps(told: Told, language: str, zone: tzinfo) -> Flowable:
    def line(step: Step) -> Sequence[str | None]:
        gone = f"{phrase('withheld', language)}: {', '.join(step.withheld)}" if step.withheld else ""
        said = "; ".join(filter(None, (done(step), gone)))
        return times(step.at, zone), step.kind, step.place, said, step.leaf[:16]

    return _grid([line(step) for step in told.steps], (138, 98, 34, 132, 85), 7, ruled=True)


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
    return paragraph(clean(BAR if text is None else text), size)
