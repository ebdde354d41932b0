"""The nouns of the mock platform: corp, account, customer, session, line, log entry, code.

Rules of this file: plain records without behaviour beyond one-line answers; times are seconds since 1970 on
the virtual clock, stamps are nanoseconds of CLOCK_MONOTONIC (comparable between processes of one machine).
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

HOUR = 3600.0
DAY = 86400.0
WINDOW = 48 * HOUR
MSG_TOKEN_LIFE = 600.0
CODE_LIFE = 20.0


class State(IntEnum):
    """Session states of 微信客服."""

    UNTREATED = 0
    ASSISTANT = 1
    POOL = 2
    SERVICER = 3
    ENDED = 4


@dataclass(slots=True)
class Line:
    """One bubble in the customer's chat window.

    `side` is customer, bridge (API), servicer, or notice (grey text).
    """

    msgid: str
    open_kfid: str
    external_userid: str
    side: str
    msgtype: str
    content: dict[str, Any]
    at: float
    stamp: int
    state: str = "sent"
    fail_type: int | None = None
    servicer_userid: str = ""

    @property
    def text(self) -> str:
        """Text of a text line, else an empty string."""
        return str(self.content.get("content", "")) if self.msgtype == "text" else ""

    @property
    def media_id(self) -> str:
        """Media id of an image, voice, video or file, else an empty string."""
        return str(self.content.get("media_id", ""))


class LogEntry(NamedTuple):
    """What `sync_msg` yields: position in the corp's log, when it was logged, and the JSON object."""

    seq: int
    at: float
    payload: dict[str, Any]


@dataclass(slots=True)
class Account:
    """A customer service account (客服帐号) of one corp."""

    open_kfid: str
    corpid: str
    name: str
    avatar: str = ""
    servicers: dict[str, int] = field(default_factory=dict)
    departments: list[int] = field(default_factory=list)
    log: list[LogEntry] = field(default_factory=list)
    used_msgids: set[str] = field(default_factory=set)
    notice_token: str = ""


@dataclass(slots=True)
class Customer:
    """A Weixin user as this corp sees him. `context` is the latest enter_session, for customer/batchget."""

    external_userid: str
    nickname: str
    avatar: str = ""
    gender: int = 0
    unionid: str = ""
    context: dict[str, Any] = field(default_factory=dict)
    entered_at: float = 0.0


@dataclass(slots=True)
class Session:
    """What account and customer have said to each other, and what the account may still say."""

    open_kfid: str
    external_userid: str
    state: State = State.ENDED
    servicer_userid: str = ""
    wrote_at: float | None = None
    sent_since: int = 0
    welcomed_at: float | None = None
    lines: list[Line] = field(default_factory=list)

    def open_at(self, now: float) -> bool:
        """Whether the customer wrote within the last 48 hours."""
        return self.wrote_at is not None and now - self.wrote_at <= WINDOW


@dataclass(slots=True)
class Code:
    """Right to send once on an occasion: a welcome_code (text or menu) or a msg_code (text)."""

    session: Session
    expires: float
    welcome: bool = False


@dataclass(slots=True, frozen=True)
class Recorded:
    """One API call as it came: what tests look at to see how a client behaved."""

    method: str
    route: str
    query: dict[str, str]
    body: bytes
    stamp: int
    errcode: int | None
