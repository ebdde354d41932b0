"""SQLite's part: the file's rights, durable commits, and a lock that ends with its process."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

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


@pytest.fixture
def deleted(tmp_path: Path) -> tuple[Path, list[bytes]]:
    """A file of which a half was deleted, and the names that went. Nothing is overwritten here: SQLite leaves
    a few of thousands in any case, where it moved rows within a page."""
    chance = random.Random(1)
    path = tmp_path / "w.db"
    open_engine(f"sqlite:///{path}").connect().close()
    names = [f"{chance.getrandbits(160):040x}" for _ in range(3000)]
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA secure_delete=OFF")
        db.execute("CREATE TABLE names (name TEXT PRIMARY KEY)")
        db.executemany("INSERT INTO names VALUES (?)", [(name,) for name in names])
        db.commit()
        db.executemany("DELETE FROM names WHERE name = ?", [(name,) for name in names[::2]])
        db.commit()
    return path, [name.encode() for name in names[::2]]


def left(path: Path, names: list[bytes]) -> int:
    """How many of these stand in any of the database's files."""
    data = b"".join(one.read_bytes() for one in path.parent.iterdir() if one.is_file())
    return sum(name in data for name in names)


def test_a_file_that_is_written_anew_has_nothing_of_what_was_deleted(
    deleted: tuple[Path, list[bytes]],
) -> None:
    """Neither in its pages nor in its log; what stays is whole."""
    path, gone = deleted
    assert left(path, gone) > 1000
    engine = open_engine(f"sqlite:///{path}")
    assert sqlite.rewrite(engine, 1.0) == ""
    assert left(path, gone) == 0
    with engine.connect() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM names").scalar() == 1500
        assert db.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert db.exec_driver_sql("PRAGMA busy_timeout").scalar() == 10_000
    engine.dispose()


def test_who_reads_since_before_is_said(deleted: tuple[Path, list[bytes]]) -> None:
    """Nothing is final while somebody sees the old state; it is, once it is repeated afterwards."""
    path, gone = deleted
    engine = open_engine(f"sqlite:///{path}")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM names").fetchone()
        assert sqlite.rewrite(engine, 0.01) == sqlite.READ
    assert sqlite.rewrite(engine, 0.01) == ""
    assert left(path, gone) == 0
    engine.dispose()


_ANOTHERS_CHECKPOINT = """
import fcntl, sys
with open(sys.argv[1], "r+b") as shared:
    fcntl.lockf(shared, fcntl.LOCK_EX, 1, 121)  # WAL_CKPT_LOCK (SQLite documentation, WAL-mode file format)
    print("held", flush=True)
    sys.stdin.read()
"""


def test_anothers_checkpoint_is_waited_for(
    deleted: tuple[Path, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes much brings the log into the file by himself, and SQLite waits for none of these: it is
    tried again until that is over."""
    path, gone = deleted
    engine = open_engine(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as other:
        other.execute("SELECT count(*) FROM names").fetchone()
        command = [sys.executable, "-c", _ANOTHERS_CHECKPOINT, f"{path}-shm"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline() == b"held\n"
            ended = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: process.communicate())
            monkeypatch.setattr(sqlite, "time", ended)
            assert sqlite.rewrite(engine, 10.0) == ""
            assert process.returncode == 0
    assert left(path, gone) == 0
    engine.dispose()


def test_who_writes_and_does_not_end_is_said(deleted: tuple[Path, list[bytes]]) -> None:
    """A writer is not called a reader."""
    path, _ = deleted
    engine = open_engine(f"sqlite:///{path}")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert sqlite.rewrite(engine, 0.01) == sqlite.WRITTEN
    engine.dispose()


def test_a_file_that_is_damaged_is_a_reason(deleted: tuple[Path, list[bytes]]) -> None:
    """What the engine cannot do is said by its name, and never raised."""
    path, _ = deleted
    engine = open_engine(f"sqlite:///{path}")
    data = bytearray(path.read_bytes())
    data[8192:] = b"\xa5" * len(data[8192:])
    path.write_bytes(data)
    assert sqlite.rewrite(engine, 0.01) == (
        "the database failed: SQLITE_CORRUPT (database disk image is malformed)"
    )
    engine.dispose()
    path.write_bytes(b"no database at all" * 99)
    assert "SQLITE_NOTADB" in sqlite.rewrite(open_engine(f"sqlite:///{path}"), 0.01)


def test_a_daemon_does_not_wait_for_long(deleted: tuple[Path, list[bytes]]) -> None:
    """A file that takes too long is left as it is while a daemon works the store."""
    path, _ = deleted
    engine = open_engine(f"sqlite:///{path}")
    before = path.read_bytes()
    held = sqlite.hold(engine, 0)
    assert held is not None
    assert sqlite.rewrite(engine, 0.01, 1e-6) == sqlite.WORKED
    held.release()
    assert path.read_bytes() == before
    assert sqlite.rewrite(engine, 0.01) == ""
    engine.dispose()


def test_what_is_no_text_can_be_read(tmp_path: Path) -> None:
    """SQLite keeps any bytes as text: they come back as something that nobody takes for what was written."""
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with engine.connect() as db:
        row = db.exec_driver_sql("SELECT CAST(x'ff41' AS TEXT), CAST(x'e69d8e' AS TEXT)").one()
    engine.dispose()
    assert tuple(row) == (r"\xffA", "李")
