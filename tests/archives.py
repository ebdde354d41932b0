"""Records to bring outside, and a mail server to bring them to: real aiosmtpd, TLS by an authority of ours.

Rules of this file: nothing reaches beyond this machine, and nothing of ours is used by the server.
"""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bridge.errors import Refused, Unreachable
from bridge.ports import Acknowledged, Blobs, Lock, Parcel
from bridge.records.copies import FORMS, MEDIA, Enclosed, Fact, Record
from bridge.records.transcript import ADVISOR, CLIENT, Party
from bridge.sinks.naming import name_of

PDF = b"%PDF-1.7 a report"
LI_LEI = Party("weixin", "wmLiLei", "李雷", "wmlilei-82761c6eb1e2@clients.bank.example", CLIENT)
ALICE = Party("symphony", "7001", "Alice Wong", "alice.wong@bank.example", ADVISOR)


def record(number: int = 7, *files: Enclosed, text: str = "你好 Li Lei") -> Record:
    """Something 李雷 wrote, judged."""
    said: dict[str, Any] = {"network": "weixin", "id": f"m{number}", "conversation": "wk/wm", "text": text}
    at, subject = 1_767_600_000_000, f"message/{number}"
    said["sent_at"] = at - 60_000
    facts = (
        Fact(0, 40, at, "message:archived", subject, {"message": number}, "ab"),
        Fact(0, 41, at + 1, "message:judged", subject, {}, "cd", {"reason": "a rule"}),
    )
    about = ("pair/1", "Alice Wong ↔ 李雷", "CN")
    return Record("0123456789abcdef", number, 1, said, b"<raw>", LI_LEI, (ALICE,), facts, files, *about)


def parcel(one: Record, form: str = "native", **more: Any) -> Parcel:
    """The same, as an archive gets it."""
    data = FORMS[form](one)
    return Parcel(one, name_of(one, data, form), data, MEDIA[form], **more)


@dataclass
class Held:
    """`bridge.ports.Blobs` in memory, by the digest of the sealed file."""

    files: Mapping[str, bytes] = field(default_factory=dict)

    async def read(self, digest: str) -> AsyncIterator[bytes]:
        """The bytes, in two pieces."""
        data = self.files[digest]
        yield data[: len(data) // 2]
        yield data[len(data) // 2 :]


async def whole(pieces: AsyncIterator[bytes]) -> bytes:
    """All of it."""
    return b"".join([piece async for piece in pieces])


@dataclass
class Shelf:
    """An archive in memory that locks: what lies there by name, with its lock. `errors` come first; messages
    in `refuses` always get theirs; `coming` is set once something is; locks of what is `locked_away` never
    change, and none while it is `stuck`; a check says why it is `away`."""

    name: str = "records/vault"
    recalls: bool = True
    locks: bool = True
    collected: bool = False
    host: str = ""
    there: dict[str, Parcel] = field(default_factory=dict)
    held: dict[str, bool] = field(default_factory=dict)
    until: dict[str, int] = field(default_factory=dict)
    errors: list[Exception] = field(default_factory=list)
    refuses: dict[int, Exception] = field(default_factory=dict)
    locked_away: set[str] = field(default_factory=set)
    stuck: bool = False
    away: str = ""
    at_once: int = 0
    most: int = 0
    gate: asyncio.Event | None = None
    coming: asyncio.Event = field(default_factory=asyncio.Event)

    async def put(self, parcel: Parcel, blobs: Blobs) -> Acknowledged:
        """Keep it."""
        self.at_once += 1
        self.coming.set()
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.to_thread(str)  # as long as a thread takes
            if self.gate is not None:
                await self.gate.wait()
            if self.errors:
                raise self.errors.pop(0)
            if parcel.record.number in self.refuses:
                raise self.refuses[parcel.record.number]
            self.there[parcel.name] = parcel
            held = parcel.held or parcel.until is None
            self.held[parcel.name], self.until[parcel.name] = held, parcel.until or 0
            return Acknowledged((parcel.name,), "yes", parcel.until or 0, held)
        finally:
            self.at_once -= 1

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """What lies there."""
        if name not in self.there:
            raise Refused("gone", "it is gone")
        yield self.there[name].data

    async def locks_on(self, names: Sequence[str]) -> Sequence[Lock]:
        """What was told."""
        return [Lock(self.until[name], self.held[name]) for name in names] if self.locks else []

    async def hold(self, names: Sequence[str], held: bool) -> None:
        """A flag."""
        self._ask(names)
        self.held |= dict.fromkeys(names, held)

    async def keep_until(self, names: Sequence[str], until: int) -> None:
        """A longer lock."""
        self._ask(names)
        self.until |= dict.fromkeys(names, until)

    def _ask(self, names: Sequence[str]) -> None:
        for name in names:
            if self.stuck or name in self.locked_away:
                raise Unreachable(f"{name} is locked away", certain=False)
            if name not in self.there:
                raise Refused("gone", "it is gone")

    async def try_delete(self) -> str:
        """Refused."""
        return "no"

    async def check(self) -> str:
        """It is there."""
        if self.away:
            raise Unreachable(self.away, certain=False)
        return "there"

    async def close(self) -> None:
        """Nothing to let go of."""


# --- a mail server --------------------------------------------------------------------------------------


@dataclass
class Box:
    """What the server got: envelopes in order, and what it is to answer to the end of the next letters, or to
    their recipients."""

    letters: list[Any] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    to_recipients: list[str] = field(default_factory=list)
    port: int = 0
    ca: Path = Path()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        """Somebody is to get a letter."""
        if self.to_recipients:
            return self.to_recipients.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """A letter came whole."""
        answer = self.answers.pop(0) if self.answers else ""
        if answer.startswith("lost"):
            self.letters.append(envelope)
            server.transport.abort()
            return "250 never heard"
        if answer:
            return answer
        self.letters.append(envelope)
        return f"250 OK queued as Q{len(self.letters)}"


def certificates(folder: Path) -> tuple[Path, Path]:
    """The authority's certificate, and chain with key of a server on 127.0.0.1."""
    key, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)

    def made(name: str, of: Any, issuer: str, by: Any, ca: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
            .public_key(of.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        )
        return builder.sign(by, hashes.SHA256())

    authority = made("a test authority", key, "a test authority", key, ca=True)
    server = made("localhost", own, "a test authority", key, ca=False)
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(authority.public_bytes(pem))
    secret = own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(server.public_bytes(pem) + secret)
    return folder / "ca.pem", folder / "server.pem"


@asynccontextmanager
async def mail_server(folder: Path, *, tls: str = "starttls") -> AsyncIterator[Box]:
    """A mailbox, while it answers."""
    from aiosmtpd.smtp import SMTP

    box = Box()
    box.ca, chain = certificates(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain)
    start = {"tls_context": context, "require_starttls": True} if tls == "starttls" else {}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(box, hostname="localhost", data_size_limit=33_554_432, **start),
        "localhost",
        0,
        ssl=context if tls == "implicit" else None,
    )
    try:
        box.port = server.sockets[0].getsockname()[1]
        yield box
    finally:
        server.close()
