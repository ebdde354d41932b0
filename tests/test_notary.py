"""The notary signs what was committed, leaves it outside, and never stands in anybody's way."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rig import Clock, Hands, message, new_store, opened
from sqlalchemy import select

from bridge import notary as notary_module
from bridge import telemetry
from bridge.errors import Unwitnessed
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


async def test_an_unmounted_folder_is_not_made_anew(hands: Hands, tmp_path: Path) -> None:
    """Neither by the daemon that used it nor by the next one; mounted again, it gets what it missed."""
    far, away = tmp_path / "far", tmp_path / "elsewhere"
    first = made(hands.store, far)
    await say(hands, 1)
    await first.round()
    far.rename(away)
    far.mkdir()
    for notary in (first, made(hands.store, far)):
        await say(hands, 2 if notary is first else 3)
        await notary.round()
        assert f"`weighbridge audit checkpoint --adopt {far}`" in notary.trouble()
    assert list(far.iterdir()) == []
    far.rmdir()
    away.rename(far)
    await notary.round()
    assert (notary.trouble(), sizes(far)) == ("", await in_table(hands.store))


async def test_a_folder_that_hangs_holds_nobody_up(
    hands: Hands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that does not answer costs a bounded wait once, and no more threads after it."""
    monkeypatch.setattr(notary_module, "PATIENCE", 0.5)
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


# --- places that get a checkpoint now and then ----------------------------------------------------------


class Outside:
    """A place that can be away, slow or of another history; `recalls` as it is told."""

    def __init__(self, name: str = "symphony:room", every: float = 3600.0, *, recalls: bool = False) -> None:
        self.name, self.every, self.recalls = name, every, recalls
        self.left: list[tuple[int, str]] = []
        self.asked = 0
        self.trouble: Exception | None = None

    async def newest(self, lane: int, *, begun: bool = False) -> tuple[int, str] | None:
        """What was left last."""
        if self.trouble:
            raise self.trouble
        return self.left[-1] if self.left else None

    async def leave(self, lane: int, size: int, note: str) -> bytes:
        """Take it, or say why not."""
        self.asked += 1
        if self.trouble:
            raise self.trouble
        self.left.append((size, note))
        return b"" if self.recalls else f"answer {size}".encode()

    async def check(self) -> str:
        """All is well."""
        return "here"


def sizes_of(place: Outside) -> list[int]:
    """Of which checkpoints a place has."""
    return [size for size, _ in place.left]


async def test_a_place_gets_the_newest_once_in_its_interval(hands: Hands) -> None:
    """At the start, when the interval is over, and at the end; what lies between is covered."""
    room = Outside()
    notary = Notary(SIGNER, hands.store, [room], 60.0)
    for number in range(4):
        await say(hands, number)
        hands.clock.forward(1_200_000)
        await notary.round()
    signed = await in_table(hands.store)
    assert sizes_of(room) == [signed[0], signed[3]]
    await say(hands, 9)
    await notary.round()
    assert len(room.left) == 2
    await notary.round(last=True)
    await notary.round(last=True)
    assert sizes_of(room) == [signed[0], signed[3], (await in_table(hands.store))[-1]]
    answers = await hands.store.read(lambda db: checkpoints.answers(db, 0, 0, 999))
    assert [(one.size, one.answer) for one in answers] == [
        (n, f"answer {n}".encode()) for n in sizes_of(room)
    ]


async def test_a_restart_does_not_begin_a_new_interval(hands: Hands) -> None:
    """A daemon that is started again and again writes to a room no more often."""
    room = Outside()
    for number in range(3):
        await say(hands, number)
        await Notary(SIGNER, hands.store, [room], 60.0).round()
    assert len(room.left) == 1
    hands.clock.forward(3_600_000)
    await Notary(SIGNER, hands.store, [room], 60.0).round()
    assert sizes_of(room)[1:] == (await in_table(hands.store))[-1:]


async def test_a_place_that_is_away_is_asked_less_and_less(hands: Hands, tmp_path: Path) -> None:
    """After one minute, two, four, up to fifteen; folders and other places get theirs meanwhile."""
    away, folder = Outside("rfc3161+https://tsa.example", 60.0), tmp_path / "kept"
    away.trouble = Unwitnessed("HTTP-503", "it answers 503")
    shelf = OnShelf(AnchorFolder(folder), str(folder), 0.0, SIGNER, 1)
    notary = Notary(SIGNER, hands.store, [away, shelf], 60.0)
    asked = []
    for number in range(64):
        await say(hands, number)
        hands.clock.forward(59_000)
        before = away.asked
        await notary.round()
        asked += [number] if away.asked > before else []
    pauses = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert pauses == [1, 2, 4, 8, 15, 15, 15]
    assert "it answers 503" in notary.trouble()
    assert sizes(folder) == await in_table(hands.store)
    assert notary.age() == 0
    away.trouble = None
    hands.clock.forward(900_000)
    await notary.round()
    assert (notary.trouble(), sizes_of(away)) == ("", (await in_table(hands.store))[-1:])


async def test_being_late_is_told_once(hands: Hands, capsys: pytest.CaptureFixture[str]) -> None:
    """Twice the interval and three minutes: the log says it once, metrics and status as long as it lasts."""
    telemetry.configure(strict=True)
    room = Outside(every=600.0)
    notary = Notary(SIGNER, hands.store, [room], 60.0)
    await notary.round()
    room.trouble = Unwitnessed("not-member", "not a member")
    await say(hands, 1)
    lates = []
    for _ in range(30):
        await notary.round()
        lates.append(notary.lags()[0].late)
        hands.clock.forward(60_000)
    assert lates.index(True) == (2 * 600 + 180) // 60 + 1
    assert all(lates[lates.index(True) :])
    assert capsys.readouterr().err.count("checkpoint:late") == 1
    room.trouble = None
    await notary.round(last=True)
    (lag,) = notary.lags()
    assert (lag.number, lag.name, lag.size, lag.seconds, lag.late, lag.trouble) == (
        1, "symphony:room", notary.size, 0.0, False, "",
    )  # fmt: skip


async def test_a_slow_place_holds_nobody_up(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time is bounded, and the others do not wait for it."""
    monkeypatch.setattr(notary_module, "PATIENCE", 0.5)
    slow, quick = Outside("slow"), Outside("quick")

    async def hang(*_: object) -> bytes:
        await asyncio.Event().wait()
        return b""

    monkeypatch.setattr(slow, "leave", hang)
    notary = Notary(SIGNER, hands.store, [slow, quick], 60.0)
    await notary.round()
    assert len(quick.left) == 1
    assert notary.trouble() == "checkpoints cannot be left in slow: slow"


async def test_a_bucket_of_another_history_ends_the_signing(hands: Hands) -> None:
    """A place that can be asked is asked at the start, and again when it was away then."""
    bucket = Outside("s3://kept", 600.0, recalls=True)
    bucket.left = [(7, SIGNER.sign(0, 7, bytes(32)))]
    bucket.trouble = Unwitnessed("EndpointConnectionError", "away")
    notary = Notary(SIGNER, hands.store, [bucket], 60.0)
    await notary.round()
    assert (notary.differs, len(await in_table(hands.store))) == (False, 1)
    bucket.trouble = None
    hands.clock.forward(60_000)
    await say(hands, 1)
    await notary.round()
    assert (notary.differs, len(await in_table(hands.store))) == (True, 1)
    assert "s3://kept are of another history" in notary.trouble()
    assert bucket.asked == 0
