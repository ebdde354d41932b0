"""The life of the keys: rotated, rewrapped, retired, split among custodians, and put together for a drill.

Rules of this file: content is never written again, only the keys that wrap the keys. Every step is a
transaction of its own that can be repeated: whoever is killed between two of them runs the command again, and
it goes on where it stopped. A daemon may go on writing all the while; it asks for the newest store key in
every transaction.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import (
    Connection,
    Engine,
    LargeBinary,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    tuple_,
    type_coerce,
    update,
)

from bridge import sealing
from bridge.errors import Conflict, StoreError
from bridge.ledger.content import digest_of
from bridge.ports import KeyKeeper
from bridge.store import schema as s
from bridge.store.codec import dump
from bridge.store.prepared import Prepared
from bridge.store.proving import testimony
from bridge.store.vault import RECORDS
from bridge.store.writer import Tx

SUBJECT = "keys"

MANY = 2000
"""Keys that one transaction rewraps."""

# In literals: PostgreSQL groups by an expression only if it is the same to the letter.
_FOUR_BYTES = literal_column("2"), literal_column("4")
_NUMBER = func.substr(s.data_keys.c.wrapped, *_FOUR_BYTES)
_FILE_NUMBER = func.substr(s.file_keys.c.wrapped, *_FOUR_BYTES)


@dataclass(frozen=True, slots=True)
class Standing:
    """How the keys stand: `store_keys` with how many data keys each wraps, and what was last done."""

    master: str
    store_keys: tuple[Mapping[str, Any], ...]
    escrow: Mapping[str, Any] | None
    drill: Mapping[str, Any] | None

    @property
    def unfinished(self) -> bool:
        """Whether a rotation was begun and is not at its end."""
        return sum(one["purpose"] == RECORDS for one in self.store_keys) > 1


def standing(db: Connection, keeper: KeyKeeper) -> Standing:
    """How the keys stand now. Needs no master key."""
    k = s.store_keys.c
    rows = db.execute(select(k.id, k.purpose, k.master, k.made_at).order_by(k.id)).all()
    wrapped = _wrapped(db)
    keys = tuple({**row._mapping, "wraps": wrapped.get(row.id, 0)} for row in rows)
    plain = tuple({str(name): value for name, value in one.items()} for one in keys)
    last = {entry["kind"]: entry for entry in history(db)}
    return Standing(keeper.current, plain, last.get("key:escrowed"), last.get("key:drilled"))


def _wrapped(db: Connection) -> dict[int, int]:
    """How many keys each store key wraps."""
    counts: dict[int, int] = {}
    for column in (_NUMBER, _FILE_NUMBER):
        for number, count in db.execute(select(column, func.count()).group_by(column)):
            counts[int.from_bytes(number, "big")] = counts.get(int.from_bytes(number, "big"), 0) + count
    return counts


def history(db: Connection) -> list[dict[str, Any]]:
    """What happened to the keys, the oldest first: `kind`, `at`, and the entry's facts."""
    e = s.ledger.c
    rows = db.execute(select(e.lane, e.seq, e.entry).where(e.subject == SUBJECT).order_by(e.lane, e.seq))
    entries = [testimony(*row) for row in rows]
    return [{"kind": one.kind, "at": one.at, "seq": one.seq, **one.facts} for one in entries]


# --- rotation -------------------------------------------------------------------------------------------


def rotate(tx: Tx, lane: int, person: str, reason: str) -> int:
    """Wrap every store key by the present master key, and make a new one for what is written from here on;
    gives its number. Raises Conflict while an earlier rotation is not at its end."""
    keeper, k = tx.vault.keeper, s.store_keys.c
    rows = tx.db.execute(select(s.store_keys).order_by(k.id)).all()
    if sum(row.purpose == RECORDS for row in rows) > 1:
        raise Conflict("an earlier rotation is not at its end: it has to be finished first")
    for row in rows:
        master, wrapped = keeper.wrap(keeper.unwrap(row.master, row.wrapped))
        tx.db.execute(update(s.store_keys).where(k.id == row.id).values(master=master, wrapped=wrapped))
    number = max(row.id for row in rows) + 1
    master, wrapped = keeper.wrap(os.urandom(sealing.KEY_BYTES))
    row = {"id": number, "purpose": RECORDS, "master": master, "wrapped": wrapped, "made_at": tx.now}
    tx.db.execute(insert(s.store_keys).values(row))
    tx.vault.load(tx.db)
    tx.store_key = number
    act = dump({"person": person, "reason": reason})
    tx.append(lane, "key:rotated", SUBJECT, {"key": number, "master": master}, act)
    return number


@dataclass(frozen=True, slots=True)
class Position:
    """How far a rewrapping is: the last record that was looked at."""

    lane: int = -1
    seq: int = -1


def rewrap(tx: Tx, after: Position) -> Position | None:
    """Wrap the next data keys by the newest store key; gives how far it came, None at the end."""
    k = s.data_keys.c
    place = tuple_(k.lane, k.seq)
    query = select(k.lane, k.seq, k.wrapped).where(place > tuple_(after.lane, after.seq))
    rows = tx.db.execute(query.order_by(k.lane, k.seq).limit(MANY)).all()
    fresh = [
        {"b_lane": lane, "b_seq": seq, "b_wrapped": tx.vault.rewrap(tx.store_key, (lane, seq), wrapped)}
        for lane, seq, wrapped in rows
        if sealing.wrapped_by(wrapped) != tx.store_key
    ]
    if fresh:
        _REWRAP.many(tx.db, fresh)
    return Position(rows[-1].lane, rows[-1].seq) if rows else None


