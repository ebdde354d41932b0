"""Our own package: everything that is known, as lines of JSON by type, and attachments as files.

Rules of this file: pure. Nothing is left out and nothing is interpreted. Each part has its own files,
numbered, so that no file has more than the items of one part:

    participants-00001.jsonl    everybody who was there or wrote
    conversations-00001.jsonl   conversations by day: who was there when the day began, which messages
    messages-00001.jsonl        the messages, with attachments and deliveries
    decisions-00001.jsonl       every decision of a policy or of a person
    events-00001.jsonl          joins and leaves, edits and recalls
    attachments/                files, named by message and place
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from bridge.records.exports import plainly
from bridge.records.exports.attaching import attach
from bridge.records.exports.naming import attachment
from bridge.records.exports.telling import utc
from bridge.records.transcript import Came, Line, Output, Request, Slice

Row = Mapping[str, Any]


class Jsonl:
    """See `Format`."""

    name = "jsonl"

    def write(
        self, request: Request, slices: Sequence[Slice], options: Mapping[str, object], out: Output
    ) -> None:
        """See `Format`."""
        for name, rows in (
            ("participants", plainly.participants(slices)),
            ("conversations", map(_conversation, slices)),
            ("messages", _messages(slices)),
            ("decisions", _decisions(slices)),
            ("events", _events(slices)),
        ):
            _lines(out, f"{name}-{out.part:05d}.jsonl", rows)
        attach(out, slices)


def _lines(out: Output, name: str, rows: Iterable[Row]) -> None:
    with out.file(name) as file:
        for row in rows:
            file.write(orjson.dumps(row) + b"\n")


def _conversation(one: Slice) -> Row:
    return {
        "conversation": one.key,
        "title": one.title,
        "day": one.day.isoformat(),
        "piece": one.piece,
        "present": [plainly.who(party) for party in one.present],
        "participants": [plainly.who(party) for party in one.participants],
        "messages": [line.number for line in one.lines],
    }


def _messages(slices: Sequence[Slice]) -> Iterator[Row]:
    for one in slices:
        for line in one.lines:
            files = [
                plainly.enclosure(file, attachment(line, place, file) if file.digest else "")
                for place, file in enumerate(line.files)
            ]
            deliveries = [plainly.passed(delivery) for delivery in line.deliveries]
            fields = plainly.line(line)
            yield {**fields, "conversation": one.key, "attachments": files, "deliveries": deliveries}


def _decisions(slices: Sequence[Slice]) -> Iterator[Row]:
    for line in plainly.lines(slices):
        for place, decision in enumerate(line.decisions):
            yield plainly.judged(line, place, decision)


def _events(slices: Sequence[Slice]) -> Iterator[Row]:
    for one in slices:
        for item in one.items:
            if isinstance(item, Came):
                yield {"conversation": one.key, **plainly.came(item)}
            elif item.edits is not None or item.replaces or item.kind == "recall":
                yield {"conversation": one.key, **_changed(item)}


def _changed(line: Line) -> Row:
    """An edit or a recall, as something that happened to an earlier message (None: nobody knows which)."""
    recall = line.kind == "recall"
    return {
        "event": "recall" if recall else "edit",
        "at": line.at,
        "time": utc(line.at),
        "participant": plainly.who(line.sender),
        "message": line.number,
        "of": line.recalls if recall else line.edits,
    }


JSONL = Jsonl()
