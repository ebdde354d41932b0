"""Other people's software, unmodified, against the mock WeCom and our callback crypto.

wechatpy 2.0.0a26 calls the API through its own classes (a transport adapter leads its fixed addresses to
loopback) and opens our callbacks; werobot 1.13.1 opens them with its own code; the vendor's @wecom/crypto
1.0.1 gives the same bytes and opens them too.

Rules of this file: nothing of the connector; what a client does wrong is pinned here as its quirk, so that
nobody takes it for the platform's behaviour.
"""

import asyncio
import io
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
import xmltodict
from aiohttp import web
from requests.adapters import HTTPAdapter
from wechatpy.exceptions import APILimitedException, InvalidSignatureException, WeChatClientException
from wechatpy.work import WeChatClient, parse_message
from wechatpy.work.crypto import WeChatCrypto
from wechatpy.work.exceptions import InvalidCorpIdException
from werobot.crypto import MessageCrypt
from werobot.parser import parse_user_msg

from connectors.weixin.crypto import CallbackCrypt
from connectors.weixin.mock import WeixinPlatform

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent / "wecom_crypto"
CACHE = ROOT / ".cache" / "wecom-crypto"
VECTORS = json.loads((ROOT / "tests" / "vectors" / "weixin.json").read_text())
PUSH = VECTORS["encrypt_kf_callback"]
TOKEN, AES_KEY = PUSH["token"], PUSH["aes"]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))


class Detour(HTTPAdapter):
    """Leads any https address to the mock: path and query stay."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._mock = urlsplit(url)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send to the mock instead."""
        asked = urlsplit(request.url)
        request.url = urlunsplit((self._mock.scheme, self._mock.netloc, asked.path, asked.query, ""))
        return super().send(request, *args, **kwargs)


@pytest.fixture
async def platform() -> AsyncIterator[WeixinPlatform]:
    """A served platform with one account."""
    mock = WeixinPlatform()
    async with mock.serve():
        mock.add_account("客服")
        yield mock


@pytest.fixture
def client(platform: WeixinPlatform) -> WeChatClient:
    """wechatpy's WeCom client, as it comes."""
    made = WeChatClient(platform.corpid, platform.secret)
    made._http.mount("https://", Detour(platform.url))
    return made


