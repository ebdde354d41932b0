"""Time stamps of checkpoints from an authority of somebody else (RFC 3161).

Rules of this file: the authority gets a hash and nothing else. What it answers is checked here, against the
roots of the settings, before it counts: a stamp that would not convince an auditor is none.

Sources: RFC 3161, section 3.4 (over HTTP); section 2.4 (request and response).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import aiohttp

from bridge.errors import Unwitnessed
from bridge.ledger.timestamp import LARGEST, MEDIA_QUERY, Stamp, stamped
from bridge.store.checkpoints import AUTHORITY

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampRequest

_TRIAL = "weighbridge: is anybody there?\n"


class TimeStamps:
    """`bridge.ports.Witness` on an authority, trusted when its certificate leads to one of `roots`."""

    recalls = False

    def __init__(self, name: str, every: float, roots: Sequence[Certificate], proxy: str = "") -> None:
        self.name, self.every = name, every
        self._url, self._roots, self._proxy = name.removeprefix(AUTHORITY), roots, proxy or None

    async def newest(self, lane: int, *, begun: bool = False) -> None:
        """See `bridge.ports.Witness`: an authority keeps nothing that we could ask for."""

    async def leave(self, lane: int, size: int, note: str) -> bytes:
        """See `bridge.ports.Witness`. The answer is the whole response, checked."""
        return (await self._stamp(note))[1]

    async def check(self) -> str:
        """See `bridge.ports.Witness`. A stamp is asked for, and thrown away."""
        stamp, _ = await self._stamp(_TRIAL)
        return f"stamps, by {stamp.by or 'an authority without a name'}"

    async def _stamp(self, note: str) -> tuple[Stamp, bytes]:
        question = _question(note)
        answer = await self._ask(question.as_bytes())
        try:
            return stamped(answer, note.encode(), self._roots, question.nonce), answer
        except ValueError as error:
            raise Unwitnessed("no-stamp", f"{self._url}: the time stamp {error}") from None

    async def _ask(self, question: bytes) -> bytes:
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.post(
                    self._url,
                    data=question,
                    headers={"Content-Type": MEDIA_QUERY},
                    proxy=self._proxy,
                    allow_redirects=False,
                ) as response,
            ):
                if response.status != 200:
                    raise Unwitnessed(f"HTTP-{response.status}", f"{self._url} answers {response.status}")
                return await _whole(response)
        except (aiohttp.ClientError, OSError) as error:
            why = f"{self._url} cannot be reached ({type(error).__name__})"
            raise Unwitnessed(type(error).__name__, why) from None


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    """The body, as long as it has a reasonable size."""
    data = b""
    async for piece in response.content.iter_chunked(LARGEST):
        data += piece
        if len(data) > LARGEST:
            raise Unwitnessed("too-large", f"{response.url} answers more than {LARGEST} bytes")
    return data


def _question(note: str) -> TimeStampRequest:
    """A request for the SHA-256 of the note, with a nonce; the certificate is asked for."""
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    asked = TimestampRequestBuilder().data(note.encode()).hash_algorithm(HashAlgorithm.SHA256)
    return asked.nonce(nonce=True).cert_request(cert_request=True).build()
