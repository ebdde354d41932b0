"""What persons and daemons do to the tables: holds decided, people paired, policies activated, lanes taken.

Rules of this file: every act names its person and reason; both stand in the archive under the digest of
the act's ledger entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import and_, case, insert, or_, select, update

from bridge.errors import Conflict
from bridge.flow import DeliveryState, MessageState
from bridge.message import Cause, Outcome, Verdict
from bridge.store import schema as s
from bridge.store.codec import dump, message_from, verdict_from
from bridge.store.copies import outstanding
from bridge.store.directory import Directory
from bridge.store.following import remember_said
from bridge.store.judging import Rulings, drop_unpaired, tell_sender, was_read
from bridge.store.permits import BESIDE, SPENT, Letter, letter_of, names_files, objection
from bridge.store.policies import keep_sources
from bridge.store.rows import (
    MESSAGE_CONTENT,
    VERDICT_CONTENT,
    close_review,
    is_open,
    next_number,
    set_delivery,
    set_message,
    states_in,
    upserting,
)
from bridge.store.uses import TAKES_NO_KEY, Uses
from bridge.store.writer import Tx

if TYPE_CHECKING:
    from bridge.policy import Source

_SET_META = upserting(s.meta, ("key", "value"), ("key",), value=lambda new: new.value)

#: Where a stream's history is read from at first; a position that is there already is further on, and stays.
_FIRST_CURSOR = upserting(
    s.cursors, ("network", "name", "value"), ("network", "name"), value=lambda new: s.cursors.c.value
)


def take_lane(
    tx: Tx,
    lane: int,
    owner: str,
    ttl: int,
    *,
    force: bool = False,
    is_dead: Callable[[int], bool] = lambda _: False,
) -> int | None:
    """Own a lane until `ttl` milliseconds from now; gives the new epoch, None while somebody else owns it.

    What the former owner had claimed goes back to the outbox as uncertain: it may have been sent. Unless the
    one who owned it under its epoch `is_dead`, it may send on as long as its lease lasts, which is no longer
    than a lease from now: until then nothing is repeated where a repetition would stand twice.
    `force` takes the lane from an owner that works it no more.
    """
    c = s.lanes.c
    row = tx.db.execute(select(c.owner, c.epoch, c.lease_until).where(c.lane == lane)).one()
    if row.owner and row.lease_until > tx.now and not force:
        return None
    epoch = row.epoch + 1
    wait = 0 if not row.owner or is_dead(row.epoch) else ttl
    tx.db.execute(
        update(s.lanes).where(c.lane == lane).values(owner=owner, epoch=epoch, lease_until=tx.now + ttl)
    )
    tx.epochs[lane] = epoch
    tx.append(lane, "lane:taken", f"lane/{lane}", {"epoch": epoch})
    network = s.deliveries.c.network
    tx.db.execute(
        update(s.deliveries)
        .where(
            is_open(s.deliveries),
            s.deliveries.c.lane == lane,
            s.deliveries.c.state == DeliveryState.CLAIMED,
        )
        .values(
            state=DeliveryState.READY.value,
            uncertain=1,
            next_at=case((network == TAKES_NO_KEY, tx.now + wait), else_=tx.now),
        )
    )
    tx.db.execute(update(s.chats).where(s.chats.c.lane == lane).values(due_at=tx.now))
    return epoch


def give_back(tx: Tx, lane: int, network: str, epoch: int, uses: Uses) -> None:
    """Put back what a network's closed room had claimed, as uncertain: it may have been sent."""
    tx.fence(lane, epoch)
    uses.give_back(network)
    tx.db.execute(
        update(s.deliveries)
        .where(
            is_open(s.deliveries),
            s.deliveries.c.lane == lane,
            s.deliveries.c.network == network,
            s.deliveries.c.state == DeliveryState.CLAIMED,
        )
        .values(state=DeliveryState.READY.value, uncertain=1, next_at=tx.now)
    )
    where = (s.chats.c.lane == lane, s.chats.c.network == network)
    tx.db.execute(update(s.chats).where(*where).values(due_at=tx.now))


