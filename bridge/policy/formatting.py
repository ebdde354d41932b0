"""One way to write a policy file: the order of keys, spaces and quotes; every comment stays where it speaks.

Rules of this file: text in, text out, for text that the loader has taken. Names and lists keep their order,
because people put them in one; only the keys of the language have a place. What stood on one line in braces
or brackets stays on one line, everything else gets lines of its own. A scalar keeps its value to the last
character. Formatting twice changes nothing.
A comment above something moves with it, a comment at the end of a line stays on that line.
"""

from __future__ import annotations

import bisect
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import yaml

from bridge.policy import language as lang
from bridge.policy.rendering import cells

STEP = 2  # spaces of one level
# Keys that come last although the grammar names them earlier: they are long, or say something about the rest.
_LAST: dict[type[lang.Section], tuple[str, ...]] = {
    lang.WordList: ("evasion", "words", "unless_words"),
    lang.Contextual: ("context", "confidence"),
}
# A text that no reader of YAML takes for anything else, in braces or out of them.
_SIMPLE = re.compile(r"(?![-@])[\w./@()+-]+(?: [\w./@()+-]+)*")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}


def formatted(text: str) -> str:
    """`text`, a policy file that loads, in the one way to write it."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    rows = _Layout(text).pairs(root, _Shape(lang.PolicyFile))
    head, foot = _attach(rows, _Margin(text))
    return "\n".join([*head, *_mapping(rows, 0), *foot]).strip("\n") + "\n"


# --- scalars --------------------------------------------------------------------------------------------


def written(value: str) -> str:
    """`value` as a scalar on one line that every reader of YAML takes for this text, in braces or not."""
    if _SIMPLE.fullmatch(value) and not _typed(value):
        return value
    return quoted(value)


def quoted(value: str) -> str:
    """`value` in quotes: double ones, or single ones where double ones would need a backslash."""
    needs = any(char in '\\"' for char in value)
    if needs and not any(_hidden(char) for char in value):
        return "'" + value.replace("'", "''") + "'"
    return '"' + "".join(_escaped(char) for char in value) + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if not _hidden(char):
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def _hidden(char: str) -> bool:
    """Whether a reader would not see `char`, or not see it for what it is."""
    return char not in " \u3000" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Zs")


def _typed(value: str) -> bool:
    """Whether a reader of YAML would take `value`, without quotes, for a number, a date or a switch."""
    resolver = yaml.resolver.Resolver()
    return bool(resolver.resolve(yaml.ScalarNode, value, (True, False)) != "tag:yaml.org,2002:str") or bool(
        re.fullmatch(r"[-+.]?[0-9][0-9_.,eE+-]*|0[ox][0-9a-fA-F]+", value)
    )


def _scalar(node: yaml.ScalarNode, key: str) -> str:
    """A scalar of the file on one line: without quotes if it stood so or can."""
    value: str = node.value
    if node.style is None and "\n" not in value:
        return value
    if key == "pattern" and not any(_hidden(char) for char in value):
        return "'" + value.replace("'", "''") + "'"
    return quoted(value) if _typed(value) or "\n" in value else written(value)


def _as_block(value: str) -> list[str] | None:
    """The header and the lines of a text of several lines, None if it must stand in quotes."""
    body = value.removesuffix("\n")
    lines = body.split("\n")
    plain = lines[0][:1] not in (" ", "\t", "") and lines[-1].strip()
    if "\n" not in value or not plain or any(_hidden(char) for line in lines for char in line):
        return None
    return ["|" if value.endswith("\n") else "|-", *lines]


# --- the grammar's order --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a mapping is to the grammar: a section, or names that each have one (`named`)."""

    section: type[lang.Section] | None
    named: bool = False

    def inside(self, key: str, value: yaml.Node) -> _Shape:
        """What stands under `key`."""
        if self.named or self.section is None:
            return _Shape(self.section)
        info = next((i for n, i in self.section.model_fields.items() if (i.alias or n) == key), None)
        return _shape(info.annotation, value) if info is not None else _Shape(None)

    def order(self, keys: Sequence[str]) -> list[int]:
        """The positions of `keys` in the order to write them."""
        if self.named or self.section is None:
            return list(range(len(keys)))
        ranks = {key: rank for rank, key in enumerate(_keys(self.section))}
        return sorted(range(len(keys)), key=lambda at: ranks.get(keys[at], len(ranks)))


