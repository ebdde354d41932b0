"""Patterns on RE2: linear time whatever a person wrote, and bounded memory.

Rules of this file: written patterns never reach Python's `re`. A set says first which of many patterns occur
in a text at all; what it cannot answer for want of memory counts as occurring. A hit hides no other one: the
search goes on one character behind its beginning, a bounded number of times.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence

import re2

from bridge.policy.folding import Span, fold

# More hits of one pattern than this in one message are not looked at one by one: the message is held.
MOST_HITS = 200
# A pattern is tried again behind the beginning of each hit so many times at most, or until so many bytes
# were read, whichever is later; then the message is held.
MOST_TRIES = 2_000
MOST_READ = 16 << 20
MOST_MEMORY = 64 << 20


class TooMany(Exception):
    """So much is found that the message must be read by a person."""


def options(max_memory: int = 8 << 20) -> re2.Options:
    """RE2 as written patterns run on it: silent, case ignored (the text is folded), memory bounded."""
    chosen = re2.Options()
    chosen.log_errors = False
    chosen.case_sensitive = False
    chosen.max_mem = max_memory
    return chosen


# What means something to RE2; any of them behind a backslash means itself.
_OPERATORS = frozenset("\\.+*?()|[]{}^$-")


def prepared(pattern: str) -> str:
    """`pattern` for folded text: non-ASCII characters folded, `^` and `$` meaning the ends of each part.

    A character that folds to one with a meaning, as the full-width brackets do, keeps meaning itself.
    """
    return "(?m)" + "".join(_pieces(pattern))


def _pieces(pattern: str) -> Iterator[str]:
    """`pattern` by characters; between \\Q and \\E and behind a backslash nothing is escaped again."""
    escaped = quoted = False
    for char in pattern:
        if escaped:
            quoted = char == "Q" or (quoted and char != "E")
        folded = char if char.isascii() or len(fold(char)) != 1 else fold(char)
        means_itself = folded == char or folded not in _OPERATORS or escaped or quoted
        yield folded if means_itself else "\\" + folded
        escaped = char == "\\" and not escaped


def compile_pattern(pattern: str) -> re2._Regexp:
    """A written pattern, ready. Raises `re2.error`."""
    return re2.compile(prepared(pattern), options())


class PatternSet:
    """Many patterns at once: which of them occur in a text at all."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._sure: set[int] = set()  # too large for any set: tried on every text
        self._sets: list[tuple[re2.Set, Sequence[int]]] = []
        self._add(patterns, range(len(patterns)))

    def _add(self, patterns: Sequence[str], numbers: Sequence[int]) -> None:
        """Take in the patterns with these numbers: in one set, or in halves where one is too large."""
        if not numbers:
            return
        members = re2.Set.SearchSet(options(MOST_MEMORY))
        for number in numbers:
            members.Add(prepared(patterns[number]))
        members.Add("")
        try:
            members.Compile()
        except re2.error:
            self._divide(patterns, numbers)
        else:
            self._sets.append((members, numbers))

    def _divide(self, patterns: Sequence[str], numbers: Sequence[int]) -> None:
        half = len(numbers) // 2
        if half == 0:
            self._sure.update(numbers)
            return
        self._add(patterns, numbers[:half])
        self._add(patterns, numbers[half:])

    def occurring(self, folded: str) -> frozenset[int]:
        """The numbers of the patterns that may occur; none that occurs is missing."""
        found = set(self._sure)
        for members, numbers in self._sets:
            answer = members.Match(folded)
            # RE2 answers "nothing" when its memory is used up. The last member is empty and occurs in every
            # text: where it is missing, the answer is void and every pattern of the set is tried.
            if len(numbers) not in answer:
                found.update(numbers)
            else:
                found.update(numbers[place] for place in answer if place < len(numbers))
        return frozenset(found)


@functools.lru_cache(maxsize=8)
def pattern_set(patterns: tuple[str, ...]) -> PatternSet:
    """The set of `patterns`. RE2 holds the interpreter's lock while it compiles a large one, and everybody
    waits: what an edited policy has in common with the one before is not compiled again."""
    return PatternSet(patterns)


def pattern_hits(
    pattern: re2._Regexp, folded: str, stands: Callable[[int, int], bool] = lambda start, end: True
) -> list[Span]:
    """Every place where `pattern` occurs and may stand, without those inside one that is found already.

    Raises `TooMany` beyond `MOST_HITS`, and where too many places had to be looked at.
    """
    data = folded.encode("utf-8", "surrogatepass")
    places = _Places(folded, data)
    tries = max(MOST_TRIES, MOST_READ // (len(data) + 1))
    found: list[Span] = []
    at = done = 0
    while (match := pattern.search(data, at)) is not None:
        start, end = places.of(match.start()), places.of(match.end())
        at = places.behind(match.start())
        if end > max(start, done) and stands(start, end):
            found.append((start, end))
            done = end
            if match.end() == len(data) or data[match.end()] == _LINE_END:
                at = match.end()  # nothing that begins inside reaches further
        tries -= 1
        if len(found) > MOST_HITS or tries < 0:
            raise TooMany
        if at > len(data):
            break
    return found


_LINE_END = ord("\n")


class _Places:
    """Bytes of an encoded text as characters of it; asked from left to right, each byte is read once."""

    def __init__(self, text: str, data: bytes) -> None:
        self._data = data
        self._plain = len(text) == len(data)
        self._known = (0, 0)

    def of(self, byte: int) -> int:
        """The number of the character that begins at `byte`."""
        if self._plain:
            return byte
        known, number = self._known
        if byte < known:
            return number - _characters(self._data[byte:known])
        self._known = byte, number + _characters(self._data[known:byte])
        return self._known[1]

    def behind(self, byte: int) -> int:
        """Where the character behind the one at `byte` begins."""
        byte += 1
        while byte < len(self._data) and self._data[byte] & 0xC0 == 0x80:
            byte += 1
        return byte


def _characters(data: bytes) -> int:
    return len(data.decode("utf-8", "surrogatepass"))
