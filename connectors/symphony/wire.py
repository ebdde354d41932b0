"""Symphony's wire forms and our nouns: what an agent's JSON says, what a message looks like to it.

Rules of this file: pure. No sockets, no clock, no randomness; the same bytes always give the same answer.
Nothing received is trusted to have any shape: an object that cannot be read becomes a message of kind
UNKNOWN with its exact bytes and a `defect`, and its neighbours are read as if it were not there. That is
one of the three places of the house where every exception is caught.

Sources: Symphony agent and pod API specifications (V4Event, V4Message, V2Error), version 25.8.
"""

from __future__ import annotations

import binascii
import email.utils
import hashlib
import json
import mimetypes
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import orjson

from bridge.errors import NetworkError, Refused, Unreachable
from bridge.message import SYMPHONY, Content, Echo, File, Kind, Message
from bridge.ports import WENT
from connectors.symphony import markup
from connectors.symphony.markup import Unreadable

MARK = "weighbridge"  # our key in a message's EntityJSON
MARK_TYPE = "org.weighbridge.permit"
EMPTY = "the event came without its message"
BY_HAND = "sent by the bridge's own account, not by the bridge"

MAX_FILES = 25  # recommended limit per message
MAX_FILE_BYTES = 30_000_000  # all attachments of a message together
MAX_TEXT_CHARS = 60_000  # about what fits once the platform has encrypted it
MAX_BODY_BYTES = 1_500_000  # message and data together

_REUSABLE_FEED = re.compile(r"[^\s_]+_f(_[^\s_]+)?")
_QUOTED = re.compile(
    r"[*_ ]*In reply to:?[*_ ]*\n(?P<who>[^\n]*)\n(?P<quote>.*?)\n?[—_\-]{8,}\n?(?P<text>.*)", re.DOTALL
)
_SIGNED_NOTE = re.compile(
    r"[^\s<>&]{1,200}\n(\d{1,19}\n[A-Za-z0-9+/]{43}=|weighbridge canary [0-9a-z./-]{1,80})\n"
    r"\n(— [^\s<>&]{1,200} [A-Za-z0-9+/=]{90,200}\n){1,16}"
)  # C2SP tlog-checkpoint, without extensions; or the canary that has to come back
_KINDS = {"image": Kind.IMAGE, "video": Kind.VIDEO, "audio": Kind.VOICE}
_MEDIA_TYPES = mimetypes.MimeTypes()  # the built-in table alone: the host's files must not change an answer
_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")

Json = dict[str, Any]
Item = Message | Echo


# --- ids ------------------------------------------------------------------------------------------------


def normal_id(value: object) -> str:
    """A stream or message id in the one spelling we keep: URL-safe base64 without padding.

    Raises `Unreadable` for anything but a non-empty string.
    """
    if not isinstance(value, str) or not value:
        raise Unreadable("an id is missing")
    return value.rstrip("=").replace("/", "_").replace("+", "-")


def digest(key: str) -> str:
    """A conversation's key as log lines may show it."""
    return hashlib.sha256(key.encode()).hexdigest()


def _stable_id(kind: str, *parts: object) -> str:
    """An id for what has no safe id of its own: the same thing delivered again has the same id."""
    content = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    return f"{kind.lower()}-{hashlib.sha256(content).hexdigest()[:32]}"


def reusable_feed(feeds: object) -> str:
    """The first feed of a listing that is a fan-out feed, which is what a bot may read; "" if none is."""
    for feed in feeds if isinstance(feeds, list) else ():
        name = feed.get("id") if isinstance(feed, dict) else None
        if isinstance(name, str) and _REUSABLE_FEED.fullmatch(name):
            return name
    return ""


# --- a read of the feed, or of a stream's history -------------------------------------------------------


class Reading(NamedTuple):
    """One reply of the datafeed: what it held, by the network's clock, and the id that acknowledges it.

    `whole` is False for a reply that could only be held as it is: what it said is to be found in history.
    """

    ack_id: str
    messages: tuple[Message, ...]
    echoes: tuple[Echo, ...]
    whole: bool = True


def read_feed(body: bytes, own_id: str) -> Reading:
    """Read the reply of `datafeeds/{id}/read`. `own_id` is the user id of the bridge's own account.

    Raises `Unreadable` when the reply as a whole is no such reply (cut off, or a balancer's page).
    """
    text, intact = _decoded(body)
    ack_id, slices = _split_reply(text)
    items = [_read_slice(value, source, intact, own_id, read_event) for value, source in slices]
    return reading(ack_id, items)


