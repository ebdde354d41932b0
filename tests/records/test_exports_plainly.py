"""Plain values: every field under one name, times in both spellings."""

from __future__ import annotations

from dataclasses import fields

import corpus

from bridge.records.exports import plainly
from bridge.records.transcript import Line


def test_no_field_of_a_message_is_forgotten() -> None:
    """A field that is added to the noun has to be written here, or by whoever writes what is nested."""
    nested = {"files", "decisions", "deliveries", "number"}
    told = plainly.line(corpus.line(1, "x"))
    assert {one.name for one in fields(Line)} - nested <= set(told)


def test_times_are_utc_to_the_millisecond() -> None:
    """ISO 8601; 0 is never, and what no calendar has is no time."""
    assert plainly.iso(corpus.START + 7) == "2026-09-21T14:13:20.007Z"
    assert plainly.iso(0) == ""
    assert plainly.iso(1 << 60) == ""
