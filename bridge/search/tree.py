"""Conditions joined by and, or and not: what they need of an index, when they may hold, whether they do.

Rules of this file: it knows no single condition. Negation goes down to the conditions in every question
(not (a or b) is not-a and not-b), so that what stands inside a double negation still helps the index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from bridge.search.document import EVERYTHING, All, Any, Need, Span
from bridge.search.reading import Reading

Places = Iterator[tuple[str, list[tuple[int, int]]]]
OPEN = Span()


class Condition(Protocol):
    """One thing that a document is or is not. `cost` says in which order to ask: cheap ones first.

    Its text is the canonical way to write it; conditions with one text are equal.
    """

    @property
    def cost(self) -> int:
        """When to ask it: cheap ones first."""
        ...

    @property
    def need(self) -> Need:
        """What every accepted document has."""
        ...

    def accepts(self, reading: Reading) -> bool:
        """Whether the document fulfils it."""
        ...

    def places(self, reading: Reading) -> Places:
        """Where it stands, by field, in characters of the original."""
        ...


@dataclass(frozen=True)
class Leaf:
    """One condition, and where it stands in the query."""

    condition: Condition
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)

    @property
    def cost(self) -> int:
        """That of its condition."""
        return self.condition.cost

    def accepts(self, reading: Reading) -> bool:
        """Whether the condition holds."""
        return self.condition.accepts(reading)

    def __str__(self) -> str:
        return str(self.condition)


@dataclass(frozen=True)
class Not:
    """What `part` does not accept."""

    part: Node
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)

    @property
    def cost(self) -> int:
        """That of its part."""
        return self.part.cost

    def accepts(self, reading: Reading) -> bool:
        """Whether the part does not hold."""
        return not self.part.accepts(reading)

    def __str__(self) -> str:
        return f"-{_bracketed(self.part)}"


@dataclass(frozen=True)
class _Many:
    """Parts that are tried cheapest first, until the answer is known."""

    parts: tuple[Node, ...]
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)

    @cached_property
    def cost(self) -> int:
        """That of its dearest part."""
        return max((part.cost for part in self.parts), default=0)

    @cached_property
    def _cheap_first(self) -> tuple[Node, ...]:
        return tuple(sorted(self.parts, key=lambda part: part.cost))


class And(_Many):
    """What every part accepts; without parts, everything."""

    def accepts(self, reading: Reading) -> bool:
        """Whether all parts hold."""
        return all(part.accepts(reading) for part in self._cheap_first)

    def __str__(self) -> str:
        return " ".join(map(_bracketed, self.parts))


class Or(_Many):
    """What one part at least accepts."""

    def accepts(self, reading: Reading) -> bool:
        """Whether any part holds."""
        return any(part.accepts(reading) for part in self._cheap_first)

    def __str__(self) -> str:
        return " OR ".join(map(_bracketed, self.parts))


Node = Leaf | Not | And | Or


def _bracketed(node: Node) -> str:
    return f"({node})" if isinstance(node, And | Or) else str(node)


def joined(kind: type[And] | type[Or], parts: Sequence[Node]) -> Node:
    """`parts` as one node: flat, and no node around a single one."""
    flat: list[Node] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, kind) else (part,))
    if len(flat) == 1:
        return flat[0]
    return kind(tuple(flat), parts[0].start if parts else 0, parts[-1].end if parts else 0)


# --- what an index can be asked -------------------------------------------------------------------------


def need_of(node: Node, negated: bool = False) -> Need:
    """What every document has that `node` accepts (or, if `negated`, does not)."""
    if isinstance(node, Leaf):
        return EVERYTHING if negated else node.condition.need
    if isinstance(node, Not):
        return need_of(node.part, not negated)
    needs = [need_of(part, negated) for part in node.parts]
    return every(needs) if isinstance(node, And) != negated else some(needs)


def every(needs: Sequence[Need]) -> Need:
    """All of them: flat, each once."""
    flat: dict[Need, None] = {}
    for need in needs:
        flat.update(dict.fromkeys(need.parts if isinstance(need, All) else (need,)))
    return next(iter(flat)) if len(flat) == 1 else All(tuple(flat))


def some(needs: Sequence[Need]) -> Need:
    """One of them at least: flat, each once; everything if one of them is."""
    flat: dict[Need, None] = {}
    for need in needs:
        flat.update(dict.fromkeys(need.parts if isinstance(need, Any) else (need,)))
    if EVERYTHING in flat:
        return EVERYTHING
    return next(iter(flat)) if len(flat) == 1 else Any(tuple(flat))


def is_indexed(need: Need) -> bool:
    """Whether an index can leave documents out for this need, by a word or by a state."""
    if isinstance(need, All):
        return any(map(is_indexed, need.parts))
    if isinstance(need, Any):
        return all(map(is_indexed, need.parts))
    return not isinstance(need, Span)


def span_of(need: Need) -> Span:
    """The times and numbers outside of which nothing can fulfil `need`."""
    if isinstance(need, Span):
        return need
    if isinstance(need, All):
        return _both([span_of(part) for part in need.parts])
    if isinstance(need, Any) and need.parts:
        return _either([span_of(part) for part in need.parts])
    return OPEN


def _both(spans: Sequence[Span]) -> Span:
    return Span(
        since=max((span.since for span in spans), default=0),
        until=_least([span.until for span in spans]),
        first=max((span.first for span in spans), default=0),
        last=_least([span.last for span in spans]),
    )


def _either(spans: Sequence[Span]) -> Span:
    return Span(
        since=min(span.since for span in spans),
        until=_most([span.until for span in spans]),
        first=min(span.first for span in spans),
        last=_most([span.last for span in spans]),
    )


def _least(ends: Sequence[int]) -> int:
    """The earliest end; 0 is no end."""
    return min((end for end in ends if end), default=0)


def _most(ends: Sequence[int]) -> int:
    return 0 if 0 in ends else max(ends)


# --- walks ----------------------------------------------------------------------------------------------


def wanted(node: Node, negated: bool = False) -> Iterator[Condition]:
    """The conditions that speak for a document: those that nothing negates."""
    if isinstance(node, Leaf):
        if not negated:
            yield node.condition
    elif isinstance(node, Not):
        yield from wanted(node.part, not negated)
    else:
        for part in node.parts:
            yield from wanted(part, negated)
