"""A record as an archive outside gets it: its forms, as bytes.

Rules of this file: pure, and the same bytes for the same record, whenever they are made: an archive knows a
copy by their SHA-256. Nothing is left out: words, raw bytes as the network sent them, every entry of the
ledger about the message with its leaf hash and what stands beside it (verdict, reasons, decisions), and the
digests of its attachments, which lie beside it or, in a letter, inside.

    native   one JSON object, indented, keys sorted
    jsonl    the same on one line
    eml      RFC 5322: what was said as people read it, and the native form as an attachment
    letter   for journaling: our metadata, then the eml form as message/rfc822

People have the addresses that they have in exports. A mail is of the moment when its words were written;
what it edits, takes back or speaks about, and the revision before it, are what it replies to, so that whoever
counts threads counts a message once.

What people and networks called things may hold any sign. A header gets what can stand in one; the JSON has
it as it came. A record that cannot be written all the same is refused ("unwritable"), so a person sees it.

Sources: RFC 5322 (section 3.6.4: In-Reply-To, References), RFC 2046 (multipart, message/rfc822); RFC 2047,
RFC 2231 by Python's email package.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import wraps
from typing import Any, ParamSpec

from bridge.errors import Refused
from bridge.records.exports.mime import media_type
from bridge.records.transcript import ADVISOR, BRIDGE, CLIENT, Party

Given = ParamSpec("Given")

VERSION = "weighbridge record 1"
NOWHERE = "invalid"
"""Domain of addresses that nobody has (RFC 2606)."""

NOBODY = "undisclosed-recipients:;"
"""To, where it is not known who could read it (RFC 5322, section 3.4: a group without members)."""

DIRECTIONS = {CLIENT: "inbound", ADVISOR: "outbound", BRIDGE: "notice"}
"""Which way a message goes, by what its sender is."""

REPLACES, RECALLS, SPEAKS_OF = "replaces", "takes back", "is about"
"""What a message has to do with an earlier one."""

_FAR = 253_402_300_800_000
"""The first moment (milliseconds) that no date can have: the year 10000."""


@dataclass(frozen=True, slots=True)
class Enclosed:
    """An attachment: `sha256` of its own bytes ("" where it could not be had), `sealed` the digest by which
    the store knows it, `size` in bytes."""

    name: str
    media: str
    size: int
    sha256: str = ""
    sealed: str = ""

    @property
    def there(self) -> bool:
        """Whether its bytes can be had."""
        return bool(self.sealed)

    @property
    def header(self) -> str:
        """Its media type as a header may say it."""
        return media_type(self.media)


@dataclass(frozen=True, slots=True)
class Fact:
    """An entry of the ledger about the record, with what stands beside it."""

    lane: int
    seq: int
    at: int
    kind: str
    subject: str
    facts: Mapping[str, Any]
    leaf: str
    body: Any = None


@dataclass(frozen=True, slots=True)
class Record:
    """Everything recorded about message `number` of `installation`. `revision`: 1 as it was judged, 2 with
    all that became of it. `said` is the archived message as plain values, `raw` its bytes. `readers` are
    whom it was for, as far as is known. `conversation` is its key, `title` names it for people, `origin` is
    its region. `earlier` is the earlier message that it has to do with, and what (0: none)."""

    installation: str
    number: int
    revision: int
    said: Mapping[str, Any]
    raw: bytes
    sender: Party
    readers: Sequence[Party]
    facts: Sequence[Fact]
    files: Sequence[Enclosed] = field(default=())
    conversation: str = ""
    title: str = ""
    origin: str = ""
    earlier: tuple[str, int] = ("", 0)


def plain(record: Record) -> dict[str, Any]:
    """The record as plain values."""
    return {
        "format": VERSION,
        "installation": record.installation,
        "message": record.number,
        "revision": record.revision,
        "said": dict(record.said),
        "raw": base64.b64encode(record.raw).decode(),
        "conversation": record.conversation,
        "origin": record.origin,
        "sender": _party(record.sender),
        "readers": [_party(one) for one in record.readers],
        "earlier": {"relation": record.earlier[0], "message": record.earlier[1]}
        if record.earlier[1]
        else None,
        "files": [_file(one) for one in record.files],
        "ledger": [_fact(one) for one in record.facts],
    }


def _party(one: Party) -> dict[str, str]:
    told = {"network": one.network, "id": one.id, "name": one.name}
    return told | {"address": one.address, "role": one.role}


def _file(one: Enclosed) -> dict[str, Any]:
    return {"name": one.name, "media": one.media, "size": one.size, "sha256": one.sha256}


def _fact(one: Fact) -> dict[str, Any]:
    told: dict[str, Any] = {"lane": one.lane, "seq": one.seq, "at": one.at, "kind": one.kind}
    told |= {"subject": one.subject, "facts": dict(one.facts), "leaf": one.leaf}
    return told if one.body is None else told | {"content": one.body}


def _or_refused(write: Callable[Given, bytes]) -> Callable[Given, bytes]:
    """A form that says of a record which it cannot write that a person has to look."""

    @wraps(write)
    def written(*args: Given.args, **named: Given.kwargs) -> bytes:
        try:
            return write(*args, **named)
        except (ValueError, TypeError, LookupError) as error:  # what json and email raise for odd values
            raise Refused(
                "unwritable", f"cannot be written as {write.__name__} ({type(error).__name__})"
            ) from None

    return written


@_or_refused
def native(record: Record) -> bytes:
    """JSON for people and programs."""
    text = json.dumps(plain(record), ensure_ascii=False, sort_keys=True, indent=1)
    return text.encode("utf-8", "replace") + b"\n"


@_or_refused
def line(record: Record) -> bytes:
    """JSON on one line: files of it can be put one behind the other."""
    text = json.dumps(plain(record), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "replace") + b"\n"


@_or_refused
def eml(record: Record, files: Sequence[bytes | None] = ()) -> bytes:
    """A mail. `files` are the bytes of the attachments in their order, None for what is not inside: that is
    named with its digest."""
    mail = _headed(record)
    mail.set_content(_told(record, files), cte="base64")
    inside = [*files, *[None] * (len(record.files) - len(files))]
    for one, data in zip(record.files, inside, strict=True):
        if data is not None:
            main, _, sub = one.header.partition("/")
            mail.add_attachment(data, maintype=main, subtype=sub, filename=_clean(one.name))
    mail.add_attachment(native(record), maintype="application", subtype="json", filename="record.json")
    return _bytes(mail, f"eml {record.installation} {record.number} {record.revision}")


@_or_refused
def letter(record: Record, files: Sequence[bytes | None], sender: str, archive: str) -> bytes:
    """What an archive's mailbox gets: metadata first, the record as message/rfc822 behind it. Its Message-ID
    is the same whenever it is sent, so that an archive knows a repetition."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = sender, archive
    mail["Subject"] = f"weighbridge record {record.number}, revision {record.revision}"
    mail["Message-ID"] = message_id(record)
    _sort(mail, record, "<")
    mail["Auto-Submitted"] = "auto-generated"
    mail["Precedence"] = "bulk"
    meta = {key: value for key, value in plain(record).items() if key not in ("said", "raw", "ledger")}
    rows = [f"{key}: {json.dumps(value, ensure_ascii=False, sort_keys=True)}" for key, value in meta.items()]
    rows += [f"ledger: {one.lane}/{one.seq} {one.kind} {one.leaf}" for one in record.facts]
    mail.set_content(_whole("\n".join(rows)), cte="base64")
    mail.make_mixed()
    text = _bytes(mail, f"letter {record.installation} {record.number} {record.revision}")
    return _enclosing(text, eml(record, files))


