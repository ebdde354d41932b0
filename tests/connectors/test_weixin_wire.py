"""微信客服 on the wire: whatever a page holds is read, and contents become messages within the window."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson
import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.errors import Refused
from bridge.message import Blob, Content, File, Kind, Message, Traffic
from connectors.weixin import wire

KFID = "wkAJ2GCAAASSm4_FhToWMFea0xAFfd3Q"
CUSTOMER = "wmAJ2GCAAAme1XQRC-NI-q0_ZM9ukoAw"
NOW = 1_615_478_585_000
HOUR = 3600 * 1000
PERMIT = "0123456789abcdefghij"
MIB = 1024 * 1024


def said(msgtype: str, body: Any, **other: Any) -> dict[str, Any]:
    """An item of sync_msg as the documentation shows it."""
    item = {
        "msgid": "m1",
        "open_kfid": KFID,
        "external_userid": CUSTOMER,
        "send_time": NOW // 1000,
        "origin": 3,
        "msgtype": msgtype,
        msgtype: body,
    }
    return {**item, **other}


def reported(event_type: str, **members: Any) -> dict[str, Any]:
    """An event: its ids stand inside."""
    event = {"event_type": event_type, "open_kfid": KFID, "external_userid": CUSTOMER, **members}
    return {"msgid": "e1", "send_time": NOW // 1000, "origin": 4, "msgtype": "event", "event": event}


def read(item: Any) -> Message:
    return wire.read_item(item, KFID)


# --- messages -------------------------------------------------------------------------------------------


def test_text_is_kept_whole_with_who_when_and_where() -> None:
    """A text becomes a message with the network's ids and times, and codes of stickers stay as they are."""
    message = read(said("text", {"content": "你好 /::) [微笑]"}))
    assert message == Message(
        network="weixin",
        id="m1",
        conversation=f"{KFID}/{CUSTOMER}",
        sender=CUSTOMER,
        sent_at=NOW,
        text="你好 /::) [微笑]",
        raw=message.raw,
    )


def test_raw_holds_every_member() -> None:
    """What we do not use today is in the archive all the same."""
    item = said("text", {"content": "x"}, later_added={"deep": [1, None, "中"]})
    assert orjson.loads(read(item).raw) == item


def test_menu_click_keeps_its_id() -> None:
    """Consent is given by a click in a menu: which entry it was must be known without reading text."""
    assert read(said("text", {"content": "同意", "menu_id": "agree"})).refers_to == "menu:agree"


@pytest.mark.parametrize(
    ("msgtype", "body", "kind", "text"),
    [
        (
            "location",
            {"name": "香港中环", "address": "1 Queen's Road", "latitude": 22.28, "longitude": 114.15},
            Kind.LOCATION,
            "[Location] 香港中环 · 1 Queen's Road (22.28, 114.15)",
        ),
        (
            "link",
            {"title": "报告", "url": "https://x.example/a"},
            Kind.LINK,
            "[Link] 报告 — https://x.example/a",
        ),
        ("link", {"title": "t", "url": "u", "desc": "d"}, Kind.LINK, "[Link] t — u\nd"),
        ("business_card", {"userid": "zhangsan"}, Kind.CARD, "[Contact card] zhangsan"),
        ("miniprogram", {"title": "理财", "appid": "wx1", "pagepath": "p"}, Kind.APP, "[Mini program] 理财"),
        (
            "msgmenu",
            {
                "head_content": "请选择",
                "list": [
                    {"type": "click", "click": {"id": "1", "content": "是"}},
                    {"type": "text", "text": {"content": "说明"}},
                ],
                "tail_content": "谢谢",
            },
            Kind.APP,
            "[Menu] 请选择\n- 是\n- 说明\n谢谢",
        ),
        (
            "channels_shop_product",
            {"product_id": "p", "title": "基金", "sales_price": "100", "shop_nickname": "店"},
            Kind.APP,
            "[Shop product] 基金 · 100 · 店",
        ),
        (
            "channels_shop_order",
            {
                "order_id": "o1",
                "product_titles": "书",
                "price_wording": "¥9",
                "state": "10",
                "shop_nickname": "店",
            },
            Kind.APP,
            "[Shop order] o1 · 书 · ¥9 · 10 · 店",
        ),
        (
            "channels",
            {"sub_type": 1, "nickname": "财经", "title": "市场"},
            Kind.APP,
            "[Channels] 财经 · 市场",
        ),
        ("meeting", {}, Kind.APP, "[Meeting]"),
        ("schedule", {}, Kind.APP, "[Schedule]"),
        ("note", {}, Kind.APP, "[Note]"),
    ],
)
def test_what_is_no_text_is_readable(msgtype: str, body: Any, kind: Kind, text: str) -> None:
    """Everything that has words shows them, behind a label in brackets, and is not a defect."""
    message = read(said(msgtype, body))
    assert (message.kind, message.text, message.defect) == (kind, text, "")


