"""The mock WeCom API: tokens, accounts, sessions, sync_msg, send_msg and media keep the vendor's contract.

Rules of this file: everything over HTTP with a plain client; time passes by advancing the platform's clock.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from weixin_rig import PNG, Rig, open_rig

from connectors.weixin.mock import ApiError, Rules, WeixinPlatform
from connectors.weixin.mock.media import INBOUND_BYTES, MIB, UPLOAD_BYTES

HOUR, DAY = 3600, 86400


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A served platform whose clock stands still unless advanced."""
    async with open_rig(frozen_at=1_790_000_000.0) as opened:
        yield opened


# --- tokens


async def test_gettoken_repeats_the_token_while_it_is_valid(rig: Rig) -> None:
    """The same token until 7200 s have passed, then another; the remaining life counts down."""
    first = await rig.gettoken()
    rig.later(7000)
    second = await rig.gettoken()
    rig.later(200)
    third = await rig.gettoken()
    assert (first["errcode"], first["expires_in"], second["expires_in"]) == (0, 7200, 200)
    assert first["access_token"] == second["access_token"] != third["access_token"]


async def test_each_secret_has_its_own_token(rig: Rig) -> None:
    """Tokens belong to (corpid, secret)."""
    rig.platform.add_corp(rig.platform.corpid, "second-secret")
    one, other = await rig.gettoken(), await rig.gettoken(corpsecret="second-secret")
    assert one["access_token"] != other["access_token"]


@pytest.mark.parametrize(
    ("query", "errcode"),
    [
        ({"corpid": ""}, 41002),
        ({"corpsecret": ""}, 41004),
        ({"corpid": "ww_nobody"}, 40013),
        ({"corpsecret": "wrong"}, 40001),
    ],
)
async def test_gettoken_refuses_by_code(rig: Rig, query: dict[str, str], errcode: int) -> None:
    """Missing and wrong corpid and secret have codes of their own, with HTTP status 200."""
    assert (await rig.gettoken(**query))["errcode"] == errcode


@pytest.mark.parametrize(("how", "errcode"), [("expire", 42001), ("rotate", 40014)])
async def test_a_dead_token_is_refused_and_replaced(rig: Rig, how: str, errcode: int) -> None:
    """After expiry or replacement the old token fails with its code and a new one works."""
    await rig.sync()
    getattr(rig.platform.tokens, how)()
    assert (await rig.sync())["errcode"] == errcode
    rig.token = (await rig.gettoken())["access_token"]
    assert (await rig.sync())["errcode"] == 0


async def test_a_call_without_token_is_41001(rig: Rig) -> None:
    """The token is asked for before anything else."""
    assert (await rig.post("kf/sync_msg", {}, access_token=""))["errcode"] == 41001


# --- calls in general


async def test_bodies_are_read_whatever_they_are_labelled(rig: Rig) -> None:
    """Raw bytes without a JSON content type are accepted."""
    assert (await rig.post("kf/sync_msg", b'{"cursor":""}'))["errcode"] == 0


@pytest.mark.parametrize(("body", "errcode"), [(b"", 44002), (b"{", 47001), (b"[]", 47001)])
async def test_unreadable_bodies_have_codes(rig: Rig, body: bytes, errcode: int) -> None:
    """Empty, broken and non-object bodies."""
    assert (await rig.post("kf/send_msg", body))["errcode"] == errcode


# fmt: off
FIELDS = [
    "open_kfid", "external_userid", "touser", "msgid", "msgtype", "text", "code", "cursor", "token", "limit",
    "voice_format", "service_state", "name", "scene", "servicer_userid", "userid_list", "department_id_list",
    "external_userid_list", "media_id", "offset", "msgmenu", "image", "location",
]
ROUTES = [
    "kf/account/add", "kf/account/update", "kf/account/list", "kf/add_contact_way", "kf/servicer/add",
    "kf/servicer/del", "kf/customer/batchget", "kf/service_state/get", "kf/service_state/trans",
    "kf/sync_msg", "kf/send_msg", "kf/send_msg_on_event",
]
# fmt: on


