"""A small firm on paper: its people, its policies, seven years of its diary, and a clerk who reckons by hand.

Rules of this file: data and a calendar, and nothing of the product. The clerk reads the very policy files by
which the product judges, but only as YAML; regulations' periods, days and holds are worked out here anew, as
the manual says them. Where product and clerk differ, one of them is wrong.

    PEOPLE, EDITIONS, SCENES, DAYS, ONCE    who, by which rules, what they write and when
    Line, Record                            what is written; what became a record, as the clerk has it
    Clerk                                   until when each record lives, and what else keeps it
"""

from __future__ import annotations

import calendar
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from ruamel.yaml import YAML

# --- people ---------------------------------------------------------------------------------------------


class Client(NamedTuple):
    """Somebody on Weixin: id, name, tag, who advises them, from which day on they are a client no more."""

    id: str
    name: str
    tag: str = ""
    advisor: str = "alice"
    left: date = date.max


CLIENTS: Mapping[str, Client] = {
    "li": Client("wmLiLei", "李雷", "advised"),
    "wang": Client("wmWangWu", "王五"),
    "han": Client("wmHanMei", "韩梅梅", "swaps", "bob"),
    "chen": Client("wmChenJing", "陈静", "copied", left=date(2028, 5, 2)),
    "sun": Client("wmSunYue", "孙悦", advisor="bob", left=date(2029, 9, 1)),
    "zhao": Client("wmZhaoMin", "赵敏", "new-york", "bob", date(2030, 4, 2)),
}
STRANGER = "stranger"
"""Somebody who writes and is nobody's client: what he says is held."""

# --- policies -------------------------------------------------------------------------------------------

_POLICY = """\
policy: desk
language: 1
title: A small firm
owner: compliance@bank.example
defaults: {{ mode: enforce, unmatched: deliver, unpaired: hold, on_error: hold }}
groups:
  advised:  {{ weixin: "tag:advised" }}
  swaps:    {{ weixin: "tag:swaps" }}
  new-york: {{ weixin: "tag:new-york" }}
  copied:   {{ weixin: "tag:copied" }}
lists:
  inside:  {{ words: [内幕], owner: compliance@bank.example, languages: [zh-Hans] }}
  promise: {{ words: [保本], owner: compliance@bank.example, languages: [zh-Hans] }}
detectors:
  inside:  {{ type: words, list: inside }}
  promise: {{ type: words, list: promise }}
rules:
  - id: inside
    title: Inside information waits for a reviewer
    because: Market Abuse Regulation, article 10
    severity: high
    when: {{ direction: both, finds: inside }}
    then: {{ hold: {{ queue: desk, decide_within: 30m, if_late: escalate }} }}
    tests:
      - {{ given: 内幕, expect: hold }}
  - id: promise
    title: Nobody promises capital
    because: Supervision manual 3
    severity: high
    when: {{ direction: both, finds: promise }}
    then: {{ block: true }}
    tests:
      - {{ given: 保本, expect: block }}
retention:
  - {{ id: everything, keep: 200d }}
{retention}
  - {{ id: advice, preset: eu-mifid2-16-7, for: advised, worm: true }}
  - {{ id: swaps, keep: 18m, start: deal-termination, for: swaps }}
  - {{ id: new-york, preset: us-nydfs-symphony-2015, for: new-york }}
archive:
  - {{ id: drop, to: "{drop}", format: jsonl, for: copied }}
  - {{ id: vault, to: "s3://vault/chat", object_lock: governance, region: eu-west-1, for: swaps }}
"""
_FIRST = """\
  - { id: talk, keep: 1y, direction: to_weixin }
  - { id: orders, preset: hk-sfc-im-order, direction: to_symphony }"""
_THEN = """\
  - { id: talk, keep: 3y, direction: to_weixin }
  - { id: orders, keep: 9m, direction: to_symphony }"""
_ENQUIRY = """\
legal_holds:
  - { id: enquiry, people: [wmSunYue], since: 2026-01-01, approved_by: legal@bank.example, because: a letter }
"""

LENGTHENED, FREED = date(2028, 6, 1), date(2031, 6, 2)


def editions(drop: str) -> Mapping[date, str]:
    """The policy as it stands from each of these days on: at first; what advisors say for longer and what
    clients say for shorter, with a hold on 孙悦; the same without that hold. `drop`: where copies go."""
    first, then = (_POLICY.format(retention=one, drop=drop) for one in (_FIRST, _THEN))
    return {date.min: first, LENGTHENED: then + _ENQUIRY, FREED: then}


