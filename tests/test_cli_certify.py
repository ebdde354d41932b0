"""`weighbridge certify`: a page that says whether anything is missing, and that anybody can check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from story import Answer, Terminal, copy_of_the_story

DAY = "2026-09-21"
"""The day of the story."""


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on a copy of the story, with the shipped policies."""
    copy_of_the_story(tmp_path)
    desk = Terminal(tmp_path, capsys)
    shipped = Path(__file__).parents[1] / "policies"
    desk.settings(f'[policy]\nfiles = ["{shipped}/hk-equities.yaml"]\n')
    return desk


def certified(desk: Terminal, *more: str) -> Answer:
    """The story's day, certified without asking a network."""
    return desk.type("certify", "--offline", "--day", DAY, *more)


def test_a_clean_day_is_certified_and_checked_by_anybody(desk: Terminal) -> None:
    """The page says what came in and where it went; it verifies with the public key alone."""
    answer = certified(desk)
    assert answer.code == 0, answer.out + answer.err
    assert "nothing is missing, nothing was changed" in answer.out and "this run asked none" in answer.out
    (file,) = sorted((desk.folder / "certificates").iterdir())
    assert file.name == f"{DAY}-1.txt" and file.read_text().startswith("weighbridge/")
    checked = desk.type("certify", "verify", str(file))
    assert checked.code == 0 and DAY in checked.out
    assert [path.name for path in (desk.folder / "checkpoints/certificates").iterdir()] == [file.name]


def test_a_changed_page_is_refused(desk: Terminal) -> None:
    """One digit of a count, and the page is nobody's."""
    certified(desk)
    (file,) = (desk.folder / "certificates").iterdir()
    file.chmod(0o600)
    file.write_text(file.read_text().replace("collected", "collectet", 1))
    answer = desk.type("certify", "verify", str(file))
    assert answer.code == 5 and "signature" in answer.err


def test_what_is_missing_is_named_and_ends_with_5(desk: Terminal) -> None:
    """One deleted verdict: code 5, its stage, its message, and the list behind the count."""
    import sqlite3

    with sqlite3.connect(desk.folder / "weighbridge.db") as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("DELETE FROM verdicts WHERE message = 3")
    answer = certified(desk, "--json")
    assert answer.code == 5
    (value,) = answer.records
    assert value["totals"]["fault verdict missing"] >= 1
    shown = desk.type("certify", "show", DAY, "--list", "fault verdict missing", "--json")
    assert any("message/3" in row["item"] for row in shown.records)
    assert desk.type("certify", "show", DAY).code == 5


def test_runs_of_a_day_are_listed(desk: Terminal) -> None:
    """A day may be certified again: every run stays, and the last is shown."""
    certified(desk)
    certified(desk)
    rows = desk.type("certify", "list", "--json").records
    assert [(row["day"], row["run"]) for row in rows] == [(DAY, 1), (DAY, 2)]
    assert json.loads(desk.type("certify", "show", DAY, "--json").out)["run"] == 2


def test_every_count_opens_its_list(desk: Terminal) -> None:
    """What was archived is too long for a page: the store lists it, as many as there are."""
    certified(desk)
    listed = desk.type("certify", "show", DAY, "--list", "archived", "--json").records
    assert listed and all(row["item"].startswith("message/") for row in listed)
    unknown = desk.type("certify", "show", DAY, "--list", "nothing of the kind")
    assert unknown.code == 1 and "archived" in unknown.err


def test_a_day_without_a_certificate_says_how_to_make_one(desk: Terminal) -> None:
    """Nothing is certified yet: code 1, and the command that does it."""
    assert desk.type("certify", "alerts").code == 1
    answer = desk.type("certify", "show", DAY)
    assert answer.code == 1 and f"certify --day {DAY}" in answer.err


def test_alerts_of_a_quiet_certificate_are_none(desk: Terminal) -> None:
    """A certificate without anything unusual has no alerts, and says so."""
    certified(desk)
    answer = desk.type("certify", "alerts")
    assert answer.code == 0 and "no alerts" in answer.err


def test_a_span_is_reconciled_whole(desk: Terminal) -> None:
    """Days together are one certificate, called by both ends; a day and a span exclude each other."""
    answer = desk.type("certify", "--offline", "--since", "2026-09-20", "--until", "2026-09-25", "--json")
    assert answer.code == 0 and answer.records[0]["day"] == "2026-09-20..2026-09-24"
    assert desk.type("certify", "--offline", "--day", DAY, "--since", DAY).code == 2
