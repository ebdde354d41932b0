"""What the daemon says about itself: log lines, metrics, and word to systemd.

Rules of this file: text, names and secrets never pass (invariant 6). A log line is a `noun:verb` and values
under whitelisted keys: ids, digests, counts, milliseconds, short codes. Whatever else is handed over is
dropped and counted; under test it is an error. Metrics carry networks, outcomes, causes and results alone.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

EVENT = re.compile(r"[a-z][a-z-]*:[a-z][a-z-]*")
CODE = re.compile(
    r"[A-Za-z0-9_.:/+=@$-]{0,200}"
)  # what ids, digests and codes are made of: no blanks, no Han

# Every key a log line may carry, and what it means. Values are numbers, booleans, or strings that match CODE.
KEYS: Mapping[str, str] = {
    "network": "symphony or weixin",
    "lane": "number of the lane",
    "epoch": "fencing number of the lease",
    "seq": "place of a message in the archive",
    "entry": "place of an entry in the ledger",
    "anchor": "number of a place of checkpoints, in the order of the settings",
    "permit": "id of a delivery",
    "conversation": "digest of a conversation's key",
    "digest": "SHA-256 of something",
    "root": "root hash of the ledger",
    "policy": "name of a policy",
    "list": "name of a list of a policy",
    "destination": "name of an archive outside, policy/id",
    "change": "number of a change of policy",
    "version": "version or hash of a policy, a schema, the program",
    "rule": "id of a rule",
    "outcome": "deliver, redact, hold or block",
    "cause": "rule, default, failure or person",
    "result": "sent, found, parked, retried or refused",
    "code": "short stable word for a reason; an exception's class; a network's error code",
    "room": "intake, judgement or delivery",
    "state": "a state from the tables of flow",
    "count": "how many",
    "size": "bytes",
    "ms": "milliseconds that something took",
    "seconds": "seconds, mostly until the next try",
    "attempt": "number of an attempt, from 1",
    "status": "HTTP status",
    "port": "port that is listened on",
    "signal": "name of a signal",
    "logger": "library that wrote the line",
    "where": "module and line of a library's message",
}
_ADDED = frozenset({"event", "level", "timestamp"})


class WordingError(AssertionError):
    """A log line used a name or a value that may not be logged. Raised only when telemetry is strict."""


# --- metrics --------------------------------------------------------------------------------------------


class Metrics:
    """Everything that is counted, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.archived = self._counter("messages_archived", "Messages archived.", "network")
        self.verdicts = self._counter("verdicts", "What the policy answered.", "outcome", "cause")
        self.deliveries = self._counter("deliveries", "Deliveries by result.", "network", "result")
        self.inspected = self._counter("files_inspected", "Attachments looked into.", "result", "scanned")
        self.late = self._counter("holds_late", "Holds that nobody decided in time.", "result")
        self.misworded = self._counter("log_values_dropped", "Log values that were not allowed through.")
        self.outbox_depth = self._gauge("outbox_depth", "Deliveries that wait or are under way.", "network")
        self.parked = self._gauge("outbox_parked", "Deliveries that wait for a person.", "network")
        self.held = self._gauge("held", "Messages that wait for a reviewer.")
        self.unjudged = self._gauge("unjudged", "Messages archived and not judged yet.")
        self.frozen = self._gauge("frozen", "1 while a person has stopped everything.")
        self.policy_refused = self._gauge(
            "policy_refused", "1 while the policy files as saved do not pass: the ones before decide."
        )
        self.policy_differs = self._gauge(
            "policy_differs", "1 while the policy files are not what was approved: they decide nothing."
        )
        self.policy_stale = self._gauge(
            "policy_lists_stale", "Lists that are older than their policy allows: all under it is held."
        )
        self.checkpoint_age = self._gauge(
            "checkpoint_age_seconds",
            "Seconds since all of the ledger was in a checkpoint, and that in every folder of them.",
        )
        self.witness_lag = self._gauge(
            "witness_lag_seconds", "Seconds for which a place has lacked the newest checkpoint.", "anchor"
        )
        self.witness_late = self._gauge(
            "witness_late", "1 while a place has lacked checkpoints for too long.", "anchor"
        )
        self.search_behind = self._gauge(
            "search_behind", "Ledger entries that the search index has not followed yet."
        )
        self.copies_wanted = self._gauge(
            "copies_wanted", "Copies that an archive outside has not acknowledged yet.", "destination"
        )
        self.copies_parked = self._gauge(
            "copies_parked", "Copies that an archive outside refused: for a person.", "destination"
        )
        self.copies_lag = self._gauge(
            "copies_lag_seconds", "Seconds for which an archive outside has lacked a copy.", "destination"
        )
        self._watch_completeness()
        self.lease = self._gauge("lease", "1 while this process holds the lane.", "lane")
        self.signed_in = self._gauge("signed_in", "1 while the network accepts our credentials.", "network")
        self.latency = Histogram(
            "weighbridge_delivery_seconds",
            "From archived to accepted by the other network.",
            ["network"],
            registry=self.registry,
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60, 300, 3600),
        )

    def _watch_completeness(self) -> None:
        """Whether networks are read, and what of certificates stands."""
        self.capture_lag = self._gauge(
            "capture_lag_seconds", "Seconds for which a network has not been read to its end.", "network"
        )
        self.capture_paused = self._gauge(
            "capture_paused", "1 while nothing is passed on because a network is not read."
        )
        self.uncertified = self._gauge("day_uncertified", "1 while a day that has ended is not certified.")
        self.differences = self._gauge(
            "certificate_differences",
            "Items that certificates name as missing, altered or surplus, and nobody has settled.",
        )
        self.alerts = self._gauge(
            "certificate_alerts",
            "What those of the last week name as unusual, lost canaries among it, and nobody has settled.",
        )

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(f"weighbridge_{name}", help_text, labels, registry=self.registry)

    def _gauge(self, name: str, help_text: str, *labels: str) -> Gauge:
        return Gauge(f"weighbridge_{name}", help_text, labels, registry=self.registry)

    def render(self) -> bytes:
        """All metrics in Prometheus' text format 0.0.4."""
        return generate_latest(self.registry)


