"""Sending: what may be claimed, in which order, and what is written down of every attempt."""

from __future__ import annotations

from typing import Any

import pytest
from rig import CONTACT, PAIR, Hands, message

from bridge import words
from bridge.errors import StoreError
from bridge.message import SYMPHONY, WEIXIN, Message, Receipt
from bridge.ports import Claim, Step
from bridge.store import sending
from bridge.store.sending import PER_CHAT
from bridge.store.writer import Tx


def alice(number: int, text: str = "", **more: Any) -> Message:
    """Alice writes."""
    return message(SYMPHONY, number, text or f"text {number}", **more)


def texts(claims: list[Claim]) -> list[str]:
    """What would be sent."""
    return [claim.permit.content.text for claim in claims]


async def second_chat(hands: Hands) -> dict[str, str]:
    """Alice and another client, in another room; gives where her messages to him are written."""
    await hands.store.make_pair(PAIR | {"stream": "stream-2", "contact": "wkDesk/wmHan"}, "carol", "second")
    return {"conversation": "stream-2"}


# --- order ----------------------------------------------------------------------------------------------


async def test_a_chat_is_claimed_in_order_and_only_once(hands: Hands) -> None:
    """What is in somebody's hands is not given out again, nor is anything behind it."""
    await hands.say(alice(1), alice(2))
    claims = await hands.claim(WEIXIN)
    assert texts(claims) == ["text 1", "text 2"]
    await hands.say(alice(3))
    assert await hands.claim(WEIXIN) == []
    await hands.end(claims[0])
    assert await hands.claim(WEIXIN) == []
    await hands.end(claims[1])
    assert texts(await hands.claim(WEIXIN)) == ["text 3"]


async def test_a_claim_that_was_not_kept_took_nothing(hands: Hands) -> None:
    """Its transaction failed: nobody has these deliveries in hand, and the next claim gives them."""
    await hands.say(alice(1))

    def lose(tx: Tx) -> None:
        store = hands.store
        assert sending.claim(tx, store._directory, WEIXIN, store.lane, store.epoch, 10, uses=store._uses)
        raise StoreError("the disk is full")

    with pytest.raises(StoreError):
        await hands.store.write(lose)
    stopped: list[str] = []
    claims = await hands.store.claim(WEIXIN, 10, stopped=lambda _, why: stopped.append(why))
    assert (texts(list(claims)), stopped) == (["text 1"], [])


async def test_a_chat_gives_a_handful_at_a_time(hands: Hands) -> None:
    """A long backlog of one chat is taken in portions, in order, until it is gone."""
    await hands.say(*(alice(number) for number in range(1, 41)))
    claims = await hands.claim(WEIXIN)
    assert len(claims) == PER_CHAT
    for claim in claims:
        await hands.end(claim)
    assert texts(claims) + await hands.send(WEIXIN) == [f"text {number}" for number in range(1, 41)]


async def test_chats_are_claimed_side_by_side_up_to_the_limit(hands: Hands) -> None:
    """A busy room takes as many conversations as it has hands; the others wait for the next claim."""
    room = await second_chat(hands)
    await hands.say(alice(1), alice(2, **room))
    first, second = await hands.claim(WEIXIN, chats=1), await hands.claim(WEIXIN, chats=1)
    assert sorted(texts(first) + texts(second)) == ["text 1", "text 2"]
    assert len(first) == len(second) == 1


async def test_a_busy_chat_does_not_hide_another(hands: Hands) -> None:
    """A chat whose deliveries are all in hand does not use up the limit of chats."""
    room = await second_chat(hands)
    await hands.say(alice(1))
    await hands.claim(WEIXIN)
    await hands.say(alice(2), alice(3, **room))
    assert texts(await hands.claim(WEIXIN, chats=1)) == ["text 3"]


async def test_networks_are_claimed_apart(hands: Hands) -> None:
    """One network's room never sees the other's deliveries."""
    await hands.say(alice(1), message(WEIXIN, 2, "hello"))
    assert texts(await hands.claim(SYMPHONY)) == ["hello"]
    assert texts(await hands.claim(WEIXIN)) == ["text 1"]


# --- what becomes of an attempt -------------------------------------------------------------------------


