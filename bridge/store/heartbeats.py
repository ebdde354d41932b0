"""What the house says of its own watching: that a network was read, pauses, certificates, what is usual.

Rules of this file: every word is an entry of the ledger, so silence is signed as speech is. A pause stands in
`meta` as well, where every claim sees it, and stays there until somebody ends it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, LargeBinary, and_, cast, func, select, union

from bridge import words
from bridge.errors import Damaged, Missing, StoreError
from bridge.ledger.entry import Entry, recall
from bridge.message import SYMPHONY, WEIXIN
from bridge.records import expectations
from bridge.records.certificate import Certificate, from_value, moment
from bridge.sealing import BODY
from bridge.store import reconciling
from bridge.store import schema as s
from bridge.store.codec import dump
from bridge.store.judging import Rulings, language_of
from bridge.store.rows import WORDS_OF_OURS, drop_delivery, is_paused, next_number, upserting
from bridge.store.vault import apart, vault_of
from bridge.store.writer import Tx

DAY = 86_400_000
WINDOW = 2 * DAY
"""Milliseconds within which a client must have written to be told something."""

REST = 3_600_000
"""Milliseconds after which a chat may be told of another pause."""

RECENT = 7
"""Days for which what was unusual stands."""

FEW = 100
"""Entries among which the last that can be read is looked for."""

FAR = 53
"""Weeks back to which a usual day is looked for."""

SETTLED = "settled/"
"""How subjects of entries begin that say of a day why it is as it is."""

_SET_META = upserting(s.meta, ("key", "value"), ("key",), value=lambda new: new.value)


# --- reading --------------------------------------------------------------------------------------------


def beat(tx: Tx, lane: int, network: str, heard_at: int, messages: int) -> None:
    """A network was read at `heard_at`, and had `messages` since the last beat."""
    facts = {"network": network, "heard_at": heard_at, "messages": messages}
    tx.append(lane, "source:heard", f"source/{network}", facts)


def last_heard(db: Connection, network: str) -> int:
    """When a network was read last, as far as the ledger knows; 0 when it knows nothing."""
    entry = _last(db, f"source/{network}")
    return int(str(entry.facts["heard_at"])) if entry else 0


def keep_read(tx: Tx, heard: Mapping[str, int]) -> None:
    """Networks were read at these times; what is written into the ledger of it is written seldom."""
    _SET_META.many(tx.db, [{"key": f"heard.{name}", "value": str(at)} for name, at in heard.items()])


def last_read(db: Connection, network: str) -> int:
    """When a network was read last; 0 when it never was. By the ledger where what was kept is no time."""
    said = _meta(db, f"heard.{network}")
    return int(said) if said.isdecimal() else last_heard(db, network)


def _meta(db: Connection, key: str) -> str:
    return db.execute(select(s.meta.c.value).where(s.meta.c.key == key)).scalar() or ""


def _last(db: Connection, subject: str) -> Entry | None:
    """The last entry of a subject that is one still."""
    c = s.ledger.c
    query = select(c.entry).where(c.subject == subject).order_by(c.lane, c.seq.desc()).limit(FEW)
    return next(reconciling.readable(db.execute(query).scalars()), None)


def came(db: Connection, network: str, since: int) -> int:
    """How many messages of a network came into the archive since message `since`."""
    m = s.messages.c
    query = select(func.count()).where(m.id > since, m.network == network, m.notice_for.is_(None))
    return int(db.execute(query).scalar() or 0)


# --- pauses ---------------------------------------------------------------------------------------------


def pause(tx: Tx, lane: int, epoch: int, networks: Sequence[str], seconds: int) -> bool:
    """Nothing is passed on any more, because `networks` are not read. False when it was so already."""
    tx.fence(lane, epoch)
    if is_paused(tx.db):
        return False
    facts = {"networks": sorted(networks), "seconds": seconds}
    tx.append(lane, "capture:stopped", "capture", facts)
    _SET_META.one(tx.db, {"key": "capture", "value": " ".join(sorted(networks))})
    return True


def tell(tx: Tx, lane: int, epoch: int) -> bool:
    """Tell both sides of every chat in use that nothing is passed on: once, and not again within `REST` of
    the last time, because clients' networks count what they are told. False when nobody was told now."""
    tx.fence(lane, epoch)
    last = _told(tx.db)
    if not is_paused(tx.db) or _is_of_this_pause(tx.db, last) or tx.now - last.at < REST:
        return False
    first = next_number(tx, s.messages.c.id)
    _tell(tx, lane, "paused")
    value = f"{tx.now} {first} {next_number(tx, s.messages.c.id)}"
    _SET_META.one(tx.db, {"key": "capture.told", "value": value})
    return True


