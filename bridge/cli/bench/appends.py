"""The process that the audit bench measures while messages come: our store, or the bare database.

    python -m bridge.cli.bench.appends SYSTEM FOLDER PRODUCERS MESSAGES BYTES [URL]

Rules of this file: one JSON line on standard output says what was measured. Producers live on one loop; each
hands in one message, waits until it is committed, and hands in the next.

    weighbridge   the store, in SQLite or at URL, with the daemon's indexer running beside
    later         the same; begins to index when all messages are there
    raw           SQLite with the same settings, and one writing thread with the same group commit, which
                  inserts rows of BYTES and nothing else
    inserts       PostgreSQL at URL: a connection for each producer, one such row to a transaction
"""

from __future__ import annotations

import asyncio
import json
import queue
import sqlite3
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.message import Batch, Message

if TYPE_CHECKING:
    from bridge.store.database import Database

Row = dict[str, Any]
STORE = "store.db"

_PAYLOAD = """
SELECT (SELECT sum(length(entry) + length(leaf) + length(subject)) FROM ledger)
     + (SELECT sum(length(salt) + length(body) + length(raw)) FROM content)
     + (SELECT sum(length(wrapped)) FROM data_keys)
     + (SELECT sum(length(network) + length(source_id) + length(conversation) + length(sender)) FROM messages)
"""
"""Bytes of what is kept of messages, without numbers, pages and indexes."""


def main() -> None:
    """Measure one system, and say what came of it."""
    import uvloop

    system, folder, producers, messages, size, *url = sys.argv[1:]
    count, clients = int(messages), int(producers)
    rows = [b"x" * int(size)] * count
    if system == "inserts":
        answer = inserts(url[0], rows, clients)
    elif system == "raw":
        answer = uvloop.run(raw(Path(folder), clients, rows))
    else:
        address = url[0] if url else f"sqlite:///{folder}/{STORE}"
        answer = uvloop.run(store(address, Path(folder), clients, said(count), beside=system != "later"))
    print(json.dumps(answer))


def said(count: int) -> Sequence[Message]:
    """`count` messages, each with the network's own bytes."""
    from bridge.cli.bench.corpus import messages

    return [replace(message, raw=_raw(message)) for _, message in messages(count)]


def _raw(message: Message) -> bytes:
    """What the network sent: about as much as Symphony and Weixin say around a text."""
    around = {"id": message.id, "chat": message.conversation, "from": message.sender, "at": message.sent_at}
    return json.dumps({**around, "type": "text", "text": message.text}, ensure_ascii=False).encode()


# --- producers ------------------------------------------------------------------------------------------


async def produce(append: Callable[[int], Awaitable[object]], count: int, producers: int) -> Row:
    """Let `producers` append `count` things, each one after another; gives rate, waits and processor time."""
    numbers = iter(range(count))
    waits: list[float] = []

    async def one() -> None:
        for number in numbers:
            began = time.perf_counter()
            await append(number)
            waits.append(time.perf_counter() - began)

    watch = _Watch(waits)
    await asyncio.gather(*(one() for _ in range(producers)))
    return watch.row(producers)


