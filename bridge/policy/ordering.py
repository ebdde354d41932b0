"""Which way each key of the language points when somebody changes it.

Rules of this file: tables and small functions, one for each manner of comparing; a key is in the table of
its section or counts as one that cannot be ordered. A step is a set of signs (up is stricter, down weaker,
both cannot be told, none is without effect) with what was there and what is there now. In the table of a
section, up means: it reaches more, or is stricter in itself. `comparison` knows what that does to verdicts.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

from bridge.policy import language as lang
from bridge.policy.changes import Change, Direction, shown

Signs: TypeAlias = frozenset[int]
Step: TypeAlias = tuple[Signs, Any, Any]
How: TypeAlias = Callable[[Any, Any], Iterable[Step]]
Some = TypeVar("Some", bound=lang.Section)

UP: Signs = frozenset({1})
DOWN: Signs = frozenset({-1})
EITHER: Signs = frozenset({1, -1})
NOWHERE: Signs = frozenset()

_DIRECTIONS = {UP: Direction.TIGHTER, DOWN: Direction.LOOSER, EITHER: Direction.CHECK}
LEVELS = ("deliver", "annotate", "redact", "hold", "block")
NEVER = float("inf")


def times(signs: Signs, others: Signs) -> Signs:
    """What a change that points to `signs` does in something that points to `others`."""
    return frozenset(one * other for one in signs for other in others)


def points(difference: float) -> Signs:
    """Up for more than nothing, down for less."""
    return NOWHERE if not difference else UP if difference > 0 else DOWN


# --- how one key is compared ----------------------------------------------------------------------------


def _silent(before: Any, after: Any) -> Iterator[Step]:
    """For people to read, without effect."""
    yield NOWHERE, before, after


def _unordered(before: Any, after: Any) -> Iterator[Step]:
    """Neither is stricter."""
    yield EITHER, before, after


def _ranked(*weakest_first: Any) -> How:
    """One of some values in the order of their strictness."""

    def how(before: Any, after: Any) -> Iterator[Step]:
        yield points(weakest_first.index(after) - weakest_first.index(before)), before, after

    return how


def _present(before: Any, after: Any) -> Iterator[Step]:
    """Something that is stricter than its absence."""
    yield DOWN if after is None else UP, before, after


def _absent(before: Any, after: Any) -> Iterator[Step]:
    """A key whose absence lets everything through; its values cannot be ordered."""
    yield DOWN if before is None else UP if after is None else EITHER, before, after


def _direction(before: str | None, after: str | None) -> Iterator[Step]:
    """One way or both; nothing written means both."""
    both = (None, "both")
    yield (
        NOWHERE if before in both and after in both else UP if after in both else _lost(before),
        before,
        after,
    )


def _lost(before: str | None) -> Signs:
    return DOWN if before in (None, "both") else EITHER


def _if_both(how: How) -> How:
    """`how` where both sides say something: the key's absence means something else altogether."""

    def compared(before: Any, after: Any) -> Iterable[Step]:
        return _unordered(before, after) if before is None or after is None else how(before, after)

    return compared


def number(sign: int, none: float = 0) -> How:
    """A number, of which more is stricter (`sign` 1) or weaker (-1); nothing written counts as `none`."""

    def how(before: Any, after: Any) -> Iterator[Step]:
        old, new = (none if value is None else _amount(value) for value in (before, after))
        yield times(points(new - old), frozenset({sign})), before, after

    return how


def _amount(value: Any) -> float:
    """A number, a duration in seconds, a date in days, or a period in (about) days."""
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, datetime.date):
        return float(value.toordinal())
    if isinstance(value, str):
        return int(value[:-1]) * {"d": 1.0, "m": 30.5, "y": 366.0}[value[-1]]
    return float(value)


def members(sign: int, *, nothing_is_all: bool = False) -> How:
    """A set of values, of which more is stricter (`sign` 1) or weaker (-1).

    What was taken out and what came in are told apart. With `nothing_is_all`, an empty set means all.
    """

    def how(before: Sequence[Any] | None, after: Sequence[Any] | None) -> Iterator[Step]:
        old, new = tuple(before or ()), tuple(after or ())
        if nothing_is_all and not (old and new):
            yield frozenset({sign if old else -sign}) if old or new else NOWHERE, old, new
            return
        before_set, after_set = _quick(old), _quick(new)
        lost = tuple(one for one in old if one not in after_set)
        came = tuple(one for one in new if one not in before_set)
        if lost:
            yield frozenset({-sign}), lost, ()
        if came:
            yield frozenset({sign}), (), came
        if not (lost or came):
            yield NOWHERE, old, new  # another order

    return how


