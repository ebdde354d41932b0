"""The form that the words of a diagnostic have in every language.

Rules of this file: no words in it.
"""

from __future__ import annotations

from typing import NamedTuple


class Text(NamedTuple):
    """The words of one diagnostic: a sentence, what stands beside the caret, and what to do."""

    sentence: str
    label: str = ""
    help: str = ""
