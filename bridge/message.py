"""The nouns of the house: what crosses it, and what may be done with it.

Rules of this file: values only. Nothing here reads a clock, a file or a socket; nothing is mutable.
`Archived` and `Permit` are proofs, not records: holding one means that the store has committed what it
says. Only `bridge.store` makes them (invariant 1, checked by `tests/test_house.py`).

Times are integers, milliseconds since the Unix epoch, UTC, unless a name says otherwise.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter

SYMPHONY = "symphony"
WEIXIN = "weixin"


class Kind(enum.StrEnum):
    """What a message is to the people who talk. Networks name these differently; wire modules translate."""

    TEXT = "text"
    IMAGE = "image"
    VOICE = "voice"
    VIDEO = "video"
    FILE = "file"
    STICKER = "sticker"
    LOCATION = "location"
    LINK = "link"
    CARD = "card"  # a person's contact card
    APP = "app"  # mini programs, products, orders, forms: readable only inside their network
    RECORD = "record"  # a forwarded chat record
    RECALL = "recall"  # the sender took `refers_to` back
    FAILED = "failed"  # the network says that our message `refers_to` never reached its reader
    NOTE = "note"  # the network's own remark (somebody entered, a session ended): archived, not relayed
    UNKNOWN = "unknown"  # nobody here can read it: archived with its raw bytes, and held


@dataclass(frozen=True, slots=True)
class File:
    """An attachment as the network offers it: not fetched yet.

    `ref` is the connector's own handle (opaque to everybody else, durable across restarts).
    `size` is in bytes, -1 when the network does not say. `media_type` is a MIME type, "" if unknown.
    """

    ref: str
    name: str
    kind: Kind = Kind.FILE
    media_type: str = ""
    size: int = -1


@dataclass(frozen=True, slots=True)
class Blob:
    """An attachment that the archive holds, by the SHA-256 of its bytes (lower-case hex)."""

    digest: str
    size: int
    name: str
    kind: Kind = Kind.FILE
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One thing a network showed us, in our words, beside the bytes it came in.

    `id` is the network's own id for it and the key by which a second delivery is recognised.
    `conversation` is the network's key of the chat: a Symphony stream id, or `open_kfid/external_userid`.
    `text` is what a person reads, plain text; for other kinds a readable placeholder ("[Location] ...").
    `address` is the sender's e-mail where the network tells it: policies name staff by address.
    `replaces` names the message this one edits. `refers_to` names what is recalled, failed or answered.
    `quote` is the text that is being answered. `defect` says why the raw bytes could not be fully read;
    a message with a defect is always held.
    """

    network: str
    id: str
    conversation: str
    sender: str
    sent_at: int
    kind: Kind = Kind.TEXT
    text: str = ""
    sender_name: str = ""
    address: str = ""
    files: tuple[File, ...] = ()
    replaces: str = ""
    refers_to: str = ""
    quote: str = ""
    defect: str = ""
    raw: bytes = field(default=b"", repr=False)

    @property
    def answerable(self) -> bool:
        """Whether somebody wrote it in a chat where he can be told something.

        A key that ends in "/" is that of an account with nobody in it.
        """
        return bool(self.sender and self.conversation) and not self.conversation.endswith("/")


