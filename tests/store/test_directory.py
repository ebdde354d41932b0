"""Routes: who is paired with whom, read again when somebody changed it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from rig import ALICE, CONTACT, LI_LEI, PAIR, STREAM, Clock, Hands, message, new_store, opened
from sqlalchemy import text

from bridge.errors import Damaged
from bridge.message import SYMPHONY, WEIXIN, Party
from bridge.store.acts import note_pairs
from bridge.store.directory import Directory


@pytest.fixture
async def paired(tmp_path: Path) -> Directory:
    """The directory of a store in which Alice and 李雷 are paired, with tags."""
    new_store(tmp_path, paired=False)
    store = opened(tmp_path, Clock())
    await store.make_pair(PAIR | {"advisor_tags": ["desk"], "contact_tags": ["vip", "客户"]}, "carol", "new")
    directory = Directory()
    await store.read(directory.refresh)
    store.close()
    return directory


async def test_both_ways(paired: Directory) -> None:
    """Each side's messages lead into the other's chat, from and to the people as policies know them."""
    alice = Party(SYMPHONY, ALICE, "Alice Wong", "alice.wong@bank.example", "en", frozenset({"desk"}))
    client = Party(WEIXIN, LI_LEI, "李雷", "", "zh-Hans", frozenset({"vip", "客户"}))
    number, outward = paired.find(message(SYMPHONY, 1))
    assert outward is not None
    assert (number, outward.sender, outward.recipient) == (1, alice, client)
    assert (outward.network, outward.conversation) == (WEIXIN, CONTACT)
    number, inward = paired.find(message(WEIXIN, 1))
    assert inward is not None
    assert (number, inward.sender, inward.recipient) == (1, client, alice)
    assert (inward.network, inward.conversation) == (SYMPHONY, STREAM)


@pytest.mark.parametrize(
    "other",
    [{"sender": "7002"}, {"conversation": "stream-2"}, {"sender": LI_LEI}],
    ids=["another person", "another room", "the contact's id"],
)
async def test_anybody_else_has_no_route(paired: Directory, other: dict[str, str]) -> None:
    """Person and chat must both be the paired ones."""
    assert paired.find(message(SYMPHONY, 1, **other)) == (None, None)


async def test_an_ended_pair_keeps_its_route_for_what_it_said(tmp_path: Path) -> None:
    """New messages find no route; what was judged before is still put into its reader's language."""
    new_store(tmp_path)
    store = opened(tmp_path, Clock())
    directory = Directory()
    await store.read(directory.refresh)
    await store.end_pair(1, "carol", "left")
    assert directory.find(message(SYMPHONY, 1))[0] == 1  # until it looks again
    await store.read(directory.refresh)
    assert directory.find(message(SYMPHONY, 1)) == (None, None)
    route = directory.route(1, SYMPHONY)
    assert route is not None
    assert route.recipient.language == "zh-Hans"
    assert directory.route(None, SYMPHONY) is None
    assert directory.ended(1)
    assert not directory.ended(None)
    store.close()


async def test_it_is_read_again_only_when_somebody_changed_it(tmp_path: Path) -> None:
    """A row changed behind the version's back is not seen; the next act makes it seen."""
    path = new_store(tmp_path)
    store = opened(tmp_path, Clock())
    directory = Directory()
    await store.read(directory.refresh)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE pairs SET state = 'ended'")
    await store.read(directory.refresh)
    assert directory.find(message(SYMPHONY, 1))[0] == 1
    await store.make_pair(PAIR | {"stream": "s2", "contact": "wkDesk/wmHan"}, "carol", "second")
    await store.read(directory.refresh)
    assert directory.find(message(SYMPHONY, 1)) == (None, None)
    assert directory.find(message(SYMPHONY, 1, conversation="s2"))[0] == 2
    store.close()


async def change(hands: Hands, statement: str, **values: object) -> None:
    """Write into the tables behind the bridge, and let the pairs be read again."""
    await hands.store.write(lambda tx: tx.db.execute(text(statement), values) and note_pairs(tx))


async def test_a_pair_that_does_not_open_stops_its_own_chats(hands: Hands) -> None:
    """What its two write is archived and waits unjudged, what was to go to them is stopped and named; the
    others go on, and so do the two when the row is put right."""
    second = {"conversation": "stream-2", "sender": ALICE}
    await hands.store.make_pair(PAIR | {"stream": "stream-2", "contact": "wkDesk/wmHan"}, "carol", "second")
    await hands.say(message(SYMPHONY, 1, "before"))
    ((whole,),) = await hands.rows("SELECT body FROM pairs WHERE id = 1")
    await change(hands, "UPDATE pairs SET body = :spoiled WHERE id = 1", spoiled=b"\x01")
    stopped: list[str] = []
    claims = await hands.store.claim(WEIXIN, 9, stopped=lambda _, why: stopped.append(why))
    assert (list(claims), stopped) == ([], ["altered"])
    await hands.archive(message(SYMPHONY, 2, "theirs"), message(SYMPHONY, 3, "others'", **second))
    await hands.archive(message(WEIXIN, 4, "from the client"))
    told: list[int] = []
    for one in await hands.store.unjudged(9, unreadable=told.append):
        assert one.message.text == "others'"
    ids = dict(await hands.rows("SELECT source_id, id FROM messages"))
    assert set(told) == {ids["2"], ids["4"]}
    await hands.judge()
    assert await hands.send(WEIXIN) == ["others'"]
    heal = text("UPDATE pairs SET body = :whole WHERE id = 1")
    await hands.store.write(lambda tx: tx.db.execute(heal, {"whole": bytes(whole)}) and None)
    assert [one.archived.message.text for one in await hands.judge()] == ["theirs", "from the client"]
    assert await hands.send(WEIXIN) == ["theirs"]
    await hands.store.retry_delivery(*(await hands.rows(STOPPED))[0], "carol", "put right")
    assert await hands.send(WEIXIN) == ["before"]


STOPPED = "SELECT permit FROM deliveries WHERE state = 'parked'"


async def test_who_does_not_go_on_learns_of_it_at_once(hands: Hands) -> None:
    """Whoever destroys, or shows, by what the pairs say does nothing by some of them."""
    for spoil in ("UPDATE pairs SET body = :none", "DELETE FROM data_keys WHERE :none IS NOT NULL"):
        await change(hands, spoil, none=b"\x01")
        with pytest.raises(Damaged):
            await hands.store.read(Directory().refresh)
