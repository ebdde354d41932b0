"""Acts of persons and daemons: lanes, holds, retries, pairs, policies; each whole, and with its record."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from rig import ALICE, CONTACT, PAIR, STREAM, Hands, message

from bridge import words
from bridge.errors import Conflict
from bridge.message import SYMPHONY, WEIXIN, Kind
from bridge.ports import Step
from bridge.store import acts
from bridge.store.uses import Uses
from bridge.store.verify import verify


async def take(hands: Hands, owner: str, **more: Any) -> int | None:
    """Take the lane for `owner`, for ten seconds."""
    return await hands.store.write(lambda tx: acts.take_lane(tx, 0, owner, 10_000, **more))


def succeed(hands: Hands, epoch: int | None) -> None:
    """Go on as the process that took the lane under `epoch`: it used no permit yet."""
    hands.store.epoch, hands.store._uses = epoch or 0, Uses()


async def the_act(hands: Hands, kind: str) -> dict[str, Any]:
    """What the archive keeps of the last act of this kind."""
    (entry,) = (await hands.entries(kind))[-1:]
    act: dict[str, Any] = orjson.loads(await hands.body(entry.seq))
    return act


# --- lanes ----------------------------------------------------------------------------------------------


async def test_a_living_owner_keeps_the_lane(hands: Hands) -> None:
    """Until its lease has run out nobody else gets it, unless he is known to be dead."""
    epoch = hands.store.epoch
    assert await take(hands, "other") is None
    hands.clock.forward(14_999)
    assert await take(hands, "other") is None
    hands.clock.forward(1)
    assert await take(hands, "other") == epoch + 1
    assert await take(hands, "third", force=True) == epoch + 2
    assert [entry.facts["epoch"] for entry in await hands.entries("lane:taken")] == [1, 2, 3]


async def test_a_sign_of_life_prolongs_the_lease(hands: Hands) -> None:
    """Renewing in time keeps the lane; leaving gives it up at once."""
    hands.clock.forward(14_000)
    await hands.store.renew()
    hands.clock.forward(14_000)
    assert await take(hands, "other") is None
    await hands.store.leave()
    assert await take(hands, "other") == hands.store.epoch + 1


async def test_what_the_former_owner_claimed_is_uncertain(hands: Hands) -> None:
    """The next owner takes it at once, knows that it may have been sent, and which attempt it is."""
    await hands.say(message(SYMPHONY, 1, "one"), message(SYMPHONY, 2, "two"))
    (claim, second) = await hands.claim(WEIXIN)
    await hands.end(second, Step.GIVE_BACK)
    succeed(hands, await take(hands, "next", force=True))
    first, other = await hands.claim(WEIXIN)
    assert (first.permit.id, first.permit.uncertain, first.permit.attempt) == (claim.permit.id, True, 2)
    assert (other.permit.uncertain, other.permit.attempt) == (False, 1)


async def test_what_may_yet_be_sent_is_waited_for_where_a_repetition_shows(hands: Hands) -> None:
    """The former owner may live, and send until its lease is over: nothing goes into Symphony again before,
    by whoever has the lane by then. Weixin knows a repetition, so nothing there waits."""
    await hands.say(message(SYMPHONY, 1, "one"), message(WEIXIN, 2, "two"))
    await hands.claim(WEIXIN)
    (claim,) = await hands.claim(SYMPHONY)
    await take(hands, "next", force=True)
    succeed(hands, await take(hands, "the one after", force=True, is_dead=lambda _: True))
    assert [one.permit.uncertain for one in await hands.claim(WEIXIN)] == [True]
    assert await hands.claim(SYMPHONY) == []
    hands.clock.forward(9_999)
    assert await hands.claim(SYMPHONY) == []
    hands.clock.forward(1)
    assert [one.permit.id for one in await hands.claim(SYMPHONY)] == [claim.permit.id]


@pytest.mark.parametrize("left", [True, False])
async def test_nobody_waits_for_the_dead_or_for_who_has_left(hands: Hands, left: bool) -> None:
    """The owner is asked for by its own epoch; one that gave the lane up sends nothing more."""
    asked: list[int] = []
    await hands.say(message(WEIXIN, 1, "one"))
    await hands.claim(SYMPHONY)
    former = hands.store.epoch
    if left:
        await hands.store.leave()
    epoch = await take(hands, "next", force=True, is_dead=lambda one: not asked.append(one))
    succeed(hands, epoch)
    assert len(await hands.claim(SYMPHONY)) == 1
    assert asked == ([] if left else [former])


# --- holds ----------------------------------------------------------------------------------------------


async def test_a_released_message_goes_as_the_policy_allowed_it(hands: Hands) -> None:
    """It is marked as late; its sender is told; person and reason stand in the archive."""
    await hands.say(message(WEIXIN, 1, "HOLD"))
    await hands.store.decide_hold(1, "carol", "harmless", passed=True)
    assert await hands.send(SYMPHONY) == [f"{words.say('late', 'en')}\nHOLD"]
    assert (await hands.send(WEIXIN))[-1] == words.say("released", "zh-Hans")
    assert await the_act(hands, "hold:released") == {
        "person": "carol",
        "reason": "harmless",
        "as_written": False,
    }
    judged = (await hands.entries("message:judged"))[-2].facts
    assert (judged["outcome"], judged["cause"]) == ("deliver", "person")


@pytest.mark.parametrize(("as_written", "text"), [(False, "**** card"), (True, "HOLD card")])
async def test_masks_stay_on_unless_the_reviewer_says_otherwise(
    hands: Hands, as_written: bool, text: str
) -> None:
    """What the policy masked stays masked when a hold is released, but for a release as written."""
    from bridge.message import Cause, Outcome, Verdict
    from bridge.ports import Ruling

    await hands.archive(message(WEIXIN, 1, "HOLD card"))
    (one,) = await hands.store.unjudged(1)
    verdict = Verdict(Outcome.HOLD, Cause.RULE, "**** card", "a rule")
    await hands.store.record_rulings([Ruling(one, verdict)])
    await hands.store.decide_hold(1, "carol", "harmless", passed=True, as_written=as_written)
    (sent,) = await hands.send(SYMPHONY)
    assert sent.endswith(f"\n{text}")


async def test_a_rejected_message_goes_nowhere(hands: Hands) -> None:
    """It stays in the archive; its sender is told; nobody can release it any more."""
    await hands.say(message(WEIXIN, 1, "HOLD"))
    await hands.store.decide_hold(1, "carol", "no", passed=False)
    assert await hands.send(SYMPHONY) == []
    assert (await hands.send(WEIXIN))[-1] == words.say("rejected", "zh-Hans")
    with pytest.raises(Conflict, match="not waiting for review"):
        await hands.store.decide_hold(1, "dave", "yes", passed=True)


@pytest.mark.parametrize("number", [1, 2, 99])
async def test_only_what_is_held_can_be_decided(hands: Hands, number: int) -> None:
    """What passed, what was blocked and what does not exist stay as they are, without a record."""
    await hands.say(message(WEIXIN, 1, "hello"), message(WEIXIN, 2, "BLOCK"))
    before = await hands.entries()
    with pytest.raises(Conflict):
        await hands.store.decide_hold(number, "carol", "why", passed=True)
    assert await hands.entries() == before


async def test_a_stranger_is_released_only_after_pairing(hands: Hands) -> None:
    """Until somebody says whom he may talk to, there is nowhere to release to; then it goes there."""
    await hands.say(message(WEIXIN, 1, "let me in", conversation="wkDesk/wmHan", sender="wmHan"))
    with pytest.raises(Conflict, match="pair the two people first"):
        await hands.store.decide_hold(1, "carol", "a client", passed=True)
    assert await hands.states("reviews") == {1: "open"}
    pair = PAIR | {"contact": "wkDesk/wmHan", "stream": "stream-2", "contact_name": "韩梅梅"}
    await hands.store.make_pair(pair, "carol", "a client")
    await hands.store.decide_hold(1, "carol", "a client", passed=True)
    (claim,) = await hands.claim(SYMPHONY)
    assert (claim.permit.conversation, claim.permit.content.author) == ("stream-2", "韩梅梅")


async def test_a_stranger_can_be_rejected(hands: Hands) -> None:
    """A refusal needs nobody on the other side."""
    await hands.say(message(WEIXIN, 1, "spam", conversation="wkDesk/wmHan", sender="wmHan"))
    await hands.store.decide_hold(1, "carol", "spam", passed=False)
    assert (await hands.states("messages"))[1] == "rejected"


async def test_a_released_edit_is_late_and_edited(hands: Hands) -> None:
    """Both marks are shown."""
    await hands.say(message(SYMPHONY, 1, "one"))
    assert await hands.send(WEIXIN) == ["one"]
    await hands.say(message(SYMPHONY, 2, "HOLD", replaces="1"))
    await hands.store.decide_hold(2, "carol", "fine", passed=True)
    marks = [words.say(key, "zh-Hans") for key in ("late", "edited")]
    assert await hands.send(WEIXIN) == ["\n".join([*marks, "HOLD"])]


# --- retries and drops ----------------------------------------------------------------------------------


async def parked(hands: Hands, step: Step = Step.PARK) -> str:
    """One delivery that is parked (or waits); gives its permit."""
    await hands.say(message(SYMPHONY, 1, "one"))
    (claim,) = await hands.claim(WEIXIN)
    await hands.end(claim, step, reason="too-large", uncertain=True)
    return claim.permit.id


@pytest.mark.parametrize("step", [Step.PARK, Step.WAIT])
async def test_a_retry_is_made_at_once_and_knows_its_past(hands: Hands, step: Step) -> None:
    """It counts its attempts anew, under the same key, and still knows that it may have arrived."""
    permit = await parked(hands, step)
    await hands.store.retry_delivery(permit, "carol", "they shrank it")
    (claim,) = await hands.claim(WEIXIN)
    assert (claim.permit.id, claim.permit.attempt, claim.permit.uncertain) == (permit, 1, True)
    assert (await the_act(hands, "delivery:retried"))["person"] == "carol"


async def test_a_failed_delivery_is_sent_anew(hands: Hands) -> None:
    """The network would take the old key for a repetition: a new permit goes, the old one is closed."""
    await hands.say(message(SYMPHONY, 1, "one"))
    (claim,) = await hands.claim(WEIXIN)
    await hands.end(claim)
    await hands.say(message(WEIXIN, 9, "", kind=Kind.FAILED, refers_to=f"id-of-{claim.permit.id}"))
    await hands.store.retry_delivery(claim.permit.id, "carol", "once more")
    (again,) = await hands.claim(WEIXIN)
    assert again.permit.id != claim.permit.id
    assert (again.permit.content.text, again.permit.uncertain) == ("one", False)
    states = dict(await hands.rows("SELECT permit, state FROM deliveries"))
    assert states[claim.permit.id] == "dropped"


@pytest.mark.parametrize("state", ["ready", "claimed", "sent", "dropped", "none"])
async def test_only_what_stands_still_can_be_retried(hands: Hands, state: str) -> None:
    """Neither what is on its way nor what has arrived is sent a second time by a person."""
    await hands.say(message(SYMPHONY, 1, "one"))
    ((permit,),) = await hands.rows("SELECT permit FROM deliveries")
    claims = [] if state == "ready" else await hands.claim(WEIXIN)
    if state == "sent":
        await hands.end(claims[0])
    elif state == "dropped":
        await hands.end(claims[0], Step.PARK)
        await hands.store.drop_delivery(permit, "carol", "no")
    before = await hands.entries()
    with pytest.raises(Conflict):
        await hands.store.retry_delivery("0" * 20 if state == "none" else permit, "carol", "again")
    assert await hands.entries() == before
    if state == "claimed":
        assert await hands.claim(WEIXIN) == []


async def test_a_dropped_delivery_lets_the_next_one_go(hands: Hands) -> None:
    """What waits at the head of a chat and is given up no longer holds up the rest."""
    permit = await parked(hands, Step.WAIT)
    await hands.say(message(SYMPHONY, 2, "two"))
    assert await hands.claim(WEIXIN) == []
    await hands.store.drop_delivery(permit, "carol", "too late")
    assert await hands.send(WEIXIN) == ["two"]
    assert (await the_act(hands, "delivery:dropped"))["reason"] == "too late"


async def test_what_is_being_sent_cannot_be_dropped(hands: Hands) -> None:
    """A person cannot take back what is on the wire."""
    await hands.say(message(SYMPHONY, 1, "one"))
    (claim,) = await hands.claim(WEIXIN)
    with pytest.raises(Conflict):
        await hands.store.drop_delivery(claim.permit.id, "carol", "stop")
    await hands.end(claim)
    assert await hands.states("deliveries") == {1: "sent"}


# --- pairs ----------------------------------------------------------------------------------------------


async def test_a_pair_is_recorded_with_who_and_why(hands: Hands) -> None:
    """Names, person and reason are content; the ledger has the pair's number."""
    (entry,) = await hands.entries("pair:made")
    assert entry.facts == {"pair": 1}
    act = await the_act(hands, "pair:made")
    assert (act["person"], act["reason"], act["contact_name"]) == ("carol", "onboarding", "李雷")


