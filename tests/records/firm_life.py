"""The small firm under way: its store and archives, on a clock that the test moves, and the clerk beside it.

Rules of this file: messages take the real way (archived, fetched, judged by the policies in force, delivered,
copied), and people type the real commands. Only the networks and the vault are played. What a message says or
contains has all `MARKS` in it, and a network calls it by a name like `nid-00007-`: so one look through the
bytes of a file finds all that there is.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import re2
from archives import Shelf
from disposals import FIRST, PLANNER, SECOND
from postgres import Server
from rig import Counting, new_store, opened
from small_firm import CLIENTS, COPIED, STRANGER, Clerk, Line, Record, editions, lines_of
from sqlalchemy import Connection, make_url, text
from story import Answer, Terminal, Ticking, pieces

from bridge import desk, pipeline
from bridge.archivist import Archivist, Destination
from bridge.cli import compose
from bridge.cli.output import Exit
from bridge.in_force import InForce, Judging, Law
from bridge.message import SYMPHONY, WEIXIN, Batch, Blob, File, Kind, Message, Outcome, Party, Receipt
from bridge.notary import Notary
from bridge.people import Pair
from bridge.policy import load as policies_in
from bridge.ports import Attempt, Claim, Step
from bridge.proposals import Bar
from bridge.sinks.drop import DropSink
from bridge.store.anchors import AnchorFolder
from bridge.store.documents import documents
from bridge.store.heartbeats import beat
from bridge.store.holds import standing_holds
from bridge.store.index.following import catch_up
from bridge.store.searching import open_index
from bridge.store.signing import signing_key
from bridge.store.terms import standings
from bridge.witnesses.shelf import OnShelf

ACCOUNT = "wkWealth"
DROP, VAULT = "desk/drop", "desk/vault"
ADVISORS = {
    "alice": Party(SYMPHONY, "7001", "Alice Wong", PLANNER, "en"),
    "bob": Party(SYMPHONY, "7002", "Bob Li", FIRST, "en"),
}
LANGUAGES = {SYMPHONY: "en", WEIXIN: "zh-Hans"}
MARKS = ("Zephyr", "约定")
LACKING = f"not yet in {DROP}"
HEAD = 8  # bytes of something sealed by which it is known
CODINGS = ("utf-8", "utf-16-le", "utf-16-be", "gbk")
_ID = re.compile(rb"nid-(\d{5})-")
SETTINGS = """
[policy]
files = ["{folder}/policies/*.yaml"]
activation = "approved"
legal_approvers = ["{legal}"]
"""


def milliseconds(day: date) -> int:
    """Midnight, UTC."""
    return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


class Life:
    """The firm: what it has (`store`, `drop`, `vault`), what a clerk knows of it, and what happens to it."""

    def __init__(self, folder: Path, terminal: Callable[[Path], Terminal]) -> None:
        self.folder, self.drop = folder / "firm", folder / "drop"
        for one in (self.folder, self.drop, self.folder / "policies"):
            one.mkdir()
        new_store(self.folder, paired=False)
        self.clock = Ticking()
        self.store = opened(self.folder, self.clock)
        self.clerk = Clerk(editions(f"file://{self.drop}"))
        self.judging, self.vault = Judging(), Shelf(VAULT)
        self.archivist = Archivist(self.store, self._named, self._sink)
        self.terminal = terminal(self.folder)
        self.terminal.settings(SETTINGS.format(folder=self.folder, legal=SECOND))
        self.mounted = True
        self.pairs: dict[str, int] = {}
        self.sealed: defaultdict[int, set[bytes]] = defaultdict(set)
        self.sought: set[bytes] = set()
        self.stuck: dict[int, str] = {}

    def _named(self) -> Sequence[Destination]:
        return compose.destinations(self.judging.policies)

    def _sink(self, one: Destination) -> Any:
        return self.vault if one.name == VAULT else DropSink(one.name, self.drop)

    # time, people, policies

    async def today(self, day: date) -> None:
        """It is the morning of this day, and the networks were read."""
        self.day, self.clock.at = day, milliseconds(day) + 8 * 3_600_000
        await self.store.write(lambda tx: beat(tx, 0, "weixin", tx.now, 0))

    async def open(self) -> None:
        """The firm begins: its clients are paired."""
        await self.store.own("daemon")
        for name, one in CLIENTS.items():
            who = Party(WEIXIN, one.id, one.name, "", "zh-Hans", frozenset({one.tag} - {""}))
            two = Pair(ADVISORS[one.advisor], f"room-{name}", who, ACCOUNT)
            self.pairs[name] = await self.store.make_pair(two.record(), SECOND, "a client")

    def types(self, person: str, *words: str, code: int = Exit.DONE, why: bool = True) -> Answer:
        """Somebody types a command, with a reason unless it takes none, and it ends as it should."""
        said = self.terminal.type(*words, "--as", person, *(("--reason", "as agreed") if why else ()))
        assert said.code == code, (words, said.out, said.err)
        return said

    def asks(self, *words: str) -> Answer:
        """Somebody looks."""
        said = self.terminal.type(*words)
        assert said.code == Exit.DONE, (words, said.out, said.err)
        return said

    def save(self, day: date) -> None:
        """The policy of this day is written into its file."""
        (self.folder / "policies/desk.yaml").write_text(self.clerk.policies[day])

    async def put_in_force(self, change: int) -> None:
        """Somebody schedules an approved change; the daemon starts again, and puts it into force."""
        bar = Bar(legal=(SECOND,))
        await desk.activate(self.store, change, FIRST, "as agreed", 0, bar)
        paths = [self.folder / "policies/desk.yaml"]
        law = Law(lambda: policies_in(paths), activation="approved", bar=bar)
        house = pipeline.House(self.store, self.clock, Counting())
        await InForce(self.judging, law, house, self.store).begin()
        await self.archivist.renew()

    # a day's talk

    async def talk(self) -> None:
        """All that the diary has for today: first what is said, then what is said anew or taken back."""
        lines = lines_of(self.day)
        await self.moment([one for one in lines if one.swift or not (one.edits or one.recalls)])
        await self.moment([one for one in lines if not one.swift and (one.edits or one.recalls)])

    async def moment(self, lines: Sequence[Line]) -> None:
        """These lines are archived, judged, decided, delivered and copied."""
        if not lines:
            return
        written = [self.written(one) for one in lines]
        for network in (SYMPHONY, WEIXIN):
            if said := [one for one in written if one.network == network]:
                await self.store.archive(
                    Batch(network, said, cursors={"main": f"to {len(self.clerk.records)}"})
                )
            if any(one.files for one in said):
                await self.fetch(network)
        archived = await self.store.unjudged(256, self.judging.reach)
        for one in archived:
            self.record(one.message.id).number = one.seq
        rulings = pipeline.decide(archived, self.judging, self.clock.now(), LANGUAGES)
        await self.store.record_rulings(rulings)
        for one in rulings:
            if one.verdict.outcome is Outcome.HOLD:
                await self.decide(self.record(one.archived.message.id))
        await self.deliver()
        await self.copy()

    def written(self, line: Line) -> Message:
        """A line as its network shows it, and as the clerk writes it down."""
        count = len(self.clerk.records)
        network = WEIXIN if line.by_client else SYMPHONY
        marked = f"{line.text} Zephyr{count:05}q 约定{count:05}"
        text = "[Recalled]" if line.recalls else marked
        record = Record(count, 0, line, text, self.day, self.clerk.classes(line, self.day))
        more: dict[str, Any] = {"raw": f"<{marked}>".encode(), "text": text}
        if line.chat in COPIED and not self.mounted:
            record.open.add(LACKING)
        if line.file:
            record.data = f"%PDF-1.7 {marked} 全文".encode()
            more["files"] = (File(f"ref-{count:05}", f"{count}约定{line.file}", Kind.FILE),)
        if about := line.edits or line.recalls or line.answers:
            other = self.newest(line.chat, about)
            key = "replaces" if line.edits else "refers_to"
            more[key] = f"nid-{other.count:05}-"
            more |= {"quote": other.text} if line.answers else {}
            if not line.answers:
                record.joined.append(other)
                other.joined.append(record)
        more |= {"kind": Kind.RECALL} if line.recalls else {}
        self.clerk.records.append(record)
        return Message(network, f"nid-{count:05}-", *self.place(line), self.clock.at, **more)

    def place(self, line: Line) -> tuple[str, str]:
        """The chat in which it is written, and by whom."""
        if line.chat == STRANGER:
            return f"{ACCOUNT}/wmStranger", "wmStranger"
        client = CLIENTS[line.chat]
        if line.by_client:
            return f"{ACCOUNT}/{client.id}", client.id
        return f"room-{line.chat}", ADVISORS[client.advisor].id

    def record(self, name: str) -> Record:
        """The record that a network calls so."""
        return self.clerk.records[int(name[4:9])]

    def newest(self, chat: str, name: str) -> Record:
        """The newest line of this name in a chat."""
        found = (
            one for one in reversed(self.clerk.records) if (one.line.chat, one.line.name) == (chat, name)
        )
        return next(found)

    async def fetch(self, network: str) -> None:
        """Attachments that are wanted arrive."""
        for wanted in await self.store.wanted_files(network, 99):
            record = self.record(wanted.file.ref)
            digest, size = await self.store.keep(pieces(record.data), 1000)
            file = wanted.file
            await self.store.settle_file(wanted, Blob(digest, size, file.name, file.kind, file.media_type))

    async def decide(self, record: Record) -> None:
        """A reviewer decides, in turn, what he sees; what is called slow is seen by nobody, for long."""
        if record.line.name == "slow":
            record.open.add("undecided")
        else:
            passed = record.count % 2 == 0 and record.line.chat != STRANGER
            await self.store.decide_hold(record.number, FIRST, "seen", passed=passed)

    async def deliver(self) -> None:
        """The networks take everything, but what is called stuck."""
        while claims := [*await self.store.claim(SYMPHONY, 99), *await self.store.claim(WEIXIN, 99)]:
            await self.store.record_attempts([self.sent(claim) for claim in claims])

    def sent(self, claim: Claim) -> Attempt:
        """What became of one delivery."""
        permit = claim.permit
        about = (one for one in self.clerk.records if one.number == permit.message_seq)
        if (record := next(about, None)) and record.line.name == "stuck":
            self.stuck[record.number] = permit.id
            record.open.add("delivery open")
            return Attempt(permit, Step.PARK, claim.traffic, reason="unreachable", notice="undelivered")
        return Attempt(permit, Step.SEND, claim.traffic, Receipt((f"out-{permit.id}",)))

    # archives outside

    async def copy(self) -> None:
        """What the archives lack is brought there, if they can be reached: records as they are judged, and
        once more those that are complete for a minute."""
        self.clock.at += 61_000
        await self.archivist.close_lives()
        for name in (DROP, VAULT):
            while await self.archivist.bring(name):
                pass
        for one in self.clerk.records if self.mounted else ():
            one.open.discard(LACKING)

    def unmount(self) -> None:
        """The folder outside is away."""
        self.drop.rename(self.drop.with_name("elsewhere"))
        self.mounted = False

    def mount(self) -> None:
        """It is there again."""
        self.drop.with_name("elsewhere").rename(self.drop)
        self.mounted = True

    # what the books have to show

    async def reckons(self) -> None:
        """Of every record that is there, the product says the same end and the same reasons as the clerk."""
        there, now = self.clerk.there(), self.clock.now()
        numbers = [one.number for one in there]
        told = await self.store.read(lambda db: standings(db, numbers, now, standing_holds(db)))
        said = {one.number: (one.until, one.because, set(one.kept)) for one in told}
        for one in there:
            until = None if one.until is None else milliseconds(one.until)
            assert said[one.number] == (until, one.governing, self.clerk.kept(one, self.day)), one

    async def has(self) -> None:
        """What was destroyed is what the clerk says, with the bridge's notices about it; all the rest opens,
        and says what was said, with its attachments."""
        there = self.clerk.there()
        numbers = [one.number for one in there]
        about = await self.store.read(_abouts)
        disposed = {row[0] for row in await self.rows("SELECT message FROM disposed")}
        gone = {one.number for one in self.clerk.records if one.gone}
        assert disposed == gone | {notice for notice, number in about.items() if number in gone}
        found = await self.store.read(lambda db: {one.number: one.text for one in documents(db, numbers)})
        assert found == {one.number: one.text for one in there}
        files = dict(await self.rows("SELECT message, digest FROM files WHERE digest <> ''"))
        for one in [one for one in there if one.data]:
            assert b"".join([piece async for piece in self.store.blobs.read(files[one.number])]) == one.data

    async def rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        """What a query answers."""
        return await self.store.read(lambda db: [tuple(row) for row in db.execute(text(query))])

    async def seal(self) -> None:
        """What stands sealed in tables and files is written down, by whose record it is."""
        about = await self.store.read(_abouts)
        permits = dict(await self.rows("SELECT permit, message FROM deliveries"))
        joined = "content JOIN data_keys USING (lane, seq) JOIN ledger USING (lane, seq)"
        for subject, *parts in await self.rows(f"SELECT subject, wrapped, body, raw FROM {joined}"):
            kind, _, name = subject.partition("/")
            if kind in ("message", "delivery"):
                number = int(name) if kind == "message" else permits[name]
                self.sealed[about.get(number, number)] |= {bytes(one)[-HEAD:] for one in parts if one}
        files = "SELECT message, digest, wrapped FROM files JOIN file_keys USING (digest)"
        for number, digest, wrapped in await self.rows(files):
            data = self.store.blobs.path(digest).read_bytes()
            self.sealed[number] |= {bytes(wrapped)[-HEAD:], data[-HEAD:]}

    def is_nowhere(self, everything: bytes) -> None:
        """In no byte of the firm stands what was said, nor any part of what is gone: no key, no sealed
        word or file, no name that a network gave it. Of the rest, all of that stands there."""
        assert not any_in(everything, {one.encode(code) for one in MARKS for code in CODINGS})
        known = {int(one) for one in _ID.findall(everything)}
        there = {one.count for one in self.clerk.there()}
        assert known == there, (known - there, there - known)
        gone = {part for one in self.clerk.records if one.gone for part in self.sealed[one.number]}
        assert not any_in(everything, gone - self.sought)
        assert all(part in everything for one in self.clerk.there()[::50] for part in self.sealed[one.number])
        self.sought |= gone

    def files(self) -> bytes:
        """Every byte of every file of the firm."""
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return b"\n".join(path.read_bytes() for path in paths)

    def outside(self) -> None:
        """The archives outside have a copy of every record of theirs there ever was. In the vault each is
        locked as long as it has to be kept, and held under a hold, or while nobody knows until when."""
        place = self.drop if self.mounted else self.drop.with_name("elsewhere")
        of_the_folder = [one for one in self.clerk.records if one.line.chat in COPIED]
        for one in [one for one in of_the_folder if LACKING not in one.open]:
            (folder,) = place.glob(f"records/*/{one.number:012}")
            data = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
            assert one.text.encode() in data, one
            assert one.data in data, one
        by_number = {one.number: one for one in self.clerk.records}
        for name, parcel in self.vault.there.items():
            one = by_number.get(parcel.record.number)
            if one is not None and not one.gone:
                holds = any(why.startswith("hold") for why in self.clerk.kept(one, self.day))
                assert self.vault.until[name] == (milliseconds(one.until) if one.until else 0), one
                assert self.vault.held[name] == (holds or one.until is None), one
        lie = {parcel.record.number for parcel in self.vault.there.values()}
        assert {one.number for one in self.clerk.records if one.line.chat == "han"} <= lie

    async def settle(self) -> None:
        """Locks follow; the index knows everything; the record is signed."""
        assert await self.archivist.follow_locks()
        with closing(open_index(self.store.engine, self.folder / "search")) as index:
            assert catch_up(self.store.engine, index, 60.0)
        await self.sign()

    async def sign(self) -> None:
        """What was written so far is signed, and left in a folder."""
        signer = signing_key(self.folder / "secrets/checkpoint-key", 1)
        kept = self.folder / "checkpoints"
        notary = Notary(signer, self.store, [OnShelf(AnchorFolder(kept), str(kept), 0.0, signer, 1)], 60.0)
        await notary.round()
        assert notary.trouble() == ""


def any_in(data: bytes, wanted: set[bytes]) -> bool:
    """Whether any of so many bytes stands in `data`: in one pass."""
    how = re2.Options()
    how.max_mem, how.encoding = 1 << 28, re2.Options.Encoding.LATIN1
    return (
        bool(wanted) and re2.compile(b"|".join(map(re2.escape, sorted(wanted))), how).search(data) is not None
    )


def tables_in(server: Server, url: str) -> bytes:
    """Every byte of every file of a database on a server: tables, indexes, catalogues, and not its log."""
    name = make_url(url).database
    with psycopg.connect(f"host={server.folder} user=postgres dbname={name}", autocommit=True) as db:
        db.execute("CHECKPOINT")
        (oid,) = db.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone() or (
            0,
        )
    return b"".join(path.read_bytes() for path in (server.folder / f"data/base/{oid}").iterdir())


def _abouts(db: Connection) -> dict[int, int]:
    """By each notice of the bridge: the message that it is about."""
    query = "SELECT id, notice_for FROM messages WHERE notice_for IS NOT NULL"
    return {row[0]: row[1] for row in db.execute(text(query))}
