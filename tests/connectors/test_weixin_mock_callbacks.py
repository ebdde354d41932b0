"""The mock's callbacks: sealed, verified, patient for 5 seconds, repeated three times, no more than needed.

Rules of this file: a real receiver on loopback opens what it is posted; timeouts are shortened by `Manners`.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest
from weixin_rig import AES_KEY, QUICK, TOKEN, Receiver, Rig, open_receiver, open_rig, until

from connectors.weixin.crypto import CryptError
from connectors.weixin.mock import CallbackRefused, Manners


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A served platform."""
    async with open_rig() as opened:
        yield opened


@pytest.fixture
async def receiver(rig: Rig) -> AsyncIterator[Receiver]:
    """A callback URL the platform knows."""
    async with open_receiver(rig.platform) as opened:
        yield opened


async def test_a_message_is_announced_with_a_token_to_pull_it(rig: Rig, receiver: Receiver) -> None:
    """The sealed notice names corp and account; its Token opens sync_msg. It carries no content."""
    rig.platform.say(rig.customer, text="秘密")
    await rig.platform.settled()
    (notice,) = receiver.opened()
    assert (notice["Event"], notice["OpenKfId"]) == ("kf_msg_or_event", rig.account)
    assert notice["ToUserName"] == rig.platform.corpid
    assert set(notice) == {"ToUserName", "CreateTime", "MsgType", "Event", "Token", "OpenKfId"}
    assert len((await rig.sync(token=notice["Token"]))["msg_list"]) == 1


async def test_the_vendors_manners_are_the_default() -> None:
    """5 s for an answer, then 3 retries."""
    assert (Manners().timeout, Manners().retries) == (5.0, 3)


async def test_verification_wants_the_bare_plaintext(rig: Rig, receiver: Receiver) -> None:
    """A URL that answers the decrypted echostr passes; one that answers anything else does not."""
    await rig.platform.verify_callback()
    rig.platform.set_callback(rig.url + "/_mock/", TOKEN, AES_KEY)
    with pytest.raises(CallbackRefused, match="not the decrypted echostr"):
        await rig.platform.verify_callback()
    rig.platform.set_callback("http://127.0.0.1:9/callback", TOKEN, AES_KEY)
    with pytest.raises(CallbackRefused, match="did not answer"):
        await rig.platform.verify_callback()


async def test_a_malformed_key_is_refused_when_configured(rig: Rig) -> None:
    """The console does not take a key of another length."""
    with pytest.raises(CryptError):
        rig.platform.set_callback("http://127.0.0.1:9", TOKEN, "short")


async def test_a_refused_notice_is_repeated_until_taken(rig: Rig, receiver: Receiver) -> None:
    """Status 500 twice, then 200: three posts of the same bytes, then quiet."""
    receiver.statuses = [500, 500]
    rig.platform.say(rig.customer, text="你好")
    await rig.platform.settled()
    assert [one.status for one in rig.platform.callbacks] == [500, 500, 200]
    assert receiver.posts[0] == receiver.posts[1] == receiver.posts[2]


async def test_after_three_retries_the_platform_gives_up(rig: Rig, receiver: Receiver) -> None:
    """Four posts in all; the message itself stays to be pulled."""
    receiver.statuses = [503] * 10
    rig.platform.say(rig.customer, text="你好")
    await rig.platform.settled()
    assert len(receiver.posts) == 4
    assert len((await rig.sync())["msg_list"]) == 1


async def test_a_slow_receiver_is_asked_again() -> None:
    """No answer within the timeout counts as none: the notice is repeated."""
    manners = Manners(timeout=0.5, retry_delay=QUICK.retry_delay)
    async with open_rig(manners=manners) as rig, open_receiver(rig.platform) as receiver:
        receiver.hang = asyncio.Event()
        rig.platform.say(rig.customer, text="你好")
        await until(lambda: len(receiver.posts) >= 2)
        receiver.hang.set()
        await rig.platform.settled()
        assert rig.platform.callbacks[0].status is None
        assert rig.platform.callbacks[-1].status == 200


async def test_waiting_notices_join(rig: Rig, receiver: Receiver) -> None:
    """A hundred messages at once ring once or twice, not a hundred times, and all can be pulled."""
    for number in range(100):
        rig.platform.say(rig.customer, text=str(number))
    await rig.platform.settled()
    assert len(receiver.posts) <= 2
    assert len((await rig.sync())["msg_list"]) == 100


async def test_a_message_during_a_post_rings_again(rig: Rig, receiver: Receiver) -> None:
    """What is said while a notice is under way is announced by another one: nothing is left unannounced."""
    receiver.hang = asyncio.Event()
    rig.platform.say(rig.customer, text="one")
    await until(lambda: len(receiver.posts) == 1)
    rig.platform.say(rig.customer, text="two")
    receiver.hang.set()
    await rig.platform.settled()
    assert len(receiver.posts) == 2


async def test_joining_can_be_switched_off() -> None:
    """With coalesce off each message has its own notice."""
    manners = Manners(timeout=QUICK.timeout, retry_delay=QUICK.retry_delay, coalesce=False)
    async with open_rig(manners=manners) as rig, open_receiver(rig.platform) as receiver:
        for number in range(5):
            rig.platform.say(rig.customer, text=str(number))
        await rig.platform.settled()
        assert len(receiver.posts) == 5


async def test_accounts_ring_apart(rig: Rig, receiver: Receiver) -> None:
    """Two accounts, two notices."""
    second = rig.platform.add_account("二号")
    rig.platform.say(rig.customer, rig.account, text="a")
    rig.platform.say(rig.customer, second, text="b")
    await rig.platform.settled()
    assert {one["OpenKfId"] for one in receiver.opened()} == {rig.account, second}


async def test_accounts_added_and_deleted_are_announced(rig: Rig, receiver: Receiver) -> None:
    """kf_account_auth_change from `sys` names the account that came or went."""
    added = (await rig.post("kf/account/add", {"name": "新"}))["open_kfid"]
    await rig.platform.settled()
    await rig.post("kf/account/del", {"open_kfid": added})
    await rig.platform.settled()
    came, went = receiver.opened()
    assert (came["Event"], came["FromUserName"], came["AuthAddOpenKfId"]) == (
        "kf_account_auth_change",
        "sys",
        added,
    )
    assert went["AuthDelOpenKfId"] == added


async def test_without_a_url_nothing_is_posted(rig: Rig) -> None:
    """A corp that configured no callback still has its messages."""
    rig.platform.say(rig.customer, text="你好")
    await rig.platform.settled()
    assert not rig.platform.callbacks
    assert len((await rig.sync())["msg_list"]) == 1
