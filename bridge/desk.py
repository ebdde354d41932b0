"""What a person may do to what crosses the bridge: one function each, each recorded with who and why.

Rules of this file: no SQL. Every act checks that it is signed (a person, a reason) before anything is
touched, and either happens whole with its ledger entry or raises and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from bridge.errors import ConfigError
from bridge.ports import Acts, Order, Placing
from bridge.proposals import Approval, Bar, Proposal, is_unseen

if TYPE_CHECKING:
    from bridge.policy import Source


async def release(acts: Acts, message: int, person: str, reason: str, *, as_written: bool = False) -> None:
    """Let a held message go on its way. Masks stay on, unless it is passed `as_written`.

    Raises Conflict when the message is not held, or its sender is paired with nobody.
    """
    signed(person, reason)
    await acts.decide_hold(message, person, reason, passed=True, as_written=as_written)


async def reject(acts: Acts, message: int, person: str, reason: str) -> None:
    """Refuse a held message: it stays in the archive and goes nowhere. Raises Conflict when not held."""
    signed(person, reason)
    await acts.decide_hold(message, person, reason, passed=False)


async def draw(acts: Acts, day: date, person: str, reason: str) -> Sequence[int]:
    """Draw the messages of a day that are reviewed after delivery; gives their numbers.

    Raises Conflict when the day is not over, or was drawn before.
    """
    signed(person, reason)
    return await acts.draw_samples(day, person, reason)


async def close(acts: Acts, message: int, person: str, finding: str) -> None:
    """Say what was found in a drawn message. Raises Conflict when it is not one that waits for that."""
    signed(person, finding)
    await acts.close_sample(message, person, finding)


async def retry(acts: Acts, permit: str, person: str, reason: str) -> None:
    """Try a parked, waiting or failed delivery again now. Raises Conflict when it is none of these."""
    signed(person, reason)
    await acts.retry_delivery(permit, person, reason)


async def drop(acts: Acts, permit: str, person: str, reason: str) -> None:
    """Give a delivery up; its message stays in the archive. Raises Conflict when it is on its way."""
    signed(person, reason)
    await acts.drop_delivery(permit, person, reason)


# --- the policy ---------------------------------------------------------------------------------------


async def propose(acts: Acts, proposal: Proposal, sources: Sequence[Source]) -> int:
    """Propose a set of policy files; gives the number of the change. Raises Conflict when another set came
    into force since it was compared."""
    signed(proposal.person, proposal.reason)
    return await acts.propose(proposal, sources)


async def approve(acts: Acts, number: int, approval: Approval, bar: Bar) -> Sequence[str]:
    """Agree to a change; gives what it still lacks. Raises NotAllowed when it is not this person's to
    approve, or something that it loosens was not ticked; Conflict when it is not open."""
    signed(approval.person, approval.reason)
    return await acts.approve(number, approval, bar)


async def refuse_change(acts: Acts, number: int, person: str, reason: str) -> None:
    """Reject a change that is not in force yet. Raises NotAllowed for whoever proposed it."""
    signed(person, reason)
    await acts.end_change(number, person, reason, "reject")


async def withdraw(acts: Acts, number: int, person: str, reason: str) -> None:
    """Take one's own change back, before it is in force. Raises NotAllowed for anybody else."""
    signed(person, reason)
    await acts.end_change(number, person, reason, "withdraw")


async def activate(acts: Acts, number: int, person: str, reason: str, at: int, bar: Bar) -> None:
    """Let an approved change come into force at `at` (milliseconds; 0: now). Raises Conflict when it is not
    approved."""
    signed(person, reason)
    await acts.schedule(number, person, reason, at, bar)


async def roll_back(acts: Acts, way: Proposal, ticked: Sequence[str] = ()) -> int:
    """Put the change before back into force; gives its number. Raises Conflict when there is none, NotAllowed
    when it loosens what was not `ticked`."""
    signed(way.person, way.reason)
    return await acts.roll_back(way, ticked)


async def freeze(acts: Acts, person: str, reason: str) -> None:
    """Stop everything in both directions. Raises Conflict when it is stopped already."""
    signed(person, reason)
    await acts.freeze(person, reason)


async def unfreeze(acts: Acts, person: str, reason: str) -> None:
    """Let things go on. Raises Conflict when nothing is stopped."""
    signed(person, reason)
    await acts.unfreeze(person, reason)


# --- records --------------------------------------------------------------------------------------------


async def lengthen(acts: Acts, order: Order, numbers: Sequence[int]) -> int:
    """Keep these records longer: an event has happened, or somebody ordered it; gives how many that changed.
    None is ever kept shorter. Raises ConfigError for an order that says nothing."""
    signed(order.person, order.reason)
    if sum(map(bool, (order.event, order.until, order.keep))) != 1:
        raise ConfigError(["say one of: what happened, until when, or how long"])
    return await acts.lengthen(order, numbers)


async def place_hold(acts: Acts, placing: Placing) -> None:
    """Place a legal hold, from now on. Raises ConfigError for a name that is none, Conflict for one that was
    used before."""
    signed(placing.person, placing.reason)
    await acts.place_hold(placing)


async def propose_lift(acts: Acts, name: str, person: str, reason: str) -> None:
    """Propose to lift a hold. Raises Missing when there is none, Conflict when it is no longer standing."""
    signed(person, reason)
    await acts.propose_lift(name, person, reason)


async def refuse_lift(acts: Acts, name: str, person: str, reason: str) -> None:
    """Let a hold stand that somebody wanted lifted. Raises Conflict when nobody did."""
    signed(person, reason)
    await acts.refuse_lift(name, person, reason)


async def lift_hold(acts: Acts, name: str, person: str, reason: str, legal: Sequence[str]) -> None:
    """Agree to lift a hold; that disposes of nothing. Raises NotAllowed for whoever proposed it, and for
    anybody who is not one of `legal` (if any are named); Conflict when nobody proposed it."""
    signed(person, reason)
    await acts.lift_hold(name, person, reason, legal)


# --- signatures -----------------------------------------------------------------------------------------


def signed(person: str, reason: str) -> None:
    """Raises ConfigError when an act lacks its person or its reason, or the person's name is disguised."""
    problems = []
    if not person.strip():
        problems.append("an act needs the person who does it")
    elif any(map(is_unseen, person)):
        problems.append("the person's name has characters that cannot be seen: type it anew")
    if not reason.strip():
        problems.append("an act needs its reason: say why, for whoever reads the record later")
    if problems:
        raise ConfigError(problems)
