"""What several parts of the store do to its tables in the same way.

Rules of this file: every function that changes something takes a `Tx` first, and changes a state only
through `flow.after` or an UPDATE whose WHERE names the states it may start from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from types import ModuleType
from typing import TypeVar

from sqlalchemy import Connection, and_, case, exists, func, insert, literal_column, select, update
from sqlalchemy.sql.elements import ColumnElement

from bridge import words
from bridge.errors import Conflict, Damaged
from bridge.flow import DELIVERY_STEPS, OPEN, MessageState, after, sources
from bridge.message import Annotation, Blob, Content, File, Inspection, Kind, Message, Route
from bridge.store import schema as s
from bridge.store.codec import inspection_from
from bridge.store.prepared import Prepared
from bridge.store.writer import Tx

Item = TypeVar("Item")

UNREADABLE = (Damaged, ValueError, LookupError, TypeError)
"""What is raised by a message, verdict or attachment whose rows hold what the bridge never wrote."""

FAR = 1 << 62
"""A time that never comes: when a delivery waits for something other than time."""


def states_in(column: object, *states: str) -> object:
    """`column IN (...)` in literals, which is what lets SQLite use a partial index."""
    words = [literal_column(f"'{state}'") for state in states]
    return column == words[0] if len(words) == 1 else column.in_(words)


def is_open(table: object) -> object:
    """A delivery that is not finished: ready, claimed or waiting."""
    return states_in(table.c.state, *(state.value for state in OPEN))


_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


WORDS_OF_OURS = "weighbridge"
"""The sender of the bridge's own notices."""


def permit_id(now: int, chance: bytes) -> str:
    """A new permit's id: 20 characters of [0-9a-z], 8 of them the time, 12 of chance (62 bits).

    The time comes first, so that the indexes of permits grow at their end instead of everywhere. `chance`
    is 8 random bytes.
    """
    number = (now << 62) | (int.from_bytes(chance) >> 2)
    digits = []
    for _ in range(20):
        number, digit = divmod(number, 36)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def upserting(
    table: object, names: Sequence[str], keys: Sequence[str], **changes: Callable[[object], object]
) -> Prepared:
    """An INSERT of `names` that changes the row with the same `keys` instead, if there is one.

    `changes` say how, each from the row that would have been inserted.
    """

    def make(dialect: ModuleType) -> object:
        statement = dialect.insert(table)
        values = {name: change(statement.excluded) for name, change in changes.items()}
        return statement.on_conflict_do_update(index_elements=list(keys), set_=values)

    return Prepared(make, names)


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """`items` in their order, so many together: as many as are looked for by one statement."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def is_gone(message: object) -> ColumnElement[bool]:
    """Whether the message that a column names was disposed of: its row stays, and what testifies to it."""
    return exists().where(s.disposed.c.message == message)


_FROZEN = Prepared(select(s.meta.c.value).where(s.meta.c.key == "frozen", s.meta.c.value != ""))


def is_frozen(db: Connection) -> bool:
    """Whether a person has stopped everything."""
    return _FROZEN.value(db, {}) is not None


_PAUSED = Prepared(select(s.meta.c.value).where(s.meta.c.key == "capture", s.meta.c.value != ""))


def is_paused(db: Connection) -> bool:
    """Whether nothing is passed on because a network is not read: only the bridge's own words go out."""
    return _PAUSED.value(db, {}) is not None


_HIGHEST: dict[object, Prepared] = {}


def next_number(tx: Tx, column: object) -> int:
    """The next number of a table that counts its own rows; the writing thread is the only one to ask."""
    if column not in _HIGHEST:
        _HIGHEST[column] = Prepared(select(func.max(column)))
    return (_HIGHEST[column].value(tx.db, {}) or 0) + 1


def message_row(
    number: int, message: Message, lane: int, entry: int, now: int, state: MessageState, pair: int | None
) -> dict:
    """A row of `messages` for an archived message."""
    return {
        "id": number,
        "lane": lane,
        "entry": entry,
        "network": message.network,
        "source_id": message.id,
        "conversation": message.conversation,
        "sender": message.sender,
        "kind": message.kind.value,
        "archived_at": now,
        "state": state.value,
        "pair": pair,
        "notice_for": None,
    }


INSERT_MESSAGE = Prepared(
    insert(s.messages),
    [
        *("id", "lane", "entry", "network", "source_id", "conversation", "sender", "kind"),
        *("archived_at", "state", "pair", "notice_for"),
    ],
)


def plan_chats(tx: Tx, lane: int, chats: Iterable[tuple[str, str]], at: int) -> None:
    """Look at these chats' deliveries at `at`, or earlier if that was planned."""
    rows = [{"network": n, "conversation": c, "lane": lane, "due_at": at} for n, c in chats]
    if rows:
        _PLAN.many(tx.db, rows)


