"""The Weixin connector: what a permit allows arrives once, within the window, and what comes is described."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest
from contract import Over
from weixin_stage import PERMIT, Reader, Stage, staged

from bridge.errors import Refused, SignedOut, StoreError, Unreachable
from bridge.message import Content, File, Kind, Receipt, Traffic
from connectors.weixin.kf import WeixinConnector, WeixinSettings
from connectors.weixin.mock import State

SEND = "kf/send_msg"
MIB = 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n" + b"p" * 100
PDF = b"%PDF-" + b"x" * 200_000


async def refused(stage: Stage, content: Content | str = "hello", **permit: object) -> Refused:
    """How the platform or the plan refuses this."""
    with pytest.raises(Refused) as error:
        await stage.connector.send(stage.permit(content, **permit), stage.traffic)
    return error.value


async def away(stage: Stage, content: Content | str = "hello", **permit: object) -> Unreachable:
    """How this fails for now."""
    with pytest.raises(Unreachable) as error:
        await stage.connector.send(stage.permit(content, **permit), stage.traffic)
    return error.value


# --- sending --------------------------------------------------------------------------------------------


async def test_a_text_arrives_under_the_permits_id() -> None:
    """The permit's id is the msgid: the platform's idempotency key and our receipt."""
    async with staged() as stage:
        receipt = await stage.connector.send(
            stage.permit(Content("你好", author="Alice Wong")), stage.traffic
        )
        assert receipt == Receipt((PERMIT,))
        (shown,) = stage.platform.received(stage.customer)
        assert (shown.msgid, shown.text) == (PERMIT, "Alice Wong：你好")


async def test_long_text_arrives_in_order() -> None:
    """Three numbered parts, in order, together the whole text."""
    text = "段落。" * 500
    async with staged() as stage:
        receipt = await stage.connector.send(stage.permit(text), stage.traffic)
        assert receipt.ids == (PERMIT, f"{PERMIT}-1", f"{PERMIT}-2")
        assert "".join(part.partition(") ")[2] for part in stage.shown()) == text


async def test_nothing_is_sent_once_the_lease_is_over() -> None:
    """It is looked at before each part; that nothing went out is certain only before the first."""
    async with staged() as stage:
        stage.connector._lease = Over()
        assert (await away(stage)).certain
        assert stage.shown() == []
        stage.connector._lease = Over(looks=1)
        assert not (await away(stage, "段落。" * 500)).certain
        assert len(stage.shown()) == 1


async def test_very_long_text_arrives_as_a_file() -> None:
    """One line and one file of UTF-8 with its mark."""
    text = "长" * 5000
    async with staged() as stage:
        await stage.connector.send(stage.permit(text), stage.traffic)
        line, file = stage.platform.received(stage.customer)
        assert (line.msgtype, file.msgtype, file.file_name) == ("text", "file", "message.txt")
        assert file.media() == b"\xef\xbb\xbf" + text.encode()


async def test_pictures_and_files_arrive_with_bytes_and_names() -> None:
    """A picture is shown, a file keeps its name, and both follow the text."""
    async with staged() as stage:
        files = (stage.archive.put("d1", PNG, "图.png"), stage.archive.put("d2", PDF, "报告.pdf"))
        receipt = await stage.connector.send(stage.permit(Content("看", files=files)), stage.traffic)
        text, image, file = stage.platform.received(stage.customer)
        assert receipt.ids == (text.msgid, image.msgid, file.msgid)
        assert (image.msgtype, image.media()) == ("image", PNG)
        assert (file.msgtype, file.media(), file.file_name) == ("file", PDF, "报告.pdf")


async def test_a_file_sent_twice_is_uploaded_once_in_three_days() -> None:
    """A media id lives 3 days; it is used again within them and not after."""
    async with staged() as stage:
        content = Content("", files=(stage.archive.put("d1", PDF, "a.pdf"),))
        for number in range(2):
            await stage.connector.send(stage.permit(content, id=f"{number:020}"), stage.traffic)
        assert len(stage.calls("media/upload")) == 1
        stage.time.ahead += 3 * 24 * 3600
        await stage.connector.send(stage.permit(content, id="9" * 20), stage.traffic)
        assert len(stage.calls("media/upload")) == 2


async def test_a_media_id_that_went_stale_is_renewed_once() -> None:
    """40007 while sending: upload again, send again; a second 40007 is final."""
    async with staged() as stage:
        content = Content("", files=(stage.archive.put("d1", PDF, "a.pdf"),))
        stage.platform.faults.arm("errcode", route=SEND, errcode=40007)
        await stage.connector.send(stage.permit(content), stage.traffic)
        assert len(stage.calls("media/upload")) == 2
        stage.platform.faults.arm("errcode", route=SEND, errcode=40007, count=None)
        assert (await refused(stage, content, id="9" * 20)).code == "gone"


async def test_a_damaged_archive_stops_the_send() -> None:
    """Bytes that do not match their digest never go out."""
    async with staged() as stage:
        content = Content("", files=(stage.archive.put("d1", PDF, "a.pdf"),))
        stage.archive.broken.add("d1")
        with pytest.raises(StoreError):
            await stage.connector.send(stage.permit(content), stage.traffic)
        assert stage.calls(SEND) == []


@pytest.mark.parametrize(
    ("traffic", "code"), [(Traffic(0, 0), "window"), (Traffic(1, 0), "window"), (Traffic(2**60, 5), "quota")]
)
async def test_limits_are_known_before_anything_is_sent(traffic: Traffic, code: str) -> None:
    """Window and quota are checked from what we know; the platform is not even asked."""
    async with staged() as stage:
        with pytest.raises(Refused) as error:
            await stage.connector.send(stage.permit(), traffic)
        assert (error.value.code, error.value.until_inbound) == (code, True)
        assert stage.calls(SEND) == []


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("quota_used", "quota"),
        ("window_closed", "window"),
        ("session_ended", "window"),
        ("no_consultation", "window"),
    ],
)
async def test_limits_the_platform_knows_better_wait_for_the_customer(fault: str, code: str) -> None:
    """The platform's count decides, and the delivery becomes possible when the customer writes."""
    async with staged() as stage:
        stage.platform.faults.arm(fault)
        error = await refused(stage)
        assert (error.code, error.until_inbound, error.sent) == (code, True, ())


