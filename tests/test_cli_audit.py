"""`weighbridge audit`: an auditor lists, reads one message's life with its proof, and verifies the whole."""

from __future__ import annotations

import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

import pytest
import traffic
from hypothesis import given
from hypothesis import strategies as st
from rig import Clock, Hands, new_store, opened, reword
from sqlalchemy import select
from story import ENTRIES, REVIEWER, START, Terminal, copy_of_the_story

from bridge.cli.audit.given import moment
from bridge.cli.output import Exit
from bridge.sealing import RAW
from bridge.store.database import open_engine
from bridge.store.schema import content

NOON = 1_795_348_800_000  # 2026-11-22 12:00:00 UTC, in milliseconds


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on a copy of the story."""
    copy_of_the_story(tmp_path)
    return Terminal(tmp_path, capsys)


def number_of(terminal: Terminal, words: str) -> str:
    """The message that says exactly this."""
    rows = terminal.type("audit", "search", "--jsonl", "--all").records
    return next(str(row["message"]) for row in rows if row["text"] == words)


# --- times ----------------------------------------------------------------------------------------------


def test_a_time_that_is_none_is_explained(terminal: Terminal) -> None:
    """A mistyped time is refused with examples of what is understood."""
    answer = terminal.type("audit", "searches", "--since", "yesterday")
    assert answer.code == Exit.WRONG
    assert "24h" in answer.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22", NOON - 43_200_000),
        ("2026-11-22T12:00", NOON),
        ("2026-11-22 12:00:00Z", NOON),
        ("2026-11-22T20:00+08:00", NOON),
        ("90m", NOON - 5_400_000),
        ("24h", NOON - 86_400_000),
        ("7d", NOON - 604_800_000),
    ],
)
def test_times_are_read_as_people_write_them(text: str, expected: int) -> None:
    """Days and times are UTC unless they say otherwise; spans count back from now."""
    assert moment(text, NOON) == expected


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_a_printed_time_is_read_back(when: datetime) -> None:
    """Whatever time is printed can be typed as a filter."""
    assert moment(when.isoformat(), NOON) == int(when.timestamp() * 1000)


# --- show -----------------------------------------------------------------------------------------------


def test_show_tells_a_whole_life(terminal: Terminal) -> None:
    """Who, what, every verdict, who released it and why, the delivery, and the entries with their hashes."""
    page = terminal.type("audit", "show", number_of(terminal, "two 4111111111111111")).out
    for words in (
        "Alice Wong (alice.wong@bank.example, symphony)",
        "│ two 4111111111111111",
        "hold, by rule: rule card of policy cards",
        "Payment card numbers (cards/card: hold) at characters 4-20",
        "deliver, by person",
        "into weixin",
        "Notices to its sender",
        f"released by {REVIEWER}: a test number",
        "delivered, receipt out",
    ):
        assert words in page, words


def test_show_in_json_is_one_object(terminal: Terminal) -> None:
    """Programs get everything in one object, leaf hashes whole."""
    (found,) = terminal.type("audit", "show", "1", "--json").records
    assert found["text"] == "Good morning 李雷"
    assert all(len(entry["leaf"]) == 64 for entry in found["entries"])


def test_show_of_an_attachment_and_of_a_notice(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attachments come with size and digest; a notice names the message that it is about."""
    monkeypatch.setenv("COLUMNS", "120")
    page = terminal.type("audit", "show", number_of(terminal, "The report")).out
    assert "report.pdf  archived  17 bytes  sha256 " in page
    notice = terminal.type("audit", "show", number_of(terminal, "Not delivered.")).out
    assert "notice on" in notice


def test_the_original_bytes_are_printed_as_they_came(
    terminal: Terminal,
) -> None:
    """`--raw` writes exactly what the network sent, nothing before and nothing after."""
    number = number_of_raw(terminal)
    command = [sys.executable, "-c", "from bridge.cli import main; main()"]
    command += ["--config", str(terminal.folder / "weighbridge.toml"), "audit", "show", number, "--raw"]
    answer = subprocess.run(command, capture_output=True, check=True)
    assert answer.stdout == b'{"msgtype":"text"}'


def number_of_raw(terminal: Terminal) -> str:
    """The message that came with original bytes."""
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        query = "SELECT m.id FROM messages m JOIN content c ON c.seq = m.entry WHERE length(c.raw) > 0"
        return str(db.execute(query).fetchone()[0])


@pytest.mark.parametrize("options", [[], ["--raw"], ["--json"]])
def test_a_message_that_does_not_exist(terminal: Terminal, options: list[str]) -> None:
    """Nothing is printed for a number that is none; the answer is no."""
    answer = terminal.type("audit", "show", "9999", *options)
    assert (answer.code, answer.out) == (Exit.NO, "")
    assert "no message 9999" in answer.err


