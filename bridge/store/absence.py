"""The auditor's look at what is gone: only where an entry testifies to it, after its term, by two approvals.

Rules of this file: it reads through `reread` alone. Content that is not there is accepted where the ledger
has a `record:disposed` entry of that record, and nowhere else; and each such entry is held against the plan
that it names, the approvals before it, and the term that the record's own entries say.

    disposals, disposal_list   their entries; the list by its digest
    disposed                   a `record:disposed` entry each; on the list of its plan; after two approvals
    content, data_keys         nothing is left beside the entries of a record that is gone
    messages, deliveries, …    their columns name nobody any more
    disposal:carried-on        the holds and policies that stood then were asked
    disposal:certified         the digest and the counts of what went
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from bridge.ledger.entry import Entry
from bridge.proposals import is_same
from bridge.records.exports.numbers import Numbers, numbers_of
from bridge.store.reread import AnyRow, Comparison, Work, as_bytes, number, place_of, readable

APPROVALS = 2
"""People who have to agree, none of whom made the plan."""

STAYING = ("consent:asked", "consent:given")
"""What a client agreed to: it may outlive the message in which it was said, or go with the client."""

_PERMIT, _MESSAGE = "delivery/", "message/"


# --- content that is not there --------------------------------------------------------------------------


class Absences:
    """Which records are gone, by the entries that testify to it."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self._any = bool(work.rows("SELECT message FROM disposed LIMIT 1"))
        self._pairs = {f"pair/{one}" for one in self._erased()}

    def _erased(self) -> Iterator[int]:
        for row in self.work.rows("SELECT id FROM pairs WHERE advisor = '' AND contact = ''"):
            if any(e.kind == "pair:erased" for e in self.work.entries([f"pair/{row.id}"])[f"pair/{row.id}"]):
                yield row.id

    def among(self, entries: Iterable[Entry | None]) -> Mapping[str, Entry | None]:
        """The subjects of these entries whose content was destroyed, each with the entry that says so (None:
        that of a pair)."""
        if not (self._any or self._pairs):
            return {}
        subjects = {entry.subject for entry in entries if entry is not None and entry.digest}
        found: dict[str, Entry | None] = dict.fromkeys(subjects & self._pairs)
        messages = {_numbered(one): one for one in subjects if one.startswith(_MESSAGE)}
        permits = {one.removeprefix(_PERMIT): one for one in subjects if one.startswith(_PERMIT)}
        query = "SELECT permit, message FROM deliveries WHERE permit IN :permits"
        owners = {row.permit: row.message for row in self.work.rows(query, permits=list(permits))}
        gone = self.of({*messages, *owners.values()})
        found |= {subject: gone[one] for one, subject in messages.items() if one in gone}
        return found | {permits[one]: gone[owner] for one, owner in owners.items() if owner in gone}

    def of(self, numbers: Collection[int]) -> dict[int, Entry]:
        """Which of these messages are gone, with the entries that testify to it."""
        if not self._any:
            return {}
        query = (
            "SELECT d.message, l.entry FROM disposed d JOIN ledger l ON l.lane = d.lane AND l.seq = d.entry "
            "WHERE d.message IN :numbers"
        )
        rows = self.work.rows(query, numbers=sorted(numbers))
        said = ((row.message, readable(row.entry)) for row in rows)
        return {one: entry for one, entry in said if entry is not None and _is_about(entry, one)}


def _numbered(subject: str) -> int:
    name = subject.removeprefix(_MESSAGE)
    return int(name) if name.isdecimal() else -1


def _is_about(entry: Entry, message: int) -> bool:
    return entry.kind == "record:disposed" and entry.subject == f"{_MESSAGE}{message}"


# --- a record that is gone ------------------------------------------------------------------------------


def disposed_by(entries: Sequence[Entry]) -> Entry | None:
    """The entry that says that a record is gone, among those about it."""
    return next((entry for entry in entries if entry.kind == "record:disposed"), None)