@pytest.mark.parametrize(
    ("msgtype", "kind", "text", "ending", "media_type"),
    [
        ("image", Kind.IMAGE, "[Image]", ".jpg", "image/jpeg"),
        ("voice", Kind.VOICE, "[Voice message]", ".amr", "audio/amr"),
        ("video", Kind.VIDEO, "[Video]", ".mp4", "video/mp4"),
        ("file", Kind.FILE, "[File]", "", ""),
    ],
)
def test_media_become_files(msgtype: str, kind: Kind, text: str, ending: str, media_type: str) -> None:
    """A medium is a file with a durable reference and a name that is the same whenever it is read."""
    message, again = (read(said(msgtype, {"media_id": "MEDIA"})) for _ in range(2))
    (file,) = message.files
    assert (message.kind, message.text, file.kind, file.media_type) == (kind, text, kind, media_type)
    assert re.fullmatch(rf"{msgtype}-[0-9a-f]{{8}}{re.escape(ending)}", file.name)
    assert message.files == again.files
    assert wire.media_of(file) == "MEDIA"


def test_chat_record_shows_its_lines_and_files() -> None:
    """A forwarded record is read line by line, in either form the documents give its contents."""
    lines = [
        {
            "send_time": 1,
            "msgtype": "text",
            "sender_name": "李雷",
            "msg_content": '{"text":{"content":"你好"}}',
        },
        {"send_time": 2, "msgtype": "text", "sender_name": "韩梅梅", "msg_content": '{"content":"早"}'},
        {"send_time": 3, "msgtype": "image", "sender_name": "李雷", "msg_content": '{"media_id":"M2"}'},
    ]
    message = read(said("merged_msg", {"title": "聊天记录", "item": lines}))
    assert message.kind is Kind.RECORD
    assert message.text == "[Chat record] 聊天记录\n李雷: 你好\n韩梅梅: 早\n李雷: [Image]"
    assert [wire.media_of(file) for file in message.files] == ["M2"]


def test_chat_record_with_an_unknown_line_is_held() -> None:
    """A record is as readable as its least readable line."""
    lines = [{"msgtype": "hologram", "sender_name": "李雷", "msg_content": "{}"}]
    message = read(said("merged_msg", {"title": "t", "item": lines}))
    assert "hologram" in message.defect


def test_a_servicer_in_the_wecom_client_is_not_the_customer() -> None:
    """What an employee wrote around the bridge keeps its kind and words, and is held for a person."""
    message = read(said("text", {"content": "我来处理"}, origin=5, servicer_userid="zhangsan"))
    assert (message.sender, message.kind, message.text) == ("zhangsan", Kind.TEXT, "我来处理")
    assert "not through the bridge" in message.defect


@pytest.mark.parametrize("origin", [None, 6, "3", True])
def test_an_unknown_origin_is_a_defect(origin: Any) -> None:
    """Who wrote something must not be guessed."""
    assert "origin" in read(said("text", {"content": "x"}, origin=origin)).defect


def test_a_text_of_the_platform_is_its_remark() -> None:
    """Words with origin 4 are nobody's message: archived, not relayed."""
    message = read(said("text", {"content": "会话已结束"}, origin=4))
    assert (message.kind, message.sender) == (Kind.NOTE, wire.PLATFORM)


