"""`weighbridge audit search`: found, shown, counted, paged, recorded; never shown without a record."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import os
import pty
import shlex
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from story import REVIEWER, Story, Terminal, copy_of_the_story

from bridge.cli import output
from bridge.cli.audit import columns, finding
from bridge.cli.output import Exit
from bridge.policy import read
from bridge.store.looks import KINDS

CARD = "4111111111111111"


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 120 columns on a copy of the story."""
    monkeypatch.setenv("COLUMNS", "120")
    copy_of_the_story(tmp_path)
    return Terminal(tmp_path, capsys)


def found(terminal: Terminal, *arguments: str) -> list[int]:
    """The numbers of the messages that a search shows, in order."""
    return [one["message"] for one in terminal.type("audit", "search", "--jsonl", *arguments).records]


def test_an_index_that_nobody_keeps_is_followed_first(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a moment; what is left is opened, and said. Whichever way, the answer is the same."""
    monkeypatch.setattr(finding, "LITTLE_BEHIND", 0)
    monkeypatch.setattr(finding, "PATIENCE", 0.0)
    one = terminal.type("audit", "search", "--jsonl", CARD)
    assert "entries behind" in one.err
    monkeypatch.setattr(finding, "PATIENCE", 60.0)
    other = terminal.type("audit", "search", "--jsonl", CARD)
    assert "behind" not in other.err
    assert one.records == other.records != []


def test_an_index_that_hides_messages_is_found_out(terminal: Terminal) -> None:
    """`reindex --check` says no, and which month; made again, it is in order."""
    assert "complete" in terminal.type("audit", "reindex").out
    assert "hides nothing: 1 month." in terminal.type("audit", "reindex", "--check").out
    with contextlib.closing(sqlite3.connect(terminal.folder / "search" / "contents.db")) as db:
        db.execute("DELETE FROM months")
        db.commit()
    answer = terminal.type("audit", "reindex", "--check")
    assert answer.code == Exit.NO
    assert answer.out.startswith("2026-09: ")
    assert terminal.type("audit", "reindex", "--check", "--json").records[0]["hidden"]["2026-09"][0] == 1
    assert terminal.type("audit", "reindex", "--json").records[0]["months"] == ["2026-09"]
    assert terminal.type("audit", "reindex", "--check").code == Exit.DONE


def test_whoever_doctors_the_index_hides_nothing_without_it(terminal: Terminal) -> None:
    """Search, count, stats and timeline with --no-index find all; footer, JSON and record say so."""
    terminal.hide_everything()
    assert found(terminal, "卡号", "id:1..60") == []
    assert terminal.type("audit", "reindex", "--check").code == Exit.NO
    answer = terminal.type("audit", "search", "卡号", "--no-index")
    assert answer.out.splitlines()[1].split()[0] == "4"
    assert "The index was not asked: each message was opened." in answer.err
    (whole,) = terminal.type("audit", "search", CARD, "--no-index", "--count", "--json").records
    assert (whole["count"], whole["searched"]["indexed"]) == (6, False)
    assert terminal.type("audit", "stats", CARD, "--no-index", "--json").records[0]["count"] == 6
    assert terminal.type("audit", "timeline", "卡号", "--no-index", "--jsonl").records[0]["message"] == 4
    assert [one["indexed"] for one in looks(terminal)] == [False, False, False, False, True]
    assert "--no-index" in terminal.type("audit", "search", "--no-index", "--limit", "1").err


# --- what is found --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        (["卡號"], ["卡号 4111111111111111"]),
        (["意"], ["同意", "您同意吗？"]),
        (["text:GOOD", "morning", "from:alice"], ["Good morning, 李雷", "Good morning 李雷"]),
        (['text:"good morning"', "-is:edited"], ["Good morning, 李雷"]),
        (["report.pdf", "OR", "lost.png"], ["And this", "The report"]),
        (["file:report.pdf"], ["The report"]),
        (["id:1", "OR", "id:2"], ["你好！", "Good morning 李雷"]),
    ],
)
def test_words_and_conditions_find_messages(terminal: Terminal, query: list[str], texts: list[str]) -> None:
    """English and Chinese, Traditional for Simplified, phrases, exclusion, alternatives."""
    rows = terminal.type("audit", "search", "--jsonl", *query).records
    assert [one["text"] for one in rows] == texts


def test_without_a_query_everything_is_listed(terminal: Terminal) -> None:
    """The newest first; --oldest turns it round; --limit and --all say how many."""
    everything = found(terminal, "--all")
    assert everything == sorted(everything, reverse=True) and len(everything) == 60
    assert found(terminal, "--limit", "3", "--oldest") == everything[:-4:-1]
    assert len(found(terminal)) == 50


def test_the_table_marks_hits_and_is_aligned(terminal: Terminal) -> None:
    """Hits stand between marks, around them the text; columns begin at the same cell in every line."""
    head, *lines = terminal.type("audit", "search", CARD).out.splitlines()
    assert head.split() == ["ID", "TIME", "WHO", "STATE", "TEXT"]
    assert all(f"⟦{CARD}⟧" in line for line in lines)
    starts = {output.width(line[: line.index("⟦")].rpartition("  ")[0]) for line in lines}
    assert len(starts) == 1
    assert all(output.width(line) <= 120 for line in lines)


def test_a_narrow_terminal_gets_two_lines_each(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a hundred columns the text has a line of its own, and nothing is wider than the terminal."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = terminal.type("audit", "search", "卡号").out.splitlines()
    assert [line.split()[0] for line in lines] == ["ID", "4", "⟦卡号⟧"]
    assert all(output.width(line) <= 80 for line in lines)


def test_times_are_the_desks(terminal: Terminal) -> None:
    """By option, else by the settings; the footer says which."""
    assert "2026-09-21 22:13:20" in terminal.type("audit", "search", "卡号", "--tz", "Asia/Hong_Kong").out
    terminal.settings('[audit]\ntimezone = "Asia/Shanghai"\n')
    answer = terminal.type("audit", "search", "卡号")
    assert "2026-09-21 22:13:20" in answer.out and "Times: Asia/Shanghai." in answer.err
    assert terminal.type("audit", "search", "--tz", "Atlantis").code == Exit.WRONG


def test_the_footer_says_what_was_searched(terminal: Terminal) -> None:
    """How many messages, of which days, up to which ledger entry and root; how far behind the index is."""
    answer = terminal.type("audit", "search", CARD, "--tz", "UTC")
    assert "Searched: 60 messages, 21 Sep 2026 – 22 Sep 2026, sealed; ledger to #280 (root " in answer.err
    assert "not in the index yet" in answer.err
    whole = json.loads(terminal.type("audit", "search", CARD, "--json").out)
    (lane,) = whole["searched"]["ledger"]
    assert (lane["size"], len(lane["root"])) == (281, 64), "the search before stands in it"
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        (root,) = db.execute("SELECT root FROM heads WHERE size = 281").fetchone()
    assert lane["root"] == root.hex()


# --- forms ----------------------------------------------------------------------------------------------


def test_json_is_one_document(terminal: Terminal) -> None:
    """Query, messages with hits in original characters, how to go on, what was searched."""
    (whole,) = terminal.type("audit", "search", "卡号", "--json").records
    (one,) = whole["messages"]
    assert (one["message"], one["hits"]["text"], one["sent"]) == (4, [[0, 2]], "卡号 ************1111")
    assert (whole["query"], whole["more"], whole["next"]) == ("卡号", False, "")
    assert len(one["leaf"]) == 64
    assert terminal.type("audit", "show", str(one["message"])).code == Exit.DONE


def test_csv_is_read_back(terminal: Terminal) -> None:
    """Columns by name; texts whole, with their line ends and commas."""
    answer = terminal.type(
        "audit", "search", "good morning", "from:alice", "--csv", "--columns", "id,from,text,hash"
    )
    head, *rows = csv.reader(answer.out.splitlines())
    assert head == ["id", "from", "text", "hash"]
    assert [row[:3] for row in rows] == [
        ["3", "Alice Wong", "Good morning, 李雷"],
        ["1", "Alice Wong", "Good morning 李雷"],
    ]


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", *"\uff1d\uff0b\uff0d\uff20\ufe62\ufe63\ufe66\ufe6b"]
)
def test_csv_has_no_formula(start: str) -> None:
    """What a spreadsheet would compute begins with an apostrophe, and is otherwise as it was."""
    (row,) = csv.reader([columns.csv_row([f"{start}HYPERLINK(1)", "plain"])])
    assert row == [f"'{start}HYPERLINK(1)", "plain"]


def test_csv_keeps_escape_sequences(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export says what the record says; a terminal is not steered by it."""
    row = columns.csv_row(["1", "pay \x1b[31mnow\x1b[0m", "a\nb"])
    output.data(row)
    assert capsys.readouterr().out == row
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    output.data(row)
    assert capsys.readouterr().out == row.replace("\x1b", "\\u001b")


def test_unknown_columns_are_named(terminal: Terminal) -> None:
    """With those that there are."""
    answer = terminal.type("audit", "search", "--columns", "id,colour")
    assert answer.code == Exit.WRONG
    assert "'colour' is no column: there are id, time," in answer.err


# --- pages ----------------------------------------------------------------------------------------------


def _arrive(folder: Path) -> None:
    """Somebody writes in the meantime."""

    async def write() -> None:
        story = Story(folder)
        story.ids = iter(range(time.monotonic_ns(), sys.maxsize))
        await story.store.own("daemon")
        await story.archive(story.answers("好消息"))
        story.store.close()

    asyncio.run(write())


def test_the_next_page_is_a_command_and_pages_are_stable(terminal: Terminal) -> None:
    """Typing what is printed shows every message once, though others arrive between the pages."""
    whole, seen, command = found(terminal, "--all"), [], ["audit", "search", "--limit", "7"]
    while command:
        answer = terminal.type(*command)
        seen += [int(line.split()[0]) for line in answer.out.splitlines()[1:]]
        _arrive(terminal.folder)
        following = next((line for line in answer.err.splitlines() if line.startswith("There are more")), "")
        command = shlex.split(following.partition("weighbridge ")[2])
    assert seen == whole


def test_a_page_of_json_tells_the_next(terminal: Terminal) -> None:
    """In the other direction as well."""
    first = json.loads(terminal.type("audit", "search", "--oldest", "--limit", "5", "--json").out)
    second = json.loads(terminal.type(*shlex.split(first["next"])[1:]).out)
    assert [one["message"] for one in first["messages"] + second["messages"]] == list(range(1, 11))


def test_both_ends_of_a_page(terminal: Terminal) -> None:
    """--after and --before give what lies between, whichever comes first."""
    assert found(terminal, "--after", "10", "--before", "13") == [12, 11]
    assert found(terminal, "--after", "10", "--before", "13", "--oldest") == [11, 12]


# --- counts, nothing, errors ----------------------------------------------------------------------------


def test_each_count_opens_its_list(terminal: Terminal) -> None:
    """The query beside a count finds as many messages as it says."""
    (whole,) = terminal.type("audit", "search", CARD, "--facets", "--json").records
    counts = [
        one for name in ("action", "rule", "from", "to", "dir", "during") for one in whole["facets"][name]
    ]
    assert len(counts) > 8
    for one in counts:
        number = terminal.type("audit", "search", *shlex.split(one["query"]), "--count").out
        assert int(number) == one["count"], one


def test_facets_for_people_and_for_spreadsheets(terminal: Terminal) -> None:
    """The same counts in lines and in CSV."""
    page = terminal.type("audit", "search", CARD, "--facets").out
    assert "5  Alice Wong (alice.wong@bank.example)" in page
    rows = list(csv.DictReader(terminal.type("audit", "search", CARD, "--facets", "--csv").out.splitlines()))
    assert {"group": "rule", "value": "cards/card", "count": "6"}.items() <= next(
        row for row in rows if row["group"] == "rule"
    ).items()


def test_nothing_found_names_the_condition(terminal: Terminal) -> None:
    """No error; the condition that leaves nothing is named; --fail-empty makes it an answer for scripts."""
    answer = terminal.type("audit", "search", "卡号", "dir:to_weixin")
    assert (answer.code, answer.out) == (Exit.DONE, "")
    assert "Nothing found.\nWithout `卡号`: 50 messages." in answer.err
    assert terminal.type("audit", "search", "卡号", "dir:to_weixin", "--fail-empty").code == Exit.NO
    assert terminal.type("audit", "search", "卡号", "--fail-empty").code == Exit.DONE


def test_a_wrong_query_is_explained_below_itself(terminal: Terminal) -> None:
    """Every problem, each with a caret and a remedy; nothing is searched or recorded."""
    answer = terminal.type("audit", "search", "form:alice", "(卡号")
    assert (answer.code, answer.out) == (Exit.WRONG, "")
    assert "  | form:alice (卡号\n  | ^^^^^ unknown\n  = did you mean from:" in answer.err
    assert "a parenthesis is opened and never closed" in answer.err
    assert not looks(terminal)


def test_a_name_that_nobody_has_is_said(terminal: Terminal) -> None:
    """Where no name is near it, either, the answer says so; a name that somebody has is not mentioned."""
    answer = terminal.type("audit", "search", "from:zebediah", "OR", "from:alice.wong")
    assert answer.code == Exit.DONE
    assert answer.err.count("nobody of that name is known") == 1
    assert "from:zebediah: nobody of that name is known." in answer.err


def test_a_misspelt_name_is_refused_with_the_nearest(terminal: Terminal) -> None:
    """Names come from the pairs; a name that any message has is never refused."""
    answer = terminal.type("audit", "search", "from:alcie")
    assert answer.code == Exit.WRONG and "did you mean alice" in answer.err
    assert found(terminal, "from:wmStranger") == [56]


def test_names_are_not_suggested_without_a_record(terminal: Terminal) -> None:
    """They are content: who got them, for which question, is written down first, or they are not shown."""
    given = ("--as", REVIEWER, "--reason", "complaint")
    assert "did you mean 李雷" in terminal.type("audit", "search", "from:李x", *given).err
    (one,) = looks(terminal)
    assert (one["query"], one["found"], one["shown"], one["person"]) == ("from:李x", 0, [], REVIEWER)
    for command in ("stats", "timeline"):
        assert "李雷" in terminal.type("audit", command, "from:李x").err
        assert looks(terminal)[0]["command"] == command
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON ledger BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    refused = terminal.type("audit", "search", "from:李x", *given)
    assert refused.code == Exit.UNREACHABLE and "李雷" not in refused.err


@pytest.mark.parametrize("query", ["tag:李x", "group:李x", "rule:alcie", "queue:alcie"])
def test_nobodys_name_is_suggested_for_a_thing(terminal: Terminal, query: str) -> None:
    """What is like a person's name is no tag, label, rule or queue: nothing is found, and no more said."""
    answer = terminal.type("audit", "search", query)
    assert answer.code == Exit.DONE and "did you mean" not in answer.err


def test_tags_and_labels_are_suggested_from_their_own(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels are those of the pairs, tags those of the policies in force."""
    monkeypatch.setattr("bridge.store.views.labels", lambda _: ["research"])
    assert "did you mean research" in terminal.type("audit", "search", "group:reserach").err
    sources, _ = read(sorted((Path(__file__).parents[1] / "policies").glob("*.yaml")))
    monkeypatch.setattr("bridge.store.policies.sources_of", lambda *_: sources)
    assert "did you mean off-channel" in terminal.type("audit", "search", "tag:off-chanel").err


@pytest.mark.parametrize("command", ["search", "stats", "timeline", "tail", "evidence"])
def test_bytes_that_are_no_text_are_no_query(terminal: Terminal, command: str) -> None:
    """Nothing is searched for them, in a query or a reason; the sentence says where they are."""
    out = ("--out", str(terminal.folder / "case.zip"), "--reason", "asked") if command == "evidence" else ()
    answer = terminal.type("audit", command, "内幕\udcff", *out)
    assert answer.code == Exit.WRONG and "the query has bytes that are not UTF-8, after 2" in answer.err
    assert not looks(terminal)


def test_bytes_that_are_no_text_are_no_reason(terminal: Terminal) -> None:
    """What cannot be written down is no reason."""
    answer = terminal.type("audit", "search", "--reason", "\udcff")
    assert (answer.code, answer.out) == (Exit.WRONG, "") and "the reason has bytes" in answer.err


def test_a_misspelt_option_is_no_query(terminal: Terminal) -> None:
    """Conditions that begin with - are, options that do not exist are not."""
    assert terminal.type("audit", "search", "--limt", "3").code == Exit.WRONG
    assert found(terminal, CARD, "-with:wmLiLei") == []


def test_help_and_the_list_of_qualifiers(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Help leads with examples, and fits; the list has every qualifier with an example."""
    monkeypatch.setenv("COLUMNS", "80")
    page = terminal.type("audit", "search", "--help").out
    assert page.index("weighbridge audit search 内幕消息") < page.index("Options:")
    assert all(output.width(line) <= 80 for line in page.splitlines())
    listed = terminal.type("audit", "search", "--qualifiers").out
    assert "from:alice" in listed and "sort:oldest" in listed
    assert not looks(terminal)


# --- the record -----------------------------------------------------------------------------------------


def looks(terminal: Terminal, *arguments: str) -> list[dict]:
    """Who looked, the newest first."""
    return terminal.type("audit", "searches", "--json", *arguments).records


def test_every_search_is_recorded(terminal: Terminal) -> None:
    """Who, why, for which case, what was asked, what was shown; counts as well."""
    given = ("--as", REVIEWER, "--reason", "complaint", "--case", "2026/17")
    terminal.type("audit", "search", "卡号", *given)
    terminal.type("audit", "search", CARD, "--count", *given)
    counted, searched = looks(terminal)
    assert (searched["person"], searched["reason"], searched["case"]) == (REVIEWER, "complaint", "2026/17")
    assert (searched["query"], searched["found"], searched["shown"]) == ("卡号", 1, [4])
    assert (counted["command"], counted["found"], counted["shown"]) == ("count", 6, [])


def test_who_saw_a_message_is_part_of_its_life(terminal: Terminal) -> None:
    """By search and by number; the list of searches can be narrowed to a message, a person, a case."""
    terminal.type("audit", "search", "卡号", "--as", REVIEWER, "--reason", "complaint")
    page = terminal.type("audit", "show", "4", "--as", "carol", "--case", "9").out
    assert f"found by a search by {REVIEWER}: complaint" in page
    assert "shown by carol" in terminal.type("audit", "show", "4").out
    assert [one["command"] for one in looks(terminal, "--message", "4")] == ["show", "show", "search"]
    assert len(looks(terminal, "--person", "BOB")) == len(looks(terminal, "--case", "9")) == 1


@pytest.mark.parametrize("command", [["search"], ["show", "1"], ["timeline", "1"], ["stats"], ["tail"]])
def test_what_cannot_be_recorded_is_not_shown(terminal: Terminal, command: list[str]) -> None:
    """A store that takes no entry any more shows nothing, and says why."""
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON ledger BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    answer = terminal.type("audit", *command)
    assert (answer.code, answer.out) == (Exit.UNREACHABLE, "")
    assert "nothing is shown, because it could not be written down" in answer.err


def test_a_reason_may_be_required(terminal: Terminal) -> None:
    """By the settings; without a terminal and without a reason nothing is shown."""
    terminal.settings('[audit]\nreason = "required"\n')
    for command in (["search"], ["show", "1"], ["timeline", "1"], ["stats"], ["tail"]):
        answer = terminal.type("audit", *command)
        assert (answer.code, answer.out) == (Exit.WRONG, "")
        assert "--reason" in answer.err
    assert terminal.type("audit", "search", "--reason", "asked to").code == Exit.DONE


def test_a_terminal_is_asked_and_sees_colour(terminal: Terminal) -> None:
    """Why do you look? The answer is recorded; hits are coloured there, and marked with NO_COLOR."""
    command = [sys.executable, "-c", "from bridge.cli import main; main()"]
    command += ["--config", str(terminal.folder / "weighbridge.toml"), "audit", "search", "卡号"]
    coloured = _on_a_terminal(command, b"a complaint\n", {"TERM": "xterm"})
    assert "Why do you look" in coloured and "\x1b[1;33m卡号\x1b[0m" in coloured
    assert looks(terminal)[0]["reason"] == "a complaint"
    assert "⟦卡号⟧" in _on_a_terminal(command, b"\n", {"TERM": "xterm", "NO_COLOR": "1"})


def _on_a_terminal(command: list[str], typed: bytes, more: dict[str, str]) -> str:
    """What a terminal shows while a command runs there, with something typed."""
    ours, theirs = pty.openpty()
    os.write(ours, typed)
    environ = {**os.environ, "COLUMNS": "120", **more}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
        assert process.wait(30) == 0
    os.close(ours)
    return shown.decode()


def test_looking_leaves_nothing_else_behind(terminal: Terminal) -> None:
    """Searches add entries of their own kinds, and the store verifies as before."""
    terminal.type("audit", "search")
    terminal.type("audit", "show", "4")
    assert terminal.type("audit", "verify").code == Exit.DONE
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        entries = [json.loads(row[0]) for row in db.execute("SELECT entry FROM ledger WHERE seq >= 280")]
    assert {entry["kind"] for entry in entries} <= set(KINDS)
