"""One process that runs the rooms: lease, networks, policy, signals, and three pages for machines.

Rules of this file: one `TaskGroup`; when a part dies of anything but an expected error, all of it ends and
the supervisor starts it again. Nothing is repaired at the start: taking the lane is enough.

    SIGTERM, SIGINT   stop taking, finish what is being sent, give the lane up, leave
    SIGHUP            look at the policy files again (`in_force`); closed networks are tried again at once,
                      with settings and secrets as they are now

A network that refuses our credentials closes its own rooms only: the other one goes on, and what was
archived for the closed one waits in the outbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from aiohttp import web

from bridge import pipeline, telemetry
from bridge.archivist import Archivist
from bridge.assurance import Assurance
from bridge.errors import ConfigError, SignedOut
from bridge.in_force import InForce, Judging, Law
from bridge.indexer import Indexer
from bridge.message import Inspection, Verdict
from bridge.notary import Notary
from bridge.pipeline import Bell, House
from bridge.policy import PolicySet
from bridge.ports import Attempt, Connector, Late, Step
from bridge.store import views
from bridge.store.database import Database
from bridge.store.lease import LEASE_MS

log = telemetry.log()

DRAIN_SECONDS = 20.0
"""How long sends that are under way may take to finish when the daemon is asked to leave."""

SIGN_IN_AGAIN = (60.0, 300.0, 900.0, 3600.0)
"""Pauses, in seconds, before refused credentials are tried again: WeCom blocks an address that insists."""


class Counting:
    """`bridge.ports.Tally` onto the metrics."""

    def archived(self, network: str, count: int) -> None:
        """New messages are in the archive."""
        telemetry.metrics.archived.labels(network).inc(count)

    def judged(self, verdict: Verdict) -> None:
        """A message was judged."""
        telemetry.metrics.verdicts.labels(verdict.outcome.value, verdict.cause.value).inc()

    def inspected(self, inspection: Inspection) -> None:
        """An attachment was looked into."""
        result = "infected" if inspection.virus else "unreadable" if inspection.unreadable else "read"
        telemetry.metrics.inspected.labels(result, "yes" if inspection.scanned else "no").inc()

    def attempted(self, attempt: Attempt, now: int) -> None:
        """An attempt was recorded."""
        permit = attempt.permit
        telemetry.metrics.deliveries.labels(permit.network, attempt.step.value).inc()
        if attempt.step is Step.SEND:
            telemetry.metrics.latency.labels(permit.network).observe((now - permit.archived_at) / 1000)

    def late(self, hold: Late) -> None:
        """A hold was not decided in time."""
        telemetry.metrics.late.labels("expired" if hold.expired else "escalated").inc()


@dataclass(slots=True)
class NetworkState:
    """Whether a network's rooms are open, and if not, what a person has to do."""

    open: bool = False
    remedy: str = ""
    since: int = 0
    retry: Bell = field(default_factory=Bell)
    connector: Connector | None = None

    def trouble(self) -> str:
        """What a person has to know or do before the network works; "" when it does."""
        if not self.open:
            return self.remedy or "it is being opened"
        if self.connector is not None and self.connector.refused_since:
            return "it refuses our credentials; that may be its own outage, so signing in is tried again"
        return ""


