"""How long a network has gone unread, by the clock of whoever reads it and by the network's own.

Rules of this file: pure. Two things make a network unread: nobody answers, or all that comes is old. A single
old item is no lag: what was said while nobody read comes when reading begins again, and is read with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.message import Batch

SUSTAINED = 60_000
"""Milliseconds for which nothing but old items has to come to be a lag: longer than any long poll."""


@dataclass(slots=True)
class Capture:
    """One network. `heard_at` is when it was read last (milliseconds), `since` where to count from before
    that. `behind` is how old the newest item of the last batch was, `batch_at` when that came, `old_since`
    when the first such came; `worst` the longest lag that was seen since it was last asked for (seconds)."""

    network: str
    since: int
    heard_at: int = 0
    behind: int = 0
    batch_at: int = 0
    old_since: int = 0
    worst: int = 0

    def heed(self, batch: Batch, now: int) -> None:
        """A batch came in at `now`, and something in it was new. What comes from history is old by nature."""
        times = [message.sent_at for message in batch.messages if 0 < message.sent_at <= now]
        if batch.history or not times:
            return
        if self.behind < SUSTAINED or now - self.batch_at >= SUSTAINED:
            self.old_since = now
        self.behind, self.batch_at = now - max(times), now

    def look(self, heard_at: int, now: int) -> float:
        """Seconds for which the network has not been read, as of `now`; it was heard at `heard_at` last."""
        self.heard_at = max(self.heard_at, heard_at)
        unread = now - max(self.heard_at, self.since)
        if now - self.batch_at < SUSTAINED <= self.batch_at - self.old_since:
            unread = max(unread, self.behind)
        seconds = max(unread, 0) / 1000
        self.worst = max(self.worst, round(seconds))
        return seconds

    def told(self) -> int:
        """The longest lag since this was asked last, in seconds."""
        worst, self.worst = self.worst, 0
        return worst
