"""What is valid and yet suspicious: warnings about a file whose grammar and names are right.

Rules of this file: a warning is said only where what is written suffices to know it; nothing is guessed. What
depends on the day is apart (`overdue`), because a policy that was good yesterday still has to load today.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ahocorasick_rs import AhoCorasick

from bridge.policy import language as lang
from bridge.policy.calendars import published_until
from bridge.policy.diagnostics import Diagnostic, Page, Phrase, Place
from bridge.policy.document import Node, entries, items, scalars
from bridge.policy.folding import fold
from bridge.policy.keeping import is_complete
from bridge.policy.lexicon import stands_alone
from bridge.policy.presets import PRESETS

SOON = datetime.timedelta(days=14)  # an exception that ends in this time is pointed at
_CONFIDENCE = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Written:
    """A file without errors: its page and tree for places, its model for meaning."""

    page: Page
    root: Node = field(repr=False)
    model: lang.PolicyFile = field(repr=False)

    def warn(self, key: str, place: Place, /, **values: object) -> Diagnostic:
        """A diagnostic about `place`."""
        return self.page.report(key, place, **values)


def lint(file: Written) -> Iterator[Diagnostic]:
    """Every warning about `file` that is the same on any day."""
    yield from _unused(file)
    yield from _nobody(file)
    yield from _strangers(file)
    yield from _barriers(file)
    yield from _redundant_words(file)
    yield from _dead_parts(file)
    for index, rule in enumerate(file.model.rules):
        yield from _upkeep(file, index, rule)
        yield from _contradictions(file, index, rule)
        yield from _without_effect(file, index, rule)
        yield from _counted_blindly(file, index, rule)
    yield from _shadowed(file)
    yield from _unheard(file)
    yield from _exceptions(file)
    yield from _records(file)


# --- what is used ---------------------------------------------------------------------------------------


def conditions(rule: lang.Rule) -> list[lang.OneOf]:
    """The conditions of `rule`: `when`, `unless`, and each way of their `any`."""
    sections = [section for section in (rule.when, rule.unless) if section is not None]
    return [*sections, *(way for section in sections for way in section.any or ())]


def found_by(file: lang.PolicyFile, rules: Iterable[lang.Rule]) -> set[str]:
    """The detectors that `rules` and the barriers of `file` look with."""
    asked = [condition.finds for rule in rules for condition in conditions(rule)]
    return {name for names in (*asked, *(wall.finds for wall in file.barriers)) for name in names or ()}


def _groups_used(file: lang.PolicyFile) -> set[str]:
    lists: list[Sequence[str] | None] = [c.groups for rule in file.rules for c in conditions(rule)]
    lists += [rule.rollout.groups for rule in file.rules if rule.rollout]
    lists += [names for wall in file.barriers for names in (wall.between, wall.from_, wall.to)]
    lists += [one.for_ for one in file.disclaimers]
    lists += [one.for_ for one in file.retention]
    lists += [one.for_ for one in file.archive]
    lists += [one.for_ for one in file.exceptions]
    lists += [file.applies_to.groups if file.applies_to else None]
    lists += [file.consent.from_ if file.consent else None]
    return {name for names in lists for name in names or ()}


def _unused(file: Written) -> Iterator[Diagnostic]:
    model = file.model
    lists = {n for d in model.detectors.values() if isinstance(d, lang.WordsDetector) for n in d.list}
    for section, used, kind in (
        ("detectors", found_by(model, model.rules), "detector"),
        ("lists", lists, "list"),
        ("groups", _groups_used(model), "group"),
    ):
        node = file.root.child(section)
        for name in entries(node):
            if node is not None and name not in used:
                yield file.warn(f"P031.{kind}", node.key(name), name=name)


def _nobody(file: Written) -> Iterator[Diagnostic]:
    node = file.root.child("groups")
    for name, group in file.model.groups.items():
        if node is not None and not (group.symphony or group.weixin):
            yield file.warn("P038.group", node.key(name), name=name)


def _strangers(file: Written) -> Iterator[Diagnostic]:
    """Members of groups that can be nobody on their network, as far as their form tells."""
    for name, group in file.model.groups.items():
        for network, members in (("symphony", group.symphony), ("weixin", group.weixin)):
            for index, member in enumerate(members):
                if not _may_be(network, member):
                    place = file.root.at("groups", name, network, index)
                    yield file.warn(f"P038.{network}", place, name=member)


def _may_be(network: str, member: str) -> bool:
    tagged, tag = member.casefold().startswith("tag:"), fold(member)[len("tag:") :].strip()
    if network == "symphony":
        return not tagged and ("@" in member or "*" in member or member.isdigit())
    return bool(tag) if tagged else "@" not in member


def _barriers(file: Written) -> Iterator[Diagnostic]:
    """Barriers with one network on both sides: a conversation is always between two."""
    for index, wall in enumerate(file.model.barriers):
        one, other = (wall.between[:1], wall.between[1:]) if wall.between else (wall.from_, wall.to)
        sides = _networks(file.model, one), _networks(file.model, other)
        if not any(left != right for left in sides[0] for right in sides[1]):
            yield file.warn("P045.barrier", file.root.at("barriers", index, "id"), name=wall.id)


def _networks(model: lang.PolicyFile, groups: Sequence[str] | None) -> set[str]:
    some = [model.groups[name] for name in groups or ()]
    return {network for group in some for network in ("symphony", "weixin") if getattr(group, network)}


# --- words ----------------------------------------------------------------------------------------------


def _redundant_words(file: Written) -> Iterator[Diagnostic]:
    """Words of a written list that another one finds already. A list from a file is somebody else's."""
    for name, words in file.model.lists.items():
        if words.words is not None:
            innocent = {fold(word).strip() for word in words.unless_words}
            for index, inner in _covered(words.words, innocent):
                same = fold(inner).strip() == fold(words.words[index]).strip()
                place = file.root.at("lists", name, "words", index)
                key = "P043.same" if same else "P043"
                yield file.warn(key, place, word=words.words[index], inner=inner)


