"""The life of a change to the policy: its states as a table, who may approve it, what a freeze does.

Rules of this file: pure. A change is a whole set of policy files, proposed to take the place of the set that
is in force. Whatever the file says, how many people must agree is no key of it: `Bar` is the daemon's own.

    proposed ── approve ──► approved ── activate ──► active ── supersede ──► superseded
        │                      │                        └──── roll back ──► rolled back
        └── reject, withdraw ──┘                    superseded ── activate ──► active (only by a rollback)
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bridge.errors import Conflict, NotAllowed
from bridge.message import Cause, Outcome, Verdict

if TYPE_CHECKING:
    from bridge.policy.changes import Change as Difference

Hashes = tuple[tuple[str, str], ...]
"""(policy name, hash) of each file of a set, by name."""


class ChangeState(enum.StrEnum):
    """Where a change stands."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    ROLLED_BACK = "rolled back"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


C = ChangeState

CHANGE_STEPS: Mapping[tuple[ChangeState, str], ChangeState] = {
    (C.PROPOSED, "approve"): C.APPROVED,
    (C.PROPOSED, "reject"): C.REJECTED,
    (C.PROPOSED, "withdraw"): C.WITHDRAWN,
    (C.APPROVED, "reject"): C.REJECTED,
    (C.APPROVED, "withdraw"): C.WITHDRAWN,
    (C.APPROVED, "activate"): C.ACTIVE,
    (C.ACTIVE, "supersede"): C.SUPERSEDED,
    (C.ACTIVE, "roll back"): C.ROLLED_BACK,
    (C.SUPERSEDED, "activate"): C.ACTIVE,
}

LEGAL_SECTIONS = frozenset({"barrier", "retention", "legal_hold"})
"""Sections, by their names in a difference, that are not loosened without somebody from legal."""

COMPLIANCE, LEGAL = "compliance", "legal"


_UNSEEN_KINDS = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
#: Marks and letters by category, blank by shape: joiners, fillers, Braille blank, variation selectors.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)


def step(state: ChangeState, name: str) -> ChangeState:
    """The state that a step leads to. Raises Conflict when it cannot be taken from `state`."""
    try:
        return CHANGE_STEPS[(state, name)]
    except KeyError:
        raise Conflict(f"cannot {name} a change that is {state.value}") from None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What somebody proposes: the complete set to be in force, against the set that was (`base`).

    `warnings` are the lints' (file:line, code) that are errors at approval. `changed` says when each list
    file was written (milliseconds), by policy hash and list. `commit` and `backtest` name where the files
    come from and the report that speaks for them, "" for none. `records` says how
    many stored records each class governs whose retention it changes: they keep their terms.
    """

    person: str
    reason: str
    policies: Hashes
    base: Hashes = ()
    differences: tuple[Difference, ...] = ()
    warnings: tuple[str, ...] = ()
    tests: int = 0
    commit: str = ""
    backtest: str = ""
    changed: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    records: Mapping[str, int] = field(default_factory=dict)

    @property
    def concerned(self) -> int:
        """How many stored records are of a class that it changes."""
        return sum(self.records.values())

    @property
    def looser(self) -> dict[str, Difference]:
        """What it loosens, each by the mark (L1, L2, ...) with which an approver ticks it."""
        found = [one for one in self.differences if one.direction == "LOOSER"]
        return {f"L{number}": one for number, one in enumerate(found, start=1)}

    @property
    def needs_legal(self) -> bool:
        """Whether it loosens what legal has to agree to, or changes it in a way that cannot be ordered."""
        doubtful = [one for one in self.differences if one.direction in ("LOOSER", "CHECK")]
        return any(one.section in LEGAL_SECTIONS for one in doubtful)


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's yes. `ticked` are the marks of what is loosened that this person has agreed to, `records`
    is the number of stored records that this person was shown."""

    person: str
    reason: str
    role: str = COMPLIANCE
    ticked: tuple[str, ...] = ()
    records: int = 0


@dataclass(frozen=True, slots=True)
class Bar:
    """How high it is: `approvals` people for compliance, out of `approvers` (anybody, if none is named);
    `legal` are those who may approve for legal."""

    approvals: int = 1
    approvers: tuple[str, ...] = ()
    legal: tuple[str, ...] = ()


def is_same(one: str, other: str) -> bool:
    """Whether two names are one person's: nothing that a reader does not see tells people apart.

    Case, full-width letters, blanks and invisible characters are no difference. Letters of other alphabets
    that look alike are: `[policy] approvers` names who counts, and nobody else does.
    """
    return _identity(one) == _identity(other)


def _identity(name: str) -> str:
    """A name without what cannot be seen: compatibility form (Unicode NFKC), no case, no blanks."""
    letters = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(char for char in letters if not is_unseen(char) and not char.isspace())


def is_unseen(char: str) -> bool:
    """Whether a character leaves nothing on a screen (a blank is seen): control and format characters,
    variation selectors, fillers."""
    return unicodedata.category(char) in _UNSEEN_KINDS or _UNSEEN.search(char) is not None


