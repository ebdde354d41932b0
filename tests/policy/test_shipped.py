"""The shipped lists against people who do not want to be found: every term, in every promised spelling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opencc import OpenCC
from policy_rig import weigh
from pypinyin import lazy_pinyin

from bridge.message import WEIXIN
from bridge.policy import PolicySet, load
from bridge.policy.disguises import split_spellings
from bridge.policy.folding import is_han

FILES = sorted((Path(__file__).parents[2] / "policies").glob("*.yaml"))
FLOOR = 1.0  # of the mutations of one term
SCRIPTS = [OpenCC(name) for name in ("s2t", "s2hk", "s2tw")]
LOOKS = str.maketrans("aeopcx", "аеорсх")

Mutation = Callable[[str], str]


def _wide(word: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in word)


def _homophones(word: str) -> str:
    return word.translate(str.maketrans("微信私聊加我打机", "薇芯丝寥家窝搭鸡"))


ALWAYS: dict[str, Mutation] = {
    "as written": str,
    "width": _wide,
    "capitals": str.upper,
    "zero-width": "\u200b".join,
    "accents": lambda word: "".join(char + "\u0301" if char.isalpha() else char for char in word),
    **{f"script {n}": script.convert for n, script in enumerate(SCRIPTS)},
}
OPTED: dict[str, dict[str, Mutation]] = {
    "separators": {"spaces": " ".join, "signs": "-".join, "full stops": "。".join},
    "lookalike": {
        "Cyrillic": lambda word: word.translate(LOOKS),
        "zeros": lambda word: word.replace("o", "0"),
    },
    "pinyin": {
        "pinyin": lambda word: " ".join(lazy_pinyin(word)) if _is_chinese(word) else word,
        "together": lambda word: "".join(lazy_pinyin(word)) if _is_chinese(word) else word,
        "homophones": _homophones,
    },
    "split": {"parts": lambda word: max(split_spellings(word) or {word}, key=len)},
}


def _is_chinese(word: str) -> bool:
    return all(map(is_han, word))


@pytest.fixture(scope="module")
def shipped() -> PolicySet:
    """Everything that is shipped, in force together."""
    return load(FILES)


def terms() -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Policy, list, term and disguises of every word of every shipped list."""
    for policy in load(FILES).policies:
        for name, words in policy.draft.words.items():
            for word in dict.fromkeys(words):
                yield policy.name, name, word, tuple(policy.model.lists[name].evasion)


@pytest.mark.parametrize(("policy", "list_", "term", "evasion"), list(terms()))
def test_a_term_is_found_in_every_spelling(
    policy: str, list_: str, term: str, evasion: tuple[str, ...], shipped: PolicySet
) -> None:
    """Of the mutations that its list promises to see through, at least the floor is found."""
    mutations = dict(ALWAYS)
    for kind in evasion:
        mutations |= OPTED[kind]
    beside = "港股 " if term.isdigit() else "我说 "
    missed = [
        f"{how}: {written}"
        for how, mutate in mutations.items()
        if not weigh(shipped, beside + (written := mutate(term)), to=WEIXIN).matches
    ]
    assert 1 - len(missed) / len(mutations) >= FLOOR, missed


def test_lists_say_who_keeps_them() -> None:
    """Every shipped list has an owner; every lexicon also its languages and the day of its review."""
    for policy in load(FILES).policies:
        for name, words in policy.model.lists.items():
            assert words.owner, name
            assert words.file or (words.languages and words.review_by), name
