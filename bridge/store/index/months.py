"""The index on SQLite: a file for each month in a folder beside the database, and a table of contents.

    search/contents.db   how far the ledger was followed, which months there are, blocks of numbers
    search/2026-11.db    FTS5 without contents: the tokens of a month's messages, by number

Rules of this file: it never touches the database itself, so it never waits for its writer, nor the writer
for it. A month that is over is not written any more, however long the archive grows. Months are flushed
before the table of contents says that they were followed; after a crash the last step is taken once more,
which changes nothing: adding a message twice is adding it once, and what becomes known of it later is added
to it. A file that is broken, older than the contents say, or of another installation is not believed: every
number of its month is offered until it was made again.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path

from sqlalchemy import Connection

from bridge.errors import StoreError
from bridge.search.document import Need
from bridge.store.directory import Directory
from bridge.store.index import FORMAT, NOTHING_KNOWN, Known, Part, State, Step, Tokens, expression, month_of
from bridge.store.index.blocks import SIZE, Block, Blocks
from bridge.store.vault import Vault

FOLDER = "search"
CONTENTS = "contents"

_BUSY_SECONDS = 10.0
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "temp_store=MEMORY", "cache_size=-8000")

_OPEN_AT_ONCE = 64
"""Months that are kept open."""

_MAKE_CONTENTS = """
CREATE TABLE IF NOT EXISTS positions (lane INTEGER PRIMARY KEY, next INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS months (
    name TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL,
    generation INTEGER NOT NULL, stale INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocks (
    place INTEGER PRIMARY KEY, messages INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL);
"""
_MAKE_MONTH = """
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
    tokens, content='', columnsize=0, detail=none, tokenize='ascii');
"""
_MAKE_MARKS = "CREATE TABLE IF NOT EXISTS marks (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;"
_KEEP_MONTH = """
INSERT INTO months VALUES (:name, :first, :last, :generation, 0)
ON CONFLICT (name) DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last),
    generation = excluded.generation, stale = stale