@dataclass(frozen=True, slots=True)
class Echo:
    """Our own delivery, seen coming back in the network's stream: proof that `permit` arrived as `id`. One
    that history shows has its time (`at`, milliseconds) and its words as well."""

    permit: str
    id: str
    at: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a connector received in one go, in the network's order.

    `cursors` are positions that are ours to keep; they are committed in the same transaction as the
    messages. `token` is the connector's own and comes back to it in `acknowledge`. `history`: it was asked
    for, to be sure that nothing is lacking, so its age says nothing of how late the network is read.
    """

    network: str
    messages: tuple[Message, ...] = ()
    echoes: tuple[Echo, ...] = ()
    cursors: Mapping[str, str] = field(default_factory=dict)
    token: object = None
    history: bool = False


@dataclass(frozen=True, slots=True)
class Sighting:
    """One item that a network shows us again when its history is asked: what completeness is measured by.

    `at` is the network's time of it, `digest` what it says (`said_digest`). Something in our name (`ours`)
    has the permit that it was sent by in `permit`, "" where it names none, and its words in `text` instead
    of a digest.
    """

    network: str
    conversation: str
    id: str
    at: int
    digest: str = ""
    permit: str = ""
    ours: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class Unasked:
    """What a network cannot be asked for: its items of `since` to `until` (milliseconds) in `conversation`
    (a chat, or an account), and `reason` why, as a short phrase without anything that people wrote."""

    network: str
    conversation: str
    since: int
    until: int
    reason: str


_NAMES = ("id", "conversation", "sender", "replaces", "refers_to")
_TEXTS = (*_NAMES, "text", "sender_name", "address", "quote")
_names_of, _texts_of = attrgetter(*_NAMES), attrgetter(*_TEXTS)
_LARGEST = (1 << 63) - 1


def mend(message: Message) -> Message:
    """The message with text and time as the archive can carry them: a network's JSON may hold lone
    surrogates, numbers of any length, and in its ids a NUL, which PostgreSQL takes in no text."""
    if not -_LARGEST <= message.sent_at <= _LARGEST:
        message = replace(message, sent_at=small_number(message.sent_at))
    if "\0" in "".join(_names_of(message)):
        names = {name: getattr(message, name).replace("\0", "?") for name in _NAMES}
        message = replace(message, **names)
    texts = _texts_of(message)
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return replace(message, **dict(zip(_TEXTS, map(whole_text, texts), strict=True)))
    return message


def whole_text(text: str) -> str:
    """A text with nothing in it that UTF-8 cannot write: half a sign is "?"."""
    return text.encode("utf-8", "replace").decode()


def small_number(number: int) -> int:
    """A number that a column can hold: the nearest that there is."""
    return min(max(number, -_LARGEST), _LARGEST)


def sighting(message: Message) -> Sighting:
    """`message` as a network shows it again: as the archive would have it, whatever it cannot carry."""
    one = mend(message)
    return Sighting(one.network, one.conversation, one.id, one.sent_at, said_digest(one))


def said_digest(message: Message) -> str:
    """SHA-256 (hex) of what an item says: who wrote when which words, and about what.

    Names for display are left out, because people change them and connectors ask for them only as a
    courtesy; so are the handles of attachments, which stay the same only as long as the network likes.
    """
    parts = (
        *(message.sender, str(message.sent_at), message.kind.value, message.text, message.replaces),
        *(message.refers_to, message.quote, *(file.kind.value for file in message.files)),
    )
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()


# --- people ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Party:
    """One end of a conversation, as policies see it. `tags` are the directory's labels for the person."""

    network: str
    id: str
    name: str = ""
    address: str = ""
    language: str = "en"
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Route:
    """Where a message of a paired conversation goes: from whom, to whom, into which chat."""

    sender: Party
    recipient: Party
    network: str
    conversation: str


# --- what a verdict depends on --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Inspection:
    """What an attachment is, by its bytes: made once, before its message is judged, and kept.

    `type` is a short word ("pdf", "docx", "png", ...; "unknown"), `claims` the one that its name claims
    ("" if none). `text` is what can be read inside, cut off if `cut`; `unreadable` says why nothing
    could be ("" if it could, or if such files have no text). `scanned` is True when a virus scanner
    answered, `virus` what it found.
    """

    name: str
    type: str
    size: int
    claims: str = ""
    encrypted: bool = False
    macros: bool = False
    text: str = ""
    cut: bool = False
    unreadable: str = ""
    scanned: bool = False
    virus: str = ""


