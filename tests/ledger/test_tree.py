"""The Merkle tree against RFC 9162's own definition, written here again, and against published roots."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ledger.tree import EMPTY_ROOT, Frontier, leaf_hash, node_hash, root_of

# The eight inputs, and the roots after each, that implementations of Certificate Transparency share.
INPUTS = [
    bytes.fromhex(one)
    for one in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

ENTRIES = st.lists(st.binary(max_size=40), max_size=70)


def merkle_tree_hash(entries: list[bytes]) -> bytes:
    """MTH(D[n]), word for word from RFC 9162, section 2.1.1."""
    if not entries:
        return hashlib.sha256().digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    split = 1  # the largest power of two smaller than n
    while split * 2 < len(entries):
        split *= 2
    left, right = merkle_tree_hash(entries[:split]), merkle_tree_hash(entries[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def grown(entries: list[bytes]) -> Frontier:
    """A frontier to which `entries` were appended one by one."""
    frontier = Frontier()
    for entry in entries:
        frontier.append(leaf_hash(entry))
    return frontier


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_roots_are_the_published_ones(size: int) -> None:
    """Trees of none to eight known entries have the roots that everybody else computes."""
    assert grown(INPUTS[:size]).root().hex() == ROOTS[size]
    assert root_of([leaf_hash(one) for one in INPUTS[:size]]).hex() == ROOTS[size]
    assert merkle_tree_hash(INPUTS[:size]).hex() == ROOTS[size]


def test_the_empty_tree_has_a_root() -> None:
    """The hash of nothing."""
    assert Frontier().root() == root_of([]) == EMPTY_ROOT == hashlib.sha256(b"").digest()


@given(ENTRIES)
def test_the_root_is_the_merkle_tree_hash(entries: list[bytes]) -> None:
    """Whatever the entries and however many, appending arrives at the RFC's definition."""
    assert grown(entries).root() == merkle_tree_hash(entries)
    assert root_of([leaf_hash(one) for one in entries]) == merkle_tree_hash(entries)


def test_every_size_up_to_a_few_levels() -> None:
    """No size between the powers of two is special."""
    entries = [size.to_bytes(2, "big") for size in range(260)]
    frontier = Frontier()
    for size, entry in enumerate(entries, start=1):
        frontier.append(leaf_hash(entry))
        assert frontier.root() == merkle_tree_hash(entries[:size]), size


@given(st.lists(st.binary(max_size=8), min_size=2, max_size=20, unique=True), st.data())
def test_order_matters(entries: list[bytes], data: st.DataObject) -> None:
    """The same entries in another order are another tree."""
    other = data.draw(st.permutations(entries))
    assert (grown(entries).root() == grown(other).root()) == (entries == other)


@given(ENTRIES.filter(bool), st.data())
def test_every_entry_counts(entries: list[bytes], data: st.DataObject) -> None:
    """To change, leave out or repeat any one entry changes the root."""
    at = data.draw(st.integers(0, len(entries) - 1))
    root = grown(entries).root()
    assert grown([*entries[:at], entries[at] + b"!", *entries[at + 1 :]]).root() != root
    assert grown([*entries[:at], *entries[at + 1 :]]).root() != root
    assert grown([*entries[: at + 1], *entries[at:]]).root() != root


def test_a_leaf_cannot_pass_for_a_node() -> None:
    """Leaves and nodes are hashed under different first bytes (RFC 9162, section 2.1)."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)
    assert node_hash(left, right) != node_hash(right, left)


# --- the state between transactions -----------------------------------------------------------------------


@given(ENTRIES, ENTRIES)
def test_a_stored_frontier_goes_on_as_if_never_stored(before: list[bytes], later: list[bytes]) -> None:
    """To bytes and back between any two entries changes nothing."""
    frontier = grown(before)
    again = Frontier.from_bytes(frontier.size, frontier.to_bytes())
    assert (again.size, again.nodes, again.root()) == (frontier.size, frontier.nodes, frontier.root())
    for entry in later:
        again.append(leaf_hash(entry))
    assert again.root() == merkle_tree_hash(before + later)
    assert again.size == len(before) + len(later)


@given(ENTRIES)
def test_the_frontier_is_small(entries: list[bytes]) -> None:
    """One subtree for each bit that is set in the size, 32 bytes each."""
    frontier = grown(entries)
    assert len(frontier.to_bytes()) == 32 * f"{len(entries):b}".count("1")


def test_a_copy_is_independent() -> None:
    """Appending to a copy does not touch the original: a rolled back job leaves no trace."""
    frontier = grown(INPUTS[:3])
    copy = frontier.copy()
    copy.append(leaf_hash(b"more"))
    assert frontier.root().hex() == ROOTS[3]
    assert (frontier.size, copy.size) == (3, 4)


@pytest.mark.parametrize(
    ("size", "data"),
    [
        *((0, bytes(32)), (1, b""), (1, bytes(31)), (1, bytes(33)), (1, bytes(64)), (2, bytes(64))),
        *((3, bytes(32)), (3, bytes(63)), (3, bytes(96)), (7, bytes(64)), (-1, bytes(32)), (-3, bytes(64))),
    ],
)
def test_state_that_does_not_fit_is_refused(size: int, data: bytes) -> None:
    """A damaged row is noticed before anything is appended to it."""
    with pytest.raises(ValueError, match=f"a tree of {size} leaves"):
        Frontier.from_bytes(size, data)


@given(st.integers(0, 5000), st.integers(0, 5000), st.binary(min_size=32, max_size=32))
def test_size_and_nodes_belong_together(size: int, other: int, node: bytes) -> None:
    """A frontier is accepted for exactly the sizes that have as many subtrees."""
    nodes = [node] * size.bit_count()
    if other.bit_count() == size.bit_count():
        assert Frontier(other, nodes).size == other
    else:
        with pytest.raises(ValueError, match="cannot make up a tree"):
            Frontier(other, nodes)


@given(st.integers(1, 600))
def test_a_leaf_completes_the_subtrees_that_end_with_it(size: int) -> None:
    """At every fourth level, the smallest first; each has the root of its own leaves."""
    leaves = [leaf_hash(number.to_bytes(2, "big")) for number in range(size)]
    frontier = Frontier()
    frontier.extend(leaves[:-1])
    levels = [level for level in range(4, 12, 4) if size % (1 << level) == 0]
    made = [(level, root_of(leaves[size - (1 << level) :])) for level in levels]
    assert list(frontier.closing(leaves[-1])) == made
    assert frontier.size == size - 1
