"""What the delivery room does to the tables: claims and what became of them.

Rules of this file: deliveries of one conversation are claimed in order and never past one that is not due,
claimed or waiting. The claim is committed before anything is sent, so that a crash leaves a trace of every
attempt that may have been made. Only here are permits put together (with the reader's final words). A row is
believed in nothing: what leads to no message or verdict, or holds what cannot be read, is parked and named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

from sqlalchemy import and_, bindparam, case, exists, func, literal_column, not_, or_, select, update

from bridge import words
from bridge.flow import LONGEST_PAUSE, DeliveryState, after
from bridge.message import _SEAL, SYMPHONY, WEIXIN, Content, Permit, Traffic
from bridge.ports import DIRECT, Attempt, Claim, Step, Stopped, Unreadable, ignore, ignore_unreadable
from bridge.store import schema as s
from bridge.store.codec import message_from, verdict_words
from bridge.store.directory import Directory
from bridge.store.judging import Rulings, drop_unpaired, fail_delivery, tell_sender
from bridge.store.permits import ALTERED, BESIDE, SPENT, names_files, objection, story
from bridge.store.prepared import Prepared
from bridge.store.quoting import Quoted, quoted, under_way
from bridge.store.rows import (
    FAR,
    MESSAGE_CONTENT,
    UNREADABLE,
    VERDICT_CONTENT,
    WORDS_OF_OURS,
    blobs_of,
    final_words,
    is_frozen,
    is_open,
    is_paused,
    plan_chats,
    states_in,
    upserting,
)
from bridge.store.uses import Uses, made_at
from bridge.store.vault import if_whole
from bridge.store.writer import Tx

LOOK_AGAIN = 30_000
"""Milliseconds after which a chat whose deliveries are paused is looked at again."""

PER_CHAT = 16
"""Deliveries of one conversation that are claimed at once: they are sent one after another."""

ASTRAY_EVERY = 60_000
"""Milliseconds between two looks for deliveries that no conversation leads to: each reads all that waits."""

_ASTRAY_AT_ONCE = 100
_LONGEST = 2 * LONGEST_PAUSE
"""Milliseconds beyond which nothing waits for a network: what does waits for its copies outside."""

_TIMES, _COUNTS = 1 << 43, 1 << 30
"""What no time (in milliseconds: the year 2248) and no count of the tables comes to."""


_DUE_CHATS = Prepared(
    select(s.chats.c.conversation, s.chats.c.due_at)
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
    .outerjoin(s.messages, s.messages.c.id == s.deliveries.c.message)
    .where(*_OPEN_IN_CHAT)
    .order_by(s.deliveries.c.id)
    .limit(bindparam("b_limit"))
)


_PLAN_CHAT = Prepared(
    update(s.chats)
    .where(s.chats.c.network == bindparam("b_network"), s.chats.c.conversation == bindparam("b_chat"))
    .values(due_at=bindparam("b_due"))
)


#: Chats that were due and whose row takes no plan: their names are none that the driver can say again.
_SET_ASIDE = (
    update(s.chats)
    .where(
        s.chats.c.network == bindparam("b_network"),
        s.chats.c.lane == bindparam("b_lane"),
        s.chats.c.due_at <= bindparam("b_last"),
        s.chats.c.conversation.not_in(bindparam("b_planned", expanding=True)),
    )
    .values(due_at=FAR)
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


#: The same rows for who parks them: they are there whatever they lead to.
_LOST = (
    select(s.deliveries, *BESIDE)
    .outerjoin(s.messages, s.messages.c.id == s.deliveries.c.message)
    .outerjoin(s.verdicts, s.verdicts.c.id == s.deliveries.c.verdict)
    .where(s.deliveries.c.id.in_(bindparam("b_ids", expanding=True)))
    .order_by(s.deliveries.c.id)
)

_OURS = or_(s.deliveries.c.lane == bindparam("b_lane"), s.deliveries.c.lane.not_in(select(s.lanes.c.lane)))
"""A delivery of this lane, or of one that nobody works: its row was changed."""

_EARLIER = s.deliveries.alias("earlier")
_IN_TURN = not_(
    exists().where(
        is_open(_EARLIER),
        _EARLIER.c.network == s.deliveries.c.network,
        _EARLIER.c.conversation == s.deliveries.c.conversation,
        _EARLIER.c.id < s.deliveries.c.id,
    )
)
_LOOKED_AT = exists().where(
    s.chats.c.network == s.deliveries.c.network,
    s.chats.c.conversation == s.deliveries.c.conversation,
    s.chats.c.lane == bindparam("b_lane"),
    s.chats.c.due_at <= bindparam("b_soon"),
)
_LACKS_COPIES = exists().where(s.copies.c.message == s.deliveries.c.message, s.copies.c.state != "kept")

#: What is ready and yet nobody would ever take: its row, or that of its chat, was changed. Either no look at
#: conversations leads to it, though it is its turn, or its time is none that a network, or a copy that is
#: still to be made, was waited for.
_ASTRAY = Prepared(
    select(s.deliveries.c.id)
    .where(
        is_open(s.deliveries),
        states_in(s.deliveries.c.state, DeliveryState.READY.value),
        _OURS,
        or_(
            not_(states_in(s.deliveries.c.network, SYMPHONY, WEIXIN)),
            and_(s.deliveries.c.next_at <= bindparam("b_now"), not_(_LOOKED_AT), _IN_TURN),
            and_(s.deliveries.c.next_at > bindparam("b_late"), not_(_LACKS_COPIES)),
        ),
    )
    .limit(bindparam("b_limit"))
)

#: What is being sent, as its row says.
_CLAIMS = Prepared(
    select(s.deliveries.c.id, s.deliveries.c.permit).where(
        is_open(s.deliveries), states_in(s.deliveries.c.state, DeliveryState.CLAIMED.value), _OURS
    )
)

#: What waits for its reader to write, as its row says, and as no entry says: one is there, that permitted it.
_IDLE = Prepared(
    select(s.deliveries.c.id)
    .where(
        is_open(s.deliveries),
        states_in(s.deliveries.c.state, DeliveryState.WAITING.value),
        _OURS,
        BESIDE[-1] == literal_column("1"),
    )
    .limit(bindparam("b_limit"))
)

_READY = Prepared(
    update(s.deliveries)
    .where(
        s.deliveries.c.id == bindparam("b_id"),
        states_in(s.deliveries.c.state, DeliveryState.CLAIMED.value, DeliveryState.WAITING.value),
    )
    .values(
        state=literal_column("'ready'"),
        next_at=bindparam("b_now"),
        uncertain=case(
            (s.deliveries.c.state == literal_column("'claimed'"), literal_column("1")),
            else_=s.deliveries.c.uncertain,
        ),
    )
)

_HASTEN = Prepared(
    update(s.deliveries)
    .where(s.deliveries.c.id == bindparam("b_id"), s.deliveries.c.next_at > bindparam("b_now"))
    .values(next_at=bindparam("b_now"))
)

_ADOPT = upserting(
    s.chats,
    ("network", "conversation", "lane", "due_at"),
    ("network", "conversation"),
    lane=lambda new: new.lane,
    due_at=lambda new: new.due_at,
)


_SEIZE = Prepared(
    update(s.deliveries)
    .where(s.deliveries.c.id == bindparam("b_id"), states_in(s.deliveries.c.state, DeliveryState.READY.value))
    .values(state=literal_column("'claimed'"), epoch=bindparam("b_epoch"))
)


_PARK = Prepared(
    update(s.deliveries)
    .where(
        s.deliveries.c.id == bindparam("b_id"), states_in(s.deliveries.c.state, DeliveryState.CLAIMED.value)
    )
    .values(
        state=literal_column(f"'{after(DeliveryState.CLAIMED, 'park').value}'"),
        reason=bindparam("b_reason"),
        attempt=bindparam("b_attempt"),
        first_try_at=bindparam("b_first"),
        next_at=bindparam("b_next"),
    )
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
        above=bindparam("b_above"),
    )
)


def anything_due(db: object, network: str, lane: int, now: int) -> bool:
    """Whether `claim` is likely to find something: a cheap look that writes nothing."""
    look = {"b_network": network, "b_lane": lane, "b_now": now, "b_limit": 1}
    return _DUE_CHATS.value(db, look) is not None


def anything_astray(db: object, lane: int, now: int, uses: Uses) -> bool:
    """Whether there may be what no look at conversations finds: a look at all that is open."""
    return bool(_stray(db, lane, now) or _stuck(db, lane, uses))


def claim(
    tx: Tx,
    directory: Directory,
    network: str,
    lane: int,
    epoch: int,
    chats: int,
    stopped: Stopped = ignore,
    astray: bool = False,
    uses: Uses | None = None,
) -> list[Claim]:
    """Take deliveries that are due, from `chats` conversations at most, and make their permits.

    What is not as the ledger has it, or cannot be read, is parked, and `stopped` is told; with `astray`, what
    no conversation leads to as well. `uses` is what this process knows of the permits that it used.

    Of each conversation the first ones are taken, in order, up to one whose time has not come. Nothing is
    taken while a person has frozen the bridge: asked here, so that no claim can follow the freeze.
    """
    tx.fence(lane, epoch)
    uses = uses or Uses()
    if is_frozen(tx.db):
        return []
    wrong = _astray(tx, lane, uses) if astray else {}
    ids: list[int] = []
    while chats > 0:
        taken = _take(tx, network, lane, chats)
        if not taken:
            break  # nothing is due any more
        ids += (number for chat in taken for number in chat)
        chats -= sum(bool(chat) for chat in taken)
    ids = [number for number in ids if number not in wrong]
    if not ids and not wrong:
        return []
    directory.refresh(tx.db)
    found = _found(tx, ids)
    wrong |= {row.id: why for row in found if (why := _objection(tx, network, row, uses))}
    sound = [row for row in found if row.id not in wrong]
    going = _known(tx.db, [row for row in sound if not directory.ended(row.pair_of_message)])
    claims = []
    for row in going:
        try:
            claims.append(_claimed(tx, directory, row, epoch, uses))
        except UNREADABLE:
            wrong[row.id] = ALTERED
    if claims:
        taken = zip([row.id for row in going if row.id not in wrong], claims, strict=True)
        rows = ({"b_id": number, "b_above": one.permit.above} for number, one in taken)
        _CLAIM.many(tx.db, [row | {"b_epoch": epoch, "b_now": tx.now} for row in rows])
    if any(directory.ended(row.pair_of_message) for row in sound):
        # It was in hand when its pair was ended, and has come back.
        drop_unpaired(tx, lane, (row for row in sound if directory.ended(row.pair_of_message)))
    if wrong or len(found) < len(ids):
        wrong |= dict.fromkeys(set(ids) - {row.id for row in found}, ALTERED)
        _stop(tx, lane, epoch, wrong, stopped)
    return claims


def _known(db: object, rows: list[object]) -> list[object]:
    """Those of which it is known what they stand below: what is about a message that is on its way before
    them stays for now, with all that comes after it in its conversation. The end of that way plans the
    chat."""
    ahead: dict[tuple[str, str], set[int]] = {}
    stays: set[tuple[str, str]] = set()
    going = []
    for row in rows:
        chat = row.network, row.conversation
        before = ahead.setdefault(chat, set())
        if chat in stays or (before and before.intersection(_quoted(db, row))):
            stays.add(chat)
            continue
        before.add(row.id)
        going.append(row)
    return going


def _quoted(db: object, row: object) -> list[int]:
    """The deliveries under way of the message that one is about."""
    try:
        message = message_from(row.body, b"")
        named = message.replaces or message.refers_to
        return under_way(db, message.network, named, message.conversation)
    except UNREADABLE:
        return []  # it is parked when it is put together


def _found(tx: Tx, ids: list[int]) -> list[object]:
    """The deliveries of these numbers that lead to a message and a verdict which can be opened."""
    try:
        return list(tx.db.execute(_CLAIMED, {"b_ids": ids}))
    except UNREADABLE:
        return _found_apart(tx, ids)


def _found_apart(tx: Tx, ids: list[int]) -> list[object]:
    """The same, looked for one by one: something that is beside one of them cannot be opened."""
    found: list[object] = []
    for number in sorted(ids):
        try:
            found += tx.db.execute(_CLAIMED, {"b_ids": [number]})
        except UNREADABLE:
            continue
    return found


def _objection(tx: Tx, network: str, row: object, uses: Uses) -> str:
    """Why this row is not sent into `network`, one of `permits.STOPPED`; "" when it is sound."""
    if row.network != network or not _is_sound(row):
        return ALTERED
    if uses.is_used(row.permit):
        return SPENT  # the row, and its entries, may say what they will
    return objection(tx.db, tx.vault, row)


def _is_sound(row: object) -> bool:
    """Whether the numbers of a delivery are numbers. Its ids are sealed with the permit; these are not."""
    return (
        type(row.next_at) is int
        and _is_below(_COUNTS, row.attempt)
        and _is_below(_TIMES, row.first_try_at)
        and _is_below(_TIMES, row.archived_at)
        and _is_below(_TIMES, row.last_inbound_at)
        and _is_below(_COUNTS, row.traffic_sent)
        and _is_below(_TIMES, row.inbound)
        and (row.notice_for is None or type(row.notice_for) is int)
    )


def _is_below(limit: int, value: object) -> bool:
    return type(value) is int and 0 <= value < limit


def _stray(db: object, lane: int, now: int) -> list[int]:
    """What is ready, and what nobody would take."""
    look = {"b_lane": lane, "b_now": now, "b_soon": now + LOOK_AGAIN, "b_late": now + _LONGEST}
    return [number for (number,) in _ASTRAY.look(db, look | {"b_limit": _ASTRAY_AT_ONCE})]


def _stuck(db: object, lane: int, uses: Uses) -> list[int]:
    """What is claimed and in nobody's hand, and what waits though nobody ever tried it."""
    claims = _CLAIMS.look(db, {"b_lane": lane})
    idle = _IDLE.look(db, {"b_lane": lane, "b_limit": _ASTRAY_AT_ONCE})
    return [number for number, permit in claims if not uses.is_in_hand(permit)] + [row[0] for row in idle]