@dataclass(frozen=True, slots=True)
class Earlier:
    """Something the same person wrote before in the same conversation: `at` is when it was sent."""

    seq: int
    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Context:
    """What is known around a message when it is judged.

    With the message, the policies and the clock it is all that a verdict depends on: it is recorded, so
    that anybody can decide again. `direction` is "to_weixin" or "to_symphony"; `route` is None when the two
    people are no approved pair. `missing` names attachments that could not be had, `inspections` are of the
    others. `earlier` has the newest last. `consent` says when the client agreed to a gate, `said` when an
    annotation was last shown in this conversation (both by key "policy/id").
    """

    direction: str
    route: Route | None = None
    missing: tuple[str, ...] = ()
    inspections: tuple[Inspection, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    consent: Mapping[str, int] = field(default_factory=dict)
    said: Mapping[str, int] = field(default_factory=dict)


# --- decisions ------------------------------------------------------------------------------------------


class Outcome(enum.StrEnum):
    """What the policy answers, weakest first. The strictest of all matching rules wins."""

    DELIVER = "deliver"
    ANNOTATE = "annotate"  # delivered, with a text of the firm's below it
    REDACT = "redact"
    HOLD = "hold"
    BLOCK = "block"

    @property
    def rank(self) -> int:
        """Position in the order of strictness; a higher rank beats a lower one."""
        return list(Outcome).index(self)


class Cause(enum.StrEnum):
    """Why a verdict is what it is. Three different words for three different things, never mixed up."""

    RULE = "rule"  # a rule that somebody wrote says so
    DEFAULT = "default"  # nothing matched, or the people are not paired: what the policy says then
    FAILURE = "failure"  # something could not be read or computed: whatever fails, holds
    PERSON = "person"  # a reviewer decided


@dataclass(frozen=True, slots=True)
class Match:
    """One rule that found something, and where. Offsets count characters of the original text.

    `enforced` is False for a rule in monitor mode, and for one that an exception lifted: recorded, without
    effect. `spans` are (start, end) pairs, end exclusive. `why` is a sentence without message text.
    `exception` names what lifted it ("" if nothing did).
    """

    policy: str
    rule: str
    title: str
    outcome: Outcome
    enforced: bool = True
    detectors: tuple[str, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()
    why: str = ""
    exception: str = ""


@dataclass(frozen=True, slots=True)
class Annotation:
    """A text of the firm's that goes below a message: `key` is "policy/id", `text` is by language tag."""

    key: str
    text: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sample:
    """Eligible for review after delivery: `percent` of all such messages are drawn for `queue`."""

    key: str
    queue: str
    percent: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Retention:
    """One class of retention that a record belongs to.

    `keep` is a period as it is written in policies ("7y"); it starts at `start` ("creation", or an event
    by name, before which it never ends). `worm`: only write-once media will do. `first` is the period in
    which it must be readable at once ("" if none).
    """

    key: str
    keep: str
    start: str = "creation"
    worm: bool = False
    first: str = ""


# Between the names of queues; no name contains it.
QUEUES_APART = ", "


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of the policy for one message: a value, computed without I/O and computable again.

    `text` is what may be delivered (masked where redacted). `tell` is what the sender is told, by
    language tag ("en", "zh-Hans", "zh-Hant"; "zh" serves both scripts). `waits` makes the whole
    conversation wait while this message is held. `policies` names the deciding files by name and hash.

    A hold goes to `queue` (several names are sorted, `QUEUES_APART` between them), is to be decided within
    `decide_within` milliseconds (0: no limit), and what happens otherwise is `if_late` ("escalate" or
    "block"). `ask` asks the client's consent, by language;
    `agreed` names the gates that this message opens; `gated` says that nothing but consent is missing.
    `retention` has the longest first. `archives` are the places outside that must have a copy, and with
    `after_archives` nothing goes out before all of them have. `lists` are (policy/list, when its file was
    last written, in milliseconds) of lists that can grow old, `directory` is a digest of what was known about
    the people, `engine` names the program that decided: with the archived context they make it computable
    again.
    """

    outcome: Outcome
    cause: Cause
    text: str
    reason: str = ""
    matches: tuple[Match, ...] = ()
    tell: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    waits: bool = False
    policies: tuple[tuple[str, str], ...] = ()
    queue: str = ""
    decide_within: int = 0
    if_late: str = ""
    annotations: tuple[Annotation, ...] = ()
    notify: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()
    ask: Mapping[str, str] = field(default_factory=dict)
    agreed: tuple[str, ...] = ()
    gated: bool = False
    retention: tuple[Retention, ...] = ()
    legal_holds: tuple[str, ...] = ()
    archives: tuple[str, ...] = ()
    after_archives: bool = False
    lists: tuple[tuple[str, int], ...] = ()
    directory: str = ""
    engine: str = ""


# --- proofs: made by the store alone --------------------------------------------------------------------

_SEAL = object()


def _sealed(seal: object, name: str) -> None:
    if seal is not _SEAL:
        raise TypeError(f"{name} is a proof that the store has committed; only bridge.store makes one")


@dataclass(frozen=True, slots=True)
class Archived:
    """A message that is in the archive for good: `seq` is its place there, and its id for people."""

    seq: int
    message: Message
    route: Route | None
    blobs: tuple[Blob, ...]
    missing: tuple[str, ...]  # names of attachments that could not be had, each a reason to hold
    archived_at: int
    pair: int | None = None  # number of the pair that the route is of
    inspections: tuple[Inspection, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    consent: Mapping[str, int] = field(default_factory=dict)
    said: Mapping[str, int] = field(default_factory=dict)
    entry: int = -1  # the place of what testifies to it
    seal: object = field(repr=False, default=None)

    def __post_init__(self) -> None:
        _sealed(self.seal, "Archived")

    @property
    def context(self) -> Context:
        """What is known around it: what the policy is given beside the message."""
        direction = "to_weixin" if self.message.network == SYMPHONY else "to_symphony"
        return Context(
            direction, self.route, self.missing, self.inspections, self.earlier, self.consent, self.said
        )


@dataclass(frozen=True, slots=True)
class Content:
    """What a permit lets out: final words and files, in the reader's language.

    `author` is the name to show where the network would otherwise show the bridge. `notice` marks the
    bridge's own words. `quote` is the text being answered, "" if none.
    """

    text: str
    author: str = ""
    files: tuple[Blob, ...] = ()
    quote: str = ""
    notice: bool = False
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to send `content` once into `conversation` of `network`.

    `id` is 20 characters of [0-9a-z]: the idempotency key where the network takes one. `attempt` counts
    from 1. `uncertain` says that an earlier attempt may have arrived; `unknown`, that nothing but its row
    says that none was made, which is reason to look and none to believe that its reader saw it.
    `first_try_at` is when the first attempt was made, or may have been; `archived_at` when the message came
    into the archive. `above` is the permit whose words `content.quote` has, "" for none. `epoch` is that of
    the lane's lease.
    """

    id: str
    network: str
    conversation: str
    content: Content
    message_seq: int
    attempt: int = 1
    uncertain: bool = False
    unknown: bool = False
    first_try_at: int = 0
    archived_at: int = 0
    above: str = ""
    epoch: int = 0
    seal: object = field(repr=False, default=None)

    def __post_init__(self) -> None:
        _sealed(self.seal, "Permit")


@dataclass(frozen=True, slots=True)
class Traffic:
    """What counts against a network's reply window in one conversation.

    `last_inbound_at` is when the person there last wrote (0: never), by the network's clock, but no more than
    a minute ahead of ours; `sent` is how many network messages we have sent since. `inbound` counts what they
    have ever written: it tells two messages of the same second apart, which the network's clock does not.
    """

    last_inbound_at: int = 0
    sent: int = 0
    inbound: int = 0

    def spend(self, parts: int) -> Traffic:
        """The traffic after `parts` more messages of ours."""
        return replace(self, sent=self.sent + parts)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The network's proof that a permit was used: its ids for what was sent, in order.

    `found`: an earlier attempt was looked for and found to have arrived. `repeated` counts the ids that the
    network had taken from an earlier attempt.
    """

    ids: tuple[str, ...]
    found: bool = False
    repeated: int = 0

    @property
    def spent(self) -> int:
        """How many network messages count against the reply window as it stands now.

        What arrived earlier may belong to a window long over. To count it would make a reader wait for
        nothing; not to count it costs at most one refusal by the network, after which we wait all the same.
        """
        return 0 if self.found else len(self.ids) - self.repeated