def read_history(body: bytes, own_id: str) -> tuple[Item, ...]:
    """Read one page of `stream/{sid}/message`, an array of V4Message: one item for each, readable or not.

    Raises `Unreadable` when the page as a whole is no such array.
    """
    text, intact = _decoded(body)
    start = _past_space(text, 0)
    if text[start : start + 1] != "[":
        raise Unreadable("the page of history is not an array")
    slices, _ = _elements(text, start)
    return tuple(_read_slice(value, source, intact, own_id, read_message) for value, source in slices)


def read_single(body: bytes, own_id: str) -> Item:
    """Read one V4Message that was asked for by its id. Raises `Unreadable` when it is none."""
    text, intact = _decoded(body)
    value, end = _value(text, 0)
    return _read_slice(value, text[:end].strip(), intact, own_id, read_message)


def hold_reply(body: bytes) -> Reading:
    """A reply of the feed that stays unreadable, as one message to be held.

    Raises `Unreadable` when not even its acknowledgement id can be made out.
    """
    found = re.search(rb'"ackId"\s*:\s*"([^"\\]+)"', body)
    if not found:
        raise Unreadable("the reply has no ackId")
    held = unknown(body, "the feed's reply could not be read")
    return reading(found[1].decode(errors="replace"), [held])._replace(whole=False)


def reading(ack_id: str, items: Sequence[Item]) -> Reading:
    """Items as one reading, in the order of the network's clock: feeds keep none."""
    messages = sorted((item for item in items if isinstance(item, Message)), key=lambda m: m.sent_at)
    echoes = tuple(item for item in items if isinstance(item, Echo))
    return Reading(ack_id, tuple(messages), echoes)


_DECODER = json.JSONDecoder()
Slice = tuple[Any, str]


def _decoded(body: bytes) -> tuple[str, bool]:
    """The body as text from which its exact bytes can be had again, and whether it was valid UTF-8."""
    try:
        return body.decode(), True
    except UnicodeDecodeError:
        return body.decode(errors="surrogateescape"), False


def _past_space(text: str, at: int) -> int:
    """Where the next token at or after `at` starts."""
    while text.startswith((" ", "\t", "\n", "\r"), at):
        at += 1
    return at


def _value(text: str, at: int) -> tuple[Any, int]:
    """The JSON value at or after `at`, and where the next token starts."""
    try:
        value, end = _DECODER.raw_decode(text, _past_space(text, at))
    except (ValueError, RecursionError):
        raise Unreadable("the reply is not JSON, or it is cut off") from None
    return value, _past_space(text, end)


def _elements(text: str, at: int) -> tuple[list[Slice], int]:
    """The elements of the array that starts at `at`, each with its exact source, and where the array ends."""
    slices: list[Slice] = []
    at = _past_space(text, at + 1)
    while text[at : at + 1] != "]":
        value, after = _value(text, at)
        slices.append((value, text[at:after].rstrip()))
        at = after
        if text[at : at + 1] == ",":
            at = _past_space(text, at + 1)
        elif text[at : at + 1] != "]":
            raise Unreadable("the reply is not JSON, or it is cut off")
    return slices, _past_space(text, at + 1)


def _split_reply(text: str) -> tuple[str, list[Slice]]:
    """The ackId and the sources of the events of a feed's reply, whatever else it holds, in any order."""
    at = _past_space(text, 0)
    if text[at : at + 1] != "{":
        raise Unreadable("the reply is not a JSON object")
    ack_id: object = None
    slices: list[Slice] | None = None
    while text[at : at + 1] in ("{", ","):
        key, colon = _value(text, at + 1)
        start = _past_space(text, colon + 1)
        if text[colon : colon + 1] != ":":
            raise Unreadable("the reply is not JSON, or it is cut off")
        if key == "events" and text[start : start + 1] == "[":
            slices, at = _elements(text, start)
        else:
            value, at = _value(text, start)
            ack_id = value if key == "ackId" else ack_id
    if text[at : at + 1] != "}" or slices is None or not isinstance(ack_id, str):
        raise Unreadable("the reply is cut off, or has no events or no ackId")
    return ack_id, slices


