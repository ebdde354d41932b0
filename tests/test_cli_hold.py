"""`weighbridge hold`: counted before, placed at once, lifted by two people."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, select
from story import CHAT, CONTACT, STREAM, Terminal, copy_of_the_story

from bridge.cli import output
from bridge.cli.compose import WallClock
from bridge.cli.output import Exit
from bridge.records.exports.numbers import numbers_of
from bridge.store import exports, schema
from bridge.store.database import Database
from bridge.store.documents import last_number
from bridge.store.holds import UNREADABLE
from bridge.store.looks import Looker, Search, record_search
from bridge.store.rows import drop_delivery
from bridge.store.writer import Tx

ALICE = ("--person", "alice.wong@bank.example")
WHY = ("--reason", "a complaint", "--as", "carol")


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on a copy of the story."""
    copy_of_the_story(tmp_path)
    return Terminal(tmp_path, capsys)


def counted(terminal: Terminal) -> list[str]:
    """The holds that people placed and that stand; the story's own policy cannot be read, which holds all."""
    rows = terminal.type("hold", "list", "--json").records
    assert [row["name"] for row in rows if "placed_at" not in row or not row["placed_at"]] == [UNREADABLE]
    return [row["name"] for row in rows if row["placed_at"]]


def test_a_preview_counts_and_is_recorded(terminal: Terminal) -> None:
    """Messages, conversations, people; nothing is placed, and who asked is written down."""
    (counts,) = terminal.type("hold", "preview", *ALICE, *WHY, "--json").records
    assert counts["messages"] > 10
    assert (counts["conversations"], counts["people"], counts["due"]) == (2, 2, 0)
    assert 0 < counts["first_at"] <= counts["last_at"]
    assert counted(terminal) == []
    (look, *_) = terminal.type("audit", "searches", "--json").records
    assert (look["command"], look["person"]) == ("hold preview", "carol")


def test_a_hold_is_placed_and_shown(terminal: Terminal) -> None:
    """At once; the list says what it covers, `explain` says that it holds."""
    assert terminal.type("hold", "place", "CASE-7", *ALICE, *WHY).code == Exit.DONE
    assert "CASE-7" in terminal.type("hold", "list").out
    assert "1 placed by people stand" in terminal.type("status").out
    (one,) = terminal.type("hold", "show", "CASE-7", "--json").records
    assert (one["state"], one["person"]) == ("standing", "carol")
    assert "with:alice.wong@bank.example OR with:" in one["query"]
    assert "hold CASE-7" in terminal.type("retention", "explain", "1").out


@pytest.mark.parametrize(
    ("options", "query"),
    [
        (("--conversation", CHAT), f"in:{CHAT} OR in:{STREAM}"),
        (("--conversation", STREAM, "--conversation", CHAT), f"in:{STREAM} OR in:{CHAT}"),
        (("--query", f"swap in:{STREAM}"), f"swap (in:{STREAM} OR in:{CHAT})"),
        (("--conversation", "wk/wm", "--conversation", "x", "--unknown"), "in:wk/wm OR in:x"),
        (("--message", "3"), "id:3"),
        (("--query", "swap -is:notice", "--since", "2026-01-05"), "(swap -is:notice) after:2026-01-05"),
    ],
)
def test_what_a_hold_may_cover(terminal: Terminal, options: tuple[str, ...], query: str) -> None:
    """A conversation, a message, whatever a query finds; from a day on."""
    (placed,) = terminal.type("hold", "place", "CASE-8", *options, *WHY, "--json").records
    assert placed["query"] == query


@pytest.mark.parametrize(
    "options",
    [("--person", "alice.wang@bank.example"), ("--message", "999"), ("--conversation", "wkWealth/wmNobody")],
)
def test_a_slip_of_the_pen_is_no_hold(terminal: Terminal, options: tuple[str, ...]) -> None:
    """Whom or what nobody has heard of is refused, unless it is said to be to come."""
    refused = terminal.type("hold", "place", "CASE-9", *options, *WHY)
    assert refused.code == Exit.NO
    assert options[1] in refused.err
    assert terminal.type("hold", "preview", *options, *WHY).code == Exit.NO
    assert counted(terminal) == []
    assert terminal.type("hold", "place", "CASE-9", *options, "--unknown", *WHY).code == Exit.DONE
    assert counted(terminal) == ["CASE-9"]


