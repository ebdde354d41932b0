"""The archive of policies: the bytes of every file and list that ever decided, or was proposed, by hash.

Rules of this file: a hash is stored once and never changed. The bytes stand in `content` like everything
that people wrote (`raw`: the file, then its lists, end to end; `body`: names and lengths), so the ledger's
digest covers them, and any verdict can be decided again from the hashes that it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import Connection, and_, insert, select

from bridge.errors import Damaged, StoreError
from bridge.store import schema as s
from bridge.store.codec import dump
from bridge.store.proving import testimony
from bridge.store.writer import Tx

if TYPE_CHECKING:
    from bridge.policy import Source


def keep_sources(tx: Tx, lane: int, sources: Iterable[Source]) -> None:
    """Keep the bytes of these policies, each hash once, with an entry that testifies to it."""
    for source in sources:
        digest = source.hash
        if _is_stored(tx.db, digest):
            continue
        facts = {"sha256": digest, "lists": len(source.files)}
        body, raw = _packed(source)
        entry = tx.append(lane, "policy:stored", f"policy/{digest}", facts, body, raw)
        tx.db.execute(insert(s.policies).values(hash=digest, lane=lane, entry=entry))
        tx.flush()


def _is_stored(db: Connection, digest: str) -> bool:
    return db.execute(select(s.policies.c.hash).where(s.policies.c.hash == digest)).first() is not None


def stored(db: Connection, hashes: Iterable[str]) -> frozenset[str]:
    """Those of `hashes` whose bytes are in the archive."""
    wanted = select(s.policies.c.hash).where(s.policies.c.hash.in_(list(hashes)))
    return frozenset(db.scalars(wanted))


def sources_of(db: Connection, hashes: Sequence[str]) -> list[Source]:
    """The policies of these hashes, in this order, as they were stored.

    `changed` of a list is when its file had been written as its policy was first stored. Raises StoreError
    when one was never stored, Damaged when one was and is gone, or is no longer what was stored.
    """
    found = {row.hash: (row.body, row.raw) for row in db.execute(_bytes_of(hashes))}
    for digest in hashes:
        if digest not in found:
            raise _missing(db, digest)
    return [_as_stored(digest, *found[digest]) for digest in hashes]


def _as_stored(digest: str, body: bytes, raw: bytes) -> Source:
    try:
        source = _unpacked(body, raw)
    except (ValueError, TypeError, LookupError, AttributeError):
        source = None
    if source is None or source.hash != digest:
        raise Damaged(f"the policy {digest[:12]} is no longer what was stored; run `audit verify`")
    return source


def _missing(db: Connection, digest: str) -> StoreError:
    """Why no bytes have this hash: what the ledger says of it."""
    e = s.ledger.c
    if db.execute(select(e.seq).where(e.subject == f"policy/{digest}")).first() is not None:
        return Damaged(f"the policy {digest[:12]} was stored and is gone; run `audit verify`")
    named = any(
        digest in testimony(*row).facts.get("policies", ())
        for row in db.execute(select(e.lane, e.seq, e.entry).where(e.subject == "policy"))
    )
    if named:
        return StoreError(f"the policy {digest[:12]} is not in the archive, although it came into force")
    return StoreError(f"the policy {digest[:12]} is not in the archive: it never decided here")


def _bytes_of(hashes: Sequence[str]) -> object:
    p, c = s.policies.c, s.content.c
    return (
        select(p.hash, c.body, c.raw)
        .join(s.content, and_(c.lane == p.lane, c.seq == p.entry))
        .where(p.hash.in_(list(hashes)))
    )


def _packed(source: Source) -> tuple[bytes, bytes]:
    """Body and raw bytes of a policy; its folder is nobody's business, only the file's own name."""
    lists = sorted(source.files.items())
    body = {
        "file": PurePath(source.name).name,
        "size": len(source.data),
        "lists": [[name, len(data)] for name, data in lists],
        "changed": {name: milliseconds(when) for name, when in source.changed.items()},
    }
    return dump(body), b"".join([source.data, *(data for _, data in lists)])


def _unpacked(body: bytes, raw: bytes) -> Source:
    from bridge.policy import Source  # not for commands that only list things: it takes 0.3 s to load

    said = orjson.loads(body)
    data, files = raw[: said["size"]], dict(_pieces(said["lists"], raw, said["size"]))
    changed = {name: moment(when) for name, when in said["changed"].items()}
    return Source(said["file"], data, files, changed)


def _pieces(lists: Iterable[tuple[str, int]], raw: bytes, start: int) -> Iterator[tuple[str, bytes]]:
    for name, size in lists:
        yield name, raw[start : start + size]
        start += size


def milliseconds(when: datetime) -> int:
    """A time as the store writes it: since the Unix epoch, UTC."""
    return int(when.timestamp() * 1000)


def moment(when: int) -> datetime:
    """A time that the store wrote."""
    return datetime.fromtimestamp(when / 1000, UTC)
