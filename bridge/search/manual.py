"""The manual of the language, made from its tables: qualifiers, their values, states, limits.

Rules of this file: pure; it writes Markdown and decides nothing. `docs/search.md` ends with what it writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bridge.search.facets import HAVING
from bridge.search.grammar import DEEPEST, LONGEST, MOST_TERMS
from bridge.search.qualifiers import LATER, LATER_VALUES, ROWS, SHAPES, Row
from bridge.search.states import STATES

GROUPS = {
    "who": "Who",
    "where": "Where",
    "what": "What",
    "decision": "Decisions",
    "state": "State",
    "when": "When",
    "identity": "Identity",
}


def reference() -> str:
    """Every qualifier with its values and an example; states; limits."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "## Qualifiers"
    for group, title in GROUPS.items():
        rows = [row for row in ROWS if row.group == group]
        yield from ("", f"### {title}", "")
        yield from _table(("Qualifier", "Finds", "Takes", "Example"), map(_row, rows))
    yield from ("", "### Shape of the answer", "")
    shapes = ((f"`{name}:`", meaning, f"`{example}`") for name, (meaning, example) in SHAPES.items())
    yield from _table(("Qualifier", "Means", "Example"), shapes)
    yield from ("", "### Values of `is:`", "")
    yield from _table(("State", "Means"), ((f"`{name}`", state.meaning) for name, state in STATES.items()))
    yield from ("", "### Values of `has:`", "")
    yield from _table(("Value", "Means"), ((f"`{name}`", meaning) for name, (meaning, _) in HAVING.items()))
    yield from ("", "## Limits", "")
    yield f"A query has at most {LONGEST} characters, {MOST_TERMS} terms and {DEEPEST} levels of parentheses."
    later = [f"`{name}:`" for name in LATER]
    later += [f"`{name}:{value}`" for name, values in LATER_VALUES.items() for value in values]
    yield f"Not known in this version, and refused as such: {', '.join(later)}."


def _row(row: Row) -> tuple[str, ...]:
    return f"`{row.name}:`", row.meaning, _takes(row), f"`{row.example}`"


def _takes(row: Row) -> str:
    """The forms of a row's values."""
    forms = [f"`{value}`" for value in row.values] if row.name not in ("is", "has") else ["see below"]
    if row.ops:
        forms.append("signs " + " ".join(f"`{op}`" for op in row.ops))
    if row.ranges:
        forms.append("ranges `a..b`")
    return ", ".join(forms).replace("|", "\\|") or "a name"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    titles = list(head)
    yield "| " + " | ".join(titles) + " |"
    yield "|" + "---|" * len(titles)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
