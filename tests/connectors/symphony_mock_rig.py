"""What the tests of the mock pod share: a pod with a cast, and a bare caller that speaks its API over HTTP.

The caller is as simple as can be: it retries nothing and hides nothing, and keeps every exchange for later
checks.
"""

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from connectors.symphony.mock import SymphonyPod

BOT = "bridge-bot"
ALICE = "alice.wong"
BOB = "bob.li"
ANSWER_SECONDS = 60


@functools.lru_cache(maxsize=16)
def _ready(pem: str) -> PrivateKeyTypes | str:
    """A private key read once, however often it signs; what is none stays as it is."""
    if not pem.startswith("-----"):
        return pem
    return serialization.load_pem_private_key(pem.encode(), None)


@dataclass(frozen=True)
class Exchange:
    """One request and what came back."""

    method: str
    path: str
    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        """The answer's JSON."""
        return orjson.loads(self.content)


@dataclass
class Caller:
    """An API caller: an account, its key, its tokens, and what it has exchanged."""

    pod: SymphonyPod
    url: str
    key: str
    http: aiohttp.ClientSession
    username: str = BOT
    tokens: dict[str, str] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)

    def jwt(
        self, *, key: str | None = None, algorithm: str = "RS512", ahead: float = 240, sub: str | None = None
    ) -> str:
        """A login JWT, right unless told otherwise."""
        claims = {"sub": sub or self.username, "exp": int(self.pod.clock.now() + ahead)}
        return jwt.encode(claims, _ready(key or self.key), algorithm=algorithm)

    async def login(self) -> None:
        """Fetch both tokens."""
        for path, header in (("/login", "sessionToken"), ("/relay", "keyManagerToken")):
            answer = await self.call("POST", f"{path}/pubkey/authenticate", json={"token": self.jwt()})
            assert answer.status == 200, answer
            self.tokens[header] = answer.json["token"]

    async def call(self, method: str, path: str, **options: Any) -> Exchange:
        """One request with the tokens held; raises what aiohttp raises."""
        limit = aiohttp.ClientTimeout(total=options.pop("within", ANSWER_SECONDS))
        headers = {**self.tokens, **options.pop("headers", {})}
        async with self.http.request(
            method, self.url + path, headers=headers, timeout=limit, **options
        ) as reply:
            exchange = Exchange(method, path, reply.status, dict(reply.headers), await reply.read())
        self.exchanges.append(exchange)
        return exchange

    async def get(self, path: str, **options: Any) -> Exchange:
        """A GET."""
        return await self.call("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Exchange:
        """A POST with a JSON body."""
        return await self.call("POST", path, json=body, **options)

    async def send(self, stream: str, message: str, *files: tuple[str, bytes], **texts: str) -> Exchange:
        """Create a message."""
        return await self.form(f"/agent/v4/stream/{stream}/message/create", message, *files, **texts)

    async def form(self, path: str, message: str, *files: tuple[str, bytes], **texts: str) -> Exchange:
        """POST a multipart form of texts and attachments."""
        form = aiohttp.FormData(default_to_multipart=True, quote_fields=False)
        for name, content in files:
            form.add_field("attachment", content, filename=name, content_type="application/octet-stream")
        for name, text in {"message": message, **texts}.items():
            form.add_field(name, text, content_type="text/plain; charset=utf-8")
        return await self.call("POST", path, data=form)

    async def open_feed(self) -> str:
        """Create a datafeed and return its id."""
        return (await self.post("/agent/v5/datafeeds", {})).json["id"]

    async def read(self, feed: str, ack_id: str = "", **options: Any) -> Exchange:
        """Read a datafeed."""
        return await self.post(f"/agent/v5/datafeeds/{feed}/read", {"ackId": ack_id}, **options)


@dataclass
class Scene:
    """A served pod, the bot's caller, and a room of Alice, Bob and the bot."""

    pod: SymphonyPod
    bot: Caller
    room: str


@asynccontextmanager
async def scene(**options: Any) -> AsyncIterator[Scene]:
    """A pod with its cast, served, the bot logged in. Long polls end at once without `poll_seconds`."""
    pod = SymphonyPod(**{"poll_seconds": 0.0, **options})
    key = pod.add_bot(BOT)
    pod.add_user(ALICE, "alice.wong@bank.example", "Alice Wong")
    pod.add_user(BOB, "bob.li@bank.example", "Bob Li")
    room = pod.create_room("Li Lei", [ALICE, BOB, BOT])
    async with pod.serve() as url, aiohttp.ClientSession() as http:
        caller = Caller(pod, url, key, http)
        await caller.login()
        yield Scene(pod, caller, room)
