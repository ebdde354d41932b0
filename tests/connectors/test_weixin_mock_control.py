"""Driving the mock from outside: /_mock says in JSON what the Python object says, and shows the chat.

Rules of this file: HTTP only, as another process would; the chat page is driven in a real browser where there
is one.
"""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from weixin_rig import AES_KEY, DEADLINE, PNG, TOKEN, Rig, open_receiver, open_rig

from connectors.weixin.mock import FAULTS, Load, WeixinPlatform

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A served platform."""
    async with open_rig() as opened:
        yield opened


async def post(rig: Rig, path: str, status: int = 200, **body: Any) -> Any:
    """POST JSON to /_mock/<path>."""
    async with rig.http.post(f"{rig.url}/_mock/{path}", json=body) as reply:
        assert reply.status == status, await reply.text()
        return await reply.json()


async def get(rig: Rig, path: str, **query: Any) -> Any:
    """GET /_mock/<path>."""
    async with rig.http.get(f"{rig.url}/_mock/{path}", params=query) as reply:
        assert reply.status == 200, await reply.text()
        return await reply.json()


async def test_a_conversation_can_be_driven_over_http(rig: Rig) -> None:
    """Account, customer, words both ways, recall, session: each by its route."""
    account = (await post(rig, "accounts", name="二号"))["open_kfid"]
    customer = (await post(rig, "customers", nickname="客户乙"))["external_userid"]
    where = {"customer": customer, "account": account}
    said = (await post(rig, "say", **where, text="你好"))["msgid"]
    body = {"touser": customer, "open_kfid": account, "msgtype": "text", "text": {"content": "您好"}}
    sent = (await rig.post("kf/send_msg", body))["msgid"]
    await post(rig, "recall", msgid=said)
    assert [one["msgid"] for one in await get(rig, "received", **where)] == [sent]
    whole = await get(rig, "conversation", **where)
    assert [(one["side"], one["state"]) for one in whole] == [("customer", "recalled"), ("bridge", "sent")]
    window = await get(rig, "session", **where)
    assert (window["state"], window["left"], window["quota"]) == (1, 4, 5)
    assert 172_790 <= window["seconds_left"] <= 172_800
    await post(rig, "fail_delivery", msgid=sent, fail_type=10)
    assert await get(rig, "received", **where) == []
    listed = await get(rig, "")
    assert {one["nickname"] for one in listed["customers"]} == {"李雷", "客户乙"}


async def test_another_corp_can_be_added_over_http(rig: Rig) -> None:
    """Its secret fetches a token of its own, and its account is its own."""
    await post(rig, "corps", corpid="ww_other", secret="other-secret")
    account = (await post(rig, "accounts", name="别家", corpid="ww_other"))["open_kfid"]
    rig.token = (await rig.gettoken(corpid="ww_other", corpsecret="other-secret"))["access_token"]
    listed = await rig.post("kf/account/list")
    assert [one["open_kfid"] for one in listed["account_list"]] == [account]


async def test_employees_and_entries_can_be_driven_over_http(rig: Rig) -> None:
    """enter, servicer_says, take_over, end_session return what their Python verbs return."""
    code = (await post(rig, "enter", customer=rig.customer, scene="s", scene_param="p"))["welcome_code"]
    assert code
    await post(rig, "servicer_says", servicer="alice", customer=rig.customer, text="您好")
    assert await rig.state() == 3
    assert (await post(rig, "take_over", servicer="bob", customer=rig.customer))["msg_code"]
    assert (await post(rig, "end_session", customer=rig.customer))["msg_code"]
    assert await rig.state() == 4


async def test_files_are_said_by_form_and_fetched_without_token(rig: Rig) -> None:
    """A multipart form puts an image in; its bytes are served for the page."""
    form = aiohttp.FormData(quote_fields=False)
    for name, value in {"customer": rig.customer, "account": rig.account, "kind": "file"}.items():
        form.add_field(name, value)
    form.add_field("file", PNG, filename="图.png")
    async with rig.http.post(f"{rig.url}/_mock/say", data=form) as reply:
        msgid = (await reply.json())["msgid"]
    line = (await get(rig, "conversation", customer=rig.customer))[0]
    assert (line["msgid"], line["msgtype"]) == (msgid, "file")
    async with rig.http.get(f"{rig.url}/_mock/media/{line['content']['media_id']}?download=1") as reply:
        assert await reply.read() == PNG
        assert "%E5%9B%BE.png" in reply.headers["Content-Disposition"]


async def test_the_callback_is_configured_and_verified_over_http(rig: Rig) -> None:
    """verify=true answers 400 for a URL that fails; callbacks are listed once settled."""
    async with open_receiver(rig.platform) as receiver:
        where = {"token": TOKEN, "aes_key": AES_KEY, "verify": True}
        await post(rig, "callback", url=receiver.url, **where)
        await post(rig, "callback", 400, url="http://127.0.0.1:9/", **where)
        await post(rig, "callback", url=receiver.url, **where)
        rig.platform.say(rig.customer, text="你好")
        assert [one["status"] for one in await get(rig, "callbacks", settled=1)] == [200]


async def test_clock_tokens_and_requests_are_reachable(rig: Rig) -> None:
    """Advance, expire, rotate; the requests made are listed and can be forgotten."""
    await rig.sync()
    before = rig.platform.clock.now()
    assert (await post(rig, "clock", advance=3600))["now"] >= before + 3600
    await post(rig, "tokens", action="expire")
    assert (await rig.sync())["errcode"] == 42001
    await post(rig, "tokens", action="rotate")
    assert (await rig.sync())["errcode"] == 40014
    made = await get(rig, "requests", clear=1)
    assert [(one["route"], one["errcode"]) for one in made][-2:] == [
        ("kf/sync_msg", 42001),
        ("kf/sync_msg", 40014),
    ]
    assert await get(rig, "requests") == []


async def test_faults_are_listed_armed_and_cleared(rig: Rig) -> None:
    """The whole table is served; arming takes count, route, probability and parameters."""
    await post(rig, "faults", name="errcode", route="kf/sync_msg", count=None, params={"errcode": 45009})
    assert (await rig.sync())["errcode"] == 45009
    shown = await get(rig, "faults")
    assert set(shown["table"]) == set(FAULTS)
    assert (shown["armed"][0]["name"], shown["fired"]) == ("errcode", {"errcode": 1})
    async with rig.http.delete(f"{rig.url}/_mock/faults") as reply:
        assert reply.status == 200
    assert (await rig.sync())["errcode"] == 0


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("say", {"customer": "wm_nobody", "text": "x"}, "40096"),
        ("say", {"text": "x"}, "customer"),
        ("faults", {"name": "buzy"}, "buzy"),
        ("clock", {"advance": -1}, "cannot go back"),
        ("recall", {"msgid": "nobody"}, "nobody"),
        ("tokens", {"action": "burn"}, "burn"),
        ("load", {"count": 1, "customers": ["wm_nobody"]}, "40096"),
    ],
)
async def test_wrong_orders_are_answered_400_with_the_reason(
    rig: Rig, path: str, body: dict[str, Any], says: str
) -> None:
    """The driver learns what was wrong; the mock goes on."""
    assert says in (await post(rig, path, 400, **body))["error"]


# --- load


async def test_load_puts_numbered_messages_in_order(rig: Rig) -> None:
    """count texts of the given size, round-robin over the conversations, numbered and stamped in order."""
    loaded = await post(rig, "load", count=500, conversations=7, size=100, first=1000)
    page = await rig.sync()
    texts = [one["text"]["content"] for one in page["msg_list"]]
    assert [text[:9] for text in texts] == [f"#{number:08d}" for number in range(1000, 1500)]
    assert {len(text) for text in texts} == {100}
    assert (len(loaded["customers"]), loaded["count"]) == (7, 500)
    stamps = (await get(rig, "stamps", side="customer"))["rows"]
    times = [row[3] for row in stamps]
    assert times == sorted(times)
    assert loaded["started"] <= times[0] <= times[-1] <= loaded["ended"] <= time.monotonic_ns()


async def test_load_keeps_a_rate(rig: Rig) -> None:
    """At 1000 a second, 200 messages take a fifth of a second, however fast the machine is."""
    loaded = await rig.platform.load(Load(count=200, rate=1000.0))
    assert 0.15 <= (loaded.ended - loaded.started) / 1e9 < 2.0


async def test_stamps_tell_both_ends_and_continue(rig: Rig) -> None:
    """Rows by side from a position on: id, customer, account, CLOCK_MONOTONIC ns and the text's head."""
    rig.platform.say(rig.customer, text="#00000001 in")
    before = time.monotonic_ns()
    await rig.send("#00000001 out", msgid="m1")
    answer = await get(rig, "stamps", side="bridge", after=1)
    (row,) = answer["rows"]
    assert row[:3] == ["m1", rig.customer, rig.account] and row[4] == "#00000001 out"
    assert before <= row[3] <= time.monotonic_ns()
    assert (await get(rig, "stamps", after=answer["next"]))["rows"] == []


