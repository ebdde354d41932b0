"""Work in proportion to its size, on any machine: the same work is done twice in one run and compared.

Rules of this file: never a number of seconds that a machine could fail to keep. What counts is by how much
the CPU time of this thread alone grows when there is four times as much to do: four times where the work is
linear, sixteen times where each thing is held against every other. The collector waits meanwhile: a look at
all that a test process holds takes longer than what is measured.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Iterator

TIMES = 4  # as much to do
MOST = 9.0  # times as long: far from 4, and far from 16
GRAIN = 0.005  # seconds; what takes less says more about the clock than about the work
TURNS = 6


def in_proportion(work: Callable[[int], object], size: int, *, most: float = MOST) -> None:
    """Fail unless `work(size)` takes at most `most` times as long as `work(size // TIMES)`.

    The shortest of several turns counts: what seems to grow too fast gets another one, since a machine with
    other things to do is slow now and then, and never fast. The larger work goes first and pays for what is
    made only once.
    """
    little = much = float("inf")
    for _ in range(TURNS):
        with _uncollected():
            much = min(much, _seconds(work, size))
            little = min(little, _seconds(work, size // TIMES))
        if much <= most * max(little, GRAIN):
            return
    raise AssertionError(f"{TIMES} times as much takes {much / max(little, GRAIN):.1f} times as long")


def _seconds(work: Callable[[int], object], size: int) -> float:
    began = time.thread_time()
    work(size)
    return time.thread_time() - began


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