class _Told(NamedTuple):
    """When chats were told of a pause last, and the notices' numbers: `first` up to without `last`."""

    at: int = -REST
    first: int = 0
    last: int = 0


def _told(db: Connection) -> _Told:
    said = _meta(db, "capture.told").split()
    return _Told(*map(int, said)) if len(said) == 3 and all(map(str.isdecimal, said)) else _Told()


def _is_of_this_pause(db: Connection, told: _Told) -> bool:
    stopped = _last(db, "capture")
    return told.at >= (stopped.at if stopped else 0)


def resume(tx: Tx, lane: int, epoch: int) -> bool:
    """Things go on. Who was told of the pause is told; whom that word has not reached is told neither. False
    when nothing was paused."""
    tx.fence(lane, epoch)
    if not is_paused(tx.db):
        return False
    told = _told(tx.db)
    was_told = _is_of_this_pause(tx.db, told)
    tx.append(lane, "capture:resumed", "capture", {})
    _SET_META.one(tx.db, {"key": "capture", "value": ""})
    if was_told:
        _tell(tx, lane, "resumed", _withdraw(tx, lane, told))
    return True


def _withdraw(tx: Tx, lane: int, told: _Told) -> set[tuple[str, str]]:
    """Never send the notices of a pause that have not gone out; gives the chats they were for."""
    d = s.deliveries.c
    query = select(d.permit, d.message, d.network, d.conversation).where(
        d.message >= told.first, d.message < told.last, d.state.in_(("ready", "waiting"))
    )
    rows = tx.db.execute(query).all()
    for row in rows:
        drop_delivery(tx, lane, row.permit, {"message": row.message, "reason": "overtaken"})
    return {(row.network, row.conversation) for row in rows}


def paused(db: Connection) -> str:
    """The networks because of which nothing is passed on, "" when things pass."""
    return _meta(db, "capture")


def _tell(tx: Tx, lane: int, key: str, without: Collection[tuple[str, str]] = ()) -> None:
    """Say it in every chat of a pair in which somebody wrote lately, about the last message there."""
    work = Rulings(tx, lane)
    p = s.pairs.c
    told = set(without)
    for row in tx.db.execute(select(p.id, p.stream, p.contact).where(p.state == "active").order_by(p.id)):
        for network, chat in ((SYMPHONY, row.stream), (WEIXIN, row.contact)):
            about = _lately(tx.db, row.stream, row.contact, tx.now)
            place = network, tx.vault.hidden(chat)
            if about and place not in told and _reaches(tx.db, network, chat, tx.now):
                told.add(place)
                work.notice(about, network, chat, words.say(key, language_of(tx.db, row.id, network)))
    work.write()


def _lately(db: Connection, stream: str, contact: str, now: int) -> int:
    """The last message of a pair's two chats, 0 when nobody wrote there for a while."""
    m = s.messages.c
    chats = and_(m.conversation.in_((stream, contact)), m.notice_for.is_(None))
    row = db.execute(select(m.id, m.archived_at).where(chats).order_by(m.id.desc()).limit(1)).first()
    return row.id if row and row.archived_at > now - WINDOW else 0


def _reaches(db: Connection, network: str, chat: str, now: int) -> bool:
    """Whether the network lets the bridge say something there: in Weixin, shortly after the client wrote."""
    c = s.chats.c
    query = select(c.last_inbound_at).where(c.network == network, c.conversation == chat)
    return network == SYMPHONY or (db.execute(query).scalar() or 0) > now - WINDOW


