"""Waivers: what waits for a dead archive goes out by the word of two people, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest
from rig import Hands, message
from store.test_copies import JOURNAL, VAULT, findings, lacking, ruled, take

from bridge.errors import Conflict, Damaged, Missing, NotAllowed
from bridge.message import SYMPHONY, WEIXIN
from bridge.store import waivers

ALICE, BOB = "alice.wong@bank.example", "bob.li@bank.example"


async def propose(hands: Hands, key: str, person: str = ALICE) -> int:
    """Somebody proposes it."""
    return await hands.store.write(lambda tx: waivers.propose(tx, key, person, "the vendor is closed"))


async def grant(hands: Hands, key: str, person: str = BOB) -> int:
    """Somebody agrees."""
    return await hands.store.write(lambda tx: waivers.grant(tx, key, person, "agreed"))


async def test_two_people_let_it_out(hands: Hands, tmp_path: Path) -> None:
    """What waits for an archive goes out, in order, when another person has agreed; the archive still lacks
    its copies, what comes later waits again, and the auditor has nothing to say."""
    await hands.archive(message(SYMPHONY, 1, "first"))
    await ruled(hands, VAULT, after=True)
    await hands.archive(message(SYMPHONY, 2, "second"))
    await ruled(hands)
    with pytest.raises(Conflict):
        await grant(hands, VAULT)
    assert await propose(hands, VAULT) == 1
    assert await hands.send(WEIXIN) == []
    with pytest.raises(Conflict):
        await propose(hands, VAULT, BOB)
    with pytest.raises(NotAllowed):
        await grant(hands, VAULT, ALICE)
    assert await grant(hands, VAULT) == 1
    assert await hands.send(WEIXIN) == ["first", "second"]
    assert await lacking(hands, 1) == {1: [VAULT]}
    await hands.archive(message(SYMPHONY, 3, "third"))
    await ruled(hands, VAULT, after=True)
    assert await hands.send(WEIXIN) == []
    with pytest.raises(Conflict):
        await grant(hands, VAULT)
    assert await findings(hands, tmp_path) == []


async def test_one_of_two_archives(hands: Hands, tmp_path: Path) -> None:
    """What waits for another archive too goes on waiting for that one: until it has it, or is waived."""
    await hands.archive(message(SYMPHONY, 1, "first"))
    await ruled(hands, VAULT, JOURNAL, after=True)
    await propose(hands, VAULT)
    assert await grant(hands, VAULT) == 0
    assert await hands.send(WEIXIN) == []
    await take(hands, JOURNAL)
    assert await hands.send(WEIXIN) == ["first"]
    with pytest.raises(Missing):
        await propose(hands, VAULT)
    assert await findings(hands, tmp_path) == []


async def test_a_waiver_that_came_too_late_is_found(hands: Hands, tmp_path: Path) -> None:
    """A delivery that went out before its archive was waived was let out by hand, and is named."""
    await hands.archive(message(SYMPHONY, 1, "first"), message(SYMPHONY, 2, "second"))
    await ruled(hands, VAULT, after=True)
    only = "UPDATE deliveries SET next_at = 0 WHERE message = 1"
    await hands.store.write(lambda tx: tx.db.exec_driver_sql(only))
    await hands.store.write(lambda tx: tx.db.exec_driver_sql("UPDATE chats SET due_at = 0"))
    assert await hands.send(WEIXIN) == ["first"]
    await propose(hands, VAULT)
    assert await grant(hands, VAULT) == 1
    assert await hands.send(WEIXIN) == ["second"]
    (found,) = await findings(hands, tmp_path)
    assert "before all its archives" in found.meaning


async def test_a_waiver_is_granted_once(hands: Hands) -> None:
    """What was granted is proposed no longer, also when what was said of it is gone."""
    await hands.archive(message(SYMPHONY, 1, "first"))
    await ruled(hands, VAULT, after=True)
    await propose(hands, VAULT)
    await grant(hands, VAULT)
    (granted,) = await hands.entries("waiver:granted")
    delete = f"DELETE FROM content WHERE seq = {granted.seq}"
    await hands.store.write(lambda tx: tx.db.exec_driver_sql(delete))
    await hands.archive(message(SYMPHONY, 2, "second"))
    await ruled(hands, VAULT, after=True)
    with pytest.raises(Damaged):
        await grant(hands, VAULT)
    assert await hands.send(WEIXIN) == ["first"]
