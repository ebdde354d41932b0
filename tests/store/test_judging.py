"""Judgement: what follows from each verdict, in the tables, in the ledger, and in what people are shown."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from rig import CONTACT, PAIR, Clock, Hands, judge, message, new_store, opened
from sqlalchemy import text

from bridge import pipeline, words
from bridge.errors import Conflict, Refused, StoreError, Unreachable
from bridge.message import (
    SYMPHONY,
    WEIXIN,
    Blob,
    Cause,
    File,
    Kind,
    Message,
    Outcome,
    Permit,
    Receipt,
    Traffic,
    Verdict,
)
from bridge.ports import Attempt, Ruling, Step
from bridge.store.uses import Uses
from bridge.store.verify import verify

STRANGER = {"conversation": "wkDesk/wmStranger", "sender": "wmStranger"}


def zh(key: str) -> str:
    """The bridge's words to 李雷."""
    return words.say(key, "zh-Hans")


def en(key: str) -> str:
    """The bridge's words to Alice."""
    return words.say(key, "en")


def alice(number: int, text: str, **more: Any) -> Message:
    """Alice writes."""
    return message(SYMPHONY, number, text, **more)


def client(number: int, text: str, **more: Any) -> Message:
    """李雷 writes."""
    return message(WEIXIN, number, text, **more)


def recall(number: int, of: int, **more: Any) -> Message:
    """李雷 takes a message back."""
    return client(number, "", kind=Kind.RECALL, refers_to=str(of), **more)


# --- verdicts -------------------------------------------------------------------------------------------


async def test_what_may_pass_gets_one_permit(hands: Hands) -> None:
    """A delivered message has a verdict, an entry, and one permit into the other's chat."""
    await hands.say(alice(1, "good morning"))
    assert await hands.states("messages") == {1: "passed"}
    (claim,) = await hands.claim(WEIXIN)
    permit = claim.permit
    assert (permit.network, permit.conversation, permit.message_seq) == (WEIXIN, CONTACT, 1)
    assert (permit.content.text, permit.content.author) == ("good morning", "Alice Wong")
    assert len(permit.id) == 20
    kinds = [entry.kind for entry in await hands.entries()][-3:]
    assert kinds == ["message:archived", "message:judged", "delivery:permitted"]
    assert await hands.claim(WEIXIN) == []


async def test_what_is_masked_leaves_masked(hands: Hands) -> None:
    """The reader gets the verdict's text; the archive keeps the original."""
    await hands.say(alice(1, "account MASK"))
    assert await hands.send(WEIXIN) == ["account ****"]
    (archived,) = await hands.entries("message:archived")
    assert b"account MASK" in await hands.body(archived.seq)


async def test_what_is_blocked_goes_nowhere_and_its_sender_is_told(hands: Hands) -> None:
    """No permit; a notice in the sender's own chat, in his language."""
    await hands.say(alice(1, "BLOCK"), client(2, "BLOCK"))
    assert (await hands.states("messages"))[1] == "blocked"
    assert await hands.send(SYMPHONY) == [en("block")]
    assert await hands.send(WEIXIN) == [zh("block")]


async def test_what_is_held_waits_and_its_sender_is_told(hands: Hands) -> None:
    """A hold is open for review, and the reader sees nothing of it."""
    await hands.say(client(1, "HOLD"))
    assert await hands.states("reviews") == {1: "open"}
    assert await hands.send(SYMPHONY) == []
    assert await hands.send(WEIXIN) == [zh("hold")]


async def test_a_stranger_is_held_and_told(hands: Hands) -> None:
    """Whoever is paired with nobody is archived and held; the words are those of the network's people."""
    await hands.say(client(1, "let me in", **STRANGER))
    assert await hands.states("messages") == {1: "held", 2: "passed"}
    (claim,) = await hands.claim(WEIXIN)
    assert (claim.permit.conversation, claim.permit.content.text) == (
        STRANGER["conversation"],
        zh("unpaired"),
    )


async def test_a_colleague_in_the_room_is_not_the_advisor(hands: Hands) -> None:
    """In a paired chat, only the paired person's words pass."""
    await hands.say(alice(1, "psst", sender="7002"))
    assert await hands.send(WEIXIN) == []
    assert await hands.states("reviews") == {1: "open"}


