"""Keeps the search index near the end of the ledger, beside the rooms and never in their way.

Rules of this file: it reads committed rows on a connection of its own, in a thread of its own, a little at
a time, and rests as long as it worked. Nothing waits for it: a search opens what the index does not know yet.
An index that cannot be written costs a log line and shows in the metric; the rooms go on.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bridge import telemetry
from bridge.errors import StoreError
from bridge.store.database import Database
from bridge.store.index import Index

if TYPE_CHECKING:
    from bridge.store.index.following import Follower

log = telemetry.log()

LITTLE = 256
"""Ledger entries of one step: some milliseconds of work."""


class Indexer:
    """Follows the ledger of `database` into `index`. Looks every `look` seconds when there was nothing, and
    waits for `patience` seconds when the index could not be written."""

    def __init__(self, database: Database, index: Index, look: float = 1.0, patience: float = 60.0) -> None:
        self.database, self.index = database, index
        self.look, self.patience = look, patience
        self.behind = 0
        self._thread = ThreadPoolExecutor(1, "indexer")
        self._db: Connection | None = None
        self._follower: Follower | None = None

    async def run(self) -> None:
        """Follow until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                rest = await loop.run_in_executor(self._thread, self._round)
                await asyncio.sleep(rest)
        finally:
            self._thread.submit(self._close)
            self._thread.shutdown(wait=False)

    def _round(self) -> float:
        """One step; gives how long to rest, in seconds."""
        began = time.perf_counter()
        try:
            worked = self._work()
        except (StoreError, SQLAlchemyError) as error:
            log.error("index:failed", code=type(error).__name__, where=telemetry.place(error))
            return self.patience
        return time.perf_counter() - began if worked else self.look

    def _work(self) -> bool:
        from bridge.store.index.following import Follower, progress

        if self._db is None:
            self._db = self.database.engine.connect()
        if self._follower is None:
            self._follower = Follower(self.index)
        if (part := self._follower.repair(self._db)) is not None:
            log.warning("index:remade", count=part.last - part.first + 1)
            return True
        followed = self._follower.step(self._db, LITTLE)
        done, size = progress(self._db, self.index)
        self.behind = size - done
        telemetry.metrics.search_behind.set(self.behind)
        return followed or self.index.tidy(self._db)

    def _close(self) -> None:
        self.index.close()
        if self._db is not None:
            self._db.close()