@pytest.mark.parametrize(
    ("errcode", "code"),
    [
        *((40003, "recipient"), (40096, "recipient"), (81013, "recipient"), (95000, "account")),
        *(
            (95004, "account"),
            (95030, "banned"),
            (41053, "consent"),
            (45002, "too-large"),
            (95003, "unverified"),
        ),
        *(
            (40058, "parameter"),
            (95019, "servicer"),
            (123456, "rejected"),
            (40007, "gone"),
            (95007, "rejected"),
        ),
    ],
)
async def test_what_the_platform_refuses_is_refused_for_good(errcode: int, code: str) -> None:
    """Each refusal has its stable word, is not tried again, and says that nothing went out."""
    async with staged() as stage:
        stage.platform.faults.arm("errcode", route=SEND, errcode=errcode)
        error = await refused(stage)
        assert (error.code, error.until_inbound, error.sent) == (code, False, ())
        assert len(stage.calls(SEND)) == 1


async def test_a_servicers_session_is_taken_over_once() -> None:
    """95018: the session is moved to the assistant and the message sent; the customer sees it once."""
    async with staged() as stage:
        stage.platform.faults.arm("state_forbids")
        await stage.connector.send(stage.permit(), stage.traffic)
        assert stage.calls("kf/service_state/trans")[0]["service_state"] == 1
        assert stage.shown() == ["hello"]


async def test_a_session_that_stays_closed_is_refused() -> None:
    """95018 again after the take-over: no third try."""
    async with staged() as stage:
        stage.platform.faults.arm("errcode", route=SEND, errcode=95018, count=None)
        stage.platform.faults.arm("errcode", route="kf/service_state/trans", errcode=0, count=None)
        error = await refused(stage)
        assert (error.code, error.until_inbound) == ("session", True)
        assert len(stage.calls(SEND)) == 2