def renew_lane(tx: Tx, lane: int, epoch: int, ttl: int) -> None:
    """Go on owning a lane. Raises StoreError when somebody else has it."""
    tx.fence(lane, epoch)
    tx.db.execute(update(s.lanes).where(s.lanes.c.lane == lane).values(lease_until=tx.now + ttl))


def leave_lane(tx: Tx, lane: int, epoch: int) -> None:
    """Give a lane up, so that the next owner need not wait for the lease to run out."""
    tx.fence(lane, epoch)
    tx.db.execute(update(s.lanes).where(s.lanes.c.lane == lane).values(owner="", lease_until=0))


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
    work = Rulings(tx, lane)
    act = dump({"person": person, "reason": reason, "as_written": as_written})
    kind = "hold:released" if passed else "hold:rejected"
    entry = tx.append(lane, kind, f"message/{number}", {"message": number}, act)
    outcome = Outcome.DELIVER if passed else Outcome.BLOCK
    text = message.text if as_written else verdict.text
    below = verdict.annotations if passed and not as_written else ()
    by_person = Verdict(outcome, Cause.PERSON, text, policies=verdict.policies, annotations=below)
    decided = work.verdict(number, by_person, message.text, more={"by": entry})
    close_review(tx, number, "released" if passed else "rejected", entry)
    set_message(tx, number, MessageState.HELD, "release" if passed else "reject")
    if passed:
        target = _target(tx.db, row)
        marks = "late edited" if was_read(tx.db, message) else "late"
        waits = verdict.after_archives and bool(outstanding(tx.db, [number]))
        letter = Letter(number, row.entry, *decided, *target, marks)
        work.permit(letter, waits=waits, files=bool(message.files))
        remember_said(work, *target, below)
    work.write()
    tell_sender(work, number, "released" if passed else "rejected")
    work.write()