@pytest.mark.parametrize(
    "change",
    [{}, {"stream": "stream-2"}, {"contact": "wkDesk/wmHan"}],
    ids=["the same again", "the contact in a second room", "the room with a second contact"],
)
async def test_a_chat_leads_to_one_place(hands: Hands, change: dict[str, str]) -> None:
    """A room or a contact that would lead to two places is refused: it would lead to the wrong one."""
    with pytest.raises(Conflict):
        await hands.store.make_pair(PAIR | change, "carol", "another")
    assert len(await hands.rows("SELECT * FROM pairs")) == 1


async def test_a_second_advisor_may_join_the_room(hands: Hands) -> None:
    """Two advisors share a room with one contact: both may write to him, and he writes to the room."""
    await hands.store.make_pair(
        PAIR | {"advisor": "7002", "advisor_name": "Bob Li"}, "carol", "holiday cover"
    )
    await hands.say(message(SYMPHONY, 1, "one"), message(SYMPHONY, 2, "two", sender="7002"))
    claims = await hands.claim(WEIXIN)
    assert [claim.permit.content.author for claim in claims] == ["Alice Wong", "Bob Li"]
    await hands.say(message(WEIXIN, 3, "hello"))
    assert await hands.send(SYMPHONY) == ["hello"]


async def test_an_ended_pair_may_no_longer_talk_and_may_be_made_again(hands: Hands) -> None:
    """After the end both are strangers; the end is recorded; a new pair of the two is a new number."""
    await hands.store.end_pair(1, "carol", "left the firm")
    await hands.say(message(SYMPHONY, 1, "one"), message(WEIXIN, 2, "two"))
    assert await hands.states("reviews") == {1: "open", 2: "open"}
    with pytest.raises(Conflict, match="has ended already"):
        await hands.store.end_pair(1, "carol", "twice")
    assert await hands.store.make_pair(PAIR, "carol", "came back") == 2
    await hands.say(message(SYMPHONY, 3, "three"))
    assert any(text.endswith("three") for text in await hands.send(WEIXIN))