def _keys(section: type[lang.Section]) -> list[str]:
    last = next((keys for one, keys in _LAST.items() if issubclass(section, one)), ())
    names = [info.alias or name for name, info in section.model_fields.items()]
    return [name for name in names if name not in last] + list(last)


def _shape(annotation: Any, value: yaml.Node) -> _Shape:
    """The shape of `value` where the grammar says `annotation`."""
    found = list(_sections(annotation))
    named = getattr(annotation, "__origin__", None) is dict
    return _Shape(found[0] if found else None, named)


def _sections(annotation: Any) -> Iterator[type[lang.Section]]:
    if isinstance(annotation, type) and issubclass(annotation, lang.Section):
        yield annotation
    for inner in get_args(annotation):
        yield from _sections(inner)


def _detector(node: yaml.Node) -> type[lang.Section]:
    """The section of a detector, by its `type`."""
    written_type = next((v.value for k, v in node.value if k.value == "type"), "")
    models = _sections(lang.Detector)
    return next(m for m in models if written_type in get_args(m.model_fields["type"].annotation))


# --- lines of their own ---------------------------------------------------------------------------------


@dataclass(slots=True)
class _Row:
    """A key with its value, or an entry of a list, that gets a line of its own."""

    key: str | None
    node: yaml.Node
    shape: _Shape
    line: int  # where it stood, from 0
    column: int
    rows: list[_Row] | None = None  # what stands below it; None if all of it is on its line
    above: list[str] = field(default_factory=list)
    depth: int = 0
    beside: tuple[int, str] | None = None  # column and text of the comment at the end of its line
    below: list[str] = field(default_factory=list)


class _Layout:
    """Where the lines of a file begin: at a key, or at the dash of an entry."""

    def __init__(self, text: str) -> None:
        tokens = yaml.scan(text, Loader=yaml.SafeLoader)
        self.dashes = [token.start_mark for token in tokens if isinstance(token, yaml.BlockEntryToken)]

    def rows(self, node: yaml.Node, shape: _Shape) -> list[_Row] | None:
        """The rows inside `node`, None if it stays on one line."""
        together = node.flow_style and node.start_mark.line == node.end_mark.line if _many(node) else True
        if together or not node.value:
            return None
        return self.pairs(node, shape) if isinstance(node, yaml.MappingNode) else self.entries(node, shape)

    def pairs(self, node: yaml.MappingNode, shape: _Shape) -> list[_Row]:
        """A row for each key."""
        rows = []
        for key, value in node.value:
            inside = _inside(shape, key.value, value)
            mark = key.start_mark
            rows.append(_Row(key.value, value, inside, mark.line, mark.column, self.rows(value, inside)))
        return rows

    def entries(self, node: yaml.SequenceNode, shape: _Shape) -> list[_Row]:
        """A row for each entry of a list."""
        marks = [entry.start_mark if node.flow_style else self._dash(entry) for entry in node.value]
        return [
            _Row(None, entry, shape, mark.line, mark.column, self.rows(entry, shape))
            for entry, mark in zip(node.value, marks, strict=True)
        ]

    def _dash(self, entry: yaml.Node) -> yaml.Mark:
        """The dash before an entry, which may stand on an earlier line."""
        at = bisect.bisect_left(self.dashes, entry.start_mark.index, key=lambda mark: mark.index)
        return self.dashes[at - 1]


def _many(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode)


def _inside(shape: _Shape, key: str, value: yaml.Node) -> _Shape:
    inside = shape.inside(key, value)
    is_detector = shape.named and inside.section is not None and issubclass(inside.section, lang.Contextual)
    return _Shape(_detector(value)) if is_detector else inside


def _walk(rows: Sequence[_Row], depth: int = 0) -> Iterator[_Row]:
    """All rows as they stand in the file; each learns how deep it is."""
    for row in rows:
        row.depth = depth
        yield row
        yield from _walk(row.rows or (), depth + 1)


# --- comments -------------------------------------------------------------------------------------------


