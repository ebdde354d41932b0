"""What `kf/send_msg` accepts: types, fields and limits of documentation page 94677.

Rules of this file: pure checks that raise ApiError; lengths are UTF-8 bytes. Media ids are only collected
here, the media store judges them. Strict on purpose: a payload under the wrong key is refused, as clients
with that defect must learn.
"""

import re
from collections.abc import Callable
from typing import Any

from connectors.weixin.mock import codes
from connectors.weixin.mock.codes import ApiError

TEXT_BYTES = 2048
MENU_ITEMS = 10
_MSGID = re.compile(r"[0-9a-zA-Z_-]{1,32}\Z")
_MENU_ITEM_FIELDS: dict[str, tuple[tuple[str, int, bool], ...]] = {
    "click": (("id", 64, False), ("content", 128, True)),
    "view": (("url", 2048, True), ("content", 1024, True)),
    "miniprogram": (("appid", 32, True), ("pagepath", 1024, True), ("content", 1024, True)),
    "text": (("content", 2048, True),),
}


def check_msgid(msgid: Any) -> str:
    """The msgid, or an empty string when the client left it out. Raises ApiError 40058."""
    if msgid is None:
        return ""
    if not isinstance(msgid, str) or not _MSGID.match(msgid):
        raise ApiError(codes.PARAMETER_WRONG, "msgid: 1 to 32 bytes of [0-9a-zA-Z_-]")
    return msgid


def check_payload(
    body: dict[str, Any], allowed: frozenset[str] | None = None
) -> tuple[str, dict[str, Any], str]:
    """(msgtype, content, media id or "").

    Raises ApiError 40008 type, 40058 field, 45002 text, 95008/95009 menu.
    """
    msgtype = str(body.get("msgtype"))
    check = _CHECKS.get(msgtype)
    if check is None or (allowed is not None and msgtype not in allowed):
        raise ApiError(codes.MSGTYPE_WRONG, f"msgtype {msgtype}")
    content = body.get(msgtype)
    if not isinstance(content, dict):
        raise ApiError(codes.PARAMETER_WRONG, f"{msgtype} object missing")
    return msgtype, content, check(content) or ""


def _string(content: dict[str, Any], name: str, limit: int, required: bool = True) -> str:
    value = content.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value):
        raise ApiError(codes.PARAMETER_WRONG, f"{name} must be a string")
    if len(value.encode(errors="surrogatepass")) > limit:
        raise ApiError(codes.PARAMETER_WRONG, f"{name} is over {limit} bytes")
    return value


def _text(content: dict[str, Any]) -> None:
    text = content.get("content")
    if not isinstance(text, str) or not text:
        raise ApiError(codes.PARAMETER_WRONG, "text.content must be a non-empty string")
    if len(text.encode()) > TEXT_BYTES:
        raise ApiError(codes.TEXT_TOO_LARGE, f"text.content is over {TEXT_BYTES} bytes")


def _media(content: dict[str, Any]) -> str:
    return _string(content, "media_id", 512)


def _link(content: dict[str, Any]) -> str:
    _string(content, "title", 128)
    _string(content, "url", 2048)
    if content.get("desc"):
        content["desc"] = cut_bytes(str(content["desc"]), 512)
    return _string(content, "thumb_media_id", 512)


def _miniprogram(content: dict[str, Any]) -> str:
    _string(content, "appid", 128)
    _string(content, "title", 64, required=False)
    _string(content, "pagepath", 1024)
    return _string(content, "thumb_media_id", 512)


def _location(content: dict[str, Any]) -> None:
    _string(content, "name", 512, required=False)
    _string(content, "address", 1024, required=False)
    for axis, limit in (("latitude", 90), ("longitude", 180)):
        value = content.get(axis)
        if not isinstance(value, int | float) or not -limit <= value <= limit:
            raise ApiError(codes.PARAMETER_WRONG, f"{axis} must be a number within {limit}")


def _business_card(content: dict[str, Any]) -> None:
    _string(content, "userid", 64)


def _ca_link(content: dict[str, Any]) -> None:
    _string(content, "link_url", 2048)


def _menu(content: dict[str, Any]) -> None:
    _string(content, "head_content", 1024, required=False)
    _string(content, "tail_content", 1024, required=False)
    items = content.get("list", [])
    if not isinstance(items, list):
        raise ApiError(codes.PARAMETER_WRONG, "msgmenu.list must be a list")
    if len(items) > MENU_ITEMS:
        raise ApiError(codes.MENU_TOO_LONG, f"over {MENU_ITEMS} items")
    for item in items:
        _menu_item(item)


def _menu_item(item: Any) -> None:
    kind = item.get("type") if isinstance(item, dict) else None
    fields = _MENU_ITEM_FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None or not isinstance(item.get(kind), dict):
        raise ApiError(codes.MENU_ITEM_WRONG, f"menu item type {kind}")
    for name, limit, required in fields:
        _string(item[kind], name, limit, required)


def cut_bytes(text: str, limit: int) -> str:
    """`text` cut to `limit` UTF-8 bytes between characters, as the platform cuts a link's `desc`."""
    return text.encode()[:limit].decode(errors="ignore")


_CHECKS: dict[str, Callable[[dict[str, Any]], str | None]] = {
    "text": _text,
    "image": _media,
    "voice": _media,
    "video": _media,
    "file": _media,
    "link": _link,
    "miniprogram": _miniprogram,
    "msgmenu": _menu,
    "location": _location,
    "business_card": _business_card,
    "ca_link": _ca_link,
}
