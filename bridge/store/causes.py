"""Why a database failed, for people: one sentence, without the statement and without values.

Rules of this file: it knows drivers by what their errors carry, and imports none of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.exc import PendingRollbackError, SQLAlchemyError

from bridge.errors import StoreError


@contextmanager
def asking() -> Iterator[None]:
    """Raises StoreError for whatever the database raises while it is asked something."""
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(f"the database could not be read: {cause(error)}") from None


def cause(error: SQLAlchemyError) -> str:
    """The driver's own words: SQLite's name columns at most, and the value that it cannot decode is cut off;
    PostgreSQL's first line alone, because what follows it may name values. The kind of the error where no
    driver said anything."""
    told: Any = error.__cause__
    if isinstance(error, PendingRollbackError):
        return "the connection was lost in the middle of a transaction"
    if told is None:
        return type(error).__name__
    primary = getattr(getattr(told, "diag", None), "message_primary", None)
    return primary or " ".join(str(told).partition(" with text ")[0].split())
