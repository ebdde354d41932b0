"""Canonical bytes, version 1: what was written once reads for ever, and nothing else passes for it.

Rules of this file: `entries-v1.jsonl` is history. Its lines are never edited; new kinds add lines at its end.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ledger.content import digest_of
from bridge.ledger.entry import KINDS, VERSION, Entry, decode, encode
from bridge.ledger.tree import leaf_hash, root_of

OLD = Path(__file__).with_name("entries-v1.jsonl").read_bytes().splitlines()
OLD_COUNT = 23
OLD_ROOT = "c965ea88d813168dec5b3efce60d66b3f5b4e1250cf294ef1e865ade25d6172a"
"""The RFC 9162 root over the first OLD_COUNT lines of the fixture, computed when they were written."""

ENTRY = Entry(0, 7, 1_767_600_000_000, "message:archived", "message/42", {"message": 42}, "ab" * 32)
LINE = (
    b'{"at":1767600000000,"digest":"' + b"ab" * 32 + b'","facts":{"message":42},'
    b'"kind":"message:archived","lane":0,"seq":7,"subject":"message/42","v":1}'
)

ASCII = st.text(st.characters(max_codepoint=127))
INTEGERS = st.integers(-(2**63), 2**64 - 1)
FACTS = st.recursive(
    st.booleans() | INTEGERS | ASCII,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ASCII, inner, max_size=4),
    max_leaves=12,
)
ENTRIES = st.builds(
    Entry,
    lane=st.integers(0, 255),
    seq=st.integers(0, 2**63 - 1),
    at=st.integers(0, 2**63 - 1),
    kind=st.sampled_from(sorted(KINDS)),
    subject=ASCII,
    facts=st.dictionaries(ASCII, FACTS, max_size=6),
    digest=st.just("") | st.binary(min_size=32, max_size=32).map(bytes.hex),
)


def again(value: object) -> bytes:
    """Canonical JSON by the standard library: another hand that must write the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


# --- bytes ------------------------------------------------------------------------------------------------


def test_version_1_is_these_bytes() -> None:
    """One entry, written out: field names, their order, the version."""
    assert encode(ENTRY) == LINE
    assert decode(LINE) == ENTRY
    assert VERSION == 1


@pytest.mark.parametrize("line", OLD, ids=lambda line: json.loads(line)["kind"])
def test_old_entries_still_read(line: bytes) -> None:
    """What was written in the past decodes, and encodes to the same bytes."""
    assert encode(decode(line)) == line == again(json.loads(line))


def test_old_entries_still_verify() -> None:
    """Their tree has the root that it had."""
    assert root_of([leaf_hash(line) for line in OLD[:OLD_COUNT]]).hex() == OLD_ROOT


def test_every_kind_has_an_old_entry() -> None:
    """A kind stands in the fixture from the day it is introduced."""
    missing = set(KINDS) - {json.loads(line)["kind"] for line in OLD}
    assert not missing, f"add a line of encode(...) for {missing} at the end of entries-v1.jsonl"


def test_the_old_digest_still_covers_its_content() -> None:
    """The salted digest of the fixture's second line is that of known salt, body and raw bytes."""
    salt, body, raw = bytes(range(16)), b'{"text":"hello"}', b"<1>"
    assert decode(OLD[1]).digest == digest_of(salt, body, raw)


@given(ENTRIES)
def test_encoding_is_undone_by_decoding(entry: Entry) -> None:
    """Entry to bytes to entry loses nothing, and bytes to entry to bytes changes nothing."""
    data = encode(entry)
    assert decode(data) == entry
    assert encode(decode(data)) == data


@given(ENTRIES)
def test_another_hand_writes_the_same_bytes(entry: Entry) -> None:
    """The form is canonical: the standard library's JSON, keys sorted, arrives at the same bytes."""
    data = encode(entry)
    assert again(json.loads(data)) == data
    assert data.isascii()


@given(ENTRIES, ENTRIES)
def test_different_facts_have_different_bytes(one: Entry, other: Entry) -> None:
    """Two entries share their bytes only if they are the same."""
    assert (encode(one) == encode(other)) == (again(_plain(one)) == again(_plain(other)))


def _plain(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in Entry._fields}


@given(st.permutations(["a", "b", "c"]))
def test_the_order_of_facts_does_not_matter(names: list[str]) -> None:
    """Whoever gathers facts in another order writes the same bytes."""
    facts = {name: dict.fromkeys(names, 1) for name in names}
    assert encode(ENTRY._replace(facts=facts)) == encode(
        ENTRY._replace(facts={name: dict.fromkeys("abc", 1) for name in "abc"})
    )


