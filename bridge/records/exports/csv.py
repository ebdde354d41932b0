"""A table for spreadsheets and loaders (RFC 4180, UTF-8 with a mark), one row for each thing that happened.

Rules of this file: pure. Nothing that people wrote can become a formula: wherever a spreadsheet may see the
beginning of a cell (of this one, and, where lists are separated by semicolons and the quotes around it count
for nothing, after each semicolon and break inside) an apostrophe stands before a sign that it would compute,
be it behind quotes and blanks, which a reader may take away, and before an apostrophe. So a program takes one
away in each of these places. What is nested stands as JSON.

    posts-00001.csv      previously-joined, enter, leave, message, attachment, deleted-attachment
    metadata-00001.json  for each conversation and day: counts, first and last time
    warnings-00001.txt   attachments that are missing, if any
    attachments/         files, named by message and place
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from bridge.records.exports import plainly
from bridge.records.exports.attaching import attach
from bridge.records.exports.naming import attachment
from bridge.records.exports.telling import utc
from bridge.records.transcript import Came, Enclosure, Line, Output, Party, Request, Slice

COLUMNS = (
    *("type", "time", "at", "sent_time", "sent_at", "conversation", "title", "day"),
    *("participant", "name", "address", "role", "network", "source_id", "message", "kind", "state"),
    *("text", "seen", "sent", "offered", "sent_quote", "quote", "defect", "edits", "recalls"),
    *("taken", "later", "versions", "replaces", "refers_to"),
    *("notice_for", "readers", "origin", "gone"),
    *("file", "file_name", "media_type", "size", "sha256", "missing", "reason"),
    *("decisions", "deliveries", "lane", "entry", "leaf"),
)
"""What a row has: the words of `plainly`; times are ISO 8601 UTC (`time`) and milliseconds (`at`)."""

_COMPUTED = "=+-@＝＋－＠−﹢﹣﹦﹫"  # half-width, full-width, small, and the minus sign
_UNSEEN = "\u00ad\u200b-\u200f\u2060-\u2064\ufeff\x00-\x08\x0e-\x1f"  # what may be dropped unseen
_COMPUTES = rf"(?=(?:[^\S\r\n]|[\"{_UNSEEN}])*[{re.escape(_COMPUTED)}]|')"
_DANGEROUS = re.compile(rf"{_COMPUTES}|(?=[\t\r\n])")
_BEGINS = re.compile(rf"(?<=[;\r\n]){_COMPUTES}")
_TAKEN = re.compile(r"\A'|(?<=[;\r\n])'")
_MARK = b"\xef\xbb\xbf"

LONGEST = 32_767
"""Characters of a cell that spreadsheets keep: what is above is cut off in silence (limits of Excel)."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def harmless(value: str) -> str:
    """A cell that no spreadsheet computes."""
    shown = f"'{value}" if _DANGEROUS.match(value) else value
    inside = ";" in value or "\n" in value or "\r" in value
    return _BEGINS.sub("'", shown) if inside else shown


def as_written(cell: str) -> str:
    """What `harmless` was given."""
    return _TAKEN.sub("", cell)


class Csv:
    """See `Format`."""

    name = "csv"

    def write(
        self, request: Request, slices: Sequence[Slice], options: Mapping[str, object], out: Output
    ) -> None:
        """See `Format`."""
        with out.file(f"posts-{out.part:05d}.csv") as file:
            file.write(_MARK + _row(COLUMNS))
            for one in slices:
                for row in _rows(one):
                    cells = [_cell(row.get(name)) for name in COLUMNS]
                    _warn(out, row.get("message"), cells)
                    file.write(_row(cells))
        with out.file(f"metadata-{out.part:05d}.json") as file:
            file.write(orjson.dumps([_about(one) for one in slices], option=orjson.OPT_INDENT_2) + b"\n")
        if missing := [*_missing(slices)]:
            with out.file(f"warnings-{out.part:05d}.txt") as file:
                file.write("".join(missing).encode())
        attach(out, slices)


def _warn(out: Output, number: int | None, cells: Sequence[str]) -> None:
    if number is None:
        return
    if max(map(len, cells)) > LONGEST:
        out.warn("long", number, "more than a cell of a spreadsheet keeps; a program reads all of it")
    if _CONTROLS.search("".join(cells)):
        out.warn("control", number, "control signs: some programs end a cell, or the table, at one")


def _row(cells: Iterable[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow(cells)
    return line.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None or value == "":
        return ""
    return harmless(value if isinstance(value, str) else orjson.dumps(value).decode())


# --- rows -----------------------------------------------------------------------------------------------


def _rows(one: Slice) -> Iterator[dict[str, Any]]:
    where = {"conversation": one.key, "title": one.title, "day": one.day.isoformat()}
    for party in one.present:
        yield {"type": "previously-joined", **where, **_who(party)}
    for item in one.items:
        if isinstance(item, Came):
            yield {**where, **_who(item.party), **_came(item)}
            continue
        yield {"type": "message", **where, **_who(item.sender), **_message(item)}
        for place, file in enumerate(item.files):
            yield {**where, **_who(item.sender), **_file(item, place, file)}


def _who(party: Party) -> dict[str, Any]:
    return {
        "participant": plainly.who(party),
        "name": party.name,
        "address": party.address,
        "role": party.role,
        "network": party.network,
    }


def _came(item: Came) -> dict[str, Any]:
    kind = "enter" if item.joined else "leave"
    return {"type": kind, "time": utc(item.at), "at": item.at, "reason": item.reason}


def _message(line: Line) -> dict[str, Any]:
    decisions = [plainly.judged(line, place, one) for place, one in enumerate(line.decisions)]
    return {
        **plainly.line(line),
        "decisions": decisions,
        "deliveries": [plainly.passed(one) for one in line.deliveries],
    }


def _file(line: Line, place: int, file: Enclosure) -> dict[str, Any]:
    told = plainly.enclosure(file, attachment(line, place, file) if file.digest else "")
    return {
        "type": "attachment" if file.digest else "deleted-attachment",
        "time": utc(line.at),
        "at": line.at,
        "message": line.number,
        **told,
        "name": line.sender.name,
        "file_name": file.name,
    }


# --- beside the table -----------------------------------------------------------------------------------


def _about(one: Slice) -> dict[str, Any]:
    times = [item.at for item in one.items]
    return {
        "conversation": one.key,
        "title": one.title,
        "day": one.day.isoformat(),
        "piece": one.piece,
        "messages": sum(1 for _ in one.lines),
        "attachments": sum(bool(file.digest) for line in one.lines for file in line.files),
        "first_at": min(times, default=0),
        "last_at": max(times, default=0),
    }


def _missing(slices: Sequence[Slice]) -> Iterator[str]:
    for one in slices:
        for line in one.lines:
            for place, file in enumerate(line.files):
                if not file.digest:
                    yield f"message {line.number}, attachment {place + 1}: {file.missing}\n"


CSV = Csv()
