"""Attachments as files of an export, under names that follow from message and place.

Rules of this file: pure; whatever has a digest is written, in pieces, and nothing is held whole in memory.
"""

from __future__ import annotations

from collections.abc import Sequence

from bridge.records.exports.naming import attachment
from bridge.records.transcript import Line, Output, Slice


def attach(out: Output, slices: Sequence[Slice]) -> None:
    """Write every attachment of these slices."""
    for one in slices:
        for line in one.lines:
            _attach(out, line)


def _attach(out: Output, line: Line) -> None:
    for place, one in enumerate(line.files):
        if one.digest:
            with out.file(attachment(line, place, one)) as file:
                for piece in out.enclosure(one.digest):
                    file.write(piece)
