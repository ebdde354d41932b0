"""What was found becomes one verdict: the strictest outcome, and everything that adds up.

Rules of this file: pure, and independent of the order in which things were found. Only what is enforced has
an effect; what is monitored, or lifted by an exception, is written down and nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from bridge.message import QUEUES_APART, Annotation, Cause, Match, Outcome, Verdict
from bridge.policy import masking
from bridge.policy.answers import Answer, Found, Hearing
from bridge.policy.compiled import Policy, PolicySet
from bridge.policy.facts import Facts
from bridge.policy.keeping import longest_first
from bridge.policy.rules import REVIEW, Rule, Waiting

_NO_POLICY = Answer(Outcome.HOLD, Cause.FAILURE, "no policy is for this conversation")


def pronounce(policies: PolicySet, force: Sequence[Policy], facts: Facts, hearing: Hearing) -> Verdict:
    """The verdict of the files in `force` on what was heard."""
    others, answers = _answers(hearing)
    answer = min(answers, key=lambda a: a.order, default=_NO_POLICY) if len(answers) != 1 else answers[0]
    found = sorted(hearing.found, key=lambda f: (f.rule.policy, f.rule.id, f.rule.word))
    enforced = [f for f in found if f.match.enforced]
    adding = [f for f in enforced if f.rule.adds]
    # Most messages meet nothing: what nobody asked for is not worked out.
    more: dict[str, Any] = {}
    if adding:
        more |= _effects(adding, facts.message.text, answer.outcome)
    if adding or any(policy.disclaimers for policy in force):
        more["annotations"] = _annotations(adding, force, facts)
    if answer.outcome is Outcome.HOLD:
        waiting = _waiting(enforced)
        more |= {
            "queue": waiting.queue,
            "decide_within": waiting.decide_within,
            "if_late": waiting.if_late,
            "waits": waiting.waits,
        }
    if hearing.closed or hearing.opened:
        more |= _consent(hearing, others)
    if any(policy.keeping for policy in force):
        more |= _keeping(force, facts)
    return Verdict(
        outcome=answer.outcome,
        cause=answer.cause,
        text=more.pop("text", facts.message.text),
        reason=_reason(answer, answers),
        matches=_matches(found, hearing),
        policies=_hashes(policies, force),
        lists=tuple(sorted([pair for policy in force for pair in policy.lists])),
        directory=facts.directory,
        engine=policies.engine_version,
        **more,
    )


def _effects(adding: Sequence[Found], text: str, outcome: Outcome) -> dict[str, Any]:
    """What rules add beside their outcome."""
    return {
        "text": masking.apply(text, _masks(adding)),
        "tell": _tell([f for f in adding if _true_of(f.rule, outcome)], text),
        "tags": _sorted(tag for f in adding for tag in f.rule.tags),
        "notify": _sorted(address for f in adding for address in f.rule.notify),
        "samples": tuple([f.rule.sample for f in adding if f.rule.sample is not None]),
    }


def _consent(hearing: Hearing, others: Sequence[Answer]) -> dict[str, Any]:
    """What gates have to do with it."""
    return {
        "ask": _ask(hearing, others) if hearing.closed else {},
        "agreed": tuple(sorted(hearing.opened)),
        "gated": bool(hearing.closed) and not any(other.stops for other in others),
    }


def _keeping(force: Sequence[Policy], facts: Facts) -> dict[str, Any]:
    """How long, where and for which case it is kept."""
    kept = [policy.keeping for policy in force if policy.keeping is not None]
    return {
        "retention": longest_first(one for part in kept for one in part.retention(facts)),
        "legal_holds": _sorted(name for part in kept for name in part.legal_holds(facts)),
        "archives": _sorted(name for part in kept for name in part.destinations(facts)),
        "after_archives": any(part.first_there and any(part.destinations(facts)) for part in kept),
    }


def _answers(hearing: Hearing) -> tuple[Sequence[Answer], Sequence[Answer]]:
    """All answers but those of closed gates, and all answers."""
    others: list[Answer] = hearing.answers
    if hearing.clauses:
        others = [*others, *(clause.answer for clause in hearing.clauses)]
    if hearing.closed:
        return others, [*others, *(clause.answer for _, clause in hearing.closed)]
    return others, others


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


def _hashes(policies: PolicySet, force: Sequence[Policy]) -> tuple[tuple[str, str], ...]:
    """The files that decided, by name and hash."""
    if len(force) == len(policies.policies):
        return policies.hashes
    return tuple(sorted((policy.name, policy.draft.hash) for policy in force))


def _reason(answer: Answer, answers: Sequence[Answer]) -> str:
    """Every reason that leads to the answer, from the same cause, in a fixed order."""
    if len(answers) < 2:
        return answer.reason
    equal = {a.reason for a in answers if (a.outcome, a.cause) == (answer.outcome, answer.cause)}
    return "; ".join(sorted(equal - {""}))


def _matches(found: Iterable[Found], hearing: Hearing) -> tuple[Match, ...]:
    """Rules and barriers that matched, then the clauses that act, each in a fixed order."""
    matches = [f.match for f in found]
    if hearing.clauses or hearing.closed:
        clauses = (*hearing.clauses, *(clause for _, clause in hearing.closed))
        matches += sorted((clause.match for clause in clauses), key=lambda m: (m.policy, m.rule))
    return tuple(matches)


def _waiting(enforced: Iterable[Found]) -> Waiting:
    """Several holds as one: in every queue that was named, by the soonest deadline; block beats escalate."""
    holds = [f.rule.hold for f in enforced if f.rule.hold is not None]
    if not holds:
        return Waiting(REVIEW, 0, "", waits=False)
    late = {hold.if_late for hold in holds}
    return Waiting(
        QUEUES_APART.join(_sorted(hold.queue for hold in holds)),
        min((hold.decide_within for hold in holds if hold.decide_within), default=0),
        next((word for word in ("block", "escalate") if word in late), ""),
        any(hold.waits for hold in holds),
    )


# --- what is read ---------------------------------------------------------------------------------------


def _masks(adding: Iterable[Found]) -> list[masking.Mask]:
    return [
        masking.Mask(start, end, f.rule.redact.keep_last, f.rule.redact.style == "fixed")
        for f in adding
        if f.rule.redact is not None
        for start, end in f.match.spans
    ]


def _annotations(adding: Iterable[Found], force: Sequence[Policy], facts: Facts) -> tuple[Annotation, ...]:
    """The texts of rules and the disclaimers that are due, by key; each text once."""
    texts = {f.rule.annotation.key: f.rule.annotation for f in adding if f.rule.annotation is not None}
    due = (one for policy in force for one in policy.disclaimers if one.due(facts))
    texts |= {one.annotation.key: one.annotation for one in due}
    return tuple([texts[key] for key in sorted(texts)])


def _ask(hearing: Hearing, others: Iterable[Answer]) -> dict[str, str]:
    """What a client is asked, by language: of all closed gates, unless the message is blocked anyway."""
    if any(other.outcome is Outcome.BLOCK for other in others):
        return {}
    gates = sorted((gate for gate, _ in hearing.closed), key=lambda gate: gate.policy)
    return _joined([gate.text for gate in gates])


def _true_of(rule: Rule, outcome: Outcome) -> bool:
    """Whether what `rule` tells is so: of what is held or blocked, only what rules say that do just that."""
    return outcome not in (Outcome.HOLD, Outcome.BLOCK) or rule.outcome is outcome


def _tell(telling: Iterable[Found], text: str) -> dict[str, str]:
    """The senders' texts, joined per language, each once."""
    return _joined([_shown(f, text) for f in telling if f.rule.tell])


def _shown(found: Found, text: str) -> dict[str, str]:
    """What `found` tells, with what was found where the rule says so."""
    tell = dict(found.rule.tell or {})
    if not found.rule.show_match or not found.match.spans:
        return tell
    passages = dict.fromkeys(text[start:end] for start, end in found.match.spans)
    return {language: f"{sentence} ({', '.join(passages)})" for language, sentence in tell.items()}


def _joined(texts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Several texts as one, by language, without repeats. A script of Chinese falls back to "zh"."""
    languages = sorted(set(chain.from_iterable(texts)))
    joined = {}
    for language in languages:
        fallback = "zh" if language.startswith("zh") else language
        sentences = (some.get(language) or some.get(fallback) for some in texts)
        joined[language] = " ".join(dict.fromkeys(sentence for sentence in sentences if sentence))
    return joined
