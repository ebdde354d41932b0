"""`weighbridge audit timeline`, `tail` and `stats`: lives in order of time, messages as they come, counts."""

from __future__ import annotations

import asyncio
import csv
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from story import REVIEWER, Story, Terminal, copy_of_the_story

from bridge.cli.audit.counting import bar
from bridge.cli.audit.excerpt import COLOUR, SIGNS, excerpt
from bridge.cli.output import Exit, width


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 120 columns on a copy of the story."""
    monkeypatch.setenv("COLUMNS", "120")
    copy_of_the_story(tmp_path)
    return Terminal(tmp_path, capsys)


@pytest.mark.parametrize("asked", [("show", "11"), ("timeline", "11"), ("timeline", "id:1..4", "--seen")])
def test_a_narrow_terminal_is_not_overrun(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, asked: tuple[str, ...]
) -> None:
    """At sixty columns no line is longer, and nothing is left out."""
    wide = terminal.type("audit", *asked).out
    monkeypatch.setenv("COLUMNS", "60")
    lines = terminal.type("audit", *asked).out.splitlines()
    assert [line for line in lines if width(line) > 60] == []
    lost = {word for word in wide.split() if width(word) < 40} - set(" ".join(lines).split())
    assert lost <= {"TIME", "ID", "ENTRY", "HASH", "STAGE"}


# --- timeline -------------------------------------------------------------------------------------------


def test_a_timeline_has_every_stage_in_order(terminal: Terminal) -> None:
    """From the author's network to the receipt: time, place, hash, policy version, person and reason."""
    (whole_life,) = terminal.type("audit", "timeline", "11", "--json").records
    stages = whole_life["stages"]
    assert [one["kind"] for one in stages] == [
        "", "message:archived", "message:judged", "notice:archived", "hold:released", "message:judged",
        "delivery:permitted", "notice:archived", "delivery:sent",
    ]  # fmt: skip
    assert [one["at"] for one in stages] == sorted(one["at"] for one in stages)
    released = stages[4]
    assert (released["person"], released["reason"]) == (REVIEWER, "a test number")
    assert stages[2]["policies"] == [["cards", "a" * 64]]
    assert all(len(one["leaf"]) == 64 and "/" in one["entry"] for one in stages[1:])
    assert "receipt out" in stages[-1]["stage"]


def test_a_timeline_of_a_conversation(terminal: Terminal) -> None:
    """Both sides, edits and holds, each stage on one line with its message."""
    lines = terminal.type("audit", "timeline", "in:wkWealth/wmLiLei", "OR", "id:1..4").out.splitlines()
    times = [line[:19] for line in lines[1:]]
    assert times == sorted(times)
    page = "\n".join(lines)
    assert "李雷 → Alice Wong: 你好！" in page and "Alice Wong → 李雷: Good morning 李雷" in page
    assert "edited by its sender: message 3" in page


def test_what_the_client_saw(terminal: Terminal) -> None:
    """The other side's view has masked text, late marks and the firm's notices; nothing that was held."""
    page = terminal.type("audit", "timeline", "in:room-li-lei", "--seen").out
    assert "shown to 李雷" in page
    assert "│ odd 4111111111111111" not in page and "│ one ****" in page
    assert "不构成建议。" in page, "what the firm added"
    rows = terminal.type("audit", "timeline", "卡号", "--seen", "--jsonl").records
    assert [(row["reader"], row["text"]) for row in rows] == [("Alice Wong", "卡号 ************1111")]


def test_a_timeline_of_nothing(terminal: Terminal) -> None:
    """A number that is none is an error, a query that finds nothing is not."""
    assert terminal.type("audit", "timeline", "9999").code == Exit.NO
    assert terminal.type("audit", "timeline", "neverwritten").code == Exit.DONE


def test_a_timeline_is_recorded(terminal: Terminal) -> None:
    """With the messages that were shown in it."""
    terminal.type("audit", "timeline", "卡号", "--reason", "complaint")
    (look,) = terminal.type("audit", "searches", "--json").records
    assert (look["command"], look["shown"], look["reason"]) == ("timeline", [4], "complaint")


def test_searches_are_listed_for_people(terminal: Terminal) -> None:
    """Time, person, what was asked and why; nobody at first."""
    assert terminal.type("audit", "searches").err == "Nobody looked.\n"
    terminal.type("audit", "search", "卡号", "--as", "carol", "--reason", "complaint")
    head, line = terminal.type("audit", "searches").out.splitlines()
    assert head.split()[:5] == ["TIME", "WHO", "BY", "FOUND", "ASKED"]
    assert line.split()[2:] == ["carol", "search", "1", "卡号", "complaint"]


