"""A query, read: what the commands, the index and the console ask it.

Rules of this file: pure; `now` and the zone are arguments. `accepts` is the meaning of a query. `need` and
`span` only say where to look, and may be ignored without changing any answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from bridge.errors import QueryError
from bridge.search.conditions import Near as NearEachOther
from bridge.search.conditions import Says
from bridge.search.diagnostics import Problem, nearest
from bridge.search.document import EVERYTHING, Document, Need, Span
from bridge.search.grammar import TYPED, Asked, Close, Grammar, Group, Limits, Piece, TooMuch, Written
from bridge.search.makers import Around, Near, trimmed
from bridge.search.near import DISTANCE, FARTHEST
from bridge.search.qualifiers import BY_NAME, LATER, SHAPES, build
from bridge.search.reading import Reading
from bridge.search.terms import Term
from bridge.search.tree import And, Leaf, Node, Not, Or, is_indexed, joined, need_of, span_of, wanted

LIMIT = 50  # messages, when a query names no number
MOST = 10_000


def nobody(_qualifier: str, _value: str) -> Sequence[str]:
    """Knows no names: nothing is refused as unknown."""
    return ()


@dataclass(frozen=True)
class Query:
    """A condition on documents, and the shape of the answer. `text` is as it was written.

    Queries are equal if they ask the same. `str()` is the canonical text: it reads back as an equal query.
    """

    node: Node
    text: str = field(default="", compare=False)
    limit: int = LIMIT
    newest_first: bool = True
    zone_name: str = ""

    @cached_property
    def need(self) -> Need:
        """What every accepted document has: necessary, not sufficient."""
        return need_of(self.node)

    @cached_property
    def span(self) -> Span:
        """The times and numbers outside of which nothing is accepted."""
        return span_of(self.need)

    @cached_property
    def needs_scan(self) -> bool:
        """Whether it asks for something, and for nothing that an index knows: all in `span` are opened."""
        return not is_indexed(self.need) and any(one.need == EVERYTHING for one in wanted(self.node))

    def accepts(self, document: Document) -> bool:
        """Whether `document` is what was asked for: exactly, cheap attributes first."""
        return self.node.accepts(Reading(document))

    def highlights(self, document: Document) -> Mapping[str, list[tuple[int, int]]]:
        """Where the query's words stand, as (start, end) in characters of the original.

        By field: "text", "sent", "quote", "file:0", "inside:0", "reason:0", "why:0". Sorted, without
        overlaps; fields without any are absent.
        """
        reading = Reading(document)
        found: dict[str, set[tuple[int, int]]] = {}
        for condition in wanted(self.node):
            for name, spans in condition.places(reading):
                found.setdefault(name, set()).update(spans)
        return {name: _merged(sorted(spans)) for name, spans in found.items() if spans}

    def without(self) -> list[tuple[str, Query]]:
        """Each condition as it was written, and the query without it: for "nothing found"."""
        parts = self.node.parts if isinstance(self.node, And) else (self.node,)
        return [
            (self.text[part.start : part.end], self._with(parts[:place] + parts[place + 1 :]))
            for place, part in enumerate(parts)
        ]

    def _with(self, parts: tuple[Node, ...]) -> Query:
        return Query(joined(And, parts), self.text, self.limit, self.newest_first, self.zone_name)

    def __str__(self) -> str:
        shape = [
            *([f"tz:{self.zone_name}"] if self.zone_name else []),
            *([] if self.newest_first else ["sort:oldest"]),
            *([] if self.limit == LIMIT else [f"limit:{self.limit}"]),
        ]
        asked = f"({self.node})" if isinstance(self.node, Or) and shape else str(self.node)
        return " ".join([*([asked] if asked else []), *shape])


def _merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def parse(text: str, now: datetime, zone: tzinfo, near: Near = nobody, *, limits: Limits = TYPED) -> Query:
    """The query that `text` writes. Times are on the clocks of `zone` unless it says `tz:`. For what no
    person typed `limits` are wider.

    `near(qualifier, value)` gives the known names nearest to one that nobody has, and nothing for one that
    somebody has. Raises `QueryError` with every problem found.
    """
    return _Reader(text, now, zone, near, limits).query()


class _Reader:
    """One text on its way to a query."""

    def __init__(self, text: str, now: datetime, zone: tzinfo, near: Near, limits: Limits) -> None:
        self.text = text
        self.limits = limits
        self.problems: list[Problem] = []
        self.shape: dict[str, Any] = {}
        self.around = Around(now, zone, near, self._complain)

    def query(self) -> Query:
        try:
            written = Grammar(self.text, self._complain, self.limits).read()
            written = self._shaped(written) if written else None
            node = self._node(written) if written else None
        except TooMuch:
            node = None
        if self.problems:
            raise QueryError(sorted(self.problems, key=lambda one: (one.start, one.end)))
        return Query(node or And(()), self.text, **self.shape)

    def _complain(
        self, code: str, start: int, end: int, suggestions: Sequence[str] = (), **values: Any
    ) -> None:
        self.problems.append(Problem(code, self.text, start, end, values, tuple(suggestions)))

    # --- the shape of the answer ---

    def _shaped(self, written: Written, inside: str = "and") -> Written | None:
        """What is left when all that shapes the answer was taken out and noted."""
        if isinstance(written, Asked) and written.name in SHAPES:
            if inside != "and":
                self._complain("Q036", written.start, written.end, name=written.name)
            else:
                self._shape(written)
            return None
        if not isinstance(written, Group):
            return written
        parts = [self._shaped(part, written.kind) for part in written.parts]
        left = tuple(part for part in parts if part is not None)
        if len(left) < 2 and written.kind != "not":
            return left[0] if left else None
        return Group(written.kind, left, written.start, written.end) if left else None

    def _shape(self, asked: Asked) -> None:
        _, example = SHAPES[asked.name]
        key = {"sort": "newest_first", "limit": "limit", "tz": "zone_name"}[asked.name]
        if key in self.shape:
            self._complain("Q037", asked.start, asked.end, name=asked.name)
        elif asked.op:
            self._complain("Q024", asked.start, asked.end, name=asked.name, op=asked.op, example=example)
        elif len(asked.values) != 1:
            code = "Q026" if asked.values else "Q022"
            self._complain(code, asked.start, asked.end, name=asked.name, example=example)
        else:
            self.shape[key] = getattr(self, f"_{asked.name}")(asked.values[0], example)

    def _sort(self, piece: Piece, _example: str) -> bool:
        orders = ("newest", "oldest")
        if piece.plain.lower() not in orders:
            close = nearest(piece.plain, orders)
            self._complain("Q023", piece.start, piece.end, close, name="sort", known=", ".join(orders))
        return piece.plain.lower() != "oldest"

    def _limit(self, piece: Piece, example: str) -> int:
        plain = piece.plain
        if not (plain.isascii() and plain.isdecimal() and len(plain) < 9 and 1 <= int(plain) <= MOST):
            self._complain("Q038", piece.start, piece.end, least=1, most=MOST, example=example)
            return LIMIT
        return int(plain)

    def _tz(self, piece: Piece, _example: str) -> str:
        try:
            zone = ZoneInfo(piece.plain)
        except (KeyError, ValueError, OSError):  # not there, no such name, a folder
            self._complain("Q035", piece.start, piece.end)
            return ""
        self.around = Around(self.around.now, zone, self.around.near, self._complain)
        return piece.plain

    # --- conditions ---

    def _node(self, written: Written) -> Node | None:
        if isinstance(written, Group):
            return self._joined(written)
        if isinstance(written, Close):
            made = self._near(written)
        elif isinstance(written, Asked):
            made = self._asked(written)
        else:
            made = self._bare(written)
        return _placed(made, written.start, written.end) if made else None

    def _joined(self, group: Group) -> Node | None:
        parts = [node for part in group.parts if (node := self._node(part)) is not None]
        if not parts:
            return None
        if group.kind == "not":
            inner = parts[0]
            return inner.part if isinstance(inner, Not) else Not(inner, group.start, group.end)
        return joined(And if group.kind == "and" else Or, parts)

    def _bare(self, piece: Piece) -> Node | None:
        term = self._term(piece)
        return Leaf(Says("", term)) if term else None

    def _term(self, piece: Piece) -> Term | None:
        if "*" in piece.plain and not piece.quoted:
            self._complain("Q017", piece.start, piece.end)
            return None
        term = Term(piece.text.strip(), piece.star)
        if not term.parts:
            self._complain("Q018" if piece.quoted and not term.folded else "Q016", piece.start, piece.end)
            return None
        return trimmed(term)

    def _near(self, close: Close) -> Node | None:
        terms, number = close.arguments[:2], close.arguments[2:]
        if len(terms) < 2 or len(number) > 1:
            self._complain("Q040", close.start, close.end)
            return None
        distance = self._distance(number[0]) if number else DISTANCE
        one, other = map(self._term, terms)
        return Leaf(NearEachOther(one, other, distance)) if one and other else None

    def _distance(self, piece: Piece) -> int:
        plain = piece.plain.strip()
        if plain.isascii() and plain.isdecimal() and len(plain) < 9 and 1 <= int(plain) <= FARTHEST:
            return int(plain)
        self._complain("Q041", piece.start, piece.end, most=FARTHEST)
        return DISTANCE

    def _asked(self, asked: Asked) -> Node | None:
        if asked.name in BY_NAME:
            if asked.values:
                return build(asked, self.around)
            self._valueless(asked)
            return None
        behind = asked.start + len(asked.name) + 1
        if asked.name in LATER:
            known = ", ".join(f"{name}:" for name in BY_NAME)
            self._complain("Q021", asked.start, behind, name=asked.name, known=known)
            return None
        close = [f"{name}:" for name in nearest(asked.name, (*BY_NAME, *SHAPES))]
        text = self.text[asked.start : asked.end].replace('"', "")
        self._complain("Q020", asked.start, behind, close, name=asked.name, text=text)
        return None

    def _valueless(self, asked: Asked) -> None:
        """A qualifier without anything behind its colon."""
        opened = self.text[asked.end : asked.end + 1] in ("(", "（")
        example = BY_NAME[asked.name].example
        self._complain("Q027" if opened else "Q022", asked.start, asked.end, name=asked.name, example=example)


def _placed(node: Node, start: int, end: int) -> Node:
    """The same node, and where it was written."""
    if isinstance(node, Leaf):
        return Leaf(node.condition, start, end)
    return type(node)(node.parts, start, end) if isinstance(node, And | Or) else node
