"""A small world to run the house in: two networks that remember, people, a policy by marks, and a clock.

Rules of this file: it knows `bridge` and no connector. What a network or a person knows lives in a `Peer`
and survives the death of the process; what the process knows lives in the store's files and nowhere else.
Nothing here waits for real time: tests of single acts move a `Clock`, whole lives run on a `VirtualLoop`.

    store      a Database in a folder, with Alice paired with 李雷, from a template that was migrated once
    Peer       a network: its stream of messages, who was shown what, and how often it was asked
    Line       the connector onto a Peer, by the letter of `bridge.ports.Connector`
    Fate       counts the steps of a process, and ends it at the one that was chosen
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import selectors
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from unittest import mock

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from postgres import Server
from sqlalchemy import Connection, Engine, bindparam, event, select, text

from bridge import pipeline, sealing
from bridge.errors import NetworkError, Refused, Unreachable
from bridge.keepers import KeyFile
from bridge.ledger.entry import Entry, decode
from bridge.message import (
    SYMPHONY,
    WEIXIN,
    Archived,
    Batch,
    Cause,
    File,
    Inspection,
    Kind,
    Message,
    Outcome,
    Permit,
    Receipt,
    Sighting,
    Traffic,
    Unasked,
    Verdict,
    sighting,
)
from bridge.ports import NO_REACH, Attempt, Blobs, Claim, KeyKeeper, Late, Ruling, Step
from bridge.store import acts
from bridge.store import database as store_database
from bridge.store.database import Database, create, open_engine
from bridge.store.prepared import Prepared
from bridge.store.schema import content
from bridge.store.vault import Vault, vault_of
from bridge.store.writer import Asked, Tx, Writer

START = 1_767_600_000_000
"""Where every clock of the rig begins: 2026-01-05 08:00 UTC, milliseconds."""

STREAM = "stream-alice"
CONTACT = "wkDesk/wmLiLei"
ALICE = "7001"
LI_LEI = "wmLiLei"
CONVERSATIONS = {SYMPHONY: STREAM, WEIXIN: CONTACT}
SENDERS = {SYMPHONY: ALICE, WEIXIN: LI_LEI}

LANGUAGES = {SYMPHONY: "en", WEIXIN: "zh-Hans"}

PAIR: dict[str, object] = {
    "advisor": ALICE,
    "stream": STREAM,
    "contact": CONTACT,
    "advisor_name": "Alice Wong",
    "advisor_address": "alice.wong@bank.example",
    "advisor_language": "en",
    "advisor_tags": [],
    "contact_name": "李雷",
    "contact_language": "zh-Hans",
    "contact_tags": [],
}


def other(network: str) -> str:
    """The network on the far side."""
    return WEIXIN if network == SYMPHONY else SYMPHONY


def message(network: str, number: int | str, text: str = "hello", **more: Any) -> Message:
    """A message of the paired person on `network`; `number` is its id there."""
    given = {
        "conversation": CONVERSATIONS[network],
        "sender": SENDERS[network],
        "sent_at": START + (number if isinstance(number, int) else 0),
        "raw": f"<{number}>".encode("utf-8", "replace"),
    }
    return Message(network, str(number), text=text, **(given | more))


def batch(*messages: Message, **more: Any) -> Batch:
    """What one network showed in one go."""
    return Batch(messages[0].network, messages, **more)


# --- policy, counting, time -----------------------------------------------------------------------------


def judge(archived: Archived, _: datetime) -> Verdict:
    """A policy by marks in the text: BLOCK, HOLD, WAIT (a hold that its conversation waits for), MASK."""
    text = archived.message.text
    if archived.route is None:
        return Verdict(Outcome.HOLD, Cause.DEFAULT, text, "not paired")
    if archived.missing or archived.message.defect:
        return Verdict(Outcome.HOLD, Cause.FAILURE, text, "could not be read")
    if "BLOCK" in text:
        return Verdict(Outcome.BLOCK, Cause.RULE, text, "a rule")
    if "HOLD" in text or "WAIT" in text:
        return Verdict(Outcome.HOLD, Cause.RULE, text, "a rule", waits="WAIT" in text)
    if "MASK" in text:
        return Verdict(Outcome.REDACT, Cause.RULE, text.replace("MASK", "****"), "a rule")
    return Verdict(Outcome.DELIVER, Cause.DEFAULT, text)


judge.reach = NO_REACH  # type: ignore[attr-defined]


class Counting:
    """`bridge.ports.Tally` that counts."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def archived(self, network: str, count: int) -> None:
        """New messages are in the archive."""
        self.counts[f"archived {network}"] += count

    def judged(self, verdict: Verdict) -> None:
        """A message was judged."""
        self.counts[f"judged {verdict.outcome.value}"] += 1

    def inspected(self, inspection: Inspection) -> None:
        """An attachment was looked into."""
        self.counts[f"inspected {inspection.type}"] += 1

    def attempted(self, attempt: Attempt, now: int) -> None:
        """An attempt was recorded."""
        self.counts[f"attempted {attempt.step.value}"] += 1

    def late(self, hold: Late) -> None:
        """A hold was not decided in time."""
        self.counts["late"] += 1


