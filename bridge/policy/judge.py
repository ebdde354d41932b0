"""Message in, verdict out: pure, the same answer every time, whatever the order of rules and files.

Rules of this file: no I/O and no clock (`now` is an argument). Every rule of every file is evaluated and
every match is written down, those of monitored rules too. The strictest answer wins. What fails, holds.
A failure, a default and a rule are three different causes and never stand in for each other.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bridge.message import Cause, Context, Kind, Match, Message, Outcome, Party, Route, Verdict
from bridge.policy import masking
from bridge.policy.compiled import Condition, Policy, PolicySet, Rule
from bridge.policy.detectors import CONFIDENCE_WORDS, Hit, Scan
from bridge.policy.folding import Folded, Span

DIRECTIONS = ("to_weixin", "to_symphony")
_RANK = {outcome: rank for rank, outcome in enumerate(Outcome)}
_PRECEDENCE = {Cause.FAILURE: 0, Cause.RULE: 1, Cause.DEFAULT: 2}


@dataclass(frozen=True, slots=True)
class _Facts:
    """What conditions may ask about one message. `body` is its own text, the beginning of what is scanned."""

    message: Message
    direction: str
    sender: Party
    people: tuple[Party, ...]
    scan: Scan
    body: Folded


@dataclass(frozen=True, slots=True)
class _Found:
    """A rule that matched, with the places it covers in the message's own text."""

    rule: Rule
    match: Match
    unreachable: bool  # it must mask a passage that is not in the message's own text


@dataclass(frozen=True, slots=True)
class _Answer:
    """One reason for an outcome; the strictest answer becomes the verdict."""

    outcome: Outcome
    cause: Cause
    reason: str

    @property
    def order(self) -> tuple[int, int, str]:
        """Strictest first; of equals, a failure before a rule before a default."""
        return (-_RANK[self.outcome], _PRECEDENCE[self.cause], self.reason)


def judge(policies: PolicySet, message: Message, context: Context, now: datetime.datetime) -> Verdict:
    """The verdict on `message` in its `context`, judged at `now` (with a time zone).

    Never raises for any message; raises ValueError for another direction than the two, under which no
    rule would apply.
    """
    direction, route, missing = context.direction, context.route, context.missing
    if direction not in DIRECTIONS:
        raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}")
    facts = _facts(policies, message, route, direction)
    found: list[_Found] = []
    answers = _failures(policies, message, missing)
    answers += _stale(policies, now)
    for policy in policies.policies:
        decided = _evaluate(policy, facts, found, answers)
        if route is None:
            answers.append(_default(policy.model.defaults.unpaired, "the people are not an approved pair"))
        elif not decided:
            answers.append(_default(policy.model.defaults.unmatched, "no rule matched"))
    return _verdict(policies, message, found, answers)


def _default(word: str, reason: str) -> _Answer:
    return _Answer(Outcome(word), Cause.DEFAULT, reason if word != "deliver" else "")


def _facts(policies: PolicySet, message: Message, route: Route | None, direction: str) -> _Facts:
    if route is None:
        sender = Party(message.network, message.sender, message.sender_name, message.address)
        people: tuple[Party, ...] = (sender,)
    else:
        sender, people = route.sender, (route.sender, route.recipient)
    body = Folded(message.text)
    parts = [body]
    if message.quote or message.files:
        parts += [Folded(part) for part in (message.quote, *(file.name for file in message.files)) if part]
    return _Facts(message, direction, sender, people, Scan(parts, policies.engine), body)


def _failures(policies: PolicySet, message: Message, missing: Sequence[str]) -> list[_Answer]:
    """Answers because of what could not be read. Reasons count and classify; they never quote."""
    reasons = []
    if message.defect:
        reasons.append("the message could not be fully read")
    if message.kind is Kind.UNKNOWN:
        reasons.append("the kind of message is not known")
    if missing:
        reasons.append(f"{len(missing)} attachment(s) could not be read")
    if not reasons:
        return []
    words = [policy.model.defaults.on_error for policy in policies.policies] or ["hold"]
    strictest = max((Outcome(word) for word in words), key=_RANK.__getitem__)
    return [_Answer(strictest, Cause.FAILURE, "; ".join(reasons))]