async def test_a_retry_keeps_its_place(hands: Hands) -> None:
    """Nothing of the chat goes before the retry's time has come; then it goes first, as the next attempt."""
    await hands.say(alice(1), alice(2))
    first, second = await hands.claim(WEIXIN)
    await hands.end(second, Step.GIVE_BACK)
    await hands.end(first, Step.RETRY, at=hands.clock.now() + 500, reason="unreachable")
    assert await hands.claim(WEIXIN) == []
    hands.clock.forward(499)
    assert await hands.claim(WEIXIN) == []
    hands.clock.forward(1)
    again = await hands.claim(WEIXIN)
    assert texts(again) == ["text 1", "text 2"]
    assert [claim.permit.attempt for claim in again] == [2, 1]
    assert again[0].permit.id == first.permit.id


async def test_a_certain_failure_is_not_uncertain(hands: Hands) -> None:
    """Whether an attempt may have arrived is remembered for the next one, and when the first was made."""
    await hands.say(alice(1))
    (claim,) = await hands.claim(WEIXIN)
    began = hands.clock.now()
    for uncertain in (False, True, True):
        await hands.end(claim, Step.RETRY, at=hands.clock.now() + 10, uncertain=uncertain)
        hands.clock.forward(10)
        (claim,) = await hands.claim(WEIXIN)
        assert claim.permit.uncertain is uncertain
        assert claim.permit.first_try_at == began


async def test_what_is_given_back_was_never_tried(hands: Hands) -> None:
    """It returns to its place at once, and its count of attempts is as before."""
    await hands.say(alice(1))
    (claim,) = await hands.claim(WEIXIN)
    await hands.end(claim, Step.GIVE_BACK)
    (again,) = await hands.claim(WEIXIN)
    assert (again.permit.id, again.permit.attempt) == (claim.permit.id, 1)
    assert await hands.entries("delivery:sent", "delivery:parked", "delivery:waiting") == []


async def test_a_parked_one_lets_later_ones_pass(hands: Hands) -> None:
    """A refused delivery waits for a person, not its chat; its sender is told."""
    await hands.say(alice(1), alice(2))
    first, second = await hands.claim(WEIXIN)
    await hands.end(first, Step.PARK, reason="too-large", notice="too-large")
    await hands.end(second, Step.GIVE_BACK)
    assert await hands.send(WEIXIN) == ["text 2"]
    assert await hands.send(SYMPHONY) == [words.say("too-large", "en")]
    (fact,) = await hands.entries("delivery:parked")
    assert fact.facts == {"message": 1, "attempt": 1, "reason": "too-large"}


async def test_a_waiting_one_keeps_later_ones_behind_it(hands: Hands) -> None:
    """When the window is closed it is closed for all: order is kept, and the sender is told once."""
    await hands.say(alice(1), alice(2))
    first, second = await hands.claim(WEIXIN)
    await hands.end(first, Step.WAIT, reason="quota", notice="quota")
    await hands.end(second, Step.GIVE_BACK)
    assert await hands.claim(WEIXIN) == []
    assert await hands.send(SYMPHONY) == [words.say("quota", "en")]


async def test_a_receipt_is_kept_and_testified(hands: Hands) -> None:
    """The network's ids lead back to the permit; the ledger says sent, or found."""
    await hands.say(alice(1), alice(2))
    first, second = await hands.claim(WEIXIN)
    await hands.end(first, receipt=Receipt(("m1", "m2")))
    await hands.end(second, receipt=Receipt(("m3",), found=True))
    rows = await hands.rows("SELECT id, permit FROM receipts ORDER BY id")
    assert rows == [("m1", first.permit.id), ("m2", first.permit.id), ("m3", second.permit.id)]
    sent, found = await hands.entries("delivery:sent", "delivery:found")
    assert (sent.kind, sent.facts["ids"]) == ("delivery:sent", ["m1", "m2"])
    assert (found.kind, found.subject) == ("delivery:found", f"delivery/{second.permit.id}")


async def test_foreign_ids_are_kept_and_stay_out_of_the_ledger(hands: Hands) -> None:
    """An id that is not ASCII could be anything: the row has it, the entry does not."""
    await hands.say(alice(1))
    (claim,) = await hands.claim(WEIXIN)
    await hands.end(claim, receipt=Receipt(("号码", "m1")))
    (entry,) = await hands.entries("delivery:sent")
    assert entry.facts["ids"] == ["m1"]
    assert ("号码",) in await hands.rows("SELECT id FROM receipts")


