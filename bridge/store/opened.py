"""Content against the entries that have its digest: opened, hashed, compared.

Rules of this file: it reads a run of entries' content at once, through the auditor's own opener. What was
opened is handed on once, for whoever compares rows with it; nothing of it stays in memory.
"""

from __future__ import annotations

from typing import Any

from bridge.ledger.content import digest_of
from bridge.ledger.entry import Entry
from bridge.sealing import BODY, RAW, Broken, unseal
from bridge.store.reread import Body, Work, as_bytes, parsed


class Contents:
    """The content beside a run of entries, from the first to the last of these numbers."""

    def __init__(self, work: Work, lane: int, first: int, last: int) -> None:
        self.work, self.lane = work, lane
        statement = (
            "SELECT c.seq, c.salt, c.body, c.raw, k.wrapped FROM content c "
            "LEFT JOIN data_keys k ON k.lane = c.lane AND k.seq = c.seq "
            "WHERE c.lane = :lane AND c.seq BETWEEN :first AND :last"
        )
        self._rows = {row.seq: row for row in work.rows(statement, lane=lane, first=first, last=last)}

    def beside(self, seq: int, entry: Entry | None) -> bool:
        """Whether something stands beside an entry, or should."""
        return seq in self._rows or bool(entry and entry.digest)

    def there(self, seq: int) -> bool:
        """Whether there is content of this number."""
        return seq in self._rows

    def check(self, seq: int, entry: Entry | None) -> bytes | None:
        """Compare what stands beside an entry with its digest; gives the body, None when there is none, or
        when it cannot be opened. `entry` is None where the entry itself could not be read."""
        row = self._rows.get(seq)
        if row is None:
            if entry is not None and entry.digest:
                meaning = "is gone: its entry has the digest of something that is no longer there"
                self._report("content", seq, "", meaning)
            return None
        body, raw = as_bytes(row.body), as_bytes(row.raw)
        self.work.summary.contents += 1
        self.work.summary.bytes += len(body) + len(raw)
        if entry is not None and not entry.digest:
            self._report("content", seq, "", "stands beside an entry that has none")
            return None
        opened = self._opened(seq, row.wrapped, body, raw)
        if opened is None:
            return None
        if entry is not None and digest_of(as_bytes(row.salt), *opened) != entry.digest:
            meaning = "does not have the digest that its entry recorded: salt, body or raw were changed"
            self._report("content", seq, "salt, body, raw", meaning)
        return opened[0]

    def _opened(self, seq: int, wrapped: object, body: bytes, raw: bytes) -> tuple[bytes, bytes] | None:
        """Body and raw bytes, as they were before they were sealed."""
        if wrapped is None:
            self._report("data_keys", seq, "", "is gone: its content can never be opened again")
            return None
        if self.work.sealed:
            return None
        belongs = self.work.opener.place(self.lane, seq)
        try:
            key = self.work.opener.unwrapped(belongs, as_bytes(wrapped))
        except Broken as error:
            self._report("data_keys", seq, "wrapped", f"cannot be opened, nor its content: {error}")
            return None
        try:
            return unseal(key, belongs, BODY, body), unseal(key, belongs, RAW, raw)
        except Broken as error:
            self._report("content", seq, "body, raw", f"cannot be opened: {error}")
            return None

    def _report(self, table: str, seq: int, column: str, meaning: str) -> None:
        self.work.report(table, f"lane {self.lane} seq {seq}", column, meaning)


def words(body: bytes | None) -> Body | None:
    """What a body says, None when it is no JSON object."""
    said: Any = None if body is None else parsed(body)
    return said if isinstance(said, dict) else None
