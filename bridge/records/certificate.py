"""The certificate of completeness: what came in on a day, where it went, and what is not as it should be.

Rules of this file: pure. A certificate is a value; its canonical JSON (keys sorted, no white space, ASCII,
whole numbers) is what the ledger has the digest of, and what is signed, inside a note (C2SP signed-note) that
repeats it in words. Whoever has the public key can check all of it; `read` takes no note whose words say
anything else than its JSON. It holds numbers, ids and digests, and nothing that people wrote.

    weighbridge/5b1c4e1a0c77d2e9/0                     origin: which house
    weighbridge certificate of completeness, version 1

    2026-11-21  run 1 ...                              the words

    {"alerts":[],...}                                  the value

    — weighbridge/5b1c4e1a0c77d2e9/0 Az3grl...         the signature
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from bridge.ledger.checkpoint import Signer, Verifier, opened_note

VERSION = 1
TITLE = f"weighbridge certificate of completeness, version {VERSION}"

MOST = 10_000
"""Items of a list that a certificate has at most; the count is always of all."""

COUNTS = (
    *("collected", "archived", "duplicate", "invalid", "failed", "unprocessed", "excluded", "unasked"),
    *("missing", "surplus", "altered", "reordered"),
)
"""What is counted of every source, sink and kind of export, in the order in which it is told."""


@dataclass(frozen=True, slots=True)
class Account:
    """One source, sink or the exports: how many of what, by the words of `COUNTS`.

    `first` and `last` are the numbers of the first and last message that this is about, 0 where it is about
    none; every message between them that is in no list of the account was archived.
    """

    kind: str  # source, sink, export
    name: str
    counts: Mapping[str, int]
    first: int = 0
    last: int = 0


class Finding(NamedTuple):
    """One thing that somebody has to look at: the list it stands in ("fault source missing", "alert"), what
    it says, whole, and how many items it stands for."""

    name: str
    item: str
    count: int = 1

    @property
    def differs(self) -> bool:
        """Whether something is missing, altered, or there without a right to be."""
        return self.name.startswith("fault ")


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a run found. Times are milliseconds, UTC; the span is `since` <= time < `until`.

    `head` is the ledger's size and root (hex) when it was read. `entries` are the places of the ledger that
    the span has, from the first up to but without the last: where it ends, the next day begins; `written` the
    earliest and the latest time that stands in them, 0 and 0 where there are none.

    `lists` has, by name ("source symphony
    missing", "archive altered"), what stands behind a count. `unasked` says what a source could not be asked
    for, `alerts` what is unusual, `canaries` what was tried on purpose and what came of it, `capture` by
    network how long it was not read at most (seconds), `quiet` which networks had nothing to say. `closed`
    are the networks that were not asked at all; `partial` says that the span had not ended; `earlier` has a
    line for each run of the same day before this one, so that a later run hides nothing. `gaps` is how many
    of `unasked` are conversations or times of networks that were asked.
    """

    day: str
    run: int
    since: int
    until: int
    made_at: int
    head: tuple[int, str]
    accounts: tuple[Account, ...] = ()
    lists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    totals: Mapping[str, int] = field(default_factory=dict)
    unasked: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    canaries: Mapping[str, str] = field(default_factory=dict)
    capture: Mapping[str, int] = field(default_factory=dict)
    quiet: tuple[str, ...] = ()
    hits: Mapping[str, int] = field(default_factory=dict)
    closed: tuple[str, ...] = ()
    partial: bool = False
    earlier: tuple[str, ...] = ()
    gaps: int = 0
    entries: tuple[int, int] = (0, 0)
    written: tuple[int, int] = (0, 0)
    v: int = VERSION

    @property
    def faults(self) -> int:
        """How many items are not as they should be."""
        return sum(count for name, count in self.totals.items() if name.startswith("fault "))

    @property
    def broken(self) -> bool:
        """Whether something is missing, altered, or there without a right to be."""
        return self.faults > 0

    @property
    def failed(self) -> list[str]:
        """The canaries that did not come back."""
        return [name for name, said in self.canaries.items() if said != "well"]

    @property
    def findings(self) -> frozenset[Finding]:
        """What is to be looked at, item by item, and how many there are beside those that are listed."""
        faults = {name: items for name, items in self.lists.items() if name.startswith("fault ")}
        found = {Finding(name, item) for name, items in faults.items() for item in items}
        more = {name: self.totals.get(name, 0) - len(items) for name, items in faults.items()}
        cut = {Finding(name, f"{some} more, in no list", some) for name, some in more.items() if some > 0}
        alerts = {Finding("alert", one) for one in self.alerts}
        canaries = {Finding("canary", f"{name}: {self.canaries[name]}") for name in self.failed}
        return frozenset(found | cut | alerts | canaries)

    @property
    def thorough(self) -> bool:
        """Whether it is of all of its span, and every network was asked for all of it: what it does not find
        any more is not there any more."""
        return not (self.closed or self.gaps or self.partial)

    @property
    def clean(self) -> bool:
        """Whether nothing at all is to be looked at."""
        return not (self.faults or self.alerts or self.failed or self.closed or self.partial)

    def canonical(self) -> bytes:
        """The bytes that everybody makes of it again."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()

    def digest(self) -> str:
        """SHA-256 of the canonical bytes, hex."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def words(self) -> str:
        """The same for people."""
        return "\n".join(_words(self))


