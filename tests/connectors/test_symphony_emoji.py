"""The emoji table: complete enough, and silent about nothing."""

from __future__ import annotations

from connectors.symphony.emoji import CHARACTERS, character


def test_names_become_characters() -> None:
    """With or without colons, in any case; what is unknown stays readable."""
    assert character("thumbsup") == character(":ThumbsUp:") == "👍"
    assert character(":house_of_cards_2:") == ":house_of_cards_2:"


def test_every_entry_is_a_name_and_a_pictograph() -> None:
    """The table has no name without its character: the pairs did not slip."""
    assert len(CHARACTERS) > 150
    for name, picture in CHARACTERS.items():
        assert name.isascii() and not picture.isascii(), name
