"""Whatever a network hands over is in the archive, with its bytes, and the conversation goes on.

Rules of this file: garbage is made from sound items by replacing or leaving out any part, and by nothing
sound at all; it comes through the mocks' own feeds, pages and callbacks. Each example is a whole stage of its
own, which costs most: hence few examples with much in each. What may be readable all the same is asked of
the connector's own reader.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
from collections.abc import Sequence
from typing import Any

import aiohttp
import orjson
import pytest
from fault_rig import Scene, on_stage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.message import SYMPHONY, WEIXIN, Kind, Party
from bridge.people import Pair
from connectors.symphony import wire as symphony_wire
from connectors.symphony.mock.feeds import PodEvent
from connectors.weixin import wire as weixin_wire
from connectors.weixin.crypto import CallbackCrypt
from connectors.weixin.mock.records import LogEntry

A_FEW = settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(-1e9, 1e9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)

EVENT = {
    "id": "event",
    "messageId": "MESSAGE",
    "timestamp": 1_700_000_000_000,
    "type": "MESSAGESENT",
    "initiator": {"user": {"userId": "ALICE", "displayName": "Alice Wong"}},
    "payload": {
        "messageSent": {
            "message": {
                "messageId": "MESSAGE",
                "timestamp": 1_700_000_000_000,
                "message": '<div data-format="PresentationML" data-version="2.0">words</div>',
                "data": "{}",
                "user": {"userId": "ALICE", "displayName": "Alice Wong"},
                "stream": {"streamId": "STREAM", "streamType": "ROOM"},
                "attachments": [{"id": "file", "name": "chart.pdf", "size": 10}],
            }
        }
    },
}
ITEM = {
    "msgid": "MESSAGE",
    "open_kfid": "ACCOUNT",
    "external_userid": "CUSTOMER",
    "send_time": 1_700_000_000,
    "origin": 3,
    "msgtype": "text",
    "text": {"content": "words"},
}


def _places(value: Any, path: tuple = ()) -> list[tuple]:
    """The paths of all parts of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [
        *([path] if path else []),
        *(place for key, part in inner for place in _places(part, (*path, key))),
    ]


@st.composite
def spoiled(draw: st.DrawFn, sound: dict[str, Any]) -> Any:
    """`sound` with up to three parts replaced or left out; sometimes something else altogether."""
    if draw(st.integers(0, 5)) == 0:
        return draw(JSON)
    value = copy.deepcopy(sound)
    for place in draw(st.lists(st.sampled_from(_places(sound)), min_size=1, max_size=3)):
        with contextlib.suppress(KeyError, IndexError, TypeError):  # a part of what is gone already
            inner = value
            for step in place[:-1]:
                inner = inner[step]
            if draw(st.booleans()):
                del inner[place[-1]]
            else:
                inner[place[-1]] = draw(JSON)
    return value


async def _archived(scene: Scene, network: str) -> dict[str, tuple[int, str, str, bytes]]:
    """By the network's id: number, conversation, state and raw bytes of every message in the archive."""
    rows = await scene.rows(
        "SELECT m.source_id, m.id, m.conversation, m.state, raw_of(c.lane, c.seq) AS raw FROM messages m "
        f"JOIN content c ON c.lane = m.lane AND c.seq = m.entry WHERE m.network = '{network}'"
    )
    return {source: rest for source, *rest in rows}


async def _examine(scene: Scene, network: str, messages: Sequence[Any]) -> None:
    """Each message is archived; what has a defect is held with its bytes, and its sender was told."""
    archived = await _archived(scene, network)
    told = {number for (number,) in await scene.rows("SELECT notice_for FROM messages WHERE notice_for > 0")}
    for message in messages:
        number, conversation, state, raw = archived[message.id]
        if message.defect:
            assert (state, raw) == ("held", message.raw)
            assert (number in told) == message.answerable, conversation


@A_FEW
@given(st.lists(spoiled(EVENT), min_size=1, max_size=8))
async def test_any_event_of_a_feed_is_archived_and_the_feed_goes_on(events: list[Any]) -> None:
    """Events that nobody can read are held with their bytes; whoever wrote them is told; Alice goes on."""
    async with on_stage() as scene:
        pod, stream = scene.stage.pod, scene.stage.stream
        bot, alice = pod.user("weighbridge"), str(pod.user("alice.wong@bank.example").user_id)
        sources = []
        for number, event in enumerate(events):
            source = orjson.dumps(event).replace(b'"STREAM"', orjson.dumps(stream))
            source = source.replace(b'"ALICE"', alice.encode())
            sources.append(source.replace(b'"MESSAGE"', b'"message-%d"' % number))
            told = PodEvent("MESSAGESENT", "INTERNAL", orjson.Fragment(sources[-1]))
            pod.feeds.publish(told, [bot], pod.clock.now())
        scene.alice("afterwards")
        await scene.until(scene.settled, "Alice afterwards")
        reply = b'{"ackId": "1", "events": [%s]}' % b",".join(sources)
        await _examine(scene, SYMPHONY, symphony_wire.read_feed(reply, str(bot.user_id)).messages)


