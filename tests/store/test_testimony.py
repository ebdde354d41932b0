"""Rows are held against the entries that testify to them: a lie that looks like a row is found, and named.

`test_verify` flips bits; here the values are ones that the house might have written itself: another state,
somebody else's chat, an earlier verdict.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from spoiled import Spoiled
from sqlalchemy import Connection, select
from story import START, Story

from bridge.ledger.entry import Entry, decode, encode
from bridge.ledger.tree import leaf_hash
from bridge.message import Kind
from bridge.sealing import PAIR
from bridge.store.schema import deliveries
from bridge.store.verify import Finding, verify

SENT = "(SELECT min(id) FROM deliveries WHERE state = 'sent' AND network = 'weixin')"
NOTICE = "(SELECT max(id) FROM messages WHERE notice_for IS NOT NULL)"

LIES = {
    "a held message passed": (
        "UPDATE messages SET state = 'passed' WHERE state = 'held'", "messages", "state"),
    "a blocked message was held": (
        "UPDATE messages SET state = 'held' WHERE state = 'blocked'", "messages", "state"),
    "an unjudged message was noted": (
        "UPDATE messages SET state = 'noted' WHERE state = 'new'", "messages", "state"),
    "somebody else wrote it": (
        "UPDATE messages SET sender = '7002' WHERE id = 1", "messages", "sender"),
    "it was archived earlier": (
        "UPDATE messages SET archived_at = archived_at - 60000 WHERE id = 1", "messages", "archived_at"),
    "it belonged to another pair": (
        "UPDATE messages SET pair = 2 WHERE id = 1", "messages", "pair"),
    "it belonged to nobody": (
        "UPDATE messages SET pair = NULL WHERE id = 1", "messages", "pair"),
    "a stranger was paired": (
        "UPDATE messages SET pair = 1 WHERE sender = 'wmStranger'", "messages", "pair"),
    "a notice was a message": (
        f"UPDATE messages SET notice_for = NULL WHERE id = {NOTICE}", "messages", "notice_for"),
    "a block was a delivery": (
        "UPDATE verdicts SET outcome = 'deliver' WHERE outcome = 'block'", "verdicts", "outcome"),
    "a rule was a default": (
        "UPDATE verdicts SET cause = 'default' WHERE outcome = 'redact'", "verdicts", "cause"),
    "a verdict was on another message": (
        "UPDATE verdicts SET message = 2 WHERE id = 1", "verdicts", ""),
    "a review was decided": (
        "UPDATE reviews SET state = 'released' WHERE state = 'open'", "reviews", "state"),
    "a review is open again": (
        "UPDATE reviews SET state = 'open' WHERE state = 'rejected'", "reviews", "state"),
    "the conversation waited": (
        "UPDATE reviews SET waits = 1", "reviews", "waits"),
    "a parked delivery was sent": (
        "UPDATE deliveries SET state = 'sent' WHERE state = 'parked'", "deliveries", "state"),
    "a sent delivery was parked": (
        f"UPDATE deliveries SET state = 'parked' WHERE id = {SENT}", "deliveries", "state"),
    "a sent delivery is due": (
        f"UPDATE deliveries SET state = 'ready' WHERE id = {SENT}", "deliveries", "state"),
    "a dropped delivery is due": (
        "UPDATE deliveries SET state = 'ready' WHERE reason = 'dropped'", "deliveries", "state"),
    "it went to another chat": (
        f"UPDATE deliveries SET conversation = 'wkWealth/wmHanMei' WHERE id = {SENT}",
        "deliveries", "conversation"),
    "another verdict allowed it": (
        f"UPDATE deliveries SET verdict = verdict + 1 WHERE id = {SENT}", "deliveries", "verdict"),
    "the policy's hold allowed what a person released": (
        "UPDATE deliveries SET verdict = (SELECT v.id FROM verdicts v WHERE v.message = deliveries.message "
        "AND v.outcome = 'hold') WHERE marks = 'late'", "deliveries", "verdict"),
    "it was refused for another reason": (
        "UPDATE deliveries SET reason = 'too-large' WHERE state = 'parked'", "deliveries", "reason"),
    "it was on time": (
        "UPDATE deliveries SET marks = '' WHERE marks = 'late'", "deliveries", "marks"),
    "it arrived as something else": (
        "UPDATE receipts SET id = 'out9999' WHERE id = 'out2' OR id = 'out4'", "receipts", "id, permit"),
    "another delivery arrived as this": (
        "UPDATE receipts SET permit = (SELECT permit FROM deliveries WHERE state = 'ready') "
        "WHERE rowid = 1", "receipts", "id, permit"),
    "an attachment never came": (
        "UPDATE files SET state = 'missing' WHERE state = 'archived'", "files", "state"),
    "a lost attachment is wanted": (
        "UPDATE files SET state = 'wanted' WHERE state = 'missing'", "files", "state"),
    "an ended pair is active": (
        "UPDATE pairs SET state = 'active', ended_at = 0 WHERE id = 2", "pairs", "state"),
    "the pair was with somebody else": (
        "UPDATE pairs SET contact = 'wkWealth/wmOther' WHERE id = 2", "pairs", "contact"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_named(spoiled: Spoiled, name: str) -> None:
    """A row that says something else than the ledger, in values the house itself uses, is named."""
    statement, table, column = LIES[name]
    found = spoiled.spoil(statement)
    assert (table, column) in {(finding.table, finding.column) for finding in found}


def test_a_renamed_contact_is_named(spoiled: Spoiled) -> None:
    """The names beside a pair are the ones that were written down when it was made."""
    row = spoiled.rows("pairs")[0]
    body = spoiled.resealed(row["lane"], row["entry"], PAIR, row["body"], "李雷", "李磊")
    (finding,) = spoiled.spoil("UPDATE pairs SET body = ? WHERE id = 1", body)
    assert (finding.table, finding.key, finding.column) == ("pairs", "id 1", "body")


def test_only_what_was_changed_is_named(spoiled: Spoiled) -> None:
    """One changed state accuses one row, and says what it should have been held against."""
    number = spoiled.rows("deliveries")[0]["id"]
    (finding,) = spoiled.spoil("UPDATE deliveries SET state = 'parked' WHERE id = ?", number)
    assert finding.column == "state"
    assert "delivery:sent" in finding.meaning


def rewritten(spoiled: Spoiled, first: int, second: int) -> list[tuple[int, bytes]]:
    """Two neighbouring entries in each other's place, with their numbers and times put right."""
    rows = {row["seq"]: decode(row["entry"]) for row in spoiled.rows("ledger")}
    one, two = rows[first], rows[second]
    return [
        (first, encode(Entry(two.lane, first, one.at, two.kind, two.subject, two.facts, two.digest))),
        (second, encode(Entry(one.lane, second, two.at, one.kind, one.subject, one.facts, one.digest))),
    ]


