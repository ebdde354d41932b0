"""How large a store is, and on what it stands.

Rules of this file: it only reads, and needs no key. Counting takes a while on a large store: it is for people
who ask, not for pages that are asked every minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select, text

from bridge.store import schema as s
from bridge.store.proving import testimony
from bridge.store.searching import FOLDER
from bridge.store.writer import CLOSED

_TABLE = (
    "SELECT pg_total_relation_size(to_regclass(:name)) + "
    "(SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM pg_partition_tree(to_regclass(:name)) "
    "WHERE isleaf)::bigint"
)
_INDEX = (
    "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class "
    "WHERE relkind = 'r' AND relname LIKE 'search\\_%' AND relnamespace = current_schema()::regnamespace"
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a store has: rows by table; bytes by table where the engine says so, of the whole database, and of
    the search index; `last_at` is the time (milliseconds) of the newest entry; `closed` says why nobody may
    write here, "" when everybody may."""

    engine: str
    version: str
    rows: Mapping[str, int]
    bytes: Mapping[str, int]
    total: int
    index: int
    entries: int
    last_at: int
    closed: str


def sizes(db: Connection) -> Sizes:
    """Everything counted, at this moment."""
    server = db.dialect.name == "postgresql"
    rows = {
        one.name: db.execute(select(func.count()).select_from(one)).scalar_one()
        for one in s.metadata.sorted_tables
    }
    lanes = db.execute(select(s.lanes.c.size, s.lanes.c.owner)).all()
    owners = [lane.owner for lane in lanes if lane.owner.startswith(CLOSED)]
    return Sizes(
        engine="PostgreSQL" if server else "SQLite",
        version=_version(db, server=server),
        rows=rows,
        bytes={name: _scalar(db, _TABLE, name=name) for name in rows} if server else {},
        total=_total(db, server=server),
        index=_scalar(db, _INDEX) if server else _index_folder(db),
        entries=sum(lane.size for lane in lanes),
        last_at=_last_at(db),
        closed=owners[0].removeprefix(CLOSED) if owners else "",
    )


def _scalar(db: Connection, query: str, **values: str) -> int:
    return int(db.execute(text(query), values).scalar_one())


def _version(db: Connection, *, server: bool) -> str:
    query = "SHOW server_version" if server else "SELECT sqlite_version()"
    return str(db.exec_driver_sql(query).scalar_one())


def _total(db: Connection, *, server: bool) -> int:
    if server:
        return _scalar(db, "SELECT pg_database_size(current_database())")
    pages = _scalar(db, "PRAGMA page_count")
    return pages * _scalar(db, "PRAGMA page_size")


def _index_folder(db: Connection) -> int:
    folder = Path(str(db.engine.url.database)).parent / FOLDER
    return sum(path.stat().st_size for path in folder.glob("*")) if folder.is_dir() else 0


def _last_at(db: Connection) -> int:
    e = s.ledger.c
    query = select(e.lane, e.seq, e.entry).where(e.lane == 0).order_by(e.seq.desc()).limit(1)
    return max((testimony(*row).at for row in db.execute(query)), default=0)
