"""Fault switches of the mock platform: one table of names, and the switchboard that arms them.

Rules of this file: every name in `FAULTS` says what it does and how the real platform shows the same; every
name is demonstrated by a test at the mock's own level. A switch is armed for a number of uses (default 1),
for ever, or by probability, and for some or for all routes. With nothing armed the cost is one attribute
look-up per call.

`phase` says who asks for the switch: `gate` before an API call is worked, `reply` after it was worked,
`send`, `sync`, `media`, `say`, `enter` and `callback` inside that work.
"""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.weixin.mock import codes

GETTOKEN = ("gettoken",)
SEND = ("kf/send_msg",)
SYNC = ("kf/sync_msg",)
GET_MEDIA = ("media/get",)


@dataclass(frozen=True)
class Fault:
    """One line of the table.

    `routes` empty means every route; `defaults` are parameters an arming may override. Routes
    in `spares` are never hit: gettoken takes no token that could be wrong.
    """

    does: str
    shows: str
    phase: str
    routes: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    spares: tuple[str, ...] = ()


def _refusal(
    errcode: int, does: str, shows: str, routes: tuple[str, ...] = (), spares: tuple[str, ...] = ()
) -> Fault:
    return Fault(does, shows, "gate", routes, {"errcode": errcode}, spares)


FAULTS: dict[str, Fault] = {
    # any route: refusals
    "errcode": _refusal(codes.BUSY, "answers the errcode of your choice", "any code of page 90313"),
    "busy": _refusal(codes.BUSY, "answers -1, nothing is worked", "system busy; a retry is allowed"),
    "concurrent_change": _refusal(
        codes.CONCURRENT_CHANGE, "answers 6000", "two callers changed the same data"
    ),
    "frequency_limit": _refusal(codes.FREQUENCY_LIMIT, "answers 45009", "too many calls in a minute or hour"),
    "concurrency_limit": _refusal(
        codes.CONCURRENCY_LIMIT, "answers 45033", "too many calls at the same time"
    ),
    "token_invalid": _refusal(
        codes.TOKEN_INVALID,
        "answers 40014 though the token is good; arm with count 1 or for ever",
        "the platform replaced the token early",
        spares=GETTOKEN,
    ),
    "token_expired": Fault(
        "ends the token's life and answers 42001",
        "a token may die before its 7200 s",
        "gate",
        (),
        {"errcode": codes.TOKEN_EXPIRED},
        GETTOKEN,
    ),
    "secret_refused": _refusal(
        codes.SECRET_WRONG, "gettoken answers 40001", "secret was reset in the console", GETTOKEN
    ),
    "address_untrusted": _refusal(
        codes.ADDRESS_UNTRUSTED, "answers 60020", "caller is not on the trusted IP list"
    ),
    "api_switched_off": _refusal(
        codes.API_SWITCHED_OFF, "answers 95017", "account was taken out of API management", spares=GETTOKEN
    ),
    # any route: transport
    "http_5xx": Fault("answers an HTTP error page", "gateway trouble", "gate", (), {"status": 502}),
    "slow": Fault("waits before working the call", "an overloaded platform", "gate", (), {"seconds": 1.0}),
    "drop_before": Fault("closes the connection, call not worked", "network cut on the way there", "gate"),
    "drop_after": Fault(
        "works the call, then closes the connection without a reply", "network cut on the way back", "reply"
    ),
    "reply_garbage": Fault(
        "works the call, replies HTML with status 200", "a proxy's page in between", "reply"
    ),
    "reply_text_plain": Fault("replies JSON labelled text/plain", "older gateways label JSON so", "reply"),
    # kf/send_msg
    "quota_used": _refusal(
        codes.QUOTA_USED, "send answers 95001", "5 messages since the customer wrote", SEND
    ),
    "window_closed": _refusal(
        codes.WINDOW_CLOSED, "send answers 95002", "48 h since the customer wrote", SEND
    ),
    "session_ended": _refusal(codes.SESSION_ENDED, "send answers 95013", "someone ended the session", SEND),
    "type_banned": _refusal(
        codes.TYPE_BANNED, "send answers 95030", "message type banned for this corp", SEND
    ),
    "no_consultation": _refusal(
        codes.NO_CONSULTATION, "send answers 95032", "no consultation within 48 h", SEND
    ),
    "corp_unverified": _refusal(
        codes.CORP_UNVERIFIED, "send answers 95003", "cap of an unverified corp", SEND
    ),
    "state_forbids": Fault(
        "a servicer takes the session (state 3), send answers 95018 until it is moved to 1",
        "an employee answered in the WeCom client",
        "send",
        SEND,
        {"servicer": "bob.li"},
    ),
    "duplicate_msgid": Fault(
        "accepts the message, answers as if its msgid had been used before",
        "the first try arrived although its reply was lost",
        "send",
        SEND,
    ),
    "msg_send_fail": Fault(
        "answers 0, then reports msg_send_fail", "accepted is not delivered", "send", SEND, {"fail_type": 10}
    ),
    # kf/sync_msg
    "sync_empty_page": Fault(
        "has_more 1 with an empty list, cursor unmoved", "documented behaviour", "sync", SYNC
    ),
    "sync_short_page": Fault(
        "at most `limit` messages and has_more 1", "pages may be short", "sync", SYNC, {"limit": 1}
    ),
    "sync_bad_token": Fault("answers 95007", "callback token older than 10 minutes", "sync", SYNC),
    "sync_gap": Fault(
        "forgets the messages after the cursor, up to `drop`",
        "reader was away for over 3 days",
        "sync",
        SYNC,
        {"drop": 1},
    ),
    "sync_repeat": Fault(
        "yields up to `back` messages again", "at-least-once delivery", "sync", SYNC, {"back": 1}
    ),
    "sync_strict_account": Fault(
        "answers 40058 when open_kfid is absent", "newer documents require it", "sync", SYNC
    ),
    "sync_tokenless_limit": Fault(
        "answers 45009 when no token is given", "strict limit without a callback token", "sync", SYNC
    ),
    # media
    "media_gone": Fault(
        "answers JSON 40007 with HTTP 200 instead of bytes", "media older than 3 days", "media", GET_MEDIA
    ),
    "media_json_octets": Fault(
        "answers JSON -1 labelled application/octet-stream", "an error dressed as a file", "media", GET_MEDIA
    ),
    "media_truncated": Fault(
        "sends half of the bytes, then closes", "network cut in a download", "media", GET_MEDIA
    ),
    "media_unnamed": Fault(
        "sends no Content-disposition", "voice and images come without a name", "media", GET_MEDIA
    ),
    "media_oversize": Fault(
        "the customer's next media arrives as a text notice", "media above the size limit", "say"
    ),
    # enter_session
    "enter_scene_unknown": Fault(
        "replaces scene_param by one nobody issued",
        "a link was edited",
        "enter",
        (),
        {"scene_param": "unknown"},
    ),
    "enter_scene_reused": Fault("repeats the scene_param of the last entry", "a link was forwarded", "enter"),
    "enter_lost": Fault(
        "no enter_session; the context shows in customer/batchget only", "event was missed", "enter"
    ),
    "enter_twice": Fault("the event is reported twice", "the customer opened the chat twice", "enter"),
    "welcome_code_absent": Fault(
        "the event carries no welcome_code", "customer was welcomed in the last 48 h", "enter"
    ),
    "welcome_code_expired": Fault(
        "the welcome_code is already past its 20 s", "bridge was too slow", "enter"
    ),
    # callbacks
    "callback_duplicate": Fault(
        "posts the notice twice, each with its own envelope", "platform retries", "callback"
    ),
    "callback_reorder": Fault(
        "holds the notice until the next one was posted", "notices overtake each other", "callback"
    ),
    "callback_forged": Fault(
        "posts a copy with a wrong signature first", "someone else knows the URL", "callback"
    ),
    "callback_replay": Fault(
        "posts the same bytes and signature again", "a recorded callback is replayed", "callback"
    ),
    "callback_late_ack": Fault(
        "ignores the acknowledgement once, so the notice is retried", "ack arrived after 5 s", "callback"
    ),
    "callback_lost": Fault("the notice is never posted", "three retries failed", "callback"),
    "callback_delayed": Fault(
        "the notice is posted late", "platform queue", "callback", (), {"seconds": 0.2}
    ),
    "callback_wrong_receiver": Fault(
        "posts a copy sealed for another corpid first",
        "key shared by two corps",
        "callback",
        (),
        {"receiveid": "ww0000000000000000"},
    ),
    "callback_garbage": Fault("posts a body that is no XML first", "a scanner hits the URL", "callback"),
    "callback_token_expired": Fault("the notice's Token is past its 10 minutes", "a late notice", "callback"),
}


