"""A stage: both mocks, a store and the real daemon between them, in one process, on loopback.

Rules of this file: nothing of the bridge is replaced. The daemon is composed from settings as `run`
composes it, speaks HTTP to the mocks, and takes encrypted callbacks. The demo, the bench and tests play on
it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import string
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.config import Daemon, Ledger, Policy, Secret, Settings, Store, Symphony, Weixin

if TYPE_CHECKING:
    from bridge.daemon import Daemon as RunningDaemon
    from bridge.store.database import Database
    from connectors.symphony.mock import SymphonyPod
    from connectors.weixin.mock import WeixinPlatform

ADVISOR = "alice.wong@bank.example"
CLIENT = "李雷"
BOT = "weighbridge"


@dataclass(slots=True)
class Stage:
    """Everything on stage: the two networks as their people see them, and the bridge between."""

    pod: SymphonyPod
    platform: WeixinPlatform
    settings: Settings
    database: Database
    daemon: RunningDaemon
    stream: str
    customer: str
    account: str

    async def held(self, text: str) -> int:
        """The number of the message in review that says `text`, once there is one."""
        from bridge.store import views

        while True:
            for row in await self.database.read(views.held):
                if text in row.text:
                    return row.message
            await asyncio.sleep(0.01)

    @property
    def symphony_chat(self) -> str:
        """Address of the advisor's chat window."""
        return f"{self.pod.url}/_mock/chat?user={ADVISOR}"

    @property
    def weixin_chat(self) -> str:
        """Address of the client's chat window."""
        return f"{self.platform.url}/_mock/chat?customer={self.customer}"


@contextlib.asynccontextmanager
async def set_up(
    folder: Path, policies: tuple[str, ...], ports: tuple[int, int, int] = (0, 0, 0)
) -> AsyncIterator[Stage]:
    """The stage, with the bridge running and Alice paired with 李雷.

    `folder` holds store and attachments; `policies` are globs of policy files; `ports` are those of the
    Symphony mock, the Weixin mock and the daemon's pages (0: any).
    """
    from bridge.cli import compose
    from connectors.symphony.mock import SymphonyPod
    from connectors.weixin.mock import WeixinPlatform

    pod, platform = SymphonyPod(session_seconds=60.0), WeixinPlatform()
    key = pod.add_bot(BOT)
    alice = pod.add_user(ADVISOR, ADVISOR, "Alice Wong")
    account, customer = platform.add_account("Wealth desk"), platform.add_customer(CLIENT)
    async with pod.serve(ports[0]) as pod_url, platform.serve(port=ports[1]) as platform_url:
        settings = _settings(folder, policies, pod_url, platform_url, platform, key, ports[2])
        database = compose.store(settings)
        stream = pod.create_room(f"{CLIENT} · Weixin", [BOT, alice])
        await database.make_pair(_pair(str(alice), stream, account, customer), BOT, "the demo's pair")
        try:
            async with _running(settings, database, platform) as daemon:
                yield Stage(pod, platform, settings, database, daemon, stream, customer, account)
        finally:
            database.close()


@contextlib.asynccontextmanager
async def _running(
    settings: Settings, database: Database, platform: WeixinPlatform
) -> AsyncIterator[RunningDaemon]:
    from bridge.cli import compose

    connector = compose.weixin(settings, database.blobs)
    both = (compose.symphony(settings, database.blobs), connector)
    daemon = compose.daemon(settings, database, both)
    async with _together(daemon.run(signals=False)) as running:
        try:
            while not all(state.open for state in daemon.networks.values()):
                await asyncio.wait([running], timeout=0.01)
            weixin = settings.weixin
            url = f"http://127.0.0.1:{connector.bound_port}{weixin.path}"
            platform.set_callback(url, weixin.token.reveal(), weixin.aes_key.reveal())
            yield daemon
        finally:
            daemon.leave()


@contextlib.asynccontextmanager
async def _together(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Do `work` beside the block. If it dies, the block ends with its error; there is nothing to wait for."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks.create_task(work)
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from None


def _settings(
    folder: Path,
    policies: tuple[str, ...],
    pod_url: str,
    platform_url: str,
    platform: WeixinPlatform,
    key: str,
    port: int,
) -> Settings:
    letters = string.ascii_letters + string.digits
    return Settings(
        store=Store(
            url=f"sqlite:///{folder / 'weighbridge.db'}",
            blobs=folder / "blobs",
            key_file=folder / "secrets" / "store-key",
        ),
        ledger=Ledger(key_file=folder / "checkpoint-key"),
        policy=Policy(files=policies),
        symphony=Symphony(
            pod_url=pod_url,
            agent_url=pod_url,
            login_url=pod_url,
            key_manager_url=pod_url,
            username=BOT,
            private_key=Secret(value=key),
        ),
        weixin=Weixin(
            api_url=platform_url,
            corp_id=platform.corpid,
            secret=Secret(value=platform.secret),
            token=Secret(value=secrets.token_hex(8)),
            aes_key=Secret(value="".join(secrets.choice(letters) for _ in range(43))),
            listen=("127.0.0.1", 0),
        ),
        daemon=Daemon(http=("127.0.0.1", port), retry_first_seconds=0.2),
        origin="the demo",
    )


def _pair(advisor: str, stream: str, account: str, customer: str) -> dict[str, object]:
    from bridge.message import SYMPHONY, WEIXIN, Party
    from bridge.people import Pair

    two = Pair(
        Party(SYMPHONY, advisor, "Alice Wong", ADVISOR, "en"),
        stream,
        Party(WEIXIN, customer, CLIENT, "", "zh-Hans"),
        account,
    )
    return dict(two.record())
