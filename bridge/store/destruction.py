"""Records destroyed: keys and content, what names people beside them, attachments, words in the index.

Rules of this file: it destroys what it is told to; whether it may is asked in the same transaction by
`disposal`. What is left of a record is what proves that there was one: its entries, without their content,
and rows whose columns name nobody. What the transaction cannot reach goes afterwards, so that a crash leaves
too much and never a record whose parts are half there: files of attachments, whose keys are gone by then, and
words in the index, which are keyed tokens. Whoever runs the disposal again finds both.

    in the transaction     content, data keys, keys of attachments, receipts; columns blanked; an entry
    after it               files of attachments (`remove_files`); words in the search index (`forget`)
    at the end             what the engine keeps of old rows: its files are written anew (`settle`)
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import (
    Connection,
    Engine,
    String,
    and_,
    bindparam,
    cast,
    delete,
    exists,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from bridge.errors import StoreError
from bridge.flow import DeliveryState
from bridge.store import schema as s
from bridge.store import sqlite
from bridge.store.acts import note_pairs
from bridge.store.blobs import BlobFolder
from bridge.store.holds import asked, note_meant
from bridge.store.index import Index, month_of
from bridge.store.index.following import Follower
from bridge.store.prepared import Prepared
from bridge.store.rows import drop_delivery, is_gone, is_open, states_in
from bridge.store.writer import Tx

if TYPE_CHECKING:
    import psycopg

STAYING = frozenset({"consent:asked", "consent:given"})
"""Kinds of entries about a message whose content stays: what a client agreed to is a record of the client."""

GONE = "disposed/"
"""How the id of a message that is gone begins; its number follows, so that no two are alike."""


class Doomed(NamedTuple):
    """A record that may go: its number, the class that kept it, and until when (milliseconds)."""

    number: int
    key: str
    until: int


# --- in the transaction ---------------------------------------------------------------------------------


def destroy(tx: Tx, disposal: int, doomed: Sequence[Doomed]) -> int:
    """Destroy these records and the bridge's notices about them; gives how many messages that were.

    What is gone already is left alone.
    """
    tx.flush()
    rows = _members(tx.db, [one.number for one in doomed])
    numbers = [row.id for row in rows]
    if not numbers:
        return 0
    note_meant(tx, _lane_of(tx.db, disposal))
    permits = _permits(tx.db, numbers)
    _drop_notices(tx, numbers)
    _destroy_content(tx.db, numbers, permits)
    _destroy_file_keys(tx.db, numbers)
    _blank(tx.db, numbers, permits)
    _testify(tx, disposal, rows, {one.number: one for one in doomed})
    return len(numbers)


def _members(db: Connection, numbers: Sequence[int]) -> Sequence[Any]:
    """The messages of these records that are there: the messages themselves, and notices about them."""
    m = s.messages.c
    query = select(m.id, m.lane, m.notice_for).where(~is_gone(m.id)).order_by(m.id)
    own = db.execute(query.where(m.id.in_(numbers))).all()
    notices = db.execute(query.where(m.notice_for.in_(numbers))).all()
    return sorted({row.id: row for row in [*own, *notices]}.values(), key=lambda row: row.id)


def _permits(db: Connection, numbers: Sequence[int]) -> list[str]:
    d = s.deliveries.c
    return list(db.scalars(select(d.permit).where(d.message.in_(numbers))))


def _drop_notices(tx: Tx, numbers: Sequence[int]) -> None:
    """What is still to be sent of these messages never is: only notices are not sent by now (`terms`)."""
    d = s.deliveries.c
    stuck = states_in(d.state, DeliveryState.PARKED.value, DeliveryState.FAILED.value)
    query = select(d.lane, d.permit, d.message).where(d.message.in_(numbers))
    for row in tx.db.execute(query.where(or_(is_open(s.deliveries), stuck))).all():
        drop_delivery(tx, row.lane, row.permit, {"message": row.message, "reason": "disposed"})


def _destroy_content(db: Connection, numbers: Sequence[int], permits: Sequence[str]) -> None:
    le = s.ledger.c
    subjects = [*(f"message/{number}" for number in numbers), *(f"delivery/{permit}" for permit in permits)]
    rows = db.execute(select(le.lane, le.seq, le.entry).where(le.subject.in_(subjects)))
    places = [{"b_lane": row.lane, "b_seq": row.seq} for row in rows if not _stays(bytes(row.entry))]
    _destroy_at(db, places)


def _stays(entry: bytes) -> bool:
    """Whether what stands beside an entry is more than the message's: asked of its canonical bytes."""
    return any(b'"kind":"%b"' % kind.encode() in entry for kind in STAYING)