@pytest.mark.parametrize(
    "notice", ["[图片超过大小限制，请在手机微信中查看]", "【收到不支持的消息类型，暂无法显示】"]
)
def test_a_line_in_place_of_a_medium_is_held(notice: str) -> None:
    """A medium that is too large arrives as a text nobody wrote: somebody must look."""
    assert "instead of a medium" in read(said("text", {"content": notice})).defect


@pytest.mark.parametrize("text", ["这个文件超过大小了吗？", "[微笑]", "不支持", "[OK]"])
def test_ordinary_words_are_not_taken_for_such_a_line(text: str) -> None:
    """Customers may use the same words."""
    assert read(said("text", {"content": text})).defect == ""


def test_an_unknown_type_is_held_with_its_raw_bytes() -> None:
    """A type added tomorrow is archived whole and held."""
    item = said("hologram", {"x": 1})
    message = read(item)
    assert message.kind is Kind.UNKNOWN
    assert "hologram" in message.defect
    assert (message.conversation, message.sent_at) == (f"{KFID}/{CUSTOMER}", NOW)
    assert orjson.loads(message.raw) == item


# --- events ---------------------------------------------------------------------------------------------


def test_recalls_name_what_was_taken_back() -> None:
    """A recall by the customer, and one by a servicer."""
    by_customer = read(reported("user_recall_msg", recall_msgid="old"))
    assert (by_customer.kind, by_customer.sender, by_customer.refers_to) == (Kind.RECALL, CUSTOMER, "old")
    by_servicer = read(reported("servicer_recall_msg", recall_msgid="old", servicer_userid="zhangsan"))
    assert (by_servicer.kind, by_servicer.sender) == (Kind.RECALL, "zhangsan")


@pytest.mark.parametrize(
    ("fail_type", "word"), [(0, "unknown"), (4, "48 hours"), (6, "5 messages"), (10, "rejects"), (99, "99")]
)
def test_a_late_failure_names_the_message_and_the_reason(fail_type: int, word: str) -> None:
    """`errcode` 0 means accepted; that it never arrived is reported later, by number."""
    message = read(reported("msg_send_fail", fail_msgid=PERMIT, fail_type=fail_type))
    assert (message.kind, message.refers_to, message.sender) == (Kind.FAILED, PERMIT, wire.PLATFORM)
    assert word in message.text


def test_entering_keeps_the_invitation() -> None:
    """Which link was opened is known without reading text."""
    message = read(reported("enter_session", scene="s1", scene_param="CODE", welcome_code="w"))
    assert (message.kind, message.sender, message.refers_to) == (Kind.NOTE, CUSTOMER, "scene:CODE")
    assert message.text == "[Entered the chat] scene s1 · param CODE"


@pytest.mark.parametrize(
    ("event", "members", "text"),
    [
        ("session_status_change", {"change_type": 3, "old_servicer_userid": "a"}, "[Session] ended · from a"),
        (
            "session_status_change",
            {"change_type": 2, "new_servicer_userid": "b"},
            "[Session] transferred · to b",
        ),
        ("servicer_status_change", {"servicer_userid": "a", "status": 2}, "[Servicer] a · status 2"),
        (
            "reject_customer_msg_switch_change",
            {"servicer_userid": "a", "reject_switch": 1},
            "[Reject switch] a · switch 1",
        ),
    ],
)
def test_remarks_of_the_platform_are_notes(event: str, members: dict[str, Any], text: str) -> None:
    """Archived, not relayed, and no defect."""
    message = read(reported(event, **members))
    assert (message.kind, message.text, message.defect) == (Kind.NOTE, text, "")


def test_an_event_of_no_customer_stands_in_its_account() -> None:
    """Some events concern an account alone."""
    item = reported("servicer_status_change", servicer_userid="a", status=1)
    del item["event"]["external_userid"]
    assert read(item).conversation == f"{KFID}/"


def test_an_unknown_event_is_held() -> None:
    """Like an unknown message."""
    message = read(reported("earthquake"))
    assert message.kind is Kind.UNKNOWN
    assert "earthquake" in message.defect


