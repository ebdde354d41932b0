"""A whole installation moved to another store, of the same engine or the other: row for row, and verified.

Rules of this file: nothing is decoded, opened or sealed anew; ids, wrapped keys and sealed bytes go as they
are, so the same master key opens them, and everything that was signed or left outside goes on to fit. The
search index is not copied: it is made again from the archive.

    source    the copy is its one writer, in one transaction from beginning to end, and holds what a daemon
              holds: nothing changes meanwhile. The last act of that transaction is to close the source.
    target    closed from the first row on (`writer.CLOSED`), so that nothing starts on half a copy; rows come
              in transactions of bounded size, each table in the order of its key. Whoever is interrupted runs
              the command again: what is there is compared with the source, and kept if it is the same.
    the end   digests of all rows on both sides, everything read again by `verify`, roots compared; only then
              an entry in the target's ledger, the target opened, the source closed, in this order
"""

from __future__ import annotations

import contextlib
import hashlib
import marshal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, Table, column, func, inspect, select, table, update
from sqlalchemy.exc import SQLAlchemyError

from bridge.errors import Conflict, StoreError
from bridge.ledger.tree import Frontier
from bridge.ports import KeyKeeper
from bridge.store import schema as s
from bridge.store.blobs import BlobFolder
from bridge.store.causes import cause
from bridge.store.codec import dump
from bridge.store.database import CLOSED_SCHEMA, migrate
from bridge.store.engines import alone, fill, hold, open_engine, partition, place, prepare
from bridge.store.proving import testimony
from bridge.store.rows import is_gone
from bridge.store.vault import vault_of
from bridge.store.verify import Finding, Summary
from bridge.store.writer import CLOSED, Tx

MANY, LARGE = 5000, 8 << 20
"""Rows, and bytes, that one transaction writes at most (but for a single row that is larger)."""

UNFINISHED = f"{CLOSED}a copy into this store is not at its end: run the same `weighbridge store copy` again"

MOVED = (
    f"{CLOSED}this store was moved to {{place}}, and what is written here would be missing there: write "
    "that address as [store] url"
)

SUBJECT = "store"

FIRST = ("meta", "lanes")
"""Tables that are there, whole, from the first transaction on."""

OWNING: Mapping[str, frozenset[str]] = {"lanes": frozenset({"owner", "lease_until"})}
"""Columns that say who works a store: not those of whoever works its copy."""

Tell = Callable[[int, int], None]
"""Called with how much is done, and of how much."""

Verify = Callable[[Connection, Path, Callable[[Finding], None], Tell], Summary]
"""`verify`, with keys and checkpoints outside, on a connection and a folder of attachments."""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done: to which address, attachments from which folder to which, by whom, and why. With
    `keep`, the source stays open: the target is a copy for trials. `verify` reads everything again, `tell`
    gives what is told how far a part of the work is, `now` is the time in milliseconds."""

    url: str
    folders: tuple[Path, Path]
    person: str
    reason: str
    verify: Verify
    now: Callable[[], int]
    tell: Callable[[str], contextlib.AbstractContextManager[Tell]]
    keep: bool = False


@dataclass(slots=True)
class Copied:
    """What was moved: rows and their digest by table, and how many of all were there from an earlier try;
    attachments copied; what verification says of the target, and of the source in the same words.

    `before`: an earlier try had come to its end, and only the source was not closed yet.
    """

    rows: dict[str, int] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    resumed: int = 0
    blobs: int = 0
    findings: list[Finding] = field(default_factory=list)
    roots: dict[str, dict[str, Any]] = field(default_factory=dict)
    before: bool = False


# --- both sides, opened ---------------------------------------------------------------------------------


@contextlib.contextmanager
def _sentences(url: str) -> Iterator[None]:
    """What a database fails with, as a sentence that says which of the two it was."""
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(f"{place(url)}: {cause(error)}") from None


@contextlib.contextmanager
def _holding(engine: Engine, lanes: Sequence[int]) -> Iterator[None]:
    """What a daemon holds while it works these lanes. Raises Conflict while one does."""
    with contextlib.ExitStack() as stack:
        for lane in lanes:
            if held := hold(engine, lane):
                stack.callback(held.release)
        yield


@contextlib.contextmanager
def source_of(url: str, keeper: KeyKeeper) -> Iterator[Connection]:
    """The store that is moved, in a transaction in which nobody else writes; kept when the context ends
    without an error.

    Raises Conflict while a daemon works it.
    """
    engine = open_engine(url, keeper)
    try:
        with _sentences(url), _holding(engine, _lanes_in(engine)):
            writing = engine.connect().execution_options(writes=True)
            with writing as db, db.begin():
                db.execute(select(s.lanes.c.lane).with_for_update())
                yield db
    finally:
        engine.dispose()


def _lanes_in(engine: Engine) -> list[int]:
    with engine.connect() as db:
        return list(db.execute(select(s.lanes.c.lane).order_by(s.lanes.c.lane)).scalars())


def copy(source: Connection, order: Order) -> Copied:
    """Copy the store behind `source` (of `source_of`) into an empty one.

    Raises Conflict when the target is not empty, and StoreError when it cannot be used, or is not the same in
    the end; the source is then as it was.
    """
    with _sentences(order.url):
        prepare(order.url)
        migrate(order.url, vault_of(source).keeper)
        target = open_engine(order.url, vault_of(source).keeper)
        try:
            copied = Copied(roots=roots(source), before=_is_finished(source, target))
            if not copied.before:
                _Copying(source, target, order, copied).run()
        finally:
            target.dispose()
    if not order.keep:
        _close(source, order.url)
    return copied


def roots(db: Connection) -> dict[str, dict[str, Any]]:
    """Size and root (hex) of each lane's tree, as its right edge gives them."""
    c = s.lanes.c
    rows = db.execute(select(c.lane, c.size, c.frontier).order_by(c.lane)).all()
    trees = {str(row.lane): Frontier.from_bytes(row.size, row.frontier) for row in rows}
    return {lane: {"size": tree.size, "root": tree.root().hex()} for lane, tree in trees.items()}