async def test_a_permit_for_nobody_is_not_made(hands: Hands) -> None:
    """Even a verdict that says "deliver" makes no permit when there is no pair."""
    await hands.archive(client(1, "let me in", **STRANGER))
    (one,) = await hands.store.unjudged(9)
    verdict = Verdict(Outcome.DELIVER, Cause.DEFAULT, "let me in")
    await hands.store.record_rulings([Ruling(one, verdict)])
    assert await hands.rows("SELECT * FROM deliveries") == []


async def test_a_networks_remark_is_noted(hands: Hands) -> None:
    """Archived, not judged, not relayed, told to nobody."""
    await hands.say(client(1, "somebody entered", kind=Kind.NOTE))
    assert await hands.states("messages") == {1: "noted"}
    assert await hands.send(SYMPHONY) + await hands.send(WEIXIN) == []
    assert [entry.kind for entry in await hands.entries()][-1] == "message:noted"


async def test_a_message_is_judged_once(hands: Hands) -> None:
    """The same rulings a second time change nothing and are refused."""
    await hands.archive(alice(1, "hello"))
    rulings = pipeline.decide(await hands.store.unjudged(9), judge, 0, {})
    await hands.store.record_rulings(rulings)
    before = await hands.entries()
    with pytest.raises(Conflict):
        await hands.store.record_rulings(rulings)
    assert await hands.entries() == before
    assert await hands.send(WEIXIN) == ["hello"]


async def test_who_lost_the_lane_judges_nothing(hands: Hands) -> None:
    """A daemon whose lane was taken over makes no permit."""
    await hands.archive(alice(1, "hello"))
    hands.store.epoch -= 1
    with pytest.raises(StoreError, match="taken by another daemon"):
        await hands.judge()
    hands.store.epoch += 1
    assert await hands.rows("SELECT * FROM deliveries") == []


async def test_one_bad_ruling_takes_its_whole_batch_back(hands: Hands) -> None:
    """A batch is judged whole or not at all; its messages are simply offered again."""
    await hands.archive(alice(1, "HOLD"), alice(2, "two"))
    rulings = pipeline.decide(await hands.store.unjudged(9), judge, 0, {WEIXIN: "en", SYMPHONY: "en"})
    with pytest.raises(Conflict):
        await hands.store.record_rulings([*rulings, rulings[1]])
    assert len(await hands.store.unjudged(9)) == 2
    assert await hands.rows("SELECT * FROM reviews") == []


# --- notices --------------------------------------------------------------------------------------------


async def test_a_notice_is_archived_and_judged_as_any_message(hands: Hands) -> None:
    """The bridge's own words are evidence too: entry, verdict, permit, and which message they are about."""
    await hands.say(alice(1, "BLOCK"))
    assert await hands.rows("SELECT id, notice_for, state FROM messages WHERE id > 1") == [(2, 1, "passed")]
    (notice,) = await hands.entries("notice:archived")
    assert notice.facts == {"message": 2, "about": 1, "network": SYMPHONY}
    (claim,) = await hands.claim(SYMPHONY)
    assert (claim.permit.content.notice, claim.permit.content.author) == (True, "")


async def test_nobody_is_told_about_a_notice(hands: Hands) -> None:
    """A notice that cannot be delivered is parked in silence: words about words would never end."""
    await hands.say(alice(1, "BLOCK"))
    (claim,) = await hands.claim(SYMPHONY)
    await hands.end(claim, Step.PARK, reason="too-large", notice="too-large")
    assert len(await hands.entries("notice:archived")) == 1
    assert await hands.claim(SYMPHONY) == []


# --- gaps and waiting -----------------------------------------------------------------------------------


async def test_a_gap_is_shown_once(hands: Hands) -> None:
    """The first message that passes a held one says that something is missing; the next does not."""
    await hands.say(alice(1, "HOLD"), alice(2, "two"), alice(3, "three"))
    await hands.say(alice(4, "four"))
    assert await hands.send(WEIXIN) == [f"{zh('gap')}\ntwo", "three", "four"]


