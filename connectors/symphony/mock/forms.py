"""Reading multipart forms: parts in any order, files to disk.

A small body is read at once and cut at its boundaries: a text message is 600 bytes and a load test sends
thousands a second. A large one is streamed part by part, so that an attachment is never in memory whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from aiohttp import (
    BodyPartReader,
    MultipartReader,
    content_disposition_filename,
    hdrs,
    parse_content_disposition,
    web,
)

from connectors.symphony.mock.directory import StoredFile
from connectors.symphony.mock.world import MAX_ATTACHMENT_BYTES, Refusal

SMALL_BODY = 256 * 1024
"""Bodies up to this many bytes are read at once."""
CHUNK = 64 * 1024
TEXT_PART_LIMIT = 4_000_000
"""Text parts beyond this are cut off: the size check then refuses them."""
FILE_PARTS = frozenset(("attachment", "preview"))

NewFile = Callable[[str, str], StoredFile]
"""Makes an empty file on disk for a name and a media type."""


@dataclass
class Form:
    """The parts of a multipart body: texts by name, files in order with their part's name."""

    texts: dict[str, str] = field(default_factory=dict)
    files: list[tuple[str, StoredFile]] = field(default_factory=list)

    def attachments(self) -> list[StoredFile]:
        """The files of the `attachment` parts."""
        return [file for part, file in self.files if part == "attachment"]

    def discard(self) -> None:
        """Remove the files from disk: the message was refused."""
        for _, file in self.files:
            file.path.unlink(missing_ok=True)


async def read_form(request: web.BaseRequest, new_file: NewFile) -> Form:
    """The form of a request. Raises Refusal 400 for another media type, a broken body, too many bytes."""
    media_type = _media_type(request)
    if not media_type.startswith("multipart/"):
        raise Refusal(400, f"Content type {media_type!r} is not multipart/form-data")
    small = request.content_length is not None and request.content_length <= SMALL_BODY
    form = (
        _cut(await request.read(), _boundary(request), new_file)
        if small
        else await _stream(request, new_file)
    )
    if sum(file.size for _, file in form.files) > MAX_ATTACHMENT_BYTES:
        form.discard()
        raise Refusal(400, f"The attachments are larger than {MAX_ATTACHMENT_BYTES} bytes")
    return form


def _media_type(request: web.BaseRequest) -> str:
    # aiohttp's own reading takes 200 µs for a boundary it has not seen, and each request has a new one.
    written = request.headers.get(hdrs.CONTENT_TYPE, "application/octet-stream")
    return written.partition(";")[0].strip().lower()


def _boundary(request: web.BaseRequest) -> bytes:
    for parameter in request.headers[hdrs.CONTENT_TYPE].split(";")[1:]:
        key, _, value = parameter.strip().partition("=")
        if key.lower() == "boundary":
            return value.strip('"').encode()
    raise Refusal(400, "The multipart content type has no boundary")


def _cut(body: bytes, boundary: bytes, new_file: NewFile) -> Form:
    form = Form()
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise Refusal(400, "The multipart body is cut off")
    for piece in pieces[1:-1]:
        head, found, content = piece.partition(b"\r\n\r\n")
        if not found:
            raise Refusal(400, "A part of the multipart body has no header")
        _add(form, _headers(head), content, new_file)
    return form


def _headers(head: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in head.decode("utf-8", "replace").split("\r\n") if line)
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _add(form: Form, headers: dict[str, str], content: bytes, new_file: NewFile) -> None:
    name, filename = _named(headers.get("content-disposition", ""))
    if name in FILE_PARTS:
        if filename or content:
            file = new_file(filename or "unnamed", headers.get("content-type", "application/octet-stream"))
            file.path.write_bytes(content)
            file.size = len(content)
            form.files.append((name, file))
    else:
        form.texts[name] = _text(content)


@lru_cache(maxsize=1024)
def _named(disposition: str) -> tuple[str, str | None]:
    kind, parameters = parse_content_disposition(disposition)
    if kind != "form-data" or "name" not in parameters:
        raise Refusal(400, "A part of the multipart body has no name")
    return parameters["name"], _unquoted(content_disposition_filename(parameters, "filename"))


def _unquoted(filename: str | None) -> str | None:
    """A file name as its sender meant it: a form writes `"` and line ends as %22, %0D, %0A (WHATWG)."""
    return filename and filename.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as fault:
        raise Refusal(400, f"A text part is not UTF-8 at byte {fault.start}") from fault


async def _stream(request: web.BaseRequest, new_file: NewFile) -> Form:
    form = Form()
    try:
        reader = MultipartReader(request.headers, request.content)
        while (part := await reader.next()) is not None:
            if isinstance(part, BodyPartReader):
                await _add_streamed(form, part, new_file)
    except ValueError as fault:
        form.discard()
        raise Refusal(400, f"The multipart body cannot be read: {fault}") from fault
    return form


async def _add_streamed(form: Form, part: BodyPartReader, new_file: NewFile) -> None:
    if part.name not in FILE_PARTS:
        form.texts[part.name or ""] = _text(await _read_text(part))
        return
    file = new_file(
        _unquoted(part.filename) or "unnamed", part.headers.get(hdrs.CONTENT_TYPE, "application/octet-stream")
    )
    form.files.append((part.name or "", file))
    with file.path.open("wb") as disk:
        while chunk := await part.read_chunk(CHUNK):
            file.size += len(chunk)
            if file.size <= MAX_ATTACHMENT_BYTES:
                disk.write(chunk)


async def _read_text(part: BodyPartReader) -> bytes:
    content = bytearray()
    while chunk := await part.read_chunk(CHUNK):
        if len(content) < TEXT_PART_LIMIT:
            content += chunk
    return bytes(content)
