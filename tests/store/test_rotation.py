"""Rotation: another master key, new store keys, the same content; interrupted, it comes to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import delete, select
from story import REVIEWER, Story, varied

from bridge.errors import ConfigError, Conflict, KeyMissing, StoreError
from bridge.keepers import KeyFile, KeyInMemory
from bridge.store import rotation, views
from bridge.store import schema as s
from bridge.store.rotation import Position
from bridge.store.signing import verifiers
from bridge.store.verify import Finding, verify


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    """A store with a bit of everything, open."""
    one = await varied(tmp_path)
    yield one
    one.store.close()


def key_file(story: Story) -> KeyFile:
    """The key file of a story."""
    return KeyFile(story.folder / "secrets" / "store-key")


async def begin(story: Story) -> int:
    """The first step: a new master key, and a store key for what is written from here on."""
    key_file(story).renew()
    return await story.store.write(lambda tx: rotation.rotate(tx, 0, REVIEWER, "yearly"))


async def rewrap(story: Story, steps: int = 1000) -> Position | None:
    """So many steps of the second: gives how far it came."""
    after: Position | None = Position()
    while after is not None and steps:
        start, steps = after, steps - 1
        after = await story.store.write(lambda tx: rotation.rewrap(tx, start))  # noqa: B023
    digest: str | None = ""
    while digest is not None and steps:
        first = digest
        digest = await story.store.write(lambda tx: rotation.rewrap_files(tx, first))  # noqa: B023
    return after


async def end(story: Story) -> list[int]:
    """The last: old keys are destroyed; gives which store keys."""
    numbers, needed = await story.store.write(lambda tx: rotation.retire(tx, 0, REVIEWER, "yearly"))
    key_file(story).forget(needed)
    return numbers


async def texts(story: Story) -> list[str]:
    """What the archive says."""
    lines = await story.store.read(lambda db: views.archive(db, views.Filter(), 500))
    return [line["text"] for line in lines]


async def findings(story: Story) -> list[Finding]:
    """What `verify` finds."""
    found: list[Finding] = []
    keys = verifiers([story.folder / "secrets/checkpoint-key.pub"])
    await story.store.read(lambda db: verify(db, story.blobs, found.append, keys=keys))
    return found


async def sealed(story: Story) -> list[tuple]:
    """The sealed bytes of every record as they lie in the table."""
    query = "SELECT lane, seq, salt, body, raw FROM content ORDER BY lane, seq"
    return await story.store.read(lambda db: db.exec_driver_sql(query).all())


async def test_content_is_not_written_again(story: Story) -> None:
    """Every key changes, no record does; what was sealed before reads as before."""
    before, said, name = await sealed(story), await texts(story), key_file(story).current
    number = await begin(story)
    await rewrap(story)
    assert await end(story) == [1]
    after = await sealed(story)
    assert after[: len(before)] == before
    assert await texts(story) == said
    standing = await story.store.read(lambda db: rotation.standing(db, key_file(story)))
    assert [(one["id"], one["purpose"]) for one in standing.store_keys] == [
        (2, "tokens"),
        (number, "records"),
    ]
    assert {one["master"] for one in standing.store_keys} == {key_file(story).current} != {name}
    assert await findings(story) == []
    kinds = [one["kind"] for one in await story.store.read(rotation.history)]
    assert kinds == ["key:rotated", "key:retired"]


async def test_the_old_master_key_opens_nothing_afterwards(story: Story) -> None:
    """A copy of the key file from before the rotation is of no use for the store after it."""
    old = KeyInMemory(*key_file(story).reveal())
    await begin(story)
    await rewrap(story)
    await end(story)
    with pytest.raises(KeyMissing):
        await story.store.read(lambda db: rotation.fits(db, old))
    assert list(key_file(story)._read()["keys"]) == [key_file(story).current]


async def test_traffic_goes_on_meanwhile(story: Story) -> None:
    """Messages and attachments that come during every step are sealed by the newest key, and read."""

    async def talk(word: str) -> None:
        await story.archive(story.says(f"{word} the rotation"))
        await story.judge()

    talking = asyncio.create_task(talk("at the beginning of"))
    await begin(story)
    await talking
    await asyncio.gather(rewrap(story), talk("amid"))
    await end(story)
    await talk("after")
    said = await texts(story)
    for word in ("at the beginning of", "amid", "after"):
        assert f"{word} the rotation" in said
    assert await findings(story) == []


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
async def test_killed_between_steps_it_goes_on(
    story: Story, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """Another process finds some keys rewrapped and some not: everything reads, and the rest is done."""
    monkeypatch.setattr(rotation, "MANY", 7)
    said = await texts(story)
    await begin(story)
    await rewrap(story, steps)
    story.store.close()
    again = Story(story.folder, story.clock, story.ids)
    try:
        assert await texts(again) == said
        with pytest.raises(Conflict, match="not at its end"):
            await again.store.write(lambda tx: rotation.rotate(tx, 0, REVIEWER, "again"))
        with pytest.raises(StoreError, match="still wraps"):
            await end(again)
        await rewrap(again)
        assert await end(again) == [1]
        assert await texts(again) == said
        assert await findings(again) == []
    finally:
        again.store.close()
        story.store = Story(story.folder, story.clock, story.ids).store


async def test_killed_after_the_new_master_key_was_made(story: Story) -> None:
    """A key that wraps nothing yet is in the file: nothing is lost, and the next rotation drops it."""
    key_file(story).renew()
    said = await texts(story)
    await begin(story)
    await rewrap(story)
    await end(story)
    assert await texts(story) == said
    assert len(key_file(story)._read()["keys"]) == 1


async def test_an_attachment_is_read_after_a_rotation(story: Story) -> None:
    """Its key is rewrapped as well; its file is as it was."""
    query = select(s.files.c.digest).where(s.files.c.state == "archived")
    (digest,) = await story.store.read(lambda db: db.execute(query).scalars().all())

    async def read() -> bytes:
        return b"".join([piece async for piece in story.store.blobs.read(digest)])

    before = await read()
    await begin(story)
    await rewrap(story)
    await end(story)
    assert await read() == before


async def test_a_drill_opens_a_canary(story: Story) -> None:
    """The key alone opens what was sealed at the last escrow; another key does not."""
    facts = {"master": key_file(story).current, "shares": 3, "needed": 2}
    with pytest.raises(Conflict, match="never split"):
        await story.store.read(lambda db: rotation.canary(db, key_file(story)))
    place = await story.store.write(lambda tx: rotation.escrowed(tx, 0, REVIEWER, "custodians", facts))
    keeper = KeyInMemory(*key_file(story).reveal())
    assert await story.store.read(lambda db: rotation.canary(db, keeper)) == place
    wrong = KeyInMemory(keeper.current, bytes(32))
    with pytest.raises(ConfigError, match="do not give master key"):
        await story.store.read(lambda db: rotation.canary(db, wrong))
    assert await findings(story) == []


def on_disk(story: Story) -> bytes:
    """The database and its log, as they lie there."""
    files = [story.folder / f"weighbridge.db{end}" for end in ("", "-wal")]
    return b"".join(path.read_bytes() for path in files if path.exists())


async def wrapped(story: Story) -> list[bytes]:
    """Every wrapped key of a record."""
    return await story.store.read(lambda db: db.scalars(select(s.data_keys.c.wrapped)).all())


async def test_a_destroyed_key_leaves_no_trace(story: Story) -> None:
    """Whole pages of keys, deleted: zeros in the file, and nothing in the log once that is cleared."""
    keys = await wrapped(story)
    before = on_disk(story)
    assert all(key in before for key in keys)
    await story.store.write(lambda tx: tx.db.execute(delete(s.data_keys)))
    assert rotation.clear_log(story.store.engine)
    after = on_disk(story)
    assert [key for key in keys if key[-48:] in after] == []


async def test_a_rotation_leaves_no_key_of_before(story: Story) -> None:
    """Whoever has the old master key finds nothing in the file or the log that it would open."""
    await story.store.read(lambda db: None)
    before = await story.store.read(lambda db: db.scalars(select(s.store_keys.c.wrapped)).all())
    before += await wrapped(story)
    await begin(story)
    await rewrap(story)
    await end(story)
    assert rotation.clear_log(story.store.engine)
    assert [key for key in before if key[-32:] in on_disk(story)] == []


async def test_closing_the_store_leaves_no_log(story: Story) -> None:
    """After a clean end everything is in the one file."""
    story.store.close()
    assert not (story.folder / "weighbridge.db-wal").exists()
    story.store = Story(story.folder, story.clock, story.ids).store
