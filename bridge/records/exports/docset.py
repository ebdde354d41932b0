"""A part of an export as documents for review platforms: with ids, families, natives, texts and digests.

Rules of this file: pure. A message is a document, its attachments are its children, and so are a conversation
on a day and everybody's coming and going documents. Ids follow from the record alone: the same message has
the same id in every export, whatever was searched for. The native of a message is its record as JSON, with
nothing changed; its text is for reading, with deceiving signs spelled out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import md5, sha256

from bridge.records.exports.chatlog import exact, heading, told
from bridge.records.exports.legible import spelled
from bridge.records.exports.naming import safe
from bridge.records.exports.natives import custodian, mark, native, native_change, native_slice
from bridge.records.exports.telling import changed, said
from bridge.records.transcript import Came, Enclosure, Line, Output, Party, Request, Slice

CONVERSATION, MESSAGE, ATTACHMENT, JOIN, LEAVE = "conversation", "message", "attachment", "join", "leave"
"""What a document is."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document, before it is written. `family` are the ids of its family's first and last document."""

    id: str
    kind: str
    group: str  # id of its conversation's document
    parent: str
    children: tuple[str, ...]
    family: tuple[str, str]
    conversation: Slice
    custodian: str  # the name of the person whose record this is; "" if nobody is known
    at: int  # when it was written or happened; of a conversation, when its first item was archived
    item: Line | Came | None = None
    file: Enclosure | None = None
    place: int = 0

    @property
    def line(self) -> Line | None:
        """The message that this is, or belongs to."""
        return self.item if isinstance(self.item, Line) else None

    @property
    def author(self) -> Party | None:
        """Who wrote it, came or went."""
        if isinstance(self.item, Line):
            return self.item.sender
        return self.item.party if self.item is not None else None

    @property
    def readers(self) -> tuple[Party, ...]:
        """Who it was for."""
        return self.item.readers if isinstance(self.item, Line) else ()

    @property
    def subject(self) -> str:
        """What a list of documents shows of it."""
        if self.file is not None:
            return self.file.name
        title = f"{self.conversation.title} {self.conversation.day.isoformat()}"
        return f"{title}: {changed(self.item)}" if isinstance(self.item, Came) else title


@dataclass(frozen=True, slots=True)
class Stored:
    """A document that was written: paths inside the export with "/", "" where there is no such file."""

    document: Document
    native: str
    text: str
    name: str
    size: int = 0
    md5: str = ""
    sha256: str = ""


def documents(slices: Iterable[Slice], prefix: str) -> Iterator[Document]:
    """Every document of the part: each conversation, then its items, each followed by its attachments."""
    for one in slices:
        group = f"{prefix}C{mark(one.key, one.day, one.piece)}"
        begun = min((item.at for item in one.items), default=0)
        head = Document(group, CONVERSATION, group, "", (), (group, group), one, _keeper(one), begun)
        yield head
        for item in one.items:
            yield from _change(item, head, prefix) if isinstance(item, Came) else _message(item, head, prefix)


def _keeper(one: Slice) -> str:
    party = custodian(one)
    return (party.name or party.id) if party else ""


def _change(item: Came, head: Document, prefix: str) -> Iterator[Document]:
    party = item.party
    id = f"{prefix}P{mark(head.conversation.key, item.at, party.network, party.id, item.joined)}"
    kind = JOIN if item.joined else LEAVE
    yield replace(head, id=id, kind=kind, family=(id, id), at=item.at, item=item)


def _message(line: Line, head: Document, prefix: str) -> Iterator[Document]:
    id = f"{prefix}{line.number:09d}"
    children = tuple(f"{id}.{place:04d}" for place in range(1, len(line.files) + 1))
    family = (id, children[-1] if children else id)
    found = replace(head, id=id, kind=MESSAGE, children=children, family=family, at=said(line), item=line)
    yield found
    for place, file in enumerate(line.files):
        yield replace(
            found, id=children[place], kind=ATTACHMENT, parent=id, children=(), file=file, place=place
        )


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the files of documents are written: folders `natives` and `text`, one inside for each part."""

    request: Request
    out: Output

    def store(self, document: Document) -> Stored:
        """Write native and text of a document; both exist and are closed when this returns."""
        name, part = self._name(document), f"{self.out.part:04d}"
        text = f"text/{part}/{document.id}.txt"
        self._write(text, [self._text(document)])
        if document.file is not None and not document.file.digest:
            return Stored(document, "", text, name)
        path = f"natives/{part}/{name}"
        size, short, long = self._write(path, self._content(document))
        return Stored(document, path, text, name, size, short, long)

    def _write(self, path: str, pieces: Iterable[bytes]) -> tuple[int, str, str]:
        """Write a file; its size, MD5 and SHA-256."""
        size, short, long = 0, md5(usedforsecurity=False), sha256()
        with self.out.file(path) as file:
            for piece in pieces:
                file.write(piece)
                short.update(piece)
                long.update(piece)
                size += len(piece)
        return size, short.hexdigest(), long.hexdigest()

    def _name(self, document: Document) -> str:
        if document.file is None:
            return f"{document.id}.json"
        return f"{document.id}-{safe(document.file.name)}"

    def _content(self, document: Document) -> Iterable[bytes]:
        if document.file is not None:
            return self.out.enclosure(document.file.digest)
        if isinstance(document.item, Line):
            return [native(document.item)]
        if document.item is not None:
            return [native_change(document.item, document.conversation)]
        return [native_slice(document.conversation)]

    def _text(self, document: Document) -> bytes:
        """What people read, and what is indexed: UTF-8 with line ends of Windows, as loaders expect."""
        words = self._words(document)
        return words.replace("\r\n", "\n").replace("\n", "\r\n").encode("utf-8")

    def _words(self, document: Document) -> str:
        if document.file is not None:
            return "" if document.file.digest else spelled(f"Not in the archive: {document.file.missing}\n")
        if document.item is None:
            return heading(self.request, document.conversation).plain
        if document.line is not None and not exact(document.line):
            self.out.warn("spelled", document.line.number, "signs are spelled out; the native is unchanged")
        return told(document.item).plain
