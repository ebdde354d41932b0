"""A store in memory that can be spoiled and examined, again and again.

Rules of this file: what is spoiled is rolled back after each look, so that one store serves many tests.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import StaticPool
from story import Story, Ticking, copy_of_the_story

from bridge import sealing
from bridge.keepers import KeyFile
from bridge.message import Cause, Outcome, Retention, Verdict
from bridge.ports import Placing, Ruling
from bridge.store import copies
from bridge.store.gathering import gathered
from bridge.store.signing import verifiers
from bridge.store.vault import Vault
from bridge.store.verify import Finding, Summary, verify

LIVES = (Retention("conduct/orders", "7y"),)


async def _copied(folder: Path) -> None:
    """Two messages more, for archives outside: a copy kept, one parked, some wanted, a second revision. Both
    live for seven years, and for a legal hold."""
    story = Story(folder, Ticking(1_790_300_000_000), ids=iter(range(9000, 9999)))  # type: ignore[arg-type]
    await story.store.own("the next daemon")
    places = (("records/vault", "records/journal"), ("records/vault",))
    for archives in places:
        await story.archive(story.answers("blocked"))  # where nothing waits behind a hold
        last = (await story.store.unjudged(100))[-1]
        verdict = Verdict(Outcome.BLOCK, Cause.RULE, "", retention=LIVES, archives=archives)
        await story.store.record_rulings([Ruling(last, verdict)])
    now = story.clock.now()
    (one, _), (two,) = [
        await story.store.read(lambda db, key=key: copies.due(db, key, now, 9))
        for key in ("records/vault", "records/journal")
    ]
    kept = copies.Kept(one, "ab" * 32, ("o1",), "yes")
    await story.store.write(lambda tx: copies.keep(tx, "records/vault", [kept]))
    await story.store.write(lambda tx: copies.park(tx, "records/journal", two, "too-large"))
    assert await story.store.write(lambda tx: copies.close(tx, now, 1)) == 1
    for case in ("CASE-7", "CASE-8"):
        await story.store.place_hold(
            Placing(case, "from:alice", "from:alice", "bob.li@bank.example", "a letter")
        )
    await story.store.propose_lift("CASE-8", "bob.li@bank.example", "settled")
    story.store.close()


class Spoiled:
    """A store in memory that can be spoiled: every look is followed by a rollback."""

    def __init__(self, folder: Path) -> None:
        self.blobs = folder / "blobs"
        path = copy_of_the_story(folder)
        asyncio.run(_copied(folder))
        self.keys = verifiers([folder / "secrets/checkpoint-key.pub"])
        self.anchors = gathered([folder / "checkpoints"], strict=True)
        self.db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        with sqlite3.connect(path) as source:
            source.backup(self.db)
        self.engine: Engine = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: self.db)
        keeper = KeyFile(folder / "secrets" / "store-key")
        self.vault = Vault(self.engine, keeper)
        self.engine.dialect.vault = self.vault  # type: ignore[attr-defined]
        self.engine.connect().close()  # the first use of a pool ends with a rollback of its own

    def rows(self, table: str) -> list[dict]:
        """Every row of a table, with its rowid."""
        cursor = self.db.execute(f"SELECT rowid AS _at, * FROM {table}")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def spoil(self, statement: str, *values: object) -> list[Finding]:
        """What `verify` finds after this one statement; the store is as before afterwards."""
        return self.spoil_all([(statement, values)])

    def spoil_all(self, statements: Iterable[tuple[str, Sequence[object]]]) -> list[Finding]:
        """The same after several statements, each with its values."""
        self.db.execute("BEGIN")
        try:
            for statement, values in statements:
                self.db.execute(statement, values)
            return self.findings()[0]
        finally:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")

    def resealed(self, lane: int, seq: int, part: int, sealed: bytes, old: str, new: str) -> bytes:
        """A sealed part with other words in it, as only whoever has the master key can make it."""
        with self.engine.connect() as db:
            self.vault.load(db)
        query = "SELECT wrapped FROM data_keys WHERE lane = ? AND seq = ?"
        (wrapped,) = self.db.execute(query, (lane, seq)).fetchone()
        belongs = sealing.place(self.vault.installation, lane, seq)
        key = AESGCM(sealing.unwrap(self.vault.key(sealing.wrapped_by(wrapped)), belongs, wrapped))
        plain = sealing.unseal(key, belongs, part, sealed)
        assert old.encode() in plain
        return sealing.seal(key, belongs, part, plain.replace(old.encode(), new.encode()))

    def findings(self) -> tuple[list[Finding], Summary]:
        """What `verify` finds now."""
        found: list[Finding] = []
        with self.engine.connect() as db:
            return found, verify(db, self.blobs, found.append, keys=self.keys, anchors=self.anchors)