async def test_each_gap_is_shown(hands: Hands) -> None:
    """Two held messages in a row are one gap; a later one is another."""
    await hands.say(alice(1, "HOLD"), alice(2, "HOLD"), alice(3, "three"))
    await hands.say(alice(4, "HOLD"), alice(5, "BLOCK"), alice(6, "six"))
    assert await hands.send(WEIXIN) == [f"{zh('gap')}\nthree", f"{zh('gap')}\nsix"]


async def test_a_gap_is_of_its_own_chat(hands: Hands) -> None:
    """What is held on one side is no gap on the other."""
    await hands.say(alice(1, "HOLD"), client(2, "hello"))
    assert await hands.send(SYMPHONY) == [en("hold"), "hello"]


async def test_a_stranger_leaves_no_gap(hands: Hands) -> None:
    """What was held because nobody is there is missed by nobody."""
    await hands.say(client(1, "hi", sender="wmOther"), client(2, "hello"))
    assert await hands.send(SYMPHONY) == ["hello"]


@pytest.mark.parametrize("batches", [1, 4], ids=["in one batch", "one by one"])
async def test_a_conversation_waits_behind_a_hold_that_says_so(hands: Hands, batches: int) -> None:
    """Behind it nothing is judged, in its conversation alone; after the decision all goes on, in order."""
    said = [alice(1, "one"), alice(2, "WAIT"), alice(3, "three"), client(4, "hello")]
    for at in range(batches):
        await hands.say(*(said if batches == 1 else said[at : at + 1]))
    assert await hands.send(WEIXIN) == ["one"]
    assert await hands.send(SYMPHONY) == [en("hold"), "hello"] if batches == 1 else ["hello"]
    assert await hands.store.unjudged(9) == []
    await hands.store.decide_hold(2, "carol", "harmless", passed=True)
    await hands.judge()
    assert await hands.send(WEIXIN) == [f"{zh('late')}\nWAIT", "three"]


# --- recalls and edits ----------------------------------------------------------------------------------


async def test_what_is_recalled_while_held_is_gone(hands: Hands) -> None:
    """The hold closes, nobody can release it any more, and the reader hears nothing."""
    await hands.say(client(1, "HOLD"), recall(2, of=1))
    assert (await hands.states("messages"))[1] == "recalled"
    assert await hands.states("reviews") == {1: "recalled"}
    with pytest.raises(Conflict):
        await hands.store.decide_hold(1, "carol", "why not", passed=True)
    assert await hands.send(SYMPHONY) == []
    (fact,) = await hands.entries("message:recalled")
    assert fact.facts == {"message": 1, "by": 2}


async def test_what_makes_its_conversation_wait_can_be_taken_back(hands: Hands) -> None:
    """At once, not after the review; and what waited behind it goes on."""
    await hands.say(client(1, "WAIT"), client(2, "patient"))
    await hands.say(recall(3, of=1))
    assert await hands.states("reviews") == {1: "recalled"}
    assert (await hands.states("messages"))[2] == "new"
    await hands.judge()
    assert await hands.send(SYMPHONY) == ["patient"]


async def test_what_waits_behind_a_hold_can_be_taken_back(hands: Hands) -> None:
    """Before anybody has judged it: it is never judged, and the record stays whole."""
    await hands.say(client(1, "WAIT"), client(2, "regretted"), recall(3, of=2), client(4, "patient"))
    await hands.judge()
    states = await hands.states("messages")
    assert (states[1], states[2], states[3], states[4]) == ("held", "recalled", "noted", "new")
    (fact,) = await hands.entries("message:recalled")
    assert (fact.subject, fact.facts) == ("message/2", {"message": 2, "by": 3})
    await hands.store.decide_hold(1, "carol", "harmless", passed=True)
    await hands.judge()
    assert [text.split("\n")[-1] for text in await hands.send(SYMPHONY)] == ["WAIT", "patient"]
    findings: list[object] = []
    await hands.store.read(lambda db: verify(db, hands.store.blobs.root, findings.append))
    assert findings == []


