"""How well the shipped lexicons do, as tables: `python tests/policy/measure_lexicons.py` prints them.

Rules of this file: everything is judged by the shipped policies, all in force together. A term counts as
found when a detector of its own list finds it. `--terms` adds a line for every term that some spelling hides,
`--innocent` every innocent sentence (`innocent.txt`) on which a rule matches.
"""

from __future__ import annotations

import csv
import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from opencc import OpenCC
from policy_rig import weigh
from pypinyin import lazy_pinyin

from bridge.message import WEIXIN, Match
from bridge.policy import PolicySet, load
from bridge.policy.disguises import split_spellings
from bridge.policy.folding import is_han

POLICIES = Path(__file__).parents[2] / "policies"
FILES = sorted(POLICIES.glob("*.yaml"))
INNOCENT = Path(__file__).with_name("innocent.txt")
SCRIPTS = ("s2t", "s2hk", "s2tw", "t2s")
LOOKS = str.maketrans("aeopcx", "аеорсх")
LEET = str.maketrans("oieast", "013457")
# Other characters of the same sound, written down here and not taken from the product.
ALIKE = str.maketrans(
    "微信私聊加我打机手话电邮箱号人小换用到下里去",
    "薇芯丝寥家窝搭鸡守画店油香浩仁晓幻勇道夏理趣",
)

Mutation = Callable[[str], str]


def _wide(word: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in word)


def _typed(between: str) -> Mutation:
    """Chinese words in pinyin; others as they are."""
    return lambda word: between.join(lazy_pinyin(word)) if all(map(is_han, word)) else word


def _in_script(name: str) -> Mutation:
    return functools.cache(OpenCC(name).convert)


# Every list is found in these spellings: folding promises it.
ALWAYS: dict[str, Mutation] = {
    "as written": str,
    "width": _wide,
    "capitals": str.upper,
    "zero-width": "\u200b".join,
    "accents": lambda word: "".join(char + "\u0301" if char.isalpha() else char for char in word),
    **{name: _in_script(name) for name in SCRIPTS},
}
SPACING: dict[str, Mutation] = {"spaces": " ".join, "signs": "-".join, "full stops": "。".join}
# Lists opt in to these.
DISGUISES: dict[str, dict[str, Mutation]] = {
    "lookalike": {
        "Cyrillic": lambda word: word.translate(LOOKS),
        "digits": lambda word: word.translate(LEET),
    },
    "pinyin": {
        "pinyin": _typed(" "),
        "together": _typed(""),
        "homophones": lambda word: word.translate(ALIKE),
    },
    "split": {"parts": lambda word: max(split_spellings(word) or {word}, key=len)},
}


class Lexicon(NamedTuple):
    """One shipped list: its policy, name, detector, disguises, and its terms with the language of each."""

    policy: str
    name: str
    detector: str
    evasion: tuple[str, ...]
    terms: dict[str, str]


class Tally(NamedTuple):
    """Spellings that were tried and found, and (term, spelling, text) of each that was not."""

    tried: int
    missed: tuple[tuple[str, str, str], ...]

    @property
    def share(self) -> float:
        """Of 1, how much was found; 1 where nothing was tried."""
        return 1 - len(self.missed) / self.tried if self.tried else 1.0


@functools.cache
def shipped() -> PolicySet:
    """Everything that is shipped and in force together."""
    return load(FILES)


def lexicons() -> Iterator[Lexicon]:
    """Every list whose file says the language of each term."""
    for policy in shipped().policies:
        for name, words in policy.model.lists.items():
            with (POLICIES / str(words.file)).open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            if "language" in rows[0]:
                finder = next(
                    d for d, it in policy.model.detectors.items() if name in getattr(it, "list", ())
                )
                terms = {row["term"]: row["language"] for row in rows}
                yield Lexicon(policy.name, name, finder, tuple(words.evasion), terms)


