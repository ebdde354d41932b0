"""The WeCom HTTP API: one renewal for everybody, and one meaning for every errcode and outage."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest
from aiohttp import web
from weixin_stage import PlayedTime

from bridge.errors import NetworkError, Refused, SignedOut, StoreError, Unreachable
from connectors.weixin.api import PIECE, Declined, Tokens, WeComApi, refusal
from connectors.weixin.errcodes import of
from connectors.weixin.mock import WeixinPlatform

LIST = "kf/account/list"
BODY = b'{"offset":0,"limit":100}'


class Line:
    """An API object at a served mock platform, and what it called."""

    def __init__(self, platform: WeixinPlatform, api: WeComApi, played: PlayedTime) -> None:
        self.platform, self.api, self.time = platform, api, played
        self.kfid = platform.add_account("示例银行")
        self.customer = platform.add_customer("李雷")

    @property
    def called(self) -> Counter[str]:
        """How often each route was called."""
        return Counter(call.route for call in self.platform.requests)


@contextlib.asynccontextmanager
async def line(*, secret: str = "", patience: float = 5.0) -> AsyncIterator[Line]:
    platform, played = WeixinPlatform(), PlayedTime()
    async with platform.serve() as url, aiohttp.ClientSession() as session:
        api = WeComApi(
            session, url, platform.corpid, secret or platform.secret, timeout=patience, pace=played.pace
        )
        yield Line(platform, api, played)


# --- the token ------------------------------------------------------------------------------------------


async def test_ten_failures_at_once_are_one_renewal() -> None:
    """Ten calls find the token stale at the same moment; one asks for a new one, all ten succeed."""
    async with line() as at:
        await at.api.call(LIST, BODY)
        at.platform.faults.arm("token_invalid", route=LIST, count=10)
        answers = await asyncio.gather(*(at.api.call(LIST, BODY) for _ in range(10)))
        assert len(answers) == 10
        assert at.called["gettoken"] == 2
        assert at.called[LIST] == 1 + 10 + 10


async def test_ten_first_calls_ask_for_one_token() -> None:
    """Nobody has a token yet: one asks, the others wait for it."""
    async with line() as at:
        await asyncio.gather(*(at.api.call(LIST, BODY) for _ in range(10)))
        assert at.called["gettoken"] == 1


@pytest.mark.parametrize("fault", ["token_invalid", "token_expired"])
async def test_a_stale_token_is_renewed_and_the_call_repeated_once(fault: str) -> None:
    """40014 and 42001 are not the caller's business."""
    async with line() as at:
        at.platform.faults.arm(fault, route=LIST)
        answer = await at.api.call(LIST, BODY)
        assert answer.members["account_list"][0]["open_kfid"] == at.kfid
        assert (at.called["gettoken"], at.called[LIST]) == (2, 2)


async def test_a_token_that_is_never_good_ends_after_one_repeat() -> None:
    """A platform that refuses what it has just issued is not asked for ever."""
    async with line() as at:
        at.platform.faults.arm("token_invalid", route=LIST, count=None)
        with pytest.raises(Unreachable) as away:
            await at.api.call(LIST, BODY)
        assert away.value.certain
        assert (at.called["gettoken"], at.called[LIST]) == (2, 2)


async def test_a_token_is_not_used_to_its_last_second() -> None:
    """Before its 7200 seconds are over a new one is asked for."""
    async with line() as at:
        await at.api.call(LIST, BODY)
        at.time.ahead += 7100
        await at.api.call(LIST, BODY)
        assert at.called["gettoken"] == 1
        at.time.ahead += 50
        await at.api.call(LIST, BODY)
        assert at.called["gettoken"] == 2


async def test_a_wrong_secret_signs_out_and_is_not_tried_again_for_a_minute() -> None:
    """Repeated wrong secrets block the address for an hour; the remedy says what to do."""
    async with line(secret="s3cret") as at:
        for _ in range(3):
            with pytest.raises(SignedOut) as out:
                await at.api.call(LIST, BODY)
            assert "secret" in out.value.remedy
            assert "s3cret" not in str(out.value)
        assert at.called["gettoken"] == 1
        at.time.ahead += 61
        with pytest.raises(SignedOut):
            await at.api.call(LIST, BODY)
        assert at.called["gettoken"] == 2


