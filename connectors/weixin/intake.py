"""Following the accounts of 微信客服: pulled by cursor, each by itself, woken by callbacks.

Rules of this file: of an account no page is asked for before the one before it was acknowledged, so the
cursor that the store commits is never ahead of what it holds. Outages are sat out here; only what a person
has to mend ends a run.

Source: WeCom developer documentation 94670 (sync_msg).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace

import structlog

from bridge.errors import NetworkError, Refused, Unreachable
from bridge.message import WEIXIN, Batch, Message
from bridge.ports import Clock
from connectors.weixin import wire
from connectors.weixin.api import Declined, Pace, Unreadable, WeComApi, refusal
from connectors.weixin.errcodes import Action
from connectors.weixin.history import page_behind
from connectors.weixin.settings import WeixinSettings

log = structlog.get_logger()

_CURSOR_UNKNOWN = 40058
_MARK_EVERY_MS = 3600 * 1000
_UNREADABLE_PAGES = 5
_ACCOUNTS_EVERY = 600.0
_SHORTEST_WAIT = 0.2


@dataclass(frozen=True, slots=True)
class KfAccount:
    """A customer service account. `manageable` is False while the app may not use it through the API."""

    open_kfid: str
    name: str
    manageable: bool = True


@dataclass
class Account:
    """Where we are in one account. `cursor` is what the store has committed or will with the batch on offer.

    `seen_at` (ms) is when a pull last succeeded, `marked_at` the `seen_at` last offered to the store.
    """

    open_kfid: str
    cursor: str = ""
    seen_at: int = 0
    marked_at: int = 0
    token: str = field(default="", repr=False)
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def cursor_name(self) -> str:
        """The name under which the store keeps the cursor."""
        return f"kf:{self.open_kfid}"

    @property
    def seen_name(self) -> str:
        """The name under which the store keeps when the account was last pulled."""
        return f"kf:{self.open_kfid}:seen"

    def ring(self, token: str) -> None:
        """Something is there to be pulled, with `token` for the next pull."""
        self.token = token or self.token
        self.bell.set()


class Intake:
    """One run of `receive`: a task for each account, and one that looks for new accounts.

    What they have is put into `offered`: batches, or the error that ends the run.
    """

    def __init__(
        self,
        api: WeComApi,
        settings: WeixinSettings,
        cursors: Mapping[str, str],
        *,
        list_accounts: Callable[[], Awaitable[tuple[KfAccount, ...]]],
        describe: Callable[[tuple[Message, ...]], Awaitable[tuple[Message, ...]]],
        clock: Clock,
        pace: Pace,
    ) -> None:
        self._api = api
        self._settings = settings
        self._cursors = dict(cursors)
        self._list_accounts = list_accounts
        self._describe = describe
        self._clock = clock
        self._pace = pace
        self._accounts: dict[str, Account] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._census = asyncio.Event()
        self.offered: asyncio.Queue[Batch | BaseException] = asyncio.Queue()

    def start(self) -> None:
        """Begin: configured accounts at once, others when the platform has listed them."""
        for open_kfid in self._settings.open_kfids:
            self._follow(open_kfid)
        if not self._settings.open_kfids:
            self._spawn("", self._look_for_accounts())

    async def stop(self) -> None:
        """End all tasks. What was offered and not acknowledged comes again in the next run."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    @property
    def heard_at(self) -> int:
        """When (ms) the account that was pulled longest ago was pulled; 0 before all of them were."""
        return min((account.seen_at for account in self._accounts.values()), default=0)

    def rung(self, callback: wire.Callback) -> None:
        """News from the callback URL."""
        if callback.unreadable is not None:
            self.offered.put_nowait(Batch(WEIXIN, (callback.unreadable,)))
        elif callback.event == wire.ACCOUNTS_CHANGED:
            self._census.set()
        elif callback.event == wire.NEW_MESSAGES:
            self._ring(callback.open_kfid, callback.token)

    def _ring(self, open_kfid: str, token: str) -> None:
        if self._wanted(open_kfid):
            self._follow(open_kfid)
        if account := self._accounts.get(open_kfid):
            account.ring(token)

    def _wanted(self, open_kfid: str) -> bool:
        return bool(open_kfid) and (not self._settings.open_kfids or open_kfid in self._settings.open_kfids)

    def _follow(self, open_kfid: str) -> None:
        if open_kfid in self._accounts:
            return
        account = Account(open_kfid)
        account.cursor = self._cursors.get(account.cursor_name, "")
        seen = self._cursors.get(account.seen_name, "")
        account.seen_at = account.marked_at = int(seen) if seen.isdecimal() else 0
        self._accounts[open_kfid] = account
        self._spawn(open_kfid, self._pull_for_ever(account))

    def _spawn(self, name: str, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks[name] = task
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A task ends by being cancelled, or by an error that ends the run."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.offered.put_nowait(error)

    async def _look_for_accounts(self) -> None:
        failures = 0
        while True:
            self._census.clear()
            wait = _ACCOUNTS_EVERY
            try:
                self._match([account for account in await self._list_accounts() if account.manageable])
                failures = 0
            except (Unreachable, Refused) as error:
                wait = self._delay(error, failures)
                failures += 1
            await _rung_within(self._census, wait)

    def _match(self, listed: list[KfAccount]) -> None:
        """Follow the accounts that are listed, and no others."""
        kfids = {account.open_kfid for account in listed}
        for gone in self._accounts.keys() - kfids:
            del self._accounts[gone]
            self._tasks.pop(gone).cancel()
        for open_kfid in kfids:
            self._follow(open_kfid)

    def _delay(self, error: NetworkError, failures: int) -> float:
        asked = getattr(error, "retry_after", None)
        wait = self._pace.backoff(failures, 0.5, 60.0) if asked is None else asked
        log.warning("intake:waiting", network=WEIXIN, code=type(error).__name__, seconds=round(wait, 1))
        return wait

    # --- one account ------------------------------------------------------------------------------------

    async def _pull_for_ever(self, account: Account) -> None:
        failures = 0
        while True:
            try:
                await self._pull(account)
                failures = 0
                await _rung_within(account.bell, self._settings.poll_interval)
            except (Unreachable, Refused) as error:
                failures += 1
                if isinstance(error, Unreadable) and failures == _UNREADABLE_PAGES:
                    await self._offer(account, wire.read_page(error.body, account.open_kfid).messages)
                await self._sit_out(account, error, self._delay(error, failures - 1))

    async def _sit_out(self, account: Account, error: NetworkError, seconds: float) -> None:
        """Wait after a failure, less if the account rings: then the platform is there again.

        A time that the platform asked for is kept. Only its limit for pulls without a token does not concern
        one that has a token, and that is what the bell brings.
        """
        asked = getattr(error, "retry_after", None) is not None
        floor = seconds if asked and account.token else min(seconds, _SHORTEST_WAIT)
        await self._pace.sleep(floor)
        await _rung_within(account.bell, seconds - floor)

    async def _pull(self, account: Account) -> None:
        """Everything the account has, page by page; returns when there is no more."""
        account.bell.clear()
        empty = 0
        has_more = True
        while has_more:
            now = self._clock.now()
            page = await self._page(account)
            messages = (*self._gap(account, now), *page.messages)
            has_more = page.has_more
            moved = page.cursor not in ("", account.cursor)
            account.cursor, account.seen_at = page.cursor or account.cursor, now
            if messages or (moved and not has_more) or now - account.marked_at >= _MARK_EVERY_MS:
                await self._offer(account, await self._describe(messages))
            empty = 0 if page.messages else empty + 1
            if has_more and empty:
                await self._pace.sleep(self._pace.backoff(empty, 0.02, 5.0))

    def _gap(self, account: Account, now: int) -> tuple[Message, ...]:
        """The note that messages may be missing, when nobody has pulled for longer than they are kept."""
        if not account.cursor or not account.seen_at or now - account.seen_at <= wire.RETENTION_MS:
            return ()
        log.warning("intake:gap", network=WEIXIN, conversation=_digest(account.open_kfid))
        return (wire.gap_note(account.open_kfid, account.cursor, now),)

    async def _offer(self, account: Account, messages: tuple[Message, ...]) -> None:
        """Hand a batch over with the cursor behind it, and wait until it is acknowledged."""
        cursors = {account.cursor_name: account.cursor, account.seen_name: str(account.seen_at)}
        committed = asyncio.Event()
        await self.offered.put(Batch(WEIXIN, messages, cursors=cursors, token=committed))
        await committed.wait()
        self._cursors.update(cursors)
        account.marked_at = account.seen_at

    async def _page(self, account: Account) -> wire.Page:
        """The page behind the account's cursor. Raises Unreachable, Refused, SignedOut."""
        try:
            return await page_behind(self._api, account.open_kfid, account.cursor, account.token)
        except Declined as declined:
            return await self._other_page(account, declined)

    async def _other_page(self, account: Account, declined: Declined) -> wire.Page:
        """After a refusal that names the token or the cursor: the page without it."""
        if declined.row.action is Action.NO_TOKEN and account.token:
            account.token = ""
            return await self._page(account)
        if declined.row.code == _CURSOR_UNKNOWN and account.cursor:
            note = wire.gap_note(account.open_kfid, account.cursor, self._clock.now())
            account.cursor = ""
            page = await self._page(account)
            return replace(page, messages=(note, *page.messages))
        raise refusal(declined)


async def _rung_within(bell: asyncio.Event, seconds: float) -> None:
    """Return when `bell` rings, after `seconds` at the latest; at once if there are none."""
    try:
        async with asyncio.timeout(seconds):
            await bell.wait()
    except TimeoutError:
        return


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]
