"""`weighbridge retention`: a record says until when it lives and why; acts show first what they change."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from disposals import LONG, SHORT, firm
from rig import LANGUAGES, START, Clock, judge, message, new_store, opened
from story import Terminal, passed

from bridge import pipeline
from bridge.cli.output import Exit
from bridge.message import SYMPHONY, WEIXIN, Archived, Retention, Verdict
from bridge.policy import Source
from bridge.ports import Ruling
from bridge.records.terms import end
from bridge.store import erasure
from bridge.store.documents import last_number

POLICY = b"""\
policy: hk-equities
language: 1
title: t
owner: compliance-hk@bank.example
retention:
  - { id: orders, preset: hk-sfc-im-order }
  - { preset: eu-mifid2-16-7, worm: true, first: 2y }
"""
SOURCE = Source("hk-equities.yaml", POLICY)
ORDERS = Retention("hk-equities/orders", "2y")
MIFID = Retention("hk-equities/eu-mifid2-16-7", "5y", worm=True, first="2y")
SWAP = Retention("otc/swaps", "5y", "deal-termination")
WHY = ("--reason", "asked by the authority", "--as", "carol")


async def _records(folder: Path) -> None:
    """A message with two classes, a blocked one with its notice, one that waits for an event, one without."""
    clock = Clock()
    store = opened(folder, clock)
    await store.own("the test")
    await store.activate_policy([("hk-equities", SOURCE.hash)], "carol", "first", [SOURCE])
    said = [("hello", (MIFID, ORDERS)), ("BLOCK", (MIFID,)), ("a swap", (SWAP,)), ("nothing", ())]
    for number, (text, classes) in enumerate(said, start=1):

        def judging(archived: Archived, now: datetime, classes: tuple[Retention, ...] = classes) -> Verdict:
            return replace(judge(archived, now), retention=classes, policies=(("hk-equities", SOURCE.hash),))

        one = message(SYMPHONY if number != 2 else WEIXIN, number, text)
        await store.archive(_batch(one))
        await store.record_rulings(pipeline.decide(await store.unjudged(9), judging, clock.now(), LANGUAGES))
    store.close()


def _batch(one: object) -> object:
    from rig import batch

    return batch(one)


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on that store."""
    new_store(tmp_path)
    asyncio.run(_records(tmp_path))
    return Terminal(tmp_path, capsys)


def test_explain_names_the_rule_and_what_else_keeps_it(terminal: Terminal) -> None:
    """Until when, because of which class; each class with its rule and how that is known; holds; medium."""
    terminal.type("hold", "place", "CASE-7", "--person", "alice.wong@bank.example", *WHY)
    answer = terminal.type("retention", "explain", "1")
    assert answer.code == Exit.DONE
    first, *lines = answer.out.splitlines()
    assert first == (
        "Message 1 is kept until 2031-01-06 because hk-equities/eu-mifid2-16-7; delivery open; hold CASE-7."
    )
    assert (
        "  hk-equities/orders: 2y from creation, until 2028-01-06 "
        "(hk-sfc-im-order: SFC circular on orders by instant messaging (2018), confirmed)" in lines
    )
    assert "  readable at once until 2028-01-06" in lines
    assert "  only write-once media will do" in lines


def test_explain_in_json(terminal: Terminal) -> None:
    """The same as data, with times in milliseconds."""
    (one,) = terminal.type("retention", "explain", "1", "--json").records
    assert (one["until"], one["because"]) == (end(START, "5y"), MIFID.key)
    assert [(c["key"], c["preset"], c["known"]) for c in one["classes"]] == [
        (MIFID.key, "eu-mifid2-16-7", "confirmed"),
        (ORDERS.key, "hk-sfc-im-order", "confirmed"),
    ]
    assert one["kept"] == ["retention until 2031-01-06", "delivery open"]