def _read_slice(
    value: Any, source: str, intact: bool, own_id: str, reader: Callable[[Any, bytes, str], Item]
) -> Item:
    """One foreign object, read as far as it can be: the place where nothing may spoil its neighbours."""
    raw = source.encode(errors="surrogateescape" if not intact else "strict")
    try:
        if not intact or _SURROGATE_ESCAPE.search(source):
            value = _mended(value)
        return reader(value, raw, own_id)
    except RecursionError:
        return unknown(raw, "nested too deeply to be read")
    except Unreadable as why:
        return _unread(unknown(raw, str(why), value), own_id)
    except Exception as error:  # a foreign object may break anything: it is archived with its bytes, and held
        return _unread(unknown(raw, f"could not be read ({type(error).__name__})", value), own_id)


def _unread(held: Message, own_id: str) -> Message:
    """The same without its sender if that is ourselves: telling us in our own chat would never end."""
    return replace(held, sender="") if held.sender == own_id else held


def _mended(value: Any) -> Any:
    """The same JSON value without lone surrogates, which no text of ours can carry."""
    if isinstance(value, str):
        joined = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return _SURROGATE.sub(markup.REPLACEMENT, joined)
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return value


def unknown(raw: bytes, why: str, value: object = None) -> Message:
    """A message to be held, because nobody here can read `raw`.

    Of its content only ids are guessed: its chat, its sender, and in `refers_to` the message it speaks of.
    """
    return Message(
        network=SYMPHONY,
        id=f"unread-{hashlib.sha256(raw).hexdigest()[:32]}",
        conversation=_guess(value, "streamId"),
        sender=_guess(value, "userId"),
        sent_at=_time(value.get("timestamp")) if isinstance(value, dict) else 0,
        kind=Kind.UNKNOWN,
        text="[A message that could not be read]",
        refers_to=_guess(value, "messageId"),
        defect=why,
        raw=raw,
    )


def _guess(value: object, key: str, depth: int = 5) -> str:
    """The first value under `key` anywhere near the top of a JSON value, normalised; "" if there is none."""
    if not isinstance(value, dict) or depth == 0:
        return ""
    found = value.get(key)
    if isinstance(found, str | int) and found:
        return normal_id(str(found))
    return next(filter(None, (_guess(inner, key, depth - 1) for inner in value.values())), "")


def _time(value: object) -> int:
    """A timestamp in ms that a signed 64-bit field can carry; 0 for anything else."""
    return value if isinstance(value, int) and 0 < value < 1 << 62 else 0


# --- V4Event --------------------------------------------------------------------------------------------


def read_event(event: Json, raw: bytes, own_id: str) -> Item:
    """One V4Event as a message, or as the echo of a delivery of ours. Raises if it has another shape."""
    if not isinstance(event, dict):
        raise Unreadable("an event is not an object")
    if event.get("diagnostic"):
        raise Unreadable("the agent says that it could not read this event")
    kind, payload = event.get("type"), event.get("payload")
    if not payload:
        raise Unreadable(EMPTY)
    if kind == "MESSAGESENT":
        return read_message(payload["messageSent"]["message"], raw, own_id, event)
    if kind == "SHAREDPOST":
        post = payload["sharedPost"]
        message = {"sharedMessage": post.get("sharedMessage"), **post["message"]}
        return read_message(message, raw, own_id, event)
    told = _TOLD.get(kind) if isinstance(kind, str) else None
    if told is None:
        raise Unreadable(f"an event of unknown type {str(kind)[:40]!r}")
    return _told_message(told, event, raw, own_id)


@dataclass(frozen=True, slots=True)
class _Told:
    """How an event that is not a message is told: where its payload lies, and the sentence for a reader."""

    key: str
    sentence: str
    kind: Kind = Kind.NOTE
    refers: str = ""  # the payload's field that names the message it is about