async def test_what_was_sent_before_a_hold_is_recalled_in_its_turn(hands: Hands) -> None:
    """The reader has it; that it was taken back is told behind the hold, in the order of the conversation."""
    await hands.say(client(1, "read"))
    assert await hands.send(SYMPHONY) == ["read"]
    await hands.say(client(2, "WAIT"), recall(3, of=1))
    assert await hands.judge() == []
    assert (await hands.states("messages"))[3] == "new"


async def test_what_is_recalled_before_it_went_is_not_sent(hands: Hands) -> None:
    """Message and recall in one batch: neither reaches the reader; the dropped permit names the recall."""
    await hands.say(client(1, "oops"), recall(2, of=1), client(3, "hello"))
    assert await hands.send(SYMPHONY) == ["hello"]
    (dropped,) = await hands.entries("delivery:dropped")
    assert dropped.facts == {"reason": "recalled", "by": 2}


async def test_what_is_recalled_after_it_was_sent_is_told(hands: Hands) -> None:
    """The reader is told, with what he knows of it: the text that was allowed out."""
    await hands.say(client(1, "my MASK"))
    await hands.send(SYMPHONY)
    await hands.say(recall(2, of=1))
    (claim,) = await hands.claim(SYMPHONY)
    assert (claim.permit.content.text, claim.permit.content.quote) == (en("recalled"), "my ****")


async def test_what_is_recalled_while_it_is_being_sent_is_told(hands: Hands) -> None:
    """What may have arrived counts as arrived."""
    await hands.say(client(1, "oops"))
    (claim,) = await hands.claim(SYMPHONY)
    await hands.say(recall(2, of=1))
    await hands.end(claim)
    assert await hands.send(SYMPHONY) == [en("recalled")]


async def test_what_is_recalled_after_an_uncertain_attempt_is_told(hands: Hands) -> None:
    """A retry that may already have arrived is not dropped in silence."""
    await hands.say(client(1, "oops"))
    (claim,) = await hands.claim(SYMPHONY)
    await hands.end(claim, Step.RETRY, at=hands.clock.now() + 1, uncertain=True)
    await hands.say(recall(2, of=1))
    hands.clock.forward(1)
    assert await hands.send(SYMPHONY) == ["oops", en("recalled")]


class Away:
    """A network that got nothing, and that says so, as `bridge.ports.Connector.send` demands."""

    def __init__(self, error: Unreachable | Refused) -> None:
        self.error = error

    async def send(self, permit: Permit, traffic: Traffic) -> Receipt:
        """Nothing is sent."""
        raise self.error


async def fail(hands: Hands, error: Unreachable | Refused, *, restart: bool) -> None:
    """The first attempt, of this process or of the next one, comes to nothing."""
    if restart:
        hands.clock.forward(60_000)
        hands.store._uses = Uses(hands.clock.now())
    (claim,) = await hands.claim(SYMPHONY)
    house = SimpleNamespace(clock=hands.clock, pace=pipeline.Pace())
    attempt = await pipeline.attempt_to_send(Away(error), claim, house)  # type: ignore[arg-type]
    await hands.store.record_attempts([attempt])
    hands.clock.forward(10_000)


NOTHING_SENT = [Unreachable("no connection", certain=True), Refused("too-large", "too large")]


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("error", NOTHING_SENT)
async def test_a_restart_shows_nobody_what_was_taken_back(
    hands: Hands, error: Unreachable | Refused, restart: bool
) -> None:
    """That a permit is older than the process is no sign that its reader has seen anything."""
    await hands.say(client(1, "my secret"))
    await fail(hands, error, restart=restart)
    assert await hands.rows("SELECT uncertain FROM deliveries WHERE message = 1") == [(0,)]
    await hands.say(recall(2, of=1))
    told = await hands.send(SYMPHONY)
    assert "my secret" not in told and en("recalled") not in told
    assert (await hands.states("deliveries"))[1] == "dropped"


@pytest.mark.parametrize("restart", [False, True])
async def test_a_restart_shows_nobody_what_was_said_wrongly(hands: Hands, restart: bool) -> None:
    """Said anew before its reader saw it, only the new version goes."""
    await hands.say(client(1, "pay 100000"))
    await fail(hands, NOTHING_SENT[0], restart=restart)
    await hands.say(client(2, "pay 1000", replaces="1"))
    assert await hands.send(SYMPHONY) == ["pay 1000"]