_TUPLES = ("head", "entries", "written", "unasked", "alerts", "quiet", "closed", "earlier")


def from_value(value: Mapping[str, Any]) -> Certificate:
    """The certificate whose JSON this is. Raises ValueError when it is none of this version."""
    if value.get("v") != VERSION:
        raise ValueError("is no certificate of a version known here")
    try:
        accounts = tuple(Account(**one) for one in value["accounts"])
        rest = {name: tuple(value[name]) for name in _TUPLES}
        return Certificate(**{**value, **rest, "accounts": accounts})
    except (KeyError, TypeError):
        raise ValueError("is no certificate: its fields are others") from None


def signed(certificate: Certificate, signer: Signer, lane: int = 0) -> str:
    """The certificate as a signed note."""
    data = certificate.canonical().decode()
    return signer.note(lane, f"{signer.origin(lane)}\n{TITLE}\n\n{certificate.words()}\n\n{data}\n")


def read(note: str, verifiers: Sequence[Verifier]) -> Certificate:
    """The certificate in a note that one of these keys signed. Raises ValueError saying what is wrong."""
    text = opened_note(note, verifiers)
    origin, title, *_ = [*text.split("\n"), "", ""]
    if title != TITLE:
        raise ValueError("is a signed note, but no certificate of completeness of this version")
    data = text.rstrip("\n").rpartition("\n")[2]
    try:
        certificate = from_value(orjson.loads(data))
    except orjson.JSONDecodeError:
        raise ValueError("has no value that can be read below its words") from None
    if text != f"{origin}\n{TITLE}\n\n{certificate.words()}\n\n{certificate.canonical().decode()}\n":
        raise ValueError("says in words what its value does not say")
    return certificate


class Look(NamedTuple):
    """What one run of a day found, whether what it did not find is not there any more, and whether somebody
    has said why it found that."""

    findings: frozenset[Finding]
    thorough: bool
    settled: bool


def standing(looks: Iterable[Look]) -> tuple[set[Finding], set[Finding]]:
    """What stands of a day after runs, in their order, and what stands no more because somebody said why.

    Whatever a run found stands until a thorough one finds it no longer. What was gone since, and is back,
    stands again.
    """
    found: set[Finding] = set()
    explained: set[Finding] = set()
    for look in looks:
        if look.thorough:
            found, explained = set(), explained & look.findings
        found |= look.findings
        if look.settled:
            explained |= found
    return found - explained, explained


# --- words ----------------------------------------------------------------------------------------------


def moment(at: int) -> str:
    """A time for people, UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _words(one: Certificate) -> Iterator[str]:
    yield f"{one.day}  run {one.run}, made {moment(one.made_at)}"
    yield f"from {moment(one.since)} to {moment(one.until)}"
    yield f"ledger of {one.head[0]} entries, root {one.head[1]}"
    first, last = one.entries
    if last > first:
        times = " to ".join(map(moment, one.written))
        yield f"of these, entries {first} to {last - 1}, written {times}"
    yield f"result: {result(one)}"
    for account in one.accounts:
        yield ""
        numbers = f", messages {account.first} to {account.last}" if account.last else ""
        yield f"{account.kind} {account.name}{numbers}"
        yield from (f"  {name:<12}{account.counts[name]:>12}" for name in COUNTS if name in account.counts)
    for title, lines in _lists(one):
        yield ""
        yield title
        yield from (f"  {line}" for line in lines)


def result(one: Certificate) -> str:
    """The outcome in a line."""
    parts = []
    if one.faults:
        parts.append(f"{one.faults} differences")
    if one.failed:
        parts.append(f"{len(one.failed)} canaries did not come back")
    if one.alerts:
        parts.append(f"{len(one.alerts)} alerts")
    if one.closed:
        parts.append(f"not asked: {', '.join(one.closed)}")
    if one.partial:
        parts.append("only of a part: the day had not ended")
    return ", ".join(parts) or "nothing is missing, nothing was changed"


def _lists(one: Certificate) -> Iterator[tuple[str, list[str]]]:
    for name, items in sorted(one.lists.items()):
        count = one.totals.get(name, len(items))
        more = f", the first {len(items)} of them" if count > len(items) else ""
        yield f"{name}: {count}{more}", list(items)
    if one.earlier:
        yield "earlier runs of the same day", list(one.earlier)
    if one.unasked:
        yield "could not be asked for", list(one.unasked)
    if one.alerts:
        yield "alerts", list(one.alerts)
    if one.canaries:
        yield "canaries", [f"{name}: {said}" for name, said in sorted(one.canaries.items())]
    if one.capture:
        lags = [f"{name}: not read for {seconds} s at most" for name, seconds in sorted(one.capture.items())]
        yield "capture", lags
    if one.quiet:
        yield "read all day, and nothing was said", list(one.quiet)
