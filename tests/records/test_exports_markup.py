"""XML that any parser reads back as it was meant."""

from __future__ import annotations

import io
from xml.etree import ElementTree

import corpus
import pytest

from bridge.records.exports.legible import FORBIDDEN, spelled
from bridge.records.exports.markup import Markup


@pytest.mark.parametrize("text", [*corpus.TEXTS, "\ud800"])
def test_texts_and_attributes_come_back(text: str) -> None:
    """With every break and space; what XML cannot write is spelled out."""
    file = io.BytesIO()
    markup = Markup(file)
    with markup.within("Root", {"value": text}):
        markup.leaf("Leaf", text, {"value": text})
    root = ElementTree.fromstring(file.getvalue())
    expected = spelled(text, FORBIDDEN)
    assert root.get("value") == expected
    (leaf,) = root
    assert (leaf.text or "", leaf.get("value")) == (expected, expected)


def test_elements_stand_in_elements() -> None:
    """Two spaces for each."""
    file = io.BytesIO()
    markup = Markup(file)
    with markup.within("A"), markup.within("B"):
        markup.leaf("C")
    assert file.getvalue().decode().splitlines()[1:] == ["<A>", "  <B>", "    <C></C>", "  </B>", "</A>"]
