"""What of a case is shown and what is kept back: field by field, or whole messages.

Rules of this file: pure, and careful. A person names what is to be kept back (`text`, `sender_name`, ...); a
field is kept back when it may contain any of it, so the table says of every field what it may contain, and a
field that it does not know may contain everything. Entries of the ledger are always shown: they hold no
content, and without them nothing could be proven. What they say (times, kinds, sizes, the networks' ids of
receipts) cannot be kept back."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from bridge.errors import Conflict
from bridge.evidence.exhibits import Case, Exhibit, Life, Place
from bridge.ledger.content import RAW as RAW_FIELD
from bridge.ledger.content import WHOLE
from bridge.ledger.entry import Entry
from bridge.message import SYMPHONY, Kind

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
    """What is kept back: `things` everywhere, of `messages` all content, at some places `more` things, and at
    some every field but those named in `only`. `client`: it is a copy for a client; `wordless` are the
    messages whose words it lacks, because the verdict by which they reached him tells too much."""

    things: frozenset[str] = frozenset()
    messages: frozenset[int] = frozenset()
    closed: frozenset[Place] = field(default_factory=frozenset)
    more: Mapping[Place, frozenset[str]] = field(default_factory=dict)
    only: Mapping[Place, frozenset[str]] = field(default_factory=dict)
    client: bool = False
    wordless: frozenset[int] = frozenset()

    @property
    def partial(self) -> bool:
        """Whether anything is kept back at all."""
        return bool(self.things or self.messages or self.more)

    def shows(self, exhibit: Exhibit, name: str) -> bool:
        """Whether this field of an exhibit's content is shown."""
        kept = self.things | self.more.get(exhibit.place, frozenset())
        told = name in self.only.get(exhibit.place, (name,))
        return told and exhibit.place not in self.closed and not (may_contain(exhibit, name) & kept)

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


# --- what reached the other network ---------------------------------------------------------------------

NOTHING, PART, ALL, LOST = "nothing", "part", "all", "lost"
"""How much of what was permitted the other network took. LOST: all, and it said later that a part of it, or
the whole, never arrived."""

_LET_OUT = ("delivery:sent", "delivery:found")


@dataclass(frozen=True, slots=True)
class Way:
    """One permit: by which verdict it was made (None: it is not here), into which network, with which
    marks, how much arrived, and the network's ids of that."""

    verdict: Place | None
    network: str
    marks: tuple[str, ...] = ()
    arrived: str = NOTHING
    ids: tuple[str, ...] = ()
    permit: str = ""  # the subject of its entries
    above: str = ""  # the subject of the entries of the permit whose words stood above what arrived


def ways(life: Iterable[Exhibit]) -> list[Way]:
    """The permits of a message in order, as the entries of its life say."""
    verdict: Place | None = None
    found: dict[str, Way] = {}
    for one in life:
        entry = one.entry
        if entry.kind == "message:judged":
            verdict = one.place
        elif entry.kind == "delivery:permitted":
            marks = tuple(str(entry.facts.get("marks", "")).split())
            found[entry.subject] = Way(
                verdict, str(entry.facts.get("network", "")), marks, permit=entry.subject
            )
        elif way := found.get(entry.subject):
            ids = dict.fromkeys((*way.ids, *_ids(entry)))
            arrived, above = _arrived(entry, way.arrived), _above(entry) or way.above
            found[entry.subject] = replace(way, arrived=arrived, ids=tuple(ids), above=above)
    return list(found.values())


def _arrived(entry: Entry, before: str) -> str:
    """How much has arrived by this entry about a permit, and by those before it."""
    if entry.kind in _LET_OUT:
        return ALL
    if entry.kind == "delivery:failed":
        return LOST
    return PART if before == NOTHING and _ids(entry) else before


def _above(entry: Entry) -> str:
    """The permit whose words stood above what the network had taken by this entry, as `Way.permit`."""
    above = entry.facts.get("above")
    return f"delivery/{above}" if above else ""


def _ids(entry: Entry) -> tuple[str, ...]:
    """The network's ids of what it had taken by this entry."""
    found = entry.facts.get("ids")
    return tuple(map(str, found)) if isinstance(found, list) else ()