class _Margin:
    """The comments and empty lines of a file."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.alone: dict[int, int] = {}  # line → column of a comment that has the line for itself
        self.beside: dict[int, tuple[int, str]] = {}  # line → column and text of one behind something
        self.covered: set[int] = set()  # lines that belong to a text of several lines
        spans = self._texts(text)
        offset = 0
        for number, line in enumerate(text.splitlines(keepends=True)):
            self._look(
                number, line.rstrip("\r\n"), [(a - offset, b - offset) for a, b in spans.get(number, [])]
            )
            offset += len(line)

    def _texts(self, text: str) -> dict[int, list[tuple[int, int]]]:
        """Where on each line scalars stand, as offsets in the file: a `#` in there begins no comment."""
        spans: dict[int, list[tuple[int, int]]] = {}
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.ScalarToken):
                start, end = token.start_mark, token.end_mark
                block = token.style in ("|", ">")
                last = end.line - 1 if block and end.column == 0 else end.line
                while block and not self.lines[last].strip():
                    last -= 1
                for line in range(start.line + (1 if block else 0), last + 1):
                    spans.setdefault(line, []).append((start.index, end.index))
                self.covered |= set(range(start.line + 1, last + 1))
        return spans

    def _look(self, number: int, line: str, texts: Sequence[tuple[int, int]]) -> None:
        for found in re.finditer("#", line):
            at = found.start()
            if any(start <= at < end for start, end in texts):
                continue
            if line[:at].strip():
                self.beside[number] = (at, line[at:].rstrip())
            else:
                self.alone[number] = at
            return

    def over(self, line: int) -> list[int]:
        """The numbers of the comments and empty lines directly above `line`, from the top."""
        first = line
        while first > 0 and first - 1 not in self.covered and self._is_margin(first - 1):
            first -= 1
        return list(range(first, line))

    def inside(self, lines: Iterable[int]) -> Iterator[int]:
        """The comments that stand between a key and its value: directly above none of `lines` or the end."""
        above = {number for line in (*lines, len(self.lines)) for number in self.over(line)}
        return (number for number in self.alone if number not in above)

    def _is_margin(self, number: int) -> bool:
        return number in self.alone or not self.lines[number].strip()

    def words(self, number: int) -> str:
        """A comment or an empty line, without its indentation."""
        return self.lines[number].strip()


def _attach(rows: Sequence[_Row], margin: _Margin) -> tuple[list[str], list[str]]:
    """Give every row its comments; the file's own are returned: those at its head, and at its foot."""
    order = list(_walk(rows))
    lines = [row.line for row in order]
    head = [margin.words(number) for number in margin.over(lines[0])]
    end = _Row(None, order[0].node, _Shape(None), len(margin.lines), 0)
    for at, row in enumerate([*order[1:], end]):
        if row.line != lines[at]:  # the first of what begins on its line
            _above(row, order, at, margin)
    for number, comment in margin.beside.items():
        at = bisect.bisect_right(lines, number) - 1
        if at >= 0:
            _beside(order[at], comment)
        else:
            head.append(comment[1])
    for number in margin.inside(lines):
        order[bisect.bisect_left(lines, number) - 1].above.append(margin.words(number))
    return head, end.above if any(end.above) else []


def _above(row: _Row, order: Sequence[_Row], last: int, margin: _Margin) -> None:
    """Share out what stands above `row`: what is indented like an entry before it ends that part.

    `last` is the position in `order` of the row before it.
    """
    for number in margin.over(row.line):
        column = margin.alone.get(number, 0)
        near = next((order[at] for at in range(last, -1, -1) if order[at].column <= column), row)
        if column > row.column and near.depth > row.depth and not row.above:
            near.below.append(margin.words(number))
        else:
            row.above.append(margin.words(number))


def _beside(row: _Row, comment: tuple[int, str]) -> None:
    """Put a comment at the end of a row, above it if there is one already."""
    if row.beside is None:
        row.beside = comment
    else:
        row.above.append(comment[1])


# --- writing --------------------------------------------------------------------------------------------


def _mapping(rows: Sequence[_Row], indent: int, shape: _Shape | None = None) -> list[str]:
    """The lines of rows below each other, keys in the grammar's order."""
    order = (shape or _Shape(lang.PolicyFile)).order([row.key or "" for row in rows])
    ordered = [rows[at] for at in order]
    widths = _table(ordered) if shape is not None and shape.named else [0] * len(ordered)
    lines: list[str] = []
    previous: _Row | None = None
    for at, row, width in zip(order, ordered, widths, strict=True):
        if indent and previous is not None and (at == 0 or rows[at - 1] is not previous):
            row.above = row.above[
                _leading(row.above) :
            ]  # an empty line parts two keys, and stays with neither
        lines += _spaced(row, previous, indent)
        lines += _lines(row, indent, width)
        previous = row
    return lines


