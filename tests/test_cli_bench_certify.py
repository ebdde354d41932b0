"""The certificate's bench measures a real archive in a process of its own, and stops at any accusation."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.cli.bench import commands
from bridge.cli.bench.certify import STORE, Plan, Row, run
from bridge.cli.bench.traffic import BenchFailed


def test_the_command_prints_a_row_for_each_part(tmp_path: Path) -> None:
    """As `weighbridge bench --help` promises."""
    typed = ["--messages", "60", "--folder", str(tmp_path), "--json"]
    answer = CliRunner().invoke(commands.certify, typed)
    assert answer.exit_code == 0
    rows = [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]
    assert [row["messages"] for row in rows] == [5, 60]


def test_a_tenth_and_the_whole_are_measured(tmp_path: Path) -> None:
    """Two rows with counts, rates and memory; an archive that lacks something ends the bench."""
    rows: list[Row] = []
    plan = Plan(200, tmp_path / "archive", tmp_path)
    run(plan, rows.append)
    assert [row["messages"] for row in rows] == [19, 200]
    assert all(row["faults"] == 0 and row["per_second"] > 0 and row["peak_mb"] > 0 for row in rows)
    with sqlite3.connect(tmp_path / "archive" / STORE) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("DELETE FROM messages WHERE id = 7")
    with pytest.raises(BenchFailed):
        run(plan, rows.append)
