"""The words of a list, from the policy itself or from columns of a CSV file beside it.

Rules of this file: opens nothing; the bytes of list files are given. Works on the tree, so that the words of
a file that is wrong elsewhere are looked at as well. A cell is what was written, without the spaces around
it; an empty one is no word.
"""

from __future__ import annotations

import csv
import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from bridge.policy import language as lang
from bridge.policy.compiled import Days
from bridge.policy.decoding import guess, listing
from bridge.policy.diagnostics import Diagnostic, Page, Place
from bridge.policy.document import Node, entries, scalars
from bridge.policy.folding import fold

Cells = tuple[int, Sequence[str]]  # the line that a row ends in, and its cells
Row = tuple[int, Mapping[str, str]]  # the same, its cells by column
_ALWAYS: Days = (None, None)


def is_beside(name: str) -> bool:
    """Whether `name` leads to a file in the policy's own folder or below it."""
    path = PurePosixPath(name)
    return bool(name) and "\0" not in name and not path.is_absolute() and ".." not in path.parts


@dataclass(slots=True)
class ListWords:
    """The words of one list, the days on which some of them count (by folded word), and what is wrong."""

    words: list[str] = field(default_factory=list)
    dates: dict[str, list[Days]] = field(default_factory=dict)
    problems: list[Diagnostic] = field(default_factory=list)


def read_list(page: Page, name: str, node: Node, files: Mapping[str, bytes]) -> ListWords:
    """The words of the list `name`, which is written at `node`; `files` are the list files by name."""
    return _Reader(page, node, files).read(name)


class _Reader:
    def __init__(self, page: Page, node: Node, files: Mapping[str, bytes]) -> None:
        self.page = page
        self.node = node
        self.files = files
        self.found = ListWords()

    def read(self, name: str) -> ListWords:
        file = self.node.child("file")
        if file is not None and isinstance(file.value, str) and file.value:
            self._file(file)
        else:
            self._inline(name)
        self._innocent()
        return self.found

    def _report(self, key: str, place: Place, /, **values: Any) -> None:
        self.found.problems.append(self.page.report(key, place, **values))

    def _inline(self, name: str) -> None:
        section = self.node.child("words")
        for word in scalars(section):
            self._odd(word.value, word.place)
            self.found.words.append(word.value)
        if section is not None and section.value == []:
            self._report("P024.empty", section.place, name=name)

    def _innocent(self) -> None:
        """Check that `unless_words` are about words of the list, and longer than them."""
        known = {fold(word).strip() for word in self.found.words}
        section = self.node.child("unless_words")
        for word, longer in entries(section).items():
            folded = fold(word).strip()
            if known and folded not in known and section is not None:
                self._report("P025", section.key(word), word=word)
                continue
            for one in scalars(longer):
                if folded not in fold(one.value):
                    self._report("P025.longer", one.place, word=word, longer=one.value)

    def _odd(self, word: str, place: Place) -> None:
        """Report a word that finds nothing or nearly everything."""
        if word and not fold(word).strip():
            self._report("P024.invisible", place)
        elif len(word) == 1 and not word.isascii():
            self._report("P034", place, word=word)

    # from a file

    def _file(self, file: Node) -> None:
        path = file.value
        if not is_beside(path):
            self._report("P024.outside", file.place, path=path)
        elif path not in self.files:
            self._report("P024.missing", file.place, path=path)
        else:
            self._table(file, self.files[path])

    def _table(self, file: Node, data: bytes) -> None:
        try:
            header, lines = _table(data)
        except UnicodeDecodeError:
            self._report("P024.encoding", file.place, path=file.value)
        except csv.Error:
            self._report("P024.csv", file.place, path=file.value)
        else:
            self._shape(file, header, lines)
            rows = [(line, dict(zip(header, cells, strict=False))) for line, cells in lines]
            columns = self._columns(file, scalars(self.node.child("columns")), header)
            self._cells(file, columns, rows)
            self._days(file, columns, header, rows)

    def _shape(self, file: Node, header: Sequence[str], lines: Sequence[Cells]) -> None:
        """Report columns of one name and rows of another length: their words would be lost in silence."""
        for name in sorted({name for name in header if name and header.count(name) > 1}):
            self._report("P024.twice", file.place, path=file.value, name=name)
        for line, cells in lines:
            if len(cells) != len(header):
                counts = {"found": len(cells), "wanted": len(header)}
                self._report("P024.cells", file.place, path=file.value, line=line, **counts)

    def _columns(self, file: Node, columns: Sequence[Node], header: Sequence[str]) -> list[str]:
        """The names of those `columns` that are there; the others are reported."""
        for column in columns:
            if column.value and column.value not in header:
                near = guess(column.value, header)
                values = {"path": file.value, "name": column.value, "choices": listing(header)}
                self._report(
                    "P024.column.near" if near else "P024.column", column.place, guess=near, **values
                )
        return [column.value for column in columns if column.value in header]

    def _cells(self, file: Node, columns: Sequence[str], rows: Sequence[Row]) -> None:
        words = [word for _, row in rows for word in _words(row, columns)]
        for word in words:
            self._odd(word, file.place)
            if len(word) > lang.LONGEST_WORD:
                self._report("P024.long", file.place, path=file.value, limit=lang.LONGEST_WORD)
        if columns and not words:
            self._report("P024.empty", file.place, name=file.value)
        self.found.words = words

    # on which days a row counts

    def _days(self, file: Node, columns: Sequence[str], header: Sequence[str], rows: Sequence[Row]) -> None:
        section = self.node.child("dates")
        named = [entries(section).get(key) for key in ("from", "until")]
        first, last = [self._columns(file, scalars(node), header) for node in named]
        if section is None or not (first or last):
            return
        spans: dict[str, list[Days]] = {}
        for line, row in rows:
            days = (self._day(file, line, row, named[0], first), self._day(file, line, row, named[1], last))
            if None not in days and days[0] > days[1]:  # type: ignore[operator]
                self._report("P024.order", section.place, path=file.value, line=line)
            for word in _words(row, columns):
                spans.setdefault(fold(word).strip(), []).append(days)
        self.found.dates = {word: days for word, days in spans.items() if _ALWAYS not in days}

    def _day(
        self, file: Node, line: int, row: Mapping[str, str], node: Node | None, columns: Sequence[str]
    ) -> datetime.date | None:
        value = row.get(columns[0], "").strip() if columns else ""
        if not value or node is None:
            return None
        try:
            return lang.calendar_day(value)
        except ValueError:
            self._report("P024.date", node.place, path=file.value, line=line, value=value)
            return None


def _table(data: bytes) -> tuple[Sequence[str], list[Cells]]:
    """The column names and the rows of a CSV file. Raises UnicodeDecodeError and csv.Error."""
    reader = csv.reader([line + "\n" for line in data.decode("utf-8-sig").split("\n")], strict=True)
    header = next(reader, [])
    return header, [(reader.line_num, cells) for cells in reader if cells]


def _words(row: Mapping[str, str], columns: Sequence[str]) -> Iterator[str]:
    """The words of one row."""
    return (word for name in columns if (word := row.get(name, "").strip()))
