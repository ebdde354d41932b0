"""A rule as its readers would say it: every part of a policy in plain sentences, in three languages.

Rules of this file: the models are walked, and every key that is written says its clause (the tables are in
`catalogue`), so no key can be left out. Nothing is interpreted here: what a rule does is the judge's matter.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from bridge.policy import language as lang
from bridge.policy.catalogue.clauses_en import CLAUSES_EN
from bridge.policy.catalogue.clauses_zh_hans import CLAUSES_ZH_HANS
from bridge.policy.catalogue.clauses_zh_hant import CLAUSES_ZH_HANT

CLAUSES: Mapping[str, Mapping[str, str]] = {
    "en": CLAUSES_EN,
    "zh-Hans": CLAUSES_ZH_HANS,
    "zh-Hant": CLAUSES_ZH_HANT,
}
_IN_HEADING = frozenset({"id", "policy", "title"})
_UNSAID = {  # said only where somebody wrote them
    ("OneOf", "confidence"), ("Then", "show_match"), ("Context", "messages"), ("Keep", "worm"),
    ("Redact", "keep_last"), ("Rollout", "by"), ("Rule", "mode"), ("PatternDetector", "boundary"),
    ("PolicyFile", "defaults"),
}  # fmt: skip
_LATE = {"because": 1, "severity": 2, "mode": 3, "rollout": 4, "review_by": 5, "tests": 6}
_PERIODS = {"d": "days", "m": "months", "y": "years"}
_SIZES = (("GB", 30), ("MB", 20), ("KB", 10))
_ANY_OF = (lang.OneOf, lang.FileTest, lang.Barrier)  # of their lists one entry is enough


def named(file: lang.PolicyFile) -> list[str]:
    """Everything in `file` that can be asked for by name: ids, names and sections that are written."""
    sections = [key for key in type(file).model_fields if key in file.model_fields_set - _SIMPLE]
    return list(dict.fromkeys([*(name for name, _, _ in _things(file)), *sections]))


_SIMPLE = frozenset({"policy", "language", "title", "owner", "timezone"})


def explain(file: lang.PolicyFile, name: str, language: str = "en") -> list[str]:
    """What is called `name` in `file`, as a heading and sentences; [] if nothing is.

    A rule brings along the detectors it uses and the exceptions to it. A section brings all its entries.
    """
    speaker = _Speaker(CLAUSES[language], file)
    things = list(_things(file))
    chosen = [(kind, key, thing) for key, kind, thing in things if key == name]
    if chosen:
        brought = [
            name for _, _, thing in chosen if isinstance(thing, lang.Rule) for name in _looked_for(thing)
        ]
        chosen = [one for one in chosen if one[0] != "detector" or one[1] not in brought]
        return _joined([speaker.thing(kind, key, thing) for kind, key, thing in chosen])
    if name in type(file).model_fields and name in file.model_fields_set - _SIMPLE:
        return speaker.section(name, things)
    return []


def unwritten(file: lang.PolicyFile, name: str, language: str = "en") -> list[str]:
    """What holds in `file` where the section `name` is not written; [] if there is no such section."""
    if name not in type(file).model_fields or name in file.model_fields_set | _SIMPLE:
        return []
    return _Speaker(CLAUSES[language], file).missing(name)


def clause(file: lang.PolicyFile, section: lang.Section, key: str, language: str = "en") -> str:
    """What one key of a section says: "the message goes to Weixin". Raises KeyError for another key."""
    info = type(section).model_fields[key]
    speaker = _Speaker(CLAUSES[language], file)
    return speaker.clause(_owner(type(section), key), info.alias or key, info, getattr(section, key), section)


def _joined(blocks: Sequence[Sequence[str]]) -> list[str]:
    """The lines of all blocks, an empty one between two."""
    return [line for number, block in enumerate(blocks) for line in (["", *block] if number else block)]


_NAMED_SECTIONS = {"groups": "group", "lists": "list", "detectors": "detector"}
_LISTED_SECTIONS = {
    "rules": "rule", "barriers": "barrier", "disclaimers": "disclaimer", "retention": "keep",
    "archive": "archive", "legal_holds": "legal_hold", "exceptions": "exception",
}  # fmt: skip


def _things(file: lang.PolicyFile) -> Iterator[tuple[str, str, lang.Section]]:
    """Every part that has a name: name, kind, model."""
    yield file.policy, "policy", file
    for section, kind in _LISTED_SECTIONS.items():
        for number, thing in enumerate(getattr(file, section), start=1):
            yield thing.id or f"{section}-{number}", kind, thing
    for section, kind in _NAMED_SECTIONS.items():
        for name, thing in getattr(file, section).items():
            yield name, kind, thing


class _Speaker:
    """Says sections in one language."""

    def __init__(self, clauses: Mapping[str, str], file: lang.PolicyFile) -> None:
        self.clauses = clauses
        self.file = file

    # blocks

    def thing(self, kind: str, name: str, thing: lang.Section) -> list[str]:
        """A heading, a sentence for each key, and what belongs to it."""
        title = getattr(thing, "title", "")
        lines = [self.clauses[f"heading.{kind}"].format(id=name, title=title)]
        lines += [f"  {self._sentence(clause)}" for clause in self._said(thing)]
        if isinstance(thing, lang.Rule):
            lines += self._beside(thing)
        return lines

    def section(self, name: str, things: Sequence[tuple[str, str, lang.Section]]) -> list[str]:
        """A whole section of the file: its entries one by one, or its keys."""
        kind = _LISTED_SECTIONS.get(name) or _NAMED_SECTIONS.get(name)
        if kind is not None:
            return _joined([self.thing(k, key, thing) for key, k, thing in things if k == kind])
        value = getattr(self.file, name)
        heading = self.clauses["heading.section"].format(id=name)
        clauses = self._clauses(value) if isinstance(value, lang.Section) else self._entries(value, True)
        return [heading, *(f"  {self._sentence(clause)}" for clause in clauses)]

    def missing(self, name: str) -> list[str]:
        """A section that is not written: nothing of it applies, but defaults hold unwritten too."""
        lines = (
            self.section(name, ())
            if name == "defaults"
            else [self.clauses["heading.section"].format(id=name)]
        )
        return [*lines, f"  {self.clauses['section.unwritten'].format(policy=self.file.policy)}"]

    def _beside(self, rule: lang.Rule) -> list[str]:
        """The detectors that a rule uses, and the exceptions to it."""
        blocks = [
            self.thing("detector", name, self.file.detectors[name])
            for name in _looked_for(rule)
            if name in self.file.detectors
        ]
        blocks += [self.thing("exception", e.id, e) for e in self.file.exceptions if e.rule == rule.id]
        return [f"  {line}" for block in blocks for line in block]

    def _sentence(self, clause: str) -> str:
        # Only English sentences begin with a capital; in Chinese ones it would fall on somebody's name.
        begin = clause[:1].upper() if self.clauses["begin"] == "capital" else clause[:1]
        return begin + clause[1:] + self.clauses["stop"]

    def _said(self, thing: lang.Section) -> list[str]:
        said = self._clauses(thing)
        if isinstance(thing, lang.Barrier) and thing.from_:
            said[:2] = [self.clauses["join.way"].join(said[:2])]
        if isinstance(thing, lang.Rule) and thing.mode is None:
            mode = self._word("Rule", "mode", self.file.defaults.mode, literal=True)
            of_file = self.clauses["mode.of_file"]
            said.append(self.clauses["Rule.mode"].format(value=f"{mode}{of_file}"))
        return said

    # clauses

    def _clauses(self, section: lang.Section) -> list[str]:
        """The clauses of a section, in the order of its keys."""
        said = []
        for name, info in _ordered(type(section)):
            value = getattr(section, name)
            owner = _owner(type(section), name)
            unwritten = value is None or value in ((), {}) or name in _IN_HEADING
            unsaid = (owner, name) in _UNSAID and name not in section.model_fields_set
            if not unwritten and not unsaid:
                key = info.alias or name
                several = value if key == "tests" else [value]
                said += [self.clause(owner, key, info, one, section) for one in several]
        return said

    def clause(self, owner: str, key: str, info: FieldInfo, value: Any, section: lang.Section) -> str:
        """What one key says."""
        if isinstance(value, bool):
            return self.clauses[f"{owner}.{key}.{'yes' if value else 'no'}"]
        said = self._value(owner, key, info, value, section)
        return self.clauses[f"{owner}.{key}"].format(value=said)

    def _value(self, owner: str, key: str, info: FieldInfo, value: Any, section: lang.Section) -> str:
        literal = _has_words(info.annotation) or (owner, key) == ("PolicyFile", "kinds")
        if isinstance(value, lang.Section):
            return self._together(value)
        if isinstance(value, dict):
            return self.clauses["join.entry"].join(self._entries(value, literal))
        if isinstance(value, tuple):
            if value and isinstance(value[0], lang.Section):
                return self.clauses["join.entry"].join(self._together(one) for one in value)
            return self.clauses[_joiner(section, key)].join(
                self._word(owner, key, one, literal) for one in value
            )
        return self._word(owner, key, value, literal)

    def _together(self, section: lang.Section) -> str:
        """The clauses of a section inside another one; an entry with a name says its name alone."""
        name = getattr(section, "id", None)
        if name is not None:
            return str(name)
        joiner = "join.and" if isinstance(section, lang.OneOf) else "join.clause"
        return self.clauses[joiner].join(self._clauses(section))

    def _entries(self, mapping: Mapping[str, Any], literal: bool) -> list[str]:
        """Names with what stands behind them; names alone where that is a section of its own."""
        said = []
        for name, value in mapping.items():
            if isinstance(value, lang.Section):
                said.append(name)
            else:
                values = value if isinstance(value, tuple) else (value,)
                words = self.clauses["join.list"].join(self._word("", "", v, literal) for v in values)
                shown = self._word("", "", name, literal)
                said.append(self.clauses["entry"].format(name=shown, value=words))
        return said

    # values

    def _word(self, owner: str, key: str, value: Any, literal: bool) -> str:
        """One value as it is said: words of the language translated, everything else as it is written."""
        if isinstance(value, datetime.timedelta):
            return self._length(value)
        if isinstance(value, datetime.datetime):
            return value.strftime("%Y-%m-%d %H:%M")
        if isinstance(value, float):
            return self.clauses["percent"].format(count=f"{value:g}")
        if isinstance(value, int) and key in ("larger_than", "max_size"):
            return _size(value)
        said = self.clauses.get(f"{owner}.{key}={value}")
        if said is None and literal:
            said = self.clauses.get(f"={value}")
        if said is None and key in ("keep", "first", "renew_every"):
            return self._period(value)
        return said or str(value)

    def _length(self, value: datetime.timedelta) -> str:
        minutes = int(value.total_seconds()) // 60
        for unit, size in (("days", 1440), ("hours", 60)):
            if minutes % size == 0:
                return self._count(minutes // size, unit)
        return self._count(minutes, "minutes")

    def _period(self, written: str) -> str:
        parts = re.fullmatch(r"([0-9]+)([dmy])", written)
        return self._count(int(parts[1]), _PERIODS[parts[2]]) if parts else written

    def _count(self, count: int, unit: str) -> str:
        key = f"unit.{unit}.1" if count == 1 else f"unit.{unit}"
        return self.clauses[key].format(count=count)


def _ordered(section: type[lang.Section]) -> list[tuple[str, FieldInfo]]:
    """The keys of a model, those of a rule as they are told: what it does before what it is."""
    fields = list(section.model_fields.items())
    return sorted(fields, key=lambda field: _LATE.get(field[0], 0)) if section is lang.Rule else fields


def _looked_for(rule: lang.Rule) -> list[str]:
    """The detectors that a rule uses, each once."""
    conditions = [c for c in (rule.when, rule.unless) if c is not None]
    ways = [way for condition in conditions for way in (condition, *(condition.any or ()))]
    return list(dict.fromkeys(name for way in ways for name in way.finds or ()))


def _size(size: int) -> str:
    """A number of bytes in the unit in which it was written."""
    for unit, shift in _SIZES:
        if size % (1 << shift) == 0:
            return f"{size >> shift} {unit}"
    return f"{size} B"


@functools.cache
def _owner(section: type[lang.Section], name: str) -> str:
    """The name of the model in which a key is defined."""
    owners = [c for c in section.__mro__ if issubclass(c, lang.Section) and name in c.model_fields]
    return owners[-1].__name__ if section is not lang.When else _owner(lang.Unless, name)


def _joiner(section: lang.Section, key: str) -> str:
    """How the entries of a list stand beside each other."""
    if key in ("between", "given"):
        return f"join.{key}"
    return "join.or" if isinstance(section, _ANY_OF) else "join.list"


def _has_words(annotation: Any) -> bool:
    """Whether a value is one of the words of the language."""
    if get_origin(annotation) is Literal:
        return any(isinstance(word, str) for word in get_args(annotation))
    return any(_has_words(inner) for inner in get_args(annotation))
