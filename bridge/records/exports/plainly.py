"""Lines of an export as plain values: one spelling of names for every format that writes fields.

Rules of this file: pure. Every field of the nouns is here, under its own name; times are numbers of
milliseconds and, beside them, ISO 8601 in UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bridge.records.exports.telling import said, seen, utc
from bridge.records.transcript import Came, Enclosure, Judged, Later, Line, Party, Passed, Slice


def who(party: Party) -> str:
    """The id of a participant in an export: network and the network's own."""
    return f"{party.network}/{party.id}"


def party(one: Party) -> dict[str, Any]:
    """A participant."""
    return {
        "id": who(one),
        "network": one.network,
        "network_id": one.id,
        "name": one.name,
        "address": one.address,
        "role": one.role,
    }


def participants(slices: Iterable[Slice]) -> Iterator[dict[str, Any]]:
    """Everybody who was there or wrote, under each name and address once."""
    found = dict.fromkeys(one for conversation in slices for one in conversation.participants)
    return map(party, sorted(found, key=lambda one: (one.network, one.id, one.name)))


def lines(slices: Iterable[Slice]) -> Iterator[Line]:
    """The messages of all conversations."""
    return (line for one in slices for line in one.lines)


def enclosure(one: Enclosure, name: str = "") -> dict[str, Any]:
    """An attachment; `name` is that of its file in the export, "" where there is none."""
    return {
        "name": one.name,
        "media_type": one.media,
        "size": one.size,
        "sha256": one.digest,
        "file": name,
        "missing": one.missing,
    }


def judged(line: Line, place: int, one: Judged) -> dict[str, Any]:
    """The decision at `place` (from 0) of a message."""
    return {
        "message": line.number,
        "n": place + 1,
        "at": one.at,
        "time": utc(one.at),
        "outcome": one.outcome,
        "cause": one.cause,
        "reason": one.reason,
        "person": one.person,
        "permit": one.permit,
        "policies": [{"name": name, "hash": digest} for name, digest in one.policies],
        "rules": list(one.rules),
    }


def passed(one: Passed) -> dict[str, Any]:
    """A delivery."""
    return {
        "permit": one.permit,
        "state": one.state,
        "at": one.at,
        "time": utc(one.at),
        "arrived": [utc(at) for at in one.arrived],
        "reason": one.reason,
        "receipts": list(one.receipts),
        "partly": one.partly,
        "unknown": one.unknown,
        "doubtful": one.doubtful,
        "failed": one.failed,
    }


def came(one: Came) -> dict[str, Any]:
    """A joining or a leaving."""
    return {
        "event": "join" if one.joined else "leave",
        "at": one.at,
        "time": utc(one.at),
        "participant": who(one.party),
        "reason": one.reason,
    }


def later(one: Later) -> dict[str, Any]:
    """What replaces a message, or takes it back; its words are those of its own row, if it has one here."""
    return {
        "event": "recall" if one.recall else "edit",
        "message": one.number,
        "source_id": one.source_id,
        "at": one.at,
        "time": utc(said(one)),
        "participant": who(one.sender),
        "in_export": one.here,
    }


def line(one: Line) -> dict[str, Any]:
    """A message, without its attachments and decisions."""
    return {
        "message": one.number,
        "at": one.at,
        "time": utc(one.at),
        "sent_at": one.sent_at,
        "sent_time": utc(one.sent_at),
        "network": one.network,
        "source_id": one.source_id,
        "kind": one.kind,
        "state": one.state,
        "sender": who(one.sender),
        "readers": [who(reader) for reader in one.readers],
        "text": one.text,
        "seen": seen(one),
        "sent": one.sent,
        "offered": one.offered,
        "sent_quote": one.sent_quote,
        "quote": one.quote,
        "defect": one.defect,
        "edits": one.edits,
        "recalls": one.recalls,
        "taken": one.taken,
        "later": [later(version) for version in one.later],
        "versions": one.versions,
        "replaces": one.replaces,
        "refers_to": one.refers_to,
        "notice_for": one.notice_for,
        "origin": one.origin,
        "gone": one.gone,
        "copy": one.copy,
        "lane": one.lane,
        "entry": one.entry,
        "leaf": one.leaf.hex(),
    }
