"""The periods of regulations: a table that policies can rely on, and that says what it does not know."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.policy import language as lang
from bridge.policy.presets import PRESETS, Preset


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_a_preset_can_be_written_out(preset: Preset) -> None:
    """Whatever a row says is something that a policy could say itself."""
    named = lang.Keep.model_validate({"preset": preset.name})
    written = {"keep": preset.keep, "start": preset.start, "id": preset.name}
    written |= {"first": preset.first} if preset.first else {}
    spelt = lang.Keep.model_validate(written)
    assert named.preset == preset.name
    assert (spelt.keep, spelt.start, spelt.first or "") == (preset.keep, preset.start, preset.first)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_a_preset_names_its_rule_and_its_source(preset: Preset) -> None:
    """A period without a source is marked as one; a confirmed one was read somewhere."""
    assert preset.rule and preset.basis
    assert re.fullmatch(r"[A-Z]{2}(-[A-Z]{2})?", preset.place)
    assert not (preset.confirmed and preset.basis == "no source read")


def test_the_table_is_whole() -> None:
    """Twenty-four presets of ten places, ten of them confirmed; names begin with their place."""
    assert len(PRESETS) == 24
    assert sum(preset.confirmed for preset in PRESETS.values()) == 10
    assert len({preset.place[:2] for preset in PRESETS.values()}) == 10
    places = {"uk": "GB"}
    for name, preset in PRESETS.items():
        prefix = name.partition("-")[0]
        assert places.get(prefix, prefix.upper()) == preset.place[:2]


@pytest.mark.parametrize(
    ("name", "keep", "start"),
    [
        ("us-sec-17a4-b4-comms", "3y", "creation"),
        ("hk-sfc-im-order", "2y", "creation"),
        ("hk-sfc-phone-order", "6m", "creation"),
        ("us-cftc-1.31-swap", "5y", "deal-termination"),
        ("cn-aml-2025", "10y", "end-of-relationship"),
    ],
)
def test_periods_are_those_of_the_rules(name: str, keep: str, start: str) -> None:
    """Half a year is six months; some periods run only from an event."""
    assert (PRESETS[name].keep, PRESETS[name].start) == (keep, start)


def test_the_page_shows_every_preset_as_it_is() -> None:
    """Whoever chooses reads the same periods, sources and doubts that the program uses."""
    page = (Path(__file__).parents[2] / "docs" / "retention-presets.md").read_text(encoding="utf-8")
    rows = [re.split(r"\s*\|\s*", line)[1:-1] for line in page.splitlines() if line.startswith("| `")]
    units = {"year": "y", "month": "m", "day": "d"}

    def period(words: str) -> str:
        number, _, unit = words.partition(" ")
        return number + units[unit.rstrip("s")] if unit else ""

    shown = [
        Preset(
            name.strip("`"),
            period(keep),
            start,
            period(first),
            place,
            known.startswith("confirmed"),
            rule,
            known.partition(": ")[2],
            note.replace("–", ""),
        )
        for name, keep, start, first, place, rule, known, note in rows
        if name != "`preset`"
    ]
    assert shown == list(PRESETS.values())
