"""`weighbridge certify`: a page that says whether anything is missing, and that anybody can check."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from story import Answer, Terminal, copy_of_the_story

from bridge.cli import certify
from bridge.message import SYMPHONY, WEIXIN

DAY = "2026-09-21"
"""The day of the story."""


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal on a copy of the story, with the shipped policies, on the morning after it."""
    copy_of_the_story(tmp_path)
    monkeypatch.setattr(certify, "_last", lambda _: date.fromisoformat(DAY))
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
    assert answer.code == 1, answer.out + answer.err
    assert "not asked: symphony, weixin" in answer.out and "nothing is missing" not in answer.out
    (file,) = sorted((desk.folder / "certificates").iterdir())
    assert file.name == f"{DAY}-1.txt" and file.read_text().startswith("weighbridge/")
    checked = desk.type("certify", "verify", str(file))
    assert checked.code == 1 and DAY in checked.out
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
    assert [(row["of"], row["unasked"]) for row in rows] == [("a whole day", [SYMPHONY, WEIXIN])] * 2
    assert f"{SYMPHONY}, {WEIXIN}" in desk.type("certify", "list").out
    assert json.loads(desk.type("certify", "show", DAY, "--json").out)["run"] == 2


def test_disposal_is_tried_once_for_a_certificate(desk: Terminal) -> None:
    """The engine is asked one time to destroy what has to be kept, and the ledger has one answer."""

    def answers() -> int:
        with sqlite3.connect(desk.folder / "weighbridge.db") as db:
            (count,) = db.execute("SELECT count(*) FROM ledger WHERE subject = 'canary'").fetchone()
        return int(count)

    before = answers()
    certified(desk)
    assert answers() == before + 1


def test_every_count_opens_its_list(desk: Terminal) -> None:
    """What was archived is too long for a page: the store lists it, as many as there are."""
    (made,) = certified(desk, "--json").records
    for account in made["accounts"]:
        for count, number in account["counts"].items():
            name = f"{account['kind']} {account['name']} {count}"
            if account["kind"] != "export" and count != "own":
                assert len(desk.type("certify", "show", DAY, "--list", name, "--json").records) == number, (
                    name
                )
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
    """Nothing is unusual but what the story leaves undone, and that nobody was asked; that is said of the
    last whole day, with the command that asks."""
    certified(desk)
    left, nobody, undone = desk.type("certify", "alerts", "--json").records
    assert "nobody has decided about them" in left["alert"]
    assert nobody == {"day": DAY, "run": 1, "alert": "no network was asked"}
    assert f"`weighbridge certify --day {DAY}`" in undone["alert"]


def test_what_stands_is_settled_by_a_person_with_a_reason(desk: Terminal) -> None:
    """The alerts are gone, and who said why is in the ledger; there is nothing to settle twice."""
    certified(desk)
    why = ("--reason", "made while both were away")
    assert desk.type("certify", "settle", DAY, *why).code == 2, "whoever settles says what was looked at"
    answer = desk.type("certify", "settle", DAY, "--run", "1", *why)
    assert answer.code == 0 and DAY in answer.out and "no network was asked" in answer.out, answer.err
    assert desk.type("certify", "alerts").code == 0
    again = desk.type("certify", "settle", DAY, "--run", "1", "--reason", "once more")
    assert again.code == 1 and "certify alerts" in again.err
    certified(desk)
    assert desk.type("certify", "alerts").code == 0, "a later run that finds the same opens nothing"


def test_alerts_name_what_differs_and_how_to_see_and_settle_it(desk: Terminal) -> None:
    """The first few items of each list, where the rest is, and the run to settle; of one day everything. Who
    read less than stands by now is told so."""
    certified(desk)
    with sqlite3.connect(desk.folder / "weighbridge.db") as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("DELETE FROM verdicts")
    certified(desk)
    answer = desk.type("certify", "alerts")
    assert answer.code == 1 and "fault verdict missing: verdict of message/" in answer.out
    assert f"more: `weighbridge certify alerts {DAY}`" in answer.out
    assert "settle DAY --run RUN" in answer.err
    first = answer.out.splitlines()[1]
    assert first.split()[:3] == [DAY, "2", "fault"], "what differs comes first"
    whole = desk.type("certify", "alerts", DAY)
    assert len(whole.out.splitlines()) > len(answer.out.splitlines()) and " more: " not in whole.out
    late = desk.type("certify", "settle", DAY, "--run", "1", "--reason", "seen")
    assert late.code == 1 and "by now run 2 stands" in late.err
    assert desk.type("certify", "show", DAY, "--run", "1").code == 1
    assert desk.type("certify", "settle", DAY, "--run", "2", "--reason", "seen").code == 0


