"""Checkpoints in the form that others write and read: vectors of other programs, and a strict reading."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from bridge.ledger.checkpoint import Checkpoint, Signer, Verifier, read, signer_from, verified, verifier_from

# From the reference implementation of signed notes (Go, golang.org/x/mod/sumdb/note): key, text, signature.
GO_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
GO_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="

# A checkpoint of Go's public checksum database, as it was served, and its key.
SUMDB_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
SUMDB = """\
go.sum database tree
63096908
8lHrQPRYe4KT4WQ9/Qk8/taKnD6IRHbFgfN7vQE2Y54=

— sum.golang.org Az3gri/oVBN1jAhNZ/iS+W31psFAWRT20/GyrhpU6taFwulQGetBkH5S7wpGXdS935jiIGiUUAXBVHzT/P6fYhqAmAk=
"""

SIGNER = Signer("weighbridge/0123456789abcdef", bytes(range(32)))
KEY = SIGNER.verifier(0)
NOTE = SIGNER.sign(0, 278, bytes(32))
HEAD, LINE = NOTE.split("\n\n")


# --- what other programs wrote --------------------------------------------------------------------------


def test_keys_of_other_programs_are_read() -> None:
    """Name, id and key are taken apart, and written again to the letter; the secret gives the public half."""
    verifier = verifier_from(GO_PUBLIC)
    assert (verifier.name, verifier.id.hex(), str(verifier)) == ("PeterNeumann", "c74f20a3", GO_PUBLIC)
    signer = signer_from(GO_SECRET)
    assert signer.secret() == GO_SECRET
    assert signer.verifier(0).public == verifier.public


def test_signatures_of_other_programs_hold() -> None:
    """The reference implementation's example, and the same with one letter changed."""
    signature = base64.b64decode(GO_SIGNATURE)[4:]
    assert verifier_from(GO_PUBLIC).accepts(GO_TEXT, signature)
    assert not verifier_from(GO_PUBLIC).accepts(GO_TEXT.replace("If", "if"), signature)


def test_a_checkpoint_of_another_log_is_verified() -> None:
    """A note of a public log, under its own key."""
    said = verified(SUMDB, [verifier_from(SUMDB_KEY)])
    assert (said.origin, said.size) == ("go.sum database tree", 63_096_908)
    with pytest.raises(ValueError, match="changed, or forged"):
        verified(SUMDB.replace("63096908", "63096909"), [verifier_from(SUMDB_KEY)])


# --- what we write ----------------------------------------------------------------------------------------


@given(
    st.from_regex(r"[a-z][a-z0-9./-]{0,30}", fullmatch=True),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 99),
    st.integers(0, 10**18),
    st.binary(min_size=32, max_size=32),
)
def test_a_note_is_made_as_the_standard_says(
    name: str, seed: bytes, lane: int, size: int, root: bytes
) -> None:
    """Put together here from the standard's text alone, and taken apart by our own reading."""
    signer = Signer(name, seed)
    note = signer.sign(lane, size, root)
    origin = f"{name}/{lane}"
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    public = base64.b64decode(str(signer.verifier(lane)).split("+", 2)[2])
    key_id = hashlib.sha256(origin.encode() + b"\n" + public).digest()[:4]
    head, line = note[: len(text) + 1], note[len(text) + 1 :]
    assert head == text + "\n"
    mark, signed_as, encoded = line.rstrip("\n").split(" ")
    assert (mark, signed_as, base64.b64decode(encoded)[:4]) == ("\u2014", origin, key_id)
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(base64.b64decode(encoded)[4:], text.encode())
    assert verified(note, [signer.verifier(lane)]) == Checkpoint(origin, size, root)


@given(st.binary(min_size=32, max_size=32), st.from_regex(r"[a-z/]{1,20}", fullmatch=True))
def test_keys_come_back_from_their_files(seed: bytes, name: str) -> None:
    """What is written is read; nothing that prints a key prints the secret half."""
    signer = Signer(name, seed)
    assert signer_from(signer.secret()) == signer
    assert verifier_from(str(signer.verifier(7))) == signer.verifier(7)
    assert base64.b64encode(seed).decode()[:20] not in repr(signer)


