"""Checkpoints outside, from the settings to the auditor: a folder, a bucket, an authority and a room."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from subprocess import run

import pytest
from authority import Authority
from buckets import client, serving
from daemon_rig import place, settings_folder
from story import ENTRIES, Terminal, copy_of_the_story

from bridge.cli import compose
from bridge.cli.output import Exit
from bridge.config import load, unlock
from bridge.notary import Notary
from bridge.store import views
from bridge.store.database import Database
from bridge.store.gathering import notes_in
from connectors.symphony.mock import SymphonyPod

PREFIX = "WEIGHBRIDGE_"
BUCKET = "s3://witness/weighbridge"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """An S3 with one bucket that locks, and one that does not."""
    with pytest.MonkeyPatch.context() as patch, serving(patch) as address:
        account = client(address)
        account.create_bucket(Bucket="witness", ObjectLockEnabledForBucket=True)
        account.create_bucket(Bucket="plain")
        yield address


@pytest.fixture(autouse=True)
def ours(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings name that S3."""
    monkeypatch.setenv(f"{PREFIX}LEDGER_S3_ENDPOINT", s3)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `weighbridge init` writes."""
    return settings_folder(tmp_path_factory.mktemp("init") / "bank")


class AtBank(Terminal):
    """A person at an installation as `init` wrote it."""

    def __post_init__(self) -> None:
        """Its settings stay."""


class Bank:
    """An installation with a place of each kind, and what stands in these places."""

    def __init__(self, folder: Path, pod: SymphonyPod, authority: Authority, tsa: str) -> None:
        self.folder, self.pod, self.authority = folder, pod, authority
        key = (folder / "secrets/symphony-public.pem").read_text()
        pod.add_user("weighbridge", "weighbridge@bank.example", "weighbridge", True, key)
        pod.add_user("bob", "bob.li@bank.example", "Bob Li")
        self.stream = pod.create_room("Witnesses", ["weighbridge", "bob"])
        self.environ = {
            f"{PREFIX}SYMPHONY_POD_URL": pod.url,
            f"{PREFIX}LEDGER_TSA_ROOTS": str(authority.roots),
            f"{PREFIX}LEDGER_ANCHORS": f"kept, {BUCKET}, rfc3161+{tsa}, symphony:{self.stream}",
        }

    def opened(self, patch: pytest.MonkeyPatch) -> tuple[Database, Notary]:
        """Store and notary, as the daemon makes them."""
        for name, value in self.environ.items():
            patch.setenv(name, value)
        settings = unlock(load(self.folder / "weighbridge.toml", os.environ))
        store = compose.store(settings)
        return store, compose.notary(settings, store)

    def posted(self) -> list[str]:
        """The notes in the room."""
        return [note for one in self.pod.messages(self.stream) for note in notes_in(one.presentation)]


@pytest.fixture
async def bank(written: Path, tmp_path: Path, s3: str) -> AsyncIterator[Bank]:
    """Everything is there, and nothing has been signed."""
    folder = tmp_path / "bank"
    shutil.copytree(written, folder)
    pod, authority = SymphonyPod(directory=tmp_path), Authority(tmp_path / "authority")
    async with pod.serve(), authority.serving() as tsa:
        yield Bank(folder, pod, authority, tsa)


async def test_one_checkpoint_reaches_every_place(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same note in folder, bucket and room, stamped by the authority; then an auditor sees it all."""
    store, notary = bank.opened(monkeypatch)
    await store.own("the test")
    await notary.round(last=True)
    assert notary.trouble() == ""
    store.close()
    (kept,) = (bank.folder / "kept").rglob("*.note")
    assert bank.posted() == [kept.read_text()]
    export = bank.folder / "room.json"
    export.write_text(json.dumps([one.presentation for one in bank.pod.messages(bank.stream)]))
    terminal = AtBank(bank.folder, capsys)
    answer = await asyncio.to_thread(terminal.type, "audit", "verify")
    assert answer.code == Exit.DONE, answer
    assert "1 signed checkpoints, 2 outside the database" in answer.out
    assert "1 time stamps by rfc3161+http://127.0.0.1" in answer.out
    for outside in (BUCKET, str(export)):
        answer = await asyncio.to_thread(terminal.type, "audit", "verify", "--anchors", outside)
        assert (answer.code, "1 outside the database" in answer.out) == (Exit.DONE, True)
    handed = bank.folder / "handed over"
    answer = await asyncio.to_thread(terminal.type, "audit", "checkpoint", "--stamps", str(handed))
    assert (answer.out, answer.err) == (kept.read_text(), f"1 time stamps are in {handed}.\n")
    note = next(handed.rglob("*.note"))
    words = ["openssl", "ts", "-verify", "-in", str(note.with_suffix(".tsr")), "-data", str(note)]
    words += ["-CAfile", str(bank.authority.roots)]
    await asyncio.to_thread(run, words, capture_output=True, check=True)
    answer = await asyncio.to_thread(terminal.type, "doctor", "--json")
    tried = [one for one in answer.records if one["check"] == "checkpoints"]
    assert [one["ok"] for one in tried] == [True] * 4
    assert {one["detail"].split(": ")[-1] for one in tried[1:]} == {
        "governance lock, 2557 days", "stamps, by CN=Test authority", "a member of the room",
    }  # fmt: skip