def test_invariant_1_sent_before_permitted_is_named(spoiled: Spoiled) -> None:
    """A ledger in which something was sent before it was permitted is refused, whatever the hashes say."""
    entries = {row["seq"]: decode(row["entry"]) for row in spoiled.rows("ledger")}
    permitted = next(seq for seq, entry in entries.items() if entry.kind == "delivery:permitted")
    subject = entries[permitted].subject
    sent = next(s for s, e in entries.items() if e.kind == "delivery:sent" and e.subject == subject)
    (a, first), (b, second) = rewritten(spoiled, permitted, sent)
    statement = "UPDATE ledger SET entry = CASE seq WHEN ? THEN ? ELSE ? END, subject = ? WHERE seq IN (?, ?)"
    found = spoiled.spoil(statement, a, first, second, subject, a, b)
    assert any("sent before it was permitted" in finding.meaning for finding in found)


def test_invariant_1_permitted_before_judged_is_named(spoiled: Spoiled) -> None:
    """A delivery whose verdict stands behind its permit in the ledger was not judged before."""
    entries = {row["seq"]: decode(row["entry"]) for row in spoiled.rows("ledger")}
    permitted = next(seq for seq, entry in entries.items() if entry.kind == "delivery:permitted")
    verdict = max(seq for seq, entry in entries.items() if entry.kind == "message:judged")
    number = entries[permitted].facts["message"]
    found = spoiled.spoil("UPDATE verdicts SET entry = ? WHERE message = ?", verdict, number)
    meanings = [finding.meaning for finding in found if finding.table == "deliveries"]
    assert "was permitted before its message was archived and judged" in meanings


