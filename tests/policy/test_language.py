"""The grammar's own rules: closed, typed by field, and honest about what is not enforced."""

from __future__ import annotations

import inspect

import pytest
from pydantic import ValidationError

from bridge.policy import language as lang

SECTIONS = [
    model for _, model in inspect.getmembers(lang, inspect.isclass) if issubclass(model, lang.Section)
]


@pytest.mark.parametrize("section", SECTIONS)
def test_sections_are_closed_and_do_not_change(section: type[lang.Section]) -> None:
    """No section takes an unknown key, and none can be altered after it was checked."""
    assert section.model_config["extra"] == "forbid" and section.model_config["frozen"]


@pytest.mark.parametrize("section", SECTIONS)
def test_a_key_is_enforced_or_of_a_later_version(section: type[lang.Section]) -> None:
    """Nothing is both: a key that is enforced leaves the list of those that are not."""
    keys = {info.alias or name for name, info in section.model_fields.items()}
    assert not keys & section.LATER


def test_one_value_stands_for_a_list_of_one() -> None:
    """`finds: card` and `finds: [card]` are the same."""
    one = lang.When.model_validate({"direction": "both", "finds": "card"})
    many = lang.When.model_validate({"direction": "both", "finds": ["card"]})
    assert one == many and one.finds == ("card",)


def test_true_stands_for_the_usual_options() -> None:
    """`hold: true` is a hold with every default."""
    assert lang.Then.model_validate({"hold": "true"}).hold == lang.Hold()
    assert lang.Then.model_validate({"redact": "true"}).redact == lang.Redact(keep_last=0, style="position")


@pytest.mark.parametrize("written", ["yes", "on", "1", "True", "TRUE", ""])
def test_only_true_is_true(written: str) -> None:
    """Words that YAML would turn into a truth are refused."""
    with pytest.raises(ValidationError):
        lang.Then.model_validate({"block": written})


@pytest.mark.parametrize("written", ["+4", "4.0", "1_000", "0x4", "４", " 4", "-1", ""])
def test_numbers_are_digits(written: str) -> None:
    """No sign, no separator, no other base, no full-width digits."""
    with pytest.raises(ValidationError):
        lang.Redact.model_validate({"keep_last": written})


@pytest.mark.parametrize("written", ["2027-1-31", "20270131", "2027-02-30", "2027-W04-7"])
def test_dates_are_written_one_way(written: str) -> None:
    """YYYY-MM-DD, a day that exists."""
    with pytest.raises(ValidationError):
        lang.Rule.model_validate({"review_by": written})


def test_texts_for_the_sender_keep_their_language_tags() -> None:
    """Both scripts of Chinese have their own tag; `zh` is for both."""
    tell = lang.Tell.model_validate({"en": "a", "zh": "b", "zh-Hant": "c"})
    assert tell.texts() == {"en": "a", "zh": "b", "zh-Hant": "c"}


def test_an_incomplete_file_enforces_and_holds() -> None:
    """Defaults that nobody wrote are the careful ones."""
    defaults = lang.Defaults()
    assert (defaults.mode, defaults.unpaired, defaults.on_error) == ("enforce", "hold", "hold")
