"""The words of the reports, in every language."""

from __future__ import annotations

import pytest

from bridge.evidence.phrases import _PHRASES, _TERMS, LANGUAGES, phrase, remark, term
from bridge.message import Outcome


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


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_its_words(outcome: Outcome) -> None:
    """In both Chinese scripts; in English it stays as it is in the record."""
    assert outcome.value in _TERMS
    assert term(outcome.value, "en") == outcome.value
    assert term("hold", "zh-Hant") == "暫緩發送"


def test_a_remark_keeps_what_others_said() -> None:
    """What a network answered is nobody's to translate; nor is a place."""
    assert remark("the network did not give it: 404", "zh-Hans") == "网络未提供: 404"
    assert remark("disposed of: hk/records, disposal 4", "zh-Hans").startswith("已按规定销毁")
    assert remark("0/17", "zh-Hans") == "0/17"
