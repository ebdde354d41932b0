"""EDRM XML 1.2, or 1.1 for importers that stayed there: documents, their files, tags and families.

Rules of this file: pure. Elements as the format's documentation names them (EDRM XML interchange format,
schema of 31 October 2010); values of documents are tags, which both versions have, under the names that the
format fixes with "#" and, for what it has no name for, ours without. 1.2 declares each of them as a field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bridge.records.exports.choices import prefix, word
from bridge.records.exports.docset import ATTACHMENT, MESSAGE, Document, Shelf, Stored, documents
from bridge.records.exports.legible import FORBIDDEN, altered
from bridge.records.exports.markup import Markup
from bridge.records.exports.mime import mailbox_text
from bridge.records.exports.telling import remarks, seen, utc
from bridge.records.transcript import Output, Request, Slice

FIELDS: Mapping[str, str] = {
    "#Subject": "Text",
    "#From": "Text",
    "#To": "Text",
    "#DateSent": "DateTime",
    "#FileName": "Text",
    "#FileSize": "LongInteger",
    "#HasAttachments": "Boolean",
    "#AttachmentCount": "LongInteger",
    "#AttachmentNames": "Text",
    "Kind": "Text",
    "Conversation": "Text",
    "ConversationTitle": "Text",
    "ConversationDay": "Text",
    "ConversationDocument": "Text",
    "Network": "Text",
    "SourceId": "Text",
    "Message": "Text",
    "Sent": "Text",
    "Seen": "Text",
    "Remarks": "Text",
    "Missing": "Text",
    "SHA-256": "Text",
}
"""Every tag that is used, with its type, in the order in which a document has them."""

_VERSIONS = ("1.2", "1.1")


class Edrm:
    """See `bridge.records.transcript.Format`."""

    name = "edrm"

    def write(
        self, request: Request, slices: Sequence[Slice], options: Mapping[str, object], out: Output
    ) -> None:
        """One load file, and the files of its documents. Raises ConfigError for an unknown version."""
        version = word(options, "version", _VERSIONS)
        shelf = Shelf(request, out)
        with out.file(f"edrm-{out.part:04d}.xml") as file:
            load = _Load(Markup(file), shelf, prefix(options))
            with load.markup.within("Root", _root(version)):
                if version == "1.2":
                    load.fields()
                with load.markup.within("Batch", {"Name": f"weighbridge-{out.part:04d}"}):
                    load.batch(slices)


def _root(version: str) -> dict[str, str]:
    major, minor = version.split(".")
    return {
        "MajorVersion": major,
        "MinorVersion": minor,
        "Description": "weighbridge export",
        "Locale": "US",
        "DataInterchangeType": "Update",
    }


class _Load:
    """The load file that is being written."""

    def __init__(self, markup: Markup, shelf: Shelf, prefix: str) -> None:
        self.markup = markup
        self._shelf = shelf
        self._prefix = prefix

    def fields(self) -> None:
        """Declare every tag."""
        with self.markup.within("Fields"):
            for name, kind in FIELDS.items():
                self.markup.leaf("Field", attributes={"Key": name, "Name": name, "DataType": kind})

    def batch(self, slices: Sequence[Slice]) -> None:
        """All documents, then who belongs to whom."""
        with self.markup.within("Documents"):
            for document in documents(slices, self._prefix):
                self._document(self._shelf.store(document))
        with self.markup.within("Relationships"):
            for document in documents(slices, self._prefix):
                self._belongs(document)

    def _belongs(self, document: Document) -> None:
        kind, parent = "Attachment", document.parent
        if not parent:
            kind, parent = "Container", document.group
        if parent != document.id:
            ends = {"Type": kind, "ParentDocId": parent, "ChildDocId": document.id}
            self.markup.leaf("Relationship", attributes=ends)

    def _document(self, stored: Stored) -> None:
        document = stored.document
        kind = "Message" if document.kind == MESSAGE else "File"
        media = document.file.media if document.file else "application/json"
        with self.markup.within("Document", {"DocID": document.id, "DocType": kind, "MimeType": media}):
            with self.markup.within("Files"):
                self._files(stored)
            with self.markup.within("Locations"), self.markup.within("Location"):
                self.markup.leaf("Custodian", document.custodian)
                self.markup.leaf("LocationURI", document.conversation.key)
            with self.markup.within("Tags"):
                self._tags(stored)

    def _files(self, stored: Stored) -> None:
        if stored.native:
            digests = {"FileSize": str(stored.size), "Hash": stored.md5, "HashType": "MD5"}
            self._file("Native", stored.native, digests)
        self._file("Text", stored.text, {})

    def _file(self, kind: str, path: str, more: Mapping[str, str]) -> None:
        folder, _, name = path.rpartition("/")
        with self.markup.within("File", {"FileType": kind}):
            self.markup.leaf("ExternalFile", attributes={"FilePath": folder, "FileName": name, **more})

    def _tags(self, stored: Stored) -> None:
        values = dict(_values(stored))
        line = stored.document.line
        if line and stored.document.kind == MESSAGE and altered(line.text + line.sent, FORBIDDEN):
            self._shelf.out.warn("xml", line.number, "signs that XML cannot write; the native is unchanged")
        for name, kind in FIELDS.items():
            if values.get(name):
                tag = {"TagName": name, "TagDataType": kind, "TagValue": values[name]}
                self.markup.leaf("Tag", attributes=tag)


def _values(stored: Stored) -> Iterator[tuple[str, str]]:
    document, author = stored.document, stored.document.author
    yield "#Subject", document.subject
    yield "#From", mailbox_text(author.name, author.address) if author else ""
    yield "#To", "; ".join(mailbox_text(one.name, one.address) for one in document.readers)
    yield "#DateSent", utc(document.at)
    yield "#FileName", stored.name
    yield "#FileSize", str(stored.size) if stored.native else ""
    yield "SHA-256", stored.sha256
    yield "Kind", document.kind
    yield "Conversation", document.conversation.key
    yield "ConversationTitle", document.conversation.title
    yield "ConversationDay", document.conversation.day.isoformat()
    yield "ConversationDocument", document.group
    if document.kind == ATTACHMENT and document.file is not None:
        yield "Missing", document.file.missing
    elif document.line is not None:
        yield from _message(stored)


def _message(stored: Stored) -> Iterator[tuple[str, str]]:
    line = stored.document.line
    assert line is not None
    yield "#HasAttachments", "true" if line.files else "false"
    yield "#AttachmentCount", str(len(line.files))
    yield "#AttachmentNames", "; ".join(file.name for file in line.files)
    yield "Network", line.network
    yield "SourceId", line.source_id
    yield "Message", line.text
    yield "Sent", line.sent
    yield "Seen", seen(line)
    yield "Remarks", "\n".join(f"{name}: {value}" for name, value in remarks(line) if name != "Sent")


EDRM = Edrm()