"""
_ADD = "INSERT INTO words (rowid, tokens) VALUES (?, ?)"
_FIND = {
    newest_first: "SELECT rowid FROM words WHERE words MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid "
    + ("DESC" if newest_first else "ASC")
    for newest_first in (True, False)
}


class Spoilt(Exception):
    """A file of the index that is not to be believed."""


class Months:
    """`bridge.store.index.Index` in files. `folder` is made when something is first written."""

    def __init__(self, folder: Path, vault: Vault) -> None:
        self.folder = folder
        self.directory = Directory()
        self.tokens = Tokens(vault)
        self._open: dict[str, tuple[int, sqlite3.Connection]] = {}  # by name, with the file's inode
        self._version = -1  # of the table of contents, as it was last read
        self._state = NOTHING_KNOWN
        self._runs: dict[bool, list[list[Part]]] = {}
        self._looked_at: set[str] = set()  # months whose file was the right one at this version
        self._tidied: set[str] = set()
        self._paths: dict[str, Path] = {}

    # what there is

    def state(self, db: Connection) -> State:
        """See `Index`. Every process that replaces a file writes the table of contents as well."""
        contents = self._read_contents()
        if contents is None:
            return NOTHING_KNOWN
        (version,) = contents.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._state = _state(contents, self._state.blocks)
            self._version = version
            self._looked_at.clear()
            self._runs.clear()
        return self._state

    def _changed(self, *, forget: bool = False) -> None:
        """We wrote the table of contents ourselves, or have another one before us (`forget`)."""
        self._version = -1
        if forget:
            self._state = NOTHING_KNOWN

    # looking things up

    def offer(
        self, db: Connection, need: Need, first: int, last: int, *, newest_first: bool
    ) -> Iterator[int]:
        """See `Index`."""
        for run in self._in_order(db, newest_first):
            streams = [
                self._of_part(part, need, max(first, part.first), min(last, part.last), newest_first)
                for part in run
                if part.first <= last and part.last >= first
            ]
            if len(streams) == 1:
                yield from streams[0]
            elif streams:
                yield from _merged(streams, newest_first=newest_first)

    def _in_order(self, db: Connection, newest_first: bool) -> list[list[Part]]:
        """The months in the order in which they are read. They follow each other, but for a clock that was
        put back: those that overlap run together."""
        parts = self.state(db).parts
        if newest_first not in self._runs:
            self._runs[newest_first] = _runs(parts, newest_first=newest_first)
        return self._runs[newest_first]

    def _of_part(self, part: Part, need: Need, first: int, last: int, newest_first: bool) -> Iterator[int]:
        words = expression(need, self.tokens.of(part.name), '"', "AND", "OR")
        number = last + 1 if newest_first else first - 1
        try:
            if not part.stale:
                found = self._month(part.name).execute(_FIND[newest_first], (words, first, last))
                for (number,) in found:
                    yield number
                return
        except (sqlite3.DatabaseError, Spoilt):
            self._mark_stale(part.name)
        yield from range(number - 1, first - 1, -1) if newest_first else range(number + 1, last + 1)

    # keeping things

    def add(self, db: Connection, step: Step) -> bool:
        """See `Index`."""
        try:
            return self._added(self._write_contents(), step)
        except (OSError, sqlite3.DatabaseError) as error:
            raise self._failed(error) from None

    def _added(self, contents: sqlite3.Connection, step: Step) -> bool:
        with _transaction(contents):
            if dict(contents.execute("SELECT lane, next FROM positions")) != dict(step.before):
                return False
            for name, known in _by_month(step.known).items():
                self._add(contents, name, known)
            rows = [(block.place, block.messages, block.since, block.until) for block in step.blocks]
            contents.executemany("INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?)", rows)
            contents.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?)", step.after.items())
        self._changed()
        return True

    def _add(self, contents: sqlite3.Connection, name: str, known: Sequence[Known]) -> None:
        """Add to a month, unless it has to be made again, which will find these messages as well."""
        numbers = [one.number for one in known]
        row = {"name": name, "first": min(numbers), "last": max(numbers), "generation": 0}
        found = contents.execute("SELECT generation, stale FROM months WHERE name = ?", (name,)).fetchone()
        generation, stale = found or (0, 0)
        try:
            if not stale:
                month = self._month(name, make=found is None)
                self._fill(month, name, known, generation + 1)
                row["generation"] = generation + 1
        except (sqlite3.DatabaseError, Spoilt):
            stale = 1
        contents.execute(_KEEP_MONTH, row)
        if stale:
            contents.execute("UPDATE months SET stale = 1 WHERE name = ?", (name,))

    def _fill(self, month: sqlite3.Connection, name: str, known: Iterable[Known], generation: int) -> None:
        with _transaction(month):
            rows = ((one.number, self.tokens.text(name, one.words)) for one in known)
            month.executemany(_ADD, rows)
            month.execute("INSERT OR REPLACE INTO marks VALUES ('generation', ?)", (generation,))

    def replace(self, db: Connection, part: Part, known: Iterator[Known]) -> None:
        """See `Index`. The old file stays until the new one is whole."""
        try:
            self._replace(part, known)
        except (OSError, sqlite3.DatabaseError) as error:
            raise self._failed(error) from None

    def _replace(self, part: Part, known: Iterator[Known]) -> None:
        aside = f"{part.name}.new"
        self._remove(aside)
        month = self._made(aside)
        try:
            self._fill(month, part.name, known, 1)
            self._tidy(month)
            month.execute("PRAGMA journal_mode=DELETE")
        finally:
            month.close()
        contents = self._write_contents()
        with _transaction(contents):
            self._remove(part.name)
            os.replace(self._path(aside), self._path(part.name))
            contents.execute("UPDATE months SET generation = 1, stale = 0 WHERE name = ?", (part.name,))
        self._changed()

    def forget(self, db: Connection, months: Mapping[str, Sequence[int]]) -> None:
        """See `Index`. No word can be taken out of a file that has no contents: its month is made again."""
        contents = self._read_contents()
        if contents is None:
            return  # what is not believed is made again as a whole
        try:
            with _transaction(contents):
                contents.executemany(
                    "UPDATE months SET stale = 1 WHERE name = ?", [(name,) for name in months]
                )
                contents.execute("UPDATE positions SET next = max(0, next - 1)")
        except sqlite3.DatabaseError as error:
            raise self._failed(error) from None
        self._changed()

    def tidy(self, db: Connection) -> bool:
        """See `Index`."""
        for part in self.state(db).parts[:-1]:
            if part.stale or part.name in self._tidied:
                continue
            self._tidied.add(part.name)
            try:
                month = self._month(part.name)
                (done,) = month.execute("SELECT count(*) FROM marks WHERE name = 'tidy'").fetchone()
                if not done:
                    self._tidy(month)
                    return True
            except (sqlite3.DatabaseError, Spoilt):
                self._mark_stale(part.name)
        return False

    def _tidy(self, month: sqlite3.Connection) -> None:
        month.execute("INSERT INTO words (words) VALUES ('optimize')")
        month.execute("INSERT OR REPLACE INTO marks VALUES ('tidy', 1)")
        month.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def clear(self, db: Connection) -> None:
        """See `Index`."""
        self._clear()

    def _clear(self) -> None:
        self.close()
        self._tidied.clear()
        for path in self.folder.glob("*.db*") if self.folder.is_dir() else ():
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """See `Index`."""
        for name in list(self._open):
            self._let_go(name)

    # files

    def _path(self, name: str) -> Path:
        path = self._paths.get(name)
        if path is None:
            path = self._paths[name] = self.folder / f"{name}.db"
        return path

    def _remove(self, name: str) -> None:
        self._let_go(name)
        for ending in ("", "-wal", "-shm", "-journal"):
            self._path(name).with_name(f"{name}.db{ending}").unlink(missing_ok=True)

    def _let_go(self, name: str) -> None:
        if name in self._open:
            self._open.pop(name)[1].close()

    def _at_hand(self, name: str) -> sqlite3.Connection | None:
        """The open file of this name, if it is still the one in the folder: it may have been made again."""
        if name not in self._open:
            return None
        inode, connection = self._open.pop(name)
        if inode != _inode(self._path(name)):
            connection.close()
            return None
        self._open[name] = inode, connection  # the last one used is the last one to be closed
        return connection

    def _keep(self, name: str, connection: sqlite3.Connection) -> sqlite3.Connection:
        while len(self._open) >= _OPEN_AT_ONCE:
            self._let_go(next(iter(self._open)))
        self._open[name] = _inode(self._path(name)), connection
        return connection

    def _read_contents(self) -> sqlite3.Connection | None:
        """The table of contents, None while there is none that can be believed."""
        contents = self._at_hand(CONTENTS)
        if contents is None:
            self._changed(forget=True)
            with contextlib.suppress(sqlite3.DatabaseError, Spoilt):
                contents = self._keep(CONTENTS, self._opened(CONTENTS))
        return contents

    def _write_contents(self) -> sqlite3.Connection:
        """The table of contents; a new one, and nothing else in the folder, if there was none to believe."""
        if (contents := self._read_contents()) is not None:
            return contents
        self._clear()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._keep(CONTENTS, self._made(CONTENTS))

    def _failed(self, error: Exception) -> StoreError:
        return StoreError(
            f"the search index in {self.folder} cannot be written: {error}. Searches go on without what is "
            "missing there; if the folder is in order, `weighbridge audit reindex` makes it anew"
        )

    def _month(self, name: str, *, make: bool = False) -> sqlite3.Connection:
        """A month's file, opened. Raises Spoilt, or what SQLite raises."""
        if name in self._looked_at and name in self._open:
            return self._open[name][1]
        month = self._at_hand(name)
        if month is None:
            if make:
                self._remove(name)
            month = self._keep(name, self._made(name) if make else self._opened(name))
        self._looked_at.add(name)
        return month

    def _made(self, name: str) -> sqlite3.Connection:
        os.close(os.open(self._path(name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = self._connect(name)
        connection.executescript(_MAKE_CONTENTS if name == CONTENTS else _MAKE_MONTH)
        connection.executescript(_MAKE_MARKS)
        marks = {"format": FORMAT, "check": self.tokens.check, "name": name.removesuffix(".new")}
        connection.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?)", marks.items())
        return connection

    def _opened(self, name: str) -> sqlite3.Connection:
        if not self._path(name).exists():
            raise Spoilt(name)
        connection = self._connect(name)
        try:
            self._believe(name, dict(connection.execute("SELECT name, value FROM marks")))
        except (sqlite3.DatabaseError, Spoilt):
            connection.close()
            raise
        return connection

    def _believe(self, name: str, marks: Mapping[str, object]) -> None:
        """Raises Spoilt for what another program, another key or an older time has left."""
        ours = {"format": FORMAT, "check": self.tokens.check, "name": name}
        older = name != CONTENTS and int(str(marks.get("generation", 0))) < self._generation(name)
        if older or {key: marks.get(key) for key in ours} != ours:
            raise Spoilt(name)

    def _generation(self, name: str) -> int:
        contents = self._read_contents()
        query = "SELECT generation FROM months WHERE name = ?"
        row = contents.execute(query, (name,)).fetchone() if contents else None
        return int(row[0]) if row else 0

    def _connect(self, name: str) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path(name), timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _mark_stale(self, name: str) -> None:
        """Let whoever follows the ledger make this month again."""
        with contextlib.suppress(sqlite3.DatabaseError):
            if contents := self._read_contents():
                contents.execute("UPDATE months SET stale = 1 WHERE name = ?", (name,))
        self._changed()
        self._let_go(name)


def _inode(path: Path) -> int:
    """Which file stands under a path now, 0 for none."""
    try:
        return os.stat(path).st_ino  # many times a search: not through Path
    except FileNotFoundError:
        return 0


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _by_month(known: Iterable[Known]) -> dict[str, list[Known]]:
    """Messages by month, each in the order of their numbers: FTS5 adds rising numbers without a pause."""
    months: defaultdict[str, list[Known]] = defaultdict(list)
    for one in sorted(known, key=attrgetter("number")):
        months[month_of(one.at)].append(one)
    return months


def _state(contents: sqlite3.Connection, blocks: Blocks) -> State:
    """What the table of contents says; `blocks` are those that it had before, and which never change."""
    positions = dict(contents.execute("SELECT lane, next FROM positions"))
    rows = contents.execute("SELECT name, first, last, stale FROM months ORDER BY name")
    parts = [Part(name, first, last, bool(stale)) for name, first, last, stale in rows]
    later = contents.execute(
        "SELECT place, messages, since, until FROM blocks WHERE place >= ? ORDER BY place",
        (blocks.end // SIZE,),
    )
    return State(positions, blocks.followed_by([Block(*row) for row in later]), parts)


def _runs(parts: Sequence[Part], *, newest_first: bool) -> list[list[Part]]:
    """Months in order, those together whose numbers overlap."""
    runs: list[list[Part]] = []
    for part in sorted(parts, key=attrgetter("last" if newest_first else "first"), reverse=newest_first):
        if not runs or _apart(runs[-1], part, newest_first=newest_first):
            runs.append([])
        runs[-1].append(part)
    return runs


def _apart(before: Sequence[Part], after: Part, *, newest_first: bool) -> bool:
    """Whether every number of `after` comes behind those of the parts `before` it."""
    if newest_first:
        return after.last < min(part.first for part in before)
    return after.first > max(part.last for part in before)


def _merged(streams: Sequence[Iterator[int]], *, newest_first: bool) -> Iterator[int]:
    last = None
    for number in heapq.merge(*streams, reverse=newest_first):
        if number != last:
            yield number
        last = number