def check_gone(work: Work, row: AnyRow, entries: Sequence[Entry], gone: Entry) -> None:
    """A message that is gone: its row names nobody, and it did not go before its time."""
    blank: list[Comparison] = [
        ("source_id", row.source_id, f"disposed/{row.id}"),
        ("conversation", row.conversation, ""),
        ("sender", row.sender, ""),
        ("pair", row.pair, None),
    ]
    work.compare("messages", f"id {row.id}", blank, f"{place_of(gone)} (record:disposed)")
    if row.notice_for is not None:
        about = work.rows("SELECT 1 FROM disposed WHERE message = :about", about=row.notice_for)
        if not about:
            _too_early(work, gone, "the message that it is about is still there")
    elif (until := _term(entries)) is None:
        _too_early(work, gone, "no entry says until when it was to be kept")
    elif gone.at < until:
        _too_early(work, gone, "it was still to be kept when it was destroyed")
    elif number(gone.facts.get("until")) != until:
        _too_early(work, gone, "it was kept until another time than this says")
    for one in (e for e in entries if "given" in e.facts):
        if not _is_given(work, one):
            _too_early(work, gone, "two people did not give it the class that it went by")
    run = work.runs.get((number(gone.facts.get("disposal")), number(gone.facts.get("by"))))
    if run is None or run.at != gone.at:
        _too_early(work, gone, "no entry says which holds were asked before")
    if any(_outlasts(others, gone) for others in _joined(work, row.id, entries)):
        _too_early(work, gone, "an edit of it, or what it edits, was still to be kept")
    for name in _lacking(entries, gone):
        _too_early(work, gone, f"the archive {name} had not acknowledged its copy")


def _is_given(work: Work, kept: Entry) -> bool:
    """Whether two people gave a record, which had none, the class that an entry says."""
    lane, _, seq = str(kept.facts.get("by")).partition("/")
    said = work.rows(
        "SELECT entry FROM ledger WHERE lane = :lane AND seq = :seq", lane=int(lane), seq=int(seq)
    )
    given = readable(said[0].entry) if said else None
    if given is None or given.kind != "retention:assigned" or given.facts.get("keep") != kept.facts["given"]:
        return False
    story = work.entries([given.subject])[given.subject]
    proposed = [e for e in story if e.kind == "retention:proposed" and e.seq < given.seq]
    people = _people(work, proposed[-1:], [given])
    if people is not None and not _was_agreed(work, given, kept):
        return False
    refused = [e for e in story if e.kind == "retention:refused" and proposed and e.seq > proposed[-1].seq]
    return bool(proposed) and not refused and (people is None or people == 1) and given.seq < kept.seq


def _was_agreed(work: Work, given: Entry, kept: Entry) -> bool:
    """Whether a record is among those that the second person agreed to. Parsed once for all of them: a list
    has as many as an archive."""
    place = given.lane, given.seq
    if place not in work.assigned:
        said = work.bodies([place]).get(place, {}).get("numbers", "")
        try:
            work.assigned[place] = numbers_of(said if isinstance(said, str) else "")
        except ValueError:
            work.assigned[place] = Numbers()
    return number(kept.facts.get("message")) in work.assigned[place]


