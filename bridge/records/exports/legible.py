"""Text as a format can carry it: what it forbids, or what would deceive a reader, is written out visibly.

Rules of this file: pure; nothing is ever left out. A character that cannot stand becomes its code point in
white brackets, "⟦U+0000⟧", and the caller is told, so that it can keep the original beside and warn.
"""

from __future__ import annotations

import re

_XML = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_UNSEEN = "\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff"

FORBIDDEN = re.compile(f"[{_XML}]")
"""What XML 1.0 (section 2.2, Char) has no way to write, lone surrogates among it."""

DECEIVING = re.compile(f"[{_XML}{_UNSEEN}]")
"""The same, and controls that turn, hide or break what people read (UAX #9: overrides, isolates …)."""

_LINE = re.compile(r"[\x00-\x1f]")


def spelled(text: str, pattern: re.Pattern[str] = DECEIVING) -> str:
    """`text` with every match of `pattern` as its code point."""
    return pattern.sub(lambda found: "".join(f"⟦U+{ord(one):04X}⟧" for one in found[0]), text)


def altered(text: str, pattern: re.Pattern[str] = DECEIVING) -> bool:
    """Whether `spelled` would change `text`."""
    return pattern.search(text) is not None


def one_break(text: str) -> str:
    """`text` with one kind of break between its lines, whichever ended them."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def one_line(text: str) -> str:
    """`text` for a place that has one line, such as a header: breaks become spaces, the rest is spelled."""
    return spelled(_LINE.sub(" ", text.replace("\r\n", " "))).strip()
