"""The WeCom HTTP API: one token, calls that know what an errcode asks for, media both ways as streams.

Rules of this file: the only place of the connector that makes HTTP calls. It knows errcodes and retries, and
nothing of conversations. Every outcome is an answer, a `Declined` (the platform said no to this call and the
caller decides), or one of the house's network errors. No error text carries a URL: the platform puts the
secret and the token there.

Sources: WeCom developer documentation 91039 (gettoken), 90253 and 90254 (media), 90313 (error codes), 90454
(frequency limits).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp

from bridge.errors import Refused, SignedOut, StoreError, Unreachable
from connectors.weixin import errcodes, wire
from connectors.weixin.errcodes import Action, Errcode

PIECE = 256 * 1024
_QUICK_TRIES = 3
_LONGEST_REST = 3600.0
_PAUSE = 60.0
_TOKEN_MARGIN = 60.0
_COOL_DOWN = 60.0
_ERROR_BYTES = 4096
_JSON = {"Content-Type": "application/json"}

T = TypeVar("T")
Pieces = Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True)
class Pace:
    """Time and chance, as arguments: seconds that only run forward, sleeping, a number in [0, 1)."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random

    def backoff(self, attempt: int, first: float, longest: float) -> float:
        """Seconds to wait before attempt `attempt` + 1: doubled each time, half of it by chance."""
        full = min(longest, first * 2 ** min(attempt, 16))
        return float(full * (0.5 + 0.5 * self.chance()))


class Declined(Exception):
    """The platform answered `row.code`. `repeated`: the same call had been answered "busy" just before."""

    def __init__(self, call: str, row: Errcode, hint: str = "") -> None:
        self.row = row
        self.hint = hint
        self.repeated = False
        super().__init__(f"{call}: {row.meaning} (errcode {row.code}){hint}")


