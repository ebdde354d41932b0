"""What the judgement room does to the tables: verdicts, and the permits, holds and notices that follow.

Rules of this file: a permit is made from a verdict, in the same transaction, and nowhere else. Every
change of state is a ledger entry. The room passes the epoch of its lease; `Tx.fence` refuses whoever lost it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import NamedTuple

import orjson
from sqlalchemy import and_, bindparam, exists, insert, literal_column, not_, or_, select, update

from bridge import words
from bridge.errors import Conflict
from bridge.flow import DeliveryState, MessageState, after
from bridge.message import _SEAL, Archived, Cause, Kind, Message, Outcome, Verdict
from bridge.ports import NO_REACH, Ruling, Unreadable, ignore_unreadable
from bridge.store import copies, following, kept
from bridge.store import schema as s
from bridge.store.codec import Known, message_body, message_from, verdict_body
from bridge.store.context import Memory, earlier
from bridge.store.directory import Directory
from bridge.store.permits import Letter, enclosures_testified, seal_of
from bridge.store.prepared import Prepared
from bridge.store.proving import testimony
from bridge.store.rows import (
    FAR,
    INSERT_MESSAGE,
    UNREADABLE,
    WORDS_OF_OURS,
    blobs_of,
    close_review,
    drop_delivery,
    find_message,
    inspections_of,
    message_row,
    next_number,
    permit_id,
    plan_chats,
    set_delivery,
    set_message,
    states_in,
    upserting,
)
from bridge.store.vault import if_whole
from bridge.store.writer import Tx

_TEXT_INSIDE = 4_000_000
"""Characters read inside attachments from which on no further message is taken: memory stays bounded."""

_BEFORE = s.messages.alias("earlier")


_NEW = (
    select(s.messages, if_whole(s.content.c.body).label("body"))
    .join(s.content, and_(s.content.c.lane == s.messages.c.lane, s.content.c.seq == s.messages.c.entry))
    .where(
        states_in(s.messages.c.state, "new"),
        s.messages.c.lane == bindparam("b_lane"),
        not_(
            exists().where(
                states_in(_BEFORE.c.state, "fetching"),
                _BEFORE.c.network == s.messages.c.network,
                _BEFORE.c.conversation == s.messages.c.conversation,
                _BEFORE.c.id < s.messages.c.id,
            )
        ),
    )
    .order_by(s.messages.c.id)
    .limit(bindparam("b_limit"))
)
_BEHIND_A_HOLD = exists().where(
    states_in(s.reviews.c.state, "open"),
    s.reviews.c.waits == 1,
    s.reviews.c.network == s.messages.c.network,
    s.reviews.c.conversation == s.messages.c.conversation,
)
_UNJUDGED = Prepared(_NEW.where(not_(_BEHIND_A_HOLD)))
_RECALLS_BEHIND_A_HOLD = Prepared(_NEW.where(s.messages.c.kind == literal_column("'recall'"), _BEHIND_A_HOLD))


def unjudged(
    db: object,
    directory: Directory,
    lane: int,
    limit: int,
    reach: tuple[int, int] = NO_REACH,
    unreadable: Unreadable = ignore_unreadable,
) -> list[Archived]:
    """Archived messages that are whole and not judged, in order, each with its context.

    A conversation stops before a message whose attachments are still being fetched, and behind a held
    message whose rule makes the conversation wait; but what is taken back there is taken back at once.
    `reach` is how far back the policies look. A conversation stops as well before a message that does not
    open, or whose context does not, and `unreadable` is told its number; the others go on.
    """
    directory.refresh(db)
    while True:
        rows = _new_rows(db, lane, limit, unreadable)
        found = _all_whole(db, directory, rows, reach, unreadable)
        if found or len(rows) < limit:
            return found
        limit *= 2  # so many that do not open stand before the next one that does


def _new_rows(db: object, lane: int, limit: int, unreadable: Unreadable) -> list[object]:
    look = {"b_lane": lane, "b_limit": limit}
    rows = list(_UNJUDGED.one(db, look))
    if len(rows) < limit:
        behind = [row for row in _RECALLS_BEHIND_A_HOLD.one(db, look) if _stops(db, row, unreadable)]
        rows = sorted([*rows, *behind], key=lambda row: row.id) if behind else rows
    return rows


def _all_whole(
    db: object, directory: Directory, rows: list, reach: tuple[int, int], unreadable: Unreadable
) -> list[Archived]:
    """These messages, in their conversations up to the first one that does not open."""
    memory = Memory(db) if rows else None
    found: list[Archived] = []
    stopped: set[tuple[object, object]] = set()
    inside = 0
    for row in rows:
        if inside > _TEXT_INSIDE:
            break
        if (row.network, row.conversation) in stopped:
            continue
        try:
            one = _whole(db, directory, memory, row, reach)
        except UNREADABLE:
            stopped.add((row.network, row.conversation))
            unreadable(row.id)
            continue
        inside += sum(len(inspection.text) for inspection in one.inspections)
        found.append(one)
    return found


def _stops(db: object, recall: object, unreadable: Unreadable) -> bool:
    """Whether a recall is of something that nobody has decided yet, be it a later version: what was sent is
    recalled in its turn. So is what may be of one that does not open, and `unreadable` is told of that."""
    try:
        message = message_from(recall.body, b"")
        original = find_message(db, message.network, message.refers_to, message.conversation)
        if original is None:
            return False
    except UNREADABLE:
        return True  # it is told of where it is opened
    later = _later(db, original, recall.id)
    for number in later.unknown:
        unreadable(number)
    if later.unknown:
        return False
    versions = [original, *later.versions]
    states = db.scalars(select(s.messages.c.state).where(s.messages.c.id.in_(versions)))
    return any(state in _UNDECIDED for state in states)


def _whole(db: object, directory: Directory, memory: Memory, row: object, reach: tuple[int, int]) -> Archived:
    """A message with everything that a verdict on it may depend on."""
    message = message_from(row.body, b"")
    blobs, missing = blobs_of(db, row.id, message) if message.files else ((), ())
    pair, route = directory.find(message)
    return Archived(
        row.id,
        message,
        route,
        blobs,
        missing,
        row.archived_at,
        pair=pair or row.pair,
        inspections=inspections_of(db, row.id) if message.files else (),
        earlier=earlier(db, row.id, message, reach),
        consent=memory.consent(message, route),
        said=memory.said(route),
        entry=row.entry,
        seal=_SEAL,
    )


NOTHING_MORE: Mapping[str, object] = {}
"""What the entry of a verdict says beside what every one says."""


def _known(ruling: Ruling) -> Known:
    """What the verdict rests on, as its record says it."""
    archived = ruling.archived
    pair = archived.pair if archived.route is not None else None
    before = tuple(one.seq for one in archived.earlier)
    return Known(ruling.at, pair, before, archived.consent, archived.said)


def record_rulings(tx: Tx, rulings: Iterable[Ruling], lane: int, epoch: int) -> None:
    """Write verdicts, and what follows from each: a permit, a hold, a notice to the sender."""
    tx.fence(lane, epoch)
    work = Rulings(tx, lane)
    for ruling in rulings:
        work.add(ruling)
    work.write()


class Decided(NamedTuple):
    """A verdict that was given: its number, and the place of its entry in the ledger."""

    number: int
    entry: int


class Rulings:
    """Gathers the rows of many rulings, so that each table is written once."""

    def __init__(self, tx: Tx, lane: int) -> None:
        self.tx, self.lane = tx, lane
        self.next_verdict = next_number(tx, s.verdicts.c.id)
        self.next_message = self.next_delivery = 0  # looked up when the first notice, or permit, needs it
        self.states: list[dict] = []
        self.verdicts: list[dict] = []
        self.deliveries: list[dict] = []
        self.reviews: list[dict] = []
        self.messages: list[dict] = []
        self.samples: list[dict] = []
        self.copies: list[dict] = []
        self.terms: list[dict] = []
        self.any_held = _ANY_HELD.value(tx.db, {}) is not None

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
        self._noted(ruling)
        if ruling.archived.message.kind is Kind.FAILED:
            self.write()  # the failed delivery may be of this very batch
            _fail(self, ruling)

    def _recall(self, ruling: Ruling) -> bool:
        """Take an original that has not gone out yet off its way, and every later version of it; False when
        the reader has one of them already."""
        self.write()
        archived, message = ruling.archived, ruling.archived.message
        original = find_message(self.tx.db, message.network, message.refers_to, message.conversation)
        if original is None:
            return self._unseen(ruling)
        versions = [original, *_later(self.tx.db, original, archived.seq).versions]
        stopped = [_withdraw(self, one, ruling) for one in versions]
        if not all(stopped):
            return False
        self._noted(ruling)
        return True

    def _noted(self, ruling: Ruling) -> None:
        """A message that is relayed to nobody is a record as well: its classes stand beside its entry."""
        number, verdict = ruling.archived.seq, ruling.verdict
        facts = {"message": number} | self._joined(number, self._original(ruling.archived.message))
        facts |= copies.want(self, number, verdict.archives)
        facts |= kept.said_of(verdict, ruling.archived.archived_at)
        body = kept.classes_body(verdict.retention) if verdict.retention else None
        entry = self.tx.append(self.lane, "message:noted", f"message/{number}", facts, body)
        kept.note(self, number, entry, facts)
        self._step(ruling.archived, "note")

    def _unseen(self, ruling: Ruling) -> bool:
        # A recall of something that never passed here tells the other side nothing.
        self._note(ruling)
        return True

    def _judge(self, ruling: Ruling) -> None:
        archived, verdict = ruling.archived, ruling.verdict
        original = self._original(archived.message)
        if archived.message.replaces and original is not None:
            # Its sender has said it anew: of the earlier version, what nobody has read yet stays unread.
            _withdraw(self, original, ruling, "superseded")
        step = {Outcome.HOLD: "hold", Outcome.BLOCK: "block"}.get(verdict.outcome, "pass")
        self._step(archived, step)
        goes = step == "pass" and archived.route is not None
        more: dict[str, object] = self._joined(archived.seq, original)
        more |= {"samples": len(verdict.samples)} if goes and verdict.samples else {}
        more |= copies.want(self, archived.seq, verdict.archives)
        more |= kept.said_of(verdict, archived.archived_at)
        decided = self.verdict(archived.seq, verdict, archived.message.text, _known(ruling), more)
        if goes:
            self._pass(archived, verdict, decided)
        if step == "hold":
            self._hold(archived, verdict, decided.number)
        if ruling.notice:
            self.notice(archived.seq, archived.message.network, archived.message.conversation, ruling.notice)
        if verdict.notify:
            following.tell_staff(self, ruling)
        if verdict.ask:
            following.ask_client(self, ruling)
        if verdict.agreed:
            following.agree(self, ruling)

    def _original(self, message: Message) -> int | None:
        """The message that an edit, or a recall, is about; None for anything else, and when none is there."""
        named = message.replaces or (message.refers_to if message.kind is Kind.RECALL else "")
        if not named:
            return None
        self.write()
        return find_message(self.tx.db, message.network, named, message.conversation)

    def _joined(self, number: int, original: int | None) -> dict[str, object]:
        """An edit, or a recall, and what it is about share their fate: an entry of each names the other."""
        if original is None or original == number:
            return {}
        facts: dict[str, object] = {"message": original, "with": number}
        self.tx.append(self.lane, "record:joined", f"message/{original}", facts)
        return {"of": original}

    def _pass(self, archived: Archived, verdict: Verdict, decided: Decided) -> None:
        route, number = archived.route, archived.seq
        waits = bool(verdict.after_archives and verdict.archives)
        target = route.network, route.conversation
        letter = Letter(number, archived.entry, *decided, *target, " ".join(self._marks(archived)))
        self.permit(letter, waits=waits, files=bool(archived.message.files))
        if verdict.annotations:
            following.remember_said(self, route.network, route.conversation, verdict.annotations)
        if verdict.samples:
            following.note_samples(self, number, decided.number, verdict)

    def _hold(self, archived: Archived, verdict: Verdict, number: int) -> None:
        self.any_held = True
        self.reviews.append(
            {
                "message": archived.seq,
                "verdict": number,
                "network": archived.message.network,
                "conversation": archived.message.conversation,
                "state": "open",
                "waits": int(verdict.waits),
                # Nobody is on the other side of an unpaired chat to be shown a gap.
                "marked": int(archived.route is None),
                "opened_at": self.tx.now,
                "queue": verdict.queue,
                "due_at": self.tx.now + verdict.decide_within if verdict.decide_within else 0,
                "if_late": verdict.if_late,
                "gated": int(verdict.gated),
            }
        )

    def verdict(
        self,
        number: int,
        verdict: Verdict,
        text: str,
        known: Known | None = None,
        more: Mapping[str, object] = NOTHING_MORE,
    ) -> Decided:
        """A verdict row and its entry, with `more` facts."""
        facts = {"message": number, "outcome": verdict.outcome.value, "cause": verdict.cause.value}
        facts["policies"] = [digest for _, digest in verdict.policies]
        body = verdict_body(verdict, text, known)
        entry = self.tx.append(self.lane, "message:judged", f"message/{number}", {**facts, **more}, body)
        kept.note(self, number, entry, more)
        row = {"id": self.next_verdict, "message": number, "entry": entry, "at": self.tx.now}
        self.verdicts.append(row | {"outcome": verdict.outcome.value, "cause": verdict.cause.value})
        self.next_verdict += 1
        return Decided(self.next_verdict - 1, entry)

    def permit(self, letter: Letter, *, waits: bool = False, files: bool = False) -> None:
        """The right to send a message once, as its verdict allows it, with its `files` if it has any; one
        that `waits` is for when all its archives have a copy, and until then nothing behind it in its
        conversation goes out either."""
        permit = permit_id(self.tx.now, self.tx.chance(8))
        facts: dict[str, object] = {"message": letter.message, "network": letter.network}
        facts["bound"] = seal_of(self.tx.vault, permit, letter)
        if files:
            enclosed = enclosures_testified(self.tx.db, letter.message)
            facts["files"] = self.tx.vault.enclosed(permit, enclosed)
        facts |= {"marks": letter.marks} if letter.marks else {}
        facts |= {"after": "copies"} if waits else {}
        self.tx.append(self.lane, "delivery:permitted", f"delivery/{permit}", facts)
        self.next_delivery = self.next_delivery or next_number(self.tx, s.deliveries.c.id)
        self.deliveries.append(
            {
                "id": self.next_delivery,
                "permit": permit,
                "message": letter.message,
                "verdict": letter.verdict,
                "lane": self.lane,
                "network": letter.network,
                "conversation": letter.conversation,
                "marks": letter.marks,
                "state": DeliveryState.READY.value,
                "next_at": FAR if waits else self.tx.now,
            }
        )
        self.next_delivery += 1

    def notice(self, about: int, network: str, conversation: str, text: str) -> None:
        """Words of the bridge itself: archived, judged and delivered as any message is."""
        self.next_message = self.next_message or next_number(self.tx, s.messages.c.id)
        number = self.next_message
        self.next_message += 1
        words_of_ours = Message(
            network, f"notice/{number}", conversation, WORDS_OF_OURS, self.tx.now, text=text
        )
        facts = {"message": number, "about": about, "network": network}
        body = message_body(words_of_ours)
        entry = self.tx.append(self.lane, "notice:archived", f"message/{number}", facts, body)
        row = message_row(number, words_of_ours, self.lane, entry, self.tx.now, MessageState.PASSED, None)
        conversation = self.tx.vault.hidden(conversation)
        self.messages.append(row | {"notice_for": about, "conversation": conversation})
        reason = "the bridge's own notice"
        verdict = Verdict(Outcome.DELIVER, Cause.DEFAULT, text, reason)
        more = copies.want_beside(self, number, about)
        decided = self.verdict(number, verdict, text, more=more)
        self.permit(Letter(number, entry, *decided, network, conversation))

    def language(self, network: str) -> str:
        """The language of people of a network who are paired with nobody."""
        return language_of(self.tx.db, None, network)

    def _marks(self, archived: Archived) -> tuple[str, ...]:
        marks = []
        if self.any_held and self._gap(archived):
            marks.append("gap")
        if was_read(self.tx.db, archived.message):
            marks.append("edited")
        return tuple(marks)

    def _gap(self, archived: Archived) -> bool:
        # Shown once for each message that is missing: the first later one that passes carries the mark.
        self.write()
        r, message = s.reviews.c, archived.message
        result = self.tx.db.execute(
            update(s.reviews)
            .where(states_in(r.state, "open"), r.network == message.network)
            .where(r.conversation == message.conversation, r.message < archived.seq, r.marked == 0)
            .values(marked=1)
        )
        return result.rowcount > 0

    def _step(self, archived: Archived, step: str) -> None:
        # People may have been paired between the archive and now: the route that was judged is the pair's.
        state = after(MessageState.NEW, step).value
        self.states.append({"b_id": archived.seq, "b_state": state, "b_pair": archived.pair})

    def write(self) -> None:
        """Write what has been gathered so far."""
        db = self.tx.db
        due = {(row["network"], row["conversation"]) for row in self.deliveries}
        plan_chats(self.tx, self.lane, due, self.tx.now)
        for statement, rows in (
            (INSERT_MESSAGE, self.messages),
            (_INSERT_VERDICT, self.verdicts),
            (_INSERT_DELIVERY, self.deliveries),
            (_OPEN_REVIEW, self.reviews),
        ):
            if rows:
                statement.many(db, rows)
                rows.clear()
        following.insert_samples(self)
        copies.insert(self)
        kept.insert(self)
        if self.states:
            if _STEP_MESSAGE.many(db, self.states) != len(self.states):
                raise Conflict("a message of this batch was judged by somebody else")
            self.states.clear()


_STEP_MESSAGE = Prepared(
    update(s.messages)
    .where(s.messages.c.id == bindparam("b_id"), states_in(s.messages.c.state, MessageState.NEW.value))
    .values(state=bindparam("b_state"), pair=bindparam("b_pair"))
)
_ANY_HELD = Prepared(
    select(s.reviews.c.message).where(states_in(s.reviews.c.state, "open")).limit(literal_column("1"))
)
_INSERT_VERDICT = Prepared(insert(s.verdicts), ("id", "message", "entry", "outcome", "cause", "at"))
_INSERT_DELIVERY = Prepared(
    insert(s.deliveries),
    ("id", "permit", "message", "verdict", "lane", "network", "conversation", "marks", "state", "next_at"),
)
# A hold that was lifted may be followed by another, for another reason: the row is that of the last.
_OPEN_REVIEW = upserting(
    s.reviews,
    (
        *("message", "verdict", "network", "conversation", "state", "waits", "marked", "opened_at"),
        *("queue", "due_at", "if_late", "gated"),
    ),
    ("message",),
    **{name: itemgetter(name) for name in ("verdict", "state", "waits", "marked", "opened_at")},
    **{name: itemgetter(name) for name in ("queue", "due_at", "if_late", "gated")},
    decided_at=lambda _: literal_column("0"),
    late_at=lambda _: literal_column("0"),
    entry=lambda _: literal_column("-1"),
)


#: Deliveries whose reader has seen nothing; a parked one must not go out after its sender took it back.
_UNSEEN = (DeliveryState.READY, DeliveryState.WAITING, DeliveryState.PARKED, DeliveryState.FAILED)


#: Messages of which nothing has been permitted: they are waiting for a person, or behind one that is.
_UNDECIDED = (MessageState.HELD, MessageState.NEW)
_UNJUDGED_STATES = (MessageState.FETCHING, MessageState.NEW)

_ABOUT = Prepared(
    select(s.ledger.c.lane, s.ledger.c.seq, s.ledger.c.entry)
    .where(s.ledger.c.subject == bindparam("b_subject"))
    .order_by(s.ledger.c.lane, s.ledger.c.seq)
)


def was_read(db: object, edit: Message) -> bool:
    """Whether the version that `edit` replaces has gone out (or may have): only then is it an edit to its
    reader."""
    if not edit.replaces:
        return False
    original = find_message(db, edit.network, edit.replaces, edit.conversation)
    d = s.deliveries.c
    gone = or_(d.uncertain == 1, d.state.in_([DeliveryState.SENT.value, DeliveryState.CLAIMED.value]))
    query = select(d.id).where(d.message == original, gone).limit(1)
    return original is not None and db.execute(query).first() is not None


def _withdraw(work: Rulings, original: int, ruling: Ruling, reason: str = "recalled") -> bool:
    """Stop what has not gone out of a recalled message; False when the reader has it (or may have it)."""
    tx, lane = work.tx, work.lane
    facts = {"message": original, "by": ruling.archived.seq}
    m = s.messages.c
    state, archived_at = tx.db.execute(select(m.state, m.archived_at).where(m.id == original)).one()
    if state in _UNDECIDED:
        # What nobody has judged is kept as long as that which took it back.
        new = ruling.verdict.retention if state == MessageState.NEW else ()
        facts |= kept.said_of(ruling.verdict, archived_at) if new else {}
        body = kept.classes_body(new) if new else None
        entry = tx.append(lane, "message:recalled", f"message/{original}", facts, body)
        kept.note(work, original, entry, facts)
        if state == MessageState.HELD:
            close_review(tx, original, "recalled", -1)
        set_message(tx, original, MessageState(state), "recall")
        return True
    if state in (MessageState.BLOCKED, MessageState.REJECTED, MessageState.RECALLED):
        return True
    d = s.deliveries.c
    rows = tx.db.execute(select(d.permit, d.state, d.uncertain).where(d.message == original)).all()
    if not rows or any(row.uncertain or row.state not in _UNSEEN for row in rows):
        return False
    for row in rows:
        drop_delivery(tx, lane, row.permit, {"reason": reason, "by": ruling.archived.seq})
    return True


class _Later(NamedTuple):
    """The later versions of a message, and those of which nobody can say whether they are: nothing was
    decided about them, and they do not open."""

    versions: list[int]
    unknown: list[int]


def _later(db: object, original: int, before: int) -> _Later:
    """The later versions of message `original` that came before message `before`, in order: those that
    replace it, and those that replace one of these. Of one that does not open, the ledger says what it is."""
    m, c = s.messages.c, s.content.c
    first = db.execute(select(m.network, m.conversation, m.source_id, m.lane).where(m.id == original)).one()
    later = (
        select(m.id, m.source_id, m.state, if_whole(c.body).label("body"))
        .join(s.content, and_(c.lane == m.lane, c.seq == m.entry))
        .where(m.network == first.network, m.conversation == first.conversation)
        .where(m.id > original, m.id < before, m.notice_for.is_(None), m.kind != Kind.RECALL.value)
        .order_by(m.id)
    )
    names, found = {first.source_id: original}, _Later([], [])
    for row in db.execute(later):
        try:
            replaced = names.get(message_from(row.body, b"").replaces)
        except UNREADABLE:
            replaced = _edited(db, row.id)
            if row.state in _UNJUDGED_STATES:
                found.unknown.append(row.id)
        if replaced in names.values():
            names[row.source_id] = row.id
            found.versions.append(row.id)
    return found


def _edited(db: object, number: int) -> int | None:
    """The message that message `number` is a version of, as the entry of its verdict says."""
    for lane, seq, data in _ABOUT.look(db, {"b_subject": f"message/{number}"}):
        try:
            facts = testimony(lane, seq, data).facts
            if "of" in facts:
                return facts["of"]
        except UNREADABLE:
            continue  # `audit verify` names it
    return None


def _fail(work: Rulings, ruling: Ruling) -> None:
    """The network says that something of ours never arrived."""
    message = ruling.archived.message
    d, r = s.deliveries.c, s.receipts.c
    permit = work.tx.db.execute(
        select(d.permit)
        .join(s.receipts, r.permit == d.permit)
        .where(r.network == message.network, r.id == message.refers_to)
    ).scalar()
    if permit is not None:
        fail_delivery(work, permit, ruling.archived.seq)


def fail_delivery(work: Rulings, permit: str, said_by: int) -> None:
    """Note on a delivery that the network took it and, as it said in message `said_by`, never delivered it;
    its sender is told. Nothing happens when it is not known as sent (any more)."""
    d = s.deliveries.c
    row = work.tx.db.execute(select(d.message, d.state).where(d.permit == permit)).one()
    if row.state != DeliveryState.SENT:
        return
    facts = {"message": row.message, "said_by": said_by}
    work.tx.append(work.lane, "delivery:failed", f"delivery/{permit}", facts)
    set_delivery(work.tx, permit, "fail", reason="undelivered", done_at=work.tx.now)
    tell_sender(work, row.message, "undelivered")


def drop_unpaired(tx: Tx, lane: int, deliveries: Iterable) -> None:
    """Never make these deliveries (rows with permit, message, network and conversation): the two may no
    longer talk. The sender is told, once for each chat."""
    told: dict[tuple[str, str], int] = {}
    for row in deliveries:
        drop_delivery(tx, lane, row.permit, {"message": row.message, "reason": "unpaired"})
        told.setdefault((row.network, row.conversation), row.message)
    work = Rulings(tx, lane)
    for number in told.values():
        tell_sender(work, number, "ended")
    work.write()


def tell_sender(work: Rulings, number: int, key: str) -> None:
    """A notice into the chat that message `number` came from, unless it is itself a notice."""
    m = s.messages.c
    row = work.tx.db.execute(
        select(m.network, m.conversation, m.notice_for, m.pair).where(m.id == number)
    ).one()
    if row.notice_for is None:
        language = language_of(work.tx.db, row.pair, row.network)
        work.notice(number, row.network, row.conversation, words.say(key, language))


def language_of(db: object, pair: int | None, network: str) -> str:
    """The language (a BCP 47 tag) of the person of `pair` on `network`; of its people, without a pair that
    opens."""
    named = select(if_whole(s.pairs.c.body).label("body")).where(s.pairs.c.id == pair)
    body = db.execute(named).scalar() if pair else None
    try:
        return orjson.loads(body or b"")["advisor_language" if network == "symphony" else "contact_language"]
    except UNREADABLE:
        key = f"language.{network}"
        return db.execute(select(s.meta.c.value).where(s.meta.c.key == key)).scalar() or "en"
