"""Message in, verdict out: pure, the same answer every time, whatever the order of rules and files.

Rules of this file: no I/O and no clock (`now` is an argument). Every rule of every file in force is evaluated
and every match is written down, those of monitored rules too. The strictest answer wins. What fails, holds.
A failure, a default and a rule are three different causes and never stand in for each other.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from bridge.message import Cause, Context, Kind, Match, Message, Outcome, Verdict
from bridge.policy.answers import RANK, Answer, Found, Hearing
from bridge.policy.compiled import Policy, PolicySet
from bridge.policy.conditions import DIRECTIONS, Hits, Look, holds, placed
from bridge.policy.detectors import CONFIDENCE_WORDS
from bridge.policy.facts import Facts
from bridge.policy.folding import Span
from bridge.policy.rules import Rule
from bridge.policy.verdicts import pronounce


def judge(policies: PolicySet, message: Message, context: Context, now: datetime.datetime) -> Verdict:
    """The verdict on `message` in its `context`, judged at `now` (with a time zone).

    Never raises for any message; raises ValueError for another direction than the two, under which no
    rule would apply.
    """
    if context.direction not in DIRECTIONS:
        raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}")
    facts = Facts(message, context, now, policies.roster, policies.engine)
    force = policies.policies if policies.everywhere else _in_force(policies, facts)
    hearing = Hearing(answers=_failures(force, facts))
    for policy in force:
        _hear(policy, facts, hearing)
    return pronounce(policies, force, facts, hearing)


def _in_force(policies: PolicySet, facts: Facts) -> Sequence[Policy]:
    """The files that are for this conversation. For strangers every file is in force."""
    if facts.context.route is None:
        return policies.policies
    return [p for p in policies.policies if p.people is None or not p.people.isdisjoint(facts.people)]


def _failures(force: Sequence[Policy], facts: Facts) -> list[Answer]:
    """Answers because of what could not be read. Reasons count and classify; they never quote."""
    message, missing = facts.message, facts.context.missing
    reasons = []
    if message.defect:
        reasons.append("the message could not be fully read")
    if message.kind is Kind.UNKNOWN:
        reasons.append("the kind of message is not known")
    if missing:
        reasons.append(f"{len(missing)} attachment(s) could not be read")
    if not reasons:
        return []
    words = [policy.model.defaults.on_error for policy in force] or ["hold"]
    strictest = max((Outcome(word) for word in words), key=RANK.__getitem__)
    return [Answer(strictest, Cause.FAILURE, "; ".join(reasons))]


# --- one file -------------------------------------------------------------------------------------------


def _hear(policy: Policy, facts: Facts, hearing: Hearing) -> None:
    """Everything that one file has to say."""
    if policy.draft.expires:
        hearing.answers += _stale(policy, facts.now)
    if policy.screen is not None:
        hearing.answers += policy.screen.failures(facts)
        hearing.clauses += policy.screen.clauses(facts)
    if policy.gate is not None:
        closed = policy.gate.closed(facts)
        if closed is not None:
            hearing.closed.append((policy.gate, closed))
        elif policy.gate.opened(facts):
            hearing.opened.append(policy.name)
    settled = _ask_rules(policy, facts, hearing)
    if facts.context.route is None:
        hearing.answers.append(policy.unpaired)
    elif not settled:
        hearing.answers.append(policy.unmatched)


def _stale(policy: Policy, now: datetime.datetime) -> Iterator[Answer]:
    """Answers because of lists that are older than their policy allows."""
    for name in policy.stale(now):
        outcome = Outcome(policy.model.defaults.on_error)
        yield Answer(outcome, Cause.FAILURE, f"list {policy.name}/{name} is out of date")


def _ask_rules(policy: Policy, facts: Facts, hearing: Hearing) -> bool:
    """Ask the rules of one file, adding to what was found; whether one of them settled it."""
    settled = False
    look = partial(facts.scan, inside=policy.inside)
    for rule in policy.shelves.worth_asking(facts, look):
        try:
            found = _match(rule, facts, look)
        except Exception:  # one of the three places: a rule that crashes becomes a hold
            crashed = _crashed(rule, facts)
            hearing.found.append(crashed)
            if crashed.match.enforced:
                reason = f"{rule.word} {rule.name} could not be computed"
                hearing.answers.append(Answer(Outcome.HOLD, Cause.FAILURE, reason))
            continue
        if found is None:
            continue
        hearing.found.append(found)
        if found.match.enforced and rule.decides:
            settled = settled or rule.settles
            hearing.answers.append(found.answer)
    return settled


def _crashed(rule: Rule, facts: Facts) -> Found:
    """A rule that could not be computed: it masks, tags and tells nothing, and is written down as a hold."""
    silent = replace(rule, adds=False, hold=None)
    why = "could not be computed"
    return Found(silent, Match(rule.policy, rule.id, rule.title, Outcome.HOLD, rule.acts(facts), why=why))


# --- one rule -------------------------------------------------------------------------------------------


def _match(rule: Rule, facts: Facts, look: Look) -> Found | None:
    hits = holds(rule.when, facts, look)
    if hits is None or (rule.unless is not None and holds(rule.unless, facts, look) is not None):
        return None
    inside, outside = placed(hits, facts) if hits else ([], [])
    exemption = rule.exemption(facts, look, hits) if rule.exemptions else ""
    match = Match(
        rule.policy,
        rule.id,
        rule.title,
        rule.outcome,
        enforced=not exemption and rule.acts(facts),
        detectors=tuple(sorted(hits)),
        spans=tuple(facts.body.originals(inside)) if inside else (),
        why=_why(rule, hits, outside, exemption),
        exception=exemption,
    )
    return Found(rule, match, unreachable=bool(outside) and rule.redact is not None)


def _why(rule: Rule, hits: Hits, outside: list[Span], exemption: str) -> str:
    """A sentence without message text: what was found, how surely, and what it leads to."""
    findings = [
        f"{name} ({CONFIDENCE_WORDS[max(hit.confidence for hit in hits[name])]})" for name in sorted(hits)
    ]
    parts = ["found " + ", ".join(findings) if findings else "all conditions hold"]
    if outside:
        parts.append("partly in the quoted text or a file")
    if rule.hold is not None:
        parts.append(rule.hold.words)
    if exemption:
        parts.append(f"lifted by exception {exemption}")
    return "; ".join(parts)