# --- tail -----------------------------------------------------------------------------------------------


def test_tail_follows_until_it_is_interrupted(terminal: Terminal) -> None:
    """First what was since a time, then what comes, each once; Ctrl-C ends it with 130."""
    command = [sys.executable, "-c", "from bridge.cli import main; main()"]
    command += ["--config", str(terminal.folder / "weighbridge.toml")]
    command += ["audit", "tail", "text:消息", "OR", "id:56", "--since", "2026-01-01", "--jsonl"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert json.loads(process.stdout.readline())["text"] == "在吗？"
        assert process.stderr.readline() == "Following; Ctrl-C ends it.\n"
        _more(terminal.folder)
        shown = [json.loads(process.stdout.readline())["text"] for _ in range(2)]
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(30) == Exit.INTERRUPTED
    assert (shown, rest) == (["好消息", "坏消息"], "")
    looks = terminal.type("audit", "searches", "--json").records
    assert {one["command"] for one in looks} == {"tail"}
    assert sorted(number for one in looks for number in one["shown"])[0] == 56


def _more(folder: Path) -> None:
    """Three more messages come, and are decided."""

    async def tell() -> None:
        story = Story(folder)
        story.ids = iter(range(1000, 2000))
        await story.store.own("daemon")
        await story.judge()
        for text in ("好消息", "no news", "坏消息"):
            await story.archive(story.answers(text))
            await story.judge()
        story.store.close()

    asyncio.run(tell())


# --- stats ----------------------------------------------------------------------------------------------


def test_stats_count_and_measure(terminal: Terminal) -> None:
    """Days, outcomes, people, hours; how long delivery and decisions took; what waits."""
    page = terminal.type("audit", "stats", "--tz", "UTC").out
    assert page.startswith("60 messages\n")
    assert re.search(r"2026-09-21 +54  █{24}", page)
    assert re.search(r"archive to delivery +42 +", page) and "3 wait for a reviewer now" in page
    (whole_,) = terminal.type("audit", "stats", "is:held", "--json").records
    assert (whole_["count"], whole_["holds"]["open"], sum(whole_["hours"])) == (3, 3, 3)
    assert whole_["delivery_ms"] == {"count": 0, "p50": 0, "p95": 0, "max": 0}


def test_stats_as_csv(terminal: Terminal) -> None:
    """Every number in one table."""
    rows = list(csv.DictReader(terminal.type("audit", "stats", "--csv").out.splitlines()))
    days = {row["value"]: row["count"] for row in rows if row["group"] == "day"}
    assert days == {"2026-09-21": "54", "2026-09-22": "6"}
    assert sum(int(row["count"]) for row in rows if row["group"] == "hour") == 60


def test_stats_of_nothing(terminal: Terminal) -> None:
    """No error, and no empty bars."""
    assert terminal.type("audit", "stats", "neverwritten").out == "0 messages\n"


@pytest.mark.parametrize(("part", "shown"), [(0, ""), (1, "▏"), (50, "█" * 12), (100, "█" * 24)])
def test_bars_are_as_long_as_their_share(part: int, shown: str) -> None:
    """To an eighth of a cell; what is there is seen, however little."""
    assert bar(part, 100 if part != 1 else 10_000) == shown


# --- excerpts -------------------------------------------------------------------------------------------

SOMETHING = st.text(st.sampled_from("ab 内幕消息\n\x1b🙂e\u0301"), max_size=80)


@given(
    SOMETHING,
    st.integers(0, 60),
    st.integers(1, 8),
    st.integers(24, 90),
    st.sampled_from([SIGNS, COLOUR]),
)
def test_an_excerpt_fits_and_shows_the_hit(
    text: str, start: int, length: int, room: int, marks: object
) -> None:
    """Whatever the text: never wider than the room, never a control character, the hit is in it."""
    spans = [(start, start + length)] if start + length <= len(text) else []
    shown = excerpt(text, spans, room, marks)
    plain = shown.text.replace(COLOUR.before, "").replace(COLOUR.after, "")
    assert width(plain) == shown.cells <= room
    assert "\x1b" not in plain and "\n" not in plain
    if spans and marks is SIGNS and text[start].isalnum():
        assert f"⟦{text[start]}" in plain


def test_an_excerpt_begins_soon_before_the_hit() -> None:
    """With what stands before it, and dots where something was left out."""
    text = "很" * 50 + "这条内幕消息不要告诉别人" + "后" * 50
    shown = excerpt(text, [(52, 56)], 30, SIGNS).text
    assert shown.startswith("…") and shown.endswith("…") and "这条⟦内幕消息⟧不要" in shown
