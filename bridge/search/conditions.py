"""The conditions of the language: each says what it needs of an index, and whether a document fulfils it.

Rules of this file: pure; two methods that must agree stand side by side. `accepts` is exact. `need` is what
every accepted document has: words as `bridge.search.tokens` gives them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import ClassVar

from bridge.policy.folding import Folded
from bridge.search import people
from bridge.search.document import EVERYTHING, Document, Live, Need, Person, Span, Token
from bridge.search.facets import FACET_COSTS, FACETS, HASH_DIGITS, HAVING, digests
from bridge.search.near import close
from bridge.search.reading import Reading
from bridge.search.states import SETTLED, STATES
from bridge.search.terms import Term
from bridge.search.tokens import PREFIX
from bridge.search.tree import Places, every, some
from bridge.search.writing import value, written

#: Which fields each qualifier looks into; a bare term has no name.
LOOKS_INTO: Mapping[str, tuple[str, ...]] = {
    "": ("text", "sent", "quote", "file"),
    "text": ("text", "sent"),
    "orig": ("text",),
    "sent": ("sent",),
    "quote": ("quote",),
    "file": ("file",),
    "inside": ("inside",),
    "reason": ("reason",),
}


class _Silent:
    """A condition that has nothing to show in a text."""

    def places(self, reading: Reading) -> Places:
        """Nothing."""
        return iter(())


@dataclass(frozen=True)
class Says:
    """A term stands in one of the fields that `name` looks into."""

    name: str
    term: Term

    @property
    def cost(self) -> int:
        """Text has to be opened and folded; the inside of files is the longest."""
        return {"inside": 9, "reason": 5}.get(self.name, 6)

    @property
    def need(self) -> Need:
        """Every word of the term."""
        return _words(PREFIX[LOOKS_INTO[self.name][0]], self.term)

    def accepts(self, reading: Reading) -> bool:
        """Whether one field has it whole. Mostly it is the text as written, whatever else there may be."""
        fields = LOOKS_INTO[self.name]
        if fields[0] == "text":
            if self._is_in(reading.text, reading):
                return True
            fields = fields[1:]
        return any(self._is_in(text, reading) for into in fields for _, text in reading.texts(into))

    def _is_in(self, text: str, reading: Reading) -> bool:
        return self.term.is_plain_in(text) or self.term.within(reading.folded(text), text)

    def places(self, reading: Reading) -> Places:
        """Every place in every field."""
        for into in LOOKS_INTO[self.name]:
            for name, text in reading.texts(into):
                yield (
                    name,
                    self.term.originals(Folded(text)) if self.term.within(reading.folded(text), text) else [],
                )

    def __str__(self) -> str:
        return written(self.name, self.term)


@dataclass(frozen=True)
class Near:
    """Two terms stand within `distance` words of each other, in either order, in one field of the message."""

    one: Term
    other: Term
    distance: int
    cost: ClassVar[int] = 7

    @property
    def need(self) -> Need:
        """Every word of both."""
        return every([_words("t", self.one), _words("t", self.other)])

    def accepts(self, reading: Reading) -> bool:
        """Whether one field has them close enough."""
        return any(self._pairs(reading, text) for into in LOOKS_INTO[""] for _, text in reading.texts(into))

    def places(self, reading: Reading) -> Places:
        """Both terms, wherever they are close enough."""
        for into in LOOKS_INTO[""]:
            for name, text in reading.texts(into):
                yield name, Folded(text).originals(self._pairs(reading, text))

    def _pairs(self, reading: Reading, text: str) -> list[tuple[int, int]]:
        return close(self.one, self.other, self.distance, reading.folded(text), text)

    def __str__(self) -> str:
        return f"near({value(self.one)},{value(self.other)},{self.distance})"


def _words(prefix: str, term: Term) -> Need:
    return every([Token(f"{prefix}:{word}") for word in sorted(term.words)])


# --- people ---------------------------------------------------------------------------------------------

_AMONG: Mapping[str, tuple[Callable[[Document], tuple[Person, ...]], tuple[str, ...]]] = {
    "from": (people.author, ("from",)),
    "to": (people.reader, ("to",)),
    "with": (people.both, ("from", "to")),
    "actor": (people.actors, ("from", "reviewer")),
    "reviewer": (people.reviewers, ("reviewer",)),
    "contact": (people.clients, ("from", "to")),
}


@dataclass(frozen=True)
class Named(_Silent):
    """Somebody takes part, in the role that `name` says."""

    name: str
    term: Term
    whole: bool = False
    cost: ClassVar[int] = 3

    @property
    def need(self) -> Need:
        """The whole name, or its parts, in one of the roles."""
        return some([self._in_role(role) for role in _AMONG[self.name][1]])

    def _in_role(self, role: str) -> Need:
        alone = Token(f"{role}:{self.term.folded}")
        if self.whole or "@" in self.term.folded:
            return alone
        return some([alone, _words(role, self.term)])

    def accepts(self, reading: Reading) -> bool:
        """Whether one person in the role is meant."""
        among = _AMONG[self.name][0](reading.document)
        return any(people.is_meant(self.term, person, self.whole) for person in among)

    def __str__(self) -> str:
        return f"{self.name}:{'=' * self.whole}{value(self.term)}"


# --- plain values ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Has(_Silent):
    """A facet has a value. `name` is the facet's, `asked` the qualifier's where it differs."""

    name: str
    wanted: str
    asked: str = ""

    @property
    def cost(self) -> int:
        """What is in clear comes before what has to be opened."""
        return FACET_COSTS.get(self.name, 4)

    @property
    def need(self) -> Need:
        """The word that the facet gives."""
        return Token(f"{self.name}:{self.wanted}")

    def accepts(self, reading: Reading) -> bool:
        """Whether the facet gives the value."""
        return self.wanted in FACETS[self.name](reading.document)

    def __str__(self) -> str:
        return f"{self.asked or self.name}:{value(self.wanted)}"


@dataclass(frozen=True)
class Came(_Silent):
    """Something came with it: `has:`. Only what is asked for is looked at."""

    wanted: str
    cost: ClassVar[int] = 5

    @property
    def need(self) -> Need:
        """The word for it."""
        return Token(f"has:{self.wanted}")

    def accepts(self, reading: Reading) -> bool:
        """Whether it is there."""
        return HAVING[self.wanted].is_there(reading.document)

    def __str__(self) -> str:
        return f"has:{self.wanted}"


@dataclass(frozen=True)
class Id(_Silent):
    """It has this number in the archive (0: none is meant), or this id on its network."""

    wanted: str
    number: int = 0
    cost: ClassVar[int] = 1

    @property
    def need(self) -> Need:
        """The number, or the word that the id is known by."""
        named = Token(f"id:{self.wanted}")
        return some([Span(first=self.number, last=self.number), named]) if self.number else named

    def accepts(self, reading: Reading) -> bool:
        """Whether one of the two is the same."""
        document = reading.document
        return document.source_id == self.wanted or (self.number > 0 and document.number == self.number)

    def __str__(self) -> str:
        alone = not self.number and self.wanted.isdecimal()
        return f"id:{'=' * alone}{value(self.wanted)}"


@dataclass(frozen=True)
class Is(_Silent):
    """The message, its hold or a delivery is in a state."""

    state: str
    cost: ClassVar[int] = 4

    @property
    def need(self) -> Need:
        """The store's own tables, or a word for what never changes."""
        return Token(f"is:{self.state}") if self.state in SETTLED else Live("is", self.state)

    def accepts(self, reading: Reading) -> bool:
        """Whether the document shows it."""
        return STATES[self.state].holds(reading.document)

    def __str__(self) -> str:
        return f"is:{self.state}"


