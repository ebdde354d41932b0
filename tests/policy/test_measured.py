"""The figures of the guide to detectors are those of this code, and none falls below its floor."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from measure import GENERATED, generated, score, table
from policy_rig import found, looking_for
from samples import KINDS

from bridge.policy.decoding import _DETECTORS

GUIDE = Path(__file__).parents[2] / "docs" / "detectors.md"
FLOORS = {"payment_card": (1.0, 0.7), "iban": (0.99, 0.99), "phone": (0.9, 1.0), "bic": (1.0, 0.6)}


def test_every_built_in_detector_is_measured() -> None:
    """A detector without samples is a promise that nobody has checked."""
    assert set(KINDS) == set(_DETECTORS) - {"words", "pattern"}


@pytest.mark.parametrize("kind", KINDS)
def test_valid_numbers_are_found_and_near_misses_are_not(kind: str) -> None:
    """Of generated numbers at least 97 in 100 are found, and at most 1 in 100 that only looks like one."""
    hits, misses = generated(kind)
    assert hits >= 0.97 * GENERATED and misses <= 0.01 * GENERATED


@pytest.mark.parametrize("kind", KINDS)
def test_published_verdicts_are_met(kind: str) -> None:
    """Precision and recall on what others published do not fall below their floors."""
    right, missed, wrong = score(kind)
    precision, recall = FLOORS.get(kind, (1.0, 1.0))
    assert right >= precision * (right + wrong) and right >= recall * (right + missed)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_found_is_inside_the_sample_and_masked_whole(kind: str) -> None:
    """A finding is a passage of the text, also between Chinese characters and full-width."""
    policies, random = looking_for(KINDS[kind].options), Random(7)
    for _ in range(20):
        text = KINDS[kind].right(random)
        plain = found(policies, text)
        wide = text.translate({code: code + 0xFEE0 for code in (*range(0x30, 0x3A), *range(0x41, 0x5B))})
        if plain and kind != "phone":
            assert found(policies, f"请看{text}，谢谢") == plain
            assert len(found(policies, wide)) == len(plain)


def test_the_guide_shows_the_figures_of_this_code() -> None:
    """The table in the guide is what the command prints now."""
    assert table() in GUIDE.read_text(encoding="utf-8")
