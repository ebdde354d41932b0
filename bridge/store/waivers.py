"""Waivers: two people let go out what waits for an archive that is not coming back.

Rules of this file: a waiver is for what waits when it is granted, and for nothing that comes later. It
releases deliveries and nothing else: the archive still lacks its copies, and what it lacks is not disposed
of. One person proposes, another one grants; both are in the ledger, and the auditor reads them there.
"""

from __future__ import annotations

from sqlalchemy import Connection, select

from bridge.errors import Conflict, Missing, NotAllowed
from bridge.flow import DeliveryState
from bridge.proposals import is_same
from bridge.store import schema as s
from bridge.store.codec import dump
from bridge.store.copies import AS_JUDGED, KEPT, WAIVED, C, about_waivers, release
from bridge.store.kept import name_of
from bridge.store.proving import acts_about
from bridge.store.rows import FAR, is_open
from bridge.store.writer import Tx

PROPOSED = "waiver:proposed"


def propose(tx: Tx, key: str, person: str, reason: str) -> int:
    """Propose to let out what waits for archive `key`; gives of how many messages.

    Raises Missing when nothing waits for it, Conflict when that is proposed already.
    """
    count = len(_waiting(tx.db, key))
    if not count:
        raise Missing(f"nothing waits for {name_of(key)}; see `weighbridge outbox list`")
    if _proposer(tx.db, key):
        raise Conflict(f"a waiver of {name_of(key)} is proposed already: another person grants it")
    _append(tx, key, PROPOSED, person, reason)
    return count


def grant(tx: Tx, key: str, person: str, reason: str) -> int:
    """Agree: what waits for archive `key` by now, and for no other, goes out. Gives of how many messages.

    Raises Conflict when nobody proposed it, NotAllowed for whoever did.
    """
    proposer = _proposer(tx.db, key)
    if not proposer:
        raise Conflict(f"nobody proposed to waive {name_of(key)}")
    if is_same(person, proposer):
        raise NotAllowed("who proposed a waiver cannot grant it: another person must")
    waiting = _waiting(tx.db, key)
    _append(tx, key, WAIVED, person, reason)
    tx.flush()
    return sum(release(tx, message, lane) for message, lane in waiting)


def _append(tx: Tx, key: str, kind: str, person: str, reason: str) -> None:
    act = dump({"person": person, "reason": reason})
    tx.append(0, kind, about_waivers(key), {"destination": key}, act)


def _waiting(db: Connection, key: str) -> list[tuple[int, int]]:
    """Messages, with their lanes, of which a delivery waits for this archive."""
    d = s.deliveries.c
    query = (
        select(C.message, C.lane)
        .join(s.deliveries, d.message == C.message)
        .where(C.destination == key, C.revision == AS_JUDGED, C.state != KEPT)
        .where(is_open(s.deliveries), d.state == DeliveryState.READY.value, d.next_at == FAR)
        .distinct()
        .order_by(C.message)
    )
    return [(row.message, row.lane) for row in db.execute(query)]


def _proposer(db: Connection, key: str) -> str:
    """Who proposed what nobody has granted yet; "" when nobody did."""
    acts = acts_about(db, about_waivers(key))
    return str(acts[-1][1]["person"]) if acts and acts[-1][0].kind == PROPOSED else ""
