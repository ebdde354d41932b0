"""Every qualifier of the language in one table: what it means, what it takes, what condition it makes.

Rules of this file: pure. A row's maker gets one value and returns one node, or complains and returns None.
Manual, completion, suggestions and checks are made from the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from bridge.message import Kind, Outcome
from bridge.policy.folding import fold
from bridge.search import conditions as c
from bridge.search.document import Document, Span, Token
from bridge.search.facets import HASH_DIGITS, HAVING
from bridge.search.grammar import Asked, Piece
from bridge.search.moments import DAYS, NAMED, Period, period
from bridge.search.states import STATES
from bridge.search.terms import Term
from bridge.search.tree import And, Leaf, Node, Or, joined
from bridge.search.writing import value as quoted

Near = Callable[[str, str], Sequence[str]]
TIMES = "2026, 2026-11, 2026-11-22, 2026-11-22T14:30, 2026-Q4, 2026-W47, last-30d, " + ", ".join(NAMED)


@dataclass(frozen=True, slots=True)
class Around:
    """What a query is read with: the clock, the zone, known names, and who is told of problems."""

    now: datetime
    zone: tzinfo
    near: Near
    complain: Callable[..., None]


@dataclass(frozen=True, slots=True)
class Value:
    """One value of one qualifier, as its maker gets it."""

    row: Row
    op: str
    piece: Piece
    around: Around

    @property
    def name(self) -> str:
        """The qualifier's name."""
        return self.row.name

    @property
    def asked(self) -> str:
        """The canonical way to write it."""
        plain = self.piece.plain
        return f"{self.name}:{self.op}{quoted(plain) if self.piece.quoted else plain}"

    @property
    def bounds(self) -> tuple[str, str] | None:
        """Both sides of a range, None if it is none."""
        first, dots, last = self.piece.plain.partition("..")
        return (first, last) if dots and not self.piece.quoted else None

    def wrong(self, code: str, suggestions: Sequence[str] = (), **values: Any) -> None:
        """Complain about this value."""
        self.around.complain(
            code, self.piece.start, self.piece.end, suggestions,
            name=self.name, example=self.row.example, **values,
        )  # fmt: skip


Maker = Callable[
    [Value], c.Says | c.Named | c.Has | c.Is | c.Hash | c.Policy | c.Within | c.Id | c.Opened | Node | None
]


@dataclass(frozen=True, slots=True)
class Row:
    """One qualifier. `ops` are those it takes beside none; `values` all there are, where they can be listed."""

    name: str
    group: str
    meaning: str
    example: str
    make: Maker
    ops: tuple[str, ...] = ()
    ranges: bool = False
    values: tuple[str, ...] = ()
    prefixes: bool = False


# --- makers ---------------------------------------------------------------------------------------------


def _term(value: Value) -> Term | None:
    """The value as a term, if there is anything to find in it."""
    term = Term(value.piece.text, value.piece.star, value.op == "=")
    if not term.parts:
        value.wrong("Q016")
        return None
    return trimmed(term)


def trimmed(term: Term) -> Term:
    """A term that ends in Chinese goes on anyway: its star says nothing."""
    if term.prefix and term.parts[-1].kind != "word":
        return Term(term.written, False, term.exact)
    return term


def _text(value: Value) -> c.Says | None:
    term = _term(value)
    return c.Says(value.name, term) if term else None


def _person(value: Value) -> c.Named | None:
    whole = value.op == "="
    term = Term(value.piece.text, value.piece.star)
    if term.prefix and (whole or "@" in term.folded):
        return value.wrong("Q029")
    if not term.folded or not (term.parts or whole):
        return value.wrong("Q016")
    if not whole and not term.prefix:
        _known(value)
    return c.Named(value.name, trimmed(term) if term.parts else term, whole)


def _known(value: Value) -> None:
    """Complain about a name that nobody has, if somebody knows better."""
    close = tuple(value.around.near(value.name, value.piece.text))
    if close:
        value.wrong("Q028", close)


def _facet(value: Value) -> c.Has:
    _known(value)
    return c.Has(value.name, fold(value.piece.text).strip())


