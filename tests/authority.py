"""A real time-stamping authority for tests: OpenSSL answers, certificates are made on the spot.

Rules of this file: nothing of ours is used. What goes wrong is asked for by name.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SETTINGS = """\
[tsa]
default_tsa = ours
[ours]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
tsa_name = yes
ess_cert_id_alg = sha256
"""
DAY = timedelta(days=1)


def name(text: str) -> x509.Name:
    """A name for a certificate."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """Certificates in `folder`: a root, and below it a signer that may stamp time, valid until `ends`."""

    def __init__(self, folder: Path, *, ends: timedelta = DAY) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.roots = folder, folder / "roots.pem"
        self.answer: Callable[[bytes], web.Response] = self.stamps
        self.asked = 0
        now = datetime.now(UTC)
        root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root = self._certificate("Test root", "Test root", root_key.public_key(), now + 9 * DAY)
        root = root.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.roots.write_bytes(root.sign(root_key, hashes.SHA256()).public_bytes(Encoding.PEM))
        signer = self._certificate("Test authority", "Test root", key.public_key(), now + ends)
        use = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        signer = signer.add_extension(use, critical=True)
        (folder / "tsa.pem").write_bytes(signer.sign(root_key, hashes.SHA256()).public_bytes(Encoding.PEM))
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "tsa.key").write_bytes(private)
        (folder / "serial").write_text("01\n")
        (folder / "settings").write_text(SETTINGS.format(folder=folder))

    def _certificate(
        self, subject: str, issuer: str, key: ec.EllipticCurvePublicKey, until: datetime
    ) -> x509.CertificateBuilder:
        begin = datetime.now(UTC) - 9 * DAY
        made = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer)).public_key(key)
        made = made.serial_number(x509.random_serial_number())
        return made.not_valid_before(begin).not_valid_after(until)

    def reply(self, query: bytes) -> bytes:
        """What OpenSSL answers to a request."""
        (self.folder / "query").write_bytes(query)
        words = ["openssl", "ts", "-reply", "-config", "settings", "-queryfile", "query", "-out", "reply"]
        subprocess.run(words, cwd=self.folder, check=True, capture_output=True)
        return (self.folder / "reply").read_bytes()

    def stamps(self, query: bytes) -> web.Response:
        """The answer to a request, as HTTP."""
        return web.Response(body=self.reply(query), content_type="application/timestamp-reply")

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """The address of the authority, while it answers."""

        async def answer(request: web.Request) -> web.Response:
            self.asked += 1
            assert request.content_type == "application/timestamp-query"
            return await asyncio.to_thread(self.answer, await request.read())

        app = web.Application()
        app.router.add_post("/tsr", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/tsr"
        finally:
            await runner.cleanup()
