"""What a package says, in the order in which people read it: drawn from the records that are handed over.

Rules of this file: pure, and it sees no store: what is withheld from a package cannot be in its reports,
because they are made of the package. `None` stands for what is withheld; "" for what is not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from bridge import words
from bridge.evidence import package
from bridge.evidence.disclosure import ALL, LOST, NOTHING, PART, QUOTE, Disclosure, Way, ways
from bridge.evidence.exhibits import Case, Exhibit, Life, Making, Place
from bridge.evidence.package import Record
from bridge.evidence.phrases import phrase, term
from bridge.ledger.tree import leaf_hash
from bridge.message import SYMPHONY, WEIXIN, Annotation, Kind

UNTOLD = "untold"
"""What became of what a client wrote is in no copy of his."""


@dataclass(frozen=True, slots=True)
class Attached:
    """An attachment: what it was called (None: withheld), and the file in the package ("" if it is not
    there)."""

    name: str | None
    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Step:
    """One entry: when (milliseconds), what kind, its place and hash, and what it says in a few words.

    `person` and `reason` are of whoever acted; `withheld` names fields that are kept back.
    """

    at: int
    kind: str
    place: str
    leaf: str
    facts: str
    person: str | None
    reason: str | None
    withheld: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """One message: who said what to whom, what became of it, and every step on the way.

    `written` are the words as they were written, `delivered` as they were permitted to go to the reader (""
    if they were not), `arrived` how much of that did: NOTHING, PART, ALL, LOST, or UNTOLD. `below` is what
    they stood below there: the earlier message that they answer, replace or take back, as it reached its
    reader. `rules` are what the verdict rests on, `policies` are the files that decided, each by its name (""
    where that is withheld) and hash.
    """

    number: int
    why: str
    whole: bool
    network: str
    kind: str
    sent_at: int
    archived_at: int
    sender: str | None
    recipient: str | None
    quote: str | None
    written: str | None
    delivered: str | None
    arrived: str
    outcomes: tuple[str, ...]
    rules: tuple[str, ...] | None
    reason: str | None
    policies: tuple[tuple[str, str], ...]
    receipts: tuple[str, ...]
    files: tuple[Attached, ...]
    steps: tuple[Step, ...]
    below: str | None = ""


@dataclass(frozen=True, slots=True)
class Account:
    """The whole report. `query` and `reason` are None where they are kept back."""

    making: Making
    query: str | None
    reason: str | None
    counts: Mapping[str, int]
    exclusions: Sequence[Mapping[str, Any]]
    messages: tuple[Told, ...]
    roots: tuple[tuple[int, int, str], ...]
    partial: bool


def account(
    case: Case, making: Making, disclosure: Disclosure, found: Mapping[Place, Record], files: Sequence[str]
) -> Account:
    """The report of a case; `files` are the names of what is in the package."""
    pairs = {number: one for place in case.context for number, one in _pair(found[place])}
    named = dict(one for place in case.context for one in _policy(found[place]))
    earlier = _Earlier(case, disclosure, found)
    told = tuple(
        _told(case, life, disclosure, found, pairs.get(life.pair), files, named, making.language, earlier)
        for life in case.lives
    )
    hidden = disclosure.partial
    return Account(
        making=making,
        query=None if hidden else making.query,
        reason=None if hidden else making.reason,
        counts=package.counts(case, disclosure, found),
        exclusions=package.exclusions(case, disclosure, found),
        messages=told,
        roots=tuple((lane.number, lane.size, lane.note.split("\n")[2]) for lane in case.lanes),
        partial=hidden,
    )


def _pair(one: Record) -> Iterator[tuple[int, _Fields]]:
    entry = orjson.loads(one["entry"])
    if entry["kind"] == "pair:made":
        yield entry["facts"]["pair"], _Fields(one)


def _policy(one: Record) -> Iterator[tuple[str, str]]:
    entry = orjson.loads(one["entry"])
    if entry["kind"] == "policy:stored":
        yield entry["facts"]["sha256"], _Fields(one).get("file") or ""


class _Earlier:
    """By which permits messages of a package went out, for whoever answers, replaces or takes back one of
    them."""

    def __init__(self, case: Case, disclosure: Disclosure, found: Mapping[Place, Record]) -> None:
        self.found, self.disclosure = found, disclosure
        self._known: dict[str, tuple[_Fields, Way]] = {}
        for life in case.lives:
            said = _Fields(found[life.places[0]])
            self._known |= {way.permit: (said, way) for way in ways(case.about(life))}

    def above(self, said: _Fields, network: str, shown: Way, language: str) -> str | None:
        """The words that a message stood below where it arrived; "" where it is about no other, or nothing of
        that one had arrived by then."""
        named: str | None = said.get("replaces") or said.get("refers_to")
        if not named:
            return named  # None: even that is kept back
        if QUOTE in self.disclosure.things:
            return None
        if not shown.above:
            return ""
        known = self._known.get(shown.above)
        if known is None:
            return None if self.disclosure.messages else phrase("elsewhere", language)
        earlier, way = known
        verdict = _Fields(self.found[way.verdict] if way.verdict else None)
        text: str | None = verdict.get("text", earlier.get("text"))
        if text is None:
            return None
        return words.shortened(text) if network == SYMPHONY else words.visible(text)


def _deciding(entries: Sequence[Mapping[str, Any]], judged: Sequence[int]) -> list[str]:
    """The hashes of the policies that the last verdict rests on."""
    return entries[judged[-1]]["facts"]["policies"] if judged else []


class _Fields:
    """The fields of a record's content: None for what is withheld, a default for what is not there."""

    def __init__(self, one: Record | None) -> None:
        self.shown = package.disclosed(one) if one else {}
        self.withheld = package.withheld(one) if one else []

    def get(self, name: str, otherwise: Any = "") -> Any:
        """A field's value."""
        return None if name in self.withheld else self.shown.get(name, otherwise)


