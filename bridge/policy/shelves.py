"""Rules by what a message must have for them to be worth asking: those that cannot match cost nothing.

Rules of this file: a rule lies on every shelf where a message may lie for which it matches; that it is found
on one says nothing more. The order of rules is of no importance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product

from bridge.policy.conditions import Condition, Look
from bridge.policy.detectors import Finder
from bridge.policy.facts import Facts
from bridge.policy.rules import Rule

_NONE: list[Rule] = []


@dataclass(slots=True)
class _Shelf:
    """The rules for one direction and kind, each behind the one thing that is asked of a message first."""

    always: list[Rule] = field(default_factory=list)
    by_ends: dict[tuple[int, int], list[Rule]] = field(default_factory=dict)
    by_sender: dict[int, list[Rule]] = field(default_factory=dict)
    by_recipient: dict[int, list[Rule]] = field(default_factory=dict)
    by_group: dict[int, list[Rule]] = field(default_factory=dict)
    by_finder: dict[Finder, list[Rule]] = field(default_factory=dict)

    def by_people(self, facts: Facts) -> Iterator[list[Rule]]:
        """Where people decide: the rules that are behind those who take part."""
        if self.by_ends:
            for ends in product(facts.sender, facts.recipient):
                yield self.by_ends.get(ends, _NONE)
        for people, rules in (
            (facts.sender, self.by_sender),
            (facts.recipient, self.by_recipient),
            (facts.people, self.by_group),
        ):
            if rules:
                for number in people & rules.keys():
                    yield rules[number]

    def add(self, rule: Rule) -> None:
        when: Condition = rule.when
        if when.finders is not None:
            for finder in when.finders:
                self.by_finder.setdefault(finder, []).append(rule)
        elif when.sender is not None and when.recipient is not None:
            self.by_ends.setdefault((when.sender, when.recipient), []).append(rule)
        elif when.sender is not None:
            self.by_sender.setdefault(when.sender, []).append(rule)
        elif when.recipient is not None:
            self.by_recipient.setdefault(when.recipient, []).append(rule)
        elif when.groups is not None:
            for number in when.groups:
                self.by_group.setdefault(number, []).append(rule)
        else:
            self.always.append(rule)


class Shelves:
    """The rules of one file, by direction and kind of message."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        rules = list(rules)
        self._kinds = frozenset(kind for rule in rules for kind in rule.when.kinds or ())
        self._shelves: dict[tuple[str, str], _Shelf] = {}
        for rule in rules:
            for direction in rule.when.directions:
                for kind in self._kinds | {""} if rule.when.kinds is None else rule.when.kinds:
                    self._shelves.setdefault((direction, kind), _Shelf()).add(rule)

    def worth_asking(self, facts: Facts, look: Look) -> Iterable[Rule]:
        """Every rule that may match, each once. It looks only where a rule does."""
        kind = facts.message.kind
        shelf = self._shelves.get((facts.direction, kind if kind in self._kinds else ""))
        if shelf is None:
            return ()
        chosen = dict.fromkeys(shelf.always)
        for rules in shelf.by_people(facts):
            chosen.update(dict.fromkeys(rules))
        if shelf.by_finder:
            for finder in look().candidates() & shelf.by_finder.keys():
                chosen.update(dict.fromkeys(shelf.by_finder[finder]))
        return chosen
