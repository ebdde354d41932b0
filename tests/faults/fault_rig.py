"""A conversation across the whole bridge while something goes wrong, and what may have become of it.

Rules of this file: it stands between the two mocks and the real daemon (`bridge.cli.stage`), and replaces
nothing but the time, and the search index, which is left out: the bridge and both mocks are given one clock,
which runs with the machine's and is moved ahead, for all of them at once, while a test waits. Connectors are
made from the settings of `run`, with shorter limits for answers that never come. All stages of a process
stand in one folder, one after another: the engine of their store keeps its compiled statements (`rig`).

What does the same harm wherever it strikes strikes everywhere in one conversation (`everywhere`). Of what has
a conversation of its own, every other place of each switch is tried, the first among them. `FAULTS=whole` in
the environment has all of them tried, each alone, which takes more than a minute longer.

Whatever a switch does, one of three things is true of every message in the end: the other side sees it, a
person finds it (parked, failed, waiting or held) with its reason, or its network is closed with a remedy.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from rig import hurried, new_store, opening
from sqlalchemy import Connection

from bridge import words
from bridge.cli import compose, stage
from bridge.cli.stage import ADVISOR, BOT, CLIENT, Stage
from bridge.config import Settings
from bridge.message import SYMPHONY, WEIXIN
from bridge.ports import Blobs, Connector, Lease
from bridge.store import database as store_database
from bridge.store import views
from bridge.store.signing import verifiers
from bridge.store.verify import verify
from connectors.symphony import auth
from connectors.symphony.client import SymphonyConnector
from connectors.symphony.mock import world
from connectors.weixin.api import Pace
from connectors.weixin.kf import WeixinConnector

DEADLINE = 60.0
"""Seconds; reached only by a test that fails."""

PATIENCE = 0.08
"""Seconds for which a test waits before it lets time run ahead."""

STEP = 1.0
"""Seconds by which time is moved ahead, every 10 ms."""

WHOLE = os.environ.get("FAULTS") == "whole"

_NOTHING: Mapping[str, Any] = {}

POLICY = """\
policy: open
language: 1
title: Everything passes that can be read
owner: compliance@bank.example
defaults: { mode: enforce, unmatched: deliver, unpaired: hold, on_error: hold }
"""


class Hours:
    """The time of the bridge: the machine's, and what was skipped. Sleepers wake when it is moved."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._sleepers: set[asyncio.Event] = set()

    def now(self) -> int:
        """Milliseconds since the Unix epoch."""
        return int((time.time() + self._ahead) * 1000)

    def monotonic(self) -> float:
        """Seconds that only run forward."""
        return time.monotonic() + self._ahead

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed or were skipped."""
        end, moved = self.monotonic() + seconds, asyncio.Event()
        self._sleepers.add(moved)
        try:
            while (left := end - self.monotonic()) > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await moved.wait()
                moved.clear()
        finally:
            self._sleepers.discard(moved)

    def skip(self, seconds: float) -> None:
        """Move the time ahead."""
        self._ahead += seconds
        for moved in self._sleepers:
            moved.set()


class Hurried(Pace):
    """Time and chance for the Weixin connector, which waits by the machine's clock for an account's bell."""

    def backoff(self, attempt: int, first: float, longest: float) -> float:
        """A twentieth of the usual pause."""
        return super().backoff(attempt, first, longest) / 20


# --- what goes wrong, and what is to follow -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    """A switch of a mock, with whatever its switchboard takes."""

    name: str
    how: Mapping[str, Any] = field(default_factory=dict)


def fault(name: str, route: str | None = None, **how: Any) -> Fault:
    """A switch, on one route or on all that it knows."""
    return Fault(name, {"route": route, **how} if route else how)


@dataclass(frozen=True, slots=True)
class Case:
    """A switch, where it strikes, and what follows.

    The first of `faults` is the switch in question; others make way for it. `becomes` says what became of a
    message that does not simply arrive: "parked: compliance". `shows` says how many pieces of it were seen
    all the same. `told` are the keys of the bridge's words to Alice and 李雷; None where chance decides.
    `waits` says that 李雷 writes only once Alice was told that word; `closed` that a network's rooms close
    until somebody acts. `strikes` is False for what the bridge never asks for; `places` is how many of
    `faults`, from the first on, are the switch in question. `poll` is how often (seconds) Weixin is looked at
    without a callback; `step` how fast time runs ahead.
    """

    faults: tuple[Fault, ...]
    becomes: Mapping[str, str] = field(default_factory=dict)
    shows: Mapping[str, int] = field(default_factory=dict)
    told: Mapping[str, tuple[str, ...]] | None = field(default_factory=dict)
    waits: str = ""
    closed: str = ""
    strikes: bool = True
    places: int = 1
    poll: float = 30.0
    step: float = STEP

    @property
    def switch(self) -> str:
        """The name of the switch in question."""
        return self.faults[0].name

    def __str__(self) -> str:
        how = " ".join(f"{key}={value}" for key, value in self.faults[0].how.items() if key != "route")
        parts = (self.switch, self.faults[0].how.get("route", ""), how, *(f.name for f in self.faults[1:]))
        return " ".join(filter(None, parts))


def tried(cases: Iterable[Case]) -> list[Case]:
    """Every other case of each switch, or all."""
    seen: Counter[str] = Counter()
    chosen = []
    for one in cases:
        if seen[one.switch] % 2 == 0 or one.places > 1 or WHOLE:
            chosen.append(one)
        seen[one.switch] += one.places == 1
    return chosen


def case(*faults: Fault, **follows: Any) -> Case:
    """A case, shorter."""
    return Case(faults, **follows)


def everywhere(*faults: Fault) -> list[Case]:
    """A switch at each of these places, after which everything arrives: in one conversation, or in as many.

    They do not get into each other's way: each place is another request, and is made again until it is
    answered; a place that is there twice strikes two requests in turn.
    """
    return [case(one) for one in faults] if WHOLE else [Case(faults, places=len(faults))]


# --- the people -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Said:
    """A message as it left its writer: its network's id for it, and what the other side is to see of it."""

    key: str
    network: str
    id: str
    pieces: tuple[str, ...]


