"""A story, lived through any number of deaths, and what must be true of it afterwards.

Rules of this file: the process is the real rooms over the real store; the world (both networks and the
people on them) is a pair of `Peer`s that go on when it dies. `Life.run` lives the story to its end;
`Life.examine` asserts the invariants of the house from the world, and from the store as any other reader of
its database would see it (an `Eye`). Each broken invariant is one sentence.
"""

from __future__ import annotations

import asyncio
import functools
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import orjson
import psycopg
from rig import (
    CONTACT,
    KEY_FILE,
    STREAM,
    Counting,
    Died,
    Fate,
    Line,
    Peer,
    VirtualLoop,
    new_store,
    opened,
    other,
    pause,
    run_virtually,
    url_of,
)
from sqlalchemy import Connection, Select, select
from stories import ADVICE, BOB, STRANGER, Story, judge

from bridge import desk, pipeline, words
from bridge.flow import Patience
from bridge.keepers import KeyFile
from bridge.ledger.content import digest_of
from bridge.ledger.tree import Frontier, leaf_hash
from bridge.message import SYMPHONY, WEIXIN, Blob, Inspection, Kind, Message
from bridge.pipeline import House, Pace
from bridge.ports import DIRECT
from bridge.store.database import Database, open_engine
from bridge.store.schema import content
from bridge.store.vault import Vault
from bridge.store.verify import verify

LONGEST = 3600.0  # virtual seconds; reached only by a story that does not come to rest


