"""`weighbridge disposal`: what people type and see, from the plan to the certificate."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from disposals import DAY, Firm, firm
from story import START, Terminal

from bridge.cli import compose
from bridge.cli.output import Exit
from bridge.errors import StoreError
from bridge.evidence.package import entries_name
from bridge.store import destruction, sqlite

ALICE, BOB, CAROL = "alice.wong@bank.example", "bob.li@bank.example", "carol@bank.example"


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Firm]:
    """A firm a half of whose records is due, on the day on which the commands are typed."""
    monkeypatch.setattr(compose.WallClock, "now", lambda _: START + 40 * DAY)
    one = firm(tmp_path)
    one.store.close()
    yield one


@pytest.fixture
def terminal(old: Firm, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on it."""
    return Terminal(old.folder, capsys)


def because(person: str) -> tuple[str, ...]:
    """Who types, and why."""
    return "--reason", "their time is over", "--as", person


def test_from_the_plan_to_the_certificate(terminal: Terminal) -> None:
    """Planned, refused with one approval, carried out with two; every count opens its list."""
    planned = terminal.type("disposal", "plan", *because(ALICE))
    assert planned.code == Exit.DONE
    for part in ("22 records", "cards/short: 22", "Alice Wong – 李雷: 22", "2026-09: 22", "retention: 20"):
        assert part in planned.out
    assert len(terminal.type("disposal", "show", "1", "--records", "--json").records) == 22
    stay = terminal.type("disposal", "show", "1", "--kept", "retention", "--json").records
    assert len(stay) == 20
    assert terminal.type("disposal", "approve", "1", *because(ALICE)).code == Exit.FORBIDDEN
    assert "one more" in terminal.type("disposal", "approve", "1", *because(BOB)).out
    refused = terminal.type("disposal", "run", "1", "--as", ALICE)
    assert refused.code == Exit.FORBIDDEN
    assert "nothing is destroyed" in refused.err
    terminal.type("disposal", "approve", "1", *because(CAROL))
    ran = terminal.type("disposal", "run", "1", "--rotate", "--json", "--as", ALICE)
    assert ran.code == Exit.DONE, ran.err
    assert ran.records[0]["state"] == "done"
    text = terminal.type("disposal", "show", "1", "--certificate").out
    for part in (ALICE, BOB, CAROL, "Records destroyed   22", ran.records[0]["digest"]):
        assert part in text
    (said,) = terminal.type("disposal", "show", "1", "--certificate", "--json").records
    assert (said["records"], said["digest"]) == (22, ran.records[0]["digest"])
    assert terminal.type("disposal", "run", "1", "--json", "--as", ALICE).records == ran.records
    assert terminal.type("audit", "verify").code == Exit.DONE
    assert terminal.type("disposal", "list", "--json").records[0]["number"] == 1


def test_a_query_and_a_day_narrow_a_plan_and_it_can_be_withdrawn(terminal: Terminal) -> None:
    """Only what the search finds, archived before that day; a withdrawn plan is listed as that."""
    shown = terminal.type("disposal", "plan", "--query", "report", "--json", *because(ALICE)).records[0]
    assert shown["records"] == 1
    none = terminal.type("disposal", "plan", "--before", "2026-01-01", "--json", *because(ALICE)).records[0]
    assert none["records"] == 0
    assert terminal.type("disposal", "withdraw", "1", *because(BOB)).code == Exit.DONE
    assert "withdrawn" in terminal.type("disposal", "list").out
    assert terminal.type("disposal", "show", "9").code == Exit.NO


def test_the_canary_says_what_came_of_it(terminal: Terminal) -> None:
    """Refused, with the reason; in the ledger afterwards."""
    answer = terminal.type("disposal", "canary")
    assert answer.code == Exit.DONE
    assert "was not destroyed: retention until 2033" in answer.out
    assert terminal.type("disposal", "canary", "--json").records[0]["refused"] is True


def disposes(terminal: Terminal) -> None:
    """Whatever may go goes."""
    terminal.type("disposal", "plan", *because(ALICE))
    for person in (BOB, CAROL):
        terminal.type("disposal", "approve", "1", *because(person))
    assert terminal.type("disposal", "run", "1", "--as", ALICE).code == Exit.DONE


