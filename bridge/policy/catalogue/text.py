"""The forms that words have in every language: those of a diagnostic, and those of a code's page.

Rules of this file: no words in it.
"""

from __future__ import annotations

from typing import NamedTuple


class Text(NamedTuple):
    """The words of one diagnostic: a sentence, what stands beside the caret, and what to do."""

    sentence: str
    label: str = ""
    help: str = ""


class PageText(NamedTuple):
    """The page of one code: a title, what it means, and why it matters."""

    title: str
    meaning: str
    matters: str
