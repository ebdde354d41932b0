"""The callback envelope: pinned by vectors, round for any message, shut for anything touched.

Rules of this file: no network, no clock; the vectors are Tencent's published sample and a reproducible
callback whose bytes two other implementations produced as well (see the note in `tests/vectors/weixin.json`).
"""

import base64
import json
import string
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.weixin import crypto
from connectors.weixin.crypto import CallbackCrypt, CryptError, aes_key, signature

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "weixin.json").read_text())
PUSH = VECTORS["encrypt_kf_callback"]
VERIFY = VECTORS["verify_url"]
KEYS = st.binary(min_size=32, max_size=32).map(lambda raw: base64.b64encode(raw).decode().rstrip("="))
RANDOMS = st.binary(min_size=16, max_size=16)
NAMES = st.text(string.ascii_letters + string.digits, max_size=40)


def sample(receiveid: str | None = None) -> CallbackCrypt:
    """The sample configuration, as another receiver if asked."""
    return CallbackCrypt(PUSH["token"], PUSH["aes"], PUSH["corp"] if receiveid is None else receiveid)


def body_of(encrypted: str) -> bytes:
    """A pushed body."""
    return f"<xml><ToUserName>ww</ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode()


def refused(code: int) -> pytest.RaisesExc[CryptError]:
    """Expect a CryptError with this library code."""
    return pytest.raises(CryptError, match=rf"\({code}\)$")


def test_encryption_reproduces_the_vector_byte_for_byte() -> None:
    """With the vector's random bytes, ciphertext and signature are the vector's."""
    encrypted, signed = sample().seal(
        PUSH["xml"].encode(), PUSH["ts"], PUSH["nonce"], PUSH["random"].encode()
    )
    assert (encrypted, signed) == (PUSH["enc"], PUSH["sig"])


def test_decryption_reads_the_vector() -> None:
    """The vector's body opens to the vector's XML."""
    opened = sample().open(body_of(PUSH["enc"]), PUSH["sig"], PUSH["ts"], PUSH["nonce"])
    assert opened.decode() == PUSH["xml"]


def test_url_verification_answers_the_published_sample() -> None:
    """Tencent's published echostr yields its published plaintext, with nothing around it."""
    crypt = CallbackCrypt(VERIFY["token"], VERIFY["aes"], VERIFY["corp"])
    plain = crypt.verify_url(VERIFY["sig"], VERIFY["ts"], VERIFY["nonce"], VERIFY["echostr"])
    assert plain == VERIFY["plaintext"].encode()


@given(KEYS, RANDOMS, st.binary(max_size=600), NAMES)
def test_any_message_comes_back(key: str, random: bytes, message: bytes, receiveid: str) -> None:
    """decrypt(encrypt(m)) is m for any key, message, receiver and random bytes."""
    crypt = CallbackCrypt("token", key, receiveid)
    assert crypt.decrypt(crypt.encrypt(message, random)) == message


@given(st.binary(max_size=200), RANDOMS)
def test_ciphertext_is_padded_to_blocks_of_32(message: bytes, random: bytes) -> None:
    """The vendor pads to 32 bytes, not to AES's 16."""
    assert len(base64.b64decode(sample().encrypt(message, random))) % 32 == 0