@pytest.mark.parametrize(
    ("state", "outcome"), [(State.ENDED, True), (State.SERVICER, False), (State.ASSISTANT, None)]
)
async def test_an_illegal_take_over_reads_the_state(state: State, outcome: bool | None) -> None:
    """95016: an ended session opens when the customer writes, a servicer's does not; ours is ours already."""
    async with staged() as stage:
        session = stage.platform.world.session(
            stage.platform.account(stage.account), stage.platform.world.customer(stage.customer)
        )
        stage.platform.faults.arm("errcode", route=SEND, errcode=95018)
        stage.platform.faults.arm("errcode", route="kf/service_state/trans", errcode=95016)
        session.state = state
        if outcome is None:
            await stage.connector.send(stage.permit(), stage.traffic)
            assert stage.shown() == ["hello"]
            return
        error = await refused(stage)
        assert (error.code, error.until_inbound) == ("session", outcome)


async def test_a_take_over_that_is_refused_refuses_the_send() -> None:
    """The reason of the take-over's refusal is the one that is told."""
    async with staged() as stage:
        stage.platform.faults.arm("errcode", route=SEND, errcode=95018)
        stage.platform.faults.arm("errcode", route="kf/service_state/trans", errcode=95014)
        assert (await refused(stage)).code == "servicer"


async def test_refused_settings_sign_out() -> None:
    """Nothing went out, and a person is told what to do."""
    async with staged() as stage:
        stage.platform.faults.arm("address_untrusted", route=SEND)
        with pytest.raises(SignedOut) as out:
            await stage.connector.send(stage.permit(), stage.traffic)
        assert out.value.remedy


# --- uncertain sends ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["drop_after", "drop_before", "reply_garbage", "http_5xx"])
async def test_a_resend_after_a_lost_answer_arrives_once(fault: str) -> None:
    """Whether the first try was worked or not, the customer sees one message, under one msgid."""
    async with staged() as stage:
        await stage.connector.accounts()
        stage.platform.faults.arm(fault, route=SEND)
        assert not (await away(stage)).certain
        receipt = await stage.connector.send(stage.permit(uncertain=True, attempt=2), stage.traffic)
        assert receipt.ids == (PERMIT,)
        assert receipt.spent == (fault in ("drop_before", "http_5xx"))  # a repeat may belong to a past window
        assert stage.shown() == ["hello"]
        assert {call["msgid"] for call in stage.calls(SEND) if call} == {PERMIT}


async def test_a_used_msgid_is_an_error_where_it_cannot_be_ours() -> None:
    """On a first try the duplicate's code is what its row says: nothing is taken for sent by guessing."""
    async with staged() as stage:
        stage.platform.faults.arm("errcode", route=SEND, errcode=40058)
        assert (await refused(stage)).code == "parameter"
        assert stage.shown() == []


async def test_which_codes_mean_a_used_msgid_is_a_setting() -> None:
    """The vendor does not document it. Without the right code a repeat waits for a person."""
    async with staged(duplicate_errcodes=frozenset({95099})) as stage:
        stage.platform.world.rules.duplicate_errcode = 95099
        await stage.connector.send(stage.permit(), stage.traffic)
        assert (await stage.connector.send(stage.permit(uncertain=True), stage.traffic)).ids == (PERMIT,)
        stage.platform.world.rules.duplicate_errcode = 95098
        error = await refused(stage, uncertain=True)
        assert "earlier attempt may have arrived" in str(error)


async def test_a_duplicate_after_a_busy_answer_is_our_own() -> None:
    """-1 may have been worked after all: the quick repeat then meets its own msgid."""
    async with staged() as stage:
        stage.platform.faults.arm("busy", route=SEND)
        stage.platform.faults.arm("duplicate_msgid")
        assert (await stage.connector.send(stage.permit(), stage.traffic)).ids == (PERMIT,)
        assert stage.shown() == ["hello"]


