"""`weighbridge bench records`: every form of a copy is brought and counted, beside copying the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bridge.cli.bench import sinks


def test_copies(tmp_path: Path) -> None:
    """Each form once; all that was owed was brought, and the folder is gone afterwards."""
    rows: list[dict[str, Any]] = []
    sinks.run(3, rows.append, tmp_path)
    assert [(row["form"], row["messages"]) for row in rows] == [("native", 3), ("jsonl", 3), ("eml", 3)]
    assert all(row["bytes"] > 0 and row["times_copying"] > 0 for row in rows)
    assert list(tmp_path.iterdir()) == []
