"""Context: what is known around a message when it is judged, only as much as is asked for, and read back."""

from __future__ import annotations

from typing import Any

import pytest
from rig import CONTACT, LANGUAGES, STREAM, Hands, judge, message
from sqlalchemy import event

from bridge import pipeline
from bridge.message import SYMPHONY, WEIXIN, Archived, Context, Kind, Message, Verdict
from bridge.store.codec import Known, known_from
from bridge.store.context import MOST, client_of, recorded_context
from bridge.store.directory import Directory

MINUTE = 60_000
COUNTED = (0, 10 * MINUTE)


def alice(number: int, text: str = "", **more: Any) -> Message:
    """Alice writes."""
    return message(SYMPHONY, number, text or f"line {number}", **more)


def texts(one: Archived) -> list[str]:
    """What its sender said before, oldest first."""
    return [before.text for before in one.earlier]


async def looked(hands: Hands, reach: tuple[int, int]) -> list[Archived]:
    """What there is to judge, with context."""
    return list(await hands.store.unjudged(100, reach))


# --- what was said before -------------------------------------------------------------------------------


async def test_the_last_messages_are_the_newest_and_in_order(hands: Hands) -> None:
    """Two earlier ones of the same batch, the newest last."""
    await hands.archive(alice(1), alice(2), alice(3), alice(4))
    found = await looked(hands, (2, 0))
    assert [texts(one) for one in found] == [
        [],
        ["line 1"],
        ["line 1", "line 2"],
        ["line 2", "line 3"],
    ]
    assert [before.seq for before in found[3].earlier] == [2, 3]
    assert found[3].earlier[0].at == found[1].message.sent_at


async def test_only_this_person_in_this_chat(hands: Hands) -> None:
    """Not the client, not a colleague in the room, not the same person elsewhere."""
    await hands.archive(alice(1), alice(2, sender="7002"), alice(3, conversation="another room"))
    await hands.archive(message(WEIXIN, 4, "你好"))
    await hands.archive(alice(5))
    assert texts((await looked(hands, (5, 0)))[-1]) == ["line 1"]


async def test_what_was_judged_and_what_was_not_said(hands: Hands) -> None:
    """Judged and held messages were said; remarks, failures, recalls and notices were not."""
    await hands.say(alice(1, "HOLD this"))
    await hands.archive(alice(2, "entered", kind=Kind.NOTE), alice(3, "", kind=Kind.RECALL, refers_to="9"))
    await hands.archive(alice(4))
    assert texts((await looked(hands, (5, 0)))[-1]) == ["HOLD this"]


async def test_a_span_counts_by_the_time_of_sending(hands: Hands) -> None:
    """What was sent within it counts, to the millisecond, also when an outage delivered it late."""
    start = hands.clock.now()
    sent = (start - 30 * MINUTE, start - 10 * MINUTE - 1, start - 10 * MINUTE, start - 1)
    await hands.archive(*(alice(n, sent_at=at) for n, at in enumerate(sent, 1)))
    hands.clock.forward(60 * MINUTE)
    await hands.archive(alice(9, sent_at=start))
    assert texts((await looked(hands, COUNTED))[-1]) == ["line 3", "line 4"]
    assert texts((await looked(hands, (3, 10 * MINUTE)))[-1]) == ["line 2", "line 3", "line 4"]


async def test_a_flood_is_bounded(hands: Hands) -> None:
    """However much somebody sends within the time, what is looked at is bounded: the newest."""
    flood = [alice(n, sent_at=hands.clock.now()) for n in range(1, MOST + 20)]
    await hands.archive(*flood)
    found = await hands.store.unjudged(MOST + 20, COUNTED)
    assert [len(one.earlier) for one in found[-2:]] == [MOST, MOST]
    assert found[-1].earlier[-1].seq == found[-2].seq


async def test_policies_that_look_at_one_message_cost_nothing(hands: Hands) -> None:
    """Without reach, no statement asks for what was said before."""
    await hands.archive(alice(1), alice(2))
    seen: list[str] = []

    def statement(_: object, __: object, text: str, *___: object) -> None:
        seen.append(text)

    event.listen(hands.store.engine, "before_cursor_execute", statement)
    found = await looked(hands, (0, 0))
    asked = [text for text in seen if "DESC" in text]
    await looked(hands, (1, 0))
    event.remove(hands.store.engine, "before_cursor_execute", statement)
    assert [one.earlier for one in found] == [(), ()]
    assert asked == []
    assert len([text for text in seen if "DESC" in text]) == 2


