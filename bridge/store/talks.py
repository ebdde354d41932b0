"""Who talks with whom, and when who could see it: the pairs of the directory as conversations.

Rules of this file: it reads the pairs once. All pairs that share a stream and a contact are one conversation:
several advisors of one client see the same words. Pairs are never deleted, so what was said under one that
ended still belongs to it; one that was erased names nobody and is passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import orjson
from sqlalchemy import ColumnElement, Connection, and_, select, true

from bridge.message import SYMPHONY, WEIXIN
from bridge.records.addresses import origin, own_or_made
from bridge.records.transcript import ADVISOR, BOTH_WAYS, BRIDGE, CLIENT, OTHER, Came, Party
from bridge.search.document import Person
from bridge.store import schema as s
from bridge.store.proving import testimony
from bridge.store.rows import WORDS_OF_OURS
from bridge.store.vault import if_whole

_NEVER = 1 << 62

ENDED = "pair ended"
"""Why somebody left, before the words of whoever ended the pair."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a conversation from `since` until `until` (milliseconds; far away while it lasts), and what
    whoever ended it said of that."""

    party: Party
    since: int
    until: int
    pair: int
    why: str = ""


@dataclass(frozen=True)
class Talk:
    """One conversation: `key` is for programs, `title` for people. `members` are empty where nobody was
    paired. `origin` is its region."""

    key: str
    title: str
    members: tuple[Member, ...] = ()
    origin: str = ""

    def present(self, at: int) -> tuple[Party, ...]:
        """Who could see what was said at this moment."""
        return tuple(dict.fromkeys(one.party for one in self.members if one.since <= at < one.until))

    def came(self, since: int, until: int) -> list[Came]:
        """Who joined or left from `since` up to, and without, `until`: once for each person."""
        found = []
        for party in dict.fromkeys(one.party for one in self.members):
            for first, last in self._stays(party):
                if since <= first < until:
                    found.append(Came(first, party, True, "paired"))
                if since <= last < until:
                    found.append(Came(last, party, False, self._why(party, last)))
        return sorted(found, key=lambda one: (one.at, one.joined, one.party.id))

    def _why(self, party: Party, until: int) -> str:
        """Why a stay ended."""
        said = [one.why for one in self.members if (one.party, one.until) == (party, until) and one.why]
        return ": ".join([ENDED, *said[-1:]])

    def _stays(self, party: Party) -> list[tuple[int, int]]:
        """When somebody was there: overlapping pairs are one stay."""
        stays: list[tuple[int, int]] = []
        for one in sorted((m for m in self.members if m.party == party), key=lambda m: m.since):
            if stays and one.since <= stays[-1][1]:
                stays[-1] = stays[-1][0], max(stays[-1][1], one.until)
            else:
                stays.append((one.since, one.until))
        return stays

    @cached_property
    def pairs(self) -> frozenset[int]:
        """The numbers of its pairs."""
        return frozenset(one.pair for one in self.members)

    @cached_property
    def by_id(self) -> dict[tuple[str, str], Party]:
        """Its people, by network and id."""
        return {(one.party.network, one.party.id): one.party for one in self.members}


@dataclass(frozen=True, slots=True)
class Naming:
    """How people and regions are named: the domain of made addresses, and the rules for regions."""

    domain: str
    origins: Sequence[str] = ()

    def party(self, person: Person, role: str = OTHER) -> Party:
        """Somebody whom no pair names."""
        address = own_or_made(person.network, person.id, person.address, self.domain)
        return Party(person.network, person.id, person.name or person.id, address, role)

    def ours(self, network: str) -> Party:
        """The bridge itself, as the author of notices: on each network somebody else, to whoever goes by
        addresses."""
        address = f"{WORDS_OF_OURS}-{network}@{self.domain}"
        return Party(network, WORDS_OF_OURS, WORDS_OF_OURS, address, BRIDGE)


class Talks:
    """All conversations of the directory, or those of the pairs `among` which somebody looks."""

    def __init__(self, db: Connection, naming: Naming, among: ColumnElement[bool] | None = None) -> None:
        self.db, self.naming = db, naming
        self.of_pair: dict[int, Talk] = {}
        self._of_chat: dict[tuple[str, str], Talk | None] = {}
        together: dict[tuple[str, str], list[object]] = {}
        chosen = select(s.pairs).where(s.pairs.c.stream != "", true() if among is None else among)
        for row in db.execute(chosen.order_by(s.pairs.c.id)):
            together.setdefault((row.stream, row.contact), []).append(row)
        for (stream, contact), rows in together.items():
            talk = self._talk(rows)
            self.of_pair |= dict.fromkeys(talk.pairs, talk)
            for chat in ((SYMPHONY, stream), (WEIXIN, contact)):
                self._of_chat[chat] = None if chat in self._of_chat else talk

    def find(self, pair: int | None, network: str, conversation: str) -> Talk:
        """The conversation of a message: its pair's, else the only one of its chat, else one of its own."""
        talk = self.of_pair.get(pair or 0) or self._of_chat.get((network, conversation))
        if talk is None:
            party = Party(network, "", "", "", OTHER)
            region = origin(self.naming.origins, (party,), ())
            talk = Talk(f"{network}/{conversation}", f"{network} {conversation}", (), region)
        return talk

    def _talk(self, rows: Sequence[object]) -> Talk:
        members, tags = [], []
        for row in rows:
            body = orjson.loads(row.body) if row.body else {}  # type: ignore[attr-defined]
            members += self._members(row, body)
            tags += body.get("contact_tags", [])
        parties = dict.fromkeys(one.party for one in members)
        names = [", ".join(p.name for p in parties if p.role == role) for role in (ADVISOR, CLIENT)]
        region = origin(self.naming.origins, parties, tags)
        return Talk(f"pair/{rows[0].id}", BOTH_WAYS.join(names), tuple(members), region)  # type: ignore[attr-defined]

    def _members(self, row: object, body: dict[str, str]) -> list[Member]:
        who = row.advisor, row.contact.partition("/")[2]  # type: ignore[attr-defined]
        persons = (
            Person(SYMPHONY, who[0], body.get("advisor_name", ""), body.get("advisor_address", "")),
            Person(WEIXIN, who[1], body.get("contact_name", ""), body.get("contact_address", "")),
        )
        parties = (self.naming.party(one, role) for one, role in zip(persons, (ADVISOR, CLIENT), strict=True))
        until = row.ended_at or _NEVER  # type: ignore[attr-defined]
        why = self._why(row.id) if row.ended_at else ""  # type: ignore[attr-defined]
        return [Member(one, row.made_at, until, row.id, why) for one in parties]  # type: ignore[attr-defined]

    def _why(self, pair: int) -> str:
        """What the person said who ended a pair; "" where that does not open."""
        le, c = s.ledger.c, s.content.c
        query = (
            select(le.lane, le.seq, le.entry, if_whole(c.body).label("body"))
            .join(s.content, and_(c.lane == le.lane, c.seq == le.seq))
            .where(le.subject == f"pair/{pair}")
            .order_by(le.seq.desc())
        )
        for row in self.db.execute(query):
            if row.body and testimony(row.lane, row.seq, row.entry).kind == "pair:ended":
                why: str = orjson.loads(row.body).get("reason", "")
                return why
        return ""


def talk_of(db: Connection, naming: Naming, pair: int | None, network: str, conversation: str) -> Talk:
    """The conversation of one message, as `Talks.find` gives it, without reading those of others."""
    p = s.pairs.c
    row = db.execute(select(p.stream, p.contact).where(p.id == pair, p.stream != "")).first()
    if row is None:
        among = (p.stream if network == SYMPHONY else p.contact) == conversation
    else:
        among = and_(p.stream == row.stream, p.contact == row.contact)
    return Talks(db, naming, among).find(pair, network, conversation)
