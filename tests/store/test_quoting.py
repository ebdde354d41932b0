"""What stands above an answer: rows are changed behind everybody's back, and nobody else's words get there.

Rules of this file: what a reader is shown is what the claims have.
"""

from __future__ import annotations

from typing import Any

import pytest
from rig import PAIR, STREAM, Hands, message

from bridge.errors import Damaged
from bridge.message import SYMPHONY, WEIXIN, Kind, Receipt
from bridge.ports import Step
from bridge.store.documents import documents
from bridge.store.quoting import quoted
from bridge.words import QUOTE
from connectors.weixin.wire import compose

ROOM = "stream-han"

AWAY = "UPDATE messages SET source_id = 'x' WHERE source_id = 'orig'"
TO_LI = "(SELECT id FROM messages WHERE source_id = 'that')"
CHANGES = {
    "another client's words": (
        AWAY,
        f"UPDATE messages SET source_id = 'orig', conversation = '{STREAM}' WHERE source_id = 'han'",
    ),
    "words of the same chat": (AWAY, "UPDATE messages SET source_id = 'orig' WHERE source_id = 'that'"),
    "blocked words": (
        "UPDATE messages SET entry = (SELECT entry FROM messages WHERE source_id = 'blocked') "
        "WHERE source_id = 'orig'",
    ),
    "a verdict on blocked words": (
        "UPDATE verdicts SET entry = (SELECT entry FROM verdicts WHERE outcome = 'block') "
        "WHERE message = (SELECT id FROM messages WHERE source_id = 'orig')",
    ),
    "what a receipt of another network leads to": (
        AWAY,
        "UPDATE receipts SET network = 'symphony', id = 'orig' "
        f"WHERE permit = (SELECT permit FROM deliveries WHERE message = {TO_LI})",
        f"UPDATE deliveries SET network = 'symphony', conversation = '{STREAM}' WHERE message = {TO_LI}",
    ),
}
BACK = (
    "UPDATE messages SET source_id = 'that' WHERE source_id = 'orig'",
    "UPDATE messages SET source_id = 'orig' WHERE source_id = 'x'",
)


@pytest.fixture
async def answered(hands: Hands) -> Hands:
    """Alice has written to Han Meimei, once in vain, and to 李雷 twice; now she answers herself."""
    pair = PAIR | {"stream": ROOM, "contact": "wkDesk/wmHan", "contact_name": "韩梅梅"}
    await hands.store.make_pair(pair, "carol", "second")
    await hands.say(message(SYMPHONY, "han", "for Han", conversation=ROOM))
    await hands.say(message(SYMPHONY, "blocked", "BLOCK this", conversation=ROOM))
    await hands.say(message(SYMPHONY, "orig", "MASK this"), message(SYMPHONY, "that", "and that"))
    await hands.send(WEIXIN)
    await hands.say(message(SYMPHONY, 5, "an answer", refers_to="orig"))
    return hands


async def change(hands: Hands, *statements: str) -> None:
    """Change the database behind everybody's back."""
    await hands.store.write(lambda tx: [tx.db.exec_driver_sql(one) for one in statements] and None)


@pytest.mark.parametrize("name", CHANGES)
async def test_nobody_elses_words_are_quoted(answered: Hands, name: str) -> None:
    """An answer whose rows lead to other words than were permitted is stopped before anybody sends it."""
    await change(answered, *CHANGES[name])
    told: list[str] = []
    assert await answered.store.claim(WEIXIN, 9, stopped=lambda _, why: told.append(why)) == []
    assert told == ["altered"]


async def test_words_that_nobody_permitted_are_not_quoted(answered: Hands) -> None:
    """A verdict that its row calls another is no permit: of what was blocked nothing is shown."""
    await change(
        answered,
        AWAY,
        "UPDATE verdicts SET outcome = 'deliver' WHERE outcome = 'block'",
        f"UPDATE messages SET source_id = 'orig', conversation = '{STREAM}' WHERE source_id = 'blocked'",
    )
    assert [one.permit.content.quote for one in await answered.claim(WEIXIN)] == [""]


async def test_what_is_put_right_goes_out_with_what_it_answers(answered: Hands) -> None:
    """A person has put the rows back, and tries again."""
    await change(answered, *CHANGES["words of the same chat"])
    assert await answered.claim(WEIXIN) == []
    ((permit,),) = await answered.rows("SELECT permit FROM deliveries WHERE state = 'parked'")
    await change(answered, *BACK)
    await answered.store.retry_delivery(permit, "carol", "put right")
    (claim,) = await answered.claim(WEIXIN)
    assert claim.permit.content.quote == "**** this"


