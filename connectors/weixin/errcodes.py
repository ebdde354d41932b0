"""What the platform's `errcode` means to us: one table, code by code, and what follows from each.

Rules of this file: data and two look-ups, no I/O. Callers branch on `errcode` alone, never on `errmsg`, as
the vendor asks. Source: WeCom developer documentation, page 90313 (global error codes) and the pages of the
微信客服 (kf) calls. A code that stands in no row is taken as a refusal: it is parked for a person, never
repeated and never swallowed.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class Action(enum.StrEnum):
    """What is done about a code. The client carries it out; this file only names it."""

    AGAIN = "again"  # the platform is busy: a few quick tries, then later
    RENEW = "renew"  # the access token is stale: renew it unless somebody did, then once more
    UPLOAD = "upload"  # the media id is stale: upload again, then once more
    TAKE_OVER = "take-over"  # the session belongs to somebody else: move it to the assistant, then once more
    PAUSE = "pause"  # too many calls: the whole API rests
    CROWDED = "crowded"  # too many calls at the same time: later
    NO_TOKEN = "no-token"  # the callback's token is stale: go on by cursor alone
    UNTIL_INBOUND = "until-inbound"  # possible again as soon as the customer writes
    REFUSE = "refuse"  # no, and no again
    SIGN_OUT = "sign-out"  # credentials or console settings: a person has to act


@dataclass(frozen=True, slots=True)
class Errcode:
    """One row. `word` is the stable code of `Refused`, `remedy` what a person does; both "" where unused."""

    code: int
    action: Action
    meaning: str
    word: str = ""
    remedy: str = ""


def _rows(action: Action, *rows: tuple[int, str] | tuple[int, str, str]) -> Iterable[Errcode]:
    for code, meaning, *rest in rows:
        extra = rest[0] if rest else ""
        remedy, word = (extra, "") if action is Action.SIGN_OUT else ("", extra)
        yield Errcode(code, action, meaning, word, remedy)


_TABLE: tuple[Errcode, ...] = (
    *_rows(
        Action.AGAIN,
        (-1, "the platform is busy"),
        (6000, "the data was changed by another call at the same time"),
    ),
    *_rows(
        Action.RENEW,
        (40001, "access token or secret not accepted"),
        (40014, "access token not valid"),
        (42001, "access token expired"),
    ),
    *_rows(Action.UPLOAD, (40007, "media id not valid or older than 3 days", "gone")),
    *_rows(Action.TAKE_OVER, (95018, "session state does not let the API send", "session")),
    *_rows(Action.PAUSE, (45009, "call frequency limit reached")),
    *_rows(Action.CROWDED, (45033, "too many calls at the same time")),
    *_rows(Action.NO_TOKEN, (95007, "callback token not valid or older than 10 minutes")),
    *_rows(
        Action.UNTIL_INBOUND,
        (95001, "5 messages were sent since the customer last wrote", "quota"),
        (95002, "48 hours have passed since the customer last wrote", "window"),
        (95013, "the session has ended", "window"),
        (95032, "the customer has not consulted within 48 hours", "window"),
    ),
    *_rows(
        Action.REFUSE,
        (40003, "user id not valid", "recipient"),
        (40096, "external user id not valid", "recipient"),
        (81013, "none of the recipients is valid", "recipient"),
        (40004, "media type not valid", "media"),
        (40005, "file type not valid", "media"),
        (40006, "file size not valid", "media"),
        (40008, "message type not valid", "type"),
        (40009, "picture size not valid", "media"),
        (40011, "video size not valid", "media"),
        (40058, "a parameter is not valid (length, count or empty)", "parameter"),
        (41001, "access token missing from the call", "parameter"),
        (41005, "media data missing from the upload", "media"),
        (41053, "the customer has not agreed to archiving", "consent"),
        (44002, "empty request body", "parameter"),
        (45001, "file too large", "too-large"),
        (45002, "text too long", "too-large"),
        (47001, "request body is not JSON", "parameter"),
        (95000, "open_kfid not valid", "account"),
        (95003, "unverified corp: its limit of customers is reached, verify the corp", "unverified"),
        (95004, "customer service account unknown", "account"),
        (95005, "too many customer service accounts", "account"),
        (95006, "name of the customer service account not valid", "account"),
        (95008, "more than 10 menu items", "parameter"),
        (95009, "menu item type not valid", "parameter"),
        (95014, "not a servicer of this account", "servicer"),
        (95016, "session state cannot be changed this way", "session"),
        (95019, "the servicer has stopped or is suspended", "servicer"),
        (95022, "location type not valid", "parameter"),
        (95030, "this message type is banned for the corp", "banned"),
    ),
    *_rows(
        Action.SIGN_OUT,
        (40013, "corpid not valid", "Check the corp id on the console's 我的企业 page."),
        (40056, "agentid not valid", "Check that the self-built app still exists in the WeCom console."),
        (40091, "secret not valid", "Copy the app's secret again; repeated wrong ones block the IP for 1 h."),
        (41002, "corpid missing", "Set the corp id."),
        (41004, "secret missing", "Set the secret of the self-built app."),
        (48002, "API permission missing", "List the app under 微信客服 → 可调用接口的应用."),
        (60011, "no privilege for this person or account", "Put the servicers into the app's visible range."),
        (
            60020,
            "caller's IP address not trusted",
            "Add this host to the app's 企业可信IP; it counts after a minute.",
        ),
        (
            95011,
            "secret does not fit the joint mode of 微信客服",
            "Use the secret of the self-built app, not of the system app.",
        ),
        (
            95012,
            "secret does not fit the independent mode of 微信客服",
            "Use the secret the console shows for 微信客服.",
        ),
        (
            95015,
            "dedicated service is configured for this account",
            "Turn off 专属服务 for the account in the console.",
        ),
        (95017, "API use is switched off for this account", "Put the account under 通过API管理微信客服账号."),
        (
            95023,
            "account is granted to another app",
            "Withdraw the account from the other app in the console.",
        ),
        (95026, "account creation refused for low use", "Use an existing customer service account."),
        (
            95027,
            "unverified corp: 10 customer service accounts at most",
            "Verify the corp in the WeCom console.",
        ),
        (95031, "right to read the chats has lapsed", "Renew the right under 微信客服 in the WeCom console."),
    ),
)

ERRCODES: dict[int, Errcode] = {row.code: row for row in _TABLE}

# On gettoken the same codes mean something else: there is no token yet, so it is the secret that is wrong.
_ON_GETTOKEN = {
    code: Errcode(code, Action.SIGN_OUT, "secret not accepted", remedy=ERRCODES[40091].remedy)
    for code in (40001, 40014, 42001)
}


def of(code: int) -> Errcode:
    """The row of `code`; a refusal that names the code if it stands in no row."""
    return ERRCODES.get(code) or Errcode(code, Action.REFUSE, "a code this bridge does not know", "rejected")


def of_gettoken(code: int) -> Errcode:
    """The row of `code` as an answer to gettoken: whatever is not worth another try signs us out."""
    row = _ON_GETTOKEN.get(code) or of(code)
    if row.action is Action.REFUSE:
        return Errcode(
            code, Action.SIGN_OUT, row.meaning, remedy="Check corp id, secret and app in the console."
        )
    return row


# --- reasons of msg_send_fail ---------------------------------------------------------------------------

FAIL_TYPES: dict[int, str] = {
    0: "reason unknown",
    1: "the customer service account was deleted",
    2: "the app was closed",
    4: "more than 48 hours had passed since the customer last wrote",
    5: "the session was closed",
    6: "more than 5 messages had been sent since the customer last wrote",
    7: "the limit for video channel customers was reached",
    8: "the corp is not verified",
    9: "the limit for video channel customers was reached",
    10: "the customer rejects messages",
    11: "no member of the corp has logged in",
    12: "this message type is banned",
}