# --- the chat window


async def _stream(rig: Rig) -> AsyncIterator[dict[str, Any]]:
    query = {"customer": rig.customer}
    async with rig.http.get(f"{rig.url}/_mock/chat/stream", params=query) as reply:
        assert reply.content_type == "text/event-stream"
        async for line in reply.content:
            if line.startswith(b"data: "):
                yield json.loads(line[6:])


async def test_the_chat_stream_starts_with_a_snapshot_and_follows(rig: Rig) -> None:
    """First what was said so far, then each line, each change of state, and the clock."""
    said = rig.platform.say(rig.customer, text="你好")
    stream = _stream(rig)
    snapshot = await anext(stream)
    await rig.send("您好")
    update = await anext(stream)
    rig.platform.recall(said)
    recalled = await anext(stream)
    rig.platform.clock.advance(48 * 3600)
    later = await anext(stream)
    await stream.aclose()
    assert [one["msgid"] for one in snapshot["lines"]] == [said]
    assert (snapshot["account"]["name"], snapshot["customer"]["nickname"]) == ("客服", "李雷")
    assert (update["line"]["content"]["content"], update["window"]["left"]) == ("您好", 4)
    assert (recalled["line"]["msgid"], recalled["line"]["state"]) == (said, "recalled")
    assert later["window"]["seconds_left"] == 0