async def test_an_id_that_a_network_never_gave_leads_to_nothing(hands: Hands) -> None:
    """A receipt is believed as far as the ledger has it: two of them exchanged are no quote of either."""
    await hands.say(message(SYMPHONY, 1, "one"), message(SYMPHONY, 2, "two"))
    await hands.send(WEIXIN)
    (first, second) = [row[0] for row in await hands.rows("SELECT id FROM receipts ORDER BY permit")]
    ((conversation,),) = await hands.rows("SELECT DISTINCT conversation FROM deliveries")
    await change(
        hands,
        f"UPDATE receipts SET id = 'z' WHERE id = '{first}'",
        f"UPDATE receipts SET id = '{first}' WHERE id = '{second}'",
    )
    with pytest.raises(Damaged, match="not what was permitted"):
        await hands.store.read(lambda db: quoted(db, WEIXIN, first, conversation))


@pytest.mark.parametrize(
    ("text", "allowed"), [("hello", "hello"), ("a MASK", "a ****"), ("HOLD it", ""), ("BLOCK it", "")]
)
async def test_only_allowed_words_are_quoted(hands: Hands, text: str, allowed: str) -> None:
    """The text of a message for others is what the verdict let out; nothing, if it let nothing out, or it has
    not arrived."""
    await hands.say(said := message(WEIXIN, 1, text))
    place = (WEIXIN, "1", said.conversation)
    assert await hands.store.read(lambda db: quoted(db, *place).text) == ""
    await hands.send(SYMPHONY)
    assert await hands.store.read(lambda db: quoted(db, *place).text) == allowed


async def test_what_a_person_kept_from_a_reader_no_edit_brings_him(hands: Hands) -> None:
    """Refused, and dropped by a person: its edit goes out alone, and so does the recall of both."""
    await hands.say(message(SYMPHONY, "orig", "never to be said"))
    (claim,) = await hands.claim(WEIXIN)
    await hands.end(claim, Step.PARK, reason="compliance")
    await hands.store.drop_delivery(claim.permit.id, "carol", "must not go out")
    await hands.say(message(SYMPHONY, "edit", "other words", replaces="orig"))
    await hands.say(message(SYMPHONY, "back", "", kind=Kind.RECALL, refers_to="orig"))
    quotes = [(one.permit.content.text, one.permit.content.quote) for one in await hands.claim(WEIXIN)]
    assert quotes
    assert {quote for _, quote in quotes} == {""}


@pytest.mark.parametrize(
    ("step", "more", "quote"),
    [
        (Step.SEND, {}, "the words"),
        (Step.PARK, {"reason": "too-large", "receipt": Receipt(("part",))}, "the words"),
        (Step.PARK, {"reason": "compliance"}, ""),
    ],
)
async def test_what_is_on_its_way_is_waited_for(
    hands: Hands, step: Step, more: dict[str, Any], quote: str
) -> None:
    """An answer that is due together with what it is about is taken when it is known what arrived of that:
    whole or a part, and it is quoted; nothing, and it is not."""
    await hands.say(message(SYMPHONY, "orig", "the words"))
    await hands.say(
        message(SYMPHONY, "answer", "other words", refers_to="orig"), message(SYMPHONY, 3, "and more")
    )
    (first,) = await hands.claim(WEIXIN)
    assert (first.permit.content.text, await hands.claim(WEIXIN)) == ("the words", [])
    await hands.end(first, step, **more)
    answer, last = await hands.claim(WEIXIN)
    assert (answer.permit.content.quote, last.permit.content.text) == (quote, "and more")


async def test_the_record_has_the_quote_that_went_out(hands: Hands) -> None:
    """What arrived after the answer did was not quoted by it; what is long is cut before it is permitted, to
    what the network shows."""
    await hands.say(message(SYMPHONY, "orig", "late " * 40))
    (first,) = await hands.claim(WEIXIN)
    await hands.end(first, Step.PARK, reason="compliance")
    await hands.say(message(SYMPHONY, "answer", "other words", refers_to="orig"))
    (answer,) = await hands.claim(WEIXIN)
    await hands.end(answer)
    hands.clock.forward(1)
    await hands.store.retry_delivery(first.permit.id, "carol", "unblocked")
    await hands.send(WEIXIN)
    await hands.say(message(SYMPHONY, "again", "more words", refers_to="orig"))
    (again,) = await hands.claim(WEIXIN)
    await hands.end(again)
    shown = [one.permit.content.quote for one in (answer, again)]
    sent = {one.text: one.sent_quote for one in await hands.store.read(lambda db: documents(db, range(1, 9)))}
    assert [sent["other words"], sent["more words"]] == shown
    assert (shown[0], shown[1].startswith("late late"), shown[1][-1], len(shown[1])) == ("", True, "…", QUOTE)
    assert f"「{shown[1]}」" in compose(again.permit.content)


async def sent_quotes(hands: Hands) -> dict[str, str]:
    """The words that the record has above each message."""
    return await hands.store.read(lambda db: {one.text: one.sent_quote for one in documents(db, range(1, 9))})


