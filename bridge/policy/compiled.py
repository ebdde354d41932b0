"""Rules and detectors made ready to run: what `judge` works with.

Rules of this file: built once per load from checked models, never changed afterwards. Names are scoped to
their file: two files may both have a detector `card`, and each rule sees its own.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.message import Outcome, Party
from bridge.policy import cards, contacts, credentials, identity, registers, wallets
from bridge.policy import detectors as d
from bridge.policy import language as lang
from bridge.policy.edition import edition
from bridge.policy.folding import fold
from bridge.policy.lexicon import Lexicon, Words
from bridge.policy.patterns import PatternSet

if TYPE_CHECKING:
    from bridge.policy.diagnostics import Diagnostic
    from bridge.policy.loader import Source

USUALLY_WITHIN = 20  # characters between a finding and a word that usually stands beside it
_SHAPES: Mapping[str, d.Shape] = {
    "china_resident_id": identity.CHINA_RESIDENT_ID,
    "hkid": identity.HKID,
    "taiwan_id": identity.TAIWAN_ID,
    "macau_bir": identity.MACAU_BIR,
    "home_return_permit": identity.HOME_RETURN_PERMIT,
    "taiwan_permit": identity.TAIWAN_PERMIT,
    "iban": registers.IBAN,
    "bic": registers.BIC,
    "lei": registers.LEI,
    "isin": registers.ISIN,
    "uscc": registers.USCC,
    "email": contacts.EMAIL,
    "url": contacts.URL,
    "secret": credentials.SECRET,
}
_STRICTEST_FIRST = ("block", "hold", "redact", "deliver")
_DIRECTIONS = {"both": frozenset({"to_weixin", "to_symphony"})}


class People:
    """Who is meant by addresses, addresses with `*`, Weixin ids and `tag:…`."""

    def __init__(self, members: Iterable[str]) -> None:
        known = [member.casefold() for member in members]
        self._tags = frozenset(m.removeprefix("tag:") for m in known if m.startswith("tag:"))
        self._exact = frozenset(m for m in known if "*" not in m and not m.startswith("tag:"))
        self._globs = [m.split("*") for m in known if "*" in m and not m.startswith("tag:")]

    def has(self, party: Party) -> bool:
        """Whether `party` is one of them."""
        names = [name.casefold() for name in (party.address, party.id) if name]
        if any(name in self._exact for name in names):
            return True
        if self._tags and any(tag.casefold() in self._tags for tag in party.tags):
            return True
        return any(_fits(pieces, name) for pieces in self._globs for name in names)


def _fits(pieces: Sequence[str], name: str) -> bool:
    """Whether `name` is `pieces` with anything between them. Greedy from the left: linear, never stuck."""
    first, *middle, last = pieces
    if len(name) < len(first) + len(last) or not (name.startswith(first) and name.endswith(last)):
        return False
    at, stop = len(first), len(name) - len(last)
    for piece in middle:
        found = name.find(piece, at, stop)
        if found < 0:
            return False
        at = found + len(piece)
    return True


@dataclass(frozen=True, slots=True)
class Condition:
    """`when` or `unless`, ready: None means that the key was not written."""

    directions: frozenset[str] | None
    kinds: frozenset[str] | None
    sender: People | None
    groups: tuple[People, ...] | None
    finders: frozenset[d.Finder] | None
    names: Mapping[d.Finder, str]
    floor: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, ready. `decides` is False for a rule that only tags or tells."""

    policy: str
    id: str
    title: str
    outcome: Outcome
    enforced: bool
    decides: bool
    when: Condition
    unless: Condition | None
    redact: lang.Redact | None
    tags: tuple[str, ...]
    tell: Mapping[str, str]
    show_match: bool
    queue: str
    waits: bool


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
    """One file, ready."""

    draft: Draft
    rules: tuple[Rule, ...]

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
    and all that are not older than so many milliseconds; (0, 0) when nothing of it is.
    """

    policies: tuple[Policy, ...]
    hashes: tuple[tuple[str, str], ...]
    engine: d.Engine = field(repr=False)
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


class _Collector:
    """Gives every word list and pattern of all files its number, and remembers who asks for it."""

    def __init__(self) -> None:
        self._lists: list[Words] = []
        self._shelters: dict[tuple[int, str], int] = {}
        self._patterns: list[str] = []
        self._by_owner: dict[int, set[d.Finder]] = {}
        self._by_pattern: dict[int, set[d.Finder]] = {}
        self._ticker = self.owner(d.TICKER_WORDS)

    def owner(self, words: Iterable[str], disguised: Iterable[str] = ()) -> int:
        """A new owner of `words`."""
        self._lists.append(Words(words, frozenset(disguised)))
        return len(self._lists) - 1

    def word_list(self, model: lang.WordList, words: Iterable[str]) -> int:
        """A new owner of the words of a list; what makes one of them innocent has an owner of its own."""
        owner = self.owner(words, model.evasion)
        for word, longer in model.unless_words.items():
            self._shelters[owner, fold(word).strip()] = self.owner(longer, model.evasion)
        return owner

    def engine(self) -> d.Engine:
        """All of it, ready to search."""
        return d.Engine(
            lexicon=Lexicon(dict(enumerate(self._lists))),
            patterns=PatternSet(self._patterns),
            by_owner={owner: frozenset(finders) for owner, finders in self._by_owner.items()},
            by_pattern={number: frozenset(finders) for number, finders in self._by_pattern.items()},
        )

    def finder(self, model: lang.Detector, lists: Mapping[str, int]) -> d.Finder:
        """`model`, ready to run."""
        if isinstance(model, lang.WordsDetector):
            return self._words(model, [lists[name] for name in model.list])
        shape = _shape(model)
        context = self._context(model.context, shape.words)
        finder = d.ShapeFinder(shape, context, _levels(model))
        self._by_pattern[len(self._patterns)] = {finder}
        self._patterns.append(shape.pattern)
        return finder

    def _words(self, model: lang.WordsDetector, owners: Sequence[int]) -> d.Finder:
        shelters = {(owner, word): by for (owner, word), by in self._shelters.items() if owner in owners}
        context = self._context(model.context, ())
        levels = _levels(model) or d.CERTAIN
        finder = d.WordsFinder(tuple(owners), self._ticker, shelters, context, levels)
        for owner in owners:
            self._by_owner.setdefault(owner, set()).add(finder)
        return finder

    def _context(self, written: lang.Context | None, usual: Sequence[str]) -> d.Context:
        """The context that is written, else the words that usually stand beside such a finding."""
        if written is not None:
            return d.Context(self.owner(written.words), written.within)
        return d.Context(self.owner(usual), USUALLY_WITHIN) if usual else d.Context()


def _levels(model: lang.Contextual) -> d.Levels | None:
    """The levels that are written. With context words of its own a detector is unsure without them."""
    sure = model.confidence
    if sure is None:
        return d.FORMAT if model.context else None
    return d.Levels(d.CONFIDENCE[sure.alone], d.CONFIDENCE[sure.with_context])


def _shape(model: lang.Detector) -> d.Shape:
    match model:
        case lang.PatternDetector():
            return d.written_pattern(model.pattern, model.boundary)
        case lang.PaymentCardDetector():
            return cards.payment_card(model.brands or tuple(cards.BRANDS))
        case lang.PassportDetector():
            return identity.passport(model.countries)
        case lang.PhoneDetector():
            return contacts.phone(model.regions)
        case lang.CryptoWalletDetector():
            return wallets.crypto_wallet(model.coins)
    return _SHAPES[model.type]


def _condition(
    model: lang.Unless, finders: Mapping[str, d.Finder], groups: Mapping[str, People]
) -> Condition:
    direction = model.direction
    return Condition(
        directions=None if direction is None else _DIRECTIONS.get(direction, frozenset({direction})),
        kinds=None if model.kind is None else frozenset(model.kind),
        sender=None if model.sender is None else People(model.sender),
        groups=None if model.groups is None else tuple(groups[name] for name in model.groups),
        finders=None if model.finds is None else frozenset(finders[name] for name in model.finds),
        names={finders[name]: name for name in model.finds or ()},
        floor=d.CONFIDENCE[model.confidence],
    )


def _rule(
    file: lang.PolicyFile, rule: lang.Rule, finders: Mapping[str, d.Finder], groups: Mapping[str, People]
) -> Rule:
    then = rule.then
    said = [word for word in _STRICTEST_FIRST if getattr(then, word) is not None]
    return Rule(
        policy=file.policy,
        id=rule.id,
        title=rule.title,
        outcome=Outcome(said[0]) if said else Outcome.DELIVER,
        enforced=(rule.mode or file.defaults.mode) == "enforce",
        decides=bool(said),
        when=_condition(rule.when, finders, groups),
        unless=None if rule.unless is None else _condition(rule.unless, finders, groups),
        redact=then.redact,
        tags=then.tag,
        tell=then.tell_sender.texts() if then.tell_sender else {},
        show_match=then.show_match,
        queue=then.hold.queue if then.hold else "",
        waits=then.hold is not None and then.hold.conversation == "wait",
    )


def _policy(draft: Draft, collector: _Collector) -> Policy:
    file = draft.model
    lists = {name: collector.word_list(file.lists[name], words) for name, words in draft.words.items()}
    finders = {name: collector.finder(model, lists) for name, model in file.detectors.items()}
    groups = {name: People((*group.symphony, *group.weixin)) for name, group in file.groups.items()}
    live = (rule for rule in file.rules if (rule.mode or file.defaults.mode) != "off")
    rules = tuple(_rule(file, rule, finders, groups) for rule in live)
    return Policy(draft, rules)


def build(drafts: Sequence[Draft]) -> PolicySet:
    """Everything ready to judge."""
    collector = _Collector()
    policies = tuple(_policy(draft, collector) for draft in drafts)
    hashes = tuple(sorted((policy.name, policy.draft.hash) for policy in policies))
    return PolicySet(policies, hashes, collector.engine(), _reach(draft.model for draft in drafts))


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