class Life:
    """One run of a story. `deaths` are the steps at which the process dies, counted through all its lives."""

    def __init__(self, story: Story, folder: Path, *deaths: int) -> None:
        self.story, self.folder = story, folder
        self.path = new_store(folder)
        self._eye = seeing(self.path, url_of(folder))
        self.fate = Fate(*deaths)
        self.broken: list[str] = []
        self.lives = 0
        self.make_store: Callable[[Path, VirtualLoop], Database] = opened
        self.make_line: Callable[..., Line] = Line
        self.intake = pipeline.intake
        self.pod = Peer(SYMPHONY, keys=False, ours=False)
        self.platform = Peer(WEIXIN, keys=True, ours=True, window=story.window)
        self.peers = {SYMPHONY: self.pod, WEIXIN: self.platform}
        story.write(self.pod, self.platform)

    # --- living

    def run(self) -> Life:
        """Live, die and be born again until nothing is left to do."""
        run_virtually(self._lives)
        return self

    async def _lives(self, loop: VirtualLoop) -> None:
        while True:
            self.lives += 1
            self.fate.dead = False
            database = self.make_store(self.folder, loop)
            self._engine = database.engine
            try:
                with self.fate.watching(database):
                    await self._live(database, loop)
                return
            except BaseExceptionGroup as group:
                strangers = group.split(Died)[1]
                if strangers:
                    raise strangers from None
            except Died:
                pass
            finally:
                self.fate.dead = True
                database.close()
                self._look_at_the_dead()

    async def _live(self, database: Database, loop: VirtualLoop) -> None:
        pace = Pace(
            batch=8, look=1.0, patience=Patience(first=500), fetch_patience=Patience(first=500, tries=5)
        )
        house = House(database, loop, Counting(), pace=pace, inspect=self._inspect)
        await database.own("the test")
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as rooms:
            endless = [rooms.create_task(pipeline.judgement(judge, house))]
            for peer in self.peers.values():
                line = self.make_line(peer, self.fate, database.blobs)
                endless.append(rooms.create_task(self.intake(line, house)))
                endless.append(rooms.create_task(pipeline.fetch(line, house)))
                rooms.create_task(pipeline.delivery(line, house, stop))
            endless.append(rooms.create_task(pipeline.deadlines(house)))
            endless.append(rooms.create_task(self._desk(database)))
            await self._rest(loop)
            stop.set()
            for task in endless:
                task.cancel()

    async def _inspect(self, blob: Blob) -> Inspection:
        """A look into an attachment, during which the process may die."""
        self.fate.step("before inspection")
        await pause(0.2)
        self.fate.step("after inspection")
        return Inspection(blob.name, "png", blob.size)

    async def _desk(self, database: Database) -> None:
        """A person who decides what is held, once the reader has seen what came after."""
        while True:
            shown = "".join(text for peer in self.peers.values() for text in peer.texts())
            for number, text in self._held():
                for words_held, before, passed in self.story.acts:
                    if words_held == text and before in shown:
                        act = desk.release if passed else desk.reject
                        await act(database, number, "carol", "looked at it")
            await pause(0.7)

    async def _rest(self, loop: VirtualLoop) -> None:
        while not self._at_rest():
            await pause(1.0)
            if loop.time() > LONGEST:
                raise AssertionError(f"no rest: {self.rows('SELECT state, reason FROM deliveries')}")

    def _at_rest(self) -> bool:
        if self.pod.acknowledged < len(self.pod.stream):
            return False
        (position,) = self.rows("SELECT coalesce(max(value), '0') FROM cursors WHERE name = 'position'")[0]
        if int(position) < len(self.platform.stream):
            return False
        moving = self.rows(
            "SELECT 1 FROM messages WHERE state IN ('new', 'fetching') UNION ALL "
            "SELECT 1 FROM deliveries WHERE state IN ('ready', 'claimed', 'waiting') UNION ALL "
            "SELECT 1 FROM reviews WHERE state = 'open' AND due_at > 0 AND late_at = 0 LIMIT 1"
        )
        open_acts = {act[0] for act in self.story.acts} & {text for _, text in self._held()}
        return not moving and not open_acts

    def _held(self) -> list[tuple[int, str]]:
        rows = self.rows(
            "SELECT m.id, body_of(c.lane, c.seq) FROM messages m "
            "JOIN content c ON c.lane = m.lane AND c.seq = m.entry WHERE m.state = 'held'"
        )
        return [(number, orjson.loads(body).get("text", "")) for number, body in rows]

    def world(self) -> object:
        """All that outlives the process: what is committed, the attachments, and what both networks know."""
        blobs = [(path, path.stat().st_size) for path in (self.folder / "blobs").rglob("*")]
        return self._eye.commits(), sorted(blobs), [_knows(one) for one in self.peers.values()]

    def rows(self, query: str) -> list[tuple]:
        """What any other reader of the database would see now."""
        return self._eye.rows(query)

    # --- invariants

    def _look_at_the_dead(self) -> None:
        """What must be true at any moment at which the process may be gone."""
        archived = {row[0] for row in self.rows("SELECT network || ' ' || source_id FROM messages")}
        position = self.rows("SELECT coalesce(max(value), '0') FROM cursors WHERE name = 'position'")[0][0]
        told = [*self.pod.stream[: self.pod.acknowledged], *self.platform.stream[: int(position)]]
        for one in told:
            if f"{one.network} {one.id}" not in archived:
                self.broken.append(f"{one.id} was acknowledged and is not archived")
        attempts = dict(self.rows("SELECT permit, attempt FROM deliveries"))
        for peer in self.peers.values():
            for permit in peer.posts:
                if not attempts.get(permit):
                    self.broken.append(f"{permit} was posted, and no claim tells of it")

    def examine(self) -> list[str]:
        """Every invariant that does not hold now that the story has come to rest, as sentences."""
        for check in (
            self._archive,
            self._order,
            self._forbidden,
            self._once_each,
            self._marks,
            self._told,
            self._inspected,
            self._watched,
            self._verified,
        ):
            self.broken.extend(check())
        self.broken.extend(ledger_breaks(self._eye))
        self.broken.extend(self._testimony())
        self._eye.close()
        return self.broken

    def _archive(self) -> Iterator[str]:
        kept = Counter(self.rows("SELECT network, source_id FROM messages WHERE notice_for IS NULL"))
        for peer in self.peers.values():
            for one in {one.id: one for one in peer.stream}.values():
                count = kept.pop((one.network, one.id), 0)
                if count != 1:
                    yield f"{one.id} stands {count} times in the archive"
        yield from (f"{key} stands in the archive and was never said" for key in kept)
        yield from (f"half a file is left: {path.name}" for path in (self.folder / "blobs/new").iterdir())

    def _inspected(self) -> Iterator[str]:
        """Each attachment was archived with what was found in it, once."""
        found = dict(
            self.rows(
                "SELECT f.message, body_of(c.lane, c.seq) FROM files f JOIN messages m ON m.id = f.message "
                "JOIN content c ON c.lane = m.lane AND c.seq = f.entry WHERE f.state = 'archived'"
            )
        )
        entries = Counter(
            orjson.loads(entry)["facts"]["message"]
            for (entry,) in self.rows("SELECT entry FROM ledger")
            if b'"kind":"file:archived"' in entry
        )
        for (number,) in self.rows("SELECT message FROM files WHERE state = 'archived'"):
            if b'"type":"png"' not in found.get(number, b"") or entries[number] != 1:
                yield f"what was found in the attachment of message {number} is not there, once"

    def _order(self) -> Iterator[str]:
        """In a conversation, what passes is shown in the order in which it was said; what was held, later."""
        for network, peer in self.peers.items():
            said = {one.id: one for one in self.peers[other(network)].stream}.values()
            held = {one.id for one in said if "HOLD" in one.text}
            wanted = [_told_as(one) for one in said if passes(one) and one.refers_to not in held]
            shown = [text for text in map(_last_line, peer.texts()) if "HOLD" not in text]
            if shown != wanted:
                yield f"{network} was shown {shown} instead of {wanted}"

    def _forbidden(self) -> Iterator[str]:
        for peer in self.peers.values():
            for text in peer.texts():
                if "BLOCK" in text or "MASK" in text:
                    yield f"{text!r} must not be sent"
                if "HOLD" in text and "until seen" not in text:
                    yield f"{text!r} was held and sent"

    def _once_each(self) -> Iterator[str]:
        states = dict(self.rows("SELECT permit, state FROM deliveries"))
        for peer in self.peers.values():
            for permit, count in Counter(one.permit for one in peer.shown).items():
                if count > 1:
                    yield f"{permit} was shown {count} times"
                if states.get(permit) not in ("sent", "failed"):
                    yield f"{permit} was shown and is {states.get(permit)}"
            for permit, bodies in peer.bodies.items():
                if len(bodies) > 1:
                    yield f"{permit} was posted with different words"
            shown = {one.permit for one in peer.shown}
            marked = self.rows(
                f"SELECT permit FROM deliveries WHERE state = 'sent' AND network = '{peer.network}'"
            )
            yield from (
                f"{permit} is sent and was never shown" for (permit,) in marked if permit not in shown
            )
            yield from peer.complaints

    def _marks(self) -> Iterator[str]:
        marked = {
            _last_line(text): _lines(text)[:-1] for peer in self.peers.values() for text in peer.texts()
        }
        for text, marks in self.story.marks.items():
            if marked.get(text) != marks:
                yield f"{text!r} is marked {marked.get(text)} instead of {marks}"
        for text, files in self.story.files.items():
            if [one.files for one in self.platform.shown if one.text == text] != [files]:
                yield f"the files of {text!r} did not arrive whole, once"

    def _told(self) -> Iterator[str]:
        """Every sender is told what became of his words, in his chat and language, exactly once."""
        for network, peer in self.peers.items():
            # The numbers of messages depend on when the process dies.
            told = Counter(re.sub("[0-9]+", "0", text) for text in peer.texts(notices=True))
            wanted = Counter(re.sub("[0-9]+", "0", text) for text in self.story.told[network])
            for words_of_ours in self.story.depends:
                del told[re.sub("[0-9]+", "0", words_of_ours)]
            if told != wanted:
                yield f"on {network}, {told - wanted} was told too much and {wanted - told} too little"
            chats = {one.conversation for one in peer.shown}
            if not chats <= {STREAM, CONTACT, STRANGER["conversation"], DIRECT + BOB}:
                yield f"something of {network} went to {chats}"

    def _watched(self) -> Iterator[str]:
        """What follows from a verdict beside the message's way has happened, and once."""
        kinds = Counter(orjson.loads(entry)["kind"] for (entry,) in self.rows("SELECT entry FROM ledger"))
        for kind, count in self.story.facts.items():
            if kinds[kind] != count:
                yield f"there are {kinds[kind]} entries {kind} instead of {count}"
        firm = set(ADVICE.text.values())
        below = sum(text.split("\n")[-1] in firm for peer in self.peers.values() for text in peer.texts())
        if below != self.story.below:
            yield f"a text of the firm's was shown {below} times"
        drawn = self.rows(
            "SELECT body_of(c.lane, c.seq) FROM samples s JOIN messages m ON m.id = s.message "
            "JOIN content c ON c.lane = m.lane AND c.seq = m.entry"
        )
        texts = tuple(orjson.loads(body)["text"] for (body,) in drawn)
        if texts != self.story.samples:
            yield f"{texts} may be drawn for review"

    def _verified(self) -> Iterator[str]:
        """What `audit verify` would find."""
        found: list[object] = []
        with self._engine.connect() as db, db.begin():
            verify(db, self.folder / "blobs", found.append)
        self._engine.dispose()
        yield from (f"audit verify finds {one}" for one in found)

    def _testimony(self) -> Iterator[str]:
        """Receipts come after permits, permits after verdicts, verdicts after archive entries."""
        steps: dict[str, list[str]] = {}
        message_of: dict[str, int] = {}
        order: dict[tuple[str, str], int] = {}
        for seq, data in self.rows("SELECT seq, entry FROM ledger ORDER BY seq"):
            entry = orjson.loads(data)
            steps.setdefault(entry["subject"], []).append(entry["kind"])
            order.setdefault((entry["subject"], entry["kind"]), seq)
            if entry["kind"] == "delivery:permitted":
                message_of[entry["subject"]] = entry["facts"]["message"]
        for subject, number in message_of.items():
            kinds = steps[subject]
            if (
                kinds[0] != "delivery:permitted"
                or sum(k in ("delivery:sent", "delivery:found") for k in kinds) > 1
            ):
                yield f"{subject} went {kinds}"
            archived = order.get((f"message/{number}", "message:archived"))
            archived = order.get((f"message/{number}", "notice:archived")) if archived is None else archived
            judged = order.get((f"message/{number}", "message:judged"))
            if (
                archived is None
                or judged is None
                or not archived < judged < order[subject, "delivery:permitted"]
            ):
                yield f"{subject} was permitted before its message was archived and judged"


