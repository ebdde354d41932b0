"""The bench of the relay: the bridge, a bare relay and the database alone, side by side in one run.

Rules of this file: what is measured runs in a process of its own on a core of its own; both networks and the
people who write live in this process, on another. Bridge and bare relay take turns (A B A B), so that what
the machine does meanwhile falls on both. A row is a mapping of plain values and is reported as soon as it is
known; `summary` is computed from rows alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bridge import __version__
from bridge.cli import compose
from bridge.cli.bench import node
from bridge.cli.bench.traffic import (
    WAYS,
    BenchFailed,
    Direction,
    Networks,
    Passage,
    Pressure,
    Way,
    carry,
    checked,
)
from bridge.config import Settings, load, unlock

Row = Mapping[str, Any]
Report = Callable[[Row], None]

BRIDGE, BARE = "bridge", "bare"
SYSTEMS = (BRIDGE, BARE)

WINDOW = 32
"""Messages of each conversation under way at any time under full load."""
WARM_UP = 4
"""Messages of each conversation in each direction before anything is measured."""
LONGEST = 3600.0
"""Seconds after which the bench gives up, whatever it does."""
STARTING = 60.0
LEAVING = 30.0
SAMPLES = 20
"""How often a long run looks at the memory."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `seconds` is how long each direction runs at a tenth of full load."""

    messages: int = 20_000
    conversations: int = 64
    rounds: int = 3
    seconds: float = 15.0
    folder: Path = Path("/var/tmp")

    @property
    def full(self) -> Pressure:
        """Full load: every conversation has `WINDOW` messages under way."""
        return Pressure(window=self.conversations * WINDOW)


class Cores(NamedTuple):
    """Which core the measured process gets and which the networks; None where there is only one."""

    measured: int | None
    networks: int | None


# --- the measured process -------------------------------------------------------------------------------


class Node:
    """A running `node`, seen from outside by what the kernel knows about it (proc(5))."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process, self._log = process, log

    async def told(self) -> dict[str, Any]:
        """Its next line. Raises BenchFailed when it ends instead."""
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), STARTING)
        if not line:
            raise self.death()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def cpu_seconds(self) -> float:
        """Processor time of all its threads so far."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        """Resident memory, in MB (10⁶ bytes)."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="utf-8").split()[1]
        return round(int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)

    async def leave(self) -> None:
        """Ask it to leave. Raises BenchFailed when it does not, or does so with an error."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(self.process.wait(), LEAVING)
        if self.process.returncode:
            raise self.death()

    def death(self) -> BenchFailed:
        """That it ended, with the last line of its log."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return BenchFailed(f"the measured process ended; its last words: {(lines or ['none'])[-1][:300]}")


