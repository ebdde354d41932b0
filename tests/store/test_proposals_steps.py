"""A change in the tables: each step once, by whom it may be, and readable ever after; and the red button."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rig import Clock, Hands, message

from bridge.errors import Conflict, NotAllowed
from bridge.message import WEIXIN
from bridge.policy import Source
from bridge.policy.changes import Change as Difference
from bridge.policy.changes import Direction
from bridge.proposals import Approval, Bar, ChangeState, Hashes, Proposal
from bridge.store.policies import stored
from bridge.store.proposals import change, changes, history, in_force, orders

ALICE, BOB, HEAD = "alice.wong@bank.example", "bob.li@bank.example", "desk.head@bank.example"
BAR = Bar()
LOOSER = Difference(Direction.LOOSER, "firm-wide", "rule", "cards", "mode", "enforce", "monitor")


def source(name: str) -> Source:
    """A policy file; what is in it is of no matter here."""
    return Source(f"{name}.yaml", f"policy: {name}\n".encode())


def of(*sources: Source) -> Hashes:
    """Their hashes."""
    return tuple((one.name.removesuffix(".yaml"), one.hash) for one in sources)


A, B, C = (source(name) for name in "abc")


async def proposed(hands: Hands, one: Source, **more: object) -> int:
    """Alice proposes a set of one file against what is in force."""
    base = await hands.store.read(in_force)
    return await hands.store.propose(Proposal(ALICE, "a new list", of(one), base, **more), [one])


async def approved(hands: Hands, one: Source) -> int:
    """Proposed by Alice, approved by Bob."""
    number = await proposed(hands, one)
    assert await hands.store.approve(number, Approval(BOB, "read it"), BAR) == []
    return number


async def activated(hands: Hands, one: Source) -> int:
    """In force by now."""
    number = await approved(hands, one)
    await hands.store.schedule(number, BOB, "as agreed", 0, BAR)
    await hands.store.activate_change(number, BAR)
    return number


async def states(hands: Hands) -> dict[int, str]:
    """The state of every change."""
    return {one.number: one.state.value for one in await hands.store.read(changes)}


async def kinds(hands: Hands) -> list[str]:
    """What the ledger says about policy and house, in order."""
    found = await hands.entries()
    return [one.kind for one in found if one.kind.startswith(("policy:", "house:"))]


# --- the straight way -----------------------------------------------------------------------------------


async def test_a_change_goes_its_way(hands: Hands) -> None:
    """Proposed, approved by another, scheduled, in force: each step in the ledger, with who and why."""
    number = await activated(hands, A)
    assert await hands.store.read(in_force) == of(A)
    assert await states(hands) == {number: "active"}
    assert await kinds(hands) == [
        "policy:stored",
        "policy:proposed",
        "policy:approved",
        "policy:scheduled",
        "policy:activated",
    ]
    told = [(one["kind"], one["person"], one["reason"]) for one in await hands.store.read(history)]
    assert told == [
        ("policy:proposed", ALICE, "a new list"),
        ("policy:approved", BOB, "read it"),
        ("policy:scheduled", BOB, "as agreed"),
        ("policy:activated", BOB, "as agreed"),
    ]


async def test_a_proposal_freezes_bytes_and_differences(hands: Hands) -> None:
    """What was proposed reads back whole, and its bytes are in the archive from that moment on."""
    said = Proposal(
        ALICE,
        "客户名单",
        of(A, B),
        (),
        (LOOSER, replace(LOOSER, direction=Direction.TIGHTER, id="詞", after=("配售",), before=())),
        ("a.yaml:3 P033",),
        12,
        "0c1e",
        "bt-7f3a",
        {A.hash: {"words.csv": 1_767_600_000_000}},
    )
    number = await hands.store.propose(said, [A, B])
    found = await hands.store.read(lambda db: change(db, number))
    assert (found.proposal, found.state, found.approvals) == (said, ChangeState.PROPOSED, ())
    assert await hands.store.read(lambda db: stored(db, [A.hash, B.hash])) == {A.hash, B.hash}


async def test_a_proposal_against_what_is_past_is_refused(hands: Hands) -> None:
    """Compared with a set that is no longer in force: the differences would be untrue."""
    await activated(hands, A)
    with pytest.raises(Conflict, match="propose again"):
        await hands.store.propose(Proposal(ALICE, "late", of(B), ()), [B])


async def test_the_next_change_takes_the_place_of_the_one_before(hands: Hands) -> None:
    """One is active at a time."""
    await activated(hands, A)
    await activated(hands, B)
    assert await states(hands) == {1: "superseded", 2: "active"}
    assert await hands.store.read(in_force) == of(B)


# --- who may --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("person", [ALICE, " Alice.Wong@BANK.example "])
async def test_nobody_approves_his_own(hands: Hands, person: str) -> None:
    """Not under another spelling of the same name, either; nothing is recorded."""
    number = await proposed(hands, A)
    with pytest.raises(NotAllowed, match="another person"):
        await hands.store.approve(number, Approval(person, "mine"), BAR)
    assert "policy:approved" not in await kinds(hands)


async def test_two_approvals_are_two_people(hands: Hands) -> None:
    """Where two must agree, one is told what lacks, and cannot be the other as well."""
    number, two = await proposed(hands, A), Bar(approvals=2)
    assert await hands.store.approve(number, Approval(BOB, "yes"), two) == ["1 more approval(s)"]
    with pytest.raises(NotAllowed, match="approved it already"):
        await hands.store.approve(number, Approval(BOB.upper(), "yes again"), two)
    assert await states(hands) == {number: "proposed"}
    assert await hands.store.approve(number, Approval(HEAD, "yes"), two) == []
    assert await states(hands) == {number: "approved"}


async def test_a_bar_that_was_raised_counts(hands: Hands) -> None:
    """Approved when one was enough: it does not come into force once two must agree."""
    number = await approved(hands, A)
    with pytest.raises(Conflict, match="1 more approval"):
        await hands.store.schedule(number, BOB, "now", 0, Bar(approvals=2))
    await hands.store.schedule(number, BOB, "now", 0, BAR)
    with pytest.raises(Conflict, match="1 more approval"):
        await hands.store.activate_change(number, Bar(approvals=2))


async def test_what_it_loosens_is_ticked_before_it_counts(hands: Hands) -> None:
    """Without the tick it is refused and named; with it the record has it."""
    number = await proposed(hands, A, differences=(LOOSER,))
    with pytest.raises(NotAllowed, match=r"L1 \(cards\)"):
        await hands.store.approve(number, Approval(BOB, "yes"), BAR)
    assert await hands.store.approve(number, Approval(BOB, "yes", ticked=("L1",)), BAR) == []
    found = await hands.store.read(lambda db: change(db, number))
    assert found.approvals == (Approval(BOB, "yes", ticked=("L1",)),)


async def test_who_proposed_withdraws_and_others_reject(hands: Hands) -> None:
    """Each end has its people, and after it nothing can be approved."""
    first, second = await proposed(hands, A), await proposed(hands, B)
    with pytest.raises(NotAllowed):
        await hands.store.end_change(first, BOB, "no", "withdraw")
    with pytest.raises(NotAllowed):
        await hands.store.end_change(second, ALICE, "no", "reject")
    await hands.store.end_change(first, ALICE, "a mistake", "withdraw")
    await hands.store.end_change(second, BOB, "too wide", "reject")
    assert await states(hands) == {first: "withdrawn", second: "rejected"}
    for number in (first, second):
        with pytest.raises(Conflict, match="cannot approve"):
            await hands.store.approve(number, Approval(HEAD, "yes"), BAR)


async def test_only_what_is_approved_is_activated(hands: Hands) -> None:
    """Not what was only proposed, not what does not exist."""
    number = await proposed(hands, A)
    with pytest.raises(Conflict, match="is proposed"):
        await hands.store.schedule(number, BOB, "now", 0, BAR)
    with pytest.raises(Conflict, match="no change 7"):
        await hands.store.schedule(7, BOB, "now", 0, BAR)


async def test_an_approval_is_for_one_base(hands: Hands) -> None:
    """Two were approved against the same set: after the first, the second must be compared anew."""
    first, second = await approved(hands, A), await approved(hands, B)
    for number in (first, second):
        await hands.store.schedule(number, BOB, "now", 0, BAR)
    await hands.store.activate_change(first, BAR)
    with pytest.raises(Conflict, match="propose it again"):
        await hands.store.activate_change(second, BAR)
    assert await hands.store.read(in_force) == of(A)


# --- when -----------------------------------------------------------------------------------------------


async def test_it_is_due_at_its_time_and_not_before(hands: Hands, clock: Clock) -> None:
    """The store's clock says so, and goes on saying so until it is done."""
    number = await approved(hands, A)
    await hands.store.schedule(number, BOB, "over night", clock.now() + 60_000, BAR)
    assert (await hands.store.orders()).due == 0
    with pytest.raises(Conflict, match="not due"):
        await hands.store.activate_change(number, BAR)
    clock.forward(3_600_000)
    assert (await hands.store.orders()).due == number
    await hands.store.activate_change(number, BAR)
    assert (await hands.store.orders()).due == 0
    assert (await hands.store.orders()).active == number


