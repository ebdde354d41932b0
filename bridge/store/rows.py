"""What the three rooms and the desk do to the tables: one function each, inside a transaction.

Rules of this file: every function takes a `Tx` first and changes state only through `flow.after` or an
UPDATE whose WHERE names the states it may start from. Every change of state is a ledger entry written in
the same transaction. Rooms pass the epoch of their lease; `Tx.fence` refuses whoever lost it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence

import orjson
from sqlalchemy import and_, bindparam, case, exists, func, insert, not_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bridge import words
from bridge.errors import Conflict
from bridge.flow import DELIVERY_STEPS, OPEN, DeliveryState, MessageState, after, sources
from bridge.message import (
    _SEAL,
    Archived,
    Batch,
    Blob,
    Cause,
    Content,
    File,
    Kind,
    Message,
    Outcome,
    Party,
    Permit,
    Route,
    Traffic,
    Verdict,
)
from bridge.ports import Attempt, Claim, Ruling, Step, Wanted
from bridge.store import schema as s
from bridge.store.codec import dump, mend, message_body, message_from, verdict_body, verdict_from
from bridge.store.writer import Tx

FAR = 1 << 62
"""A time that never comes: when a delivery waits for something other than time."""

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"

_WORDS_OF_OURS = "weighbridge"
"""The sender of the bridge's own notices."""


def permit_id() -> str:
    """A new permit's id: 20 characters of [0-9a-z], about 103 bits of chance."""
    number = secrets.randbits(103)
    digits = []
    for _ in range(20):
        number, digit = divmod(number, 36)
        digits.append(_ALPHABET[digit])
    return "".join(digits)


def _upsert(tx: Tx, table: object, rows: Sequence[Mapping], keys: Sequence[str], **changes: object) -> None:
    dialect = sqlite if tx.db.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    values = {name: make(statement.excluded) for name, make in changes.items()}
    tx.db.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=values), list(rows))


# --- pairs, as routes --------------------------------------------------------------------------------------


class Directory:
    """The active pairs in memory, read again when somebody changed them. Names are cheap; queries are not."""

    def __init__(self) -> None:
        self._version = ""
        self._by_source: dict[tuple[str, str, str], tuple[int, Route]] = {}
        self._routes: dict[tuple[int, str], Route] = {}

    def refresh(self, db: object) -> None:
        """Read the pairs again if their version moved on."""
        version = db.execute(select(s.meta.c.value).where(s.meta.c.key == "pairs")).scalar() or "0"
        if version == self._version:
            return
        self._by_source.clear()
        for row in db.execute(select(s.pairs)):
            inward, outward = _routes(row)
            self._routes[row.id, "weixin"], self._routes[row.id, "symphony"] = inward, outward
            if row.state == "active":
                self._by_source["symphony", row.stream, row.advisor] = row.id, outward
                # With several advisors in one stream, the first pair names the recipient.
                self._by_source.setdefault(
                    ("weixin", row.contact, row.contact.partition("/")[2]), (row.id, inward)
                )
        self._version = version

    def find(self, message: Message) -> tuple[int | None, Route | None]:
        """The pair and route of a message; (None, None) when its sender is not paired in that chat."""
        return self._by_source.get((message.network, message.conversation, message.sender), (None, None))

    def route(self, pair: int | None, network: str) -> Route | None:
        """The route of a known pair for messages that come from `network`, ended pairs too."""
        return None if pair is None else self._routes.get((pair, network))


def _routes(row: object) -> tuple[Route, Route]:
    body = orjson.loads(row.body)
    advisor = Party(
        "symphony", row.advisor, body["advisor_name"], body["advisor_address"], body["advisor_language"],
        frozenset(body["advisor_tags"]),
    )  # fmt: skip
    contact = Party(
        "weixin", row.contact.partition("/")[2], body["contact_name"], "", body["contact_language"],
        frozenset(body["contact_tags"]),
    )  # fmt: skip
    inward = Route(contact, advisor, "symphony", row.stream)
    return inward, Route(advisor, contact, "weixin", row.contact)


# --- intake ---------------------------------------------------------------------------------------------


def archive(tx: Tx, batch: Batch, directory: Directory, lane: int, epoch: int) -> int:
    """Keep what a network showed us, once; gives how many messages were new.

    Cursors, reply windows and deliveries that waited for these people to write move in the same step.
    """
    tx.fence(lane, epoch)
    directory.refresh(tx.db)
    fresh = _unknown(tx, batch)
    if fresh:
        _insert_messages(tx, fresh, directory, lane)
        _count_inbound(tx, fresh)
    if batch.cursors:
        rows = [{"network": batch.network, "name": k, "value": v} for k, v in batch.cursors.items()]
        _upsert(tx, s.cursors, rows, ("network", "name"), value=lambda new: new.value)
    return len(fresh)


def _unknown(tx: Tx, batch: Batch) -> list[Message]:
    unique: dict[str, Message] = {}
    for message in map(mend, batch.messages):
        unique.setdefault(message.id, message)
    known: set[str] = set()
    ids = list(unique)
    for start in range(0, len(ids), 500):
        chosen = ids[start : start + 500]
        query = select(s.messages.c.source_id).where(
            s.messages.c.network == batch.network, s.messages.c.source_id.in_(chosen)
        )
        known.update(tx.db.execute(query).scalars())
    return [message for message in unique.values() if message.id not in known]


_INSERT_MESSAGE = insert(s.messages)
_INSERT_FILE = insert(s.files)


