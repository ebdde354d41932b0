"""Would the index hide a message? Every word of every message, looked up as a search does.

Rules of this file: reads only. A page of an index in which a byte was changed may still be a page: no engine
notices, and a message is not offered any more. Here each message is opened, and each of its words looked up,
from both ends. What the index has not reached yet is left out: a search opens that itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection

from bridge.errors import StoreError
from bridge.search.document import Token
from bridge.store.documents import Reading, last_number
from bridge.store.index import Index, month_of
from bridge.store.index.following import Advance, known_of, lane_sizes, waiting

CHUNK = 4096
"""Messages whose words are looked up together."""

MOST_WAITING = 100_000
"""Entries behind the index from which on it is not worth a check."""


def hidden(db: Connection, index: Index, advance: Advance | None = None) -> Mapping[str, Sequence[int]]:
    """The numbers of messages that some search would not find, by month; nothing for an index in order.

    `advance` is told how many messages were looked at, and of how many. Raises StoreError when the index has
    followed too little.
    """
    late = waiting(db, lane_sizes(db), index.state(db).positions, MOST_WAITING)
    if late is None:
        raise StoreError("the search index has followed too little to be checked: see `audit reindex`")
    reading, last = Reading(db, index.directory), last_number(db)
    found: defaultdict[str, list[int]] = defaultdict(list)
    for start in range(1, last + 1, CHUNK):
        end = min(start + CHUNK - 1, last)
        numbers = sorted(set(range(start, end + 1)).difference(late))
        for number, month in _hidden_among(db, index, reading, numbers):
            found[month].append(number)
        if advance is not None:
            advance(end, last)
    return dict(found)


def _hidden_among(
    db: Connection, index: Index, reading: Reading, numbers: Sequence[int]
) -> Iterable[tuple[int, str]]:
    """Which of these messages are hidden, each with its month, in the order of their numbers."""
    months: dict[int, str] = {}
    having: defaultdict[str, set[int]] = defaultdict(set)
    for known in known_of(reading, numbers):
        months[known.number] = month_of(known.at)
        for word in known.words:
            having[word].add(known.number)
    missed: Counter[int] = Counter()
    for word, expected in having.items():
        missed.update(_missed(db, index, word, expected))
    return [(number, months[number]) for number in sorted(missed)]


def _missed(db: Connection, index: Index, word: str, expected: set[int]) -> Iterable[int]:
    """Which messages that have `word` are not offered for it, from one end or the other."""
    low, high = min(expected), max(expected)
    for newest_first in (True, False):
        offered = index.offer(db, Token(word), low, high, newest_first=newest_first)
        yield from expected.difference(offered)