COPIED = ("chen",)
"""Whose records the folder outside has to have; the vault has to have 韩梅梅's."""

REGULATIONS = {"eu-mifid2-16-7": "5y", "hk-sfc-im-order": "2y", "us-nydfs-symphony-2015": "7y"}
"""MiFID II article 16(7); the SFC's circular of 2018 on orders by message; NYDFS, the agreements of 2015."""

# --- the diary ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """Something that somebody writes. `name`: what later lines call it; `edits`, `recalls`, `answers`: the
    newest line of that name in the chat; `swift`: before anybody has judged what it takes back."""

    chat: str
    by_client: bool
    text: str
    name: str = ""
    file: str = ""
    edits: str = ""
    recalls: str = ""
    answers: str = ""
    swift: bool = False


def asks(chat: str, text: str, name: str = "", **more: object) -> Line:
    """A client writes."""
    return Line(chat, True, text, name, **more)  # type: ignore[arg-type]


def says(chat: str, text: str, name: str = "", **more: object) -> Line:
    """The client's advisor writes."""
    return Line(chat, False, text, name, **more)  # type: ignore[arg-type]


SCENES: Sequence[Sequence[Line]] = (
    (
        asks("li", "请买入腾讯两百股", "order"),
        says("li", "Bought 200 at 410", answers="order"),
        asks("li", "收到"),
    ),
    (
        asks("wang", "基金净值多少?"),
        says("wang", "NAV is 1.23", "figure"),
        says("wang", "NAV is 1.32", edits="figure"),
        asks("wang", "谢谢"),
    ),
    (
        asks("han", "掉期条款见附件", file="条款.pdf"),
        says("han", "The swap is agreed", "deal", file="agreed.pdf"),
        asks("han", "确认"),
    ),
    (
        asks("chen", "请转三十万", "transfer"),
        asks("chen", "", recalls="transfer"),
        says("chen", "Nothing was transferred"),
    ),
    (
        asks("zhao", "季报什么时候出?"),
        says("zhao", "The report is on its way"),
        says("zhao", "Read page 3 first"),
    ),
    (
        says("sun", "我有内幕", "hint"),
        says("sun", "这个产品保本"),
        says("sun", "oops", "slip"),
        says("sun", "", recalls="slip", swift=True),
        asks("sun", "看图", file="照片.pdf"),
    ),
    (
        says("wang", "我也有内幕", "hint"),
        asks("wang", "报表在这里"),
        asks("li", "利率会变吗?"),
        says("li", "We expect 3%", "rate"),
    ),
)  # fmt: skip
"""What is usual. Each writing day has one of these, in turn."""

DAYS = (
    (1, 14), (1, 15), (2, 9), (2, 28), (3, 10), (3, 31), (4, 24), (5, 31), (6, 24), (7, 24), (8, 31), (9, 24),
    (10, 31), (11, 24), (12, 31),
)  # fmt: skip
"""The days of a year on which people write: ends of months, and both sides of the day of disposal."""

ONCE: Mapping[date, Sequence[Line]] = {
    date(2026, 1, 14): (
        says("chen", "The fee is 1%", "fee"),
        says("li", "The code is 7", "code"),
    ),
    date(2026, 11, 24): (says("wang", "内幕 again", "slow"),),
    date(2026, 12, 31): (asks("wang", "寄不到", "stuck"), asks(STRANGER, "在吗?", "stranger")),
    date(2027, 1, 14): (says("chen", "The fee is 2%", edits="fee"),),
    date(2028, 1, 14): (says("chen", "A happy new year"),),
    date(2028, 2, 29): (
        says("wang", "Today of all days", "leap"),
        says("wang", "Nobody holds this", "free"),
        asks("wang", "闰日"),
        says("li", "A day in four years"),
        asks("chen", "闰日快乐", file="礼券.pdf"),
    ),
}
"""What happens once: an edit a year later; what nobody decides for long; what does not arrive; a stranger."""


def lines_of(day: date) -> Sequence[Line]:
    """What is written on a day, by those who are clients on it."""
    found = list(ONCE.get(day, ()))
    if (day.month, day.day) in DAYS:
        turn = 3 + len(DAYS) * (day.year - 2026) + DAYS.index((day.month, day.day))
        found += SCENES[turn % len(SCENES)]
    return [one for one in found if one.chat == STRANGER or CLIENTS[one.chat].left > day]


