"""The daily trial of archives that lock: each has to refuse to delete what it was just given."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bridge.cli import compose
from bridge.config import Archives, Settings
from bridge.errors import Refused
from bridge.policy import Source, assemble

POLICY = b"""\
policy: desk
language: 1
title: Desk
owner: compliance@bank.example
timezone: UTC
defaults: { mode: enforce, unmatched: deliver, unpaired: hold }
archive:
  - { id: vault, to: "s3://vault", object_lock: governance }
  - { id: plain, to: "file:///srv/plain" }
"""


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
    monkeypatch.setattr(compose, "destinations", lambda _: named)
    monkeypatch.setattr(compose, "sink", lambda _, one: Vault(one))
    said = await compose.try_locks(Settings(), None)
    assert said == {"archive vault": "well", "archive open": "the trial object was deleted"}
    assert Vault.closed == 2


async def test_the_archives_are_those_of_the_policies_that_decide() -> None:
    """Files that cannot be read, or are only a draft, are not looked at; and an archive that cannot be used
    at all is told like one that deleted, and keeps no certificate from being made."""
    found, problems = assemble([Source("desk.yaml", POLICY, {})])
    assert found is not None, problems
    nowhere = Settings(archives=Archives(s3_endpoint="http://127.0.0.1:9"))
    (told,) = (await compose.try_locks(nowhere, found)).items()
    assert told[0] == "archive desk/vault" and told[1].startswith("s3://vault answers")
    assert await compose.try_locks(nowhere, None) == {}