class Scene:
    """Alice and 李雷, and the bridge between them."""

    def __init__(self, on: Stage, hours: Hours) -> None:
        self.stage, self.hours = on, hours
        self.said: list[Said] = []
        self._props: dict[bytes, str] = {}
        self.armed: list[Any] = []

    def alice(self, key: str, file: bool = False) -> None:
        """Alice writes; with a file if wished."""
        self.pass_time(0.002)  # two messages of one millisecond have no order that anybody could tell
        prop = self._prop(key)
        files = ((f"{key}.mp3", "application/octet-stream", prop),) if file else ()
        message = self.stage.pod.say(ADVISOR, self.stage.stream, text=key, attachments=files)
        pieces = (key, f"file of {key}") if file else (key,)
        self.said.append(Said(key, SYMPHONY, message.message_id, pieces))

    def lilei(self, key: str, file: bool = False) -> None:
        """李雷 writes, or sends a file."""
        what = {"file": (f"{key}.mp3", self._prop(key))} if file else {"text": key}
        msgid = self.stage.platform.say(self.stage.customer, self.stage.account, **what)
        self.said.append(Said(key, WEIXIN, msgid, (f"file of {key}",) if file else (key,)))

    def _prop(self, key: str) -> bytes:
        content = b"ID3" + key.encode() * 5000  # known at a glance: no reader has to be started for it
        self._props[content] = f"file of {key}"
        return content

    # what they see

    def seen(self, network: str) -> Iterator[str]:
        """What the bridge showed on `network`, in order: words without names and marks, files by content."""
        yield from self._on_symphony() if network == SYMPHONY else self._on_weixin()

    def _on_symphony(self) -> Iterator[str]:
        for message in self.stage.pod.messages(self.stage.stream):
            if message.by_agent:
                text = _last_line(message.text, f"{CLIENT}: ")
                yield from () if message.files and text.startswith("[") else (text,)
                for file in message.files:
                    yield self._props.get(file.path.read_bytes(), "a damaged file")

    def _on_weixin(self) -> Iterator[str]:
        for one in self.stage.platform.received(self.stage.customer, self.stage.account):
            if one.side == "bridge":
                is_text = one.msgtype == "text"
                shown = _last_line(one.text, "Alice Wong：") if is_text else self._props.get(one.media())
                yield shown or "a damaged file"

    def told(self, network: str) -> tuple[str, ...]:
        """The keys of the bridge's own words on `network`, in order."""
        return tuple(_NOTICES[text] for text in self.seen(network) if text in _NOTICES)

    # time

    def pass_time(self, seconds: float) -> None:
        """Move the time ahead, for the bridge and for both networks."""
        self.hours.skip(seconds)
        self.stage.pod.clock.advance(seconds)
        self.stage.platform.clock.advance(seconds)

    async def until(self, reached: Callable[[], Any], what: str, step: float = STEP) -> None:
        """Wait until `reached`; time runs ahead when that takes longer."""
        started = time.monotonic()
        while not await _truth(reached):
            waited = time.monotonic() - started
            if waited > DEADLINE:
                raise AssertionError(f"{what}: not within {DEADLINE:g} s; now {await self.fates()}")
            if waited > PATIENCE:
                self.pass_time(step)
            await asyncio.sleep(0.01)

    # what became of things

    async def fates(self) -> dict[str, str]:
        """What became of each message that was said: "sent", "parked: reason", ..., "" while it is moving."""
        return await self.stage.database.read(lambda db: {one.key: _fate(db, one) for one in self.said})

    async def settled(self) -> bool:
        """Whether every message that was said has come to its end, notices too."""
        return not await self.moving() and all((await self.fates()).values())

    async def moving(self) -> list[tuple]:
        """Messages not judged and deliveries under way."""
        return await self.rows(
            "SELECT id, state, kind FROM messages WHERE state IN ('new', 'fetching') UNION ALL "
            "SELECT id, state, reason FROM deliveries WHERE state IN ('ready', 'claimed')"
        )

    async def rows(self, query: str) -> list[tuple]:
        """Any question to the store; it may open what is sealed (see `rig.opening`)."""

        def ask(db: Connection) -> list[tuple]:
            if "_of(" in query:
                opening(db.connection.driver_connection, db.engine)
            return [tuple(row) for row in db.exec_driver_sql(query)]

        return await self.stage.database.read(ask)

    # invariants

    async def examine(
        self, becomes: Mapping[str, str] = _NOTHING, shows: Mapping[str, int] = _NOTHING
    ) -> None:
        """What must be true whatever went wrong: each once, in order, nothing left behind, ledger whole."""
        fates = await self.fates()
        assert fates == {one.key: becomes.get(one.key, "sent") for one in self.said}
        for network in (SYMPHONY, WEIXIN):
            self._examine_shown(network, fates, shows)
        assert await self.moving() == []
        assert await self._findings() == []
        twice = "SELECT network, source_id FROM messages GROUP BY 1, 2 HAVING count(*) > 1"
        assert await self.rows(twice) == []

    def _examine_shown(self, network: str, fates: Mapping[str, str], shows: Mapping[str, int]) -> None:
        shown = [text for text in self.seen(network) if text not in _NOTICES]
        said = [one for one in self.said if one.network != network]
        whole = {one.key: len(one.pieces) if fates[one.key] == "sent" else 0 for one in said}
        assert shown == [piece for one in said for piece in one.pieces[: {**whole, **shows}[one.key]]]

    async def _findings(self) -> list[str]:
        """What the auditor's reading of the whole store finds."""
        found: list[Any] = []
        settings = self.stage.settings
        keys = verifiers([settings.ledger.key_file.with_suffix(".pub")])
        await self.stage.database.read(lambda db: verify(db, settings.store.blobs, found.append, keys=keys))
        return [str(finding) for finding in found]


