"""Plans of disposal: what is listed, who has to agree, how long a plan is good.

Rules of this file: pure. A plan is a list of records whose time is over, fixed by its digest. Two people have
to agree to it, and neither of them made it: whoever wants something gone never counts among those who say
that it may go. What people agreed to is that list and no rule, so a plan is good for thirty days and no
change of policy makes it wrong: each record is asked again, in the transaction that would destroy it, and
whatever keeps it by then wins.

    planned ── first record destroyed ──► running ── certificate ──► done ── files written anew: settled
       └── withdraw ──► withdrawn
"""

from __future__ import annotations

import enum
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bridge.errors import Conflict, NotAllowed
from bridge.proposals import is_same

APPROVALS = 2
"""People who have to agree to a list, none of whom made it."""

GOOD_FOR = 30 * 86_400_000
"""How long a plan may be approved and begun, in milliseconds."""

SKEW = 3_600_000
"""How far the clocks of several machines may be apart, in milliseconds."""

FRESH = 86_400_000
"""How old the newest entry may be, in milliseconds, so that nobody has to vouch for the clock."""


class State(enum.StrEnum):
    """Where a plan stands."""

    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Agreed:
    """One person's yes to a list, at a time (milliseconds)."""

    person: str
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Records by the class that kept them, by the pair that spoke (0: nobody was paired), by the month in
    which they were archived; and those that stay, by why. Of how many pairs the names go as well, with how
    many consents."""

    classes: Mapping[str, int] = field(default_factory=dict)
    pairs: Mapping[int, int] = field(default_factory=dict)
    months: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[str, int] = field(default_factory=dict)
    names: int = 0
    consents: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as it stands: who made it, when and why; of which records (`query`, archived before `before`,
    milliseconds, 0: now); how many, by the digest of their list. `erasure` is the request that it answers, 0
    for none. `certified` is what its certificate says; `settled_at` since when nothing of what it destroyed
    lies in the database's own files any more (0: it may)."""

    number: int
    state: State
    person: str
    reason: str
    at: int
    expires_at: int
    records: int
    digest: str
    query: str = ""
    before: int = 0
    erasure: int = 0
    counts: Counts = Counts()
    agreed: tuple[Agreed, ...] = ()
    certified: Mapping[str, object] | None = None
    settled_at: int = 0

    def stale(self, now: int) -> bool:
        """Whether it was never begun and its time is over."""
        return self.state is State.PLANNED and now >= self.expires_at

    @property
    def unfinished(self) -> str:
        """What is still to be done about a plan that was begun, as a sentence; "" for nothing."""
        return remaining(self.number, self.state, settled=bool(self.settled_at))

    def standing(self, now: int) -> str:
        """Where it stands at a time (milliseconds), in words."""
        if self.stale(now):
            return "stale"
        if self.state is State.DONE and not self.settled_at:
            return "done, not settled"
        return self.state.value

    @property
    def lacking(self) -> int:
        """How many people still have to agree: each counts once, and whoever made the plan never."""
        counted = [self.person]
        for one in self.agreed:
            if not any(is_same(one.person, other) for other in counted):
                counted.append(one.person)
        return max(0, APPROVALS + 1 - len(counted))


def remaining(number: int, state: State, *, settled: bool) -> str:
    """What is still to be done about a plan that was begun, as a sentence; "" for nothing."""
    again = f"`weighbridge disposal run {number}` goes on"
    if state is State.RUNNING:
        return f"disposal {number} was begun and is not finished: {again}"
    if state is State.DONE and not settled:
        return f"what disposal {number} destroyed may still lie in the database's own files: {again}"
    return ""


def allow_approval(plan: Plan, person: str, now: int, approvers: Sequence[str] = ()) -> None:
    """Raises NotAllowed for whoever may not agree to a plan, and Conflict when nobody can any more. Where
    `approvers` are named, nobody else can."""
    _require_planned(plan, now)
    if approvers and not any(is_same(person, one) for one in approvers):
        raise NotAllowed(f"{person} is not in [policy] approvers")
    if is_same(person, plan.person):
        raise NotAllowed("whoever made a plan of disposal does not approve it: two others do")
    if any(is_same(person, one.person) for one in plan.agreed):
        raise NotAllowed(f"{person} has approved disposal {plan.number} already: it takes another person")


def allow_withdrawal(plan: Plan) -> None:
    """Raises Conflict when there is nothing to withdraw."""
    if plan.state is not State.PLANNED:
        raise Conflict(f"disposal {plan.number} is {plan.state.value}: only a plan can be withdrawn")


def allow_run(plan: Plan, now: int) -> None:
    """Raises NotAllowed without approvals, and Conflict when the plan is over. One that was begun is
    finished, however long that takes."""
    if plan.state is not State.RUNNING:
        _require_planned(plan, now)
    if plan.lacking:
        others = ", ".join([plan.person, *(one.person for one in plan.agreed)])
        raise NotAllowed(
            f"disposal {plan.number} has {APPROVALS - plan.lacking} of {APPROVALS} approvals: nothing is "
            f"destroyed; another person than {others} has to approve it"
        )