@dataclass
class Armed:
    """A switch that is on. `count` uses are left (None: for ever); each use happens with `probability`."""

    name: str
    routes: tuple[str, ...]
    count: int | None
    probability: float
    params: dict[str, Any]

    def fits(self, route: str) -> bool:
        """Whether this switch concerns `route`."""
        if route in FAULTS[self.name].spares:
            return False
        return not self.routes or route in self.routes


class Switchboard:
    """The armed switches, in the order they were armed, and how often each has fired."""

    def __init__(self, seed: int | None = None) -> None:
        self.armed: list[Armed] = []
        self.fired: Counter[str] = Counter()
        self._dice = random.Random(seed)

    def arm(
        self,
        name: str,
        *,
        route: str | None = None,
        count: int | None = 1,
        probability: float = 1.0,
        **params: Any,
    ) -> Armed:
        """Switch `name` on. Raises KeyError for an unknown name, TypeError for an unknown parameter."""
        fault = FAULTS[name]
        unknown = set(params) - set(fault.defaults)
        if unknown:
            raise TypeError(f"{name} has no parameter {', '.join(sorted(unknown))}")
        routes = (route,) if route else fault.routes
        armed = Armed(name, routes, count, probability, {**fault.defaults, **params})
        self.armed.append(armed)
        return armed

    def clear(self, name: str | None = None) -> None:
        """Switch `name`, or everything, off."""
        self.armed = [armed for armed in self.armed if name is not None and armed.name != name]

    def take(self, name: str, route: str = "") -> dict[str, Any] | None:
        """Use `name` once if it is on for `route`: its parameters, or None."""
        for armed in self.armed:
            if armed.name == name and armed.fits(route):
                return self._use(armed)
        return None

    def fires(self, name: str, route: str = "") -> bool:
        """Use `name` once if it is on for `route`: whether it was."""
        return self.take(name, route) is not None

    def take_phase(self, phase: str, route: str) -> list[tuple[str, dict[str, Any]]]:
        """Use every switch of `phase` that is on for `route`, in the order they were armed."""
        used = []
        for armed in list(self.armed):
            if FAULTS[armed.name].phase == phase and armed.fits(route):
                params = self._use(armed)
                if params is not None:
                    used.append((armed.name, params))
        return used

    def _use(self, armed: Armed) -> dict[str, Any] | None:
        if armed.probability < 1.0 and self._dice.random() >= armed.probability:
            return None
        if armed.count is not None:
            armed.count -= 1
            if armed.count <= 0:
                self.armed.remove(armed)
        self.fired[armed.name] += 1
        return armed.params
