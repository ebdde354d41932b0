"""Everything recorded about a message, as it goes outside: all of it, the same whenever it is read."""

from __future__ import annotations

import pytest
from rig import Hands, message

from bridge.errors import Damaged
from bridge.message import SYMPHONY, WEIXIN
from bridge.store.whole import whole


async def test_words_raw_and_ledger(hands: Hands) -> None:
    """Words, raw bytes, both people, and the entries before a number; what comes later changes nothing."""
    await hands.say(message(SYMPHONY, 1, "hello"))
    upto = (await hands.entries())[-1].seq + 1
    first = await hands.store.read(lambda db: whole(db, 1, 1, upto))
    await hands.send(WEIXIN)
    await hands.store.write(lambda tx: tx.append(0, "record:kept", "message/1", {"extended": 1}))
    assert await hands.store.read(lambda db: whole(db, 1, 1, upto)) == first
    assert (first.said["text"], first.raw, first.sender.name) == ("hello", b"<1>", "Alice Wong")
    assert first.reader is not None and first.reader.name == "李雷"
    assert [one.kind for one in first.facts] == ["message:archived", "message:judged"]
    assert first.facts[1].body["outcome"] == "deliver"


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