def test_a_run_that_is_not_at_its_end_is_said_everywhere(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun and killed; then certified, while the database's files could not be written anew."""
    terminal.type("disposal", "plan", *because(ALICE))
    for person in (BOB, CAROL):
        terminal.type("disposal", "approve", "1", *because(person))
    with monkeypatch.context() as other:
        other.setattr(destruction, "leftovers", lambda *_: (_ for _ in ()).throw(StoreError("killed")))
        assert terminal.type("disposal", "run", "1", "--as", ALICE).code != Exit.DONE
        assert "✗ disposal   disposal 1 was begun and is not finished" in terminal.type("status").out
        assert "disposal 1 was begun and is not finished" in terminal.type("doctor", "--offline").out
        other.undo()
        other.setattr(destruction, "settle", lambda *_: sqlite.READ)
        ran = terminal.type("disposal", "run", "1", "--as", ALICE)
        assert (ran.code, sqlite.READ in ran.err) == (Exit.DONE, True)
        assert "Disposal 1, done, not settled: 22 of 22 records destroyed" in ran.out
    assert "done, not settled" in terminal.type("disposal", "list").out
    assert "Not settled" in terminal.type("disposal", "show", "1", "--certificate").out
    assert "✗ disposal   what disposal 1 destroyed may still lie" in terminal.type("status").out
    assert terminal.type("disposal", "run", "1", "--json", "--as", ALICE).records[0]["state"] == "done"
    assert "disposal 1" not in terminal.type("status").out
    assert "own files have nothing of it" in terminal.type("disposal", "show", "1", "--certificate").out


def test_what_stayed_after_all_is_shown_before_the_plan(terminal: Terminal) -> None:
    """A list of which nothing went says so first, and its certificate claims no destruction."""
    terminal.type("disposal", "plan", *because(ALICE))
    for person in (BOB, CAROL):
        terminal.type("disposal", "approve", "1", *because(person))
    terminal.type("retention", "extend", "--query", "", "--keep", "2y", "--yes", *because(ALICE))
    ran = terminal.type("disposal", "run", "1", "--as", ALICE).out
    assert "Disposal 1, done: 0 of 22 records destroyed" in ran
    assert ran.index("stayed retention: 22") < ran.index("so it had been planned:")
    text = terminal.type("disposal", "show", "1", "--certificate").out
    assert "Nothing was destroyed" in text
    assert "Destroyed: the data keys" not in text


@pytest.fixture
def disposed(terminal: Terminal) -> Terminal:
    """After a disposal."""
    disposes(terminal)
    return terminal


def test_every_command_lives_with_records_that_are_gone(disposed: Terminal) -> None:
    """What is gone is shown as gone, found by no search, counted by a replay, and breaks nothing."""
    shown = " ".join(disposed.type("audit", "show", "1").out.split())
    assert "under cards/short, disposal 1, approved by bob.li@bank.example, carol@bank.example" in shown
    assert disposed.type("audit", "show", "1", "--json").records[0]["approved_by"] == [BOB, CAROL]
    looking = ("--reason", "a test", "--as", CAROL)
    found = disposed.type("audit", "search", "matter", "--all", "--json", *looking)
    assert found.code == Exit.DONE, found.err
    alone = disposed.type("audit", "search", "id:1", *looking)
    assert "Message 1 was disposed of on 2026-10-31 by disposal 1" in alone.err
    assert disposed.type("hold", "place", "CASE-1", "--message", "1", *looking).code == Exit.NO
    assert disposed.type("audit", "timeline", "1", *looking).code == Exit.NO
    assert disposed.type("audit", "timeline", "matter", *looking).code == Exit.DONE
    replayed = disposed.type("audit", "replay", "--json", *looking)
    assert "disposed of when its term was over" in replayed.out
    for command in (("review", "list"), ("outbox", "list"), ("people", "list"), ("status",)):
        answer = disposed.type(*command)
        assert answer.code in (Exit.DONE, Exit.UNREACHABLE), (command, answer)
    assert disposed.type("audit", "reindex", "--check").code == Exit.DONE
    other = f"sqlite:///{disposed.folder}/other.db"
    copied = disposed.type("store", "copy", "--to", other, "--keep", "--reason", "trial", "--as", CAROL)
    assert copied.code == Exit.DONE, copied.err


def test_a_package_made_before_stays_valid_and_one_made_after_shows_what_is_gone(
    terminal: Terminal, tmp_path: Path
) -> None:
    """The old one needs nothing of the store; the new one has plan, approvals and certificate, with proof."""
    making = ("--reason", "asked", "--as", CAROL)
    before, after = tmp_path / "before.zip", tmp_path / "after.zip"
    made = terminal.type("audit", "evidence", "--message", "1", "--out", str(before), *making)
    assert made.code == Exit.DONE, made.err
    disposes(terminal)
    made = terminal.type("audit", "evidence", "--message", "1", "--out", str(after), *making)
    assert made.code == Exit.DONE, made.err
    assert "matter 0" in checked(before)
    said = checked(after)
    assert "matter 0" not in said
    assert "its content is no longer in the archive" in said
    with zipfile.ZipFile(after) as box:
        entries = box.read(entries_name(0)).decode()
        manifest = box.read("manifest.json").decode()
    for kind in ("record:disposed", "disposal:planned", "disposal:approved", "disposal:certified"):
        assert kind in entries
    assert "disposed of: cards/short, disposal 1" in manifest


def checked(package: Path) -> str:
    """What the outsider's program says of a package, and the package's own report."""
    folder = package.with_suffix("")
    with zipfile.ZipFile(package) as box:
        box.extractall(folder)
    program = folder / "verify.py"
    answer = subprocess.run(
        [sys.executable, str(program), str(package)], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr + (folder / "report.html").read_text()
