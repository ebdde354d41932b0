"""Signs what the ledger has become, and leaves it outside the database.

Rules of this file: it works beside the rooms and never in their way: it reads committed heads, writes a row
of its own, and touches folders from threads that nobody waits for longer than `PATIENCE`. A folder that
cannot be reached costs a log line and shows in the metric and in `trouble`; what it missed is brought later,
in order.

Order of a round: sign, commit, anchor. So whatever is in a folder is in the database, always; a crash in
between leaves a checkpoint that the next round anchors. A folder that has a checkpoint which the database
does not know is not behind: the database is another one, or an older one. Then nothing more is signed,
because two histories must never have one name.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from bridge import telemetry
from bridge.ledger.checkpoint import Signer
from bridge.store import checkpoints
from bridge.store.anchors import AnchorFolder
from bridge.store.database import Database

log = telemetry.log()

Result = TypeVar("Result")

PATIENCE = 10.0
"""Seconds that a folder may take before it counts as away."""

AT_ONCE = 500
"""Checkpoints that are brought to a folder in one go."""

NOTHING = -1
"""The size of the newest checkpoint in a folder that has none."""

OTHER = (
    "the checkpoints in {path} are of another history than this database: was it restored, or changed? "
    "`weighbridge audit verify` says; nothing more is signed"
)


@dataclass(slots=True)
class _Anchor:
    """One folder: the size of its newest checkpoint, None before the first look; what is wrong with it."""

    number: int
    folder: AnchorFolder
    size: int | None = None
    trouble: str = ""
    busy: bool = False


class Notary:
    """Signs and anchors the checkpoints of the lane that `database` owns, every so many seconds."""

    def __init__(
        self, signer: Signer, database: Database, folders: Sequence[AnchorFolder], every: float, lanes: int
    ) -> None:
        self.signer, self.database, self.every, self.lanes = signer, database, every, lanes
        self.anchors = [_Anchor(number, folder) for number, folder in enumerate(folders, 1)]
        self.size = 0
        self.covered_at = database.clock.now()
        self.differs = False

    async def run(self) -> None:
        """A round now, and one each `every` seconds."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + self.every
            await self.round()
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def round(self) -> None:
        """Look at new folders, sign what was appended, and bring it wherever it is missing.

        Raises StoreError when the database fails.
        """
        began = self.database.clock.now()
        for anchor in self.anchors:
            if anchor.size is None:
                await self._look_at(anchor)
        if self.differs:
            return
        await self._sign()
        for anchor in self.anchors:
            if anchor.size is not None:
                await self._bring(anchor)
        if not self.trouble():
            self.covered_at = began

    def trouble(self) -> str:
        """What a person has to know about checkpoints; "" when all is as it should be."""
        return "; ".join(anchor.trouble for anchor in self.anchors if anchor.trouble)

    def age(self) -> float:
        """Seconds since all that was in the ledger was also in a checkpoint, and that in every folder."""
        return (self.database.clock.now() - self.covered_at) / 1000

    async def _sign(self) -> None:
        lane = self.database.lane
        head = await self.database.read(lambda db: checkpoints.head(db, lane))
        last = await self.database.read(lambda db: checkpoints.newest(db, lane))
        self.size = last[0] if last else 0
        if head is None or head[0] <= self.size:
            return
        size, root = head
        note = self.signer.sign(lane, size, root)
        epoch = self.database.epoch
        await self.database.write(lambda tx: checkpoints.keep(tx, lane, size, note, epoch))
        self.size = size
        log.info("checkpoint:signed", lane=lane, count=size, root=root.hex())

    # --- folders

    async def _look_at(self, anchor: _Anchor) -> None:
        """Where a folder stands; a folder of another history ends the signing."""
        lane = self.database.lane

        def look() -> tuple[int, str] | None:
            anchor.folder.publish(self.signer, self.lanes)
            return anchor.folder.newest(lane)

        try:
            there = await self._beside(anchor, look)
        except OSError as error:
            self._away(anchor, error)
            return
        if there is None:
            anchor.size = NOTHING
        elif there[1] == await self.database.read(lambda db: checkpoints.note_of(db, lane, there[0])):
            anchor.size = there[0]
        else:
            self._differs(anchor)

    async def _bring(self, anchor: _Anchor) -> None:
        """What a folder lacks; a new one begins with the newest."""
        try:
            while notes := await self._missing(anchor):
                await self._beside(anchor, partial(_put, anchor.folder, self.database.lane, notes))
                anchor.size = notes[-1][0]
        except FileExistsError:
            self._differs(anchor)
        except OSError as error:
            self._away(anchor, error)
        else:
            anchor.trouble = ""

    async def _missing(self, anchor: _Anchor) -> Sequence[checkpoints.Kept]:
        lane, last = self.database.lane, self.size - 1 if anchor.size == NOTHING else anchor.size
        return await self.database.read(lambda db: checkpoints.after(db, lane, last or 0, AT_ONCE))

    def _away(self, anchor: _Anchor, error: OSError) -> None:
        code = errno.errorcode.get(error.errno or 0, "slow")
        anchor.trouble = f"checkpoints cannot be written to {anchor.folder.path}: {error.strerror or 'slow'}"
        log.error("checkpoint:unanchored", anchor=anchor.number, code=code)

    def _differs(self, anchor: _Anchor) -> None:
        self.differs = True
        anchor.trouble = OTHER.format(path=anchor.folder.path)
        log.error("checkpoint:differs", anchor=anchor.number)

    async def _beside(self, anchor: _Anchor, job: Callable[[], Result]) -> Result:
        """Do `job` in a thread that may hang without anybody hanging with it. Raises OSError."""
        if anchor.busy:
            raise TimeoutError
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        anchor.busy = True
        threading.Thread(target=_work, args=(anchor, job, loop, future), daemon=True).start()
        async with asyncio.timeout(PATIENCE):
            return await future


def _put(folder: AnchorFolder, lane: int, notes: Sequence[checkpoints.Kept]) -> None:
    for size, note in notes:
        folder.put(lane, size, note)


def _work(
    anchor: _Anchor,
    job: Callable[[], Result],
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[Result],
) -> None:
    answer: Callable[[], None]
    try:
        answer = partial(future.set_result, job())
    except OSError as error:
        answer = partial(future.set_exception, error)
    finally:
        anchor.busy = False
    with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits there any more
        loop.call_soon_threadsafe(_answer, future, answer)


def _answer(future: asyncio.Future[Result], answer: Callable[[], None]) -> None:
    if not future.done():  # whoever asked may have lost patience
        answer()
