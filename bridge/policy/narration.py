"""A trace as people read it: what is decided, then rule by rule why, in three languages.

Rules of this file: pure; it decides nothing and leaves nothing out. Lines are made safe for a terminal by
whoever prints them. Offsets are not shown: passages are.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bridge.message import Annotation, Match, Outcome, Verdict
from bridge.policy import language as lang
from bridge.policy.catalogue.trace_texts import TRACE_TEXTS
from bridge.policy.compiled import PolicySet
from bridge.policy.rendering import cells
from bridge.policy.sentences import CLAUSES, clause
from bridge.policy.trace import LEVELS, Finding, RuleTrace, Trace, written


def narrate(policies: PolicySet, trace: Trace, language: str = "en") -> list[str]:
    """The lines of a trace in `language`."""
    return list(_Narrator(policies, TRACE_TEXTS[language], language).lines(trace))


def as_object(trace: Trace, verdict: Mapping[str, Any]) -> dict[str, Any]:
    """A trace for programs: `verdict` as it is recorded, and every rule."""
    rules = []
    for rule in trace.rules:
        record = {key: value for key, value in asdict(rule).items() if key != "model"}
        record["match"] = (
            None if rule.match is None else {"enforced": rule.match.enforced, "why": rule.match.why}
        )
        rules.append(record)
    return {"verdict": verdict, "rules": rules}


def _reason(text: str) -> re.Pattern[str]:
    """What matches the reasons that are made of `text`."""
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(text)))


_REASONS = {key: _reason(text) for key, text in TRACE_TEXTS["en"].items() if key.startswith("why.")}


class _Narrator:
    """Tells a trace in one language."""

    def __init__(self, policies: PolicySet, texts: Mapping[str, str], language: str) -> None:
        self.files = {policy.name: policy.model for policy in policies.policies}
        self.texts = texts
        self.language = language

    def say(self, key: str, /, **values: Any) -> str:
        """One phrase."""
        return self.texts[key].format(**values)

    def why(self, reason: str) -> str:
        """A reason of the judge's in this language; as it is, if it is none of those that are known."""
        for key, known in _REASONS.items():
            if found := known.fullmatch(reason):
                values = found.groupdict()
                inner = {"what": self.why(values["what"])} if "what" in values else {}
                return self.say(key, **values | inner)
        return CLAUSES[self.language].get(f"={reason}", reason) if self.language != "en" else reason

    def lines(self, trace: Trace) -> Iterator[str]:
        """The verdict, the rules of each file, the other sections, and by what it was decided."""
        verdict = trace.verdict
        yield from self._verdict(verdict)
        for name in self.files:
            yield ""
            yield self.say("file", value=name)
            yield from self._rules([rule for rule in trace.rules if rule.policy == name])
        if trace.others:
            yield ""
            yield self.say("others")
            yield from (self._other(match) for match in trace.others)
        yield from self._records(verdict)
        yield ""
        yield from self._deciders(verdict)

    # the verdict

    def _verdict(self, verdict: Verdict) -> Iterator[str]:
        yield self._headline(verdict)
        if verdict.reason:
            reasons = self._joined([self.why(reason) for reason in verdict.reason.split("; ")])
            yield f"  {self.say('because', value=reasons)}"
        if verdict.outcome is not Outcome.BLOCK:
            key = "released" if verdict.outcome is Outcome.HOLD else "delivered"
            yield f"  {self.say(key, value=verdict.text)}"
        for key, texts in (("told", verdict.tell), ("asked", verdict.ask)):
            yield from (f"  {self.say(key, tag=tag, value=text)}" for tag, text in sorted(texts.items()))
        for key, names in (("tags", verdict.tags), ("notified", verdict.notify)):
            if names:
                yield f"  {self.say(key, value=', '.join(names))}"
        for sample in verdict.samples:
            yield f"  {self.say('sample', percent=f'{sample.percent:g}', queue=sample.queue)}"
        if verdict.outcome is not Outcome.BLOCK:
            yield from (f"  {line}" for one in verdict.annotations for line in self._annotation(one))

    def _headline(self, verdict: Verdict) -> str:
        details = []
        if verdict.queue:
            details.append(self.say("queue", value=verdict.queue))
        if verdict.decide_within:
            details.append(self.say("within", minutes=verdict.decide_within // 60_000))
        if verdict.if_late:
            details.append(self.say("late", value=self.texts[f"late.{verdict.if_late}"]))
        if verdict.waits:
            details.append(self.say("waits"))
        outcome = self.texts[f"outcome.{verdict.outcome}"]
        return self.say("details", outcome=outcome, details=self._joined(details)) if details else outcome

    def _joined(self, parts: Sequence[str]) -> str:
        return self.texts["join"].join(parts)

    def _annotation(self, one: Annotation) -> Iterator[str]:
        for tag, text in sorted(one.text.items()):
            yield self.say("annotation", key=one.key, tag=tag, value=text)

    # rules

    def _rules(self, rules: Sequence[RuleTrace]) -> Iterator[str]:
        """A line for each rule and barrier, in columns; further findings below."""
        rows = [(rule.id, self.texts[f"mode.{rule.mode}"], self._effect(rule)) for rule in rules]
        widths = [max((cells(row[column]) for row in rows), default=0) for column in range(3)]
        for rule, row in zip(rules, rows, strict=True):
            columns = [text + " " * (size - cells(text)) for text, size in zip(row, widths, strict=True)]
            first, *more = self._told(rule)
            yield "  " + "  ".join([*columns, first])
            indent = " " * (2 + sum(widths) + 6)
            yield from (indent + line for line in more)

    def _effect(self, rule: RuleTrace) -> str:
        """What follows from it; in brackets if it has no effect."""
        if rule.match is None:
            return "–"
        outcome = self.texts[f"outcome.{rule.outcome}"].lower()
        return outcome if rule.match.enforced else self.say("idle", value=outcome)

    def _told(self, rule: RuleTrace) -> list[str]:
        """Why it matched, or why it did not."""
        if rule.match is None:
            return self._missed(rule)
        told = [self._finding(finding) for finding in self._counted(rule)] or [self.say("holds")]
        if rule.match.exception:
            told.append(self.say("lifted", value=rule.match.exception))
        if rule.waiting:
            told.append(self.say("waiting"))
        return told

    def _missed(self, rule: RuleTrace) -> list[str]:
        if rule.mode == "off":
            return [self.say("off")]
        if rule.failed == "finds" and rule.findings:
            return [self.say("too_low"), *(self._finding(finding) for finding in rule.findings)]
        return [self._failed(rule)]

    def _failed(self, rule: RuleTrace) -> str:
        file = self.files[rule.policy]
        if isinstance(rule.model, lang.Barrier) and rule.failed == "finds":
            return self.say("not", value=clause(file, rule.model, "finds", self.language))
        if not isinstance(rule.model, lang.Rule) or rule.failed in ("applies_to", "when"):
            return self.say(rule.failed)
        if rule.failed == "unless" and rule.model.unless is not None:
            keys = [clause(file, rule.model.unless, key, self.language) for key in written(rule.model.unless)]
            return self.say("unless", value=self._joined(keys))
        return self.say("not", value=clause(file, rule.model.when, rule.failed, self.language))

    def _counted(self, rule: RuleTrace) -> list[Finding]:
        """The findings that count for a rule: those that are as sure as it wants."""
        floor = rule.model.when.confidence if isinstance(rule.model, lang.Rule) else "medium"
        return [one for one in rule.findings if LEVELS.index(one.confidence) >= LEVELS.index(floor)]

    def _finding(self, one: Finding) -> str:
        if one.of:
            key = "equals" if one.word != one.passage else "is"
            what = self.say(key, passage=one.passage, word=one.word, of=one.of)
        else:
            what = self.say("found", passage=one.passage, detector=one.detector)
        parts = [what, self.say("sure", value=self.texts[f"level.{one.confidence}"])]
        if one.near:
            parts.append(self.say("near", value=", ".join(one.near)))
        return self._joined(parts)

    def _other(self, match: Match) -> str:
        outcome = self.texts[f"outcome.{match.outcome}"].lower()
        return f"  {match.policy}/{match.rule}  {outcome}  {self.why(match.why)}"

    # records

    def _records(self, verdict: Verdict) -> Iterator[str]:
        lines = [
            self.say("retention", keep=one.keep, start=one.start, key=one.key) for one in verdict.retention
        ]
        lines += [self.say("legal_hold", value=name) for name in verdict.legal_holds]
        lines += [self.say("archive", value=name) for name in verdict.archives]
        if lines:
            yield from ("", *lines)

    def _deciders(self, verdict: Verdict) -> Iterator[str]:
        hashes = " · ".join(f"{name} sha256:{digest[:12]}" for name, digest in verdict.policies)
        yield self.say("policies", value=hashes)
        if verdict.lists:
            written = (f"{name}@{_moment(changed)}" for name, changed in verdict.lists)
            yield self.say("lists", value=" · ".join(written))
        yield self.say("engine", value=verdict.engine)


def _moment(milliseconds: int) -> str:
    """When a list was last written; "?" if nobody knows."""
    if not milliseconds:
        return "?"
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%MZ")
