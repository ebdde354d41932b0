"""How content is sealed at rest: the bytes of an envelope, of a wrapped key and of a sealed file.

Rules of this file: pure, and versioned. What was sealed once must open for ever, so nothing here may change
what version 1 means; a change gets a new number (`tests/vectors/sealed-v1.json` has old bytes that open).

    part      01 | AES-256-GCM of the part under the record's data key
    data key  01 | number of the store key, 4 bytes | nonce, 12 bytes | AES-256-GCM of 32 bytes under that key
    file      "WBF" 01 | pieces of 256 KiB, each AES-256-GCM under the file's data key

Every record has a random data key of its own, which seals each of its parts once: the nonce of a part is its
number. Pieces of a file count in their nonces, and the last is marked, so that none can be left out, moved or
cut off (the STREAM construction: Hoang, Reyhanitabar, Rogaway and Vizár, CRYPTO 2015). What is authenticated
beside the bytes says where they belong: version, installation, lane, place in the lane, part.
"""

from __future__ import annotations

import hmac
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = 1

KEY_BYTES = 32
NONCE_BYTES = 12
_TAG_BYTES = 16
_TOKEN_BYTES = 16

BODY, RAW, PAIR = 0, 1, 2
"""The parts of a record: what it says, the network's own bytes, the names of a pair."""

PART_OVERHEAD = 1 + _TAG_BYTES
"""Bytes that a sealed part has more than what it seals."""

WRAPPED_BYTES = 1 + 4 + NONCE_BYTES + KEY_BYTES + _TAG_BYTES
"""Length of a wrapped data key."""

PIECE = 256 * 1024
"""Bytes of an attachment that are sealed together."""

FILE_MARK = b"WBF" + bytes([VERSION])

_NONCES = tuple(part.to_bytes(NONCE_BYTES, "big") for part in range(3))
_BYTE = bytes([VERSION])
_PARTS = tuple(b"/%d" % part for part in range(3))


class Broken(ValueError):
    """What is to be opened was changed, belongs elsewhere, or was sealed by another key."""


def seal(key: AESGCM, belongs: bytes, part: int, plain: bytes) -> bytes:
    """`plain` as the sealed `part` of a record; nothing stays nothing. `belongs` is of `place`."""
    if not plain:
        return b""
    return _BYTE + key.encrypt(_NONCES[part], plain, b"%b/%d" % (belongs, part))


def unseal(key: AESGCM, belongs: bytes, part: int, sealed: bytes) -> bytes:
    """The part that was sealed. Raises Broken."""
    if not sealed:
        return b""
    if sealed[0] != VERSION:
        raise Broken(f"an envelope of version {sealed[0]}, which is not known here")
    try:
        return key.decrypt(_NONCES[part], sealed[1:], b"%b/%d" % (belongs, part))
    except InvalidTag:
        raise Broken("the envelope was changed, or is not of this place") from None


def place(installation: bytes, lane: int, seq: int) -> bytes:
    """Where a record belongs, as it is authenticated with everything that is sealed of it."""
    return b"weighbridge/1/%b/%d/%d" % (installation, lane, seq)


def place_of_file(installation: bytes, digest: str) -> bytes:
    """The same, for the key of an attachment."""
    return b"weighbridge/1/%b/file/%b" % (installation, digest.encode())


def wrap(store_key: AESGCM, number: int, belongs: bytes, nonce: bytes, data_key: bytes) -> bytes:
    """A data key, sealed by the store key `number`; `nonce` is 12 random bytes."""
    return b"\1%b%b%b" % (number.to_bytes(4, "big"), nonce, store_key.encrypt(nonce, data_key, belongs))


def wrapped_by(wrapped: bytes) -> int:
    """The number of the store key that a data key is wrapped by. Raises Broken."""
    if len(wrapped) != WRAPPED_BYTES or wrapped[0] != VERSION:
        raise Broken("not a wrapped key of a version known here")
    return int.from_bytes(wrapped[1:5], "big")