@pytest.mark.parametrize("value", [None, 1, 1.5, True, "x", [], [[]], {}, {"list": [1]}], ids=str)
async def test_nonsense_is_answered_by_code(rig: Rig, value: Any) -> None:
    """Any value in any field of any call is answered with HTTP 200 and an errcode, never by a crash."""
    rig.platform.say(rig.customer, text="你好")
    good = {
        "touser": rig.customer,
        "open_kfid": rig.account,
        "external_userid": rig.customer,
        "msgtype": "text",
    }
    bodies = [dict.fromkeys(FIELDS, value)] + [{**good, field: value} for field in FIELDS]
    bodies += [{**good, "msgtype": kind, kind: value} for kind in ("msgmenu", "image", "location", "link")]
    for route in ROUTES:
        for body in bodies:
            assert "errcode" in await rig.post(route, body), (route, body)


async def test_get_is_refused_where_post_is_needed(rig: Rig) -> None:
    """40058, as the vendor says for GET instead of POST."""
    token = (await rig.gettoken())["access_token"]
    async with rig.http.get(f"{rig.url}/cgi-bin/kf/send_msg", params={"access_token": token}) as reply:
        assert (await reply.json())["errcode"] == 40058


async def test_an_unknown_path_is_404(rig: Rig) -> None:
    """A route that the mock does not have is not answered as if it did."""
    token = (await rig.gettoken())["access_token"]
    async with rig.http.post(f"{rig.url}/cgi-bin/kf/nothing", params={"access_token": token}) as reply:
        assert reply.status == 404


async def test_an_outage_forgets_nothing() -> None:
    """Served again after a stop, on the same port: messages, media and ids are still there."""
    platform = WeixinPlatform()
    async with platform.serve() as url:
        customer = (platform.add_account("客服"), platform.add_customer("李雷"))[1]
        platform.say(customer, image=PNG)
    async with platform.serve(port=int(url.rpartition(":")[2])) as again:
        assert again == url
        assert platform.conversation(customer)[0].media() == PNG


async def test_calls_are_recorded_up_to_the_limit() -> None:
    """The last `record` calls are kept with route, body and errcode; 0 keeps none."""
    async with open_rig(record=2) as rig:
        await rig.sync()
        await rig.send("no window")
        last = rig.platform.requests[-1]
        assert (len(rig.platform.requests), last.route, last.errcode) == (2, "kf/send_msg", 95002)
        assert b"no window" in last.body
    async with open_rig(record=0) as silent:
        await silent.sync()
        assert not silent.platform.requests


# --- accounts, servicers, customers


async def test_accounts_are_added_listed_updated_and_deleted(rig: Rig) -> None:
    """The account life, listed by GET and by POST with offset and limit alike."""
    added = await rig.post("kf/account/add", {"name": "二号客服"})
    await rig.post("kf/account/update", {"open_kfid": added["open_kfid"], "name": "改名"})
    listed = await rig.post("kf/account/list", {"offset": 1, "limit": 1})
    async with rig.http.get(
        f"{rig.url}/cgi-bin/kf/account/list", params={"access_token": rig.token}
    ) as reply:
        by_get = await reply.json()
    assert [one["name"] for one in listed["account_list"]] == ["改名"]
    assert [one["open_kfid"] for one in by_get["account_list"]] == [rig.account, added["open_kfid"]]
    assert by_get["account_list"][0]["manage_privilege"] is True
    await rig.post("kf/account/del", {"open_kfid": added["open_kfid"]})
    assert (await rig.post("kf/account/del", {"open_kfid": added["open_kfid"]}))["errcode"] == 95000


async def test_account_limits_have_codes() -> None:
    """No name is 95006, one too many is 95005."""
    async with open_rig(rules=Rules(account_limit=2)) as rig:
        assert (await rig.post("kf/account/add", {}))["errcode"] == 95006
        assert (await rig.post("kf/account/add", {"name": "二"}))["errcode"] == 0
        assert (await rig.post("kf/account/add", {"name": "三"}))["errcode"] == 95005


async def test_another_corps_account_is_unknown(rig: Rig) -> None:
    """A corp reaches its own accounts only."""
    rig.platform.add_corp("ww_other", "secret")
    foreign = rig.platform.add_account("别家", "ww_other")
    assert (await rig.post("kf/sync_msg", {"open_kfid": foreign}))["errcode"] == 95000


