"""Plain values: every field under one name."""

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
