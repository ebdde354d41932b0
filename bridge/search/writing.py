"""The canonical way to write a query: what `str()` gives reads back as the same query.

Rules of this file: pure; a value stands in quotes unless it needs none.
"""

from __future__ import annotations

import re

from bridge.search.terms import Term

_BARE = re.compile(r"(?!near$)(?![-=<>])[^\W_](?:[\w.@/·'+-](?<!\.\.))*")
_RESERVED = {"OR", "AND", "NOT"}


def value(asked: Term | str) -> str:
    """A value as a query writes it."""
    if isinstance(asked, Term):
        return quoted(asked.written) + "*" * asked.prefix
    return quoted(asked)


def quoted(text: str) -> str:
    """`text`, in quotes unless it needs none."""
    if _BARE.fullmatch(text) and text not in _RESERVED:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def written(name: str, term: Term) -> str:
    """A search in texts: a bare term, or `name:term`."""
    return f"{name}:{'=' * term.exact}{value(term)}" if name else value(term)