def _astray(tx: Tx, lane: int, uses: Uses) -> dict[int, str]:
    """Bring back what nobody would take: its chat is looked at again, if it is as it was permitted. What is
    not is given, with why."""
    if stuck := [{"b_id": number, "b_now": tx.now} for number in _stuck(tx.db, lane, uses)]:
        _READY.many(tx.db, stuck)
    strays = [*_stray(tx.db, lane, tx.now), *(row["b_id"] for row in stuck)]
    if not strays:
        return {}
    wrong = dict.fromkeys(strays, ALTERED)
    sound = []
    for row in _found(tx, strays):
        wrong[row.id] = _objection(tx, row.network, row, uses)
        sound += [] if wrong[row.id] else [row]
    if sound:
        _HASTEN.many(tx.db, [{"b_id": row.id, "b_now": tx.now} for row in sound])
        chats = {(row.network, row.conversation) for row in sound}
        _ADOPT.many(
            tx.db, [{"network": n, "conversation": c, "lane": lane, "due_at": tx.now} for n, c in chats]
        )
    return {number: why for number, why in wrong.items() if why}


def _stop(tx: Tx, lane: int, epoch: int, wrong: Mapping[int, str], stopped: Stopped) -> None:
    """Park what is not as the ledger has it, each with why; whose words have not gone out is told."""
    work = Rulings(tx, lane)
    for row in tx.db.execute(_LOST, {"b_ids": list(wrong)}).all():
        why, permit = wrong[row.id], _ascii(row.permit)
        number = _message_of(tx, row)
        tried = row.attempt + 1 if _is_below(_COUNTS, row.attempt) else 1
        facts = {"message": number, "attempt": tried, "reason": why}
        tx.append(lane, "delivery:parked", f"delivery/{permit}", facts)
        _SEIZE.many(tx.db, [{"b_id": row.id, "b_epoch": epoch}])
        # What cannot be read begins anew, should a person try it again.
        first = row.first_try_at if _is_below(_TIMES, row.first_try_at) else 0
        again = row.next_at if type(row.next_at) is int else tx.now
        values = {"b_reason": why, "b_attempt": tried, "b_first": first, "b_next": again}
        _PARK.many(tx.db, [{"b_id": row.id} | values])
        chat = {"b_network": row.network, "b_chat": row.conversation, "b_due": tx.now}
        _PLAN_CHAT.many(tx.db, [chat])
        if why == ALTERED:
            _tell(work, number)
        stopped(permit, why)
    work.write()


