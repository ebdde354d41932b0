"""`weighbridge disposal`: what people type and see, from the plan to the certificate."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from disposals import DAY, Firm, firm
from story import START, Terminal

from bridge.cli import compose
from bridge.cli.output import Exit

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
    assert (
        "not there" in terminal.type("disposal", "show", "9").err
        or terminal.type("disposal", "show", "9").code
    )


def test_the_canary_says_what_came_of_it(terminal: Terminal) -> None:
    """Refused, with the reason; in the ledger afterwards."""
    answer = terminal.type("disposal", "canary")
    assert answer.code == Exit.DONE
    assert "was not destroyed: retention until 2033" in answer.out
    assert terminal.type("disposal", "canary", "--json").records[0]["refused"] is True
