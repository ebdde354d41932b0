"""The store's half of an evidence package: the lives of messages, with content, and proofs that hold.

Rules of this file: it reads, but for `sign_uncovered` and `record_made`. A proof leaves only after it was
verified here, against a checkpoint that one of the given keys signed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, and_, func, select

from bridge.errors import Conflict, Missing, StoreError
from bridge.evidence.exhibits import Attachment, Case, Exhibit, Lane, Life, Making, Place
from bridge.ledger.checkpoint import Checkpoint, Signer, Verifier, verified
from bridge.ledger.content import digest_of
from bridge.ledger.entry import Entry
from bridge.ledger.proofs import consistent, includes, prove_consistency, prove_inclusion
from bridge.ledger.tree import leaf_hash
from bridge.message import WEIXIN
from bridge.records.exports.numbers import Numbers
from bridge.store import checkpoints
from bridge.store import schema as s
from bridge.store.codec import dump, inspection_from
from bridge.store.documents import Reading
from bridge.store.identities import contact_id
from bridge.store.proving import Placed, Subtrees, entries_about, entry_at, testimony
from bridge.store.rows import is_gone
from bridge.store.vault import if_whole
from bridge.store.writer import Tx

EARLIER = 40
"""Earlier checkpoints of a lane that go into a package at most: the first, the last ones, and some
between."""

BROKEN = "the entries do not give the root that was signed: run `weighbridge audit verify`"

Tell = Callable[[int, int], None]
"""Called with how much is done, and of how much."""

ASKED, EDIT, RECALL, NOTICE = "asked for", "edit of", "recall of", "notice about"
"""Why a message is in a package."""


# --- which messages, and what belongs to them -----------------------------------------------------------


def lives(db: Connection, numbers: Iterable[int]) -> list[Life]:
    """The messages of these numbers, and what belongs to them: later versions, recalls, the bridge's notices.

    Raises Missing when one of `numbers` is no message.
    """
    reasons = _with_relatives(db, sorted(set(numbers)))
    m = s.messages.c
    found = []
    for number in sorted(reasons):
        row = db.execute(select(m.lane, m.pair, m.notice_for).where(m.id == number)).first()
        if row is None:
            raise Missing(f"there is no message {number}; see `weighbridge audit search`")
        root, why = reasons[number]
        places = tuple((lane, seq) for lane, seq, _, _ in entries_about(db, number))
        found.append(Life(number, root, why, _pair(db, row), places, tuple(_files(db, row.lane, number))))
    return found


def _pair(db: Connection, row: Any) -> int:
    """The pair a message was written in; a notice's is that of the message it is about."""
    if row.notice_for is None:
        return row.pair or 0
    about = select(s.messages.c.pair).where(s.messages.c.id == row.notice_for)
    return db.execute(about).scalar() or 0


def _with_relatives(db: Connection, numbers: Sequence[int]) -> dict[int, tuple[int, str]]:
    """By message: the message on whose account it is here, and what it is to that one.

    One that was asked for and is a version of another that was asked for is here on the other's account:
    whoever keeps one back keeps back both.
    """
    reasons = {number: (number, ASKED) for number in numbers}
    waiting, reading = list(numbers), Reading(db)
    while waiting:
        ahead: list[int] = []
        for one in reading.documents(waiting):
            root = reasons[one.number][0]
            for why, related in (
                (EDIT, one.edits),
                (RECALL, one.recalls),
                (NOTICE, _notices(db, one.number)),
            ):
                for number in related:
                    if number not in reasons:
                        ahead.append(number)
                        reasons[number] = root, why
                    elif number != one.number:
                        reasons[number] = root, reasons[number][1]
        waiting = ahead
    return reasons


def _notices(db: Connection, number: int) -> Sequence[int]:
    m = s.messages.c
    return db.execute(select(m.id).where(m.notice_for == number).order_by(m.id)).scalars().all()


def _files(db: Connection, lane: int, number: int) -> Iterable[Attachment]:
    f, c = s.files.c, s.content.c
    query = (
        select(f.n, f.entry, f.digest, f.size, if_whole(c.body).label("body"))
        .outerjoin(s.content, and_(c.lane == lane, c.seq == f.entry))
        .where(f.message == number, f.state == "archived", ~is_gone(f.message))
        .order_by(f.n)
    )
    for row in db.execute(query):
        kind = inspection_from(row.body).type if row.body else ""
        yield Attachment(row.n, (lane, row.entry), row.digest, row.size, kind)


def pairs_of(db: Connection, contact: str) -> frozenset[int]:
    """The pairs, ended ones too, of a contact by its id on the network, or by its name.

    Raises Conflict when the name is that of several people: nobody is handed another one's words.
    """
    p = s.pairs.c
    rows = db.execute(select(p.id, p.contact, p.body).order_by(p.id)).all()
    if found := frozenset(row.id for row in rows if contact in (row.contact, _id(row))):
        return found
    named = [row for row in rows if row.body and orjson.loads(row.body)["contact_name"] == contact]
    if len(people := list(dict.fromkeys(map(_id, named)))) > 1:
        raise Conflict(f"{contact!r} is the name of several: give an id, one of {', '.join(people)}.")
    return frozenset(row.id for row in named)