def passes(one: Message) -> bool:
    """Whether the story wants the other side to see this, in its place."""
    if one.kind in (Kind.FAILED, Kind.NOTE) or one.conversation not in (STREAM, CONTACT):
        return False
    return not any(mark in one.text for mark in ("BLOCK", "HOLD", "too much"))


def _told_as(one: Message) -> str:
    return words.say("recalled", "en") if one.kind is Kind.RECALL else one.text.replace("MASK", "****")


def _last_line(text: str) -> str:
    return _lines(text)[-1]


def _lines(text: str) -> list[str]:
    """The lines of what was shown, without a text of the firm's below it."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] in ADVICE.text.values() else lines


def _knows(peer: Peer) -> tuple:
    asked = peer.posts.total(), peer.looks.total(), sum(map(len, peer.troubles.values()))
    return len(peer.stream), peer.acknowledged, len(peer.shown), asked


class Eye(Protocol):
    """A reader of a store's database that opens what is sealed there: `body_of(lane, seq)`, `raw_of(...)`."""

    def rows(self, query: str) -> list[tuple]:
        """What is committed now."""

    def contents(self) -> list[tuple]:
        """Place, salt, body and raw bytes of everything that is sealed."""

    def commits(self) -> object:
        """Something that is another after each commit of others."""

    def close(self) -> None:
        """See no more."""