async def test_what_is_recalled_while_parked_never_goes(hands: Hands) -> None:
    """The desk cannot send what its author took back."""
    await hands.say(client(1, "oops"))
    (claim,) = await hands.claim(SYMPHONY)
    await hands.end(claim, Step.PARK, reason="too-large", notice="too-large")
    await hands.say(recall(2, of=1))
    with pytest.raises(Conflict):
        await hands.store.retry_delivery(claim.permit.id, "carol", "again")
    assert await hands.send(SYMPHONY) == []


async def test_what_is_recalled_while_it_waits_never_goes(hands: Hands) -> None:
    """A closed reply window does not keep a message alive that was taken back."""
    await hands.say(alice(1, "oops"))
    (claim,) = await hands.claim(WEIXIN)
    await hands.end(claim, Step.WAIT, reason="window", notice="window")
    await hands.say(message(SYMPHONY, 2, "", kind=Kind.RECALL, refers_to="1"))
    await hands.archive(client(3, "I am back"))
    assert await hands.send(WEIXIN) == []


@pytest.mark.parametrize("text", ["BLOCK", "never seen"])
async def test_a_recall_of_what_nobody_saw_tells_nobody(hands: Hands, text: str) -> None:
    """Neither a blocked message nor one that never passed here is spoken of to the other side."""
    if text == "BLOCK":
        await hands.say(client(1, text))
    await hands.say(recall(2, of=1))
    assert await hands.send(SYMPHONY) == []
    assert "noted" in (await hands.states("messages")).values()


async def test_an_edit_is_marked_and_names_what_it_replaces(hands: Hands) -> None:
    """The reader sees that it is an edit, and of which text: the one he was shown."""
    await hands.say(alice(1, "at 3 MASK"))
    await hands.send(WEIXIN)
    await hands.say(alice(2, "at 4", replaces="1"))
    (claim,) = await hands.claim(WEIXIN)
    assert claim.permit.content.text == f"{zh('edited')}\nat 4"
    assert claim.permit.content.quote == "at 3 ****"


async def test_an_edit_of_a_held_message_shows_nothing_of_it(hands: Hands) -> None:
    """What was never allowed out is never quoted."""
    await hands.say(alice(1, "HOLD secret"), alice(2, "harmless", replaces="1"))
    (claim,) = await hands.claim(WEIXIN)
    assert claim.permit.content.quote == ""
    assert "secret" not in claim.permit.content.text


async def test_an_edit_takes_the_place_of_what_nobody_has_read(hands: Hands) -> None:
    """Held or not yet sent, the earlier version goes no further; to its reader the later one is no edit."""
    await hands.say(alice(1, "HOLD it"), alice(2, "tea?"), alice(3, "harmless", replaces="1"))
    await hands.say(alice(4, "coffee?", replaces="2"))
    assert (await hands.states("messages"))[1] == "recalled"
    assert await hands.states("reviews") == {1: "recalled"}
    assert await hands.send(WEIXIN) == ["harmless", "coffee?"]


@pytest.mark.parametrize("held", ["HOLD it", "WAIT for it"])
async def test_who_takes_the_original_back_takes_back_its_held_versions(hands: Hands, held: str) -> None:
    """By the first one's id, whether it was sent or replaced unread: no version stays to be released, even
    where the conversation waits behind it."""
    await hands.say(client(1, "at 3"))
    await hands.send(SYMPHONY)
    for batch in (
        (client(2, held, replaces="1"), recall(3, of=1)),
        (client(4, held), client(5, held, replaces="4"), client(6, held, replaces="5")),
        (recall(7, of=4),),
    ):
        await hands.archive(*batch)
        while await hands.judge():
            pass
    assert set((await hands.states("reviews")).values()) == {"recalled"}
    assert "held" not in (await hands.states("messages")).values()
    assert await hands.send(SYMPHONY) == [en("recalled")]  # of the one that had been read


