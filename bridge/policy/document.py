"""YAML as a tree with positions, in which no scalar has a type yet.

Rules of this file: every mistake is collected, none ends the reading unless the text stops being YAML.
A scalar is text, whatever YAML would make of it (`0700`, `NO`, `18:30`). What lets a file say something
other than what a reader sees is refused: two equal keys, anchors, tags, merge keys, several documents,
Chinese punctuation where YAML wants its own.
Lines and columns count characters from 1. Nothing here recurses: depth is a number, not a crash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from bridge.policy.diagnostics import Diagnostic, Page, Place

DEEPEST = 20
_CHINESE_COLON = re.compile(r"(?:^|[{\[,，\s])([A-Za-z_][\w-]*)\s*(：)")
_COLON_FIRST = re.compile(r"\s*(?:- +)*[A-Za-z_][\w-]*\s*(：)")
_CHINESE_COMMA = re.compile(r"(，)\s*[A-Za-z_][\w-]*\s*[:：]")
_ODD_SPACE = re.compile(r"^[ \t]*([\u00a0\u2000-\u200a\u202f\u3000])[^#]")
_CHINESE_QUOTES = ("“”", "‘’", "「」", "『』")
_ASCII_OF = {"：": ":", "，": ",", "、": ",", "“": '"', "”": '"', "‘": "'", "’": "'"}


@dataclass(slots=True)
class Node:
    """A value: text, a list of nodes, or a mapping from key to (place of the key, node)."""

    value: Any
    place: Place
    bare: bool = False  # written without quotes

    def child(self, step: str | int) -> Node | None:
        """The value under a key or at an index, None if there is none."""
        if isinstance(self.value, dict) and step in self.value:
            found: Node = self.value[step][1]
            return found
        if isinstance(self.value, list) and isinstance(step, int) and step < len(self.value):
            item: Node = self.value[step]
            return item
        return None

    def key(self, name: str) -> Place:
        """Where the key `name` stands; the mapping's own place if it is not there."""
        return self.value[name][0] if isinstance(self.value, dict) and name in self.value else self.place

    def at(self, *steps: str | int) -> Place:
        """Where the value at the end of `steps` stands, or the nearest thing above it."""
        node = self
        for step in steps:
            node = node.child(step) or node
        return node.place

    def plain(self) -> Any:
        """The value without positions: text, lists and dictionaries."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, (_, node) in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def entries(node: Node | None) -> dict[str, Node]:
    """The keys and values of a mapping; nothing for anything else."""
    if node is None or not isinstance(node.value, dict):
        return {}
    return {key: child for key, (_, child) in node.value.items()}


def items(node: Node | None) -> list[Node]:
    """The entries of a list; nothing for anything else."""
    return node.value if node is not None and isinstance(node.value, list) else []


def scalars(node: Node | None) -> list[Node]:
    """The texts of a value that is one text or a list of them."""
    if node is None:
        return []
    nodes = node.value if isinstance(node.value, list) else [node]
    return [one for one in nodes if isinstance(one.value, str)]


@dataclass(slots=True)
class Document:
    """One file, read: its page, its tree (None if it is not YAML), and what is wrong so far."""

    page: Page
    root: Node | None = None
    problems: list[Diagnostic] = field(default_factory=list)


def compose(name: str, text: str) -> Document:
    """The tree of `text`. Never raises; `problems` says what is wrong."""
    page = Page(name, text)
    composer = _Composer(page)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            composer.feed(event)
    except _TooDeep:
        return Document(page, None, composer.problems)
    except yaml.YAMLError as error:
        wrong = list(_chinese_punctuation(page)) or [_syntax(page, error)]
        return Document(page, None, wrong)
    except (ValueError, OverflowError):  # the parser's own arithmetic on \U escapes and %YAML versions
        place = Place(*composer.reached)
        return Document(page, None, [page.report("P001.other", place, problem="a number is too large")])
    root = composer.root
    if root is not None and not isinstance(root.value, dict):
        wrong = list(_chinese_punctuation(page)) or [page.report("P013.root", root.place)]
        return Document(page, None, [*composer.problems, *wrong])
    if root is None and not composer.problems:
        composer.problems.append(page.report("P007.empty", Place(1, 1)))
    return Document(page, root, composer.problems)


class _TooDeep(Exception):
    """The file nests deeper than any policy; reading on would only cost time."""


# --- building the tree ----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Open:
    """A list or mapping that is not closed yet; `pending` is the key that waits for its value."""

    node: Node
    pending: tuple[str, Place] | None = None


class _Composer:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.root: Node | None = None
        self.problems: list[Diagnostic] = []
        self._open: list[_Open] = []
        self._documents = 0
        self.reached = (1, 1)

    def feed(self, event: yaml.Event) -> None:
        self.reached = (event.start_mark.line + 1, event.start_mark.column + 1)
        match event:
            case yaml.DocumentStartEvent():
                self._document(event)
            case yaml.ScalarEvent():
                self._marks(event)
                self._scalar(event)
            case yaml.AliasEvent():
                self._report("P003.alias", _place(event), name=event.anchor)
                self._put(Node("", _place(event)))
            case yaml.MappingStartEvent():
                self._marks(event)
                self._enter(Node({}, _place(event, 1)))
            case yaml.SequenceStartEvent():
                self._marks(event)
                self._enter(Node([], _place(event, 1)))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._leave()

    def _report(self, key: str, place: Place, /, **values: object) -> None:
        self.problems.append(self.page.report(key, place, **values))

    def _document(self, event: yaml.Event) -> None:
        self._documents += 1
        if self._documents == 2:
            self._report("P007.several", _place(event, 3))

    def _marks(self, event: yaml.NodeEvent) -> None:
        """Refuse an anchor or a tag on a value."""
        if event.anchor is not None:
            self._report("P003.anchor", _place(event, len(event.anchor) + 1), name=event.anchor)
        if getattr(event, "tag", None) is not None:
            self._report("P004", _place(event), tag=event.tag)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        place = _place(event)
        top = self._open[-1] if self._open else None
        if top is not None and isinstance(top.node.value, dict) and top.pending is None:
            self._key(top, event.value, place)
            return
        bare = event.style is None
        if bare and event.start_mark.line != event.end_mark.line:
            place = self._run_together(event, place)
        if bare:
            self._suspect(event.value, place, in_list=top is not None and isinstance(top.node.value, list))
        self._put(Node(event.value, place, bare))

    def _run_together(self, event: yaml.ScalarEvent, place: Place) -> Place:
        """Where a text goes wrong in which lines with Chinese colons became one; `place` if it does not."""
        first, last = event.start_mark.line + 1, event.end_mark.line + 1
        below = range(first + 1, last + 1)
        if not any(_COLON_FIRST.match(self.page.lines[number - 1]) for number in below):
            return place
        wrong = [one for number in range(first, last + 1) for one in _chinese_colons(self.page, number)]
        self.problems += wrong
        return wrong[0].place if wrong else place

    def _key(self, top: _Open, key: str, place: Place) -> None:
        mapping = top.node.value
        if key == "<<":
            self._report("P005", place)
        elif key == "":
            self._report("P013.key", place)
        elif _ODD_SPACE.match(key):
            self._report("P006.space", Place(place.line, place.column))
        elif any(mark in key for mark in "：，"):
            self._report("P006.key", place, **_offender(key, place))
        elif key in mapping:
            self._report("P002", place, key=key, first=mapping[key][0].line)
        if not mapping:
            top.node.place = place
        top.pending = (key, place)

    def _suspect(self, value: str, place: Place, *, in_list: bool) -> None:
        """Refuse Chinese punctuation that stands where YAML's own was meant."""
        if any(value[:1] == pair[0] and value[-1:] == pair[1] and len(value) > 1 for pair in _CHINESE_QUOTES):
            self._report("P006.quotes", place, mark=value[0])
        elif in_list and any(mark in value for mark in "，、"):
            column = min(value.index(mark) for mark in "，、" if mark in value)
            self._report("P006.comma", Place(place.line, place.column + column), mark=value[column])

    def _put(self, node: Node) -> None:
        """Give `node` its place in what is open."""
        if not self._open:
            self.root = node if self.root is None else self.root
            return
        top = self._open[-1]
        if isinstance(top.node.value, list):
            top.node.value.append(node)
        elif top.pending is None:
            self._report("P013.key", node.place)
            top.pending = ("", node.place)
        else:
            key, place = top.pending
            # Of two equal keys the first stays. A key with a Chinese mark in it stands for what was meant.
            meant = re.split("[：，]", key)[0].strip()
            if meant != key.strip():
                node = Node("", place)
            if meant and key != "<<":
                top.node.value.setdefault(meant, (place, node))
            top.pending = None

    def _enter(self, node: Node) -> None:
        self._put(node)
        self._open.append(_Open(node))
        if len(self._open) == DEEPEST + 1:
            self._report("P001.deep", node.place, limit=DEEPEST)
            raise _TooDeep

    def _leave(self) -> None:
        self._open.pop()


