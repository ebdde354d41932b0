"""Messages and verdicts as bytes: the bodies that the archive keeps and the ledger's digests cover.

Rules of this file: pure; a body written once can be read for ever. Fields may be added with a default,
never renamed or removed (`tests/store/bodies-v1.jsonl` holds old bodies that still read).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from bridge.ledger.content import written
from bridge.message import Annotation, File, Inspection, Kind, Message, Verdict, small_number, whole_text
from bridge.record import as_record, from_record

_SORTED = orjson.OPT_SORT_KEYS


def message_body(message: Message) -> bytes:
    """The message without its raw bytes, which are kept beside it unchanged."""
    body = {
        "network": message.network,
        "id": message.id,
        "conversation": message.conversation,
        "sender": message.sender,
        "sent_at": message.sent_at,
        "kind": message.kind.value,
        "text": message.text,
        "sender_name": message.sender_name,
        "address": message.address,
        "files": [asdict(file) for file in message.files],
        "replaces": message.replaces,
        "refers_to": message.refers_to,
        "quote": message.quote,
        "defect": message.defect,
    }
    return dump({key: value for key, value in body.items() if value != "" and value != []})


def message_from(body: bytes, raw: bytes) -> Message:
    """The message whose body and raw bytes these are."""
    value = orjson.loads(body)
    value["kind"] = Kind(value["kind"])
    if "files" in value:
        value["files"] = tuple(File(**{**file, "kind": Kind(file["kind"])}) for file in value["files"])
    # Networks report things that nobody wrote, or that belong to no chat: empty fields are not written.
    return Message(**{"id": "", "conversation": "", "sender": "", **value}, raw=raw)


@dataclass(frozen=True, slots=True)
class Known:
    """What a verdict rested on that the archive has nowhere else: with it, anybody can decide again.

    `now` is the judge's clock, in milliseconds. `pair` is the number of the pair whose two people the
    message went between (None: they were none): what a pair says of them never changes, a change is a new
    pair. `earlier` are numbers of messages. `consent` and `said` are as in `bridge.message.Context`.
    """

    now: int
    pair: int | None = None
    earlier: tuple[int, ...] = ()
    consent: Mapping[str, int] = field(default_factory=dict)
    said: Mapping[str, int] = field(default_factory=dict)


def verdict_body(verdict: Verdict, text: str, known: Known | None = None) -> bytes:
    """The verdict on a message that says `text`, with what it rested on. An unchanged text is not written
    twice, and nothing that is empty."""
    body = as_record(verdict)
    if verdict.text == text:
        del body["text"]
    if known is not None:
        body["known"] = {
            name: value
            for name in ("now", "pair", "earlier", "consent", "said")
            if (value := getattr(known, name)) or name == "now"
        }
    return dump(body)


def verdict_from(body: bytes, text: str) -> Verdict:
    """The verdict whose body this is, on a message that says `text`."""
    return from_record({"text": text, **orjson.loads(body)})


def known_from(body: bytes) -> Known | None:
    """What the verdict whose body this is rested on; None when nothing is recorded (a person's verdict, the
    bridge's own notices, bodies from before this was kept)."""
    known = orjson.loads(body).get("known")
    return None if known is None else Known(**{**known, "earlier": tuple(known.get("earlier", ()))})


def verdict_text(body: bytes, text: str) -> str:
    """What the verdict whose body this is lets out of a message that says `text`."""
    return orjson.loads(body).get("text", text)


def verdict_words(body: bytes, text: str) -> tuple[str, tuple[Annotation, ...]]:
    """The same, with the firm's texts that go below it."""
    return words_in(orjson.loads(body), text)


def words_in(value: Mapping[str, Any], text: str) -> tuple[str, tuple[Annotation, ...]]:
    """The same of a verdict's body that was decoded already."""
    below = tuple(Annotation(one["key"], one["text"]) for one in value.get("annotations", ()))
    return value.get("text", text), below


def inspection_body(inspection: Inspection, sha256: str = "") -> bytes:
    """What an attachment was found to be; what is as it mostly is, is not written.

    `sha256` is that of its own bytes, in hex: the ledger names the sealed file, and with this field anybody
    who is shown the attachment can tell that it is the one (`bridge.evidence`).
    """
    body = asdict(inspection) | {"sha256": sha256}
    return dump({key: value for key, value in body.items() if value != "" and value is not False})


def inspection_from(body: bytes) -> Inspection:
    """The inspection whose body this is."""
    value = orjson.loads(body)
    value.pop("sha256", None)
    return Inspection(**{"name": "", **value})


def dump(value: object) -> bytes:
    """Any body: JSON with sorted keys, those of an object one to a line (`bridge.ledger.content`). What it
    cannot carry is replaced: lone surrogates by "?", whole numbers past 64 bits by the nearest that fits."""
    try:
        return _dumped(value)
    except (TypeError, UnicodeEncodeError):
        return _dumped(_mended(value))


def _dumped(value: object) -> bytes:
    return written(value) if isinstance(value, dict) and value else orjson.dumps(value, option=_SORTED)


def _mended(value: object) -> object:
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, int):
        return small_number(value)
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(item) for item in value]
    return value
