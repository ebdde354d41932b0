"""What of a case is shown and what is kept back: field by field, or whole messages.

Rules of this file: pure, and careful. A person names what is to be kept back (`text`, `sender_name`, ...); a
field is kept back when it may contain any of it, so the table says of every field what it may contain, and a
field that it does not know may contain everything. Entries of the ledger are always shown: they hold no
content, and without them nothing could be proven. What they say (times, kinds, sizes, the networks' ids of
receipts) cannot be kept back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bridge.errors import Conflict
from bridge.evidence.exhibits import Case, Exhibit, Life, Place
from bridge.ledger.content import RAW as RAW_FIELD
from bridge.ledger.content import WHOLE

TEXT, QUOTE, NAME, ADDRESS, ID, FILE, RULE, POLICY, PERSON, RAW = (
    *("text", "quote", "name", "address", "id", "file", "rule", "policy", "person", "raw"),
)
"""What a field may contain: words, somebody's earlier words, names, addresses, the networks' ids of people,
what is attached, what rules found, policies, staff who acted, and the bytes that the network sent."""

EVERYTHING = frozenset({TEXT, QUOTE, NAME, ADDRESS, ID, FILE, RULE, POLICY, PERSON, RAW})

NAMES: Mapping[str, frozenset[str]] = {
    "text": frozenset({TEXT, QUOTE}),
    "quote": frozenset({QUOTE}),
    "sender_name": frozenset({NAME}),
    "address": frozenset({ADDRESS}),
    "sender": frozenset({ID}),
    "names": frozenset({NAME, ADDRESS, ID}),
    "files": frozenset({FILE}),
    "matches": frozenset({RULE}),
    "policies": frozenset({POLICY}),
    "reviewers": frozenset({PERSON}),
    "raw": frozenset({RAW}),
}
"""What a person may name, and what is kept back then."""

_ANYBODY = frozenset({NAME, ADDRESS, ID})
_SAID = _ANYBODY | {TEXT, QUOTE, FILE, PERSON}
"""What somebody may have put into a sentence of his own."""

_NOTHING: frozenset[str] = frozenset()

_MESSAGE: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("network", "kind", "sent_at", "id", "replaces", "refers_to"), _NOTHING),
    "conversation": frozenset({ID}),
    "sender": frozenset({ID}),
    "sender_name": frozenset({NAME}),
    "address": frozenset({ADDRESS}),
    "text": frozenset({TEXT}),
    "quote": frozenset({QUOTE, TEXT}),
    "files": frozenset({FILE}),
    "defect": frozenset({TEXT}),
}
_VERDICT: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        ("outcome", "cause", "waits", "queue", "decide_within", "if_late", "gated", "engine", "lists"),
        _NOTHING,
    ),
    **dict.fromkeys(
        ("tell", "ask", "annotations", "agreed", "policies", "archives", "after_archives"), _NOTHING
    ),
    **dict.fromkeys(("tags", "samples", "retention", "legal_holds"), frozenset({RULE})),
    "text": frozenset({TEXT}),
    "matches": frozenset({RULE, TEXT}),
    "reason": frozenset({RULE}),
    "directory": _ANYBODY,
    "known": frozenset({ADDRESS, PERSON}),
    "notify": frozenset({ADDRESS, PERSON}),
}
_FOUND: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        (
            "type",
            "claims",
            "size",
            "encrypted",
            "macros",
            "cut",
            "unreadable",
            "scanned",
            "virus",
            "sha256",
            "name",
        ),
        frozenset({FILE}),
    ),
    "text": frozenset({FILE, TEXT}),
}
_PAIR: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("advisor", "stream", "contact"), frozenset({ID})),
    **dict.fromkeys(("advisor_name", "contact_name"), frozenset({NAME})),
    **dict.fromkeys(("advisor_address", "contact_address"), frozenset({ADDRESS})),
    **dict.fromkeys(("advisor_language", "contact_language"), _NOTHING),
    **dict.fromkeys(("advisor_tags", "contact_tags"), frozenset({RULE, NAME})),
}
_STORED: Mapping[str, frozenset[str]] = dict.fromkeys(
    ("file", "size", "lists", "changed", "(raw)"), frozenset({POLICY})
)
_ACT: Mapping[str, frozenset[str]] = {
    "person": frozenset({PERSON}),
    "reason": _SAID,
    "finding": _SAID,
    "as_written": _NOTHING,
    "policies": _NOTHING,
    "gate": _NOTHING,
    "contact": frozenset({ID}),
}

CONTAINS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "message:archived": _MESSAGE,
    "notice:archived": {**_MESSAGE, "conversation": frozenset({ID, ADDRESS})},
    "message:judged": _VERDICT,
    "file:archived": _FOUND,
    "pair:made": {**_ACT, **_PAIR},
    "policy:stored": _STORED,
}
"""By kind of entry: what each field of its content may contain. Other kinds are acts of people."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What is kept back: `things` everywhere, and of `messages` all content."""

    things: frozenset[str] = frozenset()
    messages: frozenset[int] = frozenset()
    closed: frozenset[Place] = field(default_factory=frozenset)

    @property
    def partial(self) -> bool:
        """Whether anything is kept back at all."""
        return bool(self.things or self.messages)

    def shows(self, exhibit: Exhibit, name: str) -> bool:
        """Whether this field of an exhibit's content is shown."""
        return exhibit.place not in self.closed and not (may_contain(exhibit, name) & self.things)

    def shows_files(self, life: Life) -> bool:
        """Whether a message's attachments are in the package."""
        return FILE not in self.things and life.number not in self.messages