def _insert_messages(tx: Tx, fresh: list[Message], directory: Directory, lane: int) -> None:
    rows, file_rows = [], []
    for number, message in enumerate(fresh, _next(tx, s.messages.c.id)):
        pair, _ = directory.find(message)
        facts = {"message": number, "network": message.network, "kind": message.kind.value}
        entry = tx.append(
            lane, "message:archived", f"message/{number}", facts, message_body(message), message.raw
        )
        state = MessageState.FETCHING if message.files else MessageState.NEW
        rows.append(_message_row(number, message, lane, entry, tx.now, state, pair))
        file_rows += [
            {"message": number, "n": n, "network": message.network, "state": "wanted"}
            for n in range(len(message.files))
        ]
    tx.db.execute(_INSERT_MESSAGE, rows)
    if file_rows:
        tx.db.execute(_INSERT_FILE, file_rows)


def _message_row(
    number: int, message: Message, lane: int, entry: int, now: int, state: MessageState, pair: int | None
) -> dict:
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


def _next(tx: Tx, column: object) -> int:
    return (tx.db.execute(select(func.max(column))).scalar() or 0) + 1


def _count_inbound(tx: Tx, fresh: list[Message]) -> None:
    silent = (Kind.NOTE, Kind.FAILED, Kind.RECALL)
    latest: dict[tuple[str, str], int] = {}
    for message in fresh:
        if message.kind not in silent and not message.defect:
            key = message.network, message.conversation
            latest[key] = max(latest.get(key, 0), message.sent_at)
    if not latest:
        return
    rows = [
        {"network": network, "conversation": chat, "last_inbound_at": at, "sent": 0}
        for (network, chat), at in latest.items()
    ]
    _upsert(
        tx,
        s.traffic,
        rows,
        ("network", "conversation"),
        sent=lambda new: case((new.last_inbound_at > s.traffic.c.last_inbound_at, 0), else_=s.traffic.c.sent),
        last_inbound_at=lambda new: case(
            (new.last_inbound_at > s.traffic.c.last_inbound_at, new.last_inbound_at),
            else_=s.traffic.c.last_inbound_at,
        ),
    )
    keys = [{"b_network": network, "b_chat": chat, "b_now": tx.now} for network, chat in latest]
    tx.db.execute(_OPEN_WINDOW, keys)


_OPEN_WINDOW = (
    update(s.deliveries)
    .where(
        s.deliveries.c.state == DeliveryState.WAITING,
        s.deliveries.c.network == bindparam("b_network"),
        s.deliveries.c.conversation == bindparam("b_chat"),
    )
    .values(state=DeliveryState.READY.value, next_at=bindparam("b_now"), reason="")
)


# --- attachments ----------------------------------------------------------------------------------------


def wanted_files(db: object, network: str, now: int, limit: int) -> list[Wanted]:
    """Attachments that are still to be fetched, oldest first."""
    f, m, c = s.files.c, s.messages.c, s.content.c
    query = (
        select(f.message, f.n, f.attempt, c.body, c.raw)
        .join(s.messages, m.id == f.message)
        .join(s.content, and_(c.lane == m.lane, c.seq == m.entry))
        .where(f.state == "wanted", f.network == network, f.next_at <= now)
        .order_by(f.message, f.n)
        .limit(limit)
    )
    return [
        Wanted(row.message, row.n, message_from(row.body, row.raw).files[row.n], row.attempt + 1)
        for row in db.execute(query)
    ]


