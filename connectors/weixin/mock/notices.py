"""Encrypted callbacks: posting "there is something to pull" to the configured URL, as the platform does.

Rules of this file: the platform's side of the callback documentation: 5 s for the answer, then 3 retries,
HTTP 200 means accepted. While one notice of an account waits to be posted further ones join it (a reader
pulls everything anyway), so load does not multiply callbacks. Everything a network may do to a notice is a
fault switch.
"""

import asyncio
import os
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from connectors.weixin.crypto import CallbackCrypt
from connectors.weixin.mock.faults import Switchboard
from connectors.weixin.mock.records import Account
from connectors.weixin.mock.world import World

_EVENT = (
    "<xml><ToUserName><![CDATA[{corpid}]]></ToUserName><CreateTime>{at}</CreateTime>"
    "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[kf_msg_or_event]]></Event>"
    "<Token><![CDATA[{token}]]></Token><OpenKfId><![CDATA[{open_kfid}]]></OpenKfId></xml>"
)
_AUTH_CHANGE = (
    "<xml><ToUserName><![CDATA[{corpid}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>"
    "<CreateTime>{at}</CreateTime><MsgType><![CDATA[event]]></MsgType>"
    "<Event><![CDATA[kf_account_auth_change]]></Event>{changes}</xml>"
)
_PUSH = (
    "<xml><ToUserName><![CDATA[{corpid}]]></ToUserName><AgentID><![CDATA[{agent}]]></AgentID>"
    "<Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
)
_TRANSPORT = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass(frozen=True)
class Manners:
    """How the platform posts: seconds to wait, retries and seconds between them, whether notices join."""

    timeout: float = 5.0
    retries: int = 3
    retry_delay: float = 0.5
    coalesce: bool = True


@dataclass(frozen=True)
class Push:
    """A callback as posted: enough to post it again byte for byte."""

    query: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Attempt:
    """One post and what came of it: HTTP status, or None when nobody answered in time."""

    open_kfid: str
    kind: str
    status: int | None
    stamp: int


@dataclass
class _Target:
    url: str
    crypt: CallbackCrypt
    agent: str = "1000002"
    locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    held: list[Push] = field(default_factory=list)


class CallbackRefused(Exception):
    """The configured URL did not answer the verification as the platform demands; it says how."""