def _quick(values: Sequence[Any]) -> Container[Any]:
    """`values` to look things up in: lists may have ten thousand words; sections cannot be in a set."""
    return frozenset(values) if all(isinstance(one, str) for one in values) else values


def _entries(sign: int) -> How:
    """Texts by name: what was taken out, what came in, and what says something else."""

    def how(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Step]:
        for name in (*before, *(name for name in after if name not in before)):
            for signs, old, new in members(sign)(before.get(name), after.get(name)):
                if before.get(name) != after.get(name):
                    yield signs, (name, *old) if old else (), (name, *new) if new else ()

    return how


def _noted(lost: Signs) -> How:
    """A set whose growth is only more to read, and whose loss is `lost`."""

    def how(before: Sequence[Any], after: Sequence[Any]) -> Iterator[Step]:
        for signs, old, new in members(1)(before, after):
            yield lost if signs == DOWN else NOWHERE, old, new

    return how


@dataclass(frozen=True, slots=True)
class _Within:
    """A section inside a section: what its presence does; its keys have a table of their own."""

    presence: Signs


def _working(model: lang.Outside) -> tuple[frozenset[int], frozenset[object]]:
    """The minutes and days that are working time: everything else is outside."""
    start, _, end = model.hours.partition("-")
    first, last = (int(clock[:2]) * 60 + int(clock[3:]) for clock in (start, end))
    week = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    named: Mapping[str, tuple[object, ...]] = {"all": week, "weekdays": week[:5]}
    days = model.days if isinstance(model.days, tuple) else named.get(model.days, (model.calendar,))
    return frozenset(range(first, last)), frozenset(days)


def _outside(before: lang.Outside, after: lang.Outside) -> Signs:
    """More working time leaves less outside of it. Trading days are some of all days, and else their own."""
    signs = NOWHERE
    for old, new in zip(_working(before), _working(after), strict=True):
        if old != new:
            signs |= DOWN if old < new or len(new) == 7 else UP if new < old or len(old) == 7 else EITHER
    return signs


def _outside_step(before: lang.Outside | None, after: lang.Outside | None) -> Iterator[Step]:
    if before is None or after is None:
        yield DOWN if before is None else UP, before, after
    else:
        yield _outside(before, after), before, after


_WIDER = members(1, nothing_is_all=True)
PASS = _ranked("deliver", "hold", "block")
_STOP = _ranked("hold", "block")
_CONDITION: Mapping[str, How | _Within] = {  # what lets more through a condition points up
    **dict.fromkeys(("finds", "sender", "groups", "kind", "recipient", "conversation"), _WIDER),
    "direction": _direction,
    "confidence": _ranked("high", "medium", "low"),
    "outside": _outside_step,
    "count": _Within(DOWN),
    "files": _Within(DOWN),
    "edited": _absent,
    "recalled": _absent,
}
SURE = ("low", "medium", "high")
_SURER = _ranked(*SURE)
_DETECTOR: Mapping[str, How | _Within] = {"context": _Within(EITHER), "confidence": _Within(EITHER)}