_TOLD = {
    "MESSAGESUPPRESSED": _Told("messageSuppressed", "[Message recalled]", Kind.RECALL, "messageId"),
    "SYMPHONYELEMENTSACTION": _Told(
        "symphonyElementsAction", "[Form sent: {form}]", Kind.APP, "formMessageId"
    ),
    "INSTANTMESSAGECREATED": _Told("instantMessageCreated", "{who} opened a chat."),
    "ROOMCREATED": _Told("roomCreated", "{who} created the room{room}."),
    "ROOMUPDATED": _Told("roomUpdated", "{who} changed the room{room}."),
    "ROOMDEACTIVATED": _Told("roomDeactivated", "{who} closed the room{room}."),
    "ROOMREACTIVATED": _Told("roomReactivated", "{who} opened the room{room} again."),
    "USERJOINEDROOM": _Told("userJoinedRoom", "{whom} joined the room{room}."),
    "USERLEFTROOM": _Told("userLeftRoom", "{whom} left the room{room}."),
    "ROOMMEMBERPROMOTEDTOOWNER": _Told(
        "roomMemberPromotedToOwner", "{who} made {whom} an owner of the room{room}."
    ),
    "ROOMMEMBERDEMOTEDFROMOWNER": _Told(
        "roomMemberDemotedFromOwner", "{who} made {whom} an ordinary member of the room{room}."
    ),
    "USERREQUESTEDTOJOINROOM": _Told("userRequestedToJoinRoom", "{who} asked to join the room{room}."),
    "CONNECTIONREQUESTED": _Told("connectionRequested", "{who} asked {whom} to connect."),
    "CONNECTIONACCEPTED": _Told("connectionAccepted", "{who} accepted the connection with {whom}."),
    "GENERICSYSTEMEVENT": _Told("genericSystemEvent", "System: {system}."),
}


def _told_message(told: _Told, event: Json, raw: bytes, own_id: str) -> Message:
    """An event that is not a message, as the sentence that `told` has for it."""
    payload = event["payload"].get(told.key)
    if not isinstance(payload, dict):
        raise Unreadable("the event's payload is missing")
    user = (event.get("initiator") or {}).get("user") or {}
    sender = _user_id(user)
    stream = payload.get("stream") or {}
    own_recall = told.kind is Kind.RECALL and sender and sender == own_id
    went = told.key == "userLeftRoom" and _user_id(payload.get("affectedUser") or {}) == own_id != ""
    return Message(
        network=SYMPHONY,
        id=(WENT if went else "") + _stable_id(event["type"], event.get("timestamp"), payload),
        conversation=normal_id(stream["streamId"]) if stream.get("streamId") else "",
        sender=sender,
        sent_at=_time(event.get("timestamp")),
        kind=told.kind,
        text=told.sentence.format_map(_names(payload, stream, user)),
        sender_name=_name(user),
        address=_string(user.get("email")),
        refers_to=normal_id(payload[told.refers]) if told.refers else "",
        defect=BY_HAND if own_recall else "",
        raw=raw,
    )


def _names(payload: Json, stream: Json, user: Json) -> dict[str, str]:
    """The names that sentences about an event may need."""
    properties = payload.get("roomProperties") or payload.get("newRoomProperties") or {}
    room = _string(properties.get("name")) or _string(stream.get("roomName"))
    whom = payload.get("affectedUser") or payload.get("toUser") or payload.get("fromUser") or {}
    system = (payload.get("sourceSystem"), payload.get("eventSubtype"))
    return {
        "who": _name(user) or "Somebody",
        "whom": _name(whom) or "somebody",
        "room": f" “{room}”" if room else "",
        "form": str(payload.get("formId") or "?"),
        "system": " ".join(str(part) for part in system if part) or "unspecified",
    }


def _name(user: Json) -> str:
    """What people call a user; usernames of other pods are empty, so they come last."""
    full = f"{_string(user.get('firstName'))} {_string(user.get('lastName'))}".strip()
    return _string(user.get("displayName")) or full or _string(user.get("username"))


def _string(value: object) -> str:
    """`value` if it is a string, else ""."""
    return value if isinstance(value, str) else ""


def _user_id(user: Json) -> str:
    """The key of a user, a number that some clients write as a string; "" for anything else."""
    value = user.get("userId")
    return str(value) if isinstance(value, int | str) and value else ""


# --- V4Message ------------------------------------------------------------------------------------------


def read_message(message: Json, raw: bytes, own_id: str, event: Json | None = None) -> Item:
    """One V4Message, of the feed (then with its `event`) or of history. Raises if it has another shape."""
    message_id = normal_id(message.get("messageId") or (event or {}).get("messageId"))
    user = message.get("user") or ((event or {}).get("initiator") or {}).get("user") or {}
    sender = _user_id(user)
    data = message.get("data") or ""
    if sender and sender == own_id and (permit := permit_in(data)):
        if event is not None:
            return Echo(permit, message_id)
        return Echo(permit, message_id, _time(message.get("timestamp")), _words(message, data)[0])
    conversation = normal_id((message.get("stream") or {}).get("streamId"))
    text, quote, defect = _words(message, data)
    files = tuple(_file(conversation, message_id, item) for item in message.get("attachments") or ())
    if not sender:
        defect = "the sender is missing"
    elif sender == own_id:
        defect = BY_HAND
    return Message(
        SYMPHONY,
        message_id,
        conversation,
        sender,
        _time(message.get("timestamp")),
        files[0].kind if files and not text else Kind.TEXT,
        text,
        _name(user),
        _string(user.get("email")),
        files,
        normal_id(message["replacing"]) if message.get("replacing") else "",
        normal_id(message["parentMessageId"]) if message.get("parentMessageId") else "",
        quote,
        defect,
        raw,
    )


