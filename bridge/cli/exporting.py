"""From a question to a folder that holds the answer: read, written part by part, proven, recorded.

Rules of this file: order is what matters here. Who is about to be handed what stands in the ledger before the
first file is begun, and that it was handed over before the manifest has its name; without that name there is
no export. Whatever is interrupted goes on behind the last finished part, about the same state of the record.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson

from bridge.cli.progress import Tell
from bridge.errors import ConfigError, Conflict, NotAllowed, StoreError
from bridge.records.addresses import may_lie
from bridge.records.exports import known, opened
from bridge.records.exports.manifest import (
    ARCHIVED_LATER,
    LATER,
    MADE_UP,
    MISSING,
    NAME,
    NOT_GIVEN,
    NOT_SHOWN,
    NOTE,
    OTHER_DAY,
    PENDING,
    Account,
    Terms,
    counted,
    counts,
    manifest,
    signed_text,
)
from bridge.records.exports.numbers import Numbers
from bridge.records.exports.packing import cut, packed
from bridge.records.exports.telling import said
from bridge.records.shown import NOT_REACHED, as_client, for_client
from bridge.records.transcript import CLIENT, Line, Request, Slice
from bridge.search.document import Document, Need, Span
from bridge.search.moments import YEAR_10000, written_at
from bridge.search.query import Query, parse
from bridge.store import exports
from bridge.store.attachments import Attachments
from bridge.store.documents import Stored
from bridge.store.exhibits import pairs_of
from bridge.store.exports import Prover, State
from bridge.store.looks import Looker
from bridge.store.parcel import Parcel, parcel
from bridge.store.searching import every
from bridge.store.talks import Naming, Talk
from bridge.store.transcripts import NEVER_HAD, Transcripts
from bridge.store.transcripts import PENDING as STILL_FETCHED
from bridge.store.vault import vault_of
from bridge.store.volume import PARTIAL, Part, Volume, add, on_disk, told

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from bridge.config import Settings
    from bridge.ledger.checkpoint import Signer
    from bridge.store.database import Database

Act = Callable[[Callable[["Database"], Any]], Any]
"""Does something to the store and gives its answer: `Root.act`."""

GONE = "record-gone"
"""The code of the warning that there is nothing to read of a message any more."""

UNSEEN = "the client neither wrote nor saw it"
UNKNOWN = "it is not known yet whether the client saw it"
"""Why a message is not in a client's copy of his own conversation."""

_CODES = {NEVER_HAD: NOT_GIVEN, STILL_FETCHED: PENDING, NOT_REACHED: NOT_SHOWN}
"""Codes of warnings, by why an attachment is not there."""

DAY = 86_400_000
CATCH_UP = 4 * DAY
"""How long after it was written a message may come, in milliseconds: Weixin has what is three days old."""

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for: who, which query read at what time (milliseconds), in which zone, on which terms;
    whether it is to be one ZIP file."""

    looker: Looker
    query: str
    at: int
    zone: str
    terms: Terms
    zipped: bool = False

    def parsed(self) -> Query:
        """The query, oldest first, read as it was when the export began."""
        zone = ZoneInfo(self.zone)
        found = parse(self.query, datetime.fromtimestamp(self.at / 1000, zone), zone)
        return replace(found, newest_first=False)

    def request(self, state: State) -> Request:
        """The same for formats. Its id follows from what is asked, not from when.

        A client's copy is not told who asked, for what and why: that may say what the copy keeps back, or
        that he is looked into. Its id does not follow from these either, or they could be guessed by it.
        """
        heads = {lane: (size, root.hex()) for lane, (size, root, _) in state.lanes.items()}
        asking, query = (Looker(""), "") if self.terms.client_copy else (self.looker, self.query)
        told = [asdict(asking), query, self.zone, asdict(self.terms), sorted(heads.items())]
        id = hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
        return Request(id, state.at, asking.person, asking.reason, asking.case, query, self.zone, heads)


@dataclass(frozen=True, slots=True)
class Made:
    """A finished export: its folder or ZIP file, its id, the digest of its manifest, its account; whether it
    is a client's copy."""

    place: Path
    id: str
    sha256: str
    account: Account
    copy: bool = False

    @property
    def lacking(self) -> list[str]:
        """The codes of warnings about what should have been handed over."""
        return sorted({code for code, _ in self.account.warned if code in (MISSING, PENDING, GONE)})


