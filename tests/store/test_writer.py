"""One thread that writes: groups, savepoints, the ledger's right edge, and who is told what, and when.

Rules of this file: the thread is the real one, and so is the second process.
"""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from rig import START, Clock, new_store
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from bridge.errors import Conflict, StoreError
from bridge.ledger.tree import Frontier, leaf_hash
from bridge.store.database import open_engine
from bridge.store.writer import GROUP, Shared, Tx, Writer

DEADLINE = 60.0


class Desk:
    """A writer on a new store, with its commits counted; `hold` makes the thread wait."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engine = open_engine(f"sqlite:///{path}")
        self.commits = 0
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.fail_commit = False
        event.listen(self.engine, "commit", self._commit)
        self.writer = Writer(self.engine.execution_options(writes=True), Clock().now)

    def _commit(self, _: object) -> None:
        self.commits += 1
        if self.fail_commit:
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

    async def hold(self) -> asyncio.Task:
        """Keep the thread inside a job, so that others gather behind it; `gate.set()` lets it go."""

        def wait(_: Tx) -> None:
            self.entered.set()
            self.gate.wait(DEADLINE)

        task = asyncio.ensure_future(self.writer.submit(wait))
        await asyncio.to_thread(self.entered.wait, DEADLINE)
        return task

    def rows(self, query: str) -> list[tuple]:
        """What another reader of the file sees."""
        db = sqlite3.connect(self.path)
        try:
            return db.execute(query).fetchall()
        finally:
            db.close()

    def check(self) -> int:
        """Recompute the tree from the entries; gives its size."""
        frontier = Frontier()
        for seq, data, leaf in self.rows("SELECT seq, entry, leaf FROM ledger ORDER BY seq"):
            assert seq == frontier.size == orjson.loads(data)["seq"]
            assert leaf == leaf_hash(data)
            frontier.append(leaf)
        ((size, edge),) = self.rows("SELECT size, frontier FROM lanes")
        assert (size, edge) == (frontier.size, frontier.to_bytes())
        heads = dict(self.rows("SELECT size, root FROM heads"))
        assert heads[frontier.size] == frontier.root()
        return size


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A writer on a new store."""
    one = Desk(new_store(tmp_path))
    yield one
    one.gate.set()
    one.writer.close()
    one.engine.dispose()


def note(text: str) -> Callable[[Tx], int]:
    """A job that writes one fact."""
    return lambda tx: tx.append(0, "policy:activated", text, {}, text.encode())


# --- groups ---------------------------------------------------------------------------------------------


async def test_many_jobs_share_a_commit(desk: Desk) -> None:
    """What gathers while the thread is busy is committed together: one flush serves all."""
    waiting = await desk.hold()
    jobs = [asyncio.ensure_future(desk.writer.submit(note(f"job {n}"))) for n in range(GROUP - 1)]
    await asyncio.sleep(0)
    desk.gate.set()
    places = await asyncio.gather(*jobs)
    await waiting
    assert places == list(range(places[0], places[0] + GROUP - 1))
    assert desk.commits == 2
    assert desk.check() == places[-1] + 1


async def test_what_is_remembered_beside_the_tables_goes_with_them(desk: Desk) -> None:
    """A job that fails, alone or among others, takes back what it did outside; one that is kept does not."""
    undone: list[str] = []

    def job(name: str, *, fails: bool = False) -> Callable[[Tx], None]:
        def run(tx: Tx) -> None:
            tx.if_undone(lambda: undone.append(name))
            if fails:
                raise Conflict("no")

        return run

    with pytest.raises(Conflict):
        await desk.writer.submit(job("alone", fails=True))
    assert undone == ["alone"]
    waiting = await desk.hold()
    jobs = [("first", False), ("second", True), ("third", False)]
    asked = [asyncio.ensure_future(desk.writer.submit(job(name, fails=fails))) for name, fails in jobs]
    await asyncio.sleep(0)
    desk.gate.set()
    await asyncio.gather(waiting, *asked, return_exceptions=True)
    assert undone == ["alone", "second"]
    desk.fail_commit = True
    with pytest.raises(StoreError):
        await desk.writer.submit(job("lost"))
    assert undone == ["alone", "second", "lost"]


async def test_a_group_is_bounded(desk: Desk) -> None:
    """The latency of the first job is bounded by the size of its group."""
    waiting = await desk.hold()
    jobs = [asyncio.ensure_future(desk.writer.submit(note("x"))) for _ in range(GROUP + 1)]
    await asyncio.sleep(0)
    desk.gate.set()
    await asyncio.gather(waiting, *jobs)
    assert desk.commits == 3


