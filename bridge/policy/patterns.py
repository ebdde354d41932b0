"""Patterns on RE2: linear time whatever a person wrote, and bounded memory.

Rules of this file: written patterns never reach Python's `re`. A set says first which of many patterns occur
in a text at all; what it cannot answer for want of memory counts as occurring.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import re2

from bridge.policy.folding import Span, fold

# More hits of one pattern than this in one message are not looked at one by one: the message is held.
MOST_HITS = 200
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


def prepared(pattern: str) -> str:
    """`pattern` for folded text: non-ASCII characters folded, `^` and `$` meaning the ends of each part."""
    return "(?m)" + "".join(c if c.isascii() or len(fold(c)) != 1 else fold(c) for c in pattern)


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


def pattern_hits(pattern: re2._Regexp, folded: str) -> list[Span]:
    """Every place where `pattern` occurs. Raises `TooMany` beyond `MOST_HITS`."""
    found: list[Span] = []
    for match in pattern.finditer(folded):
        if match.end() > match.start():
            found.append(match.span())
        if len(found) > MOST_HITS:
            raise TooMany
    return found