async def test_servicers_are_added_listed_and_deleted(rig: Rig) -> None:
    """servicer/add, list (GET) and del; the list shows 0 serving, 1 stopped."""
    both = {"open_kfid": rig.account, "userid_list": ["alice", "bob"], "department_id_list": [2]}
    added = await rig.post("kf/servicer/add", both)
    await rig.post("kf/servicer/del", {"open_kfid": rig.account, "userid_list": ["bob"]})
    rig.platform.world.set_servicer_status(rig.platform.account(), "alice", stopped=True)
    query = {"access_token": rig.token, "open_kfid": rig.account}
    async with rig.http.get(f"{rig.url}/cgi-bin/kf/servicer/list", params=query) as reply:
        listed = await reply.json()
    assert [one["errcode"] for one in added["result_list"]] == [0, 0, 0]
    assert listed["servicer_list"] == [{"userid": "alice", "status": 1}, {"department_id": 2}]
    assert (await rig.events("servicer_status_change"))[0]["status"] == 2
    assert (await rig.post("kf/servicer/add", {"open_kfid": rig.account}))["errcode"] == 40058


async def test_batchget_tells_known_from_unknown(rig: Rig) -> None:
    """Customers by id, unknown ids apart, at most 100."""
    ids = [rig.customer, "wm_nobody"]
    found = await rig.post("kf/customer/batchget", {"external_userid_list": ids})
    assert [one["nickname"] for one in found["customer_list"]] == ["李雷"]
    assert found["invalid_external_userid"] == ["wm_nobody"]
    assert (await rig.post("kf/customer/batchget", {"external_userid_list": ["x"] * 101}))["errcode"] == 40058


# --- contact links and entering


async def test_a_contact_link_brings_scene_and_parameter(rig: Rig) -> None:
    """The link's scene and the appended scene_param come back in enter_session and in batchget for 48 h."""
    link = (await rig.post("kf/add_contact_way", {"open_kfid": rig.account, "scene": "branch-7"}))["url"]
    async with rig.http.get(
        f"{link}&scene_param=code-1&customer={rig.customer}", allow_redirects=False
    ) as reply:
        assert (reply.status, rig.customer in reply.headers["Location"]) == (302, True)
    event = (await rig.events("enter_session"))[0]
    assert (event["scene"], event["scene_param"]) == ("branch-7", "code-1")
    assert (event["open_kfid"], event["external_userid"]) == (rig.account, rig.customer)
    wanted = {"external_userid_list": [rig.customer], "need_enter_session_context": 1}
    row = (await rig.post("kf/customer/batchget", wanted))["customer_list"][0]
    assert row["enter_session_context"] == {"scene": "branch-7", "scene_param": "code-1"}
    rig.later(48 * HOUR + 1)
    assert "enter_session_context" not in (await rig.post("kf/customer/batchget", wanted))["customer_list"][0]


async def test_a_link_nobody_issued_leads_nowhere(rig: Rig) -> None:
    """An edited contact link is 404 and logs nothing."""
    async with rig.http.get(f"{rig.url}/kfid/kfcx?enc_scene=ENCx") as reply:
        assert reply.status == 404
    assert not await rig.events("enter_session")


@pytest.mark.parametrize("scene", ["x" * 33, "with space", "中"])
async def test_scenes_are_limited(rig: Rig, scene: str) -> None:
    """At most 32 bytes of [0-9a-zA-Z_-]."""
    assert (await rig.post("kf/add_contact_way", {"open_kfid": rig.account, "scene": scene}))[
        "errcode"
    ] == 40058


def on_event(code: str, **more: Any) -> dict[str, Any]:
    """The body of send_msg_on_event with a text."""
    return {"code": code, "msgtype": "text", "text": {"content": "欢迎"}, **more}


async def test_a_welcome_code_works_once_within_20_seconds(rig: Rig) -> None:
    """One message per code; a second use and a late use fail; no code within 48 h of a welcome."""
    code = rig.platform.enter(rig.customer)
    assert (await rig.post("kf/send_msg_on_event", on_event(code, msgid="w1")))["msgid"] == "w1"
    assert (await rig.post("kf/send_msg_on_event", on_event(code)))["errcode"] == 40058
    assert rig.platform.enter(rig.customer) == ""
    rig.later(48 * HOUR + 1)
    late = rig.platform.enter(rig.customer)
    rig.later(21)
    assert (await rig.post("kf/send_msg_on_event", on_event(late)))["errcode"] == 40058
    assert rig.texts() == ["欢迎"]


async def test_no_welcome_for_a_customer_who_has_spoken(rig: Rig) -> None:
    """enter_session carries no welcome_code within 48 h of the customer's own message."""
    rig.platform.say(rig.customer, text="你好")
    assert rig.platform.enter(rig.customer) == ""
    assert "welcome_code" not in (await rig.events("enter_session"))[0]


