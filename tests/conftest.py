"""What every test gets: an environment without our own variables, and telemetry that refuses misworded lines.

Rules of this file: only what nearly all tests need. Everything else is a fixture beside its tests.
"""

from __future__ import annotations

import io
import os

import pytest

from bridge import telemetry
from bridge.config import PREFIX


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests leaks into them."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def strict_telemetry() -> None:
    """A log line of any level with a key or value outside the vocabulary fails the test that wrote it."""
    telemetry.configure(level="debug", strict=True, to=io.StringIO())
