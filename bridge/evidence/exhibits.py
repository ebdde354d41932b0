"""What a package is made of, before anything is kept back: entries with content and proof, files,
checkpoints.

Rules of this file: nouns only. Whoever reads the store makes them, and has verified every proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import cached_property
from pathlib import Path

from bridge.ledger.content import pieces
from bridge.ledger.entry import Entry, decode

Place = tuple[int, int]
"""A lane, and a number in it."""


@dataclass(frozen=True)
class Exhibit:
    """One entry: its canonical bytes, the proof that it is in its lane's tree, and its content.

    `body` is None where there is no content, or none any more.
    """

    data: bytes
    path: tuple[bytes, ...]
    salt: bytes = b""
    body: bytes | None = None
    raw: bytes = b""

    @cached_property
    def entry(self) -> Entry:
        """The entry as a value."""
        return decode(self.data)

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.entry.lane, self.entry.seq

    @cached_property
    def pieces(self) -> tuple[tuple[str, bytes], ...]:
        """The fields of its content, as (name, bytes)."""
        return () if self.body is None else tuple(pieces(self.body, self.raw))


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment of a message: its number there, the `file:archived` entry, and the digest of the sealed
    file. `kind` is the short word for what it is by its bytes ("pdf"; "" if nobody looked)."""

    number: int
    place: Place
    digest: str
    size: int
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Life:
    """One message and the entries of its life, in order.

    `root` is the message on whose account it is here: its own number if it was asked for. `why` says what it
    is to that one ("asked for", "edit", "recall", "notice"). `pair` is 0 outside of pairs.
    """

    number: int
    root: int
    why: str
    pair: int
    places: tuple[Place, ...]
    files: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane's checkpoint, which covers every exhibit of it; earlier ones, with the proofs that it goes on
    from them; and time stamps by the size of the checkpoint that was stamped (RFC 3161 tokens, DER)."""

    number: int
    size: int
    note: str
    earlier: tuple[tuple[int, str, tuple[bytes, ...]], ...] = ()
    stamps: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """All that is handed over: exhibits by place, messages by number, lanes by number."""

    exhibits: Mapping[Place, Exhibit]
    lives: tuple[Life, ...]
    lanes: tuple[Lane, ...]

    def about(self, life: Life) -> Iterator[Exhibit]:
        """The exhibits of one message's life, in order."""
        return (self.exhibits[place] for place in life.places)

    @property
    def context(self) -> list[Place]:
        """Exhibits that belong to no message: who was paired, and which policies decided."""
        owned = {place for life in self.lives for place in life.places}
        return sorted(set(self.exhibits) - owned)


@dataclass(frozen=True, slots=True)
class Making:
    """How a package came about: `at` in milliseconds, who, why, the name of the case ("" if none), and what
    was asked for: in words, and `asks`, the query in it ("" if none). `zone` is the desk's time zone."""

    at: int
    person: str
    reason: str = ""
    case: str = ""
    query: str = ""
    zone: tzinfo = UTC
    language: str = "en"
    asks: str = ""


Open = Mapping[str, Path]
"""Where the opened bytes of attachments wait, by the digest of the sealed file."""
