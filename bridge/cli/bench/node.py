"""The process that a bench measures: the bridge, a bare relay, or the database alone.

    python -m bridge.cli.bench.node bridge|bare|commits FOLDER CORE [SECONDS]

Rules of this file: the bridge is composed as `run` composes it, from the settings file in FOLDER. The bare
relay shares connectors, loop and concurrency with it and nothing else: no archive, no policy, no ledger, and
a network is told "received" at once, because nothing could be kept anyway. One JSON line on standard output
says that the process is ready; SIGTERM ends it, and so does the end of standard input: whoever started it
is gone then. CORE is "" for any; SECONDS is how long each half of `commits` takes.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

from bridge.cli import compose
from bridge.cli.run import sooner
from bridge.message import (
    Batch,
    Content,
    File,
    Kind,
    Message,
    Permit,
    Receipt,
    Sighting,
    Traffic,
    Unasked,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bridge.config import Settings
    from bridge.daemon import Daemon
    from bridge.ports import Connector

ROUTES = "routes.json"
"""File in FOLDER: conversation to [network, conversation on the other side, name of who writes]."""

COMMIT_SECONDS = 2.0
COMMIT_ROWS = 64
COMMIT_BYTES = 400


def main() -> None:
    """Be one of the three until SIGTERM (`commits`: until it is measured)."""
    import uvloop

    from bridge import config, telemetry

    kind, folder, core, *seconds = sys.argv[1:]
    if core:
        os.sched_setaffinity(0, {int(core)})
    if kind == "commits":
        _tell(commits(Path(folder), *map(float, seconds)))
        return
    threading.Thread(target=_follow, daemon=True).start()
    sooner()
    settings = config.unlock(config.load(Path(folder) / "weighbridge.toml", {}))
    telemetry.configure(level=settings.daemon.log_level, form=settings.daemon.log_format)
    uvloop.run(_bridge(settings) if kind == "bridge" else _bare(settings, Path(folder)))


def _follow() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _tell(facts: Mapping[str, object]) -> None:
    print(json.dumps(facts), flush=True)


# --- the bridge -----------------------------------------------------------------------------------------


class Unmetered:
    """The Weixin connector, which forgets how many messages a silent client was sent.

    The platform takes five until the client writes again; a bench of throughput has to lift that on both
    sides. Everything else goes through unchanged.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self.network = connector.network
        self.refused_since = 0

    async def __aenter__(self) -> Self:
        """Sign in."""
        await self._connector.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Hang up."""
        await self._connector.__aexit__(*exc)

    @property
    def heard_at(self) -> int:
        """See `bridge.ports.Connector`."""
        return self._connector.heard_at

    def receive(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        """See `bridge.ports.Connector`."""
        return self._connector.receive(cursors)

    @property
    def shows_ours(self) -> bool:
        """See `bridge.ports.Connector`."""
        return self._connector.shows_ours

    def recount(self, since: int, until: int, known: Iterable[str] = ()) -> AsyncIterator[Sighting | Unasked]:
        """See `bridge.ports.Connector`."""
        return self._connector.recount(since, until, known)

    async def acknowledge(self, batch: Batch) -> None:
        """See `bridge.ports.Connector`."""
        await self._connector.acknowledge(batch)

    def fetch(self, file: File) -> AsyncIterator[bytes]:
        """See `bridge.ports.Connector`."""
        return self._connector.fetch(file)

    async def send(self, permit: Permit, traffic: Traffic) -> Receipt:
        """See `bridge.ports.Connector`."""
        return await self._connector.send(permit, replace(traffic, sent=0))


async def _bridge(settings: Settings) -> None:
    database = compose.store(settings)
    try:
        tools = database.blobs, database.lease
        weixin: Any = compose.weixin(settings, *tools)
        both = (compose.symphony(settings, *tools), Unmetered(weixin))
        daemon = compose.daemon(settings, database, both)
        running = asyncio.create_task(daemon.run())
        await _until_open(daemon, running)
        _tell({"port": weixin.bound_port})
        await running
    finally:
        database.close()


async def _until_open(daemon: Daemon, running: asyncio.Task[None]) -> None:
    while not all(state.open for state in daemon.networks.values()):
        done, _ = await asyncio.wait([running], timeout=0.01)
        if done:
            await running


# --- the bare relay -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a connector looks at in a permit, without the proof: nothing was archived or judged here."""

    id: str
    network: str
    conversation: str
    content: Content
    message_seq: int = 0
    attempt: int = 1
    uncertain: bool = False
    unknown: bool = False
    first_try_at: int = 0
    archived_at: int = 0
    above: str = ""
    epoch: int = 0


