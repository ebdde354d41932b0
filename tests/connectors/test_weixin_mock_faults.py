"""Every fault switch of the mock does what its line in the table says, and only as often as it was armed.

Rules of this file: one demonstration per name, found by name; a switch without one fails the suite.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from weixin_rig import PNG, Receiver, Rig, open_receiver, open_rig

from connectors.weixin import crypto
from connectors.weixin.mock import FAULTS

Demonstration = Callable[[Rig, Receiver], Awaitable[None]]
DEMONSTRATIONS: dict[str, Demonstration] = {}

REFUSED_ANYWHERE = {
    "errcode": -1,
    "busy": -1,
    "concurrent_change": 6000,
    "frequency_limit": 45009,
    "concurrency_limit": 45033,
    "token_invalid": 40014,
    "address_untrusted": 60020,
    "api_switched_off": 95017,
}
REFUSED_SENDING = {
    "quota_used": 95001,
    "window_closed": 95002,
    "session_ended": 95013,
    "type_banned": 95030,
    "no_consultation": 95032,
    "corp_unverified": 95003,
}


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A served platform."""
    async with open_rig() as opened:
        await opened.sync()
        yield opened


@pytest.fixture
async def receiver(rig: Rig) -> AsyncIterator[Receiver]:
    """A callback URL the platform knows."""
    async with open_receiver(rig.platform) as opened:
        yield opened


def demonstrates(name: str) -> Callable[[Demonstration], Demonstration]:
    """Register a demonstration."""

    def register(function: Demonstration) -> Demonstration:
        DEMONSTRATIONS[name] = function
        return function

    return register


@pytest.mark.parametrize("name", FAULTS)
async def test_every_switch_does_what_its_line_says(name: str, rig: Rig, receiver: Receiver) -> None:
    """Armed once it shows once; afterwards nothing is armed and the use was counted."""
    rig.platform.faults.arm(name)
    if name in REFUSED_ANYWHERE:
        await _refuses_a_sync(rig, REFUSED_ANYWHERE[name])
    elif name in REFUSED_SENDING:
        await _refuses_a_send(rig, REFUSED_SENDING[name])
    else:
        await DEMONSTRATIONS[name](rig, receiver)
    assert (rig.platform.faults.armed, rig.platform.faults.fired[name]) == ([], 1)


def test_the_table_explains_every_switch() -> None:
    """Each line says what it does and how the real platform shows it; no demonstration is left over."""
    for name, fault in FAULTS.items():
        assert fault.does and fault.shows and fault.phase, name
    assert set(FAULTS) == set(DEMONSTRATIONS) | set(REFUSED_ANYWHERE) | set(REFUSED_SENDING)


async def _refuses_a_sync(rig: Rig, errcode: int) -> None:
    rig.platform.say(rig.customer, text="你好")
    assert (await rig.sync())["errcode"] == errcode
    assert len((await rig.sync())["msg_list"]) == 1


async def _refuses_a_send(rig: Rig, errcode: int) -> None:
    rig.platform.say(rig.customer, text="你好")
    await rig.sync()
    assert (await rig.send("first"))["errcode"] == errcode
    assert (await rig.send("second"))["errcode"] == 0
    assert rig.texts() == ["second"]


@demonstrates("token_expired")
async def _token_expired(rig: Rig, receiver: Receiver) -> None:
    assert (await rig.sync())["errcode"] == 42001
    assert (await rig.sync())["errcode"] == 42001
    rig.token = ""
    assert (await rig.sync())["errcode"] == 0


@demonstrates("secret_refused")
async def _secret_refused(rig: Rig, receiver: Receiver) -> None:
    assert (await rig.sync())["errcode"] == 0
    assert (await rig.gettoken())["errcode"] == 40001
    assert (await rig.gettoken())["errcode"] == 0


@demonstrates("http_5xx")
async def _http_5xx(rig: Rig, receiver: Receiver) -> None:
    async with rig.http.get(f"{rig.url}/cgi-bin/gettoken") as reply:
        assert reply.status == 502
    assert rig.platform.requests[-1].errcode is None


@demonstrates("slow")
async def _slow(rig: Rig, receiver: Receiver) -> None:
    rig.platform.faults.clear()
    rig.platform.faults.arm("slow", seconds=0.15)
    started = time.monotonic()
    await rig.sync()
    assert time.monotonic() - started >= 0.15


@demonstrates("drop_before")
async def _drop_before(rig: Rig, receiver: Receiver) -> None:
    rig.platform.say(rig.customer, text="你好")
    with pytest.raises(aiohttp.ClientError):
        await rig.send("lost")
    assert rig.texts() == []