# --- certificates ---------------------------------------------------------------------------------------


class Kept(NamedTuple):
    """A certificate in the ledger: its day, run, when it was made, its span (`since` <= time < `until`), its
    digest, what it found, the networks that were not asked, and for how much the others could not be."""

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

    @property
    def thorough(self) -> bool:
        """Whether every network was asked for all of it."""
        return not self.unasked and not self.gaps

    @property
    def last_day(self) -> date:
        """The last day that it is of."""
        return date.fromisoformat(self.day.rpartition("..")[2])

    @property
    def whole(self) -> bool:
        """Whether it is of a day, and of all of it."""
        return self.until - self.since == DAY and ".." not in self.day

    def told(self) -> str:
        """What it found, in a line."""
        asked = f", not asked: {', '.join(self.unasked)}" if self.unasked else ""
        part = "" if self.whole or ".." in self.day else f", up to {moment(self.until)} only"
        found = f"{self.differences} differences, {self.alerts} alerts"
        return f"run {self.run}, made {moment(self.at)}: {found}{asked}{part}"


def certify(tx: Tx, lane: int, certificate: Certificate) -> None:
    """Write a certificate into the ledger."""
    counts = Counter({"archived": 0})
    for account in certificate.accounts:
        if account.kind == "source":
            counts["archived"] += account.counts.get("archived", 0)
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
    }
    tx.append(lane, "day:certified", f"day/{certificate.day}", facts, certificate.canonical())


def certified(db: Connection, day: str = "", first: str = "") -> list[Kept]:
    """The certificates of a day, or of all days from `first` on, in the order in which they were made."""
    c = s.ledger.c
    which = c.subject == f"day/{day}" if day else and_(c.subject >= f"day/{first}", c.subject < "day0")
    rows = db.execute(select(c.entry).where(which).order_by(c.lane, c.seq)).scalars()
    return [one for entry in reconciling.readable(rows) if (one := _kept(entry))]


def next_run(db: Connection, day: str) -> int:
    """The number of the next run of a day: one more than there are entries, also where one cannot be read."""
    which = s.ledger.c.subject == f"day/{day}"
    return int(db.execute(select(func.count()).select_from(s.ledger).where(which)).scalar() or 0) + 1


def spoiled(db: Connection) -> list[str]:
    """The days of whose certificates, or settling, the ledger has an entry that is none any more."""
    c = s.ledger.c
    found = []
    for first, last, read in (("day/", "day0", _kept), (SETTLED, f"{SETTLED[:-1]}0", _run_of)):
        which = c.subject >= first, c.subject < last
        rows = db.execute(select(c.subject, c.entry).where(*which).order_by(c.lane, c.seq))
        found += [row.subject for row in rows if not any(map(read, reconciling.readable([row.entry])))]
    return found


_NUMBERS = ("since", "until", "sha256", "archived", "differences", "alerts")
_TYPES = {**dict.fromkeys(_NUMBERS, int), "sha256": str, "run": int, "unasked": list}


def _kept(entry: Entry) -> Kept | None:
    """What an entry says of a certificate; None where it is not of one any more."""
    facts: Mapping[str, Any] = entry.facts
    typed = all(isinstance(facts.get(name), of) for name, of in _TYPES.items())
    if entry.kind != "day:certified" or not typed or not isinstance(entry.at, int):
        return None
    values = (facts[name] for name in _NUMBERS)
    unasked, gaps = tuple(map(str, facts["unasked"])), facts.get("gaps", 0)
    return Kept(_day_of(entry), facts["run"], entry.at, *values, unasked, gaps)


def _run_of(entry: Entry) -> int:
    """The run that an entry says was settled, 0 where it says nothing of that any more."""
    run = entry.facts.get("run")
    return run if entry.kind == "day:settled" and isinstance(run, int) else 0


