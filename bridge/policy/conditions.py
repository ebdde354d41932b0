"""`when` and `unless`, ready to be asked: whether every key holds, and what was found.

Rules of this file: one function for each key; a key that is not written costs nothing. Keys that cost little
are asked first, what must be read again (`count` over earlier messages) last. Nothing here knows of outcomes.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from bridge.message import Inspection, Kind
from bridge.policy import detectors as d
from bridge.policy import language as lang
from bridge.policy.calendars import working_time
from bridge.policy.facts import Facts
from bridge.policy.folding import Span
from bridge.policy.members import Roster, fits

DIRECTIONS = ("to_weixin", "to_symphony")
_NAMED = {word: (word,) for word in DIRECTIONS} | {"both": DIRECTIONS}
_MILLISECOND = datetime.timedelta(milliseconds=1)


def directions(word: str) -> tuple[str, ...]:
    """The directions that "to_weixin", "to_symphony" or "both" means."""
    return _NAMED[word]


Check = Callable[[Facts], bool]
#: Where detectors look; called only when one has to.
Look = Callable[[], d.Scan]
#: What was found, by the name of the detector.
Hits = dict[str, list[d.Hit]]


@dataclass(frozen=True, slots=True)
class Names:
    """What the names in one file mean: its detectors, its groups (numbers of a roster) and its clock."""

    finders: Mapping[str, d.Finder]
    groups: Mapping[str, int]
    roster: Roster
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Condition:
    """All of it must hold: every check, one of `finders` (if there are any), one of `ways` (if any).

    `directions` and `kinds` are checked by whoever chose the condition (`bridge.policy.shelves`); None means
    all. `sender`, `recipient` and `groups` are checks, too; here they say who can make it hold at all.
    `within` is in milliseconds.
    """

    directions: tuple[str, ...]
    kinds: tuple[str, ...] | None
    checks: tuple[Check, ...]
    finders: frozenset[d.Finder] | None
    names: Mapping[d.Finder, str]
    floor: int
    at_least: int = 0
    within: int = 0
    ways: tuple[Condition, ...] = ()
    sender: int | None = None
    recipient: int | None = None
    groups: frozenset[int] | None = None


# --- made from what is written --------------------------------------------------------------------------


def condition(model: lang.OneOf, names: Names, *, alone: bool = False) -> Condition:
    """The condition that `model` writes; with checks of its direction and kind, if it stands `alone`."""
    finders = {names.finders[name]: name for name in model.finds or ()}
    within = model.count and model.count.within
    ways = model.any if isinstance(model, lang.Unless) else None
    return Condition(
        directions=directions(model.direction or "both"),
        kinds=model.kind,
        checks=(*(_place_and_kind(model) if alone else ()), *_checks(model, names)),
        finders=None if model.finds is None else frozenset(finders),
        names=finders,
        floor=d.CONFIDENCE[model.confidence],
        at_least=model.count.at_least if model.count else 0,
        within=within // _MILLISECOND if within else 0,
        ways=tuple(condition(way, names, alone=True) for way in ways or ()),
        sender=None if model.sender is None else names.roster.number(model.sender),
        recipient=None if model.recipient is None else names.roster.number(model.recipient),
        groups=None if model.groups is None else frozenset(names.groups[name] for name in model.groups),
    )


def _place_and_kind(model: lang.OneOf) -> Iterator[Check]:
    if model.direction is not None:
        yield _direction(directions(model.direction))
    if model.kind is not None:
        yield _kind(model.kind)


def _direction(words: Sequence[str]) -> Check:
    return lambda facts: facts.direction in words


def _checks(model: lang.OneOf, names: Names) -> Iterator[Check]:
    if model.sender is not None:
        yield _sender(names.roster.number(model.sender))
    if model.recipient is not None:
        yield _recipient(names.roster.number(model.recipient))
    if model.groups is not None:
        yield _groups(frozenset(names.groups[name] for name in model.groups))
    if model.edited is not None:
        yield lambda facts: bool(facts.message.replaces) is model.edited
    if model.recalled is not None:
        yield lambda facts: (facts.message.kind is Kind.RECALL) is model.recalled
    if model.conversation is not None:
        yield _conversation(frozenset(model.conversation))
    if model.files is not None:
        yield _files(model.files)
    if model.outside is not None:
        yield _outside(model.outside, names.zone)


def _kind(words: Sequence[str]) -> Check:
    return lambda facts: facts.message.kind in words


def _conversation(chats: frozenset[str]) -> Check:
    return lambda facts: not chats.isdisjoint(facts.conversations)


def _sender(number: int) -> Check:
    return lambda facts: number in facts.sender


def _recipient(number: int) -> Check:
    return lambda facts: number in facts.recipient


def _groups(numbers: frozenset[int]) -> Check:
    return lambda facts: not numbers.isdisjoint(facts.people)


def _outside(model: lang.Outside, zone: ZoneInfo) -> Check:
    time = working_time(model)
    return lambda facts: not time.covers(facts.local(zone))


def _files(model: lang.FileTest) -> Check:
    globs = [name.casefold().split("*") for name in model.name or ()]

    def is_one(file: Inspection) -> bool:
        if model.types is not None and file.type not in model.types:
            return False
        if model.larger_than is not None and file.size <= model.larger_than:
            return False
        return model.name is None or _is_called(file.name.casefold(), globs)

    return lambda facts: any(is_one(file) for file in _attachments(facts))


def _is_called(name: str, globs: Iterable[Sequence[str]]) -> bool:
    return any(fits(pieces, name) if len(pieces) > 1 else name == pieces[0] for pieces in globs)


def _attachments(facts: Facts) -> Iterator[Inspection]:
    """The files as they were inspected; of one that was not, what the network says."""
    yield from facts.context.inspections
    inspected = {file.name for file in facts.context.inspections}
    for file in facts.message.files:
        if file.name not in inspected:
            yield Inspection(file.name, "unknown", file.size)


# --- asked ----------------------------------------------------------------------------------------------


def holds(condition: Condition, facts: Facts, look: Look) -> Hits | None:
    """What was found, by detector, if all of `condition` holds; else None."""
    for check in condition.checks:
        if not check(facts):
            return None
    hits = {} if condition.finders is None else _finds(condition, look())
    if hits is not None and condition.ways:
        hits = _one_way(condition.ways, facts, look, hits)
    if hits is None or (condition.at_least and not _often(condition, facts, look, hits)):
        return None
    return hits


def _finds(condition: Condition, scan: d.Scan) -> Hits | None:
    """What the detectors of `condition` find, by name; None if they find nothing."""
    if condition.finders is None:
        return {}
    found: Hits = {}
    for finder in condition.finders & scan.candidates():
        hits = [hit for hit in scan.hits(finder) if hit.confidence >= condition.floor]
        if hits:
            found[condition.names[finder]] = hits
    return found or None


def _one_way(ways: Iterable[Condition], facts: Facts, look: Look, hits: Hits) -> Hits | None:
    """`hits` and those of all ways that hold; None if none does."""
    held = [more for way in ways if (more := holds(way, facts, look)) is not None]
    if not held:
        return None
    merged = {name: list(some) for name, some in hits.items()}
    for more in held:
        for name, some in more.items():
            merged.setdefault(name, []).extend(some)
    return merged


def _often(condition: Condition, facts: Facts, look: Look, hits: Hits) -> bool:
    """Whether it happened as often as it must: in this message, or in the sender's messages of a time."""
    if not condition.within:
        return _places(hits) >= condition.at_least
    earliest = facts.message.sent_at - condition.within
    missing = condition.at_least - 1
    for number, earlier in enumerate(reversed(facts.context.earlier)):
        if earlier.at > earliest and _occurs(condition, look().earlier(number)):
            missing -= 1
            if not missing:
                return True
    return False


def _places(hits: Hits) -> int:
    """How many places were found: the most hits of which no two share a character."""
    count, done = 0, -1
    for end, start in sorted((hit.end, hit.start) for some in hits.values() for hit in some):
        if start >= done:
            count, done = count + 1, end
    return count


def _occurs(condition: Condition, scan: d.Scan) -> bool:
    """Whether the text of an earlier message has what `condition` looks for."""
    if _finds(condition, scan) is None:
        return False
    return not condition.ways or any(_occurs(way, scan) for way in condition.ways)


def placed(hits: Hits, facts: Facts) -> tuple[list[Span], list[Span]]:
    """The hits inside and outside the message's own text, as spans of the folded text."""
    inside: list[Span] = []
    outside: list[Span] = []
    body = len(facts.body.folded)
    for hit in (hit for some in hits.values() for hit in some):
        if hit.start < body:
            inside.append((hit.start, min(hit.end, body)))
        if hit.end > body + 1:
            outside.append((hit.start, hit.end))
    return inside, outside