async def test_only_a_welcome_may_be_a_menu(rig: Rig) -> None:
    """welcome_code takes text or msgmenu, msg_code of an ended session text only; other types never."""
    menu = {"msgtype": "msgmenu", "msgmenu": {"head_content": "同意？", "list": []}}
    picture = {"msgtype": "image", "image": {"media_id": "x"}}
    code = rig.platform.enter(rig.customer)
    assert (await rig.post("kf/send_msg_on_event", {"code": code, **picture}))["errcode"] == 40008
    assert (await rig.post("kf/send_msg_on_event", {"code": code, **menu}))["errcode"] == 0
    end = rig.platform.end_session(rig.customer)
    assert (await rig.post("kf/send_msg_on_event", {"code": end, **menu}))["errcode"] == 40008
    assert (await rig.post("kf/send_msg_on_event", on_event(end)))["errcode"] == 0


# --- window, quota, states


async def test_five_messages_until_the_customer_writes_again(rig: Rig) -> None:
    """The sixth is 95001; one word of the customer renews the five."""
    rig.platform.say(rig.customer, text="你好")
    codes = [(await rig.send(str(number)))["errcode"] for number in range(6)]
    rig.platform.say(rig.customer, text="还在")
    assert (codes, (await rig.send("again"))["errcode"]) == ([0, 0, 0, 0, 0, 95001], 0)
    assert rig.texts() == ["0", "1", "2", "3", "4", "again"]


async def test_48_hours_after_the_last_word_the_window_closes(rig: Rig) -> None:
    """To the second: 48 h after it is open, one second later 95002; never written is 95002 too."""
    assert (await rig.send())["errcode"] == 95002
    rig.platform.say(rig.customer, text="你好")
    rig.later(48 * HOUR)
    assert (await rig.send())["errcode"] == 0
    rig.later(1)
    assert (await rig.send())["errcode"] == 95002


async def test_sending_moves_an_untreated_session_to_the_assistant(rig: Rig) -> None:
    """4 before the first word, 0 after it, 1 after the API's answer."""
    before = await rig.state()
    rig.platform.say(rig.customer, text="你好")
    untreated = await rig.state()
    await rig.send()
    assert (before, untreated, await rig.state()) == (4, 0, 1)


async def test_a_servicers_session_refuses_the_api_until_taken_back(rig: Rig) -> None:
    """State 3 is 95018; trans to 1 opens it again."""
    rig.platform.say(rig.customer, text="你好")
    rig.platform.take_over("alice", rig.customer)
    assert (await rig.send())["errcode"] == 95018
    assert (await rig.transfer(1))["errcode"] == 0
    assert (await rig.send())["errcode"] == 0


async def test_an_ended_session_waits_for_the_customer(rig: Rig) -> None:
    """Sending is 95013, a change of state 95016; the customer's next word starts over at 0."""
    rig.platform.say(rig.customer, text="你好")
    rig.platform.end_session(rig.customer)
    assert (await rig.send())["errcode"] == 95013
    assert (await rig.transfer(1))["errcode"] == 95016
    rig.platform.say(rig.customer, text="还有问题")
    assert await rig.state() == 0


async def test_transfers_need_a_serving_servicer(rig: Rig) -> None:
    """State 3 wants one of the account's servicers (95014) who is serving (95019)."""
    rig.platform.say(rig.customer, text="你好")
    assert (await rig.transfer(3, servicer_userid="alice"))["errcode"] == 95014
    rig.platform.account().servicers["alice"] = 1
    assert (await rig.transfer(3, servicer_userid="alice"))["errcode"] == 95019
    rig.platform.account().servicers["alice"] = 0
    moved = await rig.transfer(3, servicer_userid="alice")
    assert (moved["errcode"], await rig.state()) == (0, 3)
    assert moved["msg_code"]


@pytest.mark.parametrize("state", [5, -1, "1", None])
async def test_states_that_do_not_exist_are_40058(rig: Rig, state: Any) -> None:
    """service_state is 0 to 4."""
    assert (await rig.transfer(state))["errcode"] == 40058


async def test_the_quota_can_be_lifted_for_a_bench() -> None:
    """Rules(quota=None) never answers 95001."""
    async with open_rig(rules=Rules(quota=None)) as rig:
        rig.platform.say(rig.customer, text="你好")
        assert {(await rig.send(str(number)))["errcode"] for number in range(12)} == {0}


# --- send_msg


