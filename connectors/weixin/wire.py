"""微信客服 (kf) on the wire: its pages read into our messages, our contents planned as its messages.

Rules of this file: pure. No socket, file, clock or randomness; times are arguments. Reading is total:
whatever bytes come, a page or an item becomes messages, and what cannot be read becomes one of kind UNKNOWN
with its raw bytes and a defect. Planning is deterministic: the same content in the same window gives the same
parts with the same msgids, because the platform recognises a repeated send by its msgid alone.

How the platform's words are kept in ours:

* conversation = `open_kfid/external_userid`; what concerns an account and no customer stands in `open_kfid/`;
* a click in a menu of ours is a text whose `refers_to` is `menu:<id>`; entering by a contact link is a note
  whose `refers_to` is `scene:<scene_param>`, so that invitations can be matched without reading text;
* what a servicer writes in the WeCom client went around the bridge: kept as it is, with a defect, so held;
* `raw` is the item as compact JSON: the same members and values, not the same white space, because a page is
  parsed once and not sliced.

Sources: WeCom developer documentation 94670 (sync_msg), 94677 (send_msg), 94699 (callback), 90253 (media).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from xml.etree.ElementTree import ParseError

import orjson
import regex
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from bridge.errors import Refused
from bridge.message import WEIXIN, Blob, Content, File, Kind, Message, Traffic
from connectors.weixin import errcodes

Json = Any
"""A value out of a JSON parser."""

PLATFORM = "sys"
"""Sender of what the platform itself reports, as it calls itself in its callbacks."""

CUSTOMER, PLATFORM_ORIGIN, SERVICER = 3, 4, 5

DAY_MS = 24 * 3600 * 1000
RETENTION_MS = 3 * DAY_MS
"""How long sync_msg keeps a message, and media/get a file."""


class _Unreadable(Exception):
    """An item that does not have the shape the documentation gives it."""


# --- reading: what the JSON holds -----------------------------------------------------------------------


def _str(body: Mapping[str, Json], key: str) -> str:
    """Member `key` as text, "" when absent. Numbers count as text: old and new documents differ there."""
    value = body.get(key)
    if value is None:
        return ""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    raise _Unreadable(f"member {key} is no text")


def _dict(body: Mapping[str, Json], key: str) -> dict[str, Json]:
    value = body.get(key, {})
    if not isinstance(value, dict):
        raise _Unreadable(f"member {key} is no object")
    return value


def _list(body: Mapping[str, Json], key: str) -> list[Json]:
    value = body.get(key, [])
    if not isinstance(value, list):
        raise _Unreadable(f"member {key} is no list")
    return value


def _sent_at(item: Mapping[str, Json]) -> int:
    """`send_time` (seconds) in milliseconds. Only whole seconds of this era are times."""
    value = item.get("send_time")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 10**11:
        raise _Unreadable("send_time is no time in seconds")
    return value * 1000


# --- reading: one kind after the other ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Body:
    """What an item says, without who said it where and when."""

    kind: Kind
    text: str
    files: tuple[File, ...] = ()
    refers_to: str = ""
    defect: str = ""


def _placeholder(label: str, *details: str) -> str:
    """`[Label] detail · detail`, without the details that are empty."""
    shown = " · ".join(detail for detail in details if detail)
    return f"[{label}] {shown}".rstrip()


# The platform puts a line of its own in the place of a medium it will not hand over. Its wording is not
# documented; these are the words such lines have in common.
_SUBSTITUTE = regex.compile(r"[\[【](?:[^\]】\n]*)(?:超过大小|不支持|无法显示)(?:[^\]】\n]*)[\]】]")


def _read_text(body: Mapping[str, Json]) -> _Body:
    content = _str(body, "content")
    menu = _str(body, "menu_id")
    defect = ""
    if _SUBSTITUTE.fullmatch(content.strip()):
        defect = "the platform sent a line of its own instead of a medium that is too large or not supported"
    return _Body(Kind.TEXT, content, refers_to=f"menu:{menu}" if menu else "", defect=defect)


@dataclass(frozen=True, slots=True)
class _Medium:
    kind: Kind
    label: str
    suffix: str
    media_type: str


_MEDIA: dict[str, _Medium] = {
    "image": _Medium(Kind.IMAGE, "Image", ".jpg", "image/jpeg"),
    "voice": _Medium(Kind.VOICE, "Voice message", ".amr", "audio/amr"),
    "video": _Medium(Kind.VIDEO, "Video", ".mp4", "video/mp4"),
    "file": _Medium(Kind.FILE, "File", "", ""),
}


def _file(msgtype: str, media_id: str) -> File:
    """The platform gives no name with the message: ours is made from the media id, so it is stable."""
    medium = _MEDIA[msgtype]
    name = f"{msgtype}-{hashlib.sha256(media_id.encode()).hexdigest()[:8]}{medium.suffix}"
    ref = orjson.dumps({"kind": msgtype, "media_id": media_id}).decode()
    return File(ref, name, medium.kind, medium.media_type)


def _medium_reader(msgtype: str) -> Callable[[Mapping[str, Json]], _Body]:
    def read(body: Mapping[str, Json]) -> _Body:
        media_id = _str(body, "media_id")
        if not media_id:
            raise _Unreadable("media_id is missing")
        medium = _MEDIA[msgtype]
        return _Body(medium.kind, f"[{medium.label}]", files=(_file(msgtype, media_id),))

    return read


def _read_location(body: Mapping[str, Json]) -> _Body:
    where = _placeholder("Location", _str(body, "name"), _str(body, "address"))
    return _Body(Kind.LOCATION, f"{where} ({_str(body, 'latitude')}, {_str(body, 'longitude')})")


def _read_link(body: Mapping[str, Json]) -> _Body:
    shown = " — ".join(part for part in (_str(body, "title"), _str(body, "url")) if part)
    desc = _str(body, "desc")
    return _Body(Kind.LINK, f"[Link] {shown}".rstrip() + (f"\n{desc}" if desc else ""))


def _read_menu(body: Mapping[str, Json]) -> _Body:
    lines = [_placeholder("Menu", _str(body, "head_content"))]
    for entry in _list(body, "list"):
        if not isinstance(entry, dict):
            raise _Unreadable("menu item is no object")
        lines.append(f"- {_str(_dict(entry, _str(entry, 'type')), 'content')}")
    tail = _str(body, "tail_content")
    return _Body(Kind.APP, "\n".join([*lines, tail] if tail else lines))


def _shown(kind: Kind, label: str, *members: str) -> Callable[[Mapping[str, Json]], _Body]:
    """A reader that shows `members` behind a label."""

    def read(body: Mapping[str, Json]) -> _Body:
        return _Body(kind, _placeholder(label, *(_str(body, member) for member in members)))

    return read


def _read_record(body: Mapping[str, Json]) -> _Body:
    """A forwarded chat record: a title and its lines, with the files in them."""
    parts = [_read_record_line(entry) for entry in _list(body, "item")]
    lines = [_placeholder("Chat record", _str(body, "title")), *(part.text for part in parts)]
    defects = [part.defect for part in parts if part.defect]
    files = tuple(file for part in parts for file in part.files)
    return _Body(Kind.RECORD, "\n".join(lines), files=files, defect=defects[0] if defects else "")


def _read_record_line(entry: Json) -> _Body:
    if not isinstance(entry, dict):
        raise _Unreadable("record item is no object")
    msgtype = _str(entry, "msgtype")
    content = _without_surrogates(_parsed(_str(entry, "msg_content").encode()))
    if not isinstance(content, dict):
        raise _Unreadable("msg_content is no JSON object")
    # One document shows the members of the type themselves, another puts them under the type's name.
    body = _read_body(msgtype, content if msgtype not in content else _dict(content, msgtype))
    line = f"{_str(entry, 'sender_name')}: {body.text}"
    return _Body(body.kind, line, files=body.files, defect=body.defect)


_READERS: dict[str, Callable[[Mapping[str, Json]], _Body]] = {
    "text": _read_text,
    **{msgtype: _medium_reader(msgtype) for msgtype in _MEDIA},
    "location": _read_location,
    "link": _read_link,
    "business_card": _shown(Kind.CARD, "Contact card", "userid"),
    "miniprogram": _shown(Kind.APP, "Mini program", "title"),
    "msgmenu": _read_menu,
    "channels_shop_product": _shown(Kind.APP, "Shop product", "title", "sales_price", "shop_nickname"),
    "channels_shop_order": _shown(
        Kind.APP, "Shop order", "order_id", "product_titles", "price_wording", "state", "shop_nickname"
    ),
    "channels": _shown(Kind.APP, "Channels", "nickname", "title"),
    "merged_msg": _read_record,
    "meeting": _shown(Kind.APP, "Meeting", "title"),
    "schedule": _shown(Kind.APP, "Schedule", "title"),
    "note": _shown(Kind.APP, "Note", "title"),
}


def _read_body(msgtype: str, body: Mapping[str, Json]) -> _Body:
    reader = _READERS.get(msgtype)
    if reader is None:
        text = f"[Message of unknown type {msgtype}]"
        return _Body(Kind.UNKNOWN, text, defect=f"message type {msgtype[:40]!r} is not known to this bridge")
    return reader(body)


# --- reading: what the platform reports -----------------------------------------------------------------


def _read_enter(event: Mapping[str, Json]) -> _Body:
    scene, param = _str(event, "scene"), _str(event, "scene_param")
    channels = _dict(event, "wechat_channels")
    came_from = _str(channels, "nickname") or _str(channels, "shop_nickname")
    details = (f"scene {scene}" if scene else "", f"param {param}" if param else "", came_from)
    text = _placeholder("Entered the chat", *details)
    return _Body(Kind.NOTE, text, refers_to=f"scene:{param}" if param else "")


def _read_send_fail(event: Mapping[str, Json]) -> _Body:
    fail_type = _str(event, "fail_type")
    known = errcodes.FAIL_TYPES.get(int(fail_type)) if fail_type.isdecimal() else None
    reason = known or f"a reason this bridge does not know ({fail_type})"
    return _Body(Kind.FAILED, f"[Not delivered] {reason}", refers_to=_str(event, "fail_msgid"))


def _read_recall(event: Mapping[str, Json]) -> _Body:
    return _Body(Kind.RECALL, "[Recalled]", refers_to=_str(event, "recall_msgid"))


_SESSION_CHANGES = {"1": "taken out of the pool", "2": "transferred", "3": "ended", "4": "opened again"}


def _read_session(event: Mapping[str, Json]) -> _Body:
    change = _str(event, "change_type")
    old, new = _str(event, "old_servicer_userid"), _str(event, "new_servicer_userid")
    details = (
        _SESSION_CHANGES.get(change, f"change {change}"),
        f"from {old}" if old else "",
        f"to {new}" if new else "",
    )
    return _Body(Kind.NOTE, _placeholder("Session", *details))


def _read_servicer(event: Mapping[str, Json]) -> _Body:
    status = _str(event, "status")
    return _Body(Kind.NOTE, _placeholder("Servicer", _str(event, "servicer_userid"), f"status {status}"))


def _read_reject_switch(event: Mapping[str, Json]) -> _Body:
    switch = _str(event, "reject_switch")
    return _Body(Kind.NOTE, _placeholder("Reject switch", _str(event, "servicer_userid"), f"switch {switch}"))


@dataclass(frozen=True, slots=True)
class _Report:
    """How one event is read, and which of its members names who did it ("": the platform)."""

    read: Callable[[Mapping[str, Json]], _Body]
    actor: str = ""


_REPORTS: dict[str, _Report] = {
    "enter_session": _Report(_read_enter, "external_userid"),
    "msg_send_fail": _Report(_read_send_fail),
    "user_recall_msg": _Report(_read_recall, "external_userid"),
    "servicer_recall_msg": _Report(_read_recall, "servicer_userid"),
    "session_status_change": _Report(_read_session),
    "servicer_status_change": _Report(_read_servicer, "servicer_userid"),
    "reject_customer_msg_switch_change": _Report(_read_reject_switch, "servicer_userid"),
}


def _read_report(item: Mapping[str, Json], account: str, raw: bytes) -> Message:
    """An event: the ids that a message has on top stand inside it."""
    event = _dict(item, "event")
    name = _str(event, "event_type")
    report = _REPORTS.get(name)
    body = (
        report.read(event)
        if report
        else _Body(
            Kind.UNKNOWN,
            f"[Report of unknown type {name}]",
            defect=f"event {name[:40]!r} is not known to this bridge",
        )
    )
    actor = _str(event, report.actor) if report and report.actor else ""
    kfid = _str(event, "open_kfid") or _str(item, "open_kfid") or account
    customer = _str(event, "external_userid") or _str(item, "external_userid")
    return _message(item, body, f"{kfid}/{customer}", actor or PLATFORM, raw)


# --- reading: items and pages ---------------------------------------------------------------------------


def _message(item: Mapping[str, Json], body: _Body, conversation: str, sender: str, raw: bytes) -> Message:
    return Message(
        network=WEIXIN,
        id=_str(item, "msgid") or _stable_id(raw),
        conversation=conversation,
        sender=sender,
        sent_at=_sent_at(item),
        kind=body.kind,
        text=body.text,
        files=body.files,
        refers_to=body.refers_to,
        defect=body.defect,
        raw=raw,
    )


def _stable_id(raw: bytes) -> str:
    """An id for what came without one: the same bytes get the same id, so a repeat is recognised."""
    return f"sha256-{hashlib.sha256(raw).hexdigest()[:32]}"


def _read_said(item: Mapping[str, Json], account: str, raw: bytes) -> Message:
    """A message somebody wrote: the customer, or a servicer in the WeCom client."""
    msgtype = _str(item, "msgtype")
    body = _read_body(msgtype, _dict(item, msgtype))
    customer, servicer = _str(item, "external_userid"), _str(item, "servicer_userid")
    if not customer:
        raise _Unreadable("external_userid is missing")
    sender, defect = _author(item.get("origin"), customer, servicer)
    kind = Kind.NOTE if sender == PLATFORM and body.kind is Kind.TEXT else body.kind
    read = _Body(kind, body.text, body.files, body.refers_to, body.defect or defect)
    return _message(item, read, f"{_str(item, 'open_kfid') or account}/{customer}", sender, raw)


def _author(origin: Json, customer: str, servicer: str) -> tuple[str, str]:
    """(sender, defect) by the item's `origin`."""
    if origin == CUSTOMER:
        return customer, ""
    if origin == PLATFORM_ORIGIN:
        return PLATFORM, ""
    if origin == SERVICER:
        return servicer or PLATFORM, "written in the WeCom client, not through the bridge"
    return customer, f"origin {str(origin)[:20]!r} is not known to this bridge"


