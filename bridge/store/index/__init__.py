"""The search index: which messages may have a word, by keyed tokens alone.

Rules of this package: derived data. Whatever stands here can be deleted at any time and made again from the
archive, and is not evidence. An index may offer too much and never too little: it offers numbers, and whoever
searches opens each message and tries it. No word, name or address stands in it, only tokens of them under a
key that is derived from the vault's; without the master key nothing can be looked up.

    following   the ledger, entry by entry: whatever it says about a message makes that message known anew
    months      SQLite: one file for each calendar month, beside the database, never in its way
    tables      PostgreSQL: one partition for each month
    blocks      which numbers were archived when, and how many
    plans       what of a query an index can answer
    checking    whether it would hide a message
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sqlalchemy import Connection

from bridge.sealing import word_token
from bridge.search.document import All, Any, Need, Token
from bridge.store.directory import Directory
from bridge.store.index.blocks import Block, Blocks
from bridge.store.vault import Vault

FORMAT = "1"
"""The form of the index: another one is not read, but made again. Part of it is what `tokens_of` gives."""


@dataclass(frozen=True, slots=True)
class Known:
    """One message as an index is to know it: number, time of archiving (milliseconds), its words."""

    number: int
    at: int
    words: frozenset[str] | set[str]


@dataclass(frozen=True, slots=True)
class Step:
    """What one look at the ledger brought: `before` and `after` are the positions by lane (the next entry to
    follow); the blocks are as the archive has them now."""

    before: Mapping[int, int]
    after: Mapping[int, int]
    known: Sequence[Known]
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Part:
    """One month of the index: the numbers it covers, and whether it has to be made again."""

    name: str
    first: int
    last: int
    stale: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """How far an index is: by lane, the next entry to be followed (nothing: not at all); what is known of
    times and numbers of the messages followed so far; its months, in order."""

    positions: Mapping[int, int]
    blocks: Blocks
    parts: Sequence[Part]


NOTHING_KNOWN = State({}, Blocks(), ())


class Index(Protocol):
    """An index of one store. A handle is for one thread at a time; several processes may have one each."""

    directory: Directory
    """Who is who, as this handle last read it."""

    def state(self, db: Connection) -> State:
        """How far it is now. What did not change since this handle last looked is not read again."""

    def add(self, db: Connection, step: Step) -> bool:
        """Keep what a step brought, all or nothing; False when another process was faster."""

    def offer(
        self, db: Connection, need: Need, first: int, last: int, *, newest_first: bool
    ) -> Iterator[int]:
        """Numbers from `first` to `last` of messages that may fulfil `need` (tokens, All and Any alone), each
        once, in order. Of a part that cannot be read, every number."""

    def replace(self, db: Connection, part: Part, known: Iterator[Known]) -> None:
        """Make one month again."""

    def forget(self, db: Connection, months: Mapping[str, Sequence[int]]) -> None:
        """Let go of all that is known of these messages, by month. What becomes of it is up to `replace`: the
        months that have to be made again are stale afterwards. Whoever looked at one of the messages before,
        and has not added it yet, adds nothing."""

    def tidy(self, db: Connection) -> bool:
        """Put one month that is over in the form that is fastest to read; False when all of them are."""

    def clear(self, db: Connection) -> None:
        """Forget everything."""

    def close(self) -> None:
        """Let go of files."""


def month_of(at: int) -> str:
    """The calendar month, UTC, of a time in milliseconds: "2026-11"."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m")


_REMEMBERED = 200_000
"""Tokens of one month that are kept in memory at most."""


class _OfMonth(dict[str, str]):
    """The tokens of words under the key of one month, made when they are first asked for."""

    def __init__(self, key: bytes) -> None:
        super().__init__()
        self._key = key

    def __missing__(self, word: str) -> str:
        if len(self) >= _REMEMBERED:
            self.clear()
        token = self[word] = word_token(self._key, word)
        return token


class Tokens:
    """The tokens of words, by month; what was computed once is remembered."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._months: dict[str, _OfMonth] = {}

    def of(self, month: str) -> Mapping[str, str]:
        """The token for each word in a month. Raises ConfigError without the master key."""
        if month not in self._months:
            self._months[month] = _OfMonth(self._vault.search_key(month))
        return self._months[month]

    def text(self, month: str, words: frozenset[str] | set[str]) -> str:
        """The tokens of `words`, in an order that says nothing, with spaces between them."""
        return " ".join(sorted(map(self.of(month).__getitem__, words)))

    @property
    def check(self) -> str:
        """What tells an index under these keys from any other."""
        return word_token(self._vault.search_key("check"), FORMAT)


def expression(need: Need, token: Mapping[str, str], quote: str, both: str, either: str) -> str:
    """`need` in the language of an engine's full-text search: its quotes, its "and", its "or".

    Raises TypeError for what no index answers.
    """
    if isinstance(need, Token):
        return f"{quote}{token[need.word]}{quote}"
    if isinstance(need, All | Any):
        sign = both if isinstance(need, All) else either
        return "(" + f" {sign} ".join(expression(one, token, quote, both, either) for one in need.parts) + ")"
    raise TypeError(f"no index answers {type(need).__name__}")
