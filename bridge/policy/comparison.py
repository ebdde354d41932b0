"""What a draft changes about the policies in force, and which way each change points.

Rules of this file: every key of every section is compared. A key that the tables below do not know is
reported as CHECK, never passed over: a change that nobody orders is one that somebody looks at. Classes are
promises about verdicts. Without a LOOSER or CHECK line no message gets a weaker outcome, without a TIGHTER or
CHECK line none gets a stricter one; where that cannot be promised, the class is CHECK.

A change points up (stricter), down (weaker), both ways, or nowhere: a set of signs. What a key does to its
own section is multiplied by what the section does to verdicts: more words are stricter where a rule blocks by
them, weaker where an `unless` spares by them. What reads a section is taken from both sides together, so
that the class holds whatever else the draft changes. How old lists are is no part of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bridge.policy import language as lang
from bridge.policy import ordering as o
from bridge.policy.changes import Change, Direction
from bridge.policy.compiled import Policy, PolicySet
from bridge.policy.folding import fold
from bridge.policy.ordering import DOWN, EITHER, NOWHERE, UP, Signs, times

# --- what reads what ------------------------------------------------------------------------------------


class _Reading:
    """One file as its verdicts see it: what each rule does, and what finding or naming more leads to."""

    def __init__(self, model: lang.PolicyFile, unmatched: frozenset[str]) -> None:
        self.model = model
        self._unmatched = unmatched
        self.detectors: dict[str, Signs] = defaultdict(frozenset)
        self.groups: dict[str, Signs] = defaultdict(frozenset)
        self.lists: dict[str, Signs] = defaultdict(frozenset)
        self.rules = {rule.id: self._rule(rule) for rule in model.rules}
        self._barriers()
        self._sections()
        for name, detector in model.detectors.items():
            for one in detector.list if isinstance(detector, lang.WordsDetector) else ():
                self.lists[one] |= self.detectors[name]

    def mode(self, rule: lang.Rule) -> str:
        """How a rule runs: as it says, else as the file says."""
        return rule.mode or self.model.defaults.mode

    def lifted(self, rule: lang.Rule) -> bool:
        """Whether an exception looks at what was found: more findings can then let a match act or not."""
        return any(one.rule == rule.id and one.only is not None for one in self.model.exceptions)

    def acts(self, rule: lang.Rule) -> Signs:
        """What the rule does when it matches more, were it enforced."""
        return self.added(rule.then) | (UP if _supervises(rule.then) else NOWHERE)

    def added(self, then: lang.Then) -> Signs:
        """What a decision does that was not there before: a permission opens what is held without one."""
        if then.deliver:
            return DOWN if "hold" in self._unmatched else NOWHERE
        return UP if _acts(then) else NOWHERE

    def _rule(self, rule: lang.Rule) -> Signs:
        signs = self.acts(rule) if self.mode(rule) == "enforce" else NOWHERE
        lifted = self.lifted(rule)
        for condition, sign in _conditions(rule):
            odd = _counts_places(condition) or (lifted and rule.when.finds is None)
            for name in condition.finds or ():
                self.detectors[name] |= times(EITHER if odd else sign, signs)
            for name in condition.groups or ():
                self.groups[name] |= times(sign, signs)
        for name in (rule.rollout and rule.rollout.groups) or ():
            self.groups[name] |= signs
        return signs

    def _barriers(self) -> None:
        for barrier in self.model.barriers:
            self.rules[barrier.id] = UP
            for name in barrier.finds or ():
                self.detectors[name] |= UP
            for name in (*(barrier.between or ()), *(barrier.from_ or ()), *(barrier.to or ())):
                self.groups[name] |= UP

    def _sections(self) -> None:
        model = self.model
        named = [
            model.applies_to.groups if model.applies_to else (),
            model.consent.from_ if model.consent else (),
        ]
        reaching = (model.disclaimers, model.retention, model.archive)
        named += [one.for_ for some in reaching for one in some]
        for name in (name for names in named for name in names):
            self.groups[name] |= UP


def _conditions(rule: lang.Rule) -> Iterator[tuple[lang.OneOf, Signs]]:
    """Every condition of a rule, and what its holding does to the match."""
    for condition, sign in ((rule.when, UP), (rule.unless, DOWN)):
        if condition is not None:
            yield condition, sign
            yield from ((one, sign) for one in condition.any or ())


def _counts_places(condition: lang.OneOf) -> bool:
    """Whether places in one message are counted: one more finding may join two places into one."""
    return condition.count is not None and condition.count.within is None


def _acts(then: lang.Then) -> tuple[str, ...]:
    return tuple(word for word in o.LEVELS if getattr(then, word) is not None)


def _level(then: lang.Then) -> int:
    """How strict the outcome is; -1 when the rule decides nothing."""
    return max(map(o.LEVELS.index, _acts(then)), default=-1)


def _supervises(then: lang.Then) -> bool:
    return bool(then.tag or then.notify or then.sample or then.review)


# --- one file -------------------------------------------------------------------------------------------


class _Files:
    """Two versions of one file, compared section by section."""

    def __init__(self, live: Policy, draft: Policy) -> None:
        unmatched = frozenset(policy.model.defaults.unmatched for policy in (live, draft))
        self._words = live.draft.words, draft.draft.words
        self._dates = live.draft.dates, draft.draft.dates
        self._before, self._after = _Reading(live.model, unmatched), _Reading(draft.model, unmatched)
        self._place = Change(Direction.NEUTRAL, draft.name, "policy", "", "")

    def changes(self) -> Iterator[Change]:
        """Everything that differs."""
        before, after = self._before.model, self._after.model
        yield from self._head(before, after)
        yield from self._named("group", before.groups, after.groups, self._of("groups"), NOWHERE)
        yield from self._lists(before.lists, after.lists)
        yield from self._named("detector", before.detectors, after.detectors, self._detector, NOWHERE)
        yield from self._named("barrier", _by_id(before.barriers), _by_id(after.barriers), UP, UP)
        yield from self._rules(_by_id(before.rules), _by_id(after.rules))
        yield from self._kinds(before.kinds, after.kinds)
        for noun, old, new in (
            ("disclaimer", _by_id(before.disclaimers), _by_id(after.disclaimers)),
            ("retention", *_paired(before.retention, after.retention)),
            ("archive", _by_id(before.archive), _by_id(after.archive)),
            ("legal_hold", _by_id(before.legal_holds), _by_id(after.legal_holds)),
        ):
            yield from self._named(noun, old, new, UP, UP)
        yield from self._exceptions(_by_id(before.exceptions), _by_id(after.exceptions))

    def _of(self, what: str) -> Callable[[str], Signs]:
        """What finding or naming more does, in either version."""
        old, new = getattr(self._before, what), getattr(self._after, what)
        return lambda name: old.get(name, NOWHERE) | new.get(name, NOWHERE)

    def _detector(self, name: str) -> Signs:
        """What finding more does; where a context word makes it less sure, more words find less."""
        signs = self._of("detectors")(name)
        models = (reading.model.detectors.get(name) for reading in (self._before, self._after))
        levels = [model.confidence for model in models if model is not None and model.confidence is not None]
        odd = any(o.SURE.index(one.alone) > o.SURE.index(one.with_context) for one in levels)
        return times(EITHER, signs) if odd else signs

    def _head(self, before: lang.PolicyFile, after: lang.PolicyFile) -> Iterator[Change]:
        """The scalars at the top, and the sections that are there once."""
        yield from o.changes(*o.without(dict.fromkeys(_APART, ()), before, after), UP, self._place)
        # Where the file applies, it can only make things stricter; elsewhere it says nothing.
        yield from o.optional(
            replace(self._place, key="applies_to"), before.applies_to, after.applies_to, UP, DOWN
        )
        yield from o.changes(
            *o.without({"mode": "enforce"}, before.defaults, after.defaults),
            UP,
            replace(self._place, section="defaults"),
        )
        yield from self._default_mode(before, after)
        yield from self._attachments(before.attachments, after.attachments)

    def _default_mode(self, before: lang.PolicyFile, after: lang.PolicyFile) -> Iterator[Change]:
        """The mode of rules that name none: what it does is what those rules do."""
        old, new = before.defaults.mode, after.defaults.mode
        if old == new:
            return
        rules = [rule for model in (before, after) for rule in model.rules if rule.mode is None]
        signs = frozenset[int]().union(*(self._switched(old, new, rule) for rule in rules))
        yield o.change(replace(self._place, section="defaults", key="mode"), (signs, old, new), UP)

    def _attachments(
        self, before: lang.Attachments | None, after: lang.Attachments | None
    ) -> Iterator[Change]:
        """What is read inside of files is found by every detector, also by those that spare a message.

        Without the section it is read as well.
        """
        place = replace(self._place, section="attachments")
        finding = UP | frozenset[int]().union(
            *self._before.detectors.values(), *self._after.detectors.values()
        )
        if before is None or after is None:
            one = before or after
            yield from o.optional(place, before, after, UP if one and one.read_text else EITHER, UP)
            return
        yield from o.changes(*o.without({"read_text": True}, before, after), UP, place)
        if before.read_text != after.read_text:
            step = o.points(after.read_text - before.read_text), before.read_text, after.read_text
            yield o.change(replace(place, key="read_text"), step, finding)

    def _switched(self, before: str, after: str, rule: lang.Rule) -> Signs:
        """What running `rule` in another mode does. To stop watching is to be looked at."""
        if "enforce" in (before, after):
            return times(UP if after == "enforce" else DOWN, self._after.acts(rule))
        return EITHER if after == "off" else NOWHERE

    def _named(
        self,
        section: str,
        before: Mapping[str, lang.Section],
        after: Mapping[str, lang.Section],
        signs: Signs | Callable[[str], Signs],
        presence: Signs | Callable[[str], Signs],
    ) -> Iterator[Change]:
        """Sections by name. A definition alone does nothing: whatever uses it has a line of its own."""
        for name in (*before, *(name for name in after if name not in before)):
            old, new = before.get(name), after.get(name)
            place = replace(self._place, section=section, id=name)
            reach = signs(name) if callable(signs) else signs
            if old is None or new is None:
                yield from o.optional(place, old, new, UP, presence(name) if callable(presence) else presence)
            elif type(old) is not type(new):
                yield o.change(replace(place, key="type"), (EITHER, old, new), reach)
            else:
                yield from o.changes(old, new, reach, place)

    # lists

    def _lists(
        self, before: Mapping[str, lang.WordList], after: Mapping[str, lang.WordList]
    ) -> Iterator[Change]:
        yield from self._named("list", _tame(before), _tame(after), self._of("lists"), NOWHERE)
        reach = self._of("lists")
        for name in (name for name in before if name in after):
            place = replace(self._place, section="list", id=name)
            old, new = (words[name] for words in self._words)
            if old != new:
                for step in o.members(1)(list(dict.fromkeys(old)), list(dict.fromkeys(new))):
                    yield o.change(replace(place, key="words"), step, reach(name))
            known = frozenset(new) if any(name in dates for dates in self._dates) else frozenset()
            kept = (word for word in old if word in known)
            moved = tuple(word for word in kept if self._days(0, name, word) != self._days(1, name, word))
            if moved:
                yield o.change(replace(place, key="dates"), (EITHER, moved, moved), reach(name))
            yield from self._evasion(place, before[name], after[name], reach(name))
            yield from self._age(place, before[name].stale_after, after[name].stale_after, reach(name))

    def _days(self, side: int, name: str, word: str) -> Sequence[object] | None:
        """When a word of a list counts; None when it always does."""
        return self._dates[side].get(name, {}).get(fold(word).strip())

    def _evasion(
        self, place: Change, before: lang.WordList, after: lang.WordList, signs: Signs
    ) -> Iterator[Change]:
        """A disguise is seen through in the innocent words, too: with some, it may go either way."""
        if before.evasion != after.evasion:
            sheltered = EITHER if before.unless_words or after.unless_words else UP
            for step in o.members(1)(before.evasion, after.evasion):
                yield o.change(replace(place, key="evasion"), step, times(sheltered, signs))

    @staticmethod
    def _age(place: Change, before: Any, after: Any, signs: Signs) -> Iterator[Change]:
        """A list that is too old holds whatever its rule does."""
        if before != after:
            step = next(iter(o.number(-1, o.NEVER)(before, after)))
            yield o.change(replace(place, key="stale_after"), step, UP if signs else NOWHERE)

    # rules

    def _rules(self, before: Mapping[str, lang.Rule], after: Mapping[str, lang.Rule]) -> Iterator[Change]:
        for name in (*before, *(name for name in after if name not in before)):
            old, new = before.get(name), after.get(name)
            place = replace(self._place, section="rule", id=name)
            if old is None and new is not None:
                yield o.change(place, (self._switched("off", self._after.mode(new), new), None, new), UP)
            elif new is None and old is not None:
                yield o.change(place, (self._switched(self._before.mode(old), "off", old), old, None), UP)
            elif old is not None and new is not None:
                yield from self._rule(place, old, new)

    def _rule(self, place: Change, before: lang.Rule, after: lang.Rule) -> Iterator[Change]:
        signs = self._before.rules[before.id] | self._after.rules[after.id]
        enforced = "enforce" in (self._before.mode(before), self._after.mode(after))
        yield from self._mode(place, before, after)
        hidden = {"mode": None, "when": after.when, "unless": None, "then": after.then, "rollout": None}
        yield from o.changes(*o.without(hidden, before, after), UP, place)
        lifted = self._before.lifted(before) or self._after.lifted(after)
        odd = lifted and before.when.any != after.when.any  # another way matches less, and finds more
        reach = times(EITHER, signs) if odd else signs
        yield from o.changes(before.when, after.when, reach, replace(place, key="when"))
        unless, rollout = replace(place, key="unless"), replace(place, key="rollout")
        yield from o.optional(unless, before.unless, after.unless, times(DOWN, signs), UP)
        yield from o.optional(rollout, before.rollout, after.rollout, signs, DOWN)
        yield from self._then(place, before.then, after.then, UP if enforced else NOWHERE)

    def _mode(self, place: Change, before: lang.Rule, after: lang.Rule) -> Iterator[Change]:
        """The mode as it is written; where only the file's default moved, that has a line of its own."""
        if before.mode != after.mode:
            old, new = self._before.mode(before), self._after.mode(after)
            signs = (
                self._switched(old, new, before) | self._switched(old, new, after) if old != new else NOWHERE
            )
            yield o.change(replace(place, key="mode"), (signs, before.mode or old, after.mode or new), UP)

    def _then(self, place: Change, before: lang.Then, after: lang.Then, acting: Signs) -> Iterator[Change]:
        at = replace(place, key="then")
        if _acts(before) != _acts(after):
            step = self._decided(before, after), _acts(before), _acts(after)
            yield o.change(at, step, acting)
            missing = [word for word in o.LEVELS if word not in _acts(before) or word not in _acts(after)]
            before, after = o.without(dict.fromkeys(missing), before, after)
        yield from o.changes(before, after, acting, at)

    def _decided(self, before: lang.Then, after: lang.Then) -> Signs:
        """What another decision does; at the same strictness, masks and texts that came or went."""
        old, new = _level(before), _level(after)
        if old < 0 or new < 0:
            return self._after.added(after) if old < 0 else times(DOWN, self._after.added(before))
        if old != new:
            return o.points(new - old)
        lost = any(getattr(before, word) and not getattr(after, word) for word in ("redact", "annotate"))
        came = any(getattr(after, word) and not getattr(before, word) for word in ("redact", "annotate"))
        return (DOWN if lost else NOWHERE) | (UP if came else NOWHERE)

    # the rest

    def _kinds(self, before: Mapping[Any, str], after: Mapping[Any, str]) -> Iterator[Change]:
        """A kind that is not named passes."""
        for kind in (*before, *(kind for kind in after if kind not in before)):
            old, new = before.get(kind), after.get(kind)
            if old != new:
                place = replace(self._place, section="kinds", key=kind)
                step = next(iter(o.PASS(old or "deliver", new or "deliver")))
                yield o.change(place, (step[0], old, new), UP)

    def _exceptions(
        self, before: Mapping[str, lang.ExceptionFrom], after: Mapping[str, lang.ExceptionFrom]
    ) -> Iterator[Change]:
        """An exception points where its rule does not; one from another rule is to be looked at."""
        rules = self._of("rules")

        def reach(name: str) -> Signs:
            both = (one[name] for one in (before, after) if name in one)
            return times(DOWN, frozenset[int]().union(*(rules(one.rule) for one in both)))

        yield from self._named("exception", before, after, reach, reach)


