"""Decide again from what was recorded, and say what is not as it was.

Rules of this file: pure. It judges with the policies that decided then, found by their hashes, on the clock
of then, and compares whole records. That another program decides now (`engine`) is said, and is no
difference: whether it decides alike is what the replay is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from bridge.errors import StoreError
from bridge.message import Context, Message, Verdict
from bridge.policy import PolicySet, Source, assemble, judge
from bridge.record import whole_record

Find = Callable[[Sequence[str]], Sequence[Source]]
"""The policies of these hashes, as they were stored. Raises StoreError when one is not there."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One recorded verdict, with all that it rested on: `verdict` on `message`, decided at `now` (ms).

    `skip` says why it is no policy's verdict ("" if it is one), `gone` what it rested on and is not in the
    archive. In both cases `context` is None.
    """

    id: int
    seq: int
    message: Message
    verdict: Verdict
    now: int = 0
    context: Context | None = None
    skip: str = ""
    gone: str = ""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one judgement: "identical", "different", "not replayable" or "skipped", and `why`.

    `differences` are (field, what was recorded, what is decided now). `engine` is the program that decided
    then, if it is another one than now.
    """

    id: int
    seq: int
    result: str
    why: str = ""
    differences: tuple[tuple[str, Any, Any], ...] = ()
    engine: str = ""


RESULTS = ("identical", "different", "not replayable", "skipped")


class Replay:
    """Judges again. The policies of each set of hashes are made ready once."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._ready: dict[tuple[tuple[str, ...], tuple[tuple[str, int], ...]], PolicySet | str] = {}

    def each(self, judgements: Iterable[Judgement]) -> Iterator[Replayed]:
        """What becomes of each of `judgements`, in order."""
        return map(self.one, judgements)

    def one(self, recorded: Judgement) -> Replayed:
        """Decide `recorded` again."""
        if recorded.skip:
            return Replayed(recorded.id, recorded.seq, "skipped", recorded.skip)
        policies = recorded.gone or self._policies(recorded.verdict)
        if isinstance(policies, str) or recorded.context is None:
            return Replayed(recorded.id, recorded.seq, "not replayable", str(policies))
        moment = datetime.fromtimestamp(recorded.now / 1000, UTC)
        again = judge(policies, recorded.message, recorded.context, moment)
        found = differences(recorded.verdict, again)
        engine = recorded.verdict.engine if recorded.verdict.engine != again.engine else ""
        result = "different" if found else "identical"
        return Replayed(recorded.id, recorded.seq, result, differences=found, engine=engine)

    def _policies(self, verdict: Verdict) -> PolicySet | str:
        """The policies that decided then, or why they cannot be had."""
        key = tuple(digest for _, digest in verdict.policies), verdict.lists
        if key not in self._ready:
            self._ready[key] = self._made_ready(*key)
        return self._ready[key]

    def _made_ready(self, hashes: tuple[str, ...], lists: tuple[tuple[str, int], ...]) -> PolicySet | str:
        try:
            sources = self._find(hashes)
        except StoreError as error:
            return str(error)
        policies, problems = assemble(sources)
        if policies is not None and lists:
            policies, problems = assemble(_dated(policies, dict(lists)))
        if policies is None:
            codes = ", ".join(sorted({one.code for one in problems if one.severity == "error"}))
            return f"this version refuses the policy that decided ({codes})"
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