def _verbatim(value: Value) -> c.Has:
    _known(value)
    return c.Has(value.name, value.piece.text)


def _policy(value: Value) -> c.Policy:
    _known(value)
    return c.Policy(fold(value.piece.text).strip())


def _among(synonyms: Mapping[str, str] | None = None, facet: str = "") -> Maker:
    """One of the row's values, or a synonym of one."""

    def make(value: Value) -> c.Has | None:
        wanted = fold(value.piece.plain)
        wanted = (synonyms or {}).get(wanted, wanted)
        if not _listed(value, wanted):
            return None
        return c.Has(facet or value.name, wanted, value.name if facet else "")

    return make


def _listed(value: Value, wanted: str) -> bool:
    """Whether the row knows the value; complains if not."""
    if wanted in value.row.values:
        return True
    value.wrong("Q023", nearest(wanted, value.row.values), known=", ".join(value.row.values))
    return False


def nearest(word: str, known: Sequence[str]) -> tuple[str, ...]:
    """What is written almost like `word`."""
    from bridge.search.diagnostics import nearest as closest

    return closest(word, known)


def _state(value: Value) -> c.Is | None:
    wanted = fold(value.piece.plain)
    return c.Is(wanted) if _listed(value, wanted) else None


def _hash(value: Value) -> c.Hash | None:
    digits = value.piece.plain.lower().removeprefix("sha256:")
    if re.fullmatch(f"[0-9a-f]{{{HASH_DIGITS},64}}", digits) is None:
        return value.wrong("Q034", least=HASH_DIGITS)
    return c.Hash(digits)


def _id(value: Value) -> c.Within | c.Id | None:
    """A number of the archive's; or the id that the network gave it, which may be a number as well."""
    plain, text = value.piece.plain, value.piece.text
    if value.bounds or value.op in ("<", "<=", ">", ">="):
        found = _numbers(value)
        return c.Within(Span(first=found[0], last=found[1]), value.asked) if found else None
    is_number = not value.op and plain.isascii() and plain.isdecimal() and 0 < int(plain[:20]) < 2**63
    return c.Id(plain if is_number else text, int(plain) if is_number else 0)


def _numbers(value: Value) -> tuple[int, int] | None:
    """First and last, both included, 0 for open; complains and gives None for what is no number."""
    if value.bounds:
        ends = [_number(value, end) if end else 0 for end in value.bounds]
        if None in ends or not any(value.bounds):
            return value.wrong("Q032") if None not in ends else None
        first, last = ends
        return (first, last) if not last or first <= last else value.wrong("Q031")
    number = _number(value, value.piece.plain)
    if number is None:
        return None
    return {">": (number + 1, 0), ">=": (number, 0), "<": (0, max(number - 1, 1)), "<=": (0, number)}.get(
        value.op, (number, number)
    )


def _number(value: Value, text: str) -> int | None:
    if re.fullmatch("[0-9]{1,18}", text) is None:
        return value.wrong("Q032")
    return int(text)


def _place(value: Value) -> c.Opened | None:
    """A place in the ledger: `number`, or `lane/number` where there are several lanes."""
    lane, slash, place = value.piece.plain.rpartition("/")
    if slash and not lane.isdecimal():
        return value.wrong("Q032")
    bare = Piece(place, place, value.piece.start, value.piece.end)
    found = _numbers(Value(value.row, value.op, bare, value.around))
    if found is None:
        return None
    first, last = found

    def holds(document: Document) -> bool:
        if slash and document.lane != int(lane):
            return False
        return first <= document.entry and (not last or document.entry <= last)

    return c.Opened(value.asked, holds)


_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,3}))?\s*([a-z]{0,3})", re.IGNORECASE)


def _size(value: Value) -> c.Opened | None:
    ends = [_bytes(value, end) if end else 0 for end in value.bounds or (value.piece.plain,)]
    if None in ends:
        return None
    test = _between_sizes(ends[0], ends[1]) if value.bounds else _SIZES[value.op](ends[0])

    def holds(document: Document) -> bool:
        return any(file.size >= 0 and test(file.size) for file in document.files)

    return c.Opened(value.asked, holds, 3, Token("has:attachment"))


