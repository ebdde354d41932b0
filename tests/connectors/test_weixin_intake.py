"""Following accounts: nothing is skipped, nothing runs ahead of the archive, and outages are sat out."""

from __future__ import annotations

import pytest
from weixin_stage import Reader, staged

from bridge.errors import SignedOut
from bridge.message import Kind
from connectors.weixin import wire

DAY = 24 * 3600.0


async def test_a_callback_brings_the_message_at_once() -> None:
    """What is written while the bridge runs comes by callback, long before the next look."""
    async with staged(poll_interval=3600) as stage, Reader(stage.connector) as reader:
        await reader.until(lambda it: it.texts == ["在吗"])
        stage.platform.say(stage.customer, text="你好")
        await reader.until(lambda it: it.texts == ["在吗", "你好"])
        message = reader.messages[-1]
        assert (message.conversation, message.sender_name) == (stage.conversation, "李雷")
        assert stage.calls("kf/sync_msg")[-1]["token"] != ""


async def test_the_callback_is_answered_before_anything_is_pulled() -> None:
    """A slow pull must not cost the 5 seconds that the platform waits."""
    async with staged(poll_interval=3600) as stage, Reader(stage.connector) as reader:
        await reader.until(lambda it: it.texts == ["在吗"])
        stage.platform.faults.arm("slow", route="kf/sync_msg", seconds=0.5)
        stage.platform.say(stage.customer, text="你好")
        await stage.platform.settled()
        assert stage.platform.callbacks[-1].status == 200
        assert reader.texts == ["在吗"]
        await reader.until(lambda it: it.texts == ["在吗", "你好"])


async def test_without_callbacks_accounts_are_looked_at_now_and_then() -> None:
    """A callback that never arrives delays a message; it does not lose it."""
    async with staged(callback=False, poll_interval=0.05) as stage, Reader(stage.connector) as reader:
        await reader.until(lambda it: it.texts == ["在吗"])
        stage.platform.say(stage.customer, text="你好")
        await reader.until(lambda it: it.texts == ["在吗", "你好"])


async def test_no_page_is_asked_for_before_the_last_was_acknowledged() -> None:
    """The cursor never runs ahead of the archive, however much is waiting and ringing."""
    async with staged(poll_interval=0.02) as stage:
        for number in range(3):
            stage.platform.say(stage.customer, text=str(number))
        stage.platform.faults.arm("sync_short_page", count=None, limit=1)
        async with Reader(stage.connector, by_hand=True) as reader:
            for pages in range(1, 5):
                await reader.until(lambda it, pages=pages: len(it.messages) == pages)
                stage.platform.say(stage.customer, text="ring")
                await stage.platform.settled()
                assert len(stage.calls("kf/sync_msg")) == pages
                await reader.acknowledge(reader.batches[-1])
        cursors = [call["cursor"] for call in stage.calls("kf/sync_msg")][:4]
        names = [batch.cursors[f"kf:{stage.account}"] for batch in reader.batches]
        assert cursors == ["", *names[:3]]


async def test_what_was_not_acknowledged_comes_again() -> None:
    """After a restart the committed cursor decides: acknowledged batches do not come again, others do."""
    async with staged(poll_interval=3600) as stage:
        async with Reader(stage.connector) as reader:
            await reader.until(lambda it: it.texts == ["在吗"])
        stage.platform.say(stage.customer, text="二")
        async with Reader(stage.connector, reader.committed, by_hand=True) as second:
            await second.until(lambda it: it.texts == ["二"])
        async with Reader(stage.connector, second.committed) as third:
            await third.until(lambda it: it.texts == ["二"])
        async with Reader(stage.connector, third.committed) as fourth:
            stage.platform.say(stage.customer, text="三")
            await fourth.until(lambda it: it.texts == ["三"])


async def test_one_account_does_not_wait_for_another() -> None:
    """An unacknowledged batch holds its own account alone."""
    async with staged(poll_interval=3600) as stage:
        other = stage.platform.add_account("第二")
        async with Reader(stage.connector, by_hand=True) as reader:
            stage.platform.say(stage.customer, other, text="另一个")
            await reader.until(lambda it: {"在吗", "另一个"} <= set(it.texts))
            assert {message.conversation for message in reader.messages} == {
                stage.conversation,
                f"{other}/{stage.customer}",
            }


async def test_empty_pages_with_more_are_followed() -> None:
    """`has_more` counts, not the length of the list; an endless row of them is not a busy loop."""
    async with staged(poll_interval=3600) as stage:
        stage.platform.faults.arm("sync_empty_page", count=4)
        async with Reader(stage.connector) as reader:
            await reader.until(lambda it: it.texts == ["在吗"])
        assert len(stage.calls("kf/sync_msg")) == 5
        assert len(stage.time.slept) == 4 and stage.time.slept[0] < stage.time.slept[-1]


