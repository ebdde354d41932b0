"""The words of the reports, in every language."""

from __future__ import annotations

import pytest

from bridge.evidence.phrases import _PHRASES, LANGUAGES, phrase


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_is_said_in_every_language(language: str) -> None:
    """No phrase is missing or empty; Chinese is Chinese."""
    for key in _PHRASES:
        said = phrase(key, language)
        assert said
        assert language == "en" or any(ord(sign) > 0x3000 for sign in said), key


def test_another_language_gets_english() -> None:
    """And an unknown phrase is a bug."""
    assert phrase("title", "fr") == phrase("title", "en")
    with pytest.raises(KeyError):
        phrase("nothing-of-ours", "en")
