"""A stage for the Weixin connector's tests: the mock platform, the connector, and somebody who reads.

Rules of this file: no test stands here and nothing of the connector is replaced; only time, chance and the
archive's bytes are played. Waiting is for conditions, with a deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from bridge import message as nouns
from bridge.errors import StoreError
from bridge.message import Batch, Blob, Content, Message, Permit, Traffic
from connectors.weixin.api import Pace
from connectors.weixin.kf import WeixinConnector, WeixinSettings
from connectors.weixin.mock import WeixinPlatform
from connectors.weixin.mock.records import Recorded

TOKEN = "callback-token"
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
PERMIT = "0123456789abcdefghij"
DEADLINE = 60.0


@dataclass
class PlayedTime:
    """Seconds that pass when a test says so, beside those that really do; sleeping is noted and skipped."""

    ahead: float = 0.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def now(self) -> int:
        return int((time.time() + self.ahead) * 1000)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    @property
    def pace(self) -> Pace:
        return Pace(self.monotonic, self.sleep, lambda: 0.5)


@dataclass
class Archive:
    """Blobs by digest. `broken` ones fail after their first piece, as a damaged archive does."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    async def read(self, digest: str) -> AsyncIterator[bytes]:
        data = self.blobs[digest]
        for start in range(0, len(data), 64 * 1024):
            yield data[start : start + 64 * 1024]
            if digest in self.broken:
                raise StoreError("the blob does not match its digest")

    def put(self, digest: str, data: bytes, name: str, media_type: str = "") -> Blob:
        self.blobs[digest] = data
        return Blob(digest, len(data), name, media_type=media_type)


class Reader:
    """Runs `receive` and notes what comes; acknowledges at once, or when told (`by_hand`)."""

    def __init__(
        self, connector: WeixinConnector, cursors: Mapping[str, str] | None = None, *, by_hand: bool = False
    ) -> None:
        self.batches: list[Batch] = []
        self.committed: dict[str, str] = dict(cursors or {})
        self.error: BaseException | None = None
        self._connector = connector
        self._by_hand = by_hand
        self._news = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Reader:
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        batches = self._connector.receive(dict(self.committed))
        try:
            async with contextlib.aclosing(batches):
                async for batch in batches:
                    await self._note(batch)
        except Exception as error:
            self.error = error
            async with self._news:
                self._news.notify_all()

    async def _note(self, batch: Batch) -> None:
        self.batches.append(batch)
        if not self._by_hand:
            await self.acknowledge(batch)
        async with self._news:
            self._news.notify_all()

    async def acknowledge(self, batch: Batch) -> None:
        """Commit the batch's cursors, then tell the connector."""
        self.committed.update(batch.cursors)
        await self._connector.acknowledge(batch)

    @property
    def messages(self) -> list[Message]:
        return [message for batch in self.batches for message in batch.messages]

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.messages]

    async def until(self, condition: Callable[[Reader], bool]) -> None:
        """Return when `condition` holds. Raises what ended the run, or TimeoutError."""
        async with asyncio.timeout(DEADLINE), self._news:
            while not condition(self):
                if self.error is not None:
                    raise self.error
                await self._news.wait()


class Calls(deque[Recorded]):
    """The platform's record of calls, with a bell that rings when one is added."""

    def __init__(self, kept: int) -> None:
        super().__init__(maxlen=kept)
        self.bell = asyncio.Event()

    def append(self, call: Recorded) -> None:
        super().append(call)
        self.bell.set()


@dataclass
class Stage:
    """Everybody on it, with one account and one customer who has written already."""

    platform: WeixinPlatform
    connector: WeixinConnector
    time: PlayedTime
    archive: Archive
    account: str
    customer: str

    @property
    def conversation(self) -> str:
        return f"{self.account}/{self.customer}"

    @property
    def traffic(self) -> Traffic:
        return Traffic(self.time.now(), 0)

    def permit(self, content: Content | str = "hello", *, id: str = PERMIT, **other: Any) -> Permit:
        """What only the store may make; here it is the store that is played."""
        words = Content(content) if isinstance(content, str) else content
        return Permit(id, "weixin", self.conversation, words, 1, seal=nouns._SEAL, **other)

    def calls(self, route: str) -> list[dict[str, Any]]:
        """The bodies of the calls made to `route`, oldest first."""
        return [orjson.loads(call.body or b"{}") for call in self.platform.requests if call.route == route]

    async def until_called(self, route: str, count: int) -> None:
        """Return when `route` was called `count` times."""
        async with asyncio.timeout(DEADLINE):
            while len(self.calls(route)) < count:
                self.platform.cgi.requests.bell.clear()
                await self.platform.cgi.requests.bell.wait()

    def shown(self) -> list[str]:
        """The texts that the customer sees from the bridge."""
        return [one.text for one in self.platform.received(self.customer, self.account)]

    async def connect_callback(self) -> None:
        """Tell the platform where to call, as the console does."""
        port = self.connector.bound_port
        self.platform.set_callback(f"http://127.0.0.1:{port}/weixin/callback", TOKEN, AES_KEY)
        await self.platform.verify_callback()


@contextlib.asynccontextmanager
async def staged(*, callback: bool = True, **settings: Any) -> AsyncIterator[Stage]:
    """A platform and a connector that know each other; callbacks are on unless `callback` is False."""
    platform = WeixinPlatform()
    platform.cgi.requests = Calls(10_000)
    async with platform.serve() as url:
        account, customer = platform.add_account("示例银行"), platform.add_customer("李雷")
        platform.say(customer, account, text="在吗")
        listening = {"callback_token": TOKEN, "callback_aes_key": AES_KEY, "listen_port": 0}
        chosen = {"api_url": url, **(listening if callback else {}), **settings}
        played, archive = PlayedTime(), Archive()
        connector = WeixinConnector(
            WeixinSettings(platform.corpid, platform.secret, **chosen),
            archive,
            clock=played,
            pace=played.pace,
        )
        async with connector:
            stage = Stage(platform, connector, played, archive, account, customer)
            if callback:
                await stage.connect_callback()
            yield stage