def test_text_cannot_steer_the_terminal(terminal: Terminal) -> None:
    """An escape sequence that somebody sent is shown as its code."""
    with open_engine(f"sqlite:///{terminal.folder / 'weighbridge.db'}").begin() as db:
        entry = db.exec_driver_sql("SELECT entry FROM messages").scalars().first()
        reword(db, entry, lambda body: body.replace(b"Good morning", rb"\u001b[2JGood morning"))
    page = terminal.type("audit", "show", "1").out + terminal.type("audit", "search", "id:1").out
    assert "\x1b[2J" not in page
    assert "\\u001b[2JGood morning" in page


# --- verify ---------------------------------------------------------------------------------------------


def test_verify_says_what_was_read(terminal: Terminal) -> None:
    """Counts, size, time and the root hash of the whole ledger; exit code 0."""
    answer = terminal.type("audit", "verify")
    assert (answer.code, answer.err) == (Exit.DONE, "")
    assert f"{ENTRIES} entries, 60 messages" in answer.out
    assert "MB of content, in" in answer.out
    root = next(line for line in answer.out.splitlines() if f"root of {ENTRIES} entries" in line).split()[-1]
    assert len(bytes.fromhex(root)) == 32
    assert answer.out.endswith("✓ Everything is as it was recorded.\n")


def test_verify_names_what_was_changed(terminal: Terminal) -> None:
    """Exit code 5, the place and column of each finding, and none of what was written."""
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        db.execute("UPDATE messages SET sender = '7002' WHERE id = 1")
        db.execute("DELETE FROM receipts WHERE id = 'out4'")
    answer = terminal.type("audit", "verify")
    assert answer.code == Exit.INTEGRITY
    assert "✗ messages id 1, sender: is not what the archived message says" in answer.out
    assert "✗ receipts " in answer.out
    assert "finding(s): this is not what was recorded" in answer.out
    assert "7002" not in answer.out


def test_verify_in_json(terminal: Terminal) -> None:
    """One object for each finding, and the summary as the last."""
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        db.execute("UPDATE deliveries SET state = 'sent' WHERE state = 'parked'")
    answer = terminal.type("audit", "verify", "--json")
    assert answer.code == Exit.INTEGRITY
    *findings, summary = answer.records
    assert [(one["table"], one["column"]) for one in findings] == [("deliveries", "state")]
    assert (summary["findings"], summary["entries"]) == (1, ENTRIES)
    assert summary["roots"]["0"][0] == ENTRIES


