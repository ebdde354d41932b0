"""Rows of checkpoints: in order, of committed heads, by the owner of the lane."""

from __future__ import annotations

import pytest
from rig import Hands

from bridge.errors import StoreError
from bridge.store import checkpoints
from bridge.store.checkpoints import Answer


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


async def test_what_was_signed_is_not_signed_again(hands: Hands) -> None:
    """A round that was cancelled may have been written: the last one, of the same size, changes nothing."""
    for _ in range(2):
        await hands.store.write(lambda tx: checkpoints.keep(tx, 0, 3, "note", hands.store.epoch))
    assert await hands.rows("SELECT size, note FROM checkpoints") == [(3, b"note")]


async def test_only_the_owner_of_the_lane_signs(hands: Hands) -> None:
    """A daemon that was replaced without noticing leaves no checkpoint."""
    with pytest.raises(StoreError, match="taken by another daemon"):
        await hands.store.write(lambda tx: checkpoints.keep(tx, 0, 3, "note", hands.store.epoch - 1))
    assert await hands.rows("SELECT * FROM checkpoints") == []


async def test_answers_are_kept_once_and_come_back_in_order(hands: Hands) -> None:
    """Of each place for each size the first; the last of a place, and all of a range."""
    read, epoch = hands.store.read, hands.store.epoch
    first = Answer(0, 3, "rfc3161+https://tsa.example/tsr", 100, b"token")
    later = first._replace(size=9, at=200)
    for answer in (
        first,
        first._replace(at=150, answer=b"other"),
        later,
        first._replace(witness="symphony:a"),
    ):
        await hands.store.write(lambda tx, one=answer: checkpoints.keep_answer(tx, one, epoch))
    assert await read(lambda db: checkpoints.last_answer(db, 0, first.witness)) == later
    assert await read(lambda db: checkpoints.last_answer(db, 0, "nobody")) is None
    assert await read(lambda db: checkpoints.answers(db, 0, 0, 3)) == [
        first, first._replace(witness="symphony:a"),
    ]  # fmt: skip
    with pytest.raises(StoreError, match="taken by another daemon"):
        await hands.store.write(lambda tx: checkpoints.keep_answer(tx, later, epoch - 1))


async def test_leaves_are_a_range_of_the_ledger(hands: Hands) -> None:
    """From the first number up to, and without, the last."""
    leaves = await hands.rows("SELECT leaf FROM ledger ORDER BY seq")
    found = await hands.store.read(lambda db: checkpoints.leaves(db, 0, 1, 3))
    assert found == [leaf for (leaf,) in leaves[1:3]]


async def test_what_was_stamped_comes_with_its_responses(hands: Hands) -> None:
    """Checkpoints that an authority answered to, in order, with every response; ids of posts are none."""
    epoch = hands.store.epoch
    for size in (3, 9, 20):
        await hands.store.write(lambda tx, size=size: checkpoints.keep(tx, 0, size, f"note {size}", epoch))
    for size, witness in (
        (9, "rfc3161+http://b"),
        (3, "rfc3161+http://b"),
        (3, "rfc3161+http://a"),
        (20, "symphony:r"),
    ):
        answer = Answer(0, size, witness, 5, f"{size} {witness[-1]}".encode())
        await hands.store.write(lambda tx, one=answer: checkpoints.keep_answer(tx, one, epoch))
    found = await hands.store.read(lambda db: list(checkpoints.stamped(db, 0)))
    assert found == [(3, "note 3", [b"3 a", b"3 b"]), (9, "note 9", [b"9 b"])]