def _destroy_at(db: Connection, places: Sequence[Mapping[str, int]]) -> None:
    for statement in (_NO_KEY, _NO_CONTENT) if places else ():
        statement.many(db, places)


def _here(table: Any) -> Any:
    return and_(table.c.lane == bindparam("b_lane"), table.c.seq == bindparam("b_seq"))


_NO_KEY = Prepared(delete(s.data_keys).where(_here(s.data_keys)))
_NO_CONTENT = Prepared(delete(s.content).where(_here(s.content)))


def _destroy_file_keys(db: Connection, numbers: Sequence[int]) -> None:
    """The keys of attachments that no other record has which is there."""
    f, other = s.files.c, s.files.alias("other")
    elsewhere = exists().where(
        other.c.digest == f.digest,
        other.c.message.not_in(numbers),
        ~is_gone(other.c.message),
    )
    query = select(f.digest).where(f.message.in_(numbers), f.digest != "", ~elsewhere).distinct()
    digests = list(db.scalars(query))
    if digests:
        db.execute(delete(s.file_keys).where(s.file_keys.c.digest.in_(digests)))


def _blank(db: Connection, numbers: Sequence[int], permits: Sequence[str]) -> None:
    """Take out of the rows who wrote, where, and the networks' own ids."""
    m, d, r = s.messages.c, s.deliveries.c, s.reviews.c
    name = literal_column(f"'{GONE}'").concat(m.id)
    nobody = {"source_id": name, "conversation": "", "sender": "", "pair": None}
    db.execute(update(s.messages).where(m.id.in_(numbers)).values(nobody))
    db.execute(update(s.deliveries).where(d.message.in_(numbers)).values(conversation=""))
    db.execute(update(s.reviews).where(r.message.in_(numbers)).values(conversation=""))
    if permits:
        db.execute(delete(s.receipts).where(s.receipts.c.permit.in_(permits)))


def _testify(tx: Tx, disposal: int, rows: Sequence[Any], doomed: Mapping[int, Doomed]) -> None:
    plan = _lane_of(tx.db, disposal)
    step = {"disposal": disposal, "messages": len(rows), **asked(tx.db)}
    by = tx.append(plan, "disposal:carried-on", f"disposal/{disposal}/run", step)
    kept = []
    for row in rows:
        one = doomed.get(row.id) or doomed[row.notice_for]
        facts = {"message": row.id, "disposal": disposal, "by": by, "class": one.key, "until": one.until}
        entry = tx.append(row.lane, "record:disposed", f"message/{row.id}", facts)
        kept.append({"message": row.id, "disposal": disposal, "lane": row.lane, "entry": entry})
    tx.db.execute(insert(s.disposed), kept)


def _lane_of(db: Connection, disposal: int) -> int:
    lane: int = db.execute(select(s.disposals.c.lane).where(s.disposals.c.id == disposal)).scalar_one()
    return lane


Place = dict[str, int]
"""Where an entry is, as `_destroy_at` takes it."""


def erase_pair(tx: Tx, pair: int, disposal: int, before: Mapping[str, Sequence[Place]] | None = None) -> int:
    """Destroy the names, addresses and ids of two people who are paired no longer, and what is remembered of
    their chats, as far as no other pair has it; gives how many consents went that a client had given.

    `before` is what `asked_before` gives, for whoever erases several pairs: it looks at all that is gone.
    """
    tx.flush()
    p = s.pairs.c
    row = tx.db.execute(select(p.lane, p.stream, p.contact, p.advisor).where(p.id == pair)).one()
    le = s.ledger.c
    acts = tx.db.execute(select(le.lane, le.seq).where(le.subject == f"pair/{pair}"))
    places = [{"b_lane": one.lane, "b_seq": one.seq} for one in acts]
    consents: list[Any] = []
    for column, value in ((p.contact, row.contact), (p.stream, row.stream)):
        if not tx.db.execute(select(p.id).where(column == value, p.id != pair)).first():
            consents += _forget_chat(tx.db, value)
            if column is p.contact:
                places += (asked_before(tx.db) if before is None else before).get(value, ())
    places += [{"b_lane": one.lane, "b_seq": one.entry} for one in consents]
    _destroy_at(tx.db, places)
    nobody = {"advisor": "", "stream": "", "contact": "", "body": b""}
    tx.db.execute(update(s.pairs).where(p.id == pair).values(nobody))
    given = len([one for one in consents if one.given_at > 0])
    facts = {"pair": pair, "disposal": disposal, "consents": given, **asked(tx.db)}
    tx.append(row.lane, "pair:erased", f"pair/{pair}", facts)
    note_pairs(tx)
    return given


