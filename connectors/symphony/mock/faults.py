"""What can be made to go wrong at the mock pod: a table of switches, a book of those that are on.

A switch names an accident seen with real pods and agents. `FAULTS` is the whole list; a test enumerates it.
Nothing here does I/O: `FaultBook.take` only answers "does a fault fall on this call?", and the server carries
it out.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

ANY_ROUTE = "*"
READ = "datafeed.read"
DATAHOSE = "datahose.read"
ANSWER = "answer"
"""Switches of this kind replace or damage the HTTP answer of any route."""
DOMAIN = "domain"
"""Switches of this kind change what the pod does or says; only their own routes know them."""


class UnknownFault(ValueError):
    """A fault was asked for that the table does not have, or with a setting or route it does not take."""


@dataclass(frozen=True)
class Switch:
    """One accident: what it reproduces, where it can strike, and its settings with their defaults."""

    name: str
    kind: str
    promise: str
    routes: tuple[str, ...] = (ANY_ROUTE,)
    settings: dict[str, Any] = field(default_factory=dict)

    def takes_route(self, route: str) -> bool:
        """Whether this switch can strike on `route`."""
        return ANY_ROUTE in self.routes or route in self.routes or route == ANY_ROUTE


_SWITCHES = (
    Switch(
        "status",
        ANSWER,
        "an HTTP error, with Retry-After (seconds) if given; 400 with Retry-After is a hidden 429",
        settings={"status": 503, "retry_after": None, "body": None},
    ),
    Switch("drop", ANSWER, "the connection is cut without an answer"),
    Switch("delay", ANSWER, "the answer comes `seconds` of real time late", settings={"seconds": 1.0}),
    Switch("timeout", ANSWER, "no answer ever comes; the connection stays open until the client gives up"),
    Switch("truncate", ANSWER, "the answer announces its whole length and stops half-way"),
    Switch("html", ANSWER, "a balancer in front answers with an HTML page", settings={"status": 502}),
    Switch(
        "slow_poll",
        DOMAIN,
        "a long poll without news lasts `seconds` instead of the usual time",
        (READ, DATAHOSE),
        {"seconds": 300.0},
    ),
    Switch(
        "duplicate_delivery",
        DOMAIN,
        "a batch comes a second time although its acknowledgement arrived",
        (READ, DATAHOSE),
    ),
    Switch("out_of_order", DOMAIN, "the events of a batch come in reverse order", (READ, DATAHOSE)),
    Switch("same_event_id", DOMAIN, "different events of a batch carry one event id", (READ, DATAHOSE)),
    Switch("attachment_without_images", DOMAIN, "attachments lack the required `images`", (READ, DATAHOSE)),
    Switch("user_id_as_string", DOMAIN, "user ids of an event are strings", (READ, DATAHOSE)),
    Switch("null_event", DOMAIN, "the batch also holds a null", (READ, DATAHOSE)),
    Switch("empty_payload", DOMAIN, "events come without their payload's content", (READ, DATAHOSE)),
    Switch(
        "unknown_event_type",
        DOMAIN,
        "the batch also holds an event of a type nobody has documented",
        (READ, DATAHOSE),
    ),
    Switch("no_initiator", DOMAIN, "events come without an initiator", (READ, DATAHOSE)),
    Switch("feed_expired", DOMAIN, "the feed being read is gone with all it queued: 400", (READ,)),
    Switch(
        "feed_vanished",
        DOMAIN,
        "every feed of the account is gone, as after a pod upgrade",
        (READ, "datafeed.list"),
    ),
    Switch("feed_cap", DOMAIN, "creating a feed is refused as one too many: 403", ("datafeed.create",)),
    Switch(
        "create_feed_status",
        DOMAIN,
        "creating a feed answers 200 instead of 201",
        ("datafeed.create",),
        {"status": 200},
    ),
    Switch(
        "delete_feed_status",
        DOMAIN,
        "deleting a feed answers the specified 204 (or 400)",
        ("datafeed.delete",),
        {"status": 204},
    ),
    Switch("session_expired", DOMAIN, "the caller's session ends at this call: 401"),
    Switch("key_manager_expired", DOMAIN, "the caller's key manager token ends at this call: 401"),
    Switch(
        "login_refused",
        DOMAIN,
        "a login is refused although everything is right: 401",
        ("login.session", "login.keymanager", "login.app", "login.obo"),
    ),
    Switch(
        "key_revoked",
        DOMAIN,
        "the account's key is revoked: sessions end now and logins are refused until restored",
    ),
    Switch(
        "other_json_types",
        DOMAIN,
        "message status and audit trail show numbers where the contract says strings",
        ("message.status", "audittrail.list"),
    ),
    Switch("health_down", DOMAIN, "the extended health check answers 503 with a body", ("health.extended",)),
)

FAULTS: dict[str, Switch] = {switch.name: switch for switch in _SWITCHES}
"""Every switch by its name. `FaultBook.add` accepts exactly these."""


@dataclass
class Fault:
    """A switch that is on: where, how often, and with which settings."""

    number: int
    name: str
    route: str
    times: int | None
    probability: float
    after: bool
    settings: dict[str, Any]
    struck: int = 0

    def as_json(self) -> dict[str, Any]:
        """The fault as the control interface shows it."""
        return {**self.__dict__}


class FaultBook:
    """The switches that are on, in the order they were set.

    `after=True` lets the call take effect first and then spoils the answer: the accepted send whose reply is
    lost.
    """

    def __init__(self, seed: int = 0) -> None:
        self._faults: list[Fault] = []
        self._chance = random.Random(seed)
        self._number = 0

    def __bool__(self) -> bool:
        return bool(self._faults)

    def __iter__(self) -> Iterator[Fault]:
        return iter(tuple(self._faults))

    def add(
        self,
        name: str = "status",
        *,
        route: str = ANY_ROUTE,
        times: int | None = 1,
        probability: float = 1.0,
        after: bool = False,
        **settings: Any,
    ) -> Fault:
        """Turn a switch on for the next `times` strikes on `route` (None: until cleared).

        `probability` is the chance of a strike per call. Raises UnknownFault for a name, route or setting
        that `FAULTS` does not have.
        """
        switch = _checked(name, route, settings)
        if after and switch.kind != ANSWER:
            raise UnknownFault(f"fault {name!r} cannot be set with after=True; only {_names(ANSWER)} can")
        self._number += 1
        fault = Fault(self._number, name, route, times, probability, after, {**switch.settings, **settings})
        self._faults.append(fault)
        return fault

    def clear(self, number: int | None = None) -> None:
        """Turn one fault off, or all of them."""
        self._faults = [fault for fault in self._faults if number is not None and fault.number != number]

    def take_answer(self, route: str, *, after: bool) -> Fault | None:
        """The answer fault that falls on this call now, if any; it is counted as struck."""
        for fault in self._faults:
            if fault.after is after and FAULTS[fault.name].kind == ANSWER and self._strikes(fault, route):
                return fault
        return None

    def take(self, name: str, route: str) -> Fault | None:
        """The fault called `name` if it falls on this call of `route`; it is counted as struck."""
        for fault in self._faults:
            if fault.name == name and self._strikes(fault, route):
                return fault
        return None

    def _strikes(self, fault: Fault, route: str) -> bool:
        if fault.route not in (route, ANY_ROUTE) or self._chance.random() >= fault.probability:
            return False
        fault.struck += 1
        if fault.times is not None and fault.struck >= fault.times:
            self._faults.remove(fault)
        return True


def _checked(name: str, route: str, settings: dict[str, Any]) -> Switch:
    switch = FAULTS.get(name)
    if switch is None:
        raise UnknownFault(f"no fault is called {name!r}; there are {', '.join(sorted(FAULTS))}")
    if not switch.takes_route(route):
        raise UnknownFault(f"fault {name!r} cannot strike on {route!r}, only on {', '.join(switch.routes)}")
    strange = set(settings) - set(switch.settings)
    if strange:
        raise UnknownFault(f"fault {name!r} has no setting {', '.join(sorted(strange))}")
    return switch


def _names(kind: str) -> str:
    return ", ".join(name for name, switch in FAULTS.items() if switch.kind == kind)