def test_explain_what_has_no_end(terminal: Terminal) -> None:
    """An event that has not happened, no class at all, a notice: each is said; a number of nothing too."""
    assert "retention: deal-termination has not happened" in terminal.type("retention", "explain", "4").out
    assert "kept without an end; no class of retention" in terminal.type("retention", "explain", "5").out
    assert "shares the fate of message 2" in terminal.type("retention", "explain", "3").out
    assert terminal.type("retention", "explain", "99").code == Exit.NO


def test_explain_what_an_edit_keeps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The end is that of the one which keeps both, and it is named; the answer to a request says it too."""
    old = firm(tmp_path)

    async def said() -> None:
        await old.store.own("daemon")
        first = old.story.says("the first words")
        for one, keep in ((first, SHORT), (old.story.says("the second", replaces=first.id), LONG)):
            await old.story.archive(one)
            for waiting in await old.store.unjudged(9):
                verdict = replace(passed(waiting), retention=(keep,))
                await old.store.record_rulings([Ruling(waiting, verdict, "")])
        await old.story.deliver()

    asyncio.run(said())
    (first, second) = asyncio.run(old.store.read(lambda db: [last_number(db) - 1, last_number(db)]))
    answers, _ = asyncio.run(old.store.read(lambda db: erasure.answers(db, [first], old.store.clock.now())))
    old.store.close()
    terminal = Terminal(tmp_path, capsys)
    text = terminal.type("retention", "explain", str(first)).out
    because = f"because of message {second}, with which it is joined (cards/long)."
    assert text.startswith(f"Message {first} is kept until 2033-11-01 {because}"), text
    (one,) = terminal.type("retention", "explain", str(first), "--json").records
    assert one["last"]["number"] == second
    assert (answers[0].until, answers[0].because) == (one["last"]["until"], LONG.key)


def test_two_people_give_a_class_to_what_has_none(terminal: Terminal) -> None:
    """Counted first, proposed, agreed to by another person; a record with a class keeps it."""
    typed = ("retention", "assign", "old", "--query", "", "--keep", "3y")
    assert "Nothing was changed" in terminal.type(*typed, *WHY).err
    (proposed,) = terminal.type(*typed, "--yes", "--json", *WHY).records
    assert (proposed["records"], proposed["changed"]) == (1, 0)
    assert terminal.type("retention", "assign", "old", "--approve", "--yes", *WHY).code == Exit.FORBIDDEN
    again = ("retention", "assign", "old", "--approve", "--reason", "seen", "--as", "bob.li@bank.example")
    assert "Nothing was changed" in terminal.type(*again).err
    (given,) = terminal.type(*again, "--yes", "--json").records
    assert (given["records"], given["changed"]) == (1, 1)
    assert "until 2029-01-06 because assigned/old" in terminal.type("retention", "explain", "5").out
    (repeated,) = terminal.type(*again, "--yes", "--json").records
    assert repeated["changed"] == 0
    assert terminal.type("retention", "assign", "old", *WHY).code == Exit.WRONG


def test_whoever_agrees_is_shown_what(terminal: Terminal) -> None:
    """Query, period, proposer, reason, and how many it comes to today beside how many were proposed."""
    typed = ("retention", "assign", "old", "--query", "nothing", "--keep", "3y", "--yes", *WHY)
    assert terminal.type(*typed).code == Exit.DONE
    seen = ("retention", "assign", "old", "--approve", "--reason", "seen", "--as", "bob.li@bank.example")
    for shown in (terminal.type(*seen).out, terminal.type("retention", "assignments", "old").out):
        for word in ("nothing", "3y", "carol", "asked by the authority", "records when proposed"):
            assert word in shown
    (row,) = terminal.type("retention", "assignments", "--json").records
    assert (row["name"], row["state"], row["records"], row["keep"]) == ("old", "proposed", 1, "3y")
    terminal.type("retention", "assign", "gone", "--query", "", "--keep", "3y", "--yes", *WHY)
    assert terminal.type(*seen, "--yes").code == Exit.DONE
    fewer = terminal.type("retention", "assign", "gone", *seen[3:])
    assert "0 (-1)" in fewer.out
    assert "agreed by" in terminal.type(*seen).out
    assert "agreed" in terminal.type("retention", "assignments").out


def test_a_long_query_keeps_the_list_of_assignments_narrow(terminal: Terminal) -> None:
    """It is shortened there; one alone, and JSON, have all of it."""
    long = " ".join(f"-word{number}" for number in range(40))
    typed = ("retention", "assign", "long", "--query", long, "--keep", "3y", "--yes")
    proposed = terminal.type(*typed, *WHY)
    assert proposed.code == Exit.DONE, proposed.err
    listed = terminal.type("retention", "assignments").out
    assert max(map(len, listed.splitlines())) < 200
    assert "…" in listed
    assert long in terminal.type("retention", "assignments", "long").out
    assert terminal.type("retention", "assignments", "--json").records[0]["query"] == long


@pytest.mark.parametrize(
    "options",
    [
        ("--approve", "--query", "id:1"),
        ("--approve", "--query", ""),
        ("--approve", "--keep", "3y"),
        ("--approve", "--refuse"),
        ("--refuse", "--query", "id:1"),
        ("--refuse", "--records", "1"),
        ("--keep", "3y", "--records", "1"),
        ("--query", "id:1"),
    ],
)
def test_to_agree_is_about_what_was_proposed(terminal: Terminal, options: tuple[str, ...]) -> None:
    """Whoever says a query beside it means something else, and is told; nothing is changed."""
    terminal.type("retention", "assign", "old", "--query", "", "--keep", "3y", "--yes", *WHY)
    typed = (
        "retention",
        "assign",
        "old",
        *options,
        "--yes",
        "--reason",
        "seen",
        "--as",
        "bob.li@bank.example",
    )
    assert terminal.type(*typed).code == Exit.WRONG
    assert "no class of retention" in terminal.type("retention", "explain", "5").out


def test_a_proposed_class_is_refused(terminal: Terminal) -> None:
    """Its name stands for nothing else any more."""
    typed = ("retention", "assign", "old", "--query", "", "--keep", "3y", "--yes", *WHY)
    terminal.type(*typed)
    assert terminal.type(*typed).code == Exit.NO
    refused = terminal.type("retention", "assign", "old", "--refuse", "--reason", "too wide", "--as", "dave")
    assert (refused.code, "No record gets class old" in refused.out) == (Exit.DONE, True)
    assert "dave" in terminal.type("retention", "assignments", "old").out
    assert "another name" in terminal.type(*typed).err
    assert terminal.type("audit", "verify").code == Exit.DONE


def test_more_than_was_proposed_is_refused(terminal: Terminal) -> None:
    """Unless its number is named."""
    typed = ("retention", "assign", "old", "--query", "id:5", "--keep", "3y", "--yes", *WHY)
    assert terminal.type(*typed).code == Exit.DONE
    agree = ("retention", "assign", "old", "--approve", "--yes", "--reason", "seen", "--as", "dave")
    other = terminal.type(*agree, "--records", "2")
    assert (other.code, "--records 1" in other.err) == (Exit.NO, True)
    assert terminal.type(*agree, "--records", "1").code == Exit.DONE


def test_explain_what_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under which class it lived, until when, and which disposal it went by; it is counted no more."""
    old = firm(tmp_path)
    gone = asyncio.run(old.dispose())
    old.store.close()
    terminal = Terminal(tmp_path, capsys)
    said = terminal.type("retention", "explain", "1").out
    assert f"by disposal {gone}: cards/short kept it until 2026-" in said
    assert terminal.type("retention", "explain", "1", "--json").records[0]["class"] == "cards/short"
    assert [row["key"] for row in terminal.type("retention", "list", "--json").records] == ["cards/long"]


