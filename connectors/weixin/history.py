"""What the platform has of an account: a page of it, and all of it, read beside the intake without moving
anything.

Rules of this file: reading all of it begins without a cursor, which means at the earliest message of the last
three days, and keeps its cursors to itself. It gives up after a few tries: a recount can be made again.

Source: WeCom developer documentation 94670 (sync_msg).
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson

from bridge.errors import Unreachable
from bridge.message import Message
from connectors.weixin import wire
from connectors.weixin.api import Declined, Pace, WeComApi, refusal

_PAGE = 1000
_TRIES = 5
_EMPTY_PAGES = 1000


async def kept(api: WeComApi, open_kfid: str, pace: Pace) -> AsyncIterator[Message]:
    """Every item of an account that the platform has, in its order.

    Raises Unreachable, Refused, SignedOut.
    """
    cursor, empty = "", 0
    while empty < _EMPTY_PAGES:
        page = await _patiently(api, open_kfid, cursor, pace)
        for message in page.messages:
            yield message
        if not page.has_more:
            return
        cursor = page.cursor or cursor
        empty = 0 if page.messages else empty + 1
        if empty:
            await pace.sleep(pace.backoff(empty, 0.02, 5.0))
    raise Unreachable("sync_msg says without end that there is more", certain=True)


async def _patiently(api: WeComApi, open_kfid: str, cursor: str, pace: Pace) -> wire.Page:
    for attempt in range(_TRIES - 1):
        try:
            return await _page(api, open_kfid, cursor)
        except Unreachable as error:
            wait = pace.backoff(attempt, 0.5, 60.0)
            await pace.sleep(max(wait, getattr(error, "retry_after", None) or 0.0))
    return await _page(api, open_kfid, cursor)


async def _page(api: WeComApi, open_kfid: str, cursor: str) -> wire.Page:
    try:
        return await page_behind(api, open_kfid, cursor)
    except Declined as declined:
        raise refusal(declined) from None


async def page_behind(api: WeComApi, open_kfid: str, cursor: str, token: str = "") -> wire.Page:
    """The page behind a cursor, the earliest for none. `token` is that of a callback: with it the platform
    lets more be asked.

    Raises Declined for what the platform refuses; Unreachable.
    """
    request = {"cursor": cursor, "token": token, "limit": _PAGE, "voice_format": 0, "open_kfid": open_kfid}
    limited_as = "kf/sync_msg" if token else "kf/sync_msg without token"
    answer = await api.call("kf/sync_msg", orjson.dumps(request), limited_as=limited_as)
    return wire.read_answer(answer.members, open_kfid, answer.body)