async def test_what_cannot_come_into_force_is_put_aside(hands: Hands) -> None:
    """The reason is in the ledger, and the daemon is not told again."""
    number = await approved(hands, A)
    await hands.store.schedule(number, BOB, "now", 0, BAR)
    await hands.store.refuse_change(number, "broken")
    (entry,) = await hands.entries("policy:refused")
    assert entry.facts == {"change": number, "code": "broken"}
    assert (await hands.store.orders()).due == 0
    assert await states(hands) == {number: "approved"}


# --- back -----------------------------------------------------------------------------------------------


async def test_a_rollback_goes_to_the_set_before(hands: Hands) -> None:
    """At once, by one person; what was rolled back stays out, and what is in force is known."""
    for one in (A, B, C):
        await activated(hands, one)
    assert await hands.store.roll_back(Proposal(HEAD, "holds everything", of(B), of(C))) == 2
    assert (await hands.store.orders()).due == 2
    await hands.store.activate_change(2, BAR)
    assert await states(hands) == {1: "superseded", 2: "active", 3: "rolled back"}
    assert await hands.store.read(in_force) == of(B)
    with pytest.raises(Conflict, match="meanwhile"):
        await hands.store.roll_back(Proposal(HEAD, "still", of(B), of(C)))
    assert await hands.store.roll_back(Proposal(HEAD, "still", of(A), of(B))) == 1