_one_engine = functools.cache(open_engine)
"""An engine of the eyes' own for each address: its compiled statements are worth keeping."""


class _Opening:
    """What both eyes have: a connection that opens what is sealed. What was opened once stays as it is."""

    def __init__(self, folder: Path, url: str) -> None:
        self._engine = _one_engine(url)
        self._engine.dispose()  # another store was here
        self._engine.dialect.vault = Vault(self._engine, KeyFile(folder / KEY_FILE))  # type: ignore[attr-defined]
        self._reading: Connection | None = None
        self._opened: dict[tuple[str, int, int], bytes | None] = {}

    def _ask(self, query: Select) -> list[tuple]:
        if self._reading is None:
            self._reading = self._engine.connect()
        with self._reading.begin():
            return [tuple(row) for row in self._reading.execute(query)]

    def _of(self, part: str, lane: int, seq: int) -> bytes | None:
        if (part, lane, seq) not in self._opened:
            query = select(content.c[part]).where(content.c.lane == lane, content.c.seq == seq)
            for (found,) in self._ask(query):
                self._opened[part, lane, seq] = found
        return self._opened.get((part, lane, seq))

    def contents(self) -> list[tuple]:
        return self._ask(select(content.c.seq, content.c.salt, content.c.body, content.c.raw))

    def close(self) -> None:
        if self._reading is not None:
            self._reading.close()
        self._engine.dispose()


