"""What is exported, as people speak of it: conversations in slices, with who was there and what was said.

Rules of this file: nouns only. A slice is one conversation on one day, so that an export of any size is
written with the memory of a day. Everything that a format may need stands here; a format that has no place
for something says so in the manifest, it does not leave it out in silence. Times are milliseconds since the
epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import IO, Protocol

ADVISOR, CLIENT, BRIDGE, OTHER = "advisor", "client", "bridge", "other"
"""What somebody is in a conversation: the firm's, the firm's client, our own voice, or anybody else."""

DROPPED, RETRIED, REVIEWED = "dropped", "retried", "reviewed"
"""What a person decided who let no verdict stand in for himself: that a delivery is never made, that it is
tried again, what he found in what was drawn."""

BOTH_WAYS = " ↔ "
"""What stands between the two sides in the title of a conversation."""


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody in a conversation.

    `id` is the network's own. `address` is a corporate e-mail address: the firm's own for its people; for
    everybody else one that is made from the id, always the same, under a domain of the firm's, because
    archives sort out whoever has none. `role` is ADVISOR, CLIENT, BRIDGE or OTHER.
    """

    network: str
    id: str
    name: str
    address: str
    role: str


@dataclass(frozen=True, slots=True)
class Enclosure:
    """An attachment. `digest` is the SHA-256 of its bytes as they were archived, "" where they could not be
    had or are gone, and then `missing` says why. `size` is in bytes, -1 if nobody said."""

    name: str
    media: str  # media type by its bytes, such as "application/pdf"
    size: int
    digest: str = ""
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """One decision: by a policy, or by a person who then stands in `person` and says `reason`.

    `outcome` is that of a verdict, or what a person did with the delivery of `permit`: DROPPED, RETRIED; or
    that he REVIEWED a message that was drawn, and `reason` is what he found.
    """

    at: int
    outcome: str
    cause: str
    reason: str = ""
    person: str = ""
    policies: tuple[tuple[str, str], ...] = ()  # (name, hash)
    rules: tuple[str, ...] = ()  # "policy/rule" of what was found
    permit: str = ""


@dataclass(frozen=True, slots=True)
class Passed:
    """One permit and where it stands, as in `bridge.flow.DeliveryState`; `at`: since when.

    `arrived` is when its network took parts of it, as the ledger has it: whoever was there then could read
    what arrived, whatever became of the rest. `receipts` are the network's own ids of the parts that it took:
    what it knows them by. `doubtful`: an attempt ended without an answer. `failed`: it took all, and said
    afterwards of a part that it never arrived, whatever was done with the permit then.
    """

    permit: str
    state: str
    at: int = 0
    reason: str = ""
    receipts: tuple[str, ...] = ()
    doubtful: bool = False
    failed: bool = False
    arrived: tuple[int, ...] = ()

    @property
    def partly(self) -> bool:
        """Whether the network took some of it, and not all."""
        return bool(self.receipts) and self.state != "sent" and not self.failed

    @property
    def unknown(self) -> bool:
        """Whether it, or some of it, may have arrived: under way, without an answer, or of several parts of
        which the network took all and said of some that they did not arrive."""
        if self.state == "sent" or self.failed:
            return self.state != "sent" and len(self.receipts) > 1
        return not self.partly and (self.doubtful or self.state == "claimed")


