"""How content is committed to: field by field, under a salt, so that each may be shown or kept back alone.

Rules of this file: pure, and versioned with `entry.py`: what is computed here stands in the ledger for ever.

Content is a body and, for what came from a network, the raw bytes it came in. A body is one JSON object with
one field to a line, so that its fields are slices of its bytes and nobody has to write JSON the way we do:

    {"conversation":"stream",           piece 1, field "conversation"
    "kind":"text",                      piece 2, field "kind"
    "text":"Good morning"}              piece 3, field "text"

    salt of a field   SHA-256( salt of the record || name )
    commitment        SHA-256( salt of the field || piece )
    digest            SHA-256( for each field in order: length of name, 2 bytes || name || commitment )

Whoever is shown a piece and the salt of its field can compute that commitment, and from the other fields'
commitments the digest in the ledger. The salt of one field says nothing of another's, and a commitment whose
salt is kept back says nothing of its piece, however short it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256

import orjson

SALT_BYTES = 16

RAW = "(raw)"
"""The name of the field that the raw bytes are; no field of a body is called so."""

WHOLE = "(body)"
"""The name of the one field of a body that is not written so."""

_BETWEEN = b",\n"
_NAME = re.compile(rb'"([\w .:/-]{1,200})"', re.ASCII)
_RAW, _WHOLE = RAW.encode(), WHOLE.encode()


def written(value: Mapping[str, object], option: int = orjson.OPT_SORT_KEYS) -> bytes:
    """A body: one field to a line, in the order of their names. Raises TypeError as orjson does."""
    # JSON of this kind has no line break inside a value: those in texts are escaped.
    lines = [_key(name) + orjson.dumps(value[name], option=option) for name in sorted(value)]
    return b"{%b}" % _BETWEEN.join(lines)


@lru_cache(maxsize=1024)
def _key(name: str) -> bytes:
    """A name as it stands before the value of its field."""
    return orjson.dumps(name) + b":"


def pieces(body: bytes, raw: bytes = b"") -> list[tuple[str, bytes]]:
    """The fields of a piece of content, as (name, bytes), in order."""
    return [(name.decode(), piece) for name, piece in _named(body, raw)]


def _named(body: bytes, raw: bytes) -> list[tuple[bytes, bytes]]:
    found = [(_WHOLE, body)]
    if body.startswith(b'{"') and body.endswith(b"}"):
        lines = body[1:-1].split(_BETWEEN)
        names = [_name(line[: line.find(b'":', 2) + 1]) for line in lines]
        if all(names):
            found = list(zip(names, lines, strict=True))
    return [*found, (_RAW, raw)] if raw else found


@lru_cache(maxsize=1024)
def _name(start: bytes) -> bytes:
    """The name of a field whose line has `start` before its colon; b"" when that is no name."""
    found = _NAME.fullmatch(start)
    return found[1] if found else b""


@lru_cache(maxsize=1024)
def _headed(name: bytes) -> bytes:
    """A name with its length, as the digest takes it."""
    return len(name).to_bytes(2, "big") + name


def joined(found: Iterable[tuple[str, bytes]]) -> tuple[bytes, bytes]:
    """Body and raw bytes whose `pieces` these are."""
    body, raw, whole = [], b"", False
    for name, piece in found:
        if name == RAW:
            raw = piece
        else:
            body.append(piece)
            whole = whole or name == WHOLE
    return (body[0] if whole else b"{%b}" % _BETWEEN.join(body)), raw


def salt_of(salt: bytes, name: str) -> bytes:
    """The salt of one field of the record whose salt is `salt`: 32 bytes."""
    return sha256(salt + name.encode()).digest()


def commitment(salt: bytes, piece: bytes) -> bytes:
    """What stands for `piece` under the salt of its field: 32 bytes."""
    return sha256(salt + piece).digest()


def digest_over(commitments: Iterable[tuple[str, bytes]]) -> str:
    """The digest of a piece of content from its fields' names and commitments, lower-case hex."""
    parts: list[bytes] = []
    for name, committed in commitments:
        parts += (_headed(name.encode()), committed)
    return sha256(b"".join(parts)).hexdigest()


def digest_of(salt: bytes, body: bytes, raw: bytes = b"") -> str:
    """The salted digest of a piece of content, lower-case hex: what its ledger entry says.

    The same as `digest_over` the commitments of all `pieces`, with each step written out: every record is
    hashed so when it is written, and again whenever all of it is verified.
    """
    named = _named(body, raw)
    whole = [_headed(name) + sha256(sha256(salt + name).digest() + piece).digest() for name, piece in named]
    return sha256(b"".join(whole)).hexdigest()
