"""One thread that writes, and many jobs to one transaction.

Rules of this file: everything that changes the database goes through `Writer.submit`, as a function of a
`Tx`. SQLite lets one connection write at a time, so one thread does, and it takes whatever jobs have
gathered while the last commit was being flushed: one fsync then serves them all ("group commit"), which
gives low latency to one message and throughput to many from the same loop.

A job that shares its transaction runs inside a savepoint. One that fails is rolled back alone and its
caller gets the error; the others of its group go on. Nobody is told "done" before the commit that holds
the job has returned. Jobs of one kind that wait in a row may be done as one (`Shared`), which saves most of
what a job costs; when that fails they are done again one by one, so still only the one at fault fails.

The ledger belongs to the transaction: `Tx.append` gives an entry its place, and the tree's right edge is
read, and locked, at the start of every transaction and written at its end, so that a second process (a
reviewer's command beside the daemon) may write between two of ours and never beside one.

A commit that the database did not answer may have been kept or not. It is never tried again here: its callers
get a StoreError that says so, and what they find in the store when they look again is what happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine, bindparam, insert, literal_column, select, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from bridge.errors import Conflict, StoreError, WeighbridgeError
from bridge.ledger.content import SALT_BYTES, digest_of
from bridge.ledger.entry import Entry, encode
from bridge.ledger.tree import NODE_STEP, Frontier, leaf_hash
from bridge.sealing import BODY, PAIR, RAW
from bridge.store import schema as s
from bridge.store.causes import cause
from bridge.store.prepared import Prepared, plainly
from bridge.store.vault import RECORDS, vault_of

Result = TypeVar("Result")
Item = TypeVar("Item")

NO_MORE: Mapping[int, bytes] = {}
Mark = tuple[dict[int, Frontier], dict[int, int], int]

#: How the owner of a lane begins in which nobody may write: what follows is why, for people.
CLOSED = "closed: "

#: Jobs that one transaction carries at most: bounds the latency of the first by the work of the last.
GROUP = 64

_INSERT_LEDGER = Prepared(insert(s.ledger), ("lane", "seq", "subject", "entry", "leaf"))
_INSERT_CONTENT = Prepared(insert(s.content), ("lane", "seq", "salt", "body", "raw"))
_INSERT_KEY = Prepared(insert(s.data_keys), ("lane", "seq", "wrapped"))
_STORE_KEY = Prepared(
    select(s.store_keys.c.id)
    .where(s.store_keys.c.purpose == literal_column(f"'{RECORDS}'"))
    .order_by(s.store_keys.c.id.desc())
    .limit(literal_column("1"))
)
_INSERT_NODE = Prepared(insert(s.nodes), ("lane", "level", "n", "hash"))
_INSERT_HEAD = Prepared(insert(s.heads), ("lane", "size", "root"))
_UPDATE_LANE = Prepared(
    update(s.lanes)
    .where(s.lanes.c.lane == bindparam("b_lane"))
    .values(size=bindparam("b_size"), frontier=bindparam("b_frontier"))
)
#: On PostgreSQL, whoever comes second waits here, and then reads what the first has written.
_SELECT_LANES = Prepared(
    select(s.lanes.c.lane, s.lanes.c.size, s.lanes.c.frontier, s.lanes.c.epoch, s.lanes.c.owner)
    .order_by(s.lanes.c.lane)
    .with_for_update()
)

#: What a job may fail with: it is rolled back and its caller gets the error. Anything else is a bug.
_EXPECTED = (WeighbridgeError, SQLAlchemyError, ValueError, LookupError, TypeError)

_POOL = 4096
"""Random bytes that are asked of the system at once: each call hands the interpreter to another thread."""


def require_open(db: Connection) -> None:
    """Raises Conflict when nobody may write here: the store was moved, or a copy into it is not whole."""
    for (owner,) in db.execute(select(s.lanes.c.owner)):
        _require_open(owner)


def _require_open(owner: str) -> None:
    if owner.startswith(CLOSED):
        raise Conflict(owner.removeprefix(CLOSED))


class Tx:
    """One transaction, as a job sees it: a connection, the time, and the ledger's right edge.

    `db` executes statements; `now` is the transaction's time in milliseconds, asked of `clock` once nobody
    else writes: time in the ledger goes the way of its entries.
    """

    def __init__(self, db: Connection, clock: Callable[[], int]) -> None:
        self.db = db
        self._frontiers: dict[int, Frontier] = {}
        self.epochs: dict[int, int] = {}
        for lane, size, frontier, epoch, owner in _SELECT_LANES.look(db, {}):
            _require_open(owner)
            self._frontiers[lane] = Frontier.from_bytes(size, frontier)
            self.epochs[lane] = epoch
        self._sizes = {lane: frontier.size for lane, frontier in self._frontiers.items()}
        self.now = clock()
        self._entries: list[dict] = []
        self._nodes: list[dict] = []
        self._contents: list[dict] = []
        self._keys: list[dict] = []
        self.vault = vault_of(db)
        # Asked each time: another process may have rotated the keys.
        self.store_key: int = _STORE_KEY.value(db, {}) or 0
        self._pool = b""
        self._undoing: list[Callable[[], object]] = []

    def append(
        self,
        lane: int,
        kind: str,
        subject: str,
        facts: dict | None = None,
        body: bytes | None = None,
        raw: bytes = b"",
    ) -> int:
        """Write one fact, with its content if it has any, and give its place in the lane."""
        return self._append(lane, kind, subject, facts, body, raw)[0]

    def next(self, lane: int) -> int:
        """The place in the lane that the next fact will get."""
        return self._frontiers[lane].size

    def append_pair(
        self, lane: int, subject: str, facts: dict, body: bytes, names: bytes
    ) -> tuple[int, bytes]:
        """Write that two people were paired; gives its place, and `names` sealed as part of the record."""
        seq, sealed = self._append(lane, "pair:made", subject, facts, body, b"", {PAIR: names})
        return seq, sealed[PAIR]

    def _append(
        self,
        lane: int,
        kind: str,
        subject: str,
        facts: dict | None,
        body: bytes | None,
        raw: bytes,
        more: Mapping[int, bytes] = NO_MORE,
    ) -> tuple[int, Mapping[int, bytes]]:
        frontier = self._frontiers[lane]
        seq = frontier.size
        digest, sealed = "", NO_MORE
        if body is not None:
            salt = self.chance(SALT_BYTES)
            digest = digest_of(salt, body, raw)
            sealed = self._seal(lane, seq, salt, {BODY: body, RAW: raw, **more})
        data = encode(Entry(lane, seq, self.now, kind, subject, facts or {}, digest))
        leaf = leaf_hash(data)
        if (seq + 1) % (1 << NODE_STEP) == 0:
            self._complete(lane, frontier, leaf)
        frontier.append(leaf)
        self._entries.append({"lane": lane, "seq": seq, "subject": subject, "entry": data, "leaf": leaf})
        return seq, sealed

    def _complete(self, lane: int, frontier: Frontier, leaf: bytes) -> None:
        """Keep the roots of the subtrees that end with `leaf`."""
        for level, node in frontier.closing(leaf):
            self._nodes.append({"lane": lane, "level": level, "n": frontier.size >> level, "hash": node})

    def _seal(self, lane: int, seq: int, salt: bytes, parts: Mapping[int, bytes]) -> Mapping[int, bytes]:
        wrapped, sealed = self.vault.seal(self.store_key, lane, seq, parts, self.chance)
        self._keys.append({"lane": lane, "seq": seq, "wrapped": wrapped})
        row = {"lane": lane, "seq": seq, "salt": salt, "body": sealed[BODY], "raw": sealed[RAW]}
        self._contents.append(row)
        return sealed

    def chance(self, size: int) -> bytes:
        """`size` random bytes from the system's generator, each given out once."""
        if len(self._pool) < size:
            self._pool = os.urandom(max(_POOL, size))
        taken, self._pool = self._pool[:size], self._pool[size:]
        return taken

    def fence(self, lane: int, epoch: int) -> None:
        """Refuse to go on when somebody else has taken the lane since `epoch`. Raises StoreError."""
        if self.epochs[lane] != epoch:
            theirs = self.epochs[lane]
            raise StoreError(f"lane {lane} was taken by another daemon (epoch {theirs}, ours {epoch})")

    def if_undone(self, undo: Callable[[], object]) -> None:
        """Call `undo` should what is written here be rolled back: for what is remembered elsewhere."""
        self._undoing.append(undo)

    def undo(self, since: int = 0) -> None:
        """It was rolled back: do what `if_undone` was given, the newest first, down to the first `since`."""
        while len(self._undoing) > since:
            self._undoing.pop()()

    def mark(self) -> Mark:
        """Where the ledger stands, who owns the lanes, and how much there is to undo, for `rewind`."""
        frontiers = {lane: frontier.copy() for lane, frontier in self._frontiers.items()}
        return frontiers, self.epochs.copy(), len(self._undoing)

    def rewind(self, mark: Mark) -> None:
        """Forget the facts appended since `mark`: their job was rolled back."""
        self._frontiers, self.epochs, undoing = mark
        self.undo(undoing)
        self._entries.clear()
        self._nodes.clear()
        self._contents.clear()
        self._keys.clear()

    def flush(self) -> None:
        """Write the gathered facts: at the end of every job, so that the next one can read them."""
        if self._contents:
            _INSERT_CONTENT.many(self.db, self._contents)
            _INSERT_KEY.many(self.db, self._keys)
            self._contents.clear()
            self._keys.clear()
        if self._entries:
            _INSERT_LEDGER.many(self.db, self._entries)
            self._entries.clear()
        if self._nodes:
            _INSERT_NODE.many(self.db, self._nodes)
            self._nodes.clear()

    def seal(self) -> None:
        """Write the tree's new right edge and its root: at the end of the transaction."""
        for lane, frontier in self._frontiers.items():
            if frontier.size == self._sizes[lane]:
                continue
            edge = {"b_lane": lane, "b_size": frontier.size, "b_frontier": frontier.to_bytes()}
            _UPDATE_LANE.many(self.db, [edge])
            head = {"lane": lane, "size": frontier.size, "root": frontier.root()}
            _INSERT_HEAD.many(self.db, [head])


