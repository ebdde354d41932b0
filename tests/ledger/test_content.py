"""Commitments field by field: what an outsider can compute, and what he cannot."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ledger.content import (
    RAW,
    SALT_BYTES,
    WHOLE,
    commitment,
    digest_of,
    digest_over,
    joined,
    pieces,
    salt_of,
    written,
)

SALTS = st.binary(min_size=SALT_BYTES, max_size=SALT_BYTES)
NAMES = st.text("abcdefghij_0123456789", min_size=1, max_size=12)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
BODIES = st.dictionaries(NAMES, VALUES, min_size=1, max_size=8)


def another_hand(salt: bytes, body: bytes, raw: bytes) -> str:
    """The digest as the manual words it, for a body with one field to a line."""
    fields = [(json.loads(b"{%b}" % line), line) for line in body[1:-1].split(b",\n")]
    named = [(next(iter(field)), line) for field, line in fields]
    if raw:
        named.append(("(raw)", raw))
    whole = hashlib.sha256()
    for name, line in named:
        own_salt = hashlib.sha256(salt + name.encode()).digest()
        whole.update(
            len(name.encode()).to_bytes(2, "big") + name.encode() + hashlib.sha256(own_salt + line).digest()
        )
    return whole.hexdigest()


def test_a_body_has_one_field_to_a_line() -> None:
    """The very bytes: sorted names, a line break after each comma between fields, none inside."""
    assert written({"text": "a\nb", "at": 1, "to": {"y": 1, "x": [2]}}) == (
        b'{"at":1,\n"text":"a\\nb",\n"to":{"x":[2],"y":1}}'
    )


@given(BODIES)
def test_a_body_is_json(body: dict) -> None:
    """Whoever reads it as JSON gets what was written."""
    assert json.loads(written(body)) == body


@given(SALTS, BODIES, st.binary())
def test_the_digest_is_what_the_manual_says(salt: bytes, body: dict, raw: bytes) -> None:
    """Another hand, from the manual's words, arrives at the same digest."""
    assert digest_of(salt, written(body), raw) == another_hand(salt, written(body), raw)


@given(BODIES, st.binary())
def test_pieces_are_the_whole(body: dict, raw: bytes) -> None:
    """Nothing of a body lies outside its pieces, and they bear the names of its fields."""
    found = pieces(written(body), raw)
    assert joined(found) == (written(body), raw)
    assert [name for name, _ in found] == sorted(body) + ([RAW] if raw else [])


@given(st.binary(), st.binary())
def test_any_bytes_have_pieces(body: bytes, raw: bytes) -> None:
    """What is no such body is one field, and comes together again as it was."""
    assert joined(pieces(body, raw)) == (body, raw)


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[1]", b'{"a":1,\nb}', b'{"' + b"x" * 300 + b'":1}', b'{"a"}', b'{"a\n":1}', b'{"":1}'],
)
def test_what_is_no_body_is_one_field(body: bytes) -> None:
    """A body in another form is committed to as a whole."""
    assert pieces(body) == [(WHOLE, body)]


@given(SALTS, BODIES, st.data())
def test_one_field_is_shown_alone(salt: bytes, body: dict, data: st.DataObject) -> None:
    """A piece, the salt of its field and the others' commitments give the digest; another piece does not."""
    found = pieces(written(body), b"<raw>")
    shown = data.draw(st.sampled_from(sorted(body)))
    kept_back = {name: commitment(salt_of(salt, name), piece) for name, piece in found if name != shown}
    piece, own_salt = dict(found)[shown], salt_of(salt, shown)

    def told(piece: bytes) -> str:
        return digest_over((name, kept_back.get(name) or commitment(own_salt, piece)) for name, _ in found)

    assert told(piece) == digest_of(salt, written(body), b"<raw>")
    assert told(piece + b" ") != digest_of(salt, written(body), b"<raw>")


@given(SALTS, st.binary(min_size=1), st.data())
def test_body_and_raw_cannot_trade_bytes(salt: bytes, both: bytes, data: st.DataObject) -> None:
    """Where the body ends is part of the digest."""
    ends = st.integers(0, len(both))
    one, other = data.draw(ends), data.draw(ends)
    digests = [digest_of(salt, both[:end], both[end:]) for end in (one, other)]
    assert (digests[0] == digests[1]) == (one == other)


def test_fields_cannot_trade_names() -> None:
    """The same text under another name has another digest."""
    salt = bytes(SALT_BYTES)
    assert digest_of(salt, written({"text": "x"})) != digest_of(salt, written({"quote": "x"}))


def test_the_salt_hides_the_text() -> None:
    """The same text under another salt has another digest: nobody can try texts out."""
    body = written({"text": "yes"})
    assert digest_of(bytes(16), body) != digest_of(bytes(15) + b"\x01", body)


def test_the_salt_of_a_field_is_its_own() -> None:
    """The salt that opens one field is not that of another."""
    assert salt_of(bytes(16), "text") != salt_of(bytes(16), "quote")
