"""What can be found in a text, and how sure it is: words, written patterns, and shapes that prove themselves.

Rules of this file: everything works on folded text (`bridge.policy.folding`) and answers with hits in its
offsets. All hits are found, overlapping ones too. Running time is linear in the text whatever a person
wrote: words run on Aho-Corasick automata (`bridge.policy.lexicon`), written patterns on RE2, never on
Python's `re`. The built-in shapes (`cards`, `identity`, `registers`, `wallets`, `contacts`,
`credentials`) do, with bounded repetitions and edges; RE2 says first whether they occur at all.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from bridge.policy.folding import Folded
from bridge.policy.lexicon import Found, Lexicon, Shelters, Surroundings, is_latin
from bridge.policy.patterns import PatternSet, TooMany, compile_pattern, pattern_hits

LOW, MEDIUM, HIGH = range(3)
CONFIDENCE = {"low": LOW, "medium": MEDIUM, "high": HIGH}
CONFIDENCE_WORDS = {level: word for word, level in CONFIDENCE.items()}

# A bare number in a word list is a ticker only beside one of these words.
TICKER_WORDS = ("股", "港股", "代码", "hk", "hkd", "$", "stock", "ticker", "share", "shares", "code")
TICKER_WITHIN = 12
BETWEEN = "\n"  # the parts of a message; no folded text contains it


class Hit(NamedTuple):
    """A finding: (start, end) in the folded text, and how sure it is."""

    start: int
    end: int
    confidence: int = HIGH


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
    """The parts of a message, folded, and what was found in them so far: each question is answered once."""

    __slots__ = (
        "_before",
        "_candidates",
        "_engine",
        "_hits",
        "_near",
        "_parts",
        "_shelters",
        "_spoken",
        "_words",
        "now",
        "text",
    )

    def __init__(
        self,
        parts: Sequence[Folded],
        engine: Engine,
        now: datetime.datetime | None = None,
        earlier: Sequence[str] = (),
    ) -> None:
        """Look at `parts` at the moment `now` (None: at any time, so that every word counts).

        `earlier` is what the sender wrote before, newest last.
        """
        self._parts = parts
        self.now = now
        self._spoken = earlier
        self._before: dict[int, Scan] = {}
        self.text = BETWEEN.join(part.folded for part in parts) if len(parts) > 1 else parts[0].folded
        self._engine = engine
        self._words: dict[int, list[Found]] | None = None
        self._near: dict[tuple[int, int], Surroundings] = {}
        self._shelters: dict[int, Shelters] = {}
        self._candidates: frozenset[Finder] | None = None
        self._hits: dict[Finder, list[Hit]] = {}

    def written(self, start: int, end: int) -> str:
        """text[start:end], inside one part, as written: with capitals, without width and the invisible."""
        for part in self._parts:
            if end <= len(part.folded):
                return part.written(start, end)
            start, end = start - len(part.folded) - 1, end - len(part.folded) - 1
        raise IndexError(start)

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

    def earlier(self, number: int) -> Scan:
        """The sender's last message but `number` (0: the last one), for itself."""
        scan = self._before.get(number)
        if scan is None:
            text = Folded(self._spoken[-1 - number])
            scan = self._before[number] = Scan([text], self._engine, self.now)
        return scan

    def said_before(self, owner: int, messages: int) -> bool:
        """Whether a word of `owner` is anywhere in the sender's last so many messages."""
        return any(self.earlier(n).words(owner) for n in range(min(messages, len(self._spoken))))

    def hits(self, finder: Finder) -> list[Hit]:
        """What `finder`, one of the candidates, finds here."""
        found = self._hits.get(finder)
        if found is None:
            found = self._hits[finder] = finder.find(self)
        return found


# --- how sure -------------------------------------------------------------------------------------------


class Levels(NamedTuple):
    """How sure a finding is alone, and near a context word."""

    alone: int
    near: int


CERTAIN, FORMAT = Levels(HIGH, HIGH), Levels(LOW, HIGH)


@dataclass(frozen=True, slots=True)
class Context:
    """The owner of the words that make a finding surer, and how near they must be. None: there are none.

    Of the sender's `messages` earlier messages every word is near: who writes the word in one message and
    the number in the next writes nothing between them.
    """

    owner: int | None = None
    within: int = 0
    messages: int = 0

    def near(self, scan: Scan, start: int, end: int) -> bool:
        """Whether one of them is near text[start:end]."""
        if self.owner is None:
            return False
        if scan.near(self.owner, self.within, start, end):
            return True
        return self.messages > 0 and scan.said_before(self.owner, self.messages)