def _table(rows: Sequence[_Row]) -> list[int]:
    """How many cells the name of each row gets: values directly below each other begin in one column."""
    widths: list[int] = []
    for _, run in itertools.groupby(_numbered(rows), key=lambda pair: pair[0]):
        names = [row.key or "" for _, row in run]
        widths += [max(map(cells, names))] * len(names)
    return widths


def _numbered(rows: Sequence[_Row]) -> Iterator[tuple[int, _Row]]:
    """Every row with the number of its table: an empty line, a comment or a long value begins another."""
    number = 0
    for before, row in zip([None, *rows], rows, strict=False):
        if row.above or row.rows or (before is not None and (before.rows or before.below)):
            number += 1
        yield number, row


def _spaced(row: _Row, previous: _Row | None, indent: int) -> list[str]:
    """What stands above a row: its comments, and at most one empty line between them."""
    above = _single(row.above)
    if previous is None:
        return [" " * indent + line if line else line for line in _single([*above])[_leading(above) :]]
    apart = (indent == 0 or (row.key is None and indent == STEP)) and bool(row.rows or previous.rows)
    if apart and above[:1] != [""]:
        above = ["", *above]
    return [" " * indent + line if line else line for line in above]


def _leading(lines: Sequence[str]) -> int:
    return 1 if lines[:1] == [""] else 0


def _single(lines: Sequence[str]) -> list[str]:
    """`lines` with one empty line where there were several."""
    return [line for at, line in enumerate(lines) if line or at == 0 or lines[at - 1]]


def _lines(row: _Row, indent: int, width: int = 0) -> list[str]:
    """A row and everything below it, its name written `width` cells wide."""
    margin = " " * indent
    key = "- " if row.key is None else f"{written(row.key)}: " + " " * (width - cells(row.key))
    if row.rows is None:
        first, *more = _one(row, indent)
        lines = [_ended(f"{margin}{key}{first}", row), *more]
    elif row.key is None and isinstance(row.node, yaml.MappingNode):
        inner = _mapping(row.rows, indent + STEP, row.shape)
        at = next(n for n, line in enumerate(inner) if line.strip() and not line.lstrip().startswith("#"))
        inner[at] = f"{margin}- {inner[at][indent + STEP :]}"
        lines = [line[STEP:] if n < at else line for n, line in enumerate(inner)]
        lines[at] = _ended(lines[at], row)
    else:
        lines = [_ended(f"{margin}{key.rstrip()}", row), *_mapping(row.rows, indent + STEP, _below(row))]
    return lines + [margin + line for line in _single(row.below)]


def _below(row: _Row) -> _Shape:
    """The order in what stands below a row: entries of a list have none."""
    return row.shape if isinstance(row.node, yaml.MappingNode) else _Shape(None)


def _one(row: _Row, indent: int) -> list[str]:
    """A value on its key's line; a text of several lines goes on below."""
    if isinstance(row.node, yaml.ScalarNode):
        block = _as_block(row.node.value)
        if block is None:
            return [_scalar(row.node, row.key or "")]
        margin = " " * (indent + STEP)
        return [block[0], *(margin + line if line else line for line in block[1:])]
    return [_flow(row.node, row.shape)]


def _flow(node: yaml.Node, shape: _Shape, key: str = "") -> str:
    """A value in braces and brackets."""
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, key)
    if isinstance(node, yaml.SequenceNode):
        return "[" + ", ".join(_flow(entry, shape, key) for entry in node.value) + "]"
    pairs = [node.value[at] for at in shape.order([k.value for k, _ in node.value])]
    inner = [f"{written(k.value)}: {_flow(v, _inside(shape, k.value, v), k.value)}" for k, v in pairs]
    return "{ " + ", ".join(inner) + " }" if inner else "{}"


def _ended(line: str, row: _Row) -> str:
    """`line` with its comment, in the column where it stood if there is room."""
    if row.beside is None:
        return line
    column, comment = row.beside
    return line + " " * max(column - len(line), 2) + comment
