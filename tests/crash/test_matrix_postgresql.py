"""The same stories and deaths with the store in a PostgreSQL server: a selection of them, or all.

Rules of this file: everything is as in `test_matrix`, but that each life takes longer: a database is made for
it. `CRASH_MATRIX=whole` in the environment has every death died, which takes several minutes.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import rig
from postgres import Server
from stories import Story
from test_matrix import FEWEST, PAIRS, SEED, STORIES, by_story, findings, lived, moments, new_life, swift

WHOLE = os.environ.get("CRASH_MATRIX") == "whole"

FEW = 2
"""Deaths of each story, evenly spread, where not all are died."""

__all__ = ["swift"]  # a fixture for every test


@pytest.fixture(scope="module")
def place(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One folder for all lives, whose stores are made in the server."""
    with rig.on(postgres):
        yield tmp_path_factory.mktemp("lives")


def some_of(deaths: Sequence[int]) -> Sequence[int]:
    """All of them, or a few."""
    return deaths if WHOLE else deaths[len(deaths) // (2 * FEW) :: len(deaths) // FEW]


@by_story
def test_wherever_the_process_dies_it_goes_on(story: Story, place: Path) -> None:
    """The invariants of the house hold without a death, and after each of those chosen."""
    whole = new_life(story, place)
    deaths = moments(whole)
    assert whole.examine() == []
    assert len(whole.fate.steps) > FEWEST
    wrong: list[str] = []
    for step in some_of(deaths):
        life = lived(story, place, step)
        assert life.lives == 2
        wrong += findings(life)
    assert wrong == []


@by_story
def test_two_deaths_in_one_story(story: Story, place: Path) -> None:
    """A second death, while what the first one left is being taken up, changes nothing."""
    chance = random.Random(f"{SEED} {story.name}")
    for _ in range(PAIRS // len(STORIES) if WHOLE else 1):
        first = chance.randint(1, FEWEST)
        life = lived(story, place, first, first + chance.randint(1, FEWEST // 3))
        assert findings(life) == []
        assert life.lives >= 2
