"""A served mock Weixin with one account and one customer, a plain API client, and a callback receiver.

Rules of this file: what the tests of the mock share, nothing else; the client speaks plain aiohttp, so that
nothing of the connector is used to test the mock.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import xmltodict
from aiohttp import web

from connectors.weixin.crypto import CallbackCrypt, CryptError
from connectors.weixin.mock import Manners, WeixinPlatform

AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
TOKEN = "QDG6eK"
DEADLINE = 60.0
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
QUICK = Manners(timeout=30.0, retry_delay=0.01)


@dataclass
class Rig:
    """Platform, its URL, a client session, and the ids of the one account and the one customer."""

    platform: WeixinPlatform
    url: str
    http: aiohttp.ClientSession
    account: str
    customer: str
    token: str = ""

    async def gettoken(self, **query: str) -> dict[str, Any]:
        """One gettoken call."""
        wanted = {"corpid": self.platform.corpid, "corpsecret": self.platform.secret, **query}
        async with self.http.get(f"{self.url}/cgi-bin/gettoken", params=wanted) as reply:
            return await reply.json()

    async def post(
        self, route: str, body: dict[str, Any] | bytes | None = None, **query: str
    ) -> dict[str, Any]:
        """One POST under /cgi-bin with the token; the parsed JSON."""
        if not self.token:
            self.token = (await self.gettoken())["access_token"]
        wanted = {"access_token": self.token, **query}
        how = {"data": body} if isinstance(body, bytes) else {"json": body or {}}
        async with self.http.post(f"{self.url}/cgi-bin/{route}", params=wanted, **how) as reply:
            assert reply.status == 200
            return await reply.json()

    async def send(self, text: str = "hello", **more: Any) -> dict[str, Any]:
        """kf/send_msg of a text to the customer."""
        body = {
            "touser": self.customer,
            "open_kfid": self.account,
            "msgtype": "text",
            "text": {"content": text},
        }
        return await self.post("kf/send_msg", {**body, **more})

    async def sync(self, cursor: str = "", **more: Any) -> dict[str, Any]:
        """One page of kf/sync_msg of the account."""
        return await self.post("kf/sync_msg", {"cursor": cursor, "open_kfid": self.account, **more})

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """The logged events of one type."""
        messages = (await self.sync())["msg_list"]
        return [
            one["event"]
            for one in messages
            if one["msgtype"] == "event" and one["event"]["event_type"] == kind
        ]

    async def state(self) -> int:
        """The session's state by API."""
        body = {"open_kfid": self.account, "external_userid": self.customer}
        return (await self.post("kf/service_state/get", body))["service_state"]

    async def transfer(self, state: Any, **more: Any) -> dict[str, Any]:
        """kf/service_state/trans."""
        body = {"open_kfid": self.account, "external_userid": self.customer, "service_state": state}
        return await self.post("kf/service_state/trans", {**body, **more})

    async def upload(self, kind: str = "image", data: bytes = PNG, name: str = "a.png") -> dict[str, Any]:
        """media/upload of a form with the part `media`."""
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("media", io.BytesIO(data), filename=name)
        self.token = self.token or (await self.gettoken())["access_token"]
        query = {"access_token": self.token, "type": kind}
        async with self.http.post(f"{self.url}/cgi-bin/media/upload", params=query, data=form) as reply:
            return await reply.json()

    async def download(self, media_id: str) -> tuple[Any, bytes]:
        """media/get: (headers, body)."""
        self.token = self.token or (await self.gettoken())["access_token"]
        query = {"access_token": self.token, "media_id": media_id}
        async with self.http.get(f"{self.url}/cgi-bin/media/get", params=query) as reply:
            assert reply.status == 200
            return reply.headers, await reply.read()

    def later(self, seconds: float) -> None:
        """Time passes; the access token is fetched anew, as it may have expired."""
        self.platform.clock.advance(seconds)
        self.token = ""

    def texts(self) -> list[str]:
        """Texts the customer was sent."""
        return [one.text for one in self.platform.received(self.customer, self.account)]


@dataclass
class Receiver:
    """A callback URL: keeps what was posted and answers `statuses` in turn, then 200."""

    crypt: CallbackCrypt
    url: str = ""
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    hang: asyncio.Event | None = None

    async def answer(self, request: web.Request) -> web.Response:
        """Verification on GET, taking on POST."""
        query = dict(request.query)
        if request.method == "GET":
            return web.Response(body=self.crypt.verify_url(**_named(query), echostr=query["echostr"]))
        self.posts.append((query, await request.read()))
        if self.hang is not None:
            await self.hang.wait()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    def opened(self) -> list[dict[str, str] | int]:
        """Each post as its parsed XML, or as the code with which it was refused."""
        return [self._open(query, body) for query, body in self.posts]

    def _open(self, query: dict[str, str], body: bytes) -> dict[str, str] | int:
        try:
            return xmltodict.parse(self.crypt.open(body, **_named(query)))["xml"]
        except CryptError as error:
            return error.code


def _named(query: dict[str, str]) -> dict[str, str]:
    return {name: query[name] for name in ("msg_signature", "timestamp", "nonce")}


@asynccontextmanager
async def open_rig(**options: Any) -> AsyncIterator[Rig]:
    """A served platform."""
    platform = WeixinPlatform(**{"manners": QUICK, **options})
    async with platform.serve() as url, aiohttp.ClientSession() as http:
        yield Rig(platform, url, http, platform.add_account("客服"), platform.add_customer("李雷"))


@asynccontextmanager
async def open_receiver(platform: WeixinPlatform) -> AsyncIterator[Receiver]:
    """A callback URL that the platform knows."""
    receiver = Receiver(CallbackCrypt(TOKEN, AES_KEY, platform.corpid))
    app = web.Application()
    app.router.add_route("*", "/callback", receiver.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/callback"
    platform.set_callback(receiver.url, TOKEN, AES_KEY)
    try:
        yield receiver
    finally:
        await runner.cleanup()


async def until(condition: Callable[[], bool]) -> None:
    """Return when `condition` holds; fails after the deadline."""
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 what is waited for is not ours to signal
            await asyncio.sleep(0)
