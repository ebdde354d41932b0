"""Rules and barriers, ready: when they match, what follows, for whom they are enforced, and what lifts them.

Rules of this file: built once per load from checked models, never changed afterwards. A barrier is a rule
that nothing but an exception opens. Numbers of people are those of the policies' roster.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from bridge.message import Annotation, Outcome, Sample
from bridge.policy import language as lang
from bridge.policy.conditions import DIRECTIONS, Check, Condition, Hits, Look, Names, condition
from bridge.policy.detectors import CONFIDENCE
from bridge.policy.facts import Facts

RULE, BARRIER = "rule", "barrier"
REVIEW = "review"  # the queue of whatever names none
_STRICTEST_FIRST = ("block", "hold", "redact", "annotate", "deliver")
_SETTLING = frozenset({"deliver", "hold", "block"})
_ADDING = ("redact", "tag", "tell_sender", "annotate", "notify", "sample", "review")
_MILLISECOND = datetime.timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A hold: where, how long (milliseconds, 0: no limit), what happens then, and who waits with it."""

    queue: str
    decide_within: int
    if_late: str
    waits: bool

    @property
    def words(self) -> str:
        """It in words, for the record."""
        if not self.decide_within:
            return f"queue {self.queue}"
        return f"queue {self.queue} within {self.decide_within // 60_000}m, then {self.if_late}"


@dataclass(frozen=True, slots=True)
class Exemption:
    """An exception: for a set of people, as far as nothing but the words of `only` was found."""

    id: str
    people: int
    only: int | None
    expires: datetime.date
    zone: ZoneInfo

    def lifts(self, facts: Facts, look: Look, hits: Hits) -> bool:
        """Whether it takes this match its effect. On the day it expires it still does."""
        if self.people not in facts.people or facts.local(self.zone).date() > self.expires:
            return False
        if self.only is None:
            return True
        places = [hit for some in hits.values() for hit in some]
        return bool(places) and all(look().sheltered(self.only, hit.start, hit.end) for hit in places)


@dataclass(frozen=True, eq=False, slots=True)
class Rule:
    """One rule, ready. `decides` is False for a rule that only tags or tells, `adds` for one that does not.

    `settles`: where it acts, nobody asks what becomes of what no rule matched. To deliver, hold or block
    does; to mask or to add a text is no permission to let pass.
    `part` says for which messages an enforced rule is in force (None: all); for others it is monitored.
    """

    policy: str
    id: str
    title: str
    when: Condition
    outcome: Outcome
    word: str = RULE
    unless: Condition | None = None
    enforced: bool = True
    decides: bool = True
    settles: bool = True
    part: Check | None = None
    exemptions: tuple[Exemption, ...] = ()
    redact: lang.Redact | None = None
    hold: Waiting | None = None
    adds: bool = False
    tags: tuple[str, ...] = ()
    tell: Mapping[str, str] | None = None
    show_match: bool = False
    annotation: Annotation | None = None
    notify: tuple[str, ...] = ()
    sample: Sample | None = None

    @property
    def name(self) -> str:
        """Its full name."""
        return f"{self.policy}/{self.id}"

    def acts(self, facts: Facts) -> bool:
        """Whether it is enforced for this message."""
        return self.enforced and (self.part is None or self.part(facts))

    def exemption(self, facts: Facts, look: Look, hits: Hits) -> str:
        """The id of the exception that lifts this match, "" if none does."""
        return next((e.id for e in self.exemptions if e.lifts(facts, look, hits)), "")


# --- made from what is written --------------------------------------------------------------------------


def rules(file: lang.PolicyFile, names: Names, owner: Callable[[Iterable[str]], int]) -> tuple[Rule, ...]:
    """The barriers of `file` and those of its rules that are not off. `owner` numbers words to look for."""
    exempt = _exemptions(file, names, owner)
    live = (rule for rule in file.rules if file.mode_of(rule) != "off")
    barriers = (_barrier(file.policy, barrier, names, exempt) for barrier in file.barriers)
    return (*barriers, *(_rule(file, rule, names, exempt) for rule in live))


def _exemptions(
    file: lang.PolicyFile, names: Names, owner: Callable[[Iterable[str]], int]
) -> dict[str, tuple[Exemption, ...]]:
    """The exceptions of `file`, by the rule or barrier that each names."""
    found: dict[str, list[Exemption]] = {}
    for written in sorted(file.exceptions, key=lambda exception: exception.id):
        only = None if written.only is None else owner(written.only)
        people = names.roster.number(_members(file, written.for_))
        exemption = Exemption(written.id, people, only, written.expires, names.zone)
        found.setdefault(written.rule, []).append(exemption)
    return {rule: tuple(some) for rule, some in found.items()}


