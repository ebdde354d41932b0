"""`weighbridge policy backtest`: a report, a record of who looked, limits, and no text unless asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import traffic
from rig import Clock, Hands, new_store, opened
from story import Answer, Terminal

from bridge.cli.output import Exit
from bridge.store import backtest as bt

DRAFT = traffic.DESK.replace("併購]", "併購, thanks]").replace(
    "to_weixin, finds: secret", "both, finds: secret"
)
SINCE = ("--since", "2026-01-01", "--workers", "1")


@pytest.fixture
async def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal beside a store with judged traffic, and a stricter draft."""
    new_store(tmp_path)
    clock = Clock()
    hands = Hands(opened(tmp_path, clock), clock)
    await hands.store.own("the test")
    await traffic.traffic(hands, traffic.policies(), seed=2, count=60)
    hands.store.close()
    (tmp_path / "draft.yaml").write_text(DRAFT, encoding="utf-8")
    return Terminal(tmp_path, capsys)


def backtest(terminal: Terminal, *options: str) -> Answer:
    draft = str(terminal.folder / "draft.yaml")
    return terminal.type(
        "policy", "backtest", draft, *SINCE, "--reason", "stricter", "--as", "carol", *options
    )


def test_a_report_is_printed_kept_and_shown_again(terminal: Terminal) -> None:
    """What changes, by rule, person and day; the record names who, why and what came out."""
    answer = backtest(terminal)
    assert answer.code == Exit.DONE
    for part in (
        "deliver → hold",
        "desk/inside",
        "By person",
        "By day",
        "Review load:",
        "Not replayed: ",
    ):
        assert part in answer.out
    (listed,) = terminal.type("policy", "backtests", "--json").records
    assert (listed["person"], listed["reason"]) == ("carol", "stricter")
    again = terminal.type("policy", "backtests", listed["name"]).out.splitlines()
    assert "by carol: stricter" in again[0] and again[1:] == answer.out.splitlines()[:-1]
    assert terminal.type("audit", "verify").code == Exit.DONE


def test_text_is_shown_only_when_asked_for(terminal: Terminal) -> None:
    """Without the option numbers only; with it the words, and the record says that they were shown."""
    assert "thanks" not in backtest(terminal).out
    assert "thanks" in backtest(terminal, "--show-text").out
    names = [row["name"] for row in terminal.type("policy", "backtests", "--json").records]
    shown = [terminal.type("policy", "backtests", name, "--json").records[0]["report"] for name in names]
    assert sorted(one["text_shown"] for one in shown) == [False, True]


def test_limits_set_the_exit_code(terminal: Terminal) -> None:
    """Over a limit: exit code 1 and the reason; the report is printed and kept all the same."""
    new = backtest(terminal, "--json").records[0]["new_holds"]
    assert new > 0
    assert backtest(terminal, "--max-new-holds", str(new)).code == Exit.DONE
    answer = backtest(terminal, "--max-new-holds", str(new - 1), "--max-looser", "0")
    assert answer.code == Exit.NO and f"new holds: {new}" in answer.err and "looser" not in answer.err
    assert "Recorded as bt-" in answer.out


def test_the_report_goes_into_a_file(terminal: Terminal) -> None:
    """The same values as in the record, for whoever compares."""
    out = terminal.folder / "report.json"
    backtest(terminal, "--out", str(out))
    kept = json.loads(out.read_bytes())
    (listed,) = terminal.type("policy", "backtests", "--json").records
    assert (kept["name"], kept["new_holds"]) == (listed["name"], listed["new_holds"])


def test_any_two_sets_can_be_compared(terminal: Terminal) -> None:
    """Against a file instead of what is in force; equal sides change nothing."""
    draft = str(terminal.folder / "draft.yaml")
    found = backtest(terminal, "--against", draft, "--json").records[0]
    assert found["changes"] == [] and found["replayed"] > 0


def test_an_interrupted_back_test_is_recorded_as_a_part(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C leaves no reading unrecorded: what was counted is kept, marked, with exit code 6."""

    def interrupted(*_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(bt, "replay", interrupted)
    answer = backtest(terminal)
    assert answer.code == Exit.PARTIAL and "only a part" in answer.out
    (listed,) = terminal.type("policy", "backtests", "--json").records
    assert terminal.type("policy", "backtests", listed["name"], "--json").records[0]["report"]["partial"]


def test_nothing_to_replay_is_no_success(terminal: Terminal) -> None:
    """A period without messages: it is said, and the exit code is no success; the look is recorded."""
    answer = backtest(terminal, "--since", "2099-01-01")
    assert answer.code == Exit.NO and "Nothing to replay" in answer.err
    assert len(terminal.type("policy", "backtests", "--json").records) == 1


def test_a_reason_is_asked_for(terminal: Terminal) -> None:
    """Nobody reads everybody's messages without saying why."""
    answer = terminal.type("policy", "backtest", str(terminal.folder / "draft.yaml"))
    assert answer.code == Exit.WRONG and "--reason" in answer.err
    assert terminal.type("policy", "backtests").err == "Nobody has made a back-test yet.\n"
