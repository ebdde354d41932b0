"""Labels: in every language, and in both at once."""

from __future__ import annotations

import pytest

from bridge.flow import DeliveryState, MessageState
from bridge.message import Cause, Kind, Outcome
from bridge.records import transcript
from bridge.records.exports.labels import _WORDS, LANGUAGES, label, term


def test_every_label_is_there_in_every_language() -> None:
    """No reader meets an empty label or an English one in Chinese."""
    for key in _WORDS:
        english, *chinese = (label(key, language) for language in LANGUAGES[1:])
        assert english.isascii()
        assert all(word and not word.isascii() for word in chinese)
        assert label(key, "both") == f"{english} / {chinese[0]}"


@pytest.mark.parametrize("language", ["zh-Hans", "zh-Hant"])
def test_our_own_words_are_chinese_on_a_chinese_page(language: str) -> None:
    """Whatever a message, a delivery or a decision may be, and whoever takes part; a reason that a person
    wrote stays as it is, and so does everything on a page in both languages."""
    roles = (transcript.ADVISOR, transcript.CLIENT, transcript.BRIDGE, transcript.OTHER)
    acts = (transcript.DROPPED, transcript.RETRIED, transcript.REVIEWED)
    for word in (*MessageState, *DeliveryState, *Kind, *Outcome, *Cause, *roles, *acts):
        assert not term(word, language).isascii(), word
        assert term(word, "both") == term(word, "en") == word
    assert term("seen, harmless", language) == "seen, harmless"
