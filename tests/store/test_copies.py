"""Copies outside in the tables: nothing is left out, nothing goes out too early, the auditor reads along."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rig import LANGUAGES, Hands, judge, message

from bridge import pipeline
from bridge.errors import Conflict
from bridge.message import SYMPHONY, WEIXIN, Archived, Verdict
from bridge.ports import Step
from bridge.store import copies, terms
from bridge.store.copies import Due, Kept
from bridge.store.holds import Holds
from bridge.store.verify import Finding, verify

VAULT, JOURNAL = "records/vault", "records/journal"


async def ruled(hands: Hands, *archives: str, after: bool = False) -> None:
    """Judge what waits; these archives must have it."""

    def verdict(one: Archived, now: object) -> Verdict:
        return replace(judge(one, now), archives=archives, after_archives=after)  # type: ignore[arg-type]

    rulings = pipeline.decide(await hands.store.unjudged(100), verdict, hands.clock.now(), LANGUAGES)
    await hands.store.record_rulings(rulings)


async def due(hands: Hands, key: str) -> list[Due]:
    """What an archive is to get."""
    return await hands.store.read(lambda db: copies.due(db, key, hands.clock.now(), 100))


async def take(hands: Hands, key: str) -> None:
    """An archive takes all that it is to get."""
    kept = [Kept(one, "ab" * 32, (f"{one.message}",), "taken") for one in await due(hands, key)]
    await hands.store.write(lambda tx: copies.keep(tx, key, kept))


async def lacking(hands: Hands, *numbers: int) -> dict[int, list[str]]:
    """Which archives lack these messages."""
    return await hands.store.read(lambda db: copies.outstanding(db, numbers))


async def findings(hands: Hands, tmp_path: Path) -> list[Finding]:
    """What an auditor finds."""
    found: list[Finding] = []
    await hands.store.read(lambda db: verify(db, tmp_path / "blobs", found.append))
    return found


async def test_every_archive_of_the_verdict_is_owed_a_copy(hands: Hands, tmp_path: Path) -> None:
    """Rows come with the verdict, whatever it is, and with the bridge's own words about the message; a
    message lacks an archive until that has acknowledged."""
    await hands.archive(message(SYMPHONY, 1), message(SYMPHONY, 2, "BLOCK"))
    await ruled(hands, VAULT, JOURNAL)
    assert [one.message for one in await due(hands, VAULT)] == [1, 2, 3]
    assert await lacking(hands, 1, 2) == {1: [JOURNAL, VAULT], 2: [JOURNAL, VAULT]}
    await take(hands, VAULT)
    await take(hands, VAULT)
    assert await lacking(hands, 1) == {1: [JOURNAL]}
    assert len(await hands.entries("copy:kept")) == 3
    assert await findings(hands, tmp_path) == []


async def test_names_in_any_script(hands: Hands) -> None:
    """A policy may be called anything: tables and ledger have a form of it in ASCII."""
    await hands.archive(message(SYMPHONY, 1))
    await ruled(hands, "香港/库房")
    assert await lacking(hands, 1) == {1: ["香港/库房"]}


async def test_delivery_waits_for_all_archives(hands: Hands, tmp_path: Path) -> None:
    """Where the policy says so, nothing goes out before the last archive has it, and what was written later
    in the conversation stays behind it."""
    await hands.archive(message(SYMPHONY, 1, "first"))
    await ruled(hands, VAULT, JOURNAL, after=True)
    await hands.archive(message(SYMPHONY, 2, "second"))
    await ruled(hands)
    assert await hands.send(WEIXIN) == []
    await take(hands, VAULT)
    assert await hands.send(WEIXIN) == []
    await take(hands, JOURNAL)
    assert await hands.send(WEIXIN) == ["first", "second"]
    assert await findings(hands, tmp_path) == []


async def test_what_a_reviewer_releases_waits_too(hands: Hands) -> None:
    """A person's decision does not bring a message past its archives."""
    await hands.archive(message(SYMPHONY, 1, "HOLD"))
    await ruled(hands, VAULT, after=True)
    await hands.store.decide_hold(1, "bob.li@bank.example", "known", passed=True)
    assert await hands.send(WEIXIN) == []
    await take(hands, VAULT)
    (text,) = await hands.send(WEIXIN)
    assert text.endswith("HOLD")


async def test_parked_until_a_person_says(hands: Hands, tmp_path: Path) -> None:
    """What an archive refuses stays lacking, is not brought again by itself, and comes back with a reason."""
    await hands.archive(message(SYMPHONY, 1))
    await ruled(hands, VAULT)
    (one,) = await due(hands, VAULT)
    await hands.store.write(lambda tx: copies.park(tx, VAULT, one, "too-large"))
    assert await due(hands, VAULT) == []
    assert await lacking(hands, 1) == {1: [VAULT]}
    back = await hands.store.write(lambda tx: copies.retry(tx, 0, VAULT, "bob.li@bank.example", "raised"))
    assert (back, len(await due(hands, VAULT))) == (1, 1)
    with pytest.raises(Conflict):
        await hands.store.write(lambda tx: copies.retry(tx, 0, VAULT, "bob.li@bank.example", "again"))
    assert await findings(hands, tmp_path) == []