metrics = Metrics()


def render() -> bytes:
    """All metrics of this process in Prometheus' text format 0.0.4."""
    return metrics.render()


# --- log lines ------------------------------------------------------------------------------------------


class Vocabulary:
    """The processor that every line passes: what is not in the vocabulary does not get through."""

    def __init__(self, counts: Metrics, *, strict: bool) -> None:
        self.counts = counts
        self.strict = strict

    def __call__(
        self, _logger: Any, _method: str, line: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """The line with only what is allowed; raises WordingError when strict."""
        if not EVENT.fullmatch(str(line.get("event", ""))):
            self._refuse("an event is `noun:verb`")
            line["event"] = "line:misworded"
        for key in [key for key in line if key not in _ADDED and not _allowed(key, line[key])]:
            self._refuse(
                f"key {key!r} is not in telemetry.KEYS, or its value is no id, digest, number or code"
            )
            del line[key]
        return line

    def _refuse(self, why: str) -> None:
        if self.strict:
            raise WordingError(why)
        self.counts.misworded.inc()


def _allowed(key: str, value: Any) -> bool:
    if key not in KEYS:
        return False
    return (
        value is None
        or isinstance(value, int | float)
        or (isinstance(value, str) and bool(CODE.fullmatch(value)))
    )


class LibraryHandler(logging.Handler):
    """Lines of libraries: their words may hold anything, so only where they were written comes through."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line that names the library, the place and the exception's class."""
        error = record.exc_info[1] if record.exc_info else None
        code = type(error).__name__ if error else None
        where = place(error) if error else f"{record.module}:{record.lineno}"
        log().log(record.levelno, "library:said", logger=record.name, where=where, code=code)


def place(error: BaseException) -> str:
    """Where `error` was raised, as "module:line": what may be logged of an exception beside its class."""
    frames = error.__traceback__
    while frames is not None and frames.tb_next is not None:
        frames = frames.tb_next
    if frames is None:
        return "nowhere"
    return f"{frames.tb_frame.f_globals.get('__name__', 'unknown')}:{frames.tb_lineno}"


def configure(
    *, level: str = "info", form: str = "json", strict: bool = False, to: TextIO | None = None
) -> None:
    """Send all log lines, ours and those of libraries, to `to` (standard error) as JSON lines or for people.

    `strict` turns a misworded line into a WordingError: for tests.
    """
    colours = form == "console" and (to or sys.stderr).isatty()
    last = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=colours)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            Vocabulary(metrics, strict=strict),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(to or sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[LibraryHandler()], level=max(logging.WARNING, _number(level)), force=True)
    logging.captureWarnings(True)


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


def log() -> structlog.typing.FilteringBoundLogger:
    """The logger: `log().info("delivery:sent", permit=permit.id, ms=12)`."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


# --- systemd --------------------------------------------------------------------------------------------


def sd_notify(*lines: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell systemd: "READY=1", "STATUS=...", "WATCHDOG=1", "STOPPING=1". False where nobody listens.

    Protocol: sd_notify(3), one datagram of lines to the socket that NOTIFY_SOCKET names ("@": abstract).
    """
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door:
        try:
            door.sendto("\n".join(lines).encode(), address)
        except OSError:  # systemd is being restarted: the next word will reach it
            return False
    return True


def watchdog_seconds(environ: Mapping[str, str] = os.environ) -> float | None:
    """How often "WATCHDOG=1" is due, in seconds: half of what systemd waits. None where nobody watches."""
    waits = environ.get("WATCHDOG_USEC", "")
    owner = environ.get("WATCHDOG_PID", str(os.getpid()))
    return int(waits) / 2e6 if waits.isdigit() and int(waits) and owner == str(os.getpid()) else None