_NOTICES = {
    shown: key
    for key in words._TEXTS
    for language in words.LANGUAGES
    for shown in (words.say(key, language), f"【{words.say(key, language)}】")
}


async def _truth(reached: Callable[[], Any]) -> bool:
    result = reached()
    return bool(await result if asyncio.iscoroutine(result) else result)


def _last_line(text: str, author: str) -> str:
    return text.split("\n")[-1].removeprefix(author)


def _fate(db: Any, one: Said) -> str:
    query = (
        "SELECT m.id, m.state, d.state, d.permit FROM messages m LEFT JOIN deliveries d ON d.message = m.id "
        "WHERE m.network = ? AND m.source_id = ?"
    )
    row = db.exec_driver_sql(query, (one.network, one.id)).first()
    if row is None:
        return ""
    number, state, delivery, permit = row
    if state == "held":
        return next(f"held: {held.reason}" for held in views.held(db) if held.message == number)
    if delivery in ("parked", "failed", "waiting"):
        reasons = {line["permit"]: line["reason"] for line in views.outbox(db)}
        return f"{delivery}: {reasons[permit]}"
    return delivery if delivery == "sent" else ""


# --- the stage ------------------------------------------------------------------------------------------


@functools.cache
def _home() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="wb-stage-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT"))


def _empty_folder() -> Path:
    folder = Path(_home().name, "stage")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


