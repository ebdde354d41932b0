"""How long a network has gone unread, by the clock of whoever reads it and by the network's own.

Rules of this file: pure. Two things make a network unread: nobody answers, or all that comes is old. A single
old item is no lag: what was said while nobody read comes when reading begins again, and is read with it.
A machine's clock can be set, in either direction and by hours. So time that passes is counted by a clock that
only counts, and what the other one says is believed as far as the two agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from bridge.message import Batch

SUSTAINED = 60_000
"""Milliseconds for which nothing but old items has to come to be a lag: longer than any long poll."""

AGREED = 1000
"""Milliseconds by which two clocks may drift apart between two looks: more, and one was set."""


class Instant(NamedTuple):
    """One moment by two clocks, in milliseconds: the time of day, and one that only counts."""

    at: int
    ticks: int


def was_set(before: Instant, now: Instant) -> int:
    """By how many milliseconds somebody set the time of day between two moments; 0 when nobody did."""
    moved = (now.at - before.at) - (now.ticks - before.ticks)
    return moved if abs(moved) > AGREED else 0


@dataclass(slots=True)
class Capture:
    """One network, looked at last at `looked`. `heard_at` is when it was read last by the time of day, 0 when
    it never was, and `read_at` by the clock that only counts: from the first look on, until then. `behind` is
    how old the newest item of the last batch was, `batch_at` when that came (ticks), `old_since` when the
    first such came; `worst` the longest lag that was seen since it was last asked for (seconds)."""

    network: str
    looked: Instant
    heard_at: int = 0
    read_at: int = field(init=False)
    behind: int = 0
    batch_at: int = -SUSTAINED
    old_since: int = 0
    worst: int = 0
    _told: int = field(init=False, default=0)
    _known: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Nothing is known of the time before the first look."""
        self.read_at = self.looked.ticks

    def go_on(self, since: int, most: int) -> bool:
        """Count from `since`, when another process read the network last (milliseconds, the time of day).

        A time that has not come yet says nothing of how long ago that was: `most` milliseconds are counted
        then, and it is False.
        """
        ago = self.looked.at - since
        possible = ago >= -AGREED
        self.read_at = self.looked.ticks - (max(ago, 0) if possible else most)
        self._known = since if possible else 0
        return possible

    def heed(self, batch: Batch, now: Instant) -> None:
        """A batch came in, and something in it was new. What comes from history is old by nature."""
        times = [message.sent_at for message in batch.messages if 0 < message.sent_at <= now.at]
        if batch.history or not times:
            return
        if self.behind < SUSTAINED or now.ticks - self.batch_at >= SUSTAINED:
            self.old_since = now.ticks
        self.behind, self.batch_at = now.at - max(times), now.ticks

    def look(self, heard_at: int, now: Instant) -> float:
        """Seconds for which the network has not been read, as of `now`; its reader says when that was last,
        by the time of day (0: never)."""
        self._hear(heard_at, now)
        self.looked = now
        unread = now.ticks - self.read_at
        if now.ticks - self.batch_at < SUSTAINED <= self.batch_at - self.old_since:
            unread = max(unread, self.behind)
        seconds = max(unread, 0) / 1000
        self.worst = max(self.worst, round(seconds))
        return seconds

    def _hear(self, heard_at: int, now: Instant) -> None:
        """Take a time for a new answer if it is another one than before, and later. When the clock was set
        since, nobody knows by which time it is meant, and it is from between the two looks."""
        moved = was_set(self.looked, now)
        self._known += moved
        possible = moved or heard_at <= now.at
        if heard_at == self._told or heard_at <= self._known or not possible:
            return
        ago = now.at - heard_at
        if moved:
            ago = min(max(ago, 0), now.ticks - self.looked.ticks)
        self.read_at = max(self.read_at, now.ticks - ago)
        self._told = heard_at
        self.heard_at = self._known = min(heard_at, now.at)

    def told(self) -> int:
        """The longest lag since this was asked last, in seconds."""
        worst, self.worst = self.worst, 0
        return worst
