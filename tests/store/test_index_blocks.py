"""Which numbers were archived when: never too few of them, and counted exactly."""

from __future__ import annotations

import random

from bridge.store.index.blocks import SIZE, Block, Blocks


def blocks_of(times: list[int]) -> Blocks:
    """Blocks of messages 0, 1, 2, ... archived at these times."""
    groups = [times[start : start + SIZE] for start in range(0, len(times), SIZE)]
    return Blocks([Block(n, len(group), min(group), max(group)) for n, group in enumerate(groups)])


def clock(count: int, seed: int) -> list[int]:
    """A clock that goes on, stands still, and is put back now and then."""
    chance, at, found = random.Random(seed), 10_000, []
    for _ in range(count):
        at += chance.choice((0, 0, 1, 3)) if chance.random() < 0.999 else -chance.randrange(2000)
        found.append(at)
    return found


def test_a_range_has_every_number_of_its_time() -> None:
    """Also where the clock was put back, and for times before, behind and between all messages."""
    for seed in range(4):
        times = clock(5 * SIZE + 77, seed)
        blocks, chance = blocks_of(times), random.Random(seed)
        for _ in range(40):
            since = chance.randrange(min(times) - 50, max(times) + 50)
            until = since + chance.randrange(1, 3000)
            first, last = blocks.between(since, until)
            assert [n for n, at in enumerate(times) if since <= at < until and not first <= n <= last] == []


def test_whole_blocks_are_counted_exactly() -> None:
    """What is counted is inside the range and the time; the caller counts what is left at both ends."""
    for seed in range(4):
        times = clock(6 * SIZE + 5, seed)
        blocks, chance = blocks_of(times), random.Random(seed)
        for _ in range(40):
            since = chance.choice((0, chance.randrange(min(times), max(times))))
            until = chance.choice((0, since + chance.randrange(1, 4000)))
            first, last = sorted(chance.sample(range(len(times)), 2))
            count = blocks.count(first, last, since, until)
            inside = range(count.first, count.last + 1)
            assert all(first <= number <= last for number in inside)
            assert all(since <= times[n] and (not until or times[n] < until) for n in inside)
            assert count.messages == len(inside)


def test_an_open_time_has_everything_from_its_end_on() -> None:
    """Nothing is known of the last block and behind it: it is always in the range."""
    times = list(range(3 * SIZE))
    assert blocks_of(times).between(0, 0)[0] == 0
    assert blocks_of(times).between(2 * SIZE + 5, 0)[0] == 2 * SIZE
    assert blocks_of(times).between(0, 0)[1] > 10**12
    assert Blocks().between(5, 9)[0] == 0
    assert Blocks().count(0, 10**6, 0, 0).messages == 0


def test_blocks_are_added_as_they_are_read() -> None:
    """All at once or a few at a time: the same is known."""
    times = clock(9 * SIZE + 5, 1)
    whole = blocks_of(times)
    grown = Blocks()
    for end in (SIZE // 2, 2 * SIZE, 2 * SIZE + 9, 7 * SIZE + 1, len(times)):
        rows = [*blocks_of(times[:end]).blocks, _last(times[:end])]
        grown = grown.followed_by([row for row in rows if row.place >= grown.end // SIZE])
    assert grown.blocks == whole.blocks
    assert grown.followed_by([]) is grown


def _last(times: list[int]) -> Block:
    """The block that may be growing."""
    place = (len(times) - 1) // SIZE
    inside = times[place * SIZE :]
    return Block(place, len(inside), min(inside), max(inside))