async def test_a_msgid_is_good_once_per_account(rig: Rig) -> None:
    """The repeated msgid is refused with the configured code and nothing is shown twice."""
    rig.platform.world.rules.duplicate_errcode = 95099
    rig.platform.say(rig.customer, text="你好")
    first, second = await rig.send(msgid="p_1-A"), await rig.send(msgid="p_1-A")
    assert (first["msgid"], second["errcode"], rig.texts()) == ("p_1-A", 95099, ["hello"])


async def test_a_repeated_msgid_is_told_before_the_window(rig: Rig) -> None:
    """Repeating the fifth message says duplicate, not quota: the caller learns that it had arrived."""
    rig.platform.say(rig.customer, text="你好")
    for number in range(5):
        await rig.send(msgid=f"m{number}")
    assert (await rig.send(msgid="m4"))["errcode"] == rig.platform.world.rules.duplicate_errcode


async def test_the_platform_mints_a_msgid_when_none_is_given(rig: Rig) -> None:
    """An id of 32 bytes, another one each time."""
    rig.platform.say(rig.customer, text="你好")
    ids = {(await rig.send())["msgid"] for _ in range(3)}
    assert (len(ids), {len(one) for one in ids}) == (3, {32})


@pytest.mark.parametrize("msgid", ["", "x" * 33, "a b", "中", 7, "a\n"])
async def test_malformed_msgids_are_40058(rig: Rig, msgid: Any) -> None:
    """At most 32 bytes of [0-9a-zA-Z_-]; an empty one is an error, leaving it out is not."""
    rig.platform.say(rig.customer, text="你好")
    assert (await rig.send(msgid=msgid))["errcode"] == 40058


MENU = {"head_content": "请选择", "list": [], "tail_content": "完"}
CLICK = {"type": "click", "click": {"id": "1", "content": "同意"}}
PAYLOADS: list[tuple[dict[str, Any], int]] = [
    ({"msgtype": "text", "text": {"content": "字" * 682}}, 0),
    ({"msgtype": "text", "text": {"content": "字" * 683}}, 45002),
    ({"msgtype": "text", "text": {"content": ""}}, 40058),
    ({"msgtype": "text"}, 40058),
    ({"msgtype": "poem", "poem": {}}, 40008),
    ({"msgtype": None}, 40008),
    ({"msgtype": "image", "image": {"media_id": "MEDIA"}}, 0),
    ({"msgtype": "voice", "voice": {"media_id": "MEDIA"}}, 0),
    ({"msgtype": "video", "video": {"media_id": "MEDIA"}}, 0),
    ({"msgtype": "file", "file": {"media_id": "MEDIA"}}, 0),
    ({"msgtype": "image", "image": {"media_id": "unknown"}}, 40007),
    ({"msgtype": "image", "image": {}}, 40058),
    ({"msgtype": "link", "link": {"title": "t", "url": "https://x", "thumb_media_id": "MEDIA"}}, 0),
    ({"msgtype": "link", "link": {"title": "t" * 129, "url": "u", "thumb_media_id": "MEDIA"}}, 40058),
    ({"msgtype": "link", "link": {"title": "t", "url": "https://x"}}, 40058),
    (
        {"msgtype": "miniprogram", "miniprogram": {"appid": "a", "pagepath": "p", "thumb_media_id": "MEDIA"}},
        0,
    ),
    ({"msgtype": "miniprogram", "msgmenu": {"appid": "a"}}, 40058),
    ({"msgtype": "location", "location": {"latitude": 22.2, "longitude": 114.1, "name": "n"}}, 0),
    ({"msgtype": "location", "location": {"latitude": 91, "longitude": 0}}, 40058),
    ({"msgtype": "location", "msgmenu": {"latitude": 1, "longitude": 1}}, 40058),
    ({"msgtype": "business_card", "business_card": {"userid": "alice"}}, 0),
    ({"msgtype": "ca_link", "ca_link": {"link_url": "https://work.weixin.qq.com/ca/x"}}, 0),
    ({"msgtype": "msgmenu", "msgmenu": {**MENU, "list": [CLICK] * 10}}, 0),
    ({"msgtype": "msgmenu", "msgmenu": {**MENU, "list": [CLICK] * 11}}, 95008),
    ({"msgtype": "msgmenu", "msgmenu": {**MENU, "list": [{"type": "dance"}]}}, 95009),
    ({"msgtype": "msgmenu", "msgmenu": {**MENU, "list": [{"type": "view"}]}}, 95009),
    ({"msgtype": "msgmenu", "msgmenu": {**MENU, "head_content": "x" * 1025}}, 40058),
    (
        {
            "msgtype": "msgmenu",
            "msgmenu": {**MENU, "list": [{"type": "click", "click": {"content": "x" * 129}}]},
        },
        40058,
    ),
]


