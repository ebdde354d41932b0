"""What stands above an answer: rows are changed behind everybody's back, and nobody else's words get there.

Rules of this file: what a reader is shown is what the claims have.
"""

from __future__ import annotations

import pytest
from rig import PAIR, STREAM, Hands, message

from bridge.errors import Damaged
from bridge.message import SYMPHONY, WEIXIN
from bridge.store.quoting import quoted_text

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
        await hands.store.read(lambda db: quoted_text(db, WEIXIN, first, conversation))


@pytest.mark.parametrize(
    ("text", "allowed"), [("hello", "hello"), ("a MASK", "a ****"), ("HOLD it", ""), ("BLOCK it", "")]
)
async def test_only_allowed_words_are_quoted(hands: Hands, text: str, allowed: str) -> None:
    """The text of a message for others is what the verdict let out; nothing, if it let nothing out."""
    await hands.say(said := message(WEIXIN, 1, text))
    place = (WEIXIN, "1", said.conversation)
    assert await hands.store.read(lambda db: quoted_text(db, *place)) == allowed