async def test_nothing_sent_is_said_to_be_certain_only_when_it_is() -> None:
    """A platform that cannot be reached got nothing; after an uncertain attempt nothing is certain."""
    settings = WeixinSettings("ww1", "s", api_url="http://127.0.0.1:9", timeout=2)
    async with staged() as stage, WeixinConnector(settings, stage.archive, clock=stage.time) as nobody:
        for uncertain in (False, True):
            with pytest.raises(Unreachable) as error:
                await nobody.send(stage.permit(uncertain=uncertain), stage.traffic)
            assert error.value.certain is not uncertain


@pytest.mark.parametrize(("fault", "after"), [("frequency_limit", 60.0), ("concurrency_limit", 4.0)])
async def test_limits_on_calls_are_certain_and_named_in_seconds(fault: str, after: float) -> None:
    """45009 and 45033 refuse before working: certain, with a time to come back."""
    async with staged() as stage:
        stage.platform.faults.arm(fault, route=SEND)
        error = await away(stage)
        assert error.certain and 0 < (error.retry_after or 0) <= after


async def test_a_lost_upload_leaves_no_doubt() -> None:
    """An upload shows the customer nothing."""
    async with staged() as stage:
        content = Content("", files=(stage.archive.put("d1", PDF, "a.pdf"),))
        stage.platform.faults.arm("drop_after", route="media/upload")
        assert (await away(stage, content)).certain
        await stage.connector.send(stage.permit(content), stage.traffic)
        assert len(stage.platform.received(stage.customer)) == 1


async def test_parts_that_went_out_are_named_when_a_later_one_is_refused() -> None:
    """The desk must know what the customer has seen."""
    async with staged() as stage:
        stage.platform.faults.arm("errcode", route="media/upload", errcode=40005)
        content = Content("看", files=(stage.archive.put("d1", PDF, "a.pdf"),))
        error = await refused(stage, content)
        assert (error.code, error.sent, error.text_sent) == ("media", (PERMIT,), True)
        assert stage.shown() == ["看"]


@pytest.mark.parametrize("fault", ["concurrency_limit", "address_untrusted", "drop_after"])
async def test_half_a_message_is_finished_by_the_next_attempt(fault: str) -> None:
    """If a later part fails for now, nothing is certain, and the repeat completes without doubling."""
    async with staged() as stage:
        await stage.connector.send(stage.permit("warm", id="w" * 20), stage.traffic)
        content = Content("看", files=(stage.archive.put("d1", PDF, "a.pdf"),))
        stage.platform.faults.arm(fault, route="media/upload")
        assert not (await away(stage, content)).certain
        receipt = await stage.connector.send(stage.permit(content, uncertain=True), stage.traffic)
        assert receipt.ids == (PERMIT, f"{PERMIT}-1")
        assert [one.msgtype for one in stage.platform.received(stage.customer)] == ["text", "text", "file"]


async def test_many_conversations_at_once() -> None:
    """Sends share one token and one pool of connections."""
    async with staged() as stage:
        customers = [stage.platform.add_customer(f"客户{number}") for number in range(30)]
        for customer in customers:
            stage.platform.say(customer, stage.account, text="在吗")
        stage.platform.faults.arm("token_expired", route=SEND)

        async def send(number: int, customer: str) -> None:
            permit = stage.permit("hi", id=f"{number:020}")
            object.__setattr__(permit, "conversation", f"{stage.account}/{customer}")
            await stage.connector.send(permit, stage.traffic)

        await asyncio.gather(*(send(number, customer) for number, customer in enumerate(customers)))
        assert all(len(stage.platform.received(customer)) == 1 for customer in customers)
        assert sum(call.route == "gettoken" for call in stage.platform.requests) == 2


# --- receiving: what the platform tells beside the message ----------------------------------------------


async def test_a_file_has_its_own_name_and_can_be_fetched() -> None:
    """The name stands only in the download's headers; the advisor must see it."""
    async with staged() as stage, Reader(stage.connector) as reader:
        stage.platform.say(stage.customer, file=("合同.pdf", PDF))
        await reader.until(lambda it: len(it.messages) == 2)
        (file,) = reader.messages[-1].files
        assert (file.name, file.kind) == ("合同.pdf", Kind.FILE)
        assert b"".join([piece async for piece in stage.connector.fetch(file)]) == PDF


