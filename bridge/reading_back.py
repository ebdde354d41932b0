"""Copies read back from an archive outside and compared: whether what was acknowledged is still there.

Rules of this file: a copy is right when its bytes have the SHA-256 that the record has, and each attachment
the one that its name promises, and when all of it is locked as the archive was told; more is no harm. One
that is gone or changed is wanted again, and the record says that it was lost; a lock that is missing is set.
An archive that cannot be used is never one that was read back. What a mailbox has cannot be seen: that is
said, not passed over. A folder that is collected has lost nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from bridge.errors import Refused
from bridge.ports import Sink
from bridge.sinks.naming import digest_in
from bridge.store import copies, locks
from bridge.store.copies import Drawn, Due
from bridge.store.database import Database
from bridge.store.kept import key_of

UNSEEN = "cannot be read back: its receipts are all there is"


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What came of it: copies read, copies lost, what there is to say, and copies that were locked less than
    the archive had been told."""

    checked: int
    lost: int
    detail: str
    unlocked: int = 0


async def read_back(database: Database, sink: Sink, sample: int, person: str, reason: str) -> ReadBack:
    """Read so many copies back from an archive, drawn by chance, and record what was found.

    Raises Unreachable when the archive is away: then nothing was found out.
    """
    key = key_of(sink.name)
    if not sink.recalls:
        return ReadBack(0, 0, UNSEEN)
    await sink.check()
    drawn = await database.read_apart(lambda db: copies.draw(db, key, sample))
    lost: list[tuple[Due, str]] = []
    collected = unlocked = 0
    for one in drawn:
        copy, names = one.copy, await database.read(partial(_names, key=key, copy=one.copy))
        why = await _wrong(sink, names, one.sha256)
        if why == "gone" and not sink.locks and sink.collected:
            collected += 1
        elif why:
            lost.append((copy, why))
        elif await _unlocked(sink, names, one, database.clock.now()):
            unlocked += 1
    checked = len(drawn) - collected
    await database.write(lambda tx: copies.check(tx, key, checked, lost, person, reason, unlocked))
    told = [f"{collected} collected already"] if collected else []
    told += [f"{unlocked} were not locked as they had been: locked again"] if unlocked else []
    return ReadBack(checked, len(lost), ", ".join(told), unlocked)


def _names(db: Connection, key: str, copy: Due) -> tuple[str, ...]:
    return locks.objects_of(db, key, copy.message, copy.revision)


async def _unlocked(sink: Sink, names: Sequence[str], told: Drawn, now: int) -> bool:
    """Whether any of these objects is locked less than the archive was told; then it is told again."""
    there = await sink.locks_on(names)
    short = told.until > now and any(lock.until < told.until for lock in there)
    free = told.held and not all(lock.held for lock in there)
    if short:
        await sink.keep_until(names, told.until)
    if free:
        await sink.hold(names, True)
    return short or free


async def _wrong(sink: Sink, names: Sequence[str], digest: str) -> str:
    """What is wrong with a copy, as a short word; "" when it is as it was taken."""
    if not names:
        return ""  # the record was disposed of meanwhile, and with it what was known of its copies
    promised = [digest, *(digest_in(name) for name in names[1:])]
    for name, due in zip(names, promised, strict=True):
        found = hashlib.sha256()
        try:
            async for piece in sink.read(name):
                found.update(piece)
        except Refused as error:
            return error.code
        if found.hexdigest() != due:
            return "changed"
    return ""
