"""What a search is about: one archived message with all that became of it; what is asked of an index.

Rules of this file: nouns only. A `Document` may be lazy: whoever makes one opens what is asked for, when it
is asked for, because to open is to decrypt. So conditions ask for cheap things first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bridge.message import Inspection, Verdict


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at one end of a message: the network's id, and what is known beside it ("" if not).

    `tags` are the directory's labels. The bridge itself, as the author of a notice, has the id "weighbridge".
    """

    network: str
    id: str
    name: str = ""
    address: str = ""
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Attached:
    """An attachment: as it was offered, and what was found in it (None: not, or not yet)."""

    name: str
    kind: str
    size: int  # bytes, -1 if nobody said
    digest: str = ""  # of its sealed file
    found: Inspection | None = None
    own: str = ""  # SHA-256 of its own bytes, where the record has it
    wanted: bool = False  # it is still being fetched


@dataclass(frozen=True, slots=True)
class Decided:
    """A verdict with its circumstances: `person` and `why` where a reviewer gave it ("" otherwise)."""

    at: int
    verdict: Verdict
    person: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """What became of a hold: `state` is open, released, rejected, lifted or expired; times in milliseconds, 0
    for never."""

    state: str
    queue: str
    opened_at: int
    decided_at: int = 0
    due_at: int = 0
    late_at: int = 0


@dataclass(frozen=True, slots=True)
class Delivered:
    """One permit and where it stands: `state` as in `bridge.flow.DeliveryState`, `reason` a short word."""

    permit: str
    network: str
    state: str
    done_at: int = 0
    reason: str = ""


class Document(Protocol):
    """One archived message with all that became of it. Times are milliseconds since the epoch, UTC.

    `number` is its id for people, and grows with `at`, the time of archiving. `entry` is the place in `lane`
    of the ledger entry that testifies to it, `leaf` that entry's hash. `permitted` is what the policy let
    out, masked and with the firm's own texts ("" if nothing), whatever became of it; `sent` is what its
    reader was shown, with the bridge's marks as well ("" if nothing was delivered). `reader` is the other end
    of the approved pair, None outside of one. `notice_for` is the number of the message that this one, the
    bridge's own words, is about. `edits` and `recalls` are numbers of later messages that replace this one or
    take it back.
    """

    @property
    def number(self) -> int:
        """Its id for people; grows with `at`."""
        ...

    @property
    def at(self) -> int:
        """When it was archived."""
        ...

    @property
    def sent_at(self) -> int:
        """When it was sent, by the network's clock."""
        ...

    @property
    def lane(self) -> int:
        """The lane of its ledger entry."""
        ...

    @property
    def entry(self) -> int:
        """The place of that entry in its lane, from 0."""
        ...

    @property
    def leaf(self) -> bytes:
        """The hash of that entry."""
        ...

    @property
    def network(self) -> str:
        """The network it was written on."""
        ...

    @property
    def conversation(self) -> str:
        """The network's key of the chat."""
        ...

    @property
    def source_id(self) -> str:
        """The network's id of it."""
        ...

    @property
    def kind(self) -> str:
        """A value of `bridge.message.Kind`."""
        ...

    @property
    def state(self) -> str:
        """A value of `bridge.flow.MessageState`."""
        ...

    @property
    def pair(self) -> int | None:
        """The approved pair it belongs to, None outside of one."""
        ...

    @property
    def notice_for(self) -> int | None:
        """The message that these words of the bridge are about, None for people's."""
        ...

    @property
    def text(self) -> str:
        """As it was written."""
        ...

    @property
    def permitted(self) -> str:
        """As it was let out, "" if it was not."""
        ...

    @property
    def sent(self) -> str:
        """As the reader saw it, "" if nothing was delivered."""
        ...

    @property
    def quote(self) -> str:
        """What it answers, "" if nothing."""
        ...

    @property
    def defect(self) -> str:
        """Why its bytes could not be fully read, "" if they could."""
        ...

    @property
    def sender(self) -> Person:
        """Who wrote it."""
        ...

    @property
    def reader(self) -> Person | None:
        """The other end of the pair, None outside of one."""
        ...

    @property
    def files(self) -> Sequence[Attached]:
        """What was attached, in order."""
        ...

    @property
    def decisions(self) -> Sequence[Decided]:
        """Every verdict on it, oldest first."""
        ...

    @property
    def held(self) -> Held | None:
        """What became of its hold, None if it was never held."""
        ...

    @property
    def deliveries(self) -> Sequence[Delivered]:
        """Every permit that it led to."""
        ...

    @property
    def edits(self) -> Sequence[int]:
        """Numbers of later messages that replace it."""
        ...

    @property
    def recalls(self) -> Sequence[int]:
        """Numbers of later messages that take it back."""
        ...


# --- what is asked of an index --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Token:
    """Documents that have this word: "t:腾讯", "from:alice.wong@bank.example", "rule:hk-equities/mnpi".

    Whoever keeps the index hides the word under a key before it writes it down or looks it up.
    """

    word: str


@dataclass(frozen=True, slots=True)
class Live:
    """Documents in a state that changes after they were indexed: the store knows them by its own tables.

    `name` and `value` are those of the qualifier ("is", "held"). An index that knows no such state takes
    every document.
    """

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class All:
    """Documents that fulfil every part. Without parts: every document."""

    parts: tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """Documents that fulfil one part at least. Without parts: none."""

    parts: tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """Documents archived from `since` up to, and without, `until` (0: open), or numbered `first` to `last`
    (0: open), both included."""

    since: int = 0
    until: int = 0
    first: int = 0
    last: int = 0


Need = Token | Live | All | Any | Span
"""What a document must have so that a query can accept it: necessary, not sufficient.

There is no negation: what a query excludes is seen when the document is opened."""

EVERYTHING = All(())
