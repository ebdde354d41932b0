"""The mock pod's clock: real time plus whatever a test has added to it.

Everything in the mock that ages (sessions, feeds, unacknowledged batches, long polls) asks this clock and
waits on it, so a test moves half an hour in one call instead of sleeping.
"""

from __future__ import annotations

import asyncio
import time

NANOSECONDS_PER_MILLISECOND = 1_000_000


def monotonic_ns() -> int:
    """Nanoseconds of CLOCK_MONOTONIC, which all processes of one machine share: right for latency."""
    return time.monotonic_ns()


class PodClock:
    """Seconds since 1970 as the pod sees them.

    `frozen` clocks move by `advance` alone; others also run with real time.
    """

    def __init__(self, *, frozen: bool = False) -> None:
        self._frozen_at = time.time() if frozen else None
        self._ahead = 0.0
        self._sleepers: set[asyncio.Future[None]] = set()

    def now(self) -> float:
        """The pod's present, in seconds since 1970."""
        present = time.time() if self._frozen_at is None else self._frozen_at
        return present + self._ahead

    def now_ms(self) -> int:
        """The pod's present in whole milliseconds, the unit of every Symphony timestamp."""
        return int(self.now() * 1000)

    def advance(self, seconds: float) -> float:
        """Move the pod's time forward, wake all that wait for it, and return the new present in seconds."""
        if seconds < 0:
            raise ValueError(f"the pod's clock only goes forward, not by {seconds} seconds")
        self._ahead += seconds
        for sleeper in self._sleepers:
            _wake(sleeper)
        return self.now()

    async def wait(self, signal: Signal, until: float) -> None:
        """Return when `signal` rings, the clock is moved, or at `until`; the caller looks which it was."""
        loop = asyncio.get_running_loop()
        sleeper: asyncio.Future[None] = loop.create_future()
        signal.listeners.add(sleeper)
        self._sleepers.add(sleeper)
        timer = self._timer(loop, sleeper, until)
        try:
            await sleeper
        finally:
            signal.listeners.discard(sleeper)
            self._sleepers.discard(sleeper)
            if timer is not None:
                timer.cancel()

    def _timer(
        self, loop: asyncio.AbstractEventLoop, sleeper: asyncio.Future[None], until: float
    ) -> asyncio.TimerHandle | None:
        if self._frozen_at is not None:
            return None
        return loop.call_later(max(0.0, until - self.now()), _wake, sleeper)


class Signal:
    """A bell that any number of coroutines listen to; ringing it wakes those who listen now."""

    __slots__ = ("listeners",)

    def __init__(self) -> None:
        self.listeners: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """Wake every listener."""
        for sleeper in self.listeners:
            _wake(sleeper)


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)
