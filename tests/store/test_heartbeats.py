"""What the house says of its own watching stands in the ledger; a pause stands where every claim sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from rig import CONTACT, STREAM, Clock, Hands, message

from bridge import words
from bridge.errors import StoreError
from bridge.message import SYMPHONY, WEIXIN
from bridge.store import heartbeats
from bridge.store.verify import verify

DAY = 86_400_000


async def _paused(hands: Hands) -> bool:
    store = hands.store
    await store.write(lambda tx: heartbeats.pause(tx, 0, store.epoch, [SYMPHONY], 99))
    return await store.write(lambda tx: heartbeats.tell(tx, 0, store.epoch))


async def _resumed(hands: Hands) -> None:
    store = hands.store
    await store.write(lambda tx: heartbeats.resume(tx, 0, store.epoch))


async def _told(hands: Hands) -> list[tuple[str, str]]:
    claims = [*await hands.store.claim(SYMPHONY, 9), *await hands.store.claim(WEIXIN, 9)]
    return [(claim.permit.conversation, claim.permit.content.text) for claim in claims]


async def test_a_pause_tells_both_sides_of_a_chat_in_use_once(hands: Hands, clock: Clock) -> None:
    """Each in his own language; whoever pauses again says nothing more."""
    await hands.say(message(WEIXIN, "w1", sent_at=clock.now()))
    await hands.send(SYMPHONY)
    assert await _paused(hands) and not await _paused(hands)
    assert await _told(hands) == [
        (STREAM, words.say("paused", "en")),
        (CONTACT, words.say("paused", "zh-Hans")),
    ]


async def test_a_pause_that_is_over_before_it_is_told_is_not_told(
    hands: Hands, clock: Clock, tmp_path: Path
) -> None:
    """Its notice is dropped where it did not go out, and there nobody is told that it is over either."""
    await hands.say(message(WEIXIN, "w1", sent_at=clock.now()))
    await hands.send(SYMPHONY)
    assert await _paused(hands)
    claims = await hands.store.claim(WEIXIN, 9)
    for claim in claims:
        await hands.end(claim)
    clock.forward(1000)
    await _resumed(hands)
    clock.forward(60_000)
    assert await _told(hands) == [(CONTACT, words.say("resumed", "zh-Hans"))]
    findings: list = []
    await hands.store.read(lambda db: verify(db, tmp_path / "blobs", findings.append))
    assert findings == []


async def test_pauses_that_follow_each_other_are_told_once_an_hour(hands: Hands, clock: Clock) -> None:
    """A network that comes and goes does not use up what Weixin lets us say."""
    await hands.say(message(WEIXIN, "w1", sent_at=clock.now()))
    await hands.send(SYMPHONY)
    told = []
    for _ in range(12):
        told.append(await _paused(hands))
        clock.forward(60_000)
        await _told(hands)
        await _resumed(hands)
        clock.forward(540_000)
    assert [place for place, one in enumerate(told) if one] == [0, 6]


async def test_a_chat_that_rests_is_not_disturbed(hands: Hands, clock: Clock) -> None:
    """Who has not written for days is told nothing, and Weixin would not let us."""
    await hands.say(message(WEIXIN, "w1", sent_at=clock.now()))
    await hands.send(SYMPHONY)
    clock.forward(3 * DAY)
    await _paused(hands)
    assert await _told(hands) == []


async def test_only_the_owner_of_the_lane_pauses(hands: Hands) -> None:
    """A daemon that was replaced cannot stop its successor."""
    with pytest.raises(StoreError):
        await hands.store.write(lambda tx: heartbeats.pause(tx, 0, -5, [SYMPHONY], 99))


async def test_what_is_written_here_verifies(hands: Hands, clock: Clock, tmp_path: Path) -> None:
    """Beats and pauses are entries like any other: the auditor has nothing to object to."""
    store = hands.store
    await hands.say(message(WEIXIN, "w1", sent_at=clock.now()))
    await store.write(lambda tx: heartbeats.beat(tx, 0, SYMPHONY, 5, 1))
    await _paused(hands)
    await store.write(lambda tx: heartbeats.resume(tx, 0, store.epoch))
    findings: list = []
    await store.read(lambda db: verify(db, tmp_path / "blobs", findings.append))
    assert findings == []
    assert await store.read(lambda db: heartbeats.last_heard(db, SYMPHONY)) == 5


async def test_volumes_are_by_person_and_day(hands: Hands, clock: Clock) -> None:
    """What somebody sent on two days is two rows; the bridge's own words are nobody's."""
    await hands.say(message(SYMPHONY, "a"), message(SYMPHONY, "b"), message(SYMPHONY, "c", text="BLOCK"))
    clock.forward(DAY)
    await hands.say(message(SYMPHONY, "d"))
    day = clock.now() // DAY
    found = await hands.store.read(lambda db: heartbeats.volumes(db, day - 1, day))
    assert [(one.day - day, one.count) for one in sorted(found, key=lambda one: one.day)] == [(-1, 3), (0, 1)]