def test_a_day_that_nobody_certified_is_settled_as_well(desk: Terminal) -> None:
    """Nothing is known of it, and that is what is settled: run 0."""
    answer = desk.type("certify", "alerts")
    assert f"{DAY}    0  was never certified: `weighbridge certify --day {DAY}`" in answer.out
    assert desk.type("certify", "settle", DAY, "--run", "0", "--reason", "before we went live").code == 0
    assert desk.type("certify", "alerts").code == 0


@pytest.mark.parametrize("value", ["'x'", "'{}'"])
def test_an_entry_that_is_none_any_more_is_an_error_line(desk: Terminal, value: str) -> None:
    """Somebody wrote over what the ledger says of a certificate: every command says so in a line, the day can
    be certified once more, and a person says why."""
    certified(desk)
    with sqlite3.connect(desk.folder / "weighbridge.db") as db:
        db.execute(f"UPDATE ledger SET entry = {value} WHERE subject LIKE 'day/%'")
    for command in (("list",), ("alerts",), ("show", DAY)):
        answer = desk.type("certify", *command)
        assert answer.code == 5 and DAY in answer.out + answer.err and "Traceback" not in answer.err
    assert certified(desk, "--json").records[0]["run"] == 2
    (entry,) = {one["day"] for one in desk.type("certify", "alerts", "--json").records} - {DAY}
    assert desk.type("certify", "settle", entry, "--run", "0", "--reason", "ticket 4711").code == 0
    assert desk.type("certify", "alerts").code == 1, "nobody was asked for the day"


def test_days_that_cannot_be_are_refused(desk: Terminal) -> None:
    """The last day that a calendar has is none that anybody certifies; one to come is said to be that."""
    assert desk.type("certify", "--offline", "--day", "9999-12-31").code == 2
    assert desk.type("certify", "--offline", "--day", "2999-12-31").code == 2
    answer = desk.type("certify", "show", "2999-12-31")
    assert answer.code == 1 and "has not begun" in answer.err


def test_a_span_is_reconciled_whole(desk: Terminal) -> None:
    """Days together are one certificate, called by both ends; a day and a span exclude each other."""
    answer = desk.type("certify", "--offline", "--since", "2026-09-20", "--until", "2026-09-25", "--json")
    assert answer.code == 1 and answer.records[0]["day"] == "2026-09-20..2026-09-24"
    assert desk.type("certify", "--offline", "--day", DAY, "--since", DAY).code == 2
    assert desk.type("certify", "show", "2026-09-20..2026-09-24").code == 1