# --- beginning, and going on ----------------------------------------------------------------------------


def begin(act: Act, wanted: Wanted, folder: Path, signer: Signer) -> None:
    """Write down who is about to be handed what, and make the folder.

    Raises Conflict where something is, or for a client whom nobody knows by that name alone, Missing for what
    is not installed, and StoreError.
    """
    for path in (folder, zip_of(folder)):
        if path.exists():
            raise Conflict(f"{path} is there already: name another place with --out, or go on with --resume.")
    opened(known(wanted.terms.format))
    if client := wanted.terms.client:
        act(lambda store: store.read(lambda db: _pairs(db, client)))
    state: State = act(
        lambda store: store.write(
            lambda tx: exports.begin(tx, store.lane, wanted.looker, wanted.query, signer)
        )
    )
    lanes = [[lane, size, root.hex(), note] for lane, (size, root, note) in sorted(state.lanes.items())]
    Volume(folder, signer).begin({"wanted": asdict(wanted), "at": state.at, "lanes": lanes})


def _pairs(db: Connection, client: str) -> frozenset[int]:
    """The pairs of a client. Raises Conflict where there is none of this name, or there are several."""
    if found := pairs_of(db, client):
        return found
    raise Conflict(f"there is no contact {client!r}: give a name or an id.")


def resume(act: Act, folder: Path, looker: Looker, signer: Signer) -> None:
    """Write down who goes on with an export. Raises Conflict where there is none that was interrupted, or
    somebody is at it; Damaged where its journal is not as it was written."""
    with Volume(folder).held():
        wanted, _ = interrupted(folder, signer)
    act(lambda store: store.write(lambda tx: exports.go_on(tx, store.lane, looker, wanted.query)))


def interrupted(folder: Path, signer: Signer) -> tuple[Wanted, State]:
    """What an export was to be that is not finished. Raises Conflict where there is none, and Damaged."""
    head = Volume(folder, signer).lines()[0]
    fields = head["wanted"]
    fields |= {"looker": Looker(**fields["looker"]), "terms": Terms(**fields["terms"])}
    lanes = {lane: (size, bytes.fromhex(root), note) for lane, size, root, note in head["lanes"]}
    return Wanted(**fields), State(head["at"], lanes)


def zip_of(folder: Path) -> Path:
    """The ZIP file that a folder becomes."""
    return folder.with_name(f"{folder.name}.zip")


def finish(
    act: Act, db: Connection, settings: Settings, folder: Path, signer: Signer, looker: Looker, tell: Tell
) -> Made:
    """Write whatever is not written yet, and hand it over; `looker` is who does so.

    Raises NotAllowed when records may not leave their region: nothing is left then, and that it was refused
    is in the record. Raises StoreError and Damaged; what is finished stays, for another try.
    """
    with Volume(folder).held():
        return _finished(act, db, settings, folder, signer, looker, tell)


def _finished(
    act: Act, db: Connection, settings: Settings, folder: Path, signer: Signer, looker: Looker, tell: Tell
) -> Made:
    wanted, state = interrupted(folder, signer)
    work = _Work(db, settings, wanted, state, Volume(folder, signer))
    try:
        work.write(tell)
    except ConfigError:
        work.volume.discard()
        raise
    except NotAllowed:
        work.volume.discard()
        terms = wanted.terms
        region, body = terms.region, {"query": wanted.query, "format": terms.format, **_whose(terms)}
        act(
            lambda store: store.write(lambda tx: exports.record_refused(tx, store.lane, looker, region, body))
        )
        raise
    sha = work.close(signer)
    _record(act, work, looker, sha)
    work.settle()
    place = _zipped(folder) if wanted.zipped else folder
    return Made(place, work.request.id, sha, work.account, wanted.terms.client_copy)


