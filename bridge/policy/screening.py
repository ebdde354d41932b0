"""Attachments and kinds of message: what may pass whatever is written in it.

Rules of this file: pure; it judges what an inspection found and opens nothing. Reasons count and classify,
they never name a file. What could not be looked into is a failure, not a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bridge.message import Cause, Inspection, Outcome
from bridge.policy import language as lang
from bridge.policy.answers import Answer, Clause
from bridge.policy.facts import Facts

_Test = tuple[str, Outcome, str, Cause, Callable[[Inspection], bool]]

# What shows a picture shows every sort of picture, so that no name misleads it; and a network that names
# pictures and voices itself calls them all jpg and amr.
_ALIKE = (
    frozenset({"png", "jpg", "gif", "webp", "heic", "bmp", "tiff"}),
    frozenset({"amr", "silk", "mp3", "m4a", "wav"}),
)


@dataclass(frozen=True, slots=True)
class Screen:
    """The sections `attachments` and `kinds` of one file, ready. `on_error` is what a failure leads to."""

    policy: str
    kinds: Mapping[str, Outcome]
    tests: tuple[_Test, ...] | None
    scanned: bool
    on_error: Outcome

    def clauses(self, facts: Facts) -> Iterator[Clause]:
        """Everything that is not to pass."""
        kind = facts.message.kind
        outcome = self.kinds.get(kind)
        if outcome is not None:
            yield Clause(self.policy, f"kinds/{kind}", outcome, str(kind))
        if self.tests is not None and facts.context.inspections:
            yield from self._attachments(self.tests, facts)

    def _attachments(self, tests: tuple[_Test, ...], facts: Facts) -> Iterator[Clause]:
        for name, outcome, why, cause, applies in tests:
            count = sum(applies(file) for file in facts.context.inspections)
            if count:
                yield Clause(self.policy, f"attachments/{name}", outcome, f"{count} {why}", cause)

    def failures(self, facts: Facts) -> Iterator[Answer]:
        """Answers because of what nobody looked into."""
        if self.tests is None or not facts.message.files:
            return
        context = facts.context
        blind = len(facts.message.files) - len(context.inspections) - len(context.missing)
        if blind > 0:
            yield self._failure(f"{blind} attachment(s) were not inspected")
        unscanned = sum(not file.scanned for file in context.inspections) if self.scanned else 0
        if unscanned:
            yield self._failure(f"{unscanned} attachment(s) were not scanned for viruses")

    def _failure(self, reason: str) -> Answer:
        return Answer(self.on_error, Cause.FAILURE, reason)


def screen(file: lang.PolicyFile) -> Screen | None:
    """The screen that `file` writes; None if everything may pass."""
    section = file.attachments
    if section is None and not file.kinds:
        return None
    return Screen(
        file.policy,
        {kind: Outcome(word) for kind, word in file.kinds.items() if word != "deliver"},
        None if section is None else tuple(test for test in _tests(section) if test[1] != "deliver"),
        section is not None and section.virus_scan != "none",
        Outcome(file.defaults.on_error),
    )


def _tests(section: lang.Attachments) -> Iterator[_Test]:
    """(name, outcome, why, cause, whether it applies to a file) of everything that the section minds."""
    if section.allow is not None:
        allowed = frozenset(section.allow)
        outcome = Outcome(section.not_allowed)
        yield "not_allowed", outcome, "of a type not allowed", Cause.RULE, lambda f: f.type not in allowed
    if section.max_size is not None:
        largest = section.max_size
        yield "too_large", Outcome(section.too_large), "too large", Cause.RULE, lambda f: f.size > largest
    outcome = Outcome(section.wrong_type)
    yield "wrong_type", outcome, "named as another type", Cause.RULE, _is_disguised
    yield "encrypted", Outcome(section.encrypted), "encrypted", Cause.RULE, lambda f: f.encrypted
    yield "macros", Outcome(section.macros), "with macros", Cause.RULE, lambda f: f.macros
    yield "infected", Outcome(section.infected), "infected", Cause.RULE, lambda f: bool(f.virus)
    if section.read_text:
        outcome = Outcome(section.unreadable)
        yield "unreadable", outcome, "could not be read inside", Cause.FAILURE, _is_closed


def _is_disguised(file: Inspection) -> bool:
    alike = any({file.claims, file.type} <= family for family in _ALIKE)
    return bool(file.claims) and file.claims != file.type and not alike


def _is_closed(file: Inspection) -> bool:
    """Whether text may be inside that nobody saw. What is encrypted has an outcome of its own."""
    return (bool(file.unreadable) or file.cut) and not file.encrypted