@dataclass(frozen=True)
class Hash(_Silent):
    """The leaf of the ledger entry, or the digest of a file, begins with these hexadecimal digits."""

    digits: str
    cost: ClassVar[int] = 3

    @property
    def need(self) -> Need:
        """The first digits, as far as an index knows them."""
        return Token(f"hash:{self.digits[:HASH_DIGITS]}")

    def accepts(self, reading: Reading) -> bool:
        """Whether one digest begins so."""
        return any(digest.startswith(self.digits) for digest in digests(reading.document))

    def __str__(self) -> str:
        return f"hash:{self.digits}"


@dataclass(frozen=True)
class Policy(_Silent):
    """A policy file took part in a decision: by its name, or by the first digits of its hash."""

    wanted: str
    cost: ClassVar[int] = 4

    @property
    def need(self) -> Need:
        """The name, or the first digits."""
        cut = self.wanted[:HASH_DIGITS]
        tokens = [Token(f"policy:{self.wanted}")]
        return some([*tokens, Token(f"policy:{cut}")] if self._is_hash else tokens)

    @property
    def _is_hash(self) -> bool:
        return len(self.wanted) >= HASH_DIGITS and not set(self.wanted) - set("0123456789abcdef")

    def accepts(self, reading: Reading) -> bool:
        """Whether a deciding file has this name or hash."""
        if self.wanted in FACETS["policy"](reading.document):
            return True
        return self._is_hash and any(
            digest.rpartition(":")[2].lower().startswith(self.wanted)
            for decided in reading.document.decisions
            for _, digest in decided.verdict.policies
        )

    def __str__(self) -> str:
        return f"policy:{value(self.wanted)}"


# --- numbers and times ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Within(_Silent):
    """Archived in a span of time, or numbered within bounds: `asked` is how the query says it."""

    span: Span
    asked: str
    cost: ClassVar[int] = 0

    @property
    def need(self) -> Need:
        """The span itself."""
        return self.span

    def accepts(self, reading: Reading) -> bool:
        """Whether time and number lie within."""
        span, document = self.span, reading.document
        if span.first or span.last:
            return span.first <= document.number <= (span.last or document.number)
        return span.since <= document.at and (not span.until or document.at < span.until)

    def __str__(self) -> str:
        return self.asked


@dataclass(frozen=True)
class Opened(_Silent):
    """A condition of which an index knows little: documents are opened and asked. `need` is what it knows."""

    asked: str
    test: Callable[[Document], bool] = field(compare=False)
    cost: int = 1
    need: Need = EVERYTHING

    def accepts(self, reading: Reading) -> bool:
        """Whether the test says so."""
        return self.test(reading.document)

    def __str__(self) -> str:
        return self.asked


def local(document: Document, zone: tzinfo) -> datetime:
    """When a document was archived, by the clock on the wall in `zone`."""
    return datetime.fromtimestamp(document.at / 1000, zone)