def test_an_event_without_id_gets_a_stable_one() -> None:
    """The same bytes get the same id, so that the archive recognises the repeat; others get others."""
    item = reported("enter_session", scene="s")
    del item["msgid"]
    other = reported("enter_session", scene="t")
    del other["msgid"]
    assert read(item).id == read(item).id != read(other).id


# --- garbage --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "item",
    [
        None,
        [],
        "text",
        {},
        said("text", None),
        said("text", {"content": ["x"]}),
        said("text", {"content": "x"}, send_time="1615478585"),
        said("text", {"content": "x"}, send_time=-1),
        said("text", {"content": "x"}, external_userid=None),
        said("image", {}),
        said("merged_msg", {"title": "t", "item": [{"msgtype": "text", "msg_content": "no json"}]}),
        said("msgmenu", {"list": ["x"]}),
        {"msgid": "e", "msgtype": "event", "send_time": 1, "event": "x"},
    ],
)
def test_misshapen_items_are_held_with_their_bytes(item: Any) -> None:
    """An item that does not have its documented shape becomes UNKNOWN, with raw bytes and a defect."""
    message = read(item)
    assert (message.kind, message.network) == (Kind.UNKNOWN, "weixin")
    assert message.defect
    assert orjson.loads(message.raw) == item


def test_a_misshapen_item_keeps_the_ids_it_has() -> None:
    """Whoever looks at it must see where it came from, and a repeat is recognised."""
    message = read(said("text", {"content": 5 * ["x"]}))
    assert (message.id, message.conversation, message.sender, message.sent_at) == (
        "m1",
        f"{KFID}/{CUSTOMER}",
        CUSTOMER,
        NOW,
    )


def test_half_surrogates_are_replaced_and_held() -> None:
    """JSON can hold what is no Unicode: readable for a person, storable, and never relayed by itself."""
    page = wire.read_page(json.dumps({"msg_list": [said("text", {"content": "a\ud800b"})]}).encode(), KFID)
    (message,) = page.messages
    assert (message.text, message.kind) == ("a\ufffdb", Kind.TEXT)
    assert "Unicode" in message.defect
    assert b"\\ud800" in message.raw


def test_items_nested_too_deeply_are_held() -> None:
    """A parser's own limit must not stop the account for ever."""
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    body = json.dumps({"msg_list": [said("text", {"content": deep})], "next_cursor": "c"}).encode()
    page = wire.read_page(body, KFID)
    assert [message.kind for message in page.messages] == [Kind.UNKNOWN]
    assert page.messages[0].raw


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
item_keys = st.sampled_from(
    ["msgid", "open_kfid", "external_userid", "send_time", "origin", "msgtype", "servicer_userid", "event"]
)
known_types = st.sampled_from([*wire._READERS, "event"])


@st.composite
def almost_items(draw: st.DrawFn) -> dict[str, Any]:
    """Items of a known type with wrong values in the right places."""
    msgtype = draw(known_types)
    events = st.sampled_from(list(wire._REPORTS))
    members = [
        "content", "media_id", "item", "list", "title", "event_type", "fail_type", "recall_msgid", "name",
    ]  # fmt: skip
    body = draw(st.dictionaries(st.sampled_from(members), json_values | events, max_size=5) | json_values)
    item = said(msgtype, body) if msgtype != "event" else {**reported("x"), "event": body}
    return {**item, **draw(st.dictionaries(item_keys, json_values, max_size=2))}


@settings(max_examples=120, deadline=None)
@given(st.lists(json_values | almost_items(), max_size=4))
def test_no_item_is_lost_or_raises(items: list[Any]) -> None:
    """Whatever a page lists, one message comes of each item; it is encodable, dated, and keeps its bytes."""
    body = orjson.dumps({"errcode": 0, "next_cursor": "c", "has_more": 1, "msg_list": items})
    page = wire.read_page(body, KFID)
    assert (page.cursor, page.has_more, len(page.messages)) == ("c", True, len(items))
    for item, message in zip(items, page.messages, strict=True):
        assert orjson.loads(message.raw) == orjson.loads(orjson.dumps(item))
        assert message.id and "/" in message.conversation and message.sender
        assert message.sent_at >= 0
        assert (message.kind is not Kind.UNKNOWN) or message.defect
        message.text.encode()


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=200) | json_values.map(orjson.dumps) | st.text(max_size=50).map(str.encode))
@example(b"<html>502</html>")
@example(b'{"msg_list":{}}')
@example(b"[" * 5000)
def test_no_page_raises(body: bytes) -> None:
    """Any bytes at all: a page that is not a page is one UNKNOWN message with these bytes."""
    page = wire.read_page(body, KFID)
    answer = wire.read_object(body)
    if answer is None or not isinstance(answer.get("msg_list", []), list):
        (message,) = page.messages
        assert (message.kind, message.raw) == (Kind.UNKNOWN, body)
        assert message.defect


