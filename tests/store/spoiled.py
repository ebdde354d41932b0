"""A store in memory that can be spoiled and examined, again and again.

Rules of this file: what is spoiled is rolled back after each look, so that one store serves many tests.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import StaticPool
from story import copy_of_the_story

from bridge.keepers import KeyFile
from bridge.store.vault import Vault
from bridge.store.verify import Finding, Summary, verify


class Spoiled:
    """A store in memory that can be spoiled: every look is followed by a rollback."""

    def __init__(self, folder: Path) -> None:
        self.blobs = folder / "blobs"
        self.db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        with sqlite3.connect(copy_of_the_story(folder)) as source:
            source.backup(self.db)
        self.engine: Engine = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: self.db)
        keeper = KeyFile(folder / "secrets" / "store-key")
        self.engine.dialect.vault = Vault(self.engine, keeper)  # type: ignore[attr-defined]
        self.engine.connect().close()  # the first use of a pool ends with a rollback of its own

    def rows(self, table: str) -> list[dict]:
        """Every row of a table, with its rowid."""
        cursor = self.db.execute(f"SELECT rowid AS _at, * FROM {table}")
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def spoil(self, statement: str, *values: object) -> list[Finding]:
        """What `verify` finds after this one statement; the store is as before afterwards."""
        self.db.execute("BEGIN")
        try:
            self.db.execute(statement, values)
            return self.findings()[0]
        finally:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")

    def findings(self) -> tuple[list[Finding], Summary]:
        """What `verify` finds now."""
        found: list[Finding] = []
        with self.engine.connect() as db:
            return found, verify(db, self.blobs, found.append)
