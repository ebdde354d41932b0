"""The tests that live inside rules: each is judged like any message, against its own file alone.

Rules of this file: no second evaluator. A test becomes a message between two paired people and goes
through `judge`; another file may be stricter, so other files do not take part.
"""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bridge.message import SYMPHONY, WEIXIN, Context, Earlier, Kind, Message, Outcome, Party, Route, Verdict
from bridge.policy import language as lang
from bridge.policy.compiled import Draft, Policy, PolicySet, build
from bridge.policy.diagnostics import Phrase
from bridge.policy.judge import judge

_USUAL_TIME = datetime.datetime(2026, 1, 5, 12, 0)
_APART = 60_000  # milliseconds between the messages of one test
_STAFF = Party(SYMPHONY, "staff", address="staff@test.invalid")
_CLIENT = Party(WEIXIN, "client", language="zh")


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One test: where it stands in its file (indexes from 0), and what differs (nothing when it passed).

    `test` is what was written, `verdict` what came of it.
    """

    policy: str
    rule: str
    given: str
    differences: tuple[Phrase, ...]
    verdict: Verdict
    rule_index: int
    test_index: int
    test: lang.Trial

    @property
    def passed(self) -> bool:
        """Whether everything came as expected."""
        return not self.differences

    @property
    def problem(self) -> str:
        """What differs, in English; "" when it passed."""
        return "; ".join(difference.words("en") for difference in self.differences)

    @property
    def acted(self) -> bool:
        """Whether the test shows its own rule masking, holding, blocking or deciding, enforced."""
        return self.rule in self.enforced

    @property
    def text(self) -> str:
        """The text as it would be delivered: what `becomes` has to say."""
        return self.verdict.text

    @property
    def would(self) -> str:
        """The strictest outcome of the monitored rules that matched, "" if none did."""
        monitored = [m.outcome for m in self.verdict.matches if not (m.enforced or m.exception)]
        return str(max(monitored, key=lambda outcome: outcome.rank)) if monitored else ""

    @property
    def enforced(self) -> frozenset[str]:
        """Rules, barriers and clauses ("kinds/voice") that it showed acting."""
        return frozenset(match.rule for match in self.verdict.matches if match.enforced)

    @property
    def reached(self) -> frozenset[str]:
        """Rules, barriers and clauses that matched, monitored and lifted ones too."""
        return frozenset(match.rule for match in self.verdict.matches)

    @property
    def detectors(self) -> frozenset[str]:
        """Detectors that found something a rule asked for."""
        return frozenset(name for match in self.verdict.matches for name in match.detectors)


def run_tests(policy: Policy) -> list[TrialResult]:
    """The result of every test of `policy`, in the order of the file.

    How old its lists are is no matter, nor for which conversations it is: every test is within it, and within
    the part of a rule that is rolled out by percent.
    """
    if not any(rule.tests for rule in policy.model.rules):
        return []
    return list(_results(build([_everywhere(policy)]), policy.model))


def _everywhere(policy: Policy) -> Draft:
    """The draft of `policy` as if it were in force for everybody."""
    rules = tuple(_rolled_out(rule) for rule in policy.model.rules)
    model = policy.model.model_copy(update={"applies_to": None, "rules": rules})
    return replace(policy.draft, model=model, expires={})


def _rolled_out(rule: lang.Rule) -> lang.Rule:
    by_chance = rule.rollout is not None and rule.rollout.percent is not None
    return rule.model_copy(update={"rollout": None}) if by_chance else rule


def _results(alone: PolicySet, file: lang.PolicyFile) -> Iterator[TrialResult]:
    for rule_index, rule in enumerate(file.rules):
        for test_index, test in enumerate(rule.tests):
            given, verdict = " / ".join(test.given), _verdict(alone, file, rule, test)
            result = TrialResult(file.policy, rule.id, given, (), verdict, rule_index, test_index, test)
            yield replace(result, differences=tuple(_differences(test, result)))


def _origin(rule: lang.Rule, test: lang.Trial) -> str:
    """The network a test comes from: as written, else the only one or the first that its rule covers."""
    if test.from_ is not None:
        return test.from_
    return WEIXIN if rule.when.direction == "to_symphony" else SYMPHONY


def _party(usual: Party, written: str | None) -> Party:
    if written is None:
        return usual
    if written.startswith("tag:"):
        return replace(usual, tags=frozenset({written.removeprefix("tag:")}))
    return Party(usual.network, written, address=written if "@" in written else "", language=usual.language)


def _verdict(alone: PolicySet, file: lang.PolicyFile, rule: lang.Rule, test: lang.Trial) -> Verdict:
    origin = _origin(rule, test)
    ends = (_STAFF, _CLIENT) if origin == SYMPHONY else (_CLIENT, _STAFF)
    sender, recipient = _party(ends[0], test.sender), _party(ends[1], test.recipient)
    at = (test.at or _USUAL_TIME).replace(tzinfo=zoneinfo.ZoneInfo(file.timezone))
    moment = int(at.timestamp() * 1000)
    message = Message(
        origin,
        "test",
        "test",
        sender.id,
        moment,
        Kind(test.kind or "text"),
        text=test.given[-1],
        address=sender.address,
    )
    context = Context(
        f"to_{recipient.network}",
        Route(sender, recipient, recipient.network, "test"),
        earlier=_earlier(test.given[:-1], moment),
        consent={} if test.consent is False else {file.policy: moment},
    )
    return judge(alone, message, context, at)


def _earlier(texts: tuple[str, ...], moment: int) -> tuple[Earlier, ...]:
    """What the sender wrote before, a minute apart."""
    first = moment - _APART * len(texts)
    return tuple(Earlier(place, first + _APART * place, text) for place, text in enumerate(texts))


def _differences(test: lang.Trial, result: TrialResult) -> Iterator[Phrase]:
    verdict = result.verdict
    if verdict.outcome != test.expect:
        yield Phrase("trial.outcome", {"expected": test.expect, "got": verdict.outcome})
    if test.becomes is not None and verdict.text != test.becomes:
        yield Phrase("trial.text", {"expected": test.becomes, "got": verdict.text})
    if test.would is not None and result.would != test.would:
        yield Phrase("trial.would", {"expected": test.would, "got": result.would or Phrase("nothing")})
    if test.tags is not None and set(test.tags) != set(verdict.tags):
        yield Phrase("trial.tags", {"expected": sorted(test.tags), "got": sorted(verdict.tags)})
    if test.rule is not None and test.rule not in _deciding(verdict):
        deciding = ", ".join(_deciding(verdict)) or Phrase("none")
        yield Phrase("trial.rule", {"expected": test.rule, "got": deciding})


def _deciding(verdict: Verdict) -> list[str]:
    outcome: Outcome = verdict.outcome
    return [match.rule for match in verdict.matches if match.enforced and match.outcome is outcome]
