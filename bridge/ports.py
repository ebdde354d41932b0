"""The doors of the house: what its rooms need from others, in MUST words.

Rules of this file: contracts only, no code that runs. Whoever implements one of these lives elsewhere and
is chosen in `bridge/cli`, the composition root.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from bridge.message import (
    Archived,
    Batch,
    Blob,
    File,
    Inspection,
    Permit,
    Receipt,
    Sighting,
    Traffic,
    Unasked,
    Verdict,
)

if TYPE_CHECKING:  # a network's process needs none of it
    from bridge.policy import Source
    from bridge.proposals import Approval, Bar, Proposal
    from bridge.records.copies import Record


class Clock(Protocol):
    """Time, as an argument."""

    def now(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""


class Blobs(Protocol):
    """Read access to archived attachments, for connectors that send them."""

    def read(self, digest: str) -> AsyncIterator[bytes]:
        """The bytes of one blob, in pieces; MUST raise StoreError if they no longer match the digest."""


class Lease(Protocol):
    """Whether this process may still send: it may have been stopped, and another one works in its place."""

    def check(self) -> None:
        """MUST raise Unreachable (certain) when another process may have taken over."""


class KeyKeeper(Protocol):
    """Who has the master key. It wraps the store's few keys, so it is asked at start and at a rotation.

    Every method MAY raise ConfigError, with what a person has to do, and MUST raise StoreError when a key
    service does not answer: then it is asked again. It MUST raise nothing else: a library's own errors are
    turned into these two, without a key in their words. (What Python raises by itself becomes a StoreError
    with its type only; anything else ends the process.) A master key has a name, which is kept in the store
    in clear and MUST say nothing of the key. A keeper MUST survive `pickle`: a back-test runs in processes.
    """

    @property
    def current(self) -> str:
        """The name of the master key that `wrap` uses; "" when there is none yet."""

    def wrap(self, key: bytes) -> tuple[str, bytes]:
        """`key` (32 bytes) wrapped, and the name of the master key; MUST bind the two, and MUST be durable:
        what was wrapped can be unwrapped after a restart."""

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        """What was wrapped, 32 bytes; MUST raise ConfigError when changed, or by another master key."""

    def renew(self) -> str:
        """Make another master key the present one, where that is its own to do; gives its name. Old ones
        MUST go on unwrapping until `forget`."""

    def forget(self, needed: frozenset[str]) -> None:
        """No key is wrapped any more by any master key but these and the present one."""


class Witness(Protocol):
    """A place outside the database where signed checkpoints are left.

    `name` is what a person knows it by, and the store remembers it by; MUST hold no secret. `every` is how
    many seconds lie between two checkpoints left there, at least; 0: it gets every one, in order. `recalls`
    says that it can be asked what it has; of others the store remembers what they got.

    Every method MAY raise `Unwitnessed`, and MUST be safe to cancel and to call again.
    """

    name: str
    every: float
    recalls: bool

    async def newest(self, lane: int, *, begun: bool = False) -> tuple[int, str] | None:
        """Size and note of a lane's newest checkpoint there; None when it has none, or does not recall.

        `begun` says that checkpoints were left there before. A place that recalls and shows no sign of that
        is another one under the same name, a folder where nothing is mounted: it MUST NOT be begun anew, but
        raise `Unwitnessed`.
        """

    async def leave(self, lane: int, size: int, note: str) -> bytes:
        """Leave a checkpoint, once; gives the answer that is to be kept as proof, b"" for none.

        MUST raise `Conflict` when another checkpoint of this lane and size is there.
        """

    async def check(self) -> str:
        """Try, leaving nothing, whether a checkpoint could be left; gives a detail for a doctor."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What an archive outside is to keep of one record. `name` is what it is known by there, and says the
    SHA-256 of `data`. `until` is when its lock may end (milliseconds; None: not known, so it is never to end
    by itself), `held` that it is under a legal hold."""

    record: Record
    name: str
    data: bytes
    media: str
    until: int | None = None
    held: bool = False


class Acknowledged(NamedTuple):
    """An archive has a record: the names of what lies there of it, and its answer, for people and for proof.

    `until` and `held` are how all of it is locked there, which may be more than was asked for: until then at
    least (milliseconds, 0: not), and whether any of it is under a legal hold."""

    objects: tuple[str, ...]
    answer: str
    until: int = 0
    held: bool = False


class Lock(NamedTuple):
    """How one object outside is locked: until when (milliseconds, 0: not), and whether it is under a legal
    hold."""

    until: int
    held: bool


DECLINED = "declined"
"""Code of a refusal by an archive that may be about this record, or about all of them: a person's matter if
it goes on, unless others are refused as well and none is taken."""


class Sink(Protocol):
    """An archive outside that keeps copies of records.

    `name` is what people know it by; MUST hold no secret. `host` is where its address leads to by the
    settings and not by itself, "" where it says all. `recalls` says that it can be asked for what it has,
    `locks` that it keeps what it has from being deleted, `collected` that others fetch what lies there, so
    that what is gone is no loss.

    Every method MAY raise `Unreachable`, when another try makes sense, with what a person has to do where it
    is not the network's fault; and `Refused`, when it will never take this record as it is ("too-large"), or
    says so (`DECLINED`). It MUST be safe to cancel and to call again: what is put twice under one name lies
    there once.
    """

    name: str
    host: str
    recalls: bool
    locks: bool
    collected: bool

    async def put(self, parcel: Parcel, blobs: Blobs) -> Acknowledged:
        """Keep a record and its attachments (`blobs` has their bytes), once, and say so only when it is sure.

        MUST NOT leave anything out. MUST NOT change what lies under a name already: other bytes there are
        `Refused("differs")`. MUST read back what it put, if it can be read back.
        """

    def read(self, name: str) -> AsyncIterator[bytes]:
        """The bytes that lie under a name, in pieces. Raises Refused("gone") when there are none."""

    async def locks_on(self, names: Sequence[str]) -> Sequence[Lock]:
        """How these objects are locked, in this order; nothing where nothing locks. Raises Refused("gone")
        when one is not there."""

    async def hold(self, names: Sequence[str], held: bool) -> None:
        """Put a legal hold on these objects, or take it off; MUST do nothing where nothing locks. Raises
        Refused("gone") when one is not there."""

    async def keep_until(self, names: Sequence[str], until: int) -> None:
        """Lock these objects until then at least (milliseconds); MUST never shorten a lock. Raises
        Refused("gone") when one is not there."""

    async def try_delete(self) -> str:
        """Put a trial object, locked, and try to delete it, which has to be refused; gives the refusal.

        Raises Refused("not-locked") when it was deleted, or nothing locks there. MUST NOT touch a record.
        """

    async def check(self) -> str:
        """Try, leaving nothing, whether a copy could be kept; gives a detail for a doctor."""

    async def close(self) -> None:
        """Let go of connections."""


DIRECT = "im:"
"""How a conversation of Symphony begins that an e-mail address names: the direct chat with that person."""

WENT = "bridge-went-"
"""How the id of a note begins that says that the bridge's own account is not in a conversation any more."""


