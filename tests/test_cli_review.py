"""`weighbridge review`: a reviewer sees what waits and why, and decides; each act is recorded and told."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
import traffic
from hypothesis import given
from hypothesis import strategies as st
from rig import Clock, Hands, message, new_store, opened
from story import REVIEWER, START, Terminal, copy_of_the_story

from bridge.cli.output import Exit
from bridge.cli.review import MARKS, _standing, marked
from bridge.message import WEIXIN


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on a copy of the story."""
    copy_of_the_story(tmp_path)
    return Terminal(tmp_path, capsys)


def held(terminal: Terminal, text: str) -> str:
    """The number of the held message that says `text`."""
    (found,) = (row for row in terminal.type("review", "list", "--json").records if text in row["text"])
    return str(found["message"])


def test_the_list_says_who_what_and_why(terminal: Terminal) -> None:
    """Each held message stands on a line of its own: sender, reader, the rule's title, the text."""
    answer = terminal.type("review", "list")
    assert answer.code == Exit.DONE
    head, *lines = answer.out.splitlines()
    assert head.split() == ["ID", "HELD", "QUEUE", "DUE", "FROM", "TO", "WHY", "TEXT"]
    assert len(lines) == 3
    assert "Alice Wong  李雷" in lines[1]
    assert "Payment card numbers" in lines[1]
    assert "odd 4111111111111111" in lines[1]
    assert "nobody (not paired)" in lines[2]


def test_the_list_in_json_has_times_and_rules(terminal: Terminal) -> None:
    """`--json` gives one object a line, with times in milliseconds and the titles of the rules."""
    rows = terminal.type("review", "list", "--json").records
    assert [row["cause"] for row in rows] == ["failure", "rule", "default"]
    assert rows[1]["rules"] == ["Payment card numbers"]
    assert rows[0]["held_at"] > rows[0]["at"] > 0


def test_an_empty_list_says_so(terminal: Terminal) -> None:
    """With nothing held, standard output is empty and standard error says it."""
    for row in terminal.type("review", "list", "--json").records:
        terminal.type("review", "reject", str(row["message"]), "--reason", "cleaning up")
    answer = terminal.type("review", "list")
    assert (answer.code, answer.out, answer.err) == (Exit.DONE, "", "Nothing is held.\n")


def test_show_marks_what_was_found(terminal: Terminal) -> None:
    """The passage a rule found stands between marks, beside the rule, its reason, and what would go out."""
    answer = terminal.type("review", "show", held(terminal, "odd"))
    assert answer.code == Exit.DONE
    assert "│ odd ⟦4111111111111111⟧" in answer.out
    assert "│ odd ****" in answer.out
    assert "Payment card numbers (rule card of cards, would hold)" in answer.out
    assert "alice.wong@bank.example" in answer.out


def test_show_prints_commands_that_work(terminal: Terminal) -> None:
    """The commands that `show` prints can be typed as they stand, with a reason put in."""
    page = terminal.type("review", "show", held(terminal, "odd")).out
    commands = [line.split()[1:] for line in page.splitlines() if line.strip().startswith("weighbridge")]
    assert [command[1] for command in commands] == ["release", "release", "reject"]
    answer = terminal.type(*(word.replace("TEXT", "his own card") for word in commands[1]))
    assert answer.code == Exit.DONE


def test_show_tells_how_to_pair_a_stranger(terminal: Terminal) -> None:
    """A message of somebody who is not paired shows the command that pairs them, with their id in it."""
    page = terminal.type("review", "show", held(terminal, "在吗")).out
    assert "nobody: this chat is not paired" in page
    assert "weighbridge people pair ADVISOR wkWealth/wmStranger --reason TEXT" in page


def test_show_names_attachments_that_are_missing(terminal: Terminal) -> None:
    """What could not be read is named, with the reason for the hold."""
    page = terminal.type("review", "show", held(terminal, "And this")).out
    assert "📎 lost.png (missing)" in page
    assert "1 attachment(s) could not be read" in page


def test_show_of_something_never_held_is_refused(terminal: Terminal) -> None:
    """Asking for a message that was never held answers no, and says where to look."""
    answer = terminal.type("review", "show", "1")
    assert answer.code == Exit.NO
    assert "review list" in answer.err


# --- who looked -----------------------------------------------------------------------------------------


def test_who_is_shown_a_held_message_is_on_record(terminal: Terminal) -> None:
    """A page and a list alike: who, why, for which case, and the numbers; an empty list shows nothing."""
    number = held(terminal, "odd")
    given = ("--as", REVIEWER, "--reason", "her queue", "--case", "9")
    terminal.type("review", "list", "--queue", "nobody's", *given)
    terminal.type("review", "list", *given)
    terminal.type("review", "show", number, *given)
    shown, listed, first = terminal.type("audit", "searches", "--json").records
    assert (shown["kind"], shown["command"], shown["shown"]) == (
        "message:shown", "review show", [int(number)],
    )  # fmt: skip
    assert (listed["kind"], listed["command"], listed["query"]) == ("search:made", "review list", "held")
    assert listed["shown"] == first["shown"] and int(number) in listed["shown"] and listed["found"] == 3
    assert {(one["person"], one["reason"], one["case"]) for one in (shown, listed)} == {
        (REVIEWER, "her queue", "9")
    }