def test_a_receipt_that_no_entry_names_is_named(spoiled: Spoiled) -> None:
    """A receipt added for a delivery that was never sent is not believed."""
    permit = next(row["permit"] for row in spoiled.rows("deliveries") if row["state"] == "ready")
    (finding,) = spoiled.spoil("INSERT INTO receipts VALUES ('weixin', 'out9999', ?)", permit)
    assert (finding.table, finding.key) == ("receipts", "weixin out9999")


def test_a_message_that_no_entry_names_is_named(spoiled: Spoiled) -> None:
    """A message slipped into the tables alone is not believed."""
    statement = (
        "INSERT INTO messages (id, lane, entry, network, source_id, conversation, sender, kind, archived_at, "
        "state) VALUES (999, 0, 999, 'symphony', 's999', 'room-li-lei', '7001', 'text', ?, 'new')"
    )
    (finding,) = spoiled.spoil(statement, START)
    assert (finding.table, finding.key) == ("messages", "id 999")


def test_parts_that_went_out_before_a_refusal_are_testified(spoiled: Spoiled) -> None:
    """The entry that parks a delivery names what the network took of it: without the row, it is missed."""
    parts = [row for row in spoiled.rows("receipts") if row["id"].startswith("part")]
    assert len(parts) == 3
    for part in parts:
        (finding,) = spoiled.spoil("DELETE FROM receipts WHERE id = ?", part["id"])
        assert finding.key == f"weixin {part['id']}"


def test_leaves_are_not_looked_at_here(spoiled: Spoiled) -> None:
    """A forged entry with a fitting leaf is still found by its rows, even where the tree is not asked."""
    row = next(row for row in spoiled.rows("ledger") if decode(row["entry"]).kind == "message:judged")
    entry = decode(row["entry"])
    facts = {**entry.facts, "outcome": "block"}
    forged = encode(Entry(entry.lane, entry.seq, entry.at, entry.kind, entry.subject, facts, entry.digest))
    statement = "UPDATE ledger SET entry = ?, leaf = ? WHERE seq = ?"
    found = spoiled.spoil(statement, forged, leaf_hash(forged), entry.seq)
    assert {"messages", "verdicts"} <= {finding.table for finding in found}


async def test_a_failure_told_before_its_receipt_is_in_order(tmp_path: Path) -> None:
    """The network calls something failed, and only then do we learn its id: all of it is testified to."""
    story = Story(tmp_path)
    await story.begin()
    await story.archive(story.says("lost on the way"))
    await story.judge()
    (claim,) = await story.claim()
    attempt = story.sent(claim)
    await story.archive(story.answers("", kind=Kind.FAILED, refers_to=attempt.receipt.ids[0]))
    await story.judge()
    await story.store.record_attempts([attempt])

    def look(db: Connection) -> tuple[list[Finding], str]:
        found: list[Finding] = []
        verify(db, story.blobs, found.append)
        state = select(deliveries.c.state).where(deliveries.c.permit == claim.permit.id)
        return found, db.execute(state).scalar_one()

    assert await story.store.read(look) == ([], "failed")
    story.store.close()
