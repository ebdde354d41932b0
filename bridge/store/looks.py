"""Who looked at what people wrote: written down before it is shown, and read again.

Rules of this file: names, reasons and queries are content, so they stand sealed beside the entry; the entry
has the number of a message at most. All subjects begin with "audit", so that an index finds the looks of
everybody, and those at one message, among millions of other entries.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Container, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, and_, or_, select

from bridge.records.exports.numbers import Numbers
from bridge.store import schema as s
from bridge.store.codec import dump
from bridge.store.proving import testimony
from bridge.store.writer import Tx

SUBJECT = "audit"

KINDS = ("search:made", "message:shown", "audit:replayed", "evidence:made", "export:begun")
"""The entries of those who looked, or took a package of evidence or an export away."""

_EVIDENCE = "evidence"
_EXPORTS = "export"
_BEGUN = "export:begun"
_ENDED = ("export:made", "export:refused")
"""How an export ends that is not interrupted for good."""

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Looker:
    """Somebody who looks: `reason` and `case` are "" where they were not given."""

    person: str
    reason: str = ""
    case: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """What was asked by which command ("search", "tail", ...): how many were found, and which were
    shown; whether the index was asked, or every message opened."""

    command: str
    query: str
    found: int
    shown: tuple[int, ...] = ()
    indexed: bool = True


def record_search(tx: Tx, lane: int, looker: Looker, search: Search) -> None:
    """Write down who is about to be shown the answer to a search."""
    tx.append(lane, "search:made", SUBJECT, {}, dump(asdict(looker) | asdict(search)))


def record_shown(tx: Tx, lane: int, looker: Looker, command: str, numbers: Sequence[int]) -> None:
    """Write down who is about to be shown these messages, one entry for each."""
    for number in numbers:
        facts = {"message": number}
        tx.append(lane, "message:shown", _about(number), facts, dump(asdict(looker) | {"command": command}))


def _about(number: int) -> str:
    return f"{SUBJECT}/message/{number}"


# Between two words of letters only: every collation puts "audit" and "audit/message/17" there.
_LOOKED = or_(
    and_(s.ledger.c.subject >= SUBJECT, s.ledger.c.subject < "audiu"), s.ledger.c.subject == _EVIDENCE
)
_HANDED = and_(s.ledger.c.subject >= _EXPORTS, s.ledger.c.subject < f"{_EXPORTS}0")


def looks(db: Connection) -> Iterator[dict[str, Any]]:
    """All looks, the newest first: place and time of the entry, who, why, what was asked and found."""
    return _read(db, _LOOKED)


def looks_at(db: Connection, number: int) -> list[dict[str, Any]]:
    """Who was shown message `number` alone, or among what a search found; the oldest first."""
    chosen = or_(s.ledger.c.subject == _about(number), s.ledger.c.subject == SUBJECT)
    return [one for one in _read(db, chosen) if number in one["shown"]][::-1]


_SEARCHES = frozenset({"search", "tail", "timeline", "stats", "export", "evidence"})
"""Commands that were asked for what people wrote by a query."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asked for a case: a query as it was written, at a time (milliseconds). `whole`: it was to
    be handed over, and no entry says what of it was."""

    query: str
    at: int
    whole: bool = False


def _case(name: str) -> str:
    """The number of a case as all ways to write it are compared: without case or width, any dash a dash."""
    plain = unicodedata.normalize("NFKC", name).strip().casefold()
    return "".join("-" if unicodedata.category(char) == "Pd" else char for char in plain)


def looks_for(db: Connection, case: str) -> tuple[Numbers, list[Asked]]:
    """What was looked at for a case: the messages that were shown or handed over, and what was asked, the
    oldest first."""
    wanted = _case(case)
    found = _read(db, or_(_LOOKED, _HANDED), (*KINDS, *_ENDED))
    looked = [one for one in found if _case(one["case"]) == wanted][::-1]
    numbers = Numbers()
    ended: dict[str, int] = {}
    for one in looked:
        numbers.update(one["numbers"])
        for number in one["shown"]:
            numbers.add(number)
        if one["kind"] in _ENDED:
            ended[one["query"]] = max(one["at"], ended.get(one["query"], 0))
    asked = [
        Asked(one["asks"], one["at"], one["kind"] == _BEGUN and one["at"] > ended.get(one["query"], 0))
        for one in looked
        if one["command"] in _SEARCHES
    ]
    return numbers, asked


def _read(db: Connection, chosen: Any, kinds: Container[str] = KINDS) -> Iterator[dict[str, Any]]:
    le, c = s.ledger.c, s.content.c
    query = (
        select(le.lane, le.seq, le.entry, le.leaf, c.body)
        .outerjoin(s.content, and_(c.lane == le.lane, c.seq == le.seq))
        .where(chosen)
        .order_by(le.seq.desc(), le.lane)
        .execution_options(yield_per=_CHUNK)
    )
    with db.execute(query) as rows:
        yield from (one for row in rows if (one := _look(row, kinds)))


_COMMANDS = {"audit:replayed": "replay", "evidence:made": "evidence"}


def _look(row: Any, kinds: Container[str]) -> dict[str, Any] | None:
    entry = testimony(row.lane, row.seq, row.entry)
    if entry.kind not in kinds:
        return None
    body = orjson.loads(row.body) if row.body else {}
    shown = [entry.facts["message"]] if "message" in entry.facts else body.get("shown", [])
    return {
        "at": entry.at,
        "kind": entry.kind,
        "command": body.get("command") or _COMMANDS.get(entry.kind, ""),
        "person": body.get("person", ""),
        "reason": body.get("reason", ""),
        "case": body.get("case", ""),
        "query": body.get("query", ""),
        "found": body.get("found", entry.facts.get("messages", len(shown))),
        "shown": shown,
        "asks": body.get("asks", body.get("query", "")).strip(),
        "numbers": body.get("numbers", ""),
        "indexed": body.get("indexed", False),
        "lane": entry.lane,
        "seq": entry.seq,
        "leaf": row.leaf.hex(),
    }