class Clock:
    """A clock that a test moves."""

    def __init__(self, at: int = START) -> None:
        self.at, self.passed = at, 0

    def now(self) -> int:
        """See `bridge.ports.Clock`."""
        return self.at

    def ticks(self) -> int:
        """Milliseconds that have passed, however the clock was set."""
        return self.passed

    def forward(self, milliseconds: int) -> None:
        """Let time pass."""
        self.at += milliseconds
        self.passed += milliseconds

    def set_by(self, milliseconds: int) -> None:
        """Set the clock, forward or back: no time passes."""
        self.at += milliseconds


class _IdleSelector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Where a loop would wait, its time is moved forward instead."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list:
        if timeout is None:
            raise RuntimeError("everything waits for something that will never come")
        self.passed += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop on which pauses take no time, and things happen in the same order every time."""

    def __init__(self) -> None:
        self._idle = _IdleSelector()
        super().__init__(self._idle)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._idle.passed

    def now(self) -> int:
        """See `bridge.ports.Clock`: the same time, in milliseconds after START."""
        return START + round(self._idle.passed * 1000)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Say what nobody awaited, but for the deaths that a story is about."""
        if not isinstance(context.get("exception"), Died):
            super().call_exception_handler(context)


def run_virtually(main: Callable[[VirtualLoop], Coroutine[Any, Any, Any]]) -> Any:
    """Run `main` to its end on a virtual loop, with everything threads do done on the spot."""
    loop = VirtualLoop()
    loop.set_default_executor(_OnTheSpot())
    try:
        return loop.run_until_complete(main(loop))
    finally:
        loop.close()


class _OnTheSpot(ThreadPoolExecutor):
    """An executor without threads: what is submitted has been done."""

    def __init__(self, *_: object) -> None:
        super().__init__(1)

    def submit(self, function: Callable, /, *args: Any, **kwargs: Any) -> Future:
        done: Future = Future()
        try:
            done.set_result(function(*args, **kwargs))
        except BaseException as error:
            done.set_exception(error)
        return done


class _WriterOnTheSpot(Writer):
    """The writer's transactions on the loop's own thread: jobs of one tick of the loop form a group."""

    def __init__(self, engine: Any, now: Callable[[], int]) -> None:
        self._engine, self._now = engine, now
        self._gathered: list[Asked] = []
        self._db: Any = None

    async def submit(self, job: Callable[[Tx], Any]) -> Any:
        loop = asyncio.get_running_loop()
        future: asyncio.Future = loop.create_future()
        if not self._gathered:
            loop.call_soon(self._work)
        self._gathered.append(Asked(job, loop, future))
        return await asyncio.shield(future)

    def _work(self) -> None:
        if self._db is None:
            self._db = self._engine.connect()
        group, self._gathered = self._gathered, []
        with contextlib.suppress(Died):  # whoever waits for the group has been told
            self._commit(self._db, group)

    def close(self) -> None:
        if self._db is not None:
            self._db.close()


# --- the store ------------------------------------------------------------------------------------------


@functools.cache
def _template(paired: bool) -> tuple[bytes, bytes]:
    """The bytes of a new store and of its key file: migrated once, copied often."""
    with tempfile.TemporaryDirectory() as folder:
        key = _make_template(f"sqlite:///{folder}/new.db", Path(folder), paired)
        return Path(folder, "new.db").read_bytes(), key


@functools.cache
def _template_in(server: Server, paired: bool) -> tuple[str, bytes]:
    """The same in a server: the name of a database, and the bytes of its key file."""
    name = "paired" if paired else "unpaired"
    server.ask(f"CREATE DATABASE {name}")
    with tempfile.TemporaryDirectory() as folder:
        return name, _make_template(server.url(name), Path(folder), paired)


