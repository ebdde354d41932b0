"""Columns with types (Apache Parquet), for whoever analyses more than he reads; attachments as files beside.

Rules of this file: pure. It needs the extra `parquet` (pyarrow), and says so where that is not installed.
Times are timestamps in UTC to the millisecond; texts are as they were written, with every sign of Unicode.

    messages-00001.parquet      participants-…   decisions-…   attachments-…   events-…
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bridge.errors import Missing
from bridge.records.exports import plainly
from bridge.records.exports.attaching import attach
from bridge.records.exports.naming import attachment
from bridge.records.exports.telling import became, utc
from bridge.records.transcript import Came, Output, Request, Slice

try:
    import pyarrow
    from pyarrow import parquet
except ImportError:  # the extra is not installed
    raise Missing("Parquet needs the extra `parquet`: pip install 'weighbridge[parquet]'.") from None

if TYPE_CHECKING:
    Row = dict[str, Any]

_TIME, _TEXT, _WHOLE = pyarrow.timestamp("ms", "UTC"), pyarrow.string(), pyarrow.int64()
_TEXTS = pyarrow.list_(_TEXT)

SCHEMAS: Mapping[str, Any] = {
    "participants": pyarrow.schema(
        [(name, _TEXT) for name in ("id", "network", "network_id", "name", "address", "role")]
    ),
    "messages": pyarrow.schema(
        [
            ("message", _WHOLE),
            ("at", _TIME),
            ("sent_at", _TIME),
            ("conversation", _TEXT),
            ("day", pyarrow.date32()),
            *((name, _TEXT) for name in ("network", "source_id", "kind", "state", "sender")),
            ("readers", _TEXTS),
            *((name, _TEXT) for name in ("text", "seen", "sent", "offered", "sent_quote", "quote", "defect")),
            *((name, _WHOLE) for name in ("edits", "recalls", "notice_for", "versions")),
            *((name, _TEXT) for name in ("taken", "replaces", "refers_to", "origin", "gone")),
            ("later", _TEXTS),
            *((name, _WHOLE) for name in ("lane", "entry")),
            ("leaf", _TEXT),
            ("deliveries", _TEXTS),
        ]
    ),
    "decisions": pyarrow.schema(
        [
            *(("message", _WHOLE), ("n", _WHOLE), ("at", _TIME)),
            *((name, _TEXT) for name in ("outcome", "cause", "reason", "person", "permit")),
            *(("policies", _TEXTS), ("rules", _TEXTS)),
        ]
    ),
    "attachments": pyarrow.schema(
        [
            *(("message", _WHOLE), ("n", _WHOLE), ("name", _TEXT), ("media_type", _TEXT), ("size", _WHOLE)),
            *(("sha256", _TEXT), ("file", _TEXT), ("missing", _TEXT)),
        ]
    ),
    "events": pyarrow.schema(
        [
            *(("conversation", _TEXT), ("day", pyarrow.date32()), ("event", _TEXT), ("at", _TIME)),
            *(("participant", _TEXT), ("reason", _TEXT)),
        ]
    ),
}
"""The columns of each table; `events` are joins, leaves, and who was present when a day began (at: null)."""


class Parquet:
    """See `Format`."""

    name = "parquet"

    def write(
        self, request: Request, slices: Sequence[Slice], options: Mapping[str, object], out: Output
    ) -> None:
        """See `Format`."""
        for name, rows in (
            ("participants", plainly.participants(slices)),
            ("messages", _messages(slices)),
            ("decisions", _decisions(slices)),
            ("attachments", _attachments(slices)),
            ("events", _events(slices)),
        ):
            table = pyarrow.Table.from_pylist(list(rows), schema=SCHEMAS[name])
            with out.file(f"{name}-{out.part:05d}.parquet") as file:
                parquet.write_table(table, file, compression="zstd")
        attach(out, slices)


def _messages(slices: Sequence[Slice]) -> Iterator[Row]:
    for one in slices:
        for line in one.lines:
            deliveries = [
                " ".join(
                    [passed.permit, passed.state, utc(passed.at), passed.reason, *passed.receipts]
                ).rstrip()
                for passed in line.deliveries
            ]
            where = {"conversation": one.key, "day": one.day, "deliveries": deliveries}
            later = [f"{verb}: {which}" for verb, which in became(line)]
            yield {**plainly.line(line), **where, "later": later}


def _decisions(slices: Sequence[Slice]) -> Iterator[Row]:
    for line in plainly.lines(slices):
        for place, one in enumerate(line.decisions):
            policies = [f"{name} {digest}" for name, digest in one.policies]
            yield {**plainly.judged(line, place, one), "policies": policies}


def _attachments(slices: Sequence[Slice]) -> Iterator[Row]:
    for line in plainly.lines(slices):
        for place, file in enumerate(line.files):
            name = attachment(line, place, file) if file.digest else ""
            yield {"message": line.number, "n": place + 1, **plainly.enclosure(file, name)}


def _events(slices: Sequence[Slice]) -> Iterator[Row]:
    for one in slices:
        where = {"conversation": one.key, "day": one.day}
        for party in one.present:
            yield {**where, "event": "present", "at": None, "participant": plainly.who(party), "reason": ""}
        for item in one.items:
            if isinstance(item, Came):
                yield {**where, **plainly.came(item)}


PARQUET = Parquet()