def _record(act: Act, work: _Work, looker: Looker, sha: str) -> None:
    wanted, account = work.wanted, work.account
    looker = replace(looker, case=looker.case or wanted.looker.case)
    told = counts(account)
    facts: dict[str, Any] = {"id": work.request.id, "format": wanted.terms.format, "sha256": sha}
    facts |= {"messages": told["written"], "excluded": told["excluded"]}
    terms = wanted.terms
    body = {
        "query": wanted.query,
        "profile": terms.profile,
        "region": terms.region,
        "approval": terms.approval,
        **_whose(terms),
        "numbers": str(account.written),
        "counts": told,
        "exclusions": {reason: str(numbers) for reason, numbers in sorted(account.excluded.items())},
        "disposed": str(account.gone),
        "place": str(work.volume.folder),
    }
    act(lambda store: store.write(lambda tx: exports.record_made(tx, store.lane, looker, facts, body)))


def _whose(terms: Terms) -> dict[str, Any]:
    """Whose words alone were asked for ("" for everybody's), and whether they were for himself."""
    return {"client": terms.client, "copy": terms.client_copy}


# --- writing --------------------------------------------------------------------------------------------


class _Work:
    """One export while it is written."""

    def __init__(
        self, db: Connection, settings: Settings, wanted: Wanted, state: State, volume: Volume
    ) -> None:
        self.db, self.wanted, self.state, self.volume = db, wanted, state, volume
        self.request = wanted.request(state)
        self.known = known(wanted.terms.format)
        self.format = opened(self.known)
        self.walls = settings.exports.walls
        self.attachments = Attachments(settings.store.blobs, vault_of(db))
        naming = Naming(settings.exports.address_domain, settings.exports.origins)
        self.query = wanted.parsed()
        self.transcripts = Transcripts(
            db, naming, self.attachments, ZoneInfo(wanted.zone), self._has, copy=wanted.terms.client_copy
        )
        self.prover = Prover(db, state)
        client = wanted.terms.client
        self.pairs = _pairs(db, client) if client else None
        parts = volume.lines()[1:]
        self.account = volume.restore(parts)
        self.next: list[int] | None = parts[-1]["next"] if parts else [0, 0, 0, 0]
        self._positions: deque[list[int]] = deque()
        self._found, self._excluded = Numbers(), dict[str, Numbers]()

    def write(self, tell: Tell) -> None:
        """Write every part that is not there yet. Raises NotAllowed and StoreError."""
        if self.next is not None:
            for slices in packed(self._slices(tell), self.known.limits):
                self._part(slices)
        if self._found:  # what was found last, and excluded
            self._note(Part(self.volume, 0, self.account, self.attachments), ())

    def _slices(self, tell: Tell) -> Iterator[Slice]:
        """The slices from where to go on, each with its place remembered until it is written."""
        start = self.next or [0, 0, 0, 0]
        after, *_, latest = start
        found = every(self.db, None, self.query, tell, after)
        documents = (one for one in found if self.state.has(one.lane, one.entry))
        begun, pieces = -1, dict[str, int]()
        for run in self.transcripts.runs(documents, self._kept, after, latest=latest):
            if run.after != begun:
                begun, pieces = run.after, {}
            for place, one in enumerate(run.slices, run.place):
                whole = for_client(one, self._chat(one.key)) if self.wanted.terms.client_copy else one
                for number, piece in enumerate(cut(whole, self.known.limits)):
                    pieces[one.key] = pieces.get(one.key, run.base) + 1
                    at = [run.after, place, number, run.latest]
                    if at >= start:
                        self._positions.append(at)
                        yield replace(piece, piece=pieces[one.key])

    def _has(self, one: Stored) -> bool | None:
        """Whether a message that is about another one is found as well."""
        return self.query.accepts(one) if self.state.has(one.lane, one.entry) else None

    def _kept(self, line: Line, talk: Talk) -> Line | None:
        """A message as it is handed over; None where it is not, and then the account says why."""
        for numbers in (self.account.found, self._found):
            numbers.add(line.number)
        shown = self._shown(line)
        reason = self._barred(line, talk) or ("" if shown else UNKNOWN if line.unknown else UNSEEN)
        if reason or shown is None:
            self.account.exclude(line.number, reason)
            self._excluded.setdefault(reason, Numbers()).add(line.number)
            return None
        return shown

    def _shown(self, line: Line) -> Line | None:
        """A message as whoever gets the export is shown it; None where a client neither wrote nor saw it."""
        return as_client(line, self.transcripts.naming.domain) if self.wanted.terms.client_copy else line

    def _chat(self, key: str) -> str:
        """What a client's conversation is called in his copy: the firm's numbers count those of others."""
        talks = self.transcripts.talks.of_pair
        keys = sorted({talks[pair].key for pair in self.pairs or () if pair in talks})
        return f"chat/{keys.index(key) + 1}"

    def _barred(self, line: Line, talk: Talk) -> str:
        terms = self.wanted.terms
        if self.pairs is not None and not talk.pairs & self.pairs:
            return "of another client"
        if may_lie(line.origin, self.walls, terms.region, terms.approval):
            return ""
        if terms.leave_out:
            return f"region {line.origin}: no approval"
        where = f"to {terms.region}" if terms.region else "to a region that nobody named"
        raise NotAllowed(
            f"message {line.number} is of region {line.origin} and may not go {where}: name the region with "
            "--to-region, the approval with --approval, or leave such messages out with --leave-out."
        )

    def _part(self, slices: Sequence[Slice]) -> None:
        """Write one part with its proofs, and note that it is finished."""
        number = self.account.parts + 1
        part = Part(self.volume, number, self.account, self.attachments)
        self.format.write(self.request, slices, self.wanted.terms.options, part)
        lines = [line for one in slices for line in one.lines]
        with part.file(f"proofs/{number:05d}.jsonl") as file:
            for proof in self.prover.lines(lines, self._veiled(lines)):
                file.write(proof)
        for one in slices:
            for line in one.lines:
                _warn(part, line)
                if self.known.archive and _made_up(line):
                    part.warn(MADE_UP, line.number, "archives sort it out: set [exports] address_domain")
                if self._day(said(line)) != one.day:
                    part.warn(OTHER_DAY, line.number, "archived on another day than it was written")
        for _ in slices:
            self._positions.popleft()
        self._note(part, slices)

    def _day(self, at: int) -> date:
        # The last day of all may be another year where the clocks are ahead: no calendar has that.
        return datetime.fromtimestamp(min(at, YEAR_10000 - DAY) / 1000, self.transcripts.zone).date()

    def _late(self) -> Iterator[int]:
        """The messages that the query would find, had they been archived when they were written: what a
        network shows after an outage, it shows within days."""
        until = self.query.span.until
        for one in every(self.db, None, _Behind(until, until + CATCH_UP)) if until else ():
            at = written_at(one.sent_at, one.at)
            if at < until and self.state.has(one.lane, one.entry) and self.query.accepts(_AsWritten(one, at)):
                talk = self.transcripts.talk(one)
                mine = self.pairs is None or talk.pairs & self.pairs
                if mine and self._shown(self.transcripts.line(one, talk)):
                    yield one.number

    def _veiled(self, lines: Sequence[Line]) -> frozenset[int]:
        """The messages whose record a client is not shown: all but what he wrote himself."""
        if not self.wanted.terms.client_copy:
            return frozenset()
        return frozenset(line.number for line in lines if line.sender.role != CLIENT)

    def _note(self, part: Part, slices: Sequence[Slice]) -> None:
        lines = Numbers(line.number for one in slices for line in one.lines)
        state = {
            "found": str(self._found),
            "excluded": {reason: str(numbers) for reason, numbers in self._excluded.items()},
            "next": self._positions[0] if self._positions else None,
        }
        line = told(part, lines, counted(slices), state)
        self.volume.note(line)
        add(self.account, line)
        self._found, self._excluded = Numbers(), {}

    # the end

    def close(self, signer: Signer) -> str:
        """Write the checkpoints and the manifest, still without its name; gives the manifest's digest."""
        if not self.account.whole:
            raise StoreError("what was written is not what was found: this is a bug, nothing is handed over")
        for number in exports.gone(self.db, self.state, self.query.span):
            self.account.gone.add(number)
        for number in self._late():
            self.account.warn(ARCHIVED_LATER, number, "written in the span of the query, archived behind it")
        notes = {}
        for lane, (_, _, note) in sorted(self.state.lanes.items()):
            notes[lane] = f"proofs/checkpoint-{lane}.note"
            self._put(notes[lane], note.encode())
        listed = manifest(self.request, self.wanted.terms, self.account, notes, self.known.lacks)
        lane = min(self.state.lanes)
        note = signer.note(lane, signed_text(listed))
        with on_disk(self.volume.folder):
            (self.volume.folder / f"{NAME}{PARTIAL}").write_bytes(listed)
            (self.volume.folder / NOTE).write_bytes(note.encode())
            os.sync()
        return hashlib.sha256(listed).hexdigest()

    def _put(self, name: str, data: bytes) -> None:
        with self.volume.open(name, self.account.files) as file:
            file.write(data)

    def settle(self) -> None:
        """The manifest gets its name, and the journal goes: the export is whole."""
        with on_disk(self.volume.folder):
            os.replace(self.volume.folder / f"{NAME}{PARTIAL}", self.volume.folder / NAME)
        if not self.wanted.zipped:
            self.volume.end()