# --- consent, and what was said -------------------------------------------------------------------------


async def test_consent_is_the_clients(hands: Hands) -> None:
    """It is known for messages both ways of that client, once it was given, and for nobody else's."""
    await hands.store.write(
        lambda tx: tx.db.exec_driver_sql(
            "INSERT INTO consents (gate, contact, lane, asked_at, given_at, entry) VALUES "
            f"('desk/consent', '{CONTACT}', 0, 0, 5, 0), ('asked', '{CONTACT}', 0, 4, 0, 0), "
            "('desk/consent', 'wkDesk/wmOther', 0, 0, 6, 0)"
        )
    )
    await hands.archive(alice(1))
    await hands.archive(message(WEIXIN, 2))
    await hands.archive(message(WEIXIN, 3, conversation="wkDesk/wmOther", sender="wmOther"))
    assert [dict(one.consent) for one in await looked(hands, (0, 0))] == [
        {"desk/consent": 5},
        {"desk/consent": 5},
        {},
    ]


async def test_annotations_were_said_where_the_message_goes(hands: Hands) -> None:
    """What the client was shown matters to messages to the client; what staff were told, to none."""
    await hands.store.write(
        lambda tx: tx.db.exec_driver_sql(
            "INSERT INTO said (network, conversation, key, at) VALUES "
            f"('weixin', '{CONTACT}', 'desk/risk', 7), "
            f"('symphony', '{STREAM}', 'to bob.li@bank.example: desk/cards', 8)"
        )
    )
    await hands.archive(alice(1))
    await hands.archive(message(WEIXIN, 2))
    assert [dict(one.said) for one in await looked(hands, (0, 0))] == [{"desk/risk": 7}, {}]


async def test_a_chat_without_a_pair_has_no_client(hands: Hands) -> None:
    """Nobody's consent opens anything there."""
    assert client_of(message(WEIXIN, 1), None) == ""


# --- read back ------------------------------------------------------------------------------------------


async def recorded(hands: Hands) -> list[tuple[int, Verdict | Known | None]]:
    """What each verdict rested on, by message."""
    rows = await hands.rows("SELECT message, entry FROM verdicts ORDER BY id")
    return [(number, known_from(await hands.body(entry))) for number, entry in rows]


async def test_the_recorded_context_is_the_one_that_was_judged_in(hands: Hands) -> None:
    """Route, earlier messages and clock: read back from the verdict, they are what the judge was given."""
    await hands.archive(alice(1), alice(2))
    await hands.archive(message(WEIXIN, 3), message(WEIXIN, 4, conversation="wkDesk/wmX", sender="wmX"))
    waiting = await looked(hands, (1, 0))
    rulings = pipeline.decide(waiting, judge, hands.clock.now(), LANGUAGES)
    await hands.store.record_rulings(rulings)

    def context(number: int, known: Known, one: Message) -> Any:
        directory = Directory()

        def read(db: Any) -> Context:
            directory.refresh(db)
            return recorded_context(db, directory, number, one, known)

        return hands.store.read(read)

    knowns = dict(await recorded(hands))
    for one in waiting:
        known = knowns[one.seq]
        assert isinstance(known, Known)
        assert known.now == hands.clock.now()
        assert await context(one.seq, known, one.message) == one.context


async def test_what_is_gone_cannot_be_read_back(hands: Hands) -> None:
    """A pair or an earlier message that is not there is an error, never an empty context."""
    await hands.archive(alice(1))

    def read(db: Any) -> Context:
        directory = Directory()
        directory.refresh(db)
        return recorded_context(db, directory, 1, alice(1), Known(0, pair))

    pair = 99
    with pytest.raises(LookupError, match="pair 99"):
        await hands.store.read(read)

    def without(db: Any) -> Context:
        return recorded_context(db, Directory(), 1, alice(1), Known(0, None, (77,)))

    with pytest.raises(LookupError, match="message 77"):
        await hands.store.read(without)