def test_page_has_its_cursor_and_more() -> None:
    """`has_more` counts, not the length of the list."""
    page = wire.read_page(b'{"errcode":0,"next_cursor":"n","has_more":1,"msg_list":[]}', KFID)
    assert page == wire.Page((), "n", True)
    assert wire.read_page(b'{"errcode":0,"next_cursor":7,"has_more":"1"}', KFID) == wire.Page(())


# --- callbacks ------------------------------------------------------------------------------------------

CALLBACK = (
    "<xml><ToUserName><![CDATA[ww1]]></ToUserName><CreateTime>1348831860</CreateTime>"
    "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[kf_msg_or_event]]></Event>"
    "<Token><![CDATA[TOKEN]]></Token><OpenKfId><![CDATA[wkx]]></OpenKfId></xml>"
)


def test_a_callback_names_account_and_token() -> None:
    """All that a callback says is where there is something to pull, and with which token."""
    assert wire.read_callback(CALLBACK.encode()) == wire.Callback(wire.NEW_MESSAGES, "wkx", "TOKEN")
    assert "TOKEN" not in repr(wire.read_callback(CALLBACK.encode()))


def test_a_callback_about_accounts_names_them() -> None:
    """Accounts come and go while the bridge runs."""
    xml = (
        b"<xml><Event>kf_account_auth_change</Event><AuthAddOpenKfId>a</AuthAddOpenKfId>"
        b"<AuthAddOpenKfId>b</AuthAddOpenKfId><AuthDelOpenKfId>c</AuthDelOpenKfId></xml>"
    )
    callback = wire.read_callback(xml)
    assert (callback.event, callback.added, callback.removed) == (wire.ACCOUNTS_CHANGED, ("a", "b"), ("c",))


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=120)
    | st.text(max_size=60).map(lambda text: f"<xml><Event>{text}</Event></xml>".encode())
)
@example(b'<!DOCTYPE x [<!ENTITY a "b">]><xml>&a;</xml>')
def test_no_callback_raises(body: bytes) -> None:
    """A genuine callback that is no XML is held like a message; entities are never expanded."""
    callback = wire.read_callback(body)
    if callback.unreadable is not None:
        assert (callback.unreadable.kind, callback.unreadable.raw) == (Kind.UNKNOWN, body)
        assert callback.unreadable.defect


def test_a_gap_is_noted_once_per_cursor() -> None:
    """The same gap has the same id, another cursor another."""
    note = wire.gap_note(KFID, "c1", NOW)
    assert (note.kind, note.conversation) == (Kind.NOTE, f"{KFID}/")
    assert "3 days" in note.text
    assert note.id == wire.gap_note(KFID, "c1", NOW + 1).id != wire.gap_note(KFID, "c2", NOW).id


# --- splitting ------------------------------------------------------------------------------------------

MARKER = re.compile(r"\((\d+)/(\d+)\) ")
tricky = st.sampled_from(
    ["👨‍👩‍👧‍👦", "🇨🇳", "é", "中", "\r\n", "\n\n", "。", " ", "a", "ก็", "각", "👍🏽", "ﷺ"]
)
prose = st.lists(tricky | st.characters(exclude_categories=("Cs",)), max_size=400).map("".join)


def bodies(parts: tuple[str, ...]) -> list[str]:
    """The parts without their markers, which must count them."""
    if len(parts) == 1:
        return [parts[0]]
    found = []
    for place, part in enumerate(parts, 1):
        marker = MARKER.match(part)
        assert marker and marker.groups() == (str(place), str(len(parts)))
        found.append(part[marker.end() :])
    return found