@demonstrates("drop_after")
async def _drop_after(rig: Rig, receiver: Receiver) -> None:
    rig.platform.say(rig.customer, text="你好")
    with pytest.raises(aiohttp.ClientError):
        await rig.send("arrived", msgid="m1")
    assert rig.texts() == ["arrived"]
    assert (await rig.send("arrived", msgid="m1"))["errcode"] != 0


@demonstrates("reply_garbage")
async def _reply_garbage(rig: Rig, receiver: Receiver) -> None:
    rig.platform.say(rig.customer, text="你好")
    with pytest.raises(aiohttp.ContentTypeError):
        await rig.send("arrived")
    assert rig.texts() == ["arrived"]


@demonstrates("reply_text_plain")
async def _reply_text_plain(rig: Rig, receiver: Receiver) -> None:
    query = {"access_token": rig.token}
    async with rig.http.post(f"{rig.url}/cgi-bin/kf/sync_msg", params=query, json={"cursor": ""}) as reply:
        assert reply.content_type == "text/plain"
        assert (await reply.json(content_type=None))["errcode"] == 0


@demonstrates("state_forbids")
async def _state_forbids(rig: Rig, receiver: Receiver) -> None:
    rig.platform.say(rig.customer, text="你好")
    assert [(await rig.send())["errcode"] for _ in range(2)] == [95018, 95018]
    await rig.transfer(1)
    assert (await rig.send())["errcode"] == 0


@demonstrates("duplicate_msgid")
async def _duplicate_msgid(rig: Rig, receiver: Receiver) -> None:
    rig.platform.say(rig.customer, text="你好")
    reply = await rig.send("once", msgid="m1")
    assert reply["errcode"] == rig.platform.world.rules.duplicate_errcode
    assert rig.texts() == ["once"]


@demonstrates("msg_send_fail")
async def _msg_send_fail(rig: Rig, receiver: Receiver) -> None:
    rig.platform.say(rig.customer, text="你好")
    sent = await rig.send(msgid="m1")
    assert (sent["errcode"], rig.texts()) == (0, [])
    assert [(one["fail_msgid"], one["fail_type"]) for one in await rig.events("msg_send_fail")] == [
        ("m1", 10)
    ]


async def _three(rig: Rig) -> list[str]:
    return [rig.platform.say(rig.customer, text=str(number)) for number in range(3)]


def _ids(page: dict) -> list[str]:
    return [one["msgid"] for one in page["msg_list"]]


@demonstrates("sync_empty_page")
async def _sync_empty_page(rig: Rig, receiver: Receiver) -> None:
    said = await _three(rig)
    page = await rig.sync()
    assert (page["msg_list"], page["has_more"]) == ([], 1)
    assert _ids(await rig.sync(page["next_cursor"])) == said


@demonstrates("sync_short_page")
async def _sync_short_page(rig: Rig, receiver: Receiver) -> None:
    said = await _three(rig)
    page = await rig.sync()
    assert (_ids(page), page["has_more"]) == (said[:1], 1)
    assert _ids(await rig.sync(page["next_cursor"])) == said[1:]


@demonstrates("sync_bad_token")
async def _sync_bad_token(rig: Rig, receiver: Receiver) -> None:
    token = rig.platform.world.new_msg_token()
    assert [(await rig.sync(token=token))["errcode"] for _ in range(2)] == [95007, 0]


@demonstrates("sync_gap")
async def _sync_gap(rig: Rig, receiver: Receiver) -> None:
    said = await _three(rig)
    assert _ids(await rig.sync()) == said[1:]


@demonstrates("sync_repeat")
async def _sync_repeat(rig: Rig, receiver: Receiver) -> None:
    rig.platform.faults.clear()
    said = await _three(rig)
    page = await rig.sync()
    rig.platform.faults.arm("sync_repeat", back=2)
    assert _ids(await rig.sync(page["next_cursor"])) == said[1:]


@demonstrates("sync_strict_account")
async def _sync_strict_account(rig: Rig, receiver: Receiver) -> None:
    assert (await rig.sync())["errcode"] == 0
    assert (await rig.post("kf/sync_msg", {"cursor": ""}))["errcode"] == 40058


@demonstrates("sync_tokenless_limit")
async def _sync_tokenless_limit(rig: Rig, receiver: Receiver) -> None:
    token = rig.platform.world.new_msg_token()
    assert (await rig.sync(token=token))["errcode"] == 0
    assert (await rig.sync())["errcode"] == 45009


