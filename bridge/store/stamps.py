"""Time stamps of checkpoints, looked at again: since when has what they stand for existed?

Rules of this file: it reads the answers of authorities as they were stored, and trusts only those whose
certificates lead to the roots that whoever asks has given. Without roots nothing is proven and nothing is
wrong: the responses are counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.ledger.timestamp import stamped
from bridge.store.reread import AnyRow, Stamps, Work, as_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.x509 import Certificate

AUTHORITY = "rfc3161+"
"""How the names of time-stamping authorities begin among places outside."""

_STATEMENT = (
    "SELECT w.size AS id, w.witness, w.answer, c.note FROM witnessed w "
    "LEFT JOIN checkpoints c ON c.lane = w.lane AND c.size = w.size "
    "WHERE w.lane = :lane AND w.witness = :witness AND w.size > :after ORDER BY w.size LIMIT :chunk"
)


def check_stamps(work: Work, roots: Sequence[Certificate]) -> None:
    """Check every response, and put what is proven into the summary."""
    for lane, witness in work.rows("SELECT DISTINCT lane, witness FROM witnessed ORDER BY lane, witness"):
        if not str(witness).startswith(AUTHORITY):
            continue
        found = Stamps(str(witness), lane)
        for rows in work.chunks(_STATEMENT, lane=lane, witness=witness):
            for row in rows:
                _check(work, found, row, roots)
        if found.count:
            work.summary.stamps.append(found)


def _check(work: Work, found: Stamps, row: AnyRow, roots: Sequence[Certificate]) -> None:
    key = f"lane {found.lane} size {row.id}, {found.by}"
    if row.note is None:
        work.report("witnessed", key, "", "stamps a checkpoint that is gone")
    elif not roots:
        work.summary.unstamped += 1
    else:
        try:
            stamp = stamped(as_bytes(row.answer), as_bytes(row.note), roots)
        except ValueError as error:
            work.report("witnessed", key, "answer", f"the time stamp {error}")
        else:
            found.add(row.id, stamp.at)