def _told(
    case: Case,
    life: Life,
    disclosure: Disclosure,
    found: Mapping[Place, Record],
    pair: _Fields | None,
    files: Sequence[str],
    named: Mapping[str, str],
    language: str,
    earlier: _Earlier,
) -> Told:
    entries = [orjson.loads(found[place]["entry"]) for place in life.places]
    first, said = entries[0], _Fields(found[life.places[0]])
    judged = [n for n, entry in enumerate(entries) if entry["kind"] == "message:judged"]
    last = _Fields(found[life.places[judged[-1]]]) if judged else _Fields(None)
    way = _way(list(case.about(life)))
    network = str(first["facts"].get("network", ""))
    ours = first["kind"] == "notice:archived"
    whole = life.number in disclosure.messages
    pair = None if whole else pair  # whose message it is that is kept back, is kept back
    return Told(
        number=life.number,
        why=life.why if life.why == "asked for" else f"{life.why} {life.root}",
        whole=whole,
        network=network,
        kind=str(first["facts"].get("kind", "notice" if ours else "")),
        sent_at=said.get("sent_at", 0) or 0,
        archived_at=first["at"],
        sender=None if whole else _sender(said, pair, ours, network),
        recipient=None if whole else _recipient(pair, ours, network),
        quote=said.get("quote"),
        written=said.get("text"),
        delivered=_delivered(way, said, found, pair) if way else "",
        arrived=way.arrived if way else UNTOLD if disclosure.client else NOTHING,
        outcomes=tuple(str(entries[n]["facts"]["outcome"]) for n in judged),
        rules=_rules(last, language),
        reason=last.get("reason"),
        policies=tuple((named.get(one, ""), one) for one in _deciding(entries, judged)),
        receipts=tuple(dict.fromkeys(one for permit in ways(case.about(life)) for one in permit.ids)),
        files=tuple(_files(life, said, found, files)),
        steps=tuple(_step(found[place], entry) for place, entry in zip(life.places, entries, strict=True)),
        below="" if way is None or ours or whole else earlier.above(said, network, way, language),
    )