@demonstrates("media_gone")
async def _media_gone(rig: Rig, receiver: Receiver) -> None:
    media_id = (await rig.upload())["media_id"]
    headers, body = await rig.download(media_id)
    assert headers["Content-Type"].startswith("application/json") and b"40007" in body
    assert (await rig.download(media_id))[1] == PNG


@demonstrates("media_json_octets")
async def _media_json_octets(rig: Rig, receiver: Receiver) -> None:
    headers, body = await rig.download((await rig.upload())["media_id"])
    assert headers["Content-Type"] == "application/octet-stream" and body.startswith(b'{"errcode":-1')


@demonstrates("media_truncated")
async def _media_truncated(rig: Rig, receiver: Receiver) -> None:
    media_id = (await rig.upload())["media_id"]
    with pytest.raises(aiohttp.ClientPayloadError):
        await rig.download(media_id)


@demonstrates("media_unnamed")
async def _media_unnamed(rig: Rig, receiver: Receiver) -> None:
    headers, body = await rig.download((await rig.upload())["media_id"])
    assert "Content-Disposition" not in headers and body == PNG


@demonstrates("media_oversize")
async def _media_oversize(rig: Rig, receiver: Receiver) -> None:
    rig.platform.say(rig.customer, image=PNG)
    rig.platform.say(rig.customer, image=PNG)
    assert [one["msgtype"] for one in (await rig.sync())["msg_list"]] == ["text", "image"]


@demonstrates("enter_scene_unknown")
async def _enter_scene_unknown(rig: Rig, receiver: Receiver) -> None:
    rig.platform.enter(rig.customer, scene_param="mine")
    assert (await rig.events("enter_session"))[0]["scene_param"] == "unknown"


@demonstrates("enter_scene_reused")
async def _enter_scene_reused(rig: Rig, receiver: Receiver) -> None:
    rig.platform.faults.clear()
    rig.platform.enter(rig.customer, scene_param="hers")
    rig.platform.faults.arm("enter_scene_reused")
    rig.platform.enter(rig.platform.add_customer("客户乙"), scene_param="his")
    assert [one["scene_param"] for one in await rig.events("enter_session")] == ["hers", "hers"]


@demonstrates("enter_lost")
async def _enter_lost(rig: Rig, receiver: Receiver) -> None:
    rig.platform.enter(rig.customer, scene_param="mine")
    wanted = {"external_userid_list": [rig.customer], "need_enter_session_context": 1}
    row = (await rig.post("kf/customer/batchget", wanted))["customer_list"][0]
    assert await rig.events("enter_session") == []
    assert row["enter_session_context"]["scene_param"] == "mine"


@demonstrates("enter_twice")
async def _enter_twice(rig: Rig, receiver: Receiver) -> None:
    rig.platform.enter(rig.customer, scene_param="mine")
    assert [one["scene_param"] for one in await rig.events("enter_session")] == ["mine", "mine"]


@demonstrates("welcome_code_absent")
async def _welcome_code_absent(rig: Rig, receiver: Receiver) -> None:
    assert rig.platform.enter(rig.customer) == ""
    assert "welcome_code" not in (await rig.events("enter_session"))[0]


@demonstrates("welcome_code_expired")
async def _welcome_code_expired(rig: Rig, receiver: Receiver) -> None:
    code = rig.platform.enter(rig.customer)
    body = {"code": code, "msgtype": "text", "text": {"content": "欢迎"}}
    assert code and (await rig.post("kf/send_msg_on_event", body))["errcode"] == 40058


async def _said_and_settled(rig: Rig) -> None:
    rig.platform.say(rig.customer, text="你好")
    await rig.platform.settled()


def _kinds(rig: Rig) -> list[str]:
    return [one.kind for one in rig.platform.callbacks]


@demonstrates("callback_duplicate")
async def _callback_duplicate(rig: Rig, receiver: Receiver) -> None:
    await _said_and_settled(rig)
    first, second = receiver.opened()
    assert first["OpenKfId"] == second["OpenKfId"] == rig.account
    assert receiver.posts[0] != receiver.posts[1]


@demonstrates("callback_reorder")
async def _callback_reorder(rig: Rig, receiver: Receiver) -> None:
    await _said_and_settled(rig)
    assert receiver.posts == []
    await _said_and_settled(rig)
    assert _kinds(rig) == ["notice", "overtaken"]
    assert [one["Event"] for one in receiver.opened()] == ["kf_msg_or_event"] * 2


@demonstrates("callback_forged")
async def _callback_forged(rig: Rig, receiver: Receiver) -> None:
    await _said_and_settled(rig)
    forged, genuine = receiver.opened()
    assert (forged, genuine["OpenKfId"]) == (crypto.SIGNATURE_WRONG, rig.account)


