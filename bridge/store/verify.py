"""Everything read again, through another door: does the record still say what it said?

Rules of this file: it shares nothing with the modules that write, neither statements nor decoding, only the
definitions of the ledger and of the envelope (`bridge.ledger`, `bridge.sealing`). It reads in chunks, so that
memory does not grow with the history, and in one transaction, so that a daemon may go on writing beside it.
It never stops at the first finding.

What is checked, and against what:

    ledger     canonical form, no gap, leaf = hash of the entry, columns = the entry
    heads      the tree over all leaves, recomputed; one head at least wherever the time moves on
    lanes      size, right edge, epoch
    content    opens with its key; the salted digest in its entry; none without an entry, nor the reverse
    store_keys their entries; opened by the master key
    data_keys, file_keys    one for every record and attachment, none for anything else
    checkpoints, anchors   signatures; the tree of that size has that root; none is gone (`attestation`)
    witnessed  time stamps: of the checkpoint, by an authority below one of the roots
    messages   their archived entry and body; state = what the entries say became of them; pair
    files      their entries; the blob on the disk has the size and SHA-256 that was archived
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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from bridge.ledger.checkpoint import Verifier
from bridge.ledger.content import digest_of
from bridge.ledger.entry import Entry, decode
from bridge.ledger.tree import Frontier, leaf_hash
from bridge.ports import KeyKeeper
from bridge.sealing import BODY, FILE_MARK, RAW, SEALED_PIECE, Broken, sealed_size, unseal, unseal_piece
from bridge.store.attestation import Attested
from bridge.store.gathering import Anchored
from bridge.store.provenance import check_changes, check_policies
from bridge.store.reread import (
    CHUNK,
    AnyRow,
    Comparison,
    Finding,
    Summary,
    Work,
    any_text,
    as_bytes,
    number,
    parsed,
    place_of,
)
from bridge.store.stamps import check_stamps
from bridge.store.testimony import (
    Deliveries,
    Messages,
    check_consents,
    check_draws,
    check_pairs,
    number_of,
)

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["OPERATIONAL", "WHILE_OPEN", "Finding", "Summary", "verify"]

OPERATIONAL: Mapping[str, frozenset[str]] = {
    "lanes": frozenset({"owner", "lease_until"}),
    "files": frozenset({"attempt", "next_at"}),
    "deliveries": frozenset({"next_at", "epoch", "uncertain", "first_try_at"}),
    "reviews": frozenset({"marked"}),
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
    with any_text(db):
        _file_itself(work)
        work.total = work.count("ledger") + work.count("messages") + work.count("deliveries")
        for lane in work.column("SELECT lane FROM lanes UNION SELECT lane FROM ledger ORDER BY 1"):
            _Lane(work, lane).check()
        check_stamps(work, tsa_roots)
        _orphans(work)
        _store_keys(work)
        check_pairs(work)
        check_consents(work)
        check_draws(work)
        check_policies(work)
        check_changes(work)
        _meta(work)
        _verdict_numbers(work)
        for rows in work.chunks("SELECT * FROM messages WHERE id > :after ORDER BY id LIMIT :chunk"):
            Messages(work, rows).check()
        for rows in work.chunks("SELECT * FROM deliveries WHERE id > :after ORDER BY id LIMIT :chunk"):
            Deliveries(work, rows).check()
        _blobs(work)
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


# --- the ledger -----------------------------------------------------------------------------------------


class _Lane:
    """One lane's entries, in order, with their content, their tree and the rows that they speak of."""

    def __init__(self, work: Work, lane: int) -> None:
        self.work, self.lane = work, lane
        self.frontier = Frontier()
        self.next = 0
        self.whole = True  # no entry is missing so far: the tree can be recomputed
        self.last_at: int | None = None
        self.epoch = 0
        self.wrong_heads: list[int] = []
        self.attested = Attested(work, lane)

    def check(self) -> None:
        statement = (
            "SELECT l.lane, l.seq AS id, l.subject, l.entry, l.leaf, c.salt, c.body, c.raw, k.wrapped "
            "FROM ledger l LEFT JOIN content c ON c.lane = l.lane AND c.seq = l.seq "
            "LEFT JOIN data_keys k ON k.lane = l.lane AND k.seq = l.seq "
            "WHERE l.lane = :lane AND l.seq > :after ORDER BY l.seq LIMIT :chunk"
        )
        for rows in self.work.chunks(statement, lane=self.lane):
            heads = self._heads(rows[0].id, rows[-1].id + 1)
            entries = [entry for row in rows if (entry := self._entry(row, heads))]
            _rows_of(self.work, entries)
            self.work.tick(len(rows))
        self._end()

    def _heads(self, first: int, last: int) -> dict[int, bytes]:
        statement = "SELECT size, root FROM heads WHERE lane = :lane AND size BETWEEN :first AND :last"
        rows = self.work.rows(statement, lane=self.lane, first=first, last=last)
        return {row.size: as_bytes(row.root) for row in rows}

    def _entry(self, row: AnyRow, heads: Mapping[int, bytes]) -> Entry | None:
        key = self._key(row.id)
        self._order(row.id)
        leaf, data = as_bytes(row.leaf), as_bytes(row.entry)
        if leaf_hash(data) != leaf:
            self.work.report(
                "ledger", key, "leaf", "is not the hash of its entry: one of the two was changed"
            )
        entry = self._decoded(row, key, data)
        opened = self._content(row, key, entry)
        if entry is not None:
            self._whole_store(entry, opened)
        if entry is not None:
            self._time(row.id, entry, heads)
        self.frontier.append(leaf)
        self._head(heads.get(row.id + 1))
        if self.next >= self.attested.next:
            self.attested.meet(self.next, self.frontier.root if self.whole else None)
        self.work.summary.entries += 1
        return entry

    def _key(self, seq: int) -> str:
        return f"lane {self.lane} seq {seq}"

    def _order(self, seq: int) -> None:
        if seq != self.next:
            self._missing(self.next, seq - 1)
        self.next = seq + 1

    def _missing(self, first: int, last: int) -> None:
        missing = f"entry {first} is" if first == last else f"entries {first} to {last} are"
        meaning = "missing: what was testified there is no longer proven, nor the tree after it"
        self.work.report("ledger", self._key(first), "", f"{missing} {meaning}")
        self.whole = False

    def _decoded(self, row: AnyRow, key: str, data: bytes) -> Entry | None:
        try:
            entry = decode(data)
        except ValueError as error:
            self.work.report("ledger", key, "entry", f"cannot be read: {error}")
            return None
        columns: tuple[Comparison, ...] = (("lane", row.lane, entry.lane), ("seq", row.id, entry.seq))
        columns += (("subject", row.subject, entry.subject),)
        self.work.compare("ledger", key, columns, "the entry itself")
        return entry

    def _whole_store(self, entry: Entry, body: object) -> None:
        """What single entries say about the store as a whole."""
        if entry.kind == "ledger:opened":
            self.work.lanes = number(entry.facts.get("lanes"))
        if "master" in entry.facts or entry.kind == "key:retired":
            _keys(self.work.store_keys, entry)
        if entry.kind == "lane:taken":
            self.epoch = number(entry.facts.get("epoch"))
        elif entry.kind == "policy:activated":
            self.work.policy = as_bytes(body) if body is not None else None
        elif entry.subject == "house":
            self.work.frozen = f"{entry.lane}/{entry.seq}" if entry.kind == "house:frozen" else ""
        elif entry.kind in ("consent:asked", "consent:given", "sample:drawn"):
            self._by_what_it_says(entry, parsed(body) if body is not None else None)
        elif entry.kind.startswith("pair:"):
            self.work.pair_acts += 1
            if entry.kind == "pair:ended":
                self.work.pair_ended[number(entry.facts.get("pair"))] = entry

    def _by_what_it_says(self, entry: Entry, body: object) -> None:
        """Entries whose rows are found by their content."""
        if not isinstance(body, dict):
            return  # reported where the content itself is compared
        if entry.kind == "sample:drawn":
            self.work.draws[str(entry.facts.get("day"))] = entry, body
        else:
            self.work.consents[str(body.get("contact")), str(body.get("gate"))] = entry

    def _content(self, row: AnyRow, key: str, entry: Entry | None) -> bytes | None:
        """Compare content with its entry; gives its body, None when there is none or it cannot be opened."""
        if row.body is None:
            if entry is not None and entry.digest:
                meaning = "is gone: its entry has the digest of something that is no longer there"
                self.work.report("content", key, "", meaning)
            return None
        self.work.summary.contents += 1
        self.work.summary.bytes += len(as_bytes(row.body)) + len(as_bytes(row.raw))
        if entry is not None and not entry.digest:
            self.work.report("content", key, "", "stands beside an entry that has none")
            return None
        if row.wrapped is None:
            self.work.report("data_keys", key, "", "is gone: its content can never be opened again")
            return None
        opened = None if self.work.sealed else self._opened(row, key)
        if opened and entry is not None and digest_of(as_bytes(row.salt), *opened) != entry.digest:
            meaning = "does not have the digest that its entry recorded: salt, body or raw were changed"
            self.work.report("content", key, "salt, body, raw", meaning)
        return opened[0] if opened else None

    def _opened(self, row: AnyRow, key: str) -> tuple[bytes, bytes] | None:
        """Body and raw bytes."""
        belongs = self.work.opener.place(self.lane, row.id)
        try:
            data_key = self.work.opener.of(self.lane, row.id, row.wrapped)
        except Broken as error:
            self.work.report("data_keys", key, "wrapped", f"cannot be opened, nor its content: {error}")
            return None
        try:
            body, raw = as_bytes(row.body), as_bytes(row.raw)
            return unseal(data_key, belongs, BODY, body), unseal(data_key, belongs, RAW, raw)
        except Broken as error:
            self.work.report("content", key, "body, raw", f"cannot be opened: {error}")
            return None

    def _time(self, seq: int, entry: Entry, heads: Mapping[int, bytes]) -> None:
        """Entries of different times were written by different transactions, and each left a head."""
        if self.last_at is not None and entry.at != self.last_at and seq not in heads:
            self.work.report("heads", f"lane {self.lane} size {seq}", "", "is missing")
        self.last_at = entry.at

    def _head_missing(self, size: int) -> bool:
        statement = "SELECT 1 FROM heads WHERE lane = :lane AND size = :size"
        return not self.work.rows(statement, lane=self.lane, size=size)

    def _head(self, root: bytes | None) -> None:
        if root is None or not self.whole:
            return
        if self.frontier.root() == root:
            self._wrong_heads()
        else:
            self.wrong_heads.append(self.frontier.size)

    def _wrong_heads(self) -> None:
        """Report a row of wrong heads as one finding: they follow from one change before the first."""
        if not self.wrong_heads:
            return
        first, last = self.wrong_heads[0], self.wrong_heads[-1]
        more = f" (and {len(self.wrong_heads) - 1} later ones, to size {last})" if last != first else ""
        meaning = f"does not match the entries{more}: it was changed, or an entry before {first} was"
        self.work.report("heads", f"lane {self.lane} size {first}", "root", meaning)
        self.wrong_heads.clear()

    def _end(self) -> None:
        self._wrong_heads()
        self.attested.end()
        work, size, key = self.work, self.frontier.size, f"lane {self.lane}"
        work.summary.roots[self.lane] = (size, self.frontier.root().hex())
        if self.whole and self._head_missing(size):
            work.report("heads", f"{key} size {size}", "", "is missing: the newest head")
        beyond = "SELECT size FROM heads WHERE lane = :lane AND size > :size ORDER BY size LIMIT 1"
        for larger in work.column(beyond, lane=self.lane, size=self.next):
            meaning = f"speaks of more entries than there are: those after {self.next - 1} are missing"
            work.report("heads", f"{key} size {larger}", "size", meaning)
        for larger in work.column("SELECT size FROM heads WHERE lane = :lane AND size < 1", lane=self.lane):
            work.report("heads", f"{key} size {larger}", "size", "is not the size of any tree")
        rows = work.rows("SELECT size, frontier, epoch FROM lanes WHERE lane = :lane", lane=self.lane)
        self._tail(max((number(row.size) for row in rows), default=0))
        if not rows:
            work.report("lanes", key, "", "is gone, and the ledger has entries of it")
        for row in rows:
            facts: list[Comparison] = [("size", row.size, self.next), ("epoch", row.epoch, self.epoch)]
            if self.whole:
                facts.append(("frontier", as_bytes(row.frontier), self.frontier.to_bytes()))
            work.compare("lanes", key, facts, "the ledger")

    def _tail(self, size: int) -> None:
        """Entries that the lane counted and that are not there."""
        if size > self.next:
            self._missing(self.next, size - 1)