class Connector(Protocol):
    """One network, spoken to. An asynchronous context manager: entering signs in, leaving hangs up.

    `network` is its name ("symphony"). Every method MAY raise `Unreachable` or `SignedOut`.
    `refused_since` is since when (milliseconds) credentials are refused that it goes on trying, because it
    may be the network's own outage; 0 when they are not.
    """

    network: str

    @property
    def refused_since(self) -> int:
        """Since when (milliseconds) refused credentials are being tried again; 0 when none are refused."""

    @property
    def heard_at(self) -> int:
        """When (milliseconds, our clock) the network last answered a read of what it has for us, whether it
        had anything or not; 0 before the first. Where a network is read in several places, that of the
        place which was read longest ago."""

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

    @property
    def shows_ours(self) -> bool:
        """Whether a recount shows what the bridge itself said there."""

    def recount(self, since: int, until: int, known: Iterable[str] = ()) -> AsyncIterator[Sighting | Unasked]:
        """What the network has of `since` <= time < `until` (milliseconds, its own clock), asked anew.

        MUST ask the network's history, and MUST find the conversations without being told which: what was
        never received has to be seen here. MUST yield an `Unasked` for each of the conversations `known` to
        the archive that the account is not in any more. MUST yield every item that history has, those of ours
        with their permit, in the network's order within a conversation; and an `Unasked` for whatever it
        cannot be asked for. MUST NOT move a cursor, acknowledge, or disturb `receive`, which may be running
        or not. MUST NOT yield what the archive would know by another id. MAY yield an item more than once.
        Raises `Unreachable` when the network stays away in spite of some patience.
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
        `permit.uncertain` or `permit.unknown` is set, MUST look for an earlier attempt before it sends, and
        answer `Receipt(found=True)` if it arrived.
        MUST check the network's limits (size, reply window) before it sends, from `traffic`.
        MUST check its `Lease`, where it was given one, immediately before each request that makes a message
        goes out, whatever it waited for before.
        Raises `Refused` when the network will never take it (nothing sent, or `sent` says what was),
        `Unreachable(certain=...)` when it is worth another try; `certain=True` only when nothing of
        this permit can have arrived: with `permit.uncertain`, never; `permit.unknown` alone takes no
        certainty away.
        """


