"""What a listing shows of a message: in a table, in a file for spreadsheets, in JSON.

Rules of this file: pure. One function a column. Whatever came from a network may hold anything: in a table it
is made harmless for the terminal, in CSV for the spreadsheet that opens it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import tzinfo
from typing import Any

from bridge.cli import output
from bridge.cli.audit.excerpt import Marks, Shown, Spans, excerpt
from bridge.cli.audit.zone import moment
from bridge.flow import DeliveryState, MessageState
from bridge.message import Outcome
from bridge.search.document import Document, Person

Highlights = Mapping[str, Sequence[tuple[int, int]]]
"""By field ("text", "sent", "file:0", ...): where the hits are, in original characters."""


def who(person: Person | None) -> str:
    """A person for people: the name, else the address, else the network's id."""
    return "" if person is None else person.name or person.address or person.id


def standing(document: Document) -> str:
    """What became of a message, in a word or two."""
    states = [one.state for one in document.deliveries]
    if DeliveryState.SENT in states:
        outcomes = {one.verdict.outcome for one in document.decisions}
        return "delivered, masked" if Outcome.REDACT in outcomes else "delivered"
    for state in (DeliveryState.FAILED, DeliveryState.PARKED, DeliveryState.WAITING, DeliveryState.DROPPED):
        if state in states:
            return state.value
    if states:
        return "sending"
    return {MessageState.NEW: "not judged", MessageState.FETCHING: "fetching files"}.get(
        MessageState(document.state), document.state
    )


def time_of(milliseconds: int, zone: tzinfo) -> str:
    """A time in the desk's zone, to the second; "" for 0, which means never."""
    return f"{moment(milliseconds, zone):%Y-%m-%d %H:%M:%S}" if milliseconds else ""


def whose(export: Mapping[str, Any]) -> str:
    """Whose words alone an export has, and whether it was a copy for himself; "" for everybody's."""
    if not export["client"]:
        return ""
    return f"{'copy for' if export['copy'] else 'of'} {export['client']}"


def _rules(document: Document) -> str:
    matches = [match for one in document.decisions for match in one.verdict.matches if match.enforced]
    return ", ".join(dict.fromkeys(f"{match.policy}/{match.rule}" for match in matches))


def _why(document: Document) -> str:
    said = [one.why or one.verdict.reason for one in document.decisions]
    return "; ".join(dict.fromkeys(filter(None, said)))


def _delay(document: Document) -> str:
    arrived = [one.done_at for one in document.deliveries if one.state == DeliveryState.SENT]
    return output.span(min(arrived) - document.at) if arrived else ""


def _people(document: Document) -> str:
    if document.notice_for is not None:
        return f"{who(document.sender)}, on {document.notice_for}"
    return f"{who(document.sender)} → {who(document.reader) or 'nobody'}"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its title, and what it says of a message. `room`: cells it may take in a table."""

    title: str
    value: Callable[[Document, tzinfo], str]
    room: int = 40


COLUMNS: Mapping[str, Column] = {
    "id": Column("ID", lambda d, _: str(d.number)),
    "time": Column("TIME", lambda d, zone: time_of(d.at, zone)),
    "who": Column("WHO", lambda d, _: _people(d), 30),
    "state": Column("STATE", lambda d, _: standing(d)),
    "text": Column("TEXT", lambda d, _: d.text),
    "from": Column("FROM", lambda d, _: who(d.sender), 20),
    "to": Column("TO", lambda d, _: who(d.reader), 20),
    "address": Column("ADDRESS", lambda d, _: d.sender.address or d.sender.id),
    "written": Column("WRITTEN", lambda d, zone: time_of(d.sent_at, zone)),
    "side": Column("SIDE", lambda d, _: d.network),
    "kind": Column("KIND", lambda d, _: d.kind),
    "outcome": Column("POLICY", lambda d, _: d.decisions[-1].verdict.outcome.value if d.decisions else ""),
    "rules": Column("RULES", lambda d, _: _rules(d)),
    "why": Column("WHY", lambda d, _: _why(d)),
    "reviewer": Column("REVIEWER", lambda d, _: ", ".join(one.person for one in d.decisions if one.person)),
    "queue": Column("QUEUE", lambda d, _: d.held.queue if d.held else ""),
    "delay": Column("DELAY", lambda d, _: _delay(d)),
    "sent": Column("SENT", lambda d, _: d.sent),
    "files": Column("FILES", lambda d, _: ", ".join(file.name for file in d.files)),
    "chat": Column("CHAT", lambda d, _: d.conversation),
    "source": Column("ID THERE", lambda d, _: d.source_id),
    "entry": Column("ENTRY", lambda d, _: f"{d.lane}/{d.entry}"),
    "hash": Column("HASH", lambda d, _: d.leaf.hex(), 64),
}

USUAL = ("id", "time", "who", "state", "text")

# --- tables ---------------------------------------------------------------------------------------------

NARROW = 100
"""Below so many cells a message takes two lines."""

LEAST = 30
"""Cells that a text gets at least, however narrow the terminal."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a table is shown: which columns, in which zone, how wide, with what around a hit."""

    columns: Sequence[str]
    zone: tzinfo
    width: int
    marks: Marks

    @property
    def apart(self) -> bool:
        """Whether the text stands on a line of its own."""
        return self.width < NARROW and self.columns[-1] == "text"


