"""What can be found in a text: words, patterns, card and identity numbers.

Rules of this file: everything works on folded text (`bridge.policy.folding`) and answers with hits in its
offsets. All hits are found, overlapping ones too. Running time is linear in the text whatever a person
wrote: words run on Aho-Corasick automata (`bridge.policy.lexicon`), written patterns on RE2, never on
Python's `re`.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple, Protocol

import re2

from bridge.policy.folding import Span, fold
from bridge.policy.lexicon import Found, Lexicon, Shelters, Surroundings, TooMany, is_latin

LOW, MEDIUM, HIGH = range(3)
CONFIDENCE = {"low": LOW, "medium": MEDIUM, "high": HIGH}
CONFIDENCE_WORDS = {level: word for word, level in CONFIDENCE.items()}

# More hits of one pattern than this in one message are not looked at one by one: the message is held.
MOST_HITS = 200
MOST_MEMORY = 64 << 20
# A bare number in a word list is a ticker only beside one of these words.
TICKER_WORDS = ("股", "港股", "代码", "hk", "hkd", "$", "stock", "ticker", "share", "shares", "code")
TICKER_WITHIN = 12


class Hit(NamedTuple):
    """A finding: (start, end) in the folded text, and how sure it is."""

    start: int
    end: int
    confidence: int = HIGH


# --- patterns -------------------------------------------------------------------------------------------


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
    """All written patterns at once: which of them occur in a text at all."""

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


def pattern_hits(pattern: re2._Regexp, folded: str) -> list[Span]:
    """Every place where `pattern` occurs. Raises `TooMany` beyond `MOST_HITS`."""
    found: list[Span] = []
    for match in pattern.finditer(folded):
        if match.end() > match.start():
            found.append(match.span())
        if len(found) > MOST_HITS:
            raise TooMany
    return found


# --- the text of one message ----------------------------------------------------------------------------


class Finder(Protocol):
    """A detector, ready to run."""

    def find(self, scan: Scan) -> list[Hit]:
        """Every hit in the text, in any order."""


@dataclass(frozen=True)
class Engine:
    """Everything that is looked for, in two passes over a text whatever its number.

    `by_owner` and `by_pattern` say which finders are worth asking once a word or a pattern was met.
    """

    lexicon: Lexicon
    patterns: PatternSet
    by_owner: Mapping[int, frozenset[Finder]]
    by_pattern: Mapping[int, frozenset[Finder]]


class Scan:
    """One folded text and what was found in it so far: each question is answered once."""

    __slots__ = ("_candidates", "_engine", "_hits", "_near", "_shelters", "_words", "text")

    def __init__(self, text: str, engine: Engine) -> None:
        self.text = text
        self._engine = engine
        self._words: dict[int, list[Found]] | None = None
        self._near: dict[tuple[int, int], Surroundings] = {}
        self._shelters: dict[int, Shelters] = {}
        self._candidates: frozenset[Finder] | None = None
        self._hits: dict[Finder, list[Hit]] = {}

    def candidates(self) -> frozenset[Finder]:
        """The finders that may find something; no other one can."""
        if self._candidates is None:
            self._candidates = frozenset().union(*self._by_words(), *self._by_patterns())
        return self._candidates

    def _by_words(self) -> list[frozenset[Finder]]:
        try:
            if self._words is None:
                self._words = self._engine.lexicon.find(self.text)
        except TooMany:  # each of them will meet it again, for itself
            return list(self._engine.by_owner.values())
        return [self._engine.by_owner[owner] for owner in self._words if owner in self._engine.by_owner]

    def _by_patterns(self) -> list[frozenset[Finder]]:
        return [self._engine.by_pattern[number] for number in self._engine.patterns.occurring(self.text)]

    def words(self, owner: int) -> list[Found]:
        """Where words of `owner` stand. Raises `TooMany`."""
        if self._words is None:
            self._words = self._engine.lexicon.find(self.text)
        return self._words.get(owner, [])

    def near(self, owner: int, within: int, start: int, end: int) -> bool:
        """Whether a word of `owner` lies at most `within` characters before or behind text[start:end]."""
        around = self._near.get((owner, within))
        if around is None:
            places = (found[:2] for found in self.words(owner))
            around = self._near[owner, within] = Surroundings(places, within)
        return around.touch(start, end)

    def sheltered(self, owner: int, start: int, end: int) -> bool:
        """Whether text[start:end] is part of a word of `owner`."""
        shelters = self._shelters.get(owner)
        if shelters is None:
            shelters = self._shelters[owner] = Shelters(found[:2] for found in self.words(owner))
        return shelters.cover(start, end)

    def hits(self, finder: Finder) -> list[Hit]:
        """What `finder`, one of the candidates, finds here."""
        found = self._hits.get(finder)
        if found is None:
            found = self._hits[finder] = finder.find(self)
        return found


@dataclass(frozen=True, eq=False)
class WordsFinder:
    """Words of several lists; a bare number counts only beside a word that makes it a ticker.

    `shelters` has, for an owner and one of its words, the owner of the longer words that make it innocent.
    """

    owners: tuple[int, ...]
    ticker: int
    shelters: Mapping[tuple[int, str], int]

    def find(self, scan: Scan) -> list[Hit]:
        """See `Finder`."""
        found = [
            Hit(start, end)
            for owner in self.owners
            for start, end, word in scan.words(owner)
            if self._counts(scan, owner, word, start, end)
        ]
        return list(set(found)) if len(found) > 1 else found

    def _counts(self, scan: Scan, owner: int, word: str, start: int, end: int) -> bool:
        shelter = self.shelters.get((owner, word)) if self.shelters else None
        if shelter is not None and scan.sheltered(shelter, start, end):
            return False
        return not word.isdigit() or scan.near(self.ticker, TICKER_WITHIN, start, end)


@dataclass(frozen=True, eq=False)
class PatternFinder:
    """A written pattern with its boundary and context."""

    pattern: re2._Regexp
    boundary: str
    context: int | None
    within: int
    alone: int
    with_context: int

    def find(self, scan: Scan) -> list[Hit]:
        """See `Finder`."""
        return [
            Hit(start, end, self._confidence(scan, start, end))
            for start, end in pattern_hits(self.pattern, scan.text)
            if self._bounded(scan.text, start, end)
        ]

    def _bounded(self, text: str, start: int, end: int) -> bool:
        if self.boundary == "none":
            return True
        before, after = text[start - 1 : start], text[end : end + 1]
        if self.boundary == "digits":
            return not (before.isdigit() or after.isdigit())
        return not ((before and is_latin(before)) or (after and is_latin(after)))

    def _confidence(self, scan: Scan, start: int, end: int) -> int:
        if self.context is None or not scan.near(self.context, self.within, start, end):
            return self.alone
        return self.with_context


# --- numbers with a check digit ------------------------------------------------------------------------

# Hyphens as they remain after folding; the plain one last, where no range can begin.
_DASHES = "\u2010\u2012\u2013\u2014\u2212-"
CARD_SHAPE = rf"[0-9](?:[ {_DASHES}]?[0-9]){{12,}}"
_CARD_RUN = re.compile(CARD_SHAPE)
_GROUP = re.compile(r"[0-9]+")
# (first number, last number, lengths), compared over as many digits as the limits have (ISO/IEC 7812).
BRANDS: Mapping[str, tuple[tuple[str, str, frozenset[int]], ...]] = {
    "visa": (("4", "4", frozenset({13, 16, 19})),),
    "mastercard": (("51", "55", frozenset({16})), ("2221", "2720", frozenset({16}))),
    "amex": (("34", "34", frozenset({15})), ("37", "37", frozenset({15}))),
    "unionpay": (("62", "62", frozenset({16, 17, 18, 19})), ("81", "81", frozenset({16, 17, 18, 19}))),
    "jcb": (("3528", "3589", frozenset({16, 17, 18, 19})),),
    "discover": (
        ("6011", "6011", frozenset({16, 17, 18, 19})),
        ("644", "649", frozenset({16, 17, 18, 19})),
        ("65", "65", frozenset({16, 17, 18, 19})),
    ),
    "diners": (
        ("300", "305", frozenset({14, 15, 16, 17, 18, 19})),
        ("36", "36", frozenset({14, 15, 16, 17, 18, 19})),
        ("38", "39", frozenset({14, 15, 16, 17, 18, 19})),
    ),
}
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = sum(int(d) if i % 2 == 0 else _DOUBLED[int(d)] for i, d in enumerate(reversed(digits)))
    return total % 10 == 0


def brand_of(digits: str, brands: Iterable[str] = BRANDS) -> str:
    """The first of `brands` whose ranges and lengths take `digits`; "" if none."""
    for brand in brands:
        for low, high, lengths in BRANDS[brand]:
            if len(digits) in lengths and low <= digits[: len(low)] <= high:
                return brand
    return ""


class _LuhnSums:
    """Luhn of every window of a long number in constant time: a hostile text of digits costs no more."""

    def __init__(self, digits: str) -> None:
        plain = [int(d) for d in digits]
        self._even = [0, *accumulate(_DOUBLED[d] if i % 2 else d for i, d in enumerate(plain))]
        self._odd = [0, *accumulate(d if i % 2 else _DOUBLED[d] for i, d in enumerate(plain))]

    def holds(self, start: int, end: int) -> bool:
        """Whether digits[start:end] ends in its check digit."""
        sums = self._even if (end - 1) % 2 == 0 else self._odd
        return (sums[end] - sums[start]) % 10 == 0


@dataclass(frozen=True, eq=False)
class PaymentCardFinder:
    """Card numbers, in one piece or in groups with single spaces or hyphens; groups are never cut."""

    brands: tuple[str, ...]

    def find(self, scan: Scan) -> list[Hit]:
        """See `Finder`."""
        found: list[Hit] = []
        for run in _CARD_RUN.finditer(scan.text):
            found += self._in_run(run.group(), run.start())
        return found

    def _in_run(self, run: str, offset: int) -> list[Hit]:
        groups = [match.span() for match in _GROUP.finditer(run)]
        digits = "".join(run[start:end] for start, end in groups)
        sums = _LuhnSums(digits)
        ends = list(accumulate(end - start for start, end in groups))
        starts = [0, *ends[:-1]]
        return [
            Hit(offset + groups[first][0], offset + groups[last][1])
            for first, last in _windows(starts, ends)
            if sums.holds(starts[first], ends[last])
            and brand_of(digits[starts[first] : ends[last]], self.brands)
        ]


def _windows(starts: Sequence[int], ends: Sequence[int]) -> Iterable[tuple[int, int]]:
    """Every (first, last) of neighbouring groups with 13 to 19 digits together."""
    for first, start in enumerate(starts):
        for last in range(first, min(first + 19, len(ends))):
            length = ends[last] - start
            if length > 19:
                break
            if length >= 13:
                yield first, last


# A look-ahead, so that a number is also found behind digits that do not belong to it.
ID_SHAPE = r"[1-9][0-9](?: ?[0-9]){15} ?[0-9x]"
_ID_IN_TEXT = re.compile(rf"(?<![0-9])(?=({ID_SHAPE})(?![0-9]))")
# GB/T 2260: the first two digits name the province.
_PROVINCES = frozenset(
    [
        "11",
        "12",
        "13",
        "14",
        "15",
        "21",
        "22",
        "23",
        "31",
        "32",
        "33",
        "34",
        "35",
        "36",
        "37",
        "41",
        "42",
        "43",
        "44",
        "45",
        "46",
        "50",
        "51",
        "52",
        "53",
        "54",
        "61",
        "62",
        "63",
        "64",
        "65",
        "71",
        "81",
        "82",
        "83",
    ]
)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10x98765432"


def is_resident_id(number: str) -> bool:
    """Whether 18 characters (digits, perhaps a final x) are a resident identity number (GB 11643-1999)."""
    total = sum(weight * int(digit) for weight, digit in zip(_ID_WEIGHTS, number, strict=False))
    if _ID_CHECKS[total % 11] != number[17] or number[:2] not in _PROVINCES:
        return False
    try:
        return datetime.date(int(number[6:10]), int(number[10:12]), int(number[12:14])).year >= 1880
    except ValueError:
        return False


@dataclass(frozen=True, eq=False)
class ChinaResidentIdFinder:
    """Resident identity numbers of China, in one piece or with single spaces."""

    def find(self, scan: Scan) -> list[Hit]:
        """See `Finder`."""
        return [
            Hit(*match.span(1))
            for match in _ID_IN_TEXT.finditer(scan.text)
            if is_resident_id(match.group(1).replace(" ", ""))
        ]
