"""One HTTP exchange: what is certain when it fails, what travels with it, and what does not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from bridge.errors import Unreachable
from connectors.symphony.client import WallClock
from connectors.symphony.http import Http
from connectors.symphony.settings import SymphonySettings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SETTINGS = SymphonySettings("http://127.0.0.1", "bot", "key", headers={"X-Gateway": "g1"})


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[tuple[Http, str]]:
    """An HTTP client, and the URL of a server that does what `handler` does."""
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    http = Http(SETTINGS, WallClock())
    await http.open()
    try:
        yield http, f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await http.close()
        await runner.cleanup()


async def test_an_answer_comes_with_what_decisions_need() -> None:
    """Status, body, type and waiting time; a gateway's headers and a trace id travel along."""
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response(status=429, body=b"slow", headers={"Retry-After": "7"}, content_type="text/plain")

    async with serving(handler) as (http, url):
        reply = await http.ask("POST", url, "testing", within=5, headers={"sessionToken": "s"}, json={})
        await http.ask("GET", url, "testing", within=5)
    assert (reply.status, reply.body, reply.retry_after, reply.media_type) == (
        429,
        b"slow",
        7.0,
        "text/plain",
    )
    assert (seen[0].headers["X-Gateway"], seen[0].headers["sessionToken"]) == ("g1", "s")
    assert seen[0].headers["X-Trace-Id"] != seen[1].headers["X-Trace-Id"]
    assert len(seen[0].headers["X-Trace-Id"]) == 6


async def test_tokens_do_not_follow_redirects_and_cookies_are_not_kept() -> None:
    """A redirect is an answer like another: what it points to never sees our tokens."""
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Cookie", ""))
        answer = web.Response(status=302, headers={"Location": "/elsewhere"})
        answer.set_cookie("session", "x")
        return answer

    async with serving(handler) as (http, url):
        for _ in range(2):
            assert (await http.ask("GET", url, "testing", within=5)).status == 302
    assert seen == ["", ""]


async def test_no_connection_is_certain() -> None:
    """Where nobody listens, nothing was sent."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        http = Http(SETTINGS, WallClock())
        await http.open()
        with pytest.raises(Unreachable) as caught:
            await http.ask("POST", f"http://127.0.0.1:{free.getsockname()[1]}/?secret=1", "testing", within=5)
        await http.close()
    assert caught.value.certain
    assert "testing" in str(caught.value) and "secret" not in str(caught.value)


async def _hang_up(request: web.Request) -> web.StreamResponse:
    await request.read()
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def _half(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    answer.content_length = 100
    await answer.prepare(request)
    await answer.write(b"x" * 50)
    assert request.transport is not None
    request.transport.close()
    return answer


async def _never(_request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    return web.Response()


@pytest.mark.parametrize("handler", [_hang_up, _half, _never])
async def test_a_request_that_went_out_is_uncertain(handler: Handler) -> None:
    """Cut off, half answered, or never answered: the other side may have acted."""
    async with serving(handler) as (http, url):
        with pytest.raises(Unreachable) as caught:
            await http.ask("POST", url, "testing", within=0.2, json={})
    assert caught.value.certain is False


async def test_a_stream_that_breaks_off_is_noticed() -> None:
    """Half a file is not a file."""
    async with serving(_half) as (http, url):
        with pytest.raises(Unreachable):
            async with http.stream("GET", url, "testing", within=5) as response:
                _ = [piece async for piece in response.content.iter_chunked(10)]