def _make_template(url: str, folder: Path, paired: bool) -> bytes:
    keeper = KeyFile(folder / KEY_FILE)
    create(url, START, keeper=keeper)
    if paired:
        engine = open_engine(url, keeper)
        with engine.connect().execution_options(writes=True) as db, db.begin():
            tx = Tx(db, lambda: START)
            acts.make_pair(tx, 0, PAIR, "carol", "onboarding")
            tx.flush()
            tx.seal()
        engine.dispose()
    return (folder / KEY_FILE).read_bytes()


_elsewhere: list[tuple[Server, dict[Path, str]]] = []
"""The server on which new stores are made now, and by folder those that were; empty while they are files."""


@contextlib.contextmanager
def on(server: Server) -> Iterator[None]:
    """Make stores in this server meanwhile, and take them away at the end."""
    made: dict[Path, str] = {}
    _elsewhere.append((server, made))
    try:
        yield
    finally:
        _elsewhere.pop()
        for url in made.values():
            _engine(url).dispose()
            server.drop(url)


def new_store(folder: Path, *, paired: bool = True) -> Path:
    """Make a new store in `folder`, or `on` a server beside it; Alice and 李雷 are paired in it, unless told
    otherwise. Gives the path of the file that has it, if a file has it."""
    path = folder / "weighbridge.db"
    if _elsewhere:
        server, made = _elsewhere[-1]
        name, key = _template_in(server, paired)
        if (before := made.get(folder.resolve())) is None:
            made[folder.resolve()] = server.fresh(name)
        else:  # under the same name, for the sake of the compiled statements
            _engine(before).dispose()
            server.renew(before, name)
    else:
        database, key = _template(paired)
        path.write_bytes(database)
    put_key(folder, key)
    return path


FILES_ONLY = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""Marks a test of what SQLite alone does: it runs once."""


def url_of(folder: Path) -> str:
    """The address of the store that `new_store` made for `folder`."""
    servers = [made[folder.resolve()] for _, made in _elsewhere if folder.resolve() in made]
    return servers[-1] if servers else f"sqlite:///{folder / 'weighbridge.db'}"


KEY_FILE = "secrets/store-key"


def put_key(folder: Path, key: bytes) -> None:
    """Put a key file beside the database in `folder`, as tightly as it has to be."""
    (folder / KEY_FILE).parent.mkdir(mode=0o700, exist_ok=True)
    (folder / KEY_FILE).touch(0o600)
    (folder / KEY_FILE).write_bytes(key)


def opened(folder: Path, clock: Any, kind: type[Database] = Database) -> Database:
    """The store in `folder`, opened as `kind`. On a `VirtualLoop` as clock, it works without threads.

    What it commits survives the death of a process, which is all that tests can play; flushing for the
    death of the machine is left out, for speed.
    """
    parts: dict[str, Any] = {"Writer": Writer}
    if isinstance(clock, VirtualLoop):
        parts = {"Writer": _WriterOnTheSpot, "ThreadPoolExecutor": _OnTheSpot}
    parts["open_engine"] = hurried
    with mock.patch.multiple(store_database, **parts):
        return kind(url_of(folder), folder / "blobs", clock, KeyFile(folder / KEY_FILE))


def opening(connection: Any, engine: Engine) -> None:
    """Let SQL in tests open what is sealed: `body_of(lane, seq)` and `raw_of(lane, seq)`."""
    for name, column in (("body_of", content.c.body), ("raw_of", content.c.raw)):
        query = select(column).where(content.c.lane == bindparam("lane"), content.c.seq == bindparam("seq"))
        connection.create_function(name, 2, functools.partial(_opened, engine, query))


def reword(
    db: Connection, seq: int, change: Callable[[bytes], bytes], part: int = sealing.BODY, lane: int = 0
) -> None:
    """Seal other words in the place of a record's: a lie that only whoever has the master key can tell."""
    vault = vault_of(db)
    vault.load(db)
    name = {sealing.BODY: "body", sealing.RAW: "raw"}[part]
    where = "WHERE lane = :lane AND seq = :seq"
    query = text(f"SELECT wrapped, {name} FROM content JOIN data_keys USING (lane, seq) {where}")
    wrapped, sealed = db.execute(query, {"lane": lane, "seq": seq}).one()
    belongs = sealing.place(vault.installation, lane, seq)
    key = AESGCM(sealing.unwrap(vault.key(sealing.wrapped_by(wrapped)), belongs, wrapped))
    again = sealing.seal(key, belongs, part, change(sealing.unseal(key, belongs, part, sealed)))
    db.execute(text(f"UPDATE content SET {name} = :it {where}"), {"it": again, "lane": lane, "seq": seq})