def _forget_chat(db: Connection, conversation: str) -> Sequence[Any]:
    """Forget what moving things remembered of a chat; gives what its client was asked and agreed to: when it
    was given (milliseconds, 0: it was not), and the places of the entries."""
    o = s.consents.c
    rows = db.execute(select(o.lane, o.entry, o.given_at).where(o.contact == conversation)).all()
    db.execute(delete(s.consents).where(o.contact == conversation))
    for one in (s.chats, s.said):
        db.execute(delete(one).where(one.c.conversation == conversation))
    db.execute(delete(s.cursors).where(s.cursors.c.name == f"stream:{conversation}"))
    return rows


def asked_before(db: Connection) -> Mapping[str, Sequence[Place]]:
    """By client, the places of what they were asked and agreed to in messages that are gone, also of what a
    later answer took the place of: beside such messages nothing else is left."""
    le, c, g = s.ledger.c, s.content.c, s.disposed.c
    query = (
        select(le.lane, le.seq, le.entry, c.body)
        .select_from(s.disposed)
        .join(s.ledger, le.subject == literal_column("'message/'").concat(cast(g.message, String)))
        .join(s.content, and_(c.lane == le.lane, c.seq == le.seq))
    )
    found: defaultdict[str, list[Place]] = defaultdict(list)
    for row in db.execute(query):
        if _stays(bytes(row.entry)) and row.body:
            contact = str(orjson.loads(row.body).get("contact", ""))
            found[contact].append({"b_lane": row.lane, "b_seq": row.seq})
    return found


# --- after it -------------------------------------------------------------------------------------------


def leftovers(db: Connection, disposal: int) -> list[str]:
    """Digests of attachments whose keys a disposal destroyed: their files are of no use any more."""
    f, g, k = s.files.c, s.disposed.c, s.file_keys.c
    query = (
        select(f.digest)
        .join(s.disposed, g.message == f.message)
        .where(g.disposal == disposal, f.digest != "", ~exists().where(k.digest == f.digest))
    )
    return sorted(set(db.scalars(query)))


def remove_files(blobs: BlobFolder, digests: Iterable[str]) -> int:
    """Take the files of these attachments away; gives how many there were."""
    removed = 0
    for digest in digests:
        path = blobs.path(digest)
        removed += path.exists()
        path.unlink(missing_ok=True)
    return removed


def months_of(db: Connection, disposal: int) -> dict[str, list[int]]:
    """The messages that a disposal destroyed, by the month of the index that they are in."""
    m, g = s.messages.c, s.disposed.c
    query = select(m.id, m.archived_at).join(s.disposed, g.message == m.id).where(g.disposal == disposal)
    found: defaultdict[str, list[int]] = defaultdict(list)
    for number, at in db.execute(query):
        found[month_of(at)].append(number)
    return dict(found)


def forget(engine: Engine, index: Index, disposal: int) -> None:
    """Let the words of what a disposal destroyed leave the search index, from its files and tables."""
    with engine.connect() as db:
        with db.begin():
            index.forget(db, months_of(db, disposal))
        follower = Follower(index)
        while follower.repair(db) is not None:
            pass


