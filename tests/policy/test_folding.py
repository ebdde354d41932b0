"""Folding: many spellings become one, and every folded character knows where it comes from."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.folding import Folded, fold, graphemes, origins, widen

ANY = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("４１１１", "4111"),
        ("ＭＮＰＩ", "mnpi"),
        ("ﬁnance", "finance"),
        ("㈱", "(株)"),
        ("内\u200b幕\ufeff消\u2060息", "内幕消息"),
        ("i\u0308n\u0336side", "inside"),
        ("café", "cafe"),
        ("Straße", "strasse"),
        ("٤١١١", "4111"),
        ("a \t\r\n\u3000\u00a0 b", "a b"),
        ("1\ufe0f\u20e3", "1"),
        ("内\u3164幕", "内幕"),
        ("が", "が"),
        ("각", "각"),
        ("a\x00b", "ab"),
    ],
)
def test_spellings_fold_to_one(written: str, folded: str) -> None:
    """Width, case, accents, digits, white space and invisible characters do not matter."""
    assert fold(written) == folded


def test_folding_is_stable_for_every_character() -> None:
    """What is folded folds to itself, for each code point of Unicode, without a line end in it."""
    for code in range(sys.maxunicode + 1):
        once = fold(chr(code))
        assert fold(once) == once and "\n" not in once, hex(code)


@given(ANY)
def test_every_folded_character_has_its_origin(text: str) -> None:
    """The offset map has one entry for each folded character, in order, and it points at its origin."""
    folded, source = fold(text), origins(text)
    assert len(source) == len(folded)
    assert list(source) == sorted(source)
    assert all(char in fold(text[index]) for char, index in zip(folded, source, strict=True))


@given(ANY, ANY)
def test_a_word_is_found_where_it_was_written(before: str, after: str) -> None:
    """A hit in the folded text leads back to a passage that folds to it."""
    word = "内幕"
    text = before + "|内\u200b幕|" + after
    start = fold(text).index(word)
    ((left, right),) = Folded(text).originals([(start, start + len(word))])
    assert word in fold(text[left:right])


@given(st.text(max_size=40), st.data())
def test_spans_cover_whole_graphemes(text: str, data: st.DataObject) -> None:
    """Widened spans begin and end between graphemes and still cover what they covered."""
    if not text:
        return
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    ((left, right),) = widen(text, [(start, end)])
    assert left <= start and end <= right
    edges = {0}
    for grapheme in graphemes(text):
        edges.add(max(edges) + len(grapheme))
    assert {left, right} <= edges