def message_id(record: Record) -> str:
    """The Message-ID of a record's letter."""
    return _id(record, record.number, record.revision)


def _id(record: Record, number: int, revision: int, opening: str = "<") -> str:
    return f"{opening}{record.installation}.{number}.{revision}@weighbridge.{NOWHERE}>"


def _enclosing(outer: bytes, inner: bytes) -> bytes:
    """`outer`, a multipart, with `inner` as its last part: as it is, so that its digest stays its own."""
    end = outer.rstrip().rpartition(b"\r\n")[2]  # --boundary--
    begin = end[:-2]
    head = outer.rstrip()[: -len(end)]
    return head + begin + b"\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"\r\n" + end + b"\r\n"


def _headed(record: Record) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _address(record.sender)
    mail["To"] = [_address(one) for one in record.readers] or NOBODY
    relation, earlier = record.earlier
    about = f" {relation} message {earlier}" if earlier else ""
    title = _clean(record.title) or record.sender.network
    mail["Subject"] = f"{title}: message {record.number}{about}"
    mail["Message-ID"] = _id(record, record.number, record.revision, RECORD)
    _sort(mail, record, RECORD)
    mail["X-Weighbridge-Message"] = str(record.number)
    mail["X-Weighbridge-Revision"] = str(record.revision)
    mail["X-Weighbridge-Leaf"] = record.facts[0].leaf if record.facts else ""
    return mail


