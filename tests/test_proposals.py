"""The life of a change as a table, who may approve what, and what a freeze makes of a verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import Conflict, NotAllowed
from bridge.message import Cause, Match, Outcome, Verdict
from bridge.policy.changes import Change as Difference
from bridge.policy.changes import Direction
from bridge.proposals import (
    CHANGE_STEPS,
    COMPLIANCE,
    LEGAL,
    Approval,
    Bar,
    ChangeState,
    Proposal,
    allow,
    allow_end,
    frozen,
    is_same,
    missing,
    step,
    ticks,
)

ALICE, BOB, LAWYER = "alice.wong@bank.example", "bob.li@bank.example", "legal@bank.example"
RULE = Difference(Direction.LOOSER, "firm-wide", "rule", "cards", "mode", "enforce", "monitor")
LIST = Difference(Direction.LOOSER, "firm-wide", "list", "words", "words", ("配售",), ())
WALL = Difference(Direction.LOOSER, "firm-wide", "barrier", "research", "", "research", "")
TIGHTER = Difference(Direction.TIGHTER, "firm-wide", "rule", "gifts", "mode", "monitor", "enforce")
PROPOSAL = Proposal(ALICE, "fewer false hits", (("firm-wide", "a" * 64),), (("firm-wide", "b" * 64),))
YES = Approval(BOB, "read it")


def loosening(*differences: Difference) -> Proposal:
    """A proposal that changes these."""
    return replace(PROPOSAL, differences=differences)


# --- the table ------------------------------------------------------------------------------------------


def test_every_state_has_a_way_in() -> None:
    """Proposed is where it begins; every other state is the end of a step, and four are the end of all."""
    reached = set(CHANGE_STEPS.values())
    assert reached == set(ChangeState) - {ChangeState.PROPOSED}
    ends = set(ChangeState) - {state for state, _ in CHANGE_STEPS}
    assert ends == {ChangeState.REJECTED, ChangeState.WITHDRAWN, ChangeState.ROLLED_BACK}


def test_nothing_comes_into_force_unapproved() -> None:
    """The only way to active is from approved, or back from what was active before."""
    ways = {state for (state, _), target in CHANGE_STEPS.items() if target is ChangeState.ACTIVE}
    assert ways == {ChangeState.APPROVED, ChangeState.SUPERSEDED}


@given(st.sampled_from(list(ChangeState)), st.sampled_from(sorted({name for _, name in CHANGE_STEPS})))
def test_other_steps_are_refused(state: ChangeState, name: str) -> None:
    """A step that the table does not have is a conflict, and says from where it was tried."""
    if (state, name) in CHANGE_STEPS:
        assert step(state, name) is CHANGE_STEPS[(state, name)]
    else:
        with pytest.raises(Conflict, match=f"cannot {name} a change that is {state.value}"):
            step(state, name)


# --- ticks ----------------------------------------------------------------------------------------------


def test_what_is_loosened_has_marks() -> None:
    """L1, L2, ... in the order shown; what is stricter has none."""
    assert loosening(RULE, TIGHTER, LIST).looser == {"L1": RULE, "L2": LIST}


@pytest.mark.parametrize(
    ("said", "ticked"),
    [(["L2"], ("L2",)), (["cards"], ("L1",)), (["words", "L1"], ("L1", "L2")), ([], ())],
)
def test_ticks_are_marks_or_ids(said: list[str], ticked: tuple[str, ...]) -> None:
    """A mark ticks one, an id all of its own; the order of saying is of no matter."""
    assert ticks(loosening(RULE, LIST), said) == ticked


def test_a_tick_for_nothing_is_refused() -> None:
    """A word that nothing answers to was a mistake: it is told what there is."""
    with pytest.raises(NotAllowed, match=r"L1 \(cards\)"):
        ticks(loosening(RULE), ["gifts"])


def test_a_file_that_goes_is_ticked_by_its_name() -> None:
    """A whole policy taken out has no id but its own."""
    gone = Difference(Direction.LOOSER, "firm-wide", "policy", "", "", "The firm", "")
    assert ticks(loosening(gone), ["firm-wide"]) == ("L1",)


# --- who may --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (ALICE, "Alice.Wong@Bank.example ", True),
        ("STRASSE", "straße", True),
        (ALICE, "ａlice.wong@bank.example", True),
        (ALICE, "alice\u200b.wong@bank.example", True),
        (ALICE, "alice.wong\x07@bank.example", True),
        (ALICE, "alice.wong\ufe0f@bank.example", True),
        (ALICE, "alice.wong\u3164@bank.example", True),
        ("Zoë", "Zoe\u0308", True),
        ("Zoë", "Zoe", False),
        ("李雷", "李蕾", False),
        (ALICE, BOB, False),
    ],
)
def test_what_nobody_sees_makes_no_other_person(one: str, other: str, same: bool) -> None:
    """Two spellings of a name are one person; two names that a reader tells apart are two."""
    assert is_same(one, other) is same


@pytest.mark.parametrize(
    ("proposal", "given", "approval", "bar", "said"),
    [
        (PROPOSAL, [], replace(YES, person=ALICE.upper()), Bar(), "another person must"),
        (PROPOSAL, [YES], replace(YES, person="Bob.Li@bank.example"), Bar(approvals=2), "already"),
        (PROPOSAL, [], replace(YES, person="ａlice.wong@bank.example"), Bar(), "another person must"),
        (PROPOSAL, [], YES, Bar(approvers=(LAWYER,)), r"not in \[policy\] approvers"),
        (PROPOSAL, [], replace(YES, role=LEGAL), Bar(), "legal_approvers"),
        (loosening(RULE, LIST), [], replace(YES, ticked=("L1",)), Bar(), r"L2 \(words\)"),
        (replace(PROPOSAL, warnings=("a.yaml:3 P033",)), [], YES, Bar(), "a.yaml:3 P033"),
    ],
    ids=[
        "his own",
        "twice",
        "his own in wide letters",
        "no approver",
        "not from legal",
        "unticked",
        "warnings",
    ],
)
def test_what_may_not_be_approved(
    proposal: Proposal, given: list[Approval], approval: Approval, bar: Bar, said: str
) -> None:
    """Each reason is named."""
    with pytest.raises(NotAllowed, match=said):
        allow(proposal, given, approval, bar)


def test_an_approver_is_found_in_any_spelling() -> None:
    """As he is known in the settings, he is known here."""
    allow(PROPOSAL, [], replace(YES, person="ｂob.li@Bank.example"), Bar(approvers=(BOB,)))


def test_all_reasons_are_told_at_once() -> None:
    """Nobody is sent back twice."""
    with pytest.raises(NotAllowed, match=r"another person.*not ticked"):
        allow(loosening(RULE), [], replace(YES, person=ALICE), Bar())


def test_another_person_who_ticked_may() -> None:
    """And then nothing lacks."""
    proposal, yes = loosening(RULE, TIGHTER), replace(YES, ticked=("L1",))
    allow(proposal, [], yes, Bar())
    assert missing(proposal, [yes], Bar()) == []


@pytest.mark.parametrize("direction", [Direction.LOOSER, Direction.CHECK])
def test_barriers_need_legal_as_well(direction: Direction) -> None:
    """Loosened, or changed in a way that nobody can order: neither compliance nor legal alone is enough."""
    proposal = loosening(replace(WALL, direction=direction))
    marks = tuple(proposal.looser)
    bar = Bar(legal=(LAWYER,))
    yes, legal = replace(YES, ticked=marks), Approval(LAWYER, "agreed", LEGAL, marks)
    assert missing(proposal, [yes], bar) == [
        "an approval with --role legal: it loosens barriers, retention or legal holds"
    ]
    assert missing(proposal, [legal], bar) == ["1 more approval(s)"]
    assert missing(proposal, [legal, yes], bar) == []
    assert missing(loosening(replace(WALL, direction=Direction.TIGHTER)), [YES], bar) == []


def test_one_person_is_not_compliance_and_legal() -> None:
    """Two roles, two people."""
    proposal = loosening(WALL)
    both = [Approval(LAWYER, "x", COMPLIANCE, ("L1",)), Approval(LAWYER, "x", LEGAL, ("L1",))]
    assert missing(proposal, both, Bar(legal=(LAWYER,))) != []


def test_approvals_are_weighed_by_the_bar_of_now() -> None:
    """One given by somebody who may no longer approve does not count any more."""
    assert missing(PROPOSAL, [YES], Bar(approvers=(BOB,))) == []
    assert missing(PROPOSAL, [YES], Bar(approvers=(LAWYER,))) == ["1 more approval(s)"]


def test_ends_have_their_people() -> None:
    """Who proposed withdraws, everybody else rejects."""
    allow_end(PROPOSAL, ALICE, "withdraw")
    allow_end(PROPOSAL, BOB, "reject")
    for person, name in ((BOB, "withdraw"), (ALICE, "reject")):
        with pytest.raises(NotAllowed):
            allow_end(PROPOSAL, person, name)


# --- the red button -------------------------------------------------------------------------------------

MATCH = Match("firm-wide", "cards", "Cards", Outcome.REDACT, True, ("card",), ((0, 4),), "a card")


@pytest.mark.parametrize("outcome", list(Outcome))
def test_while_frozen_nothing_passes(outcome: Outcome) -> None:
    """What would pass is held by a person, masked as it would have been; the rest stays as it is."""
    verdict = Verdict(outcome, Cause.RULE, "****", matches=(MATCH,), policies=PROPOSAL.policies)
    held = frozen(verdict)
    assert held.outcome in (Outcome.HOLD, Outcome.BLOCK)
    assert (held.text, held.matches, held.policies) == (verdict.text, verdict.matches, verdict.policies)
    if outcome in (Outcome.HOLD, Outcome.BLOCK):
        assert held == verdict
    else:
        assert (held.cause, held.outcome) == (Cause.PERSON, Outcome.HOLD)
