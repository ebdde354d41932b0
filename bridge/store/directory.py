"""Who may talk to whom, in memory: the active pairs as routes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from sqlalchemy import literal_column, select

from bridge.message import Message, Party, Route
from bridge.store import schema as s
from bridge.store.prepared import Prepared

_VERSION = Prepared(select(s.meta.c.value).where(s.meta.c.key == literal_column("'pairs'")))


class Directory:
    """The active pairs in memory, read again when somebody changed them. Names are cheap; queries are not."""

    def __init__(self) -> None:
        self._version = ""
        self._by_source: dict[tuple[str, str, str], tuple[int, Route]] = {}
        self._routes: dict[tuple[int, str], Route] = {}
        self._ended: set[int] = set()

    def refresh(self, db: object) -> None:
        """Read the pairs again if their version moved on."""
        if self.is_current(db):
            return
        version = _VERSION.value(db, {}) or "0"
        self._by_source.clear()
        for row in db.execute(select(s.pairs).order_by(s.pairs.c.id)):
            if not row.body:
                self._ended.add(row.id)  # erased: nobody knows any more who they were
                for network in ("weixin", "symphony"):
                    self._routes.pop((row.id, network), None)
                continue
            pair = orjson.loads(row.body)
            inward, outward = _routes(pair)
            self._routes[row.id, "weixin"], self._routes[row.id, "symphony"] = inward, outward
            if row.state == "ended":
                self._ended.add(row.id)
            if row.state == "active":
                stream, contact = pair["stream"], pair["contact"]
                self._by_source["symphony", stream, pair["advisor"]] = row.id, outward
                # With several advisors in one stream, the first pair names the recipient.
                self._by_source.setdefault(("weixin", contact, contact.partition("/")[2]), (row.id, inward))
        self._version = version

    def is_current(self, db: object) -> bool:
        """Whether nobody has changed the pairs since they were read."""
        return (_VERSION.value(db, {}) or "0") == self._version

    def find(self, message: Message) -> tuple[int | None, Route | None]:
        """The pair and route of a message; (None, None) when its sender is not paired in that chat."""
        return self.between(message.network, message.conversation, message.sender)

    def between(self, network: str, conversation: str, sender: str) -> tuple[int | None, Route | None]:
        """The same, by what of a message it follows from."""
        return self._by_source.get((network, conversation, sender), (None, None))

    def route(self, pair: int | None, network: str) -> Route | None:
        """The route of a known pair for messages that come from `network`, ended pairs too."""
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