async def test_whatever_is_away_stops_nothing(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bucket without a lock, an authority that nobody trusts, a closed room: signing goes on, each is told
    with a remedy, and the doctor says the same."""
    other = Authority(bank.folder / "other")
    bank.environ[f"{PREFIX}LEDGER_TSA_ROOTS"] = str(other.roots)
    anchors = bank.environ[f"{PREFIX}LEDGER_ANCHORS"].replace(BUCKET, "s3://plain")
    bank.environ[f"{PREFIX}LEDGER_ANCHORS"] = anchors.replace(
        bank.stream, bank.pod.create_room("Closed", ["bob"])
    )
    store, notary = bank.opened(monkeypatch)
    await store.own("the test")
    await notary.round()
    store.close()
    assert len(list((bank.folder / "kept").rglob("*.note"))) == 1
    terminal = AtBank(bank.folder, capsys)
    answer = await asyncio.to_thread(terminal.type, "doctor", "--json")
    doctor = " ".join(
        one["detail"] for one in answer.records if one["check"] == "checkpoints" and not one["ok"]
    )
    for told in (notary.trouble(), doctor):
        assert "make a bucket with Object Lock" in told
        assert "not signed by an authority that is trusted here" in told
        assert "is it a member of the conversation?" in told


async def test_a_daemon_does_not_take_its_own_notes_for_messages(written: Path, tmp_path: Path) -> None:
    """Even in a room that it carries: posted at the start and at the end, archived never, relayed never."""
    async with place(written, tmp_path / "bank") as here:
        async with here.daemon(WEIGHBRIDGE_LEDGER_ANCHORS=f"symphony:{here.stream}") as daemon:
            await daemon.logged("checkpoint:witnessed")
            here.alice_writes("Good morning")
            await here.li_lei_sees("Good morning")
            daemon.signal(signal.SIGTERM)
            assert await daemon.ended() == Exit.DONE
            assert not daemon.named("checkpoint:unanchored")
        posted = [note for one in here.pod.messages(here.stream) for note in notes_in(one.presentation)]
        assert len(posted) == 2
        assert not [text for text in here.li_lei_saw() if "weighbridge/" in text]
        texts = await here.ask(lambda db: [row["text"] for row in views.archive(db, views.Filter(), 99)])
        assert [text for text in texts if "Good morning" in text]
        assert not [text for text in texts if "weighbridge/" in text]


# --- the auditor ----------------------------------------------------------------------------------------


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on a copy of the story."""
    copy_of_the_story(tmp_path)
    return Terminal(tmp_path, capsys)


def test_a_rewritten_history_is_found_by_what_a_bucket_kept(terminal: Terminal, s3: str) -> None:
    """Folder and database agree on a lie; a locked object, hidden under a mark of deletion, does not."""
    account = client(s3)
    account.create_bucket(Bucket="audited", ObjectLockEnabledForBucket=True)
    for note in sorted((terminal.folder / "checkpoints").rglob("*.note")):
        key = str(note.relative_to(terminal.folder / "checkpoints"))
        account.put_object(Bucket="audited", Key=key, Body=note.read_bytes())
    assert terminal.type("audit", "verify", "--anchors", "s3://audited").code == Exit.DONE
    account.delete_object(Bucket="audited", Key=key)
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        db.execute("DELETE FROM checkpoints WHERE size = ?", (ENTRIES,))
    answer = terminal.type("audit", "verify", "--anchors", "s3://audited")
    assert answer.code == Exit.INTEGRITY
    assert f"lane 0 size {ENTRIES}: is gone, and a folder outside" in answer.out


def test_a_bucket_that_is_away_is_told(terminal: Terminal, s3: str) -> None:
    """One of the settings: the rest is checked, exit code 6. One that was asked for: exit code 2."""
    terminal.settings(f'[ledger]\nanchors = ["{terminal.folder}/checkpoints", "s3://nobody-made-it"]\n')
    answer = terminal.type("audit", "verify")
    assert answer.code == Exit.PARTIAL
    assert "s3://nobody-made-it is not there" in answer.err
    assert answer.out.endswith("✓ Everything else is as it was recorded.\n")
    assert terminal.type("audit", "verify", "--anchors", "s3://nobody-made-it").code == Exit.WRONG
    assert terminal.type("audit", "verify", "--anchors", "symphony:abc").code == Exit.WRONG
    assert terminal.type("audit", "verify", "--anchors", "/nowhere").code == Exit.WRONG


def test_nothing_of_it_is_loaded_unless_it_is_used() -> None:
    """Commands start as fast as before: neither boto3 nor the reader of time stamps is loaded."""
    modules = "cli.compose", "notary", "store.verify", "witnesses.bucket", "witnesses.authority"
    script = "; ".join(["import sys", *(f"import bridge.{one}" for one in modules)])
    script += "; print(*({'boto3', 'botocore', 'rfc3161_client'} & set(sys.modules)))"
    answer = run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout == "\n"