def _opened(engine: Engine, query: Any, lane: int, seq: int) -> bytes | None:
    with engine.connect() as db, db.begin():
        return db.execute(query, {"lane": lane, "seq": seq}).scalar()


def hurried(url: str, keeper: KeyKeeper) -> Engine:
    """`open_engine` that gives the same engine again for the same store, and leaves flushing out."""
    engine = _engine(url)
    engine.dialect.vault = Vault(engine, keeper)  # type: ignore[attr-defined]  # a dead process leaves none
    return engine


@functools.cache
def _engine(url: str) -> Engine:
    # One engine for each file, however often it is opened: its compiled statements are worth keeping.
    engine = open_engine(url)

    @event.listens_for(engine, "connect")
    def hurry(connection: Any, _: object) -> None:
        if engine.dialect.name == "sqlite":
            connection.execute("PRAGMA synchronous=OFF")
            opening(connection, engine)
        else:
            connection.execute("SET synchronous_commit = off")

    return engine


@contextlib.contextmanager
def statements_of(engine: Engine) -> Iterator[dict[str, Any]]:
    """Every statement that is run meanwhile, with parameters of one run: also what goes by the driver's own
    cursor, which no event of SQLAlchemy's hears."""
    seen: dict[str, Any] = {}
    look = Prepared.look

    def watch(_: Any, __: Any, sql: str, parameters: Any, ___: Any, many: bool) -> None:
        seen.setdefault(sql, parameters[0] if many else parameters)

    def looked(prepared: Prepared, db: Connection, parameters: Mapping) -> list[Any]:
        if db.dialect is engine.dialect:
            sql, arrange = prepared._of(db)
            seen.setdefault(sql, arrange(parameters))
        return look(prepared, db, parameters)

    event.listen(engine, "before_cursor_execute", watch)
    try:
        with mock.patch.object(Prepared, "look", looked):
            yield seen
    finally:
        event.remove(engine, "before_cursor_execute", watch)


class Hands:
    """The rooms' work on an open store, one act at a time, for tests of what each act does."""

    def __init__(self, store: Database, clock: Clock) -> None:
        self.store, self.clock = store, clock

    async def archive(self, *messages: Message, **more: Any) -> int:
        """Archive these in one batch; gives how many were new."""
        return await self.store.archive(batch(*messages, **more))

    async def judge(self) -> list[Ruling]:
        """Judge everything that can be judged now, by the marks of `judge`."""
        rulings = pipeline.decide(await self.store.unjudged(100), judge, self.clock.now(), LANGUAGES)
        await self.store.record_rulings(rulings)
        return rulings

    async def say(self, *messages: Message) -> list[Ruling]:
        """Archive and judge."""
        await self.archive(*messages)
        return await self.judge()

    async def claim(self, network: str, chats: int = 10) -> list[Claim]:
        """Take what is due into `network`."""
        return list(await self.store.claim(network, chats))

    async def end(self, claim: Claim, step: Step = Step.SEND, **more: Any) -> None:
        """Write down what became of one claim."""
        if step is Step.SEND and "receipt" not in more:
            more["receipt"] = Receipt((f"id-of-{claim.permit.id}",))
        await self.store.record_attempts([Attempt(claim.permit, step, claim.traffic, **more)])

    async def send(self, network: str) -> list[str]:
        """Send everything that is due into `network`, until nothing is; gives the texts."""
        texts: list[str] = []
        while claims := await self.claim(network):
            for one in claims:
                texts.append(one.permit.content.text)
                await self.end(one)
        return texts

    async def rows(self, query: str) -> list[tuple]:
        """What a query answers."""
        return await self.store.read(lambda db: [tuple(row) for row in db.exec_driver_sql(query)])

    async def body(self, seq: int) -> bytes:
        """The body of entry `seq`, open."""
        query = select(content.c.body).where(content.c.seq == seq)
        return bytes(await self.store.read(lambda db: db.execute(query).scalar_one()))

    async def states(self, table: str) -> dict[int, str]:
        """The state of every row of `messages`, `deliveries` or `reviews`, by message."""
        key = "id" if table == "messages" else "message"
        return dict(await self.rows(f"SELECT {key}, state FROM {table} ORDER BY {key}"))  # type: ignore[arg-type]

    async def entries(self, *kinds: str) -> list[Entry]:
        """The ledger's entries of these kinds (all, if none is named), in order."""
        rows = await self.rows("SELECT entry FROM ledger ORDER BY seq")
        found = [decode(data) for (data,) in rows]
        return [entry for entry in found if not kinds or entry.kind in kinds]


