"""XML as Smarsh Vantage (once Actiance) takes it from chat systems, in a ZIP with the attachments.

Rules of this file: pure. Elements and their order are those that other exporters write (message export of
Mattermost); the vendor's own specification is not public. What has no element stands beside, in
`records.jsonl`: every record with its decisions and deliveries, unchanged. Times are milliseconds or seconds,
as the archive was set up: a wrong unit is taken without an error and is off by a factor of 1000.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from bridge.records.exports.choices import text, word
from bridge.records.exports.legible import FORBIDDEN, altered
from bridge.records.exports.markup import Markup
from bridge.records.exports.naming import attachment
from bridge.records.exports.natives import account, native, native_change, native_slice
from bridge.records.exports.telling import IN_PART, UNKNOWN, said, seen
from bridge.records.exports.zipping import Zip, zipped
from bridge.records.transcript import BRIDGE, Came, Enclosure, Later, Line, Output, Party, Request, Slice

XSI = "http://www.w3.org/2001/XMLSchema-instance"
DAY = 86_400_000
EDITED, ANEW, DELETED = "EditedOriginalMsg", "EditedNewMsg", "Deleted"
"""Words of `UpdatedType`: a message that was replaced, one that replaces, one that was taken back."""

_UNITS = {"ms": 1, "s": 1000}


@dataclass(slots=True)
class _Dump:
    """The XML of one part of an export."""

    markup: Markup
    unit: int
    perspective: str
    warn: Callable[[str, int, str], None]
    inside: dict[tuple[str, str], Party] = field(default_factory=dict)  # by account

    def conversation(self, one: Slice, zone: ZoneInfo) -> None:
        """One conversation on one day, everything in it in the order of time."""
        midnight, times = _midnight(one, zone), [_moment(item) for item in one.items]
        start = min(times) if one.piece > 1 and times else min([midnight, *times])
        end = max([midnight + DAY - 1, *times])
        self.inside = {}
        with self.markup.within("Conversation", {"Perspective": self.perspective or one.title}):
            self.markup.leaf("RoomID", one.key)
            self.markup.leaf("StartTimeUTC", self._time(start))
            for party in one.present:
                self._entered(party, start)
            for item in sorted(one.items, key=_moment):
                self._item(item)
            for party in list(self.inside.values()):
                self._left(party, end)
            self.markup.leaf("EndTimeUTC", self._time(end))

    def _item(self, item: Line | Came) -> None:
        if isinstance(item, Line):
            self._message(item)
        elif item.joined:
            self._entered(item.party, item.at)
        else:
            self._left(item.party, item.at)

    def _time(self, milliseconds: int) -> str:
        return str(milliseconds // self.unit)

    def _entered(self, party: Party, at: int) -> None:
        if account(party) not in self.inside:
            known = self._is_inside(party.address)
            self.inside[account(party)] = party
            if not known:
                self._presence("ParticipantEntered", party, at)

    def _left(self, party: Party, at: int) -> None:
        if self.inside.pop(account(party), None) is not None and not self._is_inside(party.address):
            self._presence("ParticipantLeft", party, at)

    def _is_inside(self, address: str) -> bool:
        """Whether somebody of this address is there: a reader of this format knows people by it alone."""
        return any(one.address == address for one in self.inside.values())

    def _presence(self, name: str, party: Party, at: int) -> None:
        with self.markup.within(name):
            self._who(party, at)
            self.markup.leaf("CorporateEmailID", party.address)

    def _who(self, party: Party, at: int) -> None:
        self.markup.leaf("LoginName", party.address)
        self.markup.leaf("UserType", _kind(party))
        self.markup.leaf("DateTimeUTC", self._time(at))

    def _message(self, line: Line) -> None:
        # A reader of this format looks for whoever speaks among those who entered.
        self._entered(line.sender, said(line))
        self._warn_of(line)
        with self.markup.within("Message"):
            self.markup.leaf("MessageId", _id(line.number))
            self._who(line.sender, said(line))
            self._update(line)
            self.markup.leaf("Content", self._content(line))
        for place, file in enumerate(line.files):
            self._transfer("FileTransferStarted", line, place, file)
            self._transfer("FileTransferEnded", line, place, file)

    def _warn_of(self, line: Line) -> None:
        if altered(line.text, FORBIDDEN):
            self.warn("spelled", line.number, "signs that XML cannot write; unchanged in records.jsonl")
        if seen(line) in ("changed", IN_PART, UNKNOWN):
            self.warn("sent-beside", line.number, "what the other side saw stands in records.jsonl")

    def _update(self, line: Line) -> None:
        """What this message is to another one, and which one follows it."""
        following = _following(line)
        kind = _own(line) or (_role(following) if following else "")
        if not kind:
            return
        self.markup.leaf("UpdatedType", kind)
        self.markup.leaf("UpdatedDateTimeUTC", self._time(said(following or line)))
        if following is not None:
            self.markup.leaf("EditedNewMsgId", _id(following.number))

    def _content(self, line: Line) -> str:
        if line.kind != "recall":
            return line.gone or line.text
        named = _id(line.recalls) if line.recalls is not None else line.refers_to
        return f"delete {line.taken or named}"

    def _transfer(self, name: str, line: Line, place: int, file: Enclosure) -> None:
        with self.markup.within(name):
            self.markup.leaf("LoginName", line.sender.address)
            self.markup.leaf("DateTimeUTC", self._time(said(line)))
            self.markup.leaf("UserFileName", file.name)
            self.markup.leaf("FileName", _stored(line, place, file))
            if name == "FileTransferEnded":
                self.markup.leaf("Status", "Completed" if file.digest else "Failed")


def _own(line: Line) -> str:
    if line.recalls is not None or line.kind == "recall":
        return DELETED
    return ANEW if line.edits is not None or line.replaces else ""


def _following(line: Line) -> Later | None:
    """What a message is said to have become, of all that it became: the next version that is in the archive's
    hands, else that it was taken back, else the next one."""
    here = [one for one in line.later if one.here]
    recalls = [one for one in line.later if one.recall]
    return next(iter([*here, *recalls, *line.later]), None)


def _role(following: Later) -> str:
    return DELETED if following.recall else EDITED


def _id(number: int) -> str:
    return f"message/{number}"


def _kind(party: Party) -> str:
    return "bot" if party.role == BRIDGE else "user"


def _moment(item: Line | Came) -> int:
    return said(item) if isinstance(item, Line) else item.at


def _midnight(one: Slice, zone: ZoneInfo) -> int:
    """When the slice's day began, in milliseconds."""
    start = datetime.combine(one.day, time(), zone)
    return int(start.timestamp()) * 1000