def _held(db: object, number: int) -> object:
    m, r, v = s.messages.c, s.reviews.c, s.verdicts.c
    query = (
        select(s.messages, MESSAGE_CONTENT.c.body, VERDICT_CONTENT.c.body.label("verdict_body"))
        .join(s.reviews, r.message == m.id)
        .join(s.verdicts, v.id == r.verdict)
        .join(MESSAGE_CONTENT, and_(MESSAGE_CONTENT.c.lane == m.lane, MESSAGE_CONTENT.c.seq == m.entry))
        .join(VERDICT_CONTENT, and_(VERDICT_CONTENT.c.lane == m.lane, VERDICT_CONTENT.c.seq == v.entry))
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
    if directory.ended(row.pair):
        raise Conflict(
            f"message {row.id} was written in pair {row.pair}, which has been ended: nothing of it may go "
            "out any more; reject it (`weighbridge review reject`)"
        )
    pair, route = directory.find(message_from(row.body, b""))
    if route is None:
        raise Conflict(
            f"message {row.id} comes from a chat that is not paired with anybody; "
            "pair the two people first (`weighbridge people pair`), then release it"
        )
    if row.pair is None:
        db.execute(update(s.messages).where(s.messages.c.id == row.id).values(pair=pair))
    return route.network, route.conversation


_TO_RETRY = (
    select(s.deliveries, *BESIDE)
    .join(s.messages, s.messages.c.id == s.deliveries.c.message)
    .join(s.verdicts, s.verdicts.c.id == s.deliveries.c.verdict)
)

# A claimed delivery is being sent at this moment: only the room that sends it may put it back.
_A_PERSONS_TO_RETRY = (DeliveryState.PARKED, DeliveryState.WAITING, DeliveryState.FAILED)


def retry_delivery(tx: Tx, lane: int, permit: str, act: bytes) -> None:
    """Put a parked, waiting or failed delivery back, to be tried at once and as if for the first time.

    One that the network had accepted and then failed gets a new permit: the network would take the old
    key for a repetition of what it has.
    """
    d = s.deliveries.c
    row = tx.db.execute(_TO_RETRY.where(d.permit == permit)).first()
    if row is None or row.state not in _A_PERSONS_TO_RETRY:
        states = ", ".join(state.value for state in _A_PERSONS_TO_RETRY)
        raise Conflict(f"delivery {permit} does not exist, or is not {states}")
    tx.append(lane, "delivery:retried", f"delivery/{permit}", {}, act)
    if row.state != DeliveryState.FAILED:
        set_delivery(tx, permit, "retry", next_at=tx.now, attempt=0, reason="")
        return
    if objection(tx.db, tx.vault, row) != SPENT:
        raise Conflict(f"delivery {permit} is not as it was permitted: `weighbridge audit verify` names what")
    work = Rulings(tx, lane)
    work.permit(letter_of(row), files=names_files(tx.db, row))
    work.write()
    set_delivery(tx, permit, "drop", done_at=tx.now, reason="sent anew")


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
    number = next_number(tx, p.id)
    keys = ("advisor", "stream", "contact")
    act = dump({"person": person, "reason": reason, **pair})
    entry, sealed = tx.append_pair(lane, f"pair/{number}", {"pair": number}, act, dump(pair))
    tx.db.execute(
        insert(s.pairs).values(
            id=number,
            entry=entry,
            lane=lane,
            state="active",
            body=sealed,
            made_at=tx.now,
            **{key: pair[key] for key in keys},
        )
    )
    cursor = {"network": "symphony", "name": f"stream:{pair['stream']}", "value": str(tx.now)}
    _FIRST_CURSOR.one(tx.db, cursor)
    note_pairs(tx)
    return number


def end_pair(tx: Tx, number: int, person: str, reason: str) -> None:
    """The two may no longer talk; what they said stays, and what has not gone out never will.

    A delivery that is being sent at this moment is; should it come back, it goes nowhere more (`claim`).
    Raises Conflict when the pair is not active.
    """
    p = s.pairs.c
    lane = tx.db.execute(select(p.lane).where(p.id == number)).scalar() or 0
    act = dump({"person": person, "reason": reason})
    tx.append(lane, "pair:ended", f"pair/{number}", {"pair": number}, act)
    result = tx.db.execute(
        update(s.pairs).where(p.id == number, p.state == "active").values(state="ended", ended_at=tx.now)
    )
    if result.rowcount != 1:
        raise Conflict(f"pair {number} does not exist or has ended already; see `weighbridge people list`")
    note_pairs(tx)
    drop_unpaired(tx, lane, _unsent(tx.db, number))


def _unsent(db: object, pair: int) -> Sequence:
    """What nobody has sent of a pair's messages. A claimed delivery is being sent at this moment."""
    d, m = s.deliveries.c, s.messages.c
    waits = and_(is_open(s.deliveries), d.state != DeliveryState.CLAIMED.value)
    stuck = states_in(d.state, DeliveryState.PARKED.value, DeliveryState.FAILED.value)
    query = select(d.permit, d.message, d.network, d.conversation).join(s.messages, m.id == d.message)
    return db.execute(query.where(m.pair == pair, or_(waits, stuck)).order_by(d.id)).all()


def note_pairs(tx: Tx) -> None:
    """Let everybody who knows the pairs read them again."""
    version = tx.db.execute(select(s.meta.c.value).where(s.meta.c.key == "pairs")).scalar() or "0"
    row = {"key": "pairs", "value": str(int(version) + 1)}
    _SET_META.one(tx.db, row)


def set_languages(tx: Tx, languages: Mapping[str, str]) -> None:
    """The language, by network, in which people are addressed who are paired with nobody."""
    rows = [{"key": f"language.{network}", "value": tag} for network, tag in languages.items()]
    _SET_META.many(tx.db, rows)


def activate_policy(
    tx: Tx,
    lane: int,
    policies: Sequence[tuple[str, str]],
    person: str,
    reason: str,
    sources: Iterable[Source] = (),
    *,
    change: int = 0,
) -> None:
    """These policy files decide from here on; the bytes that `sources` has are kept, each hash once.

    `change` is the number of the approved change that puts them in force, 0 for none: then nothing is said
    when they decided already.
    """
    keep_sources(tx, lane, sources)
    value = dump([list(policy) for policy in policies]).decode()
    current = tx.db.execute(select(s.meta.c.value).where(s.meta.c.key == "policy")).scalar()
    if value == current and not change:
        return
    facts = {"policies": [digest for _, digest in policies]} | ({"change": change} if change else {})
    act = dump({"person": person, "reason": reason, "policies": [list(policy) for policy in policies]})
    tx.append(lane, "policy:activated", "policy", facts, act)
    _SET_META.one(tx.db, {"key": "policy", "value": value})
