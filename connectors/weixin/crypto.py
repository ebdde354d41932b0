"""WXBizMsgCrypt: the envelope of every WeCom and Weixin callback, in both directions.

Rules of this file: pure (no I/O, no clock, and randomness is an argument), and shared by the connector and
by the mock platform, so it knows nothing of either. Facts come from the vendor's callback documentation and
are pinned by `tests/vectors/weixin.json`:

* AESKey = Base64(EncodingAESKey + "=") is 32 bytes; AES-256-CBC with IV = AESKey[:16];
* plaintext = random(16) + length (uint32, network order) + message + receiveid, PKCS#7 padded to blocks of
  **32**;
* signature = SHA-1 hex of the sorted, concatenated strings token, timestamp, nonce and encrypted text.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass, field
from xml.etree.ElementTree import ParseError

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

SIGNATURE_WRONG = -40001
XML_WRONG = -40002
AES_KEY_WRONG = -40004
RECEIVER_WRONG = -40005
DECRYPT_FAILED = -40007
BUFFER_WRONG = -40008
BASE64_WRONG = -40010

_BLOCK = 32
_RANDOM = 16
_HEAD = _RANDOM + 4


class CryptError(Exception):
    """A callback that cannot be trusted or read.

    `code` is the code of the vendor's library (-40001 signature ... -40010 Base64). The text never holds
    content, keys or signatures.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason} ({code})")
        self.code = code


def signature(token: str, timestamp: str, nonce: str, encrypted: str) -> str:
    """SHA-1 hex over the four strings, sorted and joined: what `msg_signature` must be."""
    joined = "".join(sorted((token, timestamp, nonce, encrypted)))
    return hashlib.sha1(joined.encode(errors="surrogatepass")).hexdigest()


def aes_key(encoding_aes_key: str) -> bytes:
    """The 32 bytes behind a 43-character EncodingAESKey. Raises CryptError -40004."""
    try:
        key = base64.b64decode(encoding_aes_key + "=", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(encoding_aes_key) != 43 or len(key) != 32:
        raise CryptError(
            AES_KEY_WRONG, "EncodingAESKey must be 43 Base64 characters, as shown by the admin console"
        )
    return key


@dataclass(frozen=True)
class CallbackCrypt:
    """One callback configuration: its token, its key and the receiver it is meant for.

    `receiveid` is the corpid for a self-built app, the suiteid for a third-party app, the appid for an
    official account.
    """

    token: str = field(repr=False)
    encoding_aes_key: str = field(repr=False)
    receiveid: str
    _key: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_key", aes_key(self.encoding_aes_key))

    def encrypt(self, message: bytes, random: bytes) -> str:
        """Base64 text of `message`.

        `random` is 16 bytes, fresh for every call; fixed only to reproduce a vector.
        """
        if len(random) != _RANDOM:
            raise CryptError(BUFFER_WRONG, f"{_RANDOM} random bytes are needed")
        plain = random + struct.pack(">I", len(message)) + message + self.receiveid.encode()
        encryptor = self._cipher().encryptor()
        return base64.b64encode(encryptor.update(_pad(plain)) + encryptor.finalize()).decode()

    def decrypt(self, encrypted: str) -> bytes:
        """The message inside. Check the signature first: decryption alone does not authenticate.

        Raises CryptError: -40010 not Base64, -40007 not this key, -40008 lengths do not fit, -40005 another
        receiver.
        """
        padded = self._decipher(_unbase64(encrypted))
        plain = _unpad(padded)
        if len(plain) < _HEAD:
            raise CryptError(BUFFER_WRONG, "decrypted callback is too short")
        end = _HEAD + struct.unpack_from(">I", plain, _RANDOM)[0]
        if end > len(plain):
            raise CryptError(BUFFER_WRONG, "decrypted callback states a length it does not have")
        if not hmac.compare_digest(plain[end:], self.receiveid.encode()):
            raise CryptError(RECEIVER_WRONG, "callback is meant for another corpid")
        return plain[_HEAD:end]

    def check(self, msg_signature: str, timestamp: str, nonce: str, encrypted: str) -> None:
        """Raises CryptError -40001 unless the signature fits; compares in constant time."""
        expected = signature(self.token, timestamp, nonce, encrypted)
        if not hmac.compare_digest(expected.encode(), msg_signature.encode(errors="surrogatepass")):
            raise CryptError(
                SIGNATURE_WRONG, "callback signature does not fit its token, time, nonce and text"
            )

    def verify_url(self, msg_signature: str, timestamp: str, nonce: str, echostr: str) -> bytes:
        """What the verification GET wants as the whole response body: no quotes, BOM or newline."""
        self.check(msg_signature, timestamp, nonce, echostr)
        return self.decrypt(echostr)

    def open(self, body: bytes, msg_signature: str, timestamp: str, nonce: str) -> bytes:
        """Message of a pushed `<xml><Encrypt/>...</xml>` body.

        Raises CryptError; -40002 if the body is no such XML.
        """
        encrypted = _encrypt_element(body)
        self.check(msg_signature, timestamp, nonce, encrypted)
        return self.decrypt(encrypted)

    def seal(self, message: bytes, timestamp: str, nonce: str, random: bytes) -> tuple[str, str]:
        """(encrypted text, its signature): what a push or a passive reply carries."""
        encrypted = self.encrypt(message, random)
        return encrypted, signature(self.token, timestamp, nonce, encrypted)

    def _cipher(self) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(self._key), modes.CBC(self._key[:16]))

    def _decipher(self, ciphertext: bytes) -> bytes:
        decryptor = self._cipher().decryptor()
        try:
            return decryptor.update(ciphertext) + decryptor.finalize()
        except ValueError:
            raise CryptError(DECRYPT_FAILED, "ciphertext is no whole number of AES blocks") from None


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise CryptError(BASE64_WRONG, "encrypted text is not Base64") from None


def _pad(plain: bytes) -> bytes:
    count = _BLOCK - len(plain) % _BLOCK
    return plain + bytes([count]) * count


def _unpad(padded: bytes) -> bytes:
    count = padded[-1] if padded else 0
    if not 1 <= count <= _BLOCK or padded[-count:] != bytes([count]) * count:
        raise CryptError(DECRYPT_FAILED, "callback does not decrypt with this EncodingAESKey")
    return padded[:-count]


def _encrypt_element(body: bytes) -> str:
    try:
        text: str | None = fromstring(body, forbid_dtd=True).findtext("Encrypt")
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        text = None
    if not text:
        raise CryptError(XML_WRONG, "callback body is not XML with an Encrypt element")
    return text