class Notes:
    """Work for `Shared`: a fact for each text, and how many were handed in each time. "bad" is refused."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def keep(self, tx: Tx, texts: Sequence[str]) -> list[int]:
        self.calls.append(len(texts))
        places = [tx.append(0, "policy:activated", text, {}, text.encode()) for text in texts]
        if "bad" in texts:
            raise Conflict("not like this")
        return places


async def behind(desk: Desk, *jobs: Callable[[Tx], Any]) -> list[Any]:
    """What becomes of jobs that share a transaction."""
    waiting = await desk.hold()
    answers = asyncio.gather(*map(desk.writer.submit, jobs), return_exceptions=True)
    await asyncio.sleep(0)
    desk.gate.set()
    await waiting
    return await answers


async def test_jobs_of_a_kind_are_done_as_one(desk: Desk) -> None:
    """Those that wait in a row; each gets its own result, and others keep their turn."""
    notes, others = Notes(), Notes()
    first, second = Shared(notes.keep, "a"), Shared(notes.keep, "b")
    places = await behind(desk, first, second, note("c"), Shared(notes.keep, "d"), Shared(others.keep, "e"))
    assert places == list(range(places[0], places[0] + 5))
    assert (notes.calls, others.calls) == ([2, 1], [1])
    assert desk.rows(f"SELECT subject FROM ledger WHERE seq >= {places[0]} ORDER BY seq") == [
        *map(tuple, "abcde")
    ]
    assert desk.check() == places[-1] + 1


async def test_the_one_at_fault_fails_alone(desk: Desk) -> None:
    """Jobs that were done as one and failed are done again one by one, without a gap."""
    notes = Notes()
    before, error, after = await behind(desk, *(Shared(notes.keep, text) for text in ("a", "bad", "c")))
    assert isinstance(error, Conflict)
    assert notes.calls == [3, 1, 1, 1]
    assert after == before + 1 == desk.check() - 1
    assert desk.rows("SELECT 1 FROM ledger WHERE subject = 'bad'") == []


async def test_nobody_is_told_before_the_commit(desk: Desk) -> None:
    """When a caller hears "done", any other reader of the file can see it."""

    async def submit(text: str) -> None:
        await desk.writer.submit(note(text))
        assert desk.rows(f"SELECT 1 FROM ledger WHERE subject = '{text}'")

    await asyncio.gather(*(submit(f"job {n}") for n in range(40)))


async def test_a_failing_job_is_taken_back_alone(desk: Desk) -> None:
    """Its rows, its facts and its places in the ledger are gone; its neighbours' are kept, without a gap."""
    size = desk.check()
    waiting = await desk.hold()

    def fails(tx: Tx) -> None:
        tx.append(0, "policy:activated", "never", {}, b"never")
        tx.db.exec_driver_sql("INSERT INTO meta VALUES ('never', 'x')")
        tx.flush()
        tx.append(0, "policy:activated", "never either")
        raise Conflict("not like this")

    jobs = [desk.writer.submit(job) for job in (note("before"), fails, note("after"))]
    answers = asyncio.gather(*jobs, return_exceptions=True)
    await asyncio.sleep(0)
    desk.gate.set()
    before, error, after = await answers
    await waiting
    assert (before, after) == (size, size + 1)
    assert isinstance(error, Conflict)
    assert desk.rows("SELECT * FROM meta WHERE key = 'never'") == []
    assert desk.rows("SELECT * FROM ledger WHERE subject LIKE 'never%'") == []
    assert desk.check() == size + 2
    assert len(desk.rows("SELECT * FROM content WHERE body = x'6e65766572'")) == 0


async def test_a_failing_statement_says_nothing_of_its_parameters(desk: Desk) -> None:
    """The error of a statement names its cause, never what somebody wrote."""

    def twice(tx: Tx) -> None:
        for _ in range(2):
            tx.db.exec_driver_sql("INSERT INTO meta VALUES (?, ?)", ("key", "very secret"))

    with pytest.raises(StoreError, match="nothing was changed") as caught:
        await desk.writer.submit(twice)
    assert "secret" not in str(caught.value)
    assert desk.rows("SELECT * FROM meta WHERE key = 'key'") == []


async def test_a_commit_that_fails_fails_everybody_in_it(desk: Desk) -> None:
    """Nothing of the group was kept, each of its callers hears so, and the next group begins where it did."""
    size = desk.check()
    waiting = await desk.hold()
    desk.fail_commit = True
    jobs = [desk.writer.submit(note(f"lost {n}")) for n in range(3)]
    answers = asyncio.gather(waiting, *jobs, return_exceptions=True)
    await asyncio.sleep(0)
    desk.gate.set()
    assert all(isinstance(one, StoreError) for one in await answers)
    desk.fail_commit = False
    assert desk.rows("SELECT * FROM ledger WHERE subject LIKE 'lost%'") == []
    assert await desk.writer.submit(note("next")) == size
    assert desk.check() == size + 1