def _is_finished(source: Connection, target: Engine) -> bool:
    """Whether the target is this very copy, finished by somebody who died before the source was closed."""
    ours = roots(source)
    size, c = ours["0"]["size"], s.ledger.c
    with target.connect() as db, db.begin():
        if _installation(source) != _installation(db) or roots(db)["0"]["size"] != size + 1:
            return False
        data = db.execute(select(c.entry).where(c.lane == 0, c.seq == size)).scalar_one()
    entry = testimony(0, size, data)
    return entry.kind == "store:copied" and entry.facts["roots"] == ours


def _close(source: Connection, url: str) -> None:
    mark = MOVED.format(place=place(url))
    source.execute(update(s.lanes).values(owner=mark, lease_until=0))
    source.execute(update(table("alembic_version", column("version_num"))).values(version_num=CLOSED_SCHEMA))


def _installation(db: Connection) -> str | None:
    return db.execute(select(s.meta.c.value).where(s.meta.c.key == "installation")).scalar()


class _Copying:
    """One copy under way."""

    def __init__(self, source: Connection, target: Engine, order: Order, copied: Copied) -> None:
        self.source, self.target, self.order, self.copied = source, target, order, copied
        self.lanes = [int(lane) for lane in copied.roots]
        self.total = sum(_count(source, one) for one in _tables())

    def run(self) -> None:
        """From an empty target to an open one."""
        self._begin()
        with _holding(self.target, self.lanes):
            with self.order.tell("copying") as tell:
                self._copy_rows(tell)
            with self.order.tell("attachments") as tell:
                self._copy_blobs(tell)
            with self.order.tell("reading back") as tell:
                self._compare(tell)
            with self.order.tell("verifying") as tell:
                self._verify(tell)
            self._end()

    def _writing(self) -> contextlib.AbstractContextManager[Connection]:
        return self.target.execution_options(writes=True).begin()

    # from empty to whole

    def _begin(self) -> None:
        """Close the target, once it is known to be empty or our own unfinished copy. Raises Conflict."""
        with self._writing() as db:
            alone(db)
            if not self._is_ours(db):
                _require_empty(db)
                for lane in self.lanes:
                    partition(db, lane)
            for name in FIRST:
                one = s.metadata.tables[name]
                db.execute(one.delete())
                fill(db, one, _columns(one), list(_rows(self.source, one)))
            db.execute(update(s.lanes).values(owner=UNFINISHED))

    def _is_ours(self, db: Connection) -> bool:
        owners = set(db.execute(select(s.lanes.c.owner)).scalars())
        return owners == {UNFINISHED} and _installation(self.source) == _installation(db)

    def _copy_rows(self, tell: Tell) -> None:
        done = 0
        for one in _tables():
            done = self._copy_table(one, done, tell)

    def _copy_table(self, one: Table, done: int, tell: Tell) -> int:
        rows, digest = _rows(self.source, one), _Digest()
        there = self._kept(one, rows, digest)
        if there is None:  # from the beginning
            rows, digest, there = _rows(self.source, one), _Digest(), 0
        self.copied.resumed += 0 if one.name in FIRST else there
        for batch in _batches(rows, digest):
            with self._writing() as db:
                fill(db, one, _columns(one), batch)
            tell(done + digest.count, self.total)
        self.copied.rows[one.name], self.copied.digests[one.name] = digest.count, digest.hex()
        return done + digest.count

    def _kept(self, one: Table, rows: Iterator[Row], digest: _Digest) -> int | None:
        """How many rows of an earlier try are good, with `rows` moved on behind them; None when they are not,
        and this table and those that refer to it were emptied."""
        with self.target.connect() as db, db.begin():
            theirs = _Digest()
            for row in _rows(db, one):
                theirs.add(row)
        for row in islice(rows, theirs.count):
            digest.add(row)
        if (theirs.count, theirs.hex()) == (digest.count, digest.hex()):
            return theirs.count
        with self._writing() as db:
            tables = _tables()
            for later in reversed(tables[tables.index(one) :]):
                if later.name not in FIRST:
                    db.execute(later.delete())
        return None

    def _copy_blobs(self, tell: Tell) -> None:
        """Each attachment that a record speaks of, checked against its name."""
        old, new = self.order.folders
        if old == new:
            return
        f = s.files.c
        there_still = (f.state == "archived", ~is_gone(f.message))
        query = select(f.digest).where(*there_still).distinct().order_by(f.digest)
        digests = self.source.execute(query).scalars().all()
        vault = vault_of(self.target)
        there, folder = BlobFolder(old, vault), BlobFolder(new, vault)
        for done, digest in enumerate(digests, 1):
            self.copied.blobs += folder.take(there.path(digest), digest)
            tell(done, len(digests))

    # from whole to open

    def _compare(self, tell: Tell) -> None:
        """Read every row of the target again. Raises StoreError where one is not as in the source."""
        done = 0
        for one in _tables():
            digest = _Digest()
            with self.target.connect() as db, db.begin():
                for row in _rows(db, one):
                    digest.add(row)
                    if digest.count % MANY == 0:
                        tell(done + digest.count, self.total)
            if (digest.count, digest.hex()) != (self.copied.rows[one.name], self.copied.digests[one.name]):
                raise StoreError(f"the table {one.name} is not in the target as it was copied there")
            done += digest.count

    def _verify(self, tell: Tell) -> None:
        """Verify the target; when something is found there, the same must be true of the source."""
        old, new = self.order.folders
        found = self.copied.findings
        with self.target.connect() as db, db.begin():
            summary = self.order.verify(db, new, found.append, tell)
        grown = {str(lane): {"size": size, "root": root} for lane, (size, root) in summary.roots.items()}
        before: list[Finding] = []
        if found or grown != self.copied.roots:
            self.order.verify(self.source, old, before.append, tell)
        if sorted(map(str, found)) != sorted(map(str, before)):
            first = next(iter({*map(str, found)} ^ {*map(str, before)}))
            raise StoreError(f"the copy does not verify as its source does: {first}")
        if grown != self.copied.roots and not found:
            raise StoreError("the copy's entries give other roots than the source's right edge")

    def _end(self) -> None:
        """Write down what was done, and let the target be worked: in one transaction."""
        order, copied = self.order, self.copied
        where = {"from": place(_url(self.source.engine)), "to": place(order.url)}
        body = dump({"person": order.person, "reason": order.reason, **where})
        facts: dict[str, object] = {
            "from": self.source.dialect.name,
            "to": self.target.dialect.name,
            "rows": sum(copied.rows.values()),
            "kept": order.keep,
            "roots": copied.roots,
        }
        with self._writing() as db:
            db.execute(update(s.lanes).values(owner="", lease_until=0))
            tx = Tx(db, order.now)
            tx.append(0, "store:copied", SUBJECT, facts, body)
            tx.flush()
            tx.seal()