def _joined(work: Work, message: int, entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """The entries about each message that edits this one, takes it back, or is so treated by it."""
    found, new = {f"{_MESSAGE}{message}"}, _named(entries)
    while new := new - found:
        found |= new
        stories = work.entries(sorted(new)).values()
        yield from stories
        new = {name for story in stories for name in _named(story)}


def _named(entries: Sequence[Entry]) -> set[str]:
    numbers = {e.facts["of"] for e in entries if "of" in e.facts}
    numbers |= {e.facts.get("with") for e in entries if e.kind == "record:joined"}
    return {f"{_MESSAGE}{one}" for one in numbers}


def _outlasts(entries: Sequence[Entry], gone: Entry) -> bool:
    """Whether a message's term went beyond the time at which another was destroyed; without a class it has
    no end."""
    until = _term(entries)
    return bool(entries) and (until is None or until > gone.at)


def _lacking(entries: Sequence[Entry], gone: Entry) -> list[str]:
    """Archives that were to have a copy of a record, and had not said so when it was destroyed."""
    has: dict[tuple[str, object], bool] = {}
    for entry in entries:
        if entry.lane == gone.lane and entry.seq > gone.seq:
            break
        copies = entry.facts.get("copies")
        for key in copies if isinstance(copies, list) else ():
            has.setdefault((str(key), 1), False)
        if entry.kind.startswith("copy:"):
            has[str(entry.facts.get("destination")), entry.facts.get("revision")] = entry.kind == "copy:kept"
    return sorted({key for (key, _), kept in has.items() if not kept})


def _term(entries: Sequence[Entry]) -> int | None:
    """Until when a record was to be kept, as its own entries say; None when they name no time. The longest of
    its verdicts' terms, unless a person's order came after it."""
    end: object = -1
    for entry in entries:
        if "kept" not in entry.facts:
            continue
        until = entry.facts.get("until")
        if entry.kind == "record:kept" or until is None or (end is not None and number(until) > number(end)):
            end = until
    return end if isinstance(end, int) and end >= 0 else None


def _too_early(work: Work, gone: Entry, meaning: str) -> None:
    work.report(
        "ledger", f"lane {gone.lane} seq {gone.seq}", "", f"{gone.subject} was disposed of: {meaning}"
    )


# --- plans, approvals, certificates ---------------------------------------------------------------------


def check_disposals(work: Work) -> None:
    """Every plan with its list, approvals and certificate, and what was destroyed under it."""
    asked = _Asked(work)
    for rows in work.chunks("SELECT * FROM disposals WHERE id > :after ORDER BY id LIMIT :chunk"):
        stories = work.entries([f"disposal/{row.id}" for row in rows])
        for row in rows:
            runs = work.entries([f"disposal/{row.id}/run"])[f"disposal/{row.id}/run"]
            _disposal(work, row, stories[f"disposal/{row.id}"], runs)
            asked.check(row.id, runs)
    _erased_pairs(work, asked)
    for rows in work.chunks(_DISPOSED):
        for row in rows:
            _founded(work, row)


_DISPOSED = (
    "SELECT d.message AS id, l.entry, p.id AS plan FROM disposed d "
    "LEFT JOIN ledger l ON l.lane = d.lane AND l.seq = d.entry LEFT JOIN disposals p ON p.id = d.disposal "
    "WHERE d.message > :after ORDER BY d.message LIMIT :chunk"
)


class _Asked:
    """Which holds and policies stood when, by their entries; and whether those were asked."""

    def __init__(self, work: Work) -> None:
        self.work = work
        acts = [*work.entries(["policy"])["policy"], *(e for some in work.legal.values() for e in some)]
        self._acts = sorted(acts, key=lambda entry: (entry.lane, entry.seq))

    def check(self, disposal: int, runs: Sequence[Entry]) -> None:
        """What was asked before each part of a plan was carried out is what stood by then."""
        for run in runs:
            self.work.runs[disposal, run.seq] = run
            self.compare(run)

    def compare(self, act: Entry) -> None:
        """What was asked before something was destroyed is what stood by then."""
        holds, policies = self._stood(act)
        if act.facts.get("holds") != holds:
            _unasked(self.work, act, "legal holds")
        if act.facts.get("policies") != policies:
            _unasked(self.work, act, "policies")

    def _stood(self, run: Entry) -> tuple[list[str], object]:
        holds: set[str] = set()
        activated: dict[int, Entry] = {}  # by lane: a clock may be put right between two of one
        for act in self._acts:
            if not _precedes(act, run):
                continue
            if act.kind == "policy:activated":
                activated[act.lane] = act
            elif act.kind == "legal:lifted":
                holds.discard(str(act.facts.get("hold")))
            elif act.kind == "legal:placed":
                holds.add(str(act.facts.get("hold")))
        last = max(activated.values(), key=lambda entry: (entry.at, entry.lane), default=None)
        return sorted(holds), last.facts.get("policies") if last else []


def _precedes(act: Entry, run: Entry) -> bool:
    return act.seq < run.seq if act.lane == run.lane else act.at < run.at


def _unasked(work: Work, run: Entry, what: str) -> None:
    meaning = f"records of {run.subject} were destroyed without asking the {what} that stood then"
    work.report("ledger", f"lane {run.lane} seq {run.seq}", "facts", meaning)


def _founded(work: Work, row: AnyRow) -> None:
    """A row that says that a message is gone has an entry, and a plan."""
    entry = readable(row.entry) if row.entry is not None else None
    if entry is None or not _is_about(entry, row.id):
        work.report("disposed", f"message {row.id}", "entry", "no entry testifies that it is gone")
    if row.plan is None:
        work.report("disposed", f"message {row.id}", "disposal", "names a plan that is not there")


def _erased_pairs(work: Work, asked: _Asked) -> None:
    """Whose names are gone: only those of pairs that had ended, by a disposal that was approved, after the
    holds were asked that stood; and the certificate counts them."""
    went: Counter[str] = Counter()
    ended = [row.id for row in work.rows("SELECT id FROM pairs WHERE advisor = '' AND contact = ''")]
    for subject, entries in work.entries([f"pair/{one}" for one in ended]).items():
        gone = next((e for e in entries if e.kind == "pair:erased"), None)
        if gone is None:
            work.report("pairs", f"id {subject.partition('/')[2]}", "", "no entry says that its names may go")
            continue
        asked.compare(gone)
        plan = f"disposal/{gone.facts.get('disposal')}"
        went[plan] += 1
        approved = [e for e in work.entries([plan])[plan] if e.kind == "disposal:approved"]
        if len([e for e in approved if e.seq < gone.seq]) < APPROVALS:
            _too_early(work, gone, f"without the approval of {APPROVALS} people")
        if not any(e.kind == "pair:ended" and e.seq < gone.seq for e in entries):
            _too_early(work, gone, "the two may still talk")
    for plan, entries in work.entries(sorted(went)).items():
        said = next((e for e in entries if e.kind == "disposal:certified"), None)
        if said is not None and number(said.facts.get("pairs")) != went[plan]:
            meaning = f"{place_of(said)}: the certificate counts other names than those that are gone"
            work.report("pairs", plan, "", meaning)


def _disposal(work: Work, row: AnyRow, entries: Sequence[Entry], runs: Sequence[Entry]) -> None:
    key = f"id {row.id}"
    planned = next((e for e in entries if e.kind == "disposal:planned"), None)
    if planned is None:
        work.report("disposals", key, "", "no entry testifies to this plan")
        return
    said = planned.facts.get
    facts: list[Comparison] = [
        ("lane", row.lane, planned.lane),
        ("entry", row.entry, planned.seq),
        ("digest", row.digest, said("sha256")),
        ("expires_at", row.expires_at, said("expires")),
        ("erasure", row.erasure, said("erasure", 0)),
    ]
    went = _Went(work, row.id)
    facts.append(("state", row.state, _state(entries, went.count)))
    work.compare("disposals", key, facts, "the ledger")
    _list(work, row, planned)
    if went.count:
        _approved(work, row, entries, went.first)
    if runs:
        _in_time(work, row, entries, runs)
    _certified(work, row, entries, went)


def _state(entries: Sequence[Entry], went: int) -> str:
    kinds = {entry.kind for entry in entries}
    if "disposal:withdrawn" in kinds:
        return "withdrawn"
    return "done" if "disposal:certified" in kinds else "running" if went else "planned"


def _in_time(work: Work, row: AnyRow, entries: Sequence[Entry], runs: Sequence[Entry]) -> None:
    """A plan was begun while it was good, and not after somebody had withdrawn it."""
    planned = next(e for e in entries if e.kind == "disposal:planned")
    if runs[0].at >= number(planned.facts.get("expires")):
        work.report("disposals", f"id {row.id}", "", "records were destroyed by it when it was good no more")
    withdrawn = next((e for e in entries if e.kind == "disposal:withdrawn"), None)
    if withdrawn is not None and runs[-1].seq > withdrawn.seq:
        meaning = f"records were destroyed by it after {place_of(withdrawn)} had withdrawn it"
        work.report("disposals", f"id {row.id}", "", meaning)


class _Went:
    """What was destroyed under a plan: how many messages, their digest, and where the entries begin and end.
    Each was on the list, but for notices."""

    def __init__(self, work: Work, disposal: int) -> None:
        self.count, self.first, self.last = 0, -1, -1
        self._digest = hashlib.sha256()
        for rows in work.chunks(self._ROWS, disposal=disposal):
            for row in rows:
                self._take(work, row)

    _ROWS = (
        "SELECT d.message AS id, d.entry AS seq, l.entry, m.notice_for, x.until FROM disposed d "
        "JOIN messages m ON m.id = d.message JOIN ledger l ON l.lane = d.lane AND l.seq = d.entry "
        "LEFT JOIN disposal_list x ON x.disposal = d.disposal AND x.message = d.message "
        "WHERE d.disposal = :disposal AND d.message > :after ORDER BY d.message LIMIT :chunk"
    )

    def _take(self, work: Work, row: AnyRow) -> None:
        entry = readable(as_bytes(row.entry))
        said: Mapping[str, Any] = entry.facts if entry is not None else {}
        self._digest.update(_line(row.id, said.get("class"), said.get("until")))
        self.first = number(row.seq) if not self.count else min(self.first, number(row.seq))
        self.last = max(self.last, number(row.seq))
        self.count += 1
        if row.notice_for is None and row.until is None:
            work.report("disposed", f"message {row.id}", "disposal", "was not on the list of its plan")

    @property
    def digest(self) -> str:
        """The digest of what went."""
        return self._digest.hexdigest()


def _line(message: object, key: object, until: object) -> bytes:
    """A line of a list, as its digest takes it."""
    return f"{message} {key} {until}\n".encode()


def _list(work: Work, row: AnyRow, planned: Entry) -> None:
    """The list is the one that was planned, and approved."""
    statement = (
        "SELECT message AS id, class AS key, until FROM disposal_list WHERE disposal = :one "
        "AND message > :after ORDER BY message LIMIT :chunk"
    )
    digest, count = hashlib.sha256(), 0
    for rows in work.chunks(statement, one=row.id):
        count += len(rows)
        for one in rows:
            digest.update(_line(one.id, one.key, one.until))
    if (count, digest.hexdigest()) != (planned.facts.get("records"), planned.facts.get("sha256")):
        meaning = f"is not what {place_of(planned)} planned: the list was changed"
        work.report("disposal_list", f"disposal {row.id}", "", meaning)


def _approved(work: Work, row: AnyRow, entries: Sequence[Entry], first: int) -> None:
    """Two people agreed, neither of them the planner, before anything was destroyed."""
    before = [e for e in entries if e.kind == "disposal:approved" and e.seq < first]
    people = _people(work, [e for e in entries if e.kind == "disposal:planned"], before)
    if len(before) < APPROVALS or (people is not None and people < APPROVALS):
        meaning = f"records were destroyed by it without the approval of {APPROVALS} people"
        work.report("disposals", f"id {row.id}", "", meaning)


def _people(work: Work, planned: Sequence[Entry], approved: Sequence[Entry]) -> int | None:
    """How many approved, without who planned; None where nobody can open it."""
    if work.sealed:
        return None
    bodies = work.bodies((e.lane, e.seq) for e in (*planned, *approved))
    names = [str(bodies.get((e.lane, e.seq), {}).get("person", "")) for e in (*planned, *approved)]
    counted: list[str] = names[: len(planned)]
    for name in names[len(planned) :]:
        if name and not any(is_same(name, other) for other in counted):
            counted.append(name)
    return len(counted) - len(planned)


def _certified(work: Work, row: AnyRow, entries: Sequence[Entry], went: _Went) -> None:
    """The certificate counts and names what went, and nothing went after it."""
    said = next((e for e in entries if e.kind == "disposal:certified"), None)
    if said is None:
        return
    if (went.count, went.digest) != (said.facts.get("messages"), said.facts.get("sha256")):
        meaning = f"{place_of(said)}: the certificate is of other records than those that are gone"
        work.report("disposals", f"id {row.id}", "", meaning)
    if went.last > said.seq:
        work.report("disposals", f"id {row.id}", "", f"records were destroyed after {place_of(said)}")
