"""The daily trial of archives that lock: each has to refuse to delete what it was just given."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bridge.cli import compose
from bridge.config import Settings
from bridge.errors import Refused


@dataclass(frozen=True)
class Named:
    """An archive as a policy names it."""

    name: str
    lock: str


class Vault:
    """An archive that says what came of an attempt to delete."""

    closed = 0

    def __init__(self, named: Named) -> None:
        self.named = named

    async def try_delete(self) -> str:
        """See `bridge.ports.Sink`."""
        if self.named.name == "open":
            raise Refused("not-locked", "the trial object was deleted")
        return "AccessDenied"

    async def close(self) -> None:
        """See `bridge.ports.Sink`."""
        Vault.closed += 1


async def test_each_archive_that_locks_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that refused is well, one that deleted is told in its own words; one that locks nothing is not
    asked; and none stays open."""
    named = [Named("vault", "compliance"), Named("open", "governance"), Named("mail", "")]
    monkeypatch.setattr(compose, "policies", lambda _: None)
    monkeypatch.setattr(compose, "destinations", lambda _: named)
    monkeypatch.setattr(compose, "sink", lambda _, one: Vault(one))
    said = await compose.try_locks(Settings())
    assert said == {"archive vault": "well", "archive open": "the trial object was deleted"}
    assert Vault.closed == 2
