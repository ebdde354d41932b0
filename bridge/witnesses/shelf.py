"""Places that keep checkpoints as files and can be asked for them: folders, buckets.

Rules of this file: the place itself blocks, so it is asked in a thread that may hang without anybody hanging
with it; while one hangs, no second is begun.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import threading
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from bridge.errors import Conflict, Unwitnessed, WeighbridgeError
from bridge.ledger.checkpoint import Signer

Result = TypeVar("Result")

UNMOUNTED = (
    "what was left there is not there: mount it, or, if it is gone for good, say "
    "`weighbridge audit checkpoint --adopt {name}`"
)


class Shelf(Protocol):
    """What keeps files. Every method blocks, and MAY raise OSError or Unwitnessed."""

    def publish(self, signer: Signer, lanes: int) -> None:
        """Put the public key beside the checkpoints."""

    def begun(self) -> bool:
        """Whether the public key is there: what was left here before is not behind a missing mount."""

    def newest(self, lane: int) -> tuple[int, str] | None:
        """Size and note of a lane's newest checkpoint there."""

    def put(self, lane: int, size: int, note: str) -> None:
        """Keep a checkpoint. MUST raise FileExistsError when another one of this size is there."""

    def check(self) -> str:
        """Whether one could be kept; gives a detail for a doctor."""


class OnShelf:
    """`bridge.ports.Witness` on a shelf, known by `name`."""

    recalls = True

    def __init__(self, shelf: Shelf, name: str, every: float, signer: Signer, lanes: int) -> None:
        self.shelf, self.name, self.every = shelf, name, every
        self._signer, self._lanes = signer, lanes
        self.busy = False

    async def newest(self, lane: int, *, begun: bool = False) -> tuple[int, str] | None:
        """See `bridge.ports.Witness`. The public key is put there first; once it was, it is the sign that
        this is the same place."""

        def look() -> tuple[int, str] | None:
            if begun:
                self._require_begun()
            self.shelf.publish(self._signer, self._lanes)
            return self.shelf.newest(lane)

        return await self._aside(look)

    async def leave(self, lane: int, size: int, note: str) -> bytes:
        """See `bridge.ports.Witness`. A file is its own proof: nothing else is to be kept."""
        try:
            await self._aside(partial(self._put, lane, size, note))
        except FileExistsError:
            raise Conflict(f"another checkpoint of {size} entries is in {self.name}.") from None
        return b""

    async def check(self) -> str:
        """See `bridge.ports.Witness`."""
        return await self._aside(self.shelf.check)

    def _put(self, lane: int, size: int, note: str) -> None:
        self._require_begun()
        self.shelf.put(lane, size, note)

    def _require_begun(self) -> None:
        if not self.shelf.begun():
            raise Unwitnessed("unmounted", UNMOUNTED.format(name=self.name))

    async def _aside(self, job: Callable[[], Result]) -> Result:
        """Do `job` in a thread of its own. Raises Unwitnessed, FileExistsError."""
        if self.busy:
            raise Unwitnessed("slow", "slow: it has not answered yet")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self.busy = True
        threading.Thread(target=self._work, args=(job, loop, future), daemon=True).start()
        try:
            return await future
        except FileExistsError:
            raise
        except OSError as error:
            code = errno.errorcode.get(error.errno or 0, "slow")
            raise Unwitnessed(code, error.strerror or "no reason given") from None

    def _work(
        self, job: Callable[[], Result], loop: asyncio.AbstractEventLoop, future: asyncio.Future[Result]
    ) -> None:
        answer: Callable[[], None]
        try:
            answer = partial(future.set_result, job())
        except (OSError, WeighbridgeError) as error:
            answer = partial(future.set_exception, error)
        finally:
            self.busy = False
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits there any more
            loop.call_soon_threadsafe(_answer, future, answer)


def _answer(future: asyncio.Future[Result], answer: Callable[[], None]) -> None:
    if not future.done():  # whoever asked may have lost patience
        answer()
