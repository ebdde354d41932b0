"""A line of somebody's text around what was looked for, with the hits marked.

Rules of this file: pure. Places are offsets of original characters, widths are cells of a terminal (Han:
two). What could steer a terminal is written as its code, so one character may take several cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from bridge.cli.output import cell, width

Spans = Sequence[tuple[int, int]]
"""(start, end) in characters, end exclusive; they may overlap."""

LEAD = 0.3
"""How much of the room, at most, shows what stands before the first hit."""


class Marks(NamedTuple):
    """What stands around a hit."""

    before: str
    after: str


COLOUR = Marks("\x1b[1;33m", "\x1b[0m")
SIGNS = Marks("⟦", "⟧")


class Piece(NamedTuple):
    """One character as it is shown, and whether it belongs to a hit."""

    shown: str
    hit: bool


class Shown(NamedTuple):
    """Text for a terminal, and how many cells it takes there."""

    text: str
    cells: int


def excerpt(text: str, spans: Spans, room: int, marks: Marks) -> Shown:
    """One line of `text`, at most `room` cells wide, that begins soon before the first hit."""
    first = min((start for start, _ in spans), default=0)
    extra = 0 if marks is COLOUR else width("".join(marks)) * max(len(_merged(spans)), 1)
    begin = 0 if _fits(text, room - extra) else _begin(text, first, int(room * LEAD))
    window = text[begin : begin + room]
    pieces = _pieces(window, [(start - begin, end - begin) for start, end in spans])
    chosen = list(_within(pieces, room - extra, lead=begin > 0, more=begin + room < len(text)))
    return _joined(chosen, marks)


def _merged(spans: Spans) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _fits(text: str, room: int) -> bool:
    return len(text) <= room and sum(width(_sign(char)) for char in text) <= room


def _begin(text: str, first: int, room: int) -> int:
    """Where to begin so that what stands before `first` takes at most `room` cells; 0 if all of it does."""
    begin, taken = first, 0
    while begin and taken <= room:
        begin -= 1
        taken += width(_sign(text[begin]))
    return begin + 1 if taken > room else 0


def _sign(char: str) -> str:
    return " ⏎ " if char == "\n" else cell(char)


def _pieces(text: str, spans: Spans) -> list[Piece]:
    inside = {at for start, end in spans for at in range(max(start, 0), min(end, len(text)))}
    return [Piece(_sign(char), at in inside) for at, char in enumerate(text)]


def _within(pieces: Sequence[Piece], room: int, *, lead: bool, more: bool) -> Iterator[Piece]:
    """As many pieces as fit, with "…" where something is left out."""
    whole_width = sum(width(piece.shown) for piece in pieces) + lead
    cut = more or whole_width > room
    left = room - lead - cut
    if lead:
        yield Piece("…", False)
    for piece in pieces:
        left -= width(piece.shown)
        if left < 0:
            break
        yield piece
    if cut:
        yield Piece("…", False)


def _joined(pieces: Iterable[Piece], marks: Marks) -> Shown:
    parts, was = [], False
    for shown, hit in [*pieces, Piece("", False)]:
        if hit is not was:
            parts.append(marks.before if hit else marks.after)
        parts.append(shown)
        was = hit
    text = "".join(parts)
    unseen = width(COLOUR.before + COLOUR.after) * text.count(COLOUR.before) if marks is COLOUR else 0
    return Shown(text, width(text) - unseen)
