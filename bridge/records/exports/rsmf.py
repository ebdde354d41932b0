"""Relativity's short message format, version 2.0: one mail with one attachment, `rsmf.zip`.

Rules of this file: pure. What stands in the manifest is what Relativity documents (help pages "Relativity's
short message format" and "rsmf_manifest.json", schema 2.0.0). Every record is an event of its own; an edit
stands at its original as well, because reviewers look for it there. JSON is written in ASCII, so that no sign
of a text is lost; whatever a value needs a name for is a `custom` property.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import IO

from bridge.records.exports import mime, plainly
from bridge.records.exports.chatlog import heading, told
from bridge.records.exports.choices import number, text
from bridge.records.exports.naming import attachment, of_slice
from bridge.records.exports.natives import account, custodian, everybody, mark
from bridge.records.exports.packing import Limits, cut
from bridge.records.exports.telling import remarks, said, skips, utc
from bridge.records.exports.zipping import Zip, zipped
from bridge.records.transcript import ADVISOR, BRIDGE, Came, Enclosure, Line, Output, Party, Request, Slice

VERSION = "2.0.0"
EVENTS = 10_000
"""Events of one file at most: what Relativity recommends."""


@dataclass(frozen=True, slots=True)
class _Thread:
    """One conversation on one day as a file."""

    request: Request
    conversation: Slice
    options: Mapping[str, object]
    out: Output

    def write(self, file: IO[bytes]) -> None:
        """The mail with its one attachment."""
        seam = mime.boundary("rsmf", self.conversation.key, self.conversation.day, self.conversation.piece)
        for octets in self._headers(seam):
            file.write(octets)
        file.write(f"--{seam}\r\n".encode())
        for octets in mime.text_part("plain", self._words()):
            file.write(octets)
        file.write(f"--{seam}\r\nContent-Type: application/zip\r\n".encode())
        file.write(b"Content-Transfer-Encoding: base64\r\n")
        file.write(b'Content-Disposition: attachment; filename="rsmf.zip"\r\n\r\n')
        encoder = mime.Base64(file)
        with zipped(encoder) as place:
            self._zip(place)
        encoder.finish()
        file.write(f"--{seam}--\r\n".encode())

    def _headers(self, seam: str) -> Iterator[bytes]:
        boxes = [mime.mailbox(one.name, one.address) for one in everybody(self.conversation)]
        times = self._times()
        keeper = custodian(self.conversation)
        first = mime.mailbox(keeper.name, keeper.address) if keeper else "<weighbridge@invalid>"
        yield mime.mailboxes("From", [first])
        yield mime.mailboxes("To", boxes)
        yield mime.header("Subject", f"{self.conversation.title} {self.conversation.day.isoformat()}")
        yield mime.header("Date", mime.date_of(max(times, default=self.request.at)))
        yield b"MIME-Version: 1.0\r\n"
        for name, value in self._facts(times, keeper):
            yield mime.header(f"X-RSMF-{name}", value)
        yield f'Content-Type: multipart/mixed;\r\n boundary="{seam}"\r\n\r\n'.encode()

    def _facts(self, times: Sequence[int], keeper: Party | None) -> Iterator[tuple[str, str]]:
        yield "Version", VERSION
        yield "Generator", "weighbridge"
        yield "BeginDate", utc(min(times, default=0))
        yield "EndDate", utc(max(times, default=0))
        yield "EventCount", str(len(self.conversation.items))
        yield "Application", self._platform()
        yield "Participants", ", ".join(one.name or one.id for one in everybody(self.conversation))
        yield "Custodian", keeper.name if keeper else ""
        yield "AttachmentCount", str(sum(len(line.files) for line in self.conversation.lines))
        yield "EventCollectionID", self.conversation.key

    def _times(self) -> list[int]:
        return [said(item) if isinstance(item, Line) else item.at for item in self.conversation.items]

    def _platform(self) -> str:
        usual = "+".join(sorted({line.network for line in self.conversation.lines})) or "weighbridge"
        return text(self.options, "platform", usual)

    def _words(self) -> str:
        """What Relativity takes as the extracted text."""
        blocks = [told(item) for item in self.conversation.items]
        return heading(self.request, self.conversation).plain + "".join(block.plain for block in blocks)

    def _zip(self, place: Zip) -> None:
        manifest = json.dumps(self._manifest(), ensure_ascii=True, indent=1, sort_keys=True)
        place.add("rsmf_manifest.json", [manifest.encode()])
        for line in self.conversation.lines:
            for index, file in enumerate(line.files):
                content = self.out.enclosure(file.digest) if file.digest else [_why(file)]
                place.add(_stored(line, index, file), content)

    def _manifest(self) -> dict[str, object]:
        here = {line.number for line in self.conversation.lines}
        return {
            "version": VERSION,
            "participants": [_participant(one) for one in everybody(self.conversation)],
            "conversations": [self._conversation()],
            "events": [self._event(item, here) for item in self.conversation.items],
            "eventcollectionid": self.conversation.key,
        }

    def _conversation(self) -> dict[str, object]:
        everyone, keeper = everybody(self.conversation), custodian(self.conversation)
        inside = everyone if self._steady() else self.conversation.present
        inner = keeper is not None and account(keeper) in map(account, inside)
        facts = [("Day", f"{self.conversation.day.isoformat()} {self.request.zone}")]
        facts += [("Custodian", plainly.who(keeper))] if keeper and not inner else []
        found: dict[str, object] = {
            "id": self.conversation.key,
            "display": self.conversation.title,
            "platform": self._platform(),
            "type": "direct" if self._steady() else "channel",
            "participants": [plainly.who(one) for one in inside],
            "custom": _custom(facts),
        }
        if keeper and inner:
            found["custodian"] = plainly.who(keeper)
        return found

    def _steady(self) -> bool:
        """Whether the same people were there all the time, but for the bridge, which only speaks."""
        there = {account(one) for one in self.conversation.present}
        others = (one for one in everybody(self.conversation) if one.role != BRIDGE)
        came = any(isinstance(item, Came) for item in self.conversation.items)
        return not came and all(account(one) in there for one in others)

    def _event(self, item: Line | Came, here: Set[int]) -> dict[str, object]:
        if isinstance(item, Line):
            return self._message(item, here)
        found: dict[str, object] = {
            "id": f"presence/{mark(self.conversation.key, item.at, *account(item.party), item.joined)}",
            "type": "join" if item.joined else "leave",
            "participant": plainly.who(item.party),
            "conversation": self.conversation.key,
            "timestamp": utc(item.at),
        }
        return found | ({"body": item.reason} if item.reason else {})

    def _message(self, line: Line, here: Set[int]) -> dict[str, object]:
        found: dict[str, object] = {
            "id": f"message/{line.number}",
            "type": _type(line),
            "body": line.gone or line.text,
            "participant": plainly.who(line.sender),
            "conversation": self.conversation.key,
            "timestamp": utc(said(line)),
            "deleted": any(one.recall for one in line.later),
            "direction": "outgoing" if line.sender.role in (ADVISOR, BRIDGE) else "incoming",
            "custom": _custom(remarks(line)),
        }
        if (parent := _parent(line)) in here:
            found["parent"] = f"message/{parent}"
        if edits := _edits(line):
            found["edits"] = edits
        if line.files:
            found["attachments"] = [_attached(line, place, one) for place, one in enumerate(line.files)]
        return found


def _type(line: Line) -> str:
    if line.gone or line.defect:
        return "unknown"
    return "disclaimer" if line.sender.role == BRIDGE else "message"


def _parent(line: Line) -> int | None:
    return line.earlier if line.earlier is not None else line.notice_for


def _edits(line: Line) -> list[dict[str, object]]:
    """The next version and the last, each with the one before it, as far as this export has their words and
    there are none between: those say it themselves."""
    found: list[dict[str, object]] = []
    previous: str | None = line.text
    for one in line.later:
        if one.recall:
            continue
        edit: dict[str, object] = {"participant": plainly.who(one.sender), "timestamp": utc(said(one))}
        edit |= {"previous": previous} if previous is not None else {}
        edit |= {"new": one.text} if one.text else {}
        found.append(edit)
        previous = None if skips(line) else one.text or None
    return found


def _participant(party: Party) -> dict[str, object]:
    return {
        "id": plainly.who(party),
        "display": party.name or party.id,
        "email": party.address,
        "account_id": party.id,
        "custom": _custom([("Network", party.network), ("Role", party.role)]),
    }


def _custom(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs if value]


def _attached(line: Line, place: int, file: Enclosure) -> dict[str, object]:
    return {"id": _stored(line, place, file), "display": file.name} | (
        {"size": file.size} if file.size >= 0 else {}
    )


def _stored(line: Line, place: int, file: Enclosure) -> str:
    name = attachment(line, place, file).removeprefix("attachments/")
    return name if file.digest else f"{name}.missing.txt"


def _why(file: Enclosure) -> bytes:
    reason = f"This attachment is not in the archive: {file.missing or 'no reason was recorded'}\n"
    return reason.encode("utf-8", "backslashreplace")


class Rsmf:
    """See `bridge.records.transcript.Format`."""

    name = "rsmf"

    def write(
        self, request: Request, slices: Sequence[Slice], options: Mapping[str, object], out: Output
    ) -> None:
        """One file for each slice, or for each so many events. Raises ConfigError."""
        limits = Limits(slice_items=number(options, "events", EVENTS))
        for whole in slices:
            for index, one in enumerate(cut(whole, limits)):
                name = of_slice(whole, "rsmf")
                name = name if not index else f"{name.removesuffix('.rsmf')}.file{index + 1}.rsmf"
                with out.file(name) as file:
                    _Thread(request, one, options, out).write(file)


RSMF = Rsmf()
