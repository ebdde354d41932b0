"""The words of every diagnostic and the page of every code, in every language."""

from __future__ import annotations

import datetime
import string

import pytest

from bridge.policy import Source, assemble, render
from bridge.policy.catalogue import TEXTS
from bridge.policy.catalogue.examples import EXAMPLES, shown, whole
from bridge.policy.catalogue.pages import PAGES, page
from bridge.policy.folding import fold

NOW = datetime.datetime(2026, 2, 1, tzinfo=datetime.UTC)
CODES = sorted({key.partition(".")[0] for key in TEXTS["en"] if key.startswith("P0")})
WITHOUT_EXAMPLE = {"P008": "a file that cannot be read", "P039": "the age of a file"}


def values(key: str, language: str) -> list[set[str]]:
    """The values that sentence, label and help of a text name."""
    parsed = (string.Formatter().parse(part) for part in TEXTS[language][key])
    return [{name for _, name, _, _ in part if name} for part in parsed]


def said(piece: str) -> list[str]:
    """The codes of everything that is said about a policy with `piece` in it."""
    _, problems = assemble([Source("policy.yaml", whole(piece).encode())], now=NOW)
    return [problem.code for problem in problems]


# --- diagnostics ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", TEXTS)
def test_every_language_says_everything(language: str) -> None:
    """No key is missing, and none is left over."""
    assert set(TEXTS[language]) == set(TEXTS["en"])


@pytest.mark.parametrize("language", TEXTS)
def test_texts_name_the_same_values_in_every_language(language: str) -> None:
    """A translation names the same things as the English text, in the same part."""
    assert [key for key in TEXTS["en"] if values(key, language) != values(key, "en")] == []


@pytest.mark.parametrize("language", TEXTS)
def test_every_text_says_what_to_do(language: str) -> None:
    """No diagnostic leaves its reader without a suggestion, in whatever language."""
    assert [key for key, text in TEXTS[language].items() if key.startswith("P0") and not text.help] == []


def test_each_script_keeps_to_itself() -> None:
    """No Traditional character in Simplified text; and what differs is not Simplified in Traditional text."""
    for key, text in TEXTS["zh-Hans"].items():
        assert all(fold(char) == char for char in "".join(text) if "\u4e00" <= char <= "\u9fff"), key
    traditional = "".join("".join(text) for text in TEXTS["zh-Hant"].values())
    assert not set(traditional) & set("这规则词为检测档审个时间写删应后两无关点头项与对没义许组线试读")


# --- pages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", TEXTS)
def test_every_code_has_a_page_in_every_language(language: str) -> None:
    """A title, a meaning and a reason for each code that can be quoted, and for no other."""
    assert sorted(PAGES[language]) == CODES
    assert all(all(part for part in text) for text in PAGES[language].values())


def test_every_code_has_an_example() -> None:
    """But for those that no text can show."""
    assert set(CODES) - set(EXAMPLES) == set(WITHOUT_EXAMPLE)
    assert set(EXAMPLES) <= set(CODES)


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_wrong_example_yields_its_code_and_the_right_one_nothing(code: str) -> None:
    """What a page shows is what the program says."""
    assert code in said(EXAMPLES[code].wrong)
    right = EXAMPLES[code].right
    _, problems = assemble([Source("policy.yaml", whole(right).encode())], now=NOW)
    assert not right or render(problems) == ""


def test_a_page_shows_its_examples_where_they_belong() -> None:
    """Keys of a rule stand under `rules:`, sections at the margin, in every language alike."""
    text = page("P020", "zh-Hant")
    assert text.startswith("P020  沒有這個偵測器\n")
    assert "    rules:\n      - id: cards\n        when: { direction: to_weixin, finds: crad }\n" in text
    assert shown("language: 2") == "language: 2"


def test_an_unknown_code_has_no_page() -> None:
    """KeyError, for whoever asks to make a sentence of."""
    with pytest.raises(KeyError):
        page("P999")
