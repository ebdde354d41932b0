"""A stand-in for other people's engines: an environment whose interpreter answers as a test says."""

from __future__ import annotations

import stat
import sys
from pathlib import Path


def stand_in(folder: Path, answer: str) -> Path:
    """An environment in `folder` that answers with these lines of Python whatever it is asked."""
    python = folder / "rivals/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!{sys.executable}\nimport json, sys\nwork = json.load(sys.stdin)\n{answer}\n")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return python.parents[1]