async def test_a_stale_callback_token_is_dropped() -> None:
    """95007: the pull goes on by cursor alone."""
    async with staged(poll_interval=3600) as stage, Reader(stage.connector) as reader:
        await reader.until(lambda it: it.texts == ["在吗"])
        stage.platform.faults.arm("callback_token_expired")
        stage.platform.say(stage.customer, text="你好")
        await reader.until(lambda it: it.texts == ["在吗", "你好"])
        assert [call["token"] != "" for call in stage.calls("kf/sync_msg")[-2:]] == [True, False]


async def test_the_limit_of_pulls_without_token_does_not_hold_up_callbacks() -> None:
    """45009 on a pull without token: the next callback brings a token and is followed at once."""
    async with staged(poll_interval=3600) as stage:
        stage.platform.faults.arm("sync_tokenless_limit", count=None)
        async with Reader(stage.connector) as reader:
            await stage.until_called("kf/sync_msg", 1)
            stage.platform.say(stage.customer, text="你好")
            await reader.until(lambda it: it.texts == ["在吗", "你好"])


@pytest.mark.parametrize(
    "fault", ["http_5xx", "drop_before", "drop_after", "reply_garbage", "concurrency_limit"]
)
async def test_outages_are_sat_out(fault: str) -> None:
    """Nothing but time is lost when a pull fails."""
    async with staged(poll_interval=3600) as stage:
        stage.platform.faults.arm(fault, route="kf/sync_msg", count=2)
        async with Reader(stage.connector) as reader:
            await reader.until(lambda it: it.texts == ["在吗"])
            assert [message.kind for message in reader.messages] == [Kind.TEXT]


async def test_a_page_that_stays_unreadable_is_archived() -> None:
    """After some tries the bytes that nobody can read are shown to a person, and the pulls go on."""
    async with staged(poll_interval=3600) as stage, Reader(stage.connector) as reader:
        await reader.until(lambda it: it.texts == ["在吗"])
        stage.platform.faults.arm("reply_garbage", route="kf/sync_msg", count=5)
        stage.platform.say(stage.customer, text="你好")
        await reader.until(lambda it: len(it.messages) >= 2)
        garbage = reader.messages[1]
        assert garbage.kind is Kind.UNKNOWN and b"<html" in garbage.raw.lower()
        stage.platform.say(stage.customer, text="第三")
        await reader.until(lambda it: it.texts[-1] == "第三")


async def test_an_outage_at_the_start_is_sat_out() -> None:
    """Neither a token nor the list of accounts: the run begins when they can be had."""
    async with staged(callback=False, poll_interval=3600) as stage:
        stage.platform.faults.arm("http_5xx", route="gettoken")
        stage.platform.faults.arm("http_5xx", route="kf/account/list")
        async with Reader(stage.connector) as reader:
            await reader.until(lambda it: it.texts == ["在吗"])


async def test_refused_credentials_end_the_run() -> None:
    """What only a person can mend is raised, and nothing else."""
    async with staged(poll_interval=3600) as stage:
        stage.platform.faults.arm("secret_refused", count=None)
        async with Reader(stage.connector) as reader:
            with pytest.raises(SignedOut) as out:
                await reader.until(lambda it: bool(it.messages))
            assert out.value.remedy


async def test_an_account_taken_from_us_ends_the_run() -> None:
    """95017 while pulling: the console has to be looked at."""
    async with staged(poll_interval=3600) as stage:
        stage.platform.faults.arm("api_switched_off", route="kf/sync_msg")
        async with Reader(stage.connector) as reader:
            with pytest.raises(SignedOut):
                await reader.until(lambda it: bool(it.messages))


async def test_coming_back_after_three_days_is_noted() -> None:
    """Who was away for longer than messages are kept says so, before what came since."""
    async with staged(poll_interval=3600) as stage:
        async with Reader(stage.connector) as reader:
            await reader.until(lambda it: it.texts == ["在吗"])
        stage.time.ahead += 3 * DAY + 60
        stage.platform.say(stage.customer, text="还在吗")
        async with Reader(stage.connector, reader.committed) as back:
            await back.until(lambda it: len(it.messages) == 2)
            note, message = back.messages
            assert (note.kind, note.conversation) == (Kind.NOTE, f"{stage.account}/")
            assert "3 days" in note.text
            assert message.text == "还在吗"


async def test_a_quiet_week_is_no_gap() -> None:
    """Where nobody wrote, looking is enough: the time of looking is committed now and then."""
    async with staged(callback=False, poll_interval=0.02) as stage, Reader(stage.connector) as reader:
        await reader.until(lambda it: it.texts == ["在吗"])
        for _ in range(4):
            stage.time.ahead += 2 * DAY
            seen = str(stage.time.now())
            await reader.until(lambda it, seen=seen: it.committed[f"kf:{stage.account}:seen"] >= seen)
        assert reader.texts == ["在吗"]


