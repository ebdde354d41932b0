"""The Weixin connector: 微信客服 (kf) behind `bridge.ports.Connector`.

Rules of this file: it moves messages; `wire` reads and plans them, `api` speaks HTTP. Receiving keeps one
promise: of an account no page is asked for before the one before it was acknowledged, so the cursor that the
store commits is never ahead of what it holds. Sending keeps another: a part carries the same msgid however
often it is tried, so an outage never doubles it.

The life of a received message: callback (answered at once) → the account's bell → sync_msg by cursor → a
`Batch` with the cursor behind it → committed and acknowledged → the next page.

Sources: WeCom developer documentation 94670 (sync_msg), 94677 (send_msg), 94669 (service states), 94665
(contact links), 95159 (customers).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Generic, Self, TypeVar
from urllib.parse import quote

import aiohttp
import orjson
import structlog

from bridge.errors import NetworkError, Refused, SignedOut, Unreachable
from bridge.message import (
    WEIXIN,
    Batch,
    File,
    Kind,
    Message,
    Party,
    Permit,
    Receipt,
    Sighting,
    Traffic,
    Unasked,
    sighting,
)
from bridge.ports import Blobs, Clock, Lease
from connectors.weixin import wire
from connectors.weixin.api import Declined, Pace, WeComApi, refusal
from connectors.weixin.crypto import CallbackCrypt, CryptError
from connectors.weixin.errcodes import Action
from connectors.weixin.history import kept
from connectors.weixin.intake import Intake, KfAccount
from connectors.weixin.listener import CallbackListener
from connectors.weixin.settings import WeixinSettings

log = structlog.get_logger()

_STATE_CHANGE_ILLEGAL = 95016
_ASSISTANT = 1
_ENDED = 4
_MEDIA_LIFE = 66 * 3600.0  # seconds; the platform forgets after 72 h
_NAME_LIFE = 24 * 3600.0
_NAME_PATIENCE = 3.0
_COURTESY_REST = 60.0


class _WallClock:
    def now(self) -> int:
        return time.time_ns() // 1_000_000


V = TypeVar("V")


class _Recent(Generic[V]):
    """The last `size` values, each for `life` seconds. Forgetting costs a call, never a message."""

    def __init__(self, size: int, life: float, pace: Pace) -> None:
        self._size, self._life, self._pace = size, life, pace
        self._values: OrderedDict[object, tuple[V, float]] = OrderedDict()

    def get(self, key: object) -> V | None:
        """The value, None if it is unknown or too old."""
        value, until = self._values.get(key, (None, 0.0))
        return value if self._pace.monotonic() < until else None

    def put(self, key: object, value: V) -> None:
        """Keep `value`, and forget the oldest if there are too many."""
        self._values[key] = (value, self._pace.monotonic() + self._life)
        self._values.move_to_end(key)
        if len(self._values) > self._size:
            self._values.popitem(last=False)

    def forget(self, key: object) -> None:
        """Drop the value of `key`, if any."""
        self._values.pop(key, None)


class WeixinConnector:
    """微信客服 as `bridge.ports.Connector`: conversations are `open_kfid/external_userid`."""

    network = WEIXIN
    shows_ours = False

    def __init__(
        self,
        settings: WeixinSettings,
        blobs: Blobs,
        *,
        lease: Lease | None = None,
        clock: Clock | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._settings = settings
        self._blobs = blobs
        self._lease = lease
        self._clock = clock or _WallClock()
        self._pace = pace or Pace()
        self._entered = contextlib.AsyncExitStack()
        self._api_or_none: WeComApi | None = None
        self._listener: CallbackListener | None = None
        self._intake: Intake | None = None
        self._media: _Recent[str] = _Recent(4096, _MEDIA_LIFE, self._pace)
        self._names: _Recent[str] = _Recent(10_000, _NAME_LIFE, self._pace)
        self._courtesies_rest_until = 0.0

    def _new_listener(self) -> CallbackListener | None:
        settings = self._settings
        if not (settings.callback_token and settings.callback_aes_key):
            return None
        try:
            crypt = CallbackCrypt(settings.callback_token, settings.callback_aes_key, settings.corp_id)
        except CryptError as error:
            raise SignedOut(
                f"The key of the callback cannot be used: {error}.",
                remedy="Copy the EncodingAESKey from the WeCom console into the file of weixin.aes_key_file.",
            ) from None
        return CallbackListener(
            crypt, settings.listen_host, settings.listen_port, settings.callback_path, self._rung
        )

    async def __aenter__(self) -> Self:
        settings = self._settings
        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=32, keepalive_timeout=30))
        self._api_or_none = WeComApi(
            session,
            settings.api_url,
            settings.corp_id,
            settings.secret,
            timeout=settings.timeout,
            pace=self._pace,
        )
        async with contextlib.AsyncExitStack() as entered:
            await entered.enter_async_context(session)
            self._listener = self._new_listener()
            if self._listener is not None:
                await entered.enter_async_context(self._listener)
            self._entered = entered.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._entered.aclose()

    @property
    def refused_since(self) -> int:
        """Always 0: WeCom names what it refuses, so a refusal ends in `SignedOut` at once."""
        return 0

    @property
    def bound_port(self) -> int:
        """The port the callback listener got; 0 when nothing listens."""
        return self._listener.bound_port if self._listener else 0

    @property
    def _api(self) -> WeComApi:
        if self._api_or_none is None:
            raise RuntimeError("the connector is used outside of `async with`")
        return self._api_or_none

    # --- receiving --------------------------------------------------------------------------------------

    async def receive(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        """Batches of all accounts, each behind its cursor. See `bridge.ports.Connector.receive`."""
        intake = Intake(
            self._api,
            self._settings,
            cursors,
            list_accounts=self.accounts,
            describe=self._described,
            clock=self._clock,
            pace=self._pace,
        )
        self._intake = intake
        try:
            intake.start()
            while True:
                offered = await intake.offered.get()
                if isinstance(offered, BaseException):
                    raise offered
                yield offered
        finally:
            self._intake = None
            await intake.stop()

    async def acknowledge(self, batch: Batch) -> None:
        """`batch` and its cursors are committed: its account may go on."""
        if isinstance(batch.token, asyncio.Event):
            batch.token.set()

    def _rung(self, callback: wire.Callback) -> None:
        """A genuine callback. Without a reader there is nothing to wake: it pulls when it starts."""
        if self._intake is not None:
            self._intake.rung(callback)

    async def _described(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """The messages with nicknames and file names, as far as the platform tells them in time."""
        names = await self._nicknames({_customer(message) for message in messages if _by_customer(message)})
        described = []
        for message in messages:
            name = names.get(message.sender, "") if _by_customer(message) else ""
            files = tuple([await self._with_name(file) for file in message.files])
            described.append(replace(message, sender_name=name, files=files) if name or files else message)
        return tuple(described)

    async def _nicknames(self, customers: set[str]) -> dict[str, str]:
        names = {customer: self._names.get(customer) for customer in customers}
        unknown = [customer for customer, name in names.items() if name is None]
        if unknown and self._may_ask():
            try:
                async with asyncio.timeout(_NAME_PATIENCE):
                    for start in range(0, len(unknown), 100):
                        names.update(await self._ask_nicknames(unknown[start : start + 100]))
            except (NetworkError, Declined, TimeoutError) as error:
                self._stop_asking(error)
        return {customer: name or "" for customer, name in names.items()}

    def _may_ask(self) -> bool:
        return self._pace.monotonic() >= self._courtesies_rest_until

    def _stop_asking(self, error: Exception) -> None:
        """Names are a courtesy: where one cannot be had, messages do not wait for others for a while."""
        self._courtesies_rest_until = self._pace.monotonic() + _COURTESY_REST
        log.info("names:unknown", network=WEIXIN, code=type(error).__name__)

    async def _ask_nicknames(self, customers: list[str]) -> dict[str, str]:
        """Nicknames are for display alone; people change and repeat them."""
        body = orjson.dumps({"external_userid_list": customers, "need_enter_session_context": 0})
        answer = await self._api.call("kf/customer/batchget", body)
        found = dict.fromkeys(customers, "")
        for entry in _entries(answer.members, "customer_list"):
            found[str(entry.get("external_userid", ""))] = str(entry.get("nickname") or "")
        for customer, name in found.items():
            self._names.put(customer, name)
        return found

    async def _with_name(self, file: File) -> File:
        """A file's own name stands only in the headers of its download; the other media have none."""
        if file.kind is not Kind.FILE or not self._may_ask():
            return file
        try:
            async with asyncio.timeout(_NAME_PATIENCE):
                name = await self._api.file_name(wire.media_of(file))
        except (NetworkError, TimeoutError) as error:
            self._stop_asking(error)
            return file
        return replace(file, name=name) if name else file

    @property
    def heard_at(self) -> int:
        """When (ms) the account that was pulled longest ago was pulled; 0 before all of them were."""
        return self._intake.heard_at if self._intake else 0

    async def recount(
        self, since: int, until: int, known: Iterable[str] = ()
    ) -> AsyncIterator[Sighting | Unasked]:
        """See `bridge.ports.Connector`. The platform keeps three days, and nothing of what the API sent."""
        reach = self._clock.now() - wire.RETENTION_MS
        accounts = self._settings.open_kfids or await self._manageable()
        for closed in sorted({one.partition("/")[0] for one in known} - {*accounts}):
            yield Unasked(WEIXIN, closed, since, until, "the account is not served any more")
        for open_kfid in accounts:
            if since < reach:
                yield Unasked(WEIXIN, open_kfid, since, min(reach, until), "kept for three days only")
            async for message in kept(self._api, open_kfid, self._pace):
                if since <= message.sent_at < until:
                    yield sighting(message)

    async def _manageable(self) -> list[str]:
        return [account.open_kfid for account in await self.accounts() if account.manageable]

    # --- fetching ---------------------------------------------------------------------------------------

    async def fetch(self, file: File) -> AsyncIterator[bytes]:
        """The bytes of an attachment, in pieces of at most 256 KiB.

        Raises `Refused("gone")` after the platform's 3 days, `Refused("too-large")` beyond `media_limit`.
        """
        size = 0
        try:
            async for piece in self._api.download(wire.media_of(file)):
                size += len(piece)
                if size > self._settings.media_limit:
                    raise Refused("too-large", f"the attachment is over {self._settings.media_limit} bytes")
                yield piece
        except Declined as declined:
            raise refusal(declined)

    # --- sending ----------------------------------------------------------------------------------------

    async def send(self, permit: Permit, traffic: Traffic) -> Receipt:
        """Send what `permit` allows as one to five messages. See `bridge.ports.Connector.send`.

        The receipt's ids are the msgids, the first being the permit's id. A msgid whose first outcome nobody
        knows is sent again: the platform takes each only once.
        """
        parts = wire.plan(permit.content, permit.id, traffic, self._clock.now())
        sent: list[str] = []
        repeated = 0
        for part in parts:
            try:
                repeated += not await self._send_part(part, permit)
            except Refused as refused:
                refused.sent = tuple(sent)
                # The text comes first: behind it, only attachments can be missing.
                refused.text_sent = part.blob is not None and parts[0].blob is None
                raise
            except Unreachable as away:
                away.certain = away.certain and not sent and not permit.uncertain
                raise
            except SignedOut as out:
                if sent:
                    raise Unreachable(str(out), certain=False)
                raise
            sent.append(part.msgid)
        return Receipt(tuple(sent), repeated=repeated)

    async def _send_part(self, part: wire.Part, permit: Permit) -> bool:
        """One message, each remedy that an errcode may name tried once; whether it is new to the platform."""
        tried: set[Action] = set()
        while True:
            media_id = await self._media_id(part) if part.msgtype != "text" else ""
            if self._lease is not None:
                self._lease.check()
            try:
                await self._api.call("kf/send_msg", wire.send_body(part, permit.conversation, media_id))
                return True
            except Declined as declined:
                if self._was_accepted_before(declined, permit):
                    log.info(
                        "delivery:repeated", network=WEIXIN, permit=permit.id, code=str(declined.row.code)
                    )
                    return False
                if declined.row.action in tried:
                    raise refusal(declined, uncertain=permit.uncertain)
                tried.add(declined.row.action)
                await self._mend(declined, part, permit)

    def _was_accepted_before(self, declined: Declined, permit: Permit) -> bool:
        repeated = permit.uncertain or declined.repeated
        return repeated and declined.row.code in self._settings.duplicate_errcodes

    async def _mend(self, declined: Declined, part: wire.Part, permit: Permit) -> None:
        """Do what the errcode asks for, so that the part may be sent again; raise what it means otherwise."""
        if declined.row.action is Action.UPLOAD and part.msgtype != "text":
            self._media.forget(_media_key(part))
        elif declined.row.action is Action.TAKE_OVER:
            await self._take_over(permit)
        else:
            raise refusal(declined, uncertain=permit.uncertain)

    async def _take_over(self, permit: Permit) -> None:
        """Move the session to the assistant: the state in which the API may send."""
        who = _who(permit.conversation)
        try:
            await self._api.call("kf/service_state/trans", orjson.dumps({**who, "service_state": _ASSISTANT}))
        except Declined as declined:
            if declined.row.code != _STATE_CHANGE_ILLEGAL:
                raise refusal(declined, uncertain=permit.uncertain)
            await self._check_state(permit)

    async def _check_state(self, permit: Permit) -> None:
        """After an illegal change: somebody else may have changed it as we wanted."""
        with _nothing_sent():
            answer = await self._asked("kf/service_state/get", _who(permit.conversation))
        state = answer.get("service_state")
        if state in (0, _ASSISTANT):
            return
        why = f"the session is in state {state}, in which only the WeCom client may write"
        raise Refused("session", why, until_inbound=state == _ENDED)

    async def _media_id(self, part: wire.Part) -> str:
        key = _media_key(part)
        media_id = self._media.get(key)
        if media_id is None:
            try:
                with _nothing_sent():
                    media_id = await self._api.upload(part.msgtype, part.name, *self._source(part))
            except Declined as declined:
                raise refusal(declined)
            self._media.put(key, media_id)
        return media_id

    def _source(self, part: wire.Part) -> tuple[int, Callable[[], AsyncIterator[bytes]]]:
        """(size, a way to read the bytes from the start) of a part's medium."""
        blob = part.blob
        if blob is None:
            return len(part.data), lambda: _sliced(part.data)
        return blob.size, lambda: self._blobs.read(blob.digest)

    # --- for people -------------------------------------------------------------------------------------

    async def accounts(self) -> tuple[KfAccount, ...]:
        """Every customer service account that the app can see. Raises Unreachable, SignedOut, Refused."""
        found: list[KfAccount] = []
        while True:
            answer = await self._asked("kf/account/list", {"offset": len(found), "limit": 100})
            page = [_account(entry) for entry in _entries(answer, "account_list")]
            found += page
            if len(page) < 100:
                return tuple(found)

    async def contact_link(self, open_kfid: str, scene: str, scene_param: str) -> str:
        """A link (or QR content) that opens the chat with `open_kfid`; entering repeats both words to us.

        `scene` is at most 32 characters of [0-9a-zA-Z_-], `scene_param` at most 128 bytes. Raises
        Refused("parameter") for others, and what `accounts` raises.
        """
        if not _SCENE.fullmatch(scene) or len(quote(scene_param, safe="").encode()) > 128:
            raise Refused("parameter", "scene or scene_param is longer than the platform takes")
        answer = await self._asked("kf/add_contact_way", {"open_kfid": open_kfid, "scene": scene})
        url = str(answer.get("url", ""))
        joint = "&" if "?" in url else "?"
        return f"{url}{joint}scene_param={quote(scene_param, safe='')}" if scene_param else url

    async def customer(self, external_userid: str) -> Party | None:
        """A customer as the platform describes him, None if it knows nobody. The name is a nickname."""
        body = {"external_userid_list": [external_userid], "need_enter_session_context": 0}
        answer = await self._asked("kf/customer/batchget", body)
        for entry in _entries(answer, "customer_list"):
            if entry.get("external_userid") == external_userid:
                return Party(WEIXIN, external_userid, str(entry.get("nickname") or ""), language="zh")
        return None

    async def check(self) -> list[tuple[str, bool, str]]:
        """(what, whether it is right, detail) for `weighbridge doctor`, in the order a person would look."""
        found = [await self._check_token()]
        if found[0][1]:
            found.append(await self._check_accounts())
        port = self.bound_port
        detail = f"listening on port {port}" if port else "off: accounts are polled, replies come later"
        return [*found, ("callback", port > 0, detail)]

    async def _check_token(self) -> tuple[str, bool, str]:
        try:
            await self._api.tokens.current()
        except NetworkError as error:
            return ("token", False, str(error))
        return ("token", True, "corp id, secret and address are accepted")

    async def _check_accounts(self) -> tuple[str, bool, str]:
        try:
            seen = {account.open_kfid: account for account in await self.accounts()}
        except NetworkError as error:
            return ("accounts", False, str(error))
        wanted = self._settings.open_kfids or tuple(seen)
        missing = [kfid for kfid in wanted if kfid not in seen or not seen[kfid].manageable]
        if missing or not wanted:
            remedy = "Put the accounts under 通过API管理微信客服账号 and the app under 可调用接口的应用."
            return ("accounts", False, f"{len(missing)} of {len(wanted)} cannot be used. {remedy}")
        return ("accounts", True, f"{len(wanted)} can be used")

    async def _asked(self, path: str, body: Mapping[str, object]) -> dict[str, wire.Json]:
        """A call whose refusal is final for the caller."""
        try:
            return (await self._api.call(path, orjson.dumps(body))).members
        except Declined as declined:
            raise refusal(declined)