def refusal(declined: Declined, *, uncertain: bool = False) -> Refused:
    """What a final errcode means to the house. `uncertain`: an earlier attempt may have arrived."""
    row = declined.row
    why = str(declined)
    if uncertain:
        why += "; an earlier attempt may have arrived"
    until_inbound = row.action in (Action.UNTIL_INBOUND, Action.TAKE_OVER)
    return Refused(row.word or "rejected", why, until_inbound=until_inbound)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose errcode is 0: its members, and the bytes they came in."""

    members: dict[str, wire.Json]
    body: bytes


# --- the token ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Token:
    """An access token. Two are the same if their `serial` is: the platform repeats a token while it lives."""

    value: str = field(repr=False)
    serial: int
    good_until: float


class Tokens:
    """The one token of a corp and secret. Renewed by one caller at a time, and only if nobody has before.

    `fetch` asks the platform and returns (token, seconds to live). A refused secret is not tried again for
    a minute, because repeated wrong ones make the platform block the address for an hour.
    """

    def __init__(self, fetch: Callable[[], Awaitable[tuple[str, float]]], pace: Pace) -> None:
        self._fetch = fetch
        self._pace = pace
        self._lock = asyncio.Lock()
        self._token = Token("", 0, 0.0)
        self._refused: tuple[SignedOut, float] | None = None

    async def current(self) -> Token:
        """A token that is believed to be good. Raises SignedOut, Unreachable."""
        if self._pace.monotonic() < self._token.good_until:
            return self._token
        return await self.renew(self._token)

    async def renew(self, failed: Token) -> Token:
        """A token newer than `failed`: the stored one, if somebody was faster."""
        async with self._lock:
            if self._token.serial == failed.serial:
                self._token = await self._fetched()
            return self._token

    async def _fetched(self) -> Token:
        now = self._pace.monotonic()
        if self._refused and now < self._refused[1]:
            raise self._refused[0].with_traceback(None)
        try:
            value, life = await self._fetch()
        except SignedOut as refused:
            self._refused = (refused, now + _COOL_DOWN)
            raise
        return Token(value, self._token.serial + 1, now + max(life - _TOKEN_MARGIN, 1.0))


# --- transport ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _reaching(call: str) -> Iterator[None]:
    """Translates what can go wrong on the way. Causes are cut off: their texts hold the URL."""
    try:
        yield
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        why = f"{call}: no connection to the platform ({type(error).__name__})"
        raise Unreachable(why, certain=True) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        why = f"{call}: the connection was lost before the answer ({type(error).__name__})"
        raise Unreachable(why, certain=False) from None


def _check_status(call: str, response: aiohttp.ClientResponse) -> None:
    """The platform answers 200 whatever it says; anything else is a gateway on the way, which is given an
    hour at most: what customers write meanwhile can be pulled for three days."""
    if response.status == 200:
        return
    after = response.headers.get("Retry-After", "")
    seconds = min(float(after), _LONGEST_REST) if after.isdecimal() else None
    raise Unreachable(f"{call}: HTTP status {response.status}", certain=False, retry_after=seconds)


def _check_errcode(call: str, answer: Mapping[str, object], of: Callable[[int], Errcode]) -> None:
    code = answer.get("errcode", 0)
    if code != 0:
        number = code if isinstance(code, int) else -1
        raise Declined(call, of(number), _address_hint(number, answer))


def _address_hint(code: int, answer: Mapping[str, object]) -> str:
    """For an untrusted address, which one the platform saw: the person who mends it needs to know."""
    found = str(answer.get("errmsg", "")).partition("from ip: ")[2].split(",")[0].strip()
    return f", seen from {found}" if code == 60020 and found else ""


class WeComApi:
    """Calls of one self-built app. Raises, beside `Declined`:

    `Unreachable(certain)` when the platform is away, busy or limits us (`certain` as the house means it, for
    this one call); `SignedOut` when secret or console settings are refused, with a remedy.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        api_url: str,
        corp_id: str,
        secret: str,
        *,
        timeout: float,
        pace: Pace,
    ) -> None:
        self._session = session
        self._base = api_url.rstrip("/") + "/cgi-bin/"
        self._credentials = {"corpid": corp_id, "corpsecret": secret}
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._stream_timeout = aiohttp.ClientTimeout(total=None, sock_connect=timeout, sock_read=timeout)
        self._pace = pace
        self._rests_until: dict[str, float] = {}
        self.tokens = Tokens(self._gettoken, pace)

    async def call(self, path: str, body: bytes, *, limited_as: str = "") -> Answer:
        """POST `body` (JSON) to `path` ("kf/send_msg").

        A frequency limit makes later calls rest that are `limited_as` the same, by default of this `path`.
        """

        async def once(token: Token) -> Answer:
            params = {"access_token": token.value}
            return await self._ask(path, "POST", params, errcodes.of, data=body, headers=_JSON)

        return await self._with_token(limited_as or path, once)

    async def upload(self, msgtype: str, name: str, size: int, pieces: Pieces) -> str:
        """Stream a medium of `size` bytes to the platform: its media id, good for 3 days."""

        async def once(token: Token) -> Answer:
            boundary = secrets.token_hex(16)
            head, tail = _envelope(boundary, name)
            source = _Source(head, pieces, tail)
            headers = {
                "Content-Type": f"multipart/form-data; boundary={boundary}",
                "Content-Length": str(len(head) + size + len(tail)),
            }
            params = {"access_token": token.value, "type": msgtype}
            try:
                return await self._ask(
                    "media/upload", "POST", params, errcodes.of, data=source.stream(), headers=headers
                )
            except Unreachable:
                source.raise_own()
                raise

        answer = await self._with_token("media/upload", once)
        return str(answer.members.get("media_id", ""))

    async def download(self, media_id: str) -> AsyncIterator[bytes]:
        """The bytes of a medium in pieces of at most 256 KiB. Declined only before the first piece."""
        token = await self.tokens.current()
        try:
            async for piece in self._pieces(token, media_id):
                yield piece
            return
        except Declined as declined:
            if declined.row.action is not Action.RENEW:
                raise self._meaning("media/get", declined)
        renewed = await self.tokens.renew(token)
        try:
            async for piece in self._pieces(renewed, media_id):
                yield piece
        except Declined as declined:
            raise self._meaning("media/get", declined)

    async def file_name(self, media_id: str) -> str:
        """The name a medium was sent under, "" if the platform does not tell. One byte is asked for."""
        token = await self.tokens.current()
        params = {"access_token": token.value, "media_id": media_id}
        with _reaching("media/get"):
            async with self._session.get(
                self._base + "media/get", params=params, headers={"Range": "bytes=0-0"}, timeout=self._timeout
            ) as response:
                shown = response.content_disposition
                return (shown.filename or "") if shown else ""

    # --- one call, with what its errcodes ask for -------------------------------------------------------

    async def _with_token(self, call: str, once: Callable[[Token], Awaitable[T]]) -> T:
        """`once` with a good token; a second time, and not a third, if the token turned out to be stale."""
        token = await self.tokens.current()
        try:
            return await self._patiently(call, lambda: once(token))
        except Declined as declined:
            if declined.row.action is not Action.RENEW:
                raise self._meaning(call, declined)
        renewed = await self.tokens.renew(token)
        try:
            return await self._patiently(call, lambda: once(renewed))
        except Declined as declined:
            raise self._meaning(call, declined)

    async def _patiently(self, call: str, once: Callable[[], Awaitable[T]]) -> T:
        """`once`, again while the platform says it is busy, a few times."""
        for attempt in range(_QUICK_TRIES):
            self._check_rest(call)
            try:
                return await once()
            except Declined as declined:
                declined.repeated = attempt > 0
                if declined.row.action is not Action.AGAIN or attempt == _QUICK_TRIES - 1:
                    raise
            await self._pace.sleep(self._pace.backoff(attempt, 0.2, 2.0))
        raise AssertionError("the last try returns or raises")

    def _check_rest(self, call: str) -> None:
        rest = self._rests_until.get(call, 0.0) - self._pace.monotonic()
        if rest > 0:
            raise Unreachable(f"{call}: resting after too many calls", certain=True, retry_after=rest)

    def _meaning(self, call: str, declined: Declined) -> Exception:
        """What a code that no repetition mends means to the caller: the error to raise."""
        match declined.row.action:
            case Action.PAUSE:
                self._rests_until[call] = self._pace.monotonic() + _PAUSE
                return Unreachable(str(declined), certain=not declined.repeated, retry_after=_PAUSE)
            case Action.CROWDED:
                wait = self._pace.backoff(1, 1.0, 4.0)
                return Unreachable(str(declined), certain=not declined.repeated, retry_after=wait)
            case Action.AGAIN:
                return Unreachable(str(declined), certain=False)
            case Action.RENEW:
                # The platform has just issued that token: its own copies may lag behind each other.
                return Unreachable(str(declined), certain=not declined.repeated, retry_after=_TOKEN_MARGIN)
            case Action.SIGN_OUT:
                return SignedOut(f"{declined}.", remedy=declined.row.remedy)
        return declined

    async def _ask(
        self,
        call: str,
        method: str,
        params: Mapping[str, str],
        of: Callable[[int], Errcode],
        **request: Any,
    ) -> Answer:
        """One request, no patience. Raises Declined for an errcode, `of` being its table."""
        with _reaching(call):
            async with self._session.request(
                method, self._base + call, params=params, timeout=self._timeout, **request
            ) as response:
                _check_status(call, response)
                body = await response.read()
        answer = wire.read_object(body)
        if answer is None:
            raise Unreadable(call, body)
        _check_errcode(call, answer, of)
        return Answer(answer, body)

    async def _gettoken(self) -> tuple[str, float]:
        async def once() -> Answer:
            return await self._ask("gettoken", "GET", self._credentials, errcodes.of_gettoken)

        try:
            answer = (await self._patiently("gettoken", once)).members
        except Declined as declined:
            raise self._meaning("gettoken", declined)
        life = answer.get("expires_in", 7200)
        return str(answer.get("access_token", "")), float(life) if isinstance(life, int) else 7200.0

    async def _pieces(self, token: Token, media_id: str) -> AsyncIterator[bytes]:
        call = "media/get"
        self._check_rest(call)
        params = {"access_token": token.value, "media_id": media_id}
        with _reaching(call):
            async with self._session.get(
                self._base + call, params=params, timeout=self._stream_timeout
            ) as response:
                _check_status(call, response)
                first = await _first_piece(response)
                _check_dressed_error(call, response, first)
                if first:
                    yield first
                async for piece in response.content.iter_chunked(PIECE):
                    yield piece


