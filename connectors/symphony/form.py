"""The form of message/create: texts in one piece, attachments streamed out of the archive.

Rules of this file: an attachment is never held whole, and is opened again each time the form is written, so
that a repeated request carries the whole file. The form's length is known before it is written, because
gateways in front of an agent dislike chunked requests.

Sources: RFC 7578 (multipart/form-data); HTML standard, "multipart/form-data encoding algorithm" (file names).
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
from collections.abc import Sequence
from typing import Any

import aiohttp

from bridge.errors import StoreError, Unreachable
from bridge.message import Blob
from bridge.ports import Blobs, Lease

_SECRET = secrets.token_bytes(32)
_COUNT = itertools.count()


def _new_boundary() -> str:
    """A boundary that no text can hold on purpose: nobody outside can tell it before it is used (RFC 2046).

    Drawn from one secret, because asking the system for each would hand the interpreter to another thread.
    """
    number = next(_COUNT).to_bytes(8)
    return hashlib.blake2b(number, key=_SECRET, digest_size=16).hexdigest()


class MessageForm(aiohttp.payload.Payload):
    """What `message/create` takes: MessageML, EntityJSON, and attachments.

    `lease` is asked before the last piece is written: without it, nobody takes the form for whole.
    """

    _autoclose = True

    def __init__(
        self, message: str, data: str, files: Sequence[Blob], blobs: Blobs, lease: Lease | None = None
    ) -> None:
        boundary = _new_boundary()
        super().__init__(None, content_type=f"multipart/form-data; boundary={boundary}")
        opening = f"--{boundary}\r\n".encode()
        self._texts = b"".join(opening + _text_part(*part) for part in (("message", message), ("data", data)))
        self._files = [(opening + _file_head(blob), blob) for blob in files]
        self._end = f"--{boundary}--\r\n".encode()
        self._blobs = blobs
        self._lease = lease
        self._failure: StoreError | Unreachable | None = None
        whole = sum(len(head) + blob.size + 2 for head, blob in self._files)
        self._size = len(self._texts) + whole + len(self._end)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Never: a form is streamed."""
        raise TypeError("a form is streamed, never held whole")

    async def write(self, writer: Any) -> None:
        """Write the whole form. Raises StoreError when the archive cannot vouch for an attachment,
        Unreachable when another process may send it."""
        try:
            if self._files:
                await writer.write(self._texts)
            for head, blob in self._files:
                await self._write_file(writer, head, blob)
            if self._lease is not None:
                self._lease.check()
        except (StoreError, Unreachable) as error:
            self._failure = error  # the HTTP library turns it into a broken connection
            raise
        await writer.write(self._end if self._files else self._texts + self._end)

    async def _write_file(self, writer: Any, head: bytes, blob: Blob) -> None:
        await writer.write(head)
        async for piece in self._blobs.read(blob.digest):
            await writer.write(piece)
        await writer.write(b"\r\n")

    def check(self) -> None:
        """Raise what ended the writing, if that is why a request broke off: nobody accepts half a form."""
        if self._failure is not None:
            raise self._failure


def _text_part(name: str, text: str) -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n'
    return f"{head}{text}\r\n".encode()


def _file_head(blob: Blob) -> bytes:
    media_type = blob.media_type if blob.media_type.isascii() and blob.media_type.isprintable() else ""
    return (
        f'Content-Disposition: form-data; name="attachment"; filename="{file_name(blob.name)}"\r\n'
        f"Content-Type: {media_type or 'application/octet-stream'}\r\n\r\n"
    ).encode()


def file_name(name: str) -> str:
    """A name as it stands between the quotes of a form's header: as browsers spell it, and never empty."""
    escaped = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    return "".join(letter if letter.isprintable() else "_" for letter in escaped) or "file"
