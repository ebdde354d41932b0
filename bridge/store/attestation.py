"""Signed checkpoints against the tree: what was said to others about it, is it still true?

Rules of this file: it shares nothing with what signs or anchors, only the ledger's definition. It walks
beside the one pass over a lane's entries: checkpoints come in order of size, from the table and from every
place outside at once, and each is held against the root that the entries give at that size. Those outside are
`gathered` before the database is looked at: a daemon that goes on signing is not accused. What follows from
one change is one finding.

    checkpoints   signature; size and lane as signed; the root; none gone that a folder still has
    anchors       the same for every file; in our own folders, none gone from between two others
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.ledger.checkpoint import Checkpoint, verified
from bridge.store.gathering import Anchored, lane_of
from bridge.store.reread import as_bytes

if TYPE_CHECKING:
    from bridge.store.reread import Work

NEVER = 1 << 63
"""A size that no tree reaches: nothing more is due."""

WRONG = "does not match the entries: what stood before it was changed after it was signed"
BEYOND = "speaks of more entries than there are: the end of the ledger was cut off"
GONE = "is gone, and a folder outside the database has it"
TAKEN = "is gone from this folder, which has others before and after it"


class _Alike:
    """Findings that follow from one change: the first is told, the later ones are counted."""

    def __init__(self, work: Work, table: str, meaning: str) -> None:
        self.work, self.table, self.meaning = work, table, meaning
        self.keys: list[str] = []  # the first and the last
        self.count = 0

    def add(self, key: str) -> None:
        """One more."""
        self.keys = [*self.keys[:1], key]
        self.count += 1

    def tell(self) -> None:
        """Report what has come together."""
        if self.count:
            more = f"and {self.count - 1} more, to {self.keys[-1]}" if self.count > 1 else ""
            self.work.report(self.table, self.keys[0], "", self.meaning, more)
        self.forget()

    def forget(self) -> None:
        """It was none."""
        self.keys, self.count = [], 0


class Attested:
    """A lane's checkpoints, met one after another while its tree grows. `next` is the size that is due."""

    def __init__(self, work: Work, lane: int) -> None:
        self.work, self.lane = work, lane
        statement = (
            "SELECT size AS id, note FROM checkpoints WHERE lane = :lane AND size > :after "
            "ORDER BY size LIMIT :chunk"
        )
        self._rows = (row for rows in work.chunks(statement, lane=lane) for row in rows)
        mine = [one for one in work.anchors if one.lane == lane]
        self._files = ((size, list(files)) for size, files in groupby(mine, lambda one: one.size))
        self._taken = {one.folder: _Alike(work, "anchors", TAKEN) for one in mine if one.folder}
        self._begun: set[Path] = set()
        self._gone = _Alike(work, "checkpoints", GONE)
        self._wrong = {table: _Alike(work, table, WRONG) for table in ("checkpoints", "anchors")}
        self._beyond = {table: _Alike(work, table, BEYOND) for table in ("checkpoints", "anchors")}
        self._row, self._here = next(self._rows, None), next(self._files, None)
        self.next = self._due()

    def _due(self) -> int:
        row = self._row.id if self._row is not None else NEVER
        return min(row, self._here[0] if self._here is not None else NEVER)

    def meet(self, size: int, root: Callable[[], bytes] | None) -> None:
        """The tree has `size` leaves now. `root` gives its root, None where entries are missing."""
        while self.next <= size:
            due = self.next
            is_ = root() if root is not None and due == size else None
            self._check(due, partial(self._hold, root=is_))

    def end(self) -> None:
        """The tree grows no more: whatever is due is beyond its end."""
        while self.next < NEVER:
            self._check(self.next, self._too_much)
        for rows in (self._gone, *self._wrong.values(), *self._beyond.values()):
            rows.tell()

    def _check(self, size: int, hold: Callable[[str, str, Checkpoint], None]) -> None:
        """Everything that was signed about the tree of `size` entries."""
        key, data = f"lane {self.lane} size {size}", None
        if self._row is not None and self._row.id == size:
            data = as_bytes(self._row.note)
            self.work.summary.checkpoints += 1
            self._signed("checkpoints", key, size, data, hold)
            self._row = next(self._rows, None)
        files: list[Anchored] = []
        if self._here is not None and self._here[0] == size:
            files = self._here[1]
            self._here = next(self._files, None)
        for file in files:
            self._file(file, size, data, hold)
        if files and data is None:
            self._gone.add(key)
        self._complete(key, {file.folder for file in files}, there=data is not None)
        self.next = self._due()

    def _file(
        self, file: Anchored, size: int, data: bytes | None, hold: Callable[[str, str, Checkpoint], None]
    ) -> None:
        self.work.summary.anchored += 1
        try:
            found = file.read()
        except OSError as error:
            self.work.report("anchors", file.where, "", f"cannot be read: {error.strerror}")
            return
        if found != data:  # what is in the table to the letter has been looked at there
            self._signed("anchors", file.where, size, found, hold)

    def _signed(
        self, table: str, key: str, size: int, data: bytes, hold: Callable[[str, str, Checkpoint], None]
    ) -> None:
        """A note's signature, and whether it is about what it is said to be about."""
        try:
            said = verified(data.decode(), self.work.keys)
        except ValueError as error:
            meaning = "is no text" if isinstance(error, UnicodeDecodeError) else str(error)
            self.work.report(table, key, "note" if table == "checkpoints" else "", meaning)
            return
        if (lane_of(said), said.size) != (self.lane, size):
            meaning = f"is about {said.size} entries of {said.origin}, and not what it is kept as"
            self.work.report(table, key, "size", meaning)
        else:
            hold(table, key, said)

    def _too_much(self, table: str, key: str, said: Checkpoint) -> None:
        self._beyond[table].add(key)

    def _hold(self, table: str, key: str, said: Checkpoint, root: bytes | None) -> None:
        if root is None:
            return
        if said.root == root:
            self._wrong[table].tell()
        else:
            self._wrong[table].add(key)

    def _complete(self, key: str, has: set[Path | None], *, there: bool) -> None:
        """Our own folders get every checkpoint, in order: none is missing between two others."""
        for folder, taken in self._taken.items():
            if folder in has:
                taken.tell()
                self._begun.add(folder)
            elif there and folder in self._begun:
                taken.add(f"{folder}, {key}")
