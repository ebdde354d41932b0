"""What another policy would have done: arithmetic over pairs of verdicts on the same message.

Rules of this file: pure, and flat in memory: counters, and a bounded sample. What is kept of a message is
nothing but the numbers it adds to. Tallies of different parts of an archive add up to that of the whole, in
whatever order they come. Times are milliseconds since the Unix epoch; days and hours are UTC.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bridge.message import Match, Outcome, Verdict

SECONDS_PER_HOLD = 40
"""How long a reviewer looks at one held message, unless somebody knows better."""

_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class Case:
    """One message, decided twice: `at` is the clock it was judged by, `person` who wrote it."""

    seq: int
    at: int
    conversation: str
    person: str
    live: Verdict
    draft: Verdict

    @property
    def changed(self) -> bool:
        """Whether another outcome follows, or another text is let out."""
        one, other = self.live, self.draft
        return one.outcome is not other.outcome or (_passes(one) and one.text != other.text)

    @property
    def sentence(self) -> str:
        """What changed, in one word each: "deliver → hold"."""
        return f"{self.live.outcome} → {self.draft.outcome}"


def _passes(verdict: Verdict) -> bool:
    return verdict.outcome.rank < Outcome.HOLD.rank


@dataclass(frozen=True, slots=True)
class Example:
    """A changed decision in the sample: `draw` is its lot, the smallest are kept."""

    draw: int
    seq: int
    change: str
    rules: tuple[str, ...]


@dataclass(slots=True)
class Tally:
    """What was counted so far. `size` bounds the sample.

    People and conversations are counted by short digests: one number each, however many messages they have.
    """

    size: int = 20
    replayed: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    rewritten: Counter[str] = field(default_factory=Counter)
    conversations: dict[str, set[int]] = field(default_factory=dict)
    people: dict[str, set[int]] = field(default_factory=dict)
    gained: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    persons: Counter[str] = field(default_factory=Counter)
    days: dict[str, Counter[str]] = field(default_factory=dict)
    hours: dict[str, Counter[int]] = field(default_factory=lambda: {"live": Counter(), "draft": Counter()})
    gaps: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)

    def miss(self, reason: str) -> None:
        """A message that could not be replayed, and why."""
        self.gaps[reason] += 1

    def add(self, case: Case) -> None:
        """One message more."""
        self.replayed += 1
        self.outcomes[case.live.outcome.value, case.draft.outcome.value] += 1
        for side, verdict in (("live", case.live), ("draft", case.draft)):
            if verdict.outcome is Outcome.HOLD:
                self.hours[side][case.at // _HOUR] += 1
        day = self._day(case.at)
        day["messages"] += 1
        if case.changed:
            day["changed"] += 1
            self._change(case)

    def _day(self, at: int) -> Counter[str]:
        name = datetime.fromtimestamp(at / 1000, UTC).date().isoformat()
        return self.days.setdefault(name, Counter())

    def _change(self, case: Case) -> None:
        if case.live.outcome is case.draft.outcome:
            self.rewritten[case.sentence] += 1
        self.persons[case.person] += 1
        self.conversations.setdefault(case.sentence, set()).add(_short(case.conversation))
        self.people.setdefault(case.sentence, set()).add(_short(case.person))
        before, after = set(_acting(case.live)), set(_acting(case.draft))
        self.gained.update(after - before)
        self.lost.update(before - after)
        rules = tuple(sorted(after ^ before))
        self.examples.append(Example(_short(str(case.seq)), case.seq, case.sentence, rules))
        if len(self.examples) > 4 * self.size:
            self._thin()

    def _thin(self) -> None:
        self.examples = sorted(self.examples, key=lambda one: (one.draw, one.seq))[: self.size]

    def merge(self, other: Tally) -> None:
        """Add what was counted elsewhere, over other messages."""
        self.replayed += other.replayed
        for name in ("outcomes", "rewritten", "gained", "lost", "persons", "gaps"):
            getattr(self, name).update(getattr(other, name))
        for mine, theirs in ((self.conversations, other.conversations), (self.people, other.people)):
            for change, some in theirs.items():
                mine.setdefault(change, set()).update(some)
        for day, counts in other.days.items():
            self.days.setdefault(day, Counter()).update(counts)
        for side, hours in other.hours.items():
            self.hours[side].update(hours)
        self.examples += other.examples
        self._thin()


def _short(text: str) -> int:
    """64 bits that stand for `text`: the same in every process, and no order of its own."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def _acting(verdict: Verdict) -> Iterator[str]:
    """The rules that had an effect."""
    return (_name(match) for match in verdict.matches if match.enforced and not match.exception)


def _name(match: Match) -> str:
    return f"{match.policy}/{match.rule}"


