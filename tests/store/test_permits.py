"""What a permit is bound to: rows are changed behind everybody's back, and nothing goes astray.

Rules of this file: whoever changes rows here puts them back where the test says so; what went out is what the
claims have. Every change is one that the database takes without complaint.
"""

from __future__ import annotations

import sqlite3

import pytest
from rig import CONTACT, PAIR, STREAM, Clock, Hands, message
from sqlalchemy import update
from story import pieces

from bridge import words
from bridge.errors import Conflict
from bridge.ledger.entry import encode
from bridge.message import SYMPHONY, WEIXIN, Blob, File, Kind
from bridge.ports import Claim, Step
from bridge.store import schema
from bridge.store.sending import ASTRAY_EVERY, LOOK_AGAIN
from bridge.store.uses import Uses
from bridge.store.verify import Finding, verify
from bridge.store.writer import Tx

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


FILES = {
    "another client's attachment": (
        "UPDATE files SET digest = (SELECT digest FROM files WHERE message = 2) WHERE message = 1",
    ),
    "one attachment fewer": ("DELETE FROM files WHERE message = 1",),
    "an attachment given up": ("UPDATE files SET state = 'missing' WHERE message = 1",),
    "another size": ("UPDATE files SET size = 7 WHERE message = 1",),
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
    await change(hands, f"UPDATE deliveries SET next_at = {hands.clock.now() + 3_600_000} WHERE message = 2")
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


@pytest.fixture
async def enclosed(hands: Hands) -> Hands:
    """The same with an attachment to each, of which the second may be had by nobody but Han Meimei."""
    pair = PAIR | {"stream": ROOM, "contact": OTHER, "contact_name": "韩梅梅"}
    await hands.store.make_pair(pair, "carol", "second")
    for number, room, data in ((1, STREAM, b"for Li"), (2, ROOM, b"for Han")):
        file = File(f"ref{number}", f"{number}.pdf", Kind.FILE)
        await hands.archive(message(SYMPHONY, number, conversation=room, files=(file,)))
        (wanted,) = await hands.store.wanted_files(SYMPHONY, 9)
        digest, size = await hands.store.keep(pieces(data), 1 << 20)
        await hands.store.settle_file(wanted, Blob(digest, size, file.name))
    await hands.judge()
    await change(hands, f"UPDATE deliveries SET next_at = {hands.clock.now() + 3_600_000} WHERE message = 2")
    return hands


@pytest.mark.parametrize("name", FILES)
async def test_attachments_go_out_as_they_were_permitted(enclosed: Hands, name: str) -> None:
    """Not another one, not one fewer; put right, the right one goes out, by the permit that it has."""
    query = "SELECT n, network, state, digest, size, attempt, next_at, entry FROM files WHERE message = 1"
    (before,) = await enclosed.rows(query)
    await change(enclosed, *FILES[name])
    told: list[tuple[str, str]] = []
    assert await enclosed.store.claim(WEIXIN, 9, stopped=lambda *said: told.append(said)) == []
    ((permit, why),) = told
    assert why == "altered"
    assert ("files", "n, digest, size") in {(one.table, one.column) for one in await findings(enclosed)}
    values = ", ".join(repr(value) for value in before)
    columns = query.removeprefix("SELECT ").partition(" FROM")[0]
    await change(
        enclosed,
        "DELETE FROM files WHERE message = 1",
        f"INSERT INTO files (message, {columns}) VALUES (1, {values})",
    )
    await enclosed.store.retry_delivery(permit, "carol", "put right")
    (claim,) = await enclosed.claim(WEIXIN)
    (file,) = claim.permit.content.files
    assert b"".join([piece async for piece in enclosed.store.blobs.read(file.digest)]) == b"for Li"
    assert not [one for one in await findings(enclosed) if one.table == "files"]


async def test_a_permit_that_is_sealed_for_no_attachments_takes_none(enclosed: Hands) -> None:
    """Whoever takes the seal out of its entry takes the message out of what is sent."""
    (first, _) = await enclosed.entries("delivery:permitted")
    forged = first._replace(facts={k: v for k, v in first.facts.items() if k != "files"})

    def write(tx: Tx) -> None:
        statement = update(schema.ledger).where(schema.ledger.c.seq == first.seq)
        tx.db.execute(statement.values(entry=encode(forged)))

    await enclosed.store.write(write)
    assert await enclosed.claim(WEIXIN) == []


async def test_what_arrived_nowhere_is_sent_anew_with_its_attachments(enclosed: Hands) -> None:
    """A late failure is mended by a new permit, sealed for the same attachments; not for others."""
    (claim,) = await enclosed.claim(WEIXIN)
    await enclosed.end(claim)
    await enclosed.say(message(WEIXIN, 9, kind=Kind.FAILED, refers_to=f"id-of-{claim.permit.id}"))
    await change(enclosed, "UPDATE files SET size = 7 WHERE message = 1")
    with pytest.raises(Conflict, match="not as it was permitted"):
        await enclosed.store.retry_delivery(claim.permit.id, "carol", "again")
    await change(enclosed, "UPDATE files SET size = 6 WHERE message = 1")
    await enclosed.store.retry_delivery(claim.permit.id, "carol", "again")
    (again,) = await enclosed.claim(WEIXIN)
    assert again.permit.content.files == claim.permit.content.files


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


AGAIN = ("UPDATE deliveries SET state = 'ready', uncertain = 0, attempt = 0, first_try_at = 0, done_at = 0",)


@pytest.mark.parametrize("network", [WEIXIN, SYMPHONY])
async def test_a_permit_is_used_once_whatever_the_tables_say(hands: Hands, network: str) -> None:
    """Who sends knows what it sent, and what it is sending, when every trace of that is taken away."""
    await hands.say(message(SYMPHONY if network == WEIXIN else WEIXIN, 1, "buy 1000"))
    (claim,) = await hands.claim(network)
    await change(hands, *AGAIN, "UPDATE chats SET due_at = 0")
    told: list[str] = []

    async def stopped() -> list[Claim]:
        return list(await hands.store.claim(network, 9, stopped=lambda _, why: told.append(why)))

    assert (await stopped(), told) == ([], ["spent"])
    await hands.end(claim)
    await forget(hands)
    assert (await stopped(), told) == ([], ["spent", "spent"])


async def forget(hands: Hands) -> None:
    """Take away every trace of what was sent, and make it ready again."""
    seqs = [str(one.seq) for one in await hands.entries("delivery:sent", "delivery:parked")]
    gone = f"DELETE FROM ledger WHERE seq IN ({', '.join(seqs)})"
    await change(hands, gone, "DELETE FROM receipts", *AGAIN, "UPDATE chats SET due_at = 0")


async def test_the_network_is_asked_first_by_who_cannot_know(hands: Hands, clock: Clock) -> None:
    """The next process knows nothing of what the one before it sent: where a repetition would stand twice it
    looks there from when the permit was made, and nowhere else."""
    await hands.say(message(WEIXIN, 1, "buy 1000"), message(SYMPHONY, 2, "done"))
    made = clock.now()
    await hands.send(SYMPHONY)
    await hands.send(WEIXIN)
    await forget(hands)
    clock.forward(3_600_000)
    await hands.say(message(WEIXIN, 3, "sell 1000"))
    hands.store._uses = Uses(clock.now())
    asked = [(one.permit.unknown, one.permit.first_try_at) for one in await hands.claim(SYMPHONY)]
    assert asked == [(True, made), (False, clock.now())]
    assert [one.permit.unknown for one in await hands.claim(WEIXIN)] == [False]


async def test_what_was_not_tried_is_put_back_as_it_was(hands: Hands, clock: Clock) -> None:
    """That its permit is old makes nobody believe that its reader may have seen it."""
    await hands.say(message(WEIXIN, 1))
    clock.forward(1000)
    hands.store._uses = Uses(clock.now())
    (claim,) = await hands.claim(SYMPHONY)
    await hands.end(claim, Step.GIVE_BACK, uncertain=claim.permit.uncertain)
    assert claim.permit.unknown and not claim.permit.uncertain
    assert await hands.rows("SELECT state, uncertain FROM deliveries") == [("ready", 0)]
    (again,) = await hands.claim(SYMPHONY)
    assert again.permit.unknown and not again.permit.uncertain


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


LOST = {
    "verdict": "UPDATE deliveries SET verdict = 99999 WHERE message = 1",
    "message": "UPDATE deliveries SET message = 99999 WHERE message = 1",
    "entry of the message": "UPDATE messages SET entry = 99999 WHERE id = 1",
    "entry of the verdict": "UPDATE verdicts SET entry = 99999 WHERE id = 1",
    "network": "UPDATE deliveries SET network = 'abc' WHERE message = 1",
    "conversation": "UPDATE deliveries SET conversation = 'abc' WHERE message = 1",
    "content": "UPDATE content SET body = salt WHERE seq = (SELECT entry FROM messages WHERE id = 1)",
    "attempts without end": "UPDATE deliveries SET attempt = 2147483647 WHERE message = 1",
    "time of the first try": "UPDATE deliveries SET first_try_at = 9223372036854775807 WHERE message = 1",
    "entry of the permit": "UPDATE ledger SET entry = leaf WHERE subject = "
    "(SELECT 'delivery/' || permit FROM deliveries WHERE message = 1)",
}
"""Of each, what a database of either kind takes, once nobody asks it to keep foreign keys."""

ONLY_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

NO_NUMBERS = {
    **{f"deliveries.{name}": "message = 1" for name in ("verdict", "attempt", "first_try_at", "next_at")},
    **{f"messages.{name}": "id = 1" for name in ("entry", "archived_at", "notice_for")},
    "verdicts.entry": "id = 1",
    "chats.last_inbound_at": "network = 'weixin'",
}
"""Columns of numbers, which SQLite lets anybody write words into, and where."""


async def is_parked(hands: Hands, *statements: str) -> None:
    """These changes stop the first delivery, by name, and only it; its sender is told."""
    free = "PRAGMA foreign_keys = OFF"
    if hands.store.engine.dialect.name == "postgresql":
        free = "ALTER TABLE deliveries DROP CONSTRAINT fk_deliveries_message"
        free += ", DROP CONSTRAINT fk_deliveries_verdict"
        await change(hands, free, *statements)
    else:
        with sqlite3.connect(str(hands.store.engine.url.database)) as db:
            for one in (free, *statements):
                db.execute(one)
    told: list[str] = []
    for _ in range(2):
        assert not await hands.store.claim(WEIXIN, 9, stopped=lambda permit, why: told.append(why))
    assert told == ["altered"]
    assert await hands.rows("SELECT state, reason FROM deliveries ORDER BY id LIMIT 1") == [
        ("parked", "altered")
    ]


@pytest.mark.parametrize("name", LOST)
async def test_what_leads_nowhere_is_parked_and_named(two: Hands, name: str) -> None:
    """A row that is joined by nothing does not vanish from what is to be sent: it is stopped as altered."""
    await is_parked(two, LOST[name])
    (told,) = await two.claim(SYMPHONY)
    assert told.permit.content.text == words.say("undelivered", "en")


@ONLY_SQLITE
@pytest.mark.parametrize("name", NO_NUMBERS)
async def test_what_is_no_number_is_parked_and_named(two: Hands, name: str) -> None:
    """It ends nobody's work."""
    table, _, column = name.partition(".")
    await is_parked(two, f"UPDATE {table} SET {column} = 'x' WHERE {NO_NUMBERS[name]}")


@ONLY_SQLITE
async def test_a_message_that_is_no_number_is_parked_and_named(two: Hands) -> None:
    """Nor does it matter what the message of a delivery is."""
    await is_parked(two, "UPDATE deliveries SET message = 'abc' WHERE message = 1")


async def test_nobody_becomes_the_bridge_itself(two: Hands) -> None:
    """What the bridge says itself goes out as it is: no row makes a judged message such a one."""
    await is_parked(two, "UPDATE messages SET notice_for = 2 WHERE id = 1")


async def test_a_permit_that_has_no_letters_of_ours_is_parked(two: Hands) -> None:
    """Its id is named as far as an entry can hold it."""
    await change(two, "UPDATE deliveries SET permit = '李雷' WHERE message = 1")
    told: list[tuple[str, str]] = []
    assert await two.store.claim(WEIXIN, 9, stopped=lambda *said: told.append(said)) == []
    assert told == [(r"\u674e\u96f7", "unpermitted")]


async def test_a_delivery_whose_chat_was_taken_away_goes_out(two: Hands) -> None:
    """It is as it was permitted, and nothing else: only where to look for it is gone."""
    await change(two, f"DELETE FROM chats WHERE conversation = '{CONTACT}'")
    (claim,) = [*await two.claim(WEIXIN), *await two.claim(WEIXIN)]
    assert claim.permit.content.text == "for Li"


@ONLY_SQLITE
async def test_what_leads_nowhere_outlives_a_pause(two: Hands) -> None:
    """While only the bridge's own words go out it is not forgotten."""
    with sqlite3.connect(str(two.store.engine.url.database)) as db:
        db.execute("UPDATE deliveries SET message = 99999 WHERE message = 1")
        db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('capture', 'symphony')")
    assert await two.claim(WEIXIN) == []
    await change(two, "UPDATE meta SET value = '' WHERE key = 'capture'")
    two.clock.forward(LOOK_AGAIN)
    assert await two.claim(WEIXIN) == []
    assert await two.rows("SELECT reason FROM deliveries WHERE message = 99999") == [("altered",)]


@ONLY_SQLITE
async def test_a_permit_without_a_seal_is_named_as_what_it_is(
    hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that sealed no permits made it: nobody changed anything."""
    append = Tx.append

    def unsealed(tx: Tx, lane: int, kind: str, subject: str, facts: dict, *more: bytes) -> int:
        return append(tx, lane, kind, subject, {k: v for k, v in facts.items() if k != "bound"}, *more)

    monkeypatch.setattr(Tx, "append", unsealed)
    await hands.say(message(SYMPHONY, 1))
    assert any("before permits were sealed" in one.meaning for one in await findings(hands))


NO_WORDS = {
    **{
        f"deliveries.{name}": "message = 1"
        for name in ("permit", "network", "conversation", "marks", "reason")
    },
    **{f"messages.{name}": "id = 1" for name in ("network", "source_id", "conversation", "sender", "kind")},
    "chats.conversation": f"conversation = '{CONTACT}'",
    "chats.network": f"conversation = '{CONTACT}'",
    "verdicts.outcome": "message = 1",
    "ledger.subject": "subject = (SELECT 'delivery/' || permit FROM deliveries WHERE message = 1)",
    "pairs.stream": "id = 1",
}
"""Columns of words, which SQLite lets anybody write bytes into that are none, and where."""


@ONLY_SQLITE
@pytest.mark.parametrize("name", NO_WORDS)
async def test_what_are_no_words_stop_nobody_else(two: Hands, name: str) -> None:
    """A row that cannot be read as text ends nobody's work: the others go out, and it as well, or it is
    parked and named."""
    await change(two, "UPDATE deliveries SET next_at = 0 WHERE message = 2")
    table, _, column = name.partition(".")
    spoil(two, f"UPDATE {table} SET {column} = CAST(x'ff41' AS TEXT) WHERE {NO_WORDS[name]}")
    told, went = [], []
    for _ in range(3):
        two.clock.forward(ASTRAY_EVERY)
        claims = await two.store.claim(WEIXIN, 9, stopped=lambda *said: told.append(said))
        went += [one.permit.content.text for one in claims]
    assert sorted(went) == (["for Han"] if told else ["for Han", "for Li"])
    assert len(told) == len(await two.rows("SELECT 1 FROM deliveries WHERE state = 'parked'")) <= 1


def spoil(hands: Hands, statement: str) -> None:
    """Change a file of SQLite by somebody who keeps none of our rules."""
    with sqlite3.connect(str(hands.store.engine.url.database)) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        assert db.execute(statement).rowcount


NEVER = {
    "a lane of its chat that nobody works": "UPDATE chats SET lane = 1 WHERE network = 'weixin'",
    "a look at its chat that never comes": f"UPDATE chats SET due_at = {1 << 62} WHERE network = 'weixin'",
    "a lane of its own that nobody works": "UPDATE deliveries SET lane = 1; DELETE FROM chats",
    "a time that never comes": f"UPDATE deliveries SET next_at = {1 << 62} WHERE message = 1",
    "a time long after this": "UPDATE deliveries SET next_at = 99999999999999 WHERE message = 1",
    "a claim of nobody's": "UPDATE deliveries SET state = 'claimed' WHERE message = 1",
    "a reader's word that nobody waits for": "UPDATE deliveries SET state = 'waiting' WHERE message = 1",
}


@pytest.mark.parametrize("name", NEVER)
async def test_what_would_never_go_out_is_brought_back(two: Hands, name: str) -> None:
    """It is as it was permitted; only when, or who looks for it, was changed: within minutes it goes out."""
    await change(two, *NEVER[name].split("; "))
    went: list[Claim] = []
    for _ in range(3):
        two.clock.forward(ASTRAY_EVERY)
        went += [one for one in await two.claim(WEIXIN) if one.permit.message_seq == 1]
    (claim,) = went
    assert claim.permit.content.text == "for Li"
    assert claim.permit.uncertain == (name == "a claim of nobody's")


async def test_what_nobody_looks_for_and_nobody_permitted_is_parked(two: Hands) -> None:
    """What is brought back is asked for its seal before it goes anywhere."""
    await change(
        two, f"UPDATE deliveries SET lane = 1, network = 'abc', next_at = {1 << 62} WHERE message = 1"
    )
    told: list[str] = []
    two.clock.forward(ASTRAY_EVERY)
    await two.store.claim(WEIXIN, 9, stopped=lambda _, why: told.append(why))
    assert told == ["altered"]


async def test_what_waits_for_its_time_is_left_alone(two: Hands) -> None:
    """Neither what is being sent, nor what is behind it, nor what a network is to be asked again for later,
    nor what waits for its reader, is brought back."""
    await two.say(message(SYMPHONY, 3, "behind"))
    (claim, behind) = await two.claim(WEIXIN)
    for _ in range(3):
        two.clock.forward(ASTRAY_EVERY)
        assert await two.claim(WEIXIN) == []
    await two.end(claim, Step.WAIT, reason="window")
    await two.end(behind, Step.GIVE_BACK)
    for _ in range(3):
        two.clock.forward(ASTRAY_EVERY)
        assert await two.claim(WEIXIN) == []
    assert await two.rows("SELECT state FROM deliveries ORDER BY id") == [
        ("waiting",),
        ("ready",),
        ("ready",),
    ]
