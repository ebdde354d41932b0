"""What this process knows of the permits that it used, whatever the tables say by now.

Rules of this file: no I/O. What is here cannot be changed through the database; it ends with its process, and
of permits that are older than what it knows, it says that it does not know.
"""

from __future__ import annotations

from bridge.message import SYMPHONY

TAKES_NO_KEY = SYMPHONY
"""The network that cannot tell a repetition: what it was sent a second time stands there twice."""

MANY = 1 << 16
"""How many permits that were spent are known at most: each takes some 150 bytes."""

_CHANCE_BITS = 62


def made_at(permit: str) -> int:
    """When a permit was made, in milliseconds (`rows.permit_id`). Raises ValueError for what is no permit."""
    return int(permit, 36) >> _CHANCE_BITS


class Uses:
    """The permits of one process, which sends for its lane alone since `since` (milliseconds)."""

    def __init__(self, since: int = 0, many: int = MANY) -> None:
        self._since, self._many = since, many
        self._in_hand: dict[str, str] = {}  # permit: its network
        self._spent: dict[str, None] = {}
        self._uncertain: set[str] = set()

    def is_used(self, permit: str) -> bool:
        """Whether it is being sent at this moment, or the network has what it allowed."""
        return permit in self._in_hand or permit in self._spent

    def is_in_hand(self, permit: str) -> bool:
        """Whether somebody is sending by it at this moment."""
        return permit in self._in_hand

    def take(self, permit: str, network: str) -> None:
        """It is about to be used in `network`."""
        self._in_hand[permit] = network

    def may_have_arrived(self, permit: str) -> bool:
        """Whether a use whose end nobody knows was made here."""
        return permit in self._uncertain

    def is_unknown(self, permit: str, network: str) -> bool:
        """Whether it is older than what is known here, where the network could not tell a repetition. That is
        no sign of an earlier use. Raises ValueError for what is no permit."""
        return network == TAKES_NO_KEY and made_at(permit) < self._since

    def end(self, permit: str, *, sent: bool, uncertain: bool) -> None:
        """A use has ended."""
        self._in_hand.pop(permit, None)
        if sent:
            self._spend(permit)
        elif uncertain:
            self._uncertain.add(permit)

    def _spend(self, permit: str) -> None:
        self._uncertain.discard(permit)
        self._spent[permit] = None
        if len(self._spent) > self._many:
            oldest = next(iter(self._spent))
            del self._spent[oldest]
            self._since = max(self._since, made_at(oldest) + 1)

    def give_back(self, network: str) -> None:
        """Nobody sends in `network` any more, and nobody knows what became of what was being sent."""
        for permit in [one for one, where in self._in_hand.items() if where == network]:
            self.end(permit, sent=False, uncertain=True)
