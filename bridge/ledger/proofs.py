"""Proofs about the Merkle tree, and their verification: RFC 9162, sections 2.1.3 and 2.1.4.

Rules of this file: pure, and frozen as the tree itself is. A proof is a list of hashes of subtrees; which
subtrees these are follows from sizes and places alone, so they are named as ranges of leaves first
(`inclusion_ranges`, `consistency_ranges`), and whoever has the leaves hashes those. Verification is the
RFC's own, step by step: it shares nothing with the making of proofs but the hash of a node.

    inclusion     entry number `index` is in the tree of `size` entries that has this root
    consistency   the tree of `new` entries begins with all entries of the tree of `old` ones, unchanged
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from bridge.ledger.tree import node_hash

Range: TypeAlias = tuple[int, int]
"""Leaves from the first number up to, and without, the second: always a subtree of the tree they are in."""

Subtree: TypeAlias = Callable[[int, int], bytes]
"""Gives the root over the leaves of a range."""


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The subtrees whose hashes prove that leaf `index` is in a tree of `size`, in the proof's order.

    RFC 9162, section 2.1.3.1. Raises ValueError when the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} entries has no entry {index}")
    found = []
    first, last = 0, size
    while last - first > 1:
        middle = first + _left(last - first)
        if index < middle:
            found.append((middle, last))
            last = middle
        else:
            found.append((first, middle))
            first = middle
    return found[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The subtrees whose hashes prove that the tree of `new` leaves goes on from the one of `old`.

    RFC 9162, section 2.1.4.1. Raises ValueError unless 0 < old <= new: nothing is proven about no entries.
    """
    if not 0 < old <= new:
        raise ValueError(f"there is no proof from a tree of {old} entries to one of {new}")
    found = []
    first, last = 0, new
    while old != last:
        middle = first + _left(last - first)
        if old <= middle:
            found.append((middle, last))
            last = middle
        else:
            found.append((first, middle))
            first = middle
    if first:  # the old tree is no subtree of the new one: its right edge has to be shown
        found.append((first, last))
    return found[::-1]


def prove_inclusion(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """The proof that leaf `index` is in the tree of `size`; `subtree` gives the hashes."""
    return [subtree(first, last) for first, last in inclusion_ranges(index, size)]


def prove_consistency(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """The proof that the tree of `new` leaves goes on from the one of `old`; `subtree` gives the hashes."""
    return [subtree(first, last) for first, last in consistency_ranges(old, new)]


def includes(root: bytes, size: int, index: int, leaf: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` proves that `leaf` stands at `index` in the tree of `size` with this `root`.

    RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        return False
    node, edge, is_ = index, size - 1, leaf
    for sibling in path:
        if edge == 0:
            return False
        if node & 1 or node == edge:
            is_ = node_hash(sibling, is_)
            node, edge = _up_to_a_right_one(node, edge)
        else:
            is_ = node_hash(is_, sibling)
        node, edge = node >> 1, edge >> 1
    return edge == 0 and is_ == root


def consistent(old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` proves that the tree of `new` leaves goes on from the one of `old`, by their roots.

    RFC 9162, section 2.1.4.2. Of two trees of one size it asks for equal roots and an empty path.
    """
    if not 0 < old <= new:
        return False
    if old == new:
        return not path and old_root == new_root
    path = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not path:
        return False
    node, edge = old - 1, new - 1
    while node & 1:
        node, edge = node >> 1, edge >> 1
    was = is_ = path[0]
    for sibling in path[1:]:
        if edge == 0:
            return False
        if node & 1 or node == edge:
            was, is_ = node_hash(sibling, was), node_hash(sibling, is_)
            node, edge = _up_to_a_right_one(node, edge)
        else:
            is_ = node_hash(is_, sibling)
        node, edge = node >> 1, edge >> 1
    return edge == 0 and was == old_root and is_ == new_root


def _left(size: int) -> int:
    """How many leaves the left subtree of a tree of `size` has: the largest power of two below it."""
    return 1 << ((size - 1).bit_length() - 1)


def _up_to_a_right_one(node: int, edge: int) -> tuple[int, int]:
    """Up the right edge, to where the node is a right child: in between it has no sibling."""
    while node and not node & 1:
        node, edge = node >> 1, edge >> 1
    return node, edge
