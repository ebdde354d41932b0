"""A page for each code: what it means, why it matters, a wrong example and a right one.

Rules of this file: the words are in a table for each language, the examples (in `examples`) are the same
for all. A test runs them: the wrong one yields its code, the right one nothing at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Words(NamedTuple):
    """The words of a page in one language: a title, a paragraph of meaning, a paragraph of reason."""

    title: str
    meaning: str
    matters: str


class CodePage(NamedTuple):
    """The page of one code. The examples are parts of a policy file; "" where none can be written."""

    words: Mapping[str, Words]
    wrong: str = ""
    right: str = ""


PAGES: Mapping[str, CodePage] = {}