# --- strict reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("note", "complaint"),
    [
        ("", "no signed note"),
        (HEAD + "\n", "no signed note"),
        (NOTE[:-1], "no signed note"),
        (NOTE + "\n", "no signed note|no signature"),
        (NOTE.replace("\n", "\r\n"), "no signed note"),
        (NOTE.replace("278", "2\t78"), "control characters"),
        (NOTE.replace("\u2014", "--"), "no signature"),
        (NOTE + "more\n", "no signature"),
        (NOTE + "\u2014 somebody AAAA\n", "no signature"),
        (NOTE + LINE * 100, "more than 100"),
        (NOTE.replace("278", "0278"), "second line"),
        (NOTE.replace("278", "-278"), "second line"),
        (NOTE.replace("278", "2\u0667\u0668"), "second line"),
        (NOTE.replace("AAAA=", "AAAB="), "standard form"),
        (NOTE.replace("AAAAAAAAAAA=", "AAA="), "third line|standard form"),
        (NOTE.replace("278\n", "278\n\n"), "each on a line"),
        (NOTE.split("\n", 1)[1], "second line|each on a line"),
    ],
)
def test_what_is_no_checkpoint_is_refused(note: str, complaint: str) -> None:
    """Each mistake has its words; none is overlooked."""
    with pytest.raises(ValueError, match=complaint):
        read(note)


@pytest.mark.parametrize(
    "change", [lambda t: t.replace("278", "279"), lambda t: t.replace("0123", "0124", 1)]
)
def test_changed_text_is_forged(change: object) -> None:
    """One other digit, in size or origin."""
    with pytest.raises(ValueError, match="forged"):
        verified(change(NOTE), [KEY])  # type: ignore[operator]


def test_a_flipped_signature_is_forged() -> None:
    """One bit of the signature."""
    data = bytearray(base64.b64decode(LINE.split()[2]))
    data[-1] ^= 1
    with pytest.raises(ValueError, match="forged"):
        verified(f"{HEAD}\n\n\u2014 {KEY.name} {base64.b64encode(data).decode()}\n", [KEY])


def test_unknown_signatures_are_passed_over() -> None:
    """Another key's signature neither helps nor harms, even one under our name; alone it is not enough."""
    other = Signer(SIGNER.name, bytes(32))
    theirs = other.sign(0, 278, bytes(32)).split("\n\n")[1]
    assert verified(f"{HEAD}\n\n{theirs}{LINE}", [KEY]).size == 278
    for keys in ([], [Verifier("another/name", KEY.public)], [other.verifier(0)]):
        with pytest.raises(ValueError, match="not signed by a key that is known"):
            verified(NOTE, keys)


def test_one_bad_signature_of_a_known_key_refuses_the_note() -> None:
    """A good signature beside a forged one of a key that is known is not enough."""
    other = Signer("witness", bytes(32))
    wrong = other.sign(0, 279, bytes(32)).split("\n\n")[1]
    with pytest.raises(ValueError, match="forged"):
        verified(f"{HEAD}\n\n{LINE}{wrong}", [KEY, other.verifier(0)])


def test_extension_lines_are_kept() -> None:
    """What other logs write below the root is read, and is signed as everything else."""
    text = NOTE.replace("\n\n", "\nmore\n\n")
    assert read(text).extensions == ("more",)
    with pytest.raises(ValueError, match="forged"):
        verified(text, [KEY])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is no key"),
        ("name", "is no key"),
        ("na me+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "is no key"),
        (GO_PUBLIC.replace("c74f20a3", "C74F20A3"), "is no key"),
        (GO_PUBLIC.replace("c74f20a3", "c74f20a4"), "damaged"),
        (GO_PUBLIC.replace("Peter", "Petra"), "damaged"),
        (GO_PUBLIC[:-1], "standard form"),
        (GO_PUBLIC[:-4], "no Ed25519 key"),
        (GO_PUBLIC.replace("+AR", "+Ah"), "no Ed25519 key"),
    ],
)
def test_broken_keys_are_refused(text: str, complaint: str) -> None:
    """Name, id and key belong together, and each is written in one way."""
    with pytest.raises(ValueError, match=complaint):
        verifier_from(text)


def test_a_broken_secret_is_not_repeated() -> None:
    """What is wrong is told without the key."""
    for secret in (GO_SECRET.replace("c74f", "c74e"), GO_SECRET.removeprefix("PRIVATE+"), GO_SECRET[:-3]):
        with pytest.raises(ValueError, match=r".") as told:
            signer_from(secret)
        assert "KFALVFGy" not in str(told.value)
