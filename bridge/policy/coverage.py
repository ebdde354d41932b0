"""What the tests of a policy never reach: rules, detectors, lists, outcomes, barriers and kinds.

Rules of this file: it counts and judges nothing. A rule that is enforced is reached when a test shows it
acting; one that is only monitored, when a test shows it matching; one that is off is not counted. A detector
is counted where a rule or a barrier acts on what it finds: what only takes a match away never shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bridge.policy import language as lang
from bridge.policy.trial import TrialResult

_OUTCOMES = ("redact", "hold", "block", "annotate")


@dataclass(frozen=True, slots=True)
class Part:
    """One sort of thing in a file: which of them there are, and which no test reaches."""

    kind: str
    names: tuple[str, ...]
    missed: tuple[str, ...]

    @property
    def percent(self) -> int:
        """How many of a hundred are reached, rounded down: 100 means all."""
        return 100 * (len(self.names) - len(self.missed)) // len(self.names)


def coverage(file: lang.PolicyFile, results: Sequence[TrialResult]) -> tuple[Part, ...]:
    """What `results`, those of all tests of `file`, reach: a part for every sort of thing that it has."""
    reached = frozenset(name for result in results for name in result.reached)
    acted = frozenset(name for result in results for name in result.enforced)
    found = frozenset(name for result in results for name in result.detectors)
    outcomes = frozenset(word for one in results for word in (str(one.verdict.outcome), one.would))
    counted = (
        ("rules", _rules(file), {rule.id for rule in file.rules if _shown(file, rule, acted, reached)}),
        ("detectors", _detectors(file), found),
        ("lists", file.lists, _lists(file, found)),
        ("outcomes", _possible(file), outcomes),
        ("barriers", (barrier.id for barrier in file.barriers), acted),
        ("kinds", file.kinds, {name.removeprefix("kinds/") for name in reached}),
    )
    parts = (_part(kind, dict.fromkeys(names), hit) for kind, names, hit in counted)
    return tuple(part for part in parts if part.names)


def _part(kind: str, names: Iterable[str], hit: Iterable[str]) -> Part:
    every, reached = tuple(names), set(hit)
    return Part(kind, every, tuple(name for name in every if name not in reached))


def _rules(file: lang.PolicyFile) -> Iterator[str]:
    return (rule.id for rule in file.rules if file.mode_of(rule) != "off")


def _shown(file: lang.PolicyFile, rule: lang.Rule, acted: frozenset[str], reached: frozenset[str]) -> bool:
    return rule.id in (acted if file.mode_of(rule) == "enforce" else reached)


def _detectors(file: lang.PolicyFile) -> Iterator[str]:
    for rule in file.rules:
        for condition in (rule.when, *(rule.when.any or ())) if file.mode_of(rule) != "off" else ():
            yield from condition.finds or ()
    for barrier in file.barriers:
        yield from barrier.finds or ()


def _lists(file: lang.PolicyFile, found: frozenset[str]) -> Iterator[str]:
    for name in found:
        detector = file.detectors.get(name)
        if isinstance(detector, lang.WordsDetector):
            yield from detector.list


def _possible(file: lang.PolicyFile) -> Iterator[str]:
    """The outcomes that rules and barriers can have, and the one without any."""
    yield file.defaults.unmatched
    for rule in file.rules:
        if file.mode_of(rule) != "off":
            yield from (word for word in _OUTCOMES if getattr(rule.then, word) is not None)
    yield from (barrier.then for barrier in file.barriers)