class _OnFile(_Opening):
    """An eye on SQLite."""

    def __init__(self, path: Path, url: str) -> None:
        super().__init__(path.parent, url)
        self._db = sqlite3.connect(path)
        for part in ("body", "raw"):
            self._db.create_function(f"{part}_of", 2, functools.partial(self._of, part))

    def rows(self, query: str) -> list[tuple]:
        return self._db.execute(query).fetchall()

    def commits(self) -> object:
        return self.rows("PRAGMA data_version")

    def close(self) -> None:
        self._db.close()
        super().close()


class _OnServer(_Opening):
    """An eye on PostgreSQL, which is told places, and opens what stands there."""

    def __init__(self, path: Path, url: str) -> None:
        super().__init__(path.parent, url)
        self._db = psycopg.connect(url, autocommit=True)

    def rows(self, query: str) -> list[tuple]:
        places = re.sub(r"(body|raw)_of\(([\w.]+), ([\w.]+)\)", r"'\1_of ' || \2 || ' ' || \3", query)
        return [tuple(map(self._value, row)) for row in self._db.execute(places)]

    def _value(self, value: Any) -> Any:
        if not isinstance(value, str) or not value.startswith(("body_of ", "raw_of ")):
            return value
        what, lane, seq = value.split(" ")
        return self._of(what.removesuffix("_of"), int(lane), int(seq))

    def commits(self) -> object:
        # The oldest transaction under way: it moves on with each end of one that wrote.
        return self.rows("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")

    def close(self) -> None:
        self._db.close()
        super().close()


def seeing(path: Path, url: str) -> Eye:
    """An eye on the store at `url`, which is the file `path` if it is in a file."""
    return (_OnFile if url.startswith("sqlite") else _OnServer)(path, url)


def ledger_breaks(eye: Eye) -> Iterator[str]:
    """Where a store's ledger does not add up, computed from its bytes alone."""
    heads = dict(eye.rows("SELECT size, root FROM heads"))
    contents = {seq: row for seq, *row in eye.contents()}
    frontier = Frontier()
    for place, (seq, data, leaf) in enumerate(eye.rows("SELECT seq, entry, leaf FROM ledger ORDER BY seq")):
        entry = orjson.loads(data)
        if not place == seq == entry["seq"]:
            yield f"entry {place} of the ledger is missing"
        if leaf_hash(data) != leaf:
            yield f"entry {seq} does not match its leaf"
        if entry["digest"] != (digest_of(*contents.pop(seq)) if seq in contents else ""):
            yield f"entry {seq} and its content do not match"
        frontier.append(leaf)
        root = heads.pop(frontier.size, None)
        if root not in (None, frontier.root()):
            yield f"the head of size {frontier.size} is another"
    ((size, edge),) = eye.rows("SELECT size, frontier FROM lanes")
    if (size, edge) != (frontier.size, frontier.to_bytes()):
        yield "the lane's right edge is not that of its entries"
    if heads or contents:
        yield "there are heads or contents without entries"
