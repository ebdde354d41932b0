"""Strangers check our proofs: pymerkle, and an implementation written here from the text of RFC 9162.

Rules of this file: of ours it uses the bytes of a package and nothing else.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from evidence_rig import Files, case_store, files_of, make
from pymerkle import InmemoryTree, InvalidProof, verify_inclusion
from pymerkle.proof import InclusionProof
from story import Terminal

Proof = list[bytes]


@pytest.fixture
def files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Files:
    """What is in a package."""
    case_store(tmp_path)
    return files_of(make(Terminal(tmp_path, capsys)))


def note(files: Files, name: str) -> tuple[int, bytes]:
    """Size and root of a checkpoint, read as its standard says."""
    lines = files[name].decode().split("\n")
    return int(lines[1]), base64.b64decode(lines[2])


def inclusions(files: Files) -> Iterator[tuple[int, bytes, Proof]]:
    """Every entry: its number, its bytes, its proof."""
    for line in files["entries/0.jsonl"].splitlines():
        record = json.loads(line)
        yield record["seq"], record["entry"].encode(), [bytes.fromhex(one) for one in record["path"]]


def consistencies(files: Files) -> Iterator[tuple[int, bytes, Proof]]:
    """Every earlier checkpoint: size, root, proof."""
    for earlier in lane_of(files)["earlier"]:
        yield *note(files, earlier["checkpoint"]), [bytes.fromhex(one) for one in earlier["path"]]


def lane_of(files: Files) -> dict[str, Any]:
    """The one lane in the list."""
    (lane,) = json.loads(files["manifest.json"])["lanes"]
    return lane  # type: ignore[no-any-return]


def altered(proof: Proof) -> Iterator[Proof]:
    """Proofs that are not this one: a bit of each hash flipped, one left out, one more, another order."""
    for number, one in enumerate(proof):
        yield [*proof[:number], bytes([one[0] ^ 1]) + one[1:], *proof[number + 1 :]]
    yield proof[1:]
    yield [*proof, bytes(32)]
    if len(set(proof)) > 1:
        yield proof[::-1]


# --- RFC 9162, sections 2.1.1, 2.1.3 and 2.1.4, by recursion over D[n], PATH and PROOF ---------------------


def h(data: bytes) -> bytes:
    """HASH."""
    return hashlib.sha256(data).digest()


def split(size: int) -> int:
    """k: the largest power of two smaller than n."""
    k = 1
    while k * 2 < size:
        k *= 2
    return k


def root_by_path(number: int, size: int, leaf: bytes, path: Proof) -> bytes | None:
    """The tree hash that PATH(m, D[n]) leads to from a leaf: the inverse of its definition."""
    if size == 1:
        return leaf if not path else None
    if not path:
        return None
    k, last, rest = split(size), path[-1], path[:-1]
    if number < k:
        left = root_by_path(number, k, leaf, rest)
        return None if left is None else h(b"\x01" + left + last)
    right = root_by_path(number - k, size - k, leaf, rest)
    return None if right is None else h(b"\x01" + last + right)


def roots_by_proof(
    old: int, new: int, old_root: bytes, path: Proof, whole: bool
) -> tuple[bytes, bytes] | None:
    """The roots of both trees that SUBPROOF(m, D[n], b) leads to: the inverse of its definition."""
    if old == new:
        if whole:
            return None if path else (old_root, old_root)
        return (path[0], path[0]) if len(path) == 1 else None
    if not path:
        return None
    k, last, rest = split(new), path[-1], path[:-1]
    if old <= k:
        found = roots_by_proof(old, k, old_root, rest, whole)
        return None if found is None else (found[0], h(b"\x01" + found[1] + last))
    found = roots_by_proof(old - k, new - k, old_root, rest, False)
    return None if found is None else (h(b"\x01" + last + found[0]), h(b"\x01" + last + found[1]))


def test_the_rfcs_own_words_accept_our_proofs_and_reject_others(files: Files) -> None:
    """Inclusion of every entry and consistency with every earlier checkpoint, and none that was altered."""
    size, root = note(files, lane_of(files)["checkpoint"])
    entries, earlier = list(inclusions(files)), list(consistencies(files))
    assert len(entries) > 20
    assert len(earlier) >= 2
    for number, entry, path in entries:
        leaf = h(b"\x00" + entry)
        assert root_by_path(number, size, leaf, path) == root
        assert root_by_path(number, size, h(b"\x00" + entry + b" "), path) != root
        assert all(root_by_path(number, size, leaf, other) != root for other in altered(path))
    for old, old_root, path in earlier:
        assert roots_by_proof(old, size, old_root, path, True) == (old_root, root)
        assert all(
            roots_by_proof(old, size, old_root, other, True) != (old_root, root) for other in altered(path)
        )


# --- pymerkle ---------------------------------------------------------------------------------------------


def test_pymerkle_accepts_our_inclusion_proofs_and_rejects_others(files: Files) -> None:
    """A library that is not ours puts our hashes together in its own way, by number and size alone."""
    size, root = note(files, lane_of(files)["checkpoint"])
    tree = InmemoryTree(algorithm="sha256")
    for one in range(size):
        tree.append_entry(bytes([one]))
    for number, entry, path in inclusions(files):
        leaf, rule = h(b"\x00" + entry), tree.prove_inclusion(number + 1, size).rule
        verify_inclusion(leaf, root, InclusionProof("sha256", True, size, number + 1, rule, [leaf, *path]))
        for other in altered(path):
            forged = InclusionProof("sha256", True, size, number + 1, rule, [leaf, *other])
            with pytest.raises(InvalidProof):
                verify_inclusion(leaf, root, forged)


def test_pymerkle_gives_the_roots_that_were_signed(files: Files, tmp_path: Path) -> None:
    """Its own tree over the ledger's entries has, at the size of each checkpoint, the root that we signed.
    (Its proofs of consistency are of a form of their own; those of the RFC are checked above.)"""
    tree = InmemoryTree(algorithm="sha256")
    with contextlib.closing(sqlite3.connect(tmp_path / "weighbridge.db")) as db:
        for (entry,) in db.execute("SELECT entry FROM ledger WHERE lane = 0 ORDER BY seq"):
            tree.append_entry(entry)
    notes = [name for name in files if name.endswith(".note") and name.startswith("checkpoints/")]
    assert len(notes) >= 3
    for size, root in (note(files, name) for name in notes):
        assert tree.get_state(size) == root
