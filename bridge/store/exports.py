"""Exports in the record: who began one, what was handed over, what was refused; and the proofs that go along.

Rules of this file: what is asked for and why is content and stands sealed; the entry has counts and digests,
so that the firm can say of any manifest whether it is one of its own. A proof leaves only after it was
verified here.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Connection, and_, select

from bridge.errors import Damaged
from bridge.evidence.disclosure import EVERYTHING, RAW, Disclosure
from bridge.evidence.exhibits import Exhibit
from bridge.evidence.package import record
from bridge.ledger.checkpoint import Signer
from bridge.ledger.content import digest_of
from bridge.ledger.proofs import includes, prove_inclusion
from bridge.ledger.tree import leaf_hash
from bridge.records.exports.numbers import numbers_of
from bridge.records.transcript import Line
from bridge.search.document import Span
from bridge.store import checkpoints
from bridge.store import schema as s
from bridge.store.codec import dump
from bridge.store.looks import SUBJECT as LOOKED
from bridge.store.looks import Looker, Search
from bridge.store.proving import Subtrees, testimony
from bridge.store.rows import chunks
from bridge.store.vault import if_whole
from bridge.store.writer import Tx

SUBJECT = "export"
BEGUN, MADE, REFUSED = "export:begun", "export:made", "export:refused"

_FAMILY = 256
_SHARED = 1 << 15
"""Hashes of subtrees that are remembered, in each lane."""
_SHOWN = Disclosure(frozenset({RAW}))
"""What of a message's record goes along: every field, and of the bytes that the network sent their hash."""
_VEILED = Disclosure(EVERYTHING)
"""The same of a message whose record says more than its reader may know."""


@dataclass(frozen=True, slots=True)
class State:
    """The record as an export sees it: by lane, size, root and signed checkpoint; `at` is the time of the
    newest entry in it, in milliseconds."""

    at: int
    lanes: Mapping[int, tuple[int, bytes, str]]

    def has(self, lane: int, seq: int) -> bool:
        """Whether an entry is part of it."""
        return lane in self.lanes and seq < self.lanes[lane][0]


def begin(tx: Tx, lane: int, looker: Looker, query: str, signer: Signer) -> State:
    """Sign the record as it stands, and write down that somebody is about to be handed what a query finds."""
    state = _signed(tx, signer)
    go_on(tx, lane, looker, query)
    return state


def go_on(tx: Tx, lane: int, looker: Looker, query: str) -> None:
    """Write down that somebody is about to be handed what a query finds, or the rest of it."""
    look = asdict(looker) | asdict(Search("export", query, 0, indexed=False))
    tx.append(lane, BEGUN, LOOKED, {}, dump(look))


def _signed(tx: Tx, signer: Signer) -> State:
    lanes, times = {}, [0]
    for number, epoch in tx.epochs.items():
        size, root = checkpoints.head(tx.db, number) or (0, b"")
        if not size:
            continue
        note = checkpoints.note_of(tx.db, number, size)
        if note is None:
            note = signer.sign(number, size, root)
            checkpoints.keep(tx, number, size, note, epoch)
        lanes[number] = size, root, note
        times.append(_entries(tx.db, number, [size - 1])[size - 1][1].at)
    return State(max(times), lanes)


def record_made(tx: Tx, lane: int, looker: Looker, facts: Mapping[str, Any], body: Mapping[str, Any]) -> None:
    """Write down that an export is whole: `facts` are id, format, counts and the digest of its manifest,
    `body` has the rest. One that was written down already is not written again."""
    if any(one["id"] == facts["id"] and one["sha256"] == facts["sha256"] for one in made(tx.db)):
        return
    tx.append(lane, MADE, f"{SUBJECT}/{facts['id']}", dict(facts), dump(asdict(looker) | dict(body)))


def record_refused(tx: Tx, lane: int, looker: Looker, region: str, body: Mapping[str, Any]) -> None:
    """Write down that an export was refused, because records may not leave their region."""
    tx.append(lane, REFUSED, SUBJECT, {"region": region}, dump(asdict(looker) | dict(body)))


# --- read again -----------------------------------------------------------------------------------------