# --- between the rooms and the store --------------------------------------------------------------------

NO_REACH = (0, 0)
"""The reach of policies that look at one message alone."""


class Judge(Protocol):
    """What decides: the policies in force, bound, so that a reload is the change of one name.

    `reach` says how far back they look: messages of the same sender, and milliseconds.
    """

    @property
    def reach(self) -> tuple[int, int]:
        """How many earlier messages of the sender the policies need, and how many milliseconds of them."""

    def __call__(self, archived: Archived, now: datetime) -> Verdict:
        """The verdict on one message, judged at `now` (with a time zone). MUST NOT raise."""


class Wanted(NamedTuple):
    """An attachment still to be fetched: file `n` of message `message_seq`. `attempt` counts from 1."""

    message_seq: int
    n: int
    file: File
    attempt: int


@dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict on its way to the record: `at` is the judge's clock, `notice` the words its sender is told
    ("" for none)."""

    archived: Archived
    verdict: Verdict
    notice: str = ""
    at: int = 0


class Late(NamedTuple):
    """A hold that was not decided in time: it has `expired` (blocked for good), or somebody was told."""

    message_seq: int
    queue: str
    expired: bool


Stopped = Callable[[str, str], object]
"""Told of a delivery that was stopped because its row is not as it was permitted: its permit, and why."""


def ignore(permit: str, why: str) -> None:
    """Whom nothing is told."""


Unreadable = Callable[[int], object]
"""Told of a message that cannot be opened, by its number."""


def ignore_unreadable(number: int) -> None:
    """Whom nothing is told."""


class Claim(NamedTuple):
    """A permit in our hands, and what counts against the reply window of its conversation."""

    permit: Permit
    traffic: Traffic


class Step(enum.StrEnum):
    """What became of one attempt: the steps of `flow.DELIVERY_STEPS` that a room may take."""

    SEND = "send"
    RETRY = "retry"
    GIVE_BACK = "give back"
    WAIT = "wait"
    PARK = "park"


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of a claimed delivery, as a value: deciding is one thing, recording another.

    `at` is when to try again (milliseconds). `uncertain` says that the permit may have arrived. `reason`
    is a short stable word. `notice` is the key of the words its sender is told, "" for none.
    """

    permit: Permit
    step: Step
    traffic: Traffic
    receipt: Receipt | None = None
    at: int = 0
    uncertain: bool = False
    reason: str = ""
    notice: str = ""