class _Watch:
    """A clock for all, and one for this process; `waits` gets seconds for each thing that was appended."""

    def __init__(self, waits: list[float]) -> None:
        self._waits = waits
        self._since, self._began, self._busy = time.time(), time.perf_counter(), time.process_time()

    def row(self, producers: int) -> Row:
        """What came of it. `since` and `until` are times of day, for whoever looks on from outside."""
        seconds, cpu = time.perf_counter() - self._began, time.process_time() - self._busy
        waits, count = sorted(self._waits), len(self._waits)
        return {
            "messages": count, "producers": producers, "seconds": seconds, "per_second": count / seconds,
            "p50_ms": waits[count // 2] * 1e3, "p99_ms": waits[count * 99 // 100] * 1e3,
            "cpu_us": cpu / count * 1e6, "since": self._since, "until": time.time(),
        }  # fmt: skip


# --- ours -----------------------------------------------------------------------------------------------


class _Clock:
    def now(self) -> int:
        """See `bridge.ports.Clock`."""
        return time.time_ns() // 1_000_000


async def store(url: str, folder: Path, producers: int, made: Sequence[Message], *, beside: bool) -> Row:
    """Archive `made` in a new store at `url`: sealed, in the ledger and its tree, and found by searches."""
    from bridge.indexer import Indexer
    from bridge.keepers import KeyFile
    from bridge.store.database import Database, create
    from bridge.store.searching import open_index

    keeper = KeyFile(folder / "secrets" / "store-key")
    create(url, _Clock().now(), keeper=keeper)
    database = Database(url, folder / "blobs", _Clock(), keeper)
    await database.own("bench")
    index = open_index(database.engine, folder / "search")
    indexer = Indexer(database, index)
    following = asyncio.create_task(indexer.run()) if beside else None
    row = await produce(lambda n: database.archive(Batch(made[n].network, (made[n],))), len(made), producers)
    if following is not None:
        following.cancel()
        await asyncio.wait([following])
    row |= await asyncio.to_thread(_caught_up, database, folder)
    row["bytes"] = await _payload(database, len(made))
    database.close()
    return row | {"with_index_per_second": len(made) / (row["seconds"] + row["caught_up_s"])}


def _caught_up(database: Database, folder: Path) -> Row:
    """How far the index was behind, and what it takes to follow to the end."""
    from bridge.store.index.following import catch_up, progress
    from bridge.store.searching import open_index

    index = open_index(database.engine, folder / "search")
    with database.engine.connect() as db:
        followed, entries = progress(db, index)
    began, busy = time.perf_counter(), time.process_time()
    catch_up(database.engine, index, 3600)
    index.close()
    row = {"behind": entries - followed, "caught_up_s": time.perf_counter() - began}
    return row | {"caught_up_cpu_s": time.process_time() - busy}


async def _payload(database: Database, messages: int) -> int:
    def ask(db: Any) -> int:
        return int(db.exec_driver_sql(_PAYLOAD).scalar() / messages)

    return await database.read(ask)


# --- the database alone ---------------------------------------------------------------------------------


async def raw(folder: Path, producers: int, rows: Sequence[bytes]) -> Row:
    """Insert `rows`, as many of them to a commit as our writer takes."""
    from bridge.store.engines import open_engine

    engine = open_engine(f"sqlite:///{folder}/{STORE}")
    with engine.connect() as db:
        db.exec_driver_sql("CREATE TABLE rows (id INTEGER PRIMARY KEY, data BLOB NOT NULL)")
        db.commit()
    writer = _Inserting(engine.raw_connection().driver_connection)
    answer = await produce(lambda n: writer.insert(rows[n]), len(rows), producers)
    writer.close()
    return answer


class _Inserting:
    """One thread that inserts, and as many rows to one commit as `Writer` takes jobs."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._jobs: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def insert(self, data: bytes) -> asyncio.Future[None]:
        """Done when it was committed."""
        future = self._loop.create_future()
        self._jobs.put((data, future))
        return future

    def close(self) -> None:
        """End the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            group = [job, *self._more()]
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT INTO rows (data) VALUES (?)", [(data,) for data, _ in group])
            self._db.execute("COMMIT")
            self._loop.call_soon_threadsafe(_done, [future for _, future in group])

    def _more(self) -> list[tuple[bytes, asyncio.Future[None]]]:
        from bridge.store.writer import GROUP

        more = []
        while len(more) < GROUP - 1 and not self._jobs.empty():
            job = self._jobs.get()
            if job is None:  # closing: nobody waits for more
                self._jobs.put(None)
                break
            more.append(job)
        return more


def _done(futures: Sequence[asyncio.Future[None]]) -> None:
    for future in futures:
        future.set_result(None)


def inserts(url: str, rows: Sequence[bytes], clients: int) -> Row:
    """Insert `rows` over as many connections as there are clients, each committed by itself."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as db:
        db.execute("CREATE TABLE rows (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, data BYTEA)")
    numbers = iter(rows)
    waits: list[float] = []

    def one() -> None:
        with psycopg.connect(url, autocommit=True) as db:
            ready.wait()
            for data in numbers:
                began = time.perf_counter()
                db.execute("INSERT INTO rows (data) VALUES (%s)", (data,), prepare=True)
                waits.append(time.perf_counter() - began)

    ready = threading.Barrier(clients + 1)
    threads = [threading.Thread(target=one) for _ in range(clients)]
    for thread in threads:
        thread.start()
    ready.wait()
    watch = _Watch(waits)
    for thread in threads:
        thread.join()
    return watch.row(clients)


if __name__ == "__main__":
    main()