class Daemon:
    """The whole bridge, running. `run` returns when it was asked to leave and has left in order.

    `law` says where policies come from and how they come into force; `address` is where /healthz, /readyz,
    /status and /metrics answer, None for nowhere; `anew` makes a network's connector again from what the
    settings and secret files say by now (raising ConfigError), None when they cannot change; `notary` signs
    checkpoints, None for a daemon without them; `indexer` keeps the search index, None for none; `assurance`
    minds that nothing is missing, None for nobody; `archivist` makes who brings copies outside, by the
    policies in force, None for nobody.
    """

    def __init__(
        self,
        house: House,
        database: Database,
        connectors: Sequence[Connector],
        law: Law,
        address: tuple[str, int] | None,
        anew: Callable[[str], Connector] | None = None,
        notary: Notary | None = None,
        indexer: Indexer | None = None,
        assurance: Assurance | None = None,
        archivist: Callable[[Judging], Archivist] | None = None,
    ) -> None:
        self.house, self.database, self.connectors = house, database, connectors
        self.address, self.anew, self.notary = address, anew, notary
        self.indexer = indexer
        self.assurance = assurance
        if assurance is not None:
            self.house = house = replace(house, paused=assurance.paused, heed=assurance.heed)
            assurance.connectors = self._signed_in
            assurance.policies = self._deciding
        self.judging = Judging()
        self.archivist = archivist(self.judging) if archivist is not None else None
        self.in_force = InForce(self.judging, law, house, database)
        self.stop = asyncio.Event()
        self.networks = {connector.network: NetworkState() for connector in connectors}
        self.started_at = house.clock.now()
        self.bound_port = 0
        self.renewed = 0.0

    async def run(self, *, signals: bool = True) -> None:
        """Own the lane, run the rooms until `stop`, then leave in order. Without `signals`, whoever runs
        the daemon calls `leave` and `reload`.

        Raises Conflict when another daemon owns the lane, StoreError when the store fails, ConfigError when
        the pages cannot be served.
        """
        await self.database.own(f"{socket.gethostname()}:{os.getpid()}")
        self.renewed = asyncio.get_running_loop().time()
        await self.database.set_languages(self.house.languages)
        await self.in_force.begin()
        async with contextlib.AsyncExitStack() as stack:
            if signals:
                self._listen_to_signals(stack)
            await self._serve_pages(stack)
            try:
                await self._run_rooms()
            finally:
                telemetry.sd_notify("STOPPING=1")
        if self.notary is not None:
            await self.notary.round(last=True)
        await self.database.leave()
        log.info("daemon:left")

    # --- rooms

    async def _run_rooms(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            beside = [
                tasks.create_task(self._keep_lease()),
                tasks.create_task(self.in_force.run()),
                tasks.create_task(pipeline.judgement(self.judging, self.house)),
                tasks.create_task(pipeline.deadlines(self.house)),
            ]
            if self.notary is not None:
                beside.append(tasks.create_task(self.notary.run()))
            if self.archivist is not None:
                beside.append(tasks.create_task(self.archivist.run()))
            if self.indexer is not None:
                beside.append(tasks.create_task(self.indexer.run()))
            if self.assurance is not None:
                beside.append(tasks.create_task(self.assurance.run()))
            networks = [tasks.create_task(self._network(one)) for one in self.connectors]
            log.info("daemon:started", port=self.bound_port)
            # Ready means that the store is ours; a network that is away or refuses us is told by /readyz.
            telemetry.sd_notify("READY=1")
            await self.stop.wait()
            for bell in (*self.house.bells.deliver.values(), *(n.retry for n in self.networks.values())):
                bell.ring()
            _, late = await asyncio.wait(networks, timeout=DRAIN_SECONDS)
            for task in (*late, *beside):
                task.cancel()

    async def _network(self, connector: Connector) -> None:
        """Run one network's rooms; when it refuses our credentials, try again after a while, or when told."""
        refusals = 0
        while not self.stop.is_set():
            refused = await self._network_once(connector)
            if refused is None:
                return
            state = self.networks[connector.network]
            if state.open and self.house.clock.now() - state.since > SIGN_IN_AGAIN[-1] * 1000:
                refusals = 0  # it was good for long: this is another story
            self._open(connector.network, False, refused.remedy)
            pause = SIGN_IN_AGAIN[min(refusals, len(SIGN_IN_AGAIN) - 1)]
            refusals += 1
            log.error("network:signed-out", network=connector.network, seconds=pause)
            await state.retry.wait(pause)
            connector = self._made_anew(connector)

    def _made_anew(self, connector: Connector) -> Connector:
        """The connector with the secrets as they are now; as it was, while the settings are broken."""
        if self.anew is None or self.stop.is_set():
            return connector
        try:
            return self.anew(connector.network)
        except ConfigError as error:
            log.error("settings:refused", network=connector.network, count=len(error.problems))
            return connector

    async def _network_once(self, connector: Connector) -> SignedOut | None:
        refusal: SignedOut | None = None
        try:
            async with connector, asyncio.TaskGroup() as rooms:
                self.networks[connector.network].connector = connector
                self._open(connector.network, True)
                taking = [
                    rooms.create_task(pipeline.intake(connector, self.house)),
                    rooms.create_task(pipeline.fetch(connector, self.house)),
                ]
                rooms.create_task(pipeline.delivery(connector, self.house, self.stop))
                await self.stop.wait()
                for task in taking:
                    task.cancel()
        except* SignedOut as group:
            refusal = _first(group)
        if refusal is not None:
            await self.database.give_back(connector.network)
        return refusal

    def _open(self, network: str, is_open: bool, remedy: str = "") -> None:
        state = self.networks[network]
        state.open, state.remedy, state.since = is_open, remedy, self.house.clock.now()
        telemetry.metrics.signed_in.labels(network).set(is_open)
        telemetry.sd_notify(f"STATUS={'; '.join(self._closed()) or 'both networks open'}")

    def _closed(self) -> list[str]:
        """Every closed network, with what a person has to do."""
        return [f"{name} is closed: {trouble}" for name, trouble in self._troubles().items() if trouble]

    def _signed_in(self) -> dict[str, Connector]:
        """The networks that can be asked now."""
        return {name: one.connector for name, one in self.networks.items() if one.open and one.connector}

    def _deciding(self) -> PolicySet | None:
        return self.judging.policies if self.judging.hashes else None

    def _troubles(self) -> dict[str, str]:
        """What keeps each network from working, "" where nothing does."""
        return {network: state.trouble() for network, state in self.networks.items()}

    async def _keep_lease(self) -> None:
        """Show the lane that we live, and systemd too: only a process that can still write is alive."""
        watchdog = telemetry.watchdog_seconds() or LEASE_MS / 1000
        while True:
            await self.database.renew()
            self.renewed = asyncio.get_running_loop().time()
            telemetry.sd_notify("WATCHDOG=1")
            await asyncio.sleep(min(watchdog, LEASE_MS / 3000))

    # --- signals

    def _listen_to_signals(self, stack: contextlib.AsyncExitStack) -> None:
        loop = asyncio.get_running_loop()
        for number, act in (
            (signal.SIGTERM, self.leave),
            (signal.SIGINT, self.leave),
            (signal.SIGHUP, self.reload),
        ):
            loop.add_signal_handler(number, act)
            stack.callback(loop.remove_signal_handler, number)

    def leave(self) -> None:
        """Begin to leave, in order."""
        log.info("daemon:leaving")
        self.stop.set()

    def reload(self) -> None:
        """Read the policies again, and try closed networks at once."""
        self.in_force.reload()
        for state in self.networks.values():
            if not state.open:
                state.retry.ring()

    # --- pages

    async def _serve_pages(self, stack: contextlib.AsyncExitStack) -> None:
        if self.address is None:
            return
        pages = web.Application()
        pages.router.add_get("/healthz", self._healthz)
        pages.router.add_get("/readyz", self._readyz)
        pages.router.add_get("/status", self._status)
        pages.router.add_get("/metrics", self._metrics)
        runner = web.AppRunner(pages, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        try:
            await web.TCPSite(runner, *self.address).start()
        except OSError as error:
            host, port = self.address
            raise ConfigError(
                f"daemon.http: {host}:{port} cannot be listened on ({_why(error)}): write an address of this "
                "machine and a port that is free."
            ) from None
        self.bound_port = runner.addresses[0][1]

    async def _healthz(self, _: web.Request) -> web.Response:
        silent = asyncio.get_running_loop().time() - self.renewed
        alive = silent < LEASE_MS / 1000
        text = (
            "alive\n" if alive else f"the lease was renewed {silent:.0f} s ago: the store does not answer\n"
        )
        return web.Response(text=text, status=200 if alive else 503)

    async def _readyz(self, _: web.Request) -> web.Response:
        closed = self._closed()
        if self.assurance is not None:
            closed += self.assurance.capture_troubles()
        return web.Response(text="\n".join(closed or ["ready"]) + "\n", status=503 if closed else 200)

    async def _status(self, _: web.Request) -> web.Response:
        networks = {
            network: {"open": not state.trouble(), "remedy": state.trouble(), "since": state.since}
            for network, state in self.networks.items()
        }
        answer = {
            "state": "leaving" if self.stop.is_set() else "running",
            "pid": os.getpid(),
            "since": self.started_at,
            "epoch": self.database.epoch,
            "networks": networks,
            "frozen": self.judging.frozen,
            "policies": [list(policy) for policy in self.judging.hashes],
            "refused": self.in_force.refused,
            "differs": self.in_force.differs,
            "removed": list(self.in_force.removed),
            "stale": [list(names) for names in self.in_force.stale],
            "checkpoint": self._checkpoint(),
            "archives": [lag._asdict() for lag in self.archivist.lags()] if self.archivist else [],
            "assurance": self.assurance.status() if self.assurance else None,
        }
        return web.json_response(answer)

    def _checkpoint(self) -> dict[str, object] | None:
        notary = self.notary
        if notary is None:
            return None
        places = [lag._asdict() for lag in notary.lags()]
        told = {"covered_at": notary.covered_at, "trouble": notary.trouble()}
        return {"size": notary.size, **told, "places": places}

    async def _metrics(self, _: web.Request) -> web.Response:
        await self._measure()
        return web.Response(body=telemetry.render(), content_type="text/plain", charset="utf-8")

    async def _measure(self) -> None:
        """Set the gauges from the store, when somebody asks."""
        depths = await self.database.read(views.depths)
        gauges = telemetry.metrics
        gauges.unjudged.set(depths.unjudged)
        gauges.held.set(depths.held)
        if self.notary is not None:
            gauges.checkpoint_age.set(self.notary.age())
            for lag in self.notary.lags():
                gauges.witness_lag.labels(str(lag.number)).set(lag.seconds)
                gauges.witness_late.labels(str(lag.number)).set(lag.late)
        if self.assurance is not None:
            self._measure_assurance(self.assurance)
        gauges.lease.labels(str(self.database.lane)).set(1)
        for network, counts in depths.networks.items():
            gauges.outbox_depth.labels(network).set(counts.open)
            gauges.parked.labels(network).set(counts.parked)

    def _measure_assurance(self, assurance: Assurance) -> None:
        gauges = telemetry.metrics
        for network, lag in assurance.lags.items():
            gauges.capture_lag.labels(network).set(lag)
        gauges.capture_paused.set(assurance.paused.is_set())
        gauges.uncertified.set(assurance.overdue)
        gauges.differences.set(sum(one.differences for one in assurance.unsettled))
        gauges.alerts.set(sum(one.alerts for one in assurance.unsettled))


def _first(group: BaseExceptionGroup) -> SignedOut:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _why(error: OSError) -> str:
    """The system's own words, without asyncio's around them."""
    return os.strerror(error.errno).lower() if error.errno else "no such address"