def _day_of(entry: Entry) -> str:
    return entry.subject.removeprefix("day/")


def settle(tx: Tx, lane: int, day: str, person: str, reason: str) -> Kept:
    """Somebody looked into what stands of a day, and says why it is as it is. Raises Missing when nothing
    stands of it."""
    found = [one for one in unsettled(tx.db) if one.day == day]
    if not found:
        raise Missing(f"nothing of {day} is to be settled; `weighbridge certify alerts` says what is")
    body = dump({"person": person, "reason": reason})
    tx.append(lane, "day:settled", f"{SETTLED}{day}", {"run": found[0].run}, body)
    return found[0]


def settled(db: Connection) -> dict[str, int]:
    """The days that somebody settled, each with the run that was."""
    c = s.ledger.c
    which = c.subject >= SETTLED, c.subject < f"{SETTLED[:-1]}0"
    rows = db.execute(select(c.entry).where(*which).order_by(c.lane, c.seq)).scalars()
    found = ((entry.subject.removeprefix(SETTLED), _run_of(entry)) for entry in reconciling.readable(rows))
    return {day: run for day, run in found if run}


def standings(db: Connection) -> list[Kept]:
    """What holds of each day that was certified whole, and of each span that differs, in the order of days.

    Of the runs, the last of those that asked most. Differences stay until a run asked every network for all
    of it, or found more: whoever was not asked says nothing of them.
    """
    holds: dict[str, Kept] = {}
    for one in certified(db):
        before = holds.get(one.day)
        if (one.whole or ".." in one.day) and (before is None or _replaces(one, before)):
            holds[one.day] = one
    return [holds[day] for day in sorted(holds) if holds[day].whole or holds[day].differences]


def _replaces(one: Kept, before: Kept) -> bool:
    if before.differences:
        return one.thorough or one.differences > before.differences
    return bool(one.differences) or len(one.unasked) <= len(before.unasked)


def standing(db: Connection) -> Kept | None:
    """What holds of the last day that was certified whole."""
    return ([one for one in standings(db) if one.whole] or [None])[-1]


def unsettled(db: Connection) -> list[Kept]:
    """The days and spans of which something stands, the oldest first: differences until somebody settles
    them, what is unusual until then or for a week. A run that found nothing but what was settled of its day
    before stands no more than that."""
    days, done = standings(db), settled(db)
    if not days:
        return []
    recent = max(one.last_day for one in days) - timedelta(days=RECENT)
    found = [one for one in days if one.differences or (one.alerts and one.last_day > recent)]
    return [one for one in found if not _is_settled(db, one, done.get(one.day, 0))]


def _is_settled(db: Connection, one: Kept, run: int) -> bool:
    """Whether somebody settled a run of this day that found all of what this one did."""
    if not run or one.run <= run:
        return one.run <= run
    try:
        before, now = (certificate(db, one.day, number) for number in (run, one.run))
    except (Missing, Damaged):
        return False
    return now.findings <= before.findings


LONG_AGO = 1
"""A time before every message: where the ledger does not say when the first one came."""


def begun(db: Connection) -> int:
    """When the first message came into the archive (milliseconds), 0 while there is none.

    By the ledger, between its first time and its last: no row, and no entry that was changed, puts off what
    counts days from there. Where its entry is gone, or lies, `LONG_AGO`.
    """
    c = s.ledger.c
    lanes = select(c.entry, c.subject).order_by(c.lane)
    first = db.execute(lanes.where(c.subject == "message/1").order_by(c.seq).limit(1)).first()
    ends = [db.execute(lanes.order_by(place).limit(1)).first() for place in (c.seq, c.seq.desc())]
    if first is None:
        anything = db.execute(select(s.messages.c.id).limit(1)).first() or certified(db)
        return LONG_AGO if anything else 0
    try:
        at, (since, until) = recall(first.entry).at, (recall(one.entry).at for one in ends if one)
        return at if since <= at <= until else LONG_AGO
    except (ValueError, TypeError):  # no entry any more: `audit verify` says so
        return LONG_AGO


