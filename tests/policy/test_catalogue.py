"""The words of every diagnostic, in every language."""

from __future__ import annotations

import string

import pytest

from bridge.policy.catalogue import TEXTS


def values(key: str, language: str) -> list[set[str]]:
    """The values that sentence, label and help of a text name."""
    parsed = (string.Formatter().parse(part) for part in TEXTS[language][key])
    return [{name for _, name, _, _ in part if name} for part in parsed]


@pytest.mark.parametrize("language", TEXTS)
def test_every_language_says_everything(language: str) -> None:
    """No key is missing, and none is left over."""
    assert set(TEXTS[language]) == set(TEXTS["en"])


@pytest.mark.parametrize("language", TEXTS)
def test_texts_name_the_same_values_in_every_language(language: str) -> None:
    """A translation names the same things as the English text, in the same part."""
    assert [key for key in TEXTS["en"] if values(key, language) != values(key, "en")] == []