def test_a_case_is_what_was_looked_at_for_it(terminal: Terminal) -> None:
    """Searches as they were asked, for what comes too; of one with times in it, what it finds; what was shown
    alone. Of another case nothing, and a case that nobody worked on is no hold."""
    asked = ("--reason", "a letter", "--as", "carol")
    words = f"swap OR with:李雷 OR in:{CHAT}"
    assert terminal.type("audit", "search", words, "--case", "ＣＡＳＥ\u20117 ", *asked).code == Exit.DONE
    assert (
        terminal.type("audit", "search", "with:李雷 before:today", "--case", "case-7", *asked).code
        == Exit.DONE
    )
    assert terminal.type("audit", "show", "1", "--case", "CASE-7", *asked).code == Exit.DONE
    assert terminal.type("audit", "show", "2", "--case", "CASE-8", *asked).code == Exit.DONE
    (counts,) = terminal.type("hold", "preview", "--case", "CASE-7", *asked, "--json").records
    (placed,) = terminal.type("hold", "place", "HOLD-7", "--case", "CASE-7", *asked, "--json").records
    assert counts["query"] == placed["query"]
    assert placed["query"] == f"({words} OR in:{STREAM})"
    assert placed["numbers"].startswith("1-")
    assert placed["messages"] >= counts["messages"] > 5
    (one,) = terminal.type("hold", "place", "HOLD-8", "--case", "CASE-8", *asked, "--json").records
    assert (one["query"], one["numbers"], one["messages"]) == ("", "2", 1)
    for more in ((), ("--unknown",)):
        refused = terminal.type("hold", "place", "HOLD-9", "--case", "CASE-9", *more, *asked)
        assert (refused.code, "CASE-9" in refused.err) == (Exit.NO, True)
    assert counted(terminal) == ["HOLD-7", "HOLD-8"]


def writable(terminal: Terminal) -> Database:
    """The terminal's store, now."""
    return Database(f"sqlite:///{terminal.folder / 'weighbridge.db'}", terminal.folder / "blobs", WallClock())


def placed_on(terminal: Terminal, case: str, *more: str) -> dict:
    """A hold on a case, of the case's name."""
    (one,) = terminal.type("hold", "place", case, "--case", case, *more, *WHY, "--json").records
    return one


def holding(terminal: Terminal, number: int) -> str:
    """What keeps a message."""
    return terminal.type("retention", "explain", str(number)).out


def test_a_case_holds_what_went_out_as_evidence(terminal: Terminal) -> None:
    """By number, as the package has it; its query covers what comes as well."""
    out = ("audit", "evidence", *WHY, "--case")
    terminal.type(*out, "E-1", "--message", "5,6", "--out", str(terminal.folder / "1.zip"))
    terminal.type(*out, "E-2", "with:李雷", "--message", "5", "--out", str(terminal.folder / "2.zip"))
    one = placed_on(terminal, "E-1")
    assert (one["query"], one["numbers"], one["messages"]) == ("", "5-7", 3)  # with the notice about 6
    assert "hold E-1" in holding(terminal, 5) and "hold E-1" in holding(terminal, 6)
    two = placed_on(terminal, "E-2")
    assert (two["query"], 5 in numbers_of(two["numbers"])) == ("(with:李雷)", True)


def test_a_case_holds_what_was_exported(terminal: Terminal) -> None:
    """All that an export without a query handed over, whatever else was looked for; what one found stays held
    when a later state takes it out of the query."""
    export = ("audit", "export", "--format", "jsonl", "--to-region", "CN", *WHY, "--case")
    terminal.type(*export, "X-1", "--out", str(terminal.folder / "x1"))
    terminal.type("audit", "search", "unheardof", "--case", "X-1", *WHY)
    (made, *_) = terminal.type("audit", "exports", "--json").records
    one = placed_on(terminal, "X-1")
    assert one["numbers"] == made["numbers"] and one["messages"] == made["messages"] > 5
    assert one["query"] == "(unheardof)"
    terminal.type(*export, "X-2", "-is:held id:3", "--out", str(terminal.folder / "x2"))
    two = placed_on(terminal, "X-2")
    assert (two["query"], two["numbers"]) == ("(-is:held id:3)", "3")