@settings(max_examples=120, deadline=None)
@given(prose, st.sampled_from([64, 100, 257, 2048]))
def test_splitting_keeps_every_grapheme_and_the_limit(text: str, limit: int) -> None:
    """No part is over the limit in bytes, no grapheme is broken, and the parts make the text again."""
    parts = wire.split(text, limit)
    assert all(len(part.encode()) <= limit for part in parts)
    assert "".join(bodies(parts)) == text
    graphemes = regex.findall(r"\X", text)
    if all(len(grapheme.encode()) <= limit - 16 for grapheme in graphemes):
        assert [grapheme for body in bodies(parts) for grapheme in regex.findall(r"\X", body)] == graphemes


def test_2048_bytes_are_one_part_and_2049_are_two() -> None:
    """The limit counts bytes of UTF-8, and what fits gets no marker."""
    fits = "中" * 682 + "ab"
    assert wire.split(fits) == (fits,)
    assert len(wire.split(fits + "c")) == 2


def test_600_characters_of_chinese_are_one_part() -> None:
    """The usual long message stays whole."""
    assert len(wire.split("汉" * 600)) == 1


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("甲" * 600 + "\n\n" + "乙" * 600, "\n\n"),
        ("甲" * 600 + "。" + "乙" * 600, "。"),
        ("甲" * 500 + "。" + "丙" * 60 + "\n\n" + "乙" * 600, "\n\n"),
        (("word " * 130).strip() + ". " + "tail " * 300, " "),
    ],
)
def test_breaks_fall_where_a_reader_expects_them(text: str, end: str) -> None:
    """After a paragraph rather than a sentence, after a sentence rather than anywhere."""
    first = bodies(wire.split(text))[0]
    assert first.endswith(end)


def test_a_grapheme_larger_than_a_part_is_still_sent() -> None:
    """Hundreds of accents on one letter are one grapheme; it must not block its conversation."""
    monster = "a" + "\u0301" * 3000
    parts = wire.split(monster)
    assert "".join(bodies(parts)) == monster
    assert all(len(part.encode()) <= 2048 for part in parts)


def test_many_parts_count_right() -> None:
    """Markers grow with the number of parts, within the limit."""
    parts = wire.split("x" * 9000, 64)
    assert len(parts) > 99
    assert "".join(bodies(parts)) == "x" * 9000


# --- planning -------------------------------------------------------------------------------------------


def planned(content: Content, *, sent: int = 0, age: int = HOUR) -> tuple[wire.Part, ...]:
    return wire.plan(content, PERMIT, Traffic(NOW - age, sent), NOW)


def blob(name: str = "a.pdf", size: int = 1000, media_type: str = "", digest: str = "d") -> Blob:
    return Blob(digest, size, name, media_type=media_type)


LONG = "长" * 5000


def test_the_first_msgid_is_the_permit() -> None:
    """The msgid is the platform's idempotency key; later parts are told apart by a number."""
    parts = planned(Content("甲" * 1500, files=(blob(),)))
    assert [part.msgid for part in parts] == [PERMIT, f"{PERMIT}-1", f"{PERMIT}-2", f"{PERMIT}-3"]
    assert [part.msgtype for part in parts] == ["text", "text", "text", "file"]
    assert all(re.fullmatch(r"[0-9a-zA-Z_-]{1,32}", part.msgid) for part in parts)


def test_planning_again_gives_the_same_messages() -> None:
    """A repeat must carry the same msgids for the same words, or the platform would take both."""
    content = Content(LONG, author="Alice Wong", files=(blob(),))
    assert planned(content) == planned(content)


@pytest.mark.parametrize("age", [2 * 24 * HOUR, 30 * 24 * HOUR])
def test_a_closed_window_is_known_before_sending(age: int) -> None:
    """48 hours after the customer's last word nothing may be sent until he writes again."""
    with pytest.raises(Refused) as refused:
        planned(Content("x"), age=age)
    assert (refused.value.code, refused.value.until_inbound) == ("window", True)


