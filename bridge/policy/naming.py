"""The names of one file: whatever is named must be there, and nothing may have two meanings.

Rules of this file: works on the tree, not on the models, so that names are checked on whatever could be read
of a file that is wrong elsewhere. Names are scoped to their file. Rules, barriers and disclaimers share one
set of ids, because exceptions, matches and annotations name them without saying which they mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bridge.policy.decoding import guess, listing
from bridge.policy.diagnostics import Diagnostic, Page, Phrase, Place
from bridge.policy.document import Node, entries, items, scalars
from bridge.policy.presets import PRESETS

_DEFINING = ("detectors", "lists", "groups")
_SHARING = ("rules", "barriers", "disclaimers")
_ALONE = ("retention", "archive", "legal_holds", "exceptions")
_FOR_GROUPS = ("disclaimers", "retention", "archive")


def check_names(page: Page, root: Node) -> Iterator[Diagnostic]:
    """Everything that is named and not there, and every id that is used twice."""
    names = _Names(page, root)
    yield from names.of_detectors()
    yield from names.of_rules()
    yield from names.of_barriers()
    yield from names.of_sections()
    yield from names.of_presets()
    yield from names.of_exceptions()
    yield from names.equal_ids()


def conditions(rule: Node) -> Iterator[Node]:
    """The conditions of a rule: `when`, `unless`, and each way of their `any`."""
    for section in (rule.child("when"), rule.child("unless")):
        if section is not None:
            ways = section.child("any")
            yield section
            yield from items(ways) or ([ways] if ways else [])


class _Names:
    """What one file defines, and where it is used."""

    def __init__(self, page: Page, root: Node) -> None:
        self.page = page
        self.root = root
        self._places = {section: _defined(root.child(section)) for section in _DEFINING}
        self._acting = {
            node.value: node.place
            for section in ("rules", "barriers")
            for entry in items(root.child(section))
            for node in scalars(entry.child("id"))
        }

    def of_detectors(self) -> Iterator[Diagnostic]:
        for owner, node in entries(self.root.child("detectors")).items():
            yield from self._known("P021", scalars(node.child("list")), self._places["lists"], owner)

    def of_rules(self) -> Iterator[Diagnostic]:
        for rule in items(self.root.child("rules")):
            owner = _who("rule", rule)
            for condition in conditions(rule):
                yield from self._detectors(condition.child("finds"), owner)
                yield from self._groups(condition.child("groups"), owner)
            rollout = rule.child("rollout")
            yield from self._groups(rollout and rollout.child("groups"), owner)
            for test in items(rule.child("tests")):
                yield from self._unwritten(test.child("given"))
                yield from self._rules(test.child("rule"), owner)

    def _unwritten(self, given: Node | None) -> Iterator[Diagnostic]:
        """A message without text has to be written as one: `""`; nothing at all was surely forgotten."""
        for node in scalars(given):
            if node.bare and not node.value:
                yield self.page.report("P013.given", node.place)

    def of_barriers(self) -> Iterator[Diagnostic]:
        for barrier in items(self.root.child("barriers")):
            owner = _who("barrier", barrier)
            for key in ("between", "from", "to"):
                yield from self._groups(barrier.child(key), owner)
            yield from self._detectors(barrier.child("finds"), owner)

    def of_sections(self) -> Iterator[Diagnostic]:
        for section, key in (("applies_to", "groups"), ("consent", "from")):
            node = self.root.child(section)
            yield from self._groups(node and node.child(key), Phrase("who.section", {"name": section}))
        for section in _FOR_GROUPS:
            for entry in items(self.root.child(section)):
                whom = entry.child("for")
                if whom is not None and whom.value != "all":
                    yield from self._groups(whom, Phrase("who.section", {"name": section}))

    def of_presets(self) -> Iterator[Diagnostic]:
        for entry in items(self.root.child("retention")):
            for node in scalars(entry.child("preset")):
                if node.value and node.value not in PRESETS:
                    near = guess(node.value, PRESETS) or _shortened(node.value, PRESETS)
                    key = "P028.near" if near else "P028"
                    yield self.page.report(key, node.place, name=node.value, guess=near)

    def of_exceptions(self) -> Iterator[Diagnostic]:
        groups = self._places["groups"]
        for entry in items(self.root.child("exceptions")):
            yield from self._rules(entry.child("rule"), _who("exception", entry))
            # A person's id may look like anything, so only a group that is nearly hit is said to be missed.
            for node in scalars(entry.child("for")):
                free = node.value in groups or "@" in node.value or node.value.startswith("tag:")
                near = "" if free else guess(node.value, groups)
                if near:
                    values = {"name": node.value, "guess": near, "line": groups[near].line}
                    yield self.page.report("P038.for", node.place, **values)

    def equal_ids(self) -> Iterator[Diagnostic]:
        shared: dict[str, tuple[str, Place]] = {}
        for section in _SHARING:
            yield from self._equal(section, shared)
        for section in _ALONE:
            yield from self._equal(section, {})

    def _equal(self, section: str, first: dict[str, tuple[str, Place]]) -> Iterator[Diagnostic]:
        for entry in items(self.root.child(section)):
            for node in scalars(entry.child("id"))[:1]:
                where, place = first.setdefault(node.value, (section, node.place))
                if place is not node.place and node.value:
                    key = "P023.rule" if where == section == "rules" else "P023.id"
                    yield self.page.report(key, node.place, name=node.value, line=place.line)

    def _detectors(self, node: Node | None, owner: Phrase) -> Iterator[Diagnostic]:
        yield from self._known("P020", scalars(node), self._places["detectors"], owner)

    def _groups(self, node: Node | None, owner: Phrase) -> Iterator[Diagnostic]:
        yield from self._known("P022", scalars(node), self._places["groups"], owner)

    def _rules(self, node: Node | None, owner: Phrase) -> Iterator[Diagnostic]:
        yield from self._known("P027", scalars(node), self._acting, owner)

    def _known(
        self, key: str, used: Sequence[Node], known: Mapping[str, Place], owner: str | Phrase
    ) -> Iterator[Diagnostic]:
        for node in used:
            if node.value and node.value not in known:
                near = guess(node.value, known)
                values = {"name": node.value, "owner": owner, "guess": near, "choices": listing(known)}
                line = known[near].line if near else 0
                yield self.page.report(f"{key}.near" if near else key, node.place, line=line, **values)


def _defined(section: Node | None) -> dict[str, Place]:
    """The names that a section defines, and where."""
    return {name: section.key(name) for name in entries(section)} if section is not None else {}


def _shortened(written: str, names: Iterable[str]) -> str:
    """The first of `names` that has all the parts of a name that was written in part, "" if none does."""
    parts = set(re.split("[-_ .]+", written.casefold()))
    return next((name for name in names if parts <= set(re.split("[-.]", name))), "")


def _who(kind: str, entry: Node) -> Phrase:
    """How an entry with an id is called."""
    node = entry.child("id")
    return Phrase(f"who.{kind}", {"name": node.value if node and isinstance(node.value, str) else "?"})