async def test_a_lane_taken_by_a_job_that_failed_was_not_taken(desk: Desk) -> None:
    """The next job of the group sees the lane's former epoch."""
    waiting = await desk.hold()

    def takes(tx: Tx) -> None:
        tx.epochs[0] += 1
        raise Conflict("no")

    jobs = [desk.writer.submit(takes), desk.writer.submit(lambda tx: tx.fence(0, 0))]
    answers = asyncio.gather(*jobs, return_exceptions=True)
    await asyncio.sleep(0)
    desk.gate.set()
    await waiting
    assert (await answers)[1] is None


# --- others ---------------------------------------------------------------------------------------------

OTHER = """
import asyncio, sys
from bridge.store.database import open_engine
from bridge.store.writer import Writer

async def main(url):
    engine = open_engine(url)
    writer = Writer(engine.execution_options(writes=True), lambda: 1)
    print("ready", flush=True)
    for line in sys.stdin:
        await writer.submit(lambda tx: tx.append(0, "policy:activated", "other"))
        print("done", flush=True)
    writer.close()

asyncio.run(main(sys.argv[1]))
"""


async def test_another_process_writes_between_two_of_ours(desk: Desk, tmp_path: Path) -> None:
    """A reviewer's command beside the daemon appends to the same tree; neither breaks the other's."""
    size = desk.check()
    command = [sys.executable, "-c", OTHER, f"sqlite:///{desk.path}"]
    other = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert other.stdin and other.stdout
    async with asyncio.timeout(DEADLINE):
        assert await other.stdout.readline() == b"ready\n"
        for _ in range(5):
            await desk.writer.submit(note("ours"))
            other.stdin.write(b"go\n")
            assert await other.stdout.readline() == b"done\n"
        both = [desk.writer.submit(note("ours")) for _ in range(20)]
        other.stdin.write(b"go\n" * 20)
        other.stdin.close()
        await asyncio.gather(*both)
        assert (await other.stdout.read()).count(b"done") == 20
        assert await other.wait() == 0
    assert desk.check() == size + 50
    assert len(desk.rows("SELECT 1 FROM ledger WHERE subject = 'other'")) == 25


async def test_a_caller_that_goes_away_does_not_undo_its_job(desk: Desk) -> None:
    """A cancelled room stops waiting; what it had handed over is done whole."""
    waiting = await desk.hold()
    task = asyncio.ensure_future(desk.writer.submit(note("left alone")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    desk.gate.set()
    await waiting
    await desk.writer.submit(note("after"))
    assert desk.rows("SELECT 1 FROM ledger WHERE subject = 'left alone'")


def test_a_loop_that_was_closed_does_not_stop_the_others(tmp_path: Path) -> None:
    """A job whose loop is gone is done; the next loop's jobs are answered."""
    desk = Desk(new_store(tmp_path))

    async def leave() -> None:
        left = [await desk.hold(), asyncio.ensure_future(desk.writer.submit(note("nobody waits")))]
        await asyncio.sleep(0)
        assert not any(task.done() for task in left)

    asyncio.run(leave())
    desk.gate.set()

    async def next_one() -> Any:
        async with asyncio.timeout(DEADLINE):
            return await desk.writer.submit(note("next"))

    assert asyncio.run(next_one()) == desk.check() - 1
    assert desk.rows("SELECT 1 FROM ledger WHERE subject = 'nobody waits'")
    desk.writer.close()
    desk.engine.dispose()


# --- the end --------------------------------------------------------------------------------------------


async def test_a_database_that_cannot_be_opened_is_said_to_every_caller(tmp_path: Path) -> None:
    """Nobody waits for ever for a thread that could not begin."""
    engine = open_engine(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}")
    writer = Writer(engine.execution_options(writes=True), lambda: START)
    for _ in range(2):
        async with asyncio.timeout(DEADLINE):
            with pytest.raises(StoreError, match="unable to open"):
                await writer.submit(note("x"))
    writer.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_bug_ends_the_thread_and_nobody_hangs(desk: Desk) -> None:
    """What nobody expected is given to its caller as it is, and to everybody after: the process ends for the
    bug, whoever hears of it first."""

    def bug(_: Tx) -> None:
        raise AttributeError("a bug")

    async with asyncio.timeout(DEADLINE):
        for job in (bug, note("x"), note("y")):
            with pytest.raises(AttributeError, match="a bug"):
                await desk.writer.submit(job)
    desk.check()


async def test_closing_finishes_what_was_handed_over(tmp_path: Path) -> None:
    """Leaving in order loses nothing that was queued."""
    desk = Desk(new_store(tmp_path))
    waiting = await desk.hold()
    jobs = [asyncio.ensure_future(desk.writer.submit(note("queued"))) for _ in range(100)]
    await asyncio.sleep(0)
    desk.gate.set()
    await asyncio.to_thread(desk.writer.close)
    await asyncio.gather(waiting, *jobs)
    assert len(desk.rows("SELECT 1 FROM ledger WHERE subject = 'queued'")) == 100
    desk.engine.dispose()