async def test_an_unsent_version_does_not_go_out_after_the_original_was_taken_back(hands: Hands) -> None:
    """Its permit is dropped; a version that was read is taken back before its reader's eyes."""
    await hands.say(client(1, "HOLD it"), client(2, "harmless", replaces="1"), recall(3, of=1))
    assert await hands.send(SYMPHONY) == []
    await hands.say(client(4, "HOLD it"), client(5, "harmless", replaces="4"))
    assert await hands.send(SYMPHONY) == ["harmless"]
    await hands.say(recall(6, of=4))
    assert await hands.send(SYMPHONY) == [en("recalled")]


async def test_a_reply_quotes_what_passed_and_never_another_chat(hands: Hands) -> None:
    """An answer shows the text it answers as the reader was shown it; a text of other people, never."""
    await hands.say(alice(1, "MASK or tea?"))
    await hands.send(WEIXIN)
    await hands.say(client(2, "tea", refers_to="1"))
    await hands.store.make_pair(
        PAIR | {"stream": "stream-2", "contact": "wkDesk/wmHan", "contact_name": ""},
        "carol",
        "second client",
    )
    await hands.say(alice(3, "as I told you", refers_to="1", conversation="stream-2"))
    (claim,) = await hands.claim(WEIXIN)
    assert (claim.permit.conversation, claim.permit.content.quote) == ("wkDesk/wmHan", "")


async def test_a_reply_to_our_delivery_quotes_it(hands: Hands) -> None:
    """The network names what is answered by its own id of our delivery: the receipt leads back to it."""
    await hands.say(alice(1, "tea or MASK?"))
    (claim,) = await hands.claim(WEIXIN)
    await hands.end(claim)
    await hands.say(client(2, "tea", refers_to=f"id-of-{claim.permit.id}"))
    (answer,) = await hands.claim(SYMPHONY)
    assert answer.permit.content.quote == "tea or ****?"


# --- failures told later --------------------------------------------------------------------------------


async def failed(hands: Hands, said_of: str) -> None:
    """Weixin says that one of ours never arrived."""
    await hands.say(client(50, "", kind=Kind.FAILED, refers_to=said_of))


async def test_a_failed_delivery_is_noted_and_its_sender_told(hands: Hands) -> None:
    """The delivery is failed, and Alice hears that the client never got it, once."""
    await hands.say(alice(1, "hello"))
    (claim,) = await hands.claim(WEIXIN)
    await hands.end(claim)
    await failed(hands, f"id-of-{claim.permit.id}")
    await hands.say(client(51, "", kind=Kind.FAILED, refers_to=f"id-of-{claim.permit.id}"))
    assert await hands.states("deliveries") | {2: ""} == {1: "failed", 2: "", 3: "ready"}
    assert await hands.send(SYMPHONY) == [en("undelivered")]
    (fact,) = await hands.entries("delivery:failed")
    assert fact.facts == {"message": 1, "said_by": 2}


async def test_a_failure_told_before_its_receipt_is_not_lost(hands: Hands) -> None:
    """The network may be faster with the failure than with its answer to our post."""
    await hands.say(alice(1, "hello"))
    (claim,) = await hands.claim(WEIXIN)
    await failed(hands, f"id-of-{claim.permit.id}")
    assert await hands.send(SYMPHONY) == []
    await hands.end(claim)
    assert (await hands.states("deliveries"))[1] == "failed"
    assert await hands.send(SYMPHONY) == [en("undelivered")]


async def test_a_failure_of_somebody_elses_message_is_noted_only(hands: Hands) -> None:
    """What names nothing of ours changes nothing."""
    await hands.say(alice(1, "hello"))
    (claim,) = await hands.claim(WEIXIN)
    await failed(hands, "another-id")
    await hands.end(claim)
    assert (await hands.states("deliveries"))[1] == "sent"


# --- what is read ---------------------------------------------------------------------------------------