# --- what cannot be written -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        *(1.5, 1.0, 0.0, -0.0, 1e16, 1e22, 1e-7, float("nan"), float("inf")),
        *(None, b"bytes", 2**64, -(2**63) - 1, {1: 2}, {"a"}, object),
    ],
    ids=repr,
)
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: [v], lambda v: {"x": {"y": [1, v]}}])
def test_what_has_no_canonical_form_is_refused(value: object, wrap: Any) -> None:
    """Floats, null, bytes, numbers beyond 64 bits and foreign objects, however deep, are ValueErrors."""
    with pytest.raises(ValueError, match="no canonical form"):
        encode(ENTRY._replace(facts={"a": wrap(value)}))


@pytest.mark.parametrize(
    "change",
    [
        *({"at": 1.5}, {"at": 1.0}, {"at": True}, {"at": None}, {"seq": 2.0}, {"lane": "0"}, {"lane": 0.0}),
        *({"subject": 42}, {"subject": None}, {"digest": None}, {"facts": []}, {"facts": None}),
    ],
    ids=repr,
)
def test_fields_have_their_types(change: dict[str, Any]) -> None:
    """Also what stands beside the facts has one form only: numbers are integers, names are text."""
    with pytest.raises(ValueError, match="no canonical form"):
        encode(ENTRY._replace(**change))


@pytest.mark.parametrize("text", ["李雷", "é", "\x80", "\ud800"])
@pytest.mark.parametrize("field", ["subject", "digest", "value", "key"])
def test_text_that_is_not_ascii_is_refused(text: str, field: str) -> None:
    """What people write does not get into the ledger by mistake (invariant 6); the error does not say it."""
    change: dict[str, Any] = {field: text}
    if field in ("value", "key"):
        change = {"facts": {"a": text} if field == "value" else {text: 1}}
    with pytest.raises(ValueError) as refusal:
        encode(ENTRY._replace(**change))
    assert text not in str(refusal.value)


@pytest.mark.parametrize("kind", ["", "message:lost", "MESSAGE:ARCHIVED", None, [], 1])
def test_unknown_kinds_are_refused(kind: Any) -> None:
    """The vocabulary is closed, for writing and for reading."""
    with pytest.raises(ValueError, match="not a kind of ledger entry"):
        encode(ENTRY._replace(kind=kind))
    with pytest.raises(ValueError, match="not a kind of ledger entry"):
        decode(LINE.replace(b'"message:archived"', again(kind)))


# --- what cannot be read ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"}", b"} "),
        (b'":', b'": '),
        (b'"v":1', b'"v":2'),
        (b'"v":1', b'"v":true'),
        (b'"v":1', b'"v":1,"v":1'),
        (b',"v":1', b""),
        (b'"v":1', b'"v":1,"w":1'),
        (b'"at":', b'"at":0,"at":'),
        (b'"at":1767600000000', b'"at":1767600000000.0'),
        (b'"at":1767600000000', b'"at":1.7676e12'),
        (b'"seq":7', b'"seq":07'),
        (b'"seq":7', b'"seq":"7"'),
        (b'"seq":7', b'"seq":7.0'),
        (b'"lane":0', b'"lane":-0'),
        (b'"lane":0', b'"lane":null'),
        (b'"message":42', b'"message":4.2e1'),
        (b'"message":42', b'"message":42.5'),
        (b'"message":42', b'"message":null'),
        (b'"message":42', b'"message":18446744073709551616'),
        (b'"message":42', b'"message":' + b"[" * 900 + b"]" * 900),
        (b"message/42", b"message\\/42"),
        (b"message/42", b"\\u006dessage/42"),
        (b"message/42", "message/四".encode()),
        (b"message/42", b"message/\xff"),
        (b'"facts":{"message":42},', b""),
        (b'"facts":{"message":42}', b'"facts":[]'),
    ],
)
def test_bytes_that_are_not_canonical_are_refused(old: bytes, new: bytes) -> None:
    """One entry has one spelling: whatever else means the same, or nearly, is no entry."""
    changed = LINE.replace(old, new, 1)
    assert changed != LINE
    with pytest.raises(ValueError):
        decode(changed)


@pytest.mark.parametrize("data", [b"", b"[]", b"1", b"null", b'"x"', b"{}", b"{", LINE[:-1], LINE + LINE])
def test_what_is_no_entry_is_refused(data: bytes) -> None:
    """Other JSON, broken JSON and no JSON are all ValueErrors."""
    with pytest.raises(ValueError):
        decode(data)


@given(st.integers(0, len(LINE) - 1), st.integers(0, 255))
def test_a_changed_byte_never_reads_as_the_same(at: int, byte: int) -> None:
    """Whatever one byte is changed to, it is refused or reads as another fact."""
    changed = LINE[:at] + bytes([byte]) + LINE[at + 1 :]
    if changed == LINE:
        return
    try:
        entry = decode(changed)
    except ValueError:
        return
    assert entry != ENTRY
    assert encode(entry) == changed
