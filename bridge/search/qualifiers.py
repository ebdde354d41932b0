"""Every qualifier of the language in one table: what it means, what it takes, what condition it makes.

Rules of this file: pure. Manual, completion, suggestions and checks are made from the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bridge.message import Kind, Outcome
from bridge.search import makers as make
from bridge.search.facets import HAVING
from bridge.search.grammar import Asked
from bridge.search.makers import Around, Maker, Value, Wrong
from bridge.search.moments import DAYS
from bridge.search.states import STATES
from bridge.search.tree import Condition, Leaf, Node, Or, joined


@dataclass(frozen=True, slots=True)
class Row:
    """One qualifier. `ops` are those it takes beside none; `values` all there are, where they can be listed.

    `prefixes`: a value may end in a star.
    """

    name: str
    group: str
    meaning: str
    example: str
    make: Maker
    ops: tuple[str, ...] = ()
    ranges: bool = False
    values: tuple[str, ...] = ()
    prefixes: bool = False


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
        "from:alice", make.person, ("=",), prefixes=True),
    Row("to", "who", "the other end of the approved pair", "to:李雷", make.person, ("=",), prefixes=True),
    Row("with", "who", "either end", "with:alice.wong@bank.example", make.person, ("=",), prefixes=True),
    Row("contact", "who", "the end that is on Weixin", "contact:李", make.person, ("=",), prefixes=True),
    Row("actor", "who", "who wrote it, or decided about it by hand", "actor:alice", make.person, ("=",),
        prefixes=True),
    Row("reviewer", "who", "who decided about it by hand", "reviewer:bob.li@bank.example", make.person,
        ("=",), prefixes=True),
    Row("group", "who", "a label of the directory's on either end", "group:research", make.facet),
    Row("in", "where", "the network's key of the conversation, or the account before its `/`",
        "in:wkAbC/wmXyZ", make.verbatim),
    Row("side", "where", "the network it was written on", "side:weixin", make.among(facet="network"),
        values=_SIDES),
    Row("network", "where", "the same", "network:symphony", make.among(), values=_SIDES),
    Row("dir", "where", "the way it went", "dir:to_weixin", make.among(),
        values=("to_weixin", "to_symphony")),
    Row("text", "what", "its text, as written or as sent", "text:内幕", make.text, ("=",), prefixes=True),
    Row("orig", "what", "its text as written", 'orig:"account number"', make.text, ("=",), prefixes=True),
    Row("sent", "what", "its text as sent: masked, with disclaimer", "sent:disclaimer", make.text, ("=",),
        prefixes=True),
    Row("quote", "what", "the text that it answers", "quote:明天", make.text, ("=",), prefixes=True),
    Row("file", "what", "the name of an attachment", "file:report.pdf", make.text, ("=",), prefixes=True),
    Row("inside", "what", "the text inside an attachment", "inside:机密", make.text, ("=",), prefixes=True),
    Row("kind", "what", "what it is to the people who talk", "kind:voice", make.among(), values=tuple(Kind)),
    Row("type", "what", "what an attachment is, by its bytes or by its name", "type:pdf", make.facet),
    Row("size", "what", "the size of an attachment; KB is 1000 bytes, KiB 1024", "size:>1MB", make.size,
        _COMPARISONS, ranges=True),
    Row("lang", "what", "the script of its text; a text may be in several", "lang:zh-hant", make.among(),
        values=("zh", "zh-hans", "zh-hant", "en", "ja", "ko", "ru")),
    Row("action", "decision", "what was decided, at any time", "action:held", make.among(_SYNONYMS),
        values=_OUTCOMES),
    Row("would", "decision", "what a rule in monitor mode would have done", "would:block",
        make.among(_SYNONYMS), values=_OUTCOMES),
    Row("rule", "decision", "a rule that matched, enforced or not: its id, or policy/id", "rule:mnpi",
        make.facet),
    Row("detector", "decision", "what a matching rule found", "detector:hkid", make.facet),
    Row("list", "decision", "a list that can grow old, and that the decision used", "list:restricted",
        make.facet),
    Row("tag", "decision", "a tag that a rule gave it", "tag:mnpi", make.facet),
    Row("policy", "decision", "a file that took part: its name, or the first 8 digits of its hash",
        "policy:hk-equities", make.policy),
    Row("exception", "decision", "an exception that lifted a rule", "exception:ipo-team", make.facet),
    Row("queue", "decision", "the queue that it was held for", "queue:compliance", make.facet),
    Row("reason", "decision", "words of the reason: the policy's, or the reviewer's", "reason:consent",
        make.text, ("=",), prefixes=True),
    Row("consent", "decision", "the client's consent was missing, or was given with it", "consent:missing",
        make.among(), values=("missing", "given")),
    Row("is", "state", "where it stands now", "is:held", make.state, values=tuple(STATES)),
    Row("has", "state", "what came with it", "has:attachment", make.having,
        values=tuple(HAVING)),
    Row("during", "when", "archived in a span of time", "during:last-30d", make.during, _COMPARISONS,
        ranges=True),
    Row("at", "when", "the same", "at:2026-11-22T14:30", make.during, _COMPARISONS, ranges=True),
    Row("after", "when", "archived from the beginning of this on", "after:2026-11", make.after),
    Row("before", "when", "archived before the beginning of this", "before:2026-12-24", make.before),
    Row("written", "when", "written in a span of time, by the network's clock", "written:2026-11-22",
        make.written, _COMPARISONS, ranges=True),
    Row("hour", "when", "by the clock; the last hour is not included", "hour:18..08", make.hour, ranges=True),
    Row("day", "when", "day of the week", "day:weekend", make.day, ranges=True,
        values=("weekend", "weekday", *DAYS)),
    Row("id", "identity", "the archive's number, a range of them, or the network's id", "id:1200..1300",
        make.identity, _COMPARISONS, ranges=True),
    Row("seq", "identity", "the place in the ledger, or lane/place", "seq:1200..1300", make.place,
        _COMPARISONS, ranges=True),
    Row("hash", "identity", "first digits of the ledger leaf, or of the SHA-256 of an attachment",
        "hash:9f86d081", make.digest),
)  # fmt: skip

BY_NAME: Mapping[str, Row] = {row.name: row for row in ROWS}

#: Those whose values are people, by name, address or id.
PEOPLE = frozenset(row.name for row in ROWS if row.make is make.person)

#: What shapes a search as a whole: meaning and example.
SHAPES: Mapping[str, tuple[str, str]] = {
    "sort": ("newest first, or oldest first", "sort:oldest"),
    "limit": ("how many to show at once", "limit:200"),
    "tz": ("the zone of every time in the query", "tz:Asia/Hong_Kong"),
}

#: Names that the language will know, and that this version has nothing to answer with.
LATER = ("case", "hold", "export", "region", "event", "py", "desk", "severity")
LATER_VALUES = {"is": ("exported", "on-hold")}

_TIME = re.compile(rf"\b(?:{'|'.join(row.name for row in ROWS if row.group == 'when')}):", re.IGNORECASE)


def names_time(text: str) -> bool:
    """Whether a query may have a condition of time: the same words mean others on another day."""
    return _TIME.search(text) is not None


# --- from what was written to nodes ---------------------------------------------------------------------


def build(asked: Asked, around: Around) -> Node | None:
    """The node of one qualifier; None after a complaint."""
    row = BY_NAME[asked.name]
    if asked.op and asked.op not in row.ops:
        end = asked.values[0].start
        around.complain("Q024", end - len(asked.op), end, name=row.name, op=asked.op, example=row.example)
        return None
    values = [Value(row.name, asked.op, one, around, row.example, row.values) for one in asked.values]
    made = [_made(row, value) for value in values]
    conditions = [condition for condition in made if condition is not None]
    return joined(Or, [Leaf(one) for one in conditions]) if len(conditions) == len(made) else None


def _made(row: Row, value: Value) -> Condition | None:
    """The condition of one value; None after a complaint."""
    try:
        _check_form(row, value)
        return row.make(value)
    except Wrong:
        return None


def _check_form(row: Row, value: Value) -> None:
    """Raises for a value in a form that the qualifier does not take at all."""
    piece = value.piece
    if not piece.plain.strip():
        raise value.wrong("Q018")
    if piece.star and not row.prefixes:
        raise value.wrong("Q029")
    if row.prefixes and "*" in piece.plain and not piece.quoted:
        raise value.wrong("Q017")
    if row.ranges and value.bounds and value.op:
        raise value.wrong("Q025", op=value.op)
    if piece.plain.lower() in LATER_VALUES.get(row.name, ()):
        raise value.wrong("Q042", known=", ".join(row.values), value=piece.plain)
