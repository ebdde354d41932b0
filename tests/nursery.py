"""Processes of ours without the price of their imports: each is forked from one that has imported everything.

Rules of this file: whatever a test asks of a process is true of these as well: a process of its own, with
its own standard streams, environment, signals and exit code. What they do not prove is that a fresh
interpreter starts; `Place.daemon(anew=True)` and everything that goes through a shell do. Run as a program,
this file is the one that forks; it ends, and all its children with it, when whoever started it is gone.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

#: What a daemon imports, before and after it has read its settings and policies.
LEARNT = (
    "bridge.cli.run", "bridge.cli.compose", "bridge.config", "bridge.daemon", "bridge.indexer",
    "bridge.inspection.inspector", "bridge.notary", "bridge.store.anchors", "bridge.store.database",
    "bridge.store.searching", "bridge.store.signing", "bridge.witnesses.shelf",
    "connectors.symphony.client", "connectors.symphony.mock", "connectors.weixin.kf",
    "connectors.weixin.mock", "holidays.countries", "holidays.financial", "opencc", "psycopg",
    "pypinyin", "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql.psycopg", "uvloop",
)  # fmt: skip

MOST = 1 << 18
"""Bytes of one wish: code, command line and environment."""


# --- whoever wants a process ----------------------------------------------------------------------------


class Child:
    """A process that was forked, as `asyncio.subprocess.Process` shows one."""

    def __init__(
        self, pid: int, stdout: asyncio.StreamReader, stderr: asyncio.StreamReader, fate: asyncio.StreamReader
    ) -> None:
        self.pid, self.stdout, self.stderr = pid, stdout, stderr
        self.returncode: int | None = None
        self._fate = asyncio.create_task(self._learn(fate))

    async def _learn(self, fate: asyncio.StreamReader) -> int:
        self.returncode = int(await fate.readline())
        return self.returncode

    async def wait(self) -> int:
        """The exit code, once it has ended; negative for a signal."""
        return await asyncio.shield(self._fate)

    def send_signal(self, number: int) -> None:
        """Send a signal; nothing happens to a process that has ended."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


async def fork(code: str, arguments: Sequence[str], environ: Mapping[str, str], folder: str) -> Child:
    """A process that runs `code` with `sys.argv[1:]` as given, in a folder, with an environment."""
    wish = json.dumps({"code": code, "arguments": arguments, "environ": dict(environ), "folder": folder})
    ours, theirs = zip(*(os.pipe() for _ in range(3)), strict=True)
    socket.send_fds(_mother(), [wish.encode()], theirs)
    for end in theirs:
        os.close(end)
    stdout, stderr, fate = [await _reading(end) for end in ours]
    return Child(int(await fate.readline()), stdout, stderr, fate)


async def _reading(end: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(end, "rb"))
    return reader


@functools.cache
def _mother() -> socket.socket:
    """The way to the process that forks; started by the first who asks, it ends with this one."""
    ours, hers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, __file__, str(hers.fileno())]
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    mother = subprocess.Popen(command, pass_fds=[hers.fileno()], cwd=root, start_new_session=True)
    hers.close()
    atexit.register(mother.wait)  # what was registered last is done first
    atexit.register(ours.close)
    return ours


# --- the one that forks ---------------------------------------------------------------------------------


_Wish = tuple[dict[str, Any], Sequence[int]]


class _Mother:
    """Forks as she is asked to, and tells how each child ended."""

    def __init__(self, door: socket.socket) -> None:
        self.door = door
        self.children: dict[int, int] = {}
        self.rung, ring = os.pipe()
        os.set_blocking(ring, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(ring)

    def work(self) -> _Wish | None:
        """Until nobody asks any more; then None. In a child: what it is to live."""
        while True:
            ready, _, _ = select.select([self.door, self.rung], [], [])
            if self.rung in ready:
                os.read(self.rung, 4096)
                self._bury()
            if self.door in ready:
                wish, ends, _, _ = socket.recv_fds(self.door, MOST, 3)
                if not wish:
                    break
                if not self._bear(ends):
                    return json.loads(wish), ends
        for pid in self.children:
            os.kill(pid, signal.SIGKILL)
        return None

    def _bear(self, ends: Sequence[int]) -> int:
        """A child: gives its number, and 0 in the child."""
        if pid := os.fork():
            self.children[pid] = ends[2]
            os.write(ends[2], b"%d\n" % pid)
            os.close(ends[0])
            os.close(ends[1])
        return pid

    def _bury(self) -> None:
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            fate = self.children.pop(pid)
            with contextlib.suppress(BrokenPipeError):
                os.write(fate, b"%d\n" % os.waitstatus_to_exitcode(status))
            os.close(fate)


def _live(wish: dict[str, Any], ends: Sequence[int]) -> None:
    """The child: what a fresh interpreter would have found, and then the code."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(ends[0], 1)
    os.dup2(ends[1], 2)
    os.closerange(3, max(ends) + 8)
    os.environ.clear()
    os.environ.update(wish["environ"])
    os.chdir(wish["folder"])
    tempfile.tempdir = None
    sys.argv = ["-c", *wish["arguments"]]
    exec(compile(wish["code"], "<string>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    sys.path[0] = os.getcwd()
    for name in LEARNT:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    if (wanted := _Mother(socket.socket(fileno=int(sys.argv[1]))).work()) is not None:
        _live(*wanted)  # and its end is the interpreter's own
