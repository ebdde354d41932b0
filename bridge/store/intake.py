"""What the intake room does to the tables: messages, their attachments, cursors and reply windows.

Rules of this file: a message and the position in the network's stream that lies behind it are written in
one transaction, with the ledger entry that testifies to it. What is known already is passed over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from types import ModuleType

from orjson import dumps
from sqlalchemy import (
    Select,
    Text,
    and_,
    any_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal_column,
    not_,
    select,
    update,
)

from bridge.flow import DeliveryState, MessageState, after
from bridge.message import Batch, Blob, Inspection, Kind, Message, mend
from bridge.ports import Unreadable, Wanted, ignore_unreadable
from bridge.store import schema as s
from bridge.store.codec import inspection_body, message_body, message_from
from bridge.store.context import CLOCKS_APART
from bridge.store.directory import Directory
from bridge.store.prepared import Prepared
from bridge.store.rows import (
    INSERT_MESSAGE,
    UNREADABLE,
    earlier_due,
    is_open,
    message_row,
    next_number,
    states_in,
    upserting,
)
from bridge.store.vault import if_whole
from bridge.store.writer import Tx


def archive(tx: Tx, batches: Sequence[Batch], directory: Directory, lane: int, epoch: int) -> Sequence[int]:
    """Keep what networks showed us, once; gives of each batch how many messages were new.

    Cursors, reply windows and deliveries that waited for these people to write move in the same step.
    """
    tx.fence(lane, epoch)
    directory.refresh(tx.db)
    fresh = _unknown(tx, batches)
    if every := list(chain.from_iterable(fresh)):
        _insert_messages(tx, every, directory, lane)
        _count_inbound(tx, every, lane)
    cursors = {(batch.network, name): value for batch in batches for name, value in batch.cursors.items()}
    if cursors:
        rows = [{"network": key[0], "name": key[1], "value": value} for key, value in cursors.items()]
        _KEEP_CURSOR.many(tx.db, rows)
    return [len(new) for new in fresh]


def _unknown(tx: Tx, batches: Sequence[Batch]) -> list[list[Message]]:
    """The messages of each batch that neither the store has nor an earlier batch."""
    unique: dict[str, dict[str, tuple[int, Message]]] = {}
    for number, batch in enumerate(batches):
        mine = unique.setdefault(batch.network, {})
        for message in map(mend, batch.messages):
            mine.setdefault(message.id, (number, message))
    fresh: list[list[Message]] = [[] for _ in batches]
    for network, found in unique.items():
        known = _known_of(tx, network, list(found))
        for number, message in found.values():
            if message.id not in known:
                fresh[number].append(message)
    return fresh


def _known_of(tx: Tx, network: str, ids: list[str]) -> set[str]:
    look = {"b_network": network, "b_ids": dumps(ids).decode() if _in_file(tx) else ids}
    return {source_id for (source_id,) in _KNOWN.rows(tx.db, look)}


def _in_file(tx: Tx) -> bool:
    return tx.db.dialect.name == "sqlite"


def _known(dialect: ModuleType) -> Select[tuple[str]]:
    """Which of these ids of a network are archived: one statement for lists of any length."""
    c, ids = s.messages.c, bindparam("b_ids")
    if dialect.__name__.endswith("sqlite"):
        among = c.source_id.in_(select(func.json_each(ids).table_valued("value").c.value))
    else:
        among = c.source_id == any_(bindparam("b_ids", type_=dialect.ARRAY(Text)))
    return select(c.source_id).where(c.network == bindparam("b_network"), among)


_KNOWN = Prepared(_known)
_KEEP_CURSOR = upserting(
    s.cursors, ("network", "name", "value"), ("network", "name"), value=lambda new: new.value
)
_INSERT_FILE = Prepared(insert(s.files), ("message", "n", "network", "state"))


def _insert_messages(tx: Tx, fresh: list[Message], directory: Directory, lane: int) -> None:
    rows, file_rows = [], []
    for number, message in enumerate(fresh, next_number(tx, s.messages.c.id)):
        pair = directory.pair_of(message)
        facts = {"message": number, "network": message.network, "kind": message.kind.value}
        entry = tx.append(
            lane, "message:archived", f"message/{number}", facts, message_body(message), message.raw
        )
        state = MessageState.FETCHING if message.files else MessageState.NEW
        rows.append(message_row(number, message, lane, entry, tx.now, state, pair))
        file_rows += [
            {"message": number, "n": n, "network": message.network, "state": "wanted"}
            for n in range(len(message.files))
        ]
    INSERT_MESSAGE.many(tx.db, rows)
    if file_rows:
        _INSERT_FILE.many(tx.db, file_rows)


def _count_inbound(tx: Tx, fresh: list[Message], lane: int) -> None:
    silent = (Kind.NOTE, Kind.FAILED, Kind.RECALL)
    latest: dict[tuple[str, str], int] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for message in fresh:
        if message.kind not in silent and not message.defect:
            key = message.network, message.conversation
            counts[key] += 1
            # One absurd timestamp of a network must not close, or hold open, a window for ever.
            latest[key] = max(latest.get(key, 0), min(message.sent_at, tx.now + CLOCKS_APART))
    if not latest:
        return
    keys = [{"b_network": network, "b_chat": chat, "b_now": tx.now} for network, chat in latest]
    _OPEN_WINDOW.many(tx.db, keys)
    rows = [
        {
            "network": network,
            "conversation": chat,
            "lane": lane,
            "last_inbound_at": at,
            "inbound": counts[network, chat],
            "sent": 0,
            "due_at": tx.now,
        }
        for (network, chat), at in latest.items()
    ]
    _COUNT_INBOUND.many(tx.db, rows)


_COUNT_INBOUND = upserting(
    s.chats,
    ("network", "conversation", "lane", "last_inbound_at", "inbound", "sent", "due_at"),
    ("network", "conversation"),
    # The networks' clocks count seconds: what comes in the same second came later all the same.
    sent=lambda new: case(
        (new.last_inbound_at >= s.chats.c.last_inbound_at, literal_column("0")), else_=s.chats.c.sent
    ),
    inbound=lambda new: s.chats.c.inbound + new.inbound,
    last_inbound_at=lambda new: case(
        (new.last_inbound_at > s.chats.c.last_inbound_at, new.last_inbound_at),
        else_=s.chats.c.last_inbound_at,
    ),
    due_at=earlier_due,
)

_OPEN_WINDOW = Prepared(
    update(s.deliveries)
    .where(
        is_open(s.deliveries),
        states_in(s.deliveries.c.state, DeliveryState.WAITING.value),
        s.deliveries.c.network == bindparam("b_network"),
        s.deliveries.c.conversation == bindparam("b_chat"),
    )
    .values(state=literal_column("'ready'"), next_at=bindparam("b_now"), reason=literal_column("''"))
)


_WANTED = Prepared(
    select(
        s.files.c.message,
        s.files.c.n,
        s.files.c.attempt,
        if_whole(s.content.c.body).label("body"),
        if_whole(s.content.c.raw).label("raw"),
    )
    .join(s.messages, s.messages.c.id == s.files.c.message)
    .join(s.content, and_(s.content.c.lane == s.messages.c.lane, s.content.c.seq == s.messages.c.entry))
    .where(
        states_in(s.files.c.state, "wanted"),
        s.files.c.network == bindparam("b_network"),
        s.files.c.next_at <= bindparam("b_now"),
    )
    .order_by(s.files.c.message, s.files.c.n)
    .limit(bindparam("b_limit"))
)


def wanted_files(
    db: object, network: str, now: int, limit: int, unreadable: Unreadable = ignore_unreadable
) -> list[Wanted]:
    """Attachments that are still to be fetched, oldest first. `unreadable` is told the number of a message
    that does not open, or has no such attachment: those of others are given."""
    while True:
        rows = _WANTED.one(db, {"b_network": network, "b_now": now, "b_limit": limit}).all()
        found = [wanted for row in rows if (wanted := _wanted(row, unreadable))]
        if found or len(rows) < limit:
            return found
        limit *= 2  # so many that do not open stand before the next one that does


def _wanted(row: object, unreadable: Unreadable) -> Wanted | None:
    try:
        return Wanted(row.message, row.n, message_from(row.body, row.raw).files[row.n], row.attempt + 1)
    except UNREADABLE:
        unreadable(row.message)
        return None


def settle_file(
    tx: Tx,
    wanted: Wanted,
    blob: Blob | None,
    reason: str,
    inspection: Inspection | None,
    lane: int,
    epoch: int,
) -> None:
    """An attachment is in the archive as `blob`, with what was found in it, or cannot be had because of
    `reason` (a short word)."""
    tx.fence(lane, epoch)
    number, n = wanted.message_seq, wanted.n
    this = and_(s.files.c.message == number, s.files.c.n == n, s.files.c.state == "wanted")
    if tx.db.execute(select(s.files.c.n).where(this)).first() is None:
        return  # it was settled before: what was said then stands
    facts: dict[str, object] = {"message": number, "file": n}
    if blob:
        facts |= {"sha256": blob.digest, "size": blob.size}
        fresh = tx.vault.fresh.get(blob.digest)
        body = None if inspection is None else inspection_body(inspection, fresh.sum if fresh else "")
        entry = tx.append(lane, "file:archived", f"message/{number}", facts, body)
        _keep_key(tx, blob.digest)
    else:
        entry = tx.append(lane, "file:missing", f"message/{number}", facts | {"reason": reason})
    values = {
        "state": "archived" if blob else "missing",
        "digest": blob.digest if blob else "",
        "size": blob.size if blob else -1,
        "attempt": wanted.attempt,
        "entry": entry,
    }
    tx.db.execute(update(s.files).where(this).values(**values))
    _release(tx, number)


def _keep_key(tx: Tx, digest: str) -> None:
    """Keep the key of an attachment; one that the store has already stays as it is."""
    fresh = tx.vault.fresh.get(digest)
    if fresh is not None:
        wrapped = tx.vault.wrap_file(tx.store_key, digest, fresh.secret)
        _KEEP_FILE_KEY.one(tx.db, {"digest": digest, "wrapped": wrapped})


_KEEP_FILE_KEY = upserting(s.file_keys, ("digest", "wrapped"), ("digest",), wrapped=lambda new: new.wrapped)


def _release(tx: Tx, number: int) -> None:
    """A message whose attachments are all settled may be judged."""
    open_files = select(s.files.c.n).where(s.files.c.message == number, s.files.c.state == "wanted")
    tx.db.execute(
        update(s.messages)
        .where(
            s.messages.c.id == number,
            s.messages.c.state == MessageState.FETCHING,
            not_(exists(open_files)),
        )
        .values(state=after(MessageState.FETCHING, "settle").value)
    )


def postpone_file(tx: Tx, wanted: Wanted, at: int) -> None:
    """An attachment could not be had this time; try again at `at`."""
    tx.db.execute(
        update(s.files)
        .where(s.files.c.message == wanted.message_seq, s.files.c.n == wanted.n, s.files.c.state == "wanted")
        .values(attempt=wanted.attempt, next_at=at)
    )