RECORD = "<record."
"""How Message-IDs of the eml form begin: a letter and the mail inside it are two."""


def _sort(mail: EmailMessage, record: Record, opening: str) -> None:
    """What an archive sorts mails by: when, what before it they are about, network, direction and
    conversation."""
    archived = record.facts[0].at if record.facts else 0
    written = int(record.said.get("sent_at") or 0)
    mail["Date"] = _moment(written if 0 < written < _FAR else archived)
    mail["X-Weighbridge-Archived"] = _moment(archived).isoformat().replace("+00:00", "Z")
    if before := _before(record, opening):
        mail["In-Reply-To"] = before[-1]
        mail["References"] = " ".join(before)
    mail["X-Weighbridge-Network"] = record.sender.network
    if direction := DIRECTIONS.get(record.sender.role):
        mail["X-Weighbridge-Direction"] = direction
    if record.conversation:
        mail["X-Weighbridge-Conversation"] = _clean(record.conversation)


def _before(record: Record, opening: str) -> list[str]:
    """The Message-IDs of the mails that this one follows."""
    _, earlier = record.earlier
    found = [_id(record, earlier, 1, opening)] if earlier else []
    return found + [_id(record, record.number, one, opening) for one in range(1, record.revision)]


def _address(one: Party) -> Address:
    return Address(_clean(one.name or one.id), addr_spec=one.address)


def _clean(name: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in name).strip()


def _moment(at: int) -> datetime:
    """Milliseconds as a date, to the second: a mail has no finer one."""
    return datetime.fromtimestamp(at // 1000, UTC)


def _told(record: Record, files: Sequence[bytes | None]) -> str:
    """What was said, as people read it; what it has to do with an earlier message; and each attachment,
    whether it is inside or beside."""
    rows = [str(record.said.get("text", "")), ""]
    relation, earlier = record.earlier
    rows += [f"[{relation} message {earlier}]"] if earlier else []
    for number, one in enumerate(record.files):
        inside = number < len(files) and files[number] is not None
        where = "attached" if inside else "beside" if one.there else "could not be had"
        rows.append(f"[{_clean(one.name)}: {one.size} bytes, SHA-256 {one.sha256 or 'unknown'}, {where}]")
    return _whole("\n".join(rows))


def _whole(text: str) -> str:
    """A body: halves of signs, which no encoding has, are replaced."""
    return text.encode("utf-8", "replace").decode() + "\n"


def _bytes(mail: EmailMessage, seed: str) -> bytes:
    """The bytes of a mail, with boundaries that are always the same for it."""
    for number, part in enumerate(mail.walk()):
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            part.set_boundary("=_" + hashlib.sha256(f"{seed} {number}".encode()).hexdigest()[:40])
    return mail.as_bytes()


FORMS = {"native": native, "jsonl": line, "eml": eml}
"""The forms that a policy may ask for."""

MEDIA = {"native": "application/json", "jsonl": "application/x-ndjson", "eml": "message/rfc822"}
ENDINGS = {"native": "json", "jsonl": "jsonl", "eml": "eml"}
