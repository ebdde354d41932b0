"""The callback URL: genuine callbacks are passed on and answered at once, everything else is turned away."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from weixin_stage import AES_KEY, TOKEN

from connectors.weixin import wire
from connectors.weixin.crypto import CallbackCrypt
from connectors.weixin.listener import CallbackListener

CORP = "ww1"
PLAIN = b"<xml><Event>kf_msg_or_event</Event><Token>T</Token><OpenKfId>wk1</OpenKfId></xml>"


@dataclass
class Door:
    """A listening callback URL, a client at it, and what was passed on."""

    url: str
    client: aiohttp.ClientSession
    rung: list[wire.Callback] = field(default_factory=list)

    async def post(
        self, plain: bytes = PLAIN, *, corp: str = CORP, forged: bool = False
    ) -> tuple[int, bytes]:
        """Post `plain` as the platform would: (status, body) of the answer."""
        encrypted, signature = CallbackCrypt(TOKEN, AES_KEY, corp).seal(plain, "1", "n", b"r" * 16)
        body = f"<xml><ToUserName>{corp}</ToUserName><Encrypt>{encrypted}</Encrypt></xml>".encode()
        return await self.post_raw(body, signature if not forged else "0" * 40)

    async def post_raw(self, body: bytes, signature: str = "") -> tuple[int, bytes]:
        """Post any bytes with any signature."""
        query = {"msg_signature": signature, "timestamp": "1", "nonce": "n"}
        async with self.client.post(self.url, params=query, data=body) as answer:
            return answer.status, await answer.read()


@contextlib.asynccontextmanager
async def door() -> AsyncIterator[Door]:
    rung: list[wire.Callback] = []
    crypt = CallbackCrypt(TOKEN, AES_KEY, CORP)
    listener = CallbackListener(crypt, "127.0.0.1", 0, "/weixin/callback", rung.append)
    async with listener, aiohttp.ClientSession() as client:
        yield Door(f"http://127.0.0.1:{listener.bound_port}/weixin/callback", client, rung)
    assert listener.bound_port == 0


async def test_a_genuine_callback_is_passed_on_and_answered_empty() -> None:
    """200 and an empty body mean: accepted."""
    async with door() as at:
        assert await at.post() == (200, b"")
        assert at.rung == [wire.Callback(wire.NEW_MESSAGES, "wk1", "T")]


async def test_a_replay_does_no_harm() -> None:
    """The same bytes twice are two rings of the same bell."""
    async with door() as at:
        assert [await at.post(), await at.post()] == [(200, b"")] * 2
        assert len(at.rung) == 2


async def test_a_wrong_signature_is_turned_away() -> None:
    """Who does not know the token is nobody."""
    async with door() as at:
        assert (await at.post(forged=True))[0] == 403
        assert at.rung == []


async def test_a_callback_for_another_corp_is_turned_away() -> None:
    """A key shared by two corps does not mix them."""
    async with door() as at:
        assert (await at.post(corp="ww2"))[0] == 403
        assert at.rung == []


@pytest.mark.parametrize(
    "body", [b"", b"<xml/>", b"\xff\xfe", b"{}", b'<!DOCTYPE a [<!ENTITY b "c">]><xml>&b;</xml>']
)
async def test_anything_else_is_turned_away(body: bytes) -> None:
    """Scanners find every URL."""
    async with door() as at:
        assert (await at.post_raw(body))[0] == 403
        assert at.rung == []


async def test_an_endless_body_is_not_read() -> None:
    """A callback is small."""
    async with door() as at:
        assert (await at.post_raw(b"x" * 100_000))[0] == 413


async def test_a_genuine_callback_that_is_no_xml_is_passed_on_to_be_held() -> None:
    """It was signed by the platform: somebody must see it."""
    async with door() as at:
        assert (await at.post(b"not xml"))[0] == 200
        (callback,) = at.rung
        assert callback.unreadable is not None and callback.unreadable.raw == b"not xml"


async def test_the_consoles_check_gets_its_echo_bare() -> None:
    """The decrypted echo is the whole body: no quotes, mark or newline."""
    async with door() as at:
        echo, signature = CallbackCrypt(TOKEN, AES_KEY, CORP).seal(
            b"1616140317555161061", "1", "n", b"r" * 16
        )
        query = {"msg_signature": signature, "timestamp": "1", "nonce": "n", "echostr": echo}
        async with at.client.get(at.url, params=query) as answer:
            assert (answer.status, await answer.read()) == (200, b"1616140317555161061")
        async with at.client.get(at.url, params={**query, "nonce": "m"}) as answer:
            assert answer.status == 403
        async with at.client.get(at.url) as answer:
            assert answer.status == 403
