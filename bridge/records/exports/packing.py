"""Slices into parts: a day that is too large for its format is cut, small ones are written together.

Rules of this file: pure, lazy, and the same slices give the same parts. Nothing is dropped: what is larger
than any limit alone goes alone, and its format says what it does with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from bridge.records.transcript import Came, Line, Party, Slice

MEGABYTE, GIGABYTE = 1_000_000, 1_000_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much goes together: items (messages, joins and leaves) and bytes of attachments in one part of an
    export, and in one slice of it. 0: any number."""

    part_items: int = 0
    part_bytes: int = 0
    slice_items: int = 0
    slice_bytes: int = 0


def weight(item: Line | Came) -> int:
    """The bytes of an item's attachments."""
    if isinstance(item, Came):
        return 0
    return sum(max(file.size, 0) for file in item.files if file.digest)


def cut(one: Slice, limits: Limits) -> Iterator[Slice]:
    """A slice as pieces of which each keeps to the limits, if it has more than one item."""
    present, number = one.present, 0
    for items in _runs(one.items, limits):
        yield replace(one, items=items, present=present, piece=one.piece + number)
        present, number = after(present, items), number + 1
    if not one.items:
        yield one


def after(present: tuple[Party, ...], items: Iterable[Line | Came]) -> tuple[Party, ...]:
    """Who is there once these items have happened."""
    there = dict.fromkeys(present)
    for item in items:
        if isinstance(item, Came):
            there.pop(item.party, None)
            if item.joined:
                there[item.party] = None
    return tuple(there)


def _runs(items: tuple[Line | Came, ...], limits: Limits) -> Iterator[tuple[Line | Came, ...]]:
    run: list[Line | Came] = []
    size = 0
    for item in items:
        if run and _full(len(run) + 1, size + weight(item), limits.slice_items, limits.slice_bytes):
            yield tuple(run)
            run, size = [], 0
        run.append(item)
        size += weight(item)
    if run:
        yield tuple(run)


def packed(slices: Iterable[Slice], limits: Limits) -> Iterator[tuple[Slice, ...]]:
    """Slices that are written together, in order."""
    part: list[Slice] = []
    count = size = 0
    for one in slices:
        items, data = len(one.items), sum(map(weight, one.items))
        if part and _full(count + items, size + data, limits.part_items, limits.part_bytes):
            yield tuple(part)
            part, count, size = [], 0, 0
        part.append(one)
        count, size = count + items, size + data
    if part:
        yield tuple(part)


def _full(items: int, size: int, most_items: int, most_bytes: int) -> bool:
    return bool((most_items and items > most_items) or (most_bytes and size > most_bytes))
