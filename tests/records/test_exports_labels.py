"""Labels: in every language, and in both at once."""

from __future__ import annotations

from bridge.records.exports.labels import _WORDS, LANGUAGES, label


def test_every_label_is_there_in_every_language() -> None:
    """No reader meets an empty label or an English one in Chinese."""
    for key in _WORDS:
        english, *chinese = (label(key, language) for language in LANGUAGES[1:])
        assert english.isascii()
        assert all(word and not word.isascii() for word in chinese)
        assert label(key, "both") == f"{english} / {chinese[0]}"
