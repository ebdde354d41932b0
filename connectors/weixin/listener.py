"""The callback URL: answers the platform at once, and passes on that there is something to pull.

Rules of this file: nothing is awaited between reading a callback and answering it, because the platform gives
up after 5 seconds and repeats. A callback is trusted by its signature alone. Replays need no memory here:
pulling once more by cursor finds nothing new. What goes wrong is logged by code, never with its content.

Source: WeCom developer documentation 90238 (callback security), 94699 (the callback of 微信客服).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Self

import structlog
from aiohttp import web

from bridge.errors import SignedOut
from connectors.weixin import wire
from connectors.weixin.crypto import CallbackCrypt, CryptError

_LARGEST = 64 * 1024

log = structlog.get_logger()


class CallbackListener:
    """An HTTP server for one callback URL; an asynchronous context manager.

    `rung` is called with every genuine callback, on the event loop, before it is answered; it must not block.
    """

    def __init__(
        self, crypt: CallbackCrypt, host: str, port: int, path: str, rung: Callable[[wire.Callback], None]
    ) -> None:
        self._crypt = crypt
        self._address = (host, port)
        self._path = path
        self._rung = rung
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_LARGEST)
        app.router.add_get(self._path, self._verify)
        app.router.add_post(self._path, self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, *self._address).start()
        except OSError as error:
            await self.__aexit__()
            raise _taken(self._address, error) from None
        log.info("callback:listening", network="weixin", port=self.bound_port)
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def bound_port(self) -> int:
        """The port listened on: the free one that was found if 0 was asked for. 0 when not listening."""
        return self._runner.addresses[0][1] if self._runner and self._runner.addresses else 0

    async def _verify(self, request: web.Request) -> web.Response:
        """The console's check of the URL: the decrypted echo, bare."""
        try:
            echo = self._crypt.verify_url(*_signed(request), request.query.get("echostr", ""))
        except CryptError as refused:
            return _refusal(refused)
        return web.Response(body=echo, content_type="text/plain")

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            plain = self._crypt.open(body, *_signed(request))
        except CryptError as refused:
            return _refusal(refused)
        self._rung(wire.read_callback(plain))
        return web.Response()


def _signed(request: web.Request) -> tuple[str, str, str]:
    query = request.query
    return query.get("msg_signature", ""), query.get("timestamp", ""), query.get("nonce", "")


def _taken(address: tuple[str, int], error: OSError) -> SignedOut:
    why = os.strerror(error.errno).lower() if error.errno else "no such address"
    host, port = address
    return SignedOut(
        f"The address for callbacks, {host}:{port}, cannot be listened on: {why}.",
        remedy=f"Free {host}:{port} ({why}), or write another address into weixin.listen.",
    )


def _refusal(refused: CryptError) -> web.Response:
    log.warning("callback:refused", network="weixin", code=str(refused.code))
    return web.Response(status=403)
