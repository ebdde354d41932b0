"""What follows from a verdict beside the message's own way: consent asked and given, staff told, texts said,
samples noted.

Rules of this file: every function takes the `Rulings` under way and works in its transaction. Nothing that
staff are told has a word of what was written. What is said once is said once per transaction that commits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, insert, literal_column, select

from bridge import words
from bridge.flow import MessageState
from bridge.message import SYMPHONY, WEIXIN, Annotation, Outcome, Route, Verdict
from bridge.ports import DIRECT, Ruling
from bridge.store import schema as s
from bridge.store.codec import dump
from bridge.store.context import STAFF, client_of
from bridge.store.prepared import Prepared
from bridge.store.rows import close_review, set_message, states_in, upserting

if TYPE_CHECKING:
    from bridge.store.judging import Rulings

QUIET = 600_000
"""Staff are told of the same rules in the same conversation at most this often (milliseconds)."""


# --- texts that are said --------------------------------------------------------------------------------


def remember_said(work: Rulings, network: str, conversation: str, annotations: Sequence[Annotation]) -> None:
    """Note which texts of the firm's the reader in this conversation has been shown now."""
    _remember(work, network, conversation, [one.key for one in annotations])


def _remember(work: Rulings, network: str, conversation: str, keys: Sequence[str]) -> None:
    rows = [{"network": network, "conversation": conversation, "key": k, "at": work.tx.now} for k in keys]
    if rows:
        _SAY.many(work.tx.db, rows)


_SAY = upserting(
    s.said,
    ("network", "conversation", "key", "at"),
    ("network", "conversation", "key"),
    at=lambda new: new.at,
)
_LAST_SAID = Prepared(
    select(s.said.c.at).where(
        s.said.c.network == bindparam("b_network"),
        s.said.c.conversation == bindparam("b_conversation"),
        s.said.c.key == bindparam("b_key"),
    )
)


# --- staff ----------------------------------------------------------------------------------------------


def tell_staff(work: Rulings, ruling: Ruling) -> None:
    """Tell whoever the rules name that they acted: which message, which rules, where to look; no text."""
    verdict, message = ruling.verdict, ruling.archived.message
    rules = ", ".join(sorted({f"{one.policy}/{one.rule}" for one in verdict.matches if one.enforced}))
    key = verdict.outcome.value if verdict.outcome in (Outcome.HOLD, Outcome.BLOCK) else "pass"
    for address in verdict.notify:
        said = f"{STAFF}{work.tx.vault.token(address)}: {rules}"
        if _quiet(work, message.network, message.conversation, said):
            continue
        number = ruling.archived.seq
        text = words.staff(key, work.language(SYMPHONY), number, rules, verdict.queue)
        work.notice(number, SYMPHONY, DIRECT + address, text)


def _quiet(work: Rulings, network: str, conversation: str, key: str) -> bool:
    """Whether this was said a short while ago; if not, it is noted as said now."""
    look = {"b_network": network, "b_conversation": conversation, "b_key": key}
    last = _LAST_SAID.one(work.tx.db, look).scalar()
    if last is not None and last > work.tx.now - QUIET:
        return True
    _remember(work, network, conversation, [key])
    return False


# --- consent --------------------------------------------------------------------------------------------

_KEEP_CONSENT = upserting(
    s.consents,
    ("gate", "contact", "lane", "asked_at", "given_at", "entry"),
    ("contact", "gate"),
    asked_at=lambda new: new.asked_at,
    given_at=lambda new: new.given_at,
    entry=lambda new: new.entry,
)

ASKED = "asked:"
"""How the key begins under which it is kept that a client was asked something (its digest follows)."""


def ask_client(work: Rulings, ruling: Ruling) -> None:
    """Ask the client what the closed gates ask: once, and again only when an answer has been given since."""
    archived, ask = ruling.archived, ruling.verdict.ask
    contact = client_of(archived.message, archived.route)
    if not ask or not contact:
        return
    gate = ASKED + hashlib.sha256(dump(dict(ask))).hexdigest()[:16]
    c = s.consents.c
    rows = work.tx.db.execute(select(c.gate, c.asked_at, c.given_at).where(c.contact == contact)).all()
    asked = max((row.asked_at for row in rows if row.gate == gate), default=0)
    if asked and asked > max(row.given_at for row in rows):
        return
    _consent(work, archived.seq, "consent:asked", gate, contact)
    text = words.chosen(ask, _clients_language(archived.route))
    work.notice(archived.seq, WEIXIN, contact, text)


def _clients_language(route: Route | None) -> str:
    ends = (route.sender, route.recipient) if route else ()
    return next((end.language for end in ends if end.network == WEIXIN), "zh-Hans")


def agree(work: Rulings, ruling: Ruling) -> None:
    """The client has agreed to these gates: what was held for nothing else is judged again, in order."""
    archived = ruling.archived
    contact = client_of(archived.message, archived.route)
    if not contact:
        return
    work.write()
    for gate in ruling.verdict.agreed:
        _consent(work, archived.seq, "consent:given", gate, contact)
    for number in work.tx.db.execute(_held_for_consent(contact)).scalars().all():
        facts = {"message": number, "by": archived.seq}
        entry = work.tx.append(work.lane, "hold:lifted", f"message/{number}", facts)
        close_review(work.tx, number, "lifted", entry)
        set_message(work.tx, number, MessageState.HELD, "lift")


def _consent(work: Rulings, number: int, kind: str, gate: str, contact: str) -> None:
    body = dump({"gate": gate, "contact": contact})
    entry = work.tx.append(work.lane, kind, f"message/{number}", {"message": number}, body)
    now, given = work.tx.now, kind == "consent:given"
    row = {"gate": gate, "contact": contact, "lane": work.lane, "entry": entry}
    _KEEP_CONSENT.one(work.tx.db, row | {"asked_at": 0 if given else now, "given_at": now if given else 0})


def _held_for_consent(contact: str) -> object:
    r = s.reviews.c
    return (
        select(r.message)
        .join(s.messages, s.messages.c.id == r.message)
        .join(s.pairs, s.pairs.c.id == s.messages.c.pair)
        .where(states_in(r.state, "open"), r.gated == literal_column("1"), s.pairs.c.contact == contact)
        .order_by(r.message)
    )


# --- samples --------------------------------------------------------------------------------------------

_INSERT_SAMPLE = Prepared(
    insert(s.samples), ("message", "key", "verdict", "day", "queue", "percent", "state")
)


def note_samples(work: Rulings, number: int, verdict: int, samples: Verdict) -> None:
    """Note that a delivered message may be drawn for review when its day is over."""
    day = datetime.fromtimestamp(work.tx.now / 1000, UTC).date().isoformat()
    for one in samples.samples:
        row = {"message": number, "key": one.key, "verdict": verdict, "day": day, "queue": one.queue}
        work.samples.append(row | {"percent": f"{one.percent:g}", "state": "eligible"})


def insert_samples(work: Rulings) -> None:
    """Write the samples that were noted; their messages and verdicts are there by now."""
    if work.samples:
        _INSERT_SAMPLE.many(work.tx.db, work.samples)
        work.samples.clear()
