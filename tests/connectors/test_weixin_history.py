"""The recount of an account: all the platform has, from its earliest day, and nothing is moved by it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from test_weixin_contract import WeixinHarness

from bridge.errors import Unreachable
from bridge.message import Sighting, Unasked

DAY = 86_400_000


@pytest.fixture
async def harness() -> AsyncIterator[WeixinHarness]:
    """A fresh platform, reachable."""
    harness = WeixinHarness()
    await harness.come_back()
    yield harness
    await harness.go_away()
    harness.platform.media.close()


async def _seen(harness: WeixinHarness, since: int) -> list[Sighting | Unasked]:
    async with harness.connector() as connector:
        return [item async for item in connector.recount(since, harness.now() + DAY)]


async def test_pages_are_followed_by_has_more(harness: WeixinHarness) -> None:
    """An empty page in between, and a short one, end nothing."""
    for number in range(5):
        await harness.say(f"word {number}")
    harness.platform.faults.arm("sync_short_page", limit=2)
    harness.platform.faults.arm("sync_empty_page")
    seen = await _seen(harness, harness.now() - DAY)
    assert len([one for one in seen if isinstance(one, Sighting)]) >= 5


async def test_what_is_older_than_the_platform_keeps_is_said(harness: WeixinHarness) -> None:
    """Ten days are asked for: seven of them the platform cannot tell, and the recount says which."""
    since = harness.now() - 10 * DAY
    unasked = [one for one in await _seen(harness, since) if isinstance(one, Unasked)]
    assert [(one.conversation, one.since) for one in unasked] == [(harness.account, since)]
    assert abs(unasked[0].until - (harness.now() - 3 * DAY)) < 60_000


async def test_a_platform_that_never_ends_is_given_up(
    harness: WeixinHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`has_more` for ever, with nothing in it, is no reason to ask for ever."""
    monkeypatch.setattr("connectors.weixin.history._EMPTY_PAGES", 3)
    harness.platform.faults.arm("sync_empty_page", count=None)
    with pytest.raises(Unreachable):
        await _seen(harness, harness.now() - DAY)
