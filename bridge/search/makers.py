"""From one value of a qualifier to its condition: a maker for each form that values have.

Rules of this file: pure. A maker gets one `Value` and gives one condition, or raises what `Value.wrong`
gives. It knows which forms there are, and not which qualifier has which: that is said in `qualifiers`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from bridge.policy.folding import fold
from bridge.search import conditions as c
from bridge.search.diagnostics import NEAREST, nearest
from bridge.search.document import Document, Span, Token
from bridge.search.facets import HASH_DIGITS
from bridge.search.grammar import Piece
from bridge.search.moments import DAYS, NAMED, Period, period, written_at
from bridge.search.terms import Term
from bridge.search.tree import Condition
from bridge.search.writing import quoted

Near = Callable[[str, str], Sequence[str]]
TIMES = "2026, 2026-11, 2026-11-22, 2026-11-22T14:30, 2026-Q4, 2026-W47, last-30d, " + ", ".join(NAMED)


class Wrong(Exception):
    """A value makes no condition; the complaint was made."""


@dataclass(frozen=True, slots=True)
class Around:
    """What a query is read with: the clock, the zone, known names, and who is told of problems."""

    now: datetime
    zone: tzinfo
    near: Near
    complain: Callable[..., None]


@dataclass(frozen=True, slots=True)
class Value:
    """One value of one qualifier: `listed` are those there are, where they can be listed."""

    name: str
    op: str
    piece: Piece
    around: Around
    example: str
    listed: tuple[str, ...] = ()

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

    def wrong(self, code: str, suggestions: Sequence[str] = (), **values: Any) -> Wrong:
        """Complain about this value; what comes back is to be raised."""
        about = {"name": self.name, "example": self.example, **values}
        self.around.complain(code, self.piece.start, self.piece.end, suggestions, **about)
        return Wrong()


Maker = Callable[[Value], Condition]


# --- words ----------------------------------------------------------------------------------------------


def text(value: Value) -> c.Says:
    """Something to find in a text."""
    term = Term(value.piece.text, value.piece.star, value.op == "=")
    if not term.parts:
        raise value.wrong("Q016")
    return c.Says(value.name, trimmed(term))


def trimmed(term: Term) -> Term:
    """A term that ends in Chinese goes on anyway: its star says nothing."""
    if term.prefix and term.parts[-1].kind != "word":
        return Term(term.written, False, term.exact)
    return term


def person(value: Value) -> c.Named:
    """Somebody."""
    whole = value.op == "="
    term = Term(value.piece.text, value.piece.star)
    if not term.folded or not (term.parts or whole):
        raise value.wrong("Q016")
    if term.prefix and (whole or "@" in term.folded):
        raise value.wrong("Q029")
    if not whole and not term.prefix:
        _known(value)
    return c.Named(value.name, trimmed(term), whole)


def _known(value: Value) -> None:
    """Complain about a name that nobody has, if somebody knows better."""
    close = tuple(value.around.near(value.name, value.piece.text))
    if close:
        raise value.wrong(NEAREST, close)


def facet(value: Value) -> c.Has:
    """A name that has no list: rules, tags, queues."""
    _known(value)
    return c.Has(value.name, fold(value.piece.text).strip())


def verbatim(value: Value) -> c.Has:
    """A key of a network's: capitals count."""
    _known(value)
    return c.Has(value.name, value.piece.text)


def policy(value: Value) -> c.Policy:
    """A policy file, by name or hash."""
    _known(value)
    return c.Policy(fold(value.piece.text).strip())


# --- values that are listed -----------------------------------------------------------------------------


def among(synonyms: Mapping[str, str] | None = None, facet: str = "") -> Maker:
    """One of the listed values, or a synonym of one; of another facet, if it is named."""
    return lambda value: c.Has(facet or value.name, _listed(value, synonyms), value.name if facet else "")


def _listed(value: Value, synonyms: Mapping[str, str] | None = None) -> str:
    """The value, if it is in the list."""
    wanted = fold(value.piece.plain)
    wanted = (synonyms or {}).get(wanted, wanted)
    if wanted not in value.listed:
        raise _unlisted(value, wanted)
    return wanted


