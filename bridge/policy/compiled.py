"""Policies made ready to run: what `judge` works with.

Rules of this file: built once per load from checked models, never changed afterwards. Each file keeps its own
names; people, words and patterns of all files are numbered together, so that each is looked for once.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bridge.message import Cause, Outcome
from bridge.policy import detectors as d
from bridge.policy import language as lang
from bridge.policy.answers import Answer
from bridge.policy.conditions import Names
from bridge.policy.consent import Disclaimer, Gate, disclaimers, gate
from bridge.policy.edition import edition
from bridge.policy.finders import Collector
from bridge.policy.keeping import Keeping, keeping
from bridge.policy.members import Roster
from bridge.policy.rules import Rule, rules
from bridge.policy.screening import Screen, screen
from bridge.policy.shelves import Shelves

if TYPE_CHECKING:
    from bridge.policy.diagnostics import Diagnostic
    from bridge.policy.loader import Source

# The first and the last day on which something counts.
Days = tuple[datetime.date | None, datetime.date | None]


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked file on its way: its model, the words of its lists, and where it came from.

    `hash` is the SHA-256 of the file and its lists, lower-case hex. `expires` says until when a list that
    can grow old may be used; None when nobody knows how old it is. `dates` has, for a list and a folded word
    of it, the spans of days in which the word counts (both inclusive, None where there is no limit, days of
    the file's `timezone`); a word that is not in there counts always.
    """

    model: lang.PolicyFile
    words: Mapping[str, Sequence[str]] = field(repr=False)
    hash: str
    source: Source = field(repr=False)
    expires: Mapping[str, datetime.datetime | None] = field(default_factory=dict)
    dates: Mapping[str, Mapping[str, Sequence[Days]]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Policy:
    """One file, ready. `people` are the groups that it applies to (None: to every conversation).

    `inside` says whether detectors look at the text inside attachments. `lists` are (policy/list, when its
    file was last written, in milliseconds; 0 if nobody knows) of lists that can grow old. `unmatched` and
    `unpaired` are its answers where no rule settled it, and where the people are no pair.
    """

    draft: Draft
    people: frozenset[int] | None
    rules: tuple[Rule, ...]
    shelves: Shelves = field(repr=False)
    screen: Screen | None
    gate: Gate | None
    disclaimers: tuple[Disclaimer, ...]
    keeping: Keeping | None
    inside: bool
    lists: tuple[tuple[str, int], ...]
    unmatched: Answer
    unpaired: Answer

    def stale(self, now: datetime.datetime) -> list[str]:
        """The lists too old to be relied on, of those that can grow old."""
        expires = self.draft.expires
        return [name for name, until in expires.items() if until is None or until < now]

    @property
    def name(self) -> str:
        """Its `policy:`."""
        return self.draft.model.policy

    @property
    def model(self) -> lang.PolicyFile:
        """What was written."""
        return self.draft.model


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Every file in force. `hashes` are (policy name, SHA-256 of the file and its lists), by name.

    `reach` is how much of what the sender wrote before is needed to judge: so many of his newest messages,
    and all that are not older than so many milliseconds; (0, 0) when nothing of it is. `everywhere` says
    that each of the files is for every conversation.
    """

    policies: tuple[Policy, ...]
    hashes: tuple[tuple[str, str], ...]
    engine: d.Engine = field(repr=False)
    roster: Roster = field(repr=False)
    everywhere: bool
    reach: tuple[int, int] = (0, 0)
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def engine_version(self) -> str:
        """Which program decides."""
        return edition()

    @property
    def sources(self) -> tuple[Source, ...]:
        """The bytes that everything here was made from: enough to make it again."""
        return tuple(policy.draft.source for policy in self.policies)


def build(drafts: Sequence[Draft]) -> PolicySet:
    """Everything ready to judge."""
    collector, roster = Collector(), Roster()
    policies = tuple(_policy(draft, collector, roster) for draft in drafts)
    hashes = tuple(sorted((policy.name, policy.draft.hash) for policy in policies))
    reach = _reach(draft.model for draft in drafts)
    everywhere = all(policy.people is None for policy in policies)
    return PolicySet(policies, hashes, collector.engine(), roster, everywhere, reach)


def _policy(draft: Draft, collector: Collector, roster: Roster) -> Policy:
    file = draft.model
    names = _names(draft, collector, roster)
    ready = rules(file, names, collector.owner)
    groups = file.applies_to.groups if file.applies_to else None
    return Policy(
        draft,
        None if groups is None else frozenset(names.groups[group] for group in groups),
        ready,
        Shelves(ready),
        screen(file),
        gate(file, names),
        disclaimers(file, names),
        keeping(file, names),
        # Text inside is text: who says nothing of attachments has not asked to be blind.
        file.attachments is None or file.attachments.read_text,
        tuple(_changed(draft)),
        _default(file.defaults.unmatched, "no rule matched"),
        _default(file.defaults.unpaired, "the people are not an approved pair"),
    )


def _default(word: str, reason: str) -> Answer:
    return Answer(Outcome(word), Cause.DEFAULT, "" if word == "deliver" else reason)


def _names(draft: Draft, collector: Collector, roster: Roster) -> Names:
    file, zone = draft.model, ZoneInfo(draft.model.timezone)
    lists = {}
    for name, words in draft.words.items():
        days = {word: d.Days(spans, zone) for word, spans in draft.dates.get(name, {}).items()}
        lists[name] = collector.word_list(file.lists[name], words, days)
    finders = {name: collector.finder(model, lists) for name, model in file.detectors.items()}
    groups = {name: roster.number((*group.symphony, *group.weixin)) for name, group in file.groups.items()}
    return Names(finders, groups, roster, zone)


def _changed(draft: Draft) -> Iterator[tuple[str, int]]:
    """When each list that can grow old was last written."""
    for name in sorted(draft.expires):
        moment = draft.source.changed.get(draft.model.lists[name].file or "")
        yield f"{draft.model.policy}/{name}", int(moment.timestamp() * 1000) if moment else 0


def _reach(files: Iterable[lang.PolicyFile]) -> tuple[int, int]:
    """How much of the earlier conversation the live rules of `files` can ask for."""
    messages, ages = 0, datetime.timedelta()
    for file in files:
        contexts = (model.context for model in file.detectors.values())
        messages = max([messages, *(context.messages for context in contexts if context)])
        live = (rule for rule in file.rules if (rule.mode or file.defaults.mode) != "off")
        ages = max([ages, *(within for rule in live for within in _counted(rule))])
    return messages, ages // datetime.timedelta(milliseconds=1)


def _counted(rule: lang.Rule) -> Iterator[datetime.timedelta]:
    """The times within which `rule` counts messages."""
    for section in (rule.when, rule.unless):
        for way in (section, *(section.any or ())) if section else ():
            if way.count and way.count.within:
                yield way.count.within