@demonstrates("callback_replay")
async def _callback_replay(rig: Rig, receiver: Receiver) -> None:
    await _said_and_settled(rig)
    assert len(receiver.posts) == 2 and receiver.posts[0] == receiver.posts[1]


@demonstrates("callback_late_ack")
async def _callback_late_ack(rig: Rig, receiver: Receiver) -> None:
    await _said_and_settled(rig)
    assert _kinds(rig) == ["notice", "retry"]
    assert receiver.posts[0] == receiver.posts[1]


@demonstrates("callback_lost")
async def _callback_lost(rig: Rig, receiver: Receiver) -> None:
    await _said_and_settled(rig)
    assert receiver.posts == []
    assert len((await rig.sync())["msg_list"]) == 1


@demonstrates("callback_delayed")
async def _callback_delayed(rig: Rig, receiver: Receiver) -> None:
    started = time.monotonic()
    await _said_and_settled(rig)
    assert time.monotonic() - started >= 0.2 and len(receiver.posts) == 1


@demonstrates("callback_wrong_receiver")
async def _callback_wrong_receiver(rig: Rig, receiver: Receiver) -> None:
    await _said_and_settled(rig)
    foreign, genuine = receiver.opened()
    assert (foreign, genuine["OpenKfId"]) == (crypto.RECEIVER_WRONG, rig.account)


@demonstrates("callback_garbage")
async def _callback_garbage(rig: Rig, receiver: Receiver) -> None:
    await _said_and_settled(rig)
    assert receiver.opened()[0] == crypto.XML_WRONG and len(receiver.posts) == 2


@demonstrates("callback_token_expired")
async def _callback_token_expired(rig: Rig, receiver: Receiver) -> None:
    await _said_and_settled(rig)
    assert (await rig.sync(token=receiver.opened()[0]["Token"]))["errcode"] == 95007


# --- the switchboard


async def test_a_switch_can_stay_on_until_cleared(rig: Rig) -> None:
    """count=None fires for ever; clear(name) ends it and leaves others armed."""
    rig.platform.faults.arm("token_invalid", count=None)
    rig.platform.faults.arm("media_gone")
    assert {(await rig.sync())["errcode"] for _ in range(5)} == {40014}
    rig.platform.faults.clear("token_invalid")
    assert (await rig.sync())["errcode"] == 0
    assert [one.name for one in rig.platform.faults.armed] == ["media_gone"]


async def test_a_switch_can_be_meant_for_one_route(rig: Rig) -> None:
    """Other routes do not use it up."""
    rig.platform.faults.arm("busy", route="kf/send_msg")
    rig.platform.say(rig.customer, text="你好")
    assert (await rig.sync())["errcode"] == 0
    assert (await rig.send())["errcode"] == -1


async def test_a_token_fault_waits_for_a_call_with_a_token(rig: Rig) -> None:
    """gettoken neither answers 40014 nor uses the switch up."""
    rig.platform.faults.arm("token_invalid")
    assert (await rig.gettoken())["errcode"] == 0
    assert (await rig.sync())["errcode"] == 40014


async def test_a_switch_can_fire_by_chance() -> None:
    """With probability one half some calls of many are hit and some are not; a seed repeats the run."""
    runs = []
    for _ in range(2):
        async with open_rig(seed=7) as rig:
            rig.platform.faults.arm("busy", route="kf/sync_msg", count=None, probability=0.5)
            runs.append([(await rig.sync())["errcode"] for _ in range(30)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {0, -1}


async def test_any_errcode_can_be_injected(rig: Rig) -> None:
    """The parameter of `errcode` is answered as it is."""
    rig.platform.faults.arm("errcode", errcode=95026)
    assert (await rig.sync())["errcode"] == 95026


def test_unknown_names_and_parameters_are_refused() -> None:
    """A misspelt switch is a KeyError, a misspelt parameter a TypeError: no test passes by a typing error."""
    from connectors.weixin.mock.faults import Switchboard

    with pytest.raises(KeyError):
        Switchboard().arm("buzy")
    with pytest.raises(TypeError, match="secs"):
        Switchboard().arm("slow", secs=1)


async def test_two_switches_work_on_one_call(rig: Rig) -> None:
    """A slow call can be dropped as well."""
    rig.platform.faults.arm("slow", seconds=0.01)
    rig.platform.faults.arm("drop_after")
    with pytest.raises((aiohttp.ClientError, asyncio.TimeoutError)):
        await rig.sync()
    assert rig.platform.faults.armed == []
