"""Policies and changes that were touched: each is found, and what it means is said."""

from __future__ import annotations

from spoiled import Spoiled


def test_a_change_that_was_approved_by_hand_is_found(spoiled: Spoiled) -> None:
    """A state that no entry led to: nobody agreed, and the table says approved."""
    (finding,) = spoiled.spoil("UPDATE changes SET state = 'approved' WHERE state = 'rejected'")
    assert (finding.table, finding.column, finding.meaning) == (
        "changes",
        "state",
        "is not what the ledger says",
    )


def test_another_time_than_was_said_is_found(spoiled: Spoiled) -> None:
    """Planned for another night than the ledger has."""
    (finding,) = spoiled.spoil("UPDATE changes SET due_at = due_at - 60000 WHERE due_at > 0")
    assert (finding.table, finding.column) == ("changes", "due_at")


def test_a_change_out_of_nowhere_is_found(spoiled: Spoiled) -> None:
    """A row that nobody proposed."""
    found = spoiled.spoil("INSERT INTO changes VALUES (99, 0, 3, 'active', 0)")
    assert [finding.meaning for finding in found] == ["no entry testifies that it was proposed"]


def test_bytes_under_a_foreign_hash_are_found(spoiled: Spoiled) -> None:
    """A stored policy whose row names other bytes: the hash is computed again, and the entry differs."""
    rows = {row["hash"]: row["entry"] for row in spoiled.rows("policies")}
    first, second = list(rows)[:2]
    found = spoiled.spoil("UPDATE policies SET entry = ? WHERE hash = ?", rows[second], first)
    assert {(one.table, one.column) for one in found} == {("policies", "entry"), ("policies", "hash")}


def test_a_thaw_that_nobody_made_is_found(spoiled: Spoiled) -> None:
    """The table says frozen or thawed otherwise than the last word in the ledger."""
    (finding,) = spoiled.spoil("UPDATE meta SET value = '0/7' WHERE key = 'frozen'")
    assert (finding.table, finding.key) == ("meta", "key frozen")
