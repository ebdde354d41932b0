"""Everything recorded about a message, as it goes outside: all of it, the same whenever it is read."""

from __future__ import annotations

import pytest
from rig import LI_LEI, Hands, message
from sqlalchemy import select

from bridge.errors import Damaged
from bridge.message import SYMPHONY, WEIXIN, Kind
from bridge.records.addresses import address_of
from bridge.records.copies import RECALLS, REPLACES, SPEAKS_OF, Record
from bridge.records.transcript import BRIDGE, CLIENT
from bridge.store import schema as s
from bridge.store.talks import Naming
from bridge.store.whole import whole

NAMING = Naming("clients.bank.example", ("weixin=CN",))


async def test_words_raw_and_ledger(hands: Hands) -> None:
    """Words, raw bytes, both people, and the entries before a number; what comes later changes nothing."""
    await hands.say(message(SYMPHONY, 1, "hello"))
    upto = (await hands.entries())[-1].seq + 1
    first = await hands.store.read(lambda db: whole(db, 1, 1, upto))
    await hands.send(WEIXIN)
    await hands.store.write(lambda tx: tx.append(0, "record:kept", "message/1", {"extended": 1}))
    assert await hands.store.read(lambda db: whole(db, 1, 1, upto)) == first
    assert (first.said["text"], first.raw, first.sender.name) == ("hello", b"<1>", "Alice Wong")
    assert [(one.name, one.role) for one in first.readers] == [("李雷", CLIENT)]
    assert (first.conversation, first.title) == ("pair/1", "Alice Wong ↔ 李雷")
    assert [one.kind for one in first.facts] == ["message:archived", "message:judged"]
    assert first.facts[1].body["outcome"] == "deliver"


async def _all(hands: Hands) -> list[Record]:
    numbers = await hands.store.read(
        lambda db: list(db.scalars(select(s.messages.c.id).order_by(s.messages.c.id)))
    )
    return [await hands.store.read(lambda db, n=n: whole(db, n, 1, 1 << 40, NAMING)) for n in numbers]


async def test_people_are_those_of_exports(hands: Hands) -> None:
    """Whoever has no address has the one that exports give him, with the region of his conversation. The
    bridge's own words are the bridge's, for the person to whom they are said and not for a chat."""
    await hands.say(message(WEIXIN, 1, "hello"))
    await hands.say(message(SYMPHONY, 2, "BLOCK"))
    hello, blocked, notice = await _all(hands)
    made = address_of(WEIXIN, LI_LEI, "clients.bank.example")
    assert (hello.sender.address, hello.sender.role, hello.origin) == (made, CLIENT, "CN")
    assert [one.address for one in blocked.readers] == [made]
    assert (notice.sender.role, notice.earlier) == (BRIDGE, (SPEAKS_OF, blocked.number))
    assert [one.address for one in notice.readers] == ["alice.wong@bank.example"]
    assert {one.conversation for one in (hello, blocked, notice)} == {"pair/1"}


async def test_what_a_message_has_to_do_with_an_earlier_one(hands: Hands) -> None:
    """An edit and a recall name the message before by number; what the archive does not have, it cannot
    number, nor what came later."""
    await hands.archive(
        message(SYMPHONY, 1, "one"),
        message(SYMPHONY, 2, "two", replaces="1"),
        message(SYMPHONY, 3, "", kind=Kind.RECALL, refers_to="2"),
        message(SYMPHONY, 4, "", kind=Kind.RECALL, refers_to="5"),
        message(SYMPHONY, 5, "five", replaces="nowhere"),
    )
    told = [one.earlier for one in await _all(hands) if one.sender.role != BRIDGE]
    assert told == [("", 0), (REPLACES, 1), (RECALLS, 2), ("", 0), ("", 0)]


async def test_whoever_is_not_paired(hands: Hands) -> None:
    """A message outside of all pairs is of a conversation of its own, for nobody who is known."""
    await hands.archive(message(WEIXIN, 1, "hello", conversation="wkDesk/wmX", sender="wmX"))
    (one,) = await _all(hands)
    assert (one.conversation, one.readers, one.origin) == ("weixin/wkDesk/wmX", (), "CN")
    assert one.sender.address == address_of(WEIXIN, "wmX", "clients.bank.example")


async def test_what_became_of_it(hands: Hands) -> None:
    """The second revision has deliveries and receipts too, and nothing about copies."""
    await hands.say(message(SYMPHONY, 1, "hello"))
    await hands.send(WEIXIN)
    await hands.store.write(lambda tx: tx.append(0, "copy:parked", "message/1", {"message": 1}))
    kinds = [one.kind for one in (await hands.store.read(lambda db: whole(db, 1, 2, 1 << 40))).facts]
    assert kinds == ["message:archived", "message:judged", "delivery:permitted", "delivery:sent"]


async def test_what_does_not_open(hands: Hands) -> None:
    """A record that is gone, or whose key is, is no record."""
    await hands.say(message(SYMPHONY, 1, "hello"))
    with pytest.raises(Damaged):
        await hands.store.read(lambda db: whole(db, 2, 1, 9))
    await hands.store.write(lambda tx: tx.db.exec_driver_sql("DELETE FROM data_keys"))
    with pytest.raises(Damaged):
        await hands.store.read(lambda db: whole(db, 1, 1, 99))