# --- a client's copy ------------------------------------------------------------------------------------

_WORDS = NAMES["text"]


def as_client(case: Case, disclosure: Disclosure) -> Disclosure:
    """The same, and nothing that a client on the other network neither wrote nor was shown.

    Of what others wrote, the words are those of the verdict by which they reached him; what they were before
    something was masked is kept back, with the bytes that the network sent, and so are the files of what
    reached him in part: nobody knows whether they did. What never reached him, and what
    the bridge told the firm's people, is kept back whole. Of his own messages, what others got to see is."""
    shown, unseen, more = set[Place](), [], dict[Place, frozenset[str]]()
    for life in case.lives:
        if life.number in disclosure.messages:
            continue
        kept = _kept_from_client(list(case.about(life)))
        if kept is None:
            unseen.append(life)
        else:
            shown.update(life.places)
            more |= kept
    closed = {place for life in unseen for place in life.places} - shown
    return replace(
        disclosure,
        messages=disclosure.messages | {life.number for life in unseen},
        closed=disclosure.closed | closed,
        more=more,
    )


def _kept_from_client(life: list[Exhibit]) -> Mapping[Place, frozenset[str]] | None:
    """By place in a message's life: what is kept back there. None: all of it."""
    first, ours = life[0], life[0].entry.facts.get("network") == SYMPHONY
    told = first.entry.kind == "notice:archived"
    judged = [one for one in life if one.entry.kind == "message:judged"]
    if _is_own(first):
        return {one.place: _WORDS for one in judged if not _as_written(one, first)}
    reached = {way.verdict: way.arrived for way in ways(life) if way.arrived in (PART, ALL)}
    if not reached or told == ours:
        return None  # also what a network tells the bridge, in a client's name
    shown = [one for one in judged if one.place in reached]
    files = frozenset() if ALL in reached.values() else frozenset({FILE})
    kept = {one.place: _WORDS for one in judged if one not in shown}
    whole = all(_as_written(one, first) for one in shown)
    found = {one.place: files for one in life if one.entry.kind == "file:archived" and files}
    return kept | found | {first.place: files | (NAMES["quote"] if whole else _WORDS)}


# Entries that say what the firm did with what is his are not: that it was held, that it was stopped.
_PAIR_AS_SHOWN = frozenset({"contact_name", "contact_language", "advisor_language"})
_VERDICT_AS_SHOWN = frozenset({"outcome", "text", "annotations"})
_TELLING = frozenset({"legal_holds", "samples", "queue", "tags"})
"""Fields and facts that only some verdicts have: that there is one, withheld or not, says that somebody looks
at the message."""


def clients_part(
    case: Case, own: Container[int], things: frozenset[str], hidden: frozenset[int]
) -> tuple[Case, Disclosure]:
    """What a client's copy is made of: of the messages of his conversation (`own`) those that he wrote or was
    shown, of each the entries by which that is proven, and what of these is shown. All else is not there at
    all, so that nobody can count it: neither what others wrote or were told, nor what was stopped on its way.
    What a person keeps back of his is there, and said to be withheld.

    Raises Conflict when one of `hidden` is not in the case, or nothing of it is his.
    """
    whole = disclosing(case, things, hidden)
    his = _reduced(case, [life for life in case.lives if life.number in own])
    seen = as_client(his, disclosing(his, things, frozenset()))
    known = [_as_known(his, life) for life in his.lives if life.number not in seen.messages]
    lives = [life for life in known if his.exhibits[life.places[0]].body is not None]
    if not lives:
        raise Conflict("the client neither wrote nor was shown any of these messages")
    part = _reduced(his, lives)
    kept = disclosing(part, whole.things, whole.messages & {life.number for life in lives})
    theirs = [life for life in lives if not _is_own(part.exhibits[life.places[0]])]
    more = {place: more for place, more in seen.more.items() if place in part.exhibits}
    wordless = {life.number for life in his.lives if _tells_too_much(_masking(list(his.about(life))))}
    for life in theirs:
        place = life.places[0]
        if life.number in wordless:
            more[place] = more.get(place, frozenset()) | _WORDS
        if part.exhibits[place].entry.facts.get("network") == SYMPHONY:
            more[place] = more.get(place, frozenset()) | {ID, ADDRESS}
    spoke = {
        life.pair
        for life in theirs
        if part.exhibits[life.places[0]].entry.kind == "message:archived" and life.number not in kept.messages
    }
    only = {
        place: _VERDICT_AS_SHOWN for place, one in part.exhibits.items() if one.entry.kind == "message:judged"
    }
    for place in part.context:
        named = {"advisor_name"} if _of_pair(part.exhibits[place]) & spoke else set()
        only[place] = _PAIR_AS_SHOWN | named
    lacking = frozenset(life.number for life in theirs if life.number in wordless)
    return part, replace(kept, more=more, only=only, client=True, wordless=lacking - kept.messages)


