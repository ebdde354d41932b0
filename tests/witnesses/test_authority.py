"""An authority that signs when a checkpoint existed: asked with a hash, believed only when all fits."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from aiohttp import web
from authority import Authority

from bridge.errors import Unwitnessed
from bridge.ledger.timestamp import roots_in, stamped
from bridge.store.signing import drawn
from bridge.witnesses.authority import TimeStamps

NOTE = drawn().sign(0, 7, bytes(32))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """One that answers."""
    return Authority(tmp_path / "authority")


def witness(url: str, authority: Authority) -> TimeStamps:
    """Who asks it, and trusts it."""
    return TimeStamps(f"rfc3161+{url}", 3600.0, roots_in(authority.roots.read_bytes()))


async def test_a_checkpoint_is_stamped(authority: Authority) -> None:
    """What comes back is the whole response, and it proves the time to anybody with the root."""
    async with authority.serving() as url:
        asking = witness(url, authority)
        answer = await asking.leave(0, 7, NOTE)
        assert await asking.newest(0) is None
        assert await asking.check() == "stamps, by CN=Test authority"
    stamp = stamped(answer, NOTE.encode(), roots_in(authority.roots.read_bytes()))
    assert abs(stamp.at / 1000 - time.time()) < 60


async def test_the_authority_learns_a_hash_and_nothing_else(authority: Authority) -> None:
    """Neither the note nor the name of the installation leaves this host."""
    seen: list[bytes] = []

    def listen(query: bytes) -> web.Response:
        seen.append(query)
        return authority.stamps(query)

    authority.answer = listen
    async with authority.serving() as url:
        await witness(url, authority).leave(0, 7, NOTE)
    assert len(seen[0]) < 100
    assert b"weighbridge" not in seen[0]


async def test_every_question_is_another(authority: Authority) -> None:
    """The answer to an earlier question, about the same checkpoint, is refused by its nonce."""
    kept: list[bytes] = []

    def repeat(query: bytes) -> web.Response:
        kept.append(authority.reply(query))
        return web.Response(body=kept[0])

    authority.answer = repeat
    async with authority.serving() as url:
        asking = witness(url, authority)
        await asking.leave(0, 7, NOTE)
        with pytest.raises(Unwitnessed, match="answers another question"):
            await asking.leave(0, 7, NOTE)


@pytest.mark.parametrize(
    ("response", "code"),
    [
        (lambda: web.Response(status=503), "HTTP-503"),
        (lambda: web.Response(status=302, headers={"Location": "/tsr"}), "HTTP-302"),
        (lambda: web.Response(text="<html>out of order"), "no-stamp"),
        (lambda: web.Response(body=bytes(70_000)), "too-large"),
        (lambda: web.Response(body=b""), "no-stamp"),
    ],
    ids=["503", "elsewhere", "a page", "endless", "nothing"],
)
async def test_what_is_no_stamp_is_told(authority: Authority, response: object, code: str) -> None:
    """By a short word for the log and a sentence with the address for people."""
    authority.answer = lambda query: response()  # type: ignore[operator]
    async with authority.serving() as url:
        with pytest.raises(Unwitnessed, match=url) as told:
            await witness(url, authority).leave(0, 7, NOTE)
    assert told.value.code == code


async def test_an_authority_of_somebody_else_is_refused(authority: Authority, tmp_path: Path) -> None:
    """Its stamp is not kept: it would convince nobody who asks for our roots."""
    other = Authority(tmp_path / "other")
    async with other.serving() as url:
        with pytest.raises(Unwitnessed, match="not signed by an authority that is trusted"):
            await witness(url, authority).leave(0, 7, NOTE)


async def test_nobody_there(authority: Authority) -> None:
    """A port where nobody listens; and one whose patience the caller may lose at any time."""
    async with authority.serving() as url:
        pass
    with pytest.raises(Unwitnessed, match="cannot be reached"):
        await witness(url, authority).leave(0, 7, NOTE)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await witness(url, authority).leave(0, 7, NOTE)