@pytest.mark.parametrize("command", [["list"], ["show"]])
def test_what_cannot_be_recorded_is_not_shown(terminal: Terminal, command: list[str]) -> None:
    """A store that takes no entry any more shows nothing; nor is anything shown without a required reason."""
    typed = ["review", *command, *([held(terminal, "odd")] if command == ["show"] else [])]
    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON ledger BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    answer = terminal.type(*typed)
    assert (answer.code, answer.out) == (Exit.UNREACHABLE, "")
    assert "nothing is shown, because it could not be written down" in answer.err
    terminal.settings('[audit]\nreason = "required"\n')
    answer = terminal.type(*typed)
    assert (answer.code, answer.out) == (Exit.WRONG, "") and "--reason" in answer.err


# --- acts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "text"), [([], "odd ****"), (["--as-written"], "odd 4111111111111111")])
def test_release_lets_the_message_go(terminal: Terminal, options: list[str], text: str) -> None:
    """Released, it is in the outbox: masked, or as written when that is asked for; the act is on record."""
    number = held(terminal, "odd")
    answer = terminal.type(
        "review", "release", number, "--reason", "his own card", "--as", REVIEWER, *options
    )
    assert (answer.code, answer.err) == (Exit.DONE, "")
    assert f"Message {number} goes on its way" in answer.out
    assert REVIEWER in answer.out
    (found,) = terminal.type("audit", "show", number, "--json").records
    assert found["state"] == "released"
    assert found["verdicts"][-1]["text"] == text
    assert [one["state"] for one in found["deliveries"]] == ["ready"]
    act = next(entry for entry in found["entries"] if entry["kind"] == "hold:released")
    assert (act["person"], act["reason"]) == (REVIEWER, "his own card")


def test_reject_keeps_the_message_back(terminal: Terminal) -> None:
    """Rejected, it goes nowhere, stays in the archive, and cannot be decided again."""
    number = held(terminal, "odd")
    assert terminal.type("review", "reject", number, "--reason", "not by chat").code == Exit.DONE
    (found,) = terminal.type("audit", "show", number, "--json").records
    assert (found["state"], found["deliveries"]) == ("rejected", [])
    again = terminal.type("review", "release", number, "--reason", "changed my mind")
    assert again.code == Exit.NO
    assert "not waiting for review" in again.err


def test_a_stranger_cannot_be_released(terminal: Terminal) -> None:
    """A message that leads nowhere is not released, and the answer says what to do first."""
    answer = terminal.type("review", "release", held(terminal, "在吗"), "--reason", "seems fine")
    assert answer.code == Exit.NO
    assert "people pair" in answer.err


@pytest.mark.parametrize(
    "arguments", [[], ["--reason", "  "], ["--reason", "fine", "--as", " "]], ids=["no", "blank", "nobody"]
)
def test_an_act_needs_a_person_and_a_reason(terminal: Terminal, arguments: list[str]) -> None:
    """Without a reason, with a blank one, or signed by nobody, nothing happens."""
    number = held(terminal, "odd")
    assert terminal.type("review", "release", number, *arguments).code == Exit.WRONG
    assert held(terminal, "odd") == number