def _words(message: Json, data: str) -> tuple[str, str, str]:
    """Text, quoted text and defect of a V4Message."""
    defect = "the agent says that it could not read all of this message" if message.get("diagnostic") else ""
    entities = _entities(data) if data else {}
    text = markup.to_text(message.get("message") or "", entities)
    if shared := message.get("sharedMessage"):
        text = "\n".join(filter(None, (text, _shared_words(shared))))
    if not message.get("parentMessageId"):
        return text, "", defect
    reply = _QUOTED.fullmatch(text)
    return (reply["text"], reply["quote"].strip("_*"), defect) if reply else (text, "", defect)


def _shared_words(shared: Json) -> str:
    """A forwarded message or post, introduced by the name of whoever wrote it."""
    words = markup.to_text(shared.get("message") or "", _entities(shared.get("data") or ""))
    author = _name(shared.get("user") or {})
    return f"[Forwarded from {author}] {words}" if author else f"[Forwarded] {words}"


def _entities(data: object) -> Json:
    """EntityJSON, leniently: data that cannot be read leaves the words as the sender's client showed them."""
    try:
        found = json.loads(data) if isinstance(data, str) and data else data
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _file(conversation: str, message_id: str, attachment: Json) -> File:
    """An attachment as something that `file_address` can find again, after any restart."""
    name = str(attachment.get("name") or "file")
    media_type = _MEDIA_TYPES.guess_type(name)[0] or ""
    size = attachment.get("size")
    return File(
        ref=orjson.dumps(
            {"stream": conversation, "message": message_id, "file": str(attachment["id"])}
        ).decode(),
        name=name,
        kind=_KINDS.get(media_type.partition("/")[0], Kind.FILE),
        media_type=media_type,
        size=size if isinstance(size, int) and size >= 0 else -1,
    )


class FileAddress(NamedTuple):
    """Where an attachment lies."""

    stream: str
    message: str
    file: str


def file_address(ref: str) -> FileAddress:
    """The address that a `File.ref` of ours holds. Raises `Refused` for a ref that is none."""
    try:
        parts = orjson.loads(ref)
        return FileAddress(str(parts["stream"]), str(parts["message"]), str(parts["file"]))
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise Refused("gone", "This is not the handle of a Symphony attachment.") from None


# --- sending --------------------------------------------------------------------------------------------


def permit_in(data: object) -> str:
    """The permit id that one of our own messages carries in its EntityJSON; "" if it carries none."""
    if not isinstance(data, str) or MARK_TYPE not in data:
        return ""
    mark = _entities(data).get(MARK)
    permit = mark.get("permit") if isinstance(mark, dict) and mark.get("type") == MARK_TYPE else None
    return permit if isinstance(permit, str) else ""


def permit_data(permit: str) -> str:
    """The EntityJSON that makes a message of ours known again when it comes back."""
    return orjson.dumps({MARK: {"type": MARK_TYPE, "version": "1.0", "permit": permit}}).decode()


def compose(content: Content) -> str:
    """MessageML for `content`: author in bold, quotation and notices in italics.

    Everything stands in a division that names our entity, so that the platform keeps it with the message.
    """
    words = markup.escape(content.text)
    parts = [f"<b>{markup.escape(content.author)}:</b> " if content.author and not content.notice else ""]
    if content.quote:
        lines = content.quote.splitlines()
        parts.insert(0, "".join(f"<i>│ {markup.escape(line)}</i><br/>" for line in lines))
    parts.append(f"<i>{words}</i>" if content.notice and words else words or " ")
    return f'<messageML><div class="entity" data-entity-id="{MARK}">{"".join(parts)}</div></messageML>'


def compose_note(note: str) -> str:
    """MessageML for a signed note, letter by letter. Raises ValueError for any other text: nobody's words go
    out this way, without a permit."""
    if not _SIGNED_NOTE.fullmatch(note):
        raise ValueError("this is no signed note, and nothing else may be posted without a permit")
    words = f"<pre>{markup.escape(note)}</pre>"
    return f'<messageML><div class="entity" data-entity-id="{MARK}">{words}</div></messageML>'


