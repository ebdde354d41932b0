"""Plans of disposal, as values: who may agree, until when, and what a certificate says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridge.errors import Conflict, NotAllowed
from bridge.records.disposal import (
    GOOD_FOR,
    Agreed,
    Plan,
    State,
    Tally,
    allow_approval,
    allow_run,
    allow_withdrawal,
    certificate,
    digest_of,
    sort_of,
)

ALICE, BOB, CAROL = "alice.wong@bank.example", "bob.li@bank.example", "carol@bank.example"
PLAN = Plan(4, State.PLANNED, ALICE, "yearly", 0, GOOD_FOR, 2, "ab")
YES = (Agreed(BOB, "seen", 1), Agreed(CAROL, "seen", 2))


@pytest.mark.parametrize("person", [ALICE, ALICE.upper(), " alice.wong@bank.example "])
def test_the_planner_approves_nothing(person: str) -> None:
    """However the name is written."""
    with pytest.raises(NotAllowed, match="two others"):
        allow_approval(PLAN, person, 1)


def test_two_different_people_are_needed() -> None:
    """One yes is not enough, nor two of one person; after two others a plan may be run."""
    allow_approval(PLAN, BOB, 1)
    once = replace(PLAN, agreed=YES[:1])
    with pytest.raises(NotAllowed, match="1 of 2 approvals"):
        allow_run(once, 1)
    with pytest.raises(NotAllowed, match="already"):
        allow_approval(once, BOB, 1)
    allow_run(replace(PLAN, agreed=YES), 1)


def test_a_stale_plan_is_good_for_nothing_and_one_that_was_begun_is_finished() -> None:
    """Thirty days, to the millisecond."""
    ready = replace(PLAN, agreed=YES)
    allow_run(ready, GOOD_FOR - 1)
    with pytest.raises(Conflict, match="plan it again"):
        allow_run(ready, GOOD_FOR)
    allow_run(replace(ready, state=State.RUNNING), GOOD_FOR)
    with pytest.raises(Conflict, match="running"):
        allow_withdrawal(replace(ready, state=State.RUNNING))
    with pytest.raises(Conflict, match="done"):
        allow_approval(replace(ready, state=State.DONE), BOB, 1)


def test_reasons_are_counted_by_their_sort() -> None:
    """A term of its own for each record is one sort; each hold and archive is another."""
    tally = Tally()
    tally.stays(("retention until 2033-04-02", "hold CASE-7"))
    tally.stays(("retention until 2033-04-03", "retention: deal-termination has not happened"))
    tally.stays(("not yet in vault",))
    assert tally.counts.kept == {"hold CASE-7": 1, "not yet in vault": 1, "retention": 2}
    assert sort_of("undecided") == "undecided"


def test_the_digest_of_a_list_is_that_of_its_lines() -> None:
    """As documented, so that anybody can compute it: SHA-256 of "number class until" lines."""
    assert digest_of([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digest_of([(1, "hk/records", 5)]) != digest_of([(1, "hk/records", 6)])


def test_a_certificate_names_rule_approvers_and_counts() -> None:
    """And there is none of a plan that was not carried out."""
    with pytest.raises(Conflict, match="planned"):
        list(certificate(PLAN))
    said = {"at": 3, "person": ALICE, "records": 1, "messages": 2, "kept": 1, "classes": {"hk/records": 1}}
    said |= {"reasons": {"hold CASE-7": 1}, "sha256": "cd", "place": "0/57", "size": 57}
    text = "\n".join(certificate(replace(PLAN, state=State.DONE, agreed=YES, certified=said)))
    for part in (ALICE, BOB, CAROL, "under hk/records: 1", "hold CASE-7: 1", "cd", "0/57"):
        assert part in text