def _bytes(value: Value, text: str) -> int | None:
    found = _SIZE.fullmatch(text)
    if found is None or found[3].lower() not in _UNITS:
        return value.wrong("Q033")
    return int(float(f"{found[1]}.{found[2] or 0}") * _UNITS[found[3].lower()])


def _between_sizes(first: int, last: int) -> Callable[[int], bool]:
    return lambda size: first <= size and (not last or size <= last)


_SIZES: Mapping[str, Callable[[int], Callable[[int], bool]]] = {
    "": lambda bound: lambda size: size == bound,
    "=": lambda bound: lambda size: size == bound,
    ">": lambda bound: lambda size: size > bound,
    ">=": lambda bound: lambda size: size >= bound,
    "<": lambda bound: lambda size: size < bound,
    "<=": lambda bound: lambda size: size <= bound,
}


# --- time -----------------------------------------------------------------------------------------------


def _period(value: Value, text: str) -> Period | None:
    found = period(text, value.around.now, value.around.zone)
    if found is None:
        value.wrong("Q030", nearest(text, tuple(NAMED)), known=TIMES)
    return found


def _during(value: Value) -> c.Within | None:
    """A whole span; with a sign, what lies before or behind it."""
    if value.bounds:
        return _between(value, *value.bounds)
    found = _period(value, value.piece.plain)
    if found is None:
        return None
    since, until = found
    bounds = {">": (until, 0), ">=": (since, 0), "<": (0, since), "<=": (0, until)}
    return _within(value, *bounds.get(value.op, (since, until)))


def _between(value: Value, first: str, last: str) -> c.Within | None:
    ends = [_period(value, one) if one else Period(0, 0) for one in (first, last)]
    if ends[0] is None or ends[1] is None:
        return None
    if not first and not last:
        return value.wrong("Q030", known=TIMES)
    if ends[1].until and ends[0].since >= ends[1].until:
        return value.wrong("Q031")
    return _within(value, ends[0].since, ends[1].until)


def _after(value: Value) -> c.Within | None:
    found = _period(value, value.piece.plain)
    return _within(value, found.since, 0) if found else None


def _before(value: Value) -> c.Within | None:
    found = _period(value, value.piece.plain)
    return _within(value, 0, found.since) if found else None


def _within(value: Value, since: int, until: int) -> c.Within:
    return c.Within(Span(since=since, until=until), value.asked)


def _hour(value: Value) -> c.Opened | None:
    """Hours of the day, the last not included; `18..08` goes through midnight."""
    first, last = value.bounds or (value.piece.plain, "")
    hours = [_clock(value, one) for one in (first, last) if one]
    if None in hours or not first or (value.bounds and not last):
        return value.wrong("Q032") if None not in hours else None
    start = hours[0]
    end = hours[1] if value.bounds else start + 60
    zone = value.around.zone

    def holds(document: Document) -> bool:
        moment = c.local(document, zone)
        minute = moment.hour * 60 + moment.minute
        return start <= minute < end if start < end else minute >= start or minute < end

    return c.Opened(value.asked, holds)


def _clock(value: Value, text: str) -> int | None:
    """Minutes since midnight of `18` or `18:30`."""
    found = re.fullmatch(r"([01]?[0-9]|2[0-4])(?::([0-5][0-9]))?", text)
    if found is None:
        return value.wrong("Q032")
    return int(found[1]) * 60 + int(found[2] or 0)


_SOME_DAYS = {"weekend": (5, 6), "weekday": (0, 1, 2, 3, 4)}


def _day(value: Value) -> c.Opened | None:
    """Days of the week; `fri..mon` goes through the weekend."""
    days = _days(value, value.piece.plain.lower())
    if days is None:
        return None
    zone = value.around.zone
    return c.Opened(value.asked, lambda document: c.local(document, zone).weekday() in days)


