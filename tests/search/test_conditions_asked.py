"""Conditions: which fields they look into, and what they look like."""

from __future__ import annotations

import pytest
from specimens import Specimen, decided, finds, wrote

from bridge.message import Inspection
from bridge.search.document import Attached, Decided

_INSIDE = Inspection("a.pdf", "pdf", 9, text="secret")
FIELDS = {
    "text": wrote("secret"),
    "sent": wrote("", permitted="secret"),
    "quote": wrote("", quote="secret"),
    "file": wrote("", files=[Attached("secret.pdf", "file", 9)]),
    "inside": wrote("", files=[Attached("a.pdf", "file", 9, "", _INSIDE)]),
    "reason": wrote("", decisions=[decided(reason="a secret was found")]),
    "why": wrote("", decisions=[Decided(1, decided().verdict, "bob.li@bank.example", "no secret")]),
}


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("secret", {"text", "sent", "quote", "file"}),
        ("text:secret", {"text", "sent"}),
        ("orig:secret", {"text"}),
        ("sent:secret", {"sent"}),
        ("quote:secret", {"quote"}),
        ("file:secret", {"file"}),
        ("inside:secret", {"inside"}),
        ("reason:secret", {"reason", "why"}),
    ],
)
def test_each_looks_into_its_fields(query: str, fields: set[str]) -> None:
    """And into no other."""
    assert {name for name, message in FIELDS.items() if finds(query, message)} == fields


def test_fields_do_not_run_into_each_other() -> None:
    """A phrase, or two terms near each other, stand in one field."""
    message = wrote("insider", permitted="tip", quote="内幕")
    assert finds("insider tip 内幕", message)
    assert not finds('"insider tip" OR near(insider,tip,9) OR "tip 内幕"', message)


def test_digests_are_of_the_entry_or_of_a_file() -> None:
    """As many digits as are given have to agree."""
    message = Specimen(files=[Attached("a", "file", 1, "AB" * 32)])
    assert finds("hash:9f86d081884c7d65 hash:abababab hash:sha256:" + "ab" * 32, message)
    assert not finds("hash:9f86d081884c7d66", message)


def test_policies_are_known_by_name_and_by_hash() -> None:
    """A hash counts with every digit that is given."""
    message = wrote("", decisions=[decided()])
    assert finds("policy:desk policy:ab12cd34 policy:AB12CD34ab", message)
    assert not finds("policy:ab12cd34ff OR policy:des", message)
