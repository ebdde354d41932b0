"""The parts of a folded text: words, running scripts and symbols. What stands between them never counts.

Rules of this file: pure, and about folded text alone (`bridge.policy.folding.fold`). The definition is the
same for what is archived and for what is asked, which is why an index made of parts misses nothing:

    word       letters and digits in a row: `iphone15`, `don` and `t` in don't
    running    Chinese characters and kana in a row; no segmenter: dictionaries change, evidence does not
    symbol     one emoji or currency sign or other picture

Everything else separates: punctuation, spaces, mathematical signs, the underscore. The classes are written
out as ranges, so that what an index knows does not change with the Unicode tables of a Python version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from operator import add
from typing import NamedTuple

# Han and kana without the marks between them (the middle dot of foreign names separates, as a comma does).
RUNNING = "々〇〻ぁ-ゖゝ-ゟァ-ヺー-ヿㄅ-ㄯㆠ-ㆿㇰ-ㇿ㐀-䶿一-鿿\U00020000-\U0003ffff"
SYMBOLS = "$¢-©®°₠-⃏ℂ-⅏←-⯿\ue000-\uf8ff\U0001f000-\U0001fbff\ufffd"
WORD = rf"[^\W_{RUNNING}{SYMBOLS}]"

_WORDS = re.compile(rf"{WORD}+")
_ASCII_WORDS = re.compile("[0-9a-z]+")
_RUNS = re.compile(f"[{RUNNING}]+")
_SYMBOL = re.compile(f"[{SYMBOLS}]")
_PART = re.compile(rf"(?P<word>{WORD}+)|(?P<run>[{RUNNING}]+)|(?P<symbol>[{SYMBOLS}])")


class Part(NamedTuple):
    """One part of a folded text: `kind` is word, run or symbol."""

    kind: str
    text: str
    start: int
    end: int


def parts(folded: str) -> Iterator[Part]:
    """The parts of a folded text in order."""
    for found in _PART.finditer(folded):
        yield Part(found.lastgroup or "", found[0], found.start(), found.end())


def sought(part: Part) -> set[str]:
    """Of what an index knows, all that a text has which contains `part`."""
    if part.kind == "run" and len(part.text) > 1:
        return set(map(add, part.text, part.text[1:]))
    return {part.text}


def known(folded: str) -> list[str]:
    """Every word that an index is to know a folded text by; some may come twice.

    Of a run: every character, and every two neighbours.
    """
    if folded.isascii():
        found = _ASCII_WORDS.findall(folded)
        return [*found, "$"] if "$" in folded else found
    found = _WORDS.findall(folded)
    for run in _RUNS.findall(folded):
        found += run
        found += map(add, run, run[1:])
    found += _SYMBOL.findall(folded)
    return found
