"""The Symphony connector: a datafeed read and acknowledged, messages sent once, attachments streamed.

Rules of this file: I/O and its order only; what bytes mean is decided in `wire`. One process reads for one
service account: two would split the feed between them. A batch is acknowledged by the *next* read, so that
read waits until the batch is ours. The feed is not trusted to be complete: whenever it may have been away
(a start, a vanished feed), the history of every known stream is read from its cursor.

Symphony has no idempotency key. Each message carries its permit in its EntityJSON, and before an uncertain
send is repeated, or one that only its row calls the first, the stream's history is searched for it.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple, Self
from urllib.parse import quote

import aiohttp
import orjson
import structlog

from bridge.errors import NetworkError, Refused, SignedOut, Unreachable
from bridge.message import (
    SYMPHONY,
    Batch,
    Echo,
    File,
    Message,
    Party,
    Permit,
    Receipt,
    Sighting,
    Traffic,
    Unasked,
    sighting,
)
from bridge.ports import DIRECT, Blobs, Clock, Lease
from connectors.symphony import wire
from connectors.symphony.auth import SignIn, agent_version
from connectors.symphony.form import MessageForm
from connectors.symphony.http import Http
from connectors.symphony.markup import Unreadable
from connectors.symphony.settings import SymphonySettings
from connectors.symphony.wire import Item, Reply

__all__ = ["SymphonyConnector", "SymphonySettings"]

STREAM = "stream:"  # cursors: "stream:<id>" -> the time (ms) of the last message committed
PAGE = 500  # messages of history per request, the platform's limit
SEARCH_MARGIN = 120_000  # ms before the first try in which an uncertain send is looked for
PIECE = 192 * 1024  # bytes of an attachment read at once
SPOILED_LIMIT = 3  # replies that are not JSON, or not whole, before one is held as it is
STREAMS_AT_ONCE = 8
_NOT_THERE = (204, 404, 410)  # a message that was deleted, or never existed
RECOUNT_TRIES = 5  # of one page, before a recount is given up
STREAMS_LISTED = 100  # streams a page of our own
SHORT_POLL = 50  # ms: an empty answer that comes faster is no long poll, and is not asked for in a storm

Sleep = Callable[[float], Awaitable[object]]

log = structlog.get_logger()


class WallClock:
    """The machine's clock."""

    def now(self) -> int:
        """Milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000


class Token(NamedTuple):
    """What acknowledges a batch: the id to send with the next read of the same feed."""

    feed: str
    ack_id: str


class FeedLost(Exception):
    """The agent does not know our feed any more."""


class Pauses:
    """Waiting between attempts: longer each time, never in step with others, never shorter than asked."""

    def __init__(self, settings: SymphonySettings, sleep: Sleep, chance: Callable[[], float]) -> None:
        self._settings = settings
        self._sleep = sleep
        self._chance = chance
        self._failures = 0

    def succeeded(self) -> None:
        """The next pause is a short one again."""
        self._failures = 0

    def seconds(self, asked: float | None) -> float:
        """The next pause; `asked` is what the other side wants, None if it did not say."""
        doubled = self._settings.first_pause * 2.0 ** min(self._failures, 30)
        own = min(doubled, self._settings.longest_pause) * (0.5 + self._chance() / 2)
        return own if asked is None else max(asked * (1 + self._chance() / 10), own)

    async def after(self, error: NetworkError) -> None:
        """Wait, because of `error`."""
        seconds = self.seconds(getattr(error, "retry_after", None))
        self._failures += 1
        log.warning("network:waiting", network=SYMPHONY, seconds=round(seconds, 1), code=type(error).__name__)
        await self._sleep(seconds)


class SymphonyConnector:
    """Symphony behind `bridge.ports.Connector`, for one service account.

    `blobs` serves attachments to send; `lease` says until when anything may be sent. `sleep`, `chance` (0 to
    1) and `clock` are there for tests. `heard_at` is when (ms) the feed last answered, 0 before the first
    answer.
    """

    network = SYMPHONY
    shows_ours = True

    def __init__(
        self,
        settings: SymphonySettings,
        blobs: Blobs,
        *,
        lease: Lease | None = None,
        clock: Clock | None = None,
        sleep: Sleep = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._blobs = blobs
        self._lease = lease
        self._clock = clock or WallClock()
        self._http = Http(settings, self._clock)
        self._sign_in = SignIn(settings, self._http, self._clock)
        self._sleep = sleep
        self._pauses = partial(Pauses, settings, sleep, chance)
        self._me: Party | None = None
        self._direct: dict[str, str] = {}  # streams of direct chats, by conversation
        self._positions: dict[str, int] = {}
        self._feed = ""
        self._ack_id = ""
        self._unacknowledged: Token | None = None
        self._acknowledged = asyncio.Event()
        self._spoiled = 0
        self._quiet_since = 0
        self.heard_at = 0

    async def __aenter__(self) -> Self:
        """Sign in. An outage does not fail here: `receive` goes on trying, and a send says `Unreachable`."""
        await self._http.open()
        try:
            await self._sign_in.prepare()
            await self._sign_in.tokens()
        except Unreachable as error:
            log.warning("session:waiting", network=SYMPHONY, seconds=error.retry_after)
        except SignedOut:
            await self._http.close()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Hang up. The feed stays where it is, and keeps what was not acknowledged."""
        await self._http.close()

    @property
    def refused_since(self) -> int:
        """Since when (ms) our credentials are refused; 0 when they are not."""
        return self._sign_in.refused_since

    # --- requests

    async def _ask(self, method: str, url: str, doing: str, *, within: float = 0.0, **request: Any) -> Reply:
        """One request with tokens, repeated once with new ones if they are refused."""
        within = within or self._settings.request_timeout
        tokens = await self._sign_in.tokens()
        reply = await self._http.ask(method, url, doing, within=within, headers=tokens.headers, **request)
        if reply.status != 401:
            return reply
        tokens = await self._sign_in.renew(tokens.generation)
        reply = await self._http.ask(method, url, doing, within=within, headers=tokens.headers, **request)
        if reply.status != 401:
            return reply
        raise Unreachable(f"{doing}: new tokens are refused as well.", certain=True)

    async def _get(self, url: str, doing: str, **params: str) -> Any:
        """The JSON of a GET; None for 204."""
        return _json(await self._ask("GET", url, doing, params=params), doing)

    async def _post(self, url: str, doing: str, payload: object) -> Any:
        """The JSON that answers a POST of JSON; None for 204."""
        return _json(await self._ask("POST", url, doing, json=payload), doing)

    def _agent(self, path: str) -> str:
        return f"{self._settings.agent}/agent/{path}"

    def _pod(self, path: str) -> str:
        return f"{self._settings.pod}/pod/{path}"

    async def _patiently(self, pauses: Pauses, call: Callable[[], Awaitable[Any]]) -> Any:
        """The result of `call`, however long the network is away. Only `SignedOut` and `FeedLost` end it."""
        while True:
            try:
                result = await call()
            except (Unreachable, Refused) as error:
                await pauses.after(error)
            else:
                pauses.succeeded()
                return result

    # --- receiving

    async def receive(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        """See `bridge.ports.Connector`. Each batch must be acknowledged before the next is asked for."""
        self._positions = _positions(cursors)
        self._feed, self._ack_id, self._unacknowledged = "", "", None
        self._quiet_since = self._clock.now()
        pauses, losses = self._pauses(), self._pauses()
        await self._patiently(pauses, self.whoami)
        may_reuse = True
        while True:
            heard_at = self._quiet_since
            await self._patiently(pauses, partial(self._open_feed, may_reuse))
            async for batch in self._missed(pauses):
                yield batch
            try:
                async for batch in self._live(pauses):
                    yield batch
            except FeedLost:
                silence = self._clock.now() - self._quiet_since
                log.warning("feed:lost", network=SYMPHONY, seconds=silence // 1000)
                may_reuse = False
                if self._quiet_since == heard_at:
                    await losses.after(Unreachable("A new feed vanished at once.", certain=True))
                else:
                    losses.succeeded()

    async def acknowledge(self, batch: Batch) -> None:
        """See `bridge.ports.Connector`. The next read carries the acknowledgement."""
        for stream, at in _positions(batch.cursors).items():
            self._positions[stream] = max(at, self._positions.get(stream, 0))
        waiting = self._unacknowledged
        if waiting is not None and batch.token == waiting:
            self._ack_id = waiting.ack_id
            self._unacknowledged = None
            self._acknowledged.set()

    async def _live(self, pauses: Pauses) -> AsyncIterator[Batch]:
        """Batches of the feed until it is lost."""
        while True:
            asked_at = self._clock.now()
            reading = await self._patiently(pauses, self._reader())
            self.heard_at = self._quiet_since = self._clock.now()
            if not reading.messages and not reading.echoes:
                self._ack_id = reading.ack_id
                if self._quiet_since - asked_at < SHORT_POLL:
                    await self._sleep(self._settings.first_pause)
                continue
            self._unacknowledged = Token(self._feed, reading.ack_id)
            self._acknowledged.clear()
            yield self._batch(reading.messages, reading.echoes, self._unacknowledged)
            await self._acknowledged.wait()
            if not reading.whole:
                async for batch in self._missed(pauses):
                    yield batch

    def _reader(self) -> Callable[[], Awaitable[wire.Reading]]:
        """One read of the feed, to be repeated with the same ackId until it succeeds.

        A spoiled reply is left to be delivered again, with other replies in between; the third is held.
        """

        async def read() -> wire.Reading:
            reply = await self._ask(
                "POST",
                self._agent(f"v5/datafeeds/{self._feed}/read"),
                "reading the feed",
                within=self._settings.poll_timeout,
                json={"ackId": self._ack_id, "updatePresence": self._settings.update_presence},
            )
            if reply.status != 200:
                raise await self._after_failed_read(reply)
            try:
                found = wire.read_feed(reply.body, self._own_id)
                return await self._completed(found)
            except Unreadable as why:
                if reply.page or self._spare():
                    raise Unreachable(f"reading the feed: {why}.", certain=True) from None
                return _held(reply)
            except Unreachable:
                if self._spare():
                    raise
                return found._replace(whole=False)

        return read

    def _spare(self) -> bool:
        """Whether a spoiled reply is to be waited for once more."""
        self._spoiled = (self._spoiled + 1) % SPOILED_LIMIT
        return self._spoiled > 0

    async def _completed(self, reading: wire.Reading) -> wire.Reading:
        """The same reading, with the messages that some agents name but leave out."""
        named = {m.refers_to: m for m in reading.messages if m.defect == wire.EMPTY and m.refers_to}
        if not named:
            return reading
        found = [await self._message(message_id, held) for message_id, held in named.items()]
        rest = [message for message in reading.messages if message not in named.values()]
        return wire.reading(reading.ack_id, [*rest, *found, *reading.echoes])

    async def _message(self, message_id: str, held: Message) -> Item:
        """One message by its id; `held` if the platform does not give it."""
        url = self._agent(f"v1/message/{quote(message_id, safe='')}")
        reply = await self._ask("GET", url, "reading a message")
        if reply.status != 200:
            error = wire.failure(reply, "reading a message")
            if isinstance(error, Unreachable) and reply.status not in _NOT_THERE:
                raise error
            return held
        return wire.read_single(reply.body, self._own_id)

    async def _after_failed_read(self, reply: Reply) -> Exception:
        """What a refused read means: the feed is gone, there are too many, or it is worth another try."""
        if reply.status == 400 and reply.retry_after is None and not reply.page:
            return FeedLost()
        if reply.status == 403 and not reply.page:
            await self._delete_feeds(keep=self._feed)
        return wire.failure(reply, "reading the feed")

    async def _open_feed(self, may_reuse: bool) -> None:
        """Find our feed, or make one. What an old feed still holds comes again from its first read."""
        feed = wire.reusable_feed(await self._list_feeds()) if may_reuse else ""
        if not feed:
            await self._delete_feed(self._feed)
            feed = await self._create_feed()
        self._feed, self._ack_id, self._unacknowledged = feed, "", None
        log.info("feed:opened", network=SYMPHONY)

    async def _list_feeds(self) -> Any:
        tag = {"tag": self._settings.tag} if self._settings.tag else {}
        return await self._get(self._agent("v5/datafeeds"), "listing feeds", **tag)

    async def _create_feed(self) -> str:
        wanted = {"tag": self._settings.tag} if self._settings.tag else {}
        reply = await self._ask("POST", self._agent("v5/datafeeds"), "creating a feed", json=wanted)
        if reply.status == 403 and not reply.page:
            await self._delete_feeds(keep="")
        made = _json(reply, "creating a feed")
        if not isinstance(made, dict) or not isinstance(made.get("id"), str):
            raise Unreachable("creating a feed: the answer names none.", certain=True)
        return str(made["id"])

    async def _delete_feeds(self, keep: str) -> None:
        """Make room when there are too many feeds: all of this account's but `keep` are nobody's."""
        feeds = await self._list_feeds()
        names = [feed.get("id") for feed in feeds or () if isinstance(feed, dict)]
        log.error("feed:crowded", network=SYMPHONY, count=len(names))
        for name in names:
            if isinstance(name, str) and name != keep:
                await self._delete_feed(name)

    async def _delete_feed(self, feed: str) -> None:
        """Delete a feed, if it is still there; whatever the agent answers, it is of no use to us."""
        if feed:
            await self._ask("DELETE", self._agent(f"v5/datafeeds/{feed}"), "deleting a feed")

    def _batch(
        self,
        messages: Iterable[Message],
        echoes: Iterable[Echo],
        token: object = None,
        *,
        history: bool = False,
    ) -> Batch:
        """A batch with the positions that its messages reach.

        None lies in the future: one absurd timestamp must not close a stream to every later backfill.
        """
        messages = tuple(messages)
        reached: dict[str, int] = {}
        now = self._clock.now()
        for message in messages:
            if message.conversation and message.sent_at:
                known = reached.get(message.conversation) or self._positions.get(message.conversation, 0)
                reached[message.conversation] = max(min(message.sent_at, now), known)
        cursors = {STREAM + stream: str(at) for stream, at in reached.items()}
        return Batch(SYMPHONY, messages, tuple(echoes), cursors, token, history)

    # --- history

    async def _missed(self, pauses: Pauses) -> AsyncIterator[Batch]:
        """What the streams hold since their cursors: the store drops what it has already."""
        streams = sorted(self._positions)
        for first in range(0, len(streams), STREAMS_AT_ONCE):
            group = streams[first : first + STREAMS_AT_ONCE]
            for items in await asyncio.gather(*(self._missed_in(pauses, stream) for stream in group)):
                for batch in self._history_batches(items):
                    yield batch
        log.info("history:read", network=SYMPHONY, count=len(streams))

    def _history_batches(self, items: list[Item]) -> Iterable[Batch]:
        echoes = [item for item in items if isinstance(item, Echo)]
        messages = sorted((item for item in items if isinstance(item, Message)), key=lambda m: m.sent_at)
        for first in range(0, len(messages), PAGE):
            yield self._batch(messages[first : first + PAGE], echoes if not first else (), history=True)
        if echoes and not messages:
            yield self._batch((), echoes, history=True)

    async def _missed_in(self, pauses: Pauses, stream: str) -> list[Item]:
        """Everything in one stream since shortly before its cursor; nothing if it is closed to us."""
        since = max(0, self._positions[stream] - int(self._settings.overlap * 1000))
        while True:
            try:
                return [item async for item in self._history(stream, since)]
            except Refused as error:
                log.warning("history:refused", conversation=wire.digest(stream), code=error.code)
                return []
            except Unreachable as error:
                await pauses.after(error)

    async def recount(
        self, since: int, until: int, known: Iterable[str] = ()
    ) -> AsyncIterator[Sighting | Unasked]:
        """See `bridge.ports.Connector`. Every stream that the account is in is asked, known to us or not.

        History has messages only, so joins, leaves and the like are not in it; and what was suppressed is
        not in it any more.
        """
        await self._insisting(self.whoami)
        streams = await self._insisting(self._own_streams)
        for stream in sorted({*known} - {*streams}):
            yield Unasked(SYMPHONY, stream, since, until, "the account is not in it any more")
        for stream in streams:
            try:
                async for item in self._history(stream, since, until):
                    yield _sighted(item, stream, self._own_id)
            except Refused as error:
                yield Unasked(SYMPHONY, stream, since, until, f"history is refused: {error.code}")

    async def _insisting(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """The result of `call`, tried some times. Raises `Unreachable` when that does not help."""
        pauses = self._pauses()
        for _ in range(RECOUNT_TRIES - 1):
            try:
                return await call()
            except Unreachable as error:
                await pauses.after(error)
        return await call()

    async def _own_streams(self, *, closed: bool = True) -> list[str]:
        """Every stream that the bridge's account is a member of, those that were `closed` too."""
        kinds = [{"type": kind} for kind in ("IM", "MIM", "ROOM")]
        wanted = {"streamTypes": kinds, "includeInactiveStreams": closed}
        found: list[str] = []
        for skip in itertools.count(0, STREAMS_LISTED):
            query = f"?skip={skip}&limit={STREAMS_LISTED}"
            page = await self._post(self._pod(f"v1/streams/list{query}"), "listing streams", wanted)
            page = page if isinstance(page, list) else []
            found += [normal for one in page if (normal := _listed(one))]
            if len(page) < STREAMS_LISTED:
                break
        return found

    async def _history(self, stream: str, since: int, until: int = 0) -> AsyncIterator[Item]:
        """A stream's messages from `since` (ms) on, before `until` if there is one, page by page.

        `since` stays and `skip` grows, which misses nothing whichever end of the stream comes first.
        """
        skip = 0
        span = {"since": str(since)} | ({"until": str(until - 1)} if until else {})
        while True:
            ask = partial(self._history_page, stream, {**span, "skip": str(skip), "limit": str(PAGE)})
            page = await (self._insisting(ask) if until else ask())
            for item in page:
                yield item
            skip += len(page)
            if len(page) < PAGE:
                return

    async def _history_page(self, stream: str, params: Mapping[str, str]) -> tuple[Item, ...]:
        url = self._agent(f"v4/stream/{stream}/message")
        return _page(await self._ask("GET", url, "reading history", params=params), self._own_id)

    # --- sending

    async def send(self, permit: Permit, traffic: Traffic) -> Receipt:
        """See `bridge.ports.Connector`. Symphony has no reply window, so `traffic` does not matter here."""
        message = wire.compose(permit.content)
        wire.check_limits(permit.content, message, self._settings.max_file_bytes)
        try:
            stream = await self._stream_of(permit.conversation)
            if (permit.uncertain or permit.unknown) and (found := await self._look_up(permit, stream)):
                return Receipt((found,), found=True)
            return Receipt((await self._send_now(permit, stream, message),))
        except Unreachable as error:
            if permit.uncertain and error.certain:
                # an earlier attempt may still be on its way: only a look-up can tell, each time
                raise Unreachable(str(error), certain=False, retry_after=error.retry_after) from None
            raise

    async def _stream_of(self, conversation: str) -> str:
        """The stream of a conversation, which `im:ADDRESS` names by whom it is with.

        The platform answers the same stream for the same people, however often it is asked. Raises `Refused`
        when there is nobody with this address.
        """
        if not conversation.startswith(DIRECT):
            return conversation
        if conversation not in self._direct:
            address = conversation.removeprefix(DIRECT)
            user = await self.find_user(address)
            if user is None:
                raise Refused("unknown-user", "Symphony has no active user with this address.")
            made = await self._post(self._pod("v1/im/create"), "opening a chat", [int(user.id)])
            self._direct[conversation] = _stream_id(made)
        return self._direct[conversation]

    async def _look_up(self, permit: Permit, stream: str) -> str:
        """The id of the message that carries `permit`, "" if the stream has none. Looking sends nothing: that
        much is certain of an `Unreachable`."""
        since = max(0, permit.first_try_at - SEARCH_MARGIN)
        try:
            await self.whoami()
            async for item in self._history(stream, since):
                if isinstance(item, Echo) and item.permit == permit.id:
                    return item.id
        except Refused as error:
            raise Unreachable(str(error), certain=True) from None
        except Unreachable as error:
            raise Unreachable(str(error), certain=True, retry_after=error.retry_after) from None
        return ""

    async def _send_now(self, permit: Permit, stream: str, message: str) -> str:
        data, files = wire.permit_data(permit.id), permit.content.files
        form = MessageForm(message, data, files, self._blobs, self._lease)
        url = self._agent(f"v4/stream/{stream}/message/create")
        try:
            reply = await self._ask("POST", url, "sending", within=self._settings.send_timeout, data=form)
        except Unreachable:
            form.check()
            raise
        if reply.status != 200:
            raise wire.failure(reply, "sending")
        return _sent_id(reply)

    async def post_note(self, stream: str, key: str, note: str) -> str:
        """Post a signed note (a checkpoint of the ledger) into a stream; gives the message's id.

        `key` stands where messages have their permit: so what is posted comes back as an echo of ours, and is
        neither archived nor relayed. Raises ValueError for a text that is no signed note, and like `send`.
        """
        form = MessageForm(wire.compose_note(note), wire.permit_data(key), (), self._blobs)
        url = self._agent(f"v4/stream/{stream}/message/create")
        reply = await self._ask("POST", url, "posting", within=self._settings.send_timeout, data=form)
        if reply.status != 200:
            raise wire.failure(reply, "posting")
        return _sent_id(reply)

    async def check_stream(self, stream: str) -> str:
        """Whether the bridge's account may read a stream, as its members may; a detail for a doctor."""
        await self.whoami()
        async for _ in self._history(stream, self._clock.now()):
            break
        return "a member of the room"

    # --- attachments

    async def fetch(self, file: File) -> AsyncIterator[bytes]:
        """See `bridge.ports.Connector`. The agent answers base64 text, decoded here as it comes."""
        address = wire.file_address(file.ref)
        if file.size > self._settings.max_file_bytes:
            raise _too_large(self._settings.max_file_bytes)
        url = self._agent(f"v1/stream/{address.stream}/attachment")
        wanted = {"fileId": address.file, "messageId": address.message}
        tokens = await self._sign_in.tokens()
        for last in (False, True):
            async with self._http.stream(
                "GET",
                url,
                "fetching a file",
                within=self._settings.send_timeout,
                headers=tokens.headers | {"Accept": "application/octet-stream"},
                params=wanted,
            ) as response:
                if response.status != 401 or last:
                    async for piece in self._pieces(response):
                        yield piece
                    return
            tokens = await self._sign_in.renew(tokens.generation)

    async def _pieces(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """The decoded bytes of an attachment, in pieces; raises what a refused download means."""
        if response.status != 200:
            raise _fetch_failure(await self._http.reply(response))
        decoder, total = wire.Base64Text(), 0
        try:
            async for text in response.content.iter_chunked(PIECE):
                piece = decoder.feed(text)
                total += len(piece)
                if total > self._settings.max_file_bytes:
                    raise _too_large(self._settings.max_file_bytes)
                if piece:
                    yield piece
            decoder.close()
        except Unreadable as why:
            raise Unreachable(f"fetching a file: {why}.", certain=True) from None

    # --- people and rooms

    @property
    def _own_id(self) -> str:
        return self._me.id if self._me else ""

    async def whoami(self) -> Party:
        """The bridge's own account, asked once."""
        if self._me is None:
            user = await self._get(self._pod("v2/sessioninfo"), "asking who we are")
            self._me = _party(user)
        return self._me

    async def find_user(self, address: str) -> Party | None:
        """The active user with this e-mail address, of our pod or visible from it; None if there is none."""
        found = await self._get(
            self._pod("v3/users"), "looking a user up", email=address, local="false", active="true"
        )
        users = found.get("users") if isinstance(found, dict) else None
        return _party(users[0]) if users else None

    async def open_room(self, name: str, user_ids: Iterable[str], *, external: bool = False) -> str:
        """A new private room with these people in it, who cannot invite others; its stream id.

        `external` allows people of other companies. Raises `Refused` when the platform does not want it.
        """
        wanted = {
            "name": name[:49],
            "description": "A conversation across the bridge.",
            "membersCanInvite": False,
            "discoverable": False,
            "public": False,
            "readOnly": False,
            "copyProtected": False,
            "crossPod": external,
            "viewHistory": False,
        }
        stream = _room_id(await self._post(self._pod("v3/room/create"), "creating a room", wanted))
        for user_id in user_ids:
            await self._post(
                self._pod(f"v1/room/{stream}/membership/add"), "adding a member", {"id": int(user_id)}
            )
        return stream

    async def is_in(self, stream: str) -> bool:
        """Whether the bridge's account can write in a stream: it is a member, and the stream is open."""
        return wire.normal_id(stream) in await self._own_streams(closed=False)

    async def check(self) -> list[tuple[str, bool, str]]:
        """What a doctor wants to know, in order: what was tried, whether it went well, and a detail."""
        results: list[tuple[str, bool, str]] = []
        for what, examine in (
            ("sign-in", self._check_sign_in),
            ("agent", self._check_agent),
            ("account", self._check_account),
            ("datafeeds", self._check_feeds),
        ):
            try:
                results.append((what, True, await examine()))
            except NetworkError as error:
                results.append((what, False, str(error)))
                if isinstance(error, SignedOut) or what == "sign-in":
                    break
        return results

    async def _check_sign_in(self) -> str:
        tokens = await self._sign_in.tokens()
        return "session and key manager" if tokens.key_manager else "session, simplified key delivery"

    async def _check_agent(self) -> str:
        reply = await self._ask("GET", self._agent("v1/info"), "asking for the agent's version")
        _json(reply, "asking for the agent's version")
        return "release {}.{}".format(*agent_version(reply.body))

    async def _check_account(self) -> str:
        me = await self.whoami()
        return f"user {me.id}"

    async def _check_feeds(self) -> str:
        return f"{len(await self._list_feeds() or ())} of at most 20"


# --- replies --------------------------------------------------------------------------------------------


def _json(reply: Reply, doing: str) -> Any:
    """The JSON of a successful reply, None for 204. Raises what any other reply means."""
    if reply.status == 204:
        return None
    if reply.status not in (200, 201):
        raise wire.failure(reply, doing)
    try:
        return orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        raise Unreachable(f"{doing}: the answer is not JSON.", certain=False) from None


def _page(reply: Reply, own_id: str) -> tuple[Item, ...]:
    """One page of history. Raises what any other reply means."""
    if reply.status == 204:
        return ()
    if reply.status != 200:
        raise wire.failure(reply, "reading history")
    try:
        return wire.read_history(reply.body, own_id)
    except Unreadable as why:
        raise Unreachable(f"reading history: {why}.", certain=True) from None


def _sighted(item: Item, stream: str, own_id: str) -> Sighting:
    """An item of a stream's history, as a recount gives it."""
    if isinstance(item, Echo):
        return Sighting(SYMPHONY, stream, item.id, item.at, permit=item.permit, ours=True, text=item.text)
    if item.sender and item.sender == own_id:
        return Sighting(SYMPHONY, stream, item.id, item.sent_at, ours=True, text=item.text)
    return sighting(item)


def _listed(entry: object) -> str:
    """The id of a stream in a list of streams, "" where it has none."""
    try:
        return wire.normal_id(entry["id"])  # type: ignore[index]
    except (KeyError, TypeError, Unreadable):
        return ""


def _held(reply: Reply) -> wire.Reading:
    """A reply of the feed that nobody can read, to be archived and held as it is."""
    try:
        return wire.hold_reply(reply.body)
    except Unreadable as why:
        raise Unreachable(f"reading the feed: {why}.", certain=True) from None


def _sent_id(reply: Reply) -> str:
    """The id of the message that was made. Without one nobody knows whether it was."""
    try:
        return wire.normal_id(orjson.loads(reply.body)["messageId"])
    except (orjson.JSONDecodeError, KeyError, TypeError, Unreadable):
        raise Unreachable("sending: the answer names no message.", certain=False) from None


def _fetch_failure(reply: Reply) -> NetworkError:
    """What a refused download means: agents answer 400 for what is not there (any more)."""
    if reply.status in (400, 404) and reply.retry_after is None and not reply.page:
        return Refused("gone", f"fetching a file: HTTP {reply.status}, it is not there any more.")
    return wire.failure(reply, "fetching a file")


def _too_large(limit: int) -> Refused:
    return Refused("too-large", f"The file is larger than {limit} bytes.")


def _positions(cursors: Mapping[str, str]) -> dict[str, int]:
    """The known streams and the times they were read up to."""
    return {
        name.removeprefix(STREAM): int(value)
        for name, value in cursors.items()
        if name.startswith(STREAM) and value.isdecimal()
    }


def _room_id(made: Any) -> str:
    """The stream id of a room just made. Raises `Unreachable` when the answer names none."""
    try:
        return wire.normal_id(made["roomSystemInfo"]["id"])
    except (KeyError, TypeError, Unreadable):
        raise Unreachable("creating a room: the answer names none.", certain=False) from None


def _stream_id(made: Any) -> str:
    """The stream id of a direct chat. Raises `Unreachable` when the answer names none."""
    try:
        return wire.normal_id(made["id"])
    except (KeyError, TypeError, Unreadable):
        raise Unreachable("opening a chat: the answer names none.", certain=True) from None


def _party(user: Any) -> Party:
    """A pod's UserV2 as a party. Raises `Unreachable` if it is none."""
    if not isinstance(user, dict) or not user.get("id"):
        raise Unreachable("asking for a user: the answer holds none.", certain=True)
    return Party(SYMPHONY, str(user["id"]), user.get("displayName") or "", user.get("emailAddress") or "")
