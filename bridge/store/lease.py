"""Until when a daemon may send, and whether the one before it is dead: what its successor goes by.

Rules of this file: nothing here knows a table. A daemon may be stopped (by a debugger, with its host) and go
on when another works its lane. Whatever it writes then is refused; what it sends is not, so it must know by
itself, from a clock that no write can set, that its time is over. Its successor waits that time out before
it repeats what may have been sent into a network that cannot tell a repetition, unless it is known that the
former owner is dead: a lock on a file that ends with its process says so, to others on the same machine.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

from bridge.errors import Unreachable

LEASE_MS = 15_000
"""How long a lane stays ours without a sign of life."""

TRAVEL_MS = 5_000
"""How long what was sent under a lease may be on its way: for so long before its end nothing is sent."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def elapsed() -> float:
    """Seconds that only go forward; those that the machine slept are among them, where the system counts
    them (clock_gettime(2): CLOCK_BOOTTIME)."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Lease:
    """`bridge.ports.Lease`: sending is allowed for a while after each sign of life.

    `seconds` is a clock like `elapsed`.
    """

    def __init__(self, seconds: Callable[[], float] = elapsed) -> None:
        self.seconds = seconds
        self._until = float("-inf")

    def extend(self, since: float) -> None:
        """A sign of life was committed; `since` is a time (`seconds`) from before it was handed in."""
        self._until = since + (LEASE_MS - TRAVEL_MS) / 1000

    def check(self) -> None:
        """Raises Unreachable, certain, when another daemon may have taken the lane."""
        if self.seconds() >= self._until:
            raise Unreachable("the lease of the lane may have run out: nothing was sent", certain=True)


class Mark:
    """A locked file in which the worker of a lane says who it is: who finds its words, and gets the lock,
    knows that it is dead.

    Its words hold for this file and this boot of this machine alone: a copy proves nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = -1
        self._written = b""

    def take(self) -> bool:
        """Whether the lock is ours by now; it is not while another process lives that has it."""
        if self._handle < 0:
            with contextlib.suppress(OSError):  # no lock, no proof: then a lease is waited for
                self._lock(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return self._handle >= 0

    def _lock(self, handle: int) -> None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise
        self._handle = handle

    def proves(self, epoch: int) -> bool:
        """Whether whoever worked the lane under `epoch` had this lock, and is dead."""
        return self.take() and os.pread(self._handle, 256, 0) == self._words(epoch) != b""

    def write(self, epoch: int) -> None:
        """Say that this process works the lane, under `epoch`; not while another has the lock."""
        if self.take() and (words := self._words(epoch)) != self._written:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, words, 0)
            self._written = words

    def _words(self, epoch: int) -> bytes:
        """What is written under `epoch`; b"" where a boot has no name."""
        with contextlib.suppress(OSError):
            boot = _BOOT_ID.read_text().strip()
            return f"epoch {epoch}, file {os.fstat(self._handle).st_ino}, boot {boot}\n".encode()
        return b""

    def release(self) -> None:
        """Drop the lock."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