def _covered(words: Sequence[str], innocent: set[str]) -> Iterator[tuple[int, str]]:
    """(index of a word, the word that finds it as well); a word with innocent uses covers nothing."""
    folded = [fold(word).strip() for word in words]
    first = {word: index for index, word in reversed(list(enumerate(folded)))}
    covering = [word for word in first if word and not word.isdigit() and word not in innocent]
    search = AhoCorasick(covering)
    for index, word in enumerate(folded):
        if first[word] != index:
            yield index, words[first[word]]
            continue
        inside = search.find_matches_as_indexes(word, overlapping=True) if word else []
        for found, start, end in inside:
            if (start, end) != (0, len(word)) and stands_alone(word, start, end):
                yield index, words[first[covering[found]]]
                break


# --- patterns -------------------------------------------------------------------------------------------

# A pattern in pieces: quoted text, an escape, a class, a change of flags, spaces, one character.
_PIECE = re.compile(r"\\Q.*?(?:\\E|$)|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[a-zA-Z-]+[:)]| +|.", re.DOTALL)
_OPTIONAL = ("*", "?", "{0")


def _dead_parts(file: Written) -> Iterator[Diagnostic]:
    """Parts of patterns that no text has when it is compared: its spaces are one, its letters small."""
    for name, detector in file.model.detectors.items():
        if isinstance(detector, lang.PatternDetector):
            place = file.root.at("detectors", name, "pattern")
            for part, why in _dead(detector.pattern):
                yield file.warn("P045.pattern", place, name=name, part=part, why=Phrase(f"dead.{why}"))


def _dead(pattern: str) -> Iterator[tuple[str, str]]:
    """(part, why it is never there) of a pattern that compiles; what may also be absent does no harm."""
    exact = False
    for found in _PIECE.finditer(pattern):
        part = found.group()
        if part.startswith("(?"):
            exact = "i" in part.partition("-")[2] or (exact and "i" not in part)
        if pattern.startswith(_OPTIONAL, found.end()):
            continue
        if part in ("\\n", "\\r", "\\t", "\\f", "\\v") or (len(part) > 1 and part.isspace()):
            yield part, "space"
        elif exact and len(part) == 1 and part.isascii() and part.isupper():
            yield part, "capital"
        elif len(part) == 1 and not part.isascii() and len(fold(part)) != 1:
            yield part, "character"


# --- one rule -------------------------------------------------------------------------------------------


def _upkeep(file: Written, index: int, rule: lang.Rule) -> Iterator[Diagnostic]:
    if rule.because is None:
        yield file.warn("P033", file.root.at("rules", index, "id"), rule=rule.id)
    hold = rule.then.hold
    if hold and file.model.mode_of(rule) == "enforce" and not (hold.decide_within and hold.if_late):
        node = file.root.at("rules", index, "then")
        then = (file.root.child("rules") or file.root).child(index)
        section = then.child("then") if then else None
        yield file.warn("P035", section.key("hold") if section else node, rule=rule.id)


