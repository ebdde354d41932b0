"""The Merkle tree over a lane's entries: RFC 9162, section 2.1.

Rules of this file: pure, and frozen. What these functions answer for given leaves is history; a change
would make every proof ever given wrong.

A leaf is `SHA-256(0x00 || entry)`, a node is `SHA-256(0x01 || left || right)`. To append, one needs only
the roots of the perfect subtrees that make up the tree so far (at most one per power of two): the
`Frontier`. It is what the store keeps between transactions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()

NODE_STEP = 4
"""Levels of the tree between two of which the roots of complete subtrees are kept, beside the leaves."""

_HASH_BYTES = 32


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry's canonical bytes, as a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two neighbouring subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a tree: enough to append to it and to say its root.

    `size` is the number of leaves; `nodes` the perfect subtrees' roots, the largest (leftmost) first.
    """

    __slots__ = ("nodes", "size")

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()) -> None:
        self.size = size
        self.nodes = list(nodes)
        fits = size >= 0 and len(self.nodes) == size.bit_count()
        if not fits or any(len(node) != _HASH_BYTES for node in self.nodes):
            raise ValueError(f"{len(self.nodes)} subtrees cannot make up a tree of {size} leaves")

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes in order. Subtrees of equal size merge, as carries do in a binary counter."""
        nodes, size = self.nodes, self.size
        for node in leaves:
            carry = size
            while carry & 1:
                node = node_hash(nodes.pop(), node)
                carry >>= 1
            nodes.append(node)
            size += 1
        self.size = size

    def closing(self, leaf: bytes) -> Iterator[tuple[int, bytes]]:
        """The perfect subtrees that `leaf` would complete, as (level, root), the smallest first: those whose
        level is a multiple of `NODE_STEP`. A subtree of level k has 2**k leaves."""
        node, carry = leaf, self.size
        for level, left in enumerate(reversed(self.nodes), 1):
            if not carry & 1:
                return
            node = node_hash(left, node)
            carry >>= 1
            if level % NODE_STEP == 0:
                yield level, node

    def root(self) -> bytes:
        """The root over all leaves so far (the Merkle Tree Hash, RFC 9162 section 2.1.1)."""
        if not self.nodes:
            return EMPTY_ROOT
        root = self.nodes[-1]
        for left in reversed(self.nodes[:-1]):
            root = node_hash(left, root)
        return root

    def copy(self) -> Frontier:
        """An independent frontier of the same tree."""
        return Frontier(self.size, self.nodes)

    def to_bytes(self) -> bytes:
        """The subtrees' roots, one after another; with `size` this is the whole state."""
        return b"".join(self.nodes)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> Frontier:
        """The frontier that `to_bytes` wrote. Raises ValueError when the two do not fit together."""
        nodes = [data[at : at + _HASH_BYTES] for at in range(0, len(data), _HASH_BYTES)]
        return cls(size, nodes)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes."""
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root()