# --- small readings -------------------------------------------------------------------------------------

_SCENE = re.compile(r"[0-9a-zA-Z_-]{0,32}")


@contextlib.contextmanager
def _nothing_sent() -> Iterator[None]:
    """Around calls that show nothing to the customer: losing their answer leaves no doubt."""
    try:
        yield
    except Unreachable as away:
        away.certain = True
        raise


def _account(entry: Mapping[str, wire.Json]) -> KfAccount:
    manageable = entry.get("manage_privilege") is not False
    return KfAccount(str(entry.get("open_kfid", "")), str(entry.get("name", "")), manageable)


def _entries(answer: Mapping[str, wire.Json], key: str) -> list[dict[str, wire.Json]]:
    """The objects in a list of an answer; anything else in it is not ours to read."""
    value = answer.get(key)
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _who(conversation: str) -> dict[str, str]:
    open_kfid, _, customer = conversation.partition("/")
    return {"open_kfid": open_kfid, "external_userid": customer}


def _customer(message: Message) -> str:
    return message.conversation.partition("/")[2]


def _by_customer(message: Message) -> bool:
    return message.sender == _customer(message) != ""


def _media_key(part: wire.Part) -> tuple[str, str, str]:
    """What an uploaded medium is known by. Its name is part of it: the reader sees the name it was uploaded
    under, and the same bytes may have had another one for somebody else."""
    digest = part.blob.digest if part.blob else hashlib.sha256(part.data).hexdigest()
    return digest, part.msgtype, part.name


async def _sliced(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 65536):
        yield data[start : start + 65536]


__all__ = ["KfAccount", "WeixinConnector", "WeixinSettings"]
