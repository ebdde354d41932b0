"""The commands and the daemon with a store on a PostgreSQL server: what holds for a file holds there."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
import rig
from daemon_rig import Place, Running, place, settings_folder
from postgres import Server
from rig import Clock, Hands, message, new_store, opened, url_of
from story import Terminal

from bridge.cli.output import Exit
from bridge.message import SYMPHONY, WEIXIN


@pytest.fixture
def folder(tmp_path: Path, postgres: Server) -> Iterator[Path]:
    """A folder whose new stores are made in the server."""
    with rig.on(postgres):
        yield tmp_path


@pytest.fixture
async def terminal(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    """Commands on a store in the server, in which one message was sent and one is held."""
    new_store(folder)
    store = opened(folder, Clock())
    await store.own("a daemon that has left")
    hands = Hands(store, Clock())
    await hands.say(message(SYMPHONY, 1, "hello"), message(SYMPHONY, 2, "HOLD it"))
    await hands.send(WEIXIN)
    await store.leave()
    store.close()
    typist = Terminal(folder, capsys)
    typist.settings(f'[policy]\nfiles = ["{folder}/policies/*.yaml"]\n')
    monkeypatch.setenv("WEIGHBRIDGE_STORE_URL", url_of(folder))
    monkeypatch.setenv("WEIGHBRIDGE_PERSON", "carol")
    return typist


COMMANDS = (
    "audit verify",
    "audit show 1 --reason test",
    "audit search hello --reason test",
    "audit reindex",
    "audit stats",
    "review list",
    "review release 2 --reason fine",
    "people list",
    "outbox list",
    "keys status",
    "policy history",
    "freeze --reason test",
    "unfreeze --reason test",
    "keys rotate --reason test",
    "audit verify",
)


def test_every_group_of_commands_works(terminal: Terminal) -> None:
    """Reading, acts of persons, rotation of the keys: at the end the record verifies, and no file has it."""
    answers = {line: terminal.type(*line.split()) for line in COMMANDS}
    assert [line for line, one in answers.items() if one.code != Exit.DONE] == []
    assert list(terminal.folder.glob("*.db")) == []
    assert not Path("search").exists()


def test_a_database_without_a_store_says_what_makes_it(terminal: Terminal, postgres: Server) -> None:
    """An empty one is no error of the server's: the daemon's first start fills it."""
    url = postgres.fresh()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEIGHBRIDGE_STORE_URL", url)
        answer = terminal.type("audit", "verify")
    postgres.drop(url)
    assert "there is no store in PostgreSQL database" in answer.err
    assert "`weighbridge run` makes it" in answer.err


# --- the daemon -----------------------------------------------------------------------------------------


@pytest.fixture
async def here(postgres: Server, tmp_path: Path) -> AsyncIterator[Place]:
    """Both networks up and people introduced, with the store in the server."""
    url = postgres.fresh()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEIGHBRIDGE_STORE_URL", url)
        template = settings_folder(tmp_path / "init")
        async with place(template, tmp_path / "bank", WEIGHBRIDGE_STORE_URL=url) as made:
            yield made
    postgres.drop(url)


async def ready(daemon: Running) -> None:
    """Wait until the daemon is ready and both networks are open."""
    await daemon.heard("READY=1")
    await daemon.heard("STATUS=both networks open")


async def test_a_killed_daemon_is_followed_at_once_and_a_living_one_never(here: Place) -> None:
    """A second one is refused while the first lives; after SIGKILL the next does not wait for the lease, and
    what came meanwhile is delivered once, in order."""
    async with here.daemon() as first:
        await ready(first)
        here.alice_writes("before")
        await here.li_lei_sees("before")
        async with here.daemon() as second:
            assert await second.ended() == Exit.NO
            assert "another daemon works this store" in "".join(second.raw)
        first.signal(signal.SIGKILL)
        await first.ended()
    with psycopg.connect(here.environ["WEIGHBRIDGE_STORE_URL"]) as db:
        db.execute("UPDATE lanes SET lease_until = 1::bigint << 60")
    here.alice_writes("meanwhile")
    async with here.daemon() as third:
        await ready(third)
        await here.li_lei_sees("meanwhile")
    assert here.li_lei_saw() == ["before", "meanwhile"]


async def test_a_daemon_whose_server_goes_away_ends_and_the_next_goes_on(here: Place) -> None:
    """Every connection is ended by the server: the daemon stops with an error, and nothing is lost or sent
    twice."""
    async with here.daemon() as first:
        await ready(first)
        here.alice_writes("before")
        await here.li_lei_sees("before")
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        query += "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        with psycopg.connect(here.environ["WEIGHBRIDGE_STORE_URL"]) as db:
            db.execute(query)
        here.alice_writes("meanwhile")
        assert await first.ended() == Exit.UNREACHABLE
    async with here.daemon() as second:
        await ready(second)
        await here.li_lei_sees("meanwhile")
        second.signal(signal.SIGTERM)
        assert await second.ended() == Exit.DONE
    assert here.li_lei_saw() == ["before", "meanwhile"]