def _contradictions(file: Written, index: int, rule: lang.Rule) -> Iterator[Diagnostic]:
    """Why `rule` can never match, if that can be told."""
    when = rule.when
    if rule.unless is not None and covers(rule.unless, when):
        yield file.warn("P045.unless", _key(file, "rules", index, "unless"), rule=rule.id)
    if when.finds and not any(_reaches(file.model.detectors[name], when.confidence) for name in when.finds):
        yield file.warn("P045.confidence", _key(file, "rules", index, "when", "confidence"), rule=rule.id)
    for key, other in _excluded(when):
        place = _key(file, "rules", index, "when", key)
        yield file.warn("P045.excluded", place, rule=rule.id, key=key, other=other)


def _excluded(when: lang.When) -> Iterator[tuple[str, str]]:
    """Pairs of keys that no message satisfies at once: taking back is not replacing, and is its own kind."""
    if when.edited and when.recalled:
        yield "recalled", "edited"
    if when.kind is not None and when.recalled and "recall" not in when.kind:
        yield "recalled", "kind"
    if when.kind == ("recall",) and when.edited:
        yield "edited", "kind"
    if when.kind == ("recall",) and when.recalled is False:
        yield "recalled", "kind"


def _reaches(detector: lang.Detector, floor: lang.Confidence) -> bool:
    """Whether a finding of `detector` may be as sure as `floor`; it may where nothing else is written."""
    written = detector.confidence
    levels = ["high"] if written is None else [written.alone, written.with_context]
    return max(map(_CONFIDENCE.index, levels)) >= _CONFIDENCE.index(floor)


def _without_effect(file: Written, index: int, rule: lang.Rule) -> Iterator[Diagnostic]:
    """Keys of `rule` that are there and do nothing."""
    way = rule.unless and rule.unless.direction
    if way and "both" not in (way, rule.when.direction) and way != rule.when.direction:
        place = _key(file, "rules", index, "unless", "direction")
        yield file.warn("P038.unless", place, rule=rule.id)
    if rule.rollout is not None and file.model.mode_of(rule) != "enforce":
        yield file.warn("P038.rollout", _key(file, "rules", index, "rollout"), rule=rule.id)
    for section in ("when", "unless"):
        condition = getattr(rule, section)
        if condition is not None and condition.finds is None and "confidence" in condition.model_fields_set:
            yield file.warn("P038.confidence", _key(file, "rules", index, section, "confidence"))


#: What is known of this message alone; who wrote to whom is the same for the sender's earlier ones.
_OF_THIS_ALONE = ("kind", "outside", "files", "edited", "recalled")


def _counted_blindly(file: Written, index: int, rule: lang.Rule) -> Iterator[Diagnostic]:
    """Keys beside a count over time that are not asked of the messages that it counts."""
    for section in ("when", "unless"):
        condition = getattr(rule, section)
        if condition is None or not (condition.count and condition.count.within):
            continue
        ways = [(section, "any", number) for number in range(len(condition.any or ()))]
        for steps, one in zip([(section,), *ways], [condition, *(condition.any or ())], strict=True):
            for key in _OF_THIS_ALONE:
                if getattr(one, key) is not None:
                    yield file.warn("P038.count", _key(file, "rules", index, *steps, key), key=key)


def _key(file: Written, *steps: str | int) -> Place:
    """Where the key at the end of `steps` stands, or what it would belong to."""
    node = file.root
    for step in steps[:-1]:
        node = node.child(step) or node
    return node.key(str(steps[-1]))


# --- two rules ------------------------------------------------------------------------------------------

_LISTED = ("sender", "groups", "kind", "recipient", "conversation")
_WHOLE = ("outside", "count", "files", "edited", "recalled", "any")


def covers(wide: lang.OneOf, narrow: lang.OneOf) -> bool:
    """Whether `wide` holds whenever `narrow` does, as far as what is written can tell."""
    return (
        wide.direction in (None, "both", narrow.direction)
        and _finds_as_much(wide, narrow)
        and all(_among(getattr(wide, key), getattr(narrow, key)) for key in _LISTED)
        and all(getattr(wide, key, None) in (None, getattr(narrow, key, None)) for key in _WHOLE)
    )


def _finds_as_much(wide: lang.OneOf, narrow: lang.OneOf) -> bool:
    as_easily = _CONFIDENCE.index(wide.confidence) <= _CONFIDENCE.index(narrow.confidence)
    return wide.finds is None or (_among(wide.finds, narrow.finds) and as_easily)


def _among(wide: Sequence[str] | None, narrow: Sequence[str] | None) -> bool:
    return wide is None or (narrow is not None and set(narrow) <= set(wide))