def _among(person: str, people: Iterable[str]) -> bool:
    return any(is_same(person, one) for one in people)


def ticks(proposal: Proposal, said: Iterable[str]) -> tuple[str, ...]:
    """The marks that `said` ticks: marks themselves, or ids of rules, lists and files, which stand for all
    of theirs. Raises NotAllowed for a word that is neither."""
    looser = proposal.looser
    found: set[str] = set()
    for word in said:
        marks = {mark for mark, one in looser.items() if word in (mark, one.id or one.policy)}
        if not marks:
            raise NotAllowed(f"{word} is nothing that this change loosens; it loosens {_listed(looser)}")
        found |= marks
    return tuple(mark for mark in looser if mark in found)


def _listed(looser: Mapping[str, Difference]) -> str:
    return ", ".join(f"{mark} ({one.id or one.policy})" for mark, one in looser.items()) or "nothing"


def allow(proposal: Proposal, given: Sequence[Approval], new: Approval, bar: Bar) -> None:
    """Raises NotAllowed with every reason why `new` cannot be given."""
    problems = [*_person_problems(proposal, given, new, bar), *_content_problems(proposal, new)]
    if problems:
        raise NotAllowed("; ".join(problems))


def _person_problems(proposal: Proposal, given: Sequence[Approval], new: Approval, bar: Bar) -> Iterator[str]:
    if is_same(new.person, proposal.person):
        yield "who proposed a change cannot approve it: another person must"
    if _among(new.person, (one.person for one in given)):
        yield f"{new.person} has approved it already: another person must"
    if new.role == LEGAL and not _among(new.person, bar.legal):
        yield f"{new.person} is not in [policy] legal_approvers"
    if new.role == COMPLIANCE and bar.approvers and not _among(new.person, bar.approvers):
        yield f"{new.person} is not in [policy] approvers"


def _content_problems(proposal: Proposal, new: Approval) -> Iterator[str]:
    left = {mark: one for mark, one in proposal.looser.items() if mark not in new.ticked}
    if left:
        yield f"it loosens what was not ticked: {_listed(left)}; tick each with --looser, or --all-looser"
    if proposal.concerned != new.records:
        yield (
            f"its retention concerns {proposal.concerned} stored records, which keep the terms they have: say"
            f" that you have seen it with --records {proposal.concerned}"
        )
    if proposal.warnings:
        yield f"warnings count as errors here: {', '.join(proposal.warnings)}; mend them and propose again"


def missing(proposal: Proposal, given: Sequence[Approval], bar: Bar) -> list[str]:
    """What still lacks before the change may come into force; nothing when it may.

    Approvals are weighed anew by the bar that is set now: one that somebody gave who may no longer approve
    does not count.
    """
    valid = [one for at, one in enumerate(given) if _counts(proposal, given[:at], one, bar)]
    lacking = bar.approvals - sum(one.role == COMPLIANCE for one in valid)
    lacks = [f"{lacking} more approval(s)"] if lacking > 0 else []
    if proposal.needs_legal and not any(one.role == LEGAL for one in valid):
        lacks.append("an approval with --role legal: it loosens barriers, retention or legal holds")
    return lacks


def _counts(proposal: Proposal, before: Sequence[Approval], one: Approval, bar: Bar) -> bool:
    return not [*_person_problems(proposal, before, one, bar), *_content_problems(proposal, one)]


def allow_end(proposal: Proposal, person: str, name: str) -> None:
    """Raises NotAllowed when `person` cannot take this step: only the proposer withdraws, others reject."""
    if name == "withdraw" and not is_same(person, proposal.person):
        raise NotAllowed("only who proposed a change can withdraw it; `policy reject` refuses it")
    if name == "reject" and is_same(person, proposal.person):
        raise NotAllowed("who proposed a change withdraws it: `policy withdraw`")


def allow_back(way: Proposal, ticked: Sequence[str]) -> None:
    """Raises NotAllowed when a way back loosens what was not ticked: one person goes it, but sees it."""
    left = {mark: one for mark, one in way.looser.items() if mark not in ticked}
    if left:
        raise NotAllowed(
            f"going back loosens what was not ticked: {_listed(left)}; tick it with --looser or --all-looser"
        )


# --- the red button -------------------------------------------------------------------------------------

FROZEN = "everything is held: the bridge is frozen"
"""The reason in the verdict of a message that only the freeze holds."""


def frozen(verdict: Verdict) -> Verdict:
    """What the policy answered, while a person has frozen the bridge: nothing passes.

    What would have passed is held by a person (that is the cause); its text stays masked as the policy
    said, so that a release later lets out no more than it would have then. What is held or blocked anyway
    stays as it is.
    """
    if verdict.outcome in (Outcome.HOLD, Outcome.BLOCK):
        return verdict
    return replace(verdict, outcome=Outcome.HOLD, cause=Cause.PERSON, reason=FROZEN)
