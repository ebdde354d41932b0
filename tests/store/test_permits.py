"""What a permit is bound to: rows are changed behind everybody's back, and nothing goes astray.

Rules of this file: whoever changes rows here puts them back where the test says so; what went out is what the
claims have. Every change is one that the database takes without complaint.
"""

from __future__ import annotations

import pytest
from rig import CONTACT, PAIR, Hands, message

from bridge import words
from bridge.errors import Conflict
from bridge.message import SYMPHONY, WEIXIN, Kind
from bridge.store.verify import Finding, verify

OTHER = "wkDesk/wmHan"
ROOM = "stream-han"

CHANGES = {
    "another client's chat": (f"UPDATE deliveries SET conversation = '{OTHER}' WHERE message = 1",),
    "another message": ("UPDATE deliveries SET message = 2, verdict = 2 WHERE message = 1",),
    "another verdict": ("UPDATE deliveries SET verdict = 2 WHERE message = 1",),
    "other words": ("UPDATE messages SET entry = (SELECT entry FROM messages WHERE id = 2) WHERE id = 1",),
    "another decision": (
        "UPDATE verdicts SET entry = (SELECT entry FROM verdicts WHERE id = 2) WHERE id = 1",
    ),
    "other marks": ("UPDATE deliveries SET marks = 'edited' WHERE message = 1",),
}


async def change(hands: Hands, *statements: str) -> None:
    """Change the database behind everybody's back."""
    await hands.store.write(lambda tx: [tx.db.exec_driver_sql(one) for one in statements] and None)


async def findings(hands: Hands) -> list[Finding]:
    """What the auditor finds."""
    found: list[Finding] = []
    await hands.store.read(lambda db: verify(db, hands.store.blobs.root, found.append))
    return found


@pytest.fixture
async def two(hands: Hands) -> Hands:
    """Alice has written to 李雷 and to Han Meimei; neither has gone out, and only the first is due."""
    pair = PAIR | {"stream": ROOM, "contact": OTHER, "contact_name": "韩梅梅"}
    await hands.store.make_pair(pair, "carol", "second")
    await hands.say(message(SYMPHONY, 1, "for Li"), message(SYMPHONY, 2, "for Han", conversation=ROOM))
    await change(hands, f"UPDATE deliveries SET next_at = {1 << 61} WHERE message = 2")
    return hands


@pytest.mark.parametrize("name", CHANGES)
async def test_what_is_not_as_it_was_permitted_never_goes_out(two: Hands, name: str) -> None:
    """It is stopped before anybody sends it, with a word to its sender and an alarm to the house."""
    await change(two, *CHANGES[name])
    told: list[str] = []
    assert await two.store.claim(WEIXIN, 9, stopped=lambda permit, why: told.append(why)) == []
    assert told == ["altered"]
    assert (await two.entries("delivery:parked"))[0].facts["reason"] == "altered"
    assert [one.permit.content.text for one in await two.claim(SYMPHONY)] == [words.say("undelivered", "en")]


async def test_what_is_put_back_in_time_goes_where_it_was_meant_to(two: Hands) -> None:
    """A delivery whose row is as it was permitted again goes there and nowhere else."""
    await change(two, *CHANGES["another client's chat"])
    await two.claim(WEIXIN)
    (permit,) = [one.subject.partition("/")[2] for one in await two.entries("delivery:parked")]
    await change(two, f"UPDATE deliveries SET conversation = '{CONTACT}' WHERE permit = '{permit}'")
    await two.store.retry_delivery(permit, "carol", "put right")
    (claim,) = await two.claim(WEIXIN)
    assert (claim.permit.conversation, claim.permit.content.text) == (CONTACT, "for Li")