def _shadowed(file: Written) -> Iterator[Diagnostic]:
    """Rules that change nothing, because another one of the file does as much wherever they match."""
    rules = file.model.rules
    lifted = {exception.rule for exception in file.model.exceptions}
    live = [index for index, rule in enumerate(rules) if file.model.mode_of(rule) == "enforce"]
    above = _Candidates((n, rules[n]) for n in live if not (rules[n].rollout or rules[n].id in lifted))
    for index in live:
        rule = rules[index]
        for other_index in above.that_may_cover(rule):
            other = rules[other_index]
            equal = other_index > index and not rule.rollout and _shadows(rule, other)
            if other_index != index and _shadows(other, rule) and not equal:
                place, line = (file.root.at("rules", n, "id") for n in (index, other_index))
                yield file.warn("P032", place, rule=rule.id, other=other.id, line=line.line)
                break


class _Candidates:
    """Rules by what they are about, so that each is compared with few: a file may have a thousand.

    A rule that names values under a key covers only rules that name some of these under the same key.
    """

    _KEYS = ("finds", "groups", "sender", "recipient", "conversation")

    def __init__(self, rules: Iterable[tuple[int, lang.Rule]]) -> None:
        self._about: dict[tuple[str, str], list[int]] = {}
        self._about_all: list[int] = []
        for index, rule in rules:
            key = next((key for key in self._KEYS if getattr(rule.when, key) is not None), None)
            if key is None:
                self._about_all.append(index)
                continue
            for value in getattr(rule.when, key):
                self._about.setdefault((key, value), []).append(index)

    def that_may_cover(self, rule: lang.Rule) -> list[int]:
        """The rules that may cover `rule`, in the order of the file."""
        first = ((key, values[0]) for key in self._KEYS if (values := getattr(rule.when, key)))
        return sorted({*self._about_all, *(n for about in first for n in self._about.get(about, ()))})


def _shadows(other: lang.Rule, rule: lang.Rule) -> bool:
    return (
        covers(other.when, rule.when)
        and (other.unless is None or other.unless == rule.unless)
        and (other.then == rule.then or (other.then.block is True and _adds_nothing(rule.then, other.then)))
    )


def _adds_nothing(then: lang.Then, blocked: lang.Then) -> bool:
    """Whether a block leaves no effect of `then` that it does not have itself."""
    return (
        set(then.tag) <= set(blocked.tag)
        and set(then.notify) <= set(blocked.notify)
        and then.sample in (None, blocked.sample)
        and then.review in (None, blocked.review)
        and then.tell_sender in (None, blocked.tell_sender)
    )


# --- texts ----------------------------------------------------------------------------------------------


def _unheard(file: Written) -> Iterator[Diagnostic]:
    """Texts that lack the language of those who read them: staff read English, clients Chinese."""
    for index, rule in enumerate(file.model.rules):
        way = rule.when.direction
        writers, readers = _readers(way, of_symphony="to_weixin"), _readers(way, of_symphony="to_symphony")
        for key, text, needed in (
            ("tell_sender", rule.then.tell_sender, writers),
            ("annotate", rule.then.annotate, readers),
        ):
            yield from _lacking(file, text, needed, "rules", index, "then", key)
    for index, disclaimer in enumerate(file.model.disclaimers):
        readers = _readers(disclaimer.direction, of_symphony="to_symphony")
        yield from _lacking(file, disclaimer.text, readers, "disclaimers", index, "text")
    if file.model.consent is not None:
        yield from _lacking(file, file.model.consent.text, ("zh",), "consent", "text")


def _readers(direction: lang.Direction, of_symphony: str) -> tuple[str, ...]:
    """The languages of those concerned; `of_symphony` is the direction in which those are staff."""
    if direction == "both":
        return ("en", "zh")
    return ("en",) if direction == of_symphony else ("zh",)


def _lacking(
    file: Written, text: lang.Tell | None, needed: Sequence[str], *steps: str | int
) -> Iterator[Diagnostic]:
    if text is None:
        return
    there = {"en": text.en, "zh": text.zh or (text.zh_hans and text.zh_hant)}
    for tag in needed:
        if not there[tag]:
            language = Phrase(f"language.{tag}")
            yield file.warn("P044", _key(file, *steps), key=steps[-1], language=language, tag=tag)


# --- exceptions and records -----------------------------------------------------------------------------


def _exceptions(file: Written) -> Iterator[Diagnostic]:
    rules = {rule.id: rule for rule in file.model.rules}
    looking: Mapping[str, bool] = {
        **{rule.id: any(c.finds for c in conditions(rule)) for rule in file.model.rules},
        **{wall.id: wall.finds is not None for wall in file.model.barriers},
    }
    for index, exception in enumerate(file.model.exceptions):
        name = exception.rule
        if name in rules and file.model.mode_of(rules[name]) == "off":
            place = file.root.at("exceptions", index, "rule")
            yield file.warn("P038.exception", place, rule=name, name=exception.id)
        if exception.only is not None and not looking[name]:
            yield file.warn("P038.only", _key(file, "exceptions", index, "only"), rule=name)


