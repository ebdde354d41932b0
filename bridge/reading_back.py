"""Copies read back from an archive outside and compared: whether what was acknowledged is still there.

Rules of this file: a copy is right when its bytes have the SHA-256 that the record has, and each attachment
the one that its name promises. One that is gone or changed is wanted again, and the record says that it was
lost. What a mailbox has cannot be seen: that is said, not passed over. A folder that is collected has lost
nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from bridge.errors import Refused
from bridge.ports import Sink
from bridge.sinks.naming import digest_in
from bridge.store import copies, locks
from bridge.store.copies import Due
from bridge.store.database import Database
from bridge.store.kept import key_of

UNSEEN = "cannot be read back: its receipts are all there is"


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What came of it: copies read, copies lost, and what there is to say."""

    checked: int
    lost: int
    detail: str


async def read_back(database: Database, sink: Sink, sample: int, person: str, reason: str) -> ReadBack:
    """Read so many copies back from an archive, drawn by chance, and record what was found.

    Raises Unreachable when the archive is away: then nothing was found out.
    """
    key = key_of(sink.name)
    if not sink.recalls:
        return ReadBack(0, 0, UNSEEN)
    drawn = await database.read(lambda db: copies.draw(db, key, sample))
    lost: list[tuple[Due, str]] = []
    collected = 0
    for copy, digest in drawn:
        why = await _wrong(database, sink, key, copy, digest)
        if why == "gone" and not sink.locks and sink.collected:
            collected += 1
        elif why:
            lost.append((copy, why))
    checked = len(drawn) - collected
    await database.write(lambda tx: copies.check(tx, key, checked, lost, person, reason))
    detail = f"{collected} collected already" if collected else ""
    return ReadBack(checked, len(lost), detail)


async def _wrong(database: Database, sink: Sink, key: str, copy: Due, digest: str) -> str:
    """What is wrong with a copy, as a short word; "" when it is as it was taken."""
    names = await database.read(lambda db: locks.objects_of(db, key, copy.message, copy.revision))
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