def _sender(said: _Fields, pair: _Fields | None, ours: bool, network: str) -> str | None:
    """The sender's name; his address or id where there is none."""
    if ours:
        return "weighbridge"
    names = [said.get("sender_name"), _side(pair, network)]
    return next((name for name in names if name), None if None in names else said.get("sender"))


def _recipient(pair: _Fields | None, ours: bool, network: str) -> str | None:
    return "" if ours else _side(pair, "weixin" if network == "symphony" else "symphony")


def _side(pair: _Fields | None, network: str) -> str | None:
    return pair.get("advisor_name" if network == "symphony" else "contact_name") if pair else ""


def _way(life: Sequence[Exhibit]) -> Way | None:
    """The permit by which most arrived, the last one of these; None where nothing was permitted."""
    found = ways(life)
    most = (way for how in (ALL, PART, LOST, NOTHING) for way in found[::-1] if way.arrived == how)
    return next(most, None)


def _delivered(way: Way, said: _Fields, found: Mapping[Place, Record], pair: _Fields | None) -> str | None:
    """The words that were permitted to go to the reader: what the verdict let out, with the marks that the
    permit carries and the firm's texts below. A verdict that changed nothing does not repeat the words, and
    is in no client's copy."""
    written = said.get("text")
    verdict = _Fields(found[way.verdict] if way.verdict else None)
    text = verdict.get("text", written)
    below = verdict.get("annotations", [])
    if text is None or below is None:
        return None
    side = "contact_language" if way.network == WEIXIN else "advisor_language"
    language = (pair.get(side) if pair else "") or "en"
    kind = Kind(said.get("kind", "text") or "text")
    annotations = [Annotation(one["key"], one["text"]) for one in below]
    return words.compose(kind, text, way.marks, language, "", annotations=annotations).text


def _rules(verdict: _Fields, language: str) -> tuple[str, ...] | None:
    """The rules that found something, those first that had an effect."""
    matches = verdict.get("matches", [])
    if matches is None:
        return None
    ordered = sorted(matches, key=lambda one: not one.get("enforced", True))
    return tuple(_rule(one, language) for one in ordered)


def _rule(match: Mapping[str, Any], language: str) -> str:
    spans = ", ".join(f"{start}-{end}" for start, end in match.get("spans", ()))
    outcome = term(match["outcome"], language)
    parts = [f"{match['policy']}/{match['rule']}: {match['title']} ({outcome})"]
    parts += [f"{term('characters', language)} {spans}"] if spans else []
    parts += [term("without effect", language)] if not match.get("enforced", True) else []
    return ", ".join(parts)


def _files(
    life: Life, said: _Fields, found: Mapping[Place, Record], files: Sequence[str]
) -> Iterator[Attached]:
    offered = said.get("files", [])
    by_number = {file.number: file for file in life.files}
    for number in range(max(len(offered or ()), len(life.files))):
        known = offered[number]["name"] if offered and number < len(offered) else None
        file = by_number.get(number)
        name = package.file_name(life, file) if file else ""
        digest = (_Fields(found[file.place]).get("sha256") or "") if file else ""
        yield Attached(known, name if name in files else "", digest)


def _step(one: Record, entry: Mapping[str, Any]) -> Step:
    fields = _Fields(one)
    facts = {name: value for name, value in entry["facts"].items() if name not in ("message", "policies")}
    return Step(
        at=entry["at"],
        kind=entry["kind"],
        place=f"{entry['lane']}/{entry['seq']}",
        leaf=leaf_hash(one["entry"].encode()).hex(),
        facts=", ".join(f"{name} {_short(name, value)}" for name, value in facts.items()),
        person=fields.get("person"),
        reason=fields.get("reason") if entry["kind"] != "message:judged" else "",
        withheld=tuple(fields.withheld),
    )


def _short(name: str, value: Any) -> str:
    if name == "until" and isinstance(value, int):
        return f"{datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%d %H:%M} UTC"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
