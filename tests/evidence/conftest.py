"""A store with a case in it, and somebody who types commands there."""

from __future__ import annotations

from pathlib import Path

import pytest
from evidence_rig import case_store
from story import Terminal


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on a copy of the case's store."""
    case_store(tmp_path)
    return Terminal(tmp_path, capsys)