@dataclass(frozen=True, slots=True)
class Later:
    """A later message that replaces one, or takes it back (`recall`). `here`: this export has it as well, and
    only then `text` is what it says: whoever asked for the earlier one was not given other words. `shown`:
    the other side was shown it, or a part of it."""

    number: int
    at: int  # archived
    sent_at: int  # by the network's clock
    source_id: str
    recall: bool
    sender: Party
    here: bool
    text: str = ""
    shown: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A message. `text` is as written, `sent` what the other side saw below `sent_quote` ("" if nothing).
    `offered` are the words of which it saw a part, or of which nobody knows yet whether it saw them.

    `edits` and `recalls` are the number of the earlier message that this one replaces or takes back, as far
    as the archive has that one; `replaces` and `refers_to` name it as the network did. `taken` are the words
    that it takes back, where this export has that message. `later` is what became of it, wherever that lies:
    the next message and the last that replace it, and likewise those that take it back; `versions` is how
    many replace it in all. Each of these names the next one: to name all in all would be their square.
    `notice_for` is the number of the message that the bridge's own words are about. `gone` says why there is
    nothing to read: "disposed 2033-04-02 under hk-equities/records, disposal 4".

    In a client's `copy`, `text` is what the client wrote, or was shown, and nothing else is said of either.
    """

    number: int
    at: int  # archived
    sent_at: int  # by the network's clock
    network: str
    source_id: str
    kind: str
    state: str
    sender: Party
    readers: tuple[Party, ...]
    text: str
    sent: str = ""
    offered: str = ""
    sent_quote: str = ""
    quote: str = ""
    defect: str = ""
    files: tuple[Enclosure, ...] = ()
    decisions: tuple[Judged, ...] = ()
    deliveries: tuple[Passed, ...] = ()
    edits: int | None = None
    recalls: int | None = None
    taken: str = ""
    later: tuple[Later, ...] = ()
    versions: int = 0
    replaces: str = ""
    refers_to: str = ""
    notice_for: int | None = None
    origin: str = ""  # region, such as "CN"
    lane: int = 0
    entry: int = 0
    leaf: bytes = b""
    gone: str = ""
    copy: bool = False

    @property
    def delivered(self) -> bool:
        """Whether the other side was shown it."""
        return any(passed.state == "sent" for passed in self.deliveries)

    @property
    def partly(self) -> bool:
        """Whether the other side was shown some of it, and no more as far as is known."""
        return not self.delivered and any(passed.partly for passed in self.deliveries)

    @property
    def unknown(self) -> bool:
        """Whether the other side may have been shown it."""
        doubtful = any(passed.unknown for passed in self.deliveries)
        return doubtful and not self.delivered and not self.partly

    @property
    def earlier(self) -> int | None:
        """The number of the message that this one replaces or takes back."""
        return self.edits if self.edits is not None else self.recalls


@dataclass(frozen=True, slots=True)
class Came:
    """Somebody joined a conversation, or left it: from then on, or until then, could see what was said."""

    at: int
    party: Party
    joined: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Slice:
    """One conversation on one day of the desk's time zone. `items` are in the order of time (archiving);
    `present` were there when the day began.

    `key` is the conversation's own ("pair/7"), `title` is for people ("Alice Wong ↔ 李雷"). A day that is too
    large for its format is cut: `piece` is which part of the day this is, from 1, and `present` were there
    when that part began.
    """

    key: str
    title: str
    day: date
    present: tuple[Party, ...]
    items: tuple[Line | Came, ...]
    participants: tuple[Party, ...]  # everybody who was there or wrote, at any time of the day
    piece: int = 1

    @property
    def lines(self) -> Iterator[Line]:
        """The messages."""
        return (item for item in self.items if isinstance(item, Line))


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for: who, when (milliseconds), why, case, query; and on which state of the record:
    size and root of each lane's tree.

    Who, when, and on which state stands in the manifest and in no file of a format: what is written of the
    same records is the same, however often it is asked for.
    """

    id: str
    at: int
    person: str
    reason: str
    case: str
    query: str
    zone: str  # name of the desk's time zone
    heads: Mapping[int, tuple[int, str]] = field(default_factory=dict)


class Output(Protocol):
    """Where a format writes. Names are relative, with "/" between folders; none is given twice.

    `part` is the number of this part of the export, from 1: a name that does not follow from what is in the
    slices has it, so that no two parts use the same.
    """

    part: int

    def file(self, name: str) -> IO[bytes]:
        """A new file, to be closed by the caller; it is part of the export once it is closed."""
        ...

    def enclosure(self, digest: str) -> Iterator[bytes]:
        """The bytes of an archived attachment, in pieces. Raises StoreError where they were changed."""
        ...

    def warn(self, code: str, number: int, detail: str) -> None:
        """Something of message `number` has no place in this format: the manifest says so."""
        ...


class Format(Protocol):
    """One format. `options` are those of a profile: unit of time, largest file, type that a vendor assigned.

    MUST write the same bytes for the same slices, request and options. MUST write every line of every slice,
    and every enclosure that has a digest.
    """

    name: str

    def write(
        self, request: Request, slices: Sequence[Slice], options: Mapping[str, object], out: Output
    ) -> None:
        """Write these slices as one part of the export: as many as the limits of the format allow."""
        ...