def test_the_window_is_open_until_its_last_moment_and_for_a_clock_ahead_of_ours() -> None:
    """The network's clock may be a little ahead."""
    assert planned(Content("x"), age=2 * 24 * HOUR - 1)
    assert planned(Content("x"), age=-HOUR)


def test_a_customer_who_never_wrote_cannot_be_written_to() -> None:
    """`last_inbound_at` 0 means never."""
    with pytest.raises(Refused) as refused:
        wire.plan(Content("x"), PERMIT, Traffic(), NOW)
    assert (refused.value.code, refused.value.until_inbound) == ("window", True)


@pytest.mark.parametrize("sent", [5, 6])
def test_a_used_up_quota_waits_for_the_customer(sent: int) -> None:
    """Five messages, then it is the customer's turn."""
    with pytest.raises(Refused) as refused:
        planned(Content("x"), sent=sent)
    assert (refused.value.code, refused.value.until_inbound) == ("quota", True)


def test_the_fifth_message_fits() -> None:
    """The quota is used to its end."""
    assert len(planned(Content("x"), sent=4)) == 1


def test_long_text_goes_as_one_file_with_a_line() -> None:
    """Over three parts would eat the quota: a file with a byte order mark for phones, after one line."""
    line, file = planned(Content(LONG, language="zh-Hans"))
    assert (line.msgtype, line.text) == ("text", "（消息较长，以文本文件发送。）")
    assert (file.msgtype, file.name) == ("file", "message.txt")
    assert file.data == b"\xef\xbb\xbf" + LONG.encode()
    assert [line.msgid, file.msgid] == [f"{PERMIT}-f", f"{PERMIT}-f1"]


@pytest.mark.parametrize(
    ("language", "word"),
    [("en", "long"), ("zh-Hans", "消息"), ("zh", "消息"), ("zh-Hant", "訊息"), ("fr", "long")],
)
def test_the_line_is_in_the_readers_language(language: str, word: str) -> None:
    """The reader sees why there is a file."""
    assert word in planned(Content(LONG, language=language))[0].text


def test_two_parts_with_room_for_one_go_as_a_file() -> None:
    """The last message of a window carries the whole text all the same, without the line."""
    (file,) = planned(Content("甲" * 1000), sent=4)
    assert (file.msgtype, file.msgid) == ("file", f"{PERMIT}-f")


def test_a_plan_that_changed_never_passes_for_the_other() -> None:
    """If the window changes between two attempts, the form does: doubled at worst, never lost."""
    content = Content("甲" * 1000)
    as_file = {part.msgid for part in planned(content, sent=4)}
    as_text = {part.msgid for part in planned(content, sent=0)}
    assert not as_file & as_text


@pytest.mark.parametrize(
    ("files", "sent", "code"), [(1, 4, "quota"), (3, 2, "quota"), (5, 0, "too-many"), (9, 4, "too-many")]
)
def test_what_does_not_fit_is_refused(files: int, sent: int, code: str) -> None:
    """What the next window can carry waits for it; what no window can carry is refused for good."""
    with pytest.raises(Refused) as refused:
        planned(Content("short", files=(blob(),) * files), sent=sent)
    assert (refused.value.code, refused.value.until_inbound) == (code, code == "quota")


@pytest.mark.parametrize(
    "content", [Content(""), Content(" \n"), Content("", author="Alice Wong", quote="q")]
)
def test_nothing_is_not_sent(content: Content) -> None:
    """The platform refuses empty texts."""
    with pytest.raises(Refused) as refused:
        planned(content)
    assert refused.value.code == "empty"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (Content("你好"), "你好"),
        (Content("你好", author="Alice Wong"), "Alice Wong：你好"),
        (Content("已转交", notice=True, author="Alice Wong"), "【已转交】"),
        (Content("好的", author="Alice Wong", quote="明天\n见？"), "「明天 见？」\nAlice Wong：好的"),
        (Content("ok", quote="字" * 61), "「" + "字" * 60 + "…」\nok"),
    ],
)
def test_the_reader_sees_who_speaks_and_what_is_answered(content: Content, text: str) -> None:
    """Several advisors share an account: the name stands in front, the quoted line above."""
    assert wire.compose(content) == text