def read_item(item: Json, account: str, page: bytes = b"") -> Message:
    """One member of `msg_list`, pulled for the account `account` (an open_kfid). Never raises.

    `page` is kept as raw in the one case where the item alone cannot be written down (nested too deeply).
    """
    raw, item, mended = _written(item, page)
    try:
        if not isinstance(item, dict):
            raise _Unreadable("item is no object")
        message = (_read_report if item.get("msgtype") == "event" else _read_said)(item, account, raw)
    # The one place of this connector that catches everything: what cannot be read is held, never dropped.
    except Exception as error:
        why = str(error) if isinstance(error, _Unreadable) else type(error).__name__
        return _unreadable(item, account, raw, why)
    return replace(message, defect=message.defect or mended) if mended else message


def _unreadable(item: Json, account: str, raw: bytes, why: str) -> Message:
    """The message for an item nobody can read, with whatever ids and time it does have."""
    known = item if isinstance(item, dict) else {}
    ids = {key: value for key, value in known.items() if isinstance(value, str)}
    time = known.get("send_time")
    seconds = time if isinstance(time, int) and 0 < time < 10**11 else 0
    kfid, customer = ids.get("open_kfid") or account, ids.get("external_userid", "")
    return Message(
        network=WEIXIN,
        id=ids.get("msgid") or _stable_id(raw),
        conversation=f"{kfid}/{customer}",
        sender=customer or PLATFORM,
        sent_at=seconds * 1000,
        kind=Kind.UNKNOWN,
        text="[Message that could not be read]",
        defect=f"the item could not be read: {why}",
        raw=raw,
    )