def _ascii(permit: object) -> str:
    """A permit's id as entries and logs can have it, whatever stands in its place."""
    return str(permit).encode("ascii", "backslashreplace").decode()


def _message_of(tx: Tx, row: object) -> int:
    """The message that a delivery was permitted for: as the ledger says, or else the row; 0 when neither
    does."""
    try:
        said = story(tx.db, row)
    except ValueError:
        said = []
    numbers = (said[0].facts.get("message") if said else 0, row.message)
    return next((number for number in numbers if _is_below(_TIMES, number) and number), 0)


def _tell(work: Rulings, number: int) -> None:
    """Tell the sender of a message, if its row says who that is."""
    m = s.messages.c
    row = work.tx.db.execute(select(m.network, m.conversation).where(m.id == number)).first()
    if row is not None and isinstance(row.conversation, str) and row.network in (SYMPHONY, WEIXIN):
        tell_sender(work, number, "undelivered")


def _take(tx: Tx, network: str, lane: int, chats: int) -> list[list[int]]:
    """What can be sent now in each of the next due chats (nothing, where the plan was wrong)."""
    due = {"b_network": network, "b_lane": lane, "b_now": tx.now, "b_limit": chats}
    taken: list[list[int]] = []
    plans: list[dict] = []
    paused = is_paused(tx.db)
    looked = _DUE_CHATS.look(tx.db, due)
    for chat, _ in looked:
        numbers, again = (_own_words if paused else _head)(tx, network, chat)
        taken.append(numbers)
        plans.append({"b_network": network, "b_chat": chat, "b_due": again})
    if plans and _PLAN_CHAT.many(tx.db, plans) < len(plans):
        aside = {"b_network": network, "b_lane": lane, "b_last": looked[-1][1]}
        tx.db.execute(_SET_ASIDE, aside | {"b_planned": [chat for chat, _ in looked]})
    return taken


