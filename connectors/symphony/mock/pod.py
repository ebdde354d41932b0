"""The mock Symphony pod as one object: its world, served over plain HTTP on loopback.

In a test: `async with SymphonyPod().serve() as url`. As a process of its own: `run_pod`. Everything a test
may ask of the world is a method of `World`; another process asks the same under `/_mock/`.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from connectors.symphony.mock import agent_routes, chat, control, login_routes, pod_routes
from connectors.symphony.mock.clock import PodClock
from connectors.symphony.mock.server import FrontDesk, RequestRecord
from connectors.symphony.mock.world import World

LOOPBACK = "127.0.0.1"
AGENT_VERSION = "Agent-25.10.1-Linux-4.14.355-277.643.amzn2.x86_64"
SHUTDOWN_SECONDS = 0.5


class SymphonyPod(World):
    """A pod, its agent and its key manager on one port.

    Options (seconds are the pod clock's): `session_seconds` and `key_manager_seconds` are the lives of
    tokens, short so that a client's new login is exercised; `poll_seconds` ends a long poll;
    `redelivery_seconds` returns an unacknowledged batch; `feed_seconds` ends an unread feed; `batch_limit`
    events fit a read; `delete_feed_status` answers the deletion of a feed (200, or the specified 204);
    `simplified_keys` issues session tokens that need no key manager; `bearer_tokens` turns `/login/idm/*` on;
    `keep_requests` bounds the record of requests (0: off); `keep_messages` bounds remembered messages (None:
    all); `frozen_clock` stops time but for `clock.advance`; `seed` makes faults with a probability
    repeatable; `directory` holds attachments (a temporary one if None).
    """

    def __init__(
        self,
        *,
        directory: Path | None = None,
        frozen_clock: bool = False,
        session_seconds: float = 120.0,
        key_manager_seconds: float = 150.0,
        poll_seconds: float = 30.0,
        redelivery_seconds: float = 30.0,
        feed_seconds: float = 1800.0,
        batch_limit: int = 100,
        delete_feed_status: int = 200,
        simplified_keys: bool = False,
        bearer_tokens: bool = False,
        agent_version: str = AGENT_VERSION,
        keep_requests: int = 10_000,
        keep_messages: int | None = None,
        seed: int = 0,
    ) -> None:
        self._own_directory = (
            None if directory is not None else tempfile.TemporaryDirectory(prefix="symphony-mock-")
        )
        where = (
            directory
            if directory is not None
            else Path(self._own_directory.name if self._own_directory else "")
        )
        super().__init__(
            directory=where,
            clock=PodClock(frozen=frozen_clock),
            session_seconds=session_seconds,
            feed_seconds=feed_seconds,
            key_manager_seconds=key_manager_seconds,
            simplified_keys=simplified_keys,
            keep_messages=keep_messages,
            seed=seed,
        )
        self.poll_seconds = poll_seconds
        self.redelivery_seconds = redelivery_seconds
        self.batch_limit = batch_limit
        self.delete_feed_status = delete_feed_status
        self.bearer_tokens = bearer_tokens
        self.agent_version = agent_version
        self.stopped = asyncio.Event()
        self.front_desk = FrontDesk(self, keep_requests)
        self._runner: web.AppRunner | None = None
        self.url = ""

    @property
    def requests(self) -> deque[RequestRecord]:
        """The last requests of the Symphony API, oldest first."""
        return self.front_desk.requests

    async def until_requested(self, route: str, times: int = 1, *, within: float = 30.0) -> None:
        """Return once `route` was requested so often. Raises TimeoutError after `within` real seconds."""
        async with asyncio.timeout(within):
            while sum(record.route == route for record in self.requests) < times:
                await self.clock.wait(self.front_desk.arrived, self.clock.now() + within)

    @asynccontextmanager
    async def serve(self, port: int = 0, host: str = LOOPBACK) -> AsyncIterator[str]:
        """Serve while the block runs; yields the base URL. Port 0 lets the system choose."""
        url = await self.start(port, host)
        try:
            yield url
        finally:
            await self.stop()

    async def start(self, port: int = 0, host: str = LOOPBACK) -> str:
        """Listen and return the base URL. Raises OSError if the port is taken."""
        self.stopped.clear()
        self._runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        address = self._runner.addresses[0]
        self.url = f"http://{address[0]}:{address[1]}"
        return self.url

    async def stop(self) -> None:
        """Let every long poll return, then close. Users and messages stay: `start` resumes the same pod."""
        self.stopped.set()
        self.clock.advance(0)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def stopping(self) -> bool:
        """Whether held calls should come to an end."""
        return self.stopped.is_set()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=0)
        for route in (*login_routes.ROUTES, *agent_routes.ROUTES, *pod_routes.ROUTES):
            application.router.add_route(route.method, route.path, self.front_desk.attend(route))
        control.add_routes(application, self)
        chat.add_routes(application, self)
        return application


async def run_pod(
    pod: SymphonyPod,
    *,
    host: str = LOOPBACK,
    port: int = 0,
    started: Callable[[str], Awaitable[None] | None] | None = None,
) -> None:
    """Serve a pod until the task is cancelled; `started` is told the base URL once the port is open."""
    async with pod.serve(port, host) as url:
        told = started(url) if started is not None else None
        if told is not None:
            await told
        await asyncio.Event().wait()