def _members(file: lang.PolicyFile, written: Iterable[str]) -> Iterator[str]:
    """`written`, with groups of `file` as their members."""
    for one in written:
        group = file.groups.get(one)
        yield from (one,) if group is None else (*group.symphony, *group.weixin)


def _rule(
    file: lang.PolicyFile, rule: lang.Rule, names: Names, exempt: Mapping[str, Sequence[Exemption]]
) -> Rule:
    then, name = rule.then, f"{file.policy}/{rule.id}"
    said = [word for word in _STRICTEST_FIRST if getattr(then, word) is not None]
    return Rule(
        policy=file.policy,
        id=rule.id,
        title=rule.title,
        when=condition(rule.when, names),
        outcome=Outcome(said[0]) if said else Outcome.DELIVER,
        unless=None if rule.unless is None else condition(rule.unless, names, alone=True),
        enforced=file.mode_of(rule) == "enforce",
        decides=bool(said),
        settles=not _SETTLING.isdisjoint(said),
        part=None if rule.rollout is None else _part(rule.rollout, name, names),
        exemptions=tuple(exempt.get(rule.id, ())),
        redact=then.redact,
        hold=None if then.hold is None else _waiting(then.hold),
        adds=any(getattr(then, key) for key in _ADDING),
        tags=then.tag,
        tell=then.tell_sender.texts() if then.tell_sender else None,
        show_match=then.show_match,
        annotation=Annotation(name, then.annotate.texts()) if then.annotate else None,
        notify=then.notify,
        sample=_sample(then, name),
    )


def _waiting(hold: lang.Hold) -> Waiting:
    limit = hold.decide_within // _MILLISECOND if hold.decide_within else 0
    late = hold.if_late or ("escalate" if limit else "")
    return Waiting(hold.queue, limit, late, hold.conversation == "wait")


def _sample(then: lang.Then, name: str) -> Sample | None:
    """What is reviewed after delivery: all, where that is written, else so many percent."""
    part = then.sample
    if then.review == "all":
        return Sample(name, part.queue if part else REVIEW, 100.0, (part and part.reason) or "")
    return Sample(name, part.queue, part.percent, part.reason or "") if part else None


def _part(rollout: lang.Rollout, name: str, names: Names) -> Check:
    if rollout.groups is not None:
        numbers = frozenset(names.groups[group] for group in rollout.groups)
        return lambda facts: not numbers.isdisjoint(facts.people)
    share = rollout.percent or 0.0
    return lambda facts: _draw(name, facts) < share


def _draw(name: str, facts: Facts) -> float:
    """A number from 0 to 100 that is the same for a rule and a conversation for ever, both ways."""
    drawn = "\n".join([name, *facts.conversations]).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(drawn).digest()[:8], "big") * 100 / (1 << 64)


def _barrier(
    policy: str, barrier: lang.Barrier, names: Names, exempt: Mapping[str, Sequence[Exemption]]
) -> Rule:
    finders = {names.finders[name]: name for name in barrier.finds or ()}
    when = Condition(
        directions=DIRECTIONS,
        kinds=None,
        checks=(_between(barrier, names),),
        finders=frozenset(finders) if finders else None,
        names=finders,
        floor=CONFIDENCE["medium"],
    )
    lifted = tuple(exempt.get(barrier.id, ()))
    hold = Waiting(REVIEW, 0, "", waits=False) if barrier.then == "hold" else None
    return Rule(
        policy, barrier.id, barrier.id, when, Outcome(barrier.then), BARRIER, exemptions=lifted, hold=hold
    )


def _between(barrier: lang.Barrier, names: Names) -> Check:
    if barrier.between is not None:
        one, other = (names.groups[name] for name in barrier.between)
        return lambda facts: (
            (one in facts.sender and other in facts.recipient)
            or (other in facts.sender and one in facts.recipient)
        )
    source = frozenset(names.groups[name] for name in barrier.from_ or ())
    target = frozenset(names.groups[name] for name in barrier.to or ())
    return lambda facts: not (source.isdisjoint(facts.sender) or target.isdisjoint(facts.recipient))
