r"""Concordance load file (DAT), with natives and texts. There are no page images, so there is no OPT file,
which lists nothing else.

Rules of this file: pure. Fields stand in þ, between them \x14, a break inside is ®, a row ends with CRLF
(Concordance's own delimiters: 254, 020, 174). None of the three is left inside a value: it is spelled out
there and stays as it was in the native. Which columns there are is a profile; the names of regulators'
columns follow their published guides, and whoever receives the files should be asked all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bridge.records.exports.choices import prefix, text, word
from bridge.records.exports.docset import CONVERSATION, Shelf, Stored, documents
from bridge.records.exports.legible import one_break, spelled
from bridge.records.exports.mime import mailbox_text
from bridge.records.exports.telling import became, decided, delivered, moment, seen, state, utc
from bridge.records.transcript import Line, Output, Request, Slice


@dataclass(frozen=True, slots=True)
class Delimiters:
    """What stands around a value, between values, and for a break inside."""

    quote: str
    field: str
    line: str

    def value(self, text: str) -> str:
        """A value as it stands between delimiters: those inside it are spelled out."""
        broken = one_break(text)
        for sign in (self.quote, self.field, self.line):
            broken = broken.replace(sign, f"⟦U+{ord(sign):04X}⟧")
        return self.quote + spelled(broken).replace("\n", self.line) + self.quote

    def row(self, values: Iterable[str]) -> str:
        """A row with its end."""
        return self.field.join(map(self.value, values)) + "\r\n"

    def inside(self, text: str) -> bool:
        """Whether a delimiter stands in `text`."""
        return any(sign in text for sign in (self.quote, self.field, self.line))


DELIMITERS: Mapping[str, Delimiters] = {
    "concordance": Delimiters("\xfe", "\x14", "\xae"),
    "pipe": Delimiters("^", "|", "~"),
}
"""Concordance's own (254, 020, 174), and those of the Antitrust Division's load file specification."""

ENCODINGS: Mapping[str, tuple[str, bytes]] = {
    "utf-8": ("utf-8", b"\xef\xbb\xbf"),
    "utf-16": ("utf-16-le", b"\xff\xfe"),
}
"""Encodings a loader tells apart by the mark at the beginning of the file."""

Column = Callable[[Stored], str]


def _date(stored: Stored) -> str:
    return f"{moment(stored.document.at):%m/%d/%Y}" if stored.document.at else ""


def _time(stored: Stored) -> str:
    return f"{moment(stored.document.at):%H:%M:%S}" if stored.document.at else ""


def _from(stored: Stored) -> str:
    author = stored.document.author
    return mailbox_text(author.name, author.address) if author else ""


def _path(path: str) -> str:
    return ".\\" + path.replace("/", "\\") if path else ""


def _of(stored: Stored, read: Callable[[Line], str]) -> str:
    """A value of the message that a document is; "" for every other document."""
    line = stored.document.line
    return read(line) if line is not None and stored.document.file is None else ""


def _number(number: int | None) -> str:
    return "" if number is None else f"message/{number}"


def _extension(stored: Stored) -> str:
    stem, _, ending = stored.name.rpartition(".")
    return ending if stem else ""


def _media(stored: Stored) -> str:
    return stored.document.file.media if stored.document.file else "application/json"


VALUES: Mapping[str, Column] = {
    "id": lambda one: one.document.id,
    "kind": lambda one: one.document.kind,
    "group": lambda one: one.document.group,
    "parent": lambda one: one.document.parent,
    "children": lambda one: "; ".join(one.document.children),
    "first": lambda one: one.document.family[0],
    "last": lambda one: one.document.family[1],
    "range": lambda one: " - ".join(one.document.family),
    "pages": lambda one: "1",
    "custodian": lambda one: one.document.custodian,
    "from": _from,
    "to": lambda one: "; ".join(mailbox_text(to.name, to.address) for to in one.document.readers),
    "none": lambda one: "",
    "subject": lambda one: one.document.subject,
    "date": _date,
    "time": _time,
    "zone": lambda one: "UTC",
    "at": lambda one: utc(one.document.at),
    "archived": lambda one: _of(one, lambda line: utc(line.at)),
    "conversation": lambda one: one.document.conversation.key,
    "title": lambda one: one.document.conversation.title,
    "day": lambda one: one.document.conversation.day.isoformat(),
    "present": lambda one: (
        "; ".join(mailbox_text(party.name, party.address) for party in one.document.conversation.present)
        if one.document.kind == CONVERSATION
        else ""
    ),
    "network": lambda one: _of(one, lambda line: line.network),
    "source": lambda one: _of(one, lambda line: line.source_id),
    "state": lambda one: _of(one, state),
    "message": lambda one: _of(one, lambda line: line.text),
    "seen": lambda one: _of(one, seen),
    "sent": lambda one: _of(one, lambda line: line.sent or line.offered),
    "refers": lambda one: _of(one, lambda line: _number(line.earlier)),
    "later": lambda one: _of(one, lambda line: "\n".join(f"{verb} {who}" for verb, who in became(line))),
    "about": lambda one: _of(one, lambda line: _number(line.notice_for)),
    "decisions": lambda one: _of(one, lambda line: "\n".join(map(decided, line.decisions))),
    "deliveries": lambda one: _of(one, lambda line: "\n".join(map(delivered, line.deliveries))),
    "gone": lambda one: _of(one, lambda line: line.gone),
    "missing": lambda one: one.document.file.missing if one.document.file else "",
    "name": lambda one: one.document.file.name if one.document.file else one.name,
    "extension": _extension,
    "media": _media,
    "size": lambda one: str(one.size) if one.native else "",
    "md5": lambda one: one.md5,
    "sha256": lambda one: one.sha256,
    "native": lambda one: _path(one.native),
    "text": lambda one: _path(one.text),
}
"""What a column may hold, by name."""

_WEIGHBRIDGE = (
    "DOCID=id KIND=kind GROUPID=group PARENTID=parent ATTACHIDS=children BEGATTACH=first ENDATTACH=last "
    "CUSTODIAN=custodian FROM=from TO=to SUBJECT=subject SENT=at ARCHIVED=archived CONVERSATION=conversation "
    "TITLE=title DAY=day PRESENT=present NETWORK=network SOURCEID=source STATE=state MESSAGE=message "
    "SEEN=seen SENTTEXT=sent REFERSTO=refers LATER=later ABOUT=about DECISIONS=decisions "
    "DELIVERIES=deliveries GONE=gone MISSING=missing FILENAME=name MIMETYPE=media FILESIZE=size MD5HASH=md5 "
    "SHA256HASH=sha256 NATIVEPATH=native TEXTPATH=text"
)
_DOJ = (
    "COMPANY=company CUSTDIAN=custodian BEGDOC#=id ENDDOC#=id DOCID=id PGCOUNT=pages PARENTID=parent "
    "ATTCHIDS=children FAMLYRNG=range FROM=from TO=to CC=none BCC=none SUBJECT=subject DOCDATE=date "
    "DATESENT=date TIMESENT=time TIMEZONE=zone FILENAME=name FILEEXT=extension FILESIZE=size MIMETYPE=media "
    "THREADID=group RCRDTYPE=kind MD5HASH=md5 SHA256HASH=sha256 NATIVELINK=native TEXTLINK=text"
)
_FTC = (
    "BEGBATES=id ENDBATES=id BEGATTACH=first ENDATTACH=last PARENTID=parent ATTACHIDS=children "
    "CUSTODIAN=custodian FROM=from TO=to CC=none BCC=none SUBJECT=subject DATESENT=date TIMESENT=time "
    "TIMEZONE=zone DOCTYPE=kind FILENAME=name FILESIZE=size MD5HASH=md5 SHA256HASH=sha256 "
    "NATIVEPATH=native TEXTPATH=text"
)
_SEC = (
    "FIRSTBATES=id LASTBATES=id ATTACHRANGE=range BEGATTACH=first ENDATTACH=last PARENT_BATES=parent "
    "CHILD_BATES=children CUSTODIAN=custodian FROM=from TO=to CC=none BCC=none SUBJECT=subject "
    "DATE_SENT=date TIME_SENT=time TIME_ZONE=zone LINK=native MIME_TYPE=media FILE_EXTEN=extension "
    "FILE_NAME=name FILE_SIZE=size PGCOUNT=pages MD5HASH=md5 SHA256HASH=sha256 OCRPATH=text"
)
PROFILES: Mapping[str, tuple[tuple[str, str], ...]] = {
    name: tuple((pair.rpartition("=")[0], pair.rpartition("=")[2]) for pair in table.split())
    for name, table in (("weighbridge", _WEIGHBRIDGE), ("doj", _DOJ), ("ftc", _FTC), ("sec", _SEC))
}
"""Columns by profile: the receiver's name and what stands in it."""


