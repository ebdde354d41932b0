"""`weighbridge erasure`: a request typed, answered, and carried out as a disposal."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from disposals import DAY, firm
from story import CONTACT, START, Terminal

from bridge.cli import compose
from bridge.cli.output import Exit
from bridge.message import WEIXIN, Party

ALICE, BOB, CAROL = "alice.wong@bank.example", "bob.li@bank.example", "carol@bank.example"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty days after the firm began."""
    monkeypatch.setattr(compose.WallClock, "now", lambda _: START + 40 * DAY + 1000)


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal on a firm a half of whose records is due."""
    firm(tmp_path).store.close()
    return Terminal(tmp_path, capsys)


def because(person: str) -> tuple[str, ...]:
    """Who types, and why."""
    return "--reason", "a letter", "--as", person


@pytest.mark.parametrize("part", ["李", "wong", "alice", "nobody@bank.example"])
def test_a_part_of_a_name_erases_nobody(terminal: Terminal, part: str) -> None:
    """It is refused, with the list of those who are called like that; that they were shown is recorded."""
    refused = terminal.type("erasure", "request", "--about", part, *because(BOB))
    assert refused.code == Exit.NO
    assert ("alice.wong@bank.example, symphony 7001" in refused.err) == (part in ("wong", "alice"))
    assert ("李雷 (weixin wmLiLei)" in refused.err) == (part == "李")
    assert "Nobody has asked." in terminal.type("erasure", "list").err
    (look, *_) = terminal.type("audit", "searches", "--json").records
    assert (look["command"], look["person"], look["query"]) == ("erasure request", BOB, part)


def test_a_clock_far_ahead_has_to_be_said_to_be_right(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for any plan of disposal."""
    monkeypatch.setattr(compose.WallClock, "now", lambda _: START + 400 * DAY)
    asking = ("erasure", "request", "--about", "wmLiLei", *because(BOB))
    assert terminal.type(*asking).code == Exit.FORBIDDEN
    assert terminal.type(*asking, "--clock-is-right").code == Exit.DONE


def test_a_stranger_who_asks_is_answered(terminal: Terminal) -> None:
    """Once somebody has said that the name is right: there is no record of them."""
    asked = terminal.type("erasure", "request", "--about", "韩梅梅", "--unknown", *because(BOB))
    assert "0 erased, 0 kept" in asked.out
    letter = terminal.type("erasure", "show", "1", "--letter", "--from", "Example Bank").out
    assert "We have no record of you." in letter
    folded = terminal.type("erasure", "show", "1", "--letter", "--from", "Example Bank\n1 Example Road").out
    assert folded.startswith("Example Bank\n1 Example Road\n"), "an address has lines"
    assert terminal.type("erasure", "show", "1", "--letter").code == Exit.WRONG


def test_two_people_of_one_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is erased for another: the id says who asks; or all of them are the one."""

    async def another() -> None:
        one = firm(tmp_path)
        await one.store.own("daemon")
        await one.story.pair("room-other", Party(WEIXIN, "wmOther", "李雷", "", "zh-Hans"))
        one.store.close()

    asyncio.run(another())
    terminal = Terminal(tmp_path, capsys)
    refused = terminal.type("erasure", "request", "--about", "李雷", *because(BOB))
    assert refused.code == Exit.NO
    assert "weixin wmLiLei" in refused.err
    assert "weixin wmOther" in refused.err
    only = terminal.type("erasure", "request", "--about", "wmOther", *because(BOB), "--json").records[0]
    assert (only["query"], only["answers"]) == ("with:=wmOther", [])
    both = terminal.type("erasure", "request", "--about", "李雷", "--all", *because(BOB), "--json").records[0]
    assert len(both["answers"]) == 42


def test_what_a_client_wrote_unpaired_is_theirs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After the pair has ended, and under another name: both names answer for all of it."""

    async def renamed() -> None:
        one = firm(tmp_path)
        await one.store.own("daemon")
        await one.store.end_pair(1, BOB, "renamed")
        await one.story.archive(one.story.answers("nobody's"))
        await one.story.pair(contact=Party(WEIXIN, CONTACT, "Li Lei", "", "zh-Hans"))
        await one.story.archive(one.story.answers("under a new name"))
        one.store.close()

    asyncio.run(renamed())
    terminal = Terminal(tmp_path, capsys)
    for number, name in enumerate(("李雷", "Li Lei"), start=1):
        said = terminal.type("erasure", "request", "--about", name, *because(BOB), "--json")
        assert said.code == Exit.DONE, said.err
        (asked,) = said.records
        assert (asked["number"], len(asked["answers"])) == (number, 44)


def test_from_the_request_to_the_last_name(terminal: Terminal) -> None:
    """Answered for each record; the letter in the person's language; erased by a disposal of two people."""
    asked = terminal.type("erasure", "request", "--about", "李雷", "--law", "pipl", *because(ALICE))
    assert asked.code == Exit.DONE, asked.err
    assert "22 erased, 20 kept" in asked.out
    told = terminal.type("erasure", "show", "1", "--json").records[0]
    assert {one["outcome"] for one in told["answers"]} == {"erased", "kept"}
    write = ("erasure", "show", "1", "--letter", "--from", "Example Bank", "--language")
    letter = terminal.type(*write, "zh-Hans").out
    assert "对删除请求 1 的答复：李雷" in letter
    assert "2033-09" in letter
    assert terminal.type(*write, "zh-Hans", "--json").records[0]["letter"] + "\n" == letter
    for person in (BOB, CAROL):
        terminal.type("disposal", "approve", "1", *because(person))
    ran = terminal.type("disposal", "run", "1", "--as", ALICE)
    assert ran.code == Exit.DONE, ran.err
    assert terminal.type("audit", "verify").code == Exit.DONE
    assert "Erased: 22 records, " in terminal.type(*write, "en").out
    assert "Disposal 1 is over: 22 of them are gone." in terminal.type("erasure", "show", "1").out
    assert "李雷" in terminal.type("erasure", "list").out
    assert terminal.type("erasure", "show", "7").code == Exit.NO


def test_names_are_shown_before_anybody_agrees(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plan, answer and certificate count the pairs whose names go, also where no record is left."""
    old = firm(tmp_path, days=8 * 366)

    async def empty() -> None:
        await old.store.own("daemon")
        await old.dispose()
        await old.store.end_pair(1, BOB, "left the bank")
        old.store.close()

    asyncio.run(empty())
    monkeypatch.setattr(compose.WallClock, "now", lambda _: START + 8 * 366 * DAY + 10_000)
    terminal = Terminal(tmp_path, capsys)
    asked = terminal.type("erasure", "request", "--about", "李雷", *because(ALICE))
    assert asked.code == Exit.DONE, asked.err
    assert "Names, addresses and ids of pair 1: erased." in asked.out
    assert "No message of theirs." in asked.err
    assert "names, addresses and ids of 1 pair that ended" in terminal.type("disposal", "show", "2").out
    for person in (BOB, CAROL):
        terminal.type("disposal", "approve", "2", *because(person))
    ran = terminal.type("disposal", "run", "2", "--as", ALICE)
    assert "went names of pairs: 1, with 0 consents" in ran.out, ran.err
    assert "0 of them are gone, and the names of 1 pair." in terminal.type("erasure", "show", "1").out
    certificate = terminal.type("disposal", "show", "2", "--certificate").out
    assert "of ended pairs: 1 (consents with them: 0)" in certificate
    assert terminal.type("audit", "verify").code == Exit.DONE