async def called(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run a blocking client beside the mock's loop."""
    return await asyncio.to_thread(function, *args, **kwargs)


@pytest.fixture
async def pushed(platform: WeixinPlatform) -> tuple[dict[str, str], bytes]:
    """One real callback of the mock: (query, body)."""
    posts: list[tuple[dict[str, str], bytes]] = []

    async def take(request: web.Request) -> web.Response:
        posts.append((dict(request.query), await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/callback", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    platform.set_callback(f"http://127.0.0.1:{runner.addresses[0][1]}/callback", TOKEN, AES_KEY)
    platform.say(platform.add_customer("李雷"), text="你好")
    await platform.settled()
    await runner.cleanup()
    return posts[0]


# --- wechatpy, calling


async def test_wechatpy_fetches_and_keeps_the_token(platform: WeixinPlatform, client: WeChatClient) -> None:
    """One gettoken serves several calls."""
    for _ in range(3):
        await called(client.kf.get_account_list)
    assert [one.route for one in platform.requests] == ["gettoken"] + ["kf/account/list"] * 3


async def test_wechatpy_refreshes_an_expired_token(platform: WeixinPlatform, client: WeChatClient) -> None:
    """After 42001 it fetches a new token and repeats the call by itself."""
    await called(client.kf.get_account_list)
    platform.tokens.expire()
    listed = await called(client.kf.get_account_list)
    assert listed["account_list"][0]["name"] == "客服"


async def test_wechatpy_reads_messages_page_by_page(platform: WeixinPlatform, client: WeChatClient) -> None:
    """Its sync_msg (no open_kfid, cursor "", raw JSON bytes) reads everything once, in order."""
    customer = platform.add_customer("李雷")
    said = [platform.say(customer, text=f"第{number}句") for number in range(5)]
    token = platform.world.new_msg_token()
    first = await called(client.kf.sync_msg, token, limit=3)
    second = await called(client.kf.sync_msg, token, cursor=first["next_cursor"], limit=3)
    assert [one["msgid"] for one in first["msg_list"] + second["msg_list"]] == said
    assert (first["has_more"], second["has_more"]) == (1, 0)


async def test_wechatpy_sends_text_and_the_customer_sees_it(
    platform: WeixinPlatform, client: WeChatClient
) -> None:
    """send_text with our msgid; Chinese arrives as written."""
    customer, account = platform.add_customer("李雷"), platform.account().open_kfid
    platform.say(customer, text="你好")
    sent = await called(client.kf_message.send_text, customer, account, "您好，李先生", msgid="permit-1")
    assert (sent["msgid"], platform.received(customer)[0].text) == ("permit-1", "您好，李先生")


async def test_wechatpy_uploads_media_and_sends_it(platform: WeixinPlatform, client: WeChatClient) -> None:
    """Its multipart upload is read; the image goes to the customer byte for byte."""
    customer, account = platform.add_customer("李雷"), platform.account().open_kfid
    platform.say(customer, text="你好")
    put = await called(client.media.upload, "image", ("a.png", io.BytesIO(PNG)))
    await called(client.kf_message.send_image, customer, account, put["media_id"])
    (shown,) = platform.received(customer)
    assert (shown.msgtype, shown.media()) == ("image", PNG)


async def test_wechatpy_sends_menus(platform: WeixinPlatform, client: WeChatClient) -> None:
    """send_msgmenu reaches the customer with its items."""
    customer, account = platform.add_customer("李雷"), platform.account().open_kfid
    platform.say(customer, text="你好")
    items = [{"type": "click", "click": {"id": "agree", "content": "同意"}}]
    await called(client.kf_message.send_msgmenu, customer, account, "是否同意存档？", items, "")
    assert platform.received(customer)[0].content["list"] == items


async def test_wechatpy_looks_up_customers(platform: WeixinPlatform, client: WeChatClient) -> None:
    """customer/batchget by one id."""
    customer = platform.add_customer("李雷", unionid="o-1")
    found = await called(client.kf.batchget_customer, customer)
    assert [(one["nickname"], one["unionid"]) for one in found["customer_list"]] == [("李雷", "o-1")]


async def test_wechatpy_makes_a_contact_link_that_opens_a_chat(
    platform: WeixinPlatform, client: WeChatClient
) -> None:
    """add_contact_way; following the link with a scene_param reports enter_session to sync_msg."""
    customer = platform.add_customer("李雷")
    way = await called(client.kf.add_contact_way, platform.account().open_kfid, "branch-7")
    link = f"{way['url']}&scene_param=one-time&customer={customer}"
    await called(requests.get, link, allow_redirects=False, timeout=60)
    page = await called(client.kf.sync_msg, platform.world.new_msg_token())
    assert [one["event"]["scene_param"] for one in page["msg_list"]] == ["one-time"]


async def test_wechatpy_moves_sessions_and_servicers(platform: WeixinPlatform, client: WeChatClient) -> None:
    """Servicer add, list, del and service_state get, trans."""
    customer, account = platform.add_customer("李雷"), platform.account().open_kfid
    platform.say(customer, text="你好")
    await called(client.kf.add_servicer, account, "alice")
    await called(client.kf.trans_service_state, account, customer, 3, "alice")
    state = await called(client.kf.get_service_state, account, customer)
    listed = await called(client.kf.get_servicer_list, account)
    await called(client.kf.del_servicer, account, "alice")
    assert (state["service_state"], state["servicer_userid"]) == (3, "alice")
    assert listed["servicer_list"] == [{"userid": "alice", "status": 0}]


async def test_wechatpy_answers_a_welcome_code(platform: WeixinPlatform, client: WeChatClient) -> None:
    """send_msg_on_event with its own payload shape."""
    customer = platform.add_customer("李雷")
    code = platform.enter(customer)
    await called(client.kf.send_msg_on_event, code, "text", {"text": {"content": "欢迎"}})
    assert platform.received(customer)[0].text == "欢迎"


async def test_wechatpy_meets_refusals_as_its_exceptions(
    platform: WeixinPlatform, client: WeChatClient
) -> None:
    """errcodes come through with HTTP 200; 45009 is its limit exception."""
    customer, account = platform.add_customer("李雷"), platform.account().open_kfid
    with pytest.raises(WeChatClientException) as caught:
        await called(client.kf_message.send_text, customer, account, "x")
    assert caught.value.errcode == 95002
    platform.faults.arm("frequency_limit", route="kf/account/list")
    with pytest.raises(APILimitedException):
        await called(client.kf.get_account_list)


async def test_a_token_refused_for_ever_makes_wechatpy_recurse(
    platform: WeixinPlatform, client: WeChatClient
) -> None:
    """Its defect, which ours must not have: it repeats without limit instead of once."""
    await called(client.kf.get_account_list)
    platform.faults.arm("token_invalid", route="kf/account/list", count=None)
    with pytest.raises(RecursionError):
        await called(client.kf.get_account_list)
    assert len([one for one in platform.requests if one.errcode == 40014]) > 10


async def test_payloads_under_the_wrong_key_are_refused(
    platform: WeixinPlatform, client: WeChatClient
) -> None:
    """Its send_location and send_articles_link are malformed; the mock says so as the platform would."""
    customer, account = platform.add_customer("李雷"), platform.account().open_kfid
    platform.say(customer, text="你好")
    with pytest.raises(WeChatClientException) as location:
        await called(client.kf_message.send_location, customer, account, "n", "a", 1.0, 1.0)
    article = {"title": "t", "desc": "d", "url": "https://x", "thumb_media_id": "m"}
    with pytest.raises(WeChatClientException) as link:
        await called(client.kf_message.send_articles_link, customer, account, article)
    assert (location.value.errcode, link.value.errcode) == (40058, 40008)


# --- callbacks, opened by others


async def test_wechatpy_opens_our_callback(
    platform: WeixinPlatform, pushed: tuple[dict[str, str], bytes]
) -> None:
    """Its crypto decrypts, its parser knows the event and its token."""
    query, body = pushed
    crypt = WeChatCrypto(TOKEN, AES_KEY, platform.corpid)
    xml = crypt.decrypt_message(body, query["msg_signature"], query["timestamp"], query["nonce"])
    message = parse_message(xml)
    assert message.event == "kf_msg_or_event"
    assert message._data["OpenKfId"] == platform.account().open_kfid
    platform.world.check_msg_token(message.token)


async def test_wechatpy_refuses_what_it_should(
    platform: WeixinPlatform, pushed: tuple[dict[str, str], bytes]
) -> None:
    """A wrong signature and a wrong receiver fail there as they do here."""
    query, body = pushed
    with pytest.raises(InvalidSignatureException):
        WeChatCrypto(TOKEN, AES_KEY, platform.corpid).decrypt_message(
            body, "0" * 40, query["timestamp"], query["nonce"]
        )
    with pytest.raises(InvalidCorpIdException):
        WeChatCrypto(TOKEN, AES_KEY, "ww_other").decrypt_message(
            body, query["msg_signature"], query["timestamp"], query["nonce"]
        )


async def test_wechatpy_verifies_our_url_check(platform: WeixinPlatform) -> None:
    """A receiver written with wechatpy passes the mock's URL verification."""
    crypt = WeChatCrypto(TOKEN, AES_KEY, platform.corpid)

    async def verify(request: web.Request) -> web.Response:
        query = request.query
        signed, echo = query["msg_signature"], query["echostr"]
        return web.Response(text=crypt.check_signature(signed, query["timestamp"], query["nonce"], echo))

    app = web.Application()
    app.router.add_get("/", verify)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    platform.set_callback(f"http://127.0.0.1:{runner.addresses[0][1]}/", TOKEN, AES_KEY)
    await platform.verify_callback()
    await runner.cleanup()


async def test_werobot_opens_our_callback(
    platform: WeixinPlatform, pushed: tuple[dict[str, str], bytes]
) -> None:
    """Its own code for official accounts uses the same envelope: it decrypts and parses an event."""
    query, body = pushed
    encrypted = xmltodict.parse(body)["xml"]["Encrypt"]
    crypt = MessageCrypt(TOKEN, AES_KEY, platform.corpid)
    xml = crypt.decrypt_message(query["timestamp"], query["nonce"], query["msg_signature"], encrypted)
    assert "kf_msg_or_event" in (xml if isinstance(xml, str) else xml.decode())
    assert parse_user_msg(xml).type == "kf_msg_or_event_event"


def test_our_crypto_opens_what_wechatpy_sealed() -> None:
    """The other way round: a reply encrypted by wechatpy opens here."""
    sealed = WeChatCrypto(TOKEN, AES_KEY, PUSH["corp"]).encrypt_message(
        "<xml>你好</xml>", "nonce", "1409659813"
    )
    signed = xmltodict.parse(sealed)["xml"]["MsgSignature"]
    crypt = CallbackCrypt(TOKEN, AES_KEY, PUSH["corp"])
    assert crypt.open(sealed.encode(), signed, "1409659813", "nonce").decode() == "<xml>你好</xml>"


# --- @wecom/crypto


@pytest.fixture(scope="module")
def vendor() -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The vendor's package, installed once into the cache: asked by JSON, answers by JSON."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are needed to run the vendor's @wecom/crypto")
    if not CACHE.exists():
        _install(npm)

    def ask(question: dict[str, Any]) -> dict[str, Any]:
        command = [node, str(HERE / "compare.js"), str(CACHE)]
        asked = json.dumps(question).encode()
        return json.loads(
            subprocess.run(command, input=asked, capture_output=True, check=True, timeout=60).stdout
        )

    return ask


def _install(npm: str) -> None:
    """Install beside the cache, then rename: two test processes do not see each other's half."""
    draft = CACHE.with_name(f"{CACHE.name}.{os.getpid()}")
    draft.mkdir(parents=True)
    shutil.copy(HERE / "package.json", draft)
    command = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run(command, cwd=draft, check=True, capture_output=True, timeout=180)
    if CACHE.exists():
        shutil.rmtree(draft)
    else:
        draft.rename(CACHE)


def test_the_vendors_package_is_the_pinned_one(vendor: Callable[..., Any]) -> None:
    """Exactly 1.0.1, as package.json says."""
    installed = json.loads((CACHE / "node_modules" / "@wecom" / "crypto" / "package.json").read_text())
    assert installed["version"] == "1.0.1"


@pytest.mark.parametrize("message", [PUSH["xml"], "", "字" * 700, "x" * 12])
def test_the_vendors_package_gives_the_same_bytes(vendor: Callable[..., Any], message: str) -> None:
    """Same key, message, receiver and random bytes: same ciphertext and same signature."""
    random = PUSH["random"]
    encrypted, signed = CallbackCrypt(TOKEN, AES_KEY, PUSH["corp"]).seal(
        message.encode(), PUSH["ts"], PUSH["nonce"], random.encode()
    )
    theirs = vendor(
        {
            "encrypt": {"aes": AES_KEY, "message": message, "receiveid": PUSH["corp"], "random": random},
            "signature": {"token": TOKEN, "ts": PUSH["ts"], "nonce": PUSH["nonce"], "enc": encrypted},
        }
    )
    assert theirs == {"encrypt": encrypted, "signature": signed}


async def test_the_vendors_package_opens_our_callback(
    vendor: Callable[..., Any], platform: WeixinPlatform, pushed: tuple[dict[str, str], bytes]
) -> None:
    """A callback the mock really posted: the vendor's code reads message and receiver."""
    encrypted = xmltodict.parse(pushed[1])["xml"]["Encrypt"]
    theirs = vendor({"decrypt": {"aes": AES_KEY, "encrypted": encrypted}})["decrypt"]
    assert theirs["id"] == platform.corpid
    assert xmltodict.parse(theirs["message"])["xml"]["OpenKfId"] == platform.account().open_kfid