def _require_planned(plan: Plan, now: int) -> None:
    if plan.state is not State.PLANNED:
        raise Conflict(f"disposal {plan.number} is {plan.state.value}")
    if plan.stale(now):
        raise Conflict(f"disposal {plan.number} was good until {_day(plan.expires_at)}: plan it again")


def require_time(now: int, newest: int) -> None:
    """Raises Conflict when a clock that says `now` has been set back behind the `newest` entry (both in
    milliseconds): what is due, and what is stale, cannot be said."""
    if now < newest - SKEW:
        raise Conflict(
            f"it is {_day(now)} by this clock, and the ledger's newest entry is from {_day(newest)}: "
            "set the clock right first"
        )


def ahead(now: int, heard: int, *, sure: bool) -> int:
    """How far the clock is ahead of the time when anything was `heard` from outside last, if that is more
    than a day, else 0 (milliseconds). Raises NotAllowed then, unless somebody is `sure` that the clock is
    right."""
    found = now - heard if now - heard > FRESH else 0
    if found and not sure:
        raise NotAllowed(
            f"it is {_day(now)} by this clock, and no network was heard since {_day(heard)}: if the clock "
            "is right, say so with --clock-is-right, which is recorded; if it is not, nothing is due yet"
        )
    return found


def digest_of(lines: Iterable[tuple[int, str, int]]) -> str:
    """The digest of a list: SHA-256 over a line for each record in the order of their numbers: number, class,
    until (milliseconds)."""
    digest = hashlib.sha256()
    for number, key, until in lines:
        digest.update(f"{number} {key} {until}\n".encode())
    return digest.hexdigest()


_GROUPS = ("retention until", "retention:")


def sort_of(reason: str) -> str:
    """The word under which a reason is counted: a date of its own would be a count of its own."""
    return "retention" if reason.startswith(_GROUPS) else reason


@dataclass(slots=True)
class Tally:
    """Counts while records are looked at."""

    classes: Counter[str] = field(default_factory=Counter)
    pairs: Counter[int] = field(default_factory=Counter)
    months: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)

    def goes(self, key: str, pair: int | None, at: int) -> None:
        """A record of a class, archived at a time (milliseconds), may go."""
        self.classes[key] += 1
        self.pairs[pair or 0] += 1
        self.months[f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m}"] += 1

    def stays(self, reasons: Sequence[str]) -> None:
        """A record stays: it is counted once under each sort of reason."""
        self.kept.update({sort_of(reason) for reason in reasons})

    @property
    def counts(self) -> Counts:
        """What was counted, in order."""
        classes, months = dict(sorted(self.classes.items())), dict(sorted(self.months.items()))
        return Counts(classes, dict(sorted(self.pairs.items())), months, dict(sorted(self.kept.items())))


def certificate(plan: Plan) -> Iterator[str]:
    """A certificate as lines to hand on. Raises Conflict when there is none yet."""
    said = plan.certified
    if said is None:
        raise Conflict(f"disposal {plan.number} has no certificate: it is {plan.state.value}")
    yield f"Certificate of disposal {plan.number}"
    yield ""
    yield f"Planned     {_day(plan.at)} by {plan.person}: {plan.reason}"
    for one in plan.agreed:
        yield f"Approved    {_day(one.at)} by {one.person}: {one.reason}"
    yield f"Carried out {_day(_number(said, 'at'))} by {said['person']}"
    yield ""
    yield f"Records destroyed   {said['records']} (messages with the bridge's notices: {said['messages']})"
    classes = said["classes"]
    for key, count in classes.items() if isinstance(classes, Mapping) else ():
        yield f"  under {key}: {count}"
    if said.get("pairs"):
        yield f"Names destroyed     of ended pairs: {said['pairs']} (consents with them: {said['consents']})"
    yield f"Records that stayed {said['kept']}"
    reasons = said["reasons"]
    for reason, count in reasons.items() if isinstance(reasons, Mapping) else ():
        yield f"  {reason}: {count}"
    yield ""
    yield f"SHA-256 of the approved list      {plan.digest}"
    yield f"SHA-256 of what was destroyed     {said['sha256']}"
    yield f"Ledger entry                      {said['place']}, in a tree of {said['size']} entries"
    yield ""
    if said["records"]:
        yield "Destroyed: the data keys and the sealed content of these records, their attachments, and what"
        yield "named people beside them. The ledger's entries remain; `weighbridge audit verify` checks that"
        yield "each record that is gone was on the approved list, and did not go before its time."
    if said.get("pairs"):
        yield "Destroyed: the names, addresses and ids of the people of these pairs, what was remembered of"
        yield "their chats, and what their clients had agreed to."
    if said["records"] or said.get("pairs"):
        yield from _settled(plan)
    else:
        yield "Nothing was destroyed: all that was approved had to stay when its turn came."


def _settled(plan: Plan) -> Iterator[str]:
    yield ""
    if plan.settled_at:
        yield f"Since {_day(plan.settled_at)} the database's own files have nothing of it. Backups, and a"
        yield "server's log, have what they have until they are recycled, or the master key is changed."
    else:
        yield "Not settled: what was destroyed may still lie in the database's own files, which could not be"
        yield f"written anew yet. {_upper(plan.unfinished.partition(': ')[2])}."


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _number(said: Mapping[str, object], name: str) -> int:
    value = said[name]
    return value if isinstance(value, int) else 0


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M} UTC"
