"""What the tests of this room get: mock pods whose keys are real, and were made before.

Rules of this file: nothing but what an RSA key costs. To make one takes as long as ten logins.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from connectors.symphony.mock import sessions, world

KEPT = 8
"""Key pairs in turn: more than any one test asks for, so that no two of its accounts share one."""


@pytest.fixture(autouse=True, scope="session")
def keys_made_before() -> Iterator[None]:
    """Pods take key pairs from a few that are made once, each when it is first wanted."""
    made: list[tuple[str, str]] = []
    fresh, turn = sessions.new_key_pair, itertools.count()

    def pair() -> tuple[str, str]:
        place = next(turn) % KEPT
        if place == len(made):
            made.append(fresh())
        return made[place]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "new_key_pair", pair)
        patch.setattr(world, "new_key_pair", pair)
        yield