async def test_only_the_failed_token_is_replaced() -> None:
    """Compare and swap: who failed with an older token gets the newer one, without a fetch."""
    fetched = 0

    async def fetch() -> tuple[str, float]:
        nonlocal fetched
        fetched += 1
        return "the same while it lives", 7200.0

    tokens = Tokens(fetch, PlayedTime().pace)
    first = await tokens.current()
    second = await tokens.renew(first)
    assert await tokens.renew(first) is second
    assert fetched == 2


async def test_a_cancelled_renewal_leaves_the_door_open() -> None:
    """Whoever is cancelled while it fetches must not lock the others out."""
    entered = asyncio.Event()

    async def fetch() -> tuple[str, float]:
        if not entered.is_set():
            entered.set()
            await asyncio.Event().wait()
        return "t", 7200.0

    tokens = Tokens(fetch, PlayedTime().pace)
    stuck = asyncio.create_task(tokens.current())
    await entered.wait()
    stuck.cancel()
    await asyncio.gather(stuck, return_exceptions=True)
    assert (await tokens.current()).value == "t"


# --- errcodes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [-1, 6000])
async def test_busy_is_tried_again_a_few_times(code: int) -> None:
    """Two busy answers are waited out, longer each time."""
    async with line() as at:
        at.platform.faults.arm("errcode", route=LIST, count=2, errcode=code)
        await at.api.call(LIST, BODY)
        assert at.called[LIST] == 3
        assert len(at.time.slept) == 2 and at.time.slept[0] < at.time.slept[1]


@pytest.mark.parametrize("code", [-1, 6000])
async def test_busy_for_long_is_unreachable_and_uncertain(code: int) -> None:
    """A system error does not say how far the call got."""
    async with line() as at:
        at.platform.faults.arm("errcode", route=LIST, count=None, errcode=code)
        with pytest.raises(Unreachable) as away:
            await at.api.call(LIST, BODY)
        assert not away.value.certain
        assert at.called[LIST] == 3


async def test_a_frequency_limit_rests_that_call_for_a_minute() -> None:
    """45009 lasts as long as its window; calls meanwhile are not even made, other calls are."""
    async with line() as at:
        at.platform.faults.arm("frequency_limit", route=LIST)
        for _ in range(2):
            with pytest.raises(Unreachable) as away:
                await at.api.call(LIST, BODY)
            assert away.value.certain
            assert 59 < (away.value.retry_after or 0) <= 60
        assert at.called[LIST] == 1
        await at.api.call("kf/customer/batchget", orjson.dumps({"external_userid_list": [at.customer]}))
        at.time.ahead += 61
        await at.api.call(LIST, BODY)
        assert at.called[LIST] == 2


async def test_a_concurrency_limit_is_unreachable_for_a_moment() -> None:
    """45033: nothing was worked, another try soon."""
    async with line() as at:
        at.platform.faults.arm("concurrency_limit", route=LIST)
        with pytest.raises(Unreachable) as away:
            await at.api.call(LIST, BODY)
        assert away.value.certain
        assert 0 < (away.value.retry_after or 0) <= 4


@pytest.mark.parametrize(
    "code", [40013, 40056, 40091, 48002, 60011, 60020, 95011, 95012, 95015, 95017, 95023, 95026, 95027, 95031]
)
async def test_settings_that_are_refused_sign_out_with_a_remedy(code: int) -> None:
    """What only a person in the console can mend is said with what to do there."""
    async with line() as at:
        at.platform.faults.arm("errcode", route=LIST, errcode=code)
        with pytest.raises(SignedOut) as out:
            await at.api.call(LIST, BODY)
        assert out.value.remedy == of(code).remedy
        assert str(code) in str(out.value)
        assert at.called[LIST] == 1


async def test_an_untrusted_address_is_named() -> None:
    """Who has to add it to the list must know which one the platform saw."""
    async with line() as at:
        at.platform.faults.arm("address_untrusted", route=LIST)
        with pytest.raises(SignedOut, match=r"127\.0\.0\.1"):
            await at.api.call(LIST, BODY)


