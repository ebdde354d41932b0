"""SQLite's part: the file's rights, durable commits, and a lock that ends with its process."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import Conflict
from bridge.store import sqlite
from bridge.store.engines import address_of, open_engine


def test_a_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """Before SQLite makes it with other rights; one that is there is left as it is."""
    path = tmp_path / "w.db"
    sqlite.prepare(address_of(f"sqlite:///{path}"))
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("something")
    sqlite.prepare(address_of(f"sqlite:///{path}"))
    assert path.read_text() == "something"


def test_a_lane_is_held_once(tmp_path: Path) -> None:
    """A second one is refused while the first lives, and takes it when that one is gone."""
    engine = open_engine(f"sqlite:///{tmp_path / 'w.db'}")
    held = sqlite.hold(engine, 0)
    assert held is not None
    held.check()
    with pytest.raises(Conflict, match="another daemon"):
        sqlite.hold(engine, 0)
    held.release()
    again = sqlite.hold(engine, 0)
    assert again is not None
    again.release()


def test_memory_is_nobody_elses() -> None:
    """There is nothing to lock, and nothing that a lock would prove."""
    assert sqlite.hold(open_engine("sqlite://"), 0) is None
