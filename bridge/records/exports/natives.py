"""The record itself, as JSON: what stands in no other format stands here, and nothing is changed for it.

Rules of this file: pure. Only ASCII is written, keys are sorted, and times stay integers (milliseconds,
UTC): control characters and lone surrogates survive as escapes (RFC 8259, section 7).
"""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import date
from hashlib import sha256

from bridge.records.transcript import ADVISOR, Came, Enclosure, Judged, Later, Line, Party, Passed, Slice


def native(line: Line) -> bytes:
    """Everything recorded about a message, as one JSON document that ends with a line feed."""
    return _encoded({"record": f"message/{line.number}"} | _fields(line))


def native_change(change: Came, conversation: Slice) -> bytes:
    """Somebody's coming or going, in the same form."""
    return _encoded({"record": "presence", "conversation": conversation.key} | _fields(change))


def native_slice(conversation: Slice) -> bytes:
    """Who was there when the day began and who was there at all; which messages the day has, by number."""
    value = {
        "record": "conversation",
        "conversation": conversation.key,
        "title": conversation.title,
        "day": conversation.day.isoformat(),
        "piece": conversation.piece,
        "present": [_plain(party) for party in conversation.present],
        "participants": [_plain(party) for party in conversation.participants],
        "messages": [line.number for line in conversation.lines],
    }
    return _encoded(value)


def account(party: Party) -> tuple[str, str]:
    """What makes a party the same one: network and id, whatever name it had at the time."""
    return party.network, party.id


def everybody(conversation: Slice) -> list[Party]:
    """Everybody who was there, came or wrote, each account once, in the order of the slice's list."""
    found = {account(party): party for party in conversation.participants}
    for party in conversation.present:
        found.setdefault(account(party), party)
    for item in conversation.items:
        party = item.party if isinstance(item, Came) else item.sender
        found.setdefault(account(party), party)
    return list(found.values())


def custodian(conversation: Slice) -> Party | None:
    """Whose record this is: the first of the firm's people in it, else whoever comes first."""
    parties = everybody(conversation)
    return next((party for party in parties if party.role == ADVISOR), next(iter(parties), None))


def mark(*parts: object) -> str:
    """Twelve hexadecimal digits that stand for `parts` and nothing else: an id that follows from content."""
    seed = "\x1f".join(map(str, parts))
    return sha256(seed.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _encoded(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _fields(noun: Line | Came | Later | Party | Enclosure | Judged | Passed) -> dict[str, object]:
    return {one.name: _plain(getattr(noun, one.name)) for one in fields(noun)}


def _plain(value: object) -> object:
    if isinstance(value, Later | Party | Enclosure | Judged | Passed):
        return _fields(value)
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, date) else value
