"""Signing in to Symphony with an RSA key, once for everybody who waits.

Rules of this file: tokens are kept until the platform refuses them and never logged. Many calls may find
their token refused at the same moment; the first signs in, and the others use what it got (a generation
number tells them apart). Between two failed attempts there is a pause for everybody, so that an outage of
the login service is not answered with a storm, and an account is not locked.

Sources: Symphony developer documentation, "RSA authentication workflow" and "Simplified key delivery".
"""

from __future__ import annotations

import asyncio
import re
from typing import NamedTuple

import jwt
import orjson
import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from bridge.errors import NetworkError, SignedOut, Unreachable
from bridge.message import SYMPHONY
from bridge.ports import Clock
from connectors.symphony.http import Http
from connectors.symphony.settings import SymphonySettings
from connectors.symphony.wire import Reply, failure

JWT_LIFE = 240  # seconds; the platform takes at most 300
_SKD_CLAIM = "canUseSimplifiedKeyDelivery"
_SKD_AGENT = (24, 12)

log = structlog.get_logger()


class Tokens(NamedTuple):
    """What requests carry. `generation` counts our sign-ins from 1."""

    session: str
    key_manager: str
    generation: int

    @property
    def headers(self) -> dict[str, str]:
        """The headers of pod and agent requests alike."""
        return {"sessionToken": self.session, "keyManagerToken": self.key_manager}


class SignIn:
    """Gets tokens, keeps them, and gets new ones when they are refused."""

    def __init__(self, settings: SymphonySettings, http: Http, clock: Clock) -> None:
        self._settings = settings
        self._http = http
        self._clock = clock
        self._lock = asyncio.Lock()
        self._key: RSAPrivateKey | None = None
        self._tokens: Tokens | None = None
        self._generation = 0
        self._closed_until = 0  # ms: nobody tries before
        self._refused_since = 0  # ms: 0 while credentials are not refused
        self._last_failure: NetworkError | None = None

    @property
    def refused_since(self) -> int:
        """Since when (ms) the platform refuses our credentials; 0 when it does not."""
        return self._refused_since

    async def prepare(self) -> None:
        """Read the private key. Raises `SignedOut` when it cannot be used: no waiting would mend that.

        Coming here a second time means that somebody thinks another attempt worth while: it is made at once.
        """
        self._closed_until = 0
        self._key = await asyncio.to_thread(_rsa_key, self._settings.private_key)

    async def tokens(self) -> Tokens:
        """The tokens to use. Raises `Unreachable` (nothing was sent) or `SignedOut`."""
        return self._tokens or await self.renew(self._generation)

    async def renew(self, refused: int) -> Tokens:
        """Tokens newer than generation `refused`: got by somebody else just now, or by signing in."""
        async with self._lock:
            if self._tokens is not None and self._tokens.generation != refused:
                return self._tokens
            self._tokens = None
            self._wait_for_pause()
            try:
                self._tokens = await self._sign_in()
            except NetworkError as error:
                raise self._failed(error) from None
            self._refused_since = 0
            return self._tokens

    def _wait_for_pause(self) -> None:
        """Repeat the last failure while the pause after it lasts."""
        left = self._closed_until - self._clock.now()
        if left <= 0:
            return
        if isinstance(self._last_failure, SignedOut):
            raise self._last_failure
        raise Unreachable(str(self._last_failure), certain=True, retry_after=left / 1000)

    def _failed(self, error: NetworkError) -> NetworkError:
        """Note a failed attempt, and say what it means to whoever needed the tokens."""
        now = self._clock.now()
        if isinstance(error, SignedOut):
            self._refused_since = self._refused_since or now
            pause = self._settings.sign_in_pause
            log.error("session:refused", network=SYMPHONY, seconds=pause)
            if now - self._refused_since < self._settings.sign_in_patience * 1000:
                error = Unreachable(str(error), certain=True, retry_after=pause)
        else:
            wait = getattr(error, "retry_after", None)
            pause = self._settings.first_pause if wait is None else wait
            error = Unreachable(str(error), certain=True, retry_after=pause)
            log.warning("session:unreachable", network=SYMPHONY, seconds=pause)
        self._closed_until = now + int(pause * 1000)
        self._last_failure = error
        return error

    async def _sign_in(self) -> Tokens:
        token = await asyncio.to_thread(self._signed_token, self._clock.now() // 1000)
        session = await self._exchange(f"{self._settings.login}/login/pubkey/authenticate", token)
        if await self._keys_come_simplified(session):
            key_manager = ""
        else:
            key_manager = await self._exchange(
                f"{self._settings.key_manager}/relay/pubkey/authenticate", token
            )
        self._generation += 1
        log.info("session:opened", network=SYMPHONY, count=self._generation)
        return Tokens(session, key_manager, self._generation)

    def _signed_token(self, now: int) -> str:
        """The RS512 token that proves who we are. Milliseconds of arithmetic: not for the event loop."""
        assert self._key is not None, "prepare() comes first"
        claims = {"sub": self._settings.username, "exp": now + JWT_LIFE}
        return jwt.encode(claims, self._key, algorithm="RS512")

    async def _exchange(self, url: str, token: str) -> str:
        """Our signed token for one of the platform's."""
        reply = await self._http.ask(
            "POST", url, "signing in", within=self._settings.request_timeout, json={"token": token}
        )
        if reply.status in (401, 403) and not reply.page:
            raise SignedOut(
                f"Symphony refuses the credentials of {self._settings.username!r} (HTTP {reply.status}).",
                remedy="Check the user name, that the public key is imported for this service account, "
                "that neither has been revoked, and this machine's clock.",
            )
        return _token_of(reply)

    async def _keys_come_simplified(self, session: str) -> bool:
        """Whether no key manager token is needed: the session says so, and the agent is new enough."""
        if not _claims(session).get(_SKD_CLAIM):
            return False
        reply = await self._http.ask(
            "GET",
            f"{self._settings.agent}/agent/v1/info",
            "asking for the agent's version",
            within=self._settings.request_timeout,
        )
        return agent_version(reply.body) >= _SKD_AGENT if reply.status == 200 else False


def agent_version(body: bytes) -> tuple[int, int]:
    """The release of an agent by its info reply; (0, 0) when it does not say."""
    found = re.search(rb"Agent-(\d{1,4})\.(\d{1,4})\.", body)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _rsa_key(pem: str) -> RSAPrivateKey:
    """The RSA key in a PEM text. Raises `SignedOut` for anything else."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise SignedOut(
            "The private key for Symphony cannot be used.",
            remedy="It has to be an RSA key in PEM form, without a pass phrase.",
        )
    return key


def _claims(token: str) -> dict[str, object]:
    """What a session token says about itself, if it is a JWT; it is the platform's to verify, not ours."""
    try:
        return jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return {}


def _token_of(reply: Reply) -> str:
    """The token in a login reply. Raises `Unreachable` for any other reply."""
    if reply.status != 200:
        error = failure(reply, "signing in")
        raise Unreachable(str(error), certain=True, retry_after=reply.retry_after)
    try:
        token = orjson.loads(reply.body)["token"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        token = None
    if not isinstance(token, str) or not token:
        raise Unreachable("signing in: the answer holds no token.", certain=True)
    return token
