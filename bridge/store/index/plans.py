"""What of a query an index can answer.

Rules of this file: pure. A plan is what is necessary for a query to accept a message, never more than that:
leaving a part of an AND out makes it wider, and leaving a part of an OR out is not allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge.search.document import All, Any, Live, Need, Token

Alive = Callable[[Live], Sequence[int] | None]
"""The numbers of messages in a state, None when there are too many or nobody knows."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to find what may fit: by tokens (None: not), and under these numbers. `everything`: anywhere."""

    need: Need | None = None
    numbers: frozenset[int] = frozenset()
    everything: bool = False


WHOLE = Plan(everything=True)
NOTHING = Plan()


def plan(need: Need, alive: Alive) -> Plan:
    """The plan for `need`."""
    if isinstance(need, Token):
        return Plan(need)
    if isinstance(need, Live):
        numbers = alive(need)
        return WHOLE if numbers is None else Plan(numbers=frozenset(numbers))
    if isinstance(need, All):
        return _narrowest([plan(part, alive) for part in need.parts])
    if isinstance(need, Any):
        return _together([plan(part, alive) for part in need.parts])
    return WHOLE  # a span: the numbers of the whole query say it


def _narrowest(plans: Sequence[Plan]) -> Plan:
    """What fulfils all: by tokens if any part can be found so, else by the fewest numbers."""
    needs = [one.need for one in plans if one.need is not None and not one.numbers]
    if needs:
        return Plan(needs[0] if len(needs) == 1 else All(tuple(needs)))
    narrow = [one for one in plans if not one.everything]
    return min(narrow, key=lambda one: (one.need is not None, len(one.numbers)), default=WHOLE)


def _together(plans: Sequence[Plan]) -> Plan:
    """What fulfils one at least."""
    if any(one.everything for one in plans):
        return WHOLE
    needs = [one.need for one in plans if one.need is not None]
    numbers = frozenset().union(*(one.numbers for one in plans))
    return Plan(_any(needs), numbers)


def _any(needs: Sequence[Need]) -> Need | None:
    if len(needs) < 2:
        return needs[0] if needs else None
    return Any(tuple(needs))