def table(found: Sequence[tuple[Document, Highlights]], look: Look) -> Iterator[str]:
    """Lines of a table with its titles; the text is shown around the first hit."""
    before = [name for name in look.columns if name != "text"]
    rows = [[_short(document, name, look.zone) for name in before] for document, _ in found]
    titles = [COLUMNS[name].title for name in before]
    sizes = [max(map(output.width, column)) for column in zip(titles, *rows, strict=True)]
    room = max(look.width - (6 if look.apart else sum(size + 2 for size in sizes)), LEAST)
    texts = [passage(document, hits, room, look.marks) for document, hits in found]
    heads = _lines(look, [*rows], sizes, texts, room)
    yield from _lines(look, [titles], sizes, [Shown("" if look.apart else "TEXT", 4)], room)
    yield from heads


def _short(document: Document, name: str, zone: tzinfo) -> str:
    column = COLUMNS[name]
    return output.cut(output.cell(column.value(document, zone).replace("\n", " ⏎ ")), column.room)


def _lines(
    look: Look, rows: Sequence[list[str]], sizes: Sequence[int], texts: Sequence[Shown], room: int
) -> Iterator[str]:
    for row, text in zip(rows, texts, strict=True):
        cells = [value + " " * (size - output.width(value)) for value, size in zip(row, sizes, strict=True)]
        if "text" not in look.columns:
            yield "  ".join(cells).rstrip()
        elif look.apart:
            yield "  ".join(cells).rstrip()
            if text.text:
                yield f"      {text.text}"
        else:
            at = look.columns.index("text")
            cells.insert(at, text.text + " " * (room - text.cells if at < len(cells) else 0))
            yield "  ".join(cells).rstrip()


def passage(document: Document, hits: Highlights, room: int, marks: Marks) -> Shown:
    """What is shown of a message: its text, or that part of it in which the hits are; files beside it."""
    spans = hits.get("text", ())
    if spans or not any(hits.values()):
        shown = [document.text.strip("\n"), *(f"📎 {file.name}" for file in document.files)]
        moved = len(document.text) - len(document.text.lstrip("\n"))
        return excerpt(" · ".join(filter(None, shown)), _moved(spans, -moved), room, marks)
    field = next(name for name, places in hits.items() if places)
    label = f"{_LABELS.get(field.partition(':')[0], field)}: "
    return excerpt(label + text_of(document, field), _moved(hits[field], len(label)), room, marks)


def _moved(spans: Spans, by: int) -> Spans:
    return [(start + by, end + by) for start, end in spans]


_LABELS = {
    "sent": "sent", "quote": "answers", "file": "📎", "inside": "in the file",
    "reason": "reason", "why": "why",
}  # fmt: skip


def text_of(document: Document, field: str) -> str:
    """The text of one field, by the name that highlights give it."""
    name, _, number = field.partition(":")
    place = int(number or 0)
    found = document.files[place].found if name == "inside" else None
    readers: Mapping[str, Callable[[], str]] = {
        "text": lambda: document.text,
        "sent": lambda: document.permitted,
        "quote": lambda: document.quote,
        "file": lambda: document.files[place].name,
        "inside": lambda: found.text if found else "",
        "reason": lambda: document.decisions[place].verdict.reason,
        "why": lambda: document.decisions[place].why,
    }
    return readers[name]()


# --- files ----------------------------------------------------------------------------------------------

_FORMULA = ("=", "+", "-", "@", "\t", "\r", *"\uff1d\uff0b\uff0d\uff20\ufe62\ufe63\ufe66\ufe6b")
"""What a spreadsheet takes a cell for a formula by (OWASP, CSV injection): also the full-width and small
forms of these signs, which those for Chinese and Japanese take for the plain ones."""


def csv_row(values: Sequence[str]) -> str:
    """One line of CSV (RFC 4180) with its line end. A cell that a spreadsheet would compute begins with '."""
    line = io.StringIO()
    csv.writer(line).writerow([f"'{value}" if value.startswith(_FORMULA) else value for value in values])
    return line.getvalue()


def csv_of(document: Document, columns: Sequence[str], zone: tzinfo) -> str:
    """A message as a line of CSV: texts are whole."""
    return csv_row([COLUMNS[name].value(document, zone) for name in columns])


def record(document: Document, hits: Highlights, zone: tzinfo) -> dict[str, Any]:
    """A message as JSON: times in milliseconds, the time of archiving in the desk's zone as well."""
    return {
        "message": document.number,
        "at": document.at,
        "time": moment(document.at, zone).isoformat(timespec="milliseconds"),
        "sent_at": document.sent_at,
        "network": document.network,
        "kind": document.kind,
        "state": document.state,
        "standing": standing(document),
        "outcome": document.decisions[-1].verdict.outcome.value if document.decisions else "",
        "rules": list(filter(None, _rules(document).split(", "))),
        "sender": _person(document.sender),
        "reader": _person(document.reader),
        "pair": document.pair,
        "text": document.text,
        "sent": document.sent,
        "quote": document.quote,
        "files": [
            {"name": f.name, "kind": f.kind, "size": f.size, "digest": f.digest} for f in document.files
        ],
        "hits": {name: [list(span) for span in spans] for name, spans in hits.items() if spans},
        "deliveries": [asdict(one) for one in document.deliveries],
        "held": asdict(document.held) if document.held else None,
        "edits": list(document.edits),
        "recalls": list(document.recalls),
        "notice_for": document.notice_for,
        "conversation": document.conversation,
        "source_id": document.source_id,
        "lane": document.lane,
        "entry": document.entry,
        "leaf": document.leaf.hex(),
    }


def _person(person: Person | None) -> dict[str, Any] | None:
    if person is None:
        return None
    return {"network": person.network, "id": person.id, "name": person.name, "address": person.address}
