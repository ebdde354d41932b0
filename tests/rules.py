"""How a rule of the house fails: with everything that breaks it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def obey(rule: str, broken: Iterable[str]) -> None:
    """Fail with the rule and every place that breaks it."""
    if places := sorted(set(broken)):
        pytest.fail(f"{rule}\n\n  " + "\n  ".join(places), pytrace=False)