def _stored(line: Line, place: int, file: Enclosure) -> str:
    """Where an attachment lies in the ZIP: in a folder for its day, in UTC."""
    day = datetime(1970, 1, 1) + timedelta(milliseconds=line.at)
    return f"{day:%Y-%m-%d}/{attachment(line, place, file).removeprefix('attachments/')}"


class Actiance:
    """See `bridge.records.transcript.Format`."""

    name = "actiance"

    def write(
        self, request: Request, slices: Sequence[Slice], options: Mapping[str, object], out: Output
    ) -> None:
        """One ZIP. Raises ConfigError for an unknown unit of time."""
        unit = _UNITS[word(options, "unit", ("ms", "s"))]
        lines = [line for one in slices for line in one.lines]
        with out.file(f"actiance-{out.part:04d}.zip") as file, zipped(file) as place:
            with place.entry("actiance_export.xml") as xml:
                dump = _Dump(Markup(xml), unit, text(options, "perspective"), out.warn)
                with dump.markup.within("FileDump", {"xmlns:xsi": XSI}):
                    for one in slices:
                        dump.conversation(one, ZoneInfo(request.zone))
            place.add("records.jsonl", _records(slices))
            _attachments(place, lines, out)


def _records(slices: Iterable[Slice]) -> Iterator[bytes]:
    for one in slices:
        yield native_slice(one)
        for item in one.items:
            yield native(item) if isinstance(item, Line) else native_change(item, one)


def _attachments(place: Zip, lines: Sequence[Line], out: Output) -> None:
    missing: list[str] = []
    for line in lines:
        for number, file in enumerate(line.files):
            if file.digest:
                place.add(_stored(line, number, file), out.enclosure(file.digest))
            else:
                missing.append(
                    f"{_id(line.number)} attachment {number + 1}: {file.missing or 'not archived'}\n"
                )
    if missing:
        place.add("warning.txt", [line.encode("utf-8", "backslashreplace") for line in missing])


ACTIANCE = Actiance()