KEYS: Mapping[type[lang.Section], Mapping[str, How | _Within]] = {
    lang.PolicyFile: {"title": _silent, "owner": _silent, "consent": _Within(UP)},
    lang.AppliesTo: {"groups": members(1)},
    lang.Defaults: {
        "unmatched": _ranked("deliver", "hold"),
        "unpaired": _STOP,
        "on_error": _STOP,
        "deliver_after": _ranked("local", "all_sinks"),
    },
    lang.Group: {"symphony": members(1), "weixin": members(1)},
    lang.WordList: {
        "unless_words": _entries(-1),
        **dict.fromkeys(("file", "columns", "owner", "languages", "review_by"), _silent),
    },
    lang.Context: {"words": members(1), "within": number(1), "messages": number(1)},
    lang.Certainty: {"alone": _SURER, "with_context": _SURER},
    lang.WordsDetector: {**_DETECTOR, "list": members(1)},
    lang.PatternDetector: _DETECTOR,
    lang.PaymentCardDetector: {**_DETECTOR, "brands": _WIDER},
    lang.PassportDetector: {**_DETECTOR, "countries": members(1)},
    lang.PhoneDetector: {**_DETECTOR, "regions": members(1)},
    lang.CryptoWalletDetector: {**_DETECTOR, "coins": members(1)},
    lang.NumberDetector: _DETECTOR,
    lang.Count: {"at_least": number(-1), "within": _if_both(number(1))},
    lang.FileTest: {"types": _WIDER, "larger_than": number(-1), "name": _WIDER},
    lang.OneOf: _CONDITION,
    lang.Unless: {**_CONDITION, "any": _WIDER},
    lang.When: {**_CONDITION, "any": _WIDER},
    lang.Redact: {"keep_last": _unordered, "style": _ranked("position", "fixed")},
    lang.Hold: {"conversation": _ranked("pass", "wait"), "if_late": _ranked(None, "escalate", "block")},
    lang.Then: {
        **{key: _Within(NOWHERE) for key in ("redact", "hold", "annotate")},
        "tag": _noted(EITHER),
        "notify": members(1),
        "sample": _Within(UP),
        "review": _present,
        "show_match": _ranked(True, False),
    },
    lang.SampleOf: {"percent": number(1), "reason": _silent},
    lang.Rollout: {"groups": members(1), "percent": number(1)},
    lang.Rule: {
        **dict.fromkeys(("title", "because", "review_by"), _silent),
        "tests": _noted(EITHER),
    },
    lang.Barrier: {
        "from_": members(1),
        "to": members(1),
        "finds": _WIDER,
        "then": _STOP,
        "because": _silent,
    },
    lang.Attachments: {
        "allow": members(-1, nothing_is_all=True),
        "max_size": number(-1, NEVER),
        "virus_scan": _ranked("none", "clamav"),
        "infected": _STOP,
        **dict.fromkeys(
            ("not_allowed", "too_large", "wrong_type", "encrypted", "macros", "unreadable"), PASS
        ),
    },
    lang.Consent: {
        "from_": members(1),
        "agree": members(-1),
        "until_given": _STOP,
        "renew_every": number(-1, NEVER),
    },
    lang.Disclaimer: {
        "for_": _WIDER,
        "direction": _direction,
        "every": _ranked("once", "week", "day", "message"),
    },
    lang.Keep: {
        "for_": _WIDER,
        "direction": _direction,
        "kind": _WIDER,
        "keep": _if_both(number(1)),
        "worm": _ranked(False, True),
        "first": number(1),
    },
    lang.ArchiveTo: {
        "for_": _WIDER,
        "object_lock": _ranked(None, "governance", "compliance"),
        "approval": _absent,  # it lets records leave, and is no further archive
    },
    lang.LegalHold: {
        "people": members(1),
        "since": number(-1),
        "approved_by": _silent,
        "because": _silent,
    },
    lang.ExceptionFrom: {
        "for_": members(1),
        "only": _WIDER,
        "expires": number(1),
        "approved_by": _silent,
        "because": _silent,
    },
}


def changes(before: lang.Section, after: lang.Section, signs: Signs, place: Change) -> Iterator[Change]:
    """Every key of one section that differs. `signs`: what the section does when it reaches more."""
    hows = KEYS.get(type(after), {})
    for name, field in type(after).model_fields.items():
        old, new = getattr(before, name), getattr(after, name)
        if old == new:
            continue
        key = ".".join(part for part in (place.key, field.alias or name) if part)
        at = replace(place, key=key)
        how = hows.get(name, _unordered)
        if not isinstance(how, _Within):
            for step in how(old, new):
                yield change(at, step, signs)
        elif old is None or new is None:
            presence = how.presence if old is None else times(how.presence, DOWN)
            yield change(at, (presence, old, new), signs)
        else:
            yield from changes(old, new, signs, at)


def optional(
    place: Change, before: lang.Section | None, after: lang.Section | None, signs: Signs, presence: Signs
) -> Iterator[Change]:
    """A section that may be missing; `presence`: what being there does, in terms of `signs`."""
    if before is not None and after is not None:
        yield from changes(before, after, signs, place)
    elif before is not after:
        yield change(place, (presence if before is None else times(presence, DOWN), before, after), signs)


def without(values: Mapping[str, Any], before: Some, after: Some) -> tuple[Some, Some]:
    """Both sides, saying `values` alike: what is compared elsewhere."""
    return before.model_copy(update=values), after.model_copy(update=values)


def change(place: Change, step: Step, signs: Signs) -> Change:
    """What changed at `place`, in a section that points to `signs`. What needs a look needs it everywhere."""
    way, before, after = step
    direction = _DIRECTIONS.get(times(way, signs), Direction.NEUTRAL)
    return replace(place, direction=direction, before=shown(before), after=shown(after))
