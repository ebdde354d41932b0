"""The chat window of a customer in a browser: one page, kept live by server-sent events.

Rules of this file: it shows and never decides; the page (`chat.html`) is self-contained and does everything
through /_mock. A reader that is slow loses its stream and reconnects to a fresh snapshot.
"""

import asyncio
from contextlib import suppress
from importlib.resources import files
from typing import Any

import orjson
from aiohttp import web

from connectors.weixin.mock.codes import ApiError
from connectors.weixin.mock.control import line_view, window_of
from connectors.weixin.mock.media import Media
from connectors.weixin.mock.records import Account, Customer, Line, Session
from connectors.weixin.mock.world import World

_QUEUE = 1000
_KEEPALIVE = 15.0
Key = tuple[str, str]
Feed = asyncio.Queue[dict[str, Any] | None]


class ChatPage:
    """Serves the page, its stream, and contact links (/kfid/...), which lead to it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._feeds: dict[Key, set[Feed]] = {}

    def register(self, app: web.Application) -> None:
        """Put the page into a server."""
        app.router.add_get("/_mock/chat", self.page)
        app.router.add_get("/_mock/chat/stream", self.stream)
        app.router.add_get("/kfid/{link}", self.follow_link)

    def changed(self, line: Line) -> None:
        """A line is new or has another state: tell whoever looks at this chat."""
        key = (line.open_kfid, line.external_userid)
        if key in self._feeds:
            self._tell(key, {"line": line_view(line, self._media(line)), **self._standing(key)})

    def session_changed(self, session: Session) -> None:
        """A session has another state."""
        key = (session.open_kfid, session.external_userid)
        self._tell(key, self._standing(key))

    def clock_moved(self) -> None:
        """The platform's clock was advanced: every window is nearer to its end."""
        for key in list(self._feeds):
            self._tell(key, self._standing(key))

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        for feeds in self._feeds.values():
            for feed in feeds:
                self._offer(feed, None)

    async def page(self, request: web.Request) -> web.Response:
        """?customer=<external_userid>&account=<open_kfid>? -> the page."""
        html = files(__package__).joinpath("chat.html").read_bytes()
        return web.Response(body=html, content_type="text/html", charset="utf-8")

    async def follow_link(self, request: web.Request) -> web.Response:
        """A contact link is opened: by ?customer=, or by someone new; then on to the chat."""
        query = request.query
        known = self._world.customers.get(query.get("customer", ""))
        customer = known or self._world.add_customer("微信用户")
        try:
            scene_param = query.get("scene_param", "")
            account = self._world.link_opened(query.get("enc_scene", ""), scene_param, customer)
        except (KeyError, ValueError):
            raise web.HTTPNotFound() from None
        raise web.HTTPFound(f"/_mock/chat?customer={customer.external_userid}&account={account.open_kfid}")

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: a snapshot, then one update per change."""
        account, customer = self._who(request)
        reply = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await reply.prepare(request)
        feed: Feed = asyncio.Queue(_QUEUE)
        key = (account.open_kfid, customer.external_userid)
        snapshot = self._snapshot(account, customer)
        feeds = self._feeds.setdefault(key, set())
        feeds.add(feed)
        try:
            await _write(reply, snapshot)
            while (update := await _next(feed)) is not None:
                await _write(reply, update)
        except ConnectionError:
            pass
        finally:
            feeds.discard(feed)
            if not feeds:
                self._feeds.pop(key, None)
        return reply

    def _who(self, request: web.Request) -> tuple[Account, Customer]:
        query, world = request.query, self._world
        try:
            customer = world.customer(query.get("customer"))
            chosen = query.get("account") or self._likely_account(customer)
            return world.account(chosen), customer
        except ApiError as error:
            raise web.HTTPNotFound(text=str(error)) from None

    def _likely_account(self, customer: Customer) -> str:
        """The account this customer talks to, else the first there is."""
        for open_kfid, external_userid in self._world.sessions:
            if external_userid == customer.external_userid:
                return open_kfid
        return next(iter(self._world.accounts), "")

    def _snapshot(self, account: Account, customer: Customer) -> dict[str, Any]:
        session = self._world.session(account, customer)
        return {
            "account": {"open_kfid": account.open_kfid, "name": account.name},
            "customer": {"external_userid": customer.external_userid, "nickname": customer.nickname},
            "lines": [line_view(line, self._media(line)) for line in session.lines[-500:]],
            **self._standing((account.open_kfid, customer.external_userid)),
        }

    def _standing(self, key: Key) -> dict[str, Any]:
        now = self._world.clock.now()
        return {"window": window_of(self._world.sessions[key], now, self._world.rules.quota), "now": now}

    def _media(self, line: Line) -> Media | None:
        if not line.media_id:
            return None
        with suppress(ApiError):
            return self._world.media.find(line.media_id)
        return None

    def _tell(self, key: Key, update: dict[str, Any]) -> None:
        for feed in list(self._feeds.get(key, ())):
            self._offer(feed, update)

    def _offer(self, feed: Feed, update: dict[str, Any] | None) -> None:
        if feed.full():
            feed.get_nowait()
            update = None
        feed.put_nowait(update)


async def _next(feed: Feed) -> dict[str, Any] | None:
    """The next update, None at the end; {} when it stays quiet, to notice a reader that has gone."""
    try:
        async with asyncio.timeout(_KEEPALIVE):
            return await feed.get()
    except TimeoutError:
        return {}


async def _write(reply: web.StreamResponse, update: dict[str, Any]) -> None:
    await reply.write(b"data: " + orjson.dumps(update) + b"\n\n")