async def test_a_permit_is_used_once(hands: Hands) -> None:
    """What the network has is not sent again, whatever its row says and whoever tries it again."""
    await hands.say(message(SYMPHONY, 1))
    await hands.send(WEIXIN)
    await change(hands, "UPDATE deliveries SET state = 'ready'", "UPDATE chats SET due_at = 0")
    assert await hands.claim(WEIXIN) == []
    ((permit, reason),) = await hands.rows("SELECT permit, reason FROM deliveries")
    assert reason == "spent"
    await hands.store.retry_delivery(permit, "carol", "try")
    assert await hands.claim(WEIXIN) == []


async def test_nothing_goes_out_by_a_permit_that_was_never_made(hands: Hands) -> None:
    """Neither does a delivery that was sent become another by another name, nor one that was forged."""
    await hands.say(message(SYMPHONY, 1))
    await hands.send(WEIXIN)
    forged = "q" * 20
    await change(
        hands, f"UPDATE deliveries SET state = 'ready', permit = '{forged}'", "UPDATE chats SET due_at = 0"
    )
    assert await hands.claim(WEIXIN) == []
    assert await hands.rows("SELECT state, reason FROM deliveries") == [("parked", "unpermitted")]


async def test_an_altered_delivery_gets_no_new_permit(hands: Hands) -> None:
    """What arrived nowhere is sent anew as it was permitted, or not at all."""
    await hands.say(message(SYMPHONY, 1))
    (claim,) = await hands.claim(WEIXIN)
    await hands.end(claim)
    failed = message(WEIXIN, 9, kind=Kind.FAILED, refers_to=f"id-of-{claim.permit.id}")
    await hands.say(failed)
    await change(hands, f"UPDATE deliveries SET conversation = '{OTHER}' WHERE permit = '{claim.permit.id}'")
    with pytest.raises(Conflict, match="not as it was permitted"):
        await hands.store.retry_delivery(claim.permit.id, "carol", "again")


async def test_nobody_makes_a_seal_without_the_key(two: Hands) -> None:
    """Copying the seal of a permit that goes elsewhere opens nothing: each is for its own permit."""
    seals = {one.subject: one.facts["bound"] for one in await two.entries("delivery:permitted")}
    assert len(set(seals.values())) == len(seals) == 2
    assert all(len(str(one)) == 32 for one in seals.values())


async def test_a_wrong_address_is_named_by_the_auditor(two: Hands) -> None:
    """Before and after it went out, and whichever of the rows was changed."""
    assert await findings(two) == []
    await change(two, f"UPDATE deliveries SET conversation = '{OTHER}' WHERE message = 1")
    columns = {(one.table, one.column) for one in await findings(two)}
    assert ("deliveries", "message, verdict, conversation") in columns


async def test_the_chats_of_a_pair_are_those_that_are_sealed(hands: Hands) -> None:
    """Whoever changes where a pair's people talk changes nothing of where their words go."""
    await change(
        hands,
        f"UPDATE pairs SET contact = '{OTHER}', stream = '{ROOM}'",
        "UPDATE meta SET value = '99' WHERE key = 'pairs'",
    )
    await hands.say(message(SYMPHONY, 1))
    (claim,) = await hands.claim(WEIXIN)
    assert claim.permit.conversation == CONTACT


async def test_a_second_sending_is_named_by_the_auditor(hands: Hands) -> None:
    """One permit, one message at the network: a second entry is a finding, as is one of no permit."""
    await hands.say(message(SYMPHONY, 1))
    (claim,) = await hands.claim(WEIXIN)
    await hands.end(claim)
    facts = {"message": 1, "attempt": 1, "ids": [f"id-of-{claim.permit.id}"]}
    for permit in (claim.permit.id, "q" * 20):
        await hands.store.write(
            lambda tx, of=permit: tx.append(0, "delivery:sent", f"delivery/{of}", facts) and None
        )
    said = [one.meaning for one in await findings(hands)]
    assert any("sent a second time" in one for one in said)
    assert any("is gone" in one and "delivery:sent" in one for one in said)
