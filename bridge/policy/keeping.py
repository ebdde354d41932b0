"""Retention, archives and legal holds: how long the record of a message lives, and where else it must lie.

Rules of this file: pure, and independent of what becomes of the message: what was blocked is kept as well.
Every class that applies is named. The one that keeps longest comes first and governs: its record lies on
write-once media if any of the others asks for that.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from bridge.message import Retention
from bridge.policy import language as lang
from bridge.policy.conditions import Names, directions
from bridge.policy.facts import Facts
from bridge.policy.periods import usual_days
from bridge.policy.presets import PRESETS


@dataclass(frozen=True, slots=True)
class _Class:
    """One class of retention, and the messages that it is for (None: all)."""

    retention: Retention
    directions: tuple[str, ...]
    kinds: tuple[str, ...] | None
    people: frozenset[int] | None

    def has(self, facts: Facts) -> bool:
        return (
            facts.direction in self.directions
            and (self.kinds is None or facts.message.kind in self.kinds)
            and _are_there(self.people, facts)
        )


@dataclass(frozen=True, slots=True)
class _Hold:
    """A legal hold: the records of these people, from a day on."""

    name: str
    people: int
    since: datetime.date | None
    zone: datetime.tzinfo

    def has(self, facts: Facts) -> bool:
        if self.people not in facts.people:
            return False
        return self.since is None or facts.now.astimezone(self.zone).date() >= self.since


@dataclass(frozen=True, slots=True)
class Keeping:
    """The sections `retention`, `archive` and `legal_holds` of one file, ready."""

    classes: tuple[_Class, ...]
    archives: tuple[tuple[str, frozenset[int] | None], ...]
    holds: tuple[_Hold, ...]
    first_there: bool = False
    """Whether nothing goes out before the archives have it."""

    def retention(self, facts: Facts) -> Iterator[Retention]:
        """The classes that the record of a message belongs to."""
        return (one.retention for one in self.classes if one.has(facts))

    def destinations(self, facts: Facts) -> Iterator[str]:
        """The archives that must have it, by full name."""
        return (name for name, people in self.archives if _are_there(people, facts))

    def legal_holds(self, facts: Facts) -> Iterator[str]:
        """The legal holds that it is under, by full name."""
        return (hold.name for hold in self.holds if hold.has(facts))


def _are_there(people: frozenset[int] | None, facts: Facts) -> bool:
    return people is None or not people.isdisjoint(facts.people)


def longest_first(classes: Iterable[Retention]) -> tuple[Retention, ...]:
    """All classes, the longest first: what begins with a thing to come ends last."""
    ordered = sorted(classes, key=lambda one: (one.start == "creation", -usual_days(one.keep), one.key))
    if not ordered:
        return ()
    governing = replace(ordered[0], worm=any(one.worm for one in ordered))
    return (governing, *ordered[1:])


def keeping(file: lang.PolicyFile, names: Names) -> Keeping | None:
    """What `file` says about records; None if it says nothing."""
    if not (file.retention or file.archive or file.legal_holds):
        return None
    return Keeping(
        tuple(
            _Class(
                _retention(file.policy, entry),
                directions(entry.direction),
                entry.kind,
                _groups(entry.for_, names),
            )
            for entry in file.retention
        ),
        tuple((f"{file.policy}/{entry.id}", _groups(entry.for_, names)) for entry in file.archive),
        tuple(
            _Hold(f"{file.policy}/{hold.id}", names.roster.number(hold.people), hold.since, names.zone)
            for hold in file.legal_holds
        ),
        file.defaults.deliver_after == "all_sinks",
    )


def is_complete(files: Iterable[lang.PolicyFile]) -> bool:
    """Whether every message gets a class that ends by itself: one entry is for everybody and everything, in a
    file for everybody. Without one, some records have no end."""
    return any(
        not (entry.for_ or entry.kind) and entry.direction == "both" and file.applies_to is None
        for file in files
        for entry in file.retention
    )


def changed_classes(live: Iterable[lang.PolicyFile], draft: Iterable[lang.PolicyFile]) -> list[str]:
    """The full names of the classes of `live` that `draft` has no more, or not as they are."""
    before, then = _classes(live), _classes(draft)
    return sorted(name for name, entries in before.items() if then.get(name) != entries)


def _classes(files: Iterable[lang.PolicyFile]) -> dict[str, list[lang.Keep]]:
    found: dict[str, list[lang.Keep]] = {}
    for file in files:
        for entry in file.retention:
            found.setdefault(_name(file.policy, entry), []).append(entry)
    return found


def _name(policy: str, entry: lang.Keep) -> str:
    return f"{policy}/{entry.id or entry.preset or entry.keep}"


def _retention(policy: str, entry: lang.Keep) -> Retention:
    """One entry: its own period, or that of its preset with what the entry adds."""
    name = _name(policy, entry)
    if entry.preset is None:
        return Retention(name, entry.keep or "", entry.start, entry.worm, entry.first or "")
    preset = PRESETS[entry.preset]
    return Retention(name, preset.keep, preset.start, entry.worm, entry.first or preset.first)


def _groups(written: Iterable[str], names: Names) -> frozenset[int] | None:
    return frozenset(names.groups[group] for group in written) or None
