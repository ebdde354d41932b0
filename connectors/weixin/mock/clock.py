"""The mock platform's clock: real time plus what a test has advanced it by.

Rules of this file: the only place of the mock that asks the machine for the time of day. Windows of 48
hours, 3 days, 10 minutes and 20 seconds are all measured with this clock, so a test crosses them without
waiting.
"""

import time
from collections.abc import Callable


class VirtualClock:
    """Seconds since 1970: running with the machine's clock or standing still (`frozen_at`), never back.

    `moved` is called after every step made by `advance`.
    """

    def __init__(self, frozen_at: float | None = None) -> None:
        self._frozen_at = frozen_at
        self._advanced = 0.0
        self.moved: Callable[[], None] = lambda: None

    def now(self) -> float:
        """Seconds since 1970 as the platform believes."""
        base = time.time() if self._frozen_at is None else self._frozen_at
        return base + self._advanced

    def advance(self, seconds: float) -> float:
        """Let `seconds` (>= 0) pass at once; returns the new time. Raises ValueError for a step back."""
        if seconds < 0:
            raise ValueError("the platform's clock cannot go back")
        self._advanced += seconds
        self.moved()
        return self.now()