async def test_a_cursor_the_platform_does_not_know_starts_over_with_a_note() -> None:
    """A cursor of another platform, or one too old: everything still kept comes, after a note."""
    async with staged(poll_interval=3600) as stage:
        stage.platform.faults.arm("errcode", route="kf/sync_msg", errcode=40058)
        async with Reader(stage.connector, {f"kf:{stage.account}": "lost"}) as reader:
            await reader.until(lambda it: len(it.messages) == 2)
            assert [message.kind for message in reader.messages] == [Kind.NOTE, Kind.TEXT]


async def test_repeated_messages_have_the_same_id() -> None:
    """The platform may yield a message twice; the archive tells by its id."""
    async with staged(poll_interval=3600) as stage, Reader(stage.connector) as reader:
        await reader.until(lambda it: it.texts == ["在吗"])
        stage.platform.faults.arm("sync_repeat", back=1)
        stage.platform.say(stage.customer, text="你好")
        await reader.until(lambda it: it.texts == ["在吗", "在吗", "你好"])
        assert reader.messages[0].id == reader.messages[1].id


async def test_an_account_added_while_we_run_is_followed() -> None:
    """The first callback of an unknown account of ours is enough."""
    async with staged(poll_interval=3600) as stage, Reader(stage.connector) as reader:
        await reader.until(lambda it: it.texts == ["在吗"])
        new = stage.platform.add_account("新")
        stage.platform.say(stage.customer, new, text="新的")
        await reader.until(lambda it: "新的" in it.texts)


async def test_accounts_come_and_go_by_callback() -> None:
    """What the console changes is followed at once, and an account that returns goes on where it was."""
    async with staged(poll_interval=3600) as stage, Reader(stage.connector) as reader:
        await reader.until(lambda it: it.texts == ["在吗"])
        account = stage.platform.world.accounts.pop(stage.account)
        changed = b"<xml><Event>kf_account_auth_change</Event><AuthDelOpenKfId>x</AuthDelOpenKfId></xml>"
        new = stage.platform.add_account("新")
        stage.connector._rung(wire.read_callback(changed))
        await stage.until_called("kf/account/list", 2)
        await reader.until(lambda it: f"kf:{new}" in it.committed)
        stage.platform.world.accounts[stage.account] = account
        stage.platform.say(stage.customer, stage.account, text="回来了")
        await reader.until(lambda it: it.texts == ["在吗", "回来了"])


async def test_an_account_that_refuses_its_pulls_does_not_stop_the_others() -> None:
    """95000 for one account is logged and tried again later; the rest goes on."""
    async with staged(poll_interval=3600) as stage, Reader(stage.connector) as reader:
        await reader.until(lambda it: it.texts == ["在吗"])
        stage.platform.faults.arm("errcode", route="kf/sync_msg", errcode=95000)
        stage.platform.say(stage.customer, text="你好")
        await reader.until(lambda it: it.texts == ["在吗", "你好"])


async def test_only_the_accounts_asked_for_are_followed() -> None:
    """An account outside the settings is none of ours, even when it rings."""
    async with (
        staged(poll_interval=3600, open_kfids=("wk-other",)) as stage,
        Reader(stage.connector) as reader,
    ):
        stage.platform.say(stage.customer, text="你好")
        await stage.platform.settled()
        assert {call["open_kfid"] for call in stage.calls("kf/sync_msg")} <= {"wk-other"}
        assert reader.messages == []


async def test_a_genuine_callback_nobody_can_read_is_archived() -> None:
    """It comes as a message of its own, without a cursor."""
    async with staged(poll_interval=3600) as stage, Reader(stage.connector) as reader:
        await reader.until(lambda it: it.texts == ["在吗"])
        stage.connector._rung(wire.read_callback(b"not xml"))
        await reader.until(lambda it: len(it.messages) == 2)
        assert reader.messages[-1].kind is Kind.UNKNOWN
        assert reader.batches[-1].cursors == {}


@pytest.mark.parametrize(
    "fault",
    [
        *("callback_duplicate", "callback_forged", "callback_replay", "callback_wrong_receiver"),
        *("callback_garbage", "callback_late_ack"),
    ],
)
async def test_faulty_callbacks_change_nothing(fault: str) -> None:
    """However a callback is repeated, forged or disturbed, each message comes once."""
    async with staged(poll_interval=3600) as stage, Reader(stage.connector) as reader:
        await reader.until(lambda it: it.texts == ["在吗"])
        stage.platform.faults.arm(fault)
        stage.platform.say(stage.customer, text="你好")
        await stage.platform.settled()
        await reader.until(lambda it: "你好" in it.texts)
        assert reader.texts == ["在吗", "你好"]
