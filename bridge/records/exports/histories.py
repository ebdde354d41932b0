"""What became of a message: its edits and its recall, found from either end.

Rules of this file: pure. A history is known as far as its messages are in the same part of an export; what
refers to a message elsewhere still carries that message's number.
"""

from __future__ import annotations

from collections.abc import Sequence

from bridge.records.transcript import Line, Slice


class Histories:
    """The edits and recalls among `slices`."""

    def __init__(self, slices: Sequence[Slice]) -> None:
        self._earlier: dict[int, int] = {}
        self._later: dict[int, list[Line]] = {}
        for conversation in slices:
            for line in conversation.lines:
                self._note(line)

    def _note(self, line: Line) -> None:
        earlier = referred(line)
        if earlier is not None:
            first = self.first(earlier)
            self._earlier[line.number] = earlier
            self._later.setdefault(first, []).append(line)
            # Whatever was said about this one before it was known to be an edit belongs to the first.
            self._later[first] += self._later.pop(line.number, [])

    def first(self, number: int) -> int:
        """The number of the message that `number` is a version or a recall of; `number` itself if none."""
        seen = {number}
        while (earlier := self._earlier.get(number)) is not None:
            if earlier in seen:
                return min(seen)
            number = earlier
            seen.add(number)
        return number

    def later(self, number: int) -> list[Line]:
        """Edits and recalls of the message `number`, in the order of their numbers; of edits of it, too."""
        return sorted(self._later.get(number, []), key=lambda line: line.number)

    def next(self, number: int) -> Line | None:
        """The version or recall that follows the version `number`."""
        return next((line for line in self.later(self.first(number)) if line.number > number), None)


def referred(line: Line) -> int | None:
    """The number of the message that this one replaces or takes back."""
    return line.edits if line.edits is not None else line.recalls