@contextlib.asynccontextmanager
async def started(kind: str, folder: Path, core: int | None, *more: str) -> AsyncIterator[Node]:
    """Start a `node` of this kind, told `more`; it is gone when the block is left, in whatever way."""
    log = folder / "node.log"
    command = [
        sys.executable,
        "-m",
        node.__name__,
        kind,
        str(folder),
        "" if core is None else str(core),
        *more,
    ]
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors
        )
    try:
        yield Node(process, log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def busy_seconds() -> float:
    """Processor time that everything on this machine has taken so far: proc(5), /proc/stat."""
    user, nice, system, _idle, _waiting, *rest = Path("/proc/stat").read_text(encoding="utf-8").split()[1:9]
    return sum(map(int, (user, nice, system, *rest))) / os.sysconf("SC_CLK_TCK")


class Spent(NamedTuple):
    """Seconds: by the clock, and of processor time by the measured process, by us, and by everything."""

    clock: float
    measured: float
    networks: float
    everything: float

    def shares(self) -> dict[str, float]:
        """Cores kept busy by the measured process, by the networks, and by what else runs here."""
        others = max(0.0, self.everything - self.measured - self.networks)
        return {
            "cpu_share": round(self.measured / self.clock, 2),
            "networks_cpu_share": round(self.networks / self.clock, 2),
            "others_cpu_share": round(others / self.clock, 2),
        }


# --- one system between both networks -------------------------------------------------------------------


class Session:
    """A system between both networks, warmed up."""

    def __init__(self, system: str, networks: Networks, measured: Node) -> None:
        self.system, self._networks, self.node = system, networks, measured
        self._next = 0

    async def measure(self, direction: Direction, count: int, pressure: Pressure) -> dict[str, Any]:
        """Carry `count` messages (see `traffic.carry`) and say how it went."""
        way = direction(self._networks)
        rss, before = self.node.rss_mb(), self._spent()
        accepted = await self._pass_over(way, count, pressure)
        spent = Spent(*(now - then for now, then in zip(self._spent(), before, strict=True)))
        passage = Passage(accepted, checked(way.arrivals(), accepted))
        took = passage.milliseconds
        return {
            "system": self.system,
            "direction": way.name,
            "messages": count,
            "per_second": round(count / passage.seconds, 1),
            "p50_ms": round(percentile(took, 50), 2),
            "p99_ms": round(percentile(took, 99), 2),
            "cpu_us": round(spent.measured / count * 1e6),
            **spent.shares(),
            "rss_start_mb": rss,
            "rss_end_mb": self.node.rss_mb(),
        }

    async def warm_up(self, plan: Plan) -> None:
        """A few messages each way, clients first: that opens every reply window."""
        gentle = Pressure(window=plan.conversations)
        for direction in WAYS:
            await self.measure(direction, plan.conversations * WARM_UP, gentle)

    async def _pass_over(self, way: Way, count: int, pressure: Pressure) -> dict[int, int]:
        """Raises BenchFailed as soon as the system ends."""
        numbers = range(self._next, self._next + count)
        self._next += count
        carrying = asyncio.create_task(carry(way, numbers, pressure))
        ending = asyncio.create_task(self.node.process.wait())
        try:
            await asyncio.wait((carrying, ending), return_when=asyncio.FIRST_COMPLETED)
            if not carrying.done():
                raise self.node.death()
            return carrying.result()
        finally:
            carrying.cancel()
            ending.cancel()

    def _spent(self) -> Spent:
        return Spent(time.monotonic(), self.node.cpu_seconds(), time.process_time(), busy_seconds())


@contextlib.asynccontextmanager
async def session(system: str, plan: Plan, cores: Cores) -> AsyncIterator[Session]:
    """A fresh store, fresh networks, and `system` between them."""
    networks = Networks(plan.conversations)
    with tempfile.TemporaryDirectory(prefix="weighbridge-bench-", dir=plan.folder) as name:
        folder = Path(name)
        async with networks.serve():
            settings = unlock(load(networks.write_settings(folder), {}))
            await _introduce(system, settings, networks, folder)
            async with started(system, folder, cores.measured) as measured:
                networks.call_back((await measured.told())["port"])
                between = Session(system, networks, measured)
                await between.warm_up(plan)
                yield between
                await measured.leave()


async def _introduce(system: str, settings: Settings, networks: Networks, folder: Path) -> None:
    """Tell the system who talks to whom: pairs in the bridge's store, a file for the bare relay."""
    if system == BARE:
        (folder / node.ROUTES).write_text(json.dumps(_routes(networks)), encoding="utf-8")
        return
    database = compose.store(settings)
    try:
        for pair in networks.pairs():
            await database.make_pair(pair.record(), "weighbridge", "a pair of the bench")
    finally:
        database.close()


def _routes(networks: Networks) -> dict[str, tuple[str, str, str]]:
    routes = {}
    for pair in networks.pairs():
        chat = f"{pair.account}/{pair.contact.id}"
        routes[pair.stream] = (pair.contact.network, chat, pair.advisor.name)
        routes[chat] = (pair.advisor.network, pair.stream, pair.contact.name)
    return routes


# --- what is measured -----------------------------------------------------------------------------------


async def relay(plan: Plan, report: Report) -> None:
    """Full load in rounds, a tenth of it, the database alone, and what follows from these.

    Raises BenchFailed when a message is lost, doubled, changed or out of order, or nothing moves.
    """
    rows: list[Row] = []

    def tell(row: Row) -> None:
        rows.append(row)
        report(row)

    async with _limited() as cores:
        tell(_machine(plan, cores))
        tell({"kind": "commits", **await _commits(plan, cores)})
        for number in range(1, plan.rounds + 1):
            for system in SYSTEMS:
                await _full_load(number, system, plan, cores, tell)
        for system in SYSTEMS:
            await _tenth(system, plan, cores, rows, tell)
        tell(summary(rows))


async def memory(plan: Plan, report: Report) -> None:
    """One long run of the bridge, half of it in each direction, with its memory looked at on the way."""
    async with _limited() as cores:
        report(_machine(plan, cores))
        async with session(BRIDGE, plan, cores) as between:
            samples = []
            for number in range(1, SAMPLES + 1):
                share = plan.messages * number // SAMPLES - plan.messages * (number - 1) // SAMPLES
                row = await between.measure(WAYS[number % 2], share, plan.full)
                samples.append(row["rss_end_mb"])
                done = plan.messages * number // SAMPLES
                report({"kind": "memory", "messages": done, "rss_mb": samples[-1]})
        report(growth(samples, plan.messages))


@contextlib.asynccontextmanager
async def _limited() -> AsyncIterator[Cores]:
    """Cores for both sides, and an end to everything after `LONGEST`."""
    try:
        async with asyncio.timeout(LONGEST):
            with _pinned() as cores:
                yield cores
    except TimeoutError:
        raise BenchFailed("the bench took too long and was given up; measure fewer messages") from None


async def _commits(plan: Plan, cores: Cores) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="weighbridge-bench-", dir=plan.folder) as folder:
        seconds = min(node.COMMIT_SECONDS, plan.seconds)
        async with started("commits", Path(folder), cores.measured, str(seconds)) as measured:
            return await measured.told()