def _written(item: Json, page: bytes) -> tuple[bytes, Json, str]:
    """(raw bytes, the item as it may be read, defect): an item is written down before anything reads it."""
    try:
        return orjson.dumps(item), item, ""
    except orjson.JSONEncodeError:
        pass
    try:
        raw = json.dumps(item).encode()
        return (
            raw,
            _without_surrogates(item),
            "the item held characters that are no Unicode; they were replaced",
        )
    except RecursionError:
        return page, None, "the item is nested too deeply"


def _parsed(body: bytes) -> Json:
    """The JSON value in `body`; None if there is none. What strict parsers refuse is read leniently."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(body.decode("utf-8-sig", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None


def _without_surrogates(value: Json) -> Json:
    """The value with U+FFFD for every half of a surrogate pair: those cannot be stored or sent."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(entry) for entry in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(entry) for key, entry in value.items()}
    return value


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of sync_msg. `cursor` is "" where the answer names none: the old one stays in force."""

    messages: tuple[Message, ...]
    cursor: str = ""
    has_more: bool = False


def read_object(body: bytes) -> dict[str, Json] | None:
    """The JSON object an API call answered with, None if it is anything else (a proxy's page, say)."""
    value = _parsed(body)
    return value if isinstance(value, dict) else None


def read_page(body: bytes, account: str) -> Page:
    """All of a sync_msg answer. Never raises: a page that is no JSON object is one UNKNOWN message."""
    answer = read_object(body)
    if answer is None:
        return Page((_unreadable(None, account, body, "the page is no JSON object"),))
    return read_answer(answer, account, body)


def read_answer(answer: Mapping[str, Json], account: str, body: bytes) -> Page:
    """The members of a sync_msg answer, parsed already; `body` is what they came in. Never raises."""
    items = answer.get("msg_list", [])
    cursor = answer.get("next_cursor")
    return Page(
        _read_items(items, account, body),
        cursor if isinstance(cursor, str) else "",
        answer.get("has_more") in (1, True),
    )


def _read_items(items: Json, account: str, page: bytes) -> tuple[Message, ...]:
    if not isinstance(items, list):
        return (_unreadable(None, account, page, "msg_list is no list"),)
    return tuple(read_item(item, account, page) for item in items)


def gap_note(account: str, cursor: str, found_at: int) -> Message:
    """The note that messages may be missing: nobody asked for longer than the platform keeps them."""
    text = (
        "[Gap] messages older than 3 days may be missing: the bridge was away for longer than they are kept"
    )
    mark = hashlib.sha256(f"{account} {cursor}".encode()).hexdigest()[:32]
    return Message(
        network=WEIXIN,
        id=f"gap-{mark}",
        conversation=f"{account}/",
        sender=PLATFORM,
        sent_at=found_at,
        kind=Kind.NOTE,
        text=text,
        defect="messages may be missing before this one",
        raw=orjson.dumps({"account": account, "cursor": cursor}),
    )


# --- reading: callbacks ---------------------------------------------------------------------------------

NEW_MESSAGES = "kf_msg_or_event"
ACCOUNTS_CHANGED = "kf_account_auth_change"


@dataclass(frozen=True, slots=True)
class Callback:
    """A decrypted callback. It carries no message, only the news that there is something to pull.

    `token` lets the pull of `open_kfid` off the strict limit for 10 minutes. `unreadable` is set instead
    when the callback is genuine and yet nothing we can read.
    """

    event: str = ""
    open_kfid: str = ""
    token: str = field(default="", repr=False)
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unreadable: Message | None = None


def read_callback(plain: bytes) -> Callback:
    """The XML inside a callback whose signature was right. Never raises."""
    try:
        root = fromstring(plain, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        return Callback(unreadable=_unreadable(None, "", plain, "the callback is no XML"))

    def named(tag: str) -> tuple[str, ...]:
        return tuple(text.strip() for element in root.iter(tag) if (text := element.text or "").strip())

    def first(tag: str) -> str:
        return next(iter(named(tag)), "")

    event = first("Event")
    if event not in (NEW_MESSAGES, ACCOUNTS_CHANGED):
        why = f"the callback's event {event[:40]!r} is not known to this bridge"
        return Callback(unreadable=_unreadable(None, "", plain, why))
    return Callback(
        event=event,
        open_kfid=first("OpenKfId"),
        token=first("Token"),
        added=named("AuthAddOpenKfId"),
        removed=named("AuthDelOpenKfId"),
    )


# --- writing: text in parts -----------------------------------------------------------------------------

TEXT_BYTES = 2048
TEXT_PARTS = 3
"""More parts of text than this are sent as one file: every part costs one of the five messages."""

_GRAPHEME = regex.compile(r"\X")
_SENTENCE_ENDS = frozenset("。！？；…!?;")


def split(text: str, limit: int = TEXT_BYTES) -> tuple[str, ...]:
    """`text` in parts of at most `limit` bytes of UTF-8, each led by its place, "(1/3) ", if there are more.

    No grapheme is broken, but for one that is larger than a part by itself: that breaks between characters.
    Without their markers the parts join to `text` again. `limit` is at least 32.
    """
    if len(text.encode()) <= limit:
        return (text,)
    atoms = [atom for grapheme in _GRAPHEME.findall(text) for atom in _atoms(grapheme, limit - 16)]
    digits = 1
    while True:
        bodies = _fill(atoms, limit - len("(/) ") - 2 * digits)
        if len(bodies) < 10**digits:
            return tuple(f"({place}/{len(bodies)}) {body}" for place, body in enumerate(bodies, 1))
        digits += 1


def _atoms(grapheme: str, limit: int) -> tuple[str, ...]:
    """What may not be broken: the grapheme, or its characters when it is too large for any part."""
    return (grapheme,) if len(grapheme.encode()) <= limit else tuple(grapheme)


def _fill(atoms: list[str], limit: int) -> list[str]:
    """The atoms in as few bodies of at most `limit` bytes as good breaks allow."""
    sizes = [len(atom.encode()) for atom in atoms]
    bodies, start = [], 0
    while start < len(atoms):
        end, size = start, 0
        while end < len(atoms) and size + sizes[end] <= limit:
            size += sizes[end]
            end += 1
        if end < len(atoms):
            end = _best_break(atoms, start, end)
        bodies.append("".join(atoms[start:end]))
        start = end
    return bodies


def _best_break(atoms: list[str], start: int, end: int) -> int:
    """Where to break between `start` and `end`: after a paragraph, else a sentence, else a word.

    Only the last third is looked at: a break too early would cost a part more.
    """
    earliest = max(start + 1, end - (end - start) // 3)
    ranked = ((_rank(atoms, place), place) for place in range(earliest, end + 1))
    return max(ranked)[1]


def _rank(atoms: list[str], place: int) -> int:
    """How good a break before `atoms[place]` is: 4 paragraph, 3 line, 2 sentence, 1 word, 0 anywhere."""
    before, earlier = atoms[place - 1], atoms[place - 2] if place > 1 else ""
    if before in ("\n", "\r\n"):
        return 4 if earlier in ("\n", "\r\n") else 3
    if before in _SENTENCE_ENDS or (before.isspace() and earlier == "."):
        return 2
    return 1 if before.isspace() or before in ("，", "、") else 0


# --- writing: contents as messages ----------------------------------------------------------------------

WINDOW_MS = 2 * DAY_MS
QUOTA = 5

MIB = 1024 * 1024
_SMALLEST = 6
_FILE_BYTES = 20 * MIB
_QUOTE_GRAPHEMES = 60


@dataclass(frozen=True, slots=True)
class Part:
    """One message of the platform. A medium is either a blob of the archive or, for long text, `data`.

    `msgtype` is text, image, voice, video or file; `name` the file name shown to the reader.
    """

    msgid: str
    msgtype: str
    text: str = field(default="", repr=False)
    blob: Blob | None = None
    data: bytes = field(default=b"", repr=False)
    name: str = ""


@dataclass(frozen=True, slots=True)
class _Format:
    """What the platform takes as a medium it plays or shows, rather than as a file."""

    msgtype: str
    media_types: frozenset[str]
    suffixes: tuple[str, ...]
    largest: int


_FORMATS = (
    _Format("image", frozenset({"image/jpeg", "image/png"}), (".jpg", ".jpeg", ".png"), 10 * MIB),
    _Format("voice", frozenset({"audio/amr"}), (".amr",), 2 * MIB),
    _Format("video", frozenset({"video/mp4"}), (".mp4",), 10 * MIB),
)


def plan(content: Content, permit_id: str, traffic: Traffic, now_ms: int) -> tuple[Part, ...]:
    """The messages that `content` becomes, within what the reply window leaves. Nothing is sent yet.

    The first part's msgid is the permit's id, later ones add `-1`, `-2`; where the text goes as a file the
    msgids say so (`-f`), so that a plan that changed between two attempts never passes for the other.
    Raises Refused: "window" and "quota" until the customer writes; "too-large", "too-small", "too-many" and
    "empty" for good.
    """
    if not traffic.last_inbound_at or now_ms - traffic.last_inbound_at >= WINDOW_MS:
        raise Refused("window", "the customer has not written within 48 hours", until_inbound=True)
    media = tuple(_medium(blob) for blob in content.files)
    text = compose(content)
    if not text and not media:
        raise Refused("empty", "the message has neither text nor files")
    room = QUOTA - traffic.sent
    texts = _as_texts(text)
    if texts is not None and len(texts) + len(media) <= room:
        return _numbered((*texts, *media), permit_id, "")
    if (texts is None or len(texts) > 1) and 1 + len(media) <= room:
        return _numbered((*_as_file(text, content.language, room - len(media)), *media), permit_id, "f")
    raise _too_many(bool(text) + len(media), room)


def _too_many(least: int, room: int) -> Refused:
    """Why `least` messages do not go out, `room` being left: not now, or never."""
    if least > QUOTA:
        return Refused(
            "too-many", f"the message needs {least} messages of the platform, which allows {QUOTA}"
        )
    why = f"the message needs {least} messages of the platform and {max(room, 0)} of {QUOTA} are left"
    return Refused("quota", why, until_inbound=True)


def _as_texts(text: str) -> tuple[Part, ...] | None:
    """The text as at most three messages, None if it needs more."""
    if not text:
        return ()
    if len(text.encode()) > TEXT_PARTS * TEXT_BYTES:
        return None
    parts = split(text)
    return tuple(Part("", "text", text=part) for part in parts) if len(parts) <= TEXT_PARTS else None


def compose(content: Content) -> str:
    """The text as the customer reads it: the quoted line above it, and who speaks in front of it.

    The account shows the bank's name, not the advisor's, and several advisors may share one account. Files
    alone carry no name: it would cost one of the five messages.
    """
    if not content.text.strip():
        return ""
    if content.notice:
        said = f"【{content.text}】"
    else:
        said = f"{content.author}：{content.text}" if content.author else content.text
    return f"「{_shortened(content.quote)}」\n{said}" if content.quote.strip() else said


def _shortened(quote: str) -> str:
    """The quoted text on one line, cut to what is needed to recognise it. What is permitted is so already, or
    the record would say more than was shown: this is the platform's own limit."""
    graphemes = _GRAPHEME.findall(" ".join(quote.split()))
    cut = "…" if len(graphemes) > _QUOTE_GRAPHEMES else ""
    return "".join(graphemes[:_QUOTE_GRAPHEMES]) + cut


def _numbered(parts: tuple[Part, ...], permit_id: str, form: str) -> tuple[Part, ...]:
    """The parts with their msgids: at most 32 characters of [0-9a-zA-Z_-], the same for the same plan."""
    first = f"{permit_id}-{form}" if form else permit_id
    stem = first if form else f"{permit_id}-"
    return tuple(
        replace(part, msgid=first if place == 0 else f"{stem}{place}") for place, part in enumerate(parts)
    )


_LONG_TEXT = {
    "en": "(The message is long; it follows as a text file.)",
    "zh-Hans": "（消息较长，以文本文件发送。）",
    "zh-Hant": "（訊息較長，以文字檔案傳送。）",
}


def _as_file(text: str, language: str, room: int) -> tuple[Part, ...]:
    """The text as one UTF-8 file, after a line that says so if there is room for two.

    The byte order mark lets the phones' viewers recognise UTF-8.
    """
    data = text.encode("utf-8-sig")
    if len(data) > _FILE_BYTES:
        raise Refused("too-large", f"the text has {len(data)} bytes, the platform takes {_FILE_BYTES}")
    file = Part("", "file", data=data, name="message.txt")
    if room < 2:
        return (file,)
    chinese = "zh-Hant" if language in ("zh-Hant", "zh-TW", "zh-HK") else "zh-Hans"
    line = _LONG_TEXT[chinese if language.startswith("zh") else "en"]
    return (Part("", "text", text=line), file)


def _medium(blob: Blob) -> Part:
    """How a blob is sent: as what it is where the platform takes that, else as a file."""
    if blob.size < _SMALLEST:
        raise Refused("too-small", f"the file has {blob.size} bytes, the platform takes {_SMALLEST} and more")
    if blob.size > _FILE_BYTES:
        raise Refused("too-large", f"the file has {blob.size} bytes, the platform takes {_FILE_BYTES}")
    name = blob.name or "file"
    for known in _FORMATS:
        if blob.size <= known.largest and _fits(blob, known):
            return Part("", known.msgtype, blob=blob, name=_with_suffix(name, known, blob.media_type))
    return Part("", "file", blob=blob, name=name)


def _fits(blob: Blob, known: _Format) -> bool:
    """By media type where it is known, else by the name's ending."""
    if blob.media_type and blob.media_type != "application/octet-stream":
        return blob.media_type in known.media_types
    return blob.name.lower().endswith(known.suffixes)


def _with_suffix(name: str, known: _Format, media_type: str) -> str:
    """The platform checks the ending too."""
    if name.lower().endswith(known.suffixes):
        return name
    return name + (".png" if media_type == "image/png" else known.suffixes[0])


def send_body(part: Part, conversation: str, media_id: str = "") -> bytes:
    """The JSON of one send_msg call."""
    kfid, _, customer = conversation.partition("/")
    payload = {"content": part.text} if part.msgtype == "text" else {"media_id": media_id}
    call = {"touser": customer, "open_kfid": kfid, "msgid": part.msgid, "msgtype": part.msgtype}
    return orjson.dumps({**call, part.msgtype: payload})


def media_of(file: File) -> str:
    """The media id in a file's `ref`. Raises Refused("gone") for a ref that is not ours."""
    try:
        ref = orjson.loads(file.ref)
        return str(ref["media_id"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise Refused("gone", "the attachment's reference is not one of this network")
