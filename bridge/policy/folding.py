"""Folding: the many ways to write the same characters become one, and the way back stays known.

Rules of this file: folding works one character at a time, so that the way back is exact. A character
becomes its compatibility form (Unicode NFKC: full-width digits, ligatures), without case, without accents;
every digit, circled ones too, becomes 0-9; a Traditional character becomes its Simplified one; invisible
characters vanish; runs of white space become one space. Whole words are never looked at: a list and a text
go through the same table, so that 乾坤 and 干坤 are equal on both sides.
A folded text therefore never contains a line end: "\\n" may separate several of them.
"""

from __future__ import annotations

import functools
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence

import regex

Span = tuple[int, int]

_INVISIBLE = {"Mn", "Me", "Cf", "Cc"}
# Letters by category, blank by shape: fillers that are used to split words.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")
# Kana voicing marks make another letter, as accents do not.
_VOICING = frozenset("\u3099\u309a")
_GRAPHEME = regex.compile(r"\X")
# A text without any of these has one character to a grapheme (Unicode Annex 29).
_JOINING = regex.compile(r"[^\p{GCB=Other}\p{GCB=Control}\p{GCB=LF}]")

# Spellings of one word that OpenCC keeps apart: both sides of each pair are in daily use.
_VARIANTS = str.maketrans("帐著妳甦衞発経済対広図黒銭気鬪", "账着你苏卫发经济对广图黑钱气斗")
# White letters on black circles and squares: Unicode gives them no compatibility form.
_NEGATIVE_LETTERS = {
    first + place: chr(ord("a") + place) for first in (0x1F150, 0x1F170) for place in range(26)
}


@functools.cache
def _converter() -> Callable[[str], str]:
    """OpenCC's Traditional to Simplified. Loaded with the first Chinese character, not with the program."""
    from opencc import OpenCC

    convert: Callable[[str], str] = OpenCC("t2s").convert
    return convert


def is_han(char: str) -> bool:
    """Whether `char` is a Chinese character (the unified ideographs of every plane)."""
    return "\u3400" <= char <= "\u9fff" or "\U00020000" <= char <= "\U000323af"


def _simplified(char: str) -> str:
    """The Simplified form of a Chinese character, itself for any other."""
    if not is_han(char):
        return char
    simple = _converter()(char).translate(_VARIANTS)
    return simple if simple == char else _simplified(simple)


def _plain_digit(char: str) -> str:
    """0-9 for whatever is a digit of some script or shape."""
    digit = None if char.isascii() else unicodedata.digit(char, None)
    return char if digit is None else str(digit)


def _bare(char: str) -> str:
    """The visible letters of one compatibility-decomposed character."""
    seen = (c for c in unicodedata.normalize("NFKD", char.casefold()) if c not in _BLANK)
    return "".join(c for c in seen if c in _VOICING or unicodedata.category(c) not in _INVISIBLE)


def _fold_character(char: str) -> str:
    if char.isspace():
        return " "
    if unicodedata.category(char) == "Cs":
        return "\ufffd"  # half of a pair: no encoder takes it
    plain = unicodedata.normalize("NFKC", char).translate(_NEGATIVE_LETTERS)
    folded = unicodedata.normalize("NFKC", _bare(plain).casefold())
    return "".join(" " if c.isspace() else _simplified(_plain_digit(c)) for c in folded)


class _Table(dict[int, str]):
    """Each character's fold, computed when it is first met. At most as large as Unicode."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _fold_character(chr(code))
        return folded


_TABLE = _Table()

# The same for ASCII, where a table of bytes is ten times as fast: what becomes of each, and what vanishes.
_OF_ASCII = [_TABLE[code] for code in range(128)]
_BYTES = bytes(ord(folded or " ") for folded in _OF_ASCII) + bytes(range(128, 256))
_GONE = bytes(code for code, folded in enumerate(_OF_ASCII) if not folded)


def _ascii(text: str) -> str:
    return text.encode().translate(_BYTES, _GONE).decode()


def fold(text: str) -> str:
    """The folded form of `text`. Folding twice changes nothing."""
    folded = _ascii(text) if text.isascii() else text.translate(_TABLE)
    while "  " in folded:
        folded = folded.replace("  ", " ")
    return folded


def origins(text: str) -> Sequence[int]:
    """For each character of `fold(text)`, the index of the character of `text` it comes from."""
    found: list[int] = []
    space = False
    for index, char in enumerate(text):
        for folded in _TABLE[ord(char)]:
            if not (space and folded == " "):
                found.append(index)
            space = folded == " "
    return found


def widen(text: str, spans: Iterable[Span]) -> list[Span]:
    """`spans` of `text`, grown to whole graphemes: nobody can mask half of what a reader sees as one."""
    if _JOINING.search(text) is None:
        return sorted(set(spans))
    edges = [match.start() for match in _GRAPHEME.finditer(text)] + [len(text)]
    return sorted(
        {(edges[bisect_right(edges, start) - 1], edges[bisect_left(edges, end)]) for start, end in spans}
    )


class Folded:
    """One text and its folded form; the way back is computed when it is first asked for."""

    __slots__ = ("_origins", "folded", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded = fold(text)
        self._origins: Sequence[int] | None = None

    def written(self, start: int, end: int) -> str:
        """What stands for folded[start:end] in the text: with capitals, without width and the invisible."""
        source = self._sources()
        piece = unicodedata.normalize("NFKC", self.text[source[start] : source[end - 1] + 1])
        return "".join(char for char in piece if fold(char))

    def _sources(self) -> Sequence[int]:
        if self._origins is None:
            self._origins = origins(self.text)
        return self._origins

    def originals(self, spans: Iterable[Span]) -> list[Span]:
        """The places in the text of `spans` of its folded form: sorted, whole graphemes, no repeats."""
        source = self._sources()
        return widen(self.text, [(source[start], source[end - 1] + 1) for start, end in spans if end > start])


def graphemes(text: str) -> list[str]:
    """What a reader sees as single characters."""
    return list(_GRAPHEME.findall(text))
