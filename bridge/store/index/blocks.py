"""Which numbers were archived when, and how many there are: small enough to be in memory.

Rules of this file: pure. Numbers go up with time as long as the machine's clock does; where it was put back,
blocks overlap in time, and what is said here is still true: a range of numbers is never too small.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import attrgetter

SIZE = 512
"""Numbers of a block."""

OPEN_END = 1 << 62
"""A number that no message reaches."""


@dataclass(frozen=True, slots=True)
class Block:
    """The messages numbered `place * SIZE` to `place * SIZE + SIZE - 1`: how many, the first and last time at
    which one of them was archived (milliseconds)."""

    place: int
    messages: int
    since: int
    until: int


@dataclass(frozen=True, slots=True)
class Count:
    """How many messages there are from number `first` to `last`, both included, and the first and last time
    at which one of them was archived (0: none was). A range that ends before it begins is empty."""

    messages: int
    first: int
    last: int
    since: int = 0
    until: int = 0


class Blocks:
    """Blocks in the order of their numbers, without the last one, which may be growing."""

    def __init__(self, blocks: Sequence[Block] = ()) -> None:
        self.blocks = blocks = list(blocks[:-1])
        # Up to each block, the latest time; from each block on, the earliest: both only ever grow.
        self._latest = list(accumulate((block.until for block in blocks), max))
        self._earliest = list(accumulate((block.since for block in reversed(blocks)), min))[::-1]
        self._counts = [0, *accumulate(block.messages for block in blocks)]

    def followed_by(self, later: Sequence[Block]) -> Blocks:
        """These blocks and, behind them, `later` ones, the last of which may be growing."""
        return Blocks([*self.blocks, *later]) if later else self

    @property
    def end(self) -> int:
        """The first number behind the blocks: nothing is known of what comes from there on."""
        return (self.blocks[-1].place + 1) * SIZE if self.blocks else 0

    def between(self, since: int, until: int) -> tuple[int, int]:
        """The first and last number that can have been archived from `since` up to and without `until` (0:
        open)."""
        first = bisect_left(self._latest, since) if since else 0
        beyond = bisect_left(self._earliest, until) if until else len(self.blocks)
        low = self.blocks[first].place * SIZE if first < len(self.blocks) else self.end
        high = OPEN_END if beyond == len(self.blocks) else self.blocks[beyond].place * SIZE - 1
        return (low if first else 0), high

    def count(self, first: int, last: int, since: int, until: int) -> Count:
        """How many messages are in blocks that lie wholly in `first` to `last` and in `since` to `until`."""
        low = max(self._place(first + SIZE - 1), bisect_left(self._earliest, since) if since else 0)
        high = min(self._place(last + 1), bisect_left(self._latest, until) if until else len(self.blocks))
        if low >= high:
            return Count(0, first, first - 1)
        begin, end = self.blocks[low], self.blocks[high - 1]
        messages = self._counts[high] - self._counts[low]
        return Count(messages, begin.place * SIZE, (end.place + 1) * SIZE - 1, begin.since, end.until)

    def _place(self, number: int) -> int:
        """Where in the list the blocks from the one of `number` on begin."""
        return bisect_left(self.blocks, number // SIZE, key=attrgetter("place"))
