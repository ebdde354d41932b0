"""Checkpoints: the root of a lane's tree, signed, in a form that others can read and check.

Rules of this file: pure, and frozen by what it follows: C2SP signed-note (v1.0.0) around C2SP
tlog-checkpoint, signed with Ed25519 (RFC 8032). Reading is strict: what has two readings has none here.
A key is 32 bytes that somebody else drew; nothing here rolls dice.

    weighbridge/5b1c4e1a0c77d2e9/0            origin: which log; one for each lane
    278                                       size: how many entries
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA...    root hash over them, base64

    — weighbridge/5b1c4e1a0c77d2e9/0 Az3grlgtzPICa5...    who signed: the key's name, its id and signature

Checkpoints say nothing of time: the place where one was left says when it was there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
"""The signature type of C2SP signed-note that is signed and verified here."""

MOST_SIGNATURES = 100
"""More signature lines than that are refused; the standard asks for 16 at least."""

_KEY_BYTES = 32
_ROOT_BYTES = 32
_ID_BYTES = 4
_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_SIGNATURE = re.compile(r"— ([^\s+]+) (\S+)")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_PRIVATE = "PRIVATE+KEY+"


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key with its name: what somebody needs who does not trust us. `public` is 32 bytes."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """Four bytes by which signature lines name this key."""
        return _key_id(self.name, self.public)

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_b64(ED25519 + self.public)}"

    def accepts(self, text: str, signature: bytes) -> bool:
        """Whether `signature` is this key's on `text`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key with the name of an installation; each lane's log is signed as "name/lane"."""

    name: str
    seed: bytes

    def __repr__(self) -> str:
        return f"Signer({self.name!r}, ***)"

    def origin(self, lane: int) -> str:
        """The name of a lane's log, and of the key that signs it."""
        return f"{self.name}/{lane}"

    def verifier(self, lane: int) -> Verifier:
        """The public half, as it signs `lane`."""
        return Verifier(self.origin(lane), self._key().public_key().public_bytes_raw())

    def sign(self, lane: int, size: int, root: bytes) -> str:
        """The signed checkpoint of a lane's tree."""
        return self.note(lane, Checkpoint(self.origin(lane), size, root).text())

    def note(self, lane: int, text: str) -> str:
        """A signed note around `text`, which ends with a line break and must not read as a checkpoint."""
        key = self.verifier(lane).id
        return f"{text}\n— {self.origin(lane)} {_b64(key + self._key().sign(text.encode()))}\n"

    def secret(self) -> str:
        """Both in one line, for a file that nobody else reads (the form of Go's sumdb/note)."""
        public = self._key().public_key().public_bytes_raw()
        return f"{_PRIVATE}{self.name}+{_key_id(self.name, public).hex()}+{_b64(ED25519 + self.seed)}"

    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says: the log's `origin`, and `root` over its first `size` entries."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The signed text (C2SP tlog-checkpoint)."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, _b64(self.root), *self.extensions))


# --- keys -----------------------------------------------------------------------------------------------


def signer_from(secret: str) -> Signer:
    """The key that `Signer.secret` wrote. Raises ValueError, which never repeats the secret."""
    if not secret.startswith(_PRIVATE):
        raise ValueError(f"is no signing key: it does not begin with {_PRIVATE}")
    name, key, seed = _key_parts(secret.removeprefix(_PRIVATE))
    signer = Signer(name, seed)
    if _key_id(name, signer.verifier(0).public) != key:
        raise ValueError("is damaged: name, id and key do not belong together")
    return signer


def verifier_from(text: str) -> Verifier:
    """The key of a line "name+id+key" (C2SP verifier key). Raises ValueError saying what is wrong."""
    verifier = Verifier(*_key_parts(text)[::2])
    if verifier.id != _key_parts(text)[1]:
        raise ValueError("is damaged: name, id and key do not belong together")
    return verifier


def _key_parts(text: str) -> tuple[str, bytes, bytes]:
    # The key itself is base64, which has "+" among its letters: only the first two separate.
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    if not _NAME.fullmatch(name) or not re.fullmatch("[0-9a-f]{8}", key_id):
        raise ValueError('is no key: it is written "name+id+key", id as 8 digits of 0-9 and a-f')
    key = _bytes(encoded)
    if key[:1] != ED25519 or len(key) != 1 + _KEY_BYTES:
        raise ValueError("is no Ed25519 key: 33 bytes were expected, the first of them 01")
    return name, bytes.fromhex(key_id), key[1:]


def _key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:_ID_BYTES]


# --- checkpoints ----------------------------------------------------------------------------------------


def read(note: str) -> Checkpoint:
    """What a note says, whoever signed it or not. Raises ValueError when it is no checkpoint."""
    return _checkpoint(_parted(note)[0])


def verified(note: str, verifiers: Iterable[Verifier]) -> Checkpoint:
    """What a note says, signed by one of these keys.

    Signatures of keys that are not known are passed over; one of a known key that does not fit refuses the
    whole note (C2SP signed-note, "Signatures"). Raises ValueError saying what is wrong.
    """
    text, signatures = _parted(note)
    checkpoint = _checkpoint(text)
    _require_signature(text, signatures, verifiers)
    return checkpoint


def opened_note(note: str, verifiers: Iterable[Verifier]) -> str:
    """The text of a note that one of these keys signed, whatever it says. Raises ValueError as `verified`."""
    text, signatures = _parted(note)
    _require_signature(text, signatures, verifiers)
    return text


def _require_signature(
    text: str, signatures: Iterable[tuple[str, bytes]], verifiers: Iterable[Verifier]
) -> None:
    known = {(one.name, one.id): one for one in verifiers}
    found = [(known[name, data[:4]], data[4:]) for name, data in signatures if (name, data[:4]) in known]
    if not found:
        raise ValueError("is not signed by a key that is known here")
    if not all(verifier.accepts(text, signature) for verifier, signature in found):
        raise ValueError("does not have the signature that it claims: it was changed, or forged")


def _parted(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The signed text and the signature lines below it, as (name, id and signature)."""
    text, blank, below = note.rpartition("\n\n")
    if not blank or not note.endswith("\n"):
        raise ValueError("is no signed note: text, an empty line and signature lines were expected")
    if any(character < " " and character != "\n" for character in note):
        raise ValueError("is no signed note: it has control characters")
    lines = below[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise ValueError(f"has more than {MOST_SIGNATURES} signatures")
    return text + "\n", [_signature(line) for line in lines]


def _signature(line: str) -> tuple[str, bytes]:
    found = _SIGNATURE.fullmatch(line)
    data = _bytes(found[2]) if found else b""
    if not found or len(data) <= _ID_BYTES:
        raise ValueError('has a line below the text that is no signature: "— name base64"')
    return found[1], data


def _checkpoint(text: str) -> Checkpoint:
    lines = text[:-1].split("\n")
    if len(lines) < 3 or not all(lines):
        raise ValueError("is no checkpoint: origin, size and root were expected, each on a line")
    origin, size, root, *extensions = lines
    if not _SIZE.fullmatch(size):
        raise ValueError("is no checkpoint: its second line is no number of entries")
    if len(_bytes(root)) != _ROOT_BYTES:
        raise ValueError("is no checkpoint: its third line is no root hash of 32 bytes")
    return Checkpoint(origin, int(size), _bytes(root), tuple(extensions))


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    """Base64 in its one standard form (RFC 4648, section 4): no other alphabet, no stray bits."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or _b64(data) != text:
        raise ValueError("has base64 that is not in its one standard form")
    return data
