"""What only a server can do to a daemon: die under it, fill up, take the lock of a process that lives.

Rules of this file: the daemon is `weighbridge run` in a process of its own, the server a real one of this
file's own, since it is killed. In the end everything has arrived once and in order, and the store verifies.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from daemon_rig import Place, Running, place, settings_folder, with_plain_policy, within
from postgres import Server, server
from test_kill import DEADLINE, Talk

from bridge.cli.output import Exit
from bridge.store.signing import verifiers
from bridge.store.verify import verify

DEATHS = 2
"""Times that the server is killed."""

FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON ledger_0 FOR EACH ROW EXECUTE FUNCTION full_disk()
"""

OF_THE_LOCK = "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')"


@pytest.fixture(scope="module")
def mortal() -> Iterator[Server]:
    """A server that may be killed."""
    with server() as running:
        yield running


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings for a store that is elsewhere."""
    return with_plain_policy(settings_folder(tmp_path_factory.mktemp("init") / "bank"))


@pytest.fixture
async def here(mortal: Server, template: Path, tmp_path: Path) -> AsyncIterator[Place]:
    """Both networks up and people introduced, with the store in the server."""
    async with place(template, tmp_path / "bank", WEIGHBRIDGE_STORE_URL=mortal.fresh()) as made:
        yield made


def tell(here: Place, statement: str) -> int:
    """Run a statement in the store's database, as whoever owns it; gives how many rows came of it."""
    with psycopg.connect(here.environ["WEIGHBRIDGE_STORE_URL"], autocommit=True) as db:
        return db.execute(statement).rowcount


def cut(here: Place, whose: str = "true") -> int:
    """End connections of the store from outside; gives how many."""
    others = f"datname = current_database() AND pid <> pg_backend_pid() AND {whose}"
    return tell(here, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")


async def some_traffic(talk: Talk, more: int = 3) -> None:
    """Both write, until some of it has arrived; the rest is under way."""
    before = talk.arrived()
    talk.go_on(4)
    await within(DEADLINE, lambda: talk.arrived() >= before + more)


async def all_is_well(here: Place, talk: Talk, running: Running) -> None:
    """Wait for everything to arrive, leave, and look: nothing lost, nothing doubled, order kept, verified."""
    await running.heard("READY=1")
    await talk.end()
    running.signal(signal.SIGTERM)
    assert await running.ended() == Exit.DONE
    assert talk.client_saw() == talk.from_alice
    assert talk.alice_saw() == talk.from_client
    found: list[object] = []
    keys = verifiers([here.folder / "secrets/checkpoint-key.pub"])
    async with here.store() as store:
        await store.read(lambda db: verify(db, store.blobs.root, found.append, keys=keys))
    assert found == []


async def test_the_server_is_killed_in_the_middle_of_traffic(here: Place, mortal: Server) -> None:
    """Each time the daemon ends with an error; once the server has recovered, another one goes on."""
    talk = Talk(here)
    for _ in range(DEATHS):
        async with here.daemon() as running:
            await some_traffic(talk)
            mortal.kill()
            talk.go_on(1)
            assert await running.ended() == Exit.UNREACHABLE
            mortal.start()
    async with here.daemon() as running:
        await all_is_well(here, talk, running)


async def test_a_full_disk_and_cut_connections(here: Place) -> None:
    """A statement that fails ends the daemon, and so does a connection that is cut while it writes."""
    talk = Talk(here)
    async with here.daemon() as running:
        await some_traffic(talk)
        tell(here, FULL)
        talk.go_on(2)
        assert await running.ended() == Exit.UNREACHABLE
        assert "No space left on device" in "".join(running.raw)
    tell(here, "DROP TRIGGER full_disk ON ledger_0")
    async with here.daemon() as running:
        await some_traffic(talk)
        assert cut(here, f"NOT {OF_THE_LOCK}") > 0
        talk.go_on(1)
        assert await running.ended() == Exit.UNREACHABLE
    async with here.daemon() as running:
        await all_is_well(here, talk, running)


async def test_a_lock_that_was_taken_away_ends_its_daemon(here: Place) -> None:
    """Its other connections live; it ends within the time of a lease, before or after another one begins,
    and nothing is delivered twice."""
    talk = Talk(here)
    async with here.daemon() as first:
        await some_traffic(talk)
        assert cut(here, OF_THE_LOCK) == 1
        async with here.daemon() as second:
            talk.go_on(3)
            assert await first.ended() == Exit.UNREACHABLE
            await all_is_well(here, talk, second)


async def test_a_stopped_daemon_is_fenced_when_it_goes_on(here: Place) -> None:
    """While the server sees its connections nobody takes its lane. Once they are ended another daemon does,
    and the first one, when it wakes up, writes nothing more, sends nothing twice, and ends."""
    talk = Talk(here)
    async with here.daemon() as first:
        await some_traffic(talk)
        talk.go_on(2)
        first.signal(signal.SIGSTOP)
        with _going_on(first):
            async with here.daemon() as refused:
                assert await refused.ended() == Exit.NO
                assert "another daemon works this store" in "".join(refused.raw)
            assert cut(here) > 1  # it may have been stopped with a lock on rows
            async with here.daemon() as second:
                await some_traffic(talk)
                first.signal(signal.SIGCONT)
                talk.go_on(2)
                assert await first.ended() == Exit.UNREACHABLE
                await all_is_well(here, talk, second)


@contextlib.contextmanager
def _going_on(running: Running) -> Iterator[None]:
    """However a test ends, its process does not stay stopped."""
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.process.pid, signal.SIGCONT)
