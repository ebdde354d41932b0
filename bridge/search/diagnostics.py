"""What is wrong with a query: where, in which words, and what to write instead.

Rules of this file: pure. Texts are in one table keyed by code, so that a second language is a second table.
Positions count characters of the query; carets count terminal cells, of which a Chinese character takes two.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

WIDEST = 100  # cells of a query that are shown around a caret
MOST_SHOWN = 10  # problems of one query that are explained


class Text(NamedTuple):
    """The words of one problem: a sentence, what stands beside the caret, and what to do."""

    sentence: str
    label: str
    help: str


EN: Mapping[str, Text] = {
    "Q001": Text("the query is longer than {most} characters", "from here", "search for less at once"),
    "Q002": Text("the query nests more than {most} levels deep", "too deep", "write it flatter"),
    "Q003": Text("the query has more than {most} terms", "from here", "split it into several searches"),
    "Q004": Text("this character is no text", "here", "delete it"),
    "Q010": Text("a quotation mark is opened and never closed", "opened here", "close it with {mark}"),
    "Q011": Text("a parenthesis is opened and never closed", "opened here", "close it with )"),
    "Q012": Text(
        "a parenthesis is closed that was never opened", "closed here", "delete it, or open one before"
    ),
    "Q013": Text("there is nothing in these parentheses", "empty", "write something inside, or delete them"),
    "Q014": Text(
        "{word} stands between two conditions, and one is missing", "here", 'to search for the word: "{word}"'
    ),
    "Q015": Text("- excludes what follows it, and nothing does", "here", "write -word, without a space"),
    "Q016": Text(
        "there is nothing to search for in this",
        "only signs",
        "search for words, numbers, Chinese characters or emoji",
    ),
    "Q017": Text(
        "* stands at the end of a word only",
        "here",
        "write the beginning of the word: inform*; Chinese needs no *",
    ),
    "Q018": Text("this says nothing", "empty quotes", "write something inside"),
    "Q019": Text(
        "a comma stands between values, and one is missing", "here", "write one,two without a space"
    ),
    "Q020": Text(
        "there is no qualifier {name}:",
        "unknown",
        'did you mean {close}? To search for it as text, write it in quotes: "{text}"',
    ),
    "Q021": Text("{name}: is not known in this version", "not known yet", "this version knows: {known}"),
    "Q022": Text("{name}: needs a value, directly behind the colon", "nothing here", "for example {example}"),
    "Q023": Text("{name}: does not know this value", "unknown", "did you mean {close}? It takes {known}"),
    "Q024": Text("{name}: does not take {op}", "here", "for example {example}"),
    "Q025": Text("a range has its ends already: it does not take {op}", "here", "for example {example}"),
    "Q026": Text("{name}: takes one value", "one too many", "for example {example}"),
    "Q027": Text("{name}: takes no parentheses", "here", "write several values with commas: {name}:one,two"),
    "Q028": Text("nobody and nothing is known by this name", "unknown", "did you mean {close}?"),
    "Q029": Text("{name}: does not take *", "here", "for example {example}"),
    "Q030": Text("this is no time", "not understood", "write it like {known}"),
    "Q031": Text("this range ends before it begins", "backwards", "put the smaller value first"),
    "Q032": Text("this is no number", "not understood", "for example {example}"),
    "Q033": Text("this is no size", "not understood", "for example {example}; units are B, KB, MB, GB"),
    "Q034": Text(
        "this is no digest, or too little of one",
        "not understood",
        "give the first {least} hexadecimal digits at least",
    ),
    "Q035": Text("there is no such time zone", "unknown", "write it like Asia/Hong_Kong or UTC"),
    "Q036": Text("{name}: shapes the whole search", "not in here", "write it once, outside of parentheses"),
    "Q037": Text("{name}: stands here for the second time", "again", "write it once"),
    "Q038": Text(
        "a search shows {least} to {most} messages at once", "out of bounds", "for example {example}"
    ),
    "Q042": Text(
        "{name}:{value} is not known in this version", "not known yet", "this version knows: {known}"
    ),
    "Q040": Text(
        "near() takes two terms and, if you like, a number",
        "here",
        "for example near(insider,tip,5) or near(内幕,消息)",
    ),
    "Q041": Text("near() counts from 1 to {most} words", "out of bounds", "for example near(insider,tip,5)"),
}


NEAREST = "Q028"
"""The problem that is explained by names out of the archive: whoever is told them was shown content."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: from `start` to `end` of `query`, in characters. `suggestions` are the nearest
    things that could be written there, best first.
    """

    code: str
    query: str
    start: int
    end: int
    values: Mapping[str, Any] = field(default_factory=dict)
    suggestions: tuple[str, ...] = ()

    @property
    def text(self) -> Text:
        """Its words."""
        close = ", ".join(self.suggestions)
        texts = EN[self.code]
        if not close:
            texts = texts._replace(help=_without_guess(texts.help))
        values = {**self.values, "close": close}
        return Text(*(one.format_map(values) for one in texts))

    def lines(self) -> list[str]:
        """As people read it in a terminal: the sentence, the query, a caret below, and the remedy."""
        text = self.text
        shown, before, covered = _window(_printable(self.query), self.start, self.end)
        carets = " " * cells(before) + "^" * max(cells(covered), 1)
        lines = [f"error[{self.code}]: {text.sentence}", f"  | {shown}", f"  | {carets} {text.label}"]
        return [*lines, f"  = {text.help}"] if text.help else lines

    def as_object(self) -> dict[str, Any]:
        """For programs: `start` and `end` count characters of the query."""
        text = self.text
        return {
            "code": self.code,
            "start": self.start,
            "end": self.end,
            "message": text.sentence,
            "help": text.help,
            "suggestions": list(self.suggestions),
        }


def _without_guess(help_: str) -> str:
    """A remedy without its first question, when there is nothing to guess."""
    question, mark, rest = help_.partition("? ")
    return rest if mark and "{close}" in question else "" if "{close}" in help_ else help_


def explained(problems: Sequence[Problem]) -> str:
    """All problems as one text."""
    blocks = ["\n".join(problem.lines()) for problem in problems[:MOST_SHOWN]]
    if len(problems) > MOST_SHOWN:
        blocks.append(f"and {len(problems) - MOST_SHOWN} more")
    return "\n\n".join(blocks)


def nearest(word: str, known: Sequence[str], most: int = 3) -> tuple[str, ...]:
    """What is known and written almost like `word`, nearest first."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    farthest = max(2, len(word) // 3)
    found = process.extract(word.lower(), known, scorer=OSA.distance, score_cutoff=farthest, limit=most)
    close = [one for one, distance, _ in found if distance == found[0][1]]
    starting = [one for one in known if len(word) > 1 and one.startswith(word.lower())]
    return tuple(dict.fromkeys([*close, *starting]))[:most]


# --- cells of a terminal --------------------------------------------------------------------------------


def cells(text: str) -> int:
    """How many terminal cells `text` takes."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _printable(query: str) -> str:
    """Nothing that a terminal would obey: one character stays one, so that positions hold."""
    seen = (
        " " if c.isspace() else "�" if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in query
    )
    return "".join(seen)


def _window(query: str, start: int, end: int) -> tuple[str, str, str]:
    """What is shown of a query, what of it is before the caret, and what is above the caret."""
    before, covered, after = query[:start], query[start:end], query[end:]
    if cells(query) <= WIDEST:
        return query, before, covered
    before, covered = _last(before, WIDEST // 3), _first(covered, WIDEST // 3)
    after = _first(after, WIDEST - cells(before) - cells(covered))
    return before + covered + after, before, covered


def _first(text: str, most: int) -> str:
    return text if cells(text) <= most else _fitting(text, most - 1) + "…"


def _last(text: str, most: int) -> str:
    return text if cells(text) <= most else "…" + _fitting(text[::-1], most - 1)[::-1]


def _fitting(text: str, most: int) -> str:
    used = 0
    for place, char in enumerate(text):
        used += _width(char)
        if used > most:
            return text[:place]
    return text