def test_a_span_that_begins_today_is_shown(desk: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is longer than the day's: it has begun all the same."""
    monkeypatch.setattr(certify, "_now", lambda: datetime.fromisoformat(f"{DAY}T12:00:00+00:00"))
    assert desk.type("certify", "--offline", "--since", DAY, "--until", "2026-09-22").code == 1
    assert desk.type("certify", "show", f"{DAY}..{DAY}").code == 1
    assert "has not begun" in desk.type("certify", "show", "2026-09-22..2026-09-22").err


@pytest.mark.parametrize(
    "written",
    [
        ("--day", "2131-01-01"),
        ("--day", "0001-01-01"),
        ("--since", "2026-09-25", "--until", "2026-09-20"),
        ("--since", "2026-09-25", "--until", "2026-09-25"),
        ("--since", "2131-01-01"),
    ],
)
def test_what_has_not_begun_or_runs_back_is_not_certified(desk: Terminal, written: tuple[str, ...]) -> None:
    """No page says that nothing is missing of a day that is still to come, or of no day at all."""
    answer = desk.type("certify", "--offline", *written)
    assert answer.code == 2 and "Traceback" not in answer.err
    assert desk.type("certify", "list", "--json").records == []


def test_a_name_that_is_no_day_is_refused(desk: Terminal) -> None:
    """The thirteenth month is a mistake in writing, and no command would certify it."""
    for name in ("2026-13-99", "2026-09-20..", "..2026-09-20", "yesterday"):
        assert desk.type("certify", "show", name).code == 2


def test_a_later_run_washes_nothing_clean(desk: Terminal) -> None:
    """Something is missing; then it is put back, and the day certified again: the page has the earlier run,
    and whoever checks the file is told of it, and of what was not asked."""
    path = desk.folder / "weighbridge.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        rows = db.execute("SELECT * FROM verdicts WHERE message = 3").fetchall()
        db.execute("DELETE FROM verdicts WHERE message = 3")
    assert certified(desk).code == 5
    with sqlite3.connect(path) as db:
        marks = ", ".join("?" * len(rows[0]))
        db.executemany(f"INSERT INTO verdicts VALUES ({marks})", rows)
    answer = certified(desk)
    assert answer.code == 1 and "earlier runs of the same day" in answer.out
    assert "run 1, made" in answer.out and "3 differences" in answer.out
    first, second = sorted((desk.folder / "certificates").iterdir())
    checked = desk.type("certify", "verify", str(second))
    assert checked.code == 1 and "run 1, made" in checked.out
    assert desk.type("certify", "verify", str(first)).code == 5


def test_a_folder_that_cannot_be_written_to_is_told(desk: Terminal) -> None:
    """The certificate is made and shown, the folder is named; the next run brings what is lacking there."""
    folder = desk.folder / "certificates"
    folder.write_text("in the way")
    answer = certified(desk)
    assert answer.code == 1 and str(folder) in answer.err and "Traceback" not in answer.err
    folder.unlink()
    certified(desk)
    assert sorted(path.name for path in folder.iterdir()) == [f"{DAY}-1.txt", f"{DAY}-2.txt"]


def test_the_ledger_itself_is_looked_at(desk: Terminal) -> None:
    """An entry deleted from the ledger is a difference, whatever it was about."""
    with sqlite3.connect(desk.folder / "weighbridge.db") as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("DELETE FROM ledger WHERE seq = 40")
    answer = certified(desk)
    assert answer.code == 5 and "ledger lane 0 seq 40" in answer.out


def test_json_is_alone_on_its_stream(desk: Terminal) -> None:
    """What programs read is one line, and no line of a log."""
    answer = certified(desk, "--json")
    assert len(answer.out.splitlines()) == 1 and json.loads(answer.out)["day"] == DAY


@pytest.mark.parametrize("change", ["body = CAST(x'ff' || body AS TEXT)", "body = zeroblob(200)", None])
def test_a_certificate_that_was_changed_is_refused(desk: Terminal, change: str | None) -> None:
    """Whatever was done to it: code 5, one sentence, and no raw bytes on the terminal."""
    certified(desk)
    where = f"WHERE seq = (SELECT seq FROM ledger WHERE subject = 'day/{DAY}')"
    with sqlite3.connect(desk.folder / "weighbridge.db") as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute(f"UPDATE content SET {change} {where}" if change else f"DELETE FROM content {where}")
    answer = desk.type("certify", "show", DAY)
    assert answer.code == 5 and answer.err.isascii() and "not what the ledger testifies to" in answer.err


@pytest.mark.parametrize(("minute", "day"), [(0, "2026-11-21"), (1, "2026-11-22")])
def test_yesterday_is_a_day_that_has_settled(minute: int, day: str) -> None:
    """Within a minute of midnight, the day before the last: nobody is told that half of a day is missing."""
    name, since, until = certify._span(None, None, None, datetime(2026, 11, 23, 0, minute, tzinfo=UTC))
    assert (name, until - since) == (day, 86_400_000)
