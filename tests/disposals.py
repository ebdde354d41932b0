"""A small firm whose records grow old: for tests of disposal.

Rules of this file: everything goes through the store's own doors; the clock is moved by the test. Half of the
records are kept for thirty days, the other half for seven years.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from story import REVIEWER, Story, held, passed

from bridge.keepers import KeyFile
from bridge.message import File, Kind, Retention
from bridge.ports import Ruling
from bridge.store import destruction, disposal
from bridge.store.database import Database
from bridge.store.disposal import Ask, Wanted
from bridge.store.gathering import gathered
from bridge.store.heartbeats import beat
from bridge.store.index import Index
from bridge.store.index.following import catch_up
from bridge.store.searching import open_index
from bridge.store.signing import verifiers
from bridge.store.verify import Finding, Summary, verify

DAY = 86_400_000
SHORT = Retention("cards/short", "30d")
LONG = Retention("cards/long", "7y")
PLANNER, FIRST, SECOND = "alice.wong@bank.example", REVIEWER, "carol@bank.example"
TALK = 40


@dataclass
class Firm:
    """Its store, open, and what tests do with it."""

    story: Story

    @property
    def store(self) -> Database:
        """The store."""
        return self.story.store

    @property
    def folder(self) -> Path:
        """Where all its files are."""
        return self.story.folder

    def index(self) -> Index:
        """Its search index."""
        return open_index(self.store.engine, self.folder / "search")

    def follow(self) -> None:
        """Let the index know everything."""
        with closing(self.index()) as index:
            assert catch_up(self.store.engine, index, 60.0)

    async def plan(self, *, asks: Ask = disposal.ask, erasure: int = 0) -> int:
        """Plan whatever is due."""
        now = self.store.clock.now()

        def look(db: object) -> disposal.Found:
            return disposal.survey(db, disposal.candidates(db, now), now, asks=asks)

        found = await self.store.read(look)
        wanted = Wanted(PLANNER, "their time is over", before=now, erasure=erasure)
        return await self.store.write(lambda tx: disposal.plan(tx, 0, wanted, found))

    async def approve(self, number: int, *people: str) -> None:
        """People agree, two of them unless they are named."""
        for person in people or (FIRST, SECOND):
            await self.store.write(lambda tx: disposal.approve(tx, 0, number, person, "seen"))  # noqa: B023

    async def steps(self, number: int, *, asks: Ask = disposal.ask) -> int:
        """Carry a plan out; gives how many records went."""
        after: int | None = 0
        gone = 0
        while after is not None:
            step = await self.store.write(lambda tx: disposal.proceed(tx, number, after, asks=asks))  # noqa: B023
            after, gone = step.after, gone + step.gone
        return gone

    async def finish(self, number: int, *, asks: Ask = disposal.ask) -> None:
        """What follows the steps: files, index, certificate, the database's own files."""
        digests = await self.store.read(lambda db: destruction.leftovers(db, number))
        destruction.remove_files(self.store.blobs, digests)
        with closing(self.index()) as index:
            await asyncio.to_thread(destruction.forget, self.store.engine, index, number)
        await self.store.write(lambda tx: disposal.certify(tx, 0, number, PLANNER, asks=asks))
        numbers = await self.store.read(disposal.unsettled)
        assert destruction.settle(self.store.engine) == ""
        await self.store.write(lambda tx: disposal.note_settled(tx, 0, PLANNER, numbers))

    async def dispose(self) -> int:
        """From the plan to the certificate; gives its number."""
        number = await self.plan()
        await self.approve(number)
        await self.steps(number)
        await self.finish(number)
        return number

    async def findings(self, *, sealed: bool = False) -> list[Finding]:
        """What `audit verify` finds."""
        return (await self.verified(sealed=sealed))[0]

    async def verified(self, *, sealed: bool = False) -> tuple[list[Finding], Summary]:
        """The same, with its summary; `sealed`: without the master key."""
        found: list[Finding] = []
        keys = verifiers([self.folder / "secrets/checkpoint-key.pub"])
        anchors = gathered([self.folder / "checkpoints"], strict=True)
        keeper = KeyFile(self.folder / "nowhere" / "store-key") if sealed else None
        summary = await self.store.read(
            lambda db: verify(db, self.story.blobs, found.append, keys=keys, anchors=anchors, keeper=keeper)
        )
        return found, summary

    def files(self) -> Iterator[tuple[Path, bytes]]:
        """Every file of the firm, with its bytes."""
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                yield path, path.read_bytes()


async def _grow(folder: Path) -> None:
    story = Story(folder)
    await story.store.own("daemon")
    await story.pair()
    for number in range(TALK):
        said = story.says if number % 2 else story.answers
        one = said(f"matter {number}", raw=b"raw of matter %d" % number)
        await story.archive(replace(one, id=f"named-there-{number}-"))
        await _judge(story, LONG if number % 4 > 1 else SHORT)
    await story.deliver()
    await story.archive(story.says("the report", files=(File("ref-1", "report.pdf", Kind.FILE),)))
    await story.keep_file(b"%PDF-1.7 a report")
    await _judge(story, SHORT)
    await story.archive(story.says("card 4111"))
    hold = replace(held("card ****", (5, 9)), retention=(SHORT,))
    (one,) = await story.judge(hold, notice="Held.")
    await story.store.decide_hold(one.seq, REVIEWER, "not by chat", passed=False)
    await story.deliver()
    await story.sign()
    story.store.close()


async def _judge(story: Story, *classes: Retention) -> None:
    for one in await story.store.unjudged(100):
        verdict = replace(passed(one), retention=classes)
        await story.store.record_rulings([Ruling(one, verdict, "")])


@functools.cache
def _grown() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="weighbridge-firm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with ThreadPoolExecutor(1) as apart:  # the test that asks has a loop of its own
        apart.submit(asyncio.run, _grow(folder)).result()
    return folder


def reopened(folder: Path) -> Firm:
    """The firm in `folder`, as another process finds it, later."""
    story = Story(folder)
    story.clock.at += 50 * DAY
    return Firm(story)


def firm(folder: Path, *, days: int = 40) -> Firm:
    """A copy of the firm in `folder`, so many days later: by then a half of its records is due. A network was
    read on that day, so that nobody has to vouch for the clock."""
    shutil.copytree(_grown(), folder, dirs_exist_ok=True)
    story = Story(folder)
    story.clock.at += days * DAY
    heard = story.store.write(lambda tx: beat(tx, 0, "weixin", tx.now, 0))
    with ThreadPoolExecutor(1) as apart:
        apart.submit(asyncio.run, heard).result()
    return Firm(story)