def unwrap(store_key: AESGCM, belongs: bytes, wrapped: bytes) -> bytes:
    """The data key. Raises Broken."""
    try:
        return store_key.decrypt(wrapped[5:17], wrapped[17:], belongs)
    except InvalidTag:
        raise Broken(
            "the wrapped key was changed, is not of this place, or the store key is another"
        ) from None


def unsealed(store_key: AESGCM, belongs: bytes, wrapped: bytes, part: int, sealed: bytes) -> bytes:
    """What `unwrap` and `unseal` give one after the other, in as few steps as may be: a search opens
    thousands. Raises Broken."""
    try:
        key = AESGCM(store_key.decrypt(wrapped[5:17], wrapped[17:], belongs))
        if sealed.startswith(_BYTE):
            return key.decrypt(_NONCES[part], sealed[1:], belongs + _PARTS[part])
    except InvalidTag:
        key = AESGCM(unwrap(store_key, belongs, wrapped))  # says so when it is the key that is wrong
    return unseal(key, belongs, part, sealed)


def seal_piece(key: AESGCM, number: int, *, last: bool, plain: bytes) -> bytes:
    """One piece of a file; every one but the last is `PIECE` bytes long."""
    return key.encrypt(_piece_nonce(number, last), plain, FILE_MARK)


def unseal_piece(key: AESGCM, number: int, *, last: bool, sealed: bytes) -> bytes:
    """The piece that was sealed. Raises Broken."""
    try:
        return key.decrypt(_piece_nonce(number, last), sealed, FILE_MARK)
    except InvalidTag:
        raise Broken("the file was changed, cut off, or sealed by another key") from None


def token(key: bytes, address: str) -> str:
    """A word for `address`: the same each time, and saying nothing to whoever has no `key`."""
    return hmac.digest(key, address.encode(), "sha256")[:_TOKEN_BYTES].hex()


def bound(
    key: bytes, permit: str, message: int, archived: int, judged: int, marks: str, network: str, chat: str
) -> str:
    """A seal over what a permit stands for: a message, where in the ledger it was archived and judged, its
    marks, and the chat that it goes to. Nobody makes one without `key`. Keyed BLAKE2b (RFC 7693): every
    delivery asks for it, and an HMAC would take twice the time."""
    # The chat stands last: whatever is in it, it is in nobody else's place.
    parts = f"{permit}\0{message}\0{archived}\0{judged}\0{marks}\0{network}\0{chat}"
    return blake2b(parts.encode(), digest_size=_TOKEN_BYTES, key=key, person=b"weighbridge/p/1").hexdigest()


def enclosed(key: bytes, permit: str, files: str) -> str:
    """A seal over the attachments that go out with what a permit stands for; as `bound`."""
    parts = f"{permit}\0{files}"
    return blake2b(parts.encode(), digest_size=_TOKEN_BYTES, key=key, person=b"weighbridge/p/2").hexdigest()


def search_key(key: bytes, installation: bytes, part: str) -> bytes:
    """The key of the words in one `part` of the search index: 32 bytes, another for each part and
    installation, so that equal words of two parts do not look alike."""
    return hmac.digest(key, b"weighbridge/search/1/%b/%b" % (installation, part.encode()), "sha256")


def word_token(key: bytes, word: str) -> str:
    """What stands for `word` in the search index under `key` of its part: 10 characters of [0-9a-f].

    Keyed BLAKE2b (RFC 7693), cut to 40 bits: that two words share a token costs a look at a message too many.
    """
    return blake2b(word.encode("utf-8", "replace"), digest_size=5, key=key).hexdigest()


def _piece_nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(NONCE_BYTES - 1, "big") + (b"\1" if last else b"\0")


SEALED_PIECE = PIECE + _TAG_BYTES


def sealed_size(size: int) -> int:
    """The length of the sealed file of an attachment of `size` bytes; an empty one is one empty piece."""
    pieces = max(1, -(-size // PIECE))
    return len(FILE_MARK) + size + pieces * _TAG_BYTES
