"""What a permit is bound to: one message as it was archived and judged, and one place to say it.

Rules of this file: the entry that made a permit is the measure, never a row. Each such entry has seals over
everything that decides what goes where, under a key that the database does not have; so whoever changes rows,
or entries, can stop a delivery, and can not send anything elsewhere, or anything else. That it went out is
written in entries, which can be taken away: what the process itself remembers is in `uses`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, literal_column, select

from bridge.ledger.entry import Entry, recall
from bridge.store import schema as s
from bridge.store.prepared import Prepared
from bridge.store.vault import Vault

PERMITTED = "delivery:permitted"
WENT = ("delivery:sent", "delivery:found")
"""Kinds of entries by which the network has something: a permit is spent with the first of them."""

ALTERED, SPENT, UNPERMITTED = "altered", "spent", "unpermitted"
STOPPED = (ALTERED, SPENT, UNPERMITTED)
"""Why a delivery was stopped before it went out: its row is not as it was permitted; the network has it by
that permit already; nobody ever permitted it."""


class Letter(NamedTuple):
    """What goes where: a message, the places in the ledger where it was archived and judged, the verdict's
    number, the network and conversation (as the tables name it), and the marks that it is shown with."""

    message: int
    archived: int
    verdict: int
    judged: int
    network: str
    conversation: str
    marks: str = ""


def seal_of(vault: Vault, permit: str, letter: Letter) -> str:
    """What the entry of a permit has of its letter: the same each time, and nothing to whoever has no key."""
    number, archived, _, judged, network, chat, marks = letter
    return vault.bound(permit, number, archived, judged, marks, network, chat)


_d, _e, _f = s.deliveries.c, s.ledger.c, s.files.c
_ABOUT = _e.subject == "delivery/" + _d.permit
_ENTRY = select(_e.entry).where(_ABOUT).limit(literal_column("1")).correlate(s.deliveries)
_ENTRIES = select(func.count()).select_from(s.ledger).where(_ABOUT).correlate(s.deliveries)

BESIDE = (
    s.messages.c.entry.label("archived"),
    s.verdicts.c.entry.label("judged"),
    _ENTRY.scalar_subquery().label("permitted"),
    _ENTRIES.scalar_subquery().label("entries"),
)
"""What a query of deliveries, with their messages and verdicts, has to have as well for `objection`."""

_STORY = Prepared(select(_e.entry).where(_e.subject == bindparam("b_subject")).order_by(_e.lane, _e.seq))


_FILES = Prepared(
    select(_f.n, _f.digest, _f.size)
    .where(_f.message == bindparam("b_message"), _f.state == literal_column("'archived'"))
    .order_by(_f.n)
)


def enclosures(db: Connection, number: int) -> str:
    """What goes out with message `number` beside its words, as the rows of its attachments say: of each that
    is in the archive its place in the message, digest and size."""
    return listed(_FILES.look(db, {"b_message": number}))


def enclosures_testified(db: Connection, number: int) -> str:
    """The same as the ledger says: what a permit is sealed for. Where that cannot be read, nothing that any
    rows say: what is permitted then is stopped before it goes out."""
    try:
        said = [_entry(entry) for (entry,) in _STORY.look(db, {"b_subject": f"message/{number}"})]
        filed = [entry.facts for entry in said if entry.kind == "file:archived"]
        return listed(sorted((one["file"], one["sha256"], one["size"]) for one in filed))
    except (ValueError, LookupError, TypeError):
        return "unreadable"


def listed(files: Iterable[tuple[Any, Any, Any]]) -> str:
    """Attachments as a permit is sealed for them: place, digest and size of each."""
    return " ".join(f"{n}:{digest}:{size}" for n, digest, size in files)


def letter_of(row: Any) -> Letter:
    """The letter that a row of `deliveries` stands for, read with the places of its message and verdict."""
    return Letter(
        row.message, row.archived, row.verdict, row.judged, row.network, row.conversation, row.marks
    )


def story(db: Connection, row: Any) -> list[Entry]:
    """The entries about a delivery (a row with `BESIDE`) in their order: one, until somebody tries.

    Raises ValueError when one of them cannot be read."""
    if row.entries == 1:
        return [_entry(row.permitted)]
    return [_entry(entry) for (entry,) in _STORY.look(db, {"b_subject": f"delivery/{row.permit}"})]


def _entry(data: bytes) -> Entry:
    entry = recall(data)
    if type(entry.facts) is not dict:
        raise ValueError("not a ledger entry: its facts are none")
    return entry


def names_files(db: Connection, row: Any) -> bool:
    """Whether a permit (a row with `BESIDE`) is sealed for attachments: each of a message that has any is."""
    return "files" in story(db, row)[0].facts


def objection(db: Connection, vault: Vault, row: Any) -> str:
    """Why what a row of `deliveries` (with `BESIDE`) stands for may not be sent, one of `STOPPED`; "" when it
    is as it was permitted, and has not gone out. (A late failure is sent anew by another permit.)"""
    try:
        said = story(db, row)
    except ValueError:
        return ALTERED
    if not said or said[0].kind != PERMITTED:
        return UNPERMITTED
    facts = said[0].facts
    if facts.get("bound") != seal_of(vault, row.permit, letter_of(row)):
        return ALTERED
    if "files" in facts and facts["files"] != vault.enclosed(row.permit, enclosures(db, row.message)):
        return ALTERED
    return SPENT if any(entry.kind in WENT for entry in said) else ""