@pytest.mark.parametrize(
    "command",
    [["show", "1"], ["timeline", "1"], ["evidence", "--message", "1", "--out", "x.zip", "--reason", "asked"]],
    ids=lambda command: command[0],
)
def test_an_altered_entry_is_named_and_not_shown(
    terminal: Terminal, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever rests on it ends with its place, the command that looks at everything, and exit code 5."""
    monkeypatch.chdir(terminal.folder)
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        (seq,) = db.execute("SELECT entry FROM messages WHERE id = 1").fetchone()
        db.execute("UPDATE ledger SET entry = CAST(entry || ' ' AS BLOB) WHERE seq = ?", (seq,))
    answer = terminal.type("audit", *command)
    assert answer.code == Exit.INTEGRITY
    assert f"entry {seq} of lane 0 is not what was recorded: run `weighbridge audit verify`" in answer.err


@pytest.mark.parametrize(
    ("contents", "mode", "words"),
    [
        (None, 0o640, "others may read the key file"),
        ("", 0o600, "is no key file of this program, or was damaged"),
        ('{"format": 1, "current": "k"}', 0o600, "is no key file of this program, or was damaged"),
        ("another key", 0o600, "is not the one that this store was sealed with"),
    ],
)
def test_a_key_that_cannot_be_used_is_not_held_against_the_store(
    terminal: Terminal, contents: str | None, mode: int, words: str
) -> None:
    """Rights, damage, another key of that name: the keeper's words, exit code 6, and no finding."""
    path = terminal.folder / "secrets/store-key"
    if contents == "another key":
        kept = json.loads(path.read_text())
        contents = json.dumps({**kept, "keys": dict.fromkeys(kept["keys"], b64encode(bytes(32)).decode())})
    if contents is not None:
        path.write_text(contents)
    path.chmod(mode)
    answer = terminal.type("audit", "verify")
    assert answer.code == Exit.PARTIAL
    assert words in answer.out
    assert "✗" not in answer.out and "✓ Everything else is as it was recorded" in answer.out


def test_a_variable_that_is_no_key_is_not_held_against_the_store(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same where the key is in the environment, in bad base64."""
    monkeypatch.setenv("WEIGHBRIDGE_STORE_KEEPER", "environment")
    monkeypatch.setenv("WEIGHBRIDGE_STORE_KEY", "not base64!")
    answer = terminal.type("audit", "verify")
    assert answer.code == Exit.PARTIAL
    assert "holds what is not 32 bytes in base64" in answer.out and "✗" not in answer.out


@pytest.mark.parametrize("first", [0, 8, 30], ids=["header", "schema", "rows"])
def test_verify_of_a_damaged_file(terminal: Terminal, first: int) -> None:
    """Pages of the file overwritten with noise: exit code 5 and a sentence, not a traceback."""
    path = terminal.folder / "weighbridge.db"
    data = bytearray(path.read_bytes())
    for page in range(4096 * first, len(data) - 4096, 4096 * 3):
        data[page : page + 200] = os.urandom(200)
    path.write_bytes(data)
    answer = terminal.type("audit", "verify")
    assert answer.code == Exit.INTEGRITY
    assert "database" in answer.out + answer.err


def test_a_person_sees_progress(terminal: Terminal) -> None:
    """On a terminal a bar goes to standard error; findings and summary go to standard output alone."""
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        db.execute("UPDATE messages SET sender = '7002' WHERE id = 1")
    command = [sys.executable, "-c", "from bridge.cli import main; main()"]
    command += ["--config", str(terminal.folder / "weighbridge.toml"), "audit", "verify", "--json"]
    ours, theirs = pty.openpty()
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, check=False)
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert "reading again" in shown
    *findings, summary = [json.loads(line) for line in answer.stdout.splitlines()]
    assert len(findings) == summary["findings"] > 0


def test_the_story_has_its_day() -> None:
    """The times that these tests filter by are the story's."""
    assert datetime.fromtimestamp(START / 1000, UTC).date().isoformat() == "2026-09-21"


# --- replay ---------------------------------------------------------------------------------------------


@pytest.fixture
async def judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on a store of traffic under a real policy."""
    new_store(tmp_path)
    hands = Hands(opened(tmp_path, clock := Clock()), clock)
    await hands.store.own("the test")
    await traffic.traffic(hands, traffic.policies(), seed=1, count=40)
    hands.store.close()
    return Terminal(tmp_path, capsys)


def test_a_replay_says_that_everything_comes_out_the_same(judged: Terminal) -> None:
    """Counts of what was decided again and of what was skipped, with reasons, and exit code 0."""
    answer = judged.type("audit", "replay")
    assert answer.code == Exit.DONE, answer.out
    *counts, last = answer.out.splitlines()
    assert last == "✓ Every verdict comes out as it was recorded."
    assert re.fullmatch(r"  \d+ identical", counts[0])
    assert any(line.endswith(": the bridge's own words") for line in counts)
    (total,) = judged.type("audit", "replay", "--json").records
    assert f"  {total['identical']} identical" == counts[0]


def test_a_replay_finds_a_record_that_was_tampered_with(judged: Terminal) -> None:
    """The verdict, the field and both values; exit code 1; other messages are not accused."""
    lie = {"text": "as if nothing had been masked"}
    with open_engine(f"sqlite:///{judged.folder / 'weighbridge.db'}").begin() as db:
        query = "SELECT id, message, entry FROM verdicts WHERE outcome = 'redact' LIMIT 1"
        row = db.exec_driver_sql(query).one()
        reword(db, row[2], lambda body: json.dumps(json.loads(body) | lie).encode())
    answer = judged.type("audit", "replay", "--json")
    found, total = answer.records
    assert answer.code == Exit.NO and total["different"] == 1
    assert (found["verdict"], found["message"], found["result"]) == (row[0], row[1], "different")
    (difference,) = found["differences"]
    assert (difference["field"], difference["recorded_length"]) == ("text", 29)
    people = judged.type("audit", "replay", "--id", str(row[1]))
    assert people.code == Exit.NO and "✗ 1 verdict(s) come out differently." in people.out
    assert judged.type("audit", "replay", "--id", str(row[1] + 1)).code == Exit.DONE


SECRET = "as if nothing had been masked"


def _tampered(folder: Path) -> int:
    """Another text in a recorded verdict that masked something; gives its message."""

    def lie(data: bytes) -> bytes:
        body = json.loads(data) | {"text": SECRET}
        body["matches"][0]["title"] = "another title"
        return json.dumps(body).encode()

    with open_engine(f"sqlite:///{folder / 'weighbridge.db'}").begin() as db:
        query = "SELECT message, entry FROM verdicts WHERE outcome = 'redact' LIMIT 1"
        message, entry = db.exec_driver_sql(query).one()
        reword(db, entry, lie)
    return int(message)


def test_a_replay_shows_nobodys_words_unasked(judged: Terminal) -> None:
    """That a text differs, with lengths and place: neither the recorded words nor those of now, for people
    and for programs."""
    message = _tampered(judged.folder)
    shown = judged.type("audit", "replay").out
    rows = judged.type("audit", "search", "--jsonl", "--all").records
    row = next(one for one in rows if one["message"] == message)
    assert SECRET not in shown and row["text"] not in shown
    assert re.search(r"text differs: recorded 29 characters, now \d+, first at character \d+", shown)
    found = judged.type("audit", "replay", "--json").records[0]
    text = next(one for one in found["differences"] if one["field"] == "text")
    assert set(text) == {"field", "recorded_length", "now_length", "first_difference"}
    assert SECRET not in json.dumps(found)


def test_whoever_asks_for_the_words_is_written_down_first(judged: Terminal) -> None:
    """Without a reason they are refused; with one, the ledger has an entry of it."""
    _tampered(judged.folder)
    refused = judged.type("audit", "replay", "--show-text")
    assert refused.code == Exit.WRONG and SECRET not in refused.out
    shown = judged.type("audit", "replay", "--show-text", "--reason", "case 12", "--as", "carol")
    assert f"text: recorded {SECRET}, now" in shown.out
    with open_engine(f"sqlite:///{judged.folder / 'weighbridge.db'}").connect() as db:
        entry = db.exec_driver_sql("SELECT seq FROM ledger WHERE subject = 'audit'").scalar()
        body = db.execute(select(content.c.body).where(content.c.seq == entry)).scalar_one()
    assert json.loads(body) == {"person": "carol", "reason": "case 12"}


def test_differences_are_single_values(judged: Terminal) -> None:
    """A place and two values a line, not the structures that hold them."""
    _tampered(judged.folder)
    shown = judged.type("audit", "replay").out
    assert "matches 1 title: recorded another title, now No card numbers" in shown
    assert "{" not in shown


@pytest.mark.parametrize("body", ["{}", "[]", "no json", b"\xff"])
@pytest.mark.parametrize("whose", ["v.entry", "m.entry"])
def test_a_replay_goes_on_past_a_record_that_cannot_be_read(
    judged: Terminal, body: str | bytes, whose: str
) -> None:
    """Verdict or message: a finding, the others decided again, and the exit code of damaged evidence."""
    with sqlite3.connect(judged.folder / "weighbridge.db") as db:
        (entry,) = db.execute(
            f"SELECT {whose} FROM verdicts v JOIN messages m ON m.id = v.message WHERE v.outcome = 'redact'"
        ).fetchone()
        db.execute("UPDATE content SET body = ? WHERE seq = ?", (body, entry))
    answer = judged.type("audit", "replay")
    assert answer.code == Exit.INTEGRITY
    assert "cannot be read" in answer.out and "✓" not in answer.out
    total = judged.type("audit", "replay", "--json").records[-1]
    assert total["damaged"] >= 1 and total["identical"] > 10


def test_a_policy_that_is_gone_or_altered_is_damage(judged: Terminal) -> None:
    """The ledger says that its bytes were stored: without them, or with others, the evidence is damaged."""
    database = judged.folder / "weighbridge.db"
    with open_engine(f"sqlite:///{database}").begin() as db:
        entry = db.exec_driver_sql("SELECT entry FROM policies").scalars().first()
        reword(db, entry, lambda raw: raw.replace(b"desk", b"task"), RAW)
    answer = judged.type("audit", "replay")
    assert answer.code == Exit.INTEGRITY and "is no longer what was stored" in answer.out
    with sqlite3.connect(database) as db:
        db.execute("DELETE FROM policies")
    answer = judged.type("audit", "replay")
    assert answer.code == Exit.INTEGRITY and "was stored and is gone" in answer.out


def test_a_replay_says_what_it_cannot_decide_again(terminal: Terminal) -> None:
    """Policies that were never stored: counted, with the reason; that is no success."""
    answer = terminal.type("audit", "replay")
    assert answer.code == Exit.NO and "✓" not in answer.out
    assert "not replayable" in answer.out and "not in the archive, although it came into force" in answer.out
    assert "could not be decided again; none was." in answer.out


@pytest.mark.parametrize("chosen", [("--id", "99999"), ("--since", "2099-01-01")])
def test_nothing_to_replay_is_no_success(judged: Terminal, chosen: tuple[str, str]) -> None:
    """No such message, or a time that has not come."""
    answer = judged.type("audit", "replay", *chosen)
    assert answer.code == Exit.NO
    assert answer.out.splitlines()[-1].startswith("Nothing to replay") and "✓" not in answer.out
    (total,) = judged.type("audit", "replay", *chosen, "--json").records
    assert sum(n for n in total.values() if isinstance(n, int)) == 0