async def test_what_has_not_gone_out_goes_nowhere_once_the_pair_is_ended(hands: Hands) -> None:
    """Both ways, also what waits for its window or for a person; each writer is told once; it verifies."""
    await hands.say(message(SYMPHONY, 1, "waits"), message(SYMPHONY, 2, "behind"), message(WEIXIN, 3, "in"))
    waits, behind = await hands.claim(WEIXIN)
    await hands.end(waits, Step.WAIT, reason="window")
    await hands.end(behind, Step.GIVE_BACK)
    await hands.store.end_pair(1, "carol", "left the firm")
    assert set((await hands.states("deliveries")).values()) == {"dropped", "ready"}
    dropped = "SELECT DISTINCT reason FROM deliveries WHERE state = 'dropped'"
    assert await hands.rows(dropped) == [("unpaired",)]
    assert [one.facts["message"] for one in await hands.entries("delivery:dropped")] == [1, 2, 3]
    assert await hands.send(SYMPHONY) == [words.say("ended", "en")]
    assert await hands.send(WEIXIN) == [words.say("ended", "zh-Hans")]
    await verified(hands)


async def test_what_comes_back_after_its_pair_was_ended_is_dropped(hands: Hands) -> None:
    """It was in hand when the pair was ended: if it did not arrive then, it never will."""
    await hands.say(message(SYMPHONY, 1, "in hand"))
    (claim,) = await hands.claim(WEIXIN)
    await hands.store.end_pair(1, "carol", "left the firm")
    assert await hands.states("deliveries") == {1: "claimed"}
    await hands.end(claim, Step.RETRY, at=hands.clock.now(), reason="unreachable")
    assert await hands.claim(WEIXIN) == []
    assert (await hands.states("deliveries"))[1] == "dropped"
    assert await hands.send(SYMPHONY) == [words.say("ended", "en")]
    await verified(hands)


