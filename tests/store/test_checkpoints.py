"""Rows of checkpoints: in order, of committed heads, by the owner of the lane."""

from __future__ import annotations

import pytest
from rig import Hands

from bridge.errors import StoreError
from bridge.store import checkpoints


async def test_the_head_is_what_was_committed_last(hands: Hands) -> None:
    """Size and root are those of the newest head; there is none of a lane that does not exist."""
    ((size, root),) = await hands.rows("SELECT size, root FROM heads ORDER BY size DESC LIMIT 1")
    assert await hands.store.read(lambda db: checkpoints.head(db, 0)) == (size, root)
    assert await hands.store.read(lambda db: checkpoints.head(db, 7)) is None


async def test_checkpoints_come_back_in_order(hands: Hands) -> None:
    """The newest, one by its size, and those after a size, a few at a time."""
    read, epoch = hands.store.read, hands.store.epoch
    assert await read(lambda db: checkpoints.newest(db, 0)) is None
    for size in (3, 9, 20):
        await hands.store.write(lambda tx, size=size: checkpoints.keep(tx, 0, size, f"note {size}", epoch))
    assert await read(lambda db: checkpoints.newest(db, 0)) == (20, "note 20")
    assert await read(lambda db: checkpoints.after(db, 0, 3, 1)) == [(9, "note 9")]
    assert await read(lambda db: checkpoints.after(db, 0, 3, 9)) == [(9, "note 9"), (20, "note 20")]
    assert await read(lambda db: checkpoints.note_of(db, 0, 9)) == "note 9"
    assert await read(lambda db: checkpoints.note_of(db, 0, 10)) is None


async def test_only_the_owner_of_the_lane_signs(hands: Hands) -> None:
    """A daemon that was replaced without noticing leaves no checkpoint."""
    with pytest.raises(StoreError, match="taken by another daemon"):
        await hands.store.write(lambda tx: checkpoints.keep(tx, 0, 3, "note", hands.store.epoch - 1))
    assert await hands.rows("SELECT * FROM checkpoints") == []


async def test_leaves_are_a_range_of_the_ledger(hands: Hands) -> None:
    """From the first number up to, and without, the last."""
    leaves = await hands.rows("SELECT leaf FROM ledger ORDER BY seq")
    found = await hands.store.read(lambda db: checkpoints.leaves(db, 0, 1, 3))
    assert found == [leaf for (leaf,) in leaves[1:3]]
