"""Parts of a text: what a word is, what an index knows a text by."""

from __future__ import annotations

import pytest
from hypothesis import given
from specimens import TEXTS

from bridge.policy.folding import fold, is_han
from bridge.search.parts import known, parts, sought


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("iPhone15手机", ["iphone15", "手机"]),
        ("don’t", ["don", "t"]),
        ("0700.HK", ["0700", "hk"]),
        ("a_b-c", ["a", "b", "c"]),
        ("内 幕，消息", ["内", "幕", "消息"]),
        ("列奥纳多・达芬奇", ["列奥纳多", "达芬奇"]),
        ("👨\u200d👩 ok", ["👨", "👩", "ok"]),
        ("US$5€", ["us", "$", "5", "€"]),
        ("カタカナ語", ["カタカナ语"]),
        ("тест 한국어", ["тест", "한국어"]),
        ("二〇二六年", ["二〇二六年"]),
        ("！？… +=", []),
    ],
)
def test_a_text_is_made_of_words_runs_and_symbols(text: str, expected: list[str]) -> None:
    """Everything else separates."""
    assert [part.text for part in parts(fold(text))] == expected


@given(TEXTS)
def test_an_index_knows_every_part(text: str) -> None:
    """Whatever can be asked about a part is among what the text is known by, in ASCII as well."""
    folded = fold(text)
    words = set(known(folded))
    for part in parts(folded):
        assert sought(part) <= words
        assert folded[part.start : part.end] == part.text


@given(TEXTS)
def test_every_chinese_character_is_in_a_run(text: str) -> None:
    """One character of Chinese can always be found."""
    folded = fold(text)
    runs = "".join(part.text for part in parts(folded) if part.kind == "run")
    assert [char for char in folded if is_han(char)] == [char for char in runs if is_han(char)]