# --- death ----------------------------------------------------------------------------------------------


class Died(BaseException):
    """The process ended here. Not an Exception: nothing of the dead may tidy up after itself."""


CHANGES = ("BEGIN IMMEDIATE", "BEGIN ISOLATION LEVEL READ COMMITTED", "INSERT", "UPDATE", "DELETE")
"""How statements begin that change something, or begin to."""


class Fate:
    """Counts the steps of a process, which dies at the chosen ones and is still until it is born again.

    With `look`, what it sees at each step is kept in `sights`.
    """

    def __init__(self, *deaths: int) -> None:
        self.deaths = set(deaths)
        self.steps: list[str] = []
        self.look: Callable[[], object] | None = None
        self.sights: list[object] = []
        self.dead = False

    def step(self, name: str) -> None:
        """One step: before or after something that the world or the disk can see."""
        if self.dead:
            raise Died(name)
        self.steps.append(name)
        if self.look:
            self.sights.append(self.look())
        if len(self.steps) in self.deaths:
            self.dead = True
            raise Died(name)

    @contextlib.contextmanager
    def watching(self, database: Database) -> Iterator[None]:
        """Make every statement of a store that changes something a step, and both sides of its COMMIT.

        Reading and savepoints leave no trace: to die there is to die at the next step.
        """
        dialect = database.engine.dialect
        commit = dialect.do_commit
        writing = False

        def statement(db: Connection, _: object, text: str, *__: object) -> None:
            nonlocal writing
            writing = bool(db.get_execution_options().get("writes"))
            if writing and text.startswith(CHANGES):
                self.step(text[:60])

        def do_commit(connection: Any) -> None:
            if writing:
                self.step("before COMMIT")
            commit(connection)
            if writing:
                self.step("after COMMIT")

        many = Prepared.many

        def many_rows(prepared: Prepared, db: Connection, rows: Sequence[Mapping]) -> int:
            # These go by the driver's own cursor, which no event of SQLAlchemy's hears.
            if db.dialect is dialect:
                statement(db, None, prepared.text(db))
            return many(prepared, db, rows)

        event.listen(database.engine, "before_cursor_execute", statement)
        try:
            with (
                mock.patch.object(dialect, "do_commit", do_commit),
                mock.patch.object(Prepared, "many", many_rows),
            ):
                yield
        finally:
            event.remove(database.engine, "before_cursor_execute", statement)