@pytest.mark.parametrize("fault", ["http_5xx", "drop_before"])
async def test_an_unknown_name_does_not_hold_up_a_message(fault: str) -> None:
    """Nicknames and file names are courtesy: when they cannot be had the message comes without."""
    async with staged() as stage:
        stage.platform.faults.arm(fault, route="kf/customer/batchget", count=None)
        stage.platform.faults.arm(fault, route="media/get", count=None)
        stage.platform.say(stage.customer, file=("合同.pdf", PDF))
        async with Reader(stage.connector) as reader:
            await reader.until(lambda it: len(it.messages) == 2)
            assert [message.sender_name for message in reader.messages] == ["", ""]
            assert reader.messages[1].files[0].name.startswith("file-")
            assert len(stage.calls("kf/customer/batchget")) == 1


async def test_after_a_name_that_did_not_come_none_is_asked_for_a_while() -> None:
    """A thousand files in an outage of the media server must not wait for a thousand timeouts."""
    async with staged() as stage:
        stage.platform.faults.arm("drop_before", route="media/get", count=None)
        for number in range(5):
            stage.platform.say(stage.customer, file=(f"{number}.pdf", PDF))
        async with Reader(stage.connector) as reader:
            await reader.until(lambda it: len(it.messages) == 6)
        assert len(stage.calls("media/get")) <= 2  # the HTTP client may try one GET a second time


async def test_pictures_are_not_asked_for_a_name() -> None:
    """Only files have one; every question is a call."""
    async with staged() as stage, Reader(stage.connector) as reader:
        stage.platform.say(stage.customer, image=PNG)
        await reader.until(lambda it: len(it.messages) == 2)
        assert reader.messages[1].kind is Kind.IMAGE
        assert stage.calls("media/get") == []


async def test_names_are_asked_for_once() -> None:
    """A hundred messages of one customer are one question."""
    async with staged() as stage, Reader(stage.connector) as reader:
        for number in range(5):
            stage.platform.say(stage.customer, text=str(number))
        await reader.until(lambda it: len(it.messages) == 6)
        assert len(stage.calls("kf/customer/batchget")) == 1
        assert {message.sender_name for message in reader.messages} == {"李雷"}


async def test_recalls_failures_and_entries_come_through() -> None:
    """What happens to messages later is received like messages."""
    async with staged() as stage, Reader(stage.connector) as reader:
        msgid = stage.platform.say(stage.customer, text="口误")
        stage.platform.recall(msgid)
        await stage.connector.send(stage.permit(), stage.traffic)
        stage.platform.fail_delivery(PERMIT, 10)
        stage.platform.enter(stage.customer, scene="s", scene_param="CODE")
        stage.platform.servicer_says("zhangsan", stage.customer, text="我来")
        await reader.until(lambda it: any(message.sender == "zhangsan" for message in it.messages))
        told = {(message.kind, message.refers_to) for message in reader.messages}
        assert {(Kind.RECALL, msgid), (Kind.FAILED, PERMIT), (Kind.NOTE, "scene:CODE")} <= told
        assert reader.messages[-1].defect


# --- fetching -------------------------------------------------------------------------------------------


async def test_what_is_gone_is_refused() -> None:
    """After 3 days a medium cannot be had any more."""
    async with staged() as stage:
        stage.platform.faults.arm("media_gone")
        medium = stage.platform.media.put("file", "a.pdf", PDF)
        with pytest.raises(Refused) as error:
            async for _ in stage.connector.fetch(File(f'{{"media_id":"{medium.media_id}"}}', "a.pdf")):
                raise AssertionError("nothing may come")
        assert error.value.code == "gone"


@pytest.mark.parametrize("fault", ["media_truncated", "media_json_octets", "http_5xx"])
async def test_what_may_come_later_is_unreachable(fault: str) -> None:
    """A cut connection and a busy platform are worth another try."""
    async with staged() as stage:
        medium = stage.platform.media.put("file", "a.bin", b"x" * MIB)
        stage.platform.faults.arm(fault, route="media/get")
        with pytest.raises(Unreachable):
            async for _ in stage.connector.fetch(File(f'{{"media_id":"{medium.media_id}"}}', "a.bin")):
                pass


