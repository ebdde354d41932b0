"""The platform's state and its rules: who wrote what, what may be sent, what `sync_msg` yields.

Rules of this file: no network and no tasks; time comes from the virtual clock, faults from the switchboard.
Whatever changes a chat window calls `changed` or `session_changed`, whatever a reader of `sync_msg` should
learn calls `ring(account)`. Sources: WeCom documentation pages 94670 (receiving) and 94677 (sending), and its
pages on session states and on sending at an event.
"""

import re
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from connectors.weixin.mock import codes, outbound
from connectors.weixin.mock.clock import VirtualClock
from connectors.weixin.mock.codes import ApiError
from connectors.weixin.mock.faults import Switchboard
from connectors.weixin.mock.media import INBOUND_BYTES, MediaStore
from connectors.weixin.mock.records import (
    CODE_LIFE,
    DAY,
    MSG_TOKEN_LIFE,
    WINDOW,
    Account,
    Code,
    Customer,
    Line,
    LogEntry,
    Session,
    State,
)

RETENTION = 3 * DAY
PAGE = 1000
CUSTOMER, SYSTEM, SERVICER = 3, 4, 5

# From the vendor's overview of session states: what each may become. A session the API takes back from
# a servicer goes to the assistant; an ended one waits for the customer.
LEGAL_CHANGES: dict[State, frozenset[State]] = {
    State.UNTREATED: frozenset({State.ASSISTANT, State.POOL, State.SERVICER, State.ENDED}),
    State.ASSISTANT: frozenset({State.POOL, State.SERVICER, State.ENDED}),
    State.POOL: frozenset({State.ASSISTANT, State.SERVICER, State.ENDED}),
    State.SERVICER: frozenset({State.ASSISTANT, State.POOL, State.SERVICER, State.ENDED}),
    State.ENDED: frozenset(),
}

_SCENE = re.compile(r"[0-9a-zA-Z_-]{0,32}\Z")
_SCENE_PARAM_BYTES = 128
_OVERSIZE = "[{kind}超过大小限制，请在手机微信中查看]"
_KIND_NAME = {"image": "图片", "voice": "语音", "video": "视频", "file": "文件"}


@dataclass
class Rules:
    """What a deployment of the mock may set: what the vendor does not state, or a bench must lift."""

    quota: int | None = 5
    duplicate_errcode: int = codes.PARAMETER_WRONG
    account_limit: int = 5000
    strict_account: bool = False
    oversize: dict[str, int] = field(default_factory=lambda: dict(INBOUND_BYTES))