@pytest.mark.parametrize(("payload", "errcode"), PAYLOADS)
async def test_every_type_has_its_limits(rig: Rig, payload: dict[str, Any], errcode: int) -> None:
    """The types of page 94677 with their byte limits; a payload under the wrong key is refused."""
    media_id = (await rig.upload())["media_id"]
    rig.platform.say(rig.customer, text="你好")
    kind = payload["msgtype"]
    filled = {
        key: {name: media_id if value == "MEDIA" else value for name, value in one.items()}
        if isinstance(one, dict)
        else one
        for key, one in payload.items()
    }
    body = {"touser": rig.customer, "open_kfid": rig.account, **filled}
    assert (await rig.post("kf/send_msg", body))["errcode"] == errcode
    assert [one.msgtype for one in rig.platform.received(rig.customer)] == ([kind] if errcode == 0 else [])


async def test_a_links_description_is_cut_not_refused(rig: Rig) -> None:
    """desc is cut to 512 bytes between characters."""
    media_id = (await rig.upload())["media_id"]
    rig.platform.say(rig.customer, text="你好")
    link = {"title": "t", "url": "https://x", "desc": "字" * 200, "thumb_media_id": media_id}
    await rig.send(msgtype="link", link=link)
    assert rig.platform.received(rig.customer)[0].content["desc"] == "字" * 170


@pytest.mark.parametrize(
    ("field", "value", "errcode"),
    [("touser", "wm_nobody", 40096), ("open_kfid", "wk_x", 95000), ("touser", 3, 40096)],
)
async def test_unknown_addresses_have_codes(rig: Rig, field: str, value: Any, errcode: int) -> None:
    """Unknown customer and unknown account."""
    assert (await rig.send(**{field: value}))["errcode"] == errcode


async def test_a_late_failure_is_reported_and_not_shown(rig: Rig) -> None:
    """fail_delivery logs msg_send_fail with id and type; the customer never saw the message."""
    rig.platform.say(rig.customer, text="你好")
    msgid = (await rig.send("lost"))["msgid"]
    rig.platform.fail_delivery(msgid, 10)
    event = (await rig.events("msg_send_fail"))[0]
    assert (event["fail_msgid"], event["fail_type"], rig.texts()) == (msgid, 10, [])


# --- sync_msg


async def test_sync_yields_what_people_did_but_not_what_the_api_sent(rig: Rig) -> None:
    """Customer (3), event (4) and servicer (5) in order; send_msg's own messages are not among them."""
    said = rig.platform.say(rig.customer, text="你好", menu_id="1")
    await rig.send("api")
    rig.platform.recall(said)
    rig.platform.servicer_says("alice", rig.customer, text="我来")
    page = await rig.sync()
    first, event, servicer = page["msg_list"]
    assert [one["origin"] for one in page["msg_list"]] == [3, 4, 5]
    assert (first["msgid"], first["text"]) == (said, {"content": "你好", "menu_id": "1"})
    assert event["event"]["event_type"] == "user_recall_msg" and event["event"]["recall_msgid"] == said
    assert "open_kfid" not in event and "external_userid" not in event
    assert (servicer["servicer_userid"], page["has_more"]) == ("alice", 0)


async def test_a_servicers_recall_names_him(rig: Rig) -> None:
    """servicer_recall_msg carries servicer_userid; no person can recall the bridge's own message."""
    msgid = rig.platform.servicer_says("alice", rig.customer, text="我来")
    rig.platform.recall(msgid)
    event = (await rig.events("servicer_recall_msg"))[0]
    assert (event["servicer_userid"], event["recall_msgid"]) == ("alice", msgid)
    rig.platform.say(rig.customer, text="你好")
    await rig.transfer(1)
    own = (await rig.send())["msgid"]
    with pytest.raises(ValueError, match="can be recalled"):
        rig.platform.recall(own)


async def test_pages_join_without_loss_or_repeat(rig: Rig) -> None:
    """Following next_cursor while has_more yields each message once, in order, and then nothing."""
    said = [rig.platform.say(rig.customer, text=str(number)) for number in range(25)]
    seen, cursor, more = [], "", 1
    while more:
        page = await rig.sync(cursor, limit=10)
        seen += [one["msgid"] for one in page["msg_list"]]
        cursor, more = page["next_cursor"], page["has_more"]
    assert seen == said
    assert len(cursor.encode()) <= 64
    after = await rig.sync(cursor)
    assert (after["msg_list"], after["has_more"], after["next_cursor"]) == ([], 0, cursor)