@given(st.binary(max_size=200), RANDOMS, st.data())
def test_any_flipped_bit_is_noticed(message: bytes, random: bytes, data: st.DataObject) -> None:
    """One changed bit of the ciphertext fails the signature, whatever it would decrypt to."""
    encrypted, signed = sample().seal(message, "1", "2", random)
    raw = bytearray(base64.b64decode(encrypted))
    place = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[place // 8] ^= 1 << place % 8
    with refused(crypto.SIGNATURE_WRONG):
        sample().open(body_of(base64.b64encode(raw).decode()), signed, "1", "2")


@given(NAMES, NAMES, NAMES)
def test_time_and_nonce_are_signed(timestamp: str, nonce: str, other: str) -> None:
    """A signature does not fit another time, unless the vendor joins both into the same text."""
    encrypted, signed = sample().seal(b"m", timestamp, nonce, bytes(16))
    assume(sorted([timestamp, nonce]) != sorted([other, nonce]))
    assume(signature(PUSH["token"], other, nonce, encrypted) != signed)
    with refused(crypto.SIGNATURE_WRONG):
        sample().check(signed, other, nonce, encrypted)


@given(st.text(max_size=300))
def test_decrypting_garbage_raises_only_crypt_errors(text: str) -> None:
    """Whatever is no envelope is refused with a library code, never with another exception."""
    with pytest.raises(CryptError):
        sample().decrypt(text)


@given(st.binary(max_size=300))
def test_opening_garbage_raises_only_crypt_errors(body: bytes) -> None:
    """Whatever is posted to the callback URL is refused with a library code."""
    with pytest.raises(CryptError):
        sample().open(body, "0" * 40, "1", "2")


@given(KEYS, RANDOMS)
def test_another_key_never_opens(key: str, random: bytes) -> None:
    """A wrong key is noticed by padding, length or receiver, never by returning garbage."""
    assume(aes_key(key) != aes_key(PUSH["aes"]))
    with pytest.raises(CryptError):
        CallbackCrypt(PUSH["token"], key, PUSH["corp"]).decrypt(sample().encrypt(b"message", random))


def test_another_receiver_is_refused() -> None:
    """A message sealed for one corp does not open for another with the same key (-40005)."""
    with refused(crypto.RECEIVER_WRONG):
        sample("ww_other").decrypt(PUSH["enc"])


def test_signature_is_checked_before_decryption() -> None:
    """A wrong signature is reported even where decryption would fail too: no oracle for padding."""
    with refused(crypto.SIGNATURE_WRONG):
        sample().open(body_of("not base64!"), PUSH["sig"], PUSH["ts"], PUSH["nonce"])


@pytest.mark.parametrize("signed", ["", "é", "\ud800", "0" * 39, PUSH["sig"].upper()])
def test_odd_signatures_are_refused(signed: str) -> None:
    """Empty, non-ASCII, short or upper-case signatures are wrong signatures, not crashes."""
    with refused(crypto.SIGNATURE_WRONG):
        sample().check(signed, PUSH["ts"], PUSH["nonce"], PUSH["enc"])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<xml></xml>",
        b"<xml><Encrypt></Encrypt></xml>",
        b"<xml><Encrypt>x</xml>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><xml><Encrypt>&a;</Encrypt></xml>',
        b'<!DOCTYPE x SYSTEM "file:///etc/hostname"><xml><Encrypt>x</Encrypt></xml>',
        b'<?xml version="1.0" encoding="no-such-code"?><xml><Encrypt>x</Encrypt></xml>',
    ],
    ids=["empty", "json", "no element", "empty element", "broken", "entity", "external", "encoding"],
)
def test_bodies_that_are_no_push_are_refused(body: bytes) -> None:
    """No XML, no Encrypt, or a document type of any kind: -40002."""
    with refused(crypto.XML_WRONG):
        sample().open(body, "0" * 40, "1", "2")


@pytest.mark.parametrize(
    ("encrypted", "code"),
    [
        ("*", crypto.BASE64_WRONG),
        ("QUJD", crypto.DECRYPT_FAILED),
        ("", crypto.DECRYPT_FAILED),
        (base64.b64encode(bytes(32)).decode(), crypto.DECRYPT_FAILED),
    ],
)
def test_broken_ciphertexts_say_how(encrypted: str, code: int) -> None:
    """Not Base64, not whole blocks, empty, or a padding that does not fit."""
    with refused(code):
        sample().decrypt(encrypted)


def test_a_stated_length_beyond_the_end_is_refused() -> None:
    """A length field that points past the plaintext is -40008, not a short message."""
    crypt = sample("")
    random_with_length = bytes(16)
    whole = crypt.encrypt(b"", random_with_length)
    longer = _sealed_plaintext(random_with_length + (99).to_bytes(4, "big") + b"abc")
    assert crypt.decrypt(whole) == b""
    with refused(crypto.BUFFER_WRONG):
        crypt.decrypt(longer)


def _sealed_plaintext(plain: bytes) -> str:
    """Encrypt a hand-made plaintext by way of cryptography alone."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    key = aes_key(PUSH["aes"])
    pad = 32 - len(plain) % 32
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()).decode()


@pytest.mark.parametrize("key", ["", "short", PUSH["aes"] + "A", PUSH["aes"][:-1] + "*", "é" * 43])
def test_malformed_keys_are_refused_at_once(key: str) -> None:
    """A key that is not 43 Base64 characters is -40004 when the configuration is made."""
    with refused(crypto.AES_KEY_WRONG):
        CallbackCrypt("token", key, "corp")


def test_too_few_random_bytes_are_refused() -> None:
    """Encryption without its 16 random bytes is a bug of the caller and said so."""
    with refused(crypto.BUFFER_WRONG):
        sample().encrypt(b"m", b"short")


def test_secrets_do_not_show() -> None:
    """Neither the representation nor an error names token, key or content."""
    shown = repr(sample())
    assert PUSH["token"] not in shown and PUSH["aes"] not in shown
    with pytest.raises(CryptError) as caught:
        sample("ww_other").decrypt(PUSH["enc"])
    assert PUSH["corp"] not in str(caught.value) and "kf_msg" not in str(caught.value)