@pytest.mark.parametrize("back", [0, -2_000, -300_000])
async def test_no_clock_decides_what_is_quoted(hands: Hands, back: int) -> None:
    """A clock that is corrected between a message and its edit: each try has what had arrived above it, and
    so has the record."""
    await hands.say(message(SYMPHONY, "orig", "shall we meet at ten"))
    await hands.send(WEIXIN)
    hands.clock.set_by(back)
    await hands.say(message(SYMPHONY, "edit", "no, at eleven", replaces="orig"))
    (first,) = await hands.claim(WEIXIN)
    await hands.end(first, Step.RETRY, at=hands.clock.now(), uncertain=True, reason="unreachable")
    (again,) = await hands.claim(WEIXIN)
    await hands.end(again)
    assert [one.permit.content.quote for one in (first, again)] == ["shall we meet at ten"] * 2
    assert (await sent_quotes(hands))["no, at eleven"] == "shall we meet at ten"


@pytest.mark.parametrize("lost", [False, True])
async def test_each_try_has_the_same_words_above_it(hands: Hands, lost: bool) -> None:
    """What arrives, or is lost, between two tries changes nothing: the first may have arrived as it was."""
    await hands.say(message(SYMPHONY, "orig", "the words"))
    (orig,) = await hands.claim(WEIXIN)
    await hands.end(orig, **{} if lost else {"step": Step.PARK, "reason": "compliance"})
    await hands.say(message(SYMPHONY, "answer", "other words", refers_to="orig"))
    (first,) = await hands.claim(WEIXIN)
    await hands.end(first, Step.RETRY, at=hands.clock.now(), uncertain=True, reason="unreachable")
    if lost:
        ((taken,),) = await hands.rows("SELECT id FROM receipts")
        await hands.say(message(WEIXIN, "f", "", kind=Kind.FAILED, refers_to=taken))
    else:
        await hands.store.retry_delivery(orig.permit.id, "carol", "unblocked")
    quotes = []
    while claims := await hands.claim(WEIXIN):
        for claim in claims:
            quotes += [claim.permit.content.quote] if claim.permit.id == first.permit.id else []
            await hands.end(claim)
    assert quotes == [first.permit.content.quote] == ["the words" if lost else ""]
    assert (await sent_quotes(hands))["other words"] == quotes[0]


async def test_the_record_rests_on_entries(hands: Hands) -> None:
    """What the columns say of when, and below what, a message was tried changes nothing that the record says
    of it: its entry has the permit that stood above it."""
    await hands.say(message(SYMPHONY, "orig", "the words"))
    await hands.send(WEIXIN)
    await hands.say(
        message(SYMPHONY, "answer", "other words", refers_to="orig"), message(SYMPHONY, 3, "more")
    )
    await hands.send(WEIXIN)
    first, answer, more = await hands.entries("delivery:sent")
    assert [one.facts.get("above") for one in (first, answer, more)] == [
        None, first.subject.removeprefix("delivery/"), None,
    ]  # fmt: skip
    before = await sent_quotes(hands)
    await change(hands, "UPDATE deliveries SET first_try_at = 1, above = ''")
    assert await sent_quotes(hands) == before
    assert before == {"the words": "", "other words": "the words", "more": ""}


async def test_a_choice_that_was_changed_brings_no_other_words(hands: Hands) -> None:
    """Between two tries somebody writes another permit into the row, one that never arrived or is of another
    message: nothing stands above the second try."""
    await hands.say(message(SYMPHONY, "kept", "never to be said"))
    (kept,) = await hands.claim(WEIXIN)
    await hands.end(kept, Step.PARK, reason="compliance")
    await hands.store.drop_delivery(kept.permit.id, "carol", "must not go out")
    await hands.say(message(SYMPHONY, "that", "and that"))
    (that,) = await hands.claim(WEIXIN)
    await hands.end(that)
    await hands.say(message(SYMPHONY, "edit", "other words", replaces="kept"))
    for permit in (kept.permit.id, that.permit.id):
        (claim,) = await hands.claim(WEIXIN)
        await hands.end(claim, Step.RETRY, at=hands.clock.now(), reason="unreachable")
        await change(hands, f"UPDATE deliveries SET above = '{permit}' WHERE state = 'ready'")
    (claim,) = await hands.claim(WEIXIN)
    assert (claim.permit.content.text[-11:], claim.permit.content.quote) == ("other words", "")


async def test_what_is_about_a_stopped_delivery_goes_out_without_it(hands: Hands) -> None:
    """It was altered, stopped and dropped, so that nobody was shown it: said anew, it arrives."""
    await hands.say(message(SYMPHONY, "orig", "the words"))
    await change(hands, "UPDATE deliveries SET marks = 'late'")
    assert await hands.claim(WEIXIN) == []
    ((permit,),) = await hands.rows("SELECT permit FROM deliveries WHERE state = 'parked'")
    await hands.store.drop_delivery(permit, "carol", "said anew")
    await hands.say(message(SYMPHONY, "again", "the words, said anew", replaces="orig"))
    (claim,) = await hands.claim(WEIXIN)
    assert (claim.permit.content.text.split("\n")[-1], claim.permit.content.quote) == (
        "the words, said anew",
        "",
    )
