"""Mails as the archive of Global Relay takes them from chat systems: one for a conversation and a day.

Rules of this file: pure. A mail has a summary, participants and messages, as text and as a page, and the
attachments inside. What would make it larger than the archive takes goes into a further mail; what alone is
too large lies beside, under a warning: nothing is dropped. Headers as other exporters send them (message
export of Mattermost; records of other senders); the vendor assigns `X-GlobalRelay-MsgType`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from bridge.records.exports import mime
from bridge.records.exports.attaching import put
from bridge.records.exports.chatlog import Block, exact, heading, page, reach, told
from bridge.records.exports.choices import number, text, word
from bridge.records.exports.naming import of_slice, safe
from bridge.records.exports.natives import everybody, mark, native
from bridge.records.transcript import ADVISOR, CLIENT, Enclosure, Line, Output, Request, Slice

LARGEST = 250_000_000
"""Bytes of a mail at most; what is above is refused or loses attachments (records of other exporters)."""

_FRAME = 600  # bytes of an attachment's own headers and boundary, at most


@dataclass(frozen=True, slots=True)
class _Piece:
    """What goes into a mail whole: an item as words, or one file. `size` as it will be in the mail."""

    size: int
    block: Block | None = None
    line: Line | None = None
    place: int = 0
    file: Enclosure | None = None  # the attachment at `place`; None with a line: the record itself, as JSON


@dataclass(frozen=True, slots=True)
class _Letters:
    """The mails of one conversation on one day."""

    request: Request
    conversation: Slice
    options: Mapping[str, object]
    out: Output
    digest: str

    def write(self) -> None:
        """Write them all."""
        room = self._room()
        mails = list(_filled(self._pieces(room), room)) or [[]]
        for place, mail in enumerate(mails, 1):
            with self.out.file(self._name(place)) as file:
                for octets in self._mail(place, len(mails), mail):
                    file.write(octets)

    def _room(self) -> int:
        """What is left of the largest mail once everything is there that stands in each of them."""
        head = heading(self.request, self.conversation)
        frame = sum(map(len, self._headers(1, 1))) + 2 * mime.larger(head.size) + 6000
        return max(1, number(self.options, "largest", LARGEST, 10_000) - frame)

    def _name(self, place: int) -> str:
        name = of_slice(self.conversation, "eml")
        return name if place == 1 else f"{name.removesuffix('.eml')}.mail{place}.eml"

    def _pieces(self, room: int) -> Iterator[_Piece]:
        for item in self.conversation.items:
            block = told(item)
            yield _Piece(mime.larger(block.size) + 8, block)
            if isinstance(item, Line):
                yield from self._files(item, room)

    def _files(self, line: Line, room: int) -> Iterator[_Piece]:
        if not exact(line):
            self.out.warn("spelled", line.number, "signs a mail cannot show; the record is attached as JSON")
            yield _Piece(mime.larger(len(native(line))) + _FRAME, line=line)
        for place, file in enumerate(line.files):
            if not file.digest:
                continue
            size = mime.larger(self._size(file)) + _FRAME
            if size > room:
                yield self._put_beside(line, place, file)
            else:
                yield _Piece(size, line=line, place=place, file=file)

    def _size(self, file: Enclosure) -> int:
        return file.size if file.size >= 0 else sum(map(len, self.out.enclosure(file.digest)))

    def _put_beside(self, line: Line, place: int, file: Enclosure) -> _Piece:
        name = put(self.out, line, place, file)
        self.out.warn("too-large", line.number, f"an attachment is larger than a mail may be: {name}")
        words = f"Too large for a mail, message/{line.number}: {name}, SHA-256 {file.digest}"
        block = Block(f"{words}\n", f"<p>{escape(words)}</p>\n")
        return _Piece(mime.larger(block.size) + 8, block)

    def _headers(self, place: int, of: int) -> Iterator[bytes]:
        parties = everybody(self.conversation)
        boxes = [mime.mailbox(one.name, one.address) for one in parties]
        _, end = reach(self.conversation)
        yield mime.mailboxes("From", boxes[:1] or ["<weighbridge@invalid>"])
        yield mime.mailboxes("To", boxes)
        yield mime.header("Subject", self._subject())
        yield mime.header("Date", mime.date_of(end or self.request.at))
        yield mime.header("Message-ID", f"<{self._id(place, of)}@weighbridge.invalid>")
        yield b"MIME-Version: 1.0\r\nAuto-Submitted: auto-generated\r\nPrecedence: bulk\r\n"
        if kind := text(self.options, "msgtype"):
            yield mime.header("X-GlobalRelay-MsgType", kind)
        for name, value in self._facts(place, of):
            yield mime.header(f"X-Weighbridge-{name}", value)
        seam = mime.boundary(self._id(place, of))
        yield f'Content-Type: multipart/mixed;\r\n boundary="{seam}"\r\n\r\n'.encode()

    def _facts(self, place: int, of: int) -> Iterator[tuple[str, str]]:
        yield "Network", ", ".join(sorted({line.network for line in self.conversation.lines}))
        yield "Direction", ", ".join(_directions(self.conversation.lines))
        yield "Conversation", self.conversation.key
        yield "Title", self.conversation.title
        yield "Day", f"{self.conversation.day.isoformat()} {self.request.zone}"
        yield "Mail", f"{place}/{of}"
        yield "Messages", str(sum(1 for _ in self.conversation.lines))

    def _id(self, place: int, of: int) -> str:
        """The same for the same records, whoever asks: a mail that is sent again is known again."""
        return f"{self.conversation.day}.{self.conversation.piece}.{place}-{of}.{self.digest}"

    def _subject(self) -> str:
        if word(self.options, "subject", ("counts", "title")) == "title":
            return f"Weighbridge export: {self.conversation.title}"
        start, end = reach(self.conversation)
        users, messages = len(everybody(self.conversation)), sum(1 for _ in self.conversation.lines)
        return f"Chat: {users} Users, {messages} Messages, {(end - start) // 60_000} Minutes"

    def _mail(self, place: int, of: int, pieces: Sequence[_Piece]) -> Iterator[bytes]:
        outer, inner = mime.boundary(self._id(place, of)), mime.boundary(self._id(place, of), "words")
        yield from self._headers(place, of)
        yield f'--{outer}\r\nContent-Type: multipart/alternative;\r\n boundary="{inner}"\r\n\r\n'.encode()
        yield from self._words(inner, self._blocks(place, of, pieces))
        for piece in pieces:
            if piece.line is not None:
                yield f"--{outer}\r\n".encode()
                yield from self._file(piece.line, piece)
        yield f"--{outer}--\r\n".encode()

    def _blocks(self, place: int, of: int, pieces: Sequence[_Piece]) -> list[Block]:
        words = (piece.block for piece in pieces if piece.block is not None)
        return [heading(self.request, self.conversation, place, of), *words]

    def _words(self, seam: str, blocks: Sequence[Block]) -> Iterator[bytes]:
        yield f"--{seam}\r\n".encode()
        yield from mime.text_part("plain", "".join(block.plain for block in blocks))
        yield f"--{seam}\r\n".encode()
        yield from mime.text_part("html", page(self._subject(), (block.page for block in blocks)))
        yield f"--{seam}--\r\n".encode()

    def _file(self, line: Line, piece: _Piece) -> Iterable[bytes]:
        about = {"X-Weighbridge-Message": f"message/{line.number}"}
        file = piece.file
        if file is None:
            name = f"message-{line.number}.json"
            return mime.file_part("application/json", name, [native(line)], about)
        about |= {"X-Weighbridge-Place": str(piece.place + 1), "X-Weighbridge-SHA256": file.digest}
        return mime.file_part(file.media, safe(file.name), self.out.enclosure(file.digest), about)


def _directions(lines: Iterable[Line]) -> list[str]:
    roles = {line.sender.role for line in lines}
    return [word for role, word in ((CLIENT, "inbound"), (ADVISOR, "outbound")) if role in roles]


def _filled(pieces: Iterable[_Piece], room: int) -> Iterator[list[_Piece]]:
    """Pieces in the order in which they are, as many in each mail as there is room for."""
    mail: list[_Piece] = []
    left = room
    for piece in pieces:
        if mail and piece.size > left:
            yield mail
            mail, left = [], room
        mail.append(piece)
        left -= piece.size
    if mail:
        yield mail


class GlobalRelay:
    """See `bridge.records.transcript.Format`."""

    name = "globalrelay"

    def write(
        self, request: Request, slices: Sequence[Slice], options: Mapping[str, object], out: Output
    ) -> None:
        """One mail for each slice, or more."""
        for one in slices:
            digest = mark(one.key, *(mark(native(line)) for line in one.lines))
            _Letters(request, one, options, out, digest).write()


GLOBALRELAY = GlobalRelay()
