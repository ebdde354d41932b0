"""Seven years of a small firm: what must be kept is there, what must go is gone from every file, holds held.

Rules of this file: everything goes through the store's own doors, on a clock that the test moves. What should
have become of each record is computed by the calendar here, and by nothing that the product computes with. A
record is gone when its key, its sealed words and its sealed attachment stand in no file of the firm any more;
the words themselves were never there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from disposals import FIRST, SECOND, Firm
from evidence_rig import key_of, make, verified
from story import ACCOUNT, Story, Terminal, passed

from bridge import desk
from bridge.cli import compose
from bridge.message import WEIXIN, File, Kind, Party, Retention
from bridge.policy import Source
from bridge.ports import Order, Placing, Ruling
from bridge.search.query import parse
from bridge.store.documents import documents
from bridge.store.heartbeats import beat

YEARS = 7
BEGIN = date(2026, 1, 15)
WANG = Party(WEIXIN, "wmWangWu", "王五", "", "zh-Hans")
WANG_CHAT = f"{ACCOUNT}/{WANG.id}"

SHORT = Retention("desk/notes", "1y")
ORDERS = Retention("desk/orders", "2y", worm=True, first="1y")
MIFID = Retention("desk/mifid", "5y")
SWAP = Retention("desk/swaps", "1y", "deal-termination")
CLASSES: Sequence[tuple[Retention, ...]] = (
    (SHORT,), (ORDERS, SHORT), (SHORT,), (MIFID, ORDERS), (SWAP,), (SHORT,), (ORDERS,), (), (SWAP, SHORT),
)  # fmt: skip

WORDS = ("约定20", "matter-")
"""What every message says."""

POLICY = Source(
    "desk.yaml",
    b"""\
policy: desk
language: 1
title: t
owner: compliance@bank.example
legal_holds:
  - { id: matter-3, people: [wmWangWu], since: 2026-01-01, approved_by: carol@bank.example }
