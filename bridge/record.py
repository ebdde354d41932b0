"""Verdicts as plain values: what the archive keeps, what commands print as JSON, and the way back.

Rules of this file: pure; a record written once can be read for ever. Fields may be added with a default,
never renamed or removed. A brief record leaves out what is as it mostly is; reading fills it in again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bridge.message import Annotation, Cause, Match, Outcome, Retention, Sample, Verdict


def as_record(verdict: Verdict) -> dict[str, Any]:
    """`verdict` as plain values that any JSON encoder writes the same way, without what is empty."""
    record: dict[str, Any] = {
        "outcome": verdict.outcome.value,
        "cause": verdict.cause.value,
        "text": verdict.text,
    }
    for name in _SCALARS:
        if value := getattr(verdict, name):
            record[name] = value
    for name, write in _WRITERS.items():
        if value := getattr(verdict, name):
            record[name] = write(value)
    return record


def whole_record(verdict: Verdict) -> dict[str, Any]:
    """`verdict` as plain values, every field of it."""
    return {**_nothing(), **as_record(verdict), "matches": [_whole_match(one) for one in verdict.matches]}


def from_record(record: Mapping[str, Any]) -> Verdict:
    """The verdict that `as_record` or `whole_record` wrote down, today or long ago."""
    read = {name: _READERS[name](value) for name, value in record.items() if name in _READERS}
    plain = {name: record[name] for name in ("text", *_SCALARS) if name in record}
    return Verdict(**plain, **read)


# --- the parts ------------------------------------------------------------------------------------------


def _match(match: Match) -> dict[str, Any]:
    record = _whole_match(match)
    return {name: value for name, value in record.items() if name in _ALWAYS or value not in ("", [])}


_ALWAYS = ("policy", "rule", "title", "outcome", "enforced")


def _whole_match(match: Match) -> dict[str, Any]:
    return {
        "policy": match.policy,
        "rule": match.rule,
        "title": match.title,
        "outcome": match.outcome.value,
        "enforced": match.enforced,
        "detectors": list(match.detectors),
        "spans": [list(span) for span in match.spans],
        "why": match.why,
        "exception": match.exception,
    }


def _match_from(record: Mapping[str, Any]) -> Match:
    spans = tuple((start, end) for start, end in record.get("spans", ()))
    detectors = tuple(record.get("detectors", ()))
    return Match(**{**record, "outcome": Outcome(record["outcome"]), "detectors": detectors, "spans": spans})


def _retention(one: Retention) -> dict[str, Any]:
    return {"key": one.key, "keep": one.keep, "start": one.start, "worm": one.worm, "first": one.first}


def _sample(one: Sample) -> dict[str, Any]:
    return {"key": one.key, "queue": one.queue, "percent": one.percent, "reason": one.reason}


def _sorted(texts: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(texts.items()))


def _pairs(value: Any) -> tuple[tuple[Any, Any], ...]:
    return tuple((first, second) for first, second in value)


def _each(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda values: tuple(make(one) for one in values)


_SCALARS = (
    *("reason", "waits", "queue", "decide_within", "if_late", "gated", "after_archives"),
    *("directory", "engine"),
)  # fmt: skip

_WRITERS: Mapping[str, Callable[[Any], Any]] = {
    "matches": lambda matches: [_match(one) for one in matches],
    "tell": _sorted,
    "tags": list,
    "policies": lambda policies: [list(pair) for pair in policies],
    "annotations": lambda all_: [{"key": one.key, "text": _sorted(one.text)} for one in all_],
    "notify": list,
    "samples": lambda samples: [_sample(one) for one in samples],
    "ask": _sorted,
    "agreed": list,
    "retention": lambda classes: [_retention(one) for one in classes],
    "legal_holds": list,
    "archives": list,
    "lists": lambda lists: [list(pair) for pair in lists],
}

_READERS: Mapping[str, Callable[[Any], Any]] = {
    "outcome": Outcome,
    "cause": Cause,
    "policies": _pairs,
    "matches": _each(_match_from),
    "tell": dict,
    "tags": tuple,
    "annotations": _each(lambda one: Annotation(one["key"], dict(one["text"]))),
    "notify": tuple,
    "samples": _each(lambda one: Sample(**one)),
    "ask": dict,
    "agreed": tuple,
    "retention": _each(lambda one: Retention(**one)),
    "legal_holds": tuple,
    "archives": tuple,
    "lists": _pairs,
}


def _nothing() -> dict[str, Any]:
    """Every field that a brief record may leave out, as nothing."""
    texts = dict.fromkeys(_SCALARS, "")
    numbers = {"waits": False, "gated": False, "after_archives": False, "decide_within": 0}
    mappings = {"tell": {}, "ask": {}}
    return {**texts, **numbers, **{name: [] for name in _WRITERS}, **mappings}
