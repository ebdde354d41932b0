"""Envelopes, wrapped keys and sealed files: old bytes open for ever, and changed ones never do.

The vectors in `sealed-v1.json` were written once and are never written again.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from bridge import sealing
from bridge.sealing import BODY, PAIR, PIECE, RAW, Broken
from bridge.store.blobs import opened

VECTORS = json.loads((Path(__file__).parent / "vectors" / "sealed-v1.json").read_text(encoding="utf-8"))
KEY = AESGCM(bytes(range(32)))
HERE = sealing.place(b"0123456789abcdef", 0, 42)


def test_old_envelopes_open() -> None:
    """Every part of a record that version 1 ever sealed opens, and is sealed to the same bytes again."""
    record = VECTORS["record"]
    belongs = sealing.place(record["installation"].encode(), record["lane"], record["seq"])
    store_key = AESGCM(bytes.fromhex(record["store_key"]))
    wrapped = bytes.fromhex(record["wrapped"])
    assert sealing.wrapped_by(wrapped) == record["store_key_number"]
    secret = sealing.unwrap(store_key, belongs, wrapped)
    assert secret.hex() == record["data_key"]
    for name, part in (("body", BODY), ("raw", RAW), ("pair", PAIR)):
        plain = record[name].encode()
        assert sealing.unseal(AESGCM(secret), belongs, part, bytes.fromhex(record[f"sealed_{name}"])) == plain
        assert sealing.seal(AESGCM(secret), belongs, part, plain).hex() == record[f"sealed_{name}"]


def test_an_old_file_opens() -> None:
    """A sealed attachment of version 1 opens."""
    file = VECTORS["file"]
    pieces = opened(io.BytesIO(bytes.fromhex(file["sealed"])), AESGCM(bytes.fromhex(file["data_key"])))
    assert b"".join(pieces) == file["plain"].encode()


def test_an_old_token_is_made_again() -> None:
    """The token of an address is what it always was."""
    one = VECTORS["token"]
    assert sealing.token(bytes.fromhex(one["key"]), one["address"]) == one["token"]


@given(st.binary(min_size=1, max_size=300), st.integers(0), st.integers(0, 7))
def test_a_changed_envelope_does_not_open(plain: bytes, place: int, bit: int) -> None:
    """Any bit of an envelope flipped: it does not open."""
    sealed = bytearray(sealing.seal(KEY, HERE, BODY, plain))
    sealed[place % len(sealed)] ^= 1 << bit
    with pytest.raises(Broken):
        sealing.unseal(KEY, HERE, BODY, bytes(sealed))


def test_an_envelope_opens_in_its_own_place_only() -> None:
    """Another record, another part, another installation or another key: it does not open."""
    sealed = sealing.seal(KEY, HERE, BODY, b"Good morning")
    assert sealing.unseal(KEY, HERE, BODY, sealed) == b"Good morning"
    for belongs in (sealing.place(b"0123456789abcdef", 0, 43), sealing.place(b"0123456789abcdee", 0, 42)):
        with pytest.raises(Broken):
            sealing.unseal(KEY, belongs, BODY, sealed)
    with pytest.raises(Broken):
        sealing.unseal(KEY, HERE, RAW, sealed)
    with pytest.raises(Broken):
        sealing.unseal(AESGCM(bytes(32)), HERE, BODY, sealed)


def test_a_wrapped_key_opens_in_its_own_place_only() -> None:
    """A wrapped key of one record is none of another's."""
    wrapped = sealing.wrap(KEY, 3, HERE, bytes(12), b"k" * 32)
    assert sealing.wrapped_by(wrapped) == 3
    assert sealing.unwrap(KEY, HERE, wrapped) == b"k" * 32
    with pytest.raises(Broken):
        sealing.unwrap(KEY, sealing.place_of_file(b"0123456789abcdef", "ab"), wrapped)
    for odd in (wrapped[:-1], b"", b"\2" + wrapped[1:]):
        with pytest.raises(Broken):
            sealing.wrapped_by(odd)


def test_an_unknown_version_says_so() -> None:
    """What a later version of the program sealed is not taken for damage."""
    with pytest.raises(Broken, match="version 9"):
        sealing.unseal(KEY, HERE, BODY, b"\x09" + bytes(20))


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 2 * PIECE])
def test_the_length_of_a_sealed_file_is_known(size: int) -> None:
    """Each piece has 16 bytes more, and the file its mark."""
    pieces = max(1, -(-size // PIECE))
    assert sealing.sealed_size(size) == 4 + size + 16 * pieces


@given(st.binary(max_size=200), st.integers(0), st.integers(0, 7))
def test_both_steps_at_once_are_both_steps(plain: bytes, place: int, bit: int) -> None:
    """What opens, opens to the same; a bit flipped in key or envelope is found, by the same error."""
    wrapped = sealing.wrap(KEY, 1, HERE, bytes(12), bytes(range(1, 33)))
    sealed = sealing.seal(AESGCM(bytes(range(1, 33))), HERE, BODY, plain)
    assert sealing.unsealed(KEY, HERE, wrapped, BODY, sealed) == plain
    whole = bytearray(wrapped[5:] + sealed)
    whole[place % len(whole)] ^= 1 << bit
    key, body = wrapped[:5] + bytes(whole[: len(wrapped) - 5]), bytes(whole[len(wrapped) - 5 :])
    with pytest.raises(Broken):
        sealing.unsealed(KEY, HERE, key, BODY, body)