async def test_what_is_offered_is_what_was_archived(hands: Hands) -> None:
    """A message comes back from the archive as it went in, with its route and its time."""
    sent = alice(1, "hello", quote="q", sender_name="A. Wong", address="alice.wong@bank.example")
    await hands.archive(sent)
    (one,) = await hands.store.unjudged(9)
    assert (one.seq, one.archived_at) == (1, hands.clock.now())
    assert one.message.text == "hello"
    assert (one.message.sender_name, one.message.quote) == ("A. Wong", "q")
    assert one.route is not None
    assert (one.route.network, one.route.conversation) == (WEIXIN, CONTACT)
    assert (one.route.sender.address, one.route.recipient.name) == ("alice.wong@bank.example", "李雷")


async def test_a_pair_made_in_between_is_found(hands: Hands) -> None:
    """Who is paired after writing, and before being judged, is judged as paired, and read in the language."""
    await hands.store.end_pair(1, "carol", "left")
    await hands.archive(alice(1, "hello"))
    await hands.store.make_pair(PAIR, "carol", "back")
    await hands.judge()
    (claim,) = await hands.claim(WEIXIN)
    assert (claim.permit.content.author, claim.permit.content.language) == ("Alice Wong", "zh-Hans")


async def test_files_go_with_their_message(hands: Hands) -> None:
    """A permit names the archived attachments; of what could not be had, nothing goes."""
    files = (File("r1", "a.txt"), File("r2", "b.txt"))
    await hands.archive(alice(1, "see", kind=Kind.FILE, files=files))
    first, second = await hands.store.wanted_files(SYMPHONY, 9)
    await hands.store.settle_file(first, Blob("ab" * 32, 3, "a.txt"))
    await hands.store.settle_file(second, None, "expired")
    await hands.judge()
    await hands.store.decide_hold(1, "carol", "the rest will do", passed=True)
    (claim,) = await hands.claim(WEIXIN)
    assert [blob.name for blob in claim.permit.content.files] == ["a.txt"]


async def test_hidden_characters_stay_in_the_archive(hands: Hands) -> None:
    """The reader gets neither them nor a file's name that is turned round; the archive keeps what came."""
    await hands.archive(alice(1, "pay \u202e0001\x9b", kind=Kind.FILE, files=(File("r1", "a\u202efdp.exe"),)))
    (wanted,) = await hands.store.wanted_files(SYMPHONY, 9)
    await hands.store.settle_file(wanted, Blob("ab" * 32, 3, wanted.file.name))
    await hands.judge()
    (claim,) = await hands.claim(WEIXIN)
    content = claim.permit.content
    assert (content.text, content.files[0].name) == ("pay 0001\ufffd", "afdp.exe")
    (archived,) = await hands.entries("message:archived")
    assert orjson.loads(await hands.body(archived.seq))["text"] == "pay \u202e0001\x9b"


async def test_the_work_is_there_after_a_restart(tmp_path: Path) -> None:
    """What was archived and not judged is simply the next thing to take, for whoever opens the store."""
    new_store(tmp_path)
    first = opened(tmp_path, Clock())
    hands = Hands(first, Clock())
    await first.own("the first")
    await hands.archive(alice(1, "hello"))
    first.close()
    store = opened(tmp_path, hands.clock)
    await store.own("the next")
    again = Hands(store, hands.clock)
    await again.judge()
    assert await again.send(WEIXIN) == ["hello"]
    store.close()


# --- what cannot be opened ------------------------------------------------------------------------------

SPOILED = {
    "its words": "UPDATE content SET body = salt WHERE seq = (SELECT entry FROM messages WHERE id = 1)",
    "its key": "DELETE FROM data_keys WHERE seq = (SELECT entry FROM messages WHERE id = 1)",
}


@pytest.mark.parametrize("limit", [1, 9])
@pytest.mark.parametrize("name", SPOILED)
async def test_what_does_not_open_stops_its_conversation_alone(hands: Hands, name: str, limit: int) -> None:
    """Nothing behind it is judged there, so that nothing overtakes it; everywhere else things go on."""
    await hands.archive(message(SYMPHONY, 1), message(SYMPHONY, 2, "behind"), message(WEIXIN, 3, "beside"))
    await hands.store.write(lambda tx: tx.db.exec_driver_sql(SPOILED[name]) and None)
    told: list[int] = []
    (one,) = await hands.store.unjudged(limit, unreadable=told.append)
    assert (one.message.text, set(told)) == ("beside", {1})


