"""`weighbridge run` as a process of its own, between two mock networks that live in the test.

Rules of this file: the settings are those that `weighbridge init` writes; nothing of the bridge is replaced
but by `spoiled`, which breaks it on purpose. What the daemon says goes three ways, and each is kept: log
lines (`Running.lines`), words to systemd (`Running.told`) and the pages. Whoever waits here has a deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import aiohttp
import nursery
from sqlalchemy import Connection

from bridge.cli import compose, output, weighbridge
from bridge.config import Settings, load
from bridge.keepers import KeyFile
from bridge.message import SYMPHONY, WEIXIN, Party
from bridge.people import Pair
from bridge.store.database import Database, create
from connectors.symphony.mock import SymphonyPod
from connectors.weixin.mock import WeixinPlatform

DEADLINE = 60.0
"""Seconds that anything may take; far more than it does, for machines under load."""

ALICE = "alice.wong@bank.example"
LI_LEI = "李雷"
PERSON = "bob.li@bank.example"
START = "import sys; from bridge.cli import main; sys.argv[0] = 'weighbridge'; "
ROOT = Path(__file__).resolve().parents[1]


def settings_folder(folder: Path) -> Path:
    """What `weighbridge init` writes, policies in force and a short key, and an empty store: for copies."""
    with mock.patch("bridge.cli.init.KEY_BITS", 2048):
        arguments = ["init", str(folder), "--enforce", "--username", "weighbridge"]
        arguments += ["--corp-id", "ww1234567890abcdef", "--pod-url", "https://pod.example"]
        assert output.guarded(lambda: weighbridge.main(arguments, standalone_mode=False)) == 0
    (folder / "secrets/weixin-secret").write_text("mock-app-secret\n")
    store = load(folder / "weighbridge.toml", os.environ).store
    create(store.url, 0, keeper=KeyFile(store.key_file))
    return folder


PLAIN = """\
policy: plain
language: 1
title: Everything passes that can be read
owner: compliance@bank.example
defaults: { mode: enforce, unmatched: deliver, unpaired: hold, on_error: hold }
"""


def with_plain_policy(folder: Path) -> Path:
    """The same settings with a policy of a few lines, for tests that begin a daemon again and again: to read
    the shipped ones is most of what its start costs."""
    for shipped in (folder / "policies").glob("*.yaml"):
        shipped.unlink()
    (folder / "policies/plain.yaml").write_text(PLAIN)
    return folder


async def within(seconds: float, condition: Callable[[], Any]) -> Any:
    """What `condition` answers, once it is true (or awaitable and then true). Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not (answer := await _answer(condition)):  # noqa: ASYNC110 - other processes set no events
            await asyncio.sleep(0.01)
    return answer


async def _answer(condition: Callable[[], Any]) -> Any:
    answer = condition()
    return await answer if isinstance(answer, Awaitable) else answer


# --- the daemon -----------------------------------------------------------------------------------------