def messages_of(db: Connection, pairs: Collection[int], chosen: Iterable[Life]) -> frozenset[int]:
    """Which of the messages are of the contact of these `pairs`: in them, or written while nobody was paired
    with him, with what belongs to such a message."""
    m, p = s.messages.c, s.pairs.c
    keys = set(db.execute(select(p.contact).where(p.id.in_(pairs))).scalars())
    ids, found = {contact_id(key) for key in keys}, set[int]()
    for life in chosen:
        about = select(func.coalesce(m.notice_for, m.id)).where(m.id == life.number).scalar_subquery()
        row = db.execute(select(m.network, m.conversation, m.sender).where(m.id == about)).one()
        alone = life.pair == 0 and row.network == WEIXIN
        if life.pair in pairs or (alone and (row.conversation in keys or row.sender in ids)):
            found.add(life.number)
    return frozenset(found)


def _id(row: Any) -> str:
    contact: str = row.contact
    return contact.rpartition("/")[2]


# --- what they rest on ----------------------------------------------------------------------------------


def gather(db: Connection, numbers: Iterable[int], keys: Sequence[Verifier], tell: Tell) -> Case:
    """Everything about these messages, proven. Raises Conflict when no checkpoint covers it, Missing as
    `lives` does, StoreError when the store does not prove it."""
    chosen = lives(db, numbers)
    placed = {place: _entry(db, place) for life in chosen for place in life.places}
    placed |= {one[:2]: one for one in _context(db, chosen, [testimony(*one[:3]) for one in placed.values()])}
    lanes = {lane: _newest(db, keys, lane) for lane in sorted({place[0] for place in placed})}
    trees = {lane: Subtrees(db, lane) for lane in lanes}
    exhibits = {}
    for done, place in enumerate(sorted(placed), 1):
        exhibits[place] = _exhibit(db, placed[place], lanes[place[0]][1], trees[place[0]])
        tell(done, len(placed))
    proven = tuple(_lane(db, keys, lane, *lanes[lane], trees[lane]) for lane in lanes)
    return Case(exhibits, tuple(chosen), proven)


def _entry(db: Connection, place: Place) -> Placed:
    found = entry_at(db, *place)
    if found is None:
        raise StoreError(f"entry {place[1]} of lane {place[0]} is gone: run `weighbridge audit verify`")
    return found


def _context(db: Connection, chosen: Sequence[Life], entries: Sequence[Entry]) -> Iterable[Placed]:
    """Who was paired; the policies that decided: stored, and brought into force; for what is gone, the plan
    of its disposal, with approvals and certificate."""
    p, o = s.pairs.c, s.policies.c
    numbers = {life.pair for life in chosen} - {0}
    for row in db.execute(select(p.lane, p.entry).where(p.id.in_(numbers)).order_by(p.id)):
        yield _entry(db, (row.lane, row.entry))
    judged = [entry for entry in entries if entry.kind == "message:judged" and entry.facts.get("policies")]
    hashes = {str(one) for entry in judged for one in _hashes(entry)}
    for row in db.execute(select(o.lane, o.entry).where(o.hash.in_(hashes)).order_by(o.lane, o.entry)):
        yield _entry(db, (row.lane, row.entry))
    yield from _activations(db, judged)
    gone = {f"disposal/{one.facts['disposal']}" for one in entries if one.kind == "record:disposed"}
    le = s.ledger.c
    plans = select(le.lane, le.seq, le.entry, le.leaf).where(le.subject.in_(gone))
    yield from (tuple(row) for row in db.execute(plans.order_by(le.lane, le.seq)) if gone)


def _activations(db: Connection, judged: Sequence[Entry]) -> Iterable[Placed]:
    """For each verdict the last time before it that its policies came into force."""
    le = s.ledger.c
    query = select(le.lane, le.seq, le.entry, le.leaf).where(le.subject == "policy").order_by(le.lane, le.seq)
    said = [(testimony(row.lane, row.seq, row.entry), tuple(row)) for row in db.execute(query)]
    said = [one for one in said if one[0].kind == "policy:activated"]
    for entry in judged:
        before = [
            placed for act, placed in said if act.at <= entry.at and set(_hashes(act)) == set(_hashes(entry))
        ]
        yield from before[-1:]


def _hashes(entry: Entry) -> Sequence[str]:
    found = entry.facts["policies"]
    return found if isinstance(found, list) else []


def _exhibit(db: Connection, placed: Placed, said: Checkpoint, subtree: Subtrees) -> Exhibit:
    lane, seq, data, _ = placed
    if seq >= said.size:
        raise Conflict(f"no checkpoint covers entry {lane}/{seq} yet: the daemon signs one within a minute.")
    path = prove_inclusion(seq, said.size, subtree)
    if not includes(said.root, said.size, seq, leaf_hash(data), path):
        raise StoreError(BROKEN)
    c = s.content.c
    row = db.execute(select(c.salt, c.body, c.raw).where(c.lane == lane, c.seq == seq)).first()
    if row is None or row.body is None:
        return Exhibit(data, tuple(path))
    if digest_of(row.salt, row.body, row.raw or b"") != testimony(lane, seq, data).digest:
        raise StoreError(f"the content of entry {lane}/{seq} is not what was archived; {BROKEN}")
    return Exhibit(data, tuple(path), row.salt, row.body, row.raw or b"")