def test_a_case_of_an_export_that_nobody_finished(terminal: Terminal) -> None:
    """What it would have handed over by then is held: nobody knows what of it was."""
    who = Looker("carol", "a letter", "X-3")
    store = writable(terminal)
    asyncio.run(store.write(lambda tx: exports.go_on(tx, 0, who, "")))
    count = asyncio.run(store.read(last_number))
    store.close()
    assert placed_on(terminal, "X-3")["numbers"] == f"1-{count}"


def test_a_case_has_no_limit(terminal: Terminal) -> None:
    """More queries than anybody may type at once, and messages that lie apart."""
    store = writable(terminal)
    shown = tuple(range(1, 3000, 2))
    who = Looker("carol", "a letter", "BIG")

    def many(tx: Tx) -> None:
        for number in range(60):
            text = " OR ".join(f"word{number}x{other}" for other in range(10))
            record_search(tx, 0, who, Search("search", text, 0, shown))

    asyncio.run(store.write(many))
    store.close()
    one = placed_on(terminal, "BIG")
    assert len(one["query"]) > 4096 and len(one["numbers"]) > 4096
    assert "hold BIG" in holding(terminal, 1) and "hold BIG" not in holding(terminal, 2)
    assert "1, 3, 5" in terminal.type("hold", "show", "BIG").out


def test_a_case_from_a_day_on(terminal: Terminal) -> None:
    """Leaves out what was archived before, of what is held by number as well; where nothing is left, that is
    no hold."""
    terminal.type("audit", "show", "1", "--case", "DAY", *WHY)
    late = terminal.type("hold", "place", "DAY", "--case", "DAY", "--since", "2999-01-01", *WHY)
    assert (late.code, "2999-01-01" in late.err) == (Exit.NO, True)
    assert placed_on(terminal, "DAY", "--since", "2001-01-01")["numbers"] == "1"


def test_what_a_query_finds_stays_held(terminal: Terminal) -> None:
    """By number, whatever somebody does about it; what comes is held while it fits, and that is said."""
    placed = terminal.type("hold", "place", "Q-1", "--query", "with:李雷 -is:dropped", *WHY, "--json")
    (one,) = placed.records
    assert "end that: is:dropped." in placed.err
    assert one["query"] == "with:李雷 -is:dropped"
    store = writable(terminal)
    lane, permit, covered = asyncio.run(store.read(_open_delivery))
    assert covered in numbers_of(one["numbers"])
    asyncio.run(store.write(lambda tx: drop_delivery(tx, lane, permit, {"message": covered, "reason": "x"})))
    store.close()
    assert "hold Q-1" in holding(terminal, covered)
    terminal.hide_everything()
    (again,) = terminal.type("hold", "preview", "--query", "with:李雷", *WHY, "--json").records
    assert covered in numbers_of(again["numbers"]), "no index is asked"


def _open_delivery(db: Connection) -> tuple[int, str, int]:
    """One that somebody may drop: lane, permit, message."""
    d = schema.deliveries.c
    stuck = select(d.lane, d.permit, d.message).where(d.state.in_(["waiting", "parked"]))
    return tuple(db.execute(stuck.order_by(d.message).limit(1)).one())


def test_a_long_query_keeps_the_list_narrow(terminal: Terminal) -> None:
    """It is shortened there; `show` and JSON have all of it."""
    long = " OR ".join(f"word{number}" for number in range(40))
    terminal.type("hold", "place", "LONG", "--query", long, "--reason", "because " * 20, "--as", "carol")
    listed = terminal.type("hold", "list").out
    assert max(map(output.width, listed.splitlines())) < 200
    assert "…" in listed
    assert long in terminal.type("hold", "show", "LONG").out
    assert any(row["written"] == long for row in terminal.type("hold", "list", "--json").records)


def test_a_query_that_covers_nothing_is_said(terminal: Terminal) -> None:
    """It stands, for what is to come; whoever placed it is asked to look at it."""
    placed = terminal.type("hold", "place", "CASE-9", "--query", "unheardof", *WHY)
    assert placed.code == Exit.DONE
    assert "covers no message" in placed.err