@dataclass(frozen=True, slots=True)
class Days:
    """Spans of days (both ends inclusive, None: no limit) by the calendar of `zone`."""

    spans: Sequence[tuple[datetime.date | None, datetime.date | None]]
    zone: datetime.tzinfo

    def include(self, now: datetime.datetime) -> bool:
        """Whether `now` is in one of them."""
        today = now.astimezone(self.zone).date()
        return any(
            (first is None or first <= today) and (last is None or today <= last)
            for first, last in self.spans
        )


# --- words ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class WordsFinder:
    """Words of several lists; a bare number counts only beside a word that makes it a ticker.

    `shelters` has, for an owner and one of its words, the owner of the longer words that make it innocent,
    `days` when the word counts.
    """

    owners: tuple[int, ...]
    ticker: int
    shelters: Mapping[tuple[int, str], int]
    days: Mapping[tuple[int, str], Days]
    context: Context
    levels: Levels

    def find(self, scan: Scan) -> list[Hit]:
        """See `Finder`."""
        places = {
            (start, end)
            for owner in self.owners
            for start, end, word in scan.words(owner)
            if self._counts(scan, owner, word, start, end)
        }
        return [Hit(*place, self.levels[self.context.near(scan, *place)]) for place in places]

    def _counts(self, scan: Scan, owner: int, word: str, start: int, end: int) -> bool:
        shelter = self.shelters.get((owner, word)) if self.shelters else None
        if shelter is not None and scan.sheltered(shelter, start, end):
            return False
        days = self.days.get((owner, word)) if self.days else None
        if days is not None and scan.now is not None and not days.include(scan.now):
            return False
        return not word.isdigit() or scan.near(self.ticker, TICKER_WITHIN, start, end)


# --- shapes ---------------------------------------------------------------------------------------------


class Finding(NamedTuple):
    """A place in the folded text, and how sure it is there alone and near a context word."""

    start: int
    end: int
    alone: int
    near: int


@dataclass(frozen=True, eq=False)
class Shape:
    """What can be recognised. `pattern` (RE2) occurs wherever `find` finds something.

    `words` are the context words of a detector that names none.
    """

    pattern: str
    find: Callable[[Scan], Iterable[Finding]]
    words: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ShapeFinder:
    """A shape with its context. `levels`, where written, replace those of the shape.

    What a context word cannot make certain does not become certain by a written level either.
    """

    shape: Shape
    context: Context
    levels: Levels | None

    def find(self, scan: Scan) -> list[Hit]:
        """See `Finder`."""
        return [Hit(found.start, found.end, self._level(scan, found)) for found in set(self.shape.find(scan))]

    def _level(self, scan: Scan, found: Finding) -> int:
        near = self.context.near(scan, found.start, found.end)
        if self.levels is None:
            return found.near if near else found.alone
        return min(self.levels[near], found.near)


WORD_EDGES = "(?<![a-z0-9])", "(?![a-z0-9])"
DIGIT_EDGES = "(?<![0-9])", "(?![0-9])"


def checked(
    pattern: str,
    grade: Callable[[str], Levels | None],
    *,
    words: tuple[str, ...] = (),
    edges: tuple[str, str] = WORD_EDGES,
    overlapping: bool = False,
    met: str = "",
) -> Shape:
    """A shape of one pattern (no groups that capture, no edges of its own), each match of which is graded.

    `grade` sees the folded match and answers None where it is none. `edges` say what may not stand before
    and behind it. `overlapping` looks at candidates inside candidates, too. `met` is a simpler pattern that
    occurs in every match, for RE2.
    """
    before, after = edges
    whole = f"({pattern}){after}"
    compiled = re.compile(before + (f"(?={whole})" if overlapping else whole))

    def find(scan: Scan) -> Iterator[Finding]:
        for match in compiled.finditer(scan.text):
            levels = grade(match.group(1))
            if levels is not None:
                yield Finding(*match.span(1), *levels)

    return Shape(met or pattern, find, words)


def written_pattern(pattern: str, boundary: str) -> Shape:
    """A pattern that somebody wrote. Raises `re2.error` if it is none."""
    compiled = compile_pattern(pattern)

    def find(scan: Scan) -> Iterator[Finding]:
        stands = functools.partial(_bounded, boundary, scan.text)
        return (Finding(*place, *CERTAIN) for place in pattern_hits(compiled, scan.text, stands))

    return Shape(pattern, find)


def _bounded(boundary: str, text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start], text[end : end + 1]
    if boundary == "none":
        return True
    if boundary == "digits":
        return not (before.isdigit() or after.isdigit())
    return not ((before and is_latin(before)) or (after and is_latin(after)))