@pytest.mark.parametrize("before", [[], [A]])
async def test_without_a_set_before_there_is_no_way_back(hands: Hands, before: list[Source]) -> None:
    """Nothing was in force, or nothing else."""
    for one in before:
        await activated(hands, one)
    with pytest.raises(Conflict, match="nothing to"):
        await hands.store.roll_back(Proposal(HEAD, "back", of(A), of(B)))


async def test_refused_files_stand_in_the_history(hands: Hands) -> None:
    """Which mistakes, how many, and that no change was meant; the audit has no finding of it."""
    await hands.store.refuse_files("P001+P033", 3)
    (row,) = await hands.store.read(history)
    assert (row["kind"], row["change"], row["facts"]) == (
        "policy:refused",
        0,
        {"code": "P001+P033", "count": 3},
    )


# --- the red button -------------------------------------------------------------------------------------


async def test_while_frozen_nothing_is_claimed(hands: Hands) -> None:
    """What is permitted stays in the outbox, whatever the rooms do, and goes out after the thaw."""
    await hands.say(message(WEIXIN, 1))
    await hands.store.freeze(BOB, "a leak")
    assert (await hands.store.orders()).frozen
    assert await hands.claim("symphony") == []
    await hands.store.unfreeze(HEAD, "it was none")
    assert not (await hands.store.orders()).frozen
    assert len(await hands.claim("symphony")) == 1
    told = [(one["kind"], one["person"]) for one in await hands.store.read(history)]
    assert told == [("house:frozen", BOB), ("house:unfrozen", HEAD)]


async def test_the_button_is_pressed_once(hands: Hands) -> None:
    """Frozen is frozen, and what is not frozen cannot be thawed."""
    with pytest.raises(Conflict, match="not frozen"):
        await hands.store.unfreeze(BOB, "why")
    await hands.store.freeze(BOB, "a leak")
    with pytest.raises(Conflict, match="frozen already"):
        await hands.store.freeze(HEAD, "a leak")


async def test_orders_of_a_new_store(hands: Hands) -> None:
    """Nothing is frozen, in force or due."""
    told = await hands.store.read(lambda db: orders(db, 0))
    assert (told.frozen, told.active, told.due) == (False, 0, 0)