async def test_later(hands: Hands) -> None:
    """A copy that failed is not due before its time; how long it has been wanted goes on counting."""
    await hands.archive(message(SYMPHONY, 1))
    await ruled(hands, VAULT)
    (one,) = await due(hands, VAULT)
    later = hands.clock.now() + 5000
    await hands.store.write(lambda tx: copies.postpone(tx, VAULT, one, later, "slow"))
    assert await due(hands, VAULT) == []
    hands.clock.at += 5000
    (again,) = await due(hands, VAULT)
    assert (again.attempt, again.since) == (1, one.since)
    assert await hands.store.read(copies.waiting) == {VAULT: (1, one.since)}


async def test_the_second_revision_comes_with_the_end(hands: Hands, tmp_path: Path) -> None:
    """Once all that can become of a message has, its archives are owed a copy that says it; once."""
    await hands.archive(message(SYMPHONY, 1), message(SYMPHONY, 2, "HOLD"))
    await ruled(hands, VAULT)
    await take(hands, VAULT)
    before = hands.clock.now() + 1
    assert await hands.store.write(lambda tx: copies.close(tx, before, 9)) == 0
    (claim,) = await hands.claim(WEIXIN)
    await hands.end(claim, Step.SEND)
    assert await hands.store.write(lambda tx: copies.close(tx, before, 9)) == 1
    assert await hands.store.write(lambda tx: copies.close(tx, before, 9)) == 0
    assert [(one.message, one.revision) for one in await due(hands, VAULT)] == [(1, 2)]
    await take(hands, VAULT)
    assert await findings(hands, tmp_path) == []


async def test_a_copy_that_is_gone_is_brought_again(hands: Hands, tmp_path: Path) -> None:
    """An archive that said yes and forgot owes the copy again, and the record says that it had been lost."""
    await hands.archive(message(SYMPHONY, 1))
    await ruled(hands, VAULT)
    (one,) = await due(hands, VAULT)
    await take(hands, VAULT)
    await hands.store.write(
        lambda tx: copies.check(tx, VAULT, 1, [(one, "gone")], "bob.li@bank.example", "daily")
    )
    assert await lacking(hands, 1) == {1: [VAULT]}
    (entry,) = await hands.entries("copies:checked")
    assert entry.facts["lost"] == 1
    await take(hands, VAULT)
    assert await findings(hands, tmp_path) == []


SPOILS = {
    "kept, and nothing testifies to it": "UPDATE copies SET state = 'kept' WHERE message = 2",
    "the row is gone": "DELETE FROM copies WHERE message = 1",
    "a copy that nobody was owed": "INSERT INTO copies (message, destination, revision, lane, state, since, "
    "upto) VALUES (1, 'records/other', 1, 0, 'kept', 0, 9)",
    "other bytes": "UPDATE copies SET sha256 = 'ff' WHERE message = 1",
    "no longer owed": "DELETE FROM copies WHERE message = 2",
    "never closed": "UPDATE copies SET closed = 1 WHERE message = 2",
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
async def test_whoever_changes_a_row_is_found(hands: Hands, tmp_path: Path, spoil: str) -> None:
    """Rows of copies say what their entries say, each of them, or the auditor names the row."""
    await hands.archive(message(SYMPHONY, 1))
    await ruled(hands, VAULT)
    await take(hands, VAULT)
    await hands.archive(message(SYMPHONY, 2))
    await ruled(hands, VAULT)
    await hands.store.write(lambda tx: tx.db.exec_driver_sql(spoil))
    assert {one.table for one in await findings(hands, tmp_path)} == {"copies"}


async def test_a_delivery_before_its_copies_is_found(hands: Hands, tmp_path: Path) -> None:
    """Whoever lets a waiting delivery out by hand is named by the auditor."""
    await hands.archive(message(SYMPHONY, 1))
    await ruled(hands, VAULT, after=True)
    await hands.store.write(lambda tx: tx.db.exec_driver_sql("UPDATE deliveries SET next_at = 0"))
    await hands.store.write(lambda tx: tx.db.exec_driver_sql("UPDATE chats SET due_at = 0"))
    assert await hands.send(WEIXIN) == ["hello"]
    (found,) = await findings(hands, tmp_path)
    assert "before all its archives" in found.meaning


async def test_only_the_ledger_says_that_an_archive_has_it(hands: Hands) -> None:
    """A row that was changed to "kept" does not let a record go: the archive's entry is asked for."""
    await hands.archive(message(SYMPHONY, 1))
    await ruled(hands, VAULT)
    await hands.send(WEIXIN)
    await hands.store.write(lambda tx: tx.db.exec_driver_sql("UPDATE copies SET state = 'kept'"))
    assert await reasons(hands) == [f"not yet in {VAULT}"]
    await hands.store.write(lambda tx: tx.db.exec_driver_sql("UPDATE copies SET state = 'wanted'"))
    await take(hands, VAULT)
    assert await reasons(hands) == []


async def reasons(hands: Hands) -> list[str]:
    """Why message 1 may not go, but for its class."""
    now = hands.clock.now()
    (one,) = await hands.store.read(lambda db: terms.standings(db, [1], now, Holds(())))
    return [reason for reason in one.kept if reason != "no class of retention"]
