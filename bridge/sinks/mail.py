"""Copies to an archive's mailbox by SMTP, as journaling does it.

Rules of this file: one letter a record, one recipient a letter, over TLS with a checked certificate. A letter
is kept once the server said 250 to its end, and its answer, with the queue's id in it, is the receipt. Its
Message-ID is always the same, so a repetition after a lost answer is known as one. What is larger than the
server takes is refused, never cut; a mailbox cannot be read back, which the checks say. What a server says
before a letter was begun is never about the letter; what it says for good to one may be about all of them.

Sources: RFC 5321 (transactions, replies), RFC 1870 (SIZE), RFC 3207 (STARTTLS), RFC 8314 (implicit TLS), RFC
4954.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.errors import Refused, Unreachable
from bridge.ports import DECLINED, Acknowledged, Blobs, Lock, Parcel
from bridge.records.copies import letter, message_id
from bridge.records.exports.mime import larger

if TYPE_CHECKING:
    from aiosmtplib import SMTP

_NOT_LET_IN = (530, 534, 535, 538)
"""Replies to somebody who has not signed in as the server wants it (RFC 4954)."""


@dataclass(frozen=True, slots=True)
class MailBox:
    """Where letters go. `tls` is "starttls" or "implicit"; `largest` is in bytes; `context` checks the
    server's certificate; user name and password are "" where the server asks for none."""

    host: str
    port: int
    archive: str
    sender: str
    tls: str
    context: ssl.SSLContext
    largest: int
    username: str = ""
    password: str = ""
    seconds: float = 60.0


class MailSink:
    """`bridge.ports.Sink` on a mailbox: one connection, which is kept open between letters."""

    recalls, locks, collected, host = False, False, False, ""

    def __init__(self, name: str, box: MailBox) -> None:
        self.name, self.box = name, box
        self._client: SMTP | None = None
        self._turn = asyncio.Lock()

    async def put(self, parcel: Parcel, blobs: Blobs) -> Acknowledged:
        """See `bridge.ports.Sink`. One letter is in memory at a time, however many wait for their turn."""
        async with self._turn:
            there = [file.there for file in parcel.record.files]
            frame = await self._written(parcel, [b"" if one else None for one in there])
            inside = sum(larger(max(file.size, 0)) for file in parcel.record.files if file.there)
            self._fit(len(frame) + inside)  # before any of them is read
            data = await self._written(parcel, await self._files(parcel, blobs)) if any(there) else frame
            self._fit(len(data))
            answer = await self._send(data)
        return Acknowledged((message_id(parcel.record),), answer)

    async def _written(self, parcel: Parcel, files: Sequence[bytes | None]) -> bytes:
        return await asyncio.to_thread(letter, parcel.record, files, self.box.sender, self.box.archive)

    async def _files(self, parcel: Parcel, blobs: Blobs) -> list[bytes | None]:
        """The attachments, whole in memory."""
        return [
            b"".join([piece async for piece in blobs.read(file.sealed)]) if file.there else None
            for file in parcel.record.files
        ]

    def _fit(self, size: int) -> None:
        """Raises Refused where a letter of so many bytes is more than the server takes."""
        if size > self.box.largest:
            told = f"{self.name}: a letter of {size} bytes, and {self.box.largest} are taken"
            raise Refused("too-large", told)

    async def _send(self, data: bytes) -> str:
        from aiosmtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException

        client = await self._connected()
        try:
            _, answer = await client.sendmail(self.box.sender, [self.box.archive], data)
        except SMTPRecipientsRefused as error:  # 552 here is a mailbox that is full
            await self._hang_up()
            raise self._answered(error.recipients[0].code) from None
        except SMTPResponseException as error:
            await self._hang_up()
            if error.code == 552:
                raise Refused("too-large", f"{self.name}: the server takes no letter of this size") from None
            raise self._answered(error.code) from None
        except (SMTPException, OSError, ValueError) as error:
            await self._hang_up()
            raise self._away(error) from None
        return " ".join(answer.split())[:500]

    def _answered(self, code: int) -> Refused | Unreachable:
        """What a reply to a letter means. 5xx is for good, but not for sure about this letter alone."""
        if code in _NOT_LET_IN or code < 500:
            return self._unwelcome(code)
        return Refused(DECLINED, f"{self.name}: the server refused the letter ({code})")

    def _unwelcome(self, code: int) -> Unreachable:
        """What a reply means that is about us, not about a letter."""
        if code in _NOT_LET_IN:
            told = "does not accept user name and password: see [archives] in the settings"
            return Unreachable(f"{self.name}: the server {told}", certain=True)
        return Unreachable(f"{self.name}: the server answers {code}", certain=False)

    def _away(self, error: Exception) -> Unreachable:
        if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
            told = "its certificate is not one to trust: see `mail_ca_file` in the settings"
        else:
            told = f"it cannot be reached ({type(error).__name__})"
        return Unreachable(f"{self.name} at {self.box.host}:{self.box.port}: {told}", certain=False)

    async def _connected(self) -> SMTP:
        from aiosmtplib import SMTP, SMTPException, SMTPResponseException

        if self._client is not None and self._client.is_connected:
            return self._client
        box = self.box
        client = SMTP(
            hostname=box.host,
            port=box.port,
            timeout=box.seconds,
            use_tls=box.tls == "implicit",
            start_tls=box.tls != "implicit",
            tls_context=box.context,
            username=box.username or None,
            password=box.password or None,
        )
        try:
            await client.connect()
        except SMTPResponseException as error:
            raise self._unwelcome(error.code) from None
        except (SMTPException, OSError, ValueError) as error:
            raise self._away(error) from None
        self._client = client
        return client

    async def _hang_up(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def read(self, name: str) -> AsyncIterator[bytes]:
        """See `bridge.ports.Sink`: a mailbox gives nothing back."""
        raise Refused("unreadable", f"{self.name}: a mailbox cannot be read back ({name})")

    async def locks_on(self, names: Sequence[str]) -> Sequence[Lock]:
        """See `bridge.ports.Sink`: what a mailbox keeps is its own."""
        return ()

    async def hold(self, names: Sequence[str], held: bool) -> None:
        """See `bridge.ports.Sink`: what a mailbox keeps is its own."""

    async def keep_until(self, names: Sequence[str], until: int) -> None:
        """See `bridge.ports.Sink`: what a mailbox keeps is its own."""

    async def try_delete(self) -> str:
        """See `bridge.ports.Sink`."""
        raise Refused("not-locked", f"{self.name}: whether a mailbox locks cannot be seen from here")

    async def check(self) -> str:
        """See `bridge.ports.Sink`. A connection, with its TLS and sign-in; no letter."""
        from aiosmtplib import SMTPException, SMTPResponseException

        async with self._turn:
            client = await self._connected()
            try:
                await client.noop()
            except SMTPResponseException as error:
                raise self._unwelcome(error.code) from None
            except (SMTPException, OSError) as error:
                raise self._away(error) from None
            finally:
                await self._hang_up()
        return f"takes letters, over TLS ({self.box.tls})"

    async def close(self) -> None:
        """See `bridge.ports.Sink`."""
        await self._hang_up()
