"""The doors of the house: what its rooms need from others, in MUST words.

Rules of this file: contracts only, no code that runs. Whoever implements one of these lives elsewhere and
is chosen in `bridge/cli`, the composition root.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol, Self

from bridge.message import Batch, File, Permit, Receipt, Traffic


class Clock(Protocol):
    """Time, as an argument."""

    def now(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""


class Blobs(Protocol):
    """Read access to archived attachments, for connectors that send them."""

    def read(self, digest: str) -> AsyncIterator[bytes]:
        """The bytes of one blob, in pieces; MUST raise StoreError if they no longer match the digest."""


class Connector(Protocol):
    """One network, spoken to. An asynchronous context manager: entering signs in, leaving hangs up.

    `network` is its name ("symphony"). Every method MAY raise `Unreachable` or `SignedOut`.
    """

    network: str

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...

    def receive(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        """Everything the network has for us, for ever, in the network's order.

        MUST yield again, after a restart, whatever was not acknowledged and whatever lies behind
        `cursors` (the names and values of earlier batches that were committed).
        MUST yield every item: one that cannot be read becomes a `Message` of kind UNKNOWN with its raw
        bytes and a `defect`. MUST NOT yield the next batch's acknowledgement with an earlier one.
        MUST survive outages by itself (back-off, Retry-After) and raise only `SignedOut`.
        MAY yield the same message any number of times.
        """

    async def acknowledge(self, batch: Batch) -> None:
        """Tell the network that `batch` is ours now. MUST NOT be called before its transaction committed.

        MUST NOT fail because the network is away: what is not acknowledged comes again.
        """

    def fetch(self, file: File) -> AsyncIterator[bytes]:
        """The bytes of an attachment, in pieces of at most 256 KiB, never whole in memory.

        Raises `Refused` when it cannot be had any more, `Unreachable` when another try makes sense.
        """

    async def send(self, permit: Permit, traffic: Traffic) -> Receipt:
        """Send what `permit` allows, once.

        MUST use `permit.id` as idempotency key where the network takes one. Where it takes none and
        `permit.uncertain` is set, MUST look the earlier attempt up before it sends, and answer
        `Receipt(found=True)` if it arrived.
        MUST check the network's limits (size, reply window) before it sends, from `traffic`.
        Raises `Refused` when the network will never take it (nothing sent, or `sent` says what was),
        `Unreachable(certain=...)` when it is worth another try; `certain=True` only when nothing of
        this permit can have arrived.
        """