def recall(lexicon: Lexicon, mutations: dict[str, Mutation]) -> Tally:
    """Every term of `lexicon` in every one of `mutations` that changes it."""
    tried, missed = 0, []
    for term in lexicon.terms:
        for how, mutate in mutations.items():
            written = mutate(term)
            if written == term and how != "as written":
                continue
            tried += 1
            if not _finds(lexicon, written):
                missed.append((term, how, written))
    return Tally(tried, tuple(missed))


def _finds(lexicon: Lexicon, written: str) -> bool:
    return (lexicon.policy, lexicon.detector) in _looked_up(written)


@functools.cache
def _looked_up(written: str) -> frozenset[tuple[str, str]]:
    """Policy and detector of everything that is found in a spelling."""
    matches = weigh(shipped(), f"我说 {written}", to=WEIXIN).matches
    return frozenset((match.policy, detector) for match in matches for detector in match.detectors)


def opted(lexicon: Lexicon) -> dict[str, Mutation]:
    """The spellings of the disguises that `lexicon` asks for."""
    chosen = (DISGUISES[kind] for kind in lexicon.evasion if kind in DISGUISES)
    return {how: mutate for some in chosen for how, mutate in some.items()}


def innocent() -> dict[str, list[str]]:
    """The innocent sentences, by language."""
    sentences: dict[str, list[str]] = {}
    language = ""
    for line in INNOCENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("# ") and len(line.split()) == 2:
            language = line.split()[1]
        elif not line.startswith("#"):
            sentences.setdefault(language, []).append(line)
    return sentences


@functools.cache
def alarms(sentence: str) -> tuple[Match, ...]:
    """Every rule that matches an innocent sentence, in either direction."""
    return (
        *weigh(shipped(), sentence, to=WEIXIN).matches,
        *weigh(shipped(), sentence, to="symphony").matches,
    )


# --- tables ---------------------------------------------------------------------------------------------


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %" if share else "0"


def recall_table() -> str:
    """Terms by language and recall by sort of spelling, as a Markdown table."""
    lines = [
        "| list | en | zh-Hans | zh-Hant | always | spacing | disguises | of these it asked for |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for one in lexicons():
        counts = [str(list(one.terms.values()).count(tag)) for tag in ("en", "zh-Hans", "zh-Hant")]
        shares = [_percent(recall(one, some).share) for some in (ALWAYS, SPACING, opted(one))]
        asked = ", ".join(kind for kind in one.evasion if kind in DISGUISES)
        lines.append(f"| `{one.name}` | {' | '.join([*counts, *shares, asked])} |")
    return "\n".join(lines)


def innocent_table() -> str:
    """Innocent sentences on which a rule matches, by language, as a Markdown table."""
    lines = [
        "| language | sentences | stopped or masked | would be, if enforced | rate |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for language, sentences in innocent().items():
        found = [alarms(sentence) for sentence in sentences]
        acted = sum(any(m.enforced and m.detectors for m in matches) for matches in found)
        watched = sum(any(m.detectors and not m.enforced for m in matches) for matches in found)
        rate = _percent(watched / len(sentences))
        lines.append(f"| {language} | {len(sentences)} | {acted} | {watched} | {rate} |")
    return "\n".join(lines)


def _missed_terms() -> Iterator[str]:
    for one in lexicons():
        for term, how, written in recall(one, ALWAYS | SPACING | opted(one)).missed:
            yield f"{one.name}: {term}: {how}: {written}"


def _alarming() -> Iterator[str]:
    for sentences in innocent().values():
        for sentence in sentences:
            if rules := {match.rule for match in alarms(sentence) if match.detectors}:
                yield f"{sentence}: {', '.join(sorted(rules))}"


if __name__ == "__main__":
    print(recall_table(), innocent_table(), sep="\n\n")
    if "--terms" in sys.argv:
        print("", *_missed_terms(), sep="\n")
    if "--innocent" in sys.argv:
        print("", *_alarming(), sep="\n")
