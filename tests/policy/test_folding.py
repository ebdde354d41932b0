"""Folding: many spellings become one, and every folded character knows where it comes from."""

from __future__ import annotations

import subprocess
import sys
import unicodedata

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
        ("❶②⓷➃⓿", "12340"),
        ("🅼🅽🅿🅸", "mnpi"),
        ("騰訊的內幕消息", "腾讯的内幕消息"),
        ("賬戶帳戶帐户账户", "账户账户账户账户"),
        ("看著妳", "看着你"),
        ("衞衛滙匯綫線裏裡", "卫卫汇汇线线里里"),
        ("乾坤", "干坤"),
    ],
)
def test_spellings_fold_to_one(written: str, folded: str) -> None:
    """Width, case, accents, digits, script, variants, white space and invisible characters do not matter."""
    assert fold(written) == folded


def test_folding_is_stable_for_every_character() -> None:
    """What is folded folds to itself, for each character of Unicode, without a line end in it.

    Of the code points that stand for nothing, or for what private parties agree on, nine in ten of all, every
    61st is looked at: Unicode has no properties by which one of them could fold as another does not.
    """
    for code in range(sys.maxunicode + 1):
        if code % 61 and unicodedata.category(chr(code)) in ("Cn", "Co"):
            continue
        once = fold(chr(code))
        assert fold(once) == once and "\n" not in once, hex(code)


@given(st.text("賬帳戶內幕股票 ab\u200b\u0301①", max_size=30))
def test_scripts_fold_without_moving_anything(text: str) -> None:
    """Traditional text folds character by character: each has its own origin, and nothing else moves."""
    seen = [index for index, char in enumerate(text) if fold(char) and not fold(char).isspace()]
    source = [index for index, char in zip(origins(text), fold(text), strict=True) if char != " "]
    assert source == seen


def test_starting_the_program_loads_no_tables() -> None:
    """OpenCC, pinyin and telephone tables are loaded by the first text that needs them, not by an import."""
    code = "import sys, bridge.policy; print({'opencc', 'pypinyin', 'phonenumbers'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"


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


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_folded_as_any_other_text(text: str) -> None:
    """Its own table says the same as the table of all characters."""
    assert fold(text) == fold(text + "一")[:-1]