def may_contain(exhibit: Exhibit, name: str) -> frozenset[str]:
    """What a field of an exhibit's content may contain: the raw bytes have whatever the fields beside them
    have, and so has a body that is not written field by field."""
    table = CONTAINS.get(exhibit.entry.kind, _ACT)
    if name in table:
        return table[name]
    if name == RAW_FIELD and exhibit.entry.kind == "message:archived":
        names = {name for name, _ in exhibit.pieces}
        quotes = names & {"quote", "refers_to", "defect", WHOLE}
        return EVERYTHING - {RULE, POLICY, PERSON} - (set() if quotes else {QUOTE})
    return EVERYTHING


def named(words: Iterable[str]) -> tuple[frozenset[str], frozenset[int]]:
    """Things and messages from what a person names: "text", "message:17". Raises Conflict for anything
    else."""
    things: set[str] = set()
    messages: set[int] = set()
    for word in words:
        kind, _, number = word.partition(":")
        if word in NAMES:
            things |= NAMES[word]
        elif kind == "message" and number.isascii() and number.isdigit():
            messages.add(int(number))
        else:
            known = ", ".join(sorted(NAMES))
            raise Conflict(f"{word!r} cannot be blacked out: write message:17, or one of {known}")
    return frozenset(things), frozenset(messages)


def disclosing(case: Case, things: frozenset[str], messages: frozenset[int]) -> Disclosure:
    """The disclosure of a case. With a message, all that is here on its account is kept back: edits, recalls
    and notices; and quotations everywhere, because a quotation may be of it. What belongs to several messages
    (who was paired) stays while one of them is shown.

    Raises Conflict when one of `messages` is not in the case.
    """
    roots = {life.root for life in case.lives if life.number in messages}
    if absent := sorted(messages - {life.number for life in case.lives}):
        raise Conflict(f"message {absent[0]} cannot be blacked out: it is not among those asked for")
    hidden = {life.number for life in case.lives if life.root in roots or life.number in messages}
    shown = [life for life in case.lives if life.number not in hidden]
    closed = {place for life in case.lives if life.number in hidden for place in life.places}
    closed -= {place for life in shown for place in life.places}
    open_pairs = {life.pair for life in shown}
    closed |= {place for place in case.context if _of_pair(case.exhibits[place]) - open_pairs}
    quoting = {QUOTE} if hidden else set()
    return Disclosure(things | quoting, frozenset(hidden), frozenset(closed))


def _of_pair(exhibit: Exhibit) -> set[int]:
    """The number of the pair that an exhibit is about; nothing for any other."""
    number = exhibit.entry.facts.get("pair")
    return {number} if isinstance(number, int) else set()
