"""The grammar: a query's text as a tree of what was written, whatever may be wrong with it.

Rules of this file: pure recursive descent, one look at each character; it knows no qualifier. It goes on
after an error, so that all of them are told at once. Full-width signs, letters and digits mean what their
ASCII counterparts mean; what is searched for is taken from the text as it was typed.

    query     = or
    or        = and { "OR" and }                    and = not { [ "AND" ] not }
    not       = { "-" | "NOT" } atom
    atom      = "(" or ")" | near | qualifier | phrase | word
    near      = "near(" term "," term [ "," number ] ")"
    qualifier = name ":" [ op ] value { "," value }      op = ">" | ">=" | "<" | "<=" | "="
    value     = phrase | bare, up to a comma, a space or a parenthesis; a..b is a range
    phrase    = '"' text '"' | “text” | 「text」 | 『text』, with \\" and \\\\ for the signs themselves
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

LONGEST = 4096  # characters
DEEPEST = 32  # levels
MOST_TERMS = 256


class Limits(NamedTuple):
    """How much is read at all: characters, levels of parentheses, terms."""

    longest: int
    deepest: int
    most_terms: int


TYPED = Limits(LONGEST, DEEPEST, MOST_TERMS)
"""What a person may type."""
# Twice the levels of what was typed: the canonical text writes parentheses for both words of "a b OR c".
COMPOSED = Limits(1 << 24, 2 * DEEPEST + 8, 1 << 20)
"""What the program itself may write, out of many queries that were typed."""

_ASCII = {0xFF01 + n: 0x21 + n for n in range(94)}
_SIGNS = _ASCII | dict.fromkeys(map(ord, "“”„‟〝〞"), '"') | {0x3001: ",", 0x3000: " ", 0x2212: "-"}
_CLOSES = {'"': '"', "「": "」", "『": "』"}

_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"([A-Za-z][A-Za-z_-]*):")
_NEAR = re.compile(r"near\(", re.IGNORECASE)
_WORD = re.compile(r'[^\s()"「」『』]+')
_BARE = re.compile(r'[^\s(),"「」『』]+')
_NEAR_TERM = re.compile(r'[^(),"「」『』]+')
_OP = re.compile(r"[<>]=?|=")


@dataclass(frozen=True, slots=True)
class Piece:
    """Something written: `text` as it was typed (quotes taken off), `plain` with ASCII signs."""

    text: str
    plain: str
    start: int
    end: int
    quoted: bool = False
    star: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """`name:op values`, at a place."""

    name: str
    op: str
    values: tuple[Piece, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Close:
    """`near(…)`: its arguments, at a place."""

    arguments: tuple[Piece, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Group:
    """`kind` is and, or, not: its parts, at a place."""

    kind: str
    parts: tuple[Written, ...]
    start: int
    end: int


Written = Piece | Asked | Close | Group
Complain = Callable[..., None]


class TooMuch(Exception):
    """The query goes beyond what is read at all; the complaint was made."""


class Grammar:
    """One text while it is read: `complain(code, start, end, **values)` is told of all that is wrong."""

    def __init__(self, text: str, complain: Complain, limits: Limits = TYPED) -> None:
        self.text = text
        self.limits = limits
        self.plain = text.translate(_SIGNS)
        self.complain = complain
        self._at = 0
        self._depth = 0
        self._terms = 0

    def read(self) -> Written | None:
        """What was written, None if nothing was. Raises `TooMuch` beyond the limits."""
        most = self.limits.longest
        if len(self.text) > most:
            self.complain("Q001", most, len(self.text), most=most)
            raise TooMuch
        found: list[Written] = []
        while self._more():
            one = self._or()
            if one is not None:
                found.append(one)
            if self._peek() == ")":
                self.complain("Q012", self._at, self._at + 1)
                self._at += 1
        return _group("and", found)

    # --- levels ---

    def _or(self) -> Written | None:
        parts, missing = [self._and()], False
        while word := self._keyword("OR"):
            missing = parts[-1] is None
            parts.append(self._and())
            if missing or parts[-1] is None:
                self.complain("Q014", word[0], word[1], word="OR")
        return _group("or", [part for part in parts if part is not None])

    def _and(self) -> Written | None:
        parts: list[Written] = []
        while self._more() and self._peek() != ")" and not self._sees("OR"):
            if word := self._keyword("AND"):
                if not parts or not self._more() or self._peek() == ")" or self._sees("OR"):
                    self.complain("Q014", word[0], word[1], word="AND")
                continue
            one = self._not()
            if one is not None:
                parts.append(one)
        return _group("and", parts)

    def _not(self) -> Written | None:
        start, negated = self._at, False
        while sign := self._minus():
            negated = not negated
            if not self._more() or self._peek() == ")" or self._gap_behind(sign) or self._sees("OR"):
                self.complain("Q015", *sign)
                return None
        one = self._atom()
        if one is None or not negated:
            return one
        return Group("not", (one,), start, self._at)

    def _minus(self) -> tuple[int, int] | None:
        if word := self._keyword("NOT"):
            return word
        if self._peek() != "-":
            return None
        self._at += 1
        return self._at - 1, self._at

    def _gap_behind(self, sign: tuple[int, int]) -> bool:
        """Whether a minus stands alone: `a - b` is not `a -b`."""
        return sign[1] - sign[0] == 1 and self.plain[sign[1] : sign[1] + 1].isspace()

    def _atom(self) -> Written | None:
        if self._peek() == "(":
            return self._parentheses()
        self._count()
        if self._peek() in _CLOSES:
            return self._phrase()
        if _NEAR.match(self.plain, self._at):
            return self._near()
        if found := _NAME.match(self.plain, self._at):
            return self._qualifier(found)
        return self._word(_WORD)

    def _parentheses(self) -> Written | None:
        opened = self._at
        self._at += 1
        self._depth += 1
        if self._depth > self.limits.deepest:
            self.complain("Q002", opened, opened + 1, most=self.limits.deepest)
            raise TooMuch
        inner = self._or()
        self._depth -= 1
        if self._peek() != ")":
            self.complain("Q011", opened, opened + 1)
            return inner
        self._at += 1
        if inner is None:
            self.complain("Q013", opened, self._at)
        return inner

    def _count(self) -> None:
        self._terms += 1
        if self._terms > self.limits.most_terms:
            self.complain("Q003", self._at, len(self.text), most=self.limits.most_terms)
            raise TooMuch

    # --- atoms ---

    def _phrase(self) -> Piece:
        opened, mark = self._at, self.plain[self._at]
        closed = self._closing(opened + 1, _CLOSES[mark])
        if closed < 0:
            self.complain("Q010", opened, opened + 1, mark=_CLOSES[mark])
            closed = len(self.text)
        inner = slice(opened + 1, closed)
        self._at = min(closed + 1, len(self.text))
        star = self._star()
        return Piece(
            _unescaped(self.text[inner]), _unescaped(self.plain[inner]), opened, self._at, True, star
        )

    def _closing(self, at: int, mark: str) -> int:
        """Where a quotation ends: -1 if nowhere. A backslash takes its meaning from a mark."""
        while at < len(self.plain):
            if self.plain[at] == mark:
                return at
            at += 2 if self.plain[at] == "\\" else 1
        return -1

    def _star(self) -> bool:
        if self._at < len(self.plain) and self.plain[self._at] == "*":
            self._at += 1
            return True
        return False

    def _word(self, shape: re.Pattern[str]) -> Piece | None:
        found = shape.match(self.plain, self._at)
        if found is None:  # a closing 」 without its 「
            self.complain("Q004", self._at, self._at + 1)
            self._at += 1
            return None
        start, self._at = self._at, found.end()
        return self._bare(start, found.end())

    def _bare(self, start: int, end: int) -> Piece:
        star = self.plain[end - 1] == "*" and end - start > 1
        last = end - star
        return Piece(self.text[start:last], self.plain[start:last], start, end, False, star)

    def _qualifier(self, found: re.Match[str]) -> Asked:
        start, self._at = self._at, found.end()
        op = _OP.match(self.plain, self._at)
        self._at = op.end() if op else self._at
        values = self._values()
        return Asked(found[1].lower(), op[0] if op else "", tuple(values), start, self._at)

    def _values(self) -> list[Piece]:
        values: list[Piece] = []
        while (value := self._value()) is not None:
            values.append(value)
            if self.plain[self._at : self._at + 1] != ",":
                return values
            self._count()
            self._at += 1
        if values:
            self.complain("Q019", self._at - 1, self._at)
        return values

    def _value(self) -> Piece | None:
        if self.plain[self._at : self._at + 1] in tuple(_CLOSES):
            return self._phrase()
        if _BARE.match(self.plain, self._at) is None:
            return None
        return self._word(_BARE)

    def _near(self) -> Close:
        start = self._at
        self._at += len("near(")
        arguments: list[Piece] = []
        while self._more():
            if self._peek() in _CLOSES:
                arguments.append(self._phrase())
            elif found := _NEAR_TERM.match(self.plain, self._at):
                self._at = found.end()
                arguments.append(self._bare(found.start(), found.start() + len(found[0].rstrip())))
            if self._peek() != ",":
                break
            self._at += 1
        if self._peek() == ")":
            self._at += 1
        else:
            self.complain("Q011", start + 4, start + 5)
            self._at = _to_the_end(self.plain, self._at)
        return Close(tuple(arguments), start, self._at)

    # --- what comes next ---

    def _more(self) -> bool:
        """Whether anything but space follows; goes there."""
        if self._at < len(self.plain) and not self.plain[self._at].isspace():
            return True
        self._at = _SPACE.match(self.plain, self._at).end()  # type: ignore[union-attr]
        return self._at < len(self.plain)

    def _peek(self) -> str:
        return self.plain[self._at] if self._more() else ""

    def _sees(self, word: str) -> bool:
        """Whether this word, in capitals and alone, comes next."""
        if not self.plain.startswith(word, self._at):
            return False
        found = _WORD.match(self.plain, self._at)
        return found is not None and found[0] == word

    def _keyword(self, word: str) -> tuple[int, int] | None:
        if not self._more() or not self._sees(word):
            return None
        self._at += len(word)
        return self._at - len(word), self._at


def _to_the_end(plain: str, at: int) -> int:
    """Behind the next closing parenthesis, or the end."""
    closed = plain.find(")", at)
    return len(plain) if closed < 0 else closed + 1


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL) if "\\" in text else text


def _group(kind: str, parts: list[Written]) -> Written | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return Group(kind, tuple(parts), parts[0].start, parts[-1].end)
