"""Both networks for a bench, and people who write on one and are read on the other.

Rules of this file: the mocks are driven in this process, without a request per message, and keep no record
of requests. Every message says its own number, so that each can be found on the other side: once, unchanged
and in order, or the bench fails. Times are nanoseconds of CLOCK_MONOTONIC, stamped by the mocks when they
accept a message.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol

from bridge.cli.demo import policies
from bridge.errors import WeighbridgeError
from bridge.message import SYMPHONY, WEIXIN, Party
from bridge.people import Pair
from connectors.symphony.mock import SymphonyPod
from connectors.symphony.mock.directory import User
from connectors.weixin.mock import Rules, WeixinPlatform

BOT = "weighbridge"
ADVISOR = "alice.wong@bank.example"
ADVISOR_NAME = "Alice Wong"
CLIENT = "李雷"
TOKEN = "bench"
AES_KEY = ("bench" * 9)[:42] + "A"  # 43 characters; both ends are on this machine, so it need not be secret

SIZE = 200
"""Characters of a message."""

FILLER = (
    "Thank you for the note on rates, 我们下周二上午开会讨论。 The rebalancing is on schedule; "
    "组合的风险敞口没有变化，明细在附件里。 Please let me know which date suits you, 谢谢您的耐心等待。 "
)
NUMBER = re.compile(r"#(\d{8}) ")

TICK = 0.001
"""Seconds between two looks at what has arrived."""
HANDFUL = 64
"""Messages written at once before the mocks may answer requests again."""
PATIENCE = 30.0
"""Seconds without an arrival after which the bench gives up."""
LIFE = 86_400.0
"""Seconds that tokens of the pod live: longer than a run, as real ones do."""


class BenchFailed(WeighbridgeError):
    """What was to be measured did not do its work: figures of it would mean nothing."""


class Arrival(NamedTuple):
    """A message on the other side: where, when (ns), and what a person reads there."""

    conversation: str
    at: int
    text: str


class Way(Protocol):
    """One direction: writing at one end, looking at the other. It sees what arrives from its making on."""

    name: str

    def write(self, number: int) -> int:
        """Have somebody write message `number`; gives when (ns) his network accepted it."""

    def arrived(self) -> int:
        """How many messages have arrived."""

    def arrivals(self) -> Iterator[Arrival]:
        """What has arrived, in order."""


def text_of(number: int, size: int = SIZE) -> str:
    """The words of message `number`: its number, then English and Chinese, `size` characters in all."""
    head = f"#{number:08d} "
    turned = number * 7 % len(FILLER)
    filler = FILLER[turned:] + FILLER * (size // len(FILLER) + 1)
    return (head + filler.lstrip())[: size - 1].rstrip() + "."


# --- the two networks -----------------------------------------------------------------------------------


class Networks:
    """A pod and a platform with one advisor and `conversations` clients, each client in a room of his own.

    The platform's limit of five messages to a silent client is lifted, and a read of the feed or of an
    account gives as many messages as the vendors allow (100 and 1000).
    """

    def __init__(self, conversations: int) -> None:
        self.pod = SymphonyPod(session_seconds=LIFE, key_manager_seconds=LIFE, keep_requests=0)
        self.platform = WeixinPlatform(record=0, rules=Rules(quota=None))
        self._key = self.pod.add_bot(BOT)
        self.advisor = self.pod.user(self.pod.add_user(ADVISOR, ADVISOR, ADVISOR_NAME))
        self.account = self.platform.account(self.platform.add_account("Wealth desk"))
        numbers = range(1, conversations + 1)
        clients = [self.platform.add_customer(f"{CLIENT} {number}") for number in numbers]
        self.customers = [self.platform.world.customer(client) for client in clients]
        members: list[User | int | str] = [BOT, self.advisor]
        rooms = [self.pod.create_room(f"{CLIENT} {number} · Weixin", members) for number in numbers]
        self.rooms = [self.pod.stream(room) for room in rooms]

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Both listen on loopback while the block runs."""
        async with self.pod.serve(), self.platform.serve():
            yield

    def call_back(self, port: int) -> None:
        """From here on the platform calls the bridge on `port` when a client has written."""
        self.platform.set_callback(f"http://127.0.0.1:{port}/weixin/callback", TOKEN, AES_KEY)

    def pairs(self) -> list[Pair]:
        """Who talks to whom."""
        advisor = Party(SYMPHONY, str(self.advisor.user_id), ADVISOR_NAME, ADVISOR, "en")
        return [
            Pair(
                advisor,
                room.stream_id,
                Party(WEIXIN, customer.external_userid, customer.nickname, "", "zh-Hans"),
                self.account.open_kfid,
            )
            for room, customer in zip(self.rooms, self.customers, strict=True)
        ]

    def write_settings(self, folder: Path) -> Path:
        """A settings file in `folder`, as an operator writes it, with its secrets beside it."""
        files = {
            "private_key": self._key,
            "secret": self.platform.secret,
            "token": TOKEN,
            "aes_key": AES_KEY,
        }
        for name, secret in files.items():
            (folder / name).touch(mode=0o600)
            (folder / name).write_text(secret, encoding="utf-8")
        path = folder / "weighbridge.toml"
        path.write_text(_toml(self._settings(folder)), encoding="utf-8")
        return path

    def _settings(self, folder: Path) -> dict[str, dict[str, object]]:
        return {
            "store": {
                "url": f"sqlite:///{folder / 'weighbridge.db'}",
                "blobs": str(folder / "blobs"),
                "key_file": str(folder / "secrets" / "store-key"),
            },
            "policy": {"files": list(policies())},
            "symphony": {"pod_url": self.pod.url, "username": BOT, "private_key_file": "private_key"},
            "weixin": {
                "api_url": self.platform.url,
                "corp_id": self.platform.corpid,
                "secret_file": "secret",
                "token_file": "token",
                "aes_key_file": "aes_key",
                "listen": "127.0.0.1:0",
            },
            "daemon": {"http": "127.0.0.1:0"},
        }