async def test_what_is_too_large_is_given_up_on_the_way() -> None:
    """The limit ends a download before it fills the disk."""
    async with staged(media_limit=MIB) as stage:
        medium = stage.platform.media.put("file", "a.bin", b"x" * (3 * MIB))
        size = 0
        with pytest.raises(Refused) as error:
            async for piece in stage.connector.fetch(File(f'{{"media_id":"{medium.media_id}"}}', "a.bin")):
                size += len(piece)
        assert error.value.code == "too-large"
        assert size <= MIB


# --- for people -----------------------------------------------------------------------------------------


async def test_accounts_are_listed_beyond_a_page() -> None:
    """Hundreds of accounts are listed whole."""
    async with staged() as stage:
        for number in range(120):
            stage.platform.add_account(f"第{number}")
        found = await stage.connector.accounts()
        assert len(found) == 121
        assert (found[0].open_kfid, found[0].name) == (stage.account, "示例银行")


async def test_a_contact_link_carries_its_code() -> None:
    """Opening the link repeats the code to us, whatever characters it has."""
    async with staged() as stage:
        link = await stage.connector.contact_link(stage.account, "invite", "A/B&C=中")
        assert parse_qs(urlsplit(link).query)["scene_param"] == ["A/B&C=中"]


@pytest.mark.parametrize(("scene", "param"), [("x" * 33, ""), ("空", ""), ("s", "中" * 50)])
async def test_a_contact_link_that_would_be_cut_is_refused(scene: str, param: str) -> None:
    """A code that the platform cuts would match nobody."""
    async with staged() as stage:
        with pytest.raises(Refused):
            await stage.connector.contact_link(stage.account, scene, param)


async def test_a_customer_is_known_by_id_alone() -> None:
    """The nickname is shown, never searched."""
    async with staged() as stage:
        party = await stage.connector.customer(stage.customer)
        assert party is not None
        assert (party.network, party.id, party.name) == ("weixin", stage.customer, "李雷")
        assert await stage.connector.customer("wm-nobody") is None


async def test_check_finds_everything_right() -> None:
    """Token, accounts and callback, each with a word."""
    async with staged() as stage:
        assert [(what, good) for what, good, _ in await stage.connector.check()] == [
            ("token", True),
            ("accounts", True),
            ("callback", True),
        ]


async def test_check_says_what_is_wrong() -> None:
    """Each trouble is named where it is, with what to do."""
    async with staged(callback=False, open_kfids=("wk-missing",)) as stage:
        found = {what: (good, detail) for what, good, detail in await stage.connector.check()}
        assert found["token"][0]
        assert not found["accounts"][0] and "console" not in found["callback"][1]
        assert not found["callback"][0] and "polled" in found["callback"][1]
        stage.platform.faults.arm("address_untrusted", count=None)
        stage.time.ahead += 7200
        (what, good, detail), *_ = await stage.connector.check()
        assert (what, good) == ("token", False) and "IP" in detail


@pytest.mark.parametrize("fault", [{"errcode": 95004}, {"errcode": 45033}])
async def test_check_says_why_accounts_cannot_be_listed(fault: dict[str, int]) -> None:
    """A refusal and an outage are findings, not crashes."""
    async with staged() as stage:
        stage.platform.faults.arm("errcode", route="kf/account/list", **fault)
        found = {what: (good, detail) for what, good, detail in await stage.connector.check()}
        assert found["accounts"][0] is False
        assert str(fault["errcode"]) in found["accounts"][1]


async def test_the_connector_is_used_inside_its_block() -> None:
    """Outside there is no connection, and the mistake is named."""
    async with staged() as stage:
        outside = WeixinConnector(WeixinSettings("ww1", "s"), stage.archive)
        with pytest.raises(RuntimeError, match="async with"):
            await outside.accounts()
