"""How many of which: what was found, counted by everything that one might look at next.

Rules of this file: pure. Every number stands beside the condition that gives exactly these documents, so
that no count has to be believed: it can be opened. Times are milliseconds; days and hours are those of the
desk's zone.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from math import ceil
from typing import NamedTuple

from bridge.flow import DeliveryState
from bridge.search.document import Document, Person
from bridge.search.facets import FACETS
from bridge.search.states import STATES
from bridge.search.writing import quoted


class Group(NamedTuple):
    """One way to count: by what, and the values of a document (an empty one does not count)."""

    title: str
    values: Callable[[Document, tzinfo], Iterable[str]]


def _facet(name: str) -> Callable[[Document, tzinfo], Iterable[str]]:
    return lambda document, _: FACETS[name](document)


def _rules(document: Document, _: tzinfo) -> Iterator[str]:
    return (rule for rule in FACETS["rule"](document) if "/" in rule)


def _people(*ends: Person | None) -> Iterator[str]:
    return (end.address or end.id for end in ends if end is not None)


def _moment(milliseconds: int, zone: tzinfo) -> datetime:
    """A time of ours in the desk's zone."""
    return datetime.fromtimestamp(milliseconds / 1000, zone)


GROUPS: Mapping[str, Group] = {  # the qualifier that opens a count
    "action": Group("outcome", _facet("action")),
    "is": Group("state", lambda d, _: (name for name, state in STATES.items() if state.holds(d))),
    "rule": Group("rule", _rules),
    "from": Group("from", lambda d, _: _people(d.sender)),
    "to": Group("to", lambda d, _: _people(d.reader)),
    "dir": Group("side", _facet("dir")),
    "kind": Group("kind", _facet("kind")),
    "during": Group("day", lambda d, zone: (f"{_moment(d.at, zone):%Y-%m-%d}",)),
}

IN_ORDER = ("during",)
"""Groups whose values have an order of their own; of the others the most frequent come first."""


@dataclass(frozen=True, slots=True)
class Count:
    """So many documents have this value; `query` lists them."""

    value: str
    count: int
    query: str


@dataclass
class Spread:
    """How long something took: all values, in milliseconds."""

    values: array[int] = field(default_factory=lambda: array("q"))

    def add(self, milliseconds: int) -> None:
        """One more. A clock that went back counts as no time at all."""
        self.values.append(max(milliseconds, 0))

    def quantiles(self, *shares: float) -> tuple[int, ...]:
        """For each share, the smallest value that at least so many of all do not exceed; 0 of none."""
        if not self.values:
            return (0,) * len(shares)
        ordered = sorted(self.values)
        return tuple(ordered[max(ceil(share * len(ordered)) - 1, 0)] for share in shares)


@dataclass
class Tally:
    """Documents, counted as they pass: `hours` of the day, in `zone`; `names` say who an address is."""

    zone: tzinfo
    total: int = 0
    hours: Counter[int] = field(default_factory=Counter)
    names: dict[str, str] = field(default_factory=dict)
    delivery: Spread = field(default_factory=Spread)
    decision: Spread = field(default_factory=Spread)
    open_holds: int = 0
    late_holds: int = 0
    counts: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in GROUPS})

    def add(self, document: Document) -> None:
        """Count one document."""
        self.total += 1
        for name, group in GROUPS.items():
            self.counts[name].update(set(filter(None, group.values(document, self.zone))))
        self.hours[_moment(document.at, self.zone).hour] += 1
        for person in filter(None, (document.sender, document.reader)):
            self.names.setdefault(person.address or person.id, person.name)
        self._add_times(document)

    def _add_times(self, document: Document) -> None:
        arrived = [one.done_at for one in document.deliveries if one.state == DeliveryState.SENT]
        if arrived:
            self.delivery.add(min(arrived) - document.at)
        if held := document.held:
            self.late_holds += STATES["late"].holds(document)
            if held.state == "open":
                self.open_holds += 1
            elif held.decided_at:
                self.decision.add(held.decided_at - held.opened_at)

    def group(self, name: str, query: str, limit: int = 0) -> list[Count]:
        """The counts of one group, `limit` of them at most (0: all), each with its query."""
        found = self.counts[name].items()
        ordered = sorted(found) if name in IN_ORDER else sorted(found, key=lambda one: (-one[1], one[0]))
        chosen = ordered[-limit:] if name in IN_ORDER else ordered[: limit or None]
        return [Count(value, count, narrowed(query, name, value)) for value, count in chosen]


def narrowed(query: str, name: str, value: str) -> str:
    """`query`, and of its answer only what has this value."""
    whole = f"({query})" if " OR " in query else query
    return f"{whole} {name}:{quoted(value)}".strip()
