"""The notary signs what was committed, leaves it outside, and never stands in anybody's way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rig import Clock, Hands, message, new_store, opened
from sqlalchemy import select

from bridge import notary as notary_module
from bridge.ledger.checkpoint import verified
from bridge.ledger.tree import root_of
from bridge.message import SYMPHONY
from bridge.notary import Notary
from bridge.store import checkpoints
from bridge.store import schema as s
from bridge.store.anchors import AnchorFolder
from bridge.store.database import Database
from bridge.store.gathering import gathered
from bridge.store.signing import drawn
from bridge.witnesses.shelf import OnShelf

SIGNER = drawn()
KEY = SIGNER.verifier(0)


@pytest.fixture
async def hands(tmp_path: Path) -> AsyncIterator[Hands]:
    """A store that is ours, and what the rooms do to it."""
    new_store(tmp_path)
    clock = Clock()
    store = opened(tmp_path, clock)
    await store.own("the test")
    yield Hands(store, clock)
    store.close()


def made(store: Database, *folders: Path) -> Notary:
    """A notary who has not begun."""
    shelves = [OnShelf(AnchorFolder(folder), str(folder), 0.0, SIGNER, 1) for folder in folders]
    return Notary(SIGNER, store, shelves, 60.0)


async def say(hands: Hands, number: int) -> None:
    """Something is appended to the ledger."""
    hands.clock.forward(1000)
    await hands.say(message(SYMPHONY, number))


def sizes(folder: Path) -> list[int]:
    """Of which checkpoints a folder has."""
    return [one.size for one in gathered([folder])]


async def in_table(store: Database) -> list[int]:
    """Of which checkpoints the database has."""
    return [size for size, _ in await store.read(lambda db: checkpoints.after(db, 0, 0, 999))]


async def test_what_was_appended_is_signed_and_left_outside(hands: Hands, tmp_path: Path) -> None:
    """The root over all that was committed, under our key, in the table and in every folder; once."""
    folders = tmp_path / "near", tmp_path / "far"
    notary = made(hands.store, *folders)
    for number in range(3):
        await say(hands, number)
        await notary.round()
        await notary.round()
    leaves = await hands.store.read(lambda db: list(db.scalars(select(s.ledger.c.leaf))))
    note = (await hands.store.read(lambda db: checkpoints.newest(db, 0)) or (0, ""))[1]
    said = verified(note, [KEY])
    assert (said.size, said.root) == (len(leaves), root_of(leaves))
    assert len(await in_table(hands.store)) == 3
    for folder in folders:
        assert sizes(folder) == await in_table(hands.store)
    assert notary.trouble() == ""


async def test_a_folder_that_is_away_is_told_and_caught_up_with(hands: Hands, tmp_path: Path) -> None:
    """The other folder gets its checkpoints meanwhile, the age grows, and nothing is missing afterwards."""
    near, far = tmp_path / "near", tmp_path / "far"
    notary = made(hands.store, near, far)
    await notary.round()
    assert notary.age() == 0
    far.rename(tmp_path / "unmounted")
    far.write_text("no folder")
    for number in range(3):
        await say(hands, number)
        await notary.round()
    assert str(far) in notary.trouble()
    assert notary.age() == 3.0
    assert sizes(near) == await in_table(hands.store)
    far.unlink()
    (tmp_path / "unmounted").rename(far)
    await notary.round()
    assert (notary.trouble(), notary.age()) == ("", 0)
    assert sizes(far) == await in_table(hands.store)


async def test_a_folder_that_hangs_holds_nobody_up(
    hands: Hands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that does not answer costs a bounded wait once, and no more threads after it."""
    monkeypatch.setattr(notary_module, "PATIENCE", 0.05)
    near, far = tmp_path / "near", tmp_path / "far"
    notary = made(hands.store, near, far)
    await notary.round()
    freed, calls = threading.Event(), []
    put = AnchorFolder.put

    def hang(folder: AnchorFolder, *rest: object) -> None:
        if folder.path == far:
            calls.append(rest)
            freed.wait(30)
        put(folder, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(AnchorFolder, "put", hang)
    for number in range(3):
        await say(hands, number)
        await notary.round()
    assert len(calls) == 1
    assert "slow" in notary.trouble()
    assert sizes(near) == await in_table(hands.store)
    freed.set()
    async with asyncio.timeout(30):
        while any(place.witness.busy for place in notary.places):  # noqa: ASYNC110 - a thread rings no bell
            await asyncio.sleep(0.01)
    await notary.round()
    assert notary.trouble() == ""
    assert sizes(far) == await in_table(hands.store)


async def test_a_crash_between_signing_and_anchoring_loses_nothing(hands: Hands, tmp_path: Path) -> None:
    """What was signed and not yet left outside is brought there by the next notary."""
    folder = tmp_path / "kept"
    await made(hands.store, folder).round()
    await say(hands, 1)
    await made(hands.store).round()  # one without folders: as if it had died after its commit
    assert sizes(folder) == (await in_table(hands.store))[:1]
    await made(hands.store, folder).round()
    assert sizes(folder) == await in_table(hands.store)


async def test_a_new_folder_begins_with_the_newest(hands: Hands, tmp_path: Path) -> None:
    """One checkpoint proves all before it: a new place needs no history."""
    for number in range(3):
        await say(hands, number)
        await made(hands.store, tmp_path / "first").round()
    await made(hands.store, tmp_path / "second").round()
    assert sizes(tmp_path / "second") == (await in_table(hands.store))[-1:]


async def test_nothing_is_signed_over_another_history(tmp_path: Path) -> None:
    """After a backup was put back, the folder knows more than the database: signing stops and says so."""
    new_store(tmp_path)
    early = (tmp_path / "weighbridge.db").read_bytes()
    folder = tmp_path / "kept"
    for life in range(2):
        (tmp_path / "weighbridge.db").write_bytes(early)
        clock = Clock()
        store = opened(tmp_path / ".", clock)
        await store.own("the test")
        clock.forward(life)
        await say(Hands(store, clock), life)
        notary = made(store, folder)
        await notary.round()
        await notary.round()
        assert bool(notary.trouble()) == bool(life)
        assert len(await in_table(store)) == 1 - life
        store.close()
        for rest in ("-wal", "-shm"):
            (tmp_path / f"weighbridge.db{rest}").unlink(missing_ok=True)
    assert "another history" in notary.trouble()
    assert len(sizes(folder)) == 1


async def test_it_works_in_rounds_until_it_is_told_to_stop(hands: Hands, tmp_path: Path) -> None:
    """At once, and then as often as it was asked to."""
    notary = made(hands.store, tmp_path / "kept")
    notary.every = 0.01
    work = asyncio.create_task(notary.run())
    for number in range(2):
        await say(hands, number)
        before = notary.size
        async with asyncio.timeout(30):
            while notary.size <= before:  # noqa: ASYNC110 - nobody rings when a round is over
                await asyncio.sleep(0.01)
    work.cancel()
    assert len(await in_table(hands.store)) >= 2