async def test_what_is_held_of_an_ended_pair_can_only_be_rejected(hands: Hands) -> None:
    """Not even when the two are paired anew: what may pass between them now was not written under this."""
    await hands.say(message(SYMPHONY, 1, "HOLD"))
    await hands.store.end_pair(1, "carol", "left the firm")
    await hands.store.make_pair(PAIR, "carol", "came back")
    with pytest.raises(Conflict, match="pair 1, which has been ended"):
        await hands.store.decide_hold(1, "carol", "harmless", passed=True)
    assert await hands.states("reviews") == {1: "open"}
    await hands.store.decide_hold(1, "carol", "too late", passed=False)
    assert (await hands.states("messages"))[1] == "rejected"


async def verified(hands: Hands) -> None:
    """The whole record adds up."""
    findings: list[object] = []
    await hands.store.read(lambda db: verify(db, hands.store.blobs.root, findings.append))
    assert findings == []


async def test_a_pair_begins_where_its_room_begins(hands: Hands) -> None:
    """The room's stream is read from the moment of pairing, and a second pair does not move that."""
    first = await hands.store.cursors(SYMPHONY)
    assert first == {f"stream:{STREAM}": str(hands.clock.now())}
    hands.clock.forward(1000)
    await hands.store.make_pair(PAIR | {"advisor": "7002"}, "carol", "cover")
    assert await hands.store.cursors(SYMPHONY) == first
    assert PAIR["contact"] == CONTACT
    assert PAIR["advisor"] == ALICE


# --- policies and languages -----------------------------------------------------------------------------


async def test_a_policy_is_activated_once(hands: Hands) -> None:
    """The same files again, as at every start of the daemon, are not a new fact; others are."""
    for policies in ([("a", "11")], [("a", "11")], [("a", "22")], [("a", "11")]):
        await hands.store.activate_policy(policies, "weighbridge", "start")
    entries = await hands.entries("policy:activated")
    assert [entry.facts["policies"] for entry in entries] == [["11"], ["22"], ["11"]]
    assert (await the_act(hands, "policy:activated"))["policies"] == [["a", "11"]]


async def test_strangers_are_addressed_in_their_networks_language(hands: Hands) -> None:
    """Later words to people whose language nobody knows are in the language set for their network."""
    await hands.store.set_languages({SYMPHONY: "en", WEIXIN: "zh-Hant"})
    await hands.say(message(WEIXIN, 1, "spam", conversation="wkDesk/wmHan", sender="wmHan"))
    await hands.store.decide_hold(1, "carol", "spam", passed=False)
    assert (await hands.send(WEIXIN))[-1] == words.say("rejected", "zh-Hant")
