"""The consent gate, and disclaimers: what a client is asked and told.

Rules of this file: pure. Both are known by "policy/id" (a gate by its policy's name), and both depend on what
was agreed or said before, which is part of the context.
"""

from __future__ import annotations

import datetime
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from bridge.message import Annotation, Outcome
from bridge.policy import language as lang
from bridge.policy.answers import Clause
from bridge.policy.conditions import Names, directions
from bridge.policy.facts import Facts
from bridge.policy.folding import fold
from bridge.policy.periods import after

_DAYS_OF_SILENCE = {"day": 1, "week": 7}


def _moment(milliseconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC)


@dataclass(frozen=True, slots=True)
class Gate:
    """One file's gate: nothing passes to these clients before they have agreed."""

    policy: str
    clients: frozenset[int]
    text: Mapping[str, str]
    agree: frozenset[str]
    outcome: Outcome
    renew_every: str | None

    def closed(self, facts: Facts) -> Clause | None:
        """What stops a message to a client who has not agreed, or too long ago; None if nothing does."""
        if facts.direction != "to_weixin" or self.clients.isdisjoint(facts.recipient):
            return None
        why = self._missing(facts)
        return Clause(self.policy, "consent/gate", self.outcome, why) if why else None

    def opened(self, facts: Facts) -> bool:
        """Whether this is the message by which a client agrees: nothing but one of the answers."""
        if facts.direction != "to_symphony" or self.clients.isdisjoint(facts.sender):
            return False
        return _bare(facts.body.folded) in self.agree and bool(self._missing(facts))

    def _missing(self, facts: Facts) -> str:
        given = facts.context.consent.get(self.policy)
        if given is None:
            return "not given"
        if self.renew_every and after(_moment(given), self.renew_every) <= facts.now:
            return f"older than {self.renew_every}"
        return ""


def gate(file: lang.PolicyFile, names: Names) -> Gate | None:
    """The gate of `file`, if it has one."""
    section = file.consent
    if section is None:
        return None
    return Gate(
        file.policy,
        frozenset(names.groups[group] for group in section.from_),
        section.text.texts(),
        frozenset(_bare(fold(answer)) for answer in section.agree),
        Outcome(section.until_given),
        section.renew_every,
    )


def _bare(folded: str) -> str:
    """An answer without the spaces, points and exclamation marks around it."""
    start, end = 0, len(folded)
    while start < end and unicodedata.category(folded[start])[0] in "PZ":
        start += 1
    while start < end and unicodedata.category(folded[end - 1])[0] in "PZ":
        end -= 1
    return folded[start:end]


@dataclass(frozen=True, slots=True)
class Disclaimer:
    """A text below messages, and how often. `people` are numbers of groups (None: everybody)."""

    annotation: Annotation
    directions: tuple[str, ...]
    people: frozenset[int] | None
    every: str
    zone: ZoneInfo

    def due(self, facts: Facts) -> bool:
        """Whether this message has to carry it."""
        if facts.direction not in self.directions:
            return False
        if self.people is not None and self.people.isdisjoint(facts.people):
            return False
        said = facts.context.said.get(self.annotation.key)
        return said is None or self._again(_moment(said), facts)

    def _again(self, said: datetime.datetime, facts: Facts) -> bool:
        """Whether it has to be said again: days are those of the policy's calendar, a week is seven."""
        if self.every in ("message", "once"):
            return self.every == "message"
        days = facts.local(self.zone).date() - said.astimezone(self.zone).date()
        return days.days >= _DAYS_OF_SILENCE[self.every]


def disclaimers(file: lang.PolicyFile, names: Names) -> tuple[Disclaimer, ...]:
    """The disclaimers of `file`."""
    return tuple(
        Disclaimer(
            Annotation(f"{file.policy}/{one.id}", one.text.texts()),
            directions(one.direction),
            frozenset(names.groups[group] for group in one.for_) or None,
            one.every,
            names.zone,
        )
        for one in file.disclaimers
    )