# --- the report -----------------------------------------------------------------------------------------

MOST = 50
"""Rules and people that a report names at most, those with most changes first."""


@dataclass(frozen=True, slots=True)
class Span:
    """What was compared: policies by name and hash, messages archived from `since` until before `until`."""

    live: tuple[tuple[str, str], ...]
    draft: tuple[tuple[str, str], ...]
    since: int
    until: int
    seconds_per_hold: int = SECONDS_PER_HOLD
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a draft may change; None for no limit. `looser`: messages with a weaker outcome than now."""

    holds: int | None = None
    blocks: int | None = None
    looser: int | None = None

    def exceeded(self, report: Mapping[str, Any]) -> list[str]:
        """What lies over a limit, as sentences."""
        named = (("new_holds", self.holds), ("new_blocks", self.blocks), ("looser", self.looser))
        return [
            f"{key.replace('_', ' ')}: {report[key]:,}, allowed are {limit:,}"
            for key, limit in named
            if limit is not None and report[key] > limit
        ]


def report(span: Span, tally: Tally) -> dict[str, Any]:
    """Everything that was counted, as plain values for JSON: what is printed, and what the archive keeps."""
    holds = {side: sum(hours.values()) for side, hours in tally.hours.items()}
    return {
        "since": span.since,
        "until": span.until,
        "live": [list(pair) for pair in span.live],
        "draft": [list(pair) for pair in span.draft],
        "partial": span.partial,
        "replayed": tally.replayed,
        "new_holds": _stricter(tally.outcomes, Outcome.HOLD),
        "new_blocks": _stricter(tally.outcomes, Outcome.BLOCK),
        "looser": sum(n for (one, other), n in tally.outcomes.items() if _rank(other) < _rank(one)),
        "unchanged": _unchanged(tally),
        "changes": _transitions(tally),
        "rules": _rules(tally),
        "people": [{"person": person, "changed": n} for person, n in _most(tally.persons)],
        "days": [{"day": day, **tally.days[day]} for day in sorted(tally.days)],
        "load": {
            "live": holds["live"],
            "draft": holds["draft"],
            "seconds_per_hold": span.seconds_per_hold,
            "more_seconds": (holds["draft"] - holds["live"]) * span.seconds_per_hold,
            **_busiest(tally.hours),
        },
        "not_replayed": dict(sorted(tally.gaps.items())),
        "sample": _sample(tally),
    }


def _rank(outcome: str) -> int:
    return Outcome(outcome).rank


def _stricter(outcomes: Mapping[tuple[str, str], int], to: Outcome) -> int:
    return sum(n for (live, draft), n in outcomes.items() if draft == to.value and live != draft)


def _unchanged(tally: Tally) -> list[dict[str, Any]]:
    """How many messages have neither another outcome nor another text, by outcome; the strictest first."""
    same = {
        live: count - tally.rewritten[f"{live} → {live}"]
        for (live, draft), count in tally.outcomes.items()
        if live == draft
    }
    strictest = sorted(same, key=_rank, reverse=True)
    return [{"outcome": outcome, "messages": same[outcome]} for outcome in strictest if same[outcome]]


def _transitions(tally: Tally) -> list[dict[str, Any]]:
    counts = Counter({f"{live} → {draft}": n for (live, draft), n in tally.outcomes.items() if live != draft})
    counts.update(tally.rewritten)
    return [
        {
            "change": change,
            "messages": messages,
            "conversations": len(tally.conversations[change]),
            "people": len(tally.people[change]),
        }
        for change, messages in _most(counts)
    ]


def _rules(tally: Tally) -> list[dict[str, Any]]:
    """Rules that act on changed messages under one policy and not under the other."""
    named = _most(tally.gained + tally.lost)
    return [{"rule": rule, "more": tally.gained[rule], "fewer": tally.lost[rule]} for rule, _ in named]


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The largest, in an order that does not depend on who counted."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST]


def _busiest(hours: Mapping[str, Counter[int]]) -> dict[str, Any]:
    """The hour with most holds under the draft, and how many there were and would be; nothing without."""
    draft = hours["draft"]
    if not draft:
        return {}
    hour = min(draft, key=lambda one: (-draft[one], one))
    return {"busiest_hour": hour * _HOUR, "busiest_live": hours["live"][hour], "busiest_draft": draft[hour]}


def _sample(tally: Tally) -> list[dict[str, Any]]:
    """The drawn messages in their own order."""
    drawn = sorted(tally.examples, key=lambda one: (one.draw, one.seq))[: tally.size]
    return [
        {"message": one.seq, "change": one.change, "rules": list(one.rules)}
        for one in sorted(drawn, key=lambda one: one.seq)
    ]
