"""Customers in numbers: the traffic of a bench, put into the platform without a request per message.

Rules of this file: text says its own number (`#00000042 ...`), so that a bench can match what went in with
what came out by number; stamps of both ends are read from the chat lines.
"""

import asyncio
import time
from dataclasses import dataclass, field

from connectors.weixin.mock.records import Account, Customer, Line
from connectors.weixin.mock.world import World

CHUNK = 200
TICK = 0.005
HEAD = 64


@dataclass(frozen=True)
class Load:
    """`count` messages round-robin over `conversations` customers, each text `size` characters long.

    Numbers start at `first`. `rate` is messages per second (None: as fast as possible). `customers` writes as
    these instead of new ones.
    """

    count: int
    conversations: int = 10
    size: int = 60
    rate: float | None = None
    first: int = 0
    account: str | None = None
    customers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """What was put in: who wrote, and between which stamps (ns, CLOCK_MONOTONIC)."""

    customers: list[str] = field(default_factory=list)
    count: int = 0
    started: int = 0
    ended: int = 0


class Generator:
    """Puts a `Load` into the world."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def run(self, load: Load, account: Account) -> Loaded:
        """Returns when the last message was accepted. Raises ApiError 40096 for unknown customers."""
        writers = self._writers(load)
        started = time.monotonic_ns()
        done = 0
        while done < load.count:
            due = min(load.count, self._due(load, started, done))
            for number in range(done, due):
                text = text_of(load.first + number, load.size)
                self._world.customer_says(account, writers[number % len(writers)], "text", {"content": text})
            done = due
            await asyncio.sleep(0 if load.rate is None else TICK)
        ids = [writer.external_userid for writer in writers]
        return Loaded(ids, load.count, started, time.monotonic_ns())

    def _writers(self, load: Load) -> list[Customer]:
        if load.customers:
            return [self._world.customer(one) for one in load.customers]
        return [self._world.add_customer(f"客户{number + 1}") for number in range(load.conversations)]

    def _due(self, load: Load, started: int, done: int) -> int:
        if load.rate is None:
            return done + CHUNK
        return int((time.monotonic_ns() - started) / 1e9 * load.rate) + 1


def text_of(number: int, size: int) -> str:
    """The text of message `number`: `#` and eight digits, then filler up to `size` characters."""
    return f"#{number:08d} ".ljust(size, "好")


def stamp_row(line: Line) -> list[object]:
    """[msgid, external_userid, open_kfid, ns, first characters of the text]."""
    return [line.msgid, line.external_userid, line.open_kfid, line.stamp, line.text[:HEAD]]
