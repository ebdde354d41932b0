"""The store, opened: who may read its files, and what is said when it cannot be opened."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.errors import StoreError
from bridge.store.database import Database, create, open_engine


def test_nobody_else_may_read_the_files(tmp_path: Path) -> None:
    """The database and what SQLite writes beside it belong to the account of the daemon alone."""
    path = tmp_path / "w.db"
    create(f"sqlite:///{path}", 0)
    with open_engine(f"sqlite:///{path}").connect() as db, db.begin():
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert path in files
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A path that cannot be opened is an error with the path in it, and nothing is made."""
    with pytest.raises(StoreError, match="nowhere"):
        create(f"sqlite:///{tmp_path / 'nowhere' / 'w.db'}", 0)
    assert list(tmp_path.iterdir()) == []


def test_making_a_store_twice_changes_nothing(tmp_path: Path) -> None:
    """A store that exists keeps its ledger: `create` may run at every start."""
    url = f"sqlite:///{tmp_path / 'w.db'}"
    create(url, 1)
    with open_engine(url).connect() as db:
        before = db.exec_driver_sql("SELECT entry, leaf FROM ledger").all()
    create(url, 2)
    with open_engine(url).connect() as db:
        assert db.exec_driver_sql("SELECT entry, leaf FROM ledger").all() == before


async def test_a_commit_is_flushed_to_the_disk(tmp_path: Path) -> None:
    """Every connection logs ahead and flushes at each commit: a committed message survives a power cut."""

    class Clock:
        def now(self) -> int:
            return 1

    url = f"sqlite:///{tmp_path / 'w.db'}"
    create(url, 1)
    store = Database(url, tmp_path / "blobs", Clock())
    try:
        for run in (store.read, lambda query: store.write(lambda tx: query(tx.db))):
            mode = await run(lambda db: db.exec_driver_sql("PRAGMA journal_mode").scalar())
            flush = await run(lambda db: db.exec_driver_sql("PRAGMA synchronous").scalar())
            assert (mode, flush) == ("wal", 2)
    finally:
        store.close()


def test_making_a_store_again_keeps_its_locks(tmp_path: Path) -> None:
    """Who has the store open keeps SQLite's lock on it: no other process may take its log away."""
    path = tmp_path / "w.db"
    create(f"sqlite:///{path}", 1)
    # The 510 bytes from 0x40000002 are where SQLite keeps its shared lock (SQLite's os.h, SHARED_FIRST).
    take = "fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)"
    command = [sys.executable, "-c", f"import fcntl, sys; {take}", str(path)]
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("SELECT count(*) FROM ledger").fetchall()
        create(f"sqlite:///{path}", 2)
        assert subprocess.run(command, capture_output=True, check=False).returncode == 1
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_store_of_the_preview_is_refused(tmp_path: Path) -> None:
    """Its records were not sealed: it is named for what it is, and stays as it was."""
    path = tmp_path / "w.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE alembic_version (version_num TEXT)")
        db.execute("INSERT INTO alembic_version VALUES ('0001')")
    with pytest.raises(StoreError, match="tables are 0001, and this one reads 0002"):
        create(f"sqlite:///{path}", 1)
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT name, version_num FROM sqlite_master, alembic_version").fetchall() == [
            ("alembic_version", "0001")
        ]