class Dat:
    """See `bridge.records.transcript.Format`."""

    name = "dat"

    def write(
        self, request: Request, slices: Sequence[Slice], options: Mapping[str, object], out: Output
    ) -> None:
        """One volume: load files, natives, texts. Raises ConfigError for a choice that there is not."""
        profile = PROFILES[word(options, "profile", tuple(PROFILES))]
        encoding, mark = ENCODINGS[word(options, "encoding", tuple(ENCODINGS))]
        signs = DELIMITERS[word(options, "delimiters", tuple(DELIMITERS))]
        beginning = prefix(options)
        values = dict(VALUES) | {"company": lambda one: text(options, "company")}
        shelf = Shelf(request, out)
        with out.file(f"data/{beginning}{out.part:04d}.dat") as dat:
            dat.write(mark + signs.row(name for name, _ in profile).encode(encoding))
            for document in documents(slices, beginning):
                stored = shelf.store(document)
                _warn(stored, signs, out)
                dat.write(signs.row(values[source](stored) for _, source in profile).encode(encoding))


def _warn(stored: Stored, signs: Delimiters, out: Output) -> None:
    line = stored.document.line
    if line is not None and stored.document.file is None and signs.inside(line.text + line.sent):
        out.warn("delimiters", line.number, "delimiters in the text are spelled out; the native is unchanged")


DAT = Dat()
