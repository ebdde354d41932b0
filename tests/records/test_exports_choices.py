"""Options of a profile are taken as they are meant, or refused with what may stand."""

from __future__ import annotations

import pytest

from bridge.errors import ConfigError
from bridge.records.exports.choices import number, text, word


def test_what_is_not_chosen_is_usual() -> None:
    """Every option has a value."""
    assert number({}, "largest", 5) == 5
    assert word({}, "unit", ("ms", "s")) == "ms"
    assert text({}, "prefix", "WB") == "WB"


def test_words_and_numbers_from_a_command_line() -> None:
    """A number may come as text."""
    assert number({"largest": "10"}, "largest", 5) == 10
    assert word({"unit": "s"}, "unit", ("ms", "s")) == "s"


@pytest.mark.parametrize("given", ["0", "-1", "ten", None, 1.5])
def test_numbers_that_are_none_are_refused(given: object) -> None:
    """With the least that may stand."""
    with pytest.raises(ConfigError, match=r"largest: .* from 1 on"):
        number({"largest": given}, "largest", 5)


def test_an_unknown_word_is_answered_with_those_there_are() -> None:
    """So that nobody has to look for them."""
    with pytest.raises(ConfigError, match="unit: 'us' is none of ms, s"):
        word({"unit": "us"}, "unit", ("ms", "s"))