@pytest.mark.parametrize(
    "code",
    [
        *(40003, 40096, 81013, 40004, 40005, 40006, 40007, 40008, 40009, 40011, 45001, 45002, 40058),
        *(41001, 41005, 41053, 44002, 47001, 95000, 95003, 95004, 95005, 95006, 95007, 95008, 95009),
        *(95001, 95002, 95013, 95014, 95016, 95018, 95019, 95022, 95030, 95032, 123456),
    ],
)
async def test_other_codes_are_the_callers_to_decide(code: int) -> None:
    """Neither repeated nor swallowed: the caller sees the row."""
    async with line() as at:
        at.platform.faults.arm("errcode", route=LIST, errcode=code)
        with pytest.raises(Declined) as declined:
            await at.api.call(LIST, BODY)
        assert declined.value.row == of(code)
        assert at.called[LIST] == 1


@pytest.mark.parametrize(
    ("code", "word", "until_inbound"),
    [
        (95001, "quota", True),
        (95002, "window", True),
        (95013, "window", True),
        (95032, "window", True),
        (95018, "session", True),
        (40096, "recipient", False),
        (95030, "banned", False),
        (123456, "rejected", False),
    ],
)
def test_a_refusal_says_whether_it_ends_when_the_customer_writes(
    code: int, word: str, until_inbound: bool
) -> None:
    """The desk and the pipeline act on the word and on whether waiting helps."""
    refused = refusal(Declined("kf/send_msg", of(code)))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.until_inbound) == (word, until_inbound)
    assert "earlier attempt" in str(refusal(Declined("kf/send_msg", of(code)), uncertain=True))


# --- outages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["http_5xx", "drop_before", "drop_after", "reply_garbage"])
async def test_a_lost_answer_is_uncertain(fault: str) -> None:
    """From here a call that was cut and one that was worked look the same."""
    async with line() as at:
        await at.api.call(LIST, BODY)
        at.platform.faults.arm(fault, route=LIST)
        with pytest.raises(Unreachable) as away:
            await at.api.call(LIST, BODY)
        assert not away.value.certain
        await at.api.call(LIST, BODY)


async def test_a_slow_platform_is_given_up() -> None:
    """The timeout ends a call, and the outcome is unknown."""
    async with line(patience=0.1) as at:
        await at.api.call(LIST, BODY)
        at.platform.faults.arm("slow", route=LIST, seconds=0.5)
        with pytest.raises(Unreachable) as away:
            await at.api.call(LIST, BODY)
        assert not away.value.certain


async def test_nobody_there_is_certain_and_shows_no_secret() -> None:
    """A refused connection carried nothing. The URL holds the secret: it is not shown, causes included."""
    async with aiohttp.ClientSession() as session:
        api = WeComApi(session, "http://127.0.0.1:9", "ww1", "s3cret", timeout=2, pace=PlayedTime().pace)
        with pytest.raises(Unreachable) as away:
            await api.call(LIST, BODY)
    assert away.value.certain
    assert "s3cret" not in str(away.value)
    assert away.value.__suppress_context__ and away.value.__cause__ is None


async def test_json_labelled_as_text_is_read() -> None:
    """Older gateways label JSON as text/plain."""
    async with line() as at:
        at.platform.faults.arm("reply_text_plain", route=LIST)
        assert (await at.api.call(LIST, BODY)).members["errcode"] == 0


# --- media ----------------------------------------------------------------------------------------------


def pieces_of(data: bytes, piece: int = 70_000) -> AsyncIterator[bytes]:
    async def read() -> AsyncIterator[bytes]:
        for start in range(0, len(data), piece):
            yield data[start : start + piece]

    return read()


async def whole(stream: AsyncIterator[bytes]) -> bytes:
    data = b""
    async for piece in stream:
        assert 0 < len(piece) <= PIECE
        data += piece
    return data


@pytest.mark.parametrize("name", ["报告.pdf", 'a"b\\c.pdf', "😀.pdf", "x\r\ny.pdf"])
async def test_a_medium_goes_up_and_comes_down_unchanged(name: str) -> None:
    """Bytes and name survive the way there and back, whatever the name holds."""
    data = bytes(range(256)) * 3000
    async with line() as at:
        media_id = await at.api.upload("file", name, len(data), lambda: pieces_of(data))
        assert await whole(at.api.download(media_id)) == data
        shown = at.platform.media.find(media_id).name
        assert shown == name.replace('"', "_").replace("\\", "_").replace("\r", "_").replace("\n", "_")