class Store(Protocol):
    """What the rooms need from the disk. Whatever returns has been committed; whatever raises
    `StoreError` has changed nothing."""

    async def cursors(self, network: str) -> Mapping[str, str]:
        """The positions that batches of this network were committed with."""

    async def archive(self, batch: Batch) -> int:
        """Keep a batch, once; gives how many of its messages were new."""

    async def wanted_files(
        self, network: str, limit: int, unreadable: Unreadable = ignore_unreadable
    ) -> Sequence[Wanted]:
        """Attachments whose time to be fetched has come. `unreadable` is told of each message that cannot be
        opened: those of others MUST be given."""

    async def keep(self, pieces: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        """Keep an attachment's bytes; gives digest and size. Raises Refused past `limit` bytes."""

    async def settle_file(
        self, wanted: Wanted, blob: Blob | None, reason: str = "", inspection: Inspection | None = None
    ) -> None:
        """An attachment is archived as `blob`, with what was found in it, or will never be had because of
        `reason`."""

    async def postpone_file(self, wanted: Wanted, at: int) -> None:
        """Try this attachment again at `at`."""

    async def unjudged(
        self, limit: int, reach: tuple[int, int] = NO_REACH, unreadable: Unreadable = ignore_unreadable
    ) -> Sequence[Archived]:
        """Messages that are whole and not judged, in order, each with what its sender said before: so many
        messages, and what was sent so many milliseconds before it (`reach`). `unreadable` is told of each
        that cannot be opened: its conversation stops there, the others MUST go on."""

    async def record_rulings(self, rulings: Sequence[Ruling]) -> None:
        """Write verdicts and what follows from them."""

    async def settle_late(self, unreadable: Unreadable = ignore_unreadable) -> Sequence[Late]:
        """Escalate, or block for good, the holds whose time is over; MUST release none. `unreadable` is told
        of each of which it cannot be read whom to call: it stays overdue."""

    async def claim(
        self, network: str, chats: int, *, look: bool = True, stopped: Stopped = ignore
    ) -> Sequence[Claim]:
        """Take deliveries that are due from `chats` conversations at most, each one's in order.

        `look`: see first, without writing, whether there are any; False where a transaction is made anyway.
        `stopped` is told of each that is not as it was permitted; such a one MUST NOT be among the claims.
        """

    async def record_attempts(
        self, attempts: Sequence[Attempt], unreadable: Unreadable = ignore_unreadable
    ) -> None:
        """Write what became of claimed deliveries. `unreadable` is told of each remark of a network that may
        be about them and cannot be opened."""


#: Looks into an archived attachment. However the look ends, it MUST give an inspection that says so.
Inspect = Callable[[Blob], Awaitable[Inspection]]


class Tally(Protocol):
    """Whoever counts what the rooms do. Counting MUST NOT fail and MUST NOT wait."""

    def archived(self, network: str, count: int) -> None:
        """`count` new messages of a network are in the archive."""

    def judged(self, verdict: Verdict) -> None:
        """A message was judged."""

    def inspected(self, inspection: Inspection) -> None:
        """An attachment was looked into."""

    def attempted(self, attempt: Attempt, now: int) -> None:
        """An attempt to deliver was made and recorded at `now`."""

    def late(self, hold: Late) -> None:
        """A hold was not decided in time."""


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody orders for the records that a query finds: that `event` happened at `at`, or that they
    are kept until `until`, or for `keep` ("7y") from their creation. Times are milliseconds, 0 for none."""

    person: str
    reason: str
    query: str
    event: str = ""
    at: int = 0
    until: int = 0
    keep: str = ""


@dataclass(frozen=True, slots=True)
class Placing:
    """A legal hold that somebody places: on what `query` finds, in its canonical form, and on
    messages by their `numbers` ("1-17,20"; without a query, on these alone); `written` is how that was
    typed."""

    name: str
    query: str
    written: str
    person: str
    reason: str
    numbers: str = ""


class Acts(Protocol):
    """What a person's act needs from the store. Each is one transaction, recorded with who and why.

    Each raises `Conflict`, and changes nothing, when the thing is not in a state for it.
    """

    async def decide_hold(
        self, message: int, person: str, reason: str, *, passed: bool, as_written: bool = False
    ) -> None:
        """A held message passes, or never will."""

    async def draw_samples(self, day: date, person: str, reason: str) -> Sequence[int]:
        """Draw the messages of a day that are reviewed after delivery; gives their numbers."""

    async def close_sample(self, message: int, person: str, finding: str) -> None:
        """A drawn message was looked at."""

    async def retry_delivery(self, permit: str, person: str, reason: str) -> None:
        """A delivery is tried again now."""

    async def drop_delivery(self, permit: str, person: str, reason: str) -> None:
        """A delivery is given up."""

    async def make_pair(self, pair: Mapping[str, object], person: str, reason: str) -> int:
        """Two people may talk."""

    async def end_pair(self, number: int, person: str, reason: str) -> None:
        """Two people may no longer talk: what has not gone out is dropped, and its senders are told."""

    async def propose(self, proposal: Proposal, sources: Sequence[Source]) -> int:
        """A set of policy files is proposed; gives the number of the change."""

    async def approve(self, number: int, approval: Approval, bar: Bar) -> Sequence[str]:
        """Somebody agrees to a change; gives what it still lacks. MAY raise `NotAllowed`."""

    async def end_change(self, number: int, person: str, reason: str, step: str) -> None:
        """A change is rejected, or withdrawn. MAY raise `NotAllowed`."""

    async def schedule(self, number: int, person: str, reason: str, at: int, bar: Bar) -> None:
        """An approved change is to come into force at `at` (milliseconds; 0: now)."""

    async def roll_back(self, way: Proposal, ticked: Sequence[str] = ()) -> int:
        """The change before comes into force again; gives its number. MAY raise `NotAllowed`."""

    async def lengthen(self, order: Order, numbers: Sequence[int]) -> int:
        """These records are kept longer, as `order` says; gives how many that changed. MUST change the
        rest when it is called again after an interruption."""

    async def place_hold(self, placing: Placing) -> None:
        """A legal hold covers from now on."""

    async def propose_lift(self, name: str, person: str, reason: str) -> None:
        """Somebody wants a legal hold lifted; it stands."""

    async def refuse_lift(self, name: str, person: str, reason: str) -> None:
        """A hold that somebody wanted lifted goes on standing."""

    async def lift_hold(self, name: str, person: str, reason: str, legal: Sequence[str]) -> None:
        """A second person agrees to lift a hold; `legal` are those who may, anybody if none is named. MAY
        raise `NotAllowed`."""

    async def freeze(self, person: str, reason: str) -> None:
        """Nothing is sent any more, and whatever comes is held."""

    async def unfreeze(self, person: str, reason: str) -> None:
        """Things go on."""