def _days(value: Value, text: str) -> tuple[int, ...] | None:
    if text in _SOME_DAYS:
        return _SOME_DAYS[text]
    ends = (value.bounds or (text, text)) if value.bounds else (text, text)
    names = [end.lower()[:3] if len(end) > 3 and end.lower() in _LONG_DAYS else end.lower() for end in ends]
    for name in names:
        if not _listed_day(value, name):
            return None
    first, last = (DAYS.index(name) for name in names)
    return tuple((first + step) % 7 for step in range((last - first) % 7 + 1))


_LONG_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _listed_day(value: Value, name: str) -> bool:
    return name in DAYS or _listed(value, name)


# --- the table ------------------------------------------------------------------------------------------

_SIDES = ("symphony", "weixin")
_OUTCOMES = tuple(Outcome)
_SYNONYMS = {
    "delivered": "deliver", "passed": "deliver", "annotated": "annotate", "redacted": "redact",
    "masked": "redact", "mask": "redact", "held": "hold", "blocked": "block",
}  # fmt: skip
_COMPARISONS = (">", ">=", "<", "<=", "=")

ROWS: tuple[Row, ...] = (
    Row("from", "who", "who wrote it: a part of the name or of the address, a whole address, an id, a domain",
        "from:alice", _person, ("=",), prefixes=True),
    Row("to", "who", "the other end of the approved pair", "to:李雷", _person, ("=",), prefixes=True),
    Row("with", "who", "either end", "with:alice.wong@bank.example", _person, ("=",), prefixes=True),
    Row("contact", "who", "the end that is on Weixin", "contact:李", _person, ("=",), prefixes=True),
    Row("actor", "who", "who wrote it, or decided about it by hand", "actor:alice", _person, ("=",),
        prefixes=True),
    Row("reviewer", "who", "who decided about it by hand", "reviewer:bob.li@bank.example", _person, ("=",),
        prefixes=True),
    Row("group", "who", "a label of the directory's on either end", "group:research", _facet),
    Row("in", "where", "the network's key of the conversation, or the account before its `/`",
        "in:wkAbC/wmXyZ", _verbatim),
    Row("side", "where", "the network it was written on", "side:weixin", _among(facet="network"), values=_SIDES),
    Row("network", "where", "the same", "network:symphony", _among(), values=_SIDES),
    Row("dir", "where", "the way it went", "dir:to_weixin", _among(), values=("to_weixin", "to_symphony")),
    Row("text", "what", "its text, as written or as sent", "text:内幕", _text, ("=",), prefixes=True),
    Row("orig", "what", "its text as written", 'orig:"account number"', _text, ("=",), prefixes=True),
    Row("sent", "what", "its text as sent: masked, with disclaimer", "sent:disclaimer", _text, ("=",),
        prefixes=True),
    Row("quote", "what", "the text that it answers", "quote:明天", _text, ("=",), prefixes=True),
    Row("file", "what", "the name of an attachment", "file:report.pdf", _text, ("=",), prefixes=True),
    Row("inside", "what", "the text inside an attachment", "inside:机密", _text, ("=",), prefixes=True),
    Row("kind", "what", "what it is to the people who talk", "kind:voice", _among(), values=tuple(Kind)),
    Row("type", "what", "what an attachment is, by its bytes or by its name", "type:pdf", _facet),
    Row("size", "what", "the size of an attachment; KB is 1000 bytes, KiB 1024", "size:>1MB", _size,
        _COMPARISONS, ranges=True),
    Row("lang", "what", "the script of its text; a text may be in several", "lang:zh-hant", _among(),
        values=("zh", "zh-hans", "zh-hant", "en", "ja", "ko", "ru")),
    Row("action", "decision", "what was decided, at any time", "action:held", _among(_SYNONYMS),
        values=_OUTCOMES),
    Row("would", "decision", "what a rule in monitor mode would have done", "would:block",
        _among(_SYNONYMS), values=_OUTCOMES),
    Row("rule", "decision", "a rule that matched, enforced or not: its id, or policy/id", "rule:mnpi", _facet),
    Row("detector", "decision", "what a matching rule found", "detector:hkid", _facet),
    Row("list", "decision", "a list that can grow old, and that the decision used", "list:restricted", _facet),
    Row("tag", "decision", "a tag that a rule gave it", "tag:mnpi", _facet),
    Row("policy", "decision", "a file that took part: its name, or the first 8 digits of its hash",
        "policy:hk-equities", _policy),
    Row("exception", "decision", "an exception that lifted a rule", "exception:ipo-team", _facet),
    Row("queue", "decision", "the queue that it was held for", "queue:compliance", _facet),
    Row("reason", "decision", "words of the reason: the policy's, or the reviewer's", "reason:consent", _text,
        ("=",), prefixes=True),
    Row("consent", "decision", "the client's consent was missing, or was given with it", "consent:missing",
        _among(), values=("missing", "given")),
    Row("is", "state", "where it stands now", "is:held", _state, values=tuple(STATES)),
    Row("has", "state", "what came with it", "has:attachment", _among({"file": "attachment"}),
        values=tuple(HAVING)),
    Row("during", "when", "archived in a span of time", "during:last-30d", _during, _COMPARISONS, ranges=True),
    Row("at", "when", "the same", "at:2026-11-22T14:30", _during, _COMPARISONS, ranges=True),
    Row("after", "when", "archived from the beginning of this on", "after:2026-11", _after),
    Row("before", "when", "archived before the beginning of this", "before:2026-12-24", _before),
    Row("hour", "when", "by the clock; the last hour is not included", "hour:18..08", _hour, ranges=True),
    Row("day", "when", "day of the week", "day:weekend", _day, ranges=True,
        values=("weekend", "weekday", *DAYS)),
    Row("id", "identity", "the archive's number, a range of them, or the network's id", "id:1200..1300", _id,
        _COMPARISONS, ranges=True),
    Row("seq", "identity", "the place in the ledger, or lane/place", "seq:1200..1300", _place, _COMPARISONS,
        ranges=True),
    Row("hash", "identity", "first digits of the ledger leaf, or of the SHA-256 of an attachment",
        "hash:9f86d081", _hash),
)  # fmt: skip