def earlier_due(new: object) -> object:
    """The earlier of a chat's time and a new one, as SQL."""
    return case((new.due_at < s.chats.c.due_at, new.due_at), else_=s.chats.c.due_at)


_PLAN = upserting(
    s.chats, ("network", "conversation", "lane", "due_at"), ("network", "conversation"), due_at=earlier_due
)


def blobs_of(db: object, number: int, message: Message) -> tuple[tuple[Blob, ...], tuple[str, ...]]:
    """A message's attachments: those in the archive, and the names of those that could not be had."""
    blobs, missing = [], []
    for row in db.execute(select(s.files).where(s.files.c.message == number).order_by(s.files.c.n)):
        file: File = message.files[row.n]
        if row.state == "archived":
            blobs.append(Blob(row.digest, row.size, file.name, file.kind, file.media_type))
        else:
            missing.append(file.name)
    return tuple(blobs), tuple(missing)


def inspections_of(db: object, number: int) -> tuple[Inspection, ...]:
    """What was found in the archived attachments of message `number`, in their order."""
    f, m, c = s.files.c, s.messages.c, s.content.c
    query = (
        select(c.body)
        .join(s.messages, m.id == f.message)
        .join(s.content, and_(c.lane == m.lane, c.seq == f.entry))
        .where(f.message == number, f.state == "archived")
        .order_by(f.n)
    )
    return tuple(inspection_from(row.body) for row in db.execute(query))


def find_message(db: object, network: str, source_id: str, conversation: str | None = None) -> int | None:
    """The message that a network's id names: one archived from there, or one that we delivered there.

    With a `conversation`, only if it belongs to it: what was said to one client is not shown to another.
    """
    if not source_id:
        return None
    m, r, d = s.messages.c, s.receipts.c, s.deliveries.c
    direct = select(m.id).where(m.network == network, m.source_id == source_id)
    ours = (
        select(d.message)
        .join(s.receipts, r.permit == d.permit)
        .where(r.network == network, r.id == source_id)
    )
    if conversation is not None:
        direct = direct.where(m.conversation == conversation)
        ours = ours.where(d.conversation == conversation)
    return db.execute(direct).scalar() or db.execute(ours).scalar()


def final_words(
    kind: Kind,
    let_out: tuple[str, Sequence[Annotation]],
    marks: str,
    route: Route | None,
    sender_name: str,
    quote: str = "",
) -> Content:
    """What a permit lets a reader see: said here for whoever sends and for whoever reads the record later.

    `let_out` is what the verdict says: the text, and the firm's own texts below it.
    """
    language = route.recipient.language if route else "en"
    author = sender_name or (route.sender.name if route else "")
    text, annotations = let_out
    return words.compose(kind, text, tuple(marks.split()), language, author, quote, annotations)


MESSAGE_CONTENT = s.content.alias("message_content")


VERDICT_CONTENT = s.content.alias("verdict_content")


def set_message(tx: Tx, number: int, state: MessageState, step: str) -> None:
    """Take a message from `state` by `step`. Raises Conflict when it is in another state by now."""
    result = tx.db.execute(
        update(s.messages)
        .where(s.messages.c.id == number, s.messages.c.state == state.value)
        .values(state=after(state, step).value)
    )
    if result.rowcount != 1:
        raise Conflict(f"message {number} is no longer {state.value}")


def close_review(tx: Tx, number: int, state: str, entry: int) -> None:
    """End a review as `state`, by the act of ledger entry `entry`. Raises Conflict when it has ended."""
    result = tx.db.execute(
        update(s.reviews)
        .where(s.reviews.c.message == number, s.reviews.c.state == "open")
        .values(state=state, decided_at=tx.now, entry=entry)
    )
    if result.rowcount != 1:
        raise Conflict(f"message {number} is not waiting for review")


def set_delivery(tx: Tx, permit: str, step: str, **values: object) -> None:
    """Take a delivery one `step` on, and plan its chat. Raises Conflict when it is in no state for it."""
    start = sources(step, DELIVERY_STEPS)
    target = DELIVERY_STEPS[(start[0], step)]
    result = tx.db.execute(
        update(s.deliveries)
        .where(s.deliveries.c.permit == permit, s.deliveries.c.state.in_([state.value for state in start]))
        .values(state=target.value, **values)
    )
    if result.rowcount != 1:
        states = ", ".join(state.value for state in start)
        raise Conflict(f"delivery {permit} does not exist, or is not {states}")
    d = s.deliveries.c
    row = tx.db.execute(select(d.lane, d.network, d.conversation).where(d.permit == permit)).one()
    plan_chats(tx, row.lane, [(row.network, row.conversation)], tx.now)


def drop_delivery(tx: Tx, lane: int, permit: str, facts: dict, body: bytes | None = None) -> None:
    """Never make this delivery."""
    tx.append(lane, "delivery:dropped", f"delivery/{permit}", facts, body)
    set_delivery(tx, permit, "drop", done_at=tx.now, reason=str(facts.get("reason", "dropped")))