class Notifier:
    """Posts callbacks for every corp that configured a URL. `start` and `stop` bracket its HTTP session."""

    def __init__(self, world: World, faults: Switchboard, manners: Manners, keep: int = 10_000) -> None:
        self.attempts: deque[Attempt] = deque(maxlen=keep)
        self._world = world
        self._faults = faults
        self._manners = manners
        self._targets: dict[str, _Target] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the HTTP session; notices rung before are lost, as they are for a server that is down."""
        timeout = aiohttp.ClientTimeout(total=self._manners.timeout)
        self._session = aiohttp.ClientSession(timeout=timeout)

    async def stop(self) -> None:
        """Drop what is under way and close the session."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session:
            await self._session.close()
            self._session = None

    async def settled(self) -> None:
        """Return when no callback is under way any more (retries included)."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def configure(self, corpid: str, url: str, token: str, encoding_aes_key: str) -> None:
        """Set where and how a corp is called back. Raises CryptError -40004 for a malformed key."""
        self._targets[corpid] = _Target(url, CallbackCrypt(token, encoding_aes_key, corpid))

    async def verify(self, corpid: str) -> None:
        """The console's URL verification.

        Raises CallbackRefused when the answer is not the bare plaintext.
        """
        target = self._targets[corpid]
        echo = str(int.from_bytes(os.urandom(7), "big"))
        timestamp, nonce = self._envelope()
        encrypted, signed = target.crypt.seal(echo.encode(), timestamp, nonce, os.urandom(16))
        query = {"msg_signature": signed, "timestamp": timestamp, "nonce": nonce, "echostr": encrypted}
        try:
            async with self._open_session().get(target.url, params=query) as reply:
                status, answer = reply.status, await reply.read()
        except _TRANSPORT as error:
            raise CallbackRefused(f"callback URL did not answer: {type(error).__name__}") from None
        if status != 200 or answer != echo.encode():
            raise CallbackRefused(f"callback URL answered HTTP {status} and not the decrypted echostr")

    def ring(self, account: Account) -> None:
        """There is something new for this account."""
        target = self._targets.get(account.corpid)
        if target is None or self._session is None:
            return
        if self._manners.coalesce:
            if account.open_kfid in target.waiting:
                return
            target.waiting.add(account.open_kfid)
        self._spawn(self._notify(target, account))

    def account_change(self, corpid: str, added: list[str], deleted: list[str]) -> None:
        """Tell a corp that accounts came under, or left, API management: kf_account_auth_change."""
        target = self._targets.get(corpid)
        if target is None or self._session is None:
            return
        changes = "".join(f"<AuthAddOpenKfId><![CDATA[{one}]]></AuthAddOpenKfId>" for one in added)
        changes += "".join(f"<AuthDelOpenKfId><![CDATA[{one}]]></AuthDelOpenKfId>" for one in deleted)
        message = _AUTH_CHANGE.format(corpid=corpid, at=int(self._world.clock.now()), changes=changes)
        self._spawn(self._post_until_taken(target, self._seal(target, message), ""))

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _notify(self, target: _Target, account: Account) -> None:
        """One notice of one account. The first post is in order; retries no longer hold later notices up."""
        kfid = account.open_kfid
        delay = self._faults.take("callback_delayed")
        if delay:
            await asyncio.sleep(delay["seconds"])
        lock = target.locks.setdefault(kfid, asyncio.Lock())
        async with lock:
            target.waiting.discard(kfid)
            push = self._seal(target, self._event(account))
            taken = await self._post_first(target, push, account)
        if not taken:
            await self._retry(target, push, kfid)

    async def _post_first(self, target: _Target, push: Push, account: Account) -> bool:
        kfid = account.open_kfid
        if self._faults.fires("callback_lost"):
            return True
        if self._faults.fires("callback_reorder"):
            target.held.append(push)
            return True
        await self._post_strange(target, push, kfid)
        taken = await self._post(target, push, kfid, "notice")
        await self._post_again(target, push, account)
        return taken and not self._faults.fires("callback_late_ack")

    async def _post_strange(self, target: _Target, push: Push, kfid: str) -> None:
        """Posts no genuine platform makes, sent ahead of the genuine one."""
        if self._faults.fires("callback_forged"):
            forged = {**push.query, "msg_signature": "0" * 40}
            await self._post(target, Push(forged, push.body), kfid, "forged")
        foreign = self._faults.take("callback_wrong_receiver")
        if foreign:
            crypt = CallbackCrypt(target.crypt.token, target.crypt.encoding_aes_key, foreign["receiveid"])
            stranger = _Target(target.url, crypt)
            await self._post(target, self._seal(stranger, "<xml/>"), kfid, "wrong_receiver")
        if self._faults.fires("callback_garbage"):
            await self._post(target, Push(push.query, b"\x00not xml"), kfid, "garbage")

    async def _post_again(self, target: _Target, push: Push, account: Account) -> None:
        kfid = account.open_kfid
        if self._faults.fires("callback_duplicate"):
            await self._post(target, self._seal(target, self._event(account)), kfid, "duplicate")
        if self._faults.fires("callback_replay"):
            await self._post(target, push, kfid, "replay")
        while target.held:
            await self._post(target, target.held.pop(0), kfid, "overtaken")

    async def _post_until_taken(self, target: _Target, push: Push, kfid: str) -> None:
        if not await self._post(target, push, kfid, "notice"):
            await self._retry(target, push, kfid)

    async def _retry(self, target: _Target, push: Push, kfid: str) -> None:
        for _ in range(self._manners.retries):
            await asyncio.sleep(self._manners.retry_delay)
            if await self._post(target, push, kfid, "retry"):
                return

    async def _post(self, target: _Target, push: Push, kfid: str, kind: str) -> bool:
        status = None
        try:
            headers = {"Content-Type": "text/xml"}
            async with self._open_session().post(
                target.url, params=push.query, data=push.body, headers=headers
            ) as reply:
                await reply.read()
                status = reply.status
        except _TRANSPORT:
            status = None
        self.attempts.append(Attempt(kfid, kind, status, time.monotonic_ns()))
        return status == 200

    def _event(self, account: Account) -> str:
        expired = self._faults.fires("callback_token_expired")
        return _EVENT.format(
            corpid=account.corpid,
            at=int(self._world.clock.now()),
            token=self._world.new_msg_token(expired),
            open_kfid=account.open_kfid,
        )

    def _seal(self, target: _Target, message: str) -> Push:
        timestamp, nonce = self._envelope()
        encrypted, signed = target.crypt.seal(message.encode(), timestamp, nonce, os.urandom(16))
        body = _PUSH.format(corpid=target.crypt.receiveid, agent=target.agent, encrypted=encrypted)
        return Push({"msg_signature": signed, "timestamp": timestamp, "nonce": nonce}, body.encode())

    def _envelope(self) -> tuple[str, str]:
        return str(int(self._world.clock.now())), str(int.from_bytes(os.urandom(4), "big"))

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("the mock platform is not serving")
        return self._session