def _head(tx: Tx, network: str, chat: str) -> tuple[list[int], int]:
    """The deliveries of a chat that may be sent now, in order, and when to look at it again."""
    look = {"b_network": network, "b_chat": chat, "b_limit": PER_CHAT}
    taken: list[int] = []
    for number, state, next_at in _NEXT_IN_CHAT.look(tx.db, look):
        if state != DeliveryState.READY or _is_later(next_at, tx.now):
            # What is claimed or waiting looks after itself: its end plans the chat anew.
            again = next_at if state == DeliveryState.READY and not taken else FAR
            return taken, again
        taken.append(number)
    return taken, FAR


def _is_later(next_at: object, now: int) -> bool:
    """Whether a time has not come. What is no time is taken at once, so that it is found."""
    return type(next_at) is int and next_at > now


def _own_words(tx: Tx, network: str, chat: str) -> tuple[list[int], int]:
    """The same while nothing is passed on: of the next deliveries, the notices. The rest is looked at again
    a little later, because whoever ends the pause need not know which chats wait."""
    look = {"b_network": network, "b_chat": chat, "b_limit": PER_CHAT}
    rows = _NEXT_WITH_NOTICES.one(tx.db, look).all()
    own = [row.id for row in rows if row.notice_for is not None and not _is_later(row.next_at, tx.now)]
    if any(row.state != DeliveryState.READY for row in rows):
        own = []  # one is under way: its end plans the chat anew
    return own, tx.now + LOOK_AGAIN if len(own) < len(rows) else FAR