def _place(event: yaml.Event, width: int = 0) -> Place:
    start, end = event.start_mark, event.end_mark
    if not width and start.line == end.line:
        width = end.column - start.column
    return Place(start.line + 1, start.column + 1, max(width, 1))


# --- explaining what is not YAML ------------------------------------------------------------------------

# The parser's words → the key of our text.
_PARSER_WORDS = (
    ("'\\t' that cannot start", "P001.tab"),
    ("unknown escape character", "P001.escape"),
    ("expected escape sequence", "P001.escape"),
    ("while scanning an alias", "P001.star"),
    ("while scanning an anchor", "P001.star"),
    ("that cannot start any token", "P001.character"),
    ("mapping values are not allowed", "P001.colon"),
    ("could not find expected ':'", "P001.no_colon"),
    ("while scanning a quoted scalar", "P001.quote"),
    ("expected ',' or", "P001.bracket"),
    ("while parsing a flow", "P001.bracket"),
    ("expected <block end>", "P001.indent"),
    ("while parsing a block", "P001.indent"),
)


def _syntax(page: Page, error: yaml.YAMLError) -> Diagnostic:
    if isinstance(error, yaml.reader.ReaderError):
        before = page.text[: error.position] if isinstance(error.position, int) else ""
        line = before.count("\n") + 1
        return page.report("P001.control", Place(line, len(before) - before.rfind("\n")))
    words = " ".join(str(part) for part in (error.context, error.problem) if part)
    mark = error.problem_mark or error.context_mark
    key = next((key for said, key in _PARSER_WORDS if said in words), "P001.other")
    if key in ("P001.quote", "P001.star") and error.context_mark is not None:
        mark = error.context_mark
    place = Place(mark.line + 1, mark.column + 1) if mark is not None else Place(1, 1)
    if key == "P001.escape":  # the mark is behind the backslash
        place = Place(place.line, max(place.column - 1, 1), 2)
    return page.report(key, page.within(place), problem=error.problem or "")