# --- checkpoints ----------------------------------------------------------------------------------------


def _newest(db: Connection, keys: Sequence[Verifier], lane: int) -> tuple[str, Checkpoint]:
    kept = checkpoints.newest(db, lane)
    if kept is None:
        raise Conflict("nothing has been signed yet: the daemon does so when it starts.")
    return kept[1], _said(kept[1], keys, lane)


def _said(note: str, keys: Sequence[Verifier], lane: int) -> Checkpoint:
    try:
        return verified(note, keys)
    except ValueError as error:
        raise Conflict(
            f"a checkpoint of lane {lane} {error}; --key names the file of a public key."
        ) from None


def _lane(
    db: Connection, keys: Sequence[Verifier], lane: int, note: str, said: Checkpoint, subtree: Subtrees
) -> Lane:
    stamps = _stamps(db, lane, said.size)
    earlier = []
    for size in thinned(_sizes(db, lane, said.size), stamps):
        was = checkpoints.note_of(db, lane, size) or ""
        old = _said(was, keys, lane)
        path = prove_consistency(size, said.size, subtree)
        if old.origin != said.origin:
            continue  # signed under another name: its log is another
        if not consistent(size, old.root, said.size, said.root, path):
            raise StoreError(f"the checkpoint of {size} entries is of another history; {BROKEN}")
        earlier.append((size, was, tuple(path)))
    here = {said.size, *(size for size, _, _ in earlier)}
    return Lane(lane, said.size, note, tuple(earlier), {n: stamp for n, stamp in stamps.items() if n in here})


def _sizes(db: Connection, lane: int, below: int) -> list[int]:
    c = s.checkpoints.c
    query = select(c.size).where(c.lane == lane, c.size < below, c.size > 0).order_by(c.size)
    return list(db.execute(query).scalars())


def _stamps(db: Connection, lane: int, upto: int) -> Mapping[int, bytes]:
    """Time stamps of somebody else's (RFC 3161 tokens are DER) by the size of the checkpoint."""
    found = checkpoints.answers(db, lane, 0, upto)
    return {one.size: one.answer for one in found if one.answer.startswith(b"\x30\x82")}


def thinned(sizes: Sequence[int], stamped: Iterable[int] = (), most: int = EARLIER) -> list[int]:
    """At most `most` of `sizes`, in order: the last stamped ones, the first, and the last ones in doubling
    steps, so that whoever kept any checkpoint finds one near it."""
    if len(sizes) <= most:
        return list(sizes)
    kept = set(sorted(set(stamped) & set(sizes))[-(most // 2) :])
    steps = [1 << step for step in range(most)]
    kept |= {sizes[0]} | {sizes[-step] for step in steps if step <= len(sizes)}
    return sorted(kept)[-most:]


def sign_uncovered(tx: Tx, signer: Signer, numbers: Sequence[int]) -> None:
    """Sign the tree of every lane whose newest checkpoint does not cover all that is known about these
    messages, as the daemon would within a minute."""
    chosen = lives(tx.db, numbers)
    context = _context(
        tx.db, chosen, [testimony(*_entry(tx.db, one)[:3]) for life in chosen for one in life.places]
    )
    needed: dict[int, int] = {}
    for lane, seq in [*(place for life in chosen for place in life.places), *(one[:2] for one in context)]:
        needed[lane] = max(needed.get(lane, 0), seq)
    for lane, last in needed.items():
        kept, head = checkpoints.newest(tx.db, lane), checkpoints.head(tx.db, lane)
        if head is not None and (kept is None or kept[0] <= last):
            checkpoints.keep(tx, lane, head[0], signer.sign(lane, *head), tx.epochs[lane])


# --- the making is an act of its own --------------------------------------------------------------------


def record_made(
    tx: Tx,
    lane: int,
    making: Making,
    counts: Mapping[str, int],
    digest: str,
    blacked: Sequence[str],
    numbers: Sequence[int],
    left_out: Sequence[int] = (),
) -> None:
    """Write down who made which package of which messages, and why: its digest is in the entry, so that the
    firm can say of any package whether it is one that it made. `left_out` are those of `numbers` that are not
    in a client's copy, because he neither wrote nor saw them."""
    body = {
        "person": making.person,
        "reason": making.reason,
        "case": making.case,
        "query": making.query,
        "asks": making.asks,
        "numbers": str(Numbers(numbers)),
        "left_out": str(Numbers(left_out)),
        "counts": dict(counts),
        "black_out": list(blacked),
    }
    tx.append(
        lane, "evidence:made", "evidence", {"messages": counts["messages"], "sha256": digest}, dump(body)
    )
