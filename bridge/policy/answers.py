"""What a judgement is made of: answers, of which the strictest wins, and what they were found by.

Rules of this file: values, and what follows from each alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.message import Cause, Match, Outcome
from bridge.policy.rules import Rule

if TYPE_CHECKING:
    from bridge.policy.consent import Gate

RANK: Mapping[Outcome, int] = {outcome: rank for rank, outcome in enumerate(Outcome)}
_PRECEDENCE = {Cause.FAILURE: 0, Cause.RULE: 1, Cause.DEFAULT: 2}


@dataclass(frozen=True, slots=True)
class Answer:
    """One reason for an outcome; the strictest answer becomes the verdict."""

    outcome: Outcome
    cause: Cause
    reason: str

    @property
    def order(self) -> tuple[int, int, str]:
        """Strictest first; of equals, a failure before a rule before a default."""
        return (-RANK[self.outcome], _PRECEDENCE[self.cause], self.reason)

    @property
    def stops(self) -> bool:
        """Whether the message may not pass at once."""
        return RANK[self.outcome] >= RANK[Outcome.HOLD]


@dataclass(frozen=True, slots=True)
class Clause:
    """A fixed section that acts: as an answer, and as a match beside those of the rules.

    `name` is "section/what" (no rule's id has a slash); `why` says no more than what kind of thing it is.
    """

    policy: str
    name: str
    outcome: Outcome
    why: str
    cause: Cause = Cause.RULE

    @property
    def answer(self) -> Answer:
        """What follows from it."""
        section = self.name.partition("/")[0]
        return Answer(self.outcome, self.cause, f"{section} {self.policy}: {self.why}")

    @property
    def match(self) -> Match:
        """How it is written down."""
        return Match(self.policy, self.name, "", self.outcome, why=self.why)


@dataclass(frozen=True, slots=True)
class Found:
    """A rule that matched, with the places it covers in the message's own text.

    `unreachable`: it must mask a passage that is not in the message's own text.
    """

    rule: Rule
    match: Match
    unreachable: bool = False

    @property
    def answer(self) -> Answer:
        """What follows from it."""
        rule = self.rule
        if self.unreachable and rule.outcome is Outcome.REDACT:
            reason = f"rule {rule.name} must mask a quotation or a file, which cannot be masked"
            return Answer(Outcome.HOLD, Cause.RULE, reason)
        return Answer(rule.outcome, Cause.RULE, f"{rule.word} {rule.name}")


@dataclass(slots=True)
class Hearing:
    """Everything that was brought up about one message. `closed` are consent gates that it stands before."""

    found: list[Found] = field(default_factory=list)
    clauses: list[Clause] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    closed: list[tuple[Gate, Clause]] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