# --- networks -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Shown:
    """One thing that people on a network were shown by us."""

    conversation: str
    permit: str
    text: str
    id: str
    notice: bool
    files: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Peer:
    """One network, as it is outside our process: it goes on when we die.

    `keys`: it takes an idempotency key (Weixin), or has to be looked up (Symphony). `ours`: its cursor is
    ours to keep, or it remembers what was acknowledged. `troubles` are by text: what happens to the first
    attempts to send it, and `echoes` what people do once they have been shown a text. `window` is how many
    of ours it takes until the person writes again.
    """

    network: str
    keys: bool
    ours: bool
    window: int = 1_000_000
    stream: list[Message] = field(default_factory=list)
    acknowledged: int = 0
    shown: list[Shown] = field(default_factory=list)
    posts: Counter[str] = field(default_factory=Counter)
    looks: Counter[str] = field(default_factory=Counter)
    bodies: dict[str, set[str]] = field(default_factory=dict)
    files: dict[str, list[bytes]] = field(default_factory=dict)
    troubles: dict[str, list[NetworkError]] = field(default_factory=dict)
    reactions: dict[str, Callable[[Shown], None]] = field(default_factory=dict)
    refused: Callable[[Permit], None] | None = None
    complaints: list[str] = field(default_factory=list)
    spent: int = 0

    def say(self, text: str, **more: Any) -> Message:
        """The person writes to us."""
        one = message(self.network, f"{self.network}-{len(self.stream) + 1}", text, **more)
        self.stream.append(replace(one, sent_at=START + 1000 * (len(self.stream) + 1)))
        if one.kind not in (Kind.FAILED, Kind.RECALL, Kind.NOTE):
            self.spent = 0
        return self.stream[-1]

    def repeat(self, number: int) -> None:
        """The network delivers an old message again."""
        self.stream.append(self.stream[number])

    def texts(self, *, notices: bool = False) -> list[str]:
        """What people were shown, in order."""
        return [one.text for one in self.shown if one.notice == notices]

    def take(self, permit: Permit, files: tuple[bytes, ...]) -> Receipt:
        """Somebody posts: shown at most once per key where keys are taken, else as often as it is posted."""
        content = permit.content
        self.posts[permit.id] += 1
        self.bodies.setdefault(permit.id, set()).add(content.text)
        for one in self.shown:
            if self.keys and one.permit == permit.id:
                return Receipt((one.id,))
            if one.permit == permit.id:
                self.complaints.append(f"{permit.id} was posted again after it had arrived")
        if self.spent >= self.window:
            if self.refused:
                self.refused(permit)
            raise Refused("window", "they have to write first", until_inbound=True)
        self._trouble(content.text, before=True)
        self.spent += 1
        name = f"{self.network}-ours-{len(self.shown) + 1}"
        one = Shown(permit.conversation, permit.id, content.text, name, content.notice, files)
        self.shown.append(one)
        for mark, react in self.reactions.items():
            if mark in content.text:
                react(one)
        self._trouble(content.text, before=False)
        return Receipt((name,))

    def _trouble(self, text: str, *, before: bool) -> None:
        for mark, errors in self.troubles.items():
            if mark in text and errors:
                arrives = isinstance(errors[0], Unreachable) and not errors[0].certain
                if arrives is not before:
                    raise errors[0] if isinstance(errors[0], Refused) else errors.pop(0)

    def look(self, permit: Permit) -> Receipt | None:
        """Whether a permit's message stands in the stream already."""
        self.looks[permit.id] += 1
        for one in self.shown:
            if one.permit == permit.id:
                return Receipt((one.id,), found=True)
        return None


class Line:
    """The connector onto a `Peer`, by the letter of the contract; every touch has a step before and after."""

    def __init__(self, peer: Peer, fate: Fate, blobs: Blobs, size: int = 4) -> None:
        self.network = peer.network
        self.peer, self.fate, self.blobs, self.size = peer, fate, blobs, size
        self.looks_up = True
        self.refused_since = 0
        self.heard_at = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def receive(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        """See `bridge.ports.Connector`."""
        peer = self.peer
        at = int(cursors.get("position", 0)) if peer.ours else peer.acknowledged
        while True:
            self.fate.step("before receive")
            taken = tuple(peer.stream[at : at + self.size])
            self.fate.step("after receive")
            if not taken:
                await pause(0.5)
                continue
            at += len(taken)
            position = {"position": str(at)} if peer.ours else {}
            yield Batch(self.network, taken, cursors=position, token=at)

    async def recount(self, since: int, until: int) -> AsyncIterator[Sighting | Unasked]:
        """See `bridge.ports.Connector`."""
        for one in self.peer.stream:
            if since <= one.sent_at < until:
                yield sighting(one)

    async def acknowledge(self, batch: Batch) -> None:
        """See `bridge.ports.Connector`."""
        if not self.peer.ours:
            self.fate.step("before acknowledge")
            self.peer.acknowledged = max(self.peer.acknowledged, int(str(batch.token)))
            self.fate.step("after acknowledge")

    async def fetch(self, file: File) -> AsyncIterator[bytes]:
        """See `bridge.ports.Connector`."""
        self.fate.step("before fetch")
        self.peer._trouble(file.ref, before=True)
        for piece in self.peer.files[file.ref]:
            yield piece
            self.fate.step("after fetch of a piece")

    async def send(self, permit: Permit, traffic: Traffic) -> Receipt:
        """See `bridge.ports.Connector`."""
        if (permit.uncertain or permit.unknown) and not self.peer.keys and self.looks_up:
            self.fate.step("before lookup")
            found = self.peer.look(permit)
            self.fate.step("after lookup")
            if found:
                return found
        files = tuple(
            [b"".join([piece async for piece in self.blobs.read(b.digest)]) for b in permit.content.files]
        )
        self.fate.step("before send")
        try:
            return self.peer.take(permit, tuple(files))
        finally:
            self.fate.step("after send")


async def pause(seconds: float) -> None:
    """Let time pass on a virtual loop."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    loop.call_later(seconds, lambda: over.done() or over.set_result(None))
    await over