@pytest.mark.parametrize("name", SPOILED)
async def test_a_recall_goes_past_what_does_not_open(hands: Hands, name: str) -> None:
    """What stands between a message and its recall, and has nothing to do with either, stops neither."""
    await hands.say(client(2, "another"), client(1, "oops"))
    await hands.say(client(3, "no version of it"))
    await hands.store.write(
        lambda tx: tx.db.exec_driver_sql(SPOILED[name].replace("id = 1", "source_id = '3'")) and None
    )
    await hands.say(recall(4, of=1))
    assert [facts["by"] for facts in await dropped(hands)] == [4]


@pytest.mark.parametrize("name", SPOILED)
@pytest.mark.parametrize("sent", [False, True], ids=["waits", "was sent"])
async def test_a_version_that_does_not_open_is_recalled_all_the_same(
    hands: Hands, name: str, sent: bool
) -> None:
    """The ledger says what it is a version of: it is taken off its way, or its reader is told."""
    await hands.say(client(2, "another"), client(1, "oops"))
    await hands.say(client(3, "second", replaces="1"))
    await hands.say(client(5, "third", replaces="3"))
    if sent:
        await hands.send(SYMPHONY)
    for spoiled in ("source_id = '3'", "source_id = '5'"):
        change = SPOILED[name].replace("id = 1", spoiled)
        await hands.store.write(lambda tx, change=change: tx.db.exec_driver_sql(change) and None)
    await hands.say(recall(4, of=1))
    recalls = [facts["by"] for facts in await dropped(hands) if facts["reason"] == "recalled"]
    assert recalls == ([] if sent else [5])
    texts = await hands.send(SYMPHONY)
    assert "third" not in "".join(texts)
    assert not sent or len(texts) == 1
    assert (await hands.states("deliveries"))[4] == ("sent" if sent else "dropped")


async def test_a_recall_waits_for_what_may_be_a_version(hands: Hands) -> None:
    """Behind a hold, nobody has said yet what a message is that does not open: it is named, and once it is
    put right all of it is taken back at once."""
    await hands.say(client(1, "HOLD"), client(2, "WAIT"), client(3, "regretted", replaces="1"))
    query = "SELECT body FROM content WHERE seq = (SELECT entry FROM messages WHERE id = 3)"
    ((whole,),) = await hands.rows(query)
    await hands.store.write(
        lambda tx: tx.db.exec_driver_sql(SPOILED["its words"].replace("id = 1", "source_id = '3'")) and None
    )
    await hands.archive(recall(4, of=1))
    told: list[int] = []
    assert await hands.store.unjudged(9, unreadable=told.append) == []
    assert set(told) == {3}
    heal = text("UPDATE content SET body = :whole WHERE seq = (SELECT entry FROM messages WHERE id = 3)")
    await hands.store.write(lambda tx: tx.db.execute(heal, {"whole": whole}) and None)
    await hands.judge()
    states = await hands.states("messages")
    assert [states[number] for number in (1, 2, 3)] == ["recalled", "held", "recalled"]


async def dropped(hands: Hands) -> list[dict[str, Any]]:
    """What is said of deliveries that will never be made."""
    return [entry.facts for entry in await hands.entries("delivery:dropped")]


@pytest.mark.parametrize("name", SPOILED)
async def test_a_remark_that_does_not_open_is_named_where_it_may_matter(hands: Hands, name: str) -> None:
    """It came while a delivery was under way, so that it may be what failed: the delivery is written down
    as what its network answered."""
    await hands.say(alice(1, "hello"))
    (claim,) = await hands.claim(WEIXIN)
    await failed(hands, "another-id")
    change = SPOILED[name].replace("id = 1", "source_id = '50'")
    await hands.store.write(lambda tx: tx.db.exec_driver_sql(change) and None)
    told: list[int] = []
    attempt = Attempt(claim.permit, Step.SEND, claim.traffic, Receipt(("its-id",)))
    await hands.store.record_attempts([attempt], told.append)
    assert (await hands.states("deliveries"), told) == ({1: "sent"}, [2])
