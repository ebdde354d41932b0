"""`weighbridge erasure`: a request typed, answered, and carried out as a disposal."""

from __future__ import annotations

from pathlib import Path

import pytest
from disposals import DAY, firm
from story import START, Terminal

from bridge.cli import compose
from bridge.cli.output import Exit

ALICE, BOB, CAROL = "alice.wong@bank.example", "bob.li@bank.example", "carol@bank.example"


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal on a firm a half of whose records is due."""
    monkeypatch.setattr(compose.WallClock, "now", lambda _: START + 40 * DAY)
    firm(tmp_path).store.close()
    return Terminal(tmp_path, capsys)


def because(person: str) -> tuple[str, ...]:
    """Who types, and why."""
    return "--reason", "a letter", "--as", person


def test_from_the_request_to_the_last_name(terminal: Terminal) -> None:
    """Answered for each record; the letter in the person's language; erased by a disposal of two people."""
    asked = terminal.type("erasure", "request", "--about", "李雷", "--law", "pipl", *because(ALICE))
    assert asked.code == Exit.DONE, asked.err
    assert "22 erased, 20 kept" in asked.out
    told = terminal.type("erasure", "show", "1", "--json").records[0]
    assert {one["outcome"] for one in told["answers"]} == {"erased", "kept"}
    letter = terminal.type("erasure", "show", "1", "--letter", "--language", "zh-Hans").out
    assert "对删除请求 1 的答复：李雷" in letter
    assert "2033-09" in letter
    for person in (BOB, CAROL):
        terminal.type("disposal", "approve", "1", *because(person))
    ran = terminal.type("disposal", "run", "1", "--as", ALICE)
    assert ran.code == Exit.DONE, ran.err
    assert terminal.type("audit", "verify").code == Exit.DONE
    assert "李雷" in terminal.type("erasure", "list").out
    assert terminal.type("erasure", "show", "7").code == Exit.NO