async def _full_load(number: int, system: str, plan: Plan, cores: Cores, tell: Report) -> None:
    async with session(system, plan, cores) as between:
        for direction in WAYS:
            row = await between.measure(direction, plan.messages, plan.full)
            tell({"kind": "full", "round": number, **row})


async def _tenth(system: str, plan: Plan, cores: Cores, rows: Sequence[Row], tell: Report) -> None:
    async with session(system, plan, cores) as between:
        for direction in WAYS:
            rate = _median(rows, "full", BRIDGE, direction.name, "per_second") / 10
            count = max(1, int(rate * plan.seconds))
            tell({"kind": "tenth", **await between.measure(direction, count, Pressure(rate=rate))})


def _machine(plan: Plan, cores: Cores) -> dict[str, Any]:
    return {
        "kind": "machine",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "weighbridge": __version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "pinned": cores.measured is not None,
        "filesystem": filesystem(plan.folder, Path("/proc/self/mounts").read_text(encoding="utf-8")),
        "messages": plan.messages,
        "conversations": plan.conversations,
        "rounds": plan.rounds,
    }


@contextlib.contextmanager
def _pinned() -> Iterator[Cores]:
    """Keep this process on one core and name another for the measured one; undone at the end."""
    before = os.sched_getaffinity(0)
    if len(before) < 2:
        yield Cores(None, None)
        return
    networks, *_, measured = sorted(before)
    os.sched_setaffinity(0, {networks})
    try:
        yield Cores(measured, networks)
    finally:
        os.sched_setaffinity(0, before)


# --- what follows ---------------------------------------------------------------------------------------


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The value that `percent` of `ordered` (ascending, not empty) do not exceed: nearest rank."""
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Medians over the rounds, the bridge's share of the bare relay, and what it adds to a message's way.

    `ratio` compares messages per second, `cpu_ratio` messages per second of processor time.
    """
    answer = {direction.name: _compared(rows, direction.name) for direction in WAYS}
    commits = next(row for row in rows if row["kind"] == "commits")
    return {
        "kind": "summary",
        **answer,
        "commits": {key: value for key, value in commits.items() if key != "kind"},
    }


def _compared(rows: Sequence[Row], direction: str) -> dict[str, float]:
    ours, bare = (
        {key: _median(rows, "full", system, direction, key) for key in ("per_second", "cpu_us")}
        for system in SYSTEMS
    )
    slow, fast = (_median(rows, "tenth", system, direction, "p50_ms") for system in SYSTEMS)
    return {
        "per_second": ours["per_second"],
        "bare_per_second": bare["per_second"],
        "ratio": round(ours["per_second"] / bare["per_second"], 3),
        "cpu_us": ours["cpu_us"],
        "bare_cpu_us": bare["cpu_us"],
        "cpu_ratio": round(bare["cpu_us"] / ours["cpu_us"], 3) if ours["cpu_us"] else 0.0,
        "added_p50_ms": round(slow - fast, 2),
    }


def _median(rows: Sequence[Row], kind: str, system: str, direction: str, key: str) -> float:
    wanted = (kind, system, direction)
    return median(
        float(row[key]) for row in rows if (row["kind"], row.get("system"), row.get("direction")) == wanted
    )


def growth(samples: Sequence[float], messages: int) -> dict[str, Any]:
    """How the memory of a long run went on after its first quarter, in which caches fill."""
    settled = samples[len(samples) // 4 :]
    grown = settled[-1] - settled[0]
    later = messages * (len(settled) - 1) / len(samples)
    return {
        "kind": "growth",
        "messages": messages,
        "rss_settled_mb": settled[0],
        "rss_end_mb": settled[-1],
        "bytes_per_message": round(grown * 1e6 / later) if later else 0,
    }


def filesystem(folder: Path, mounts: str) -> str:
    """The type of the file system that holds `folder`, from the text of /proc/self/mounts; "" if unknown."""
    place = folder.resolve()
    types = {Path(where): kind for _, where, kind, *_ in map(str.split, mounts.splitlines())}
    return next((types[parent] for parent in (place, *place.parents) if parent in types), "")