@pytest.mark.parametrize("source", [b'"cut off', b"\xff", b"{}}"])
async def test_a_reply_with_a_broken_event_is_held_and_its_words_are_found(source: bytes) -> None:
    """A reply of the feed that is no JSON is held as it came; its messages come out of the history.

    A reader may stop before its end, within it, or behind it; there is no fourth way.
    """
    async with on_stage() as scene:
        pod = scene.stage.pod
        told = PodEvent("MESSAGESENT", "INTERNAL", orjson.Fragment(source))
        scene.alice("A1")
        pod.feeds.publish(told, [pod.user("weighbridge")], pod.clock.now())
        scene.alice("A2")
        await scene.until(scene.settled, "what came with it")
        await scene.examine()
        held = "SELECT raw_of(lane, entry) FROM messages WHERE state = 'held'"
        rows = await scene.rows(held)
        assert rows and all(source in raw for (raw,) in rows)


@A_FEW
@given(st.lists(spoiled(ITEM), min_size=1, max_size=12))
async def test_any_item_of_a_page_is_archived_and_the_account_goes_on(items: list[Any]) -> None:
    """Items that nobody can read are held with their bytes; each customer is told, and goes on."""
    async with on_stage() as scene:
        platform, kfid = scene.stage.platform, scene.stage.account
        account = platform.account(kfid)
        entries = []
        for number, item in enumerate(items):
            customer = await _befriended(scene, number)
            source = orjson.dumps(item).replace(b'"CUSTOMER"', orjson.dumps(customer))
            source = source.replace(b'"ACCOUNT"', orjson.dumps(kfid))
            entries.append(orjson.loads(source.replace(b'"MESSAGE"', b'"message-%d"' % number)))
            platform.world._seq += 1
            account.log.append(LogEntry(platform.world._seq, platform.clock.now(), entries[-1]))
        scene.lilei("afterwards")
        await scene.until(scene.settled, "李雷 afterwards")
        await _examine(scene, WEIXIN, [weixin_wire.read_item(entry, kfid) for entry in entries])


async def _befriended(scene: Scene, number: int) -> str:
    """One more customer, paired with Alice in a room of his own: every chat has its own reply window."""
    on = scene.stage
    customer = on.platform.add_customer(f"customer {number}")
    alice = on.pod.user("alice.wong@bank.example").user_id
    stream = on.pod.create_room(f"room {number}", ["weighbridge", alice])
    pair = Pair(
        Party(SYMPHONY, str(alice), "Alice Wong", "alice.wong@bank.example", "en"),
        stream,
        Party(WEIXIN, customer, f"customer {number}", "", "zh-Hans"),
        on.account,
    )
    await on.database.make_pair(dict(pair.record()), "tester@bank.example", "a chat of his own")
    return customer


@A_FEW
@given(
    st.lists(
        st.binary(max_size=60)
        | st.text(max_size=30).map(str.encode)
        | st.sampled_from(("<xml/>", "<xml><Event>enter_agent</Event></xml>", "<a>&x;</a>", "{}")).map(
            str.encode
        ),
        min_size=1,
        max_size=8,
        unique=True,
    )
)
async def test_any_genuine_callback_is_archived_and_later_ones_ring(plains: list[bytes]) -> None:
    """What the platform sealed and nobody understands is held with its bytes; the next notice is heard."""
    async with on_stage() as scene:
        weixin, platform = scene.stage.settings.weixin, scene.stage.platform
        crypt = CallbackCrypt(weixin.token.reveal(), weixin.aes_key.reveal(), weixin.corp_id)
        for plain in plains:
            assert await _posted(scene, crypt, plain) == 200
        scene.lilei("afterwards")
        await scene.until(scene.settled, "李雷 afterwards")
        await scene.until(lambda: _all_held(scene, plains), "every callback is held")
        assert platform.callbacks


async def test_a_callback_that_is_not_the_platforms_leaves_nothing() -> None:
    """Anybody can post to the address: without the platform's signature nothing is kept or rung."""
    async with on_stage() as scene:
        weixin = scene.stage.settings.weixin
        stranger = CallbackCrypt("another token", weixin.aes_key.reveal(), weixin.corp_id)
        before = await scene.rows("SELECT count(*) FROM messages")
        assert await _posted(scene, stranger, b"<xml/>") == 403
        scene.lilei("afterwards")
        await scene.until(scene.settled, "李雷 afterwards")
        await scene.examine()
        assert await scene.rows("SELECT count(*) - 1 FROM messages") == before


async def _posted(scene: Scene, crypt: CallbackCrypt, plain: bytes) -> int:
    """The HTTP status with which a sealed callback is answered."""
    target = scene.stage.platform.notifier._targets[scene.stage.platform.corpid]
    encrypted, signed = crypt.seal(plain, "1700000000", "nonce", os.urandom(16))
    body = f"<xml><ToUserName>x</ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    query = {"msg_signature": signed, "timestamp": "1700000000", "nonce": "nonce"}
    async with (
        asyncio.timeout(60),
        aiohttp.ClientSession() as session,
        session.post(target.url, params=query, data=body.encode()) as reply,
    ):
        return reply.status


async def _all_held(scene: Scene, plains: list[bytes]) -> bool:
    held = await scene.rows(
        "SELECT raw_of(c.lane, c.seq) AS raw FROM messages m JOIN content c ON c.seq = m.entry "
        f"WHERE m.state = 'held' AND m.kind = '{Kind.UNKNOWN.value}'"
    )
    return {raw for (raw,) in held} == set(plains)