def test_a_name_holds_everything_under_its_id(terminal: Terminal) -> None:
    """Also what the client writes after the pair has ended, when nothing names them but an id."""
    (placed,) = terminal.type("hold", "place", "CASE-7", "--person", "李雷", *WHY, "--json").records
    assert [(one["id"], one["names"]) for one in placed["meant"]] == [(CONTACT, ["李雷"])]
    assert placed["query"] == f"with:李雷 OR with:={CONTACT}"
    assert f"李雷 (weixin {CONTACT})" in terminal.type("hold", "preview", "--person", "李雷", *WHY).out


def test_a_hold_on_somebody_rests_on_no_index(terminal: Terminal) -> None:
    """Whoever empties the search index hides no id that messages know somebody by."""
    terminal.hide_everything()
    (placed,) = terminal.type("hold", "place", "CASE-7", "--person", "wmStranger", *WHY, "--json").records
    assert [one["id"] for one in placed["meant"]] == ["wmStranger"]


@pytest.mark.parametrize(
    "typed",
    [
        ("hold", "place", "CASE-9", "--message", "3", "--reason", "a\udcff"),
        ("hold", "place", "CASE-9", "--query", "a\udcff", *WHY),
        ("hold", "place", "CASE-9", "--person", "alice", "--person", "a\udcff", *WHY),
        ("disposal", "plan", "--query", "a\udcff", *WHY),
        ("retention", "extend", "--query", "a\udcff", "--keep", "9y", "--yes", *WHY),
        ("erasure", "request", "--about", "a\udcff", *WHY),
        ("sinks", "retry", "a\udcff", *WHY),
        ("freeze", "--reason", "a\udcff"),
        ("audit", "evidence", "--message", "3", "--out", "case.zip", "--reason", "a\udcff"),
    ],
)
def test_bytes_that_are_no_text_are_written_nowhere(terminal: Terminal, typed: tuple[str, ...]) -> None:
    """In whatever goes into the record: they would stand there as something else, or end in a trace."""
    answer = terminal.type(*typed)
    assert answer.code == Exit.WRONG
    assert "has bytes that are not UTF-8, after 1 characters" in answer.err
    assert counted(terminal) == []


def test_one_kind_of_thing_at_a_time(terminal: Terminal) -> None:
    """Nothing, or two kinds, is no hold; nor is a query that nobody can read."""
    for options in ((), (*ALICE, "--message", "3"), ("--query", "(")):
        assert terminal.type("hold", "place", "CASE-9", *options, *WHY).code == Exit.WRONG
    assert counted(terminal) == []


def test_two_people_lift_it(terminal: Terminal) -> None:
    """The proposer alone cannot; a second person can, unless the settings name others."""
    terminal.type("hold", "place", "CASE-7", *ALICE, *WHY)
    approve = ("hold", "lift", "CASE-7", "--approve", "--reason", "settled", "--as")
    assert terminal.type(*approve, "dave").code == Exit.NO
    assert "--approve" in terminal.type("hold", "lift", "CASE-7", *WHY).out
    assert terminal.type(*approve, "Carol").code == Exit.FORBIDDEN
    terminal.settings('[policy]\nlegal_approvers = ["erin"]\n')
    assert terminal.type(*approve, "dave").code == Exit.FORBIDDEN
    assert "Nothing was disposed of" in terminal.type(*approve, "erin").out
    assert counted(terminal) == []
    assert "lifted" in terminal.type("hold", "list", "--lifted").out
    assert terminal.type("audit", "verify").code == Exit.DONE


def test_it_can_be_let_stand(terminal: Terminal) -> None:
    """Somebody refuses what was proposed: it stands as before."""
    terminal.type("hold", "place", "CASE-7", *ALICE, *WHY)
    terminal.type("hold", "lift", "CASE-7", *WHY)
    assert "to be lifted?" in terminal.type("hold", "list").out
    answer = terminal.type("hold", "lift", "CASE-7", "--refuse", "--reason", "not yet", "--as", "erin")
    assert "stands" in answer.out
    assert terminal.type("hold", "show", "CASE-7", "--json").records[0]["state"] == "standing"
