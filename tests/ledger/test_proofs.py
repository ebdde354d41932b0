"""Proofs against RFC 9162's own definitions, written here again, and against published proofs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.ledger.proofs import (
    consistency_ranges,
    consistent,
    includes,
    inclusion_ranges,
    prove_consistency,
    prove_inclusion,
)
from bridge.ledger.tree import leaf_hash, root_of

# The eight inputs that implementations of Certificate Transparency share, and proofs published for them.
INPUTS = [
    bytes.fromhex(one)
    for one in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
INCLUSION = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}
CONSISTENCY = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}

SIZES = st.integers(1, 70)


def entries(size: int) -> list[bytes]:
    """`size` entries that differ."""
    return [number.to_bytes(2, "big") for number in range(size)]


class Tree:
    """Subtrees of a list of entries, as the store gives them."""

    def __init__(self, data: Sequence[bytes]) -> None:
        self.leaves = [leaf_hash(one) for one in data]

    def __call__(self, first: int, last: int) -> bytes:
        """See `bridge.ledger.proofs.Subtree`."""
        return root_of(self.leaves[first:last])

    def root(self, size: int) -> bytes:
        """The root over the first leaves."""
        return root_of(self.leaves[:size])


# --- the RFC's definitions, word for word ----------------------------------------------------------------


def mth(data: Sequence[bytes]) -> bytes:
    """MTH(D[n]), section 2.1.1."""
    if len(data) == 1:
        return hashlib.sha256(b"\x00" + data[0]).digest()
    k = largest_power_below(len(data))
    return hashlib.sha256(b"\x01" + mth(data[:k]) + mth(data[k:])).digest()


def path(m: int, data: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n]), section 2.1.3.1."""
    if len(data) == 1:
        return []
    k = largest_power_below(len(data))
    if m < k:
        return [*path(m, data[:k]), mth(data[k:])]
    return [*path(m - k, data[k:]), mth(data[:k])]


def subproof(m: int, data: Sequence[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF(m, D[n], b), section 2.1.4.1; PROOF(m, D[n]) is SUBPROOF(m, D[n], true)."""
    if m == len(data):
        return [] if whole else [mth(data)]
    k = largest_power_below(len(data))
    if m <= k:
        return [*subproof(m, data[:k], whole), mth(data[k:])]
    return [*subproof(m - k, data[k:], False), mth(data[:k])]


def largest_power_below(n: int) -> int:
    """The k of the definitions: the largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


# --- making -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("of", "expected"), INCLUSION.items(), ids=str)
def test_published_inclusion_proofs(of: tuple[int, int], expected: list[str]) -> None:
    """The very hashes that other implementations give."""
    assert [one.hex() for one in prove_inclusion(*of, Tree(INPUTS))] == expected


@pytest.mark.parametrize(("of", "expected"), CONSISTENCY.items(), ids=str)
def test_published_consistency_proofs(of: tuple[int, int], expected: list[str]) -> None:
    """The very hashes that other implementations give."""
    assert [one.hex() for one in prove_consistency(*of, Tree(INPUTS))] == expected


@given(SIZES, st.data())
def test_proofs_are_those_of_the_definition(size: int, data: st.DataObject) -> None:
    """Step by step and by recursion, the same hashes in the same order; and they verify."""
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    everything = entries(size)
    tree = Tree(everything)
    inclusion, consistency = prove_inclusion(index, size, tree), prove_consistency(old, size, tree)
    assert inclusion == path(index, everything)
    assert consistency == subproof(old, everything, True)
    assert includes(mth(everything), size, index, leaf_hash(everything[index]), inclusion)
    assert consistent(old, mth(everything[:old]), size, mth(everything), consistency)


@given(st.integers(1, 1 << 40), st.data())
def test_the_longest_proof_is_short(size: int, data: st.DataObject) -> None:
    """A proof grows with the logarithm of the tree: 40 hashes for a million million entries."""
    index = data.draw(st.integers(0, size - 1))
    assert len(inclusion_ranges(index, size)) <= (size - 1).bit_length()
    assert len(consistency_ranges(index + 1, size)) <= (size - 1).bit_length() + 1


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 5), (5, 5)])
def test_no_proof_of_what_is_not_there(index: int, size: int) -> None:
    """To ask for a leaf beyond the tree is a mistake, and is told as one."""
    with pytest.raises(ValueError, match="has no entry"):
        inclusion_ranges(index, size)
    assert not includes(bytes(32), size, index, bytes(32), [])


@pytest.mark.parametrize(("old", "new"), [(0, 5), (-1, 5), (6, 5)])
def test_no_proof_backwards_or_from_nothing(old: int, new: int) -> None:
    """Trees only grow, and nothing is proven about no entries."""
    with pytest.raises(ValueError, match="no proof"):
        consistency_ranges(old, new)
    assert not consistent(old, bytes(32), new, bytes(32), [bytes(32)])


# --- altered proofs ---------------------------------------------------------------------------------------


@given(SIZES, st.data())
def test_an_altered_inclusion_proof_is_rejected(size: int, data: st.DataObject) -> None:
    """Another hash, one less, one more, another leaf, place, size or root: none of them passes."""
    tree = Tree(entries(size))
    index = data.draw(st.integers(0, size - 1))
    root, leaf, proof = tree.root(size), tree.leaves[index], prove_inclusion(index, size, tree)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        assert not includes(root, size, index, leaf, [*proof[:at], flipped(proof[at]), *proof[at + 1 :]])
        assert not includes(root, size, index, leaf, proof[:-1])
        assert not includes(root, size, index, leaf, proof[1:])
    assert not includes(root, size, index, leaf, [*proof, root])
    assert not includes(root, size, index, flipped(leaf), proof)
    assert not includes(flipped(root), size, index, leaf, proof)
    other = data.draw(st.integers(0, size - 1))
    assert includes(root, size, other, leaf, proof) == (other == index)


@given(SIZES, st.data())
def test_an_altered_consistency_proof_is_rejected(size: int, data: st.DataObject) -> None:
    """Another hash, one less, one more, other roots: none of them passes."""
    tree = Tree(entries(size))
    old = data.draw(st.integers(1, size))
    was, is_, proof = tree.root(old), tree.root(size), prove_consistency(old, size, tree)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        assert not consistent(old, was, size, is_, [*proof[:at], flipped(proof[at]), *proof[at + 1 :]])
        assert not consistent(old, was, size, is_, proof[:-1])
    assert not consistent(old, was, size, is_, [*proof, is_])
    assert not consistent(old, flipped(was), size, is_, proof)
    assert not consistent(old, was, size, flipped(is_), proof)


@given(SIZES, st.data())
def test_a_rewritten_history_has_no_proof(size: int, data: st.DataObject) -> None:
    """One entry before `old` changed, all hashes computed anew: its own proof does not fit the old root."""
    old = data.draw(st.integers(1, size))
    at = data.draw(st.integers(0, old - 1))
    before, after = entries(size), entries(size)
    after[at] += b"!"
    assume(before != after)
    proof = prove_consistency(old, size, Tree(after))
    assert not consistent(old, Tree(before).root(old), size, Tree(after).root(size), proof)


def flipped(data: bytes) -> bytes:
    """The same bytes but for one bit."""
    return bytes([data[0] ^ 1]) + data[1:]