def _stale(policies: PolicySet, now: datetime.datetime) -> list[_Answer]:
    """Answers because of lists that are older than their policy allows."""
    answers = []
    for policy in policies.policies:
        if policy.draft.expires:
            outcome = Outcome(policy.model.defaults.on_error)
            reasons = (f"list {policy.name}/{name} is out of date" for name in policy.stale(now))
            answers += [_Answer(outcome, Cause.FAILURE, reason) for reason in reasons]
    return answers


def _evaluate(policy: Policy, facts: _Facts, found: list[_Found], answers: list[_Answer]) -> bool:
    """Run the rules of one file, adding to `found` and `answers`; whether one of them decided."""
    decided = False
    for rule in policy.rules:
        try:
            hit = _match(rule, facts)
        except Exception:  # one of the three places: a rule that crashes becomes a hold
            found.append(_crashed(rule))
            if rule.enforced:
                reason = f"rule {rule.policy}/{rule.id} could not be computed"
                answers.append(_Answer(Outcome.HOLD, Cause.FAILURE, reason))
            continue
        if hit is None:
            continue
        found.append(hit)
        if rule.enforced and rule.decides:
            decided = True
            answers.append(_rule_answer(hit))
    return decided


def _crashed(rule: Rule) -> _Found:
    """A rule that could not be computed: it masks, tags and tells nothing, and is written down as a hold."""
    silent = replace(rule, redact=None, tags=(), tell={}, waits=False)
    why = "could not be computed"
    match = Match(rule.policy, rule.id, rule.title, Outcome.HOLD, rule.enforced, why=why)
    return _Found(silent, match, unreachable=False)


def _rule_answer(found: _Found) -> _Answer:
    name = f"{found.rule.policy}/{found.rule.id}"
    if found.unreachable and found.rule.outcome is Outcome.REDACT:
        reason = f"rule {name} must mask a quotation or a file name, which cannot be masked"
        return _Answer(Outcome.HOLD, Cause.RULE, reason)
    return _Answer(found.rule.outcome, Cause.RULE, f"rule {name}")


# --- one rule -------------------------------------------------------------------------------------------


def _match(rule: Rule, facts: _Facts) -> _Found | None:
    hits = _holds(rule.when, facts)
    if hits is None or (rule.unless is not None and _holds(rule.unless, facts) is not None):
        return None
    inside, outside = _placed(hits, facts)
    names = tuple(sorted(hits))
    spans = tuple(facts.body.originals(inside)) if inside else ()
    why = _why(rule, hits, outside)
    match = Match(rule.policy, rule.id, rule.title, rule.outcome, rule.enforced, names, spans, why)
    return _Found(rule, match, bool(outside) and rule.redact is not None)


def _holds(condition: Condition, facts: _Facts) -> dict[str, list[Hit]] | None:
    """What was found, by detector, if every key of `condition` holds; else None."""
    if condition.directions is not None and facts.direction not in condition.directions:
        return None
    if condition.kinds is not None and facts.message.kind not in condition.kinds:
        return None
    # People are asked last: most messages have nothing to find, and then it does not matter who they are.
    found = _finds(condition, facts.scan)
    return found if found is not None and _concerns(condition, facts) else None


def _finds(condition: Condition, scan: Scan) -> dict[str, list[Hit]] | None:
    """What the detectors of `condition` find, by name; None if they find nothing."""
    if condition.finders is None:
        return {}
    candidates = scan.candidates()
    if condition.finders.isdisjoint(candidates):
        return None
    found: dict[str, list[Hit]] = {}
    for finder in condition.finders & candidates:
        hits = [hit for hit in scan.hits(finder) if hit.confidence >= condition.floor]
        if hits:
            found[condition.names[finder]] = hits
    return found or None


