"""The term of a record as its ledger entry and its row say it: written in the transaction of its verdict.

Rules of this file: an entry says the class that governs and when the record may go, in ASCII and whole
numbers, so that whoever has the ledger alone can see that nothing went too early. A row is never shortened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from sqlalchemy import and_, or_

from bridge.message import Retention, Verdict
from bridge.records.terms import CREATION, Term, term
from bridge.store import schema as s
from bridge.store.codec import dump
from bridge.store.prepared import Prepared

if TYPE_CHECKING:
    from bridge.store.judging import Rulings

_NOTHING: Mapping[str, int] = {}
_COLUMNS = ("entry", "key", "start", "until")


@lru_cache(1024)
def key_of(name: str) -> str:
    """A class ("policy/id") or an event as tables and ledger have it: they may be named in any script, the
    ledger takes ASCII."""
    return quote(name, safe="/")


@lru_cache(1024)
def name_of(key: str) -> str:
    """The name that `key_of` wrote."""
    return unquote(key)


def facts_of(found: Term | None) -> dict[str, object]:
    """What an entry says of a term: `kept` the class, and `until`, or the `start` that it waits for."""
    if found is None:
        return {}
    said: dict[str, object] = {"kept": key_of(found.key)}
    if found.start != CREATION:
        said["start"] = key_of(found.start)
    return said if found.until is None else said | {"until": found.until}


def term_from(facts: Mapping[str, Any]) -> Term | None:
    """The term that an entry's facts say; None when they say nothing of one."""
    if "kept" not in facts:
        return None
    return Term(name_of(facts["kept"]), name_of(facts.get("start", CREATION)), facts.get("until"))


def row_of(number: int, entry: int, facts: Mapping[str, Any]) -> dict[str, object]:
    """The row of message `number`: what the facts of the ledger entry say that testifies to its term."""
    key, start = facts["kept"], facts.get("start", CREATION)
    return {"message": number, "entry": entry, "key": key, "start": start, "until": facts.get("until")}


def classes_body(classes: Iterable[Retention]) -> bytes:
    """The classes of a record that has no verdict to say them."""
    said = [{name: getattr(one, name) for name in Retention.__slots__} for one in classes]
    return dump({"retention": said})


def _upsert(*, longer_only: bool) -> Prepared:
    def make(dialect: ModuleType) -> Any:
        statement = dialect.insert(s.terms)
        new, old = statement.excluded, s.terms.c
        is_longer = and_(old.until.is_not(None), or_(new.until.is_(None), new.until > old.until))
        values = {name: getattr(new, name) for name in _COLUMNS}
        where = is_longer if longer_only else None
        return statement.on_conflict_do_update(index_elements=["message"], set_=values, where=where)

    return Prepared(make, ("message", *_COLUMNS))


WRITE_TERM = _upsert(longer_only=True)
"""Write a record's term, unless it has a longer one."""

REPLACE_TERM = _upsert(longer_only=False)
"""Write a record's term as an order left it."""


# --- with what becomes of a message ---------------------------------------------------------------------


def said_of(verdict: Verdict, archived_at: int) -> dict[str, object]:
    """What the entry of a message says of its term; `note` makes the row of it."""
    return facts_of(term(verdict.retention, archived_at, _NOTHING))


def note(work: Rulings, number: int, entry: int, facts: Mapping[str, Any]) -> None:
    """Gather the row that these facts of the entry give, if they say a term."""
    if "kept" in facts:
        work.terms.append(row_of(number, entry, facts))


def insert(work: Rulings) -> None:
    """Write the rows that were gathered; a record that has a longer term keeps it."""
    if work.terms:
        WRITE_TERM.many(work.tx.db, work.terms)
        work.terms.clear()
