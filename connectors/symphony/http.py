"""HTTP as this connector uses it: one exchange, answered by a `Reply` or by `Unreachable`.

Rules of this file: no knowledge of Symphony's paths, no retries. Redirects are not followed, since tokens
travel in headers; cookies are not kept. An error names the act, never an address with its parameters.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from bridge.errors import Unreachable
from bridge.ports import Clock
from connectors.symphony.settings import SymphonySettings
from connectors.symphony.wire import Reply, retry_after

_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


class Http:
    """A pool of connections, opened by entering it."""

    def __init__(self, settings: SymphonySettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the pool. Nothing is connected yet."""
        trust: ssl.SSLContext | bool = True
        if self._settings.ca_file:
            trust = await asyncio.to_thread(ssl.create_default_context, cafile=self._settings.ca_file)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust, limit=64, keepalive_timeout=15),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept": "application/json", **self._settings.headers},
        )

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def ask(self, method: str, url: str, doing: str, *, within: float, **request: Any) -> Reply:
        """One request and the whole of its answer. `doing` names the act, for people; `within` is in seconds.

        Raises `Unreachable`, certain when the request cannot have been sent.
        """
        async with self.stream(method, url, doing, within=within, **request) as response:
            return await self.reply(response)

    async def reply(self, response: aiohttp.ClientResponse) -> Reply:
        """The whole of an answer."""
        wait = retry_after(response.headers.get("Retry-After"), self._clock.now())
        return Reply(response.status, await response.read(), wait, response.content_type)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        doing: str,
        *,
        within: float,
        headers: Mapping[str, str] | None = None,
        **request: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request whose answer the caller reads; faults while reading are `Unreachable` too."""
        assert self._session is not None, "the connector has to be entered first"
        limits = aiohttp.ClientTimeout(total=within, sock_connect=self._settings.connect_timeout)
        if self._settings.proxy:
            request["proxy"] = self._settings.proxy
        trace = {"X-Trace-Id": f"{random.getrandbits(24):06x}", **(headers or {})}
        try:
            async with self._session.request(
                method, url, timeout=limits, headers=trace, allow_redirects=False, **request
            ) as response:
                yield response
        except _NEVER_SENT as error:
            raise Unreachable(f"{doing}: no connection ({type(error).__name__}).", certain=True) from None
        except TimeoutError:
            raise Unreachable(f"{doing}: no answer within {within:g} s.", certain=False) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(
                f"{doing}: the connection broke ({type(error).__name__}).", certain=False
            ) from None