def _concerns(condition: Condition, facts: _Facts) -> bool:
    """Whether the right people take part."""
    if condition.sender is not None and not condition.sender.has(facts.sender):
        return False
    return condition.groups is None or any(g.has(p) for g in condition.groups for p in facts.people)


def _placed(hits: Mapping[str, list[Hit]], facts: _Facts) -> tuple[list[Span], list[Span]]:
    """The hits inside and outside the message's own text, as spans of the folded text."""
    inside: list[Span] = []
    outside: list[Span] = []
    body = len(facts.body.folded)
    for hit in (hit for some in hits.values() for hit in some):
        if hit.start < body:
            inside.append((hit.start, min(hit.end, body)))
        if hit.end > body + 1:
            outside.append((hit.start, hit.end))
    return inside, outside


def _why(rule: Rule, hits: Mapping[str, list[Hit]], outside: list[Span]) -> str:
    """A sentence without message text: what was found, how surely, and what it leads to."""
    findings = [
        f"{name} ({CONFIDENCE_WORDS[max(hit.confidence for hit in hits[name])]})" for name in sorted(hits)
    ]
    parts = ["found " + ", ".join(findings) if findings else "all conditions hold"]
    if outside:
        parts.append("partly in the quoted text or a file name")
    if rule.queue:
        parts.append(f"queue {rule.queue}")
    return "; ".join(parts)


# --- all rules together ---------------------------------------------------------------------------------


def _verdict(policies: PolicySet, message: Message, found: list[_Found], answers: list[_Answer]) -> Verdict:
    found = sorted(found, key=lambda f: (f.rule.policy, f.rule.id))
    enforced = [f for f in found if f.rule.enforced]
    answer = min(answers, key=lambda a: a.order, default=_Answer(Outcome.HOLD, Cause.FAILURE, "no policy"))
    return Verdict(
        outcome=answer.outcome,
        cause=answer.cause,
        text=masking.apply(message.text, _masks(enforced)),
        reason=_reason(answer, answers),
        matches=tuple(f.match for f in found),
        tell=_tell(enforced, message.text),
        tags=tuple(sorted({tag for f in enforced for tag in f.rule.tags})),
        waits=answer.outcome is Outcome.HOLD and any(f.rule.waits for f in enforced),
        policies=policies.hashes,
    )


def _reason(answer: _Answer, answers: Iterable[_Answer]) -> str:
    """Every reason that leads to the answer, from the same cause, in a fixed order."""
    equal = {a.reason for a in answers if (a.outcome, a.cause) == (answer.outcome, answer.cause)}
    return "; ".join(sorted(equal - {""})) if equal else answer.reason


def _masks(enforced: Iterable[_Found]) -> list[masking.Mask]:
    return [
        masking.Mask(start, end, f.rule.redact.keep_last, f.rule.redact.style == "fixed")
        for f in enforced
        if f.rule.redact is not None
        for start, end in f.match.spans
    ]


def _tell(enforced: Sequence[_Found], text: str) -> dict[str, str]:
    """The senders' texts of all rules, joined per language, each once."""
    languages = sorted({language for f in enforced for language in f.rule.tell})
    told = {}
    for language in languages:
        sentences = [_sentence(f, language, text) for f in enforced]
        told[language] = " ".join(dict.fromkeys(sentence for sentence in sentences if sentence))
    return told


def _sentence(found: _Found, language: str, text: str) -> str:
    """What `found` tells in `language`; a script of Chinese falls back to "zh"."""
    tell = found.rule.tell
    fallback = tell.get("zh", "") if language.startswith("zh") else ""
    sentence = tell.get(language, fallback)
    if sentence and found.rule.show_match and found.match.spans:
        shown = dict.fromkeys(text[start:end] for start, end in found.match.spans)
        return f"{sentence} ({', '.join(shown)})"
    return sentence
