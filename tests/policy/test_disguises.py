"""Disguises as forms of a text: every character of a form knows where it comes from."""

from __future__ import annotations

import subprocess
import sys
from itertools import chain, combinations
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy import language as lang
from bridge.policy.disguises import KINDS, MOST_SPELLINGS, Disguise, forms, initial_spellings, split_spellings
from bridge.policy.folding import fold
from bridge.policy.lexicon import Lexicon, Words

ANY = st.text(st.characters(exclude_categories=()))
FORMS = [
    frozenset(kinds) for kinds in chain.from_iterable(combinations(KINDS, n) for n in (1, 2, len(KINDS)))
]


def test_the_grammar_names_every_disguise() -> None:
    """What can be written is what exists."""
    assert set(get_args(lang.Evasion)) == set(KINDS)


@pytest.mark.parametrize("kinds", FORMS, ids=lambda kinds: "+".join(sorted(kinds)))
@given(text=ANY)
def test_every_character_of_a_form_has_its_origin(kinds: frozenset[str], text: str) -> None:
    """The offset map has one entry per character, in order, and points at what that character stands for."""
    folded = fold(text)
    for form in forms(kinds):
        disguise = Disguise(form)
        source = disguise.origins(folded)
        assert len(source) == len(disguise.of(folded)) and source == sorted(source)
        assert all(
            char in disguise.of(folded[at]) for char, at in zip(disguise.of(folded), source, strict=True)
        )


@given(st.text(max_size=12), st.text("内幕消息jiawo 0-", min_size=1, max_size=8))
def test_a_word_is_always_in_the_form_of_a_text_that_has_it(before: str, word: str) -> None:
    """A disguise never hides what is written openly."""
    text = fold(f"{before}|{word}|")
    for kinds in FORMS:
        for form in forms(kinds):
            assert Disguise(form).of(fold(word)) in Disguise(form).of(text)


def test_splitting_has_an_end() -> None:
    """A word of many parts has a bounded number of spellings, itself not among them."""
    assert split_spellings("内幕") == set()
    assert split_spellings("加信") == {"力口信", "加亻言", "加人言", "力口亻言", "力口人言"}
    assert len(split_spellings("信" * 30)) == MOST_SPELLINGS - 1


def test_initials_are_those_of_the_syllables() -> None:
    """Some or all characters as first letters; two letters alone stand for too much."""
    assert initial_spellings("加微信") == {"加微x", "加w信", "加wx", "j微信", "j微x", "jw信", "jwx"}
    assert initial_spellings("微信") == {"w信", "微x"}
    assert initial_spellings("telegram") == set() and initial_spellings("t群组") >= {"tqz"}
    assert len(initial_spellings("信" * 30)) == MOST_SPELLINGS


def test_every_program_run_splits_alike() -> None:
    """Which spellings of a long word are tried does not depend on the run: a verdict can be repeated."""
    code = "from bridge.policy.disguises import split_spellings as s; print(sorted(s('信账话银行账话信')))"
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(answers) == 1 and answers != {""}


@pytest.mark.parametrize(
    ("text", "is_found"),
    [("先", False), ("先宁", False), ("西安宁", True), ("xi安宁", True), ("系an宁", True), ("xian宁", True)],
)
def test_a_character_is_one_syllable_of_the_word(text: str, is_found: bool) -> None:
    """先 sounds like 西安 written together, and is another syllable: it means something else."""
    words = Lexicon({0: Words(["西安宁", "西安"], frozenset({"pinyin"}))})
    found = words.find(fold(text)).get(0, [])
    assert any(one.word == "西安宁" for one in found) is is_found