class Shared(Generic[Item, Result]):
    """A job that can be done together with others of its kind: `work` does it for many items, and gives a
    result for each. Jobs are of one kind when their `work` is equal."""

    def __init__(self, work: Callable[[Tx, Sequence[Item]], Sequence[Result]], item: Item) -> None:
        self.work, self.item = work, item

    def __call__(self, tx: Tx) -> Result:
        """The job, done alone."""
        return self.work(tx, [self.item])[0]


class Asked(NamedTuple):
    """A job in the queue, and who waits for it where."""

    job: Callable[[Tx], Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


def _kind(asked: Asked) -> object:
    """What jobs that can be done together have in common; of any other job, only that job has it."""
    return asked.job.work if isinstance(asked.job, Shared) else asked


_Outcome = tuple[object, BaseException | None]


class Writer:
    """The writing thread. `submit` may be called from any loop; `close` waits for what is queued."""

    def __init__(self, engine: Engine, now: Callable[[], int]) -> None:
        self._engine = engine
        self._now = now
        self._jobs: queue.SimpleQueue = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    async def submit(self, job: Callable[[Tx], Result]) -> Result:
        """Run `job` inside a transaction and answer its result once that has been committed.

        Raises what the job raised (nothing of it was kept), or StoreError when the database failed.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._jobs.put(Asked(job, loop, future))
        # A room that is cancelled stops waiting; its job still runs to its end, whole.
        return await asyncio.shield(future)

    def close(self) -> None:
        """Finish the queued jobs and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._engine.connect() as db:
                while (job := self._jobs.get()) is not None:
                    group, ends = self._gather(job)
                    self._commit(db, group)
                    if ends:
                        return
        except SQLAlchemyError as error:
            self._refuse(_failure(error))
        except StoreError as error:
            self._refuse(error)
        except BaseException as error:
            self._refuse(error)  # whoever ends the process for it has to name the bug, whoever heard it first
            raise

    def _refuse(self, error: BaseException) -> None:
        """Nothing can be written any more: say so to everybody, rather than let them wait for ever."""
        while (job := self._jobs.get()) is not None:
            _answer([job], [(None, error)])

    def _gather(self, first: Asked) -> tuple[list[Asked], bool]:
        group = [first]
        while len(group) < GROUP:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return group, False
            if job is None:
                return group, True
            group.append(job)
        return group, False

    def _commit(self, db: Connection, group: list[Asked]) -> None:
        outcomes: list[_Outcome] = []
        whole, tx = False, None
        try:
            with db.begin():
                tx = Tx(db, self._now)
                if len(group) == 1:
                    outcomes = [(self._alone(tx, group[0].job), None)]
                else:
                    for _, alike in groupby(group, _kind):
                        outcomes += self._together(tx, [asked.job for asked in alike])
                tx.seal()
                whole = True
        except _EXPECTED as error:
            outcomes = [(None, _told(error, committing=whole))] * len(group)
            if tx is not None:
                tx.undo()
        except BaseException as error:  # the thread must answer its callers before it dies
            _answer(group, [(None, error)] * len(group))
            raise
        _answer(group, outcomes)

    @staticmethod
    def _alone(tx: Tx, job: Callable[[Tx], object]) -> object:
        """A job that shares its transaction with nobody: what it raises rolls everything back."""
        result = job(tx)
        tx.flush()
        return result

    def _together(self, tx: Tx, jobs: Sequence[Callable[[Tx], object]]) -> Iterable[_Outcome]:
        """Do jobs of one kind: at once, or one by one when that fails."""
        first = jobs[0]
        if len(jobs) > 1 and isinstance(first, Shared):
            items = [job.item for job in jobs if isinstance(job, Shared)]
            results, error = self._attempt(tx, lambda tx: first.work(tx, items))
            if error is None:
                return [(result, None) for result in results]
        return [self._attempt(tx, job) for job in jobs]

    @staticmethod
    def _attempt(tx: Tx, job: Callable[[Tx], Any]) -> tuple[Any, BaseException | None]:
        mark = tx.mark()
        plainly(tx.db, "SAVEPOINT job")
        try:
            result = job(tx)
            tx.flush()
            plainly(tx.db, "RELEASE SAVEPOINT job")
            return result, None
        except _EXPECTED as error:
            plainly(tx.db, "ROLLBACK TO SAVEPOINT job")
            plainly(tx.db, "RELEASE SAVEPOINT job")
            tx.rewind(mark)
            return None, _told(error)


def _told(error: Exception, *, committing: bool = False) -> Exception:
    """What the caller of a failed job is told."""
    if not isinstance(error, SQLAlchemyError):
        return error
    if committing and isinstance(error, DBAPIError) and error.connection_invalidated:
        return StoreError(f"the database was lost, and whether this was kept is in the store: {cause(error)}")
    return _failure(error)


def _failure(error: SQLAlchemyError) -> StoreError:
    # The statement and its parameters stay out of the text: they may hold what people wrote.
    return StoreError(f"the database failed and nothing was changed: {cause(error)}")


def _answer(group: list[Asked], outcomes: list[_Outcome]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list] = {}
    for (_, loop, future), (result, error) in zip(group, outcomes, strict=True):
        by_loop.setdefault(loop, []).append((future, result, error))
    for loop, answers in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits there any more
            loop.call_soon_threadsafe(_resolve, answers)


def _resolve(answers: list[tuple[asyncio.Future, object, BaseException | None]]) -> None:
    for future, result, error in answers:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
