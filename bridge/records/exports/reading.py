"""A conversation as people read it on pages and on paper: labels and values, in one order for both.

Rules of this file: pure. Every field of a message is here; what is empty is left out, because its absence
says the same. Values are as they were: whoever prints them makes them harmless.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from bridge.records.exports.labels import label, term
from bridge.records.exports.telling import decided, delivered, follower, skips, state, utc, who
from bridge.records.transcript import CLIENT, Came, Line, Party, Request, Slice

Pair = tuple[str, str]


def heading(request: Request, one: Slice, language: str) -> Iterator[Pair]:
    """What stands at the head of a conversation."""
    yield label("conversation", language), f"{one.title} ({one.key})"
    piece = f", {one.piece}" if one.piece > 1 else ""
    yield label("day", language), f"{one.day.isoformat()} ({request.zone}){piece}"
    yield label("participants", language), "; ".join(named(party, language) for party in one.participants)
    yield label("present", language), "; ".join(who(party) for party in one.present)
    yield label("messages", language), str(sum(1 for _ in one.lines))
    yield label("asked", language), request.query
    yield label("case", language), request.case


def named(party: Party, language: str) -> str:
    """A participant with role and address."""
    return f"{who(party)} <{party.address}>, {term(party.role, language)}"


def change(item: Came, language: str) -> str:
    """Somebody's coming or going, on a line."""
    verb = label("joined" if item.joined else "left", language)
    reason = f" ({term(item.reason, language)})" if item.reason else ""
    return f"{utc(item.at)} {named(item.party, language)} {verb}{reason}"


def facts(line: Line, language: str) -> Iterator[Pair]:
    """The short facts about a message, without its text."""
    say = partial(term, language=language)
    yield label("from", language), named(line.sender, language)
    yield label("to", language), "; ".join(who(one) for one in line.readers)
    yield label("sent_at", language), utc(line.sent_at)
    yield label("at", language), utc(line.at)
    yield label("network", language), f"{line.network} {line.source_id}".strip()
    yield label("state", language), state(line, say)
    yield label("origin", language), line.origin
    for key, number, outside in (
        ("edits", line.edits, line.replaces),
        ("recalls", line.recalls, line.refers_to if line.kind == "recall" else ""),
        ("notice_for", line.notice_for, ""),
    ):
        yield label(key, language), outside if number is None else str(number)
    yield label("sent_quote", language), line.sent_quote
    yield label("gone", language), line.gone
    yield label("defect", language), line.defect
    for one in line.decisions:
        yield label("decision", language), decided(one, say)
    for passed in line.deliveries:
        yield label("delivery", language), delivered(passed, say)
    yield label("proof", language), f"{line.lane}/{line.entry} {line.leaf.hex()}"


def became(line: Line, language: str) -> Iterator[Pair]:
    """What replaced a message, or took it back: to be read before its words."""
    for later in line.later:
        told = follower(later, label("elsewhere", language))
        yield label("taken_back" if later.recall else "replaced", language), told
    if skips(line):
        yield label("versions", language), str(line.versions)


def sides(line: Line, language: str) -> Iterator[Pair]:
    """The words of a message under what they are: what it answers, as written, as the other side saw it. In a
    client's copy they stand once, as the client wrote them or was shown them."""
    if line.quote:
        yield "quote", line.quote
    if not line.copy:
        yield "written", line.text
        yield "delivered", other_side(line, language)
    elif line.sender.role == CLIENT:
        yield "written", line.text
    else:
        yield "shown", f"{label('partly', language)}: {line.text}" if line.partly else line.text


def other_side(line: Line, language: str) -> str:
    """What the other side saw: its words, that these were the same, a part of them, perhaps, or nothing."""
    if line.partly:
        ids = ", ".join(one for passed in line.deliveries if passed.partly for one in passed.receipts)
        return f"{label('partly', language)} ({ids}): {line.offered}"
    if line.unknown:
        return f"{label('unknown', language)}: {line.offered}"
    if not line.delivered:
        return label("nothing", language)
    return label("same", language) if line.sent == line.text else line.sent
