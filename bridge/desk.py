"""What a person may do to what crosses the bridge: one function each, each recorded with who and why.

Rules of this file: no SQL. Every act checks that it is signed (a person, a reason) before anything is
touched, and either happens whole with its ledger entry or raises and changes nothing.
"""

from __future__ import annotations

from bridge.errors import ConfigError
from bridge.ports import Acts


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


async def retry(acts: Acts, permit: str, person: str, reason: str) -> None:
    """Try a parked, waiting or failed delivery again now. Raises Conflict when it is none of these."""
    signed(person, reason)
    await acts.retry_delivery(permit, person, reason)


async def drop(acts: Acts, permit: str, person: str, reason: str) -> None:
    """Give a delivery up; its message stays in the archive. Raises Conflict when it is on its way."""
    signed(person, reason)
    await acts.drop_delivery(permit, person, reason)


def signed(person: str, reason: str) -> None:
    """Raises ConfigError when an act lacks its person or its reason."""
    problems = []
    if not person.strip():
        problems.append("an act needs the person who does it")
    if not reason.strip():
        problems.append("an act needs its reason: say why, for whoever reads the record later")
    if problems:
        raise ConfigError(problems)
