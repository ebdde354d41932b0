"""The shipped lexicons: against people who hide what they say, and against people who mean nothing by it."""

from __future__ import annotations

from pathlib import Path

import pytest
from measure_lexicons import (
    ALWAYS,
    SPACING,
    Lexicon,
    alarms,
    innocent,
    innocent_table,
    lexicons,
    opted,
    recall,
    recall_table,
)

from bridge.policy.folding import fold

GUIDE = Path(__file__).parents[2] / "docs" / "lexicons.md"
LANGUAGES = ("en", "zh-Hans", "zh-Hant")
FEWEST = 25  # terms of each language
DISGUISE_FLOOR = 0.95  # of the disguises that a list asks for, all terms together
MOST_WATCHED = 0.10  # of innocent sentences, those that a watched rule would stop
LEXICONS = list(lexicons())


def _named(lexicon: Lexicon) -> str:
    return lexicon.name


@pytest.mark.parametrize("lexicon", LEXICONS, ids=_named)
def test_every_term_is_found_in_every_spelling_that_all_lists_see_through(lexicon: Lexicon) -> None:
    """Width, capitals, accents, invisible characters, either script, spaces and signs hide no term at all."""
    assert recall(lexicon, ALWAYS | SPACING).missed == ()


@pytest.mark.parametrize("lexicon", LEXICONS, ids=_named)
def test_disguises_that_a_list_asks_for_are_seen_through(lexicon: Lexicon) -> None:
    """Look-alikes, pinyin, homophones and parts: nearly all of them, and what is missed is named."""
    tally = recall(lexicon, opted(lexicon))
    assert tally.share >= DISGUISE_FLOOR, tally.missed


@pytest.mark.parametrize("lexicon", LEXICONS, ids=_named)
def test_every_lexicon_has_enough_in_every_language(lexicon: Lexicon) -> None:
    """Enough terms of each language, none of one character, none twice."""
    languages = list(lexicon.terms.values())
    assert set(languages) == set(LANGUAGES)
    assert min(map(languages.count, LANGUAGES)) >= FEWEST
    assert min(map(len, lexicon.terms)) > 1
    assert len({fold(term) for term in lexicon.terms}) == len(lexicon.terms)


def test_business_as_usual_is_left_alone() -> None:
    """No innocent sentence is held, blocked or masked, in either direction."""
    every = [sentence for sentences in innocent().values() for sentence in sentences]
    assert len(every) >= 200
    assert {s: m.rule for s in every for m in alarms(s) if m.enforced and m.detectors} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_watched_rules_seldom_meet_innocent_sentences(language: str) -> None:
    """Few innocent sentences meet a rule that is only watched: the stated rate is not exceeded."""
    sentences = innocent()[language]
    assert len(sentences) >= 60
    assert sum(any(m.detectors for m in alarms(s)) for s in sentences) <= MOST_WATCHED * len(sentences)


def test_the_page_shows_the_figures_of_these_lists() -> None:
    """The tables of the page are what the command prints now."""
    page = GUIDE.read_text(encoding="utf-8")
    assert recall_table() in page
    assert innocent_table() in page