_APART = (
    "applies_to", "defaults", "groups", "lists", "detectors", "barriers", "rules", "attachments", "kinds",
    "disclaimers", "retention", "archive", "legal_holds", "exceptions",
)  # fmt: skip
"""What is compared by itself."""


def _by_id(sections: Iterable[Any]) -> dict[str, Any]:
    return {section.id: section for section in sections}


def _paired(before: Sequence[lang.Keep], after: Sequence[lang.Keep]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Retention by name; entries without one by what they say, and the rest in the order they stand in."""
    equal = [one for one in before if one.id is None and one in after]
    sides = []
    for entries in (before, after):
        unnamed = [one for one in entries if one.id is None and one not in equal]
        named = {one.id: one for one in entries if one.id is not None}
        sides.append(named | {f"#{number}": one for number, one in enumerate(unnamed, 1)})
    return sides[0], sides[1]


def _tame(lists: Mapping[str, lang.WordList]) -> dict[str, lang.WordList]:
    """Lists without what is compared apart: their words, wherever they stand, their disguises, their age."""
    return {
        name: one.model_copy(update={"evasion": (), "words": None, "stale_after": None})
        for name, one in lists.items()
    }


# --- several files --------------------------------------------------------------------------------------


def compare(live: PolicySet, draft: PolicySet) -> tuple[Change, ...]:
    """What `draft` changes about `live`: LOOSER first, then CHECK, TIGHTER and NEUTRAL.

    Files are paired by their `policy:` name; one file against one file is a pair whatever their names are.
    """
    found = [change for old, new in _file_pairs(live, draft) for change in _file_changes(old, new)]
    return tuple(sorted(found, key=lambda change: list(Direction).index(change.direction)))


def _file_pairs(live: PolicySet, draft: PolicySet) -> Iterator[tuple[Policy | None, Policy | None]]:
    if len(live.policies) == len(draft.policies) == 1:
        yield live.policies[0], draft.policies[0]
        return
    before = {policy.name: policy for policy in live.policies}
    after = {policy.name: policy for policy in draft.policies}
    for name in sorted(before.keys() | after.keys()):
        yield before.get(name), after.get(name)


def _file_changes(before: Policy | None, after: Policy | None) -> Iterator[Change]:
    """Several files answer together and the strictest wins: one more can only be stricter."""
    if before is not None and after is not None:
        yield from _Files(before, after).changes()
    elif after is not None:
        yield Change(Direction.TIGHTER, after.name, "policy", "", "", after=after.model.title)
    elif before is not None:
        yield Change(Direction.LOOSER, before.name, "policy", "", "", before=before.model.title)
        yield from _lost(before)


def _lost(gone: Policy) -> Iterator[Change]:
    """Everything that a removed file did, each thing by itself: an approver sees what goes, and whose it was.

    What the file only spared (an exception) makes nothing stricter when the file goes: it has no line.
    """
    changes = _Files(gone, _emptied(gone)).changes()
    return (one for one in changes if one.direction in (Direction.LOOSER, Direction.CHECK))


def _emptied(policy: Policy) -> Policy:
    """The same file for the same people, with nothing in it."""
    fields = lang.PolicyFile.model_fields
    kept = {key: getattr(policy.model, key) for key in fields if fields[key].is_required()}
    model = lang.PolicyFile.model_construct(**kept, applies_to=policy.model.applies_to)
    return replace(policy, draft=replace(policy.draft, model=model, words={}, dates={}))