@dataclass(frozen=True, slots=True)
class _Behind:
    """Everything that was archived from `since` up to, and without, `until`: a query of `every`."""

    since: int
    until: int
    newest_first: bool = False

    @property
    def need(self) -> Need:
        """The span itself."""
        return self.span

    @property
    def span(self) -> Span:
        """When it was archived."""
        return Span(since=self.since, until=self.until)

    def accepts(self, document: Document) -> bool:
        """Whether it was archived then."""
        return self.since <= document.at < self.until


class _AsWritten:  # a `Document`, by what it has of another one
    """A message as if it had been archived at another time."""

    def __init__(self, document: Document, at: int) -> None:
        self._document, self.at = document, at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._document, name)


def _made_up(line: Line) -> bool:
    """Whether somebody in it has an address of a domain that nobody can have (RFC 2606)."""
    return any(party.address.endswith(".invalid") for party in (line.sender, *line.readers))


def _warn(part: Part, line: Line) -> None:
    """Say what of a message is not there, whatever its format says of it."""
    if line.gone:
        part.warn(GONE, line.number, line.gone)
    for later in line.later:
        if not later.here:
            done = "taken back" if later.recall else "replaced"
            part.warn(LATER, line.number, f"{done} by a later message that is not in this export")
    for file in line.files:
        if file.missing:
            part.warn(_CODES.get(file.missing, MISSING), line.number, file.missing)


# --- one file -------------------------------------------------------------------------------------------


def _zipped(folder: Path) -> Path:
    """Make a folder one ZIP file beside it, and remove the folder."""
    out = zip_of(folder)
    if not out.exists():
        with on_disk(out), parcel(out) as box:
            asyncio.run(_fill(box, folder))
            box.end()
            box.settle()
    Volume(folder).discard()
    return out


async def _fill(box: Parcel, folder: Path) -> None:
    volume = Volume(folder)
    for name in volume.names():
        await box.stream(name, _pieces(folder / name))


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def options_of(form: str, given: Sequence[str], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Options as they were typed ("unit=s"), above those of a profile. Raises ConfigError for one that the
    format does not know."""
    found, allowed = dict(usual), known(form).options
    for word in given:
        name, sign, value = word.partition("=")
        if not sign or name not in allowed:
            there = f"one of {', '.join(allowed)}" if allowed else "there are none"
            raise ConfigError([f"--option {word}: write NAME=VALUE; for {form}, {there}."])
        found[name] = value
    return found
