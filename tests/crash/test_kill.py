"""The real daemon, killed with SIGKILL in the middle of traffic, again and again, on both engines.

Rules of this file: the daemon is `weighbridge run` in a process of its own, over HTTP to both mock networks,
which live on in this one. When it is killed is chosen by chance from a fixed seed, and by what it has got
done: after so many log lines, or after so many messages have arrived. Waiting has a deadline.
"""

from __future__ import annotations

import itertools
import random
import re
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest
from daemon_rig import Place, Running, place, settings_folder, with_plain_policy, within
from sqlalchemy import text

from bridge.store.signing import verifiers
from bridge.store.verify import verify

DEADLINE = 120.0  # seconds; reached only by a test that fails, however busy the machine is
SEED = 20260105
KILLS = {"sqlite": 6, "postgresql": 3}


class Talk:
    """Two people who go on writing, whatever the bridge does."""

    def __init__(self, here: Place) -> None:
        self.here = here
        self.numbers = itertools.count(1)
        self.from_alice: list[str] = []
        self.from_client: list[str] = []

    def go_on(self, rounds: int) -> None:
        """Each writes so many messages, in turn; all that he is to get is numbered."""
        for _ in range(rounds):
            number = next(self.numbers)
            self.from_client.append(f"L{number:03d}")
            self.here.li_lei_writes(f"收到 {self.from_client[-1]}")
            self.from_alice.append(f"A{number:03d}")
            self.here.alice_writes(f"About the meeting: {self.from_alice[-1]}")

    def client_saw(self) -> list[str]:
        """Alice's numbers, as they reached 李雷."""
        return re.findall(r"A\d{3}", " ".join(self.here.li_lei_saw()))

    def alice_saw(self) -> list[str]:
        """李雷's numbers, as they reached Alice."""
        return re.findall(r"L\d{3}", " ".join(self.here.alice_saw()))

    def arrived(self) -> int:
        """How many messages have reached their readers."""
        return len(self.client_saw()) + len(self.alice_saw())

    async def end(self) -> None:
        """Wait until everything has arrived; 李雷 writes on, which opens his reply window again and again."""
        while len(self.client_saw()) < len(self.from_alice):
            before = len(self.client_saw())
            self.here.li_lei_writes("还在吗")
            whole = len(self.from_alice)
            await within(DEADLINE, lambda b=before, w=whole: len(self.client_saw()) > b or b >= w)
        await within(DEADLINE, self._nothing_is_open)

    async def _nothing_is_open(self) -> bool:
        query = text("SELECT count(*) FROM messages m LEFT JOIN deliveries d ON d.message = m.id "
                     "WHERE d.id IS NULL OR d.state != 'sent'")  # fmt: skip
        waiting = await self.here.ask(lambda db: db.execute(query).scalar())
        return not waiting and len(self.alice_saw()) >= len(self.from_client)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings and an empty store."""
    return with_plain_policy(settings_folder(tmp_path_factory.mktemp("init") / "bank"))


@pytest.fixture(params=["sqlite", "postgresql"])
def environ(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """What says where the store is: in the folder, or in a database of its own."""
    if request.param == "sqlite":
        return {}
    return {"WEIGHBRIDGE_STORE_URL": request.getfixturevalue("postgres").fresh()}


async def one_life(talk: Talk, chance: random.Random, running: Running) -> None:
    """Traffic until the moment that chance has chosen; then SIGKILL."""
    before = talk.arrived()
    talk.go_on(chance.randint(2, 4))
    if chance.random() < 0.5:
        lines = chance.randint(1, 14)
        await within(DEADLINE, lambda: len(running.lines) >= lines or talk.arrived() >= before + 4)
    else:
        more = chance.randint(1, 4)
        await within(DEADLINE, lambda: talk.arrived() >= before + more)
    running.signal(signal.SIGKILL)
    assert await running.ended() == -signal.SIGKILL


async def test_everything_arrives_once_and_in_order(
    template: Path, tmp_path: Path, environ: Mapping[str, str]
) -> None:
    """Killed again and again, both ways: nothing is lost, doubled or out of order, and the store verifies."""
    chance = random.Random(SEED)
    kills = KILLS["postgresql" if environ else "sqlite"]
    async with place(template, tmp_path / "bank", **environ) as here:
        talk = Talk(here)
        for _ in range(kills):
            async with here.daemon() as running:
                await one_life(talk, chance, running)
        async with here.daemon() as running:
            await talk.end()
            running.signal(signal.SIGTERM)
            assert await running.ended() == 0
        assert talk.client_saw() == talk.from_alice
        assert talk.alice_saw() == talk.from_client
        await _nothing_is_wrong(here, kills)


async def _nothing_is_wrong(here: Place, kills: int) -> None:
    async with here.store() as store:
        found: list[object] = []
        keys = verifiers([here.folder / "secrets/checkpoint-key.pub"])
        await store.read(lambda db: verify(db, store.blobs, found.append, keys=keys))
        assert found == []
    still = "state IN ('ready', 'claimed', 'waiting', 'parked')"
    epochs = await here.ask(lambda db: db.execute(text("SELECT epoch FROM lanes")).scalars().all())
    waiting = await here.ask(
        lambda db: db.execute(text(f"SELECT count(*) FROM deliveries WHERE {still}")).scalar()
    )
    assert epochs == [kills + 1]
    assert waiting == 0
