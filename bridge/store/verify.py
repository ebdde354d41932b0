"""Everything read again, through another door: does the record still say what it said?

Rules of this file: it shares nothing with the modules that write, neither statements nor decoding, only the
definitions of the ledger and of the envelope (`bridge.ledger`, `bridge.sealing`). It reads in chunks, so that
memory does not grow with the history, and in one transaction, so that a daemon may go on writing beside it.
It never stops at the first finding.

What is checked, and against what:

    ledger     canonical form, no gap, leaf = hash of the entry, columns = the entry
    heads      the tree over all leaves, recomputed; one head at least wherever the time moves on
    nodes      the root of every complete subtree at every fourth level, and no other
    lanes      size, right edge, epoch
    content    opens with its key; the salted digest in its entry; none without an entry, nor the reverse
    store_keys their entries; opened by the master key
    data_keys, file_keys    one for every record and attachment, none for anything else
    checkpoints, anchors   signatures; the tree of that size has that root; none is gone (`attestation`)
    witnessed  time stamps: of the checkpoint, by an authority below one of the roots
    messages   their archived entry and body; state = what the entries say became of them; pair; no number is
               missing between two others
    disposals, disposal_list, disposed    whatever is gone: by which entry, list and approvals (`absence`)
    files      their entries; the blob on the disk has the size and SHA-256 that was archived
    terms      the longest that any entry gave; holds: everything that was done with them
    verdicts, reviews, deliveries, receipts, pairs, changes, meta (policy, pairs, frozen): their entries
    policies   their entries; the bytes in the archive have the hash

and for each delivery that it was permitted after it was judged after it was archived (invariant 1).

Not evidence, and not checked, because moving things needs it and nothing is proven by it: the tables
`cursors`, `chats` and `said`, who holds a lease until when, settings in `meta`, and the columns in
`OPERATIONAL`.
Not visible from inside: a tail cut off together with its heads, right edge, checkpoints and rows, and a
history rewritten from some entry on with every hash after it, signed anew. Against both stand checkpoints
that were left outside, in places that whoever did it cannot reach. A blob without an entry is no finding: a
crash between keeping an attachment and recording it leaves one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from bridge.flow import TESTIFIED
from bridge.ledger.checkpoint import Verifier
from bridge.ledger.entry import Entry, decode
from bridge.ports import KeyKeeper
from bridge.sealing import FILE_MARK, SEALED_PIECE, Broken, sealed_size, unseal_piece
from bridge.store.absence import STAYING, Absences, check_disposals
from bridge.store.gathering import Anchored
from bridge.store.growth import Growth, check_tree, lanes_of, runs
from bridge.store.opened import Contents, words
from bridge.store.provenance import check_changes, check_policies
from bridge.store.reread import (
    CHUNK,
    AnyRow,
    Body,
    Comparison,
    Finding,
    Summary,
    Work,
    as_bytes,
    number,
    parsed,
)
from bridge.store.schema import metadata
from bridge.store.stamps import check_stamps
from bridge.store.testimony import (
    ARCHIVED,
    DELIVERIES,
    Deliveries,
    Messages,
    check_archived,
    check_consents,
    check_draws,
    check_legal,
    check_pairs,
    gone,
    number_of,
)

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["OPERATIONAL", "WHILE_OPEN", "Finding", "Summary", "verify", "verify_tree"]

OPERATIONAL: Mapping[str, frozenset[str]] = {
    "lanes": frozenset({"owner", "lease_until"}),
    "files": frozenset({"attempt", "next_at"}),
    "deliveries": frozenset({"next_at", "epoch", "uncertain", "first_try_at", "above"}),
    "reviews": frozenset({"marked"}),
    "copies": frozenset({"since", "upto", "attempt", "next_at", "reason", "held", "until"}),
}
"""Columns of the evidence tables that say how to go on, not what happened."""

WHILE_OPEN = frozenset({"attempt", "reason"})
"""Columns of deliveries that are operational too, until a delivery has ended."""


def verify(
    db: Connection,
    blobs: Path,
    found: Callable[[Finding], None],
    progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    keeper: KeyKeeper | None = None,
    keys: Sequence[Verifier] = (),
    anchors: Sequence[Anchored] = (),
    tsa_roots: Sequence[Certificate] = (),
) -> Summary:
    """Check the store behind `db` and the attachments under `blobs`, and every checkpoint, with these `keys`.

    What is sealed is opened with the master key of `keeper`, or of the store behind `db` as it was opened.
    Without it everything but what people wrote is checked all the same, and the summary says so (`unread`).
    `anchors` are checkpoints outside the database, gathered before its transaction began; time stamps have to
    lead to `tsa_roots`.

    Each finding is handed to `found` as it comes up; `progress` is told how many rows of how many are done.
    Raises DatabaseError when the file is so damaged that nothing more can be read, after a finding says so.
    """
    vault = getattr(db.dialect, "vault", None)
    work = Work(db, blobs, found, progress, keeper or (vault and vault.keeper), keys, anchors)
    work.summary.unread = work.opener.missing
    _file_itself(work)
    _tables(work)
    _strangers(work)
    work.total = work.count("ledger") + work.count("messages") + work.count("deliveries")
    absences = Absences(work)
    for lane in lanes_of(work):
        _Lane(work, lane, absences).check()
    check_stamps(work, tsa_roots)
    _orphans(work)
    _store_keys(work)
    check_pairs(work)
    check_consents(work)
    check_draws(work)
    check_legal(work)
    check_policies(work)
    check_changes(work)
    check_disposals(work)
    _meta(work)
    _verdict_numbers(work)
    for rows in work.chunks("SELECT * FROM messages WHERE id > :after ORDER BY id LIMIT :chunk"):
        Messages(work, rows).check()
    for rows in work.chunks(DELIVERIES):
        Deliveries(work, rows, absences).check()
    _blobs(work)
    return work.summary


def verify_tree(
    db: Connection,
    found: Callable[[Finding], None],
    progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    keys: Sequence[Verifier] = (),
    anchors: Sequence[Anchored] = (),
) -> Summary:
    """Check the trees of the store behind `db` and their checkpoints, and nothing else: leaves are the hashes
    of their entries, which lie under their own subjects, none is missing, roots are as they were kept and
    signed. Needs no master key."""
    work = Work(db, Path(), found, progress, None, keys, anchors)
    _tables(work)
    check_tree(work)
    return work.summary


def _file_itself(work: Work) -> None:
    if work.db.dialect.name != "sqlite":
        return
    try:
        answers = [answer for (answer,) in work.db.exec_driver_sql("PRAGMA integrity_check(100)")]
    except DatabaseError as error:
        answers = [str(error.orig)]
    for answer in answers:
        if answer != "ok":
            work.report("the database file", "", "", f"SQLite finds it damaged: {answer}")


def _tables(work: Work) -> None:
    for table in sorted(work.gone):
        work.report(table, "", "", "the whole table is gone, with everything that was in it")


_STRANGERS = {
    "sqlite": "SELECT type, name, tbl_name FROM sqlite_master WHERE type IN ('table', 'view', 'trigger') "
    "AND name NOT LIKE 'sqlite@_%' ESCAPE '@'",
    "postgresql": "SELECT 'trigger', t.tgname, c.relname FROM pg_trigger t "
    "JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE NOT t.tgisinternal AND n.nspname = current_schema() "
    "UNION ALL SELECT 'rule', rulename, tablename FROM pg_rules WHERE schemaname = current_schema()",
}
"""What stands in the database beside rows: SQLite's tables, views and triggers; PostgreSQL's triggers and
rules (it may have tables for others' sake)."""


def _strangers(work: Work) -> None:
    """What somebody else has put there could change what is written, or answer in its place."""
    ours = {*metadata.tables, "alembic_version"}
    for kind, name, table in work.db.exec_driver_sql(_STRANGERS[work.db.dialect.name]):
        if kind != "table" or name not in ours:
            place = table if table in ours else name
            work.report(place, "", "", f"the {kind} {name} is none of this program's: find out who made it")


# --- the ledger -----------------------------------------------------------------------------------------


class _Lane:
    """One lane's entries, in order, with their content, their tree and the rows that they speak of."""

    def __init__(self, work: Work, lane: int, absences: Absences) -> None:
        self.work, self.lane, self.absences = work, lane, absences
        self.growth = Growth(work, lane)
        self.last_at: int | None = None
        self.destroyed_at = 0
        self.epoch = 0

    def check(self) -> None:
        statement = (
            "SELECT seq AS id, subject, entry, leaf FROM ledger WHERE lane = :lane AND seq > :after "
            "ORDER BY seq LIMIT :chunk"
        )
        for rows in self.work.chunks(statement, lane=self.lane):
            for run in runs(rows):
                self.growth.take(run)
                self._entries(run)
            self.work.tick(len(rows))
        self._end()

    def _entries(self, rows: Sequence[AnyRow]) -> None:
        """What a run of entries says, with the content beside them and the rows that they speak of."""
        contents = Contents(self.work, self.lane, rows[0].id, rows[-1].id)
        entries = [self._decoded(*row) for row in rows]
        archived: dict[int, tuple[Entry, Body | None]] = {}
        gone = self.absences.among(entries)
        for row, entry in zip(rows, entries, strict=True):
            body = self._beside(contents, row.id, entry, gone)
            if entry is None:
                continue
            if entry.at != self.last_at:
                self._time(entry)
            if entry.kind == "disposal:carried-on":
                self.destroyed_at = entry.at
            if entry.kind in ARCHIVED:
                archived[number_of(entry)] = entry, self._words(entry, body)
            elif entry.kind not in ORDINARY:
                self._whole_store(entry, body)
        check_archived(self.work, archived)
        _rows_of(self.work, [entry for entry in entries if entry is not None])

    def _beside(
        self, contents: Contents, seq: int, entry: Entry | None, gone: Mapping[str, Entry | None]
    ) -> bytes | None:
        """The body that stands beside an entry, compared with its digest; none where it was destroyed."""
        if not contents.beside(seq, entry):
            return None
        if entry is None or not entry.digest or entry.subject not in gone:
            return contents.check(seq, entry)
        there = contents.there(seq)
        if there and entry.kind in STAYING:
            return contents.check(seq, entry)
        if there:
            self.work.report("content", self._key(seq), "", "was to be destroyed, and is still there")
        else:
            self.work.summary.absent += 1
        return None

    def _decoded(self, seq: int, subject: object, data: object, _: object) -> Entry | None:
        """The entry in a row: number, subject, entry and leaf."""
        try:
            entry = decode(as_bytes(data))
        except ValueError as error:
            self.work.unreadable.add(data)
            self.work.report("ledger", self._key(seq), "entry", f"cannot be read: {error}")
            return None
        is_, said = (self.lane, seq, subject), (entry.lane, entry.seq, entry.subject)
        if is_ != said:
            columns = zip(("lane", "seq", "subject"), is_, said, strict=True)
            self.work.compare("ledger", self._key(seq), columns, "the entry itself")
        return entry

    def _key(self, seq: int) -> str:
        return f"lane {self.lane} seq {seq}"

    def _words(self, entry: Entry, body: bytes | None) -> Body | None:
        said = words(body)
        if said is None and not self.work.sealed:
            self.work.unopened.add((self.lane, entry.seq))
        return said

    def _whole_store(self, entry: Entry, body: bytes | None) -> None:
        """What single entries say about the store as a whole."""
        if entry.kind == "ledger:opened":
            self.work.lanes = number(entry.facts.get("lanes"))
            self.work.installation = str(entry.facts.get("installation"))
        if "master" in entry.facts or entry.kind == "key:retired":
            _keys(self.work.store_keys, entry)
        if entry.kind == "lane:taken":
            self.epoch = number(entry.facts.get("epoch"))
        elif entry.kind == "policy:activated":
            self.work.policy = body
        elif entry.kind.startswith("legal:"):
            self.work.legal[str(entry.facts.get("hold"))].append(entry)
        elif entry.subject == "house":
            self.work.frozen = f"{entry.lane}/{entry.seq}" if entry.kind == "house:frozen" else ""
        elif entry.kind in ("consent:asked", "consent:given", "sample:drawn"):
            self._by_what_it_says(entry, words(body))
        elif entry.kind.startswith("pair:"):
            self.work.pair_acts += 1
            if entry.kind == "pair:ended":
                self.work.pair_ended[number(entry.facts.get("pair"))] = entry

    def _by_what_it_says(self, entry: Entry, body: Body | None) -> None:
        """Entries whose rows are found by their content."""
        if body is None:
            return  # reported where the content itself is compared
        if entry.kind == "sample:drawn":
            self.work.draws[str(entry.facts.get("day"))] = entry, dict(body)
        else:
            self.work.consents[str(body.get("contact")), str(body.get("gate"))] = entry

    def _time(self, entry: Entry) -> None:
        """Entries of different times were written by different transactions, and each left a head."""
        if self.last_at is not None and entry.seq not in self.growth.heads:
            self.work.report("heads", f"lane {self.lane} size {entry.seq}", "", "is missing")
        self.last_at = entry.at
        if entry.at < self.destroyed_at - SKEW:
            meaning = "the clock was set back after records had been destroyed by it: they went too early"
            self.work.report("ledger", self._key(entry.seq), "entry", meaning)
            self.destroyed_at = entry.at

    def _end(self) -> None:
        growth, work = self.growth, self.work
        growth.end()
        rows = work.rows("SELECT size, frontier, epoch FROM lanes WHERE lane = :lane", lane=self.lane)
        self._tail(max((number(row.size) for row in rows), default=0))
        if not rows:
            work.report("lanes", f"lane {self.lane}", "", "is gone, and the ledger has entries of it")
        for row in rows:
            facts: list[Comparison] = [("size", row.size, growth.next), ("epoch", row.epoch, self.epoch)]
            if growth.whole:
                facts.append(("frontier", as_bytes(row.frontier), growth.frontier.to_bytes()))
            work.compare("lanes", f"lane {self.lane}", facts, "the ledger")

    def _tail(self, size: int) -> None:
        """Entries that the lane counted and that are not there."""
        if size > self.growth.next:
            self.growth.missing(self.growth.next, size - 1)


SKEW = 3_600_000
"""How far the clocks of several machines may be apart, in milliseconds."""

ORDINARY = frozenset({"message:judged", "delivery:permitted", "delivery:sent"})
"""Kinds of most entries, which say nothing about the store as a whole."""


def _rows_of(work: Work, entries: Sequence[Entry]) -> None:
    """Every row that these entries speak of must be there."""
    for kinds, table, column, name in _NAMED:
        named = {name(entry): entry for entry in entries if entry.kind in kinds}
        if named:
            statement = f"SELECT {column} FROM {table} WHERE {column} IN :names"
            gone(work, table, column, named, set(work.column(statement, names=list(named))))


_NAMED: tuple[tuple[Collection[str], str, str, Callable[[Entry], Any]], ...] = (
    (TESTIFIED.keys(), "deliveries", "permit", lambda entry: entry.subject.partition("/")[2]),
    ({"pair:made"}, "pairs", "id", lambda entry: number(entry.facts.get("pair"))),
    ({"policy:stored"}, "policies", "hash", lambda entry: str(entry.facts.get("sha256"))),
    ({"policy:proposed"}, "changes", "id", lambda entry: number(entry.facts.get("change"))),
    ({"record:disposed"}, "disposed", "message", lambda entry: number(entry.facts.get("message"))),
    ({"disposal:planned"}, "disposals", "id", lambda entry: number(entry.facts.get("disposal"))),
    ({"erasure:asked"}, "erasures", "id", lambda entry: number(entry.facts.get("erasure"))),
)
"""Kinds of entries that speak of a row; its table, its key there, and how an entry names it."""


def _orphans(work: Work) -> None:
    """Rows whose other half is gone, or was never there."""
    for table, key, statement, meaning in _ORPHANS:
        for row in work.rows(statement):
            work.report(table, key.format(*row), "", meaning)


_ORPHANS = (
    (
        "checkpoints",
        "lane {} size {}",
        "SELECT c.lane, c.size FROM checkpoints c LEFT JOIN lanes l ON l.lane = c.lane WHERE l.lane IS NULL",
        "belongs to no lane",
    ),
    (
        "nodes",
        "lane {} level {} n {}",
        "SELECT n.lane, n.level, n.n FROM nodes n LEFT JOIN lanes l ON l.lane = n.lane WHERE l.lane IS NULL",
        "belongs to no lane",
    ),
    (
        "content",
        "lane {} seq {}",
        "SELECT c.lane, c.seq FROM content c LEFT JOIN ledger l ON l.lane = c.lane AND l.seq = c.seq "
        "WHERE l.seq IS NULL",
        "has no entry that testifies to it",
    ),
    (
        "data_keys",
        "lane {} seq {}",
        "SELECT k.lane, k.seq FROM data_keys k LEFT JOIN content c ON c.lane = k.lane AND c.seq = k.seq "
        "WHERE c.seq IS NULL",
        "is the key of nothing",
    ),
    (
        "file_keys",
        "{}",
        "SELECT k.digest FROM file_keys k LEFT JOIN files f ON f.digest = k.digest WHERE f.digest IS NULL",
        "is the key of no attachment",
    ),
    (
        "verdicts",
        "id {}",
        "SELECT v.id FROM verdicts v LEFT JOIN messages m ON m.id = v.message WHERE m.id IS NULL",
        "belongs to no message",
    ),
    (
        "files",
        "message {} n {}",
        "SELECT f.message, f.n FROM files f LEFT JOIN messages m ON m.id = f.message WHERE m.id IS NULL",
        "belongs to no message",
    ),
    (
        "reviews",
        "message {}",
        "SELECT r.message FROM reviews r LEFT JOIN messages m ON m.id = r.message WHERE m.id IS NULL",
        "belongs to no message",
    ),
    (
        "samples",
        "message {} {}",
        "SELECT p.message, p.key FROM samples p LEFT JOIN messages m ON m.id = p.message WHERE m.id IS NULL",
        "belongs to no message",
    ),
    (
        "copies",
        "message {} {}",
        "SELECT c.message, c.destination FROM copies c LEFT JOIN messages m ON m.id = c.message "
        "WHERE m.id IS NULL",
        "belongs to no message",
    ),
    (
        "terms",
        "message {}",
        "SELECT t.message FROM terms t LEFT JOIN messages m ON m.id = t.message WHERE m.id IS NULL",
        "belongs to no message",
    ),
    (
        "receipts",
        "{} {}",
        "SELECT r.network, r.id FROM receipts r LEFT JOIN deliveries d ON d.permit = r.permit "
        "WHERE d.permit IS NULL",
        "belongs to no delivery",
    ),
)


# --- keys -----------------------------------------------------------------------------------------------


def _keys(keys: dict[int, tuple[str, str, int]], entry: Entry) -> None:
    """What an entry says of the store keys: by number, their purpose, master key, and when they were made."""
    master = str(entry.facts.get("master"))
    if entry.kind == "ledger:opened":
        keys |= {1: ("records", master, entry.at), 2: ("tokens", master, entry.at)}
    elif entry.kind == "key:rotated":
        for one, (purpose, _, made_at) in keys.items():
            keys[one] = (purpose, master, made_at)
        keys[number(entry.facts.get("key"))] = ("records", master, entry.at)
    elif entry.kind == "key:retired":
        keys.pop(number(entry.facts.get("key")), None)


def _store_keys(work: Work) -> None:
    """Store keys against the entries that testify to them, and against the master key."""
    rows = {row.id: row for row in work.rows("SELECT * FROM store_keys")}
    for one in sorted(set(rows) | set(work.store_keys)):
        if one not in rows:
            work.report("store_keys", f"id {one}", "", "is gone: what it wraps can never be opened again")
        elif one not in work.store_keys:
            work.report("store_keys", f"id {one}", "", "no entry testifies to it")
        else:
            row, (purpose, master, made_at) = rows[one], work.store_keys[one]
            facts = [("purpose", row.purpose, purpose), ("master", row.master, master)]
            work.compare("store_keys", f"id {one}", [*facts, ("made_at", row.made_at, made_at)], "the ledger")
        if one in work.opener.wrong:
            work.report("store_keys", f"id {one}", "wrapped", work.opener.wrong[one])


# --- the store as a whole ---------------------------------------------------------------------------


def _meta(work: Work) -> None:
    meta = {row.key: row.value for row in work.rows("SELECT key, value FROM meta")}
    pairs = str(work.pair_acts) if work.pair_acts else None
    work.compare("meta", "key pairs", [("value", meta.get("pairs"), pairs)], "the number of pair entries")
    policy = parsed(work.policy) if work.policy is not None else None
    files = policy.get("policies") if isinstance(policy, dict) else None
    said = parsed(meta["policy"]) if "policy" in meta else None
    if not work.sealed:
        work.compare("meta", "key policy", [("value", said, files)], "the last policy:activated entry")
    work.compare("meta", "key frozen", [("value", meta.get("frozen"), work.frozen)], "the last house entry")
    if meta.get("installation") != work.installation:
        work.report("meta", "key installation", "value", "is not what the ledger's first entry says")
    lanes = work.count("lanes")
    work.compare("lanes", "all", [("", lanes, work.lanes)], "the ledger's first entry")


def _verdict_numbers(work: Work) -> None:
    """Verdicts are numbered from 1 without a gap, in the order of their entries within a lane."""
    expected = 1
    last: dict[int, int] = {}
    statement = (
        "SELECT v.id, v.entry, m.lane FROM verdicts v LEFT JOIN messages m ON m.id = v.message "
        "WHERE v.id > :after ORDER BY v.id LIMIT :chunk"
    )
    for rows in work.chunks(statement):
        for row in rows:
            if row.id != expected or number(row.entry) <= last.get(row.lane, -1):
                meaning = f"is out of order: number {expected} was due, after entry {last.get(row.lane, -1)}"
                work.report("verdicts", f"id {row.id}", "id", meaning)
            expected = row.id + 1
            last[row.lane] = number(row.entry)
            work.summary.verdicts += 1


# --- attachments ----------------------------------------------------------------------------------------


def _blobs(work: Work) -> None:
    """Every archived attachment is on the disk, whole and unchanged; each is read once."""
    after = ""
    statement = (
        "SELECT f.digest, max(f.size) AS size, "
        "(SELECT k.wrapped FROM file_keys k WHERE k.digest = f.digest) AS wrapped FROM files f "
        "WHERE f.state = 'archived' AND f.digest > :after "
        "AND NOT EXISTS (SELECT 1 FROM disposed d WHERE d.message = f.message) "
        "GROUP BY f.digest ORDER BY f.digest LIMIT :chunk"
    )
    while rows := work.rows(statement, after=after, chunk=CHUNK):
        for row in rows:
            _blob(work, str(row.digest), row.size, row.wrapped)
        after = rows[-1].digest
    _blobs_gone(work)


def _blobs_gone(work: Work) -> None:
    """Of an attachment that was disposed of with every record that had it, neither file nor key is there."""
    statement = (
        "SELECT DISTINCT f.digest FROM files f JOIN disposed d ON d.message = f.message WHERE f.digest <> '' "
        "AND NOT EXISTS (SELECT 1 FROM files o LEFT JOIN disposed e ON e.message = o.message "
        "WHERE o.digest = f.digest AND e.message IS NULL)"
    )
    digests = [str(one) for one in work.column(statement)]
    kept = set(work.column("SELECT digest FROM file_keys WHERE digest IN :digests", digests=digests))
    for digest in digests:
        if digest in kept:
            work.report("file_keys", digest, "", "was to be destroyed, and is still there")
        if (work.blobs / digest[:2] / digest[2:4] / digest).exists():
            work.report("blobs", digest, "", "was to be removed, and is still there: run the disposal again")


def _blob(work: Work, digest: str, size: int, wrapped: object) -> None:
    work.summary.blobs += 1
    if not re.fullmatch("[0-9a-f]{64}", digest):
        return  # its row has been reported: this names no file
    path = work.blobs / digest[:2] / digest[2:4] / digest
    try:
        with path.open("rb") as file:
            is_ = hashlib.file_digest(file, "sha256").hexdigest()
            length = file.tell()
    except OSError as error:
        work.report("blobs", digest, "", f"cannot be read: {error.strerror}")
        return
    work.summary.bytes += length
    if is_ != digest or length != sealed_size(number(size)):
        work.report("blobs", digest, "", "is not what was archived: its bytes were changed")
    elif not work.sealed:
        _file_key(work, digest, path, wrapped)


def _file_key(work: Work, digest: str, path: Path, wrapped: object) -> None:
    """The key of an attachment opens its first piece: the digest has shown that the file is whole."""
    if wrapped is None:
        work.report("file_keys", digest, "", "is gone: the attachment can never be opened again")
        return
    try:
        key = work.opener.of_file(digest, wrapped)
        with path.open("rb") as file:
            first = file.read(len(FILE_MARK) + SEALED_PIECE)[len(FILE_MARK) :]
            unseal_piece(key, 0, last=not file.read(1), sealed=first)
    except Broken as error:
        work.report("file_keys", digest, "wrapped", f"does not open its attachment: {error}")
