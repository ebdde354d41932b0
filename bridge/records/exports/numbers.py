"""Sets of message numbers: small however many there are, written as people write them ("1-17, 20").

Rules of this file: pure. Numbers count from 1 without large gaps, so a bit for each is the smallest set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class Numbers:
    """Numbers of messages, each once, in any order."""

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._bits = bytearray()
        self.extend(numbers)

    def add(self, number: int) -> None:
        """Take a number in. Raises ValueError for what no message has."""
        if number < 1:
            raise ValueError(f"{number} is no number of a message")
        place = number >> 3
        if place >= len(self._bits):
            self._bits.extend(bytes(place + 1 - len(self._bits) + (len(self._bits) >> 2)))
        self._bits[place] |= 1 << (number & 7)

    def __contains__(self, number: int) -> bool:
        place = number >> 3
        return 0 <= place < len(self._bits) and bool(self._bits[place] >> (number & 7) & 1)

    def __iter__(self) -> Iterator[int]:
        for first, last in self.runs():
            yield from range(first, last + 1)

    def __len__(self) -> int:
        return int.from_bytes(self._bits).bit_count()

    def extend(self, numbers: Iterable[int]) -> None:
        """Take numbers in."""
        for number in numbers:
            self.add(number)

    def runs(self) -> Iterator[tuple[int, int]]:
        """First and last of each row of numbers without a gap, in order."""
        first = last = 0
        used = self._bits.lstrip(b"\0")
        for place, byte in enumerate(used, len(self._bits) - len(used)):
            if not byte:
                continue
            for number in (place * 8 + bit for bit in range(8) if byte >> bit & 1):
                if number == last + 1 and first:
                    last = number
                    continue
                if first:
                    yield first, last
                first = last = number
        if first:
            yield first, last

    def __str__(self) -> str:
        return ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in self.runs())

    def update(self, text: str) -> None:
        """Take in numbers as `str` writes them."""
        for run in filter(None, text.split(",")):
            first, _, last = run.partition("-")
            for number in range(int(first), int(last or first) + 1):
                self.add(number)


def numbers_of(text: str) -> Numbers:
    """The numbers that `str` wrote."""
    found = Numbers()
    found.update(text)
    return found