def certificate(db: Connection, day: str, run: int = 0) -> Certificate:
    """A run of a day, or its last. Raises Missing when there is none, Damaged when it was changed."""
    c = s.ledger.c
    rows = db.execute(select(c.entry).where(c.subject == f"day/{day}").order_by(c.lane, c.seq)).scalars()
    kept = (entry for entry in reconciling.readable(rows) if _kept(entry))
    entries = [entry for entry in kept if run in (0, entry.facts["run"])]
    if not entries and f"day/{day}" in spoiled(db):
        raise Damaged(f"what the ledger says of the certificate of {day} is no entry any more")
    if not entries:
        option = "--since FIRST --until AFTER" if ".." in day else f"--day {day}"
        raise Missing(f"{day} was not certified; `weighbridge certify {option}` does it")
    entry = entries[-1]
    try:
        found = from_value(orjson.loads(_body(db, entry)))
        if found.digest() == entry.facts["sha256"]:
            return found
    except (StoreError, ValueError, TypeError):
        pass
    raise Damaged(f"the certificate of {day}, run {entry.facts['run']}, is not what the ledger testifies to")


def still_missing(db: Connection, day: str) -> list[str]:
    """What the last run of a day missed of its networks ("symphony/ID"), and the archive has not by now:
    a network that shows it no longer has not brought it."""
    try:
        items = certificate(db, day).lists.get("fault source missing", ())
    except (Missing, Damaged):
        return []
    names = [item.partition(": ")[0].partition("/") for item in items]
    m, lacking = s.messages.c, []
    for network, _, source_id in names:
        had = select(m.id).where(m.network == network, m.source_id == source_id).limit(1)
        if db.execute(had).first() is None:
            lacking.append(f"{network}/{source_id}")
    return lacking


def _body(db: Connection, entry: Entry) -> bytes:
    """What stands beside an entry. Raises StoreError when it does not open."""
    c, k = s.content.c, s.data_keys.c
    join = s.content.join(s.data_keys, and_(k.lane == c.lane, k.seq == c.seq))
    body = cast(apart(c.body), LargeBinary)  # whoever spoils it may have made a text of it
    query = select(k.wrapped, body).select_from(join).where(c.lane == entry.lane, c.seq == entry.seq)
    if (row := db.execute(query).first()) is None:
        raise Damaged("is gone")
    return vault_of(db).open_apart(entry.lane, entry.seq, row[0], row[1], BODY)


# --- what is usual --------------------------------------------------------------------------------------


class Volume(NamedTuple):
    """How many messages a person sent on a day (days since the epoch, UTC)."""

    network: str
    sender: str
    day: int
    count: int