class Unreadable(Unreachable):
    """An answer with status 200 that is no JSON object: somebody on the way answered. `body` is what came."""

    def __init__(self, call: str, body: bytes) -> None:
        self.body = body
        super().__init__(f"{call}: the answer is no JSON object", certain=False)


async def _first_piece(response: aiohttp.ClientResponse) -> bytes:
    """Enough of the body to tell an error from a file: errors fit into it whole."""
    first = bytearray()
    async for piece in response.content.iter_chunked(_ERROR_BYTES):
        first += piece
        if len(first) >= _ERROR_BYTES:
            break
    return bytes(first)


def _check_dressed_error(call: str, response: aiohttp.ClientResponse, first: bytes) -> None:
    """Errors of media/get come with status 200, and not always labelled as JSON; files come with a name.

    A web page without a name is that of somebody on the way, and must not be archived as the medium.
    """
    shown = response.content_disposition
    if shown and shown.type == "attachment":
        return
    if response.content_type == "text/html":
        raise Unreachable(f"{call}: a web page came instead of the medium", certain=True)
    answer = wire.read_object(first) if first.lstrip().startswith(b"{") else None
    if answer and isinstance(answer.get("errcode"), int):
        _check_errcode(call, answer, errcodes.of)


# --- uploads --------------------------------------------------------------------------------------------


def _envelope(boundary: str, name: str) -> tuple[bytes, bytes]:
    """What stands before and after the bytes of the one field `media` (RFC 7578).

    The name goes in UTF-8 as it is: the platform does not understand the `filename*` form.
    """
    safe = "".join("_" if char in '"\\\r\n/' else char for char in name)
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="media"; filename="{safe}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return head.encode(), f"\r\n--{boundary}--\r\n".encode()


class _Source:
    """The body of one upload. Remembers an error of the archive, which the HTTP client would hide."""

    def __init__(self, head: bytes, pieces: Pieces, tail: bytes) -> None:
        self._head, self._pieces, self._tail = head, pieces, tail
        self._error: StoreError | None = None

    async def stream(self) -> AsyncIterator[bytes]:
        """Head, pieces, tail."""
        yield self._head
        try:
            async for piece in self._pieces():
                yield piece
        except StoreError as error:
            self._error = error
            raise
        yield self._tail

    def raise_own(self) -> None:
        """Raises the archive's error if that is what ended the upload."""
        if self._error is not None:
            raise self._error