def _chinese_punctuation(page: Page) -> Iterator[Diagnostic]:
    """Chinese punctuation in structure, outside of comments and quoted text."""
    for number, line in enumerate(page.lines, start=1):
        bare = _unquoted(line)
        if odd := _ODD_SPACE.match(bare):
            yield page.report("P006.space", Place(number, odd.start(1) + 1))
        yield from _chinese_colons(page, number)
        for match in _CHINESE_COMMA.finditer(bare):
            yield _structure(page, number, match.start(1) + 1)


def _chinese_colons(page: Page, number: int) -> Iterator[Diagnostic]:
    """The Chinese colons behind the keys of a line."""
    for match in _CHINESE_COLON.finditer(_unquoted(page.lines[number - 1])):
        yield _structure(page, number, match.start(2) + 1)


def chinese_colon(page: Page, node: Node) -> Diagnostic | None:
    """What to say of a text that was to be `key: value`, with a Chinese colon; None if it was not."""
    written = page.lines[node.place.line - 1]
    match = _COLON_FIRST.match(written, node.place.column - 1) if node.bare else None
    return _structure(page, node.place.line, match.start(1) + 1) if match else None


def _structure(page: Page, line: int, column: int) -> Diagnostic:
    mark = page.lines[line - 1][column - 1]
    return page.report("P006.structure", Place(line, column), mark=mark, ascii=_ASCII_OF[mark])


def _unquoted(line: str) -> str:
    """`line` with comments and quoted text blanked, each character keeping its column."""
    blank = re.sub(r"""'[^']*'|"(?:[^"\\]|\\.)*\"""", lambda m: "\0" * len(m.group()), line)
    return re.sub(r"(^|\s)#.*", lambda m: "\0" * len(m.group()), blank)


def _offender(key: str, place: Place) -> dict[str, object]:
    mark = next(mark for mark in key if mark in "：，")
    return {"mark": mark, "ascii": _ASCII_OF[mark], "key": key}