def test_files_alone_carry_no_name() -> None:
    """A line with the name would cost one of five messages."""
    (part,) = planned(Content("", author="Alice Wong", files=(blob(),)))
    assert part.msgtype == "file"


@pytest.mark.parametrize(
    ("file", "msgtype", "name"),
    [
        (blob("a.JPG"), "image", "a.JPG"),
        (blob("photo", media_type="image/png"), "image", "photo.png"),
        (blob("a.png", media_type="application/octet-stream"), "image", "a.png"),
        (blob("a.jpg", media_type="application/pdf"), "file", "a.jpg"),
        (blob("a.jpg", size=10 * MIB + 1), "file", "a.jpg"),
        (blob("a.gif", media_type="image/gif"), "file", "a.gif"),
        (blob("v.amr", media_type="audio/amr"), "voice", "v.amr"),
        (blob("v.amr", size=2 * MIB + 1), "file", "v.amr"),
        (blob("m.mp4"), "video", "m.mp4"),
        (blob("m.mp4", size=10 * MIB + 1), "file", "m.mp4"),
        (blob("报告.pdf"), "file", "报告.pdf"),
        (blob(""), "file", "file"),
    ],
)
def test_media_go_as_what_the_platform_takes(file: Blob, msgtype: str, name: str) -> None:
    """Pictures, voice and video within their limits are shown as such, everything else is a file."""
    (part,) = planned(Content("", files=(file,)))
    assert (part.msgtype, part.name, part.blob) == (msgtype, name, file)


@pytest.mark.parametrize(("size", "code"), [(20 * MIB + 1, "too-large"), (5, "too-small"), (0, "too-small")])
def test_sizes_the_platform_refuses_are_known_before(size: int, code: str) -> None:
    """An upload that must fail is not begun."""
    with pytest.raises(Refused) as refused:
        planned(Content("", files=(blob(size=size),)))
    assert (refused.value.code, refused.value.until_inbound) == (code, False)


def test_a_text_too_large_even_for_a_file_is_refused() -> None:
    """20 MB are the end."""
    with pytest.raises(Refused) as refused:
        planned(Content("x" * (20 * MIB + 1)))
    assert refused.value.code == "too-large"


@settings(max_examples=80, deadline=None)
@given(prose.filter(str.strip), st.integers(0, 5), st.integers(0, 4))
def test_a_plan_never_exceeds_the_window(text: str, sent: int, files: int) -> None:
    """Whatever is planned fits what is left, every text part fits the limit, and no msgid stands twice."""
    try:
        parts = planned(Content(text * 12, files=(blob(),) * files), sent=sent)
    except Refused:
        assert sent + max(files, 0) >= 5
        return
    assert len(parts) + sent <= 5
    assert all(len(part.text.encode()) <= 2048 for part in parts)
    assert len({part.msgid for part in parts}) == len(parts)


def test_the_call_says_who_where_and_what() -> None:
    """The JSON of send_msg for a text and for a medium."""
    text, image = planned(Content("你好", files=(blob("a.jpg"),)))
    assert orjson.loads(wire.send_body(text, f"{KFID}/{CUSTOMER}")) == {
        "touser": CUSTOMER,
        "open_kfid": KFID,
        "msgid": PERMIT,
        "msgtype": "text",
        "text": {"content": "你好"},
    }
    assert orjson.loads(wire.send_body(image, f"{KFID}/{CUSTOMER}", "MEDIA"))["image"] == {
        "media_id": "MEDIA"
    }


@pytest.mark.parametrize("ref", ["", "{}", "[]", "nonsense", "7"])
def test_a_reference_of_somebody_else_is_gone(ref: str) -> None:
    """A `ref` that is not ours cannot be fetched, now or later."""
    with pytest.raises(Refused) as refused:
        wire.media_of(File(ref, "x"))
    assert refused.value.code == "gone"


def test_contents_do_not_show_in_reprs() -> None:
    """Parts end up in tracebacks; their words must not (invariant 6)."""
    assert "geheim" not in repr(planned(Content("geheim" * 500))) + repr(planned(Content("geheim " * 2000)))