@pytest.mark.parametrize("limit", [0, 1001, "10"])
async def test_the_limit_is_at_most_1000(rig: Rig, limit: Any) -> None:
    """Limits outside 1 to 1000 are 40058."""
    assert (await rig.sync(limit=limit))["errcode"] == 40058


async def test_messages_older_than_three_days_are_gone(rig: Rig) -> None:
    """An old cursor jumps over what has expired; what is younger is still there."""
    rig.platform.say(rig.customer, text="old")
    rig.later(2 * DAY)
    rig.platform.say(rig.customer, text="young")
    rig.later(DAY + 1)
    assert [one["text"]["content"] for one in (await rig.sync())["msg_list"]] == ["young"]


async def test_without_account_the_whole_corp_is_read_unless_strict(rig: Rig) -> None:
    """Older clients leave open_kfid out; the strict rule makes that 40058."""
    second = rig.platform.add_account("二号")
    rig.platform.say(rig.customer, rig.account, text="a")
    rig.platform.say(rig.customer, second, text="b")
    both = await rig.post("kf/sync_msg", {"cursor": ""})
    assert [one["open_kfid"] for one in both["msg_list"]] == [rig.account, second]
    assert len((await rig.sync())["msg_list"]) == 1
    rig.platform.world.rules.strict_account = True
    assert (await rig.post("kf/sync_msg", {"cursor": ""}))["errcode"] == 40058


async def test_a_callback_token_lives_ten_minutes(rig: Rig) -> None:
    """Good at 10 minutes, 95007 after, and 95007 for one that was never issued."""
    token = rig.platform.world.new_msg_token()
    rig.later(600)
    assert (await rig.sync(token=token))["errcode"] == 0
    rig.later(1)
    assert (await rig.sync(token=token))["errcode"] == 95007
    assert (await rig.sync(token="ENCnobody"))["errcode"] == 95007
    assert len(token.encode()) <= 128


@pytest.mark.parametrize("cursor", ["nonsense", "x" * 65, "Y3VyAA=="])
async def test_a_cursor_nobody_issued_is_40058(rig: Rig, cursor: str) -> None:
    """Made-up cursors are refused."""
    assert (await rig.sync(cursor))["errcode"] == 40058


INBOUND: dict[str, dict[str, Any]] = {
    "location": {"latitude": 22.28, "longitude": 114.16, "name": "n", "address": "a"},
    "link": {"title": "t", "desc": "d", "url": "https://x", "pic_url": "https://p"},
    "business_card": {"userid": "alice"},
    "miniprogram": {"title": "t", "appid": "a", "pagepath": "p", "thumb_media_id": "m"},
    "merged_msg": {"title": "聊天记录", "item": [{"send_time": 1, "msgtype": "text", "msg_content": "{}"}]},
}


@pytest.mark.parametrize("kind", INBOUND)
async def test_customers_say_more_than_text(rig: Rig, kind: str) -> None:
    """Structured kinds arrive under their own key, unchanged."""
    rig.platform.say(rig.customer, **{kind: INBOUND[kind]})
    message = (await rig.sync())["msg_list"][0]
    assert (message["msgtype"], message[kind]) == (kind, INBOUND[kind])


async def test_any_type_can_be_said_raw(rig: Rig) -> None:
    """Types nobody knows yet can be put in by msgtype and content."""
    rig.platform.say(rig.customer, msgtype="note", content={"x": 1})
    assert (await rig.sync())["msg_list"][0]["note"] == {"x": 1}
    with pytest.raises(TypeError, match="exactly one thing"):
        rig.platform.say(rig.customer, text="a", link={})


@pytest.mark.parametrize("change", ["reject", "hand_on"])
async def test_other_session_events_are_logged(rig: Rig, change: str) -> None:
    """reject_customer_msg_switch_change and session_status_change with both servicers."""
    account, customer = rig.platform.account(), rig.platform.world.customer(rig.customer)
    if change == "reject":
        rig.platform.world.set_rejected(account, customer, "alice", True)
        assert (await rig.events("reject_customer_msg_switch_change"))[0]["reject_switch"] == 1
        return
    rig.platform.take_over("alice", rig.customer)
    rig.platform.world.servicer_changes(
        account, customer, rig.platform.world.session(account, customer).state, "bob", 2
    )
    taken, handed = await rig.events("session_status_change")
    assert (taken["change_type"], taken["new_servicer_userid"], bool(taken["msg_code"])) == (1, "alice", True)
    assert (handed["old_servicer_userid"], handed["new_servicer_userid"]) == ("alice", "bob")