def _unlisted(value: Value, wanted: str) -> Wrong:
    return value.wrong("Q023", nearest(wanted, value.listed), known=", ".join(value.listed))


def having(value: Value) -> c.Came:
    """Something that may come with a message."""
    return c.Came(_listed(value, {"file": "attachment", "files": "attachment", "attachments": "attachment"}))


def state(value: Value) -> c.Is:
    """A state of the message, of its hold or of a delivery."""
    return c.Is(_listed(value))


# --- numbers --------------------------------------------------------------------------------------------


def digest(value: Value) -> c.Hash:
    """The first digits of a digest."""
    digits = value.piece.plain.lower().removeprefix("sha256:")
    if re.fullmatch(f"[0-9a-f]{{{HASH_DIGITS},64}}", digits) is None:
        raise value.wrong("Q034", least=HASH_DIGITS)
    return c.Hash(digits)


def identity(value: Value) -> c.Within | c.Id:
    """A number of the archive's; or the id that the network gave it, which may be a number as well."""
    plain, written = value.piece.plain, value.piece.text
    if value.bounds or value.op in ("<", "<=", ">", ">="):
        first, last = _numbers(value, plain)
        if last == 0:
            raise value.wrong("Q032")  # the archive counts from 1
        return c.Within(Span(first=first, last=last or 0), value.asked)
    is_number = not value.op and re.fullmatch("0*[1-9][0-9]{0,17}", plain) is not None
    return c.Id(plain, int(plain)) if is_number else c.Id(written)


def _numbers(value: Value, plain: str) -> tuple[int, int | None]:
    """First and last, both included; None for no last."""
    if value.bounds:
        first, last = plain.split("..", 1)
        if not first and not last:
            raise value.wrong("Q032")
        found = _number(value, first) if first else 0, _number(value, last) if last else None
        if found[1] is not None and found[0] > found[1]:
            raise value.wrong("Q031")
        return found
    number = _number(value, plain)
    if value.op == "<" and not number:
        raise value.wrong("Q032")  # nothing is below
    bounds = {">": (number + 1, None), ">=": (number, None), "<": (0, number - 1), "<=": (0, number)}
    return bounds.get(value.op, (number, number))


def _number(value: Value, plain: str) -> int:
    if re.fullmatch("[0-9]{1,18}", plain) is None:
        raise value.wrong("Q032")
    return int(plain)


def place(value: Value) -> c.Opened:
    """A place in the ledger: `number`, or `lane/number` where there are several lanes."""
    lane, slash, plain = value.piece.plain.rpartition("/")
    in_lane = _number(value, lane) if slash else -1
    first, last = _numbers(value, plain)

    def holds(document: Document) -> bool:
        if slash and document.lane != in_lane:
            return False
        return first <= document.entry and (last is None or document.entry <= last)

    return c.Opened(value.asked, holds)


_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,3})?)([a-z]{0,3})", re.IGNORECASE)


def size(value: Value) -> c.Opened:
    """Bytes of an attachment: of one whose size is known."""
    fits = (
        _between(value, *value.bounds) if value.bounds else _SIZES[value.op](_bytes(value, value.piece.plain))
    )

    def holds(document: Document) -> bool:
        return any(file.size >= 0 and fits(file.size) for file in document.files)

    return c.Opened(value.asked, holds, 3, Token("has:attachment"))


def _bytes(value: Value, plain: str) -> int:
    found = _SIZE.fullmatch(plain)
    if found is None or found[2].lower() not in _UNITS:
        raise value.wrong("Q033")
    return int(Decimal(found[1]) * _UNITS[found[2].lower()])


def _between(value: Value, first: str, last: str) -> Callable[[int], bool]:
    if not first and not last:
        raise value.wrong("Q033")
    least = _bytes(value, first) if first else 0
    most = _bytes(value, last) if last else None
    if most is not None and least > most:
        raise value.wrong("Q031")
    return lambda size: least <= size and (most is None or size <= most)