def test_the_person_may_come_from_the_environment(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WEIGHBRIDGE_PERSON signs acts where nobody is named."""
    monkeypatch.setenv("WEIGHBRIDGE_PERSON", "alice.wong@bank.example")
    answer = terminal.type("review", "reject", held(terminal, "odd"), "--reason", "no")
    assert answer.code == Exit.DONE
    assert "rejected by alice.wong@bank.example" in answer.out


def test_without_a_store_the_remedy_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before the daemon has ever run there is nothing to list; the answer says how a store is made."""
    answer = Terminal(tmp_path, capsys).type("review", "list")
    assert answer.code == Exit.UNREACHABLE
    assert "weighbridge run" in answer.err
    assert not (tmp_path / "weighbridge.db").exists()


def test_a_file_that_is_no_store_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of something else at the store's place gives a sentence, not a traceback."""
    (tmp_path / "weighbridge.db").write_bytes(b"not a database at all" * 100)
    answer = Terminal(tmp_path, capsys).type("review", "list")
    assert answer.code == Exit.UNREACHABLE
    assert "cannot be read" in answer.err


def test_a_store_of_another_version_is_refused(terminal: Terminal) -> None:
    """Tables that this program does not know are not touched."""
    import sqlite3

    with sqlite3.connect(terminal.folder / "weighbridge.db") as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    answer = terminal.type("review", "list")
    assert answer.code == Exit.UNREACHABLE
    assert "version 9999" in answer.err


@given(st.text(st.characters(exclude_categories=["C"]), max_size=40), st.data())
def test_marks_change_no_character(text: str, data: st.DataObject) -> None:
    """Whatever the spans, taking the marks out again gives the text, and marks come in pairs."""
    place = st.integers(0, len(text))
    spans = data.draw(st.lists(st.tuples(place, place).map(sorted), max_size=4))
    shown = "\n".join(marked(text, spans))
    assert shown.replace(MARKS[0], "").replace(MARKS[1], "") == text.replace(MARKS[0], "").replace(
        MARKS[1], ""
    )
    if not set(MARKS) & set(text):
        assert shown.count(MARKS[0]) == shown.count(MARKS[1])


def test_text_cannot_steer_the_terminal() -> None:
    """An escape sequence in somebody's message is shown as its code."""
    assert marked("\x1b[2Jhello", [(0, 1)]) == ["⟦\\u001b⟧[2Jhello"]


# --- after delivery -------------------------------------------------------------------------------------

THE_NEXT_DAY = "2026-09-22"


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three days after the story began."""
    monkeypatch.setattr("bridge.cli.compose.WallClock.now", lambda _: START + 3 * 86_400_000)


@pytest.mark.usefixtures("later")
def test_a_day_is_drawn_listed_and_closed(terminal: Terminal) -> None:
    """Drawn once, listed with rule and queue until somebody says what was found; exit 1 for a second draw."""
    before = terminal.type("review", "list", "--sampled", "--json").records
    assert [(row["rule"], row["queue"]) for row in before] == [("cards/daily", "supervision")]
    drawn = terminal.type("review", "draw", "--day", THE_NEXT_DAY, "--reason", "daily supervision")
    assert (drawn.code, drawn.out) == (
        Exit.DONE,
        f"Drawn for {THE_NEXT_DAY}: 1 message(s). See `weighbridge review list --sampled`.\n",
    )
    again = terminal.type("review", "draw", "--day", THE_NEXT_DAY, "--reason", "once more")
    assert again.code == Exit.NO and "drawn already" in again.err
    listed = terminal.type("review", "list", "--sampled")
    assert "the next day" in listed.out and "supervision" in listed.out
    for row in terminal.type("review", "list", "--sampled", "--json").records:
        closed = terminal.type("review", "close", str(row["message"]), "--finding", "nothing to object to")
        assert closed.code == Exit.DONE
    assert terminal.type("review", "list", "--sampled").err == "Nothing is drawn for review.\n"
    assert terminal.type("review", "close", "1", "--finding", "?").code == Exit.NO
    shown = terminal.type("audit", "show", str(before[0]["message"])).out
    for said in ("reviewed after delivery", "nothing to object to", "25% for cards/daily"):
        assert said in shown
    assert terminal.type("audit", "verify").code == Exit.DONE


def test_the_list_can_be_that_of_one_queue(terminal: Terminal) -> None:
    """A reviewer of one queue sees that queue; nothing waits in another."""
    assert terminal.type("review", "list", "--queue", "nobody").err == "Nothing is held.\n"
    assert terminal.type("review", "list", "--sampled", "--queue", "nobody").out == ""
    rows = terminal.type("review", "list", "--json").records
    assert all({"queue", "due_at", "late"} <= set(row) for row in rows)


async def test_what_holds_it_comes_before_what_rules_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held by a freeze, although a rule would only mask it: the freeze is the reason, in list and page; the
    rule stands behind it."""
    monkeypatch.setattr(traffic, "Judging", traffic.frozen)
    new_store(tmp_path)
    hands = Hands(opened(tmp_path, clock := Clock()), clock)
    await hands.store.own("the test")
    ready = traffic.policies()
    await hands.store.activate_policy(ready.hashes, "daemon", "start", ready.sources)
    await hands.archive(message(WEIXIN, 1, "4111 1111 1111 1111"))
    await traffic.judged(hands, ready)
    hands.store.close()
    terminal = Terminal(tmp_path, capsys)
    page, listed = await asyncio.to_thread(_page_and_list, terminal)
    assert (listed["rules"], listed["reason"]) == ([], "everything is held: the bridge is frozen")
    assert page.index("Held because everything is held") < page.index("No card numbers (rule cards")


def _page_and_list(terminal: Terminal) -> tuple[str, dict]:
    (row,) = terminal.type("review", "list", "--json").records
    assert "everything is held" in terminal.type("review", "list").out
    return terminal.type("review", "show", "1").out, row


def test_what_is_late_is_said_in_words() -> None:
    """Before its time: due in so long; after it: so long late."""
    review = {"state": "open", "queue": "", "opened_at": 0, "due_at": 60_000}
    assert _standing(review, 34_000) == "held for 34 s, due in 26 s"
    assert _standing(review, 86_000) == "held for 1 min, 26 s late"