""",
)
FREE = Source("desk.yaml", b"policy: desk\nlanguage: 1\ntitle: t\nowner: compliance@bank.example\n")


def after(begin: date, keep: str) -> date:
    """The first day on which a period is over: the day after its anniversary. No test day is 29 February."""
    return begin.replace(year=begin.year + int(keep[:-1])) + timedelta(days=1)


@dataclass
class Record:
    """What the firm has of one message, and what the calendar says of it."""

    number: int
    text: str
    born: date
    classes: tuple[Retention, ...]
    wang: bool
    secrets: list[bytes] = field(default_factory=list)
    closed: date | None = None
    extended: date = BEGIN
    gone: bool = False
    sought: bool = False

    def ends(self) -> date | None:
        """The day from which nothing but a hold keeps it; None while there is none."""
        begins = [self.born if one.start == "creation" else self.closed for one in self.classes]
        if not begins or None in begins:
            return None
        ends = [after(begin, one.keep) for begin, one in zip(begins, self.classes, strict=True) if begin]
        return max(*ends, self.extended)


class Life:
    """The firm under way: its store, its clock, and what a careful clerk wrote down beside it."""

    def __init__(self, folder: Path) -> None:
        self.firm = Firm(Story(folder))
        self.story = self.firm.story
        self.records: list[Record] = []
        self.holds: dict[str, Any] = {}
        self.today(BEGIN)

    def today(self, day: date) -> None:
        """It is the morning of this day."""
        self.day = day
        self.story.clock.at = round(datetime(day.year, day.month, day.day, 8, tzinfo=UTC).timestamp() * 1000)

    # what people do

    async def talk(self) -> None:
        """A morning: a message of each class, every third from or to 王五, two with attachments."""
        for place, classes in enumerate(CLASSES):
            wang = place % 3 == 2
            text = f"约定{self.day:%Y%m%d}号{place} matter-{self.day:%y%m}-{place}" + (
                " swap" if SWAP in classes else ""
            )
            await self.write(text, classes, wang=wang, file=place in (0, 3))
        await self.story.deliver()

    async def write(self, text: str, classes: tuple[Retention, ...], *, wang: bool, file: bool) -> None:
        """One message, archived and judged."""
        files = (File("ref", f"报表{len(self.records)}.pdf", Kind.FILE),) if file else ()
        said = self.story.says if file else self.story.answers
        one = said(text, files=files, raw=f"<{text}>".encode())
        if wang:
            one = replace(one, conversation=WANG_CHAT, sender=WANG.id)
        await self.story.archive(one)
        if file:
            await self.story.keep_file(f"%PDF-1.7 {text}".encode())
        (archived,) = await self.story.store.unjudged(9)
        verdict = replace(passed(archived), retention=classes)
        await self.story.store.record_rulings([Ruling(archived, verdict, "")])
        record = Record(archived.seq, text, self.day, classes, wang)
        record.secrets = await self.firm.store.read(lambda db: self.sealed(db, archived.seq))
        self.records.append(record)

    def sealed(self, db: Any, number: int) -> list[bytes]:
        """The wrapped keys and the sealed bytes of a record, as they stand in tables and files now."""
        of = "WHERE seq IN (SELECT seq FROM ledger WHERE subject = ?)"
        found = []
        for columns, table in (("body, raw", "content"), ("wrapped", "data_keys")):
            rows = db.exec_driver_sql(f"SELECT {columns} FROM {table} {of}", (f"message/{number}",))
            found += [bytes(part) for row in rows for part in row if part]
        files = "SELECT digest, wrapped FROM files JOIN file_keys USING (digest) WHERE message = ?"
        for digest, wrapped in db.exec_driver_sql(files, (number,)):
            data = (self.story.blobs / digest[:2] / digest[2:4] / digest).read_bytes()
            found += [bytes(wrapped), data[-40:]]
        return found

    async def hold(self, name: str, query: str, covers: Any) -> None:
        """A legal hold is placed."""
        at = datetime.fromtimestamp(self.story.clock.at / 1000, UTC)
        placing = Placing(name, str(parse(query, at, UTC)), query, FIRST, "a letter")
        await desk.place_hold(self.firm.store, placing)
        self.holds[name] = covers

    async def lift(self, name: str) -> None:
        """Two people lift it, and nothing goes by that."""
        await desk.propose_lift(self.firm.store, name, FIRST, "settled")
        await desk.lift_hold(self.firm.store, name, SECOND, "agreed", ())
        del self.holds[name]
        await self.count()

    async def close(self, records: Sequence[Record]) -> None:
        """These deals ended today."""
        order = Order(FIRST, "closed", "swap", event="deal-termination", at=self.story.clock.at)
        await desk.lengthen(self.firm.store, order, [one.number for one in records])
        for one in records:
            one.closed = self.day

    async def extend(self, records: Sequence[Record], keep: str) -> None:
        """The authority asks for these to be kept so long."""
        order = Order(FIRST, "asked", "mifid", keep=keep)
        await desk.lengthen(self.firm.store, order, [one.number for one in records])
        for one in records:
            one.extended = after(one.born, keep)

    # what is looked at

    def should_go(self, one: Record) -> bool:
        """Whether nothing keeps a record today."""
        ends = one.ends()
        over = ends is not None and ends <= self.day
        return over and not any(covers(one) for covers in self.holds.values())

    async def quarter(self) -> None:
        """Everything that may go is disposed of, and nothing else."""
        due = [one for one in self.records if not one.gone and self.should_go(one)]
        if due:
            await self.firm.dispose()
        for one in due:
            one.gone = True
        await self.count()

    async def count(self) -> None:
        """Every record is there or gone, as the calendar says."""
        gone = await self.firm.store.read(
            lambda db: {row[0] for row in db.exec_driver_sql("SELECT message FROM disposed")}
        )
        assert gone == {one.number for one in self.records if one.gone}

    async def year(self) -> None:
        """The books: the ledger verifies; what is kept opens; what is gone stands in no file."""
        await self.story.sign()
        assert await self.firm.findings() == []
        words = await self.firm.store.read(self._words)
        assert words == {one.number: one.text for one in self.records if not one.gone}
        there = b"".join(data for _, data in self.firm.files())
        codings = ("utf-8", "utf-16-le", "utf-16-be", "gbk")
        assert not any(word.encode(coding) in there for word in WORDS for coding in codings)
        for one in self.records:
            if one.gone and not one.sought:
                assert not any(secret in there for secret in one.secrets), one
                one.sought = True
        for one in [one for one in self.records if not one.gone][:: len(CLASSES) + 1]:
            assert all(secret in there for secret in one.secrets), one

    def _words(self, db: Any) -> dict[int, str]:
        found = documents(db, [one.number for one in self.records])
        return {one.number: one.text for one in found if one.text}


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    """The firm on its first day."""
    (tmp_path / "firm").mkdir()
    one = Life(tmp_path / "firm")
    yield one
    one.firm.store.close()


def test_seven_years_of_a_small_firm(
    life: Life, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Quarter by quarter: people write, deals end, holds come and go, and whatever is over is destroyed."""
    monkeypatch.setattr(compose.WallClock, "now", lambda _: life.story.clock.now())
    terminal = Terminal(life.firm.folder, capsys)
    packages: list[Path] = []
    shown: list[Record] = []
    with asyncio.Runner() as runner:
        runner.run(begin(life))
        for number in range(4 * YEARS):
            year, quarter = divmod(number, 4)
            runner.run(a_quarter(life, year, quarter))
            if (year, quarter) in ((0, 3), (2, 3)):
                newest = str(life.records[-1].number - 1)
                packages.append(make(terminal, messages=newest, name=f"../of-year-{year}.zip"))
    gone = [one for one in life.records if one.gone]
    assert (len(life.records), len(gone)) == (216, 118)
    assert all(one.gone for one in shown)
    key = key_of(life.firm.folder)
    assert [verified(package, key)[0] for package in packages] == [0, 0]