@contextlib.asynccontextmanager
async def on_stage(poll: float = 30.0) -> AsyncIterator[Scene]:
    """Both mocks and the daemon, on one clock, and Alice and 李雷 in a conversation that has begun."""
    hours, folder = Hours(), _empty_folder()
    policy = folder / "open.yaml"
    policy.write_text(POLICY)
    new_store(folder, paired=False)
    with pytest.MonkeyPatch.context() as patch:
        _give_time(patch, hours, poll)
        async with stage.set_up(folder, (str(policy),)) as on:
            on.pod.poll_seconds = 0.5
            scene = Scene(on, hours)
            scene.lilei("L0")
            scene.alice("A0")
            await scene.until(scene.settled, "the first words")
            yield scene


_one_key_pair = functools.cache(world.new_key_pair)  # the price of an RSA key is paid once
_one_key = functools.cache(auth._rsa_key)


def _give_time(patch: pytest.MonkeyPatch, hours: Hours, poll: float) -> None:
    made_store, made_symphony, made_weixin = compose.store, compose.symphony, compose.weixin

    def symphony(settings: Settings, blobs: Blobs, lease: Lease | None = None) -> Connector:
        usual = made_symphony(settings, blobs)._settings  # type: ignore[attr-defined]
        short = replace(usual, request_timeout=1.0, send_timeout=1.0, poll_timeout=1.5)
        return SymphonyConnector(short, blobs, lease=lease, clock=hours, sleep=hours.sleep)

    def weixin(settings: Settings, blobs: Blobs, lease: Lease | None = None, **more: Any) -> Connector:
        usual = made_weixin(settings, blobs, **more)._settings  # type: ignore[attr-defined]
        short = replace(usual, timeout=1.0, poll_interval=poll)
        return WeixinConnector(
            short, blobs, lease=lease, clock=hours, pace=Hurried(hours.monotonic, hours.sleep)
        )

    patch.setattr(world, "new_key_pair", _one_key_pair)
    patch.setattr(auth, "_rsa_key", _one_key)
    patch.setattr(compose, "indexer", lambda *_: None)
    patch.setattr(store_database, "open_engine", hurried)
    patch.setattr(compose, "store", lambda settings: made_store(settings, hours))
    patch.setattr(compose, "symphony", symphony)
    patch.setattr(compose, "weixin", weixin)


# --- the play -------------------------------------------------------------------------------------------


async def play(scene: Scene, case: Case, mend: Callable[[], None]) -> None:
    """The conversation goes on while the case's faults are armed, and after `mend`; then all is examined."""
    for key, file in (("A1", False), ("A2", True), ("A3", False)):
        scene.alice(key, file)
    if case.waits:
        await scene.until(lambda: case.waits in (scene.told(SYMPHONY)), f"Alice is told: {case.waits}")
        assert case.waits in {fate.removeprefix("waiting: ") for fate in (await scene.fates()).values()}
    for key, file in (("L1", False), ("L2", True), ("L3", False)):
        scene.lilei(key, file)
    if case.closed:
        await _somebody_acts(scene, case.closed, mend)
    await scene.until(scene.settled, str(case), step=case.step)
    mend()
    scene.lilei("L4")
    await scene.until(scene.settled, "李雷 after it")
    scene.alice("A4")
    await scene.until(scene.settled, "Alice after it")
    await scene.examine(case.becomes, case.shows)
    if case.told is not None:
        told = {"alice": scene.told(SYMPHONY), "李雷": scene.told(WEIXIN)}
        assert told == {who: case.told.get(who, ()) for who in told}


async def _somebody_acts(scene: Scene, network: str, mend: Callable[[], None]) -> None:
    """A closed network says what to do; a person does it, and tells the daemon."""
    daemon = scene.stage.daemon
    state = daemon.networks[network]
    await scene.until(lambda: not state.open and state.remedy, f"{network} closes", step=20.0)
    mend()
    daemon.reload()
    await scene.until(lambda: daemon.networks[network].open, f"{network} opens again")


__all__ = ["BOT", "Case", "Scene", "case", "fault", "on_stage", "play"]
