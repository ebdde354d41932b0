"""Every switch of the mock WeCom platform, through the whole bridge: it completes, or somebody is told.

Rules of this file: one line for each switch and place. What a line does not say is that every message
arrives, once and in order, on the other side, and that nobody is told anything. What does not fit
into a line has a test of its own. The name of a file is asked for before the file: hence two strikes.
"""

from __future__ import annotations

import pytest
from fault_rig import Case, Scene, case, everywhere, fault, on_stage, play, tried

from bridge.message import SYMPHONY, WEIXIN
from connectors.weixin.mock.faults import FAULTS

SEND, SYNC, GET, UPLOAD = "kf/send_msg", "kf/sync_msg", "media/get", "media/upload"
NAMES = "kf/customer/batchget"
STALE = fault("token_expired", SEND)
ROUTES = (SEND, SYNC, UPLOAD)
CLOSED = {"closed": WEIXIN, "poll": 0.2}  # when it listens again, it is at another address
UNREADABLE = {
    "becomes": {"L2": "held: 1 attachment(s) could not be read"},
    "told": {"李雷": ("unreadable",)},
}


def parked(code: str, told: str = "undelivered") -> dict[str, dict]:
    """Alice's first message is parked."""
    return {"becomes": {"A1": f"parked: {code}"}, "told": {"alice": (told,)}}


CASES = (
    # refusals
    case(fault("errcode", SEND, errcode=45002), **parked("too-large", "too-large")),
    case(fault("errcode", SEND, errcode=40096), **parked("recipient")),
    case(fault("errcode", SEND, errcode=123456), **parked("rejected")),
    case(
        fault("errcode", UPLOAD, errcode=45001),
        becomes={"A2": "parked: too-large"},
        shows={"A2": 1},
        told={"alice": ("attachment-missing",)},
    ),
    case(fault("errcode", SYNC, errcode=123456)),
    case(fault("errcode", GET, errcode=40007, count=2), **UNREADABLE),
    *(
        one
        for name in (
            "busy",
            "concurrent_change",
            "frequency_limit",
            "concurrency_limit",
            "token_invalid",
            "token_expired",
            "http_5xx",
            "drop_before",
            "drop_after",
            "reply_garbage",
            "reply_text_plain",
        )
        for one in everywhere(*(fault(name, route) for route in ROUTES), fault(name, GET, count=2))
    ),
    case(fault("busy", SEND, count=5)),
    case(fault("busy", "gettoken"), STALE),
    case(fault("frequency_limit", "gettoken"), STALE),
    # tokens and rights
    case(fault("token_invalid", SEND, count=2)),
    case(fault("secret_refused", "gettoken"), STALE, **CLOSED),
    case(fault("address_untrusted", SEND), **CLOSED),
    case(fault("address_untrusted", SYNC), **CLOSED),
    case(fault("address_untrusted", GET, count=2), **CLOSED),
    case(fault("address_untrusted", UPLOAD)),  # part of the message has gone out: it is tried again
    case(fault("api_switched_off", SEND), **CLOSED),
    case(fault("api_switched_off", SYNC), **CLOSED),
    # transport
    *everywhere(*(fault("slow", route, seconds=0.1) for route in (*ROUTES, GET))),
    *(case(fault("slow", route, seconds=3.0)) for route in (SEND, SYNC)),
    case(fault("slow", GET, seconds=3.0, count=2)),
    case(fault("drop_after", SEND, count=3)),
    case(fault("reply_garbage", SYNC, count=8)),
    case(fault("drop_before", "gettoken"), STALE),
    # sending
    case(fault("quota_used"), waits="quota", told={"alice": ("quota",)}),
    case(fault("window_closed"), waits="window", told={"alice": ("window",)}),
    case(fault("session_ended"), waits="window", told={"alice": ("window",)}),
    case(fault("no_consultation"), waits="window", told={"alice": ("window",)}),
    case(fault("type_banned"), **parked("banned")),
    case(fault("corp_unverified"), **parked("unverified")),
    case(fault("state_forbids")),
    case(fault("duplicate_msgid"), fault("busy", SEND)),
    case(fault("msg_send_fail"), becomes={"A1": "failed: undelivered"}, told={"alice": ("undelivered",)}),
    # receiving
    case(fault("sync_empty_page", count=2)),
    case(fault("sync_short_page", count=3)),
    case(fault("sync_bad_token")),
    case(fault("sync_repeat", back=3)),
    case(fault("sync_strict_account"), strikes=False),
    # media
    case(fault("media_gone", count=2), **UNREADABLE),
    case(fault("media_json_octets", count=2)),
    case(fault("media_truncated", count=2)),
    case(fault("media_unnamed", count=2)),
    # callbacks
    *(
        case(fault(name))
        for name in (
            "callback_duplicate",
            "callback_forged",
            "callback_replay",
            "callback_late_ack",
            "callback_delayed",
            "callback_wrong_receiver",
            "callback_garbage",
            "callback_token_expired",
        )
    ),
    case(fault("callback_reorder"), poll=0.2),
    case(fault("callback_lost", count=None), poll=0.2),
)

ELSEWHERE = {
    "media_oversize",
    "sync_gap",
    "sync_tokenless_limit",
    "enter_scene_unknown",
    "enter_scene_reused",
    "enter_lost",
    "enter_twice",
    "welcome_code_absent",
    "welcome_code_expired",
}
"""Switches that do not fit into a line: each is named in a test below."""