def test_classes_are_listed(terminal: Terminal) -> None:
    """Counts by class, and those without one."""
    rows = terminal.type("retention", "list", "--json").records
    assert [(row["key"], row["records"], row["waiting"]) for row in rows] == [
        (MIFID.key, 2, 0),
        (SWAP.key, 1, 1),
        ("", 1, 0),
    ]
    assert "none: kept without an end" in terminal.type("retention", "list").out


def test_presets_are_listed(terminal: Terminal) -> None:
    """Each with its rule, and whether it was confirmed."""
    out = terminal.type("retention", "presets").out
    assert "sg-mas-order-comms" in out and "not confirmed" in out
    assert len(terminal.type("retention", "presets", "--json").records) == 24


def test_an_event_is_shown_first_and_then_recorded(terminal: Terminal) -> None:
    """Without --yes nothing changes; with it the period runs from the end of that day."""
    command = ("retention", "event", "deal-termination", "--query", "swap", "--at", "2026-03-31", *WHY)
    answer = terminal.type(*command)
    assert "Nothing was changed" in answer.err and "kept longer" in answer.out
    assert "has not happened" in terminal.type("retention", "explain", "4").out
    (done,) = terminal.type(*command, "--yes", "--json").records
    assert (done["records"], done["longer"], done["changed"]) == (1, 1, 1)
    assert "until 2031-04-01 because otc/swaps" in terminal.type("retention", "explain", "4").out
    (again,) = terminal.type(*command, "--yes", "--json").records
    assert again["changed"] == 0


