"""Attachments as files of an export, under names that follow from message and place.

Rules of this file: pure; whatever has a digest is written, in pieces, and nothing is held whole in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bridge.records.exports.naming import attachment
from bridge.records.transcript import Enclosure, Line, Output, Slice


def _as_it_is(name: str) -> str:
    return name


def attach(out: Output, slices: Sequence[Slice], named: Callable[[str], str] = _as_it_is) -> None:
    """Write every attachment of these slices, each under what `named` makes of its file's name."""
    for one in slices:
        for line in one.lines:
            for place, file in enumerate(line.files):
                if file.digest:
                    put(out, line, place, file, named)


def put(out: Output, line: Line, place: int, one: Enclosure, named: Callable[[str], str] = _as_it_is) -> str:
    """Write the attachment at `place` of a message, which has a digest; gives the name of its file."""
    name = named(attachment(line, place, one))
    with out.file(name) as file:
        for piece in out.enclosure(one.digest):
            file.write(piece)
    return name
