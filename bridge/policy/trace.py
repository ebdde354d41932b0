"""Why a message gets the verdict it gets: every rule of every file, what it found, or which key did not hold.

Rules of this file: pure, and no second evaluator. To learn which key of a rule fails, its keys are made into
rules of one key each (probes), which only watch, and `judge` is asked about them all at once.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bridge.message import Context, Match, Message, Outcome, Verdict
from bridge.policy import language as lang
from bridge.policy.compiled import Draft, Policy, PolicySet, build
from bridge.policy.folding import fold
from bridge.policy.judge import judge
from bridge.policy.lexicon import Lexicon

# In this order keys are asked for: what costs the reader least to check comes first.
KEYS = (
    "direction", "kind", "sender", "recipient", "groups", "conversation", "outside", "edited", "recalled",
    "files", "finds", "any", "count",
)  # fmt: skip
LEVELS = ("low", "medium", "high")
_WATCHED = lang.Then(tag=("probe",))
_NOTHING = ("barriers", "disclaimers", "retention", "archive", "legal_holds", "exceptions")


@dataclass(frozen=True, slots=True)
class Finding:
    """A passage that a detector found, as it was written, and how surely.

    `word` is the entry of the list `of` that it equals; both are "" for a detector that looks for no words.
    `near` are the written context words around it, as the message has them.
    """

    detector: str
    passage: str
    confidence: str
    word: str = ""
    of: str = ""
    near: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """One rule or barrier: its mode, whether it matched and acted, and why not.

    `failed` names the first key that did not hold: one of `KEYS`, "between", "unless" or "applies_to"; ""
    for what matched and for what is off. `match` is the verdict's own. `findings` are of what it looks for,
    those with less confidence than it wants included. `waiting` is True if it is not rolled out to here.
    """

    policy: str
    id: str
    title: str
    mode: str
    outcome: Outcome
    failed: str = ""
    match: Match | None = None
    findings: tuple[Finding, ...] = ()
    waiting: bool = False
    model: lang.Rule | lang.Barrier | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """A verdict with everything that was asked on the way to it; `others` are matches of other sections."""

    verdict: Verdict
    rules: tuple[RuleTrace, ...]
    others: tuple[Match, ...]


def trace(policies: PolicySet, message: Message, context: Context, now: datetime.datetime) -> Trace:
    """The verdict on `message`, as `judge` gives it, and how it came about. Raises what `judge` raises."""
    verdict = judge(policies, message, context, now)
    probes = build([_probing(policy.draft) for policy in policies.policies])
    answers = {(m.policy, m.rule): m for m in judge(probes, message, context, now).matches}
    in_force = {name for name, _ in verdict.policies}
    rules = [
        one
        for policy in policies.policies
        for one in _Reader(
            policy, verdict, answers, policy.name in in_force, message.text, policies.engine.lexicon
        ).rules()
    ]
    known = {(rule.policy, rule.id) for rule in rules}
    others = tuple(match for match in verdict.matches if (match.policy, match.rule) not in known)
    return Trace(verdict, tuple(rules), others)


# --- probes ---------------------------------------------------------------------------------------------


def _name(*parts: str) -> str:
    """The id of a probe; no id that a person writes has such a separator."""
    return "\x1f".join(parts)


def _probing(draft: Draft) -> Draft:
    """`draft` with a probe for every key of its rules, and nothing else that could act."""
    file = draft.model
    barriers = tuple(b.model_copy(update={"finds": None}) for b in file.barriers)
    contexts = {_name("context", name): d.context.words for name, d in file.detectors.items() if d.context}
    probing = {
        "rules": (*_probes(file), *(_probe(name, {"finds": (name,)}) for name in contexts)),
        "barriers": barriers,
        "lists": {**file.lists, **{name: lang.WordList(words=words) for name, words in contexts.items()}},
        "detectors": {**file.detectors, **{name: _words(name) for name in contexts}},
        "applies_to": None,
        "consent": None,
    }
    model = file.model_copy(update=dict.fromkeys(_NOTHING, ()) | probing)
    return replace(draft, model=model, words={**draft.words, **contexts}, expires={})


def _words(name: str) -> lang.WordsDetector:
    """A detector for the words of one list, whatever that is called."""
    return lang.WordsDetector(type="words", list=("probe",)).model_copy(update={"list": (name,)})


def _outcome(then: lang.Then) -> Outcome:
    """The outcome that a rule writes."""
    said = (word for word in reversed(Outcome) if getattr(then, word, None) is not None)
    return next(said, Outcome.DELIVER)


def _probes(file: lang.PolicyFile) -> Iterator[lang.Rule]:
    for name in file.detectors:
        for level in LEVELS:
            yield _probe(_name("detector", name, level), {"finds": (name,), "confidence": level})
    for rule in file.rules:
        for key in written(rule.when):
            yield _probe(_name(rule.id, key), _alone(rule.when, key))
        if rule.unless is not None:
            yield _probe(_name(rule.id, "unless"), {key: getattr(rule.unless, key) for key in _fields()})


def _fields() -> list[str]:
    return list(lang.Unless.model_fields)


def written(condition: lang.OneOf) -> list[str]:
    """The keys of a condition that are written, in the order of `KEYS`."""
    return [key for key in KEYS if getattr(condition, key, None) is not None]


def _alone(condition: lang.When, key: str) -> dict[str, object]:
    """The one key, with those that it cannot do without."""
    needed = {"finds": ("confidence",), "count": ("finds", "confidence", "any")}.get(key, ())
    return {name: getattr(condition, name) for name in (key, *needed)}


def _probe(name: str, keys: Mapping[str, object]) -> lang.Rule:
    """A rule that only watches whether `keys` hold. It is made of checked parts and not checked again."""
    given = {"direction": "both"} | {key: value for key, value in keys.items() if value is not None}
    when = lang.When(direction="both").model_copy(update=given)
    rule = lang.Rule(
        id="probe",
        title=name,
        severity="low",
        mode="monitor",
        when=lang.When(direction="both"),
        then=_WATCHED,
    )
    return rule.model_copy(update={"id": name, "when": when})


# --- what the probes answered ---------------------------------------------------------------------------


class _Reader:
    """Reads the answers of the probes of one file."""

    def __init__(
        self,
        policy: Policy,
        verdict: Verdict,
        answers: Mapping[tuple[str, str], Match],
        in_force: bool,
        text: str,
        lexicon: Lexicon,
    ) -> None:
        self.policy = policy
        self.file = policy.model
        self.matches = {match.rule: match for match in verdict.matches if match.policy == policy.name}
        self.answers = answers
        self.in_force = in_force
        self.text = text
        self.lexicon = lexicon
        self._written: dict[str, Mapping[str, str]] = {}

    def rules(self) -> Iterator[RuleTrace]:
        """Barriers and rules, in the order of the file."""
        for barrier in self.file.barriers:
            yield self._barrier(barrier)
        for rule in self.file.rules:
            yield self._rule(rule)

    def _holds(self, *name: str) -> bool:
        return (self.policy.name, _name(*name)) in self.answers

    def _barrier(self, barrier: lang.Barrier) -> RuleTrace:
        match = self.matches.get(barrier.id)
        failed = "" if match else ("finds" if self._holds(barrier.id) else "between")
        return RuleTrace(
            self.policy.name, barrier.id, barrier.because or "", "enforce", Outcome(barrier.then),
            failed if self.in_force else "applies_to", match, self._findings(barrier.finds or ()),
            model=barrier,
        )  # fmt: skip

    def _rule(self, rule: lang.Rule) -> RuleTrace:
        match = self.matches.get(rule.id)
        mode = self.file.mode_of(rule)
        waiting = match is not None and mode == "enforce" and not match.enforced and not match.exception
        return RuleTrace(
            self.policy.name,
            rule.id,
            rule.title,
            mode,
            _outcome(rule.then),
            "" if match or mode == "off" else self._failed(rule),
            match,
            self._findings(_looked_for(rule.when)) if mode != "off" else (),
            waiting,
            rule,
        )

    def _failed(self, rule: lang.Rule) -> str:
        if not self.in_force:
            return "applies_to"
        keys = (key for key in written(rule.when) if not self._holds(rule.id, key))
        return next(keys, "unless" if self._holds(rule.id, "unless") else "when")

    # findings

    def _findings(self, detectors: Sequence[str]) -> tuple[Finding, ...]:
        """What the detectors found in the message's own text, each passage with its highest confidence."""
        return tuple(finding for name in detectors for finding in self._found(name))

    def _found(self, detector: str) -> Iterator[Finding]:
        surest: dict[tuple[int, int], str] = {}
        for level in LEVELS:
            match = self.answers.get((self.policy.name, _name("detector", detector, level)))
            surest |= dict.fromkeys(match.spans if match else (), level)
        for (start, end), level in sorted(surest.items()):
            passage = self.text[start:end]
            word, of = self._entry(detector, passage)
            yield Finding(detector, passage, level, word, of, self._near(detector, start, end))

    def _near(self, detector: str, start: int, end: int) -> tuple[str, ...]:
        """The context words of a detector that stand near enough to a passage."""
        context = self.file.detectors[detector].context
        match = self.answers.get((self.policy.name, _name("context", detector)))
        if context is None or match is None:
            return ()
        near = [
            self.text[first:last]
            for first, last in match.spans
            if len(fold(self.text[end:first] or self.text[last:start])) <= context.within
        ]
        return tuple(dict.fromkeys(near))

    def _entry(self, detector: str, passage: str) -> tuple[str, str]:
        """The entry of a list that `passage` is, and the list; ("", "") for a detector without words."""
        model = self.file.detectors[detector]
        if not isinstance(model, lang.WordsDetector):
            return "", ""
        met = [found for some in self.lexicon.find(fold(passage)).values() for found in some]
        for found in sorted(met, key=lambda found: found.start - found.end):
            for name in model.list:
                if found.word in self._words_of(name):
                    return self._words_of(name)[found.word], name
        return "", model.list[0]

    def _words_of(self, name: str) -> Mapping[str, str]:
        """The words of a list as they were written, by how they are compared."""
        if name not in self._written:
            words = self.policy.draft.words.get(name, ())
            self._written[name] = {fold(word).strip(): word for word in words}
        return self._written[name]


def _looked_for(condition: lang.Unless) -> list[str]:
    """The detectors that a condition names, its ways included."""
    ways = [condition, *(condition.any or ())]
    return list(dict.fromkeys(name for way in ways for name in way.finds or ()))