def _url(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def _require_empty(db: Connection) -> None:
    if any(db.execute(_read(one).limit(1)).first() for one in _tables()):
        raise Conflict(
            "the target is not empty, and not an unfinished copy of this store: name an empty database"
        )
    if others := set(inspect(db).get_table_names()) - {*s.metadata.tables, "alembic_version"}:
        names = ", ".join(sorted(others)[:3])
        raise Conflict(f"the target has tables of others ({names}): name a database of its own")


# --- rows -----------------------------------------------------------------------------------------------


def _tables() -> list[Table]:
    """Every table, each after those that it refers to."""
    rest = [one for one in s.metadata.sorted_tables if one.name not in FIRST]
    return [*(s.metadata.tables[name] for name in FIRST), *rest]


def _read(one: Table) -> Select[Any]:
    """All rows of a table, as they stand, in the order of its key."""
    plain = table(one.name, *map(column, _columns(one)))
    return select(*plain.c).order_by(*(plain.c[key.name] for key in one.primary_key.columns))


def _columns(one: Table) -> list[str]:
    return [c.name for c in one.columns if c.name not in OWNING.get(one.name, ())]


def _rows(db: Connection, one: Table) -> Iterator[Row]:
    """The same, a few at a time."""
    query = _read(one).execution_options(yield_per=500)
    with _sentences(_url(db.engine)), db.execute(query) as result:
        for rows in result.partitions():
            yield from map(tuple, rows)


def _count(db: Connection, one: Table) -> int:
    return db.execute(select(func.count()).select_from(one)).scalar_one()


class _Digest:
    """SHA-256 over rows in order."""

    def __init__(self) -> None:
        self._hash, self.count = hashlib.sha256(), 0

    def add(self, row: Row) -> int:
        """Take the next row; gives the bytes that it has."""
        data = marshal.dumps(row, 2)  # of plain values, the same for equal ones: version 2 has no references
        self._hash.update(data)
        self.count += 1
        return len(data)

    def hex(self) -> str:
        """The digest so far."""
        return self._hash.hexdigest()


def _batches(rows: Iterator[Row], digest: _Digest) -> Iterator[list[Row]]:
    """Rows, each added to the digest, in portions that one transaction may write."""
    batch, size = [], 0
    for row in rows:
        batch.append(row)
        size += digest.add(row)
        if len(batch) == MANY or size >= LARGE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
