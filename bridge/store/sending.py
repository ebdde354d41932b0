"""What the delivery room does to the tables: claims and what became of them.

Rules of this file: deliveries of one conversation are claimed in order and never past one that is not due,
claimed or waiting. The claim is committed before anything is sent, so that a crash leaves a trace of every
attempt that may have been made. Only here are permits put together (with the reader's final words).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sqlalchemy import and_, bindparam, case, func, literal_column, select, update

from bridge import words
from bridge.flow import DeliveryState, after
from bridge.message import _SEAL, Content, Permit, Receipt, Traffic
from bridge.ports import DIRECT, Attempt, Claim, Step, Stopped, ignore
from bridge.store import schema as s
from bridge.store.codec import message_from, verdict_words
from bridge.store.directory import Directory
from bridge.store.judging import Rulings, drop_unpaired, fail_delivery, tell_sender
from bridge.store.permits import ALTERED, BESIDE, objection, story
from bridge.store.prepared import Prepared
from bridge.store.rows import (
    FAR,
    MESSAGE_CONTENT,
    VERDICT_CONTENT,
    blobs_of,
    final_words,
    is_frozen,
    is_open,
    is_paused,
    plan_chats,
    quoted_text,
    set_delivery,
    states_in,
    upserting,
)
from bridge.store.writer import Tx

LOOK_AGAIN = 30_000
"""Milliseconds after which a chat whose deliveries are paused is looked at again."""

PER_CHAT = 16
"""Deliveries of one conversation that are claimed at once: they are sent one after another."""


_DUE_CHATS = Prepared(
    select(s.chats.c.conversation)
    .where(
        s.chats.c.network == bindparam("b_network"),
        s.chats.c.lane == bindparam("b_lane"),
        s.chats.c.due_at <= bindparam("b_now"),
    )
    .order_by(s.chats.c.due_at)
    .limit(bindparam("b_limit"))
)


_OPEN_IN_CHAT = (
    is_open(s.deliveries),
    s.deliveries.c.network == bindparam("b_network"),
    s.deliveries.c.conversation == bindparam("b_chat"),
)
_NEXT = select(s.deliveries.c.id, s.deliveries.c.state, s.deliveries.c.next_at)
_NEXT_IN_CHAT = Prepared(_NEXT.where(*_OPEN_IN_CHAT).order_by(s.deliveries.c.id).limit(bindparam("b_limit")))
_NEXT_WITH_NOTICES = Prepared(
    _NEXT.add_columns(s.messages.c.notice_for)
    .join(s.messages, s.messages.c.id == s.deliveries.c.message)
    .where(*_OPEN_IN_CHAT)
    .order_by(s.deliveries.c.id)
    .limit(bindparam("b_limit"))
)


_PLAN_CHAT = Prepared(
    update(s.chats)
    .where(s.chats.c.network == bindparam("b_network"), s.chats.c.conversation == bindparam("b_chat"))
    .values(due_at=bindparam("b_due"))
)


_CLAIMED = (
    select(
        s.deliveries,
        s.messages.c.notice_for,
        s.messages.c.archived_at,
        s.messages.c.pair.label("pair_of_message"),
        *BESIDE,
        MESSAGE_CONTENT.c.body,
        VERDICT_CONTENT.c.body.label("verdict_body"),
        func.coalesce(s.chats.c.last_inbound_at, 0).label("last_inbound_at"),
        func.coalesce(s.chats.c.sent, 0).label("traffic_sent"),
        func.coalesce(s.chats.c.inbound, 0).label("inbound"),
    )
    .join(s.messages, s.messages.c.id == s.deliveries.c.message)
    .join(s.verdicts, s.verdicts.c.id == s.deliveries.c.verdict)
    .join(
        MESSAGE_CONTENT,
        and_(MESSAGE_CONTENT.c.lane == s.messages.c.lane, MESSAGE_CONTENT.c.seq == s.messages.c.entry),
    )
    .join(
        VERDICT_CONTENT,
        and_(VERDICT_CONTENT.c.lane == s.messages.c.lane, VERDICT_CONTENT.c.seq == s.verdicts.c.entry),
    )
    .outerjoin(
        s.chats,
        and_(
            s.chats.c.network == s.deliveries.c.network,
            s.chats.c.conversation == s.deliveries.c.conversation,
        ),
    )
    .where(s.deliveries.c.id.in_(bindparam("b_ids", expanding=True)))
    .order_by(s.deliveries.c.id)
)


_CLAIM = Prepared(
    update(s.deliveries)
    .where(s.deliveries.c.id == bindparam("b_id"))
    .values(
        state=literal_column("'claimed'"),
        attempt=s.deliveries.c.attempt + literal_column("1"),
        epoch=bindparam("b_epoch"),
        first_try_at=case(
            (s.deliveries.c.first_try_at == literal_column("0"), bindparam("b_now")),
            else_=s.deliveries.c.first_try_at,
        ),
    )
)


def anything_due(db: object, network: str, lane: int, now: int) -> bool:
    """Whether `claim` is likely to find something: a cheap look that writes nothing."""
    look = {"b_network": network, "b_lane": lane, "b_now": now, "b_limit": 1}
    return _DUE_CHATS.value(db, look) is not None


def claim(
    tx: Tx,
    directory: Directory,
    network: str,
    lane: int,
    epoch: int,
    chats: int,
    stopped: Stopped = ignore,
) -> list[Claim]:
    """Take deliveries that are due, from `chats` conversations at most, and make their permits.

    What is not as the ledger has it is parked, and `stopped` is told.

    Of each conversation the first ones are taken, in order, up to one whose time has not come. Nothing is
    taken while a person has frozen the bridge: asked here, so that no claim can follow the freeze.
    """
    tx.fence(lane, epoch)
    if is_frozen(tx.db):
        return []
    ids: list[int] = []
    while chats > 0:
        taken = _take(tx, network, lane, chats)
        if not taken:
            break  # nothing is due any more
        ids += (number for chat in taken for number in chat)
        chats -= sum(bool(chat) for chat in taken)
    if not ids:
        return []
    directory.refresh(tx.db)
    found = tx.db.execute(_CLAIMED, {"b_ids": ids}).all()
    rows = [row for row in found if not directory.ended(row.pair_of_message)]
    if rows:
        _CLAIM.many(tx.db, [{"b_id": row.id, "b_epoch": epoch, "b_now": tx.now} for row in rows])
    if len(rows) < len(found):
        # It was in hand when its pair was ended, and has come back.
        drop_unpaired(tx, lane, (row for row in found if directory.ended(row.pair_of_message)))
    wrong = {row.id: why for row in rows if (why := objection(tx.db, tx.vault, row))}
    if wrong:
        _stop(tx, lane, [(row, wrong[row.id]) for row in rows if row.id in wrong], stopped)
    return [_claimed(tx, directory, row, epoch) for row in rows if row.id not in wrong]


def _stop(
    tx: Tx,
    lane: int,
    rows: Iterable[tuple[object, str]],
    stopped: Stopped,
) -> None:
    """Park what is not as the ledger has it, each with why; whose words have not gone out is told."""
    work = Rulings(tx, lane)
    for row, why in rows:
        said = story(tx.db, row)
        number = said[0].facts.get("message", row.message) if said else row.message
        facts = {"message": number, "attempt": row.attempt + 1, "reason": why}
        tx.append(lane, "delivery:parked", f"delivery/{row.permit}", facts)
        set_delivery(tx, row.permit, "park", reason=why)
        if why == ALTERED:
            tell_sender(work, number, "undelivered")
        stopped(row.permit, why)
    work.write()


def _take(tx: Tx, network: str, lane: int, chats: int) -> list[list[int]]:
    """What can be sent now in each of the next due chats (nothing, where the plan was wrong)."""
    due = {"b_network": network, "b_lane": lane, "b_now": tx.now, "b_limit": chats}
    taken: list[list[int]] = []
    plans: list[dict] = []
    paused = is_paused(tx.db)
    for (chat,) in _DUE_CHATS.look(tx.db, due):
        numbers, again = (_own_words if paused else _head)(tx, network, chat)
        taken.append(numbers)
        plans.append({"b_network": network, "b_chat": chat, "b_due": again})
    if plans:
        _PLAN_CHAT.many(tx.db, plans)
    return taken


def _head(tx: Tx, network: str, chat: str) -> tuple[list[int], int]:
    """The deliveries of a chat that may be sent now, in order, and when to look at it again."""
    look = {"b_network": network, "b_chat": chat, "b_limit": PER_CHAT}
    taken: list[int] = []
    for number, state, next_at in _NEXT_IN_CHAT.look(tx.db, look):
        if state != DeliveryState.READY or next_at > tx.now:
            # What is claimed or waiting looks after itself: its end plans the chat anew.
            again = next_at if state == DeliveryState.READY and not taken else FAR
            return taken, again
        taken.append(number)
    return taken, FAR


def _own_words(tx: Tx, network: str, chat: str) -> tuple[list[int], int]:
    """The same while nothing is passed on: of the next deliveries, the notices. The rest is looked at again
    a little later, because whoever ends the pause need not know which chats wait."""
    look = {"b_network": network, "b_chat": chat, "b_limit": PER_CHAT}
    rows = _NEXT_WITH_NOTICES.one(tx.db, look).all()
    own = [row.id for row in rows if row.notice_for is not None and row.next_at <= tx.now]
    if any(row.state != DeliveryState.READY for row in rows):
        own = []  # one is under way: its end plans the chat anew
    return own, tx.now + LOOK_AGAIN if len(own) < len(rows) else FAR


def _claimed(tx: Tx, directory: Directory, row: object, epoch: int) -> Claim:
    direct = row.conversation.startswith(DIRECT)  # the table has a token of the address
    permit = Permit(
        id=row.permit,
        network=row.network,
        conversation=message_from(row.body, b"").conversation if direct else row.conversation,
        content=_content(tx.db, directory, row),
        message_seq=row.message,
        attempt=row.attempt + 1,
        uncertain=bool(row.uncertain),
        first_try_at=row.first_try_at or tx.now,
        archived_at=row.archived_at,
        epoch=epoch,
        seal=_SEAL,
    )
    return Claim(permit, Traffic(row.last_inbound_at, row.traffic_sent, row.inbound))


def _content(db: object, directory: Directory, row: object) -> Content:
    message = message_from(row.body, b"")
    if row.notice_for is not None:
        return Content(message.text, notice=True)
    # Who was paired only after writing has no pair on the message.
    route = directory.route(row.pair_of_message, message.network) or directory.find(message)[1]
    let_out = verdict_words(row.verdict_body, message.text)
    quote = quoted_text(db, message.network, message.replaces or message.refers_to, message.conversation)
    content = final_words(message.kind, let_out, row.marks, route, message.sender_name, quote)
    if not message.files:
        return content
    blobs, _ = blobs_of(db, row.message, message)
    return replace(content, files=tuple(replace(blob, name=words.visible(blob.name)) for blob in blobs))


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
        self.chats: set[tuple[str, str]] = set()
        self.notices: list[tuple[int, str]] = []
        self.since: dict[str, int] = {}  # network: when the first of what is now known as sent was tried

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
            self._fact("delivery:parked", permit, {"reason": attempt.reason} | _ids(attempt.receipt))
            self.notices.append((permit.message_seq, attempt.notice))
        self.rows.append(row)
        self.chats.add((permit.network, self.tx.vault.hidden(permit.conversation)))

    def _receive(self, attempt: Attempt) -> None:
        permit, receipt = attempt.permit, attempt.receipt
        if receipt is None:
            return
        self.receipts += [{"network": permit.network, "id": one, "permit": permit.id} for one in receipt.ids]
        if receipt.spent:
            key = permit.network, self.tx.vault.hidden(permit.conversation)
            self.spent[key] = self.spent.get(key, 0) + receipt.spent
        if attempt.step is Step.SEND:
            self.since[permit.network] = min(permit.first_try_at, self.since.get(permit.network, FAR))
            kind = "delivery:found" if receipt.found else "delivery:sent"
            self._fact(kind, permit, _ids(receipt))

    def _wait(self, attempt: Attempt) -> dict:
        permit = attempt.permit
        c = s.chats.c
        chat = self.tx.vault.hidden(permit.conversation)
        query = select(c.inbound).where(c.network == permit.network, c.conversation == chat)
        self._fact("delivery:waiting", permit, {"reason": attempt.reason} | _ids(attempt.receipt))
        if (self.tx.db.execute(query).scalar() or 0) > attempt.traffic.inbound:
            # They wrote while we were finding out that they had not: the window is open again.
            return {"b_state": DeliveryState.READY.value, "b_next": self.tx.now}
        self.notices.append((permit.message_seq, attempt.notice))
        return {"b_next": FAR}

    def _fact(self, kind: str, permit: Permit, facts: dict) -> None:
        facts = {"message": permit.message_seq, "attempt": permit.attempt} | facts
        self.tx.append(self.lane, kind, f"delivery/{permit.id}", facts)

    def write(self) -> None:
        """Write what has been gathered."""
        db = self.tx.db
        if self.rows:
            _END_ATTEMPT.many(db, self.rows)
        if self.receipts:
            _INSERT_RECEIPT.many(db, self.receipts)
        if self.spent:
            spent = [
                {"b_network": network, "b_chat": chat, "b_count": count}
                for (network, chat), count in self.spent.items()
            ]
            _SPEND.many(db, spent)
        plan_chats(self.tx, self.lane, self.chats, self.tx.now)
        failed = self._failed_early()
        if failed or any(key for _, key in self.notices):
            rulings = Rulings(self.tx, self.lane)
            for permit, said_by in failed:
                fail_delivery(rulings, permit, said_by)
            for number, key in self.notices:
                if key:
                    tell_sender(rulings, number, key)
            rulings.write()

    def _failed_early(self) -> list[tuple[str, int]]:
        """What the network called failed before its receipt was recorded: permit, and by which message."""
        found = []
        for network, since in self.since.items():
            permits = {row["id"]: row["permit"] for row in self.receipts if row["network"] == network}
            look = {"b_network": network, "b_since": since}
            for number, body in _FAILURES_SINCE.one(self.tx.db, look).all():
                if permit := permits.get(message_from(body, b"").refers_to):
                    found.append((permit, number))
        return found


def _ids(receipt: Receipt | None) -> dict[str, list[str]]:
    """What an entry says of a receipt: the network's ids, also of parts that went out before a refusal."""
    return {"ids": [one for one in receipt.ids if one.isascii()]} if receipt else {}


_INSERT_RECEIPT = upserting(
    s.receipts, ("network", "id", "permit"), ("network", "id"), permit=lambda new: new.permit
)

# A failure may be told while the answer to our post is still on its way, or was lost with a process.
_FAILURES_SINCE = Prepared(
    select(s.messages.c.id, s.content.c.body)
    .join(s.content, and_(s.content.c.lane == s.messages.c.lane, s.content.c.seq == s.messages.c.entry))
    .where(
        s.messages.c.kind == literal_column("'failed'"),
        s.messages.c.state == literal_column("'noted'"),
        s.messages.c.network == bindparam("b_network"),
        s.messages.c.archived_at >= bindparam("b_since"),
    )
)

_SPEND = Prepared(
    update(s.chats)
    .where(s.chats.c.network == bindparam("b_network"), s.chats.c.conversation == bindparam("b_chat"))
    .values(sent=s.chats.c.sent + bindparam("b_count"))
)


_END_ATTEMPT = Prepared(
    update(s.deliveries)
    .where(
        s.deliveries.c.permit == bindparam("b_permit"),
        states_in(s.deliveries.c.state, DeliveryState.CLAIMED.value),
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
