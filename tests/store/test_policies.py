"""The archive of policies: what decided once can be read again, byte for byte, and is stored once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from rig import Hands, reword

from bridge.errors import StoreError
from bridge.policy import Source, read
from bridge.sealing import RAW
from bridge.store.policies import keep_sources, sources_of, stored
from bridge.store.views import policies as in_force

SHIPPED = sorted((Path(__file__).resolve().parents[2] / "policies").glob("*.yaml"))
SOURCE = Source(
    "desk/policies/a.yaml",
    b"policy: a\n",
    {"b.csv": "词\n保证\n".encode(), "a.csv": b""},
    {"b.csv": datetime(2026, 11, 2, 9, 30, 1, 250_000, UTC)},
)


async def kept(hands: Hands, *sources: Source) -> None:
    """Keep them."""
    await hands.store.write(lambda tx: keep_sources(tx, 0, sources))


async def test_what_was_kept_comes_back_byte_for_byte(hands: Hands) -> None:
    """File, lists and the times of the lists come back under the same hash; the folder is not kept."""
    await kept(hands, SOURCE)
    (found,) = await hands.store.read(lambda db: sources_of(db, [SOURCE.hash]))
    assert (found.data, dict(found.files), dict(found.changed)) == (SOURCE.data, SOURCE.files, SOURCE.changed)
    assert (found.name, found.hash) == ("a.yaml", SOURCE.hash)


async def test_shipped_policies_come_back_in_the_order_asked_for(hands: Hands) -> None:
    """Real files with real lists: the same hashes, in the order of the question."""
    sources, _ = read(SHIPPED)
    await kept(hands, *sources)
    hashes = [source.hash for source in reversed(sources)]
    assert [one.hash for one in await hands.store.read(lambda db: sources_of(db, hashes))] == hashes


async def test_a_hash_is_kept_once(hands: Hands) -> None:
    """Kept again, also with newer lists of the same bytes: one row, one entry, the first times."""
    newer = Source("other.yaml", SOURCE.data, SOURCE.files, {"b.csv": datetime(2027, 1, 1, tzinfo=UTC)})
    await kept(hands, SOURCE, SOURCE)
    await kept(hands, newer)
    (entry,) = await hands.entries("policy:stored")
    assert entry.facts == {"sha256": SOURCE.hash, "lists": 2}
    (found,) = await hands.store.read(lambda db: sources_of(db, [newer.hash]))
    assert found.changed == SOURCE.changed


async def test_what_was_never_kept_is_refused(hands: Hands) -> None:
    """A hash that never decided here is named; those that did are told apart."""
    await kept(hands, SOURCE)
    assert await hands.store.read(lambda db: stored(db, [SOURCE.hash, "0" * 64])) == {SOURCE.hash}
    with pytest.raises(StoreError, match="000000000000 is not in the archive"):
        await hands.store.read(lambda db: sources_of(db, [SOURCE.hash, "0" * 64]))


async def test_changed_bytes_are_refused(hands: Hands) -> None:
    """Bytes that no longer have the hash of their policy never judge again."""
    await kept(hands, SOURCE)
    ((entry,),) = await hands.rows("SELECT entry FROM policies")
    lie = b"policy: b\n" + bytes(12)
    await hands.store.write(lambda tx: reword(tx.db, entry, lambda _: lie, RAW))
    with pytest.raises(StoreError, match="no longer what was stored"):
        await hands.store.read(lambda db: sources_of(db, [SOURCE.hash]))


async def test_activation_keeps_what_decides(hands: Hands) -> None:
    """Whatever comes into force is in the archive from the same moment on."""
    await hands.store.activate_policy([("a", SOURCE.hash)], "bob.li@bank.example", "first", [SOURCE])
    assert await hands.store.read(in_force) == [("a", SOURCE.hash)]
    assert await hands.store.read(lambda db: stored(db, [SOURCE.hash])) == {SOURCE.hash}
    kinds = [entry.kind for entry in await hands.entries("policy:stored", "policy:activated")]
    assert kinds == ["policy:stored", "policy:activated"]