@dataclass
class Running:
    """One life of the daemon's process."""

    process: asyncio.subprocess.Process | nursery.Child
    lines: list[dict[str, Any]] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def named(self, name: str) -> list[dict[str, Any]]:
        """The log lines of one name."""
        return [line for line in self.lines if line["event"] == name]

    async def logged(self, name: str, times: int = 1) -> dict[str, Any]:
        """The nth log line of one name, once it is there. Raises AssertionError if the daemon ends before."""
        await self._until(lambda: len(self.named(name)) >= times, name)
        return self.named(name)[times - 1]

    async def heard(self, words: str) -> str:
        """The first word to systemd that begins with `words`. Raises AssertionError as `logged` does."""
        await self._until(lambda: any(word.startswith(words) for word in self.told), words)
        return next(word for word in self.told if word.startswith(words))

    async def _until(self, there: Callable[[], bool], what: str) -> None:
        try:
            await within(DEADLINE, lambda: there() or self._gone())
        finally:
            assert there(), f"not to be had: {what}, after {''.join([*self.told, *self.raw])}"

    def _gone(self) -> bool:
        return self.process.returncode is not None and all(task.done() for task in self.tasks[:2])

    async def page(self, path: str) -> tuple[int, str]:
        """Status and body of one of the pages."""
        port = (await self.logged("daemon:started"))["port"]
        async with aiohttp.ClientSession() as web, web.get(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status, await answer.text()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process."""
        self.process.send_signal(number)

    async def ended(self) -> int:
        """The exit code, once the process has ended and everything it said was read."""
        async with asyncio.timeout(DEADLINE):
            code = await self.process.wait()
            await asyncio.gather(*self.tasks[:2])
        return code

    async def read_log(self) -> None:
        """Keep what comes on standard error."""
        async for line in self.process.stderr or ():
            text = line.decode()
            self.raw.append(text)
            if text.startswith("{"):
                self.lines.append(json.loads(text))

    async def read_output(self) -> None:
        """Keep what comes on standard output: nothing is expected there."""
        async for line in self.process.stdout or ():
            self.raw.append(line.decode())

    async def read_words(self, door: socket.socket) -> None:
        """Keep what is said to systemd."""
        loop = asyncio.get_running_loop()
        while True:
            self.told += (await loop.sock_recv(door, 4096)).decode().splitlines()


async def _anew(
    code: str, arguments: Sequence[str], environ: Mapping[str, str], folder: str
) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-c", code, *arguments]
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=environ, cwd=folder)


# --- the house it runs in -------------------------------------------------------------------------------


class Place:
    """Settings in a folder, both networks, and a pair of people who may talk."""

    def __init__(self, folder: Path, pod: SymphonyPod, platform: WeixinPlatform) -> None:
        self.folder, self.pod, self.platform = folder, pod, platform
        self.config = folder / "weighbridge.toml"
        self.environ = {
            "WEIGHBRIDGE_SYMPHONY_POD_URL": pod.url,
            "WEIGHBRIDGE_WEIXIN_API_URL": platform.url,
            "WEIGHBRIDGE_WEIXIN_LISTEN": "127.0.0.1:0",
            "WEIGHBRIDGE_WEIXIN_POLL_SECONDS": "1",
            "WEIGHBRIDGE_DAEMON_HTTP": "127.0.0.1:0",
            "WEIGHBRIDGE_DAEMON_RETRY_FIRST_SECONDS": "0.1",
        }
        self.stream = ""
        self.account = platform.add_account("Wealth desk")
        self.customer = platform.add_customer(LI_LEI)

    def settings(self) -> Settings:
        """What is written, as the daemon reads it."""
        return load(self.config, self.environ)

    @contextlib.asynccontextmanager
    async def store(self) -> AsyncIterator[Database]:
        """The store, opened beside the daemon or without one."""
        database = compose.store(self.settings())
        try:
            yield database
        finally:
            database.close()

    async def ask(self, query: Callable[[Connection], Any]) -> Any:
        """What the store answers."""
        async with self.store() as database:
            return await database.read(query)

    async def introduce(self) -> None:
        """Make the bot, the room and the pair."""
        key = (self.folder / "secrets/symphony-public.pem").read_text()
        self.pod.add_user("weighbridge", "weighbridge@bank.example", "weighbridge", True, key)
        alice = self.pod.add_user(ALICE, ALICE, "Alice Wong")
        self.stream = self.pod.create_room("Li Lei", ["weighbridge", alice])
        advisor = Party(SYMPHONY, str(alice), "Alice Wong", ALICE, "en")
        client = Party(WEIXIN, self.customer, LI_LEI, "", "zh-Hans")
        async with self.store() as database:
            pair = Pair(advisor, self.stream, client, self.account)
            await database.make_pair(dict(pair.record()), PERSON, "known client")

    @contextlib.asynccontextmanager
    async def daemon(
        self, spoiled: str = "", *, anew: bool = False, **environ: str
    ) -> AsyncIterator[Running]:
        """`weighbridge run`, with more settings from `environ`; killed at the end if it still runs.

        `spoiled` is Python that runs first in its process. `anew`: in a fresh interpreter.
        """
        name = f"weighbridge-{secrets.token_hex(8)}"
        everything = {**os.environ, **self.environ, "NOTIFY_SOCKET": f"@{name}", **environ}
        code, arguments = f"{START}{spoiled}\nmain()", ["--config", str(self.config), "run"]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
            door.setblocking(False)
            door.bind(f"\0{name}")
            running = Running(await (_anew if anew else nursery.fork)(code, arguments, everything, str(ROOT)))
            readers = (running.read_log(), running.read_output(), running.read_words(door))
            running.tasks = [asyncio.create_task(reader) for reader in readers]
            try:
                yield running
            finally:
                if running.process.returncode is None:
                    running.process.kill()
                await running.ended()
                running.tasks[2].cancel()
                await asyncio.gather(running.tasks[2], return_exceptions=True)

    # what people do and see

    def alice_writes(self, text: str) -> None:
        """Alice writes in Symphony."""
        self.pod.say(ALICE, self.stream, text=text)

    def li_lei_writes(self, text: str) -> None:
        """李雷 writes in Weixin."""
        self.platform.say(self.customer, self.account, text=text)

    def li_lei_saw(self) -> list[str]:
        """Texts that reached 李雷, in order, without the name of who wrote them."""
        return [one.text.rpartition("：")[2] for one in self.platform.received(self.customer, self.account)]

    def alice_saw(self) -> list[str]:
        """Texts that the bridge wrote to Alice, in order."""
        return [one.text for one in self.pod.messages(self.stream) if one.by_agent]

    async def li_lei_sees(self, text: str) -> None:
        """Wait until something with `text` in it has reached 李雷."""
        await within(DEADLINE, lambda: any(text in one for one in self.li_lei_saw()))

    async def alice_sees(self, text: str) -> None:
        """Wait until something with `text` in it has reached Alice."""
        await within(DEADLINE, lambda: any(text in one for one in self.alice_saw()))


@contextlib.asynccontextmanager
async def place(template: Path, folder: Path, **environ: str) -> AsyncIterator[Place]:
    """A copy of the settings folder, with both networks up and 李雷 having written once; `environ` has more
    settings.

    His greeting opens the window in which the bridge may write to him.
    """
    shutil.copytree(template, folder)
    pod, platform = SymphonyPod(), WeixinPlatform()
    async with pod.serve(), platform.serve():
        here = Place(folder, pod, platform)
        here.environ |= environ
        await here.introduce()
        here.li_lei_writes("你好")
        yield here
