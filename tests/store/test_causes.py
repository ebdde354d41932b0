"""Why a database failed: the driver's sentence, and nothing of what was asked or kept."""

from __future__ import annotations

import sqlite3
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import DBAPIError, InvalidRequestError, PendingRollbackError

from bridge.errors import StoreError
from bridge.store.causes import asking, cause


def failed(error: Exception) -> DBAPIError:
    """As SQLAlchemy hands a driver's error on."""
    wrapped = DBAPIError("INSERT hush", {"name": "hush"}, error)
    wrapped.__cause__ = error
    return wrapped


def test_sqlites_words_are_told() -> None:
    """Without SQLAlchemy's around them, which have the statement."""
    assert cause(failed(sqlite3.OperationalError("disk I/O error"))) == "disk I/O error"


def test_a_servers_details_are_left_out() -> None:
    """They name the values of a row; its first line names none."""
    error = sqlite3.Error("duplicate key\nDETAIL: Key (id)=(hush) already exists.")
    error.diag = SimpleNamespace(message_primary="duplicate key")  # type: ignore[attr-defined]
    assert cause(failed(error)) == "duplicate key"


def test_words_of_a_connection_are_one_line() -> None:
    """A server that is not there is explained in several; here they are one."""
    error = sqlite3.Error("connection refused\n\tIs the server running?")
    assert cause(failed(error)) == "connection refused Is the server running?"


def test_without_a_driver_the_kind_is_told() -> None:
    """SQLAlchemy's own errors may quote statements."""
    assert cause(InvalidRequestError("hush")) == "InvalidRequestError"


def test_a_lost_connection_is_called_so() -> None:
    """Whoever goes on with it learns what happened, not what SQLAlchemy wants to be done."""
    assert cause(PendingRollbackError("Can't reconnect until hush")) == (
        "the connection was lost in the middle of a transaction"
    )


def test_who_asks_is_told_a_cause() -> None:
    """What a database raises at a question is the store's error, without the question."""
    with pytest.raises(StoreError, match=r"could not be read: disk I/O error$"), asking():
        raise failed(sqlite3.OperationalError("disk I/O error"))