def settle(engine: Engine, patience: float = 5.0, brief: float = 0.0) -> str:
    """Let nothing that was destroyed linger where the engine keeps old rows; gives why that could not be done
    now, "" when it is done.

    SQLite writes zeros over what is deleted (`secure_delete`), but not over what it left behind when it moved
    rows within and between pages; PostgreSQL only marks rows as dead, and what a plain VACUUM frees is not
    overwritten. What is sealed opens no more; wrapped keys and networks' ids in clear are what matters. So
    SQLite's file is written anew (`sqlite.rewrite`), and of PostgreSQL each table (VACUUM FULL), which locks
    it meanwhile, with the samples that the planner keeps of its columns. Rows that somebody's older snapshot
    may still see survive that: it is waited for `patience` seconds until there is none. No table may take
    longer than `brief` seconds, if that is said. The server's log and
    backups have what they have until they are recycled: there, only a new master key makes it final
    (`keys rotate`).
    """
    if engine.dialect.name == "sqlite":
        return sqlite.rewrite(engine, patience, brief)
    from psycopg import Error

    try:
        connection = engine.raw_connection()
    except Error as error:
        return _why(error)
    except StoreError as error:
        return str(error)
    try:
        return _rewrite(connection.driver_connection, patience, brief)
    except Error as error:
        connection.invalidate()  # it may be lost, or set up as others are not
        return _why(error)
    finally:
        connection.close()


def _why(error: psycopg.Error) -> str:
    """What a server's error means for whoever waits for the tables to be written anew."""
    from psycopg.errors import DiskFull, InsufficientPrivilege, LockNotAvailable, QueryCanceled

    reasons: dict[type[psycopg.Error], str] = {
        LockNotAvailable: USED,
        QueryCanceled: sqlite.WORKED,
        InsufficientPrivilege: NOT_OWNED,
        DiskFull: sqlite.FULL,
    }
    name, said = type(error).__name__, error.diag.message_primary or "the connection was lost"
    return next(
        (reason for kind, reason in reasons.items() if isinstance(error, kind)),
        sqlite.FAILED.format(name=name, said=said),
    )


_LEFT_IN = (
    *("data_keys", "file_keys", "content", "messages", "deliveries", "reviews", "receipts", "pairs"),
    *("consents", "chats", "said", "cursors", "search_words"),
)
"""Tables of which rows were deleted or blanked, keys first."""

_SAMPLES = "pg_catalog.pg_statistic"
"""Where the planner keeps values out of columns; whoever owns the database may write it anew."""

NOT_OWNED = "the role of the store does not own its database: ALTER DATABASE … OWNER TO that role"
"""Why the samples of a server's planner cannot be written anew."""


USED = "somebody uses a table of the database since before, and it cannot be locked"


def _rewrite(connection: Any, patience: float, brief: float) -> str:
    """Write the tables anew, outside of any transaction: a server does it nowhere else. Raises
    psycopg.Error."""
    connection.rollback()
    before, connection.autocommit = connection.autocommit, True
    skipped: list[str] = []

    def hear(said: Any) -> None:
        if said.severity_nonlocalized == "WARNING":  # so a server says what it does not let a role do
            skipped.append(said.message_primary)

    connection.add_notice_handler(hear)
    try:
        if not _unseen(connection, patience):
            return sqlite.READ
        connection.execute(f"SET statement_timeout = {round(brief * 1000)}")
        for table in (*_LEFT_IN, _SAMPLES):
            there = connection.execute("SELECT to_regclass(%s)", (table,)).fetchone()[0]
            if there is not None:
                analyze = ", ANALYZE" * (table != _SAMPLES)
                connection.execute(f"VACUUM (FULL{analyze}) {table}")
        connection.execute("RESET statement_timeout")
    finally:
        connection.remove_notice_handler(hear)
        connection.autocommit = before
    return NOT_OWNED if skipped else ""


def _unseen(connection: Any, patience: float) -> bool:
    """Whether nobody has a snapshot any more from before now, on the server or on a standby that reports its
    own: tried on a row that is deleted here, because the server shows others' snapshots to nobody but its
    owner."""
    deadline = time.monotonic() + patience
    connection.execute("CREATE TABLE IF NOT EXISTS settling (n int)")
    try:
        connection.execute("INSERT INTO settling VALUES (1)")
        connection.execute("DELETE FROM settling")
        while True:
            connection.execute("VACUUM FULL settling")
            if connection.execute("SELECT pg_relation_size('settling')").fetchone()[0] == 0:
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.1)
    finally:
        connection.execute("DROP TABLE settling")
