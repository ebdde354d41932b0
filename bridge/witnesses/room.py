"""Checkpoints in a chat room: its members have them from then on, and so has the network's own archive.

Rules of this file: it knows no network. How to post there is handed to it; what is posted is a signed note,
letter by letter, because an auditor finds it again in whatever form the room is exported.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from bridge.errors import NetworkError, Unwitnessed

PREFIX = "symphony:"
"""How the name of such a place begins; the rest is the id of the stream."""

Post = Callable[[str, str, str], Awaitable[str]]
"""Posts a note: stream, a key that makes it known again when it comes back, text. Gives the network's id."""

Look = Callable[[str], Awaitable[str]]
"""Looks, without posting, whether a stream can be written to; gives a detail."""


class Room:
    """`bridge.ports.Witness` on a room."""

    recalls = False

    def __init__(self, name: str, every: float, post: Post, look: Look) -> None:
        self.name, self.every = name, every
        self._stream, self._post, self._look = name.removeprefix(PREFIX), post, look

    async def newest(self, lane: int, *, begun: bool = False) -> None:
        """See `bridge.ports.Witness`: a room is not read for what was posted there."""

    async def leave(self, lane: int, size: int, note: str) -> bytes:
        """See `bridge.ports.Witness`. The answer is the id of the post."""
        try:
            return (await self._post(self._stream, f"checkpoint/{lane}/{size}", note)).encode()
        except NetworkError as error:
            raise self._unwitnessed(error) from None

    async def check(self) -> str:
        """See `bridge.ports.Witness`."""
        try:
            return await self._look(self._stream)
        except NetworkError as error:
            raise self._unwitnessed(error) from None

    def _unwitnessed(self, error: NetworkError) -> Unwitnessed:
        code = getattr(error, "code", type(error).__name__)
        return Unwitnessed(str(code), f"{self.name}: {error}")
