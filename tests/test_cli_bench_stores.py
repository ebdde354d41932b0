"""What the benches of records and searches need from others: a server that leaves, works that are known."""

from __future__ import annotations

from pathlib import Path

from bridge.cli.bench import postgres, rival_stores


def test_without_the_rivals_there_is_no_server(tmp_path: Path) -> None:
    """A bench without PostgreSQL goes on without it, and makes no folder for it."""
    with postgres.server(tmp_path / "none", tmp_path) as server:
        assert server is None
    assert list(tmp_path.iterdir()) == []


def test_every_work_that_is_asked_for_is_known() -> None:
    """The script of the others knows what the benches ask for."""
    assert set(rival_stores.WORKS) == {"appends", "verify", "search"}
