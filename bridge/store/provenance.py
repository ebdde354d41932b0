"""Policies and changes against the entries that testify to them: what decided, and by whose word.

Rules of this file: it reads through `reread` alone. The hash of a policy is computed again here from the
bytes in the archive, by its definition: SHA-256 over "weighbridge policy 1", the file and its lists, each
with its name and length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from bridge.ledger.entry import Entry
from bridge.sealing import BODY, RAW
from bridge.store.reread import AnyRow, Comparison, Work, number, parsed

_STATES: Mapping[str, str] = {
    "policy:proposed": "proposed",
    "policy:rejected": "rejected",
    "policy:withdrawn": "withdrawn",
    "policy:activated": "active",
    "policy:superseded": "superseded",
    "policy:rolled-back": "rolled back",
}


def check_policies(work: Work) -> None:
    """Stored policies against their entries and their own bytes. There are as many as were ever saved."""
    rows = work.rows("SELECT * FROM policies ORDER BY hash")
    entries = work.entries([f"policy/{row.hash}" for row in rows])
    for row in rows:
        stored = next((one for one in entries[f"policy/{row.hash}"] if one.kind == "policy:stored"), None)
        if stored is None:
            work.report("policies", f"hash {row.hash}", "", "no entry testifies that it was stored")
            continue
        facts: list[Comparison] = [("lane", row.lane, stored.lane), ("entry", row.entry, stored.seq)]
        work.compare("policies", f"hash {row.hash}", facts, "its entry")
        _bytes(work, row)


def _bytes(work: Work, row: AnyRow) -> None:
    statement = (
        "SELECT c.body, c.raw, k.wrapped FROM content c JOIN data_keys k ON k.lane = c.lane "
        "AND k.seq = c.seq WHERE c.lane = :lane AND c.seq = :entry"
    )
    for content in [] if work.sealed else work.rows(statement, lane=row.lane, entry=row.entry):
        place = (row.lane, row.entry, content.wrapped)
        said = parsed(work.part(*place, BODY, content.body))
        if _hash(said, work.part(*place, RAW, content.raw)) != row.hash:
            work.report("policies", f"hash {row.hash}", "hash", "is not the hash of the bytes in the archive")


def _hash(said: Any, raw: bytes) -> str:
    """The hash of a stored policy, "" when what stands beside its bytes is no list of them."""
    try:
        names = [("", number(said["size"])), *((str(name), number(size)) for name, size in said["lists"])]
    except (TypeError, KeyError, ValueError):
        return ""
    digest, start = hashlib.sha256(b"weighbridge policy 1\n"), 0
    for name, size in names:
        digest.update(f"{name}\0{size}\n".encode())
        digest.update(raw[start : start + size])
        start += size
    return digest.hexdigest()


def check_changes(work: Work) -> None:
    """Changes against the steps that the ledger has of them."""
    activated = work.entries(["policy"])["policy"]
    for rows in work.chunks("SELECT * FROM changes WHERE id > :after ORDER BY id LIMIT :chunk"):
        entries = work.entries([f"change/{row.id}" for row in rows])
        for row in rows:
            own = [one for one in activated if one.facts.get("change") == row.id]
            steps = sorted([*entries[f"change/{row.id}"], *own], key=lambda one: (one.lane, one.seq))
            _change(work, row, steps)


def _change(work: Work, row: AnyRow, steps: Sequence[Entry]) -> None:
    key = f"id {row.id}"
    if not steps or steps[0].kind != "policy:proposed":
        work.report("changes", key, "", "no entry testifies that it was proposed")
        return
    facts: list[Comparison] = [("lane", row.lane, steps[0].lane), ("entry", row.entry, steps[0].seq)]
    state, due_at = _where(steps)
    facts += [("state", row.state, state), ("due_at", row.due_at, due_at)]
    work.compare("changes", key, facts, "the ledger")


def _where(steps: Sequence[Entry]) -> tuple[str, int]:
    """The state that these steps lead to, and when it is due."""
    state, due_at = "", 0
    for one in steps:
        approved = one.kind == "policy:approved" and one.facts.get("enough") is True
        state = "approved" if approved else _STATES.get(one.kind, state)
        due_at = number(one.facts.get("at")) if one.kind == "policy:scheduled" else 0
    return state, due_at
