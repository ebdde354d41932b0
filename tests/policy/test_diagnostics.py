"""What people are told about their mistakes: the exact words, at the exact place."""

from __future__ import annotations

import ast
import datetime
import re
from pathlib import Path

import pytest

from bridge.policy import Source, assemble, diagnostics, render
from bridge.policy.catalogue import TEXTS
from bridge.policy.diagnostics import Page, Phrase, Place

CATALOGUE = Path(__file__).with_name("mistakes.txt")
NOW = datetime.datetime(2026, 11, 22, 12, 0, tzinfo=datetime.UTC)
DELIVERED = NOW - datetime.timedelta(hours=36)  # when every list file of a case was written


def catalogue() -> list[tuple[str, str, dict[str, str], str]]:
    """Name, policy, list files and expected answer of every case in `mistakes.txt`."""
    cases = []
    parts = re.split(r"^##### (.*)\n", CATALOGUE.read_text(encoding="utf-8"), flags=re.M)[1:]
    titled = list(zip(parts[::2], parts[1::2], strict=True))
    while titled:
        name, policy = titled.pop(0)
        files = {}
        while titled[0][0] != "says":
            title, content = titled.pop(0)
            files[title.removeprefix("file ")] = content
        cases.append((name, policy, files, titled.pop(0)[1].strip()))
    return cases


@pytest.mark.parametrize("case", catalogue(), ids=lambda case: case[0])
def test_every_known_mistake_is_explained(case: tuple[str, str, dict[str, str], str]) -> None:
    """Each broken file gives exactly its diagnosis: file, line, column, caret, sentence, suggestion."""
    _, policy, files, expected = case
    beside = {name: text.encode() for name, text in files.items()}
    _, problems = assemble(
        [Source("policy.yaml", policy.encode(), beside, dict.fromkeys(beside, DELIVERED))], NOW
    )
    assert render(problems).strip() == expected


def test_the_catalogue_is_large_and_without_repeats() -> None:
    """At least a hundred and fifty different mistakes are known."""
    names = [case[0] for case in catalogue()]
    assert len(names) >= 150
    assert len(set(names)) == len(names)


def test_nearly_every_text_is_in_the_catalogue() -> None:
    """Every code is provoked by a case, but for those of unreadable files, which have tests of their own."""
    told = CATALOGUE.read_text(encoding="utf-8")
    codes = {key.partition(".")[0] for key in TEXTS["en"] if key.startswith("P0")}
    assert {code for code in codes if f"[{code}]" not in told} == {"P008"}


def test_every_key_that_is_used_has_words() -> None:
    """No diagnostic can be raised for which there is no sentence."""
    package = Path(diagnostics.__file__).parent
    used = set()
    for path in package.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                used |= set(re.findall(r"^P0\d\d(?:\.[a-z_]+)*$", node.value))
    whole = set(TEXTS["en"]) | {key.partition(".")[0] for key in TEXTS["en"]}
    assert used <= whole


def test_a_failing_test_is_explained_in_every_language() -> None:
    """What differs is words as well: they are looked up like all others."""
    page = Page("p.yaml", "a: b")
    differences = (
        Phrase("trial.outcome", {"expected": "hold", "got": "block"}),
        Phrase("trial.rule", {"expected": "r", "got": Phrase("none")}),
    )
    problem = page.report("P060", Place(1, 1), rule="r", problem=differences)
    assert "expected hold, got block; expected rule r to decide, got none" in problem.words().sentence
    assert "期望 hold，實際 block; 期望由規則 r 決定，實際 無" in problem.words("zh-Hant").sentence