def test_an_order_rests_on_no_index(terminal: Terminal) -> None:
    """Whoever empties the search index hides no record that is to live longer; the record of it says so."""
    terminal.hide_everything()
    command = ("retention", "extend", "--query", "swap", "--keep", "9y", *WHY, "--yes", "--json")
    assert terminal.type(*command).records[0]["changed"] == 1
    assert terminal.type("audit", "searches", "--json").records[0]["indexed"] is False


def test_five_years_become_seven(terminal: Terminal) -> None:
    """One switch for a set of records; a shorter period than theirs changes none."""
    command = ("retention", "extend", "--query", "-is:notice", *WHY, "--yes", "--json")
    (none,) = terminal.type(*command, "--keep", "4y").records
    assert (none["records"], none["endless"], none["changed"]) == (4, 1, 1)  # what waits has a floor now
    (done,) = terminal.type(*command, "--keep", "7y").records
    assert done["changed"] == 3
    assert "until 2033-01-06" in terminal.type("retention", "explain", "1").out
    assert terminal.type("audit", "verify").code == Exit.DONE


def test_an_extension_is_named_as_the_reason(terminal: Terminal) -> None:
    """Who ordered it, when and why, and not the class that would have let it go; the day that is named is
    the first on which it may go."""
    command = ("retention", "extend", "--query", "id:1", *WHY, "--yes", "--until")
    assert terminal.type(*command, "2040-01-01").code == Exit.DONE
    first, *lines = terminal.type("retention", "explain", "1").out.splitlines()
    assert first.startswith("Message 1 is kept until 2040-01-02 because carol extended it on ")
    assert "(asked by the authority)" in first
    assert MIFID.key not in first
    assert any(line.startswith("  extended until 2040-01-02 by carol on ") for line in lines)
    (one,) = terminal.type("retention", "explain", "1", "--json").records
    assert (one["extension"]["person"], one["extended"]) == ("carol", one["until"])
    assert "first day" in terminal.type("retention", "explain", "--help").out


@pytest.mark.parametrize(
    "wrong",
    [
        ["--keep", "0y"],
        ["--keep", "７y"],
        ["--keep", "101y"],
        ["--keep", "99999y"],
        ["--keep", "9" * 5000 + "y"],
        [],
        ["--keep", "7y", "--until", "2033-01-01"],
    ],
)
def test_a_period_that_is_none_is_refused(terminal: Terminal, wrong: list[str]) -> None:
    """Before anything is looked at."""
    answer = terminal.type("retention", "extend", "--query", "swap", *wrong, *WHY, "--yes")
    assert answer.code == Exit.WRONG