class World:
    """Every corp's accounts, customers and sessions. Methods raise ApiError exactly as the API answers."""

    def __init__(self, clock: VirtualClock, faults: Switchboard, media: MediaStore, rules: Rules) -> None:
        self.clock = clock
        self.faults = faults
        self.media = media
        self.rules = rules
        self.accounts: dict[str, Account] = {}
        self.customers: dict[str, Customer] = {}
        self.sessions: dict[tuple[str, str], Session] = {}
        self.lines: list[Line] = []
        self.links: dict[str, tuple[str, str]] = {}
        self.changed: Callable[[Line], None] = lambda line: None
        self.session_changed: Callable[[Session], None] = lambda session: None
        self.ring: Callable[[Account], None] = lambda account: None
        self._by_msgid: dict[str, Line] = {}
        self._logs: dict[str, list[LogEntry]] = {}
        self._codes: dict[str, Code] = {}
        self._msg_tokens: dict[str, float] = {}
        self._last_scene_param = ""
        self._seq = 0
        self._id_stem = secrets.token_hex(8)
        self._id_count = 0

    # --- who there is

    def add_account(self, corpid: str, name: str, avatar: str = "") -> Account:
        """A new customer service account.

        Raises ApiError 95006 without a name, 95005 when there are too many.
        """
        if not name:
            raise ApiError(codes.ACCOUNT_NAME)
        if len(self.accounts_of(corpid)) >= self.rules.account_limit:
            raise ApiError(codes.ACCOUNT_COUNT)
        account = Account(f"wk{secrets.token_urlsafe(22)}", corpid, name, avatar)
        self.accounts[account.open_kfid] = account
        return account

    def accounts_of(self, corpid: str) -> list[Account]:
        """The accounts of one corp, oldest first."""
        return [account for account in self.accounts.values() if account.corpid == corpid]

    def account(self, open_kfid: Any, corpid: str | None = None) -> Account:
        """One account. Raises ApiError 95000 when it does not exist (in this corp)."""
        account = self.accounts.get(open_kfid) if isinstance(open_kfid, str) else None
        if account is None or (corpid is not None and account.corpid != corpid):
            raise ApiError(codes.ACCOUNT_UNKNOWN, "open_kfid")
        return account

    def remove_account(self, account: Account) -> None:
        """Delete an account; its chats and what it logged stay as they are."""
        del self.accounts[account.open_kfid]

    def add_customer(self, nickname: str, **details: Any) -> Customer:
        """A new Weixin user. `details`: avatar, gender (0 unknown, 1, 2), unionid."""
        customer = Customer(f"wm{secrets.token_urlsafe(22)}", nickname, **details)
        self.customers[customer.external_userid] = customer
        return customer

    def customer(self, external_userid: Any) -> Customer:
        """One customer. Raises ApiError 40096."""
        customer = self.customers.get(external_userid) if isinstance(external_userid, str) else None
        if customer is None:
            raise ApiError(codes.CUSTOMER_MALFORMED, "external_userid")
        return customer

    def contact_link(self, account: Account, scene: str) -> str:
        """Path and query of a link that opens this account's chat. Raises ApiError 40058 for a bad scene."""
        if not _SCENE.match(scene):
            raise ApiError(codes.PARAMETER_WRONG, "scene: at most 32 bytes of [0-9a-zA-Z_-]")
        enc_scene = f"ENC{secrets.token_urlsafe(24)}"
        self.links[enc_scene] = (account.open_kfid, scene)
        return f"/kfid/kfc{account.open_kfid[2:18]}?enc_scene={enc_scene}"

    def link_opened(self, enc_scene: str, scene_param: str, customer: Customer) -> Account:
        """The customer follows a contact link. Raises KeyError for a link that was not issued."""
        open_kfid, scene = self.links[enc_scene]
        account = self.accounts[open_kfid]
        self.enter(account, customer, scene, scene_param)
        return account

    def session(self, account: Account, customer: Customer) -> Session:
        """Their session; a fresh one is in state 4 (not begun)."""
        key = (account.open_kfid, customer.external_userid)
        session = self.sessions.get(key)
        if session is None:
            session = self.sessions[key] = Session(*key)
        return session

    def line(self, msgid: str) -> Line:
        """A chat line by msgid. Raises KeyError."""
        return self._by_msgid[msgid]

    # --- what customers and servicers do

    def customer_says(
        self, account: Account, customer: Customer, msgtype: str, content: dict[str, Any]
    ) -> Line:
        """A customer's message: opens window and quota, wakes an ended session, is logged and rung."""
        session = self.session(account, customer)
        now = self.clock.now()
        if session.state is State.ENDED or not session.open_at(now):
            session.state, session.servicer_userid = State.UNTREATED, ""
        session.wrote_at, session.sent_since = now, 0
        msgtype, content = self._weighed(msgtype, content)
        line = self._show(session, self._new_id(), "customer", msgtype, content)
        self._log(account, self._said(line, CUSTOMER))
        return line

    def servicer_says(
        self, account: Account, customer: Customer, userid: str, msgtype: str, content: dict[str, Any]
    ) -> Line:
        """An employee answers in the WeCom client: the session becomes his (state 3), origin is 5."""
        session = self.session(account, customer)
        session.state, session.servicer_userid = State.SERVICER, userid
        line = self._show(session, self._new_id(), "servicer", msgtype, content, userid)
        self._log(account, {**self._said(line, SERVICER), "servicer_userid": userid})
        return line

    def recall(self, msgid: str) -> None:
        """A customer or a servicer takes back his message.

        Raises KeyError, or ValueError for the bridge's own.
        """
        line = self._by_msgid[msgid]
        if line.side not in ("customer", "servicer"):
            raise ValueError("only a customer's or a servicer's message can be recalled")
        line.state = "recalled"
        self.changed(line)
        event = {"event_type": "user_recall_msg", "recall_msgid": msgid}
        if line.side == "servicer":
            event = {**event, "event_type": "servicer_recall_msg", "servicer_userid": line.servicer_userid}
        self._log_event(line.open_kfid, line.external_userid, event)

    def enter(self, account: Account, customer: Customer, scene: str = "", scene_param: str = "") -> str:
        """The customer opens the chat (by a link): logs enter_session; returns the welcome_code or ''.

        Raises ValueError for a scene_param over 128 bytes, which the platform would not take from a link.
        """
        if len(scene_param.encode()) > _SCENE_PARAM_BYTES:
            raise ValueError(f"scene_param is over {_SCENE_PARAM_BYTES} bytes")
        params = self.faults.take("enter_scene_unknown")
        if params:
            scene_param = params["scene_param"]
        if self.faults.fires("enter_scene_reused"):
            scene_param = self._last_scene_param
        self._last_scene_param = scene_param
        customer.context = {"scene": scene, "scene_param": scene_param}
        customer.entered_at = self.clock.now()
        code = self._welcome_code(self.session(account, customer))
        event = {"event_type": "enter_session", "scene": scene, "scene_param": scene_param}
        if code:
            event["welcome_code"] = code
        for _ in range(self._times_entered()):
            self._log_event(account.open_kfid, customer.external_userid, event)
        return code

    def fail_delivery(self, msgid: str, fail_type: int) -> None:
        """A message that was accepted is not delivered after all: msg_send_fail. Raises KeyError."""
        line = self._by_msgid[msgid]
        line.state, line.fail_type = "failed", fail_type
        self.changed(line)
        event = {"event_type": "msg_send_fail", "fail_msgid": msgid, "fail_type": fail_type}
        self._log_event(line.open_kfid, line.external_userid, event)

    def set_rejected(self, account: Account, customer: Customer, servicer: str, rejected: bool) -> None:
        """A servicer starts or stops refusing this customer: reject_customer_msg_switch_change."""
        event = {
            "event_type": "reject_customer_msg_switch_change",
            "servicer_userid": servicer,
            "reject_switch": int(rejected),
        }
        self._log_event(account.open_kfid, customer.external_userid, event)

    def servicer_changes(
        self, account: Account, customer: Customer, state: State, servicer: str = "", change_type: int = 1
    ) -> str:
        """An employee takes (1), hands on (2), ends (3) or re-opens (4) a session: a msg_code or ''."""
        session = self.session(account, customer)
        event = {"event_type": "session_status_change", "change_type": change_type}
        if change_type != 1:
            event["old_servicer_userid"] = session.servicer_userid
        if change_type != 3:
            event["new_servicer_userid"] = servicer
        session.state, session.servicer_userid = state, servicer
        self.session_changed(session)
        code = ""
        if change_type in (1, 3):
            code = event["msg_code"] = self._new_code(session, WINDOW if change_type == 1 else CODE_LIFE)
        self._log_event(account.open_kfid, customer.external_userid, event)
        return code

    def set_servicer_status(self, account: Account, servicer: str, stopped: bool) -> None:
        """A servicer starts or stops serving: servicer_status_change (1 serving, 2 stopped in events)."""
        account.servicers[servicer] = int(stopped)
        event = {
            "event_type": "servicer_status_change",
            "servicer_userid": servicer,
            "status": 1 + int(stopped),
        }
        if stopped:
            event["stop_type"] = 0
        self._log(account, self._event_payload({**event, "open_kfid": account.open_kfid}))

    # --- what the API does

    def send(self, account: Account, customer: Customer, body: dict[str, Any]) -> str:
        """`kf/send_msg`: returns the msgid of an accepted message. Raises ApiError."""
        msgid = outbound.check_msgid(body.get("msgid"))
        msgtype, content, media_id = outbound.check_payload(body)
        if media_id:
            self.media.find(media_id)
        if msgid in account.used_msgids:
            raise ApiError(self.rules.duplicate_errcode, "msgid was used before")
        session = self.session(account, customer)
        self._take_by_servicer(session)
        self._admit(session)
        session.state = State.ASSISTANT
        session.sent_since += 1
        return self._accept(account, session, msgid, msgtype, content)

    def send_on_event(self, corpid: str, body: dict[str, Any]) -> str:
        """`kf/send_msg_on_event`: one message for a welcome_code or msg_code, outside window and quota."""
        code = self._codes.get(str(body.get("code")))
        if code is None or code.expires < self.clock.now():
            raise ApiError(codes.PARAMETER_WRONG, "code is unknown, used or expired")
        account = self.account(code.session.open_kfid, corpid)
        msgid = outbound.check_msgid(body.get("msgid"))
        allowed = frozenset({"text", "msgmenu"} if code.welcome else {"text"})
        msgtype, content, _ = outbound.check_payload(body, allowed)
        if msgid in account.used_msgids:
            raise ApiError(self.rules.duplicate_errcode, "msgid was used before")
        del self._codes[body["code"]]
        if code.welcome:
            code.session.welcomed_at = self.clock.now()
        return self._accept(account, code.session, msgid, msgtype, content)

    def transfer(self, account: Account, customer: Customer, state: Any, servicer: str) -> str:
        """`service_state/trans`: returns the msg_code or ''. Raises ApiError 95014, 95016, 95019, 40058."""
        if state not in tuple(State):
            raise ApiError(codes.PARAMETER_WRONG, "service_state")
        session = self.session(account, customer)
        before, after = session.state, State(state)
        if after not in LEGAL_CHANGES[before]:
            raise ApiError(codes.STATE_CHANGE_ILLEGAL, f"from {before} to {after}")
        if after is State.SERVICER:
            self._check_servicer(account, servicer)
        session.state = after
        session.servicer_userid = servicer if after is State.SERVICER else ""
        self.session_changed(session)
        if after in (State.POOL, State.SERVICER) and before is not State.SERVICER:
            return self._new_code(session, WINDOW)
        return self._new_code(session, CODE_LIFE) if after is State.ENDED else ""

    def page(
        self, corpid: str, account: Account | None, cursor: str, limit: int
    ) -> tuple[list[dict[str, Any]], str, bool]:
        """`kf/sync_msg` without its faults: (messages, next cursor, whether there is more).

        Raises ApiError 40058.
        """
        log = account.log if account else self._logs.get(corpid, [])
        seq = _cursor_seq(cursor)
        start = max(
            bisect_right(log, seq, key=attrgetter("seq")),
            bisect_left(log, self.clock.now() - RETENTION, key=attrgetter("at")),
        )
        entries = log[start : start + limit]
        last = entries[-1].seq if entries else seq
        return [entry.payload for entry in entries], cursor_of(last), start + limit < len(log)

    def rewind(self, cursor: str, back: int) -> str:
        """A cursor `back` log entries earlier (later, when negative), never past either end of the log."""
        return cursor_of(min(max(0, _cursor_seq(cursor) - back), self._seq))

    def new_msg_token(self, expired: bool = False) -> str:
        """The Token of a callback, good for 10 minutes."""
        token = f"ENC{secrets.token_urlsafe(33)}"
        now = self.clock.now()
        if len(self._msg_tokens) > 10_000:
            self._msg_tokens = {old: end for old, end in self._msg_tokens.items() if end >= now}
        self._msg_tokens[token] = now - 1 if expired else now + MSG_TOKEN_LIFE
        return token

    def check_msg_token(self, token: str) -> None:
        """Raises ApiError 95007 for a token that was not issued or is past its 10 minutes."""
        if self._msg_tokens.get(token, 0.0) < self.clock.now():
            raise ApiError(codes.MSG_TOKEN_WRONG)

    # --- inside

    def _admit(self, session: Session) -> None:
        now = self.clock.now()
        if session.state in (State.POOL, State.SERVICER):
            raise ApiError(codes.STATE_FORBIDS, f"session state is {int(session.state)}")
        if not session.open_at(now):
            raise ApiError(codes.WINDOW_CLOSED, "over 48 hours")
        if session.state is State.ENDED:
            raise ApiError(codes.SESSION_ENDED)
        if self.rules.quota is not None and session.sent_since >= self.rules.quota:
            raise ApiError(codes.QUOTA_USED, f"{self.rules.quota} messages were sent")

    def _take_by_servicer(self, session: Session) -> None:
        params = self.faults.take("state_forbids", "kf/send_msg")
        if params:
            session.state, session.servicer_userid = State.SERVICER, params["servicer"]

    def _accept(
        self, account: Account, session: Session, msgid: str, msgtype: str, content: dict[str, Any]
    ) -> str:
        msgid = msgid or self._new_id()
        account.used_msgids.add(msgid)
        self._show(session, msgid, "bridge", msgtype, content)
        failure = self.faults.take("msg_send_fail", "kf/send_msg")
        if failure:
            self.fail_delivery(msgid, failure["fail_type"])
        if self.faults.fires("duplicate_msgid", "kf/send_msg"):
            raise ApiError(self.rules.duplicate_errcode, "msgid was used before")
        return msgid

    def _check_servicer(self, account: Account, servicer: str) -> None:
        status = account.servicers.get(servicer)
        if status is None:
            raise ApiError(codes.NOT_A_SERVICER, "servicer_userid")
        if status != 0:
            raise ApiError(codes.SERVICER_STOPPED, "servicer_userid")

    def _weighed(self, msgtype: str, content: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Media over the limit reaches readers as a text notice instead."""
        if msgtype not in _KIND_NAME:
            return msgtype, content
        limit = self.rules.oversize[msgtype]
        media_id = content.get("media_id", "")
        too_big = bool(media_id) and self.media.find(media_id).size > limit
        if too_big or self.faults.fires("media_oversize"):
            return "text", {"content": _OVERSIZE.format(kind=_KIND_NAME[msgtype])}
        return msgtype, content

    def _show(
        self,
        session: Session,
        msgid: str,
        side: str,
        msgtype: str,
        content: dict[str, Any],
        servicer: str = "",
    ) -> Line:
        line = Line(
            msgid, session.open_kfid, session.external_userid, side, msgtype, content,
            self.clock.now(), time.monotonic_ns(), servicer_userid=servicer,
        )  # fmt: skip
        session.lines.append(line)
        self.lines.append(line)
        self._by_msgid[msgid] = line
        self.changed(line)
        return line

    def _said(self, line: Line, origin: int) -> dict[str, Any]:
        return {
            "msgid": line.msgid,
            "open_kfid": line.open_kfid,
            "external_userid": line.external_userid,
            "send_time": int(line.at),
            "origin": origin,
            "msgtype": line.msgtype,
            line.msgtype: line.content,
        }

    def _log_event(self, open_kfid: str, external_userid: str, event: dict[str, Any]) -> None:
        account = self.accounts.get(open_kfid)
        if account is not None:
            whole = {**event, "open_kfid": open_kfid, "external_userid": external_userid}
            self._log(account, self._event_payload(whole))

    def _event_payload(self, event: dict[str, Any]) -> dict[str, Any]:
        """An event names account and customer inside `event` only."""
        return {
            "msgid": self._new_id(),
            "send_time": int(self.clock.now()),
            "origin": SYSTEM,
            "msgtype": "event",
            "event": event,
        }

    def _log(self, account: Account, payload: dict[str, Any]) -> None:
        self._seq += 1
        entry = LogEntry(self._seq, self.clock.now(), payload)
        account.log.append(entry)
        self._logs.setdefault(account.corpid, []).append(entry)
        self.ring(account)

    def _welcome_code(self, session: Session) -> str:
        now = self.clock.now()
        if self.faults.fires("welcome_code_absent"):
            return ""
        welcomed = session.welcomed_at is not None and now - session.welcomed_at <= WINDOW
        if welcomed or session.open_at(now):
            return ""
        life = -1.0 if self.faults.fires("welcome_code_expired") else CODE_LIFE
        return self._new_code(session, life, welcome=True)

    def _times_entered(self) -> int:
        if self.faults.fires("enter_lost"):
            return 0
        return 2 if self.faults.fires("enter_twice") else 1

    def _new_code(self, session: Session, life: float, welcome: bool = False) -> str:
        code = secrets.token_urlsafe(32)
        self._codes[code] = Code(session, self.clock.now() + life, welcome)
        return code

    def _new_id(self) -> str:
        self._id_count += 1
        return f"{self._id_stem}{self._id_count:016x}"


def cursor_of(seq: int) -> str:
    """The opaque text that stands for a position in the log."""
    return urlsafe_b64encode(b"cur" + seq.to_bytes(9, "big")).decode()


def _cursor_seq(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        raw = urlsafe_b64decode(cursor)
    except (Base64Error, ValueError):
        raw = b""
    if len(raw) != 12 or not raw.startswith(b"cur"):
        raise ApiError(codes.PARAMETER_WRONG, "cursor")
    return int.from_bytes(raw[3:], "big")
