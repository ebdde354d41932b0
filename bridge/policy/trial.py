"""The tests that live inside rules: each is judged like any message, against its own file alone.

Rules of this file: no second evaluator. A test becomes a message between two paired people and goes
through `judge`; another file may be stricter, so other files do not take part.
"""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bridge.message import SYMPHONY, WEIXIN, Context, Message, Outcome, Party, Route, Verdict
from bridge.policy import language as lang
from bridge.policy.compiled import Policy, PolicySet, build
from bridge.policy.judge import judge

_USUAL_TIME = datetime.datetime(2026, 1, 5, 12, 0)
_STAFF = Party(SYMPHONY, "staff", address="staff@test.invalid")
_CLIENT = Party(WEIXIN, "client", language="zh")


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One test: where it stands in its file (indexes from 0), and what differs ("" when it passed)."""

    policy: str
    rule: str
    given: str
    problem: str
    verdict: Verdict
    rule_index: int
    test_index: int

    @property
    def passed(self) -> bool:
        """Whether everything came as expected."""
        return not self.problem

    @property
    def acted(self) -> bool:
        """Whether the test shows its own rule masking, holding, blocking or deciding, enforced."""
        return any(match.rule == self.rule and match.enforced for match in self.verdict.matches)


def run_tests(policy: Policy) -> list[TrialResult]:
    """The result of every test of `policy`, in the order of the file. How old its lists are is no matter."""
    alone = build([replace(policy.draft, expires={})])
    return list(_results(alone, policy.model))


def _results(alone: PolicySet, file: lang.PolicyFile) -> Iterator[TrialResult]:
    for rule_index, rule in enumerate(file.rules):
        for test_index, test in enumerate(rule.tests):
            verdict = _verdict(alone, file, rule, test)
            problem = "; ".join(_differences(test, verdict))
            yield TrialResult(
                file.policy, rule.id, " / ".join(test.given), problem, verdict, rule_index, test_index
            )


def _origin(rule: lang.Rule, test: lang.Trial) -> str:
    """The network a test comes from: as written, else the only one or the first that its rule covers."""
    if test.from_ is not None:
        return test.from_
    return WEIXIN if rule.when.direction == "to_symphony" else SYMPHONY


def _party(usual: Party, sender: str | None) -> Party:
    if sender is None:
        return usual
    if sender.startswith("tag:"):
        return Party(usual.network, usual.id, tags=frozenset({sender.removeprefix("tag:")}))
    return Party(usual.network, sender, address=sender if "@" in sender else "")


def _verdict(alone: PolicySet, file: lang.PolicyFile, rule: lang.Rule, test: lang.Trial) -> Verdict:
    origin = _origin(rule, test)
    usual, recipient = (_STAFF, _CLIENT) if origin == SYMPHONY else (_CLIENT, _STAFF)
    sender = _party(usual, test.sender)
    at = (test.at or _USUAL_TIME).replace(tzinfo=zoneinfo.ZoneInfo(file.timezone))
    message = Message(
        origin,
        "test",
        "test",
        sender.id,
        int(at.timestamp() * 1000),
        text=test.given[-1],
        address=sender.address,
    )
    route = Route(sender, recipient, recipient.network, "test")
    return judge(alone, message, Context(f"to_{recipient.network}", route), at)


def _differences(test: lang.Trial, verdict: Verdict) -> Iterator[str]:
    if verdict.outcome != test.expect:
        yield f"expected {test.expect}, got {verdict.outcome}"
    if test.becomes is not None and verdict.text != test.becomes:
        yield f"text '{verdict.text}' ≠ '{test.becomes}'"
    if test.would is not None and _would(verdict) != test.would:
        yield f"expected would be {test.would}, got {_would(verdict) or 'nothing'}"
    if test.tags is not None and set(test.tags) != set(verdict.tags):
        yield f"expected tags {sorted(test.tags)}, got {sorted(verdict.tags)}"
    if test.rule is not None and test.rule not in _deciding(verdict):
        yield f"expected rule {test.rule} to decide, got {', '.join(_deciding(verdict)) or 'none'}"


def _would(verdict: Verdict) -> str:
    """The strictest outcome of the monitored rules that matched, "" if none did."""
    outcomes = [match.outcome for match in verdict.matches if not match.enforced]
    return str(max(outcomes, key=lambda outcome: outcome.rank)) if outcomes else ""


def _deciding(verdict: Verdict) -> list[str]:
    outcome: Outcome = verdict.outcome
    return [match.rule for match in verdict.matches if match.enforced and match.outcome is outcome]
