"""Certificates in the ledger: what each run of a day found, what of it stands, and who said why.

Rules of this file: an entry counts as what it says only if it lies under the name that it says, at its own
place, of days that there are, and was made after them; what stands beside it is opened, because only the
house can have sealed it. Whatever else lies there is named by its place, ends nothing and hides nothing: it
stands like a difference, until a person settles it as well.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, LargeBinary, and_, cast, func, select

from bridge.errors import Conflict, Damaged, Missing, StoreError
from bridge.ledger.entry import Entry
from bridge.records.certificate import Certificate, Finding, Look, from_value, moment, standing
from bridge.sealing import BODY
from bridge.store import reconciling
from bridge.store import schema as s
from bridge.store.codec import dump
from bridge.store.vault import apart, vault_of
from bridge.store.writer import Tx

DAY = 86_400_000

RECENT = 7
"""Days for which what was unusual stands."""

FEW = 100
"""Entries among which the beginning of the ledger is looked for."""

MADE, SETTLED = "day/", "settled/"
"""How subjects of entries begin that a day was certified, and that somebody said why it is as it is."""

NEVER = Finding("day", "was never certified")
UNASKED = Finding("day", "of no run was every network asked for all that had to be compared")

_YEARS = range(1970, 3000)


class Kept(NamedTuple):
    """A certificate in the ledger: its day (or FIRST..LAST), run, when it was made, its span (`since` <= time
    < `until`), its digest, what it found, the networks that were not asked, for how many conversations or
    times the others could not be, and how many items could not be compared for that; its place, the places of
    the entries that it is of (the last left out), and the earliest and latest time in them."""

    day: str
    run: int
    at: int
    since: int
    until: int
    sha256: str
    archived: int
    differences: int
    alerts: int
    unasked: tuple[str, ...]
    gaps: int = 0
    uncompared: int = 0
    lane: int = 0
    seq: int = 0
    entries: tuple[int, int] = (0, 0)
    written: tuple[int, int] = (0, 0)

    @property
    def days(self) -> tuple[date, date]:
        """The first and last day that it is of."""
        first, _, last = self.day.partition("..")
        return date.fromisoformat(first), date.fromisoformat(last or first)

    @property
    def ended(self) -> bool:
        """Whether it is of all of its days."""
        return self.until == _at(self.days[1]) + DAY

    @property
    def whole(self) -> bool:
        """Whether it is of a day, and of all of it."""
        return self.ended and ".." not in self.day

    @property
    def answered(self) -> bool:
        """Whether every network was asked, and nothing was left that could not be compared."""
        return not self.unasked and not self.uncompared

    def told(self) -> str:
        """What it found, in a line."""
        asked = f", not asked: {', '.join(self.unasked)}" if self.unasked else ""
        part = "" if self.ended else f", up to {moment(self.until)} only"
        found = f"{self.differences} differences, {self.alerts} alerts"
        return f"run {self.run}, made {moment(self.at)}: {found}{asked}{part}"


# --- making one -----------------------------------------------------------------------------------------


def certify(tx: Tx, lane: int, certificate: Certificate) -> None:
    """Write a certificate into the ledger."""
    sources = [one for one in certificate.accounts if one.kind == "source"]
    counts: Counter[str] = Counter()
    for account in sources:
        counts.update({name: account.counts.get(name, 0) for name in ("archived", "unasked")})
    facts = {
        "run": certificate.run,
        "since": certificate.since,
        "until": certificate.until,
        "sha256": certificate.digest(),
        "archived": counts["archived"],
        "differences": certificate.faults,
        "alerts": len(certificate.alerts) + len(certificate.failed),
        "unasked": list(certificate.closed),
        "gaps": certificate.gaps,
        "uncompared": counts["unasked"],
        "entries": list(certificate.entries),
        "written": list(certificate.written),
    }
    tx.append(lane, "day:certified", f"{MADE}{certificate.day}", facts, certificate.canonical())


def next_run(db: Connection, day: str) -> int:
    """The number of the next run of a day: one more than there are entries, also where one cannot be read."""
    which = s.ledger.c.subject == f"{MADE}{day}"
    return int(db.execute(select(func.count()).select_from(s.ledger).where(which)).scalar() or 0) + 1


# --- reading them ---------------------------------------------------------------------------------------


class Spoiled(NamedTuple):
    """An entry about certificates that is none any more: its place, and what it lies under."""

    lane: int
    seq: int
    subject: str

    @property
    def name(self) -> str:
        """What it is called: by its place, because anybody may have written the rest."""
        return f"entry/{self.lane}/{self.seq}"


class Settled(NamedTuple):
    """That somebody settled something: its newest run then (0: it had none), and the place of the entry."""

    run: int
    lane: int
    seq: int


class Book(NamedTuple):
    """All that the ledger says of certificates: runs in the order in which they were made, what somebody
    settled last of each name, and the entries that are none any more."""

    runs: list[Kept]
    settled: dict[str, Settled]
    spoiled: list[Spoiled]

    def newest(self, now: int) -> Kept | None:
        """The last day that was certified whole by `now`: of its runs, the last of those that asked most."""
        whole = [one for one in self.runs if one.whole and one.until <= now]
        return max(whole, key=lambda one: (one.since, -len(one.unasked), one.seq), default=None)

    def last_run(self, name: str) -> int:
        """The newest run of a day or span, 0 when it was never certified."""
        return next((one.run for one in reversed(self.runs) if one.day == name), 0)

    def is_settled(self, one: Kept) -> bool:
        """Whether somebody settled its day after a run was made."""
        done = self.settled.get(one.day)
        return done is not None and (one.lane, one.seq) < (done.lane, done.seq)


def book(db: Connection) -> Book:
    """All of it, each entry read once."""
    found = Book([], {}, [])
    for row, entry in _entries(db, MADE):
        if entry and (kept := _kept(entry)):
            found.runs.append(kept)
        else:
            found.spoiled.append(Spoiled(row.lane, row.seq, row.subject))
    for row, entry in _entries(db, SETTLED):
        if entry and (done := _settling(db, entry)):
            found.settled[done[0]] = done[1]
        else:
            found.spoiled.append(Spoiled(row.lane, row.seq, row.subject))
    return found


def certified(db: Connection, day: str = "", first: str = "") -> list[Kept]:
    """The certificates of a day, or of all days from `first` on, in the order in which they were made."""
    rows = _entries(db, MADE, day, first)
    return [kept for _, entry in rows if entry and (kept := _kept(entry))]


def settled(db: Connection) -> dict[str, Settled]:
    """What somebody settled last of each name."""
    return dict(found for _, entry in _entries(db, SETTLED) if entry and (found := _settling(db, entry)))


def _entries(
    db: Connection, prefix: str, name: str = "", first: str = ""
) -> Iterator[tuple[Any, Entry | None]]:
    """The rows of a name, or of all from `first` on; each with its entry, None where it says anything else
    than its row."""
    c = s.ledger.c
    after = f"{prefix[:-1]}0"  # the character after "/"
    which = (
        c.subject == f"{prefix}{name}" if name else and_(c.subject >= f"{prefix}{first}", c.subject < after)
    )
    query = select(c.lane, c.seq, c.subject, c.entry).where(which).order_by(c.lane, c.seq)
    for row in db.execute(query).all():
        entry = next(reconciling.readable([row.entry]), None)
        place = entry and (entry.lane, entry.seq, entry.subject)
        yield row, entry if place == (row.lane, row.seq, row.subject) else None


PUT_BACK = 3_600_000
"""How far (milliseconds) a clock may be put back while a certificate is made: its day is certified again."""

_NUMBERS = ("archived", "differences", "alerts", "gaps", "uncompared")
_NONE = {"gaps": 0, "uncompared": 0, "unasked": [], "entries": [0, 0], "written": [0, 0]}
_TYPES = {**dict.fromkeys(_NUMBERS, int), "since": int, "until": int, "run": int, "sha256": str}


def _kept(entry: Entry) -> Kept | None:
    """What an entry says of a certificate; None where it is not of one any more, or of no day."""
    facts: Mapping[str, Any] = {**_NONE, **entry.facts}
    typed = all(isinstance(facts.get(name), of) for name, of in _TYPES.items())
    day = entry.subject.removeprefix(MADE)
    if entry.kind != "day:certified" or not typed or not isinstance(facts["unasked"], list):
        return None
    pairs = [facts["entries"], facts["written"]]
    if not all(isinstance(one, list) and [*map(type, one)] == [int, int] for one in pairs):
        return None
    span = span_of(day)
    if span is None or span[0] != facts["since"]:
        return None  # of no day, or of another
    if not span[0] < facts["until"] <= min(span[1], entry.at + PUT_BACK):
        return None  # of one that had not come
    counts = {name: facts[name] for name in _NUMBERS}
    unasked = tuple(map(str, facts["unasked"]))
    ends = facts["since"], facts["until"], facts["sha256"]
    of = {"lane": entry.lane, "seq": entry.seq, "entries": tuple(pairs[0]), "written": tuple(pairs[1])}
    return Kept(day, facts["run"], entry.at, *ends, unasked=unasked, **of, **counts)


def span_of(name: str) -> tuple[int, int] | None:
    """The beginning and the end (milliseconds) of a day, or of FIRST..LAST; None for anything else."""
    ends = name.split("..", 1)
    with suppress(ValueError):
        first, last = (date.fromisoformat(one) for one in (ends[0], ends[-1]))
        written = [str(first), str(last)][: len(ends)]
        if written == ends and first <= last and first.year in _YEARS and last.year in _YEARS:
            return _at(first), _at(last) + DAY
    return None


def _at(day: date) -> int:
    return (day.toordinal() - date(1970, 1, 1).toordinal()) * DAY


def _settling(db: Connection, entry: Entry) -> tuple[str, Settled] | None:
    """What an entry says was settled; None where the house has sealed nothing of the kind beside it."""
    name, run = entry.subject.removeprefix(SETTLED), entry.facts.get("run")
    try:
        said = orjson.loads(_body(db, entry.lane, entry.seq))
    except (StoreError, ValueError, TypeError):
        return None
    sealed = isinstance(said, dict) and (said.get("name"), said.get("run")) == (name, run)
    if entry.kind != "day:settled" or not sealed or not isinstance(run, int):
        return None
    return name, Settled(run, entry.lane, entry.seq)


def _body(db: Connection, lane: int, seq: int) -> bytes:
    """What stands beside an entry. Raises StoreError when it does not open."""
    c, k = s.content.c, s.data_keys.c
    join = s.content.join(s.data_keys, and_(k.lane == c.lane, k.seq == c.seq))
    body = cast(apart(c.body), LargeBinary)  # whoever spoils it may have made a text of it
    query = select(k.wrapped, body).select_from(join).where(c.lane == lane, c.seq == seq)
    if (row := db.execute(query).first()) is None:
        raise Damaged("is gone")
    return vault_of(db).open_apart(lane, seq, row[0], row[1], BODY)


def opened(db: Connection, one: Kept) -> Certificate:
    """What a run found, as it was signed. Raises Damaged when it was changed."""
    with suppress(StoreError, ValueError, TypeError):
        found = from_value(orjson.loads(_body(db, one.lane, one.seq)))
        said = one.day, one.run, one.sha256, one.differences
        if (found.day, found.run, found.digest(), found.faults) == said:
            return found
    raise Damaged(f"the certificate of {one.day}, run {one.run}, is not what the ledger testifies to")


def certificate(db: Connection, day: str, run: int = 0) -> Certificate:
    """A run of a day, or its last. Raises Missing when there is none, Damaged when it was changed."""
    rows = list(_entries(db, MADE, day))
    runs = [kept for _, entry in rows if entry and (kept := _kept(entry)) and run in (0, kept.run)]
    if runs:
        return opened(db, runs[-1])
    if len(rows) >= max(run, 1):
        raise Damaged(f"what the ledger says of the certificate of {day} is no entry any more")
    if run and rows:
        raise Missing(f"{day} has no run {run}; its last is {len(rows)}")
    raise Missing(f"{day} was not certified; {remedy(day)} does it")


def remedy(day: str) -> str:
    """The command that certifies a day or a span."""
    first, _, last = day.partition("..")
    if not last:
        return f"`weighbridge certify --day {day}`"
    after = date.fromisoformat(last) + timedelta(days=1)
    return f"`weighbridge certify --since {first} --until {after}`"


def unfound(db: Connection, day: str) -> tuple[list[str], list[str]]:
    """What earlier runs of a day leave to the next: what they missed of its networks ("symphony/ID"), and the
    archive has not by now, because a network that shows it no longer has not brought it; and the certificates
    of which nobody can say any more what they named."""
    missed: dict[str, None] = {}
    lost = []
    for one in certified(db, day):
        try:
            items = opened(db, one).lists.get("fault source missing", ())
        except Damaged:
            lost.append(_called(one))
            continue
        missed |= dict.fromkeys(item.partition(": ")[0] for item in items)
    return [name for name in missed if not _has(db, *name.split("/", 1))], lost


def _has(db: Connection, network: str, source_id: str = "") -> bool:
    m = s.messages.c
    query = select(m.id).where(m.network == network, m.source_id == source_id).limit(1)
    return db.execute(query).first() is not None


LOST = "what it found is not there any more"


def _called(one: Kept) -> str:
    return f"certificate of {one.day}, run {one.run}"


def _lost(one: Kept) -> Finding:
    """A run whose certificate does not open: a difference, like what it may have named."""
    return Finding("fault archive altered", f"{_called(one)}: {LOST}")


# --- what stands ----------------------------------------------------------------------------------------


class Standing(NamedTuple):
    """What stands of a day, of a span, or of a spoiled entry: what it is called, its newest run (0 for none),
    and what is to be looked at, differences first."""

    name: str
    run: int
    findings: tuple[Finding, ...]

    @property
    def differences(self) -> int:
        """How many items are not as they should be."""
        return sum(one.count for one in self.findings if one.differs)

    @property
    def alerts(self) -> int:
        """How much is unusual."""
        return sum(one.name in ("alert", "canary") for one in self.findings)

    @property
    def uncertified(self) -> bool:
        """Whether no run of the day asked every network."""
        return any(one in (NEVER, UNASKED) for one in self.findings)

    @property
    def spoiled(self) -> bool:
        """Whether it is an entry of the ledger that is none any more."""
        return any(one.name == "entry" for one in self.findings)


def stand(db: Connection, last: date, entries: Book | None = None) -> list[Standing]:
    """All that nobody has settled, the oldest first: every difference, however old; what was unusual in the
    week up to `last`, the last day that ought to be certified by now; days up to it of which nobody asked
    every network; and spoiled entries."""
    entries = entries or book(db)
    found = defaultdict[str, set[Finding]](set, _found(db, entries, last - timedelta(days=RECENT)))
    first = began(db, last)
    done, tried = _settled_days(entries, first, last), {one.day for one in entries.runs}
    for day in lacking(entries.runs, first, last):
        if day not in done:
            found[str(day)].add(UNASKED if str(day) in tried else NEVER)
    for one in entries.spoiled:
        if one.name not in entries.settled:
            found[one.name].add(_of_entry(one))
    return [_standing(name, entries, found[name]) for name in sorted(found) if found[name]]


def _standing(name: str, entries: Book, found: Iterable[Finding]) -> Standing:
    ordered = sorted(found, key=lambda one: (not one.differs, one))
    return Standing(name, entries.last_run(name), tuple(ordered))


def _of_entry(one: Spoiled) -> Finding:
    of = f" ({one.subject})" if span_of(one.subject.partition("/")[2]) else ""
    return Finding("entry", f"what the ledger said of a certificate{of} is no entry any more")


def _found(db: Connection, entries: Book, recent: date) -> dict[str, set[Finding]]:
    """What stands of runs, by day. Only those certificates are opened of which something may stand."""
    by_day = _by_day(entries.runs)
    found = {
        day: _of_runs(db, runs, entries, recent)[0]
        for day, runs in by_day.items()
        if any(_tells(one, recent) and not entries.is_settled(one) for one in runs)
    }
    if any(one.differs for some in found.values() for one in some):
        explained = _explained(db, by_day, entries)
        return {day: some - explained for day, some in found.items()}
    return found


def _by_day(runs: Iterable[Kept]) -> dict[str, list[Kept]]:
    found: defaultdict[str, list[Kept]] = defaultdict(list)
    for one in runs:
        found[one.day].append(one)
    return found


def _tells(one: Kept, recent: date) -> bool:
    return bool(one.differences or (one.alerts and one.days[1] > recent))


def _of_runs(
    db: Connection, runs: Sequence[Kept], entries: Book, recent: date
) -> tuple[set[Finding], set[Finding]]:
    """What stands of the runs of a day, and what somebody has explained of it."""
    found, explained = standing(_look(db, one, entries.is_settled(one)) for one in runs)
    return {one for one in found if one.differs or runs[0].days[1] > recent}, explained


def _look(db: Connection, one: Kept, settled: bool) -> Look:
    try:
        made = opened(db, one)
    except Damaged:
        return Look(frozenset({_lost(one)}), thorough=False, settled=settled)
    return Look(made.findings, made.thorough, settled)


def _explained(db: Connection, by_day: Mapping[str, Sequence[Kept]], entries: Book) -> set[Finding]:
    """Every difference that somebody explained, of whichever day: word for word the same of the same item is
    the same difference. What is unusual is so on its own day."""
    done = [runs for day, runs in by_day.items() if day in entries.settled]
    explained = (one for runs in done for one in _of_runs(db, runs, entries, date.min)[1])
    return {one for one in explained if one.differs}


# --- days -----------------------------------------------------------------------------------------------


_NOT_DUE = 5 * DAY
"""How much later than the begin of the last day that is due it can be by now, by whatever settings."""


def began(db: Connection, last: date) -> date:
    """The day on which the ledger begins. A day that has yet to come when `last` is the last one that is due,
    or no entry that can be read: somebody changed it, or the clock was wrong, and the week up to `last` is
    what can be made up for."""
    c = s.ledger.c
    rows = db.execute(select(c.entry).order_by(c.lane, c.seq).limit(FEW)).scalars()
    times = [entry.at for entry in reconciling.readable(rows) if 0 < entry.at < _at(last) + _NOT_DUE]
    if not times:
        return last - timedelta(days=RECENT - 1)
    return datetime.fromtimestamp(min(times) / 1000, UTC).date()


def in_time(runs: Sequence[Kept], now: int = sys.maxsize) -> list[Kept]:
    """Of runs in their order, those whose days had ended when they were made, by all that is known `now`.

    A clock that was ahead has days certified that have yet to come. It was set right if it is not as late as
    that by now, if a later run was made before they ended, or if the next days have entries that were written
    before then. What is more than a week off says something of a clock, and nothing of those days.
    """
    found: list[Kept] = []
    reopened: set[int] = set()
    for one in reversed(runs):
        if one.until not in reopened and one.until <= one.at <= now:
            found.append(one)
        reopened |= _yet_to_end(one.at)
        reopened |= {end for end in _yet_to_end(one.written[0]) if end <= one.since <= end + RECENT * DAY}
    return found[::-1]


def _yet_to_end(at: int) -> set[int]:
    """When the days ended (milliseconds), of a week, that had not ended at a time."""
    return {(at // DAY + n) * DAY for n in range(1, RECENT + 1)}


def begun(db: Connection, lane: int, since: int) -> int:
    """The place at which the day begins that begins at a time (milliseconds): where the day before ended, by
    its last certificate; where that has none, at the first entry of `since` or later of no day before."""
    if found := places(db, lane, since // DAY - 1):
        return found[1]
    runs = (one for one in certified(db) if one.whole and one.lane == lane and one.until <= since)
    return reconciling.first_from(db, lane, since, max((one.entries[1] for one in runs), default=0))


def day_at(db: Connection, lane: int, place: int) -> int | None:
    """The day (since the epoch) whose last certificate is of the entry at a place; None where none is."""
    days = {one.day: one for one in certified(db) if one.whole and one.lane == lane}
    found = [one for one in days.values() if one.entries[0] <= place < one.entries[1]]
    return min(one.since for one in found) // DAY if found else None


def places(db: Connection, lane: int, day: int) -> tuple[int, int] | None:
    """The places of the entries of a day (days since the epoch), by its last certificate; None where it has
    none."""
    if day < 0:
        return None
    name = str(date.fromordinal(date(1970, 1, 1).toordinal() + day))
    runs = [one for one in certified(db, name) if one.whole and one.lane == lane]
    return runs[-1].entries if runs else None


def lacking(runs: Sequence[Kept], first: date, last: date) -> list[date]:
    """The days between two of which no run, of the day or of a span with it, asked every network once they
    had ended."""
    had: set[date] = set()
    for one in in_time(runs):
        if one.answered and one.ended:
            had |= _days(*one.days, first, last)
    return sorted(_days(first, last, first, last) - had)


def _settled_days(entries: Book, first: date, last: date) -> set[date]:
    """The days between two that somebody settled, once they had ended; one by one, or together where they
    had no run."""
    ended = {(one.day, one.run) for one in entries.runs if one.ended}
    names = [
        name
        for name, done in entries.settled.items()
        if span_of(name) and (not done.run or (".." not in name and (name, done.run) in ended))
    ]
    ends = ([date.fromisoformat(one) for one in name.split("..")] for name in names)
    return {day for some in ends for day in _days(some[0], some[-1], first, last)}


def _days(a: date, b: date, first: date, last: date) -> set[date]:
    """The days of a span that lie within another."""
    a, b = max(a, first), min(b, last)
    return {a + timedelta(days=n) for n in range((b - a).days + 1)}


def by_weight(found: Sequence[Standing], entries: Book) -> list[Standing]:
    """The same with what differs first, then what is unusual; and days that follow each other and were never
    certified as one span."""
    never = [one for one in found if one.findings == (NEVER,)]
    rest = [one for one in found if one.findings != (NEVER,)]
    return sorted(rest, key=lambda one: (not one.differences, not one.alerts)) + list(_joined(never, entries))


def _joined(days: Sequence[Standing], entries: Book) -> Iterator[Standing]:
    numbered = [(date.fromisoformat(one.name).toordinal() - n, one) for n, one in enumerate(days)]
    for _, some in groupby(numbered, key=lambda pair: pair[0]):
        span = [one for _, one in some]
        name = f"{span[0].name}..{span[-1].name}"
        alone = len(span) == 1 or entries.last_run(name)
        yield from span if alone else [Standing(name, 0, (NEVER,))]


# --- settling -------------------------------------------------------------------------------------------


def settle(tx: Tx, lane: int, name: str, run: int, person: str, reason: str, last: date) -> Standing:
    """Somebody looked into what stands of a day, a span or a spoiled entry when `run` was its newest (0: it
    had none), and says why it is as it is. Raises Missing when nothing stands of it, Conflict when another
    run was made since, or no reason is given."""
    if not reason.strip():
        raise Conflict(f"{name} is settled with a reason, and none was given")
    entries = book(tx.db)
    one = of(tx.db, name, last, entries)
    if not one.findings:
        raise Missing(f"nothing of {name} is to be settled; `weighbridge certify alerts` says what is")
    if one.run != run:
        raise Conflict(
            f"you looked at run {run} of {name}, and by now run {one.run} stands: "
            f"`weighbridge certify alerts {name}` says what it found"
        )
    body = dump({"name": name, "run": run, "person": person, "reason": reason})
    tx.append(lane, "day:settled", f"{SETTLED}{name}", {"run": run}, body)
    return one


def of(db: Connection, name: str, last: date, entries: Book | None = None) -> Standing:
    """What stands of a day, a span or a spoiled entry. A certificate that does not open stands as well, also
    where its entry says that it found nothing; of a span without a run, that days of it never were certified.
    """
    entries = entries or book(db)
    standing = stand(db, last, entries)
    found = {one for some in standing if some.name == name for one in some.findings}
    runs = [one for one in entries.runs if one.day == name]
    found |= {_lost(one) for one in runs if not (entries.is_settled(one) or _opens(db, one))}
    if not runs and (span := span_of(name)):
        found |= {NEVER for some in standing if NEVER in some.findings and _lies(some.name, span)}
    return _standing(name, entries, found)


def _opens(db: Connection, one: Kept) -> bool:
    try:
        return bool(opened(db, one))
    except Damaged:
        return False


def _lies(day: str, span: tuple[int, int]) -> bool:
    """Whether a day lies within a span."""
    found = span_of(day)
    return found is not None and span[0] <= found[0] < span[1]
