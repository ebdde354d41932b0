"""`weighbridge sinks`: what archives outside have and lack, whether it is still there, and what may be
locked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from buckets import client, serving
from story import Story, Terminal, copy_of_the_story, passed

from bridge.archivist import Archivist, Destination
from bridge.cli import compose
from bridge.cli.output import Exit
from bridge.config import load
from bridge.errors import ConfigError
from bridge.store import copies
from bridge.store.rows import FAR

WHY = ("--as", "bob.li@bank.example", "--reason", "a drill")
POLICY = """\
policy: records
language: 1
title: Copies outside
owner: compliance@bank.example
archive:
  - { id: drop, to: "file://FOLDER", format: jsonl, region: CN }
  - { id: vault, to: "s3://vault", object_lock: compliance, region: CN }
"""


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on a copy of the story, whose policies name a folder and a bucket."""
    copy_of_the_story(tmp_path)
    (tmp_path / "drop").mkdir()
    (tmp_path / "records.yaml").write_text(POLICY.replace("FOLDER", str(tmp_path / "drop")))
    one = Terminal(tmp_path, capsys)
    one.settings(f'[policy]\nfiles = ["{tmp_path}/records.yaml"]\n')
    return one


async def _brought(folder: Path) -> None:
    """Alice wrote, and the folder got its copy."""
    story = Story(folder, ids=iter(range(9000, 9999)))  # type: ignore[arg-type]
    await story.store.own("the next daemon")
    await story.archive(story.says("to the archives"))
    waiting = await story.store.unjudged(9)
    verdict = replace(passed(waiting[-1]), archives=("records/drop", "records/vault"))
    await story.judge(*([passed(one) for one in waiting[:-1]] + [verdict]))
    settings = load(folder / "weighbridge.toml", {})
    named = compose.destinations(compose.policies(settings))
    work = Archivist(story.store, lambda: named, lambda one: compose.sink(settings, one))
    await work.renew()
    assert await work.bring("records/drop") == 1
    story.store.close()


@pytest.fixture
def brought(terminal: Terminal) -> Terminal:
    """The same, with a copy in the folder."""
    asyncio.run(_brought(terminal.folder))
    return terminal


