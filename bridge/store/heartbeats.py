"""What the house says of its own watching: that a network was read, pauses, what is usual.

Rules of this file: every word is an entry of the ledger, so silence is signed as speech is. A pause stands in
`meta` as well, where every claim sees it, and stays there until somebody ends it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, func, select, union

from bridge import words
from bridge.errors import Damaged, Missing
from bridge.ledger.entry import Entry, recall
from bridge.message import SYMPHONY, WEIXIN
from bridge.records import expectations
from bridge.store import certificates, reconciling
from bridge.store import schema as s
from bridge.store.judging import Rulings, language_of
from bridge.store.rows import WORDS_OF_OURS, drop_delivery, is_paused, next_number, upserting
from bridge.store.writer import Tx

DAY = 86_400_000
WINDOW = 2 * DAY
"""Milliseconds within which a client must have written to be told something."""

REST = 3_600_000
"""Milliseconds after which a chat may be told of another pause."""

FEW = 100
"""Entries among which the last that can be read is looked for."""

FAR = 53
"""Weeks back to which a usual day is looked for."""

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


# --- what is usual --------------------------------------------------------------------------------------


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
        anything = db.execute(select(s.messages.c.id).limit(1)).first() or certificates.certified(db)
        return LONG_AGO if anything else 0
    try:
        at, (since, until) = recall(first.entry).at, (recall(one.entry).at for one in ends if one)
        return at if since <= at <= until else LONG_AGO
    except (ValueError, TypeError):  # no entry any more: `audit verify` says so
        return LONG_AGO


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
    """How many messages people wrote in a network on a day (days since the epoch), by the ledger: by where
    the day lies in its certificate, and by its time where it has none."""
    ends, places = (day * DAY, (day + 1) * DAY), certificates.places(db, lane, day)
    at = reconciling.at_places(db, lane, *ends, places) if places else reconciling.roughly(db, lane, *ends)
    return by_people(db, network, at.messages)


def by_people(db: Connection, network: str, messages: tuple[int, int]) -> int:
    """How many messages, of numbers from the first up to but without the last, people wrote in a network."""
    m, (first, last) = s.messages.c, messages
    query = select(func.count()).where(m.id >= first, m.id < last, *_by_people(network))
    return int(db.execute(query).scalar() or 0)


def last_written(db: Connection, network: str) -> int:
    """The day on which somebody wrote in a network last, -1 when nobody ever did; by its certificate, so that
    a clock that was ahead hides no silence."""
    m, e = s.messages.c, s.ledger.c
    query = select(e.entry).join(s.messages, and_(m.lane == e.lane, m.entry == e.seq))
    rows = db.execute(query.where(*_by_people(network)).order_by(m.id.desc()).limit(FEW)).scalars()
    found = next(reconciling.readable(rows), None)
    if found is None:
        return -1
    day = certificates.day_at(db, found.lane, found.seq)
    return found.at // DAY if day is None else day


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
    for day, done in sorted(certificates.settled(db).items(), reverse=True):
        with suppress(Missing, Damaged):
            if ".." in day or not done.run:
                continue
            if expectations.is_missed(certificates.certificate(db, day, done.run).alerts, network):
                return day
    return ""


def _is_missed(db: Connection, day: str, network: str, done: str) -> bool:
    """Whether a certificate misses messages of a network, and nobody has settled that day or a later one."""
    if day <= done:
        return False
    try:
        return expectations.is_missed(certificates.certificate(db, day).alerts, network)
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