async def begin(life: Life) -> None:
    """Two clients, one advisor."""
    await life.story.store.own("daemon")
    await life.story.pair()
    await life.story.pair("room-wang", WANG)


async def a_quarter(life: Life, year: int, quarter: int) -> None:
    """What happens in it; then disposal; the books at the year's end. In the last year nobody writes."""
    life.today(date(2026 + year, 1 + 3 * quarter, 15))
    await life.firm.store.write(lambda tx: beat(tx, 0, "weixin", tx.now, 0))  # the networks are read
    if year < YEARS - 1:
        await life.talk()
    await happens(life, year, quarter)
    await life.quarter()
    if quarter == 3:
        life.firm.follow()
        await life.year()


async def happens(life: Life, year: int, quarter: int) -> None:
    """What is out of the ordinary in this quarter."""
    swaps = [one for one in life.records if SWAP in one.classes and one.born.year == 2026]
    mifid = [one for one in life.records if MIFID in one.classes and one.born.year == 2027]
    match year, quarter:
        case 0, 2:
            await life.hold("CASE-7", f"with:{WANG.id}", lambda one: one.wang)
        case 1, 1:
            await life.hold("CASE-8", '"matter-2604-0"', lambda one: "matter-2604-0" in one.text)
        case 2, 1:
            await life.close(swaps)
        case 3, 0:
            await life.lift("CASE-7")
        case 3, 1:
            await life.firm.store.activate_policy([("desk", POLICY.hash)], FIRST, "enquiry", [POLICY])
            life.holds["policy"] = lambda one: one.wang
        case 4, 2:
            await life.extend(mifid, "9y")
        case 5, 0:
            await life.firm.store.activate_policy([("desk", FREE.hash)], FIRST, "closed", [FREE])
            del life.holds["policy"]
