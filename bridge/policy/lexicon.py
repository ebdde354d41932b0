"""Every word of every list at once: where they stand in a folded text, also disguised.

Rules of this file: one pass for all plain words, one for each disguise that some list asked for, whatever the
number of words. All occurrences are found, overlapping ones too, and all are places in the folded text.
Running time is linear in the text.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick

from bridge.policy import disguises
from bridge.policy.folding import Span, fold
from bridge.policy.patterns import TooMany

# More words than this in one message are not looked at one by one: the message is held. Long texts are
# searched in pieces, so that it is noticed in time.
MOST_WORDS = 10_000
PIECE = 4_000


class Found(NamedTuple):
    """A word: (start, end) in the folded text, and which one it is, folded."""

    start: int
    end: int
    word: str


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one owner, and the disguises in which they are looked for as well."""

    words: Iterable[str]
    disguised: frozenset[str] = frozenset()


class _Automaton:
    """Spellings in one Aho-Corasick automaton. Each belongs to owners, and stands for a word."""

    def __init__(self) -> None:
        self._meant: dict[str, dict[tuple[int, str], None]] = {}

    def add(self, spelling: str, owner: int, word: str) -> None:
        if spelling:
            self._meant.setdefault(spelling, {})[owner, word] = None

    def ready(self) -> _Automaton:
        self.meant = [list(meant) for meant in self._meant.values()]
        self._longest = max(map(len, self._meant), default=0)
        self._search = AhoCorasick(list(self._meant)) if self._meant else None
        return self

    def matches(self, text: str) -> Iterable[tuple[int, int, int]]:
        """(spelling, start, end) of every match, each once."""
        if self._search is None:
            return ()
        if len(text) <= PIECE:
            return self._search.find_matches_as_indexes(text, overlapping=True)
        return self._in_pieces(self._search, text)

    def _in_pieces(self, search: AhoCorasick, text: str) -> Iterator[tuple[int, int, int]]:
        for offset in range(0, len(text), PIECE):
            piece = text[offset : offset + PIECE + self._longest]
            for spelling, start, end in search.find_matches_as_indexes(piece, overlapping=True):
                if start < PIECE:
                    yield spelling, offset + start, offset + end


class Lexicon:
    """The words of all owners, which are numbers. A word may have several owners."""

    def __init__(self, owners: Mapping[int, Words]) -> None:
        self._plain = _Automaton()
        self._forms: dict[frozenset[str], tuple[disguises.Disguise, _Automaton]] = {}
        for owner, some in owners.items():
            for word in dict.fromkeys(fold(word).strip() for word in some.words):
                self._add(owner, word, some.disguised)
        for automaton in (self._plain, *(automaton for _, automaton in self._forms.values())):
            automaton.ready()
        self._disguised = [(form, automaton) for form, automaton in self._forms.values() if automaton.meant]

    def _add(self, owner: int, word: str, kinds: frozenset[str]) -> None:
        spellings = {word}
        if disguises.SPLIT in kinds:
            spellings |= disguises.split_spellings(word)
        short = disguises.initial_spellings(word) if disguises.INITIALS in kinds else set()
        for spelling in spellings | short:
            self._plain.add(spelling, owner, word)
        for form in disguises.forms(kinds):
            disguise, automaton = self._forms.setdefault(form, (disguises.Disguise(form), _Automaton()))
            sounded = spellings if disguises.PINYIN in form else spellings | short
            for spelling in set().union(*map(disguise.spellings, sounded)):
                automaton.add(spelling, owner, word)

    def find(self, folded: str) -> dict[int, list[Found]]:
        """Each owner's words in `folded`, overlapping ones too. Raises `TooMany`."""
        found: dict[int, list[Found]] = {}
        count = 0
        for count, (spelling, start, end) in enumerate(self._plain.matches(folded), start=1):
            if count > MOST_WORDS:
                raise TooMany
            if stands_alone(folded, start, end):
                _note(found, self._plain.meant[spelling], start, end)
        for disguise, automaton in self._disguised:
            count = self._find_disguised(folded, disguise, automaton, found, count)
        return found

    def _find_disguised(
        self,
        folded: str,
        disguise: disguises.Disguise,
        automaton: _Automaton,
        found: dict[int, list[Found]],
        count: int,
    ) -> int:
        """Add the words in one form of `folded` to `found`; how many matches there were with these."""
        source: list[int] | None = None
        for spelling, start, end in automaton.matches(disguise.of(folded)):
            count += 1
            if count > MOST_WORDS:
                raise TooMany
            if source is None:
                source = disguise.origins(folded)
            place = disguise.place(folded, source, start, end)
            if place is not None and stands_alone(folded, *place):
                _note(found, automaton.meant[spelling], *place)
        return count


def _note(found: dict[int, list[Found]], meant: Iterable[tuple[int, str]], start: int, end: int) -> None:
    for owner, word in meant:
        found.setdefault(owner, []).append(Found(start, end, word))


def is_latin(char: str) -> bool:
    """Whether `char` is one character, a Latin letter or a digit."""
    return char.isascii() and char.isalnum()


def stands_alone(text: str, start: int, end: int) -> bool:
    """Whether text[start:end] is a word of its own where it begins or ends with a Latin letter or digit.

    Chinese needs no boundary. A number is not found inside a longer one, nor behind or before its dot:
    7.0700 is not 0700.
    """
    first, last = text[start], text[end - 1]
    if is_latin(first) and start:
        before = text[start - 1]
        if is_latin(before) or (before == "." and first.isdigit()):
            return False
    if is_latin(last) and end < len(text):
        after = text[end]
        if is_latin(after) or (after == "." and last.isdigit() and text[end + 1 : end + 2].isdigit()):
            return False
    return True


class Surroundings:
    """The places at most `within` characters before or behind one of `spans`."""

    def __init__(self, spans: Iterable[Span], within: int) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted((start - within, end + within) for start, end in spans):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)

    def touch(self, start: int, end: int) -> bool:
        """Whether text[start:end] lies in them, in part or whole."""
        first = bisect_left(self._ends, start)
        return first < len(self._starts) and self._starts[first] <= end


class Shelters:
    """Longer words in which a shorter one is innocent: 并购 in 合并购买."""

    def __init__(self, spans: Iterable[Span]) -> None:
        ordered = sorted(spans)
        self._starts = [start for start, _ in ordered]
        self._furthest = list(accumulate((end for _, end in ordered), max))

    def cover(self, start: int, end: int) -> bool:
        """Whether one of them holds text[start:end] as a whole."""
        before = bisect_right(self._starts, start)
        return before > 0 and self._furthest[before - 1] >= end