def _toml(document: dict[str, dict[str, object]]) -> str:
    # Strings and lists of strings read the same in TOML as in JSON.
    sections = (
        [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in section.items())]
        for name, section in document.items()
    )
    return "\n".join(line for section in sections for line in section) + "\n"


# --- the two directions ---------------------------------------------------------------------------------


class ToSymphony:
    """Clients write in Weixin, in turn; the advisor's rooms receive."""

    name = "to_symphony"

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._known = len(networks.pod.arrivals)

    def write(self, number: int) -> int:
        """See `Way`."""
        networks = self._networks
        customer = networks.customers[number % len(networks.customers)]
        content = {"content": text_of(number)}
        return networks.platform.world.customer_says(networks.account, customer, "text", content).stamp

    def arrived(self) -> int:
        """See `Way`."""
        return len(self._networks.pod.arrivals) - self._known

    def arrivals(self) -> Iterator[Arrival]:
        """See `Way`."""
        for message in islice(self._networks.pod.arrivals, self._known, None):
            yield Arrival(message.stream.stream_id, message.accepted_ns, message.text)


class ToWeixin:
    """The advisor writes in Symphony, in one room after the other; her clients receive."""

    name = "to_weixin"

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._known = len(networks.platform.world.lines)

    def write(self, number: int) -> int:
        """See `Way`."""
        networks = self._networks
        room = networks.rooms[number % len(networks.rooms)]
        return networks.pod.say(networks.advisor, room, text_of(number)).accepted_ns

    def arrived(self) -> int:
        """See `Way`."""
        return len(self._networks.platform.world.lines) - self._known

    def arrivals(self) -> Iterator[Arrival]:
        """See `Way`."""
        for line in islice(self._networks.platform.world.lines, self._known, None):
            yield Arrival(line.external_userid, line.stamp, line.text)


Direction = type[ToSymphony] | type[ToWeixin]
WAYS: tuple[Direction, ...] = (ToSymphony, ToWeixin)


# --- traffic --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Passage:
    """Messages that were carried over: when each was accepted, and when it arrived (ns)."""

    accepted: Mapping[int, int]
    arrived: Mapping[int, int]

    @property
    def seconds(self) -> float:
        """From the first accepted to the last arrived."""
        return (max(self.arrived.values()) - min(self.accepted.values())) / 1e9

    @property
    def milliseconds(self) -> list[float]:
        """How long each took, shortest first."""
        return sorted((at - self.accepted[number]) / 1e6 for number, at in self.arrived.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressure:
    """How hard people write: `rate` messages a second, or so many that `window` are always under way."""

    window: int = 0
    rate: float = 0.0

    def due(self, seconds: float, arrived: int) -> int:
        """How many are to be written `seconds` after the start, when so many have arrived."""
        return int(seconds * self.rate) + 1 if self.rate else arrived + self.window


async def carry(way: Way, numbers: Sequence[int], pressure: Pressure) -> dict[int, int]:
    """Have `numbers` written and wait until as many have arrived; gives when (ns) each was accepted.

    Raises BenchFailed when nothing arrives any more. What arrived is `checked` afterwards.
    """
    accepted: dict[int, int] = {}
    writing = iter(numbers)
    started = moved = time.monotonic()
    before = 0
    while (arrived := way.arrived()) < len(numbers):
        now = time.monotonic()
        missing = pressure.due(now - started, arrived) - len(accepted)
        for number in islice(writing, max(0, min(missing, HANDFUL))):
            accepted[number] = way.write(number)
        if arrived > before:
            before, moved = arrived, now
        elif now - moved > PATIENCE:
            so_far = f"{arrived} of {len(numbers)}"
            raise BenchFailed(f"{way.name}: nothing arrived for {PATIENCE:.0f} s, {so_far}")
        await asyncio.sleep(TICK)
    return accepted


def checked(arrivals: Iterable[Arrival], numbers: Collection[int]) -> dict[int, int]:
    """When each of `numbers` arrived. Raises BenchFailed unless each did once, unchanged and in its order."""
    arrived: dict[int, int] = {}
    last: dict[str, int] = {}
    for conversation, at, text in arrivals:
        found = NUMBER.search(text)
        number = int(found[1]) if found else -1
        if number not in numbers or text_of(number) not in text:
            raise BenchFailed(f"something arrived that nobody wrote (behind {last.get(conversation)})")
        if number <= last.get(conversation, -1):
            raise BenchFailed(f"message {number} arrived twice or late (behind {last[conversation]})")
        last[conversation] = number
        arrived[number] = at
    if missing := len(numbers) - len(arrived):
        raise BenchFailed(f"{missing} of {len(numbers)} messages did not arrive")
    return arrived
