"""Verdicts as plain values: what the store keeps, and what anybody compares when it is decided again.

Rules of this file: pure. One encoding for everybody. A field that says nothing is left out, so that a body
of an older version still reads: fields may be added with a default, never renamed or removed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any

from bridge.message import Annotation, Cause, Match, Outcome, Retention, Sample, Verdict

_DEFAULTS = {
    kind: tuple(
        (field.name, field.default_factory() if field.default_factory is not MISSING else field.default)
        for field in fields(kind)
    )
    for kind in (Verdict, Match, Annotation, Sample, Retention)
}
_Written = Verdict | Match | Annotation | Sample | Retention


def as_record(verdict: Verdict) -> dict[str, Any]:
    """`verdict` as plain values that any JSON encoder writes the same way (with sorted keys)."""
    return _plain(verdict)


def _plain(value: _Written) -> dict[str, Any]:
    written = {}
    for name, default in _DEFAULTS[type(value)]:
        field = getattr(value, name)
        if field != default or default is MISSING:
            written[name] = _simple(field)
    return written


def _simple(value: Any) -> Any:
    if isinstance(value, _Written):
        return _plain(value)
    if isinstance(value, tuple):
        return [_simple(item) for item in value]
    if isinstance(value, Mapping):
        return dict(sorted(value.items()))
    if isinstance(value, Outcome | Cause):
        return value.value
    return value


def from_record(record: Mapping[str, Any]) -> Verdict:
    """The verdict that `as_record` wrote down, in this version or an earlier one."""
    return Verdict(**{name: _READ.get(name, _same)(value) for name, value in record.items()})


def _same(value: Any) -> Any:
    return value


def _pairs(value: Any) -> tuple[tuple[Any, Any], ...]:
    return tuple((first, second) for first, second in value)


def _match(record: Mapping[str, Any]) -> Match:
    return Match(**{name: _READ.get(name, _same)(value) for name, value in record.items()})


def _many(kind: Callable[..., Any]) -> Callable[[Any], tuple[Any, ...]]:
    return lambda value: tuple(kind(**item) for item in value)


_READ: Mapping[str, Callable[[Any], Any]] = {
    "outcome": Outcome,
    "cause": Cause,
    "matches": lambda value: tuple(map(_match, value)),
    "detectors": tuple,
    "spans": _pairs,
    "tags": tuple,
    "policies": _pairs,
    "annotations": _many(Annotation),
    "notify": tuple,
    "samples": _many(Sample),
    "agreed": tuple,
    "retention": _many(Retention),
    "legal_holds": tuple,
    "archives": tuple,
    "lists": _pairs,
}