def _reduced(case: Case, lives: Sequence[Life]) -> Case:
    """A case of these lives alone, and of who was paired in them."""
    here = {life.number for life in lives}
    alone = tuple(
        life if life.root in here else replace(life, root=life.number, why="asked for") for life in lives
    )
    pairs = {life.pair for life in alone}
    places = {place for life in alone for place in life.places}
    places |= {
        place
        for place in case.context
        if case.exhibits[place].entry.kind == "pair:made" and _of_pair(case.exhibits[place]) & pairs
    }
    exhibits = {place: one for place, one in case.exhibits.items() if place in places}
    lanes = {lane for lane, _ in exhibits}
    return Case(exhibits, alone, tuple(lane for lane in case.lanes if lane.number in lanes))


def _is_own(first: Exhibit) -> bool:
    """Whether a client wrote a message himself: his network's remarks and reports he did not."""
    facts = first.entry.facts
    written = first.entry.kind == "message:archived" and facts.get("kind") not in (Kind.NOTE, Kind.FAILED)
    return written and facts.get("network") != SYMPHONY


def _as_known(case: Case, life: Life) -> Life:
    """A life as a client knows it: of what he wrote that he wrote it; of the rest that it reached him, and,
    where it was masked or a text added, by which verdict."""
    about = list(case.about(life))
    kinds = {"file:archived"} | ({"file:missing"} if _is_own(about[0]) else set())
    came = [] if _is_own(about[0]) else [way for way in ways(about) if way.arrived in (PART, ALL)]
    masking, arrived = _masking(about), {way.permit: way.arrived for way in came}
    verdicts = set() if _tells_too_much(masking) else {one.place for one in masking}
    places = [
        one.place
        for one in about
        if one is about[0]
        or one.entry.kind in kinds
        or one.place in verdicts
        or _tells_arrival(one.entry, arrived.get(one.entry.subject, NOTHING))
    ]
    return replace(life, places=tuple(places))


def _masking(life: Sequence[Exhibit]) -> Sequence[Exhibit]:
    """The verdicts by which a message reached a client, if without them nobody could see what he was shown:
    words were masked, or a text was added. None of his own messages has any."""
    if _is_own(life[0]):
        return ()
    came = {way.verdict for way in ways(life) if way.arrived in (PART, ALL)}
    found = [one for one in life if one.place in came]
    changed = any(not _as_written(one, life[0]) or "annotations" in _said(one) for one in found)
    return found if changed else ()


def _tells_too_much(verdicts: Iterable[Exhibit]) -> bool:
    """Whether the names alone of what verdicts say tell a client that the firm looks at a message."""
    return any(_TELLING & {*one.entry.facts, *dict(one.pieces)} for one in verdicts)


def _tells_arrival(entry: Entry, arrived: str) -> bool:
    """Whether an entry is needed to see that something of a permit arrived, all of it or a part."""
    if arrived == NOTHING:
        return False
    told = entry.kind in _LET_OUT if arrived == ALL else bool(_ids(entry))
    return told or entry.kind == "delivery:permitted"


def _as_written(verdict: Exhibit, archived: Exhibit) -> bool:
    """Whether a verdict let the words out as they were archived."""
    written = _said(archived).get("text", "")
    return bool(_said(verdict).get("text", written) == written)


def _said(exhibit: Exhibit) -> Mapping[str, object]:
    """What an exhibit's content says; nothing where there is none any more."""
    said: Mapping[str, object] = orjson.loads(exhibit.body) if exhibit.body else {}
    return said