async def test_an_upload_is_repeated_from_its_start() -> None:
    """After a stale token or a busy answer the bytes are read again, whole."""
    data = b"%PDF-" + b"x" * 100_000
    async with line() as at:
        at.platform.faults.arm("token_invalid", route="media/upload")
        at.platform.faults.arm("busy", route="media/upload")
        media_id = await at.api.upload("file", "a.pdf", len(data), lambda: pieces_of(data))
        assert at.platform.media.find(media_id).path.read_bytes() == data


async def test_a_damaged_archive_is_not_an_outage() -> None:
    """If the archive's bytes fail while they go up, the archive's own error comes out."""

    async def damaged() -> AsyncIterator[bytes]:
        yield b"x" * 10
        raise StoreError("the blob does not match its digest")

    async with line() as at:
        with pytest.raises(StoreError):
            await at.api.upload("file", "a.pdf", 1000, damaged)


@pytest.mark.parametrize("fault", ["media_gone", "media_json_octets"])
async def test_an_error_dressed_as_a_file_is_an_error(fault: str) -> None:
    """Errors come with status 200, and not always labelled as JSON."""
    async with line() as at:
        medium = at.platform.media.put("file", "a.pdf", b"%PDF-123456")
        at.platform.faults.arm(fault)
        with pytest.raises((Declined, NetworkError)):
            await whole(at.api.download(medium.media_id))


@pytest.mark.parametrize("data", [b'{"errcode":40007,"errmsg":"x"}', b"{}", b"[1]", b'{"a":1}' * 2000])
async def test_a_json_file_is_a_file(data: bytes) -> None:
    """A customer may send JSON, even JSON that looks like an error: it comes with a name."""
    async with line() as at:
        medium = at.platform.media.put("file", "a.json", data)
        assert await whole(at.api.download(medium.media_id)) == data


async def test_a_file_without_a_name_is_read_too() -> None:
    """Voice and pictures may come without a name."""
    async with line() as at:
        medium = at.platform.media.put("voice", "a.amr", b"#!AMR\n" + b"v" * 9000)
        at.platform.faults.arm("media_unnamed")
        assert len(await whole(at.api.download(medium.media_id))) == 9006


async def test_a_download_that_breaks_off_is_unreachable() -> None:
    """Half a file is no file."""
    async with line() as at:
        medium = at.platform.media.put("file", "a.bin", b"x" * 600_000)
        at.platform.faults.arm("media_truncated")
        with pytest.raises(Unreachable):
            await whole(at.api.download(medium.media_id))


async def test_a_download_renews_a_stale_token_once() -> None:
    """The same rule as for every other call."""
    async with line() as at:
        medium = at.platform.media.put("file", "a.bin", b"x" * 100)
        at.platform.faults.arm("token_invalid", route="media/get")
        assert await whole(at.api.download(medium.media_id)) == b"x" * 100
        at.platform.faults.arm("token_invalid", route="media/get", count=None)
        with pytest.raises(Unreachable):
            await whole(at.api.download(medium.media_id))


async def test_the_name_of_a_file_is_found_without_its_bytes() -> None:
    """Only the headers are wanted; who has none gives none."""
    async with line() as at:
        medium = at.platform.media.put("file", "合同.pdf", b"%PDF-123456")
        assert await at.api.file_name(medium.media_id) == "合同.pdf"
        assert await at.api.file_name("unknown") == ""


@pytest.mark.parametrize(("asked", "given"), [("7", 7.0), ("172800", 3600.0), ("soon", None)])
async def test_a_gateway_is_given_an_hour_at_most(asked: str, given: float | None) -> None:
    """Two days of patience would be two of the three for which customers' words can be pulled."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=503, headers={"Retry-After": asked})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    (address,) = runner.addresses
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{address[1]}"
        api = WeComApi(session, url, "ww1", "s3cret", timeout=60, pace=PlayedTime().pace)
        with pytest.raises(Unreachable) as away:
            await api.call(LIST, BODY)
    await runner.cleanup()
    assert away.value.retry_after == given