def _claimed(tx: Tx, directory: Directory, row: object, epoch: int, uses: Uses) -> Claim:
    direct = row.conversation.startswith(DIRECT)  # the table has a token of the address
    above = _above(tx.db, row)
    content = _content(tx.db, directory, row, above.text)
    first = row.first_try_at or tx.now
    uncertain = bool(row.uncertain) or uses.may_have_arrived(row.permit)
    unknown = uses.is_unknown(row.permit, row.network)
    permit = Permit(
        id=row.permit,
        network=row.network,
        conversation=message_from(row.body, b"").conversation if direct else row.conversation,
        content=content,
        message_seq=row.message,
        attempt=row.attempt + 1,
        uncertain=uncertain,
        unknown=unknown,
        # Where it is looked for, its row is not what says since when.
        first_try_at=min(first, made_at(row.permit)) if uncertain or unknown else first,
        archived_at=row.archived_at,
        above=above.permit,
        epoch=epoch,
        seal=_SEAL,
    )
    uses.take(row.permit, row.network)
    tx.if_undone(partial(uses.end, row.permit, sent=False, uncertain=False))
    return Claim(permit, Traffic(row.last_inbound_at, row.traffic_sent, row.inbound))


def _above(db: object, row: object) -> Quoted:
    """What its reader is shown it below: the same at each try."""
    if row.notice_for is not None:
        return Quoted()
    message = message_from(row.body, b"")
    chosen = row.above if isinstance(row.above, str) else None
    named = message.replaces or message.refers_to
    return quoted(db, message.network, named, message.conversation, chosen)