# --- media


async def test_media_goes_up_and_comes_down(rig: Rig) -> None:
    """The same bytes and name; created_at is a string, the disposition carries the name."""
    put = await rig.upload("file", "数据".encode() * 5000, "季度报告.pdf")
    headers, body = await rig.download(put["media_id"])
    assert body == "数据".encode() * 5000
    assert put["created_at"] == str(int(rig.platform.clock.now())) and put["type"] == "file"
    assert "filename*=utf-8''%E5%AD%A3%E5%BA%A6%E6%8A%A5%E5%91%8A.pdf" in headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("kind", "data", "errcode"),
    [
        ("image", b"\xff\xd8\xff" + bytes(9), 0),
        ("voice", b"#!AMR\n" + bytes(9), 0),
        ("video", b"\0\0\0\x18ftypmp42" + bytes(9), 0),
        ("image", b"GIF89a" + bytes(9), 40005),
        ("voice", b"ID3" + bytes(9), 40005),
        ("file", b"12345", 40006),
        ("file", b"123456", 0),
        ("thumb", PNG, 40004),
        ("voice", b"#!AMR\n" + bytes(UPLOAD_BYTES["voice"]), 45001),
    ],
)
async def test_uploads_are_checked(rig: Rig, kind: str, data: bytes, errcode: int) -> None:
    """Type, format by the first bytes, more than 5 bytes, at most the type's size."""
    assert (await rig.upload(kind, data)).get("errcode") == errcode


async def test_a_refused_upload_leaves_no_file(rig: Rig) -> None:
    """The directory holds accepted media only, and nothing once the platform is closed."""
    good = await rig.upload()
    await rig.upload("voice", PNG)
    path = rig.platform.media.find(good["media_id"]).path
    assert [one.name for one in path.parent.iterdir()] == [good["media_id"]]


async def test_an_upload_needs_a_part_named_media(rig: Rig) -> None:
    """No form, and a form without that part, are 41005."""
    assert (await rig.post("media/upload", {}, type="file"))["errcode"] == 41005


async def test_media_expires_after_three_days(rig: Rig) -> None:
    """media/get then answers JSON 40007 with status 200, and send_msg refuses the id."""
    media_id = (await rig.upload())["media_id"]
    rig.later(3 * DAY + 1)
    headers, body = await rig.download(media_id)
    assert headers["Content-Type"].startswith("application/json") and b"40007" in body


async def test_customers_media_is_there_to_fetch(rig: Rig) -> None:
    """Image, file, voice and video of a customer come by media_id, with name and type."""
    rig.platform.say(rig.customer, image=PNG)
    rig.platform.say(rig.customer, file=("合同.txt", b"contract text"))
    picture, document = (await rig.sync())["msg_list"]
    headers, body = await rig.download(picture["image"]["media_id"])
    assert (headers["Content-Type"], body) == ("image/png", PNG)
    assert (await rig.download(document["file"]["media_id"]))[1] == b"contract text"


async def test_oversize_media_arrives_as_a_text_notice() -> None:
    """A customer's picture over the limit is a text; the limits are the vendor's unless a test sets them."""
    async with open_rig(rules=Rules(oversize={**INBOUND_BYTES, "image": 100})) as rig:
        rig.platform.say(rig.customer, image=PNG)
        message = (await rig.sync())["msg_list"][0]
    assert message["msgtype"] == "text" and "图片" in message["text"]["content"]
    assert INBOUND_BYTES == {"image": 2 * MIB, "voice": 2 * MIB, "video": 10 * MIB, "file": 20 * MIB}


async def test_the_customer_sees_the_bridges_file(rig: Rig) -> None:
    """received() gives order, type, file name and bytes of what was sent."""
    media_id = (await rig.upload("file", b"report body", "报告.pdf"))["media_id"]
    rig.platform.say(rig.customer, text="你好")
    await rig.send("先看这个")
    await rig.send(msgtype="file", file={"media_id": media_id})
    text, file = rig.platform.received(rig.customer)
    assert (text.text, file.msgtype, file.file_name, file.media()) == (
        "先看这个",
        "file",
        "报告.pdf",
        b"report body",
    )
    with pytest.raises(ApiError):
        text.media()