def volumes(db: Connection, first: int, last: int) -> list[Volume]:
    """What everybody sent in the chats of pairs that still are on the days `first` to `last`, both included,
    by when it was archived."""
    m, p = s.messages.c, s.pairs.c
    chats = union(*(select(chat).where(p.state == "active") for chat in (p.stream, p.contact)))
    query = select(m.network, m.sender, func.min(m.archived_at), func.count()).where(
        m.archived_at >= first * DAY, m.archived_at < (last + 1) * DAY, m.notice_for.is_(None)
    )
    query = query.where(m.sender != WORDS_OF_OURS, m.kind.not_in(("note", "failed")))
    query = query.where(m.conversation.in_(db.execute(chats).scalars().all()))
    grouped = query.group_by(m.network, m.sender, m.archived_at - m.archived_at % DAY)
    return [Volume(row[0], row[1], row[2] // DAY, row[3]) for row in db.execute(grouped)]


def written(db: Connection, lane: int, network: str, day: int) -> int:
    """How many messages people wrote in a network on a day (days since the epoch), by the ledger's time."""
    m = s.messages.c
    first, last = reconciling.span(db, lane, day * DAY, (day + 1) * DAY).messages
    query = select(func.count()).where(m.id >= first, m.id < last, *_by_people(network))
    return int(db.execute(query).scalar() or 0)


def last_written(db: Connection, network: str) -> int:
    """The day on which somebody wrote in a network last, -1 when nobody ever did."""
    m, e = s.messages.c, s.ledger.c
    query = select(e.entry).join(s.messages, and_(m.lane == e.lane, m.entry == e.seq))
    rows = db.execute(query.where(*_by_people(network)).order_by(m.id.desc()).limit(FEW)).scalars()
    found = next(reconciling.readable(rows), None)
    return -1 if found is None else found.at // DAY


def _by_people(network: str) -> tuple[Any, ...]:
    m = s.messages.c
    ours = m.notice_for.is_not(None) | (m.sender == WORDS_OF_OURS)
    return m.network == network, ~ours, m.kind.not_in(("note", "failed"))


def usual_days(db: Connection, lane: int, network: str, day: int, weeks: int) -> list[int]:
    """What was written in a network on the same weekday before: of the last `weeks` of them that were as
    usual. Days on which too few had been written, and nobody has settled that since, are none."""
    first, done = max(day - 7 * FAR, begun(db) // DAY), _explained(db, network)
    found: list[int] = []
    for one in range(day - 7, first - 1, -7):
        if len(found) < weeks and not _is_missed(db, _date(one), network, done):
            found.append(written(db, lane, network, one))
    return found


def silence(db: Connection, lane: int, network: str, day: int, most: int, weeks: int) -> int:
    """For how many usual days in a row nobody has written in a network, up to `day`; 0 when fewer than
    `most`, however long ago the last word was. Once somebody has settled that, silence begins again."""
    last = last_written(db, network)
    if last < 0 or last >= day:
        return 0
    done = _explained(db, network)
    since = date.fromisoformat(done).toordinal() - date(1970, 1, 1).toordinal() if done else -1
    before = range(max(last - 7 * weeks + 1, begun(db) // DAY), last + 1)
    days = [one for one in before if written(db, lane, network, one)]
    return expectations.silent(days, day, most, weeks, since)


def _explained(db: Connection, network: str) -> str:
    """The last day of which somebody settled that too little had come from a network, "" for none. What was
    settled of another network, or for anything else, says nothing of this one."""
    for day, run in sorted(settled(db).items(), reverse=True):
        with suppress(Missing, Damaged):
            if ".." not in day and expectations.is_missed(certificate(db, day, run).alerts, network):
                return day
    return ""


def _is_missed(db: Connection, day: str, network: str, done: str) -> bool:
    """Whether a certificate misses messages of a network, and nobody has settled that day or a later one."""
    if day <= done:
        return False
    try:
        return expectations.is_missed(certificate(db, day).alerts, network)
    except (Missing, Damaged):
        return False


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * DAY / 1000, UTC).date().isoformat()


def policies_since(db: Connection, at: int) -> int:
    """When other policies came into force last, if not before a time (milliseconds); 0 if not since."""
    c = s.ledger.c
    query = select(c.entry).where(c.subject == "policy").order_by(c.lane, c.seq)
    entries = reconciling.readable(db.execute(query).scalars())
    times = [entry.at for entry in entries if entry.kind == "policy:activated" and entry.at >= at]
    return max(times, default=0)


def sent_on(db: Connection, networks: Iterable[str], since: int, until: int) -> dict[str, int]:
    """How many messages of each network were archived in a span."""
    m = s.messages.c
    query = select(m.network, func.count()).where(m.archived_at >= since, m.archived_at < until)
    found = dict(db.execute(query.where(m.notice_for.is_(None)).group_by(m.network)).all())
    return {network: int(found.get(network, 0)) for network in networks}


def archived_between(db: Connection, since: int, until: int) -> Iterator[str]:
    """The messages that came into the archive in a span, by number and by the network's id."""
    m = s.messages.c
    query = select(m.id, m.network, m.source_id).where(m.archived_at >= since, m.archived_at < until)
    for row in db.execute(query.where(m.notice_for.is_(None)).order_by(m.id)):
        yield f"message/{row.id} {row.network}/{row.source_id}"