async def test_parts_that_went_out_before_a_refusal_count(hands: Hands) -> None:
    """Of a delivery refused half-way, the parts that arrived are on record and count against the window."""
    await hands.archive(message(WEIXIN, 5))
    await hands.say(alice(1))
    (claim,) = await hands.claim(WEIXIN)
    await hands.end(claim, Step.WAIT, receipt=Receipt(("m1", "m2")), uncertain=True, reason="quota")
    assert await hands.rows("SELECT id FROM receipts ORDER BY id") == [("m1",), ("m2",)]
    assert await hands.rows(f"SELECT sent FROM chats WHERE conversation = '{CONTACT}'") == [(2,)]
    await hands.archive(message(WEIXIN, 6))
    (again,) = await hands.claim(WEIXIN)
    assert (again.permit.uncertain, again.traffic.sent) == (True, 0)


async def test_what_is_found_does_not_count_twice(hands: Hands) -> None:
    """A delivery that was looked up and found was counted by nobody twice."""
    await hands.archive(message(WEIXIN, 5))
    await hands.say(alice(1), alice(2))
    first, second = await hands.claim(WEIXIN)
    await hands.end(first)
    await hands.end(second, receipt=Receipt(("m",), found=True))
    assert await hands.rows(f"SELECT sent FROM chats WHERE conversation = '{CONTACT}'") == [(1,)]


async def test_parts_that_the_network_had_already_do_not_count(hands: Hands) -> None:
    """They may belong to a window long over: to count them would make the reader wait for nothing."""
    await hands.archive(message(WEIXIN, 5))
    await hands.say(alice(1))
    (claim,) = await hands.claim(WEIXIN)
    await hands.end(claim, receipt=Receipt(("m", "n", "o"), repeated=2))
    assert await hands.rows(f"SELECT sent FROM chats WHERE conversation = '{CONTACT}'") == [(1,)]


async def test_traffic_comes_with_every_claim(hands: Hands) -> None:
    """A connector knows, before it sends, when they last wrote and how many of ours came since."""
    await hands.archive(message(WEIXIN, 5))
    await hands.say(alice(1))
    await hands.send(WEIXIN)
    await hands.say(alice(2))
    (claim,) = await hands.claim(WEIXIN)
    assert (claim.traffic.last_inbound_at, claim.traffic.sent) == (message(WEIXIN, 5).sent_at, 1)


@pytest.mark.parametrize("step", list(Step))
async def test_no_delivery_is_ever_lost_from_sight(hands: Hands, step: Step) -> None:
    """Whatever becomes of an attempt, the chat is looked at again: a later delivery gets its turn."""
    await hands.say(alice(1))
    (claim,) = await hands.claim(WEIXIN)
    more = {"at": hands.clock.now() + 5} if step is Step.RETRY else {}
    await hands.end(claim, step, **more)
    hands.clock.forward(5)
    await hands.say(alice(2))
    await hands.archive(message(WEIXIN, 9))
    sent = await hands.send(WEIXIN)
    assert sent == (["text 2"] if step in (Step.SEND, Step.PARK) else ["text 1", "text 2"])


# --- fences ---------------------------------------------------------------------------------------------


async def test_results_of_a_lost_lane_change_nothing(hands: Hands) -> None:
    """The new owner has already taken the delivery as uncertain; the old one's news comes too late."""
    await hands.say(alice(1))
    (old,) = await hands.claim(WEIXIN)
    (lane,) = await hands.rows("SELECT epoch FROM lanes")
    await hands.store.write(lambda tx: tx.db.exec_driver_sql("UPDATE lanes SET epoch = epoch + 1"))
    before = await hands.entries()
    await hands.end(old)
    assert await hands.entries() == before
    assert await hands.states("deliveries") == {1: "claimed"}
    assert old.permit.epoch == lane[0]


async def test_a_room_that_closes_gives_back_what_it_may_have_sent(hands: Hands) -> None:
    """When a network signs us out, what it had in hand is due again, as uncertain; the other's is not."""
    await hands.say(alice(1), message(WEIXIN, 2, "hello"))
    await hands.claim(WEIXIN)
    await hands.claim(SYMPHONY)
    await hands.store.give_back(WEIXIN)
    (again,) = await hands.claim(WEIXIN)
    assert (again.permit.uncertain, again.permit.attempt) == (True, 2)
    assert await hands.claim(SYMPHONY) == []
