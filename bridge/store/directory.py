"""Who may talk to whom, in memory: the active pairs as routes.

Rules of this file: of a pair that does not open nobody knows who the two are. Whoever asks for it is refused,
so that neither its messages go to anybody else nor anything else waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from sqlalchemy import bindparam, literal_column, select

from bridge.errors import Damaged
from bridge.message import Message, Party, Route
from bridge.store import schema as s
from bridge.store.prepared import Prepared
from bridge.store.rows import UNREADABLE
from bridge.store.vault import if_whole

_VERSION = Prepared(select(s.meta.c.value).where(s.meta.c.key == literal_column("'pairs'")))
_EVERY = select(s.pairs).order_by(s.pairs.c.id)
_IF_WHOLE = select(
    *(column for column in s.pairs.c if column.name != "body"), if_whole(s.pairs.c.body).label("body")
).order_by(s.pairs.c.id)
_AMONG = _IF_WHOLE.where(s.pairs.c.id.in_(bindparam("b_ids", expanding=True)))


class Directory:
    """The active pairs in memory, read again when somebody changed them. Names are cheap; queries are not.

    An active pair that does not open is an error (Damaged) at once, or, with `goes_on`, to whoever asks for
    it, until it opens again.
    """

    def __init__(self, *, goes_on: bool = False) -> None:
        self._goes_on = goes_on
        self._version = ""
        self._by_source: dict[tuple[str, str, str], tuple[int, Route | None]] = {}
        self._unreadable: set[int] = set()
        self._routes: dict[tuple[int, str], Route] = {}
        self._ended: set[int] = set()

    def refresh(self, db: object) -> None:
        """Read the pairs again if their version moved on."""
        if self.is_current(db):
            return
        version = _VERSION.value(db, {}) or "0"
        self._by_source.clear()
        self._unreadable.clear()
        for row in db.execute(_IF_WHOLE if self._goes_on else _EVERY):
            self._read(row)
        self._version = version

    def _read(self, row: Any) -> None:
        """Take up one pair."""
        if row.state == "ended":
            self._ended.add(row.id)
        try:
            pair = orjson.loads(row.body or b"")
            inward, outward = _routes(pair)
        except UNREADABLE:
            self._lose(row)
            return
        self._routes[row.id, "weixin"], self._routes[row.id, "symphony"] = inward, outward
        if row.state == "active":
            self._lead(row.id, pair, inward, outward)

    def _lose(self, row: Any) -> None:
        """A pair was erased when it had ended, or does not open: what the columns beside it say then tells
        only whose messages are not to be judged."""
        for network in ("weixin", "symphony"):
            self._routes.pop((row.id, network), None)
        if row.state != "active":
            return  # nobody knows any more who they were
        if not self._goes_on:
            raise _damaged(row.id)
        self._unreadable.add(row.id)
        self._lead(row.id, {key: getattr(row, key) for key in ("advisor", "stream", "contact")}, None, None)

    def _lead(
        self, number: int, pair: Mapping[str, Any], inward: Route | None, outward: Route | None
    ) -> None:
        stream, contact = pair["stream"], pair["contact"]
        self._by_source["symphony", stream, pair["advisor"]] = number, outward
        # With several advisors in one stream, the first pair names the recipient.
        self._by_source.setdefault(("weixin", contact, contact.partition("/")[2]), (number, inward))

    def is_current(self, db: object) -> bool:
        """Whether nobody has changed the pairs since they were read, or put right what did not open."""
        if (_VERSION.value(db, {}) or "0") != self._version:
            return False
        if not self._unreadable:
            return True
        return not any(row.body for row in db.execute(_AMONG, {"b_ids": list(self._unreadable)}))

    def find(self, message: Message) -> tuple[int | None, Route | None]:
        """The pair and route of a message; (None, None) when its sender is not paired in that chat. Raises
        Damaged when that pair does not open."""
        return self.between(message.network, message.conversation, message.sender)

    def between(self, network: str, conversation: str, sender: str) -> tuple[int | None, Route | None]:
        """The same, by what of a message it follows from."""
        pair, route = self._by_source.get((network, conversation, sender), (None, None))
        if pair is not None and route is None:
            raise _damaged(pair)
        return pair, route

    def pair_of(self, message: Message) -> int | None:
        """The pair of a message; None when there is none, or none that opens: archived it is all the same."""
        key = message.network, message.conversation, message.sender
        pair, route = self._by_source.get(key, (None, None))
        return pair if route is not None else None

    def route(self, pair: int | None, network: str) -> Route | None:
        """The route of a known pair for messages that come from `network`, ended pairs too. Raises Damaged
        when an active one does not open."""
        if pair in self._unreadable:
            raise _damaged(pair)
        return None if pair is None else self._routes.get((pair, network))

    def routes(self) -> Iterable[Route]:
        """Both routes of every pair, ended ones too."""
        return self._routes.values()

    def by_pair(self) -> Iterable[tuple[int, Route]]:
        """The same, each with the number of its pair."""
        return ((pair, route) for (pair, _), route in self._routes.items())

    def ended(self, pair: int | None) -> bool:
        """Whether the two of this pair may no longer talk as this pair."""
        return pair in self._ended


def _damaged(pair: int | None) -> Damaged:
    return Damaged(f"what the two of pair {pair} are called does not open; run `weighbridge audit verify`")


def _routes(pair: Mapping[str, Any]) -> tuple[Route, Route]:
    """Both ways of a pair, from what is sealed of it: the columns beside that are there to search by."""
    stream, contact = pair["stream"], pair["contact"]
    advisor = Party(
        "symphony", pair["advisor"], pair["advisor_name"], pair["advisor_address"], pair["advisor_language"],
        frozenset(pair["advisor_tags"]),
    )  # fmt: skip
    client = Party(
        "weixin", contact.partition("/")[2], pair["contact_name"], "", pair["contact_language"],
        frozenset(pair["contact_tags"]),
    )  # fmt: skip
    return Route(client, advisor, "symphony", stream), Route(advisor, client, "weixin", contact)