def check_limits(content: Content, message: str, max_file_bytes: int = MAX_FILE_BYTES) -> None:
    """Raise `Refused("too-large")` for what the platform would not take, before anything is sent."""
    if len(content.files) > MAX_FILES:
        raise Refused("too-large", f"Symphony takes at most {MAX_FILES} files with a message.")
    if sum(blob.size for blob in content.files) > max_file_bytes:
        raise Refused("too-large", f"The files are larger than {max_file_bytes} bytes together.")
    if len(content.text) + len(content.quote) > MAX_TEXT_CHARS:
        raise Refused("too-large", f"The text is longer than {MAX_TEXT_CHARS} characters.")
    if len(message.encode()) + 200 > MAX_BODY_BYTES:
        raise Refused("too-large", f"The message is larger than {MAX_BODY_BYTES} bytes.")


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer, as far as decisions need it. `retry_after` is in seconds, None if not given."""

    status: int
    body: bytes = field(default=b"", repr=False)
    retry_after: float | None = None
    media_type: str = ""

    @property
    def page(self) -> bool:
        """True for a web page: something in front of the platform answered, not the platform."""
        return self.media_type == "text/html" or self.body[:64].lstrip()[:1] == b"<"


_REFUSALS = {
    400: ("rejected", "Symphony rejects the request"),
    403: ("not-member", "the bridge's account may not do this: is it a member of the conversation?"),
    413: ("too-large", "Symphony finds this too large"),
    451: ("compliance", "Symphony's own compliance rules (DLP) block this"),
}


def failure(reply: Reply, doing: str) -> NetworkError:
    """What follows from a reply that is not a success, as the error to raise.

    Actions are atomic: after a 4xx nothing was done; after anything else that is unknown. 400 with
    Retry-After is how agents pass a 429 on. `doing` names the act, for an operator.
    """
    code = _code_of(reply)
    says = f"{doing}: HTTP {reply.status}" + (f", code {code}" if code else "")
    if reply.status == 429 or (reply.status == 400 and reply.retry_after is not None):
        return Unreachable(f"{says}: asked to wait.", certain=True, retry_after=reply.retry_after)
    if reply.status in _REFUSALS and (not reply.page or reply.status == 413):
        word, why = _REFUSALS[413 if code.startswith("LIMIT_") else reply.status]
        return Refused(word, f"{says}: {why}.")
    certain = 300 <= reply.status < 500
    return Unreachable(f"{says}.", certain=certain, retry_after=reply.retry_after)


def _code_of(reply: Reply) -> str:
    """The code of a V2Error, a number or a word, for an operator. Its message may quote content: left out."""
    try:
        code = str(orjson.loads(reply.body)["code"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""
    return code if re.fullmatch(r"[\w.-]{1,60}", code) else ""


def retry_after(header: str | None, now: int) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110 section 10.2.3), at most an hour.

    `now` is in ms. None without a header, or for one that cannot be read.
    """
    if not header:
        return None
    if re.fullmatch(r"[0-9]{1,9}", header.strip()):
        seconds = float(header)
    else:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - now / 1000
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), 3600.0)


# --- attachments ----------------------------------------------------------------------------------------


class Base64Text:
    """Decodes base64 text that comes in pieces of any length. Line breaks and URL-safe letters may occur."""

    _FOREIGN = re.compile(rb"[^A-Za-z0-9+/=]")
    _PREPARE = bytes.maketrans(b"-_", b"+/")

    def __init__(self) -> None:
        self._rest = b""
        self._closed = False

    def feed(self, piece: bytes) -> bytes:
        """The bytes that are complete with `piece`. Raises `Unreadable` for anything but base64."""
        text = self._rest + piece.translate(self._PREPARE, b" \t\r\n")
        if self._FOREIGN.search(text) or (self._closed and text):
            raise Unreadable("the attachment is not base64 text")
        whole = len(text) // 4 * 4
        self._rest = text[whole:]
        self._closed = b"=" in text[:whole]
        return self._decoded(text[:whole])

    def close(self) -> None:
        """Raises `Unreadable` if the text ended in the middle."""
        if self._rest:
            raise Unreadable("the attachment is cut off")

    @staticmethod
    def _decoded(text: bytes) -> bytes:
        try:
            return binascii.a2b_base64(text, strict_mode=True) if text else b""
        except binascii.Error:
            raise Unreadable("the attachment is not base64 text") from None