def _records(file: Written) -> Iterator[Diagnostic]:
    for index, entry in enumerate(file.model.retention):
        preset = PRESETS.get(entry.preset or "")
        if preset is not None and not preset.confirmed:
            place = file.root.at("retention", index, "preset")
            yield file.warn("P046", place, name=preset.name, rule=preset.rule, keep=preset.keep)
        if entry.worm and not any(one.object_lock for one in file.model.archive):
            name = entry.id or entry.preset or entry.keep
            yield file.warn("P048", _key(file, "retention", index, "worm"), name=name)
    for index, hold in enumerate(file.model.legal_holds):
        if hold.since is None:
            yield file.warn("P047", file.root.at("legal_holds", index, "id"), name=hold.id)
        for node in scalars(items(file.root.child("legal_holds"))[index].child("people")):
            if node.value in file.model.groups:
                yield file.warn("P038.people", node.place, name=node.value)
    scanned = file.model.attachments
    if scanned is not None and scanned.virus_scan == "none" and "infected" in scanned.model_fields_set:
        yield file.warn("P038.infected", _key(file, "attachments", "infected"))


def endless(files: Sequence[Written]) -> Iterator[Diagnostic]:
    """Classes of retention of which none is for everybody, in the files that decide together: what none of
    them fits is kept without an end. Said once, where the first of them stands.

    One file alone that is for some people adds to another's, as a desk's file does: nothing is said.
    """
    keeping = [file for file in files if file.model.retention]
    if len(files) == 1 and all(one.model.applies_to or _for_some(one) for one in keeping):
        return
    if keeping and not is_complete(file.model for file in keeping):
        yield keeping[0].warn("P049", _key(keeping[0], "retention"))


def _for_some(file: Written) -> bool:
    return all(entry.for_ for entry in file.model.retention)


# --- what depends on the day ----------------------------------------------------------------------------


def overdue(
    file: Written, changed: Mapping[str, datetime.datetime], now: datetime.datetime
) -> Iterator[Diagnostic]:
    """What has become wrong with time at `now` (with a time zone), by the clock of the file's own zone.

    `changed` says when each list file was last written. An exception that has ended is an error: it reads
    as if it still stood.
    """
    today = now.astimezone(zoneinfo.ZoneInfo(file.model.timezone)).date()
    for index, rule in enumerate(file.model.rules):
        if rule.review_by is not None and rule.review_by < today:
            place = file.root.at("rules", index, "review_by")
            yield file.warn("P036.rule", place, name=rule.id, day=rule.review_by.isoformat())
        yield from _unpublished(file, index, rule, (today + SOON).year)
    for name, words in file.model.lists.items():
        yield from _old_list(file, name, words, today)
        written = changed.get(words.file or "")
        if words.stale_after is not None and written is not None and written + words.stale_after < now:
            yield file.warn("P039", file.root.at("lists", name, "file"), path=words.file)
    for index, hold in enumerate(file.model.legal_holds):
        if hold.since is not None and hold.since > today:
            place = file.root.at("legal_holds", index, "since")
            yield file.warn("P038.since", place, name=hold.id, day=hold.since.isoformat())
    for index, exception in enumerate(file.model.exceptions):
        left = exception.expires - today
        if left <= SOON:
            key = "P026" if exception.expires < today else "P037"
            place = file.root.at("exceptions", index, "expires")
            yield file.warn(key, place, name=exception.id, day=exception.expires.isoformat())


def _unpublished(file: Written, index: int, rule: lang.Rule, year: int) -> Iterator[Diagnostic]:
    """Calendars that do not reach into `year`."""
    for section in ("when", "unless"):
        condition = getattr(rule, section)
        outside = condition and condition.outside
        known = published_until(outside.calendar) if outside and outside.calendar else None
        if known is not None and known < year:
            place = file.root.at("rules", index, section, "outside", "calendar")
            yield file.warn("P039.calendar", place, name=outside.calendar, year=known)


def _old_list(file: Written, name: str, words: lang.WordList, today: datetime.date) -> Iterator[Diagnostic]:
    if words.review_by is not None and words.review_by < today:
        place = file.root.at("lists", name, "review_by")
        yield file.warn("P036.list", place, name=name, day=words.review_by.isoformat())