def writing_days(begin: date, end: date) -> Iterator[date]:
    """Every day of the diary, from `begin` to `end`."""
    there = {date(year, *day) for year in range(begin.year, end.year + 1) for day in DAYS}
    yield from sorted(one for one in there | ONCE.keys() if begin <= one <= end)


# --- the clerk ------------------------------------------------------------------------------------------


@functools.cache
def over(begin: date, keep: str) -> date:
    """The first day on which a record may go whose period began on `begin`: the anniversary is the last day
    that it is kept; where that month lacks the day, the first of the next month is."""
    count, unit = int(keep[:-1]), keep[-1]
    if unit == "d":
        return begin + timedelta(days=count + 1)
    year, month = divmod(begin.year * 12 + begin.month - 1 + count * (12 if unit == "y" else 1), 12)
    if begin.day > calendar.monthrange(year, month + 1)[1]:
        return date(year, month + 1, calendar.monthrange(year, month + 1)[1]) + timedelta(days=2)
    return date(year, month + 1, begin.day) + timedelta(days=1)


class Class(NamedTuple):
    """A class of retention that a record has."""

    name: str
    keep: str
    start: str


@dataclass
class Record:
    """What the clerk wrote down of one message: by our `count`, as the store has it (`number`), and what has
    happened to it since. `joined`: what edits it or takes it back, and what it is itself about."""

    count: int
    number: int
    line: Line
    text: str
    born: date
    classes: Sequence[Class]
    data: bytes = b""
    happened: dict[str, date] = field(default_factory=dict)
    extended: date = date.min
    joined: list[Record] = field(default_factory=list)
    open: set[str] = field(default_factory=set)
    gone: bool = False

    @property
    def until(self) -> date | None:
        """The first day on which its own term lets it go; None while an event has to happen."""
        ends = [self._end(one) for one in self.classes]
        return None if None in ends else max(self.extended, *(one for one in ends if one))

    def _end(self, one: Class) -> date | None:
        begin = self.born if one.start == "creation" else self.happened.get(one.start)
        return over(max(begin, self.born), one.keep) if begin else None

    @property
    def governing(self) -> str:
        """The class that ends last; one that waits for its event ends last of all."""
        return max(self.classes, key=lambda one: self._end(one) or date.max).name

    def chain(self) -> list[Record]:
        """All that shares its fate."""
        found, look = [self], [self]
        while look:
            for one in look.pop().joined:
                if not any(one is other for other in found):
                    found.append(one)
                    look.append(one)
        return found


@dataclass
class Clerk:
    """Keeps the books beside the product: all records, and the holds that stand, by name: whom (a client) or
    what (a record's `count`) they cover."""

    policies: Mapping[date, str]
    records: list[Record] = field(default_factory=list)
    holds: dict[str, str | int] = field(default_factory=dict)
    _read: dict[str, Sequence[Mapping[str, str]]] = field(default_factory=dict)

    def classes(self, line: Line, day: date) -> list[Class]:
        """The classes of what is written on a day, by the policy as it stands there."""
        text = self.policies[max(one for one in self.policies if one <= day)]
        if text not in self._read:
            self._read[text] = YAML(typ="safe").load(text)["retention"]
        tag = "" if line.chat == STRANGER else CLIENTS[line.chat].tag
        way = "to_symphony" if line.by_client else "to_weixin"
        return [
            Class(f"desk/{one['id']}", keep, one.get("start", "creation"))
            for one in self._read[text]
            for keep in [one.get("keep") or REGULATIONS[one.get("preset")]]
            if one.get("for") in (None, tag) and one.get("direction", way) == way
        ]

    def there(self) -> list[Record]:
        """What has not gone."""
        return [one for one in self.records if not one.gone]

    def of(self, *chats: str) -> list[Record]:
        """What is there of these clients' chats."""
        return [one for one in self.there() if one.line.chat in chats]

    def kept(self, one: Record, day: date) -> set[str]:
        """Every reason why a record may not go on a day, as the product words them."""
        return {why for other in one.chain() for why in self._kept(other, day)}

    def _kept(self, one: Record, day: date) -> Iterator[str]:
        if one.until is None:
            yield "retention: deal-termination has not happened"
        elif one.until > day:
            yield f"retention until {one.until}"
        yield from one.open
        for name, covers in self.holds.items():
            if covers in (one.line.chat, one.count):
                yield f"hold {name}"

    def due(self, day: date) -> list[Record]:
        """What may go on a day."""
        return [one for one in self.there() if not self.kept(one, day)]
