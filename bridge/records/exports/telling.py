"""What is said about a message beside its text: in the same words in every format that people read.

Rules of this file: pure; English, because archives search it, unless a page has another word (`say`); times
in UTC with the unit that they have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from bridge.records.transcript import Came, Enclosure, Judged, Later, Line, Party, Passed
from bridge.search.moments import written_at

Say = Callable[[str], str]
"""How a page calls one of our own words."""

IN_PART, UNKNOWN = "in part", "not known yet"
"""What the other side saw of what a network took some parts of, or gave no answer about."""

_IDS = "network's ids"


def utc(milliseconds: int) -> str:
    """ISO 8601 with milliseconds and "Z"; "" for 0, which means never, and for what no calendar has."""
    if not milliseconds:
        return ""
    try:
        whole = moment(milliseconds)
    except (ValueError, OverflowError, OSError):
        return ""
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z".rjust(24, "0")


def moment(milliseconds: int) -> datetime:
    """The same as a datetime in UTC, cut to the second. Raises as datetime does beyond the calendar."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC)


def said(line: Line | Later) -> int:
    """When a message was written: by the network's clock, or when it was archived if that cannot be."""
    return written_at(line.sent_at, line.at)


def duration(milliseconds: int) -> str:
    """Hours, minutes and seconds: "0:03:20"."""
    seconds = max(0, milliseconds) // 1000
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def who(party: Party) -> str:
    """A name with network and id, so that two people of one name stay two."""
    return f"{party.name} ({party.network} {party.id})" if party.name else f"{party.network} {party.id}"


def seen(line: Line) -> str:
    """What the other side saw, in a word or two; "" in a client's copy, whose text is what he saw."""
    if line.delivered:
        return "" if line.copy else "as written" if line.sent == line.text else "changed"
    if line.partly:
        return IN_PART
    return "" if line.copy else UNKNOWN if line.unknown else "nothing"


def state(line: Line, say: Say = str) -> str:
    """Its kind, and where it stands."""
    return ", ".join(map(say, filter(None, (line.kind, line.state))))


def remarks(line: Line) -> Iterator[tuple[str, str]]:
    """Everything there is to say about a message, as label and value, in a fixed order."""
    yield "Record", f"message/{line.number}"
    yield "Archived", utc(line.at)
    yield "Network", f"{line.network} {line.source_id}".strip()
    yield "State", state(line)
    if line.origin:
        yield "Origin", line.origin
    yield from _links(line)
    yield from became(line)
    if line.gone:
        yield "Gone", line.gone
    if line.defect:
        yield "Defect", line.defect
    if line.quote:
        yield "Quote", line.quote
    if line.readers or not line.copy:
        yield "Read by", ", ".join(who(one) for one in line.readers) or "nobody"
    if seen(line):
        yield "The other side saw", seen(line)
    if seen(line) == "changed":
        yield "Sent", line.sent
    if line.offered:
        yield "Sent, and not known to have arrived whole", line.offered
    if line.sent_quote:
        yield "Sent below the quote", line.sent_quote
    for file in line.files:
        yield "Attachment", attached(file)
    for judged in line.decisions:
        yield "Decision", decided(judged)
    for passed in line.deliveries:
        yield "Delivery", delivered(passed)


def _links(line: Line) -> Iterator[tuple[str, str]]:
    if line.edits is not None:
        yield "Replaces", f"message/{line.edits}"
    elif line.replaces:
        yield "Replaces", f"{line.replaces}, which the archive does not have"
    if line.recalls is not None:
        yield "Takes back", f"message/{line.recalls}"
    elif line.kind == "recall" and line.refers_to:
        yield "Takes back", f"{line.refers_to}, which the archive does not have"
    if line.notice_for is not None:
        yield "Notice about", f"message/{line.notice_for}"


def became(line: Line) -> Iterator[tuple[str, str]]:
    """What replaced a message, or took it back: its number, id and time, and whether it is here; and how
    often it was replaced, where not every version stands there."""
    for later in line.later:
        yield "Taken back by" if later.recall else "Replaced by", follower(later)
    if skips(line):
        yield "Later versions", str(line.versions)


def skips(line: Line) -> bool:
    """Whether there are later versions between the next one and the last."""
    return line.versions > sum(not later.recall for later in line.later)


def follower(later: Later, elsewhere: str = "not in this export") -> str:
    """A later version or a recall on a line."""
    where = "" if later.here else f", {elsewhere}"
    known = f" ({later.source_id})" if later.source_id else ""
    return f"message/{later.number}{known} at {utc(said(later))}{where}"


def attached(file: Enclosure) -> str:
    """Name, type, size and digest of an attachment, or why it is missing."""
    size = f"{file.size} bytes" if file.size >= 0 else "size unknown"
    return f"{file.name} ({file.media}, {size}, {_digest(file)})"


def _digest(file: Enclosure) -> str:
    return f"SHA-256 {file.digest}" if file.digest else f"missing: {file.missing or 'no reason recorded'}"


def decided(judged: Judged, say: Say = str) -> str:
    """One decision: when, what, why, by whom, by which rules of which policies."""
    parts = [utc(judged.at), say(judged.outcome), say(judged.cause)]
    parts += [f"{say('by')} {judged.person}"] if judged.person else []
    parts += [f"{say('because')} {say(judged.reason)}"] if judged.reason else []
    parts += [f"{say('permit')} {judged.permit}"] if judged.permit else []
    parts += [f"{say('rules')} {', '.join(judged.rules)}"] if judged.rules else []
    parts += [f"{say('policy')} {name} {digest}" for name, digest in judged.policies]
    return "; ".join(part for part in parts if part)


def delivered(passed: Passed, say: Say = str) -> str:
    """One delivery and where it stands; of what arrived in part, when."""
    parts = [utc(passed.at), say(passed.state), f"{say('permit')} {passed.permit}", passed.reason]
    parts += [f"{say(_IDS)} {', '.join(passed.receipts)}"] if passed.receipts else []
    parts += [" ".join([say(IN_PART), *map(utc, passed.arrived)])] if passed.partly else []
    parts += [say("may have arrived")] if passed.unknown else []
    return "; ".join(part for part in parts if part)


def changed(change: Came) -> str:
    """Somebody's coming or going as a sentence."""
    verb = "joined" if change.joined else "left"
    return f"{who(change.party)} {verb}" + (f": {change.reason}" if change.reason else "")