def test_every_switch_has_a_case() -> None:
    """A new switch of the mock needs its line here."""
    assert {one.switch for one in CASES} | ELSEWHERE == set(FAULTS)


@pytest.mark.parametrize("one", tried(CASES), ids=str)
async def test_the_conversation_completes_or_somebody_is_told(one: Case) -> None:
    """Whatever the platform does, no message is lost, doubled, disordered or kept in silence."""
    async with on_stage(one.poll) as scene:
        board = scene.stage.platform.faults
        armed = [(board.arm(each.name, **each.how), each) for each in one.faults]
        await play(scene, one, board.clear)
        assert bool(board.fired[one.switch]) == one.strikes
        if one.places > 1:
            assert [each for arm, each in armed if arm.count] == []


async def test_a_medium_that_the_platform_keeps_is_held() -> None:
    """media_oversize: the line that stands in for a medium is not the customer's text: held, he is told."""
    async with on_stage() as scene:
        scene.stage.platform.faults.arm("media_oversize")
        await play(
            scene,
            case(
                fault("media_oversize"),
                becomes={"L2": "held: the message could not be fully read"},
                told={"李雷": ("unreadable",)},
            ),
            lambda: None,
        )


async def test_what_the_platform_has_forgotten_leaves_a_note() -> None:
    """sync_gap: after more than three days away, what is missing cannot be had, but that it is missing is
    in the archive, and the conversation goes on."""
    async with on_stage() as scene:
        scene.stage.platform.faults.arm("sync_gap")
        scene.pass_time(4 * 24 * 3600)
        lost = scene.stage.platform.say(scene.stage.customer, scene.stage.account, text="forgotten")
        scene.lilei("L1")
        await scene.until(scene.settled, "what was said after the gap")
        await scene.examine()
        assert await _kinds(scene, lost) == []
        notes = await scene.rows("SELECT state FROM messages WHERE kind = 'note' AND network = 'weixin'")
        assert notes == [("noted",)]


async def test_a_limit_for_pulls_without_a_token_ends_with_the_next_callback() -> None:
    """sync_tokenless_limit: once the callback's token is stale too, the next message brings all of them."""
    async with on_stage() as scene:
        faults = scene.stage.platform.faults
        faults.arm("sync_bad_token")
        faults.arm("sync_tokenless_limit")
        scene.lilei("L1")
        await scene.until(lambda: faults.fired["sync_tokenless_limit"], "the limit")
        await scene.stage.platform.settled()
        scene.lilei("L2")
        await scene.until(scene.settled, "both messages")
        await scene.examine()
        assert scene.told(WEIXIN) == ()


@pytest.mark.parametrize(
    ("switch", "events"),
    [
        ("enter_scene_unknown", 1),
        ("enter_scene_reused", 1),
        ("enter_lost", 0),
        ("enter_twice", 2),
        ("welcome_code_absent", 1),
        ("welcome_code_expired", 1),
    ],
)
async def test_entering_the_chat_disturbs_nothing(switch: str, events: int) -> None:
    """However odd an entry is reported, it is archived as a note and relayed to nobody."""
    async with on_stage() as scene:
        platform, customer = scene.stage.platform, scene.stage.customer
        scene.pass_time(49 * 3600)  # a welcome is only due to who has not written for two days
        platform.faults.arm(switch)
        platform.enter(customer, scene.stage.account, "card", "invitation-1")
        scene.lilei("L1")
        await scene.until(scene.settled, "what was said after entering")
        assert platform.faults.fired[switch] == 1
        scene.alice("A1")
        await scene.until(scene.settled, "the answer")
        await scene.examine()
        notes = await scene.rows("SELECT state FROM messages WHERE kind = 'note' AND network = 'weixin'")
        assert notes == [("noted",)] * events
        assert scene.told(SYMPHONY) == scene.told(WEIXIN) == ()


async def test_an_answer_that_says_sent_before_parks_a_first_attempt() -> None:
    """duplicate_msgid on the first attempt: the code means a bad parameter too, so a person has to look."""
    async with on_stage() as scene:
        scene.stage.platform.faults.arm("duplicate_msgid")
        scene.alice("A1")
        await scene.until(scene.settled, "the odd answer")
        assert (await scene.fates())["A1"] == "parked: parameter"
        assert scene.told(SYMPHONY) == ("undelivered",)


async def test_words_of_ours_that_find_the_window_closed_hold_nobody_back() -> None:
    """quota_used on a notice: it is parked with its reason, and what Alice writes then goes past it."""
    async with on_stage() as scene:
        scene.stage.platform.faults.arm("quota_used")
        scene.stage.pod.faults.add("status", route="message.create", status=451)
        scene.lilei("L1")
        await scene.until(lambda: scene.stage.platform.faults.fired["quota_used"], "the notice is refused")
        scene.alice("A1")
        await scene.until(scene.settled, "Alice goes past it")
        await scene.examine({"L1": "parked: compliance"})
        parked = await scene.rows("SELECT network, reason FROM deliveries WHERE state = 'parked' ORDER BY id")
        assert parked == [("symphony", "compliance"), ("weixin", "quota")]


async def _kinds(scene: Scene, source_id: str) -> list[tuple]:
    return await scene.rows(f"SELECT kind FROM messages WHERE source_id = '{source_id}'")