_SIZES: Mapping[str, Callable[[int], Callable[[int], bool]]] = {
    "": lambda bound: lambda size: size == bound,
    "=": lambda bound: lambda size: size == bound,
    ">": lambda bound: lambda size: size > bound,
    ">=": lambda bound: lambda size: size >= bound,
    "<": lambda bound: lambda size: size < bound,
    "<=": lambda bound: lambda size: size <= bound,
}


# --- time -----------------------------------------------------------------------------------------------


def during(value: Value) -> c.Within:
    """A whole span; with a sign, what lies before or behind it."""
    if value.bounds:
        return _from_to(value, *value.bounds)
    since, until = _period(value, value.piece.plain)
    if value.op == ">" and not until:
        raise value.wrong("Q030", known=TIMES)  # it has no end that something could be behind
    bounds = {">": (until, 0), ">=": (since, 0), "<": (0, since), "<=": (0, until)}
    return _within(value, *bounds.get(value.op, (since, until)))


def _period(value: Value, plain: str) -> Period:
    found = period(plain, value.around.now, value.around.zone)
    if found is None:
        raise value.wrong("Q030", nearest(plain, tuple(NAMED)), known=TIMES)
    return found


def _from_to(value: Value, first: str, last: str) -> c.Within:
    if not first and not last:
        raise value.wrong("Q030", known=TIMES)
    since = _period(value, first).since if first else 0
    until = _period(value, last).until if last else 0
    if until and since >= until:
        raise value.wrong("Q031")
    return _within(value, since, until)


def after(value: Value) -> c.Within:
    """From the beginning of a span on."""
    return _within(value, _period(value, value.piece.plain).since, 0)


def before(value: Value) -> c.Within:
    """Before the beginning of a span."""
    return _within(value, 0, _period(value, value.piece.plain).since)


def _within(value: Value, since: int, until: int) -> c.Within:
    return c.Within(Span(since=since, until=until), value.asked)


def written(value: Value) -> c.Opened:
    """A span of the network's clock. Nothing is known of when that was archived, so all is looked at."""
    span = during(value).span

    def holds(document: Document) -> bool:
        at = written_at(document.sent_at, document.at)
        return span.since <= at and (not span.until or at < span.until)

    return c.Opened(value.asked, holds)


def hour(value: Value) -> c.Opened:
    """Hours of the day, the last not included; `18..08` goes through midnight."""
    first, last = value.bounds or (value.piece.plain, "")
    start = _clock(value, first)
    end = _clock(value, last) if value.bounds else start + 60
    zone = value.around.zone

    def holds(document: Document) -> bool:
        moment = c.local(document, zone)
        minute = moment.hour * 60 + moment.minute
        return start <= minute < end if start < end else minute >= start or minute < end

    return c.Opened(value.asked, holds)


def _clock(value: Value, plain: str) -> int:
    """Minutes since midnight of `18` or `18:30`."""
    found = re.fullmatch(r"([01]?[0-9]|2[0-3])(?::([0-5][0-9]))?|24", plain)
    if found is None:
        raise value.wrong("Q032")
    return int(found[1] or 24) * 60 + int(found[2] or 0)


_SOME_DAYS = {"weekend": (5, 6), "weekday": (0, 1, 2, 3, 4)}


def day(value: Value) -> c.Opened:
    """Days of the week; `fri..mon` goes through the weekend."""
    days = _days(value, value.piece.plain.lower())
    zone = value.around.zone
    return c.Opened(value.asked, lambda document: c.local(document, zone).weekday() in days)


def _days(value: Value, plain: str) -> tuple[int, ...]:
    if plain in _SOME_DAYS:
        return _SOME_DAYS[plain]
    first, dots, last = plain.partition("..")
    start, end = _weekday(value, first), _weekday(value, last if dots else first)
    return tuple((start + step) % 7 for step in range((end - start) % 7 + 1))


def _weekday(value: Value, name: str) -> int:
    if name not in DAYS:
        raise _unlisted(value, name)
    return DAYS.index(name)