_REWRAP = Prepared(
    update(s.data_keys)
    .where(s.data_keys.c.lane == bindparam("b_lane"), s.data_keys.c.seq == bindparam("b_seq"))
    .values(wrapped=bindparam("b_wrapped"))
)


def rewrap_files(tx: Tx, after: str) -> str | None:
    """The same for the keys of attachments, in the order of their digests."""
    k = s.file_keys.c
    query = select(k.digest, k.wrapped).where(k.digest > after).order_by(k.digest).limit(MANY)
    rows = tx.db.execute(query).all()
    for digest, wrapped in rows:
        if sealing.wrapped_by(wrapped) != tx.store_key:
            fresh = tx.vault.rewrap(tx.store_key, digest, wrapped)
            tx.db.execute(update(s.file_keys).where(k.digest == digest).values(wrapped=fresh))
    return rows[-1].digest if rows else None


def retire(tx: Tx, lane: int, person: str, reason: str) -> tuple[list[int], frozenset[str]]:
    """Destroy the store keys that wrap nothing any more; gives their numbers, and the master keys in use.

    Raises StoreError when one still wraps something.
    """
    k = s.store_keys.c
    old = select(k.id).where(k.purpose == RECORDS, k.id != tx.store_key).order_by(k.id)
    numbers = list(tx.db.execute(old).scalars())
    wrapped = _wrapped(tx.db) if numbers else {}
    for number in numbers:
        if wrapped.get(number):
            raise StoreError(f"store key {number} still wraps {wrapped[number]} keys: rotate again to finish")
        tx.db.execute(delete(s.store_keys).where(k.id == number))
        act = dump({"person": person, "reason": reason})
        tx.append(lane, "key:retired", SUBJECT, {"key": number}, act)
    return numbers, frozenset(tx.db.execute(select(k.master)).scalars())


def clear_log(engine: Engine) -> bool:
    """Take what was destroyed out of SQLite's log as well, where it stands until it is written over; whether
    that could be done now. (In the file itself `secure_delete` writes zeros.) Nothing to do on PostgreSQL,
    whose log is its own.

    A reader of this very moment can be in the way; then the next checkpoint, or closing the store, does it.
    """
    if engine.dialect.name != "sqlite":
        return True
    connection = engine.raw_connection()
    try:
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.close()
    return not busy


# --- custodians -----------------------------------------------------------------------------------------


def escrowed(tx: Tx, lane: int, person: str, reason: str, facts: Mapping[str, Any]) -> int:
    """Write down that the master key was split; gives the entry's place. Its content is a drill's canary."""
    act = dump({"person": person, "reason": reason, "canary": os.urandom(32).hex()})
    return tx.append(lane, "key:escrowed", SUBJECT, dict(facts), act)


def drilled(
    tx: Tx, lane: int, person: str, reason: str, facts: Mapping[str, Any], custodians: Sequence[str]
) -> int:
    """Write down that custodians put the master key together and that it opened the canary."""
    act = dump({"person": person, "reason": reason, "custodians": list(custodians)})
    return tx.append(lane, "key:drilled", SUBJECT, dict(facts), act)


def fits(db: Connection, keeper: KeyKeeper) -> None:
    """Whether this keeper's master key is the store's. Raises ConfigError when it is not."""
    k = s.store_keys.c
    for master, wrapped in db.execute(select(k.master, k.wrapped)):
        keeper.unwrap(master, wrapped)


def canary(db: Connection, keeper: KeyKeeper) -> int:
    """Open what was sealed when the key was last split, with this keeper's master key alone; gives its place.

    Raises Conflict when the key was never split, ConfigError when the key is another, and StoreError when
    what was opened is not what the ledger says.
    """
    e, c, d, k = s.ledger.c, s.content.c, s.data_keys.c, s.store_keys.c
    query = (
        select(e.lane, e.seq, e.entry, c.salt, d.wrapped, type_coerce(c.body, LargeBinary).label("sealed"))
        .join(s.content, and_(c.lane == e.lane, c.seq == e.seq))
        .join(s.data_keys, and_(d.lane == e.lane, d.seq == e.seq))
        .where(e.subject == SUBJECT)
        .order_by(e.lane.desc(), e.seq.desc())
    )
    rows = [row for row in db.execute(query) if testimony(*row[:3]).kind == "key:escrowed"]
    if not rows:
        raise Conflict("the master key was never split: `weighbridge keys escrow` does it")
    row = rows[0]
    number = sealing.wrapped_by(row.wrapped)
    store_key = db.execute(select(k.master, k.wrapped).where(k.id == number)).one()
    installation = db.execute(select(s.meta.c.value).where(s.meta.c.key == "installation")).scalar_one()
    belongs = sealing.place(installation.encode(), row.lane, row.seq)
    opener = AESGCM(keeper.unwrap(store_key.master, store_key.wrapped))
    data_key = AESGCM(sealing.unwrap(opener, belongs, row.wrapped))
    body = sealing.unseal(data_key, belongs, sealing.BODY, row.sealed)
    if digest_of(row.salt, body) != testimony(*row[:3]).digest or "canary" not in orjson.loads(body):
        raise StoreError("the canary is not what was sealed: run `weighbridge audit verify`")
    return int(row.seq)