async def test_an_open_chat_does_not_hold_the_server(rig: Rig) -> None:
    """Stopping ends every stream at once: the reader sees its end, the server does not wait for it."""
    platform = WeixinPlatform()
    async with asyncio.timeout(DEADLINE):
        async with platform.serve() as url:
            platform.add_account("客服")
            query = {"customer": platform.add_customer("李雷")}
            reply = await rig.http.get(f"{url}/_mock/chat/stream", params=query)
            await reply.content.readline()
        await reply.read()


async def test_a_chat_of_nobody_is_404(rig: Rig) -> None:
    """An unknown customer has no window."""
    async with rig.http.get(f"{rig.url}/_mock/chat/stream", params={"customer": "wm_nobody"}) as reply:
        assert reply.status == 404


async def test_the_page_asks_no_other_server(rig: Rig) -> None:
    """The page is self-contained: no address of another host is loaded by it."""
    async with rig.http.get(f"{rig.url}/_mock/chat", params={"customer": rig.customer}) as reply:
        html = await reply.text()
    assert "微信（模拟）" in html
    assert not any(mark in html for mark in ('src="http', 'href="http', "@import", "url(http"))


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
async def test_a_person_can_chat_in_a_browser(rig: Rig) -> None:
    """Type and send, read the answer, see markup as text, recall: in a real browser, with no script error."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = await browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto(f"{rig.url}/_mock/chat?customer={rig.customer}")
        await page.fill("#text", "你好 <b>顾问</b>")
        await page.press("#text", "Enter")
        await page.wait_for_selector(".row.own .bubble")
        assert await page.inner_text(".row.own .bubble") == "你好 <b>顾问</b>"
        await rig.send("您好，李先生")
        await page.wait_for_selector(".row:not(.own) .bubble >> text=您好，李先生")
        assert "4" in await page.inner_text("#left")
        await page.hover(".row.own")
        await page.click(".row.own .undo")
        await page.wait_for_selector("text=你撤回了一条消息")
        await page.click("text=+48 小时")
        await page.wait_for_selector("text=已关闭")
        await browser.close()
    assert errors == []
    rig.later(0)
    assert (await rig.events("user_recall_msg"))[0]["external_userid"] == rig.customer
