"""Terms: what can be found in a text, exactly defined on its folded form.

Rules of this file: pure. A term is a sequence of parts; it is in a text where these parts follow each other
with nothing but separators between them. A word is a whole word, a Chinese run is any part of a run, so
`内幕` is in 内幕消息 and `form` is not in information. `A股` is two parts. There is no other kind of match.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from bridge.policy.folding import Folded, fold
from bridge.search.parts import RUNNING, SYMBOLS, WORD, Part, parts, sought

Span = tuple[int, int]

# Signs that end a word, before folding and after; and an end of the text. Compiled once: to compile so wide a
# class for each term takes longer than to read a thousand messages.
_stays = re.compile(r"[ -/:-@\[-`{-~一-鿿]?").fullmatch

# Possessive: what separates is never looked at twice, so that finding stays linear in the text.
_BETWEEN = rf"(?:(?![{RUNNING}{SYMBOLS}])[\W_])*+"


@dataclass(frozen=True)
class Term:
    """Something to look for: `written` by the person who asks, `prefix` if its last word may go on.

    `exact` is also to be there just as it is written: script, case and accents.
    """

    written: str
    prefix: bool = False
    exact: bool = False
    folded: str = field(init=False, compare=False, repr=False)
    parts: tuple[Part, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        folded = fold(self.written)
        object.__setattr__(self, "folded", folded.strip())
        object.__setattr__(self, "parts", tuple(parts(folded)))

    @cached_property
    def words(self) -> frozenset[str]:
        """Words that an index knows every text by that contains this term."""
        whole = self.parts[:-1] if self.prefix and self.parts[-1].kind == "word" else self.parts
        return frozenset().union(*map(sought, whole))

    @cached_property
    def _plain(self) -> str:
        """The term itself when finding it as a substring is all there is to do, "" otherwise."""
        return self.parts[0].text if len(self.parts) == 1 and self.parts[0].kind != "word" else ""

    @cached_property
    def _first(self) -> str:
        return max((part.text for part in self.parts), key=len)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        last = len(self.parts) - 1
        pieces = [_piece(part, self.prefix and place == last) for place, part in enumerate(self.parts)]
        return re.compile(_BETWEEN.join(pieces))

    @cached_property
    def _literal(self) -> re.Pattern[str]:
        """The written form with nothing of a word before or behind it."""
        written = self.written.strip()
        before = rf"(?<!{WORD})" if _wordlike(written[0]) else ""
        behind = rf"(?!{WORD})" if _wordlike(written[-1]) and not self.prefix else ""
        return re.compile(before + re.escape(written) + behind, re.DOTALL)

    @cached_property
    def _plainly(self) -> str:
        """What to look for in a text that was not folded; "" where to find it would prove nothing."""
        return "" if len(self.parts) != 1 or self.exact or self.prefix else self.parts[0].text

    def is_plain_in(self, text: str) -> bool:
        """Whether a look at `text` as it was written finds the term; False says nothing.

        What is folded already, and stands between signs that folding leaves where they are, stays there.
        """
        literal = self._plainly
        if not literal or self._plain:
            return bool(literal) and literal in text
        at = text.find(literal)
        while at >= 0:
            end = at + len(literal)
            if _stays(text[max(at - 1, 0) : at]) and _stays(text[end : end + 1]):
                return True
            at = text.find(literal, at + 1)
        return False

    def within(self, folded: str, text: str) -> bool:
        """Whether the term is in `text`, whose folded form is `folded`."""
        if self._first not in folded:
            return False
        if not self._plain and self._pattern.search(folded) is None:
            return False
        return not self.exact or self._literal.search(text) is not None

    def places(self, folded: str) -> Iterator[Span]:
        """Where the term is in a folded text."""
        return (found.span() for found in self._pattern.finditer(folded))

    def originals(self, folded: Folded) -> list[Span]:
        """Where the term is in the text as it was written: whole graphemes, in order."""
        if self.exact:
            return [found.span() for found in self._literal.finditer(folded.text)]
        return folded.originals(self.places(folded.folded))

    def __str__(self) -> str:
        return self.written


def _wordlike(char: str) -> bool:
    return re.fullmatch(WORD, char) is not None


def _piece(part: Part, goes_on: bool) -> str:
    literal = re.escape(part.text)
    if part.kind != "word":
        return literal
    # The literal comes first: that is what the search looks for, before it looks around.
    return rf"{literal}(?<!{WORD}{literal})" + ("" if goes_on else rf"(?!{WORD})")
