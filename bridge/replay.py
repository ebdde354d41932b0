"""Decide again from what was recorded, and say what is not as it was.

Rules of this file: pure. It judges with the policies that decided then, found by their hashes, on the clock
of then, and compares whole records. That another program decides now (`engine`) is said, and is no
difference: whether it decides alike is what the replay is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any

from bridge.errors import Damaged, StoreError
from bridge.message import Context, Message, Verdict
from bridge.policy import PolicySet, Source, assemble
from bridge.policy.judge import judge
from bridge.proposals import frozen
from bridge.record import whole_record

Find = Callable[[Sequence[str]], Sequence[Source]]
"""The policies of these hashes, as they were stored. Raises StoreError when one is not there, Damaged when
one is not what was stored."""

UNREADABLE = "its record, or what it rested on, cannot be read; run `audit verify`"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A recorded verdict whose bytes, or those of what it rested on, are no longer what was written; or are
    not there any more, by the disposal that `gone` names."""

    id: int
    seq: int
    gone: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One recorded verdict, with all that it rested on: `verdict` on `message`, decided at `now` (ms).

    `skip` says why it is no policy's verdict ("" if it is one), `gone` what it rested on and is not in the
    archive. In both cases `context` is None. `frozen` says that a person had stopped everything then.
    """

    id: int
    seq: int
    message: Message
    verdict: Verdict
    now: int = 0
    context: Context | None = None
    skip: str = ""
    gone: str = ""
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one judgement, in a word of RESULTS, and `why`. "damaged" is evidence that was changed.

    `differences` are (field, what was recorded, what is decided now). `engine` is the program that decided
    then, if it is another one than now.
    """

    id: int
    seq: int
    result: str
    why: str = ""
    differences: tuple[tuple[str, Any, Any], ...] = ()
    engine: str = ""


RESULTS = ("identical", "different", "damaged", "not replayable", "skipped")

Ready = dict[tuple[tuple[str, ...], tuple[tuple[str, int], ...]], PolicySet | tuple[str, str]]
"""Policies by their hashes and the ages of their lists; or the result and its reason without them."""


class Replay:
    """Judges again. The policies of each set of hashes are made ready once."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._ready: Ready = {}

    def each(self, judgements: Iterable[Judgement | Unreadable]) -> Iterator[Replayed]:
        """What becomes of each of `judgements`, in order."""
        return map(self.one, judgements)

    def one(self, recorded: Judgement | Unreadable) -> Replayed:
        """Decide `recorded` again."""
        if isinstance(recorded, Unreadable) and recorded.gone:
            return Replayed(recorded.id, recorded.seq, "skipped", recorded.gone)
        if isinstance(recorded, Unreadable):
            return Replayed(recorded.id, recorded.seq, "damaged", UNREADABLE)
        if recorded.skip:
            return Replayed(recorded.id, recorded.seq, "skipped", recorded.skip)
        if recorded.context is None:
            return Replayed(recorded.id, recorded.seq, "not replayable", recorded.gone)
        policies = self._policies(recorded.verdict)
        if isinstance(policies, tuple):
            return Replayed(recorded.id, recorded.seq, *policies)
        return self._compared(recorded, recorded.context, policies)

    def _compared(self, recorded: Judgement, context: Context, policies: PolicySet) -> Replayed:
        moment = datetime.fromtimestamp(recorded.now / 1000, UTC)
        again = judge(policies, recorded.message, context, moment)
        again = frozen(again) if recorded.frozen else again
        found = differences(recorded.verdict, again)
        engine = recorded.verdict.engine if recorded.verdict.engine != again.engine else ""
        result = "different" if found else "identical"
        return Replayed(recorded.id, recorded.seq, result, differences=found, engine=engine)

    def _policies(self, verdict: Verdict) -> PolicySet | tuple[str, str]:
        """The policies that decided then, or what becomes of it without them, and why."""
        key = tuple(digest for _, digest in verdict.policies), verdict.lists
        if key not in self._ready:
            self._ready[key] = self._made_ready(*key)
        return self._ready[key]

    def _made_ready(
        self, hashes: tuple[str, ...], lists: tuple[tuple[str, int], ...]
    ) -> PolicySet | tuple[str, str]:
        try:
            sources = self._find(hashes)
        except Damaged as error:
            return "damaged", str(error)
        except StoreError as error:
            return "not replayable", str(error)
        policies, problems = assemble(sources)
        if policies is not None and lists:
            policies, problems = assemble(_dated(policies, dict(lists)))
        if policies is None:
            codes = ", ".join(sorted({one.code for one in problems if one.severity == "error"}))
            return "not replayable", f"this version refuses the policy that decided ({codes})"
        return policies


def _dated(policies: PolicySet, lists: Mapping[str, int]) -> list[Source]:
    """The sources of `policies` with the ages that their lists had then."""
    dated = []
    for policy in policies.policies:
        files = {name: one.file for name, one in policy.model.lists.items() if one.file}
        known = {file: lists.get(f"{policy.name}/{name}") for name, file in files.items()}
        times = {file: datetime.fromtimestamp(at / 1000, UTC) for file, at in known.items() if at}
        dated.append(replace(policy.draft.source, changed={**policy.draft.source.changed, **times}))
    return dated


def differences(recorded: Verdict, again: Verdict) -> tuple[tuple[str, Any, Any], ...]:
    """The fields in which two verdicts differ, with both values; who computed them is none."""
    before, after = whole_record(recorded), whole_record(again)
    return tuple(
        (name, before[name], after[name])
        for name in sorted(before)
        if name != "engine" and before[name] != after[name]
    )


def flat(name: str, recorded: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    """One difference as (place, what was recorded, what is decided now), down to single values.

    Places in a list are counted from 1; what only one side has is None on the other.
    """
    if recorded == now:
        return
    if isinstance(recorded, Mapping | None) and isinstance(now, Mapping | None):
        before, after = recorded or {}, now or {}
        for key in dict.fromkeys([*before, *after]):
            yield from flat(f"{name} {key}", before.get(key), after.get(key))
    elif (
        isinstance(recorded, Sequence | None)
        and isinstance(now, Sequence | None)
        and not (isinstance(recorded, str) or isinstance(now, str))
    ):
        for n, (one, other) in enumerate(zip_longest(recorded or (), now or ()), 1):
            yield from flat(f"{name} {n}", one, other)
    else:
        yield name, recorded, now


def first_difference(recorded: str, now: str) -> int:
    """The position, from 0, of the first character in which two texts differ."""
    return next(
        (at for at, (one, other) in enumerate(zip(recorded, now, strict=False)) if one != other),
        min(len(recorded), len(now)),
    )