def settle_file(tx: Tx, wanted: Wanted, blob: Blob | None, reason: str, lane: int, epoch: int) -> None:
    """An attachment is in the archive as `blob`, or cannot be had because of `reason` (a short word)."""
    tx.fence(lane, epoch)
    subject = f"message/{wanted.message_seq}"
    facts: dict[str, object] = {"message": wanted.message_seq, "file": wanted.n}
    if blob:
        facts |= {"sha256": blob.digest, "size": blob.size}
        tx.append(lane, "file:archived", subject, facts)
    else:
        tx.append(lane, "file:missing", subject, facts | {"reason": reason})
    values = {
        "state": "archived" if blob else "missing",
        "digest": blob.digest if blob else "",
        "size": blob.size if blob else -1,
        "attempt": wanted.attempt,
    }
    tx.db.execute(
        update(s.files)
        .where(s.files.c.message == wanted.message_seq, s.files.c.n == wanted.n, s.files.c.state == "wanted")
        .values(**values)
    )
    open_files = select(s.files.c.n).where(
        s.files.c.message == wanted.message_seq, s.files.c.state == "wanted"
    )
    tx.db.execute(
        update(s.messages)
        .where(
            s.messages.c.id == wanted.message_seq,
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


# --- judgement ------------------------------------------------------------------------------------------

_EARLIER = s.messages.alias("earlier")
_UNJUDGED = (
    select(s.messages, s.content.c.body, s.content.c.raw)
    .join(s.content, and_(s.content.c.lane == s.messages.c.lane, s.content.c.seq == s.messages.c.entry))
    .where(
        s.messages.c.state == MessageState.NEW.value,
        s.messages.c.lane == bindparam("b_lane"),
        not_(
            exists().where(
                _EARLIER.c.state == MessageState.FETCHING.value,
                _EARLIER.c.network == s.messages.c.network,
                _EARLIER.c.conversation == s.messages.c.conversation,
                _EARLIER.c.id < s.messages.c.id,
            )
        ),
        not_(
            exists().where(
                s.reviews.c.state == "open",
                s.reviews.c.waits == 1,
                s.reviews.c.message == _EARLIER.c.id,
                _EARLIER.c.network == s.messages.c.network,
                _EARLIER.c.conversation == s.messages.c.conversation,
            )
        ),
    )
    .order_by(s.messages.c.id)
    .limit(bindparam("b_limit"))
)


def unjudged(db: object, directory: Directory, lane: int, limit: int) -> list[Archived]:
    """Archived messages that are whole and not judged, in order.

    A conversation stops before a message whose attachments are still being fetched, and behind a held
    message whose rule makes the conversation wait.
    """
    directory.refresh(db)
    rows = db.execute(_UNJUDGED, {"b_lane": lane, "b_limit": limit}).all()
    found = []
    for row in rows:
        message = message_from(row.body, row.raw)
        blobs, missing = _blobs(db, row.id, message) if message.files else ((), ())
        _, route = directory.find(message)
        found.append(Archived(row.id, message, route, blobs, missing, row.archived_at, _SEAL))
    return found


def _blobs(db: object, number: int, message: Message) -> tuple[tuple[Blob, ...], tuple[str, ...]]:
    blobs, missing = [], []
    for row in db.execute(select(s.files).where(s.files.c.message == number).order_by(s.files.c.n)):
        file: File = message.files[row.n]
        if row.state == "archived":
            blobs.append(Blob(row.digest, row.size, file.name, file.kind, file.media_type))
        else:
            missing.append(file.name)
    return tuple(blobs), tuple(missing)


def record_rulings(tx: Tx, rulings: Iterable[Ruling], lane: int, epoch: int) -> None:
    """Write verdicts, and what follows from each: a permit, a hold, a notice to the sender."""
    tx.fence(lane, epoch)
    work = _Rulings(tx, lane)
    for ruling in rulings:
        work.add(ruling)
    work.write()


class _Rulings:
    """Gathers the rows of many rulings, so that each table is written once."""

    def __init__(self, tx: Tx, lane: int) -> None:
        self.tx, self.lane = tx, lane
        self.next_verdict = _next(tx, s.verdicts.c.id)
        self.next_message = 0  # looked up when the first notice needs it
        self.states: list[dict] = []
        self.verdicts: list[dict] = []
        self.deliveries: list[dict] = []
        self.reviews: list[dict] = []
        self.messages: list[dict] = []
        open_reviews = select(s.reviews.c.message).where(s.reviews.c.state == "open").limit(1)
        self.any_held = tx.db.execute(open_reviews).first() is not None

    def add(self, ruling: Ruling) -> None:
        """One message's verdict and its consequences."""
        message = ruling.archived.message
        if message.kind is Kind.NOTE or message.kind is Kind.FAILED:
            self._note(ruling)
        elif message.kind is Kind.RECALL and self._recall(ruling):
            return
        else:
            self._judge(ruling)

    def _note(self, ruling: Ruling) -> None:
        number = ruling.archived.seq
        self.tx.append(self.lane, "message:noted", f"message/{number}", {"message": number})
        self._step(number, "note")
        if ruling.archived.message.kind is Kind.FAILED:
            self.write()  # the failed delivery may be of this very batch
            _fail(self, ruling)

    def _recall(self, ruling: Ruling) -> bool:
        """Take an original that has not gone out yet off its way; False when the reader has it already."""
        self.write()
        archived = ruling.archived
        original = _find_message(self.tx.db, archived.message.network, archived.message.refers_to)
        if original is None or not _withdraw(self.tx, self.lane, original, archived.seq):
            return original is None and self._unseen(ruling)
        self.tx.append(self.lane, "message:noted", f"message/{archived.seq}", {"message": archived.seq})
        self._step(archived.seq, "note")
        return True

    def _unseen(self, ruling: Ruling) -> bool:
        # A recall of something that never passed here tells the other side nothing.
        self._note(ruling)
        return True

    def _judge(self, ruling: Ruling) -> None:
        archived, verdict = ruling.archived, ruling.verdict
        step = {Outcome.HOLD: "hold", Outcome.BLOCK: "block"}.get(verdict.outcome, "pass")
        self._step(archived.seq, step)
        number = self.verdict(archived.seq, verdict, archived.message.text, "message:judged")
        if step == "pass" and archived.route is not None:
            marks = self._marks(archived)
            self.permit(archived.seq, number, archived.route.network, archived.route.conversation, marks)
        if step == "hold":
            self.any_held = True
            self.reviews.append(
                {
                    "message": archived.seq,
                    "verdict": number,
                    "state": "open",
                    "waits": int(verdict.waits),
                    "opened_at": self.tx.now,
                }
            )
        if ruling.notice:
            self.notice(archived.seq, archived.message.network, archived.message.conversation, ruling.notice)

    def verdict(self, number: int, verdict: Verdict, text: str, kind: str, extra: dict | None = None) -> int:
        """A verdict row and its entry; gives the verdict's number."""
        facts = {"message": number, "outcome": verdict.outcome.value, "cause": verdict.cause.value}
        facts["policies"] = [digest for _, digest in verdict.policies]
        body = verdict_body(verdict, text)
        entry = self.tx.append(self.lane, kind, f"message/{number}", facts | (extra or {}), body)
        row = {"id": self.next_verdict, "message": number, "entry": entry, "at": self.tx.now}
        self.verdicts.append(row | {"outcome": verdict.outcome.value, "cause": verdict.cause.value})
        self.next_verdict += 1
        return self.next_verdict - 1

    def permit(self, number: int, verdict: int, network: str, conversation: str, marks: tuple = ()) -> None:
        """The right to send message `number` once, as `verdict` allows it."""
        permit = permit_id()
        facts = {"message": number, "network": network}
        self.tx.append(self.lane, "delivery:permitted", f"delivery/{permit}", facts)
        self.deliveries.append(
            {
                "permit": permit,
                "message": number,
                "verdict": verdict,
                "lane": self.lane,
                "network": network,
                "conversation": conversation,
                "marks": " ".join(marks),
                "state": DeliveryState.READY.value,
                "next_at": self.tx.now,
            }
        )

    def notice(self, about: int, network: str, conversation: str, text: str) -> None:
        """Words of the bridge itself: archived, judged and delivered as any message is."""
        self.next_message = self.next_message or _next(self.tx, s.messages.c.id)
        number = self.next_message
        self.next_message += 1
        words_of_ours = Message(
            network, f"notice/{number}", conversation, _WORDS_OF_OURS, self.tx.now, text=text
        )
        facts = {"message": number, "about": about, "network": network}
        body = message_body(words_of_ours)
        entry = self.tx.append(self.lane, "notice:archived", f"message/{number}", facts, body)
        row = _message_row(number, words_of_ours, self.lane, entry, self.tx.now, MessageState.PASSED, None)
        self.messages.append(row | {"notice_for": about})
        reason = "the bridge's own notice"
        verdict = Verdict(Outcome.DELIVER, Cause.DEFAULT, text, reason)
        self.permit(number, self.verdict(number, verdict, text, "message:judged"), network, conversation)

    def _marks(self, archived: Archived) -> tuple[str, ...]:
        marks = []
        if self.any_held and self._gap(archived):
            marks.append("gap")
        if archived.message.replaces:
            marks.append("edited")
        return tuple(marks)

    def _gap(self, archived: Archived) -> bool:
        # Shown once for each message that is missing: the first later one that passes carries the mark.
        self.write()
        r, m, message = s.reviews.c, s.messages.c, archived.message
        missing = (
            select(r.message)
            .join(s.messages, m.id == r.message)
            .where(r.state == "open", r.marked == 0, m.network == message.network)
            .where(m.conversation == message.conversation, m.id < archived.seq, m.pair.is_not(None))
        )
        numbers = self.tx.db.execute(missing).scalars().all()
        if numbers:
            self.tx.db.execute(update(s.reviews).where(r.message.in_(numbers)).values(marked=1))
        return bool(numbers)

    def _step(self, number: int, step: str) -> None:
        self.states.append({"b_id": number, "b_state": after(MessageState.NEW, step).value})

    def write(self) -> None:
        """Write what has been gathered so far."""
        db = self.tx.db
        for table, rows in (
            (s.messages, self.messages),
            (s.verdicts, self.verdicts),
            (s.deliveries, self.deliveries),
            (s.reviews, self.reviews),
        ):
            if rows:
                db.execute(insert(table), rows)
                rows.clear()
        if self.states:
            result = db.execute(_STEP_MESSAGE, self.states)
            if result.rowcount != len(self.states):
                raise Conflict("a message of this batch was judged by somebody else")
            self.states.clear()


_STEP_MESSAGE = (
    update(s.messages)
    .where(s.messages.c.id == bindparam("b_id"), s.messages.c.state == MessageState.NEW.value)
    .values(state=bindparam("b_state"))
)


def _find_message(db: object, network: str, source_id: str) -> int | None:
    """The message that a network's id names: one archived from there, or one that we delivered there."""
    if not source_id:
        return None
    m, r, d = s.messages.c, s.receipts.c, s.deliveries.c
    direct = select(m.id).where(m.network == network, m.source_id == source_id)
    ours = (
        select(d.message)
        .join(s.receipts, r.permit == d.permit)
        .where(r.network == network, r.id == source_id)
    )
    return db.execute(direct).scalar() or db.execute(ours).scalar()


def _withdraw(tx: Tx, lane: int, original: int, recall: int) -> bool:
    """Stop what has not gone out of a recalled message; False when the reader has it (or may have it)."""
    facts = {"message": original, "by": recall}
    state = tx.db.execute(select(s.messages.c.state).where(s.messages.c.id == original)).scalar()
    if state == MessageState.HELD:
        tx.append(lane, "message:recalled", f"message/{original}", facts)
        _close_review(tx, original, "recalled", -1)
        _set_message(tx, original, MessageState.HELD, "recall")
        return True
    if state in (MessageState.BLOCKED, MessageState.REJECTED, MessageState.RECALLED):
        return True
    d = s.deliveries.c
    rows = tx.db.execute(select(d.permit, d.state, d.uncertain).where(d.message == original)).all()
    if not rows or any(
        row.uncertain or row.state not in (DeliveryState.READY, DeliveryState.WAITING) for row in rows
    ):
        return False
    for row in rows:
        drop_delivery(tx, lane, row.permit, {"reason": "recalled", "by": recall})
    return True


def _fail(work: _Rulings, ruling: Ruling) -> None:
    """The network says that something of ours never arrived: note it on the delivery, tell its sender."""
    tx, message = work.tx, ruling.archived.message
    d, r = s.deliveries.c, s.receipts.c
    row = tx.db.execute(
        select(d.permit, d.message, d.state)
        .join(s.receipts, r.permit == d.permit)
        .where(r.network == message.network, r.id == message.refers_to)
    ).first()
    if row is None or row.state != DeliveryState.SENT:
        return
    facts = {"message": row.message, "said_by": ruling.archived.seq}
    tx.append(work.lane, "delivery:failed", f"delivery/{row.permit}", facts)
    _set_delivery(tx, row.permit, "fail", reason="undelivered", done_at=tx.now)
    _tell_sender(work, row.message, "undelivered")


def _tell_sender(work: _Rulings, number: int, key: str) -> None:
    """A notice into the chat that message `number` came from, unless it is itself a notice."""
    m = s.messages.c
    row = work.tx.db.execute(
        select(m.network, m.conversation, m.notice_for, m.pair).where(m.id == number)
    ).one()
    if row.notice_for is None:
        language = _language(work.tx.db, row.pair, row.network)
        work.notice(number, row.network, row.conversation, words.say(key, language))


def _language(db: object, pair: int | None, network: str) -> str:
    body = pair and db.execute(select(s.pairs.c.body).where(s.pairs.c.id == pair)).scalar()
    if not body:
        return "en" if network == "symphony" else "zh-Hans"
    return orjson.loads(body)["advisor_language" if network == "symphony" else "contact_language"]


def _set_message(tx: Tx, number: int, state: MessageState, step: str) -> None:
    result = tx.db.execute(
        update(s.messages)
        .where(s.messages.c.id == number, s.messages.c.state == state.value)
        .values(state=after(state, step).value)
    )
    if result.rowcount != 1:
        raise Conflict(f"message {number} is no longer {state.value}")


def _close_review(tx: Tx, number: int, state: str, entry: int) -> None:
    result = tx.db.execute(
        update(s.reviews)
        .where(s.reviews.c.message == number, s.reviews.c.state == "open")
        .values(state=state, decided_at=tx.now, entry=entry)
    )
    if result.rowcount != 1:
        raise Conflict(f"message {number} is not waiting for review")


# --- delivery -------------------------------------------------------------------------------------------

_AHEAD = s.deliveries.alias("ahead")
_DUE = (
    select(s.deliveries.c.id)
    .where(
        s.deliveries.c.network == bindparam("b_network"),
        s.deliveries.c.lane == bindparam("b_lane"),
        s.deliveries.c.state == DeliveryState.READY.value,
        s.deliveries.c.next_at <= bindparam("b_now"),
        not_(
            exists().where(
                _AHEAD.c.network == s.deliveries.c.network,
                _AHEAD.c.conversation == s.deliveries.c.conversation,
                _AHEAD.c.id < s.deliveries.c.id,
                _AHEAD.c.state.in_([state.value for state in OPEN]),
                not_(
                    and_(_AHEAD.c.state == DeliveryState.READY.value, _AHEAD.c.next_at <= bindparam("b_now"))
                ),
            )
        ),
    )
    .order_by(s.deliveries.c.id)
    .limit(bindparam("b_limit"))
)
_MESSAGE_CONTENT = s.content.alias("message_content")
_VERDICT_CONTENT = s.content.alias("verdict_content")
_CLAIMED = (
    select(
        s.deliveries,
        s.messages.c.notice_for,
        s.messages.c.pair.label("pair_of_message"),
        _MESSAGE_CONTENT.c.body,
        _VERDICT_CONTENT.c.body.label("verdict_body"),
        func.coalesce(s.traffic.c.last_inbound_at, 0).label("last_inbound_at"),
        func.coalesce(s.traffic.c.sent, 0).label("traffic_sent"),
    )
    .join(s.messages, s.messages.c.id == s.deliveries.c.message)
    .join(s.verdicts, s.verdicts.c.id == s.deliveries.c.verdict)
    .join(
        _MESSAGE_CONTENT,
        and_(_MESSAGE_CONTENT.c.lane == s.messages.c.lane, _MESSAGE_CONTENT.c.seq == s.messages.c.entry),
    )
    .join(
        _VERDICT_CONTENT,
        and_(_VERDICT_CONTENT.c.lane == s.messages.c.lane, _VERDICT_CONTENT.c.seq == s.verdicts.c.entry),
    )
    .outerjoin(
        s.traffic,
        and_(
            s.traffic.c.network == s.deliveries.c.network,
            s.traffic.c.conversation == s.deliveries.c.conversation,
        ),
    )
    .where(s.deliveries.c.id.in_(bindparam("b_ids", expanding=True)))
    .order_by(s.deliveries.c.id)
)
_CLAIM = (
    update(s.deliveries)
    .where(s.deliveries.c.id == bindparam("b_id"))
    .values(
        state=DeliveryState.CLAIMED.value,
        attempt=s.deliveries.c.attempt + 1,
        epoch=bindparam("b_epoch"),
        first_try_at=case(
            (s.deliveries.c.first_try_at == 0, bindparam("b_now")), else_=s.deliveries.c.first_try_at
        ),
    )
)


def anything_due(db: object, network: str, lane: int, now: int) -> bool:
    """Whether `claim` is likely to find something: a cheap look that writes nothing."""
    d = s.deliveries.c
    query = select(d.id).where(d.network == network, d.lane == lane, d.next_at <= now)
    return db.execute(query.where(d.state == DeliveryState.READY.value).limit(1)).first() is not None


def claim(tx: Tx, directory: Directory, network: str, lane: int, epoch: int, limit: int) -> list[Claim]:
    """Take deliveries that are due, in the order of their conversations, and make their permits."""
    tx.fence(lane, epoch)
    due = {"b_network": network, "b_lane": lane, "b_now": tx.now, "b_limit": limit}
    ids = tx.db.execute(_DUE, due).scalars().all()
    if not ids:
        return []
    directory.refresh(tx.db)
    rows = tx.db.execute(_CLAIMED, {"b_ids": ids}).all()
    tx.db.execute(_CLAIM, [{"b_id": number, "b_epoch": epoch, "b_now": tx.now} for number in ids])
    return [_claimed(tx, directory, row, epoch) for row in rows]


def _claimed(tx: Tx, directory: Directory, row: object, epoch: int) -> Claim:
    permit = Permit(
        id=row.permit,
        network=row.network,
        conversation=row.conversation,
        content=_content(tx.db, directory, row),
        message_seq=row.message,
        attempt=row.attempt + 1,
        uncertain=bool(row.uncertain),
        first_try_at=row.first_try_at or tx.now,
        epoch=epoch,
        seal=_SEAL,
    )
    return Claim(permit, Traffic(row.last_inbound_at, row.traffic_sent))


def _content(db: object, directory: Directory, row: object) -> Content:
    message = message_from(row.body, b"")
    if row.notice_for is not None:
        return Content(message.text, notice=True)
    verdict = verdict_from(row.verdict_body, message.text)
    route = directory.route(row.pair_of_message, message.network)
    language = route.recipient.language if route else "en"
    author = message.sender_name or (route.sender.name if route else "")
    marks = tuple(row.marks.split())
    quote = _quoted(db, message)
    content = words.compose(message, verdict.text, marks, language, author, quote)
    if not message.files:
        return content
    blobs, _ = _blobs(db, row.message, message)
    return Content(content.text, content.author, blobs, quote, language=language)


def _quoted(db: object, message: Message) -> str:
    """What the reader knows of the message that is answered, edited or recalled: what passed here of it."""
    number = _find_message(db, message.network, message.replaces or message.refers_to)
    return delivered_text(db, number) if number is not None else ""


def delivered_text(db: object, number: int) -> str:
    """The text of message `number` as it was allowed out; "" when nothing of it was."""
    v, m = s.verdicts.c, s.messages.c
    query = (
        select(_MESSAGE_CONTENT.c.body, _VERDICT_CONTENT.c.body.label("verdict_body"))
        .join(s.verdicts, v.message == m.id)
        .join(_MESSAGE_CONTENT, and_(_MESSAGE_CONTENT.c.lane == m.lane, _MESSAGE_CONTENT.c.seq == m.entry))
        .join(_VERDICT_CONTENT, and_(_VERDICT_CONTENT.c.lane == m.lane, _VERDICT_CONTENT.c.seq == v.entry))
        .where(m.id == number, v.outcome.in_([Outcome.DELIVER.value, Outcome.REDACT.value]))
        .order_by(v.id.desc())
        .limit(1)
    )
    row = db.execute(query).first()
    return verdict_from(row.verdict_body, message_from(row.body, b"").text).text if row else ""


def record_attempts(tx: Tx, attempts: Iterable[Attempt], lane: int) -> None:
    """Write what became of claimed deliveries.

    An attempt made under an epoch that has been superseded changes nothing: the new owner of the lane has
    already taken the delivery as uncertain and looks it up.
    """
    work = _Attempts(tx, lane)
    for attempt in attempts:
        work.add(attempt)
    work.write()


class _Attempts:
    """Gathers what became of many attempts, so that each table is written once."""

    def __init__(self, tx: Tx, lane: int) -> None:
        self.tx, self.lane = tx, lane
        self.rows: list[dict] = []
        self.receipts: list[dict] = []
        self.spent: dict[tuple[str, str], int] = {}
        self.notices: list[tuple[int, str]] = []

    def add(self, attempt: Attempt) -> None:
        """One attempt: sent, or what else."""
        permit = attempt.permit
        if permit.epoch != self.tx.epochs[self.lane]:
            return
        state = after(DeliveryState.CLAIMED, attempt.step.value)
        row = {"b_permit": permit.id, "b_epoch": permit.epoch, "b_state": state.value}
        row |= {"b_next": attempt.at or self.tx.now, "b_reason": attempt.reason}
        row |= {"b_uncertain": int(attempt.uncertain), "b_done": 0}
        row["b_undo"] = int(attempt.step is Step.GIVE_BACK)
        self._receive(attempt)
        if attempt.step is Step.SEND:
            row["b_done"] = self.tx.now
        elif attempt.step is Step.WAIT:
            row |= self._wait(attempt)
        elif attempt.step is Step.PARK:
            self._fact("delivery:parked", permit, {"reason": attempt.reason})
            self.notices.append((permit.message_seq, attempt.notice))
        self.rows.append(row)

    def _receive(self, attempt: Attempt) -> None:
        permit, receipt = attempt.permit, attempt.receipt
        if receipt is None:
            return
        self.receipts += [{"network": permit.network, "id": one, "permit": permit.id} for one in receipt.ids]
        if not receipt.found:
            key = permit.network, permit.conversation
            self.spent[key] = self.spent.get(key, 0) + len(receipt.ids)
        if attempt.step is Step.SEND:
            kind = "delivery:found" if receipt.found else "delivery:sent"
            self._fact(kind, permit, {"ids": [one for one in receipt.ids if one.isascii()]})

    def _wait(self, attempt: Attempt) -> dict:
        permit = attempt.permit
        t = s.traffic.c
        query = select(t.last_inbound_at).where(
            t.network == permit.network, t.conversation == permit.conversation
        )
        if (self.tx.db.execute(query).scalar() or 0) > attempt.traffic.last_inbound_at:
            # They wrote while we were finding out that they had not: the window is open again.
            return {"b_state": DeliveryState.READY.value, "b_next": self.tx.now}
        self._fact("delivery:waiting", permit, {"reason": attempt.reason})
        self.notices.append((permit.message_seq, attempt.notice))
        return {"b_next": FAR}

    def _fact(self, kind: str, permit: Permit, facts: dict) -> None:
        facts = {"message": permit.message_seq, "attempt": permit.attempt} | facts
        self.tx.append(self.lane, kind, f"delivery/{permit.id}", facts)

    def write(self) -> None:
        """Write what has been gathered."""
        db = self.tx.db
        if self.rows:
            db.execute(_END_ATTEMPT, self.rows)
        if self.receipts:
            _upsert(self.tx, s.receipts, self.receipts, ("network", "id"), permit=lambda new: new.permit)
        if self.spent:
            rows = [
                {"network": network, "conversation": chat, "last_inbound_at": 0, "sent": count}
                for (network, chat), count in self.spent.items()
            ]
            add = {"sent": lambda new: s.traffic.c.sent + new.sent}
            _upsert(self.tx, s.traffic, rows, ("network", "conversation"), **add)
        if any(key for _, key in self.notices):
            rulings = _Rulings(self.tx, self.lane)
            for number, key in self.notices:
                if key:
                    _tell_sender(rulings, number, key)
            rulings.write()


_END_ATTEMPT = (
    update(s.deliveries)
    .where(
        s.deliveries.c.permit == bindparam("b_permit"),
        s.deliveries.c.state == DeliveryState.CLAIMED.value,
        s.deliveries.c.epoch == bindparam("b_epoch"),
    )
    .values(
        state=bindparam("b_state"),
        next_at=bindparam("b_next"),
        reason=bindparam("b_reason"),
        uncertain=bindparam("b_uncertain"),
        done_at=bindparam("b_done"),
        attempt=s.deliveries.c.attempt - bindparam("b_undo"),
    )
)


def _set_delivery(tx: Tx, permit: str, step: str, **values: object) -> None:
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


def drop_delivery(tx: Tx, lane: int, permit: str, facts: dict, body: bytes | None = None) -> None:
    """Never make this delivery."""
    tx.append(lane, "delivery:dropped", f"delivery/{permit}", facts, body)
    _set_delivery(tx, permit, "drop", done_at=tx.now, reason=str(facts.get("reason", "dropped")))


def retry_delivery(tx: Tx, lane: int, permit: str, act: bytes) -> None:
    """Put a parked, waiting or failed delivery back, to be tried at once and as if for the first time.

    One that the network had accepted and then failed gets a new permit: the network would take the old
    key for a repetition of what it has.
    """
    d = s.deliveries.c
    row = tx.db.execute(select(s.deliveries).where(d.permit == permit)).first()
    tx.append(lane, "delivery:retried", f"delivery/{permit}", {}, act)
    if row is None or row.state != DeliveryState.FAILED:
        _set_delivery(tx, permit, "retry", next_at=tx.now, attempt=0, reason="")
        return
    work = _Rulings(tx, lane)
    work.permit(row.message, row.verdict, row.network, row.conversation, tuple(row.marks.split()))
    work.write()
    _set_delivery(tx, permit, "drop", done_at=tx.now, reason="sent anew")


# --- lanes ----------------------------------------------------------------------------------------------


def take_lane(tx: Tx, lane: int, owner: str, ttl: int, *, force: bool = False) -> int | None:
    """Own a lane until `ttl` milliseconds from now; gives the new epoch, None while somebody else owns it.

    What the former owner had claimed goes back to the outbox as uncertain: it may have been sent.
    `force` takes the lane from an owner that is known to be dead.
    """
    c = s.lanes.c
    row = tx.db.execute(select(c.owner, c.epoch, c.lease_until).where(c.lane == lane)).one()
    if row.owner and row.lease_until > tx.now and not force:
        return None
    epoch = row.epoch + 1
    tx.db.execute(
        update(s.lanes).where(c.lane == lane).values(owner=owner, epoch=epoch, lease_until=tx.now + ttl)
    )
    tx.epochs[lane] = epoch
    tx.append(lane, "lane:taken", f"lane/{lane}", {"epoch": epoch})
    tx.db.execute(
        update(s.deliveries)
        .where(s.deliveries.c.lane == lane, s.deliveries.c.state == DeliveryState.CLAIMED)
        .values(state=DeliveryState.READY.value, uncertain=1, next_at=tx.now)
    )
    return epoch


def renew_lane(tx: Tx, lane: int, epoch: int, ttl: int) -> None:
    """Go on owning a lane. Raises StoreError when somebody else has it."""
    tx.fence(lane, epoch)
    tx.db.execute(update(s.lanes).where(s.lanes.c.lane == lane).values(lease_until=tx.now + ttl))


def leave_lane(tx: Tx, lane: int, epoch: int) -> None:
    """Give a lane up, so that the next owner need not wait for the lease to run out."""
    tx.fence(lane, epoch)
    tx.db.execute(update(s.lanes).where(s.lanes.c.lane == lane).values(owner="", lease_until=0))


# --- the desk -------------------------------------------------------------------------------------------


def decide_hold(
    tx: Tx, number: int, person: str, reason: str, passed: bool, as_written: bool = False
) -> None:
    """A reviewer lets a held message pass, or refuses it; its sender is told.

    The allowed text is the masked one of the policy's verdict, unless the reviewer passes it `as_written`.
    Raises Conflict when the message is not held.
    """
    row = _held(tx.db, number)
    lane = row.lane
    message = message_from(row.body, b"")
    verdict = verdict_from(row.verdict_body, message.text)
    work = _Rulings(tx, lane)
    act = dump({"person": person, "reason": reason, "as_written": as_written})
    kind = "hold:released" if passed else "hold:rejected"
    entry = tx.append(lane, kind, f"message/{number}", {"message": number}, act)
    outcome = Outcome.DELIVER if passed else Outcome.BLOCK
    text = message.text if as_written else verdict.text
    by_person = Verdict(outcome, Cause.PERSON, text, policies=verdict.policies)
    decided = work.verdict(number, by_person, message.text, "message:judged", {"by": entry})
    _close_review(tx, number, "released" if passed else "rejected", entry)
    _set_message(tx, number, MessageState.HELD, "release" if passed else "reject")
    if passed:
        target = _target(tx.db, row)
        marks = ("late", "edited") if message.replaces else ("late",)
        work.permit(number, decided, *target, marks)
    work.write()
    _tell_sender(work, number, "released" if passed else "rejected")
    work.write()


def _held(db: object, number: int) -> object:
    m, r, v = s.messages.c, s.reviews.c, s.verdicts.c
    query = (
        select(s.messages, _MESSAGE_CONTENT.c.body, _VERDICT_CONTENT.c.body.label("verdict_body"))
        .join(s.reviews, r.message == m.id)
        .join(s.verdicts, v.id == r.verdict)
        .join(_MESSAGE_CONTENT, and_(_MESSAGE_CONTENT.c.lane == m.lane, _MESSAGE_CONTENT.c.seq == m.entry))
        .join(_VERDICT_CONTENT, and_(_VERDICT_CONTENT.c.lane == m.lane, _VERDICT_CONTENT.c.seq == v.entry))
        .where(m.id == number, r.state == "open")
    )
    row = db.execute(query).first()
    if row is None:
        raise Conflict(f"message {number} is not waiting for review; see `weighbridge review list`")
    return row


def _target(db: object, row: object) -> tuple[str, str]:
    """Where a held message goes now: people may have been paired since it was archived."""
    directory = Directory()
    directory.refresh(db)
    pair, route = directory.find(message_from(row.body, b""))
    if route is None:
        raise Conflict(
            f"message {row.id} comes from a chat that is not paired with anybody; "
            "pair the two people first (`weighbridge people pair`), then release it"
        )
    if row.pair is None:
        db.execute(update(s.messages).where(s.messages.c.id == row.id).values(pair=pair))
    return route.network, route.conversation


def make_pair(tx: Tx, lane: int, pair: Mapping[str, object], person: str, reason: str) -> int:
    """Let an advisor and a contact talk; gives the pair's number.

    Raises Conflict when the stream already has another contact or the contact another stream: a chat that
    leads to two places would sooner or later lead to the wrong one.
    """
    p = s.pairs.c
    active = select(p.id, p.stream, p.contact, p.advisor).where(p.state == "active")
    for row in tx.db.execute(active.where((p.stream == pair["stream"]) | (p.contact == pair["contact"]))):
        if row.stream != pair["stream"] or row.contact != pair["contact"]:
            raise Conflict(f"pair {row.id} already uses this chat with somebody else; end it first")
        if row.advisor == pair["advisor"]:
            raise Conflict(f"these two are paired already (pair {row.id})")
    number = _next(tx, p.id)
    keys = ("advisor", "stream", "contact")
    names = {key: value for key, value in pair.items() if key not in keys}
    act = dump({"person": person, "reason": reason, **pair})
    entry = tx.append(lane, "pair:made", f"pair/{number}", {"pair": number}, act)
    tx.db.execute(
        insert(s.pairs).values(
            id=number,
            entry=entry,
            lane=lane,
            state="active",
            body=dump(names),
            made_at=tx.now,
            **{key: pair[key] for key in keys},
        )
    )
    cursor = {"network": "symphony", "name": f"stream:{pair['stream']}", "value": str(tx.now)}
    _upsert(tx, s.cursors, [cursor], ("network", "name"), value=lambda new: s.cursors.c.value)
    _bump_pairs(tx)
    return number


def end_pair(tx: Tx, number: int, person: str, reason: str) -> None:
    """The two may no longer talk; what they said stays. Raises Conflict when the pair is not active."""
    p = s.pairs.c
    lane = tx.db.execute(select(p.lane).where(p.id == number)).scalar() or 0
    act = dump({"person": person, "reason": reason})
    tx.append(lane, "pair:ended", f"pair/{number}", {"pair": number}, act)
    result = tx.db.execute(
        update(s.pairs).where(p.id == number, p.state == "active").values(state="ended", ended_at=tx.now)
    )
    if result.rowcount != 1:
        raise Conflict(f"pair {number} does not exist or has ended already; see `weighbridge people list`")
    _bump_pairs(tx)


def _bump_pairs(tx: Tx) -> None:
    version = tx.db.execute(select(s.meta.c.value).where(s.meta.c.key == "pairs")).scalar() or "0"
    row = {"key": "pairs", "value": str(int(version) + 1)}
    _upsert(tx, s.meta, [row], ("key",), value=lambda new: new.value)


def activate_policy(tx: Tx, lane: int, policies: Sequence[tuple[str, str]], person: str, reason: str) -> None:
    """These policy files decide from here on. Nothing is written when they already did."""
    value = dump([list(policy) for policy in policies]).decode()
    current = tx.db.execute(select(s.meta.c.value).where(s.meta.c.key == "policy")).scalar()
    if value == current:
        return
    facts = {"policies": [digest for _, digest in policies]}
    act = dump({"person": person, "reason": reason, "policies": [list(policy) for policy in policies]})
    tx.append(lane, "policy:activated", "policy", facts, act)
    _upsert(tx, s.meta, [{"key": "policy", "value": value}], ("key",), value=lambda new: new.value)