def _rows_of(work: Work, entries: Sequence[Entry]) -> None:
    """Every row that these entries speak of must be there."""
    archived = {number_of(e): e for e in entries if e.kind in ("message:archived", "notice:archived")}
    there = set(work.column("SELECT id FROM messages WHERE id IN :ids", ids=list(archived)))
    _gone(work, "messages", "id", archived, there)
    permitted = {e.subject.partition("/")[2]: e for e in entries if e.kind == "delivery:permitted"}
    there = set(
        work.column("SELECT permit FROM deliveries WHERE permit IN :permits", permits=list(permitted))
    )
    _gone(work, "deliveries", "permit", permitted, there)
    made = {number(e.facts.get("pair")): e for e in entries if e.kind == "pair:made"}
    there = set(work.column("SELECT id FROM pairs WHERE id IN :ids", ids=list(made)))
    _gone(work, "pairs", "id", made, there)
    stored = {str(e.facts.get("sha256")): e for e in entries if e.kind == "policy:stored"}
    there = set(work.column("SELECT hash FROM policies WHERE hash IN :hashes", hashes=list(stored)))
    _gone(work, "policies", "hash", stored, there)
    proposed = {number(e.facts.get("change")): e for e in entries if e.kind == "policy:proposed"}
    there = set(work.column("SELECT id FROM changes WHERE id IN :ids", ids=list(proposed)))
    _gone(work, "changes", "id", proposed, there)


def _gone(work: Work, table: str, column: str, named: Mapping[Any, Entry], there: set[Any]) -> None:
    for name, entry in named.items():
        if name not in there:
            meaning = f"is gone: {place_of(entry)} ({entry.kind}) testifies that it was there"
            work.report(table, f"{column} {name}", "", meaning)


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
    if "installation" not in meta:
        work.report("meta", "key installation", "", "is gone")
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
        "WHERE f.state = 'archived' AND f.digest > :after GROUP BY f.digest ORDER BY f.digest LIMIT :chunk"
    )
    while rows := work.rows(statement, after=after, chunk=CHUNK):
        for row in rows:
            _blob(work, str(row.digest), row.size, row.wrapped)
        after = rows[-1].digest


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
