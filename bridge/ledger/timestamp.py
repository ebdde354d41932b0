"""Time stamps of checkpoints: what an authority outside signed about when a note existed (RFC 3161).

Rules of this file: pure. A response proves something only with the authority's certificate below a root that
somebody chose to trust; a certificate has to be valid at the time that is stamped, not now. Reading of ASN.1
and checking of signatures are the library's; what has to agree with what stands here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MEDIA_QUERY = "application/timestamp-query"
MEDIA_REPLY = "application/timestamp-reply"

LARGEST = 64 * 1024
"""Bytes of the largest response that is read: certificates included, they have a few thousand."""

_CAUSES = (re.compile(r'Verify error: ([^"]+)"'), re.compile(r'reason: "([^"]+)"'))
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a response proves: the note existed at `time` (UTC), by the word of the authority `by`."""

    time: datetime
    by: str
    serial: int

    @property
    def at(self) -> int:
        """The time in milliseconds since the Unix epoch."""
        return int(self.time.timestamp() * 1000)


def roots_in(pem: bytes) -> list[Certificate]:
    """The certificates in a PEM file. Raises ValueError when it has none, or one that cannot be read."""
    from cryptography.x509 import load_pem_x509_certificate

    found = [load_pem_x509_certificate(part) for part in _PEM.findall(pem)]
    if not found:
        raise ValueError("has no certificate in PEM")
    return found


def stamped(response: bytes, note: bytes, roots: Sequence[Certificate], nonce: int | None = None) -> Stamp:
    """What `response` proves about `note`, if it answers the question with this `nonce` (None: not asked).

    Raises ValueError saying what is wrong: it is no response, or refuses; is about other bytes; the signature
    is not the authority's; its certificate does not lead to a root, was not valid then, or is not for this.
    """
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    try:
        answer = decode_timestamp_response(response)
    except ValueError as error:
        raise ValueError(f"is no response of a time-stamping authority: {error}") from None
    if answer.status != 0:
        said = ", ".join(answer.status_string) or f"status {answer.status}"
        raise ValueError(f"was refused by the authority: {said}")
    info = answer.tst_info
    imprint = hashlib.sha256(note).digest()
    if info.message_imprint.message != imprint:
        raise ValueError("is about other bytes than this checkpoint")
    if nonce is not None and info.nonce != nonce:
        raise ValueError("answers another question: its nonce is not the one that was sent")
    try:
        VerifierBuilder(roots=list(roots)).build().verify_message(answer, note)
    except (VerificationError, ValueError) as error:
        raise ValueError(f"is not signed by an authority that is trusted here: {_cause(error)}") from None
    by = info.name.value.rfc4514_string() if info.name is not None and hasattr(info.name, "value") else ""
    return Stamp(info.gen_time.astimezone(UTC), by, info.serial_number)


def _cause(error: Exception) -> str:
    """The library's reason out of its stack of errors, or all that it says."""
    found = (cause.search(str(error)) for cause in _CAUSES)
    return next((one[1] for one in found if one), str(error))