BY_NAME: Mapping[str, Row] = {row.name: row for row in ROWS}

#: What shapes a search as a whole: meaning and example.
SHAPES: Mapping[str, tuple[str, str]] = {
    "sort": ("newest first, or oldest first", "sort:oldest"),
    "limit": ("how many to show at once", "limit:200"),
    "tz": ("the zone of every time in the query", "tz:Asia/Hong_Kong"),
}

#: Names that the language will know, and that this version has nothing to answer with.
LATER = ("case", "hold", "export", "region", "event", "py", "desk", "severity")
LATER_VALUES = {"is": ("exported", "on-hold")}


# --- from what was written to nodes ---------------------------------------------------------------------


def build(asked: Asked, around: Around) -> Node | None:
    """The node of one qualifier; None after a complaint."""
    row = BY_NAME[asked.name]
    values = [_checked(Value(row, asked.op, piece, around)) for piece in asked.values]
    if asked.op and asked.op not in row.ops:
        around.complain("Q024", asked.start, asked.end, name=row.name, op=asked.op, example=row.example)
        return None
    nodes = [_made(value) for value in values if value is not None]
    found = [node for node in nodes if node is not None]
    return joined(Or, found) if found and len(found) == len(asked.values) else None


def _checked(value: Value) -> Value | None:
    """The value, if it has a form that its qualifier takes."""
    row, piece = value.row, value.piece
    if not piece.plain.strip():
        return value.wrong("Q018")
    if piece.star and not row.prefixes:
        return value.wrong("Q029")
    if row.prefixes and "*" in piece.plain and not piece.quoted:
        return value.wrong("Q017")
    if piece.plain.lower() in LATER_VALUES.get(row.name, ()):
        value.around.complain(
            "Q021", piece.start, piece.end, name=f"{row.name}:{piece.plain}", known=", ".join(row.values)
        )
        return None
    return value


def _made(value: Value) -> Node | None:
    made = value.row.make(value)
    return made if made is None or isinstance(made, And | Or) else Leaf(made)  # type: ignore[arg-type]
