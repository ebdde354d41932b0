"""Global error codes of the WeCom API, as far as this mock answers them.

Rules of this file: a table and one exception. Texts are short English paraphrases: the vendor tells clients
to branch on `errcode` only, so nothing may depend on them. Source: WeCom developer documentation, page
90313 (error codes).
"""

BUSY = -1
OK = 0
CONCURRENT_CHANGE = 6000
SECRET_WRONG = 40001
CUSTOMER_MALFORMED = 40096
MEDIA_TYPE_WRONG = 40004
FILE_TYPE_WRONG = 40005
FILE_SIZE_WRONG = 40006
MEDIA_ID_WRONG = 40007
MSGTYPE_WRONG = 40008
CORPID_WRONG = 40013
TOKEN_INVALID = 40014
PARAMETER_WRONG = 40058
TOKEN_MISSING = 41001
CORPID_MISSING = 41002
SECRET_MISSING = 41004
MEDIA_MISSING = 41005
TOKEN_EXPIRED = 42001
BODY_EMPTY = 44002
FILE_TOO_LARGE = 45001
TEXT_TOO_LARGE = 45002
FREQUENCY_LIMIT = 45009
CONCURRENCY_LIMIT = 45033
BODY_NOT_JSON = 47001
ADDRESS_UNTRUSTED = 60020
ACCOUNT_UNKNOWN = 95000
QUOTA_USED = 95001
WINDOW_CLOSED = 95002
CORP_UNVERIFIED = 95003
ACCOUNT_COUNT = 95005
ACCOUNT_NAME = 95006
MSG_TOKEN_WRONG = 95007
MENU_TOO_LONG = 95008
MENU_ITEM_WRONG = 95009
SESSION_ENDED = 95013
NOT_A_SERVICER = 95014
STATE_CHANGE_ILLEGAL = 95016
API_SWITCHED_OFF = 95017
STATE_FORBIDS = 95018
SERVICER_STOPPED = 95019
TYPE_BANNED = 95030
NO_CONSULTATION = 95032

MEANING = {
    BUSY: "system busy",
    OK: "ok",
    CONCURRENT_CHANGE: "data was changed concurrently",
    SECRET_WRONG: "invalid credential",
    CUSTOMER_MALFORMED: "invalid external userid",
    MEDIA_TYPE_WRONG: "invalid media type",
    FILE_TYPE_WRONG: "invalid file type",
    FILE_SIZE_WRONG: "invalid file size",
    MEDIA_ID_WRONG: "invalid media_id",
    MSGTYPE_WRONG: "invalid message type",
    CORPID_WRONG: "invalid corpid",
    TOKEN_INVALID: "invalid access_token",
    PARAMETER_WRONG: "invalid parameter",
    TOKEN_MISSING: "access_token missing",
    CORPID_MISSING: "corpid missing",
    SECRET_MISSING: "secret missing",
    MEDIA_MISSING: "media data missing",
    TOKEN_EXPIRED: "access_token expired",
    BODY_EMPTY: "empty post data",
    FILE_TOO_LARGE: "media file is too large",
    TEXT_TOO_LARGE: "message content is too long",
    FREQUENCY_LIMIT: "api freq out of limit",
    CONCURRENCY_LIMIT: "api concurrent out of limit",
    BODY_NOT_JSON: "data format error",
    ADDRESS_UNTRUSTED: "not allow to access from your ip",
    ACCOUNT_UNKNOWN: "invalid open_kfid",
    QUOTA_USED: "send msg count limit",
    WINDOW_CLOSED: "send msg time limit",
    CORP_UNVERIFIED: "corp is not verified",
    ACCOUNT_COUNT: "kf account count limit",
    ACCOUNT_NAME: "invalid kf account name",
    MSG_TOKEN_WRONG: "invalid msg token",
    MENU_TOO_LONG: "menu item count limit",
    MENU_ITEM_WRONG: "invalid menu item type",
    SESSION_ENDED: "session is ended",
    NOT_A_SERVICER: "user is not a servicer of this account",
    STATE_CHANGE_ILLEGAL: "session state change is not allowed",
    API_SWITCHED_OFF: "api is switched off for this account",
    STATE_FORBIDS: "send msg session status invalid",
    SERVICER_STOPPED: "servicer has stopped serving",
    TYPE_BANNED: "message type is banned",
    NO_CONSULTATION: "customer has not consulted within 48 hours",
}


class ApiError(Exception):
    """An API answer with `errcode` other than 0. It travels with HTTP status 200, as on the real platform."""

    def __init__(self, errcode: int, hint: str = "") -> None:
        super().__init__(f"{errcode} {MEANING.get(errcode, 'error')}: {hint}")
        self.errcode = errcode
        self.hint = hint

    def body(self) -> dict[str, object]:
        """The JSON object answered."""
        text = MEANING.get(self.errcode, "error")
        return {"errcode": self.errcode, "errmsg": f"{text}, hint: [{self.hint}], from ip: 127.0.0.1"}
