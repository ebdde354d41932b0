"""Signing in: the signed token, one login for all who wait, pauses, and when a person is needed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bridge.errors import SignedOut, Unreachable
from connectors.symphony.auth import SignIn, Tokens, agent_version
from connectors.symphony.settings import SymphonySettings
from connectors.symphony.wire import Reply

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
START = 1_700_000_000_000
UNAUTHORIZED = Reply(401, b'{"code":401,"message":"Unauthorized"}')

Script = Callable[[str, dict[str, Any]], Reply]


def pem(key: Any, form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8) -> str:
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


class Clock:
    """Time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> int:
        return self.at


class Platform:
    """The login services, answering by a script."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def ask(self, method: str, url: str, doing: str, *, within: float, **request: Any) -> Reply:
        path = url.removeprefix("https://acme.example")
        self.asked.append((path, request))
        await asyncio.sleep(0)
        return self.script(path, request)


def granted(path: str, _request: dict[str, Any]) -> Reply:
    """Everything is right."""
    return Reply(200, json.dumps({"token": f"token of {path}", "name": "x"}).encode())


async def sign_in(script: Script, clock: Clock | None = None, key: str = "") -> tuple[SignIn, Platform]:
    """A sign-in against a scripted platform."""
    platform = Platform(script)
    settings = SymphonySettings(
        "https://acme.example", "bridge-bot", key or pem(KEY), sign_in_pause=30.0, sign_in_patience=900.0
    )
    signing = SignIn(settings, platform, clock or Clock())  # type: ignore[arg-type]
    await signing.prepare()
    return signing, platform


@pytest.mark.parametrize(
    "form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL]
)
async def test_the_signed_token_is_what_the_platform_wants(form: serialization.PrivateFormat) -> None:
    """RS512, our user name, at most five minutes; the same for both services."""
    signing, platform = await sign_in(granted, key=pem(KEY, form))
    tokens = await signing.tokens()
    assert tokens.headers == {
        "sessionToken": "token of /login/pubkey/authenticate",
        "keyManagerToken": "token of /relay/pubkey/authenticate",
    }
    (_, first), (_, second) = platform.asked
    assert first == second
    token = first["json"]["token"]
    assert jwt.get_unverified_header(token)["alg"] == "RS512"
    claims = jwt.decode(token, KEY.public_key(), algorithms=["RS512"], options={"verify_exp": False})
    assert claims["sub"] == "bridge-bot" and START / 1000 < claims["exp"] <= START / 1000 + 300


async def test_tokens_are_kept_until_they_are_refused() -> None:
    """Asking again costs nothing; a refusal costs one login, and only the first who reports it."""
    signing, platform = await sign_in(granted)
    first = await signing.tokens()
    assert await signing.tokens() is first
    second = await signing.renew(first.generation)
    assert second.generation == first.generation + 1
    assert await signing.renew(first.generation) is second
    assert len(platform.asked) == 4


async def test_many_who_wait_share_one_login() -> None:
    """Twenty calls at the start, and twenty refusals later, are two logins."""
    signing, platform = await sign_in(granted)
    tokens = await asyncio.gather(*(signing.tokens() for _ in range(20)))
    await asyncio.gather(*(signing.renew(tokens[0].generation) for _ in range(20)))
    assert len(platform.asked) == 4


def skd_token(**claims: Any) -> str:
    return jwt.encode(claims, "k" * 32, algorithm="HS256")


@pytest.mark.parametrize(
    ("claims", "version", "key_manager"),
    [
        ({"canUseSimplifiedKeyDelivery": True}, "Agent-24.12.0-Linux", ""),
        ({"canUseSimplifiedKeyDelivery": True}, "Agent-25.1.0-Linux", ""),
        ({"canUseSimplifiedKeyDelivery": True}, "Agent-24.5.9-Linux", "km"),
        ({"canUseSimplifiedKeyDelivery": True}, "unknown", "km"),
        ({"canUseSimplifiedKeyDelivery": False}, "Agent-25.1.0-Linux", "km"),
        ({}, "Agent-25.1.0-Linux", "km"),
    ],
)
async def test_simplified_key_delivery_needs_the_claim_and_a_new_agent(
    claims: dict[str, Any], version: str, key_manager: str
) -> None:
    """The key manager is left out only when both sides can do without it."""

    def script(path: str, _request: dict[str, Any]) -> Reply:
        if path == "/agent/v1/info":
            return Reply(200, json.dumps({"version": version}).encode())
        return Reply(200, json.dumps({"token": skd_token(**claims) if "login" in path else "km"}).encode())

    signing, _ = await sign_in(script)
    assert (await signing.tokens()).key_manager == key_manager


def test_agent_versions() -> None:
    """A reply that names no version is an old agent."""
    assert agent_version(b'{"version":"Agent-25.10.1-Linux-4.14"}') == (25, 10)
    assert agent_version(b"<html>") == (0, 0)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500, b"{}"),
        Reply(503, b"", 40.0),
        Reply(429, b"", 40.0),
        Reply(401, b"<html>balancer</html>", media_type="text/html"),
        Reply(200, b"<html>balancer</html>", media_type="text/html"),
        Reply(200, b'{"token":""}'),
        Reply(200, b'{"token":5}'),
        Reply(200, b"[]"),
    ],
)
async def test_an_outage_of_the_login_service_is_waited_for(reply: Reply) -> None:
    """Nothing was sent, and nobody asks again before the pause is over, however many want to."""
    clock = Clock()
    replies = [reply]
    signing, platform = await sign_in(
        lambda path, request: replies.pop() if replies else granted(path, request), clock
    )
    with pytest.raises(Unreachable) as caught:
        await signing.tokens()
    assert caught.value.certain
    assert caught.value.retry_after == (reply.retry_after or 0.5)
    asked = len(platform.asked)
    with pytest.raises(Unreachable):
        await signing.tokens()
    assert len(platform.asked) == asked
    clock.at += int((reply.retry_after or 0.5) * 1000)
    assert isinstance(await signing.tokens(), Tokens)


async def test_refused_credentials_are_an_outage_first_and_a_case_for_a_person_later() -> None:
    """401 may be maintenance: tried again with long pauses, it becomes `SignedOut` after 15 minutes."""
    clock = Clock()
    signing, platform = await sign_in(lambda *_: UNAUTHORIZED, clock)
    for minute in range(15):
        clock.at = START + minute * 60_000
        with pytest.raises(Unreachable) as waiting:
            await signing.tokens()
        assert waiting.value.retry_after == 30.0
        assert signing.refused_since == START
    clock.at = START + 15 * 60_000
    for _ in range(3):
        with pytest.raises(SignedOut) as caught:
            await signing.tokens()
    assert caught.value.remedy and "bridge-bot" in str(caught.value)
    assert len(platform.asked) == 16
    clock.at += 30_000
    platform.script = granted
    await signing.tokens()
    assert signing.refused_since == 0


async def test_a_refusing_key_manager_counts_like_a_refusing_pod() -> None:
    """Both tokens are needed; the first alone is no sign-in."""
    signing, _ = await sign_in(lambda path, r: UNAUTHORIZED if "relay" in path else granted(path, r))
    with pytest.raises(Unreachable):
        await signing.tokens()
    assert signing.refused_since == START


@pytest.mark.parametrize("key", ["no key", pem(ec.generate_private_key(ec.SECP256R1()))])
async def test_a_key_that_cannot_sign_is_said_at_once(key: str) -> None:
    """No waiting would mend it, and the key itself is not repeated."""
    with pytest.raises(SignedOut) as caught:
        await sign_in(granted, key=key)
    assert "PEM" in caught.value.remedy and key not in str(caught.value)