class Onward(NamedTuple):
    """Where a conversation goes on: network, conversation there, and the name of who writes here."""

    network: str
    conversation: str
    author: str


class Relay:
    """Two connectors and a table: what comes in by one goes out by the other.

    Conversations go side by side, `concurrency` for each network, each in its order.
    """

    def __init__(
        self, connectors: tuple[Connector, ...], onward: Mapping[str, Onward], concurrency: int
    ) -> None:
        self._connectors = {connector.network: connector for connector in connectors}
        self._onward = onward
        self._turns = {network: asyncio.Semaphore(concurrency) for network in self._connectors}
        self._waiting: dict[str, deque[Message]] = {}
        self._tickets = 0

    async def run(self, tasks: asyncio.TaskGroup) -> None:
        """Carry messages until the tasks are cancelled."""
        for connector in self._connectors.values():
            tasks.create_task(self._take(connector, tasks))

    async def _take(self, connector: Connector, tasks: asyncio.TaskGroup) -> None:
        async for batch in connector.receive({}):
            for message in batch.messages:
                if message.kind is Kind.TEXT and message.conversation in self._onward:
                    self._put(message, tasks)
            await connector.acknowledge(batch)

    def _put(self, message: Message, tasks: asyncio.TaskGroup) -> None:
        waiting = self._waiting.get(message.conversation)
        if waiting is None:
            waiting = self._waiting[message.conversation] = deque()
            tasks.create_task(self._converse(message.conversation, waiting))
        waiting.append(message)

    async def _converse(self, conversation: str, waiting: deque[Message]) -> None:
        onward = self._onward[conversation]
        async with self._turns[onward.network]:
            while waiting:
                await self._send(waiting.popleft(), onward)
            del self._waiting[conversation]

    async def _send(self, message: Message, onward: Onward) -> None:
        self._tickets += 1
        content = Content(message.text, onward.author)
        ticket = Ticket(f"{self._tickets:020d}", onward.network, onward.conversation, content)
        now = time.time_ns() // 1_000_000
        await self._connectors[onward.network].send(cast("Permit", ticket), Traffic(last_inbound_at=now))


class NoBlobs:
    """The archive of a relay that keeps nothing."""

    async def read(self, digest: str) -> AsyncIterator[bytes]:
        """No bytes: nothing with attachments is carried."""
        nothing: tuple[bytes, ...] = ()
        for piece in nothing:
            yield piece


async def _bare(settings: Settings, folder: Path) -> None:
    routes = json.loads((folder / ROUTES).read_text(encoding="utf-8"))
    onward = {conversation: Onward(*way) for conversation, way in routes.items()}
    weixin: Any = compose.weixin(settings, NoBlobs())
    leave = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave.set)
    async with compose.symphony(settings, NoBlobs()) as symphony, weixin, asyncio.TaskGroup() as tasks:
        carrying = tasks.create_task(_carry(Relay((symphony, weixin), onward, settings.daemon.concurrency)))
        _tell({"port": weixin.bound_port})
        await leave.wait()
        carrying.cancel()


async def _carry(relay: Relay) -> None:
    async with asyncio.TaskGroup() as tasks:
        await relay.run(tasks)


# --- the database alone ---------------------------------------------------------------------------------


def commits(folder: Path, seconds: float = COMMIT_SECONDS) -> dict[str, float]:
    """What the store's database settings allow: transactions of one row, and rows in batches of 64."""
    from bridge.store.database import open_engine

    engine = open_engine(f"sqlite:///{folder / 'commits.db'}")
    with engine.connect().execution_options(writes=True) as db:
        with db.begin():
            db.exec_driver_sql("CREATE TABLE facts (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        one, many = _transactions(db, 1, seconds), _transactions(db, COMMIT_ROWS, seconds) * COMMIT_ROWS
    engine.dispose()
    return {"transactions_per_second": round(one, 1), "rows_per_second": round(many, 1)}


def _transactions(db: Connection, rows: int, seconds: float) -> float:
    facts = [(os.urandom(COMMIT_BYTES),) for _ in range(rows)]
    done, started = 0, time.monotonic()
    while (passed := time.monotonic() - started) < seconds:
        with db.begin():
            db.exec_driver_sql("INSERT INTO facts (body) VALUES (?)", facts)
        done += 1
    return done / passed


if __name__ == "__main__":
    main()