def made(db: Connection) -> Iterator[dict[str, Any]]:
    """Every export that was made or refused, the newest first."""
    le, c = s.ledger.c, s.content.c
    query = (
        select(le.lane, le.seq, le.entry, le.leaf, c.body)
        .outerjoin(s.content, and_(c.lane == le.lane, c.seq == le.seq))
        .where(le.subject >= SUBJECT, le.subject < f"{SUBJECT}0")
        .order_by(le.seq.desc(), le.lane)
        .execution_options(yield_per=_FAMILY)
    )
    with db.execute(query) as rows:
        for row in rows:
            entry = testimony(row.lane, row.seq, row.entry)
            said = orjson.loads(row.body) if row.body else {}
            yield {
                "at": entry.at,
                "kind": entry.kind,
                "id": entry.facts.get("id", ""),
                "format": entry.facts.get("format", said.get("format", "")),
                "messages": entry.facts.get("messages", 0),
                "excluded": entry.facts.get("excluded", 0),
                "sha256": entry.facts.get("sha256", ""),
                **{name: said.get(name, "") for name in _SAID},
                "copy": said.get("copy", False),
                "exclusions": said.get("exclusions", {}),
                "disposed": said.get("disposed", ""),
                "lane": entry.lane,
                "seq": entry.seq,
                "leaf": row.leaf.hex(),
            }


_SAID = (
    *("person", "reason", "case", "query", "profile", "region", "approval", "client", "numbers", "place"),
)


def exports_of(db: Connection, number: int) -> list[dict[str, Any]]:
    """The exports that message `number` went out with, the oldest first."""
    found = (one for one in made(db) if one["kind"] == MADE and number in numbers_of(one["numbers"]))
    return list(found)[::-1]


def gone(db: Connection, state: State, span: Span) -> Iterator[int]:
    """The messages of a span that were disposed of: nothing is known of them any more but when they were
    archived, so that no query finds them, and an export says that they were there."""
    m, g = s.messages.c, s.disposed.c
    query = select(m.id, m.lane, m.entry).join(s.disposed, g.message == m.id).order_by(m.id)
    for since, column in ((span.since, m.archived_at), (span.first, m.id)):
        query = query.where(column >= since) if since else query
    query = query.where(m.archived_at < span.until) if span.until else query
    query = query.where(m.id <= span.last) if span.last else query
    return (row.id for row in db.execute(query) if state.has(row.lane, row.entry))


# --- proofs ---------------------------------------------------------------------------------------------


class Prover:
    """Proofs that messages are in the record as an export sees it."""

    def __init__(self, db: Connection, state: State) -> None:
        self.db, self.state = db, state
        # Neighbours share nearly the whole way to the root.
        self._trees = {lane: lru_cache(_SHARED)(Subtrees(db, lane)) for lane in state.lanes}

    def lines(self, chosen: Sequence[Line], veiled: Container[int] = ()) -> Iterator[bytes]:
        """A line of JSON for each message, in the order of numbers: its entry, the path to the root, its
        content field by field, of the `veiled` ones the hash of each.

        Raises Damaged when the record does not prove it.
        """
        ordered = sorted(chosen, key=lambda line: line.number)
        for page in chunks(ordered, _FAMILY):
            for lane in sorted({one.lane for one in page}):
                mine = [one for one in page if one.lane == lane]
                entries = _entries(self.db, lane, [one.entry for one in mine])
                contents = _contents(self.db, lane, [one.entry for one in mine])
                for one in mine:
                    exhibit = self._exhibit(lane, one, entries, contents)
                    disclosure = _VEILED if one.number in veiled else _SHOWN
                    shown = {"message": one.number, "lane": lane, **record(exhibit, disclosure)}
                    yield orjson.dumps(shown) + b"\n"

    def _exhibit(
        self, lane: int, line: Line, entries: Mapping[int, Any], contents: Mapping[int, Any]
    ) -> Exhibit:
        size, root, _ = self.state.lanes[lane]
        if line.entry not in entries:
            raise Damaged(f"message {line.number} has no entry: run `weighbridge audit verify`")
        data, entry = entries[line.entry]
        path = tuple(prove_inclusion(line.entry, size, self._trees[lane]))
        if not includes(root, size, line.entry, leaf_hash(data), path):
            raise Damaged(f"the record does not prove message {line.number}: run `weighbridge audit verify`")
        row = contents.get(line.entry)
        if line.gone or row is None or row.body is None:
            return Exhibit(data, path)
        if digest_of(row.salt, row.body, row.raw or b"") != entry.digest:
            raise Damaged(f"message {line.number} is not what was archived: run `weighbridge audit verify`")
        return Exhibit(data, path, row.salt, row.body, row.raw or b"")


def _entries(db: Connection, lane: int, seqs: Iterable[int]) -> dict[int, tuple[bytes, Any]]:
    le = s.ledger.c
    rows = db.execute(select(le.seq, le.entry).where(le.lane == lane, le.seq.in_(list(seqs))))
    return {row.seq: (row.entry, testimony(lane, row.seq, row.entry)) for row in rows}


def _contents(db: Connection, lane: int, seqs: Iterable[int]) -> dict[int, Any]:
    c = s.content.c
    columns = (c.seq, c.salt, if_whole(c.body).label("body"), if_whole(c.raw).label("raw"))
    query = select(*columns).where(c.lane == lane, c.seq.in_(list(seqs)))
    return {row.seq: row for row in db.execute(query)}