@pytest.fixture
def bucket(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket that locks, and the settings that lead there."""
    with serving(monkeypatch) as url:
        client(url).create_bucket(Bucket="vault", ObjectLockEnabledForBucket=True)
        files = f'[policy]\nfiles = ["{terminal.folder}/records.yaml"]\n'
        terminal.settings(f'{files}[archives]\ns3_endpoint = "{url}"\n')
        yield url


def test_list(terminal: Terminal) -> None:
    """Every archive that a policy names, and how it locks."""
    rows = terminal.type("sinks", "list", "--json").records
    assert [(row["name"], row["lock"]) for row in rows] == [
        ("records/drop", ""),
        ("records/vault", "compliance"),
    ]


@pytest.mark.parametrize("to", ["smtp://localhost:25000000/j@a.example", "ftp://a/b", "s3://AKIA:HUSH@b/c"])
def test_an_address_that_cannot_be_used(terminal: Terminal, to: str) -> None:
    """It is an error of the policy, and of whoever would use it; what it may hold is in no word of ours."""
    (terminal.folder / "records.yaml").write_text(POLICY.replace("file://FOLDER", to))
    answer = terminal.type("sinks", "list")
    assert (answer.code, answer.out) == (Exit.WRONG, "")
    settings = load(terminal.folder / "weighbridge.toml", {})
    with pytest.raises(ConfigError) as wrong:
        compose.sink(settings, Destination("records/drop", to, "native"))
    assert "HUSH" not in str(wrong.value)


def test_status(brought: Terminal) -> None:
    """Who has what; an archive that has lacked a copy for too long is an answer of no."""
    answer = brought.type("sinks", "status", "--json")
    rows = {row["name"]: row for row in answer.records}
    assert (rows["records/drop"]["kept"], rows["records/vault"]["wanted"]) == (1, 1)
    assert answer.code == Exit.DONE if not rows["records/vault"]["late"] else Exit.NO


def test_status_says_why(brought: Terminal) -> None:
    """What keeps copies from an archive stands beside their number: a rehearsal, a policy that names it no
    more, or what it answered."""
    rows = {row["name"]: row for row in brought.type("sinks", "status", "--json").records}
    assert "rehearse" in rows["records/vault"]["why"]
    policy = brought.folder / "records.yaml"
    before = policy.read_text()
    policy.write_text("\n".join(one for one in policy.read_text().splitlines() if "vault" not in one) + "\n")
    answer = brought.type("sinks", "status", "--json")
    rows = {row["name"]: row for row in answer.records}
    assert (answer.code, rows["records/vault"]["why"]) == (Exit.NO, "no policy file names it")
    asyncio.run(_failed(brought.folder))
    policy.write_text(before.replace(", object_lock: compliance", ""))
    rows = {row["name"]: row for row in brought.type("sinks", "status", "--json").records}
    assert rows["records/vault"]["why"] == "s3://vault is away"
    policy.write_text(
        before.replace('"s3://vault", object_lock: compliance', '"smtp://localhost/j@a.example"')
    )
    rows = {row["name"]: row for row in brought.type("sinks", "status", "--json").records}
    assert "mail_sender" in rows["records/vault"]["why"]
    policy.write_text(before.replace(", object_lock: compliance", ""))
    assert brought.type("sinks", "status").code == Exit.NO


def test_status_says_what_a_person_does_about_what_was_refused(brought: Terminal) -> None:
    """Copies that are parked are an answer of no with the remedy; the delivery that waits for one says so,
    and those that wait for nothing do not. What was waived holds nothing up."""
    policy = brought.folder / "records.yaml"
    policy.write_text(policy.read_text().replace(", object_lock: compliance", ""))
    asyncio.run(_walled(brought.folder))
    answer = brought.type("sinks", "status", "--json")
    (row,) = (row for row in answer.records if row["name"] == "records/vault")
    assert (answer.code, row["wanted"], row["parked"]) == (Exit.NO, 0, 1)
    assert "the `approval` by which they leave it" in row["why"]
    assert row["why"].endswith("after that: `weighbridge sinks retry records/vault`")
    listed = brought.type("outbox", "list", "--state", "ready")
    assert listed.out.rstrip().endswith(" records/vault refused its copy: `weighbridge sinks status`")
    rows = brought.type("outbox", "list", "--state", "ready", "--json").records
    assert [row["refused_by"] for row in rows if row["refused_by"]] == [["records/vault"]]
    assert len(rows) > 1
    assert brought.type("sinks", "waive", "records/vault", *WHY).code == Exit.DONE
    other = ("--as", "carol@bank.example", "--reason", "agreed")
    assert brought.type("sinks", "waive", "records/vault", "--approve", *other).code == Exit.DONE
    assert "refused its copy" not in brought.type("outbox", "list", "--state", "ready").out


async def _walled(folder: Path) -> None:
    """The vault refused its copy, and somebody waits for it."""
    story = Story(folder)
    (one,) = await story.store.read(lambda db: copies.due(db, "records/vault", 1 << 60, 9))
    await story.store.write(lambda tx: copies.park(tx, "records/vault", one, "region"))
    query = "UPDATE deliveries SET next_at = ? WHERE message = ?"
    await story.store.write(lambda tx: tx.db.exec_driver_sql(query, (FAR, one.message)))
    story.store.close()


def test_status_counts_locks_that_lag(brought: Terminal) -> None:
    """A copy that is not locked as it has to be by now is counted, and is an answer of no."""
    asyncio.run(_locked_until_yesterday(brought.folder))
    answer = brought.type("sinks", "status", "--json")
    rows = {row["name"]: row for row in answer.records}
    assert (rows["records/vault"]["kept"], rows["records/vault"]["unlocked"]) == (1, 1)
    assert (rows["records/drop"]["unlocked"], answer.code) == (0, Exit.NO)


async def _locked_until_yesterday(folder: Path) -> None:
    """The vault got its copy, and was told no hold for a record without an end."""
    story = Story(folder)
    (one,) = await story.store.read(lambda db: copies.due(db, "records/vault", 1 << 60, 9))
    kept = copies.Kept(one, "ab" * 32, ("o",), "yes", until=1, held=False, to="s3://vault")
    await story.store.write(lambda tx: copies.keep(tx, "records/vault", [kept]))
    story.store.close()


async def _failed(folder: Path) -> None:
    story = Story(folder)
    (one,) = await story.store.read(lambda db: copies.due(db, "records/vault", 1 << 60, 9))
    later = story.clock.now() + 9000
    await story.store.write(lambda tx: copies.postpone(tx, "records/vault", one, later, "s3://vault is away"))
    story.store.close()


def test_check_of_what_cannot_be_used(brought: Terminal, bucket: str) -> None:
    """A bucket that is not there, or does not lock, is not one of which nothing is lost; nor is a place to
    which an archive's name was moved. The others are read all the same."""
    policy = brought.folder / "records.yaml"
    client(bucket).create_bucket(Bucket="open")
    for name, why in (("absent", "make it"), ("open", "no Object Lock")):
        policy.write_text(policy.read_text().replace("s3://vault", f"s3://{name}"))
        answer = brought.type("sinks", "check", "--json", *WHY)
        rows = {row["name"]: row for row in answer.records}
        assert (answer.code, rows["records/drop"]["checked"]) == (Exit.PARTIAL, 1)
        assert why in rows["records/vault"]["detail"]
        policy.write_text(policy.read_text().replace(f"s3://{name}", "s3://vault"))
    (brought.folder / "other").mkdir()
    policy.write_text(policy.read_text().replace("/drop", "/other"))
    answer = brought.type("sinks", "check", "records/drop", "--json", *WHY)
    assert (answer.code, "id of its own" in answer.records[0]["detail"]) == (Exit.PARTIAL, True)
    answer = brought.type("policy", "propose", str(policy), *WHY)
    assert (answer.code, "records/drop has copies at file://" in answer.err) == (Exit.WRONG, True)


def test_check_of_a_policy_knows_the_walls(terminal: Terminal) -> None:
    """An archive to which records of a walled region would not be taken is a warning, and none where the
    settings wall nothing, or there are no settings."""
    policy = terminal.folder / "records.yaml"

    def checked(*options: str) -> tuple[int, bool]:
        with pytest.raises(SystemExit) as answer:
            terminal.type("policy", "check", str(policy), *options)
        told = terminal.capsys.readouterr().out
        return int(answer.value.code or 0), "warning: archive records/vault: lies in us-east-1" in told

    assert checked() == (0, False)
    policy.write_text(policy.read_text().replace("compliance, region: CN", "compliance, region: us-east-1"))
    assert [checked(), checked("--strict")] == [(0, True), (1, True)]
    answer = terminal.type("policy", "propose", str(policy), *WHY)
    assert "warning: archive records/vault: lies in us-east-1" in answer.err
    terminal.settings("[exports]\nwalls = []\n")
    assert checked() == (0, False)
    (terminal.folder / "weighbridge.toml").unlink()
    assert checked() == (0, False)
    policy.write_text(policy.read_text().replace(", region: us-east-1", ""))
    with pytest.raises(SystemExit) as answer:
        terminal.type("policy", "check", str(policy), "--strict")
    told = terminal.capsys.readouterr()
    assert (answer.value.code, "0 warning(s)" in told.out) == (0, True)
    assert "archive records/vault says no `region`, so it counts as outside" in told.err
    assert "records/drop" not in told.err


def test_waive(brought: Terminal) -> None:
    """Where nothing waits for an archive, nothing is waived."""
    answer = brought.type("sinks", "waive", "records/vault", *WHY)
    assert (answer.code, "nothing waits" in answer.err) == (Exit.NO, True)
    assert brought.type("sinks", "waive", "records/vault", "--approve", *WHY).code == Exit.NO


def test_check(brought: Terminal) -> None:
    """Copies that are there as they were taken are right; a changed one is found, told, and brought again."""
    (row,) = brought.type("sinks", "check", "records/drop", "--json", *WHY).records
    assert (row["checked"], row["lost"]) == (1, 0)
    (record,) = (brought.folder / "drop/records").rglob("1-*.jsonl")
    record.chmod(0o600)
    record.write_bytes(b"something else\n")
    answer = brought.type("sinks", "check", "records/drop", "--json", *WHY)
    assert (answer.code, answer.records[0]["lost"]) == (Exit.INTEGRITY, 1)
    rows = {row["name"]: row for row in brought.type("sinks", "status", "--json").records}
    assert (rows["records/drop"]["kept"], rows["records/drop"]["wanted"]) == (0, 1)


def test_collected_files_are_no_loss(brought: Terminal) -> None:
    """A file that somebody fetched and took away is counted apart."""
    (record,) = (brought.folder / "drop/records").rglob("1-*.jsonl")
    record.unlink()
    (row,) = brought.type("sinks", "check", "records/drop", "--json", *WHY).records
    assert (row["checked"], row["lost"], row["detail"]) == (0, 0, "1 collected already")


def test_retry(brought: Terminal) -> None:
    """What was refused comes back by a person's word, which is recorded; without any, the command says so."""
    assert brought.type("sinks", "retry", "records/vault", *WHY).code == Exit.NO
    asyncio.run(_parked(brought.folder))
    answer = brought.type("sinks", "retry", "records/vault", *WHY)
    assert (answer.code, answer.out) == (Exit.DONE, "1 copies for records/vault are wanted again.\n")


async def _parked(folder: Path) -> None:
    story = Story(folder)
    (one,) = await story.store.read(lambda db: copies.due(db, "records/vault", 1 << 60, 9))
    await story.store.write(lambda tx: copies.park(tx, "records/vault", one, "too-large"))
    story.store.close()


def test_rehearse(terminal: Terminal, bucket: str) -> None:
    """A bucket that refuses to delete may lock for good, once somebody says that he understands; a folder
    may not, and one that is not named is not rehearsed."""
    answer = terminal.type("sinks", "rehearse", "records/vault", *WHY)
    assert (answer.code, "AccessDenied" in answer.out) == (Exit.DONE, True)
    answer = terminal.type("sinks", "rehearse", "records/vault", "--i-understand", *WHY)
    assert answer.code == Exit.DONE
    assert terminal.type("sinks", "rehearse", "records/drop", *WHY).code == Exit.NO
    client(bucket).create_bucket(Bucket="open")
    policy = terminal.folder / "records.yaml"
    policy.write_text(policy.read_text().replace("s3://vault", "s3://open"))
    answer = terminal.type("sinks", "rehearse", "records/vault", *WHY)
    assert (answer.code, "make a bucket with Object Lock" in answer.err) == (Exit.NO, True)
    policy.write_text(policy.read_text().replace("s3://open", "s3://vault"))
    assert terminal.type("sinks", "rehearse", "records/drop", "--i-understand", *WHY).code == Exit.FORBIDDEN
    assert terminal.type("sinks", "rehearse", "records/nothing", *WHY).code == Exit.NO
    assert terminal.type("audit", "verify").code == Exit.DONE


def test_doctor_tries_the_archives(terminal: Terminal, bucket: str) -> None:
    """`doctor` says of each archive whether a copy could be kept there, and whether every one could."""
    (terminal.folder / "drop").rmdir()
    with (terminal.folder / "records.yaml").open("a") as policy:
        policy.write('  - { id: journal, to: "smtp://localhost:1/j@a.example", region: CN }\n')
    with (terminal.folder / "weighbridge.toml").open("a") as settings:
        settings.write("mail_max_mb = 25\n")
    rows = [row for row in terminal.type("doctor", "--json").records if row["check"] == "archives"]
    assert [row["ok"] for row in rows] == [False, False, True, False]
    assert "max_file_mb" in rows[0]["detail"] and "is it mounted" in rows[1]["detail"]
