"""Damaging a batch of events the way real agents have been seen to. Pure: events in, events out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

Damage = Callable[[list[Any]], list[Any]]


def damaged(events: list[Any], falls: Callable[[str], bool]) -> list[Any]:
    """The batch after every damage for which `falls(switch name)` is true; untouched if none does."""
    for name, damage in DAMAGES.items():
        if falls(name):
            events = damage(orjson.loads(orjson.dumps(events)))
    return events


def _without_images(events: list[Any]) -> list[Any]:
    for event in events:
        message = ((event or {}).get("payload", {}).get("messageSent") or {}).get("message", {})
        for attachment in message.get("attachments", ()):
            attachment.pop("images", None)
    return events


def _user_ids_as_strings(events: list[Any]) -> list[Any]:
    return [_with_string_ids(event) for event in events]


def _with_string_ids(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_string_ids(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: str(item) if key == "userId" else _with_string_ids(item) for key, item in value.items()}


def _with_null(events: list[Any]) -> list[Any]:
    return [None, *events]


def _empty_payload(events: list[Any]) -> list[Any]:
    return [event if event is None else {**event, "payload": {}} for event in events]


def _with_unknown_type(events: list[Any]) -> list[Any]:
    known = next(event for event in events if event is not None)
    strange = {
        **known,
        "id": f"{known['id']}-x",
        "messageId": f"{known['messageId']}-x",
        "type": "SOMETHINGNEW",
    }
    return [{**strange, "payload": {"somethingNew": {"detail": "not documented"}}}, *events]


def _without_initiator(events: list[Any]) -> list[Any]:
    return [
        event if event is None else {key: item for key, item in event.items() if key != "initiator"}
        for event in events
    ]


def _same_id(events: list[Any]) -> list[Any]:
    known = next(event for event in events if event is not None)
    return [event if event is None else {**event, "id": known["id"]} for event in events]


def _reversed(events: list[Any]) -> list[Any]:
    return events[::-1]


DAMAGES: dict[str, Damage] = {
    "attachment_without_images": _without_images,
    "user_id_as_string": _user_ids_as_strings,
    "empty_payload": _empty_payload,
    "unknown_event_type": _with_unknown_type,
    "no_initiator": _without_initiator,
    "same_event_id": _same_id,
    "out_of_order": _reversed,
    "null_event": _with_null,
}
"""The damage of each switch, in the order they are applied."""
