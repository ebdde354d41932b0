"""What every connector promises, kept by the Weixin connector beside the mock platform."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

pytest.register_assert_rewrite("contract")

from contract import ConnectorContract, MemoryBlobs  # noqa: E402

from bridge.message import Traffic  # noqa: E402
from connectors.weixin.kf import WeixinConnector, WeixinSettings  # noqa: E402
from connectors.weixin.mock import WeixinPlatform  # noqa: E402


class WeixinHarness:
    """One customer of one account, and a platform whose door can be shut. Callbacks are off: it is polled."""

    network = "weixin"

    def __init__(self) -> None:
        self.blobs = MemoryBlobs()
        self.platform = WeixinPlatform()
        self.account = self.platform.add_account("示例银行")
        self.customer = self.platform.add_customer("李雷")
        self.platform.say(self.customer, text="在吗")
        self.conversation = f"{self.account}/{self.customer}"
        self.traffic = Traffic(self.now(), 0)
        self._runner: web.AppRunner | None = None
        self._port = 0

    def paired(self) -> dict[str, str]:
        return {}

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def connector(self) -> WeixinConnector:
        settings = WeixinSettings(
            self.platform.corpid,
            self.platform.secret,
            api_url=f"http://127.0.0.1:{self._port}",
            poll_interval=0.05,
        )
        return WeixinConnector(settings, self.blobs)

    async def say(self, text: str) -> None:
        self.platform.say(self.customer, text=text)

    async def give(self, name: str, content: bytes) -> None:
        self.platform.say(self.customer, file=(name, content))

    async def heard(self) -> list[str]:
        return [one.text or one.file_name for one in self.platform.received(self.customer)]

    async def garble_next(self) -> None:
        self.platform.say(self.customer, msgtype="text", content={"content": ["no text"]})

    async def refuse_next(self) -> str:
        self.platform.faults.arm("type_banned")
        return "banned"

    async def lose_next_answer(self) -> None:
        self.platform.faults.arm("drop_after", route="kf/send_msg")

    async def forget_files(self) -> None:
        self.platform.faults.arm("media_gone", count=None)

    async def go_away(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def come_back(self) -> None:
        self._runner = web.AppRunner(self.platform.app(), access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]


@pytest.fixture
async def harness() -> AsyncIterator[WeixinHarness]:
    """A fresh platform, reachable."""
    harness = WeixinHarness()
    await harness.come_back()
    yield harness
    await harness.go_away()
    harness.platform.media.close()


class TestWeixin(ConnectorContract):
    """All promises, for Weixin."""
