"""The bench of exports: every format over one archive, each with what copying the same bytes costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bridge.cli.bench import exports
from bridge.records.exports import FORMATS


def test_it_measures_exports_of_the_whole_archive(tmp_path: Path) -> None:
    """All messages go out each time, the ratio is that of two times, and nothing is left behind."""
    rows: list[dict[str, Any]] = []
    exports.run(120, rows.append, tmp_path, ("jsonl", "eml"))
    assert [row["format"] for row in rows] == ["jsonl", "eml"]
    for row in rows:
        assert row["messages"] == 120
        assert row["bytes"] > 120 * 500
        assert row["times_copying"] == row["seconds"] / row["copying"] > 0
    assert list(tmp_path.iterdir()) == []


def test_every_format_is_measured() -> None:
    """A format that is added is measured as well."""
    assert set(exports.FORMATS) == set(FORMATS)