def _content(db: object, directory: Directory, row: object, quote: str) -> Content:
    message = message_from(row.body, b"")
    if (row.notice_for is None) == (message.sender == WORDS_OF_OURS):
        raise ValueError("what is no notice goes out as it was judged, whatever its row says")
    if row.notice_for is not None:
        return Content(message.text, notice=True)
    # Who was paired only after writing has no pair on the message.
    route = directory.route(row.pair_of_message, message.network) or directory.find(message)[1]
    let_out = verdict_words(row.verdict_body, message.text)
    content = final_words(message.kind, let_out, row.marks, route, message.sender_name, quote)
    if not message.files:
        return content
    if not names_files(db, row):
        raise ValueError("attachments go out by a permit that is sealed for them, or not at all")
    blobs, _ = blobs_of(db, row.message, message)
    return replace(content, files=tuple(replace(blob, name=words.visible(blob.name)) for blob in blobs))


def record_attempts(
    tx: Tx,
    attempts: Iterable[Attempt],
    lane: int,
    uses: Uses | None = None,
    unreadable: Unreadable = ignore_unreadable,
) -> None:
    """Write what became of claimed deliveries, and let `uses` know; `unreadable` is told of a network's
    remarks that may be about them and do not open.

    An attempt made under an epoch that has been superseded changes nothing: the new owner of the lane has
    already taken the delivery as uncertain and looks it up.
    """
    work = _Attempts(tx, lane, uses or Uses(), unreadable)
    for attempt in attempts:
        work.add(attempt)
    work.write()


class _Attempts:
    """Gathers what became of many attempts, so that each table is written once."""

    def __init__(self, tx: Tx, lane: int, uses: Uses, unreadable: Unreadable) -> None:
        self.tx, self.lane, self.uses, self.unreadable = tx, lane, uses, unreadable
        self.rows: list[dict] = []
        self.receipts: list[dict] = []
        self.spent: dict[tuple[str, str], int] = {}
        self.chats: set[tuple[str, str]] = set()
        self.notices: list[tuple[int, str]] = []
        self.since: dict[str, int] = {}  # network: when the first of what is now known as sent was tried

    def add(self, attempt: Attempt) -> None:
        """One attempt: sent, or what else."""
        permit = attempt.permit
        self.uses.end(permit.id, sent=attempt.step is Step.SEND, uncertain=attempt.uncertain)
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
            self._fact("delivery:parked", permit, {"reason": attempt.reason} | _taken(attempt))
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
            self._fact(kind, permit, _taken(attempt))

    def _wait(self, attempt: Attempt) -> dict:
        permit = attempt.permit
        c = s.chats.c
        chat = self.tx.vault.hidden(permit.conversation)
        query = select(c.inbound).where(c.network == permit.network, c.conversation == chat)
        self._fact("delivery:waiting", permit, {"reason": attempt.reason} | _taken(attempt))
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
                try:
                    permit = permits.get(message_from(body, b"").refers_to)
                except UNREADABLE:
                    self.unreadable(number)
                    continue
                if permit:
                    found.append((permit, number))
        return found


def _taken(attempt: Attempt) -> dict[str, object]:
    """What an entry says of a receipt: the network's ids, also of parts that went out before a refusal, and
    the permit whose words stand above it, if any do."""
    if attempt.receipt is None:
        return {}
    ids = [one for one in attempt.receipt.ids if one.isascii()]
    return {"ids": ids} | ({"above": attempt.permit.above} if attempt.permit.above else {})


_INSERT_RECEIPT = upserting(
    s.receipts, ("network", "id", "permit"), ("network", "id"), permit=lambda new: new.permit
)

# A failure may be told while the answer to our post is still on its way, or was lost with a process.
_FAILURES_SINCE = Prepared(
    select(s.messages.c.id, if_whole(s.content.c.body).label("body"))
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
